/* export.h - a graph as PREFIX.o and PREFIX.h for a C or C++ program (docs/export.md).
 *
 *     ir_graph --pass_compile, per ISA--> plans --export_image.c--> constant data  --cg_export--> .o
 *         \----export_fields.c--> struct NAME_args --export_header.c--> .h
 *                                        the bytes of runtime/aot  -------------------> braze_rt.o
 *
 * No compiler, linker or other process takes part. */
#ifndef RT_EXPORT_H
#define RT_EXPORT_H

#include "runtime/aot/artefact.h"
#include "runtime/exec/device.h"
#include "src/codegen/codegen.h"
#include "src/passes/pass.h"

/* ---- export.c */

/* A graph that becomes a C function. */
typedef struct ex_function {
    const ir_graph *g;
    const char *name;
    const void *const *
        baked; /* per input: its elements, row-major, to be put into the object, where NULL the caller hands it over.
                                 NULL: none */
    int key, base;  /* inputs that say where the random stream begins; -1 = none */
    uint64_t words; /* of the stream that a call draws */
} ex_function;

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
    int baked; /* an input that the object holds and the struct has not: 1 + its number in the table; 0: none */
    const char *note; /* more words for the header's comment, or NULL */
} ex_field;

typedef struct ex_fields {
    ex_field *input, *output; /* by number in the graph; a donated output's is unused */
    uint32_t ninputs, noutputs;
    uint32_t workspace; /* where {pointer, size} of the workspace lie */
    bz_arena memory;
} ex_fields;

/* Errors: BZ_EUNSUPPORTED, BZ_EARG (an output donated to a scalar), BZ_ENOMEM. */
bz_status ex_fields_make(ex_fields *f, const ex_function *fn, bz_error *e);
void ex_fields_free(ex_fields *f);

/* ---- export_names.c */

/* Does the header of function fn declare `name` beside it? */
bool ex_header_declares(const char *fn, const char *name);
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
void ex_header_head(bz_text *t, const char *fn_name, const char *object, const cg_isa *isas,
                    unsigned n);
void ex_header_function(bz_text *t, const ir_graph *g, const ex_fields *f, const char *fn_name,
                        uint64_t stamp);
void ex_header_end(bz_text *t);

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

/* ---- export_plan.c: a plan as a bz_rt_variant */

typedef struct ex_variant {
    cg_isa isa;
    struct ex_finder *finders; /* export_find.c */
    unsigned nfinders;
    pass_plan *plan;
    char suffix[24];
    uint8_t *consts; /* the constants' elements */
    size_t consts_bytes;
    char consts_name[160];
    bool finds; /* its one output stays in the arena: it is a finder's */
} ex_variant;

/* Marks the fields whose pointers the plan's code wants aligned. false: no memory. */
bool ex_find_alignment(const ex_variant *v, ex_fields *f);
/* Fills the constants. false: no memory. */
bool ex_make_consts(ex_variant *v);
/* Makes the bz_rt_variant at `base` in the image, and what it leads to. `prefix` stands before the symbols of its code; baked: where
 * the table of captured tensors lies. */
void ex_put_variant(ex_image *m, const ex_variant *v, const ex_fields *f, const char *prefix,
                    size_t baked, size_t base);
/* The nodes of the plan's graph that may meet an index outside, in rising order, each once. false: no memory. */
typedef BZ_VEC(ir_ref) ex_nodes;
bool ex_index_nodes(const pass_plan *p, ex_nodes *out);

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

#endif
