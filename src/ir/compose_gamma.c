/* compose_gamma.c - gamma numbers by Marsaglia and Tsang, and what is made of them: beta, Dirichlet.
 *
 *     a = alpha, or alpha + 1 below 1;  d = a - 1/3,  c = 1 / (3 sqrt d)
 *     six rounds:   w = c z,  z normal;   accept if w > -1 and log u < z^2 / 2 + d (3 log(1 + w) - 3 w - 3 w^2 - w^3)
 *     log gamma = log d + 3 log(1 + w) of the first that was accepted (none: w = 0, once in 7e7 at alpha 1, else less), + log(u) / alpha below 1
 *
 * All rounds are computed for every element, and a choice takes one: no element waits for another, and the numbers are the same wherever
 * they are drawn. An element has 64 words of the stream: word 4 r and so on for its rounds, 60 and 61 for what is below 1. */
#include "src/ir/compose.h"

#include <float.h>
#include <math.h>

enum { PAIRS = 3 /* of rounds: two normals come together */, WORDS = 64 };

/* In (0, 1), of f32 by 23 bits, of f64 by 53 of two words. */
static ir_ref unit(ir_graph *g, bz_dtype t, ir_ref n, ir_ref key) {
    const bool wide = t == BZ_F64;
    ir_ref bits = wide ? ir_bits53(g, n, key) : ir_cast(g, ir_stream_word(g, n, key, 9), BZ_I32);
    ir_ref half = ir_plus(g, ir_cast(g, bits, t), ir_const_f(g, t, 0.5));
    ir_ref u = ir_times(g, half, ir_const_f(g, t, wide ? 0x1p-53 : 0x1p-23));
    return wide ? ir_build2(g, IR_MIN, u, ir_const_f(g, t, 1 - 0x1p-53)) : u;
}

/* Two normals by Box and Muller. */
static void normals(ir_graph *g, bz_dtype t, ir_ref n, ir_ref key, unsigned pair, ir_ref *z) {
    const int64_t k = t == BZ_F64 ? 8 * pair : 4 * pair;
    ir_ref u = unit(g, t, ir_word_at(g, n, k), key);
    ir_ref v = unit(g, t, ir_word_at(g, n, t == BZ_F64 ? k + 2 : k + 1), key);
    ir_ref r = ir_build1(g, IR_SQRT, ir_times(g, ir_build1(g, IR_LOG, u), ir_const_f(g, t, -2)));
    ir_ref angle = ir_times(g, v, ir_const_f(g, t, 0x1.921fb54442d18p+2));
    z[0] = ir_times(g, r, ir_build1(g, IR_COS, angle));
    z[1] = ir_times(g, r, ir_build1(g, IR_SIN, angle));
}

typedef struct rounds {
    bz_dtype t;
    ir_ref n, key; /* the element's first word */
    ir_ref d, c;
    ir_ref log1p; /* log(1 + w) of the first that was accepted */
} rounds;

/* One round, before those that are in q already: it is asked first. */
static void earlier(ir_graph *g, rounds *q, ir_ref z, int64_t word) {
    ir_ref w = ir_times(g, q->c, z), least = ir_num(g, w, -1);
    ir_ref in = ir_build2(g, IR_LT, least, w);
    w = ir_build3(g, IR_SELECT, in, w, ir_num(g, w, 0));
    ir_ref log1p = ir_build1(g, IR_LOG1P, w), square = ir_times(g, w, w);
    ir_ref far = ir_minus(g, log1p, w), three = ir_num(g, w, 3);
    far = ir_times(g, far, three);
    ir_ref more = ir_times(g, square, ir_plus(g, w, three));
    ir_ref h = ir_times(g, q->d, ir_minus(g, far, more)), half = ir_times(g, z, ir_num(g, z, 0.5));
    h = ir_plus(g, h, ir_times(g, half, z));
    ir_ref u = unit(g, q->t, ir_word_at(g, q->n, word), q->key);
    ir_ref below = ir_build2(g, IR_LT, ir_build1(g, IR_LOG, u), h);
    ir_ref good = ir_build2(g, IR_AND, in, below);
    q->log1p = ir_build3(g, IR_SELECT, good, log1p, q->log1p);
}

/* log of a gamma number for each element of alpha (f32, f64), which may be of any size; NaN unless alpha > 0. */
static ir_ref log_gamma(ir_graph *g, ir_ref alpha, ir_ref first, ir_ref key) {
    const bz_dtype t = ir_dtype(g, alpha);
    ir_ref one = ir_num(g, alpha, 1), less = ir_build2(g, IR_LT, alpha, one);
    ir_ref a = ir_build3(g, IR_SELECT, less, ir_plus(g, alpha, one), alpha);
    rounds q = {.t = t, .n = first, .key = key};
    q.d = ir_minus(g, a, ir_num(g, a, 1.0 / 3));
    q.c = ir_over(g, ir_num(g, a, 1.0 / 3), ir_build1(g, IR_SQRT, q.d));
    q.log1p = ir_num(g, a, 0);
    for (unsigned p = PAIRS; p-- > 0;) {
        ir_ref z[2];
        normals(g, t, q.n, key, p, z);
        for (unsigned k = 2; k-- > 0;)
            earlier(g, &q, z[k], t == BZ_F64 ? 24 + 4 * p + 2 * k : 4 * p + 2 + k);
    }
    ir_ref log = ir_build1(g, IR_LOG, q.d);
    log = ir_plus(g, log, ir_times(g, q.log1p, ir_num(g, a, 3)));
    ir_ref u = ir_build1(g, IR_LOG, unit(g, t, ir_word_at(g, q.n, 60), key));
    ir_ref lower = ir_plus(g, log, ir_over(g, u, ir_build3(g, IR_SELECT, less, alpha, one)));
    log = ir_build3(g, IR_SELECT, less, lower, log);
    ir_ref good = ir_build2(g, IR_LT, ir_num(g, alpha, 0), alpha);
    return ir_build3(g, IR_SELECT, good, log, ir_num(g, log, (double)NAN));
}

/* The words of x's elements, `gammas` times as many; x in its op-math, as a constant. 0 and an error: it is no float. */
static ir_ref begin(ir_graph *g, const char *name, ir_ref *x, ir_ref key, ir_ref offset,
                    int gammas) {
    if (!*x) return 0;
    if (!ir_is_float(ir_dtype(g, *x)))
        return ir_error_as(g, BZ_EDTYPE, name, "floats are needed, not %s", ir_shape_text(g, *x));
    *x = ir_build1(g, IR_STOP_GRADIENT, ir_math_in(g, *x));
    ir_ref n = ir_first_word(g, name, ir_dims(g, ir_at(g, *x)), ir_at(g, *x)->rank, key, offset,
                             (unsigned)(WORDS * gammas));
    return n ? ir_build2(g, IR_AND, n, ir_const_i(g, BZ_I64, -4)) : 0;
}

/* The smallest normal number at least, as PyTorch's: its logarithm is one. */
static ir_ref out_of_log(ir_graph *g, ir_ref log, bz_dtype t) {
    ir_ref x = ir_build1(g, IR_EXP, log);
    const double least = t == BZ_F64 ? DBL_MIN : t == BZ_F16 ? 0x1p-14 : FLT_MIN;
    return ir_build2(g, IR_MAX, x, ir_num(g, x, least));
}

ir_ref ir_standard_gamma(ir_graph *g, ir_ref x, ir_ref key, ir_ref offset) {
    bz_dtype t = x ? ir_dtype(g, x) : BZ_F32;
    ir_ref first = begin(g, "standard_gamma", &x, key, offset, 1);
    return first ? ir_math_out(g, out_of_log(g, log_gamma(g, x, first, key), t), t) : 0;
}

ir_ref ir_gamma(ir_graph *g, ir_ref concentration, ir_ref rate, ir_ref key, ir_ref offset) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&concentration, &rate}, 2, false, &t) ||
        !ir_spread(g, &concentration, &rate))
        return 0;
    ir_ref first = begin(g, "gamma", &concentration, key, offset, 1);
    if (!first) return 0;
    ir_ref x = out_of_log(g, log_gamma(g, concentration, first, key), t);
    return ir_math_out(g, ir_over(g, x, rate), t);
}

/* x / (x + y) of two gamma numbers, by their logarithms, which small concentrations do not make zeros. */
ir_ref ir_beta(ir_graph *g, ir_ref concentration1, ir_ref concentration0, ir_ref key,
               ir_ref offset) {
    bz_dtype t;
    ir_ref a = concentration1, b = concentration0;
    if (!ir_formula_in(g, (ir_ref *[]){&a, &b}, 2, false, &t) || !ir_spread(g, &a, &b)) return 0;
    ir_ref first = begin(g, "beta", &a, key, offset, 2);
    if (!first) return 0;
    b = ir_build1(g, IR_STOP_GRADIENT, b);
    ir_ref x = log_gamma(g, a, first, key);
    ir_ref y = log_gamma(g, b, ir_plus(g, first, ir_const_i(g, BZ_I64, WORDS)), key);
    return ir_math_out(g, ir_build1(g, IR_SIGMOID, ir_minus(g, x, y)), t);
}

ir_ref ir_dirichlet(ir_graph *g, ir_ref x, ir_ref key, ir_ref offset) {
    if (!x) return 0;
    bz_dtype t = ir_dtype(g, x);
    if (ir_at(g, x)->rank == 0)
        return ir_error_as(g, BZ_ESHAPE, "dirichlet", "%s has no axis of concentrations",
                           ir_shape_text(g, x));
    ir_ref first = begin(g, "dirichlet", &x, key, offset, 1);
    return first ? ir_math_out(g, ir_softmax(g, log_gamma(g, x, first, key), -1), t) : 0;
}
