/* move.h - the same elements at other places. Views share x's memory: in-place ops on one are seen by all.
 * Made by tools/api.py from tools/api/move.h and src/ir/builders.def: do not edit.
 *
 * Axes count from the end when negative; 0-d tensors have the axes 0 and -1, as in PyTorch. Errors: BZ_EAXIS (out of range or
 * repeated), BZ_ESHAPE. */
#ifndef BRAZE_MOVE_H
#define BRAZE_MOVE_H

#include "braze/operand.h"

/* ---- views */

@section views

#define BZ_OPEN INT64_MIN /* an end of a slice that is left out */
#define BZ_FLAT INT32_MIN /* no axis: the elements in row-major order */

/* Python's x[text]: integers, slices with any step, ..., None, between commas: bz_at(x, "3, :, ..., ::-2"); all of x for an empty text.
 * BZ_EINDEX for an integer that is outside, BZ_EARG for what cannot be read, with its place in the text. */
BZ_API bz_tensor *bz_at_at(bz_tensor *x, const char *text, const char *site);
#define bz_at(...) bz_at_at(__VA_ARGS__, BZ_SITE)

/* ---- new tensors */

@words combine

@words bag

@section moved

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

@section created_like

/* ---- drawn for each element of x: the next numbers of its context's stream */

@section drawn_like

#endif
