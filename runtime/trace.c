/* trace.c - a function runs on tensors without values: what it records is the graph of a compiled function.
 *
 *      outside a trace:  inputs of a new epoch --fn--> its nodes --> program, or a graph for an export
 *      inside a trace:   copies of in[] --fn--> nodes of the epoch that traces; donated inputs get theirs as an in-place change
 *
 * Both ways the function sees row-major tensors of its own: it may change in place those that are donated, what it makes, and nothing
 * else. */
#include "runtime/compiled.h"

#include <string.h>

/* The function's operand i: a handle on node r. */
static bz_tensor *new_operand(bz_program *p, int i, bz_dtype t, const rt_layout *l, ir_ref r) {
    bz_context *c = p->c;
    rt_storage *s = r ? rt_storage_new(c, t, l) : NULL;
    if (!s) return NULL;
    s->input = p->donate[i] < 0;
    rt_storage_join(s, c->epoch, r);
    bz_tensor *x = rt_tensor_new(c, s, s->base, 0);
    if (!x) s->refs = 1, rt_storage_unref(c, s);
    return x;
}

static bz_status failed(bz_context *c) {
    return c->err.status ? c->err.status : rt_no_memory(c);
}

static bz_status run_function(bz_program *p, bz_tensor *const *x, bz_tensor **out) {
    bz_context *c = p->c;
    if (p->tracing) return rt_fail(c, BZ_EMODE, p->site, "compile", "the function calls itself");
    bz_error before = c->err;
    c->err = (bz_error){0};
    p->tracing = true;
    rt_border host = rt_go_out(); /* the function is the host's */
    bz_status s = p->fn(c, x, p->nin, out, p->nout, p->user);
    rt_come_back(host);
    p->tracing = false;
    if (!s) s = c->err.status; /* it went on after a mistake: what it gives is not what it means */
    if (before.status) c->err = before;
    if (s)
        bz_fail(&c->err, s, "[compile] the function gave up%s%s", p->site ? " at " : "",
                p->site ? p->site : "");
    return s;
}

/* The node of output k, which has to fit the input that is donated to it: dtype t and layout l, NULL = none is. */
static bz_status output_node(bz_program *p, int k, bz_tensor *out, bz_dtype t, const rt_layout *l,
                             ir_ref *node) {
    bz_context *c = p->c, *of;
    rt_tensor *x = rt_find_quietly(out, &of);
    if (of && of != c)
        return rt_fail(c, BZ_EARG, p->site, "compile",
                       "output %d of the function belongs to another context", k);
    if (!x && of) rt_find(out, &of);
    if (!x && !c->err.status)
        rt_fail(c, BZ_ESCOPE, p->site, "compile",
                out ? "output %d of the function is no tensor that is alive"
                    : "the function did not set output %d",
                k);
    if (!x) return c->err.status;
    ir_graph *g = c->epoch->g;
    *node = rt_node(c, x, BZ_NDTYPES);
    if (!*node) return failed(c);
    if (l && (ir_dtype(g, *node) != t || rt_layout_of_node(c, g, *node) != l))
        return rt_fail(c, BZ_ESHAPE, p->site, "compile",
                       "input %d is donated to output %d, which is %s", rt_donor_of(p, k), k,
                       ir_shape_text(g, *node));
    return BZ_OK;
}

/* ---- a program */

static bz_status call_function(bz_program *p, const rt_signature *t, rt_epoch *e) {
    bz_context *c = p->c;
    bz_tensor **x = bz_mem_zero((size_t)(p->nin + p->nout), sizeof *x), **out = x + p->nin;
    bz_status s = x ? BZ_OK : rt_no_memory(c);
    for (int i = 0; i < p->nin && !s; i++) {
        ir_ref r = rt_input_of(c, e, t->dtypes[i], t->layouts[i], false, &(rt_arg){.buf = NULL});
        x[i] = new_operand(p, i, t->dtypes[i], t->layouts[i], r);
        if (!x[i]) s = rt_no_memory(c);
        if (!s && p->in_names && *p->in_names[i]) e->g->inputs.p[i].name = p->in_names[i];
    }
    if (!s) s = run_function(p, x, out);
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
    t->in = bz_mem_zero(t->nargs, sizeof(rt_buffer *));
    t->out = bz_mem_zero((size_t)p->nout, sizeof(rt_buffer *));
    t->windows = bz_mem_zero((size_t)p->nin, sizeof *t->windows);
    if (!t->hidden || !t->bits || !t->in || !t->out || !t->windows) return false;
    for (uint32_t i = 0; i < t->nargs; i++) {
        t->hidden[i] = e->args.p[i].storage;
        if (t->hidden[i]) t->hidden[i]->refs++;
        t->bits[i] = e->args.p[i].bits;
    }
    t->key = e->key ? (int)ir_attrs(e->g, ir_at(e->g, e->key))[0] : -1;
    t->base = e->base ? (int)ir_attrs(e->g, ir_at(e->g, e->base))[0] : -1;
    if (t->key >= 0) e->g->inputs.p[t->key].name = "random_seed";
    if (t->base >= 0) e->g->inputs.p[t->base].name = "random_place";
    t->words = e->words;
    t->sources = bz_mem_zero(t->nargs, sizeof *t->sources);
    return t->sources != NULL;
}

bz_status rt_trace_function(bz_program *p, rt_signature *t, ir_graph **graph) {
    bz_context *c = p->c;
    bz_error error = {0};
    uint32_t depth = c->scopes.n;
    bz_status s = bz_scope_begin(c);
    if (s) return s;
    rt_epoch *e = rt_epoch_open(c, true);
    if (!e) return rt_scope_end(c), BZ_ENOMEM;
    s = call_function(p, t, e);
    if (!s && !take_arguments(p, t, e)) s = rt_no_memory(c);
    if (!s) {
        if (graph)
            *graph = rt_graph_copy(e->g, &error);
        else
            t->program = rt_program_new(c, e->g, false, &error);
        if (t->program) t->recipe = rt_recipe_new(e->g, t->key, t->base, &error);
        if (error.status) s = bz_fail(&c->err, error.status, "%s", error.text);
    }
    while (c->scopes.n > depth) rt_scope_end(c);
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
        x[i] = r ? new_operand(p, i, type, l, ir_own(g, r, g->n.n)) : NULL;
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

/* Runs the function in a scope of its own; nodes: of the outputs. */
static bz_status enter(bz_program *p, bz_tensor *const *in, bz_tensor **x, ir_ref *nodes) {
    bz_context *c = p->c;
    rt_epoch *e = c->epoch;
    uint32_t depth = c->scopes.n, depth_before = e->depth;
    uint64_t outside_before = e->outside;
    const char *site = e->g->site;
    bz_status s = bz_scope_begin(c);
    if (s) return s;
    e->depth = c->scopes.n - 1;
    e->outside = c->lineage.births;
    s = copy_operands(p, in, x);
    if (!s) s = run_function(p, x, x + p->nin);
    if (!s) s = nodes_of_outputs(p, in, x + p->nin, nodes);
    while (c->scopes.n > depth) rt_scope_end(c);
    e->depth = depth_before;
    e->outside = outside_before;
    e->g->site = site;
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
        else if (rt_change(&r, t, nodes[k], "call"))
            out[k] = rt_tensor_new(c, t->st, t->st->base, 0);
        if (!out[k] || rt_is_poison(out[k])) s = failed(c);
    }
    bz_mem_free(nodes);
    bz_mem_free(x);
    return s;
}
