/* emit.c - the value of any node at any index, as kernel-loop instructions (the idea of XLA's elemental emitter).
 *
 *     emit_node(add, [i, j])  ->  emit_node(x, [i, j]), emit_node(expand b, [i, j]) -> emit_node(b, [0, j]) -> load
 *
 * Movement costs nothing: it rewrites the index. What an index turns into is decided at the loads: constant along the vector
 * symbol: a scalar; step 1: a vector; anything else: a gather. */
#include "src/passes/lower.h"
#include "src/ir/loops/value_emit.h"

#include <string.h>

void emit_init(emitter *m, const ir_graph *g, ir_exprs *x, emit_bind *bind) {
    *m = (emitter){.g = g, .x = x, .bind = bind, .lanes = 1, .width = 1, .guard_uniform = true};
}

void emit_free(emitter *m) {
    bz_vec_free(&m->seen);
    bz_vec_free(&m->memo);
    bz_vec_free(&m->memo_idx);
}

void emit_fail(emitter *m) {
    m->failed = true;
    if (m->b) lp_give_up(m->b);
}

void emit_resume(emitter *m, lp_builder *b) {
    m->b = b;
    if (m->failed) emit_fail(m);
}

void emit_sym(emitter *m, ir_ex sym, lp_val value) {
    unsigned i = 0;
    while (i < m->nsyms && m->syms[i].sym != sym) i++;
    bz_assert(i < EMIT_MAX_SYMS);
    m->syms[i].sym = sym;
    m->syms[i].value = value;
    m->nsyms = i == m->nsyms ? i + 1 : m->nsyms;
}

void emit_vector(emitter *m, ir_ex sym, lp_val base, unsigned lanes, unsigned width, lp_val tail) {
    bz_assert(width <= EMIT_MAX_WIDTH && (!tail || width == 1) && (lanes > 1 || width == 1));
    emit_sym(m, sym, base);
    m->vec = sym;
    m->lanes = lanes;
    m->width = width;
    m->tail = tail;
}

void emit_scalar(emitter *m) {
    m->vec = 0;
    m->lanes = m->width = 1;
    m->tail = 0;
}

unsigned emit_mark(const emitter *m) {
    return m->memo.n;
}

void emit_forget(emitter *m, unsigned mark) {
    while (m->memo.n > mark) {
        const emit_memo *e = &m->memo.p[--m->memo.n];
        m->recent[e->chain] = e->before;
        m->memo_idx.n = e->idx;
    }
}

/* ---- indices */

static lp_val sym_value(const emitter *m, ir_ex sym) {
    for (unsigned i = 0; i < m->nsyms; i++)
        if (m->syms[i].sym == sym) return m->syms[i].value;
    bz_bug("an index symbol has no value");
}

static const ir_op ex_ops[] = {[EX_ADD] = IR_ADD,  [EX_MUL] = IR_MUL, [EX_DIV] = IR_IDIV,
                               [EX_MOD] = IR_IMOD, [EX_MIN] = IR_MIN, [EX_MAX] = IR_MAX};

/* Memory ran out among the expressions: they are not what they seem. */
static bool lost_indices(emitter *m) {
    if (m->x->failed) emit_fail(m);
    return m->x->failed;
}

lp_val emit_index(emitter *m, ir_ex e) {
    if (lost_indices(m)) return 0;
    const ir_ex_node n = *ir_ex_at(m->x, e);
    if (n.kind == EX_NONE) { /* memory ran out while it was made */
        m->failed = true;
        return lp_index(m->b, 0);
    }
    if (n.kind == EX_CONST) return lp_index(m->b, n.value);
    if (n.kind == EX_SYM) return sym_value(m, e);
    lp_val v[2] = {emit_index(m, n.a), emit_index(m, n.b)};
    return lp_base(m->b, ex_ops[n.kind], BZ_I64, v, 2);
}

/* The expression in every lane of bundle u. */
static lp_val index_lanes(emitter *m, ir_ex e, unsigned u) {
    int64_t coef;
    ir_ex rest;
    if (lost_indices(m)) return 0;
    if (m->lanes == 1 || !m->vec || !ir_ex_uses(m->x, e, m->vec))
        return lp_splat(m->b, emit_index(m, e), m->lanes);
    if (ir_ex_linear(m->x, e, m->vec, &coef, &rest)) {
        lp_val base =
            lp_iadd(m->b, emit_index(m, e), lp_index(m->b, coef * (int64_t)(u * m->lanes)));
        lp_val lane = lp_laneid(m->b, BZ_I64, m->lanes);
        lp_val step[2] = {lane, lp_const(m->b, BZ_I64, (ir_bits)coef, m->lanes)};
        lp_val sum[2] = {coef == 1 ? lane : lp_base(m->b, IR_MUL, BZ_I64, step, 2),
                         lp_splat(m->b, base, m->lanes)};
        return lp_base(m->b, IR_ADD, BZ_I64, sum, 2);
    }
    const ir_ex_node n = *ir_ex_at(m->x, e);
    lp_val v[2] = {index_lanes(m, n.a, u), index_lanes(m, n.b, u)};
    return lp_base(m->b, ex_ops[n.kind], BZ_I64, v, 2);
}

static void shape_of(const ir_graph *g, ir_ref r, int64_t *shape) {
    if (!ir_static_shape(g, r, shape)) bz_bug("lowering a symbolic shape");
}

static ir_ex offset_in(const ir_graph *g, ir_exprs *x, ir_ref r, const ir_ex *idx) {
    int64_t shape[IR_MAX_RANK];
    ir_ex sum = ir_ex_const(x, 0);
    shape_of(g, r, shape);
    for (unsigned d = 0; d < ir_at(g, r)->rank; d++)
        sum = ir_ex_add(x, ir_ex_mulc(x, sum, shape[d]), idx[d]);
    return sum;
}

ir_ex emit_offset(emitter *m, ir_ref r, const ir_ex *idx) {
    return offset_in(m->g, m->x, r, idx);
}

void emit_delinearize(ir_exprs *x, ir_ex number, const int64_t *shape, const int64_t *axes,
                      unsigned n, ir_ex *idx) {
    for (unsigned i = n; i-- > 0;) {
        int64_t size = shape[axes[i]] > 0 ? shape[axes[i]] : 1;
        ir_ex s = ir_ex_const(x, size);
        idx[axes[i]] = i == 0 ? number : ir_ex_mod(x, number, s);
        number = ir_ex_div(x, number, s);
    }
}

/* ---- values */

static emit_value uniform(lp_val v) {
    return (emit_value){.uniform = true, .v = {v}};
}

lp_val emit_lane_value(emitter *m, const emit_value *v, unsigned u) {
    return v->uniform ? lp_splat(m->b, v->v[0], m->lanes) : v->v[u];
}

/* Mask under which the lanes of bundle u may touch memory; 0 = all. */
static lp_val load_mask(emitter *m, unsigned u) {
    lp_val guard = m->guard[m->guard_uniform ? 0 : u];
    if (guard && m->guard_uniform) guard = lp_splat(m->b, guard, m->lanes);
    if (!guard || !m->tail) return guard ? guard : m->tail;
    return lp_base(m->b, IR_AND, BZ_BOOL, (lp_val[]){guard, m->tail}, 2);
}

/* The same for a scalar load: does any lane want it? The tail always has one. */
static lp_val scalar_mask(emitter *m) {
    if (!m->guard[0] || m->guard_uniform) return m->guard[0];
    lp_val any = 0;
    for (unsigned u = 0; u < m->width; u++) {
        lp_val one = lp_any(m->b, m->guard[u]);
        any = any ? lp_base(m->b, IR_OR, BZ_BOOL, (lp_val[]){any, one}, 2) : one;
    }
    return any;
}

/* Asks for the lines of memory that the vectors at `base` need when the loop over `ahead_sym` has come so far. */
static void ask_ahead(emitter *m, lp_val p, ir_ex offset, lp_val base) {
    enum { LINE = 64 };
    size_t bytes = ir_dtype_bytes((bz_dtype)lp_at(m->b, p)->dtype) * m->lanes;
    int64_t coef;
    ir_ex rest;
    if (p != m->ahead || !m->ahead_sym || m->tail || bytes * m->width < LINE / 2 ||
        !ir_ex_linear(m->x, offset, m->ahead_sym, &coef, &rest) || coef == 0)
        return;
    for (unsigned u = 0; u < m->width; u++)
        if (u * bytes % LINE == 0)
            lp_prefetch(m->b, p,
                        lp_iadd(m->b, base, lp_index(m->b, u * m->lanes + coef * m->ahead_by)),
                        false);
}

static emit_value load(emitter *m, lp_val p, ir_ex offset) {
    int64_t coef;
    ir_ex rest;
    emit_value r = {0};
    if (!m->b) {
        if (!bz_vec_push(&m->seen, offset)) emit_fail(m);
        return r;
    }
    if (!m->vec || !ir_ex_uses(m->x, offset, m->vec))
        return uniform(lp_load(m->b, p, emit_index(m, offset), 1, scalar_mask(m), 0));
    if (ir_ex_linear(m->x, offset, m->vec, &coef, &rest) && coef == 1) {
        lp_val base = emit_index(m, offset);
        unsigned flags = p == m->ahead && !m->ahead_sym ? LP_STREAM : 0;
        for (unsigned u = 0; u < m->width; u++)
            r.v[u] = lp_load(m->b, p, lp_iadd(m->b, base, lp_index(m->b, u * m->lanes)), m->lanes,
                             load_mask(m, u), flags);
        ask_ahead(m, p, offset, base);
        return r;
    }
    for (unsigned u = 0; u < m->width; u++) {
        lp_val at = index_lanes(m, offset, u), mask = load_mask(m, u);
        r.v[u] = m->lanes == 1 ? lp_load(m->b, p, at, 1, mask, 0) : lp_gather(m->b, p, at, mask);
    }
    return r;
}

void emit_store(emitter *m, ir_ref r, lp_val p, const ir_ex *idx, const emit_value *v,
                unsigned flags) {
    int64_t coef;
    ir_ex rest, offset = emit_offset(m, r, idx);
    if (!m->vec || !ir_ex_uses(m->x, offset, m->vec)) {
        lp_store(m->b, p, emit_index(m, offset), v->v[0], 0, 0);
        return;
    }
    bool dense = ir_ex_linear(m->x, offset, m->vec, &coef, &rest) && coef == 1;
    lp_val base = emit_index(m, offset);
    for (unsigned u = 0; u < m->width; u++) {
        lp_val x = emit_lane_value(m, v, u);
        if (dense)
            lp_store(m->b, p, lp_iadd(m->b, base, lp_index(m->b, u * m->lanes)), x, m->tail,
                     m->tail ? 0 : flags);
        else if (m->lanes == 1)
            lp_store(m->b, p, base, x, m->tail, 0);
        else
            lp_scatter(m->b, p, index_lanes(m, offset, u), x, m->tail);
    }
}

lp_val emit_cast(lp_builder *b, bz_dtype to, bz_dtype from, lp_val x) {
    const lp_val *v[3] = {&x};
    lp_val r = x;
    if (to != from) lp_value(b, IR_CAST, to, v, 1, 1, &r);
    return r;
}

/* After a failure nothing is right any more, but the kernel's authors go on to the end: something of the right dtype. */
static emit_value anything(emitter *m, ir_ref r) {
    return uniform(m->b ? lp_const(m->b, ir_dtype(m->g, r), 0, 1) : 0);
}

static emit_value elementwise(emitter *m, ir_ref r, const ir_ex *idx) {
    const ir_node n = *ir_at(m->g, r);
    emit_value x[3], out = {.uniform = true};
    const lp_val *v[3] = {0};
    for (unsigned i = 0; i < n.nin; i++) {
        x[i] = emit_node(m, ir_in(m->g, &n)[i], idx);
        out.uniform &= x[i].uniform;
    }
    if (!m->b || m->failed) return m->b ? anything(m, r) : out;
    unsigned width = out.uniform ? 1 : m->width;
    for (unsigned i = 0; i < n.nin; i++) {
        for (unsigned u = 1; x[i].uniform && u < width; u++) x[i].v[u] = x[i].v[0];
        v[i] = x[i].v;
    }
    lp_set_site(m->b, r);
    lp_value(m->b, (ir_op)n.op, (bz_dtype)n.dtype, v, n.nin, width, out.v);
    return out;
}

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

/* Is lo <= e < hi? v[0] == 0 when that is always so. */
static emit_value inside(emitter *m, ir_ex e, int64_t lo, int64_t hi) {
    emit_value r = {.uniform = true};
    if (always_inside(m, e, lo, hi)) return r;
    if (!m->b) {
        if (!bz_vec_push(&m->seen, e)) emit_fail(m);
        return r;
    }
    r.uniform = !m->vec || !ir_ex_uses(m->x, e, m->vec);
    for (unsigned u = 0; u < (r.uniform ? 1 : m->width); u++) {
        lp_val v = r.uniform ? emit_index(m, e) : index_lanes(m, e, u);
        lp_val ge = lp_base(m->b, IR_LE, BZ_BOOL, (lp_val[]){lp_index(m->b, lo), v}, 2);
        lp_val lt = lp_base(m->b, IR_LT, BZ_BOOL, (lp_val[]){v, lp_index(m->b, hi)}, 2);
        r.v[u] = lp_base(m->b, IR_AND, BZ_BOOL, (lp_val[]){ge, lt}, 2);
    }
    return r;
}

/* The value of `r` at idx where `cond` holds (v[0] == 0: everywhere), `other` elsewhere. Loads below are guarded. */
static emit_value guarded(emitter *m, emit_value cond, ir_ref r, const ir_ex *idx,
                          const emit_value *other) {
    if (!m->b || !cond.v[0]) return emit_node(m, r, idx);
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
    emit_value x = emit_node(m, r, idx), out;
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
        out.v[u] = lp_base(m->b, IR_SELECT, ir_dtype(m->g, r), v, 3);
    }
    return out;
}

/* ---- movement */

bool emit_move_index(const ir_graph *g, ir_exprs *x, ir_ref r, const ir_ex *idx, ir_ex *at) {
    const ir_node n = *ir_at(g, r);
    const int64_t *a = ir_attrs(g, &n);
    int64_t shape[IR_MAX_RANK], axes[IR_MAX_RANK];
    if (!ir_op_is_movement(n.op) || n.op == IR_PAD || n.op == IR_CONCAT) return false;
    ir_ref from = ir_in(g, &n)[0];
    unsigned rank = ir_at(g, from)->rank;
    shape_of(g, from, shape);
    for (unsigned d = 0; d < rank; d++) axes[d] = d;
    ir_ex flat = ir_ex_const(x, n.op == IR_AS_STRIDED ? a[0] : 0);
    switch (n.op) {
    case IR_RESHAPE:
        emit_delinearize(x, offset_in(g, x, r, idx), shape, axes, rank, at);
        return true;
    case IR_PERMUTE:
        for (unsigned d = 0; d < n.rank; d++) at[a[d]] = idx[d];
        return true;
    case IR_EXPAND:
        for (unsigned d = 0; d < n.rank; d++) at[d] = shape[d] == 1 ? ir_ex_const(x, 0) : idx[d];
        return true;
    case IR_SLICE:
        for (unsigned d = 0; d < n.rank; d++)
            at[d] = ir_ex_addc(x, ir_ex_mulc(x, idx[d], a[2 * d + 1]), a[2 * d]);
        return true;
    default: /* AS_STRIDED */
        for (unsigned d = 0; d < n.rank; d++)
            flat = ir_ex_add(x, flat, ir_ex_mulc(x, idx[d], a[1 + d]));
        emit_delinearize(x, flat, shape, axes, rank, at);
        return true;
    }
}

static emit_value pad(emitter *m, ir_ref r, const ir_ex *idx) {
    const ir_node n = *ir_at(m->g, r);
    const int64_t *a = ir_attrs(m->g, &n);
    ir_ref x = ir_in(m->g, &n)[0];
    int64_t shape[IR_MAX_RANK];
    ir_ex at[IR_MAX_RANK];
    emit_value cond = {.uniform = true}, other = {.uniform = true};
    shape_of(m->g, x, shape);
    for (unsigned d = 0; d < n.rank; d++) {
        at[d] = ir_ex_addc(m->x, idx[d], -a[1 + 2 * d]);
        emit_value c = inside(m, at[d], 0, shape[d]);
        if (c.v[0]) cond = cond.v[0] ? both(m, cond, c) : c;
    }
    if (m->b) other.v[0] = lp_const(m->b, (bz_dtype)n.dtype, (ir_bits)a[0], 1);
    return guarded(m, cond, x, at, &other);
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
        shape_of(m->g, x, shape);
        const ir_ex_node here = *ir_ex_at(m->x, idx[axis]); /* the table moves when it grows */
        at[axis] = ir_ex_addc(m->x, idx[axis], -from);
        from += shape[axis];
        if (shape[axis] == 0 || here.lo >= from || here.hi < from - shape[axis]) continue;
        emit_value c = inside(m, at[axis], 0, shape[axis]);
        out = guarded(m, c, x, at, &out);
    }
    return out;
}

static emit_value move(emitter *m, ir_ref r, const ir_ex *idx) {
    unsigned op = ir_at(m->g, r)->op;
    ir_ex at[IR_MAX_RANK];
    if (op == IR_PAD) return pad(m, r, idx);
    if (op == IR_CONCAT) return concat(m, r, idx);
    emit_move_index(m->g, m->x, r, idx, at);
    return emit_node(m, ir_operand(m->g, r, 0), at);
}

/* ---- leaves and indirection */

static emit_value iota(emitter *m, ir_ref r, const ir_ex *idx) {
    const ir_node *n = ir_at(m->g, r);
    ir_ex e = idx[ir_attrs(m->g, n)[0]];
    bz_dtype t = (bz_dtype)n->dtype;
    emit_value out = {0};
    if (!m->b) {
        if (!bz_vec_push(&m->seen, e)) emit_fail(m);
        return out;
    }
    out.uniform = !m->vec || !ir_ex_uses(m->x, e, m->vec);
    for (unsigned u = 0; u < (out.uniform ? 1 : m->width); u++) {
        lp_val v = out.uniform ? emit_index(m, e) : index_lanes(m, e, u);
        out.v[u] = emit_cast(m->b, t, BZ_I64, v);
    }
    return out;
}

static emit_value constant(emitter *m, ir_ref r, const ir_ex *idx) {
    const ir_node *n = ir_at(m->g, r);
    (void)idx;
    if (n->nattr != 1) { /* a listed constant is bound to a buffer by the lowering */
        m->unsupported = r;
        emit_fail(m);
        return (emit_value){.uniform = true};
    }
    return uniform(m->b ? lp_const(m->b, (bz_dtype)n->dtype, (ir_bits)ir_attrs(m->g, n)[0], 1) : 0);
}

/* Element offset of x[..., i, ...]: the affine part with 0 at the axis, plus i * stride. */
static emit_value gather(emitter *m, ir_ref r, const ir_ex *idx) {
    const ir_node n = *ir_at(m->g, r);
    const unsigned axis = (unsigned)ir_attrs(m->g, &n)[0];
    ir_ref x = ir_in(m->g, &n)[0], index = ir_in(m->g, &n)[1];
    unsigned xr = ir_at(m->g, x)->rank, in = ir_at(m->g, index)->rank;
    int64_t shape[IR_MAX_RANK], stride = 1;
    ir_ex at[IR_MAX_RANK];
    shape_of(m->g, x, shape);
    for (unsigned d = 0; d < xr; d++) {
        at[d] = d < axis ? idx[d] : d == axis ? ir_ex_const(m->x, 0) : idx[d + in - 1];
        stride *= d > axis ? shape[d] : 1;
    }
    emit_value i = emit_node(m, index, idx + axis), out = {0};
    ir_ex offset = emit_offset(m, x, at);
    if (!m->b) {
        if (!bz_vec_push(&m->seen, offset)) emit_fail(m);
        return out;
    }
    lp_val p = m->bind[x].p, zero = lp_index(m->b, 0), size = lp_index(m->b, shape[axis]);
    out.uniform = i.uniform && (!m->vec || !ir_ex_uses(m->x, offset, m->vec));
    int64_t coef;
    ir_ex rest;
    bool row =
        i.uniform && !out.uniform && ir_ex_linear(m->x, offset, m->vec, &coef, &rest) && coef == 1;
    for (unsigned u = 0; u < (out.uniform ? 1 : m->width); u++) {
        lp_val v = i.uniform ? i.v[0] : i.v[u];
        lp_val low = lp_base(m->b, IR_LT, BZ_BOOL, (lp_val[]){v, zero}, 2);
        lp_val wrapped =
            lp_base(m->b, IR_SELECT, BZ_I64,
                    (lp_val[]){low, lp_base(m->b, IR_ADD, BZ_I64, (lp_val[]){v, size}, 2), v}, 3);
        lp_val neg = lp_base(m->b, IR_LT, BZ_BOOL, (lp_val[]){wrapped, zero}, 2);
        lp_val big = lp_base(m->b, IR_LE, BZ_BOOL, (lp_val[]){size, wrapped}, 2);
        lp_val bad = lp_base(m->b, IR_OR, BZ_BOOL, (lp_val[]){neg, big}, 2), mask = load_mask(m, u),
               bad_here = bad;
        if (i.uniform)
            bad_here = scalar_mask(m)
                           ? lp_base(m->b, IR_AND, BZ_BOOL, (lp_val[]){bad, scalar_mask(m)}, 2)
                           : bad;
        else if (mask)
            bad_here = lp_base(m->b, IR_AND, BZ_BOOL, (lp_val[]){bad, mask}, 2);
        lp_error_if(m->b, i.uniform ? bad_here : lp_any(m->b, bad_here), BZ_EINDEX,
                    emit_index(m, ir_ex_const(m->x, (int64_t)r)));
        lp_val safe = lp_base(m->b, IR_SELECT, BZ_I64, (lp_val[]){bad, zero, wrapped}, 3);
        lp_val moved = lp_base(m->b, IR_MUL, BZ_I64, (lp_val[]){safe, lp_index(m->b, stride)}, 2);
        if (out.uniform) {
            out.v[u] =
                lp_load(m->b, p, lp_iadd(m->b, emit_index(m, offset), moved), 1, scalar_mask(m), 0);
        } else if (row || m->lanes == 1) {
            lp_val start = lp_iadd(m->b, lp_iadd(m->b, emit_index(m, offset), moved),
                                   lp_index(m->b, u * m->lanes));
            out.v[u] = lp_load(m->b, p, start, m->lanes, mask, 0);
        } else {
            lp_val lanes =
                lp_base(m->b, IR_ADD, BZ_I64, (lp_val[]){index_lanes(m, offset, u), moved}, 2);
            out.v[u] = lp_gather(m->b, p, lanes, mask);
        }
    }
    return out;
}

/* ---- the recursion */

static bool bound(emitter *m, ir_ref r, const ir_ex *idx, emit_value *out) {
    const emit_bind *b = &m->bind[r];
    switch (b->kind) {
    case BIND_NONE: return false;
    case BIND_BUFFER: *out = load(m, b->p, emit_offset(m, r, idx)); return true;
    case BIND_LOCAL:
        if (b->only_at && b->only_at != emit_offset(m, r, idx)) return false;
        *out = load(m, b->p, b->offset);
        return true;
    case BIND_SCALAR: *out = uniform(b->p); return true;
    case BIND_VALUE: *out = b->value; return true;
    }
    return false;
}

/* Remembered values hang in chains by the hash of their place, the newest first. */
static unsigned chain_of(const emitter *m, ir_ref r, const ir_ex *idx) {
    uint64_t h = bz_mix(r, m->guard[0]);
    for (unsigned d = 0; d < ir_at(m->g, r)->rank; d++) h = bz_mix(h, idx[d]);
    return (unsigned)(h % EMIT_CHAINS);
}

static emit_value *remembered(emitter *m, ir_ref r, const ir_ex *idx) {
    unsigned rank = ir_at(m->g, r)->rank;
    for (unsigned i = m->recent[chain_of(m, r, idx)]; i > 0; i = m->memo.p[i - 1].before) {
        emit_memo *e = &m->memo.p[i - 1];
        if (e->node == r && e->guard == m->guard[0] &&
            (rank == 0 || !memcmp(m->memo_idx.p + e->idx, idx, rank * sizeof *idx)))
            return &e->value;
    }
    return NULL;
}

static void remember(emitter *m, ir_ref r, const ir_ex *idx, const emit_value *v) {
    unsigned rank = ir_at(m->g, r)->rank, chain = chain_of(m, r, idx);
    emit_memo e = {r, m->memo_idx.n, m->guard[0], chain, m->recent[chain], *v};
    if (!bz_vec_reserve(&m->memo_idx, rank) || !bz_vec_push(&m->memo, e)) {
        emit_fail(m);
        return;
    }
    m->recent[chain] = m->memo.n;
    for (unsigned d = 0; d < rank; d++) m->memo_idx.p[m->memo_idx.n++] = idx[d];
}

emit_value emit_node(emitter *m, ir_ref r, const ir_ex *idx) {
    emit_value v = {.uniform = true};
    if (m->failed) return anything(m, r);
    emit_value *known = remembered(m, r, idx);
    if (known) return *known;
    unsigned op = ir_at(m->g, r)->op;
    if (bound(m, r, idx, &v))
        ;
    else if (ir_op_is_elementwise(op))
        v = elementwise(m, r, idx);
    else if (op == IR_COPY)
        v = emit_node(m, ir_operand(m->g, r, 0), idx);
    else if (op == IR_CONST)
        v = constant(m, r, idx);
    else if (op == IR_IOTA)
        v = iota(m, r, idx);
    else if (op == IR_GATHER)
        v = gather(m, r, idx);
    else if (ir_op_is_movement(op))
        v = move(m, r, idx);
    else {
        m->unsupported = r;
        emit_fail(m);
    }
    if (m->failed) return anything(m, r);
    remember(m, r, idx, &v);
    return v;
}
