/* export.h - a graph as PREFIX.o and PREFIX.h for a C or C++ program (docs/export.md).
 *
 *     ir_graph --pass_compile, per ISA--> plans --export_image.c--> constant data  --cg_export--> .o
 *         \----export_fields.c--> struct NAME_args --export_header.c--> .h
 *                                        the bytes of runtime/aot  -------------------> braze_rt.o, or braze_rt_cuda.o
 *
 * No compiler, linker or other process takes part. */
#ifndef RT_EXPORT_H
#define RT_EXPORT_H

#include "runtime/aot/cuda_artefact.h"
#include "runtime/exec/device.h"
#include "runtime/exec/image.h"
#include "src/codegen/codegen.h"
#include "src/codegen/gpus.h"
#include "src/passes/pass.h"

/* ---- export.c */

/* The size that a function is told: its graph for each, the giver's until the next call, and the words of the random stream that a call
 * draws. Graphs of two sizes have the same inputs and outputs but for sizes of axes. */
typedef struct ex_size {
    const char *name; /* of the member of struct NAME_args */
    int64_t lo, hi;   /* 1 <= lo <= hi < lo + EX_MOST_SIZES */
    bz_status (*graph)(void *user, int64_t n, const ir_graph **g, uint64_t *words, bz_error *e);
    void *user;
} ex_size;
enum { EX_MOST_SIZES = 1 << 14 };

/* Tasks are cut for about so many threads; any number runs. */
enum { EX_THREADS = 8 };

/* A graph that becomes a C function. */
typedef struct ex_function {
    const ir_graph *g; /* with a size: one of them */
    const ex_size *size; /* NULL: none */
    const char *name;
    const void *const *
        baked; /* per input: its elements, row-major, to be put into the object, where NULL the caller hands it over.
                                 NULL: none */
    int key, base;  /* inputs that say where the random stream begins; -1 = none */
    uint64_t words; /* of the stream that a call draws */
} ex_function;

/* What an export has code for: processors with these instruction sets, or, where gpus are given, GPUs of these compute capabilities, in
 * rising order. */
typedef struct ex_machines {
    const cg_isa *isas;
    unsigned nisas;
    const unsigned *gpus;
    unsigned ngpus;
    bool fast; /* GPUs: products by matrix units, if all of them have some */
} ex_machines;

/* Writes `prefix`.o, `prefix`.h and, in the same directory, braze_rt.o. The object defines for each function
 * NAME, NAME_workspace and NAME_error and has code for the n ISAs given (without
 * repetition); equal elements to bake are there once. All files appear whole or none does; files that are there are replaced. The process
 * may be killed at any time: what it leaves is a file with ".tmp." in its name.
 * Errors: BZ_EARG (a name cannot be a C function's, prefix names no file, no ISA), BZ_EUNSUPPORTED (a
 * dimension is symbolic; what pass_compile says), BZ_EIO names the file and why, BZ_ENOMEM,
 * BZ_ECOMPILE. */
bz_status rt_export_graph(const ir_graph *g, const char *prefix, const char *fn_name,
                          const cg_isa *isas, unsigned n, bz_error *e); /* one, nothing baked */
bz_status rt_export(const ex_function *f, unsigned nf, const char *prefix, const cg_isa *isas,
                    unsigned n, bz_error *e);
/* The same for GPUs, with braze_rt_cuda.o: machine code for each kind, and PTX of the first for all that are not older. No GPU is needed.
 * gpus: NULL = all kinds that NVRTC knows, of fast ones those with matrix units for what docs/fast.md lists. BZ_ECOMPILE where there is no NVRTC, or it does not know one of them. */
bz_status rt_export_cuda(const ex_function *f, unsigned nf, const char *prefix,
                         const unsigned *gpus, unsigned n, bool fast, bz_error *e);

/* ---- export_fields.c: the members of struct NAME_args */

/* An input, or an output that is not written over one. */
typedef struct ex_field {
    const char *name; /* a C and C++ identifier, unique */
    const char *type; /* of an element: "float" */
    ir_ref node;
    int64_t count;  /* elements */
    uint32_t at;    /* byte in the struct */
    uint32_t align; /* that its pointer must have; 0: a scalar, handed over by value */
    bool written;   /* an output */
    bool updated;   /* an input that an output is written over */
    const char *shape; /* in place of the node's: with the size's name in it; NULL: it has none */
    int baked; /* an input that the object holds and the struct has not: 1 + its number in the table; 0: none */
    const char *note; /* more words for the header's comment, or NULL */
} ex_field;

typedef struct ex_fields {
    ex_field *input, *output; /* by number in the graph; a donated output's is unused */
    uint32_t ninputs, noutputs;
    const char *size_name; /* of the first member; NULL: the function is told no size */
    uint32_t workspace; /* where {pointer, size} of the workspace lie */
    bz_arena memory;
} ex_fields;

/* Errors: BZ_EUNSUPPORTED, BZ_EARG (an output donated to a scalar), BZ_ENOMEM. */
bz_status ex_fields_make(ex_fields *f, const ex_function *fn, bz_error *e);
void ex_fields_free(ex_fields *f);

/* ---- export_names.c */

/* Does the header of function fn declare `name` beside it? */
bool ex_header_declares(const char *fn, const char *name, bool cuda);
/* BZ_EARG and why, when no C or C++ program could call an exported function `fn`: no identifier, a keyword, a macro, something that
 * the C library or braze defines. */
bz_status ex_check_function_name(const char *fn, bz_error *e);
/* `s` as the name of a struct's member: everything that is no letter or digit becomes one '_', a reserved word gets one behind it,
 * at most 49 characters. */
void ex_member_name(char out[64], const char *s);

/* ---- export_header.c */
/* The parts of PREFIX.h, in order: its head, once, for `object`; what belongs to one function; its end. The stamp, a hash of the
 * header, is the end of a second name of the function. */
#define EX_STAMP ".of_header_%016llx"
void ex_header_head(bz_text *t, const char *fn_name, const char *object, const ex_machines *m);
void ex_header_function(bz_text *t, const ex_function *fn, const ex_fields *f, bool cuda,
                        uint64_t stamp);
void ex_header_end(bz_text *t, bool cuda);

/* ---- export_image.c: data with pointers in it */

/* One data symbol that grows. Pointers are 0 in the bytes and stand in `relocs`. */
typedef struct ex_image {
    const char *name;
    BZ_VEC(uint8_t) bytes;
    BZ_VEC(cg_reloc) relocs;
    bz_arena names;
    bool failed; /* memory ran out: sticks */
} ex_image;

void ex_image_free(ex_image *m);
/* Appends n bytes at a multiple of 8; where they begin. */
size_t ex_put(ex_image *m, const void *p, size_t n);
size_t ex_put_room(ex_image *m, size_t n); /* n zero bytes, for records that are filled in later */
void ex_set(ex_image *m, size_t at, const void *p, size_t n); /* fills one in */
/* Appends a text of the printf family. */
size_t ex_put_text(ex_image *m, const char *fmt, ...) BZ_PRINTF(2, 3);
/* The pointer at byte `at` leads to `symbol` + addend; NULL: this image. */
void ex_link(ex_image *m, size_t at, const char *symbol, size_t addend);
/* Relocations in the order that cg_export wants. */
void ex_image_sort(ex_image *m);

/* A byte behind a symbol; NULL: in the image at hand. */
typedef struct ex_spot {
    const char *symbol;
    size_t at;
} ex_spot;

/* ---- export_plan.c: a plan as a bz_rt_variant */

typedef struct ex_variant {
    cg_isa isa;
    bool cuda; /* for GPUs; isa is CG_BASE */
    struct ex_finder *finders; /* export_find.c */
    unsigned nfinders;
    pass_plan *plan;
    char suffix[24];
    uint8_t *consts; /* the constants' elements */
    size_t consts_bytes;
    char consts_name[160];
    bool finds; /* its one output stays in the arena: it is a finder's */
    bool borrowed; /* its plan is a library's */
} ex_variant;

/* The plan of g for t, its constants and finders. fields: what its code wants of them is added. name: of the function.
 * BZ_ENOMEM and what pass_compile says. */
bz_status ex_variant_make(ex_variant *v, const ir_graph *g, const pass_target *t, cg_isa isa,
                          const char *name, ex_fields *fields, bz_error *e);

/* The plan alone, and constants. */
bz_status ex_plan(ex_variant *v, const ir_graph *g, const pass_target *t, ex_fields *fields, bz_error *e);
/* What stands behind the names of code for an ISA. */
void ex_suffix(char out[24], cg_isa isa);
/* Makes the bz_rt_variant at `base` in the image, and what it leads to. `prefix` stands before the symbols of its code; baked: where
 * the table of captured tensors lies, behind that symbol, NULL: in the image. */
void ex_put_variant(ex_image *m, const ex_variant *v, const ex_fields *f, const char *prefix,
                    ex_spot baked, size_t base);
/* The nodes of the plan's graph that may meet an index outside, in rising order, each once. false: no memory. */
typedef BZ_VEC(ir_ref) ex_nodes;
bool ex_index_nodes(const pass_plan *p, ex_nodes *out);

/* ---- export_cuda.c: what code for GPUs has more */

static inline bool ex_is_cuda(const pass_target *t) {
    return t->machine == pass_gpu_target.machine;
}
static inline size_t ex_variant_bytes(bool cuda) { /* of the record */
    return cuda ? sizeof(bz_rt_cuda_variant) : sizeof(bz_rt_variant);
}
/* g with the numbers that are handed over by value as scalars, which kernels get as such. NULL: an error. */
ir_graph *ex_cuda_graph(const ir_graph *g, const ex_fields *f, bz_error *e);
/* The bz_rt_cuda_part at `base`, of v's image i; the rest of the bz_rt_cuda_variant at `base`. */
void ex_put_cuda_part(ex_image *m, const ex_variant *v, const rt_image *i, const char *prefix,
                      size_t base);
void ex_put_cuda_args(ex_image *m, const ex_variant *v, const ex_fields *f, size_t base);
/* The module's code for each of these GPUs, by several threads: *n bytes (bz_mem_free). NULL: an error. */
void *ex_cuda_code(const lp_module *m, const ex_machines *for_, size_t *n, bz_error *e);
/* What all GPUs have on which the code may run: the kinds here, and those that are not older than the first. */
pass_target ex_cuda_target(const ex_machines *m);
/* All kinds of GPUs that NVRTC knows of those here. Errors: those of nvrtc_open; one that is asked for is unknown. */
bz_status ex_cuda_kinds(ex_machines *m, unsigned room[static GPU_KINDS], bz_error *e);

/* ---- export_find.c: code that finds out which index was outside, as runtime/exec/badindex.c does */

typedef struct ex_finder {
    ir_ref node; /* of the variant's plan's graph */
    rt_index index;
    ex_variant code; /* of a plan whose one output are the indices */
} ex_finder;

/* The finders of v, compiled for t. name: of the function. BZ_ENOMEM and what pass_compile says. */
bz_status ex_make_finders(ex_variant *v, const pass_target *t, const char *name, ex_fields *fields,
                          bz_error *e);
void ex_variant_free(ex_variant *v);

/* ---- export_library.c: code and constants of many plans, each once */

typedef struct ex_consts {
    uint8_t *bytes;
    size_t n;
    char name[160];
} ex_consts;

/* A kernel is what it does: lp_identity. */
typedef struct ex_code {
    uint64_t hash;
    bz_text key;
    const char *name;
} ex_code;

typedef struct ex_library {
    char suffix[24]; /* of all its code */
    lp_module code;  /* borrowed of `plans` */
    BZ_VEC(ex_code) codes; /* what each kernel of `code` is */
    BZ_VEC(pass_plan *) plans;
    BZ_VEC(ex_consts) consts;
    bz_arena names;
} ex_library;

/* Names v's kernels, constants and finders as those here; what is not here yet is put here. false: no memory. */
bool ex_library_take(ex_library *l, ex_variant *v, const char *function);
void ex_library_free(ex_library *l);

/* ---- export_sizes.c: a program for every size: images that differ in numbers alone are one, with what the numbers are */

/* Sizes whose images have the same structure. */
typedef struct ex_group {
    ex_image first; /* of the first of them, pointers within it to no symbol's but its own */
    BZ_VEC(int64_t) sizes;
    BZ_VEC(uint64_t *) words; /* of each */
} ex_group;

/* One ISA of a function that is told a size. */
typedef struct ex_sized {
    cg_isa isa;
    bool cuda; /* for GPUs */
    const ex_machines *machines; /* ... for these */
    ex_library library;
    BZ_VEC(ex_group) groups;
    BZ_VEC(uint16_t) which; /* of each size */
} ex_sized;

/* Plans f for all its sizes, for n ISAs in rising order. Fields get the alignment that all plans want, and the shapes of all sizes.
 * Errors: BZ_EARG (too many sizes; inputs that differ in more than sizes), those of f->size->graph and of pass_compile, BZ_ENOMEM. */
bz_status ex_size_all(ex_sized *z, unsigned n, const ex_function *f, ex_fields *fields,
                      const char *prefix, bz_error *e);
/* The bz_rt_variant at `base` in the image, and what it leads to. */
void ex_put_sized(ex_image *m, const ex_sized *z, const ex_size *q, size_t baked, size_t base);
void ex_sized_free(ex_sized *z);

#endif
