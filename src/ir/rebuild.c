/* rebuild.c - what every pass shares: a new graph made from an old one, node by node. */
#include "src/ir/ir.h"

ir_graph *ir_rebuild_begin(const ir_graph *old, ir_map *map) {
    ir_graph *g = ir_graph_new(old->m, old->name);
    *map = (ir_map){bz_mem_zero(old->n.n, sizeof *map->to), old->n.n};
    if (!g || !map->to) goto fail;
    for (uint32_t i = 0; i < old->inputs.n; i++) {
        const ir_input *in = &old->inputs.p[i];
        const ir_node *n = ir_at(old, in->node);
        g->site = old->sites.p[in->node];
        ir_ref r = in->scalar
                       ? ir_scalar_input(g, in->name, (bz_dtype)n->dtype)
                       : ir_input_new(g, in->name, (bz_dtype)n->dtype, ir_dims(old, n), n->rank);
        if (!r) goto fail;
        ir_input *made = &g->inputs.p[i];
        const char *name = made->name;
        *made = *in;
        made->name = name;
        made->node = r;
        map->to[in->node] = r;
    }
    return g;
fail:
    ir_graph_free(g);
    bz_mem_free(map->to);
    *map = (ir_map){0};
    return NULL;
}

ir_ref ir_rebuild_of(ir_graph *g, const ir_graph *old, const ir_ref *in, ir_ref r) {
    const ir_node *n = ir_at(old, r);
    g->site = old->sites.p[r];
    const ir_ref next = g->n.n;
    const uint8_t flags = n->flags & (uint8_t)~IR_IS_OWN, blamed = n->blamed; /* old may grow */
    ir_ref made = ir_append(g, (ir_op)n->op, (bz_dtype)n->dtype, ir_dims(old, n), n->rank, in,
                            n->nin, ir_attrs(old, n), n->nattr);
    if (made) g->n.p[made].flags = flags;
    if (made == next) g->n.p[made].blamed = blamed; /* of equal nodes the first one's stays */
    return made;
}

ir_ref ir_rebuild_node(ir_graph *g, const ir_graph *old, const ir_map *map, ir_ref r) {
    const ir_node *n = ir_at(old, r);
    ir_ref small[8] = {0}, *in = n->nin <= BZ_LEN(small) ? small : bz_mem_alloc(n->nin * sizeof *in);
    if (!in) {
        bz_fail(&g->err, BZ_ENOMEM, "out of memory while rebuilding a graph");
        return 0;
    }
    for (unsigned i = 0; i < n->nin; i++) in[i] = map->to[ir_in(old, n)[i]];
    ir_ref made = ir_rebuild_of(g, old, in, r);
    if (in != small) bz_mem_free(in);
    return made;
}

ir_graph *ir_rebuild_end(ir_graph *g, const ir_graph *old, ir_map *map, bz_error *e) {
    for (uint32_t i = 0; i < old->outputs.n && !g->err.status; i++) {
        const ir_output *o = &old->outputs.p[i];
        ir_output_add(g, o->name, map->to[o->node], o->donated);
    }
    g->site = NULL;
    bz_mem_free(map->to);
    *map = (ir_map){0};
    if (!g->err.status) return g;
    bz_fail(e, g->err.status, "%s", g->err.text);
    ir_graph_free(g);
    return NULL;
}

const ir_ref *ir_value_operands(const ir_graph *g, ir_ref r, unsigned *n) {
    const ir_node *at = ir_at(g, r);
    const ir_ref *x = ir_in(g, at);
    *n = at->nin;
    return at->op == IR_RESULT && ir_at(g, x[0])->op == IR_CUSTOM_GRAD
               ? &ir_custom_get(g, x[0]).f[ir_attrs(g, at)[0]]
               : x;
}

static bool *live_nodes(const ir_graph *g, bool values) {
    bool *live = bz_mem_zero(g->n.n, sizeof *live);
    if (!live) return NULL;
    for (uint32_t i = 0; i < g->outputs.n; i++) live[g->outputs.p[i].node] = true;
    for (ir_ref r = g->n.n; r-- > 1;) {
        unsigned n = ir_at(g, r)->nin;
        const ir_ref *x = values ? ir_value_operands(g, r, &n) : ir_in(g, ir_at(g, r));
        for (unsigned k = 0; live[r] && k < n; k++) live[x[k]] = true;
    }
    return live;
}

bool *ir_live(const ir_graph *g) {
    return live_nodes(g, false);
}

bool *ir_live_values(const ir_graph *g) {
    return live_nodes(g, true);
}

ir_graph *ir_copy_live(const ir_graph *g, bz_error *e) {
    ir_map map;
    bool *live = ir_live(g);
    ir_graph *n = live ? ir_rebuild_begin(g, &map) : NULL;
    if (!n) {
        bz_mem_free(live);
        bz_fail(e, BZ_ENOMEM, "out of memory while copying a graph");
        return NULL;
    }
    for (ir_ref r = 1; r < g->n.n && !n->err.status; r++)
        if (live[r] && !map.to[r]) map.to[r] = ir_rebuild_node(n, g, &map, r);
    bz_mem_free(live);
    return ir_rebuild_end(n, g, &map, e);
}
