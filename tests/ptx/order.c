/* order.c - what a block may rely on of other blocks: fences and atomics as vector clocks.
 *
 *   block A:  write x;  fence (epoch e ends);  atomic on p      p.clock[A] = e
 *   block B:  atomic on p (pending = p.clock);  fence           B.seen[A] = e: what A did
 *                                                               before e is ordered
 *
 * Ordered accesses run one at a time at the end of a round, so nothing here needs a lock. Grids
 * above CLOCK_BLOCKS would need too much memory: there a block that took part in any order counts
 * as ordered. */
#include "run.h"

#include <stdlib.h>
#include <string.h>

enum { CLOCK_BLOCKS = 16384, BUCKETS = 256 };

typedef struct location {
    struct location *next;
    uint64_t address;
    uint32_t *clock;
} location;

struct order {
    location *buckets[BUCKETS];
};

void order_begin(launch *ln) {
    ln->order = vm_grow(NULL, sizeof *ln->order);
    memset(ln->order, 0, sizeof *ln->order);
}

void order_end(launch *ln) {
    for (unsigned k = 0; k < BUCKETS; k++)
        for (location *x = ln->order->buckets[k]; x;) {
            location *next = x->next;
            free(x->clock);
            free(x);
            x = next;
        }
    free(ln->order);
}

static bool tracked(const launch *ln) {
    return ln->n_blocks > 1 && ln->checks & PTX_CHECK_RACE_GLOBAL;
}

static uint32_t *clock_new(const launch *ln) {
    uint32_t *c = vm_grow(NULL, ln->n_blocks * sizeof *c);
    memset(c, 0, ln->n_blocks * sizeof *c);
    return c;
}

static void clock_join(uint32_t *to, const uint32_t *from, uint64_t n) {
    for (uint64_t k = 0; k < n; k++) to[k] = from[k] > to[k] ? from[k] : to[k];
}

static location *location_of(launch *ln, uint64_t address, bool create) {
    location **bucket = &ln->order->buckets[(address >> 2) * 0x9e3779b1u >> 7 & (BUCKETS - 1)];
    for (location *x = *bucket; x; x = x->next)
        if (x->address == address) return x;
    if (!create) return NULL;
    location *x = vm_grow(NULL, sizeof *x);
    *x = (location){*bucket, address, clock_new(ln)};
    return *bucket = x;
}

static void take_pending(block *b) {
    if (!b->pending) return;
    if (!b->seen) b->seen = clock_new(b->ln);
    clock_join(b->seen, b->pending, b->ln->n_blocks);
}

void order_fence(block *b) {
    if (!tracked(b->ln)) return;
    b->released = ++b->epoch;
    if (b->ln->n_blocks <= CLOCK_BLOCKS) take_pending(b);
}

void order_access(block *b, uint64_t address, bool reads, bool writes, bool acquire, bool release) {
    launch *ln = b->ln;
    if (!tracked(ln)) return;
    if (ln->n_blocks > CLOCK_BLOCKS) {
        b->seen_all = true;
        return;
    }
    if (release) b->released = ++b->epoch;
    location *x = location_of(ln, address, writes && (b->released || b->seen));
    if (x && reads) {
        if (!b->pending) b->pending = clock_new(ln);
        clock_join(b->pending, x->clock, ln->n_blocks);
    }
    if (x && writes && b->seen) clock_join(x->clock, b->seen, ln->n_blocks);
    if (x && writes && b->released > x->clock[b->linear]) x->clock[b->linear] = b->released;
    if (acquire) take_pending(b);
}

void order_forget(block *b) {
    free(b->seen);
    free(b->pending);
    b->seen = b->pending = NULL;
    b->epoch = b->released = 0;
    b->seen_all = false;
}
