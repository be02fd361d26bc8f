/* gaps.c - the free stretches of an arena, and the lowest one that is large enough, in O(log n).
 *
 *     0     64      192   256
 *     |#####|-------|#####|---------...      two gaps: 64-192, and 256 to the end, which is far away
 *
 * A treap: ordered by address; a parent's rank is above its children's; each node knows the largest gap at it and below. Gaps never
 * touch: what is given back joins its neighbours. Ranks come from a counter, so that the same calls build the same tree. */
#include "src/passes/lower.h"

enum { NO_GAP = 0 }; /* gap 0 of the pool is never used */

static const int64_t end_of_arena = INT64_MAX / 2;

static arena_gap *at(const arena_gaps *a, uint32_t i) {
    return &a->pool.p[i];
}

static void sum_up(arena_gaps *a, uint32_t i) {
    arena_gap *g = at(a, i);
    g->largest = g->size;
    if (g->left && at(a, g->left)->largest > g->largest) g->largest = at(a, g->left)->largest;
    if (g->right && at(a, g->right)->largest > g->largest) g->largest = at(a, g->right)->largest;
}

/* Every address of `low` is below every one of `high`. */
static uint32_t join(arena_gaps *a, uint32_t low, uint32_t high) {
    if (!low || !high) return low | high;
    if (at(a, low)->rank > at(a, high)->rank) {
        at(a, low)->right = join(a, at(a, low)->right, high);
        sum_up(a, low);
        return low;
    }
    at(a, high)->left = join(a, low, at(a, high)->left);
    sum_up(a, high);
    return high;
}

/* Gaps below address `from` go to *low, the others to *high. */
static void split(arena_gaps *a, uint32_t root, int64_t from, uint32_t *low, uint32_t *high) {
    *low = *high = NO_GAP;
    if (!root) return;
    arena_gap *g = at(a, root);
    if (g->from < from) {
        split(a, g->right, from, &g->right, high);
        *low = root;
    } else {
        split(a, g->left, from, low, &g->left);
        *high = root;
    }
    sum_up(a, root);
}

/* Takes `bytes` from the lowest gap that has them; some gap has. */
static int64_t take(arena_gaps *a, uint32_t *root, int64_t bytes) {
    uint32_t here = *root;
    arena_gap *g = at(a, here);
    int64_t from = g->from;
    if (g->left && at(a, g->left)->largest >= bytes) {
        from = take(a, &g->left, bytes);
    } else if (g->size >= bytes) {
        g->from += bytes;
        g->size -= bytes;
    } else {
        from = take(a, &g->right, bytes);
    }
    if (g->size) {
        sum_up(a, here);
    } else {
        *root = join(a, g->left, g->right);
        g->left = a->unused;
        a->unused = here;
    }
    return from;
}

/* If a gap of the tree ends (`ends`) or begins at `address`, it is taken out, and its size returned; else 0. The gap can only be the
 * last or the first of the tree. */
static int64_t pluck(arena_gaps *a, uint32_t *root, int64_t address, bool ends) {
    uint32_t *way = root;
    while (*way && (ends ? at(a, *way)->right : at(a, *way)->left))
        way = ends ? &at(a, *way)->right : &at(a, *way)->left;
    const uint32_t found = *way;
    if (!found || (ends ? at(a, found)->from + at(a, found)->size : at(a, found)->from) != address)
        return 0;
    const int64_t size = at(a, found)->size;
    uint32_t low, high, one = NO_GAP;
    split(a, *root, at(a, found)->from, &low, &high);
    split(a, high, at(a, found)->from + 1, &one, &high);
    *root = join(a, low, high);
    at(a, one)->left = a->unused;
    a->unused = one;
    return size;
}

static uint32_t new_gap(arena_gaps *a, int64_t from, int64_t size) {
    uint32_t i = a->unused;
    if (i)
        a->unused = at(a, i)->left;
    else if (bz_vec_push(&a->pool, (arena_gap){0}))
        i = a->pool.n - 1;
    else
        return NO_GAP;
    a->ranks = a->ranks * 1664525u + 1013904223u;
    *at(a, i) = (arena_gap){.from = from, .size = size, .largest = size, .rank = a->ranks};
    return i;
}

bool gaps_begin(arena_gaps *a) {
    *a = (arena_gaps){0};
    if (!bz_vec_push(&a->pool, (arena_gap){0})) return false;
    a->root = new_gap(a, 0, end_of_arena);
    return a->root != NO_GAP;
}

int64_t gaps_take(arena_gaps *a, int64_t bytes) {
    return take(a, &a->root, bytes);
}

bool gaps_give(arena_gaps *a, int64_t from, int64_t bytes) {
    uint32_t low, high;
    split(a, a->root, from, &low, &high);
    const int64_t before = pluck(a, &low, from, true);
    const int64_t after = pluck(a, &high, from + bytes, false);
    const uint32_t gap = new_gap(a, from - before, before + bytes + after);
    a->root = join(a, join(a, low, gap), high);
    return gap != NO_GAP;
}

void gaps_free(arena_gaps *a) {
    bz_vec_free(&a->pool);
}
