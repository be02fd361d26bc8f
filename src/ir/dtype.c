/* dtype.c - element types: names, promotion, and scalars as bits.
 *
 * Narrow floats are made by one routine on the bits of a double (`narrow`): every f32 is a
 * double, so one rounding from there is one rounding from the source, whichever it was. No
 * conversion here depends on the machine's rounding or half-type instructions. */
#include "src/ir/dtype.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define C_BOOL(bits)  "bool"
#define C_UINT(bits)  "uint" #bits "_t"
#define C_SINT(bits)  "int" #bits "_t"
#define C_FLOAT(bits) C_FLOAT_##bits
#define C_COMPLEX(bits) C_COMPLEX_##bits
#define C_COMPLEX_64  "float _Complex"
#define C_COMPLEX_128 "double _Complex"
#define C_FLOAT_16    "uint16_t" /* its bits */
#define C_FLOAT_32    "float"
#define C_FLOAT_64    "double"

const ir_dtype_info ir_dtypes[BZ_NDTYPES] = {
#define INFO(e, name, bytes, kind, bits) [e] = {#name, C_##kind(bits), bytes, bits, IR_KIND_##kind},
    BZ_DTYPES(INFO)
#undef INFO
};

/* ---- facts */

bool ir_dtype_from_name(const char *s, size_t n, bz_dtype *out) {
    for (unsigned t = 0; t < BZ_NDTYPES; t++) {
        if (strlen(ir_dtypes[t].name) == n && memcmp(ir_dtypes[t].name, s, n) == 0) {
            *out = (bz_dtype)t;
            return true;
        }
    }
    return false;
}

/* What two dtypes come together in: PyTorch's table, NumPy's where that has none. Rows and columns have names, so that the order of
 * the enum means nothing and a dtype that comes is put at its end: a row, a column here. */
/* clang-format off */
#define ROW(t, boolean, u8, u16, u32, u64, i8, i16, i32, i64, f16, bf16, f32, f64, c64, c128)      \
    [BZ_##t] = {[BZ_BOOL] = BZ_##boolean, [BZ_U8] = BZ_##u8, [BZ_U16] = BZ_##u16, [BZ_U32] = BZ_##u32, [BZ_U64] = BZ_##u64, \
                [BZ_I8] = BZ_##i8, [BZ_I16] = BZ_##i16, [BZ_I32] = BZ_##i32, [BZ_I64] = BZ_##i64,     \
                [BZ_F16] = BZ_##f16, [BZ_BF16] = BZ_##bf16, [BZ_F32] = BZ_##f32, [BZ_F64] = BZ_##f64, \
                [BZ_C64] = BZ_##c64, [BZ_C128] = BZ_##c128},
static const uint8_t together[BZ_NDTYPES][BZ_NDTYPES] = {
/*        BOOL  U8    U16   U32   U64   I8    I16   I32   I64  F16   BF16  F32  F64   C64  C128 */
ROW(BOOL, BOOL, U8,   U16,  U32,  U64,  I8,   I16,  I32,  I64, F16, BF16, F32, F64, C64, C128)
ROW(U8,   U8,   U8,   U16,  U32,  U64,  I16,  I16,  I32,  I64, F16, BF16, F32, F64, C64, C128)
ROW(U16,  U16,  U16,  U16,  U32,  U64,  I32,  I32,  I32,  I64, F16, BF16, F32, F64, C64, C128)
ROW(U32,  U32,  U32,  U32,  U32,  U64,  I64,  I64,  I64,  I64, F16, BF16, F32, F64, C64, C128)
ROW(U64,  U64,  U64,  U64,  U64,  U64,  F64,  F64,  F64,  F64, F16, BF16, F32, F64, C64, C128)
ROW(I8,   I8,   I16,  I32,  I64,  F64,  I8,   I16,  I32,  I64, F16, BF16, F32, F64, C64, C128)
ROW(I16,  I16,  I16,  I32,  I64,  F64,  I16,  I16,  I32,  I64, F16, BF16, F32, F64, C64, C128)
ROW(I32,  I32,  I32,  I32,  I64,  F64,  I32,  I32,  I32,  I64, F16, BF16, F32, F64, C64, C128)
ROW(I64,  I64,  I64,  I64,  I64,  F64,  I64,  I64,  I64,  I64, F16, BF16, F32, F64, C64, C128)
ROW(F16,  F16,  F16,  F16,  F16,  F16,  F16,  F16,  F16,  F16, F16, F32,  F32, F64, C64, C128)
ROW(BF16, BF16, BF16, BF16, BF16, BF16, BF16, BF16, BF16, BF16, F32, BF16, F32, F64, C64, C128)
ROW(F32,  F32,  F32,  F32,  F32,  F32,  F32,  F32,  F32,  F32, F32, F32,  F32, F64, C64, C128)
ROW(F64,  F64,  F64,  F64,  F64,  F64,  F64,  F64,  F64,  F64, F64, F64,  F64, F64, C128, C128)
ROW(C64,  C64,  C64,  C64,  C64,  C64,  C64,  C64,  C64,  C64,  C64, C64,  C64,  C128, C64, C128)
ROW(C128, C128, C128, C128, C128, C128, C128, C128, C128, C128, C128, C128, C128, C128, C128, C128)
};
#undef ROW
/* clang-format on */

bz_dtype ir_promote(bz_dtype a, bz_dtype b) {
    return (bz_dtype)together[a][b];
}

bz_dtype ir_compute_dtype(bz_dtype t) {
    return ir_is_half(t) ? BZ_F32 : t;
}

bz_dtype ir_accum_dtype(bz_dtype t) {
    return ir_is_smooth(t) ? ir_part_dtype(ir_compute_dtype(t)) : BZ_I64;
}

/* ---- narrow floats */

static uint64_t f64_bits(double v) {
    uint64_t u;
    memcpy(&u, &v, sizeof u);
    return u;
}

static uint32_t f32_bits(float v) {
    uint32_t u;
    memcpy(&u, &v, sizeof u);
    return u;
}

static double f64_from_bits(uint64_t u) {
    double v;
    memcpy(&v, &u, sizeof v);
    return v;
}

static float f32_from_bits(uint32_t u) {
    float v;
    memcpy(&v, &u, sizeof v);
    return v;
}

/* `v` without its lowest n bits (1 <= n <= 63), rounded to nearest even: the carry may run into
 * the bits above. */
static uint64_t shift_rounded(uint64_t v, unsigned n) {
    uint64_t kept = v >> n, rest = v & ((UINT64_C(1) << n) - 1), half = UINT64_C(1) << (n - 1);
    return kept + (rest > half || (rest == half && (kept & 1)));
}

/* The double v as sign, `exponent` and `mantissa` bits (16 together), rounded once to nearest
 * even. A mantissa that rounds up to the next power of two carries into the exponent field,
 * which is then right as it stands, infinity included. */
static uint16_t narrow(double v, int exponent, int mantissa) {
    const int bias = (1 << (exponent - 1)) - 1;
    uint64_t u = f64_bits(v), frac = u & 0xFFFFFFFFFFFFFu,
             inf = ((UINT64_C(1) << exponent) - 1) << mantissa;
    uint64_t sign = u >> 63 << 15, r;
    int e = (int)(u >> 52 & 0x7FF);
    if (e == 0x7FF)
        r = inf | (frac ? UINT64_C(1) << (mantissa - 1) | frac >> (52 - mantissa) : 0);
    else if (e - 1023 > bias)
        r = inf;
    else if (e - 1023 > -bias) /* normal */
        r = ((uint64_t)(e - 1023 + bias) << mantissa) +
            shift_rounded(frac, (unsigned)(52 - mantissa));
    else if (e - 1023 >= -bias - mantissa) /* denormal, or the half below the smallest one */
        r = shift_rounded(frac | UINT64_C(1) << 52,
                          (unsigned)(52 - mantissa + 1 - bias - (e - 1023)));
    else
        r = 0;
    return (uint16_t)(sign | r);
}

uint16_t ir_f64_to_f16(double v) {
    return narrow(v, 5, 10);
}
uint16_t ir_f64_to_bf16(double v) {
    return narrow(v, 8, 7);
}
uint16_t ir_f32_to_f16(float v) {
    return narrow((double)v, 5, 10);
}

uint16_t ir_f32_to_bf16(float v) {
    uint32_t u = f32_bits(v);
    if ((u & 0x7FFFFFFF) > 0x7F800000) return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)shift_rounded(u, 16);
}

float ir_f16_to_f32(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, e = h >> 10 & 31, frac = h & 0x3FF;
    if (e == 31) return f32_from_bits(sign | 0x7F800000 | (frac ? 0x400000 : 0) | frac << 13);
    if (e > 0) return f32_from_bits(sign | (e + 112) << 23 | frac << 13);
    float small = (float)frac * 0x1p-24f; /* exact */
    return f32_from_bits(sign | f32_bits(small));
}

/* ---- scalars as bits */

/* The low bits of v that dtype t has; bool is not handled here. */
static ir_bits truncate_bits(bz_dtype t, uint64_t v) {
    unsigned bits = ir_dtypes[t].bits;
    return bits == 64 ? v : v & ((UINT64_C(1) << bits) - 1);
}

static uint64_t int_max(bz_dtype t) {
    return UINT64_MAX >> (64 - ir_dtypes[t].bits + (unsigned)ir_is_signed(t));
}

/* Of an integer or bool, sign-extended. */
static int64_t int_min(bz_dtype t) {
    return ir_is_signed(t) ? -(int64_t)int_max(t) - 1 : 0;
}

ir_bits ir_lowest(bz_dtype t) {
    return ir_is_float(t) ? ir_bits_from_f64(t, -INFINITY) : truncate_bits(t, (uint64_t)int_min(t));
}

ir_bits ir_highest(bz_dtype t) {
    return ir_is_float(t) ? ir_bits_from_f64(t, INFINITY) : int_max(t);
}

/* Towards zero, limited to the range of t, NaN to 0. */
static uint64_t saturate(bz_dtype t, double v) {
    if (v != v) return 0;
    if (v >= (double)int_max(t)) return int_max(t);
    if (v <= (double)int_min(t)) return (uint64_t)int_min(t);
    return v < 0 ? (uint64_t)(int64_t)v : (uint64_t)v;
}

ir_bits ir_bits_from_f64(bz_dtype t, double v) {
    switch (ir_part_dtype(t)) {
    case BZ_BOOL: return v != 0;
    case BZ_F16: return ir_f64_to_f16(v);
    case BZ_BF16: return ir_f64_to_bf16(v);
    case BZ_F32: return f32_bits((float)v);
    case BZ_F64: return f64_bits(v);
    default: return truncate_bits(t, saturate(t, v));
    }
}

/* A double next to v whose last bit is set unless it equals v: rounding it to fewer bits rounds
 * v once. */
static double f64_odd(uint64_t v) {
    if (v < UINT64_C(1) << 53) return (double)v;
    /* at most 53 bits are left, the last one sticky */
    return (double)((v >> 11 << 11) | (uint64_t)((v & 0x7FF) != 0) << 11);
}

/* A whole number v, or -v, rounded once; integers wrap. */
static ir_bits from_whole(bz_dtype t, uint64_t v, bool minus) {
    const double sign = minus ? -1 : 1;
    switch (ir_part_dtype(t)) {
    case BZ_BOOL: return v != 0;
    case BZ_F16: return ir_f64_to_f16(sign * f64_odd(v));
    case BZ_BF16: return ir_f64_to_bf16(sign * f64_odd(v));
    case BZ_F32: return f32_bits(minus ? -(float)v : (float)v);
    case BZ_F64: return f64_bits(sign * (double)v);
    default: return truncate_bits(t, minus ? 0 - v : v);
    }
}

ir_bits ir_bits_from_i64(bz_dtype t, int64_t v) {
    return from_whole(t, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, v < 0);
}

/* ---- numbers without a dtype */

ir_category ir_category_of(bz_dtype t) {
    return t == BZ_BOOL       ? IR_CAT_BOOL
           : ir_is_complex(t) ? IR_CAT_COMPLEX
           : ir_is_float(t)   ? IR_CAT_FLOAT
                              : IR_CAT_INT;
}

bz_dtype ir_number_dtype(ir_category kind, bz_dtype beside) {
    if (beside != BZ_NDTYPES && ir_category_of(beside) >= kind) return ir_part_dtype(beside);
    return kind == IR_CAT_FLOAT ? BZ_F32 : kind == IR_CAT_INT ? BZ_I64 : BZ_BOOL;
}

ir_number ir_number_of_double(double v) {
    bool whole =
        v > -0x1p63 && v < 0x1p63 && v == (double)(int64_t)v && (v != 0 || !(f64_bits(v) >> 63));
    return whole ? ir_number_i((int64_t)v) : ir_number_f(v);
}

ir_bits ir_bits_from_number(bz_dtype t, ir_number v) {
    if (v.huge) return from_whole(t, (uint64_t)v.i, false);
    return v.kind == IR_CAT_FLOAT ? ir_bits_from_f64(t, v.f) : ir_bits_from_i64(t, v.i);
}

double ir_number_to_f64(ir_number v) {
    return v.kind == IR_CAT_FLOAT ? v.f : v.huge ? (double)(uint64_t)v.i : (double)v.i;
}

ir_number ir_number_of_bits(bz_dtype t, ir_bits b) {
    if (ir_is_float(t)) return ir_number_f(ir_bits_to_f64(t, b));
    ir_number v = t == BZ_U64 ? ir_number_u(b) : ir_number_i(ir_bits_to_i64(t, b));
    v.kind = ir_category_of(t);
    return v;
}

bool ir_is_value(bz_dtype t, ir_number v) {
    const ir_number back = ir_number_of_bits(t, ir_bits_from_number(t, v));
    return back.i == v.i && back.huge == v.huge;
}

const char *ir_digits(char s[IR_DIGITS], ir_number v) {
    if (v.huge)
        snprintf(s, IR_DIGITS, "%llu", (unsigned long long)v.i);
    else
        snprintf(s, IR_DIGITS, "%lld", (long long)v.i);
    return s;
}

/* ---- bits as values */

/* The value of an integer or bool, sign included. */
static int64_t int_value(bz_dtype t, ir_bits b) {
    if (!ir_is_signed(t) || t == BZ_I64) return (int64_t)b;
    uint64_t sign = UINT64_C(1) << (ir_dtypes[t].bits - 1);
    return (int64_t)((b ^ sign) - sign);
}

double ir_bits_to_f64(bz_dtype t, ir_bits b) {
    switch (t) {
    case BZ_F16: return (double)ir_f16_to_f32((uint16_t)b);
    case BZ_BF16: return (double)ir_bf16_to_f32((uint16_t)b);
    case BZ_F32: return (double)f32_from_bits((uint32_t)b);
    case BZ_F64: return f64_from_bits(b);
    case BZ_U64: return (double)b;
    default: return (double)int_value(t, b);
    }
}

int64_t ir_bits_to_i64(bz_dtype t, ir_bits b) {
    return ir_is_float(t) ? (int64_t)saturate(BZ_I64, ir_bits_to_f64(t, b)) : int_value(t, b);
}

ir_bits ir_bits_cast(bz_dtype to, bz_dtype from, ir_bits b) {
    if (to == from) return b;
    if (ir_is_float(from)) return ir_bits_from_f64(to, ir_bits_to_f64(from, b));
    return from == BZ_U64 ? from_whole(to, b, false) : ir_bits_from_i64(to, int_value(from, b));
}

ir_bits ir_load_bits(bz_dtype t, const void *p) {
    switch (ir_dtypes[t].bytes) {
    case 1: return *(const uint8_t *)p;
    case 2: {
        uint16_t v;
        memcpy(&v, p, sizeof v);
        return v;
    }
    case 4: {
        uint32_t v;
        memcpy(&v, p, sizeof v);
        return v;
    }
    default: {
        uint64_t v;
        memcpy(&v, p, sizeof v);
        return v;
    }
    }
}

void ir_store_bits(bz_dtype t, void *p, ir_bits b) {
    uint8_t b1 = (uint8_t)b;
    uint16_t b2 = (uint16_t)b;
    uint32_t b4 = (uint32_t)b;
    switch (ir_dtypes[t].bytes) {
    case 1: memcpy(p, &b1, sizeof b1); break;
    case 2: memcpy(p, &b2, sizeof b2); break;
    case 4: memcpy(p, &b4, sizeof b4); break;
    default: memcpy(p, &b, sizeof b); break;
    }
}
