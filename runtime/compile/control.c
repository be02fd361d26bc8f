/* control.c - bz_cond, bz_while, bz_for.
 *
 *      outside of functions that are recorded:  the host reads the condition and calls the function, here and now
 *      inside:                                  the functions run once and become graphs (body.c), which a node applies
 *
 * In both ways a function sees operands that it may not change, and its results are tensors of their own. */
#include "runtime/compile/body.h"
#include "runtime/base/watch.h"

#include <string.h>

enum { MOST = 4096 }; /* operands, results */

typedef struct call {
    bz_context *c;
    const char *op, *site;
    bz_function *first, *second; /* then and else; test and body; none and body */
    void *user;
    bz_tensor *pred;
    bz_tensor *const *in;
    unsigned nin, nout;
    bz_tensor **out, **made; /* made: the results, until all are there: out may be in */
    int64_t lo, hi, most;    /* of `for` and of `while` */
} call;

static rt_host_function function_of(const call *q, bz_function *fn, const char *which, unsigned nin,
                                    unsigned nout) {
    return (rt_host_function){fn, q->user, (int)nin, (int)nout, q->op, which, q->site};
}

static bz_status failed(bz_context *c) {
    return c->err.status ? c->err.status : rt_no_memory(c);
}

/* ---- here and now */

/* What a tensor is, whatever becomes of its handle. One reference. */
typedef struct held {
    rt_storage *st;
    const rt_layout *l;
    int64_t offset;
} held;

static held hold(const rt_tensor *t) {
    t->st->refs++;
    return (held){t->st, t->layout, t->offset};
}

static void drop(bz_context *c, held *x, unsigned n) {
    for (unsigned i = 0; i < n; i++) rt_storage_unref(c, x[i].st);
    memset(x, 0, n * sizeof *x);
}

static bz_tensor *handle_on(bz_context *c, const held *x) {
    return rt_tensor_new(c, x->st, x->l, x->offset);
}

/* In a scope of its own, which the caller opened. */
static bz_status run_in_scope(const call *q, const rt_host_function *f, const held *x,
                              bz_tensor **work, held *out) {
    for (int j = 0; j < f->nin; j++)
        if (!(work[j] = handle_on(q->c, &x[j]))) return failed(q->c);
    bz_status s = rt_run_function(q->c, f, work, work + f->nin);
    for (int k = 0; k < f->nout && !s; k++) {
        bz_context *of;
        s = rt_check_result(q->c, f, k, work[f->nin + k]);
        if (!s) out[k] = hold(rt_find_quietly(work[f->nin + k], &of));
    }
    return s;
}

/* Calls f with operands x; out: zeros, then what it gives, which is dropped in either case. */
static bz_status run_here(const call *q, const rt_host_function *f, const held *x, held *out) {
    bz_context *c = q->c;
    const uint32_t depth = c->slab->scopes.n;
    const uint64_t outside = c->outside;
    bz_tensor **work = bz_mem_zero((size_t)(f->nin + f->nout), sizeof *work);
    bz_status s = work && rt_recording_op(c) ? bz_scope_begin(c) : rt_no_memory(c);
    if (!s) {
        c->outside = c->lineage->births;
        s = run_in_scope(q, f, x, work, out);
        c->outside = outside;
        while (c->slab->scopes.n > depth) rt_scope_end(c);
    }
    bz_mem_free(work);
    return s;
}

/* The condition's value: a realisation point. */
static bz_status read_condition(const call *q, rt_tensor *t, const char *what, bool *yes) {
    ir_bits bits = 0;
    if (t->st->dtype != BZ_BOOL || t->layout->rank)
        return rt_fail(q->c, BZ_EDTYPE, q->site, q->op, "%s must be bool[], got %s with %u axes",
                       what, ir_dtypes[t->st->dtype].name, t->layout->rank);
    rt_does(q->c, q->op, q->site);
    bz_status s = rt_eval_handle(t, q->c, q->op);
    if (!s) s = rt_load(rt_element(t->st->buf, BZ_BOOL, t->offset), BZ_BOOL, &bits, &q->c->err);
    *yes = bits != 0;
    return s;
}

static bz_status condition_holds(const call *q, const held *x, bool *yes) {
    bz_context *c;
    bz_tensor *h = handle_on(q->c, x);
    if (!h) return failed(q->c);
    const bz_status s = read_condition(q, rt_find_quietly(h, &c), "the test's result", yes);
    rt_drop(h);
    return s;
}

/* Result k as a tensor of its own: what the function made; of what is somebody else's a copy. births: storages before the call. */
static bz_status give(const call *q, const held *x, unsigned k, uint64_t births) {
    bool own = x[k].st->first > births && x[k].l == x[k].st->base && x[k].offset == 0 &&
               x[k].st->kind == RT_VALUE;
    for (unsigned i = 0; i < k; i++) own &= x[i].st != x[k].st;
    bz_tensor *h = handle_on(q->c, &x[k]);
    if (h && !own) {
        bz_tensor *copy = bz_copy_at(h, q->site);
        rt_drop(h);
        h = copy;
    }
    q->made[k] = h;
    return h && !rt_is_poison(h) ? BZ_OK : failed(q->c);
}

static bz_status give_all(const call *q, const held *x, uint64_t births) {
    bz_status s = BZ_OK;
    for (unsigned k = 0; k < q->nout && !s; k++) s = give(q, x, k, births);
    return s;
}

static bool same_shape(const rt_layout *a, const rt_layout *b) {
    return a->rank == b->rank &&
           (!a->rank || !memcmp(a->shape, b->shape, a->rank * sizeof *a->shape));
}

static void print_type(bz_text *t, const held *x) {
    bz_textf(t, "%s[", ir_dtypes[x->st->dtype].name);
    for (unsigned i = 0; i < x->l->rank; i++)
        bz_textf(t, "%s%lld", i ? "," : "", (long long)x->l->shape[i]);
    bz_text_str(t, "]");
}

/* What goes round keeps its type. */
static bz_status check_round(const call *q, const held *x, const held *y) {
    for (unsigned j = 0; j < q->nin; j++) {
        const bool same = x[j].st->dtype == y[j].st->dtype;
        bz_text a = {0}, b = {0};
        if (same && same_shape(x[j].l, y[j].l)) continue;
        print_type(&a, &x[j]);
        print_type(&b, &y[j]);
        rt_fail(q->c, same ? BZ_ESHAPE : BZ_EDTYPE, q->site, q->op,
                "the body makes %s of operand %u, which is %s", bz_text_c(&b), j, bz_text_c(&a));
        bz_text_free(&a);
        bz_text_free(&b);
        return q->c->err.status;
    }
    return BZ_OK;
}

static bz_status cond_here(const call *q, const held *x, held *y) {
    bz_context *of;
    bool yes;
    const uint64_t births = q->c->lineage->births;
    bz_status s = read_condition(q, rt_find_quietly(q->pred, &of), "the condition", &yes);
    if (s) return s;
    const rt_host_function f = yes ? function_of(q, q->first, "then ", q->nin, q->nout)
                                   : function_of(q, q->second, "else ", q->nin, q->nout);
    s = run_here(q, &f, x, y);
    return s ? s : give_all(q, y, births);
}

/* The turn's number as a tensor. */
static bz_status number_of_turn(const call *q, int64_t i, held *out) {
    rt_rec r;
    bz_context *of;
    bz_tensor *h = NULL;
    if (rt_begin_new(&r, q->op, q->c, q->site))
        h = rt_end(&r, rt_scalar_node(q->c, BZ_I64, ir_bits_from_i64(BZ_I64, i)));
    else
        rt_end(&r, 0);
    if (!h || rt_is_poison(h)) return failed(q->c);
    *out = hold(rt_find_quietly(h, &of));
    rt_drop(h);
    return BZ_OK;
}

/* Body once more: x's values, from x[1] on, become new ones. y: room. */
static bz_status turn(const call *q, const rt_host_function *body, bool counts, held *x, held *y) {
    bz_status s = run_here(q, body, counts ? x : x + 1, y);
    if (!s) s = check_round(q, x + 1, y);
    if (s) return s;
    drop(q->c, x + 1, q->nin);
    memcpy(x + 1, y, q->nin * sizeof *x);
    memset(y, 0, q->nin * sizeof *y);
    return BZ_OK;
}

static bz_status while_here(const call *q, held *x, held *y) {
    const uint64_t births = q->c->lineage->births;
    const rt_host_function test = function_of(q, q->first, "test ", q->nin, 1),
                           body = function_of(q, q->second, "body ", q->nin, q->nin);
    bz_status s = BZ_OK;
    for (int64_t i = 0; !s && (!q->most || i < q->most); i++) {
        bool go = false;
        s = rt_take_interrupt(q->c, "ran", &q->c->err);
        if (!s) s = run_here(q, &test, x + 1, y);
        if (!s) s = condition_holds(q, y, &go);
        drop(q->c, y, 1);
        if (s || !go) break;
        s = turn(q, &body, false, x, y);
    }
    return s ? s : give_all(q, x + 1, births);
}

static bz_status for_here(const call *q, held *x, held *y) {
    const uint64_t births = q->c->lineage->births;
    const rt_host_function body = function_of(q, q->second, "body ", q->nin + 1, q->nin);
    bz_status s = BZ_OK;
    for (int64_t i = q->lo; i < q->hi && !s; i++) {
        s = rt_take_interrupt(q->c, "ran", &q->c->err);
        if (!s) s = number_of_turn(q, i, x);
        if (!s) s = turn(q, &body, true, x, y);
        drop(q->c, x, 1);
    }
    return s ? s : give_all(q, x + 1, births);
}

/* x[0]: the turn's number, x[1] ...: the operands; y: results of a function. */
static bz_status here(const call *q) {
    const unsigned room = q->nin > q->nout ? q->nin : q->nout;
    held *x = bz_mem_zero((size_t)q->nin + 1 + room + 1, sizeof *x);
    if (!x) return rt_no_memory(q->c);
    held *y = x + q->nin + 1;
    for (unsigned j = 0; j < q->nin; j++) {
        bz_context *of;
        x[1 + j] = hold(rt_find_quietly(q->in[j], &of));
    }
    const bz_status s = q->pred    ? cond_here(q, x + 1, y)
                        : q->first ? while_here(q, x, y)
                                   : for_here(q, x, y);
    drop(q->c, x, q->nin + 1);
    drop(q->c, y, room);
    bz_mem_free(x);
    return s;
}

/* ---- as a node */

/* The place in the random stream, of a trace or of the context. */
static uint64_t *place(bz_context *c) {
    return c->epoch->tracing ? &c->epoch->words : &c->stream;
}

/* Both branches draw from the same place on: one of them will. */
static bz_status record_branches(const call *q, rt_bodies *l, rt_body *b, const ir_ref *x) {
    ir_graph *g = l->rec->g;
    const uint64_t before = *place(q->c);
    bz_status s = rt_body_record(l, &b[0], x + 1);
    const uint64_t one = *place(q->c);
    if (!s) *place(q->c) = before;
    if (!s) s = rt_body_record(l, &b[1], x + 1);
    if (!s && *place(q->c) < one) *place(q->c) = one;
    for (unsigned k = 0; k < q->nout && !s; k++) {
        const ir_ref y = b[0].out[k], z = b[1].out[k];
        if (ir_same_type(g, y, g, z)) continue;
        s = rt_fail(q->c, ir_dtype(g, y) == ir_dtype(g, z) ? BZ_ESHAPE : BZ_EDTYPE, q->site, q->op,
                    "result %u is %s where the condition holds, and %s where it does not", k,
                    ir_shape_text(g, y), ir_shape_text(g, z));
    }
    return s;
}

static bz_status no_random(const call *q, const char *of) {
    return rt_fail(q->c, BZ_EMODE, q->site, q->op,
                   "the %s draws random numbers, whose place in the stream hangs on the number of "
                   "turns: only bz_for in a function of bz_compile knows it",
                   of);
}

static bz_status check_recorded_round(const call *q, const rt_bodies *l, const rt_body *b,
                                      const ir_ref *x) {
    ir_graph *g = l->rec->g;
    for (unsigned j = 0; j < q->nin; j++) {
        if (ir_same_type(g, x[j], g, b->out[j])) continue;
        return rt_fail(q->c, ir_dtype(g, x[j]) == ir_dtype(g, b->out[j]) ? BZ_ESHAPE : BZ_EDTYPE,
                       q->site, q->op, "the body makes %s of operand %u, which is %s",
                       ir_shape_text(g, b->out[j]), j, ir_shape_text(g, x[j]));
    }
    return BZ_OK;
}

static bz_status record_loop(const call *q, rt_bodies *l, rt_body *b, const ir_ref *x) {
    ir_graph *g = l->rec->g;
    const uint64_t before = *place(q->c);
    bz_status s = rt_body_record(l, &b[0], x);
    if (!s && *place(q->c) != before) s = no_random(q, "test");
    if (!s && (ir_dtype(g, b[0].out[0]) != BZ_BOOL || ir_at(g, b[0].out[0])->rank))
        s = rt_fail(q->c, BZ_EDTYPE, q->site, q->op, "the test's result must be bool[], got %s",
                    ir_shape_text(g, b[0].out[0]));
    if (!s) s = rt_body_record(l, &b[1], x);
    if (!s && *place(q->c) != before) s = no_random(q, "body");
    return s ? s : check_recorded_round(q, l, &b[1], x);
}

/* x[0]: the first turn's number. */
static bz_status record_turns(const call *q, rt_bodies *l, rt_body *b, const ir_ref *x) {
    bz_context *c = q->c;
    const uint64_t before = *place(c);
    bz_status s = rt_body_record(l, b, x);
    if (!s && *place(c) != before && !c->epoch->tracing) s = no_random(q, "body");
    if (s) return s;
    l->lo = q->lo;
    l->words = *place(c) - before;
    l->random = l->words ? c->epoch->base : 0;
    *place(c) = before + l->words * (uint64_t)q->most;
    return check_recorded_round(q, l, b, x + 1);
}

static ir_ref append(const call *q, const rt_bodies *l, const rt_body *b, const ir_ref *x) {
    ir_graph *g = l->rec->g;
    const bool counts = !q->pred && !q->first;
    const unsigned own = q->pred ? q->nin : counts ? q->nin + 1 : q->nin, n = own + l->captured.n;
    ir_ref *all = bz_arena_alloc(&g->arena, (n + 1) * sizeof *all), made = 0;
    if (!all) return 0;
    for (unsigned i = 0; i < own; i++) all[i] = x[q->pred ? i + 1 : i];
    for (unsigned i = own; i < n; i++) all[i] = l->captured.p[i - own];
    const int64_t one = counts ? rt_true_graph(l, b) : rt_body_graph(l, &b[0], false),
                  two = one < 0 ? -1 : rt_body_graph(l, counts ? b : &b[1], counts);
    if (two >= 0)
        made = q->pred ? ir_cond(g, one, two, x[0], all, n)
                       : ir_while(g, one, two, all, n, l->captured.n, q->most);
    ir_module_drop(g->m, one);
    ir_module_drop(g->m, two);
    return made;
}

/* x: the nodes of the condition, or of the first turn's number, if there is one, then of the operands. work: room for the bodies'. */
static bool record(const call *q, rt_rec *r, const ir_ref *x, ir_ref *work, ir_ref *results) {
    const bool counts = !q->pred && !q->first;
    rt_bodies l = {.rec = r, .line = r->g->n.n};
    const unsigned n = q->nin + counts;
    rt_body b[2] = {
        {function_of(q, q->first, q->pred ? "then " : "test ", n, q->pred ? q->nout : 1), work,
         work + n},
        {function_of(q, q->second, q->pred ? "else " : "body ", n, q->nout), work + n + q->nout + 1,
         work + 2 * n + q->nout + 1}};
    rt_body *first = counts ? &b[1] : b;
    bz_status s = q->pred    ? record_branches(q, &l, b, x)
                  : q->first ? record_loop(q, &l, b, x)
                             : record_turns(q, &l, first, x);
    ir_ref made = 0;
    if (!s && rt_bodies_capture(&l, first, counts ? 1 : 2)) made = append(q, &l, first, x);
    for (unsigned k = 0; k < q->nout; k++)
        results[k] = made ? ir_result(r->g, made, k + counts) : 0;
    bz_vec_free(&l.captured);
    return made != 0;
}

/* Its operands as nodes of the recording, into x. */
static bool begin(const call *q, rt_rec *r, bz_tensor **in, ir_ref *x) {
    const unsigned n = q->nin + (q->pred != NULL), counts = !q->pred && !q->first;
    memcpy(in + (q->pred != NULL), q->in, q->nin * sizeof *in);
    in[0] = q->pred ? q->pred : q->nin ? q->in[0] : NULL;
    if (!(n ? rt_begin(r, q->op, q->site, in, n, 0, BZ_NDTYPES)
            : rt_begin_new(r, q->op, q->c, q->site)))
        return false;
    memcpy(x + counts, r->x, n * sizeof *x); /* where other calls have their operands, too */
    if (counts) x[0] = ir_const_i(r->g, BZ_I64, q->lo);
    return true;
}

static bool check_condition(const call *q, const rt_rec *r, ir_ref pred) {
    if (!q->pred || (ir_dtype(r->g, pred) == BZ_BOOL && !ir_at(r->g, pred)->rank)) return true;
    rt_fail(q->c, BZ_EDTYPE, q->site, q->op, "the condition must be bool[], got %s",
            ir_shape_text(r->g, pred));
    return false;
}

static bz_status as_node(const call *q) {
    const size_t n = q->nin + (size_t)1;
    rt_rec r;
    bz_tensor **in = bz_mem_zero(n, sizeof *in);
    ir_ref *x = bz_mem_zero(3 * n + 3 * ((size_t)q->nout + 1), sizeof *x), *work = x + n,
           *results = work + 2 * n + 2 * ((size_t)q->nout + 1);
    bool done = false;
    if (!in || !x) {
        rt_no_memory(q->c);
    } else if (begin(q, &r, in, x)) {
        const bool turns = q->pred || q->first || q->most > 0;
        if (!turns)
            memcpy(results, x + 1, q->nin * sizeof *x);
        else if (!check_condition(q, &r, x[0]) || !record(q, &r, x, work, results))
            memset(results, 0, q->nout * sizeof *results);
        done = rt_end_many(&r, results, q->nout, q->made);
    } else {
        rt_end(&r, 0);
    }
    bz_mem_free(in);
    bz_mem_free(x);
    return done ? BZ_OK : failed(q->c);
}

/* ---- the calls */

static bz_status check_operand(const call *q, bz_tensor *x, const char *what, unsigned number) {
    bz_context *of;
    const rt_tensor *t = rt_find(x, &of, q->op);
    if (!t)
        return of == q->c
                   ? failed(q->c)
                   : rt_fail(q->c, BZ_ESCOPE, q->site, q->op, "%s %u is no tensor", what, number);
    if (of != q->c)
        return rt_fail(q->c, BZ_EARG, q->site, q->op, "%s %u belongs to another context", what,
                       number);
    if (rt_is_number(t->st))
        return rt_fail(q->c, BZ_EARG, q->site, q->op, "%s %u is a bz_scalar: make a tensor of it",
                       what, number);
    return BZ_OK;
}

static bz_status check(const call *q, bool functions, bool pred) {
    const char *what = !functions                      ? "a function is NULL"
                       : pred && !q->pred              ? "the condition is NULL"
                       : (!q->in && q->nin) || !q->out ? "a list is NULL"
                       : q->nin > MOST                 ? "at most 4096 operands are possible"
                       : q->nout - 1 >= MOST           ? "1 to 4096 results are needed"
                       : q->most < 0                   ? "the most turns are a negative number"
                                                       : NULL;
    if (what) return rt_fail(q->c, BZ_EARG, q->site, q->op, "%s", what);
    bz_status s = q->pred ? check_operand(q, q->pred, "condition", 0) : BZ_OK;
    for (unsigned j = 0; j < q->nin && !s; j++) s = check_operand(q, q->in[j], "operand", j);
    return s;
}

static bz_status run(call *q, bool functions, bool pred) {
    bz_status s = check(q, functions, pred);
    q->made = s ? NULL : bz_mem_zero(q->nout, sizeof *q->made);
    if (!s && !q->made) s = rt_no_memory(q->c);
    if (!s) s = rt_in_function(q->c) ? as_node(q) : here(q);
    for (unsigned k = 0; q->out && k < q->nout && k < MOST; k++) {
        if (s && q->made) rt_drop(q->made[k]);
        q->out[k] = s ? rt_poison(q->c) : q->made[k];
    }
    bz_mem_free(q->made);
    return s;
}

bz_status bz_cond_at(bz_context *c, bz_tensor *pred, bz_function *then, bz_function *otherwise,
                     void *user, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                     const char *site) {
    RT_VISIT(c, RT_STRAY_STATUS);
    call q = {.c = c,
              .op = "cond",
              .site = site,
              .first = then,
              .second = otherwise,
              .user = user,
              .pred = pred,
              .in = in,
              .nin = (unsigned)nin,
              .nout = (unsigned)nout,
              .out = out};
    return run(&q, then && otherwise, true);
}

bz_status bz_while_at(bz_context *c, bz_function *test, bz_function *body, void *user, int64_t most,
                      bz_tensor *const *in, int nin, bz_tensor **out, const char *site) {
    RT_VISIT(c, RT_STRAY_STATUS);
    call q = {.c = c,
              .op = "while",
              .site = site,
              .first = test,
              .second = body,
              .user = user,
              .in = in,
              .nin = (unsigned)nin,
              .nout = (unsigned)nin,
              .out = out,
              .most = most};
    return run(&q, test && body, false);
}

bz_status bz_for_at(bz_context *c, int64_t lo, int64_t hi, bz_function *body, void *user,
                    bz_tensor *const *in, int nin, bz_tensor **out, const char *site) {
    RT_VISIT(c, RT_STRAY_STATUS);
    int64_t turns = 0;
    if (hi > lo && __builtin_sub_overflow(hi, lo, &turns)) turns = -1;
    call q = {.c = c,
              .op = "for",
              .site = site,
              .second = body,
              .user = user,
              .in = in,
              .nin = (unsigned)nin,
              .nout = (unsigned)nin,
              .out = out,
              .lo = lo,
              .hi = hi,
              .most = turns};
    return run(&q, body != NULL, false);
}
