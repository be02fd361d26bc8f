/* scope.c - scopes: each handle stands in the list of one; closing a scope frees its list. */
#include "runtime/rt.h"

static rt_tensor *at(bz_context *c, uint32_t slot) {
    return &c->slab.chunks.p[slot / RT_CHUNK][slot % RT_CHUNK];
}

static uint32_t slot_of(bz_context *c, const rt_tensor *t) {
    if (t->prev) return at(c, t->prev)->next;
    return c->scopes.p[t->scope - 1];
}

/* Puts t, which stands in no list, first in that of the scope at `depth`. Its slot is in t->next. */
void rt_scope_link(bz_context *c, rt_tensor *t, uint32_t depth) {
    uint32_t slot = t->next, first = c->scopes.p[depth];
    t->scope = depth + 1;
    t->prev = 0;
    t->next = first;
    if (first) at(c, first)->prev = slot;
    c->scopes.p[depth] = slot;
}

/* Takes t out of its list; its slot is in t->next then. */
void rt_scope_unlink(bz_context *c, rt_tensor *t) {
    uint32_t slot = slot_of(c, t);
    if (t->next) at(c, t->next)->prev = t->prev;
    if (t->prev)
        at(c, t->prev)->next = t->next;
    else
        c->scopes.p[t->scope - 1] = t->next;
    t->next = slot;
}

bz_status bz_scope_begin(bz_context *c) {
    RT_VISIT(c, RT_STRAY_STATUS);
    return bz_vec_push(&c->scopes, 0) ? BZ_OK : rt_no_memory(c);
}

/* What was recorded inside a scope and has a value forgets how it came about when the scope in which recording began ends. */
static void end_epoch(bz_context *c) {
    rt_epoch *e = c->epoch;
    if (!e || rt_in_function(c) || e->depth <= c->scopes.n - 1) return;
    rt_epoch_end(c, "the end of the scope in which recording began");
}

bz_status bz_scope_end(bz_context *c) {
    RT_VISIT(c, RT_STRAY_STATUS);
    if (c->scopes.n <= 1) return rt_fail(c, BZ_ESCOPE, NULL, "scope_end", "no scope is open");
    if (rt_in_function(c) && c->scopes.n - 1 <= c->epoch->depth)
        return rt_fail(c, BZ_ESCOPE, NULL, "scope_end",
                       "the scope around a function that bz_compile traces is not the function's");
    rt_scope_end(c);
    rt_layouts_sweep(c);
    return BZ_OK;
}

void rt_scope_end(bz_context *c) {
    while (c->scopes.p[c->scopes.n - 1]) rt_tensor_free(c, at(c, c->scopes.p[c->scopes.n - 1]));
    c->scopes.n--;
    end_epoch(c);
}

bz_tensor *bz_keep(bz_tensor *x) {
    bz_context *c;
    RT_VISIT_OF(x, "keep", x);
    rt_tensor *t = rt_is_poison(x) ? NULL : rt_find(x, &c, "keep");
    if (!t || t->scope == 1) return x;
    uint32_t depth = t->scope - 2;
    rt_scope_unlink(c, t);
    rt_scope_link(c, t, depth);
    if (depth < t->st->depth) t->st->depth = depth;
    return x;
}

bz_status bz_release(bz_tensor *x) {
    bz_context *c;
    if (!x || rt_is_poison(x)) return BZ_OK;
    RT_VISIT_OF(x, "release", RT_STRAY_STATUS);
    rt_tensor *t = rt_find(x, &c, "release");
    if (!t) return rt_no_tensor(c, "release");
    rt_tensor_free(c, t);
    return BZ_OK;
}
