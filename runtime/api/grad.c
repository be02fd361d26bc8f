/* grad.c - bz_grad, bz_vjp and bz_jvp: gradients and tangents as nodes of the epoch that records.
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
    bool forward;   /* bz_jvp: seeds are of variables, what is made is of results */
    bz_tensor *const *wrt;
    unsigned ny, n, nseed, nmade;
    rt_asked *asked; /* of each variable */
    ir_ref *seed;    /* 0 = ones */
    ir_ref *made;
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

/* From the results back to the variables. */
static bool gradients(asking *q, stages *s) {
    if (!run_stages(q, s)) return false;
    for (unsigned i = 0; i < q->n; i++) {
        const rt_tensor *view = q->asked[i].view;
        q->made[i] = view ? rt_window(q->rec.g, s->sum[i], view->layout, view->offset) : s->sum[i];
    }
    return true;
}

/* ---- tangents: of the twin of each source, earlier calls first, then of the results */

/* The tangent of a view counts for what its storage has there; another's for the whole of a variable. */
static bool tangents_of_variables(const asking *q, stages *s) {
    ir_graph *g = q->rec.g;
    for (unsigned i = 0; i < q->n; i++) {
        const rt_tensor *view = q->asked[i].view;
        const ir_ref as = q->rec.x[q->ny + i];
        ir_ref t = q->seed[i] ? q->seed[i] : ir_const_like(g, as, 1);
        if (view)
            t = rt_window_write(g, ir_const_like(g, s->nodes[i], 0), t, view->layout, view->offset,
                                0);
        if (!(s->sum[i] = t)) return false;
    }
    return true;
}

/* out: the tangents of ny nodes, by the variables and by those sources that have one by now. */
static bool move_on(const asking *q, stages *s, const ir_ref *y, unsigned ny, ir_ref *out) {
    unsigned n = 0;
    for (unsigned i = 0; i < s->all; i++) {
        if (!s->sum[i] || (i >= s->n && is_zero(q->rec.g, s->sum[i]))) continue;
        s->wrt[n] = s->nodes[i];
        s->share[n++] = s->sum[i];
    }
    return !pass_jvp(&q->rec.c->lineage->backward, q->rec.g, y, ny, s->wrt, s->share, n, out);
}

static bool tangents(asking *q, stages *s) {
    bool done = tangents_of_variables(q, s);
    for (unsigned i = s->all; i-- > s->n && done;)
        done = move_on(q, s, &s->twins[i - s->n].twin, 1, &s->sum[i]);
    return done && move_on(q, s, q->rec.x, q->ny, q->made);
}

static bool differentiate(asking *q) {
    stages s = {0};
    bool done = check_numbers(q) && make_complete(q) && stages_new(q, &s) &&
                (q->forward ? tangents : gradients)(q, &s);
    rt_reach_end(q->rec.c);
    bz_mem_free(s.nodes);
    bz_mem_free(s.twins);
    bz_mem_free(s.places);
    bz_mem_free(s.picked);
    return done;
}

/* A result that is not 0-d has a seed, and so has a variable of bz_jvp, which fits; of a loss, and of other seeds, the pass speaks. */
static bool check_seeds(const asking *q) {
    const rt_rec *r = &q->rec;
    for (unsigned k = 0; k < q->nseed; k++) {
        const ir_ref of = r->x[q->forward ? q->ny + k : k], seed = q->seed[k];
        if (!seed && ir_at(r->g, of)->rank && (q->forward || strcmp(q->op, "vjp") == 0))
            return rt_fail(r->c, BZ_ESHAPE, r->site, q->op, "%s %u, %s, needs a %s: it is not 0-d",
                           q->forward ? "variable" : "result", k, ir_shape_text(r->g, of),
                           q->forward ? "tangent" : "seed"),
                   false;
        if (seed && q->forward && !ir_same_type(r->g, seed, r->g, of))
            return rt_fail(r->c, BZ_ESHAPE, r->site, q->op,
                           "the tangent %s does not fit variable %u, %s", ir_shape_text(r->g, seed),
                           k, ir_shape_text(r->g, of)),
                   false;
    }
    return true;
}

/* Records with all tensors as operands: x has room for them. */
static bool ask(asking *q, bz_tensor **x, bz_tensor *const *y, bz_tensor *const *seed,
                bz_tensor **out, const char *site) {
    unsigned count = q->ny + q->n;
    memcpy(x, y, q->ny * sizeof *x);
    memcpy(x + q->ny, q->wrt, q->n * sizeof *x);
    for (unsigned k = 0; seed && k < q->nseed; k++)
        if (seed[k]) x[count++] = seed[k];
    if (!rt_begin(&q->rec, q->op, site, x, count, 0, BZ_NDTYPES)) return false;
    count = q->ny + q->n;
    for (unsigned k = 0; seed && k < q->nseed; k++) q->seed[k] = seed[k] ? q->rec.x[count++] : 0;
    return check_seeds(q) && differentiate(q) && rt_end_many(&q->rec, q->made, q->nmade, out);
}

static bz_status null_list(bz_tensor *y, const char *op, const char *what, const char *site) {
    bz_context *c = bz_context_of(y);
    return c ? rt_fail(c, BZ_EARG, site, op, "%s is NULL", what)
             : rt_stray(NULL, BZ_EARG, "a list of variables or gradients is NULL");
}

/* seed: ny, or in forward mode n. */
static bz_status differentiate_at(const char *op, bool forward, bz_tensor *const *y,
                                  bz_tensor *const *seed, int ny, bz_tensor *const *wrt, int n,
                                  bz_tensor **out, const char *site) {
    if (n < 0) return rt_stray(NULL, BZ_EARG, "a number of variables is negative");
    if ((n > 0 && !wrt) || ((n > 0 || forward) && !out))
        return null_list(y[0], op, n > 0 && !wrt ? "wrt" : "out", site);
    asking q = {.rec = {.site = site}, .op = op, .forward = forward, .wrt = wrt};
    q.ny = (unsigned)ny, q.n = (unsigned)n;
    q.nseed = forward ? q.n : q.ny;
    q.nmade = forward ? q.ny : q.n;
    bz_context *c = q.rec.c = bz_context_of(y[0]);
    bz_tensor **x = bz_mem_alloc((q.ny + q.n + (size_t)q.nseed) * sizeof *x);
    q.made = bz_mem_zero(q.nmade + 1, sizeof *q.made);
    q.asked = bz_mem_zero(q.n + 1, sizeof *q.asked);
    q.seed = bz_mem_zero(q.nseed + 1, sizeof *q.seed);
    bool ready = x && q.made && q.asked && q.seed, done = ready && ask(&q, x, y, seed, out, site);
    if (!ready && c) rt_no_memory(c);
    if (ready && !done) rt_end_many(&q.rec, (ir_ref[]){0}, 1, x); /* takes the graph's error */
    c = q.rec.c;
    for (unsigned i = 0; i < q.nmade && !done; i++) out[i] = c ? rt_poison(c) : NULL;
    bz_mem_free(q.seed);
    bz_mem_free(q.asked);
    bz_mem_free(q.made);
    bz_mem_free(x);
    return done ? BZ_OK : c && !c->err.status ? BZ_ENOMEM : c ? c->err.status : RT_STRAY_STATUS;
}

bz_status bz_vjp_at(bz_tensor *const *y, bz_tensor *const *seed, int ny, bz_tensor *const *wrt,
                    int n, bz_tensor **out, const char *site) {
    if (ny < 1 || !y) return rt_stray(NULL, BZ_EARG, "[vjp] there is no result");
    return differentiate_at("vjp", false, y, seed, ny, wrt, n, out, site);
}

bz_status bz_jvp_at(bz_tensor *const *y, int ny, bz_tensor *const *wrt, bz_tensor *const *tangent,
                    int n, bz_tensor **out, const char *site) {
    if (ny < 1 || !y) return rt_stray(NULL, BZ_EARG, "[jvp] there is no result");
    return differentiate_at("jvp", true, y, tangent, ny, wrt, n, out, site);
}

bz_status bz_grad_at(bz_tensor *loss, bz_tensor *const *wrt, int n, bz_tensor **out,
                     const char *site) {
    return differentiate_at("grad", false, &loss, NULL, 1, wrt, n, out, site);
}
