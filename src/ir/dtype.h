/* dtype.h - facts about element types, promotion, and scalars as bits. */
#ifndef BRAZE_IR_DTYPE_H
#define BRAZE_IR_DTYPE_H

#include "braze/dtype.h"
#include "src/ir/base/base.h"

typedef enum ir_kind { IR_KIND_BOOL, IR_KIND_UINT, IR_KIND_SINT, IR_KIND_FLOAT, IR_KIND_COMPLEX } ir_kind;

typedef struct ir_dtype_info {
    const char *name, *c; /* its own, and that of its C type */
    uint8_t bytes, bits;
    ir_kind kind;
} ir_dtype_info;

extern const ir_dtype_info ir_dtypes[BZ_NDTYPES];

static inline bool ir_is_float(bz_dtype t) {
    return ir_dtypes[t].kind == IR_KIND_FLOAT;
}
static inline bool ir_is_int(bz_dtype t) {
    return ir_dtypes[t].kind == IR_KIND_UINT || ir_dtypes[t].kind == IR_KIND_SINT;
}
static inline bool ir_is_complex(bz_dtype t) {
    return ir_dtypes[t].kind == IR_KIND_COMPLEX;
}
static inline bool ir_is_smooth(bz_dtype t) { /* what gradients flow through */
    return ir_is_float(t) || ir_is_complex(t);
}
/* The dtype of a complex number's real and imaginary part; of a real one its own. */
static inline bz_dtype ir_part_dtype(bz_dtype t) {
    return t == BZ_C64 ? BZ_F32 : t == BZ_C128 ? BZ_F64 : t;
}
static inline bool ir_is_signed(bz_dtype t) { /* an integer with a sign */
    return ir_dtypes[t].kind == IR_KIND_SINT;
}
static inline bool ir_is_half(bz_dtype t) {
    return t == BZ_F16 || t == BZ_BF16;
}
static inline size_t ir_dtype_bytes(bz_dtype t) {
    return ir_dtypes[t].bytes;
}

/* PyTorch's promotion of two dtypes of equal rank class, a table: the smallest dtype that both fit (unsigned with signed: the next
 * wider signed; f16 with bf16: f32; integer with float: the float), and NumPy's for u16, u32, u64 beside integers, where PyTorch has
 * none: u64 beside a signed one is f64. c64 beside f64 is c128, beside other real ones c64. */
bz_dtype ir_promote(bz_dtype a, bz_dtype b);
/* What several come together in, in whatever order: floats alone where there is one.
 *     ir_meeting m = ir_meeting_none();  for each of them: ir_meet(&m, t);  ir_met(&m) */
typedef struct ir_meeting {
    bz_dtype whole, real; /* of integers and bool, of floats and complex numbers; BZ_NDTYPES: none so far */
} ir_meeting;
static inline ir_meeting ir_meeting_none(void) {
    return (ir_meeting){BZ_NDTYPES, BZ_NDTYPES};
}
static inline void ir_meet(ir_meeting *m, bz_dtype t) {
    bz_dtype *of = ir_is_smooth(t) ? &m->real : &m->whole;
    *of = *of == BZ_NDTYPES ? t : ir_promote(*of, t);
}
static inline bz_dtype ir_met(const ir_meeting *m) { /* none: BZ_NDTYPES */
    return m->real == BZ_NDTYPES ? m->whole : m->real;
}
bool ir_dtype_from_name(const char *s, size_t n, bz_dtype *out);
/* dtype in which a value of dtype t is computed: f32 for f16 and bf16 (op-math), else t. */
bz_dtype ir_compute_dtype(bz_dtype t);
/* dtype in which a sum or dot over t accumulates: f32 for f16/bf16, i64 for integers and bool in sums, a complex number's parts', else t. */
bz_dtype ir_accum_dtype(bz_dtype t);

/* A scalar of any dtype as its bits, zero-extended (bool: 0 or 1; integers: two's complement of their own width). A complex number is
 * none: constants, immediates and run-time scalars are real (docs/numerics.md). Bits of a complex dtype are those of a real number in its
 * parts' dtype. */
typedef uint64_t ir_bits;
#define IR_FITS_(e, name, bytes, kind, bits)                                                       \
    _Static_assert((bytes) <= (IR_KIND_##kind == IR_KIND_COMPLEX ? 2 : 1) * sizeof(ir_bits),       \
                   "a " #name " is no scalar: make it of two");
BZ_DTYPES(IR_FITS_)
#undef IR_FITS_

/* A number as a program gives it: it has a value and a category, and takes its dtype from what stands beside it. */
typedef enum ir_category { IR_CAT_BOOL, IR_CAT_INT, IR_CAT_FLOAT, IR_CAT_COMPLEX } ir_category;
typedef struct ir_number {
    ir_category kind;
    bool huge; /* an int above INT64_MAX: i + 2^64, which u64 alone holds */
    int64_t i; /* bool, int */
    double f;  /* float */
} ir_number;
static inline ir_number ir_number_i(int64_t v) {
    return (ir_number){.kind = IR_CAT_INT, .i = v};
}
static inline ir_number ir_number_u(uint64_t v) {
    return (ir_number){.kind = IR_CAT_INT, .huge = v > INT64_MAX, .i = (int64_t)v};
}
static inline ir_number ir_number_f(double v) {
    return (ir_number){.kind = IR_CAT_FLOAT, .f = v};
}
/* from an interface that has doubles alone: whole ones are integers */
ir_number ir_number_of_double(double v);
/* The dtype that a number of this category takes beside `beside` (BZ_NDTYPES: beside nothing). PyTorch's rule: it never promotes
 * within a category; one of a higher category is i64 or f32. Beside a complex number it has the dtype of its parts. */
bz_dtype ir_number_dtype(ir_category kind, bz_dtype beside);
ir_bits ir_bits_from_number(bz_dtype t,
                            ir_number v); /* integers wrap, in floats they are rounded once */
/* May a number become one of dtype t? One that is huge neither wraps nor is cut off. */
static inline bool ir_number_fits(bz_dtype t, ir_number v) {
    return !v.huge || t == BZ_U64 || ir_is_smooth(t);
}
double ir_number_to_f64(ir_number v);
ir_number ir_number_of_bits(bz_dtype t, ir_bits b);
bool ir_is_value(bz_dtype t, ir_number v); /* is a whole number one of integer dtype t, which does not wrap? */
ir_category ir_category_of(bz_dtype t);

/* value <-> bits; conversions round to nearest even, float -> integer truncates and saturates (NaN gives 0). */
ir_bits ir_bits_from_f64(bz_dtype t, double v);
ir_bits ir_bits_from_i64(bz_dtype t, int64_t v);
double ir_bits_to_f64(bz_dtype t, ir_bits b);  /* exact for every dtype but i64 and u64 */
int64_t ir_bits_to_i64(bz_dtype t, ir_bits b); /* floats truncate and saturate, u64 wraps */
/* The lowest and the highest value of t: floats have infinities. */
ir_bits ir_lowest(bz_dtype t);
ir_bits ir_highest(bz_dtype t);
/* An integer in digits, into s. */
enum { IR_DIGITS = 24 };
const char *ir_digits(char s[IR_DIGITS], ir_number v);
ir_bits ir_bits_cast(bz_dtype to, bz_dtype from, ir_bits b);
ir_bits ir_load_bits(bz_dtype t, const void *p); /* one element from memory */
void ir_store_bits(bz_dtype t, void *p, ir_bits b);

/* ---- decimal.c: a finite float as d.ddd 10^exponent, without zeros at the end */
enum { IR_DECIMAL_DIGITS = 20 };
typedef struct ir_decimal {
    bool minus;
    char digits[IR_DECIMAL_DIGITS];
    int n, exponent;
} ir_decimal;
ir_decimal ir_decimal_rounded(double v, int n); /* to n digits, at most IR_DECIMAL_DIGITS */
/* The fewest digits that read back as v in dtype t; of those the nearest. */
ir_decimal ir_decimal_shortest(bz_dtype t, double v);

/* f16 and bf16 by integer arithmetic, round to nearest even, NaN stays NaN. */
uint16_t ir_f32_to_f16(float v);
float ir_f16_to_f32(uint16_t h);
uint16_t ir_f64_to_f16(double v); /* one rounding, not two */
uint16_t ir_f32_to_bf16(float v);
uint16_t ir_f64_to_bf16(double v);
static inline float ir_bf16_to_f32(uint16_t h) {
    union {
        uint32_t u;
        float f;
    } c = {(uint32_t)h << 16};
    return c.f;
}

#endif
