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
#include "src/passes/gpu/gpu.h"
#include "src/passes/cpu/row.h"
#include "src/ir/loops/builder.h"

enum {
    KEEPS = 8,         /* turns of which a thread has its elements in registers ... */
    ARRAYS = 3,        /* ... of so many rows */
    SHARED = 32 << 10, /* bytes of a block for rows */
    /* the same for a block that has one row; more only where a second block has room beside it: one computes while the other loads */
    ONE_ROW = 48 << 10,
    ROW_WARPS = 16,                 /* warps of a block that has one row, at most */
    THREADS = GPU_WARP * GPU_WARPS, /* that combine blocks' results, ... */
    TREE = 32                       /* each so many at a time */
};

bool row_in_teams(const row_kernel *q) {
    return q->warp && q->k < 2 * GPU_WARP && !q->l->together;
}

void row_choose_team(row_kernel *q) {
    q->team = 1;
    while (q->team < GPU_WARP && ((int64_t)q->team < q->k || !row_in_teams(q))) q->team *= 2;
    q->lanes = !row_in_teams(q) ? IR_LANES / GPU_WARP : q->k > GPU_WARP ? 2 : 1;
    q->nvec = 1;
}

lp_val row_open_warps(row_kernel *q, lp_val count) {
    lp_builder *b = q->l->b;
    lp_val zero = lp_index(b, 0), warps = lp_index(b, q->warps), team = lp_index(b, q->team);
    lp_val each = lp_index(b, GPU_WARP / q->team);
    lp_val blocks = lower_cover(b, count, lp_imul(b, warps, each));
    lp_val t = lp_loop(b, LP_PARALLEL, zero, blocks, 1, NULL, 0, NULL);
    for (unsigned i = 0; q->in_shared && i < q->nstaged; i++)
        q->staged[i].local =
            lp_local(b, (bz_dtype)lp_at(b, q->staged[i].p)->dtype, q->warps * q->k, LP_SHARED);
    lp_val w = lp_loop(b, LP_BLOCK, zero, warps, 1, NULL, 0, NULL);
    lp_val lane = lp_loop(b, LP_LANE, zero, lp_index(b, GPU_WARP), 1, NULL, 0, NULL);
    q->lane = q->team < GPU_WARP ? lp_imod(b, lane, team) : lane;
    for (unsigned i = 0; q->in_shared && i < q->nstaged; i++)
        q->staged[i].local = lp_offset(b, q->staged[i].local, lp_imul(b, w, lp_index(b, q->k)));
    lp_val i = lp_iadd(b, lp_imul(b, t, warps), w);
    if (q->team < GPU_WARP) i = lp_iadd(b, lp_imul(b, i, each), lp_idiv(b, lane, team));
    q->there = lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){i, count}, 2);
    if (!row_in_teams(q)) lp_if(b, q->there);
    return i;
}

void row_close_warps(row_kernel *q, bool block) {
    for (unsigned i = block || row_in_teams(q); i < 4; i++) lp_end(q->l->b, NULL, 0, NULL);
    q->lane = q->block_warp = 0;
}

/* What is kept of row i, counted from the band's first. */
static bool find_kept(row_kernel *q, const lp_val *kept, lp_val i) {
    lp_builder *b = q->l->b;
    bool ok = true;
    q->kept_lies = kept != NULL;
    for (uint32_t n = 0; kept && n < q->w.kept.n && ok; n++) {
        const lp_val at = lp_imul(b, i, lp_index(b, q->k));
        ok = bz_vec_push(&q->kept_rows, lp_offset(b, kept[n], at));
    }
    return ok;
}

bool row_band(row_kernel *q, const row_band_at *at) {
    lp_builder *b = q->l->b;
    const lp_val warp = lp_index(b, GPU_WARP), team = lp_index(b, q->team);
    const lp_val each = lp_index(b, GPU_WARP / q->team), lane = lp_imod(b, at->thread, warp);
    row_sight sight = {0};
    row_plan_warps(q, q->blocks == 1 && row_fits_warp(q));
    q->lane = q->team < GPU_WARP ? lp_imod(b, lane, team) : lane;
    const lp_val count = lp_isub(b, at->end, at->first);
    bool ok = row_make_scratch(q);
    lp_val i = lp_loop(b, LP_SERIAL, lp_idiv(b, at->thread, warp), lower_cover(b, count, each),
                       at->warps, NULL, 0, NULL);
    if (q->team < GPU_WARP) i = lp_iadd(b, lp_imul(b, i, each), lp_idiv(b, lane, team));
    q->there = lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){i, count}, 2);
    if (q->plain) sight = at->sees(at->ctx, i);
    emit_sym(&q->l->m, q->i_sym, lp_iadd(b, at->first, i));
    ok = ok && find_kept(q, at->kept, i) && row_by_warp(q, &sight);
    lp_end(b, NULL, 0, NULL);
    q->lane = 0;
    return ok;
}

/* ---- turns */

typedef void turn_body(void *ctx, lp_val *acc);

static int64_t turns_of(const row_kernel *q) {
    return (q->k + IR_LANES - 1) / IR_LANES; /* of a team one */
}

/* The thread's elements of the turn that begins at element `at` of the stretch, the turn'th of the row. */
static void one_turn(row_kernel *q, lp_val lo, lp_val at, lp_val turn, lp_val mask, turn_body *body,
                     void *ctx, lp_val *acc) {
    lp_builder *b = q->l->b;
    emitter *m = &q->l->m;
    lp_val k = lp_iadd(b, lo, lp_iadd(b, at, lp_imul(b, q->lane, lp_index(b, q->lanes))));
    unsigned mark = emit_mark(m);
    if (q->skipped) emit_sym(m, q->skipped, lp_isub(b, k, lp_imul(b, turn, lp_index(b, q->lanes))));
    emit_vector(m, q->k_sym, k, q->lanes, 1, mask);
    body(ctx, acc);
    emit_forget(m, mark);
}

/* The last turn, of which not all is there: of a thread all four elements or none, or any number. */
static void last_turn(row_kernel *q, lp_val lo, lp_val at, lp_val turn, lp_val count,
                      turn_body *body, void *ctx, lp_val *acc, unsigned n) {
    lp_builder *b = q->l->b;
    lp_val own = lp_iadd(b, at, lp_imul(b, q->lane, lp_index(b, q->lanes))), next[MAX_FOLDS];
    lp_val some = lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){own, count}, 2), mask = 0;
    if (q->any_k || q->k % q->lanes) mask = lower_tail_mask(q->l, lp_isub(b, count, own), q->lanes);
    if (mask && !row_in_teams(q)) {
        one_turn(q, lo, at, turn, mask, body, ctx, acc);
        return;
    }
    if (row_in_teams(q)) some = lp_base(b, IR_AND, BZ_BOOL, (lp_val[]){some, q->there}, 2);
    for (unsigned i = 0; i < n; i++) next[i] = acc[i];
    lp_if(b, some);
    one_turn(q, lo, at, turn, mask, body, ctx, next);
    lp_else(b, next, n);
    lp_end(b, acc, n, acc);
}

/* Elements lo .. lo + count, of a pass s (NULL: it is none) those that are seen. Where a thread holds some in registers the turns are
 * written out. */
static void all_turns(row_kernel *q, row_stretch *s, lp_val lo, lp_val count, turn_body *body,
                      void *ctx, lp_val *acc, unsigned n) {
    lp_builder *b = q->l->b;
    lp_val zero = lp_index(b, 0), size = lp_index(b, IR_LANES), carry[MAX_FOLDS];
    lp_val over = lp_imod(b, count, size), whole = lp_isub(b, count, over);
    const lp_loop_kind kind = q->skipped ? LP_UNROLLED : LP_SERIAL;
    int64_t v;
    if (row_in_teams(q)) {
        last_turn(q, lo, zero, zero, count, body, ctx, acc, n);
        return;
    }
    if (!lp_const_i64(b, whole, &v) || v > 0) {
        const row_span seen = s ? row_seen_of(s, lo, whole) : (row_span){zero, whole};
        const lp_val from = lp_idiv(b, seen.from, size), to = lp_idiv(b, seen.to, size);
        lp_val turn = lp_loop(b, kind, from, to, 1, acc, n, carry);
        one_turn(q, lo, lp_imul(b, turn, size), turn, 0, body, ctx, carry);
        lp_end(b, carry, n, acc);
        if (s) row_fill_hidden(s, lo, whole);
    }
    if (lp_const_i64(b, over, &v) && v == 0) return;
    last_turn(q, lo, whole, lp_idiv(b, whole, size), count, body, ctx, acc, n);
}

/* ---- what several stages read */

static int64_t row_bytes(const row_kernel *q, const emit_staged *x) {
    return q->k * (int64_t)ir_dtype_bytes((bz_dtype)lp_at(q->l->b, x->p)->dtype);
}

void row_plan_warps(row_kernel *q, bool whole_rows) {
    stage_read c[STAGE_READS];
    const bool fits = row_fits_warp(q);
    int64_t bytes = 0;
    const unsigned n = stage_reads(q->l, &q->w, q->k_sym, c);
    q->warps = GPU_WARPS;
    q->vectors = q->lanes > 1 && (q->rows == 1 || q->k % q->lanes == 0);
    for (unsigned i = 0; whole_rows && i < n && q->nstaged < EMIT_MAX_STAGED; i++) {
        const int64_t own = row_bytes(q, &c[i].read);
        if (c[i].times < 2 || (fits ? q->w.kept.n + q->nstaged >= ARRAYS : bytes + own > SHARED))
            continue;
        q->staged[q->nstaged++] = c[i].read;
        bytes += own;
    }
    q->in_shared = q->nstaged && !fits;
    while (q->in_shared && q->warps * bytes > SHARED) q->warps /= 2;
    q->aligned = q->vectors ? gpu_aligned(q->l, q->lanes) : 0;
}

/* ---- a row a block */

bool row_plan_block(row_kernel *q) {
    stage_read c[STAGE_READS];
    const int64_t half = q->l->t->shared / 2, most = half > ONE_ROW ? half : ONE_ROW;
    int64_t bytes = 0;
    if (!q->warp || q->any_k || q->blocks < 2 || q->w.nstages < 2) return false;
    const unsigned n = stage_reads(q->l, &q->w, q->k_sym, c);
    for (unsigned i = 0; i < n && q->nstaged < EMIT_MAX_STAGED; i++) {
        if (c[i].times < 2) continue;
        q->staged[q->nstaged++] = c[i].read;
        bytes += bz_round_up(row_bytes(q, &c[i].read), 16);
    }
    for (unsigned f = 0; f < q->nfolds; f++)
        bytes += bz_round_up(q->blocks * (int64_t)ir_dtype_bytes(q->fold[f].a.acc), 16);
    if (!q->nstaged || bytes > most) return q->nstaged = 0, false;
    q->in_shared = true;
    q->warps = q->blocks < ROW_WARPS ? (unsigned)q->blocks : ROW_WARPS;
    q->vectors = q->lanes > 1 && (q->rows == 1 || q->k % q->lanes == 0);
    q->aligned = q->vectors ? gpu_aligned(q->l, q->lanes) : 0;
    return true;
}

lp_val row_open_block(row_kernel *q, lp_val rows) {
    lp_builder *b = q->l->b;
    lp_val zero = lp_index(b, 0);
    lp_val row = lp_loop(b, LP_PARALLEL, zero, rows, 1, NULL, 0, NULL);
    for (unsigned i = 0; i < q->nstaged; i++)
        q->staged[i].local =
            lp_local(b, (bz_dtype)lp_at(b, q->staged[i].p)->dtype, q->k, LP_SHARED);
    for (unsigned f = 0; f < q->nfolds; f++)
        q->fold[f].blocks = lp_local(b, q->fold[f].a.acc, q->blocks, LP_SHARED);
    q->block_warp = lp_loop(b, LP_BLOCK, zero, lp_index(b, q->warps), 1, NULL, 0, NULL);
    q->lane = lp_loop(b, LP_LANE, zero, lp_index(b, GPU_WARP), 1, NULL, 0, NULL);
    return row;
}

lp_val row_open_own(row_kernel *q, lp_val *count) {
    lp_builder *b = q->l->b;
    const lp_val all = lp_index(b, q->blocks), size = lp_index(b, IR_BLOCK);
    const lp_val j = lp_loop(b, LP_SERIAL, q->block_warp, all, q->warps, NULL, 0, NULL);
    *count = size;
    if (q->k % IR_BLOCK) *count = lp_imin(b, size, lp_isub(b, q->length, lp_imul(b, j, size)));
    return j;
}

static void stage_turn(void *ctx, lp_val *acc) {
    row_kernel *q = ctx;
    emitter *m = &q->l->m;
    (void)acc;
    for (unsigned i = 0; i < q->nstaged; i++) {
        const emit_staged *x = &q->staged[i];
        emit_value v = emit_load(m, x->p, x->offset);
        lp_store(m->b, x->local, emit_index(m, x->at), emit_lane_value(m, &v, 0),
                 q->in_shared ? m->tail : 0, /* see row_step */
                 q->in_shared && q->vectors && !m->tail ? LP_ALIGNED : 0);
    }
}

/* ---- what stages keep */

bool row_fits_warp(const row_kernel *q) {
    return q->k <= KEEPS * IR_LANES;
}

static lp_val registers(row_kernel *q, bz_dtype t) {
    return lp_local(q->l->b, t, turns_of(q) * q->lanes, LP_STACK);
}

bool row_hold_in_warp(row_kernel *q) {
    lower *l = q->l;
    emitter *m = &l->m;
    if ((q->w.kept.n && !q->kept_lies) || (q->nstaged && !q->in_shared)) {
        q->skipped = ir_ex_sym(&l->x, NULL, 0, q->k);
        q->kept_at = ir_ex_sub(&l->x, q->k_sym, q->skipped);
    }
    for (uint32_t i = 0; i < q->w.kept.n && !q->kept_lies; i++)
        if (!bz_vec_push(&q->kept_rows, registers(q, ir_dtype(l->g, q->w.kept.p[i])))) return false;
    for (unsigned i = 0; i < q->nstaged; i++) {
        emit_staged *x = &q->staged[i];
        x->at = q->in_shared ? q->k_sym : q->kept_at;
        if (!q->in_shared) x->local = registers(q, (bz_dtype)lp_at(l->b, x->p)->dtype);
    }
    if (q->nstaged && q->block_warp) {
        lp_val count, block = row_open_own(q, &count);
        all_turns(q, NULL, lp_imul(l->b, block, lp_index(l->b, IR_BLOCK)), count, stage_turn, q,
                  NULL, 0);
        lp_end(l->b, NULL, 0, NULL);
    } else if (q->nstaged) {
        all_turns(q, NULL, lp_index(l->b, 0), q->length, stage_turn, q, NULL, 0);
    }
    emit_scalar(m);
    for (unsigned i = 0; i < q->nstaged; i++) m->staged[m->nstaged++] = q->staged[i];
    return true;
}

bool row_hold_nothing(row_kernel *q) {
    lower *l = q->l;
    l->m.nstaged = 0;
    for (uint32_t i = 0; i < q->w.kept.n; i++) l->m.bind[q->w.kept.p[i]] = (emit_bind){0};
    for (unsigned f = 0; f < q->nfolds; f++) l->m.bind[q->fold[f].r] = (emit_bind){0};
    q->skipped = 0;
    if (q->kept_lies) return true; /* that asks for no vectors */
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

void row_fold_warp(row_stretch *s, lp_val lo, lp_val count, lp_val *out) {
    row_kernel *q = s->q;
    lower *l = q->l;
    lp_val acc[MAX_FOLDS];
    for (unsigned f = 0; f < s->nfolds; f++) {
        const ir_reduce_attr *a = &q->fold[s->folds[f]].a;
        acc[f] = lp_const(l->b, a->acc, fold_identity(a), q->lanes);
    }
    all_turns(q, s, lo, count, fold_turn, s, acc, s->nfolds);
    emit_scalar(&l->m);
    for (unsigned f = 0; f < s->nfolds; f++) {
        const ir_reduce_attr *a = &s->q->fold[s->folds[f]].a;
        for (unsigned far = q->team / 2; far > 0; far /= 2)
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

void row_open_trees(row_kernel *q, const row_stretch *s, lp_val base) {
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

void row_close_trees(row_kernel *q) {
    lp_end(q->l->b, NULL, 0, NULL);
    lp_end(q->l->b, NULL, 0, NULL);
}
