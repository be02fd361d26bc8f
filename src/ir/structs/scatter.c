/* scatter.c - x, with y combined into it where integer indices say: the transpose of gather.
 *
 *     rows    x[o, index[i], c] = way(x[...], y[o, i, c])          i: all axes of index, ascending
 *     along   x[o, index[o, i, c], c] = way(x[...], y[o, i, c])    i ascending; other axes of index may be shorter
 *
 * So the order in which values meet at one place is the indices'; where nothing is combined the last one stays. */
#include "src/ir/structs.h"
#include "src/ir/value.h"

#include <inttypes.h>
#include <string.h>

/* The dtype in which elements of t are combined. */
static bz_dtype combined_as(ir_way way, bz_dtype t) {
    if (way == IR_BY_LAST) return t;
    return t == BZ_BOOL ? BZ_U8 : ir_compute_dtype(t);
}

/* Sums and products of truth values are or and and. */
static ir_way way_for(ir_way way, bz_dtype t) {
    if (t != BZ_BOOL) return way;
    return way == IR_BY_SUM ? IR_BY_MAX : way == IR_BY_PROD ? IR_BY_MIN : way;
}

static ir_ref rows_fit(ir_graph *g, ir_ref x, ir_ref index, ir_ref y, unsigned axis) {
    const unsigned rank = ir_at(g, x)->rank, own = ir_at(g, index)->rank;
    bool fits = ir_at(g, y)->rank + 1u == rank + own;
    for (unsigned a = 0; fits && a < ir_at(g, y)->rank; a++) {
        const ir_dim d = dims_of(g, y)[a];
        fits = d == (a < axis         ? dims_of(g, x)[a]
                     : a < axis + own ? dims_of(g, index)[a - axis]
                                      : dims_of(g, x)[a - own + 1]);
    }
    if (fits) return y;
    return ir_error(g, BZ_ESHAPE, IR_SCATTER, "%s is not %s with the axes of the indices %s at %u",
                    ir_shape_text(g, y), ir_shape_text(g, x), ir_shape_text(g, index), axis);
}

/* y is combined into x at no place. */
static bool is_nothing(ir_graph *g, ir_ref index, ir_ref y) {
    int64_t n = 1, rows = 1;
    return (ir_numel(g, y, &n) && n == 0) || (ir_numel(g, index, &rows) && rows == 0);
}

ir_ref ir_scatter(ir_graph *g, ir_way way, ir_ref x, ir_ref index, ir_ref y, int axis,
                  bool along) {
    if (!x || !index || !y) return 0;
    const bz_dtype t = ir_dtype(g, x), own = combined_as(way, t);
    const unsigned rank = ir_at(g, x)->rank;
    ir_dim dims[IR_MAX_RANK];
    int64_t a = ir_front_axis(g, IR_SCATTER, x, axis, rank), size = 1;
    if (a < 0) return 0;
    if (!ir_is_int(ir_dtype(g, index)))
        return ir_error(g, BZ_EDTYPE, IR_SCATTER, "indices must be integers, got %s",
                        ir_shape_text(g, index));
    if (!along && !rows_fit(g, x, index, y, (unsigned)a)) return 0;
    memcpy(dims, dims_of(g, x), rank * sizeof *dims);
    if (is_nothing(g, index, y)) return x;
    if (ir_dim_value(g, dims[a], &size) && size == 0)
        return ir_error(g, BZ_EINDEX, IR_SCATTER, "axis %" PRId64 " of %s has no place for indices %s",
                        a, ir_shape_text(g, x), ir_shape_text(g, index));
    x = ir_cast(g, x, own);
    index = ir_as_index(g, index);
    y = ir_cast(g, y, own);
    if (!x || !index || !y) return 0;
    const int64_t attr[3] = {way_for(way, t), a, along};
    return ir_cast(
        g, ir_append(g, IR_SCATTER, own, dims, rank, (ir_ref[]){x, index, y}, 3, attr, 3), t);
}

ir_ref ir_scatter_along(ir_graph *g, ir_way way, ir_ref x, ir_ref index, ir_ref y, int axis) {
    if (!x || !index || !y) return 0;
    const bool scalar = ir_at(g, x)->rank == 0;
    if (scalar) x = ir_reshape(g, x, (int64_t[]){1}, 1);
    if (ir_at(g, index)->rank == 0) index = ir_reshape(g, index, (int64_t[]){1}, 1);
    if (!x || !index) return 0;
    const unsigned rank = ir_at(g, x)->rank;
    int64_t a = ir_front_axis(g, IR_SCATTER, x, axis, rank), want[IR_MAX_RANK], have[IR_MAX_RANK];
    if (a < 0 || !ir_check_along(g, IR_SCATTER, x, index, (unsigned)a)) return 0;
    if (ir_at(g, y)->rank == 0)
        y = ir_expand_dims_like(g, y, dims_of(g, index), rank);
    else if (!ir_same_shape(g, y, index)) { /* as far as there are indices */
        int64_t zero[IR_MAX_RANK] = {0}, one[IR_MAX_RANK];
        bool fits = ir_at(g, y)->rank == rank && ir_static_shape(g, index, want) &&
                    ir_static_shape(g, y, have);
        for (unsigned d = 0; fits && d < rank; d++) fits = want[d] <= have[d], one[d] = 1;
        if (!fits)
            return ir_error(g, BZ_ESHAPE, IR_SCATTER, "%s has fewer elements along an axis than the indices %s",
                            ir_shape_text(g, y), ir_shape_text(g, index));
        y = ir_slice_exact(g, y, zero, want, one);
    }
    ir_ref rows = ir_rows_of_index(g, x, index, (unsigned)a), r;
    r = rows ? ir_scatter(g, way, x, rows, y, (int)a, false)
             : ir_scatter(g, way, x, index, y, (int)a, true);
    return scalar ? ir_reshape(g, r, NULL, 0) : r;
}

ir_ref ir_scatter_add(ir_graph *g, ir_ref x, ir_ref index, int axis, ir_dim size) {
    if (!x || !index || !size) return 0;
    unsigned xr = ir_at(g, x)->rank, ir = ir_at(g, index)->rank, rank = 0;
    if (xr < ir)
        return ir_error(g, BZ_ESHAPE, IR_SCATTER, "%s has no axes for the indices %s",
                        ir_shape_text(g, x), ir_shape_text(g, index));
    int a = ir_front_axis(g, IR_SCATTER, x, axis, xr - ir + 1);
    if (a < 0 || !ir_check_rank(g, IR_SCATTER, xr - ir + 1)) return 0;
    bool fits = true;
    for (unsigned i = 0; i < ir; i++)
        fits &= dims_of(g, x)[(unsigned)a + i] == dims_of(g, index)[i];
    if (!fits)
        return ir_error(g, BZ_ESHAPE, IR_SCATTER, "%s does not have the indices' axes %s at %d",
                        ir_shape_text(g, x), ir_shape_text(g, index), a);
    ir_dim dims[IR_MAX_RANK + 1];
    for (int i = 0; i < a; i++) dims[rank++] = dims_of(g, x)[i];
    dims[rank++] = size;
    for (unsigned i = (unsigned)a + ir; i < xr; i++) dims[rank++] = dims_of(g, x)[i];
    if (!ir_check_size(g, IR_SCATTER, dims, rank)) return 0;
    ir_ref zeros = ir_const_bits(g, ir_dtype(g, x), 0, dims, rank);
    return ir_scatter(g, IR_BY_SUM, zeros, index, x, a, false);
}

/* ---- is the node right? */

static bool rows_are_right(const ck *c, const ir_node *x, const ir_node *index, const ir_node *y) {
    const unsigned axis = (unsigned)c->attr[1];
    if (index->dtype != BZ_I64) return ck_wrong(c, BZ_EDTYPE, "the indices must be i64");
    bool fits = y->rank + 1u == x->rank + index->rank;
    for (unsigned a = 0; fits && a < y->rank; a++)
        fits = ck_dim(c, y, a) == (a < axis                 ? ck_dim(c, x, a)
                                   : a < axis + index->rank ? ck_dim(c, index, a - axis)
                                                            : ck_dim(c, x, a - index->rank + 1));
    return fits || ck_wrong(c, BZ_ESHAPE, "the rows are not x's with the indices' axes");
}

bool ck_scatter(const ck *c) {
    const ir_node *x = ck_in(c, 0), *index = ck_in(c, 1), *y = ck_in(c, 2);
    const bz_dtype t = (bz_dtype)x->dtype;
    if (!ck_attrs(c, 3) || !ck_axis(c, c->attr[1], x->rank) || !ck_like(c, x)) return false;
    if (c->attr[0] < 0 || c->attr[0] >= IR_NWAYS || c->attr[0] == IR_BY_LOG)
        return ck_wrong(c, BZ_EARG, "the attributes are no scatter");
    if (y->dtype != x->dtype) return ck_wrong(c, BZ_EDTYPE, "x and y have two dtypes");
    if (c->attr[0] != IR_BY_LAST && (ir_is_half(t) || t == BZ_BOOL))
        return ck_wrong(c, BZ_EDTYPE, "%s cannot be combined", ir_dtypes[t].name);
    if (!c->attr[2]) return rows_are_right(c, x, index, y);
    if (!ck_along(c, x, index, (unsigned)c->attr[1])) return false;
    bool fits = y->rank == index->rank;
    for (unsigned a = 0; fits && a < y->rank; a++) fits = ck_dim(c, y, a) == ck_dim(c, index, a);
    return fits || ck_wrong(c, BZ_ESHAPE, "y does not have the shape of the indices");
}

/* ---- its value */

static void combine(const ir_vprog *op, const it_array *out, int64_t to, const it_array *y,
                    int64_t from) {
    const bz_dtype t = out->dtype;
    const ir_bits own = ir_load_bits(t, it_element(y, from));
    const ir_bits there = ir_load_bits(t, it_element(out, to));
    ir_store_bits(t, it_element(out, to),
                  op ? ir_value_eval_bits(op, (ir_bits[3]){there, own, 0}) : own);
}

static bool combine_along(it_state *s, ir_ref r, const ir_vprog *op, unsigned axis) {
    const it_array *index = it_operand(s, r, 1), *y = it_operand(s, r, 2), *out = &s->slot[r].a;
    int64_t strides[IR_MAX_RANK], row, i = 0;
    it_strides(out, strides);
    const int64_t stride = strides[axis];
    strides[axis] = 0;
    for (it_walk w = it_begin(index->rank, index->shape, strides, 0); w.left; it_next(&w), i++) {
        if (!it_row_of(s, r, i, axis, out->shape[axis], &row)) return false;
        combine(op, out, w.at + row * stride, y, i);
    }
    return true;
}

bool it_scatter(it_state *s, ir_ref r) {
    const it_array *x = it_operand(s, r, 0), *index = it_operand(s, r, 1),
                   *y = it_operand(s, r, 2), *out = &s->slot[r].a;
    const ir_way way = (ir_way)it_attrs(s, r)[0];
    const unsigned axis = (unsigned)it_attrs(s, r)[1];
    const bz_dtype t = out->dtype;
    const ir_vprog *op = way == IR_BY_LAST ? NULL : ir_value(ir_way_op(way), t, t);
    int64_t before = 1, after = 1, n = it_numel(index), size = out->shape[axis], row;
    if (!op && way != IR_BY_LAST) return it_fail(s, r, BZ_ENOMEM, "out of memory");
    memcpy(out->data, x->data, (size_t)it_numel(out) * ir_dtype_bytes(t));
    if (it_attrs(s, r)[2]) return combine_along(s, r, op, axis);
    for (unsigned i = 0; i < out->rank; i++) {
        before *= i < axis ? out->shape[i] : 1;
        after *= i > axis ? out->shape[i] : 1;
    }
    for (int64_t i = 0; i < n; i++) {
        if (!it_row_of(s, r, i, axis, size, &row)) return false;
        for (int64_t b = 0; b < before; b++)
            for (int64_t a = 0; a < after; a++)
                combine(op, out, (b * size + row) * after + a, y, (b * n + i) * after + a);
    }
    return true;
}
