/* reshape.c - the same elements under another shape. */
#include "src/ir/structs.h"

#include <inttypes.h>
#include <string.h>

ir_ref ir_reshape_dims(ir_graph *g, ir_ref x, const ir_dim *want, unsigned rank) {
    ir_dim dims[IR_MAX_RANK], own[IR_MAX_RANK];
    if (!x || !ir_check_rank(g, IR_RESHAPE, rank)) return 0;
    memcpy(dims, want, rank * sizeof *dims);
    if (!ir_check_size(g, IR_RESHAPE, dims, rank)) return 0;
    unsigned from = ir_at(g, x)->rank;
    memcpy(own, dims_of(g, x), from * sizeof *own);
    if (ir_numel_expr(g, own, from) != ir_numel_expr(g, dims, rank)) {
        bz_text t = {0};
        for (unsigned i = 0; i < rank; i++) {
            bz_text_str(&t, i ? "," : "");
            ir_ex_print(&t, &g->m->ex, dims[i]);
        }
        ir_error(g, BZ_ESHAPE, IR_RESHAPE, "%s does not have as many elements as [%s]",
                 ir_shape_text(g, x), bz_text_c(&t));
        bz_text_free(&t);
        return 0;
    }
    if (ir_skips(g, x, IR_RESHAPE)) x = ir_operand(g, x, 0);
    if (ir_same_dims(g, x, dims, rank)) return x;
    ir_ref c = ir_moved_const(g, x, dims, rank);
    return c ? c : ir_append(g, IR_RESHAPE, ir_dtype(g, x), dims, rank, &x, 1, NULL, 0);
}

ir_ref ir_reshape(ir_graph *g, ir_ref x, const int64_t *shape, unsigned rank) {
    ir_dim dims[IR_MAX_RANK];
    int hole = -1;
    if (!x || !ir_check_rank(g, IR_RESHAPE, rank)) return 0;
    for (unsigned i = 0; i < rank; i++) {
        if (shape[i] == -1 && hole >= 0)
            return ir_error(g, BZ_ESHAPE, IR_RESHAPE, "only one dimension can be -1");
        if (shape[i] < -1)
            return ir_error(g, BZ_ESHAPE, IR_RESHAPE, "dimension %u is negative (%" PRId64 ")", i,
                            shape[i]);
        hole = shape[i] == -1 ? (int)i : hole;
        if (!(dims[i] = ir_dim_const(g, shape[i] == -1 ? 1 : shape[i])))
            return ir_error(g, BZ_ESHAPE, IR_RESHAPE, "dimension %u is too large", i);
    }
    if (hole >= 0) {
        ir_dim own[IR_MAX_RANK];
        unsigned from = ir_at(g, x)->rank;
        memcpy(own, dims_of(g, x), from * sizeof *own);
        ir_dim all = ir_numel_expr(g, own, from), rest = ir_numel_expr(g, dims, rank);
        int64_t r, a;
        if (ir_dim_value(g, rest, &r) && (r == 0 || (ir_dim_value(g, all, &a) && a % r)))
            return ir_error(g, BZ_ESHAPE, IR_RESHAPE, "%s cannot fill the dimension that is -1",
                            ir_shape_text(g, x));
        dims[hole] = ir_ex_div(&g->m->ex, all, rest);
    }
    return ir_reshape_dims(g, x, dims, rank);
}

bool ck_reshape(const ck *c) {
    const ir_node *x = ck_in(c, 0);
    ir_exprs *ex = &c->g->m->ex;
    ir_ex before = ir_ex_const(ex, 1), after = before;
    for (unsigned a = 0; a < x->rank; a++) before = ir_ex_mul(ex, before, ck_dim(c, x, a));
    for (unsigned a = 0; a < c->n->rank; a++) after = ir_ex_mul(ex, after, ck_dim(c, c->n, a));
    return ck_attrs(c, 0) && ck_dtype(c, (bz_dtype)x->dtype) &&
           (before == after || ck_wrong(c, BZ_ESHAPE, "the number of elements changes"));
}

bool it_reshape(it_state *s, ir_ref r) {
    const it_array *out = &s->slot[r].a;
    memcpy(out->data, it_operand(s, r, 0)->data,
           (size_t)it_numel(out) * ir_dtype_bytes(out->dtype));
    return true;
}
