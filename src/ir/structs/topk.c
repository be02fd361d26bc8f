/* topk.c - what stands first in a sorted axis, and what stands at one place of it: NaN is larger than all.
 *
 *     topk       x[.., n, ..] -> [.., k, ..]    the k largest, of equal ones the last first; or the k smallest, of equal ones the first first
 *     kthvalue   x[.., n, ..] -> [.., ..]       number k of the stable order, from 1 */
#include "src/ir/structs.h"

#include <string.h>

/* x, 0-d ones as [1], and its axis, of which k elements are wanted; false and an error. */
static bool has_as_many(ir_graph *g, ir_op op, ir_ref *x, int axis, int64_t k, int64_t least,
                        unsigned *a) {
    int64_t n;
    const char *name = ir_ops[op].name;
    if (!*x) return false;
    const int at = ir_front_axis(g, op, *x, axis, ir_at(g, *x)->rank);
    if (at < 0) return false;
    *a = (unsigned)at;
    if (ir_at(g, *x)->rank == 0 && !(*x = ir_reshape(g, *x, (int64_t[]){1}, 1))) return false;
    if (!ir_dim_value(g, dims_of(g, *x)[*a], &n)) {
        ir_error_as(g, BZ_ESHAPE, name, "%s has open sizes", ir_shape_text(g, *x));
        return false;
    }
    if (k >= least && k <= n) return true;
    ir_error_as(g, BZ_EARG, name, "k = %lld is not %lld .. %lld, along axis %u of %s", (long long)k,
                (long long)least, (long long)n, *a, ir_shape_text(g, *x));
    return false;
}

ir_ref ir_topk(ir_graph *g, ir_ref x, int64_t k, int axis, bool smallest, ir_ref *indices) {
    ir_dim dims[IR_MAX_RANK];
    unsigned a;
    const bool scalar = x && ir_at(g, x)->rank == 0;
    if (!has_as_many(g, IR_TOPK, &x, axis, k, 0, &a)) return 0;
    const unsigned rank = ir_at(g, x)->rank;
    memcpy(dims, dims_of(g, x), rank * sizeof *dims);
    dims[a] = ir_dim_const(g, k);
    ir_ref t =
        ir_append(g, IR_TOPK, ir_dtype(g, x), dims, rank, &x, 1, (int64_t[]){k, a, smallest}, 3);
    const bool flat = scalar && k == 1;
    if (indices) *indices = ir_result(g, t, 1);
    if (indices && flat) *indices = ir_reshape(g, *indices, NULL, 0);
    const ir_ref values = ir_result(g, t, 0);
    return flat ? ir_reshape(g, values, NULL, 0) : values;
}

unsigned ir_topk_results(const ir_graph *g, ir_ref r, unsigned k, ir_type *t) {
    return ir_sort_results(g, r, k, t);
}

ir_ref ir_kthvalue(ir_graph *g, ir_ref x, int64_t k, int axis, bool keepdim, ir_ref *indices) {
    ir_dim dims[IR_MAX_RANK];
    unsigned a, left = 0;
    const bool scalar = x && ir_at(g, x)->rank == 0;
    if (!has_as_many(g, IR_KTHVALUE, &x, axis, k, 1, &a)) return 0;
    for (unsigned d = 0; d < ir_at(g, x)->rank; d++)
        if (d != a) dims[left++] = dims_of(g, x)[d];
    ir_ref t = ir_append(g, IR_KTHVALUE, ir_dtype(g, x), dims, left, &x, 1, (int64_t[]){k, a}, 2);
    ir_ref values = ir_result(g, t, 0), at = indices ? ir_result(g, t, 1) : 0;
    if (keepdim && !scalar) {
        values = ir_unsqueeze(g, values, (int)a);
        if (indices) at = ir_unsqueeze(g, at, (int)a);
    }
    if (indices) *indices = at;
    return values;
}

unsigned ir_kthvalue_results(const ir_graph *g, ir_ref r, unsigned k, ir_type *t) {
    return ir_sort_results(g, r, k, t);
}

/* ---- are the nodes right? */

static bool check_k(const ck *c, int64_t least) {
    int64_t n;
    const ir_node *x = ck_in(c, 0);
    if (!ck_axis(c, c->attr[1], x->rank) || !ck_dtype(c, (bz_dtype)x->dtype)) return false;
    if (!ck_known(c, x, (unsigned)c->attr[1], &n))
        return ck_wrong(c, BZ_ESHAPE, "the size of axis %lld is open", (long long)c->attr[1]);
    return (c->attr[0] >= least && c->attr[0] <= n) ||
           ck_wrong(c, BZ_EARG, "k = %lld is not %lld .. %lld", (long long)c->attr[0],
                    (long long)least, (long long)n);
}

bool ck_topk(const ck *c) {
    const ir_node *x = ck_in(c, 0);
    int64_t k;
    if (!ck_attrs(c, 3) || !check_k(c, 0) || !ck_rank(c, x->rank)) return false;
    for (unsigned a = 0; a < x->rank; a++)
        if (a != (unsigned)c->attr[1] && !ck_size(c, a, ck_dim(c, x, a))) return false;
    if (!ck_known(c, c->n, (unsigned)c->attr[1], &k) || k != c->attr[0])
        return ck_wrong(c, BZ_ESHAPE, "the result has not k elements along the axis");
    return c->attr[2] == 0 || c->attr[2] == 1 ||
           ck_wrong(c, BZ_EARG, "smallest is neither 0 nor 1");
}

bool ck_kthvalue(const ck *c) {
    const ir_node *x = ck_in(c, 0);
    unsigned left = 0;
    if (!ck_attrs(c, 2) || !check_k(c, 1) || !ck_rank(c, x->rank - 1u)) return false;
    for (unsigned a = 0; a < x->rank; a++)
        if (a != (unsigned)c->attr[1] && !ck_size(c, left++, ck_dim(c, x, a))) return false;
    return true;
}

/* ---- their values: of a row in order */

/* `count` elements of each row, from number `from` of the order on, or down from it if `back`. */
static bool from_order(it_state *s, ir_ref r, int64_t from, int64_t count, bool back) {
    const it_array *x = it_operand(s, r, 0);
    const unsigned axis = (unsigned)it_attrs(s, r)[1];
    int64_t strides[IR_MAX_RANK], rows[IR_MAX_RANK], n = x->shape[axis], done = 0;
    if (!it_new_results(s, r)) return false;
    int64_t *p = bz_mem_alloc((2 * (size_t)n + 1) * sizeof *p);
    if (!p) return it_fail(s, r, BZ_ENOMEM, "out of memory");
    it_strides(x, strides);
    memcpy(rows, x->shape, sizeof rows);
    rows[axis] = 1;
    const int64_t after = strides[axis];
    for (it_walk w = it_begin(x->rank, rows, strides, 0); w.left && count; it_next(&w), done++) {
        it_order_row(x, w.at, after, n, false, p);
        for (int64_t i = 0; i < count; i++) {
            const int64_t own = p[back ? from - i : from + i],
                          to = (done / after * count + i) * after + done % after;
            memcpy(it_element(&s->slot[r].many[0], to), it_element(x, w.at + own * after),
                   ir_dtype_bytes(x->dtype));
            memcpy(it_element(&s->slot[r].many[1], to), &own, sizeof own);
        }
    }
    bz_mem_free(p);
    return true;
}

bool it_topk(it_state *s, ir_ref r) {
    const int64_t *a = it_attrs(s, r), n = it_operand(s, r, 0)->shape[a[1]];
    return from_order(s, r, a[2] ? 0 : n - 1, a[0], !a[2]);
}

bool it_kthvalue(it_state *s, ir_ref r) {
    return from_order(s, r, it_attrs(s, r)[0] - 1, 1, false);
}
