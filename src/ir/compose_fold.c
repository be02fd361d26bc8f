/* compose_fold.c - folds over axes made of sums, extremes and means: deviations, counts, those that leave NaN out; differences and areas. */
#include "src/ir/complex.h"
#include "src/ir/compose.h"

#include <math.h>

/* The square root, with gradient 0 at 0, as PyTorch's std has it. */
static ir_ref root(ir_graph *g, ir_ref v) {
    ir_ref zero = ir_build2(g, IR_EQ, v, ir_num(g, v, 0));
    ir_ref safe = ir_build3(g, IR_SELECT, zero, ir_num(g, v, 1), v);
    return ir_build3(g, IR_SELECT, zero, ir_num(g, v, 0), ir_build1(g, IR_SQRT, safe));
}

ir_ref ir_std(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, int correction,
              bool keepdim) {
    if (!x) return 0;
    bz_dtype t = ir_dtype(g, x);
    return ir_math_out(g, root(g, ir_var(g, ir_math_in(g, x), axes, naxes, correction, keepdim)),
                       t);
}

ir_ref ir_var_mean(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, int correction,
                   bool keepdim, ir_ref *mean) {
    ir_ref v = ir_var(g, x, axes, naxes, correction, keepdim);
    *mean = ir_mean(g, x, axes, naxes, keepdim);
    return v;
}

ir_ref ir_std_mean(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, int correction,
                   bool keepdim, ir_ref *mean) {
    ir_ref s = ir_std(g, x, axes, naxes, correction, keepdim);
    *mean = ir_mean(g, x, axes, naxes, keepdim);
    return s;
}

ir_ref ir_aminmax(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, bool keepdim,
                  ir_ref *max) {
    ir_ref min = ir_reduce(g, IR_RMIN, x, axes, naxes, keepdim);
    *max = ir_reduce(g, IR_RMAX, x, axes, naxes, keepdim);
    return min;
}

ir_ref ir_count_nonzero(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, bool keepdim) {
    if (!x) return 0;
    return ir_reduce(g, IR_SUM, ir_build2(g, IR_NE, x, ir_const_like(g, x, 0)), axes, naxes,
                     keepdim);
}

/* ---- without what is NaN */

/* x with `v` where it is NaN; *nan: where that is, 0 where no dtype has one. */
static ir_ref without_nan(ir_graph *g, ir_ref x, double v, ir_ref *nan) {
    *nan = 0;
    if (!x || !ir_is_smooth(ir_dtype(g, x))) return x;
    *nan = ir_build1(g, IR_ISNAN, x);
    return ir_build3(g, IR_SELECT, *nan, ir_num(g, x, v), x);
}

ir_ref ir_nansum(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, bool keepdim) {
    ir_ref nan;
    return ir_reduce(g, IR_SUM, without_nan(g, x, 0, &nan), axes, naxes, keepdim);
}

/* How many elements along the axes are no NaN, in dtype t. */
static ir_ref count_numbers(ir_graph *g, ir_ref x, ir_ref nan, const bool *set, const int *axes,
                            unsigned n, bool keepdim, bz_dtype t) {
    if (!nan) return ir_count(g, x, set, t);
    ir_ref there = ir_build1(g, IR_LNOT, nan);
    return ir_cast(g, ir_reduce(g, IR_SUM, there, axes, n, keepdim), t);
}

ir_ref ir_nanmean(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, bool keepdim) {
    bool set[IR_MAX_RANK];
    ir_ref nan;
    if (!x || !ir_axis_set(g, "nanmean", x, axes, naxes, set)) return 0;
    bz_dtype t = ir_dtype(g, x);
    x = without_nan(g, ir_math_in(g, x), 0, &nan);
    ir_ref sum = ir_reduce(g, IR_SUM, x, axes, naxes, keepdim);
    return ir_math_out(
        g, ir_over(g, sum, count_numbers(g, x, nan, set, axes, naxes, keepdim, ir_dtype(g, x))), t);
}

/* The sum of squares from the mean, over the count less the correction: 0 left or less gives NaN, as NumPy has it. */
static ir_ref nan_variance(ir_graph *g, const char *name, ir_ref x, const int *axes, unsigned n,
                           int correction, bool keepdim) {
    bool set[IR_MAX_RANK];
    ir_ref nan;
    if (!x || !ir_axis_set(g, name, x, axes, n, set)) return 0;
    if (ir_is_complex(ir_dtype(g, x))) return ir_not_for_complex(g, IR_NIL, name);
    x = without_nan(g, ir_math_in(g, x), 0, &nan);
    bz_dtype t = ir_dtype(g, x);
    ir_ref sum = ir_reduce(g, IR_SUM, x, axes, n, true);
    ir_ref mean = ir_over(g, sum, count_numbers(g, x, nan, set, axes, n, true, t));
    ir_ref d = ir_minus(g, x, mean);
    d = ir_build3(g, IR_SELECT, nan, ir_num(g, x, 0), d);
    ir_ref squares = ir_reduce(g, IR_SUM, ir_times(g, d, d), axes, n, keepdim);
    ir_ref free =
        ir_minus(g, count_numbers(g, x, nan, set, axes, n, keepdim, t), ir_num(g, x, correction));
    ir_ref some = ir_build2(g, IR_LT, ir_num(g, x, 0), free);
    free = ir_build3(g, IR_SELECT, some, free, ir_num(g, x, (double)NAN));
    return ir_over(g, squares, free);
}

ir_ref ir_nanvar(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, int correction,
                 bool keepdim) {
    return x ? ir_math_out(g, nan_variance(g, "nanvar", x, axes, naxes, correction, keepdim),
                           ir_dtype(g, x))
             : 0;
}

ir_ref ir_nanstd(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, int correction,
                 bool keepdim) {
    if (!x) return 0;
    ir_ref v = nan_variance(g, "nanstd", x, axes, naxes, correction, keepdim);
    return ir_math_out(g, root(g, v), ir_dtype(g, x));
}

/* The extreme of what is no NaN; NaN where nothing is. */
static ir_ref nan_extreme(ir_graph *g, ir_reduce_kind kind, ir_ref x, const int *axes, unsigned n,
                          bool keepdim) {
    ir_ref nan, y = without_nan(g, x, kind == IR_RMAX ? -INFINITY : INFINITY, &nan);
    ir_ref r = ir_reduce(g, kind, y, axes, n, keepdim);
    if (!nan || !r) return r;
    return ir_build3(g, IR_SELECT, ir_reduce(g, IR_ALL, nan, axes, n, keepdim),
                     ir_num(g, r, (double)NAN), r);
}

ir_ref ir_nanmax(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, bool keepdim) {
    return nan_extreme(g, IR_RMAX, x, axes, naxes, keepdim);
}

ir_ref ir_nanmin(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, bool keepdim) {
    return nan_extreme(g, IR_RMIN, x, axes, naxes, keepdim);
}

/* ---- along an axis */

/* Axis `axis` of x, which has one, from the front, and its size; false and an error. */
static bool sized_axis(ir_graph *g, const char *name, ir_ref x, int axis, unsigned *at,
                       int64_t *n) {
    if (!x || !ir_axis_of(g, name, x, axis, 0, at)) return false;
    if (ir_at(g, x)->rank == 0)
        return ir_error_as(g, BZ_EAXIS, name, "%s has no axis", ir_shape_text(g, x)), false;
    if (!ir_dim_value(g, ir_dims(g, ir_at(g, x))[*at], n))
        return ir_error_as(g, BZ_EUNSUPPORTED, name, "the sizes of %s must be known",
                           ir_shape_text(g, x)),
               false;
    return true;
}

ir_ref ir_diff(ir_graph *g, ir_ref x, int64_t n, int axis) {
    unsigned at;
    int64_t size;
    if (!sized_axis(g, "diff", x, axis, &at, &size)) return 0;
    if (n < 0) return ir_error_as(g, BZ_EARG, "diff", "n is negative (%lld)", (long long)n);
    bool truth = ir_dtype(g, x) == BZ_BOOL;
    for (n = n < size ? n : size; n > 0 && x && size > 0; n--, size--) {
        ir_ref low = ir_narrow(g, x, (int)at, 0, size - 1),
               high = ir_narrow(g, x, (int)at, 1, size - 1);
        x = truth ? ir_build2(g, IR_XOR, high, low) : ir_minus(g, high, low);
    }
    return x;
}

/* Sums of neighbours times their distance: x, [n] or of y's shape, or dx; in op-math. *at: the axis, *t: the dtype of the result. */
static ir_ref trapezoids(ir_graph *g, const char *name, ir_ref y, ir_ref x, double dx, int axis,
                         unsigned *at, bz_dtype *t) {
    int64_t n, m;
    if (!sized_axis(g, name, y, axis, at, &n)) return 0;
    *t = x ? ir_promote(ir_dtype(g, y), ir_dtype(g, x)) : ir_dtype(g, y);
    y = ir_math_in(g, y);
    bool few = n < 1;
    ir_ref low = ir_narrow(g, y, (int)*at, 0, few ? 0 : n - 1),
           high = ir_narrow(g, y, (int)*at, few ? 0 : 1, few ? 0 : n - 1);
    ir_ref both = ir_plus(g, low, high), width = ir_num(g, y, dx);
    if (x) {
        unsigned rank = ir_at(g, x)->rank, along = rank == 1 ? 0 : *at;
        if (rank == 0 || along >= rank || !ir_dim_value(g, ir_dims(g, ir_at(g, x))[along], &m) ||
            m != n)
            return ir_error_as(g, BZ_ESHAPE, name, "x %s has not the places of %s along axis %d",
                               ir_shape_text(g, x), ir_shape_text(g, y), axis);
        width = ir_diff(g, ir_math_in(g, x), 1, (int)along);
        for (unsigned a = *at + 1; rank == 1 && a < ir_at(g, y)->rank && width; a++)
            width = ir_unsqueeze(g, width, -1);
    }
    return ir_times(g, both, width);
}

/* Half the sum of these. */
ir_ref ir_trapezoid(ir_graph *g, ir_ref y, ir_ref x, double dx, int axis) {
    bz_dtype t;
    unsigned at;
    ir_ref parts = trapezoids(g, "trapezoid", y, x, dx, axis, &at, &t);
    if (!parts) return 0;
    ir_ref sum = ir_reduce(g, IR_SUM, parts, (int[]){(int)at}, 1, false);
    return ir_math_out(g, ir_times(g, sum, ir_num(g, sum, 0.5)), t);
}

/* Sums up to each place of what trapezoid adds up. */
ir_ref ir_cumulative_trapezoid(ir_graph *g, ir_ref y, ir_ref x, double dx, int axis) {
    bz_dtype t;
    unsigned at;
    ir_ref parts = trapezoids(g, "cumulative_trapezoid", y, x, dx, axis, &at, &t);
    return parts ? ir_math_out(g, ir_times(g, ir_cumsum(g, parts, (int)at, false, false), ir_num(g, parts, 0.5)), t) : 0;
}

/* ---- distances of all pairs: x [.., p, m], y [.., r, m] -> [.., p, r] */

ir_ref ir_cdist(ir_graph *g, ir_ref x, ir_ref y, double p) {
    bz_dtype t;
    if (!x || !y) return 0;
    const ir_node *nx = ir_at(g, x), *ny = ir_at(g, y);
    if (nx->rank < 2 || ny->rank < 2 ||
        ir_dims(g, nx)[nx->rank - 1] != ir_dims(g, ny)[ny->rank - 1])
        return ir_error_as(g, BZ_ESHAPE, "cdist", "%s and %s are no rows of one length",
                           ir_shape_text(g, x), ir_shape_text(g, y));
    if (!(p >= 0)) return ir_error_as(g, BZ_EARG, "cdist", "p >= 0 is needed");
    ir_ref left = ir_unsqueeze(g, x, -2), right = ir_unsqueeze(g, y, -3);
    if (!ir_formula_in(g, (ir_ref *[]){&left, &right}, 2, false, &t)) return 0;
    ir_ref d = ir_minus(g, left, right);
    return ir_math_out(g, ir_vector_norm(g, d, p, (int[]){-1}, 1, false), t);
}

/* ---- covariances: x [variables, observations], or [observations] */

/* Rows of weights of observations, or 0; false and an error. */
static bool weights(ir_graph *g, ir_ref x, ir_ref w, const char *what) {
    const ir_node *nx = ir_at(g, x), *nw = ir_at(g, w);
    if (!w || (nw->rank == 1 && ir_dims(g, nw)[0] == ir_dims(g, nx)[1])) return true;
    ir_error_as(g, BZ_ESHAPE, "cov", "%s %s is not one for each observation of %s", what,
                ir_shape_text(g, w), ir_shape_text(g, x));
    return false;
}

ir_ref ir_cov(ir_graph *g, ir_ref x, ir_ref fweights, ir_ref aweights, int correction) {
    if (x && ir_is_complex(ir_dtype(g, x))) return ir_not_for_complex(g, IR_NIL, "cov");
    if (!x) return 0;
    bz_dtype t = ir_dtype(g, x);
    unsigned rank = ir_at(g, x)->rank;
    if (rank > 2)
        return ir_error_as(g, BZ_ESHAPE, "cov", "%s has more than two axes", ir_shape_text(g, x));
    x = ir_math_in(g, x);
    while (x && ir_at(g, x)->rank < 2) x = ir_unsqueeze(g, x, 0);
    if (!x || !weights(g, x, fweights, "fweights") || !weights(g, x, aweights, "aweights"))
        return 0;
    bool last[IR_MAX_RANK] = {false, true};
    ir_ref w = fweights ? ir_math_in(g, fweights) : 0, free, total;
    if (aweights) w = w ? ir_times(g, w, ir_math_in(g, aweights)) : ir_math_in(g, aweights);
    if (w) w = ir_cast(g, w, ir_dtype(g, x));
    total = w ? ir_reduce(g, IR_SUM, w, NULL, 0, false) : ir_count(g, x, last, ir_dtype(g, x));
    ir_ref sum = ir_reduce(g, IR_SUM, w ? ir_times(g, x, w) : x, (int[]){1}, 1, true);
    ir_ref d = ir_minus(g, x, ir_over(g, sum, total));
    if (aweights && correction) {
        ir_ref a = ir_cast(g, ir_math_in(g, aweights), ir_dtype(g, x));
        ir_ref part = ir_over(g, ir_reduce(g, IR_SUM, ir_times(g, w, a), NULL, 0, false), total);
        free = ir_minus(g, total, ir_times(g, part, ir_num(g, x, correction)));
    } else {
        free = ir_minus(g, total, ir_num(g, x, correction));
    }
    free = ir_build2(g, IR_MAX, free, ir_num(g, x, 0));
    ir_ref weighted = w ? ir_times(g, d, w) : d,
           c = ir_dot(g, d, weighted, NULL, NULL, 0, (int[]){1}, (int[]){1}, 1);
    c = ir_over(g, c, free);
    return ir_math_out(g, rank < 2 ? ir_reshape_dims(g, c, NULL, 0) : c, t);
}

ir_ref ir_corrcoef(ir_graph *g, ir_ref x) {
    if (!x) return 0;
    bz_dtype t = ir_dtype(g, x);
    if (ir_at(g, x)->rank > 2)
        return ir_error_as(g, BZ_ESHAPE, "corrcoef", "%s has more than two axes",
                           ir_shape_text(g, x));
    ir_ref c = ir_cov(g, ir_math_in(g, x), 0, 0, 1);
    if (!c) return 0;
    if (ir_at(g, c)->rank == 0) return ir_math_out(g, ir_over(g, c, c), t);
    ir_ref s = ir_build1(g, IR_SQRT, ir_diagonal(g, c, 0, 0, 1));
    c = ir_over(g, ir_over(g, c, ir_unsqueeze(g, s, 1)), ir_unsqueeze(g, s, 0));
    ir_ref low = ir_num(g, c, -1), high = ir_num(g, c, 1);
    return ir_math_out(g, ir_build3(g, IR_CLAMP, c, low, high), t);
}
