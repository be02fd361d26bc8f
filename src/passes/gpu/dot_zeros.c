/* dot_zeros.c - products of which one factor's rows end with zeros: weights of attention that a causal mask hides.
 *
 *     x   . . . . . . 0 0 0 0       a band's rows lie in shared memory: the last step at which one of them is not 0 is looked for,
 *         . . . . . . . 0 0 0       and chains end behind it
 *     y               finite?       if they may: what is finite, times 0, changes no sum but -0
 *
 * The threads of a block tell one another by a place for each warp. */
#include "src/passes/gpu/dot_block.h"

enum { LEAST = 64 }; /* steps that are worth a look */

void dot_plan_zeros(dot_block *k, bool is_handed) {
    const dot_kernel *q = &k->q;
    k->sparse = is_handed && ir_is_float(q->a.acc) && !q->any_depth && q->k >= LEAST &&
                q->k % k->t.deep == 0 && q->k % DOT_LANES == 0 && k->x.along_k &&
                dot_may_have_zeros(q->l, q->x.r);
}

void dot_make_zeros(dot_block *k) {
    k->slots = lp_local(k->q.l->b, BZ_I64, dot_threads(k) / GPU_WARP, LP_SHARED);
}

static lp_val is_less(lp_builder *b, lp_val x, lp_val y) {
    return lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){x, y}, 2);
}

static lp_val choose(lp_builder *b, lp_val c, lp_val x, lp_val y) {
    return lp_base(b, IR_SELECT, BZ_I64, (lp_val[]){c, x, y}, 3);
}

/* The largest x of a block's threads, which all come here; not negative, at most `most`. */
static lp_val largest(dot_block *k, lp_val x, int64_t most) {
    lp_builder *b = k->q.l->b;
    const lp_val warp = lp_index(b, GPU_WARP), zero = lp_index(b, 0);
    for (unsigned far = GPU_WARP / 2; far > 0; far /= 2)
        x = lp_imax(b, x, lp_warp_shuffle(b, x, far));
    const lp_val lane = lp_imod(b, k->thread, warp);
    lp_if(b, lp_base(b, IR_EQ, BZ_BOOL, (lp_val[]){lane, zero}, 2));
    lp_store(b, k->slots, lp_idiv(b, k->thread, warp), x, 0, 0);
    lp_end(b, NULL, 0, NULL);
    lp_barrier(b);
    x = zero;
    for (unsigned i = 0; i < dot_threads(k) / GPU_WARP; i++)
        x = lp_imax(b, x, lp_load(b, k->slots, lp_index(b, i), 1, 0, 0));
    lp_barrier(b);
    return lp_imin(b, x, lp_index(b, most));
}

void dot_find_zeros(dot_block *k) {
    dot_kernel *q = &k->q;
    emitter *m = &q->l->m;
    lp_builder *b = m->b;
    const lp_val line = lp_index(b, q->k / DOT_LANES), lanes = lp_index(b, DOT_LANES);
    const lp_val rows = lp_imin(b, lp_index(b, k->x.size), lp_isub(b, q->x.count, k->m0));
    lp_val used = lp_index(b, 0), next;
    const lp_val e =
        lp_loop(b, LP_SERIAL, k->thread, lp_imul(b, rows, line), dot_threads(k), &used, 1, &next);
    const unsigned mark = emit_mark(m);
    const lp_val row = lp_idiv(b, e, line), step = lp_imul(b, lp_imod(b, e, line), lanes);
    emit_scalar(m);
    emit_sym(m, q->x.sym, lp_iadd(b, k->m0, row));
    emit_vector(m, q->k_sym, step, DOT_LANES, 1, 0);
    emit_value v = dot_widened(q, q->x.r, q->x.idx);
    lp_val two[2] = {emit_lane_value(m, &v, 0), lp_const(b, q->a.acc, 0, DOT_LANES)};
    const lp_val any = lp_any(b, lp_base(b, IR_NE, BZ_BOOL, two, 2));
    emit_forget(m, mark);
    emit_scalar(m);
    next = choose(b, any, lp_imax(b, next, lp_iadd(b, step, lanes)), next);
    lp_end(b, &next, 1, &used);
    k->used = largest(k, used, q->k);
}

/* 1 if one of the thread's sums is -0, or what it loads of y's steps from .. to is not finite. */
static lp_val may_not_end(dot_block *k, lp_val from, lp_val to, const lp_val *sum) {
    lp_builder *b = k->q.l->b;
    const bz_dtype t = k->q.a.acc, bits = t == BZ_F64 ? BZ_I64 : BZ_I32;
    const lp_val zero = lp_const(b, t, 0, DOT_LANES);
    lp_val minus = lp_const(b, t, ir_bits_from_f64(t, -0.0), DOT_LANES), any = 0, v[DOT_LOADS];
    lp_val made = zero, acc; /* of y times 0: what is not finite makes it no number */
    minus = lp_base(b, IR_BITCAST, bits, &minus, 1);
    for (unsigned i = 0; i < k->t.rows * k->nv; i++) {
        lp_val two[2] = {lp_base(b, IR_BITCAST, bits, &sum[i], 1), minus};
        lp_val is = lp_base(b, IR_EQ, BZ_BOOL, two, 2);
        any = any ? lp_base(b, IR_OR, BZ_BOOL, (lp_val[]){any, is}, 2) : is;
    }
    const lp_val step = lp_loop(b, LP_SERIAL, from, to, k->t.deep, &made, 1, &acc);
    const unsigned mark = emit_mark(&k->q.l->m), n = dot_load(k, &k->y, k->n0, step, v);
    for (unsigned i = 0; i < n; i++) {
        const unsigned lanes = lp_at(b, v[i])->lanes;
        lp_val x = lanes == 1 ? lp_splat(b, v[i], DOT_LANES) : v[i];
        acc = lp_base(b, IR_FMA, t, (lp_val[]){x, zero, acc}, 3);
    }
    emit_forget(&k->q.l->m, mark);
    lp_end(b, &acc, 1, &made);
    const lp_val bad = lp_base(b, IR_NE, BZ_BOOL, (lp_val[]){made, zero}, 2);
    const lp_val all = lp_any(b, lp_base(b, IR_OR, BZ_BOOL, (lp_val[]){any, bad}, 2));
    return choose(b, all, lp_index(b, 1), lp_index(b, 0));
}

void dot_sparse_turns(dot_block *k, lp_val from, lp_val to, dot_turns_of *turns, lp_val *sum) {
    lp_builder *b = k->q.l->b;
    const unsigned n = k->t.rows * k->nv;
    const lp_val deep = lp_index(b, k->t.deep), zero = lp_index(b, 0), one = lp_index(b, 1);
    lp_val next[DOT_SUMS + 1], state[DOT_SUMS + 1];
    /* behind the last turn that has something */
    lp_val some = lp_imax(b, zero, lp_isub(b, k->used, from));
    some = lp_imul(b, lower_cover(b, some, deep), deep);
    const lp_val middle = lp_imin(b, lp_iadd(b, from, some), to);
    for (unsigned i = 0; i < n; i++) state[i] = sum[i];
    state[n] = middle;
    const lp_val second = lp_loop(b, LP_SERIAL, zero, lp_index(b, 2), 1, state, n + 1, next);
    const lp_val is_first = is_less(b, second, one);
    turns(k, choose(b, is_first, from, middle), choose(b, is_first, middle, next[n]), next);
    const lp_val asks =
        lp_base(b, IR_AND, BZ_BOOL, (lp_val[]){is_first, is_less(b, middle, to)}, 2);
    lp_if(b, asks);
    const lp_val goes_on = largest(k, may_not_end(k, middle, to, next), 1);
    const lp_val end = choose(b, is_less(b, zero, goes_on), to, middle);
    lp_else(b, &end, 1);
    lp_end(b, &middle, 1, &next[n]);
    lp_end(b, next, n + 1, state);
    for (unsigned i = 0; i < n; i++) sum[i] = state[i];
}
