/* codegen.h - kernel loops to machine code.
 *
 *     lp_module --cg_compile--> ELF object in memory --objload--> functions     for the JIT
 *     lp_module per ISA, data --cg_export--> one ELF object for a linker        for bz_export
 *
 * The work is done by the plug-in libbraze-llvm.so (src/codegen/llvm_*.c), opened at the first
 * call. Everything here may be called from several threads at once; each call compiles in an LLVM
 * context of its own.
 *
 * What compiled code relies on: a buffer that a kernel writes (OUT, INOUT, WORK) overlaps no other
 * buffer of the same launch; the thread runs with the default floating-point environment; external
 * symbols are those of cg_externals alone. */
#ifndef BRAZE_CODEGEN_H
#define BRAZE_CODEGEN_H

#include "src/ir/loops/loop.h"

/* X(ENUM, name, bytes of the widest vector) ; each includes the ones before it:
 * SSE2; then AVX2, FMA, F16C, BMI; then AVX-512 F, BW, CD, DQ, VL. */
#define CG_ISAS(X)                                                                                 \
    X(CG_BASE, "x86-64", 16)                                                                       \
    X(CG_V3, "x86-64-v3", 32)                                                                      \
    X(CG_V4, "x86-64-v4", 64)

typedef enum cg_isa {
#define CG_ISA_ENUM(e, name, bytes) e,
    CG_ISAS(CG_ISA_ENUM)
#undef CG_ISA_ENUM
        CG_NISAS
} cg_isa;

typedef struct cg_target {
    cg_isa isa;
    const char *prefix, *suffix; /* of symbols: PREFIX<kernel>.<phase>SUFFIX; NULL = none */
} cg_target;

typedef struct cg_object {
    uint8_t *bytes; /* ELF64 relocatable, x86-64, position independent, code model small */
    size_t n;
} cg_object; /* zero-initialised = empty */

/* ---- plugin.c */

/* Opens the plug-in if that has not been done: $BRAZE_LLVM alone when it is set, else
 * libbraze-llvm.so beside the library or executable that holds this code, beside the running
 * program, and where the dynamic linker looks. BZ_ECOMPILE with the places tried when none is
 * usable; a later call tries again. Worth calling on a helper thread while other work goes on. */
bz_status cg_open(bz_error *e);
/* "llvm 19.1.7, emitter 1". NULL before the plug-in is open. */
const char *cg_version(void);
/* "llvm 19.1.7, build 0123456789abcdef", the plug-in open or not: part of the key of code that is kept. What another build compiled has
 * another; so has what this one would. */
extern const char cg_build[];
/* The plug-in that is open is of this very build: its code is what cg_build says. */
bool cg_is_of_this_build(void);
const char *cg_isa_name(cg_isa isa);
unsigned cg_vector_bytes(cg_isa isa);

/* All phases of all kernels of `m` (functions become local symbols) as one object.
 * Errors: BZ_EUNSUPPORTED names the kernel and instruction that has no CPU form (GRID, BLOCK, WARP
 * and LANE loops, MMA, SHARED memory, warp shuffles); what lp_verify says; BZ_ECOMPILE, BZ_ENOMEM.
 * `out` is empty then. */
bz_status cg_compile(const lp_module *m, const cg_target *t, cg_object *out, bz_error *e);
void cg_object_free(cg_object *o);

/* LLVM IR and assembly of the same, appended to texts; either may be NULL. */
bz_status cg_text(const lp_module *m, const cg_target *t, bz_text *llvm, bz_text *assembly,
                  bz_error *e);

/* Functions of libm that compiled code may call (BASE has no fma instruction): NULL-terminated
 * names. */
extern const char *const cg_externals[];

/* ---- export: code for several ISAs, data and entry points in one object */

/* The 8 bytes at `offset` of a data symbol hold the address of `symbol` (of this unit, or external)
 * + addend. */
typedef struct cg_reloc {
    size_t offset; /* ascending within a symbol, 8 bytes apart or more */
    const char *symbol;
    int64_t addend;
} cg_reloc;

enum cg_data_flags {
    CG_GLOBAL = 1 << 0,   /* else hidden: seen inside the link, not from outside its result */
    CG_WRITABLE = 1 << 1, /* else read-only (after relocation) */
    CG_ZERO = 1 << 2,     /* `bytes` is ignored: `size` zero bytes that take no room in the file */
};

typedef struct cg_data {
    const char *name;
    const void *bytes;
    size_t size;
    unsigned align; /* power of two; 0 = 8 */
    unsigned flags;
    const cg_reloc *relocs;
    size_t nrelocs;
} cg_data;

/* A function  R name(a1 ... an)  that tail-calls  R callee(&data, a1 ... an); arguments and R are
 * pointers or integers. */
typedef struct cg_entry {
    const char *name;
    const char *callee; /* external */
    const char *data;   /* symbol of this unit */
    unsigned nargs;     /* at most 5 */
    unsigned flags;     /* CG_GLOBAL or hidden */
} cg_entry;

typedef struct cg_variant {
    /* suffixes must differ between the variants of a unit; phases are hidden symbols */
    cg_target target;
    const lp_module *m;
} cg_variant;

typedef struct cg_export_unit {
    const char *name; /* source name ; noted in the object, not NULL */
    const cg_variant *variants;
    size_t nvariants;
    const cg_data *data;
    size_t ndata;
    const cg_entry *entries;
    size_t nentries;
} cg_export_unit;

/* Errors: as cg_compile; BZ_EARG for a symbol given twice or a relocation outside its data. */
bz_status cg_export(const cg_export_unit *u, cg_object *out, bz_error *e);

#endif
