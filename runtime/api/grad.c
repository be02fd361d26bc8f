/* grad.c - bz_grad and bz_vjp: gradients as nodes of the epoch that records.
 *
 * One rule: a gradient is complete or BZ_EGRAD. What the recording holds, pass_grad differentiates; what it does not hold any more,
 * lineage.c knows of. */
#include "runtime/record/record.h"

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

/* A view that the loss was not made from has the gradient of its storage, seen through it. */
static void choose_variables(asking *q) {
    bz_context *c = q->rec.c;
    for (unsigned i = 0; i < q->n; i++) {
        bz_context *of;
        const rt_tensor *t = rt_find_quietly(q->wrt[i], &of);
        ir_ref node = q->rec.x[q->ny + i], base = rt_is_whole(t) ? 0 : rt_storage_node(c, t->st);
        bool seen = rt_reach_marks(&c->lineage->reach, node) & RT_REACHED;
        bool through =
            base && base != node && !seen && rt_reach_marks(&c->lineage->reach, base) & RT_REACHED;
        q->asked[i] = (rt_asked){.s = t->st,
                                 .node = through ? base : node,
                                 .view = through ? t : NULL,
                                 .seen = through || seen};
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
    bool forgotten = ir_at(q->rec.g, loss)->op == IR_INPUT, known = false, last = true;
    for (uint32_t i = rt_source_at(e, loss); i--; i = e->sources.p[i].before) {
        if (e->sources.p[i].former) continue;
        if (last) *source = i;
        last = false;
        forgotten = true;
        known |= e->sources.p[i].twin != 0;
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
    return twin && (rt_reach_twin(r->c, source) || (rt_no_memory(r->c), false));
}

/* The rule of docs/memory.md: a gradient is complete, or there is none. Sources are asked as they are reached; a twin leads to more of
 * them. What a twin leads to may change what was right for a source before it, so in the end all are asked once more. */
static bool make_complete(asking *q) {
    const rt_rec *r = &q->rec;
    const rt_asked *asked = q->asked;
    uint32_t from = 0;
    if (!rt_reach(r->c, q->rec.x, q->ny, q->rec.x + q->ny, q->n)) return rt_no_memory(r->c), false;
    for (;;) {
        unsigned i = 0;
        uint32_t source = UINT32_MAX;
        choose_variables(q);
        if (!rt_reach_news(r->c)) return rt_no_memory(r->c), false;
        bool loss = ask_losses(q, &source) == RT_FORGOTTEN;
        rt_loss known = loss ? RT_FORGOTTEN : rt_lineage_ask(r->c, asked, q->n, &from, &i, &source);
        if (known == RT_KNOWN) {
            rt_reach_sort(r->c);
            if (from == 0) return true;
            from = 0;
            continue;
        }
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
    ir_ref *nodes, *sum; /* of variables, then of sources with a twin */
    unsigned n, all;
    struct stage {
        uint64_t number; /* of the call */
        ir_ref source, twin;
    } * twins;
    struct place { /* nodes, ascending: which of them they are */
        ir_ref node;
        unsigned of;
    } * places;
    unsigned *picked; /* those that a stage gives shares */
    ir_ref *wrt, *share;
} stages;

static int later_first(const void *p, const void *q) {
    const struct stage *a = p, *b = q;
    return (a->number < b->number) - (a->number > b->number);
}

static int by_node(const void *p, const void *q) {
    const struct place *a = p, *b = q;
    return (a->node > b->node) - (a->node < b->node);
}

static int by_number(const void *p, const void *q) {
    const unsigned *a = p, *b = q;
    return (*a > *b) - (*a < *b);
}

/* One that leads to no variable, made for another gradient, is none of this one's. */
static void find_twins(const rt_rec *r, stages *s) {
    const rt_epoch *e = r->c->epoch;
    const rt_reached *w = &r->c->lineage->reach;
    s->all = s->n;
    for (uint32_t i = 0; i < w->sources.n; i++) {
        const rt_source *o = &e->sources.p[w->sources.p[i]];
        if (!o->twin || !(rt_reach_marks(w, o->twin) & RT_LEADS)) continue;
        s->twins[s->all++ - s->n] = (struct stage){o->made->number, o->node, o->twin};
    }
    qsort(s->twins, s->all - s->n, sizeof *s->twins, later_first);
    for (unsigned i = s->n; i < s->all; i++) s->nodes[i] = s->twins[i - s->n].source;
    for (unsigned i = 0; i < s->all; i++) s->places[i] = (struct place){s->nodes[i], i};
    qsort(s->places, s->all, sizeof *s->places, by_node);
}

static bool is_zero(const ir_graph *g, ir_ref r) {
    ir_bits v;
    return ir_const_value(g, r, &v) && v == 0;
}

/* The first of the places whose node is r or comes behind it. */
static unsigned place_of(const stages *s, ir_ref r) {
    unsigned lo = 0, hi = s->all;
    while (lo < hi) {
        unsigned mid = lo + (hi - lo) / 2;
        if (s->places[mid].node < r)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Which get a share of the gradient of `from`: the first stage gives one to each variable, the others to what they lead to. */
static bool pick(const asking *q, const ir_ref *from, unsigned ny, bool first, stages *s,
                 unsigned *n) {
    pass_backward *b = &q->rec.c->lineage->backward;
    *n = first ? s->n : 0;
    for (unsigned i = 0; i < *n; i++) s->picked[i] = i;
    if (s->all > s->n && !pass_cone(b, q->rec.g, from, ny)) return rt_no_memory(q->rec.c), false;
    for (uint32_t i = 0; i < b->cone.n && s->all > s->n; i++)
        for (unsigned k = place_of(s, b->cone.p[i]);
             k < s->all && s->places[k].node == b->cone.p[i]; k++)
            if (!first || s->places[k].of >= s->n) s->picked[(*n)++] = s->places[k].of;
    qsort(s->picked, *n, sizeof *s->picked, by_number);
    for (unsigned i = 0; i < *n; i++) s->wrt[i] = s->nodes[s->picked[i]];
    return true;
}

static bool run_stage(const asking *q, const ir_ref *from, const ir_ref *seed, unsigned ny,
                      stages *s) {
    ir_graph *g = q->rec.g;
    unsigned n;
    if (!pick(q, from, ny, from == q->rec.x, s, &n)) return false;
    if (pass_vjp(&q->rec.c->lineage->backward, g, from, seed, ny, s->wrt, n, s->share))
        return false;
    for (unsigned i = 0; i < n; i++) {
        ir_ref *sum = &s->sum[s->picked[i]];
        if (*sum && is_zero(g, s->share[i])) continue;
        bool only = !*sum || is_zero(g, *sum);
        *sum = only ? s->share[i] : ir_build2(g, IR_ADD, *sum, s->share[i]);
    }
    return true;
}

static bool run_stages(const asking *q, stages *s) {
    bool done = run_stage(q, q->rec.x, q->seed, q->ny, s);
    for (unsigned i = s->n; i < s->all && done; i++)
        done = !s->sum[i] || is_zero(q->rec.g, s->sum[i]) ||
               run_stage(q, &s->twins[i - s->n].twin, &s->sum[i], 1, s);
    return done;
}

static bool stages_new(const asking *q, stages *s) {
    size_t most = q->n + q->rec.c->lineage->reach.sources.n;
    *s = (stages){.n = q->n, .nodes = bz_mem_zero(4 * most + 1, sizeof *s->nodes)};
    s->twins = bz_mem_alloc((most + 1) * sizeof *s->twins);
    s->places = bz_mem_alloc((most + 1) * sizeof *s->places);
    s->picked = bz_mem_alloc((most + 1) * sizeof *s->picked);
    if (!s->nodes || !s->twins || !s->places || !s->picked ||
        !rt_reach_leads(q->rec.c, q->asked, q->n))
        return rt_no_memory(q->rec.c), false;
    s->sum = s->nodes + most;
    s->wrt = s->sum + most;
    s->share = s->wrt + most;
    for (unsigned i = 0; i < q->n; i++) s->nodes[i] = q->asked[i].node;
    find_twins(&q->rec, s);
    return true;
}

static bool differentiate(asking *q) {
    const rt_rec *r = &q->rec;
    stages s = {0};
    bool done = check_numbers(q) && make_complete(q) && stages_new(q, &s) && run_stages(q, &s);
    for (unsigned i = 0; i < q->n && done; i++) {
        const rt_tensor *view = q->asked[i].view;
        q->grads[i] = view ? rt_window(r->g, s.sum[i], view->layout, view->offset) : s.sum[i];
    }
    rt_reach_end(r->c);
    bz_mem_free(s.nodes);
    bz_mem_free(s.twins);
    bz_mem_free(s.places);
    bz_mem_free(s.picked);
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
    if (n < 0) return rt_stray(NULL, BZ_EARG, "a number of variables is negative");
    if (n > 0 && (!wrt || !out)) return null_list(y[0], op, wrt ? "out" : "wrt", site);
    asking q = {.rec = {.site = site}, .op = op, .wrt = wrt, .ny = (unsigned)ny, .n = (unsigned)n};
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
