/* compose_nn.c - softmax and its relatives, activations and normalisations, with PyTorch's
 * formulas. */
#include "src/ir/complex.h"
#include "src/ir/compose.h"

/* Is axis `a` of x known to have no element? */
static bool is_empty(const ir_graph *g, ir_ref x, unsigned a) {
    int64_t v;
    return a < ir_at(g, x)->rank && ir_dim_value(g, ir_dims(g, ir_at(g, x))[a], &v) && v == 0;
}

/* ---- softmax: the largest element goes to 0 first, so that exp never overflows. What would flow
 * into the maximum sums to zero over the row: gradients take it for a constant. */

static ir_ref stopped(ir_graph *g, ir_ref x) {
    return ir_build1(g, IR_STOP_GRADIENT, x);
}

/* x - max of the row, which is that of `same`. */
static ir_ref from_max(ir_graph *g, ir_ref x, ir_ref same, int axis) {
    return ir_minus(g, x, ir_reduce(g, IR_RMAX, same, &axis, 1, true));
}

/* *shifted = x - max of the row; result: exp of it. */
static ir_ref shifted_exp(ir_graph *g, ir_ref x, int axis, ir_ref *shifted) {
    *shifted = from_max(g, x, stopped(g, x), axis);
    return ir_build1(g, IR_EXP, *shifted);
}

/* p = softmax x with the gradient p (d - sum d p), which needs nothing else of the way to p. */
static ir_ref softmax_of(ir_graph *g, ir_ref x, int axis) {
    ir_ref from = stopped(g, x), e = ir_build1(g, IR_EXP, from_max(g, from, from, axis));
    ir_ref p = ir_over(g, e, ir_reduce(g, IR_SUM, e, &axis, 1, true));
    ir_ref y = ir_stand_in(g, p), d = ir_stand_in(g, p);
    ir_ref sum = ir_reduce(g, IR_SUM, ir_times(g, d, y), &axis, 1, true);
    ir_ref back = ir_times(g, ir_minus(g, d, sum), y);
    return ir_result(g, ir_custom_grad(g, (ir_ref[]){p, y, d, x, back}, 1, 1), 0);
}

ir_ref ir_softmax(ir_graph *g, ir_ref x, int axis) {
    unsigned at;
    bz_dtype t = ir_dtype(g, x);
    if (!ir_axis_of(g, "softmax", x, axis, 0, &at)) return 0;
    if (is_empty(g, x, at)) return ir_math_out(g, x, t);
    return ir_math_out(g, softmax_of(g, ir_math_in(g, x), axis), t);
}

ir_ref ir_log_softmax(ir_graph *g, ir_ref x, int axis) {
    unsigned at;
    ir_ref shifted;
    bz_dtype t = ir_dtype(g, x);
    if (!ir_axis_of(g, "log_softmax", x, axis, 0, &at)) return 0;
    if (is_empty(g, x, at)) return ir_math_out(g, x, t);
    ir_ref sum =
        ir_reduce(g, IR_SUM, shifted_exp(g, ir_math_in(g, x), axis, &shifted), &axis, 1, true);
    return ir_math_out(g, ir_minus(g, shifted, ir_build1(g, IR_LOG, sum)), t);
}

/* The maximum over the axes, or 0 where it is an infinity: inf - inf must not make a NaN. */
static ir_ref finite_max(ir_graph *g, ir_ref x, const int *axes, unsigned n) {
    ir_ref max = ir_reduce(g, IR_RMAX, x, axes, n, true);
    ir_ref inf = ir_build1(g, IR_ISINF, max);
    return ir_build3(g, IR_SELECT, inf, ir_num(g, x, 0), max);
}

/* x without the axes of the set, which have size 1. */
static ir_ref drop_axes(ir_graph *g, ir_ref x, const bool *set) {
    ir_dim dims[IR_MAX_RANK];
    unsigned n = 0;
    for (unsigned a = 0; a < ir_at(g, x)->rank; a++) {
        if (!set[a]) dims[n++] = ir_dims(g, ir_at(g, x))[a];
    }
    return ir_reshape_dims(g, x, dims, n);
}

ir_ref ir_logsumexp(ir_graph *g, ir_ref x, const int *axes, unsigned n, bool keepdim) {
    bool set[IR_MAX_RANK], empty = false;
    bz_dtype t = ir_dtype(g, x);
    if (!ir_axis_set(g, "logsumexp", x, axes, n, set)) return 0;
    for (unsigned a = 0; a < ir_at(g, x)->rank; a++) empty = empty || (set[a] && is_empty(g, x, a));
    x = ir_math_in(g, x);
    ir_ref max = empty ? 0 : finite_max(g, stopped(g, x), axes, n);
    ir_ref e = ir_build1(g, IR_EXP, empty ? x : ir_minus(g, x, max));
    ir_ref r = ir_build1(g, IR_LOG, ir_reduce(g, IR_SUM, e, axes, n, keepdim));
    if (empty) /* the logarithm of an empty sum: -inf */
        return ir_math_out(g, r, t);
    if (!keepdim) max = drop_axes(g, max, set);
    return ir_math_out(g, ir_plus(g, r, max), t);
}

/* ---- activations */

/* x/2 (1 + erf(x / sqrt 2)), or with tanh(sqrt(2 / pi) (x + 0.044715 x^3)) for the erf */
ir_ref ir_gelu(ir_graph *g, ir_ref x, bool tanh_form) {
    bz_dtype t = ir_dtype(g, x);
    x = ir_math_in(g, x);
    ir_ref gate;
    if (tanh_form) {
        ir_ref cube = ir_times(g, ir_times(g, x, x), x);
        ir_ref inner = ir_plus(g, x, ir_times(g, cube, ir_num(g, x, 0.044715)));
        gate = ir_build1(g, IR_TANH, ir_times(g, inner, ir_num(g, x, 0x1.9884533d43651p-1)));
    } else {
        gate = ir_build1(g, IR_ERF, ir_times(g, x, ir_num(g, x, 0x1.6a09e667f3bcdp-1)));
    }
    ir_ref half = ir_times(g, x, ir_num(g, x, 0.5));
    return ir_math_out(g, ir_times(g, half, ir_plus(g, gate, ir_num(g, x, 1))), t);
}

ir_ref ir_silu(ir_graph *g, ir_ref x) {
    bz_dtype t = ir_dtype(g, x);
    x = ir_math_in(g, x);
    return ir_math_out(g, ir_times(g, x, ir_build1(g, IR_SIGMOID, x)), t);
}

/* ---- normalisations */

/* 1 / sqrt(v + eps) */
static ir_ref inverse_deviation(ir_graph *g, ir_ref v, double eps) {
    return ir_build1(g, IR_RSQRT, ir_plus(g, v, ir_num(g, v, eps)));
}

/* Does w have the shape of the last axes of x? */
static bool fits_last_axes(const ir_graph *g, ir_ref x, ir_ref w, unsigned ndims) {
    const ir_node *nx = ir_at(g, x), *nw = ir_at(g, w);
    if (nw->rank != ndims) return false;
    for (unsigned a = 0; a < ndims; a++) {
        if (ir_dims(g, nw)[a] != ir_dims(g, nx)[nx->rank - ndims + a]) return false;
    }
    return true;
}

static bool check_norm(ir_graph *g, const char *name, ir_ref x, int ndims) {
    const int rank = ir_at(g, x)->rank;
    if (ir_is_complex(ir_dtype(g, x)))
        ir_not_for_complex(g, IR_NIL, name);
    else if (rank == 0)
        ir_error_as(g, BZ_EAXIS, name, "%s has no axis to normalise along", ir_shape_text(g, x));
    else if (ndims < 1 || ndims > rank)
        ir_error_as(g, BZ_EAXIS, name, "the last %d axes of %s: 1 to %d are possible", ndims,
                    ir_shape_text(g, x), rank);
    return g->err.status == BZ_OK;
}

static bool check_factor(ir_graph *g, const char *name, const char *what, ir_ref x, ir_ref w,
                         unsigned ndims) {
    if (!w || fits_last_axes(g, x, w, ndims)) return true;
    ir_error_as(g, BZ_ESHAPE, name, "%s %s does not fit the last %u ax%s of %s", what,
                ir_shape_text(g, w), ndims, ndims == 1 ? "is" : "es", ir_shape_text(g, x));
    return false;
}

/* Two reductions over the row: mean, then the mean of squares of what is left. Exact where E[x^2] -
 * E[x]^2 cancels. */
ir_ref ir_layer_norm(ir_graph *g, ir_ref x, ir_ref weight, ir_ref bias, int ndims, double eps) {
    int axes[IR_MAX_RANK];
    const unsigned n = (unsigned)ndims;
    bz_dtype t = ir_dtype(g, x);
    if (!check_norm(g, "layer_norm", x, ndims) ||
        !check_factor(g, "layer_norm", "weight", x, weight, n) ||
        !check_factor(g, "layer_norm", "bias", x, bias, n))
        return 0;
    for (int a = 0; a < ndims; a++) axes[a] = a - ndims;
    x = ir_math_in(g, x);
    ir_ref d = ir_minus(g, x, ir_mean(g, x, axes, n, true));
    ir_ref var = ir_mean(g, ir_times(g, d, d), axes, n, true);
    ir_ref y = ir_times(g, d, inverse_deviation(g, var, eps));
    if (weight) y = ir_times(g, y, ir_math_in(g, weight));
    if (bias) y = ir_plus(g, y, ir_math_in(g, bias));
    return ir_math_out(g, y, t);
}

ir_ref ir_rms_norm(ir_graph *g, ir_ref x, ir_ref weight, double eps) {
    bz_dtype t = ir_dtype(g, x);
    if (!check_norm(g, "rms_norm", x, 1) || !check_factor(g, "rms_norm", "weight", x, weight, 1))
        return 0;
    x = ir_math_in(g, x);
    ir_ref mean = ir_mean(g, ir_times(g, x, x), (int[]){-1}, 1, true);
    ir_ref y = ir_times(g, x, inverse_deviation(g, mean, eps));
    return ir_math_out(g, weight ? ir_times(g, y, ir_math_in(g, weight)) : y, t);
}
