/* move.h - the same elements at other places. Views share x's memory: in-place ops on one are seen by all.
 * Made by tools/api.py from tools/api/move.h and src/ir/builders.def: do not edit.
 *
 * Axes count from the end when negative; 0-d tensors have the axes 0 and -1, as in PyTorch. Errors: BZ_EAXIS (out of range or
 * repeated), BZ_ESHAPE. */
#ifndef BRAZE_MOVE_H
#define BRAZE_MOVE_H

#include "braze/api.h"

/* ---- views */

@section views

#define BZ_OPEN INT64_MIN /* an end of a slice that is left out */
#define BZ_FLAT INT32_MIN /* no axis: the elements in row-major order */

/* Python's x[text]: integers, slices with any step, ..., None, between commas: bz_at(x, "3, :, ..., ::-2"); all of x for an empty text.
 * BZ_EINDEX for an integer that is outside, BZ_EARG for what cannot be read, with its place in the text. */
BZ_API bz_tensor *bz_at_at(bz_tensor *x, const char *text, const char *site);
#define bz_at(...) bz_at_at(__VA_ARGS__, BZ_SITE)

/* ---- new tensors */

@section moved

#endif
