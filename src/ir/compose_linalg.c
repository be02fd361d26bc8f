/* compose_linalg.c - linear algebra: batches of matrices as the ops of linalg.c take them, and the gradients of these (PyTorch's
 * formulas), which are compositions, so that they have gradients again. */
#include "src/ir/compose.h"
#include "src/ir/linalg.h"

#include <string.h>

/* ---- calls */

static const ir_dim *dims_of(const ir_graph *g, ir_ref x) {
    return ir_dims(g, ir_at(g, x));
}

/* [..., n, m] as [b, n, m]; 0 and an error that names `name`: these are no matrices of f32 or f64. */
static ir_ref flat(ir_graph *g, const char *name, ir_ref x, bool square) {
    if (!x) return 0;
    const unsigned rank = ir_at(g, x)->rank;
    const bz_dtype t = ir_dtype(g, x);
    int64_t shape[IR_MAX_RANK], b = 1;
    if (t != BZ_F32 && t != BZ_F64)
        return ir_error_as(g, BZ_EDTYPE, name, "takes f32 or f64, not %s", ir_shape_text(g, x));
    if (rank < 2)
        return ir_error_as(g, BZ_ESHAPE, name, "%s holds no matrices", ir_shape_text(g, x));
    if (!ir_static_shape(g, x, shape))
        return ir_error_as(g, BZ_EUNSUPPORTED, name, "the sizes of %s must be known", ir_shape_text(g, x));
    if (square && shape[rank - 1] != shape[rank - 2])
        return ir_error_as(g, BZ_ESHAPE, name, "%s holds no square matrices", ir_shape_text(g, x));
    for (unsigned a = 0; a + 2 < rank; a++) b *= shape[a];
    return ir_reshape(g, x, (int64_t[]){b, shape[rank - 2], shape[rank - 1]}, 3);
}

/* Result k of op `what` on these operands, [b, ...]. */
static ir_ref called(ir_graph *g, const char *what, const ir_ref *x, unsigned n) {
    char name[40];
    if (!x[0] || (n > 1 && !x[1])) return 0;
    bz_snprintf(name, sizeof name, "linalg.%s.%s", what, ir_dtypes[ir_dtype(g, x[0])].name);
    int64_t k = ir_external_find(g->m, name);
    return k < 0 ? ir_error_as(g, BZ_ENOMEM, what, "out of memory") : ir_external_call(g, k, x, n);
}

/* r, [b, ...], with the batch axes of x; `own`: axes of r behind the batch. */
static ir_ref unflat(ir_graph *g, ir_ref r, ir_ref x, unsigned own) {
    ir_dim dims[IR_MAX_RANK];
    if (!r) return 0;
    const unsigned batch = ir_at(g, x)->rank - 2;
    memcpy(dims, dims_of(g, x), batch * sizeof *dims);
    memcpy(dims + batch, dims_of(g, r) + 1, own * sizeof *dims);
    return ir_reshape_dims(g, r, dims, batch + own);
}

/* ---- builders */

ir_ref ir_cholesky(ir_graph *g, ir_ref x, bool upper) {
    ir_ref a = flat(g, "cholesky", x, true);
    ir_ref l = unflat(g, ir_result(g, called(g, "cholesky", &a, 1), 0), x, 2);
    return upper && l ? ir_mT(g, l) : l;
}

/* y as [batch of x, n, k]; *vector: it was one vector a matrix. */
static ir_ref sides(ir_graph *g, const char *name, ir_ref x, ir_ref y, bool *vector) {
    if (!x || !y) return 0;
    const unsigned rank = ir_at(g, x)->rank;
    *vector = ir_at(g, y)->rank + 1u == rank &&
              !memcmp(dims_of(g, y), dims_of(g, x), (rank - 1) * sizeof(ir_dim));
    if (*vector) y = ir_unsqueeze(g, y, -1);
    if (!y) return 0;
    ir_dim dims[IR_MAX_RANK];
    const unsigned ry = ir_at(g, y)->rank;
    if (ir_dtype(g, x) != ir_dtype(g, y))
        return ir_error_as(g, BZ_EDTYPE, name, "%s and %s have two dtypes", ir_shape_text(g, x), ir_shape_text(g, y));
    if (ry < 2 || ry > rank || dims_of(g, y)[ry - 2] != dims_of(g, x)[rank - 1])
        return ir_error_as(g, BZ_ESHAPE, name, "%s is no right side of %s", ir_shape_text(g, y), ir_shape_text(g, x));
    memcpy(dims, dims_of(g, x), rank * sizeof *dims);
    dims[rank - 1] = dims_of(g, y)[ry - 1];
    return ir_expand_dims_like(g, y, dims, rank);
}

static ir_ref solved(ir_graph *g, const char *name, const char *op, ir_ref x, ir_ref y) {
    bool vector = false;
    ir_ref a = flat(g, name, x, true), b = a ? sides(g, name, x, y, &vector) : 0;
    b = flat(g, name, b, false);
    ir_ref r = unflat(g, ir_result(g, called(g, op, (ir_ref[]){a, b}, 2), 0), x, 2);
    return vector && r ? ir_squeeze(g, r, -1) : r;
}

ir_ref ir_solve(ir_graph *g, ir_ref x, ir_ref y) {
    return solved(g, "solve", "solve", x, y);
}

ir_ref ir_solve_triangular(ir_graph *g, ir_ref x, ir_ref y, bool upper) {
    return solved(g, "solve_triangular", upper ? "upper" : "lower", x, y);
}

/* Identities of x's batch. */
static ir_ref identities(ir_graph *g, ir_ref x) {
    int64_t n;
    const unsigned rank = ir_at(g, x)->rank;
    if (!ir_dim_value(g, dims_of(g, x)[rank - 1], &n)) return 0;
    return ir_expand_dims_like(g, ir_eye(g, n, n, ir_dtype(g, x)), dims_of(g, x), rank);
}

ir_ref ir_inv(ir_graph *g, ir_ref x) {
    return flat(g, "inv", x, true) ? solved(g, "inv", "solve", x, identities(g, x)) : 0;
}

ir_ref ir_det(ir_graph *g, ir_ref x) {
    ir_ref a = flat(g, "det", x, true);
    return unflat(g, ir_result(g, called(g, "slogdet", &a, 1), 0), x, 0);
}

ir_ref ir_slogdet(ir_graph *g, ir_ref x, ir_ref *log_abs) {
    ir_ref a = flat(g, "slogdet", x, true), t = called(g, "slogdet", &a, 1);
    if (log_abs) *log_abs = unflat(g, ir_result(g, t, 2), x, 0);
    return unflat(g, ir_result(g, t, 1), x, 0);
}

ir_ref ir_eigh(ir_graph *g, ir_ref x, ir_ref *vectors) {
    ir_ref a = flat(g, "eigh", x, true), t = called(g, "eigh", &a, 1);
    if (vectors) *vectors = unflat(g, ir_result(g, t, 1), x, 2);
    return unflat(g, ir_result(g, t, 0), x, 1);
}

ir_ref ir_svd(ir_graph *g, ir_ref x, ir_ref *s, ir_ref *vh) {
    ir_ref a = flat(g, "svd", x, false), t = called(g, "svd", &a, 1);
    if (s) *s = unflat(g, ir_result(g, t, 1), x, 1);
    if (vh) *vh = unflat(g, ir_result(g, t, 2), x, 2);
    return unflat(g, ir_result(g, t, 0), x, 2);
}

ir_ref ir_qr(ir_graph *g, ir_ref x, ir_ref *r) {
    ir_ref a = flat(g, "qr", x, false), t = called(g, "qr", &a, 1);
    if (r) *r = unflat(g, ir_result(g, t, 1), x, 2);
    return unflat(g, ir_result(g, t, 0), x, 2);
}

ir_ref ir_matrix_exp(ir_graph *g, ir_ref x) {
    ir_ref a = flat(g, "matrix_exp", x, true);
    return unflat(g, ir_result(g, called(g, "exp", &a, 1), 0), x, 2);
}

/* ---- gradients: everything is [b, ...] here */

static ir_ref mul(ir_graph *g, ir_ref x, ir_ref y) {
    return x && y ? ir_matmul(g, x, y) : 0;
}

static ir_ref turned(ir_graph *g, ir_ref x) {
    return x ? ir_mT(g, x) : 0;
}

static ir_ref scaled(ir_graph *g, ir_ref x, double v) {
    return x ? ir_times(g, x, ir_num(g, x, v)) : 0;
}

/* X = A^-1 Y:  dY = A^-T dX,  dA = -dY X^T */
static ir_ref solve_share(ir_graph *g, ir_ref r, unsigned k, const ir_ref *d, const char *op) {
    ir_ref at = turned(g, ir_operand(g, r, 0));
    ir_ref dy = ir_result(g, called(g, op, (ir_ref[]){at, d[0]}, 2), 0);
    return k ? dy : scaled(g, mul(g, dy, turned(g, ir_result(g, r, 0))), -1);
}

ir_ref linalg_grad_solve(ir_graph *g, ir_ref r, unsigned k, const ir_ref *d) {
    return solve_share(g, r, k, d, "solve");
}

ir_ref linalg_grad_lower(ir_graph *g, ir_ref r, unsigned k, const ir_ref *d) {
    ir_ref s = solve_share(g, r, k, d, "upper");
    return k || !s ? s : ir_tril(g, s, 0);
}

ir_ref linalg_grad_upper(ir_graph *g, ir_ref r, unsigned k, const ir_ref *d) {
    ir_ref s = solve_share(g, r, k, d, "lower");
    return k || !s ? s : ir_triu(g, s, 0);
}

/* d det = det A^-T g,  d log|det| = A^-T g */
ir_ref linalg_grad_slogdet(ir_graph *g, ir_ref r, unsigned k, const ir_ref *d) {
    ir_ref a = ir_operand(g, r, 0), by = 0;
    (void)k;
    if (d[0]) by = ir_times(g, d[0], ir_result(g, r, 0));
    if (d[2]) by = by ? ir_plus(g, by, d[2]) : d[2];
    if (!by) return ir_const_like(g, a, 0); /* of the sign */
    by = ir_unsqueeze(g, ir_unsqueeze(g, by, -1), -1);
    ir_ref sides_of[2] = {turned(g, a), 0};
    sides_of[1] = identities(g, a);
    ir_ref inverse = ir_result(g, called(g, "solve", sides_of, 2), 0);
    return inverse ? ir_times(g, inverse, by) : 0;
}

/* L^-T phi(L^T dL) L^-1, its symmetric part; phi: the lower triangle with half the diagonal */
ir_ref linalg_grad_cholesky(ir_graph *g, ir_ref r, unsigned k, const ir_ref *d) {
    ir_ref l = ir_result(g, r, 0), p = mul(g, turned(g, l), d[0]);
    (void)k;
    if (!p) return 0;
    ir_ref whole = ir_tril(g, p, 0), below = ir_tril(g, p, -1);
    p = scaled(g, ir_plus(g, whole, below), 0.5);
    ir_ref lt = turned(g, l), x = ir_result(g, called(g, "upper", (ir_ref[]){lt, p}, 2), 0);
    ir_ref xt = turned(g, x), y = ir_result(g, called(g, "upper", (ir_ref[]){lt, xt}, 2), 0);
    if (!y) return 0;
    ir_ref back = turned(g, y);
    return scaled(g, ir_plus(g, back, y), 0.5);
}

/* E[i,j] = x[j] - x[i], 1 on the diagonal */
static ir_ref gaps(ir_graph *g, ir_ref x, ir_ref like) {
    ir_ref columns = ir_unsqueeze(g, x, -2), rows = ir_unsqueeze(g, x, -1);
    ir_ref e = ir_minus(g, columns, rows);
    return ir_plus(g, e, identities(g, like));
}

/* V ((V^T dV) / E + diag(dw)) V^T */
ir_ref linalg_grad_eigh(ir_graph *g, ir_ref r, unsigned k, const ir_ref *d) {
    ir_ref w = ir_result(g, r, 0), v = ir_result(g, r, 1), inner = 0;
    (void)k;
    if (d[1]) {
        ir_ref p = mul(g, turned(g, v), d[1]), one = identities(g, p);
        ir_ref off = ir_minus(g, p, ir_times(g, p, one));
        inner = ir_over(g, off, gaps(g, w, p));
    }
    if (d[0]) {
        ir_ref diagonal = ir_diag_embed(g, d[0], 0, -2, -1);
        inner = inner ? ir_plus(g, inner, diagonal) : diagonal;
    }
    inner = mul(g, v, inner);
    return mul(g, inner, turned(g, v));
}

static ir_ref skew(ir_graph *g, ir_ref x) {
    ir_ref t = turned(g, x);
    return t ? ir_minus(g, x, t) : 0;
}

static ir_ref sum_of(ir_graph *g, ir_ref x, ir_ref y) {
    return x && y ? ir_plus(g, x, y) : x ? x : y;
}

/* x less its part in the columns of q: (I - Q Q^T) x */
static ir_ref outside(ir_graph *g, ir_ref q, ir_ref x) {
    ir_ref in = mul(g, q, mul(g, turned(g, q), x));
    return in ? ir_minus(g, x, in) : 0;
}

/* U [ (skew(U^T dU) / E) S + S (skew(V^T dV) / E) + diag(dS) ] V^T, E = s_j^2 - s_i^2, and what of dU, dV lies outside of U, V */
ir_ref linalg_grad_svd(ir_graph *g, ir_ref r, unsigned k, const ir_ref *d) {
    ir_ref u = ir_result(g, r, 0), s = ir_result(g, r, 1), vh = ir_result(g, r, 2), inner = 0;
    int64_t a[IR_MAX_RANK];
    (void)k;
    if (!ir_static_shape(g, ir_operand(g, r, 0), a)) return 0;
    ir_ref columns = ir_unsqueeze(g, s, -2), rows = ir_unsqueeze(g, s, -1);
    ir_ref dv = d[2] ? turned(g, d[2]) : 0, square = ir_times(g, s, s);
    if (d[0]) {
        ir_ref p = skew(g, mul(g, turned(g, u), d[0]));
        if (!p) return 0;
        inner = ir_times(g, ir_over(g, p, gaps(g, square, p)), columns);
    }
    if (dv) {
        ir_ref p = skew(g, mul(g, vh, dv));
        if (!p) return 0;
        ir_ref part = ir_times(g, ir_over(g, p, gaps(g, square, p)), rows);
        inner = sum_of(g, inner, part);
    }
    if (d[1]) inner = sum_of(g, inner, ir_diag_embed(g, d[1], 0, -2, -1));
    if (!inner) return 0;
    ir_ref left = mul(g, u, inner);
    if (d[0] && a[1] > a[2]) left = sum_of(g, left, ir_over(g, outside(g, u, d[0]), columns));
    ir_ref all = mul(g, left, vh);
    if (dv && a[2] > a[1]) {
        ir_ref more = ir_over(g, outside(g, turned(g, vh), dv), columns);
        all = sum_of(g, all, mul(g, u, turned(g, more)));
    }
    return all;
}

/* (dQ + Q sym(R dR^T - dQ^T Q)) R^-T, sym: the lower triangle and its reflection; for m >= n */
ir_ref linalg_grad_qr(ir_graph *g, ir_ref r, unsigned k, const ir_ref *d) {
    ir_ref q = ir_result(g, r, 0), rr = ir_result(g, r, 1), m = 0;
    int64_t a[IR_MAX_RANK];
    (void)k;
    if (!ir_static_shape(g, ir_operand(g, r, 0), a)) return 0;
    if (a[1] < a[2])
        return ir_error_as(g, BZ_EGRAD, "qr", "has no gradient for more columns than rows: %s",
                           ir_shape_text(g, ir_operand(g, r, 0)));
    if (d[1]) m = mul(g, rr, turned(g, d[1]));
    if (d[0]) m = sum_of(g, m, scaled(g, mul(g, turned(g, d[0]), q), -1));
    if (!m) return 0;
    ir_ref low = ir_tril(g, m, 0), below = turned(g, ir_tril(g, m, -1));
    m = mul(g, q, ir_plus(g, low, below));
    if (d[0]) m = sum_of(g, m, d[0]);
    return turned(g, ir_result(g, called(g, "upper", (ir_ref[]){rr, turned(g, m)}, 2), 0));
}

/* The corner of e^[A^T, d; 0, A^T] */
ir_ref linalg_grad_exp(ir_graph *g, ir_ref r, unsigned k, const ir_ref *d) {
    int64_t a[IR_MAX_RANK];
    (void)k;
    if (!ir_static_shape(g, ir_operand(g, r, 0), a)) return 0;
    ir_ref at = turned(g, ir_operand(g, r, 0));
    ir_ref top = ir_concat(g, (ir_ref[]){at, d[0]}, 2, 2), none = ir_const_like(g, at, 0);
    ir_ref low = ir_concat(g, (ir_ref[]){none, at}, 2, 2), both = ir_concat(g, (ir_ref[]){top, low}, 2, 1);
    ir_ref e = ir_result(g, called(g, "exp", &both, 1), 0);
    return e ? ir_narrow(g, ir_narrow(g, e, 1, 0, a[1]), 2, a[1], a[1]) : 0;
}
