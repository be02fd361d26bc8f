/* fp.c - bits to MPFR numbers and back. */
#include "fp.h"

#include <stddef.h>

const char *const fp_name[] = {"f16", "bf16", "f32", "f64", "tf32", "e4m3", "e5m2"};
const char *const fp_round_name[] = {"rn", "rz", "rm", "rp", "rna"};

/* `precision` counts the hidden bit; `bias` is that of the exponent; `tail` unused low bits of the
 * word. */
static const struct {
    int bits, precision, bias, tail;
} formats[] = {
    [FP_F16] = {16, 11, 15, 0},   [FP_BF16] = {16, 8, 127, 0},   [FP_F32] = {32, 24, 127, 0},
    [FP_F64] = {64, 53, 1023, 0}, [FP_TF32] = {19, 11, 127, 13}, [FP_E4M3] = {8, 4, 7, 0},
    [FP_E5M2] = {8, 3, 15, 0}};

static int fraction(fp_format f) {
    return formats[f].precision - 1;
}
static uint64_t sign_bit(fp_format f) {
    return (uint64_t)1 << (formats[f].bits - 1);
}
static uint64_t infinity(fp_format f) {
    return (sign_bit(f) - 1) >> fraction(f) << fraction(f);
}

unsigned fp_bits(fp_format f) {
    return (unsigned)(formats[f].bits + formats[f].tail);
}
uint64_t fp_one(fp_format f) {
    return (uint64_t)formats[f].bias << fraction(f) << formats[f].tail;
}
uint64_t fp_nan(fp_format f) {
    return (sign_bit(f) - 1) << formats[f].tail;
}

bool fp_is_nan(fp_format f, uint64_t bits) {
    uint64_t magnitude = bits & (sign_bit(f) - 1);
    return f == FP_E4M3 ? magnitude == 0x7f
                        : magnitude > infinity(f); /* e4m3 has one NaN and no infinity */
}

bool fp_is_subnormal(fp_format f, uint64_t bits) {
    uint64_t magnitude = bits & (sign_bit(f) - 1);
    return magnitude != 0 && magnitude >> fraction(f) == 0;
}

uint64_t fp_flush(fp_format f, uint64_t bits) {
    return fp_is_subnormal(f, bits) ? bits & sign_bit(f) : bits;
}

uint64_t fp_saturate(fp_format f, uint64_t bits) {
    if (fp_is_nan(f, bits) || bits & sign_bit(f)) return 0;
    return bits > fp_one(f) ? fp_one(f) : bits;
}

void fp_get(mpfr_t x, fp_format f, uint64_t bits) {
    uint64_t magnitude = (bits >> formats[f].tail) & (sign_bit(f) - 1);
    uint64_t m = magnitude & (((uint64_t)1 << fraction(f)) - 1);
    int exponent = (int)(magnitude >> fraction(f));
    bool top = magnitude >= infinity(f) && f != FP_E4M3;
    if (fp_is_nan(f, bits >> formats[f].tail)) {
        mpfr_set_nan(x);
        return;
    }
    if (exponent > 0)
        m |= (uint64_t)1 << fraction(f);
    else
        exponent = 1;
    mpfr_set_uj_2exp(x, m, exponent - formats[f].bias - fraction(f), MPFR_RNDN);
    if (top) mpfr_set_inf(x, 1);
    mpfr_setsign(x, x, (bits >> formats[f].tail & sign_bit(f)) != 0, MPFR_RNDN);
}

/* Bits of a number that the format can hold. */
static uint64_t encode(mpfr_t x, fp_format f) {
    uint64_t sign = mpfr_signbit(x) ? sign_bit(f) : 0, bits;
    if (mpfr_nan_p(x)) return fp_nan(f);
    if (mpfr_inf_p(x)) {
        bits = infinity(f);
    } else if (mpfr_zero_p(x)) {
        bits = 0;
    } else {
        mpfr_t y;
        int least = 1 - formats[f].bias - fraction(f),
            unit = (int)mpfr_get_exp(x) - formats[f].precision;
        if (unit < least) unit = least;
        mpfr_init2(y, 64);
        mpfr_abs(y, x, MPFR_RNDN);
        mpfr_mul_2si(y, y, -unit, MPFR_RNDN);
        bits = (uint64_t)mpfr_get_uj(y, MPFR_RNDN) + ((uint64_t)(unit - least) << fraction(f));
        mpfr_clear(y);
    }
    return (bits | sign) << formats[f].tail;
}

/* Exponents as MPFR counts them: numbers are in [0.5, 1) times a power. */
static void enter(fp_format f) {
    mpfr_set_emax(formats[f].bias + 1 +
                  (f == FP_E4M3)); /* e4m3 uses its top exponent for numbers */
    mpfr_set_emin(2 - formats[f].bias - fraction(f));
}

static void leave(void) {
    mpfr_set_emax(mpfr_get_emax_max());
    mpfr_set_emin(mpfr_get_emin_min());
}

static mpfr_rnd_t direction(fp_round r) {
    static const mpfr_rnd_t to[] = {MPFR_RNDN, MPFR_RNDZ, MPFR_RNDD, MPFR_RNDU, MPFR_RNDN};
    return to[r];
}

static uint64_t finish(mpfr_t y, int inexact, fp_format f, mpfr_rnd_t rnd) {
    inexact = mpfr_check_range(y, inexact, rnd);
    mpfr_subnormalize(y, inexact, rnd);
    leave();
    return encode(y, f);
}

/* Ties away: half a unit more in magnitude, then cut. */
static uint64_t put_away(mpfr_t x, fp_format f) {
    mpfr_t half;
    uint64_t bits;
    int least = 1 - formats[f].bias - fraction(f);
    mpfr_init2(half, 128);
    if (mpfr_regular_p(x)) {
        int unit = (int)mpfr_get_exp(x) - formats[f].precision;
        mpfr_set_si_2exp(half, mpfr_signbit(x) ? -1 : 1, (unit > least ? unit : least) - 1,
                         MPFR_RNDN);
        mpfr_add(half, half, x, MPFR_RNDN);
        bits = fp_put(half, f, FP_RZ);
        if (mpfr_get_exp(half) > formats[f].bias + 1) /* it overflowed rather than being cut */
            bits = (infinity(f) | (mpfr_signbit(x) ? sign_bit(f) : 0)) << formats[f].tail;
    } else {
        bits = fp_put(x, f, FP_RN);
    }
    mpfr_clear(half);
    return bits;
}

uint64_t fp_put(mpfr_t x, fp_format f, fp_round r) {
    mpfr_t y;
    if (r == FP_RNA) return put_away(x, f);
    mpfr_init2(y, formats[f].precision);
    int inexact = mpfr_set(y, x, direction(r));
    enter(f);
    uint64_t bits = finish(y, inexact, f, direction(r));
    mpfr_clear(y);
    return bits;
}

static int apply(mpfr_t y, fp_op op, mpfr_t a, mpfr_t b, mpfr_t c, mpfr_rnd_t rnd) {
    switch (op) {
    case FP_ADD: return mpfr_add(y, a, b, rnd);
    case FP_SUB: return mpfr_sub(y, a, b, rnd);
    case FP_MUL: return mpfr_mul(y, a, b, rnd);
    case FP_FMA: return mpfr_fma(y, a, b, c, rnd);
    case FP_DIV: return mpfr_div(y, a, b, rnd);
    case FP_RCP: return mpfr_ui_div(y, 1, a, rnd);
    case FP_SQRT: return mpfr_sqrt(y, a, rnd);
    case FP_RSQRT: return mpfr_rec_sqrt(y, a, rnd);
    case FP_SIN: return mpfr_sin(y, a, rnd);
    case FP_COS: return mpfr_cos(y, a, rnd);
    case FP_EX2: return mpfr_exp2(y, a, rnd);
    case FP_LG2: return mpfr_log2(y, a, rnd);
    case FP_TANH: return mpfr_tanh(y, a, rnd);
    }
    return 0;
}

uint64_t fp_compute(fp_op op, fp_format f, fp_round r, uint64_t a, uint64_t b, uint64_t c) {
    mpfr_t x[3], y;
    mpfr_inits2(64, x[0], x[1], x[2], (mpfr_ptr)NULL);
    mpfr_init2(y, formats[f].precision);
    fp_get(x[0], f, a);
    fp_get(x[1], f, b);
    fp_get(x[2], f, c);
    int inexact = apply(y, op, x[0], x[1], x[2], direction(r));
    if (op == FP_RSQRT && mpfr_zero_p(x[0]))
        mpfr_setsign(y, y, mpfr_signbit(x[0]), MPFR_RNDN); /* 1 / -0 is -inf here */
    enter(f);
    uint64_t bits = finish(y, inexact, f, direction(r));
    mpfr_clears(x[0], x[1], x[2], y, (mpfr_ptr)NULL);
    return bits;
}

int fp_order(fp_format f, uint64_t a, uint64_t b) {
    mpfr_t x, y;
    mpfr_inits2(64, x, y, (mpfr_ptr)NULL);
    fp_get(x, f, a);
    fp_get(y, f, b);
    int order = mpfr_unordered_p(x, y) ? 2 : mpfr_less_p(x, y) ? -1 : mpfr_greater_p(x, y);
    mpfr_clears(x, y, (mpfr_ptr)NULL);
    return order < 0 ? -1 : order == 2 ? 2 : order > 0;
}
