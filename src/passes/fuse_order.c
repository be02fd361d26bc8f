/* fuse_order.c - an order in which the groups could run, kept while some of them are joined across it.
 *
 *     a  x  b  y  c        a and c become one; x is made of a, y and b are not
 *     b  y  ac x           what is made of the union comes behind it
 *
 * While edges are judged from first to last (fuse.c), no group that has joined others reaches beyond the edge at hand: a group's place is its
 * first node. Afterwards that is no order: a group may hold an early node, which others read, and a late one that is made of what these give. */
#include "src/passes/fuse.h"

enum { FARTHEST = 4096 }; /* places, or edges of a search, beyond which a path is taken for granted */

bool fuse_places(fuser *f) {
    f->place = bz_mem_zero(f->r->groups.n + 1, sizeof *f->place);
    for (uint32_t g = 0; f->place && g < f->r->groups.n; g++)
        f->place[g] = f->r->groups.p[g].nodes.p[0];
    return f->place != NULL;
}

static bool is_among(uint32_t group, const uint32_t *groups, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        if (groups[i] == group) return true;
    return false;
}

/* How many edges lead into each group from others. */
static void count_edges(const fuser *f, uint32_t *count) {
    for (uint32_t i = 0; i < f->edges.n; i++) {
        const uint32_t from = f->r->group_of[f->edges.p[i].from],
                       to = f->r->group_of[f->edges.p[i].to];
        count[to] += from != to;
    }
}

/* The next one: those that had waited for it alone are ready. */
static bool put(fuser *f, uint32_t group, uint32_t *waits) {
    const fuse_group *q = &f->r->groups.p[group];
    f->place[group] = f->norder;
    f->order[f->norder++] = group;
    for (uint32_t i = 0; i < q->nodes.n; i++)
        for (uint32_t e = f->first_out[q->nodes.p[i]]; e < f->first_out[q->nodes.p[i] + 1]; e++) {
            const uint32_t next = f->r->group_of[f->out_to.p[e]];
            if (next != group && --waits[next] == 0 && !bz_vec_push(&f->stack, next)) return false;
        }
    return true;
}

bool fuse_order_begin(fuser *f) {
    const uint32_t n = f->r->groups.n;
    uint32_t *waits = bz_mem_zero(n + 1, sizeof *waits), living = 0;
    f->order = bz_mem_zero(n + 1, sizeof *f->order);
    bool ok = waits && f->order;
    f->stack.n = 0;
    if (ok) count_edges(f, waits);
    for (uint32_t g = n; ok && g-- > 0;) {
        living += !f->r->groups.p[g].dead;
        if (!f->r->groups.p[g].dead && waits[g] == 0) ok = bz_vec_push(&f->stack, g);
    }
    while (ok && f->stack.n > 0) ok = put(f, f->stack.p[--f->stack.n], waits);
    bz_assert(!ok || f->norder == living);
    bz_mem_free(waits);
    return ok;
}

/* Marks what can be come to from the groups `from` before place `top`. True where that is one of the groups `to` and not at once, or where
 * more than `most` edges would have to be looked at. */
static bool leads(fuser *f, const uint32_t *from, unsigned nfrom, const uint32_t *to, unsigned nto,
                  uint32_t top, uint32_t most) {
    uint32_t looked = 0;
    f->epoch++;
    f->stack.n = 0;
    for (unsigned i = 0; i < nfrom; i++) {
        f->mark[from[i]] = f->epoch;
        if (!bz_vec_push(&f->stack, from[i])) return f->failed = true;
    }
    while (f->stack.n > 0) {
        const uint32_t at = f->stack.p[--f->stack.n];
        const fuse_group *q = &f->r->groups.p[at];
        const bool first = is_among(at, from, nfrom);
        for (uint32_t i = 0; i < q->nodes.n; i++)
            for (uint32_t e = f->first_out[q->nodes.p[i]]; e < f->first_out[q->nodes.p[i] + 1];
                 e++) {
                const uint32_t next = f->r->group_of[f->out_to.p[e]];
                const bool there = is_among(next, to, nto);
                if ((there && !first) || looked++ == most) return true;
                if (there || f->mark[next] == f->epoch || f->place[next] > top) continue;
                f->mark[next] = f->epoch;
                if (!bz_vec_push(&f->stack, next)) return f->failed = true;
            }
    }
    return false;
}

bool fuse_joined_by_third(fuser *f, uint32_t p, uint32_t c) {
    const fuse_group *to = &f->r->groups.p[c];
    return leads(f, &p, 1, &c, 1, to->nodes.p[to->nodes.n - 1], FARTHEST);
}

static uint32_t last_place(const fuser *f, const uint32_t *groups, unsigned n) {
    uint32_t last = 0;
    for (unsigned i = 0; i < n; i++)
        if (f->place[groups[i]] > last) last = f->place[groups[i]];
    return last;
}

static uint32_t first_place(const fuser *f, const uint32_t *groups, unsigned n) {
    uint32_t first = UINT32_MAX;
    for (unsigned i = 0; i < n; i++)
        if (f->place[groups[i]] < first) first = f->place[groups[i]];
    return first;
}

bool fuse_kept_apart(fuser *f, const uint32_t *groups, unsigned n, uint32_t c) {
    const uint32_t first = first_place(f, groups, n), last = last_place(f, groups, n),
                   at = f->place[c];
    if ((at > first && at - first > FARTHEST) || (at < last && last - at > FARTHEST)) return true;
    return (at > first && leads(f, groups, n, &c, 1, at, FARTHEST)) ||
           (at < last && leads(f, &c, 1, groups, n, last, FARTHEST));
}

bool fuse_order_join(fuser *f, const uint32_t *groups, unsigned n, uint32_t into) {
    const uint32_t first = first_place(f, groups, n), last = last_place(f, groups, n);
    uint32_t at = first;
    leads(f, &into, 1, NULL, 0, last, UINT32_MAX);
    if (f->failed) return false;
    f->stack.n = 0; /* what is made of the union */
    for (uint32_t i = first; i <= last; i++) {
        const uint32_t g = f->order[i];
        if (g == FUSE_NO_GROUP || is_among(g, groups, n)) continue;
        if (f->mark[g] != f->epoch)
            f->order[at++] = g;
        else if (!bz_vec_push(&f->stack, g))
            return false;
    }
    f->order[at++] = into;
    for (uint32_t i = 0; i < f->stack.n; i++) f->order[at++] = f->stack.p[i];
    while (at <= last) f->order[at++] = FUSE_NO_GROUP;
    for (uint32_t i = first; i <= last; i++)
        if (f->order[i] != FUSE_NO_GROUP) f->place[f->order[i]] = i;
    return true;
}
