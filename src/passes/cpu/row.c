/* row.c - reductions along trailing axes with what feeds them and what is made of them: softmax, layernorm, losses, argmax.
 *
 *     pass 0:  max over k of x[i, k]                          one task: some rows i
 *     pass 1:  sum over k of e = exp(x[i, k] - max)           e is kept in a row of scratch memory
 *     pass 2:  y[i, k] = e / sum                              stored
 *
 * A pass runs over the row and folds every reduction whose operands are known by then. The order of additions is that of
 * IR_ORDER_LAST (docs/numerics.md): L lanes in vectors of `vl`, blocks of 4096, pairwise above.
 * Few long rows are cut at block borders instead ("wide"): a phase folds blocks, a phase combines them. The bits are the same.
 * Of a row whose elements are one constant outside of a stretch (what a causal mask hides) the passes see the stretch, and what the
 * constant gives, once: zeros are not added up, a maximum takes it for all. The bits are the same again. */
#include "src/passes/cpu/cpu.h"
#include "src/passes/work.h"

#include <string.h>

enum { MAX_FOLDS = FUSE_MAX_FOLDS, MAX_ACC = 64 };

typedef struct fold_node {
    ir_ref r;
    ir_reduce_attr a;
    unsigned pass;       /* that folds it */
    lp_val work, result; /* wide: block results [rows][blocks] and row results [rows] */
    lp_val blocks;       /* narrow: block results of one row */
    lp_val lanes;        /* the L lanes, when they are kept in memory */
} fold_node;

struct row_kernel {
    lower *l;
    work w; /* a pass for each stage */
    int64_t rows, k, blocks;
    ir_ex i_sym, k_sym;
    unsigned lanes, nvec; /* lanes of a vector; vectors that make L lanes */
    unsigned stream;      /* flags of the stores of elements */
    fold_node fold[MAX_FOLDS];
    unsigned nfolds;
    BZ_VEC(lp_val) kept_rows; /* scratch rows for what stages keep */
    lp_val nothing;           /* narrow: 0, which code generation doesn't know */
    ir_ref hidden;  /* a value of which rows may be seen in part (row_sight); 0: there is none */
    uint32_t plain; /* bit p: pass p makes one value of what is hidden */
};

/* ---- what is not seen of a row
 *
 * Where the hidden value is one constant, every element that a pass folds, keeps or stores there is one value of the row. */

static bool is_plain(const row_kernel *q, const bool *plain, ir_ref r, ir_ref hidden) {
    const work_node *n = work_find(&q->w, r);
    return r == hidden || (n && plain[n - q->w.nodes.p]);
}

/* The passes of which that is true, bit by bit. Others read something else that changes along the row, or ask where an element lies. */
static uint32_t plain_passes(const row_kernel *q, ir_ref hidden) {
    const work *w = &q->w;
    const ir_graph *g = q->l->g;
    bool *plain = bz_mem_zero(w->nodes.n, sizeof *plain);
    uint32_t passes = plain ? (1u << w->nstages) - 1 : 0;
    for (uint32_t i = 0; plain && i < w->nodes.n; i++) {
        const work_node *at = &w->nodes.p[i];
        const ir_node *n = ir_at(g, at->r);
        ir_bits v;
        plain[i] =
            n->nin && (ir_op_is_elementwise(n->op) || n->op == IR_EXPAND || n->op == IR_RESHAPE);
        for (unsigned k = 0; k < n->nin; k++)
            plain[i] &= is_plain(q, plain, ir_in(g, n)[k], hidden);
        plain[i] |=
            at->r == hidden || (at->member && n->op == IR_REDUCE) || ir_const_value(g, at->r, &v);
        if (!plain[i] && at->member) passes &= ~at->stages;
    }
    for (unsigned f = 0; f < q->nfolds; f++) {
        const fold_node *n = &q->fold[f];
        bool knows = n->a.kind != IR_ARGMAX && n->a.kind != IR_ARGMIN && n->a.kind != IR_PROD;
        if (!knows || !plain || !is_plain(q, plain, ir_operand(g, n->r, 0), hidden))
            passes &= ~(1u << n->pass);
    }
    bz_mem_free(plain);
    return passes;
}

/* From now on the kept row stands for the node, where it is read at its own index. */
static void bind_kept(row_kernel *q, uint32_t i) {
    lower *l = q->l;
    ir_ref r = q->w.kept.p[i];
    ir_ex idx[IR_MAX_RANK];
    fuse_index(l->g, &l->x, &l->space, FUSE_FULL, r, idx);
    l->m.bind[r] = (emit_bind){.kind = BIND_LOCAL,
                               .p = q->kept_rows.p[i],
                               .offset = q->k_sym,
                               .only_at = emit_offset(&l->m, r, idx)};
}

/* ---- one stretch of a row: count elements from `lo` on, all accumulators */

typedef struct stretch {
    row_kernel *q;
    unsigned pass;
    unsigned folds[MAX_FOLDS], nfolds; /* of this pass */
    unsigned width;                    /* vectors that are computed side by side */
    bool
        in_memory; /* the L lanes are an array, and the code is one loop over it: for long bodies, where that costs nothing */
    const row_sight *sight; /* NULL: everything is seen */
    lp_val from, to; /* columns that are seen, multiples of L but for the row's end; 0, 0: all */
    lp_val acc[MAX_FOLDS][MAX_ACC];
} stretch;

/* The pass that computes kept node i. */
static unsigned kept_by(const row_kernel *q, uint32_t i) {
    return work_kept_by(&q->w, q->w.kept.p[i]);
}

/* Does this pass store elements of output i? */
static bool stores(const stretch *s, uint32_t i) {
    const work *w = &s->q->w;
    const ir_ref r = s->q->l->outputs.p[i];
    return work_stores_elements(w, r) && work_find(w, r)->stage == s->pass;
}

static void store_kept(stretch *s, lp_val row, const emit_value *v) {
    emitter *m = &s->q->l->m;
    lp_val k = emit_index(m, s->q->k_sym);
    for (unsigned u = 0; u < m->width; u++)
        lp_store(m->b, row, lp_iadd(m->b, k, lp_index(m->b, u * m->lanes)),
                 emit_lane_value(m, v, u), m->tail, 0);
}

/* Stores the members on the level of elements that this pass knows: all values first, then all stores. */
static void store_elements(stretch *s) {
    lower *l = s->q->l;
    ir_ex idx[IR_MAX_RANK];
    emit_value *values = bz_mem_alloc((l->outputs.n + 1) * sizeof *values);
    l->m.failed |= !values;
    for (int store = 0; values && store < 2; store++)
        for (uint32_t i = 0; i < l->outputs.n; i++) {
            ir_ref r = l->outputs.p[i];
            if (!stores(s, i)) continue;
            fuse_index(l->g, &l->x, &l->space, FUSE_FULL, r, idx);
            if (store)
                emit_store(&l->m, l->out_pointers.p[i], emit_offset(&l->m, r, idx), &values[i],
                           s->q->stream);
            else
                values[i] = emit_node(&l->m, r, idx);
        }
    bz_mem_free(values);
}

/* Vectors at.. of the L lanes: values, kept rows, outputs, then the folds' steps. The vector symbol is set. */
static void step(stretch *s, unsigned at) {
    row_kernel *q = s->q;
    lower *l = q->l;
    ir_ex idx[IR_MAX_RANK];
    for (uint32_t i = 0; i < q->w.kept.n; i++) {
        ir_ref r = q->w.kept.p[i];
        if (kept_by(q, i) != s->pass) continue;
        fuse_index(l->g, &l->x, &l->space, FUSE_FULL, r, idx);
        emit_value v = emit_node(&l->m, r, idx);
        store_kept(s, q->kept_rows.p[i], &v);
    }
    for (unsigned f = 0; f < s->nfolds; f++) {
        fold_node *n = &q->fold[s->folds[f]];
        ir_ref x = ir_operand(l->g, n->r, 0);
        fuse_index(l->g, &l->x, &l->space, FUSE_FULL, x, idx);
        emit_value v = emit_node(&l->m, x, idx);
        for (unsigned u = 0; u < l->m.width; u++) {
            lp_val e = fold_widen(l, &n->a, ir_dtype(l->g, x), emit_lane_value(&l->m, &v, u));
            s->acc[f][at + u] = fold_step(l, &n->a, s->acc[f][at + u], e, l->m.tail);
        }
    }
    store_elements(s);
}

/* All L lanes once, beginning at k. */
static void all_lanes(stretch *s, lp_val k) {
    row_kernel *q = s->q;
    for (unsigned at = 0; at < q->nvec; at += s->width) {
        unsigned mark = emit_mark(&q->l->m);
        emit_vector(&q->l->m, q->k_sym, lp_iadd(q->l->b, k, lp_index(q->l->b, at * q->lanes)),
                    q->lanes, s->width, 0);
        step(s, at);
        emit_forget(&q->l->m, mark);
    }
}

/* LLVM makes a constant mask anew in each turn of a loop, in a part of a register, and so each turn waits for the one before. */
static lp_val count_of(const row_kernel *q, int64_t n) {
    lp_val count = lp_index(q->l->b, n);
    return q->nothing ? lp_iadd(q->l->b, count, q->nothing) : count;
}

/* The last `left` < L elements. */
static void some_lanes(stretch *s, lp_val k, int64_t left) {
    row_kernel *q = s->q;
    lp_builder *b = q->l->b;
    for (unsigned at = 0; (int64_t)at * q->lanes < left; at++) {
        unsigned mark = emit_mark(&q->l->m);
        int64_t here = left - (int64_t)at * q->lanes;
        lp_val mask = 0;
        if (here < (int64_t)q->lanes) mask = lower_tail_mask(q->l, count_of(q, here), q->lanes);
        emit_vector(&q->l->m, q->k_sym, lp_iadd(b, k, lp_index(b, at * q->lanes)), q->lanes, 1,
                    mask);
        step(s, at);
        emit_forget(&q->l->m, mark);
    }
}

/* The step for `width` vectors at lane `at` (a value) of the arrays of lanes. */
static void lanes_in_memory(stretch *s, lp_val k, lp_val at, unsigned width, lp_val mask) {
    row_kernel *q = s->q;
    lp_builder *b = q->l->b;
    unsigned mark = emit_mark(&q->l->m);
    emit_vector(&q->l->m, q->k_sym, k, q->lanes, width, mask);
    for (unsigned f = 0; f < s->nfolds; f++)
        for (unsigned u = 0; u < width; u++)
            s->acc[f][u] = lp_load(b, q->fold[s->folds[f]].lanes,
                                   lp_iadd(b, at, lp_index(b, u * q->lanes)), q->lanes, 0, 0);
    step(s, 0);
    for (unsigned f = 0; f < s->nfolds; f++)
        for (unsigned u = 0; u < width; u++)
            lp_store(b, q->fold[s->folds[f]].lanes, lp_iadd(b, at, lp_index(b, u * q->lanes)),
                     s->acc[f][u], 0, 0);
    emit_forget(&q->l->m, mark);
}

/* A node's value where the hidden one is its constant. */
static lp_val value_where_hidden(const stretch *s, ir_ref r) {
    row_kernel *q = s->q;
    lower *l = q->l;
    emit_bind *bind = l->m.bind, seen = bind[q->hidden];
    ir_ex idx[IR_MAX_RANK];
    unsigned mark = emit_mark(&l->m);
    bind[q->hidden] = (emit_bind){.kind = BIND_SCALAR, .p = s->sight->other};
    for (uint32_t i = 0; i < q->w.kept.n; i++) bind[q->w.kept.p[i]].kind = BIND_NONE;
    emit_scalar(&l->m);
    fuse_index(l->g, &l->x, &l->space, FUSE_FULL, r, idx);
    lp_val v = emit_node(&l->m, r, idx).v[0];
    emit_forget(&l->m, mark);
    for (uint32_t i = 0; i < q->w.kept.n; i++)
        if (kept_by(q, i) < s->pass) bind_kept(q, i);
    bind[q->hidden] = seen;
    return v;
}

typedef struct span {
    lp_val from, to;
} span;

/* What is seen of elements lo .. lo + count, counted from lo. */
static span seen_of(const stretch *s, lp_val lo, int64_t count) {
    lp_builder *b = s->q->l->b;
    lp_val zero = lp_index(b, 0), all = lp_index(b, count);
    if (!s->to) return (span){zero, all};
    lp_val from = lp_imax(b, lp_isub(b, s->from, lo), zero);
    return (span){from, lp_imin(b, lp_isub(b, s->to, lo), all)};
}

/* to[k] = node r, for k = lo + span, where it is one value. At `place`, if that is given, else where output r has its elements. */
static void fill_span(stretch *s, span at, lp_val lo, ir_ref r, lp_val to, bool is_output) {
    row_kernel *q = s->q;
    emitter *m = &q->l->m;
    ir_ex idx[IR_MAX_RANK];
    const emit_value v = {.uniform = true, .v = {value_where_hidden(s, r)}};
    unsigned mark = emit_mark(m);
    lp_val j = lp_loop(m->b, LP_SERIAL, at.from, at.to, q->lanes, NULL, 0, NULL);
    emit_vector(m, q->k_sym, lp_iadd(m->b, lo, j), q->lanes, 1, 0);
    fuse_index(m->g, m->x, &q->l->space, FUSE_FULL, r, idx);
    emit_store(m, to, is_output ? emit_offset(m, r, idx) : q->k_sym, &v,
               is_output ? s->q->stream : 0);
    emit_forget(m, mark);
    lp_end(m->b, NULL, 0, NULL);
    emit_scalar(m);
}

/* What the pass keeps and stores of hidden elements, of those of lo .. lo + count that its loop leaves out. */
static void fill_hidden(stretch *s, lp_val lo, int64_t count) {
    row_kernel *q = s->q;
    lower *l = q->l;
    lp_builder *b = l->b;
    if (!s->to || !count) return;
    const span seen = seen_of(s, lo, count);
    lp_val all = lp_index(b, count);
    const span side[2] = {{lp_index(b, 0), lp_imin(b, seen.from, all)},
                          {lp_imax(b, seen.to, seen.from), all}};
    for (unsigned k = 0; k < 2; k++) {
        for (uint32_t i = 0; i < q->w.kept.n; i++)
            if (kept_by(q, i) == s->pass)
                fill_span(s, side[k], lo, q->w.kept.p[i], q->kept_rows.p[i], false);
        for (uint32_t i = 0; i < l->outputs.n; i++)
            if (stores(s, i))
                fill_span(s, side[k], lo, l->outputs.p[i], l->out_pointers.p[i], true);
    }
}

/* Elements lo .. lo+count through the arrays of lanes: two loops, each with one copy of the body. */
static void fold_in_memory(stretch *s, lp_val lo, int64_t count) {
    row_kernel *q = s->q;
    lp_builder *b = q->l->b;
    int64_t lanes = (int64_t)q->lanes * q->nvec, stride = (int64_t)q->lanes * s->width,
            whole = count / stride * stride;
    for (unsigned f = 0; f < s->nfolds; f++) {
        const fold_node *n = &q->fold[s->folds[f]];
        for (unsigned v = 0; v < q->nvec; v++)
            lp_store(b, n->lanes, lp_index(b, v * q->lanes),
                     lp_const(b, n->a.acc, fold_identity(&n->a), q->lanes), 0, 0);
    }
    if (whole) {
        const span seen = seen_of(s, lo, whole);
        lp_val j = lp_loop(b, LP_SERIAL, seen.from, seen.to, stride, NULL, 0, NULL);
        lp_val at = lp_imod(b, j, lp_index(b, lanes));
        lanes_in_memory(s, lp_iadd(b, lo, j), at, s->width, 0);
        lp_end(b, NULL, 0, NULL);
        fill_hidden(s, lo, whole);
    }
    if (whole < count) {
        lp_val j =
            lp_loop(b, LP_SERIAL, lp_index(b, whole), lp_index(b, count), q->lanes, NULL, 0, NULL);
        lp_val at = lp_imod(b, j, lp_index(b, lanes));
        lp_val left = lp_isub(b, lp_index(b, count), j);
        lanes_in_memory(s, lp_iadd(b, lo, j), at, 1,
                        q->lanes > 1 ? lower_tail_mask(q->l, left, q->lanes) : 0);
        lp_end(b, NULL, 0, NULL);
    }
    for (unsigned f = 0; f < s->nfolds; f++)
        for (unsigned v = 0; v < q->nvec; v++)
            s->acc[f][v] =
                lp_load(b, q->fold[s->folds[f]].lanes, lp_index(b, v * q->lanes), q->lanes, 0, 0);
}

/* The same with the lanes in registers, carried round the loop. */
static void fold_in_registers(stretch *s, lp_val lo, int64_t count) {
    row_kernel *q = s->q;
    lp_builder *b = q->l->b;
    int64_t lanes = (int64_t)q->lanes * q->nvec, steps = count / lanes;
    lp_val flat[MAX_FOLDS * MAX_ACC], carry[MAX_FOLDS * MAX_ACC];
    unsigned n = 0;
    for (unsigned f = 0; f < s->nfolds; f++) {
        const ir_reduce_attr *a = &q->fold[s->folds[f]].a;
        for (unsigned v = 0; v < q->nvec; v++)
            flat[n++] = s->acc[f][v] = lp_const(b, a->acc, fold_identity(a), q->lanes);
    }
    if (steps == 1) {
        all_lanes(s, lo);
    } else if (steps > 1) {
        const span seen = seen_of(s, lo, steps * lanes);
        lp_val j = lp_loop(b, LP_SERIAL, seen.from, seen.to, lanes, flat, n, carry);
        for (unsigned f = 0; f < s->nfolds; f++)
            memcpy(s->acc[f], carry + f * q->nvec, q->nvec * sizeof *flat);
        all_lanes(s, lp_iadd(b, lo, j));
        for (unsigned f = 0; f < s->nfolds; f++)
            memcpy(flat + f * q->nvec, s->acc[f], q->nvec * sizeof *flat);
        lp_end(b, flat, n, carry);
        for (unsigned f = 0; f < s->nfolds; f++)
            memcpy(s->acc[f], carry + f * q->nvec, q->nvec * sizeof *flat);
        fill_hidden(s, lo, steps * lanes);
    }
    if (count % lanes) some_lanes(s, lp_iadd(b, lo, lp_index(b, steps * lanes)), count % lanes);
}

/* Elements lo .. lo+count of the row; afterwards out[f] is the folded scalar (of the accumulator's dtype) of each fold of the pass. */
static void fold_stretch(stretch *s, lp_val lo, int64_t count, lp_val *out) {
    row_kernel *q = s->q;
    lower *l = q->l;
    if (s->in_memory || !s->nfolds)
        fold_in_memory(s, lo, count);
    else
        fold_in_registers(s, lo, count);
    emit_scalar(&l->m);
    for (unsigned f = 0; f < s->nfolds; f++) {
        const ir_reduce_attr *a = &q->fold[s->folds[f]].a;
        for (unsigned v = q->nvec; v > 1; v /= 2)
            for (unsigned i = 0; i < v / 2; i++)
                s->acc[f][i] = fold_step(l, a, s->acc[f][i], s->acc[f][i + v / 2], 0);
        out[f] = fold_lanes(l, a, s->acc[f][0], q->lanes);
    }
}

/* Base operations per element that the pass computes. */
static unsigned pass_ops(const row_kernel *q, unsigned pass) {
    const fuse_group *g = q->l->group;
    unsigned ops = 0;
    for (uint32_t i = 0; i < g->nodes.n; i++)
        if (work_find(&q->w, g->nodes.p[i])->stages >> pass & 1)
            ops += fuse_steps(q->l->g, g->nodes.p[i]);
    return ops;
}

static stretch begin_pass(row_kernel *q, unsigned pass) {
    stretch s = {.q = q, .pass = pass};
    unsigned ops = pass_ops(q, pass), most = q->l->t->registers >= 32 ? 4 : 2;
    s.in_memory =
        ops > q->l->t->machine->busy && q->k > (int64_t)q->lanes; /* one vector needs no loop */
    s.width = !s.in_memory ? 8 : ops <= 200 ? most : most / 2;
    s.width = q->lanes == 1 ? 1 : s.width > q->nvec ? q->nvec : s.width;
    for (unsigned f = 0; f < q->nfolds; f++)
        if (q->fold[f].pass == pass) s.folds[s.nfolds++] = f;
    return s;
}

static bool stores_any(const stretch *s) {
    for (uint32_t i = 0; i < s->q->l->outputs.n; i++)
        if (stores(s, i)) return true;
    return false;
}

/* Chooses what of the row the pass goes through, by what it would make of the rest: *other[f] for fold f, once. Sums must find zeros
 * there, or the pass goes through all. */
static void look(stretch *s, const row_sight *sight, lp_val *other) {
    row_kernel *q = s->q;
    lower *l = q->l;
    lp_builder *b = l->b;
    const int64_t lanes = (int64_t)q->lanes * q->nvec;
    const lp_val step = lp_index(b, lanes);
    lp_val skips = sight->hides;
    s->sight = sight;
    for (unsigned f = 0; f < s->nfolds; f++) {
        const fold_node *n = &q->fold[s->folds[f]];
        const ir_ref x = ir_operand(l->g, n->r, 0);
        other[f] = fold_widen(l, &n->a, ir_dtype(l->g, x), value_where_hidden(s, x));
        if (n->a.kind != IR_SUM) continue;
        lp_val v[2] = {other[f], lp_const(b, n->a.acc, 0, 1)};
        lp_val both[2] = {skips, lp_base(b, IR_EQ, BZ_BOOL, v, 2)};
        skips = lp_base(b, IR_AND, BZ_BOOL, both, 2);
    }
    for (unsigned f = 0; f < s->nfolds; f++) {
        const ir_reduce_attr *a = &q->fold[s->folds[f]].a;
        lp_val v[3] = {skips, other[f], lp_const(b, a->acc, fold_identity(a), 1)};
        other[f] = lp_base(b, IR_SELECT, a->acc, v, 3);
    }
    s->from = lp_imul(b, lp_idiv(b, sight->from, step), step);
    s->to = lp_imul(b, lp_idiv(b, lp_iadd(b, sight->to, lp_index(b, lanes - 1)), step), step);
    s->from = lp_base(b, IR_SELECT, BZ_I64, (lp_val[]){skips, s->from, lp_index(b, 0)}, 3);
    s->to = lp_base(b, IR_SELECT, BZ_I64, (lp_val[]){skips, s->to, lp_index(b, q->k)}, 3);
}

static void store_row_results(row_kernel *q) {
    emit_scalar(&q->l->m);
    lower_store_outputs(q->l, FUSE_KEPT, 0);
}

/* ---- narrow: a task is some whole rows */

/* Blocks of 4096 into block results, then pairwise. */
static void fold_blocks(row_kernel *q, stretch *s, lp_val *out) {
    lower *l = q->l;
    lp_builder *b = l->b;
    int64_t whole = q->k / IR_BLOCK, rest = q->k % IR_BLOCK;
    lp_val one[MAX_FOLDS];
    lp_val j = lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_index(b, whole), 1, NULL, 0, NULL);
    fold_stretch(s, lp_imul(b, j, lp_index(b, IR_BLOCK)), IR_BLOCK, one);
    for (unsigned f = 0; f < s->nfolds; f++)
        lp_store(b, q->fold[s->folds[f]].blocks, j, one[f], 0, 0);
    lp_end(b, NULL, 0, NULL);
    if (rest) {
        fold_stretch(s, lp_index(b, whole * IR_BLOCK), rest, one);
        for (unsigned f = 0; f < s->nfolds; f++)
            lp_store(b, q->fold[s->folds[f]].blocks, lp_index(b, whole), one[f], 0, 0);
    }
    for (unsigned f = 0; f < s->nfolds; f++) {
        fold_node *n = &q->fold[s->folds[f]];
        out[f] = fold_pairwise(l, &n->a, n->blocks, lp_index(b, 0), q->blocks, 1, 1);
    }
}

static void narrow_row(row_kernel *q, const row_sight *sight) {
    lower *l = q->l;
    lp_val out[MAX_FOLDS], other[MAX_FOLDS];
    for (unsigned pass = 0; pass < q->w.nstages; pass++) {
        stretch s = begin_pass(q, pass);
        if (!s.nfolds && !stores_any(&s)) continue;
        const bool looks = q->plain >> pass & 1;
        if (looks) look(&s, sight, other);
        if (q->blocks > 1)
            fold_blocks(q, &s, out);
        else
            fold_stretch(&s, lp_index(l->b, 0), q->k, out);
        for (unsigned f = 0; f < s.nfolds; f++) {
            fold_node *n = &q->fold[s.folds[f]];
            if (looks) out[f] = fold_step(l, &n->a, out[f], other[f], 0);
            l->m.bind[n->r] = (emit_bind){.kind = BIND_SCALAR,
                                          .p = fold_narrow(l, &n->a, ir_dtype(l->g, n->r), out[f])};
        }
        for (uint32_t i = 0; i < q->w.kept.n; i++)
            if (kept_by(q, i) == pass) bind_kept(q, i);
    }
    store_row_results(q);
}

static bool make_scratch(row_kernel *q) {
    lower *l = q->l;
    for (uint32_t i = 0; i < q->w.kept.n; i++)
        if (!bz_vec_push(&q->kept_rows,
                         lp_local(l->b, ir_dtype(l->g, q->w.kept.p[i]), q->k, LP_SCRATCH)))
            return false;
    for (unsigned f = 0; q->blocks > 1 && f < q->nfolds; f++)
        q->fold[f].blocks = lp_local(l->b, q->fold[f].a.acc, q->blocks, LP_SCRATCH);
    return true;
}

static void make_lanes(row_kernel *q) {
    for (unsigned f = 0; f < q->nfolds; f++)
        q->fold[f].lanes =
            lp_local(q->l->b, q->fold[f].a.acc, (int64_t)q->lanes * q->nvec, LP_STACK);
}

static bool narrow(row_kernel *q) {
    lower *l = q->l;
    lp_builder *b = l->b;
    int64_t per = l->t->machine->task / (q->k > 0 ? q->k : 1);
    per = per < 1 ? 1 : per > q->rows ? q->rows : per;
    if (q->rows == 0 || !make_scratch(q)) return q->rows == 0;
    make_lanes(q);
    lp_val t = lp_loop(b, LP_PARALLEL, lp_index(b, 0), lp_index(b, (q->rows + per - 1) / per), 1,
                       NULL, 0, NULL);
    q->nothing = lp_imin(b, t, lp_index(b, 0));
    lp_val lo = lp_imul(b, t, lp_index(b, per)), end = lp_iadd(b, lo, lp_index(b, per));
    lp_val hi = q->rows % per == 0 ? end : lp_imin(b, end, lp_index(b, q->rows));
    lp_val i = lp_loop(b, LP_SERIAL, lo, hi, 1, NULL, 0, NULL);
    emit_sym(&l->m, q->i_sym, i);
    narrow_row(q, NULL);
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
    return true;
}

/* ---- wide: a task is a block of a row */

static void block_task(row_kernel *q, stretch *s, lp_val t, lp_val block, int64_t count) {
    lp_val out[MAX_FOLDS];
    lp_builder *b = q->l->b;
    unsigned mark = emit_mark(&q->l->m);
    fold_stretch(s, lp_imul(b, block, lp_index(b, IR_BLOCK)), count, out);
    for (unsigned f = 0; f < s->nfolds; f++)
        lp_store(b, q->fold[s->folds[f]].work, t, out[f], 0, 0);
    emit_forget(&q->l->m, mark);
}

static void wide_blocks(row_kernel *q, stretch *s) {
    lp_builder *b = q->l->b;
    int64_t whole = q->k / IR_BLOCK, rest = q->k % IR_BLOCK;
    unsigned mark = emit_mark(&q->l->m);
    lp_val t =
        lp_loop(b, LP_PARALLEL, lp_index(b, 0), lp_index(b, q->rows * q->blocks), 1, NULL, 0, NULL);
    lp_val count = lp_index(b, q->blocks);
    emit_sym(&q->l->m, q->i_sym, lp_idiv(b, t, count));
    lp_val block = lp_imod(b, t, count);
    if (rest) {
        lp_if(b, lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){block, lp_index(b, whole)}, 2));
        block_task(q, s, t, block, IR_BLOCK);
        lp_else(b, NULL, 0);
        block_task(q, s, t, block, rest);
        lp_end(b, NULL, 0, NULL);
    } else {
        block_task(q, s, t, block, IR_BLOCK);
    }
    emit_forget(&q->l->m, mark);
    lp_end(b, NULL, 0, NULL);
}

/* Combines the blocks of each row; after the last pass also what the rows give. */
static void wide_rows(row_kernel *q, stretch *s, bool last) {
    lower *l = q->l;
    lp_builder *b = l->b;
    unsigned mark = emit_mark(&l->m);
    lp_val i = lp_loop(b, LP_PARALLEL, lp_index(b, 0), lp_index(b, q->rows), 1, NULL, 0, NULL);
    emit_sym(&l->m, q->i_sym, i);
    for (unsigned f = 0; f < s->nfolds; f++) {
        fold_node *n = &q->fold[s->folds[f]];
        lp_val base = lp_imul(b, i, lp_index(b, q->blocks));
        lp_val r = fold_pairwise(l, &n->a, n->work, base, q->blocks, 1, 1);
        lp_store(b, n->result, i, fold_narrow(l, &n->a, ir_dtype(l->g, n->r), r), 0, 0);
        l->m.bind[n->r] = (emit_bind){.kind = BIND_LOCAL, .p = n->result, .offset = q->i_sym};
    }
    if (last) store_row_results(q);
    emit_forget(&l->m, mark);
    lp_end(b, NULL, 0, NULL);
}

static bool wide(row_kernel *q) {
    lower *l = q->l;
    unsigned last_fold = 0;
    for (unsigned f = 0; f < q->nfolds; f++) {
        fold_node *n = &q->fold[f];
        n->work = lower_work(l, n->a.acc, q->rows * q->blocks);
        n->result = lower_work(l, ir_dtype(l->g, n->r), q->rows);
        last_fold = n->pass > last_fold ? n->pass : last_fold;
    }
    make_lanes(q);
    for (unsigned pass = 0; pass < q->w.nstages; pass++) {
        stretch s = begin_pass(q, pass);
        if (!s.nfolds && !stores_any(&s)) continue;
        wide_blocks(q, &s);
        if (s.nfolds) wide_rows(q, &s, pass == last_fold);
    }
    return true;
}

/* ---- the kernel */

static void set_space(row_kernel *q) {
    lower *l = q->l;
    const ir_node *n = ir_at(l->g, l->group->head);
    ir_ref x = ir_in(l->g, n)[0];
    ir_reduce_attr a = ir_reduce_get(l->g, n);
    int64_t shape[IR_MAX_RANK], kept[IR_MAX_RANK];
    ir_ex sym[IR_MAX_RANK];
    unsigned nkept = 0;
    ir_static_shape(l->g, x, shape);
    q->rows = q->k = 1;
    for (unsigned d = 0, k = 0; d < ir_at(l->g, x)->rank; d++) {
        bool gone = k < a.naxes && a.axes[k] == (int64_t)d;
        k += gone;
        if (!gone) kept[nkept++] = d;
        *(gone ? &q->k : &q->rows) *= shape[d];
    }
    q->i_sym = lower_sym(l, "i", q->rows);
    q->k_sym = lower_vector_sym(l, "k", q->k);
    access_delinearize(&l->x, q->i_sym, shape, kept, nkept, sym);
    access_delinearize(&l->x, q->k_sym, shape, a.axes, a.naxes, sym);
    fuse_space_of(l->g, l->group->form, l->group->head, sym, &l->space);
}

static void choose_vectors(row_kernel *q) {
    unsigned lanes = 1, full = lower_lanes(q->l);
    while (lanes < IR_LANES && (int64_t)lanes < q->k) lanes *= 2;
    q->lanes = lanes < full ? lanes : full;
    q->nvec = lanes / q->lanes;
}

static void free_kernel(row_kernel *q) {
    work_free(&q->w);
    bz_vec_free(&q->kept_rows);
    bz_mem_free(q);
}

/* The space and all that is known before the first instruction. */
static row_kernel *new_kernel(lower *l, bool *wide) {
    row_kernel *q = bz_mem_zero(1, sizeof *q);
    if (!q) return NULL;
    q->l = l;
    set_space(q);
    choose_vectors(q);
    q->blocks = (q->k + IR_BLOCK - 1) / IR_BLOCK;
    *wide = q->k >= 8 * l->t->machine->task && q->rows <= l->t->machine->tasks && !l->in_part;
    if (work_describe(&q->w, l->f, l->group, l->outputs.p, l->outputs.n,
                      !*wide && q->k <= l->t->machine->second)) {
        for (; q->nfolds < q->w.nfolds; q->nfolds++) {
            const work_fold *f = &q->w.fold[q->nfolds];
            q->fold[q->nfolds] = (fold_node){.r = f->r, .a = f->a, .pass = f->stage};
        }
        return q;
    }
    free_kernel(q);
    return NULL;
}

bool lower_row(lower *l) {
    bool is_wide, ok = false;
    row_kernel *q = new_kernel(l, &is_wide);
    if (!q) return false;
    q->stream = q->lanes > 1 ? lower_stream_flags(l, q->k) : 0;
    l->m.ahead = lower_read_ahead(l, l->t->machine->second);
    ok = is_wide ? wide(q) : narrow(q);
    free_kernel(q);
    return ok && !l->m.failed;
}

row_kernel *row_begin(lower *l, ir_ref hidden) {
    bool is_wide;
    row_kernel *q = new_kernel(l, &is_wide);
    if (!q) return NULL;
    q->hidden = hidden;
    if (hidden && q->lanes > 1) q->plain = plain_passes(q, hidden);
    make_lanes(q);
    if (make_scratch(q)) return q;
    free_kernel(q);
    return NULL;
}

void row_one(row_kernel *q, lp_val i, const row_sight *sight) {
    emit_sym(&q->l->m, q->i_sym, i);
    narrow_row(q, sight);
}

void row_end(row_kernel *q) {
    free_kernel(q);
}
