/* alive.c - contexts and programs are known for what they are before they are touched.
 *
 *     room:  | slot 0 | slot 1 | slot 2 | ...      a context, or a program, lies in a slot; a slot that was given back is used again
 *              alive    free     alive             only after all others were, so a stale pointer meets a slot that is free
 *
 * A call on a context leaves its thread's mark in it: a second thread that comes meanwhile is sent away, with a status. What is said
 * of no context, or of one that another thread is in, is kept for each thread. */
#include "runtime/rt.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096 };

static pthread_mutex_t rooms_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- rooms */

/* The number of p's slot; r->n for what is none. */
static uint32_t slot_of(const rt_room *r, const void *p) {
    uintptr_t at = (uintptr_t)p - (uintptr_t)r->base;
    bool first = (at & (((uintptr_t)1 << r->shift) - 1)) == 0;
    return first && at >> r->shift < r->n ? (uint32_t)(at >> r->shift) : r->n;
}

void *rt_room_take(rt_room *r) {
    void *p = NULL;
    pthread_mutex_lock(&rooms_lock);
    for (uint32_t i = 1; i <= r->n && !p; i++) {
        uint32_t k = (r->last + i) % r->n;
        if (atomic_load_explicit(&r->state[k], memory_order_relaxed) != RT_SLOT_FREE) continue;
        atomic_store_explicit(&r->state[k], RT_SLOT_TAKEN, memory_order_relaxed);
        r->last = k;
        p = (char *)r->base + ((size_t)k << r->shift);
    }
    pthread_mutex_unlock(&rooms_lock);
    return p;
}

void rt_room_open(rt_room *r, void *p, bool open) {
    atomic_store_explicit(&r->state[slot_of(r, p)], open ? RT_SLOT_OPEN : RT_SLOT_TAKEN,
                          memory_order_release);
}

void rt_room_give(rt_room *r, void *p) {
    size_t size = (size_t)1 << r->shift;
    if (size >= PAGE) madvise(p, size, MADV_DONTNEED);
    pthread_mutex_lock(&rooms_lock);
    atomic_store_explicit(&r->state[slot_of(r, p)], RT_SLOT_FREE, memory_order_relaxed);
    pthread_mutex_unlock(&rooms_lock);
}

bool rt_room_has(const rt_room *r, const void *p) {
    uint32_t k = slot_of(r, p);
    return k < r->n && rt_room_is_open(r, k);
}

/* ---- what a thread is told without a context */

static _Thread_local struct {
    bz_error e;
    const bz_context *of; /* that another thread was in; NULL: none */
} stray;

bz_status rt_stray(const bz_context *of, bz_status s, const char *fmt, ...) {
    char text[sizeof stray.e.text];
    va_list ap;
    va_start(ap, fmt);
    bz_vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    stray.of = of;
    stray.e = (bz_error){0};
    return bz_fail(&stray.e, s, "%s", text);
}

const bz_error *rt_stray_get(const bz_context *c) {
    return !c || stray.of == c || !rt_context_alive(c) ? &stray.e : NULL;
}

void rt_stray_clear(const bz_context *c) {
    if (stray.of == c) stray.e = (bz_error){0}, stray.of = NULL;
}

bz_status rt_no_tensor(bz_context *c, const char *op) {
    return c && c->err.status ? c->err.status : rt_stray(NULL, BZ_ESCOPE, "[%s] " RT_STALE, op);
}

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

bool rt_arrive_at(rt_visit *v, const bz_tensor *x, const char *op) {
    bz_context *c = rt_context_of(x);
    if (c) return rt_step_in(v, c);
    rt_stray(NULL, BZ_ESCOPE, "[%s] %s", op, x ? RT_STALE : "the tensor is NULL");
    return false;
}

void rt_depart(rt_visit *v) {
    if (v->c) atomic_store_explicit(&v->c->owner, 0, memory_order_release);
    v->c = NULL;
}

bool rt_is_inside(const bz_context *c) {
    return atomic_load_explicit(&c->owner, memory_order_relaxed) == (uintptr_t)pthread_self();
}
