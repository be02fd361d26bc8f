/* row_thread.c - rows that a thread has alone: one pass over a stretch of one, with its L lanes in vectors.
 *
 * What is known of the elements by then is computed, kept, stored, folded. */
#include "src/passes/forms/row.h"
#include "src/ir/loops/builder.h"

#include <string.h>

/* All L lanes once, beginning at k. */
static void all_lanes(row_stretch *s, lp_val k) {
    row_kernel *q = s->q;
    for (unsigned at = 0; at < q->nvec; at += s->width) {
        unsigned mark = emit_mark(&q->l->m);
        emit_vector(&q->l->m, q->k_sym, lp_iadd(q->l->b, k, lp_index(q->l->b, at * q->lanes)),
                    q->lanes, s->width, 0);
        row_step(s, at);
        emit_forget(&q->l->m, mark);
    }
}

/* LLVM makes a constant mask anew in each turn of a loop, in a part of a register, and so each turn waits for the one before. */
static lp_val opaque(const row_kernel *q, lp_val n) {
    return q->nothing ? lp_iadd(q->l->b, n, q->nothing) : n;
}

/* The last `left` < L elements. */
static void some_lanes(row_stretch *s, lp_val k, lp_val left) {
    row_kernel *q = s->q;
    lp_builder *b = q->l->b;
    int64_t n = (int64_t)q->lanes * q->nvec;
    const bool known = lp_const_i64(b, left, &n);
    for (unsigned at = 0; (int64_t)at * q->lanes < n; at++) {
        unsigned mark = emit_mark(&q->l->m);
        const int64_t before = (int64_t)at * q->lanes;
        lp_val here = lp_isub(b, left, lp_index(b, before)), mask = 0;
        if (!known || n - before < (int64_t)q->lanes)
            mask = lower_tail_mask(q->l, opaque(q, here), q->lanes);
        emit_vector(&q->l->m, q->k_sym, lp_iadd(b, k, lp_index(b, at * q->lanes)), q->lanes, 1,
                    mask);
        row_step(s, at);
        emit_forget(&q->l->m, mark);
    }
}

/* The step for `width` vectors at lane `at` (a value) of the arrays of lanes. */
static void lanes_in_memory(row_stretch *s, lp_val k, lp_val at, unsigned width, lp_val mask) {
    row_kernel *q = s->q;
    lp_builder *b = q->l->b;
    unsigned mark = emit_mark(&q->l->m);
    emit_vector(&q->l->m, q->k_sym, k, q->lanes, width, mask);
    for (unsigned f = 0; f < s->nfolds; f++)
        for (unsigned u = 0; u < width; u++)
            s->acc[f][u] = lp_load(b, q->fold[s->folds[f]].lanes,
                                   lp_iadd(b, at, lp_index(b, u * q->lanes)), q->lanes, 0, 0);
    row_step(s, 0);
    for (unsigned f = 0; f < s->nfolds; f++)
        for (unsigned u = 0; u < width; u++)
            lp_store(b, q->fold[s->folds[f]].lanes, lp_iadd(b, at, lp_index(b, u * q->lanes)),
                     s->acc[f][u], 0, 0);
    emit_forget(&q->l->m, mark);
}

static bool is_nothing(const lp_builder *b, lp_val n) {
    int64_t v;
    return lp_const_i64(b, n, &v) && v == 0;
}

/* Elements whole .. whole + over of the stretch: their vectors side by side if their number is known, else one after the other. */
static void fold_rest(row_stretch *s, lp_val lo, lp_val whole, lp_val over) {
    row_kernel *q = s->q;
    lp_builder *b = q->l->b;
    const lp_val lanes = lp_index(b, (int64_t)q->lanes * q->nvec);
    int64_t count;
    if (lp_const_i64(b, over, &count)) {
        const int64_t left = count % q->lanes;
        const lp_val mask =
            left ? lower_tail_mask(q->l, opaque(q, lp_index(b, left)), q->lanes) : 0;
        lanes_in_memory(s, lp_iadd(b, lo, whole), lp_imod(b, whole, lanes),
                        (unsigned)(count / q->lanes + (left > 0)), mask);
        return;
    }
    const lp_val end = lp_iadd(b, whole, over);
    lp_val j = lp_loop(b, LP_SERIAL, whole, end, q->lanes, NULL, 0, NULL);
    const lp_val mask = q->lanes > 1 ? lower_tail_mask(q->l, lp_isub(b, end, j), q->lanes) : 0;
    lanes_in_memory(s, lp_iadd(b, lo, j), lp_imod(b, j, lanes), 1, mask);
    lp_end(b, NULL, 0, NULL);
}

/* Elements lo .. lo+count through the arrays of lanes: two loops, each with one copy of the body. */
static void fold_in_memory(row_stretch *s, lp_val lo, lp_val count) {
    row_kernel *q = s->q;
    lp_builder *b = q->l->b;
    const int64_t lanes = (int64_t)q->lanes * q->nvec, stride = (int64_t)q->lanes * s->width;
    const lp_val over = lp_imod(b, count, lp_index(b, stride)), whole = lp_isub(b, count, over);
    for (unsigned f = 0; f < s->nfolds; f++) {
        const fold_node *n = &q->fold[s->folds[f]];
        for (unsigned v = 0; v < q->nvec; v++)
            lp_store(b, n->lanes, lp_index(b, v * q->lanes),
                     lp_const(b, n->a.acc, fold_identity(&n->a), q->lanes), 0, 0);
    }
    if (!is_nothing(b, whole)) {
        const row_span seen = row_seen_of(s, lo, whole);
        lp_val j = lp_loop(b, LP_SERIAL, seen.from, seen.to, stride, NULL, 0, NULL);
        lp_val at = lp_imod(b, j, lp_index(b, lanes));
        lanes_in_memory(s, lp_iadd(b, lo, j), at, s->width, 0);
        lp_end(b, NULL, 0, NULL);
        row_fill_hidden(s, lo, whole);
    }
    if (!is_nothing(b, over)) fold_rest(s, lo, whole, over);
    for (unsigned f = 0; f < s->nfolds; f++)
        for (unsigned v = 0; v < q->nvec; v++)
            s->acc[f][v] =
                lp_load(b, q->fold[s->folds[f]].lanes, lp_index(b, v * q->lanes), q->lanes, 0, 0);
}

/* The same with the lanes in registers, carried round the loop. */
static void fold_in_registers(row_stretch *s, lp_val lo, lp_val count) {
    row_kernel *q = s->q;
    lp_builder *b = q->l->b;
    int64_t lanes = (int64_t)q->lanes * q->nvec, once = 0;
    const lp_val over = lp_imod(b, count, lp_index(b, lanes)), whole = lp_isub(b, count, over);
    lp_val flat[MAX_FOLDS * MAX_ACC], carry[MAX_FOLDS * MAX_ACC];
    unsigned n = 0;
    for (unsigned f = 0; f < s->nfolds; f++) {
        const ir_reduce_attr *a = &q->fold[s->folds[f]].a;
        for (unsigned v = 0; v < q->nvec; v++)
            flat[n++] = s->acc[f][v] = lp_const(b, a->acc, fold_identity(a), q->lanes);
    }
    if (lp_const_i64(b, whole, &once) && once == lanes) {
        all_lanes(s, lo);
    } else if (!is_nothing(b, whole)) {
        const row_span seen = row_seen_of(s, lo, whole);
        lp_val j = lp_loop(b, LP_SERIAL, seen.from, seen.to, lanes, flat, n, carry);
        for (unsigned f = 0; f < s->nfolds; f++)
            memcpy(s->acc[f], carry + f * q->nvec, q->nvec * sizeof *flat);
        all_lanes(s, lp_iadd(b, lo, j));
        for (unsigned f = 0; f < s->nfolds; f++)
            memcpy(flat + f * q->nvec, s->acc[f], q->nvec * sizeof *flat);
        lp_end(b, flat, n, carry);
        for (unsigned f = 0; f < s->nfolds; f++)
            memcpy(s->acc[f], carry + f * q->nvec, q->nvec * sizeof *flat);
        row_fill_hidden(s, lo, whole);
    }
    if (!is_nothing(b, over)) some_lanes(s, lp_iadd(b, lo, whole), over);
}

static void fold_stretch(row_stretch *s, lp_val lo, lp_val count, lp_val *out) {
    row_kernel *q = s->q;
    lower *l = q->l;
    if (s->in_memory || !s->nfolds)
        fold_in_memory(s, lo, count);
    else
        fold_in_registers(s, lo, count);
    emit_scalar(&l->m);
    for (unsigned f = 0; f < s->nfolds; f++) {
        const ir_reduce_attr *a = &q->fold[s->folds[f]].a;
        for (unsigned v = q->nvec; v > 1; v /= 2)
            for (unsigned i = 0; i < v / 2; i++)
                s->acc[f][i] = fold_step(l, a, s->acc[f][i], s->acc[f][i + v / 2], 0);
        out[f] = fold_lanes(l, a, s->acc[f][0], q->lanes);
    }
}

/* ---- the team of one */

static bool keeps(const row_kernel *q) {
    return q->k <= q->l->t->machine->second;
}

static void choose_vectors(row_kernel *q) {
    unsigned lanes = 1, full = lower_lanes(q->l);
    while (lanes < IR_LANES && (q->any_k || (int64_t)lanes < q->k)) lanes *= 2;
    q->lanes = lanes < full ? lanes : full;
    q->nvec = lanes / q->lanes;
}

static void make_lanes(row_kernel *q) {
    for (unsigned f = 0; f < q->nfolds; f++)
        q->fold[f].lanes =
            lp_local(q->l->b, q->fold[f].a.acc, (int64_t)q->lanes * q->nvec, LP_STACK);
}

static bool make_kept(row_kernel *q) {
    for (uint32_t i = 0; i < q->w.kept.n; i++)
        if (!bz_vec_push(&q->kept_rows,
                         lp_local(q->l->b, ir_dtype(q->l->g, q->w.kept.p[i]), q->k, LP_SCRATCH)))
            return false;
    return true;
}

static bool whole_rows(row_kernel *q, lp_val rows) {
    lower *l = q->l;
    lp_builder *b = l->b;
    if (!make_kept(q)) return false;
    row_make_blocks(q);
    make_lanes(q);
    q->nothing = lp_imin(b, rows, lp_index(b, 0));
    lp_val i = lower_open_rows(l, rows, q->any_k ? l->t->machine->task : q->k);
    emit_sym(&l->m, q->i_sym, i);
    row_passes(q, NULL);
    lower_close_rows(l);
    return true;
}

static lp_val open_blocks(row_kernel *q, lp_val count) {
    return lp_loop(q->l->b, LP_PARALLEL, lp_index(q->l->b, 0), count, 1, NULL, 0, NULL);
}

static void close_blocks(row_kernel *q) {
    lp_end(q->l->b, NULL, 0, NULL);
}

static lp_val result(row_kernel *q, const fold_node *n, lp_val base) {
    return row_fold_results(q, n, n->work, base);
}

static const row_team thread = {
    .size = sizeof(row_kernel),
    .keeps = keeps,
    .choose_vectors = choose_vectors,
    .fold = fold_stretch,
    .fold_row = row_fold_whole,
    .whole_rows = whole_rows,
    .begin_blocks = make_lanes,
    .open_blocks = open_blocks,
    .close_blocks = close_blocks,
    .result = result,
};

const row_team *row_thread(const row_kernel *q) {
    (void)q;
    return &thread;
}

row_kernel *row_begin_thread(lower *l, ir_ref hidden) {
    row_kernel *q = row_begin(l, row_thread);
    if (!q) return NULL;
    q->hidden = hidden;
    if (hidden && q->lanes > 1) q->plain = row_plain_passes(q, hidden);
    make_lanes(q);
    if (!make_kept(q)) return row_end(q), NULL;
    row_make_blocks(q);
    return q;
}

void row_one(row_kernel *q, lp_val i, const row_sight *sight) {
    emit_sym(&q->l->m, q->i_sym, i);
    row_passes(q, sight);
}
