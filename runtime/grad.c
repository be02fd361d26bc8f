/* grad.c - bz_grad and bz_vjp: gradients as nodes of the epoch that records.
 *
 * One rule: a gradient is complete or BZ_EGRAD. What the recording holds, pass_grad differentiates; what it does not hold any more,
 * lineage.c knows of. */
#include "runtime/record.h"

#include <stdlib.h>
#include <string.h>

/* A call's operands: ny results (for bz_grad the loss alone), the variables, the seeds. */
typedef struct asking {
    rt_rec rec;
    const char *op; /* what was called */
    bz_tensor *const *wrt;
    unsigned ny, n;
    rt_asked *asked; /* of each variable */
    ir_ref *seed;    /* of each result; 0 = ones */
    ir_ref *grads;
} asking;

/* ---- what the results depend on */

/* Marks what node `at` depends on: all the way, or, through a wrt, without RT_AROUND. */
static void pass_on(const ir_graph *g, uint8_t *m, ir_ref at) {
    unsigned on = m[at] & (m[at] & RT_WRT ? RT_REACHED : RT_REACHED | RT_AROUND);
    for (unsigned k = 0; on && k < ir_at(g, at)->nin; k++)
        if (pass_grad_flows(g, at, k)) m[ir_operand(g, at, k)] |= (uint8_t)on;
}

/* A source that is reached leads on through its twin. true: to something new. */
static bool pass_on_twins(const rt_epoch *e, uint8_t *m) {
    bool more = false;
    for (uint32_t i = 0; i < e->sources.n; i++) {
        const rt_source *o = &e->sources.p[i];
        unsigned on = m[o->node] & (m[o->node] & RT_WRT ? RT_REACHED : RT_REACHED | RT_AROUND);
        if (!o->twin || (m[o->twin] & on) == on) continue;
        m[o->twin] |= (uint8_t)on;
        more = true;
    }
    return more;
}

/* c->lineage->marks: the nodes that the loss depends on as far as gradients flow, and whether on a way that leads through no wrt. */
static bool mark_reached(const asking *q) {
    bz_context *c = q->rec.c;
    const ir_graph *g = q->rec.g;
    const ir_ref *y = q->rec.x, *wrt = q->rec.x + q->ny;
    c->lineage->marks.n = 0;
    if (!bz_vec_reserve(&c->lineage->marks, g->n.n)) return rt_no_memory(c), false;
    uint8_t *m = c->lineage->marks.p;
    memset(m, 0, g->n.n);
    for (unsigned i = 0; i < q->n; i++) m[wrt[i]] = RT_WRT;
    ir_ref last = 0;
    for (unsigned k = 0; k < q->ny; k++) {
        m[y[k]] |= RT_REACHED | RT_AROUND;
        last = y[k] > last ? y[k] : last;
    }
    for (ir_ref at = last; at > 0; at--) pass_on(g, m, at);
    while (pass_on_twins(c->epoch, m))
        for (ir_ref at = g->n.n - 1; at > 0; at--) pass_on(g, m, at);
    return true;
}

/* A view that the loss was not made from has the gradient of its storage, seen through it. */
static void choose_variables(asking *q) {
    bz_context *c = q->rec.c;
    const uint8_t *m = c->lineage->marks.p;
    for (unsigned i = 0; i < q->n; i++) {
        bz_context *of;
        const rt_tensor *t = rt_find_quietly(q->wrt[i], &of);
        ir_ref node = q->rec.x[q->ny + i], base = rt_is_whole(t) ? 0 : rt_storage_node(c, t->st);
        bool through = base && base != node && !(m[node] & RT_REACHED) && m[base] & RT_REACHED;
        q->asked[i] = (rt_asked){.s = t->st,
                                 .node = through ? base : node,
                                 .view = through ? t : NULL,
                                 .seen = through || m[node] & RT_REACHED};
    }
}

/* ---- what makes a gradient impossible */

/* A number is a new scalar input wherever it is used: no loss depends on it as a variable. */
static bool check_numbers(const asking *q) {
    for (unsigned i = 0; i < q->n; i++) {
        bz_context *c;
        const rt_storage *s = rt_find_quietly(q->wrt[i], &c)->st;
        if (!rt_is_number(s)) continue;
        rt_fail(q->rec.c, BZ_EGRAD, q->rec.site, q->op,
                "number %u of wrt is a bz_scalar: make a 0-d tensor with bz_full or bz_from_data",
                i);
        return false;
    }
    return true;
}

/* A result itself comes from before the recording, as a source of it (or is data): nothing leads to it. */
static rt_loss ask_loss(const asking *q, ir_ref loss, uint32_t *source) {
    const rt_epoch *e = q->rec.c->epoch;
    bool forgotten = ir_at(q->rec.g, loss)->op == IR_INPUT, known = false;
    for (uint32_t i = 0; i < e->sources.n; i++) {
        if (e->sources.p[i].node != loss || e->sources.p[i].former) continue;
        forgotten = true;
        known |= e->sources.p[i].twin != 0;
        *source = i;
    }
    for (unsigned i = 0; i < q->n; i++) known |= q->asked[i].node == loss;
    return forgotten && !known ? RT_FORGOTTEN : RT_KNOWN;
}

/* The same of all results, until one is forgotten. */
static rt_loss ask_losses(const asking *q, uint32_t *source) {
    rt_loss known = RT_KNOWN;
    for (unsigned k = 0; k < q->ny && known == RT_KNOWN; k++)
        known = ask_loss(q, q->rec.x[k], source);
    return known;
}

/* Puts the history of the call behind a source that is an output of one. */
static bool make_twin(const rt_rec *r, uint32_t source) {
    const rt_epoch *e = r->c->epoch;
    const rt_source *o = source < e->sources.n ? &e->sources.p[source] : NULL;
    ir_ref twin = o && o->made && !o->twin ? rt_made_node(r->c, o->made, o->output) : 0;
    if (twin) e->sources.p[source].twin = twin;
    return twin != 0;
}

/* The rule of docs/memory.md: a gradient is complete, or there is none. */
static bool make_complete(asking *q) {
    const rt_rec *r = &q->rec;
    const rt_asked *asked = q->asked;
    for (;;) {
        unsigned i = 0;
        uint32_t source = UINT32_MAX;
        if (!mark_reached(q)) return false;
        choose_variables(q);
        bool loss = ask_losses(q, &source) == RT_FORGOTTEN;
        rt_loss known = loss ? RT_FORGOTTEN : rt_lineage_ask(r->c, asked, q->n, &i, &source);
        if (known == RT_KNOWN) return true;
        if (known == RT_FORGOTTEN && make_twin(r, source)) continue;
        if (r->c->err.status) return false;
        const rt_past *past =
            source < r->c->epoch->sources.n ? r->c->epoch->sources.p[source].past : NULL;
        if (known == RT_CHANGED)
            rt_fail(r->c, BZ_EGRAD, r->site, q->op,
                    "number %u of wrt was changed in place by %s at %s after the loss was "
                    "computed from it",
                    i, asked[i].s->write_op, asked[i].s->write_site ? asked[i].s->write_site : "?");
        else if (loss)
            rt_fail(r->c, BZ_EGRAD, r->site, q->op,
                    "how the loss came about is not known: it was evaluated (or is data); call "
                    "bz_grad before bz_eval");
        else
            rt_fail(r->c, BZ_EGRAD, r->site, q->op,
                    "the loss depends on number %u of wrt through a value whose history is "
                    "forgotten (%s): call bz_grad before that, or pass the value through "
                    "bz_stop_gradient if it is to count as a constant",
                    i, past ? past->why : "?");
        return false;
    }
}

/* ---- the gradient: of the results, then of each twin by what came to its source, later calls first */

typedef struct stages {
    ir_ref *nodes, *share, *sum; /* of variables, then of sources with a twin */
    unsigned n, all;
    struct stage {
        uint64_t number; /* of the call */
        ir_ref source, twin;
    } * twins;
} stages;

static int later_first(const void *p, const void *q) {
    const struct stage *a = p, *b = q;
    return (a->number < b->number) - (a->number > b->number);
}

static void find_twins(const rt_rec *r, stages *s) {
    const rt_epoch *e = r->c->epoch;
    s->all = s->n;
    for (uint32_t i = 0; i < e->sources.n; i++) {
        const rt_source *o = &e->sources.p[i];
        if (!o->twin || !(r->c->lineage->marks.p[o->node] & RT_REACHED)) continue;
        s->twins[s->all++ - s->n] = (struct stage){o->made->number, o->node, o->twin};
    }
    qsort(s->twins, s->all - s->n, sizeof *s->twins, later_first);
    for (unsigned i = s->n; i < s->all; i++) s->nodes[i] = s->twins[i - s->n].source;
}

static bool is_zero(const ir_graph *g, ir_ref r) {
    ir_bits v;
    return ir_const_value(g, r, &v) && v == 0;
}

static bool run_stage(ir_graph *g, const ir_ref *from, const ir_ref *seed, unsigned ny, stages *s) {
    if (pass_vjp(g, from, seed, ny, s->nodes, s->all, s->share)) return false;
    for (unsigned i = 0; i < s->all; i++) {
        if (s->sum[i] && is_zero(g, s->share[i])) continue;
        bool first = !s->sum[i] || is_zero(g, s->sum[i]);
        s->sum[i] = first ? s->share[i] : ir_build2(g, IR_ADD, s->sum[i], s->share[i]);
    }
    return true;
}

static bool run_stages(const asking *q, stages *s) {
    ir_graph *g = q->rec.g;
    bool done = run_stage(g, q->rec.x, q->seed, q->ny, s);
    for (unsigned i = s->n; i < s->all && done; i++)
        done = is_zero(g, s->sum[i]) || run_stage(g, &s->twins[i - s->n].twin, &s->sum[i], 1, s);
    return done;
}

static bool differentiate(asking *q) {
    const rt_rec *r = &q->rec;
    const unsigned n = q->n;
    if (!check_numbers(q) || !make_complete(q)) return false;
    size_t most = n + r->c->epoch->sources.n;
    stages s = {.n = n, .nodes = bz_mem_zero(3 * most, sizeof *s.nodes)};
    s.twins = bz_mem_alloc(most * sizeof *s.twins);
    bool done = s.nodes && s.twins;
    if (done) {
        s.share = s.nodes + most;
        s.sum = s.share + most;
        for (unsigned i = 0; i < n; i++) s.nodes[i] = q->asked[i].node;
        find_twins(r, &s);
        done = run_stages(q, &s);
    } else {
        rt_no_memory(r->c);
    }
    for (unsigned i = 0; i < n && done; i++) {
        const rt_tensor *view = q->asked[i].view;
        q->grads[i] = view ? rt_window(r->g, s.sum[i], view->layout, view->offset) : s.sum[i];
    }
    bz_mem_free(s.nodes);
    bz_mem_free(s.twins);
    return done;
}

/* A result that is not 0-d has a seed; of a loss the pass speaks. */
static bool check_seeds(const asking *q) {
    for (unsigned k = 0; k < q->ny && strcmp(q->op, "vjp") == 0; k++) {
        if (q->seed[k] || !ir_at(q->rec.g, q->rec.x[k])->rank) continue;
        rt_fail(q->rec.c, BZ_ESHAPE, q->rec.site, q->op,
                "result %u, %s, needs a seed: it is not 0-d", k,
                ir_shape_text(q->rec.g, q->rec.x[k]));
        return false;
    }
    return true;
}

/* Records with all tensors as operands: x has room for them. */
static bool ask(asking *q, bz_tensor **x, bz_tensor *const *y, bz_tensor *const *seed,
                bz_tensor **out, const char *site) {
    unsigned count = q->ny + q->n;
    memcpy(x, y, q->ny * sizeof *x);
    memcpy(x + q->ny, q->wrt, q->n * sizeof *x);
    for (unsigned k = 0; seed && k < q->ny; k++)
        if (seed[k]) x[count++] = seed[k];
    if (!rt_begin(&q->rec, q->op, site, x, count, 0, BZ_NDTYPES)) return false;
    count = q->ny + q->n;
    for (unsigned k = 0; seed && k < q->ny; k++) q->seed[k] = seed[k] ? q->rec.x[count++] : 0;
    return check_seeds(q) && differentiate(q) && rt_end_many(&q->rec, q->grads, q->n, out);
}

static bz_status null_list(bz_tensor *y, const char *op, const char *what, const char *site) {
    bz_context *c = bz_context_of(y);
    return c ? rt_fail(c, BZ_EARG, site, op, "%s is NULL", what)
             : rt_stray(NULL, BZ_EARG, "a list of variables or gradients is NULL");
}

static bz_status take_gradients(const char *op, bz_tensor *const *y, bz_tensor *const *seed, int ny,
                                bz_tensor *const *wrt, int n, bz_tensor **out, const char *site) {
    if (n > 0 && (!wrt || !out)) return null_list(y[0], op, wrt ? "out" : "wrt", site);
    asking q = {.rec = {.site = site},
                .op = op,
                .wrt = wrt,
                .ny = (unsigned)ny,
                .n = n > 0 ? (unsigned)n : 0};
    bz_context *c = q.rec.c = bz_context_of(y[0]);
    bz_tensor **x = bz_mem_alloc((2 * (size_t)q.ny + q.n) * sizeof *x);
    q.grads = bz_mem_zero(q.n + 1, sizeof *q.grads);
    q.asked = bz_mem_zero(q.n + 1, sizeof *q.asked);
    q.seed = bz_mem_zero(q.ny, sizeof *q.seed);
    bool ready = x && q.grads && q.asked && q.seed, done = ready && ask(&q, x, y, seed, out, site);
    if (!ready && c) rt_no_memory(c);
    if (ready && !done) rt_end_many(&q.rec, (ir_ref[]){0}, 1, x); /* takes the graph's error */
    c = q.rec.c;
    for (unsigned i = 0; i < q.n && !done; i++) out[i] = c ? rt_poison(c) : NULL;
    bz_mem_free(q.seed);
    bz_mem_free(q.asked);
    bz_mem_free(q.grads);
    bz_mem_free(x);
    return done ? BZ_OK : c && !c->err.status ? BZ_ENOMEM : c ? c->err.status : RT_STRAY_STATUS;
}

bz_status bz_vjp_at(bz_tensor *const *y, bz_tensor *const *seed, int ny, bz_tensor *const *wrt,
                    int n, bz_tensor **out, const char *site) {
    if (ny < 1 || !y) return rt_stray(NULL, BZ_EARG, "[vjp] there is no result");
    return take_gradients("vjp", y, seed, ny, wrt, n, out, site);
}

bz_status bz_grad_at(bz_tensor *loss, bz_tensor *const *wrt, int n, bz_tensor **out,
                     const char *site) {
    return take_gradients("grad", &loss, NULL, 1, wrt, n, out, site);
}
