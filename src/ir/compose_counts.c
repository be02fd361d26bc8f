/* compose_counts.c - Poisson and binomial numbers, in f64.
 *
 *     mean < 10    a uniform number of 53 bits among the sums of 45 probabilities: beyond these lies less than 2^-53
 *     mean >= 10   Hoermann's transformed rejection (PTRS, BTRS): k = floor((2 a / s + b) u + c), s = 1/2 - |u|; accept if
 *                  log(v (what the transform spreads)) <= log P(k);  14 rounds, the first that is accepted; none: the mean, rounded down
 *
 * Every element computes both and all rounds, and a choice takes one: the numbers are the same wherever they are drawn. An element
 * has 64 words of the stream: 0 and 1 for the sums, 2 r + 2 and the one behind it for round r. A round accepts seven times in ten
 * at least, four in five from means of 20 on: none does once in 3e7, or less. */
#include "src/ir/compose.h"

#include <math.h>

enum { ROUNDS = 14, SUMS = 45, WORDS = 64 };

static ir_ref num(ir_graph *g, double v) {
    return ir_const_f(g, BZ_F64, v);
}

static ir_ref plus(ir_graph *g, ir_ref x, double v) {
    return ir_plus(g, x, num(g, v));
}

static ir_ref times(ir_graph *g, ir_ref x, double v) {
    return ir_times(g, x, num(g, v));
}

static ir_ref choose(ir_graph *g, ir_ref is, ir_ref x, ir_ref y) {
    return ir_build3(g, IR_SELECT, is, x, y);
}

/* x, or a number where the condition does not hold: for what is not to be computed of anything. */
static ir_ref guarded(ir_graph *g, ir_ref is, ir_ref x, double otherwise) {
    return choose(g, is, x, num(g, otherwise));
}

/* (word k + 1/2) 2^-32 */
static ir_ref unit(ir_graph *g, ir_ref n, ir_ref key, int64_t k) {
    ir_ref w = ir_cast(g, ir_stream_word(g, ir_word_at(g, n, k), key, 0), BZ_F64);
    return times(g, plus(g, w, 0.5), 0x1p-32);
}

/* How many of P(0), P(0) + P(1), ... the uniform number is not below: p = P(0), next(k) = P(k + 1) / P(k) times k + 1. */
typedef struct falling {
    ir_ref p, n, ratio; /* next(k) = ratio (n - k), of n = 0: ratio */
} falling;

static ir_ref among_sums(ir_graph *g, const falling *f, ir_ref first, ir_ref key) {
    ir_ref u = times(g, ir_cast(g, ir_bits53(g, ir_word_at(g, first, 0), key), BZ_F64), 0x1p-53);
    ir_ref p = f->p, sum = p, k = ir_cast(g, ir_build2(g, IR_LE, sum, u), BZ_F64);
    for (int i = 1; i < SUMS; i++) {
        ir_ref by = times(g, f->ratio, 1.0 / i);
        if (f->n) by = ir_times(g, by, ir_build2(g, IR_MAX, plus(g, f->n, 1 - i), num(g, 0)));
        p = ir_times(g, p, by);
        sum = ir_plus(g, sum, p);
        k = ir_plus(g, k, ir_cast(g, ir_build2(g, IR_LE, sum, u), BZ_F64));
    }
    return k;
}

/* What log k! has beyond Stirling's formula, k >= 1: a series from 4 on. */
static ir_ref beyond_stirling(ir_graph *g, ir_ref k) {
    static const double few[] = {0.08106146679532726, 0.0413406959554093, 0.02767792568499834};
    ir_ref r = ir_over(g, num(g, 1), k), s = ir_times(g, r, r);
    ir_ref y = plus(g, times(g, s, 1.0 / 1188), -1.0 / 1680);
    y = plus(g, ir_times(g, y, s), 1.0 / 1260);
    y = plus(g, ir_times(g, y, s), -1.0 / 360);
    y = ir_times(g, plus(g, ir_times(g, y, s), 1.0 / 12), r);
    for (int i = 0; i < 3; i++)
        y = choose(g, ir_build2(g, IR_EQ, k, num(g, i + 1)), num(g, few[i]), y);
    return y;
}

/* k log(k / m) + m - k, small where both are near (Loader's deviance); k > 0. */
static ir_ref deviance(ir_graph *g, ir_ref k, ir_ref m) {
    ir_ref far = ir_over(g, ir_minus(g, k, m), m), log = ir_build1(g, IR_LOG1P, far);
    ir_ref all = ir_times(g, plus(g, far, 1), log);
    return ir_times(g, m, ir_minus(g, all, far));
}

/* Transformed rejection: k of each round, and log of what the transform makes of v. */
typedef struct hat {
    ir_ref a, b, c, scale;
} hat;

static ir_ref proposed(ir_graph *g, const hat *h, ir_ref first, ir_ref key, int round,
                       ir_ref *log) {
    ir_ref u = plus(g, unit(g, first, key, 2 * round + 2), -0.5),
           v = unit(g, first, key, 2 * round + 3);
    ir_ref s = ir_minus(g, num(g, 0.5), ir_build1(g, IR_ABS, u)), part = ir_over(g, h->a, s);
    ir_ref slope = ir_plus(g, times(g, part, 2), h->b),
           thick = ir_plus(g, ir_over(g, part, s), h->b);
    ir_ref x = ir_plus(g, ir_times(g, slope, u), h->c), high = ir_times(g, v, h->scale);
    *log = ir_build1(g, IR_LOG, ir_over(g, high, thick));
    return ir_build1(g, IR_FLOOR, x);
}

/* ---- Poisson: k of mean m */

static ir_ref log_poisson(ir_graph *g, ir_ref k, ir_ref m) {
    ir_ref some = ir_build2(g, IR_LT, num(g, 0), k), least = guarded(g, some, k, 1);
    ir_ref more = beyond_stirling(g, least), d = ir_plus(g, more, deviance(g, least, m));
    ir_ref root = times(g, ir_build1(g, IR_LOG, times(g, least, 0x1.921fb54442d18p+2)), 0.5);
    ir_ref log = ir_build1(g, IR_NEG, ir_plus(g, root, d));
    return choose(g, some, log, ir_build1(g, IR_NEG, m));
}

static ir_ref many_poisson(ir_graph *g, ir_ref m, ir_ref first, ir_ref key) {
    hat h = {.c = plus(g, m, 0.43)};
    h.b = plus(g, times(g, ir_build1(g, IR_SQRT, m), 2.53), 0.931);
    h.a = plus(g, times(g, h.b, 0.02483), -0.059);
    h.scale = plus(g, ir_over(g, num(g, 1.1328), plus(g, h.b, -3.4)), 1.1239);
    ir_ref r = ir_build1(g, IR_FLOOR, m);
    for (int i = ROUNDS; i-- > 0;) {
        ir_ref log, k = proposed(g, &h, first, key, i, &log);
        ir_ref in = ir_build2(g, IR_LE, num(g, 0), k);
        ir_ref fits = ir_build2(g, IR_LE, log, log_poisson(g, guarded(g, in, k, 0), m));
        r = choose(g, ir_build2(g, IR_AND, in, fits), k, r);
    }
    return r;
}

static ir_ref first_of(ir_graph *g, const char *name, ir_ref x, ir_ref key, ir_ref offset) {
    ir_ref n =
        ir_first_word(g, name, ir_dims(g, ir_at(g, x)), ir_at(g, x)->rank, key, offset, WORDS);
    return n ? ir_build2(g, IR_AND, n, ir_const_i(g, BZ_I64, -4)) : 0;
}

ir_ref ir_poisson(ir_graph *g, ir_ref x, ir_ref key, ir_ref offset) {
    if (!x) return 0;
    const bz_dtype t = ir_dtype(g, x);
    if (!ir_is_float(t))
        return ir_error_as(g, BZ_EDTYPE, "poisson", "floats are needed, not %s",
                           ir_shape_text(g, x));
    ir_ref m = ir_build1(g, IR_STOP_GRADIENT, ir_cast(g, x, BZ_F64)),
           first = first_of(g, "poisson", m, key, offset);
    if (!first) return 0;
    ir_ref few = ir_build2(g, IR_LT, m, num(g, 10)), small = guarded(g, few, m, 1);
    const falling f = {.p = ir_build1(g, IR_EXP, ir_build1(g, IR_NEG, small)), .ratio = small};
    ir_ref low = among_sums(g, &f, first, key);
    ir_ref large = ir_build2(g, IR_MAX, m, num(g, 10));
    ir_ref k = choose(g, few, low, many_poisson(g, large, first, key)),
           good = ir_build2(g, IR_LE, num(g, 0), m);
    return ir_cast(g, choose(g, good, k, num(g, (double)NAN)), t);
}

/* ---- binomial: k of n, each with p <= 1/2, q = 1 - p */

typedef struct trials {
    ir_ref n, p, q, mean, rest; /* n p, n q */
    ir_ref none, all;           /* log P(0), log P(n) */
    ir_ref whole; /* half of log(n / 2 pi), with what log n! has beyond Stirling's formula */
} trials;

static ir_ref log_binomial(ir_graph *g, ir_ref k, const trials *s) {
    ir_ref some = ir_build2(g, IR_LT, num(g, 0), k), short_of = ir_build2(g, IR_LT, k, s->n);
    ir_ref in = ir_build2(g, IR_AND, some, short_of), x = guarded(g, in, k, 1);
    ir_ref y = guarded(g, in, ir_minus(g, s->n, k), 1);
    ir_ref more = beyond_stirling(g, x), left = ir_plus(g, more, deviance(g, x, s->mean));
    more = beyond_stirling(g, y);
    ir_ref right = ir_plus(g, more, deviance(g, y, s->rest));
    ir_ref root = times(g, ir_build1(g, IR_LOG, ir_times(g, x, y)), 0.5);
    ir_ref log = ir_minus(g, s->whole, ir_plus(g, root, ir_plus(g, left, right)));
    return choose(g, some, choose(g, short_of, log, s->all), s->none);
}

static ir_ref many_binomial(ir_graph *g, trials *s, ir_ref first, ir_ref key) {
    ir_ref dev = ir_build1(g, IR_SQRT, ir_times(g, s->mean, s->q));
    hat h = {.b = plus(g, times(g, dev, 2.53), 1.15), .c = plus(g, s->mean, 0.5)};
    ir_ref a = times(g, h.b, 0.0248), more = times(g, s->p, 0.01);
    h.a = plus(g, ir_plus(g, a, more), -0.0873);
    h.scale = ir_times(g, plus(g, ir_over(g, num(g, 5.1), h.b), 2.83), dev);
    s->none = ir_times(g, s->n, ir_build1(g, IR_LOG1P, ir_build1(g, IR_NEG, s->p)));
    s->all = ir_times(g, s->n, ir_build1(g, IR_LOG, s->p));
    ir_ref half = times(g, ir_build1(g, IR_LOG, times(g, s->n, 0x1.45f306dc9c883p-3)), 0.5);
    s->whole = ir_plus(g, half, beyond_stirling(g, s->n));
    ir_ref mode = ir_build1(g, IR_FLOOR, ir_times(g, plus(g, s->n, 1), s->p)),
           most = log_binomial(g, mode, s), r = mode;
    for (int i = ROUNDS; i-- > 0;) {
        ir_ref log, k = proposed(g, &h, first, key, i, &log);
        ir_ref above = ir_build2(g, IR_LE, num(g, 0), k),
               in = ir_build2(g, IR_AND, above, ir_build2(g, IR_LE, k, s->n));
        ir_ref here = ir_minus(g, log_binomial(g, guarded(g, in, k, 0), s), most);
        ir_ref good = ir_build2(g, IR_AND, in, ir_build2(g, IR_LE, log, here));
        r = choose(g, good, k, r);
    }
    return r;
}

ir_ref ir_binomial(ir_graph *g, ir_ref count, ir_ref prob, ir_ref key, ir_ref offset) {
    ir_ref x[2] = {count, prob};
    if (!count || !prob || !ir_spread(g, &x[0], &x[1])) return 0;
    const bz_dtype t = ir_dtype_beside(g, IR_NIL, x, 2);
    if (!ir_is_float(t))
        return ir_error_as(g, BZ_EDTYPE, "binomial", "a probability is a float, not %s",
                           ir_shape_text(g, prob));
    for (int i = 0; i < 2; i++) x[i] = ir_build1(g, IR_STOP_GRADIENT, ir_cast(g, x[i], BZ_F64));
    ir_ref first = first_of(g, "binomial", x[0], key, offset);
    if (!first) return 0;
    ir_ref n = ir_build1(g, IR_FLOOR, x[0]), other = ir_minus(g, num(g, 1), x[1]);
    ir_ref turned = ir_build2(g, IR_LT, other, x[1]), p = choose(g, turned, other, x[1]);
    ir_ref some = ir_build2(g, IR_LE, num(g, 0), n),
           inside = ir_build2(g, IR_AND, some, ir_build2(g, IR_LE, num(g, 0), p));
    ir_ref mean = ir_times(g, n, p), few = ir_build2(g, IR_LT, mean, num(g, 10));
    ir_ref low = ir_build2(g, IR_AND, few, inside);
    falling f = {.n = guarded(g, low, n, 0)};
    ir_ref small = guarded(g, low, p, 0),
           none = ir_build1(g, IR_LOG1P, ir_build1(g, IR_NEG, small));
    f.p = ir_build1(g, IR_EXP, ir_times(g, f.n, none));
    f.ratio = ir_over(g, small, ir_minus(g, num(g, 1), small));
    ir_ref k = among_sums(g, &f, first, key);
    trials s = {.n = choose(g, few, num(g, 40), n)};
    s.p = choose(g, few, num(g, 0.5), p);
    s.q = ir_minus(g, num(g, 1), s.p);
    s.mean = ir_times(g, s.n, s.p);
    s.rest = ir_times(g, s.n, s.q);
    k = choose(g, few, k, many_binomial(g, &s, first, key));
    k = choose(g, turned, ir_minus(g, n, k), k);
    return ir_cast(g, choose(g, inside, k, num(g, (double)NAN)), t);
}
