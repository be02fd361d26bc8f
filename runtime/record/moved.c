/* moved.c - results that are movement of an operand: their strides are found by going down their nodes to it.
 *
 *      x  f32[4,6] at offset 0, strides 6 1                              on the way up: offset, strides
 *      |  permute [1, 0]                                                 0;  1 6
 *      |  slice start [0, 2], step [2, 1]                                12;  2 6
 *      y  f32[3,2]                                                       a view of x's memory, if each step had its strides
 *
 * So a builder of views is a composition in src/ir and a row with VIEW in builders.def; no strides are worked out by hand. */
#include "runtime/record/record.h"

#include <string.h>

enum { MOST_STEPS = 32 };

typedef struct place {
    bz_tensor *x; /* whose memory it is */
    unsigned rank;
    int64_t shape[IR_MAX_RANK], strides[IR_MAX_RANK], offset;
} place;

static void place_of_layout(place *p, const rt_layout *l, int64_t offset) {
    p->rank = l->rank;
    p->offset = offset;
    memcpy(p->shape, l->shape, l->rank * sizeof *p->shape);
    memcpy(p->strides, l->strides, l->rank * sizeof *p->strides);
}

/* The node that `own` is another shape of: of a complex one by its real part. 0: it is none. */
static ir_ref reshaped_of(const ir_graph *g, ir_ref own) {
    const ir_node *n = ir_at(g, own);
    if (n->flags & IR_IS_OWN) return 0;
    if (n->op == IR_COMPLEX) n = ir_at(g, ir_in(g, n)[0]);
    if (n->op != IR_RESHAPE || n->flags & IR_IS_OWN) return 0;
    const ir_ref from = ir_in(g, n)[0];
    return ir_at(g, from)->op == IR_REAL ? ir_operand(g, from, 0) : from;
}

/* Is node r operand i, or where that is another shape of a whole storage's node, that node? */
static bool is_operand(const rt_rec *r, bz_tensor *const *x, unsigned i, ir_ref node, place *p) {
    bz_context *c;
    const rt_tensor *t = rt_find_quietly(x[i], &c);
    if (!t || rt_is_number(t->st)) return false;
    const rt_layout *l = t->layout;
    if (node != r->x[i]) {
        if (!rt_is_whole(t) || reshaped_of(r->g, r->x[i]) != node) return false;
        if (!(l = rt_layout_of_node(r->c, r->g, node))) return false;
    }
    place_of_layout(p, l, t->offset);
    p->x = x[i];
    return true;
}

static bool find_operand(const rt_rec *r, bz_tensor *const *x, unsigned n, ir_ref node, place *p) {
    for (unsigned i = 0; i < n; i++)
        if (is_operand(r, x, i, node, p)) return true;
    return false;
}

/* ---- a step up: false where the result of a node has no strides in that memory */

static bool reshape(const rt_rec *r, place *p, const int64_t *shape, unsigned rank) {
    const rt_layout *l = rt_layout_of(r->c, p->shape, p->strides, p->rank);
    return l && rt_reshape_strides(l, shape, rank, p->strides);
}

static void permute(place *p, const int64_t *perm) {
    int64_t own[IR_MAX_RANK];
    memcpy(own, p->strides, p->rank * sizeof *own);
    for (unsigned i = 0; i < p->rank; i++) p->strides[i] = own[perm[i]];
}

static void slice(place *p, const int64_t *start_step, const int64_t *shape) {
    for (unsigned i = 0; i < p->rank; i++) {
        p->offset += start_step[2 * i] * p->strides[i];
        if (shape[i] > 1) p->strides[i] *= start_step[2 * i + 1];
    }
}

static bool window(const rt_rec *r, place *p, const int64_t *offset_strides, const int64_t *shape,
                   unsigned rank) {
    const rt_layout *l = rt_layout_of(r->c, p->shape, p->strides, p->rank);
    int64_t offset = offset_strides[0];
    if (!l || !rt_window_strides(l, shape, offset_strides + 1, rank, &offset, p->strides))
        return false;
    p->offset += offset;
    return true;
}

static bool step_up(const rt_rec *r, ir_ref node, place *p) {
    const ir_node *n = ir_at(r->g, node);
    const int64_t *attr = ir_attrs(r->g, n);
    int64_t shape[IR_MAX_RANK], count;
    bool good = ir_static_shape(r->g, node, shape) && ir_numel(r->g, node, &count) && count > 0;
    if (!good) return false;
    switch (n->op) {
    case IR_RESHAPE: good = reshape(r, p, shape, n->rank); break;
    case IR_PERMUTE: permute(p, attr); break;
    case IR_SLICE: slice(p, attr, shape); break;
    case IR_AS_STRIDED: good = window(r, p, attr, shape, n->rank); break;
    default:
        for (unsigned i = 0; i < n->rank; i++)
            if (shape[i] != p->shape[i]) p->strides[i] = 0;
    }
    p->rank = n->rank;
    memcpy(p->shape, shape, n->rank * sizeof *shape);
    return good;
}

static bool moves_alone(const ir_node *n) {
    return n->op == IR_RESHAPE || n->op == IR_PERMUTE || n->op == IR_SLICE || n->op == IR_EXPAND ||
           (n->op == IR_AS_STRIDED && n->nin == 1);
}

/* The same step, of the real and of the imaginary part? */
static bool is_alike(const ir_graph *g, ir_ref re, ir_ref im) {
    const ir_node *p = ir_at(g, re), *q = ir_at(g, im);
    return p->op == q->op && p->nattr == q->nattr && ir_same_shape(g, re, im) &&
           (p->nattr == 0 || !memcmp(ir_attrs(g, p), ir_attrs(g, q), p->nattr * sizeof(int64_t)));
}

/* One step down from *node, or of a complex value from its parts *node and *im (0: it is real): to an operand, or where the parts come together
 * to the complex one. false: nothing but movement leads there. */
static bool step_down(const ir_graph *g, ir_ref *node, ir_ref *im) {
    const ir_node *n = ir_at(g, *node);
    if (*im && n->op == IR_REAL) {
        const bool one = ir_at(g, *im)->op == IR_IMAG && ir_operand(g, *im, 0) == ir_operand(g, *node, 0);
        *node = ir_operand(g, *node, 0);
        *im = 0;
        return one;
    }
    if (!moves_alone(n) || (*im && !is_alike(g, *node, *im))) return false;
    *node = ir_operand(g, *node, 0);
    if (*im) *im = ir_operand(g, *im, 0);
    return true;
}

/* Where the elements of `node` lie; false: in no operand's memory, at no strides. */
static bool find_place(const rt_rec *r, bz_tensor *const *x, unsigned n, ir_ref node, place *p) {
    ir_ref way[MOST_STEPS], im = 0;
    unsigned steps = 0;
    while (node && (im || !find_operand(r, x, n, node, p))) {
        if (!im && ir_at(r->g, node)->op == IR_COMPLEX) {
            im = ir_operand(r->g, node, 1);
            node = ir_operand(r->g, node, 0);
        }
        if (steps == MOST_STEPS) return false;
        if (ir_at(r->g, node)->op != IR_REAL) way[steps++] = node;
        if (!step_down(r->g, &node, &im)) return false;
    }
    while (node && steps)
        if (!step_up(r, way[--steps], p)) return false;
    return node != 0;
}

/* ---- the end of a call */

/* made[i] for each node; *fresh: those that are no views. */
static bool make_all(rt_rec *r, bz_tensor *const *x, unsigned n, const ir_ref *nodes,
                     unsigned count, bz_tensor **made, rt_storage **st, unsigned *fresh) {
    place p;
    *fresh = 0;
    for (unsigned i = 0; i < count; i++) {
        if (!nodes[i]) return false;
        if (find_place(r, x, n, nodes[i], &p))
            made[i] = rt_view_new(r, p.x, p.shape, p.strides, p.rank, p.offset, nodes[i]);
        else if (rt_new_result(r, nodes[i], &made[i], &st[*fresh]))
            ++*fresh;
        if (!made[i]) return false;
    }
    return true;
}

/* made[0 .. count-1]: handles, or on an error (false) poison. */
static bool end(rt_rec *r, bz_tensor *const *x, unsigned n, const ir_ref *nodes, unsigned count,
                bz_tensor **made) {
    bz_context *c = r->c;
    rt_storage *one, **st = count == 1 ? &one : bz_mem_alloc((count + 1) * sizeof(rt_storage *));
    unsigned fresh = 0;
    for (unsigned i = 0; i < count; i++) made[i] = NULL;
    bool done =
        r->g && !r->g->err.status && st && make_all(r, x, n, nodes, count, made, st, &fresh);
    rt_take_errors(r);
    if (r->g && !done && !c->err.status) rt_no_memory(c);
    if (done && fresh)
        done = rt_recorded(r, r->op, st, fresh);
    else if (done)
        rt_count_op(c, r->site);
    if (st != &one) bz_mem_free(st);
    for (unsigned i = 0; i < count && !done; i++) {
        rt_drop(made[i]);
        made[i] = c ? rt_poison(c) : NULL;
    }
    return done;
}

bz_tensor *rt_end_moved(rt_rec *r, bz_tensor *const *x, unsigned n, ir_ref node) {
    bz_tensor *made;
    end(r, x, n, &node, 1, &made);
    rt_end_visit(r);
    return made;
}

int rt_end_parts(rt_rec *r, bz_tensor *const *x, unsigned n, const ir_parts *parts, bz_tensor **out,
                 int room) {
    bool good = r->g && !r->g->err.status && (parts->p || !parts->n);
    unsigned most = room > 0 && out ? (unsigned)room : 0;
    if (good && parts->n > most)
        ir_error_as(r->g, BZ_EARG, r->op, "%u results, and room for %d", parts->n, out ? room : 0);
    good = good && !r->g->err.status;
    bz_context *c = r->c;
    good = end(r, x, n, parts->p, good ? parts->n : 0, out) && good;
    for (unsigned i = good ? parts->n : 0; i < most; i++) out[i] = good || !c ? NULL : rt_poison(c);
    rt_end_visit(r);
    return good ? (int)parts->n : -1;
}
