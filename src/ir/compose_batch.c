/* compose_batch.c - normalisation over other axes than the last: batch, instance and group norm, and by neighbouring channels.
 *
 *     batch      x [N, C, S...]        mean and variance of each c        or those that were gathered while training
 *     instance   x [N, C, S...]        of each n and c
 *     group      x [N, G, C/G, S...]   of each n and g
 *
 * The variance is ir_var's, whose gradient needs two sums over x that do not wait for each other. */
#include "src/ir/complex.h"
#include "src/ir/compose.h"

#include <inttypes.h>

/* Axes of x other than `keep`; how many. */
static unsigned other_axes(const ir_graph *g, ir_ref x, unsigned keep, int *axes) {
    unsigned n = 0;
    for (unsigned a = 0; a < ir_at(g, x)->rank; a++)
        if (a != keep) axes[n++] = (int)a;
    return n;
}

/* v [C] as it broadcasts along axis `axis` of x: [1, C, 1 ...]. */
static ir_ref along(ir_graph *g, ir_ref v, ir_ref x, unsigned axis) {
    ir_dim dims[IR_MAX_RANK];
    const unsigned rank = ir_at(g, x)->rank;
    if (!v) return 0;
    for (unsigned a = 0; a < rank; a++) dims[a] = ir_dim_const(g, 1);
    dims[axis] = ir_dims(g, ir_at(g, v))[0];
    return ir_reshape_dims(g, v, dims, rank);
}

/* Is there a vector for the channels, axis 1 of x, or none? */
static bool fits_channels(ir_graph *g, const char *name, const char *what, ir_ref x, ir_ref v) {
    if (!v || (ir_at(g, v)->rank == 1 && ir_dims(g, ir_at(g, v))[0] == ir_dims(g, ir_at(g, x))[1]))
        return true;
    return ir_error_as(g, BZ_ESHAPE, name, "%s %s does not fit the channels, axis 1 of %s", what,
                       ir_shape_text(g, v), ir_shape_text(g, x)),
           false;
}

typedef struct norm {
    const char *name;
    ir_ref x, mean, var, weight, bias; /* mean, var: gathered; those that may miss are 0 */
    double momentum, eps;
} norm;

static bool fits(ir_graph *g, const norm *q) {
    if (ir_at(g, q->x)->rank < 2)
        return ir_error_as(g, BZ_ESHAPE, q->name, "x has samples, channels and more, not %s",
                           ir_shape_text(g, q->x)),
               false;
    if (!q->mean != !q->var)
        return ir_error_as(g, BZ_EARG, q->name, "a running mean and variance, or neither"), false;
    return fits_channels(g, q->name, "running_mean", q->x, q->mean) &&
           fits_channels(g, q->name, "running_var", q->x, q->var) &&
           fits_channels(g, q->name, "weight", q->x, q->weight) &&
           fits_channels(g, q->name, "bias", q->x, q->bias);
}

/* (x - mean) / sqrt(var + eps), times weight, plus bias, which are of the channels, axis 1. */
static ir_ref scaled(ir_graph *g, const norm *q, ir_ref x, ir_ref mean, ir_ref var) {
    ir_ref d = ir_minus(g, x, mean);
    ir_ref r = ir_build1(g, IR_RSQRT, ir_plus(g, var, ir_num(g, var, q->eps)));
    ir_ref y = ir_times(g, d, r);
    if (q->weight) y = ir_times(g, y, along(g, ir_math_in(g, q->weight), x, 1));
    if (q->bias) y = ir_plus(g, y, along(g, ir_math_in(g, q->bias), x, 1));
    return y;
}

/* (1 - momentum) old + momentum now, in old's dtype. */
static ir_ref gathered(ir_graph *g, const norm *q, ir_ref old, ir_ref now) {
    const bz_dtype t = ir_dtype(g, old);
    if (!now) return 0;
    old = ir_math_in(g, old);
    now = ir_cast(g, ir_build1(g, IR_STOP_GRADIENT, now), ir_dtype(g, old));
    ir_ref kept = ir_times(g, old, ir_num(g, old, 1 - q->momentum));
    ir_ref more = ir_times(g, now, ir_num(g, old, q->momentum));
    return ir_cast(g, ir_plus(g, kept, more), t);
}

/* Values that one mean is made of, if they are known; an error for one alone, whose variance is not a number. */
static bool enough(ir_graph *g, const norm *q, const int *axes, unsigned n) {
    int64_t count = 1, v;
    for (unsigned i = 0; i < n; i++) {
        if (!ir_dim_value(g, ir_dims(g, ir_at(g, q->x))[axes[i]], &v)) return true;
        count = bz_times(count, v);
    }
    if (count > 1) return true;
    return ir_error_as(g, BZ_ESHAPE, q->name,
                       "more than one value for each channel is needed while training, not %s",
                       ir_shape_text(g, q->x)),
           false;
}

/* By statistics of x over its axes but `keep`, which are handed out without those. *mean, *var: what is gathered from now on. */
static ir_ref by_own(ir_graph *g, const norm *q, ir_ref x, const int *axes, unsigned n,
                     ir_ref *mean, ir_ref *var) {
    ir_ref m = ir_mean(g, x, axes, n, true), v = ir_var(g, x, axes, n, 0, true);
    ir_ref y = scaled(g, q, x, m, v);
    *mean = q->mean ? ir_mean(g, x, axes, n, false) : 0;
    *var = q->mean ? ir_var(g, x, axes, n, 1, false) : 0;
    return y;
}

ir_ref ir_batch_norm(ir_graph *g, ir_ref x, ir_ref running_mean, ir_ref running_var, ir_ref weight,
                     ir_ref bias, bool training, double momentum, double eps, ir_ref *mean,
                     ir_ref *var) {
    if (x && ir_is_complex(ir_dtype(g, x))) return ir_not_for_complex(g, IR_NIL, "batch_norm");
    const norm q = {"batch_norm", x, running_mean, running_var, weight, bias, momentum, eps};
    int axes[IR_MAX_RANK];
    ir_ref own_mean, own_var;
    if (!x || !fits(g, &q)) return 0;
    const bz_dtype t = ir_dtype(g, x);
    *mean = running_mean;
    *var = running_var;
    if (!training && !running_mean)
        return ir_error_as(g, BZ_EARG, q.name,
                           "running_mean and running_var are needed unless it is training");
    ir_ref in = ir_math_in(g, x);
    if (!training) {
        ir_ref m = along(g, ir_math_in(g, running_mean), x, 1);
        return ir_math_out(g, scaled(g, &q, in, m, along(g, ir_math_in(g, running_var), x, 1)), t);
    }
    const unsigned n = other_axes(g, x, 1, axes);
    if (!enough(g, &q, axes, n)) return 0;
    ir_ref y = by_own(g, &q, in, axes, n, &own_mean, &own_var);
    *mean = running_mean ? gathered(g, &q, running_mean, own_mean) : 0;
    *var = running_var ? gathered(g, &q, running_var, own_var) : 0;
    return ir_math_out(g, y, t);
}

ir_ref ir_instance_norm(ir_graph *g, ir_ref x, ir_ref running_mean, ir_ref running_var,
                        ir_ref weight, ir_ref bias, bool use_input_stats, double momentum, double eps,
                        ir_ref *mean, ir_ref *var) {
    if (x && ir_is_complex(ir_dtype(g, x))) return ir_not_for_complex(g, IR_NIL, "instance_norm");
    const norm q = {"instance_norm", x, running_mean, running_var, weight, bias, momentum, eps};
    int axes[IR_MAX_RANK], samples = 0;
    ir_ref own_mean, own_var;
    if (!x || !fits(g, &q)) return 0;
    *mean = running_mean;
    *var = running_var;
    if (!use_input_stats)
        return ir_batch_norm(g, x, running_mean, running_var, weight, bias, false, momentum, eps,
                             mean, var);
    const bz_dtype t = ir_dtype(g, x);
    const unsigned rank = ir_at(g, x)->rank;
    for (unsigned a = 2; a < rank; a++) axes[a - 2] = (int)a;
    if (!enough(g, &q, axes, rank - 2)) return 0;
    ir_ref y = by_own(g, &q, ir_math_in(g, x), axes, rank - 2, &own_mean, &own_var);
    own_mean = own_mean ? ir_mean(g, own_mean, &samples, 1, false) : 0;
    own_var = own_var ? ir_mean(g, own_var, &samples, 1, false) : 0;
    *mean = running_mean ? gathered(g, &q, running_mean, own_mean) : 0;
    *var = running_var ? gathered(g, &q, running_var, own_var) : 0;
    return ir_math_out(g, y, t);
}

/* ---- groups of channels */

/* v [C] as [G, C/G, 1 ...], for x [N, G, C/G, S...]. */
static ir_ref of_groups(ir_graph *g, ir_ref v, ir_ref x) {
    ir_dim dims[IR_MAX_RANK];
    const unsigned rank = ir_at(g, x)->rank - 1;
    for (unsigned a = 0; a < rank; a++)
        dims[a] = a < 2 ? ir_dims(g, ir_at(g, x))[a + 1] : ir_dim_const(g, 1);
    return ir_reshape_dims(g, ir_math_in(g, v), dims, rank);
}

ir_ref ir_group_norm(ir_graph *g, ir_ref x, ir_ref weight, ir_ref bias, int num_groups,
                     double eps) {
    if (x && ir_is_complex(ir_dtype(g, x))) return ir_not_for_complex(g, IR_NIL, "group_norm");
    const norm q = {"group_norm", x, 0, 0, weight, bias, 0, eps};
    int axes[IR_MAX_RANK];
    ir_dim dims[IR_MAX_RANK];
    int64_t c;
    if (!x || !fits(g, &q)) return 0;
    const unsigned rank = ir_at(g, x)->rank;
    const bz_dtype t = ir_dtype(g, x);
    if (!ir_dim_value(g, ir_dims(g, ir_at(g, x))[1], &c) || num_groups < 1 || c % num_groups)
        return ir_error_as(g, BZ_ESHAPE, q.name, "the channels of %s are not %d groups",
                           ir_shape_text(g, x), num_groups);
    for (unsigned a = 0, to = 0; a < rank; a++) {
        dims[to++] = a == 1 ? ir_dim_const(g, num_groups) : ir_dims(g, ir_at(g, x))[a];
        if (a == 1) dims[to++] = ir_dim_const(g, c / num_groups);
    }
    for (unsigned a = 2; a <= rank; a++) axes[a - 2] = (int)a;
    ir_ref in = ir_reshape_dims(g, ir_math_in(g, x), dims, rank + 1);
    ir_ref m = ir_mean(g, in, axes, rank - 1, true), v = ir_var(g, in, axes, rank - 1, 0, true);
    ir_ref d = ir_minus(g, in, m);
    ir_ref y = ir_times(g, d, ir_build1(g, IR_RSQRT, ir_plus(g, v, ir_num(g, v, eps))));
    if (weight) y = ir_times(g, y, of_groups(g, weight, in));
    if (bias) y = ir_plus(g, y, of_groups(g, bias, in));
    for (unsigned a = 0; a < rank; a++) dims[a] = ir_dims(g, ir_at(g, x))[a];
    return ir_math_out(g, ir_reshape_dims(g, y, dims, rank), t);
}

/* ---- by neighbouring channels */

/* The sum of `size` channels of x around each, zeros beside them, with the counts fixed: axis 1 as windows in front. */
static ir_ref neighbours(ir_graph *g, ir_ref x, int64_t size) {
    int64_t shape[IR_MAX_RANK + 1], strides[IR_MAX_RANK + 1], lo[IR_MAX_RANK] = {0},
                                                              hi[IR_MAX_RANK] = {0}, step = 1;
    const unsigned rank = ir_at(g, x)->rank;
    ir_static_shape(g, x, shape + 1);
    lo[1] = size / 2;
    hi[1] = (size - 1) / 2;
    x = ir_pad(g, x, lo, hi, 0);
    for (unsigned a = rank; a-- > 0; step *= shape[a + 1] + lo[a] + hi[a]) {
        strides[a + 1] = step;
        if (a == 1) shape[0] = size, strides[0] = step;
    }
    x = ir_as_strided(g, x, shape, strides, rank + 1, 0);
    return ir_reduce(g, IR_SUM, x, (int[]){0}, 1, false);
}

ir_ref ir_local_response_norm(ir_graph *g, ir_ref x, int64_t size, double alpha, double beta,
                              double k) {
    if (x && ir_is_complex(ir_dtype(g, x))) return ir_not_for_complex(g, IR_NIL, "local_response_norm");
    int64_t shape[IR_MAX_RANK];
    if (!x) return 0;
    const bz_dtype t = ir_dtype(g, x);
    if (ir_at(g, x)->rank < 3)
        return ir_error_as(g, BZ_ESHAPE, "local_response_norm",
                           "x has samples, channels and more, not %s", ir_shape_text(g, x));
    if (!ir_static_shape(g, x, shape))
        return ir_error_as(g, BZ_EUNSUPPORTED, "local_response_norm",
                           "the sizes of %s must be known", ir_shape_text(g, x));
    if (size < 1 || size > IR_CONV_MOST)
        return ir_error_as(g, BZ_EARG, "local_response_norm",
                           "size is %" PRId64 ": 1 to 2^30 are possible", size);
    x = ir_math_in(g, x);
    ir_ref sum = neighbours(g, ir_times(g, x, x), size);
    ir_ref mean = ir_over(g, sum, ir_num(g, x, (double)size));
    ir_ref base = ir_plus(g, ir_times(g, mean, ir_num(g, x, alpha)), ir_num(g, x, k));
    return ir_math_out(g, ir_over(g, x, ir_build2(g, IR_POW, base, ir_num(g, base, beta))), t);
}
