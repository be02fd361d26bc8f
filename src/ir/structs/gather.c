/* gather.c - what integer indices name along an axis: rows, or, `along`, of each line an element by itself.
 *
 *     rows    y[o, i, c] = x[o, index[i], c]            i: all axes of index
 *     along   y[o, i, c] = x[o, index[o, i, c], c]      other axes of index may be shorter: the rest of x is not looked at */
#include "src/ir/structs.h"

#include <string.h>

ir_ref ir_gather(ir_graph *g, ir_ref x, ir_ref index, int axis) {
    if (!x || !index) return 0;
    unsigned xr = ir_at(g, x)->rank, ir = ir_at(g, index)->rank, rank = 0;
    int a = ir_front_axis(g, IR_GATHER, x, axis, xr);
    if (a < 0) return 0;
    if (xr == 0) { /* one element to take from */
        x = ir_reshape(g, x, (int64_t[]){1}, 1);
        xr = 1;
    }
    if (!ir_check_rank(g, IR_GATHER, xr - 1 + ir)) return 0;
    if (!ir_is_int(ir_dtype(g, index)))
        return ir_error(g, BZ_EDTYPE, IR_GATHER, "indices must be integers, got %s",
                        ir_shape_text(g, index));
    index = ir_as_index(g, index);
    ir_dim dims[2 * IR_MAX_RANK];
    for (int i = 0; i < a; i++) dims[rank++] = dims_of(g, x)[i];
    for (unsigned i = 0; i < ir; i++) dims[rank++] = dims_of(g, index)[i];
    for (unsigned i = (unsigned)a + 1; i < xr; i++) dims[rank++] = dims_of(g, x)[i];
    return ir_append(g, IR_GATHER, ir_dtype(g, x), dims, rank, (ir_ref[]){x, index}, 2,
                     (int64_t[]){a, false}, 2);
}

/* Has every axis but `axis` of index as many elements as x, or fewer? */
static bool is_along(const ir_graph *g, const ir_node *x, const ir_node *index, unsigned axis) {
    bool fits = x->rank == index->rank;
    for (unsigned a = 0; fits && a < x->rank; a++) {
        int64_t all, some;
        const ir_dim p = ir_dims(g, x)[a], q = ir_dims(g, index)[a];
        fits = a == axis || p == q ||
               (ir_dim_value(g, p, &all) && ir_dim_value(g, q, &some) && some <= all);
    }
    return fits;
}

bool ir_check_along(ir_graph *g, ir_op op, ir_ref x, ir_ref index, unsigned axis) {
    if (!ir_is_int(ir_dtype(g, index)))
        return ir_error(g, BZ_EDTYPE, op, "indices must be integers, got %s",
                        ir_shape_text(g, index)),
               false;
    if (is_along(g, ir_at(g, x), ir_at(g, index), axis)) return true;
    ir_error(g, BZ_ESHAPE, op, "indices %s do not lie along axis %u of %s: as many axes, none of the others longer",
             ir_shape_text(g, index), axis, ir_shape_text(g, x));
    return false;
}

ir_ref ir_rows_of_index(ir_graph *g, ir_ref x, ir_ref index, unsigned axis) {
    const ir_node *n = ir_at(g, index);
    if (n->rank <= 1) return n->rank == 1 ? index : 0;
    if (n->op != IR_EXPAND) return 0;
    const ir_ref from = ir_in(g, n)[0];
    for (unsigned a = 0; a < n->rank; a++) {
        int64_t one = 0;
        if (a != axis && (dims_of(g, index)[a] != dims_of(g, x)[a] ||
                          !ir_dim_value(g, dims_of(g, from)[a], &one) || one != 1))
            return 0;
    }
    const ir_dim size = dims_of(g, from)[axis];
    return size == dims_of(g, index)[axis] ? ir_reshape_dims(g, from, &size, 1) : 0;
}

ir_ref ir_gather_along(ir_graph *g, ir_ref x, ir_ref index, int axis) {
    ir_dim dims[IR_MAX_RANK];
    if (!x || !index) return 0;
    if (ir_at(g, x)->rank == 0) x = ir_reshape(g, x, (int64_t[]){1}, 1);
    const bool scalar = ir_at(g, index)->rank == 0;
    if (scalar) index = ir_reshape(g, index, (int64_t[]){1}, 1);
    const unsigned rank = ir_at(g, x)->rank;
    int64_t a = ir_front_axis(g, IR_GATHER, x, axis, rank);
    if (a < 0 || !index || !ir_check_along(g, IR_GATHER, x, index, (unsigned)a)) return 0;
    ir_ref rows = ir_rows_of_index(g, x, index, (unsigned)a), r;
    index = ir_as_index(g, index);
    if (!index) return 0;
    memcpy(dims, dims_of(g, index), rank * sizeof *dims);
    r = rows ? ir_gather(g, x, rows, (int)a)
             : ir_append(g, IR_GATHER, ir_dtype(g, x), dims, rank, (ir_ref[]){x, index}, 2,
                         (int64_t[]){a, true}, 2);
    return scalar ? ir_reshape(g, r, NULL, 0) : r;
}

/* ---- are the nodes right? */

bool ck_along(const ck *c, const ir_node *x, const ir_node *index, unsigned axis) {
    if (c->attr[c->n->nattr - 1] != 1)
        return ck_wrong(c, BZ_EARG, "along is neither 0 nor 1");
    if (index->dtype != BZ_I64) return ck_wrong(c, BZ_EDTYPE, "the indices must be i64");
    return is_along(c->g, x, index, axis) ||
           ck_wrong(c, BZ_ESHAPE, "the indices do not lie along axis %u", axis);
}

bool ck_gather(const ck *c) {
    const ir_node *x = ck_in(c, 0), *index = ck_in(c, 1);
    if (!ck_attrs(c, 2) || !ck_axis(c, c->attr[0], x->rank) || !ck_dtype(c, (bz_dtype)x->dtype))
        return false;
    if (c->attr[1]) {
        bool fits = ck_along(c, x, index, (unsigned)c->attr[0]) && ck_rank(c, index->rank);
        for (unsigned a = 0; fits && a < index->rank; a++) fits = ck_size(c, a, ck_dim(c, index, a));
        return fits;
    }
    if (!ck_rank(c, x->rank + index->rank - 1u)) return false;
    if (index->dtype != BZ_I64) return ck_wrong(c, BZ_EDTYPE, "the indices must be i64");
    unsigned axis = (unsigned)c->attr[0], at = 0;
    for (unsigned a = 0; a < x->rank; a++) {
        if (a != axis && !ck_size(c, at++, ck_dim(c, x, a))) return false;
        for (unsigned b = 0; a == axis && b < index->rank; b++) {
            if (!ck_size(c, at++, ck_dim(c, index, b))) return false;
        }
    }
    return true;
}

/* ---- values */

bool it_row_of(it_state *s, ir_ref r, int64_t i, int64_t axis, int64_t size, int64_t *row) {
    memcpy(row, it_element(it_operand(s, r, 1), i), sizeof *row);
    int64_t given = *row;
    *row += *row < 0 ? size : 0;
    return (*row >= 0 && *row < size) ||
           it_fail(s, r, BZ_EINDEX, "index %lld is outside axis %lld of %lld", (long long)given,
                   (long long)axis, (long long)size);
}

static bool pick_along(it_state *s, ir_ref r) {
    const it_array *x = it_operand(s, r, 0), *index = it_operand(s, r, 1), *out = &s->slot[r].a;
    const unsigned axis = (unsigned)it_attrs(s, r)[0];
    int64_t strides[IR_MAX_RANK], row, i = 0;
    it_strides(x, strides);
    const int64_t stride = strides[axis];
    strides[axis] = 0;
    for (it_walk w = it_begin(index->rank, index->shape, strides, 0); w.left; it_next(&w), i++) {
        if (!it_row_of(s, r, i, axis, x->shape[axis], &row)) return false;
        memcpy(it_element(out, i), it_element(x, w.at + row * stride), ir_dtype_bytes(x->dtype));
    }
    return true;
}

bool it_gather(it_state *s, ir_ref r) {
    const it_array *x = it_operand(s, r, 0), *index = it_operand(s, r, 1), *out = &s->slot[r].a;
    if (it_attrs(s, r)[1]) return pick_along(s, r);
    unsigned axis = (unsigned)it_attrs(s, r)[0];
    int64_t before = 1, after = 1, n = it_numel(index), size = x->shape[axis], row;
    for (unsigned i = 0; i < x->rank; i++) {
        before *= i < axis ? x->shape[i] : 1;
        after *= i > axis ? x->shape[i] : 1;
    }
    size_t bytes = (size_t)after * ir_dtype_bytes(x->dtype);
    for (int64_t i = 0; i < n; i++) {
        if (!it_row_of(s, r, i, axis, size, &row)) return false;
        for (int64_t b = 0; b < before; b++)
            memcpy(it_element(out, (b * n + i) * after), it_element(x, (b * size + row) * after),
                   bytes);
    }
    return true;
}
