/* storage.c - storages, and the epochs whose nodes are their values: which live, and which know of each other.
 *
 *      open epoch:    x ---> add ---> exp ---> sum          storages point at nodes; evaluated nodes are kept
 *      closed epoch:  storages with a value let go; one without moves its nodes to the open epoch when it is used again,
 *                     or stays where it is: the epoch is opened once more
 *
 * An epoch and its graph are recycled: a steady loop records into memory that is there. So are storages. */
#include "runtime/value/tensor.h"

#include <string.h>

/* ---- storages */

static bool more_storages(bz_context *c) {
    rt_storage *chunk = bz_mem_zero(RT_STORAGES, sizeof *chunk);
    if (!chunk || !bz_vec_push(&c->slab->storage_chunks, chunk)) {
        bz_mem_free(chunk);
        return false;
    }
    for (unsigned i = 0; i < RT_STORAGES; i++) {
        chunk[i].number = (c->slab->storage_chunks.n - 1) * RT_STORAGES + i;
        chunk[i].next = c->slab->storages;
        c->slab->storages = &chunk[i];
    }
    return true;
}

rt_storage *rt_storage_new(bz_context *c, bz_dtype t, const rt_layout *base) {
    if (!base || (!c->slab->storages && !more_storages(c))) {
        rt_no_memory(c);
        return NULL;
    }
    rt_storage *s = c->slab->storages;
    c->slab->storages = s->next;
    *s = (rt_storage){
        .dtype = (uint8_t)t, .base = base, .first = ++c->lineage->births, .number = s->number};
    s->birth = s->first;
    return s;
}

static void unlink_storage(rt_storage *s) {
    rt_epoch *e = s->epoch;
    if (s->prev)
        s->prev->next = s->next;
    else if (e->pending == s)
        e->pending = s->next;
    else
        e->settled = s->next;
    if (s->next) s->next->prev = s->prev;
    s->prev = s->next = NULL;
}

static void link_storage(rt_storage **list, rt_storage *s) {
    s->next = *list;
    if (*list) (*list)->prev = s;
    *list = s;
}

void rt_storage_join(rt_storage *s, rt_epoch *e, ir_ref node) {
    if (s->epoch == e) unlink_storage(s);
    s->epoch = e;
    s->node = node;
    s->joined = ++e->joins;
    e->behind |= !s->buf && node < e->kept.n && e->kept.p[node];
    s->highest = e->pending && e->pending->highest > node ? e->pending->highest : node;
    link_storage(s->buf ? &e->settled : &e->pending, s);
    if (e->tracing || !ir_is_smooth((bz_dtype)s->dtype)) return;
    e->own_lost |= !bz_vec_push(&e->own, ((rt_own){{s, s->birth}, node}));
}

void rt_storage_settle(rt_storage *s) {
    unlink_storage(s);
    link_storage(&s->epoch->settled, s);
}

void rt_storage_leave(bz_context *c, rt_storage *s) {
    rt_epoch *e = s->epoch;
    if (!e) return;
    unlink_storage(s);
    s->epoch = NULL;
    if (!e->open) rt_epoch_drop(c, e);
}

void rt_storage_set(bz_context *c, rt_storage *s, rt_buffer *b) {
    rt_buffer *old = s->buf;
    s->buf = b;
    rt_buffer_unref(c, old);
}

void rt_storage_unref(bz_context *c, rt_storage *s) {
    if (!s || --s->refs > 0) return;
    rt_storage_leave(c, s);
    rt_storage_set(c, s, NULL);
    if (s->kind == RT_FOREIGN) rt_buffer_unref(c, s->u.home);
    rt_past_unref(c, s->past);
    rt_made_unref(s->made);
    s->past = NULL;
    s->made = NULL;
    s->first = UINT64_MAX;
    s->birth = 0;
    rt_lineage_gone(c, s);
    bz_mem_free(s->lost);
    bz_mem_free(s->name);
    s->next = c->slab->storages;
    c->slab->storages = s;
}

ir_bits rt_number_bits(const rt_storage *s) {
    bz_dtype t = (bz_dtype)s->dtype;
    return s->kind == RT_SCALAR ? ir_bits_from_f64(t, s->u.number)
                                : ir_bits_from_i64(t, s->u.integer);
}

/* ---- life of an epoch */

void rt_graph_reset(ir_graph *g) {
    ir_graph_let_go(g);
    g->name = "recorded"; /* the arena goes */
    g->n.n = g->sites.n = 1;
    g->dims.n = g->operands.n = g->attrs.n = 0;
    g->inputs.n = g->outputs.n = 0;
    g->fresh = 0;
    memset(g->slots, 0, g->nslots * sizeof *g->slots);
    if (g->names) memset(g->names, 0, g->nnames * sizeof *g->names);
    g->site = NULL;
    g->err = (bz_error){0};
    bz_arena_reset(&g->arena);
}

/* A closed epoch in which nothing was computed records on: what waits there need not move, however long its history is. A loop of scopes
 * that each change one tensor and read nothing is one graph. */
static rt_epoch *take_closed(bz_context *c) {
    rt_epoch *e = c->epochs->closed.n ? c->epochs->closed.p[c->epochs->closed.n - 1] : NULL;
    if (!e || e->tracing || e->nkept) return NULL;
    c->epochs->closed.n--;
    return e;
}

/* One that is recycled, or new. */
static rt_epoch *take_empty(bz_context *c) {
    rt_epoch *e = c->epochs->idle;
    if (e) {
        c->epochs->idle = e->next;
        return e;
    }
    e = bz_mem_zero(1, sizeof *e);
    if (e) e->g = ir_graph_new(c->m, "recorded");
    if (e && e->g && bz_vec_reserve(&c->epochs->closed, c->epochs->closed.n + 1)) return e;
    if (e) ir_graph_free(e->g);
    bz_mem_free(e);
    rt_no_memory(c);
    return NULL;
}

rt_epoch *rt_epoch_open(bz_context *c, bool tracing) {
    rt_epoch *again = tracing ? NULL : take_closed(c), *e = again ? again : take_empty(c);
    if (!e) return NULL;
    e->id = ++c->epochs->made;
    if (!again) e->life = e->id;
    e->joined_before = e->joins;
    e->own.n = 0;
    e->own_lost = false;
    e->g->fresh = e->g->n.n;
    e->open = true;
    e->tracing = tracing;
    e->inside = 0;
    e->outside = c->lineage->births;
    e->depth = c->slab->scopes.n - 1;
    e->begun = tracing;
    e->next = tracing ? c->epoch : NULL;
    return c->epoch = e;
}

rt_epoch *rt_recording(bz_context *c) {
    return c->epoch ? c->epoch : rt_epoch_open(c, false);
}

rt_epoch *rt_recording_op(bz_context *c) {
    rt_epoch *e = rt_recording(c);
    if (e && !e->begun) e->depth = c->slab->scopes.n - 1;
    if (e) e->begun = true;
    return e;
}

static void free_epoch(rt_epoch *e) {
    ir_graph_free(e->g);
    bz_vec_free(&e->args);
    bz_vec_free(&e->kept);
    bz_vec_free(&e->fixed);
    bz_vec_free(&e->sources);
    bz_vec_free(&e->source_at);
    bz_vec_free(&e->own);
    bz_mem_free(e->moved);
    bz_mem_free(e);
}

static void forget_sources(bz_context *c, rt_epoch *e) {
    for (uint32_t i = 0; i < e->sources.n; i++) {
        const rt_source *o = &e->sources.p[i];
        rt_past_unref(c, o->past);
        rt_made_unref(o->made);
        e->source_at.p[o->node] = 0;
    }
    e->sources.n = 0;
}

static void recycle(bz_context *c, rt_epoch *e) {
    for (uint32_t i = 0; i < e->args.n; i++) {
        rt_buffer_unref(c, e->args.p[i].buf);
        rt_storage_unref(c, e->args.p[i].storage);
    }
    for (uint32_t i = 0; i < e->kept.n; i++) rt_buffer_unref(c, e->kept.p[i]);
    forget_sources(c, e);
    e->source_at.n = 0;
    e->args.n = e->kept.n = e->nkept = 0;
    e->kept_bytes = e->sweep_at = e->fixed_bytes = 0;
    e->cut_at = 0;
    e->fixed.n = 0;
    e->writes = e->behind = false;
    e->key = e->base = 0;
    e->words = e->moved_to = 0;
    e->id = 0;
    rt_graph_reset(e->g);
    e->next = c->epochs->idle;
    c->epochs->idle = e;
}

void rt_epoch_drop(bz_context *c, rt_epoch *e) {
    if (e->open || e->pending || e->settled) return;
    for (uint32_t i = 0; i < c->epochs->closed.n; i++)
        if (c->epochs->closed.p[i] == e)
            c->epochs->closed.p[i--] = c->epochs->closed.p[--c->epochs->closed.n];
    recycle(c, e);
}

void rt_epoch_close(bz_context *c, rt_epoch *e, const char *why) {
    if (!e->tracing) rt_lineage_end(c, e, why);
    forget_sources(c, e);
    while (e->settled) rt_storage_leave(c, e->settled); /* e is open still: it stays */
    e->open = false;
    if (!e->pending || !bz_vec_push(&c->epochs->closed, e)) rt_epoch_drop(c, e);
}

void rt_epoch_end(bz_context *c, const char *why) {
    rt_epoch *e = c->epoch;
    if (!e) return;
    c->epoch = NULL;
    rt_epoch_close(c, e, why);
}

void rt_epochs_free(bz_context *c) {
    while (c->epoch) {
        rt_epoch *below = c->epoch->next;
        rt_epoch_close(c, c->epoch, NULL);
        c->epoch = below;
    }
    for (rt_epoch *e; (e = c->epochs->idle) != NULL;) {
        c->epochs->idle = e->next;
        free_epoch(e);
    }
    bz_vec_free(&c->epochs->closed);
}
