/* grad.c - bz_grad: gradients as nodes of the epoch that records.
 *
 * One rule: a gradient is complete or BZ_EGRAD. What the recording holds, pass_grad differentiates; what it does not hold any more,
 * lineage.c knows of. */
#include "runtime/rt.h"

#include <string.h>

/* c->marks: the nodes that the loss depends on as far as gradients flow, and whether on a way that leads through no wrt. */
static bool mark_reached(const rt_rec *r, unsigned n) {
    bz_context *c = r->c;
    const ir_graph *g = r->g;
    c->marks.n = 0;
    if (!bz_vec_reserve(&c->marks, g->n.n)) return rt_no_memory(c), false;
    uint8_t *m = c->marks.p;
    memset(m, 0, g->n.n);
    for (unsigned i = 0; i < n; i++) m[r->x[i + 1]] = RT_WRT;
    m[r->x[0]] |= RT_REACHED | RT_AROUND;
    for (ir_ref at = r->x[0]; at > 0; at--) {
        unsigned on = m[at] & (m[at] & RT_WRT ? RT_REACHED : RT_REACHED | RT_AROUND);
        for (unsigned k = 0; on && k < ir_at(g, at)->nin; k++)
            if (pass_grad_flows(g, at, k)) m[ir_operand(g, at, k)] |= (uint8_t)on;
    }
    return true;
}

/* A view that the loss was not made from has the gradient of its storage, seen through it. */
static void choose_variables(const rt_rec *r, bz_tensor *const *wrt, unsigned n, rt_asked *asked) {
    bz_context *c = r->c;
    const uint8_t *m = c->marks.p;
    for (unsigned i = 0; i < n; i++) {
        bz_context *of;
        const rt_tensor *t = rt_find_quietly(wrt[i], &of);
        ir_ref node = r->x[i + 1], base = rt_is_whole(t) ? 0 : rt_storage_node(c, t->st);
        bool through = base && base != node && !(m[node] & RT_REACHED) && m[base] & RT_REACHED;
        asked[i] = (rt_asked){.s = t->st,
                              .node = through ? base : node,
                              .view = through ? t : NULL,
                              .seen = through || m[node] & RT_REACHED};
    }
}

/* ---- what makes a gradient impossible */

/* A number is a new scalar input wherever it is used: no loss depends on it as a variable. */
static bool check_numbers(const rt_rec *r, bz_tensor *const *wrt, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        bz_context *c;
        const rt_storage *s = rt_find_quietly(wrt[i], &c)->st;
        if (!rt_is_number(s)) continue;
        rt_fail(r->c, BZ_EGRAD, r->site, "grad",
                "number %u of wrt is a bz_scalar: make a 0-d tensor with bz_full or bz_from_data",
                i);
        return false;
    }
    return true;
}

/* The loss itself comes from before the recording: nothing leads to it. */
static bool check_loss(const rt_rec *r, const rt_asked *wrt, unsigned n) {
    const rt_epoch *e = r->c->epoch;
    bool forgotten = ir_at(r->g, r->x[0])->op == IR_INPUT;
    for (uint32_t i = 0; i < e->sources.n; i++)
        forgotten |= e->sources.p[i].node == r->x[0] && !e->sources.p[i].former;
    for (unsigned i = 0; i < n; i++) forgotten &= wrt[i].node != r->x[0];
    if (!forgotten) return true;
    rt_fail(r->c, BZ_EGRAD, r->site, "grad",
            "how the loss came about is not known: it was evaluated (or is data); call bz_grad "
            "before bz_eval");
    return false;
}

static bool check_complete(const rt_rec *r, const rt_asked *wrt, unsigned n) {
    unsigned i = 0;
    const char *why = NULL;
    rt_loss known = rt_lineage_ask(r->c, wrt, n, &i, &why);
    if (known == RT_FORGOTTEN)
        rt_fail(r->c, BZ_EGRAD, r->site, "grad",
                "the loss depends on number %u of wrt through a value whose history is forgotten "
                "(%s): call bz_grad before that",
                i, why);
    if (known == RT_CHANGED)
        rt_fail(r->c, BZ_EGRAD, r->site, "grad",
                "number %u of wrt was changed in place by %s at %s after the loss was computed "
                "from it",
                i, wrt[i].s->write_op, wrt[i].s->write_site ? wrt[i].s->write_site : "?");
    return known == RT_KNOWN;
}

/* ---- the call */

static bool differentiate(const rt_rec *r, bz_tensor *const *wrt, unsigned n, rt_asked *asked,
                          ir_ref *grads) {
    if (!mark_reached(r, n)) return false;
    choose_variables(r, wrt, n, asked);
    if (!check_numbers(r, wrt, n) || !check_loss(r, asked, n) || !check_complete(r, asked, n))
        return false;
    for (unsigned i = 0; i < n; i++) r->x[i + 1] = asked[i].node;
    bz_status s = pass_grad(r->g, r->x[0], 0, r->x + 1, n, grads);
    if (s && !r->g->err.status)
        bz_fail(&r->c->err, s, "[grad] failed at %s", r->site ? r->site : "?");
    for (unsigned i = 0; i < n && !s; i++)
        if (asked[i].view)
            grads[i] = rt_window(r->g, grads[i], asked[i].view->layout, asked[i].view->offset);
    return s == BZ_OK;
}

bz_status bz_grad_at(bz_tensor *loss, bz_tensor *const *wrt, int n, bz_tensor **out,
                     const char *site) {
    rt_rec r = {.site = site};
    if (n > 0 && (!wrt || !out)) {
        r.c = bz_context_of(loss);
        return r.c ? rt_fail(r.c, BZ_EARG, site, "grad", "%s is NULL", wrt ? "out" : "wrt")
                   : BZ_EARG;
    }
    unsigned count = n > 0 ? (unsigned)n : 0;
    bz_tensor **x = bz_mem_alloc((count + 1) * sizeof *x);
    ir_ref *grads = bz_mem_zero(count + 1, sizeof *grads);
    rt_asked *asked = bz_mem_zero(count + 1, sizeof *asked);
    bool done = x && grads && asked;
    r.c = bz_context_of(loss);
    if (!done && r.c) rt_no_memory(r.c);
    if (done) {
        x[0] = loss;
        memcpy(x + 1, wrt, count * sizeof *x);
        done = rt_begin(&r, NULL, site, x, count + 1, 0, BZ_NDTYPES) &&
               differentiate(&r, wrt, count, asked, grads) && rt_end_many(&r, grads, count, out);
        if (!done) rt_end_many(&r, (ir_ref[]){0}, 1, x); /* takes the graph's error */
    }
    for (unsigned i = 0; i < count && !done; i++) out[i] = r.c ? rt_poison(r.c) : NULL;
    bz_mem_free(asked);
    bz_mem_free(grads);
    bz_mem_free(x);
    return done ? BZ_OK : r.c && r.c->err.status ? r.c->err.status : r.c ? BZ_ENOMEM : BZ_ESCOPE;
}
