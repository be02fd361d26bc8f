/* expand.c - ops that lowering does not take as one become several.
 * needs: any graph. gives: no argmax, argmin.
 *
 *     argmax x over a   ->   m = max x;  min over a of (x == m or x is NaN ? index : 2^63-1)
 *
 * With a NaN in the row m is NaN, so the first NaN is found; otherwise the first place of the maximum. */
#include "src/passes/pass.h"

#include <string.h>

static ir_ref expand_arg(ir_graph *g, ir_ref x, ir_reduce_attr a)
{
    ir_dim dims[IR_MAX_RANK];
    unsigned rank = ir_at(g, x)->rank;
    if (rank == 0)
        return ir_const_i(g, BZ_I64, 0);
    memcpy(dims, ir_dims(g, ir_at(g, x)), rank * sizeof *dims);
    int axis = (int)a.axes[0];
    ir_ref m = ir_reduce(g, a.kind == IR_ARGMAX ? IR_RMAX : IR_RMIN, x, &axis, 1, true);
    ir_ref hit = ir_build2(g, IR_EQ, x, m);
    if (ir_is_float(ir_dtype(g, x)))
        hit = ir_build2(g, IR_OR, hit, ir_build1(g, IR_ISNAN, x));
    ir_ref at = ir_iota(g, BZ_I64, dims, rank, axis);
    ir_ref none = ir_const_bits(g, BZ_I64, INT64_MAX, dims, rank);
    return ir_reduce(g, IR_RMIN, ir_build3(g, IR_SELECT, hit, at, none), &axis, 1, false);
}

ir_graph *pass_expand(const ir_graph *old, const pass_target *t, bz_error *e)
{
    ir_map map;
    (void)t;
    ir_graph *g = ir_rebuild_begin(old, &map);
    if (!g) {
        bz_fail(e, BZ_ENOMEM, "out of memory in pass expand");
        return NULL;
    }
    for (ir_ref r = 1; r < old->n.n && !g->err.status; r++) {
        const ir_node *n = ir_at(old, r);
        if (map.to[r])
            continue;
        g->site = old->sites.p[r];
        ir_reduce_attr a = n->op == IR_REDUCE ? ir_reduce_get(old, n) : (ir_reduce_attr){0};
        bool arg = n->op == IR_REDUCE && (a.kind == IR_ARGMAX || a.kind == IR_ARGMIN);
        map.to[r] = arg ? expand_arg(g, map.to[ir_in(old, n)[0]], a) : ir_rebuild_node(g, old, &map, r);
    }
    return ir_rebuild_end(g, old, &map, e);
}
