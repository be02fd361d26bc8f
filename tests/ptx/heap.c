/* heap.c - what kernels ask memory of with malloc: each block an extent of its own, at an address that is
 * never used again, so that what is freed stays known. */
#include "run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 256, POISON = 0xcd, NAME = 32 };

typedef struct {
    ptx_extent extent;
    char name[NAME];
} piece;

struct ptx_heap {
    uint64_t next, limit, used;
    VEC(piece *) pieces; /* by address */
};

ptx_heap *ptx_heap_new(uint64_t bytes) {
    static _Atomic uint64_t serial;
    ptx_heap *h = calloc(1, sizeof *h);
    if (!h) return NULL;
    h->limit = bytes;
    h->next = PTX_HEAPS + (atomic_fetch_add(&serial, 1) % 4096 << 33) + ALIGN;
    return h;
}

static void empty(piece *x) {
    free(x->extent.host);
    ptx_shadow_free(x->extent.shadow);
    x->extent.host = NULL;
    x->extent.shadow = NULL;
}

void ptx_heap_free(ptx_heap *h) {
    for (size_t k = 0; h && k < h->pieces.n; k++) {
        empty(h->pieces.at[k]);
        free(h->pieces.at[k]);
    }
    if (h) free(h->pieces.at);
    free(h);
}

uint64_t heap_get(ptx_heap *h, uint64_t bytes) {
    uint64_t room = (bytes + 15) & ~(uint64_t)15;
    if (!bytes || bytes > h->limit || h->used + room > h->limit) return 0;
    piece *x = ptx_zeroed(sizeof *x);
    x->extent =
        (ptx_extent){.base = h->next,
                     .size = bytes,
                     .host = aligned_alloc(ALIGN, (bytes + ALIGN - 1) & ~(uint64_t)(ALIGN - 1)),
                     .shadow = ptx_shadow_new(bytes),
                     .owner = x->name};
    if (!x->extent.host || !x->extent.shadow) ptx_grow(NULL, SIZE_MAX); /* reports and aborts */
    memset(x->extent.host, POISON, bytes);
    h->used += room;
    h->next += (bytes + 2 * ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
    *VEC_PUSH(h->pieces) = x;
    snprintf(x->name, sizeof x->name, "malloc #%llu", (unsigned long long)h->pieces.n);
    return x->extent.base;
}

/* The last piece at or below the address. */
static piece *near(const ptx_heap *h, uint64_t address) {
    size_t low = 0, high = h->pieces.n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (h->pieces.at[mid]->extent.base <= address)
            low = mid + 1;
        else
            high = mid;
    }
    return low ? h->pieces.at[low - 1] : NULL;
}

const char *heap_drop(ptx_heap *h, uint64_t address) {
    piece *x = near(h, address);
    if (!x || x->extent.base != address) return "free of what malloc did not give";
    if (x->extent.flags & PTX_EXTENT_FREED) return "free of memory that was freed before";
    x->extent.flags |= PTX_EXTENT_FREED;
    h->used -= (x->extent.size + 15) & ~(uint64_t)15;
    return NULL;
}

const ptx_extent *heap_find(const ptx_heap *h, uint64_t address) {
    piece *x = h ? near(h, address) : NULL;
    return x ? &x->extent : NULL;
}
