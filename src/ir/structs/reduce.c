/* reduce.c - elements folded over axes. The orders of the additions: interp_reduce.c, docs/numerics.md. */
#include "src/ir/complex.h"
#include "src/ir/structs.h"

#include <string.h>

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
        ((kind == IR_SUM || kind == IR_PROD) && !ir_is_smooth(t)))
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
        return ir_error(g, BZ_EAXIS, IR_REDUCE, "takes one axis, or none for the flattened tensor");
    ir_ref r;
    if (kind >= IR_ARGMAX && n == 0 && rank > 1) {
        int64_t flat = -1;
        x = ir_reshape(g, x, &flat, 1);
        r = x ? reduced(g, kind, x, (int64_t[]){0}, 1) : 0;
    } else if (x && kind == IR_PROD && ir_is_complex(ir_dtype(g, x))) {
        r = ir_complex_prod(g, x, list, (unsigned)count);
    } else {
        r = x ? reduced(g, kind, x, list, (unsigned)count) : 0;
    }
    if (!keepdim || !r) return r;
    for (int i = 0; i < count; i++) shape[list[i]] = ir_dim_const(g, 1);
    return ir_reshape_dims(g, r, shape, rank);
}

/* ---- is the node right? */

static bool check_kind(const ck *c, const ir_reduce_attr *r, bz_dtype t) {
    bz_dtype result = t, acc = t;
    if (r->kind == IR_SUM || r->kind == IR_PROD) {
        acc = ir_accum_dtype(t);
        result = ir_is_float(t) ? t : BZ_I64;
    } else if (r->kind == IR_ANY || r->kind == IR_ALL) {
        acc = result = BZ_BOOL;
        if (t != BZ_BOOL) return ck_wrong(c, BZ_EDTYPE, "the operand must be bool");
    } else if (r->kind == IR_ARGMAX || r->kind == IR_ARGMIN) {
        result = BZ_I64;
        if (r->naxes > 1) return ck_wrong(c, BZ_EAXIS, "more than one axis");
    }
    return ck_dtype(c, result) &&
           (r->acc == acc ||
            ck_wrong(c, BZ_EDTYPE, "the accumulator must be %s", ir_dtypes[acc].name));
}

bool ck_reduce(const ck *c) {
    const ir_node *x = ck_in(c, 0);
    uint64_t set = 0;
    unsigned kept = 0;
    if (c->n->nattr < 3 || c->attr[0] < 0 || c->attr[0] >= IR_NREDUCE || c->attr[1] < 0 ||
        c->attr[1] >= BZ_NDTYPES)
        return ck_wrong(c, BZ_EARG, "the attributes are no reduction");
    ir_reduce_attr r = ir_reduce_get(c->g, c->n);
    if (r.naxes > IR_MAX_RANK || !ck_axes(c, r.axes, r.naxes, x->rank, &set) ||
        !check_kind(c, &r, (bz_dtype)x->dtype))
        return r.naxes > IR_MAX_RANK ? ck_wrong(c, BZ_EAXIS, "too many axes") : false;
    bool last = r.naxes == 0 || set >> (x->rank - 1) & 1;
    if (r.order != (last ? IR_ORDER_LAST : IR_ORDER_LEAD))
        return ck_wrong(c, BZ_EARG, "the order of additions must be %s", last ? "last" : "lead");
    for (unsigned i = 1; i < r.naxes; i++) {
        if (r.axes[i] < r.axes[i - 1]) return ck_wrong(c, BZ_EAXIS, "the axes are not ascending");
    }
    if (!ck_rank(c, x->rank - r.naxes)) return false;
    bool total = r.kind == IR_SUM || r.kind == IR_PROD || r.kind == IR_ANY || r.kind == IR_ALL;
    for (unsigned a = 0; a < x->rank; a++) {
        int64_t v;
        if (!(set >> a & 1) && !ck_size(c, kept++, ck_dim(c, x, a))) return false;
        if ((set >> a & 1) && !total && ck_known(c, x, a, &v) && v == 0)
            return ck_wrong(c, BZ_ESHAPE, "no value over an empty axis");
    }
    return true;
}

/* ---- its value */

/* Index of the first largest (smallest) element; of the first NaN if there is one. */
static int64_t first_best_f64(const double *x, int64_t n, bool max) {
    int64_t best = 0;
    for (int64_t k = 0; k < n; k++) {
        if (x[k] != x[k]) return k;
        if (max ? x[k] > x[best] : x[k] < x[best]) best = k;
    }
    return best;
}

static int64_t first_best_i64(const int64_t *x, int64_t n, bool max) {
    int64_t best = 0;
    for (int64_t k = 1; k < n; k++) best = (max ? x[k] > x[best] : x[k] < x[best]) ? k : best;
    return best;
}

static int64_t first_best_u64(const uint64_t *x, int64_t n, bool max) {
    int64_t best = 0;
    for (int64_t k = 1; k < n; k++) best = (max ? x[k] > x[best] : x[k] < x[best]) ? k : best;
    return best;
}

static void fold_row(const ir_reduce_attr *a, bz_dtype from, char *row, int64_t n,
                     const it_array *out, int64_t at) {
    it_acc k = it_acc_of(from);
    char *to = (char *)out->data + (size_t)at * ir_dtype_bytes(out->dtype);
    it_number acc;
    if (a->kind == IR_ARGMAX || a->kind == IR_ARGMIN) {
        bool max = a->kind == IR_ARGMAX;
        acc.i = k == IT_I64   ? first_best_i64((int64_t *)(void *)row, n, max)
                : k == IT_U64 ? first_best_u64((uint64_t *)(void *)row, n, max)
                              : first_best_f64((double *)(void *)row, n, max);
        it_acc_store(BZ_I64, to, IT_I64, &acc);
        return;
    }
    it_fold(k, a->kind, a->order, row, n, &acc);
    it_acc_store(out->dtype, to, k, &acc);
}

bool it_reduce(it_state *s, ir_ref r) {
    const it_array *x = it_operand(s, r, 0), *out = &s->slot[r].a;
    ir_reduce_attr a = ir_reduce_get(s->g, ir_at(s->g, r));
    it_axes kept = {0}, gone = {0};
    int64_t strides[IR_MAX_RANK], n = 1, at = 0;
    it_strides(x, strides);
    for (unsigned i = 0, k = 0; i < x->rank; i++) {
        bool folded = k < a.naxes && a.axes[k] == (int64_t)i;
        it_add_axis(folded ? &gone : &kept, x, strides, i);
        k += folded;
        n *= folded ? x->shape[i] : 1;
    }
    bool total = a.kind == IR_SUM || a.kind == IR_PROD || a.kind == IR_ANY || a.kind == IR_ALL;
    if (n == 0 && !total && it_numel(out))
        return it_fail(s, r, BZ_ESHAPE, "%s over an empty axis has no value",
                       ir_reduce_name(a.kind));
    bool index = a.kind == IR_ARGMAX || a.kind == IR_ARGMIN;
    it_acc k = index && ir_is_float(x->dtype) ? IT_F64 : it_acc_of(x->dtype);
    char *row = bz_mem_alloc((size_t)n * it_acc_bytes(k));
    if (!row) return it_fail(s, r, BZ_ENOMEM, "out of memory");
    for (it_walk w = it_walk_axes(&kept, 0); w.left; it_next(&w)) {
        it_load_axes(x, &gone, w.at, k, row);
        fold_row(&a, x->dtype, row, n, out, at++);
    }
    bz_mem_free(row);
    return true;
}
