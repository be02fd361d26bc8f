/* scatter.h - what the schedules of scatters share. Internal to src/passes. */
#ifndef BRAZE_SCATTER_H
#define BRAZE_SCATTER_H

#include "src/passes/forms/forms.h"

/* The result is x: [before, size, after] of its own axes; what is put into it is y, at the symbols of `at`. */
typedef struct scatter_kernel {
    lower *l;
    ir_ref r, x, index, y;
    ir_way way;
    bool along;
    bz_dtype t;
    axis_space at;        /* of y */
    int64_t size, stride; /* of the result: rows, elements from one to the next */
    ir_ex index_idx[IR_MAX_RANK];
    ir_ex to;  /* where in the result an element goes, if its row is 0 */
    ir_ex row; /* a symbol, for x_idx: the result's index */
    ir_ex x_idx[IR_MAX_RANK];
    lp_val out;
} scatter_kernel;

/* Of the group's head. */
void scatter_begin(scatter_kernel *q, lower *l);
/* The row that the index at the symbols names, counted from the end when negative; row 0 and an error when it is none. */
lp_val scatter_row(scatter_kernel *q);
/* y at the symbols, combined with what is there already. */
lp_val scatter_both(scatter_kernel *q, lp_val there);

#endif
