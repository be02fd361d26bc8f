/* scatter.c - scatters, whoever runs them: where an element goes, and what becomes of what is there. */
#include "src/passes/emit_parts.h"
#include "src/passes/forms/scatter.h"

static void set_space(scatter_kernel *q) {
    lower *l = q->l;
    int64_t shape[IR_MAX_RANK], axes[IR_MAX_RANK];
    ir_ex idx[IR_MAX_RANK];
    const unsigned axis = (unsigned)ir_attrs(l->g, ir_at(l->g, q->r))[1],
                   rank = ir_at(l->g, q->r)->rank, of_index = ir_at(l->g, q->index)->rank,
                   gone = q->along ? 1 : of_index;
    ir_static_shape(l->g, q->r, shape);
    q->size = shape[axis];
    q->stride = lower_count(shape + axis + 1, rank - axis - 1);
    q->at = lower_axis_space(l, q->y, axis, gone, true);
    q->row = lower_vector_sym(l, "row", q->size);
    for (unsigned d = 0; d < rank; d++) {
        idx[d] = d < axis ? q->at.idx[d] : d == axis ? ir_ex_const(&l->x, 0) : q->at.idx[d + gone - 1];
        q->x_idx[d] = d == axis ? q->row : idx[d];
    }
    q->to = access_offset(l->g, &l->x, q->r, idx);
    ir_static_shape(l->g, q->index, shape);
    for (unsigned d = 0; d < of_index; d++) axes[d] = d;
    if (q->along)
        for (unsigned d = 0; d < rank; d++) q->index_idx[d] = q->at.idx[d];
    else
        access_delinearize(&l->x, q->at.i, shape, axes, of_index, q->index_idx);
}

void scatter_begin(scatter_kernel *q, lower *l) {
    const ir_ref r = l->group->head;
    const int64_t *a = ir_attrs(l->g, ir_at(l->g, r));
    *q = (scatter_kernel){.l = l, .r = r, .way = (ir_way)a[0], .along = a[2] != 0};
    q->x = ir_operand(l->g, r, 0);
    q->index = ir_operand(l->g, r, 1);
    q->y = ir_operand(l->g, r, 2);
    q->t = ir_dtype(l->g, r);
    q->out = lower_result(l, 0);
    set_space(q);
}

lp_val scatter_row(scatter_kernel *q) {
    lp_builder *b = q->l->b;
    emitter *m = &q->l->m;
    emit_value i = emit_node(m, q->index, q->index_idx);
    lp_val v = i.v[0], zero = lp_index(b, 0), size = emit_size(m, q->size);
    lp_val low = lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){v, zero}, 2);
    lp_val wrapped = lp_base(b, IR_SELECT, BZ_I64, (lp_val[]){low, lp_iadd(b, v, size), v}, 3);
    lp_val below = lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){wrapped, zero}, 2),
           above = lp_base(b, IR_LE, BZ_BOOL, (lp_val[]){size, wrapped}, 2),
           bad = lp_base(b, IR_OR, BZ_BOOL, (lp_val[]){below, above}, 2);
    lp_error_if(b, bad, BZ_EINDEX, emit_site(m, q->r));
    return lp_base(b, IR_SELECT, BZ_I64, (lp_val[]){bad, zero, wrapped}, 3);
}

lp_val scatter_both(scatter_kernel *q, lp_val there) {
    emitter *m = &q->l->m;
    const emit_value y = emit_node(m, q->y, q->at.idx);
    const lp_val v = emit_lane_value(m, &y, 0);
    if (q->way == IR_BY_LAST) return v;
    return lp_base(q->l->b, ir_way_op(q->way), q->t, (lp_val[]){there, v}, 2);
}
