/* dot_parts.c - sums of products in several parts: where tiles are fewer than a device has room for, a task adds a part of k alone.
 *
 *     phase 0   a task = a tile, a part:   work[part][batch][m][n] = its sums       whole tiles: what is beyond an edge lies there, too
 *     phase 1   a thread = four columns:   parts added in order, what the group makes of them stored */
#include "src/passes/gpu/dot_block.h"

enum { THREADS = GPU_WARP * GPU_WARPS };

static int64_t whole(const dot_side *s, int64_t tile) {
    return (s->size + tile - 1) / tile * tile;
}

void dot_parts_make(dot_block *k) {
    const int64_t one = bz_times(whole(&k->q.x, k->x.size), whole(&k->q.y, k->y.size));
    k->work = lower_work(k->q.l, k->q.a.acc, bz_times(k->parts * k->q.batch, one));
}

static lp_val place_of(const dot_block *k, lp_val part, lp_val m, lp_val n) {
    lp_builder *b = k->q.l->b;
    lp_val rows = lp_imul(b, k->q.x.pieces, lp_index(b, k->x.size));
    lp_val columns = lp_imul(b, k->q.y.pieces, lp_index(b, k->y.size));
    lp_val matrix = lp_iadd(b, lp_imul(b, part, k->q.batches), k->batch);
    lp_val row = lp_iadd(b, lp_imul(b, matrix, rows), m);
    return lp_iadd(b, lp_imul(b, row, columns), n);
}

void dot_parts_keep(dot_block *k, lp_val m, lp_val n, lp_val sum) {
    lp_builder *b = k->q.l->b;
    if (lp_failed(b)) return;
    const unsigned flags = lp_at(b, sum)->lanes > 1 ? LP_ALIGNED : 0;
    lp_store(b, k->work, place_of(k, k->part, m, n), sum, 0, flags);
}

/* A column of row m of the batch, n, or DOT_LANES from n on. */
static lp_val total(dot_block *k, lp_val m, lp_val n, unsigned lanes) {
    lp_builder *b = k->q.l->b;
    const unsigned flags = lanes > 1 ? LP_ALIGNED : 0;
    lp_val first = lp_load(b, k->work, place_of(k, lp_index(b, 0), m, n), lanes, 0, flags);
    lp_val acc, sum;
    lp_val part = lp_loop(b, LP_SERIAL, lp_index(b, 1), lp_index(b, k->parts), 1, &first, 1, &acc);
    lp_val own = lp_load(b, k->work, place_of(k, part, m, n), lanes, 0, flags);
    acc = lp_base(b, IR_ADD, k->q.a.acc, (lp_val[]){acc, own}, 2);
    lp_end(b, &acc, 1, &sum);
    return sum;
}

/* Where pointers forbid vectors: nothing lies beyond an edge. */
static void store_singly(dot_block *k, lp_val m, lp_val n) {
    dot_kernel *q = &k->q;
    lp_builder *b = q->l->b;
    const unsigned mark = emit_mark(&q->l->m);
    lp_val end = lp_imin(b, lp_iadd(b, n, lp_index(b, DOT_LANES)), q->y.count);
    lp_val at = lp_loop(b, LP_SERIAL, n, end, 1, NULL, 0, NULL);
    emit_scalar(&q->l->m);
    emit_sym(&q->l->m, q->x.sym, m);
    emit_sym(&q->l->m, q->y.sym, at);
    dot_epilogue(q, total(k, m, at, 1));
    lp_end(b, NULL, 0, NULL);
    emit_forget(&q->l->m, mark);
}

void dot_parts_add(dot_block *k) {
    dot_kernel *q = &k->q;
    lp_builder *b = q->l->b;
    const lp_val zero = lp_index(b, 0), threads = lp_index(b, THREADS),
                 lanes = lp_index(b, DOT_LANES);
    lp_val line = lower_cover(b, q->y.count, lanes);
    lp_val all = lp_imul(b, q->batches, lp_imul(b, q->x.count, line));
    lp_val t = lp_loop(b, LP_PARALLEL, zero, lower_cover(b, all, threads), 1, NULL, 0, NULL);
    const unsigned mark = emit_mark(&q->l->m);
    lp_val thread = lp_loop(b, LP_BLOCK, zero, threads, 1, NULL, 0, NULL);
    lp_val e = lp_iadd(b, lp_imul(b, t, threads), thread), row = lp_idiv(b, e, line);
    lp_if(b, dot_less(b, e, all));
    k->batch = lp_idiv(b, row, q->x.count);
    k->m0 = lp_imod(b, row, q->x.count);
    k->n0 = lp_imul(b, lp_imod(b, e, line), lanes);
    k->row = zero;
    emit_sym(&q->l->m, q->b_sym, k->batch);
    if (k->aligned) lp_if(b, k->aligned);
    dot_store_vector(k, zero, zero, total(k, k->m0, k->n0, DOT_LANES));
    if (k->aligned) {
        lp_else(b, NULL, 0);
        store_singly(k, k->m0, k->n0);
        lp_end(b, NULL, 0, NULL);
    }
    lp_end(b, NULL, 0, NULL);
    emit_forget(&q->l->m, mark);
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
}
