/* compose_draw.c - random tensors of other distributions than compose_random.c's, as functions of its uniform and normal numbers: the same on every device.
 *
 * What looks at a tensor of probabilities takes as many numbers of the stream as that has elements (f64: two words each). */
#include "src/ir/compose.h"

#include <math.h>

static ir_ref uniform(ir_graph *g, bz_dtype t, const ir_dim *dims, unsigned rank, ir_ref key,
                      ir_ref offset) {
    return ir_rand(g, ir_is_half(t) ? BZ_F32 : t, dims, rank, key, offset);
}

/* Uniform numbers of x's shape, in its op-math. */
static ir_ref uniform_like(ir_graph *g, ir_ref x, ir_ref key, ir_ref offset) {
    return uniform(g, ir_dtype(g, x), ir_dims(g, ir_at(g, x)), ir_at(g, x)->rank, key, offset);
}

static bool want_float(ir_graph *g, const char *name, bz_dtype t) {
    if (!ir_is_float(t))
        ir_error_as(g, BZ_EDTYPE, name, "a floating dtype is needed, not %s", ir_dtypes[t].name);
    return ir_is_float(t);
}

ir_ref ir_uniform(ir_graph *g, double low, double high, const ir_dim *shape, unsigned nshape,
                  bz_dtype dtype, ir_ref key, ir_ref offset) {
    if (!want_float(g, "uniform", dtype)) return 0;
    if (!(low <= high)) return ir_error_as(g, BZ_EARG, "uniform", "low <= high is needed");
    ir_ref u = uniform(g, dtype, shape, nshape, key, offset);
    if (!u) return 0;
    ir_ref wide = ir_times(g, u, ir_num(g, u, high - low));
    return ir_cast(g, ir_plus(g, wide, ir_num(g, u, low)), dtype);
}

ir_ref ir_normal(ir_graph *g, double mean, double std, const ir_dim *shape, unsigned nshape,
                 bz_dtype dtype, ir_ref key, ir_ref offset) {
    if (!want_float(g, "normal", dtype)) return 0;
    if (!(std >= 0)) return ir_error_as(g, BZ_EARG, "normal", "std >= 0 is needed");
    ir_ref z = ir_randn(g, ir_is_half(dtype) ? BZ_F32 : dtype, shape, nshape, key, offset);
    if (!z) return 0;
    ir_ref wide = ir_times(g, z, ir_num(g, z, std));
    return ir_cast(g, ir_plus(g, wide, ir_num(g, z, mean)), dtype);
}

/* -log(1 - u) / lambd */
ir_ref ir_exponential(ir_graph *g, double lambd, const ir_dim *shape, unsigned nshape,
                      bz_dtype dtype, ir_ref key, ir_ref offset) {
    if (!want_float(g, "exponential", dtype)) return 0;
    if (!(lambd > 0)) return ir_error_as(g, BZ_EARG, "exponential", "lambd > 0 is needed");
    ir_ref u = uniform(g, dtype, shape, nshape, key, offset);
    if (!u) return 0;
    ir_ref e = ir_build1(g, IR_NEG, ir_build1(g, IR_LOG1P, ir_build1(g, IR_NEG, u)));
    return ir_cast(g, ir_over(g, e, ir_num(g, u, lambd)), dtype);
}

/* The number of trials up to and with the first that succeeds: 1, 2 ... */
ir_ref ir_geometric(ir_graph *g, double p, const ir_dim *shape, unsigned nshape, bz_dtype dtype,
                    ir_ref key, ir_ref offset) {
    if (!(p > 0 && p < 1)) return ir_error_as(g, BZ_EARG, "geometric", "0 < p < 1 is needed");
    ir_ref u = ir_rand(g, BZ_F64, shape, nshape, key, offset);
    if (!u) return 0;
    ir_ref fails =
        ir_over(g, ir_build1(g, IR_LOG1P, ir_build1(g, IR_NEG, u)), ir_num(g, u, log1p(-p)));
    return ir_cast(g, ir_plus(g, ir_build1(g, IR_FLOOR, fails), ir_num(g, u, 1)), dtype);
}

ir_ref ir_rand_like(ir_graph *g, ir_ref x, ir_ref key, ir_ref offset) {
    return x ? ir_rand(g, ir_dtype(g, x), ir_dims(g, ir_at(g, x)), ir_at(g, x)->rank, key, offset)
             : 0;
}

ir_ref ir_randn_like(ir_graph *g, ir_ref x, ir_ref key, ir_ref offset) {
    return x ? ir_randn(g, ir_dtype(g, x), ir_dims(g, ir_at(g, x)), ir_at(g, x)->rank, key, offset)
             : 0;
}

/* 1 with probability x, else 0. */
ir_ref ir_bernoulli(ir_graph *g, ir_ref x, ir_ref key, ir_ref offset) {
    if (!x || !want_float(g, "bernoulli", ir_dtype(g, x))) return 0;
    ir_ref u = uniform_like(g, x, key, offset);
    return ir_cast(g, ir_build2(g, IR_LT, u, ir_build1(g, IR_STOP_GRADIENT, ir_math_in(g, x))),
                   ir_dtype(g, x));
}

ir_ref ir_dropout(ir_graph *g, ir_ref x, double p, bool training, ir_ref key, ir_ref offset) {
    if (!(p >= 0 && p <= 1)) return ir_error_as(g, BZ_EARG, "dropout", "0 <= p <= 1 is needed");
    if (!x || !want_float(g, "dropout", ir_dtype(g, x))) return 0;
    if (!training || p == 0) return x;
    if (p == 1) return ir_times(g, x, ir_num(g, x, 0));
    ir_ref u = uniform(g, BZ_F32, ir_dims(g, ir_at(g, x)), ir_at(g, x)->rank, key, offset);
    ir_ref kept = ir_build2(g, IR_LE, ir_const_f(g, BZ_F32, p), u);
    ir_ref more = ir_times(g, ir_math_in(g, x), ir_num(g, ir_math_in(g, x), 1 / (1 - p)));
    return ir_math_out(g, ir_build3(g, IR_SELECT, kept, more, ir_num(g, more, 0)), ir_dtype(g, x));
}

/* 0 .. n - 1 in an order by 63 random bits each: of equal ones the first, which happens once in 2^64 / n^2. */
ir_ref ir_randperm(ir_graph *g, int64_t n, ir_ref key, ir_ref offset) {
    ir_ref order = 0;
    if (n < 0) return ir_error_as(g, BZ_EARG, "randperm", "n is negative (%lld)", (long long)n);
    ir_dim dim = ir_dim_const(g, n);
    ir_ref bits = ir_randint(g, 0, INT64_MAX, &dim, 1, key, offset);
    return ir_sort(g, bits, 0, false, &order) ? order : 0;
}

/* -log of numbers with an exponential distribution, of x's shape. */
static ir_ref gumbel(ir_graph *g, ir_ref x, ir_ref key, ir_ref offset) {
    ir_ref u = uniform_like(g, x, key, offset);
    if (!u) return 0;
    ir_ref tiny =
        ir_num(g, u, ir_dtype(g, u) == BZ_F64 ? 0x1p-54 : 0x1p-25); /* in the middle of what is 0 */
    ir_ref log = ir_build1(g, IR_LOG, ir_build2(g, IR_MAX, u, tiny));
    return ir_build1(g, IR_NEG, ir_build1(g, IR_LOG, ir_build1(g, IR_NEG, log)));
}

/* Weights of classes along the last axis; without replacement the order of log w + gumbel noise, with it one race for each sample. */
ir_ref ir_multinomial(ir_graph *g, ir_ref x, int64_t num_samples, bool replacement, ir_ref key,
                      ir_ref offset) {
    int64_t n;
    if (!x || !want_float(g, "multinomial", ir_dtype(g, x))) return 0;
    const unsigned rank = ir_at(g, x)->rank;
    if (rank < 1 || rank > 2)
        return ir_error_as(g, BZ_ESHAPE, "multinomial", "%s is neither [C] nor [N, C]",
                           ir_shape_text(g, x));
    if (!ir_dim_value(g, ir_dims(g, ir_at(g, x))[rank - 1], &n) || num_samples < 1 ||
        (!replacement && num_samples > n))
        return ir_error_as(g, BZ_EARG, "multinomial", "no %lld samples of %s",
                           (long long)num_samples, ir_shape_text(g, x));
    ir_ref log = ir_build1(g, IR_LOG, ir_build1(g, IR_STOP_GRADIENT, ir_math_in(g, x)));
    if (!replacement) {
        ir_ref order = 0, race = ir_plus(g, log, gumbel(g, log, key, offset));
        return ir_sort(g, race, -1, true, &order)
                   ? ir_narrow(g, order, (int)rank - 1, 0, num_samples)
                   : 0;
    }
    ir_dim dims[3] = {ir_dims(g, ir_at(g, x))[0], 0, 0};
    dims[rank - 1] = ir_dim_const(g, num_samples);
    dims[rank] = ir_dims(g, ir_at(g, x))[rank - 1];
    ir_ref wide = ir_expand_dims_like(g, ir_unsqueeze(g, log, -2), dims, rank + 1);
    return wide ? ir_reduce(g, IR_ARGMAX, ir_plus(g, wide, gumbel(g, wide, key, offset)),
                            (int[]){-1}, 1, false)
                : 0;
}

/* softmax((x + gumbel noise) / tau); hard: 1 at its largest, with the gradient of the soft one. */
ir_ref ir_gumbel_softmax(ir_graph *g, ir_ref x, double tau, bool hard, int axis, ir_ref key,
                         ir_ref offset) {
    unsigned at;
    if (!x || !want_float(g, "gumbel_softmax", ir_dtype(g, x)) ||
        !ir_axis_of(g, "gumbel_softmax", x, axis, 0, &at))
        return 0;
    if (!(tau > 0)) return ir_error_as(g, BZ_EARG, "gumbel_softmax", "tau > 0 is needed");
    bz_dtype t = ir_dtype(g, x);
    ir_ref in = ir_math_in(g, x), noisy = ir_plus(g, in, gumbel(g, in, key, offset));
    ir_ref y = ir_softmax(g, ir_over(g, noisy, ir_num(g, in, tau)), (int)at);
    if (!hard || ir_at(g, x)->rank == 0) return ir_math_out(g, y, t);
    ir_dim dim = ir_dims(g, ir_at(g, x))[at];
    ir_ref best = ir_reduce(g, IR_ARGMAX, y, (int[]){(int)at}, 1, true),
           numbers = ir_iota(g, BZ_I64, &dim, 1, 0);
    for (unsigned a = at + 1u; a < ir_at(g, x)->rank; a++) numbers = ir_unsqueeze(g, numbers, -1);
    ir_ref one = ir_cast(g, ir_build2(g, IR_EQ, best, numbers), ir_dtype(g, y));
    ir_ref f = ir_build1(g, IR_STOP_GRADIENT, one), stand = ir_stand_in(g, f),
           d = ir_stand_in(g, f);
    return d ? ir_math_out(
                   g, ir_result(g, ir_custom_grad(g, (ir_ref[]){f, stand, d, y, d}, 1, 1), 0), t)
             : 0;
}
