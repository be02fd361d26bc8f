/* exec_cluster.c - what the blocks of a cluster do together: their barrier, and each other's addresses. */
#include "exec.h"

#include "run.h"

#include <string.h>

/* ---- barrier.cluster ---- */

/* The lanes that execute, of .aligned all that live; 0 while others are to come. */
static uint32_t come(warp *w, const ins *i, uint32_t mask) {
    uint32_t group[LANES];
    if (!(i->flags & INS_ALIGNED) || mask == w->live) return mask;
    uint32_t there = split_gather(w, i, mask, group);
    if (there && there != w->live)
        find_misuse(w, i, mask, "only some threads of the warp come to this barrier together");
    return there;
}

/* What has come together in this phase is what those who wait will know. */
static void end_phase(cluster *c) {
    c->phase++;
    c->arrived = 0;
    memcpy(c->joint[1], c->joint[0], 2 * c->warps * sizeof *c->joint[0]);
    memset(c->joint[0], 0, 2 * c->warps * sizeof *c->joint[0]);
    for (unsigned n = 0; n < 5; n++) {
        past_drop(&c->past[1][n]);
        c->past[1][n] = c->past[0][n];
        c->past[0][n] = NULL;
    }
}

static uint32_t missing(const warp *w) {
    uint32_t lanes = w->live & ~w->cluster_arrived;
    EACH_LANE(l, w->live & w->cluster_arrived)
    lanes |= (uint32_t)(w->cluster_phase[l] != w->b->cl->phase) << l;
    return lanes;
}

void cluster_check(cluster *c) {
    if (!c->arrived) return;
    for (unsigned k = 0; k < c->n; k++)
        for (unsigned n = 0; n < c->block[k]->n_warps; n++)
            if (missing(&c->block[k]->warps[n])) return;
    end_phase(c);
    for (unsigned k = 0; k < c->n; k++)
        for (unsigned n = 0; n < c->block[k]->n_warps; n++) {
            warp *w = &c->block[k]->warps[n];
            for (unsigned m = 0; m < w->n_splits; m++)
                if (w->splits[m].state == SPLIT_BARRIER && w->splits[m].bar == BAR_CLUSTER)
                    w->splits[m].state = SPLIT_RUN;
        }
}

void x_cluster_arrive(warp *w, const ins *i, uint32_t mask) {
    cluster *c = w->b->cl;
    mask = come(w, i, mask);
    if (!mask) return;
    if (w->cluster_arrived & mask)
        find_misuse(w, i, w->cluster_arrived & mask,
                    "arrives again without a barrier.cluster.wait");
    w->cluster_arrived |= mask;
    EACH_LANE(l, mask)
    w->cluster_phase[l] = c->phase;
    c->arrived += (uint32_t)__builtin_popcount(mask);
    w->wk->count.barriers++;
    if (i->flags & INS_RELEASE) {
        race_raise(c->joint[0], w->known, c->warps);
        race_raise(c->joint[0] + c->warps, w->proxied, c->warps);
        c->joint[0][w->number] = ++c->gen;
        order_arrive(w, c->past[0]);
    }
    cluster_check(c);
}

void x_cluster_wait(warp *w, const ins *i, uint32_t mask) {
    cluster *c = w->b->cl;
    uint32_t early = 0;
    EACH_LANE(l, mask & w->cluster_arrived)
    early |= (uint32_t)(w->cluster_phase[l] == c->phase) << l;
    if (early) {
        split_block(w, i, mask, SPLIT_BARRIER);
        w->cur->bar = BAR_CLUSTER;
        return;
    }
    mask = come(w, i, mask);
    if (!mask) return;
    if (mask & ~w->cluster_arrived)
        find_misuse(w, i, mask & ~w->cluster_arrived, "waits without a barrier.cluster.arrive");
    w->cluster_arrived &= ~mask;
    race_raise(w->known, c->joint[1], c->warps);
    race_raise(w->proxied, c->joint[1] + c->warps, c->warps);
    order_wait(w, c->past[1]);
    race_know(w);
}

/* ---- addresses ---- */

/* Of an address in shared memory, generic or not, the same place in another block. */
void x_mapa(warp *w, const ins *i, uint32_t mask) {
    const uint64_t *a = reg_at(w, i->a), in = ((uint64_t)1 << RANK_BITS) - 1;
    const uint32_t *rank = reg_at(w, i->b);
    EACH_LANE(l, mask) {
        uint64_t place = a[l] & in, window = a[l] & ~(WIN_SIZE - 1), v = window | place;
        if (rank[l] != w->b->rank)
            v |= (uint64_t)((rank[l] < 254 ? rank[l] : 254) + 1) << RANK_BITS;
        if (i->dw == 8)
            ((uint64_t *)reg_at(w, i->d))[l] = v;
        else
            ((uint32_t *)reg_at(w, i->d))[l] = (uint32_t)v;
    }
}

void x_ctarank(warp *w, const ins *i, uint32_t mask) {
    const uint64_t *a = reg_at(w, i->a);
    uint32_t *d = reg_at(w, i->d);
    EACH_LANE(l, mask) {
        uint32_t rank = (uint32_t)(a[l] >> RANK_BITS & 0xff);
        d[l] = rank ? rank - 1 : w->b->rank;
    }
}
