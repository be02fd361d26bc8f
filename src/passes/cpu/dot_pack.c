/* dot_pack.c - the sides of a product as the micro-kernel reads them: where they lie, or packed into panels.
 *
 * Vectors run along the panel where memory does, else along k with a transposition in registers. */
#include "src/passes/cpu/dot_panel.h"

enum {
    SAME_PLACE = 4096, /* bytes: addresses so far apart have one place in a first-level cache */
    FAR_ROWS = 16      /* rows of an operand that is in no cache are asked for so far ahead */
};

/* ---- in place */

bool dot_lies_straight(dot_kernel *q, dot_side *s) {
    ir_exprs *x = q->l->m.x;
    int64_t batch, along, down;
    ir_ex rest;
    if (!dot_find_buffer(q, s, q->a.acc) || !ir_ex_linear(x, s->offset, s->sym, &along, &rest) ||
        !ir_ex_linear(x, rest, q->k_sym, &down, &rest))
        return false;
    if (q->batch > 1 && !ir_ex_linear(x, rest, q->b_sym, &batch, &rest)) return false;
    s->along = along;
    s->down = down;
    return true;
}

/* ---- packed */

lp_val dot_number(const dot_kernel *q, lp_val k) {
    return q->first ? lp_iadd(q->l->b, q->first, k) : k;
}

static void store_panel_row(dot_kernel *q, const dot_piece *p, lp_val k, int64_t row,
                            unsigned lanes, bool guard) {
    lower *l = q->l;
    lp_builder *b = l->b;
    unsigned mark = emit_mark(&l->m);
    lp_val at = lp_iadd(b, p->first, lp_index(b, row)), mask = 0;
    if (guard && lanes > 1) mask = lower_tail_mask(l, lp_isub(b, p->s->count, at), lanes);
    emit_sym(&l->m, q->k_sym, dot_number(q, k));
    emit_vector(&l->m, p->s->sym, at, lanes, 1, mask);
    emit_value v = dot_widened(q, p->s->r, p->s->idx);
    lp_val x = emit_lane_value(&l->m, &v, 0);
    if (mask) /* prologues may make something of masked lanes: padding is zero */
        x = lp_base(b, IR_SELECT, q->a.acc, (lp_val[]){mask, x, lp_const(b, q->a.acc, 0, lanes)},
                    3);
    lp_store(
        b, p->s->p,
        lp_iadd(b, p->base, lp_iadd(b, lp_imul(b, k, lp_index(b, p->s->panel)), lp_index(b, row))),
        x, 0, 0);
    emit_forget(&l->m, mark);
}

/* All of the panel for one k. */
static void pack_row(dot_kernel *q, const dot_piece *p, lp_val k, bool guard) {
    lp_builder *b = q->l->b;
    int64_t row = 0;
    for (unsigned lanes = q->lanes; lanes > 1; lanes /= 2)
        for (; p->s->panel - row >= lanes; row += lanes)
            store_panel_row(q, p, k, row, lanes, guard);
    for (; row < p->s->panel; row++) { /* odd panels: the last row alone */
        if (guard) {
            lp_val at = lp_iadd(b, p->first, lp_index(b, row));
            lp_val place = lp_iadd(
                b, p->base, lp_iadd(b, lp_imul(b, k, lp_index(b, p->s->panel)), lp_index(b, row)));
            lp_if(b, lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){at, p->s->count}, 2));
            store_panel_row(q, p, k, row, 1, false);
            lp_else(b, NULL, 0);
            lp_store(b, p->s->p, place, lp_const(b, q->a.acc, 0, 1), 0, 0);
            lp_end(b, NULL, 0, NULL);
        } else {
            store_panel_row(q, p, k, row, 1, false);
        }
    }
}

static void pack_rows(dot_kernel *q, const dot_piece *p, bool guard) {
    lp_builder *b = q->l->b;
    lp_val k = lp_loop(b, LP_SERIAL, lp_index(b, 0), q->depth, 1, NULL, 0, NULL);
    pack_row(q, p, k, guard);
    lp_end(b, NULL, 0, NULL);
    emit_scalar(&q->l->m);
}

void dot_turn_square(dot_kernel *q, const dot_piece *p, const dot_square *t) {
    lower *l = q->l;
    lp_builder *b = l->b;
    lp_val v[64];
    for (unsigned i = 0; i < q->lanes; i++) {
        unsigned mark = emit_mark(&l->m);
        if (i >= t->rows) {
            v[i] = v[0];
            continue;
        }
        emit_sym(&l->m, p->s->sym, lp_iadd(b, lp_iadd(b, p->first, t->row), lp_index(b, i)));
        emit_vector(&l->m, t->vsym, t->at, q->lanes, 1, t->mask);
        emit_value x = dot_widened(q, p->s->r, t->idx);
        v[i] = emit_lane_value(&l->m, &x, 0);
        emit_forget(&l->m, mark);
    }
    lower_transpose(b, v, q->lanes, q->a.acc);
    uint32_t pick[64];
    for (unsigned i = 0; i < 64; i++) pick[i] = i;
    for (int64_t j = 0; j < t->n; j++) {
        lp_val at = lp_imul(b, lp_iadd(b, t->k, lp_index(b, j)), lp_index(b, p->s->panel));
        at = lp_iadd(b, p->base, lp_iadd(b, at, t->row));
        if (t->count) lp_if(b, lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){lp_index(b, j), t->count}, 2));
        unsigned done = 0;
        for (unsigned part = q->lanes; part > 0; part /= 2) /* exactly `rows` elements */
            if (t->rows - done >= part) {
                for (unsigned i = 0; i < part; i++) pick[i] = done + i;
                lp_val x = part == q->lanes ? v[j]
                           : part == 1      ? lp_extract(b, v[j], done)
                                            : lp_shuffle(b, v[j], v[j], pick, part);
                lp_store(b, p->s->p, lp_iadd(b, at, lp_index(b, done)), x, 0, 0);
                done += part;
            }
        if (t->count) lp_end(b, NULL, 0, NULL);
    }
}

/* All k of `rows` rows. */
static void transposed_rows(dot_kernel *q, const dot_piece *p, lp_val row, unsigned rows) {
    lp_builder *b = q->l->b;
    int64_t whole = q->k / q->lanes * q->lanes, left = q->k - whole;
    dot_stretch cut;
    if (dot_find_k_stretches(q, p->s, &cut)) {
        dot_turn_stretches(q, p, &cut, row, rows);
        return;
    }
    dot_square t = {.idx = p->s->idx, .vsym = q->k_sym, .row = row, .rows = rows, .n = q->lanes};
    lp_val end = lp_index(b, whole), rest = 0;
    if (q->first && left) { /* of the last block */
        rest = lp_imod(b, q->depth, lp_index(b, q->lanes));
        end = lp_isub(b, q->depth, rest);
    } else if (q->first) {
        end = q->depth;
    }
    if (whole) {
        t.k = lp_loop(b, LP_SERIAL, lp_index(b, 0), end, q->lanes, NULL, 0, NULL);
        t.at = dot_number(q, t.k);
        dot_turn_square(q, p, &t);
        lp_end(b, NULL, 0, NULL);
    }
    if (left) {
        if (rest) lp_if(b, lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){lp_index(b, 0), rest}, 2));
        t.k = end;
        t.at = dot_number(q, end);
        t.mask = lower_tail_mask(q->l, lp_index(b, left), q->lanes);
        t.n = left;
        dot_turn_square(q, p, &t);
        if (rest) lp_end(b, NULL, 0, NULL);
    }
}

static void pack_transposed(dot_kernel *q, const dot_piece *p) {
    lp_builder *b = q->l->b;
    int64_t squares = p->s->panel / q->lanes * q->lanes;
    unsigned rest = (unsigned)(p->s->panel - squares);
    if (squares) {
        lp_val row =
            lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_index(b, squares), q->lanes, NULL, 0, NULL);
        transposed_rows(q, p, row, q->lanes);
        lp_end(b, NULL, 0, NULL);
    }
    if (rest) transposed_rows(q, p, lp_index(b, squares), rest);
    emit_scalar(&q->l->m);
}

int64_t dot_panel_stride(const dot_kernel *q, const dot_side *s, int64_t k) {
    const int64_t blocks = (k + IR_DOT_BLOCK - 1) / IR_DOT_BLOCK, lanes = q->lanes;
    const int64_t line = (blocks + lanes - 1) / lanes * lanes, elements = k * s->panel;
    const int64_t place = SAME_PLACE / (int64_t)ir_dtype_bytes(q->a.acc);
    if (q->sparse && s == &q->y) return elements + line;
    return elements + (elements % place == 0 ? lanes : 0);
}

lp_val dot_stride(const dot_kernel *q, const dot_side *s) {
    lp_builder *b = q->l->b;
    const int64_t behind = dot_panel_stride(q, s, q->k) - q->k * s->panel;
    const lp_val depth = s->by_block ? q->depth : q->all;
    return lp_iadd(b, lp_imul(b, depth, lp_index(b, s->panel)), lp_index(b, behind));
}

/* Behind the panel: for each block of k, 0 if it is finite. What is not makes a sum of itself times 0 no number. */
static void note_nonfinite(dot_kernel *q, const dot_piece *p) {
    lp_builder *b = q->l->b;
    const bz_dtype t = q->a.acc;
    const int64_t step = p->s->panel, block = IR_DOT_BLOCK * step, all = q->k * step;
    const unsigned n = p->s->panel / q->lanes; /* a chain for each vector of a row */
    lp_val sum[16], zero = lp_const(b, t, 0, q->lanes), total = zero;
    lp_val from = lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_index(b, all), block, NULL, 0, NULL);
    lp_val to = lp_imin(b, lp_iadd(b, from, lp_index(b, block)), lp_index(b, all));
    for (unsigned i = 0; i < n; i++) sum[i] = zero;
    lp_val at = lp_loop(b, LP_SERIAL, from, to, step, sum, n, sum);
    for (unsigned i = 0; i < n; i++) {
        lp_val place = lp_iadd(b, p->base, lp_iadd(b, at, lp_index(b, i * (int64_t)q->lanes)));
        lp_val v[3] = {lp_load(b, p->s->p, place, q->lanes, 0, 0), zero, sum[i]};
        sum[i] = lp_base(b, IR_FMA, t, v, 3);
    }
    lp_end(b, sum, n, sum);
    for (unsigned i = 0; i < n; i++) total = lp_base(b, IR_ADD, t, (lp_val[]){total, sum[i]}, 2);
    lp_val bad = lp_any(b, lp_base(b, IR_NE, BZ_BOOL, (lp_val[]){total, zero}, 2));
    lp_val place = lp_iadd(b, lp_index(b, all), lp_idiv(b, from, lp_index(b, block)));
    lp_val v[3] = {bad, lp_const(b, t, ir_bits_from_f64(t, 1), 1), lp_const(b, t, 0, 1)};
    lp_store(b, p->s->p, lp_iadd(b, p->base, place), lp_base(b, IR_SELECT, t, v, 3), 0, 0);
    lp_end(b, NULL, 0, NULL);
}

bool dot_turns(dot_kernel *q, const dot_side *s) {
    dot_stretch t;
    if (q->lanes == 1 || dot_dense_along(q, s, s->sym) || dot_find_stretches(q, s, true, &t))
        return false;
    return (q->l->t->masks && q->k >= 4 && dot_dense_along(q, s, q->k_sym)) ||
           dot_find_k_stretches(q, s, &t);
}

/* Whichever way is best: whole panels may be transposed, the last one is guarded row by row. */
void dot_pack(dot_kernel *q, const dot_side *s, lp_val number, lp_val base) {
    lp_builder *b = q->l->b;
    dot_piece p = {s, base, lp_imul(b, number, lp_index(b, s->panel))};
    bool ragged = s->ragged;
    dot_stretch cut;
    if (!dot_turns(q, s) && dot_find_stretches(q, s, false, &cut)) {
        dot_pack_stretches(q, &p, &cut);
        if (q->sparse && s == &q->y) note_nonfinite(q, &p);
        return;
    }
    if (ragged) {
        lp_val end = lp_iadd(b, p.first, lp_index(b, s->panel));
        lp_if(b, lp_base(b, IR_LE, BZ_BOOL, (lp_val[]){end, s->count}, 2));
    }
    if (dot_turns(q, s))
        pack_transposed(q, &p);
    else
        pack_rows(q, &p, false);
    if (ragged) {
        lp_else(b, NULL, 0);
        pack_rows(q, &p, true);
        lp_end(b, NULL, 0, NULL);
    }
    if (q->sparse && s == &q->y) note_nonfinite(q, &p);
}

/* Where memory runs along the panels a row of all of them is read at a time: as one stretch, each of its lines once. */
void dot_pack_all(dot_kernel *q, const dot_side *s, lp_val from, lp_val to) {
    lp_builder *b = q->l->b;
    const lp_val stride = dot_stride(q, s);
    lp_val full = lp_idiv(b, s->count, lp_index(b, s->panel));
    const bool rows = dot_dense_along(q, s, s->sym) && !(q->sparse && s == &q->y);
    if (rows) {
        lp_val whole = lp_imin(b, to, full);
        lp_val k = lp_loop(b, LP_SERIAL, lp_index(b, 0), q->depth, 1, NULL, 0, NULL);
        lp_val i = lp_loop(b, LP_SERIAL, from, whole, 1, NULL, 0, NULL);
        dot_piece p = {s, lp_imul(b, lp_isub(b, i, from), stride),
                       lp_imul(b, i, lp_index(b, s->panel))};
        q->l->m.ahead = lower_read_ahead(q->l, q->l->t->cached);
        q->l->m.ahead_sym = q->k_sym;
        q->l->m.ahead_by = FAR_ROWS;
        pack_row(q, &p, k, false);
        q->l->m.ahead = 0;
        lp_end(b, NULL, 0, NULL);
        lp_end(b, NULL, 0, NULL);
        emit_scalar(&q->l->m);
    }
    if (rows && !s->ragged) return;
    lp_val first = rows ? lp_imax(b, from, full) : from;
    lp_val i = lp_loop(b, LP_SERIAL, first, to, 1, NULL, 0, NULL);
    dot_pack(q, s, i, lp_imul(b, lp_isub(b, i, from), stride));
    lp_end(b, NULL, 0, NULL);
}
