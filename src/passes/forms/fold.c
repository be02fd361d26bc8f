/* fold.c - the steps that reductions are made of, in the order that docs/numerics.md fixes. */
#include "src/passes/forms/forms.h"
#include "src/ir/loops/value_emit.h"

static const ir_op fold_ops[IR_NREDUCE] = {
    [IR_SUM] = IR_ADD,  [IR_PROD] = IR_MUL, [IR_RMAX] = IR_MAX,
    [IR_RMIN] = IR_MIN, [IR_ANY] = IR_OR,   [IR_ALL] = IR_AND};

lp_val fold_step(lower *l, const ir_reduce_attr *a, lp_val acc, lp_val x, lp_val mask) {
    const lp_val *v[3] = {&acc, &x, NULL};
    lp_val r;
    lp_value(l->b, fold_ops[a->kind], a->acc, v, 2, 1, &r);
    return mask ? lp_base(l->b, IR_SELECT, a->acc, (lp_val[]){mask, r, acc}, 3) : r;
}

ir_bits fold_identity(const ir_reduce_attr *a) {
    switch (a->kind) {
    case IR_PROD: return ir_bits_from_i64(a->acc, 1);
    case IR_ALL: return 1;
    case IR_RMAX: return ir_lowest(a->acc);
    case IR_RMIN: return ir_highest(a->acc);
    default: return 0;
    }
}

lp_val fold_widen(lower *l, const ir_reduce_attr *a, bz_dtype from, lp_val x) {
    return emit_cast(l->b, a->acc, from, x);
}

lp_val fold_narrow(lower *l, const ir_reduce_attr *a, bz_dtype to, lp_val x) {
    return emit_cast(l->b, to, a->acc, x);
}

lp_val fold_lanes(lower *l, const ir_reduce_attr *a, lp_val v, unsigned lanes) {
    uint32_t low[64], high[64];
    while (lanes > 1) {
        unsigned half = lanes / 2;
        for (unsigned i = 0; i < half; i++) {
            low[i] = i;
            high[i] = i + half;
        }
        lp_val x = half == 1 ? lp_extract(l->b, v, 0) : lp_shuffle(l->b, v, v, low, half);
        lp_val y = half == 1 ? lp_extract(l->b, v, 1) : lp_shuffle(l->b, v, v, high, half);
        v = fold_step(l, a, x, y, 0);
        lanes = half;
    }
    return v;
}

/* p[base + i * stride] as an address index. */
static lp_val place(lower *l, lp_val base, lp_val i, int64_t stride) {
    return lp_iadd(l->b, base, lp_imul(l->b, i, lp_index(l->b, stride)));
}

/* One level: n values become ceil(n / 2). */
static void pair_level(lower *l, const ir_reduce_attr *a, lp_val p, lp_val base, int64_t n,
                       int64_t stride, unsigned lanes) {
    lp_val i = lp_loop(l->b, LP_SERIAL, lp_index(l->b, 0), lp_index(l->b, n / 2), 1, NULL, 0, NULL);
    lp_val even = lp_imul(l->b, i, lp_index(l->b, 2));
    lp_val x = lp_load(l->b, p, place(l, base, even, stride), lanes, 0, 0);
    lp_val y = lp_load(l->b, p, place(l, base, lp_iadd(l->b, even, lp_index(l->b, 1)), stride),
                       lanes, 0, 0);
    lp_store(l->b, p, place(l, base, i, stride), fold_step(l, a, x, y, 0), 0, 0);
    lp_end(l->b, NULL, 0, NULL);
    if (n % 2) {
        lp_val odd = lp_load(l->b, p, place(l, base, lp_index(l->b, n - 1), stride), lanes, 0, 0);
        lp_store(l->b, p, place(l, base, lp_index(l->b, n / 2), stride), odd, 0, 0);
    }
}

lp_val fold_pairwise(lower *l, const ir_reduce_attr *a, lp_val p, lp_val base, int64_t n,
                     int64_t stride, unsigned lanes) {
    for (; n > 1; n = (n + 1) / 2) pair_level(l, a, p, base, n, stride, lanes);
    return lp_load(l->b, p, base, lanes, 0, 0);
}

/* A level: rows 2i and 2i + 1 of n become row i; an odd last one goes up as it is. */
static void row_level(lower *l, const ir_reduce_attr *a, lp_val p, lp_val base, lp_val n,
                      int64_t stride, int64_t columns, unsigned lanes) {
    lp_builder *b = l->b;
    lp_val zero = lp_index(b, 0), end = lp_index(b, columns), two = lp_index(b, 2);
    lp_val half = lp_idiv(b, n, two);
    lp_val i = lp_loop(b, LP_SERIAL, zero, half, 1, NULL, 0, NULL);
    lp_val even = place(l, base, lp_imul(b, i, two), stride), to = place(l, base, i, stride);
    lp_val c = lp_loop(b, LP_SERIAL, zero, end, lanes, NULL, 0, NULL);
    lp_val x = lp_load(b, p, lp_iadd(b, even, c), lanes, 0, 0);
    lp_val y = lp_load(b, p, lp_iadd(b, lp_iadd(b, even, lp_index(b, stride)), c), lanes, 0, 0);
    lp_store(b, p, lp_iadd(b, to, c), fold_step(l, a, x, y, 0), 0, 0);
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
    lp_val odd = lp_imod(b, n, two);
    lp_if(b, lp_base(b, IR_EQ, BZ_BOOL, (lp_val[]){odd, lp_index(b, 1)}, 2));
    lp_val last = place(l, base, lp_isub(b, n, lp_index(b, 1)), stride);
    to = place(l, base, half, stride);
    c = lp_loop(b, LP_SERIAL, zero, end, lanes, NULL, 0, NULL);
    lp_store(b, p, lp_iadd(b, to, c), lp_load(b, p, lp_iadd(b, last, c), lanes, 0, 0), 0, 0);
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
}

void fold_rows(lower *l, const ir_reduce_attr *a, lp_val p, lp_val base, lp_val n, int64_t stride,
               int64_t columns, unsigned lanes) {
    lp_builder *b = l->b;
    lp_val one = lp_index(b, 1), left, next;
    lp_while(b, &n, 1, &left);
    if (l->t->machine
            ->short_indices) /* said once more: what is in 0 .. n fits into 32 bits if n does */
        left = lp_imin(b, lp_imax(b, left, lp_index(b, 0)), n);
    row_level(l, a, p, base, left, stride, columns, lanes);
    next = lp_idiv(b, lp_iadd(b, left, one), lp_index(b, 2));
    lp_val more = lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){one, next}, 2);
    lp_end(b, (lp_val[]){more, next}, 2, &next);
}
