/* lanes_half.c - the f16 and bf16 loops: see lanes_half.def. Compiled once per instruction set. */
#include "lanes.h"

static inline double xorsign(double a, double b, double r) {
    return r != r ? r : u2d(d2u(r) | ((d2u(a) ^ d2u(b)) & 0x8000000000000000));
}

/* NaN results and the sign of zero survive both ways; `to` takes the low 16 bits only. */
#define HALF_SCALAR(op, fmt, to, from, result)                                                     \
    static inline uint32_t fmt##_##op(uint32_t ua, uint32_t ub, uint32_t uc) {                     \
        const double a = to(ua & 0xffff), b = to(ub & 0xffff), c = to(uc & 0xffff);                \
        (void)a, (void)b, (void)c;                                                                 \
        return from(result);                                                                       \
    }
#define HALF(op, result) HALF_SCALAR(op, h, h2d, d2h, result) HALF_SCALAR(op, b, b2d, d2b, result)
#define HALF_CMP(op, result)                                                                       \
    HALF_SCALAR(op, h, h2d, (uint32_t), (result)) HALF_SCALAR(op, b, b2d, (uint32_t), (result))
#include "lanes_half.def"

#define PAIR(f) f(a, b, c) | f(a >> 16, b >> 16, c >> 16) << 16
#define HALF(op, result)                                                                           \
    LANE_DEFINE(op, F16, u32, u32, u32, u32, h_##op(a, b, c))                                      \
    LANE_DEFINE(op, BF16, u32, u32, u32, u32, b_##op(a, b, c))                                     \
    LANE_DEFINE(op, F16X2, u32, u32, u32, u32, PAIR(h_##op))                                       \
    LANE_DEFINE(op, BF16X2, u32, u32, u32, u32, PAIR(b_##op))
#define HALF_CMP(op, result)                                                                       \
    LANE_DEFINE(op, F16, u32, u32, u32, u32, h_##op(a, b, c))                                      \
    LANE_DEFINE(op, BF16, u32, u32, u32, u32, b_##op(a, b, c))
#include "lanes_half.def"

#define FZ16(x, m) ((x) & (m) ? (x) : (x)&0x8000)
#define EXTRA(L)                                                                                   \
    L(abs, F16, u32, u32, u32, u32, a & 0x7fff)                                                    \
    L(abs, F16X2, u32, u32, u32, u32, a & 0x7fff7fff)                                              \
    L(abs, BF16, u32, u32, u32, u32, a & 0x7fff)                                                   \
    L(abs, BF16X2, u32, u32, u32, u32, a & 0x7fff7fff)                                             \
    L(neg, F16, u32, u32, u32, u32, a ^ 0x8000)                                                    \
    L(neg, F16X2, u32, u32, u32, u32, a ^ 0x80008000)                                              \
    L(neg, BF16, u32, u32, u32, u32, a ^ 0x8000)                                                   \
    L(neg, BF16X2, u32, u32, u32, u32, a ^ 0x80008000)                                             \
    L(ftz, F16, u32, u32, u32, u32, FZ16(a, 0x7c00u))                                              \
    L(ftz, F16X2, u32, u32, u32, u32, FZ16(a & 0xffff, 0x7c00u) | FZ16(a >> 16, 0x7c00u) << 16)    \
    L(ftz, BF16, u32, u32, u32, u32, FZ16(a, 0x7f80u))                                             \
    L(ftz, BF16X2, u32, u32, u32, u32, FZ16(a & 0xffff, 0x7f80u) | FZ16(a >> 16, 0x7f80u) << 16)
EXTRA(LANE_DEFINE)

void ISA_NAME(lanes_half)(lane_table t) {
#define SET(op, type)        t[LN_##op][T_##type] = op##_##type;
#define HALF(op, result)     SET(op, F16) SET(op, BF16) SET(op, F16X2) SET(op, BF16X2)
#define HALF_CMP(op, result) SET(op, F16) SET(op, BF16)
#include "lanes_half.def"
#define SET_EXTRA(op, type, D, A, B, C, result) SET(op, type)
    EXTRA(SET_EXTRA)
}
