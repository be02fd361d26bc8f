/* row_turn.c - short rows side by side: a vector has one element of each of several rows.
 *
 *      x[i, k]   k -->            array, i -->           a row's elements are folded in the order in which the lanes of
 *           i  +------+         k  +------+              a vector of that row would be: the bits are the same. What is
 *           |  | rows |  ---->  |  |turned|              made of the results is made for all rows at once, and what is
 *           v  +------+         v  +------+              stored of the elements goes the same way back. */
#include "src/ir/loops/facts.h"
#include "src/passes/cpu/cpu.h"
#include "src/passes/forms/row.h"

enum {
    LONGEST = 32, /* row */
    MOST_OUT = 4, /* outputs of elements */
    LIGHT = 40    /* steps of a pass up to which its loop is written out */
};

typedef struct row_turned {
    row_kernel q;
    lp_val first, rows; /* of the rows at hand; of all */
    lp_val there;       /* which of those at hand are there */
    bool loads_rows;    /* something is read along the rows, where some may not be there */
    emit_staged staged[EMIT_MAX_STAGED]; /* what is read along k */
    unsigned nstaged;
    lp_val out[MOST_OUT]; /* for elements that are stored, of output number .. */
    uint32_t number[MOST_OUT];
    unsigned nout;
} row_turned;

static row_turned *turned_of(row_kernel *q) {
    return (row_turned *)q; /* its first member */
}

/* ---- may it be? */

static bool keeps(const row_kernel *q) {
    (void)q;
    return true;
}

/* A read along k waits, turned; of one along the rows, or of neither, vectors are as they lie. */
static bool suits(row_turned *t, const collect_read *x) {
    lower *l = t->q.l;
    int64_t k, i;
    ir_ex rest;
    if (!ir_ex_linear(&l->x, x->offset, t->q.k_sym, &k, &rest) ||
        !ir_ex_linear(&l->x, rest, t->q.i_sym, &i, &rest))
        return false;
    if (i == 0 || i == 1) {
        t->loads_rows |= i == 1;
        return true;
    }
    const size_t bytes = ir_dtype_bytes((bz_dtype)lp_at(l->b, x->p)->dtype);
    if (x->guarded || k != 1 || (t->q.k % t->q.lanes && (bytes < 4 || !l->t->masks))) return false;
    for (unsigned n = 0; n < t->nstaged; n++)
        if (t->staged[n].p == x->p && t->staged[n].offset == x->offset) return true;
    if (t->nstaged == EMIT_MAX_STAGED) return false;
    t->staged[t->nstaged++] = (emit_staged){.p = x->p, .offset = x->offset};
    return true;
}

static bool find_reads(row_turned *t) {
    lower *l = t->q.l;
    stage_read c[STAGE_READS];
    bool dense;
    stage_reads(l, &t->q.w, t->q.k_sym, c);
    if (!collect_linear(l, t->q.i_sym, &dense) || !collect_linear(l, t->q.k_sym, &dense))
        return false;
    for (uint32_t i = 0; i < l->c.reads.n; i++)
        if (!suits(t, &l->c.reads.p[i])) return false;
    return t->nstaged > 0;
}

static bool find_outputs(row_turned *t) {
    lower *l = t->q.l;
    for (uint32_t i = 0; i < l->outputs.n; i++) {
        if (fuse_level_of(l->g, &l->space, l->outputs.p[i]) != FUSE_FULL) continue;
        if (t->nout == MOST_OUT) return false;
        t->number[t->nout++] = i;
    }
    return true;
}

/* Rows that are whole vectors, and one light fold, are as fast where they lie. */
static bool lies_well(const row_turned *t) {
    const row_kernel *q = &t->q;
    const int64_t lanes = q->lanes;
    return (q->k > lanes && q->k % lanes == 0) ||
           (q->nfolds == 1 && !t->nout && row_steps(q, 0) <= LIGHT);
}

/* Where it may not be, a thread has one row at a time. */
static void choose_vectors(row_kernel *q) {
    row_turned *t = turned_of(q);
    q->lanes = lower_lanes(q->l);
    q->nvec = 1;
    q->beside = true;
    if (q->lanes > 1 && find_reads(t) && find_outputs(t) && !lies_well(t)) return;
    q->beside = false;
    q->team = row_thread(q);
    q->team->choose_vectors(q);
}

/* ---- the way in, and back */

/* Squares from element k on: which of its columns are there? 0: all. */
static lp_val columns_mask(const row_turned *t, int64_t k) {
    lower *l = t->q.l;
    const int64_t left = t->q.k - k;
    return left < (int64_t)t->q.lanes ? lower_tail_mask(l, lp_index(l->b, left), t->q.lanes) : 0;
}

static void enter_row(row_turned *t, lp_val row, int64_t k) {
    emitter *m = &t->q.l->m;
    emit_sym(m, t->q.i_sym, row);
    emit_vector(m, t->q.k_sym, lp_index(m->b, k), t->q.lanes, 1, columns_mask(t, k));
}

/* A square of what lies in memory, row by row: n vectors in an array. */
static lp_val square(row_turned *t, bz_dtype own) {
    return lp_local(t->q.l->b, own, (int64_t)t->q.lanes * t->q.lanes, LP_STACK);
}

static lp_val row_of_square(const row_turned *t, lp_val r) {
    return lp_imul(t->q.l->b, r, lp_index(t->q.l->b, t->q.lanes));
}

/* Rows behind the last one are read as that. */
static void turn_in(row_turned *t, const emit_staged *x) {
    lower *l = t->q.l;
    lp_builder *b = l->b;
    lp_val v[LP_MAX_LANES];
    const unsigned n = t->q.lanes;
    const bz_dtype own = (bz_dtype)lp_at(b, x->p)->dtype;
    const lp_val last = lp_isub(b, t->rows, lp_index(b, 1)), lies = square(t, own);
    for (int64_t k = 0; k < t->q.k; k += n) {
        const lp_val r = lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_index(b, n), 1, NULL, 0, NULL);
        enter_row(t, lp_imin(b, lp_iadd(b, t->first, r), last), k);
        lp_store(b, lies, row_of_square(t, r), emit_load(&l->m, x->p, x->offset).v[0], 0,
                 LP_ALIGNED);
        lp_end(b, NULL, 0, NULL);
        for (unsigned i = 0; i < n; i++)
            v[i] = lp_load(b, lies, row_of_square(t, lp_index(b, i)), n, 0, LP_ALIGNED);
        lower_transpose(b, v, n, own);
        for (int64_t i = 0; i < n && k + i < t->q.k; i++)
            lp_store(b, x->local, row_of_square(t, lp_index(b, k + i)), v[i], 0, LP_ALIGNED);
    }
    emit_scalar(&l->m);
}

static void turn_back(row_turned *t, lp_val p, ir_ref r, lp_val to) {
    lower *l = t->q.l;
    lp_builder *b = l->b;
    lp_val v[LP_MAX_LANES];
    ir_ex idx[IR_MAX_RANK];
    const unsigned n = t->q.lanes;
    const lp_val lies = square(t, ir_dtype(l->g, r));
    const lp_val there = lp_imin(b, lp_isub(b, t->rows, t->first), lp_index(b, n));
    fuse_index(l->g, &l->x, &l->space, FUSE_FULL, r, idx);
    for (int64_t k = 0; k < t->q.k; k += n) {
        for (int64_t i = 0; i < n; i++) {
            const lp_val at = row_of_square(t, lp_index(b, k + i));
            v[i] = k + i < t->q.k ? lp_load(b, p, at, n, 0, LP_ALIGNED) : v[0];
        }
        lower_transpose(b, v, n, ir_dtype(l->g, r));
        for (unsigned i = 0; i < n; i++)
            lp_store(b, lies, row_of_square(t, lp_index(b, i)), v[i], 0, LP_ALIGNED);
        const lp_val i = lp_loop(b, LP_SERIAL, lp_index(b, 0), there, 1, NULL, 0, NULL);
        const emit_value x = {.v = {lp_load(b, lies, row_of_square(t, i), n, 0, LP_ALIGNED)}};
        enter_row(t, lp_iadd(b, t->first, i), k);
        emit_store(&l->m, to, emit_offset(&l->m, r, idx), &x, 0);
        lp_end(b, NULL, 0, NULL);
    }
    emit_scalar(&l->m);
}

/* ---- a pass */

static void store_elements(row_stretch *s) {
    row_turned *t = turned_of(s->q);
    lower *l = t->q.l;
    ir_ex idx[IR_MAX_RANK];
    for (unsigned i = 0; i < t->nout; i++) {
        const ir_ref r = l->outputs.p[t->number[i]];
        if (!row_stores(s, t->number[i])) continue;
        fuse_index(l->g, &l->x, &l->space, FUSE_FULL, r, idx);
        const emit_value v = emit_node(&l->m, r, idx);
        lp_store(l->b, t->out[i], emit_index(&l->m, t->q.kept_at), emit_lane_value(&l->m, &v, 0), 0,
                 LP_ALIGNED);
    }
}

static void each_element(row_turned *t, row_stretch *s, lp_val k) {
    row_kernel *q = &t->q;
    lower *l = q->l;
    const unsigned mark = emit_mark(&l->m);
    emit_sym(&l->m, q->k_sym, k);
    emit_vector(&l->m, q->i_sym, t->first, q->lanes, 1, t->loads_rows ? t->there : 0);
    for (unsigned f = 0; f < s->nfolds; f++) {
        const ir_reduce_attr *a = &q->fold[s->folds[f]].a;
        s->acc[f][0] = lp_const(l->b, a->acc, fold_identity(a), q->lanes);
    }
    row_step(s, 0);
    for (unsigned f = 0; f < s->nfolds; f++)
        lp_store(l->b, q->fold[s->folds[f]].lanes, lp_imul(l->b, k, lp_index(l->b, q->lanes)),
                 s->acc[f][0], 0, LP_ALIGNED);
    emit_forget(&l->m, mark);
}

/* The elements of each row, halves against halves. */
static lp_val fold_elements(const row_turned *t, const fold_node *n) {
    lower *l = t->q.l;
    lp_val v[LONGEST];
    int64_t all = 1;
    while (all < t->q.k) all *= 2;
    for (int64_t k = 0; k < all; k++)
        v[k] = k < t->q.k ? lp_load(l->b, n->lanes, lp_index(l->b, k * t->q.lanes), t->q.lanes, 0,
                                    LP_ALIGNED)
                          : lp_const(l->b, n->a.acc, fold_identity(&n->a), t->q.lanes);
    for (int64_t half = all / 2; half > 0; half /= 2)
        for (int64_t k = 0; k < half; k++) v[k] = fold_step(l, &n->a, v[k], v[k + half], 0);
    return v[0];
}

static void fold_row(row_stretch *s, lp_val *out) {
    row_turned *t = turned_of(s->q);
    lp_builder *b = t->q.l->b;
    const lp_loop_kind kind = row_steps(&t->q, s->pass) <= LIGHT ? LP_UNROLLED : LP_SERIAL;
    const lp_val k = lp_loop(b, kind, lp_index(b, 0), lp_index(b, t->q.k), 1, NULL, 0, NULL);
    each_element(t, s, k);
    lp_end(b, NULL, 0, NULL);
    for (unsigned f = 0; f < s->nfolds; f++) out[f] = fold_elements(t, &t->q.fold[s->folds[f]]);
}

static void enter_results(row_kernel *q) {
    const row_turned *t = turned_of(q);
    emit_vector(&q->l->m, q->i_sym, t->first, q->lanes, 1, t->there);
}

/* ---- the tasks */

static lp_val array(row_turned *t, bz_dtype own) {
    return lp_local(t->q.l->b, own, t->q.k * t->q.lanes, LP_STACK);
}

static bool make_arrays(row_turned *t, ir_ex first) {
    row_kernel *q = &t->q;
    lower *l = q->l;
    q->kept_at =
        ir_ex_add(&l->x, ir_ex_mulc(&l->x, q->k_sym, q->lanes), ir_ex_sub(&l->x, q->i_sym, first));
    for (unsigned i = 0; i < t->nstaged; i++) {
        t->staged[i].local = array(t, (bz_dtype)lp_at(l->b, t->staged[i].p)->dtype);
        t->staged[i].at = q->kept_at;
    }
    for (unsigned f = 0; f < q->nfolds; f++) q->fold[f].lanes = array(t, q->fold[f].a.acc);
    for (unsigned i = 0; i < t->nout; i++)
        t->out[i] = array(t, ir_dtype(l->g, l->outputs.p[t->number[i]]));
    for (uint32_t i = 0; i < q->w.kept.n; i++)
        if (!bz_vec_push(&q->kept_rows, array(t, ir_dtype(l->g, q->w.kept.p[i])))) return false;
    return true;
}

/* The rows from t->first on. */
static void some_rows(row_turned *t, ir_ex first) {
    lower *l = t->q.l;
    emitter *m = &l->m;
    const unsigned mark = emit_mark(m);
    t->there = lower_tail_mask(l, lp_isub(l->b, t->rows, t->first), t->q.lanes);
    for (unsigned i = 0; i < t->nstaged; i++) turn_in(t, &t->staged[i]);
    for (unsigned i = 0; i < t->nstaged; i++) m->staged[m->nstaged++] = t->staged[i];
    emit_sym(m, first, t->first);
    row_passes(&t->q, NULL);
    m->nstaged = 0;
    for (unsigned i = 0; i < t->nout; i++)
        turn_back(t, t->out[i], l->outputs.p[t->number[i]], l->out_pointers.p[t->number[i]]);
    emit_scalar(m);
    emit_forget(m, mark);
}

static bool whole_rows(row_kernel *q, lp_val rows) {
    row_turned *t = turned_of(q);
    lower *l = q->l;
    lp_builder *b = l->b;
    const ir_ex first = lower_sym(l, "first", q->rows);
    if (!make_arrays(t, first)) return false;
    const int64_t most = l->t->machine->task / q->k;
    const lp_val some = lp_index(b, most - most % q->lanes + q->lanes);
    t->rows = rows;
    lp_val task =
        lp_loop(b, LP_PARALLEL, lp_index(b, 0), lower_cover(b, rows, some), 1, NULL, 0, NULL);
    lp_val lo = lp_imul(b, task, some), end = lp_imin(b, lp_iadd(b, lo, some), rows);
    t->first = lp_loop(b, LP_SERIAL, lo, end, q->lanes, NULL, 0, NULL);
    some_rows(t, first);
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
    return true;
}

static const row_team turned = {
    .size = sizeof(row_turned),
    .keeps = keeps,
    .choose_vectors = choose_vectors,
    .fold_row = fold_row,
    .store_elements = store_elements,
    .enter_results = enter_results,
    .whole_rows = whole_rows,
};

/* Short rows side by side, if there are enough of them. */
static const row_team *choose_team(const row_kernel *q) {
    return q->k > 1 && q->k <= LONGEST && q->rows >= LONGEST ? &turned : row_thread(q);
}

bool lower_row(lower *l) {
    return lower_rows(l, choose_team);
}
