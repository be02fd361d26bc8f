/* lower_col.c - reductions over leading axes: bias gradients, batch statistics.
 *
 *     x[k, c]  --sum over k-->  y[c]          vectors along c, a loop over k
 *
 * The order of additions is IR_ORDER_LEAD: chains of 128 from the identity, chain sums pairwise. A task is a strip of columns and all
 * chains; when there are few strips and many chains, a phase folds (strip, chain) and a phase combines. */
#include "src/passes/lower.h"

#include <string.h>

enum { STRIPS_ENOUGH = 16 };

typedef struct col_kernel {
    lower *l;
    ir_reduce_attr a;
    ir_ref x;
    int64_t outer, inner, k, chains; /* kept elements = outer * inner; strips run along inner */
    ir_ex o_sym, c_sym, k_sym;
    unsigned lanes, width;
    int64_t strips, padded; /* of one outer row; columns that they cover */
} col_kernel;

/* ---- the space: kept axes cut into outer and inner so that every access is linear along inner */

static void set_space(col_kernel *q, unsigned inner) {
    lower *l = q->l;
    int64_t shape[IR_MAX_RANK], kept[IR_MAX_RANK];
    ir_ex sym[IR_MAX_RANK];
    unsigned nkept = 0;
    ir_static_shape(l->g, q->x, shape);
    q->outer = q->inner = q->k = 1;
    for (unsigned d = 0, r = 0; d < ir_at(l->g, q->x)->rank; d++) {
        bool gone = r < q->a.naxes && q->a.axes[r] == (int64_t)d;
        r += gone;
        q->k *= gone ? shape[d] : 1;
        if (!gone) kept[nkept++] = d;
    }
    inner = inner > nkept ? nkept : inner;
    for (unsigned i = 0; i < nkept; i++)
        *(i < nkept - inner ? &q->outer : &q->inner) *= shape[kept[i]];
    q->o_sym = lower_sym(l, "o", q->outer);
    q->c_sym = lower_vector_sym(l, "c", q->inner);
    q->k_sym = lower_sym(l, "k", q->k);
    emit_delinearize(&l->x, q->o_sym, shape, kept, nkept - inner, sym);
    emit_delinearize(&l->x, q->c_sym, shape, kept + nkept - inner, inner, sym);
    emit_delinearize(&l->x, q->k_sym, shape, q->a.axes, q->a.naxes, sym);
    fuse_space_of(l->g, FUSE_COL, l->group->head, sym, &l->space);
}

static bool linear(col_kernel *q) {
    emitter *m = &q->l->m;
    int64_t coef;
    ir_ex idx[IR_MAX_RANK], rest;
    lp_builder *b = m->b;
    bool ok = true;
    m->b = NULL;
    m->seen.n = 0;
    unsigned mark = emit_mark(m);
    fuse_index(q->l->g, &q->l->x, &q->l->space, FUSE_FULL, q->x, idx);
    emit_node(m, q->x, idx);
    emit_forget(m, mark);
    emit_resume(m, b);
    for (uint32_t i = 0; i < m->seen.n; i++)
        ok &= ir_ex_linear(&q->l->x, m->seen.p[i], q->c_sym, &coef, &rest);
    return ok;
}

/* ---- folding */

/* Vectors acc[0 .. width-1] of one chain: elements k0 .. k0+count (count a value), from the identity. */
static void fold_chain(col_kernel *q, lp_val k0, lp_val count, unsigned width, lp_val *acc) {
    lower *l = q->l;
    lp_builder *b = l->b;
    ir_ex idx[IR_MAX_RANK];
    lp_val start[EMIT_MAX_WIDTH], carry[EMIT_MAX_WIDTH];
    for (unsigned u = 0; u < width; u++)
        start[u] = lp_const(b, q->a.acc, fold_identity(&q->a), q->lanes);
    unsigned mark = emit_mark(&l->m);
    lp_val j = lp_loop(b, LP_SERIAL, lp_index(b, 0), count, 1, start, width, carry);
    emit_sym(&l->m, q->k_sym, lp_iadd(b, k0, j));
    fuse_index(l->g, &l->x, &l->space, FUSE_FULL, q->x, idx);
    emit_value v = emit_node(&l->m, q->x, idx);
    for (unsigned u = 0; u < width; u++) {
        lp_val e = fold_widen(l, &q->a, ir_dtype(l->g, q->x), emit_lane_value(&l->m, &v, u));
        carry[u] = fold_step(l, &q->a, carry[u], e, 0);
    }
    emit_forget(&l->m, mark);
    lp_end(b, carry, width, acc);
}

/* The folded columns become the reduction's value at this place; then what is stored of the group. */
static void finish(col_kernel *q, const lp_val *acc, unsigned width) {
    lower *l = q->l;
    emit_bind *bind = &l->m.bind[l->group->head];
    *bind = (emit_bind){.kind = BIND_VALUE};
    for (unsigned u = 0; u < width; u++)
        bind->value.v[u] = fold_narrow(l, &q->a, ir_dtype(l->g, l->group->head), acc[u]);
    unsigned mark = emit_mark(&l->m);
    lower_store_outputs(l, FUSE_KEPT, 0);
    emit_forget(&l->m, mark);
    *bind = (emit_bind){0};
}

static lp_val chain_length(col_kernel *q, lp_val chain) {
    lp_builder *b = q->l->b;
    if (q->k % IR_CHAIN == 0) return lp_index(b, IR_CHAIN);
    lp_val left =
        lp_base(b, IR_SUB, BZ_I64,
                (lp_val[]){lp_index(b, q->k), lp_imul(b, chain, lp_index(b, IR_CHAIN))}, 2);
    return lp_base(b, IR_MIN, BZ_I64, (lp_val[]){left, lp_index(b, IR_CHAIN)}, 2);
}

/* What is done with the columns of a strip: `width` vectors along the vector symbol, which is set. */
typedef struct strip {
    lp_val p;     /* partial sums: of this task, or of the whole kernel */
    lp_val chain; /* when a task is one chain */
} strip;
typedef void strip_body(col_kernel *q, const strip *s, unsigned width);

static void all_chains(col_kernel *q, const strip *s, unsigned width) {
    lower *l = q->l;
    lp_builder *b = l->b;
    lp_val acc[EMIT_MAX_WIDTH];
    if (q->chains <= 1) {
        fold_chain(q, lp_index(b, 0), lp_index(b, q->k), width, acc);
        finish(q, acc, width);
        return;
    }
    int64_t stride = (int64_t)q->lanes * q->width;
    unsigned mark = emit_mark(&l->m);
    lp_val ch = lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_index(b, q->chains), 1, NULL, 0, NULL);
    fold_chain(q, lp_imul(b, ch, lp_index(b, IR_CHAIN)), chain_length(q, ch), width, acc);
    for (unsigned u = 0; u < width; u++)
        lp_store(b, s->p,
                 lp_iadd(b, lp_imul(b, ch, lp_index(b, stride)), lp_index(b, u * q->lanes)), acc[u],
                 0, 0);
    emit_forget(&l->m, mark);
    lp_end(b, NULL, 0, NULL);
    for (unsigned u = 0; u < width; u++)
        acc[u] =
            fold_pairwise(l, &q->a, s->p, lp_index(b, u * q->lanes), q->chains, stride, q->lanes);
    finish(q, acc, width);
}

/* Where the columns at hand lie in the kernel's partial sums [outer][chains][padded inner], for chain 0. */
static lp_val partial_place(col_kernel *q) {
    lp_builder *b = q->l->b;
    lp_val row = lp_imul(b, emit_index(&q->l->m, q->o_sym), lp_index(b, q->chains * q->padded));
    return lp_iadd(b, row, emit_index(&q->l->m, q->c_sym));
}

static void one_chain(col_kernel *q, const strip *s, unsigned width) {
    lp_builder *b = q->l->b;
    lp_val acc[EMIT_MAX_WIDTH];
    fold_chain(q, lp_imul(b, s->chain, lp_index(b, IR_CHAIN)), chain_length(q, s->chain), width,
               acc);
    lp_val at = lp_iadd(b, partial_place(q), lp_imul(b, s->chain, lp_index(b, q->padded)));
    for (unsigned u = 0; u < width; u++)
        lp_store(b, s->p, lp_iadd(b, at, lp_index(b, u * q->lanes)), acc[u], 0, 0);
}

static void combine(col_kernel *q, const strip *s, unsigned width) {
    lp_val acc[EMIT_MAX_WIDTH], at = partial_place(q);
    for (unsigned u = 0; u < width; u++)
        acc[u] =
            fold_pairwise(q->l, &q->a, s->p, lp_iadd(q->l->b, at, lp_index(q->l->b, u * q->lanes)),
                          q->chains, q->padded, q->lanes);
    finish(q, acc, width);
}

/* Full vectors where the strip is whole, else one masked vector after the other. */
static void over_strip(col_kernel *q, lp_val number, strip_body *body, const strip *s) {
    lower *l = q->l;
    lp_builder *b = l->b;
    int64_t cols = (int64_t)q->lanes * q->width;
    lp_val lo = lp_imul(b, number, lp_index(b, cols));
    bool whole = q->inner % cols == 0;
    unsigned mark = emit_mark(&l->m);
    if (!whole)
        lp_if(b, lp_base(b, IR_LE, BZ_BOOL,
                         (lp_val[]){lp_iadd(b, lo, lp_index(b, cols)), lp_index(b, q->inner)}, 2));
    emit_vector(&l->m, q->c_sym, lo, q->lanes, q->width, 0);
    body(q, s, q->width);
    emit_forget(&l->m, mark);
    if (!whole) {
        lp_else(b, NULL, 0);
        lp_val c = lp_loop(b, LP_SERIAL, lo, lp_index(b, q->inner), q->lanes, NULL, 0, NULL);
        lp_val left = lp_base(b, IR_SUB, BZ_I64, (lp_val[]){lp_index(b, q->inner), c}, 2);
        emit_vector(&l->m, q->c_sym, c, q->lanes, 1,
                    q->lanes > 1 ? lower_tail_mask(l, left, q->lanes) : 0);
        body(q, s, 1);
        emit_forget(&l->m, mark);
        lp_end(b, NULL, 0, NULL);
        lp_end(b, NULL, 0, NULL);
    }
    emit_scalar(&l->m);
}

static lp_val quotient(col_kernel *q, lp_val x, int64_t d) {
    return lp_base(q->l->b, IR_IDIV, BZ_I64, (lp_val[]){x, lp_index(q->l->b, d)}, 2);
}

static lp_val rest(col_kernel *q, lp_val x, int64_t d) {
    return lp_base(q->l->b, IR_IMOD, BZ_I64, (lp_val[]){x, lp_index(q->l->b, d)}, 2);
}

/* A phase whose tasks are (outer row, strip), and a chain if `chained`. */
static void phase(col_kernel *q, strip_body *body, strip s, bool chained) {
    lower *l = q->l;
    lp_builder *b = l->b;
    int64_t per_row = q->strips * (chained ? q->chains : 1);
    unsigned mark = emit_mark(&l->m);
    lp_val t =
        lp_loop(b, LP_PARALLEL, lp_index(b, 0), lp_index(b, q->outer * per_row), 1, NULL, 0, NULL);
    emit_sym(&l->m, q->o_sym, quotient(q, t, per_row));
    lp_val in_row = rest(q, t, per_row);
    s.chain = chained ? quotient(q, in_row, q->strips) : 0;
    over_strip(q, rest(q, in_row, q->strips), body, &s);
    emit_forget(&l->m, mark);
    lp_end(b, NULL, 0, NULL);
}

static void choose_space(col_kernel *q) {
    unsigned kept = ir_at(q->l->g, q->x)->rank - q->a.naxes;
    for (unsigned inner = kept; inner > 0; inner--) {
        set_space(q, inner);
        if (linear(q)) return;
    }
    if (kept == 0) set_space(q, 0);
}

bool lower_col(lower *l) {
    col_kernel q = {.l = l,
                    .x = ir_operand(l->g, l->group->head, 0),
                    .a = ir_reduce_get(l->g, ir_at(l->g, l->group->head))};
    choose_space(&q);
    q.lanes = q.inner == 1 ? 1 : lower_lanes(l); /* a single column is no vector */
    q.width = lower_ops(l) <= 40 ? 4 : 2;
    while (q.width > 1 && q.inner < (int64_t)q.lanes * q.width) q.width /= 2;
    int64_t cols = (int64_t)q.lanes * q.width;
    q.strips = (q.inner + cols - 1) / cols;
    q.padded = q.strips * cols;
    q.chains = (q.k + IR_CHAIN - 1) / IR_CHAIN;
    if (q.chains > 1 && q.outer * q.strips < STRIPS_ENOUGH) {
        strip s = {.p = lower_work(l, q.a.acc, q.outer * q.chains * q.padded)};
        phase(&q, one_chain, s, true);
        phase(&q, combine, s, false);
    } else {
        strip s = {.p = q.chains > 1 ? lp_local(l->b, q.a.acc, q.chains * cols, LP_SCRATCH) : 0};
        phase(&q, all_chains, s, false);
    }
    return !l->m.failed;
}
