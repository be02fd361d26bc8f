/* scatter.c - scatter_add: rows added to rows that indices name.
 *
 *     x: [before, n, after] --rows index[0] .. index[n-1]--> y: [before, size, after]
 *
 * A task owns a strip of columns of one `before`: it clears them in all rows of y, then adds rows of x in their order. So no two
 * tasks meet and the order of additions is the indices', whoever runs them. What x is read through (movement) is an index map. */
#include "src/passes/cpu/scatter.h"
#include "src/passes/emit_parts.h"

typedef struct striding {
    scatter_kernel q;
    lp_val base, lo, hi; /* base: where in y the rows of this `before` begin */
    unsigned lanes;
    int64_t strip; /* columns of a task */
} striding;

static void set_space(scatter_kernel *q) {
    lower *l = q->l;
    int64_t shape[IR_MAX_RANK], axes[IR_MAX_RANK];
    const unsigned axis = (unsigned)ir_attrs(l->g, ir_at(l->g, q->r))[0];
    const unsigned ni = ir_at(l->g, q->index)->rank;
    ir_static_shape(l->g, q->r, shape);
    q->size = shape[axis];
    q->at = lower_axis_space(l, q->x, axis, ni, true);
    ir_static_shape(l->g, q->index, shape);
    for (unsigned d = 0; d < ni; d++) axes[d] = d;
    access_delinearize(&l->x, q->at.i, shape, axes, ni, q->index_idx);
}

void scatter_begin(scatter_kernel *q, lower *l) {
    const ir_ref r = l->group->head;
    *q = (scatter_kernel){.l = l, .r = r, .y = lower_result(l, 0)};
    q->x = ir_operand(l->g, r, 0);
    q->index = ir_operand(l->g, r, 1);
    q->t = ir_dtype(l->g, r);
    set_space(q);
}

lp_val scatter_row(scatter_kernel *q) {
    lp_builder *b = q->l->b;
    emitter *m = &q->l->m;
    emit_value i = emit_node(m, q->index, q->index_idx);
    lp_val v = i.v[0], zero = lp_index(b, 0), size = lp_index(b, q->size);
    lp_val low = lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){v, zero}, 2);
    lp_val wrapped = lp_base(b, IR_SELECT, BZ_I64, (lp_val[]){low, lp_iadd(b, v, size), v}, 3);
    lp_val below = lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){wrapped, zero}, 2),
           above = lp_base(b, IR_LE, BZ_BOOL, (lp_val[]){size, wrapped}, 2),
           bad = lp_base(b, IR_OR, BZ_BOOL, (lp_val[]){below, above}, 2);
    lp_error_if(b, bad, BZ_EINDEX, emit_site(m, q->r));
    return lp_base(b, IR_SELECT, BZ_I64, (lp_val[]){bad, zero, wrapped}, 3);
}

/* y[at .. at + lanes) = 0, or that + x. */
static void cell(striding *k, lp_val row, lp_val c, unsigned lanes, lp_val mask, bool add) {
    lp_builder *b = k->q.l->b;
    emitter *m = &k->q.l->m;
    lp_val at = lp_iadd(b, row, c), v;
    unsigned mark = emit_mark(m);
    if (add) {
        emit_vector(m, k->q.at.c, c, lanes, 1, mask);
        emit_value x = emit_node(m, k->q.x, k->q.at.idx);
        lp_val old = lp_load(b, k->q.y, at, lanes, mask, 0);
        v = lp_base(b, IR_ADD, k->q.t, (lp_val[]){old, emit_lane_value(m, &x, 0)}, 2);
    } else {
        v = lp_const(b, k->q.t, 0, lanes);
    }
    lp_store(b, k->q.y, at, v, mask, 0);
    emit_forget(m, mark);
    emit_scalar(m);
}

/* The strip's columns of the row of y that begins at `row`. */
static void strip(striding *k, lp_val row, bool add) {
    lower *l = k->q.l;
    lp_builder *b = l->b;
    bool whole = k->q.at.after % k->strip == 0;
    lp_val span = lp_isub(b, k->hi, k->lo), main_hi = k->hi;
    if (!whole) {
        lp_val left = lp_imod(b, span, lp_index(b, (int64_t)k->lanes));
        main_hi = lp_isub(b, k->hi, left);
    }
    lp_val c = lp_loop(b, LP_SERIAL, k->lo, main_hi, k->lanes, NULL, 0, NULL);
    cell(k, row, c, k->lanes, 0, add);
    lp_end(b, NULL, 0, NULL);
    if (whole || k->lanes == 1) return;
    unsigned n = l->t->masks ? k->lanes : 1;
    c = lp_loop(b, LP_SERIAL, main_hi, k->hi, n, NULL, 0, NULL);
    lp_val left = lp_isub(b, k->hi, c);
    cell(k, row, c, n, n > 1 ? lower_tail_mask(l, left, n) : 0, add);
    lp_end(b, NULL, 0, NULL);
}

/* Where row number `row` of this `before` begins. */
static lp_val begins(striding *k, lp_val row) {
    lp_builder *b = k->q.l->b;
    return lp_iadd(b, k->base, lp_imul(b, row, lp_index(b, k->q.at.after)));
}

static void task(striding *k, lp_val t, int64_t strips) {
    lp_builder *b = k->q.l->b;
    emitter *m = &k->q.l->m;
    lp_val count = lp_index(b, strips);
    lp_val o = lp_idiv(b, t, count), s = lp_imod(b, t, count);
    emit_sym(m, k->q.at.o, o);
    k->base = lp_imul(b, o, lp_index(b, k->q.size * k->q.at.after));
    k->lo = lp_imul(b, s, lp_index(b, k->strip));
    k->hi = lp_iadd(b, k->lo, lp_index(b, k->strip));
    if (k->q.at.after % k->strip) k->hi = lp_imin(b, k->hi, lp_index(b, k->q.at.after));
    lp_val row = lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_index(b, k->q.size), 1, NULL, 0, NULL);
    strip(k, begins(k, row), false);
    lp_end(b, NULL, 0, NULL);
    lp_val i = lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_index(b, k->q.at.n), 1, NULL, 0, NULL);
    unsigned mark = emit_mark(m);
    emit_sym(m, k->q.at.i, i);
    strip(k, begins(k, scatter_row(&k->q)), true);
    emit_forget(m, mark);
    lp_end(b, NULL, 0, NULL);
}

bool lower_scatter_add(lower *l) {
    striding k = {.strip = l->t->machine->columns};
    scatter_begin(&k.q, l);
    const axis_space *at = &k.q.at;
    k.lanes = l->t->vector_bytes / (unsigned)ir_dtype_bytes(k.q.t);
    while (k.lanes > 1 && (at->after < (int64_t)k.lanes || k.strip < (int64_t)k.lanes))
        k.lanes /= 2;
    int64_t strips = (at->after + k.strip - 1) / k.strip;
    lp_val t = lp_loop(l->b, LP_PARALLEL, lp_index(l->b, 0), lp_index(l->b, at->before * strips), 1,
                       NULL, 0, NULL);
    task(&k, t, strips);
    lp_end(l->b, NULL, 0, NULL);
    return !l->m.failed;
}
