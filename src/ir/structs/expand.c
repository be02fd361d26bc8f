/* expand.c - axes of one element repeated: NumPy's broadcasting. */
#include "src/ir/structs.h"

#include <string.h>

ir_ref ir_expand_dims_like(ir_graph *g, ir_ref x, const ir_dim *want, unsigned rank) {
    ir_dim dims[IR_MAX_RANK], mid[IR_MAX_RANK], one = ir_dim_const(g, 1);
    if (!x || !ir_check_rank(g, IR_EXPAND, rank)) return 0;
    memcpy(dims, want, rank * sizeof *dims);
    unsigned own = ir_at(g, x)->rank;
    if (own > rank)
        return ir_error(g, BZ_ESHAPE, IR_EXPAND, "%s has %u axes, more than the %u to fill",
                        ir_shape_text(g, x), own, rank);
    for (unsigned i = 0; i < rank; i++) {
        mid[i] = i < rank - own ? one : dims_of(g, x)[i - (rank - own)];
        if (mid[i] != dims[i] && mid[i] != one) {
            bz_text t = {0};
            ir_ex_print(&t, &g->m->ex, dims[i]);
            ir_error(g, BZ_ESHAPE, IR_EXPAND, "%s does not broadcast to size %s at axis %u",
                     ir_shape_text(g, x), bz_text_c(&t), i);
            bz_text_free(&t);
            return 0;
        }
    }
    if (!ir_check_size(g, IR_EXPAND, dims, rank)) return 0;
    ir_ref c = ir_moved_const(g, x, dims, rank);
    if (c) return c;
    if (own != rank && !(x = ir_reshape_dims(g, x, mid, rank))) return 0;
    if (ir_same_dims(g, x, dims, rank)) return x;
    if (ir_skips(g, x, IR_EXPAND)) x = ir_operand(g, x, 0);
    return ir_append(g, IR_EXPAND, ir_dtype(g, x), dims, rank, &x, 1, NULL, 0);
}

ir_ref ir_expand(ir_graph *g, ir_ref x, const int64_t *shape, unsigned rank) {
    ir_dim dims[IR_MAX_RANK];
    if (!x || !ir_check_rank(g, IR_EXPAND, rank)) return 0;
    unsigned own = ir_at(g, x)->rank;
    for (unsigned i = 0; i < rank; i++) {
        bool keep = shape[i] == -1 && i + own >= rank;
        dims[i] = keep ? dims_of(g, x)[i + own - rank] : ir_dim_const(g, shape[i]);
    }
    return ir_check_size(g, IR_EXPAND, dims, rank) ? ir_expand_dims_like(g, x, dims, rank) : 0;
}

bool ck_expand(const ck *c) {
    const ir_node *x = ck_in(c, 0);
    if (!ck_attrs(c, 0) || !ck_dtype(c, (bz_dtype)x->dtype) || !ck_rank(c, x->rank)) return false;
    for (unsigned a = 0; a < x->rank; a++) {
        int64_t v;
        if ((!ck_known(c, x, a, &v) || v != 1) && !ck_size(c, a, ck_dim(c, x, a))) return false;
    }
    return true;
}

bool it_expand(it_state *s, ir_ref r) {
    const it_array *x = it_operand(s, r, 0);
    int64_t strides[IR_MAX_RANK];
    it_strides(x, strides);
    for (unsigned i = 0; i < x->rank; i++) strides[i] = x->shape[i] == 1 ? 0 : strides[i];
    return it_pick(s, r, strides, 0);
}
