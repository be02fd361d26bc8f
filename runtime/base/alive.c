/* alive.c - who is in a context: a call leaves its thread's mark in it. A second thread that comes meanwhile is sent away, with a status.
 */
#include "runtime/base/context.h"

#include <pthread.h>

/* ---- calls */

bool rt_step_in(rt_visit *v, bz_context *c) {
    uintptr_t me = (uintptr_t)pthread_self();
    uintptr_t owner = atomic_load_explicit(&c->owner, memory_order_relaxed);
    v->c = NULL;
    if (owner == me && !c->asking) return true; /* from within a call */
    if (owner || !atomic_compare_exchange_strong_explicit(
                     &c->owner, &owner, me, memory_order_acquire, memory_order_relaxed)) {
        rt_stray(c, owner == me ? BZ_EMODE : BZ_EBUSY,
                 owner == me ? "a callback of the context may not call it (bz_interrupt may be)"
                             : "another thread is in a call on the context: one at a time");
        return false;
    }
    v->c = c;
    return true;
}

bool rt_arrive(rt_visit *v, bz_context *c) {
    if (rt_context_alive(c)) return rt_step_in(v, c);
    rt_stray(NULL, c ? BZ_ESCOPE : BZ_EARG,
             c ? "the context is closed, or was never one" : "the context is NULL");
    return false;
}

void rt_depart(rt_visit *v) {
    if (v->c) atomic_store_explicit(&v->c->owner, 0, memory_order_release);
    v->c = NULL;
}

bool rt_is_inside(const bz_context *c) {
    return atomic_load_explicit(&c->owner, memory_order_relaxed) == (uintptr_t)pthread_self();
}
