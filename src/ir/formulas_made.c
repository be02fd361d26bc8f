/* formulas_made.c - compositions that are one formula each. Made by tools/api.py from src/ir/formulas.def: do not edit. */
#include "src/ir/compose.h"

#include <math.h>

/* clang-format off */

ir_ref ir_elu(ir_graph *g, ir_ref x, double alpha) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x}, 1, false, &t)) return 0;
    ir_ref v1 = ir_num(g, x, 0.0);
    ir_ref v2 = ir_build2(g, IR_GT, x, v1);
    ir_ref v3 = ir_build3(g, IR_SELECT, v2, v1, x);
    ir_ref v4 = ir_build1(g, IR_EXPM1, v3);
    ir_ref v5 = ir_num(g, v4, alpha);
    ir_ref v6 = ir_build2(g, IR_MUL, v5, v4);
    ir_ref v7 = ir_build3(g, IR_SELECT, v2, x, v6);
    return ir_math_out(g, v7, t);
}

ir_ref ir_selu(ir_graph *g, ir_ref x) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x}, 1, false, &t)) return 0;
    ir_ref v1 = ir_num(g, x, 0.0);
    ir_ref v2 = ir_build2(g, IR_GT, x, v1);
    ir_ref v3 = ir_num(g, x, 1.0507009873554804934);
    ir_ref v4 = ir_build2(g, IR_MUL, x, v3);
    ir_ref v5 = ir_build3(g, IR_SELECT, v2, v1, x);
    ir_ref v6 = ir_build1(g, IR_EXPM1, v5);
    ir_ref v7 = ir_num(g, v6, 1.0507009873554804934 * 1.6732632423543772848);
    ir_ref v8 = ir_build2(g, IR_MUL, v6, v7);
    ir_ref v9 = ir_build3(g, IR_SELECT, v2, v4, v8);
    return ir_math_out(g, v9, t);
}

ir_ref ir_celu(ir_graph *g, ir_ref x, double alpha) {
    bz_dtype t;
    if (!(alpha != 0))
        return ir_error_as(g, BZ_EARG, "celu", "alpha != 0 is needed");
    if (!ir_formula_in(g, (ir_ref *[]){&x}, 1, false, &t)) return 0;
    ir_ref v1 = ir_num(g, x, 0.0);
    ir_ref v2 = ir_build2(g, IR_GT, x, v1);
    ir_ref v3 = ir_build3(g, IR_SELECT, v2, v1, x);
    ir_ref v4 = ir_num(g, v3, 1.0 / alpha);
    ir_ref v5 = ir_build2(g, IR_MUL, v3, v4);
    ir_ref v6 = ir_build1(g, IR_EXPM1, v5);
    ir_ref v7 = ir_num(g, v6, alpha);
    ir_ref v8 = ir_build2(g, IR_MUL, v7, v6);
    ir_ref v9 = ir_build3(g, IR_SELECT, v2, x, v8);
    return ir_math_out(g, v9, t);
}

ir_ref ir_leaky_relu(ir_graph *g, ir_ref x, double negative_slope) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x}, 1, false, &t)) return 0;
    ir_ref v1 = ir_num(g, x, 0.0);
    ir_ref v2 = ir_build2(g, IR_GT, x, v1);
    ir_ref v3 = ir_num(g, x, negative_slope);
    ir_ref v4 = ir_build2(g, IR_MUL, x, v3);
    ir_ref v5 = ir_build3(g, IR_SELECT, v2, x, v4);
    return ir_math_out(g, v5, t);
}

ir_ref ir_rrelu(ir_graph *g, ir_ref x, double lower, double upper) {
    bz_dtype t;
    if (!(lower <= upper))
        return ir_error_as(g, BZ_EARG, "rrelu", "lower <= upper is needed");
    if (!ir_formula_in(g, (ir_ref *[]){&x}, 1, false, &t)) return 0;
    ir_ref v1 = ir_num(g, x, 0.0);
    ir_ref v2 = ir_build2(g, IR_GT, x, v1);
    ir_ref v3 = ir_num(g, x, (lower + upper) / 2.0);
    ir_ref v4 = ir_build2(g, IR_MUL, x, v3);
    ir_ref v5 = ir_build3(g, IR_SELECT, v2, x, v4);
    return ir_math_out(g, v5, t);
}

ir_ref ir_relu6(ir_graph *g, ir_ref x) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x}, 1, true, &t)) return 0;
    ir_ref v1 = ir_num(g, x, 0.0);
    ir_ref v2 = ir_build2(g, IR_LE, x, v1);
    ir_ref v3 = ir_num(g, x, 6.0);
    ir_ref v4 = ir_build2(g, IR_GE, x, v3);
    ir_ref v5 = ir_build3(g, IR_SELECT, v4, v3, x);
    ir_ref v6 = ir_num(g, v5, 0.0);
    ir_ref v7 = ir_build3(g, IR_SELECT, v2, v6, v5);
    return v7;
}

ir_ref ir_hardtanh(ir_graph *g, ir_ref x, double min_val, double max_val) {
    bz_dtype t;
    if (!(min_val <= max_val))
        return ir_error_as(g, BZ_EARG, "hardtanh", "min_val <= max_val is needed");
    if (!ir_formula_in(g, (ir_ref *[]){&x}, 1, true, &t)) return 0;
    ir_ref v1 = ir_num(g, x, min_val);
    ir_ref v2 = ir_build2(g, IR_LE, x, v1);
    ir_ref v3 = ir_num(g, x, max_val);
    ir_ref v4 = ir_build2(g, IR_GE, x, v3);
    ir_ref v5 = ir_build3(g, IR_SELECT, v4, v3, x);
    ir_ref v6 = ir_num(g, v5, min_val);
    ir_ref v7 = ir_build3(g, IR_SELECT, v2, v6, v5);
    return v7;
}

ir_ref ir_hardsigmoid(ir_graph *g, ir_ref x) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x}, 1, false, &t)) return 0;
    ir_ref v1 = ir_num(g, x, -3.0);
    ir_ref v2 = ir_build2(g, IR_LE, x, v1);
    ir_ref v3 = ir_num(g, x, 3.0);
    ir_ref v4 = ir_build2(g, IR_GE, x, v3);
    ir_ref v5 = ir_build2(g, IR_ADD, x, v3);
    ir_ref v6 = ir_num(g, v5, 6.0);
    ir_ref v7 = ir_build2(g, IR_DIV, v5, v6);
    ir_ref v8 = ir_num(g, v7, 1.0);
    ir_ref v9 = ir_build3(g, IR_SELECT, v4, v8, v7);
    ir_ref v10 = ir_num(g, v9, 0.0);
    ir_ref v11 = ir_build3(g, IR_SELECT, v2, v10, v9);
    return ir_math_out(g, v11, t);
}

ir_ref ir_hardswish(ir_graph *g, ir_ref x) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x}, 1, false, &t)) return 0;
    ir_ref v1 = ir_build1(g, IR_ABS, x);
    ir_ref v2 = ir_num(g, v1, 3.0);
    ir_ref v3 = ir_build2(g, IR_LT, v1, v2);
    ir_ref v4 = ir_num(g, x, 0.0);
    ir_ref v5 = ir_build3(g, IR_SELECT, v3, x, v4);
    ir_ref v6 = ir_num(g, x, -3.0);
    ir_ref v7 = ir_build2(g, IR_LE, x, v6);
    ir_ref v8 = ir_build2(g, IR_MUL, x, v4);
    ir_ref v9 = ir_num(g, x, 3.0);
    ir_ref v10 = ir_build2(g, IR_LT, x, v9);
    ir_ref v11 = ir_num(g, v5, 3.0);
    ir_ref v12 = ir_build2(g, IR_ADD, v5, v11);
    ir_ref v13 = ir_build2(g, IR_MUL, v5, v12);
    ir_ref v14 = ir_num(g, v13, 6.0);
    ir_ref v15 = ir_build2(g, IR_DIV, v13, v14);
    ir_ref v16 = ir_build3(g, IR_SELECT, v10, v15, x);
    ir_ref v17 = ir_build3(g, IR_SELECT, v7, v8, v16);
    return ir_math_out(g, v17, t);
}

ir_ref ir_hardshrink(ir_graph *g, ir_ref x, double lambd) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x}, 1, false, &t)) return 0;
    ir_ref v1 = ir_num(g, x, -lambd);
    ir_ref v2 = ir_build2(g, IR_GE, x, v1);
    ir_ref v3 = ir_num(g, x, lambd);
    ir_ref v4 = ir_build2(g, IR_LE, x, v3);
    ir_ref v5 = ir_build2(g, IR_AND, v2, v4);
    ir_ref v6 = ir_num(g, x, 0.0);
    ir_ref v7 = ir_build3(g, IR_SELECT, v5, v6, x);
    return ir_math_out(g, v7, t);
}

ir_ref ir_softshrink(ir_graph *g, ir_ref x, double lambd) {
    bz_dtype t;
    if (!(lambd >= 0))
        return ir_error_as(g, BZ_EARG, "softshrink", "lambd >= 0 is needed");
    if (!ir_formula_in(g, (ir_ref *[]){&x}, 1, false, &t)) return 0;
    ir_ref v1 = ir_num(g, x, lambd);
    ir_ref v2 = ir_build2(g, IR_GT, x, v1);
    ir_ref v3 = ir_build2(g, IR_SUB, x, v1);
    ir_ref v4 = ir_num(g, x, -lambd);
    ir_ref v5 = ir_build2(g, IR_LT, x, v4);
    ir_ref v6 = ir_build2(g, IR_ADD, x, v1);
    ir_ref v7 = ir_num(g, x, 0.0);
    ir_ref v8 = ir_build2(g, IR_MUL, x, v7);
    ir_ref v9 = ir_build3(g, IR_SELECT, v5, v6, v8);
    ir_ref v10 = ir_build3(g, IR_SELECT, v2, v3, v9);
    return ir_math_out(g, v10, t);
}

ir_ref ir_tanhshrink(ir_graph *g, ir_ref x) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x}, 1, false, &t)) return 0;
    ir_ref v1 = ir_build1(g, IR_TANH, x);
    ir_ref v2 = ir_build2(g, IR_SUB, x, v1);
    return ir_math_out(g, v2, t);
}

ir_ref ir_threshold(ir_graph *g, ir_ref x, double threshold, double value) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x}, 1, true, &t)) return 0;
    ir_ref v1 = ir_num(g, x, threshold);
    ir_ref v2 = ir_build2(g, IR_LE, x, v1);
    ir_ref v3 = ir_num(g, x, value);
    ir_ref v4 = ir_build3(g, IR_SELECT, v2, v3, x);
    return v4;
}

ir_ref ir_mish(ir_graph *g, ir_ref x) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x}, 1, false, &t)) return 0;
    ir_ref v1 = ir_build1(g, IR_SOFTPLUS, x);
    ir_ref v2 = ir_build1(g, IR_TANH, v1);
    ir_ref v3 = ir_build2(g, IR_MUL, x, v2);
    return ir_math_out(g, v3, t);
}

ir_ref ir_softsign(ir_graph *g, ir_ref x) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x}, 1, false, &t)) return 0;
    ir_ref v1 = ir_build1(g, IR_ABS, x);
    ir_ref v2 = ir_num(g, v1, 1.0);
    ir_ref v3 = ir_build2(g, IR_ADD, v2, v1);
    ir_ref v4 = ir_build2(g, IR_DIV, x, v3);
    return ir_math_out(g, v4, t);
}

ir_ref ir_logsigmoid(ir_graph *g, ir_ref x) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x}, 1, false, &t)) return 0;
    ir_ref v1 = ir_build1(g, IR_NEG, x);
    ir_ref v2 = ir_build1(g, IR_SOFTPLUS, v1);
    ir_ref v3 = ir_build1(g, IR_NEG, v2);
    return ir_math_out(g, v3, t);
}

ir_ref ir_mse_loss(ir_graph *g, ir_ref x, ir_ref y, int reduction) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x, &y}, 2, false, &t)) return 0;
    ir_ref v1 = ir_build2(g, IR_SUB, x, y);
    ir_ref v2 = ir_build2(g, IR_MUL, v1, v1);
    return ir_loss_out(g, "mse_loss", v2, reduction, t);
}

ir_ref ir_l1_loss(ir_graph *g, ir_ref x, ir_ref y, int reduction) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x, &y}, 2, false, &t)) return 0;
    ir_ref v1 = ir_build2(g, IR_SUB, x, y);
    ir_ref v2 = ir_build1(g, IR_ABS, v1);
    return ir_loss_out(g, "l1_loss", v2, reduction, t);
}

ir_ref ir_smooth_l1_loss(ir_graph *g, ir_ref x, ir_ref y, int reduction, double beta) {
    bz_dtype t;
    if (!(beta >= 0))
        return ir_error_as(g, BZ_EARG, "smooth_l1_loss", "beta >= 0 is needed");
    if (!ir_formula_in(g, (ir_ref *[]){&x, &y}, 2, false, &t)) return 0;
    ir_ref v1 = ir_build2(g, IR_SUB, x, y);
    ir_ref v2 = ir_build1(g, IR_ABS, v1);
    ir_ref v3 = ir_num(g, v2, beta);
    ir_ref v4 = ir_build2(g, IR_LT, v2, v3);
    ir_ref v5 = ir_num(g, v2, 0.5);
    ir_ref v6 = ir_build2(g, IR_MUL, v5, v2);
    ir_ref v7 = ir_build2(g, IR_MUL, v6, v2);
    ir_ref v8 = ir_num(g, v7, (beta == 0.0) ? 1.0 : beta);
    ir_ref v9 = ir_build2(g, IR_DIV, v7, v8);
    ir_ref v10 = ir_num(g, v2, 0.5 * beta);
    ir_ref v11 = ir_build2(g, IR_SUB, v2, v10);
    ir_ref v12 = ir_build3(g, IR_SELECT, v4, v9, v11);
    return ir_loss_out(g, "smooth_l1_loss", v12, reduction, t);
}

ir_ref ir_huber_loss(ir_graph *g, ir_ref x, ir_ref y, int reduction, double delta) {
    bz_dtype t;
    if (!(delta > 0))
        return ir_error_as(g, BZ_EARG, "huber_loss", "delta > 0 is needed");
    if (!ir_formula_in(g, (ir_ref *[]){&x, &y}, 2, false, &t)) return 0;
    ir_ref v1 = ir_build2(g, IR_SUB, x, y);
    ir_ref v2 = ir_build1(g, IR_ABS, v1);
    ir_ref v3 = ir_num(g, v2, delta);
    ir_ref v4 = ir_build2(g, IR_LE, v2, v3);
    ir_ref v5 = ir_num(g, v2, 0.5);
    ir_ref v6 = ir_build2(g, IR_MUL, v5, v2);
    ir_ref v7 = ir_build2(g, IR_MUL, v6, v2);
    ir_ref v8 = ir_num(g, v2, 0.5 * delta);
    ir_ref v9 = ir_build2(g, IR_SUB, v2, v8);
    ir_ref v10 = ir_num(g, v9, delta);
    ir_ref v11 = ir_build2(g, IR_MUL, v10, v9);
    ir_ref v12 = ir_build3(g, IR_SELECT, v4, v7, v11);
    return ir_loss_out(g, "huber_loss", v12, reduction, t);
}

ir_ref ir_soft_margin_loss(ir_graph *g, ir_ref x, ir_ref target, int reduction) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x, &target}, 2, false, &t)) return 0;
    ir_ref v1 = ir_build1(g, IR_NEG, target);
    ir_ref v2 = ir_build2(g, IR_MUL, v1, x);
    ir_ref v3 = ir_build1(g, IR_SOFTPLUS, v2);
    return ir_loss_out(g, "soft_margin_loss", v3, reduction, t);
}

ir_ref ir_hinge_embedding_loss(ir_graph *g, ir_ref x, ir_ref target, double margin, int reduction) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x, &target}, 2, false, &t)) return 0;
    ir_ref v1 = ir_num(g, x, margin);
    ir_ref v2 = ir_build2(g, IR_SUB, v1, x);
    ir_ref v3 = ir_num(g, target, 1.0);
    ir_ref v4 = ir_build2(g, IR_NE, target, v3);
    ir_ref v5 = ir_num(g, v2, 0.0);
    ir_ref v6 = ir_build2(g, IR_GT, v2, v5);
    ir_ref v7 = ir_build3(g, IR_SELECT, v6, v2, v5);
    ir_ref v8 = ir_num(g, v7, 0.0);
    ir_ref v9 = ir_build3(g, IR_SELECT, v4, v7, v8);
    ir_ref v10 = ir_num(g, target, -1.0);
    ir_ref v11 = ir_build2(g, IR_NE, target, v10);
    ir_ref v12 = ir_num(g, x, 0.0);
    ir_ref v13 = ir_build3(g, IR_SELECT, v11, x, v12);
    ir_ref v14 = ir_build2(g, IR_ADD, v9, v13);
    return ir_loss_out(g, "hinge_embedding_loss", v14, reduction, t);
}

ir_ref ir_margin_ranking_loss(ir_graph *g, ir_ref x, ir_ref y, ir_ref target, double margin,
                              int reduction) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x, &y, &target}, 3, false, &t)) return 0;
    ir_ref v1 = ir_build1(g, IR_NEG, target);
    ir_ref v2 = ir_build2(g, IR_SUB, x, y);
    ir_ref v3 = ir_build2(g, IR_MUL, v1, v2);
    ir_ref v4 = ir_num(g, v3, margin);
    ir_ref v5 = ir_build2(g, IR_ADD, v3, v4);
    ir_ref v6 = ir_num(g, v5, 0.0);
    ir_ref v7 = ir_build2(g, IR_GT, v5, v6);
    ir_ref v8 = ir_build3(g, IR_SELECT, v7, v5, v6);
    return ir_loss_out(g, "margin_ranking_loss", v8, reduction, t);
}

ir_ref ir_rad2deg(ir_graph *g, ir_ref x) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x}, 1, false, &t)) return 0;
    ir_ref v1 = ir_num(g, x, 57.295779513082320877);
    ir_ref v2 = ir_build2(g, IR_MUL, x, v1);
    return ir_math_out(g, v2, t);
}

ir_ref ir_deg2rad(ir_graph *g, ir_ref x) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x}, 1, false, &t)) return 0;
    ir_ref v1 = ir_num(g, x, 0.017453292519943295769);
    ir_ref v2 = ir_build2(g, IR_MUL, x, v1);
    return ir_math_out(g, v2, t);
}

ir_ref ir_rsub(ir_graph *g, ir_ref x, ir_ref y, double alpha) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x, &y}, 2, true, &t)) return 0;
    ir_ref v1 = ir_num(g, x, alpha);
    ir_ref v2 = ir_build2(g, IR_MUL, x, v1);
    ir_ref v3 = ir_build2(g, IR_SUB, y, v2);
    return v3;
}

ir_ref ir_addcmul(ir_graph *g, ir_ref x, ir_ref y, ir_ref z, double value) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x, &y, &z}, 3, true, &t)) return 0;
    ir_ref v1 = ir_build2(g, IR_MUL, y, z);
    ir_ref v2 = ir_num(g, v1, value);
    ir_ref v3 = ir_build2(g, IR_MUL, v1, v2);
    ir_ref v4 = ir_build2(g, IR_ADD, x, v3);
    return v4;
}

ir_ref ir_addcdiv(ir_graph *g, ir_ref x, ir_ref y, ir_ref z, double value) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x, &y, &z}, 3, false, &t)) return 0;
    ir_ref v1 = ir_build2(g, IR_DIV, y, z);
    ir_ref v2 = ir_num(g, v1, value);
    ir_ref v3 = ir_build2(g, IR_MUL, v1, v2);
    ir_ref v4 = ir_build2(g, IR_ADD, x, v3);
    return ir_math_out(g, v4, t);
}

ir_ref ir_fmax(ir_graph *g, ir_ref x, ir_ref y) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x, &y}, 2, true, &t)) return 0;
    ir_ref v1 = ir_build2(g, IR_NE, y, y);
    ir_ref v2 = ir_build2(g, IR_NE, x, x);
    ir_ref v3 = ir_build2(g, IR_MAX, x, y);
    ir_ref v4 = ir_build3(g, IR_SELECT, v2, y, v3);
    ir_ref v5 = ir_build3(g, IR_SELECT, v1, x, v4);
    return v5;
}

ir_ref ir_fmin(ir_graph *g, ir_ref x, ir_ref y) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x, &y}, 2, true, &t)) return 0;
    ir_ref v1 = ir_build2(g, IR_NE, y, y);
    ir_ref v2 = ir_build2(g, IR_NE, x, x);
    ir_ref v3 = ir_build2(g, IR_MIN, x, y);
    ir_ref v4 = ir_build3(g, IR_SELECT, v2, y, v3);
    ir_ref v5 = ir_build3(g, IR_SELECT, v1, x, v4);
    return v5;
}

ir_ref ir_ldexp(ir_graph *g, ir_ref x, ir_ref y) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x, &y}, 2, false, &t)) return 0;
    ir_ref v1 = ir_num(g, y, 0.5);
    ir_ref v2 = ir_build2(g, IR_MUL, y, v1);
    ir_ref v3 = ir_build1(g, IR_TRUNC, v2);
    ir_ref v4 = ir_build1(g, IR_EXP2, v3);
    ir_ref v5 = ir_build2(g, IR_MUL, x, v4);
    ir_ref v6 = ir_build2(g, IR_SUB, y, v3);
    ir_ref v7 = ir_build1(g, IR_EXP2, v6);
    ir_ref v8 = ir_build2(g, IR_MUL, v5, v7);
    return ir_math_out(g, v8, t);
}

ir_ref ir_logaddexp2(ir_graph *g, ir_ref x, ir_ref y) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x, &y}, 2, false, &t)) return 0;
    ir_ref v1 = ir_build2(g, IR_MAX, x, y);
    ir_ref v2 = ir_build2(g, IR_EQ, x, y);
    ir_ref v3 = ir_num(g, v1, 1.0);
    ir_ref v4 = ir_build2(g, IR_ADD, v1, v3);
    ir_ref v5 = ir_build2(g, IR_SUB, x, y);
    ir_ref v6 = ir_num(g, v5, 0.0);
    ir_ref v7 = ir_build3(g, IR_SELECT, v2, v6, v5);
    ir_ref v8 = ir_build1(g, IR_ABS, v7);
    ir_ref v9 = ir_build1(g, IR_NEG, v8);
    ir_ref v10 = ir_build1(g, IR_EXP2, v9);
    ir_ref v11 = ir_build1(g, IR_LOG1P, v10);
    ir_ref v12 = ir_num(g, v11, 0x1.71547652b82fep+0);
    ir_ref v13 = ir_build2(g, IR_MUL, v11, v12);
    ir_ref v14 = ir_build2(g, IR_ADD, v1, v13);
    ir_ref v15 = ir_build3(g, IR_SELECT, v2, v4, v14);
    return ir_math_out(g, v15, t);
}

ir_ref ir_xlogy(ir_graph *g, ir_ref x, ir_ref y) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x, &y}, 2, false, &t)) return 0;
    ir_ref v1 = ir_num(g, x, 0.0);
    ir_ref v2 = ir_build2(g, IR_EQ, x, v1);
    ir_ref v3 = ir_num(g, y, 0.0);
    ir_ref v4 = ir_build2(g, IR_LE, y, v3);
    ir_ref v5 = ir_num(g, y, (double)INFINITY);
    ir_ref v6 = ir_build2(g, IR_EQ, y, v5);
    ir_ref v7 = ir_build2(g, IR_OR, v4, v6);
    ir_ref v8 = ir_build2(g, IR_AND, v2, v7);
    ir_ref v9 = ir_num(g, y, 1.0);
    ir_ref v10 = ir_build3(g, IR_SELECT, v8, v9, y);
    ir_ref v11 = ir_build1(g, IR_LOG, v10);
    ir_ref v12 = ir_build2(g, IR_MUL, x, v11);
    ir_ref v13 = ir_num(g, v12, 0.0);
    ir_ref v14 = ir_build3(g, IR_SELECT, v8, v13, v12);
    return ir_math_out(g, v14, t);
}

ir_ref ir_xlog1py(ir_graph *g, ir_ref x, ir_ref y) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x, &y}, 2, false, &t)) return 0;
    ir_ref v1 = ir_num(g, x, 0.0);
    ir_ref v2 = ir_build2(g, IR_EQ, x, v1);
    ir_ref v3 = ir_num(g, y, -1.0);
    ir_ref v4 = ir_build2(g, IR_LE, y, v3);
    ir_ref v5 = ir_num(g, y, (double)INFINITY);
    ir_ref v6 = ir_build2(g, IR_EQ, y, v5);
    ir_ref v7 = ir_build2(g, IR_OR, v4, v6);
    ir_ref v8 = ir_build2(g, IR_AND, v2, v7);
    ir_ref v9 = ir_num(g, y, 0.0);
    ir_ref v10 = ir_build3(g, IR_SELECT, v8, v9, y);
    ir_ref v11 = ir_build1(g, IR_LOG1P, v10);
    ir_ref v12 = ir_build2(g, IR_MUL, x, v11);
    ir_ref v13 = ir_num(g, v12, 0.0);
    ir_ref v14 = ir_build3(g, IR_SELECT, v8, v13, v12);
    return ir_math_out(g, v14, t);
}

ir_ref ir_entr(ir_graph *g, ir_ref x) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x}, 1, false, &t)) return 0;
    ir_ref v1 = ir_num(g, x, 0.0);
    ir_ref v2 = ir_build2(g, IR_GT, x, v1);
    ir_ref v3 = ir_num(g, x, 1.0);
    ir_ref v4 = ir_build3(g, IR_SELECT, v2, x, v3);
    ir_ref v5 = ir_build1(g, IR_NEG, v4);
    ir_ref v6 = ir_build1(g, IR_LOG, v4);
    ir_ref v7 = ir_build2(g, IR_MUL, v5, v6);
    ir_ref v8 = ir_build2(g, IR_EQ, x, v1);
    ir_ref v9 = ir_build2(g, IR_LT, x, v1);
    ir_ref v10 = ir_num(g, x, -(double)INFINITY);
    ir_ref v11 = ir_build3(g, IR_SELECT, v9, v10, x);
    ir_ref v12 = ir_num(g, v11, 0.0);
    ir_ref v13 = ir_build3(g, IR_SELECT, v8, v12, v11);
    ir_ref v14 = ir_build3(g, IR_SELECT, v2, v7, v13);
    return ir_math_out(g, v14, t);
}

ir_ref ir_logit(ir_graph *g, ir_ref x, double eps) {
    bz_dtype t;
    if (!(eps <= 0.5))
        return ir_error_as(g, BZ_EARG, "logit", "eps <= 0.5 is needed");
    if (!ir_formula_in(g, (ir_ref *[]){&x}, 1, false, &t)) return 0;
    ir_ref v1 = ir_num(g, x, (eps < 0.0) ? (-(double)INFINITY) : eps);
    ir_ref v2 = ir_build2(g, IR_LT, x, v1);
    ir_ref v3 = ir_num(g, x, (eps < 0.0) ? (double)INFINITY : (1.0 - eps));
    ir_ref v4 = ir_build2(g, IR_GT, x, v3);
    ir_ref v5 = ir_build3(g, IR_SELECT, v4, v3, x);
    ir_ref v6 = ir_num(g, v5, (eps < 0.0) ? (-(double)INFINITY) : eps);
    ir_ref v7 = ir_build3(g, IR_SELECT, v2, v6, v5);
    ir_ref v8 = ir_num(g, v7, 1.0);
    ir_ref v9 = ir_build2(g, IR_SUB, v8, v7);
    ir_ref v10 = ir_build2(g, IR_DIV, v7, v9);
    ir_ref v11 = ir_build1(g, IR_LOG, v10);
    return ir_math_out(g, v11, t);
}

ir_ref ir_sinc(ir_graph *g, ir_ref x) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x}, 1, false, &t)) return 0;
    ir_ref v1 = ir_num(g, x, 0.0);
    ir_ref v2 = ir_build2(g, IR_EQ, x, v1);
    ir_ref v3 = ir_num(g, x, 1.0);
    ir_ref v4 = ir_build3(g, IR_SELECT, v2, v3, x);
    ir_ref v5 = ir_num(g, v4, 3.1415926535897932385);
    ir_ref v6 = ir_build2(g, IR_MUL, v4, v5);
    ir_ref v7 = ir_build1(g, IR_SIN, v6);
    ir_ref v8 = ir_build2(g, IR_DIV, v7, v6);
    ir_ref v9 = ir_num(g, v8, 1.0);
    ir_ref v10 = ir_build3(g, IR_SELECT, v2, v9, v8);
    return ir_math_out(g, v10, t);
}

ir_ref ir_isposinf(ir_graph *g, ir_ref x) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x}, 1, false, &t)) return 0;
    ir_ref v1 = ir_num(g, x, (double)INFINITY);
    ir_ref v2 = ir_build2(g, IR_EQ, x, v1);
    return v2;
}

ir_ref ir_isneginf(ir_graph *g, ir_ref x) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x}, 1, false, &t)) return 0;
    ir_ref v1 = ir_num(g, x, -(double)INFINITY);
    ir_ref v2 = ir_build2(g, IR_EQ, x, v1);
    return v2;
}

ir_ref ir_ndtr(ir_graph *g, ir_ref x) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x}, 1, false, &t)) return 0;
    ir_ref v1 = ir_num(g, x, -0x1.6a09e667f3bcdp-1);
    ir_ref v2 = ir_build2(g, IR_MUL, x, v1);
    ir_ref v3 = ir_build1(g, IR_ERFC, v2);
    ir_ref v4 = ir_num(g, v3, 0.5);
    ir_ref v5 = ir_build2(g, IR_MUL, v4, v3);
    return ir_math_out(g, v5, t);
}

ir_ref ir_log_ndtr(ir_graph *g, ir_ref x) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x}, 1, false, &t)) return 0;
    ir_ref v1 = ir_num(g, x, -1.0);
    ir_ref v2 = ir_build2(g, IR_LT, x, v1);
    ir_ref v3 = ir_build3(g, IR_SELECT, v2, x, v1);
    ir_ref v4 = ir_build3(g, IR_SELECT, v2, v1, x);
    ir_ref v5 = ir_num(g, v3, -0x1.6a09e667f3bcdp-1);
    ir_ref v6 = ir_build2(g, IR_MUL, v3, v5);
    ir_ref v7 = ir_build1(g, IR_ERFCX, v6);
    ir_ref v8 = ir_num(g, v7, 0.5);
    ir_ref v9 = ir_build2(g, IR_MUL, v8, v7);
    ir_ref v10 = ir_build1(g, IR_LOG, v9);
    ir_ref v11 = ir_num(g, v3, 0.5);
    ir_ref v12 = ir_build2(g, IR_MUL, v11, v3);
    ir_ref v13 = ir_build2(g, IR_MUL, v12, v3);
    ir_ref v14 = ir_build2(g, IR_SUB, v10, v13);
    ir_ref v15 = ir_num(g, v4, 0x1.6a09e667f3bcdp-1);
    ir_ref v16 = ir_build2(g, IR_MUL, v4, v15);
    ir_ref v17 = ir_build1(g, IR_ERFC, v16);
    ir_ref v18 = ir_num(g, v17, -0.5);
    ir_ref v19 = ir_build2(g, IR_MUL, v18, v17);
    ir_ref v20 = ir_build1(g, IR_LOG1P, v19);
    ir_ref v21 = ir_build3(g, IR_SELECT, v2, v14, v20);
    return ir_math_out(g, v21, t);
}
