/* emit_move.c - movement: the same elements under other indices. Pad and concat depend on conditions:
 *
 *     concat(x, y)[i]  =  i < n ? x[i] : y[i - n]
 *
 * A condition is a branch where it can be one, for all the lanes together; the lanes of a vector on a border are masked. */
#include "src/passes/emit_parts.h"

#include <string.h>

/* ---- conditions on indices: lo <= e < hi as a guard */

static emit_value both(emitter *m, emit_value a, emit_value b) {
    emit_value r = {.uniform = a.uniform && b.uniform};
    for (unsigned u = 0; u < (r.uniform ? 1 : m->width); u++) {
        lp_val v[2] = {r.uniform ? a.v[0] : emit_lane_value(m, &a, u),
                       r.uniform ? b.v[0] : emit_lane_value(m, &b, u)};
        r.v[u] = lp_base(m->b, IR_AND, BZ_BOOL, v, 2);
    }
    return r;
}

typedef struct range { /* 0 <= e < size */
    ir_ex e;
    int64_t size;
} range;

/* The operand that a step leads to, where its index lies inside on all of these axes. */
typedef struct part {
    const access_step *s;
    uint32_t axes;
} part;

static emit_value guarded(emitter *m, part p, const emit_value *other);

static lp_val between(emitter *m, lp_val lo, lp_val v, lp_val hi) {
    lp_val ge = lp_base(m->b, IR_LE, BZ_BOOL, (lp_val[]){lo, v}, 2);
    lp_val lt = lp_base(m->b, IR_LT, BZ_BOOL, (lp_val[]){v, hi}, 2);
    return lp_base(m->b, IR_AND, BZ_BOOL, (lp_val[]){ge, lt}, 2);
}

/* Is it so, for each lane? */
static emit_value inside(emitter *m, range in) {
    emit_value r = {.uniform = !m->vec || !ir_ex_uses(m->x, in.e, m->vec)};
    for (unsigned u = 0; u < (r.uniform ? 1 : m->width); u++)
        r.v[u] = between(m, lp_index(m->b, 0),
                         r.uniform ? emit_index(m, in.e) : emit_index_lanes(m, in.e, u),
                         emit_size(m, in.size));
    return r;
}

/* `p` in the lanes where `cond` holds, `other` in the rest. Loads below are masked. */
static emit_value masked(emitter *m, emit_value cond, part p, const emit_value *other) {
    lp_val saved[EMIT_MAX_WIDTH];
    bool saved_uniform = m->guard_uniform;
    memcpy(saved, m->guard, sizeof saved);
    emit_value now = cond;
    if (m->guard[0]) {
        emit_value outer = {.uniform = m->guard_uniform};
        memcpy(outer.v, m->guard, sizeof outer.v);
        now = both(m, cond, outer);
    }
    memcpy(m->guard, now.v, sizeof saved);
    m->guard_uniform = now.uniform;
    emit_value x = guarded(m, p, other), out;
    memcpy(m->guard, saved, sizeof saved);
    m->guard_uniform = saved_uniform;
    out.uniform = cond.uniform && x.uniform && other->uniform;
    for (unsigned u = 0; u < (out.uniform ? 1 : m->width); u++) {
        lp_val v[3] = {cond.v[0], x.v[0], other->v[0]};
        if (!out.uniform) {
            v[0] = emit_lane_value(m, &cond, u);
            v[1] = emit_lane_value(m, &x, u);
            v[2] = emit_lane_value(m, other, u);
        }
        out.v[u] = lp_base(m->b, IR_SELECT, ir_dtype(m->g, p.s->x), v, 3);
    }
    return out;
}

/* What a branch gives: a scalar, or every bundle as a vector. */
static unsigned yields(emitter *m, const emit_value *v, bool uniform, lp_val *out) {
    unsigned n = uniform ? 1 : m->width;
    for (unsigned u = 0; u < n; u++) out[u] = uniform ? v->v[0] : emit_lane_value(m, v, u);
    return n;
}

/* if (cond) p else other: nothing is read in vain, and no lane asks for memory that is not there (which costs
 * hundreds of cycles, masked or not). */
static emit_value branched(emitter *m, lp_val cond, part p, const emit_value *other) {
    lp_val y[EMIT_MAX_WIDTH];
    emit_value out = {0};
    unsigned mark = emit_mark(m);
    lp_if(m->b, cond);
    emit_value x = guarded(m, p, other);
    emit_forget(m, mark);
    out.uniform = x.uniform && other->uniform;
    lp_else(m->b, y, yields(m, &x, out.uniform, y));
    lp_end(m->b, y, yields(m, other, out.uniform, y), out.v);
    return out;
}

/* The same along the vector symbol, where lane by lane the index grows by `step`: most vectors lie inside or outside as a whole, masks are for those on a border. */
static emit_value bordered(emitter *m, range in, int64_t step, part p, const emit_value *other) {
    lp_val y[EMIT_MAX_WIDTH];
    emit_value out = {0};
    int64_t all = ((int64_t)m->lanes * m->width - 1) * step + 1;
    lp_val first = emit_index(m, in.e), end = lp_iadd(m->b, first, lp_index(m->b, all));
    lp_val lo = lp_index(m->b, 0), hi = emit_size(m, in.size);
    lp_val from = lp_base(m->b, IR_LE, BZ_BOOL, (lp_val[]){lo, first}, 2);
    lp_val to = lp_base(m->b, IR_LE, BZ_BOOL, (lp_val[]){end, hi}, 2);
    unsigned mark = emit_mark(m);
    lp_if(m->b, lp_base(m->b, IR_AND, BZ_BOOL, (lp_val[]){from, to}, 2));
    emit_value x = guarded(m, p, other);
    emit_forget(m, mark);
    lp_else(m->b, y, yields(m, &x, false, y));
    lp_val before = lp_base(m->b, IR_LE, BZ_BOOL, (lp_val[]){end, lo}, 2);
    lp_val after = lp_base(m->b, IR_LE, BZ_BOOL, (lp_val[]){hi, first}, 2);
    lp_if(m->b, lp_base(m->b, IR_OR, BZ_BOOL, (lp_val[]){before, after}, 2));
    lp_else(m->b, y, yields(m, other, false, y));
    x = masked(m, inside(m, in), p, other);
    emit_forget(m, mark);
    lp_end(m->b, y, yields(m, &x, false, y), y);
    lp_end(m->b, y, m->width, out.v);
    return out;
}

/* Code grows with every branch inside a branch: few of them, then masks. */
enum { MAX_DEPTH = 3, MAX_BRANCHES = 64 };

/* `p` where its conditions hold, `other` elsewhere. */
static emit_value guarded(emitter *m, part p, const emit_value *other) {
    int64_t coef, shape[IR_MAX_RANK];
    ir_ex rest;
    if (!p.axes) return emit_node(m, p.s->x, p.s->at);
    const unsigned axis = (unsigned)__builtin_ctz(p.axes);
    access_shape(m->g, p.s->x, shape);
    const range in = {p.s->at[axis], shape[axis]};
    p.axes &= p.axes - 1;
    bool uniform = !m->vec || !ir_ex_uses(m->x, in.e, m->vec);
    bool dense =
        !uniform && m->lanes > 1 && ir_ex_linear(m->x, in.e, m->vec, &coef, &rest) && coef > 0;
    if ((!uniform && !dense) || m->depth == MAX_DEPTH || m->branches == MAX_BRANCHES)
        return masked(m, inside(m, in), p, other);
    m->depth++;
    m->branches++;
    emit_value out =
        uniform ? branched(m, inside(m, in).v[0], p, other) : bordered(m, in, coef, p, other);
    m->depth--;
    return out;
}

/* ---- windows */

lp_val emit_moved_by(emitter *m, ir_ex_key k) {
    unsigned mark = emit_mark(m); /* the region at hand may end before others ask */
    emit_value by = emit_node(m, k.who, NULL);
    emit_forget(m, mark);
    lp_val v = lp_base(m->b, IR_MAX, BZ_I64, (lp_val[]){by.v[0], lp_index(m->b, k.lo)}, 2);
    return lp_base(m->b, IR_MIN, BZ_I64, (lp_val[]){v, emit_size(m, k.hi)}, 2);
}

/* ---- movement */

emit_value emit_move(emitter *m, ir_ref r, const ir_ex *idx) {
    const ir_node n = *ir_at(m->g, r);
    emit_value out = {.uniform = true};
    access_step s;
    if (n.op == IR_PAD || n.op == IR_CONCAT)
        out.v[0] = lp_const(m->b, (bz_dtype)n.dtype,
                            n.op == IR_PAD ? (ir_bits)ir_attrs(m->g, &n)[0] : 0, 1);
    for (unsigned k = 0; k < n.nin; k++)
        if (access_take(m->g, m->x, r, idx, k, &s)) out = guarded(m, (part){&s, s.outside}, &out);
    return out;
}
