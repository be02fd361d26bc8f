/* row_hidden.c - rows of which a stretch is seen, and the rest is one constant (what a causal mask hides).
 *
 *     x[i, k]  |  seen                      |  -inf ... -inf            a pass goes through the columns that are seen, and
 *              0                  sight->to                  K          computes what the constant gives once
 *
 * That is so where every element that the pass folds, keeps or stores is one value of the row there. Zeros are not added up, a maximum
 * takes the value for all: the bits are those of the whole row. */
#include "src/passes/forms/row.h"

static bool is_plain(const row_kernel *q, const bool *plain, ir_ref r, ir_ref hidden) {
    const work_node *n = work_find(&q->w, r);
    return r == hidden || (n && plain[n - q->w.nodes.p]);
}

/* Others read something else that changes along the row, or ask where an element lies. */
uint32_t row_plain_passes(const row_kernel *q, ir_ref hidden) {
    const work *w = &q->w;
    const ir_graph *g = q->l->g;
    bool *plain = bz_mem_zero(w->nodes.n, sizeof *plain);
    uint32_t passes = plain ? (1u << w->nstages) - 1 : 0;
    for (uint32_t i = 0; plain && i < w->nodes.n; i++) {
        const work_node *at = &w->nodes.p[i];
        const ir_node *n = ir_at(g, at->r);
        ir_bits v;
        plain[i] =
            n->nin && (ir_op_is_elementwise(n->op) || n->op == IR_EXPAND || n->op == IR_RESHAPE);
        for (unsigned k = 0; k < n->nin; k++)
            plain[i] &= is_plain(q, plain, ir_in(g, n)[k], hidden);
        plain[i] |=
            at->r == hidden || (at->member && n->op == IR_REDUCE) || ir_const_value(g, at->r, &v);
        if (!plain[i] && at->member) passes &= ~at->stages;
    }
    for (unsigned f = 0; f < q->nfolds; f++) {
        const fold_node *n = &q->fold[f];
        bool knows = n->a.kind != IR_ARGMAX && n->a.kind != IR_ARGMIN && n->a.kind != IR_PROD;
        if (!knows || !plain || !is_plain(q, plain, ir_operand(g, n->r, 0), hidden))
            passes &= ~(1u << n->pass);
    }
    bz_mem_free(plain);
    return passes;
}

/* A node's value where the hidden one is its constant. */
static lp_val value_where_hidden(const row_stretch *s, ir_ref r) {
    row_kernel *q = s->q;
    lower *l = q->l;
    emit_bind *bind = l->m.bind, seen = bind[q->hidden];
    ir_ex idx[IR_MAX_RANK];
    unsigned mark = emit_mark(&l->m);
    bind[q->hidden] = (emit_bind){.kind = BIND_SCALAR, .p = s->sight->other};
    for (uint32_t i = 0; i < q->w.kept.n; i++) bind[q->w.kept.p[i]].kind = BIND_NONE;
    emit_scalar(&l->m);
    fuse_index(l->g, &l->x, &l->space, FUSE_FULL, r, idx);
    lp_val v = emit_node(&l->m, r, idx).v[0];
    emit_forget(&l->m, mark);
    for (uint32_t i = 0; i < q->w.kept.n; i++)
        if (row_kept_by(q, i) < s->pass) row_bind_kept(q, i);
    bind[q->hidden] = seen;
    return v;
}

void row_look(row_stretch *s, const row_sight *sight, lp_val *other) {
    row_kernel *q = s->q;
    lower *l = q->l;
    lp_builder *b = l->b;
    const int64_t lanes = q->lane ? IR_LANES : (int64_t)q->lanes * q->nvec;
    const lp_val step = lp_index(b, lanes);
    lp_val skips = sight->hides;
    s->sight = sight;
    for (unsigned f = 0; f < s->nfolds; f++) {
        const fold_node *n = &q->fold[s->folds[f]];
        const ir_ref x = ir_operand(l->g, n->r, 0);
        other[f] = fold_widen(l, &n->a, ir_dtype(l->g, x), value_where_hidden(s, x));
        if (n->a.kind != IR_SUM) continue;
        lp_val v[2] = {other[f], lp_const(b, n->a.acc, 0, 1)};
        lp_val both[2] = {skips, lp_base(b, IR_EQ, BZ_BOOL, v, 2)};
        skips = lp_base(b, IR_AND, BZ_BOOL, both, 2);
    }
    for (unsigned f = 0; f < s->nfolds; f++) {
        const ir_reduce_attr *a = &q->fold[s->folds[f]].a;
        lp_val v[3] = {skips, other[f], lp_const(b, a->acc, fold_identity(a), 1)};
        other[f] = lp_base(b, IR_SELECT, a->acc, v, 3);
    }
    s->from = lp_imul(b, lp_idiv(b, sight->from, step), step);
    s->to = lp_imul(b, lp_idiv(b, lp_iadd(b, sight->to, lp_index(b, lanes - 1)), step), step);
    s->from = lp_base(b, IR_SELECT, BZ_I64, (lp_val[]){skips, s->from, lp_index(b, 0)}, 3);
    s->to = lp_base(b, IR_SELECT, BZ_I64, (lp_val[]){skips, s->to, q->length}, 3);
}

row_span row_seen_of(const row_stretch *s, lp_val lo, lp_val all) {
    lp_builder *b = s->q->l->b;
    lp_val zero = lp_index(b, 0);
    if (!s->to) return (row_span){zero, all};
    lp_val from = lp_imax(b, lp_isub(b, s->from, lo), zero);
    return (row_span){from, lp_imin(b, lp_isub(b, s->to, lo), all)};
}

/* Node r is one value in columns lo + at.from .. lo + at.to: stored to `to`, an output, or a kept row. */
static void fill_span(row_stretch *s, row_span at, lp_val lo, ir_ref r, lp_val to, bool is_output) {
    row_kernel *q = s->q;
    emitter *m = &q->l->m;
    ir_ex idx[IR_MAX_RANK];
    const emit_value v = {.uniform = true, .v = {value_where_hidden(s, r)}};
    unsigned mark = emit_mark(m);
    if (q->lane) at.from = lp_iadd(m->b, at.from, lp_imul(m->b, q->lane, lp_index(m->b, q->lanes)));
    lp_val j =
        lp_loop(m->b, LP_SERIAL, at.from, at.to, q->lane ? IR_LANES : q->lanes, NULL, 0, NULL);
    emit_vector(m, q->k_sym, lp_iadd(m->b, lo, j), q->lanes, 1, 0);
    fuse_index(m->g, m->x, &q->l->space, FUSE_FULL, r, idx);
    emit_store(m, to, is_output ? emit_offset(m, r, idx) : q->k_sym, &v, is_output ? q->stream : 0);
    emit_forget(m, mark);
    lp_end(m->b, NULL, 0, NULL);
    emit_scalar(m);
}

void row_fill_hidden(row_stretch *s, lp_val lo, lp_val all) {
    row_kernel *q = s->q;
    lower *l = q->l;
    lp_builder *b = l->b;
    if (!s->to) return;
    const row_span seen = row_seen_of(s, lo, all);
    const row_span side[2] = {{lp_index(b, 0), lp_imin(b, seen.from, all)},
                              {lp_imax(b, seen.to, seen.from), all}};
    for (unsigned k = 0; k < 2; k++) {
        for (uint32_t i = 0; i < q->w.kept.n; i++)
            if (row_kept_by(q, i) == s->pass)
                fill_span(s, side[k], lo, q->w.kept.p[i], q->kept_rows.p[i], false);
        for (uint32_t i = 0; i < l->outputs.n; i++)
            if (row_stores(s, i))
                fill_span(s, side[k], lo, l->outputs.p[i], l->out_pointers.p[i], true);
    }
}
