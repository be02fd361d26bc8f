/* lanes_cvt.c - conversion loops: see lanes_cvt.def. Compiled once per instruction set. */
#include "lanes.h"

/* A small float format: exponent of the least normal, stored mantissa bits, its greatest number,
 * the codes of infinity (0: none) and NaN. */
typedef struct {
    int emin, bits;
    uint32_t max, inf, nan, sign;
} small_float;

static const small_float fmt_f16 = {-14, 10, 0x7bff, 0x7c00, 0x7fff, 0x8000};
static const small_float fmt_bf16 = {-126, 7, 0x7f7f, 0x7f80, 0x7fff, 0x8000};
static const small_float fmt_e4m3 = {-6, 3, 0x7e, 0, 0x7f, 0x80};
static const small_float fmt_e5m2 = {-14, 2, 0x7b, 0x7c, 0x7f, 0x80};

enum { ENC_ROUND = 15, ENC_RELU = 16, ENC_SATFINITE = 32 };

/* The magnitude's code before the range is looked at: r is the number of quanta of its binade. */
static uint32_t encode_magnitude(double mag, bool negative, const small_float *f, uint32_t rnd) {
    int e;
    frexp(mag, &e);
    e = e - 1 < f->emin ? f->emin : e - 1;
    double r = ldexp(mag, f->bits - e), whole = floor(r), rest = r - whole;
    bool odd = fmod(whole, 2) != 0, up = false;
    if (rnd == RND_N)
        up = rest > 0.5 || (rest == 0.5 && odd);
    else if (rnd == RND_A)
        up = rest >= 0.5;
    else if (rnd == RND_M || rnd == RND_P)
        up = rest > 0 && negative == (rnd == RND_M);
    if (e - f->emin > 300) return UINT32_MAX;
    return (uint32_t)(((uint64_t)(e - f->emin) << f->bits) + (uint64_t)whole + up);
}

/* x rounded into a small format; mode: a rounding, ENC_RELU, ENC_SATFINITE. */
static uint32_t encode(double x, const small_float *f, uint32_t mode) {
    uint32_t rnd = mode & ENC_ROUND;
    if (x != x) return f->nan;
    bool negative = signbit(x);
    if (negative && mode & ENC_RELU) return 0;
    uint32_t sign = negative ? f->sign : 0;
    double mag = fabs(x);
    bool infinite = isinf(mag);
    uint32_t code = infinite ? UINT32_MAX : mag == 0 ? 0 : encode_magnitude(mag, negative, f, rnd);
    if (code <= f->max) return code | sign;
    bool to_max = rnd == RND_Z || (rnd == RND_M && !negative) || (rnd == RND_P && negative);
    if (mode & ENC_SATFINITE || (to_max && !infinite) || !f->inf) return f->max | sign;
    return f->inf | sign;
}

static inline uint32_t f2b(float x) {
    uint32_t u = f2u(x);
    return x != x ? 0x7fff : (u + 0x7fff + (u >> 16 & 1)) >> 16;
}

static inline uint32_t to_tf32(uint32_t u, uint32_t mode) {
    uint32_t rnd = mode & ENC_ROUND, em = u & 0x7fffffff;
    if (em > 0x7f800000) return 0x7fffffff;
    if (mode & ENC_RELU && u >> 31) return 0;
    if (em == 0x7f800000) return mode & ENC_SATFINITE ? (u & 0x80000000) | 0x7f7fe000 : u;
    uint32_t r = rnd == RND_A ? u + 0x1000 : rnd == RND_Z ? u : u + 0xfff + (u >> 13 & 1);
    r &= 0xffffe000;
    return (r & 0x7fffffff) == 0x7f800000 && mode & ENC_SATFINITE ? (r & 0x80000000) | 0x7f7fe000
                                                                  : r;
}

static inline double round1(double x, uint32_t mode) {
    uint32_t rnd = mode & ENC_ROUND;
    return rnd == RND_Z   ? __builtin_trunc(x)
           : rnd == RND_M ? __builtin_floor(x)
           : rnd == RND_P ? __builtin_ceil(x)
                          : __builtin_rint(x);
}

static inline float round1f(float x, uint32_t mode) {
    return x != x ? u2f(0x7fffffff) : (float)round1(x, mode);
}

/* Above 2^63 the half with its last bit sticky rounds alike, and doubling is exact. */
static inline double from_u64(uint64_t a) {
    int64_t half = (int64_t)(a >> 1 | (a & 1));
    return a >> 63 ? (double)half * 2 : (double)(int64_t)a;
}

static inline float from_u64f(uint64_t a) {
    int64_t half = (int64_t)(a >> 1 | (a & 1));
    return a >> 63 ? (float)half * 2 : (float)(int64_t)a;
}

static inline double odd64(uint64_t a) {
    uint64_t low = a & 0x7ff;
    return (double)(a >> 53 ? (a & ~(uint64_t)0x7ff) | (uint64_t)(low != 0) << 11 : a);
}

#define L LANE_DEFINE
#include "lanes_cvt.def"
#undef L

void ISA_NAME(lanes_cvt)(lane_table t) {
#define L(op, type, D, A, B, C, result) t[LN_##op][T_##type] = op##_##type;
#include "lanes_cvt.def"
#undef L
}
