/* compose_scaler.c - dynamic loss scaling, torch.amp.GradScaler's rules as values: what is decided is decided where the values are.
 *
 *     loss * scale --grad--> d --grad_norm--> norm, found_inf --> unscale, a step that is skipped, the next scale
 *
 * One fold over each gradient is both the norm and the check: the squares of f32 add up in f64, where they are finite if they were. */
#include "src/ir/compose.h"

#include <math.h>

ir_ref ir_grad_norm(ir_graph *g, ir_ref scale, const ir_ref *x, unsigned n, ir_ref *found_inf) {
    ir_ref sum = ir_const_f(g, BZ_F64, 0);
    if (scale) scale = ir_scalar_in(g, "grad_norm", "scale", scale, BZ_F64);
    for (unsigned i = 0; i < n; i++) {
        if (!ir_is_float(ir_dtype(g, x[i])))
            return ir_error_as(g, BZ_EDTYPE, "grad_norm", "a gradient is floating, not %s",
                               ir_shape_text(g, x[i]));
        ir_ref d = ir_cast(g, x[i], BZ_F64);
        ir_ref square = ir_reduce(g, IR_SUM, ir_times(g, d, d), NULL, 0, false);
        sum = i ? ir_plus(g, sum, square) : square;
    }
    *found_inf = ir_build1(g, IR_LNOT, ir_build1(g, IR_ISFINITE, sum));
    ir_ref norm = ir_build1(g, IR_SQRT, sum);
    return ir_cast(g, scale ? ir_over(g, norm, scale) : norm, BZ_F32);
}

ir_ref ir_unscale(ir_graph *g, ir_ref grad, ir_ref scale, ir_ref norm, double max_norm) {
    bz_dtype t = ir_dtype(g, grad);
    if (!ir_is_float(t) || t == BZ_F16)
        return ir_error_as(g, BZ_EDTYPE, "unscale", "f32, bf16 or f64 gradients, not %s%s",
                           ir_shape_text(g, grad),
                           t == BZ_F16 ? ": what is small vanishes; keep the weights in f32" : "");
    if (norm && !(max_norm > 0))
        return ir_error_as(g, BZ_EARG, "unscale", "max_norm must be positive, not %g", max_norm);
    ir_ref d = ir_math_in(g, grad);
    bz_dtype c = ir_dtype(g, d);
    if (scale) {
        ir_ref inverse =
            ir_build1(g, IR_RECIPROCAL, ir_scalar_in(g, "unscale", "scale", scale, BZ_F64));
        d = ir_times(g, d, ir_cast(g, inverse, c));
    }
    if (norm) {
        norm = ir_scalar_in(g, "unscale", "norm", norm, BZ_F32);
        ir_ref clip =
            ir_over(g, ir_num(g, norm, max_norm), ir_plus(g, norm, ir_num(g, norm, 1e-6)));
        d = ir_times(g, d, ir_cast(g, ir_build2(g, IR_MIN, clip, ir_num(g, norm, 1)), c));
    }
    return ir_cast(g, d, t);
}

/* After an overflow the scale is backed off, after `interval` steps without it grows unless it would not be finite. */
ir_ref ir_grad_scaler_update(ir_graph *g, ir_ref scale, ir_ref *growth_tracker, ir_ref found_inf,
                             double growth_factor, double backoff_factor, int64_t growth_interval) {
    static const char name[] = "grad_scaler_update";
    bool factors =
        growth_factor > 1 && isfinite(growth_factor) && backoff_factor > 0 && backoff_factor < 1;
    if (!factors || growth_interval < 1)
        return ir_error_as(g, BZ_EARG, name,
                           "growth_factor %g must be above 1, backoff_factor %g between 0 and 1, "
                           "growth_interval %lld at least 1",
                           growth_factor, backoff_factor, (long long)growth_interval);
    bz_dtype t = ir_dtype(g, scale), tt = ir_dtype(g, *growth_tracker);
    if (!ir_is_float(t) || !ir_is_int(tt))
        return ir_error_as(g, BZ_EDTYPE, name,
                           "a floating scale and an integer growth_tracker, not %s and %s",
                           ir_shape_text(g, scale), ir_shape_text(g, *growth_tracker));
    ir_ref steps = ir_scalar_in(g, name, "growth_tracker", *growth_tracker, tt);
    found_inf = ir_scalar_in(g, name, "found_inf", found_inf, BZ_BOOL);
    ir_ref old = ir_scalar_in(g, name, "scale", scale, BZ_F64), zero = ir_const_i(g, tt, 0);
    steps = ir_plus(g, steps, ir_const_i(g, tt, 1));
    ir_ref due =
        ir_build2(g, IR_EQ, ir_cast(g, steps, BZ_I64), ir_const_i(g, BZ_I64, growth_interval));
    ir_ref grown = ir_cast(g, ir_times(g, old, ir_num(g, old, growth_factor)), t);
    ir_ref grows = ir_build2(g, IR_AND, due, ir_build1(g, IR_ISFINITE, grown));
    ir_ref less = ir_cast(g, ir_times(g, old, ir_num(g, old, backoff_factor)), t);
    ir_ref reset = ir_build2(g, IR_OR, found_inf, due);
    *growth_tracker = ir_build3(g, IR_SELECT, reset, zero, steps);
    return ir_build3(g, IR_SELECT, found_inf, less, ir_build3(g, IR_SELECT, grows, grown, scale));
}
