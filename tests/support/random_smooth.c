/* random_smooth.c - one call of a random elementwise op that has gradients, on operands that lie where it is smooth.
 *
 * Every op of ops.def takes part; an op that is not smooth on all of R, or grows fast, has a line in `domains` that says what its
 * operands become first. Kinks (abs, maximum, floor) stay: who compares with differences sees them. */
#include "tests/support/random_maker.h"

typedef enum domain { ANY, POSITIVE, ABOVE_ONE, UNIT, SMALL, SHARE } domain;

static const struct {
    ir_op op;
    domain in[3];
} domains[] = {
    {IR_DIV, {ANY, POSITIVE}},
    {IR_SQRT, {POSITIVE}},
    {IR_RSQRT, {POSITIVE}},
    {IR_CBRT, {POSITIVE}},
    {IR_RECIPROCAL, {POSITIVE}},
    {IR_MOD, {ANY, POSITIVE}},
    {IR_FMOD, {ANY, POSITIVE}},
    {IR_FLOORDIV, {ANY, POSITIVE}},
    {IR_HYPOT, {POSITIVE, ANY}},
    {IR_ATAN2, {ANY, POSITIVE}},
    {IR_POW, {POSITIVE, SMALL}},
    {IR_ASIN, {UNIT}},
    {IR_ACOS, {UNIT}},
    {IR_ATANH, {UNIT}},
    {IR_ACOSH, {ABOVE_ONE}},
    {IR_LOG, {POSITIVE}},
    {IR_LOG2, {POSITIVE}},
    {IR_LOG10, {POSITIVE}},
    {IR_LOG1P, {UNIT}},
    {IR_TAN, {UNIT}},
    {IR_EXP, {SMALL}},
    {IR_EXP2, {SMALL}},
    {IR_EXPM1, {SMALL}},
    {IR_SINH, {SMALL}},
    {IR_COSH, {SMALL}},
    /* e^-|x| has a kink */
    {IR_I0E, {POSITIVE}},
    {IR_I1E, {POSITIVE}},
    {IR_LGAMMA, {POSITIVE}},
    {IR_DIGAMMA, {POSITIVE}},
    {IR_ERFINV, {UNIT}},
    {IR_ERFCX, {SMALL}},
    {IR_NDTRI, {SHARE}},
};

static ir_ref number(maker *m, double v) {
    return ir_const_f(m->g, BZ_F64, v);
}

static ir_ref shifted(maker *m, ir_ref x, double by) {
    return ir_build2(m->g, IR_ADD, ir_build1(m->g, IR_SIGMOID, x), number(m, by));
}

static ir_ref within(maker *m, ir_ref x, double limit) {
    return ir_build2(m->g, IR_MUL, ir_build1(m->g, IR_TANH, x), number(m, limit));
}

static ir_ref moved_into(maker *m, domain d, ir_ref x) {
    switch (d) {
    case POSITIVE: return shifted(m, x, 0.5);
    case ABOVE_ONE: return shifted(m, x, 1.25);
    case UNIT: return within(m, x, 0.75);
    case SMALL: return within(m, x, 1.5);
    case SHARE: return ir_build2(m->g, IR_ADD, within(m, x, 0.4), number(m, 0.5));
    default: return x;
    }
}

bool random_is_differentiable(ir_op op) {
    bz_dtype in[3] = {op == IR_SELECT ? BZ_BOOL : BZ_F64, BZ_F64, BZ_F64}, out;
    if (op == IR_STOP_GRADIENT) return false; /* its gradient is not its slope, by intention */
    if (op == IR_POLYGAMMA)
        return false; /* of a whole number and a positive one (tests/golden/torch) */
    return op > 0 && op < IR_ELEM_END && ir_op_is_elementwise(op) &&
           ir_ops[op].rule != IR_RULE_CONV && ir_op_result_dtype(op, in, &out) && ir_is_float(out);
}

ir_ref random_smooth(maker *m, ir_ref x) {
    ir_ref in[3] = {x, 0, 0};
    ir_op op;
    do op = (ir_op)(1 + draw(m, IR_ELEM_END - 1));
    while (!random_is_differentiable(op));
    for (unsigned i = 1; i < ir_ops[op].arity; i++) in[i] = random_partner(m, x);
    if (in[2] && !ir_same_shape(m->g, in[1], in[2])) in[2] = in[1];
    if (op == IR_SELECT) in[0] = ir_build2(m->g, IR_LT, in[0], number(m, 0.25));
    for (unsigned k = 0; k < BZ_LEN(domains); k++)
        for (unsigned i = 0; domains[k].op == op && i < ir_ops[op].arity; i++)
            in[i] = moved_into(m, domains[k].in[i], in[i]);
    return ir_build(m->g, op, in, ir_ops[op].arity);
}
