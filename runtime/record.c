/* record.c - epochs: what was recorded since recording last began, as one graph.
 *
 *      open epoch:    x ---> add ---> exp ---> sum          storages point at nodes; evaluated nodes are kept
 *      closed epoch:  storages with a value let go; one without moves its nodes to the open epoch when it is used again
 *
 * An epoch and its graph are recycled: a steady loop records into memory that is there. */
#include "runtime/rt.h"

#include <string.h>

/* ---- life of an epoch */

void rt_graph_reset(ir_graph *g) {
    g->name = "recorded"; /* the arena goes */
    g->n.n = g->sites.n = 1;
    g->dims.n = g->operands.n = g->attrs.n = 0;
    g->inputs.n = g->outputs.n = 0;
    memset(g->slots, 0, g->nslots * sizeof *g->slots);
    g->site = NULL;
    g->err = (bz_error){0};
    bz_arena_reset(&g->arena);
}

rt_epoch *rt_epoch_open(bz_context *c, bool tracing) {
    rt_epoch *e = c->idle;
    if (e) {
        c->idle = e->next;
    } else {
        e = bz_mem_zero(1, sizeof *e);
        if (e) e->g = ir_graph_new(c->m, "recorded");
        if (!e || !e->g || !bz_vec_reserve(&c->closed, c->closed.n + 1)) {
            if (e) ir_graph_free(e->g);
            bz_mem_free(e);
            rt_no_memory(c);
            return NULL;
        }
    }
    e->id = ++c->epochs;
    e->open = true;
    e->tracing = tracing;
    e->inside = 0;
    e->outside = c->lineage.births;
    e->depth = c->scopes.n - 1;
    e->next = tracing ? c->epoch : NULL;
    return c->epoch = e;
}

rt_epoch *rt_recording(bz_context *c) {
    return c->epoch ? c->epoch : rt_epoch_open(c, false);
}

void rt_epoch_free(rt_epoch *e) {
    ir_graph_free(e->g);
    bz_vec_free(&e->args);
    bz_vec_free(&e->kept);
    bz_vec_free(&e->fixed);
    bz_vec_free(&e->sources);
    bz_mem_free(e->moved);
    bz_mem_free(e);
}

static void recycle(bz_context *c, rt_epoch *e) {
    for (uint32_t i = 0; i < e->args.n; i++) {
        rt_buffer_unref(c, e->args.p[i].buf);
        rt_storage_unref(c, e->args.p[i].storage);
    }
    for (uint32_t i = 0; i < e->kept.n; i++) rt_buffer_unref(c, e->kept.p[i]);
    for (uint32_t i = 0; i < e->sources.n; i++) {
        rt_past_unref(e->sources.p[i].past);
        rt_made_unref(e->sources.p[i].made);
    }
    e->sources.n = 0;
    e->args.n = e->kept.n = e->nkept = 0;
    e->kept_bytes = e->sweep_at = e->fixed_bytes = 0;
    e->cut_at = 0;
    e->fixed.n = 0;
    e->writes = false;
    e->key = e->base = 0;
    e->words = e->moved_to = 0;
    e->id = 0;
    rt_graph_reset(e->g);
    e->next = c->idle;
    c->idle = e;
}

void rt_epoch_drop(bz_context *c, rt_epoch *e) {
    if (e->open || e->pending || e->settled) return;
    for (uint32_t i = 0; i < c->closed.n; i++)
        if (c->closed.p[i] == e) c->closed.p[i--] = c->closed.p[--c->closed.n];
    recycle(c, e);
}

void rt_epoch_close(bz_context *c, rt_epoch *e, const char *why) {
    if (!e->tracing) rt_lineage_end(c, e, why);
    while (e->settled) rt_storage_leave(c, e->settled); /* e is open still: it stays */
    e->open = false;
    if (!e->pending || !bz_vec_push(&c->closed, e)) rt_epoch_drop(c, e);
}

void rt_epoch_end(bz_context *c, const char *why) {
    rt_epoch *e = c->epoch;
    if (!e) return;
    c->epoch = NULL;
    rt_epoch_close(c, e, why);
}

/* ---- inputs */

ir_ref rt_input_of(bz_context *c, rt_epoch *e, bz_dtype t, const rt_layout *l, bool scalar,
                   const rt_arg *a) {
    ir_graph *g = e->g;
    int64_t number = g->inputs.n;
    const char *name = rt_name(c, true, g->inputs.n);
    if (!name || !bz_vec_reserve(&g->inputs, 1) || !bz_vec_reserve(&e->args, 1))
        return rt_no_memory(c), 0;
    ir_ref r = ir_append(g, IR_INPUT, t, l->dims, l->rank, NULL, 0, &number, 1);
    if (!r) return 0;
    bz_vec_push(&g->inputs, ((ir_input){.name = name, .node = r, .scalar = scalar}));
    bz_vec_push(&e->args, *a);
    if (a->buf) rt_buffer_ref(a->buf);
    if (a->storage) a->storage->refs++;
    return r;
}

ir_ref rt_scalar_node(bz_context *c, bz_dtype t, ir_bits bits) {
    rt_epoch *e = rt_recording(c);
    if (!e) return 0;
    if (e->tracing) return ir_const_bits(e->g, t, bits, NULL, 0);
    return rt_input_of(c, e, t, c->scalar_layout, true, &(rt_arg){.bits = bits});
}

/* The input that stands for a buffer: made at its first use in the epoch. */
static ir_ref buffer_node(bz_context *c, rt_epoch *e, rt_buffer *b, bz_dtype t,
                          const rt_layout *l) {
    if (b->epoch != e->id || b->dtype != t) {
        ir_ref r = rt_input_of(c, e, t, l, false, &(rt_arg){.buf = b});
        if (!r) return 0;
        b->epoch = e->id;
        b->input = r;
        b->layout = l;
        b->dtype = t;
    }
    return b->layout == l ? b->input : ir_reshape_dims(e->g, b->input, l->dims, l->rank);
}

/* A tensor from outside, in a function that is traced: an input that the caller does not see. */
static ir_ref hidden_input(bz_context *c, rt_epoch *e, rt_storage *s) {
    for (uint32_t i = 0; i < e->args.n; i++)
        if (e->args.p[i].storage == s) return e->g->inputs.p[i].node;
    ir_ref r = rt_input_of(c, e, (bz_dtype)s->dtype, s->base, false, &(rt_arg){.storage = s});
    if (!r || !s->name) return r;
    const char *name = bz_arena_str(&e->g->arena, s->name);
    if (!name) return rt_no_memory(c), 0;
    e->g->inputs.p[e->g->inputs.n - 1].name = name;
    return r;
}

/* ---- moving nodes of a closed epoch to the one that records */

static rt_buffer *kept(const rt_epoch *e, ir_ref r) {
    return r < e->kept.n ? e->kept.p[r] : NULL;
}

static bool prepare_moved(bz_context *c, rt_epoch *from, const rt_epoch *to) {
    if (from->nmoved < from->g->n.n) {
        ir_ref *p = bz_mem_grow(from->moved, from->g->n.n * sizeof *p);
        if (!p) return rt_no_memory(c), false;
        from->moved = p;
        from->nmoved = from->g->n.n;
        from->moved_to = 0;
    }
    if (from->moved_to != to->id) memset(from->moved, 0, from->nmoved * sizeof *from->moved);
    from->moved_to = to->id;
    return true;
}

static ir_ref move_one(bz_context *c, rt_epoch *from, rt_epoch *to, ir_ref r) {
    const ir_graph *old = from->g;
    const ir_node *n = ir_at(old, r);
    rt_buffer *b = kept(from, r);
    if (b) return buffer_node(c, to, b, (bz_dtype)n->dtype, rt_layout_of_node(c, old, r));
    if (n->op != IR_INPUT) {
        const char *site = to->g->site;
        ir_ref before = to->g->n.n;
        ir_ref made = ir_rebuild_node(to->g, old, &(ir_map){from->moved, from->nmoved}, r);
        if (n->flags & IR_IS_OWN) made = ir_own(to->g, made, before);
        to->g->site = site;
        return made;
    }
    const rt_arg *a = &from->args.p[ir_attrs(old, n)[0]];
    if (!a->buf) return rt_input_of(c, to, (bz_dtype)n->dtype, c->scalar_layout, true, a);
    return buffer_node(c, to, a->buf, (bz_dtype)n->dtype, rt_layout_of_node(c, old, r));
}

static ir_ref migrate(bz_context *c, rt_epoch *from, rt_epoch *to, ir_ref r) {
    if (!prepare_moved(c, from, to) || (c->marks.n = 0, !bz_vec_reserve(&c->marks, r + 1)))
        return rt_no_memory(c), 0;
    uint8_t *need = c->marks.p;
    memset(need, 0, r + 1);
    need[r] = 1;
    for (ir_ref i = r; i > 0; i--) {
        const ir_node *n = ir_at(from->g, i);
        for (unsigned k = 0; need[i] && !from->moved[i] && !kept(from, i) && k < n->nin; k++)
            need[ir_in(from->g, n)[k]] = 1;
    }
    to->writes |= from->writes;
    for (ir_ref i = 1; i <= r; i++)
        if (need[i] && !from->moved[i] && !(from->moved[i] = move_one(c, from, to, i))) return 0;
    return from->moved[r];
}

/* ---- values as nodes */

rt_epoch *rt_sink(bz_context *c) {
    rt_epoch *top = c->epoch;
    while (c->epoch && c->epoch->tracing) c->epoch = c->epoch->next;
    return top;
}

void rt_rise(bz_context *c, rt_epoch *top) {
    rt_epoch *below = c->epoch, *e = top;
    if (!top || !top->tracing) return;
    c->epoch = top;
    while (e->next && e->next->tracing) e = e->next;
    /* one that was opened meanwhile began in the scope around the outermost function, not in the function's */
    if (below && below->depth >= e->depth) below->depth = e->depth - 1;
    e->next = below;
}

/* Gives a captured tensor its value, in the epoch below the traces. */
static bool value_below(bz_context *c, rt_storage *s) {
    rt_epoch *top = rt_sink(c);
    bool done = rt_eval(c, &s, 1) == BZ_OK;
    rt_rise(c, top);
    return done;
}

ir_ref rt_storage_node(bz_context *c, rt_storage *s) {
    rt_epoch *e = rt_recording(c);
    if (!e) return 0;
    if (s->epoch == e) return s->node;
    if (s->failed) return bz_fail(&c->err, (bz_status)s->failed, "%s", s->lost), 0;
    if (s->epoch && s->epoch->tracing) {
        bz_fail(&c->err, BZ_EMODE, "a tensor of a traced function is used outside of it");
        return 0;
    }
    ir_ref r = 0;
    if (e->tracing)
        r = s->buf || value_below(c, s) ? hidden_input(c, e, s) : 0;
    else if (s->buf)
        r = buffer_node(c, e, s->buf, (bz_dtype)s->dtype, s->base);
    else if ((r = migrate(c, s->epoch, e, s->node)) != 0) {
        rt_storage_leave(c, s);
        rt_storage_join(s, e, r);
    }
    return r && rt_lineage_source(c, s, r) ? r : 0;
}

static ir_number number_of(const rt_storage *s) {
    if (s->kind == RT_SCALAR) return ir_number_f(s->u.number);
    ir_number v = ir_number_i(s->u.integer);
    if (s->kind == RT_SCALAR_BOOL) v.kind = IR_CAT_BOOL;
    return v;
}

static ir_ref number_node(bz_context *c, const rt_storage *s, bz_dtype beside) {
    ir_number v = number_of(s);
    bz_dtype t = ir_number_dtype(v.kind, beside);
    return rt_scalar_node(c, t, ir_bits_from_number(t, v));
}

ir_ref rt_node(bz_context *c, rt_tensor *t, bz_dtype beside) {
    rt_storage *s = t->st;
    rt_epoch *e = rt_recording(c);
    if (!e) return 0;
    if (rt_is_number(s)) return number_node(c, s, beside);
    if (t->epoch == e->id && t->version == s->version) return t->node;
    ir_ref base = rt_storage_node(c, s);
    ir_ref before = e->g->n.n;
    t->node = !base || rt_is_whole(t)
                  ? base
                  : ir_own(e->g, rt_window(e->g, base, t->layout, t->offset), before);
    t->version = s->version;
    t->epoch = t->node ? e->id : 0;
    return t->node;
}

/* ---- builder calls */

/* The operand's tensor; NULL and an error (none for a poisoned handle: that is passed on). Sets r->c. */
static rt_tensor *operand(rt_rec *r, bz_tensor *h) {
    bz_context *c;
    rt_tensor *t = rt_find_quietly(h, &c);
    if (!t && c && !rt_is_poison(h))
        rt_fail(c, BZ_ESCOPE, r->site, r->op ? r->op : "grad", RT_STALE);
    if (r->c && c && c != r->c) {
        rt_fail(r->c, BZ_EARG, r->site, r->op ? r->op : "grad", "operands of two contexts");
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
    c->operands.n = 0;
    if (!bz_vec_reserve(&c->operands, n)) return rt_no_memory(c), false;
    r->x = c->operands.p;
    return true;
}

/* The nodes of the operands that are numbers (`numbers`) or that are none, into r->x. */
static bool nodes_of(rt_rec *r, ir_op op, bz_tensor *const *x, unsigned n, bool numbers,
                     bz_dtype beside) {
    for (unsigned i = 0; i < n; i++) {
        bz_context *c;
        rt_tensor *t = rt_find_quietly(x[i], &c);
        if (!t || rt_is_number(t->st) != numbers) continue;
        if (numbers) {
            ir_number v = number_of(t->st);
            if (!ir_number_allowed(r->c->epoch->g, op, i, v, ir_number_dtype(v.kind, beside)))
                return false;
        }
        if (!(r->x[i] = rt_node(c, t, beside))) return false;
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
        rt_tensor *t = operand(r, x[i]);
        if (!t) {
            if (!x[i]) no_operand(r, x, n, i);
            return false;
        }
        numbers |= rt_is_number(t->st);
    }
    if (!r->c || !room_for(r, n)) return false;
    rt_epoch *e = rt_recording(r->c);
    if (!e || !rt_within_ops(r, e)) return false;
    e->g->site = site;
    e->g->op = op;
    memset(r->x, 0, n * sizeof *r->x);
    if (!nodes_of(r, kind, x, n, false, beside)) return false;
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
    rt_epoch *e = rt_recording(c);
    if (!e || !rt_within_ops(r, e)) return false;
    e->g->site = site;
    e->g->op = op;
    r->g = e->g;
    r->before = e->g->n.n;
    return true;
}

/* What the constructors complained about becomes the context's error; the graph records on. */
static void take_error(bz_context *c, ir_graph *g) {
    if (g->err.status) bz_fail(&c->err, g->err.status, "%s", g->err.text);
    g->err = (bz_error){0};
    g->op = NULL;
    c->m->ex.failed = false;
}

static bool new_results(rt_rec *r, const ir_ref *nodes, unsigned n, bz_tensor **out,
                        rt_storage **st) {
    bz_context *c = r->c;
    for (unsigned i = 0; i < n; i++) {
        if (!nodes[i]) return false;
        int64_t count;
        if (!ir_numel(r->g, nodes[i], &count))
            return rt_fail(c, BZ_ESHAPE, r->site, ir_ops[ir_at(r->g, nodes[i])->op].name,
                           "the result has too many elements"),
                   false;
        ir_ref node = ir_own(r->g, nodes[i], r->before);
        if (!node) return false;
        st[i] = rt_storage_new(c, ir_dtype(r->g, node), rt_layout_of_node(c, r->g, node));
        if (!st[i]) return false;
        rt_storage_join(st[i], c->epoch, node);
        out[i] = rt_tensor_new(c, st[i], st[i]->base, 0);
        if (!out[i]) {
            st[i]->refs = 1;
            rt_storage_unref(c, st[i]);
            return false;
        }
    }
    return true;
}

bool rt_end_many(rt_rec *r, const ir_ref *nodes, unsigned n, bz_tensor **out) {
    bz_context *c = r->c;
    rt_storage *few[RT_FEW], **st = n <= RT_FEW ? few : bz_mem_alloc(n * sizeof(rt_storage *));
    for (unsigned i = 0; i < n; i++) out[i] = NULL;
    bool done = r->g && st && new_results(r, nodes, n, out, st);
    if (r->g) take_error(c, c->epoch ? c->epoch->g : r->g);
    if (c && c->epoch && c->epoch->g->err.status) take_error(c, c->epoch->g);
    if (r->g && !done && !c->err.status) rt_no_memory(c);
    if (done && c->mode == BZ_EAGER && !rt_in_function(c)) {
        rt_does(c, r->op ? r->op : ir_ops[ir_at(r->g, nodes[0])->op].name, r->site);
        done = rt_eval(c, st, n) == BZ_OK;
    }
    if (c && done) rt_count_op(c, r->site);
    if (st != few) bz_mem_free(st);
    for (unsigned i = 0; i < n && !done; i++) {
        bz_release(out[i]);
        out[i] = c ? rt_poison(c) : NULL;
    }
    rt_leave(&r->border);
    rt_depart(&r->visit);
    return done;
}

bz_tensor *rt_end(rt_rec *r, ir_ref node) {
    bz_tensor *out;
    rt_end_many(r, &node, 1, &out);
    return out;
}

bz_tensor *rt_end_view(rt_rec *r, bz_tensor *x, const int64_t *shape, const int64_t *strides,
                       unsigned rank, int64_t offset, ir_ref node) {
    bz_context *c;
    rt_tensor *t = rt_find_quietly(x, &c);
    if (!node || !t || rt_is_number(t->st)) return rt_end(r, node);
    rt_storage *s = t->st;
    const rt_layout *l = rt_layout_of(c, shape, strides, rank);
    bz_tensor *made = l ? rt_tensor_new(c, s, l, offset) : NULL;
    if (!made) return rt_no_memory(c), rt_end(r, 0);
    rt_tensor *v = rt_find_quietly(made, &c);
    v->node = ir_own(r->g, node, r->before);
    if (!v->node) return bz_release(made), rt_end(r, 0);
    v->epoch = c->epoch->id;
    v->version = s->version;
    rt_count_op(c, r->site);
    rt_leave(&r->border);
    rt_depart(&r->visit);
    return made;
}

/* ---- the random stream */

/* Outside a trace the place in the stream is a number of its own for each node: a loop that draws in one recording records the
 * same form in every turn. */
bool rt_random(bz_context *c, int64_t count, unsigned words, ir_ref *key, ir_ref *offset) {
    rt_epoch *e = rt_recording(c);
    if (!e) return false;
    uint64_t take = ((uint64_t)count * words + 3) & ~UINT64_C(3);
    if (!e->key)
        e->key = rt_input_of(c, e, BZ_I64, c->scalar_layout, true, &(rt_arg){.bits = c->seed});
    if (e->tracing && !e->base)
        e->base = rt_input_of(c, e, BZ_I64, c->scalar_layout, true, &(rt_arg){.bits = c->stream});
    if (!e->key || (e->tracing && !e->base)) return false;
    *key = e->key;
    *offset = e->tracing
                  ? ir_build2(e->g, IR_ADD, e->base, ir_const_i(e->g, BZ_I64, (int64_t)e->words))
                  : rt_scalar_node(c, BZ_I64, c->stream);
    if (e->tracing)
        e->words += take;
    else
        c->stream += take;
    return *offset != 0;
}
