/* order.c - what may be relied on: fences with strong accesses, between the warps of a block and
 * between blocks, whatever the schedule was.
 *
 *   warp r:  write x;  fence (released = all that r knows, its own past too)
 *            strong write of p                                      p.clock = released
 *   warp w:  strong read of p (pending = p.clock);  fence           seen = pending, so x is ordered
 *
 * What a warp knows is its `seen` of the blocks of other clusters and its `known` of its own; barriers
 * join both. There are two of `released` and of `pending`: by fences of any scope for places
 * of the block, by those that reach other blocks for places of the grid. A plain store into a place
 * ends what was released by it, an atomic carries it on. Accesses to places of the grid run one at a time
 * at the end of a round, so nothing here needs a lock. */
#include "run.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 64 };

/* An address that strong accesses wrote after a fence. */
typedef struct place {
    struct place *next;
    uint64_t address;
    past *clock;
} place;

struct places {
    place *bucket[BUCKETS];
};

static struct places *places_new(void) {
    struct places *x = ptx_zeroed(sizeof *x);
    return x;
}

static void places_free(struct places **at) {
    for (unsigned k = 0; *at && k < BUCKETS; k++)
        for (place *x = (*at)->bucket[k]; x;) {
            place *next = x->next;
            past_drop(&x->clock);
            free(x);
            x = next;
        }
    free(*at);
    *at = NULL;
}

static place *place_of(struct places *all, uint64_t address, bool create) {
    place **bucket = &all->bucket[(address >> 2) * 0x9e3779b1u >> 7 & (BUCKETS - 1)];
    for (place *x = *bucket; x; x = x->next)
        if (x->address == address) return x;
    if (!create) return NULL;
    place *x = ptx_grow(NULL, sizeof *x);
    *x = (place){.next = *bucket, .address = address};
    return *bucket = x;
}

void order_begin(launch *ln) {
    ln->places = places_new();
}

void order_end(launch *ln) {
    places_free(&ln->places);
}

void order_forget(cluster *c) {
    places_free(&c->places);
    for (unsigned n = 0; n < c->n; n++)
        for (unsigned k = 0; k < c->block[n]->n_warps; k++) {
            warp *w = &c->block[n]->warps[k];
            past_drop(&w->seen);
            for (unsigned scope = 0; scope < 2; scope++)
                past_drop(&w->released[scope]), past_drop(&w->pending[scope]);
        }
    for (unsigned n = 0; n < 10; n++) past_drop(&c->past[n / 5][n % 5]);
}

/* What the warp has seen of its own cluster counts for the races inside. */
static void know_own(warp *w) {
    const cluster *c = w->b->cl;
    const unsigned n = w->b->n_warps;
    for (unsigned k = 0; k < c->n; k++) {
        const uint32_t *row = past_row(w->seen, c->block[k]->linear);
        uint32_t *own = w->known + k * n, *proxied = w->proxied + k * n;
        for (unsigned r = 0; row && r < n; r++) {
            own[r] = row[r] > own[r] ? row[r] : own[r];
            if (w->b->ln->row > n && row[n + r] > proxied[r]) proxied[r] = row[n + r];
        }
    }
    race_know(w);
}

/* All that the warp knows, up to a generation that begins now. */
static past *known_now(warp *w) {
    const cluster *c = w->b->cl;
    const unsigned n = w->b->n_warps;
    uint32_t row[2 * MAX_WARPS];
    past *now = past_keep(w->seen);
    w->b->cl->gen++;
    for (unsigned k = 0; k < c->n; k++) {
        memcpy(row, w->known + k * n, n * sizeof *row);
        memcpy(row + n, w->proxied + k * n, n * sizeof *row);
        if (c->block[k] == w->b) row[w->index] = c->gen;
        past_know(w->b->ln, &now, c->block[k]->linear, row);
    }
    return now;
}

static void take(warp *w, past **pending) {
    past_join(w->b->ln, &w->seen, *pending);
    past_drop(pending);
}

void order_fence(warp *w, uint32_t mask, bool wide) {
    block *b = w->b;
    if (!(b->ln->checks & (PTX_CHECK_RACE_SHARED | PTX_CHECK_RACE_GLOBAL))) return;
    if (!b->cl->places) b->cl->places = places_new();
    take(w, &w->pending[ORDER_BLOCK]);
    if (wide) take(w, &w->pending[ORDER_GRID]);
    know_own(w);
    past *now = known_now(w);
    past_set(&w->released[ORDER_BLOCK], now);
    if (wide) past_set(&w->released[ORDER_GRID], now);
    past_drop(&now);
    race_fence(w, mask);
}

static void touch(warp *w, struct places *all, unsigned scope, uint64_t address, unsigned how) {
    bool writes = how & (ACC_WRITE | ACC_RMW);
    place *x = place_of(all, address, writes && w->released[scope]);
    if (!x) return;
    if (how & ACC_ASKED) past_join(w->b->ln, &w->pending[scope], x->clock);
    if (how & ACC_WRITE)
        past_set(&x->clock, w->released[scope]);
    else if (writes)
        past_join(w->b->ln, &x->clock, w->released[scope]);
}

void order_access(warp *w, unsigned lane, uint64_t address, unsigned how) {
    block *b = w->b;
    const launch *ln = b->ln;
    race_flag(w, lane, how & ACC_ASKED, how & (ACC_WRITE | ACC_RMW));
    if (b->cl->places) touch(w, b->cl->places, ORDER_BLOCK, address, how);
    if (address < PTX_WINDOWS && ln->n_blocks > 1 && ln->checks & PTX_CHECK_RACE_GLOBAL)
        touch(w, ln->places, ORDER_GRID, address, how);
}

void order_deliver(warp *w, uint64_t address) {
    block *b = w->b;
    if (!(b->ln->checks & (PTX_CHECK_RACE_SHARED | PTX_CHECK_RACE_GLOBAL))) return;
    if (!b->cl->places) b->cl->places = places_new();
    past *now = known_now(w);
    past_join(b->ln, &place_of(b->cl->places, address, true)->clock, now);
    past_drop(&now);
}

static void pasts_of(warp *w, past **own[5]) {
    past **const all[5] = {&w->seen, &w->released[0], &w->released[1], &w->pending[0],
                           &w->pending[1]};
    memcpy(own, all, sizeof all);
}

/* The warps of `set` share what they know. A fence before the barrier counts for strong accesses behind
 * it, by any of them; formally each would need its own. */
void order_barrier(block *b, uint32_t set) {
    if (!b->cl->places && !b->ln->module->orders) return;
    past *all[5] = {NULL}, **own[5];
    EACH_LANE(k, set) {
        pasts_of(&b->warps[k], own);
        for (unsigned n = 0; n < 5; n++) past_join(b->ln, &all[n], *own[n]);
    }
    EACH_LANE(k, set) {
        pasts_of(&b->warps[k], own);
        for (unsigned n = 0; n < 5; n++) past_set(own[n], all[n]);
    }
    for (unsigned n = 0; n < 5; n++) past_drop(&all[n]);
}

void order_arrive(warp *w, past *joint[5]) {
    past **own[5];
    pasts_of(w, own);
    for (unsigned n = 0; n < 5; n++) past_join(w->b->ln, &joint[n], *own[n]);
}

void order_wait(warp *w, past *joint[5]) {
    past **own[5];
    pasts_of(w, own);
    for (unsigned n = 0; n < 5; n++) past_join(w->b->ln, own[n], joint[n]);
}

/* The number of a warp in the cluster of `w`, -1: it is of another. */
static int number_of(const warp *w, uint32_t owner, uint32_t index) {
    const cluster *c = w->b->cl;
    for (unsigned k = 0; k < c->n && c->n > 1; k++)
        if (c->block[k]->linear == owner) return (int)(k * w->b->n_warps + index);
    return -1;
}

bool order_before(const warp *w, uint32_t owner, uint32_t stamp, bool heard) {
    int mate = number_of(w, owner, stamp % MAX_WARPS);
    if (mate >= 0 && w->known[mate] > stamp / MAX_WARPS) return true;
    const uint32_t *row = past_row(w->seen, owner);
    if (row && row[stamp % MAX_WARPS] > stamp / MAX_WARPS) return true;
    row = heard ? past_row(w->pending[ORDER_GRID], owner) : NULL;
    return row && row[stamp % MAX_WARPS] > stamp / MAX_WARPS;
}
