/* scope.c - scopes opened and closed, handles freed.
 *
 * Freeing computes nothing. What the program frees may be the last handle on memory of its own that has changes to come: they are written
 * before, as bz_flush does. */
#include "runtime/eval/eval.h"

bz_status bz_scope_begin(bz_context *c) {
    RT_VISIT(c, RT_STRAY_STATUS);
    return bz_vec_push(&c->slab->scopes, 0) ? BZ_OK : rt_no_memory(c);
}

static void let_go(bz_context *c, rt_tensor *t) {
    if (t->st->refs == 1 && t->st->dirty) rt_flush(c, t->st);
    rt_tensor_free(c, t);
}

void rt_scope_clear(bz_context *c, uint32_t depth) {
    for (rt_tensor *t; (t = rt_scope_first(c, depth)) != NULL;) let_go(c, t);
}

/* What was recorded inside a scope and has a value forgets how it came about when the scope in which recording began ends. */
static void end_epoch(bz_context *c) {
    rt_epoch *e = c->epoch;
    if (!e || !e->begun || rt_in_function(c) || e->depth <= c->slab->scopes.n - 1) return;
    rt_epoch_end(c, "the end of the scope in which recording began");
}

bz_status bz_scope_end(bz_context *c) {
    RT_VISIT(c, RT_STRAY_STATUS);
    if (c->slab->scopes.n <= 1) return rt_fail(c, BZ_ESCOPE, NULL, "scope_end", "no scope is open");
    if (rt_in_function(c) && c->slab->scopes.n - 1 <= c->epoch->depth)
        return rt_fail(c, BZ_ESCOPE, NULL, "scope_end",
                       "the scope around a function that bz_compile traces is not the function's");
    rt_scope_end(c);
    rt_layouts_sweep(c);
    return BZ_OK;
}

void rt_scope_end(bz_context *c) {
    rt_scope_clear(c, c->slab->scopes.n - 1);
    c->slab->scopes.n--;
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
    let_go(c, t);
    return BZ_OK;
}
