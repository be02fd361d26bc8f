/* cumsum.c - sums of all that stands before:
 *
 *     x: [before, n, after] --for each column, down n--> y      chains of 128, and what stood before them (docs/numerics.md)
 *
 * A task owns a strip of columns of one `before`; a vector runs along the columns, both sums are carried in registers. */
#include "src/passes/cpu/cumsum.h"

void cumsum_begin(cumsum_kernel *q, lower *l) {
    const ir_ref r = l->group->head;
    *q = (cumsum_kernel){.l = l, .x = ir_operand(l->g, r, 0), .y = lower_result(l, 0)};
    q->t = ir_dtype(l->g, r);
    q->acc = ir_compute_dtype(q->t);
    q->at = lower_axis_space(l, q->x, (unsigned)ir_attrs(l->g, ir_at(l->g, r))[0], 1, true);
}

lp_val cumsum_plus(const cumsum_kernel *q, lp_val x, lp_val y) {
    return lp_base(q->l->b, IR_ADD, q->acc, (lp_val[]){x, y}, 2);
}

lp_val cumsum_nothing(const cumsum_kernel *q, unsigned lanes) {
    return lp_const(q->l->b, q->acc, ir_bits_from_f64(q->acc, -0.0), lanes); /* of integers 0 */
}

/* One more element of the columns at c: gives the chain's sum. */
static lp_val step(cumsum_kernel *q, lp_val i, lp_val c, unsigned lanes, lp_val mask, lp_val before,
                   lp_val chain) {
    lower *l = q->l;
    emitter *m = &l->m;
    unsigned mark = emit_mark(m);
    emit_sym(m, q->at.i, i);
    emit_vector(m, q->at.c, c, lanes, 1, mask);
    emit_value x = emit_node(m, q->x, q->at.idx);
    chain = cumsum_plus(q, chain, emit_cast(l->b, q->acc, q->t, emit_lane_value(m, &x, 0)));
    lp_val at =
        lp_iadd(l->b, q->base, lp_iadd(l->b, lp_imul(l->b, i, lp_index(l->b, q->at.after)), c));
    lp_store(l->b, q->y, at, emit_cast(l->b, q->t, q->acc, cumsum_plus(q, before, chain)), mask, 0);
    emit_forget(m, mark);
    emit_scalar(m);
    return chain;
}

/* Down the columns c .. c + lanes. */
static void columns(cumsum_kernel *q, lp_val c, unsigned lanes, lp_val mask) {
    lp_builder *b = q->l->b;
    lp_val n = lp_index(b, q->at.n), before, chain;
    lp_val none = cumsum_nothing(q, lanes);
    lp_val start = lp_loop(b, LP_SERIAL, lp_index(b, 0), n, IR_CHAIN, &none, 1, &before);
    lp_val end = lp_imin(b, n, lp_iadd(b, start, lp_index(b, IR_CHAIN)));
    lp_val i = lp_loop(b, LP_SERIAL, start, end, 1, &none, 1, &chain);
    chain = step(q, i, c, lanes, mask, before, chain);
    lp_end(b, &chain, 1, &chain);
    before = cumsum_plus(q, before, chain);
    lp_end(b, &before, 1, &before);
}

/* The strip of columns lo .. hi: whole vectors, then what is left. */
static void strip(cumsum_kernel *q, lp_val lo, lp_val hi, unsigned lanes) {
    lower *l = q->l;
    lp_builder *b = l->b;
    const bool whole = q->at.after % q->strip == 0 || lanes == 1;
    lp_val main_hi = hi;
    if (!whole) main_hi = lp_isub(b, hi, lp_imod(b, lp_isub(b, hi, lo), lp_index(b, lanes)));
    columns(q, lp_loop(b, LP_SERIAL, lo, main_hi, lanes, NULL, 0, NULL), lanes, 0);
    lp_end(b, NULL, 0, NULL);
    if (whole) return;
    unsigned n = l->t->masks ? lanes : 1;
    lp_val c = lp_loop(b, LP_SERIAL, main_hi, hi, n, NULL, 0, NULL);
    columns(q, c, n, n > 1 ? lower_tail_mask(l, lp_isub(b, hi, c), n) : 0);
    lp_end(b, NULL, 0, NULL);
}

bool lower_cumsum(lower *l) {
    cumsum_kernel q;
    lp_builder *b = l->b;
    cumsum_begin(&q, l);
    unsigned lanes = l->t->vector_bytes / (unsigned)ir_dtype_bytes(q.acc);
    q.strip = l->t->machine->columns;
    while (lanes > 1 && (q.at.after < (int64_t)lanes || q.strip < (int64_t)lanes)) lanes /= 2;
    int64_t strips = (q.at.after + q.strip - 1) / q.strip;
    lp_val task = lp_loop(b, LP_PARALLEL, lp_index(b, 0), lp_index(b, q.at.before * strips), 1,
                          NULL, 0, NULL);
    lp_val o = lp_idiv(b, task, lp_index(b, strips));
    lp_val lo = lp_imul(b, lp_imod(b, task, lp_index(b, strips)), lp_index(b, q.strip));
    emit_sym(&l->m, q.at.o, o);
    q.base = lp_imul(b, o, lp_index(b, q.at.n * q.at.after));
    strip(&q, lo, lp_imin(b, lp_index(b, q.at.after), lp_iadd(b, lo, lp_index(b, q.strip))), lanes);
    lp_end(b, NULL, 0, NULL);
    return !l->m.failed;
}
