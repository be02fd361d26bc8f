/* row_warp.h - rows that threads of a GPU have together, for the schedules of bands. Internal to this folder. */
#ifndef BRAZE_ROW_WARP_H
#define BRAZE_ROW_WARP_H

#include "src/passes/forms/row.h"
#include "src/passes/gpu/gpu.h"

/* A warp has a row, each thread four elements of 128; of short rows fewer, then a team of threads has one. */
typedef struct row_warps {
    row_kernel q;
    unsigned warps; /* of a block */
    unsigned team;  /* threads of a row */
    lp_val there;   /* is the thread's row? */
    lp_val
        block_warp; /* of a block that has a row, whose warps take its blocks of additions in turn: the warp's number; 0: a warp has a row */
    bool kept_lies; /* kept rows are there before the passes begin, whole */
    ir_ex skipped;  /* elements of the row before the one at hand that are not the thread's */
    emit_staged staged[EMIT_MAX_STAGED]; /* what several stages read */
    unsigned nstaged;
    bool in_shared; /* ... waits in shared memory */
} row_warps;

/* Before the loops; NULL: out of memory. Sets the space. */
row_warps *row_begin_warps(lower *l);
/* May stages keep anything in registers? */
bool row_fits_warp(const row_warps *w);
/* From here on nothing is held but what lies elsewhere. */
bool row_hold_nothing(row_warps *w);
/* The rows first .. end of a band, by the threads of a block of `warps` warps, of which `thread` is one. */
typedef struct row_band_at {
    lp_val thread, first, end;
    unsigned warps;
    /* a band's memory for each value that stages keep, all rows of it; NULL: they are few enough for registers, or nothing is kept */
    const lp_val *kept;
    row_sight (*sees)(void *ctx, lp_val i); /* of row first + i, if passes are plain */
    void *ctx;
} row_band_at;
bool row_band(row_warps *w, const row_band_at *at);

#endif
