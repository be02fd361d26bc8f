/* scatter_block.c - scatters of rows by destinations: each element of the result is a thread's, which adds the rows that name it in their
 * order, or combines them in another way. Elements along lines are put by tasks, as on a CPU: a line each.
 *
 *     index[0] .. index[n-1] --sort (sort_rows.c)-->  rows named, ascending, and who names them: of one row in their order
 *         first[r] = how many name a row before r     so that first[r] .. first[r+1] are those of row r
 *         result[o, r, c] = x[o, r, c] + y[o, i, c] + ...   for these i
 *
 * Nobody adds to what another one wrote, so there is no order but the stated one. */
#include "src/passes/cpu/cpu.h" /* scatter_by_tasks */
#include "src/passes/forms/scatter.h"
#include "src/passes/gpu/sort_rows.h"

enum { THREADS = GPU_WARP * GPU_WARPS, AT_ONCE = 4 /* rows that are read at once */ };

typedef struct scatter {
    scatter_kernel q;
    bz_dtype key;
    lp_val keys, places,
        first; /* in memory: rows in order, who names them, where each row's begin */
    unsigned lanes;
} scatter;

static lp_val load_index(const scatter *k, lp_val p, lp_val at) {
    lp_builder *b = k->q.l->b;
    return emit_cast(b, BZ_I64, (bz_dtype)lp_at(b, p)->dtype, lp_load(b, p, at, 1, 0, 0));
}

/* ---- who names which row */

static lp_val key_of(void *ctx, lp_val row, lp_val i) {
    scatter *k = ctx;
    emitter *m = &k->q.l->m;
    (void)row;
    const unsigned mark = emit_mark(m);
    emit_sym(m, k->q.at.i, i);
    const lp_val named = emit_cast(k->q.l->b, k->key, BZ_I64, scatter_row(&k->q));
    emit_forget(m, mark);
    return named;
}

static void keep(void *ctx, lp_val row, lp_val i, lp_val key, lp_val place) {
    scatter *k = ctx;
    lp_builder *b = k->q.l->b;
    (void)row;
    lp_store(b, k->keys, i, key, 0, 0);
    lp_store(b, k->places, i, emit_cast(b, BZ_I32, BZ_I64, place), 0, 0);
}

static void sort_names(scatter *k) {
    const sort_rows s = {.l = k->q.l,
                         .key = k->key,
                         .rows = 1,
                         .n = k->q.at.n,
                         .get = key_of,
                         .put = keep,
                         .ctx = k};
    sort_rows_emit(&s);
}

/* For each row, and for the end, a thread. */
static void find_first(scatter *k) {
    lp_builder *b = k->q.l->b;
    const lp_val zero = lp_index(b, 0), n = lp_index(b, k->q.at.n);
    unsigned steps = 0;
    for (int64_t left = k->q.at.n; left > 0; left /= 2) steps++;
    const lp_val r = lp_loop(b, LP_PARALLEL, zero, lp_index(b, k->q.size + 1), 1, NULL, 0, NULL);
    lp_val range[2] = {zero, n};
    lp_loop(b, LP_SERIAL, zero, lp_index(b, steps), 1, range, 2, range);
    const lp_val mid = lp_idiv(b, lp_iadd(b, range[0], range[1]), lp_index(b, 2));
    const lp_val at = lp_imin(b, mid, lp_index(b, k->q.at.n - 1));
    const lp_val open = lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){range[0], range[1]}, 2);
    const lp_val low = lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){load_index(k, k->keys, at), r}, 2);
    const lp_val more = lp_base(b, IR_AND, BZ_BOOL, (lp_val[]){open, low}, 2);
    const lp_val next = lp_iadd(b, mid, lp_index(b, 1));
    range[0] = lp_base(b, IR_SELECT, BZ_I64, (lp_val[]){more, next, range[0]}, 3);
    range[1] = lp_base(b, IR_SELECT, BZ_I64, (lp_val[]){more, range[1], mid}, 3);
    lp_end(b, range, 2, range);
    lp_store(b, k->first, r, emit_cast(b, BZ_I32, BZ_I64, range[0]), 0, 0);
    lp_end(b, NULL, 0, NULL);
}

/* ---- the sums */

/* Rows of y that numbers from .. to name, `at_once` of them together, added to acc. */
static lp_val add_rows(scatter *k, lp_val c, lp_val from, lp_val to, unsigned at_once, lp_val acc) {
    lp_builder *b = k->q.l->b;
    emitter *m = &k->q.l->m;
    lp_val p = lp_loop(b, LP_SERIAL, from, to, at_once, &acc, 1, &acc);
    if (at_once > 1) {
        const lp_val all = lp_index(b, at_once);
        p = lp_iadd(b, p, lp_loop(b, LP_UNROLLED, lp_index(b, 0), all, 1, &acc, 1, &acc));
    }
    const unsigned mark = emit_mark(m);
    emit_sym(m, k->q.at.i, load_index(k, k->places, p));
    emit_vector(m, k->q.at.c, c, k->lanes, 1, 0);
    acc = scatter_both(&k->q, acc);
    emit_forget(m, mark);
    emit_scalar(m);
    if (at_once > 1) lp_end(b, &acc, 1, &acc);
    lp_end(b, &acc, 1, &acc);
    return acc;
}

static lp_val what_was(scatter *k, lp_val row, lp_val c) {
    emitter *m = &k->q.l->m;
    const unsigned mark = emit_mark(m);
    emit_sym(m, k->q.row, row);
    emit_vector(m, k->q.at.c, c, k->lanes, 1, 0);
    const emit_value x = emit_node(m, k->q.x, k->q.x_idx);
    const lp_val v = emit_lane_value(m, &x, 0);
    emit_forget(m, mark);
    emit_scalar(m);
    return v;
}

/* The result's vector at (o, row, c), of which o is set. */
static void one_sum(scatter *k, lp_val row, lp_val c, lp_val to, unsigned flags) {
    lp_builder *b = k->q.l->b;
    const lp_val from = load_index(k, k->first, row),
                 end = load_index(k, k->first, lp_iadd(b, row, lp_index(b, 1)));
    const lp_val over = lp_imod(b, lp_isub(b, end, from), lp_index(b, AT_ONCE));
    const lp_val many = lp_isub(b, end, over);
    lp_val acc = add_rows(k, c, from, many, AT_ONCE, what_was(k, row, c));
    acc = add_rows(k, c, many, end, 1, acc);
    lp_store(b, k->q.out, to, acc, 0, flags);
}

static void add_up(scatter *k) {
    lower *l = k->q.l;
    lp_builder *b = l->b;
    const axis_space *at = &k->q.at;
    const lp_val zero = lp_index(b, 0), lanes = lp_index(b, k->lanes);
    const int64_t across = at->after / k->lanes, all = at->before * k->q.size * across;
    const lp_val aligned = k->lanes > 1 ? gpu_aligned(l, k->lanes) : 0;
    const unsigned mark = emit_mark(&l->m);
    const lp_val blocks = lp_index(b, (all + THREADS - 1) / THREADS);
    const lp_val t = lp_loop(b, LP_PARALLEL, zero, blocks, 1, NULL, 0, NULL);
    const lp_val thread = lp_loop(b, LP_BLOCK, zero, lp_index(b, THREADS), 1, NULL, 0, NULL);
    const lp_val v = lp_iadd(b, lp_imul(b, t, lp_index(b, THREADS)), thread);
    lp_if(b, lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){v, lp_index(b, all)}, 2));
    const lp_val line = lp_idiv(b, v, lp_index(b, across)), size = lp_index(b, k->q.size);
    const lp_val c = lp_imul(b, lp_isub(b, v, lp_imul(b, line, lp_index(b, across))), lanes);
    const lp_val o = lp_idiv(b, line, size), row = lp_isub(b, line, lp_imul(b, o, size));
    const lp_val to = lp_imul(b, v, lanes);
    emit_sym(&l->m, at->o, o);
    l->m.aligned = k->lanes > 1;
    if (aligned) lp_if(b, aligned);
    one_sum(k, row, c, to, k->lanes > 1 ? LP_ALIGNED : 0);
    l->m.aligned = false;
    if (aligned) {
        lp_else(b, NULL, 0);
        one_sum(k, row, c, to, 0);
        lp_end(b, NULL, 0, NULL);
    }
    for (unsigned i = 0; i < 3; i++) lp_end(b, NULL, 0, NULL);
    emit_forget(&l->m, mark);
}

bool lower_scatter_block(lower *l) {
    const ir_node *n = ir_at(l->g, l->group->head);
    int64_t count = 0;
    scatter k = {0};
    ir_numel(l->g, ir_in(l->g, n)[1], &count);
    if (ir_attrs(l->g, n)[2] || count == 0 || count >= INT32_MAX) {
        const bool ok = buffers_in_place(l, l->group->head) || lower_fill(l, lower_map_block);
        return ok && scatter_by_tasks(l);
    }
    scatter_begin(&k.q, l);
    k.key = k.q.size < INT32_MAX ? BZ_I32 : BZ_I64;
    k.lanes = l->t->vector_bytes / (unsigned)ir_dtype_bytes(k.q.t);
    while (k.q.at.after % k.lanes) k.lanes /= 2;
    k.keys = lower_work(l, k.key, count);
    k.places = lower_work(l, BZ_I32, count);
    k.first = lower_work(l, BZ_I32, k.q.size + 1);
    if (l->m.failed) return false;
    sort_names(&k);
    find_first(&k);
    add_up(&k);
    return !l->m.failed;
}
