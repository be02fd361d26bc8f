/* col.h - what the schedules for reductions over leading axes share: their space, values and results. */
#ifndef BRAZE_COL_H
#define BRAZE_COL_H

#include "src/passes/forms/forms.h"

typedef enum col_way { COL_DOWN, COL_BESIDE, COL_ALONG } col_way;

typedef struct col_fold {
    ir_ref r, x;
    ir_reduce_attr a;
    lp_val sums, results; /* scratch: [group][row]; with several groups: [tasks][row] */
} col_fold;

typedef struct col_kernel {
    lower *l;
    col_fold fold[FUSE_MAX_FOLDS]; /* of the same axes */
    unsigned nfolds;
    int64_t outer, inner, k; /* kept elements = outer * inner; columns run along inner */
    ir_ex o_sym, c_sym, k_sym;
    bool dense; /* neighbours in a row are neighbours in memory */
    col_way way;
    unsigned lanes, width, beside; /* of a vector; vectors of a piece; chains side by side */
    int64_t pieces, whole;         /* of an outer row; of full width */
    int64_t strip, strips, row;    /* pieces of a strip; its sums of one chain */
    int64_t chains, group, groups; /* chains of a group */
    lp_val outer_rows, rows, all_chains,
        all_groups; /* outer, k, chains, groups: the code serves any */
} col_kernel;

/* The folds, their space, and the number of chains. false: out of memory. l->c: what they read. */
bool col_begin(col_kernel *q, lower *l);
/* Once q->group and q->groups are chosen: what hangs on how many rows are folded, and how many times. */
void col_make_counts(col_kernel *q);
/* The same where all rows of a column are gone through by one task: how many there are is a number in the code, or what the launch says.
 * Returns how many there is room for: the next power of two where the launch says. */
int64_t col_count_rows(col_kernel *q);
/* The folds' operands at `width` vectors of columns from `at` on, as their accumulators' dtypes: v[f * row + u]. */
void col_values(col_kernel *q, lp_val at, unsigned width, lp_val mask, lp_val *v, unsigned row);
/* These columns, folded, become the reductions' values; then what is stored of the group. acc: as v there. */
void col_store_results(col_kernel *q, lp_val at, unsigned width, lp_val mask, const lp_val *acc,
                       unsigned row);

#endif
