/* compose_loss.c - losses against probabilities, counts and labels; those of one formula are in formulas.def. */
#include "src/ir/complex.h"
#include "src/ir/compose.h"

/* x times the weight, which broadcasts; 0: as it is. */
static ir_ref weighted(ir_graph *g, ir_ref x, ir_ref weight) {
    return weight ? ir_times(g, x, ir_cast(g, weight, ir_dtype(g, x))) : x;
}

/* log x, or log(1 - x), but at least -100, from which no gradient comes. */
static ir_ref log_of(ir_graph *g, ir_ref x, bool other) {
    ir_ref log = other ? ir_build1(g, IR_LOG1P, ir_build1(g, IR_NEG, x)) : ir_build1(g, IR_LOG, x);
    return ir_build2(g, IR_MAX, log, ir_num(g, x, -100));
}

/* -(y log x + (1 - y) log(1 - x)); the gradient is (x - y) / max(x (1 - x), 1e-12), finite at 0 and 1. */
ir_ref ir_binary_cross_entropy(ir_graph *g, ir_ref x, ir_ref y, ir_ref weight, int reduction) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x, &y}, 2, false, &t)) return 0;
    ir_ref sx = ir_build1(g, IR_STOP_GRADIENT, x), sy = ir_build1(g, IR_STOP_GRADIENT, y);
    ir_ref one = ir_num(g, x, 1), yes = log_of(g, sx, false), no = log_of(g, sx, true);
    ir_ref left = ir_times(g, ir_minus(g, sy, one), no);
    ir_ref loss = ir_minus(g, left, ir_times(g, sy, yes));
    ir_ref stand = ir_stand_in(g, loss), d = ir_stand_in(g, loss);
    if (!d) return 0;
    ir_ref spread = ir_times(g, ir_minus(g, one, x), x);
    ir_ref slope = ir_over(g, ir_minus(g, x, y), ir_build2(g, IR_MAX, spread, ir_num(g, x, 1e-12)));
    ir_ref log_no = log_of(g, x, true), lean = ir_minus(g, log_no, log_of(g, x, false));
    ir_ref back_x = ir_times(g, d, slope), back_y = ir_times(g, d, lean);
    ir_ref both = ir_custom_grad(g, (ir_ref[]){loss, stand, d, x, y, back_x, back_y}, 1, 2);
    return ir_loss_out(g, "binary_cross_entropy", weighted(g, ir_result(g, both, 0), weight),
                       reduction, t);
}

/* (1 - y) x + (1 + (pos_weight - 1) y) log(1 + e^-x) */
ir_ref ir_binary_cross_entropy_with_logits(ir_graph *g, ir_ref x, ir_ref y, ir_ref weight,
                                           ir_ref pos_weight, int reduction) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x, &y}, 2, false, &t)) return 0;
    ir_ref one = ir_num(g, x, 1), tail = ir_build1(g, IR_SOFTPLUS, ir_build1(g, IR_NEG, x));
    if (pos_weight) {
        ir_ref more = ir_minus(g, ir_cast(g, pos_weight, ir_dtype(g, x)), one);
        tail = ir_times(g, ir_plus(g, ir_times(g, more, y), one), tail);
    }
    ir_ref loss = ir_plus(g, ir_times(g, ir_minus(g, one, y), x), tail);
    return ir_loss_out(g, "binary_cross_entropy_with_logits", weighted(g, loss, weight), reduction,
                       t);
}

ir_ref ir_kl_div(ir_graph *g, ir_ref x, ir_ref y, int reduction, bool log_target) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x, &y}, 2, false, &t)) return 0;
    ir_ref loss;
    if (log_target) {
        ir_ref p = ir_build1(g, IR_EXP, y);
        loss = ir_times(g, p, ir_minus(g, y, x));
    } else { /* 0 log 0 is 0 */
        ir_ref none = ir_build2(g, IR_EQ, y, ir_num(g, y, 0));
        ir_ref log = ir_build1(g, IR_LOG, ir_build3(g, IR_SELECT, none, ir_num(g, y, 1), y));
        loss = ir_minus(g, ir_times(g, y, log), ir_times(g, y, x));
    }
    return ir_loss_out(g, "kl_div", loss, reduction, t);
}

/* log y! by Stirling's formula, 0 up to y = 1. */
static ir_ref stirling(ir_graph *g, ir_ref y) {
    ir_ref more = ir_build2(g, IR_LT, ir_num(g, y, 1), y);
    ir_ref safe = ir_build3(g, IR_SELECT, more, y, ir_num(g, y, 1)),
           log = ir_build1(g, IR_LOG, safe);
    ir_ref turn = ir_build1(g, IR_LOG, ir_times(g, safe, ir_num(g, y, 0x1.921fb54442d18p+2)));
    ir_ref s = ir_minus(g, ir_times(g, safe, log), safe);
    s = ir_plus(g, s, ir_times(g, ir_num(g, y, 0.5), turn));
    return ir_build3(g, IR_SELECT, more, s, ir_num(g, y, 0));
}

ir_ref ir_poisson_nll_loss(ir_graph *g, ir_ref x, ir_ref y, bool log_input, bool full, double eps,
                           int reduction) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x, &y}, 2, false, &t)) return 0;
    ir_ref rate = log_input ? ir_build1(g, IR_EXP, x) : x;
    ir_ref log = log_input ? x : ir_build1(g, IR_LOG, ir_plus(g, x, ir_num(g, x, eps)));
    ir_ref loss = ir_minus(g, rate, ir_times(g, y, log));
    if (full) loss = ir_plus(g, loss, stirling(g, y));
    return ir_loss_out(g, "poisson_nll_loss", loss, reduction, t);
}

ir_ref ir_gaussian_nll_loss(ir_graph *g, ir_ref x, ir_ref y, ir_ref var, bool full, double eps,
                            int reduction) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x, &y, &var}, 3, false, &t)) return 0;
    if (!(eps > 0)) return ir_error_as(g, BZ_EARG, "gaussian_nll_loss", "eps > 0 is needed");
    if (ir_is_complex(t)) return ir_not_for_complex(g, IR_NIL, "gaussian_nll_loss");
    var = ir_at_least_unseen(g, var, eps);
    ir_ref d = ir_minus(g, x, y), log = var ? ir_build1(g, IR_LOG, var) : 0;
    ir_ref sum = ir_plus(g, log, ir_over(g, ir_times(g, d, d), var));
    ir_ref loss = ir_times(g, ir_num(g, x, 0.5), sum);
    if (full) loss = ir_plus(g, loss, ir_num(g, x, 0x1.d67f1c864beb5p-1)); /* log(2 pi) / 2 */
    return ir_loss_out(g, "gaussian_nll_loss", loss, reduction, t);
}

ir_ref ir_multilabel_soft_margin_loss(ir_graph *g, ir_ref x, ir_ref y, ir_ref weight,
                                      int reduction) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x, &y}, 2, false, &t)) return 0;
    if (ir_at(g, x)->rank == 0)
        return ir_error_as(g, BZ_ESHAPE, "multilabel_soft_margin_loss", "%s has no axis of classes",
                           ir_shape_text(g, x));
    ir_ref yes = ir_build1(g, IR_SOFTPLUS, ir_build1(g, IR_NEG, x));
    ir_ref no = ir_build1(g, IR_SOFTPLUS, x), one = ir_num(g, x, 1);
    ir_ref hit = ir_times(g, y, yes), miss = ir_times(g, ir_minus(g, one, y), no);
    ir_ref loss = weighted(g, ir_plus(g, hit, miss), weight);
    return ir_loss_out(g, "multilabel_soft_margin_loss", ir_mean(g, loss, (int[]){-1}, 1, false),
                       reduction, t);
}
