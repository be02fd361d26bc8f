/* memory.c - where temporaries lie in the arena.
 *
 * A buffer lives from the launch that writes it to the last that reads it. Buffers that live at the same time must not overlap. Two
 * greedy orders are tried, largest first and first-born first (Pisarchyk and Lee, arXiv 2001.03288), and the smaller arena wins. */
#include "src/passes/lower.h"

#include <stdlib.h>

enum { ALIGN = 64 };

static int64_t bytes_of(const pass_buffer *b)
{
    int64_t n = b->count * (int64_t)ir_dtype_bytes(b->dtype);
    return n <= 0 ? ALIGN : (n + ALIGN - 1) / ALIGN * ALIGN;
}

static bool together(const pass_buffer *a, const pass_buffer *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* Lowest offset at which `b` fits between the placed buffers that live at the same time. */
static int64_t lowest_fit(const pass_plan *p, const uint32_t *order, unsigned placed, const pass_buffer *b)
{
    int64_t at = 0, need = bytes_of(b);
    for (bool moved = true; moved;) {
        moved = false;
        for (unsigned i = 0; i < placed; i++) {
            const pass_buffer *o = &p->buffers.p[order[i]];
            if (together(o, b) && at < o->offset + bytes_of(o) && o->offset < at + need) {
                at = o->offset + bytes_of(o);
                moved = true;
            }
        }
    }
    return at;
}

static int64_t assign(pass_plan *p, const uint32_t *order, unsigned n)
{
    int64_t top = 0;
    for (unsigned i = 0; i < n; i++) {
        pass_buffer *b = &p->buffers.p[order[i]];
        b->offset = lowest_fit(p, order, i, b);
        top = b->offset + bytes_of(b) > top ? b->offset + bytes_of(b) : top;
    }
    return top;
}

/* Most bytes that live during one launch; -1: no memory. */
static int64_t bound(const pass_plan *p, const uint32_t *order, unsigned n)
{
    int64_t most = 0, live = 0, *change = bz_mem_zero(p->launches.n + 2, sizeof *change);
    if (!change)
        return -1;
    for (unsigned i = 0; i < n; i++) {
        const pass_buffer *b = &p->buffers.p[order[i]];
        change[b->first] += bytes_of(b);
        change[b->last + 1] -= bytes_of(b);
    }
    for (uint32_t at = 0; at < p->launches.n; at++) {
        live += change[at];
        most = live > most ? live : most;
    }
    bz_mem_free(change);
    return most;
}

/* Stable insertion by size, largest first: the lists are short, and equal sizes keep their order on every machine. */
static void by_size(const pass_plan *p, uint32_t *order, unsigned n)
{
    for (unsigned i = 1; i < n; i++) {
        uint32_t x = order[i];
        unsigned j = i;
        for (; j > 0 && bytes_of(&p->buffers.p[order[j - 1]]) < bytes_of(&p->buffers.p[x]); j--)
            order[j] = order[j - 1];
        order[j] = x;
    }
}

bool memory_plan(pass_plan *p)
{
    unsigned n = 0;
    uint32_t *order = bz_mem_alloc((p->buffers.n + 1) * sizeof *order);
    if (!order)
        return false;
    for (uint32_t i = 0; i < p->buffers.n; i++)
        if (p->buffers.p[i].place == PASS_ARENA)
            order[n++] = i;
    p->arena_bound = bound(p, order, n);
    int64_t born = assign(p, order, n);
    uint32_t *sized = bz_mem_alloc((n + 1) * sizeof *sized);
    if (!sized || p->arena_bound < 0) {
        bz_mem_free(sized);
        bz_mem_free(order);
        return false;
    }
    for (unsigned i = 0; i < n; i++)
        sized[i] = order[i];
    by_size(p, sized, n);
    p->arena_bytes = assign(p, sized, n);
    if (born < p->arena_bytes)
        p->arena_bytes = assign(p, order, n);
    bz_mem_free(order);
    bz_mem_free(sized);
    return true;
}
