/* sort_rows.h - rows of keys sorted by blocks of threads, whatever is sorted: elements (sort_block.c), indices (scatter_block.c). */
#ifndef BRAZE_SORT_ROWS_H
#define BRAZE_SORT_ROWS_H

#include "src/passes/gpu/gpu.h"

typedef struct sort_rows {
    lower *l;
    bz_dtype key;
    bool descending;
    int64_t rows, n;
    bool across; /* neighbours in memory are elements of neighbouring rows, not of one */
    /* The key of element i of a row. */
    lp_val (*get)(void *ctx, lp_val row, lp_val i);
    /* Element i of the sorted row: its key, and where it stood. */
    void (*put)(void *ctx, lp_val row, lp_val i, lp_val key, lp_val place);
    void *ctx;
} sort_rows;

/* All phases. Of equal keys the earlier one stays the earlier; NaN comes last. */
void sort_rows_emit(const sort_rows *s);

#endif
