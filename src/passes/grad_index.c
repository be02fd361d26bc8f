/* grad_index.c - gradients of what reads and writes by index. */
#include "src/passes/grad.h"

#include <string.h>

/* Rows add up where they were taken from: a row that is NaN reaches its own place alone. */
ir_ref grad_gather(ir_graph *g, ir_ref r, unsigned k, const ir_ref *ds) {
    ir_ref x = ir_operand(g, r, k), d = *ds;
    int axis = (int)ir_attrs(g, ir_at(g, r))[0];
    int64_t elements = 1;
    if (ir_numel(g, x, &elements) && elements == 0) return ir_const_like(g, x, 0);
    return ir_scatter_add(g, d, ir_operand(g, r, 1), axis, ir_dims(g, ir_at(g, x))[axis]);
}

ir_ref grad_scatter_add(ir_graph *g, ir_ref r, unsigned k, const ir_ref *d) {
    (void)k;
    return ir_gather(g, *d, ir_operand(g, r, 1), (int)ir_attrs(g, ir_at(g, r))[0]);
}

/* Where each element of a sorted tensor stood, as its row-major number. */
static ir_ref sorted_from(ir_graph *g, ir_ref sort, const int64_t *shape) {
    unsigned rank = ir_at(g, sort)->rank, axis = (unsigned)ir_attrs(g, ir_at(g, sort))[0];
    ir_dim dims[IR_MAX_RANK];
    int64_t stride = 1;
    ir_ref at = 0;
    memcpy(dims, ir_dims(g, ir_at(g, sort)), rank * sizeof *dims);
    for (unsigned a = rank; a-- > 0; stride *= shape[a]) {
        ir_ref k = a == axis ? ir_result(g, sort, 1) : ir_iota(g, BZ_I64, dims, rank, (int)a);
        k = ir_build2(g, IR_MUL, k, ir_const_i(g, BZ_I64, stride));
        at = at ? ir_build2(g, IR_ADD, at, k) : k;
    }
    return at;
}

/* d of the sorted values, put back to where they came from. */
ir_ref grad_sort(ir_graph *g, ir_ref sort, unsigned k, const ir_ref *ds) {
    ir_ref d = *ds, x = ir_operand(g, sort, k);
    int64_t shape[IR_MAX_RANK], all = -1, count;
    if (!ir_static_shape(g, x, shape) || !ir_numel(g, x, &count)) return grad_no_rule(g, sort);
    if (count == 0) return d;
    ir_ref at = ir_reshape(g, sorted_from(g, sort, shape), &all, 1);
    d = ir_scatter_add(g, ir_reshape(g, d, &all, 1), at, 0, ir_dim_const(g, count));
    return grad_like_shape(g, d, x);
}
