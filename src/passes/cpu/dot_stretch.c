/* dot_stretch.c - packing of sides that memory does not follow from end to end: windows on an image, whose rows are apart, samples.
 *
 *     n:  0 1 2 3 | 4 5 6 7 | 8 9 ...      stretches along which memory runs on, `length` each
 *         panel: 2 3 | 4 5 6                pieces of a panel: vectors, of which the last one is moved back so that it is whole
 *
 * Along a stretch the conditions of a border are those of its ends, so that most vectors need none. */
#include "src/passes/cpu/dot_panel.h"

/* ---- what runs on */

static bool runs(dot_kernel *q, const dot_side *s, const ir_ex *idx, ir_ex along, bool dense) {
    bool is;
    collect_begin(q->l);
    collect_node(q->l, s->r, idx);
    return collect_linear(q->l, along, &is) && (is || !dense);
}

/* The longest stretches of whole inner axes of those that `sym` numbers. */
static bool find(dot_kernel *q, const dot_side *s, ir_ex sym, const int64_t *axes, unsigned n,
                 bool dense, dot_stretch *t) {
    ir_exprs *x = &q->l->x;
    int64_t all = 1;
    if (q->lanes == 1 || n < 2 || runs(q, s, s->idx, sym, false)) return false;
    for (unsigned i = 0; i < n; i++) all *= axes[i];
    for (unsigned inner = 1; inner < n; inner++) {
        t->length = 1;
        for (unsigned i = inner; i < n; i++) t->length *= axes[i];
        if (t->length == all || t->length < q->lanes) continue;
        t->o = lower_sym(q->l, "o", all / t->length);
        t->i = lower_vector_sym(q->l, "i", t->length);
        const ir_ex by = ir_ex_add(x, ir_ex_mulc(x, t->o, t->length), t->i);
        for (unsigned d = 0; d < ir_at(q->l->g, s->r)->rank; d++)
            t->idx[d] = ir_ex_replace(x, s->idx[d], sym, by);
        if (runs(q, s, t->idx, t->i, dense)) return true;
    }
    return false;
}

/* The number of a contracted element as loops over its axes know it. */
static void split_k(dot_kernel *q, const dot_side *s, dot_stretch *t) {
    ir_exprs *x = &q->l->x;
    ir_ex all = ir_ex_const(x, 0);
    for (unsigned i = 0; i < q->a.ncontract; i++) {
        t->k[i] = lower_sym(q->l, "k", q->contracted[i]);
        all = ir_ex_add(x, ir_ex_mulc(x, all, q->contracted[i]), t->k[i]);
    }
    for (unsigned d = 0; d < ir_at(q->l->g, s->r)->rank; d++)
        t->by_k[d] = ir_ex_replace(x, t->idx[d], q->k_sym, all);
}

bool dot_find_stretches(dot_kernel *q, const dot_side *s, bool dense, dot_stretch *t) {
    if (!find(q, s, s->sym, s->axes, s->naxes, dense, t)) return false;
    split_k(q, s, t);
    return true;
}

bool dot_find_k_stretches(dot_kernel *q, const dot_side *s, dot_stretch *t) {
    return find(q, s, q->k_sym, q->contracted, q->a.ncontract, true, t);
}

/* ---- along the panel */

/* The longest of the contracted axes is the innermost loop: within it what a border asks is the same in every turn (channels). */
static unsigned longest(const dot_kernel *q) {
    unsigned at = 0;
    for (unsigned i = 1; i < q->a.ncontract; i++)
        if (q->contracted[i] > q->contracted[at]) at = i;
    return at;
}

/* Loops over the contracted axes, the first of which is as long as the launch says; the number of the element. */
static lp_val open_k(dot_kernel *q, const dot_stretch *t) {
    lp_builder *b = q->l->b;
    lp_val k = lp_index(b, 0);
    if (q->first) { /* a block of them begins anywhere */
        k = lp_loop(b, LP_SERIAL, k, q->depth, 1, NULL, 0, NULL);
        emit_sym(&q->l->m, q->k_sym, dot_number(q, k));
        return k;
    }
    int64_t step[IR_MAX_RANK], all = 1;
    for (unsigned i = q->a.ncontract; i-- > 0; all *= q->contracted[i]) step[i] = all;
    const unsigned n = q->a.ncontract, inner = longest(q);
    for (unsigned turn = 0; turn < n; turn++) {
        const unsigned i = turn + 1 == n ? inner : turn < inner ? turn : turn + 1;
        const lp_val size =
            i ? lp_index(b, q->contracted[i]) : lp_idiv(b, q->depth, lp_index(b, step[0]));
        const lp_val at = lp_loop(b, LP_SERIAL, lp_index(b, 0), size, 1, NULL, 0, NULL);
        emit_sym(&q->l->m, t->k[i], at);
        k = lp_iadd(b, k, lp_imul(b, at, lp_index(b, step[i])));
    }
    return k;
}

/* Elements from `at` on of the stretch at hand, all k, to place `to` of the panel's rows. mask: 0, or those that there are. */
static void pack_vector(dot_kernel *q, const dot_piece *p, const dot_stretch *t, lp_val at,
                        lp_val to, lp_val mask) {
    lower *l = q->l;
    lp_builder *b = l->b;
    unsigned mark = emit_mark(&l->m), nsyms = l->m.nsyms;
    const lp_val k = open_k(q, t);
    emit_vector(&l->m, t->i, at, q->lanes, 1, mask);
    emit_value v = dot_widened(q, p->s->r, q->first ? t->idx : t->by_k);
    lp_val row = lp_iadd(b, p->base, lp_imul(b, k, lp_index(b, p->s->panel)));
    lp_store(b, p->s->p, lp_iadd(b, row, to), emit_lane_value(&l->m, &v, 0), mask, 0);
    emit_forget(&l->m, mark);
    for (unsigned i = 0; i < (q->first ? 1 : q->a.ncontract); i++) lp_end(b, NULL, 0, NULL);
    l->m.nsyms = nsyms; /* many axes: those of the loops are done with */
    emit_scalar(&l->m);
}

/* Zeros in all of the panel. */
static void clear(dot_kernel *q, const dot_piece *p) {
    lp_builder *b = q->l->b;
    const lp_val zero = lp_const(b, q->a.acc, 0, 1),
                 all = lp_imul(b, q->depth, lp_index(b, p->s->panel));
    lp_val i = lp_loop(b, LP_SERIAL, lp_index(b, 0), all, 1, NULL, 0, NULL);
    lp_store(b, p->s->p, lp_iadd(b, p->base, i), zero, 0, 0);
    lp_end(b, NULL, 0, NULL);
}

/* Elements from .. end of the side, which are of one stretch, that begins at `begin`. */
static void pack_part(dot_kernel *q, const dot_piece *p, const dot_stretch *t, lp_val begin,
                      lp_val from, lp_val end) {
    lp_builder *b = q->l->b;
    const lp_val lanes = lp_index(b, q->lanes), n = lp_isub(b, end, from);
    lp_if(b, lp_base(b, IR_LE, BZ_BOOL, (lp_val[]){lanes, n}, 2));
    lp_val at = lp_loop(b, LP_SERIAL, from, end, q->lanes, NULL, 0, NULL);
    at = lp_imin(b, at, lp_isub(b, end, lanes));
    pack_vector(q, p, t, lp_isub(b, at, begin), lp_isub(b, at, p->first), 0);
    lp_end(b, NULL, 0, NULL);
    lp_else(b, NULL, 0);
    pack_vector(q, p, t, lp_isub(b, from, begin), lp_isub(b, from, p->first),
                lower_tail_mask(q->l, n, q->lanes));
    lp_end(b, NULL, 0, NULL);
}

void dot_pack_stretches(dot_kernel *q, const dot_piece *p, const dot_stretch *t) {
    lower *l = q->l;
    lp_builder *b = l->b;
    const lp_val length = lp_index(b, t->length), one = lp_index(b, 1);
    const lp_val behind = lp_iadd(b, p->first, lp_index(b, p->s->panel));
    const lp_val last = lp_imin(b, behind, p->s->count);
    if (p->s->ragged) {
        lp_if(b, lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){last, behind}, 2));
        clear(q, p);
        lp_end(b, NULL, 0, NULL);
    }
    lp_val o0 = lp_idiv(b, p->first, length), o1 = lp_idiv(b, lp_isub(b, last, one), length);
    lp_val o = lp_loop(b, LP_SERIAL, o0, lp_iadd(b, o1, one), 1, NULL, 0, NULL);
    unsigned mark = emit_mark(&l->m);
    emit_sym(&l->m, t->o, o);
    lp_val begin = lp_imul(b, o, length);
    pack_part(q, p, t, begin, lp_imax(b, p->first, begin),
              lp_imin(b, last, lp_iadd(b, begin, length)));
    emit_forget(&l->m, mark);
    lp_end(b, NULL, 0, NULL);
}

/* ---- along k */

/* The same of a block of k, which begins and ends anywhere. */
static void turn_block(dot_kernel *q, const dot_piece *p, const dot_stretch *t, dot_square *u) {
    lower *l = q->l;
    lp_builder *b = l->b;
    const lp_val length = lp_index(b, t->length), one = lp_index(b, 1),
                 lanes = lp_index(b, q->lanes);
    const lp_val behind = lp_iadd(b, q->first, q->depth);
    lp_val o0 = lp_idiv(b, q->first, length), o1 = lp_idiv(b, lp_isub(b, behind, one), length);
    lp_val o = lp_loop(b, LP_SERIAL, o0, lp_iadd(b, o1, one), 1, NULL, 0, NULL);
    unsigned mark = emit_mark(&l->m);
    emit_sym(&l->m, t->o, o);
    lp_val begin = lp_imul(b, o, length), from = lp_imax(b, q->first, begin);
    lp_val end = lp_imin(b, behind, lp_iadd(b, begin, length)), n = lp_isub(b, end, from);
    lp_if(b, lp_base(b, IR_LE, BZ_BOOL, (lp_val[]){lanes, n}, 2));
    lp_val at = lp_loop(b, LP_SERIAL, from, end, q->lanes, NULL, 0, NULL);
    at = lp_imin(b, at, lp_isub(b, end, lanes));
    u->at = lp_isub(b, at, begin);
    u->k = lp_isub(b, at, q->first);
    dot_turn_square(q, p, u);
    lp_end(b, NULL, 0, NULL);
    lp_else(b, NULL, 0);
    u->at = lp_isub(b, from, begin);
    u->k = lp_isub(b, from, q->first);
    u->mask = lower_tail_mask(l, n, q->lanes);
    u->count = n;
    dot_turn_square(q, p, u);
    lp_end(b, NULL, 0, NULL);
    emit_forget(&l->m, mark);
    lp_end(b, NULL, 0, NULL);
}

void dot_turn_stretches(dot_kernel *q, const dot_piece *p, const dot_stretch *t, lp_val row,
                        unsigned rows) {
    lower *l = q->l;
    lp_builder *b = l->b;
    dot_square u = {.idx = t->idx, .vsym = t->i, .row = row, .rows = rows, .n = q->lanes};
    if (q->first) {
        turn_block(q, p, t, &u);
        return;
    }
    lp_val o =
        lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_index(b, q->k / t->length), 1, NULL, 0, NULL);
    unsigned mark = emit_mark(&l->m);
    emit_sym(&l->m, t->o, o);
    lp_val i =
        lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_index(b, t->length), q->lanes, NULL, 0, NULL);
    u.at = lp_imin(b, i, lp_index(b, t->length - q->lanes));
    u.k = lp_iadd(b, lp_imul(b, o, lp_index(b, t->length)), u.at);
    dot_turn_square(q, p, &u);
    lp_end(b, NULL, 0, NULL);
    emit_forget(&l->m, mark);
    lp_end(b, NULL, 0, NULL);
}
