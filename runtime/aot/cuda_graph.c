/* cuda_graph.c - launches of a program as a graph that the driver keeps: one call launches all of them, for the words (addresses of inputs
 * and outputs, values of scalars) that they were last bound to.
 *
 *     codes[].after --> nodes and edges --driver--> ready graph
 *     a run: those launches alone are bound again that take a word which is another one now  ->  one launch
 *
 * Whatever the driver refuses, the launches are made one by one: it is that call then which fails, if any does. */
#include "runtime/aot/cuda_run.h"

#include <string.h>

static cu_kernel_node node_of(const bz_rt_cuda_run *r, uint32_t i) {
    const bz_rt_cuda_launch *l = &r->launches[i];
    bz_rt_cuda_fill(r, i);
    return (cu_kernel_node){.f = l->f,
                            .gx = l->grid.blocks,
                            .gy = 1,
                            .gz = 1,
                            .bx = l->grid.threads,
                            .by = 1,
                            .bz = 1,
                            .shared = r->cuda->codes[i].shared,
                            .parameters = l->args,
                            .context = r->context};
}

static bool add_nodes(const bz_rt_cuda_run *r, const bz_rt_cuda_stretch *s) {
    bool ok = true;
    for (uint32_t i = s->first; i < s->end && ok; i++) {
        bz_rt_cuda_launch *l = &r->launches[i];
        const bz_rt_cuda_code *c = &r->cuda->codes[i];
        size_t n = 0;
        if (!l->tasks) continue;
        const cu_kernel_node node = node_of(r, i);
        for (uint32_t k = 0; k < c->nafter; k++) {
            const uint32_t early = r->cuda->after[c->after + k];
            if (early >= s->first) r->nodes[n++] = r->launches[early].node;
        }
        ok = !r->d->graph_kernel(&l->node, s->graph, r->nodes, n, &node);
    }
    return ok;
}

static void keep_bound(const bz_rt_cuda_run *r, bz_rt_cuda_stretch *s) {
    memcpy(s->bound, r->args, r->args_bytes);
    s->bound_memory = r->memory;
}

static bool make(bz_rt_cuda_run *r, bz_rt_cuda_stretch *s) {
    if (!r->cuda->after) return false;
    if (r->d->graph_new(&s->graph, 0)) return s->graph = NULL, false;
    if (!add_nodes(r, s)) return false;
    if (r->d->graph_ready(&s->exec, s->graph, 0)) return s->exec = NULL, false;
    keep_bound(r, s);
    return true;
}

BZ_RT_WEAK void bz_rt_cuda_graph_make(bz_rt_cuda_run *r, bz_rt_cuda_stretch *s) {
    if (make(r, s)) return;
    bz_rt_cuda_graph_drop(r, s);
    s->plain = true;
}

BZ_RT_WEAK void bz_rt_cuda_graph_drop(bz_rt_cuda_run *r, bz_rt_cuda_stretch *s) {
    if (s->exec) r->d->exec_free(s->exec);
    if (s->graph) r->d->graph_free(s->graph);
    s->exec = NULL;
    s->graph = NULL;
}

/* ---- words */

static bool same_memory(const bz_rt_cuda_memory *a, const bz_rt_cuda_memory *b) {
    return a->arena == b->arena && a->scratch == b->scratch && a->error == b->error;
}

/* Does launch i, for any of its segments, take a word that is another one now? What lies beside a short scalar may be taken for it. */
static bool differs(const bz_rt_cuda_run *r, const bz_rt_cuda_stretch *s, uint32_t i) {
    const bz_rt_cuda_code *c;
    do {
        c = &r->cuda->codes[i];
        const bz_rt_place *at = &r->image.places[r->launches[i].first];
        for (uint32_t n = c->buffers + c->scalars; n-- > 0; at++)
            if (at->where <= BZ_RT_VALUE &&
                memcmp(r->args + at->field, s->bound + at->field, sizeof(uint64_t)) != 0)
                return true;
    } while ((i = c->next));
    return false;
}

BZ_RT_WEAK void bz_rt_cuda_graph_bind(bz_rt_cuda_run *r, bz_rt_cuda_stretch *s) {
    const bool moved = !same_memory(&r->memory, &s->bound_memory);
    if (!moved && memcmp(r->args, s->bound, r->args_bytes) == 0) return;
    for (uint32_t i = s->first; i < s->end; i++) {
        const bz_rt_cuda_launch *l = &r->launches[i];
        if (!l->tasks || !(moved || differs(r, s, i))) continue;
        const cu_kernel_node node = node_of(r, i);
        if (r->d->exec_kernel(s->exec, l->node, &node)) {
            bz_rt_cuda_graph_drop(r, s); /* half of it is bound */
            return;
        }
    }
    keep_bound(r, s);
}
