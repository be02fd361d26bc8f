/* complex_elem.c - elementwise ops of complex numbers: those of two operands, and those made of other complex ops.
 *
 * A real operand stays real: z * 2 scales both parts, z + 1 leaves the imaginary one as it is. Each value gets its name before the next one is
 * made: gradients add up in the order of the nodes. */
#include "src/ir/complex.h"
#include "src/ir/compose.h"

#include <math.h>

static ir_ref joined(ir_graph *g, ir_pair p) {
    return p.im ? ir_complex(g, p.re, p.im) : p.re;
}

static ir_ref real_number(ir_graph *g, ir_pair like, double v) {
    return ir_num(g, like.re, v);
}

/* A real number as one with an imaginary part. */
static ir_pair with_both(ir_graph *g, ir_pair p) {
    if (!p.im && p.re) p.im = ir_const_like(g, p.re, 0);
    return p;
}

/* ---- arithmetic */

static ir_pair add(ir_graph *g, ir_pair x, ir_pair y) {
    const ir_ref re = ir_plus(g, x.re, y.re);
    return (ir_pair){re, !x.im ? y.im : !y.im ? x.im : ir_plus(g, x.im, y.im)};
}

static ir_pair sub(ir_graph *g, ir_pair x, ir_pair y) {
    const ir_ref re = ir_minus(g, x.re, y.re);
    return (ir_pair){re, !x.im ? ir_build1(g, IR_NEG, y.im) : !y.im ? x.im : ir_minus(g, x.im, y.im)};
}

static ir_ref times(ir_graph *g, ir_ref x, ir_ref y, const void *with) {
    (void)with;
    return ir_times(g, x, y);
}

static ir_pair mul(ir_graph *g, ir_pair x, ir_pair y) {
    if (!x.im || !y.im) {
        const ir_ref re = ir_times(g, x.re, y.re);
        return (ir_pair){re, x.im ? ir_times(g, x.im, y.re) : ir_times(g, x.re, y.im)};
    }
    const ir_ref product = ir_of_parts(g, times, joined(g, x), joined(g, y), NULL);
    return ir_parts_of(g, product);
}

/* Smith's: |c| >= |d|: r = d / c, n = c + d r: ((a + b r) / n, (b - a r) / n), else with c and d, a and b exchanged. Of 0 r is 0. */
static ir_pair divide(ir_graph *g, ir_pair x, ir_pair y) {
    if (!y.im) {
        const ir_ref re = ir_over(g, x.re, y.re);
        return (ir_pair){re, ir_over(g, x.im, y.re)};
    }
    x = with_both(g, x);
    const ir_ref c = y.re, d = y.im, zero = real_number(g, y, 0);
    const ir_ref size_c = ir_build1(g, IR_ABS, c), size_d = ir_build1(g, IR_ABS, d);
    const ir_ref keep = ir_build2(g, IR_LE, size_d, size_c);
    const ir_ref big = ir_build3(g, IR_SELECT, keep, c, d), small = ir_build3(g, IR_SELECT, keep, d, c);
    const ir_ref none = ir_build2(g, IR_EQ, big, zero);
    const ir_ref by = ir_build3(g, IR_SELECT, none, real_number(g, y, 1), big);
    const ir_ref r = ir_over(g, small, by);
    const ir_ref n = ir_plus(g, big, ir_times(g, small, r));
    const ir_ref u = ir_build3(g, IR_SELECT, keep, x.re, x.im), v = ir_build3(g, IR_SELECT, keep, x.im, x.re);
    const ir_ref re = ir_over(g, ir_plus(g, u, ir_times(g, v, r)), n);
    const ir_ref im = ir_over(g, ir_minus(g, v, ir_times(g, u, r)), n);
    const ir_ref other = ir_build1(g, IR_NEG, im);
    return (ir_pair){re, ir_build3(g, IR_SELECT, keep, im, other)};
}

static ir_pair reciprocal(ir_graph *g, ir_pair x) {
    return divide(g, (ir_pair){real_number(g, x, 1), 0}, x);
}

/* ---- comparison and choice */

static ir_ref equal(ir_graph *g, ir_pair x, ir_pair y) {
    const ir_ref re = ir_build2(g, IR_EQ, x.re, y.re);
    x = with_both(g, x);
    y = with_both(g, y);
    return ir_build2(g, IR_AND, re, ir_build2(g, IR_EQ, x.im, y.im));
}

/* x != 0 */
static ir_ref truth(ir_graph *g, ir_pair x) {
    const ir_ref re = ir_build2(g, IR_NE, x.re, real_number(g, x, 0));
    return x.im ? ir_build2(g, IR_OR, re, ir_build2(g, IR_NE, x.im, real_number(g, x, 0))) : re;
}

static ir_ref choose(ir_graph *g, ir_ref which, ir_pair x, ir_pair y) {
    x = with_both(g, x);
    y = with_both(g, y);
    const ir_ref re = ir_build3(g, IR_SELECT, which, x.re, y.re);
    return ir_complex(g, re, ir_build3(g, IR_SELECT, which, x.im, y.im));
}

/* ---- powers: e^(y log x), which is |x|^y at y arg x for a real y; x^0 is 1, x^1 x, x^2 x * x to the bit */

static ir_ref real_power(ir_graph *g, ir_pair x, ir_ref size, ir_ref angle, ir_ref y) {
    const ir_ref m = ir_build2(g, IR_POW, size, y), phi = ir_times(g, angle, y);
    const ir_ref re = ir_times(g, m, ir_build1(g, IR_COS, phi)), im = ir_times(g, m, ir_build1(g, IR_SIN, phi));
    const ir_ref square = joined(g, mul(g, x, x)), whole = joined(g, x), one = real_number(g, x, 1);
    ir_ref z = ir_complex(g, re, im);
    z = ir_build3(g, IR_SELECT, ir_build2(g, IR_EQ, y, real_number(g, x, 2)), square, z);
    z = ir_build3(g, IR_SELECT, ir_build2(g, IR_EQ, y, one), whole, z);
    return ir_build3(g, IR_SELECT, ir_build2(g, IR_EQ, y, real_number(g, x, 0)), one, z);
}

static ir_ref power(ir_graph *g, ir_pair x, ir_pair y) {
    x = with_both(g, x);
    const ir_ref size = ir_build1(g, IR_ABS, joined(g, x)), angle = ir_build2(g, IR_ATAN2, x.im, x.re);
    if (!y.im) return real_power(g, x, size, angle, y.re);
    const ir_ref zero = real_number(g, x, 0), one = real_number(g, x, 1), none = ir_build2(g, IR_EQ, size, zero);
    const ir_ref log = ir_build1(g, IR_LOG, ir_build3(g, IR_SELECT, none, one, size));
    const ir_ref product = joined(g, mul(g, y, (ir_pair){log, angle}));
    const ir_ref m = ir_build1(g, IR_EXP, ir_real(g, product)), phi = ir_imag(g, product);
    const ir_ref re = ir_times(g, m, ir_build1(g, IR_COS, phi)), im = ir_times(g, m, ir_build1(g, IR_SIN, phi));
    const ir_ref nan = real_number(g, x, (double)NAN);
    ir_ref of_none = ir_build3(g, IR_SELECT, ir_build2(g, IR_LT, zero, y.re), zero, nan);
    of_none = ir_build3(g, IR_SELECT, truth(g, y), of_none, one);
    return ir_build3(g, IR_SELECT, none, of_none, ir_complex(g, re, im));
}

/* ---- Kahan's inverse functions, by the roots of 1 - x and 1 + x */

static ir_pair root(ir_graph *g, ir_pair x) {
    return ir_parts_of(g, ir_build1(g, IR_SQRT, joined(g, x)));
}

/* Imaginary part of conj(p) q. */
static ir_ref between(ir_graph *g, ir_pair p, ir_pair q) {
    const ir_ref left = ir_times(g, p.re, q.im);
    return ir_minus(g, left, ir_times(g, p.im, q.re));
}

/* Real part of p q, or of conj(p) q. */
static ir_ref along(ir_graph *g, ir_pair p, ir_pair q, bool conj) {
    const ir_ref left = ir_times(g, p.re, q.re), right = ir_times(g, p.im, q.im);
    return conj ? ir_plus(g, left, right) : ir_minus(g, left, right);
}

static ir_pair arcsine(ir_graph *g, ir_pair x) {
    const ir_pair one = {real_number(g, x, 1), 0}, p = root(g, sub(g, one, x)), q = root(g, add(g, one, x));
    const ir_ref re = ir_build2(g, IR_ATAN2, x.re, along(g, p, q, false));
    return (ir_pair){re, ir_build1(g, IR_ASINH, between(g, p, q))};
}

static ir_pair arccosine(ir_graph *g, ir_pair x) {
    const ir_pair one = {real_number(g, x, 1), 0}, p = root(g, sub(g, one, x)), q = root(g, add(g, one, x));
    const ir_ref half = ir_build2(g, IR_ATAN2, p.re, q.re);
    return (ir_pair){ir_plus(g, half, half), ir_build1(g, IR_ASINH, between(g, q, p))};
}

/* asinh z = i asin(-i z) */
static ir_pair area_sine(ir_graph *g, ir_pair x) {
    const ir_pair y = arcsine(g, (ir_pair){x.im, ir_build1(g, IR_NEG, x.re)});
    return (ir_pair){ir_build1(g, IR_NEG, y.im), y.re};
}

static ir_pair area_cosine(ir_graph *g, ir_pair x) {
    const ir_pair one = {real_number(g, x, 1), 0}, p = root(g, sub(g, x, one)), q = root(g, add(g, x, one));
    const ir_ref half = ir_build2(g, IR_ATAN2, p.im, q.re);
    const ir_ref re = ir_build1(g, IR_ASINH, along(g, p, q, true));
    return (ir_pair){re, ir_plus(g, half, half)};
}

/* ---- the ops */

static ir_ref of_one(ir_graph *g, ir_op op, ir_pair x) {
    switch (op) {
    case IR_RECIPROCAL: return joined(g, reciprocal(g, x));
    case IR_RSQRT: return joined(g, reciprocal(g, root(g, x)));
    case IR_ASIN: return joined(g, arcsine(g, x));
    case IR_ACOS: return joined(g, arccosine(g, x));
    case IR_ASINH: return joined(g, area_sine(g, x));
    case IR_ACOSH: return joined(g, area_cosine(g, x));
    case IR_SIGMOID: {
        const ir_ref e = ir_build1(g, IR_EXP, ir_build1(g, IR_NEG, joined(g, x))), one = real_number(g, x, 1);
        return joined(g, reciprocal(g, add(g, ir_parts_of(g, e), (ir_pair){one, 0})));
    }
    case IR_STOP_GRADIENT: {
        const ir_ref re = ir_build1(g, op, x.re);
        return ir_complex(g, re, ir_build1(g, op, x.im));
    }
    default: break;
    }
    ir_complex_rule *rule = ir_complex_rule_of(op);
    return rule ? joined(g, rule(g, x.re, x.im)) : ir_not_for_complex(g, op, NULL);
}

static ir_ref of_many(ir_graph *g, ir_op op, ir_pair x, ir_pair y, ir_pair z) {
    switch (op) {
    case IR_ADD: return joined(g, add(g, x, y));
    case IR_SUB: return joined(g, sub(g, x, y));
    case IR_MUL: return joined(g, mul(g, x, y));
    case IR_DIV: return joined(g, divide(g, x, y));
    case IR_FMA: return joined(g, add(g, mul(g, x, y), z));
    case IR_LERP: {
        const ir_pair step = mul(g, z, sub(g, y, x));
        return joined(g, add(g, x, step));
    }
    case IR_EQ: return equal(g, x, y);
    case IR_NE: return ir_build1(g, IR_LNOT, equal(g, x, y));
    case IR_SELECT: return choose(g, x.re, y, z);
    case IR_POW: return power(g, x, y);
    case IR_LAND:
    case IR_LOR:
    case IR_LXOR: {
        const ir_ref p = truth(g, x);
        return ir_build2(g, op, p, truth(g, y));
    }
    default: return ir_not_for_complex(g, op, NULL);
    }
}

ir_ref ir_build_complex(ir_graph *g, ir_op op, const ir_ref *given, unsigned n, bz_dtype t) {
    ir_pair p[3] = {{0, 0}};
    if (!ir_broadcasts(g, op, given, n)) return 0;
    for (unsigned i = 0; i < n; i++) {
        const bool condition = op == IR_SELECT && i == 0, complex = ir_is_complex(ir_dtype(g, given[i]));
        const ir_ref x = condition ? given[i] : ir_cast(g, given[i], complex ? t : ir_part_dtype(t));
        p[i] = ir_parts_of(g, x);
        if (!p[i].re || (complex && !p[i].im)) return 0;
    }
    if (n == 1) return of_one(g, op, p[0]);
    return of_many(g, op, p[0], p[1], p[2]);
}

ir_ref ir_cast_real(ir_graph *g, ir_ref x, bz_dtype t) {
    const ir_pair p = ir_parts_of(g, x);
    if (!x || !p.im || ir_is_complex(t)) return ir_cast(g, x, t);
    return t == BZ_BOOL ? truth(g, p) : ir_cast(g, p.re, t);
}
