/* views.c - inputs of compiled functions that are not row-major, read where they lie: index maps of the kernels, no copies.
 *
 *      recorded:   x [n, m]                                            with views:  memory [lowest .. highest element of x]
 *                  |                                                                --window, strides--> [n, m]
 *                  fn                                                               |
 *                                                                                   fn
 *
 * The memory's place is an argument of each call, so one program serves every window of these strides. */
#include "runtime/record/compiled.h"

#include <stdlib.h>
#include <string.h>

/* Views of fewer bytes are copied: that costs less than to compile for them. */
enum { SMALL = 1 << 15 };

const rt_layout *rt_view_of(const rt_tensor *x) {
    const rt_layout *l = x->layout;
    return l->contiguous || rt_layout_bytes(l, (bz_dtype)x->st->dtype) < SMALL ? NULL : l;
}

/* Does the innermost axis step further than another one? */
static bool is_turned(const rt_layout *l) {
    unsigned in = l->rank;
    bool turned = false;
    while (in > 0 && l->shape[in - 1] == 1) in--;
    for (unsigned i = 0; i + 1 < in; i++)
        turned |=
            l->shape[i] > 1 && l->strides[i] && llabs(l->strides[i]) < llabs(l->strides[in - 1]);
    return turned;
}

/* Does something fold x, or what is computed of it element by element? Folding across memory costs more than a copy that turns it. */
static bool is_folded(const ir_graph *g, ir_ref x, uint8_t *of) {
    bool folded = false;
    memset(of, 0, g->n.n);
    of[x] = true;
    for (ir_ref r = x + 1; r < g->n.n && !folded; r++) {
        const ir_node *n = ir_at(g, r);
        for (unsigned k = 0; k < n->nin; k++) of[r] |= of[ir_in(g, n)[k]];
        folded = of[r] && n->op == IR_REDUCE;
        of[r] &= ir_op_is_elementwise(n->op) || ir_op_is_movement(n->op);
    }
    return folded;
}

static bool choose(rt_signature *t, unsigned nin, const ir_graph *g) {
    uint8_t *marks = bz_mem_alloc(g->n.n);
    for (unsigned i = 0; i < nin && marks; i++) {
        const rt_layout *l = t->views[i];
        if (l && !(is_turned(l) && is_folded(g, g->inputs.p[i].node, marks))) t->reads[i] = l;
    }
    bz_mem_free(marks);
    return marks != NULL;
}

/* Input r of g becomes one row of all that the view reaches; the window on it. */
static ir_ref read_by_window(bz_context *c, ir_graph *g, ir_ref r, const rt_layout *view) {
    int64_t lo, hi;
    if (!rt_layout_reach(view, &lo, &hi)) return 0;
    ir_dim span = ir_ex_const(&c->m->ex, hi - lo + 1);
    if (!span || !bz_vec_push(&g->dims, span)) return 0;
    g->n.p[r].rank = 1;
    g->n.p[r].shape = g->dims.n - 1;
    return rt_window(g, r, view, -lo);
}

ir_graph *rt_graph_of_views(bz_context *c, rt_signature *t, unsigned nin, const ir_graph *old,
                            bz_error *e) {
    ir_map map;
    ir_graph *g = choose(t, nin, old) ? ir_rebuild_begin(old, &map) : NULL;
    if (!g) return bz_fail(e, BZ_ENOMEM, "out of memory"), NULL;
    for (unsigned i = 0; i < nin; i++) {
        ir_ref r = old->inputs.p[i].node;
        if (t->reads[i] && !(map.to[r] = read_by_window(c, g, map.to[r], t->reads[i])))
            bz_fail(&g->err, BZ_ENOMEM, "out of memory");
    }
    for (ir_ref r = 1; r < old->n.n && !g->err.status; r++)
        if (!map.to[r]) map.to[r] = ir_rebuild_node(g, old, &map, r);
    return ir_rebuild_end(g, old, &map, e);
}
