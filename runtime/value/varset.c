/* varset.c - sets of variables that share their parts: what a long recording's values depend on is nearly the same for all of them.
 *
 *          o            a binary trie over the variables' numbers, of one height for all sets of a workspace; equal parts are one
 *        /   \          node, so a value that depends on one variable more than its operand costs a path, not a set, and equal
 *       o     o         sets are equal roots
 *        \   / \
 *         L L   L       leaf: 1 | its place (31 bits) | a bit for each of 32 variables; else: left (32 bits) | right; root 0: empty
 *
 * The sets of a context lie in one workspace, and stay there for as long as a past or a flow has them: what a thousand values depend on
 * that were computed one from the other is a thousand paths. A begin does so much work and no more: what it cannot find in time, or
 * without memory, is RT_SET_ALL, any variable. */
#include "runtime/value/lineage.h"

#include <string.h>

#define LEAF (UINT64_C(1) << 63)

enum { FEW_NODES = 1 << 12 }; /* not worth a sweep */

bool rt_set_is_leaf(uint64_t node) {
    return node & LEAF;
}

uint32_t rt_set_left(uint64_t node) {
    return (uint32_t)(node >> 32);
}

uint32_t rt_set_first(uint64_t leaf) {
    return (uint32_t)((leaf & ~LEAF) >> 32) * RT_SET_LEAF;
}

void rt_sets_free(rt_sets *w) {
    bz_vec_free(&w->nodes);
    bz_vec_free(&w->map);
    for (unsigned h = 0; h < RT_SET_HEIGHTS; h++) bz_vec_free(&w->changed[h]);
    bz_mem_free(w->table);
    w->table = NULL;
    w->room = 0;
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

/* ---- which variables changed: of each node of a full trie the last time */

static bool room_for_changes(rt_sets *w, unsigned h, uint32_t at) {
    uint32_t from = w->changed[h].n, more = at < from ? 0 : at + 1 - from;
    if (!more) return true;
    if (!bz_vec_reserve(&w->changed[h], more)) return false;
    memset(w->changed[h].p + from, 0, more * sizeof *w->changed[h].p);
    w->changed[h].n += more;
    return true;
}

void rt_set_changes(rt_sets *w, uint32_t i, uint64_t ended) {
    uint32_t at = i / RT_SET_LEAF;
    for (unsigned h = 0; h < RT_SET_HEIGHTS; h++, at >>= 1) {
        if (!room_for_changes(w, h, at)) {
            w->all_changed = ended + 1;
            return;
        }
        if (w->changed[h].p[at] == ended + 1) return; /* above it, too */
        w->changed[h].p[at] = ended + 1;
    }
}

bool rt_set_changed(const rt_sets *w, unsigned h, uint32_t at, uint64_t since) {
    return w->all_changed > since || (at < w->changed[h].n && w->changed[h].p[at] > since);
}

/* ---- pasts, and what nobody needs any more */

rt_past *rt_sets_keep(rt_sets *w, const uint32_t *roots, uint32_t n) {
    rt_past *p = bz_mem_alloc(sizeof *p + n * sizeof *p->roots);
    if (!p) return NULL;
    *p = (rt_past){.refs = 1, .n = n, .next = w->pasts};
    if (p->next) p->next->prev = p;
    w->pasts = p;
    memcpy(p->roots, roots, n * sizeof *roots);
    return p;
}

/* All roots that count, one after the other: those of pasts, then the flows. */
typedef uint32_t change_root(rt_sets *w, uint32_t root);
static void for_roots(rt_sets *w, uint32_t *flows, uint32_t nflows, change_root *change) {
    for (rt_past *p = w->pasts; p; p = p->next)
        for (uint32_t i = 0; i < p->n; i++) p->roots[i] = change(w, p->roots[i]);
    for (uint32_t i = 0; i < nflows; i++) flows[i] = change(w, flows[i]);
}

static uint32_t mark(rt_sets *w, uint32_t root) {
    if (root != RT_SET_ALL) w->map.p[root] = 1;
    return root;
}

static uint32_t moved(rt_sets *w, uint32_t root) {
    return root == RT_SET_ALL ? root : w->map.p[root];
}

static uint32_t wrapped(rt_sets *w, uint32_t root) {
    return rt_set_node(w, root, 0);
}

/* Nodes that no root leads to go; parts stand before what they are parts of, as ever. */
static bool sweep(rt_sets *w, uint32_t *flows, uint32_t nflows) {
    if (!bz_vec_reserve(&w->map, w->nodes.n)) return false;
    uint32_t *map = w->map.p, n = 1;
    memset(map, 0, w->nodes.n * sizeof *map);
    for_roots(w, flows, nflows, mark);
    for (uint32_t i = w->nodes.n - 1; i > 0; i--) {
        uint64_t x = w->nodes.p[i];
        if (map[i] && !(x & LEAF)) map[rt_set_left(x)] = map[(uint32_t)x] = 1;
    }
    map[0] = 0;
    for (uint32_t i = 1; i < w->nodes.n; i++) {
        uint64_t x = w->nodes.p[i];
        if (!map[i]) continue;
        w->nodes.p[n] = x & LEAF ? x : (uint64_t)map[rt_set_left(x)] << 32 | map[(uint32_t)x];
        map[i] = n++;
    }
    for_roots(w, flows, nflows, moved);
    w->nodes.n = n;
    if (w->room) memset(w->table, 0, w->room * sizeof *w->table);
    for (uint32_t i = 1; i < n; i++) *place(w, w->nodes.p[i]) = i;
    return true;
}

bool rt_sets_begin(rt_sets *w, uint64_t variables, uint64_t most, uint32_t *flows,
                   uint32_t nflows) {
    if (!w->nodes.n && !bz_vec_push(&w->nodes, 0)) return false;
    if (w->nodes.n > w->sweep_at) {
        if (w->sweep_at && !sweep(w, flows, nflows)) return false;
        w->sweep_at = 2 * w->nodes.n > FEW_NODES ? 2 * w->nodes.n : FEW_NODES;
    }
    w->work = 0;
    w->most = most;
    for (; (uint64_t)RT_SET_LEAF << w->height < variables; w->height++)
        for_roots(w, flows, nflows, wrapped);
    return true;
}
