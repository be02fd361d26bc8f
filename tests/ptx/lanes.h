/* lanes.h - scalars that the 32-lane loops are made of, and the macros that make loops of them.
 *
 * Each lanes_*.def line is L(op, type, D, A, B, C, result): lane types of the destination and the
 * sources and an expression over a, b, c and imm. The .def file is read twice, for the loops and
 * for the table. */
#ifndef PTX_LANES_H
#define PTX_LANES_H

#include "vm.h"

#include <math.h>
#include <string.h>

#define PASTE_(a, b)   a##_##b
#define PASTE(a, b)    PASTE_(a, b)
#define ISA_NAME(name) PASTE(name, PTX_ISA)

typedef lane_fn *lane_table[LN_COUNT][T_COUNT];

/* Aliased operands are equal or apart, so iterations never depend on each other. */
#if defined(__clang__)
#define LANE_LOOP _Pragma("clang loop vectorize(assume_safety)") for (int l = 0; l < LANES; l++)
#else
#define LANE_LOOP _Pragma("GCC ivdep") for (int l = 0; l < LANES; l++)
#endif

#define LANE_DEFINE(op, type, D, A, B, C, result)                                                  \
    static void PASTE_(op, type)(const lane_args *x) {                                             \
        D *d = x->d;                                                                               \
        const A *pa = x->a;                                                                        \
        const B *pb = x->b;                                                                        \
        const C *pc = x->c;                                                                        \
        const uint32_t imm = x->imm;                                                               \
        (void)pb, (void)pc, (void)imm;                                                             \
        LANE_LOOP {                                                                                \
            const A a = pa[l];                                                                     \
            const B b = pb[l];                                                                     \
            const C c = pc[l];                                                                     \
            (void)b, (void)c;                                                                      \
            d[l] = (D)(result);                                                                    \
        }                                                                                          \
    }

typedef uint32_t u32; /* lower case: U32 names a type of PTX */
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;
__extension__ typedef __int128 i128;
__extension__ typedef unsigned __int128 u128;

static inline uint32_t f2u(float f) {
    uint32_t u;
    memcpy(&u, &f, 4);
    return u;
}
static inline float u2f(uint32_t u) {
    float f;
    memcpy(&f, &u, 4);
    return f;
}
static inline uint64_t d2u(double f) {
    uint64_t u;
    memcpy(&u, &f, 8);
    return u;
}
static inline double u2d(uint64_t u) {
    double f;
    memcpy(&f, &u, 8);
    return f;
}

/* f16 and bf16 to wider, exactly. */
static inline float h2f(uint32_t h) {
    uint32_t em = h & 0x7fff;
    float f = u2f(em << 13) * 0x1p112f;
    uint32_t bits = em >= 0x7c00 ? (em << 13) | 0x7f800000 : f2u(f);
    return u2f(bits | (h & 0x8000) << 16);
}
static inline double h2d(uint32_t h) {
    return h2f(h);
}
static inline double b2d(uint32_t b) {
    return u2f(b << 16);
}

/* A double to f16 and bf16, to nearest even; NaN becomes the canonical one. */
static inline uint32_t d2h(double x) {
    uint64_t u = d2u(x), abs = u & 0x7fffffffffffffff;
    uint32_t sign = (uint32_t)(u >> 48) & 0x8000;
    uint64_t normal = ((abs + 0x1ffffffffff + ((abs >> 42) & 1)) >> 42) - (uint64_t)(1008 << 10);
    uint64_t small = d2u(u2d(abs) + 0x1p28) & 0xffff;
    uint64_t r = abs < 0x3f10000000000000 ? small : normal;
    r = r > 0x7c00 || abs >= 0x40f0000000000000 ? 0x7c00 : r;
    return abs > 0x7ff0000000000000 ? 0x7fff : (uint32_t)r | sign;
}
static inline uint32_t d2b(double x) {
    uint64_t u = d2u(x), abs = u & 0x7fffffffffffffff;
    uint32_t sign = (uint32_t)(u >> 48) & 0x8000;
    uint64_t normal = ((abs + 0xfffffffffff + ((abs >> 45) & 1)) >> 45) - (uint64_t)(896 << 7);
    uint64_t small = d2u(u2d(abs) + 0x1p-81) & 0xffff;
    uint64_t r = abs < 0x3810000000000000 ? small : normal;
    r = r > 0x7f80 || abs >= 0x47f0000000000000 ? 0x7f80 : r;
    return abs > 0x7ff0000000000000 ? 0x7fff : (uint32_t)r | sign;
}

/* e4m3 to f16, exactly. */
static inline uint32_t e4m3_to_h(uint32_t v) {
    uint32_t sign = (v & 0x80) << 8, m = v & 0x7f;
    return m == 0x7f ? 0x7fff : sign | d2h(h2d(m << 7) * 256.0);
}

/* a*b + c in double, rounded to odd: rounding that to f16 or bf16 is the one correct rounding. The
 * product of two such numbers is exact in double. */
static inline double fma_odd(double a, double b, double c) {
    double p = a * b, s = p + c;
    double t = s - p, e = (p - (s - t)) + (c - t);
    uint64_t u = d2u(s);
    int64_t toward = (e > 0) == (s > 0) ? 1 : -1;
    int inexact = e != 0 && e == e && !(u & 1) && s - s == 0;
    return u2d(inexact ? u + (uint64_t)toward : u);
}

/* The halves of an f32x2. */
static inline float low(uint64_t pair) {
    return u2f((uint32_t)pair);
}
static inline float high(uint64_t pair) {
    return u2f((uint32_t)(pair >> 32));
}
static inline uint64_t pair2(float low, float high) {
    return f2u(low) | (uint64_t)f2u(high) << 32;
}

static inline float ftz1(float x) {
    return fabsf(x) < 0x1p-126f ? copysignf(0, x) : x;
}

/* min and max as the ISA says: a NaN gives way, -0 is below +0, two NaNs give the canonical one. */
static inline float fmin1(float a, float b) {
    float r = a < b || (a == b && f2u(a) >> 31) ? a : b;
    r = b != b ? a : r;
    return r != r ? u2f(0x7fffffff) : r;
}
static inline float fmax1(float a, float b) {
    float r = a > b || (a == b && f2u(b) >> 31) ? a : b;
    r = b != b ? a : r;
    return r != r ? u2f(0x7fffffff) : r;
}
static inline double dmin1(double a, double b) {
    double r = a < b || (a == b && d2u(a) >> 63) ? a : b;
    r = b != b ? a : r;
    return r;
}
static inline double dmax1(double a, double b) {
    double r = a > b || (a == b && d2u(b) >> 63) ? a : b;
    r = b != b ? a : r;
    return r;
}
static inline double nan_if(double a, double b, double r) {
    return a != a || b != b ? u2d(0x7fffffffffffffff) : r;
}
static inline float nanf_if(float a, float b, float r) {
    return a != a || b != b ? u2f(0x7fffffff) : r;
}

/* 2^x to about 2^-52: the Taylor series of 2^f on [-1/2, 1/2], then the exponent in two steps. */
static inline double exp2_1(double x) {
    double y = x > 1100 ? 1100 : x >= -1200 ? x : -1200; /* a NaN too is cut */
    double n = (y + 0x1.8p52) - 0x1.8p52, z = (y - n) * 0.69314718055994530942;
    double r = 1.0 / 6227020800;
    r = r * z + 1.0 / 479001600, r = r * z + 1.0 / 39916800, r = r * z + 1.0 / 3628800;
    r = r * z + 1.0 / 362880, r = r * z + 1.0 / 40320, r = r * z + 1.0 / 5040,
    r = r * z + 1.0 / 720;
    r = r * z + 1.0 / 120, r = r * z + 1.0 / 24, r = r * z + 1.0 / 6, r = r * z + 0.5;
    r = r * z + 1, r = r * z + 1;
    int32_t e = (int32_t)n, half = e / 2;
    r *= u2d((uint64_t)(half + 1023) << 52);
    r *= u2d((uint64_t)(e - half + 1023) << 52);
    return x != x ? x : r;
}

void ISA_NAME(lanes_int)(lane_table t);
void ISA_NAME(lanes_float)(lane_table t);
void ISA_NAME(lanes_half)(lane_table t);
void ISA_NAME(lanes_cvt)(lane_table t);
uint32_t ISA_NAME(lanes_mask)(const uint32_t *predicate);

#endif
