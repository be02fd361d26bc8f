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
/* logarithm of |gamma(x)| (floats) */
BZ_API bz_tensor *bz_lgamma_at(bz_tensor *x, const char *site);
#define bz_lgamma(x) bz_lgamma_at((x), BZ_SITE)
/* derivative of lgamma (floats) */
BZ_API bz_tensor *bz_digamma_at(bz_tensor *x, const char *site);
#define bz_digamma(x) bz_digamma_at((x), BZ_SITE)
/* derivative number x (whole) of digamma at y; y > 0 where x > 1 (floats) */
BZ_API bz_tensor *bz_polygamma_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_polygamma(x, y) BZ_WITH_2_(bz_polygamma_at, x, y)
/* e^(x^2) erfc(x), without underflow (floats) */
BZ_API bz_tensor *bz_erfcx_at(bz_tensor *x, const char *site);
#define bz_erfcx(x) bz_erfcx_at((x), BZ_SITE)
/* inverse of erf (floats) */
BZ_API bz_tensor *bz_erfinv_at(bz_tensor *x, const char *site);
#define bz_erfinv(x) bz_erfinv_at((x), BZ_SITE)
/* inverse of the normal distribution's integral (floats) */
BZ_API bz_tensor *bz_ndtri_at(bz_tensor *x, const char *site);
#define bz_ndtri(x) bz_ndtri_at((x), BZ_SITE)
/* modified Bessel function of order 0 (floats) */
BZ_API bz_tensor *bz_i0_at(bz_tensor *x, const char *site);
#define bz_i0(x) bz_i0_at((x), BZ_SITE)
/* i0(x) e^-|x| (floats) */
BZ_API bz_tensor *bz_i0e_at(bz_tensor *x, const char *site);
#define bz_i0e(x) bz_i0e_at((x), BZ_SITE)
/* modified Bessel function of order 1 (floats) */
BZ_API bz_tensor *bz_i1_at(bz_tensor *x, const char *site);
#define bz_i1(x) bz_i1_at((x), BZ_SITE)
/* i1(x) e^-|x| (floats) */
BZ_API bz_tensor *bz_i1e_at(bz_tensor *x, const char *site);
#define bz_i1e(x) bz_i1e_at((x), BZ_SITE)
/* x where positive, else 0 */
BZ_API bz_tensor *bz_relu_at(bz_tensor *x, const char *site);
#define bz_relu(x) bz_relu_at((x), BZ_SITE)
/* 1 / (1 + e^-x) (floats) */
BZ_API bz_tensor *bz_sigmoid_at(bz_tensor *x, const char *site);
#define bz_sigmoid(x) bz_sigmoid_at((x), BZ_SITE)
/* log(1 + e^x) (floats) */
BZ_API bz_tensor *bz_softplus_at(bz_tensor *x, const char *site);
#define bz_softplus(x) bz_softplus_at((x), BZ_SITE)

/* ---- arithmetic that is more than one op. Arguments at the end for which docs/ops.md has a default may be left out */
typedef enum bz_rounding { BZ_ROUNDING_NONE, BZ_ROUNDING_TRUNC, BZ_ROUNDING_FLOOR } bz_rounding;

/* x. BZ_EDTYPE for bool. */
BZ_API bz_tensor *bz_positive_at(bz_tensor *x, const char *site);
/* -1, 0 or 1: the sign, 0 for NaN; of complex numbers x / |x|, 0 of 0. */
BZ_API bz_tensor *bz_sgn_at(bz_tensor *x, const char *site);
/* Degrees of an angle in radians. */
BZ_API bz_tensor *bz_rad2deg_at(bz_tensor *x, const char *site);
/* Radians of an angle in degrees. */
BZ_API bz_tensor *bz_deg2rad_at(bz_tensor *x, const char *site);
/* y - alpha x. */
BZ_API bz_tensor *bz_rsub_at(bz_tensor *x, bz_tensor *y, double alpha, const char *site);
/* x + value y z. */
BZ_API bz_tensor *bz_addcmul_at(bz_tensor *x, bz_tensor *y, bz_tensor *z, double value,
                                const char *site);
/* x + value y / z. */
BZ_API bz_tensor *bz_addcdiv_at(bz_tensor *x, bz_tensor *y, bz_tensor *z, double value,
                                const char *site);
/* x / y. */
BZ_API bz_tensor *bz_true_divide_at(bz_tensor *x, bz_tensor *y, const char *site);
/* x / y, or that rounded towards zero (trunc) or down (floor). Rounded, integers keep their dtype, and 0 stands for x / 0; floats
 * round the exact quotient down, the rounded one towards zero. */
BZ_API bz_tensor *bz_divide_at(bz_tensor *x, bz_tensor *y, bz_rounding rounding_mode,
                               const char *site);
/* x^y in f64. */
BZ_API bz_tensor *bz_float_power_at(bz_tensor *x, bz_tensor *y, const char *site);
/* x 2^y. */
BZ_API bz_tensor *bz_ldexp_at(bz_tensor *x, bz_tensor *y, const char *site);
/* x as mantissa 2^exponent, 1/2 <= |mantissa| < 1 (exponent: i32). 0, infinities and NaN have exponent 0. */
BZ_API bz_tensor *bz_frexp_at(bz_tensor *x, bz_tensor **exponent, const char *site);
/* Greatest common divisor, of 0 and 0: 0. Integers of one kind. */
BZ_API bz_tensor *bz_gcd_at(bz_tensor *x, bz_tensor *y, const char *site);
/* Least common multiple, of 0 and anything: 0. Integers of one kind; it wraps. */
BZ_API bz_tensor *bz_lcm_at(bz_tensor *x, bz_tensor *y, const char *site);
/* The next number of the dtype from x towards y. Its gradient is 0. */
BZ_API bz_tensor *bz_nextafter_at(bz_tensor *x, bz_tensor *y, const char *site);
/* The larger of x and y, the other one where one is NaN. */
BZ_API bz_tensor *bz_fmax_at(bz_tensor *x, bz_tensor *y, const char *site);
/* The smaller of x and y, the other one where one is NaN. */
BZ_API bz_tensor *bz_fmin_at(bz_tensor *x, bz_tensor *y, const char *site);
/* Logarithm to base 2 of 2^x + 2^y. */
BZ_API bz_tensor *bz_logaddexp2_at(bz_tensor *x, bz_tensor *y, const char *site);
/* x log y, 0 where x is 0 and y is no NaN. */
BZ_API bz_tensor *bz_xlogy_at(bz_tensor *x, bz_tensor *y, const char *site);
/* x log(1 + y), 0 where x is 0 and y is no NaN. */
BZ_API bz_tensor *bz_xlog1py_at(bz_tensor *x, bz_tensor *y, const char *site);
/* -x log x, 0 at 0, -inf below. */
BZ_API bz_tensor *bz_entr_at(bz_tensor *x, const char *site);
/* Log(x / (1 - x)), x limited to eps .. 1 - eps unless eps < 0. */
BZ_API bz_tensor *bz_logit_at(bz_tensor *x, double eps, const char *site);
/* Sin(pi x) / (pi x), 1 at 0. */
BZ_API bz_tensor *bz_sinc_at(bz_tensor *x, const char *site);
/* Integral of the normal distribution up to x. */
BZ_API bz_tensor *bz_ndtr_at(bz_tensor *x, const char *site);
/* Logarithm of ndtr, without underflow. */
BZ_API bz_tensor *bz_log_ndtr_at(bz_tensor *x, const char *site);
/* Logarithm of the gamma function of p dimensions. */
BZ_API bz_tensor *bz_multigammaln_at(bz_tensor *x, int p, const char *site);
/* x with numbers in place of NaN and the infinities. posinf, neginf NaN: the largest and the smallest finite number of the dtype. */
BZ_API bz_tensor *bz_nan_to_num_at(bz_tensor *x, double nan, double posinf, double neginf,
                                   const char *site);
/* Is x = y, or |x - y| <= atol + rtol |y|? equal_nan: two NaN are, too. */
BZ_API bz_tensor *bz_isclose_at(bz_tensor *x, bz_tensor *y, double rtol, double atol,
                                bool equal_nan, const char *site);
/* Does isclose hold everywhere? 0-d, bool. */
BZ_API bz_tensor *bz_allclose_at(bz_tensor *x, bz_tensor *y, double rtol, double atol,
                                 bool equal_nan, const char *site);
/* Is +inf. */
BZ_API bz_tensor *bz_isposinf_at(bz_tensor *x, const char *site);
/* Is -inf. */
BZ_API bz_tensor *bz_isneginf_at(bz_tensor *x, const char *site);
/* Is the imaginary part 0? Of real numbers true. */
BZ_API bz_tensor *bz_isreal_at(bz_tensor *x, const char *site);
static inline bz_tensor *bz_rsub_with_(bz_operand x, bz_operand y, double alpha, const char *site) {
    bz_operand o[] = {x, y};
    bz_numbers_begin(o, 2, site);
    bz_tensor *made = bz_rsub_at(o[0].v.tensor, o[1].v.tensor, alpha, site);
    bz_numbers_end(o, 2);
    return made;
}
static inline bz_tensor *bz_addcmul_with_(bz_operand x, bz_operand y, bz_operand z, double value,
                                          const char *site) {
    bz_operand o[] = {x, y, z};
    bz_numbers_begin(o, 3, site);
    bz_tensor *made = bz_addcmul_at(o[0].v.tensor, o[1].v.tensor, o[2].v.tensor, value, site);
    bz_numbers_end(o, 3);
    return made;
}
static inline bz_tensor *bz_addcdiv_with_(bz_operand x, bz_operand y, bz_operand z, double value,
                                          const char *site) {
    bz_operand o[] = {x, y, z};
    bz_numbers_begin(o, 3, site);
    bz_tensor *made = bz_addcdiv_at(o[0].v.tensor, o[1].v.tensor, o[2].v.tensor, value, site);
    bz_numbers_end(o, 3);
    return made;
}
static inline bz_tensor *bz_divide_with_(bz_operand x, bz_operand y, bz_rounding rounding_mode,
                                         const char *site) {
    bz_operand o[] = {x, y};
    bz_numbers_begin(o, 2, site);
    bz_tensor *made = bz_divide_at(o[0].v.tensor, o[1].v.tensor, rounding_mode, site);
    bz_numbers_end(o, 2);
    return made;
}
static inline bz_tensor *bz_isclose_with_(bz_operand x, bz_operand y, double rtol, double atol,
                                          bool equal_nan, const char *site) {
    bz_operand o[] = {x, y};
    bz_numbers_begin(o, 2, site);
    bz_tensor *made = bz_isclose_at(o[0].v.tensor, o[1].v.tensor, rtol, atol, equal_nan, site);
    bz_numbers_end(o, 2);
    return made;
}
static inline bz_tensor *bz_allclose_with_(bz_operand x, bz_operand y, double rtol, double atol,
                                           bool equal_nan, const char *site) {
    bz_operand o[] = {x, y};
    bz_numbers_begin(o, 2, site);
    bz_tensor *made = bz_allclose_at(o[0].v.tensor, o[1].v.tensor, rtol, atol, equal_nan, site);
    bz_numbers_end(o, 2);
    return made;
}
#define bz_positive(...)                            bz_positive_at(__VA_ARGS__, BZ_SITE)
#define bz_sgn(...)                                 bz_sgn_at(__VA_ARGS__, BZ_SITE)
#define bz_rad2deg(...)                             bz_rad2deg_at(__VA_ARGS__, BZ_SITE)
#define bz_deg2rad(...)                             bz_deg2rad_at(__VA_ARGS__, BZ_SITE)
#define bz_rsub_2_(x, y)                            bz_rsub_with_(BZ_OPERAND(x), BZ_OPERAND(y), 1, BZ_SITE)
#define bz_rsub_3_(x, y, alpha)                     bz_rsub_with_(BZ_OPERAND(x), BZ_OPERAND(y), alpha, BZ_SITE)
#define bz_rsub(...)                                BZ_BY_COUNT_(bz_rsub, __VA_ARGS__)
#define bz_addcmul_3_(x, y, z)                      bz_addcmul_with_(BZ_OPERAND(x), BZ_OPERAND(y), BZ_OPERAND(z), 1, BZ_SITE)
#define bz_addcmul_4_(x, y, z, value)               bz_addcmul_with_(BZ_OPERAND(x), BZ_OPERAND(y), BZ_OPERAND(z), value, BZ_SITE)
#define bz_addcmul(...)                             BZ_BY_COUNT_(bz_addcmul, __VA_ARGS__)
#define bz_addcdiv_3_(x, y, z)                      bz_addcdiv_with_(BZ_OPERAND(x), BZ_OPERAND(y), BZ_OPERAND(z), 1, BZ_SITE)
#define bz_addcdiv_4_(x, y, z, value)               bz_addcdiv_with_(BZ_OPERAND(x), BZ_OPERAND(y), BZ_OPERAND(z), value, BZ_SITE)
#define bz_addcdiv(...)                             BZ_BY_COUNT_(bz_addcdiv, __VA_ARGS__)
#define bz_true_divide(x, y)                        BZ_WITH_2_(bz_true_divide_at, x, y)
#define bz_divide_2_(x, y)                          bz_divide_with_(BZ_OPERAND(x), BZ_OPERAND(y), BZ_ROUNDING_NONE, BZ_SITE)
#define bz_divide_3_(x, y, rounding_mode)           bz_divide_with_(BZ_OPERAND(x), BZ_OPERAND(y), rounding_mode, BZ_SITE)
#define bz_divide(...)                              BZ_BY_COUNT_(bz_divide, __VA_ARGS__)
#define bz_float_power(x, y)                        BZ_WITH_2_(bz_float_power_at, x, y)
#define bz_ldexp(x, y)                              BZ_WITH_2_(bz_ldexp_at, x, y)
#define bz_frexp(...)                               bz_frexp_at(__VA_ARGS__, BZ_SITE)
#define bz_gcd(x, y)                                BZ_WITH_2_(bz_gcd_at, x, y)
#define bz_lcm(x, y)                                BZ_WITH_2_(bz_lcm_at, x, y)
#define bz_nextafter(x, y)                          BZ_WITH_2_(bz_nextafter_at, x, y)
#define bz_fmax(x, y)                               BZ_WITH_2_(bz_fmax_at, x, y)
#define bz_fmin(x, y)                               BZ_WITH_2_(bz_fmin_at, x, y)
#define bz_logaddexp2(x, y)                         BZ_WITH_2_(bz_logaddexp2_at, x, y)
#define bz_xlogy(x, y)                              BZ_WITH_2_(bz_xlogy_at, x, y)
#define bz_xlog1py(x, y)                            BZ_WITH_2_(bz_xlog1py_at, x, y)
#define bz_entr(...)                                bz_entr_at(__VA_ARGS__, BZ_SITE)
#define bz_logit_1_(x)                              bz_logit_at((x), -1, BZ_SITE)
#define bz_logit_2_(x, eps)                         bz_logit_at((x), (eps), BZ_SITE)
#define bz_logit(...)                               BZ_BY_COUNT_(bz_logit, __VA_ARGS__)
#define bz_sinc(...)                                bz_sinc_at(__VA_ARGS__, BZ_SITE)
#define bz_ndtr(...)                                bz_ndtr_at(__VA_ARGS__, BZ_SITE)
#define bz_log_ndtr(...)                            bz_log_ndtr_at(__VA_ARGS__, BZ_SITE)
#define bz_multigammaln(...)                        bz_multigammaln_at(__VA_ARGS__, BZ_SITE)
#define bz_nan_to_num_1_(x)                         bz_nan_to_num_at((x), 0, __builtin_nan(""), __builtin_nan(""), BZ_SITE)
#define bz_nan_to_num_2_(x, nan)                    bz_nan_to_num_at((x), (nan), __builtin_nan(""), __builtin_nan(""), BZ_SITE)
#define bz_nan_to_num_3_(x, nan, posinf)            bz_nan_to_num_at((x), (nan), (posinf), __builtin_nan(""), BZ_SITE)
#define bz_nan_to_num_4_(x, nan, posinf, neginf)    bz_nan_to_num_at((x), (nan), (posinf), (neginf), BZ_SITE)
#define bz_nan_to_num(...)                          BZ_BY_COUNT_(bz_nan_to_num, __VA_ARGS__)
#define bz_isclose_2_(x, y)                         bz_isclose_with_(BZ_OPERAND(x), BZ_OPERAND(y), 1e-05, 1e-08, false, BZ_SITE)
#define bz_isclose_3_(x, y, rtol)                   bz_isclose_with_(BZ_OPERAND(x), BZ_OPERAND(y), rtol, 1e-08, false, BZ_SITE)
#define bz_isclose_4_(x, y, rtol, atol)             bz_isclose_with_(BZ_OPERAND(x), BZ_OPERAND(y), rtol, atol, false, BZ_SITE)
#define bz_isclose_5_(x, y, rtol, atol, equal_nan)  bz_isclose_with_(BZ_OPERAND(x), BZ_OPERAND(y), rtol, atol, equal_nan, BZ_SITE)
#define bz_isclose(...)                             BZ_BY_COUNT_(bz_isclose, __VA_ARGS__)
#define bz_allclose_2_(x, y)                        bz_allclose_with_(BZ_OPERAND(x), BZ_OPERAND(y), 1e-05, 1e-08, false, BZ_SITE)
#define bz_allclose_3_(x, y, rtol)                  bz_allclose_with_(BZ_OPERAND(x), BZ_OPERAND(y), rtol, 1e-08, false, BZ_SITE)
#define bz_allclose_4_(x, y, rtol, atol)            bz_allclose_with_(BZ_OPERAND(x), BZ_OPERAND(y), rtol, atol, false, BZ_SITE)
#define bz_allclose_5_(x, y, rtol, atol, equal_nan) bz_allclose_with_(BZ_OPERAND(x), BZ_OPERAND(y), rtol, atol, equal_nan, BZ_SITE)
#define bz_allclose(...)                            BZ_BY_COUNT_(bz_allclose, __VA_ARGS__)
#define bz_isposinf(...)                            bz_isposinf_at(__VA_ARGS__, BZ_SITE)
#define bz_isneginf(...)                            bz_isneginf_at(__VA_ARGS__, BZ_SITE)
#define bz_isreal(...)                              bz_isreal_at(__VA_ARGS__, BZ_SITE)

/* ---- complex numbers: c64, two f32, and c128, two f64 */

/* Complex numbers of their parts: c64 of two f32, c128 of two f64. The parts broadcast; BZ_EDTYPE for others. */
BZ_API bz_tensor *bz_complex_at(bz_tensor *re, bz_tensor *im, const char *site);
/* Real part; x itself where it is real. */
BZ_API bz_tensor *bz_real_at(bz_tensor *x, const char *site);
/* Imaginary part. BZ_EDTYPE for a real x. */
BZ_API bz_tensor *bz_imag_at(bz_tensor *x, const char *site);
/* Conjugate: the imaginary part with the other sign; x itself where it is real. */
BZ_API bz_tensor *bz_conj_at(bz_tensor *x, const char *site);
/* Angle of a complex number, from -pi to pi; of a real one 0, or pi below 0. */
BZ_API bz_tensor *bz_angle_at(bz_tensor *x, const char *site);
/* Complex numbers of absolute value and angle. As bz_complex. */
BZ_API bz_tensor *bz_polar_at(bz_tensor *abs, bz_tensor *angle, const char *site);
/* Complex numbers as real ones, the parts along a new last axis. */
BZ_API bz_tensor *bz_view_as_real_at(bz_tensor *x, const char *site);
/* The two elements of the last axis as parts of complex numbers. BZ_EDTYPE unless f32 or f64, BZ_ESHAPE for another axis. */
BZ_API bz_tensor *bz_view_as_complex_at(bz_tensor *x, const char *site);
#define bz_complex(re, im)      BZ_WITH_2_(bz_complex_at, re, im)
#define bz_real(...)            bz_real_at(__VA_ARGS__, BZ_SITE)
#define bz_imag(...)            bz_imag_at(__VA_ARGS__, BZ_SITE)
#define bz_conj(...)            bz_conj_at(__VA_ARGS__, BZ_SITE)
#define bz_angle(...)           bz_angle_at(__VA_ARGS__, BZ_SITE)
#define bz_polar(abs, angle)    BZ_WITH_2_(bz_polar_at, abs, angle)
#define bz_view_as_real(...)    bz_view_as_real_at(__VA_ARGS__, BZ_SITE)
#define bz_view_as_complex(...) bz_view_as_complex_at(__VA_ARGS__, BZ_SITE)

#endif
