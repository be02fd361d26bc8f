/* dot_mask.c - which tiles of a product does nobody see?
 *
 *     where(col > row, -inf, f(q . k^T))      a tile whose every col is larger than its every row
 *
 * Where the choice hangs on indices alone, the micro-kernel is not called for such tiles. Their elements are chosen as ever, so that
 * no bit changes. */
#include "src/passes/forms/dot.h"

/* An i64 that is linear in indices: an iota, moved, with constants and others added. */
static bool index_value(dot_kernel *q, ir_ref r, const ir_ex *idx, ir_ex *e) {
    const ir_graph *g = q->l->g;
    ir_exprs *x = &q->l->x;
    const ir_node n = *ir_at(g, r);
    access_step s;
    ir_ex b;
    ir_bits v;
    if (n.dtype != BZ_I64 || q->l->m.bind[r].kind != BIND_NONE) return false;
    if (ir_const_value(g, r, &v)) {
        const int64_t c = (int64_t)v;
        *e = ir_ex_const(x, c);
        return c > -((int64_t)1 << 40) && c < (int64_t)1 << 40;
    }
    if (n.op == IR_IOTA) {
        *e = idx[ir_attrs(g, &n)[0]];
        return true;
    }
    if (n.op == IR_ADD || n.op == IR_SUB) {
        if (!index_value(q, ir_in(g, &n)[0], idx, e) || !index_value(q, ir_in(g, &n)[1], idx, &b))
            return false;
        *e = ir_ex_add(x, *e, n.op == IR_ADD ? b : ir_ex_mulc(x, b, -1));
        return true;
    }
    return access_moves(g, r) && access_take(g, x, r, idx, 0, &s) && !s.outside &&
           index_value(q, s.x, s.at, e);
}

/* The condition at idx as `e < 0`. */
static bool condition(dot_kernel *q, ir_ref r, const ir_ex *idx, ir_ex *e) {
    const ir_graph *g = q->l->g;
    ir_exprs *x = &q->l->x;
    const ir_node n = *ir_at(g, r);
    access_step s;
    ir_ex b;
    if (access_moves(g, r))
        return access_take(g, x, r, idx, 0, &s) && !s.outside && condition(q, s.x, s.at, e);
    const bool less = n.op == IR_LT || n.op == IR_LE, more = n.op == IR_GT || n.op == IR_GE;
    if ((!less && !more) || !index_value(q, ir_in(g, &n)[more], idx, e) ||
        !index_value(q, ir_in(g, &n)[less], idx, &b))
        return false;
    *e = ir_ex_add(x, *e, ir_ex_mulc(x, b, -1));
    if (n.op == IR_LE || n.op == IR_GE) *e = ir_ex_addc(x, *e, -1);
    return true;
}

/* Is it true or false by where its elements lie alone? */
static bool is_of_places(const lower *l, ir_ref r) {
    const ir_node *n = ir_at(l->g, r);
    if (l->f->group_of[r] != FUSE_NO_GROUP || n->op == IR_INPUT) return false;
    return !access_moves(l->g, r) || is_of_places(l, ir_in(l->g, n)[0]);
}

/* *steps: nodes that may still be looked at. */
static bool chooses_by_places(const lower *l, ir_ref r, unsigned *steps) {
    const ir_node *n = ir_at(l->g, r);
    bool found = n->op == IR_SELECT && is_of_places(l, ir_in(l->g, n)[0]);
    if (found || !(ir_op_is_elementwise(n->op) || access_moves(l->g, r))) return found;
    for (unsigned i = 0; i < n->nin && !found; i++) {
        if (*steps == 0) return false;
        --*steps;
        found = chooses_by_places(l, ir_in(l->g, n)[i], steps);
    }
    return found;
}

bool dot_may_have_zeros(const lower *l, ir_ref x) {
    return chooses_by_places(l, x, &(unsigned){64});
}

void dot_find_mask(dot_kernel *q, ir_ref out) {
    lower *l = q->l;
    const ir_node n = *ir_at(l->g, out);
    ir_ex idx[IR_MAX_RANK], e, rest;
    int64_t step;
    ir_bits v, w;
    if (n.op != IR_SELECT || fuse_level_of(l->g, &l->space, out) != FUSE_FULL) return;
    const ir_ref *in = ir_in(l->g, &n);
    bool first = ir_const_value(l->g, in[1], &v), second = ir_const_value(l->g, in[2], &w);
    fuse_index(l->g, &l->x, &l->space, FUSE_FULL, out, idx);
    if (first == second || !condition(q, in[0], idx, &e)) return;
    /* what is seen: e >= 0 if the product is chosen where the condition fails, else -e - 1 >= 0 */
    if (second) e = ir_ex_addc(&l->x, ir_ex_mulc(&l->x, e, -1), -1);
    if (!ir_ex_linear(&l->x, e, q->x.sym, &step, &rest) ||
        !ir_ex_linear(&l->x, rest, q->y.sym, &step, &rest) || ir_ex_uses(&l->x, rest, q->k_sym))
        return;
    q->mask = (dot_mask){true, e, out, first ? v : w};
}

/* The corner of the tile where `e`, linear in the side's symbol, is largest. */
static void at_largest(dot_kernel *q, const dot_side *s, lp_val first) {
    int64_t step;
    ir_ex rest;
    lp_builder *b = q->l->b;
    ir_ex_linear(&q->l->x, q->mask.at, s->sym, &step, &rest);
    emit_sym(&q->l->m, s->sym, step > 0 ? lp_iadd(b, first, lp_index(b, s->panel - 1)) : first);
}

lp_val dot_is_masked(dot_kernel *q, lp_val m0, lp_val n0) {
    lp_builder *b = q->l->b;
    if (!q->mask.known) return 0;
    at_largest(q, &q->x, m0);
    at_largest(q, &q->y, n0);
    lp_val most = emit_index(&q->l->m, q->mask.at);
    return lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){most, lp_index(b, 0)}, 2);
}

row_sight dot_row_sight(dot_kernel *q, lp_val batch, lp_val row) {
    lower *l = q->l;
    lp_builder *b = l->b;
    int64_t step;
    ir_ex rest;
    const lp_val all = lp_index(b, q->y.size), zero = lp_index(b, 0);
    const bz_dtype t = ir_dtype(l->g, q->mask.value);
    row_sight s = {.other = lp_const(b, t, q->mask.other, 1), .from = zero, .to = all};
    ir_ex_linear(&l->x, q->mask.at, q->y.sym, &step, &rest);
    emit_sym(&l->m, q->b_sym, batch);
    emit_sym(&l->m, q->x.sym, row);
    const lp_val at = emit_index(&l->m, rest); /* at + step * column >= 0 */
    if (step > 0)
        s.from =
            lp_idiv(b, lp_imax(b, lp_isub(b, lp_index(b, step - 1), at), zero), lp_index(b, step));
    else if (step < 0)
        s.to = lp_idiv(b, lp_imax(b, lp_iadd(b, at, lp_index(b, -step)), zero), lp_index(b, -step));
    else
        s.to = lp_imul(
            b, lp_imin(b, lp_imax(b, lp_iadd(b, at, lp_index(b, 1)), zero), lp_index(b, 1)), all);
    s.from = lp_imin(b, s.from, all);
    s.to = lp_imin(b, s.to, all);
    s.hides = lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){lp_isub(b, s.to, s.from), all}, 2);
    return s;
}
