/* lanes_int.c - the integer loops: see lanes_int.def. Compiled once per instruction set. */
#include "lanes.h"

static inline int64_t clamp32(int64_t v) {
    return v < INT32_MIN ? INT32_MIN : v > INT32_MAX ? INT32_MAX : v;
}

static inline int64_t sx24(uint32_t v) {
    return (int32_t)(v << 8) >> 8;
}

static inline uint32_t brev32(uint32_t v) {
    v = (v >> 1 & 0x55555555) | (v & 0x55555555) << 1;
    v = (v >> 2 & 0x33333333) | (v & 0x33333333) << 2;
    v = (v >> 4 & 0x0f0f0f0f) | (v & 0x0f0f0f0f) << 4;
    return __builtin_bswap32(v);
}

/* Bits [pos, pos + len) of a; beyond the top bit `msb` the sign goes on when `sign`, else zeros. */
static inline uint64_t bfe64(uint64_t a, uint32_t pos, uint32_t len, int sign, uint32_t msb) {
    uint32_t p = pos & 0xff, n = len & 0xff;
    uint32_t top = p + n - 1 < msb ? p + n - 1 : msb;
    uint64_t fill = n && sign && (a >> top & 1) ? ~(uint64_t)0 : 0;
    uint64_t field = p > msb ? 0 : a >> p;
    uint32_t have = p > msb ? 0 : msb + 1 - p;
    uint32_t keep = n < have ? n : have;
    uint64_t mask = keep > 63 ? ~(uint64_t)0 : ((uint64_t)1 << keep) - 1;
    return (field & mask) | (fill & ~mask);
}

static inline uint64_t bfi64(uint64_t a, uint64_t b, uint32_t pos, uint32_t len, uint32_t bits) {
    uint32_t p = pos & 0xff, n = len & 0xff;
    uint64_t ones = n > 63 ? ~(uint64_t)0 : ((uint64_t)1 << n) - 1;
    uint64_t mask = p >= bits ? 0 : ones << p;
    return (b & ~mask) | (p >= bits ? 0 : a << p & mask);
}

static inline uint32_t bmsk32(uint32_t a, uint32_t b) {
    uint64_t ones = ((uint64_t)1 << (b > 32 ? 32 : b)) - 1;
    return a > 31 ? 0 : (uint32_t)(ones << a);
}

static inline uint32_t szext32(uint32_t a, uint32_t n) {
    uint32_t keep = (1u << n) - 1;
    return n && a >> (n - 1) & 1 ? a | ~keep : a & keep;
}

static inline uint32_t prmt32(uint32_t a, uint32_t b, uint32_t sel) {
    uint64_t all = (uint64_t)b << 32 | a;
    uint32_t r = 0;
    for (unsigned i = 0; i < 4; i++) {
        uint32_t s = sel >> 4 * i;
        uint32_t byte = (uint32_t)(all >> 8 * (s & 7)) & 0xff;
        byte = s & 8 ? (byte & 0x80 ? 0xff : 0) : byte;
        r |= byte << 8 * i;
    }
    return r;
}

/* The selector of prmt's modes .b4e and its like, by the low two bits of c. */
static inline uint32_t by_mode(uint32_t c, uint32_t m0, uint32_t m1, uint32_t m2, uint32_t m3) {
    return c & 2 ? (c & 1 ? m3 : m2) : c & 1 ? m1 : m0;
}

static inline uint32_t lop3_32(uint32_t a, uint32_t b, uint32_t c, uint32_t lut) {
    uint32_t r = 0;
    for (unsigned k = 0; k < 8; k++)
        r |= (0u - (lut >> k & 1)) & (k & 4 ? a : ~a) & (k & 2 ? b : ~b) & (k & 1 ? c : ~c);
    return r;
}

/* imm: bit 0 a is signed, bit 1 b is signed, bit 2 .hi; `wide`: a holds 16-bit parts (dp2a). */
static inline uint32_t dp(uint32_t a, uint32_t b, uint32_t c, uint32_t imm, int wide) {
    uint32_t sum = c, high = imm & 4 ? 16 : 0;
    for (unsigned i = 0; i < (wide ? 2u : 4u); i++) {
        uint32_t ua = wide ? a >> 16 * i & 0xffff : a >> 8 * i & 0xff,
                 ub = b >> (8 * i + high) & 0xff;
        int32_t sa = wide ? (int16_t)ua : (int8_t)ua, sb = (int8_t)ub;
        sum += (imm & 1 ? (uint32_t)sa : ua) * (imm & 2 ? (uint32_t)sb : ub);
    }
    return sum;
}

/* |a - b| of the four bytes; imm: their sum added to c. */
static inline uint32_t vabsdiff(uint32_t a, uint32_t b, uint32_t c, uint32_t imm, int is_signed) {
    uint32_t all = 0, sum = c;
    for (unsigned i = 0; i < 4; i++) {
        int32_t x = is_signed ? (int8_t)(a >> 8 * i) : (uint8_t)(a >> 8 * i);
        int32_t y = is_signed ? (int8_t)(b >> 8 * i) : (uint8_t)(b >> 8 * i);
        uint32_t d = (uint32_t)(x > y ? x - y : y - x);
        all |= d << 8 * i;
        sum += d;
    }
    return imm ? sum : all;
}

/* The offset-th set bit of a counted from bit b: upwards, or downwards when the offset is negative.
 */
static inline uint32_t fns32(uint32_t a, uint32_t b, int32_t offset) {
    int32_t at = (int32_t)(b & 31), step = offset < 0 ? -1 : 1,
            want = offset < 0 ? -offset : offset;
    if (offset == 0) return a >> at & 1 ? (uint32_t)at : ~0u;
    for (; at >= 0 && at < 32; at += step)
        if ((a >> at & 1) && --want == 0) return (uint32_t)at;
    return ~0u;
}

#define L LANE_DEFINE
#include "lanes_int.def"
#undef L

/* bfi has four sources, the carry operations two results: written out. */
#define BFI(type, T, bits)                                                                         \
    static void bfi_##type(const lane_args *x) {                                                   \
        const T *a = x->a, *b = x->b;                                                              \
        const uint32_t *pos = x->c, *len = x->e;                                                   \
        T *d = x->d;                                                                               \
        LANE_LOOP d[l] = (T)bfi64(a[l], b[l], pos[l], len[l], bits);                               \
    }
BFI(B32, uint32_t, 32)
BFI(B64, uint64_t, 64)

#define CARRY(op, type, T, carry_in, result, carry)                                                \
    static void op##_##type(const lane_args *x) {                                                  \
        const T *pa = x->a, *pb = x->b;                                                            \
        const uint32_t *in = x->e;                                                                 \
        T *d = x->d;                                                                               \
        uint32_t *out = x->d2;                                                                     \
        (void)in;                                                                                  \
        LANE_LOOP {                                                                                \
            const T a = pa[l], b = pb[l], k = (carry_in), r = (T)(result);                         \
            d[l] = r;                                                                              \
            out[l] = (carry);                                                                      \
        }                                                                                          \
    }
#define CARRIES(type, T)                                                                           \
    CARRY(addco, type, T, 0, a + b + k, r < a)                                                     \
    CARRY(addcico, type, T, in[l], a + b + k, r < a || (k && r == a))                              \
    CARRY(subco, type, T, 0, a - b - k, a < b)                                                     \
    CARRY(subcico, type, T, in[l], a - b - k, a < b || (k && a == b))
CARRIES(B32, uint32_t)
CARRIES(B64, uint64_t)

void ISA_NAME(lanes_int)(lane_table t) {
#define L(op, type, D, A, B, C, result) t[LN_##op][T_##type] = op##_##type;
#include "lanes_int.def"
#undef L
    t[LN_bfi][T_B32] = bfi_B32, t[LN_bfi][T_B64] = bfi_B64;
    t[LN_addco][T_B32] = addco_B32, t[LN_addco][T_B64] = addco_B64;
    t[LN_addcico][T_B32] = addcico_B32, t[LN_addcico][T_B64] = addcico_B64;
    t[LN_subco][T_B32] = subco_B32, t[LN_subco][T_B64] = subco_B64;
    t[LN_subcico][T_B32] = subcico_B32, t[LN_subcico][T_B64] = subcico_B64;
}

#ifdef __AVX512F__
#include <immintrin.h>
uint32_t ISA_NAME(lanes_mask)(const uint32_t *p) {
    __m512i lo = _mm512_loadu_si512(p), hi = _mm512_loadu_si512(p + 16);
    return (uint32_t)_mm512_test_epi32_mask(lo, lo) | (uint32_t)_mm512_test_epi32_mask(hi, hi)
                                                          << 16;
}
#else
uint32_t ISA_NAME(lanes_mask)(const uint32_t *p) {
    uint32_t mask = 0;
    for (unsigned l = 0; l < LANES; l++) mask |= p[l] << l;
    return mask;
}
#endif
