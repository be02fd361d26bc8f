/* compile.c - compiled functions: traced once per signature, then called with no recording. A large view that is not row-major is
 * read where it lies (views.c): its strides belong to the signature, where it begins does not.
 *
 *      bz_call --> signature known? --no--> trace: fn on tensors without values -> graph -> program
 *                      | yes
 *                      v
 *      buffers of in[], of hidden inputs (captured tensors), numbers --> run --> handles
 *
 * A donated input's buffer is offered for the output: the program writes it in place, or gives another buffer, which the input
 * takes instead. Where others hold the buffer too, a copy is offered. */
#include "runtime/compile/trace.h"

#include <string.h>

/* ---- life */

static void free_signature(bz_context *c, rt_signature *t) {
    for (uint32_t i = 0; i < t->nargs && t->hidden; i++) rt_storage_unref(c, t->hidden[i]);
    rt_program_free(c, t->program);
    bz_mem_free(t->dtypes);
    bz_mem_free(t->layouts);
    bz_mem_free(t->views);
    bz_mem_free(t->reads);
    bz_mem_free(t->hidden);
    bz_mem_free(t->bits);
    bz_mem_free(t->values);
    bz_mem_free(t->in);
    bz_mem_free(t->out);
    bz_mem_free(t->windows);
    bz_mem_free(t->sources);
    rt_recipe_unref(t->recipe);
    bz_mem_free(t);
}

/* Programs lie where a stale pointer to one is known for what it is. */
enum { PROGRAMS = 1 << 15, PROGRAM_SHIFT = 8 };
static union {
    bz_program p;
    char room[1 << PROGRAM_SHIFT];
} programs[PROGRAMS];
_Static_assert(sizeof *programs == 1 << PROGRAM_SHIFT, "a compiled function fits its slot");
static _Atomic(uint8_t) program_states[PROGRAMS];
static rt_room room = {
    .base = programs, .shift = PROGRAM_SHIFT, .n = PROGRAMS, .state = program_states};

static void forget_signatures(bz_program *p) {
    while (p->signatures) {
        rt_signature *t = p->signatures;
        p->signatures = t->next;
        free_signature(p->c, t);
    }
    p->nsignatures = 0;
    p->held = 0;
}

static void free_program(bz_program *p) {
    forget_signatures(p);
    if (p->next) p->next->prev = p->prev;
    if (p->prev)
        p->prev->next = p->next;
    else if (p->c->programs == p)
        p->c->programs = p->next;
    bz_mem_free(p->donate);
    bz_mem_free(p->pending);
    bz_mem_free(p->in_names);
    bz_mem_free(p->out_names);
    rt_room_open(&room, p, false);
    rt_room_give(&room, p);
}

void rt_programs_free(bz_context *c) {
    while (c->programs) free_program(c->programs);
}

void rt_programs_forget(bz_context *c) {
    for (bz_program *p = c->programs; p; p = p->next) forget_signatures(p);
}

bz_context *rt_context_of_program(const bz_program *p) {
    if (rt_room_has(&room, p)) return p->c;
    rt_stray(NULL, p ? BZ_ESCOPE : BZ_EARG,
             p ? "the compiled function was freed, or was never one"
               : "the compiled function is NULL");
    return NULL;
}

bz_status bz_program_free(bz_program *p) {
    if (!p) return BZ_OK;
    bz_context *c = rt_context_of_program(p);
    if (!c) return RT_STRAY_STATUS;
    RT_VISIT(c, RT_STRAY_STATUS);
    if (rt_in_function(c))
        return rt_fail(c, BZ_EMODE, p->site, "program_free",
                       "a compiled function cannot be freed while one is traced");
    free_program(p);
    return BZ_OK;
}

static bool distinct(bz_context *c, const char *const *names, int n, const char *what,
                     const char *site) {
    for (int i = 0; names && i < n; i++)
        for (int j = 0; names[i] && *names[i] && j < i; j++)
            if (names[j] && !strcmp(names[i], names[j]))
                return rt_fail(c, BZ_EARG, site, "compile", "%s %d and %d are both called '%s'",
                               what, j, i, names[i]),
                       false;
    return true;
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
    return distinct(c, o->in_names, o->nin, "inputs", site) &&
           distinct(c, o->out_names, o->nout, "outputs", site);
}

/* A copy of the list and its texts, one block (bz_mem_free); NULL stays NULL. */
static bool own_names(char ***dst, const char *const *names, int n) {
    size_t bytes = (size_t)n * sizeof **dst;
    if (!names) return true;
    for (int i = 0; i < n; i++) bytes += names[i] ? strlen(names[i]) + 1 : 1;
    if (!(*dst = bz_mem_alloc(bytes))) return false;
    char *at = (char *)(*dst + n);
    for (int i = 0; i < n; i++) {
        (*dst)[i] = at;
        at = stpcpy(at, names[i] ? names[i] : "") + 1;
    }
    return true;
}

bz_program *bz_compile_at(bz_context *c, bz_function *fn, void *user, const bz_compile_options *o,
                          const char *site) {
    RT_VISIT(c, NULL);
    if (!valid(c, o, site)) return NULL;
    if (!fn) return rt_fail(c, BZ_EARG, site, "compile", "no function"), NULL;
    bz_program *p = rt_room_take(&room);
    if (!p)
        return rt_fail(c, BZ_ENOMEM, site, "compile", "there are %d compiled functions", PROGRAMS),
               NULL;
    *p = (bz_program){.c = c,
                      .fn = fn,
                      .user = user,
                      .nin = o->nin,
                      .nout = o->nout,
                      .site = site,
                      .lean = o->lean};
    p->donate = bz_mem_alloc((size_t)o->nin * sizeof *p->donate);
    p->pending = bz_mem_alloc((size_t)o->nin * sizeof(rt_storage *));
    if (!p->donate || !p->pending) {
        free_program(p);
        return rt_no_memory(c), NULL;
    }
    for (int i = 0; i < o->nin; i++) p->donate[i] = o->donate ? o->donate[i] : -1;
    if (!own_names(&p->in_names, o->in_names, o->nin) ||
        !own_names(&p->out_names, o->out_names, o->nout)) {
        free_program(p);
        return rt_no_memory(c), NULL;
    }
    p->next = c->programs;
    if (p->next) p->next->prev = p;
    rt_room_open(&room, p, true);
    return c->programs = p;
}

/* ---- signatures */

enum {
    VIEWS_MOST = 8
}; /* signatures of a function that differ in how inputs lie; beyond, they are copied */

/* `views`: how the inputs lie belongs to it. */
static rt_signature *new_signature(bz_program *p, bz_tensor *const *in, bool views) {
    rt_signature *t = bz_mem_zero(1, sizeof *t);
    if (!t) return NULL;
    t->dtypes = bz_mem_alloc((size_t)p->nin * sizeof *t->dtypes);
    t->layouts = bz_mem_zero((size_t)p->nin, sizeof *t->layouts);
    t->views = bz_mem_zero((size_t)p->nin, sizeof *t->views);
    t->reads = bz_mem_zero((size_t)p->nin, sizeof *t->reads);
    t->autocast = p->c->autocast.to;
    bool done = t->dtypes && t->layouts && t->views && t->reads;
    for (int i = 0; i < p->nin && done; i++) {
        bz_context *c;
        const rt_tensor *x = rt_find_quietly(in[i], &c);
        t->dtypes[i] = (bz_dtype)x->st->dtype;
        t->layouts[i] = rt_layout_of(c, x->layout->shape, NULL, x->layout->rank);
        t->views[i] = views ? rt_view_of(x) : NULL;
        t->nviews += t->views[i] != NULL;
        done = t->layouts[i] != NULL;
    }
    if (done) return t;
    free_signature(p->c, t);
    return NULL;
}

/* ---- calling */

static bool fits(const bz_program *p, const rt_signature *t, bz_tensor *const *in, bool views) {
    if (t->autocast != p->c->autocast.to) return false;
    for (int i = 0; i < p->nin; i++) {
        bz_context *c;
        const rt_tensor *x = rt_find_quietly(in[i], &c);
        if (x->st->dtype != t->dtypes[i]) return false;
        if (t->views[i] != (views ? rt_view_of(x) : NULL)) return false;
        if (x->layout == t->layouts[i]) continue;
        if (x->layout->rank != t->layouts[i]->rank ||
            memcmp(x->layout->shape, t->layouts[i]->shape, x->layout->rank * sizeof(int64_t)))
            return false;
    }
    return true;
}

/* The known signature of these inputs, which becomes the first one; NULL: there is none. */
static rt_signature *known_signature(bz_program *p, bz_tensor *const *in, bool views) {
    for (rt_signature **at = &p->signatures, *t; (t = *at); at = &t->next) {
        if (!fits(p, t, in, views)) continue;
        *at = t->next;
        t->next = p->signatures;
        return p->signatures = t;
    }
    return NULL;
}

/* A new one, and what was not called for the longest time goes where there are too many. */
static rt_signature *add_signature(bz_program *p, rt_signature *t) {
    t->next = p->signatures;
    p->signatures = t;
    p->nsignatures++;
    p->held += t->program->held;
    while (t->next && !rt_plans_room(p->c, p->nsignatures, p->held)) {
        rt_signature **last = &t->next;
        while ((*last)->next) last = &(*last)->next;
        p->nsignatures--;
        p->held -= (*last)->program->held;
        free_signature(p->c, *last);
        *last = NULL;
    }
    return t;
}

/* The same, unless it packs anew what it keeps again and again: then the function keeps nothing from now on. */
static rt_signature *useful_signature(bz_program *p, bz_tensor *const *in, bool views) {
    enum { REFILLED_MOST = 8 };
    rt_signature *t = known_signature(p, in, views);
    if (!t || t->program->refilled < REFILLED_MOST) return t;
    p->lean = true;
    p->signatures = t->next;
    p->nsignatures--;
    p->held -= t->program->held;
    free_signature(p->c, t);
    return NULL;
}

/* The signature of these inputs, traced if need be. */
static rt_signature *find_signature(bz_program *p, bz_tensor *const *in, bz_status *s) {
    rt_signature *t = useful_signature(p, in, true);
    unsigned nviews = 0;
    if (t) return t;
    for (t = p->signatures; t; t = t->next) nviews += t->nviews > 0;
    bool views = nviews < VIEWS_MOST;
    if (!views && (t = useful_signature(p, in, false))) return t;
    t = new_signature(p, in, views);
    *s = t ? rt_trace_function(p, t, NULL) : rt_no_memory(p->c);
    if (*s) {
        if (t) free_signature(p->c, t);
        return NULL;
    }
    return add_signature(p, t);
}

/* What x is instead of a whole tensor; NULL: it is one. */
static const char *not_whole(const rt_tensor *x) {
    const rt_storage *s = x->st;
    if (rt_is_number(s)) return "a bz_scalar";
    if (rt_is_read_only(s)) return "read only (bz_from_dlpack)";
    if (rt_is_whole(x)) return NULL;
    if (s->kind == RT_FOREIGN && x->layout == s->u.home->dense && x->offset == s->u.home->first)
        return "memory with strides of its own (bz_from_buffer)";
    return x->layout->contiguous && x->layout->count == s->base->count
               ? "a view of another shape (bz_reshape)"
               : "a view";
}

/* For bz_`op`. */
static bz_status check_inputs(bz_program *p, bz_tensor *const *in, const char *op) {
    bz_context *c = p->c, *of;
    c->donation++;
    if (!rt_in_function(c)) rt_does(c, op, p->site);
    if (!in && p->nin) return rt_fail(c, BZ_EARG, p->site, op, "no array of %d inputs", p->nin);
    for (int i = 0; i < p->nin; i++) {
        const rt_tensor *x = rt_find(in[i], &of, op);
        if (!x)
            return of && of->err.status
                       ? of->err.status
                       : bz_fail(&c->err, BZ_ESCOPE, "[%s] input %d is no tensor", op, i);
        if (of != c)
            return rt_fail(c, BZ_EARG, p->site, op, "input %d belongs to another context", i);
        const char *part = p->donate[i] >= 0 ? not_whole(x) : NULL;
        if (part)
            return rt_fail(c, BZ_EARG, p->site, op,
                           "donated input %d is %s: only whole tensors can be donated, "
                           "such as a bz_copy of it",
                           i, part);
        if (p->donate[i] >= 0 && x->st->donation == c->donation)
            return rt_fail(c, BZ_EARG, p->site, op,
                           "donated input %d was donated before it: a tensor can take one output",
                           i);
        if (p->donate[i] >= 0) x->st->donation = c->donation;
    }
    return BZ_OK;
}

/* All inputs that have no value yet, in one evaluation. */
static bz_status evaluate_inputs(bz_program *p, bz_tensor *const *in, const rt_signature *t) {
    bz_context *c = p->c;
    unsigned n = 0;
    bz_status s = BZ_OK;
    for (int i = 0; i < p->nin && !s; i++) {
        rt_tensor *x = rt_find_quietly(in[i], &c);
        if (x->st->buf) continue;
        if (rt_is_number(x->st))
            s = rt_eval_handle(x, c, "call");
        else
            p->pending[n++] = x->st;
    }
    if (n && !s) s = rt_eval(c, p->pending, n);
    for (uint32_t i = 0; i < t->nargs && !s; i++)
        if (t->hidden[i] && !t->hidden[i]->buf) s = rt_eval(c, &t->hidden[i], 1);
    return s;
}

bz_status rt_trace(bz_program *p, bz_tensor *const *in, rt_traced *out) {
    *out = (rt_traced){.context = p->c, .key = -1, .base = -1};
    bz_status s = check_inputs(p, in, "export");
    if (s) return s;
    rt_signature *t = new_signature(p, in, false);
    if (!t) return rt_no_memory(p->c);
    s = rt_trace_function(p, t, &out->graph);
    out->own = t;
    out->hidden = t->hidden;
    out->key = t->key;
    out->base = t->base;
    out->words = t->words;
    return s;
}

void rt_traced_free(rt_traced *t) {
    ir_graph_free(t->graph);
    if (t->own) free_signature(t->context, t->own);
}

/* b, or NULL if filling it failed. */
static rt_buffer *if_filled(bz_context *c, rt_buffer *b, bz_status s) {
    if (!s) return b;
    rt_buffer_unref(c, b);
    return NULL;
}

static rt_buffer *copy_of(bz_context *c, const rt_storage *s, const rt_buffer *b) {
    rt_buffer *own = rt_buffer_new(c, (bz_dtype)s->dtype, s->base);
    if (!own) return NULL;
    return if_filled(c, own, rt_move_bytes(rt_start(own), rt_start(b), b->bytes, &c->err));
}

/* The elements that x sees, row-major. */
static rt_buffer *packed(bz_context *c, const rt_tensor *x) {
    bz_dtype t = (bz_dtype)x->st->dtype;
    rt_buffer *own = rt_buffer_new(c, t, x->layout);
    if (!own) return NULL;
    return if_filled(c, own,
                     rt_pack(rt_start(own), rt_element(x->st->buf, t, x->offset), x->layout,
                             ir_dtype_bytes(t), &c->err));
}

/* What the program reads for the input x, in `view` where it is not row-major. NULL: no memory. One reference, or a window's; the
 * window holds its storage's buffer (`next`) for the call, so that a donation of that buffer does not write what the window reads. */
static rt_buffer *argument(bz_context *c, const rt_tensor *x, const rt_layout *view,
                           rt_buffer *window) {
    bz_dtype t = (bz_dtype)x->st->dtype;
    rt_buffer *b = x->st->buf;
    int64_t lo = 0, hi = x->layout->count - 1;
    if (rt_is_whole(x)) return rt_buffer_ref(b);
    if (!x->layout->contiguous && !view) return packed(c, x);
    if (view) rt_layout_reach(view, &lo, &hi);
    *window = (rt_buffer){.memory = b->memory,
                          .at = rt_element(b, t, x->offset + lo).at,
                          .bytes = (size_t)(hi - lo + 1) * ir_dtype_bytes(t),
                          .refs = 2,
                          .foreign = true,
                          .element = (uint8_t)ir_dtype_bytes(t),
                          .dense = view,
                          .first = -lo,
                          .next = rt_buffer_ref(b)};
    return window;
}

/* The caller's memory is about to change: everything recorded reads it first, and is closed, because its input stands for the old value. */
static bz_status settle_homes(bz_program *p, bz_tensor *const *in) {
    bz_context *c = p->c;
    bz_status status = BZ_OK;
    for (int i = 0; i < p->nin && !status; i++) {
        rt_storage *s = rt_find_quietly(in[i], &c)->st;
        if (p->donate[i] < 0 || s->kind != RT_FOREIGN) continue;
        rt_buffer *home = s->u.home;
        if (home->refs == 1u + (s->buf == home)) continue;
        status = rt_flush(c, s);
    }
    return status;
}

/* The donated input's buffer becomes the call's alone. References at this point: the storage's, the call's, a foreign home's. */
static bool own_buffer(bz_context *c, const rt_storage *s, rt_buffer **arg) {
    uint32_t alone = s->kind == RT_FOREIGN && *arg == s->u.home ? 3 : 2;
    if ((*arg)->refs != alone || (*arg)->owner || (*arg)->call == c->calls) {
        rt_buffer *own = copy_of(c, s, *arg);
        if (!own) return false;
        rt_buffer_unref(c, *arg);
        *arg = own;
    }
    (*arg)->call = c->calls;
    return true;
}

static bool gather_arguments(bz_program *p, rt_signature *t, bz_tensor *const *in) {
    bz_context *c = p->c;
    for (uint32_t i = 0; i < t->nargs; i++) t->in[i] = NULL;
    for (int i = 0; i < p->nin; i++) {
        const rt_tensor *x = rt_find_quietly(in[i], &c);
        t->in[i] = argument(c, x, t->reads[i], &t->windows[i]);
        if (!t->in[i]) return false;
    }
    for (uint32_t i = (uint32_t)p->nin; i < t->nargs; i++) {
        const rt_storage *s = t->hidden[i];
        if (s) t->in[i] = rt_buffer_ref(s->buf);
        t->values[i] = s && s->kind != RT_FOREIGN ? s->birth : 0;
    }
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

static void drop_arguments(bz_context *c, rt_signature *t, int nin, int nout) {
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
    if (s->kind == RT_FOREIGN && b != s->u.home) {
        if (rt_buffer_write_home(s->u.home, b, &c->err)) return NULL;
        b = s->u.home;
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

static bz_status hand_out(bz_program *p, rt_signature *t, bz_tensor *const *in, bz_tensor **out) {
    bz_status s = BZ_OK;
    for (int k = 0; k < p->nout; k++) {
        int donor = rt_donor_of(p, k);
        out[k] = donor >= 0 ? donated_result(p, in[donor], t->out[k])
                            : fresh_result(p->c, &t->program->outputs[k], t->out[k]);
        if (!out[k]) s = rt_no_memory(p->c);
    }
    return s;
}

static bz_status run(bz_program *p, rt_signature *t, bz_tensor *const *in, bz_tensor **out) {
    bz_context *c = p->c;
    bz_status s = evaluate_inputs(p, in, t);
    if (!s) s = settle_homes(p, in);
    if (s) return s;
    rt_call_before(p, t, in);
    uint64_t stream = c->stream;
    s = gather_arguments(p, t, in) ? BZ_OK : rt_no_memory(c);
    if (!s) s = rt_program_run(c, t->program, &(rt_call){t->in, t->bits, t->out, t->values});
    if (s) c->stream = stream; /* a call that failed took no numbers */
    if (!s) s = hand_out(p, t, in, out);
    rt_call_after(p, t, out);
    drop_arguments(c, t, p->nin, p->nout);
    return s;
}

bz_status bz_call(bz_program *p, bz_tensor *const *in, bz_tensor **out) {
    RT_BORDER;
    bz_context *c = rt_context_of_program(p);
    if (!c) return RT_STRAY_STATUS;
    RT_VISIT(c, RT_STRAY_STATUS);
    if (!out) return rt_fail(c, BZ_EARG, p->site, "call", "no room for %d outputs", p->nout);
    for (int k = 0; k < p->nout; k++) out[k] = NULL;
    bz_status s = check_inputs(p, in, "call");
    if (!s && rt_in_function(c)) return rt_call_inline(p, in, out);
    rt_signature *t = s ? NULL : find_signature(p, in, &s);
    if (t) s = run(p, t, in, out);
    for (int k = 0; k < p->nout && s; k++) {
        if (out[k]) bz_release(out[k]);
        out[k] = rt_poison(c);
    }
    return s;
}

bz_status bz_prepare(bz_program *p, bz_tensor *const *in) {
    RT_BORDER;
    bz_context *c = rt_context_of_program(p);
    if (!c) return RT_STRAY_STATUS;
    RT_VISIT(c, RT_STRAY_STATUS);
    bz_status s = check_inputs(p, in, "prepare");
    if (!s)
        s = rt_ready(c, "prepare", "nothing is compiled",
                     "call it outside, or bz_call, which becomes a part of it");
    if (!s) find_signature(p, in, &s);
    return s;
}

const rt_program *rt_compiled(const bz_program *p, bz_context **c) {
    *c = p->c;
    return p->signatures ? p->signatures->program : NULL;
}
