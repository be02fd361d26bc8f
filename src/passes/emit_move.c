/* emit_move.c - movement: the same elements under other indices. Pad and concat depend on conditions:
 *
 *     concat(x, y)[i]  =  i < n ? x[i] : y[i - n]
 *
 * A condition is a branch where it can be one, for all the lanes together; the lanes of a vector on a border are masked. */
#include "src/passes/emit_parts.h"

#include <string.h>

/* ---- conditions on indices: lo <= e < hi as a guard */

static bool always_inside(const emitter *m, ir_ex e, int64_t lo, int64_t hi) {
    const ir_ex_node *n = ir_ex_at(m->x, e);
    return n->lo >= lo && n->hi < hi;
}

static emit_value both(emitter *m, emit_value a, emit_value b) {
    emit_value r = {.uniform = a.uniform && b.uniform};
    for (unsigned u = 0; u < (r.uniform ? 1 : m->width); u++) {
        lp_val v[2] = {r.uniform ? a.v[0] : emit_lane_value(m, &a, u),
                       r.uniform ? b.v[0] : emit_lane_value(m, &b, u)};
        r.v[u] = lp_base(m->b, IR_AND, BZ_BOOL, v, 2);
    }
    return r;
}

typedef struct range { /* lo <= e < hi */
    ir_ex e;
    int64_t lo, hi;
} range;

/* The value of r at idx, where all conditions hold. */
typedef struct part {
    ir_ref r;
    const ir_ex *idx;
    const range *in;
    unsigned n;
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
        r.v[u] = between(m, lp_index(m->b, in.lo),
                         r.uniform ? emit_index(m, in.e) : emit_index_lanes(m, in.e, u),
                         lp_index(m->b, in.hi));
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
        out.v[u] = lp_base(m->b, IR_SELECT, ir_dtype(m->g, p.r), v, 3);
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

/* The same along the vector symbol: most vectors lie inside or outside as a whole, masks are for those on a border. */
static emit_value bordered(emitter *m, range in, part p, const emit_value *other) {
    lp_val y[EMIT_MAX_WIDTH];
    emit_value out = {0};
    int64_t all = (int64_t)m->lanes * m->width;
    lp_val first = emit_index(m, in.e), end = lp_iadd(m->b, first, lp_index(m->b, all));
    lp_val lo = lp_index(m->b, in.lo), hi = lp_index(m->b, in.hi);
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
    int64_t coef;
    ir_ex rest;
    while (p.n && always_inside(m, p.in->e, p.in->lo, p.in->hi)) p.in++, p.n--;
    if (!p.n) return emit_node(m, p.r, p.idx);
    range in = *p.in++;
    p.n--;
    if (!m->b) {
        if (!bz_vec_push(&m->seen, in.e)) emit_fail(m);
        m->depth++;
        emit_value x = guarded(m, p, other);
        m->depth--;
        return x;
    }
    bool uniform = !m->vec || !ir_ex_uses(m->x, in.e, m->vec);
    bool dense =
        !uniform && m->lanes > 1 && ir_ex_linear(m->x, in.e, m->vec, &coef, &rest) && coef == 1;
    if ((!uniform && !dense) || m->depth == MAX_DEPTH || m->branches == MAX_BRANCHES)
        return masked(m, inside(m, in), p, other);
    m->depth++;
    m->branches++;
    emit_value out =
        uniform ? branched(m, inside(m, in).v[0], p, other) : bordered(m, in, p, other);
    m->depth--;
    return out;
}

/* ---- windows */

/* What moves the window: the same symbol wherever the same number moves windows that have the same room. 0: nothing does. */
static ir_ex moving_sym(const ir_graph *g, ir_exprs *x, ir_ref r) {
    ir_ref at = ir_window_at(g, r);
    int64_t lo, hi;
    if (!at || !ir_window_room(g, r, &lo, &hi)) return 0;
    for (uint32_t i = x->keys.n; i-- > 0;) {
        const ir_ex_key *k = &x->keys.p[i];
        if (k->who == at && k->lo == lo && k->hi == hi) return k->sym;
    }
    ir_ex sym = ir_ex_sym(x, NULL, lo, hi);
    if (!bz_vec_push(&x->keys, ((ir_ex_key){at, sym, lo, hi}))) x->failed = true;
    return sym;
}

ir_ex emit_window_offset(const ir_graph *g, ir_exprs *x, ir_ref r, const ir_ex *idx) {
    int64_t shape[IR_MAX_RANK], strides[IR_MAX_RANK];
    ir_strided w = ir_window_of(g, r, shape, strides);
    ir_ex flat = ir_ex_const(x, w.offset), sym = moving_sym(g, x, r);
    if (sym) flat = ir_ex_add(x, flat, sym);
    for (unsigned d = 0; d < w.rank; d++)
        flat = ir_ex_add(x, flat, ir_ex_mulc(x, idx[d], strides[d]));
    return flat;
}

void emit_moves(emitter *m, ir_ref r) {
    ir_ex sym = moving_sym(m->g, m->x, r);
    for (uint32_t i = 0; i < m->moving.n; i++)
        if (m->moving.p[i].sym == sym) return;
    if (sym && !bz_vec_push(&m->moving, ((emit_moving){sym, r}))) emit_fail(m);
}

lp_val emit_moved_by(emitter *m, ir_ref window) {
    int64_t lo, hi;
    ir_window_room(m->g, window, &lo, &hi);
    unsigned mark = emit_mark(m); /* the region at hand may end before others ask */
    emit_value by = emit_node(m, ir_window_at(m->g, window), NULL);
    emit_forget(m, mark);
    lp_val v = lp_base(m->b, IR_MAX, BZ_I64, (lp_val[]){by.v[0], lp_index(m->b, lo)}, 2);
    return lp_base(m->b, IR_MIN, BZ_I64, (lp_val[]){v, lp_index(m->b, hi)}, 2);
}

/* ---- movement */

bool emit_move_index(const ir_graph *g, ir_exprs *x, ir_ref r, const ir_ex *idx, ir_ex *at) {
    const ir_node n = *ir_at(g, r);
    const int64_t *a = ir_attrs(g, &n);
    int64_t shape[IR_MAX_RANK], axes[IR_MAX_RANK], own[IR_MAX_RANK];
    if (!ir_op_is_movement(n.op) || n.op == IR_PAD || n.op == IR_CONCAT) return false;
    ir_ref from = ir_in(g, &n)[0];
    unsigned rank = ir_at(g, from)->rank;
    emit_shape(g, from, shape);
    emit_shape(g, r, own); /* on an axis of one element a stride may be any number: nothing steps */
    for (unsigned d = 0; d < rank; d++) axes[d] = d;
    switch (n.op) {
    case IR_RESHAPE:
        emit_delinearize(x, emit_offset_in(g, x, r, idx), shape, axes, rank, at);
        return true;
    case IR_PERMUTE:
        for (unsigned d = 0; d < n.rank; d++) at[a[d]] = idx[d];
        return true;
    case IR_EXPAND:
        for (unsigned d = 0; d < n.rank; d++) at[d] = shape[d] == 1 ? ir_ex_const(x, 0) : idx[d];
        return true;
    case IR_SLICE:
        for (unsigned d = 0; d < n.rank; d++)
            at[d] = ir_ex_addc(x, ir_ex_mulc(x, idx[d], own[d] > 1 ? a[2 * d + 1] : 0), a[2 * d]);
        return true;
    default: /* AS_STRIDED */
        emit_delinearize(x, emit_window_offset(g, x, r, idx), shape, axes, rank, at);
        return true;
    }
}

static emit_value pad(emitter *m, ir_ref r, const ir_ex *idx) {
    const ir_node n = *ir_at(m->g, r);
    const int64_t *a = ir_attrs(m->g, &n);
    ir_ref x = ir_in(m->g, &n)[0];
    int64_t shape[IR_MAX_RANK];
    ir_ex at[IR_MAX_RANK];
    range in[IR_MAX_RANK];
    emit_value other = {.uniform = true};
    emit_shape(m->g, x, shape);
    for (unsigned d = 0; d < n.rank; d++) {
        at[d] = ir_ex_addc(m->x, idx[d], -a[1 + 2 * d]);
        in[d] = (range){at[d], 0, shape[d]};
    }
    if (m->b) other.v[0] = lp_const(m->b, (bz_dtype)n.dtype, (ir_bits)a[0], 1);
    return guarded(m, (part){x, at, in, n.rank}, &other);
}

/* Notes where idx, a symbol and a number, leads from one part into another. */
static void note_border(emitter *m, ir_ex idx, int64_t at) {
    const ir_ex_node n = *ir_ex_at(m->x, idx);
    int64_t shift = 0;
    ir_ex sym = n.kind == EX_ADD && ir_ex_is_const(m->x, n.b, &shift) ? n.a : idx;
    if (ir_ex_at(m->x, sym)->kind != EX_SYM) return;
    if (!bz_vec_push(&m->borders, ((emit_border){sym, at - shift}))) emit_fail(m);
}

static emit_value concat(emitter *m, ir_ref r, const ir_ex *idx) {
    const ir_node n = *ir_at(m->g, r);
    const unsigned axis = (unsigned)ir_attrs(m->g, &n)[0];
    int64_t shape[IR_MAX_RANK], from = 0;
    ir_ex at[IR_MAX_RANK];
    emit_value out = {.uniform = true};
    if (m->b) out.v[0] = lp_const(m->b, (bz_dtype)n.dtype, 0, 1);
    memcpy(at, idx, n.rank * sizeof *at);
    for (unsigned i = 0; i < n.nin; i++) {
        ir_ref x = ir_in(m->g, &n)[i];
        emit_shape(m->g, x, shape);
        const ir_ex_node here = *ir_ex_at(m->x, idx[axis]); /* the table moves when it grows */
        at[axis] = ir_ex_addc(m->x, idx[axis], -from);
        from += shape[axis];
        if (shape[axis] == 0 || here.lo >= from || here.hi < from - shape[axis]) continue;
        if (!m->b && here.hi >= from) note_border(m, idx[axis], from);
        range in = {at[axis], 0, shape[axis]};
        out = guarded(m, (part){x, at, &in, 1}, &out);
    }
    return out;
}

emit_value emit_move(emitter *m, ir_ref r, const ir_ex *idx) {
    unsigned op = ir_at(m->g, r)->op;
    ir_ex at[IR_MAX_RANK];
    if (op == IR_PAD) return pad(m, r, idx);
    if (op == IR_CONCAT) return concat(m, r, idx);
    if (op == IR_AS_STRIDED) emit_moves(m, r);
    emit_move_index(m->g, m->x, r, idx, at);
    return emit_node(m, ir_operand(m->g, r, 0), at);
}
