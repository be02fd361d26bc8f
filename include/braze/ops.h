/* ops.h - one builder per elementwise op. Made by tools/api.py from src/ir/ops.def: do not edit.
 *
 * Operands broadcast (NumPy's rule) and are promoted as PyTorch does; 0-d operands do not promote within a category (bool, integer,
 * float). Ops that need floats cast integers and bool to f32 first. Of two or three operands all but one may be numbers: bz_mul(x, 2),
 * operand.h. The result belongs to the innermost scope; on an error (BZ_ESHAPE, BZ_EDTYPE) it is poisoned. */
#ifndef BRAZE_OPS_H
#define BRAZE_OPS_H

#include "braze/operand.h"

/* x + y; integers wrap, bool is or */
BZ_API bz_tensor *bz_add_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_add(x, y) BZ_WITH_2_(bz_add_at, x, y)
/* x - y; integers wrap */
BZ_API bz_tensor *bz_sub_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_sub(x, y) BZ_WITH_2_(bz_sub_at, x, y)
/* x * y; integers wrap, bool is and */
BZ_API bz_tensor *bz_mul_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_mul(x, y) BZ_WITH_2_(bz_mul_at, x, y)
/* x / y, true division (floats) */
BZ_API bz_tensor *bz_div_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_div(x, y) BZ_WITH_2_(bz_div_at, x, y)
/* x * y + z rounded once (floats) */
BZ_API bz_tensor *bz_fma_at(bz_tensor *x, bz_tensor *y, bz_tensor *z, const char *site);
#define bz_fma(x, y, z) BZ_WITH_3_(bz_fma_at, x, y, z)
/* -x */
BZ_API bz_tensor *bz_neg_at(bz_tensor *x, const char *site);
#define bz_neg(x) bz_neg_at((x), BZ_SITE)
/* absolute value */
BZ_API bz_tensor *bz_abs_at(bz_tensor *x, const char *site);
#define bz_abs(x) bz_abs_at((x), BZ_SITE)
/* square root, correctly rounded (floats) */
BZ_API bz_tensor *bz_sqrt_at(bz_tensor *x, const char *site);
#define bz_sqrt(x) bz_sqrt_at((x), BZ_SITE)
/* largest integer <= x */
BZ_API bz_tensor *bz_floor_at(bz_tensor *x, const char *site);
#define bz_floor(x) bz_floor_at((x), BZ_SITE)
/* smallest integer >= x */
BZ_API bz_tensor *bz_ceil_at(bz_tensor *x, const char *site);
#define bz_ceil(x) bz_ceil_at((x), BZ_SITE)
/* x rounded towards zero */
BZ_API bz_tensor *bz_trunc_at(bz_tensor *x, const char *site);
#define bz_trunc(x) bz_trunc_at((x), BZ_SITE)
/* x rounded to the nearest integer, ties to even */
BZ_API bz_tensor *bz_round_at(bz_tensor *x, const char *site);
#define bz_round(x) bz_round_at((x), BZ_SITE)
/* larger of x and y, NaN if either is */
BZ_API bz_tensor *bz_maximum_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_maximum(x, y) BZ_WITH_2_(bz_maximum_at, x, y)
/* smaller of x and y, NaN if either is */
BZ_API bz_tensor *bz_minimum_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_minimum(x, y) BZ_WITH_2_(bz_minimum_at, x, y)
/* x / y rounded to minus infinity; 0 where y is 0; of floats: floor_div (integers, bool) */
BZ_API bz_tensor *bz_floor_divide_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_floor_divide(x, y) BZ_WITH_2_(bz_floor_divide_at, x, y)
/* x - y * floor_divide(x, y); 0 where y is 0; of floats: mod (integers, bool) */
BZ_API bz_tensor *bz_remainder_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_remainder(x, y) BZ_WITH_2_(bz_remainder_at, x, y)
/* bitwise and (integers, bool) */
BZ_API bz_tensor *bz_bitwise_and_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_bitwise_and(x, y) BZ_WITH_2_(bz_bitwise_and_at, x, y)
/* bitwise or (integers, bool) */
BZ_API bz_tensor *bz_bitwise_or_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_bitwise_or(x, y) BZ_WITH_2_(bz_bitwise_or_at, x, y)
/* bitwise exclusive or (integers, bool) */
BZ_API bz_tensor *bz_bitwise_xor_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_bitwise_xor(x, y) BZ_WITH_2_(bz_bitwise_xor_at, x, y)
/* bitwise not; of bool: logical not (integers, bool) */
BZ_API bz_tensor *bz_bitwise_not_at(bz_tensor *x, const char *site);
#define bz_bitwise_not(x) bz_bitwise_not_at((x), BZ_SITE)
/* x << y (integers, bool) */
BZ_API bz_tensor *bz_left_shift_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_left_shift(x, y) BZ_WITH_2_(bz_left_shift_at, x, y)
/* x >> y, arithmetic for signed dtypes (integers, bool) */
BZ_API bz_tensor *bz_right_shift_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_right_shift(x, y) BZ_WITH_2_(bz_right_shift_at, x, y)
/* x >> y with zeros shifted in (integers, bool) */
BZ_API bz_tensor *bz_logical_right_shift_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_logical_right_shift(x, y) BZ_WITH_2_(bz_logical_right_shift_at, x, y)
/* number of bits set (integers, bool) */
BZ_API bz_tensor *bz_popcount_at(bz_tensor *x, const char *site);
#define bz_popcount(x) bz_popcount_at((x), BZ_SITE)
/* leading zero bits; the width for 0 (integers, bool) */
BZ_API bz_tensor *bz_count_leading_zeros_at(bz_tensor *x, const char *site);
#define bz_count_leading_zeros(x) bz_count_leading_zeros_at((x), BZ_SITE)
/* x == y -> bool */
BZ_API bz_tensor *bz_eq_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_eq(x, y) BZ_WITH_2_(bz_eq_at, x, y)
/* x != y -> bool */
BZ_API bz_tensor *bz_ne_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_ne(x, y) BZ_WITH_2_(bz_ne_at, x, y)
/* x < y -> bool */
BZ_API bz_tensor *bz_lt_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_lt(x, y) BZ_WITH_2_(bz_lt_at, x, y)
/* x <= y -> bool */
BZ_API bz_tensor *bz_le_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_le(x, y) BZ_WITH_2_(bz_le_at, x, y)
/* y where x is true, else z */
BZ_API bz_tensor *bz_where_at(bz_tensor *x, bz_tensor *y, bz_tensor *z, const char *site);
#define bz_where(x, y, z) BZ_WITH_3_(bz_where_at, x, y, z)
/* x > y -> bool */
BZ_API bz_tensor *bz_gt_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_gt(x, y) BZ_WITH_2_(bz_gt_at, x, y)
/* x >= y -> bool */
BZ_API bz_tensor *bz_ge_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_ge(x, y) BZ_WITH_2_(bz_ge_at, x, y)
/* x / y rounded to minus infinity, by the exact quotient (Python's //; of floats: NaN where x is infinite) */
BZ_API bz_tensor *bz_floor_div_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_floor_div(x, y) BZ_WITH_2_(bz_floor_div_at, x, y)
/* x - y * floor(x / y): the sign of y (Python's %) */
BZ_API bz_tensor *bz_mod_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_mod(x, y) BZ_WITH_2_(bz_mod_at, x, y)
/* remainder with the sign of x (C's fmod), exact */
BZ_API bz_tensor *bz_fmod_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_fmod(x, y) BZ_WITH_2_(bz_fmod_at, x, y)
/* x * x */
BZ_API bz_tensor *bz_square_at(bz_tensor *x, const char *site);
#define bz_square(x) bz_square_at((x), BZ_SITE)
/* 1 / x (floats) */
BZ_API bz_tensor *bz_reciprocal_at(bz_tensor *x, const char *site);
#define bz_reciprocal(x) bz_reciprocal_at((x), BZ_SITE)
/* 1 / sqrt(x) (floats) */
BZ_API bz_tensor *bz_rsqrt_at(bz_tensor *x, const char *site);
#define bz_rsqrt(x) bz_rsqrt_at((x), BZ_SITE)
/* cube root (floats) */
BZ_API bz_tensor *bz_cbrt_at(bz_tensor *x, const char *site);
#define bz_cbrt(x) bz_cbrt_at((x), BZ_SITE)
/* -1, 0 or 1; NaN for NaN */
BZ_API bz_tensor *bz_sign_at(bz_tensor *x, const char *site);
#define bz_sign(x) bz_sign_at((x), BZ_SITE)
/* abs(x) with the sign of y (floats) */
BZ_API bz_tensor *bz_copysign_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_copysign(x, y) BZ_WITH_2_(bz_copysign_at, x, y)
/* x limited to y .. z */
BZ_API bz_tensor *bz_clamp_at(bz_tensor *x, bz_tensor *y, bz_tensor *z, const char *site);
#define bz_clamp(x, y, z) BZ_WITH_3_(bz_clamp_at, x, y, z)
/* x + z (y - x) (floats) */
BZ_API bz_tensor *bz_lerp_at(bz_tensor *x, bz_tensor *y, bz_tensor *z, const char *site);
#define bz_lerp(x, y, z) BZ_WITH_3_(bz_lerp_at, x, y, z)
/* sqrt(x^2 + y^2) without overflow (floats) */
BZ_API bz_tensor *bz_hypot_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_hypot(x, y) BZ_WITH_2_(bz_hypot_at, x, y)
/* fractional part (floats) */
BZ_API bz_tensor *bz_frac_at(bz_tensor *x, const char *site);
#define bz_frac(x) bz_frac_at((x), BZ_SITE)
/* x, which gradients take for a constant */
BZ_API bz_tensor *bz_stop_gradient_at(bz_tensor *x, const char *site);
#define bz_stop_gradient(x) bz_stop_gradient_at((x), BZ_SITE)
/* step function */
BZ_API bz_tensor *bz_heaviside_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_heaviside(x, y) BZ_WITH_2_(bz_heaviside_at, x, y)
/* x and y, as truth values -> bool */
BZ_API bz_tensor *bz_logical_and_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_logical_and(x, y) BZ_WITH_2_(bz_logical_and_at, x, y)
/* x or y, as truth values -> bool */
BZ_API bz_tensor *bz_logical_or_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_logical_or(x, y) BZ_WITH_2_(bz_logical_or_at, x, y)
/* one of x and y, as truth values -> bool */
BZ_API bz_tensor *bz_logical_xor_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_logical_xor(x, y) BZ_WITH_2_(bz_logical_xor_at, x, y)
/* not x, as a truth value -> bool */
BZ_API bz_tensor *bz_logical_not_at(bz_tensor *x, const char *site);
#define bz_logical_not(x) bz_logical_not_at((x), BZ_SITE)
/* is NaN -> bool */
BZ_API bz_tensor *bz_isnan_at(bz_tensor *x, const char *site);
#define bz_isnan(x) bz_isnan_at((x), BZ_SITE)
/* is an infinity -> bool */
BZ_API bz_tensor *bz_isinf_at(bz_tensor *x, const char *site);
#define bz_isinf(x) bz_isinf_at((x), BZ_SITE)
/* is neither NaN nor an infinity -> bool */
BZ_API bz_tensor *bz_isfinite_at(bz_tensor *x, const char *site);
#define bz_isfinite(x) bz_isfinite_at((x), BZ_SITE)
/* sign bit is set (-0 and -NaN too) -> bool */
BZ_API bz_tensor *bz_signbit_at(bz_tensor *x, const char *site);
#define bz_signbit(x) bz_signbit_at((x), BZ_SITE)
/* e^x (floats) */
BZ_API bz_tensor *bz_exp_at(bz_tensor *x, const char *site);
#define bz_exp(x) bz_exp_at((x), BZ_SITE)
/* 2^x (floats) */
BZ_API bz_tensor *bz_exp2_at(bz_tensor *x, const char *site);
#define bz_exp2(x) bz_exp2_at((x), BZ_SITE)
/* e^x - 1, accurate near 0 (floats) */
BZ_API bz_tensor *bz_expm1_at(bz_tensor *x, const char *site);
#define bz_expm1(x) bz_expm1_at((x), BZ_SITE)
/* natural logarithm (floats) */
BZ_API bz_tensor *bz_log_at(bz_tensor *x, const char *site);
#define bz_log(x) bz_log_at((x), BZ_SITE)
/* logarithm to base 2 (floats) */
BZ_API bz_tensor *bz_log2_at(bz_tensor *x, const char *site);
#define bz_log2(x) bz_log2_at((x), BZ_SITE)
/* logarithm to base 10 (floats) */
BZ_API bz_tensor *bz_log10_at(bz_tensor *x, const char *site);
#define bz_log10(x) bz_log10_at((x), BZ_SITE)
/* log(1 + x), accurate near 0 (floats) */
BZ_API bz_tensor *bz_log1p_at(bz_tensor *x, const char *site);
#define bz_log1p(x) bz_log1p_at((x), BZ_SITE)
/* x^y (C's pow); of integers by products that wrap, 1 / x^-y cut off for y < 0 */
BZ_API bz_tensor *bz_pow_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_pow(x, y) BZ_WITH_2_(bz_pow_at, x, y)
/* log(e^x + e^y) (floats) */
BZ_API bz_tensor *bz_logaddexp_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_logaddexp(x, y) BZ_WITH_2_(bz_logaddexp_at, x, y)
/* sine (floats) */
BZ_API bz_tensor *bz_sin_at(bz_tensor *x, const char *site);
#define bz_sin(x) bz_sin_at((x), BZ_SITE)
/* cosine (floats) */
BZ_API bz_tensor *bz_cos_at(bz_tensor *x, const char *site);
#define bz_cos(x) bz_cos_at((x), BZ_SITE)
/* tangent (floats) */
BZ_API bz_tensor *bz_tan_at(bz_tensor *x, const char *site);
#define bz_tan(x) bz_tan_at((x), BZ_SITE)
/* inverse sine (floats) */
BZ_API bz_tensor *bz_asin_at(bz_tensor *x, const char *site);
#define bz_asin(x) bz_asin_at((x), BZ_SITE)
/* inverse cosine (floats) */
BZ_API bz_tensor *bz_acos_at(bz_tensor *x, const char *site);
#define bz_acos(x) bz_acos_at((x), BZ_SITE)
/* inverse tangent (floats) */
BZ_API bz_tensor *bz_atan_at(bz_tensor *x, const char *site);
#define bz_atan(x) bz_atan_at((x), BZ_SITE)
/* angle of the point (y, x) (floats) */
BZ_API bz_tensor *bz_atan2_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_atan2(x, y) BZ_WITH_2_(bz_atan2_at, x, y)
/* hyperbolic sine (floats) */
BZ_API bz_tensor *bz_sinh_at(bz_tensor *x, const char *site);
#define bz_sinh(x) bz_sinh_at((x), BZ_SITE)
/* hyperbolic cosine (floats) */
BZ_API bz_tensor *bz_cosh_at(bz_tensor *x, const char *site);
#define bz_cosh(x) bz_cosh_at((x), BZ_SITE)
/* hyperbolic tangent (floats) */
BZ_API bz_tensor *bz_tanh_at(bz_tensor *x, const char *site);
#define bz_tanh(x) bz_tanh_at((x), BZ_SITE)
/* inverse hyperbolic sine (floats) */
BZ_API bz_tensor *bz_asinh_at(bz_tensor *x, const char *site);
#define bz_asinh(x) bz_asinh_at((x), BZ_SITE)
/* inverse hyperbolic cosine (floats) */
BZ_API bz_tensor *bz_acosh_at(bz_tensor *x, const char *site);
#define bz_acosh(x) bz_acosh_at((x), BZ_SITE)
/* inverse hyperbolic tangent (floats) */
BZ_API bz_tensor *bz_atanh_at(bz_tensor *x, const char *site);
#define bz_atanh(x) bz_atanh_at((x), BZ_SITE)
/* error function (floats) */
BZ_API bz_tensor *bz_erf_at(bz_tensor *x, const char *site);
#define bz_erf(x) bz_erf_at((x), BZ_SITE)
/* 1 - erf(x), accurate in the tail (floats) */
BZ_API bz_tensor *bz_erfc_at(bz_tensor *x, const char *site);
#define bz_erfc(x) bz_erfc_at((x), BZ_SITE)
/* x where positive, else 0 */
BZ_API bz_tensor *bz_relu_at(bz_tensor *x, const char *site);
#define bz_relu(x) bz_relu_at((x), BZ_SITE)
/* 1 / (1 + e^-x) (floats) */
BZ_API bz_tensor *bz_sigmoid_at(bz_tensor *x, const char *site);
#define bz_sigmoid(x) bz_sigmoid_at((x), BZ_SITE)
/* log(1 + e^x) (floats) */
BZ_API bz_tensor *bz_softplus_at(bz_tensor *x, const char *site);
#define bz_softplus(x) bz_softplus_at((x), BZ_SITE)

#endif
