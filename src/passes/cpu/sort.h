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
    /* of the elements in order those that are wanted: so many from `from` on, the last one first if `back` */
    int64_t from, kept;
    bool back;
    lp_val values, indices; /* results; 0 where nobody wants them */
} sort_kernel;

/* Of the group's head, a sort, topk or kthvalue. Result elements: the row at (o, c) begins at o * kept * after + c, its elements are
 * `after` apart. */
void sort_begin(sort_kernel *q, lower *l);
/* Is a row so long that digits are better than merging? Then its elements' numbers fit into 32 bits. */
bool sort_is_long(const sort_kernel *q);
/* Makes `row` the one at hand; gives where it begins in the results. */
lp_val sort_enter_row(sort_kernel *q, lp_val row);
/* The key of element i of the row at hand. */
lp_val sort_key(sort_kernel *q, lp_val i);
/* Element i of the sorted row, to the row of the results that begins at `base`, if it is wanted. */
void sort_store(sort_kernel *q, lp_val base, lp_val i, lp_val key, lp_val place);
/* Where element i of the sorted row goes, in an IF that is open until sort_close_wanted. */
lp_val sort_open_wanted(sort_kernel *q, lp_val base, lp_val i);
void sort_close_wanted(sort_kernel *q);
/* Must key y, of the right run, stand before x, of the left one? */
lp_val sort_comes_first(lp_builder *b, bz_dtype key, bool descending, lp_val y, lp_val x);

/* ---- topk.c: signed numbers in the order of the elements, the largest ones being the smallest numbers if q->back; i32, of dtypes of 8 bytes i64 */
lp_val topk_key(const sort_kernel *q, lp_val x);
/* The symbol of an element as a row is gone through, from its end if q->back, so that of equal keys the first is wanted; idx: its index in x. */
ir_ex topk_index(const sort_kernel *q, ir_ex *idx);

/* ---- sort.c: all of it, by digits or merged */
bool sort_rows_of(sort_kernel *q);
/* `n` keys (a value) at keys[row ..], and what goes along with them, in order, ascending or down: both have room for as many behind them.
 * Gives where they begin then: at row, or at row + n. */
lp_val sort_merge(lower *l, lp_val keys, lp_val places, bool descending, lp_val row, lp_val n);
/* ---- sort_radix.c: all of it, by digits */
void sort_by_digits(sort_kernel *q);

#endif
