/* grad_cond.c - the gradient of a cond is a cond of its branches' gradients:
 *
 *      y = cond p, x {then=f, else=g}        dx = cond p, x, dy {then=f_grad, else=g_grad}
 *
 * f_grad(x, dy) is f once more with what pass_vjp adds to it: what it needs of f is computed again in the branch that is taken. */
#include "src/passes/grad.h"

#include <stdio.h>
#include <string.h>

/* What is differentiated: results with a gradient, by operands that want one. */
typedef struct cond_grad {
    ir_graph *g;
    ir_ref r;
    const ir_ref *d;    /* of each result, 0: none arrived */
    const bool *wants;  /* each operand behind the condition */
    unsigned nout, nin; /* results; operands behind the condition */
    unsigned ny, nwrt;
} cond_grad;

static bool arrives(const cond_grad *q, unsigned k) {
    return q->d[k] && ir_is_smooth(ir_dtype(q->g, q->d[k]));
}

static bool is_taken(const ir_graph *b, const char *name) {
    for (uint32_t i = 0; i < b->inputs.n; i++)
        if (!strcmp(b->inputs.p[i].name, name)) return true;
    return false;
}

/* An input of b for the gradient of result k of the branch `of`. */
static ir_ref seed_for(ir_graph *b, const ir_graph *of, unsigned k) {
    const ir_node *y = ir_at(of, of->outputs.p[k].node);
    char name[40];
    int n = snprintf(name, sizeof name, "d%u", k);
    while (is_taken(b, name) && n < (int)sizeof name - 1) name[n++] = '_', name[n] = 0;
    return ir_input_new(b, name, (bz_dtype)y->dtype, ir_dims(of, y), y->rank);
}

static void say_why(ir_graph *g, const ir_graph *b) {
    if (g->err.status) return;
    if (b && b->err.status)
        bz_fail(&g->err, b->err.status, "%s", b->err.text);
    else
        bz_fail(&g->err, BZ_ENOMEM, "out of memory while differentiating");
}

/* The branch's nodes once more, in b; y: its results that have a gradient. */
static bool copy_nodes(const cond_grad *q, ir_graph *b, const ir_graph *of, ir_map *map,
                       ir_ref *y) {
    bool *live = ir_live(of);
    for (ir_ref r = 1; live && r < of->n.n && !b->err.status; r++)
        if (live[r] && !map->to[r]) map->to[r] = ir_rebuild_node(b, of, map, r);
    const bool ok = live && !b->err.status;
    bz_mem_free(live);
    for (unsigned k = 0, ny = 0; ok && k < q->nout; k++)
        if (arrives(q, k)) y[ny++] = map->to[of->outputs.p[k].node];
    return ok;
}

/* f_grad in b, which has the branch's inputs; work: room for 2 ny + 2 nwrt nodes. */
static bool fill(const cond_grad *q, ir_graph *b, const ir_graph *of, ir_map *map, ir_ref *work) {
    pass_backward back = {0};
    ir_ref *y = work, *seed = y + q->ny, *wrt = seed + q->ny, *out = wrt + q->nwrt;
    unsigned n = 0;
    for (unsigned j = 0; j < q->nin; j++)
        if (q->wants[j]) wrt[n++] = b->inputs.p[j].node;
    for (unsigned k = 0, ny = 0; k < q->nout; k++)
        if (arrives(q, k) && !(seed[ny++] = seed_for(b, of, k))) return false;
    bool ok = copy_nodes(q, b, of, map, y) && !pass_vjp(&back, b, y, seed, q->ny, wrt, n, out);
    pass_backward_free(&back);
    for (unsigned j = 0, i = 0; j < q->nin && ok; j++) {
        char name[40];
        snprintf(name, sizeof name, "of%u", j);
        if (q->wants[j]) ok = !ir_output_add(b, name, out[i++], -1);
    }
    return ok;
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

/* The number of the graph that is the gradient of graph number `of`; -1: an error in q->g. */
static int64_t branch(const cond_grad *q, int64_t of) {
    ir_module *m = q->g->m;
    ir_map map;
    ir_ref *work = bz_mem_zero(2 * (size_t)(q->ny + q->nwrt) + 1, sizeof *work);
    ir_graph *b = work ? ir_rebuild_begin(m->graphs.p[of], &map) : NULL;
    const bool ok = b && fill(q, b, m->graphs.p[of], &map, work);
    if (b) bz_mem_free(map.to);
    bz_mem_free(work);
    const int64_t number = ok ? grad_lend(b, m->graphs.p[of]->name, "grad") : -1;
    if (number >= 0) return number;
    say_why(q->g, ok ? NULL : b);
    ir_graph_free(b);
    return -1;
}

bool grad_cond(ir_graph *g, ir_ref r, const ir_ref *d, const bool *wants, ir_ref *share) {
    const ir_node *n = ir_at(g, r);
    cond_grad q = {.g = g, .r = r, .d = d, .wants = wants, .nin = n->nin - 1u};
    q.nout = ir_result_count(g, r);
    for (unsigned k = 0; k < q.nout; k++) q.ny += arrives(&q, k);
    for (unsigned j = 0; j < q.nin; j++) q.nwrt += wants[j];
    if (q.ny == 0 || q.nwrt == 0) return true;
    const int64_t of[2] = {ir_attrs(g, n)[0], ir_attrs(g, n)[1]};
    const int64_t then = branch(&q, of[0]), other = then < 0 ? -1 : branch(&q, of[1]);
    ir_ref *x = bz_mem_zero((size_t)q.nin + q.ny, sizeof *x), at = 0;
    if (!x) say_why(g, NULL);
    if (x && other >= 0) {
        unsigned m = q.nin;
        for (unsigned j = 0; j < q.nin; j++) x[j] = ir_operand(g, r, 1 + j);
        for (unsigned k = 0; k < q.nout; k++)
            if (arrives(&q, k)) x[m++] = d[k];
        at = ir_cond(g, then, other, ir_operand(g, r, 0), x, m);
    }
    bz_mem_free(x);
    ir_module_drop(g->m, then); /* unless the cond has them */
    ir_module_drop(g->m, other);
    for (unsigned j = 0, i = 0; j < q.nin && at; j++)
        if (wants[j] && !(share[j] = ir_result(g, at, i++))) return false;
    return at != 0;
}
