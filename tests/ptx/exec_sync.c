/* exec_sync.c - barriers, and what the lanes of a warp compute together. */
#include "exec.h"

#include "run.h"

#include <string.h>

/* ---- barriers of the block ---- */

/* An aligned barrier waits for the warp's other lanes to come to the same instruction. When nothing
 * can bring them there (w->stuck, see sched.c), it is reported and those present arrive. */
static uint32_t together(warp *w, const ins *i, uint32_t mask) {
    uint32_t at = ins_index(w, i), there = mask;
    for (unsigned k = 0; k < w->n_splits; k++) {
        const split *s = &w->splits[k];
        if (s != w->cur && s->state == SPLIT_WARP && s->pc == at) there |= s->mask;
    }
    if (there != w->live && !w->stuck) {
        split_block(w, i, mask, SPLIT_WARP);
        return 0;
    }
    if (there != w->live) {
        find_misuse(w, i, mask, "only some threads of the warp can reach this barrier together");
        w->stuck = false;
        return mask;
    }
    for (unsigned k = 0; k < w->n_splits; k++) {
        split *s = &w->splits[k];
        if (s == w->cur || s->state != SPLIT_WARP || s->pc != at) continue;
        s->state = i->sub == BAR_ARRIVE ? SPLIT_RUN : SPLIT_BARRIER;
        s->pc += i->sub == BAR_ARRIVE;
        s->bar = (uint8_t)((const uint32_t *)reg_at(w, i->a))[__builtin_ctz(s->mask)];
    }
    return there;
}

void x_bar(warp *w, const ins *i, uint32_t mask) {
    block *b = w->b;
    unsigned first = (unsigned)__builtin_ctz(mask);
    uint32_t id = ((const uint32_t *)reg_at(w, i->a))[first];
    uint32_t want = i->n ? ((const uint32_t *)reg_at(w, i->b))[first] : 0;
    if (id > 15 || (i->n && (want == 0 || want % LANES || want > 1024))) {
        flow_fault(w, i, mask, PTX_ILLEGAL_INSTRUCTION,
                   "barrier number above 15 or a thread count that is not a multiple of 32");
        return;
    }
    if (i->flags & INS_ALIGNED && mask != w->live) {
        mask = together(w, i, mask);
        if (!mask) return;
    }
    barrier *x = &b->bars[id];
    barrier_arrive(w, x, mask);
    x->counted = i->n;
    x->expected = want;
    if (i->sub >= BAR_POPC) {
        const uint32_t *c = reg_at(w, i->c);
        EACH_LANE(l, mask)
        x->n_true += (c[l] != 0) != ((i->flags & INS_NOT_C) != 0);
        x->n_all += (uint32_t)__builtin_popcount(mask);
    }
    w->wk->count.barriers++;
    if (i->sub != BAR_ARRIVE) {
        split_block(w, i, mask & w->cur->mask, SPLIT_BARRIER);
        w->cur->bar = (uint8_t)id;
    }
    barrier_check(b, id);
}

/* ---- lanes together ---- */

/* The lanes that take part now, and with whom each does; 0 while nobody's group is complete. */
static uint32_t gather(warp *w, const ins *i, uint32_t mask, uint32_t group[LANES]) {
    if (!(i->flags & INS_MEMBERS)) {
        EACH_LANE(l, mask)
        group[l] = mask;
        return mask;
    }
    const uint32_t *members = reg_at(w, i->e);
    EACH_LANE(l, mask)
    if (!(members[l] >> l & 1)) {
        find_misuse(w, i, 1u << l, "a thread executes this that the member mask doesn't name");
        break;
    }
    uint32_t ready = split_gather(w, i, mask, group);
    EACH_LANE(l, ready)
    if (group[l] != group[__builtin_ctz(group[l] & ready)]) {
        find_misuse(w, i, 1u << l, "threads that go together name different members");
        break;
    }
    EACH_LANE(l, ready)
    group[l] &= ready;
    return ready;
}

/* Each group of lanes that go together, once. */
#define EACH_GROUP(g, ready, group)                                                                \
    for (uint32_t rest_ = (ready), g; rest_ && (g = group[__builtin_ctz(rest_)], 1); rest_ &= ~g)

/* All members are at some bar.warp.sync, not necessarily the same one. */
void x_bar_warp(warp *w, const ins *i, uint32_t mask) {
    uint32_t group[LANES], ready = gather(w, i, mask, group);
    EACH_GROUP(g, ready, group)
    race_sync_warp(w, g);
}

static void store_lanes(void *to, const uint32_t *v, uint32_t mask) {
    uint32_t *d = to;
    EACH_LANE(l, mask)
    d[l] = v[l];
}

void x_shfl(warp *w, const ins *i, uint32_t mask) {
    uint32_t group[LANES], there = gather(w, i, mask, group), v[LANES], p[LANES];
    const uint32_t *a = reg_at(w, i->a), *b = reg_at(w, i->b), *c = reg_at(w, i->c);
    EACH_LANE(l, there) {
        uint32_t bv = b[l] & 31, cv = c[l] & 31, seg = c[l] >> 8 & 31;
        uint32_t most = (l & seg) | (cv & ~seg), least = l & seg;
        int32_t j = i->sub == SHFL_UP     ? (int32_t)(l - bv)
                    : i->sub == SHFL_DOWN ? (int32_t)(l + bv)
                    : i->sub == SHFL_BFLY ? (int32_t)(l ^ bv)
                                          : (int32_t)(least | (bv & ~seg));
        p[l] = i->sub == SHFL_UP ? j >= (int32_t)most : j <= (int32_t)most;
        uint32_t from = p[l] ? (uint32_t)j : l;
        if (!(group[l] >> from & 1))
            find_misuse(w, i, 1u << l, "the shuffle reads a thread that doesn't take part");
        v[l] = a[from];
    }
    store_lanes(reg_at(w, i->d), v, there);
    if (i->dw2) store_lanes(reg_at(w, i->d2), p, there);
}

void x_vote(warp *w, const ins *i, uint32_t mask) {
    uint32_t group[LANES], there = gather(w, i, mask, group), yes = 0, v[LANES];
    const uint32_t *a = reg_at(w, i->a);
    EACH_LANE(l, there)
    yes |= (uint32_t)((a[l] != 0) != ((i->flags & INS_NOT_C) != 0)) << l;
    EACH_GROUP(g, there, group) {
        uint32_t own = yes & g;
        EACH_LANE(l, g)
        v[l] = i->sub == VOTE_ALL      ? own == g
               : i->sub == VOTE_ANY    ? own != 0
               : i->sub == VOTE_BALLOT ? own
                                       : own == g || own == 0;
    }
    store_lanes(reg_at(w, i->d), v, there);
}

static uint64_t value_at(const warp *w, const ins *i, unsigned l) {
    uint64_t v = 0;
    memcpy(&v, (const char *)reg_at(w, i->a) + l * i->bytes, i->bytes);
    return v;
}

void x_match(warp *w, const ins *i, uint32_t mask) {
    uint32_t group[LANES], there = gather(w, i, mask, group), v[LANES], p[LANES];
    EACH_LANE(l, there) {
        v[l] = 0;
        EACH_LANE(o, group[l])
        v[l] |= (uint32_t)(value_at(w, i, o) == value_at(w, i, l)) << o;
        p[l] = v[l] == group[l];
        if (i->sub && !p[l]) v[l] = 0;
    }
    store_lanes(reg_at(w, i->d), v, there);
    if (i->dw2) store_lanes(reg_at(w, i->d2), p, there);
}

static uint32_t redux_step(const ins *i, uint32_t x, uint32_t y) {
    bool less = i->type == T_S32 ? (int32_t)x < (int32_t)y : x < y;
    switch (i->sub) {
    case REDUX_ADD: return x + y;
    case REDUX_AND: return x & y;
    case REDUX_OR: return x | y;
    case REDUX_XOR: return x ^ y;
    case REDUX_MIN: return less ? x : y;
    default: return less ? y : x;
    }
}

void x_redux(warp *w, const ins *i, uint32_t mask) {
    uint32_t group[LANES], there = gather(w, i, mask, group), v[LANES];
    const uint32_t *a = reg_at(w, i->a);
    EACH_GROUP(g, there, group) {
        unsigned first = (unsigned)__builtin_ctz(g);
        uint32_t sum = a[first];
        EACH_LANE(l, g & (g - 1))
        sum = redux_step(i, sum, a[l]);
        EACH_LANE(l, g)
        v[l] = sum;
    }
    store_lanes(reg_at(w, i->d), v, there);
}

void x_activemask(warp *w, const ins *i, uint32_t mask) {
    uint32_t *d = reg_at(w, i->d);
    EACH_LANE(l, mask)
    d[l] = mask;
}

void x_elect(warp *w, const ins *i, uint32_t mask) {
    uint32_t group[LANES], there = gather(w, i, mask, group), v[LANES], p[LANES];
    EACH_LANE(l, there) {
        v[l] = (uint32_t)__builtin_ctz(group[l]);
        p[l] = v[l] == l;
    }
    store_lanes(reg_at(w, i->d), v, there);
    if (i->dw2) store_lanes(reg_at(w, i->d2), p, there);
}
