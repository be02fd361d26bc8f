/* scatter.h - what the schedules of scatter_add share. Internal to src/passes/cpu/scatter.c and src/passes/gpu/scatter_block.c. */
#ifndef BRAZE_SCATTER_H
#define BRAZE_SCATTER_H

#include "src/passes/cpu/cpu.h"

typedef struct scatter_kernel {
    lower *l;
    ir_ref r, x, index;
    bz_dtype t;
    axis_space at; /* of x */
    int64_t size;  /* rows of the result */
    ir_ex index_idx[IR_MAX_RANK];
    lp_val y;
} scatter_kernel;

/* Of the group's head. */
void scatter_begin(scatter_kernel *q, lower *l);
/* The row that index number at.i names, counted from the end when negative; row 0 and an error when it is none. */
lp_val scatter_row(scatter_kernel *q);

#endif
