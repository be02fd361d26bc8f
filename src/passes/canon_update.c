/* canon_update.c - updates in canonical form: what is overwritten again is not written, and who looks at a part sees through.
 *
 *     update(update(x, y), z) in one window      update(x, z)
 *     the window of update(x, y)                 y
 *     a window whose place is known              slices, where they can say it
 *     slice of update(x, y)                      within the window: slice of y; beside it: slice of x
 */
#include "src/passes/canon.h"

#include <string.h>

/* A window as a slice of a shape: every axis of y runs along one of the shape's. */
typedef struct box {
    unsigned rank; /* of the shape */
    int64_t start[IR_MAX_RANK], step[IR_MAX_RANK], count[IR_MAX_RANK];
    int from[IR_MAX_RANK]; /* axis of y, -1 = none */
} box;

/* False: it is none. */
static bool box_of(const ir_strided *w, const int64_t *shape, unsigned rank, box *b) {
    int64_t stride[IR_MAX_RANK], rest = w->offset;
    unsigned used = 0;
    b->rank = rank;
    for (unsigned a = rank; a-- > 0;) stride[a] = a + 1 < rank ? stride[a + 1] * shape[a + 1] : 1;
    for (unsigned a = 0; a < rank; a++) {
        if (shape[a] == 0) return false;
        b->start[a] = rest / stride[a];
        rest %= stride[a];
        b->step[a] = b->count[a] = 1;
        b->from[a] = -1;
        for (unsigned i = 0; i < w->rank && shape[a] > 1; i++) {
            int64_t by = w->strides[i] < 0 ? -w->strides[i] : w->strides[i];
            if (w->shape[i] == 1 || by % stride[a] || by / stride[a] >= shape[a]) continue;
            if (b->from[a] >= 0) return false;
            b->from[a] = (int)i;
            b->step[a] = w->strides[i] / stride[a];
            b->count[a] = w->shape[i];
            used++;
        }
        int64_t last = b->start[a] + (b->count[a] - 1) * b->step[a];
        if (last < 0 || last >= shape[a] || b->start[a] >= shape[a]) return false;
    }
    for (unsigned i = 0; i < w->rank; i++) used -= w->shape[i] != 1;
    return used == 0;
}

static void ends(const box *b, unsigned a, int64_t *lo, int64_t *hi) {
    int64_t last = b->start[a] + (b->count[a] - 1) * b->step[a];
    *lo = last < b->start[a] ? last : b->start[a];
    *hi = last < b->start[a] ? b->start[a] : last;
}

static int64_t divisor(int64_t a, int64_t b) {
    a = a < 0 ? -a : a;
    b = b < 0 ? -b : b;
    while (b) {
        int64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

/* No element of one is an element of the other. */
static bool apart(const box *p, const box *q) {
    for (unsigned a = 0; a < p->rank; a++) {
        int64_t plo, phi, qlo, qhi;
        ends(p, a, &plo, &phi);
        ends(q, a, &qlo, &qhi);
        if (phi < qlo || qhi < plo) return true;
        int64_t by = divisor(p->count[a] > 1 ? p->step[a] : 0, q->count[a] > 1 ? q->step[a] : 0);
        if (by ? (p->start[a] - q->start[a]) % by != 0 : p->start[a] != q->start[a]) return true;
    }
    return false;
}

/* All elements of s are elements of w; then *in is where in w. */
static bool within(const box *s, const box *w, box *in) {
    *in = *s;
    for (unsigned a = 0; a < s->rank; a++) {
        int64_t from = s->start[a] - w->start[a], by = s->count[a] > 1 ? s->step[a] : 0;
        if (from % w->step[a] || by % w->step[a]) return false;
        in->start[a] = from / w->step[a];
        in->step[a] = by ? by / w->step[a] : 1;
        int64_t lo, hi;
        ends(in, a, &lo, &hi);
        if (lo < 0 || hi >= w->count[a]) return false;
    }
    return true;
}

/* y with its axes where the box has them. */
static ir_ref along(ir_graph *g, ir_ref y, const box *w) {
    int64_t shape[IR_MAX_RANK], long_axes[IR_MAX_RANK];
    int perm[IR_MAX_RANK], place[IR_MAX_RANK];
    unsigned n = 0, k = 0;
    ir_static_shape(g, y, shape);
    for (unsigned i = 0; i < ir_at(g, y)->rank; i++) {
        place[i] = (int)n;
        if (shape[i] != 1) long_axes[n++] = shape[i];
    }
    for (unsigned a = 0; a < w->rank; a++)
        if (w->from[a] >= 0) perm[k++] = place[w->from[a]];
    y = ir_permute(g, ir_reshape(g, y, long_axes, n), perm, n);
    return ir_reshape(g, y, w->count, w->rank);
}

static ir_ref behind_reshapes(const ir_graph *g, ir_ref r) {
    while (ir_at(g, r)->op == IR_RESHAPE) r = ir_operand(g, r, 0);
    return r;
}

/* The window that update u, seen in that shape, writes. False: it is no box, or its place is not known before it runs. */
static bool written_box(const ir_graph *g, ir_ref u, const int64_t *shape, unsigned rank, box *w) {
    int64_t seen[IR_MAX_RANK], strides[IR_MAX_RANK];
    if (ir_at(g, u)->op != IR_UPDATE || ir_window_at(g, u)) return false;
    ir_strided window = ir_window_of(g, u, seen, strides);
    return box_of(&window, shape, rank, w);
}

/* Updates that a slice looks beside. Behind them it stays a slice of the last one, which costs an order and no copy: a table that is
 * filled row by row is compiled in a time that grows with its rows alone. */
enum { FAR = 256 };

ir_ref canon_seen_through(ir_graph *g, ir_ref x, const int64_t *start, const int64_t *count,
                          const int64_t *step) {
    int64_t shape[IR_MAX_RANK];
    box s = {.rank = ir_at(g, x)->rank}, w, in;
    if (!ir_static_shape(g, x, shape)) return 0;
    for (unsigned a = 0; a < s.rank; a++) {
        if (count[a] == 0) return 0;
        s.start[a] = start[a];
        s.step[a] = step[a];
        s.count[a] = count[a];
    }
    ir_ref u = behind_reshapes(g, x);
    unsigned beside = 0;
    bool found = written_box(g, u, shape, s.rank, &w);
    for (; found && beside < FAR && apart(&s, &w); beside++) {
        u = behind_reshapes(g, ir_operand(g, u, 0));
        found = written_box(g, u, shape, s.rank, &w);
    }
    if (found && within(&s, &w, &in))
        return ir_slice_exact(g, along(g, ir_operand(g, u, 1), &w), in.start, count, in.step);
    if (!beside || beside == FAR) return 0;
    return ir_slice_exact(g, ir_reshape(g, u, shape, s.rank), start, count, step);
}

/* Do an as_strided or update and this window on the same elements see the same places? */
static bool same_window(const ir_graph *g, ir_ref r, const ir_strided *w, ir_ref at) {
    int64_t shape[IR_MAX_RANK], strides[IR_MAX_RANK];
    ir_strided own = ir_window_of(g, r, shape, strides);
    return ir_window_at(g, r) == at && own.offset == w->offset && own.rank == w->rank &&
           (own.rank == 0 || (!memcmp(own.shape, w->shape, own.rank * sizeof *own.shape) &&
                              !memcmp(own.strides, w->strides, own.rank * sizeof *own.strides)));
}

ir_ref canon_window(ir_graph *g, const ir_graph *old, const ir_map *map, ir_ref r) {
    const ir_node *n = ir_at(old, r);
    int64_t shape[IR_MAX_RANK], strides[IR_MAX_RANK];
    ir_strided w = ir_window_of(old, r, shape, strides);
    ir_ref at = ir_window_at(old, r), x = map->to[ir_in(old, n)[0]];
    at = at ? map->to[at] : 0;
    if (!x) return 0;
    ir_ref u = behind_reshapes(g, x);
    bool again = ir_at(g, u)->op == IR_UPDATE && same_window(g, u, &w, at);
    if (n->op == IR_AS_STRIDED)
        return again ? ir_operand(g, u, 1)
               : at  ? ir_as_strided_at(g, x, &w, at)
                     : ir_read_strided(g, x, &w);
    if (again) x = ir_reshape_dims(g, ir_operand(g, u, 0), ir_dims(old, n), n->rank);
    return ir_update(g, x, map->to[ir_in(old, n)[1]], &w, at);
}
