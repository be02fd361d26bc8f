/* memory.c - where temporaries lie in the arena.
 *
 * A buffer lives from the launch that writes it to the last that reads it. Buffers that live at the same time must not overlap. Greedy
 * orders are tried until one leaves no hole: first-born first, largest first, and first those that live in the widest launch (both
 * by Pisarchyk and Lee, arXiv 2001.03288); the smallest arena wins.
 *
 * First-born first is a walk along the launches over a list of gaps. For the others, whom a buffer meets is asked of a tree over
 * the launches: a placed buffer hangs at the few nodes that make up its life, and at the launch where it begins. Whoever meets more
 * than MEET_MOST others lies above all of them instead of between them, so that n buffers take O(n log n).
 *
 *              0-7
 *         0-3       4-7 <- lives 4-7
 *      0-1   2-3 <- lives 2-4 hangs here and at 4
 */
#include "src/passes/lower.h"

#include <stdlib.h>

enum { ALIGN = 64, NONE = 0, MEET_MOST = 256 };

typedef struct extent {
    int64_t from, to;
} extent;

typedef struct hook {
    uint32_t buffer, next; /* next: number of the next hook in the list + 1 */
} hook;

/* A node of the tree. Lists: of those that live through all of it; at a leaf, of those that begin there. */
typedef struct tree_node {
    uint32_t lives, begins; /* first hook + 1 */
    uint32_t begin_below;   /* how many begin here and below */
    int64_t top,
        top_below; /* upmost end of those that live through all of it; of all that hang here and below */
} tree_node;

typedef struct planner {
    pass_plan *p;
    /* launches, rounded up to a power of two; node k has children 2k and 2k + 1, the root is 1 */
    uint32_t size;
    tree_node *tree;
    BZ_VEC(hook) hooks;
    int64_t *wide; /* find_widths */
    extent met[MEET_MOST];
    uint32_t nmet;
    bool failed;
} planner;

/* At most BZ_BYTES_MOST: buffers_new saw to it. */
static int64_t bytes_of(const pass_buffer *b) {
    int64_t n = b->count * (int64_t)ir_dtype_bytes(b->dtype);
    return n <= 0 ? ALIGN : bz_round_up(n, ALIGN);
}

/* ---- the tree of lives */

static uint32_t push_hook(planner *w, uint32_t list, uint32_t buffer) {
    w->failed |= !bz_vec_push(&w->hooks, ((hook){buffer, list}));
    return w->hooks.n;
}

static void hang(planner *w, uint32_t node, uint32_t lo, uint32_t hi, uint32_t buffer) {
    const pass_buffer *b = &w->p->buffers.p[buffer];
    tree_node *t = &w->tree[node];
    const int64_t top = b->offset + bytes_of(b);
    if (hi < b->first || lo > b->last || w->failed) return;
    t->top_below = top > t->top_below ? top : t->top_below;
    if (lo >= b->first && hi <= b->last) {
        t->top = top > t->top ? top : t->top;
        t->lives = push_hook(w, t->lives, buffer);
        return;
    }
    uint32_t mid = lo + (hi - lo) / 2;
    hang(w, 2 * node, lo, mid, buffer);
    hang(w, 2 * node + 1, mid + 1, hi, buffer);
}

static void hang_up(planner *w, uint32_t buffer) {
    const uint32_t leaf = w->size + w->p->buffers.p[buffer].first;
    hang(w, 1, 0, w->size - 1, buffer);
    w->tree[leaf].begins = push_hook(w, w->tree[leaf].begins, buffer);
    for (uint32_t node = leaf; node; node /= 2) w->tree[node].begin_below++;
}

/* Adds those of the list to `met`; false: they are too many. */
static bool meet_all(planner *w, uint32_t list) {
    for (; list != NONE; list = w->hooks.p[list - 1].next) {
        const pass_buffer *o = &w->p->buffers.p[w->hooks.p[list - 1].buffer];
        if (w->nmet == MEET_MOST) return false;
        w->met[w->nmet++] = (extent){o->offset, o->offset + bytes_of(o)};
    }
    return true;
}

/* Those that begin in launches from..to. */
static bool meet_begun(planner *w, uint32_t node, uint32_t lo, uint32_t hi, uint32_t from,
                       uint32_t to) {
    if (hi < from || lo > to || !w->tree[node].begin_below) return true;
    if (lo == hi) return meet_all(w, w->tree[node].begins);
    uint32_t mid = lo + (hi - lo) / 2;
    return meet_begun(w, 2 * node, lo, mid, from, to) &&
           meet_begun(w, 2 * node + 1, mid + 1, hi, from, to);
}

/* Whom does `b` meet? Those that live when it begins, and those that begin later in its life: each once. */
static bool meet(planner *w, const pass_buffer *b) {
    w->nmet = 0;
    for (uint32_t node = w->size + b->first; node; node /= 2)
        if (!meet_all(w, w->tree[node].lives)) return false;
    return b->first == b->last || meet_begun(w, 1, 0, w->size - 1, b->first + 1, b->last);
}

/* Upmost end of those that `b` meets. */
static int64_t top_of_met(const planner *w, uint32_t node, uint32_t lo, uint32_t hi,
                          const pass_buffer *b) {
    const tree_node *t = &w->tree[node];
    if (hi < b->first || lo > b->last) return 0;
    if (lo >= b->first && hi <= b->last) return t->top_below;
    uint32_t mid = lo + (hi - lo) / 2;
    int64_t l = top_of_met(w, 2 * node, lo, mid, b);
    int64_t r = top_of_met(w, 2 * node + 1, mid + 1, hi, b);
    l = l > r ? l : r;
    return t->top > l ? t->top : l;
}

static int by_offset(const void *a, const void *b) {
    const extent *x = a, *y = b;
    return (x->from > y->from) - (x->from < y->from);
}

/* Lowest offset at which `b` fits between the placed buffers that live at the same time, or above them all if they are many. */
static int64_t lowest_fit(planner *w, const pass_buffer *b) {
    int64_t at = 0, need = bytes_of(b);
    if (!meet(w, b)) return top_of_met(w, 1, 0, w->size - 1, b);
    qsort(w->met, w->nmet, sizeof *w->met, by_offset);
    for (uint32_t i = 0; i < w->nmet && w->met[i].from < at + need; i++)
        at = w->met[i].to > at ? w->met[i].to : at;
    return at;
}

static int64_t assign_in_order(planner *w, const uint32_t *order, unsigned n) {
    int64_t top = 0;
    for (uint32_t i = 0; i < 2 * w->size; i++) w->tree[i] = (tree_node){0};
    w->hooks.n = 0;
    for (unsigned i = 0; i < n && !w->failed; i++) {
        pass_buffer *b = &w->p->buffers.p[order[i]];
        b->offset = lowest_fit(w, b);
        top = b->offset + bytes_of(b) > top ? b->offset + bytes_of(b) : top;
        hang_up(w, order[i]);
    }
    return top;
}

/* ---- first-born first */

/* The lowest gap for each of `born` when its life begins; `dying` has room for all launches. */
static int64_t walk(planner *w, const uint32_t *born, unsigned n, arena_gaps *gaps,
                    uint32_t *dying) {
    int64_t top = 0;
    uint32_t buried = 0; /* launches whose dead have given back their bytes */
    w->hooks.n = 0;
    for (uint32_t i = 0; i < w->size; i++) dying[i] = NONE;
    for (unsigned i = 0; i < n && !w->failed; i++) {
        pass_buffer *b = &w->p->buffers.p[born[i]];
        for (; buried < b->first; buried++)
            for (uint32_t d = dying[buried]; d != NONE; d = w->hooks.p[d - 1].next) {
                const pass_buffer *o = &w->p->buffers.p[w->hooks.p[d - 1].buffer];
                w->failed |= !gaps_give(gaps, o->offset, bytes_of(o));
            }
        b->offset = gaps_take(gaps, bytes_of(b));
        top = b->offset + bytes_of(b) > top ? b->offset + bytes_of(b) : top;
        dying[b->last] = push_hook(w, dying[b->last], born[i]);
    }
    return top;
}

static int64_t assign_born(planner *w, const uint32_t *born, unsigned n) {
    arena_gaps gaps;
    uint32_t *dying = bz_mem_alloc(w->size * sizeof *dying);
    w->failed |= !gaps_begin(&gaps) || !dying;
    int64_t top = w->failed ? 0 : walk(w, born, n, &gaps, dying);
    gaps_free(&gaps);
    bz_mem_free(dying);
    return top;
}

/* wide[size + launch] = bytes that live during it, and above them, as in a tree, the most of each two; false: out of memory. */
static bool find_widths(planner *w, const uint32_t *order, unsigned n) {
    int64_t live = 0, *wide = w->wide = bz_mem_zero(2 * w->size + 1, sizeof *wide);
    if (!wide) return false;
    int64_t *change = wide + w->size;
    for (unsigned i = 0; i < n; i++) {
        const pass_buffer *b = &w->p->buffers.p[order[i]];
        change[b->first] += bytes_of(b);
        change[b->last + 1] -= bytes_of(b);
    }
    for (uint32_t i = 0; i < w->size; i++) change[i] = live += change[i];
    for (uint32_t i = w->size; i-- > 1;)
        wide[i] = wide[2 * i] > wide[2 * i + 1] ? wide[2 * i] : wide[2 * i + 1];
    return true;
}

/* Bytes in the widest launch of from .. to. */
static int64_t widest(const planner *w, uint32_t from, uint32_t to) {
    int64_t most = 0;
    for (from += w->size, to += w->size + 1; from < to; from /= 2, to /= 2) {
        if (from & 1) most = w->wide[from] > most ? w->wide[from] : most, from++;
        if (to & 1) to--, most = w->wide[to] > most ? w->wide[to] : most;
    }
    return most;
}

typedef struct weight {
    int64_t width, bytes;
    uint32_t buffer;
} weight;

/* Heaviest first; equals by number, so that the order is the same on every machine. */
static int by_weight(const void *a, const void *b) {
    const weight *x = a, *y = b;
    if (x->width != y->width) return x->width < y->width ? 1 : -1;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return (x->buffer > y->buffer) - (x->buffer < y->buffer);
}

/* Largest first; by_width: those of the widest launches before others. */
static bool sort(planner *w, const uint32_t *born, unsigned n, bool by_width, uint32_t *order) {
    weight *s = bz_mem_alloc((n + 1) * sizeof *s);
    if (!s) return false;
    for (unsigned i = 0; i < n; i++) {
        const pass_buffer *b = &w->p->buffers.p[born[i]];
        s[i] = (weight){by_width ? widest(w, b->first, b->last) : 0, bytes_of(b), born[i]};
    }
    qsort(s, n, sizeof *s, by_weight);
    for (unsigned i = 0; i < n; i++) order[i] = s[i].buffer;
    bz_mem_free(s);
    return true;
}

/* Way 0: first-born first; 1: largest first; 2: widest first. The arena's bytes. */
static int64_t place(planner *w, const uint32_t *born, uint32_t *sorted, unsigned n, int way) {
    if (way == 0) return assign_born(w, born, n);
    w->failed |= !sort(w, born, n, way == 2, sorted);
    return w->failed ? 0 : assign_in_order(w, sorted, n);
}

/* Places the arena's buffers; their numbers, first-born first, stand in `born`, and there is room for as many in `sorted`. */
static void place_all(planner *w, const uint32_t *born, uint32_t *sorted, unsigned n) {
    enum { WAYS = 3 };
    int best = 0, last = 0;
    w->failed |= !find_widths(w, born, n);
    if (w->failed) return;
    w->p->arena_bound = widest(w, 0, w->size - 1);
    w->p->arena_bytes = place(w, born, sorted, n, 0);
    while (w->p->arena_bytes != w->p->arena_bound && last + 1 < WAYS && !w->failed) {
        int64_t bytes = place(w, born, sorted, n, ++last);
        if (bytes < w->p->arena_bytes) {
            w->p->arena_bytes = bytes;
            best = last;
        }
    }
    if (best != last) place(w, born, sorted, n, best);
}

static bool fits(double bytes, double most, bz_error *e) {
    char size[32];
    if (bytes <= most) return true;
    bz_size_text(size, bytes);
    bz_fail(e, BZ_ENOMEM, "[compile] the temporaries take %s: more than can be addressed", size);
    return false;
}

/* All of them side by side: a sum of which no part overflows. */
static double sum_of(const pass_plan *p, const uint32_t *born, unsigned n) {
    double sum = 0;
    for (unsigned i = 0; i < n; i++) sum += (double)bytes_of(&p->buffers.p[born[i]]);
    return sum;
}

/* The arena's buffers by the launch that they begin in. */
static bool list_born(const pass_plan *p, uint32_t *born, unsigned *n) {
    uint32_t *next = bz_mem_zero(p->launches.n + 2, sizeof *next);
    if (!next) return false;
    for (uint32_t i = 0; i < p->buffers.n; i++)
        next[p->buffers.p[i].first + 1] += p->buffers.p[i].place == PASS_ARENA;
    for (uint32_t i = 0; i <= p->launches.n; i++) next[i + 1] += next[i];
    for (uint32_t i = 0; i < p->buffers.n; i++)
        if (p->buffers.p[i].place == PASS_ARENA) born[next[p->buffers.p[i].first]++] = i;
    *n = next[p->launches.n + 1];
    bz_mem_free(next);
    return true;
}

/* What is kept is never given away: one behind the other. */
static void place_kept(pass_plan *p) {
    for (uint32_t i = 0; i < p->buffers.n; i++) {
        pass_buffer *b = &p->buffers.p[i];
        if (b->place != PASS_KEPT) continue;
        b->offset = p->kept_bytes;
        p->kept_bytes = bz_plus(p->kept_bytes, bytes_of(b));
    }
}

bool memory_plan(pass_plan *p, bz_error *e) {
    planner w = {.p = p, .size = 1};
    unsigned n = 0;
    while (w.size < p->launches.n) w.size *= 2;
    w.tree = bz_mem_alloc(2 * w.size * sizeof *w.tree);
    uint32_t *born = bz_mem_alloc((2 * p->buffers.n + 1) * sizeof *born);
    w.failed = !w.tree || !born;
    w.failed = w.failed || !list_born(p, born, &n);
    if (!w.failed) w.failed = !fits(sum_of(p, born, n), 0x1p60, e);
    if (!w.failed) place_all(&w, born, born + n, n);
    place_kept(p);
    bz_mem_free(born);
    bz_mem_free(w.tree);
    bz_mem_free(w.wide);
    bz_vec_free(&w.hooks);
    return !w.failed &&
           fits((double)p->arena_bytes + (double)p->kept_bytes, (double)BZ_BYTES_MOST, e);
}
