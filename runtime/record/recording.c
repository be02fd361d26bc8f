/* recording.c - values as nodes of the epoch that records: inputs, nodes that move there from closed epochs, captured tensors. */
#include "runtime/record/record.h"

#include <string.h>

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
    if (ir_is_complex(t)) return ir_cast(e->g, rt_scalar_node(c, ir_part_dtype(t), bits), t);
    if (e->tracing) return ir_const_bits(e->g, t, bits, NULL, 0);
    return rt_input_of(c, e, t, c->scalar_layout, true, &(rt_arg){.bits = bits});
}

/* The input that stands for a buffer: made at its first use in the epoch. */
static ir_ref buffer_node(bz_context *c, rt_epoch *e, rt_buffer *b, bz_dtype t,
                          const rt_layout *l) {
    if (b->epoch != e->life || b->dtype != t) {
        ir_ref r = rt_input_of(c, e, t, l, false, &(rt_arg){.buf = b});
        if (!r) return 0;
        b->epoch = e->life;
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
    if (!prepare_moved(c, from, to) ||
        (c->recorder->need.n = 0, !bz_vec_reserve(&c->recorder->need, r + 1)))
        return rt_no_memory(c), 0;
    uint8_t *need = c->recorder->need.p;
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
    bool done = c->evaluator->eval(c, &s, 1) == BZ_OK;
    rt_rise(c, top);
    return done;
}

ir_ref rt_storage_node(bz_context *c, rt_storage *s) {
    rt_epoch *e = rt_recording(c);
    if (!e) return 0;
    if (s->epoch == e) /* since it was opened, or it is as if it had moved here now */
        return s->joined > e->joined_before || rt_lineage_source(c, s, s->node) ? s->node : 0;
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

ir_number rt_number_of(const rt_storage *s) {
    if (s->kind == RT_SCALAR) return ir_number_f(s->u.number);
    if (s->kind == RT_SCALAR_UINT) return ir_number_u((uint64_t)s->u.integer);
    ir_number v = ir_number_i(s->u.integer);
    if (s->kind == RT_SCALAR_BOOL) v.kind = IR_CAT_BOOL;
    return v;
}

static ir_ref number_node(bz_context *c, const rt_storage *s, bz_dtype beside) {
    ir_number v = rt_number_of(s);
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
