/* compositions.h - constructors that builders.def calls by their builder's name. Made by tools/api.py from src/ir/builders.def: do not edit.
 *
 * Operands that may be left out are 0. Axes count from the end when negative. */
#ifndef BRAZE_IR_COMPOSITIONS_H
#define BRAZE_IR_COMPOSITIONS_H

#include "src/ir/ir.h"

/* x. */
ir_ref ir_positive(ir_graph *g, ir_ref x);
/* -1, 0 or 1: the sign, 0 for NaN; of complex numbers x / |x|, 0 of 0. */
ir_ref ir_sgn(ir_graph *g, ir_ref x);
/* Degrees of an angle in radians. */
ir_ref ir_rad2deg(ir_graph *g, ir_ref x);
/* Radians of an angle in degrees. */
ir_ref ir_deg2rad(ir_graph *g, ir_ref x);
/* y - alpha x. */
ir_ref ir_rsub(ir_graph *g, ir_ref x, ir_ref y, double alpha);
/* x + value y z. */
ir_ref ir_addcmul(ir_graph *g, ir_ref x, ir_ref y, ir_ref z, double value);
/* x + value y / z. */
ir_ref ir_addcdiv(ir_graph *g, ir_ref x, ir_ref y, ir_ref z, double value);
/* x / y, or that rounded towards zero (trunc) or down (floor). */
ir_ref ir_divide(ir_graph *g, ir_ref x, ir_ref y, int rounding_mode);
/* x^y in f64. */
ir_ref ir_float_power(ir_graph *g, ir_ref x, ir_ref y);
/* x 2^y. */
ir_ref ir_ldexp(ir_graph *g, ir_ref x, ir_ref y);
/* x as mantissa 2^exponent, 1/2 <= |mantissa| < 1 (exponent: i32). */
ir_ref ir_frexp(ir_graph *g, ir_ref x, ir_ref *exponent);
/* Greatest common divisor, of 0 and 0: 0. */
ir_ref ir_gcd(ir_graph *g, ir_ref x, ir_ref y);
/* Least common multiple, of 0 and anything: 0. */
ir_ref ir_lcm(ir_graph *g, ir_ref x, ir_ref y);
/* The next number of the dtype from x towards y. */
ir_ref ir_nextafter(ir_graph *g, ir_ref x, ir_ref y);
/* The larger of x and y, the other one where one is NaN. */
ir_ref ir_fmax(ir_graph *g, ir_ref x, ir_ref y);
/* The smaller of x and y, the other one where one is NaN. */
ir_ref ir_fmin(ir_graph *g, ir_ref x, ir_ref y);
/* Logarithm to base 2 of 2^x + 2^y. */
ir_ref ir_logaddexp2(ir_graph *g, ir_ref x, ir_ref y);
/* x log y, 0 where x is 0 and y is no NaN. */
ir_ref ir_xlogy(ir_graph *g, ir_ref x, ir_ref y);
/* x log(1 + y), 0 where x is 0 and y is no NaN. */
ir_ref ir_xlog1py(ir_graph *g, ir_ref x, ir_ref y);
/* -x log x, 0 at 0, -inf below. */
ir_ref ir_entr(ir_graph *g, ir_ref x);
/* Log(x / (1 - x)), x limited to eps .. 1 - eps unless eps < 0. */
ir_ref ir_logit(ir_graph *g, ir_ref x, double eps);
/* Sin(pi x) / (pi x), 1 at 0. */
ir_ref ir_sinc(ir_graph *g, ir_ref x);
/* Integral of the normal distribution up to x. */
ir_ref ir_ndtr(ir_graph *g, ir_ref x);
/* Logarithm of ndtr, without underflow. */
ir_ref ir_log_ndtr(ir_graph *g, ir_ref x);
/* Logarithm of the gamma function of p dimensions. */
ir_ref ir_multigammaln(ir_graph *g, ir_ref x, int p);
/* x with numbers in place of NaN and the infinities. */
ir_ref ir_nan_to_num(ir_graph *g, ir_ref x, double nan, double posinf, double neginf);
/* Is x = y, or |x - y| <= atol + rtol |y|? */
ir_ref ir_isclose(ir_graph *g, ir_ref x, ir_ref y, double rtol, double atol, bool equal_nan);
/* Does isclose hold everywhere? */
ir_ref ir_allclose(ir_graph *g, ir_ref x, ir_ref y, double rtol, double atol, bool equal_nan);
/* Is +inf. */
ir_ref ir_isposinf(ir_graph *g, ir_ref x);
/* Is -inf. */
ir_ref ir_isneginf(ir_graph *g, ir_ref x);
/* Is the imaginary part 0? Of real numbers true. */
ir_ref ir_isreal(ir_graph *g, ir_ref x);
/* Complex numbers of their parts: c64 of two f32, c128 of two f64. */
ir_ref ir_complex(ir_graph *g, ir_ref re, ir_ref im);
/* Real part; x itself where it is real. */
ir_ref ir_real(ir_graph *g, ir_ref x);
/* Imaginary part. */
ir_ref ir_imag(ir_graph *g, ir_ref x);
/* Conjugate: the imaginary part with the other sign; x itself where it is real. */
ir_ref ir_conj(ir_graph *g, ir_ref x);
/* Angle of a complex number, from -pi to pi; of a real one 0, or pi below 0. */
ir_ref ir_angle(ir_graph *g, ir_ref x);
/* Complex numbers of absolute value and angle. */
ir_ref ir_polar(ir_graph *g, ir_ref abs, ir_ref angle);
/* Complex numbers as real ones, the parts along a new last axis. */
ir_ref ir_view_as_real(ir_graph *g, ir_ref x);
/* The two elements of the last axis as parts of complex numbers. */
ir_ref ir_view_as_complex(ir_graph *g, ir_ref x);
/* Standard deviation: square root of var. */
ir_ref ir_std(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, int correction, bool keepdim);
/* Var and mean. */
ir_ref ir_var_mean(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, int correction,
                   bool keepdim, ir_ref *mean);
/* Std and mean. */
ir_ref ir_std_mean(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, int correction,
                   bool keepdim, ir_ref *mean);
/* Smallest and largest element. */
ir_ref ir_aminmax(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, bool keepdim,
                  ir_ref *max);
/* Number of elements that are not 0. */
ir_ref ir_count_nonzero(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, bool keepdim);
/* Sum of what is no NaN. */
ir_ref ir_nansum(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, bool keepdim);
/* Mean of what is no NaN; NaN where nothing is. */
ir_ref ir_nanmean(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, bool keepdim);
/* Variance of what is no NaN; NaN where no more than `correction` elements are. */
ir_ref ir_nanvar(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, int correction,
                 bool keepdim);
/* Square root of nanvar. */
ir_ref ir_nanstd(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, int correction,
                 bool keepdim);
/* Largest of what is no NaN. */
ir_ref ir_nanmax(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, bool keepdim);
/* Smallest of what is no NaN. */
ir_ref ir_nanmin(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, bool keepdim);
/* The middle element in order, the lower one of two; NaN if any is. */
ir_ref ir_median(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, bool keepdim,
                 ir_ref *indices);
/* Median of what is no NaN. */
ir_ref ir_nanmedian(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, bool keepdim,
                    ir_ref *indices);
/* The most frequent element, the smallest of several. */
ir_ref ir_mode(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, bool keepdim,
               ir_ref *indices);
/* What a share q of the elements does not exceed; NaN if any is. */
ir_ref ir_quantile(ir_graph *g, ir_ref x, ir_ref q, const int *axes, unsigned naxes, bool keepdim,
                   int interpolation);
/* Quantile of what is no NaN. */
ir_ref ir_nanquantile(ir_graph *g, ir_ref x, ir_ref q, const int *axes, unsigned naxes,
                      bool keepdim, int interpolation);
/* Of each number 0 .. minlength - 1 how many elements it is, or the sum of their weights. */
ir_ref ir_bincount(ir_graph *g, ir_ref x, ir_ref weights, int64_t minlength);
/* How many elements fall into each of equal parts of min .. max; of x's own range where these are equal. */
ir_ref ir_histc(ir_graph *g, ir_ref x, int64_t bins, double min, double max);
/* Differences of neighbours along an axis, n times. */
ir_ref ir_diff(ir_graph *g, ir_ref x, int64_t n, int axis);
/* Area under y along an axis by trapezoids, at places x or dx apart. */
ir_ref ir_trapezoid(ir_graph *g, ir_ref y, ir_ref x, double dx, int axis);
/* Area under y up to each place of an axis but the first, by trapezoids. */
ir_ref ir_cumulative_trapezoid(ir_graph *g, ir_ref y, ir_ref x, double dx, int axis);
/* Norms of order p of the differences of all rows: [.., p, m] [.., r, m] -> [.., p, r] */
ir_ref ir_cdist(ir_graph *g, ir_ref x, ir_ref y, double p);
/* Covariances of the rows of x [variables, observations] */
ir_ref ir_cov(ir_graph *g, ir_ref x, ir_ref fweights, ir_ref aweights, int correction);
/* Correlations of the rows of x. */
ir_ref ir_corrcoef(ir_graph *g, ir_ref x);
/* Sum of products of two vectors. */
ir_ref ir_vdot(ir_graph *g, ir_ref x, ir_ref y);
/* Sum of products over the last axes. */
ir_ref ir_inner(ir_graph *g, ir_ref x, ir_ref y);
/* [n] [m] -> [n, m], products of all pairs. */
ir_ref ir_outer(ir_graph *g, ir_ref x, ir_ref y);
/* [n, k] [k] -> [n] */
ir_ref ir_mv(ir_graph *g, ir_ref x, ir_ref y);
/* [n, k] [k, m] -> [n, m] */
ir_ref ir_mm(ir_graph *g, ir_ref x, ir_ref y);
/* [b, n, k] [b, k, m] -> [b, n, m] */
ir_ref ir_bmm(ir_graph *g, ir_ref x, ir_ref y);
/* beta input + alpha x y, matrices. */
ir_ref ir_addmm(ir_graph *g, ir_ref input, ir_ref x, ir_ref y, double beta, double alpha);
/* beta input + alpha x y, a matrix times a vector. */
ir_ref ir_addmv(ir_graph *g, ir_ref input, ir_ref x, ir_ref y, double beta, double alpha);
/* beta input + alpha x y^T, vectors. */
ir_ref ir_addr(ir_graph *g, ir_ref input, ir_ref x, ir_ref y, double beta, double alpha);
/* beta input + alpha x y, batches of matrices. */
ir_ref ir_baddbmm(ir_graph *g, ir_ref input, ir_ref x, ir_ref y, double beta, double alpha);
/* beta input + alpha times the sum of all products of two batches of matrices. */
ir_ref ir_addbmm(ir_graph *g, ir_ref input, ir_ref x, ir_ref y, double beta, double alpha);
/* Sum of products over n axes of each. */
ir_ref ir_tensordot(ir_graph *g, ir_ref x, ir_ref y, const int *xaxes, const int *yaxes,
                    unsigned nxaxes);
/* Kronecker's product. */
ir_ref ir_kron(ir_graph *g, ir_ref x, ir_ref y);
/* Vector product along an axis of three elements. */
ir_ref ir_cross(ir_graph *g, ir_ref x, ir_ref y, int axis);
/* Einstein's sum: "bij,bjk->bik". */
ir_ref ir_einsum(ir_graph *g, const char *equation, const ir_ref *x, unsigned n);
/* Sum of a matrix's diagonal. */
ir_ref ir_trace(ir_graph *g, ir_ref x);
/* Product of n times x, or -n times its inverse. */
ir_ref ir_matrix_power(ir_graph *g, ir_ref x, int64_t n);
/* L of symmetric positive definite matrices L L^T, of whose lower triangle; upper: L^T. */
ir_ref ir_cholesky(ir_graph *g, ir_ref x, bool upper);
/* X of x X = y: x [..., n, n], y [..., n, k], whose batch broadcasts to that of x, or a vector a matrix. */
ir_ref ir_solve(ir_graph *g, ir_ref x, ir_ref y);
/* Solve, of the lower triangles of x (upper: the upper ones) alone. */
ir_ref ir_solve_triangular(ir_graph *g, ir_ref x, ir_ref y, bool upper);
/* Inverses of matrices. */
ir_ref ir_inv(ir_graph *g, ir_ref x);
/* Determinants of matrices. */
ir_ref ir_det(ir_graph *g, ir_ref x);
/* Sign of the determinants of matrices, and log of what they are without it. */
ir_ref ir_slogdet(ir_graph *g, ir_ref x, ir_ref *log_abs);
/* Eigenvalues of symmetric matrices, ascending, of whose lower triangle; vectors: the columns of [..., n, n] */
ir_ref ir_eigh(ir_graph *g, ir_ref x, ir_ref *vectors);
/* x = u diag(s) vh, s falling: [..., m, k], [..., k], [..., k, n], k = min(m, n). */
ir_ref ir_svd(ir_graph *g, ir_ref x, ir_ref *s, ir_ref *vh);
/* x = q triangle, of orthonormal columns and an upper triangle: [..., m, k], [..., k, n], k = min(m, n). */
ir_ref ir_qr(ir_graph *g, ir_ref x, ir_ref *triangle);
/* Singular values of matrices, falling. */
ir_ref ir_svdvals(ir_graph *g, ir_ref x);
/* Eigenvalues of symmetric matrices, ascending, of whose lower triangle. */
ir_ref ir_eigvalsh(ir_graph *g, ir_ref x);
/* How many singular values are above atol and rtol times the largest one (i64). */
ir_ref ir_matrix_rank(ir_graph *g, ir_ref x, double atol, double rtol);
/* Pseudo-inverses of matrices, of the singular values that matrix_rank counts. */
ir_ref ir_pinv(ir_graph *g, ir_ref x, double atol, double rtol);
/* Least squares: of the X with the smallest sum of (x X - y)^2 the one of smallest norm, pinv(x) y. */
ir_ref ir_lstsq(ir_graph *g, ir_ref x, ir_ref y, double rcond, ir_ref *residuals, ir_ref *rank,
                ir_ref *singular_values);
/* Norms of matrices: fro, nuc, 1, 2, inf, -1, -2, -inf. */
ir_ref ir_matrix_norm(ir_graph *g, ir_ref x, const char *ord, bool keepdim);
/* Condition of matrices: norm p times that of the inverse. */
ir_ref ir_matrix_cond(ir_graph *g, ir_ref x, const char *p);
/* Exponentials of square matrices. */
ir_ref ir_matrix_exp(ir_graph *g, ir_ref x);
/* n powers of base, their exponents from start to stop. */
ir_ref ir_logspace(ir_graph *g, double start, double stop, int64_t n, double base, bz_dtype dtype);
/* A triangle of n values from 0 to 1 and back. */
ir_ref ir_bartlett_window(ir_graph *g, int64_t n, bool periodic, bz_dtype dtype);
/* n values of 0.42 - 0.5 cos(t) + 0.08 cos(2t) over one turn. */
ir_ref ir_blackman_window(ir_graph *g, int64_t n, bool periodic, bz_dtype dtype);
/* n values of alpha - beta cos(t) over one turn. */
ir_ref ir_hamming_window(ir_graph *g, int64_t n, bool periodic, double alpha, double beta,
                         bz_dtype dtype);
/* n values of (1 - cos(t)) / 2 over one turn. */
ir_ref ir_hann_window(ir_graph *g, int64_t n, bool periodic, bz_dtype dtype);
/* n values of i0(beta sqrt(1 - t^2)) / i0(beta), t from -1 to 1. */
ir_ref ir_kaiser_window(ir_graph *g, int64_t n, bool periodic, double beta, bz_dtype dtype);
/* [n, m] with 1 on and below diagonal k. */
ir_ref ir_tri(ir_graph *g, int64_t n, int64_t m, int64_t k, bz_dtype dtype);
/* Rows and columns of the elements on and below a diagonal of [row, col], in order: [2, count] */
ir_ref ir_tril_indices(ir_graph *g, int64_t row, int64_t col, int64_t offset);
/* Rows and columns of the elements on and above a diagonal of [row, col], in order: [2, count] */
ir_ref ir_triu_indices(ir_graph *g, int64_t row, int64_t col, int64_t offset);
/* Zeros in x's shape and dtype. */
ir_ref ir_zeros_like(ir_graph *g, ir_ref x);
/* Ones in x's shape and dtype. */
ir_ref ir_ones_like(ir_graph *g, ir_ref x);
/* One value in x's shape and dtype. */
ir_ref ir_full_like(ir_graph *g, ir_ref x, double value);
/* Matrices of the last two axes with 0 above a diagonal. */
ir_ref ir_tril(ir_graph *g, ir_ref x, int64_t diagonal);
/* Matrices of the last two axes with 0 below a diagonal. */
ir_ref ir_triu(ir_graph *g, ir_ref x, int64_t diagonal);
/* A diagonal of a matrix, or the matrix with this diagonal. */
ir_ref ir_diag(ir_graph *g, ir_ref x, int64_t diagonal);
/* Each of n vectors along its axis of the grid of all; xy: the first two axes exchanged, NumPy's default. */
ir_ref ir_meshgrid(ir_graph *g, const ir_ref *x, unsigned n, bool xy, ir_parts *parts);
/* Powers n - 1 .. 0 of x along a new last axis, or 0 .. n - 1. */
ir_ref ir_vander(ir_graph *g, ir_ref x, int64_t n, bool increasing);
/* Uniform in [low, high), from the stream (key, offset). */
ir_ref ir_uniform(ir_graph *g, double low, double high, const ir_dim *shape, unsigned nshape,
                  bz_dtype dtype, ir_ref key, ir_ref offset);
/* Normal with this mean and deviation, from the stream (key, offset). */
ir_ref ir_normal(ir_graph *g, double mean, double std, const ir_dim *shape, unsigned nshape,
                 bz_dtype dtype, ir_ref key, ir_ref offset);
/* Exponential with rate lambd, from the stream (key, offset). */
ir_ref ir_exponential(ir_graph *g, double lambd, const ir_dim *shape, unsigned nshape,
                      bz_dtype dtype, ir_ref key, ir_ref offset);
/* Number of trials up to the first success, each with probability p, from the stream (key, offset). */
ir_ref ir_geometric(ir_graph *g, double p, const ir_dim *shape, unsigned nshape, bz_dtype dtype,
                    ir_ref key, ir_ref offset);
/* 0 .. n - 1 in random order, from the stream (key, offset). */
ir_ref ir_randperm(ir_graph *g, int64_t n, ir_ref key, ir_ref offset);
/* Uniform in [0, 1), in x's shape and dtype. */
ir_ref ir_rand_like(ir_graph *g, ir_ref x, ir_ref key, ir_ref offset);
/* Standard normal, in x's shape and dtype. */
ir_ref ir_randn_like(ir_graph *g, ir_ref x, ir_ref key, ir_ref offset);
/* 1 with probability x, else 0. */
ir_ref ir_bernoulli(ir_graph *g, ir_ref x, ir_ref key, ir_ref offset);
/* Gamma numbers of concentration x and rate 1. */
ir_ref ir_standard_gamma(ir_graph *g, ir_ref x, ir_ref key, ir_ref offset);
/* Gamma numbers of these concentrations and rates. */
ir_ref ir_gamma(ir_graph *g, ir_ref concentration, ir_ref rate, ir_ref key, ir_ref offset);
/* Beta numbers of these concentrations. */
ir_ref ir_beta(ir_graph *g, ir_ref concentration1, ir_ref concentration0, ir_ref key,
               ir_ref offset);
/* Dirichlet numbers, whose sum along the last axis is 1, of concentrations x. */
ir_ref ir_dirichlet(ir_graph *g, ir_ref x, ir_ref key, ir_ref offset);
/* Poisson numbers of means x, in its dtype. */
ir_ref ir_poisson(ir_graph *g, ir_ref x, ir_ref key, ir_ref offset);
/* How many of `count` trials succeed, each with probability prob. */
ir_ref ir_binomial(ir_graph *g, ir_ref count, ir_ref prob, ir_ref key, ir_ref offset);
/* 0 with probability p, else x / (1 - p); x where nothing is trained. */
ir_ref ir_dropout(ir_graph *g, ir_ref x, double p, bool training, ir_ref key, ir_ref offset);
/* Classes along the last axis, drawn with weights x: [C] or [N, C] -> [num_samples] or [N, num_samples] */
ir_ref ir_multinomial(ir_graph *g, ir_ref x, int64_t num_samples, bool replacement, ir_ref key,
                      ir_ref offset);
/* Softmax of (x + Gumbel noise) / tau along an axis; hard: 1 at its largest, else 0, with its gradient. */
ir_ref ir_gumbel_softmax(ir_graph *g, ir_ref x, double tau, bool hard, int axis, ir_ref key,
                         ir_ref offset);
/* start, start + step ... below stop (above, for a negative step): ceil((stop - start) / step) elements. */
ir_ref ir_arange(ir_graph *g, ir_number start, ir_number stop, ir_number step, bz_dtype dtype);
/* n values from start to stop, both included. */
ir_ref ir_linspace(ir_graph *g, double start, double stop, int64_t n, bz_dtype dtype);
/* [n, m] with 1 on the diagonal. */
ir_ref ir_eye(ir_graph *g, int64_t n, int64_t m, bz_dtype dtype);
/* Uniform in [0, 1), from the stream (key, offset). */
ir_ref ir_rand(ir_graph *g, bz_dtype dtype, const ir_dim *shape, unsigned nshape, ir_ref key,
               ir_ref offset);
/* Standard normal, from the stream (key, offset). */
ir_ref ir_randn(ir_graph *g, bz_dtype dtype, const ir_dim *shape, unsigned nshape, ir_ref key,
                ir_ref offset);
/* Integers lo .. hi-1, from the stream (key, offset). */
ir_ref ir_randint(ir_graph *g, int64_t lo, int64_t hi, const ir_dim *shape, unsigned nshape,
                  ir_ref key, ir_ref offset);
/* Axes a and b swapped. */
ir_ref ir_transpose(ir_graph *g, ir_ref x, int a, int b);
/* x[index] along an axis, which vanishes. */
ir_ref ir_select(ir_graph *g, ir_ref x, int axis, int64_t index);
/* length elements of an axis from start on, which may count from the end. */
ir_ref ir_narrow(ir_graph *g, ir_ref x, int axis, int64_t start, int64_t length);
/* An axis of size 1 left out. */
ir_ref ir_squeeze(ir_graph *g, ir_ref x, int axis);
/* An axis of size 1 put in. */
ir_ref ir_unsqueeze(ir_graph *g, ir_ref x, int axis);
/* Axes from .. to as one. */
ir_ref ir_flatten(ir_graph *g, ir_ref x, int from, int to);
/* Diagonal of axes a and b, as a last axis. */
ir_ref ir_diagonal(ir_graph *g, ir_ref x, int64_t offset, int a, int b);
/* Reshape to the shape of other. */
ir_ref ir_reshape_as(ir_graph *g, ir_ref x, ir_ref other);
/* All elements as one axis. */
ir_ref ir_ravel(ir_graph *g, ir_ref x);
/* An axis taken apart into axes of these sizes; one may be -1. */
ir_ref ir_unflatten(ir_graph *g, ir_ref x, int axis, const int64_t *sizes, unsigned nsizes);
/* Windows on an axis, each a step on, as a new last axis. */
ir_ref ir_sliding_window_view(ir_graph *g, ir_ref x, int64_t size, int axis, int64_t step);
/* Axis from[i] moved to place to[i]; the others keep their order. */
ir_ref ir_movedim(ir_graph *g, ir_ref x, const int *from, unsigned nfrom, const int *to,
                  unsigned nto);
/* Transposed matrix; x itself of 0 or 1 axes. */
ir_ref ir_t(ir_graph *g, ir_ref x);
/* The last two axes swapped. */
ir_ref ir_mT(ir_graph *g, ir_ref x);
/* Expand to the shape of other. */
ir_ref ir_expand_as(ir_graph *g, ir_ref x, ir_ref other);
/* All expanded to the shape that they broadcast to. */
ir_ref ir_broadcast_tensors(ir_graph *g, const ir_ref *x, unsigned n, ir_parts *parts);
/* x, or [1] of a 0-d x. */
ir_ref ir_atleast_1d(ir_graph *g, ir_ref x);
/* x with axes of one element in front, so that there are two. */
ir_ref ir_atleast_2d(ir_graph *g, ir_ref x);
/* x with axes of one element, so that there are three: [1, n, 1], [m, n, 1] */
ir_ref ir_atleast_3d(ir_graph *g, ir_ref x);
/* x where its elements lie row-major, else a copy whose do. */
ir_ref ir_contiguous(ir_graph *g, ir_ref x);
/* Parts of `size` elements of an axis, the last one of what is left; or of these sizes. */
ir_ref ir_split(ir_graph *g, ir_ref x, int64_t size, const int64_t *sizes, unsigned nsizes,
                int axis, ir_parts *parts);
/* At most so many parts of equal size, but for the last. */
ir_ref ir_chunk(ir_graph *g, ir_ref x, int64_t chunks, int axis, ir_parts *parts);
/* Exactly so many parts, whose sizes differ by one at most; or the parts between indices. */
ir_ref ir_tensor_split(ir_graph *g, ir_ref x, int64_t sections, const int64_t *indices,
                       unsigned nindices, int axis, ir_parts *parts);
/* Equal parts along axis 1 (axis 0 of a 1-d x), or those between indices. */
ir_ref ir_hsplit(ir_graph *g, ir_ref x, int64_t sections, const int64_t *indices, unsigned nindices,
                 ir_parts *parts);
/* Equal parts along axis 0, or those between indices. */
ir_ref ir_vsplit(ir_graph *g, ir_ref x, int64_t sections, const int64_t *indices, unsigned nindices,
                 ir_parts *parts);
/* Equal parts along axis 2, or those between indices. */
ir_ref ir_dsplit(ir_graph *g, ir_ref x, int64_t sections, const int64_t *indices, unsigned nindices,
                 ir_parts *parts);
/* x[0], x[1] ... along an axis, which vanishes. */
ir_ref ir_unbind(ir_graph *g, ir_ref x, int axis, ir_parts *parts);
/* Tensors along a new axis. */
ir_ref ir_stack(ir_graph *g, const ir_ref *x, unsigned n, int axis);
/* Elements in reverse order along the axes. */
ir_ref ir_flip(ir_graph *g, ir_ref x, const int *axes, unsigned naxes);
/* Axis 1 in reverse order. */
ir_ref ir_fliplr(ir_graph *g, ir_ref x);
/* Axis 0 in reverse order. */
ir_ref ir_flipud(ir_graph *g, ir_ref x);
/* Elements moved on along the axes, those at the end to the beginning. */
ir_ref ir_roll(ir_graph *g, ir_ref x, const int64_t *shifts, unsigned nshifts, const int *axes,
               unsigned naxes);
/* Turned k times by 90 degrees in the plane of axes a and b, from a towards b. */
ir_ref ir_rot90(ir_graph *g, ir_ref x, int k, int a, int b);
/* A border of x's elements in reverse order, without the edge. */
ir_ref ir_pad_reflect(ir_graph *g, ir_ref x, const int64_t *lo, unsigned nlo, const int64_t *hi,
                      unsigned nhi);
/* A border of x's elements in reverse order, with the edge (NumPy's mode). */
ir_ref ir_pad_symmetric(ir_graph *g, ir_ref x, const int64_t *lo, unsigned nlo, const int64_t *hi,
                        unsigned nhi);
/* A border of the element at the edge. */
ir_ref ir_pad_replicate(ir_graph *g, ir_ref x, const int64_t *lo, unsigned nlo, const int64_t *hi,
                        unsigned nhi);
/* A border of what lies at the other end. */
ir_ref ir_pad_circular(ir_graph *g, ir_ref x, const int64_t *lo, unsigned nlo, const int64_t *hi,
                       unsigned nhi);
/* x repeated along each axis; new axes in front. */
ir_ref ir_repeat(ir_graph *g, ir_ref x, const int64_t *sizes, unsigned nsizes);
/* Repeat, also of fewer numbers, for the last axes. */
ir_ref ir_tile(ir_graph *g, ir_ref x, const int64_t *sizes, unsigned nsizes);
/* Each element of an axis so many times: one number for all, or one for each. */
ir_ref ir_repeat_interleave(ir_graph *g, ir_ref x, const int64_t *repeats, unsigned nrepeats,
                            int axis);
/* One after the other along axis 1 (1-d ones: axis 0). */
ir_ref ir_hstack(ir_graph *g, const ir_ref *x, unsigned n);
/* One after the other along axis 0; 1-d ones are rows. */
ir_ref ir_vstack(ir_graph *g, const ir_ref *x, unsigned n);
/* One after the other along axis 2, of atleast_3d of each. */
ir_ref ir_dstack(ir_graph *g, const ir_ref *x, unsigned n);
/* One after the other along axis 1; 1-d ones are columns. */
ir_ref ir_column_stack(ir_graph *g, const ir_ref *x, unsigned n);
/* Matrices as blocks of a diagonal, zeros elsewhere. */
ir_ref ir_block_diag(ir_graph *g, const ir_ref *x, unsigned n);
/* All combinations of an element of each 1-d tensor, as rows. */
ir_ref ir_cartesian_prod(ir_graph *g, const ir_ref *x, unsigned n);
/* All choices of k elements of a 1-d tensor, as rows. */
ir_ref ir_combinations(ir_graph *g, ir_ref x, int k, bool with_replacement);
/* Zeros with the last axis of x on the diagonal of two new axes. */
ir_ref ir_diag_embed(ir_graph *g, ir_ref x, int64_t offset, int a, int b);
/* x with y as its diagonal. */
ir_ref ir_diagonal_scatter(ir_graph *g, ir_ref x, ir_ref y, int64_t offset, int a, int b);
/* x with y as x[index] along an axis. */
ir_ref ir_select_scatter(ir_graph *g, ir_ref x, ir_ref y, int axis, int64_t index);
/* x with y as Python's slice of an axis. */
ir_ref ir_slice_scatter(ir_graph *g, ir_ref x, ir_ref y, int axis, int64_t start, int64_t stop,
                        int64_t step);
/* x with y in a window on its row-major elements. */
ir_ref ir_as_strided_scatter(ir_graph *g, ir_ref x, ir_ref y, const int64_t *strides,
                             unsigned nstrides, int64_t offset);
/* Elements of x at integer indices: of x as one axis, or rows along an axis (numpy.take). */
ir_ref ir_take(ir_graph *g, ir_ref x, ir_ref index, int axis);
/* x with a number where mask is true. */
ir_ref ir_masked_fill(ir_graph *g, ir_ref x, ir_ref mask, ir_ref value);
/* x with the next element of source where mask is true. */
ir_ref ir_masked_scatter(ir_graph *g, ir_ref x, ir_ref mask, ir_ref source);
/* Where the elements of a sorted axis stood. */
ir_ref ir_argsort(ir_graph *g, ir_ref x, int axis, bool descending);
/* Sorted along axis 0. */
ir_ref ir_msort(ir_graph *g, ir_ref x);
/* Where in a sorted sequence, or in rows of one, each x would stand: before equal ones, or behind them. */
ir_ref ir_searchsorted(ir_graph *g, ir_ref sequence, ir_ref x, bool right);
/* The number of the bucket of each x between sorted boundaries. */
ir_ref ir_bucketize(ir_graph *g, ir_ref x, ir_ref boundaries, bool right);
/* Is x equal to any element of test? */
ir_ref ir_isin(ir_graph *g, ir_ref x, ir_ref test, bool invert);
/* 1 at each element's class, else 0, along a new last axis. */
ir_ref ir_one_hot(ir_graph *g, ir_ref x, int64_t classes, bz_dtype dtype);
/* Of each line of x along an axis the elements that index names (torch.gather). */
ir_ref ir_take_along_dim(ir_graph *g, ir_ref x, ir_ref index, int axis);
/* x times the elements of src where index names them, along an axis. */
ir_ref ir_scatter_prod(ir_graph *g, ir_ref x, ir_ref index, ir_ref src, int axis,
                       bool exclude_self);
/* The mean of x and the elements of src where index names them, along an axis. */
ir_ref ir_scatter_mean(ir_graph *g, ir_ref x, ir_ref index, ir_ref src, int axis,
                       bool exclude_self);
/* The largest of x and the elements of src where index names them, along an axis. */
ir_ref ir_scatter_amax(ir_graph *g, ir_ref x, ir_ref index, ir_ref src, int axis,
                       bool exclude_self);
/* The smallest of x and the elements of src where index names them, along an axis. */
ir_ref ir_scatter_amin(ir_graph *g, ir_ref x, ir_ref index, ir_ref src, int axis,
                       bool exclude_self);
/* x and the elements of src where index names them, combined along an axis. */
ir_ref ir_scatter_reduce(ir_graph *g, ir_ref x, ir_ref index, ir_ref src, int axis, int reduce,
                         bool exclude_self);
/* Rows of x at indices of one axis. */
ir_ref ir_index_select(ir_graph *g, ir_ref x, ir_ref index, int axis);
/* x with alpha times rows of src added to those that index names. */
ir_ref ir_index_add(ir_graph *g, ir_ref x, ir_ref index, ir_ref src, int axis, double alpha);
/* x with rows of src in place of those that index names. */
ir_ref ir_index_copy(ir_graph *g, ir_ref x, ir_ref index, ir_ref src, int axis);
/* Rows of x and the rows of src that index names for them, combined. */
ir_ref ir_index_reduce(ir_graph *g, ir_ref x, ir_ref index, ir_ref src, int axis, int reduce,
                       bool exclude_self);
/* x with a number in all rows that index names. */
ir_ref ir_index_fill(ir_graph *g, ir_ref x, ir_ref index, ir_ref value, int axis);
/* Rows of weight, [rows, width], at integer indices. */
ir_ref ir_embedding(ir_graph *g, ir_ref index, ir_ref weight, int64_t padding_idx);
/* Sum, mean or maximum of the rows of weight in each bag. */
ir_ref ir_embedding_bag(ir_graph *g, ir_ref index, ir_ref weight, ir_ref offsets, int mode);
/* Arithmetic mean. */
ir_ref ir_mean(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, bool keepdim);
/* Variance: sum of (x - mean)^2 over (count - correction). */
ir_ref ir_var(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, int correction, bool keepdim);
/* Log of the sum of e^x. */
ir_ref ir_logsumexp(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, bool keepdim);
/* Sum of all up to and with each element, along an axis. */
ir_ref ir_cumsum(ir_graph *g, ir_ref x, int axis, bool reverse, bool exclusive);
/* Product of all up to and with each element, along an axis. */
ir_ref ir_cumprod(ir_graph *g, ir_ref x, int axis, bool reverse, bool exclusive);
/* Log of the sum of e^x of all up to and with each element, along an axis. */
ir_ref ir_logcumsumexp(ir_graph *g, ir_ref x, int axis, bool reverse, bool exclusive);
/* Norm of order ord: inf, -inf, 0 (elements that are not 0) or any other number. */
ir_ref ir_vector_norm(ir_graph *g, ir_ref x, double ord, const int *axes, unsigned naxes,
                      bool keepdim);
/* Matrix product, NumPy's: 1-d operands, batch axes broadcast. */
ir_ref ir_matmul(ir_graph *g, ir_ref x, ir_ref y);
/* x weight^T + bias. */
ir_ref ir_linear(ir_graph *g, ir_ref x, ir_ref weight, ir_ref bias);
/* x [N, C, S...] at other sizes of its 1 to 3 last axes, or scale_factor times as large. */
ir_ref ir_interpolate(ir_graph *g, ir_ref x, const int *size, unsigned nsize, double scale_factor,
                      int mode, bool align_corners);
/* x [N, C, S...] at the places that grid [N, M..., n] says, in -1 .. 1 of its n axes S, the last one first: [N, C, M...] */
ir_ref ir_grid_sample(ir_graph *g, ir_ref x, ir_ref grid, int mode, int padding_mode,
                      bool align_corners);
/* Places for grid_sample: x [N, n, n + 1] times (place, 1), of images [N, C, S...] of this size. */
ir_ref ir_affine_grid(ir_graph *g, ir_ref x, const int64_t *size, unsigned nsize,
                      bool align_corners);
/* Channels as pixels: [.., C r r, H, W] -> [.., C, H r, W r] */
ir_ref ir_pixel_shuffle(ir_graph *g, ir_ref x, int64_t upscale_factor);
/* Pixels as channels: [.., C, H r, W r] -> [.., C r r, H, W] */
ir_ref ir_pixel_unshuffle(ir_graph *g, ir_ref x, int64_t downscale_factor);
/* Channels (axis 1) of groups taken in turns. */
ir_ref ir_channel_shuffle(ir_graph *g, ir_ref x, int64_t groups);
/* Softmax(query key^T scale) value, masked: query [.., L, E], key [.., S, E], value [.., S, V] -> [.., L, V] */
ir_ref ir_scaled_dot_product_attention(ir_graph *g, ir_ref query, ir_ref key, ir_ref value,
                                       ir_ref attn_mask, ir_ref noise, double dropout_p,
                                       bool is_causal, double scale, bool enable_gqa);
/* e^x over its sum along an axis. */
ir_ref ir_softmax(ir_graph *g, ir_ref x, int axis);
/* Log of softmax. */
ir_ref ir_log_softmax(ir_graph *g, ir_ref x, int axis);
/* x/2 (1 + erf(x / sqrt 2)), or the form with tanh. */
ir_ref ir_gelu(ir_graph *g, ir_ref x, bool tanh);
/* x sigmoid(x). */
ir_ref ir_silu(ir_graph *g, ir_ref x);
/* Mean 0 and variance 1 over the last axes, times weight, plus bias. */
ir_ref ir_layer_norm(ir_graph *g, ir_ref x, ir_ref weight, ir_ref bias, int ndims, double eps);
/* Mean square 1 over the last axis, times weight. */
ir_ref ir_rms_norm(ir_graph *g, ir_ref x, ir_ref weight, double eps);
/* Mean 0 and variance 1 of each channel (axis 1), times weight, plus bias; by running statistics, or while training by x's own. */
ir_ref ir_batch_norm(ir_graph *g, ir_ref x, ir_ref running_mean, ir_ref running_var, ir_ref weight,
                     ir_ref bias, bool training, double momentum, double eps, ir_ref *new_mean,
                     ir_ref *new_var);
/* Mean 0 and variance 1 of each channel (axis 1) of each sample, times weight, plus bias; or by running statistics. */
ir_ref ir_instance_norm(ir_graph *g, ir_ref x, ir_ref running_mean, ir_ref running_var,
                        ir_ref weight, ir_ref bias, bool use_input_stats, double momentum,
                        double eps, ir_ref *new_mean, ir_ref *new_var);
/* Mean 0 and variance 1 of each sample's groups of channels (axis 1), times weight, plus bias. */
ir_ref ir_group_norm(ir_graph *g, ir_ref x, ir_ref weight, ir_ref bias, int num_groups, double eps);
/* x / (k + alpha * the mean of the squares of size channels around each)^beta. */
ir_ref ir_local_response_norm(ir_graph *g, ir_ref x, int64_t size, double alpha, double beta,
                              double k);
/* x where positive, else alpha (e^x - 1). */
ir_ref ir_elu(ir_graph *g, ir_ref x, double alpha);
/* A scaled elu, which keeps mean 0 and variance 1. */
ir_ref ir_selu(ir_graph *g, ir_ref x);
/* x where positive, else alpha (e^(x / alpha) - 1). */
ir_ref ir_celu(ir_graph *g, ir_ref x, double alpha);
/* x where positive, else x negative_slope. */
ir_ref ir_leaky_relu(ir_graph *g, ir_ref x, double negative_slope);
/* x where positive, else x weight. */
ir_ref ir_prelu(ir_graph *g, ir_ref x, ir_ref weight);
/* leaky_relu with the slope in the middle: what PyTorch's rrelu is where nothing is trained. */
ir_ref ir_rrelu(ir_graph *g, ir_ref x, double lower, double upper);
/* x limited to 0 .. 6. */
ir_ref ir_relu6(ir_graph *g, ir_ref x);
/* x limited to min_val .. max_val. */
ir_ref ir_hardtanh(ir_graph *g, ir_ref x, double min_val, double max_val);
/* (x + 3) / 6 limited to 0 .. 1. */
ir_ref ir_hardsigmoid(ir_graph *g, ir_ref x);
/* x hardsigmoid(x). */
ir_ref ir_hardswish(ir_graph *g, ir_ref x);
/* x outside of -lambd .. lambd, else 0. */
ir_ref ir_hardshrink(ir_graph *g, ir_ref x, double lambd);
/* x nearer to 0 by lambd, as far as that. */
ir_ref ir_softshrink(ir_graph *g, ir_ref x, double lambd);
/* x - tanh(x). */
ir_ref ir_tanhshrink(ir_graph *g, ir_ref x);
/* x above threshold, else value. */
ir_ref ir_threshold(ir_graph *g, ir_ref x, double threshold, double value);
/* x tanh(softplus(x)). */
ir_ref ir_mish(ir_graph *g, ir_ref x);
/* x / (1 + |x|). */
ir_ref ir_softsign(ir_graph *g, ir_ref x);
/* Log of sigmoid. */
ir_ref ir_logsigmoid(ir_graph *g, ir_ref x);
/* First half of an axis times the sigmoid of the second. */
ir_ref ir_glu(ir_graph *g, ir_ref x, int axis);
/* Softmax of -x. */
ir_ref ir_softmin(ir_graph *g, ir_ref x, int axis);
/* x over its norm of order p along an axis, which counts as eps at least. */
ir_ref ir_normalize(ir_graph *g, ir_ref x, double p, int axis, double eps);
/* Cosine of the angle between x and y along an axis, norms counting as eps at least. */
ir_ref ir_cosine_similarity(ir_graph *g, ir_ref x, ir_ref y, int axis, double eps);
/* Norm of order p of x - y + eps along the last axis. */
ir_ref ir_pairwise_distance(ir_graph *g, ir_ref x, ir_ref y, double p, double eps, bool keepdim);
/* -log softmax(logits) at integer classes, or against probabilities; classes: axis 1. */
ir_ref ir_cross_entropy(ir_graph *g, ir_ref logits, ir_ref target, ir_ref weight,
                        int64_t ignore_index, int reduction, double label_smoothing);
/* -x at integer classes; classes: axis 1. */
ir_ref ir_nll_loss(ir_graph *g, ir_ref x, ir_ref target, ir_ref weight, int64_t ignore_index,
                   int reduction);
/* -(target log x + (1 - target) log(1 - x)), logarithms from -100 on. */
ir_ref ir_binary_cross_entropy(ir_graph *g, ir_ref x, ir_ref target, ir_ref weight, int reduction);
/* binary_cross_entropy of sigmoid(x), without overflow. */
ir_ref ir_binary_cross_entropy_with_logits(ir_graph *g, ir_ref x, ir_ref target, ir_ref weight,
                                           ir_ref pos_weight, int reduction);
/* target (log target - x), x and, if log_target, the target logarithms of probabilities. */
ir_ref ir_kl_div(ir_graph *g, ir_ref x, ir_ref target, int reduction, bool log_target);
/* e^x - target x, or x - target log(x + eps) where x is no logarithm. */
ir_ref ir_poisson_nll_loss(ir_graph *g, ir_ref x, ir_ref target, bool log_input, bool full,
                           double eps, int reduction);
/* (log var + (x - target)^2 / var) / 2, var at least eps. */
ir_ref ir_gaussian_nll_loss(ir_graph *g, ir_ref x, ir_ref target, ir_ref var, bool full, double eps,
                            int reduction);
/* (x - y)^2. */
ir_ref ir_mse_loss(ir_graph *g, ir_ref x, ir_ref y, int reduction);
/* |x - y|. */
ir_ref ir_l1_loss(ir_graph *g, ir_ref x, ir_ref y, int reduction);
/* (x - y)^2 / 2 beta where |x - y| < beta, else |x - y| - beta / 2. */
ir_ref ir_smooth_l1_loss(ir_graph *g, ir_ref x, ir_ref y, int reduction, double beta);
/* (x - y)^2 / 2 where |x - y| <= delta, a line beyond. */
ir_ref ir_huber_loss(ir_graph *g, ir_ref x, ir_ref y, int reduction, double delta);
/* Softplus(-target x), target 1 or -1. */
ir_ref ir_soft_margin_loss(ir_graph *g, ir_ref x, ir_ref target, int reduction);
/* x where target is 1, max(0, margin - x) where it is -1. */
ir_ref ir_hinge_embedding_loss(ir_graph *g, ir_ref x, ir_ref target, double margin, int reduction);
/* margin - target (x - y), or 0 where that is less; target 1 or -1. */
ir_ref ir_margin_ranking_loss(ir_graph *g, ir_ref x, ir_ref y, ir_ref target, double margin,
                              int reduction);
/* 1 - cosine along the last axis where target is 1, max(0, cosine - margin) where it is -1. */
ir_ref ir_cosine_embedding_loss(ir_graph *g, ir_ref x, ir_ref y, ir_ref target, double margin,
                                int reduction);
/* d(anchor, positive) - d(anchor, negative) + margin, or 0 where that is less; d: pairwise_distance. */
ir_ref ir_triplet_margin_loss(ir_graph *g, ir_ref anchor, ir_ref positive, ir_ref negative,
                              double margin, double p, double eps, bool swap, int reduction);
/* Mean over the other classes of max(0, margin - x[target] + x[class])^p. */
ir_ref ir_multi_margin_loss(ir_graph *g, ir_ref x, ir_ref target, ir_ref weight, double p,
                            double margin, int reduction);
/* Mean over the last axis of binary_cross_entropy_with_logits. */
ir_ref ir_multilabel_soft_margin_loss(ir_graph *g, ir_ref x, ir_ref target, ir_ref weight,
                                      int reduction);
/* Gradient of a scaled loss over scale; with the norm of all, clipped as PyTorch's clip_grad_norm_ does. */
ir_ref ir_unscale(ir_graph *g, ir_ref grad, ir_ref scale, ir_ref norm, double max_norm);

#endif
