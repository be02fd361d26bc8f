/* strip_block.c - leading axes folded in stages by blocks of threads: softmax over a middle axis, statistics of channels and what they centre.
 *
 *     columns -->                          a block has `across` columns, counted through all outer rows; a stage's
 *     row 0    | thread 0 | thread 1 |     elements   thread (d, x): rows d, d + down ... of column x     read, kept, stored
 *     row 1    | across   | ...      |     folds      the same thread: chains d, d + down ...             from the first row to the last
 *     ...      |          |          |     results    the first threads: the chains' sums, pairwise       for all that come after
 *
 * What several stages read, and what they keep, waits in shared memory as far as that goes: else it is read, or computed, again. The order
 * of additions is IR_ORDER_LEAD's. Who comes later finds in shared memory what others have put there: threads meet behind each step. */
#include "src/passes/forms/col.h"
#include "src/passes/gpu/gpu.h"

enum {
    THREADS = GPU_WARP * GPU_WARPS,
    NARROW = 8,      /* columns of a block, at least: a sector of f32 */
    ENOUGH = 128,    /* blocks, before they get more columns than that */
    SMALL = 1 << 16, /* elements of which a few blocks make short work */
    LIGHT = 16,      /* steps up to which eight rows are read at once, else four */
    ROOM = 48 << 10  /* bytes of a block; more only where a second block has room beside it */
};

typedef struct strip_block {
    col_kernel q; /* the space, the folds */
    work w;
    ir_ex x_sym;                         /* the thread's column in the block */
    int64_t most;                        /* rows that there is room for */
    unsigned across, down, rows;         /* threads; rows that are read at once */
    BZ_VEC(lp_val) kept;                 /* [most][across], of each node that is kept */
    emit_staged staged[EMIT_MAX_STAGED]; /* the same of what is read */
    unsigned nstaged;
    unsigned stage; /* at hand */
    lp_val there;   /* has the thread a column? */
    lp_val d, x;
    lp_val columns; /* in all */
} strip_block;

/* ---- the row at hand */

/* Chains that a warp goes through at once are a row further apart: in other banks. */
static bool is_padded(const strip_block *s) {
    return s->q.chains > 1 && s->across < GPU_WARP;
}

/* Where in an array of shared memory its element lies. */
static ir_ex place_of(const strip_block *s) {
    ir_exprs *x = &s->q.l->x;
    ir_ex row = s->q.k_sym;
    if (is_padded(s)) row = ir_ex_add(x, row, ir_ex_div(x, row, ir_ex_const(x, IR_CHAIN)));
    return ir_ex_add(x, ir_ex_mulc(x, row, s->across), s->x_sym);
}

static int64_t elements_of(const strip_block *s) {
    return (s->most + (is_padded(s) ? s->q.chains : 0)) * s->across;
}

typedef void row_body(strip_block *s, lp_val *acc);

static void copy_row(strip_block *s, lp_val *acc) {
    emitter *m = &s->q.l->m;
    (void)acc;
    for (unsigned i = 0; i < s->nstaged; i++) {
        const emit_value v = emit_load(m, s->staged[i].p, s->staged[i].offset);
        lp_store(m->b, s->staged[i].local, emit_index(m, s->staged[i].at),
                 emit_lane_value(m, &v, 0), 0, 0);
    }
}

static bool kept_here(const strip_block *s, uint32_t i) {
    return work_kept_by(&s->w, s->w.kept.p[i]) == s->stage;
}

static void element_row(strip_block *s, lp_val *acc) {
    lower *l = s->q.l;
    (void)acc;
    for (uint32_t i = 0; i < s->w.kept.n; i++)
        if (kept_here(s, i)) stage_keep(l, s->w.kept.p[i], s->kept.p[i], place_of(s), 0);
    stage_store_elements(l, &s->w, s->stage, 0);
}

static bool folds_here(const strip_block *s, unsigned f) {
    return s->w.fold[f].stage == s->stage;
}

static void fold_row(strip_block *s, lp_val *acc) {
    for (unsigned f = 0; f < s->q.nfolds; f++)
        if (folds_here(s, f)) stage_fold(s->q.l, &s->w.fold[f].a, s->q.fold[f].x, acc++, 0);
}

/* ---- some rows */

/* Rows from, from + step ... below `to`, as many at once as `at_once` says. */
static void some_rows(strip_block *s, lp_val from, lp_val to, int64_t step, unsigned at_once,
                      row_body *body, lp_val *acc, unsigned n) {
    lp_builder *b = s->q.l->b;
    lp_val carry[FUSE_MAX_FOLDS], next[FUSE_MAX_FOLDS];
    const unsigned mark = emit_mark(&s->q.l->m);
    const lp_val first = lp_loop(b, LP_SERIAL, from, to, step * at_once, acc, n, carry);
    const lp_val u =
        lp_loop(b, LP_UNROLLED, lp_index(b, 0), lp_index(b, at_once), 1, carry, n, next);
    emit_sym(&s->q.l->m, s->q.k_sym, lp_iadd(b, first, lp_imul(b, u, lp_index(b, step))));
    body(s, next);
    lp_end(b, next, n, carry);
    lp_end(b, carry, n, acc);
    emit_forget(&s->q.l->m, mark);
}

static void rows_at_once(strip_block *s, lp_val from, lp_val to, int64_t step, row_body *body,
                         lp_val *acc, unsigned n) {
    lp_builder *b = s->q.l->b;
    const int64_t each = step * s->rows;
    const lp_val count = lp_imax(b, lp_isub(b, to, from), lp_index(b, 0));
    /* whole ones: all of their rows lie below `to` */
    const lp_val whole = lp_idiv(b, lp_iadd(b, count, lp_index(b, step - 1)), lp_index(b, each));
    const lp_val over = lp_iadd(b, from, lp_imul(b, whole, lp_index(b, each)));
    some_rows(s, from, over, step, s->rows, body, acc, n);
    some_rows(s, over, to, step, 1, body, acc, n);
}

/* All that are the thread's. */
static void own_rows(strip_block *s, row_body *body) {
    rows_at_once(s, s->d, s->q.rows, s->down, body, NULL, 0);
}

/* ---- folds */

static lp_val sum_at(const strip_block *s, lp_val chain) {
    lp_builder *b = s->q.l->b;
    return lp_iadd(b, lp_imul(b, chain, lp_index(b, s->across)), s->x);
}

/* The chains that are the thread's, from the first row to the last. */
static void fold_chains(strip_block *s) {
    col_kernel *q = &s->q;
    lp_builder *b = q->l->b;
    lp_val acc[FUSE_MAX_FOLDS];
    unsigned n = 0;
    const lp_val size = lp_index(b, IR_CHAIN);
    const lp_val chain = lp_loop(b, LP_SERIAL, s->d, q->all_chains, s->down, NULL, 0, NULL);
    for (unsigned f = 0; f < q->nfolds; f++)
        if (folds_here(s, f))
            acc[n++] = lp_const(b, q->fold[f].a.acc, fold_identity(&q->fold[f].a), 1);
    const lp_val from = lp_imul(b, chain, size), end = lp_imin(b, lp_iadd(b, from, size), q->rows);
    rows_at_once(s, from, end, 1, fold_row, acc, n);
    n = 0;
    for (unsigned f = 0; f < q->nfolds; f++)
        if (folds_here(s, f)) lp_store(b, q->fold[f].sums, sum_at(s, chain), acc[n++], 0, 0);
    lp_end(b, NULL, 0, NULL);
}

/* The stage's results, pairwise of the chains' sums, by the first threads. */
static void fold_sums(strip_block *s) {
    col_kernel *q = &s->q;
    lp_builder *b = q->l->b;
    lp_val first[2] = {s->there, lp_base(b, IR_EQ, BZ_BOOL, (lp_val[]){s->d, lp_index(b, 0)}, 2)};
    if (q->chains < 2) return;
    lp_if(b, lp_base(b, IR_AND, BZ_BOOL, first, 2));
    for (unsigned f = 0; f < q->nfolds; f++)
        if (folds_here(s, f))
            fold_rows(q->l, &q->fold[f].a, q->fold[f].sums, s->x, q->all_chains, s->across, 1, 1);
    lp_end(b, NULL, 0, NULL);
    lp_barrier(b);
}

/* What earlier stages have folded, for what comes in the region that is open. */
static void bind_results(strip_block *s) {
    col_kernel *q = &s->q;
    lower *l = q->l;
    for (unsigned f = 0; f < q->nfolds; f++) {
        const col_fold *of = &q->fold[f];
        if (s->w.fold[f].stage >= s->stage) continue;
        const lp_val acc = lp_load(l->b, of->sums, s->x, 1, 0, 0);
        l->m.bind[of->r] = (emit_bind){
            .kind = BIND_VALUE,
            .value.v[0] = fold_narrow(l, &of->a, ir_dtype(l->g, of->r), acc),
        };
    }
}

/* ---- stages */

static bool has_elements(const strip_block *s) {
    bool any = false;
    for (uint32_t i = 0; i < s->q.l->outputs.n; i++)
        any |= work_stored_by(&s->w, s->q.l->outputs.p[i], s->stage);
    for (uint32_t i = 0; i < s->w.kept.n; i++) any |= kept_here(s, i);
    return any;
}

static bool has_folds(const strip_block *s) {
    bool any = false;
    for (unsigned f = 0; f < s->q.nfolds; f++) any |= folds_here(s, f);
    return any;
}

static bool keeps(const strip_block *s) {
    bool any = false;
    for (uint32_t i = 0; i < s->w.kept.n; i++) any |= kept_here(s, i);
    return any;
}

/* A step of those that have a column. */
static unsigned open_step(strip_block *s) {
    emitter *m = &s->q.l->m;
    const unsigned mark = emit_mark(m);
    lp_if(m->b, s->there);
    bind_results(s);
    return mark;
}

static void close_step(strip_block *s, unsigned mark) {
    emit_forget(&s->q.l->m, mark);
    lp_end(s->q.l->b, NULL, 0, NULL);
}

static void one_stage(strip_block *s) {
    lower *l = s->q.l;
    if (has_elements(s)) {
        const unsigned mark = open_step(s);
        own_rows(s, element_row);
        close_step(s, mark);
        if (keeps(s)) lp_barrier(l->b);
        for (uint32_t i = 0; i < s->w.kept.n; i++)
            if (kept_here(s, i)) stage_bind_kept(l, s->w.kept.p[i], s->kept.p[i], place_of(s));
    }
    if (!has_folds(s)) return;
    const unsigned mark = open_step(s);
    fold_chains(s);
    close_step(s, mark);
    lp_barrier(l->b);
    fold_sums(s);
}

static bool stores_kept(const strip_block *s) {
    bool any = false;
    for (uint32_t i = 0; i < s->q.l->outputs.n; i++)
        any |= !work_stores_elements(&s->w, s->q.l->outputs.p[i]);
    return any;
}

/* What is made of the results alone, once nobody reads any more what it may be written over. */
static void store_kept(strip_block *s) {
    emitter *m = &s->q.l->m;
    lp_builder *b = m->b;
    lp_val first[2] = {s->there, lp_base(b, IR_EQ, BZ_BOOL, (lp_val[]){s->d, lp_index(b, 0)}, 2)};
    if (!stores_kept(s)) return;
    const unsigned mark = emit_mark(m);
    if (s->down > 1) lp_barrier(b);
    lp_if(b, lp_base(b, IR_AND, BZ_BOOL, first, 2));
    bind_results(s);
    lower_store_outputs(s->q.l, FUSE_KEPT, 0);
    close_step(s, mark);
}

static void all_stages(strip_block *s) {
    col_kernel *q = &s->q;
    emitter *m = &q->l->m;
    if (s->nstaged) {
        const unsigned mark = open_step(s);
        own_rows(s, copy_row);
        close_step(s, mark);
        lp_barrier(m->b);
        for (unsigned i = 0; i < s->nstaged; i++) m->staged[m->nstaged++] = s->staged[i];
    }
    for (; s->stage < s->w.nstages; s->stage++) one_stage(s);
    store_kept(s);
    m->nstaged = 0;
    for (uint32_t i = 0; i < s->w.kept.n; i++) m->bind[s->w.kept.p[i]] = (emit_bind){0};
    for (unsigned f = 0; f < q->nfolds; f++) m->bind[q->fold[f].r] = (emit_bind){0};
}

/* ---- blocks */

static bool make_arrays(strip_block *s) {
    col_kernel *q = &s->q;
    lp_builder *b = q->l->b;
    bool ok = true;
    for (unsigned i = 0; i < s->nstaged; i++) {
        emit_staged *x = &s->staged[i];
        x->at = place_of(s);
        x->local = lp_local(b, (bz_dtype)lp_at(b, x->p)->dtype, elements_of(s), LP_SHARED);
    }
    for (uint32_t i = 0; i < s->w.kept.n && ok; i++)
        ok = bz_vec_push(&s->kept,
                         lp_local(b, ir_dtype(q->l->g, s->w.kept.p[i]), elements_of(s), LP_SHARED));
    for (unsigned f = 0; f < q->nfolds; f++)
        q->fold[f].sums = lp_local(b, q->fold[f].a.acc, q->chains * s->across, LP_SHARED);
    return ok;
}

static bool all_blocks(strip_block *s) {
    col_kernel *q = &s->q;
    emitter *m = &q->l->m;
    lp_builder *b = m->b;
    const lp_val zero = lp_index(b, 0), across = lp_index(b, s->across);
    const lp_val inner = lp_index(b, q->inner);
    s->columns = lp_imul(b, q->outer_rows, inner);
    const lp_val t =
        lp_loop(b, LP_PARALLEL, zero, lower_cover(b, s->columns, across), 1, NULL, 0, NULL);
    const unsigned mark = emit_mark(m);
    const bool ok = make_arrays(s);
    const lp_val thread =
        lp_loop(b, LP_BLOCK, zero, lp_index(b, s->across * s->down), 1, NULL, 0, NULL);
    s->d = lp_idiv(b, thread, across);
    s->x = lp_imod(b, thread, across);
    const lp_val column = lp_iadd(b, lp_imul(b, t, across), s->x), o = lp_idiv(b, column, inner);
    s->there = lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){column, s->columns}, 2);
    emit_scalar(m);
    emit_sym(m, s->x_sym, s->x);
    emit_sym(m, q->o_sym, o);
    emit_sym(m, q->c_sym, lp_isub(b, column, lp_imul(b, o, inner)));
    if (ok) all_stages(s);
    emit_forget(m, mark);
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
    return ok;
}

/* ---- choices */

static int64_t room_of(const pass_target *t) {
    return t->shared / 2 > ROOM ? t->shared / 2 : ROOM;
}

static unsigned power_above(int64_t n, unsigned most) {
    unsigned p = 1;
    while (p < most && (int64_t)p < n) p *= 2;
    return p;
}

/* Bytes of a block's columns; rows alone: of what is read and kept. */
static int64_t bytes_of(const strip_block *s, unsigned across) {
    int64_t row = 0, chain = 0;
    for (unsigned i = 0; i < s->nstaged; i++)
        row += (int64_t)ir_dtype_bytes((bz_dtype)lp_at(s->q.l->b, s->staged[i].p)->dtype);
    for (uint32_t i = 0; i < s->w.kept.n; i++)
        row += (int64_t)ir_dtype_bytes(ir_dtype(s->q.l->g, s->w.kept.p[i]));
    for (unsigned f = 0; f < s->q.nfolds; f++) chain += (int64_t)ir_dtype_bytes(s->q.fold[f].a.acc);
    const int64_t arrays = s->nstaged + s->w.kept.n + s->q.nfolds; /* each a multiple of 16 */
    return across * ((s->most + s->q.chains) * row + s->q.chains * chain) + 16 * arrays;
}

static void find_reads(strip_block *s) {
    lower *l = s->q.l;
    stage_read c[STAGE_READS];
    const unsigned n = stage_reads(l, &s->w, s->q.k_sym, c);
    for (unsigned i = 0; i < n && s->nstaged < EMIT_MAX_STAGED; i++)
        if (c[i].times > 1 && ir_ex_uses(&l->x, c[i].read.offset, s->q.c_sym))
            s->staged[s->nstaged++] = c[i].read;
}

/* Columns and rows of threads. What has no room even in a narrow block is computed, or read, again. */
static bool choose_block(strip_block *s) {
    col_kernel *q = &s->q;
    lower *l = q->l;
    const int64_t room = room_of(l->t), all = l->t->any_size ? INT64_MAX : q->outer * q->inner;
    bool ok = true;
    find_reads(s);
    while (s->nstaged && bytes_of(s, NARROW) > room) s->nstaged--;
    if (bytes_of(s, NARROW) > room && s->w.kept.n) {
        work_free(&s->w);
        ok = work_describe(&s->w, l->f, l->group, l->outputs.p, l->outputs.n, false);
        find_reads(s);
        while (s->nstaged && bytes_of(s, NARROW) > room) s->nstaged--;
    }
    s->across = power_above(all, GPU_WARP);
    while (s->across > NARROW && (bytes_of(s, s->across) > room || all / s->across < ENOUGH))
        s->across /= 2;
    s->down = power_above(q->k, THREADS / s->across);
    return ok;
}

bool lower_strip_block(lower *l) {
    strip_block s = {0};
    bool ok =
        work_describe(&s.w, l->f, l->group, l->outputs.p, l->outputs.n, true) && col_begin(&s.q, l);
    if (ok) {
        s.x_sym = lower_sym(l, "x", GPU_WARP);
        s.most = col_count_rows(&s.q);
        s.rows = l->group->steps <= LIGHT ? 8 : 4;
        ok = choose_block(&s) && all_blocks(&s);
    }
    work_free(&s.w);
    bz_vec_free(&s.kept);
    return ok && !l->m.failed;
}

/* In one kernel elements are read once, if a narrow block has room for its columns, and there are blocks enough. */
bool strip_block_pays(const pass_target *t, const ir_graph *g, ir_ref head) {
    const ir_reduce_attr a = ir_reduce_get(g, ir_at(g, head));
    const ir_ref x = ir_operand(g, head, 0);
    int64_t shape[IR_MAX_RANK], all = 1, k = 1;
    ir_static_shape(g, x, shape);
    for (unsigned d = 0, r = 0; d < ir_at(g, x)->rank; d++) {
        const bool gone = r < a.naxes && a.axes[r] == (int64_t)d;
        r += gone;
        all = bz_times(all, shape[d]);
        k = bz_times(k, gone ? shape[d] : 1);
    }
    const int64_t bytes = bz_times(bz_times(k, NARROW), (int64_t)ir_dtype_bytes(a.acc));
    return all > 0 && k > 1 && bytes <= room_of(t) &&
           (all <= SMALL || all / k / NARROW >= ENOUGH / 2);
}
