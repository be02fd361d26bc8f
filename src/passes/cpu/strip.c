/* strip.c - leading axes folded in stages, with what is made of the results for every element: softmax over a middle axis, statistics of
 * channels and what they centre.
 *
 *     stage 0:  max over k of x[k, c]                         one task: the columns of a strip, from the first row to the last,
 *     stage 1:  sum over k of e = exp(x[k, c] - max)          stage by stage; e is kept in scratch memory
 *     stage 2:  y[k, c] = e / sum                             stored
 *
 * A strip is as wide as its rows, all of them, fit into the second-level cache. They may lie far apart in memory: then they are copied
 * together, row by row. The stages go down pieces of the strip, a few lines wide, so that what is folded is in registers. The order of
 * additions is that of col.c: chains of 128 rows, their sums pairwise. Behind the last whole piece the pieces are single vectors. */
#include "src/passes/cpu/cpu.h"
#include "src/passes/forms/col.h"
#include "src/passes/work.h"

enum {
    WIDEST = 8,  /* vectors of a piece ... */
    LINES = 4,   /* ... and lines of the caches, at most */
    STRIP = 1024 /* bytes of a strip's row, at least, if there are more */
};

typedef struct strip_kernel {
    col_kernel q; /* the space, the folds; sums: of a piece's chains */
    work w;
    ir_ex s_sym, p_sym; /* the first columns of the strip and the piece at hand */
    int64_t most;       /* rows that there is room for: k, or more where the code serves any size */
    int64_t piece;      /* columns of a whole piece; q.row: of a strip */
    BZ_VEC(lp_val) kept;                 /* [k][piece], of each node that is kept */
    emit_staged staged[EMIT_MAX_STAGED]; /* [k][row], of what is read */
    unsigned nstaged;
    unsigned stage, width; /* at hand */
    unsigned stream;       /* flags of the stores of elements */
} strip_kernel;

/* ---- one stage of one piece: its columns are the vector symbol's */

/* Where in what is kept the element at hand lies. */
static ir_ex kept_at(const strip_kernel *s) {
    ir_exprs *x = &s->q.l->x;
    return ir_ex_add(x, ir_ex_mulc(x, s->q.k_sym, s->piece), ir_ex_sub(x, s->q.c_sym, s->p_sym));
}

static void keep(strip_kernel *s) {
    for (uint32_t i = 0; i < s->w.kept.n; i++)
        if (work_kept_by(&s->w, s->w.kept.p[i]) == s->stage)
            stage_keep(s->q.l, s->w.kept.p[i], s->kept.p[i], kept_at(s), 0);
}

/* From now on what was kept stands for the nodes. */
static void bind_kept(strip_kernel *s) {
    for (uint32_t i = 0; i < s->w.kept.n; i++)
        if (work_kept_by(&s->w, s->w.kept.p[i]) == s->stage)
            stage_bind_kept(s->q.l, s->w.kept.p[i], s->kept.p[i], kept_at(s));
}

static bool folds_here(const strip_kernel *s, unsigned f) {
    return s->w.fold[f].stage == s->stage;
}

/* The row at hand: kept, folded into acc, stored. */
static void do_row(strip_kernel *s, lp_val *acc) {
    keep(s);
    for (unsigned f = 0; f < s->q.nfolds; f++) {
        if (!folds_here(s, f)) continue;
        stage_fold(s->q.l, &s->w.fold[f].a, s->q.fold[f].x, acc, 0);
        acc += s->width;
    }
    stage_store_elements(s->q.l, &s->w, s->stage, s->stream);
}

/* Rows from .. from + count, a chain. */
static void do_chain(strip_kernel *s, lp_val from, lp_val count, lp_val *acc) {
    col_kernel *q = &s->q;
    lp_val carry[FUSE_MAX_FOLDS * WIDEST];
    unsigned n = 0;
    for (unsigned f = 0; f < q->nfolds; f++)
        for (unsigned u = 0; u < s->width && folds_here(s, f); u++)
            acc[n++] = lp_const(q->l->b, q->fold[f].a.acc, fold_identity(&q->fold[f].a), q->lanes);
    const unsigned mark = emit_mark(&q->l->m);
    const lp_val j =
        lp_loop(q->l->b, LP_SERIAL, from, lp_iadd(q->l->b, from, count), 1, acc, n, carry);
    emit_sym(&q->l->m, q->k_sym, j);
    do_row(s, carry);
    emit_forget(&q->l->m, mark);
    lp_end(q->l->b, carry, n, acc);
}

static void store_sums(strip_kernel *s, lp_val chain, const lp_val *acc) {
    col_kernel *q = &s->q;
    lp_builder *b = q->l->b;
    for (unsigned f = 0, n = 0; f < q->nfolds; f++)
        for (unsigned u = 0; u < s->width && folds_here(s, f); u++)
            lp_store(
                b, q->fold[f].sums,
                lp_iadd(b, lp_imul(b, chain, lp_index(b, s->piece)), lp_index(b, u * q->lanes)),
                acc[n++], 0, 0);
}

/* The sums of the stage's folds, pairwise. */
static void fold_sums(strip_kernel *s, lp_val *acc) {
    col_kernel *q = &s->q;
    lp_builder *b = q->l->b;
    for (unsigned f = 0; f < q->nfolds; f++) {
        const col_fold *n = &q->fold[f];
        if (!folds_here(s, f)) continue;
        fold_rows(q->l, &n->a, n->sums, lp_index(b, 0), q->all_chains, s->piece,
                  (int64_t)s->width * q->lanes, q->lanes);
        for (unsigned u = 0; u < s->width; u++)
            *acc++ = lp_load(b, n->sums, lp_index(b, u * q->lanes), q->lanes, 0, 0);
    }
}

static void do_chains(strip_kernel *s, lp_val *acc) {
    col_kernel *q = &s->q;
    lp_builder *b = q->l->b;
    const lp_val size = lp_index(b, IR_CHAIN);
    const lp_val i = lp_loop(b, LP_SERIAL, lp_index(b, 0), q->all_chains, 1, NULL, 0, NULL);
    const lp_val from = lp_imul(b, i, size);
    do_chain(s, from, lp_imin(b, lp_isub(b, q->rows, from), size), acc);
    store_sums(s, i, acc);
    lp_end(b, NULL, 0, NULL);
    fold_sums(s, acc);
}

static void bind_results(strip_kernel *s, const lp_val *acc) {
    col_kernel *q = &s->q;
    for (unsigned f = 0; f < q->nfolds; f++) {
        const col_fold *fold = &q->fold[f];
        emit_bind *bind = &q->l->m.bind[fold->r];
        if (!folds_here(s, f)) continue;
        *bind = (emit_bind){.kind = BIND_VALUE};
        for (unsigned u = 0; u < s->width; u++)
            bind->value.v[u] = fold_narrow(q->l, &fold->a, ir_dtype(q->l->g, fold->r), *acc++);
    }
}

/* ---- a piece */

static bool does_anything(const strip_kernel *s) {
    for (unsigned f = 0; f < s->q.nfolds; f++)
        if (folds_here(s, f)) return true;
    for (uint32_t i = 0; i < s->q.l->outputs.n; i++)
        if (work_stored_by(&s->w, s->q.l->outputs.p[i], s->stage)) return true;
    return false;
}

typedef void piece_body(strip_kernel *s);

static void all_stages(strip_kernel *s) {
    col_kernel *q = &s->q;
    lp_val acc[FUSE_MAX_FOLDS * WIDEST];
    for (s->stage = 0; s->stage < s->w.nstages; s->stage++) {
        if (!does_anything(s)) continue;
        if (q->chains > 1)
            do_chains(s, acc);
        else
            do_chain(s, lp_index(q->l->b, 0), q->rows, acc);
        bind_results(s, acc);
        bind_kept(s);
    }
    lower_store_outputs(q->l, FUSE_KEPT, 0);
    for (uint32_t i = 0; i < s->w.kept.n; i++) q->l->bind[s->w.kept.p[i]] = (emit_bind){0};
    for (unsigned f = 0; f < q->nfolds; f++) q->l->bind[q->fold[f].r] = (emit_bind){0};
}

static void copy(strip_kernel *s) {
    emitter *m = &s->q.l->m;
    for (unsigned i = 0; i < s->nstaged; i++) {
        const emit_staged *x = &s->staged[i];
        const emit_value v = emit_load(m, x->p, x->offset);
        const lp_val at = emit_index(m, x->at);
        for (unsigned u = 0; u < s->width; u++)
            lp_store(m->b, x->local, lp_iadd(m->b, at, lp_index(m->b, u * m->lanes)),
                     emit_lane_value(m, &v, u), 0, 0);
    }
}

/* ---- a strip */

static void do_piece(strip_kernel *s, lp_val p, unsigned width, lp_val mask, piece_body *body) {
    emitter *m = &s->q.l->m;
    const unsigned mark = emit_mark(m);
    emit_sym(m, s->p_sym, p);
    emit_vector(m, s->q.c_sym, p, s->q.lanes, width, mask);
    s->width = width;
    body(s);
    emit_forget(m, mark);
    emit_scalar(m);
}

/* The body for the pieces of columns first .. end. */
static void over_pieces(strip_kernel *s, lp_val first, lp_val end, piece_body *body) {
    col_kernel *q = &s->q;
    lp_builder *b = q->l->b;
    const bool whole = q->inner >= s->piece, rest = q->inner % s->piece != 0;
    lp_val behind = first;
    if (whole) {
        const lp_val size = lp_index(b, s->piece), over = lp_imod(b, lp_isub(b, end, first), size);
        behind = rest ? lp_isub(b, end, over) : end;
        const lp_val p = lp_loop(b, LP_SERIAL, first, behind, s->piece, NULL, 0, NULL);
        do_piece(s, p, q->width, 0, body);
        lp_end(b, NULL, 0, NULL);
    }
    if (!rest) return;
    const lp_val p = lp_loop(b, LP_SERIAL, behind, end, q->lanes, NULL, 0, NULL);
    const bool over = q->inner % q->lanes != 0;
    do_piece(s, p, 1, over ? lower_tail_mask(q->l, lp_isub(b, end, p), q->lanes) : 0, body);
    lp_end(b, NULL, 0, NULL);
}

static void copy_rows(strip_kernel *s, lp_val first, lp_val end) {
    emitter *m = &s->q.l->m;
    const unsigned mark = emit_mark(m);
    if (!s->nstaged) return;
    const lp_val zero = lp_index(m->b, 0);
    emit_sym(m, s->q.k_sym, lp_loop(m->b, LP_SERIAL, zero, s->q.rows, 1, NULL, 0, NULL));
    over_pieces(s, first, end, copy);
    emit_forget(m, mark);
    lp_end(m->b, NULL, 0, NULL);
}

static void do_all(strip_kernel *s) {
    col_kernel *q = &s->q;
    emitter *m = &q->l->m;
    lp_builder *b = q->l->b;
    const lp_val each = lp_index(b, q->strips), zero = lp_index(b, 0);
    const lp_val all = lp_imul(b, q->outer_rows, each);
    const lp_val t = lp_loop(b, LP_PARALLEL, zero, all, 1, NULL, 0, NULL);
    const lp_val o = lp_idiv(b, t, each), strip = lp_isub(b, t, lp_imul(b, o, each));
    const lp_val first = lp_imul(b, strip, lp_index(b, q->row)),
                 end = lp_imin(b, lp_iadd(b, first, lp_index(b, q->row)), lp_index(b, q->inner));
    emit_sym(m, q->o_sym, o);
    emit_sym(m, s->s_sym, first);
    copy_rows(s, first, end);
    for (; m->nstaged < s->nstaged; m->nstaged++) m->staged[m->nstaged] = s->staged[m->nstaged];
    over_pieces(s, first, end, all_stages);
    m->nstaged = 0;
    lp_end(b, NULL, 0, NULL);
}

/* ---- choices */

/* Into how many tasks so many elements should be cut. */
static int64_t tasks_for(const pass_machine *m, int64_t elements) {
    const int64_t worth = elements / m->task;
    return worth < m->tasks ? worth : m->tasks;
}

/* Bytes of a row for each column: what is folded, and what is kept. */
static int64_t column_bytes(const strip_kernel *s) {
    int64_t bytes = 0;
    for (unsigned f = 0; f < s->q.nfolds; f++) bytes += (int64_t)ir_dtype_bytes(s->q.fold[f].a.acc);
    for (uint32_t i = 0; i < s->w.kept.n; i++)
        bytes += (int64_t)ir_dtype_bytes(ir_dtype(s->q.l->g, s->w.kept.p[i]));
    return bytes;
}

static void choose_pieces(strip_kernel *s) {
    col_kernel *q = &s->q;
    const pass_target *t = q->l->t;
    const unsigned steps = q->l->group->steps;
    q->lanes = lower_lanes(q->l);
    q->width = LINES * (unsigned)t->machine->line / t->vector_bytes;
    if (q->width > WIDEST) q->width = WIDEST;
    if (steps > 40 && q->width > t->registers / 8) q->width = t->registers / 8;
    if (steps > 200 && q->width > 1) q->width /= 2;
    while (q->width > 1 &&
           (q->width * q->nfolds > t->registers / 2 || q->inner < (int64_t)q->lanes * q->width))
        q->width /= 2;
    s->piece = (int64_t)q->lanes * q->width;
}

/* The strips are as wide as the cache holds, and as there are enough of them; where the code serves any size that decides nothing. */
static void choose_strips(strip_kernel *s) {
    col_kernel *q = &s->q;
    const pass_machine *machine = q->l->t->machine;
    const int64_t most = machine->second / 4 / (s->most * column_bytes(s)),
                  enough = q->l->t->any_size ? 0 : tasks_for(machine, q->outer * q->inner * q->k);
    int64_t pieces = (q->inner + s->piece - 1) / s->piece;
    while (pieces > 1 &&
           (pieces * s->piece > most || q->outer * (q->inner / (pieces * s->piece)) < enough))
        pieces = (pieces + 1) / 2;
    q->row = pieces * s->piece;
    q->strips = (q->inner + q->row - 1) / q->row;
}

/* Copies what is read of the strips, if their rows lie apart. */
static void choose_copies(strip_kernel *s) {
    col_kernel *q = &s->q;
    lower *l = q->l;
    stage_read c[STAGE_READS];
    const unsigned n = q->strips > 1 ? stage_reads(l, &s->w, q->k_sym, c) : 0;
    for (unsigned i = 0; i < n && s->nstaged < EMIT_MAX_STAGED; i++) {
        emit_staged x = c[i].read;
        const bz_dtype t = (bz_dtype)lp_at(l->b, x.p)->dtype;
        if (!ir_ex_uses(&l->x, x.offset, q->c_sym) ||
            s->most * q->inner * (int64_t)ir_dtype_bytes(t) <= l->t->machine->second)
            continue;
        x.at = ir_ex_add(&l->x, ir_ex_mulc(&l->x, q->k_sym, q->row),
                         ir_ex_sub(&l->x, q->c_sym, s->s_sym));
        x.local = lp_local(l->b, t, s->most * q->row, LP_SCRATCH);
        s->staged[s->nstaged++] = x;
    }
}

static bool make_scratch(strip_kernel *s) {
    col_kernel *q = &s->q;
    for (uint32_t i = 0; i < s->w.kept.n; i++)
        if (!bz_vec_push(&s->kept, lp_local(q->l->b, ir_dtype(q->l->g, s->w.kept.p[i]),
                                            s->most * s->piece, LP_SCRATCH)))
            return false;
    for (unsigned f = 0; f < q->nfolds && q->chains > 1; f++)
        q->fold[f].sums = lp_local(q->l->b, q->fold[f].a.acc, q->chains * s->piece, LP_SCRATCH);
    return true;
}

bool lower_strip(lower *l) {
    strip_kernel s = {0};
    bool ok =
        work_describe(&s.w, l->f, l->group, l->outputs.p, l->outputs.n, true) && col_begin(&s.q, l);
    if (ok) {
        s.s_sym = lower_sym(l, "s", s.q.inner);
        s.p_sym = lower_sym(l, "p", s.q.inner);
        s.most = col_count_rows(&s.q);
        choose_pieces(&s);
        choose_strips(&s);
        choose_copies(&s);
        s.stream = s.q.lanes > 1 ? lower_stream_flags(l, s.q.inner) : 0;
        ok = make_scratch(&s);
    }
    if (ok) do_all(&s);
    work_free(&s.w);
    bz_vec_free(&s.kept);
    return ok && !l->m.failed;
}

bool strip_pays(const pass_target *t, const ir_graph *g, ir_ref head) {
    const ir_reduce_attr a = ir_reduce_get(g, ir_at(g, head));
    const ir_ref x = ir_operand(g, head, 0);
    const int64_t size = (int64_t)ir_dtype_bytes(a.acc), lanes = t->vector_bytes / size,
                  most = STRIP / size;
    int64_t shape[IR_MAX_RANK], all = 1, inner = 1, k = 1;
    ir_static_shape(g, x, shape);
    for (unsigned d = 0, r = 0; d < ir_at(g, x)->rank; d++) {
        const bool gone = r < a.naxes && a.axes[r] == (int64_t)d;
        r += gone;
        all *= shape[d];
        k *= gone ? shape[d] : 1;
        inner = gone ? 1 : inner * shape[d];
    }
    const int64_t row = inner < most ? inner : most;
    return all > 0 && k > 1 && inner >= lanes && k * row * size <= t->machine->second / 4 &&
           all / (k * lanes) >= tasks_for(t->machine, all);
}
