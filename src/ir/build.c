/* build.c - what the constructors of structural ops (structs/) check and fold alike. */
#include "src/ir/build.h"

#include <inttypes.h>
#include <string.h>

/* ---- checks */

bool ir_const_dims(ir_graph *g, const int64_t *shape, unsigned rank, ir_dim *out) {
    for (unsigned i = 0; i < rank; i++)
        if (!(out[i] = ir_dim_const(g, shape[i]))) return false;
    return true;
}

bool ir_need_static(ir_graph *g, ir_op op, ir_ref x, int64_t *shape) {
    if (ir_static_shape(g, x, shape)) return true;
    ir_error(g, BZ_EUNSUPPORTED, op, "needs a constant shape, got %s", ir_shape_text(g, x));
    return false;
}

bool ir_check_size(ir_graph *g, ir_op op, const ir_dim *dims, unsigned rank) {
    int64_t n = 1, v;
    for (unsigned i = 0; i < rank; i++) {
        if (!dims[i]) return ir_error(g, BZ_ESHAPE, op, "a dimension is too large"), false;
        if (!ir_dim_value(g, dims[i], &v)) continue;
        if (v < 0)
            return ir_error(g, BZ_ESHAPE, op, "dimension %u is negative (%" PRId64 ")", i, v),
                   false;
        if (v && (__builtin_mul_overflow(n, v, &n) || n > INT64_C(1) << 60))
            return ir_error(g, BZ_ESHAPE, op, "the shape has more than 2^60 elements"), false;
    }
    return true;
}

bool ir_check_rank(ir_graph *g, ir_op op, unsigned rank) {
    if (rank <= IR_MAX_RANK) return true;
    ir_error(g, BZ_ESHAPE, op, "%u dimensions; at most %d are possible", rank, IR_MAX_RANK);
    return false;
}

int ir_axis_from_front(int axis, unsigned rank) {
    int n = rank ? (int)rank : 1;
    return axis < -n || axis >= n ? -1 : axis < 0 ? axis + n : axis;
}

int ir_front_axis(ir_graph *g, ir_op op, ir_ref x, int axis, unsigned rank) {
    int a = ir_axis_from_front(axis, rank);
    if (a >= 0) return a;
    ir_error(g, BZ_EAXIS, op, "axis %d is out of range for %s", axis, ir_shape_text(g, x));
    return -1;
}

/* ---- movement */

bool ir_skips(const ir_graph *g, ir_ref x, ir_op op) {
    const ir_node *n = ir_at(g, x);
    return n->op == op && !(n->flags & IR_IS_OWN);
}

ir_ref ir_moved_const(ir_graph *g, ir_ref x, const ir_dim *dims, unsigned rank) {
    ir_bits v;
    return ir_const_value(g, x, &v) ? ir_const_bits(g, ir_dtype(g, x), v, dims, rank) : 0;
}

bool ir_same_dims(const ir_graph *g, ir_ref x, const ir_dim *dims, unsigned rank) {
    return ir_at(g, x)->rank == rank &&
           (rank == 0 || !memcmp(dims_of(g, x), dims, rank * sizeof *dims));
}

ir_dim ir_numel_expr(ir_graph *g, const ir_dim *dims, unsigned rank) {
    ir_dim n = ir_dim_const(g, 1);
    for (unsigned i = 0; i < rank; i++) n = ir_ex_mul(&g->m->ex, n, dims[i]);
    return n;
}
