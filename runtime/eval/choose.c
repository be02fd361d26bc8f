/* choose.c - which nodes an evaluation computes, and which of them later ones will read.
 *
 *      asked for: loss               marks: NEED = loss needs it        kept besides: NEED nodes that LATER nodes read,
 *      live, without value: p', m'          LATER = live handles need it              values of handles of outer scopes
 *
 * So printing a loss and then stepping does not compute the forward pass twice, and a loop does not grow. */
#include "runtime/eval/marks.h"

#include <stdlib.h>

/* Costs nothing to make again: not worth a buffer. */
static bool is_cheap(const ir_graph *g, ir_ref r) {
    unsigned op = ir_at(g, r)->op;
    return op == IR_INPUT || op == IR_CONST || op == IR_IOTA || ir_op_is_movement(op);
}

/* ---- which nodes
 *
 * A step of eager mode needs two or three nodes of a recording that may be long: nothing here looks at all of them. Marks carry the
 * number of the evaluation they belong to, so that none has to be wiped out. */

static bool begin_marks(bz_context *c, const ir_graph *g) {
    c->evaluation->outs.n = c->evaluation->need.n = c->evaluation->later.n = 0;
    if (!bz_vec_reserve(&c->evaluation->stamps, g->n.n)) return false;
    if (++c->evaluation->number >> (32 - MARK_BITS))
        c->evaluation->stamps.n = 0, c->evaluation->number = 1;
    while (c->evaluation->stamps.n < g->n.n) c->evaluation->stamps.p[c->evaluation->stamps.n++] = 0;
    return true;
}

static void mark(bz_context *c, ir_ref r, unsigned with) {
    c->evaluation->stamps.p[r] = c->evaluation->number << MARK_BITS | rt_marks(c, r) | with;
}

static bool add_need(bz_context *c, ir_ref r) {
    if (rt_marks(c, r) & NEED) return true;
    mark(c, r, NEED);
    return bz_vec_push(&c->evaluation->need, r);
}

static bool add_later(bz_context *c, ir_ref r) {
    if (rt_marks(c, r) & LATER) return true;
    mark(c, r, LATER);
    return bz_vec_push(&c->evaluation->later, r);
}

static bool add_output(bz_context *c, ir_ref r) {
    if (rt_marks(c, r) & OUTPUT) return true;
    mark(c, r, OUTPUT);
    return add_need(c, r) && bz_vec_push(&c->evaluation->outs, r);
}

/* c->evaluation->need: the outputs, and what leads to them from values that are there. */
static bool add_needed(bz_context *c, const rt_epoch *e) {
    for (uint32_t i = 0; i < c->evaluation->need.n; i++) {
        const ir_node *n = ir_at(e->g, c->evaluation->need.p[i]);
        for (unsigned k = 0; !rt_kept(e, c->evaluation->need.p[i]) && k < n->nin; k++)
            if (!add_need(c, ir_in(e->g, n)[k])) return false;
    }
    return true;
}

/* What an update writes over. */
static ir_ref base_of(const rt_epoch *e, ir_ref r) {
    do r = ir_operand(e->g, r, 0);
    while (ir_at(e->g, r)->op == IR_RESHAPE && !rt_kept(e, r));
    return r;
}

/* Where to look for readers of what is computed, and of values whose memory may be written (overwrite.c): they come after it. A loop
 * beside values that nobody ever reads does not look at them in each turn. */
static ir_ref first_computed(const bz_context *c, const rt_epoch *e) {
    ir_ref first = e->g->n.n;
    for (uint32_t i = 0; i < c->evaluation->need.n; i++) {
        ir_ref r = c->evaluation->need.p[i];
        if (rt_kept(e, r) || is_cheap(e->g, r)) continue;
        if (ir_at(e->g, r)->op == IR_UPDATE) r = base_of(e, r);
        if (r < first) first = r;
    }
    return first;
}

/* Adds what later evaluations will read. */
static bool add_border(bz_context *c, const rt_epoch *e) {
    const ir_ref first = first_computed(c, e);
    rt_storage *s = e->pending;
    for (; (s = rt_pending_from(c, s, first)) != NULL; s = s->next) {
        bool outer = s->depth == 0 || s->depth < c->slab->scopes.n - 1,
             now = rt_marks(c, s->node) & NEED;
        if (now && outer && !is_cheap(e->g, s->node)) {
            if (!add_output(c, s->node)) return false;
        } else if ((!now || is_cheap(e->g, s->node)) && !add_later(c, s->node)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < c->evaluation->later.n; i++) {
        const ir_node *n = ir_at(e->g, c->evaluation->later.p[i]);
        c->evaluation->seen++;
        for (unsigned k = 0; !rt_kept(e, c->evaluation->later.p[i]) && k < n->nin; k++) {
            ir_ref x = ir_in(e->g, n)[k];
            if (x < first) continue;
            if (!(rt_marks(c, x) & NEED) || is_cheap(e->g, x)) {
                if (!add_later(c, x)) return false;
            } else if (!rt_kept(e, x)) { /* one of several results, or the value itself */
                bool tuple = ir_at(e->g, x)->flags & IR_IS_TUPLE;
                if (!add_output(c, tuple ? c->evaluation->later.p[i] : x)) return false;
            }
        }
    }
    return true;
}

static int ascending(const void *a, const void *b) {
    ir_ref x = *(const ir_ref *)a, y = *(const ir_ref *)b;
    return (x > y) - (x < y);
}

bool rt_choose_outputs(bz_context *c, const rt_epoch *e, rt_storage *const *s, unsigned n) {
    if (!begin_marks(c, e->g)) return false;
    for (unsigned i = 0; i < n; i++)
        if (s[i]->epoch == e && !s[i]->buf && !rt_kept(e, s[i]->node) && !add_output(c, s[i]->node))
            return false;
    if (!add_needed(c, e) || !add_border(c, e)) return false;
    qsort(c->evaluation->need.p, c->evaluation->need.n, sizeof *c->evaluation->need.p, ascending);
    return true;
}

bool rt_add_output(bz_context *c, const rt_epoch *e, ir_ref r) {
    if (!add_output(c, r) || !add_needed(c, e)) return false;
    qsort(c->evaluation->need.p, c->evaluation->need.n, sizeof *c->evaluation->need.p, ascending);
    return true;
}
