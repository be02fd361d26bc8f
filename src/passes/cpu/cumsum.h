/* cumsum.h - what the schedules of sums along an axis share. Internal to src/passes/cpu/cumsum.c and src/passes/gpu/cumsum_block.c. */
#ifndef BRAZE_CUMSUM_H
#define BRAZE_CUMSUM_H

#include "src/passes/cpu/cpu.h"

typedef struct cumsum_kernel {
    lower *l;
    ir_ref x;
    bz_dtype t, acc;
    axis_space at;
    int64_t strip;  /* columns of a task */
    lp_val y, base; /* base: where in y the rows of this `before` begin */
} cumsum_kernel;

/* Of the group's head. */
void cumsum_begin(cumsum_kernel *q, lower *l);
lp_val cumsum_plus(const cumsum_kernel *q, lp_val x, lp_val y);
/* What a chain, and what stands before it, begins with. */
lp_val cumsum_nothing(const cumsum_kernel *q, unsigned lanes);

#endif
