/* compose_put.c - what is taken and put by indices, under PyTorch's names.
 *
 *     scatter_*   along an axis, element by element; without x's own value where it begins from what changes nothing
 *     index_*     rows of an axis: one index for each */
#include "src/ir/compose.h"

#include <string.h>

/* ---- along an axis */

/* x with 1s along all axes but `axis` repeated to what `like` has there. */
static ir_ref as_long_as(ir_graph *g, ir_ref x, ir_ref like, unsigned axis) {
    ir_dim dims[IR_MAX_RANK];
    const unsigned rank = ir_at(g, x)->rank;
    if (rank != ir_at(g, like)->rank) return x;
    for (unsigned a = 0; a < rank; a++) {
        int64_t size = 0;
        dims[a] = ir_dims(g, ir_at(g, x))[a];
        if (a != axis && ir_dim_value(g, dims[a], &size) && size == 1)
            dims[a] = ir_dims(g, ir_at(g, like))[a];
    }
    return ir_expand_dims_like(g, x, dims, rank);
}

ir_ref ir_take_along_dim(ir_graph *g, ir_ref x, ir_ref index, int axis) {
    unsigned a;
    if (!x || !index) return 0;
    if (ir_at(g, x)->rank == 0 || ir_at(g, index)->rank == 0)
        return ir_gather_along(g, x, index, axis);
    if (!ir_axis_of(g, "take_along_dim", x, axis, 0, &a)) return 0;
    ir_ref own = as_long_as(g, index, x, a);
    return own ? ir_gather_along(g, as_long_as(g, x, own, a), own, (int)a) : 0;
}

ir_ref ir_put_along_dim(ir_graph *g, ir_ref x, ir_ref index, ir_ref src, int axis) {
    return ir_scatter_along(g, IR_BY_LAST, x, index, src, axis);
}

/* ---- rows */

/* Indices of rows: of one axis, or one number. false and an error. */
static bool names_rows(ir_graph *g, const char *name, ir_ref index) {
    if (index && ir_at(g, index)->rank <= 1) return true;
    if (index)
        ir_error_as(g, BZ_ESHAPE, name, "indices of rows have one axis, not %s",
                    ir_shape_text(g, index));
    return false;
}

static ir_ref as_list(ir_graph *g, ir_ref index) {
    return ir_at(g, index)->rank ? index : ir_reshape(g, index, (int64_t[]){1}, 1);
}

ir_ref ir_index_select(ir_graph *g, ir_ref x, ir_ref index, int axis) {
    if (!x || !names_rows(g, "index_select", index)) return 0;
    return ir_gather(g, x, as_list(g, index), axis);
}

/* src's rows, or one for all of index. */
static ir_ref rows_into(ir_graph *g, const char *name, ir_way way, ir_ref x, ir_ref index,
                        ir_ref src, int axis) {
    ir_dim dims[IR_MAX_RANK];
    unsigned a;
    if (!x || !src || !names_rows(g, name, index)) return 0;
    index = as_list(g, index);
    if (ir_at(g, x)->rank == 0) x = ir_reshape(g, x, (int64_t[]){1}, 1);
    const unsigned rank = ir_at(g, x)->rank;
    if (!index || !ir_axis_of(g, name, x, axis, 0, &a)) return 0;
    memcpy(dims, ir_dims(g, ir_at(g, x)), rank * sizeof *dims);
    dims[a] = ir_dims(g, ir_at(g, index))[0];
    if (ir_at(g, src)->rank == 0) src = ir_expand_dims_like(g, src, dims, rank);
    return ir_scatter(g, way, x, index, src, (int)a, false);
}

ir_ref ir_index_add(ir_graph *g, ir_ref x, ir_ref index, ir_ref src, int axis, double alpha) {
    if (!src) return 0;
    if (alpha != 1) src = ir_times(g, src, ir_num(g, src, alpha));
    return rows_into(g, "index_add", IR_BY_SUM, x, index, src, axis);
}

/* ---- reductions into x, along an axis or by rows */

typedef struct places {
    const char *name; /* of the call */
    bool rows;
    ir_ref index;
    int axis;
} places;

static ir_ref put(ir_graph *g, const places *p, ir_way way, ir_ref x, ir_ref y) {
    return p->rows ? rows_into(g, p->name, way, x, p->index, y, p->axis)
                   : ir_scatter_along(g, way, x, p->index, y, p->axis);
}

/* exclude_self: where y goes x begins from what changes nothing. */
static ir_ref reduced(ir_graph *g, const places *p, ir_way way, ir_ref x, ir_ref y,
                      bool exclude_self) {
    if (!x || !p->index || !y) return 0;
    if (exclude_self) {
        const bz_dtype t = ir_dtype(g, x);
        const ir_bits e = way == IR_BY_SUM ? 0 : ir_way_start(way, t);
        x = put(g, p, IR_BY_LAST, x, ir_const_bits(g, t, e, NULL, 0));
    }
    return put(g, p, way, x, y);
}

/* Sums over counts, which are 1 where there is nothing; of integers rounded down. */
static ir_ref mean(ir_graph *g, const places *p, ir_ref x, ir_ref src, bool exclude_self) {
    if (!x || !p->index || !src) return 0;
    const bz_dtype t = ir_dtype(g, x), wide = ir_is_float(t) ? ir_compute_dtype(t) : BZ_I64;
    x = ir_cast(g, x, wide);
    ir_ref sum = reduced(g, p, IR_BY_SUM, x, ir_cast(g, src, wide), exclude_self);
    if (!sum) return 0;
    ir_ref ones = ir_const_like(g, sum, 1),
           one = ir_const_bits(g, wide, ir_bits_from_i64(wide, 1), NULL, 0);
    ir_ref count = reduced(g, p, IR_BY_SUM, ones, one, exclude_self);
    count = ir_build2(g, IR_MAX, count, ones);
    return ir_cast(g, ir_build2(g, ir_is_float(t) ? IR_DIV : IR_FLOORDIV, sum, count), t);
}

static ir_ref combined(ir_graph *g, const places *p, ir_ref x, ir_ref src, int reduce,
                       bool exclude_self) {
    static const ir_way ways[] = {[IR_COMBINE_SUM] = IR_BY_SUM,
                                  [IR_COMBINE_PROD] = IR_BY_PROD,
                                  [IR_COMBINE_MEAN] = IR_BY_SUM,
                                  [IR_COMBINE_AMAX] = IR_BY_MAX,
                                  [IR_COMBINE_AMIN] = IR_BY_MIN};
    if (reduce < 0 || reduce >= (int)BZ_LEN(ways))
        return ir_error_as(g, BZ_EARG, p->name, "there is no reduction number %d", reduce);
    if (reduce == IR_COMBINE_MEAN) return mean(g, p, x, src, exclude_self);
    return reduced(g, p, ways[reduce], x, src, exclude_self);
}

ir_ref ir_scatter_sum(ir_graph *g, ir_ref x, ir_ref index, ir_ref src, int axis,
                      bool exclude_self) {
    return ir_scatter_reduce(g, x, index, src, axis, IR_COMBINE_SUM, exclude_self);
}

ir_ref ir_scatter_prod(ir_graph *g, ir_ref x, ir_ref index, ir_ref src, int axis,
                       bool exclude_self) {
    return ir_scatter_reduce(g, x, index, src, axis, IR_COMBINE_PROD, exclude_self);
}

ir_ref ir_scatter_amax(ir_graph *g, ir_ref x, ir_ref index, ir_ref src, int axis,
                       bool exclude_self) {
    return ir_scatter_reduce(g, x, index, src, axis, IR_COMBINE_AMAX, exclude_self);
}

ir_ref ir_scatter_amin(ir_graph *g, ir_ref x, ir_ref index, ir_ref src, int axis,
                       bool exclude_self) {
    return ir_scatter_reduce(g, x, index, src, axis, IR_COMBINE_AMIN, exclude_self);
}

ir_ref ir_scatter_mean(ir_graph *g, ir_ref x, ir_ref index, ir_ref src, int axis,
                       bool exclude_self) {
    return ir_scatter_reduce(g, x, index, src, axis, IR_COMBINE_MEAN, exclude_self);
}

ir_ref ir_scatter_reduce(ir_graph *g, ir_ref x, ir_ref index, ir_ref src, int axis, int reduce,
                         bool exclude_self) {
    const places p = {"scatter_reduce", false, index, axis};
    return combined(g, &p, x, src, reduce, exclude_self);
}

ir_ref ir_index_reduce(ir_graph *g, ir_ref x, ir_ref index, ir_ref src, int axis, int reduce,
                       bool exclude_self) {
    const places p = {"index_reduce", true, index, axis};
    return combined(g, &p, x, src, reduce, exclude_self);
}

ir_ref ir_index_copy(ir_graph *g, ir_ref x, ir_ref index, ir_ref src, int axis) {
    return rows_into(g, "index_copy", IR_BY_LAST, x, index, src, axis);
}

ir_ref ir_index_fill(ir_graph *g, ir_ref x, ir_ref index, ir_ref value, int axis) {
    if (value && ir_at(g, value)->rank)
        return ir_error_as(g, BZ_ESHAPE, "index_fill", "the value must be 0-d, not %s",
                           ir_shape_text(g, value));
    return rows_into(g, "index_fill", IR_BY_LAST, x, index, value, axis);
}

/* One number for the indices x[i0, i1, ...] of the first n axes, each of them checked and counted from the end by itself: what it is of its
 * axis is taken from a row of numbers. */
static ir_ref flat_index(ir_graph *g, const int64_t *shape, const ir_ref *index, unsigned n) {
    ir_ref flat = 0;
    for (unsigned d = 0; d < n; d++) {
        ir_dim dims[IR_MAX_RANK];
        const unsigned own = ir_at(g, index[d])->rank;
        memcpy(dims, ir_dims(g, ir_at(g, index[d])), own * sizeof *dims);
        for (unsigned a = 0; a <= d; a++) dims[own + a] = ir_dim_const(g, a == d ? shape[d] : 1);
        ir_ref numbers = ir_iota(g, BZ_I64, dims + own, d + 1, (int)d);
        ir_ref at = ir_gather(g, numbers, index[d], (int)d); /* [1 ..] and index's axes */
        at = ir_reshape_dims(g, at, dims, own);
        if (flat) flat = ir_times(g, flat, ir_const_i(g, BZ_I64, shape[d]));
        flat = flat ? ir_plus(g, flat, at) : at;
    }
    return flat;
}

/* All indices broadcast to one shape. */
static bool broadcast_indices(ir_graph *g, ir_ref *index, unsigned n) {
    ir_ref zero = 0;
    for (unsigned d = 0; d < n; d++) {
        if (!ir_is_int(ir_dtype(g, index[d]))) {
            ir_error_as(g, BZ_EDTYPE, "index_put", "indices must be integers, got %s",
                        ir_shape_text(g, index[d]));
            return false;
        }
        ir_ref own = ir_times(g, ir_as_index(g, index[d]), ir_const_i(g, BZ_I64, 0));
        zero = zero ? ir_plus(g, zero, own) : own;
    }
    for (unsigned d = 0; zero && d < n; d++)
        index[d] = ir_expand_dims_like(g, ir_as_index(g, index[d]), ir_dims(g, ir_at(g, zero)),
                                       ir_at(g, zero)->rank);
    return zero != 0;
}

ir_ref ir_index_put(ir_graph *g, ir_ref x, ir_ref values, const ir_ref *indices, unsigned n,
                    bool accumulate) {
    int64_t shape[IR_MAX_RANK], merged[IR_MAX_RANK];
    ir_ref index[IR_MAX_RANK];
    ir_dim dims[2 * IR_MAX_RANK];
    if (!x || !values) return 0;
    const unsigned rank = ir_at(g, x)->rank;
    if (n == 0 || n > rank)
        return ir_error_as(g, BZ_EARG, "index_put", "%u indices for %s", n, ir_shape_text(g, x));
    if (!ir_static_shape(g, x, shape))
        return ir_error_as(g, BZ_ESHAPE, "index_put", "%s has open sizes", ir_shape_text(g, x));
    memcpy(index, indices, n * sizeof *index);
    if (!broadcast_indices(g, index, n)) return 0;
    const unsigned own = ir_at(g, index[0])->rank, rest = rank - n;
    if (own + rest > IR_MAX_RANK)
        return ir_error_as(g, BZ_ESHAPE, "index_put", "the values have more than %d axes",
                           IR_MAX_RANK);
    ir_ref flat = n == 1 ? index[0] : flat_index(g, shape, index, n);
    if (!flat) return 0;
    merged[0] = 1;
    for (unsigned a = 0; a < n; a++) merged[0] *= shape[a];
    for (unsigned a = 0; a < rest; a++) merged[1 + a] = shape[n + a];
    memcpy(dims, ir_dims(g, ir_at(g, flat)), own * sizeof *dims);
    for (unsigned a = 0; a < rest; a++) dims[own + a] = ir_dim_const(g, shape[n + a]);
    values = ir_expand_dims_like(g, values, dims, own + rest);
    ir_ref r = ir_scatter(g, accumulate ? IR_BY_SUM : IR_BY_LAST,
                          ir_reshape(g, x, merged, 1 + rest), flat, values, 0, false);
    return ir_reshape(g, r, shape, rank);
}

/* ---- rows of a table */

ir_ref ir_embedding(ir_graph *g, ir_ref index, ir_ref weight, int64_t padding_idx) {
    if (!index || !weight) return 0;
    if (ir_at(g, weight)->rank != 2)
        return ir_error_as(g, BZ_ESHAPE, "embedding", "the weight must be [rows, width], not %s",
                           ir_shape_text(g, weight));
    ir_ref rows = ir_gather(g, weight, index, 0);
    if (padding_idx == INT64_MIN || !rows) return rows;
    ir_ref pad = ir_const_i(g, BZ_I64, padding_idx);
    if (padding_idx < 0) { /* from the end */
        const bool all[IR_MAX_RANK] = {true};
        pad = ir_plus(g, pad, ir_count(g, weight, all, BZ_I64));
    }
    ir_ref own = ir_as_index(g, index), is = ir_build2(g, IR_EQ, own, pad);
    is = ir_keep_axis(g, is, ir_at(g, index)->rank);
    ir_ref still = ir_build1(g, IR_STOP_GRADIENT, rows);
    return ir_build3(g, IR_SELECT, is, still, rows);
}

/* The rows of bags of one length, folded. */
static ir_ref even_bags(ir_graph *g, ir_ref rows, int mode) {
    const int axis = 1;
    int64_t n = 1;
    const bool none = ir_dim_value(g, ir_dims(g, ir_at(g, rows))[1], &n) && n == 0;
    if (mode == IR_BAG_MEAN && !none) return ir_mean(g, rows, &axis, 1, false);
    return ir_reduce(g, mode == IR_BAG_MAX && !none ? IR_RMAX : IR_SUM, rows, &axis, 1, false);
}

/* Each row in the bag that begins last before it, or at it. */
static ir_ref bags_at(ir_graph *g, ir_ref rows, ir_ref offsets, int mode) {
    ir_dim dims[2];
    const bz_dtype t = ir_dtype(g, rows), wide = ir_compute_dtype(t);
    memcpy(dims, ir_dims(g, ir_at(g, rows)), sizeof dims);
    ir_ref place = ir_iota(g, BZ_I64, dims, 1, 0);
    ir_ref bag = ir_minus(g, ir_searchsorted(g, offsets, place, true), ir_const_i(g, BZ_I64, 1));
    dims[0] = ir_dims(g, ir_at(g, offsets))[0];
    if (!bag || !(rows = ir_cast(g, rows, wide))) return 0;
    ir_ref zeros = ir_const_bits(g, wide, 0, dims, 2), sum;
    ir_ref ones = ir_const_like(g, rows, 1),
           count = ir_scatter(g, IR_BY_SUM, zeros, bag, ones, 0, false);
    if (mode == IR_BAG_MAX) {
        ir_ref start = ir_const_bits(g, wide, ir_way_start(IR_BY_MAX, wide), dims, 2);
        ir_ref most = ir_scatter(g, IR_BY_MAX, start, bag, rows, 0, false);
        return ir_cast(g, ir_build3(g, IR_SELECT, ir_build2(g, IR_EQ, count, zeros), zeros, most),
                       t);
    }
    sum = ir_scatter(g, IR_BY_SUM, zeros, bag, rows, 0, false);
    if (mode == IR_BAG_MEAN) sum = ir_over(g, sum, ir_build2(g, IR_MAX, count, ir_num(g, sum, 1)));
    return ir_cast(g, sum, t);
}

ir_ref ir_embedding_bag(ir_graph *g, ir_ref index, ir_ref weight, ir_ref offsets, int mode) {
    if (!index || !weight) return 0;
    if (mode < IR_BAG_SUM || mode > IR_BAG_MAX)
        return ir_error_as(g, BZ_EARG, "embedding_bag", "there is no mode number %d", mode);
    if (!ir_is_float(ir_dtype(g, weight)))
        return ir_error_as(g, BZ_EDTYPE, "embedding_bag", "the weight must be floats, not %s",
                           ir_shape_text(g, weight));
    const unsigned want = offsets ? 1 : 2;
    if (ir_at(g, index)->rank != want || (offsets && ir_at(g, offsets)->rank != 1))
        return ir_error_as(g, BZ_ESHAPE, "embedding_bag",
                           "indices are [bags, n], or [n] with offsets [bags], not %s%s%s",
                           ir_shape_text(g, index), offsets ? " with " : "",
                           offsets ? ir_shape_text(g, offsets) : "");
    ir_ref rows = ir_embedding(g, index, weight, INT64_MIN);
    if (!rows) return 0;
    return offsets ? bags_at(g, rows, offsets, mode) : even_bags(g, rows, mode);
}
