/* sort_block.c - sorting on a GPU: rows by blocks of threads (sort_rows.h). */
#include "src/passes/cpu/sort.h"
#include "src/passes/gpu/sort_rows.h"

static lp_val key_of(void *ctx, lp_val row, lp_val i) {
    sort_enter_row(ctx, row);
    return sort_key(ctx, i);
}

static void store(void *ctx, lp_val row, lp_val i, lp_val key, lp_val place) {
    sort_store(ctx, sort_enter_row(ctx, row), i, key, place);
}

bool lower_sort_block(lower *l) {
    sort_kernel q;
    sort_begin(&q, l);
    const sort_rows s = {.l = l,
                         .key = q.key,
                         .descending = q.descending,
                         .rows = q.rows,
                         .n = q.at.n,
                         .across = q.at.after > 1,
                         .get = key_of,
                         .put = store,
                         .ctx = &q};
    if (!l->m.failed) sort_rows_emit(&s);
    return !l->m.failed;
}
