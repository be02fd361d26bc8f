/* gather.c - rows taken at integer indices, and added up there: each is the transpose of the other. */
#include "src/ir/structs.h"

#include <inttypes.h>
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
    index = ir_cast(g, index, BZ_I64);
    ir_dim dims[2 * IR_MAX_RANK];
    for (int i = 0; i < a; i++) dims[rank++] = dims_of(g, x)[i];
    for (unsigned i = 0; i < ir; i++) dims[rank++] = dims_of(g, index)[i];
    for (unsigned i = (unsigned)a + 1; i < xr; i++) dims[rank++] = dims_of(g, x)[i];
    int64_t attr = a;
    return ir_append(g, IR_GATHER, ir_dtype(g, x), dims, rank, (ir_ref[]){x, index}, 2, &attr, 1);
}

ir_ref ir_scatter_add(ir_graph *g, ir_ref x, ir_ref index, int axis, ir_dim size) {
    if (!x || !index || !size) return 0;
    unsigned xr = ir_at(g, x)->rank, ir = ir_at(g, index)->rank, rank = 0;
    if (xr < ir)
        return ir_error(g, BZ_ESHAPE, IR_SCATTER_ADD, "%s has no axes for the indices %s",
                        ir_shape_text(g, x), ir_shape_text(g, index));
    int a = ir_front_axis(g, IR_SCATTER_ADD, x, axis, xr - ir + 1);
    if (a < 0 || !ir_check_rank(g, IR_SCATTER_ADD, xr - ir + 1)) return 0;
    bool fits = true;
    for (unsigned i = 0; i < ir; i++)
        fits &= dims_of(g, x)[(unsigned)a + i] == dims_of(g, index)[i];
    if (!fits)
        return ir_error(g, BZ_ESHAPE, IR_SCATTER_ADD, "%s does not have the indices' axes %s at %d",
                        ir_shape_text(g, x), ir_shape_text(g, index), a);
    bz_dtype t = ir_dtype(g, x);
    if (!ir_is_int(ir_dtype(g, index)) || t == BZ_BOOL)
        return ir_error(g, BZ_EDTYPE, IR_SCATTER_ADD, "indices must be integers, x numbers: %s, %s",
                        ir_shape_text(g, x), ir_shape_text(g, index));
    int64_t places = 1, rows = 0;
    if (ir_dim_value(g, size, &places) && places == 0 && ir_numel(g, index, &rows) && rows > 0)
        return ir_error(g, BZ_EINDEX, IR_SCATTER_ADD,
                        "an axis of size 0 has no place for %" PRId64 " rows", rows);
    index = ir_cast(g, index, BZ_I64);
    x = ir_cast(g, x, ir_compute_dtype(t));
    ir_dim dims[IR_MAX_RANK + 1];
    for (int i = 0; i < a; i++) dims[rank++] = dims_of(g, x)[i];
    dims[rank++] = size;
    for (unsigned i = (unsigned)a + ir; i < xr; i++) dims[rank++] = dims_of(g, x)[i];
    int64_t attr = a;
    if (!ir_check_size(g, IR_SCATTER_ADD, dims, rank)) return 0;
    return ir_cast(
        g,
        ir_append(g, IR_SCATTER_ADD, ir_dtype(g, x), dims, rank, (ir_ref[]){x, index}, 2, &attr, 1),
        t);
}

/* ---- are the nodes right? */

bool ck_gather(const ck *c) {
    const ir_node *x = ck_in(c, 0), *index = ck_in(c, 1);
    if (!ck_attrs(c, 1) || !ck_axis(c, c->attr[0], x->rank) || !ck_dtype(c, (bz_dtype)x->dtype) ||
        !ck_rank(c, x->rank + index->rank - 1u))
        return false;
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

/* As check_gather with x and the result exchanged, but for the size of the axis. */
bool ck_scatter_add(const ck *c) {
    const ir_node *x = ck_in(c, 0), *index = ck_in(c, 1);
    if (!ck_attrs(c, 1) || !ck_axis(c, c->attr[0], c->n->rank) ||
        !ck_dtype(c, (bz_dtype)x->dtype) || !ck_rank(c, x->rank + 1u - index->rank))
        return false;
    if (index->dtype != BZ_I64) return ck_wrong(c, BZ_EDTYPE, "the indices must be i64");
    if (ir_is_half((bz_dtype)x->dtype) || x->dtype == BZ_BOOL)
        return ck_wrong(c, BZ_EDTYPE, "%s cannot be added up", ir_dtypes[x->dtype].name);
    unsigned axis = (unsigned)c->attr[0], at = 0;
    for (unsigned a = 0; a < c->n->rank; a++) {
        if (a != axis && !ck_size(c, a, ck_dim(c, x, at++))) return false;
        for (unsigned b = 0; a == axis && b < index->rank; b++)
            if (ck_dim(c, x, at++) != ck_dim(c, index, b))
                return ck_wrong(c, BZ_ESHAPE, "the operand does not have the indices' axes");
    }
    return true;
}

/* ---- values: index = (before, index's own, after) */

/* Index number i of the operand, counted from the end when negative; false and an error when it is
 * outside. */
static bool row_of(it_state *s, ir_ref r, int64_t i, int64_t size, int64_t *row) {
    memcpy(row, it_element(it_operand(s, r, 1), i), sizeof *row);
    int64_t given = *row;
    *row += *row < 0 ? size : 0;
    return (*row >= 0 && *row < size) ||
           it_fail(s, r, BZ_EINDEX, "index %lld is outside axis %lld of %lld", (long long)given,
                   (long long)it_attrs(s, r)[0], (long long)size);
}

bool it_gather(it_state *s, ir_ref r) {
    const it_array *x = it_operand(s, r, 0), *index = it_operand(s, r, 1), *out = &s->slot[r].a;
    unsigned axis = (unsigned)it_attrs(s, r)[0];
    int64_t before = 1, after = 1, n = it_numel(index), size = x->shape[axis], row;
    for (unsigned i = 0; i < x->rank; i++) {
        before *= i < axis ? x->shape[i] : 1;
        after *= i > axis ? x->shape[i] : 1;
    }
    size_t bytes = (size_t)after * ir_dtype_bytes(x->dtype);
    for (int64_t i = 0; i < n; i++) {
        if (!row_of(s, r, i, size, &row)) return false;
        for (int64_t b = 0; b < before; b++)
            memcpy(it_element(out, (b * n + i) * after), it_element(x, (b * size + row) * after),
                   bytes);
    }
    return true;
}

/* *to += *from */
static void add_element(bz_dtype t, char *to, const char *from) {
    ir_bits a = ir_load_bits(t, to), b = ir_load_bits(t, from);
    if (ir_is_float(t)) /* f32 sums in f64 round to the same f32 */
        ir_store_bits(t, to, ir_bits_from_f64(t, ir_bits_to_f64(t, a) + ir_bits_to_f64(t, b)));
    else
        ir_store_bits(t, to,
                      ir_bits_from_i64(t, (int64_t)((uint64_t)ir_bits_to_i64(t, a) +
                                                    (uint64_t)ir_bits_to_i64(t, b))));
}

bool it_scatter_add(it_state *s, ir_ref r) {
    const it_array *x = it_operand(s, r, 0), *index = it_operand(s, r, 1), *out = &s->slot[r].a;
    unsigned axis = (unsigned)it_attrs(s, r)[0];
    int64_t before = 1, after = 1, n = it_numel(index), size = out->shape[axis], row;
    for (unsigned i = 0; i < out->rank; i++) {
        before *= i < axis ? out->shape[i] : 1;
        after *= i > axis ? out->shape[i] : 1;
    }
    memset(out->data, 0, (size_t)it_numel(out) * ir_dtype_bytes(out->dtype));
    for (int64_t i = 0; i < n; i++) {
        if (!row_of(s, r, i, size, &row)) return false;
        for (int64_t b = 0; b < before; b++)
            for (int64_t a = 0; a < after; a++)
                add_element(x->dtype, it_element(out, (b * size + row) * after + a),
                            it_element(x, (b * n + i) * after + a));
    }
    return true;
}
