/* linalg.h - linear algebra by LAPACK: ops of functions in linalg.c, which call LAPACK's routines by libffi.
 *
 *     solve x, y --compose_linalg.c--> external {op=linalg.solve.f32} on [batch, n, n], [batch, n, k] --linalg.c--> sgesv_
 *
 * LAPACK is found at run time, as is libffi: $BRAZE_LAPACK, else liblapack.so.3 and its kin. */
#ifndef BRAZE_IR_LINALG_H
#define BRAZE_IR_LINALG_H

#include "src/ir/external.h"

/* ---- lapack.c: the routines, by table */
#define LAPACK_ROUTINES(X) /* name, pointers, of them words, whose lengths follow */               \
    X(gesv, 8, 0)                                                                                  \
    X(getrf, 6, 0)                                                                                 \
    X(potrf, 5, 1)                                                                                 \
    X(trsm, 11, 4)                                                                                 \
    X(syevd, 11, 2)                                                                                \
    X(gesdd, 14, 1)                                                                                \
    X(gelqf, 8, 0)                                                                                 \
    X(orglq, 9, 0)                                                                                 \
    X(gemm, 13, 2)
typedef enum lapack_routine {
#define X(name, n, words) LAPACK_##name,
    LAPACK_ROUTINES(X)
#undef X
        LAPACK_COUNT
} lapack_routine;
/* Calls the routine for f32 or f64 (`wide`) on its arguments. A status with words (ir_external_said) where there is no LAPACK or libffi. */
int lapack_call(lapack_routine r, bool wide, void *const *arg);

/* ---- linalg.c: the ops, "linalg.solve.f32" ... */
typedef struct linalg_op {
    const char *name, *signature; /* T in it: f32 or f64 */
    ir_external_fn *fn[2];
    ir_external_grad *grad;
} linalg_op;
extern const linalg_op linalg_ops[];
extern const unsigned linalg_count;
/* The op of that name, added to the module if it is the library's; -1: there is none. */
int64_t linalg_find(ir_module *m, const char *name);

/* ---- compose_linalg.c: their gradients */
ir_external_grad linalg_grad_solve, linalg_grad_cholesky, linalg_grad_lower, linalg_grad_upper,
    linalg_grad_slogdet, linalg_grad_eigh, linalg_grad_svd, linalg_grad_qr, linalg_grad_exp;

#endif
