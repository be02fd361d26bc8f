/* grad_cond.c - the gradient of a cond is a cond of its branches' gradients, its tangent one of their tangents:
 *
 *      y = cond p, x {then=f, else=g}        dx = cond p, x, dy {then=f_grad, else=g_grad}
 *                                            ty = cond p, x, tx {then=f_jvp, else=g_jvp}
 *
 * f_grad(x, dy) is f once more with what pass_vjp adds to it, f_jvp(x, tx) with what pass_jvp does: what it needs of f is computed again in
 * the branch that is taken. */
#include "src/passes/grad.h"

#include <stdio.h>
#include <string.h>

/* What is differentiated: some results by some operands. */
typedef struct cond_grad {
    ir_graph *g;
    ir_ref r;
    bool forward;
    const bool *results, *wants; /* which of the results, of the operands behind the condition */
    unsigned nout, nin;
    unsigned ny, nwrt; /* how many are */
} cond_grad;

static bool is_taken(const ir_graph *b, const char *name) {
    for (uint32_t i = 0; i < b->inputs.n; i++)
        if (!strcmp(b->inputs.p[i].name, name)) return true;
    return false;
}

/* An input of b for the gradient of result k, the tangent of operand k, of the branch `of`. */
static ir_ref seed_for(const cond_grad *q, ir_graph *b, const ir_graph *of, unsigned k) {
    const ir_node *n = ir_at(of, q->forward ? grad_in(of, k) : grad_out(of, k));
    char name[40];
    int at = snprintf(name, sizeof name, "%c%u", q->forward ? 't' : 'd', k);
    while (is_taken(b, name) && at < (int)sizeof name - 1) name[at++] = '_', name[at] = 0;
    return ir_input_new(b, name, (bz_dtype)n->dtype, ir_dims(of, n), n->rank);
}

static bool seeds_for(const cond_grad *q, ir_graph *b, const ir_graph *of, ir_ref *seed) {
    const bool *has = q->forward ? q->wants : q->results;
    for (unsigned k = 0, n = 0; k < (q->forward ? q->nin : q->nout); k++)
        if (has[k] && !(seed[n++] = seed_for(q, b, of, k))) return false;
    return true;
}

/* The results of the branch once more, in b. */
static bool copy_results(const cond_grad *q, ir_graph *b, const ir_graph *of, ir_map *map,
                         ir_ref *y) {
    if (!grad_copy_live(b, of, map)) return false;
    for (unsigned k = 0, n = 0; k < q->nout; k++)
        if (q->results[k]) y[n++] = map->to[grad_out(of, k)];
    return true;
}

static bool differentiate(const cond_grad *q, ir_graph *b, const ir_ref *y, const ir_ref *seed,
                          const ir_ref *wrt, ir_ref *out) {
    pass_backward back = {0};
    const bz_status s = q->forward ? pass_jvp(&back, b, y, q->ny, wrt, seed, q->nwrt, out)
                                   : pass_vjp(&back, b, y, seed, q->ny, wrt, q->nwrt, out);
    pass_backward_free(&back);
    return !s;
}

/* f_grad or f_jvp in b, which has the branch's inputs; work: room for 3 ny + 3 nwrt nodes. */
static bool fill(const cond_grad *q, ir_graph *b, const ir_graph *of, ir_map *map, ir_ref *work) {
    const unsigned both = q->ny + q->nwrt;
    ir_ref *y = work, *wrt = y + q->ny, *seed = wrt + q->nwrt, *out = seed + both;
    unsigned n = 0;
    for (unsigned j = 0; j < q->nin; j++)
        if (q->wants[j]) wrt[n++] = grad_in(b, j);
    bool ok = seeds_for(q, b, of, seed) && copy_results(q, b, of, map, y) &&
              differentiate(q, b, y, seed, wrt, out);
    for (unsigned i = 0; ok && i < (q->forward ? q->ny : q->nwrt); i++) {
        char name[40];
        snprintf(name, sizeof name, "of%u", i);
        ok = !ir_output_add(b, name, out[i], -1);
    }
    return ok;
}

/* The number of the graph that is made of graph number `of`; -1: an error in q->g. */
static int64_t branch(const cond_grad *q, int64_t of) {
    ir_module *m = q->g->m;
    ir_map map;
    ir_ref *work = bz_mem_zero(3 * (size_t)(q->ny + q->nwrt) + 1, sizeof *work);
    ir_graph *b = work ? ir_rebuild_begin(m->graphs.p[of], &map) : NULL;
    const bool ok = b && fill(q, b, m->graphs.p[of], &map, work);
    if (b) bz_mem_free(map.to);
    bz_mem_free(work);
    const int64_t number =
        ok ? grad_lend(b, m->graphs.p[of]->name, q->forward ? "jvp" : "grad") : -1;
    if (number >= 0) return number;
    grad_fails(q->g, ok ? NULL : b);
    ir_graph_free(b);
    return -1;
}

/* The cond of what is made of both branches, on the operands and what came. 0: an error in g. */
static ir_ref cond_of_both(const cond_grad *q, const ir_ref *came, unsigned ncame) {
    ir_graph *g = q->g;
    const int64_t *attrs = ir_attrs(g, ir_at(g, q->r)), of[2] = {attrs[0], attrs[1]};
    const int64_t then = branch(q, of[0]), other = then < 0 ? -1 : branch(q, of[1]);
    ir_ref *x = bz_mem_zero((size_t)q->nin + ncame + 1, sizeof *x), at = 0;
    if (!x) grad_fails(g, NULL);
    if (x && other >= 0) {
        unsigned m = q->nin;
        for (unsigned j = 0; j < q->nin; j++) x[j] = ir_operand(g, q->r, 1 + j);
        for (unsigned k = 0; k < ncame; k++)
            if ((q->forward ? q->wants : q->results)[k]) x[m++] = came[k];
        at = ir_cond(g, then, other, ir_operand(g, q->r, 0), x, m);
    }
    bz_mem_free(x);
    ir_module_drop(g->m, then); /* unless the cond has them */
    ir_module_drop(g->m, other);
    return at;
}

static cond_grad asked(ir_graph *g, ir_ref r, bool forward, const bool *results,
                       const bool *wants) {
    cond_grad q = {.g = g, .r = r, .forward = forward, .results = results, .wants = wants};
    q.nin = ir_at(g, r)->nin - 1u;
    q.nout = ir_result_count(g, r);
    for (unsigned k = 0; k < q.nout; k++) q.ny += results[k];
    for (unsigned j = 0; j < q.nin; j++) q.nwrt += wants[j];
    return q;
}

/* The cond's results, to those of n that have one. */
static bool hand_out(ir_graph *g, ir_ref at, const bool *has, unsigned n, ir_ref *out) {
    for (unsigned j = 0, i = 0; j < n && at; j++)
        if (has[j] && !(out[j] = ir_result(g, at, i++))) return false;
    return at != 0;
}

bool grad_cond(ir_graph *g, ir_ref r, const ir_ref *d, const bool *wants, ir_ref *share) {
    const unsigned nout = ir_result_count(g, r);
    bool *results = bz_mem_zero(nout, sizeof *results);
    if (!results) return grad_fails(g, NULL);
    for (unsigned k = 0; k < nout; k++) results[k] = d[k] && ir_is_smooth(ir_dtype(g, d[k]));
    const cond_grad q = asked(g, r, false, results, wants);
    const bool ok =
        q.ny == 0 || q.nwrt == 0 || hand_out(g, cond_of_both(&q, d, q.nout), wants, q.nin, share);
    bz_mem_free(results);
    return ok;
}

bool jvp_cond(ir_graph *g, ir_ref r, const ir_ref *t, ir_ref *out) {
    const unsigned nout = ir_result_count(g, r), nin = ir_at(g, r)->nin - 1u;
    const ir_graph *of = g->m->graphs.p[ir_attrs(g, ir_at(g, r))[0]];
    bool *results = bz_mem_zero((size_t)nout + nin, sizeof *results), *wants = results + nout;
    if (!results) return grad_fails(g, NULL);
    for (unsigned k = 0; k < nout; k++) results[k] = ir_is_smooth(ir_dtype(of, grad_out(of, k)));
    for (unsigned j = 0; j < nin; j++) wants[j] = t[j] != 0;
    const cond_grad q = asked(g, r, true, results, wants);
    const bool ok =
        q.ny == 0 || q.nwrt == 0 || hand_out(g, cond_of_both(&q, t, q.nin), results, q.nout, out);
    bz_mem_free(results);
    return ok;
}
