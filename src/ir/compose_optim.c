/* compose_optim.c - one step of an optimizer for one parameter, as PyTorch's SGD, Adam and AdamW
 * (single-tensor form).
 *
 * A parameter of f16 or bf16 is updated in f32 and rounded once; moments keep the dtype that they
 * come in. What depends on the step number alone is 0-d and computed in f64: 1 - 0.999^t has only
 * three good digits in f32. */
#include "src/ir/compose.h"

/* The parameter is floating, everything has its shape. */
static bool check_shapes(ir_graph *g, const char *name, ir_ref p, const ir_ref *same, unsigned n) {
    if (p && !ir_is_float(ir_dtype(g, p)))
        ir_error_as(g, BZ_EDTYPE, name, "the parameter must be floating, not %s",
                    ir_shape_text(g, p));
    for (unsigned i = 0; i < n; i++) {
        if (p && same[i] && !ir_same_shape(g, p, same[i]))
            ir_error_as(g, BZ_ESHAPE, name, "%s does not have the shape of the parameter %s",
                        ir_shape_text(g, same[i]), ir_shape_text(g, p));
    }
    return g->err.status == BZ_OK && p;
}

/* The old value where a 0-d condition says that the step is skipped (0: it is not), else the new one. */
static ir_ref unless(ir_graph *g, ir_ref skipped, ir_ref old, ir_ref next) {
    if (!skipped) return next;
    return ir_build3(g, IR_SELECT, ir_scalar_in(g, "step", "found_inf", skipped, BZ_BOOL), old,
                     next);
}

/* c * x */
static ir_ref scale(ir_graph *g, ir_ref x, double c) {
    return ir_times(g, x, ir_num(g, x, c));
}

ir_ref ir_sgd(ir_graph *g, ir_ref p, ir_ref grad, ir_ref lr, double momentum, double weight_decay,
              bool nesterov, ir_ref *velocity, ir_ref found_inf) {
    ir_ref old = velocity ? *velocity : 0;
    bz_dtype t = ir_dtype(g, p);
    if (momentum != 0 && !old && !g->err.status)
        return ir_error_as(g, BZ_EARG, "sgd", "momentum %g needs a velocity", momentum);
    if (nesterov && momentum == 0)
        return ir_error_as(g, BZ_EARG, "sgd", "nesterov needs a momentum");
    if (!check_shapes(g, "sgd", p, (ir_ref[]){grad, old}, 2)) return 0;
    const ir_ref from = p;
    p = ir_math_in(g, p);
    ir_ref d = ir_cast(g, grad, ir_dtype(g, p));
    if (weight_decay != 0) d = ir_plus(g, d, scale(g, p, weight_decay));
    if (momentum != 0) {
        ir_ref v = ir_plus(g, scale(g, ir_cast(g, old, ir_dtype(g, p)), momentum), d);
        *velocity = unless(g, found_inf, old, ir_cast(g, v, ir_dtype(g, old)));
        d = nesterov ? ir_plus(g, d, scale(g, v, momentum)) : v;
    }
    ir_ref rate = ir_cast(g, ir_scalar_in(g, "sgd", "lr", lr, BZ_F64), ir_dtype(g, p));
    return unless(g, found_inf, from, ir_cast(g, ir_minus(g, p, ir_times(g, d, rate)), t));
}

/* 1 - beta^t, f64 */
static ir_ref bias_correction(ir_graph *g, double beta, ir_ref t) {
    ir_ref power = ir_build2(g, IR_POW, ir_const_f(g, BZ_F64, beta), t);
    return ir_minus(g, ir_const_f(g, BZ_F64, 1), power);
}

ir_ref ir_adam(ir_graph *g, ir_ref p, ir_ref grad, ir_ref *m, ir_ref *v, ir_ref t, ir_ref lr,
               double beta1, double beta2, double eps, double weight_decay, bool decoupled,
               ir_ref found_inf) {
    const char *name = decoupled ? "adamw" : "adam";
    bz_dtype tp = ir_dtype(g, p), tm = ir_dtype(g, *m), tv = ir_dtype(g, *v);
    t = ir_scalar_in(g, name, "t", t, BZ_F64);
    lr = ir_scalar_in(g, name, "lr", lr, BZ_F64);
    if (!check_shapes(g, name, p, (ir_ref[]){grad, *m, *v}, 3)) return 0;
    const ir_ref from[] = {p, *m, *v};
    p = ir_math_in(g, p);
    bz_dtype c = ir_dtype(g, p);
    ir_ref d = ir_cast(g, grad, c), old_m = ir_cast(g, *m, c), old_v = ir_cast(g, *v, c);
    if (weight_decay != 0 && decoupled) {
        ir_ref keep = ir_minus(g, ir_const_f(g, BZ_F64, 1), scale(g, lr, weight_decay));
        p = ir_times(g, p, ir_cast(g, keep, c));
    } else if (weight_decay != 0) {
        d = ir_plus(g, d, scale(g, p, weight_decay));
    }
    ir_ref new_m = ir_plus(g, old_m, scale(g, ir_minus(g, d, old_m), 1 - beta1));
    ir_ref square = scale(g, ir_times(g, d, d), 1 - beta2);
    ir_ref new_v = ir_plus(g, scale(g, old_v, beta2), square);
    ir_ref step = ir_cast(g, ir_over(g, lr, bias_correction(g, beta1, t)), c);
    ir_ref root = ir_cast(g, ir_build1(g, IR_SQRT, bias_correction(g, beta2, t)), c);
    ir_ref deviation =
        ir_plus(g, ir_over(g, ir_build1(g, IR_SQRT, new_v), root), ir_const_f(g, c, eps));
    ir_ref next = ir_minus(g, p, ir_times(g, ir_over(g, new_m, deviation), step));
    *m = unless(g, found_inf, from[1], ir_cast(g, new_m, tm));
    *v = unless(g, found_inf, from[2], ir_cast(g, new_v, tv));
    return unless(g, found_inf, from[0], ir_cast(g, next, tp));
}
