/* scan.h - what the schedules of scans share. Internal to src/passes. */
#ifndef BRAZE_SCAN_H
#define BRAZE_SCAN_H

#include "src/passes/forms/forms.h"

typedef struct scan_kernel {
    lower *l;
    ir_ref r, x;
    ir_way way;
    bool reverse;
    bz_dtype t, acc;
    int64_t before, n,
        after; /* elements of the axes before the one that is gone along, of it, of those behind */
    ir_ex o, i, c; /* a symbol for each */
    lp_val count;  /* n, where the code serves any; 0: it is a number of the code */
} scan_kernel;

/* Of the group's head; makes the group's space of the three symbols. */
void scan_begin(scan_kernel *q, lower *l);
lp_val scan_both(const scan_kernel *q, lp_val x, lp_val y);
/* What a chain, and what stands before it, begins with. */
lp_val scan_start(const scan_kernel *q, unsigned lanes);
/* The element that is gone to as number k. */
lp_val scan_place(const scan_kernel *q, lp_val k);
/* The operand's elements at the current symbols, as they are combined. */
lp_val scan_element(const scan_kernel *q);
/* Stores what the group gives at the current symbols, where the scan has come to v. */
void scan_store(const scan_kernel *q, lp_val v, unsigned flags);

#endif
