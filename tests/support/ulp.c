/* ulp.c - measures results against MPFR.
 *
 * One block of operands goes through the value program, then each result is compared. For f32 a
 * double from libm is truth enough (2^-28 units) to see which points are worth asking MPFR. */
#include "tests/support/ulp.h"

#include <float.h>
#include <math.h>
#include <string.h>

static int mp_rsqrt(mpfr_t r, const mpfr_t x, mpfr_rnd_t rnd) {
    mpfr_sqrt(r, x, rnd);
    return mpfr_ui_div(r, 1, r, rnd);
}

static int mp_sigmoid(mpfr_t r, const mpfr_t x, mpfr_rnd_t rnd) {
    mpfr_neg(r, x, rnd);
    mpfr_exp(r, r, rnd);
    mpfr_add_ui(r, r, 1, rnd);
    return mpfr_ui_div(r, 1, r, rnd);
}

static int mp_softplus(mpfr_t r, const mpfr_t x, mpfr_rnd_t rnd) {
    mpfr_t e;
    mpfr_init2(e, 300);
    mpfr_abs(e, x, rnd);
    mpfr_neg(e, e, rnd);
    mpfr_exp(e, e, rnd);
    mpfr_log1p(e, e, rnd);
    int i = mpfr_sgn(x) > 0 ? mpfr_add(r, x, e, rnd) : mpfr_set(r, e, rnd);
    mpfr_clear(e);
    return i;
}

/* The quotient rounded down, and the rest with the sign of y: as Python has them. */
static int mp_mod(mpfr_t r, const mpfr_t x, const mpfr_t y, mpfr_rnd_t rnd) {
    int i = mpfr_fmod(r, x, y, rnd);
    if (mpfr_zero_p(r)) return mpfr_setsign(r, r, mpfr_signbit(y), rnd);
    if (mpfr_number_p(r) && mpfr_signbit(r) != mpfr_signbit(y)) i = mpfr_add(r, r, y, rnd);
    return i;
}

static double sigmoid(double x) {
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}
static double softplus(double x) {
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

const ulp_fn ulp_fns[] = {
    {IR_EXP, mpfr_exp, NULL, exp, NULL, 1, 2},
    {IR_EXP2, mpfr_exp2, NULL, exp2, NULL, 1, 2},
    {IR_EXPM1, mpfr_expm1, NULL, expm1, NULL, 2, 2},
    {IR_LOG, mpfr_log, NULL, log, NULL, 1, 2},
    {IR_LOG2, mpfr_log2, NULL, log2, NULL, 1, 2},
    {IR_LOG10, mpfr_log10, NULL, log10, NULL, 2, 2},
    {IR_LOG1P, mpfr_log1p, NULL, log1p, NULL, 2, 2},
    {IR_SIN, mpfr_sin, NULL, sin, NULL, 2, 2},
    {IR_COS, mpfr_cos, NULL, cos, NULL, 2, 2},
    {IR_TAN, mpfr_tan, NULL, tan, NULL, 2, 2},
    {IR_ASIN, mpfr_asin, NULL, asin, NULL, 2, 2},
    {IR_ACOS, mpfr_acos, NULL, acos, NULL, 2, 2},
    {IR_ATAN, mpfr_atan, NULL, atan, NULL, 2, 2},
    {IR_SINH, mpfr_sinh, NULL, sinh, NULL, 2, 2},
    {IR_COSH, mpfr_cosh, NULL, cosh, NULL, 2, 2},
    {IR_TANH, mpfr_tanh, NULL, tanh, NULL, 2, 2},
    {IR_ASINH, mpfr_asinh, NULL, asinh, NULL, 2, 2},
    {IR_ACOSH, mpfr_acosh, NULL, acosh, NULL, 2, 2},
    {IR_ATANH, mpfr_atanh, NULL, atanh, NULL, 2, 2},
    {IR_CBRT, mpfr_cbrt, NULL, cbrt, NULL, 2, 2},
    {IR_ERF, mpfr_erf, NULL, erf, NULL, 2, 2},
    {IR_ERFC, mpfr_erfc, NULL, erfc, NULL, 2, 2},
    {IR_SIGMOID, mp_sigmoid, NULL, sigmoid, NULL, 2, 2},
    {IR_SOFTPLUS, mp_softplus, NULL, softplus, NULL, 2, 2},
    {IR_RSQRT, mp_rsqrt, NULL, NULL, NULL, 2, 2},
    {IR_POW, NULL, mpfr_pow, NULL, pow, 2, 2},
    {IR_HYPOT, NULL, mpfr_hypot, NULL, hypot, 2, 2},
    {IR_ATAN2, NULL, mpfr_atan2, NULL, atan2, 2, 2},
    {IR_FMOD, NULL, mpfr_fmod, NULL, fmod, 0, 0},
    {IR_MOD, NULL, mp_mod, NULL, NULL, 1, 1},
};
const unsigned ulp_fn_count = BZ_LEN(ulp_fns);

/* ---- errors */

/* 2^e of the last place of numbers as large as x; dtype's denormals share one. */
static int last_place(bz_dtype t, long exponent) {
    int digits = t == BZ_F32 ? FLT_MANT_DIG : DBL_MANT_DIG,
        lowest = t == BZ_F32 ? FLT_MIN_EXP : DBL_MIN_EXP;
    return (exponent < lowest ? lowest : (int)exponent) - digits;
}

double ulp_error(bz_dtype t, double got, const mpfr_t exact) {
    int emax = t == BZ_F32 ? FLT_MAX_EXP : DBL_MAX_EXP;
    if (mpfr_nan_p(exact) || isnan(got)) return mpfr_nan_p(exact) && isnan(got) ? 0 : INFINITY;
    double near =
        t == BZ_F32 ? (double)mpfr_get_flt(exact, MPFR_RNDN) : mpfr_get_d(exact, MPFR_RNDN);
    if (near == got)
        return got == 0 && signbit(got) != signbit(near) ? INFINITY
               : isinf(got) || mpfr_zero_p(exact)        ? 0
                                                         : 0.5;
    if (mpfr_inf_p(exact)) return INFINITY;
    mpfr_t d;
    mpfr_init2(d, 300);
    if (isinf(got))
        mpfr_set_si_2exp(d, got > 0 ? 1 : -1, emax, MPFR_RNDN);
    else
        mpfr_set_d(d, got, MPFR_RNDN);
    mpfr_sub(d, d, exact, MPFR_RNDN);
    long e = mpfr_zero_p(exact) ? -100000 : mpfr_get_exp(exact);
    mpfr_div_2si(d, d, last_place(t, e), MPFR_RNDN);
    double error = fabs(mpfr_get_d(d, MPFR_RNDU));
    mpfr_clear(d);
    return error;
}

/* The same against a double that is almost exact, f32 only; -1: ask MPFR. */
static double quick_error(double got, double exact) {
    if (!(fabs(exact) > 0x1p-149 && fabs(exact) < 0x1.fffffep127) || isinf(got) || isnan(got))
        return -1;
    return fabs(ldexp(got - exact, -last_place(BZ_F32, ilogb(exact) + 1L)));
}

static double exact_error(const ulp_fn *f, bz_dtype t, double x, double y, double got) {
    mpfr_t a, b, r;
    mpfr_inits2(120, a, b, r, (mpfr_ptr)NULL);
    mpfr_set_d(a, x, MPFR_RNDN);
    mpfr_set_d(b, y, MPFR_RNDN);
    if (f->one)
        f->one(r, a, MPFR_RNDN);
    else
        f->two(r, a, b, MPFR_RNDN);
    double error = ulp_error(t, got, r);
    mpfr_clears(a, b, r, (mpfr_ptr)NULL);
    return error;
}

/* ---- blocks of operands */

enum { BLOCK = 1024 };

typedef struct batch {
    const ulp_fn *f;
    bz_dtype t;
    unsigned n;
    double x[BLOCK], y[BLOCK];
    ulp_worst worst;
} batch;

static void judge(batch *b, unsigned i, double got) {
    double x = b->x[i], y = b->y[i], error = -1;
    if (b->t == BZ_F32 && b->f->libm)
        error = quick_error(got, b->f->libm(x));
    else if (b->t == BZ_F32 && b->f->libm2)
        error = quick_error(got, b->f->libm2(x, y));
    if (error >= 0 && error <= b->worst.error) return;
    error = exact_error(b->f, b->t, x, y, got);
    if (error > b->worst.error) {
        b->worst.error = error;
        b->worst.x = x;
        b->worst.y = y;
        b->worst.got = got;
    }
}

static void flush(batch *b) {
    uint64_t in[2][BLOCK], out[BLOCK];
    size_t size = ir_dtype_bytes(b->t);
    for (unsigned i = 0; i < b->n; i++) {
        ir_store_bits(b->t, (char *)in[0] + i * size, ir_bits_from_f64(b->t, b->x[i]));
        ir_store_bits(b->t, (char *)in[1] + i * size, ir_bits_from_f64(b->t, b->y[i]));
    }
    const void *const x[3] = {in[0], in[1], NULL};
    ir_value_eval(ir_value(b->f->op, b->t, b->t), out, x, b->n);
    for (unsigned i = 0; i < b->n; i++)
        judge(b, i, ir_bits_to_f64(b->t, ir_load_bits(b->t, (char *)out + i * size)));
    b->worst.tried += b->n;
    b->n = 0;
}

static void try(batch *b, double x, double y) {
    if (b->t == BZ_F32) {
        x = (double)(float)x;
        y = (double)(float)y;
    }
    b->x[b->n] = x;
    b->y[b->n] = y;
    if (++b->n == BLOCK) flush(b);
}

ulp_worst ulp_scan_f32(const ulp_fn *f, uint32_t first, uint32_t stride) {
    batch b = {.f = f, .t = BZ_F32};
    for (uint64_t u = first; u <= UINT32_MAX; u += stride) try(&b, ir_bits_to_f64(BZ_F32, u), 0);
    flush(&b);
    return b.worst;
}

/* ---- random operands */

static uint64_t random_bits(uint64_t *s) {
    *s = *s * 6364136223846793005u + 1442695040888963407u;
    uint64_t h = *s ^ *s >> 29;
    h *= 0xBF58476D1CE4E5B9u;
    return h ^ h >> 32;
}

static double uniform(uint64_t *s) {
    return (double)(random_bits(s) >> 11) * 0x1p-53;
}

/* A number of a random kind. */
static double pick(bz_dtype t, uint64_t *s) {
    double u = uniform(s) * 2 - 1;
    int lowest = t == BZ_F32 ? -149 : -1074, highest = t == BZ_F32 ? 127 : 1023;
    switch (random_bits(s) % 8) {
    case 0:
        return ir_bits_to_f64(t,
                              t == BZ_F32 ? random_bits(s) >> 32 : random_bits(s)); /* any bits */
    case 1: return ldexp(u, lowest + (int)(random_bits(s) % (unsigned)(highest - lowest)));
    case 2: return u;
    case 3: return u * 10;
    case 4: return u * (t == BZ_F32 ? 100 : 800);
    case 5: return 1 + ldexp(u, -(int)(random_bits(s) % 50));
    case 6: return ldexp(u, (int)(random_bits(s) % 40) - 20);
    default: return rint(u * 1e6) * 1.5707963267948966 + (random_bits(s) % 2 ? 0 : ldexp(u, -20));
    }
}

ulp_worst ulp_random(const ulp_fn *f, bz_dtype t, uint64_t seed, unsigned n) {
    batch b = {.f = f, .t = t};
    for (unsigned i = 0; i < n; i++) {
        double x = pick(t, &seed), y = pick(t, &seed);
        try(&b, x, i % 4 == 0 ? x * (1 + ldexp(y, -40)) : y);
    }
    flush(&b);
    return b.worst;
}

ulp_worst ulp_special(const ulp_fn *f, bz_dtype t) {
    double tiny = t == BZ_F32 ? 0x1p-149 : 0x1p-1074, small = t == BZ_F32 ? 0x1p-126 : 0x1p-1022;
    double huge = t == BZ_F32 ? (double)FLT_MAX : DBL_MAX, eps = t == BZ_F32 ? 0x1p-24 : 0x1p-53;
    const double v[] = {0,
                        INFINITY,
                        tiny,
                        small,
                        small - tiny,
                        small * 3,
                        0.25,
                        0.5,
                        0.5 - eps / 2,
                        1 - eps,
                        1,
                        1 + 2 * eps,
                        1.5,
                        2,
                        2.5,
                        3,
                        4,
                        1e10,
                        33,
                        88.7,
                        104,
                        709.7,
                        745.2,
                        1024,
                        128,
                        0x1p23,
                        0x1p24 - 1,
                        0x1p52,
                        0x1p53 - 1,
                        0x1p63,
                        0x1.f4217d50a1be6p-454,
                        0x1.fa8559966a918p525, /* as a pair: their quotient is normal */
                        huge,
                        huge / 2,
                        eps};
    batch b = {.f = f, .t = t};
    for (unsigned i = 0; i < 2 * BZ_LEN(v) + 1; i++) {
        double x = i == 2 * BZ_LEN(v) ? (double)NAN : i % 2 ? -v[i / 2] : v[i / 2];
        for (unsigned k = 0; k < (f->two ? 2 * BZ_LEN(v) + 1 : 1); k++)
            try(&b, x, k == 2 * BZ_LEN(v) ? (double)NAN : k % 2 ? -v[k / 2] : v[k / 2]);
    }
    flush(&b);
    return b.worst;
}
