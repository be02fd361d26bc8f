/* compose_attention.c - scaled dot product attention as torch.nn.functional has it.
 *
 *     weights = softmax over s of (q . k scale, masked)      q [..., L, E], k [..., S, E]
 *     result  = weights . v                                  v [..., S, V] -> [..., L, V]
 *
 * It is what fusion makes one kernel of, forward, that never has all scores in memory (fuse_band.c). A row that nothing is seen of has
 * weights of 0, and so has its gradient. */
#include "src/ir/compose.h"

#include <math.h>

static const char name[] = "scaled_dot_product_attention";

typedef struct attention {
    ir_ref q, k, v, mask, noise; /* the last two may be 0 */
    double dropout, scale;
    bool causal;
} attention;

static ir_dim size_of(const ir_graph *g, ir_ref x, unsigned back) {
    const ir_node *n = ir_at(g, x);
    return ir_dims(g, n)[n->rank - back];
}

/* ---- checks: each false, with an error */

static bool fits(ir_graph *g, const attention *a) {
    const ir_ref x[3] = {a->q, a->k, a->v};
    for (unsigned i = 0; i < 3; i++) {
        if (!ir_is_float(ir_dtype(g, x[i])))
            return ir_error_as(g, BZ_EDTYPE, name, "floats are needed, not %s",
                               ir_shape_text(g, x[i])),
                   false;
        if (ir_at(g, x[i])->rank < 2)
            return ir_error_as(g, BZ_ESHAPE, name, "at least two axes are needed, not %s",
                               ir_shape_text(g, x[i])),
                   false;
    }
    if (size_of(g, a->q, 1) != size_of(g, a->k, 1) || size_of(g, a->k, 2) != size_of(g, a->v, 2))
        return ir_error_as(g, BZ_ESHAPE, name, "query %s, key %s and value %s do not fit",
                           ir_shape_text(g, a->q), ir_shape_text(g, a->k), ir_shape_text(g, a->v)),
               false;
    if (a->mask && a->causal)
        return ir_error_as(g, BZ_EARG, name, "a mask, or is_causal, but not both"), false;
    if (a->mask && !ir_is_float(ir_dtype(g, a->mask)) && ir_dtype(g, a->mask) != BZ_BOOL)
        return ir_error_as(g, BZ_EDTYPE, name, "a mask is bool or of floats, not %s",
                           ir_shape_text(g, a->mask)),
               false;
    if (!(a->dropout >= 0 && a->dropout <= 1))
        return ir_error_as(g, BZ_EARG, name, "dropout_p is %g: 0 to 1 are possible", a->dropout),
               false;
    if (a->dropout > 0 && !a->noise)
        return ir_error_as(g, BZ_EARG, name, "dropout needs noise, uniform numbers"), false;
    return true;
}

/* The heads of x, axis -3, each `times` times, side by side. */
static ir_ref repeated_heads(ir_graph *g, ir_ref x, int64_t times) {
    ir_dim wide[IR_MAX_RANK], dims[IR_MAX_RANK];
    const unsigned rank = ir_at(g, x)->rank, head = rank - 3;
    if (times == 1) return x;
    x = ir_unsqueeze(g, x, (int)head + 1);
    if (!x) return 0;
    for (unsigned i = 0; i <= rank; i++) wide[i] = ir_dims(g, ir_at(g, x))[i];
    wide[head + 1] = ir_dim_const(g, times);
    for (unsigned i = 0; i < rank; i++) dims[i] = wide[i <= head ? i : i + 1];
    dims[head] = ir_ex_mul(&g->m->ex, wide[head], wide[head + 1]);
    return ir_reshape_dims(g, ir_expand_dims_like(g, x, wide, rank + 1), dims, rank);
}

static bool group_heads(ir_graph *g, attention *a) {
    int64_t heads, own[2];
    ir_ref *x[2] = {&a->k, &a->v};
    for (unsigned i = 0; i < 2; i++) {
        const bool known = ir_at(g, a->q)->rank > 2 && ir_at(g, *x[i])->rank > 2 &&
                           ir_dim_value(g, size_of(g, a->q, 3), &heads) &&
                           ir_dim_value(g, size_of(g, *x[i], 3), &own[i]);
        if (!known || own[i] == 0 || heads % own[i])
            return ir_error_as(g, BZ_ESHAPE, name, "the heads of %s are no multiple of those of %s",
                               ir_shape_text(g, a->q), ir_shape_text(g, *x[i])),
                   false;
        *x[i] = repeated_heads(g, *x[i], heads / own[i]);
    }
    return true;
}

/* ---- what is computed */

/* Row numbers [L, 1], column numbers [S]: a row sees the columns up to its own. */
static ir_ref without_later(ir_graph *g, ir_ref s) {
    const ir_dim rows[2] = {size_of(g, s, 2), ir_dim_const(g, 1)}, cols = size_of(g, s, 1);
    ir_ref row = ir_reshape_dims(g, ir_iota(g, BZ_I64, rows, 1, 0), rows, 2);
    ir_ref col = ir_iota(g, BZ_I64, &cols, 1, 0);
    return ir_build3(g, IR_SELECT, ir_build2(g, IR_GT, col, row), ir_num(g, s, -INFINITY), s);
}

static ir_ref masked(ir_graph *g, const attention *a, ir_ref s) {
    if (a->causal) return without_later(g, s);
    if (!a->mask) return s;
    if (ir_dtype(g, a->mask) == BZ_BOOL)
        return ir_build3(g, IR_SELECT, a->mask, s, ir_num(g, s, -INFINITY));
    return ir_plus(g, s, ir_cast(g, a->mask, ir_dtype(g, s)));
}

/* softmax of s with the gradient p (d - sum d p). may_be_blind: rows of -inf alone give 0. */
static ir_ref weights_of(ir_graph *g, ir_ref s, bool may_be_blind) {
    const int axis = -1;
    ir_ref from = ir_build1(g, IR_STOP_GRADIENT, s), m = ir_reduce(g, IR_RMAX, from, &axis, 1, true);
    if (may_be_blind) {
        ir_ref blind = ir_build2(g, IR_EQ, m, ir_num(g, m, -INFINITY));
        m = ir_build3(g, IR_SELECT, blind, ir_num(g, m, 0), m);
    }
    ir_ref e = ir_build1(g, IR_EXP, ir_minus(g, from, m));
    ir_ref sum = ir_reduce(g, IR_SUM, e, &axis, 1, true);
    if (may_be_blind) {
        ir_ref none = ir_build2(g, IR_EQ, sum, ir_num(g, sum, 0));
        sum = ir_build3(g, IR_SELECT, none, ir_num(g, sum, 1), sum);
    }
    ir_ref p = ir_over(g, e, sum), y = ir_stand_in(g, p), d = ir_stand_in(g, p);
    ir_ref all = ir_reduce(g, IR_SUM, ir_times(g, d, y), &axis, 1, true);
    ir_ref back = ir_times(g, ir_minus(g, d, all), y);
    return back ? ir_result(g, ir_custom_grad(g, (ir_ref[]){p, y, d, s, back}, 1, 1), 0) : 0;
}

static ir_ref dropped(ir_graph *g, const attention *a, ir_ref p) {
    if (a->dropout == 0 || !p) return p;
    ir_ref noise = ir_cast(g, a->noise, ir_dtype(g, p));
    ir_ref gone = ir_build2(g, IR_LT, noise, ir_num(g, p, a->dropout));
    ir_ref kept = ir_times(g, p, ir_num(g, p, a->dropout < 1 ? 1 / (1 - a->dropout) : 0));
    return ir_build3(g, IR_SELECT, gone, ir_num(g, p, 0), kept);
}

ir_ref ir_scaled_dot_product_attention(ir_graph *g, ir_ref query, ir_ref key, ir_ref value,
                                       ir_ref attn_mask, ir_ref noise, double dropout_p,
                                       bool is_causal, double scale, bool enable_gqa) {
    attention a = {query, key, value, attn_mask, noise, dropout_p, scale, is_causal};
    int64_t e, s;
    if (!query || !key || !value || !fits(g, &a)) return 0;
    const bz_dtype t = ir_promote(ir_promote(ir_dtype(g, query), ir_dtype(g, key)), ir_dtype(g, value)),
                   in = ir_compute_dtype(t);
    if (!scale) {
        if (!ir_dim_value(g, size_of(g, query, 1), &e))
            return ir_error_as(g, BZ_EUNSUPPORTED, name, "the last axis of %s must be known",
                               ir_shape_text(g, query));
        a.scale = e ? 1 / sqrt((double)e) : 1;
    }
    if (ir_dim_value(g, size_of(g, key, 2), &s) && s == 0)
        return ir_error_as(g, BZ_ESHAPE, name, "there is no key in %s", ir_shape_text(g, key));
    if (enable_gqa && !group_heads(g, &a)) return 0;
    a.q = ir_cast(g, a.q, in);
    a.k = ir_transpose(g, ir_cast(g, a.k, in), -2, -1);
    a.v = ir_cast(g, a.v, in);
    ir_ref scores = ir_matmul(g, a.q, a.k);
    scores = scores ? ir_times(g, scores, ir_num(g, scores, a.scale)) : 0;
    ir_ref seen = scores ? masked(g, &a, scores) : 0;
    if (seen && !ir_same_shape(g, seen, scores))
        return ir_error_as(g, BZ_ESHAPE, name, "mask %s does not fit scores %s",
                           ir_shape_text(g, attn_mask), ir_shape_text(g, scores));
    ir_ref p = seen ? dropped(g, &a, weights_of(g, seen, attn_mask != 0)) : 0;
    if (p && !ir_same_shape(g, p, scores))
        return ir_error_as(g, BZ_ESHAPE, name, "noise %s does not fit scores %s",
                           ir_shape_text(g, noise), ir_shape_text(g, scores));
    return p ? ir_cast(g, ir_matmul(g, p, a.v), t) : 0;
}
