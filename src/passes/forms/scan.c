/* scan.c - scans, whoever runs them: their axes, a step, the elements on the way in and out. */
#include "src/ir/loops/value_emit.h"
#include "src/passes/forms/scan.h"

void scan_begin(scan_kernel *q, lower *l) {
    const ir_ref r = l->group->head;
    const int64_t *a = ir_attrs(l->g, ir_at(l->g, r));
    int64_t shape[IR_MAX_RANK], axes[IR_MAX_RANK];
    const unsigned rank = ir_at(l->g, r)->rank, axis = (unsigned)a[1];
    ir_ex idx[IR_MAX_RANK];
    *q = (scan_kernel){.l = l, .r = r, .x = ir_operand(l->g, r, 0), .way = (ir_way)a[0]};
    q->reverse = a[2] != 0;
    q->t = ir_dtype(l->g, r);
    q->acc = ir_compute_dtype(q->t);
    ir_static_shape(l->g, r, shape);
    for (unsigned d = 0; d < rank; d++) axes[d] = d;
    q->before = lower_count(shape, axis);
    q->n = shape[axis];
    q->after = lower_count(shape + axis + 1, rank - axis - 1);
    q->o = lower_sym(l, "o", q->before);
    q->i = idx[axis] = lower_vector_sym(l, "i", q->n);
    q->c = lower_vector_sym(l, "c", q->after);
    access_delinearize(&l->x, q->o, shape, axes, axis, idx);
    access_delinearize(&l->x, q->c, shape, axes + axis + 1, rank - axis - 1, idx);
    fuse_space_of(l->g, l->group->form, r, idx, &l->space);
}

lp_val scan_both(const scan_kernel *q, lp_val x, lp_val y) {
    lp_val both = 0;
    lp_value(q->l->b, ir_way_op(q->way), q->acc, (const lp_val *const[3]){&x, &y}, 2, 1, &both);
    return both;
}

lp_val scan_start(const scan_kernel *q, unsigned lanes) {
    return lp_const(q->l->b, q->acc, ir_way_start(q->way, q->acc), lanes);
}

lp_val scan_place(const scan_kernel *q, lp_val k) {
    lp_builder *b = q->l->b;
    if (!q->reverse) return k;
    return lp_isub(b, q->count ? lp_isub(b, q->count, lp_index(b, 1)) : lp_index(b, q->n - 1), k);
}

lp_val scan_element(const scan_kernel *q) {
    lower *l = q->l;
    ir_ex idx[IR_MAX_RANK];
    fuse_index(l->g, &l->x, &l->space, FUSE_FULL, q->x, idx);
    const emit_value x = emit_node(&l->m, q->x, idx);
    return emit_cast(l->b, q->acc, q->t, emit_lane_value(&l->m, &x, 0));
}

void scan_store(const scan_kernel *q, lp_val v, unsigned flags) {
    lower *l = q->l;
    emit_bind *bind = &l->m.bind[q->r];
    *bind = (emit_bind){.kind = BIND_VALUE, .value.uniform = !l->m.vec};
    bind->value.v[0] = emit_cast(l->b, q->t, q->acc, v);
    lower_store_outputs(l, FUSE_FULL, flags);
    *bind = (emit_bind){0};
}
