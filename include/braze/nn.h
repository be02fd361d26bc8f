/* nn.h - folds over axes, products, layers, losses, optimizer steps.
 * Made by tools/api.py from tools/api/nn.h and src/ir/builders.def: do not edit.
 *
 * axes: n of them, negative counts from the end, no repeats; n = 0: all axes; 0-d tensors have the axes 0 and -1. keepdim
 * leaves them with size 1. Halves are computed in f32 and rounded once. Arguments at the end for which docs/ops.md has a default may
 * be left out where no list is among them: bz_elu(x), bz_elu(x, 0.5), bz_mse_loss(x, y). Errors: BZ_EAXIS, BZ_ESHAPE, BZ_EDTYPE. */
#ifndef BRAZE_NN_H
#define BRAZE_NN_H

#include "braze/operand.h"

/* ---- folds. sum, prod: floats keep their dtype, integers and bool give i64; any, all: bool; argmax, argmin: i64, one axis or all */

/* Sum; 0 of nothing. */
BZ_API bz_tensor *bz_sum_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site);
/* Product; 1 of nothing. */
BZ_API bz_tensor *bz_prod_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site);
/* Largest element, NaN if any is; of nothing: BZ_ESHAPE. */
BZ_API bz_tensor *bz_max_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site);
/* Smallest element, NaN if any is; of nothing: BZ_ESHAPE. */
BZ_API bz_tensor *bz_min_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site);
/* Is any element not 0? */
BZ_API bz_tensor *bz_any_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site);
/* Is no element 0? */
BZ_API bz_tensor *bz_all_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site);
/* Index of the first largest element, of the first NaN if there is one. */
BZ_API bz_tensor *bz_argmax_at(bz_tensor *x, const int *axes, int n, bool keepdim,
                               const char *site);
/* Index of the first smallest element, of the first NaN if there is one. */
BZ_API bz_tensor *bz_argmin_at(bz_tensor *x, const int *axes, int n, bool keepdim,
                               const char *site);
/* Arithmetic mean. */
BZ_API bz_tensor *bz_mean_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site);
/* Sum of (x - mean)^2 over (count - correction): bz_var(x, BZ_ALL, 1). PyTorch's default is 1. */
BZ_API bz_tensor *bz_var_at(bz_tensor *x, const int *axes, int n, bool keepdim, int correction,
                            const char *site);
/* Log of the sum of e^x. */
BZ_API bz_tensor *bz_logsumexp_at(bz_tensor *x, const int *axes, int n, bool keepdim,
                                  const char *site);
/* Sum of all up to and with each element, along an axis. Floats keep their dtype, integers and bool give i64. reverse: from the end;
 * exclusive: without the element itself. */
BZ_API bz_tensor *bz_cumsum_at(bz_tensor *x, int axis, bool reverse, bool exclusive,
                               const char *site);
/* Product of all up to and with each element, along an axis. As bz_cumsum. */
BZ_API bz_tensor *bz_cumprod_at(bz_tensor *x, int axis, bool reverse, bool exclusive,
                                const char *site);
/* Largest of all up to and with each element, along an axis. indices (may be NULL) takes its i64 place: of equal ones the last. From
 * a NaN on all are NaN. */
BZ_API bz_tensor *bz_cummax_at(bz_tensor *x, int axis, bool reverse, bz_tensor **indices,
                               const char *site);
/* Smallest of all up to and with each element, along an axis. As bz_cummax. */
BZ_API bz_tensor *bz_cummin_at(bz_tensor *x, int axis, bool reverse, bz_tensor **indices,
                               const char *site);
/* Log of the sum of e^x of all up to and with each element, along an axis. Integers and bool give f32. reverse, exclusive: as of
 * bz_cumsum. */
BZ_API bz_tensor *bz_logcumsumexp_at(bz_tensor *x, int axis, bool reverse, bool exclusive,
                                     const char *site);
/* Norm of order ord: inf, -inf, 0 (elements that are not 0) or any other number. */
BZ_API bz_tensor *bz_vector_norm_at(bz_tensor *x, double ord, const int *axes, int n, bool keepdim,
                                    const char *site);
#define bz_sum(...)                                     bz_sum_at(__VA_ARGS__, BZ_SITE)
#define bz_prod(...)                                    bz_prod_at(__VA_ARGS__, BZ_SITE)
#define bz_max(...)                                     bz_max_at(__VA_ARGS__, BZ_SITE)
#define bz_min(...)                                     bz_min_at(__VA_ARGS__, BZ_SITE)
#define bz_any(...)                                     bz_any_at(__VA_ARGS__, BZ_SITE)
#define bz_all(...)                                     bz_all_at(__VA_ARGS__, BZ_SITE)
#define bz_argmax(...)                                  bz_argmax_at(__VA_ARGS__, BZ_SITE)
#define bz_argmin(...)                                  bz_argmin_at(__VA_ARGS__, BZ_SITE)
#define bz_mean(...)                                    bz_mean_at(__VA_ARGS__, BZ_SITE)
#define bz_var(...)                                     bz_var_at(__VA_ARGS__, BZ_SITE)
#define bz_logsumexp(...)                               bz_logsumexp_at(__VA_ARGS__, BZ_SITE)
#define bz_cumsum_2_(x, axis)                           bz_cumsum_at((x), (axis), false, false, BZ_SITE)
#define bz_cumsum_3_(x, axis, reverse)                  bz_cumsum_at((x), (axis), (reverse), false, BZ_SITE)
#define bz_cumsum_4_(x, axis, reverse, exclusive)       bz_cumsum_at((x), (axis), (reverse), (exclusive), BZ_SITE)
#define bz_cumsum(...)                                  BZ_BY_COUNT_(bz_cumsum, __VA_ARGS__)
#define bz_cumprod_2_(x, axis)                          bz_cumprod_at((x), (axis), false, false, BZ_SITE)
#define bz_cumprod_3_(x, axis, reverse)                 bz_cumprod_at((x), (axis), (reverse), false, BZ_SITE)
#define bz_cumprod_4_(x, axis, reverse, exclusive)      bz_cumprod_at((x), (axis), (reverse), (exclusive), BZ_SITE)
#define bz_cumprod(...)                                 BZ_BY_COUNT_(bz_cumprod, __VA_ARGS__)
#define bz_cummax(...)                                  bz_cummax_at(__VA_ARGS__, BZ_SITE)
#define bz_cummin(...)                                  bz_cummin_at(__VA_ARGS__, BZ_SITE)
#define bz_logcumsumexp_2_(x, axis)                     bz_logcumsumexp_at((x), (axis), false, false, BZ_SITE)
#define bz_logcumsumexp_3_(x, axis, reverse)            bz_logcumsumexp_at((x), (axis), (reverse), false, BZ_SITE)
#define bz_logcumsumexp_4_(x, axis, reverse, exclusive) bz_logcumsumexp_at((x), (axis), (reverse), (exclusive), BZ_SITE)
#define bz_logcumsumexp(...)                            BZ_BY_COUNT_(bz_logcumsumexp, __VA_ARGS__)
#define bz_vector_norm(...)                             bz_vector_norm_at(__VA_ARGS__, BZ_SITE)

/* ---- statistics, orders, distances */
typedef enum bz_interpolation { BZ_INTERPOLATION_LINEAR, BZ_INTERPOLATION_LOWER, BZ_INTERPOLATION_HIGHER, BZ_INTERPOLATION_MIDPOINT, BZ_INTERPOLATION_NEAREST } bz_interpolation;

/* Standard deviation: square root of var. */
BZ_API bz_tensor *bz_std_at(bz_tensor *x, const int *axes, int n, bool keepdim, int correction,
                            const char *site);
/* Var and mean. */
BZ_API bz_tensor *bz_var_mean_at(bz_tensor *x, const int *axes, int n, bool keepdim, int correction,
                                 bz_tensor **mean, const char *site);
/* Std and mean. */
BZ_API bz_tensor *bz_std_mean_at(bz_tensor *x, const int *axes, int n, bool keepdim, int correction,
                                 bz_tensor **mean, const char *site);
/* Largest element, NaN if any is. */
BZ_API bz_tensor *bz_amax_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site);
/* Smallest element, NaN if any is. */
BZ_API bz_tensor *bz_amin_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site);
/* Smallest and largest element. */
BZ_API bz_tensor *bz_aminmax_at(bz_tensor *x, const int *axes, int n, bool keepdim, bz_tensor **max,
                                const char *site);
/* Number of elements that are not 0. */
BZ_API bz_tensor *bz_count_nonzero_at(bz_tensor *x, const int *axes, int n, bool keepdim,
                                      const char *site);
/* Sum of what is no NaN. */
BZ_API bz_tensor *bz_nansum_at(bz_tensor *x, const int *axes, int n, bool keepdim,
                               const char *site);
/* Mean of what is no NaN; NaN where nothing is. */
BZ_API bz_tensor *bz_nanmean_at(bz_tensor *x, const int *axes, int n, bool keepdim,
                                const char *site);
/* Variance of what is no NaN; NaN where no more than `correction` elements are. NumPy's, and its default. */
BZ_API bz_tensor *bz_nanvar_at(bz_tensor *x, const int *axes, int n, bool keepdim, int correction,
                               const char *site);
/* Square root of nanvar. */
BZ_API bz_tensor *bz_nanstd_at(bz_tensor *x, const int *axes, int n, bool keepdim, int correction,
                               const char *site);
/* Largest of what is no NaN. */
BZ_API bz_tensor *bz_nanmax_at(bz_tensor *x, const int *axes, int n, bool keepdim,
                               const char *site);
/* Smallest of what is no NaN. */
BZ_API bz_tensor *bz_nanmin_at(bz_tensor *x, const int *axes, int n, bool keepdim,
                               const char *site);
/* The middle element in order, the lower one of two; NaN if any is. One axis, or n = 0: all elements. indices (may be NULL) takes
 * its i64 place. */
BZ_API bz_tensor *bz_median_at(bz_tensor *x, const int *axes, int n, bool keepdim,
                               bz_tensor **indices, const char *site);
/* Median of what is no NaN. As bz_median. */
BZ_API bz_tensor *bz_nanmedian_at(bz_tensor *x, const int *axes, int n, bool keepdim,
                                  bz_tensor **indices, const char *site);
/* The most frequent element, the smallest of several. One axis, or n = 0: all elements. indices (may be NULL) takes the i64 place of
 * its first. */
BZ_API bz_tensor *bz_mode_at(bz_tensor *x, const int *axes, int n, bool keepdim,
                             bz_tensor **indices, const char *site);
/* What a share q of the elements does not exceed; NaN if any is. q: 0-d, or [k], which is the first axis of the result; in 0 .. 1,
 * else NaN. One axis, or n = 0: all elements. */
BZ_API bz_tensor *bz_quantile_at(bz_tensor *x, bz_tensor *q, const int *axes, int n, bool keepdim,
                                 bz_interpolation interpolation, const char *site);
/* Quantile of what is no NaN. As bz_quantile. */
BZ_API bz_tensor *bz_nanquantile_at(bz_tensor *x, bz_tensor *q, const int *axes, int n,
                                    bool keepdim, bz_interpolation interpolation, const char *site);
/* Of each number 0 .. minlength - 1 how many elements it is, or the sum of their weights. BZ_EINDEX for an element that is none of
 * these numbers: a shape does not hang on values. */
BZ_API bz_tensor *bz_bincount_at(bz_tensor *x, bz_tensor *weights, int64_t minlength,
                                 const char *site);
/* How many elements fall into each of equal parts of min .. max; of x's own range where these are equal. */
BZ_API bz_tensor *bz_histc_at(bz_tensor *x, int64_t bins, double min, double max, const char *site);
/* Differences of neighbours along an axis, n times. */
BZ_API bz_tensor *bz_diff_at(bz_tensor *x, int64_t n, int axis, const char *site);
/* Area under y along an axis by trapezoids, at places x or dx apart. x: NULL, or of y's shape, or the places of the axis alone. */
BZ_API bz_tensor *bz_trapezoid_at(bz_tensor *y, bz_tensor *x, double dx, int axis,
                                  const char *site);
/* Area under y up to each place of an axis but the first, by trapezoids. x: as bz_trapezoid's. */
BZ_API bz_tensor *bz_cumulative_trapezoid_at(bz_tensor *y, bz_tensor *x, double dx, int axis,
                                             const char *site);
/* Norms of order p of the differences of all rows: [.., p, m] [.., r, m] -> [.., p, r] */
BZ_API bz_tensor *bz_cdist_at(bz_tensor *x, bz_tensor *y, double p, const char *site);
/* Covariances of the rows of x [variables, observations] A vector is one variable. fweights: how often each observation counts,
 * aweights: its weight, both [observations] or NULL. */
BZ_API bz_tensor *bz_cov_at(bz_tensor *x, bz_tensor *fweights, bz_tensor *aweights, int correction,
                            const char *site);
/* Correlations of the rows of x. */
BZ_API bz_tensor *bz_corrcoef_at(bz_tensor *x, const char *site);
#define bz_std(...)                                  bz_std_at(__VA_ARGS__, BZ_SITE)
#define bz_var_mean(...)                             bz_var_mean_at(__VA_ARGS__, BZ_SITE)
#define bz_std_mean(...)                             bz_std_mean_at(__VA_ARGS__, BZ_SITE)
#define bz_amax(...)                                 bz_amax_at(__VA_ARGS__, BZ_SITE)
#define bz_amin(...)                                 bz_amin_at(__VA_ARGS__, BZ_SITE)
#define bz_aminmax(...)                              bz_aminmax_at(__VA_ARGS__, BZ_SITE)
#define bz_count_nonzero(...)                        bz_count_nonzero_at(__VA_ARGS__, BZ_SITE)
#define bz_nansum(...)                               bz_nansum_at(__VA_ARGS__, BZ_SITE)
#define bz_nanmean(...)                              bz_nanmean_at(__VA_ARGS__, BZ_SITE)
#define bz_nanvar(...)                               bz_nanvar_at(__VA_ARGS__, BZ_SITE)
#define bz_nanstd(...)                               bz_nanstd_at(__VA_ARGS__, BZ_SITE)
#define bz_nanmax(...)                               bz_nanmax_at(__VA_ARGS__, BZ_SITE)
#define bz_nanmin(...)                               bz_nanmin_at(__VA_ARGS__, BZ_SITE)
#define bz_median(...)                               bz_median_at(__VA_ARGS__, BZ_SITE)
#define bz_nanmedian(...)                            bz_nanmedian_at(__VA_ARGS__, BZ_SITE)
#define bz_mode(...)                                 bz_mode_at(__VA_ARGS__, BZ_SITE)
#define bz_quantile(...)                             bz_quantile_at(__VA_ARGS__, BZ_SITE)
#define bz_nanquantile(...)                          bz_nanquantile_at(__VA_ARGS__, BZ_SITE)
#define bz_bincount(...)                             bz_bincount_at(__VA_ARGS__, BZ_SITE)
#define bz_histc_1_(x)                               bz_histc_at((x), 100, 0, 0, BZ_SITE)
#define bz_histc_2_(x, bins)                         bz_histc_at((x), (bins), 0, 0, BZ_SITE)
#define bz_histc_3_(x, bins, min)                    bz_histc_at((x), (bins), (min), 0, BZ_SITE)
#define bz_histc_4_(x, bins, min, max)               bz_histc_at((x), (bins), (min), (max), BZ_SITE)
#define bz_histc(...)                                BZ_BY_COUNT_(bz_histc, __VA_ARGS__)
#define bz_diff_1_(x)                                bz_diff_at((x), 1, -1, BZ_SITE)
#define bz_diff_2_(x, n)                             bz_diff_at((x), (n), -1, BZ_SITE)
#define bz_diff_3_(x, n, axis)                       bz_diff_at((x), (n), (axis), BZ_SITE)
#define bz_diff(...)                                 BZ_BY_COUNT_(bz_diff, __VA_ARGS__)
#define bz_trapezoid_1_(y)                           bz_trapezoid_at((y), NULL, 1, -1, BZ_SITE)
#define bz_trapezoid_2_(y, x)                        bz_trapezoid_at((y), (x), 1, -1, BZ_SITE)
#define bz_trapezoid_3_(y, x, dx)                    bz_trapezoid_at((y), (x), (dx), -1, BZ_SITE)
#define bz_trapezoid_4_(y, x, dx, axis)              bz_trapezoid_at((y), (x), (dx), (axis), BZ_SITE)
#define bz_trapezoid(...)                            BZ_BY_COUNT_(bz_trapezoid, __VA_ARGS__)
#define bz_cumulative_trapezoid_1_(y)                bz_cumulative_trapezoid_at((y), NULL, 1, -1, BZ_SITE)
#define bz_cumulative_trapezoid_2_(y, x)             bz_cumulative_trapezoid_at((y), (x), 1, -1, BZ_SITE)
#define bz_cumulative_trapezoid_3_(y, x, dx)         bz_cumulative_trapezoid_at((y), (x), (dx), -1, BZ_SITE)
#define bz_cumulative_trapezoid_4_(y, x, dx, axis)   bz_cumulative_trapezoid_at((y), (x), (dx), (axis), BZ_SITE)
#define bz_cumulative_trapezoid(...)                 BZ_BY_COUNT_(bz_cumulative_trapezoid, __VA_ARGS__)
#define bz_cdist_2_(x, y)                            bz_cdist_at((x), (y), 2, BZ_SITE)
#define bz_cdist_3_(x, y, p)                         bz_cdist_at((x), (y), (p), BZ_SITE)
#define bz_cdist(...)                                BZ_BY_COUNT_(bz_cdist, __VA_ARGS__)
#define bz_cov_1_(x)                                 bz_cov_at((x), NULL, NULL, 1, BZ_SITE)
#define bz_cov_2_(x, fweights)                       bz_cov_at((x), (fweights), NULL, 1, BZ_SITE)
#define bz_cov_3_(x, fweights, aweights)             bz_cov_at((x), (fweights), (aweights), 1, BZ_SITE)
#define bz_cov_4_(x, fweights, aweights, correction) bz_cov_at((x), (fweights), (aweights), (correction), BZ_SITE)
#define bz_cov(...)                                  BZ_BY_COUNT_(bz_cov, __VA_ARGS__)
#define bz_corrcoef(...)                             bz_corrcoef_at(__VA_ARGS__, BZ_SITE)

/* ---- products */

/* NumPy's: [.., n, k] [.., k, m] -> [.., n, m]; 1-d operands are a row on the left, a column on the right; the rest broadcasts. */
BZ_API bz_tensor *bz_matmul_at(bz_tensor *x, bz_tensor *y, const char *site);
/* x [.., in] times weight [out, in] transposed, plus bias [out] (NULL: none) -> [.., out] */
BZ_API bz_tensor *bz_linear_at(bz_tensor *x, bz_tensor *weight, bz_tensor *bias, const char *site);
#define bz_matmul(...)                bz_matmul_at(__VA_ARGS__, BZ_SITE)
#define bz_linear_2_(x, weight)       bz_linear_at((x), (weight), NULL, BZ_SITE)
#define bz_linear_3_(x, weight, bias) bz_linear_at((x), (weight), (bias), BZ_SITE)
#define bz_linear(...)                BZ_BY_COUNT_(bz_linear, __VA_ARGS__)

/* ---- products by their names: of two of these the inner sizes are one */

/* Sum of products of two vectors. */
BZ_API bz_tensor *bz_vdot_at(bz_tensor *x, bz_tensor *y, const char *site);
/* Sum of products over the last axes. */
BZ_API bz_tensor *bz_inner_at(bz_tensor *x, bz_tensor *y, const char *site);
/* [n] [m] -> [n, m], products of all pairs. */
BZ_API bz_tensor *bz_outer_at(bz_tensor *x, bz_tensor *y, const char *site);
/* [n, k] [k] -> [n] */
BZ_API bz_tensor *bz_mv_at(bz_tensor *x, bz_tensor *y, const char *site);
/* [n, k] [k, m] -> [n, m] */
BZ_API bz_tensor *bz_mm_at(bz_tensor *x, bz_tensor *y, const char *site);
/* [b, n, k] [b, k, m] -> [b, n, m] */
BZ_API bz_tensor *bz_bmm_at(bz_tensor *x, bz_tensor *y, const char *site);
/* beta input + alpha x y, matrices. input broadcasts; where beta is 0 it counts nothing. */
BZ_API bz_tensor *bz_addmm_at(bz_tensor *input, bz_tensor *x, bz_tensor *y, double beta,
                              double alpha, const char *site);
/* beta input + alpha x y, a matrix times a vector. As bz_addmm. */
BZ_API bz_tensor *bz_addmv_at(bz_tensor *input, bz_tensor *x, bz_tensor *y, double beta,
                              double alpha, const char *site);
/* beta input + alpha x y^T, vectors. As bz_addmm. */
BZ_API bz_tensor *bz_addr_at(bz_tensor *input, bz_tensor *x, bz_tensor *y, double beta,
                             double alpha, const char *site);
/* beta input + alpha x y, batches of matrices. As bz_addmm. */
BZ_API bz_tensor *bz_baddbmm_at(bz_tensor *input, bz_tensor *x, bz_tensor *y, double beta,
                                double alpha, const char *site);
/* beta input + alpha times the sum of all products of two batches of matrices. As bz_addmm. */
BZ_API bz_tensor *bz_addbmm_at(bz_tensor *input, bz_tensor *x, bz_tensor *y, double beta,
                               double alpha, const char *site);
/* Sum of products over n axes of each, xaxes[i] with yaxes[i]: the rest of x, then the rest of y. */
BZ_API bz_tensor *bz_tensordot_at(bz_tensor *x, bz_tensor *y, const int *xaxes, const int *yaxes,
                                  int n, const char *site);
/* Kronecker's product. */
BZ_API bz_tensor *bz_kron_at(bz_tensor *x, bz_tensor *y, const char *site);
/* Vector product along an axis of three elements. */
BZ_API bz_tensor *bz_cross_at(bz_tensor *x, bz_tensor *y, int axis, const char *site);
/* Einstein's sum: "bij,bjk->bik". As numpy.einsum: letters name axes, `...` any number of them in front; a letter that the result
 * has not is summed over, one that an operand has twice is its diagonal; without `->` the result has those that stand once, in
 * order. The cheapest product of two is made first. */
BZ_API bz_tensor *bz_einsum_at(bz_tensor *const *x, int n, const char *equation, const char *site);
/* Sum of a matrix's diagonal. */
BZ_API bz_tensor *bz_trace_at(bz_tensor *x, const char *site);
/* Product of n times x, or -n times its inverse. */
BZ_API bz_tensor *bz_matrix_power_at(bz_tensor *x, int64_t n, const char *site);
#define bz_vdot(...)                            bz_vdot_at(__VA_ARGS__, BZ_SITE)
#define bz_inner(...)                           bz_inner_at(__VA_ARGS__, BZ_SITE)
#define bz_outer(...)                           bz_outer_at(__VA_ARGS__, BZ_SITE)
#define bz_mv(...)                              bz_mv_at(__VA_ARGS__, BZ_SITE)
#define bz_mm(...)                              bz_mm_at(__VA_ARGS__, BZ_SITE)
#define bz_bmm(...)                             bz_bmm_at(__VA_ARGS__, BZ_SITE)
#define bz_addmm_3_(input, x, y)                bz_addmm_at((input), (x), (y), 1, 1, BZ_SITE)
#define bz_addmm_4_(input, x, y, beta)          bz_addmm_at((input), (x), (y), (beta), 1, BZ_SITE)
#define bz_addmm_5_(input, x, y, beta, alpha)   bz_addmm_at((input), (x), (y), (beta), (alpha), BZ_SITE)
#define bz_addmm(...)                           BZ_BY_COUNT_(bz_addmm, __VA_ARGS__)
#define bz_addmv_3_(input, x, y)                bz_addmv_at((input), (x), (y), 1, 1, BZ_SITE)
#define bz_addmv_4_(input, x, y, beta)          bz_addmv_at((input), (x), (y), (beta), 1, BZ_SITE)
#define bz_addmv_5_(input, x, y, beta, alpha)   bz_addmv_at((input), (x), (y), (beta), (alpha), BZ_SITE)
#define bz_addmv(...)                           BZ_BY_COUNT_(bz_addmv, __VA_ARGS__)
#define bz_addr_3_(input, x, y)                 bz_addr_at((input), (x), (y), 1, 1, BZ_SITE)
#define bz_addr_4_(input, x, y, beta)           bz_addr_at((input), (x), (y), (beta), 1, BZ_SITE)
#define bz_addr_5_(input, x, y, beta, alpha)    bz_addr_at((input), (x), (y), (beta), (alpha), BZ_SITE)
#define bz_addr(...)                            BZ_BY_COUNT_(bz_addr, __VA_ARGS__)
#define bz_baddbmm_3_(input, x, y)              bz_baddbmm_at((input), (x), (y), 1, 1, BZ_SITE)
#define bz_baddbmm_4_(input, x, y, beta)        bz_baddbmm_at((input), (x), (y), (beta), 1, BZ_SITE)
#define bz_baddbmm_5_(input, x, y, beta, alpha) bz_baddbmm_at((input), (x), (y), (beta), (alpha), BZ_SITE)
#define bz_baddbmm(...)                         BZ_BY_COUNT_(bz_baddbmm, __VA_ARGS__)
#define bz_addbmm_3_(input, x, y)               bz_addbmm_at((input), (x), (y), 1, 1, BZ_SITE)
#define bz_addbmm_4_(input, x, y, beta)         bz_addbmm_at((input), (x), (y), (beta), 1, BZ_SITE)
#define bz_addbmm_5_(input, x, y, beta, alpha)  bz_addbmm_at((input), (x), (y), (beta), (alpha), BZ_SITE)
#define bz_addbmm(...)                          BZ_BY_COUNT_(bz_addbmm, __VA_ARGS__)
#define bz_tensordot(...)                       bz_tensordot_at(__VA_ARGS__, BZ_SITE)
#define bz_kron(...)                            bz_kron_at(__VA_ARGS__, BZ_SITE)
#define bz_cross_2_(x, y)                       bz_cross_at((x), (y), -1, BZ_SITE)
#define bz_cross_3_(x, y, axis)                 bz_cross_at((x), (y), (axis), BZ_SITE)
#define bz_cross(...)                           BZ_BY_COUNT_(bz_cross, __VA_ARGS__)
#define bz_einsum(...)                          bz_einsum_at(__VA_ARGS__, BZ_SITE)
#define bz_trace(...)                           bz_trace_at(__VA_ARGS__, BZ_SITE)
#define bz_matrix_power(...)                    bz_matrix_power_at(__VA_ARGS__, BZ_SITE)

/* ---- linear algebra by LAPACK, of f32 or f64 [..., n, m], which is found at run time ($BRAZE_LAPACK, docs/custom.md): BZ_EUNSUPPORTED with
 * what was looked for where it is not there. In exports: none */
/* L of symmetric positive definite matrices L L^T, of whose lower triangle; upper: L^T. Not positive definite: BZ_EARG at the
 * evaluation. */
BZ_API bz_tensor *bz_cholesky_at(bz_tensor *x, bool upper, const char *site);
/* X of x X = y: x [..., n, n], y [..., n, k], whose batch broadcasts to that of x, or a vector a matrix. A singular matrix: BZ_EARG
 * at the evaluation. */
BZ_API bz_tensor *bz_solve_at(bz_tensor *x, bz_tensor *y, const char *site);
/* Solve, of the lower triangles of x (upper: the upper ones) alone. */
BZ_API bz_tensor *bz_solve_triangular_at(bz_tensor *x, bz_tensor *y, bool upper, const char *site);
/* Inverses of matrices. A singular matrix: BZ_EARG at the evaluation. */
BZ_API bz_tensor *bz_inv_at(bz_tensor *x, const char *site);
/* Determinants of matrices. */
BZ_API bz_tensor *bz_det_at(bz_tensor *x, const char *site);
/* Sign of the determinants of matrices, and log of what they are without it. log_abs (may be NULL) takes that. */
BZ_API bz_tensor *bz_slogdet_at(bz_tensor *x, bz_tensor **log_abs, const char *site);
/* Eigenvalues of symmetric matrices, ascending, of whose lower triangle; vectors: the columns of [..., n, n] vectors may be NULL. */
BZ_API bz_tensor *bz_eigh_at(bz_tensor *x, bz_tensor **vectors, const char *site);
/* x = u diag(s) vh, s falling: [..., m, k], [..., k], [..., k, n], k = min(m, n). s, vh may be NULL. */
BZ_API bz_tensor *bz_svd_at(bz_tensor *x, bz_tensor **s, bz_tensor **vh, const char *site);
/* x = q triangle, of orthonormal columns and an upper triangle: [..., m, k], [..., k, n], k = min(m, n). triangle may be NULL. A
 * gradient for m >= n. */
BZ_API bz_tensor *bz_qr_at(bz_tensor *x, bz_tensor **triangle, const char *site);
/* Singular values of matrices, falling. */
BZ_API bz_tensor *bz_svdvals_at(bz_tensor *x, const char *site);
/* Eigenvalues of symmetric matrices, ascending, of whose lower triangle. */
BZ_API bz_tensor *bz_eigvalsh_at(bz_tensor *x, const char *site);
/* How many singular values are above atol and rtol times the largest one (i64). rtol below 0: 0 beside an atol, else the longer side
 * times the dtype's epsilon. */
BZ_API bz_tensor *bz_matrix_rank_at(bz_tensor *x, double atol, double rtol, const char *site);
/* Pseudo-inverses of matrices, of the singular values that matrix_rank counts. Its gradient takes the rank for constant. */
BZ_API bz_tensor *bz_pinv_at(bz_tensor *x, double atol, double rtol, const char *site);
/* Least squares: of the X with the smallest sum of (x X - y)^2 the one of smallest norm, pinv(x) y. y: [.., m, k]. residuals: these
 * sums, [.., k]; of them, rank and singular_values NULL is what is not wanted. rcond: pinv's rtol. */
BZ_API bz_tensor *bz_lstsq_at(bz_tensor *x, bz_tensor *y, double rcond, bz_tensor **residuals,
                              bz_tensor **rank, bz_tensor **singular_values, const char *site);
/* Norms of matrices: fro, nuc, 1, 2, inf, -1, -2, -inf. 1, inf: the largest sum of a column, a row; 2: the largest singular value,
 * nuc: their sum; with -: the smallest. */
BZ_API bz_tensor *bz_matrix_norm_at(bz_tensor *x, const char *ord, bool keepdim, const char *site);
/* Condition of matrices: norm p times that of the inverse. p as matrix_norm's; 2 and -2 are for any matrices. */
BZ_API bz_tensor *bz_matrix_cond_at(bz_tensor *x, const char *p, const char *site);
/* Exponentials of square matrices. */
BZ_API bz_tensor *bz_matrix_exp_at(bz_tensor *x, const char *site);
#define bz_cholesky_1_(x)                   bz_cholesky_at((x), false, BZ_SITE)
#define bz_cholesky_2_(x, upper)            bz_cholesky_at((x), (upper), BZ_SITE)
#define bz_cholesky(...)                    BZ_BY_COUNT_(bz_cholesky, __VA_ARGS__)
#define bz_solve(...)                       bz_solve_at(__VA_ARGS__, BZ_SITE)
#define bz_solve_triangular_2_(x, y)        bz_solve_triangular_at((x), (y), false, BZ_SITE)
#define bz_solve_triangular_3_(x, y, upper) bz_solve_triangular_at((x), (y), (upper), BZ_SITE)
#define bz_solve_triangular(...)            BZ_BY_COUNT_(bz_solve_triangular, __VA_ARGS__)
#define bz_inv(...)                         bz_inv_at(__VA_ARGS__, BZ_SITE)
#define bz_det(...)                         bz_det_at(__VA_ARGS__, BZ_SITE)
#define bz_slogdet(...)                     bz_slogdet_at(__VA_ARGS__, BZ_SITE)
#define bz_eigh(...)                        bz_eigh_at(__VA_ARGS__, BZ_SITE)
#define bz_svd(...)                         bz_svd_at(__VA_ARGS__, BZ_SITE)
#define bz_qr(...)                          bz_qr_at(__VA_ARGS__, BZ_SITE)
#define bz_svdvals(...)                     bz_svdvals_at(__VA_ARGS__, BZ_SITE)
#define bz_eigvalsh(...)                    bz_eigvalsh_at(__VA_ARGS__, BZ_SITE)
#define bz_matrix_rank_1_(x)                bz_matrix_rank_at((x), 0, -1, BZ_SITE)
#define bz_matrix_rank_2_(x, atol)          bz_matrix_rank_at((x), (atol), -1, BZ_SITE)
#define bz_matrix_rank_3_(x, atol, rtol)    bz_matrix_rank_at((x), (atol), (rtol), BZ_SITE)
#define bz_matrix_rank(...)                 BZ_BY_COUNT_(bz_matrix_rank, __VA_ARGS__)
#define bz_pinv_1_(x)                       bz_pinv_at((x), 0, -1, BZ_SITE)
#define bz_pinv_2_(x, atol)                 bz_pinv_at((x), (atol), -1, BZ_SITE)
#define bz_pinv_3_(x, atol, rtol)           bz_pinv_at((x), (atol), (rtol), BZ_SITE)
#define bz_pinv(...)                        BZ_BY_COUNT_(bz_pinv, __VA_ARGS__)
#define bz_lstsq(...)                       bz_lstsq_at(__VA_ARGS__, BZ_SITE)
#define bz_matrix_norm_2_(x, ord)           bz_matrix_norm_at((x), (ord), false, BZ_SITE)
#define bz_matrix_norm_3_(x, ord, keepdim)  bz_matrix_norm_at((x), (ord), (keepdim), BZ_SITE)
#define bz_matrix_norm(...)                 BZ_BY_COUNT_(bz_matrix_norm, __VA_ARGS__)
#define bz_matrix_cond(...)                 bz_matrix_cond_at(__VA_ARGS__, BZ_SITE)
#define bz_matrix_exp(...)                  bz_matrix_exp_at(__VA_ARGS__, BZ_SITE)

/* ---- windows, and images of other sizes */
typedef enum bz_resize { BZ_RESIZE_NEAREST, BZ_RESIZE_NEAREST_EXACT, BZ_RESIZE_LINEAR, BZ_RESIZE_BILINEAR, BZ_RESIZE_TRILINEAR, BZ_RESIZE_BICUBIC, BZ_RESIZE_AREA } bz_resize;
typedef enum bz_sample { BZ_SAMPLE_BILINEAR, BZ_SAMPLE_NEAREST, BZ_SAMPLE_BICUBIC } bz_sample;
typedef enum bz_border { BZ_BORDER_ZEROS, BZ_BORDER_BORDER, BZ_BORDER_REFLECTION } bz_border;

/* Convolution of x [N, C, L], or one sample [C, L], with weight [O, C / groups, K], plus bias [O] (NULL: none) -> [N, O, ...].
 * stride, padding (zeros at either end), dilation: a number for each axis, or n = 1 for all, or NULL: 1, 0, 1. same: padding so that
 * there are as many windows as elements (stride 1). */
BZ_API bz_tensor *bz_conv1d_at(bz_tensor *x, bz_tensor *weight, bz_tensor *bias, const int *stride,
                               const int *padding, const int *dilation, int n, int groups,
                               bool same, const char *site);
/* Convolution of x [N, C, H, W], or one sample [C, H, W], with weight [O, C / groups, KH, KW], plus bias [O] (NULL: none) -> [N, O,
 * ...]. stride, padding (zeros at either end), dilation: a number for each axis, or n = 1 for all, or NULL: 1, 0, 1. same: padding
 * so that there are as many windows as elements (stride 1). */
BZ_API bz_tensor *bz_conv2d_at(bz_tensor *x, bz_tensor *weight, bz_tensor *bias, const int *stride,
                               const int *padding, const int *dilation, int n, int groups,
                               bool same, const char *site);
/* Convolution of x [N, C, D, H, W], or one sample [C, D, H, W], with weight [O, C / groups, KD, KH, KW], plus bias [O] (NULL: none)
 * -> [N, O, ...]. stride, padding (zeros at either end), dilation: a number for each axis, or n = 1 for all, or NULL: 1, 0, 1. same:
 * padding so that there are as many windows as elements (stride 1). */
BZ_API bz_tensor *bz_conv3d_at(bz_tensor *x, bz_tensor *weight, bz_tensor *bias, const int *stride,
                               const int *padding, const int *dilation, int n, int groups,
                               bool same, const char *site);
/* Transposed convolution, the gradient of conv1d by its x: x [N, C, L], or [C, L], weight [C, O / groups, K], bias [O] (NULL: none).
 * Lists as for conv1d. An axis of S gives (S - 1) stride - 2 padding + dilation (K - 1) + output_padding + 1. */
BZ_API bz_tensor *bz_conv_transpose1d_at(bz_tensor *x, bz_tensor *weight, bz_tensor *bias,
                                         const int *stride, const int *padding,
                                         const int *output_padding, const int *dilation, int n,
                                         int groups, const char *site);
/* Transposed convolution, the gradient of conv2d by its x: x [N, C, H, W], or [C, H, W], weight [C, O / groups, KH, KW], bias [O]
 * (NULL: none). Lists as for conv2d. An axis of S gives (S - 1) stride - 2 padding + dilation (K - 1) + output_padding + 1. */
BZ_API bz_tensor *bz_conv_transpose2d_at(bz_tensor *x, bz_tensor *weight, bz_tensor *bias,
                                         const int *stride, const int *padding,
                                         const int *output_padding, const int *dilation, int n,
                                         int groups, const char *site);
/* Transposed convolution, the gradient of conv3d by its x: x [N, C, D, H, W], or [C, D, H, W], weight [C, O / groups, KD, KH, KW],
 * bias [O] (NULL: none). Lists as for conv3d. An axis of S gives (S - 1) stride - 2 padding + dilation (K - 1) + output_padding + 1. */
BZ_API bz_tensor *bz_conv_transpose3d_at(bz_tensor *x, bz_tensor *weight, bz_tensor *bias,
                                         const int *stride, const int *padding,
                                         const int *output_padding, const int *dilation, int n,
                                         int groups, const char *site);
/* The largest element of each window on x [N, C, L], or one sample [C, L], NaN if any is; *indices (NULL: not wanted): its place in
 * the plane, i64. Lists have a number for each axis, or one for all; stride NULL: kernel_size; padding: NULL: 0, at most half a
 * window, never the largest; dilation NULL: 1. ceil_mode: a last window may reach beyond the padding. The gradient goes to that
 * element. */
BZ_API bz_tensor *bz_max_pool1d_at(bz_tensor *x, const int *kernel_size, const int *stride,
                                   const int *padding, const int *dilation, int n, bool ceil_mode,
                                   bz_tensor **indices, const char *site);
/* The largest element of each window on x [N, C, H, W], or one sample [C, H, W], NaN if any is; *indices (NULL: not wanted): its
 * place in the plane, i64. Lists have a number for each axis, or one for all; stride NULL: kernel_size; padding: NULL: 0, at most
 * half a window, never the largest; dilation NULL: 1. ceil_mode: a last window may reach beyond the padding. The gradient goes to
 * that element. */
BZ_API bz_tensor *bz_max_pool2d_at(bz_tensor *x, const int *kernel_size, const int *stride,
                                   const int *padding, const int *dilation, int n, bool ceil_mode,
                                   bz_tensor **indices, const char *site);
/* The largest element of each window on x [N, C, D, H, W], or one sample [C, D, H, W], NaN if any is; *indices (NULL: not wanted):
 * its place in the plane, i64. Lists have a number for each axis, or one for all; stride NULL: kernel_size; padding: NULL: 0, at
 * most half a window, never the largest; dilation NULL: 1. ceil_mode: a last window may reach beyond the padding. The gradient goes
 * to that element. */
BZ_API bz_tensor *bz_max_pool3d_at(bz_tensor *x, const int *kernel_size, const int *stride,
                                   const int *padding, const int *dilation, int n, bool ceil_mode,
                                   bz_tensor **indices, const char *site);
/* The way back of max_pool1d: each value of x [N, C, L], or one sample [C, L], at the place in its plane that indices, of x's shape,
 * say, zeros elsewhere; of several at one place the last stays. Lists as for max_pool1d; output_size: the plane's, less than a step
 * from the smallest that has so many windows; NULL: that one. An index outside: BZ_EINDEX, when it runs. */
BZ_API bz_tensor *bz_max_unpool1d_at(bz_tensor *x, bz_tensor *indices, const int *kernel_size,
                                     const int *stride, const int *padding, const int *output_size,
                                     int n, const char *site);
/* The way back of max_pool2d: each value of x [N, C, H, W], or one sample [C, H, W], at the place in its plane that indices, of x's
 * shape, say, zeros elsewhere; of several at one place the last stays. Lists as for max_pool2d; output_size: the plane's, less than
 * a step from the smallest that has so many windows; NULL: that one. An index outside: BZ_EINDEX, when it runs. */
BZ_API bz_tensor *bz_max_unpool2d_at(bz_tensor *x, bz_tensor *indices, const int *kernel_size,
                                     const int *stride, const int *padding, const int *output_size,
                                     int n, const char *site);
/* The way back of max_pool3d: each value of x [N, C, D, H, W], or one sample [C, D, H, W], at the place in its plane that indices,
 * of x's shape, say, zeros elsewhere; of several at one place the last stays. Lists as for max_pool3d; output_size: the plane's,
 * less than a step from the smallest that has so many windows; NULL: that one. An index outside: BZ_EINDEX, when it runs. */
BZ_API bz_tensor *bz_max_unpool3d_at(bz_tensor *x, bz_tensor *indices, const int *kernel_size,
                                     const int *stride, const int *padding, const int *output_size,
                                     int n, const char *site);
/* The mean of each window on x [N, C, L], or one sample [C, L]. Lists as for max_pool1d. count_include_pad: zeros of the padding are
 * elements, too. */
BZ_API bz_tensor *bz_avg_pool1d_at(bz_tensor *x, const int *kernel_size, const int *stride,
                                   const int *padding, int n, bool ceil_mode,
                                   bool count_include_pad, const char *site);
/* The mean of each window on x [N, C, H, W], or one sample [C, H, W]. Lists as for max_pool2d. count_include_pad: zeros of the
 * padding are elements, too. divisor_override: what sums are divided by, 0: by the elements of a window. */
BZ_API bz_tensor *bz_avg_pool2d_at(bz_tensor *x, const int *kernel_size, const int *stride,
                                   const int *padding, int n, bool ceil_mode,
                                   bool count_include_pad, int64_t divisor_override,
                                   const char *site);
/* The mean of each window on x [N, C, D, H, W], or one sample [C, D, H, W]. Lists as for max_pool3d. count_include_pad: zeros of the
 * padding are elements, too. divisor_override: what sums are divided by, 0: by the elements of a window. */
BZ_API bz_tensor *bz_avg_pool3d_at(bz_tensor *x, const int *kernel_size, const int *stride,
                                   const int *padding, int n, bool ceil_mode,
                                   bool count_include_pad, int64_t divisor_override,
                                   const char *site);
/* (sum of x^norm_type)^(1 / norm_type) of each window on x [N, C, L] */
BZ_API bz_tensor *bz_lp_pool1d_at(bz_tensor *x, double norm_type, const int *kernel_size,
                                  const int *stride, int n, bool ceil_mode, const char *site);
/* (sum of x^norm_type)^(1 / norm_type) of each window on x [N, C, H, W] */
BZ_API bz_tensor *bz_lp_pool2d_at(bz_tensor *x, double norm_type, const int *kernel_size,
                                  const int *stride, int n, bool ceil_mode, const char *site);
/* (sum of x^norm_type)^(1 / norm_type) of each window on x [N, C, D, H, W] */
BZ_API bz_tensor *bz_lp_pool3d_at(bz_tensor *x, double norm_type, const int *kernel_size,
                                  const int *stride, int n, bool ceil_mode, const char *site);
/* As max_pool1d, by output_size windows an axis: window i of M is elements floor(i S / M) .. ceil((i + 1) S / M) - 1. */
BZ_API bz_tensor *bz_adaptive_max_pool1d_at(bz_tensor *x, const int *output_size, int n,
                                            bz_tensor **indices, const char *site);
/* As avg_pool1d, by output_size windows an axis: window i of M is elements floor(i S / M) .. ceil((i + 1) S / M) - 1. */
BZ_API bz_tensor *bz_adaptive_avg_pool1d_at(bz_tensor *x, const int *output_size, int n,
                                            const char *site);
/* As max_pool2d, by output_size windows an axis: window i of M is elements floor(i S / M) .. ceil((i + 1) S / M) - 1. */
BZ_API bz_tensor *bz_adaptive_max_pool2d_at(bz_tensor *x, const int *output_size, int n,
                                            bz_tensor **indices, const char *site);
/* As avg_pool2d, by output_size windows an axis: window i of M is elements floor(i S / M) .. ceil((i + 1) S / M) - 1. */
BZ_API bz_tensor *bz_adaptive_avg_pool2d_at(bz_tensor *x, const int *output_size, int n,
                                            const char *site);
/* As max_pool3d, by output_size windows an axis: window i of M is elements floor(i S / M) .. ceil((i + 1) S / M) - 1. */
BZ_API bz_tensor *bz_adaptive_max_pool3d_at(bz_tensor *x, const int *output_size, int n,
                                            bz_tensor **indices, const char *site);
/* As avg_pool3d, by output_size windows an axis: window i of M is elements floor(i S / M) .. ceil((i + 1) S / M) - 1. */
BZ_API bz_tensor *bz_adaptive_avg_pool3d_at(bz_tensor *x, const int *output_size, int n,
                                            const char *site);
/* Windows on x [N, C, H, W] as columns: [N, C KH KW, windows] x may be one sample [C, H, W]. */
BZ_API bz_tensor *bz_unfold_at(bz_tensor *x, const int *kernel_size, const int *dilation,
                               const int *padding, const int *stride, int n, const char *site);
/* Columns of windows added up where these lie on an image [N, C, H, W] of output_size: the transpose of unfold. */
BZ_API bz_tensor *bz_fold_at(bz_tensor *x, const int *output_size, const int *kernel_size,
                             const int *dilation, const int *padding, const int *stride, int n,
                             const char *site);
/* x [N, C, S...], 1 to 3 axes S, at the sizes given (a number for each axis, or n = 1 for all; NULL: scale_factor times as large,
 * rounded down). The mode's axes must be x's: linear 1, bilinear and bicubic 2, trilinear 3. align_corners (linear, cubic): the
 * outermost elements stay where they are. */
BZ_API bz_tensor *bz_interpolate_at(bz_tensor *x, const int *size, int n, double scale_factor,
                                    bz_resize mode, bool align_corners, const char *site);
/* x [N, C, S...] at the places that grid [N, M..., n] says, in -1 .. 1 of its n axes S, the last one first: [N, C, M...] n = 2 or 3.
 * -1 and 1 are the outer edges of the outermost elements, align_corners: their middles. */
BZ_API bz_tensor *bz_grid_sample_at(bz_tensor *x, bz_tensor *grid, bz_sample mode,
                                    bz_border padding_mode, bool align_corners, const char *site);
/* Places for grid_sample: x [N, n, n + 1] times (place, 1), of images [N, C, S...] of this size. n = 2 or 3. */
BZ_API bz_tensor *bz_affine_grid_at(bz_tensor *x, const int64_t *size, int n, bool align_corners,
                                    const char *site);
/* Channels as pixels: [.., C r r, H, W] -> [.., C, H r, W r] */
BZ_API bz_tensor *bz_pixel_shuffle_at(bz_tensor *x, int64_t upscale_factor, const char *site);
/* Pixels as channels: [.., C, H r, W r] -> [.., C r r, H, W] */
BZ_API bz_tensor *bz_pixel_unshuffle_at(bz_tensor *x, int64_t downscale_factor, const char *site);
/* Channels (axis 1) of groups taken in turns. */
BZ_API bz_tensor *bz_channel_shuffle_at(bz_tensor *x, int64_t groups, const char *site);
/* softmax(query key^T scale) value: query [.., L, E], key [.., S, E], value [.., S, V] -> [.., L, V]; batch axes broadcast.
 * attn_mask (NULL: none), which broadcasts to [.., L, S]: bool, true is seen, or floats that are added. is_causal: row i sees the
 * columns up to i. scale 0: 1 / sqrt(E). enable_gqa: query has a multiple of key's and value's heads, axis -3. dropout_p: a weight
 * is 0 where noise (bz_rand's, of the shape [.., L, S]) is below it. A row that nothing is seen of is 0. */
BZ_API bz_tensor *bz_scaled_dot_product_attention_at(bz_tensor *query, bz_tensor *key,
                                                     bz_tensor *value, bz_tensor *attn_mask,
                                                     bz_tensor *noise, double dropout_p,
                                                     bool is_causal, double scale, bool enable_gqa,
                                                     const char *site);
#define bz_conv1d(...)                                 bz_conv1d_at(__VA_ARGS__, BZ_SITE)
#define bz_conv2d(...)                                 bz_conv2d_at(__VA_ARGS__, BZ_SITE)
#define bz_conv3d(...)                                 bz_conv3d_at(__VA_ARGS__, BZ_SITE)
#define bz_conv_transpose1d(...)                       bz_conv_transpose1d_at(__VA_ARGS__, BZ_SITE)
#define bz_conv_transpose2d(...)                       bz_conv_transpose2d_at(__VA_ARGS__, BZ_SITE)
#define bz_conv_transpose3d(...)                       bz_conv_transpose3d_at(__VA_ARGS__, BZ_SITE)
#define bz_max_pool1d(...)                             bz_max_pool1d_at(__VA_ARGS__, BZ_SITE)
#define bz_max_pool2d(...)                             bz_max_pool2d_at(__VA_ARGS__, BZ_SITE)
#define bz_max_pool3d(...)                             bz_max_pool3d_at(__VA_ARGS__, BZ_SITE)
#define bz_max_unpool1d(...)                           bz_max_unpool1d_at(__VA_ARGS__, BZ_SITE)
#define bz_max_unpool2d(...)                           bz_max_unpool2d_at(__VA_ARGS__, BZ_SITE)
#define bz_max_unpool3d(...)                           bz_max_unpool3d_at(__VA_ARGS__, BZ_SITE)
#define bz_avg_pool1d(...)                             bz_avg_pool1d_at(__VA_ARGS__, BZ_SITE)
#define bz_avg_pool2d(...)                             bz_avg_pool2d_at(__VA_ARGS__, BZ_SITE)
#define bz_avg_pool3d(...)                             bz_avg_pool3d_at(__VA_ARGS__, BZ_SITE)
#define bz_lp_pool1d(...)                              bz_lp_pool1d_at(__VA_ARGS__, BZ_SITE)
#define bz_lp_pool2d(...)                              bz_lp_pool2d_at(__VA_ARGS__, BZ_SITE)
#define bz_lp_pool3d(...)                              bz_lp_pool3d_at(__VA_ARGS__, BZ_SITE)
#define bz_adaptive_max_pool1d(...)                    bz_adaptive_max_pool1d_at(__VA_ARGS__, BZ_SITE)
#define bz_adaptive_avg_pool1d(...)                    bz_adaptive_avg_pool1d_at(__VA_ARGS__, BZ_SITE)
#define bz_adaptive_max_pool2d(...)                    bz_adaptive_max_pool2d_at(__VA_ARGS__, BZ_SITE)
#define bz_adaptive_avg_pool2d(...)                    bz_adaptive_avg_pool2d_at(__VA_ARGS__, BZ_SITE)
#define bz_adaptive_max_pool3d(...)                    bz_adaptive_max_pool3d_at(__VA_ARGS__, BZ_SITE)
#define bz_adaptive_avg_pool3d(...)                    bz_adaptive_avg_pool3d_at(__VA_ARGS__, BZ_SITE)
#define bz_unfold(...)                                 bz_unfold_at(__VA_ARGS__, BZ_SITE)
#define bz_fold(...)                                   bz_fold_at(__VA_ARGS__, BZ_SITE)
#define bz_interpolate(...)                            bz_interpolate_at(__VA_ARGS__, BZ_SITE)
#define bz_grid_sample_2_(x, grid)                     bz_grid_sample_at((x), (grid), BZ_SAMPLE_BILINEAR, BZ_BORDER_ZEROS, false, BZ_SITE)
#define bz_grid_sample_3_(x, grid, mode)               bz_grid_sample_at((x), (grid), (mode), BZ_BORDER_ZEROS, false, BZ_SITE)
#define bz_grid_sample_4_(x, grid, mode, padding_mode) bz_grid_sample_at((x), (grid), (mode), (padding_mode), false, BZ_SITE)
#define bz_grid_sample_5_(x, grid, mode, padding_mode, align_corners) bz_grid_sample_at((x), (grid), (mode), (padding_mode), (align_corners), BZ_SITE)
#define bz_grid_sample(...)                            BZ_BY_COUNT_(bz_grid_sample, __VA_ARGS__)
#define bz_affine_grid(...)                            bz_affine_grid_at(__VA_ARGS__, BZ_SITE)
#define bz_pixel_shuffle(...)                          bz_pixel_shuffle_at(__VA_ARGS__, BZ_SITE)
#define bz_pixel_unshuffle(...)                        bz_pixel_unshuffle_at(__VA_ARGS__, BZ_SITE)
#define bz_channel_shuffle(...)                        bz_channel_shuffle_at(__VA_ARGS__, BZ_SITE)
#define bz_scaled_dot_product_attention_3_(query, key, value) bz_scaled_dot_product_attention_at((query), (key), (value), NULL, NULL, 0, false, 0, false, BZ_SITE)
#define bz_scaled_dot_product_attention_4_(query, key, value, attn_mask) bz_scaled_dot_product_attention_at((query), (key), (value), (attn_mask), NULL, 0, false, 0, false, BZ_SITE)
#define bz_scaled_dot_product_attention_5_(query, key, value, attn_mask, noise) bz_scaled_dot_product_attention_at((query), (key), (value), (attn_mask), (noise), 0, false, 0, false, BZ_SITE)
#define bz_scaled_dot_product_attention_6_(query, key, value, attn_mask, noise, dropout_p) bz_scaled_dot_product_attention_at((query), (key), (value), (attn_mask), (noise), (dropout_p), false, 0, false, BZ_SITE)
#define bz_scaled_dot_product_attention_7_(query, key, value, attn_mask, noise, dropout_p, is_causal) bz_scaled_dot_product_attention_at((query), (key), (value), (attn_mask), (noise), (dropout_p), (is_causal), 0, false, BZ_SITE)
#define bz_scaled_dot_product_attention_8_(query, key, value, attn_mask, noise, dropout_p, is_causal, scale) bz_scaled_dot_product_attention_at((query), (key), (value), (attn_mask), (noise), (dropout_p), (is_causal), (scale), false, BZ_SITE)
#define bz_scaled_dot_product_attention_9_(query, key, value, attn_mask, noise, dropout_p, is_causal, scale, enable_gqa) bz_scaled_dot_product_attention_at((query), (key), (value), (attn_mask), (noise), (dropout_p), (is_causal), (scale), (enable_gqa), BZ_SITE)
#define bz_scaled_dot_product_attention(...)           BZ_BY_COUNT_(bz_scaled_dot_product_attention, __VA_ARGS__)

/* ---- activations and normalisations; results have x's shape */

/* e^x over its sum along an axis. */
BZ_API bz_tensor *bz_softmax_at(bz_tensor *x, int axis, const char *site);
/* Log of softmax. */
BZ_API bz_tensor *bz_log_softmax_at(bz_tensor *x, int axis, const char *site);
/* x sigmoid(x). */
BZ_API bz_tensor *bz_silu_at(bz_tensor *x, const char *site);
/* Mean 0 and variance 1 over the last ndims axes, times weight, plus bias (both of the shape of these axes, or NULL). */
BZ_API bz_tensor *bz_layer_norm_at(bz_tensor *x, bz_tensor *weight, bz_tensor *bias, int ndims,
                                   double eps, const char *site);
/* Mean square 1 over the last axis, times weight (or NULL). */
BZ_API bz_tensor *bz_rms_norm_at(bz_tensor *x, bz_tensor *weight, double eps, const char *site);
/* Mean 0 and variance 1 of each channel (axis 1 of x [N, C, ...]), times weight, plus bias (all [C], or NULL). training: by the
 * statistics of x; *new_mean and *new_var take (1 - momentum) running + momentum x's (the variance over count - 1), NULL if there
 * are no running ones. Else by running_mean and running_var, which stay. */
BZ_API bz_tensor *bz_batch_norm_at(bz_tensor *x, bz_tensor *running_mean, bz_tensor *running_var,
                                   bz_tensor *weight, bz_tensor *bias, bool training,
                                   double momentum, double eps, bz_tensor **new_mean,
                                   bz_tensor **new_var, const char *site);
/* Mean 0 and variance 1 of each channel (axis 1 of x [N, C, ...]) of each sample, times weight, plus bias (all [C], or NULL).
 * *new_mean and *new_var take the running statistics, moved towards the means of x's by momentum, NULL if there are none.
 * use_input_stats false: by these, as bz_batch_norm. */
BZ_API bz_tensor *bz_instance_norm_at(bz_tensor *x, bz_tensor *running_mean, bz_tensor *running_var,
                                      bz_tensor *weight, bz_tensor *bias, bool use_input_stats,
                                      double momentum, double eps, bz_tensor **new_mean,
                                      bz_tensor **new_var, const char *site);
/* Mean 0 and variance 1 of each of num_groups groups of channels (axis 1 of x [N, C, ...]) of each sample, times weight, plus bias
 * ([C], or NULL). */
BZ_API bz_tensor *bz_group_norm_at(bz_tensor *x, bz_tensor *weight, bz_tensor *bias, int num_groups,
                                   double eps, const char *site);
/* x / (k + alpha * the mean of the squares of size channels around each)^beta. */
BZ_API bz_tensor *bz_local_response_norm_at(bz_tensor *x, int64_t size, double alpha, double beta,
                                            double k, const char *site);
/* x where positive, else alpha (e^x - 1). */
BZ_API bz_tensor *bz_elu_at(bz_tensor *x, double alpha, const char *site);
/* A scaled elu, which keeps mean 0 and variance 1. */
BZ_API bz_tensor *bz_selu_at(bz_tensor *x, const char *site);
/* x where positive, else alpha (e^(x / alpha) - 1). */
BZ_API bz_tensor *bz_celu_at(bz_tensor *x, double alpha, const char *site);
/* x where positive, else x negative_slope. */
BZ_API bz_tensor *bz_leaky_relu_at(bz_tensor *x, double negative_slope, const char *site);
/* x where positive, else x weight. weight: one number, or one for each channel, axis 1 of x. */
BZ_API bz_tensor *bz_prelu_at(bz_tensor *x, bz_tensor *weight, const char *site);
/* leaky_relu with the slope in the middle: what PyTorch's rrelu is where nothing is trained. */
BZ_API bz_tensor *bz_rrelu_at(bz_tensor *x, double lower, double upper, const char *site);
/* x limited to 0 .. 6. */
BZ_API bz_tensor *bz_relu6_at(bz_tensor *x, const char *site);
/* x limited to min_val .. max_val. */
BZ_API bz_tensor *bz_hardtanh_at(bz_tensor *x, double min_val, double max_val, const char *site);
/* (x + 3) / 6 limited to 0 .. 1. */
BZ_API bz_tensor *bz_hardsigmoid_at(bz_tensor *x, const char *site);
/* x hardsigmoid(x). */
BZ_API bz_tensor *bz_hardswish_at(bz_tensor *x, const char *site);
/* x outside of -lambd .. lambd, else 0. */
BZ_API bz_tensor *bz_hardshrink_at(bz_tensor *x, double lambd, const char *site);
/* x nearer to 0 by lambd, as far as that. */
BZ_API bz_tensor *bz_softshrink_at(bz_tensor *x, double lambd, const char *site);
/* x - tanh(x). */
BZ_API bz_tensor *bz_tanhshrink_at(bz_tensor *x, const char *site);
/* x above threshold, else value. */
BZ_API bz_tensor *bz_threshold_at(bz_tensor *x, double threshold, double value, const char *site);
/* x tanh(softplus(x)). */
BZ_API bz_tensor *bz_mish_at(bz_tensor *x, const char *site);
/* x / (1 + |x|). */
BZ_API bz_tensor *bz_softsign_at(bz_tensor *x, const char *site);
/* Log of sigmoid. */
BZ_API bz_tensor *bz_logsigmoid_at(bz_tensor *x, const char *site);
/* First half of an axis times the sigmoid of the second. */
BZ_API bz_tensor *bz_glu_at(bz_tensor *x, int axis, const char *site);
/* Softmax of -x. */
BZ_API bz_tensor *bz_softmin_at(bz_tensor *x, int axis, const char *site);
/* x over its norm of order p along an axis, which counts as eps at least. */
BZ_API bz_tensor *bz_normalize_at(bz_tensor *x, double p, int axis, double eps, const char *site);
/* Cosine of the angle between x and y along an axis, norms counting as eps at least. */
BZ_API bz_tensor *bz_cosine_similarity_at(bz_tensor *x, bz_tensor *y, int axis, double eps,
                                          const char *site);
/* Norm of order p of x - y + eps along the last axis. */
BZ_API bz_tensor *bz_pairwise_distance_at(bz_tensor *x, bz_tensor *y, double p, double eps,
                                          bool keepdim, const char *site);
#define bz_softmax_1_(x)                                bz_softmax_at((x), -1, BZ_SITE)
#define bz_softmax_2_(x, axis)                          bz_softmax_at((x), (axis), BZ_SITE)
#define bz_softmax(...)                                 BZ_BY_COUNT_(bz_softmax, __VA_ARGS__)
#define bz_log_softmax_1_(x)                            bz_log_softmax_at((x), -1, BZ_SITE)
#define bz_log_softmax_2_(x, axis)                      bz_log_softmax_at((x), (axis), BZ_SITE)
#define bz_log_softmax(...)                             BZ_BY_COUNT_(bz_log_softmax, __VA_ARGS__)
#define bz_silu(...)                                    bz_silu_at(__VA_ARGS__, BZ_SITE)
#define bz_layer_norm_1_(x)                             bz_layer_norm_at((x), NULL, NULL, 1, 1e-05, BZ_SITE)
#define bz_layer_norm_2_(x, weight)                     bz_layer_norm_at((x), (weight), NULL, 1, 1e-05, BZ_SITE)
#define bz_layer_norm_3_(x, weight, bias)               bz_layer_norm_at((x), (weight), (bias), 1, 1e-05, BZ_SITE)
#define bz_layer_norm_4_(x, weight, bias, ndims)        bz_layer_norm_at((x), (weight), (bias), (ndims), 1e-05, BZ_SITE)
#define bz_layer_norm_5_(x, weight, bias, ndims, eps)   bz_layer_norm_at((x), (weight), (bias), (ndims), (eps), BZ_SITE)
#define bz_layer_norm(...)                              BZ_BY_COUNT_(bz_layer_norm, __VA_ARGS__)
#define bz_rms_norm_1_(x)                               bz_rms_norm_at((x), NULL, 1e-06, BZ_SITE)
#define bz_rms_norm_2_(x, weight)                       bz_rms_norm_at((x), (weight), 1e-06, BZ_SITE)
#define bz_rms_norm_3_(x, weight, eps)                  bz_rms_norm_at((x), (weight), (eps), BZ_SITE)
#define bz_rms_norm(...)                                BZ_BY_COUNT_(bz_rms_norm, __VA_ARGS__)
#define bz_batch_norm(...)                              bz_batch_norm_at(__VA_ARGS__, BZ_SITE)
#define bz_instance_norm(...)                           bz_instance_norm_at(__VA_ARGS__, BZ_SITE)
#define bz_group_norm_4_(x, weight, bias, num_groups)   bz_group_norm_at((x), (weight), (bias), (num_groups), 1e-05, BZ_SITE)
#define bz_group_norm_5_(x, weight, bias, num_groups, eps) bz_group_norm_at((x), (weight), (bias), (num_groups), (eps), BZ_SITE)
#define bz_group_norm(...)                              BZ_BY_COUNT_(bz_group_norm, __VA_ARGS__)
#define bz_local_response_norm_2_(x, size)              bz_local_response_norm_at((x), (size), 0.0001, 0.75, 1, BZ_SITE)
#define bz_local_response_norm_3_(x, size, alpha)       bz_local_response_norm_at((x), (size), (alpha), 0.75, 1, BZ_SITE)
#define bz_local_response_norm_4_(x, size, alpha, beta) bz_local_response_norm_at((x), (size), (alpha), (beta), 1, BZ_SITE)
#define bz_local_response_norm_5_(x, size, alpha, beta, k) bz_local_response_norm_at((x), (size), (alpha), (beta), (k), BZ_SITE)
#define bz_local_response_norm(...)                     BZ_BY_COUNT_(bz_local_response_norm, __VA_ARGS__)
#define bz_elu_1_(x)                                    bz_elu_at((x), 1, BZ_SITE)
#define bz_elu_2_(x, alpha)                             bz_elu_at((x), (alpha), BZ_SITE)
#define bz_elu(...)                                     BZ_BY_COUNT_(bz_elu, __VA_ARGS__)
#define bz_selu(...)                                    bz_selu_at(__VA_ARGS__, BZ_SITE)
#define bz_celu_1_(x)                                   bz_celu_at((x), 1, BZ_SITE)
#define bz_celu_2_(x, alpha)                            bz_celu_at((x), (alpha), BZ_SITE)
#define bz_celu(...)                                    BZ_BY_COUNT_(bz_celu, __VA_ARGS__)
#define bz_leaky_relu_1_(x)                             bz_leaky_relu_at((x), 0.01, BZ_SITE)
#define bz_leaky_relu_2_(x, negative_slope)             bz_leaky_relu_at((x), (negative_slope), BZ_SITE)
#define bz_leaky_relu(...)                              BZ_BY_COUNT_(bz_leaky_relu, __VA_ARGS__)
#define bz_prelu(...)                                   bz_prelu_at(__VA_ARGS__, BZ_SITE)
#define bz_rrelu_1_(x)                                  bz_rrelu_at((x), 0.125, 0.3333333333333333, BZ_SITE)
#define bz_rrelu_2_(x, lower)                           bz_rrelu_at((x), (lower), 0.3333333333333333, BZ_SITE)
#define bz_rrelu_3_(x, lower, upper)                    bz_rrelu_at((x), (lower), (upper), BZ_SITE)
#define bz_rrelu(...)                                   BZ_BY_COUNT_(bz_rrelu, __VA_ARGS__)
#define bz_relu6(...)                                   bz_relu6_at(__VA_ARGS__, BZ_SITE)
#define bz_hardtanh_1_(x)                               bz_hardtanh_at((x), -1, 1, BZ_SITE)
#define bz_hardtanh_2_(x, min_val)                      bz_hardtanh_at((x), (min_val), 1, BZ_SITE)
#define bz_hardtanh_3_(x, min_val, max_val)             bz_hardtanh_at((x), (min_val), (max_val), BZ_SITE)
#define bz_hardtanh(...)                                BZ_BY_COUNT_(bz_hardtanh, __VA_ARGS__)
#define bz_hardsigmoid(...)                             bz_hardsigmoid_at(__VA_ARGS__, BZ_SITE)
#define bz_hardswish(...)                               bz_hardswish_at(__VA_ARGS__, BZ_SITE)
#define bz_hardshrink_1_(x)                             bz_hardshrink_at((x), 0.5, BZ_SITE)
#define bz_hardshrink_2_(x, lambd)                      bz_hardshrink_at((x), (lambd), BZ_SITE)
#define bz_hardshrink(...)                              BZ_BY_COUNT_(bz_hardshrink, __VA_ARGS__)
#define bz_softshrink_1_(x)                             bz_softshrink_at((x), 0.5, BZ_SITE)
#define bz_softshrink_2_(x, lambd)                      bz_softshrink_at((x), (lambd), BZ_SITE)
#define bz_softshrink(...)                              BZ_BY_COUNT_(bz_softshrink, __VA_ARGS__)
#define bz_tanhshrink(...)                              bz_tanhshrink_at(__VA_ARGS__, BZ_SITE)
#define bz_threshold(...)                               bz_threshold_at(__VA_ARGS__, BZ_SITE)
#define bz_mish(...)                                    bz_mish_at(__VA_ARGS__, BZ_SITE)
#define bz_softsign(...)                                bz_softsign_at(__VA_ARGS__, BZ_SITE)
#define bz_logsigmoid(...)                              bz_logsigmoid_at(__VA_ARGS__, BZ_SITE)
#define bz_glu_1_(x)                                    bz_glu_at((x), -1, BZ_SITE)
#define bz_glu_2_(x, axis)                              bz_glu_at((x), (axis), BZ_SITE)
#define bz_glu(...)                                     BZ_BY_COUNT_(bz_glu, __VA_ARGS__)
#define bz_softmin_1_(x)                                bz_softmin_at((x), -1, BZ_SITE)
#define bz_softmin_2_(x, axis)                          bz_softmin_at((x), (axis), BZ_SITE)
#define bz_softmin(...)                                 BZ_BY_COUNT_(bz_softmin, __VA_ARGS__)
#define bz_normalize_1_(x)                              bz_normalize_at((x), 2, 1, 1e-12, BZ_SITE)
#define bz_normalize_2_(x, p)                           bz_normalize_at((x), (p), 1, 1e-12, BZ_SITE)
#define bz_normalize_3_(x, p, axis)                     bz_normalize_at((x), (p), (axis), 1e-12, BZ_SITE)
#define bz_normalize_4_(x, p, axis, eps)                bz_normalize_at((x), (p), (axis), (eps), BZ_SITE)
#define bz_normalize(...)                               BZ_BY_COUNT_(bz_normalize, __VA_ARGS__)
#define bz_cosine_similarity_2_(x, y)                   bz_cosine_similarity_at((x), (y), 1, 1e-08, BZ_SITE)
#define bz_cosine_similarity_3_(x, y, axis)             bz_cosine_similarity_at((x), (y), (axis), 1e-08, BZ_SITE)
#define bz_cosine_similarity_4_(x, y, axis, eps)        bz_cosine_similarity_at((x), (y), (axis), (eps), BZ_SITE)
#define bz_cosine_similarity(...)                       BZ_BY_COUNT_(bz_cosine_similarity, __VA_ARGS__)
#define bz_pairwise_distance_2_(x, y)                   bz_pairwise_distance_at((x), (y), 2, 1e-06, false, BZ_SITE)
#define bz_pairwise_distance_3_(x, y, p)                bz_pairwise_distance_at((x), (y), (p), 1e-06, false, BZ_SITE)
#define bz_pairwise_distance_4_(x, y, p, eps)           bz_pairwise_distance_at((x), (y), (p), (eps), false, BZ_SITE)
#define bz_pairwise_distance_5_(x, y, p, eps, keepdim)  bz_pairwise_distance_at((x), (y), (p), (eps), (keepdim), BZ_SITE)
#define bz_pairwise_distance(...)                       BZ_BY_COUNT_(bz_pairwise_distance, __VA_ARGS__)

BZ_API bz_tensor *bz_gelu_at(bz_tensor *x, const char *site);      /* x/2 (1 + erf(x / sqrt 2)) */
BZ_API bz_tensor *bz_gelu_tanh_at(bz_tensor *x, const char *site); /* the form with tanh */
#define bz_gelu(...)      bz_gelu_at(__VA_ARGS__, BZ_SITE)
#define bz_gelu_tanh(...) bz_gelu_tanh_at(__VA_ARGS__, BZ_SITE)

/* ---- losses: of each element, then reduced: as they are, their mean (the default), their sum, their sum over the size of axis 0 */
typedef enum bz_reduction { BZ_REDUCTION_NONE, BZ_REDUCTION_MEAN, BZ_REDUCTION_SUM, BZ_REDUCTION_BATCHMEAN } bz_reduction;

/* -log softmax(logits) at the targets. Classes are axis 1 of the logits, or axis 0 of 1-d ones, as in PyTorch: integer classes [N,
 * ..] for logits [N, C, ..], or probabilities [N, C, ..]. weight: NULL or [C]; a mean is one of the weights. Rows of the class
 * ignore_index (INT64_MIN: there is none; PyTorch's default is -100) count nothing; any other outside 0 .. C-1 makes its row NaN. */
BZ_API bz_tensor *bz_cross_entropy_at(bz_tensor *logits, bz_tensor *target, bz_tensor *weight,
                                      int64_t ignore_index, bz_reduction reduction,
                                      double label_smoothing, const char *site);
/* -x at integer classes; classes: axis 1. As cross_entropy of what log_softmax gave. */
BZ_API bz_tensor *bz_nll_loss_at(bz_tensor *x, bz_tensor *target, bz_tensor *weight,
                                 int64_t ignore_index, bz_reduction reduction, const char *site);
/* -(target log x + (1 - target) log(1 - x)), logarithms from -100 on. weight broadcasts to x. */
BZ_API bz_tensor *bz_binary_cross_entropy_at(bz_tensor *x, bz_tensor *target, bz_tensor *weight,
                                             bz_reduction reduction, const char *site);
/* binary_cross_entropy of sigmoid(x), without overflow. pos_weight, the weight of target 1, broadcasts to x as weight does. */
BZ_API bz_tensor *bz_binary_cross_entropy_with_logits_at(bz_tensor *x, bz_tensor *target,
                                                         bz_tensor *weight, bz_tensor *pos_weight,
                                                         bz_reduction reduction, const char *site);
/* target (log target - x), x and, if log_target, the target logarithms of probabilities. */
BZ_API bz_tensor *bz_kl_div_at(bz_tensor *x, bz_tensor *target, bz_reduction reduction,
                               bool log_target, const char *site);
/* e^x - target x, or x - target log(x + eps) where x is no logarithm. full: log target! by Stirling's formula is added where target
 * > 1. */
BZ_API bz_tensor *bz_poisson_nll_loss_at(bz_tensor *x, bz_tensor *target, bool log_input, bool full,
                                         double eps, bz_reduction reduction, const char *site);
/* (log var + (x - target)^2 / var) / 2, var at least eps. full: log(2 pi) / 2 is added. */
BZ_API bz_tensor *bz_gaussian_nll_loss_at(bz_tensor *x, bz_tensor *target, bz_tensor *var,
                                          bool full, double eps, bz_reduction reduction,
                                          const char *site);
/* (x - y)^2. x or y may be a number. */
BZ_API bz_tensor *bz_mse_loss_at(bz_tensor *x, bz_tensor *y, bz_reduction reduction,
                                 const char *site);
/* |x - y|. x or y may be a number. */
BZ_API bz_tensor *bz_l1_loss_at(bz_tensor *x, bz_tensor *y, bz_reduction reduction,
                                const char *site);
/* (x - y)^2 / 2 beta where |x - y| < beta, else |x - y| - beta / 2. x or y may be a number. */
BZ_API bz_tensor *bz_smooth_l1_loss_at(bz_tensor *x, bz_tensor *y, bz_reduction reduction,
                                       double beta, const char *site);
/* (x - y)^2 / 2 where |x - y| <= delta, a line beyond. x or y may be a number. */
BZ_API bz_tensor *bz_huber_loss_at(bz_tensor *x, bz_tensor *y, bz_reduction reduction, double delta,
                                   const char *site);
/* Softplus(-target x), target 1 or -1. */
BZ_API bz_tensor *bz_soft_margin_loss_at(bz_tensor *x, bz_tensor *target, bz_reduction reduction,
                                         const char *site);
/* x where target is 1, max(0, margin - x) where it is -1. */
BZ_API bz_tensor *bz_hinge_embedding_loss_at(bz_tensor *x, bz_tensor *target, double margin,
                                             bz_reduction reduction, const char *site);
/* margin - target (x - y), or 0 where that is less; target 1 or -1. */
BZ_API bz_tensor *bz_margin_ranking_loss_at(bz_tensor *x, bz_tensor *y, bz_tensor *target,
                                            double margin, bz_reduction reduction,
                                            const char *site);
/* 1 - cosine along the last axis where target is 1, max(0, cosine - margin) where it is -1. */
BZ_API bz_tensor *bz_cosine_embedding_loss_at(bz_tensor *x, bz_tensor *y, bz_tensor *target,
                                              double margin, bz_reduction reduction,
                                              const char *site);
/* d(anchor, positive) - d(anchor, negative) + margin, or 0 where that is less; d: pairwise_distance. swap: of the two distances to
 * negative the smaller one. */
BZ_API bz_tensor *bz_triplet_margin_loss_at(bz_tensor *anchor, bz_tensor *positive,
                                            bz_tensor *negative, double margin, double p,
                                            double eps, bool swap, bz_reduction reduction,
                                            const char *site);
/* Mean over the other classes of max(0, margin - x[target] + x[class])^p. x: [C] or [N, C]; p: 1 or 2; weight: NULL or [C]. */
BZ_API bz_tensor *bz_multi_margin_loss_at(bz_tensor *x, bz_tensor *target, bz_tensor *weight,
                                          double p, double margin, bz_reduction reduction,
                                          const char *site);
/* Mean over the last axis of binary_cross_entropy_with_logits. */
BZ_API bz_tensor *bz_multilabel_soft_margin_loss_at(bz_tensor *x, bz_tensor *target,
                                                    bz_tensor *weight, bz_reduction reduction,
                                                    const char *site);
static inline bz_tensor *bz_mse_loss_with_(bz_operand x, bz_operand y, bz_reduction reduction,
                                           const char *site) {
    bz_operand o[] = {x, y};
    bz_numbers_begin(o, 2, site);
    bz_tensor *made = bz_mse_loss_at(o[0].v.tensor, o[1].v.tensor, reduction, site);
    bz_numbers_end(o, 2);
    return made;
}
static inline bz_tensor *bz_l1_loss_with_(bz_operand x, bz_operand y, bz_reduction reduction,
                                          const char *site) {
    bz_operand o[] = {x, y};
    bz_numbers_begin(o, 2, site);
    bz_tensor *made = bz_l1_loss_at(o[0].v.tensor, o[1].v.tensor, reduction, site);
    bz_numbers_end(o, 2);
    return made;
}
static inline bz_tensor *bz_smooth_l1_loss_with_(bz_operand x, bz_operand y, bz_reduction reduction,
                                                 double beta, const char *site) {
    bz_operand o[] = {x, y};
    bz_numbers_begin(o, 2, site);
    bz_tensor *made = bz_smooth_l1_loss_at(o[0].v.tensor, o[1].v.tensor, reduction, beta, site);
    bz_numbers_end(o, 2);
    return made;
}
static inline bz_tensor *bz_huber_loss_with_(bz_operand x, bz_operand y, bz_reduction reduction,
                                             double delta, const char *site) {
    bz_operand o[] = {x, y};
    bz_numbers_begin(o, 2, site);
    bz_tensor *made = bz_huber_loss_at(o[0].v.tensor, o[1].v.tensor, reduction, delta, site);
    bz_numbers_end(o, 2);
    return made;
}
static inline bz_tensor *bz_soft_margin_loss_with_(bz_operand x, bz_operand target,
                                                   bz_reduction reduction, const char *site) {
    bz_operand o[] = {x, target};
    bz_numbers_begin(o, 2, site);
    bz_tensor *made = bz_soft_margin_loss_at(o[0].v.tensor, o[1].v.tensor, reduction, site);
    bz_numbers_end(o, 2);
    return made;
}
static inline bz_tensor *bz_hinge_embedding_loss_with_(bz_operand x, bz_operand target,
                                                       double margin, bz_reduction reduction,
                                                       const char *site) {
    bz_operand o[] = {x, target};
    bz_numbers_begin(o, 2, site);
    bz_tensor *made = bz_hinge_embedding_loss_at(o[0].v.tensor, o[1].v.tensor, margin, reduction,
                                                 site);
    bz_numbers_end(o, 2);
    return made;
}
static inline bz_tensor *bz_margin_ranking_loss_with_(bz_operand x, bz_operand y, bz_operand target,
                                                      double margin, bz_reduction reduction,
                                                      const char *site) {
    bz_operand o[] = {x, y, target};
    bz_numbers_begin(o, 3, site);
    bz_tensor *made = bz_margin_ranking_loss_at(o[0].v.tensor, o[1].v.tensor, o[2].v.tensor, margin,
                                                reduction, site);
    bz_numbers_end(o, 3);
    return made;
}
#define bz_cross_entropy_2_(logits, target)             bz_cross_entropy_at((logits), (target), NULL, INT64_MIN, BZ_REDUCTION_MEAN, 0, BZ_SITE)
#define bz_cross_entropy_3_(logits, target, weight)     bz_cross_entropy_at((logits), (target), (weight), INT64_MIN, BZ_REDUCTION_MEAN, 0, BZ_SITE)
#define bz_cross_entropy_4_(logits, target, weight, ignore_index) bz_cross_entropy_at((logits), (target), (weight), (ignore_index), BZ_REDUCTION_MEAN, 0, BZ_SITE)
#define bz_cross_entropy_5_(logits, target, weight, ignore_index, reduction) bz_cross_entropy_at((logits), (target), (weight), (ignore_index), (reduction), 0, BZ_SITE)
#define bz_cross_entropy_6_(logits, target, weight, ignore_index, reduction, label_smoothing) bz_cross_entropy_at((logits), (target), (weight), (ignore_index), (reduction), (label_smoothing), BZ_SITE)
#define bz_cross_entropy(...)                           BZ_BY_COUNT_(bz_cross_entropy, __VA_ARGS__)
#define bz_nll_loss_2_(x, target)                       bz_nll_loss_at((x), (target), NULL, INT64_MIN, BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_nll_loss_3_(x, target, weight)               bz_nll_loss_at((x), (target), (weight), INT64_MIN, BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_nll_loss_4_(x, target, weight, ignore_index) bz_nll_loss_at((x), (target), (weight), (ignore_index), BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_nll_loss_5_(x, target, weight, ignore_index, reduction) bz_nll_loss_at((x), (target), (weight), (ignore_index), (reduction), BZ_SITE)
#define bz_nll_loss(...)                                BZ_BY_COUNT_(bz_nll_loss, __VA_ARGS__)
#define bz_binary_cross_entropy_2_(x, target)           bz_binary_cross_entropy_at((x), (target), NULL, BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_binary_cross_entropy_3_(x, target, weight)   bz_binary_cross_entropy_at((x), (target), (weight), BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_binary_cross_entropy_4_(x, target, weight, reduction) bz_binary_cross_entropy_at((x), (target), (weight), (reduction), BZ_SITE)
#define bz_binary_cross_entropy(...)                    BZ_BY_COUNT_(bz_binary_cross_entropy, __VA_ARGS__)
#define bz_binary_cross_entropy_with_logits_2_(x, target) bz_binary_cross_entropy_with_logits_at((x), (target), NULL, NULL, BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_binary_cross_entropy_with_logits_3_(x, target, weight) bz_binary_cross_entropy_with_logits_at((x), (target), (weight), NULL, BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_binary_cross_entropy_with_logits_4_(x, target, weight, pos_weight) bz_binary_cross_entropy_with_logits_at((x), (target), (weight), (pos_weight), BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_binary_cross_entropy_with_logits_5_(x, target, weight, pos_weight, reduction) bz_binary_cross_entropy_with_logits_at((x), (target), (weight), (pos_weight), (reduction), BZ_SITE)
#define bz_binary_cross_entropy_with_logits(...)        BZ_BY_COUNT_(bz_binary_cross_entropy_with_logits, __VA_ARGS__)
#define bz_kl_div_2_(x, target)                         bz_kl_div_at((x), (target), BZ_REDUCTION_MEAN, false, BZ_SITE)
#define bz_kl_div_3_(x, target, reduction)              bz_kl_div_at((x), (target), (reduction), false, BZ_SITE)
#define bz_kl_div_4_(x, target, reduction, log_target)  bz_kl_div_at((x), (target), (reduction), (log_target), BZ_SITE)
#define bz_kl_div(...)                                  BZ_BY_COUNT_(bz_kl_div, __VA_ARGS__)
#define bz_poisson_nll_loss_2_(x, target)               bz_poisson_nll_loss_at((x), (target), true, false, 1e-08, BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_poisson_nll_loss_3_(x, target, log_input)    bz_poisson_nll_loss_at((x), (target), (log_input), false, 1e-08, BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_poisson_nll_loss_4_(x, target, log_input, full) bz_poisson_nll_loss_at((x), (target), (log_input), (full), 1e-08, BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_poisson_nll_loss_5_(x, target, log_input, full, eps) bz_poisson_nll_loss_at((x), (target), (log_input), (full), (eps), BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_poisson_nll_loss_6_(x, target, log_input, full, eps, reduction) bz_poisson_nll_loss_at((x), (target), (log_input), (full), (eps), (reduction), BZ_SITE)
#define bz_poisson_nll_loss(...)                        BZ_BY_COUNT_(bz_poisson_nll_loss, __VA_ARGS__)
#define bz_gaussian_nll_loss_3_(x, target, var)         bz_gaussian_nll_loss_at((x), (target), (var), false, 1e-06, BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_gaussian_nll_loss_4_(x, target, var, full)   bz_gaussian_nll_loss_at((x), (target), (var), (full), 1e-06, BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_gaussian_nll_loss_5_(x, target, var, full, eps) bz_gaussian_nll_loss_at((x), (target), (var), (full), (eps), BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_gaussian_nll_loss_6_(x, target, var, full, eps, reduction) bz_gaussian_nll_loss_at((x), (target), (var), (full), (eps), (reduction), BZ_SITE)
#define bz_gaussian_nll_loss(...)                       BZ_BY_COUNT_(bz_gaussian_nll_loss, __VA_ARGS__)
#define bz_mse_loss_2_(x, y)                            bz_mse_loss_with_(BZ_OPERAND(x), BZ_OPERAND(y), BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_mse_loss_3_(x, y, reduction)                 bz_mse_loss_with_(BZ_OPERAND(x), BZ_OPERAND(y), reduction, BZ_SITE)
#define bz_mse_loss(...)                                BZ_BY_COUNT_(bz_mse_loss, __VA_ARGS__)
#define bz_l1_loss_2_(x, y)                             bz_l1_loss_with_(BZ_OPERAND(x), BZ_OPERAND(y), BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_l1_loss_3_(x, y, reduction)                  bz_l1_loss_with_(BZ_OPERAND(x), BZ_OPERAND(y), reduction, BZ_SITE)
#define bz_l1_loss(...)                                 BZ_BY_COUNT_(bz_l1_loss, __VA_ARGS__)
#define bz_smooth_l1_loss_2_(x, y)                      bz_smooth_l1_loss_with_(BZ_OPERAND(x), BZ_OPERAND(y), BZ_REDUCTION_MEAN, 1, BZ_SITE)
#define bz_smooth_l1_loss_3_(x, y, reduction)           bz_smooth_l1_loss_with_(BZ_OPERAND(x), BZ_OPERAND(y), reduction, 1, BZ_SITE)
#define bz_smooth_l1_loss_4_(x, y, reduction, beta)     bz_smooth_l1_loss_with_(BZ_OPERAND(x), BZ_OPERAND(y), reduction, beta, BZ_SITE)
#define bz_smooth_l1_loss(...)                          BZ_BY_COUNT_(bz_smooth_l1_loss, __VA_ARGS__)
#define bz_huber_loss_2_(x, y)                          bz_huber_loss_with_(BZ_OPERAND(x), BZ_OPERAND(y), BZ_REDUCTION_MEAN, 1, BZ_SITE)
#define bz_huber_loss_3_(x, y, reduction)               bz_huber_loss_with_(BZ_OPERAND(x), BZ_OPERAND(y), reduction, 1, BZ_SITE)
#define bz_huber_loss_4_(x, y, reduction, delta)        bz_huber_loss_with_(BZ_OPERAND(x), BZ_OPERAND(y), reduction, delta, BZ_SITE)
#define bz_huber_loss(...)                              BZ_BY_COUNT_(bz_huber_loss, __VA_ARGS__)
#define bz_soft_margin_loss_2_(x, target)               bz_soft_margin_loss_with_(BZ_OPERAND(x), BZ_OPERAND(target), BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_soft_margin_loss_3_(x, target, reduction)    bz_soft_margin_loss_with_(BZ_OPERAND(x), BZ_OPERAND(target), reduction, BZ_SITE)
#define bz_soft_margin_loss(...)                        BZ_BY_COUNT_(bz_soft_margin_loss, __VA_ARGS__)
#define bz_hinge_embedding_loss_2_(x, target)           bz_hinge_embedding_loss_with_(BZ_OPERAND(x), BZ_OPERAND(target), 1, BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_hinge_embedding_loss_3_(x, target, margin)   bz_hinge_embedding_loss_with_(BZ_OPERAND(x), BZ_OPERAND(target), margin, BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_hinge_embedding_loss_4_(x, target, margin, reduction) bz_hinge_embedding_loss_with_(BZ_OPERAND(x), BZ_OPERAND(target), margin, reduction, BZ_SITE)
#define bz_hinge_embedding_loss(...)                    BZ_BY_COUNT_(bz_hinge_embedding_loss, __VA_ARGS__)
#define bz_margin_ranking_loss_3_(x, y, target)         bz_margin_ranking_loss_with_(BZ_OPERAND(x), BZ_OPERAND(y), BZ_OPERAND(target), 0, BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_margin_ranking_loss_4_(x, y, target, margin) bz_margin_ranking_loss_with_(BZ_OPERAND(x), BZ_OPERAND(y), BZ_OPERAND(target), margin, BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_margin_ranking_loss_5_(x, y, target, margin, reduction) bz_margin_ranking_loss_with_(BZ_OPERAND(x), BZ_OPERAND(y), BZ_OPERAND(target), margin, reduction, BZ_SITE)
#define bz_margin_ranking_loss(...)                     BZ_BY_COUNT_(bz_margin_ranking_loss, __VA_ARGS__)
#define bz_cosine_embedding_loss_3_(x, y, target)       bz_cosine_embedding_loss_at((x), (y), (target), 0, BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_cosine_embedding_loss_4_(x, y, target, margin) bz_cosine_embedding_loss_at((x), (y), (target), (margin), BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_cosine_embedding_loss_5_(x, y, target, margin, reduction) bz_cosine_embedding_loss_at((x), (y), (target), (margin), (reduction), BZ_SITE)
#define bz_cosine_embedding_loss(...)                   BZ_BY_COUNT_(bz_cosine_embedding_loss, __VA_ARGS__)
#define bz_triplet_margin_loss_3_(anchor, positive, negative) bz_triplet_margin_loss_at((anchor), (positive), (negative), 1, 2, 1e-06, false, BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_triplet_margin_loss_4_(anchor, positive, negative, margin) bz_triplet_margin_loss_at((anchor), (positive), (negative), (margin), 2, 1e-06, false, BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_triplet_margin_loss_5_(anchor, positive, negative, margin, p) bz_triplet_margin_loss_at((anchor), (positive), (negative), (margin), (p), 1e-06, false, BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_triplet_margin_loss_6_(anchor, positive, negative, margin, p, eps) bz_triplet_margin_loss_at((anchor), (positive), (negative), (margin), (p), (eps), false, BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_triplet_margin_loss_7_(anchor, positive, negative, margin, p, eps, swap) bz_triplet_margin_loss_at((anchor), (positive), (negative), (margin), (p), (eps), (swap), BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_triplet_margin_loss_8_(anchor, positive, negative, margin, p, eps, swap, reduction) bz_triplet_margin_loss_at((anchor), (positive), (negative), (margin), (p), (eps), (swap), (reduction), BZ_SITE)
#define bz_triplet_margin_loss(...)                     BZ_BY_COUNT_(bz_triplet_margin_loss, __VA_ARGS__)
#define bz_multi_margin_loss_2_(x, target)              bz_multi_margin_loss_at((x), (target), NULL, 1, 1, BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_multi_margin_loss_3_(x, target, weight)      bz_multi_margin_loss_at((x), (target), (weight), 1, 1, BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_multi_margin_loss_4_(x, target, weight, p)   bz_multi_margin_loss_at((x), (target), (weight), (p), 1, BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_multi_margin_loss_5_(x, target, weight, p, margin) bz_multi_margin_loss_at((x), (target), (weight), (p), (margin), BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_multi_margin_loss_6_(x, target, weight, p, margin, reduction) bz_multi_margin_loss_at((x), (target), (weight), (p), (margin), (reduction), BZ_SITE)
#define bz_multi_margin_loss(...)                       BZ_BY_COUNT_(bz_multi_margin_loss, __VA_ARGS__)
#define bz_multilabel_soft_margin_loss_2_(x, target)    bz_multilabel_soft_margin_loss_at((x), (target), NULL, BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_multilabel_soft_margin_loss_3_(x, target, weight) bz_multilabel_soft_margin_loss_at((x), (target), (weight), BZ_REDUCTION_MEAN, BZ_SITE)
#define bz_multilabel_soft_margin_loss_4_(x, target, weight, reduction) bz_multilabel_soft_margin_loss_at((x), (target), (weight), (reduction), BZ_SITE)
#define bz_multilabel_soft_margin_loss(...)             BZ_BY_COUNT_(bz_multilabel_soft_margin_loss, __VA_ARGS__)

/* ---- optimizer steps of one parameter, PyTorch's rules: give the new parameter; new moments replace *velocity, *m, *v.
 * lr and t (number of this step, from 1): 0-d tensors or numbers. */
typedef struct bz_sgd_options {
    double momentum, weight_decay;
    bool nesterov;
    bz_tensor *found_inf; /* NULL, or bz_grad_norm's: where it is true all stays as it is */
} bz_sgd_options;
/* velocity: NULL when momentum is 0. o: NULL = all 0. */
BZ_API bz_tensor *bz_sgd_step_at(bz_tensor *p, bz_tensor *grad, bz_tensor *lr, bz_tensor **velocity,
                                 const bz_sgd_options *o, const char *site);
typedef struct bz_adam_options {
    double beta1, beta2, eps, weight_decay;
    bool decoupled; /* AdamW: decay apart from the gradient */
    bz_tensor *found_inf; /* as above */
} bz_adam_options;
#define BZ_ADAM_DEFAULTS                                                                           \
    { 0.9, 0.999, 1e-8, 0, false, NULL }
#define BZ_ADAMW_DEFAULTS                                                                          \
    { 0.9, 0.999, 1e-8, 1e-2, true, NULL }
/* o: NULL = BZ_ADAM_DEFAULTS. */
BZ_API bz_tensor *bz_adam_step_at(bz_tensor *p, bz_tensor *grad, bz_tensor **m, bz_tensor **v,
                                  bz_tensor *t, bz_tensor *lr, const bz_adam_options *o,
                                  const char *site);

static inline bz_tensor *bz_sgd_step_with_(bz_tensor *p, bz_tensor *grad, bz_operand lr,
                                           bz_tensor **velocity, const bz_sgd_options *o,
                                           const char *site) {
    bz_operand x[] = {bz_of_tensor_(p), lr};
    bz_numbers_begin(x, 2, site);
    bz_tensor *next = bz_sgd_step_at(p, grad, x[1].v.tensor, velocity, o, site);
    bz_numbers_end(x, 2);
    return next;
}

static inline bz_tensor *bz_adam_step_with_(bz_tensor *p, bz_tensor *grad, bz_tensor **m,
                                            bz_tensor **v, bz_operand t, bz_operand lr,
                                            const bz_adam_options *o, const char *site) {
    bz_operand x[] = {bz_of_tensor_(p), t, lr};
    bz_numbers_begin(x, 3, site);
    bz_tensor *next = bz_adam_step_at(p, grad, m, v, x[1].v.tensor, x[2].v.tensor, o, site);
    bz_numbers_end(x, 3);
    return next;
}
#define bz_sgd_step(p, grad, lr, ...)                                                              \
    bz_sgd_step_with_((p), (grad), BZ_OPERAND(lr), __VA_ARGS__, BZ_SITE)
#define bz_adam_step(p, grad, m, v, t, lr, ...)                                                    \
    bz_adam_step_with_((p), (grad), (m), (v), BZ_OPERAND(t), BZ_OPERAND(lr), __VA_ARGS__, BZ_SITE)

/* ---- dynamic loss scaling (docs/mixed.md): torch.amp.GradScaler's rules as values, which no step waits for.
 *
 *     bz_grad(bz_mul(loss, scale), p, n, grad);
 *     norm = bz_grad_norm(scale, grad, n, &found_inf);
 *     p[k] = bz_adam_step(p[k], bz_unscale(grad[k], scale, norm, 1), &m[k], &v[k], t, lr, &(bz_adam_options){.found_inf = found_inf ...});
 *     scale = bz_grad_scaler_update(scale, &growth_tracker, found_inf, NULL); */

/* The norm of n gradients together, as if they were one vector, over scale (NULL: 1): f32. *found_inf (NULL: it is not wanted):
 * bool, is an infinity or a NaN among them? Each is read once, for both; squares add up in f64. BZ_EDTYPE unless all are floats,
 * BZ_ESHAPE unless scale is 0-d. */
BZ_API bz_tensor *bz_grad_norm_at(bz_tensor *scale, bz_tensor *const *x, int n,
                                  bz_tensor **found_inf, const char *site);
/* grad over scale (NULL: 1). norm (NULL: none), of all gradients as bz_grad_norm has it: clipped to max_norm, which is times
 * max_norm / (norm + 1e-6) where that is below 1. grad's shape and dtype; BZ_EDTYPE for f16, where what is small would vanish. */
BZ_API bz_tensor *bz_unscale_at(bz_tensor *grad, bz_tensor *scale, bz_tensor *norm, double max_norm,
                                const char *site);
#define bz_grad_norm(...)                          bz_grad_norm_at(__VA_ARGS__, BZ_SITE)
#define bz_unscale_1_(grad)                        bz_unscale_at((grad), NULL, NULL, 1, BZ_SITE)
#define bz_unscale_2_(grad, scale)                 bz_unscale_at((grad), (scale), NULL, 1, BZ_SITE)
#define bz_unscale_3_(grad, scale, norm)           bz_unscale_at((grad), (scale), (norm), 1, BZ_SITE)
#define bz_unscale_4_(grad, scale, norm, max_norm) bz_unscale_at((grad), (scale), (norm), (max_norm), BZ_SITE)
#define bz_unscale(...)                            BZ_BY_COUNT_(bz_unscale, __VA_ARGS__)

typedef struct bz_grad_scaler_options {
    double growth_factor, backoff_factor;
    int64_t growth_interval;
} bz_grad_scaler_options;
#define BZ_GRAD_SCALER_DEFAULTS                                                                    \
    { 2, 0.5, 2000 }
/* The next scale: scale (0-d, floating; PyTorch begins with 65536) times backoff_factor where found_inf, times growth_factor after
 * growth_interval steps without, unless it would not be finite. *growth_tracker, 0-d integer, at first 0, counts these steps, and is
 * replaced. o: NULL = BZ_GRAD_SCALER_DEFAULTS. Errors: BZ_EARG (factors), BZ_ESHAPE, BZ_EDTYPE. */
BZ_API bz_tensor *bz_grad_scaler_update_at(bz_tensor *scale, bz_tensor **growth_tracker,
                                           bz_tensor *found_inf, const bz_grad_scaler_options *o,
                                           const char *site);
#define bz_grad_scaler_update(...) bz_grad_scaler_update_at(__VA_ARGS__, BZ_SITE)

#endif
