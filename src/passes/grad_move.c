/* grad_move.c - gradients of movement: where elements came from. */
#include "src/passes/grad.h"

#include <string.h>

ir_ref grad_like_shape(ir_graph *g, ir_ref d, ir_ref x) {
    ir_dim dims[IR_MAX_RANK];
    unsigned rank = ir_at(g, x)->rank;
    memcpy(dims, ir_dims(g, ir_at(g, x)), rank * sizeof *dims);
    return ir_reshape_dims(g, d, dims, rank);
}

ir_ref grad_expand_like(ir_graph *g, ir_ref d, ir_ref x) {
    ir_dim dims[IR_MAX_RANK];
    unsigned rank = ir_at(g, x)->rank;
    memcpy(dims, ir_dims(g, ir_at(g, x)), rank * sizeof *dims);
    return ir_expand_dims_like(g, d, dims, rank);
}

ir_ref grad_reshape(ir_graph *g, ir_ref r, unsigned k, const ir_ref *d) {
    return grad_like_shape(g, *d, ir_operand(g, r, k));
}

ir_ref grad_copy(ir_graph *g, ir_ref r, unsigned k, const ir_ref *d) {
    (void)g, (void)r, (void)k;
    return *d;
}

ir_ref grad_expand(ir_graph *g, ir_ref r, unsigned k, const ir_ref *ds) {
    ir_ref x = ir_operand(g, r, k), d = *ds;
    int axes[IR_MAX_RANK];
    unsigned n = 0;
    const ir_dim *to = ir_dims(g, ir_at(g, r)), *from = ir_dims(g, ir_at(g, x));
    for (unsigned i = 0; i < ir_at(g, x)->rank; i++)
        if (to[i] != from[i]) axes[n++] = (int)i;
    return n ? ir_reduce(g, IR_SUM, d, axes, n, true) : d;
}

ir_ref grad_permute(ir_graph *g, ir_ref r, unsigned k, const ir_ref *ds) {
    ir_ref d = *ds;
    (void)k;
    int inverse[IR_MAX_RANK];
    const ir_node *n = ir_at(g, r);
    for (unsigned i = 0; i < n->rank; i++) inverse[ir_attrs(g, n)[i]] = (int)i;
    return ir_permute(g, d, inverse, n->rank);
}

ir_ref grad_pad(ir_graph *g, ir_ref r, unsigned k, const ir_ref *ds) {
    ir_ref x = ir_operand(g, r, k), d = *ds;
    int64_t start[IR_MAX_RANK], step[IR_MAX_RANK], shape[IR_MAX_RANK];
    const ir_node *n = ir_at(g, r);
    for (unsigned i = 0; i < n->rank; i++) {
        start[i] = ir_attrs(g, n)[1 + 2 * i];
        step[i] = 1;
    }
    return ir_static_shape(g, x, shape) ? ir_slice_exact(g, d, start, shape, step)
                                        : grad_no_rule(g, r);
}

/* Zeros between the elements along one axis: n elements become n * by - (by - 1). */
static ir_ref spread(ir_graph *g, ir_ref d, unsigned axis, int64_t by) {
    int64_t shape[IR_MAX_RANK + 1], lo[IR_MAX_RANK + 1] = {0}, hi[IR_MAX_RANK + 1] = {0},
                                                     flat[IR_MAX_RANK], from[IR_MAX_RANK] = {0},
                                                     one[IR_MAX_RANK];
    unsigned rank = ir_at(g, d)->rank;
    ir_static_shape(g, d, flat);
    if (flat[axis] == 0) return d;
    for (unsigned i = 0, k = 0; i < rank; i++) {
        one[i] = 1;
        shape[k++] = flat[i];
        if (i == axis) shape[k++] = 1;
    }
    hi[axis + 1] = by - 1;
    d = ir_pad(g, ir_reshape(g, d, shape, rank + 1), lo, hi, 0);
    flat[axis] *= by;
    d = ir_reshape(g, d, flat, rank);
    flat[axis] -= by - 1;
    return ir_slice_exact(g, d, from, flat, one);
}

ir_ref grad_slice(ir_graph *g, ir_ref r, unsigned k, const ir_ref *ds) {
    ir_ref x = ir_operand(g, r, k), d = *ds;
    int64_t shape[IR_MAX_RANK], count[IR_MAX_RANK], lo[IR_MAX_RANK], hi[IR_MAX_RANK],
        attr[2 * IR_MAX_RANK];
    unsigned rank = ir_at(g, r)->rank;
    memcpy(attr, ir_attrs(g, ir_at(g, r)), 2 * rank * sizeof *attr);
    if (!ir_static_shape(g, x, shape) || !ir_static_shape(g, r, count) || rank == IR_MAX_RANK)
        return grad_no_rule(g, r);
    for (unsigned i = 0; i < rank; i++) {
        int64_t start = attr[2 * i],
                step = count[i] > 1 ? attr[2 * i + 1] : 1; /* else any number */
        int64_t size = step < 0 ? -step : step;
        int axis = (int)i;
        if (step < 0) {
            d = ir_flip(g, d, &axis, 1);
            start += (count[i] - 1) * step;
        }
        if (d && size > 1) d = spread(g, d, i, size);
        int64_t span = count[i] ? (count[i] - 1) * size + 1 : 0;
        lo[i] = count[i] ? start : 0;
        hi[i] = shape[i] - lo[i] - span;
    }
    return ir_pad(g, d, lo, hi, 0);
}

ir_ref grad_as_strided(ir_graph *g, ir_ref r, unsigned k, const ir_ref *ds) {
    ir_ref x = ir_operand(g, r, k), d = *ds;
    int64_t shape[IR_MAX_RANK], strides[IR_MAX_RANK], numel, count;
    const ir_node *n = ir_at(g, r);
    if (ir_window_at(g, r)) {
        ir_strided w = ir_window_of(g, r, shape, strides);
        if (ir_window_overlaps(&w)) return grad_no_rule(g, r);
        return ir_update(g, ir_const_like(g, x, 0), d, &w, ir_window_at(g, r));
    }
    if (!ir_static_shape(g, r, shape) || !ir_numel(g, x, &numel) || !ir_numel(g, r, &count))
        return grad_no_rule(g, r);
    if (count == 0) return ir_const_like(g, x, 0);
    memcpy(strides, ir_attrs(g, n) + 1, n->rank * sizeof *strides);
    for (unsigned i = 0; i < n->rank; i++) strides[i] = shape[i] > 1 ? strides[i] : 0; /* or any */
    ir_strided w = {n->rank, shape, strides, ir_attrs(g, n)[0]};
    return grad_like_shape(g, ir_put_strided(g, d, &w, numel), x);
}

/* What was overwritten has no part in the result; what was put there has that of the window. */
ir_ref grad_update(ir_graph *g, ir_ref r, unsigned k, const ir_ref *ds) {
    ir_ref d = *ds;
    int64_t shape[IR_MAX_RANK], strides[IR_MAX_RANK];
    ir_strided w = ir_window_of(g, r, shape, strides);
    ir_ref at = ir_window_at(g, r);
    if (k == 1) return ir_as_strided_at(g, d, &w, at);
    return ir_update(g, d, ir_const_like(g, ir_operand(g, r, 1), 0), &w, at);
}

ir_ref grad_concat(ir_graph *g, ir_ref r, unsigned k, const ir_ref *ds) {
    ir_ref d = *ds;
    int64_t start[IR_MAX_RANK] = {0}, step[IR_MAX_RANK], shape[IR_MAX_RANK], size;
    unsigned rank = ir_at(g, r)->rank, axis = (unsigned)ir_attrs(g, ir_at(g, r))[0];
    for (unsigned i = 0; i < rank; i++) step[i] = 1;
    for (unsigned i = 0; i < k; i++) {
        if (!ir_dim_value(g, ir_dims(g, ir_at(g, ir_operand(g, r, i)))[axis], &size))
            return grad_no_rule(g, r);
        start[axis] += size;
    }
    return ir_static_shape(g, ir_operand(g, r, k), shape) ? ir_slice_exact(g, d, start, shape, step)
                                                          : grad_no_rule(g, r);
}
