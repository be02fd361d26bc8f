/* row_warp.c - rows folded by warps: thread x has elements 4x .. 4x+3 of each 128 of the row, a turn.
 *
 *     lanes of IR_ORDER_LAST   0 1 2 3 | 4 5 6 7 | ...  | 124 ... 127        their tree: halves that are 16 threads apart, then 8, 4, 2, 1
 *     thread                      0    |    1    |      |     31             (shuffles), then the halves of a thread's four
 *
 * Of rows of less than 64 elements several go into a warp, each by a team of threads that have one element of it, or two; its lanes, and
 * their tree, are those of the order all the same. All threads come to the shuffles, whether their row is there or not.
 *
 * Longer rows, of several blocks of additions, are a block's of threads if they fit into its shared memory and several stages read them: a
 * warp takes each block of additions.
 *
 * What several stages read of a row is read once: a thread holds its elements in registers if the row has few, else in its part of shared
 * memory, which is its own, so that nobody waits. Where all pointers are multiples of a vector, four elements are one access; where a
 * caller's are not, other code goes through the rows, which holds nothing. */
#include "src/passes/gpu/row_warp.h"
#include "src/ir/loops/builder.h"

enum {
    KEEPS = 8,         /* turns of which a thread has its elements in registers ... */
    ARRAYS = 3,        /* ... of so many rows */
    SHARED = 32 << 10, /* bytes of a block for rows */
    /* the same for a block that has one row; more only where a second block has room beside it: one computes while the other loads */
    ONE_ROW = 48 << 10,
    ROW_WARPS = 16,                 /* warps of a block that has one row, at most */
    MANY_BLOCKS = 128,              /* ... which keep a GPU busy, if rows are long */
    THREADS = GPU_WARP * GPU_WARPS, /* that combine blocks' results, ... */
    TREE = 32                       /* each so many at a time */
};

static row_warps *warps_of(row_kernel *q) {
    return (row_warps *)q; /* its first member */
}

/* Short rows: several a warp. Then threads come along whose row is not there. */
static bool in_teams(const row_warps *w) {
    return w->q.k < 2 * GPU_WARP && !w->q.l->together;
}

static void choose_vectors(row_kernel *q) {
    row_warps *w = warps_of(q);
    w->team = 1;
    while (w->team < GPU_WARP && ((int64_t)w->team < q->k || !in_teams(w))) w->team *= 2;
    q->lanes = !in_teams(w) ? IR_LANES / GPU_WARP : q->k > GPU_WARP ? 2 : 1;
    q->nvec = 1;
}

static void begin_alone(row_kernel *q, bool stretch) {
    const row_warps *w = warps_of(q);
    lp_builder *b = q->l->b;
    lp_val thread = q->lane;
    if (w->block_warp && !stretch)
        thread = lp_iadd(b, thread, w->block_warp); /* both are 0 or more */
    lp_val first = lp_base(b, IR_EQ, BZ_BOOL, (lp_val[]){thread, lp_index(b, 0)}, 2);
    lp_if(b, in_teams(w) ? lp_base(b, IR_AND, BZ_BOOL, (lp_val[]){first, w->there}, 2) : first);
}

/* For each i below `count` a warp: what comes until the close is done by each of its threads, q->lane. */
static lp_val open_warps(row_kernel *q, lp_val count) {
    row_warps *w = warps_of(q);
    lp_builder *b = q->l->b;
    lp_val zero = lp_index(b, 0), warps = lp_index(b, w->warps), team = lp_index(b, w->team);
    lp_val each = lp_index(b, GPU_WARP / w->team);
    lp_val blocks = lower_cover(b, count, lp_imul(b, warps, each));
    lp_val t = lp_loop(b, LP_PARALLEL, zero, blocks, 1, NULL, 0, NULL);
    for (unsigned i = 0; w->in_shared && i < w->nstaged; i++)
        w->staged[i].local =
            lp_local(b, (bz_dtype)lp_at(b, w->staged[i].p)->dtype, w->warps * q->k, LP_SHARED);
    lp_val own = lp_loop(b, LP_BLOCK, zero, warps, 1, NULL, 0, NULL);
    lp_val lane = lp_loop(b, LP_LANE, zero, lp_index(b, GPU_WARP), 1, NULL, 0, NULL);
    q->lane = w->team < GPU_WARP ? lp_imod(b, lane, team) : lane;
    for (unsigned i = 0; w->in_shared && i < w->nstaged; i++)
        w->staged[i].local = lp_offset(b, w->staged[i].local, lp_imul(b, own, lp_index(b, q->k)));
    lp_val i = lp_iadd(b, lp_imul(b, t, warps), own);
    if (w->team < GPU_WARP) i = lp_iadd(b, lp_imul(b, i, each), lp_idiv(b, lane, team));
    w->there = lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){i, count}, 2);
    if (!in_teams(w)) lp_if(b, w->there);
    return i;
}

/* Of the loops `opened`, and of the condition that there is a row. */
static void close_loops(row_warps *w, unsigned opened) {
    for (unsigned i = 0; i < opened; i++) lp_end(w->q.l->b, NULL, 0, NULL);
    w->q.lane = w->block_warp = 0;
}

static void close_warps(row_kernel *q) {
    row_warps *w = warps_of(q);
    close_loops(w, in_teams(w) ? 3 : 4);
}

/* ---- turns */

typedef void turn_body(void *ctx, lp_val *acc);

static int64_t turns_of(const row_kernel *q) {
    return (q->k + IR_LANES - 1) / IR_LANES; /* of a team one */
}

/* The thread's elements of the turn that begins at element `at` of the stretch, the turn'th of the row. */
static void one_turn(row_warps *w, lp_val lo, lp_val at, lp_val turn, lp_val mask, turn_body *body,
                     void *ctx, lp_val *acc) {
    row_kernel *q = &w->q;
    lp_builder *b = q->l->b;
    emitter *m = &q->l->m;
    lp_val k = lp_iadd(b, lo, lp_iadd(b, at, lp_imul(b, q->lane, lp_index(b, q->lanes))));
    unsigned mark = emit_mark(m);
    if (w->skipped) emit_sym(m, w->skipped, lp_isub(b, k, lp_imul(b, turn, lp_index(b, q->lanes))));
    emit_vector(m, q->k_sym, k, q->lanes, 1, mask);
    body(ctx, acc);
    emit_forget(m, mark);
}

/* The last turn, of which not all is there: of a thread all four elements or none, or any number. */
static void last_turn(row_warps *w, lp_val lo, lp_val at, lp_val turn, lp_val count,
                      turn_body *body, void *ctx, lp_val *acc, unsigned n) {
    row_kernel *q = &w->q;
    lp_builder *b = q->l->b;
    lp_val own = lp_iadd(b, at, lp_imul(b, q->lane, lp_index(b, q->lanes))), next[MAX_FOLDS];
    lp_val some = lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){own, count}, 2), mask = 0;
    if (q->any_k || q->k % q->lanes) mask = lower_tail_mask(q->l, lp_isub(b, count, own), q->lanes);
    if (mask && !in_teams(w)) {
        one_turn(w, lo, at, turn, mask, body, ctx, acc);
        return;
    }
    if (in_teams(w)) some = lp_base(b, IR_AND, BZ_BOOL, (lp_val[]){some, w->there}, 2);
    for (unsigned i = 0; i < n; i++) next[i] = acc[i];
    lp_if(b, some);
    one_turn(w, lo, at, turn, mask, body, ctx, next);
    lp_else(b, next, n);
    lp_end(b, acc, n, acc);
}

/* Elements lo .. lo + count, of a pass s (NULL: it is none) those that are seen. Where a thread holds some in registers the turns are
 * written out. */
static void all_turns(row_warps *w, row_stretch *s, lp_val lo, lp_val count, turn_body *body,
                      void *ctx, lp_val *acc, unsigned n) {
    row_kernel *q = &w->q;
    lp_builder *b = q->l->b;
    lp_val zero = lp_index(b, 0), size = lp_index(b, IR_LANES), carry[MAX_FOLDS];
    lp_val over = lp_imod(b, count, size), whole = lp_isub(b, count, over);
    const lp_loop_kind kind = w->skipped ? LP_UNROLLED : LP_SERIAL;
    int64_t v;
    if (in_teams(w)) {
        last_turn(w, lo, zero, zero, count, body, ctx, acc, n);
        return;
    }
    if (!lp_const_i64(b, whole, &v) || v > 0) {
        const row_span seen = s ? row_seen_of(s, lo, whole) : (row_span){zero, whole};
        const lp_val from = lp_idiv(b, seen.from, size), to = lp_idiv(b, seen.to, size);
        lp_val turn = lp_loop(b, kind, from, to, 1, acc, n, carry);
        one_turn(w, lo, lp_imul(b, turn, size), turn, 0, body, ctx, carry);
        lp_end(b, carry, n, acc);
        if (s) row_fill_hidden(s, lo, whole);
    }
    if (lp_const_i64(b, over, &v) && v == 0) return;
    last_turn(w, lo, whole, lp_idiv(b, whole, size), count, body, ctx, acc, n);
}

/* ---- what several stages read */

static int64_t row_bytes(const row_kernel *q, const emit_staged *x) {
    return q->k * (int64_t)ir_dtype_bytes((bz_dtype)lp_at(q->l->b, x->p)->dtype);
}

/* Before the loops: how a row is read, and, where a warp goes through all of it (whole_rows), what will be held. */
static void plan_warps(row_warps *w, bool whole_rows) {
    row_kernel *q = &w->q;
    stage_read c[STAGE_READS];
    const bool fits = row_fits_warp(w);
    int64_t bytes = 0;
    const unsigned n = stage_reads(q->l, &q->w, q->k_sym, c);
    w->warps = GPU_WARPS;
    q->vectors = q->lanes > 1 && (q->rows == 1 || q->k % q->lanes == 0);
    for (unsigned i = 0; whole_rows && !q->any_k && i < n && w->nstaged < EMIT_MAX_STAGED; i++) {
        const int64_t own = row_bytes(q, &c[i].read);
        if (c[i].times < 2 || (fits ? q->w.kept.n + w->nstaged >= ARRAYS : bytes + own > SHARED))
            continue;
        w->staged[w->nstaged++] = c[i].read;
        bytes += own;
    }
    w->in_shared = w->nstaged && !fits;
    while (w->in_shared && w->warps * bytes > SHARED) w->warps /= 2;
    q->aligned = q->vectors ? gpu_aligned(q->l, q->lanes) : 0;
}

/* ---- a row a block */

/* May a block of threads have a row, which then waits in shared memory? It is worth it where stages read a row of several blocks again,
 * and it fits. */
static bool plan_block(row_warps *w) {
    row_kernel *q = &w->q;
    stage_read c[STAGE_READS];
    const int64_t half = q->l->t->shared / 2, most = half > ONE_ROW ? half : ONE_ROW;
    int64_t bytes = 0;
    if (q->any_k || q->blocks < 2 || q->w.nstages < 2) return false;
    const unsigned n = stage_reads(q->l, &q->w, q->k_sym, c);
    for (unsigned i = 0; i < n && w->nstaged < EMIT_MAX_STAGED; i++) {
        if (c[i].times < 2) continue;
        w->staged[w->nstaged++] = c[i].read;
        bytes += bz_round_up(row_bytes(q, &c[i].read), 16);
    }
    for (unsigned f = 0; f < q->nfolds; f++)
        bytes += bz_round_up(q->blocks * (int64_t)ir_dtype_bytes(q->fold[f].a.acc), 16);
    if (!w->nstaged || bytes > most) return w->nstaged = 0, false;
    w->in_shared = true;
    w->warps = q->blocks < ROW_WARPS ? (unsigned)q->blocks : ROW_WARPS;
    q->vectors = q->lanes > 1 && (q->rows == 1 || q->k % q->lanes == 0);
    q->aligned = q->vectors ? gpu_aligned(q->l, q->lanes) : 0;
    return true;
}

/* For each of `rows` a block: what comes until the close is done by each of its threads. */
static lp_val open_block(row_warps *w, lp_val rows) {
    row_kernel *q = &w->q;
    lp_builder *b = q->l->b;
    lp_val zero = lp_index(b, 0);
    lp_val row = lp_loop(b, LP_PARALLEL, zero, rows, 1, NULL, 0, NULL);
    for (unsigned i = 0; i < w->nstaged; i++)
        w->staged[i].local =
            lp_local(b, (bz_dtype)lp_at(b, w->staged[i].p)->dtype, q->k, LP_SHARED);
    for (unsigned f = 0; f < q->nfolds; f++)
        q->fold[f].blocks = lp_local(b, q->fold[f].a.acc, q->blocks, LP_SHARED);
    w->block_warp = lp_loop(b, LP_BLOCK, zero, lp_index(b, w->warps), 1, NULL, 0, NULL);
    q->lane = lp_loop(b, LP_LANE, zero, lp_index(b, GPU_WARP), 1, NULL, 0, NULL);
    return row;
}

/* Opens the loop over the blocks of additions that are the warp's; gives the number of one, and how many elements it has. */
static lp_val open_own(row_warps *w, lp_val *count) {
    const row_kernel *q = &w->q;
    lp_builder *b = q->l->b;
    const lp_val all = lp_index(b, q->blocks), size = lp_index(b, IR_BLOCK);
    const lp_val j = lp_loop(b, LP_SERIAL, w->block_warp, all, w->warps, NULL, 0, NULL);
    *count = size;
    if (q->k % IR_BLOCK) *count = lp_imin(b, size, lp_isub(b, q->length, lp_imul(b, j, size)));
    return j;
}

static void stage_turn(void *ctx, lp_val *acc) {
    const row_warps *w = ctx;
    emitter *m = &w->q.l->m;
    (void)acc;
    for (unsigned i = 0; i < w->nstaged; i++) {
        const emit_staged *x = &w->staged[i];
        emit_value v = emit_load(m, x->p, x->offset);
        lp_store(m->b, x->local, emit_index(m, x->at), emit_lane_value(m, &v, 0),
                 w->in_shared ? m->tail : 0, /* see row_step */
                 w->in_shared && w->q.vectors && !m->tail ? LP_ALIGNED : 0);
    }
}

/* ---- what stages keep */

bool row_fits_warp(const row_warps *w) {
    return w->q.k <= KEEPS * IR_LANES;
}

static lp_val registers(row_kernel *q, bz_dtype t) {
    return lp_local(q->l->b, t, turns_of(q) * q->lanes, LP_STACK);
}

/* Memory for what stages keep and read again, in registers as a rule, of each thread that stands here; reads it. */
static bool hold(row_warps *w) {
    row_kernel *q = &w->q;
    lower *l = q->l;
    emitter *m = &l->m;
    if ((q->w.kept.n && !w->kept_lies) || (w->nstaged && !w->in_shared)) {
        w->skipped = ir_ex_sym(&l->x, NULL, 0, q->k);
        q->keeps_all = true;
        q->kept_at = ir_ex_sub(&l->x, q->k_sym, w->skipped);
    }
    for (uint32_t i = 0; i < q->w.kept.n && !w->kept_lies; i++)
        if (!bz_vec_push(&q->kept_rows, registers(q, ir_dtype(l->g, q->w.kept.p[i])))) return false;
    for (unsigned i = 0; i < w->nstaged; i++) {
        emit_staged *x = &w->staged[i];
        x->at = w->in_shared ? q->k_sym : q->kept_at;
        if (!w->in_shared) x->local = registers(q, (bz_dtype)lp_at(l->b, x->p)->dtype);
    }
    if (w->nstaged && w->block_warp) {
        lp_val count, block = open_own(w, &count);
        all_turns(w, NULL, lp_imul(l->b, block, lp_index(l->b, IR_BLOCK)), count, stage_turn, w,
                  NULL, 0);
        lp_end(l->b, NULL, 0, NULL);
    } else if (w->nstaged) {
        all_turns(w, NULL, lp_index(l->b, 0), q->length, stage_turn, w, NULL, 0);
    }
    emit_scalar(m);
    for (unsigned i = 0; i < w->nstaged; i++) m->staged[m->nstaged++] = w->staged[i];
    return true;
}

bool row_hold_nothing(row_warps *w) {
    row_kernel *q = &w->q;
    lower *l = q->l;
    l->m.nstaged = 0;
    for (uint32_t i = 0; i < q->w.kept.n; i++) l->m.bind[q->w.kept.p[i]] = (emit_bind){0};
    for (unsigned f = 0; f < q->nfolds; f++) l->m.bind[q->fold[f].r] = (emit_bind){0};
    w->skipped = 0;
    q->keeps_all = false;
    if (w->kept_lies) return true; /* that asks for no vectors */
    work_free(&q->w);
    return work_describe(&q->w, l->f, l->group, l->outputs.p, l->outputs.n, false);
}

/* ---- folds */

static void fold_turn(void *ctx, lp_val *acc) {
    row_stretch *s = ctx;
    for (unsigned f = 0; f < s->nfolds; f++) s->acc[f][0] = acc[f];
    row_step(s, 0);
    for (unsigned f = 0; f < s->nfolds; f++) acc[f] = s->acc[f][0];
}

/* Every thread has the results. */
static void fold_warp(row_stretch *s, lp_val lo, lp_val count, lp_val *out) {
    row_kernel *q = s->q;
    row_warps *w = warps_of(q);
    lower *l = q->l;
    lp_val acc[MAX_FOLDS];
    for (unsigned f = 0; f < s->nfolds; f++) {
        const ir_reduce_attr *a = &q->fold[s->folds[f]].a;
        acc[f] = lp_const(l->b, a->acc, fold_identity(a), q->lanes);
    }
    all_turns(w, s, lo, count, fold_turn, s, acc, s->nfolds);
    emit_scalar(&l->m);
    for (unsigned f = 0; f < s->nfolds; f++) {
        const ir_reduce_attr *a = &s->q->fold[s->folds[f]].a;
        for (unsigned far = w->team / 2; far > 0; far /= 2)
            acc[f] = fold_step(l, a, acc[f], lp_warp_shuffle(l->b, acc[f], far), 0);
        out[f] = fold_lanes(l, a, acc[f], q->lanes);
    }
}

/* ---- the results of blocks, pairwise */

/* Subtrees of TREE results each, in memory; how many that makes. They are `stride` apart. */
static lp_val trees(row_kernel *q, const fold_node *n, lp_val base, lp_val thread, lp_val count,
                    int64_t stride) {
    lp_builder *b = q->l->b;
    const lp_val size = lp_index(b, TREE), all = lower_cover(b, count, size);
    lp_val u = lp_loop(b, LP_SERIAL, thread, all, THREADS, NULL, 0, NULL);
    lp_val first = lp_imul(b, u, size), own = lp_imin(b, lp_isub(b, count, first), size);
    lp_val at = lp_iadd(b, base, lp_imul(b, first, lp_index(b, stride)));
    fold_rows(q->l, &n->a, n->work, at, own, stride, 1, 1);
    lp_end(b, NULL, 0, NULL);
    return all;
}

static void open_trees(const row_stretch *s, lp_val base) {
    row_kernel *q = s->q;
    lp_builder *b = q->l->b;
    int64_t stride = 1;
    lp_val count = q->nblocks;
    lp_val thread = lp_loop(b, LP_BLOCK, lp_index(b, 0), lp_index(b, THREADS), 1, NULL, 0, NULL);
    for (unsigned level = 0; level < 2 && (q->any_k || q->blocks > stride * TREE); level++) {
        lp_val all = count;
        for (unsigned f = 0; f < s->nfolds; f++)
            all = trees(q, &q->fold[s->folds[f]], base, thread, count, stride);
        lp_barrier(b);
        count = all;
        stride *= TREE;
    }
    lp_if(b, lp_base(b, IR_EQ, BZ_BOOL, (lp_val[]){thread, lp_index(b, 0)}, 2));
    for (unsigned f = 0; f < s->nfolds; f++) {
        const fold_node *n = &q->fold[s->folds[f]];
        fold_rows(q->l, &n->a, n->work, base, count, stride, 1, 1);
    }
}

static void close_trees(row_kernel *q) {
    lp_end(q->l->b, NULL, 0, NULL);
    lp_end(q->l->b, NULL, 0, NULL);
}

static lp_val result(row_kernel *q, const fold_node *n, lp_val base) {
    return lp_load(q->l->b, n->work, base, 1, 0, 0);
}

/* ---- the team */

/* The row that i_sym says, by the threads at hand. Where pointers may be any multiples of elements there is other code for these. */
static bool by_warp(row_warps *w, const row_sight *sight) {
    row_kernel *q = &w->q;
    lower *l = q->l;
    const unsigned mark = emit_mark(&l->m);
    if (q->aligned) lp_if(l->b, q->aligned);
    l->m.aligned = q->vectors;
    bool ok = hold(w);
    if (ok) row_passes(q, sight);
    l->m.aligned = false;
    emit_forget(&l->m, mark);
    if (q->aligned) {
        lp_else(l->b, NULL, 0);
        ok = ok && row_hold_nothing(w);
        if (ok) row_passes(q, sight);
        emit_forget(&l->m, mark);
        lp_end(l->b, NULL, 0, NULL);
    }
    l->m.nstaged = 0;
    return ok;
}

/* Blocks of additions, each a warp's of those that have the row. */
static void fold_own_blocks(row_stretch *s, lp_val *out) {
    row_warps *w = warps_of(s->q);
    row_kernel *q = &w->q;
    lp_builder *b = q->l->b;
    lp_val count, one[MAX_FOLDS], j = open_own(w, &count);
    fold_warp(s, lp_imul(b, j, lp_index(b, IR_BLOCK)), count, one);
    begin_alone(q, true);
    for (unsigned f = 0; f < s->nfolds; f++)
        lp_store(b, q->fold[s->folds[f]].blocks, j, one[f], 0, 0);
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
    if (!s->nfolds) return;
    lp_barrier(b);
    begin_alone(q, false);
    for (unsigned f = 0; f < s->nfolds; f++) {
        const fold_node *n = &q->fold[s->folds[f]];
        row_fold_results(q, n, n->blocks, lp_index(b, 0));
    }
    lp_end(b, NULL, 0, NULL);
    lp_barrier(b);
    for (unsigned f = 0; f < s->nfolds; f++)
        out[f] = lp_load(b, q->fold[s->folds[f]].blocks, lp_index(b, 0), 1, 0, 0);
}

static void fold_row(row_stretch *s, lp_val *out) {
    (warps_of(s->q)->block_warp ? fold_own_blocks : row_fold_whole)(s, out);
}

/* Few long rows: blocks of threads keep a GPU busy as well as warps do, if they are enough. */
static bool takes_long(row_kernel *q) {
    return q->rows >= MANY_BLOCKS && plan_block(warps_of(q));
}

/* A block for each row, or a warp. */
static bool whole_rows(row_kernel *q, lp_val rows) {
    row_warps *w = warps_of(q);
    const bool block = w->in_shared || plan_block(w);
    if (!block) plan_warps(w, q->blocks == 1);
    emit_sym(&q->l->m, q->i_sym, block ? open_block(w, rows) : open_warps(q, rows));
    if (!block) row_make_blocks(q);
    const bool ok = by_warp(w, NULL);
    if (block)
        close_loops(w, 3);
    else
        close_warps(q);
    return ok;
}

static void begin_blocks(row_kernel *q) {
    plan_warps(warps_of(q), false);
}

static bool keeps(const row_kernel *q) {
    return row_fits_warp((const row_warps *)q) || q->l->in_part;
}

static const row_team warps = {
    .size = sizeof(row_warps),
    .keeps = keeps,
    .choose_vectors = choose_vectors,
    .fold = fold_warp,
    .fold_row = fold_row,
    .whole_rows = whole_rows,
    .begin_alone = begin_alone,
    .takes_long = takes_long,
    .begin_blocks = begin_blocks,
    .open_blocks = open_warps,
    .close_blocks = close_warps,
    .open_results = open_trees,
    .close_results = close_trees,
    .result = result,
};

/* Rows of one element are a thread's, and a single short one of which there may be longer ones. */
static const row_team *choose_team(const row_kernel *q) {
    const lower *l = q->l;
    const bool together = q->k >= 2 * GPU_WARP || q->rows > 1 || !l->t->any_size || l->in_part;
    return l->together || (q->k > 1 && together) ? &warps : row_thread(q);
}

bool lower_row_warp(lower *l) {
    return lower_rows(l, choose_team);
}

static const row_team *always_warps(const row_kernel *q) {
    (void)q;
    return &warps;
}

row_warps *row_begin_warps(lower *l) {
    return (row_warps *)row_begin(l, always_warps);
}

/* ---- in a band */

/* What is kept of row i, counted from the band's first. */
static bool find_kept(row_warps *w, const lp_val *kept, lp_val i) {
    row_kernel *q = &w->q;
    lp_builder *b = q->l->b;
    bool ok = true;
    w->kept_lies = kept != NULL;
    for (uint32_t n = 0; kept && n < q->w.kept.n && ok; n++) {
        const lp_val at = lp_imul(b, i, lp_index(b, q->k));
        ok = bz_vec_push(&q->kept_rows, lp_offset(b, kept[n], at));
    }
    return ok;
}

bool row_band(row_warps *w, const row_band_at *at) {
    row_kernel *q = &w->q;
    lp_builder *b = q->l->b;
    const lp_val warp = lp_index(b, GPU_WARP), team = lp_index(b, w->team);
    const lp_val each = lp_index(b, GPU_WARP / w->team), lane = lp_imod(b, at->thread, warp);
    row_sight sight = {0};
    plan_warps(w, q->blocks == 1 && row_fits_warp(w));
    q->lane = w->team < GPU_WARP ? lp_imod(b, lane, team) : lane;
    const lp_val count = lp_isub(b, at->end, at->first);
    row_make_blocks(q);
    lp_val i = lp_loop(b, LP_SERIAL, lp_idiv(b, at->thread, warp), lower_cover(b, count, each),
                       at->warps, NULL, 0, NULL);
    if (w->team < GPU_WARP) i = lp_iadd(b, lp_imul(b, i, each), lp_idiv(b, lane, team));
    w->there = lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){i, count}, 2);
    if (q->plain) sight = at->sees(at->ctx, i);
    emit_sym(&q->l->m, q->i_sym, lp_iadd(b, at->first, i));
    const bool ok = find_kept(w, at->kept, i) && by_warp(w, &sight);
    lp_end(b, NULL, 0, NULL);
    q->lane = 0;
    return ok;
}
