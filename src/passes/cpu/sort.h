/* sort.h - what the schedules of sorting share. Internal to src/passes/cpu/sort.c and src/passes/gpu/sort_block.c. */
#ifndef BRAZE_SORT_H
#define BRAZE_SORT_H

#include "src/passes/cpu/cpu.h"

typedef struct sort_kernel {
    lower *l;
    ir_ref x;
    bz_dtype t, key; /* of elements, and what they are compared as */
    bool descending;
    axis_space at;
    int64_t rows;
    lp_val values, indices; /* results; 0 where nobody wants them */
} sort_kernel;

/* Of the group's head. Result elements: the row at (o, c) begins at o * n * after + c, its elements are `after` apart. */
void sort_begin(sort_kernel *q, lower *l);
/* Makes `row` the one at hand; gives where it begins in the results. */
lp_val sort_enter_row(sort_kernel *q, lp_val row);
/* The key of element i of the row at hand. */
lp_val sort_key(sort_kernel *q, lp_val i);
/* Element i of the row of the results that begins at `base`. */
void sort_store(sort_kernel *q, lp_val base, lp_val i, lp_val key, lp_val place);
/* Must key y, of the right run, stand before x, of the left one? */
lp_val sort_comes_first(lp_builder *b, bz_dtype key, bool descending, lp_val y, lp_val x);

/* ---- sort_radix.c: all of it, by digits */
void sort_by_digits(sort_kernel *q);

#endif
