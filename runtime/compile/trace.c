/* trace.c - a function runs on tensors without values: what it records is the graph of a compiled function.
 *
 *      outside a trace:  inputs of a new epoch --fn--> its nodes --> program, or a graph for an export
 *      inside a trace:   copies of in[] --fn--> nodes of the epoch that traces; donated inputs get theirs as an in-place change
 *
 * Both ways the function sees row-major tensors of its own: it may change in place those that are donated, what it makes, and nothing
 * else. */
#include "runtime/compile/trace.h"

#include <string.h>

/* A function's operand: a handle on node r. NULL: no memory. */
bz_tensor *rt_operand_new(bz_context *c, ir_ref r, const rt_layout *l, bool mine) {
    rt_storage *s = r && l ? rt_storage_new(c, ir_dtype(c->epoch->g, r), l) : NULL;
    if (!s) return NULL;
    s->input = !mine;
    rt_storage_join(s, c->epoch, r);
    bz_tensor *x = rt_tensor_new(c, s, s->base, 0);
    if (!x) s->refs = 1, rt_storage_unref(c, s);
    return x;
}

static bz_status failed(bz_context *c) {
    return c->err.status ? c->err.status : rt_no_memory(c);
}

bz_status rt_run_function(bz_context *c, const rt_host_function *f, bz_tensor *const *x,
                          bz_tensor **out) {
    bz_error before = c->err;
    const rt_host_function *outer = c->function;
    bz_mode mode = c->mode;
    rt_autocast regions = c->autocast;
    c->autocast.depth = 0; /* those outside are not the function's to end */
    c->err = (bz_error){0};
    c->function = f;
    rt_border host = rt_go_out(); /* the function is the host's */
    bz_status s = f->fn(c, x, f->nin, out, f->nout, f->user);
    rt_come_back(host);
    c->function = outer;
    c->mode = mode; /* it runs once per signature: what it sets ends with it */
    c->autocast = regions;
    if (!s) s = c->err.status; /* it went on after a mistake: what it gives is not what it means */
    if (before.status) c->err = before;
    if (s)
        bz_fail(&c->err, s, "[%s] the %sfunction gave up%s%s", f->op, f->which,
                f->site ? " at " : "", f->site ? f->site : "");
    return s;
}

static bz_status run_program(bz_program *p, bz_tensor *const *x, bz_tensor **out) {
    if (p->tracing) return rt_fail(p->c, BZ_EMODE, p->site, "compile", "the function calls itself");
    rt_host_function f = {p->fn, p->user, p->nin, p->nout, "compile", "", p->site};
    p->tracing = true;
    bz_status s = rt_run_function(p->c, &f, x, out);
    p->tracing = false;
    return s;
}

bz_status rt_output_tensor(bz_context *c, const rt_host_function *f, int k, bz_tensor *out,
                           const rt_tensor **t) {
    bz_context *of;
    const rt_tensor *x = rt_find_quietly(out, &of);
    if (of && of != c)
        return rt_fail(c, BZ_EARG, f->site, f->op,
                       "output %d of the %sfunction belongs to another context", k, f->which);
    if (!x && of) rt_find(out, &of, f->op);
    if (!x && !c->err.status)
        out ? rt_fail(c, BZ_ESCOPE, f->site, f->op,
                      "output %d of the %sfunction is no tensor that is alive", k, f->which)
            : rt_fail(c, BZ_ESCOPE, f->site, f->op, "the %sfunction did not set output %d",
                      f->which, k);
    *t = x;
    return x ? BZ_OK : c->err.status;
}

bz_status rt_output_node(bz_context *c, const rt_host_function *f, int k, bz_tensor *out,
                         ir_ref *node) {
    bz_context *of;
    const rt_tensor *t;
    const bz_status s = rt_output_tensor(c, f, k, out, &t);
    if (s) return s;
    *node = rt_node(c, rt_find_quietly(out, &of), BZ_NDTYPES);
    return *node ? BZ_OK : failed(c);
}

/* The node of output k, which has to fit the input that is donated to it: dtype t and layout l, NULL = none is. */
static bz_status output_node(bz_program *p, int k, bz_tensor *out, bz_dtype t, const rt_layout *l,
                             ir_ref *node) {
    bz_context *c = p->c;
    rt_host_function f = {.op = "compile", .which = "", .site = p->site};
    bz_status s = rt_output_node(c, &f, k, out, node);
    ir_graph *g = c->epoch->g;
    if (!s && l && (ir_dtype(g, *node) != t || rt_layout_of_node(c, g, *node) != l))
        return rt_fail(c, BZ_ESHAPE, p->site, "compile",
                       "input %d is donated to output %d, which is %s", rt_donor_of(p, k), k,
                       ir_shape_text(g, *node));
    return s;
}

/* ---- a program */

static bool is_named(const bz_program *p, uint32_t input) {
    return input < (uint32_t)p->nin && p->in_names && *p->in_names[input];
}

/* Names of inputs, told apart: those of bz_compile_options stand, those of captured tensors give way to them, and "in3" to all. */
static bool name_inputs(const bz_program *p, const rt_epoch *e) {
    ir_graph *g = e->g;
    uint32_t n = 0, *order = bz_mem_alloc((g->inputs.n + 1) * sizeof *order);
    for (unsigned rank = 0; order && rank < 3; rank++)
        for (uint32_t i = 0; i < g->inputs.n; i++) {
            const rt_storage *s = e->args.p[i].storage;
            unsigned own = is_named(p, i) ? 0 : s && s->name ? 1 : 2;
            if (own == rank) order[n++] = i;
        }
    bool done = order && ir_inputs_tell_apart(g, order);
    bz_mem_free(order);
    return done;
}

static bz_status call_function(bz_program *p, const rt_signature *t, rt_epoch *e) {
    bz_context *c = p->c;
    bz_tensor **x = bz_mem_zero((size_t)(p->nin + p->nout), sizeof *x),
              **out = x ? x + p->nin : NULL;
    bz_status s = x ? BZ_OK : rt_no_memory(c);
    for (int i = 0; i < p->nin && !s; i++) {
        ir_ref r = rt_input_of(c, e, t->dtypes[i], t->layouts[i], false, &(rt_arg){.buf = NULL});
        x[i] = rt_operand_new(c, r, t->layouts[i], p->donate[i] >= 0);
        if (!x[i]) s = rt_no_memory(c);
        if (!s && is_named(p, (uint32_t)i)) e->g->inputs.p[i].name = p->in_names[i];
    }
    if (!s) s = run_program(p, x, out);
    for (int k = 0; k < p->nout && !s; k++) {
        int donor = rt_donor_of(p, k);
        bool fits = donor >= 0;
        ir_ref r = 0;
        s = output_node(p, k, out[k], fits ? t->dtypes[donor] : 0, fits ? t->layouts[donor] : NULL,
                        &r);
        const char *name = s                                  ? NULL
                           : p->out_names && *p->out_names[k] ? p->out_names[k]
                                                              : rt_name(c, false, (uint32_t)k);
        if (!s && (!name || !bz_vec_push(&e->g->outputs, ((ir_output){name, r, donor}))))
            s = rt_no_memory(c);
    }
    bz_mem_free(x);
    return s;
}

/* What a call has to hand to the program beside the caller's inputs. */
static bool take_arguments(bz_program *p, rt_signature *t, rt_epoch *e) {
    t->nargs = e->args.n;
    t->hidden = bz_mem_zero(t->nargs, sizeof(rt_storage *));
    t->bits = bz_mem_zero(t->nargs, sizeof *t->bits);
    t->values = bz_mem_zero(t->nargs, sizeof *t->values);
    t->in = bz_mem_zero(t->nargs, sizeof(rt_buffer *));
    t->out = bz_mem_zero((size_t)p->nout, sizeof(rt_buffer *));
    t->windows = bz_mem_zero((size_t)p->nin, sizeof *t->windows);
    if (!t->hidden || !t->bits || !t->values || !t->in || !t->out || !t->windows) return false;
    for (uint32_t i = 0; i < t->nargs; i++) {
        t->hidden[i] = e->args.p[i].storage;
        if (t->hidden[i]) t->hidden[i]->refs++;
        /* the caller's own memory may change with nobody knowing */
        e->g->inputs.p[i].lasts = t->hidden[i] && t->hidden[i]->kind == RT_VALUE;
        t->bits[i] = e->args.p[i].bits;
    }
    t->key = e->key ? (int)ir_attrs(e->g, ir_at(e->g, e->key))[0] : -1;
    t->base = e->base ? (int)ir_attrs(e->g, ir_at(e->g, e->base))[0] : -1;
    if (t->key >= 0) e->g->inputs.p[t->key].name = "random_seed";
    if (t->base >= 0) e->g->inputs.p[t->base].name = "random_place";
    t->words = e->words;
    t->sources = bz_mem_zero(t->nargs, sizeof *t->sources);
    return t->sources && name_inputs(p, e);
}

/* Each signature's panels are its own: some keep theirs, others pack anew, lest memory goes into sizes. */
static bool may_keep(const bz_program *p) {
    enum { KEEP_MOST = 2 };
    unsigned n = 0;
    for (const rt_signature *t = p->signatures; t; t = t->next) n += t->program->kept > 0;
    return !p->lean && n < KEEP_MOST;
}

static rt_program *new_program(bz_program *p, rt_signature *t, const ir_graph *g, bz_error *e) {
    bz_context *c = p->c;
    const unsigned how = (p->signatures ? RT_ANY_SIZE : 0) | /* there may be more of them */
                         (may_keep(p) ? RT_KEEPS : 0);
    if (t->nviews == 0) return rt_program_new(c, g, how, e);
    ir_graph *own = rt_graph_of_views(c, t, (unsigned)p->nin, g, e);
    rt_program *program = own ? rt_program_new(c, own, how, e) : NULL;
    ir_graph_free(own);
    return program;
}

bz_status rt_trace_function(bz_program *p, rt_signature *t, ir_graph **graph) {
    bz_context *c = p->c;
    bz_error error = {0};
    uint32_t depth = c->slab->scopes.n;
    bz_status s = bz_scope_begin(c);
    if (s) return s;
    rt_epoch *e = rt_epoch_open(c, true);
    if (!e) return rt_scope_end(c), BZ_ENOMEM;
    s = call_function(p, t, e);
    if (!s && !take_arguments(p, t, e)) s = rt_no_memory(c);
    if (!s) {
        if (graph)
            *graph = ir_copy_live(e->g, &error);
        else
            t->program = new_program(p, t, e->g, &error);
        if (t->program) t->recipe = rt_recipe_new(e->g, t->key, t->base, &error);
        if (error.status) s = bz_fail(&c->err, error.status, "%s", error.text);
    }
    while (c->slab->scopes.n > depth) rt_scope_end(c);
    c->epoch = e->next;
    rt_epoch_close(c, e, NULL);
    return s;
}

/* ---- nodes of a trace */

/* The function's operands: the values of in[], which nothing that it does to them reaches. */
static bz_status copy_operands(bz_program *p, bz_tensor *const *in, bz_tensor **x) {
    bz_context *c = p->c, *of;
    ir_graph *g = c->epoch->g;
    for (int i = 0; i < p->nin; i++) {
        rt_tensor *t = rt_find_quietly(in[i], &of);
        bz_dtype type = (bz_dtype)t->st->dtype;
        const rt_layout *l = rt_layout_of(c, t->layout->shape, NULL, t->layout->rank);
        ir_ref r = l ? rt_node(c, t, type) : 0;
        x[i] = rt_operand_new(c, ir_own(g, r, g->n.n), l, p->donate[i] >= 0);
        if (!x[i]) return failed(c);
    }
    return BZ_OK;
}

static bz_status nodes_of_outputs(bz_program *p, bz_tensor *const *in, bz_tensor *const *out,
                                  ir_ref *nodes) {
    bz_status s = BZ_OK;
    for (int k = 0; k < p->nout && !s; k++) {
        bz_context *of;
        int donor = rt_donor_of(p, k);
        const rt_storage *d = donor < 0 ? NULL : rt_find_quietly(in[donor], &of)->st;
        s = output_node(p, k, out[k], d ? (bz_dtype)d->dtype : 0, d ? d->base : NULL, &nodes[k]);
    }
    return s;
}

bz_status rt_inside_begin(bz_context *c, rt_inside *i) {
    rt_epoch *e = c->epoch;
    *i = (rt_inside){e->id, e->outside, c->slab->scopes.n, e->depth, e->g->site};
    bz_status s = bz_scope_begin(c);
    if (s) return s;
    e->inside++;
    e->depth = c->slab->scopes.n - 1;
    e->outside = c->lineage->births;
    return BZ_OK;
}

bool rt_inside_end(bz_context *c, const rt_inside *i) {
    while (c->slab->scopes.n > i->scopes) rt_scope_end(c);
    rt_epoch *e = c->epoch;
    if (!e || e->id != i->epoch)
        return rt_fail(
                   c, BZ_EMODE, i->site, "call",
                   "the recording ended in the function: it changed memory that is not braze's"),
               false;
    e->inside--;
    e->depth = i->depth;
    e->outside = i->outside;
    e->g->site = i->site;
    return true;
}

bz_status rt_lose_kept(bz_context *c, uint64_t births, uint64_t joins, const char *op,
                       const char *site) {
    const bool backward = !strcmp(op, "custom_grad");
    bz_error why = {0};
    bz_status s = BZ_OK;
    bz_fail(&why, BZ_EMODE, "[%s] %s%s%s", op,
            backward ? IR_STAND_IN_USED : "a tensor of its functions is used outside of them",
            site ? " at " : "", site ? site : "");
    for (rt_storage *k = c->epoch->pending, *next; k && k->joined > joins && !s; k = next) {
        next = k->next;
        if (k->first <= births) continue;
        k->version++; /* its handles have no node any more */
        s = rt_lose(c, k, &why);
    }
    return s;
}

/* Runs the function in a scope of its own; nodes: of the outputs. */
static bz_status enter(bz_program *p, bz_tensor *const *in, bz_tensor **x, ir_ref *nodes) {
    rt_inside i;
    bz_status s = rt_inside_begin(p->c, &i);
    if (s) return s;
    s = copy_operands(p, in, x);
    if (!s) s = run_program(p, x, x + p->nin);
    if (!s) s = nodes_of_outputs(p, in, x + p->nin, nodes);
    if (!rt_inside_end(p->c, &i) && !s) s = p->c->err.status;
    return s;
}

bz_status rt_call_inline(bz_program *p, bz_tensor *const *in, bz_tensor **out) {
    bz_context *c = p->c, *of;
    ir_graph *g = c->epoch->g;
    bz_status s = BZ_OK;
    for (int i = 0; i < p->nin && !s; i++)
        if (p->donate[i] >= 0 &&
            !rt_may_change(c, rt_find_quietly(in[i], &of)->st, "call", p->site))
            s = c->err.status;
    bz_tensor **x = bz_mem_zero((size_t)(p->nin + p->nout), sizeof *x);
    ir_ref *nodes = bz_mem_zero((size_t)p->nout, sizeof *nodes);
    if (!s) s = x && nodes ? enter(p, in, x, nodes) : rt_no_memory(c);
    for (int k = 0; k < p->nout && !s; k++) {
        rt_rec r = {.c = c, .g = g, .before = g->n.n, .site = p->site};
        int donor = rt_donor_of(p, k);
        rt_tensor *t = donor < 0 ? NULL : rt_find_quietly(in[donor], &of);
        if (!t)
            out[k] = rt_end(&r, ir_own(g, nodes[k], g->n.n));
        else if (rt_change(&r, t, nodes[k], 0, "call"))
            out[k] = rt_tensor_new(c, t->st, t->st->base, 0);
        if (!out[k] || rt_is_poison(out[k])) s = failed(c);
    }
    bz_mem_free(nodes);
    bz_mem_free(x);
    return s;
}
