/* linalg.c - linear algebra on batches of row-major matrices, by LAPACK's column-major routines.
 *
 * A row-major matrix is LAPACK's transpose of it. Where an identity lets the routine work on that, nothing is turned: the comment of each
 * function says how. A failure names the matrix of the batch. */
#include "src/ir/linalg.h"

#include <math.h>
#include <string.h>

static char upper[] = "U", lower[] = "L", plain[] = "N", right[] = "R", vectors[] = "V", thin[] = "S";

static int failed(int64_t matrix, const char *what) {
    char text[120];
    bz_snprintf(text, sizeof text, "%s (number %lld of the batch)", what, (long long)matrix);
    return ir_external_said(BZ_EARG, text);
}

/* LAPACK counts in 32 bits. */
static int too_large(int64_t n, int64_t m) {
    return n < 1 << 30 && m < 1 << 30 ? 0 : ir_external_said(BZ_EUNSUPPORTED, "LAPACK has 32-bit sizes");
}

#define T       float
#define WIDE    false
#define NAME(f) f##_f32
#include "src/ir/linalg_made.h"
#undef T
#undef WIDE
#undef NAME
#define T       double
#define WIDE    true
#define NAME(f) f##_f64
#include "src/ir/linalg_made.h"

#define BOTH(f) {(ir_external_fn *)f##_f32, (ir_external_fn *)f##_f64}
const linalg_op linalg_ops[] = {
    {"solve", "T[b,n,n], T[b,n,k] -> T[b,n,k]", BOTH(solve), linalg_grad_solve},
    {"slogdet", "T[b,n,n] -> T[b], T[b], T[b]", BOTH(slogdet), linalg_grad_slogdet},
    {"cholesky", "T[b,n,n] -> T[b,n,n]", BOTH(cholesky), linalg_grad_cholesky},
    {"lower", "T[b,n,n], T[b,n,k] -> T[b,n,k]", BOTH(lower_solve), linalg_grad_lower},
    {"upper", "T[b,n,n], T[b,n,k] -> T[b,n,k]", BOTH(upper_solve), linalg_grad_upper},
    {"eigh", "T[b,n,n] -> T[b,n], T[b,n,n]", BOTH(eigh), linalg_grad_eigh},
    {"svd", "T[b,m,n] -> T[b,m,min(m,n)], T[b,min(m,n)], T[b,min(m,n),n]", BOTH(svd), linalg_grad_svd},
    {"qr", "T[b,m,n] -> T[b,m,min(m,n)], T[b,min(m,n),n]", BOTH(qr), linalg_grad_qr},
    {"exp", "T[b,n,n] -> T[b,n,n]", BOTH(exp), linalg_grad_exp},
};
const unsigned linalg_count = BZ_LEN(linalg_ops);

/* The signature with its T as a dtype. */
static void typed(bz_text *t, const char *signature, const char *dtype) {
    for (; *signature; signature++)
        if (*signature == 'T')
            bz_text_str(t, dtype);
        else
            bz_text_add(t, signature, 1);
}

int64_t linalg_find(ir_module *m, const char *name) {
    static const char *const dtypes[] = {"f32", "f64"};
    bz_error e = {0};
    for (unsigned i = 0; i < 2 * linalg_count; i++) {
        const linalg_op *o = &linalg_ops[i / 2];
        char own[40];
        bz_snprintf(own, sizeof own, "linalg.%s.%s", o->name, dtypes[i % 2]);
        if (strcmp(own, name) != 0) continue;
        bz_text t = {0};
        typed(&t, o->signature, dtypes[i % 2]);
        const int64_t k = ir_external_add(m,
                                          &(ir_external){.name = own,
                                                         .signature = bz_text_c(&t),
                                                         .fn = o->fn[i % 2],
                                                         .grad = o->grad},
                                          &e);
        bz_text_free(&t);
        return k;
    }
    return -1;
}
