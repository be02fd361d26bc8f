/* grad_graphs.c - graphs that cond and while apply, as their gradients and tangents make new ones of them. */
#include "src/passes/grad.h"

#include <string.h>

ir_ref grad_in(const ir_graph *g, unsigned j) {
    return g->inputs.p[j].node;
}

ir_ref grad_out(const ir_graph *g, unsigned j) {
    return g->outputs.p[j].node;
}

ir_ref grad_input_like(ir_graph *g, const ir_graph *of, ir_ref r) {
    const ir_node *n = ir_at(of, r);
    return ir_input_new(g, NULL, (bz_dtype)n->dtype, ir_dims(of, n), n->rank);
}

bool grad_copy_live(ir_graph *g, const ir_graph *of, ir_map *map) {
    bool *live = ir_live(of);
    for (ir_ref r = 1; live && r < of->n.n && !g->err.status; r++)
        if (live[r] && !map->to[r]) map->to[r] = ir_rebuild_node(g, of, map, r);
    const bool ok = live && !g->err.status;
    bz_mem_free(live);
    return ok;
}

bool grad_map_new(ir_map *map, const ir_graph *of) {
    *map = (ir_map){bz_mem_zero(of->n.n, sizeof *map->to), of->n.n};
    return map->to != NULL;
}

bool grad_spread(const ir_graph *b, unsigned m, unsigned k, const bool *wants, bool *varied,
                 bool *mark) {
    bool more = false;
    memset(mark, 0, b->n.n);
    for (unsigned j = 0; j < m + k; j++) mark[grad_in(b, j)] = j < m ? varied[j] : wants[j];
    for (ir_ref r = 1; r < b->n.n; r++)
        for (unsigned i = 0; i < ir_at(b, r)->nin; i++)
            mark[r] |= mark[ir_operand(b, r, i)] && pass_grad_flows(b, r, i);
    for (unsigned j = 0; j < m; j++) {
        const bool now = mark[grad_out(b, j)] && ir_is_smooth(ir_dtype(b, grad_out(b, j)));
        more |= now && !varied[j];
        varied[j] |= now;
    }
    return more;
}

static bool has_graph(const ir_module *m, const char *name) {
    for (uint32_t i = 0; i < m->graphs.n; i++)
        if (m->graphs.p[i] && !strcmp(m->graphs.p[i]->name, name)) return true;
    return false;
}

int64_t grad_lend(ir_graph *b, const char *name, const char *suffix) {
    bz_text t = {0};
    bz_textf(&t, "%s_%s", name, suffix);
    while (!t.failed && has_graph(b->m, bz_text_c(&t))) bz_text_str(&t, "_");
    const char *own = t.failed ? NULL : bz_arena_str(&b->arena, bz_text_c(&t));
    bz_text_free(&t);
    if (!own) return -1;
    b->name = own;
    return ir_module_lend(b->m, b);
}

bool grad_fails(ir_graph *g, const ir_graph *b) {
    if (g->err.status) return false;
    if (b && b->err.status)
        bz_fail(&g->err, b->err.status, "%s", b->err.text);
    else
        bz_fail(&g->err, BZ_ENOMEM, "out of memory while differentiating");
    return false;
}
