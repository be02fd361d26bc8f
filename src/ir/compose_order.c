/* compose_order.c - what stands at a place of a sorted axis: medians, quantiles; and counts of what falls into bins.
 *
 *     x --sort along an axis--> values, indices --rows at a place--> result          NaN is last: where the last one is NaN, all is */
#include "src/ir/compose.h"

#include <math.h>

/* One axis of x to order along, of known size: axes as argmax has them, none for the flattened tensor. false and an error. */
typedef struct ordered {
    ir_ref x;               /* the axis last */
    ir_ref values, indices; /* sorted */
    int64_t n;
    unsigned rank, at; /* of x, as it was; rank of x flattened: 1 */
    bool all;
} ordered;

static bool axis_last(ir_graph *g, const char *name, ir_ref x, const int *axes, unsigned n,
                      ordered *o) {
    int64_t shape[IR_MAX_RANK];
    if (!x) return false;
    if (n > 1)
        return ir_error_as(g, BZ_EAXIS, name, "takes one axis, or none for the flattened tensor"),
               false;
    if (!ir_static_shape(g, x, shape))
        return ir_error_as(g, BZ_EUNSUPPORTED, name, "the sizes of %s must be known",
                           ir_shape_text(g, x)),
               false;
    o->all = n == 0;
    o->rank = ir_at(g, x)->rank;
    o->at = 0;
    if (!o->all && !ir_axis_of(g, name, x, axes[0], 0, &o->at)) return false;
    if (o->all || o->rank == 0) x = ir_reshape(g, x, (int64_t[]){-1}, 1);
    if (!x || !ir_static_shape(g, x, shape)) return false;
    unsigned at = o->all || o->rank == 0 ? 0 : o->at;
    o->n = shape[at];
    if (o->n == 0)
        return ir_error_as(g, BZ_ESHAPE, name, "there is none of nothing: %s", ir_shape_text(g, x)),
               false;
    if (at + 1u < ir_at(g, x)->rank) {
        int perm[IR_MAX_RANK];
        unsigned rank = ir_at(g, x)->rank, k = 0;
        for (unsigned a = 0; a < rank; a++)
            if (a != at) perm[k++] = (int)a;
        perm[k] = (int)at;
        x = ir_permute(g, x, perm, rank);
    }
    o->x = x;
    return x != 0;
}

static bool in_order(ir_graph *g, const char *name, ir_ref x, const int *axes, unsigned n,
                     ordered *o) {
    if (!axis_last(g, name, x, axes, n, o)) return false;
    o->values = ir_sort(g, o->x, -1, false, &o->indices);
    return o->values != 0;
}

/* x, which lost the ordered axis, with it as size 1 if keepdim. */
static ir_ref kept(ir_graph *g, const ordered *o, ir_ref x, bool keepdim) {
    if (!keepdim || o->rank == 0) return x;
    if (!o->all) return ir_keep_axis(g, x, o->at);
    ir_dim dims[IR_MAX_RANK], one = ir_dim_const(g, 1);
    for (unsigned a = 0; a < o->rank; a++) dims[a] = one;
    return ir_reshape_dims(g, x, dims, o->rank);
}

/* Place number k, the same of each row. */
static ir_ref at_place(ir_graph *g, ir_ref v, int64_t k) {
    return ir_select(g, v, -1, k);
}

/* The place that each row says, an i64 of the rows' shape: by comparing, inside the row. */
static ir_ref at_each(ir_graph *g, ir_ref v, ir_ref place, int64_t n) {
    ir_dim dim = ir_dim_const(g, n);
    ir_ref numbers = ir_iota(g, BZ_I64, &dim, 1, 0);
    ir_ref hit = ir_build2(g, IR_EQ, ir_unsqueeze(g, place, -1), numbers);
    ir_ref none = ir_const_f(g, ir_dtype(g, v), 0);
    return ir_cast(
        g, ir_reduce(g, IR_SUM, ir_build3(g, IR_SELECT, hit, v, none), (int[]){-1}, 1, false),
        ir_dtype(g, v));
}

/* The number of the last element that is no NaN; 0 where there is none. */
static ir_ref last_number(ir_graph *g, const ordered *o) {
    ir_ref there = ir_build1(g, IR_LNOT, ir_build1(g, IR_ISNAN, o->values));
    ir_ref count = ir_reduce(g, IR_SUM, there, (int[]){-1}, 1, false);
    return ir_build2(g, IR_MAX, ir_minus(g, count, ir_const_i(g, BZ_I64, 1)),
                     ir_const_i(g, BZ_I64, 0));
}

/* ---- medians: the lower one of two */

ir_ref ir_median(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, bool keepdim,
                 ir_ref *indices) {
    ordered o;
    if (!axis_last(g, "median", x, axes, naxes, &o)) return 0;
    ir_ref i = 0, v = ir_kthvalue(g, o.x, (o.n - 1) / 2 + 1, -1, false, &i);
    if (ir_is_float(ir_dtype(g, x))) { /* NaN, the first one */
        ir_ref nan = ir_build1(g, IR_ISNAN, o.x);
        ir_ref some = ir_reduce(g, IR_ANY, nan, (int[]){-1}, 1, false),
               first = ir_reduce(g, IR_ARGMAX, ir_cast(g, nan, BZ_I32), (int[]){-1}, 1, false);
        ir_ref there = ir_gather_along(g, o.x, ir_unsqueeze(g, first, -1), -1);
        i = ir_build3(g, IR_SELECT, some, first, i);
        v = ir_build3(g, IR_SELECT, some, ir_select(g, there, -1, 0), v);
    }
    *indices = kept(g, &o, i, keepdim);
    return kept(g, &o, v, keepdim);
}

ir_ref ir_nanmedian(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, bool keepdim,
                    ir_ref *indices) {
    ordered o;
    if (x && !ir_is_float(ir_dtype(g, x))) return ir_median(g, x, axes, naxes, keepdim, indices);
    if (!in_order(g, "nanmedian", x, axes, naxes, &o)) return 0;
    ir_ref place = ir_build2(g, IR_SHR, last_number(g, &o), ir_const_i(g, BZ_I64, 1));
    *indices = kept(g, &o, at_each(g, o.indices, place, o.n), keepdim);
    ir_ref nan = ir_build1(g, IR_ISNAN, o.values),
           clean = ir_build3(g, IR_SELECT, nan, ir_num(g, o.values, 0), o.values);
    ir_ref v = at_each(g, clean, place, o.n);
    v = ir_build3(g, IR_SELECT, ir_build1(g, IR_ISNAN, at_place(g, o.values, 0)),
                  at_place(g, o.values, 0), v);
    return kept(g, &o, v, keepdim);
}

/* ---- the most frequent element, the smallest of several; each is compared with all of its row */

ir_ref ir_mode(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, bool keepdim,
               ir_ref *indices) {
    ordered o;
    if (!in_order(g, "mode", x, axes, naxes, &o)) return 0;
    ir_ref column = ir_unsqueeze(g, o.values, -1);
    ir_ref same = ir_build2(g, IR_EQ, column, ir_unsqueeze(g, o.values, -2));
    ir_ref often = ir_reduce(g, IR_SUM, same, (int[]){-1}, 1, false);
    ir_ref place = ir_reduce(g, IR_ARGMAX, often, (int[]){-1}, 1, false);
    *indices = kept(g, &o, at_each(g, o.indices, place, o.n), keepdim);
    return kept(g, &o, at_each(g, o.values, place, o.n), keepdim);
}

/* ---- quantiles: q, 0-d or [k], whose axis comes first in the result */

/* The value between those at floor and ceil of rank, as the mode says. */
static ir_ref between(ir_graph *g, ir_ref low, ir_ref high, ir_ref part, int mode) {
    ir_ref half = ir_num(g, part, 0.5);
    switch (mode) {
    case IR_INTERPOLATION_LOWER: return low;
    case IR_INTERPOLATION_HIGHER: return high;
    case IR_INTERPOLATION_MIDPOINT: return ir_build3(g, IR_LERP, low, high, half);
    default: return ir_build3(g, IR_LERP, low, high, part);
    }
}

static ir_ref quantile(ir_graph *g, const char *name, ir_ref x, ir_ref q, const int *axes,
                       unsigned n, bool keepdim, int mode, bool nan) {
    ordered o;
    if (!x || !q) return 0;
    if (mode < IR_INTERPOLATION_LINEAR || mode > IR_INTERPOLATION_NEAREST)
        return ir_error_as(g, BZ_EARG, name, "there is no interpolation %d", mode);
    if (ir_at(g, q)->rank > 1)
        return ir_error_as(g, BZ_ESHAPE, name, "q is 0-d or [k], not %s", ir_shape_text(g, q));
    bz_dtype t = ir_dtype(g, x);
    bool several = ir_at(g, q)->rank == 1;
    if (!in_order(g, name, ir_math_in(g, x), axes, n, &o)) return 0;
    ir_ref v = o.values,
           clean = ir_build3(g, IR_SELECT, ir_build1(g, IR_ISNAN, v), ir_num(g, v, 0), v);
    /* ranks: of q alone, or of each row besides; q's axis in front */
    q = ir_cast(g, q, BZ_F64);
    ir_ref last = nan ? last_number(g, &o) : ir_const_i(g, BZ_I64, o.n - 1);
    unsigned rows = ir_at(g, v)->rank - 1u;
    for (unsigned a = 0; several && a < rows && q; a++) q = ir_unsqueeze(g, q, -1);
    ir_ref rank = ir_times(g, q, ir_cast(g, last, BZ_F64));
    if (mode == IR_INTERPOLATION_NEAREST) rank = ir_build1(g, IR_RINT, rank);
    if (!rank) return 0;
    ir_ref floor = ir_build1(g, IR_FLOOR, rank),
           part = ir_cast(g, ir_minus(g, rank, floor), ir_dtype(g, v));
    ir_ref lo = ir_cast(g, floor, BZ_I64), hi = ir_cast(g, ir_build1(g, IR_CEIL, rank), BZ_I64);
    ir_ref low = at_each(g, clean, lo, o.n), high = at_each(g, clean, hi, o.n);
    ir_ref y = between(g, low, high, part, mode);
    ir_ref in = ir_build2(g, IR_AND, ir_build2(g, IR_LE, ir_num(g, q, 0), q),
                          ir_build2(g, IR_LE, q, ir_num(g, q, 1)));
    y = ir_build3(g, IR_SELECT, in, y, ir_num(g, y, (double)NAN));
    ir_ref edge = at_place(g, v, nan ? 0 : o.n - 1); /* NaN: a NaN among them, or nothing but */
    y = ir_build3(g, IR_SELECT, ir_build1(g, IR_ISNAN, edge), edge, y);
    if (!y || !keepdim || o.rank == 0) return ir_math_out(g, y, t);
    if (!o.all) return ir_math_out(g, ir_keep_axis(g, y, o.at + several), t);
    for (unsigned a = 0; a < o.rank && y; a++) y = ir_keep_axis(g, y, several);
    return ir_math_out(g, y, t);
}

ir_ref ir_quantile(ir_graph *g, ir_ref x, ir_ref q, const int *axes, unsigned naxes, bool keepdim,
                   int interpolation) {
    return quantile(g, "quantile", x, q, axes, naxes, keepdim, interpolation, false);
}

ir_ref ir_nanquantile(ir_graph *g, ir_ref x, ir_ref q, const int *axes, unsigned naxes,
                      bool keepdim, int interpolation) {
    return quantile(g, "nanquantile", x, q, axes, naxes, keepdim, interpolation, true);
}

/* ---- bins */

/* Of each number how many of x's elements it is, or the sum of their weights. */
ir_ref ir_bincount(ir_graph *g, ir_ref x, ir_ref weights, int64_t minlength) {
    if (!x) return 0;
    if (!ir_is_int(ir_dtype(g, x)) || ir_dtype(g, x) == BZ_BOOL || ir_at(g, x)->rank != 1)
        return ir_error_as(g, BZ_EDTYPE, "bincount", "a vector of integers is needed, not %s",
                           ir_shape_text(g, x));
    if (minlength < 0)
        return ir_error_as(g, BZ_EARG, "bincount", "minlength is negative (%lld)",
                           (long long)minlength);
    if (weights && !ir_same_shape(g, x, weights))
        return ir_error_as(g, BZ_ESHAPE, "bincount", "weights %s do not fit %s",
                           ir_shape_text(g, weights), ir_shape_text(g, x));
    /* the integer of a negative one would count from the end */
    ir_ref index = ir_as_index(g, x),
           low = ir_build2(g, IR_LT, index, ir_const_i(g, BZ_I64, 0));
    index = ir_build3(g, IR_SELECT, low, ir_const_i(g, BZ_I64, INT64_MAX), index);
    bz_dtype t = !weights ? BZ_I64 : ir_dtype(g, weights) == BZ_F32 ? BZ_F32 : BZ_F64;
    ir_ref w =
        weights ? ir_cast(g, weights, t) : ir_const_bits(g, BZ_I64, 1, ir_dims(g, ir_at(g, x)), 1);
    return ir_scatter_add(g, w, index, 0, ir_dim_const(g, minlength));
}

/* How many elements fall into each of `bins` equal parts of min .. max, both ends included; min = max: those of x. */
ir_ref ir_histc(ir_graph *g, ir_ref x, int64_t bins, double min, double max) {
    int64_t n;
    if (!x) return 0;
    bz_dtype t = ir_dtype(g, x);
    if (!ir_is_float(t))
        return ir_error_as(g, BZ_EDTYPE, "histc", "floats are needed, not %s", ir_shape_text(g, x));
    if (bins < 1)
        return ir_error_as(g, BZ_EARG, "histc", "bins > 0 is needed, not %lld", (long long)bins);
    if (!(min <= max)) return ir_error_as(g, BZ_EARG, "histc", "min <= max is needed");
    if (!ir_numel(g, x, &n))
        return ir_error_as(g, BZ_EUNSUPPORTED, "histc", "the sizes of %s must be known",
                           ir_shape_text(g, x));
    x = ir_build1(g, IR_STOP_GRADIENT, ir_reshape(g, ir_math_in(g, x), (int64_t[]){-1}, 1));
    bool own = min == max && n > 0;
    ir_ref low = own ? ir_reduce(g, IR_RMIN, x, NULL, 0, false) : ir_num(g, x, min),
           high = own ? ir_reduce(g, IR_RMAX, x, NULL, 0, false) : ir_num(g, x, max);
    ir_ref flat = ir_build2(g, IR_EQ, low, high),
           one = ir_num(g, x, 1); /* all elements are one: a unit around it */
    ir_ref from = ir_build3(g, IR_SELECT, flat, ir_minus(g, low, one), low);
    ir_ref to = ir_build3(g, IR_SELECT, flat, ir_plus(g, high, one), high);
    ir_ref in = ir_build2(g, IR_AND, ir_build2(g, IR_LE, from, x), ir_build2(g, IR_LE, x, to));
    ir_ref part = ir_over(g, ir_minus(g, x, from), ir_minus(g, to, from));
    ir_ref at = ir_cast(g, ir_times(g, part, ir_num(g, x, (double)bins)), BZ_I64);
    at = ir_build3(g, IR_CLAMP, at, ir_const_i(g, BZ_I64, 0), ir_const_i(g, BZ_I64, bins - 1));
    ir_ref counts = ir_scatter_add(g, ir_cast(g, in, BZ_I64), at, 0, ir_dim_const(g, bins));
    return ir_cast(g, counts, t);
}
