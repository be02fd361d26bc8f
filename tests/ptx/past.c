/* past.c - what a warp knows of the blocks of a grid: of each a row, how far each of its warps is known.
 *
 *      past ── part[block >> 4] ── part[block & 15] ── row: generations, a warp each
 *
 * A trie of 16 that never changes once made, so that pasts share their parts and joining two that are
 * nearly equal costs little: a grid of any size may hand an order from block to block. NULL knows
 * nothing. Counted, from several threads. */
#include "run.h"

#include <stdlib.h>
#include <string.h>

enum { FAN_BITS = 4, FAN = 1 << FAN_BITS };

struct past {
    _Atomic uint32_t refs;
    uint32_t level; /* 0: a row */
    past *part[];   /* FAN of them, or the row's numbers */
};

static uint32_t *numbers(const past *row) {
    union {
        past *const *in;
        uint32_t *out;
    } p = {.in = row->part};
    return p.out;
}

static past *fresh(const launch *ln, uint32_t level) {
    size_t n = level ? FAN * sizeof(past *) : ln->row * sizeof(uint32_t);
    past *x = ptx_zeroed(sizeof *x + n);
    x->refs = 1;
    x->level = level;
    return x;
}

past *past_keep(past *x) {
    if (x) atomic_fetch_add_explicit(&x->refs, 1, memory_order_relaxed);
    return x;
}

void past_drop(past **at) {
    past *x = *at;
    *at = NULL;
    if (!x || atomic_fetch_sub_explicit(&x->refs, 1, memory_order_acq_rel) > 1) return;
    for (unsigned k = 0; x->level && k < FAN; k++) past_drop(&x->part[k]);
    free(x);
}

void past_set(past **at, past *x) {
    past *old = *at;
    *at = past_keep(x);
    past_drop(&old);
}

static past *join_rows(const launch *ln, past *a, past *b) {
    const uint32_t *x = numbers(a), *y = numbers(b);
    bool all_x = true, all_y = true;
    for (unsigned k = 0; k < ln->row; k++) all_x &= x[k] >= y[k], all_y &= y[k] >= x[k];
    if (all_x || all_y) return past_keep(all_x ? a : b);
    past *r = fresh(ln, 0);
    for (unsigned k = 0; k < ln->row; k++) numbers(r)[k] = x[k] > y[k] ? x[k] : y[k];
    return r;
}

static past *joined(const launch *ln, past *a, past *b) {
    if (a == b || !b) return past_keep(a);
    if (!a) return past_keep(b);
    if (!a->level) return join_rows(ln, a, b);
    past *r = fresh(ln, a->level);
    bool is_a = true, is_b = true;
    for (unsigned k = 0; k < FAN; k++) {
        r->part[k] = joined(ln, a->part[k], b->part[k]);
        is_a &= r->part[k] == a->part[k];
        is_b &= r->part[k] == b->part[k];
    }
    if (!is_a && !is_b) return r;
    past_drop(&r);
    return past_keep(is_a ? a : b);
}

void past_join(const launch *ln, past **to, past *from) {
    past *old = *to;
    if (old == from || !from) return;
    *to = joined(ln, old, from);
    past_drop(&old);
}

void past_know(const launch *ln, past **to, uint32_t of, const uint32_t *row) {
    past *x = fresh(ln, 0);
    memcpy(numbers(x), row, ln->row * sizeof *row);
    for (uint64_t rest = ln->n_blocks - 1, level = 1; rest; rest >>= FAN_BITS, level++) {
        past *up = fresh(ln, (uint32_t)level);
        up->part[of >> FAN_BITS * (level - 1) & (FAN - 1)] = x;
        x = up;
    }
    past_join(ln, to, x);
    past_drop(&x);
}

const uint32_t *past_row(const past *x, uint32_t of) {
    while (x && x->level) x = x->part[of >> FAN_BITS * (x->level - 1) & (FAN - 1)];
    return x ? numbers(x) : NULL;
}
