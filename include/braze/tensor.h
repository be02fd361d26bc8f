/* tensor.h - tensors: made, read, looked at, printed, changed in place.
 * Made by tools/api.py from tools/api/tensor.h and src/ir/builders.def: do not edit.
 *
 * In the comments x is f32[d0 ... dk]; "c" is the context of the operands. New handles belong to the innermost scope. All makers give
 * a poisoned handle on an error (bz_message says which). Shapes have at most 32 axes and 2^60 elements. */
#ifndef BRAZE_TENSOR_H
#define BRAZE_TENSOR_H

#include <stdio.h>

#include "braze/context.h"
#include "braze/operand.h"

/* ---- from the host and back */

/* A copy of row-major elements of dtype t; data: product of shape many. shape may be NULL when rank is 0. */
BZ_API bz_tensor *bz_from_data_at(bz_context *c, bz_dtype t, const void *data, const int64_t *shape,
                                  int rank, const char *site);
#define bz_from_data(...) bz_from_data_at(__VA_ARGS__, BZ_SITE)

/* The value of x, which may belong to another context, as a tensor of c: from device to device where they know a way. Computes x.
 * Errors are c's, those of x's value with its words. */
BZ_API bz_tensor *bz_from_tensor_at(bz_context *c, bz_tensor *x, const char *site);
#define bz_from_tensor(...) bz_from_tensor_at(__VA_ARGS__, BZ_SITE)

/* The caller's memory itself, no copy: element [i0 ... ik] lies at data + (i0 strides[0] + ...) * size of t, strides in elements
 * (NULL: row-major), no two indices at one place unless a stride is 0. The memory outlives the tensor. It is read when ops on it
 * run; in-place ops on the tensor reach it. Call bz_flush before looking at it or changing it. */
BZ_API bz_tensor *bz_from_buffer_at(bz_context *c, bz_dtype t, void *data, const int64_t *shape,
                                    const int64_t *strides, int rank, const char *site);
#define bz_from_buffer(...) bz_from_buffer_at(__VA_ARGS__, BZ_SITE)

/* Runs everything recorded that reads x's memory, and writes to it what in-place ops have changed. */
BZ_API bz_status bz_flush(bz_tensor *x);

/* Copies x row-major to dst, `bytes` long: BZ_EARG unless that is exactly numel * size of the dtype. */
BZ_API bz_status bz_to_host(bz_tensor *x, void *dst, size_t bytes);

/* The one element of x as a double (bz_item_int: as int64_t, floats truncated, u64 as its bits). NaN (0) and an error if x has another number of elements, or is complex. */
BZ_API double bz_item(bz_tensor *x);
BZ_API int64_t bz_item_int(bz_tensor *x);
/* Its real and imaginary part; of a real one the latter is 0. */
BZ_API bz_status bz_item_complex(bz_tensor *x, double parts[2]);

/* ---- made from nothing */

/* A number that is handed to kernels with each run: another value never recompiles. 0-d; takes the dtype that the operands beside it
 * come together in, of 0-d ones too (PyTorch's rule for numbers); bz_scalar beside integers is f32, bz_scalar_int beside bool i64. While
 * bz_compile traces, it is a constant. */
BZ_API bz_tensor *bz_scalar_at(bz_context *c, double v, const char *site);
BZ_API bz_tensor *bz_scalar_int_at(bz_context *c, int64_t v, const char *site);
#define bz_scalar(...)     bz_scalar_at(__VA_ARGS__, BZ_SITE)
#define bz_scalar_int(...) bz_scalar_int_at(__VA_ARGS__, BZ_SITE)

/* One value everywhere. As with bz_scalar another value recompiles nothing; while bz_compile traces it is a constant. Whole numbers
 * in integer dtypes wrap as a cast does, fractions are cut off; bz_full_int is exact beyond 2^53. */
BZ_API bz_tensor *bz_full_at(bz_context *c, const int64_t *shape, int rank, double value,
                             bz_dtype dtype, const char *site);
BZ_API bz_tensor *bz_full_int_at(bz_context *c, const int64_t *shape, int rank, int64_t value,
                                 bz_dtype dtype, const char *site);
/* Zero everywhere. */
BZ_API bz_tensor *bz_zeros_at(bz_context *c, const int64_t *shape, int rank, bz_dtype dtype,
                              const char *site);
/* One everywhere. */
BZ_API bz_tensor *bz_ones_at(bz_context *c, const int64_t *shape, int rank, bz_dtype dtype,
                             const char *site);
#define bz_full(...)     bz_full_at(__VA_ARGS__, BZ_SITE)
#define bz_full_int(...) bz_full_int_at(__VA_ARGS__, BZ_SITE)
#define bz_zeros(...)    bz_zeros_at(__VA_ARGS__, BZ_SITE)
#define bz_ones(...)     bz_ones_at(__VA_ARGS__, BZ_SITE)

/* start, start + step ... below stop (above, for a negative step): ceil((stop - start) / step) elements. BZ_EARG for step 0 or NaN.
 * bz_arange_int is exact beyond 2^53. */
BZ_API bz_tensor *bz_arange_at(bz_context *c, double start, double stop, double step,
                               bz_dtype dtype, const char *site);
BZ_API bz_tensor *bz_arange_int_at(bz_context *c, int64_t start, int64_t stop, int64_t step,
                                   bz_dtype dtype, const char *site);
/* n values from start to stop, both included; floats only. */
BZ_API bz_tensor *bz_linspace_at(bz_context *c, double start, double stop, int64_t n,
                                 bz_dtype dtype, const char *site);
/* [n, m] with 1 on the diagonal. m INT64_MIN: n. */
BZ_API bz_tensor *bz_eye_at(bz_context *c, int64_t n, int64_t m, bz_dtype dtype, const char *site);
#define bz_arange(...)                           bz_arange_at(__VA_ARGS__, BZ_SITE)
#define bz_arange_int(...)                       bz_arange_int_at(__VA_ARGS__, BZ_SITE)
#define bz_linspace_4_(c, start, stop, n)        bz_linspace_at((c), (start), (stop), (n), BZ_F32, BZ_SITE)
#define bz_linspace_5_(c, start, stop, n, dtype) bz_linspace_at((c), (start), (stop), (n), (dtype), BZ_SITE)
#define bz_linspace(...)                         BZ_BY_COUNT_(bz_linspace, __VA_ARGS__)
#define bz_eye_2_(c, n)                          bz_eye_at((c), (n), INT64_MIN, BZ_F32, BZ_SITE)
#define bz_eye_3_(c, n, m)                       bz_eye_at((c), (n), (m), BZ_F32, BZ_SITE)
#define bz_eye_4_(c, n, m, dtype)                bz_eye_at((c), (n), (m), (dtype), BZ_SITE)
#define bz_eye(...)                              BZ_BY_COUNT_(bz_eye, __VA_ARGS__)

/* Zeros, where PyTorch's are anything. */
BZ_API bz_tensor *bz_empty_at(bz_context *c, const int64_t *shape, int rank, bz_dtype dtype,
                              const char *site);
/* n powers of base, their exponents from start to stop. Floats only. */
BZ_API bz_tensor *bz_logspace_at(bz_context *c, double start, double stop, int64_t n, double base,
                                 bz_dtype dtype, const char *site);
/* A triangle of n values from 0 to 1 and back. periodic: the turn ends behind the last value, as spectra want it; else with it, as
 * NumPy and filters have it. Floats only, computed in f64. */
BZ_API bz_tensor *bz_bartlett_window_at(bz_context *c, int64_t n, bool periodic, bz_dtype dtype,
                                        const char *site);
/* n values of 0.42 - 0.5 cos(t) + 0.08 cos(2t) over one turn. periodic: the turn ends behind the last value, as spectra want it;
 * else with it, as NumPy and filters have it. Floats only, computed in f64. */
BZ_API bz_tensor *bz_blackman_window_at(bz_context *c, int64_t n, bool periodic, bz_dtype dtype,
                                        const char *site);
/* n values of alpha - beta cos(t) over one turn. periodic: the turn ends behind the last value, as spectra want it; else with it, as
 * NumPy and filters have it. Floats only, computed in f64. */
BZ_API bz_tensor *bz_hamming_window_at(bz_context *c, int64_t n, bool periodic, double alpha,
                                       double beta, bz_dtype dtype, const char *site);
/* n values of (1 - cos(t)) / 2 over one turn. periodic: the turn ends behind the last value, as spectra want it; else with it, as
 * NumPy and filters have it. Floats only, computed in f64. */
BZ_API bz_tensor *bz_hann_window_at(bz_context *c, int64_t n, bool periodic, bz_dtype dtype,
                                    const char *site);
/* n values of i0(beta sqrt(1 - t^2)) / i0(beta), t from -1 to 1. periodic: the turn ends behind the last value, as spectra want it;
 * else with it, as NumPy and filters have it. Floats only, computed in f64. */
BZ_API bz_tensor *bz_kaiser_window_at(bz_context *c, int64_t n, bool periodic, double beta,
                                      bz_dtype dtype, const char *site);
/* [n, m] with 1 on and below diagonal k. */
BZ_API bz_tensor *bz_tri_at(bz_context *c, int64_t n, int64_t m, int64_t k, bz_dtype dtype,
                            const char *site);
/* Rows and columns of the elements on and below a diagonal of [row, col], in order: [2, count] */
BZ_API bz_tensor *bz_tril_indices_at(bz_context *c, int64_t row, int64_t col, int64_t offset,
                                     const char *site);
/* Rows and columns of the elements on and above a diagonal of [row, col], in order: [2, count] */
BZ_API bz_tensor *bz_triu_indices_at(bz_context *c, int64_t row, int64_t col, int64_t offset,
                                     const char *site);
#define bz_empty(...)                                    bz_empty_at(__VA_ARGS__, BZ_SITE)
#define bz_logspace_4_(c, start, stop, n)                bz_logspace_at((c), (start), (stop), (n), 10, BZ_F32, BZ_SITE)
#define bz_logspace_5_(c, start, stop, n, base)          bz_logspace_at((c), (start), (stop), (n), (base), BZ_F32, BZ_SITE)
#define bz_logspace_6_(c, start, stop, n, base, dtype)   bz_logspace_at((c), (start), (stop), (n), (base), (dtype), BZ_SITE)
#define bz_logspace(...)                                 BZ_BY_COUNT_(bz_logspace, __VA_ARGS__)
#define bz_bartlett_window_2_(c, n)                      bz_bartlett_window_at((c), (n), true, BZ_F32, BZ_SITE)
#define bz_bartlett_window_3_(c, n, periodic)            bz_bartlett_window_at((c), (n), (periodic), BZ_F32, BZ_SITE)
#define bz_bartlett_window_4_(c, n, periodic, dtype)     bz_bartlett_window_at((c), (n), (periodic), (dtype), BZ_SITE)
#define bz_bartlett_window(...)                          BZ_BY_COUNT_(bz_bartlett_window, __VA_ARGS__)
#define bz_blackman_window_2_(c, n)                      bz_blackman_window_at((c), (n), true, BZ_F32, BZ_SITE)
#define bz_blackman_window_3_(c, n, periodic)            bz_blackman_window_at((c), (n), (periodic), BZ_F32, BZ_SITE)
#define bz_blackman_window_4_(c, n, periodic, dtype)     bz_blackman_window_at((c), (n), (periodic), (dtype), BZ_SITE)
#define bz_blackman_window(...)                          BZ_BY_COUNT_(bz_blackman_window, __VA_ARGS__)
#define bz_hamming_window_2_(c, n)                       bz_hamming_window_at((c), (n), true, 0.54, 0.46, BZ_F32, BZ_SITE)
#define bz_hamming_window_3_(c, n, periodic)             bz_hamming_window_at((c), (n), (periodic), 0.54, 0.46, BZ_F32, BZ_SITE)
#define bz_hamming_window_4_(c, n, periodic, alpha)      bz_hamming_window_at((c), (n), (periodic), (alpha), 0.46, BZ_F32, BZ_SITE)
#define bz_hamming_window_5_(c, n, periodic, alpha, beta) bz_hamming_window_at((c), (n), (periodic), (alpha), (beta), BZ_F32, BZ_SITE)
#define bz_hamming_window_6_(c, n, periodic, alpha, beta, dtype) bz_hamming_window_at((c), (n), (periodic), (alpha), (beta), (dtype), BZ_SITE)
#define bz_hamming_window(...)                           BZ_BY_COUNT_(bz_hamming_window, __VA_ARGS__)
#define bz_hann_window_2_(c, n)                          bz_hann_window_at((c), (n), true, BZ_F32, BZ_SITE)
#define bz_hann_window_3_(c, n, periodic)                bz_hann_window_at((c), (n), (periodic), BZ_F32, BZ_SITE)
#define bz_hann_window_4_(c, n, periodic, dtype)         bz_hann_window_at((c), (n), (periodic), (dtype), BZ_SITE)
#define bz_hann_window(...)                              BZ_BY_COUNT_(bz_hann_window, __VA_ARGS__)
#define bz_kaiser_window_2_(c, n)                        bz_kaiser_window_at((c), (n), true, 12, BZ_F32, BZ_SITE)
#define bz_kaiser_window_3_(c, n, periodic)              bz_kaiser_window_at((c), (n), (periodic), 12, BZ_F32, BZ_SITE)
#define bz_kaiser_window_4_(c, n, periodic, beta)        bz_kaiser_window_at((c), (n), (periodic), (beta), BZ_F32, BZ_SITE)
#define bz_kaiser_window_5_(c, n, periodic, beta, dtype) bz_kaiser_window_at((c), (n), (periodic), (beta), (dtype), BZ_SITE)
#define bz_kaiser_window(...)                            BZ_BY_COUNT_(bz_kaiser_window, __VA_ARGS__)
#define bz_tri_3_(c, n, m)                               bz_tri_at((c), (n), (m), 0, BZ_F32, BZ_SITE)
#define bz_tri_4_(c, n, m, k)                            bz_tri_at((c), (n), (m), (k), BZ_F32, BZ_SITE)
#define bz_tri_5_(c, n, m, k, dtype)                     bz_tri_at((c), (n), (m), (k), (dtype), BZ_SITE)
#define bz_tri(...)                                      BZ_BY_COUNT_(bz_tri, __VA_ARGS__)
#define bz_tril_indices_3_(c, row, col)                  bz_tril_indices_at((c), (row), (col), 0, BZ_SITE)
#define bz_tril_indices_4_(c, row, col, offset)          bz_tril_indices_at((c), (row), (col), (offset), BZ_SITE)
#define bz_tril_indices(...)                             BZ_BY_COUNT_(bz_tril_indices, __VA_ARGS__)
#define bz_triu_indices_3_(c, row, col)                  bz_triu_indices_at((c), (row), (col), 0, BZ_SITE)
#define bz_triu_indices_4_(c, row, col, offset)          bz_triu_indices_at((c), (row), (col), (offset), BZ_SITE)
#define bz_triu_indices(...)                             BZ_BY_COUNT_(bz_triu_indices, __VA_ARGS__)

/* Uniform in [0, 1): the next numbers of c's stream (Philox4x32-10). */
BZ_API bz_tensor *bz_rand_at(bz_context *c, const int64_t *shape, int rank, bz_dtype dtype,
                             const char *site);
/* Standard normal (floats): the next numbers of c's stream. */
BZ_API bz_tensor *bz_randn_at(bz_context *c, const int64_t *shape, int rank, bz_dtype dtype,
                              const char *site);
/* Integers lo .. hi-1 (i64): the next numbers of c's stream. */
BZ_API bz_tensor *bz_randint_at(bz_context *c, int64_t lo, int64_t hi, const int64_t *shape,
                                int rank, const char *site);
#define bz_rand(...)    bz_rand_at(__VA_ARGS__, BZ_SITE)
#define bz_randn(...)   bz_randn_at(__VA_ARGS__, BZ_SITE)
#define bz_randint(...) bz_randint_at(__VA_ARGS__, BZ_SITE)

/* Uniform in [low, high) (floats): the next numbers of c's stream. */
BZ_API bz_tensor *bz_uniform_at(bz_context *c, double low, double high, const int64_t *shape,
                                int rank, bz_dtype dtype, const char *site);
/* Normal with this mean and deviation (floats): the next numbers of c's stream. */
BZ_API bz_tensor *bz_normal_at(bz_context *c, double mean, double std, const int64_t *shape,
                               int rank, bz_dtype dtype, const char *site);
/* Exponential with rate lambd (floats): the next numbers of c's stream. */
BZ_API bz_tensor *bz_exponential_at(bz_context *c, double lambd, const int64_t *shape, int rank,
                                    bz_dtype dtype, const char *site);
/* The number of trials up to and with the first success, each with probability p: the next numbers of c's stream. */
BZ_API bz_tensor *bz_geometric_at(bz_context *c, double p, const int64_t *shape, int rank,
                                  bz_dtype dtype, const char *site);
/* 0 .. n - 1 in random order (i64), by the next numbers of c's stream. */
BZ_API bz_tensor *bz_randperm_at(bz_context *c, int64_t n, const char *site);
#define bz_uniform(...)     bz_uniform_at(__VA_ARGS__, BZ_SITE)
#define bz_normal(...)      bz_normal_at(__VA_ARGS__, BZ_SITE)
#define bz_exponential(...) bz_exponential_at(__VA_ARGS__, BZ_SITE)
#define bz_geometric(...)   bz_geometric_at(__VA_ARGS__, BZ_SITE)
#define bz_randperm(...)    bz_randperm_at(__VA_ARGS__, BZ_SITE)

/* ---- facts. rank -1, numel -1, BZ_NDTYPES for a bad handle. The arrays have rank entries, valid while x lives. */
BZ_API int bz_ndim(bz_tensor *x);
BZ_API int64_t bz_numel(bz_tensor *x);
BZ_API bz_dtype bz_dtype_of(bz_tensor *x);
BZ_API const int64_t *bz_shape(bz_tensor *x);   /* NULL for a bad handle */
BZ_API const int64_t *bz_strides(bz_tensor *x); /* in elements */
BZ_API bool bz_is_evaluated(bz_tensor *x);
/* Calls x's memory `name` (copied; NULL: nothing): where a compiled function captures it, explanations, pictures and exports say so.
 * Gives x. */
BZ_API bz_tensor *bz_name(bz_tensor *x, const char *name);
BZ_API const char *bz_dtype_name(bz_dtype t);
BZ_API size_t bz_dtype_size(bz_dtype t);
BZ_API bz_context *bz_context_of(bz_tensor *x); /* NULL for a bad handle */
/* Where x lies, its context's device: BZ_CUDA, and 1 in *number for the second GPU. number NULL is fine; BZ_DEVICE_DEFAULT, 0 for a bad handle. */
BZ_API bz_device bz_device_of(bz_tensor *x, int *number);

/* ---- text: as NumPy prints arrays, summarised above 1000 elements. bz_format writes at most n bytes, the 0 included, and gives the
 * length that the whole text has (snprintf's rule), or 0 on an error. */
BZ_API bz_status bz_print(bz_tensor *x);
BZ_API size_t bz_format(bz_tensor *x, char *dst, size_t n);

/* ---- files: NumPy's .npy. Saving writes a temporary file beside `path` and renames it. bf16 is stored as numpy's void type V2.
 * Loading: BZ_EIO (with the system's reason), BZ_EFORMAT for a damaged file, BZ_EUNSUPPORTED for dtypes that braze lacks. */
BZ_API bz_status bz_save_npy(bz_tensor *x, const char *path);
BZ_API bz_tensor *bz_load_npy_at(bz_context *c, const char *path, const char *site);
#define bz_load_npy(...) bz_load_npy_at(__VA_ARGS__, BZ_SITE)
/* Many tensors in one file, NumPy's .npz: x[i] under names[i], stored as they are or deflated (smaller, and slower). All
 * are computed together, and the file appears whole or not at all. n = 0 is a file without tensors. Loading gives the tensors of
 * the names, all or (BZ_OK is not returned) none: poisoned then. A name is NumPy's, without the ".npy" that members have. Errors:
 * those of .npy; BZ_EARG for a name that is not there, is given twice or cannot be a member's; BZ_EFORMAT for a damaged archive,
 * BZ_EUNSUPPORTED for an encrypted one, or where braze was built without the library for it (docs/dependencies.md). */
BZ_API bz_status bz_save_npz(bz_context *c, const char *path, const char *const *names,
                             bz_tensor *const *x, int n, bool deflate);
BZ_API bz_status bz_load_npz_at(bz_context *c, const char *path, const char *const *names,
                                bz_tensor **x, int n, const char *site);
/* The names in a file, each followed by a newline: at most n bytes of them, the 0 included; gives the length of all (snprintf's
 * rule), 0 on an error. */
BZ_API size_t bz_npz_names(bz_context *c, const char *path, char *dst, size_t n);
#define bz_load_npz(...) bz_load_npz_at(__VA_ARGS__, BZ_SITE)

/* ---- in place: x changes, all views of its memory see it. y broadcasts to x and is cast to x's dtype; it may be a number
 * (operand.h). Gives x; on an error x is unchanged and the result is poisoned. BZ_EARG where elements of x overlap (an expanded tensor). */
BZ_API bz_tensor *bz_copy__at(bz_tensor *x, bz_tensor *y, const char *site);
BZ_API bz_tensor *bz_add__at(bz_tensor *x, bz_tensor *y, const char *site);
BZ_API bz_tensor *bz_sub__at(bz_tensor *x, bz_tensor *y, const char *site);
BZ_API bz_tensor *bz_mul__at(bz_tensor *x, bz_tensor *y, const char *site);
BZ_API bz_tensor *bz_div__at(bz_tensor *x, bz_tensor *y, const char *site);
BZ_API bz_tensor *bz_fill__at(bz_tensor *x, bz_tensor *v, const char *site); /* v: 0-d */
#define bz_copy_(x, y) BZ_INTO_(bz_copy__at, x, y)
#define bz_add_(x, y)  BZ_INTO_(bz_add__at, x, y)
#define bz_sub_(x, y)  BZ_INTO_(bz_sub__at, x, y)
#define bz_mul_(x, y)  BZ_INTO_(bz_mul__at, x, y)
#define bz_div_(x, y)  BZ_INTO_(bz_div__at, x, y)
#define bz_fill_(x, v) BZ_INTO_(bz_fill__at, x, v)

#endif
