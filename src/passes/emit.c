/* emit.c - the value of any node at any index, as kernel-loop instructions (the idea of XLA's elemental emitter).
 *
 *     emit_node(add, [i, j])  ->  emit_node(x, [i, j]), emit_node(expand b, [i, j]) -> emit_node(b, [0, j]) -> load
 *
 * Movement costs nothing: it rewrites the index (access.c, emit_move.c). What an index turns into is decided at the loads (emit_load.c). */
#include "src/passes/emit_parts.h"
#include "src/ir/loops/value_emit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void emit_init(emitter *m, const ir_graph *g, const pass_target *t, ir_exprs *x, emit_bind *bind) {
    *m = (emitter){
        .g = g, .t = t, .x = x, .bind = bind, .lanes = 1, .width = 1, .guard_uniform = true};
}

void emit_free(emitter *m) {
    bz_vec_free(&m->memo);
    bz_vec_free(&m->memo_idx);
    bz_vec_free(&m->extents);
    bz_vec_free(&m->origins);
}

void emit_fail(emitter *m) {
    m->failed = true;
    lp_give_up(m->b);
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
    bz_assert(width <= EMIT_MAX_WIDTH && (lanes > 1 || width == 1));
    emit_sym(m, sym, base);
    m->vec = sym;
    m->lanes = lanes;
    m->width = width;
    m->tail = tail;
}

lp_val emit_tail(const emitter *m, unsigned u) {
    return u + 1 == m->width ? m->tail : 0;
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

/* ---- numbers of a launch */

/* Numbers up to this one stay in the code: widths of windows, paddings. */
enum { FITS = 16 };

/* Its name is the word and its number. */
static lp_val add_extent(emitter *m, const char *word, emit_extent_of e) {
    char name[32];
    snprintf(name, sizeof name, "%s%u", word, m->extents.n);
    if (!bz_vec_push(&m->extents, e)) emit_fail(m);
    return lp_add_extent(m->b, name);
}

lp_val emit_extent(emitter *m, const char *word, int64_t value) {
    return add_extent(m, word, (emit_extent_of){.value = value});
}

lp_val emit_count(emitter *m, const char *word, int64_t value) {
    return m->t->any_size ? emit_extent(m, word, value) : lp_index(m->b, value);
}

lp_val emit_size(emitter *m, int64_t value) {
    if (!m->t->any_size || value <= FITS) return lp_index(m->b, value);
    for (uint32_t i = 0; i < m->extents.n; i++)
        if (m->extents.p[i].size && m->extents.p[i].value == value) return lp_extent(m->b, i);
    return add_extent(m, "size", (emit_extent_of){.value = value, .size = true});
}

lp_val emit_site(emitter *m, ir_ref r) {
    for (uint32_t i = 0; i < m->extents.n; i++)
        if (m->extents.p[i].site == r) return lp_extent(m->b, i);
    return add_extent(m, "at", (emit_extent_of){.value = r, .site = r});
}

/* ---- indices */

static lp_val sym_value(emitter *m, ir_ex sym) {
    for (unsigned i = 0; i < m->nsyms; i++)
        if (m->syms[i].sym == sym) return m->syms[i].value;
    for (uint32_t i = 0; i < m->x->keys.n; i++)
        if (m->x->keys.p[i].sym == sym) return emit_moved_by(m, m->x->keys.p[i]);
    bz_bug("an index symbol has no value");
}

static const ir_op ex_ops[] = {[EX_ADD] = IR_ADD,  [EX_MUL] = IR_MUL, [EX_DIV] = IR_IDIV,
                               [EX_MOD] = IR_IMOD, [EX_MIN] = IR_MIN, [EX_MAX] = IR_MAX};

/* Memory ran out among the expressions: they are not what they seem. */
static bool lost_indices(emitter *m) {
    if (m->x->failed) emit_fail(m);
    return m->x->failed;
}

/* The number that e's last term or factor is, where it may hang on a size: none that is small, and factors where rows are as long as
 * what may change. */
static int64_t large(const emitter *m, const ir_ex_node *e) {
    const bool factor = m->any_pitch && e->kind == EX_MUL;
    if (!m->t->any_size || (e->kind != EX_ADD && !factor)) return 0;
    const ir_ex_node *n = ir_ex_at(m->x, e->b);
    const bool fits = n->kind != EX_CONST || (n->value <= FITS && n->value >= -FITS);
    return fits || (factor && n->value < 0) ? 0 : n->value;
}

/* x + c, or x * c, by what the launch hands over: no negative numbers. */
static lp_val with_size(emitter *m, ir_ex_kind kind, lp_val x, int64_t c, unsigned lanes) {
    const lp_val v[2] = {x, lp_splat(m->b, emit_size(m, c < 0 ? -c : c), lanes)};
    return lp_base(m->b, c < 0 ? IR_SUB : ex_ops[kind], BZ_I64, v, 2);
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
    const int64_t c = large(m, &n);
    if (c) return with_size(m, (ir_ex_kind)n.kind, emit_index(m, n.a), c, 1);
    lp_val v[2] = {emit_index(m, n.a), emit_index(m, n.b)};
    return lp_base(m->b, ex_ops[n.kind], BZ_I64, v, 2);
}

/* The expression in every lane of bundle u. */
lp_val emit_index_lanes(emitter *m, ir_ex e, unsigned u) {
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
    const int64_t c = large(m, &n);
    if (c) return with_size(m, (ir_ex_kind)n.kind, emit_index_lanes(m, n.a, u), c, m->lanes);
    lp_val v[2] = {emit_index_lanes(m, n.a, u), emit_index_lanes(m, n.b, u)};
    return lp_base(m->b, ex_ops[n.kind], BZ_I64, v, 2);
}

ir_ex emit_offset(emitter *m, ir_ref r, const ir_ex *idx) {
    return access_offset(m->g, m->x, r, idx);
}

/* ---- values */

emit_value emit_uniform(lp_val v) {
    return (emit_value){.uniform = true, .v = {v}};
}

lp_val emit_lane_value(emitter *m, const emit_value *v, unsigned u) {
    return v->uniform ? lp_splat(m->b, v->v[0], m->lanes) : v->v[u];
}

lp_val emit_cast(lp_builder *b, bz_dtype to, bz_dtype from, lp_val x) {
    const lp_val *v[3] = {&x};
    lp_val r = x;
    if (to != from) lp_value(b, IR_CAST, to, v, 1, 1, &r);
    return r;
}

/* After a failure nothing is right any more, but the kernel's authors go on to the end: something of the right dtype. */
static emit_value anything(emitter *m, ir_ref r) {
    return emit_uniform(lp_const(m->b, ir_dtype(m->g, r), 0, 1));
}

static emit_value elementwise(emitter *m, ir_ref r, const ir_ex *idx) {
    const ir_node n = *ir_at(m->g, r);
    emit_value x[3], out = {.uniform = true};
    const lp_val *v[3] = {0};
    for (unsigned i = 0; i < n.nin; i++) {
        x[i] = emit_node(m, ir_in(m->g, &n)[i], idx);
        out.uniform &= x[i].uniform;
    }
    if (m->failed) return anything(m, r);
    unsigned width = out.uniform ? 1 : m->width;
    for (unsigned i = 0; i < n.nin; i++) {
        for (unsigned u = 1; x[i].uniform && u < width; u++) x[i].v[u] = x[i].v[0];
        v[i] = x[i].v;
    }
    lp_set_site(m->b, r);
    lp_value(m->b, (ir_op)n.op, (bz_dtype)n.dtype, v, n.nin, width, out.v);
    return out;
}

/* ---- leaves and indirection */

static emit_value iota(emitter *m, ir_ref r, const ir_ex *idx) {
    const ir_node *n = ir_at(m->g, r);
    ir_ex e = idx[ir_attrs(m->g, n)[0]];
    bz_dtype t = (bz_dtype)n->dtype;
    emit_value out = {0};
    out.uniform = !m->vec || !ir_ex_uses(m->x, e, m->vec);
    for (unsigned u = 0; u < (out.uniform ? 1 : m->width); u++) {
        lp_val v = out.uniform ? emit_index(m, e) : emit_index_lanes(m, e, u);
        out.v[u] = emit_cast(m->b, t, BZ_I64, v);
    }
    return out;
}

/* What hangs on a size (the count of a mean, and what the passes made of it) is handed over where kernels serve any size; so are other
 * floats, but for those that a kernel is simpler with. */
static bool is_handed(const emitter *m, bz_dtype t, ir_bits bits) {
    const double v = fabs(ir_bits_to_f64(t, bits));
    return m->t->any_size && (t == BZ_F32 || t == BZ_F64) && v > 0 && v != 1 && isfinite(v);
}

static lp_val handed(emitter *m, ir_ref r, bz_dtype t, ir_bits bits) {
    uint32_t i = 0;
    while (i < m->extents.n && m->extents.p[i].constant != r) i++;
    emit_extent_of e = {.value = (int64_t)bits, .constant = r};
    lp_val v = i < m->extents.n ? lp_extent(m->b, i) : add_extent(m, "c", e);
    if (t == BZ_F32) v = emit_cast(m->b, BZ_I32, BZ_I64, v);
    return lp_base(m->b, IR_BITCAST, t, &v, 1);
}

static emit_value constant(emitter *m, ir_ref r) {
    const ir_node *n = ir_at(m->g, r);
    if (n->nattr != 1) { /* a listed constant is bound to a buffer by the lowering */
        m->unsupported = r;
        emit_fail(m);
        return (emit_value){.uniform = true};
    }
    const bz_dtype t = (bz_dtype)n->dtype;
    const ir_bits v = (ir_bits)ir_attrs(m->g, n)[0];
    return emit_uniform(is_handed(m, t, v) ? handed(m, r, t, v) : lp_const(m->b, t, v, 1));
}

/* ---- the recursion */

static bool bound(emitter *m, ir_ref r, const ir_ex *idx, emit_value *out) {
    const emit_bind *b = &m->bind[r];
    switch (b->kind) {
    case BIND_NONE: return false;
    case BIND_BUFFER: *out = emit_load(m, b->p, emit_offset(m, r, idx)); return true;
    case BIND_LOCAL:
        if (b->only_at && b->only_at != emit_offset(m, r, idx)) return false;
        *out = emit_load(m, b->p, b->offset);
        return true;
    case BIND_SCALAR: *out = emit_uniform(b->p); return true;
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
        v = constant(m, r);
    else if (op == IR_IOTA)
        v = iota(m, r, idx);
    else if (op == IR_GATHER)
        v = emit_gather(m, r, idx);
    else if (ir_op_is_movement(op))
        v = emit_move(m, r, idx);
    else {
        m->unsupported = r;
        emit_fail(m);
    }
    if (m->failed) return anything(m, r);
    remember(m, r, idx, &v);
    return v;
}
