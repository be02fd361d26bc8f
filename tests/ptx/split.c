/* split.c - the parts of a warp that have gone different ways: created by branches, joined where
 * they meet.
 *
 *   RUN      may execute; the scheduler takes the lowest pc first, so parts meet where paths join
 *   WARP     waits at a .sync instruction for lanes that its mask names
 *   BARRIER  waits at a barrier of the block
 *   ROUND    stands before an operation ordered between blocks */
#include "exec.h"

#include "run.h"

#include <stdlib.h>
#include <string.h>

uint32_t ins_index(const warp *w, const ins *i) {
    return (uint32_t)(i - w->b->ln->module->code.at);
}

void frame_keep(frame *f) {
    if (f) f->refs++;
}

void frame_drop(frame *f) {
    while (f && --f->refs == 0) {
        frame *up = f->up;
        free(f->saved);
        free(f);
        f = up;
    }
}

split *split_new(warp *w, const split *like, uint32_t mask, uint32_t pc) {
    split *s = &w->splits[w->n_splits++];
    *s = *like;
    s->mask = mask;
    s->pc = pc;
    s->state = SPLIT_RUN;
    frame_keep(s->frame);
    return s;
}

void split_remove(warp *w, split *s) {
    frame_drop(s->frame);
    *s = w->splits[--w->n_splits];
}

/* The lanes that the guard excludes go on; the others stay before `i`. */
void split_block(warp *w, const ins *i, uint32_t mask, split_state state) {
    split *s = w->cur;
    uint32_t rest = s->mask & ~mask, at = ins_index(w, i);
    s->mask = mask;
    s->pc = at;
    s->state = state;
    if (rest) split_new(w, s, rest, at + 1);
    w->yield = true;
}

static uint32_t members_of(const split *s, const ins *i, unsigned lane) {
    const uint32_t *masks = (const uint32_t *)(const void *)(s->regs + i->e);
    return (i->flags & INS_MEMBERS ? masks[lane] : ALL_LANES) | 1u << lane;
}

/* Where `s` waits, if the running split may meet it at `i`; else NULL. */
static const ins *meets(const warp *w, const split *s, const ins *i) {
    const ins *at = &w->b->ln->module->code.at[s->pc];
    if (s == w->cur || s->state != SPLIT_WARP) return NULL;
    bool same = at == i && s->regs == w->cur->regs;
    return same || (i->exec == x_bar_warp && at->exec == i->exec) ? at : NULL;
}

/* Lanes `late` of `s` stay before the instruction at `pc`. */
static void stay(warp *w, split *s, uint32_t late, uint32_t pc) {
    if (!late) return;
    split_new(w, s, late, pc)->state = SPLIT_WARP;
    s->mask &= ~late;
    w->yield = true;
}

uint32_t split_gather(warp *w, const ins *i, uint32_t mask, uint32_t group[LANES]) {
    uint32_t there = mask, ready = 0;
    unsigned n = w->n_splits;
    EACH_LANE(l, mask)
    group[l] = members_of(w->cur, i, l);
    for (unsigned k = 0; k < n; k++) {
        const split *s = &w->splits[k];
        const ins *at = meets(w, s, i);
        if (!at) continue;
        there |= s->mask;
        EACH_LANE(l, s->mask)
        group[l] = members_of(s, at, l);
    }
    EACH_LANE(l, there)
    ready |= (uint32_t) !(group[l] & w->live & ~there) << l;
    for (unsigned k = 0; k < n; k++) {
        split *s = &w->splits[k];
        if (!meets(w, s, i) || !(s->mask & ready)) continue;
        stay(w, s, s->mask & ~ready, s->pc);
        s->state = SPLIT_RUN;
        s->pc++;
        w->yield = true;
    }
    if (mask & ready)
        stay(w, w->cur, mask & ~ready, ins_index(w, i));
    else
        split_block(w, i, mask, SPLIT_WARP);
    return ready;
}

void split_exit(warp *w, uint32_t mask) {
    mem_copy_groups(w, mask, UINT32_MAX);
    bulk_finish(w, mask);
    w->live &= ~mask;
    w->cur->mask &= ~mask;
    for (unsigned k = 0; k < w->n_splits; k++)
        if (w->splits[k].state == SPLIT_WARP)
            w->splits[k].state =
                SPLIT_RUN; /* meets its instruction again, with fewer to wait for */
    w->yield = true;
    barrier_leave(w, (uint32_t)__builtin_popcount(mask));
}
