/* compose_random.c - random tensors from Philox words: the same bits on every device.
 *
 *     word number:    offset  +1    +2    +3   | +4 ...        four words: a block of Philox4x32-10
 *     rand f32           0     1     2     3   |  4            one word an element
 *     rand f64           0     0     1     1   |  2            two words
 *     randn f32         (0     1)   (2     3)  | (4 ...        two from two words (Box-Muller)
 *     randn f64         (0     0     1     1)  | (2 ...        two from four words
 *
 * A stream handed out in pieces should be cut at multiples of four words. */
#include "src/ir/compose.h"

static ir_ref int64(ir_graph *g, int64_t v) {
    return ir_const_i(g, BZ_I64, v);
}

unsigned ir_random_words(bz_dtype t) {
    return t == BZ_F64 || t == BZ_I64 ? 2 : 1;
}

ir_ref ir_first_word(ir_graph *g, const char *name, const ir_dim *dims, unsigned rank, ir_ref key,
                     ir_ref offset, unsigned words) {
    if (!key || !offset) return 0;
    if (ir_at(g, key)->rank || ir_at(g, offset)->rank || ir_dtype(g, key) != BZ_I64 ||
        ir_dtype(g, offset) != BZ_I64)
        return ir_error_as(g, BZ_EARG, name, "key and offset must be i64[], not %s and %s",
                           ir_shape_text(g, key), ir_shape_text(g, offset));
    ir_dim all = ir_dim_const(g, 1);
    for (unsigned a = 0; a < rank; a++) all = ir_ex_mul(&g->m->ex, all, dims[a]);
    ir_ref i = ir_reshape_dims(g, ir_iota(g, BZ_I64, &all, 1, 0), dims, rank);
    return ir_plus(g, words == 1 ? i : ir_times(g, i, int64(g, words)), offset);
}

ir_ref ir_word_at(ir_graph *g, ir_ref n, int64_t k) {
    ir_ref block = ir_plus(g, n, int64(g, k & -4));
    return k & 3 ? ir_build2(g, IR_OR, block, int64(g, k & 3)) : block;
}

ir_ref ir_stream_word(ir_graph *g, ir_ref n, ir_ref key, int drop) {
    ir_ref w = ir_build2(g, IR_PHILOX, n, key);
    return drop ? ir_build2(g, IR_SHR, w, int64(g, drop)) : w;
}

/* The same as a number of dtype t times 2^-(32 - drop): in [0, 1). Exact; i32 on the way because
 * vectors convert that fast. */
static ir_ref fraction(ir_graph *g, ir_ref n, ir_ref key, bz_dtype t, int drop) {
    ir_ref w = ir_cast(g, ir_cast(g, ir_stream_word(g, n, key, drop), BZ_I32), t);
    return ir_times(g, w, ir_const_f(g, t, 1.0 / (double)(INT64_C(1) << (32 - drop))));
}

ir_ref ir_bits53(ir_graph *g, ir_ref n, ir_ref key) {
    ir_ref high = ir_build2(g, IR_SHL, ir_stream_word(g, n, key, 5), int64(g, 26));
    return ir_build2(g, IR_OR, high, ir_stream_word(g, ir_plus(g, n, int64(g, 1)), key, 6));
}

static ir_ref fraction53(ir_graph *g, ir_ref bits) {
    return ir_times(g, ir_cast(g, bits, BZ_F64), ir_const_f(g, BZ_F64, 0x1p-53));
}

static bool want_float(ir_graph *g, const char *name, bz_dtype t) {
    if (!ir_is_float(t))
        ir_error_as(g, BZ_EDTYPE, name, "a floating dtype is needed, not %s", ir_dtypes[t].name);
    return ir_is_float(t);
}

ir_ref ir_rand(ir_graph *g, bz_dtype t, const ir_dim *dims, unsigned rank, ir_ref key,
               ir_ref offset) {
    if (!want_float(g, "rand", t)) return 0;
    ir_ref n = ir_first_word(g, "rand", dims, rank, key, offset, ir_random_words(t));
    if (t == BZ_F64) return fraction53(g, ir_bits53(g, n, key));
    /* as many as t holds: 1 is never reached by rounding */
    int digits = t == BZ_F32 ? 24 : t == BZ_F16 ? 11 : 8;
    return ir_cast(g, fraction(g, n, key, BZ_F32, 32 - digits), t);
}

/* sqrt(-2 log u) times the cosine of 2 pi v where `cosine` holds, else the sine. */
static ir_ref box_muller(ir_graph *g, ir_ref u, ir_ref v, ir_ref cosine) {
    ir_ref r = ir_build1(g, IR_SQRT, ir_times(g, ir_build1(g, IR_LOG, u), ir_num(g, u, -2)));
    ir_ref angle = ir_times(g, v, ir_num(g, v, 0x1.921fb54442d18p+2));
    ir_ref sin = ir_build1(g, IR_SIN, angle), cos = ir_build1(g, IR_COS, angle);
    ir_ref wave = ir_build3(g, IR_SELECT, cosine, cos, sin);
    return ir_times(g, r, wave);
}

/* Is `bit` of n clear? */
static ir_ref is_clear(ir_graph *g, ir_ref n, int64_t bit) {
    return ir_build2(g, IR_EQ, ir_build2(g, IR_AND, n, int64(g, bit)), int64(g, 0));
}

static ir_ref randn_f64(ir_graph *g, ir_ref n, ir_ref key) {
    ir_ref block = ir_build2(g, IR_AND, n, int64(g, -4));
    ir_ref u = fraction53(g, ir_plus(g, ir_bits53(g, block, key), int64(g, 1))); /* in (0, 1] */
    ir_ref v = fraction53(g, ir_bits53(g, ir_plus(g, block, int64(g, 2)), key));
    return box_muller(g, u, v, is_clear(g, n, 2));
}

/* u = (31 bits + 1/2) 2^-31, in [2^-32, 1]: a tail to 6.66 deviations. */
static ir_ref randn_f32(ir_graph *g, ir_ref n, ir_ref key) {
    ir_ref pair = ir_build2(g, IR_AND, n, int64(g, -2));
    ir_ref w = ir_cast(g, ir_cast(g, ir_stream_word(g, pair, key, 1), BZ_I32), BZ_F32);
    ir_ref u = ir_times(g, ir_plus(g, w, ir_num(g, w, 0.5)), ir_num(g, w, 0x1p-31));
    ir_ref v = fraction(g, ir_plus(g, pair, int64(g, 1)), key, BZ_F32, 8);
    return box_muller(g, u, v, is_clear(g, n, 1));
}

ir_ref ir_randn(ir_graph *g, bz_dtype t, const ir_dim *dims, unsigned rank, ir_ref key,
                ir_ref offset) {
    if (!want_float(g, "randn", t)) return 0;
    ir_ref n = ir_first_word(g, "randn", dims, rank, key, offset, ir_random_words(t));
    return t == BZ_F64 ? randn_f64(g, n, key) : ir_cast(g, randn_f32(g, n, key), t);
}

/* 63 random bits mod range: the largest bias is range / 2^63. */
static ir_ref bits_below(ir_graph *g, ir_ref n, ir_ref key, int64_t range) {
    ir_ref high = ir_build2(g, IR_SHL, ir_stream_word(g, n, key, 1), int64(g, 32));
    ir_ref bits = ir_build2(g, IR_OR, high, ir_stream_word(g, ir_plus(g, n, int64(g, 1)), key, 0));
    return ir_build2(g, IR_IMOD, bits, int64(g, range));
}

/* 64 random bits mod a range of 2^63 or more, both without a sign: what reaches beyond it begins anew. */
static ir_ref bits_below_wide(ir_graph *g, ir_ref n, ir_ref key, int64_t range) {
    ir_ref high = ir_build2(g, IR_SHL, ir_stream_word(g, n, key, 0), int64(g, 32));
    ir_ref bits = ir_build2(g, IR_OR, high, ir_stream_word(g, ir_plus(g, n, int64(g, 1)), key, 0));
    ir_ref below = ir_build2(g, IR_LT, ir_build2(g, IR_XOR, bits, int64(g, INT64_MIN)),
                             int64(g, range ^ INT64_MIN));
    return ir_build3(g, IR_SELECT, below, bits, ir_build2(g, IR_SUB, bits, int64(g, range)));
}

ir_ref ir_randint(ir_graph *g, int64_t lo, int64_t hi, const ir_dim *dims, unsigned rank,
                  ir_ref key, ir_ref offset) {
    if (lo >= hi)
        return ir_error_as(g, BZ_EARG, "randint", "no range from %lld to below %lld", (long long)lo,
                           (long long)hi);
    ir_ref n = ir_first_word(g, "randint", dims, rank, key, offset, ir_random_words(BZ_I64));
    int64_t range;
    bool wide = __builtin_sub_overflow(hi, lo, &range);
    return ir_plus(g, wide ? bits_below_wide(g, n, key, range) : bits_below(g, n, key, range),
                   int64(g, lo));
}
