/* graph.c - launches of a program as a graph that the driver keeps: one call launches all of them, for the words (addresses of inputs
 * and outputs, values of scalars) that they were last bound to.
 *
 *     launches --who writes what another reads--> nodes and edges --driver--> ready graph
 *     a run: those launches alone are bound again that take a word which is another one now  ->  one launch
 *
 * Whatever the driver refuses, the launches are made one by one: it is that call then which fails, if any does. */
#include "runtime/cuda/program.h"

#include <string.h>

/* ---- what waits for what */

#define ARENA UINT32_MAX

/* Bytes [first, end) of the arena, or all that a word leads to. */
typedef struct region {
    uint32_t word; /* ARENA: none */
    int64_t first, end;
    bool written;
} region;

static region region_of(const cuda_program *p, const cuda_launch *l, uint32_t i) {
    const pass_buffer *b = &p->plan->buffers.p[l->of_plan->buffers[i]];
    const lp_kernel *k = p->plan->code->k.p[l->of_plan->kernel];
    const int64_t bytes = b->count * (int64_t)ir_dtype_bytes(b->dtype);
    region r = {.word = ARENA, .written = k->buffers.p[i].access != LP_IN};
    const int64_t staged = b->place == PASS_OUTPUT ? p->image.staged[b->number] : -1;
    switch (b->place) {
    case PASS_INPUT: r.word = b->number; break;
    case PASS_OUTPUT:
        if (staged >= 0)
            r.first = staged, r.end = staged + bytes;
        else
            r.word = p->base.ninputs + b->number;
        break;
    case PASS_ARENA: r.first = b->offset, r.end = b->offset + bytes; break;
    case PASS_CONST: break; /* nobody writes there */
    }
    return r;
}

static bool meet(const region *a, const region *b) {
    if (!a->written && !b->written) return false;
    if (a->word != ARENA || b->word != ARENA) return a->word == b->word;
    return a->first < b->end && b->first < a->end;
}

static bool waits(const cuda_program *p, const cuda_launch *late, const cuda_launch *early) {
    const lp_kernel *k = p->plan->code->k.p[late->of_plan->kernel],
                    *j = p->plan->code->k.p[early->of_plan->kernel];
    if ((late->of.scratch && early->of.scratch) || (late->of.reports && early->of.reports))
        return true; /* they have it in common */
    if (late->stage == early->stage) return false;
    for (uint32_t a = 0; a < k->buffers.n; a++) {
        const region x = region_of(p, late, a);
        for (uint32_t b = 0; b < j->buffers.n; b++) {
            const region y = region_of(p, early, b);
            if (meet(&x, &y)) return true;
        }
    }
    return false;
}

/* ---- nodes */

static cu_kernel_node node_of(const cuda_memory *m, const cuda_launch *l) {
    return (cu_kernel_node){.f = l->f,
                            .gx = l->grid.blocks,
                            .gy = 1,
                            .gz = 1,
                            .bx = l->grid.threads,
                            .by = 1,
                            .bz = 1,
                            .parameters = l->args,
                            .context = m->context};
}

typedef struct maker {
    cuda_memory *m;
    cuda_program *p;
    cuda_stretch *s;
    cu_node *after;   /* of the node at hand */
    uint64_t *behind; /* of each launch a row: those that end before it begins */
    size_t words;     /* of a row */
} maker;

static uint64_t *row_of(const maker *k, uint32_t i) {
    return k->behind + (size_t)(i - k->s->first) * k->words;
}

/* What launch i waits for, but for what others of that wait for anyway. */
static size_t find_edges(const maker *k, uint32_t i) {
    uint64_t *own = row_of(k, i);
    size_t n = 0;
    for (uint32_t j = i; j-- > k->s->first;) {
        const uint32_t bit = j - k->s->first;
        const cuda_launch *early = &k->p->launches[j];
        if (!early->tasks || own[bit / 64] >> bit % 64 & 1 ||
            !waits(k->p, &k->p->launches[i], early))
            continue;
        for (size_t w = 0; w < k->words; w++) own[w] |= row_of(k, j)[w];
        own[bit / 64] |= (uint64_t)1 << bit % 64;
        k->after[n++] = early->node;
    }
    return n;
}

static bool add_nodes(const maker *k) {
    bool ok = true;
    for (uint32_t i = k->s->first; i < k->s->end && ok; i++) {
        cuda_launch *l = &k->p->launches[i];
        const cu_kernel_node node = node_of(k->m, l);
        if (!l->tasks) continue;
        const size_t n = find_edges(k, i);
        ok = !k->m->d->graph_kernel(&l->node, k->s->graph, k->after, n, &node);
    }
    return ok;
}

static size_t words_of(const cuda_program *p) {
    return (size_t)(p->base.ninputs + p->base.noutputs);
}

static bool make(const maker *k) {
    cuda_stretch *s = k->s;
    if (!s->bound || !k->after || !k->behind) return false;
    if (k->m->d->graph_new(&s->graph, 0)) return s->graph = NULL, false;
    if (!add_nodes(k)) return false;
    if (k->m->d->graph_ready(&s->exec, s->graph, 0)) return s->exec = NULL, false;
    memcpy(s->bound, k->p->args, words_of(k->p) * sizeof *s->bound);
    return true;
}

void cuda_graph_make(cuda_memory *m, cuda_program *p, cuda_stretch *s) {
    const size_t n = s->end - s->first, words = (n + 63) / 64;
    if (!s->bound) s->bound = bz_mem_alloc((words_of(p) + 1) * sizeof *s->bound);
    maker k = {.m = m, .p = p, .s = s, .words = words};
    k.after = bz_mem_alloc(n * sizeof *k.after);
    k.behind = bz_mem_zero(n * words, sizeof *k.behind);
    if (!make(&k)) {
        cuda_graph_drop(m, s);
        s->plain = true;
    }
    bz_mem_free(k.after);
    bz_mem_free(k.behind);
}

void cuda_graph_drop(cuda_memory *m, cuda_stretch *s) {
    if (s->exec) m->d->exec_free(s->exec);
    if (s->graph) m->d->graph_free(s->graph);
    s->exec = NULL;
    s->graph = NULL;
}

/* ---- words */

/* Does it take a word that is another one now? */
static bool differs(const cuda_program *p, const cuda_stretch *s, const bz_rt_place *at,
                    uint32_t n) {
    for (; n-- > 0; at++) {
        const size_t word = at->field / sizeof *p->args;
        if (at->where <= BZ_RT_VALUE && p->args[word] != s->bound[word]) return true;
    }
    return false;
}

void cuda_graph_bind(cuda_memory *m, cuda_program *p, cuda_stretch *s) {
    const size_t bytes = words_of(p) * sizeof *s->bound;
    if (memcmp(p->args, s->bound, bytes) == 0) return;
    for (uint32_t i = s->first; i < s->end; i++) {
        const cuda_launch *l = &p->launches[i];
        const bz_rt_segment *of = &p->image.segments.p[i];
        const lp_kernel *k = p->plan->code->k.p[l->of_plan->kernel];
        if (!l->tasks ||
            !differs(p, s, &p->image.places.p[of->buffers], k->buffers.n + k->scalars.n))
            continue;
        const cu_kernel_node node = node_of(m, l);
        if (m->d->exec_kernel(s->exec, l->node, &node)) {
            cuda_graph_drop(m, s); /* half of it is bound */
            return;
        }
    }
    memcpy(s->bound, p->args, bytes);
}
