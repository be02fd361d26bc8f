/* compose_arith.c - arithmetic that asks for its operands' dtype: division by modes, comparison by tolerances, parts of a float. */
#include "src/ir/complex.h"
#include "src/ir/compose.h"

#include <math.h>

ir_ref ir_positive(ir_graph *g, ir_ref x) {
    if (x && ir_dtype(g, x) == BZ_BOOL)
        return ir_error_as(g, BZ_EDTYPE, "positive", "%s is not a number", ir_shape_text(g, x));
    return x;
}

ir_ref ir_sgn(ir_graph *g, ir_ref x) {
    if (!x) return 0;
    bz_dtype t = ir_dtype(g, x);
    if (ir_is_complex(t)) return ir_complex_sgn(g, x);
    ir_ref zero = ir_const_bits(g, t, 0, NULL, 0), one = ir_const_i(g, t, 1);
    ir_ref minus = ir_is_float(t) || ir_category_of(t) == IR_CAT_INT ? ir_const_i(g, t, -1) : zero;
    ir_ref below = ir_build3(g, IR_SELECT, ir_build2(g, IR_LT, x, zero), minus, zero);
    return ir_build3(g, IR_SELECT, ir_build2(g, IR_LT, zero, x), one, below);
}

ir_ref ir_isreal(ir_graph *g, ir_ref x) {
    const ir_pair p = ir_parts_of(g, x);
    if (p.im) return ir_build2(g, IR_EQ, p.im, ir_num(g, p.im, 0));
    return x ? ir_const_bits(g, BZ_BOOL, 1, ir_dims(g, ir_at(g, x)), ir_at(g, x)->rank) : 0;
}

ir_ref ir_float_power(ir_graph *g, ir_ref x, ir_ref y) {
    if (!x || !y) return 0;
    ir_ref base = ir_cast(g, x, ir_is_complex(ir_dtype(g, x)) ? BZ_C128 : BZ_F64);
    return ir_build2(g, IR_POW, base, ir_cast(g, y, ir_is_complex(ir_dtype(g, y)) ? BZ_C128 : BZ_F64));
}

/* ---- division: x / y, or that rounded towards zero or down; of integers exactly */

/* x / y of integers, cut off: one more than the floor where there is a rest and the signs differ. */
static ir_ref cut_off(ir_graph *g, ir_ref x, ir_ref y) {
    ir_ref q = ir_build2(g, IR_IDIV, x, y), rest = ir_build2(g, IR_IMOD, x, y);
    ir_ref zero = ir_const_like(g, rest, 0), below_x = ir_build2(g, IR_LT, x, zero);
    ir_ref differ = ir_build2(g, IR_XOR, below_x, ir_build2(g, IR_LT, y, zero));
    ir_ref more = ir_build2(g, IR_AND, ir_build2(g, IR_NE, rest, zero), differ);
    return ir_plus(g, q, ir_cast(g, more, ir_dtype(g, q)));
}

ir_ref ir_divide(ir_graph *g, ir_ref x, ir_ref y, int rounding_mode) {
    if (!x || !y) return 0;
    bool floats = ir_is_float(ir_dtype_beside(g, IR_NIL, (ir_ref[]){x, y}, 2));
    switch (rounding_mode) {
    case IR_ROUNDING_NONE: return ir_over(g, x, y);
    case IR_ROUNDING_TRUNC:
        return floats ? ir_build1(g, IR_TRUNC, ir_over(g, x, y)) : cut_off(g, x, y);
    case IR_ROUNDING_FLOOR: return ir_build2(g, floats ? IR_FLOORDIV : IR_IDIV, x, y);
    default:
        return ir_error_as(g, BZ_EARG, "divide", "there is no rounding mode %d", rounding_mode);
    }
}

/* ---- near one another: |x - y| <= atol + rtol |y|, and what is equal */

ir_ref ir_isclose(ir_graph *g, ir_ref x, ir_ref y, double rtol, double atol, bool equal_nan) {
    bz_dtype t;
    ir_ref same = ir_build2(g, IR_EQ, x, y);
    if (!same || !ir_formula_in(g, (ir_ref *[]){&x, &y}, 2, false, &t)) return 0;
    if (!(rtol >= 0 && atol >= 0))
        return ir_error_as(g, BZ_EARG, "isclose", "tolerances must not be negative");
    ir_ref most = ir_times(g, ir_num(g, y, rtol), ir_build1(g, IR_ABS, y));
    ir_ref d = ir_build1(g, IR_ABS, ir_minus(g, x, y));
    ir_ref near = ir_build2(g, IR_LE, d, ir_plus(g, most, ir_num(g, y, atol)));
    near = ir_build2(g, IR_AND, near, ir_build1(g, IR_ISFINITE, d));
    near = ir_build2(g, IR_OR, near, same);
    if (!equal_nan) return near;
    ir_ref nan = ir_build1(g, IR_ISNAN, x);
    return ir_build2(g, IR_OR, near, ir_build2(g, IR_AND, nan, ir_build1(g, IR_ISNAN, y)));
}

ir_ref ir_allclose(ir_graph *g, ir_ref x, ir_ref y, double rtol, double atol, bool equal_nan) {
    return ir_reduce(g, IR_ALL, ir_isclose(g, x, y, rtol, atol, equal_nan), NULL, 0, false);
}

/* ---- special values */

/* The largest finite number of a floating dtype. */
static double largest(bz_dtype t) {
    return t == BZ_F64   ? 0x1.fffffffffffffp1023
           : t == BZ_F32 ? 0x1.fffffep127
           : t == BZ_F16 ? 65504
                         : 0x1.fep127;
}

/* posinf, neginf NaN: the largest number, and the smallest. */
ir_ref ir_nan_to_num(ir_graph *g, ir_ref x, double nan, double posinf, double neginf) {
    if (x && ir_is_complex(ir_dtype(g, x))) {
        const ir_pair parts = ir_parts_of(g, x);
        const ir_ref re = ir_nan_to_num(g, parts.re, nan, posinf, neginf);
        return ir_complex(g, re, ir_nan_to_num(g, parts.im, nan, posinf, neginf));
    }
    if (!x || !ir_is_float(ir_dtype(g, x))) return x;
    double most = largest(ir_dtype(g, x));
    ir_ref high = ir_num(g, x, isnan(posinf) ? most : posinf);
    ir_ref low = ir_num(g, x, isnan(neginf) ? -most : neginf);
    ir_ref is_nan = ir_build1(g, IR_ISNAN, x);
    ir_ref up = ir_build2(g, IR_EQ, x, ir_num(g, x, INFINITY));
    ir_ref down = ir_build2(g, IR_EQ, x, ir_num(g, x, -INFINITY));
    ir_ref y = ir_build3(g, IR_SELECT, down, low, x);
    y = ir_build3(g, IR_SELECT, up, high, y);
    return ir_build3(g, IR_SELECT, is_nan, ir_num(g, x, nan), y);
}

/* The sum of lgamma(x + (1 - j) / 2) for j = 1 .. p, and p (p - 1) / 4 log pi. */
ir_ref ir_multigammaln(ir_graph *g, ir_ref x, int p) {
    if (!x) return 0;
    bz_dtype t = ir_dtype(g, x);
    if (p < 1 || p > 1000)
        return ir_error_as(g, BZ_EARG, "multigammaln", "p is 1 to 1000, not %d", p);
    x = ir_math_in(g, x);
    ir_ref sum = ir_num(g, x, 0.25 * p * (p - 1) * 0x1.250d048e7a1bdp+0);
    for (int j = 1; j <= p; j++)
        sum = ir_plus(g, sum, ir_build1(g, IR_LGAMMA, ir_plus(g, x, ir_num(g, x, 0.5 * (1 - j)))));
    return ir_math_out(g, sum, t);
}

/* ---- bits of a float */

static bz_dtype integer_of(bz_dtype t) {
    return t == BZ_F64 ? BZ_I64 : t == BZ_F32 ? BZ_I32 : BZ_I16;
}

/* One number further towards y: in the order of the bits, a step up or down. */
ir_ref ir_nextafter(ir_graph *g, ir_ref x, ir_ref y) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x, &y}, 2, true, &t)) return 0;
    if (!ir_is_float(t))
        return ir_error_as(g, BZ_EDTYPE, "nextafter", "floats are needed, not %s",
                           ir_shape_text(g, x));
    const bz_dtype in = integer_of(t);
    ir_ref zero = ir_num(g, x, 0), sx = ir_build1(g, IR_STOP_GRADIENT, x),
           one = ir_const_i(g, in, 1);
    ir_ref bits = ir_bitcast(g, sx, in), up = ir_build2(g, IR_LT, x, y);
    ir_ref below = ir_build2(g, IR_LT, x, zero);
    ir_ref away = ir_build2(g, IR_XOR, up, below); /* the magnitude grows */
    ir_ref step = ir_build3(g, IR_SELECT, away, one, ir_const_i(g, in, -1));
    ir_ref next = ir_bitcast(g, ir_plus(g, bits, step), t);
    ir_ref tiny = ir_bitcast(g, one, t);
    ir_ref least = ir_build3(g, IR_SELECT, up, tiny, ir_build1(g, IR_NEG, tiny));
    next = ir_build3(g, IR_SELECT, ir_build2(g, IR_EQ, x, zero), least, next);
    next = ir_build3(g, IR_SELECT, ir_build2(g, IR_EQ, x, y), y, next);
    ir_ref none = ir_build2(g, IR_OR, ir_build1(g, IR_ISNAN, x), ir_build1(g, IR_ISNAN, y));
    return ir_build1(g, IR_STOP_GRADIENT,
                     ir_build3(g, IR_SELECT, none, ir_num(g, x, (double)NAN), next));
}

/* x = mantissa 2^exponent, 1/2 <= |mantissa| < 1; what has no such parts is its own mantissa. */
ir_ref ir_frexp(ir_graph *g, ir_ref x, ir_ref *exponent) {
    if (!x) return 0;
    bz_dtype t = ir_is_float(ir_dtype(g, x)) ? ir_dtype(g, x) : BZ_F32, m = ir_compute_dtype(t);
    const bz_dtype in = integer_of(m);
    const bool wide = m == BZ_F64;
    const int64_t digits = wide ? 52 : 23, mask = wide ? 0x7ff : 0xff, bias = wide ? 1022 : 126;
    x = ir_cast(g, x, m);
    ir_ref from = ir_build1(g, IR_STOP_GRADIENT, x), size = ir_build1(g, IR_ABS, from);
    ir_ref small = ir_build2(g, IR_LT, size, ir_num(g, x, wide ? 0x1p-1022 : 0x1p-126));
    ir_ref big = ir_build3(g, IR_SELECT, small, ir_times(g, from, ir_num(g, x, 0x1p60)), from);
    ir_ref field = ir_build2(g, IR_SHR, ir_bitcast(g, big, in), ir_const_i(g, in, digits));
    field = ir_build2(g, IR_AND, field, ir_const_i(g, in, mask));
    ir_ref off =
        ir_build3(g, IR_SELECT, small, ir_const_i(g, in, bias + 60), ir_const_i(g, in, bias));
    ir_ref zero = ir_build2(g, IR_EQ, from, ir_num(g, x, 0));
    ir_ref none = ir_build2(g, IR_OR, zero, ir_build1(g, IR_LNOT, ir_build1(g, IR_ISFINITE, from)));
    ir_ref e = ir_build3(g, IR_SELECT, none, ir_const_i(g, in, 0), ir_minus(g, field, off));
    *exponent = ir_cast(g, e, BZ_I32);
    ir_ref minus = ir_cast(g, ir_build1(g, IR_NEG, e), m),
           half = ir_build1(g, IR_TRUNC, ir_times(g, minus, ir_num(g, x, 0.5)));
    ir_ref rest = ir_build1(g, IR_EXP2, ir_minus(g, minus, half));
    ir_ref by = ir_times(g, x, ir_build1(g, IR_EXP2, half));
    return ir_cast(g, ir_times(g, by, rest), t);
}
