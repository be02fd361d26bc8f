/* compose_taper.c - windows that fade a stretch of a signal in and out, as torch.hann_window and its kin have them.
 *
 * Value k of n is f(k / m), m = n where the window is periodic, else n - 1: both ends are values then. One value is 1. All is computed in f64
 * and rounded once. */
#include "src/ir/compose.h"

#include <math.h>

/* k * turn / m for the n values, in f64. *one: there is only one, or none; 0, with an error, for what is no window. */
static ir_ref places(ir_graph *g, const char *name, int64_t n, bool periodic, double turn,
                     bz_dtype dtype, bool *one) {
    if (!ir_is_float(dtype))
        return ir_error_as(g, BZ_EDTYPE, name, "wants a floating dtype, not %s",
                           ir_dtypes[dtype].name);
    if (n < 0) return ir_error_as(g, BZ_ESHAPE, name, "[%lld] is no shape", (long long)n);
    const ir_dim dim = ir_dim_const(g, n);
    const double m = (double)(periodic ? n : n - 1);
    *one = n < 2;
    ir_ref k = ir_iota(g, BZ_F64, &dim, 1, 0);
    return *one ? ir_ones_like(g, k) : ir_times(g, k, ir_const_f(g, BZ_F64, turn / m));
}

/* a[0] - a[1] cos(t) + a[2] cos(2 t) over a turn. */
static ir_ref cosines(ir_graph *g, const char *name, int64_t n, bool periodic, const double a[3],
                      bz_dtype dtype) {
    bool one;
    ir_ref t = places(g, name, n, periodic, 2 * 3.14159265358979323846, dtype, &one);
    if (!t || one) return ir_cast(g, t, dtype);
    ir_ref wave = ir_times(g, ir_build1(g, IR_COS, t), ir_const_f(g, BZ_F64, a[1]));
    ir_ref y = ir_minus(g, ir_const_f(g, BZ_F64, a[0]), wave);
    if (a[2] != 0) {
        ir_ref twice = ir_build1(g, IR_COS, ir_times(g, t, ir_const_f(g, BZ_F64, 2)));
        y = ir_plus(g, y, ir_times(g, twice, ir_const_f(g, BZ_F64, a[2])));
    }
    return ir_cast(g, y, dtype);
}

ir_ref ir_hann_window(ir_graph *g, int64_t n, bool periodic, bz_dtype dtype) {
    return cosines(g, "hann_window", n, periodic, (double[]){0.5, 0.5, 0}, dtype);
}

ir_ref ir_hamming_window(ir_graph *g, int64_t n, bool periodic, double alpha, double beta,
                         bz_dtype dtype) {
    return cosines(g, "hamming_window", n, periodic, (double[]){alpha, beta, 0}, dtype);
}

ir_ref ir_blackman_window(ir_graph *g, int64_t n, bool periodic, bz_dtype dtype) {
    return cosines(g, "blackman_window", n, periodic, (double[]){0.42, 0.5, 0.08}, dtype);
}

/* From -1 to 1. */
static ir_ref across(ir_graph *g, ir_ref t) {
    return ir_minus(g, t, ir_const_f(g, BZ_F64, 1));
}

ir_ref ir_bartlett_window(ir_graph *g, int64_t n, bool periodic, bz_dtype dtype) {
    bool one;
    ir_ref t = places(g, "bartlett_window", n, periodic, 2, dtype, &one);
    if (!t || one) return ir_cast(g, t, dtype);
    ir_ref far = ir_build1(g, IR_ABS, across(g, t));
    return ir_cast(g, ir_minus(g, ir_const_f(g, BZ_F64, 1), far), dtype);
}

ir_ref ir_kaiser_window(ir_graph *g, int64_t n, bool periodic, double beta, bz_dtype dtype) {
    bool one;
    ir_ref t = places(g, "kaiser_window", n, periodic, 2, dtype, &one);
    if (!t || one) return ir_cast(g, t, dtype);
    ir_ref b = ir_const_f(g, BZ_F64, beta), far = across(g, t);
    ir_ref left = ir_minus(g, ir_const_f(g, BZ_F64, 1), ir_times(g, far, far));
    left = ir_build2(g, IR_MAX, left, ir_const_f(g, BZ_F64, 0));
    ir_ref y = ir_build1(g, IR_I0, ir_times(g, b, ir_build1(g, IR_SQRT, left)));
    ir_ref top = ir_build1(g, IR_I0, b);
    return ir_cast(g, ir_build2(g, IR_DIV, y, top), dtype);
}
