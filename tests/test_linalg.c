/* test_linalg.c - linear algebra by LAPACK beside what tests/golden/torch/linalg.txt has of it: decompositions whose vectors have a sign of
 * their own, by what they are made of; gradients by differences; in every mode; what a matrix that does not do is told. */
#include "tests/support/rt_support.h"

#include <math.h>
#include <string.h>

/* The largest element of |x|. */
static double most(bz_tensor *x) {
    return bz_item(bz_amax(bz_reshape(bz_abs(x), BZ_SHAPE(-1)), BZ_AXES(0), false));
}

#define NEAR(x, y, tolerance)                                                                      \
    do {                                                                                           \
        const double apart_ = most(bz_sub(x, y));                                                  \
        cr_expect(apart_ <= (tolerance), "%d: %g apart: %s", __LINE__, apart_,                     \
                  bz_message(bz_context_of(x)));                                                   \
    } while (0)

static bz_tensor *symmetric(bz_context *c, bz_dtype t) {
    bz_tensor *x = bz_randn(c, BZ_SHAPE(2, 5, 5), t);
    return bz_add(x, bz_mT(x));
}

static void decompositions(bz_context *c) {
    for (int wide = 0; wide < 2; wide++) {
        const bz_dtype t = wide ? BZ_F64 : BZ_F32;
        const double tolerance = wide ? 1e-12 : 3e-5;
        bz_tensor *a = symmetric(c, t), *v, *w = bz_eigh(a, &v);
        NEAR(bz_matmul(bz_mul(v, bz_unsqueeze(w, -2)), bz_mT(v)), a, tolerance);
        NEAR(bz_matmul(bz_mT(v), v), bz_eye(c, 5, 5, t), tolerance);
        cr_expect_geq(bz_item(bz_amin(bz_reshape(bz_sub(bz_narrow(w, 1, 1, 4), bz_narrow(w, 1, 0, 4)), BZ_SHAPE(-1)), BZ_AXES(0), false)), 0);
        static const int64_t sizes[][2] = {{4, 3}, {3, 4}, {5, 5}, {1, 6}};
        for (int i = 0; i < 4; i++) {
            bz_tensor *x = bz_randn(c, BZ_SHAPE(3, sizes[i][0], sizes[i][1]), t), *s, *vh, *r;
            bz_tensor *u = bz_svd(x, &s, &vh), *q = bz_qr(x, &r);
            NEAR(bz_matmul(bz_mul(u, bz_unsqueeze(s, -2)), vh), x, tolerance);
            NEAR(bz_matmul(q, r), x, tolerance);
            const int64_t k = sizes[i][0] < sizes[i][1] ? sizes[i][0] : sizes[i][1];
            NEAR(bz_matmul(bz_mT(u), u), bz_eye(c, k, k, t), tolerance);
            NEAR(bz_matmul(vh, bz_mT(vh)), bz_eye(c, k, k, t), tolerance);
            NEAR(bz_matmul(bz_mT(q), q), bz_eye(c, k, k, t), tolerance);
            NEAR(bz_triu(r, 0), r, 0.0);
        }
    }
}
Test(linalg, decompositions) {
    on_all(decompositions);
}

/* ---- gradients */

typedef bz_tensor *loss_of(bz_context *c, bz_tensor *x);

/* Every element with a weight of its own. */
static bz_tensor *weighed(bz_context *c, bz_tensor *y) {
    const int64_t *shape = bz_shape(y);
    bz_tensor *n = bz_arange(c, 0, (double)bz_numel(y), 1, BZ_F64);
    n = bz_sin(bz_reshape(n, BZ_SHAPE(1, shape[1], shape[2])));
    return bz_sum(bz_mul(y, n), BZ_ALL);
}

/* f of a symmetric matrix by its eigenvalues: no sign of a vector is in it. */
static bz_tensor *by_eigh(bz_context *c, bz_tensor *x) {
    bz_tensor *v, *w = bz_eigh(bz_add(x, bz_mT(x)), &v);
    bz_tensor *y = bz_matmul(bz_mul(v, bz_unsqueeze(bz_sin(w), -2)), bz_mT(v));
    return weighed(c, y);
}

/* The same by singular values. */
static bz_tensor *by_svd(bz_context *c, bz_tensor *x) {
    bz_tensor *s, *vh, *u = bz_svd(x, &s, &vh);
    bz_tensor *y = bz_matmul(bz_mul(u, bz_unsqueeze(bz_sin(s), -2)), vh);
    return weighed(c, y);
}

static bz_tensor *by_qr(bz_context *c, bz_tensor *x) {
    bz_tensor *r, *q = bz_qr(x, &r);
    (void)c;
    return bz_add(bz_sum(bz_sin(q), BZ_ALL), bz_sum(bz_cos(r), BZ_ALL));
}

static bz_tensor *by_solves(bz_context *c, bz_tensor *x) {
    bz_tensor *a = bz_add(bz_matmul(bz_mT(x), x), bz_eye(c, bz_shape(x)[2], bz_shape(x)[2], BZ_F64)), *log_abs;
    bz_tensor *l = bz_cholesky(a, false), *y = bz_solve_triangular(l, bz_mT(x), false);
    bz_slogdet(a, &log_abs);
    bz_tensor *z = bz_add(bz_sum(bz_sin(bz_solve(a, y)), BZ_ALL), bz_sum(log_abs, BZ_ALL));
    return bz_add(z, bz_sum(bz_mul(bz_inv(a), bz_unsqueeze(bz_unsqueeze(bz_det(a), -1), -1)), BZ_ALL));
}

/* d/dx along a random direction against the difference of two values, of the loss and of that of its gradient. */
static void check_gradient(bz_context *c, loss_of *f, int64_t m, int64_t n, int orders, int line) {
    bz_tensor *x = bz_randn(c, BZ_SHAPE(1, m, n), BZ_F64), *dir = bz_randn(c, BZ_SHAPE(1, m, n), BZ_F64);
    const double h = 1e-5;
    bz_eval((bz_tensor *[]){x, dir}, 2);
    for (int order = 1; order <= orders; order++) {
        double value[2] = {0, 0}, slope = 0;
        for (int k = 0; k < 3; k++) {
            bz_tensor *at = k == 2 ? bz_mul(x, bz_scalar(c, 1)) : bz_add(x, bz_mul(dir, bz_scalar(c, k ? -h : h)));
            bz_tensor *loss = f(c, at), *g;
            if (order == 2) {
                cr_assert_eq(bz_grad(loss, &at, 1, &g), BZ_OK, "%d: %s", line, bz_message(c));
                loss = bz_sum(bz_sin(g), BZ_ALL);
            }
            if (k < 2) {
                value[k] = bz_item(loss);
                continue;
            }
            cr_assert_eq(bz_grad(loss, &at, 1, &g), BZ_OK, "%d: %s", line, bz_message(c));
            slope = bz_item(bz_sum(bz_mul(g, dir), BZ_ALL));
        }
        const double want = (value[0] - value[1]) / (2 * h);
        cr_expect(fabs(slope - want) <= 1e-6 * (1 + fabs(want)), "line %d, order %d: %.9g, not %.9g", line, order, slope, want);
    }
}

Test(linalg, gradients_along_a_direction) {
    for (int d = BZ_CPU; d <= BZ_REF; d++) {
        bz_context *c;
        cr_assert_eq(bz_open(&(bz_options){.device = (bz_device)d, .seed = 3}, &c), BZ_OK);
        check_gradient(c, by_eigh, 4, 4, 2, __LINE__);
        check_gradient(c, by_svd, 4, 4, 2, __LINE__);
        check_gradient(c, by_svd, 5, 3, 2, __LINE__);
        check_gradient(c, by_svd, 2, 4, 2, __LINE__);
        check_gradient(c, by_qr, 4, 3, 2, __LINE__);
        check_gradient(c, by_solves, 5, 3, 2, __LINE__);
        cr_expect_eq(bz_context_status(c), BZ_OK, "%s", bz_message(c));
        bz_close(c);
    }
}

/* ---- what does not do */

static void mistakes(bz_context *c) {
    bz_tensor *x = bz_zeros(c, BZ_SHAPE(3, 2, 2), BZ_F64), *y = bz_inv(x);
    cr_expect_neq(bz_eval(&y, 1), BZ_OK);
    cr_expect(strstr(bz_message(c), "matrix is singular (number 0 of the batch)"), "%s", bz_message(c));
    cr_expect(strstr(bz_message(c), __FILE__), "%s", bz_message(c));
    bz_clear(c);
    bz_tensor *ok = bz_eye(c, 2, 2, BZ_F64), *bad = bz_neg(ok);
    y = bz_cholesky(bz_stack((bz_tensor *[]){ok, bad}, 2, 0), false);
    cr_expect_neq(bz_eval(&y, 1), BZ_OK);
    cr_expect_eq(bz_context_status(c), BZ_EARG);
    cr_expect(strstr(bz_message(c), "matrix is not positive definite (number 1 of the batch)"), "%s", bz_message(c));
    bz_clear(c);
    y = bz_det(bz_ones(c, BZ_SHAPE(2, 3), BZ_F32));
    cr_expect_eq(bz_context_status(c), BZ_ESHAPE);
    cr_expect(strstr(bz_message(c), "[det] f32[2,3] holds no square matrices at " __FILE__), "%s", bz_message(c));
    bz_clear(c);
    y = bz_inv(bz_ones(c, BZ_SHAPE(2, 2), BZ_F16));
    cr_expect_eq(bz_context_status(c), BZ_EDTYPE);
    bz_clear(c);
    /* none, and empty ones */
    y = bz_det(bz_ones(c, BZ_SHAPE(2, 0, 0), BZ_F32));
    cr_expect_eq(bz_item(bz_sum(y, BZ_ALL)), 2);
    y = bz_inv(bz_ones(c, BZ_SHAPE(0, 3, 3), BZ_F32));
    cr_expect_eq(bz_eval(&y, 1), BZ_OK, "%s", bz_message(c));
}
Test(linalg, matrices_that_do_not_do) {
    on_all(mistakes);
}
