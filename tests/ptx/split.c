/* split.c - the parts of a warp that have gone different ways: created by branches, joined where
 * they meet.
 *
 *   RUN      may execute; the scheduler takes the lowest pc first, so parts meet where paths join
 *   WARP     waits at a .sync instruction for lanes that its mask names
 *   BARRIER  waits at a barrier of the block
 *   ROUND    stands before an operation ordered between blocks */
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

uint32_t split_gather(warp *w, const ins *i, uint32_t mask, uint32_t members) {
    uint32_t at = ins_index(w, i), there = mask;
    for (unsigned k = 0; k < w->n_splits; k++) {
        const split *s = &w->splits[k];
        if (s != w->cur && s->state == SPLIT_WARP && s->pc == at && s->regs == w->cur->regs)
            there |= s->mask;
    }
    if (members & w->live & ~there) {
        split_block(w, i, mask, SPLIT_WARP);
        return 0;
    }
    for (unsigned k = 0; k < w->n_splits; k++) {
        split *s = &w->splits[k];
        if (s == w->cur || s->state != SPLIT_WARP || s->pc != at || s->regs != w->cur->regs)
            continue;
        s->state = SPLIT_RUN;
        s->pc = at + 1;
        w->yield = true;
    }
    return there;
}

void split_exit(warp *w, uint32_t mask) {
    mem_copy_groups(w, mask, UINT32_MAX);
    w->live &= ~mask;
    w->cur->mask &= ~mask;
    for (unsigned k = 0; k < w->n_splits; k++)
        if (w->splits[k].state == SPLIT_WARP)
            w->splits[k].state =
                SPLIT_RUN; /* meets its instruction again, with fewer to wait for */
    w->yield = true;
    barrier_leave(w, (uint32_t)__builtin_popcount(mask));
}
