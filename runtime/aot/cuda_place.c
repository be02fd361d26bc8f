/* cuda_place.c - the contexts of the driver's that exported functions run in, and what is kept in each. */
#include "runtime/aot/cuda_artefact.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bz_rt_cuda_place *places, *primary; /* primary: the one for threads without a context */

/* ---- what went wrong */

BZ_RT_WEAK bool bz_rt_cuda_fail(const cu_driver *d, cu_result code, const char *what,
                                const char *of, bz_rt_cuda_fault *f) {
    char text[200];
    if (!code) return true;
    bz_rt_cu_text(d, code, text, sizeof text);
    f->status = code == CU_OUT_OF_MEMORY ? BZ_RT_EMEMORY : BZ_RT_EDEVICE;
    snprintf(f->text, sizeof f->text, "[cuda] %s%s%s: %s", what, *of ? " of " : "", of, text);
    return false;
}

BZ_RT_WEAK bool bz_rt_cuda_no_memory(bz_rt_cuda_fault *f) {
    f->status = BZ_RT_EMEMORY;
    snprintf(f->text, sizeof f->text, "out of memory for the workspace");
    return false;
}

/* ---- places */

/* A place for the current context, which is that of p->device. NULL: f says why. */
static bz_rt_cuda_place *add_place(const bz_rt_cuda_place *p, bz_rt_cuda_fault *f) {
    int processors = 0;
    bz_rt_cuda_place *new = calloc(1, sizeof *new);
    if (!new) return bz_rt_cuda_no_memory(f), NULL;
    if (!bz_rt_cuda_fail(p->d, p->d->device_attribute(&processors, CU_PROCESSORS, p->device),
                         "cuDeviceGetAttribute", "", f)) {
        free(new);
        return NULL;
    }
    *new = *p;
    new->processors = (unsigned)processors;
    new->next = places;
    return places = new;
}

static bz_rt_cuda_place *place_of(const cu_driver *d, cu_context c, bz_rt_cuda_fault *f) {
    bz_rt_cuda_place *p = places, own = {.d = d, .context = c};
    while (p && p->context != c) p = p->next;
    if (p) return p;
    if (!bz_rt_cuda_fail(d, d->context_device(&own.device), "cuCtxGetDevice", "", f)) return NULL;
    return add_place(&own, f);
}

static bool find_device(bz_rt_cuda_place *p, bz_rt_cuda_fault *f) {
    int n = 0;
    if (!bz_rt_cuda_fail(p->d, p->d->device_count(&n), "cuDeviceGetCount", "", f)) return false;
    if (n == 0) {
        f->status = BZ_RT_EMACHINE;
        snprintf(f->text, sizeof f->text, "[cuda] the driver knows no device");
        return false;
    }
    return bz_rt_cuda_fail(p->d, p->d->device_get(&p->device, 0), "cuDeviceGet", "", f);
}

/* The primary context of device 0, which is the thread's until it is left. */
static bz_rt_cuda_place *enter_primary(const cu_driver *d, bz_rt_cuda_fault *f) {
    bz_rt_cuda_place own = {.d = d, .retained = true}, *p = primary;
    if (p)
        return bz_rt_cuda_fail(d, d->context_push(p->context), "cuCtxPushCurrent", "", f) ? p
                                                                                          : NULL;
    if (!find_device(&own, f) || !bz_rt_cuda_fail(d, d->context_retain(&own.context, own.device),
                                                  "cuDevicePrimaryCtxRetain", "", f))
        return NULL;
    if (bz_rt_cuda_fail(d, d->context_push(own.context), "cuCtxPushCurrent", "", f)) {
        for (p = places; p && p->context != own.context;) p = p->next;
        if (p)
            p->retained = true;
        else
            p = add_place(&own, f);
        if (!p) cu_leave(d, own.context);
    }
    if (!p) d->context_release(own.device);
    return primary = p;
}

BZ_RT_WEAK bz_rt_cuda_place *bz_rt_cuda_enter(bool *pushed, bz_rt_cuda_fault *f) {
    cu_context current = NULL;
    bz_rt_cuda_place *p = NULL;
    char why[400];
    const cu_driver *d = bz_rt_cu_open(why, sizeof why);
    *pushed = false;
    if (!d) {
        f->status = BZ_RT_EMACHINE;
        snprintf(f->text, sizeof f->text, "[cuda] %s", why);
        return NULL;
    }
    if (!bz_rt_cuda_fail(d, d->context_current(&current), "cuCtxGetCurrent", "", f)) return NULL;
    pthread_mutex_lock(&lock);
    if (current)
        p = place_of(d, current, f);
    else
        *pushed = (p = enter_primary(d, f)) != NULL;
    pthread_mutex_unlock(&lock);
    return p;
}

BZ_RT_WEAK void bz_rt_cuda_leave(const bz_rt_cuda_place *p, bool pushed) {
    if (pushed) cu_leave(p->d, p->context);
}

/* ---- what is kept */

static const bz_rt_cuda_kept *find_kept(const bz_rt_cuda_place *p, const void *key) {
    const bz_rt_cuda_kept *k = p->kept;
    while (k && k->key != key) k = k->next;
    return k;
}

static bool load(const bz_rt_cuda_place *p, bz_rt_cuda_kept *k, bz_rt_cuda_fault *f) {
    static const int options[] = {CU_JIT_ERROR_LOG, CU_JIT_ERROR_LOG_BYTES};
    char log[256] = "", of[300];
    void *values[] = {log, (void *)(uintptr_t)sizeof log};
    const cu_result code = p->d->module_load(&k->module, k->key, 2, options, values);
    snprintf(of, sizeof of, "kernels%s%.200s", *log ? ": " : "", log);
    return bz_rt_cuda_fail(p->d, code, "cuModuleLoadDataEx", of, f);
}

static bool copy_up(const bz_rt_cuda_place *p, bz_rt_cuda_kept *k, uint64_t n,
                    bz_rt_cuda_fault *f) {
    const cu_driver *d = p->d;
    if (!bz_rt_cuda_fail(d, d->alloc(&k->at, (size_t)n), "cuMemAlloc", "", f)) return false;
    bool done =
        bz_rt_cuda_fail(d, d->copy_in(k->at, k->key, (size_t)n, NULL), "cuMemcpyHtoDAsync", "", f);
    if (done) done = bz_rt_cuda_fail(d, d->stream_wait(NULL), "cuStreamSynchronize", "", f);
    if (!done) d->free(k->at);
    return done;
}

/* bytes: of constants; 0: it is a module. NULL: f says why. */
static const bz_rt_cuda_kept *keep(bz_rt_cuda_place *p, const void *key, uint64_t bytes,
                                   bz_rt_cuda_fault *f) {
    pthread_mutex_lock(&lock);
    const bz_rt_cuda_kept *k = find_kept(p, key);
    bz_rt_cuda_kept *new = k ? NULL : calloc(1, sizeof *new);
    if (!k && !new) bz_rt_cuda_no_memory(f);
    if (new) {
        new->key = key;
        if (bytes ? copy_up(p, new, bytes, f) : load(p, new, f)) {
            new->next = p->kept;
            k = p->kept = new;
        } else {
            free(new);
        }
    }
    pthread_mutex_unlock(&lock);
    return k;
}

BZ_RT_WEAK cu_module bz_rt_cuda_module(bz_rt_cuda_place *p, const void *fatbin,
                                       bz_rt_cuda_fault *f) {
    const bz_rt_cuda_kept *k = keep(p, fatbin, 0, f);
    return k ? k->module : NULL;
}

BZ_RT_WEAK cu_address bz_rt_cuda_upload(bz_rt_cuda_place *p, const void *bytes, uint64_t n,
                                        bz_rt_cuda_fault *f) {
    const bz_rt_cuda_kept *k = n ? keep(p, bytes, n, f) : NULL;
    return k ? k->at : 0;
}

/* ---- slots that are taken */

enum { FREE_MOST = 4 }; /* that a function has ready for other sizes */

/* One that is ready, and taken out of the list one that makes room for another. */
static bz_rt_cuda_slot *find_slot(bz_rt_cuda_place *p, const bz_rt_variant *of, int64_t n,
                                  bz_rt_cuda_slot **old) {
    bz_rt_cuda_slot **last = NULL;
    unsigned idle = 0;
    for (bz_rt_cuda_slot **s = &p->slots; *s; s = &(*s)->next) {
        if ((*s)->taken || (*s)->of != of) continue;
        if ((*s)->n == n) return (*s)->taken = true, *s;
        idle++;
        last = s;
    }
    if (idle < FREE_MOST) return NULL;
    *old = *last;
    *last = (*last)->next;
    return NULL;
}

static void add_slot(bz_rt_cuda_place *p, bz_rt_cuda_slot *s) {
    s->taken = true;
    pthread_mutex_lock(&lock);
    s->next = p->slots;
    p->slots = s;
    pthread_mutex_unlock(&lock);
}

BZ_RT_WEAK bz_rt_cuda_slot *bz_rt_cuda_take(bz_rt_cuda_place *p, const bz_rt_artefact *a, int64_t n,
                                            bz_rt_cuda_fault *f) {
    bz_rt_cuda_slot *old = NULL;
    pthread_mutex_lock(&lock);
    bz_rt_cuda_slot *s = find_slot(p, a->variants, n, &old);
    pthread_mutex_unlock(&lock);
    bz_rt_cuda_slot_free(p->d, old);
    if (s) return s;
    s = bz_rt_cuda_slot_plan(p, a, n, NULL, NULL);
    if (!s) return bz_rt_cuda_no_memory(f), NULL;
    if (bz_rt_cuda_slot_ready(p, s, f)) return add_slot(p, s), s;
    bz_rt_cuda_slot_free(p->d, s);
    return NULL;
}

/* In front: what was used last is found first, and goes last. */
BZ_RT_WEAK void bz_rt_cuda_put(bz_rt_cuda_place *p, bz_rt_cuda_slot *s) {
    pthread_mutex_lock(&lock);
    bz_rt_cuda_slot **at = &p->slots;
    while (*at != s) at = &(*at)->next;
    *at = s->next;
    s->next = p->slots;
    p->slots = s;
    s->taken = false;
    pthread_mutex_unlock(&lock);
}

/* ---- given back */

static void empty(bz_rt_cuda_place *p) {
    for (bz_rt_cuda_slot *s; (s = p->slots);) {
        p->slots = s->next;
        bz_rt_cuda_slot_free(p->d, s);
    }
    for (bz_rt_cuda_kept *k; (k = p->kept);) {
        p->kept = k->next;
        if (k->module) p->d->module_free(k->module);
        if (k->at) p->d->free(k->at);
        free(k);
    }
}

void bz_rt_cuda_stop(void) {
    pthread_mutex_lock(&lock);
    for (bz_rt_cuda_place *p; (p = places);) {
        places = p->next;
        if (cu_enter_to_free(p->d, p->context)) {
            empty(p);
            cu_leave(p->d, p->context);
        }
        if (p->retained) p->d->context_release(p->device);
        free(p);
    }
    primary = NULL;
    pthread_mutex_unlock(&lock);
}
