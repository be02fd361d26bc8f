/* complex_made.c - ops of complex numbers on their parts. Made by tools/api.py from src/ir/complex.def: do not edit. */
#include "src/ir/complex.h"
#include "src/ir/compose.h"

/* clang-format off */

static ir_pair of_neg(ir_graph *g, ir_ref a, ir_ref b) {
    ir_ref v1 = ir_build1(g, IR_NEG, a);
    ir_ref v2 = ir_build1(g, IR_NEG, b);
    return (ir_pair){v1, v2};
}

static ir_pair of_square(ir_graph *g, ir_ref a, ir_ref b) {
    ir_ref v1 = ir_build2(g, IR_MUL, a, b);
    ir_ref v2 = ir_build2(g, IR_MUL, a, a);
    ir_ref v3 = ir_build2(g, IR_MUL, b, b);
    ir_ref v4 = ir_build2(g, IR_SUB, v2, v3);
    ir_ref v5 = ir_build2(g, IR_ADD, v1, v1);
    return (ir_pair){v4, v5};
}

static ir_pair of_abs(ir_graph *g, ir_ref a, ir_ref b) {
    ir_ref v1 = ir_num(g, a, 0.0);
    ir_ref v2 = ir_build2(g, IR_EQ, a, v1);
    ir_ref v3 = ir_num(g, b, 0.0);
    ir_ref v4 = ir_build2(g, IR_EQ, b, v3);
    ir_ref v5 = ir_build2(g, IR_AND, v2, v4);
    ir_ref v6 = ir_num(g, a, 1.0);
    ir_ref v7 = ir_build3(g, IR_SELECT, v5, v6, a);
    ir_ref v8 = ir_build2(g, IR_HYPOT, v7, b);
    ir_ref v9 = ir_num(g, v8, 0.0);
    ir_ref v10 = ir_build3(g, IR_SELECT, v5, v9, v8);
    return (ir_pair){v10, 0};
}

static ir_pair of_exp(ir_graph *g, ir_ref a, ir_ref b) {
    ir_ref v1 = ir_build1(g, IR_EXP, a);
    ir_ref v2 = ir_build1(g, IR_COS, b);
    ir_ref v3 = ir_build2(g, IR_MUL, v1, v2);
    ir_ref v4 = ir_build1(g, IR_SIN, b);
    ir_ref v5 = ir_build2(g, IR_MUL, v1, v4);
    return (ir_pair){v3, v5};
}

static ir_pair of_exp2(ir_graph *g, ir_ref a, ir_ref b) {
    ir_ref v1 = ir_build1(g, IR_EXP2, a);
    ir_ref v2 = ir_num(g, b, 0.69314718055994530942);
    ir_ref v3 = ir_build2(g, IR_MUL, b, v2);
    ir_ref v4 = ir_build1(g, IR_COS, v3);
    ir_ref v5 = ir_build2(g, IR_MUL, v1, v4);
    ir_ref v6 = ir_build1(g, IR_SIN, v3);
    ir_ref v7 = ir_build2(g, IR_MUL, v1, v6);
    return (ir_pair){v5, v7};
}

static ir_pair of_expm1(ir_graph *g, ir_ref a, ir_ref b) {
    ir_ref v1 = ir_num(g, b, 0.5);
    ir_ref v2 = ir_build2(g, IR_MUL, v1, b);
    ir_ref v3 = ir_build1(g, IR_SIN, v2);
    ir_ref v4 = ir_build1(g, IR_EXPM1, a);
    ir_ref v5 = ir_build1(g, IR_COS, b);
    ir_ref v6 = ir_build2(g, IR_MUL, v4, v5);
    ir_ref v7 = ir_num(g, v3, 2.0);
    ir_ref v8 = ir_build2(g, IR_MUL, v7, v3);
    ir_ref v9 = ir_build2(g, IR_MUL, v8, v3);
    ir_ref v10 = ir_build2(g, IR_SUB, v6, v9);
    ir_ref v11 = ir_build1(g, IR_EXP, a);
    ir_ref v12 = ir_build1(g, IR_SIN, b);
    ir_ref v13 = ir_build2(g, IR_MUL, v11, v12);
    return (ir_pair){v10, v13};
}

static ir_pair of_log(ir_graph *g, ir_ref a, ir_ref b) {
    ir_ref v1 = ir_build2(g, IR_HYPOT, a, b);
    ir_ref v2 = ir_build1(g, IR_LOG, v1);
    ir_ref v3 = ir_build2(g, IR_ATAN2, b, a);
    return (ir_pair){v2, v3};
}

static ir_pair of_log2(ir_graph *g, ir_ref a, ir_ref b) {
    ir_ref v1 = ir_build2(g, IR_HYPOT, a, b);
    ir_ref v2 = ir_build1(g, IR_LOG, v1);
    ir_ref v3 = ir_num(g, v2, 1.44269504088896340736);
    ir_ref v4 = ir_build2(g, IR_MUL, v2, v3);
    ir_ref v5 = ir_build2(g, IR_ATAN2, b, a);
    ir_ref v6 = ir_num(g, v5, 1.44269504088896340736);
    ir_ref v7 = ir_build2(g, IR_MUL, v5, v6);
    return (ir_pair){v4, v7};
}

static ir_pair of_log10(ir_graph *g, ir_ref a, ir_ref b) {
    ir_ref v1 = ir_build2(g, IR_HYPOT, a, b);
    ir_ref v2 = ir_build1(g, IR_LOG, v1);
    ir_ref v3 = ir_num(g, v2, 0.43429448190325182765);
    ir_ref v4 = ir_build2(g, IR_MUL, v2, v3);
    ir_ref v5 = ir_build2(g, IR_ATAN2, b, a);
    ir_ref v6 = ir_num(g, v5, 0.43429448190325182765);
    ir_ref v7 = ir_build2(g, IR_MUL, v5, v6);
    return (ir_pair){v4, v7};
}

static ir_pair of_log1p(ir_graph *g, ir_ref a, ir_ref b) {
    ir_ref v1 = ir_num(g, a, 1.0);
    ir_ref v2 = ir_build2(g, IR_ADD, v1, a);
    ir_ref v3 = ir_build2(g, IR_HYPOT, a, b);
    ir_ref v4 = ir_num(g, v3, 0.5);
    ir_ref v5 = ir_build2(g, IR_LT, v3, v4);
    ir_ref v6 = ir_num(g, a, 0.0);
    ir_ref v7 = ir_build3(g, IR_SELECT, v5, a, v6);
    ir_ref v8 = ir_num(g, b, 0.0);
    ir_ref v9 = ir_build3(g, IR_SELECT, v5, b, v8);
    ir_ref v10 = ir_num(g, v7, 2.0);
    ir_ref v11 = ir_build2(g, IR_ADD, v10, v7);
    ir_ref v12 = ir_build2(g, IR_MUL, v7, v11);
    ir_ref v13 = ir_build2(g, IR_MUL, v9, v9);
    ir_ref v14 = ir_build2(g, IR_ADD, v12, v13);
    ir_ref v15 = ir_build1(g, IR_LOG1P, v14);
    ir_ref v16 = ir_num(g, v15, 0.5);
    ir_ref v17 = ir_build2(g, IR_MUL, v16, v15);
    ir_ref v18 = ir_build2(g, IR_HYPOT, v2, b);
    ir_ref v19 = ir_build1(g, IR_LOG, v18);
    ir_ref v20 = ir_build3(g, IR_SELECT, v5, v17, v19);
    ir_ref v21 = ir_build2(g, IR_ATAN2, b, v2);
    return (ir_pair){v20, v21};
}

static ir_pair of_sqrt(ir_graph *g, ir_ref a, ir_ref b) {
    ir_ref v1 = ir_num(g, a, 0.0);
    ir_ref v2 = ir_build2(g, IR_EQ, a, v1);
    ir_ref v3 = ir_num(g, b, 0.0);
    ir_ref v4 = ir_build2(g, IR_EQ, b, v3);
    ir_ref v5 = ir_build2(g, IR_AND, v2, v4);
    ir_ref v6 = ir_num(g, a, 1.0);
    ir_ref v7 = ir_build3(g, IR_SELECT, v5, v6, a);
    ir_ref v8 = ir_build1(g, IR_ABS, v7);
    ir_ref v9 = ir_num(g, v8, 0.5);
    ir_ref v10 = ir_build2(g, IR_MUL, v9, v8);
    ir_ref v11 = ir_build2(g, IR_HYPOT, v7, b);
    ir_ref v12 = ir_num(g, v11, 0.5);
    ir_ref v13 = ir_build2(g, IR_MUL, v12, v11);
    ir_ref v14 = ir_build2(g, IR_ADD, v10, v13);
    ir_ref v15 = ir_build1(g, IR_SQRT, v14);
    ir_ref v16 = ir_num(g, b, 1.0);
    ir_ref v17 = ir_build2(g, IR_COPYSIGN, v16, b);
    ir_ref v18 = ir_num(g, v15, 2.0);
    ir_ref v19 = ir_build2(g, IR_MUL, v18, v15);
    ir_ref v20 = ir_build2(g, IR_DIV, b, v19);
    ir_ref v21 = ir_num(g, v7, 0.0);
    ir_ref v22 = ir_build2(g, IR_LT, v7, v21);
    ir_ref v23 = ir_build2(g, IR_MUL, v20, v17);
    ir_ref v24 = ir_build3(g, IR_SELECT, v22, v23, v15);
    ir_ref v25 = ir_num(g, v24, 0.0);
    ir_ref v26 = ir_build3(g, IR_SELECT, v5, v25, v24);
    ir_ref v27 = ir_build2(g, IR_MUL, v15, v17);
    ir_ref v28 = ir_build3(g, IR_SELECT, v22, v27, v20);
    ir_ref v29 = ir_build3(g, IR_SELECT, v5, b, v28);
    return (ir_pair){v26, v29};
}

static ir_pair of_sin(ir_graph *g, ir_ref a, ir_ref b) {
    ir_ref v1 = ir_build1(g, IR_SIN, a);
    ir_ref v2 = ir_build1(g, IR_COSH, b);
    ir_ref v3 = ir_build2(g, IR_MUL, v1, v2);
    ir_ref v4 = ir_build1(g, IR_COS, a);
    ir_ref v5 = ir_build1(g, IR_SINH, b);
    ir_ref v6 = ir_build2(g, IR_MUL, v4, v5);
    return (ir_pair){v3, v6};
}

static ir_pair of_cos(ir_graph *g, ir_ref a, ir_ref b) {
    ir_ref v1 = ir_build1(g, IR_COS, a);
    ir_ref v2 = ir_build1(g, IR_COSH, b);
    ir_ref v3 = ir_build2(g, IR_MUL, v1, v2);
    ir_ref v4 = ir_build1(g, IR_SIN, a);
    ir_ref v5 = ir_build1(g, IR_SINH, b);
    ir_ref v6 = ir_build2(g, IR_MUL, v4, v5);
    ir_ref v7 = ir_build1(g, IR_NEG, v6);
    return (ir_pair){v3, v7};
}

static ir_pair of_sinh(ir_graph *g, ir_ref a, ir_ref b) {
    ir_ref v1 = ir_build1(g, IR_SINH, a);
    ir_ref v2 = ir_build1(g, IR_COS, b);
    ir_ref v3 = ir_build2(g, IR_MUL, v1, v2);
    ir_ref v4 = ir_build1(g, IR_COSH, a);
    ir_ref v5 = ir_build1(g, IR_SIN, b);
    ir_ref v6 = ir_build2(g, IR_MUL, v4, v5);
    return (ir_pair){v3, v6};
}

static ir_pair of_cosh(ir_graph *g, ir_ref a, ir_ref b) {
    ir_ref v1 = ir_build1(g, IR_COSH, a);
    ir_ref v2 = ir_build1(g, IR_COS, b);
    ir_ref v3 = ir_build2(g, IR_MUL, v1, v2);
    ir_ref v4 = ir_build1(g, IR_SINH, a);
    ir_ref v5 = ir_build1(g, IR_SIN, b);
    ir_ref v6 = ir_build2(g, IR_MUL, v4, v5);
    return (ir_pair){v3, v6};
}

static ir_pair of_tanh(ir_graph *g, ir_ref a, ir_ref b) {
    ir_ref v1 = ir_build1(g, IR_TAN, b);
    ir_ref v2 = ir_num(g, a, -22.0);
    ir_ref v3 = ir_num(g, a, 22.0);
    ir_ref v4 = ir_build3(g, IR_CLAMP, a, v2, v3);
    ir_ref v5 = ir_build1(g, IR_SINH, v4);
    ir_ref v6 = ir_build2(g, IR_MUL, v1, v1);
    ir_ref v7 = ir_num(g, v6, 1.0);
    ir_ref v8 = ir_build2(g, IR_ADD, v7, v6);
    ir_ref v9 = ir_build2(g, IR_MUL, v8, v5);
    ir_ref v10 = ir_build2(g, IR_MUL, v9, v5);
    ir_ref v11 = ir_num(g, v10, 1.0);
    ir_ref v12 = ir_build2(g, IR_ADD, v11, v10);
    ir_ref v13 = ir_build2(g, IR_MUL, v5, v5);
    ir_ref v14 = ir_num(g, v13, 1.0);
    ir_ref v15 = ir_build2(g, IR_ADD, v14, v13);
    ir_ref v16 = ir_build1(g, IR_SQRT, v15);
    ir_ref v17 = ir_build2(g, IR_MUL, v8, v16);
    ir_ref v18 = ir_build2(g, IR_MUL, v17, v5);
    ir_ref v19 = ir_build2(g, IR_DIV, v18, v12);
    ir_ref v20 = ir_build2(g, IR_DIV, v1, v12);
    return (ir_pair){v19, v20};
}

static ir_pair of_tan(ir_graph *g, ir_ref a, ir_ref b) {
    ir_ref v1 = ir_build1(g, IR_TAN, a);
    ir_ref v2 = ir_num(g, b, -22.0);
    ir_ref v3 = ir_num(g, b, 22.0);
    ir_ref v4 = ir_build3(g, IR_CLAMP, b, v2, v3);
    ir_ref v5 = ir_build1(g, IR_SINH, v4);
    ir_ref v6 = ir_build2(g, IR_MUL, v1, v1);
    ir_ref v7 = ir_num(g, v6, 1.0);
    ir_ref v8 = ir_build2(g, IR_ADD, v7, v6);
    ir_ref v9 = ir_build2(g, IR_MUL, v8, v5);
    ir_ref v10 = ir_build2(g, IR_MUL, v9, v5);
    ir_ref v11 = ir_num(g, v10, 1.0);
    ir_ref v12 = ir_build2(g, IR_ADD, v11, v10);
    ir_ref v13 = ir_build2(g, IR_DIV, v1, v12);
    ir_ref v14 = ir_build2(g, IR_MUL, v5, v5);
    ir_ref v15 = ir_num(g, v14, 1.0);
    ir_ref v16 = ir_build2(g, IR_ADD, v15, v14);
    ir_ref v17 = ir_build1(g, IR_SQRT, v16);
    ir_ref v18 = ir_build2(g, IR_MUL, v8, v17);
    ir_ref v19 = ir_build2(g, IR_MUL, v18, v5);
    ir_ref v20 = ir_build2(g, IR_DIV, v19, v12);
    return (ir_pair){v13, v20};
}

static ir_pair of_atanh(ir_graph *g, ir_ref a, ir_ref b) {
    ir_ref v1 = ir_num(g, a, 1.0);
    ir_ref v2 = ir_build2(g, IR_SUB, v1, a);
    ir_ref v3 = ir_num(g, a, 4.0);
    ir_ref v4 = ir_build2(g, IR_MUL, v3, a);
    ir_ref v5 = ir_build2(g, IR_MUL, v2, v2);
    ir_ref v6 = ir_build2(g, IR_MUL, b, b);
    ir_ref v7 = ir_build2(g, IR_ADD, v5, v6);
    ir_ref v8 = ir_build2(g, IR_DIV, v4, v7);
    ir_ref v9 = ir_build1(g, IR_LOG1P, v8);
    ir_ref v10 = ir_num(g, v9, 0.25);
    ir_ref v11 = ir_build2(g, IR_MUL, v10, v9);
    ir_ref v12 = ir_num(g, b, 2.0);
    ir_ref v13 = ir_build2(g, IR_MUL, v12, b);
    ir_ref v14 = ir_build2(g, IR_ADD, v1, a);
    ir_ref v15 = ir_build2(g, IR_MUL, v2, v14);
    ir_ref v16 = ir_build2(g, IR_SUB, v15, v6);
    ir_ref v17 = ir_build2(g, IR_ATAN2, v13, v16);
    ir_ref v18 = ir_num(g, v17, 0.5);
    ir_ref v19 = ir_build2(g, IR_MUL, v18, v17);
    return (ir_pair){v11, v19};
}

static ir_pair of_atan(ir_graph *g, ir_ref a, ir_ref b) {
    ir_ref v1 = ir_num(g, b, 1.0);
    ir_ref v2 = ir_build2(g, IR_SUB, v1, b);
    ir_ref v3 = ir_num(g, a, 2.0);
    ir_ref v4 = ir_build2(g, IR_MUL, v3, a);
    ir_ref v5 = ir_build2(g, IR_ADD, v1, b);
    ir_ref v6 = ir_build2(g, IR_MUL, v2, v5);
    ir_ref v7 = ir_build2(g, IR_MUL, a, a);
    ir_ref v8 = ir_build2(g, IR_SUB, v6, v7);
    ir_ref v9 = ir_build2(g, IR_ATAN2, v4, v8);
    ir_ref v10 = ir_num(g, v9, 0.5);
    ir_ref v11 = ir_build2(g, IR_MUL, v10, v9);
    ir_ref v12 = ir_num(g, b, 4.0);
    ir_ref v13 = ir_build2(g, IR_MUL, v12, b);
    ir_ref v14 = ir_build2(g, IR_MUL, v2, v2);
    ir_ref v15 = ir_build2(g, IR_ADD, v14, v7);
    ir_ref v16 = ir_build2(g, IR_DIV, v13, v15);
    ir_ref v17 = ir_build1(g, IR_LOG1P, v16);
    ir_ref v18 = ir_num(g, v17, 0.25);
    ir_ref v19 = ir_build2(g, IR_MUL, v18, v17);
    return (ir_pair){v11, v19};
}

static ir_pair of_isnan(ir_graph *g, ir_ref a, ir_ref b) {
    ir_ref v1 = ir_build1(g, IR_ISNAN, a);
    ir_ref v2 = ir_build1(g, IR_ISNAN, b);
    ir_ref v3 = ir_build2(g, IR_OR, v1, v2);
    return (ir_pair){v3, 0};
}

static ir_pair of_isinf(ir_graph *g, ir_ref a, ir_ref b) {
    ir_ref v1 = ir_build1(g, IR_ISINF, a);
    ir_ref v2 = ir_build1(g, IR_ISINF, b);
    ir_ref v3 = ir_build2(g, IR_OR, v1, v2);
    return (ir_pair){v3, 0};
}

static ir_pair of_isfinite(ir_graph *g, ir_ref a, ir_ref b) {
    ir_ref v1 = ir_build1(g, IR_ISFINITE, a);
    ir_ref v2 = ir_build1(g, IR_ISFINITE, b);
    ir_ref v3 = ir_build2(g, IR_AND, v1, v2);
    return (ir_pair){v3, 0};
}

static ir_pair of_lnot(ir_graph *g, ir_ref a, ir_ref b) {
    ir_ref v1 = ir_num(g, a, 0.0);
    ir_ref v2 = ir_build2(g, IR_EQ, a, v1);
    ir_ref v3 = ir_num(g, b, 0.0);
    ir_ref v4 = ir_build2(g, IR_EQ, b, v3);
    ir_ref v5 = ir_build2(g, IR_AND, v2, v4);
    return (ir_pair){v5, 0};
}

ir_complex_rule *ir_complex_rule_of(ir_op op) {
    switch (op) {
    case IR_NEG: return of_neg;
    case IR_SQUARE: return of_square;
    case IR_ABS: return of_abs;
    case IR_EXP: return of_exp;
    case IR_EXP2: return of_exp2;
    case IR_EXPM1: return of_expm1;
    case IR_LOG: return of_log;
    case IR_LOG2: return of_log2;
    case IR_LOG10: return of_log10;
    case IR_LOG1P: return of_log1p;
    case IR_SQRT: return of_sqrt;
    case IR_SIN: return of_sin;
    case IR_COS: return of_cos;
    case IR_SINH: return of_sinh;
    case IR_COSH: return of_cosh;
    case IR_TANH: return of_tanh;
    case IR_TAN: return of_tan;
    case IR_ATANH: return of_atanh;
    case IR_ATAN: return of_atan;
    case IR_ISNAN: return of_isnan;
    case IR_ISINF: return of_isinf;
    case IR_ISFINITE: return of_isfinite;
    case IR_LNOT: return of_lnot;
    default: return NULL;
    }
}
