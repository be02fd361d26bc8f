/* dot_ring.c - both sides' way to matrix units: a ring of turns in shared memory, copied while earlier ones are multiplied.
 *
 *     lies along k:       [r][k] in memory     rows of 64 bytes of k, a turn's
 *     lies along a side:  [k][r] in memory     rows of the tile's r, one for each k of the turn: ldmatrix transposes
 *
 *     a row's chunks of 16 bytes are turned by its number:     row 0   0 1 2 3    row 2   3 0 1 2    row 4   2 3 0 1
 *     so that eight rows' chunks of one number, which are read at once, lie in different banks
 *
 * What lies as it is wanted is copied without passing through registers (cp.async). Else a thread computes the elements of a chunk, of any
 * layout, before the units begin with an earlier turn, and stores them behind it. Whatever is beyond an end is 0. */
#include "src/passes/gpu/dot_block.h"

static unsigned line_of(const dot_staged *s) { /* chunks of a row */
    return (unsigned)s->pitch / dot_chunk(s);
}

static int64_t turn_size(const dot_staged *s) { /* elements */
    return s->size * DOT_TURN_CHUNKS * dot_chunk(s);
}

void dot_ring_plan(dot_block *k, dot_staged *s, dot_side *side, unsigned size) {
    dot_kernel *q = &k->q;
    s->side = side;
    s->size = size;
    s->t = ir_dtype(q->l->g, side->r);
    s->along_k = !dot_dense_along(q, side, side->sym) && dot_dense_along(q, side, q->k_sym);
    s->pitch = s->along_k ? DOT_TURN_CHUNKS * dot_chunk(s) : size;
    const bool dense = s->along_k || dot_dense_along(q, side, side->sym);
    const int64_t length = s->along_k ? q->k : side->size;
    s->lanes = dense && length % dot_chunk(s) == 0 ? dot_chunk(s) : 1;
    k->vectors |= s->lanes > 1;
}

/* Are the chunks, as they lie in a buffer, those of shared memory? */
static bool is_straight(dot_block *k, const dot_staged *s) {
    emitter *m = &k->q.l->m;
    const ir_ex along = s->along_k ? k->q.k_sym : s->side->sym;
    int64_t step;
    ir_ex rest;
    if (s->lanes == 1 || !dot_find_buffer(&k->q, s->side, s->t) ||
        !ir_ex_linear(m->x, s->side->offset, along, &step, &rest) || step != 1)
        return false;
    emit_vector(m, along, lp_index(m->b, 0), s->lanes, 1, 0);
    m->aligned = k->vectors;
    const bool is = emit_alignment(m, s->side->p, emit_from(m, s->side->p, s->side->offset));
    m->aligned = false;
    emit_scalar(m);
    return is;
}

void dot_ring_make(dot_block *k, dot_staged *s) {
    s->straight = is_straight(k, s);
    s->p = lp_local(k->q.l->b, s->t, DOT_TURNS * turn_size(s), LP_SHARED);
}

/* ---- places */

lp_val dot_ring_turn(const dot_block *k, const dot_staged *s, lp_val turn) {
    lp_builder *b = k->q.l->b;
    return lp_imul(b, lp_imod(b, turn, lp_index(b, DOT_TURNS)), lp_index(b, turn_size(s)));
}

/* Of f32 along a side two chunks of four rows are read at once, else one of eight. */
lp_val dot_ring_chunk(const dot_block *k, const dot_staged *s, lp_val row, lp_val chunk) {
    lp_builder *b = k->q.l->b;
    const unsigned line = line_of(s), beside = line < 8 ? 8 / line : 1;
    const unsigned by = s->t == BZ_F32 && !s->along_k ? 2 : 1;
    lp_val turned = lp_imul(b, lp_idiv(b, row, lp_index(b, beside)), lp_index(b, by));
    lp_val at = lp_iadd(b, chunk, turned);
    at = lp_base(b, IR_AND, BZ_I64, (lp_val[]){at, lp_index(b, line - 1)}, 2);
    return lp_iadd(b, lp_imul(b, row, lp_index(b, s->pitch)),
                   lp_imul(b, at, lp_index(b, dot_chunk(s))));
}

/* A chunk of a turn, by its number. */
typedef struct place {
    lp_val number, row, chunk; /* in shared memory */
    lp_val at, step;           /* of its first element, on the side and along k */
    bool some;                 /* it may be none: the number is too large */
} place;

static int64_t all_chunks(const dot_staged *s) {
    return s->size * DOT_TURN_CHUNKS;
}

static unsigned own_chunks(const dot_block *k, const dot_staged *s) {
    const unsigned n = (unsigned)((all_chunks(s) + dot_threads(k) - 1) / dot_threads(k));
    bz_assert(n <= DOT_LOADS);
    return n;
}

/* Chunk i of the thread, in a turn of the tile whose element `first` of the side is its first. */
static place place_of(const dot_block *k, const dot_staged *s, lp_val first, lp_val turn,
                      unsigned i) {
    lp_builder *b = k->q.l->b;
    const lp_val line = lp_index(b, line_of(s)), each = lp_index(b, dot_chunk(s));
    const lp_val k0 = lp_imul(b, turn, lp_index(b, DOT_TURN_CHUNKS * dot_chunk(s)));
    place p = {.some = (i + 1) * (int64_t)dot_threads(k) > all_chunks(s)};
    p.number = lp_iadd(b, k->thread, lp_index(b, (int64_t)i * dot_threads(k)));
    p.row = lp_idiv(b, p.number, line);
    p.chunk = lp_imod(b, p.number, line);
    lp_val along = lp_imul(b, p.chunk, each);
    p.at = lp_iadd(b, first, s->along_k ? p.row : along);
    p.step = lp_iadd(b, k0, s->along_k ? along : p.row);
    return p;
}

static lp_val both(lp_builder *b, lp_val x, lp_val y) {
    return lp_base(b, IR_AND, BZ_BOOL, (lp_val[]){x, y}, 2);
}

/* Is the first element there? */
static lp_val begins(const dot_block *k, const dot_staged *s, const place *p) {
    lp_builder *b = k->q.l->b;
    lp_val there = dot_less(b, p->step, k->q.depth);
    return s->side->ragged ? both(b, there, dot_less(b, p->at, s->side->count)) : there;
}

static lp_val is_one(const dot_block *k, const dot_staged *s, const place *p) {
    lp_builder *b = k->q.l->b;
    return dot_less(b, p->number, lp_index(b, all_chunks(s)));
}

/* ---- turns */

static void copy(dot_block *k, const dot_staged *s, const place *p, lp_val turn) {
    emitter *m = &k->q.l->m;
    lp_builder *b = m->b;
    lp_val to = lp_iadd(b, dot_ring_turn(k, s, turn), dot_ring_chunk(k, s, p->row, p->chunk));
    emit_sym(m, s->side->sym, p->at);
    emit_sym(m, k->q.k_sym, p->step);
    lp_val from = emit_index(m, emit_from(m, s->side->p, s->side->offset));
    if (p->some) lp_if(b, is_one(k, s, p));
    lp_async_copy(b, s->p, to, s->side->p, from, dot_chunk(s), begins(k, s, p));
    if (p->some) lp_end(b, NULL, 0, NULL);
}

/* The elements of a chunk, computed; 0 where there are none. */
static lp_val compute(dot_block *k, const dot_staged *s, const place *p) {
    dot_kernel *q = &k->q;
    emitter *m = &q->l->m;
    lp_builder *b = m->b;
    const unsigned n = dot_chunk(s);
    const lp_val zero = lp_const(b, s->t, 0, n);
    lp_val there = begins(k, s, p), from = s->along_k ? p->step : p->at, mask = 0, out;
    if (p->some) there = both(b, there, is_one(k, s, p));
    lp_if(b, there);
    if (s->lanes == 1)
        mask = lower_tail_mask(q->l, lp_isub(b, s->along_k ? q->depth : s->side->count, from), n);
    emit_sym(m, s->side->sym, p->at);
    emit_sym(m, q->k_sym, p->step);
    emit_vector(m, s->along_k ? q->k_sym : s->side->sym, from, n, 1, mask);
    m->aligned = k->vectors && s->lanes > 1;
    emit_value v = emit_node(m, s->side->r, s->side->idx);
    out = emit_lane_value(m, &v, 0);
    if (mask) /* what is computed of masked lanes may be anything */
        out = lp_base(b, IR_SELECT, s->t, (lp_val[]){mask, out, zero}, 3);
    m->aligned = false;
    emit_scalar(m);
    lp_else(b, &out, 1);
    lp_end(b, &zero, 1, &out);
    return out;
}

unsigned dot_ring_load(dot_block *k, dot_staged *s, lp_val first, lp_val turn, lp_val *v) {
    emitter *m = &k->q.l->m;
    const unsigned n = own_chunks(k, s);
    for (unsigned i = 0; i < n; i++) {
        const unsigned mark = emit_mark(m);
        const place p = place_of(k, s, first, turn, i);
        if (s->straight)
            copy(k, s, &p, turn);
        else
            v[i] = compute(k, s, &p);
        emit_forget(m, mark);
    }
    return s->straight ? 0 : n;
}

unsigned dot_ring_store(dot_block *k, dot_staged *s, lp_val turn, const lp_val *v) {
    lp_builder *b = k->q.l->b;
    const unsigned n = s->straight ? 0 : own_chunks(k, s);
    for (unsigned i = 0; i < n; i++) {
        const place p = place_of(k, s, lp_index(b, 0), turn, i);
        lp_val to = lp_iadd(b, dot_ring_turn(k, s, turn), dot_ring_chunk(k, s, p.row, p.chunk));
        if (p.some) lp_if(b, is_one(k, s, &p));
        lp_store(b, s->p, to, v[i], 0, LP_ALIGNED);
        if (p.some) lp_end(b, NULL, 0, NULL);
    }
    return n;
}
