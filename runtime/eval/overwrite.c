/* overwrite.c - in whose memory an evaluation may write.
 *
 *      x: n1 --update--> n2 --update--> n3         n3 is computed now, n1 has memory that nobody holds but the recording:
 *      n1's memory <----- written -----'           n3 gets it, and n1 has no value any more
 *
 * That is right if nothing that is still to be computed reads n1, gradients included:
 *
 *   - no tensor without a value is made of n1, other than by what is computed now;
 *   - n1 can be computed again (a gradient that wants it has it so), or else is `fixed` (an input, or what was written over one),
 *     and then the recording ends here, or nothing is made of n1 but what leads to n3 by ops whose gradients need no values. Small
 *     values that they do need (of x[i] *= y: the old x[i]) are kept, and fixed.
 *
 * Where it is not right, the update copies; its result can be computed again, and the next one writes there. */
#include "runtime/eval/marks.h"

#include <stdlib.h>

enum { FAR = 1 << 14 }; /* nodes of a recording that are looked at for one write */
/* bytes of parts that a recording keeps for gradients */
static const size_t stay_most = (size_t)16 << 20;

static int ascending(const void *a, const void *b) {
    ir_ref x = *(const ir_ref *)a, y = *(const ir_ref *)b;
    return (x > y) - (x < y);
}

bool rt_is_fixed(const rt_epoch *e, ir_ref r) {
    return e->fixed.n && bsearch(&r, e->fixed.p, e->fixed.n, sizeof r, ascending);
}

static bool fix(rt_epoch *e, ir_ref r) {
    if (!bz_vec_push(&e->fixed, r)) return false;
    for (uint32_t i = e->fixed.n - 1; i > 0 && e->fixed.p[i - 1] > r; i--) {
        e->fixed.p[i] = e->fixed.p[i - 1];
        e->fixed.p[i - 1] = r;
    }
    return true;
}

const rt_gift *rt_gift_to(const bz_context *c, ir_ref r) {
    for (uint32_t i = 0; i < c->gifts->v.n; i++)
        if (c->gifts->v.p[i].to == r) return &c->gifts->v.p[i];
    return NULL;
}

/* ---- may it? */

static bool has_value(const rt_epoch *e, ir_ref r) {
    return rt_kept(e, r) || ir_at(e->g, r)->op == IR_INPUT;
}

/* The value that `out` is updates of; 0: none, or one that is computed now. */
static ir_ref updated_value(const bz_context *c, const rt_epoch *e, ir_ref out) {
    ir_ref r = out;
    if (ir_at(e->g, r)->op != IR_UPDATE) return 0;
    while (!has_value(e, r)) {
        unsigned op = ir_at(e->g, r)->op;
        if ((op != IR_UPDATE && op != IR_RESHAPE) || (r != out && rt_marks(c, r) & OUTPUT))
            return 0;
        r = ir_operand(e->g, r, 0);
    }
    return ir_same_shape(e->g, r, out) && ir_dtype(e->g, r) == ir_dtype(e->g, out) ? r : 0;
}

static rt_buffer *memory_of(const rt_epoch *e, ir_ref q) {
    rt_buffer *b = rt_kept(e, q);
    if (!b) b = e->args.p[ir_attrs(e->g, ir_at(e->g, q))[0]].buf;
    return b && b->refs == 1 && !b->owner && !b->foreign && !b->read_only ? b : NULL;
}

/* Marks, in c->gifts->marks, what is computed now and made of q. */
static bool mark_made_of(bz_context *c, const rt_epoch *e, ir_ref q) {
    if (!bz_vec_reserve(&c->gifts->marks, e->g->n.n)) return false;
    for (uint32_t i = 0; i < c->evaluation->need.n; i++) {
        ir_ref r = c->evaluation->need.p[i];
        const ir_node *n = ir_at(e->g, r);
        c->gifts->marks.p[r] = r == q;
        for (unsigned k = 0; k < n->nin && !has_value(e, r); k++)
            c->gifts->marks.p[r] |= c->gifts->marks.p[ir_in(e->g, n)[k]];
    }
    return true;
}

/* Does a tensor that gets no value now need q, other than by what is computed on the way? */
static bool is_needed_later(const bz_context *c, const rt_epoch *e, ir_ref q) {
    if (rt_marks(c, q) & LATER) return true;
    for (uint32_t i = 0; i < c->evaluation->later.n; i++) {
        const ir_node *n = ir_at(e->g, c->evaluation->later.p[i]);
        for (unsigned k = 0; k < n->nin && !has_value(e, c->evaluation->later.p[i]); k++)
            if (ir_in(e->g, n)[k] == q) return true;
    }
    return false;
}

static size_t bytes_of(const rt_epoch *e, ir_ref r) {
    int64_t n = 0;
    ir_numel(e->g, r, &n);
    return (size_t)n * ir_dtype_bytes(ir_dtype(e->g, r));
}

/* Tensors whose values are made of q on the way, and would be computed again when somebody asks, get them now, if they are small
 * beside it. False: they do not. */
static bool store_on_the_way(bz_context *c, const rt_epoch *e, ir_ref q) {
    size_t bytes = 0;
    bool marked = false;
    c->gifts->stay.n = 0;
    for (const rt_storage *s = e->pending; s; s = s->next) {
        unsigned m = rt_marks(c, s->node);
        if (!(m & NEED) || m & OUTPUT) continue;
        if (!marked && !mark_made_of(c, e, q)) return false;
        marked = true;
        if (!c->gifts->marks.p[s->node]) continue;
        bytes += bytes_of(e, s->node);
        if (bytes > bytes_of(e, q) / 2 || !bz_vec_push(&c->gifts->stay, s->node)) return false;
    }
    for (uint32_t i = 0; i < c->gifts->stay.n; i++)
        if (!rt_add_output(c, e, c->gifts->stay.p[i])) return false;
    return true;
}

static bool can_fail(const rt_epoch *e, ir_ref r) {
    ir_op op = (ir_op)ir_at(e->g, r)->op;
    return !has_value(e, r) && (op == IR_GATHER || op == IR_SCATTER || ir_op_is_tuple(op));
}

/* Can the evaluation fail after it has begun to write where q lies? Not where `out` is made in one step, of what may fail and nothing
 * else does: kernels before it are looked at before it writes. */
static bool may_fail(bz_context *c, const rt_epoch *e, ir_ref q, ir_ref out) {
    unsigned steps = 0;
    if (!bz_vec_reserve(&c->gifts->marks, e->g->n.n)) return true;
    for (uint32_t i = 0; i < c->evaluation->need.n; i++)
        c->gifts->marks.p[c->evaluation->need.p[i]] = false;
    c->gifts->marks.p[out] = true;
    for (uint32_t i = c->evaluation->need.n; i-- > 0;) {
        ir_ref r = c->evaluation->need.p[i];
        const ir_node *n = ir_at(e->g, r);
        if (can_fail(e, r) && !c->gifts->marks.p[r]) return true;
        steps += can_fail(e, r);
        for (unsigned k = 0; k < n->nin && c->gifts->marks.p[r] && !has_value(e, r); k++)
            c->gifts->marks.p[ir_in(e->g, n)[k]] = true;
    }
    ir_ref base = ir_operand(e->g, out, 0);
    while (base != q && ir_at(e->g, base)->op == IR_RESHAPE) base = ir_operand(e->g, base, 0);
    return steps && base != q;
}

/* Its gradient is made of the gradient of its result alone. */
static bool is_linear(const ir_graph *g, const ir_node *n) {
    bool sum = n->op == IR_REDUCE && ir_reduce_get(g, n).kind == IR_SUM;
    return ir_op_is_movement(n->op) || n->op == IR_UPDATE || n->op == IR_ADD || n->op == IR_SUB ||
           n->op == IR_NEG || n->op == IR_CAST || sum;
}

/* Is x a part of q, moved? */
static bool is_part(const rt_epoch *e, ir_ref x, ir_ref q) {
    while (x > q && ir_op_is_movement(ir_at(e->g, x)->op) && !has_value(e, x))
        x = ir_operand(e->g, x, 0);
    return x == q;
}

/* A gradient may ask for x, which is made of q: its value is there, or made now, or costs a copy, and is small; it stays. */
static bool can_stay(bz_context *c, rt_epoch *e, ir_ref q, ir_ref x) {
    bool here = rt_kept(e, x) || rt_marks(c, x) & NEED || is_part(e, x, q);
    if (x == q || !here || bytes_of(e, x) > bytes_of(e, q) / 2 ||
        ir_at(e->g, x)->flags & IR_IS_TUPLE)
        return false;
    return bz_vec_push(&c->gifts->stay, x);
}

/* Is nothing made of q but what leads to `out`? What gradients ask for on the way is listed in c->gifts->stay. */
static bool leads_there_alone(bz_context *c, rt_epoch *e, ir_ref q, ir_ref out) {
    const ir_graph *g = e->g;
    c->gifts->stay.n = 0;
    if (g->n.n - q > FAR || !bz_vec_reserve(&c->gifts->marks, g->n.n)) return false;
    c->gifts->marks.p[q] = true;
    for (ir_ref r = q + 1; r < g->n.n; r++) {
        const ir_node *n = ir_at(g, r);
        bool made = false, linear = is_linear(g, n);
        for (unsigned k = 0; k < n->nin; k++) {
            ir_ref x = ir_in(g, n)[k];
            bool of = x >= q && c->gifts->marks.p[x];
            if (of && !linear && !can_stay(c, e, q, x)) return false;
            made |= of && linear;
        }
        bool there = made && r != out && (rt_kept(e, r) || rt_marks(c, r) & OUTPUT);
        if (there && !can_stay(c, e, q, r)) return false;
        c->gifts->marks.p[r] = made && r != out && !there;
    }
    return true;
}

/* What is listed gets, or has, a value that is not let go. */
static bool keep_those(bz_context *c, rt_epoch *e) {
    size_t bytes = e->fixed_bytes;
    for (uint32_t i = 0; i < c->gifts->stay.n; i++) bytes += bytes_of(e, c->gifts->stay.p[i]);
    if (bytes > stay_most) return false;
    e->fixed_bytes = bytes;
    for (uint32_t i = 0; i < c->gifts->stay.n; i++) {
        ir_ref r = c->gifts->stay.p[i];
        if (rt_is_fixed(e, r)) continue;
        if (!fix(e, r) || (!rt_kept(e, r) && !rt_add_output(c, e, r))) return false;
    }
    return true;
}

bool rt_choose_gifts(bz_context *c, rt_epoch *e, bool last) {
    for (uint32_t i = 0; i < c->evaluation->outs.n && e->writes; i++) {
        ir_ref out = c->evaluation->outs.p[i], q = updated_value(c, e, out);
        rt_buffer *b = q ? memory_of(e, q) : NULL;
        if (!b || is_needed_later(c, e, q)) continue;
        for (uint32_t k = 0; k < c->gifts->v.n; k++)
            if (c->gifts->v.p[k].from == q) b = NULL;
        bool fixed = !rt_kept(e, q) || rt_is_fixed(e, q);
        if (!b || (fixed && may_fail(c, e, q, out)) || !store_on_the_way(c, e, q)) continue;
        if (fixed && !last && !(leads_there_alone(c, e, q, out) && keep_those(c, e))) continue;
        if (!bz_vec_push(&c->gifts->v, ((rt_gift){q, out, b}))) return false;
    }
    return true;
}

bool rt_gifts_are_taken(bz_context *c, rt_epoch *e, bool done) {
    bool ok = true;
    for (uint32_t i = 0; i < c->gifts->v.n; i++) {
        const rt_gift *gift = &c->gifts->v.p[i];
        bool kept = rt_kept(e, gift->from), fixed = !kept || rt_is_fixed(e, gift->from);
        if (!done && fixed) continue; /* it did not begin to write */
        rt_buffer **home = kept ? &e->kept.p[gift->from]
                                : &e->args.p[ir_attrs(e->g, ir_at(e->g, gift->from))[0]].buf;
        if (kept) e->nkept--, e->kept_bytes -= gift->b->bytes;
        gift->b->epoch = 0; /* no input of the recording stands for it */
        rt_buffer_unref(c, *home);
        *home = NULL;
        if (fixed) ok &= fix(e, gift->to);
    }
    c->gifts->v.n = 0;
    return ok;
}

void rt_gifts_free(rt_gifts *g) {
    bz_vec_free(&g->v);
    bz_vec_free(&g->stay);
    bz_vec_free(&g->marks);
}
