/* run.c - a call of an exported program (artefact.h has the picture).
 *
 * Invariant: a call touches no memory that another call with its own workspace touches, apart from
 * the pool, which serves one run at a time. */
#define BZ_RT_DEFINES
#include "runtime/aot/artefact.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    LINE = 64,           /* alignment of everything in a workspace */
    HUGE_PAGE = 2 << 20, /* a workspace of two or more asks for huge pages */
    WHICH_SHIFT = 8,     /* of a status */
    KIND_MASK = 255,
};

/* A workspace laid out. */
typedef struct workspace {
    void **table;
    char *arena;
    int64_t *errors; /* LINE bytes a thread */
    char *scratch;
    int threads;
} workspace;

/* One phase of one call, as its tasks see it. */
typedef struct work {
    const bz_rt_variant *v;
    const workspace *w;
    const bz_rt_phase *phase;
} work;

static int status(int kind, uint32_t which) {
    return kind | (int)(which << WHICH_SHIFT);
}

static const bz_rt_variant *choose(const bz_rt_artefact *a) {
    uint32_t have = (uint32_t)bz_rt_isa_selected();
    for (uint32_t i = a->nvariants; i-- > 0;)
        if (a->variants[i].isa <= have) return &a->variants[i];
    return NULL;
}

/* ---- workspaces ---- */

static size_t round_line(size_t n) {
    return (n + LINE - 1) / LINE * LINE;
}

static size_t fixed_bytes(const bz_rt_variant *v) {
    return round_line(v->nplaces * sizeof(void *)) + v->arena_bytes;
}

static size_t thread_bytes(const bz_rt_variant *v) {
    return LINE + v->scratch_bytes;
}

/* The first address may be any: LINE - 1 bytes may go into aligning it. */
static size_t whole_bytes(const bz_rt_variant *v, int threads) {
    return LINE + fixed_bytes(v) + (size_t)threads * thread_bytes(v);
}

/* The number of threads is asked of the system once, as bz_rt_begin does. */
static int wanted_threads(const bz_rt_variant *v) {
    static _Atomic int asked;
    if (!v->parallel) return 1;
    if (!atomic_load_explicit(&asked, memory_order_relaxed)) {
        bz_rt_set_threads(bz_rt_threads());
        atomic_store_explicit(&asked, 1, memory_order_relaxed);
    }
    return bz_rt_threads();
}

/* Lays out memory for as many of `threads` as fit; none fits: false. */
static bool lay_out(const bz_rt_variant *v, void *p, size_t bytes, int threads, workspace *w) {
    if (bytes < whole_bytes(v, 1)) return false;
    size_t fit = (bytes - LINE - fixed_bytes(v)) / thread_bytes(v);
    w->threads = fit < (size_t)threads ? (int)fit : threads;
    char *start = (char *)round_line((uintptr_t)p);
    w->table = (void **)(void *)start;
    w->arena = start + round_line(v->nplaces * sizeof(void *));
    w->errors = (int64_t *)(void *)(w->arena + v->arena_bytes);
    w->scratch = (char *)w->errors + (size_t)w->threads * LINE;
    return true;
}

static void *new_memory(size_t bytes) {
    bool huge = bytes >= 2 * (size_t)HUGE_PAGE;
    void *p = NULL;
    if (posix_memalign(&p, huge ? HUGE_PAGE : LINE, bytes)) return NULL;
    if (huge) madvise(p, bytes, MADV_HUGEPAGE); /* a wish: nothing depends on it */
    return p;
}

/* The artefact's own memory, which this call has taken, with at least `bytes`. */
static bool grow_own(bz_rt_own *own, size_t bytes) {
    if (own->bytes >= bytes) return true;
    free(own->p);
    own->p = new_memory(bytes);
    own->bytes = own->p ? bytes : 0;
    return own->p != NULL;
}

/* ---- running ---- */

/* An empty tensor's pointer may be anything: nothing is added to it. */
static void *behind(void *p, uint64_t bytes) {
    return bytes ? (char *)p + bytes : p;
}

static void *resolve(const bz_rt_variant *v, const bz_rt_place *p, const char *args, char *arena) {
    switch (p->where) {
    case BZ_RT_ARG: return behind(*(void *const *)(const void *)(args + p->field), p->at);
    case BZ_RT_VALUE: return (void *)(uintptr_t)(args + p->field);
    case BZ_RT_ARENA: return arena + p->at;
    case BZ_RT_BAKED: return behind((void *)(uintptr_t)v->baked[p->field], p->at);
    default: return (void *)(uintptr_t)(v->consts + p->at);
    }
}

/* Tasks [begin, end) of a phase: of its segments one after the other. */
static void run_range(void *ctx, int64_t begin, int64_t end, int thread) {
    const work *k = ctx;
    const workspace *w = k->w;
    bz_rt_frame f = {
        .scratch = w->scratch + (size_t)thread * k->v->scratch_bytes,
        .error = w->errors + (size_t)thread * LINE / sizeof *w->errors,
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

static void run_phases(const bz_rt_variant *v, const workspace *w) {
    bz_rt_run run;
    bz_rt_begin(&run, w->threads);
    for (const bz_rt_phase *q = v->phases; q < v->phases + v->nphases; q++) {
        work k = {v, w, q};
        if (q->parallel)
            bz_rt_for(&run, run_range, &k, q->tasks);
        else
            run_range(&k, 0, q->tasks, 0);
    }
    bz_rt_end(&run);
}

static int find_bad_index(const bz_rt_variant *v, const workspace *w) {
    int64_t lowest = INT64_MAX;
    for (int t = 0; t < w->threads; t++) {
        int64_t own = w->errors[(size_t)t * LINE / sizeof own];
        lowest = own < lowest ? own : lowest;
    }
    if (lowest == INT64_MAX) return BZ_RT_OK;
    uint32_t i = 0;
    while (i < v->nsites && v->sites[i].element != lowest) i++;
    return status(BZ_RT_EINDEX, i);
}

static void copy(const bz_rt_variant *v, uint32_t first, uint32_t last, const char *args,
                 char *arena) {
    for (const bz_rt_copy *c = v->copies + first; c < v->copies + last; c++)
        memcpy(resolve(v, &c->to, args, arena), resolve(v, &c->from, args, arena), c->bytes);
}

static void run(const bz_rt_variant *v, const char *args, const workspace *w) {
    for (uint32_t i = 0; i < v->nplaces; i++)
        w->table[i] = resolve(v, &v->places[i], args, w->arena);
    for (int t = 0; t < w->threads; t++)
        w->errors[(size_t)t * LINE / sizeof *w->errors] = INT64_MAX;
    copy(v, 0, v->nearly, args, w->arena);
    run_phases(v, w);
    copy(v, v->nearly, v->ncopies, args, w->arena);
}

/* ---- which index it was */

/* Of a thread's last call that met an index outside. */
typedef struct words {
    const bz_rt_variant *v; /* NULL: nothing is known */
    int status;
    char text[500];
} words;

static pthread_key_t words_key;
static int words_failed;

/* libc frees them when a thread ends: nothing of ours may be in the process any more then. */
static void make_words_key(void) {
    words_failed = pthread_key_create(&words_key, free);
}

/* This thread's; NULL: it has none, or (`make`) there is no memory. */
static words *own_words(int make) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_words_key);
    if (words_failed) return NULL;
    words *t = pthread_getspecific(words_key);
    if (t || !make) return t;
    t = calloc(1, sizeof *t);
    if (t && pthread_setspecific(words_key, t)) free(t), t = NULL;
    return t;
}

/* The first index that is outside, after a run that met one at site s; false: it cannot be found out. */
static int find_index(const bz_rt_site *s, const char *args, int64_t *index) {
    workspace w;
    int64_t i = s->count;
    size_t bytes = whole_bytes(s->find, 1);
    void *p = new_memory(bytes);
    if (p && lay_out(s->find, p, bytes, 1, &w)) {
        run(s->find, args, &w);
        const int64_t *all = (const int64_t *)(const void *)(w.arena + s->at);
        for (i = 0; i < s->count && all[i] >= -s->size && all[i] < s->size; i++) continue;
        if (i < s->count) *index = all[i];
    }
    free(p);
    return i < s->count;
}

static void tell(const bz_rt_variant *v, const char *args, int met) {
    const bz_rt_site *s = &v->sites[(uint32_t)met >> WHICH_SHIFT];
    words *t = own_words(s->find != NULL);
    int64_t index = 0;
    if (t) t->v = NULL;
    if (!t || !s->find || !find_index(s, args, &index)) return;
    snprintf(t->text, sizeof t->text, "%s%lld%s", s->before, (long long)index, s->behind);
    t->v = v;
    t->status = met;
}

static int run_on(const bz_rt_variant *v, const char *args, void *p, size_t bytes) {
    workspace w;
    if (!lay_out(v, p, bytes, wanted_threads(v), &w)) return BZ_RT_EWORKSPACE;
    run(v, args, &w);
    int s = find_bad_index(v, &w);
    if (s && (uint32_t)s >> WHICH_SHIFT < v->nsites) tell(v, args, s);
    return s;
}

/* Without a workspace from the caller: the artefact's, or while another call has it, one for this
 * call. */
static int run_on_own(const bz_rt_artefact *a, const bz_rt_variant *v, const char *args) {
    size_t bytes = whole_bytes(v, wanted_threads(v));
    int s = BZ_RT_EMEMORY;
    if (!atomic_exchange_explicit(&a->own->taken, 1, memory_order_acquire)) {
        if (grow_own(a->own, bytes)) s = run_on(v, args, a->own->p, a->own->bytes);
        atomic_store_explicit(&a->own->taken, 0, memory_order_release);
        return s;
    }
    void *p = new_memory(bytes);
    if (p) s = run_on(v, args, p, bytes);
    free(p);
    return s;
}

/* ---- what an artefact calls ---- */

static int check_args(const bz_rt_artefact *a, const char *args) {
    if (!args) return status(BZ_RT_EARGUMENT, a->nargs);
    for (uint32_t i = 0; i < a->nargs; i++) {
        uintptr_t p = *(const uintptr_t *)(const void *)(args + a->args[i].at);
        if (!p) return status(BZ_RT_EARGUMENT, i);
        if (p % a->args[i].align) return status(BZ_RT_EALIGNMENT, i);
    }
    return BZ_RT_OK;
}

int bz_rt_call_v3(const bz_rt_artefact *a, const void *args) {
    const bz_rt_variant *v = choose(a);
    if (!v) return BZ_RT_EMACHINE;
    int s = check_args(a, args);
    if (s) return s;
    const struct {
        void *p;
        size_t bytes;
    } *given = (const void *)((const char *)args + a->workspace);
    return given->p ? run_on(v, args, given->p, given->bytes) : run_on_own(a, v, args);
}

size_t bz_rt_workspace_v3(const bz_rt_artefact *a) {
    const bz_rt_variant *v = choose(a);
    return v ? whole_bytes(v, wanted_threads(v)) : 0;
}

static const char *bad_index(const bz_rt_artefact *a, int value) {
    const bz_rt_variant *v = choose(a);
    uint32_t which = (uint32_t)value >> WHICH_SHIFT;
    const words *t = own_words(0);
    if (v && t && t->v == v && t->status == value) return t->text;
    return v && which < v->nsites ? v->sites[which].message : "an index is out of range";
}

const char *bz_rt_error_v3(const bz_rt_artefact *a, int value) {
    uint32_t which = (uint32_t)value >> WHICH_SHIFT;
    switch (value & KIND_MASK) {
    case BZ_RT_OK: return "done";
    case BZ_RT_EMACHINE: return "the processor lacks instructions that this program needs";
    case BZ_RT_EMEMORY: return "out of memory for the workspace";
    case BZ_RT_EWORKSPACE: return "the workspace is too small";
    case BZ_RT_EARGUMENT:
        return which < a->nargs ? a->args[which].missing : "the arguments are NULL";
    case BZ_RT_EALIGNMENT:
        return which < a->nargs ? a->args[which].misaligned : "a pointer is not aligned";
    case BZ_RT_EINDEX: return bad_index(a, value);
    default: return "unknown status";
    }
}
