/* compose_matrix.c - what is made of decompositions: pseudo-inverses, least squares, ranks, norms, conditions, exponentials. */
#include "src/ir/compose.h"
#include "src/ir/linalg.h"

#include <float.h>
#include <string.h>

static double eps_of(const ir_graph *g, ir_ref x) {
    return ir_dtype(g, x) == BZ_F64 ? DBL_EPSILON : FLT_EPSILON;
}

static int64_t size_of(const ir_graph *g, ir_ref x, unsigned from_end) {
    int64_t n = 0;
    const ir_node *at = ir_at(g, x);
    return ir_dim_value(g, ir_dims(g, at)[at->rank - from_end], &n) ? n : 0;
}

ir_ref ir_svdvals(ir_graph *g, ir_ref x) {
    ir_ref s = 0, vh = 0;
    return ir_svd(g, x, &s, &vh) ? s : 0;
}

ir_ref ir_eigvalsh(ir_graph *g, ir_ref x) {
    ir_ref vectors = 0;
    return ir_eigh(g, x, &vectors);
}

/* The least singular value that counts: the largest times rtol (below 0: the larger side times the distance of 1 from the next number), or atol if
 * that is more; [.., 1] beside s. */
static ir_ref least_that_counts(ir_graph *g, ir_ref x, ir_ref s, double atol, double rtol) {
    const int64_t m = size_of(g, x, 2), n = size_of(g, x, 1);
    if (rtol < 0) rtol = atol > 0 ? 0 : (double)(m > n ? m : n) * eps_of(g, x);
    ir_ref most = ir_reduce(g, IR_RMAX, s, (int[]){-1}, 1, true);
    return ir_build2(g, IR_MAX, ir_times(g, most, ir_num(g, s, rtol)), ir_num(g, s, atol));
}

static bool has_values(ir_graph *g, const char *name, ir_ref x) {
    if (size_of(g, x, 1) && size_of(g, x, 2)) return true;
    ir_error_as(g, BZ_ESHAPE, name, "%s has no singular values", ir_shape_text(g, x));
    return false;
}

ir_ref ir_matrix_rank(ir_graph *g, ir_ref x, double atol, double rtol) {
    ir_ref s = ir_svdvals(g, x ? ir_build1(g, IR_STOP_GRADIENT, x) : 0);
    if (!s || !has_values(g, "matrix_rank", x)) return 0;
    ir_ref counts = ir_build2(g, IR_LT, least_that_counts(g, x, s, atol, rtol), s);
    return ir_reduce(g, IR_SUM, counts, (int[]){-1}, 1, false);
}

static ir_ref product(ir_graph *g, ir_ref x, ir_ref y) {
    return x && y ? ir_matmul(g, x, y) : 0;
}

static ir_ref negated(ir_graph *g, ir_ref x) {
    return x ? ir_build1(g, IR_NEG, x) : 0;
}

static ir_ref turned(ir_graph *g, ir_ref x) {
    return x ? ir_mT(g, x) : 0;
}

/* V diag(1 / s) U^T of the singular values that count. */
static ir_ref pinv_value(ir_graph *g, ir_ref x, double atol, double rtol) {
    ir_ref s = 0, vh = 0, u = ir_svd(g, x, &s, &vh);
    if (!u) return 0;
    ir_ref counts = ir_build2(g, IR_LT, least_that_counts(g, x, s, atol, rtol), s),
           one = ir_num(g, s, 1);
    ir_ref safe = ir_build3(g, IR_SELECT, counts, s, one), inverse = ir_over(g, one, safe);
    inverse = ir_build3(g, IR_SELECT, counts, inverse, ir_num(g, s, 0));
    ir_ref left = ir_times(g, turned(g, vh), ir_unsqueeze(g, inverse, -2));
    return product(g, left, turned(g, u));
}

/* The share of x under the gradient d of its pseudo-inverse p:
 *     -p^T d p^T + p^T p d^T (I - x p)... : with k = d^T p, -(p k)^T + k p^T - x p k p^T + p^T p (d^T - k x)  (Golub and Pereyra) */
static ir_ref pinv_share(ir_graph *g, ir_ref x, ir_ref p, ir_ref d) {
    ir_ref dt = turned(g, d), pt = turned(g, p), k = product(g, dt, p), kp = product(g, k, pt);
    ir_ref share = negated(g, turned(g, product(g, p, k)));
    ir_ref xp = product(g, x, p), through = product(g, xp, kp);
    share = ir_plus(g, share, ir_minus(g, kp, through));
    ir_ref ptp = product(g, pt, p), rest = ir_minus(g, dt, product(g, k, x));
    return ir_plus(g, share, product(g, ptp, rest));
}

ir_ref ir_pinv(ir_graph *g, ir_ref x, double atol, double rtol) {
    if (!x) return 0;
    ir_ref p = pinv_value(g, ir_build1(g, IR_STOP_GRADIENT, x), atol, rtol);
    if (!p || !has_values(g, "pinv", x)) return 0;
    ir_ref stand = ir_stand_in(g, p), d = ir_stand_in(g, p);
    ir_ref share = d ? pinv_share(g, x, stand, d) : 0;
    return share ? ir_result(g, ir_custom_grad(g, (ir_ref[]){p, stand, d, x, share}, 1, 1), 0) : 0;
}

/* Of smallest norm among those with the smallest residual: pinv(x) y. */
ir_ref ir_lstsq(ir_graph *g, ir_ref x, ir_ref y, double rcond, ir_ref *residuals, ir_ref *rank,
                ir_ref *singular_values) {
    if (!x || !y) return 0;
    if (ir_at(g, x)->rank < 2 || ir_at(g, y)->rank < 2 || ir_dtype(g, x) != ir_dtype(g, y) ||
        size_of(g, x, 2) != size_of(g, y, 2))
        return ir_error_as(g, BZ_ESHAPE, "lstsq",
                           "%s and %s are no [.., m, n] and [.., m, k] of one dtype",
                           ir_shape_text(g, x), ir_shape_text(g, y));
    ir_ref p = ir_pinv(g, x, 0, rcond);
    if (!p) return 0;
    ir_ref solution = ir_matmul(g, p, y), off = ir_minus(g, ir_matmul(g, x, solution), y);
    *residuals = ir_reduce(g, IR_SUM, ir_times(g, off, off), (int[]){-2}, 1, false);
    *rank = ir_matrix_rank(g, x, 0, rcond);
    *singular_values = ir_svdvals(g, x);
    return solution;
}

/* ---- norms of matrices */

/* Sums of |x| along one axis, the largest or the smallest of them along the other. */
static ir_ref sums(ir_graph *g, ir_ref x, int axis, bool largest) {
    ir_ref s = ir_reduce(g, IR_SUM, ir_build1(g, IR_ABS, x), &axis, 1, false);
    return ir_reduce(g, largest ? IR_RMAX : IR_RMIN, s, (int[]){-1}, 1, false);
}

static ir_ref by_values(ir_graph *g, ir_ref x, ir_reduce_kind kind) {
    ir_ref s = ir_svdvals(g, x);
    return s ? ir_reduce(g, kind, s, (int[]){-1}, 1, false) : 0;
}

static ir_ref norm_of(ir_graph *g, const char *name, ir_ref x, const char *ord) {
    const bool least = *ord == '-';
    const char *size = ord + least;
    if (!strcmp(ord, "fro")) return ir_vector_norm(g, x, 2, (int[]){-2, -1}, 2, false);
    if (!strcmp(ord, "nuc")) return by_values(g, x, IR_SUM);
    if (!strcmp(size, "2")) return by_values(g, x, least ? IR_RMIN : IR_RMAX);
    if (!strcmp(size, "1")) return sums(g, x, -2, !least);
    if (!strcmp(size, "inf")) return sums(g, x, -1, !least);
    return ir_error_as(g, BZ_EARG, name,
                       "there is no norm \"%.40s\": fro, nuc, 1, 2, inf, or these with -", ord);
}

/* Matrices of floats that are not empty; false and an error. */
static bool matrices(ir_graph *g, const char *name, ir_ref x) {
    if (!x) return false;
    if (ir_at(g, x)->rank < 2 || !ir_is_float(ir_dtype(g, x)))
        return ir_error_as(g, BZ_ESHAPE, name, "%s holds no matrices of floats",
                           ir_shape_text(g, x)),
               false;
    return true;
}

ir_ref ir_matrix_norm(ir_graph *g, ir_ref x, const char *ord, bool keepdim) {
    if (!matrices(g, "matrix_norm", x)) return 0;
    ir_ref r = norm_of(g, "matrix_norm", x, ord);
    return keepdim && r ? ir_unsqueeze(g, ir_unsqueeze(g, r, -1), -1) : r;
}

ir_ref ir_matrix_cond(ir_graph *g, ir_ref x, const char *p) {
    if (!matrices(g, "matrix_cond", x)) return 0;
    const bool turned_over = !strcmp(p, "-2");
    if (turned_over || !strcmp(p, "2")) {
        ir_ref s = has_values(g, "matrix_cond", x) ? ir_svdvals(g, x) : 0;
        if (!s) return 0;
        ir_ref most = ir_select(g, s, -1, 0), least = ir_select(g, s, -1, -1);
        return turned_over ? ir_over(g, least, most) : ir_over(g, most, least);
    }
    ir_ref own = norm_of(g, "matrix_cond", x, p), inverse = own ? ir_inv(g, x) : 0;
    return inverse ? ir_times(g, own, norm_of(g, "matrix_cond", inverse, p)) : 0;
}
