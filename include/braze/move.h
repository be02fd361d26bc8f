/* move.h - the same elements at other places. Views share x's memory: in-place ops on one are seen by all.
 * Made by tools/api.py from tools/api/move.h and src/ir/builders.def: do not edit.
 *
 * Axes count from the end when negative; 0-d tensors have the axes 0 and -1, as in PyTorch. Errors: BZ_EAXIS (out of range or
 * repeated), BZ_ESHAPE. */
#ifndef BRAZE_MOVE_H
#define BRAZE_MOVE_H

#include "braze/operand.h"

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
/* Reshape that never copies. BZ_ESHAPE where strides don't allow it (PyTorch's view); in text the same as reshape. */
BZ_API bz_tensor *bz_view_at(bz_tensor *x, const int64_t *shape, int rank, const char *site);
/* View with the shape of other. BZ_ESHAPE where strides don't allow it. */
BZ_API bz_tensor *bz_view_as_at(bz_tensor *x, bz_tensor *other, const char *site);
/* Reshape to the shape of other. */
BZ_API bz_tensor *bz_reshape_as_at(bz_tensor *x, bz_tensor *other, const char *site);
/* All elements as one axis. */
BZ_API bz_tensor *bz_ravel_at(bz_tensor *x, const char *site);
/* An axis taken apart into axes of these sizes; one may be -1. */
BZ_API bz_tensor *bz_unflatten_at(bz_tensor *x, int axis, const int64_t *sizes, int n,
                                  const char *site);
/* Windows on an axis, each a step on, as a new last axis. A view: windows overlap (torch.Tensor.unfold). BZ_EARG for windows longer
 * than the axis. */
BZ_API bz_tensor *bz_sliding_window_view_at(bz_tensor *x, int64_t size, int axis, int64_t step,
                                            const char *site);
/* Axis from[i] moved to place to[i]; the others keep their order. */
BZ_API bz_tensor *bz_movedim_at(bz_tensor *x, const int *from, const int *to, int n,
                                const char *site);
/* Movedim under NumPy's name. */
BZ_API bz_tensor *bz_moveaxis_at(bz_tensor *x, const int *from, const int *to, int n,
                                 const char *site);
/* Axes a and b swapped, NumPy's name. */
BZ_API bz_tensor *bz_swapaxes_at(bz_tensor *x, int a, int b, const char *site);
/* Axes a and b swapped. */
BZ_API bz_tensor *bz_swapdims_at(bz_tensor *x, int a, int b, const char *site);
/* Transposed matrix; x itself of 0 or 1 axes. BZ_ESHAPE for more than two axes. */
BZ_API bz_tensor *bz_t_at(bz_tensor *x, const char *site);
/* The last two axes swapped. BZ_ESHAPE for fewer than two axes. */
BZ_API bz_tensor *bz_mT_at(bz_tensor *x, const char *site);
/* Conjugate transpose: the last two axes swapped; of complex numbers not a view. */
BZ_API bz_tensor *bz_adjoint_at(bz_tensor *x, const char *site);
/* Expand under NumPy's name. */
BZ_API bz_tensor *bz_broadcast_to_at(bz_tensor *x, const int64_t *shape, int rank,
                                     const char *site);
/* Expand to the shape of other. */
BZ_API bz_tensor *bz_expand_as_at(bz_tensor *x, bz_tensor *other, const char *site);
/* All expanded to the shape that they broadcast to. parts[0 ..] take the results, of which there is room for `room`; gives their
 * number. -1, with poisoned handles in all of parts, on an error, and where there are more than that. */
BZ_API int bz_broadcast_tensors_at(bz_tensor *const *x, int n, bz_tensor **parts, int room,
                                   const char *site);
/* x, or [1] of a 0-d x. */
BZ_API bz_tensor *bz_atleast_1d_at(bz_tensor *x, const char *site);
/* x with axes of one element in front, so that there are two. */
BZ_API bz_tensor *bz_atleast_2d_at(bz_tensor *x, const char *site);
/* x with axes of one element, so that there are three: [1, n, 1], [m, n, 1] */
BZ_API bz_tensor *bz_atleast_3d_at(bz_tensor *x, const char *site);
/* x where its elements lie row-major, else a copy whose do. */
BZ_API bz_tensor *bz_contiguous_at(bz_tensor *x, const char *site);
/* Parts of `size` elements of an axis, the last one of what is left; or of these sizes. Views. One of size and n is 0. parts[0 ..]
 * take the results, of which there is room for `room`; gives their number. -1, with poisoned handles in all of parts, on an error,
 * and where there are more than that. */
BZ_API int bz_split_at(bz_tensor *x, int64_t size, const int64_t *sizes, int n, int axis,
                       bz_tensor **parts, int room, const char *site);
/* At most so many parts of equal size, but for the last. Views. parts[0 ..] take the results, of which there is room for `room`;
 * gives their number. -1, with poisoned handles in all of parts, on an error, and where there are more than that. */
BZ_API int bz_chunk_at(bz_tensor *x, int64_t chunks, int axis, bz_tensor **parts, int room,
                       const char *site);
/* Exactly so many parts, whose sizes differ by one at most; or the parts between indices. Views. One of sections and n is 0. parts[0
 * ..] take the results, of which there is room for `room`; gives their number. -1, with poisoned handles in all of parts, on an
 * error, and where there are more than that. */
BZ_API int bz_tensor_split_at(bz_tensor *x, int64_t sections, const int64_t *indices, int n,
                              int axis, bz_tensor **parts, int room, const char *site);
/* Equal parts along axis 1 (axis 0 of a 1-d x), or those between indices. Views. parts[0 ..] take the results, of which there is
 * room for `room`; gives their number. -1, with poisoned handles in all of parts, on an error, and where there are more than that. */
BZ_API int bz_hsplit_at(bz_tensor *x, int64_t sections, const int64_t *indices, int n,
                        bz_tensor **parts, int room, const char *site);
/* Equal parts along axis 0, or those between indices. Views. parts[0 ..] take the results, of which there is room for `room`; gives
 * their number. -1, with poisoned handles in all of parts, on an error, and where there are more than that. */
BZ_API int bz_vsplit_at(bz_tensor *x, int64_t sections, const int64_t *indices, int n,
                        bz_tensor **parts, int room, const char *site);
/* Equal parts along axis 2, or those between indices. Views. parts[0 ..] take the results, of which there is room for `room`; gives
 * their number. -1, with poisoned handles in all of parts, on an error, and where there are more than that. */
BZ_API int bz_dsplit_at(bz_tensor *x, int64_t sections, const int64_t *indices, int n,
                        bz_tensor **parts, int room, const char *site);
/* x[0], x[1] ... along an axis, which vanishes. Views. parts[0 ..] take the results, of which there is room for `room`; gives their
 * number. -1, with poisoned handles in all of parts, on an error, and where there are more than that. */
BZ_API int bz_unbind_at(bz_tensor *x, int axis, bz_tensor **parts, int room, const char *site);
#define bz_reshape(...)                                bz_reshape_at(__VA_ARGS__, BZ_SITE)
#define bz_permute(...)                                bz_permute_at(__VA_ARGS__, BZ_SITE)
#define bz_transpose_1_(x)                             bz_transpose_at((x), -2, -1, BZ_SITE)
#define bz_transpose_2_(x, a)                          bz_transpose_at((x), (a), -1, BZ_SITE)
#define bz_transpose_3_(x, a, b)                       bz_transpose_at((x), (a), (b), BZ_SITE)
#define bz_transpose(...)                              BZ_BY_COUNT_(bz_transpose, __VA_ARGS__)
#define bz_expand(...)                                 bz_expand_at(__VA_ARGS__, BZ_SITE)
#define bz_slice(...)                                  bz_slice_at(__VA_ARGS__, BZ_SITE)
#define bz_select(...)                                 bz_select_at(__VA_ARGS__, BZ_SITE)
#define bz_narrow(...)                                 bz_narrow_at(__VA_ARGS__, BZ_SITE)
#define bz_squeeze(...)                                bz_squeeze_at(__VA_ARGS__, BZ_SITE)
#define bz_unsqueeze(...)                              bz_unsqueeze_at(__VA_ARGS__, BZ_SITE)
#define bz_flatten_1_(x)                               bz_flatten_at((x), 0, -1, BZ_SITE)
#define bz_flatten_2_(x, from)                         bz_flatten_at((x), (from), -1, BZ_SITE)
#define bz_flatten_3_(x, from, to)                     bz_flatten_at((x), (from), (to), BZ_SITE)
#define bz_flatten(...)                                BZ_BY_COUNT_(bz_flatten, __VA_ARGS__)
#define bz_diagonal_1_(x)                              bz_diagonal_at((x), 0, 0, 1, BZ_SITE)
#define bz_diagonal_2_(x, offset)                      bz_diagonal_at((x), (offset), 0, 1, BZ_SITE)
#define bz_diagonal_3_(x, offset, a)                   bz_diagonal_at((x), (offset), (a), 1, BZ_SITE)
#define bz_diagonal_4_(x, offset, a, b)                bz_diagonal_at((x), (offset), (a), (b), BZ_SITE)
#define bz_diagonal(...)                               BZ_BY_COUNT_(bz_diagonal, __VA_ARGS__)
#define bz_as_strided(...)                             bz_as_strided_at(__VA_ARGS__, BZ_SITE)
#define bz_view(...)                                   bz_view_at(__VA_ARGS__, BZ_SITE)
#define bz_view_as(...)                                bz_view_as_at(__VA_ARGS__, BZ_SITE)
#define bz_reshape_as(...)                             bz_reshape_as_at(__VA_ARGS__, BZ_SITE)
#define bz_ravel(...)                                  bz_ravel_at(__VA_ARGS__, BZ_SITE)
#define bz_unflatten(...)                              bz_unflatten_at(__VA_ARGS__, BZ_SITE)
#define bz_sliding_window_view_2_(x, size)             bz_sliding_window_view_at((x), (size), -1, 1, BZ_SITE)
#define bz_sliding_window_view_3_(x, size, axis)       bz_sliding_window_view_at((x), (size), (axis), 1, BZ_SITE)
#define bz_sliding_window_view_4_(x, size, axis, step) bz_sliding_window_view_at((x), (size), (axis), (step), BZ_SITE)
#define bz_sliding_window_view(...)                    BZ_BY_COUNT_(bz_sliding_window_view, __VA_ARGS__)
#define bz_movedim(...)                                bz_movedim_at(__VA_ARGS__, BZ_SITE)
#define bz_moveaxis(...)                               bz_moveaxis_at(__VA_ARGS__, BZ_SITE)
#define bz_swapaxes(...)                               bz_swapaxes_at(__VA_ARGS__, BZ_SITE)
#define bz_swapdims(...)                               bz_swapdims_at(__VA_ARGS__, BZ_SITE)
#define bz_t(...)                                      bz_t_at(__VA_ARGS__, BZ_SITE)
#define bz_mT(...)                                     bz_mT_at(__VA_ARGS__, BZ_SITE)
#define bz_adjoint(...)                                bz_adjoint_at(__VA_ARGS__, BZ_SITE)
#define bz_broadcast_to(...)                           bz_broadcast_to_at(__VA_ARGS__, BZ_SITE)
#define bz_expand_as(...)                              bz_expand_as_at(__VA_ARGS__, BZ_SITE)
#define bz_broadcast_tensors(...)                      bz_broadcast_tensors_at(__VA_ARGS__, BZ_SITE)
#define bz_atleast_1d(...)                             bz_atleast_1d_at(__VA_ARGS__, BZ_SITE)
#define bz_atleast_2d(...)                             bz_atleast_2d_at(__VA_ARGS__, BZ_SITE)
#define bz_atleast_3d(...)                             bz_atleast_3d_at(__VA_ARGS__, BZ_SITE)
#define bz_contiguous(...)                             bz_contiguous_at(__VA_ARGS__, BZ_SITE)
#define bz_split(...)                                  bz_split_at(__VA_ARGS__, BZ_SITE)
#define bz_chunk(...)                                  bz_chunk_at(__VA_ARGS__, BZ_SITE)
#define bz_tensor_split(...)                           bz_tensor_split_at(__VA_ARGS__, BZ_SITE)
#define bz_hsplit(...)                                 bz_hsplit_at(__VA_ARGS__, BZ_SITE)
#define bz_vsplit(...)                                 bz_vsplit_at(__VA_ARGS__, BZ_SITE)
#define bz_dsplit(...)                                 bz_dsplit_at(__VA_ARGS__, BZ_SITE)
#define bz_unbind(...)                                 bz_unbind_at(__VA_ARGS__, BZ_SITE)

#define BZ_OPEN INT64_MIN /* an end of a slice that is left out */
#define BZ_FLAT INT32_MIN /* no axis: the elements in row-major order */

/* Python's x[text]: integers, slices with any step, ..., None, between commas: bz_at(x, "3, :, ..., ::-2"); all of x for an empty text.
 * BZ_EINDEX for an integer that is outside, BZ_EARG for what cannot be read, with its place in the text. */
BZ_API bz_tensor *bz_at_at(bz_tensor *x, const char *text, const char *site);
#define bz_at(...) bz_at_at(__VA_ARGS__, BZ_SITE)

/* ---- new tensors */

typedef enum bz_combine { BZ_COMBINE_SUM, BZ_COMBINE_PROD, BZ_COMBINE_MEAN, BZ_COMBINE_AMAX, BZ_COMBINE_AMIN } bz_combine;

typedef enum bz_bag { BZ_BAG_SUM, BZ_BAG_MEAN, BZ_BAG_MAX } bz_bag;

/* A border of value: lo[i] elements before and hi[i] after axis i, n = rank of x. */
BZ_API bz_tensor *bz_pad_at(bz_tensor *x, const int64_t *lo, const int64_t *hi, int n, double value,
                            const char *site);
/* One after the other along an axis; dtypes are promoted. */
BZ_API bz_tensor *bz_concat_at(bz_tensor *const *x, int n, int axis, const char *site);
/* Along a new axis; all of one shape, dtypes are promoted. */
BZ_API bz_tensor *bz_stack_at(bz_tensor *const *x, int n, int axis, const char *site);
/* Elements in reverse order along the axes (n = 0: all). */
BZ_API bz_tensor *bz_flip_at(bz_tensor *x, const int *axes, int n, const char *site);
/* Axis 1 in reverse order. */
BZ_API bz_tensor *bz_fliplr_at(bz_tensor *x, const char *site);
/* Axis 0 in reverse order. */
BZ_API bz_tensor *bz_flipud_at(bz_tensor *x, const char *site);
/* Elements moved on along the axes, those at the end to the beginning. axes NULL, with one shift: along the elements in row-major
 * order. */
BZ_API bz_tensor *bz_roll_at(bz_tensor *x, const int64_t *shifts, const int *axes, int n,
                             const char *site);
/* Turned k times by 90 degrees in the plane of axes a and b, from a towards b. */
BZ_API bz_tensor *bz_rot90_at(bz_tensor *x, int k, int a, int b, const char *site);
/* A border of x's elements in reverse order, without the edge. lo[i] elements before and hi[i] after axis i, fewer than it has. */
BZ_API bz_tensor *bz_pad_reflect_at(bz_tensor *x, const int64_t *lo, const int64_t *hi, int n,
                                    const char *site);
/* A border of x's elements in reverse order, with the edge (NumPy's mode). lo[i] elements before and hi[i] after axis i, no more
 * than it has. */
BZ_API bz_tensor *bz_pad_symmetric_at(bz_tensor *x, const int64_t *lo, const int64_t *hi, int n,
                                      const char *site);
/* A border of the element at the edge. lo[i] elements before and hi[i] after axis i. */
BZ_API bz_tensor *bz_pad_replicate_at(bz_tensor *x, const int64_t *lo, const int64_t *hi, int n,
                                      const char *site);
/* A border of what lies at the other end. lo[i] elements before and hi[i] after axis i, no more than it has. */
BZ_API bz_tensor *bz_pad_circular_at(bz_tensor *x, const int64_t *lo, const int64_t *hi, int n,
                                     const char *site);
/* x repeated along each axis; new axes in front. At least as many numbers as x has axes. */
BZ_API bz_tensor *bz_repeat_at(bz_tensor *x, const int64_t *sizes, int n, const char *site);
/* Repeat, also of fewer numbers, for the last axes. */
BZ_API bz_tensor *bz_tile_at(bz_tensor *x, const int64_t *sizes, int n, const char *site);
/* Each element of an axis so many times: one number for all, or one for each. BZ_FLAT: of the elements in row-major order. */
BZ_API bz_tensor *bz_repeat_interleave_at(bz_tensor *x, const int64_t *repeats, int n, int axis,
                                          const char *site);
/* Concat under PyTorch's name. */
BZ_API bz_tensor *bz_cat_at(bz_tensor *const *x, int n, int axis, const char *site);
/* One after the other along axis 1 (1-d ones: axis 0). */
BZ_API bz_tensor *bz_hstack_at(bz_tensor *const *x, int n, const char *site);
/* One after the other along axis 0; 1-d ones are rows. */
BZ_API bz_tensor *bz_vstack_at(bz_tensor *const *x, int n, const char *site);
/* One after the other along axis 2, of atleast_3d of each. */
BZ_API bz_tensor *bz_dstack_at(bz_tensor *const *x, int n, const char *site);
/* One after the other along axis 1; 1-d ones are columns. */
BZ_API bz_tensor *bz_column_stack_at(bz_tensor *const *x, int n, const char *site);
/* Matrices as blocks of a diagonal, zeros elsewhere. */
BZ_API bz_tensor *bz_block_diag_at(bz_tensor *const *x, int n, const char *site);
/* All combinations of an element of each 1-d tensor, as rows. */
BZ_API bz_tensor *bz_cartesian_prod_at(bz_tensor *const *x, int n, const char *site);
/* All choices of k elements of a 1-d tensor, as rows. */
BZ_API bz_tensor *bz_combinations_at(bz_tensor *x, int k, bool with_replacement, const char *site);
/* Zeros with the last axis of x on the diagonal of two new axes. */
BZ_API bz_tensor *bz_diag_embed_at(bz_tensor *x, int64_t offset, int a, int b, const char *site);
/* x with y as its diagonal. */
BZ_API bz_tensor *bz_diagonal_scatter_at(bz_tensor *x, bz_tensor *y, int64_t offset, int a, int b,
                                         const char *site);
/* x with y as x[index] along an axis. */
BZ_API bz_tensor *bz_select_scatter_at(bz_tensor *x, bz_tensor *y, int axis, int64_t index,
                                       const char *site);
/* x with y as Python's slice of an axis. BZ_OPEN: an end that is left out. */
BZ_API bz_tensor *bz_slice_scatter_at(bz_tensor *x, bz_tensor *y, int axis, int64_t start,
                                      int64_t stop, int64_t step, const char *site);
/* x with y in a window on its row-major elements. */
BZ_API bz_tensor *bz_as_strided_scatter_at(bz_tensor *x, bz_tensor *y, const int64_t *strides,
                                           int n, int64_t offset, const char *site);
/* x with index's shape in place of the axis (numpy.take). Negative indices count from the end; outside: BZ_EINDEX when it runs, read
 * or not. */
BZ_API bz_tensor *bz_gather_at(bz_tensor *x, bz_tensor *index, int axis, const char *site);
/* Elements of x at integer indices: of x as one axis, or rows along an axis (numpy.take). BZ_FLAT: of the elements in row-major
 * order, as torch.take. */
BZ_API bz_tensor *bz_take_at(bz_tensor *x, bz_tensor *index, int axis, const char *site);
/* x with a number where mask is true. mask and x broadcast; value is 0-d. */
BZ_API bz_tensor *bz_masked_fill_at(bz_tensor *x, bz_tensor *mask, bz_tensor *value,
                                    const char *site);
/* x with the next element of source where mask is true. mask broadcasts to x; BZ_EINDEX when it runs if source has too few elements. */
BZ_API bz_tensor *bz_masked_scatter_at(bz_tensor *x, bz_tensor *mask, bz_tensor *source,
                                       const char *site);
/* Sorted along an axis: stable, NaN last. indices (may be NULL) takes the i64 positions. */
BZ_API bz_tensor *bz_sort_at(bz_tensor *x, int axis, bool descending, bz_tensor **indices,
                             const char *site);
/* Where the elements of a sorted axis stood. As bz_sort's indices. */
BZ_API bz_tensor *bz_argsort_at(bz_tensor *x, int axis, bool descending, const char *site);
/* Sorted along axis 0. */
BZ_API bz_tensor *bz_msort_at(bz_tensor *x, const char *site);
/* The k largest elements of an axis, the largest first; or the k smallest. NaN is larger than all. Of equal ones the last comes
 * first (smallest: the first). indices (may be NULL) takes the i64 positions. BZ_EARG for k outside 0 .. the axis's size. */
BZ_API bz_tensor *bz_topk_at(bz_tensor *x, int64_t k, int axis, bool smallest, bz_tensor **indices,
                             const char *site);
/* The k-th smallest element of an axis, from 1. NaN is larger than all. indices (may be NULL) takes its i64 position, of equal ones
 * in their order. BZ_EARG for k outside 1 .. the axis's size. */
BZ_API bz_tensor *bz_kthvalue_at(bz_tensor *x, int64_t k, int axis, bool keepdim,
                                 bz_tensor **indices, const char *site);
/* Where in a sorted sequence, or in rows of one, each x would stand: before equal ones, or behind them. sequence: [n], or [.., n]
 * for x: [.., m]. i64; NaN stands last. Has no gradient. */
BZ_API bz_tensor *bz_searchsorted_at(bz_tensor *sequence, bz_tensor *x, bool right,
                                     const char *site);
/* The number of the bucket of each x between sorted boundaries. bz_searchsorted of 1-d boundaries. */
BZ_API bz_tensor *bz_bucketize_at(bz_tensor *x, bz_tensor *boundaries, bool right,
                                  const char *site);
/* Is x equal to any element of test? bool, of x's shape; NaN is equal to nothing. */
BZ_API bz_tensor *bz_isin_at(bz_tensor *x, bz_tensor *test, bool invert, const char *site);
/* 1 at each element's class, else 0, along a new last axis of size classes. x: integers. */
BZ_API bz_tensor *bz_one_hot_at(bz_tensor *x, int64_t classes, bz_dtype dtype, const char *site);
/* The same values in memory of their own. */
BZ_API bz_tensor *bz_copy_at(bz_tensor *x, const char *site);
/* The same values as another dtype: floats to integers truncate and saturate, NaN gives 0; of complex numbers real dtypes take the
 * real part (bool: whether it is not 0). */
BZ_API bz_tensor *bz_cast_at(bz_tensor *x, bz_dtype dtype, const char *site);
/* The same bits as another dtype of the same size. */
BZ_API bz_tensor *bz_bitcast_at(bz_tensor *x, bz_dtype dtype, const char *site);
/* Of each line of x along an axis the elements that index names (torch.gather). index has x's axes; where it has 1 the same for all.
 * Negative indices count from the end; outside: BZ_EINDEX when it runs. Differentiable, as all of these. */
BZ_API bz_tensor *bz_take_along_dim_at(bz_tensor *x, bz_tensor *index, int axis, const char *site);
/* x with the elements of src where index names them, along an axis. index has x's axes, of no other more elements than x, of none
 * more than src (0-d: that one everywhere). Of several that go to one place the last stays. */
BZ_API bz_tensor *bz_scatter_at(bz_tensor *x, bz_tensor *index, bz_tensor *src, int axis,
                                const char *site);
/* x plus the elements of src where index names them, along an axis. As bz_scatter; several that go to one place add up in their
 * order. exclude_self: x's own element does not count there. */
BZ_API bz_tensor *bz_scatter_add_at(bz_tensor *x, bz_tensor *index, bz_tensor *src, int axis,
                                    bool exclude_self, const char *site);
/* x times the elements of src where index names them, along an axis. As bz_scatter_add. */
BZ_API bz_tensor *bz_scatter_prod_at(bz_tensor *x, bz_tensor *index, bz_tensor *src, int axis,
                                     bool exclude_self, const char *site);
/* The mean of x and the elements of src where index names them, along an axis. As bz_scatter_add; of integers rounded down. */
BZ_API bz_tensor *bz_scatter_mean_at(bz_tensor *x, bz_tensor *index, bz_tensor *src, int axis,
                                     bool exclude_self, const char *site);
/* The largest of x and the elements of src where index names them, along an axis. As bz_scatter_add. */
BZ_API bz_tensor *bz_scatter_amax_at(bz_tensor *x, bz_tensor *index, bz_tensor *src, int axis,
                                     bool exclude_self, const char *site);
/* The smallest of x and the elements of src where index names them, along an axis. As bz_scatter_add. */
BZ_API bz_tensor *bz_scatter_amin_at(bz_tensor *x, bz_tensor *index, bz_tensor *src, int axis,
                                     bool exclude_self, const char *site);
/* x and the elements of src where index names them, combined along an axis. bz_scatter_add, _prod, _mean, _amax or _amin. */
BZ_API bz_tensor *bz_scatter_reduce_at(bz_tensor *x, bz_tensor *index, bz_tensor *src, int axis,
                                       bz_combine reduce, bool exclude_self, const char *site);
/* Rows of x at indices of one axis. As bz_gather of 1-d indices. */
BZ_API bz_tensor *bz_index_select_at(bz_tensor *x, bz_tensor *index, int axis, const char *site);
/* x with alpha times rows of src added to those that index names. src has x's axes, and as many rows as index; several that go to
 * one row add up in their order. */
BZ_API bz_tensor *bz_index_add_at(bz_tensor *x, bz_tensor *index, bz_tensor *src, int axis,
                                  double alpha, const char *site);
/* x with rows of src in place of those that index names. As bz_index_add; the last one stays. */
BZ_API bz_tensor *bz_index_copy_at(bz_tensor *x, bz_tensor *index, bz_tensor *src, int axis,
                                   const char *site);
/* Rows of x and the rows of src that index names for them, combined. As bz_index_add. exclude_self: x's own row does not count
 * there; a mean of integers is rounded down. */
BZ_API bz_tensor *bz_index_reduce_at(bz_tensor *x, bz_tensor *index, bz_tensor *src, int axis,
                                     bz_combine reduce, bool exclude_self, const char *site);
/* x with a number in all rows that index names. value is 0-d. */
BZ_API bz_tensor *bz_index_fill_at(bz_tensor *x, bz_tensor *index, bz_tensor *value, int axis,
                                   const char *site);
/* x with values at x[index[0], .., index[n - 1]]: integer indices of its first n axes, which broadcast, as values does to their
 * shape and x's other axes. Of several that go to one place the last stays; accumulate: they add up in their order. */
BZ_API bz_tensor *bz_index_put_at(bz_tensor *x, bz_tensor *values, bz_tensor *const *index, int n,
                                  bool accumulate, const char *site);
/* Rows of weight, [rows, width], at integer indices. Row padding_idx gets no gradient. */
BZ_API bz_tensor *bz_embedding_at(bz_tensor *index, bz_tensor *weight, int64_t padding_idx,
                                  const char *site);
/* Sum, mean or maximum of the rows of weight in each bag. index: [bags, n], or [n] and offsets [bags], where in index each bag
 * begins, ascending from 0. An empty bag is 0. */
BZ_API bz_tensor *bz_embedding_bag_at(bz_tensor *index, bz_tensor *weight, bz_tensor *offsets,
                                      bz_bag mode, const char *site);
#define bz_pad(...)                                     bz_pad_at(__VA_ARGS__, BZ_SITE)
#define bz_concat(...)                                  bz_concat_at(__VA_ARGS__, BZ_SITE)
#define bz_stack(...)                                   bz_stack_at(__VA_ARGS__, BZ_SITE)
#define bz_flip(...)                                    bz_flip_at(__VA_ARGS__, BZ_SITE)
#define bz_fliplr(...)                                  bz_fliplr_at(__VA_ARGS__, BZ_SITE)
#define bz_flipud(...)                                  bz_flipud_at(__VA_ARGS__, BZ_SITE)
#define bz_roll(...)                                    bz_roll_at(__VA_ARGS__, BZ_SITE)
#define bz_rot90_1_(x)                                  bz_rot90_at((x), 1, 0, 1, BZ_SITE)
#define bz_rot90_2_(x, k)                               bz_rot90_at((x), (k), 0, 1, BZ_SITE)
#define bz_rot90_3_(x, k, a)                            bz_rot90_at((x), (k), (a), 1, BZ_SITE)
#define bz_rot90_4_(x, k, a, b)                         bz_rot90_at((x), (k), (a), (b), BZ_SITE)
#define bz_rot90(...)                                   BZ_BY_COUNT_(bz_rot90, __VA_ARGS__)
#define bz_pad_reflect(...)                             bz_pad_reflect_at(__VA_ARGS__, BZ_SITE)
#define bz_pad_symmetric(...)                           bz_pad_symmetric_at(__VA_ARGS__, BZ_SITE)
#define bz_pad_replicate(...)                           bz_pad_replicate_at(__VA_ARGS__, BZ_SITE)
#define bz_pad_circular(...)                            bz_pad_circular_at(__VA_ARGS__, BZ_SITE)
#define bz_repeat(...)                                  bz_repeat_at(__VA_ARGS__, BZ_SITE)
#define bz_tile(...)                                    bz_tile_at(__VA_ARGS__, BZ_SITE)
#define bz_repeat_interleave(...)                       bz_repeat_interleave_at(__VA_ARGS__, BZ_SITE)
#define bz_cat(...)                                     bz_cat_at(__VA_ARGS__, BZ_SITE)
#define bz_hstack(...)                                  bz_hstack_at(__VA_ARGS__, BZ_SITE)
#define bz_vstack(...)                                  bz_vstack_at(__VA_ARGS__, BZ_SITE)
#define bz_dstack(...)                                  bz_dstack_at(__VA_ARGS__, BZ_SITE)
#define bz_column_stack(...)                            bz_column_stack_at(__VA_ARGS__, BZ_SITE)
#define bz_block_diag(...)                              bz_block_diag_at(__VA_ARGS__, BZ_SITE)
#define bz_cartesian_prod(...)                          bz_cartesian_prod_at(__VA_ARGS__, BZ_SITE)
#define bz_combinations_1_(x)                           bz_combinations_at((x), 2, false, BZ_SITE)
#define bz_combinations_2_(x, k)                        bz_combinations_at((x), (k), false, BZ_SITE)
#define bz_combinations_3_(x, k, with_replacement)      bz_combinations_at((x), (k), (with_replacement), BZ_SITE)
#define bz_combinations(...)                            BZ_BY_COUNT_(bz_combinations, __VA_ARGS__)
#define bz_diag_embed_1_(x)                             bz_diag_embed_at((x), 0, -2, -1, BZ_SITE)
#define bz_diag_embed_2_(x, offset)                     bz_diag_embed_at((x), (offset), -2, -1, BZ_SITE)
#define bz_diag_embed_3_(x, offset, a)                  bz_diag_embed_at((x), (offset), (a), -1, BZ_SITE)
#define bz_diag_embed_4_(x, offset, a, b)               bz_diag_embed_at((x), (offset), (a), (b), BZ_SITE)
#define bz_diag_embed(...)                              BZ_BY_COUNT_(bz_diag_embed, __VA_ARGS__)
#define bz_diagonal_scatter_2_(x, y)                    bz_diagonal_scatter_at((x), (y), 0, 0, 1, BZ_SITE)
#define bz_diagonal_scatter_3_(x, y, offset)            bz_diagonal_scatter_at((x), (y), (offset), 0, 1, BZ_SITE)
#define bz_diagonal_scatter_4_(x, y, offset, a)         bz_diagonal_scatter_at((x), (y), (offset), (a), 1, BZ_SITE)
#define bz_diagonal_scatter_5_(x, y, offset, a, b)      bz_diagonal_scatter_at((x), (y), (offset), (a), (b), BZ_SITE)
#define bz_diagonal_scatter(...)                        BZ_BY_COUNT_(bz_diagonal_scatter, __VA_ARGS__)
#define bz_select_scatter(...)                          bz_select_scatter_at(__VA_ARGS__, BZ_SITE)
#define bz_slice_scatter_2_(x, y)                       bz_slice_scatter_at((x), (y), 0, BZ_OPEN, BZ_OPEN, 1, BZ_SITE)
#define bz_slice_scatter_3_(x, y, axis)                 bz_slice_scatter_at((x), (y), (axis), BZ_OPEN, BZ_OPEN, 1, BZ_SITE)
#define bz_slice_scatter_4_(x, y, axis, start)          bz_slice_scatter_at((x), (y), (axis), (start), BZ_OPEN, 1, BZ_SITE)
#define bz_slice_scatter_5_(x, y, axis, start, stop)    bz_slice_scatter_at((x), (y), (axis), (start), (stop), 1, BZ_SITE)
#define bz_slice_scatter_6_(x, y, axis, start, stop, step) bz_slice_scatter_at((x), (y), (axis), (start), (stop), (step), BZ_SITE)
#define bz_slice_scatter(...)                           BZ_BY_COUNT_(bz_slice_scatter, __VA_ARGS__)
#define bz_as_strided_scatter(...)                      bz_as_strided_scatter_at(__VA_ARGS__, BZ_SITE)
#define bz_gather_2_(x, index)                          bz_gather_at((x), (index), 0, BZ_SITE)
#define bz_gather_3_(x, index, axis)                    bz_gather_at((x), (index), (axis), BZ_SITE)
#define bz_gather(...)                                  BZ_BY_COUNT_(bz_gather, __VA_ARGS__)
#define bz_take_2_(x, index)                            bz_take_at((x), (index), BZ_FLAT, BZ_SITE)
#define bz_take_3_(x, index, axis)                      bz_take_at((x), (index), (axis), BZ_SITE)
#define bz_take(...)                                    BZ_BY_COUNT_(bz_take, __VA_ARGS__)
#define bz_masked_fill(x, mask, value)                  BZ_WITH_3_(bz_masked_fill_at, x, mask, value)
#define bz_masked_scatter(...)                          bz_masked_scatter_at(__VA_ARGS__, BZ_SITE)
#define bz_sort(...)                                    bz_sort_at(__VA_ARGS__, BZ_SITE)
#define bz_argsort_1_(x)                                bz_argsort_at((x), -1, false, BZ_SITE)
#define bz_argsort_2_(x, axis)                          bz_argsort_at((x), (axis), false, BZ_SITE)
#define bz_argsort_3_(x, axis, descending)              bz_argsort_at((x), (axis), (descending), BZ_SITE)
#define bz_argsort(...)                                 BZ_BY_COUNT_(bz_argsort, __VA_ARGS__)
#define bz_msort(...)                                   bz_msort_at(__VA_ARGS__, BZ_SITE)
#define bz_topk(...)                                    bz_topk_at(__VA_ARGS__, BZ_SITE)
#define bz_kthvalue(...)                                bz_kthvalue_at(__VA_ARGS__, BZ_SITE)
#define bz_searchsorted_2_(sequence, x)                 bz_searchsorted_at((sequence), (x), false, BZ_SITE)
#define bz_searchsorted_3_(sequence, x, right)          bz_searchsorted_at((sequence), (x), (right), BZ_SITE)
#define bz_searchsorted(...)                            BZ_BY_COUNT_(bz_searchsorted, __VA_ARGS__)
#define bz_bucketize_2_(x, boundaries)                  bz_bucketize_at((x), (boundaries), false, BZ_SITE)
#define bz_bucketize_3_(x, boundaries, right)           bz_bucketize_at((x), (boundaries), (right), BZ_SITE)
#define bz_bucketize(...)                               BZ_BY_COUNT_(bz_bucketize, __VA_ARGS__)
#define bz_isin_2_(x, test)                             bz_isin_at((x), (test), false, BZ_SITE)
#define bz_isin_3_(x, test, invert)                     bz_isin_at((x), (test), (invert), BZ_SITE)
#define bz_isin(...)                                    BZ_BY_COUNT_(bz_isin, __VA_ARGS__)
#define bz_one_hot_2_(x, classes)                       bz_one_hot_at((x), (classes), BZ_I64, BZ_SITE)
#define bz_one_hot_3_(x, classes, dtype)                bz_one_hot_at((x), (classes), (dtype), BZ_SITE)
#define bz_one_hot(...)                                 BZ_BY_COUNT_(bz_one_hot, __VA_ARGS__)
#define bz_copy(...)                                    bz_copy_at(__VA_ARGS__, BZ_SITE)
#define bz_cast(...)                                    bz_cast_at(__VA_ARGS__, BZ_SITE)
#define bz_bitcast(...)                                 bz_bitcast_at(__VA_ARGS__, BZ_SITE)
#define bz_take_along_dim_2_(x, index)                  bz_take_along_dim_at((x), (index), 0, BZ_SITE)
#define bz_take_along_dim_3_(x, index, axis)            bz_take_along_dim_at((x), (index), (axis), BZ_SITE)
#define bz_take_along_dim(...)                          BZ_BY_COUNT_(bz_take_along_dim, __VA_ARGS__)
#define bz_scatter_3_(x, index, src)                    bz_scatter_at((x), (index), (src), 0, BZ_SITE)
#define bz_scatter_4_(x, index, src, axis)              bz_scatter_at((x), (index), (src), (axis), BZ_SITE)
#define bz_scatter(...)                                 BZ_BY_COUNT_(bz_scatter, __VA_ARGS__)
#define bz_scatter_add_3_(x, index, src)                bz_scatter_add_at((x), (index), (src), 0, false, BZ_SITE)
#define bz_scatter_add_4_(x, index, src, axis)          bz_scatter_add_at((x), (index), (src), (axis), false, BZ_SITE)
#define bz_scatter_add_5_(x, index, src, axis, exclude_self) bz_scatter_add_at((x), (index), (src), (axis), (exclude_self), BZ_SITE)
#define bz_scatter_add(...)                             BZ_BY_COUNT_(bz_scatter_add, __VA_ARGS__)
#define bz_scatter_prod_3_(x, index, src)               bz_scatter_prod_at((x), (index), (src), 0, false, BZ_SITE)
#define bz_scatter_prod_4_(x, index, src, axis)         bz_scatter_prod_at((x), (index), (src), (axis), false, BZ_SITE)
#define bz_scatter_prod_5_(x, index, src, axis, exclude_self) bz_scatter_prod_at((x), (index), (src), (axis), (exclude_self), BZ_SITE)
#define bz_scatter_prod(...)                            BZ_BY_COUNT_(bz_scatter_prod, __VA_ARGS__)
#define bz_scatter_mean_3_(x, index, src)               bz_scatter_mean_at((x), (index), (src), 0, false, BZ_SITE)
#define bz_scatter_mean_4_(x, index, src, axis)         bz_scatter_mean_at((x), (index), (src), (axis), false, BZ_SITE)
#define bz_scatter_mean_5_(x, index, src, axis, exclude_self) bz_scatter_mean_at((x), (index), (src), (axis), (exclude_self), BZ_SITE)
#define bz_scatter_mean(...)                            BZ_BY_COUNT_(bz_scatter_mean, __VA_ARGS__)
#define bz_scatter_amax_3_(x, index, src)               bz_scatter_amax_at((x), (index), (src), 0, false, BZ_SITE)
#define bz_scatter_amax_4_(x, index, src, axis)         bz_scatter_amax_at((x), (index), (src), (axis), false, BZ_SITE)
#define bz_scatter_amax_5_(x, index, src, axis, exclude_self) bz_scatter_amax_at((x), (index), (src), (axis), (exclude_self), BZ_SITE)
#define bz_scatter_amax(...)                            BZ_BY_COUNT_(bz_scatter_amax, __VA_ARGS__)
#define bz_scatter_amin_3_(x, index, src)               bz_scatter_amin_at((x), (index), (src), 0, false, BZ_SITE)
#define bz_scatter_amin_4_(x, index, src, axis)         bz_scatter_amin_at((x), (index), (src), (axis), false, BZ_SITE)
#define bz_scatter_amin_5_(x, index, src, axis, exclude_self) bz_scatter_amin_at((x), (index), (src), (axis), (exclude_self), BZ_SITE)
#define bz_scatter_amin(...)                            BZ_BY_COUNT_(bz_scatter_amin, __VA_ARGS__)
#define bz_scatter_reduce_3_(x, index, src)             bz_scatter_reduce_at((x), (index), (src), 0, BZ_COMBINE_SUM, false, BZ_SITE)
#define bz_scatter_reduce_4_(x, index, src, axis)       bz_scatter_reduce_at((x), (index), (src), (axis), BZ_COMBINE_SUM, false, BZ_SITE)
#define bz_scatter_reduce_5_(x, index, src, axis, reduce) bz_scatter_reduce_at((x), (index), (src), (axis), (reduce), false, BZ_SITE)
#define bz_scatter_reduce_6_(x, index, src, axis, reduce, exclude_self) bz_scatter_reduce_at((x), (index), (src), (axis), (reduce), (exclude_self), BZ_SITE)
#define bz_scatter_reduce(...)                          BZ_BY_COUNT_(bz_scatter_reduce, __VA_ARGS__)
#define bz_index_select_2_(x, index)                    bz_index_select_at((x), (index), 0, BZ_SITE)
#define bz_index_select_3_(x, index, axis)              bz_index_select_at((x), (index), (axis), BZ_SITE)
#define bz_index_select(...)                            BZ_BY_COUNT_(bz_index_select, __VA_ARGS__)
#define bz_index_add_3_(x, index, src)                  bz_index_add_at((x), (index), (src), 0, 1, BZ_SITE)
#define bz_index_add_4_(x, index, src, axis)            bz_index_add_at((x), (index), (src), (axis), 1, BZ_SITE)
#define bz_index_add_5_(x, index, src, axis, alpha)     bz_index_add_at((x), (index), (src), (axis), (alpha), BZ_SITE)
#define bz_index_add(...)                               BZ_BY_COUNT_(bz_index_add, __VA_ARGS__)
#define bz_index_copy_3_(x, index, src)                 bz_index_copy_at((x), (index), (src), 0, BZ_SITE)
#define bz_index_copy_4_(x, index, src, axis)           bz_index_copy_at((x), (index), (src), (axis), BZ_SITE)
#define bz_index_copy(...)                              BZ_BY_COUNT_(bz_index_copy, __VA_ARGS__)
#define bz_index_reduce_3_(x, index, src)               bz_index_reduce_at((x), (index), (src), 0, BZ_COMBINE_SUM, false, BZ_SITE)
#define bz_index_reduce_4_(x, index, src, axis)         bz_index_reduce_at((x), (index), (src), (axis), BZ_COMBINE_SUM, false, BZ_SITE)
#define bz_index_reduce_5_(x, index, src, axis, reduce) bz_index_reduce_at((x), (index), (src), (axis), (reduce), false, BZ_SITE)
#define bz_index_reduce_6_(x, index, src, axis, reduce, exclude_self) bz_index_reduce_at((x), (index), (src), (axis), (reduce), (exclude_self), BZ_SITE)
#define bz_index_reduce(...)                            BZ_BY_COUNT_(bz_index_reduce, __VA_ARGS__)
#define bz_index_fill_3_(x, index, value)               bz_index_fill_at((x), (index), (value), 0, BZ_SITE)
#define bz_index_fill_4_(x, index, value, axis)         bz_index_fill_at((x), (index), (value), (axis), BZ_SITE)
#define bz_index_fill(...)                              BZ_BY_COUNT_(bz_index_fill, __VA_ARGS__)
#define bz_index_put(...)                               bz_index_put_at(__VA_ARGS__, BZ_SITE)
#define bz_embedding_2_(index, weight)                  bz_embedding_at((index), (weight), INT64_MIN, BZ_SITE)
#define bz_embedding_3_(index, weight, padding_idx)     bz_embedding_at((index), (weight), (padding_idx), BZ_SITE)
#define bz_embedding(...)                               BZ_BY_COUNT_(bz_embedding, __VA_ARGS__)
#define bz_embedding_bag_2_(index, weight)              bz_embedding_bag_at((index), (weight), NULL, BZ_BAG_MEAN, BZ_SITE)
#define bz_embedding_bag_3_(index, weight, offsets)     bz_embedding_bag_at((index), (weight), (offsets), BZ_BAG_MEAN, BZ_SITE)
#define bz_embedding_bag_4_(index, weight, offsets, mode) bz_embedding_bag_at((index), (weight), (offsets), (mode), BZ_SITE)
#define bz_embedding_bag(...)                           BZ_BY_COUNT_(bz_embedding_bag, __VA_ARGS__)

/* ---- elements at places that are in tensors */

/* x[items], NumPy's advanced indexing: bz_at's items, and @ for each of the n tensors, in their order: integers, which broadcast, or bool,
 * masks of the axes that they stand for. Axes of the indices stand where they stood if these and integers stand together, else in front.
 * Without tensors a view. A mask is computed at once, since it decides the result's size (BZ_EMODE while bz_compile traces).
 * BZ_EINDEX, with index, axis and its size, for an index outside, when it runs. */
BZ_API bz_tensor *bz_at_get_at(bz_tensor *x, bz_tensor *const *index, int n, const char *items,
                               const char *site);
#define bz_at_get(...) bz_at_get_at(__VA_ARGS__, BZ_SITE)

/* x[items] = v, x[items] += v: v is a tensor that broadcasts, or a number; x's memory changes, which all its views see. Gives x. Of several for
 * one place the last one stays, or all are added in their order (numpy.add.at). A mask alone, "@", with a v that has no axis for it is
 * not computed at once. */
BZ_API bz_tensor *bz_at_set__at(bz_tensor *x, bz_tensor *const *index, int n, const char *items,
                                bz_tensor *v, const char *site);
BZ_API bz_tensor *bz_at_add__at(bz_tensor *x, bz_tensor *const *index, int n, const char *items,
                                bz_tensor *v, const char *site);
static inline bz_tensor *bz_at_into_(bz_tensor *(*f)(bz_tensor *, bz_tensor *const *, int,
                                                     const char *, bz_tensor *, const char *),
                                     bz_tensor *x, bz_tensor *const *index, int n,
                                     const char *items, bz_operand v, const char *site) {
    bz_operand o[] = {bz_of_tensor_(x), v};
    bz_numbers_begin(o, 2, site);
    bz_tensor *made = f(x, index, n, items, o[1].v.tensor, site);
    bz_numbers_end(o, 2);
    return made;
}
#define bz_at_set_(x, index, n, items, v)                                                          \
    bz_at_into_(bz_at_set__at, (x), (index), (n), (items), BZ_OPERAND(v), BZ_SITE)
#define bz_at_add_(x, index, n, items, v)                                                          \
    bz_at_into_(bz_at_add__at, (x), (index), (n), (items), BZ_OPERAND(v), BZ_SITE)

/* Places of the elements that are not 0, [how many, rank of x], i64, in row-major order; of each axis by itself, as parts of bz_split.
 * x is computed at once (BZ_EMODE while bz_compile traces). */
BZ_API bz_tensor *bz_nonzero_at(bz_tensor *x, const char *site);
BZ_API bz_tensor *bz_argwhere_at(bz_tensor *x, const char *site);
BZ_API int bz_nonzero_axes_at(bz_tensor *x, bz_tensor **parts, int room, const char *site);
#define bz_nonzero(...)      bz_nonzero_at(__VA_ARGS__, BZ_SITE)
#define bz_argwhere(...)     bz_argwhere_at(__VA_ARGS__, BZ_SITE)
#define bz_nonzero_axes(...) bz_nonzero_axes_at(__VA_ARGS__, BZ_SITE)

/* The elements of x where mask, which broadcasts with it, is true: 1-d, in row-major order. mask is computed at once (BZ_EMODE while
 * bz_compile traces). */
BZ_API bz_tensor *bz_masked_select_at(bz_tensor *x, bz_tensor *mask, const char *site);
#define bz_masked_select(...) bz_masked_select_at(__VA_ARGS__, BZ_SITE)

/* The elements that x has, each once and in order, 1-d: one for each NaN. *inverse: of each element of x which of them it is, in x's shape, *counts: how
 * often each is there; i64, or NULL where that is not wanted. Consecutive: of each run of equal elements in row-major order one. x is
 * computed at once (BZ_EMODE while bz_compile traces). */
BZ_API bz_tensor *bz_unique_at(bz_tensor *x, bz_tensor **inverse, bz_tensor **counts, const char *site);
BZ_API bz_tensor *bz_unique_consecutive_at(bz_tensor *x, bz_tensor **inverse, bz_tensor **counts, const char *site);
#define bz_unique(...)             bz_unique_at(__VA_ARGS__, BZ_SITE)
#define bz_unique_consecutive(...) bz_unique_consecutive_at(__VA_ARGS__, BZ_SITE)

/* ---- like x; triangles, diagonals, powers */

/* Zeros in x's shape and dtype. */
BZ_API bz_tensor *bz_zeros_like_at(bz_tensor *x, const char *site);
/* Ones in x's shape and dtype. */
BZ_API bz_tensor *bz_ones_like_at(bz_tensor *x, const char *site);
/* Zeros in x's shape and dtype, where PyTorch's are anything. */
BZ_API bz_tensor *bz_empty_like_at(bz_tensor *x, const char *site);
/* One value in x's shape and dtype. */
BZ_API bz_tensor *bz_full_like_at(bz_tensor *x, double value, const char *site);
/* Matrices of the last two axes with 0 above a diagonal. */
BZ_API bz_tensor *bz_tril_at(bz_tensor *x, int64_t diagonal, const char *site);
/* Matrices of the last two axes with 0 below a diagonal. */
BZ_API bz_tensor *bz_triu_at(bz_tensor *x, int64_t diagonal, const char *site);
/* A diagonal of a matrix, or the matrix with this diagonal. */
BZ_API bz_tensor *bz_diag_at(bz_tensor *x, int64_t diagonal, const char *site);
/* Each of n vectors along its axis of the grid of all; xy: the first two axes exchanged, NumPy's default. parts[0 ..] take the
 * results, of which there is room for `room`; gives their number. -1, with poisoned handles in all of parts, on an error, and where
 * there are more than that. */
BZ_API int bz_meshgrid_at(bz_tensor *const *x, int n, bool xy, bz_tensor **parts, int room,
                          const char *site);
/* Powers n - 1 .. 0 of x along a new last axis, or 0 .. n - 1. */
BZ_API bz_tensor *bz_vander_at(bz_tensor *x, int64_t n, bool increasing, const char *site);
#define bz_zeros_like(...)             bz_zeros_like_at(__VA_ARGS__, BZ_SITE)
#define bz_ones_like(...)              bz_ones_like_at(__VA_ARGS__, BZ_SITE)
#define bz_empty_like(...)             bz_empty_like_at(__VA_ARGS__, BZ_SITE)
#define bz_full_like(...)              bz_full_like_at(__VA_ARGS__, BZ_SITE)
#define bz_tril_1_(x)                  bz_tril_at((x), 0, BZ_SITE)
#define bz_tril_2_(x, diagonal)        bz_tril_at((x), (diagonal), BZ_SITE)
#define bz_tril(...)                   BZ_BY_COUNT_(bz_tril, __VA_ARGS__)
#define bz_triu_1_(x)                  bz_triu_at((x), 0, BZ_SITE)
#define bz_triu_2_(x, diagonal)        bz_triu_at((x), (diagonal), BZ_SITE)
#define bz_triu(...)                   BZ_BY_COUNT_(bz_triu, __VA_ARGS__)
#define bz_diag_1_(x)                  bz_diag_at((x), 0, BZ_SITE)
#define bz_diag_2_(x, diagonal)        bz_diag_at((x), (diagonal), BZ_SITE)
#define bz_diag(...)                   BZ_BY_COUNT_(bz_diag, __VA_ARGS__)
#define bz_meshgrid(...)               bz_meshgrid_at(__VA_ARGS__, BZ_SITE)
#define bz_vander_2_(x, n)             bz_vander_at((x), (n), false, BZ_SITE)
#define bz_vander_3_(x, n, increasing) bz_vander_at((x), (n), (increasing), BZ_SITE)
#define bz_vander(...)                 BZ_BY_COUNT_(bz_vander, __VA_ARGS__)

/* ---- drawn for each element of x: the next numbers of its context's stream */

/* Uniform in [0, 1), in x's shape and dtype. */
BZ_API bz_tensor *bz_rand_like_at(bz_tensor *x, const char *site);
/* Standard normal, in x's shape and dtype. */
BZ_API bz_tensor *bz_randn_like_at(bz_tensor *x, const char *site);
/* 1 with probability x, else 0. No gradient flows to x. */
BZ_API bz_tensor *bz_bernoulli_at(bz_tensor *x, const char *site);
/* Gamma numbers of concentration x and rate 1. NaN where x is not above 0. No gradient flows to x. */
BZ_API bz_tensor *bz_standard_gamma_at(bz_tensor *x, const char *site);
/* Gamma numbers of these concentrations and rates. No gradient flows to concentration. */
BZ_API bz_tensor *bz_gamma_at(bz_tensor *concentration, bz_tensor *rate, const char *site);
/* Beta numbers of these concentrations. No gradient flows to these. */
BZ_API bz_tensor *bz_beta_at(bz_tensor *concentration1, bz_tensor *concentration0,
                             const char *site);
/* Dirichlet numbers, whose sum along the last axis is 1, of concentrations x. No gradient flows to x. */
BZ_API bz_tensor *bz_dirichlet_at(bz_tensor *x, const char *site);
/* Poisson numbers of means x, in its dtype. Floats; NaN where x is below 0. No gradient flows to x. */
BZ_API bz_tensor *bz_poisson_at(bz_tensor *x, const char *site);
/* How many of `count` trials succeed, each with probability prob. NaN where there is no such distribution. No gradient flows to
 * either. */
BZ_API bz_tensor *bz_binomial_at(bz_tensor *count, bz_tensor *prob, const char *site);
/* 0 with probability p, else x / (1 - p); x where nothing is trained. */
BZ_API bz_tensor *bz_dropout_at(bz_tensor *x, double p, bool training, const char *site);
/* Classes along the last axis, drawn with weights x: [C] or [N, C] -> [num_samples] or [N, num_samples] i64. */
BZ_API bz_tensor *bz_multinomial_at(bz_tensor *x, int64_t num_samples, bool replacement,
                                    const char *site);
/* Softmax of (x + Gumbel noise) / tau along an axis; hard: 1 at its largest, else 0, with its gradient. */
BZ_API bz_tensor *bz_gumbel_softmax_at(bz_tensor *x, double tau, bool hard, int axis,
                                       const char *site);
#define bz_rand_like(...)                              bz_rand_like_at(__VA_ARGS__, BZ_SITE)
#define bz_randn_like(...)                             bz_randn_like_at(__VA_ARGS__, BZ_SITE)
#define bz_bernoulli(...)                              bz_bernoulli_at(__VA_ARGS__, BZ_SITE)
#define bz_standard_gamma(...)                         bz_standard_gamma_at(__VA_ARGS__, BZ_SITE)
#define bz_gamma(...)                                  bz_gamma_at(__VA_ARGS__, BZ_SITE)
#define bz_beta(...)                                   bz_beta_at(__VA_ARGS__, BZ_SITE)
#define bz_dirichlet(...)                              bz_dirichlet_at(__VA_ARGS__, BZ_SITE)
#define bz_poisson(...)                                bz_poisson_at(__VA_ARGS__, BZ_SITE)
#define bz_binomial(...)                               bz_binomial_at(__VA_ARGS__, BZ_SITE)
#define bz_dropout_1_(x)                               bz_dropout_at((x), 0.5, true, BZ_SITE)
#define bz_dropout_2_(x, p)                            bz_dropout_at((x), (p), true, BZ_SITE)
#define bz_dropout_3_(x, p, training)                  bz_dropout_at((x), (p), (training), BZ_SITE)
#define bz_dropout(...)                                BZ_BY_COUNT_(bz_dropout, __VA_ARGS__)
#define bz_multinomial_2_(x, num_samples)              bz_multinomial_at((x), (num_samples), false, BZ_SITE)
#define bz_multinomial_3_(x, num_samples, replacement) bz_multinomial_at((x), (num_samples), (replacement), BZ_SITE)
#define bz_multinomial(...)                            BZ_BY_COUNT_(bz_multinomial, __VA_ARGS__)
#define bz_gumbel_softmax_1_(x)                        bz_gumbel_softmax_at((x), 1, false, -1, BZ_SITE)
#define bz_gumbel_softmax_2_(x, tau)                   bz_gumbel_softmax_at((x), (tau), false, -1, BZ_SITE)
#define bz_gumbel_softmax_3_(x, tau, hard)             bz_gumbel_softmax_at((x), (tau), (hard), -1, BZ_SITE)
#define bz_gumbel_softmax_4_(x, tau, hard, axis)       bz_gumbel_softmax_at((x), (tau), (hard), (axis), BZ_SITE)
#define bz_gumbel_softmax(...)                         BZ_BY_COUNT_(bz_gumbel_softmax, __VA_ARGS__)

#endif
