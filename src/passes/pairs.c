/* pairs.c - complex values become real ones with a last axis of two elements, as they lie in memory; parts of them are read and made apart.
 *
 *     input z: c64[n]             input z: f32[n,2]
 *     real z                      slice z [n,1], reshape [n]              what nobody reads of z is not there
 *     complex re, im              concat re [n,1], im [n,1]               where it is an output or updated
 *     update z, y                 update z [n,2], y [m,2]                 a window of two elements more
 *
 * needs: any graph, before canon: rules of complex numbers would not be rules. gives: no complex dtype. A graph without one stays as it is. */
#include "src/ir/complex.h"
#include "src/passes/pass.h"

#include <string.h>

typedef struct pairs {
    const ir_graph *old;
    ir_graph *g;
    ir_map map;      /* of real nodes; of complex ones their joined form, made when it is asked for */
    ir_pair *of;     /* parts of complex nodes, made when they are asked for */
    const bool *live;
} pairs;

static bool any_complex(const ir_graph *g) {
    for (ir_ref r = 1; r < g->n.n; r++)
        if (ir_is_complex(ir_dtype(g, r))) return true;
    return false;
}

static bool is_complex(const pairs *p, ir_ref r) {
    return ir_is_complex(ir_dtype(p->old, r));
}

/* ---- the two forms of a value */

/* x: [..., 2] -> [...]: part k. */
static ir_ref part_of_joined(ir_graph *g, ir_ref x, unsigned k) {
    int64_t shape[IR_MAX_RANK], start[IR_MAX_RANK] = {0}, step[IR_MAX_RANK];
    ir_dim dims[IR_MAX_RANK];
    if (!x) return 0;
    const unsigned rank = ir_at(g, x)->rank - 1u;
    memcpy(dims, ir_dims(g, ir_at(g, x)), rank * sizeof *dims);
    if (!ir_static_shape(g, x, shape))
        return ir_error(g, BZ_EUNSUPPORTED, IR_COMPLEX, "needs a constant shape, got %s", ir_shape_text(g, x));
    for (unsigned i = 0; i <= rank; i++) step[i] = 1;
    start[rank] = k;
    shape[rank] = 1;
    return ir_reshape_dims(g, ir_slice_exact(g, x, start, shape, step), dims, rank);
}

static ir_ref part(pairs *p, ir_ref r, unsigned k) {
    ir_ref *at = k ? &p->of[r].im : &p->of[r].re;
    if (!*at) *at = part_of_joined(p->g, p->map.to[r], k);
    return *at;
}

/* [...] -> [..., 1] */
static ir_ref with_axis(ir_graph *g, ir_ref x) {
    ir_dim dims[IR_MAX_RANK];
    if (!x) return 0;
    const unsigned rank = ir_at(g, x)->rank;
    memcpy(dims, ir_dims(g, ir_at(g, x)), rank * sizeof *dims);
    dims[rank] = ir_dim_const(g, 1);
    return ir_reshape_dims(g, x, dims, rank + 1);
}

static ir_ref joined(pairs *p, ir_ref r) {
    if (p->map.to[r]) return p->map.to[r];
    const ir_ref re = with_axis(p->g, p->of[r].re), im = with_axis(p->g, p->of[r].im);
    return p->map.to[r] = re ? ir_concat(p->g, (ir_ref[]){re, im}, 2, (int)ir_at(p->g, re)->rank - 1) : 0;
}

/* ---- nodes */

/* The new graph's input for a complex one has the last axis. Nothing reads it yet. */
static void widen_input(ir_graph *g, ir_ref r) {
    ir_node *n = &g->n.p[r];
    ir_dim dims[IR_MAX_RANK];
    const unsigned rank = n->rank;
    if (rank >= IR_MAX_RANK) {
        ir_error(g, BZ_ESHAPE, IR_INPUT, "%u dimensions; at most %d are possible", rank, IR_MAX_RANK - 1);
        return;
    }
    memcpy(dims, ir_dims(g, n), rank * sizeof *dims);
    dims[rank] = ir_dim_const(g, 2);
    if (!bz_vec_reserve(&g->dims, rank + 1)) {
        ir_error(g, BZ_ENOMEM, IR_INPUT, "out of memory");
        return;
    }
    n->dtype = (uint8_t)ir_part_dtype((bz_dtype)n->dtype);
    n->shape = g->dims.n;
    n->rank = (uint8_t)(rank + 1);
    for (unsigned i = 0; i <= rank; i++) g->dims.p[g->dims.n++] = dims[i];
}

/* The window counts in parts. */
static ir_ref update(pairs *p, ir_ref r) {
    ir_graph *g = p->g;
    int64_t shape[IR_MAX_RANK], strides[IR_MAX_RANK];
    ir_strided w = ir_window_of(p->old, r, shape, strides);
    const ir_ref x = joined(p, ir_operand(p->old, r, 0)), y = joined(p, ir_operand(p->old, r, 1)),
                 moves = ir_window_at(p->old, r);
    ir_ref at = moves ? p->map.to[moves] : 0;
    if (at) at = ir_build2(g, IR_MUL, at, ir_const_i(g, BZ_I64, 2));
    for (unsigned i = 0; i < w.rank; i++) strides[i] *= 2;
    shape[w.rank] = 2;
    strides[w.rank++] = 1;
    w.offset *= 2;
    return ir_update(g, x, y, &w, at);
}

/* Node r hands the value of x on. */
static void pass_on(pairs *p, ir_ref r, ir_ref x) {
    p->map.to[r] = p->map.to[x];
    p->of[r] = p->of[x];
}

static void complex_node(pairs *p, ir_ref r) {
    const ir_node *n = ir_at(p->old, r);
    const ir_ref *in = ir_in(p->old, n);
    switch (n->op) {
    case IR_INPUT: break;
    case IR_COMPLEX: p->of[r] = (ir_pair){p->map.to[in[0]], p->map.to[in[1]]}; break;
    case IR_UPDATE: p->map.to[r] = update(p, r); break;
    case IR_RESHAPE: pass_on(p, r, in[0]); break; /* a tensor's own node, of the same shape */
    default: ir_error(p->g, BZ_EMODE, (ir_op)n->op, "%s", n->op == IR_STAND_IN ? IR_STAND_IN_USED : "not for complex numbers");
    }
}

static void node(pairs *p, ir_ref r) {
    const ir_node *n = ir_at(p->old, r);
    const ir_ref x = n->nin ? ir_operand(p->old, r, 0) : 0;
    p->g->site = p->old->sites.p[r];
    if (n->op == IR_CUSTOM_GRAD) return;
    if (n->op == IR_RESULT && ir_at(p->old, x)->op == IR_CUSTOM_GRAD)
        pass_on(p, r, ir_custom_get(p->old, x).f[ir_attrs(p->old, n)[0]]);
    else if (is_complex(p, r))
        complex_node(p, r);
    else if (n->op == IR_REAL || n->op == IR_IMAG)
        p->map.to[r] = part(p, x, n->op == IR_IMAG);
    else if (!p->map.to[r])
        p->map.to[r] = ir_rebuild_node(p->g, p->old, &p->map, r);
}

static ir_graph *make(pairs *p, bz_error *e) {
    const ir_graph *old = p->old;
    ir_graph *g = p->g;
    for (uint32_t i = 0; i < old->inputs.n; i++)
        if (is_complex(p, old->inputs.p[i].node)) widen_input(g, g->inputs.p[i].node);
    for (ir_ref r = 1; r < old->n.n && !g->err.status; r++)
        if (p->live[r]) node(p, r);
    for (uint32_t i = 0; i < old->outputs.n && !g->err.status; i++)
        if (is_complex(p, old->outputs.p[i].node)) joined(p, old->outputs.p[i].node);
    return ir_rebuild_end(g, old, &p->map, e);
}

ir_graph *pass_pairs(const ir_graph *old, const pass_target *t, bz_error *e) {
    (void)t;
    if (!any_complex(old)) return (ir_graph *)old;
    pairs p = {.old = old};
    bool *live = ir_live_values(old);
    p.live = live;
    p.of = bz_mem_zero(old->n.n, sizeof *p.of);
    p.g = live && p.of ? ir_rebuild_begin(old, &p.map) : NULL;
    ir_graph *made = p.g ? make(&p, e) : (bz_fail(e, BZ_ENOMEM, "out of memory in pass pairs"), NULL);
    bz_mem_free(live);
    bz_mem_free(p.of);
    return made;
}
