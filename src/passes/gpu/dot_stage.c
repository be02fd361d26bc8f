/* dot_stage.c - both sides' way into shared memory, which has a row for each step of k.
 *
 *     along k:       x[r][k .. k+3]   one load       xs[k][r], xs[k+1][r] ...   four stores, neighbours to neighbours
 *     along a side:  y[k][c .. c+3]   one load       ys[k][c .. c+3]            one store
 *
 * A whole turn is read into registers while the one before is multiplied. What lies behind a side's end is the last element, or the last
 * vector, once more: nobody stores what is made of it. */
#include "src/passes/gpu/dot_block.h"

void dot_plan_side(dot_block *k, dot_staged *s, dot_side *side, unsigned size) {
    dot_kernel *q = &k->q;
    s->side = side;
    s->size = size;
    s->pitch = size + DOT_PAD;
    s->along_k = !dot_dense_along(q, side, side->sym) && dot_dense_along(q, side, q->k_sym);
    const bool dense = s->along_k || dot_dense_along(q, side, side->sym);
    const int64_t length = s->along_k ? q->k : side->size;
    s->lanes = dense && length % DOT_LANES == 0 && length > 0 ? DOT_LANES : 1;
    k->vectors |= s->lanes > 1;
}

void dot_make_side(dot_block *k, dot_staged *s) {
    s->p = lp_local(k->q.l->b, k->q.a.acc, dot_staged_size(k, s), LP_SHARED);
}

int64_t dot_staged_size(const dot_block *k, const dot_staged *s) {
    return 2 * k->t.deep * s->pitch;
}

lp_val dot_turn_at(const dot_block *k, const dot_staged *s, lp_val k0) {
    lp_builder *b = k->q.l->b;
    lp_val odd = lp_base(b, IR_AND, BZ_I64, (lp_val[]){k0, lp_index(b, k->t.deep)}, 2);
    return lp_imul(b, odd, lp_index(b, s->pitch));
}

/* Loads that make a turn, and a thread's. */
static int64_t all_loads(const dot_block *k, const dot_staged *s) {
    return s->size * k->t.deep / s->lanes;
}

static unsigned own_loads(const dot_block *k, const dot_staged *s) {
    const unsigned n = (unsigned)((all_loads(k, s) + dot_threads(k) - 1) / dot_threads(k));
    bz_assert(n <= DOT_LOADS);
    return n;
}

/* Load i of the thread: its element of the side, counted from the tile's first, and its step of the turn. */
static void place_of(const dot_block *k, const dot_staged *s, lp_val e, lp_val *r, lp_val *j) {
    lp_builder *b = k->q.l->b;
    const int64_t line = (s->along_k ? k->t.deep : s->size) / s->lanes;
    lp_val slow = lp_idiv(b, e, lp_index(b, line));
    lp_val fast = lp_imul(b, lp_imod(b, e, lp_index(b, line)), lp_index(b, s->lanes));
    *r = s->along_k ? slow : fast;
    *j = s->along_k ? fast : slow;
}

static lp_val number_of(const dot_block *k, unsigned i) {
    lp_builder *b = k->q.l->b;
    return lp_iadd(b, k->thread, lp_index(b, (int64_t)i * dot_threads(k)));
}

unsigned dot_load(dot_block *k, const dot_staged *s, lp_val first, lp_val k0, lp_val *out) {
    dot_kernel *q = &k->q;
    emitter *m = &q->l->m;
    lp_builder *b = q->l->b;
    const int64_t all = all_loads(k, s), n = own_loads(k, s);
    for (unsigned i = 0; i < n; i++) {
        lp_val e = number_of(k, i), r, j;
        if ((i + 1) * (int64_t)dot_threads(k) > all) e = lp_imin(b, e, lp_index(b, all - 1));
        place_of(k, s, e, &r, &j);
        lp_val at = lp_iadd(b, first, r), step = lp_iadd(b, k0, j);
        lp_val last = lp_isub(b, s->side->count, lp_index(b, s->along_k ? 1 : s->lanes));
        if (s->side->ragged) at = lp_imin(b, at, last);
        const unsigned mark = emit_mark(m);
        emit_scalar(m);
        m->aligned = k->vectors;
        emit_sym(m, s->side->sym, at);
        emit_sym(m, q->k_sym, step);
        if (s->lanes > 1)
            emit_vector(m, s->along_k ? q->k_sym : s->side->sym, s->along_k ? step : at, s->lanes,
                        1, 0);
        emit_value v = dot_widened(q, s->side->r, s->side->idx);
        out[i] = emit_lane_value(m, &v, 0);
        m->aligned = false;
        emit_forget(m, mark);
        emit_scalar(m);
    }
    return (unsigned)n;
}

unsigned dot_store(dot_block *k, const dot_staged *s, lp_val k0, const lp_val *v) {
    lp_builder *b = k->q.l->b;
    const int64_t all = all_loads(k, s), n = own_loads(k, s);
    const lp_val base = dot_turn_at(k, s, k0);
    for (unsigned i = 0; i < n; i++) {
        lp_val e = number_of(k, i), r, j;
        const bool some = (i + 1) * (int64_t)dot_threads(k) > all;
        if (some) lp_if(b, dot_less(b, e, lp_index(b, all)));
        place_of(k, s, e, &r, &j);
        lp_val to = lp_iadd(b, base, lp_iadd(b, lp_imul(b, j, lp_index(b, s->pitch)), r));
        if (!s->along_k || s->lanes == 1)
            lp_store(b, s->p, to, v[i], 0, s->lanes > 1 ? LP_ALIGNED : 0);
        for (unsigned c = 0; s->along_k && s->lanes > 1 && c < s->lanes; c++)
            lp_store(b, s->p, lp_iadd(b, to, lp_index(b, c * s->pitch)), lp_extract(b, v[i], c), 0,
                     0);
        if (some) lp_end(b, NULL, 0, NULL);
    }
    return (unsigned)n;
}

/* Element r of the side at step j of the turn that begins at k0, or 0 beyond an end. */
static void stage_element(dot_block *k, const dot_staged *s, lp_val first, lp_val k0, lp_val r,
                          lp_val j) {
    dot_kernel *q = &k->q;
    lower *l = q->l;
    lp_builder *b = l->b;
    lp_val at = lp_iadd(b, first, r), step = lp_iadd(b, k0, j);
    lp_val to = lp_iadd(b, lp_imul(b, j, lp_index(b, s->pitch)), r);
    lp_val inside = dot_less(b, step, q->depth);
    if (s->side->ragged)
        inside =
            lp_base(b, IR_AND, BZ_BOOL, (lp_val[]){dot_less(b, at, s->side->count), inside}, 2);
    const unsigned mark = emit_mark(&l->m);
    lp_if(b, inside);
    emit_scalar(&l->m);
    emit_sym(&l->m, s->side->sym, at);
    emit_sym(&l->m, q->k_sym, step);
    emit_value v = dot_widened(q, s->side->r, s->side->idx);
    lp_store(b, s->p, to, v.v[0], 0, 0);
    emit_forget(&l->m, mark);
    lp_else(b, NULL, 0);
    lp_store(b, s->p, to, lp_const(b, q->a.acc, 0, 1), 0, 0);
    lp_end(b, NULL, 0, NULL);
}

void dot_stage(dot_block *k, const dot_staged *s, lp_val first, lp_val k0) {
    lp_builder *b = k->q.l->b;
    const int64_t all = s->size * k->t.deep, n = dot_threads(k);
    const lp_val line = lp_index(b, s->along_k ? k->t.deep : s->size);
    lp_val e = lp_loop(b, LP_SERIAL, k->thread, lp_index(b, all), n, NULL, 0, NULL);
    lp_val slow = lp_idiv(b, e, line), fast = lp_imod(b, e, line);
    stage_element(k, s, first, k0, s->along_k ? slow : fast, s->along_k ? fast : slow);
    lp_end(b, NULL, 0, NULL);
}
