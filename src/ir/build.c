/* build.c - structural constructors: check, infer the shape, append. Movements: move.c. */
#include "src/ir/build.h"

#include <inttypes.h>
#include <string.h>

/* ---- checks */

bool ir_const_dims(ir_graph *g, const int64_t *shape, unsigned rank, ir_dim *out) {
    for (unsigned i = 0; i < rank; i++)
        if (!(out[i] = ir_dim_const(g, shape[i]))) return false;
    return true;
}

bool ir_need_static(ir_graph *g, ir_op op, ir_ref x, int64_t *shape) {
    if (ir_static_shape(g, x, shape)) return true;
    ir_error(g, BZ_EUNSUPPORTED, op, "needs a constant shape, got %s", ir_shape_text(g, x));
    return false;
}

bool ir_check_size(ir_graph *g, ir_op op, const ir_dim *dims, unsigned rank) {
    int64_t n = 1, v;
    for (unsigned i = 0; i < rank; i++) {
        if (!dims[i]) return ir_error(g, BZ_ESHAPE, op, "a dimension is too large"), false;
        if (!ir_dim_value(g, dims[i], &v)) continue;
        if (v < 0)
            return ir_error(g, BZ_ESHAPE, op, "dimension %u is negative (%" PRId64 ")", i, v),
                   false;
        if (v && (__builtin_mul_overflow(n, v, &n) || n > INT64_C(1) << 60))
            return ir_error(g, BZ_ESHAPE, op, "the shape has more than 2^60 elements"), false;
    }
    return true;
}

bool ir_check_rank(ir_graph *g, ir_op op, unsigned rank) {
    if (rank <= IR_MAX_RANK) return true;
    ir_error(g, BZ_ESHAPE, op, "%u dimensions; at most %d are possible", rank, IR_MAX_RANK);
    return false;
}

int ir_axis_from_front(int axis, unsigned rank) {
    int n = rank ? (int)rank : 1;
    return axis < -n || axis >= n ? -1 : axis < 0 ? axis + n : axis;
}

int ir_front_axis(ir_graph *g, ir_op op, ir_ref x, int axis, unsigned rank) {
    int a = ir_axis_from_front(axis, rank);
    if (a >= 0) return a;
    ir_error(g, BZ_EAXIS, op, "axis %d is out of range for %s", axis, ir_shape_text(g, x));
    return -1;
}

/* ---- constants */

ir_ref ir_const_bits(ir_graph *g, bz_dtype t, ir_bits v, const ir_dim *dims, unsigned rank) {
    if (!ir_check_rank(g, IR_CONST, rank) || !ir_check_size(g, IR_CONST, dims, rank)) return 0;
    int64_t bits = (int64_t)v;
    return ir_append(g, IR_CONST, t, dims, rank, NULL, 0, &bits, 1);
}

ir_ref ir_const_f(ir_graph *g, bz_dtype t, double v) {
    return ir_const_bits(g, t, ir_bits_from_f64(t, v), NULL, 0);
}

ir_ref ir_const_i(ir_graph *g, bz_dtype t, int64_t v) {
    return ir_const_bits(g, t, ir_bits_from_i64(t, v), NULL, 0);
}

ir_ref ir_const_like(ir_graph *g, ir_ref x, double v) {
    if (!x) return 0;
    const ir_node *n = ir_at(g, x);
    ir_dim dims[IR_MAX_RANK];
    memcpy(dims, ir_dims(g, n), n->rank * sizeof *dims);
    return ir_const_bits(g, (bz_dtype)n->dtype, ir_bits_from_f64((bz_dtype)n->dtype, v), dims,
                         n->rank);
}

bool ir_const_value(const ir_graph *g, ir_ref r, ir_bits *v) {
    const ir_node *n = ir_at(g, r);
    if (n->op != IR_CONST || n->nattr != 1 || n->flags & IR_IS_OWN) return false;
    *v = (ir_bits)ir_attrs(g, n)[0];
    return true;
}

ir_ref ir_iota(ir_graph *g, bz_dtype t, const ir_dim *dims, unsigned rank, int axis) {
    if (!ir_check_rank(g, IR_IOTA, rank) || !ir_check_size(g, IR_IOTA, dims, rank)) return 0;
    int64_t a = ir_axis_from_front(axis, rank);
    if (a < 0)
        return ir_error(g, BZ_EAXIS, IR_IOTA, "axis %d is out of range for %u dimensions", axis,
                        rank);
    if (rank == 0) return ir_const_i(g, t, 0);
    return ir_append(g, IR_IOTA, t, dims, rank, NULL, 0, &a, 1);
}

/* ---- folds over axes and sums of products */

static const char *const reduce_names[] = {"sum", "prod", "max",    "min",
                                           "any", "all",  "argmax", "argmin"};
_Static_assert(BZ_LEN(reduce_names) == IR_NREDUCE, "a name for each kind of reduction");

const char *ir_reduce_name(ir_reduce_kind k) {
    return reduce_names[k];
}

ir_reduce_attr ir_reduce_get(const ir_graph *g, const ir_node *n) {
    const int64_t *a = ir_attrs(g, n);
    return (ir_reduce_attr){(ir_reduce_kind)a[0], (bz_dtype)a[1], (ir_order)a[2], n->nattr - 3,
                            a + 3};
}

/* Axes as a sorted list without repeats; all axes when none are given. Their number, or -1. */
static int sorted_axes(ir_graph *g, ir_reduce_kind kind, ir_ref x, const int *axes, unsigned n,
                       int64_t *out) {
    unsigned rank = ir_at(g, x)->rank, count = 0;
    uint64_t set = 0;
    for (unsigned i = 0; i < n; i++) {
        int a = ir_axis_from_front(axes[i], rank);
        if (a < 0 || set >> a & 1)
            return ir_error_as(g, BZ_EAXIS, reduce_names[kind], "axis %d is %s for %s", axes[i],
                               a < 0 ? "out of range" : "given twice", ir_shape_text(g, x)),
                   -1;
        set |= UINT64_C(1) << a;
    }
    for (unsigned a = 0; a < rank; a++)
        if (n == 0 || set >> a & 1) out[count++] = a;
    return (int)count;
}

static bz_dtype reduce_dtype(ir_reduce_kind kind, bz_dtype t) {
    if (kind == IR_ANY || kind == IR_ALL) return BZ_BOOL;
    if (kind == IR_ARGMAX || kind == IR_ARGMIN ||
        ((kind == IR_SUM || kind == IR_PROD) && !ir_is_float(t)))
        return BZ_I64;
    return t;
}

static bool has_identity(ir_reduce_kind kind) {
    return kind == IR_SUM || kind == IR_PROD || kind == IR_ANY || kind == IR_ALL;
}

static ir_ref reduced(ir_graph *g, ir_reduce_kind kind, ir_ref x, const int64_t *axes, unsigned n) {
    unsigned rank = ir_at(g, x)->rank, kept = 0;
    ir_dim dims[IR_MAX_RANK], one[1];
    bool last = false;
    for (unsigned a = 0, k = 0; a < rank; a++) {
        bool gone = k < n && axes[k] == (int64_t)a;
        one[0] = dims_of(g, x)[a];
        int64_t v;
        if (gone && !has_identity(kind) && ir_dim_value(g, one[0], &v) && v == 0)
            return ir_error(g, BZ_ESHAPE, IR_REDUCE, "%s over an empty axis of %s has no value",
                            reduce_names[kind], ir_shape_text(g, x));
        if (gone)
            k++;
        else
            dims[kept++] = one[0];
        last = gone;
    }
    bz_dtype t = ir_dtype(g, x), result = reduce_dtype(kind, t);
    bz_dtype acc = kind == IR_SUM || kind == IR_PROD  ? ir_accum_dtype(t)
                   : kind == IR_ANY || kind == IR_ALL ? BZ_BOOL
                                                      : t;
    int64_t attr[3 + IR_MAX_RANK] = {kind, acc, last || n == 0 ? IR_ORDER_LAST : IR_ORDER_LEAD};
    memcpy(attr + 3, axes, n * sizeof *axes);
    return ir_append(g, IR_REDUCE, result, dims, kept, &x, 1, attr, 3 + n);
}

ir_ref ir_reduce(ir_graph *g, ir_reduce_kind kind, ir_ref x, const int *axes, unsigned n,
                 bool keepdim) {
    int64_t list[IR_MAX_RANK];
    if (!x) return 0;
    ir_dim shape[IR_MAX_RANK];
    unsigned rank = ir_at(g, x)->rank;
    memcpy(shape, dims_of(g, x), rank * sizeof *shape);
    int count = sorted_axes(g, kind, x, axes, n, list);
    if (count < 0) return 0;
    if ((kind == IR_ANY || kind == IR_ALL) && ir_dtype(g, x) != BZ_BOOL)
        x = ir_build2(g, IR_NE, x, ir_const_like(g, x, 0));
    if (kind >= IR_ARGMAX && n > 1)
        return ir_error(g, BZ_EAXIS, IR_REDUCE,
                        "%s takes one axis, or none for the flattened tensor", reduce_names[kind]);
    ir_ref r;
    if (kind >= IR_ARGMAX && n == 0 && rank > 1) {
        int64_t flat = -1;
        x = ir_reshape(g, x, &flat, 1);
        r = x ? reduced(g, kind, x, (int64_t[]){0}, 1) : 0;
    } else {
        r = x ? reduced(g, kind, x, list, (unsigned)count) : 0;
    }
    if (!keepdim || !r) return r;
    for (int i = 0; i < count; i++) shape[list[i]] = ir_dim_const(g, 1);
    return ir_reshape_dims(g, r, shape, rank);
}

ir_dot_attr ir_dot_get(const ir_graph *g, const ir_node *n) {
    const int64_t *a = ir_attrs(g, n);
    unsigned nb = (unsigned)a[2], nc = (unsigned)a[3];
    return (ir_dot_attr){(bz_dtype)a[0], (ir_order)a[1],     nb, nc, a + 4, a + 4 + nb,
                         a + 4 + 2 * nb, a + 4 + 2 * nb + nc};
}

/* Axes named in two lists, as a set; false and an error if one is out of range or repeated. */
static bool axis_set(ir_graph *g, ir_ref x, const int *a, unsigned na, const int *b, unsigned nb,
                     int64_t *out, uint64_t *set) {
    unsigned rank = ir_at(g, x)->rank;
    *set = 0;
    for (unsigned i = 0; i < na + nb; i++) {
        int ax = ir_front_axis(g, IR_DOT, x, i < na ? a[i] : b[i - na], rank);
        if (ax < 0) return false;
        if (*set >> ax & 1)
            return ir_error(g, BZ_EAXIS, IR_DOT, "axis %d of %s is given twice", ax,
                            ir_shape_text(g, x)),
                   false;
        *set |= UINT64_C(1) << ax;
        out[i] = ax;
    }
    return true;
}

ir_ref ir_dot(ir_graph *g, ir_ref x, ir_ref y, const int *lbatch, const int *rbatch,
              unsigned nbatch, const int *lcontract, const int *rcontract, unsigned ncontract) {
    if (!x || !y) return 0;
    int64_t l[2 * IR_MAX_RANK], r[2 * IR_MAX_RANK], attr[4 + 4 * IR_MAX_RANK];
    uint64_t lset, rset;
    if (nbatch + ncontract > IR_MAX_RANK ||
        !axis_set(g, x, lbatch, nbatch, lcontract, ncontract, l, &lset) ||
        !axis_set(g, y, rbatch, nbatch, rcontract, ncontract, r, &rset))
        return g->err.status ? 0 : ir_error(g, BZ_EAXIS, IR_DOT, "too many axes");
    if (ir_dtype(g, x) != ir_dtype(g, y))
        return ir_error(g, BZ_EDTYPE, IR_DOT, "dtypes differ: %s and %s", ir_shape_text(g, x),
                        ir_shape_text(g, y));
    if (ir_dtype(g, x) == BZ_BOOL)
        return ir_error(g, BZ_EDTYPE, IR_DOT, "bool operands; cast them first");
    for (unsigned i = 0; i < nbatch + ncontract; i++)
        if (dims_of(g, x)[l[i]] != dims_of(g, y)[r[i]])
            return ir_error(g, BZ_ESHAPE, IR_DOT, "%s dims differ: %s axis %d and %s axis %d",
                            i < nbatch ? "batch" : "contracting", ir_shape_text(g, x), (int)l[i],
                            ir_shape_text(g, y), (int)r[i]);
    ir_dim dims[3 * IR_MAX_RANK];
    unsigned rank = 0;
    for (unsigned i = 0; i < nbatch; i++) dims[rank++] = dims_of(g, x)[l[i]];
    for (unsigned a = 0; a < ir_at(g, x)->rank; a++)
        if (!(lset >> a & 1)) dims[rank++] = dims_of(g, x)[a];
    for (unsigned a = 0; a < ir_at(g, y)->rank; a++)
        if (!(rset >> a & 1)) dims[rank++] = dims_of(g, y)[a];
    if (!ir_check_rank(g, IR_DOT, rank) || !ir_check_size(g, IR_DOT, dims, rank)) return 0;
    bz_dtype t = ir_dtype(g, x);
    attr[0] = ir_compute_dtype(t);
    attr[1] = IR_ORDER_DOT;
    attr[2] = nbatch;
    attr[3] = ncontract;
    memcpy(attr + 4, l, nbatch * sizeof *l);
    memcpy(attr + 4 + nbatch, r, nbatch * sizeof *l);
    memcpy(attr + 4 + 2 * nbatch, l + nbatch, ncontract * sizeof *l);
    memcpy(attr + 4 + 2 * nbatch + ncontract, r + nbatch, ncontract * sizeof *l);
    return ir_append(g, IR_DOT, t, dims, rank, (ir_ref[]){x, y}, 2, attr,
                     4 + 2 * nbatch + 2 * ncontract);
}

/* ---- indices and several results */

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

ir_ref ir_sort(ir_graph *g, ir_ref x, int axis, bool descending, ir_ref *indices) {
    if (!x) return 0;
    unsigned rank = ir_at(g, x)->rank;
    int a = ir_front_axis(g, IR_SORT, x, axis, rank);
    if (a < 0) return 0;
    if (rank == 0) { /* one element: sorted as it stands */
        if (indices) *indices = ir_const_i(g, BZ_I64, 0);
        return x;
    }
    ir_dim dims[IR_MAX_RANK];
    memcpy(dims, dims_of(g, x), rank * sizeof *dims);
    ir_ref t =
        ir_append(g, IR_SORT, ir_dtype(g, x), dims, rank, &x, 1, (int64_t[]){a, descending}, 2);
    if (!t) return 0;
    g->n.p[t].flags |= IR_IS_TUPLE;
    if (indices) *indices = ir_result(g, t, 1);
    return ir_result(g, t, 0);
}

ir_ref ir_result(ir_graph *g, ir_ref tuple, unsigned k) {
    if (!tuple) return 0;
    bz_dtype t;
    const ir_dim *dims;
    unsigned rank;
    int64_t attr = k;
    if (!ir_result_type(g, tuple, k, &t, &dims, &rank))
        return ir_error(g, BZ_EINDEX, IR_RESULT, "%s has no result %u",
                        ir_ops[ir_at(g, tuple)->op].name, k);
    return ir_append(g, IR_RESULT, t, dims, rank, &tuple, 1, &attr, 1);
}
