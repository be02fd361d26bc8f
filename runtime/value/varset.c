/* varset.c - sets of variables that share their parts: what a long recording's values depend on is nearly the same for all of them.
 *
 *          o            a binary trie over the variables' numbers, of one height for all sets of a workspace; equal parts are one
 *        /   \          node, so a value that depends on one variable more than its operand costs a path, not a set, and equal
 *       o     o         sets are equal roots
 *        \   / \
 *         L L   L       leaf: 1 | its place (31 bits) | a bit for each of 32 variables; else: left (32 bits) | right; root 0: empty
 *
 * A workspace does so much work and no more: what it cannot find in time, or without memory, is RT_SET_ALL, any variable. */
#include "runtime/value/lineage.h"

#include <string.h>

#define LEAF (UINT64_C(1) << 63)

bool rt_set_is_leaf(uint64_t node) {
    return node & LEAF;
}

uint32_t rt_set_left(uint64_t node) {
    return (uint32_t)(node >> 32);
}

uint32_t rt_set_first(uint64_t leaf) {
    return (uint32_t)((leaf & ~LEAF) >> 32) * RT_SET_LEAF;
}

bool rt_sets_begin(rt_sets *w, uint64_t variables, uint64_t most) {
    w->height = 0;
    while ((uint64_t)RT_SET_LEAF << w->height < variables) w->height++;
    w->work = 0;
    w->most = most;
    w->nodes.n = 0;
    if (w->room) memset(w->table, 0, w->room * sizeof *w->table);
    return bz_vec_push(&w->nodes, 0);
}

void rt_sets_free(rt_sets *w) {
    bz_vec_free(&w->nodes);
    bz_vec_free(&w->map);
    bz_mem_free(w->table);
    w->table = NULL;
    w->room = 0;
}

void rt_sets_end(rt_sets *w) {
    if (w->room > 1 << 16) rt_sets_free(w);
}

/* The place in the table where the node is, or where it goes. */
static uint32_t *place(const rt_sets *w, uint64_t node) {
    uint64_t h = node * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t i = (uint32_t)(h >> 32);
    for (;; i++) {
        uint32_t *p = &w->table[i & (w->room - 1)];
        if (!*p || w->nodes.p[*p] == node) return p;
    }
}

static bool more_room(rt_sets *w) {
    uint32_t room = w->room ? 2 * w->room : 256, *old = w->table;
    uint32_t *table = bz_mem_zero(room, sizeof *table);
    if (!table) return false;
    w->table = table;
    w->room = room;
    bz_mem_free(old);
    for (uint32_t i = 1; i < w->nodes.n; i++) *place(w, w->nodes.p[i]) = i;
    return true;
}

static uint32_t node_of(rt_sets *w, uint64_t node) {
    if (w->nodes.n >= w->room / 2 && !more_room(w)) return RT_SET_ALL;
    uint32_t *p = place(w, node);
    if (*p) return *p;
    *p = w->nodes.n;
    if (bz_vec_push(&w->nodes, node)) return *p;
    *p = 0;
    return RT_SET_ALL;
}

uint32_t rt_set_node(rt_sets *w, uint32_t left, uint32_t right) {
    if (!left && !right) return 0;
    if (left == RT_SET_ALL || right == RT_SET_ALL) return RT_SET_ALL;
    return node_of(w, (uint64_t)left << 32 | right);
}

uint32_t rt_set_leaf(rt_sets *w, uint32_t first, uint32_t bits) {
    return bits ? node_of(w, LEAF | (uint64_t)(first / RT_SET_LEAF) << 32 | bits) : 0;
}

uint32_t rt_set_one(rt_sets *w, uint32_t i) {
    uint32_t r = rt_set_leaf(w, i - i % RT_SET_LEAF, UINT32_C(1) << i % RT_SET_LEAF);
    i /= RT_SET_LEAF;
    for (unsigned h = 0; h < w->height; h++, i >>= 1)
        r = i & 1 ? rt_set_node(w, 0, r) : rt_set_node(w, r, 0);
    return r;
}

uint32_t rt_set_join(rt_sets *w, uint32_t a, uint32_t b) {
    if (a == b || !b) return a;
    if (!a) return b;
    if (a == RT_SET_ALL || b == RT_SET_ALL || ++w->work > w->most) return RT_SET_ALL;
    uint64_t x = w->nodes.p[a], y = w->nodes.p[b];
    if (x & LEAF) return node_of(w, x | y);
    uint32_t left = rt_set_join(w, rt_set_left(x), rt_set_left(y));
    return rt_set_node(w, left, rt_set_join(w, (uint32_t)x, (uint32_t)y));
}

static uint32_t without(rt_sets *w, uint32_t a, uint32_t i, unsigned height) {
    if (!a || a == RT_SET_ALL) return a;
    uint64_t x = w->nodes.p[a];
    if (x & LEAF)
        return rt_set_leaf(w, rt_set_first(x), (uint32_t)x & ~(UINT32_C(1) << i % RT_SET_LEAF));
    if (i / RT_SET_LEAF >> (height - 1) & 1)
        return rt_set_node(w, rt_set_left(x), without(w, (uint32_t)x, i, height - 1));
    return rt_set_node(w, without(w, rt_set_left(x), i, height - 1), (uint32_t)x);
}

uint32_t rt_set_without(rt_sets *w, uint32_t a, uint32_t i) {
    return without(w, a, i, w->height);
}

/* map: of each node that the roots lead to, its number among them; 0: none. Gives how many there are, with the empty one. */
static uint32_t number_kept(rt_sets *w, const uint32_t *roots, uint32_t n) {
    uint32_t *map = w->map.p, kept = 1;
    memset(map, 0, w->nodes.n * sizeof *map);
    for (uint32_t i = 0; i < n; i++)
        if (roots[i] != RT_SET_ALL) map[roots[i]] = 1;
    for (uint32_t i = w->nodes.n - 1; i > 0; i--) {
        uint64_t x = w->nodes.p[i];
        if (map[i] && !(x & LEAF)) map[rt_set_left(x)] = map[(uint32_t)x] = 1;
    }
    map[0] = 0;
    for (uint32_t i = 1; i < w->nodes.n; i++)
        if (map[i]) map[i] = kept++;
    return kept;
}

rt_past *rt_sets_keep(rt_sets *w, const uint32_t *roots, uint32_t n) {
    if (!bz_vec_reserve(&w->map, w->nodes.n)) return NULL;
    uint32_t kept = number_kept(w, roots, n);
    const uint32_t *map = w->map.p;
    size_t words = (size_t)kept + n; /* of image and roots */
    rt_past *p = bz_mem_alloc(sizeof *p + kept * sizeof *p->nodes + words * sizeof *p->roots);
    if (!p) return NULL;
    *p = (rt_past){.refs = 1, .n = kept, .height = w->height};
    p->nodes = (uint64_t *)(p + 1);
    p->image = (uint32_t *)(p->nodes + kept);
    p->roots = p->image + kept;
    memset(p->image, 0, kept * sizeof *p->image);
    p->nodes[0] = 0;
    for (uint32_t i = 1; i < w->nodes.n; i++) {
        uint64_t x = w->nodes.p[i];
        if (!map[i]) continue;
        p->nodes[map[i]] = x & LEAF ? x : (uint64_t)map[rt_set_left(x)] << 32 | map[(uint32_t)x];
    }
    for (uint32_t i = 0; i < n; i++)
        p->roots[i] = roots[i] == RT_SET_ALL ? RT_SET_ALL : map[roots[i]];
    return p;
}
