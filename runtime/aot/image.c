/* image.c - the run of a program image: one loop for what was compiled in this process and for what was exported. */
#include "runtime/aot/image.h"

#include <stdatomic.h>
#include <string.h>

enum {
    LINE = 64,  /* alignment of everything in a workspace */
    BITES = 64, /* of a launch on one thread that may be stopped, with a look before each */
};

/* One phase of one run, as its tasks see it. */
typedef struct work {
    const bz_rt_image *v;
    const bz_rt_workspace *w;
    const bz_rt_phase *phase;
    _Atomic(bool) *stop;
} work;

/* ---- workspaces */

static size_t round_line(size_t n) {
    return (n + LINE - 1) / LINE * LINE;
}

static size_t fixed_bytes(const bz_rt_image *v) {
    return v->arena_bytes + round_line(v->nplaces * sizeof(void *));
}

static size_t thread_bytes(const bz_rt_image *v) {
    return v->scratch_bytes + LINE;
}

/* The first address may be any: LINE - 1 bytes may go into aligning it. */
BZ_RT_WEAK size_t bz_rt_workspace_bytes(const bz_rt_image *v, int threads) {
    return LINE + fixed_bytes(v) + (size_t)threads * thread_bytes(v);
}

BZ_RT_WEAK bool bz_rt_lay_out(const bz_rt_image *v, void *p, size_t bytes, int threads,
                        bz_rt_workspace *w) {
    if (bytes < bz_rt_workspace_bytes(v, 1)) return false;
    size_t fit = (bytes - LINE - fixed_bytes(v)) / thread_bytes(v);
    w->threads = fit < (size_t)threads ? (int)fit : threads;
    w->arena = (char *)round_line((uintptr_t)p);
    w->scratch = w->arena + v->arena_bytes;
    char *errors = w->scratch + (size_t)w->threads * v->scratch_bytes;
    w->errors = (int64_t *)(void *)errors;
    w->table = (void **)(void *)(errors + (size_t)w->threads * LINE);
    return true;
}

static int64_t *errors_of(const bz_rt_workspace *w, int thread) {
    return w->errors + (size_t)thread * LINE / sizeof *w->errors;
}

BZ_RT_WEAK int64_t bz_rt_worst(const bz_rt_workspace *w, int64_t *code) {
    int64_t lowest = INT64_MAX;
    for (int t = 0; t < w->threads; t++) {
        const int64_t *own = errors_of(w, t);
        if (own[0] >= lowest) continue;
        lowest = own[0];
        if (code) *code = own[1];
    }
    return lowest;
}

/* ---- copies */

static void copy(const bz_rt_image *v, uint32_t first, uint32_t last, const char *args,
                 const bz_rt_workspace *w) {
    for (uint32_t i = first; i < last; i++) {
        const bz_rt_copy *c = &v->copies[i];
        void *to = bz_rt_resolve(v, &c->to, args, w), *from = bz_rt_resolve(v, &c->from, args, w);
        if (to != from) memcpy(to, from, c->bytes);
    }
}

/* ---- phases */

static bool is_set(_Atomic(bool) *stop) {
    return stop && atomic_load_explicit(stop, memory_order_relaxed);
}

/* Tasks [begin, end) of a phase: of its segments one after the other. */
static void run_range(void *ctx, int64_t begin, int64_t end, int thread) {
    const work *k = ctx;
    const bz_rt_workspace *w = k->w;
    if (is_set(k->stop)) return;
    bz_rt_frame f = {
        .scratch = w->scratch + (size_t)thread * k->v->scratch_bytes,
        .error = errors_of(w, thread),
        .thread = thread,
    };
    const bz_rt_segment *s = k->phase->segments, *last = s + k->phase->nsegments;
    for (int64_t base = 0; s < last && base < end; base += s++->tasks) {
        int64_t lo = begin > base ? begin - base : 0;
        int64_t hi = end - base < s->tasks ? end - base : s->tasks;
        f.buffers = w->table + s->buffers;
        f.extents = s->extents;
        f.scalars = (const void *const *)(w->table + s->scalars);
        if (lo < hi) s->code(&f, lo, hi);
    }
}

static void run_phase(work *k, bz_rt_run *run) {
    int64_t n = k->phase->tasks, bite = k->stop ? n / BITES + 1 : n;
    if (k->phase->flags & BZ_RT_PARALLEL && run->threads > 1) {
        bz_rt_for(run, run_range, k, n);
        return;
    }
    for (int64_t at = 0; at < n; at += bite) run_range(k, at, at + bite < n ? at + bite : n, 0);
}

static void run_timed(work *k, bz_rt_run *run, bz_rt_time *t) {
    int64_t start = bz_rt_now();
    run_phase(k, run);
    t->runs++;
    t->ns += (uint64_t)(bz_rt_now() - start);
}

/* false: stopped. */
static bool run_phases(work *k, bz_rt_run *run, bz_rt_time *times) {
    const bz_rt_image *v = k->v;
    for (uint32_t i = 0; i < v->nphases; i++) {
        k->phase = &v->phases[i];
        if (k->phase->flags & BZ_RT_CHANGES) {
            if (bz_rt_worst(k->w, NULL) != INT64_MAX) return true;
            if (is_set(k->stop)) return false;
            k->stop = NULL;
        }
        if (times)
            run_timed(k, run, &times[i]);
        else
            run_phase(k, run);
        if (is_set(k->stop)) return false;
    }
    return true;
}

BZ_RT_WEAK bool bz_rt_image_run(const bz_rt_image *v, const void *args, const bz_rt_workspace *w,
                          const bz_rt_control *c) {
    work k = {v, w, NULL, c ? c->stop : NULL};
    bz_rt_run run;
    for (int t = 0; t < w->threads; t++) *errors_of(w, t) = INT64_MAX;
    copy(v, 0, v->nearly, args, w);
    bz_rt_begin(&run, w->threads);
    bool whole = run_phases(&k, &run, c ? c->times : NULL);
    bz_rt_end(&run);
    if (whole && bz_rt_worst(w, NULL) == INT64_MAX) copy(v, v->nearly, v->ncopies, args, w);
    return whole;
}
