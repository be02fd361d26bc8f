/* record.c - builder calls: operands become nodes of the epoch that records, nodes new handles.
 *
 * In eager mode a call ends with an evaluation: the one thing that recording wants of what is built on it, by rt_evaluator. */
#include "runtime/base/env.h"
#include "runtime/record/record.h"

#include <inttypes.h>
#include <string.h>

enum { UNREAD_OPS = 5000 };

/* ---- long recordings */

static bool within_ops(rt_rec *r, const rt_epoch *e) {
    uint64_t most = r->c->limits[BZ_LIMIT_OPS];
    if (!most || e->g->n.n <= most) return true;
    rt_fail(r->c, BZ_ELIMIT, r->site, r->op ? r->op : "record",
            "the recording passes BZ_LIMIT_OPS, %" PRIu64 " ops: read a value, or call bz_eval",
            most);
    return false;
}

static void warn_unread(bz_context *c, const char *site) {
    if (rt_in_function(c)) return;
    c->counters.warnings++;
    if (c->counters.warnings > 1 || c->options.quiet || rt_env_get()->quiet) return;
    bz_stderrf("braze: %d ops recorded and no value read, now at %s: a loop that never calls "
               "bz_eval keeps "
               "all its turns; call it on what a turn makes (BRAZE_WARN=0: no such line)\n",
               UNREAD_OPS, site ? site : "?");
}

void rt_count_op(bz_context *c, const char *site) {
    c->counters.ops++;
    if (++c->unread == UNREAD_OPS) warn_unread(c, site);
    c->evaluator->cut(c, site);
}

/* ---- builder calls */

/* As PyTorch has it: "expected all operands on one device, but found operand 0 on cuda:0 and operand 1 on cpu". */
static void two_places(rt_rec *r, bz_tensor *const *x, unsigned i, const bz_context *c) {
    unsigned k = 0;
    char a[24], b[24];
    while (k < i && rt_context_of(x[k]) != r->c) k++;
    rt_device_text(r->c, a), rt_device_text(c, b);
    if (strcmp(a, b) == 0)
        rt_fail(r->c, BZ_EARG, r->site, r->op ? r->op : "grad",
                "operands of two contexts, %u and %u, both on %s (bz_from_tensor takes one over)",
                k, i, a);
    else
        rt_fail(r->c, BZ_EARG, r->site, r->op ? r->op : "grad",
                "expected all operands on one device, but found operand %u on %s and operand %u "
                "on %s (bz_from_tensor takes one over)",
                k, a, i, b);
}

/* Operand i's tensor; NULL and an error (none for a poisoned handle: that is passed on), which `first`, the context of another
 * operand, is told where the handle's own is closed. Sets r->c. */
static rt_tensor *operand(rt_rec *r, bz_tensor *const *x, unsigned i, bz_context *first) {
    bz_context *c;
    rt_tensor *t = rt_find_quietly(x[i], &c);
    const bool passed_on = t || !x[i] || (c && rt_is_poison(x[i]));
    if (!c) c = first;
    if (!passed_on) rt_fail(c, BZ_ESCOPE, r->site, r->op ? r->op : "grad", RT_STALE);
    if (r->c && c && c != r->c) {
        two_places(r, x, i, c);
        t = NULL;
    }
    if (!r->c) r->c = c;
    return t;
}

/* Operand i is NULL: the context of another one, if there is one, has the error. */
static void no_operand(rt_rec *r, bz_tensor *const *x, unsigned n, unsigned i) {
    for (unsigned k = 0; k < n && !r->c; k++) rt_find_quietly(x[k], &r->c);
    if (r->c) rt_fail(r->c, BZ_EARG, r->site, r->op ? r->op : "grad", "operand %u is NULL", i);
}

static bool room_for(rt_rec *r, unsigned n) {
    r->x = r->few;
    if (n <= RT_FEW) return true;
    bz_context *c = r->c;
    c->recorder->operands.n = 0;
    if (!bz_vec_reserve(&c->recorder->operands, n)) return rt_no_memory(c), false;
    r->x = c->recorder->operands.p;
    return true;
}

/* The nodes of the operands that are numbers (`numbers`) or that are none, into r->x. */
static bool nodes_of(rt_rec *r, ir_op op, bz_tensor *const *x, unsigned n, bool numbers,
                     bz_dtype beside) {
    for (unsigned i = 0; i < n; i++) {
        bz_context *c;
        rt_tensor *t = rt_find_quietly(x[i], &c);
        if (!t || rt_is_number(t->st) != numbers) continue;
        bz_dtype own = beside;
        if (numbers) {
            own = ir_dtype_beside_at(op, i, beside);
            ir_number v = rt_number_of(t->st);
            if (!ir_number_allowed(r->c->epoch->g, op, i, v, ir_number_dtype(v.kind, own)))
                return false;
        }
        if (!(r->x[i] = rt_node(c, t, own))) return false;
    }
    return true;
}

bool rt_begin_op(rt_rec *r, ir_op kind, const char *op, const char *site, bz_tensor *const *x,
                 unsigned n, unsigned optional, bz_dtype beside) {
    *r = (rt_rec){.op = op, .site = site, .border = rt_enter()};
    bool numbers = false;
    bz_context *first = NULL;
    for (unsigned i = 0; i < n && !first; i++) first = rt_context_of(x[i]);
    if (!first) return rt_stray(NULL, BZ_ESCOPE, "[%s] " RT_STALE, op ? op : "grad"), false;
    if (!rt_step_in(&r->visit, first)) return false;
    for (unsigned i = 0; i < n; i++) {
        if (!x[i] && i < 32 && optional >> i & 1) continue;
        rt_tensor *t = operand(r, x, i, first);
        if (!t) {
            if (!x[i]) no_operand(r, x, n, i);
            return false;
        }
        numbers |= rt_is_number(t->st);
    }
    if (!r->c || !room_for(r, n)) return false;
    rt_epoch *e = rt_recording_op(r->c);
    if (!e || !within_ops(r, e)) return false;
    e->g->site = site;
    e->g->op = op;
    memset(r->x, 0, n * sizeof *r->x);
    const bz_dtype low = r->c->autocast.to;
    if (!nodes_of(r, kind, x, n, false, beside)) return false;
    if (ir_is_half(low) && !ir_autocast(e->g, low, kind, op, r->x, n)) return false;
    if (numbers && beside == BZ_NDTYPES) beside = ir_dtype_beside(e->g, kind, r->x, n);
    if (numbers && !nodes_of(r, kind, x, n, true, beside)) return false;
    r->g = e->g;
    r->before = e->g->n.n;
    return true;
}

bool rt_begin(rt_rec *r, const char *op, const char *site, bz_tensor *const *x, unsigned n,
              unsigned optional, bz_dtype beside) {
    return rt_begin_op(r, IR_NIL, op, site, x, n, optional, beside);
}

bool rt_begin_new(rt_rec *r, const char *op, bz_context *c, const char *site) {
    *r = (rt_rec){.op = op, .site = site, .border = rt_enter()};
    if (!rt_arrive(&r->visit, c)) return false;
    r->c = c;
    rt_epoch *e = rt_recording_op(c);
    if (!e || !within_ops(r, e)) return false;
    e->g->site = site;
    e->g->op = op;
    r->g = e->g;
    r->before = e->g->n.n;
    return true;
}

/* What the constructors complained about becomes the context's error; the graph records on. */
static void take_error(bz_context *c, ir_graph *g) {
    if (g->err.status) {
        bz_fail(&c->err, g->err.status, "%s", g->err.text);
        g->err = (bz_error){0};
    }
    g->op = NULL;
    c->m->ex.failed = false;
}

bool rt_new_result(rt_rec *r, ir_ref made, bz_tensor **out, rt_storage **st) {
    bz_context *c = r->c;
    int64_t count;
    *out = NULL;
    if (!made) return false;
    if (!ir_numel(r->g, made, &count))
        return rt_fail(c, BZ_ESHAPE, r->site, ir_ops[ir_at(r->g, made)->op].name,
                       "the result has too many elements"),
               false;
    ir_ref node = ir_own(r->g, made, r->before);
    if (!node) return false;
    *st = rt_storage_new(c, ir_dtype(r->g, node), rt_layout_of_node(c, r->g, node));
    if (!*st) return false;
    rt_storage_join(*st, c->epoch, node);
    *out = rt_tensor_new(c, *st, (*st)->base, 0);
    if (*out) return true;
    (*st)->refs = 1;
    rt_storage_unref(c, *st);
    return false;
}

static bool new_results(rt_rec *r, const ir_ref *nodes, unsigned n, bz_tensor **out,
                        rt_storage **st) {
    for (unsigned i = 0; i < n; i++)
        if (!rt_new_result(r, nodes[i], &out[i], &st[i])) return false;
    return true;
}

void rt_take_errors(rt_rec *r) {
    bz_context *c = r->c;
    if (r->g) take_error(c, c->epoch ? c->epoch->g : r->g);
    if (c && c->epoch && c->epoch->g->err.status) take_error(c, c->epoch->g);
}

void rt_end_visit(rt_rec *r) {
    rt_leave(&r->border);
    rt_depart(&r->visit);
}

/* Has it its place in the recording, and in eager mode its values? */
bool rt_recorded(const rt_rec *r, const char *op, rt_storage *const *st, unsigned n) {
    bz_context *c = r->c;
    if (c->mode == BZ_EAGER && !rt_in_function(c)) {
        rt_does(c, op, r->site);
        if (c->evaluator->eval(c, st, n)) return false;
    }
    rt_count_op(c, r->site);
    return true;
}

bool rt_end_many(rt_rec *r, const ir_ref *nodes, unsigned n, bz_tensor **out) {
    bz_context *c = r->c;
    rt_storage *few[RT_FEW], **st = n <= RT_FEW ? few : bz_mem_alloc(n * sizeof(rt_storage *));
    for (unsigned i = 0; i < n; i++) out[i] = NULL;
    bool done = r->g && st && new_results(r, nodes, n, out, st);
    rt_take_errors(r);
    if (r->g && !done && !c->err.status) rt_no_memory(c);
    if (done) done = rt_recorded(r, r->op ? r->op : ir_ops[ir_at(r->g, nodes[0])->op].name, st, n);
    if (st != few) bz_mem_free(st);
    for (unsigned i = 0; i < n && !done; i++) {
        rt_drop(out[i]);
        out[i] = c ? rt_poison(c) : NULL;
    }
    rt_end_visit(r);
    return done;
}

bz_tensor *rt_end(rt_rec *r, ir_ref node) {
    bz_tensor *out;
    rt_end_many(r, &node, 1, &out);
    return out;
}

bz_tensor *rt_view_new(rt_rec *r, bz_tensor *x, const int64_t *shape, const int64_t *strides,
                       unsigned rank, int64_t offset, ir_ref node) {
    bz_context *c;
    rt_tensor *t = rt_find_quietly(x, &c);
    rt_storage *s = t->st;
    const rt_layout *l = rt_layout_of(c, shape, strides, rank);
    bz_tensor *made = l ? rt_tensor_new(c, s, l, offset) : NULL;
    if (!made) return rt_no_memory(c), NULL;
    rt_tensor *v = rt_find_quietly(made, &c);
    v->node = ir_own(r->g, node, r->before);
    if (!v->node) return rt_drop(made), NULL;
    v->epoch = c->epoch->id;
    v->version = s->version;
    return made;
}

bz_tensor *rt_end_view(rt_rec *r, bz_tensor *x, const int64_t *shape, const int64_t *strides,
                       unsigned rank, int64_t offset, ir_ref node) {
    bz_context *c;
    const rt_tensor *t = rt_find_quietly(x, &c);
    if (!node || !t || rt_is_number(t->st)) return rt_end(r, node);
    bz_tensor *made = rt_view_new(r, x, shape, strides, rank, offset, node);
    if (!made) return rt_end(r, 0);
    rt_count_op(c, r->site);
    rt_end_visit(r);
    return made;
}

void rt_recorder_free(rt_recorder *r) {
    bz_vec_free(&r->operands);
    bz_vec_free(&r->need);
}
