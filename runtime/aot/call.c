/* call.c - a call of an exported program (artefact.h has the picture).
 *
 * Invariant: a call touches no memory that another call with its own workspace touches, apart from
 * the pool, which serves one run at a time. */
#define BZ_RT_DEFINES
#include "runtime/aot/artefact.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
    LINE = 64,           /* alignment of everything in a workspace */
    HUGE_PAGE = 2 << 20, /* a workspace of two or more asks for huge pages */
};

static const bz_rt_variant *choose(const bz_rt_artefact *a) {
    uint32_t have = (uint32_t)bz_rt_isa_selected();
    for (uint32_t i = a->nvariants; i-- > 0;)
        if (a->variants[i].isa <= have) return &a->variants[i];
    return NULL;
}

/* What a call runs: a variant as it is, or one that it makes, in its workspace, for the size that it is told. */
typedef struct call {
    const bz_rt_variant *v;     /* the artefact's */
    const bz_rt_template *made; /* from this; NULL: as it is */
    int64_t n;
    bz_rt_variant head; /* its numbers */
} call;

static int begin(call *k, const bz_rt_variant *v, int64_t n) {
    *k = (call){.v = v, .n = n, .head = *v};
    if (!v->sizes) return BZ_RT_OK;
    if (!(k->made = bz_rt_template_of_v5(v->sizes, n))) return BZ_RT_ESIZE;
    bz_rt_cut_head_v5(k->made, n, &k->head);
    return BZ_RT_OK;
}

/* ---- workspaces ---- */

/* The number of threads is asked of the system once, as bz_rt_begin does. */
static int wanted_threads(const bz_rt_variant *v) {
    static _Atomic int asked;
    if (!v->image.parallel) return 1;
    if (!atomic_load_explicit(&asked, memory_order_relaxed)) {
        bz_rt_set_threads(bz_rt_threads());
        atomic_store_explicit(&asked, 1, memory_order_relaxed);
    }
    return bz_rt_threads();
}

/* Bytes for the variant that is made, at any address. */
static size_t made_bytes(const call *k) {
    return k->made ? (size_t)k->made->nwords * sizeof(uint64_t) + LINE : 0;
}

static size_t workspace_bytes(const call *k) {
    return made_bytes(k) + bz_rt_workspace_bytes(&k->head.image, wanted_threads(&k->head));
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

static int find_fault(const bz_rt_variant *v, const bz_rt_workspace *w, int64_t *code) {
    int64_t worst = bz_rt_worst(w, code);
    if (worst == INT64_MAX) return BZ_RT_OK;
    uint32_t i = 0;
    while (i < v->nsites && v->sites[i].element != worst) i++;
    const bool calls = i < v->nsites && bz_rt_is_call(&v->sites[i]);
    return bz_rt_status_of(calls ? BZ_RT_EFUNCTION : BZ_RT_EINDEX, i);
}

static void run(const bz_rt_image *v, const char *args, const bz_rt_workspace *w) {
    bz_rt_fill_table(v, args, w, BZ_RT_BAKED);
    bz_rt_image_run(v, args, w, NULL);
}

/* ---- which index it was */

/* The first index that is outside, after a run that met one at site s; false: it cannot be found out. */
static int find_index(const bz_rt_site *s, const char *args, int64_t *index) {
    bz_rt_workspace w;
    int64_t i = s->count;
    size_t bytes = bz_rt_workspace_bytes(s->find, 1);
    void *p = new_memory(bytes);
    if (p && bz_rt_lay_out(s->find, p, bytes, 1, &w)) {
        run(s->find, args, &w);
        const int64_t *all = (const int64_t *)(const void *)(w.arena + s->at);
        for (i = 0; i < s->count && all[i] >= -s->size && all[i] < s->size; i++) continue;
        if (i < s->count) *index = all[i];
    }
    free(p);
    return i < s->count;
}

/* Keeps the words of a place that met an index outside: with the index, or where nothing finds it, and v is the call's own, without; of
 * a function of C that gave status `index`: with that. */
static void tell(const call *k, const bz_rt_variant *v, const char *args, int met, int64_t index) {
    const bz_rt_site *s = &v->sites[(uint32_t)met >> BZ_RT_WHICH_SHIFT];
    char number[24];
    bz_rt_forget();
    if (bz_rt_is_call(s) || (s->find && find_index(s, args, &index))) {
        snprintf(number, sizeof number, "%lld", (long long)index);
        bz_rt_tell(k->v, met, s->before, number, s->behind);
    } else if (k->made) {
        bz_rt_tell(k->v, met, s->message, "", "");
    }
}

static int run_on(const call *k, const char *args, char *p, size_t bytes) {
    const bz_rt_variant *v = k->v;
    bz_rt_workspace w;
    if (k->made) {
        if (bytes < made_bytes(k)) return BZ_RT_EWORKSPACE;
        v = bz_rt_cut_v5(k->made, k->n, (uint64_t *)(void *)(p + -(uintptr_t)p % LINE));
        p += made_bytes(k);
        bytes -= made_bytes(k);
    }
    if (!bz_rt_lay_out(&v->image, p, bytes, wanted_threads(v), &w)) return BZ_RT_EWORKSPACE;
    run(&v->image, args, &w);
    int64_t code = 0;
    int s = find_fault(v, &w, &code);
    if (s && (uint32_t)s >> BZ_RT_WHICH_SHIFT < v->nsites) tell(k, v, args, s, code);
    return s;
}

/* Without a workspace from the caller: the artefact's, or while another call has it, one for this
 * call. */
static int run_on_own(const bz_rt_artefact *a, const call *k, const char *args) {
    size_t bytes = workspace_bytes(k);
    int s = BZ_RT_EMEMORY;
    if (!atomic_exchange_explicit(&a->own->taken, 1, memory_order_acquire)) {
        if (grow_own(a->own, bytes)) s = run_on(k, args, a->own->p, a->own->bytes);
        atomic_store_explicit(&a->own->taken, 0, memory_order_release);
        return s;
    }
    void *p = new_memory(bytes);
    if (p) s = run_on(k, args, p, bytes);
    free(p);
    return s;
}

/* ---- what an artefact calls ---- */

int bz_rt_call_v5(const bz_rt_artefact *a, const void *args) {
    const bz_rt_variant *v = choose(a);
    call k;
    if (!v) return BZ_RT_EMACHINE;
    int s = bz_rt_check_args(a, args);
    if (s) return s;
    if ((s = begin(&k, v, v->sizes ? *(const int64_t *)args : 0))) return s;
    const struct {
        void *p;
        size_t bytes;
    } *given = (const void *)((const char *)args + a->workspace);
    return given->p ? run_on(&k, args, given->p, given->bytes) : run_on_own(a, &k, args);
}

size_t bz_rt_workspace_of_v5(const bz_rt_artefact *a, int64_t n) {
    const bz_rt_variant *v = choose(a);
    call k;
    return v && begin(&k, v, n) == BZ_RT_OK ? workspace_bytes(&k) : 0;
}

size_t bz_rt_workspace_v5(const bz_rt_artefact *a) {
    return bz_rt_workspace_of_v5(a, 0);
}

/* The first variant is the least. */
static const char *bad_machine(const bz_rt_artefact *a) {
    const uint32_t least = a->variants[0].isa;
    if ((uint32_t)bz_rt_isa_detect() < least)
        return least == BZ_RT_V4
                   ? "the processor lacks avx512, the least that this program has code for"
                   : "the processor lacks avx2, the least that this program has code for";
    return least == BZ_RT_V4
               ? "BRAZE_ISA allows less than avx512, the least that this program has code for"
               : "BRAZE_ISA allows less than avx2, the least that this program has code for";
}

const char *bz_rt_error_v5(const bz_rt_artefact *a, int value) {
    if ((value & BZ_RT_KIND_MASK) == BZ_RT_EMACHINE) return bad_machine(a);
    return bz_rt_text(a, choose(a), value);
}
