/* compose.c - compositions: what they share, means, matrix products and the views that are not
 * primitives.
 *
 *     softmax(x) at bf16:   cast f32 -> max, sub, exp, sum, div -> cast bf16   (rounds once)
 *
 * A composition is a graph of primitives and nothing else: passes, gradients and emitters never
 * hear its name. */
#include "src/ir/complex.h"
#include "src/ir/compose.h"

#include <stdio.h>

bool ir_axis_of(ir_graph *g, const char *name, ir_ref x, int axis, unsigned more, unsigned *out) {
    int a = ir_axis_from_front(axis, ir_at(g, x)->rank + more);
    if (a < 0) {
        ir_error_as(g, BZ_EAXIS, name, "axis %d is out of range for %s", axis, ir_shape_text(g, x));
        return false;
    }
    *out = (unsigned)a;
    return true;
}

bool ir_axis_set(ir_graph *g, const char *name, ir_ref x, const int *axes, unsigned n, bool *set) {
    for (unsigned a = 0; a < IR_MAX_RANK; a++) set[a] = n == 0 && a < ir_at(g, x)->rank;
    for (unsigned i = 0; i < n; i++) {
        unsigned a;
        if (!ir_axis_of(g, name, x, axes[i], 0, &a)) return false;
        if (set[a]) {
            ir_error_as(g, BZ_EAXIS, name, "axis %d is given twice", axes[i]);
            return false;
        }
        set[a] = true;
    }
    return true;
}

/* The dtype of a composition's result: floats and complex numbers keep theirs. */
static bz_dtype float_of(bz_dtype t) {
    return ir_is_smooth(t) ? t : BZ_F32;
}

ir_ref ir_scalar_in(ir_graph *g, const char *name, const char *what, ir_ref x, bz_dtype t) {
    if (x && ir_at(g, x)->rank)
        return ir_error_as(g, BZ_ESHAPE, name, "%s must be 0-d, not %s", what, ir_shape_text(g, x));
    return ir_cast(g, x, t);
}

ir_ref ir_math_in(ir_graph *g, ir_ref x) {
    return ir_cast(g, x, ir_compute_dtype(float_of(ir_dtype(g, x))));
}

ir_ref ir_math_out(ir_graph *g, ir_ref y, bz_dtype t) {
    if (!y) return 0;
    t = float_of(t);
    return ir_cast(g, y, ir_is_complex(ir_dtype(g, y)) ? t : ir_part_dtype(t));
}

ir_ref ir_count(ir_graph *g, ir_ref x, const bool *set, bz_dtype t) {
    ir_dim along[IR_MAX_RANK];
    int64_t count = 1, v = 0;
    unsigned n = 0;
    bool known = true;
    t = ir_part_dtype(t);
    for (unsigned a = 0; a < ir_at(g, x)->rank; a++) {
        if (!set[a]) continue;
        along[n] = ir_dims(g, ir_at(g, x))[a];
        known =
            ir_dim_value(g, along[n++], &v) && !__builtin_mul_overflow(count, v, &count) && known;
    }
    if (known) return ir_is_float(t) ? ir_const_f(g, t, (double)count) : ir_const_i(g, t, count);
    /* the one way to a symbol's value: count */
    ir_ref ones = ir_const_bits(g, BZ_I64, 1, along, n);
    return ir_cast(g, ir_reduce(g, IR_SUM, ones, NULL, 0, false), t);
}

ir_ref ir_keep_axis(ir_graph *g, ir_ref x, unsigned axis) {
    const ir_node *n = ir_at(g, x);
    if (n->rank >= IR_MAX_RANK)
        return ir_error_as(g, BZ_ESHAPE, "unsqueeze", "%s has %d axes already", ir_shape_text(g, x),
                           IR_MAX_RANK);
    ir_dim dims[IR_MAX_RANK], one = ir_dim_const(g, 1);
    for (unsigned a = 0, from = 0; a <= ir_at(g, x)->rank; a++)
        dims[a] = a == axis ? one : ir_dims(g, ir_at(g, x))[from++];
    return ir_reshape_dims(g, x, dims, ir_at(g, x)->rank + 1u);
}

/* ---- means */

ir_ref ir_mean(ir_graph *g, ir_ref x, const int *axes, unsigned n, bool keepdim) {
    bool set[IR_MAX_RANK];
    bz_dtype t = ir_dtype(g, x);
    if (!ir_axis_set(g, "mean", x, axes, n, set)) return 0;
    if (ir_is_half(t)) x = ir_math_in(g, x);
    /* integers: exact up to here */
    ir_ref sum = ir_math_in(g, ir_reduce(g, IR_SUM, x, axes, n, keepdim));
    return ir_math_out(g, ir_over(g, sum, ir_count(g, x, set, ir_dtype(g, sum))), t);
}

/* v = var x with the gradient 2 / free * d * (x - mean): what would flow into the mean sums to zero, or to NaN beside an infinity. */
ir_ref ir_var(ir_graph *g, ir_ref x, const int *axes, unsigned n, int correction, bool keepdim) {
    bool set[IR_MAX_RANK];
    bz_dtype t = ir_dtype(g, x);
    if (!ir_axis_set(g, "var", x, axes, n, set)) return 0;
    if (ir_is_complex(t)) { /* the mean of |x - mean|^2 */
        const ir_pair parts = ir_parts_of(g, x);
        const ir_ref re = ir_var(g, parts.re, axes, n, correction, keepdim);
        return ir_plus(g, re, ir_var(g, parts.im, axes, n, correction, keepdim));
    }
    x = ir_math_in(g, x);
    ir_ref free = ir_minus(g, ir_count(g, x, set, BZ_I64), ir_const_i(g, BZ_I64, correction));
    free = ir_cast(g, ir_build2(g, IR_MAX, free, ir_const_i(g, BZ_I64, 0)), ir_dtype(g, x));
    ir_ref from = ir_build1(g, IR_STOP_GRADIENT, x), mean = ir_mean(g, x, axes, n, true);
    ir_ref diff = ir_minus(g, from, ir_mean(g, from, axes, n, true));
    ir_ref sum = ir_reduce(g, IR_SUM, ir_times(g, diff, diff), axes, n, keepdim);
    ir_ref v = ir_over(g, sum, free), stand = ir_stand_in(g, v), d = ir_stand_in(g, v);
    if (!d) return 0;
    ir_ref each = ir_times(g, ir_over(g, ir_num(g, x, 2), free), d);
    each = ir_reshape_dims(g, each, ir_dims(g, ir_at(g, mean)), ir_at(g, mean)->rank);
    ir_ref back = ir_times(g, each, ir_minus(g, x, mean));
    v = ir_result(g, ir_custom_grad(g, (ir_ref[]){v, stand, d, x, back}, 1, 1), 0);
    return ir_math_out(g, v, t);
}

/* ---- matrix products */

/* Casts both to the dtype that they promote to. */
static void promote_pair(ir_graph *g, ir_ref *x, ir_ref *y) {
    bz_dtype t = ir_promote(ir_dtype(g, *x), ir_dtype(g, *y));
    *x = ir_cast(g, *x, t);
    *y = ir_cast(g, *y, t);
}

/* Axis `back` from the end of x. */
static ir_dim dim_back(const ir_graph *g, ir_ref x, unsigned back) {
    const ir_node *n = ir_at(g, x);
    return ir_dims(g, n)[n->rank - back];
}

static bool is_one(const ir_graph *g, ir_dim d) {
    int64_t v;
    return ir_dim_value(g, d, &v) && v == 1;
}

/* dims = the batch axes of x and y (all but the last two of each), broadcast; -1 when they don't
 * fit. */
static int batch_dims(const ir_graph *g, ir_ref x, ir_ref y, ir_dim *dims) {
    const ir_node *nx = ir_at(g, x), *ny = ir_at(g, y);
    int bx = nx->rank - 2, by = ny->rank - 2, nb = bx > by ? bx : by;
    for (int a = 0; a < nb; a++) {
        int ax = a - (nb - bx), ay = a - (nb - by);
        ir_dim dx = ax < 0 ? 0 : ir_dims(g, nx)[ax], dy = ay < 0 ? 0 : ir_dims(g, ny)[ay];
        bool take_y = !dx || (dy && is_one(g, dx));
        if (dx && dy && dx != dy && !is_one(g, dx) && !is_one(g, dy)) return -1;
        dims[a] = take_y ? dy : dx;
    }
    return nb;
}

/* x broadcast to the batch axes, its last two kept. */
static ir_ref with_batch(ir_graph *g, ir_ref x, const ir_dim *batch, unsigned nb) {
    ir_dim dims[IR_MAX_RANK];
    for (unsigned a = 0; a < nb; a++) dims[a] = batch[a];
    dims[nb] = dim_back(g, x, 2);
    dims[nb + 1] = dim_back(g, x, 1);
    return ir_expand_dims_like(g, x, dims, nb + 2);
}

/* Matrices with batch axes: [.., n, k] * [.., k, m]. A right operand without batch needs no copies
 * of itself. */
static ir_ref batched(ir_graph *g, ir_ref x, ir_ref y) {
    ir_dim batch[IR_MAX_RANK];
    int axes[IR_MAX_RANK];
    int nb = batch_dims(g, x, y, batch);
    if (nb < 0)
        return ir_error_as(g, BZ_ESHAPE, "matmul", "batch axes of %s and %s do not broadcast",
                           ir_shape_text(g, x), ir_shape_text(g, y));
    if (ir_at(g, y)->rank == 2) return ir_dot(g, x, y, NULL, NULL, 0, (int[]){-1}, (int[]){0}, 1);
    for (int a = 0; a < nb; a++) axes[a] = a;
    x = with_batch(g, x, batch, (unsigned)nb);
    y = with_batch(g, y, batch, (unsigned)nb);
    return ir_dot(g, x, y, axes, axes, (unsigned)nb, (int[]){nb + 1}, (int[]){nb}, 1);
}

ir_ref ir_matmul(ir_graph *g, ir_ref x, ir_ref y) {
    unsigned rx = ir_at(g, x)->rank, ry = ir_at(g, y)->rank;
    if (!x || !y) return 0;
    if (rx == 0 || ry == 0)
        return ir_error_as(g, BZ_ESHAPE, "matmul", "operands need an axis: %s and %s",
                           ir_shape_text(g, x), ir_shape_text(g, y));
    if (dim_back(g, x, 1) != dim_back(g, y, ry == 1 ? 1 : 2))
        return ir_error_as(g, BZ_ESHAPE, "matmul", "inner sizes of %s and %s differ",
                           ir_shape_text(g, x), ir_shape_text(g, y));
    promote_pair(g, &x, &y);
    if (ry == 1) return ir_dot(g, x, y, NULL, NULL, 0, (int[]){-1}, (int[]){0}, 1);
    if (rx == 1) /* [k] * [.., k, m]: the rest of y is the result; a product commutes */
        return ir_dot(g, x, y, NULL, NULL, 0, (int[]){0}, (int[]){-2}, 1);
    return batched(g, x, y);
}

ir_ref ir_linear(ir_graph *g, ir_ref x, ir_ref w, ir_ref b) {
    if (!x || !w) return 0;
    if (ir_at(g, x)->rank == 0 || ir_at(g, w)->rank != 2 || dim_back(g, x, 1) != dim_back(g, w, 1))
        return ir_error_as(g, BZ_ESHAPE, "linear",
                           "x %s does not fit the weight %s, which is [out, in]",
                           ir_shape_text(g, x), ir_shape_text(g, w));
    if (b && (ir_at(g, b)->rank != 1 || dim_back(g, b, 1) != dim_back(g, w, 2)))
        return ir_error_as(g, BZ_ESHAPE, "linear", "bias %s does not fit the weight %s",
                           ir_shape_text(g, b), ir_shape_text(g, w));
    promote_pair(g, &x, &w);
    bz_dtype t = ir_dtype(g, x);
    if (b && ir_is_half(t)) { /* one rounding, after the bias */
        x = ir_math_in(g, x);
        w = ir_math_in(g, w);
        b = ir_math_in(g, b);
    }
    ir_ref y = ir_dot(g, x, w, NULL, NULL, 0, (int[]){-1}, (int[]){1}, 1);
    return b ? ir_cast(g, ir_plus(g, y, b), t) : y;
}

/* ---- views */

ir_ref ir_flip(ir_graph *g, ir_ref x, const int *axes, unsigned n) {
    bool set[IR_MAX_RANK] = {false};
    int64_t start[IR_MAX_RANK], stop[IR_MAX_RANK], step[IR_MAX_RANK];
    if (n == 0) return x;
    if (!ir_axis_set(g, "flip", x, axes, n, set)) return 0;
    for (unsigned a = 0; a < ir_at(g, x)->rank; a++) {
        start[a] = set[a] ? INT64_MAX : INT64_MIN;
        stop[a] = set[a] ? INT64_MIN : INT64_MAX;
        step[a] = set[a] ? -1 : 1;
    }
    return ir_slice(g, x, start, stop, step);
}

ir_ref ir_part_of(ir_graph *g, ir_ref x, const int64_t *shape, unsigned at, int64_t start,
                  int64_t n) {
    int64_t from[IR_MAX_RANK] = {0}, count[IR_MAX_RANK], by[IR_MAX_RANK];
    unsigned rank = ir_at(g, x)->rank;
    for (unsigned i = 0; i < rank; i++) {
        count[i] = i == at ? n : shape[i];
        by[i] = 1;
    }
    from[at] = start;
    return ir_slice_exact(g, x, from, count, by);
}

bool ir_axis_of_known(ir_graph *g, const char *name, ir_ref x, int axis, int64_t *shape,
                      unsigned *at) {
    if (!x) return false;
    if (!ir_static_shape(g, x, shape))
        return ir_error_as(g, BZ_EUNSUPPORTED, name, "the sizes of %s must be known",
                           ir_shape_text(g, x)),
               false;
    if (ir_at(g, x)->rank) return ir_axis_of(g, name, x, axis, 0, at);
    return ir_error_as(g, BZ_EAXIS, name, "axis %d of %s", axis, ir_shape_text(g, x)), false;
}

ir_ref ir_narrow(ir_graph *g, ir_ref x, int axis, int64_t start, int64_t length) {
    int64_t shape[IR_MAX_RANK];
    unsigned at;
    if (!ir_axis_of_known(g, "narrow", x, axis, shape, &at)) return 0;
    int64_t n = shape[at], first = start < 0 ? start + n : start;
    if (first < 0 || first > n || length < 0 || length > n - first)
        return ir_error_as(g, BZ_EINDEX, "narrow", "%lld elements from %lld on of axis %d of %s",
                           (long long)length, (long long)start, axis, ir_shape_text(g, x));
    return ir_part_of(g, x, shape, at, first, length);
}

ir_ref ir_select(ir_graph *g, ir_ref x, int axis, int64_t index) {
    int64_t shape[IR_MAX_RANK];
    unsigned at;
    if (!ir_axis_of_known(g, "select", x, axis, shape, &at)) return 0;
    int64_t n = shape[at], first = index < 0 ? index + n : index;
    if (first < 0 || first >= n)
        return ir_error_as(g, BZ_EINDEX, "select", "index %lld of axis %d of %s", (long long)index,
                           axis, ir_shape_text(g, x));
    return ir_squeeze(g, ir_part_of(g, x, shape, at, first, 1), (int)at);
}

ir_ref ir_stack(ir_graph *g, const ir_ref *x, unsigned n, int axis) {
    if (n == 0) return ir_error_as(g, BZ_EARG, "stack", "nothing to stack");
    for (unsigned i = 0; i < n; i++) {
        if (!x[i]) return 0;
        if (!ir_same_shape(g, x[0], x[i]))
            return ir_error_as(g, BZ_ESHAPE, "stack", "shapes to stack differ: %s and %s",
                               ir_shape_text(g, x[0]), ir_shape_text(g, x[i]));
    }
    int at = ir_axis_from_front(axis, ir_at(g, x[0])->rank + 1u);
    if (at < 0)
        return ir_error_as(g, BZ_EAXIS, "stack", "axis %d is out of range for a stack of %s", axis,
                           ir_shape_text(g, x[0]));
    ir_ref *wide = bz_arena_alloc(&g->arena, n * sizeof *wide);
    if (!wide) return ir_error_as(g, BZ_ENOMEM, "stack", "out of memory");
    for (unsigned i = 0; i < n; i++) wide[i] = ir_unsqueeze(g, x[i], at);
    return ir_concat(g, wide, n, at);
}

ir_ref ir_squeeze(ir_graph *g, ir_ref x, int axis) {
    unsigned at, n = 0;
    ir_dim dims[IR_MAX_RANK];
    if (!ir_axis_of(g, "squeeze", x, axis, 0, &at)) return 0;
    if (ir_at(g, x)->rank == 0 || !is_one(g, ir_dims(g, ir_at(g, x))[at])) return x;
    for (unsigned a = 0; a < ir_at(g, x)->rank; a++) {
        if (a != at) dims[n++] = ir_dims(g, ir_at(g, x))[a];
    }
    return ir_reshape_dims(g, x, dims, n);
}

ir_ref ir_unsqueeze(ir_graph *g, ir_ref x, int axis) {
    unsigned at;
    return ir_axis_of(g, "unsqueeze", x, axis, 1, &at) ? ir_keep_axis(g, x, at) : 0;
}

ir_ref ir_flatten(ir_graph *g, ir_ref x, int from, int to) {
    unsigned lo, hi, n = 0;
    ir_dim dims[IR_MAX_RANK], all = ir_dim_const(g, 1);
    if (!ir_axis_of(g, "flatten", x, from, 0, &lo) || !ir_axis_of(g, "flatten", x, to, 0, &hi))
        return 0;
    if (ir_at(g, x)->rank == 0) /* as PyTorch: a 0-d value becomes [1] */
        return ir_reshape(g, x, (int64_t[]){1}, 1);
    if (lo > hi)
        return ir_error_as(g, BZ_EAXIS, "flatten", "axis %d comes after axis %d", from, to);
    for (unsigned a = 0; a < ir_at(g, x)->rank; a++) {
        ir_dim d = ir_dims(g, ir_at(g, x))[a];
        all = a == lo ? d : a > lo && a <= hi ? ir_ex_mul(&g->m->ex, all, d) : all;
        if (a < lo || a > hi)
            dims[n++] = d;
        else if (a == hi)
            dims[n++] = all;
    }
    return ir_reshape_dims(g, x, dims, n);
}

ir_ref ir_transpose(ir_graph *g, ir_ref x, int a, int b) {
    unsigned i, k;
    int perm[IR_MAX_RANK];
    if (!ir_axis_of(g, "transpose", x, a, 0, &i) || !ir_axis_of(g, "transpose", x, b, 0, &k))
        return 0;
    for (unsigned p = 0; p < ir_at(g, x)->rank; p++) perm[p] = (int)(p == i ? k : p == k ? i : p);
    return ir_permute(g, x, perm, ir_at(g, x)->rank);
}

/* x with axes i and k at the end. */
static ir_ref axes_last(ir_graph *g, ir_ref x, unsigned i, unsigned k) {
    int perm[IR_MAX_RANK];
    unsigned n = 0, rank = ir_at(g, x)->rank;
    for (unsigned p = 0; p < rank; p++) {
        if (p != i && p != k) perm[n++] = (int)p;
    }
    perm[n++] = (int)i;
    perm[n++] = (int)k;
    return ir_permute(g, x, perm, n);
}

/* Elements start + i * (cols + 1) of the two axes as one, by movement only. */
ir_ref ir_diagonal(ir_graph *g, ir_ref x, int64_t offset, int a, int b) {
    unsigned i, k;
    int64_t shape[IR_MAX_RANK], start[IR_MAX_RANK] = {0}, step[IR_MAX_RANK];
    if (!ir_axis_of(g, "diagonal", x, a, 0, &i) || !ir_axis_of(g, "diagonal", x, b, 0, &k))
        return 0;
    if (i == k) return ir_error_as(g, BZ_EAXIS, "diagonal", "axes %d and %d are the same", a, b);
    x = axes_last(g, x, i, k);
    unsigned rank = ir_at(g, x)->rank;
    if (!ir_static_shape(g, x, shape))
        return ir_error_as(g, BZ_EUNSUPPORTED, "diagonal", "the sizes of %s must be known",
                           ir_shape_text(g, x));
    int64_t rows = shape[rank - 2], cols = shape[rank - 1];
    int64_t down = offset < 0 ? (offset > -rows ? -offset : rows) : 0,
            right = offset > 0 ? (offset < cols ? offset : cols) : 0;
    int64_t count = rows - down < cols - right ? rows - down : cols - right;
    shape[rank - 2] = rows * cols;
    x = ir_reshape(g, x, shape, rank - 1);
    for (unsigned p = 0; p < rank - 1; p++) step[p] = 1;
    shape[rank - 2] = count;
    start[rank - 2] = count > 0 ? down * cols + right : 0;
    step[rank - 2] = cols + 1;
    return ir_slice_exact(g, x, start, shape, step);
}

ir_ref ir_one_hot(ir_graph *g, ir_ref x, int64_t classes, bz_dtype t) {
    if (!x) return 0;
    if (ir_is_smooth(ir_dtype(g, x)))
        return ir_error_as(g, BZ_EDTYPE, "one_hot", "classes must be integers, not %s",
                           ir_shape_text(g, x));
    if (classes < 1)
        return ir_error_as(g, BZ_EARG, "one_hot", "%lld classes: at least one is needed",
                           (long long)classes);
    ir_dim n = ir_dim_const(g, classes);
    ir_ref numbers = ir_iota(g, BZ_I64, &n, 1, 0);
    ir_ref hit = ir_build2(g, IR_EQ, ir_unsqueeze(g, x, -1), numbers);
    return ir_cast(g, hit, t);
}
