/* place.c - the driver's context on a GPU, which all memories there share: who is in it, and its end by a reset.
 *
 *     memory --arrives--> place <-- kernels that were loaded (code.c)         one that was reset is in nobody's way: the next memory to
 *                           |                                                 arrive gets a place of its own, in the same handle
 *                     cu_context
 *
 * Whoever makes calls in it is counted; a reset waits until nobody is, so that no call meets a handle that is gone. Who is in it comes in
 * again at once; others give way to a reset that waits, for a while: it may wait for one that waits for them. The lock is held for the count
 * alone, and for the reset itself. */
#include "runtime/cuda/cuda.h"

#include <pthread.h>
#include <time.h>

enum { PATIENCE_NS = 20 * 1000 * 1000 };

struct cuda_place {
    cu_context context;
    cu_device device;
    const cu_driver *d;
    uint32_t memories;          /* in it */
    pthread_mutex_t lock;       /* of what follows */
    pthread_cond_t empty, over; /* nobody is in it; no reset waits */
    uint32_t entered;           /* how often */
    uint32_t resets;            /* that wait */
    bool gone;                  /* reset */
};

static _Thread_local unsigned inside; /* how often this thread is in places */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static BZ_VEC(cuda_place *) places; /* that were not reset */

static cuda_place *new_place(const cu_driver *d, cu_context c, cu_device device) {
    cuda_place *p = bz_mem_zero(1, sizeof *p);
    if (!p || !bz_vec_push(&places, p)) return bz_mem_free(p), NULL;
    *p = (cuda_place){.context = c, .device = device, .d = d};
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->empty, NULL);
    pthread_cond_init(&p->over, NULL);
    return p;
}

static void forget(const cuda_place *p) {
    for (uint32_t i = 0; i < places.n; i++)
        if (places.p[i] == p) places.p[i--] = places.p[--places.n];
    if (places.n == 0) bz_vec_free(&places);
}

cu_result cuda_place_arrive(const cu_driver *d, cu_device device, cuda_place **out, cu_context *c) {
    cuda_place *p = NULL;
    pthread_mutex_lock(&lock);
    const cu_result r = d->context_retain(c, device);
    for (uint32_t i = 0; i < places.n && !p && !r; i++)
        if (places.p[i]->context == *c) p = places.p[i];
    if (!p && !r && !(p = new_place(d, *c, device))) d->context_release(device);
    if (p) p->memories++;
    pthread_mutex_unlock(&lock);
    *out = p;
    return r;
}

void cuda_place_leave(cuda_place *p) {
    const cu_driver *d = p->d;
    const cu_device device = p->device;
    pthread_mutex_lock(&lock);
    const bool last = --p->memories == 0;
    if (last) forget(p);
    pthread_mutex_unlock(&lock);
    if (last) {
        rt_kernels_leave(p);
        pthread_mutex_destroy(&p->lock);
        pthread_cond_destroy(&p->empty);
        pthread_cond_destroy(&p->over);
        bz_mem_free(p);
    }
    d->context_release(device);
}

/* ---- calls in it */

static void give_way(cuda_place *p) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += PATIENCE_NS;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    while (p->resets && !pthread_cond_timedwait(&p->over, &p->lock, &t)) {}
}

bool cuda_place_hold(cuda_place *p) {
    pthread_mutex_lock(&p->lock);
    if (p->resets && !inside) give_way(p);
    const bool there = !p->gone;
    p->entered += there;
    inside += there;
    pthread_mutex_unlock(&p->lock);
    return there;
}

void cuda_place_release(cuda_place *p) {
    pthread_mutex_lock(&p->lock);
    inside--;
    if (--p->entered == 0) pthread_cond_broadcast(&p->empty);
    pthread_mutex_unlock(&p->lock);
}

bool cuda_place_is_gone(cuda_place *p) {
    const bool held = cuda_place_hold(p);
    if (held) cuda_place_release(p);
    return !held;
}

bool cuda_place_enter_to_free(cuda_place *p) {
    if (!cuda_place_hold(p)) return false;
    if (cu_enter_to_free(p->d, p->context)) return true;
    cuda_place_release(p);
    return false;
}

void cuda_place_step_out(cuda_place *p) {
    cu_leave(p->d, p->context);
    cuda_place_release(p);
}

/* ---- its end */

cu_result cuda_place_reset(cuda_place *p) {
    cu_result r = CU_SUCCESS;
    pthread_mutex_lock(&p->lock);
    p->resets++;
    while (p->entered) pthread_cond_wait(&p->empty, &p->lock);
    if (--p->resets == 0) pthread_cond_broadcast(&p->over);
    pthread_mutex_lock(&lock); /* nobody arrives meanwhile */
    if (!p->gone) r = p->d->context_reset(p->device);
    if (!p->gone && !r) {
        p->gone = true;
        forget(p);
    }
    pthread_mutex_unlock(&lock);
    pthread_mutex_unlock(&p->lock);
    return r;
}
