/* compile.c - compiled functions: traced once per signature, then called with no recording.
 *
 *      bz_call --> signature known? --no--> trace: fn on tensors without values -> graph -> program
 *                      | yes
 *                      v
 *      buffers of in[], of hidden inputs (captured tensors), numbers --> run --> handles
 *
 * A donated input's buffer is offered for the output: the program writes it in place, or gives another buffer, which the input
 * takes instead. Where others hold the buffer too, a copy is offered. */
#include "runtime/rt.h"

#include <string.h>

typedef struct trace {
    struct trace *next;
    bz_dtype *dtypes;          /* the signature: nin each */
    const rt_layout **layouts; /* row-major */
    rt_program *program;
    uint32_t nargs;      /* inputs of the graph: nin, then hidden ones and numbers */
    rt_storage **hidden; /* per input; NULL where it is none */
    ir_bits *bits;
    int key, base; /* inputs that are the random stream's, -1 = none */
    uint64_t words;
    rt_buffer **in, **out;
    rt_buffer *windows; /* for inputs that are a part of their storage */
} trace;

struct bz_program {
    bz_context *c;
    bz_function *fn;
    void *user;
    int nin, nout;
    int *donate; /* input -> output, -1 */
    const char *site;
    trace *traces;
    bool tracing;         /* fn runs right now: it may not call itself */
    rt_storage **pending; /* room for nin */
    struct bz_program *prev, *next;
};

/* ---- life */

static void free_trace(bz_context *c, trace *t) {
    for (uint32_t i = 0; i < t->nargs && t->hidden; i++) rt_storage_unref(c, t->hidden[i]);
    rt_program_free(c, t->program);
    bz_mem_free(t->dtypes);
    bz_mem_free(t->layouts);
    bz_mem_free(t->hidden);
    bz_mem_free(t->bits);
    bz_mem_free(t->in);
    bz_mem_free(t->out);
    bz_mem_free(t->windows);
    bz_mem_free(t);
}

void bz_program_free(bz_program *p) {
    if (!p) return;
    while (p->traces) {
        trace *t = p->traces;
        p->traces = t->next;
        free_trace(p->c, t);
    }
    if (p->next) p->next->prev = p->prev;
    if (p->prev)
        p->prev->next = p->next;
    else if (p->c->programs == p)
        p->c->programs = p->next;
    bz_mem_free(p->donate);
    bz_mem_free(p->pending);
    bz_mem_free(p);
}

void rt_programs_free(bz_context *c) {
    while (c->programs) bz_program_free(c->programs);
}

static bool valid(bz_context *c, const bz_compile_options *o, const char *site) {
    bool ok = o && o->nin >= 0 && o->nout > 0;
    if (!ok)
        return rt_fail(c, BZ_EARG, site, "compile",
                       "options with nin >= 0 and nout > 0 are needed"),
               false;
    for (int i = 0; o->donate && i < o->nin; i++) {
        if (o->donate[i] < -1 || o->donate[i] >= o->nout)
            return rt_fail(c, BZ_EARG, site, "compile", "input %d is donated to output %d of %d", i,
                           o->donate[i], o->nout),
                   false;
        for (int j = 0; j < i; j++)
            if (o->donate[i] >= 0 && o->donate[j] == o->donate[i])
                return rt_fail(c, BZ_EARG, site, "compile",
                               "inputs %d and %d are donated to the same output", j, i),
                       false;
    }
    return true;
}

bz_program *bz_compile_at(bz_context *c, bz_function *fn, void *user, const bz_compile_options *o,
                          const char *site) {
    if (!c || !valid(c, o, site)) return NULL;
    if (!fn) return rt_fail(c, BZ_EARG, site, "compile", "no function"), NULL;
    bz_program *p = bz_mem_zero(1, sizeof *p);
    if (!p) return rt_no_memory(c), NULL;
    *p = (bz_program){.c = c, .fn = fn, .user = user, .nin = o->nin, .nout = o->nout, .site = site};
    p->donate = bz_mem_alloc((size_t)o->nin * sizeof *p->donate);
    p->pending = bz_mem_alloc((size_t)o->nin * sizeof(rt_storage *));
    if (!p->donate || !p->pending) {
        bz_program_free(p);
        return rt_no_memory(c), NULL;
    }
    for (int i = 0; i < o->nin; i++) p->donate[i] = o->donate ? o->donate[i] : -1;
    p->next = c->programs;
    if (p->next) p->next->prev = p;
    return c->programs = p;
}

/* ---- tracing */

static trace *new_trace(bz_program *p, bz_tensor *const *in) {
    trace *t = bz_mem_zero(1, sizeof *t);
    if (!t) return NULL;
    t->dtypes = bz_mem_alloc((size_t)p->nin * sizeof *t->dtypes);
    t->layouts = bz_mem_alloc((size_t)p->nin * sizeof *t->layouts);
    for (int i = 0; i < p->nin && t->dtypes && t->layouts; i++) {
        bz_context *c;
        const rt_tensor *x = rt_find_quietly(in[i], &c);
        t->dtypes[i] = (bz_dtype)x->st->dtype;
        t->layouts[i] = rt_layout_of(c, x->layout->shape, NULL, x->layout->rank);
        if (!t->layouts[i]) break;
        if (i == p->nin - 1) return t;
    }
    if (p->nin == 0 && t->dtypes && t->layouts) return t;
    free_trace(p->c, t);
    return NULL;
}

/* The function's operands: handles on inputs of the trace. */
static bool make_inputs(bz_program *p, const trace *t, rt_epoch *e, bz_tensor **x) {
    for (int i = 0; i < p->nin; i++) {
        ir_ref r = rt_input_of(p->c, e, t->dtypes[i], t->layouts[i], false, &(rt_arg){.buf = NULL});
        rt_storage *s = r ? rt_storage_new(p->c, t->dtypes[i], t->layouts[i]) : NULL;
        if (!s) return false;
        rt_storage_join(s, e, r);
        x[i] = rt_tensor_new(p->c, s, s->base, 0);
        if (!x[i]) return s->refs = 1, rt_storage_unref(p->c, s), false;
    }
    return true;
}

static int donor_of(const bz_program *p, int output) {
    for (int i = 0; i < p->nin; i++)
        if (p->donate[i] == output) return i;
    return -1;
}

static bz_status add_output(bz_program *p, const trace *t, rt_epoch *e, int k, bz_tensor *out) {
    bz_context *c = p->c, *of;
    rt_tensor *x = rt_find(out, &of);
    if (!x)
        return c->err.status ? c->err.status
                             : rt_fail(c, BZ_ESCOPE, p->site, "compile",
                                       "the function did not set output %d", k);
    ir_ref r = rt_node(c, x, BZ_NDTYPES);
    const char *name = rt_name(c, false, (uint32_t)k);
    int donor = donor_of(p, k);
    if (!r || !name) return c->err.status ? c->err.status : rt_no_memory(c);
    if (donor >= 0 && (ir_dtype(e->g, r) != t->dtypes[donor] ||
                       rt_layout_of_node(c, e->g, r) != t->layouts[donor]))
        return rt_fail(c, BZ_ESHAPE, p->site, "compile",
                       "input %d is donated to output %d, which is %s", donor, k,
                       ir_shape_text(e->g, r));
    return bz_vec_push(&e->g->outputs, ((ir_output){name, r, donor})) ? BZ_OK : rt_no_memory(c);
}

static bz_status apply(bz_program *p, bz_tensor *const *in, bz_tensor **out) {
    if (p->tracing) return rt_fail(p->c, BZ_EMODE, p->site, "compile", "the function calls itself");
    p->tracing = true;
    bz_status s = p->fn(p->c, in, p->nin, out, p->nout, p->user);
    p->tracing = false;
    return s;
}

static bz_status call_function(bz_program *p, const trace *t, rt_epoch *e) {
    bz_context *c = p->c;
    bz_tensor **x = bz_mem_zero((size_t)(p->nin + p->nout), sizeof *x), **out = x + p->nin;
    if (!x) return rt_no_memory(c);
    bz_status s = make_inputs(p, t, e, x) ? BZ_OK : rt_no_memory(c);
    bz_error before = c->err;
    c->err = (bz_error){0};
    if (!s) s = p->fn(c, x, p->nin, out, p->nout, p->user);
    if (!s) s = c->err.status; /* it went on after a mistake: what it gives is not what it means */
    if (before.status) c->err = before;
    if (s)
        bz_fail(&c->err, s, "[compile] the function gave up%s%s", p->site ? " at " : "",
                p->site ? p->site : "");
    for (int k = 0; k < p->nout && !s; k++) s = add_output(p, t, e, k, out[k]);
    bz_mem_free(x);
    return s;
}

/* What a call has to hand to the program beside the caller's inputs. */
static bool take_arguments(bz_program *p, trace *t, rt_epoch *e) {
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
    t->words = e->words;
    return true;
}

/* Traces the function: into a program, or, if `graph` is given, into that. */
static bz_status trace_function(bz_program *p, trace *t, ir_graph **graph) {
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
        if (error.status) s = bz_fail(&c->err, error.status, "%s", error.text);
    }
    while (c->scopes.n > depth) rt_scope_end(c);
    c->epoch = e->next;
    rt_epoch_close(c, e, NULL);
    return s;
}

/* ---- calling */

static bool fits(const bz_program *p, const trace *t, bz_tensor *const *in) {
    for (int i = 0; i < p->nin; i++) {
        bz_context *c;
        const rt_tensor *x = rt_find_quietly(in[i], &c);
        if (x->st->dtype != t->dtypes[i]) return false;
        if (x->layout == t->layouts[i]) continue;
        if (x->layout->rank != t->layouts[i]->rank ||
            memcmp(x->layout->shape, t->layouts[i]->shape, x->layout->rank * sizeof(int64_t)))
            return false;
    }
    return true;
}

/* The trace for this signature, made if need be. */
static trace *find_trace(bz_program *p, bz_tensor *const *in, bz_status *s) {
    for (trace *t = p->traces; t; t = t->next)
        if (fits(p, t, in)) return t;
    trace *t = new_trace(p, in);
    *s = t ? trace_function(p, t, NULL) : rt_no_memory(p->c);
    if (*s) {
        if (t) free_trace(p->c, t);
        return NULL;
    }
    t->next = p->traces;
    return p->traces = t;
}

static bz_status check_inputs(bz_program *p, bz_tensor *const *in) {
    bz_context *c = p->c, *of;
    if (!in && p->nin) return rt_fail(c, BZ_EARG, p->site, "call", "no array of %d inputs", p->nin);
    for (int i = 0; i < p->nin; i++) {
        const rt_tensor *x = rt_find(in[i], &of);
        if (!x)
            return of && of->err.status
                       ? of->err.status
                       : bz_fail(&c->err, BZ_ESCOPE, "[call] input %d is no tensor", i);
        if (of != c)
            return rt_fail(c, BZ_EARG, p->site, "call", "input %d belongs to another context", i);
        if (p->donate[i] >= 0 &&
            (!rt_is_whole(x) || rt_is_number(x->st)))
            return rt_fail(
                c, BZ_EARG, p->site, "call",
                "donated input %d is a view or a bz_scalar: only whole tensors can be donated", i);
    }
    return BZ_OK;
}

/* All inputs that have no value yet, in one evaluation. */
static bz_status evaluate_inputs(bz_program *p, bz_tensor *const *in, const trace *t) {
    bz_context *c = p->c;
    unsigned n = 0;
    bz_status s = BZ_OK;
    for (int i = 0; i < p->nin && !s; i++) {
        rt_tensor *x = rt_find_quietly(in[i], &c);
        if (x->st->buf) continue;
        if (rt_is_number(x->st))
            s = rt_eval_handle(x, c);
        else
            p->pending[n++] = x->st;
    }
    if (n && !s) s = rt_eval(c, p->pending, n);
    for (uint32_t i = 0; i < t->nargs && !s; i++)
        if (t->hidden[i] && !t->hidden[i]->buf) s = rt_eval(c, &t->hidden[i], 1);
    return s;
}

bz_status rt_trace(bz_program *p, bz_tensor *const *in, rt_traced *out) {
    *out = (rt_traced){.context = p->c, .nin = p->nin, .nout = p->nout};
    bz_status s = check_inputs(p, in);
    if (s) return s;
    trace *t = new_trace(p, in);
    if (!t) return rt_no_memory(p->c);
    s = trace_function(p, t, &out->graph);
    free_trace(p->c, t);
    return s;
}

static rt_buffer *copy_of(bz_context *c, const rt_buffer *b) {
    rt_buffer *own = rt_buffer_new(c, b->bytes);
    if (own) memcpy(own->p, b->p, b->bytes);
    return own;
}

/* The input's elements row-major, without a copy where they lie so. NULL: no memory. One reference, or a window's; the window holds
 * its storage's buffer (`next`) for the call, so that a donation of that buffer does not write what the window reads. */
static rt_buffer *argument(bz_context *c, const rt_tensor *x, rt_buffer *window) {
    size_t size = ir_dtype_bytes((bz_dtype)x->st->dtype), bytes = (size_t)x->layout->count * size;
    rt_buffer *b = x->st->buf;
    if (rt_is_whole(x)) return rt_buffer_ref(b);
    if (x->layout->contiguous) {
        *window = (rt_buffer){.p = (char *)b->p + (size_t)x->offset * size,
                              .bytes = bytes,
                              .refs = 2,
                              .foreign = true,
                              .next = rt_buffer_ref(b)};
        return window;
    }
    rt_buffer *packed = rt_buffer_new(c, bytes);
    if (packed) rt_gather_elements(packed->p, b->p, size, x->layout, x->offset);
    return packed;
}

/* The caller's memory is about to change: everything recorded reads it first, and is closed, because its input stands for the old value. */
static bz_status settle_homes(bz_program *p, bz_tensor *const *in) {
    bz_context *c = p->c;
    bz_status status = BZ_OK;
    for (int i = 0; i < p->nin && !status; i++) {
        rt_storage *s = rt_find_quietly(in[i], &c)->st;
        if (p->donate[i] < 0 || s->kind != RT_FOREIGN) continue;
        rt_buffer *home = s->u.owner.home;
        if (home->refs == 1u + (s->buf == home)) continue;
        status = rt_flush(c);
    }
    return status;
}

/* The donated input's buffer becomes the call's alone. References at this point: the storage's, the call's, a foreign home's. */
static bool own_buffer(bz_context *c, const rt_storage *s, rt_buffer **arg) {
    uint32_t alone = s->kind == RT_FOREIGN && *arg == s->u.owner.home ? 3 : 2;
    if ((*arg)->refs != alone || (*arg)->owner || (*arg)->call == c->calls) {
        rt_buffer *own = copy_of(c, *arg);
        if (!own) return false;
        rt_buffer_unref(c, *arg);
        *arg = own;
    }
    (*arg)->call = c->calls;
    return true;
}

static bool gather_arguments(bz_program *p, trace *t, bz_tensor *const *in) {
    bz_context *c = p->c;
    for (uint32_t i = 0; i < t->nargs; i++) t->in[i] = NULL;
    for (int i = 0; i < p->nin; i++) {
        const rt_tensor *x = rt_find_quietly(in[i], &c);
        t->in[i] = argument(c, x, &t->windows[i]);
        if (!t->in[i]) return false;
    }
    for (uint32_t i = (uint32_t)p->nin; i < t->nargs; i++)
        if (t->hidden[i]) t->in[i] = rt_buffer_ref(t->hidden[i]->buf);
    c->calls++;
    for (int i = 0; i < p->nin; i++) {
        if (p->donate[i] < 0) continue;
        const rt_storage *s = rt_find_quietly(in[i], &c)->st;
        if (!own_buffer(c, s, &t->in[i])) return false;
        t->out[p->donate[i]] = rt_buffer_ref(t->in[i]);
    }
    if (t->key >= 0) t->bits[t->key] = c->seed;
    if (t->base >= 0) t->bits[t->base] = c->stream;
    c->stream += t->words;
    return true;
}

static void drop_arguments(bz_context *c, trace *t, int nin, int nout) {
    for (int i = 0; i < nin; i++) {
        rt_buffer_unref(c, t->windows[i].next);
        t->windows[i].next = NULL;
    }
    for (uint32_t i = 0; i < t->nargs; i++) rt_buffer_unref(c, t->in[i]);
    for (int i = 0; i < nout; i++) {
        rt_buffer_unref(c, t->out[i]);
        t->out[i] = NULL;
    }
}

/* The input paired with an output has the new value from now on: in its own buffer, or in b, or in the caller's memory. */
static bz_tensor *donated_result(bz_program *p, bz_tensor *in, rt_buffer *b) {
    bz_context *c = p->c;
    rt_tensor *x = rt_find_quietly(in, &c);
    rt_storage *s = x->st;
    s->version++;
    s->write_op = "call";
    s->write_site = p->site;
    rt_lineage_change(c, s, s->epoch && s->epoch == c->epoch ? s->node : 0);
    rt_storage_leave(c, s); /* its history is not true any more */
    if (s->kind == RT_FOREIGN && b != s->u.owner.home) {
        memcpy(s->u.owner.home->p, b->p, b->bytes);
        b = s->u.owner.home;
    }
    rt_storage_set(c, s, rt_buffer_ref(b));
    return rt_tensor_new(c, s, s->base, 0);
}

static bz_tensor *fresh_result(bz_context *c, const rt_spec *o, rt_buffer *b) {
    rt_storage *s = rt_storage_new(c, o->dtype, o->layout);
    if (!s) return NULL;
    s->buf = rt_buffer_ref(b);
    bz_tensor *h = rt_tensor_new(c, s, s->base, 0);
    if (!h) s->refs = 1, rt_storage_unref(c, s);
    return h;
}

static bz_status hand_out(bz_program *p, trace *t, bz_tensor *const *in, bz_tensor **out) {
    bz_status s = BZ_OK;
    for (int k = 0; k < p->nout; k++) {
        int donor = donor_of(p, k);
        out[k] = donor >= 0 ? donated_result(p, in[donor], t->out[k])
                            : fresh_result(p->c, &t->program->outputs[k], t->out[k]);
        if (!out[k]) s = rt_no_memory(p->c);
    }
    return s;
}

/* Within a trace a call is just the function; donation is the in-place change that it stands for. */
static bz_status call_inline(bz_program *p, bz_tensor *const *in, bz_tensor **out) {
    bz_status s = apply(p, in, out);
    for (int i = 0; i < p->nin && !s; i++)
        if (p->donate[i] >= 0 && rt_is_poison(bz_copy__at(in[i], out[p->donate[i]], p->site)))
            s = p->c->err.status;
    return s;
}

static bz_status run(bz_program *p, trace *t, bz_tensor *const *in, bz_tensor **out) {
    bz_context *c = p->c;
    bz_status s = evaluate_inputs(p, in, t);
    if (!s) s = settle_homes(p, in);
    if (s) return s;
    s = gather_arguments(p, t, in) ? BZ_OK : rt_no_memory(c);
    if (!s) s = rt_program_run(c, t->program, &(rt_call){t->in, t->bits, t->out});
    if (!s) s = hand_out(p, t, in, out);
    drop_arguments(c, t, p->nin, p->nout);
    return s;
}

bz_status bz_call(bz_program *p, bz_tensor *const *in, bz_tensor **out) {
    if (!p) return BZ_EARG;
    bz_context *c = p->c;
    if (!out) return rt_fail(c, BZ_EARG, p->site, "call", "no room for %d outputs", p->nout);
    for (int k = 0; k < p->nout; k++) out[k] = NULL;
    bz_status s = check_inputs(p, in);
    if (!s && c->epoch && c->epoch->tracing) return call_inline(p, in, out);
    trace *t = s ? NULL : find_trace(p, in, &s);
    if (t) s = run(p, t, in, out);
    for (int k = 0; k < p->nout && s; k++) {
        if (out[k]) bz_release(out[k]);
        out[k] = rt_poison(c);
    }
    return s;
}

bz_status bz_prepare(bz_program *p, bz_tensor *const *in) {
    if (!p) return BZ_EARG;
    bz_status s = check_inputs(p, in);
    if (!s) s = rt_ready(p->c);
    if (!s) find_trace(p, in, &s);
    return s;
}

const rt_program *rt_compiled(const bz_program *p, bz_context **c) {
    *c = p->c;
    return p->traces ? p->traces->program : NULL;
}
