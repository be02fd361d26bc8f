/* memory.c - where temporaries lie in the arena.
 *
 * A buffer lives from the launch that writes it to the last that reads it. Buffers that live at the same time must not overlap. Two
 * greedy orders are tried, largest first and first-born first (Pisarchyk and Lee, arXiv 2001.03288), and the smaller arena wins.
 *
 * Whom a buffer meets is asked of a tree over the launches: a placed buffer hangs at the few nodes that make up its life.
 *
 *              0-7
 *         0-3       4-7 <- lives 4-7
 *      0-1   2-3 <- lives 2-4 hangs here and at 4
 */
#include "src/passes/lower.h"

#include <stdlib.h>

enum { ALIGN = 64, NONE = 0 };

typedef struct extent {
    int64_t from, to;
} extent;

typedef struct hook {
    uint32_t buffer, next; /* next: number of the next hook at this node + 1 */
} hook;

typedef struct planner {
    pass_plan *p;
    uint32_t
        size; /* launches, rounded up to a power of two; node k has children 2k and 2k + 1, the root is 1 */
    uint32_t *first, *below; /* of each node: its first hook + 1, and hooks at it and below */
    BZ_VEC(hook) hooks;
    BZ_VEC(extent) met;
    bool failed;
} planner;

static int64_t bytes_of(const pass_buffer *b) {
    int64_t n = b->count * (int64_t)ir_dtype_bytes(b->dtype);
    return n <= 0 ? ALIGN : (n + ALIGN - 1) / ALIGN * ALIGN;
}

/* ---- the tree of lives */

static void hang(planner *w, uint32_t node, uint32_t lo, uint32_t hi, uint32_t buffer) {
    const pass_buffer *b = &w->p->buffers.p[buffer];
    if (hi < b->first || lo > b->last || w->failed) return;
    w->below[node]++;
    if (lo < b->first || hi > b->last) {
        uint32_t mid = lo + (hi - lo) / 2;
        hang(w, 2 * node, lo, mid, buffer);
        hang(w, 2 * node + 1, mid + 1, hi, buffer);
        return;
    }
    w->failed |= !bz_vec_push(&w->hooks, ((hook){buffer, w->first[node]}));
    w->first[node] = w->hooks.n;
}

/* Whom does `b` meet? One that hangs at several nodes may be listed twice. */
static void meet(planner *w, uint32_t node, uint32_t lo, uint32_t hi, const pass_buffer *b) {
    if (hi < b->first || lo > b->last || !w->below[node] || w->failed) return;
    for (uint32_t i = w->first[node]; i != NONE; i = w->hooks.p[i - 1].next) {
        const pass_buffer *o = &w->p->buffers.p[w->hooks.p[i - 1].buffer];
        w->failed |= !bz_vec_push(&w->met, ((extent){o->offset, o->offset + bytes_of(o)}));
    }
    if (lo == hi) return;
    uint32_t mid = lo + (hi - lo) / 2;
    meet(w, 2 * node, lo, mid, b);
    meet(w, 2 * node + 1, mid + 1, hi, b);
}

static int by_offset(const void *a, const void *b) {
    const extent *x = a, *y = b;
    return (x->from > y->from) - (x->from < y->from);
}

/* Lowest offset at which `b` fits between the placed buffers that live at the same time. */
static int64_t lowest_fit(planner *w, const pass_buffer *b) {
    int64_t at = 0, need = bytes_of(b);
    w->met.n = 0;
    meet(w, 1, 0, w->size - 1, b);
    if (w->met.n) qsort(w->met.p, w->met.n, sizeof *w->met.p, by_offset);
    for (uint32_t i = 0; i < w->met.n && w->met.p[i].from < at + need; i++)
        at = w->met.p[i].to > at ? w->met.p[i].to : at;
    return at;
}

static int64_t assign(planner *w, const uint32_t *order, unsigned n) {
    int64_t top = 0;
    for (uint32_t i = 0; i < 2 * w->size; i++) w->first[i] = w->below[i] = NONE;
    w->hooks.n = 0;
    for (unsigned i = 0; i < n && !w->failed; i++) {
        pass_buffer *b = &w->p->buffers.p[order[i]];
        b->offset = lowest_fit(w, b);
        top = b->offset + bytes_of(b) > top ? b->offset + bytes_of(b) : top;
        hang(w, 1, 0, w->size - 1, order[i]);
    }
    return top;
}

/* Most bytes that live during one launch; -1: out of memory. */
static int64_t bound(const pass_plan *p, const uint32_t *order, unsigned n) {
    int64_t most = 0, live = 0, *change = bz_mem_zero(p->launches.n + 2, sizeof *change);
    if (!change) return -1;
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

typedef struct weight {
    int64_t bytes;
    uint32_t buffer;
} weight;

/* Largest first; equal sizes by number, so that the order is the same on every machine. */
static int by_size(const void *a, const void *b) {
    const weight *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return (x->buffer > y->buffer) - (x->buffer < y->buffer);
}

static bool sort_by_size(const pass_plan *p, uint32_t *order, unsigned n) {
    weight *s = bz_mem_alloc((n + 1) * sizeof *s);
    if (!s) return false;
    for (unsigned i = 0; i < n; i++) s[i] = (weight){bytes_of(&p->buffers.p[order[i]]), order[i]};
    qsort(s, n, sizeof *s, by_size);
    for (unsigned i = 0; i < n; i++) order[i] = s[i].buffer;
    bz_mem_free(s);
    return true;
}

/* Places the arena's buffers; their numbers, first-born first, stand in `born`, and there is room for as many in `sized`. */
static void place_all(planner *w, uint32_t *born, uint32_t *sized, unsigned n) {
    for (unsigned i = 0; i < n; i++) sized[i] = born[i];
    w->failed |= !sort_by_size(w->p, sized, n);
    w->p->arena_bound = bound(w->p, born, n);
    int64_t bytes = assign(w, born, n);
    w->p->arena_bytes = assign(w, sized, n);
    if (bytes < w->p->arena_bytes) w->p->arena_bytes = assign(w, born, n);
    w->failed |= w->p->arena_bound < 0;
}

bool memory_plan(pass_plan *p) {
    planner w = {.p = p, .size = 1};
    unsigned n = 0;
    while (w.size < p->launches.n) w.size *= 2;
    w.first = bz_mem_alloc(2 * w.size * sizeof *w.first);
    w.below = bz_mem_alloc(2 * w.size * sizeof *w.below);
    uint32_t *born = bz_mem_alloc((2 * p->buffers.n + 1) * sizeof *born);
    w.failed = !w.first || !w.below || !born;
    for (uint32_t i = 0; i < p->buffers.n && !w.failed; i++)
        if (p->buffers.p[i].place == PASS_ARENA) born[n++] = i;
    if (!w.failed) place_all(&w, born, born + n, n);
    bz_mem_free(born);
    bz_mem_free(w.first);
    bz_mem_free(w.below);
    bz_vec_free(&w.hooks);
    bz_vec_free(&w.met);
    return !w.failed;
}
