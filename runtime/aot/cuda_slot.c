/* cuda_slot.c - an exported function made ready to run in a place: its functions there, and memory for one run at a time. */
#include "runtime/aot/cuda_artefact.h"

#include <stdlib.h>

enum {
    LINE = 64,  /* alignment of everything in a workspace */
    ERROR = 64, /* bytes for the slot of errors */
};

/* ---- what the host knows */

/* The variant for size n: the artefact's, or one that is made. false: no memory. */
static bool find_variant(bz_rt_cuda_slot *s) {
    if (!(s->v = s->of)->sizes) return true;
    const bz_rt_template *t = bz_rt_template_of_v5(s->of->sizes, s->n);
    s->words = malloc(t->nwords * sizeof *s->words);
    if (s->words) s->v = bz_rt_cut_v5(t, s->n, s->words);
    return s->words != NULL;
}

static bool lay_out(bz_rt_cuda_slot *s, const bz_rt_cuda_place *p, const bz_rt_image *image,
                    const bz_rt_cuda_part *part) {
    static _Atomic int wanted; /* $BRAZE_GRAPHS, asked once: 2 yes, 3 no */
    bz_rt_cuda_run *r = &s->run;
    if (!wanted) wanted = bz_rt_env_number("BRAZE_GRAPHS", 1) == 0 ? 3 : 2;
    s->part = part;
    r->d = p->d;
    r->context = p->context;
    r->image = *image;
    r->cuda = &part->cuda;
    r->processors = p->processors;
    r->graphs = wanted == 2 && cu_has_graphs(p->d);
    s->room = malloc(bz_rt_cuda_room(r) + 1);
    if (s->room) bz_rt_cuda_lay_out(r, s->room);
    return s->room != NULL;
}

BZ_RT_WEAK bz_rt_cuda_slot *bz_rt_cuda_slot_plan(const bz_rt_cuda_place *p, const bz_rt_artefact *a,
                                                 int64_t n, const bz_rt_image *find,
                                                 const bz_rt_cuda_slot *with) {
    bz_rt_cuda_slot *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->of = a->variants;
    s->n = n;
    s->run.args_bytes = (size_t)a->workspace;
    bool done = with || find_variant(s);
    if (with) s->v = with->v;
    if (done && find)
        done = lay_out(s, p, find, &((const bz_rt_cuda_finder *)(const void *)find)->part);
    else if (done)
        done = lay_out(s, p, &s->v->image, &((const bz_rt_cuda_variant *)(const void *)s->v)->part);
    if (done) return s;
    bz_rt_cuda_slot_free(p->d, s);
    return NULL;
}

/* ---- what the device knows */

static bool find_functions(bz_rt_cuda_place *p, bz_rt_cuda_slot *s, bz_rt_cuda_fault *f) {
    const bz_rt_cuda *c = &s->part->cuda;
    if (!s->part->fatbin) return true;
    const cu_module m = bz_rt_cuda_module(p, s->part->fatbin, f);
    bool done = m != NULL;
    for (uint32_t i = 0; i < c->ncodes && done; i++) {
        const char *name = c->codes[i].function;
        done = bz_rt_cuda_fail(p->d, p->d->module_function(&s->run.launches[i].f, m, name),
                               "cuModuleGetFunction", name, f);
    }
    if (!done) return false;
    const cu_result code = bz_rt_cuda_allow(&s->run);
    return bz_rt_cuda_fail(p->d, code, s->run.failed, s->run.of, f);
}

static bool find_constants(bz_rt_cuda_place *p, bz_rt_cuda_slot *s, bz_rt_cuda_fault *f) {
    const bz_rt_cuda_variant *v = (const bz_rt_cuda_variant *)(const void *)s->v;
    const cu_address at = bz_rt_cuda_upload(p, s->run.image.consts, s->part->consts_bytes, f);
    bool done = at || !s->part->consts_bytes;
    s->run.image.consts = (const char *)(uintptr_t)at;
    s->baked = calloc(v->nbaked + 1, sizeof *s->baked);
    if (!s->baked) return bz_rt_cuda_no_memory(f);
    for (uint32_t i = 0; i < v->nbaked && done; i++) {
        const cu_address b = bz_rt_cuda_upload(p, s->run.image.baked[i], v->baked[i], f);
        s->baked[i] = (void *)(uintptr_t)b;
        done = b || !v->baked[i];
    }
    s->run.image.baked = (const void *const *)s->baked;
    return done;
}

BZ_RT_WEAK bool bz_rt_cuda_slot_ready(bz_rt_cuda_place *p, bz_rt_cuda_slot *s,
                                      bz_rt_cuda_fault *f) {
    return find_functions(p, s, f) && find_constants(p, s, f) &&
           bz_rt_cuda_fail(p->d, p->d->event_new(&s->done, CU_NO_TIMING), "cuEventCreate", "", f);
}

BZ_RT_WEAK void bz_rt_cuda_slot_free(const cu_driver *d, bz_rt_cuda_slot *s) {
    if (!s) return;
    if (s->under_way) d->event_wait(s->done);
    if (s->room) bz_rt_cuda_drop(&s->run);
    if (s->own) d->free(s->own);
    if (s->arrays) d->free(s->arrays);
    if (s->stream) d->stream_free(s->stream);
    if (s->done) d->event_free(s->done);
    free(s->baked);
    free(s->words);
    free(s->room);
    free(s);
}

/* ---- its memory: [ arena | scratch of each thread | errors ] */

static uint64_t round_line(uint64_t n) {
    return (n + LINE - 1) / LINE * LINE;
}

BZ_RT_WEAK uint64_t bz_rt_cuda_slot_bytes(const bz_rt_cuda_slot *s) {
    const bz_rt_cuda_run *r = &s->run;
    return LINE + r->image.arena_bytes + r->scratch_bytes + (r->reports ? ERROR : 0);
}

static bool get_own(bz_rt_cuda_slot *s, bz_rt_cuda_fault *f) {
    const cu_driver *d = s->run.d;
    if (s->own) return true;
    const size_t bytes = (size_t)bz_rt_cuda_slot_bytes(s);
    if (bz_rt_cuda_fail(d, d->alloc(&s->own, bytes), "cuMemAlloc", "", f)) return true;
    return s->own = 0, false;
}

BZ_RT_WEAK bool bz_rt_cuda_slot_lay(bz_rt_cuda_slot *s, cu_address at, bz_rt_cuda_fault *f) {
    bz_rt_cuda_run *r = &s->run;
    if (!at && !get_own(s, f)) return false;
    const cu_address arena = round_line(at ? at : s->own);
    if (at) r->stale = r->reports; /* whatever the caller did with it */
    if (arena == r->memory.arena) return true;
    r->memory.arena = arena;
    r->memory.scratch = r->scratch_bytes ? arena + r->image.arena_bytes : 0;
    r->memory.error = r->reports ? arena + r->image.arena_bytes + r->scratch_bytes : 0;
    r->work.arena = (char *)(uintptr_t)arena;
    r->stale = r->reports;
    return true;
}
