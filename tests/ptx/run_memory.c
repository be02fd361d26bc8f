/* run_memory.c - the device memory of ptxrun: a list of allocations with unused addresses between.
 */
#include "ptxrun.h"

#include <stdlib.h>
#include <string.h>

enum { RED_ZONE = 4096 };

ptx_extent *memory_new(run_memory *m, uint64_t n, uint64_t align, const char *owner) {
    if (m->n == MAX_EXTENTS) return NULL;
    if (!m->next) m->next = (uint64_t)1 << 36;
    align = align < 256 ? 256 : align;
    uint64_t base = (m->next + align - 1) & ~(align - 1);
    uint8_t *host = aligned_alloc(256, (n + 511) & ~(uint64_t)255);
    ptx_shadow *shadow = ptx_shadow_new(n ? n : 1);
    if (!host || !shadow) {
        free(host);
        ptx_shadow_free(shadow);
        return NULL;
    }
    memset(host, 0xff, n);
    ptx_extent *e = &m->extents[m->n];
    snprintf(m->owners[m->n], sizeof m->owners[0], "%s", owner);
    *e = (ptx_extent){
        .base = base, .size = n, .host = host, .shadow = shadow, .owner = m->owners[m->n]};
    m->n++;
    m->next = base + n + RED_ZONE;
    return e;
}

void memory_drop(run_memory *m) {
    for (unsigned k = 0; k < m->n; k++) {
        free(m->extents[k].host);
        ptx_shadow_free(m->extents[k].shadow);
    }
    m->n = 0;
    m->next = 0;
}

/* Addresses only grow, so the last extent that begins at or below is the one, or the nearest below.
 */
const ptx_extent *memory_find(void *ctx, uint64_t address) {
    const run_memory *m = ctx;
    unsigned low = 0, high = m->n;
    while (low < high) {
        unsigned mid = (low + high) / 2;
        if (m->extents[mid].base <= address)
            low = mid + 1;
        else
            high = mid;
    }
    return low ? &m->extents[low - 1] : NULL;
}

static bool place(void *ctx, const ptx_global *g, uint64_t *address) {
    char owner[64];
    snprintf(owner, sizeof owner, "global %.50s", g->name);
    ptx_extent *e = g->external ? NULL : memory_new(ctx, g->size, g->align, owner);
    if (!e) {
        fprintf(stderr, "ptxrun: no place for the global '%s'%s\n", g->name,
                g->external ? ": it is only declared" : "");
        return false;
    }
    *address = e->base;
    return true;
}

static bool fill(void *ctx, const ptx_global *g, const void *bytes) {
    const ptx_extent *found = memory_find(ctx, g->address);
    run_memory *m = ctx;
    ptx_extent *e = &m->extents[found - m->extents];
    memcpy(e->host, bytes, g->size);
    ptx_shadow_mark(e->shadow, 0, g->size);
    e->flags = g->space == PTX_CONST ? PTX_EXTENT_READONLY : 0;
    return true;
}

bool memory_place(run_memory *m, ptx_module *module) {
    ptx_placer p = {m, place, fill};
    return ptx_place(module, &p);
}
