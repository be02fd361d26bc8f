/* move.h - the same elements at other places. Views share x's memory: in-place ops on one are seen by all.
 * Made by tools/api.py from tools/api/move.h and src/ir/builders.def: do not edit.
 *
 * Axes count from the end when negative; 0-d tensors have the axes 0 and -1, as in PyTorch. Errors: BZ_EAXIS (out of range or
 * repeated), BZ_ESHAPE. */
#ifndef BRAZE_MOVE_H
#define BRAZE_MOVE_H

#include "braze/api.h"

/* ---- views */

/* Same elements in row-major order; one size may be -1. A view where strides allow it, else a copy. */
BZ_API bz_tensor *bz_reshape_at(bz_tensor *x, const int64_t *shape, int rank, const char *site);
/* Axis i of the result is axis perm[i] of x. */
BZ_API bz_tensor *bz_permute_at(bz_tensor *x, const int *perm, int n, const char *site);
/* Axes a and b swapped. */
BZ_API bz_tensor *bz_transpose_at(bz_tensor *x, int a, int b, const char *site);
/* Axes of size 1 repeated; new axes in front (NumPy's broadcast_to). -1 keeps the size of an axis that is there. */
BZ_API bz_tensor *bz_expand_at(bz_tensor *x, const int64_t *shape, int rank, const char *site);
/* Python's x[start:stop:step] for the first n axes; step any number but 0 (NULL: 1); BZ_OPEN = left out. The other axes stay whole. */
BZ_API bz_tensor *bz_slice_at(bz_tensor *x, const int64_t *start, const int64_t *stop,
                              const int64_t *step, int n, const char *site);
/* x[index] along an axis, which vanishes. */
BZ_API bz_tensor *bz_select_at(bz_tensor *x, int axis, int64_t index, const char *site);
/* length elements of an axis from start on, which may count from the end. BZ_EINDEX unless all are there. */
BZ_API bz_tensor *bz_narrow_at(bz_tensor *x, int axis, int64_t start, int64_t length,
                               const char *site);
/* An axis of size 1 left out (one of another size stays). */
BZ_API bz_tensor *bz_squeeze_at(bz_tensor *x, int axis, const char *site);
/* An axis of size 1 put in. */
BZ_API bz_tensor *bz_unsqueeze_at(bz_tensor *x, int axis, const char *site);
/* Axes from .. to as one. */
BZ_API bz_tensor *bz_flatten_at(bz_tensor *x, int from, int to, const char *site);
/* Elements [i, i + offset] of axes a and b, as a new last axis. */
BZ_API bz_tensor *bz_diagonal_at(bz_tensor *x, int64_t offset, int a, int b, const char *site);
/* Window on x's row-major elements: [i0 ...] is element offset + i0 strides[0] + ... . BZ_EINDEX when it reaches outside. A view
 * where strides allow it (always where x is whole), else a copy. */
BZ_API bz_tensor *bz_as_strided_at(bz_tensor *x, const int64_t *shape, const int64_t *strides,
                                   int rank, int64_t offset, const char *site);
#define bz_reshape(...)    bz_reshape_at(__VA_ARGS__, BZ_SITE)
#define bz_permute(...)    bz_permute_at(__VA_ARGS__, BZ_SITE)
#define bz_transpose(...)  bz_transpose_at(__VA_ARGS__, BZ_SITE)
#define bz_expand(...)     bz_expand_at(__VA_ARGS__, BZ_SITE)
#define bz_slice(...)      bz_slice_at(__VA_ARGS__, BZ_SITE)
#define bz_select(...)     bz_select_at(__VA_ARGS__, BZ_SITE)
#define bz_narrow(...)     bz_narrow_at(__VA_ARGS__, BZ_SITE)
#define bz_squeeze(...)    bz_squeeze_at(__VA_ARGS__, BZ_SITE)
#define bz_unsqueeze(...)  bz_unsqueeze_at(__VA_ARGS__, BZ_SITE)
#define bz_flatten(...)    bz_flatten_at(__VA_ARGS__, BZ_SITE)
#define bz_diagonal(...)   bz_diagonal_at(__VA_ARGS__, BZ_SITE)
#define bz_as_strided(...) bz_as_strided_at(__VA_ARGS__, BZ_SITE)

#define BZ_OPEN INT64_MIN /* an end of a slice that is left out */

/* Python's x[text]: integers, slices with any step, ..., None, between commas: bz_at(x, "3, :, ..., ::-2"); all of x for an empty text.
 * BZ_EINDEX for an integer that is outside, BZ_EARG for what cannot be read, with its place in the text. */
BZ_API bz_tensor *bz_at_at(bz_tensor *x, const char *text, const char *site);
#define bz_at(...) bz_at_at(__VA_ARGS__, BZ_SITE)

/* ---- new tensors */

/* A border of value: lo[i] elements before and hi[i] after axis i, n = rank of x. */
BZ_API bz_tensor *bz_pad_at(bz_tensor *x, const int64_t *lo, const int64_t *hi, int n, double value,
                            const char *site);
/* One after the other along an axis; dtypes are promoted. */
BZ_API bz_tensor *bz_concat_at(bz_tensor *const *x, int n, int axis, const char *site);
/* Along a new axis; all of one shape, dtypes are promoted. */
BZ_API bz_tensor *bz_stack_at(bz_tensor *const *x, int n, int axis, const char *site);
/* Elements in reverse order along the axes (n = 0: all). */
BZ_API bz_tensor *bz_flip_at(bz_tensor *x, const int *axes, int n, const char *site);
/* x with index's shape in place of the axis (numpy.take). Negative indices count from the end; outside: BZ_EINDEX when it runs, read
 * or not. */
BZ_API bz_tensor *bz_gather_at(bz_tensor *x, bz_tensor *index, int axis, const char *site);
/* Sorted along an axis: stable, NaN last. indices (may be NULL) takes the i64 positions. */
BZ_API bz_tensor *bz_sort_at(bz_tensor *x, int axis, bool descending, bz_tensor **indices,
                             const char *site);
/* 1 at each element's class, else 0, along a new last axis of size classes. x: integers. */
BZ_API bz_tensor *bz_one_hot_at(bz_tensor *x, int64_t classes, bz_dtype dtype, const char *site);
/* The same values in memory of their own. */
BZ_API bz_tensor *bz_copy_at(bz_tensor *x, const char *site);
/* The same values as another dtype: floats to integers truncate and saturate, NaN gives 0. */
BZ_API bz_tensor *bz_cast_at(bz_tensor *x, bz_dtype dtype, const char *site);
/* The same bits as another dtype of the same size. */
BZ_API bz_tensor *bz_bitcast_at(bz_tensor *x, bz_dtype dtype, const char *site);
#define bz_pad(...)     bz_pad_at(__VA_ARGS__, BZ_SITE)
#define bz_concat(...)  bz_concat_at(__VA_ARGS__, BZ_SITE)
#define bz_stack(...)   bz_stack_at(__VA_ARGS__, BZ_SITE)
#define bz_flip(...)    bz_flip_at(__VA_ARGS__, BZ_SITE)
#define bz_gather(...)  bz_gather_at(__VA_ARGS__, BZ_SITE)
#define bz_sort(...)    bz_sort_at(__VA_ARGS__, BZ_SITE)
#define bz_one_hot(...) bz_one_hot_at(__VA_ARGS__, BZ_SITE)
#define bz_copy(...)    bz_copy_at(__VA_ARGS__, BZ_SITE)
#define bz_cast(...)    bz_cast_at(__VA_ARGS__, BZ_SITE)
#define bz_bitcast(...) bz_bitcast_at(__VA_ARGS__, BZ_SITE)

#endif
