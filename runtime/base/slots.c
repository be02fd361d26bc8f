/* slots.c - contexts and programs are known for what they are before they are touched.
 *
 *     room:  | slot 0 | slot 1 | slot 2 | ...      a context, or a program, lies in a slot; a slot that was given back is used again
 *              alive    free     alive             only after all others were, so a stale pointer meets a slot that is free
 *
 * A handle carries the number of its context. The room of contexts is the only thing that contexts share beside the
 * kernel cache; slots are taken under a lock and looked up without. */
#include "runtime/base/context.h"

#include <pthread.h>
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

uint32_t rt_room_number(const rt_room *r, const void *p) {
    return slot_of(r, p);
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

/* ---- the room of contexts */

enum { MAX_CONTEXTS = 1 << RT_CONTEXT_BITS };

/* Each in pages of its own, which the system takes back when it is closed. */
static _Alignas(4096) char contexts[MAX_CONTEXTS][1 << RT_CONTEXT_SHIFT];
static _Atomic(uint8_t) states[MAX_CONTEXTS];
rt_room rt_contexts = {contexts, RT_CONTEXT_SHIFT, MAX_CONTEXTS, 0, states};

bz_context *rt_context_at(uint32_t number) {
    return number < MAX_CONTEXTS && rt_room_is_open(&rt_contexts, number)
               ? (bz_context *)(void *)contexts[number]
               : NULL;
}

bool rt_context_alive(const bz_context *c) {
    return rt_room_has(&rt_contexts, c);
}
