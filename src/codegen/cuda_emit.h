/* cuda_emit.h - what the files of the emitter of CUDA C share. Private to src/codegen/cuda_*.c.
 *
 *     cuda_emit.c      modules, phases, functions, regions
 *     cuda_mem.c       memory
 *     cuda_matrix.c    copies under way, matrices
 *     cuda_names.c     types, lines, and what stands for a value
 *     cuda_ops.c       base ops and conversions
 *     cuda_prelude.c   helper functions that every text has
 *
 * A lane of a value is a C variable: v12, or v12_0 .. v12_3; numbers, parameters, and what splat, extract, insert and shuffle give stand for
 * themselves, for carries and results the variable of their region. bool is bool, in memory a byte; f16 and bf16 are the bits, u16. */
#ifndef BRAZE_CUDA_EMIT_H
#define BRAZE_CUDA_EMIT_H

#include "src/codegen/cuda.h"

typedef struct cuda_text {
    bz_text *out;
    const lp_module *m;
    const lp_kernel *k;
    const lp_range *range; /* of each value of k */
    bz_error *e;
    bz_status status;
    uint32_t site;    /* node that the last line was for */
    unsigned depth;   /* of the region that is written */
    unsigned task;    /* of a task's */
    unsigned threads; /* of a block that are told apart so far; 0: a task is a thread */
    unsigned block;   /* of them in all */
    int64_t scratch;  /* bytes of SCRATCH arrays so far */
    bool matrix;      /* the kernel is for machines with matrix units: sm_80 and above */
    bool wide;        /* its loops carry much: sums of products */
    bool shares;      /* the phase has SHARED arrays */
    int64_t shared;   /* of SHARED ones, where the launch asks for them; -1: they are arrays */
} cuda_text;

typedef struct cuda_name {
    char text[32];
} cuda_name;

/* ---- cuda_emit.c */
static inline const lp_inst *cuda_inst(const cuda_text *t, lp_val v) {
    return &t->k->inst.p[v];
}
static inline lp_val cuda_arg(const cuda_text *t, const lp_inst *i, unsigned n) {
    return lp_args(t->k, i)[n];
}
/* Is v an i64 that is computed in 32 bits? */
static inline bool cuda_narrow(const cuda_text *t, lp_val v) {
    return cuda_inst(t, v)->dtype == BZ_I64 && lp_fits_32(t->range[v]);
}
/* Is it what a region hands on, and the region's variable stands for it? An i64 may be narrower than that. */
static inline bool cuda_is_handed(const lp_inst *i) {
    return (i->op == LP_CARRY || i->op == LP_RESULT) && i->dtype != BZ_I64;
}
void cuda_refuse(cuda_text *t, lp_val v);

/* ---- cuda_names.c */
extern const char *const cuda_types[BZ_NDTYPES];
extern const char *const cuda_cells[BZ_NDTYPES];     /* in memory */
const char *cuda_type(const cuda_text *t, lp_val v); /* of v's variables */
cuda_name cuda_lane(const cuda_text *t, lp_val v, unsigned lane);
/* The value that lane *lane of v is a lane of, which *lane becomes: vectors that are only put together have no variables. */
lp_val cuda_behind(const cuda_text *t, lp_val v, unsigned *lane);
void cuda_indent(cuda_text *t);
void cuda_line(cuda_text *t, const char *fmt, ...) BZ_PRINTF(2, 3); /* indented, with its end */
/* "T v12_3 = " */
void cuda_begin(cuda_text *t, lp_val v, unsigned lane);
void cuda_end(cuda_text *t); /* ";" */

/* ---- cuda_ops.c: lane of base op v as an expression */
void cuda_base(cuda_text *t, lp_val v, unsigned lane);

/* ---- cuda_mem.c: LOCAL .. ASYNC_WAIT, TABLE */
int64_t cuda_shared_bytes(const lp_inst *local); /* of a SHARED array */
void cuda_memory(cuda_text *t, lp_val v);
void cuda_tables(bz_text *out, const lp_module *m);

/* "p12[v3 + 1]": lane of index behind p; many: the index has lanes itself */
typedef struct cuda_place {
    char text[96];
} cuda_place;
cuda_place cuda_element(const cuda_text *t, lp_val p, lp_val index, unsigned lane, bool many);

/* ---- cuda_matrix.c: ASYNC_COPY, ASYNC_GROUP, ASYNC_WAIT, LDMATRIX, MMA */
void cuda_matrix(cuda_text *t, lp_val v);
/* Does the kernel have an mma? */
bool cuda_has_matrix(const lp_kernel *k);
/* Functions that kernels with one use. */
extern const char cuda_matrix_prelude[];

/* ---- cuda_prelude.c */
extern const char cuda_prelude[];

#endif
