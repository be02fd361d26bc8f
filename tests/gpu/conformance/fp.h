/* fp.h - binary floating-point formats by MPFR: exact in, one rounding out. */
#ifndef FP_H
#define FP_H

#include <stdbool.h>
#include <stdint.h>

#define MPFR_USE_INTMAX_T
#include <mpfr.h>

typedef enum { FP_F16, FP_BF16, FP_F32, FP_F64, FP_TF32, FP_E4M3, FP_E5M2 } fp_format;
typedef enum { FP_RN, FP_RZ, FP_RM, FP_RP, FP_RNA } fp_round; /* RNA: ties away from zero */

typedef enum {
    FP_ADD,
    FP_SUB,
    FP_MUL,
    FP_FMA,
    FP_DIV,
    FP_RCP,
    FP_SQRT,
    FP_RSQRT,
    FP_SIN,
    FP_COS,
    FP_EX2,
    FP_LG2,
    FP_TANH
} fp_op;

extern const char *const fp_name[];       /* "f16" ... */
extern const char *const fp_round_name[]; /* "rn" ... */

/* x = the number that `bits` stand for, exactly. `x` must have 64 bits of precision or more. */
void fp_get(mpfr_t x, fp_format f, uint64_t bits);

/* Bits of the exact number `x` rounded to `f`. */
uint64_t fp_put(mpfr_t x, fp_format f, fp_round r);

/* a op b [op c], correctly rounded; unary operations use `a`. */
uint64_t fp_compute(fp_op op, fp_format f, fp_round r, uint64_t a, uint64_t b, uint64_t c);

bool fp_is_nan(fp_format f, uint64_t bits);
bool fp_is_subnormal(fp_format f, uint64_t bits);
unsigned fp_bits(fp_format f);
uint64_t fp_one(fp_format f);
uint64_t fp_nan(fp_format f); /* the canonical one */

/* A subnormal becomes the zero of its sign. */
uint64_t fp_flush(fp_format f, uint64_t bits);

/* Into [0, 1], a NaN and -0 becoming +0. */
uint64_t fp_saturate(fp_format f, uint64_t bits);

/* -1, 0, 1 as a < b, a == b, a > b; 2 when one is a NaN. Zeros are equal. */
int fp_order(fp_format f, uint64_t a, uint64_t b);

#endif
