/* test_math.c - the mathematics of math.def against MPFR: error bounds, special values, exact
 * functions.
 *
 * The quick run steps through the f32 patterns by 9973, BRAZE_FULL=1 takes every one. */
#include "tests/support/ulp.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void within(const ulp_fn *f, bz_dtype t, const char *how, ulp_worst w) {
    double bound = t == BZ_F32 ? f->bound32 : f->bound64;
    /* 0.5 is right rounding; an exact function must give the value itself, which counts 0.5 when
     * found equal. */
    cr_assert(w.tried > 0 && w.error <= (bound < 0.5 ? 0.5 : bound),
              "%s %s, %s: %.3f ulp at x = %a, y = %a: %a", ir_ops[f->op].name, ir_dtypes[t].name,
              how, w.error, w.x, w.y, w.got);
}

/* Parameters are copied into another process, so they are numbers and not pointers. */
static struct criterion_test_params each_function(void) {
    static unsigned number[64];
    cr_assert_leq(ulp_fn_count, BZ_LEN(number));
    for (unsigned i = 0; i < ulp_fn_count; i++) number[i] = i;
    return cr_make_param_array(unsigned, number, ulp_fn_count, NULL);
}

ParameterizedTestParameters(math, special_values) {
    return each_function();
}
ParameterizedTest(const unsigned *number, math, special_values) {
    const ulp_fn *f = &ulp_fns[*number];
    within(f, BZ_F32, "special values", ulp_special(f, BZ_F32));
    within(f, BZ_F64, "special values", ulp_special(f, BZ_F64));
}

ParameterizedTestParameters(math, error_bounds) {
    return each_function();
}
ParameterizedTest(const unsigned *number, math, error_bounds) {
    const ulp_fn *f = &ulp_fns[*number];
    bool full = getenv("BRAZE_FULL") != NULL;
    within(f, BZ_F32, "random", ulp_random(f, BZ_F32, 1, 20000));
    within(f, BZ_F64, "random", ulp_random(f, BZ_F64, 2, full ? 1000000 : 10000));
    if (f->one) within(f, BZ_F32, "every pattern", ulp_scan_f32(f, 0, full ? 1 : 9973));
}

static double square(double x) {
    return x * x;
}
static double cube(double x) {
    return x * x * x;
}
static double same(double x) {
    return x;
}
static double inverse(double x) {
    return 1 / x;
}
static double root(double x) {
    return x == -INFINITY ? INFINITY : sqrt(x + 0.0);
}
static double inverse_root(double x) {
    return 1 / root(x);
}

static float in_f32(double y, double x) {
    const float v = (float)x, s = (float)root(x);
    return y == 2     ? v * v
           : y == 3   ? v * v * v
           : y == 1   ? v
           : y == -1  ? 1 / v
           : y == 0.5 ? s
                      : 1 / s;
}

/* Results that are exactly known must be exactly met. */
Test(math, exact_results) {
    static const struct {
        ir_op op;
        double x, y, want;
    } rows[] = {
        {IR_EXP, 0, 0, 1},         {IR_EXP2, 10, 0, 1024},  {IR_EXP2, -3, 0, 0.125},
        {IR_LOG, 1, 0, 0},         {IR_LOG2, 8, 0, 3},      {IR_LOG2, 0.25, 0, -2},
        {IR_LOG10, 1000, 0, 3},    {IR_POW, 3, 4, 81},      {IR_POW, 2, -2, 0.25},
        {IR_POW, -2, 3, -8},       {IR_POW, 9, 0.5, 3},     {IR_CBRT, 27, 0, 3},
        {IR_CBRT, -8, 0, -2},      {IR_HYPOT, 3, 4, 5},     {IR_COS, 0, 0, 1},
        {IR_ACOS, 1, 0, 0},        {IR_SIGMOID, 0, 0, 0.5}, {IR_FMOD, 7.5, 2, 1.5},
        {IR_MOD, -7.5, 2, 0.5},    {IR_MOD, 7.5, -2, -0.5}, {IR_FLOORDIV, -7, 2, -4},
        {IR_FLOORDIV, 1, 0.1f, 9}, {IR_TANH, 50, 0, 1},     {IR_ERF, 10, 0, 1},
        {IR_ERFC, -10, 0, 2},
    };
    for (bz_dtype t = BZ_F32; t <= BZ_F64; t++) {
        for (unsigned i = 0; i < BZ_LEN(rows); i++) {
            const ir_bits x[3] = {ir_bits_from_f64(t, rows[i].x), ir_bits_from_f64(t, rows[i].y),
                                  0};
            double r = ir_bits_to_f64(t, ir_value_eval_bits(ir_value(rows[i].op, t, t), x));
            cr_assert_eq(r, rows[i].want, "%s %s(%g, %g) = %a", ir_dtypes[t].name,
                         ir_ops[rows[i].op].name, rows[i].x, rows[i].y, r);
        }
    }
}

/* Exponents of which pow makes something simpler: the same bits as that, and C's values at the ends. */
Test(math, simple_powers) {
    static const double xs[] = {0.0,  -0.0,  1,     -1,       0.3,       -2.75, 7,
                                1e30, 1e-30, -1e30, INFINITY, -INFINITY, 3e-41, (double)NAN};
    static const struct {
        double y;
        double (*want)(double);
    } rows[] = {{2, square},   {3, cube},   {1, same},
                {-1, inverse}, {0.5, root}, {-0.5, inverse_root}};
    for (bz_dtype t = BZ_F32; t <= BZ_F64; t++)
        for (unsigned i = 0; i < BZ_LEN(rows); i++)
            for (unsigned k = 0; k < BZ_LEN(xs); k++) {
                const ir_bits x = ir_bits_from_f64(t, xs[k]);
                const ir_bits in[3] = {x, ir_bits_from_f64(t, rows[i].y), 0};
                const double v = ir_bits_to_f64(t, x),
                             got =
                                 ir_bits_to_f64(t, ir_value_eval_bits(ir_value(IR_POW, t, t), in));
                const double want = t == BZ_F64 ? rows[i].want(v)
                                                : (double)(float)in_f32(rows[i].y, v),
                             c = pow(v, rows[i].y);
                cr_expect(got == want || (isnan(got) && isnan(want)), "%s pow(%g, %g) = %a, not %a",
                          ir_dtypes[t].name, v, rows[i].y, got, want);
                if (!isfinite(c) || c == 0)
                    cr_expect(isnan(c) ? isnan(got) : got == c && !signbit(got) == !signbit(c),
                              "%s pow(%g, %g) = %a, C's %a", ir_dtypes[t].name, v, rows[i].y, got,
                              c);
            }
}

/* sine of multiples of pi: doubles and floats that lie as near to one as any do. */
Test(math, arguments_next_to_multiples_of_pi) {
    static const double near[] = {0x1.6ac5b262ca1ffp849, 6381956970095103.0 * 0x1p797,
                                  0x1.921fb54442d18p0,   0x1.921fb54442d18p1,
                                  0x1.921fb54442d18p20,  0x1.45f306dc9c883p700,
                                  5.319372648326541e255, 0x1.e0000a1b2c3d4p27};
    for (unsigned k = 0; k < ulp_fn_count; k++) {
        ir_op op = ulp_fns[k].op;
        for (unsigned i = 0; (op == IR_SIN || op == IR_COS || op == IR_TAN) && i < BZ_LEN(near);
             i++) {
            mpfr_t x, r;
            mpfr_inits2(200, x, r, (mpfr_ptr)NULL);
            mpfr_set_d(x, near[i], MPFR_RNDN);
            ulp_fns[k].one(r, x, MPFR_RNDN);
            const ir_bits in[3] = {ir_bits_from_f64(BZ_F64, near[i]), 0, 0};
            double error = ulp_error(
                BZ_F64,
                ir_bits_to_f64(BZ_F64, ir_value_eval_bits(ir_value(op, BZ_F64, BZ_F64), in)), r);
            cr_assert_leq(error, 1, "%s(%a): %.3f", ir_ops[op].name, near[i], error);
            mpfr_clears(x, r, (mpfr_ptr)NULL);
        }
    }
}

/* ---- special functions: each on a range, errors in units of the last place of the result, or of `floor` where that is larger */

static int mp_lgamma(mpfr_t r, const mpfr_t x) {
    int sign;
    return mpfr_lgamma(r, &sign, x, MPFR_RNDN);
}

static int mp_digamma(mpfr_t r, const mpfr_t x) {
    return mpfr_digamma(r, x, MPFR_RNDN);
}

static int mp_erfcx(mpfr_t r, const mpfr_t x) {
    mpfr_t e;
    mpfr_init2(e, 2000);
    mpfr_sqr(e, x, MPFR_RNDN);
    mpfr_exp(e, e, MPFR_RNDN);
    mpfr_erfc(r, x, MPFR_RNDN);
    mpfr_mul(r, r, e, MPFR_RNDN);
    mpfr_clear(e);
    return 0;
}

/* The sum of (x^2 / 4)^k / k! (k + n)!, times (x / 2)^n; scaled: times e^-|x|. */
static int mp_bessel(mpfr_t r, const mpfr_t x, unsigned n, bool scaled) {
    mpfr_t q, term;
    mpfr_inits2(400, q, term, (mpfr_ptr)NULL);
    mpfr_sqr(q, x, MPFR_RNDN);
    mpfr_div_ui(q, q, 4, MPFR_RNDN);
    mpfr_set_ui(term, 1, MPFR_RNDN);
    if (n) mpfr_div_ui(term, x, 2, MPFR_RNDN);
    mpfr_set(r, term, MPFR_RNDN);
    for (unsigned k = 1; !mpfr_zero_p(term) && mpfr_get_exp(term) > mpfr_get_exp(r) - 200; k++) {
        mpfr_mul(term, term, q, MPFR_RNDN);
        mpfr_div_ui(term, term, k * (k + n), MPFR_RNDN);
        mpfr_add(r, r, term, MPFR_RNDN);
    }
    mpfr_abs(q, x, MPFR_RNDN);
    mpfr_neg(q, q, MPFR_RNDN);
    mpfr_exp(q, q, MPFR_RNDN);
    if (scaled) mpfr_mul(r, r, q, MPFR_RNDN);
    mpfr_clears(q, term, (mpfr_ptr)NULL);
    return 0;
}

static int mp_i0(mpfr_t r, const mpfr_t x) {
    return mp_bessel(r, x, 0, false);
}
static int mp_i0e(mpfr_t r, const mpfr_t x) {
    return mp_bessel(r, x, 0, true);
}
static int mp_i1(mpfr_t r, const mpfr_t x) {
    return mp_bessel(r, x, 1, false);
}
static int mp_i1e(mpfr_t r, const mpfr_t x) {
    return mp_bessel(r, x, 1, true);
}

static double special_value(ir_op op, bz_dtype t, double x) {
    const ir_bits in[3] = {ir_bits_from_f64(t, x), 0, 0};
    return ir_bits_to_f64(t, ir_value_eval_bits(ir_value(op, t, t), in));
}

/* A number of lo .. hi in dtype t, the k-th of n. */
static double spread_over(bz_dtype t, double lo, double hi, unsigned k, unsigned n) {
    double x = lo + (hi - lo) * (k + fabs(sin(k * 12.9898))) / (n + 1);
    return t == BZ_F32 ? (double)(float)x : x;
}

Test(math, special_functions) {
    static const struct {
        ir_op op;
        int (*truth)(mpfr_t, const mpfr_t);
        double lo, hi, bound, floor; /* bound of f64; f32 rounds that */
    } rows[] = {
        {IR_LGAMMA, mp_lgamma, 0.01, 170, 4, 1},
        {IR_LGAMMA, mp_lgamma, 0.5, 3, 4, 1},
        {IR_LGAMMA, mp_lgamma, -20, -0.01, 8, 1},
        {IR_LGAMMA, mp_lgamma, 170, 1e300, 4, 0},
        {IR_DIGAMMA, mp_digamma, 0.01, 100, 12, 1},
        {IR_DIGAMMA, mp_digamma, -20, -0.01, 64, 1},
        {IR_ERFCX, mp_erfcx, -26, 40, 4, 0},
        {IR_I0, mp_i0, -20, 20, 4, 0},
        {IR_I0, mp_i0, -700, 700, 5, 0},
        {IR_I0E, mp_i0e, -900, 900, 4, 0},
        {IR_I1, mp_i1, -20, 20, 4, 0},
        {IR_I1, mp_i1, -700, 700, 5, 0},
        {IR_I1E, mp_i1e, -900, 900, 4, 0},
    };
    enum { POINTS = 400 };
    mpfr_t x, r;
    mpfr_inits2(300, x, r, (mpfr_ptr)NULL);
    for (unsigned i = 0; i < BZ_LEN(rows); i++)
        for (bz_dtype t = BZ_F32; t <= BZ_F64; t++)
            for (unsigned k = 0; k < POINTS; k++) {
                double v = spread_over(t, rows[i].lo, rows[i].hi, k, POINTS);
                mpfr_set_d(x, v, MPFR_RNDN);
                rows[i].truth(r, x);
                double got = special_value(rows[i].op, t, v), exact = mpfr_get_d(r, MPFR_RNDN);
                double unit = ulp_error(t, got, r);
                if (fabs(exact) < rows[i].floor && exact != 0)
                    unit *= exp2(floor(log2(fabs(exact))) - floor(log2(rows[i].floor)));
                cr_assert_leq(unit, t == BZ_F64 ? rows[i].bound : 1,
                              "%s %s(%a) = %a, not %a: %.2f ulp", ir_dtypes[t].name,
                              ir_ops[rows[i].op].name, v, got, exact, unit);
            }
    mpfr_clears(x, r, (mpfr_ptr)NULL);
}

/* erf(erfinv(x)) = x, and so of the normal distribution: what is missing, in units of the last place of the inverse. */
Test(math, inverses_of_the_error_function) {
    enum { POINTS = 2000 };
    mpfr_t y, e, d;
    mpfr_inits2(300, y, e, d, (mpfr_ptr)NULL);
    for (unsigned k = 0; k < 2 * POINTS; k++) {
        bool normal = k % 2;
        double tail = exp2(-(double)(k % 50)),
               v = k < POINTS ? spread_over(BZ_F64, 0, 0.5, k, POINTS) : tail / 2;
        double x = normal ? v : 1 - 2 * v,
               got = special_value(normal ? IR_NDTRI : IR_ERFINV, BZ_F64, x);
        if (got == 0 || isinf(got)) continue;
        mpfr_set_d(y, got, MPFR_RNDN);
        if (normal) { /* erfc(-y / sqrt 2) / 2 = x */
            mpfr_neg(y, y, MPFR_RNDN);
            mpfr_sqr(d, y, MPFR_RNDN);
            mpfr_div_ui(d, d, 2, MPFR_RNDN);
            mpfr_sqrt(y, d, MPFR_RNDN);
            mpfr_erfc(e, y, MPFR_RNDN);
            mpfr_div_ui(e, e, 2, MPFR_RNDN);
        } else {
            mpfr_erf(e, y, MPFR_RNDN);
            mpfr_sqr(d, y, MPFR_RNDN);
        }
        mpfr_neg(d, d, MPFR_RNDN); /* the slope: e^-y^2 2 / sqrt pi, or e^(-y^2 / 2) / sqrt(2 pi) */
        mpfr_exp(d, d, MPFR_RNDN);
        mpfr_mul_d(d, d, normal ? 0x1.9884533d43651p-2 : 0x1.20dd750429b6dp+0, MPFR_RNDN);
        mpfr_sub_d(e, e, x, MPFR_RNDN);
        mpfr_div(e, e, d, MPFR_RNDN);
        double error = fabs(mpfr_get_d(e, MPFR_RNDN)) / exp2(floor(log2(fabs(got))) - 52);
        cr_assert_leq(error, 3, "%s(%a) = %a: %.2f ulp", normal ? "ndtri" : "erfinv", x, got,
                      error);
    }
    mpfr_clears(y, e, d, (mpfr_ptr)NULL);
}

/* The quotient of floats as Python has it: with mod it gives x back, and it is whole. */
Test(math, floor_div_is_the_floor_of_the_quotient) {
    static const double v[] = {1, -1, 0.1, 3.7, -3.7, 1e10, -1e-10, 7, 0.5};
    for (unsigned i = 0; i < BZ_LEN(v) * BZ_LEN(v); i++) {
        double x = v[i / BZ_LEN(v)], y = v[i % BZ_LEN(v)];
        const ir_bits in[3] = {ir_bits_from_f64(BZ_F64, x), ir_bits_from_f64(BZ_F64, y), 0};
        double got =
            ir_bits_to_f64(BZ_F64, ir_value_eval_bits(ir_value(IR_FLOORDIV, BZ_F64, BZ_F64), in));
        mpfr_t a, b;
        mpfr_inits2(2000, a, b, (mpfr_ptr)NULL);
        mpfr_set_d(a, x, MPFR_RNDN);
        mpfr_set_d(b, y, MPFR_RNDN);
        mpfr_div(a, a, b, MPFR_RNDN);
        mpfr_floor(a, a);
        cr_assert_eq(got, mpfr_get_d(a, MPFR_RNDN), "%g // %g = %a", x, y, got);
        mpfr_clears(a, b, (mpfr_ptr)NULL);
    }
}

/* The sum's error counts in units of the larger operand: near e^x + e^y = 1 the result itself
 * cancels. */
Test(math, logaddexp) {
    static const double v[] = {0, -0.25, 1, -1, 30, -745, 700, 1e300, -0.6931471805599453, -1e-9};
    for (unsigned i = 0; i < BZ_LEN(v) * BZ_LEN(v); i++) {
        double x = v[i / BZ_LEN(v)], y = v[i % BZ_LEN(v)], m = fmax(x, y), d = fabs(x - y);
        const ir_bits in[3] = {ir_bits_from_f64(BZ_F64, x), ir_bits_from_f64(BZ_F64, y), 0};
        double got =
            ir_bits_to_f64(BZ_F64, ir_value_eval_bits(ir_value(IR_LOGADDEXP, BZ_F64, BZ_F64), in));
        long double want = (long double)m + log1pl(expl(-(long double)d));
        cr_assert_leq(fabs((double)(want - (long double)got)), 2 * DBL_EPSILON * fmax(fabs(m), 1),
                      "%g, %g: %a", x, y, got);
    }
    const ir_bits inf[3] = {ir_bits_from_f64(BZ_F64, -(double)INFINITY),
                            ir_bits_from_f64(BZ_F64, -(double)INFINITY), 0};
    cr_assert_eq(
        ir_bits_to_f64(BZ_F64, ir_value_eval_bits(ir_value(IR_LOGADDEXP, BZ_F64, BZ_F64), inf)),
        -(double)INFINITY);
}

/* ---- Philox4x32-10, element x under key y: words of the published algorithm, here in its plain
 * form */

static void philox(uint32_t c[4], uint32_t k0, uint32_t k1) {
    for (int round = 0; round < 10; round++) {
        uint64_t p = (uint64_t)0xD2511F53 * c[0], q = (uint64_t)0xCD9E8D57 * c[2];
        uint32_t next[4] = {(uint32_t)(q >> 32) ^ c[1] ^ k0, (uint32_t)q,
                            (uint32_t)(p >> 32) ^ c[3] ^ k1, (uint32_t)p};
        memcpy(c, next, sizeof next);
        k0 += 0x9E3779B9;
        k1 += 0xBB67AE85;
    }
}

static int64_t draw(int64_t element, int64_t key) {
    const ir_bits in[3] = {(ir_bits)element, (ir_bits)key, 0};
    return (int64_t)ir_value_eval_bits(ir_value(IR_PHILOX, BZ_I64, BZ_I64), in);
}

Test(math, philox) {
    /* Random123's known answers: first of the plain form, then counter and key 0 of ours. */
    uint32_t pi[4] = {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
             ones[4] = {~0u, ~0u, ~0u, ~0u};
    philox(pi, 0xa4093822, 0x299f31d0);
    philox(ones, ~0u, ~0u);
    cr_assert_arr_eq(pi, ((uint32_t[]){0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}), sizeof pi);
    cr_assert_arr_eq(ones, ((uint32_t[]){0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}),
                     sizeof ones);
    static const int64_t zero[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    for (int64_t i = 0; i < 4; i++) cr_assert_eq(draw(i, 0), zero[i]);
    for (uint64_t i = 0; i < 1000; i++) {
        uint64_t element = i * 0x9E3779B97F4A7C15u >> (i % 50), key = i * 0xD1342543DE82EF95u;
        uint32_t c[4] = {(uint32_t)(element >> 2), (uint32_t)(element >> 34), 0, 0};
        philox(c, (uint32_t)key, (uint32_t)(key >> 32));
        cr_assert_eq(draw((int64_t)element, (int64_t)key), c[element & 3]);
    }
}

/* ---- half types, all of them against MPFR's rounding with their precision and range */

static double mpfr_half(double v, int digits, int emin, int emax) {
    mpfr_exp_t lo = mpfr_get_emin(), hi = mpfr_get_emax();
    mpfr_t x;
    mpfr_init2(x, digits);
    mpfr_set_emin(emin);
    mpfr_set_emax(emax);
    int i = mpfr_set_d(x, v, MPFR_RNDN);
    i = mpfr_check_range(x, i, MPFR_RNDN);
    mpfr_subnormalize(x, i, MPFR_RNDN);
    double r = mpfr_get_d(x, MPFR_RNDN);
    mpfr_set_emin(lo);
    mpfr_set_emax(hi);
    mpfr_clear(x);
    return r;
}

static void half_type(bz_dtype t, int digits, int emin, int emax) {
    for (uint32_t h = 0; h < 0x10000; h++) {
        double v = ir_bits_to_f64(t, h), up = ir_bits_to_f64(t, (h + 1) & 0xFFFF);
        if (isnan(v)) {
            cr_assert(isnan(ir_bits_to_f64(t, ir_bits_from_f64(t, v))));
            continue;
        }
        cr_assert_eq(ir_bits_from_f64(t, v), h);
        if (isinf(v) || isnan(up) || isinf(up) || signbit(v) != signbit(up)) continue;
        double middle = (v + up) / 2,
               beside[3] = {middle, nextafter(middle, v), nextafter(middle, up)};
        for (int i = 0; i < 3; i++) {
            double want = mpfr_half(beside[i], digits, emin, emax);
            cr_assert_eq(ir_bits_to_f64(t, ir_bits_from_f64(t, beside[i])), want, "%s %a",
                         ir_dtypes[t].name, beside[i]);
        }
    }
}

Test(math, f16_rounds_like_mpfr) {
    half_type(BZ_F16, 11, -23, 16);
}
Test(math, bf16_rounds_like_mpfr) {
    half_type(BZ_BF16, 8, -132, 128);
}

Test(math, narrowing_overflows_at_the_half_way_point) {
    cr_assert_eq(ir_f64_to_f16(65519.99), 0x7BFF);
    cr_assert_eq(ir_f64_to_f16(65520), 0x7C00);
    cr_assert_eq(ir_f32_to_f16(-70000), 0xFC00);
    cr_assert_eq(ir_f32_to_bf16(FLT_MAX), 0x7F80);
    cr_assert_eq(ir_f64_to_bf16(1e300), 0x7F80);
    cr_assert_eq(ir_f64_to_f16(0x1p-25), 0);
    cr_assert_eq(ir_f64_to_f16(0x1.0000000001p-25), 1);
    for (uint64_t u = 0; u <= UINT32_MAX; u += 65521) { /* both ways to bf16 agree */
        float v = (float)ir_bits_to_f64(BZ_F32, u);
        if (!isnan(v)) cr_assert_eq(ir_f32_to_bf16(v), ir_f64_to_bf16((double)v), "%a", (double)v);
    }
}
