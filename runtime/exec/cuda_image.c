/* cuda_image.c - the codes of a plan's image, and which launch waits for which: who writes what another reads. */
#include "runtime/exec/cuda_image.h"

#include "src/codegen/cuda.h"

#include <string.h>

_Static_assert(sizeof(bz_rt_cuda_rows) == sizeof(cuda_rows) &&
                   (int)BZ_RT_CUDA_WORDS == (int)LP_ROWS_WORDS,
               "rows as the code has them");

/* Segments first .. end of a phase of the image: those of a kernel that is handed rows run in one launch, as many as it has room for. */
static void find_rows(cuda_image *m, const rt_image *v, const pass_plan *p, uint32_t first,
                      uint32_t end) {
    bz_rt_cuda_code *c = m->codes.p;
    for (uint32_t i = first; i < end; i++) {
        const lp_kernel *k = p->code->k.p[v->codes.p[i].kernel];
        const uint32_t most = LP_ROWS_WORDS / lp_row_words(k);
        if (!k->rows || c[i].led) continue;
        c[i].rows = 1;
        for (uint32_t j = i + 1, last = i; j < end && c[i].rows < most; j++) {
            if (v->codes.p[j].kernel != v->codes.p[i].kernel || c[j].led) continue;
            c[j].led = 1;
            c[last].next = j;
            c[i].rows++;
            last = j;
        }
    }
}

bool cuda_image_make(cuda_image *m, const rt_image *v, const pass_plan *p) {
    *m = (cuda_image){0};
    bool ok = true;
    for (uint32_t i = 0; i < v->codes.n && ok; i++) {
        const lp_kernel *k = p->code->k.p[v->codes.p[i].kernel];
        const cuda_phase of = cuda_phase_of(k, p->code, v->codes.p[i].phase);
        ok = bz_vec_push(&m->codes, ((bz_rt_cuda_code){.name = k->name,
                                                       .scratch = (uint64_t)of.scratch,
                                                       .threads = of.threads,
                                                       .buffers = k->buffers.n,
                                                       .extents = k->extents.n,
                                                       .scalars = k->scalars.n,
                                                       .reports = of.reports,
                                                       .shared = (uint32_t)of.dynamic}));
    }
    for (uint32_t ph = 0, at = 0; ph < v->phases.n && ok; at += v->phases.p[ph++].nsegments)
        find_rows(m, v, p, at, at + v->phases.p[ph].nsegments);
    m->base = (bz_rt_cuda){.codes = m->codes.p, .ncodes = m->codes.n};
    return ok;
}

void cuda_image_free(cuda_image *m) {
    bz_vec_free(&m->codes);
    bz_vec_free(&m->after);
    m->base = (bz_rt_cuda){0};
}

/* ---- what waits for what */

#define ARENA UINT32_MAX

/* Bytes [first, end) of the arena, or all that a word of the call leads to. */
typedef struct region {
    uint32_t word; /* ARENA: none */
    int64_t first, end;
    bool written;
} region;

/* A segment of the image. */
typedef struct node {
    const pass_segment *of; /* whose buffers these are */
    uint32_t stage;         /* the image's phase: what has one in common may run at once */
} node;

typedef struct finder {
    cuda_image *m;
    const rt_image *v;
    const pass_plan *p;
    node *nodes;
    uint64_t *behind; /* of each launch a row: those that end before it begins */
    size_t words;     /* of a row */
} finder;

static region region_of(const finder *f, const node *l, uint32_t i) {
    const pass_buffer *b = &f->p->buffers.p[l->of->buffers[i]];
    const lp_kernel *k = f->p->code->k.p[l->of->kernel];
    const int64_t bytes = b->count * (int64_t)ir_dtype_bytes(b->dtype);
    region r = {.word = ARENA, .written = k->buffers.p[i].access != LP_IN};
    const int64_t staged = b->place == PASS_OUTPUT ? f->v->staged[b->number] : -1;
    switch (b->place) {
    case PASS_INPUT: r.word = b->number; break;
    case PASS_OUTPUT:
        if (staged >= 0)
            r.first = staged, r.end = staged + bytes;
        else
            r.word = f->p->graph->inputs.n + b->number;
        break;
    case PASS_ARENA: r.first = b->offset, r.end = b->offset + bytes; break;
    case PASS_CONST:       /* nobody writes there */
    case PASS_KEPT: break; /* GPUs keep nothing */
    }
    return r;
}

static bool meet(const region *a, const region *b) {
    if (!a->written && !b->written) return false;
    if (a->word != ARENA || b->word != ARENA) return a->word == b->word;
    return a->first < b->end && b->first < a->end;
}

/* Does a buffer of launch i lie where r does? */
static bool touches(const finder *f, uint32_t i, const region *r) {
    do {
        for (uint32_t b = 0; b < f->m->codes.p[i].buffers; b++) {
            const region other = region_of(f, &f->nodes[i], b);
            if (meet(r, &other)) return true;
        }
    } while ((i = f->m->codes.p[i].next));
    return false;
}

static bool waits(const finder *f, uint32_t late, uint32_t early) {
    const bz_rt_cuda_code *k = &f->m->codes.p[late], *j = &f->m->codes.p[early];
    if ((k->scratch && j->scratch) || (k->reports && j->reports))
        return true; /* they have it in common */
    if (f->nodes[late].stage == f->nodes[early].stage) return false;
    do {
        for (uint32_t a = 0; a < f->m->codes.p[late].buffers; a++) {
            const region own = region_of(f, &f->nodes[late], a);
            if (touches(f, early, &own)) return true;
        }
    } while ((late = f->m->codes.p[late].next));
    return false;
}

/* Is anything launched for segment i? */
static bool is_launched(const finder *f, uint32_t i) {
    bool any = false;
    if (f->m->codes.p[i].led) return false;
    do any |= f->v->segments.p[i].tasks > 0;
    while ((i = f->m->codes.p[i].next));
    return any;
}

/* The segments of a launch of the plan that have a phase, as the image has them: phase by phase. */
static void find_nodes(finder *f) {
    const pass_plan *p = f->p;
    node *next = f->nodes;
    for (uint32_t l = 0; l < p->launches.n; l++)
        for (uint32_t stage = f->v->first.p[l]; stage < f->v->first.p[l + 1]; stage++)
            for (uint32_t k = 0; k < p->launches.p[l].nsegments; k++) {
                const pass_segment *s = &p->launches.p[l].segments[k];
                if (stage - f->v->first.p[l] < lp_phase_count(p->code->k.p[s->kernel]))
                    *next++ = (node){s, stage};
            }
}

/* What launch i waits for, but for what others of that wait for anyway. */
static bool add_edges(finder *f, uint32_t i) {
    uint64_t *own = f->behind + i * f->words;
    bz_rt_cuda_code *c = &f->m->codes.p[i];
    bool ok = true;
    c->after = f->m->after.n;
    for (uint32_t j = i; j-- > 0 && ok && is_launched(f, i);) {
        if (!is_launched(f, j) || own[j / 64] >> j % 64 & 1 || !waits(f, i, j)) continue;
        for (size_t w = 0; w < f->words; w++) own[w] |= f->behind[j * f->words + w];
        own[j / 64] |= (uint64_t)1 << j % 64;
        ok = bz_vec_push(&f->m->after, j);
        c->nafter++;
    }
    return ok;
}

bool cuda_image_find_edges(cuda_image *m, const rt_image *v, const pass_plan *p) {
    const uint32_t n = m->codes.n;
    finder f = {.m = m, .v = v, .p = p, .words = (n + 63) / 64};
    f.nodes = bz_mem_zero(n + 1, sizeof *f.nodes);
    f.behind = bz_mem_zero(n * f.words + 1, sizeof *f.behind);
    bool ok = f.nodes && f.behind && bz_vec_reserve(&m->after, 1);
    if (ok) find_nodes(&f);
    for (uint32_t i = 0; i < n && ok; i++) ok = add_edges(&f, i);
    bz_mem_free(f.nodes);
    bz_mem_free(f.behind);
    if (ok) m->base.after = m->after.p;
    return ok;
}
