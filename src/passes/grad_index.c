/* grad_index.c - gradients of what reads and writes by index. */
#include "src/passes/grad.h"

#include <string.h>

/* ---- gathers and scatters: each is the transpose of the other, of rows or along lines */

typedef struct places {
    ir_graph *g;
    ir_ref index;
    int axis;
    bool along;
} places;

static ir_ref take(const places *p, ir_ref x) {
    return p->along ? ir_gather_along(p->g, x, p->index, p->axis)
                    : ir_gather(p->g, x, p->index, p->axis);
}

static ir_ref put(const places *p, ir_way way, ir_ref x, ir_ref y) {
    return ir_scatter(p->g, way, x, p->index, y, p->axis, p->along);
}

/* Elements add up where they were taken from: one that is NaN reaches its own place alone. */
ir_ref grad_gather(ir_graph *g, ir_ref r, unsigned k, const ir_ref *ds) {
    const ir_ref x = ir_operand(g, r, k);
    const int64_t *a = ir_attrs(g, ir_at(g, r));
    const places p = {g, ir_operand(g, r, 1), (int)a[0], a[1] != 0};
    int64_t elements = 1;
    ir_ref zeros = ir_const_like(g, x, 0);
    if (ir_numel(g, x, &elements) && elements == 0) return zeros;
    return put(&p, IR_BY_SUM, zeros, *ds);
}

/* The elements of y numbered in the order in which they come to their places. 0: sizes are open. */
static ir_ref numbers(const places *p, ir_ref y) {
    ir_graph *g = p->g;
    ir_dim dims[IR_MAX_RANK];
    int64_t shape[IR_MAX_RANK], stride = 1;
    const unsigned rank = ir_at(g, y)->rank, of_index = ir_at(g, p->index)->rank;
    memcpy(dims, ir_dims(g, ir_at(g, y)), rank * sizeof *dims);
    if (p->along) return ir_iota(g, BZ_I64, dims, rank, p->axis);
    if (!ir_static_shape(g, p->index, shape)) return 0;
    ir_ref all = ir_const_bits(g, BZ_I64, 0, dims, rank);
    for (unsigned d = of_index; d-- > 0; stride *= shape[d]) {
        ir_ref own = ir_iota(g, BZ_I64, dims, rank, p->axis + (int)d);
        own = ir_build2(g, IR_MUL, own, ir_const_i(g, BZ_I64, stride));
        all = ir_build2(g, IR_ADD, all, own);
    }
    return all;
}

/* Which elements of y stay: at each place the last one that comes there. */
static ir_ref stays(const places *p, ir_ref x, ir_ref y) {
    ir_graph *g = p->g;
    ir_ref number = numbers(p, y);
    if (!number) return 0;
    ir_ref none = ir_cast(g, ir_const_like(g, x, 0), BZ_I64);
    ir_ref last = put(p, IR_BY_LAST, none, number);
    return ir_build2(g, IR_EQ, take(p, last), number);
}

static ir_ref where(ir_graph *g, ir_ref cond, ir_ref x, ir_ref y) {
    return ir_build3(g, IR_SELECT, cond, x, y);
}

/* x times all that is put there. The share of a zero is made with 1 in its place, the others' by division (as PyTorch). */
static ir_ref of_products(const places *p, ir_ref r, unsigned k, ir_ref d) {
    ir_graph *g = p->g;
    const ir_ref x = ir_operand(g, r, 0), y = ir_operand(g, r, 2);
    ir_ref zero = ir_const_like(g, x, 0), one = ir_const_f(g, ir_dtype(g, x), 1);
    if (k == 0) {
        ir_ref ones = where(g, ir_build2(g, IR_EQ, x, zero), one, x);
        ir_ref others = ir_build2(g, IR_DIV, put(p, IR_BY_PROD, ones, y), ones);
        return ir_build2(g, IR_MUL, d, others);
    }
    ir_ref is_zero = ir_build2(g, IR_EQ, y, ir_const_f(g, ir_dtype(g, y), 0));
    ir_ref count = put(p, IR_BY_SUM, zero, ir_cast(g, is_zero, ir_dtype(g, x)));
    ir_ref alone = ir_build2(g, IR_EQ, take(p, count), one);
    alone = ir_build2(g, IR_AND, is_zero, alone);
    ir_ref rest = put(p, IR_BY_PROD, x, where(g, alone, one, y));
    ir_ref of_zero = take(p, ir_build2(g, IR_MUL, d, rest));
    ir_ref of_others = take(p, ir_build2(g, IR_MUL, d, r));
    of_others = ir_build2(g, IR_DIV, of_others, where(g, is_zero, one, y));
    return where(g, alone, of_zero, of_others);
}

/* All that are as large as the result share its gradient evenly. */
static ir_ref of_best(const places *p, ir_ref r, unsigned k, ir_ref d) {
    ir_graph *g = p->g;
    const ir_ref x = ir_operand(g, r, 0), y = ir_operand(g, r, 2);
    const bz_dtype t = ir_dtype(g, x);
    ir_ref x_is = ir_build2(g, IR_EQ, x, r), y_is = ir_build2(g, IR_EQ, y, take(p, r));
    ir_ref count = put(p, IR_BY_SUM, ir_cast(g, x_is, t), ir_cast(g, y_is, t));
    ir_ref each = ir_build2(g, IR_DIV, d, count), zero = ir_const_f(g, t, 0);
    return k == 0 ? where(g, x_is, each, zero) : where(g, y_is, take(p, each), zero);
}

ir_ref grad_scatter(ir_graph *g, ir_ref r, unsigned k, const ir_ref *ds) {
    const int64_t *a = ir_attrs(g, ir_at(g, r));
    const places p = {g, ir_operand(g, r, 1), (int)a[1], a[2] != 0};
    const ir_ref x = ir_operand(g, r, 0), y = ir_operand(g, r, 2), d = *ds;
    switch ((ir_way)a[0]) {
    case IR_BY_SUM: return k == 0 ? d : take(&p, d);
    case IR_BY_PROD: return of_products(&p, r, k, d);
    case IR_BY_MAX:
    case IR_BY_MIN: return of_best(&p, r, k, d);
    default: break;
    }
    if (k == 0) return put(&p, IR_BY_LAST, d, ir_const_like(g, y, 0));
    ir_ref is = stays(&p, x, y);
    return is ? where(g, is, take(&p, d), ir_const_f(g, ir_dtype(g, y), 0)) : grad_no_rule(g, r);
}

/* d of the sorted values, put back to where they came from. */
ir_ref grad_sort(ir_graph *g, ir_ref sort, unsigned k, const ir_ref *ds) {
    const int axis = (int)ir_attrs(g, ir_at(g, sort))[0];
    ir_ref zeros = ir_const_like(g, ir_operand(g, sort, k), 0);
    return ir_scatter(g, IR_BY_SUM, zeros, ir_result(g, sort, 1), *ds, axis, true);
}

/* d of what was chosen, put back to where it came from; nothing to the others. */
ir_ref grad_topk(ir_graph *g, ir_ref top, unsigned k, const ir_ref *ds) {
    const int axis = (int)ir_attrs(g, ir_at(g, top))[1];
    ir_ref zeros = ir_const_like(g, ir_operand(g, top, k), 0);
    return ir_scatter(g, IR_BY_SUM, zeros, ir_result(g, top, 1), *ds, axis, true);
}

ir_ref grad_kthvalue(ir_graph *g, ir_ref top, unsigned k, const ir_ref *ds) {
    const int axis = (int)ir_attrs(g, ir_at(g, top))[1];
    ir_ref zeros = ir_const_like(g, ir_operand(g, top, k), 0);
    ir_ref at = ir_unsqueeze(g, ir_result(g, top, 1), axis), d = ir_unsqueeze(g, *ds, axis);
    return ir_scatter(g, IR_BY_SUM, zeros, at, d, axis, true);
}
