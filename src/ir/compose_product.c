/* compose_product.c - products of vectors, matrices and batches of them by their names, as graphs of dot. */
#include "src/ir/complex.h"
#include "src/ir/compose.h"

/* x and y in the dtype that they promote to. */
static void promoted(ir_graph *g, ir_ref *x, ir_ref *y) {
    bz_dtype t = ir_promote(ir_dtype(g, *x), ir_dtype(g, *y));
    *x = ir_cast(g, *x, t);
    *y = ir_cast(g, *y, t);
}

/* Has x this rank? false and an error that says what x should be. */
static bool is_rank(ir_graph *g, const char *name, ir_ref x, unsigned rank) {
    static const char *const kinds[] = {"0-d", "a vector", "a matrix", "a batch of matrices"};
    if (!x) return false;
    if (ir_at(g, x)->rank == rank) return true;
    return ir_error_as(g, BZ_ESHAPE, name, "%s is not %s", ir_shape_text(g, x), kinds[rank]), false;
}

static ir_dim dim_of(const ir_graph *g, ir_ref x, unsigned a) {
    return ir_dims(g, ir_at(g, x))[a];
}

static ir_ref differ(ir_graph *g, const char *name, ir_ref x, ir_ref y) {
    return ir_error_as(g, BZ_ESHAPE, name, "%s and %s do not fit", ir_shape_text(g, x),
                       ir_shape_text(g, y));
}

/* The sum of products over the last axis of x and the axis of y, if these fit. */
static ir_ref product(ir_graph *g, const char *name, ir_ref x, ir_ref y, unsigned nbatch,
                      unsigned contract) {
    int batch[] = {0};
    if (dim_of(g, x, ir_at(g, x)->rank - 1u) != dim_of(g, y, contract) ||
        (nbatch && dim_of(g, x, 0) != dim_of(g, y, 0)))
        return differ(g, name, x, y);
    promoted(g, &x, &y);
    return ir_dot(g, x, y, batch, batch, nbatch, (int[]){-1}, (int[]){(int)contract}, 1);
}

ir_ref ir_vdot(ir_graph *g, ir_ref x, ir_ref y) {
    if (!is_rank(g, "vdot", x, 1) || !is_rank(g, "vdot", y, 1)) return 0;
    return product(g, "vdot", ir_conj(g, x), y, 0, 0);
}

ir_ref ir_mv(ir_graph *g, ir_ref x, ir_ref y) {
    return is_rank(g, "mv", x, 2) && is_rank(g, "mv", y, 1) ? product(g, "mv", x, y, 0, 0) : 0;
}

ir_ref ir_mm(ir_graph *g, ir_ref x, ir_ref y) {
    return is_rank(g, "mm", x, 2) && is_rank(g, "mm", y, 2) ? product(g, "mm", x, y, 0, 0) : 0;
}

ir_ref ir_bmm(ir_graph *g, ir_ref x, ir_ref y) {
    return is_rank(g, "bmm", x, 3) && is_rank(g, "bmm", y, 3) ? product(g, "bmm", x, y, 1, 1) : 0;
}

ir_ref ir_inner(ir_graph *g, ir_ref x, ir_ref y) {
    if (!x || !y) return 0;
    if (ir_at(g, x)->rank == 0 || ir_at(g, y)->rank == 0) return ir_times(g, x, y);
    return product(g, "inner", x, y, 0, ir_at(g, y)->rank - 1u);
}

ir_ref ir_outer(ir_graph *g, ir_ref x, ir_ref y) {
    if (!is_rank(g, "outer", x, 1) || !is_rank(g, "outer", y, 1)) return 0;
    ir_ref column = ir_unsqueeze(g, x, 1);
    return ir_times(g, column, ir_unsqueeze(g, y, 0));
}

/* Over the last `n` axes of x and the first of y. */
ir_ref ir_tensordot(ir_graph *g, ir_ref x, ir_ref y, const int *xaxes, const int *yaxes,
                    unsigned n) {
    if (!x || !y) return 0;
    bool sx[IR_MAX_RANK], sy[IR_MAX_RANK];
    if (n && (!ir_axis_set(g, "tensordot", x, xaxes, n, sx) ||
              !ir_axis_set(g, "tensordot", y, yaxes, n, sy)))
        return 0;
    for (unsigned i = 0; i < n; i++) {
        unsigned a = (unsigned)ir_axis_from_front(xaxes[i], ir_at(g, x)->rank),
                 b = (unsigned)ir_axis_from_front(yaxes[i], ir_at(g, y)->rank);
        if (ir_at(g, x)->rank == 0 || ir_at(g, y)->rank == 0 || dim_of(g, x, a) != dim_of(g, y, b))
            return differ(g, "tensordot", x, y);
    }
    promoted(g, &x, &y);
    return ir_dot(g, x, y, NULL, NULL, 0, xaxes, yaxes, n);
}

/* [a, b ..] and [c, d ..] -> [a c, b d ..] */
ir_ref ir_kron(ir_graph *g, ir_ref x, ir_ref y) {
    ir_dim dx[IR_MAX_RANK], dy[IR_MAX_RANK], d[IR_MAX_RANK], one = ir_dim_const(g, 1);
    if (!x || !y) return 0;
    const unsigned rx = ir_at(g, x)->rank, ry = ir_at(g, y)->rank, rank = rx > ry ? rx : ry;
    if (2 * rank > IR_MAX_RANK)
        return ir_error_as(g, BZ_ESHAPE, "kron", "%s and %s have too many axes",
                           ir_shape_text(g, x), ir_shape_text(g, y));
    for (unsigned a = 0; a < rank; a++) {
        dx[2 * a] = a + rx < rank ? one : dim_of(g, x, a + rx - rank);
        dy[2 * a + 1] = a + ry < rank ? one : dim_of(g, y, a + ry - rank);
        dx[2 * a + 1] = dy[2 * a] = one;
        d[a] = ir_ex_mul(&g->m->ex, dx[2 * a], dy[2 * a + 1]);
    }
    ir_ref left = ir_reshape_dims(g, x, dx, 2 * rank);
    ir_ref p = ir_times(g, left, ir_reshape_dims(g, y, dy, 2 * rank));
    return ir_reshape_dims(g, p, d, rank);
}

/* Part k of three along an axis. */
static ir_ref third(ir_graph *g, ir_ref x, unsigned at, int64_t k) {
    return ir_narrow(g, x, (int)at, k, 1);
}

ir_ref ir_cross(ir_graph *g, ir_ref x, ir_ref y, int axis) {
    ir_dim dims[IR_MAX_RANK];
    unsigned at;
    int64_t n;
    if (!x || !y) return 0;
    int rank = ir_common_shape(g, IR_MUL, (ir_ref[]){x, y}, 2, dims);
    if (rank < 0) return 0;
    x = ir_expand_dims_like(g, x, dims, (unsigned)rank);
    y = ir_expand_dims_like(g, y, dims, (unsigned)rank);
    if (!x || !y || !ir_axis_of(g, "cross", x, axis, 0, &at)) return 0;
    if (rank == 0 || !ir_dim_value(g, dims[at], &n) || n != 3)
        return ir_error_as(g, BZ_ESHAPE, "cross", "axis %d of %s has not three elements", axis,
                           ir_shape_text(g, x));
    ir_ref part[3];
    for (unsigned k = 0; k < 3; k++) {
        unsigned i = (k + 1) % 3, j = (k + 2) % 3;
        ir_ref xi = third(g, x, at, i), yj = third(g, y, at, j), xj = third(g, x, at, j),
               yi = third(g, y, at, i);
        ir_ref left = ir_times(g, xi, yj);
        part[k] = ir_minus(g, left, ir_times(g, xj, yi));
    }
    return ir_concat(g, part, 3, (int)at);
}

/* ---- beta input + alpha product: halves are rounded once, after the sum */

static ir_ref plus_input(ir_graph *g, const char *name, ir_ref input, ir_ref p, double beta,
                         double alpha, bz_dtype t) {
    if (!p) return 0;
    if (beta == 0) /* the input counts nothing, NaN neither */
        return ir_cast(g, alpha == 1 ? p : ir_times(g, p, ir_num(g, p, alpha)), t);
    input = ir_cast(g, input, ir_dtype(g, p));
    if (ir_at(g, input)->rank > ir_at(g, p)->rank ||
        !ir_expand_dims_like(g, input, ir_dims(g, ir_at(g, p)), ir_at(g, p)->rank))
        return ir_error_as(g, BZ_ESHAPE, name, "%s does not broadcast to %s",
                           ir_shape_text(g, input), ir_shape_text(g, p));
    if (alpha != 1) p = ir_times(g, p, ir_num(g, p, alpha));
    if (beta != 1) input = ir_times(g, input, ir_num(g, input, beta));
    return ir_cast(g, ir_plus(g, input, p), t);
}

typedef ir_ref product_of(ir_graph *g, ir_ref x, ir_ref y);

static ir_ref added(ir_graph *g, const char *name, product_of *f, ir_ref input, ir_ref x, ir_ref y,
                    double beta, double alpha) {
    if (!input || !x || !y) return 0;
    ir_meeting all = ir_meeting_none();
    ir_meet(&all, ir_dtype(g, x));
    ir_meet(&all, ir_dtype(g, y));
    ir_meet(&all, ir_dtype(g, input));
    bz_dtype t = ir_met(&all), in = ir_is_half(t) ? BZ_F32 : t;
    ir_ref left = ir_cast(g, x, in);
    return plus_input(g, name, input, f(g, left, ir_cast(g, y, in)), beta, alpha, t);
}

ir_ref ir_addmm(ir_graph *g, ir_ref input, ir_ref x, ir_ref y, double beta, double alpha) {
    return added(g, "addmm", ir_mm, input, x, y, beta, alpha);
}

ir_ref ir_addmv(ir_graph *g, ir_ref input, ir_ref x, ir_ref y, double beta, double alpha) {
    return added(g, "addmv", ir_mv, input, x, y, beta, alpha);
}

ir_ref ir_addr(ir_graph *g, ir_ref input, ir_ref x, ir_ref y, double beta, double alpha) {
    return added(g, "addr", ir_outer, input, x, y, beta, alpha);
}

ir_ref ir_baddbmm(ir_graph *g, ir_ref input, ir_ref x, ir_ref y, double beta, double alpha) {
    return added(g, "baddbmm", ir_bmm, input, x, y, beta, alpha);
}

/* The sum of all products of a batch: one product over batch and columns. */
static ir_ref summed(ir_graph *g, ir_ref x, ir_ref y) {
    if (!is_rank(g, "addbmm", x, 3) || !is_rank(g, "addbmm", y, 3)) return 0;
    if (dim_of(g, x, 0) != dim_of(g, y, 0) || dim_of(g, x, 2) != dim_of(g, y, 1))
        return differ(g, "addbmm", x, y);
    promoted(g, &x, &y);
    return ir_dot(g, x, y, NULL, NULL, 0, (int[]){0, 2}, (int[]){0, 1}, 2);
}

ir_ref ir_addbmm(ir_graph *g, ir_ref input, ir_ref x, ir_ref y, double beta, double alpha) {
    return added(g, "addbmm", summed, input, x, y, beta, alpha);
}

/* ---- of one matrix */

ir_ref ir_trace(ir_graph *g, ir_ref x) {
    return is_rank(g, "trace", x, 2)
               ? ir_reduce(g, IR_SUM, ir_diagonal(g, x, 0, 0, 1), NULL, 0, false)
               : 0;
}

/* By squares, from the lowest bit of n: the products of n = 5 are x^2, x^4, x x^4. */
ir_ref ir_matrix_power(ir_graph *g, ir_ref x, int64_t n) {
    if (!x) return 0;
    const unsigned rank = ir_at(g, x)->rank;
    int64_t size;
    if (rank < 2 || dim_of(g, x, rank - 1) != dim_of(g, x, rank - 2))
        return ir_error_as(g, BZ_ESHAPE, "matrix_power", "%s holds no square matrices",
                           ir_shape_text(g, x));
    if (n < 0) {
        ir_ref inverse = n == INT64_MIN ? ir_error_as(g, BZ_EARG, "matrix_power", "n is out of range") : ir_inv(g, x);
        return inverse ? ir_matrix_power(g, inverse, -n) : 0;
    }
    if (n == 0) {
        if (!ir_dim_value(g, dim_of(g, x, rank - 1), &size))
            return ir_error_as(g, BZ_EUNSUPPORTED, "matrix_power", "the sizes of %s must be known",
                               ir_shape_text(g, x));
        ir_ref one = ir_eye(g, size, size, ir_dtype(g, x));
        return ir_expand_dims_like(g, one, ir_dims(g, ir_at(g, x)), rank);
    }
    ir_ref result = 0;
    for (ir_ref square = x; n; n >>= 1) {
        if (n & 1) result = result ? ir_matmul(g, result, square) : square;
        if (n > 1) square = ir_matmul(g, square, square);
    }
    return result;
}
