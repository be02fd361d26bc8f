/* sort.c - rows in order, and where their elements stood: stable, NaN last. */
#include "src/ir/structs.h"

#include <string.h>

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
    if (indices) *indices = ir_result(g, t, 1);
    return ir_result(g, t, 0);
}

unsigned ir_sort_results(const ir_graph *g, ir_ref r, unsigned k, ir_type *t) {
    *t = ir_type_of(g, r);
    if (k == 1) t->dtype = BZ_I64;
    return 2;
}

bool ck_sort(const ck *c) {
    return ck_attrs(c, 2) && ck_axis(c, c->attr[0], ck_in(c, 0)->rank) && ck_like(c, ck_in(c, 0)) &&
           (c->attr[1] == 0 || c->attr[1] == 1 ||
            ck_wrong(c, BZ_EARG, "descending is neither 0 nor 1"));
}

/* ---- its value: a stable merge of indices */

typedef struct row_order {
    const it_array *x;
    int64_t base, stride;
    bool descending;
} row_order;

/* Must element b stand before element a? NaN goes last either way. */
static bool comes_first(const row_order *o, int64_t b, int64_t a) {
    bz_dtype t = o->x->dtype;
    ir_bits va = ir_load_bits(t, it_element(o->x, o->base + a * o->stride)),
            vb = ir_load_bits(t, it_element(o->x, o->base + b * o->stride));
    if (t == BZ_U64) return o->descending ? vb > va : vb < va;
    if (!ir_is_float(t)) {
        int64_t ia = ir_bits_to_i64(t, va), ib = ir_bits_to_i64(t, vb);
        return o->descending ? ib > ia : ib < ia;
    }
    double fa = ir_bits_to_f64(t, va), fb = ir_bits_to_f64(t, vb);
    if (fa != fa || fb != fb) return fa != fa && fb == fb;
    return o->descending ? fb > fa : fb < fa;
}

/* p[0 .. n) in order; `spare` is as long. */
static void merge_sort(const row_order *o, int64_t *p, int64_t *spare, int64_t n) {
    if (n < 2) return;
    int64_t half = n / 2, i = 0, k = half;
    merge_sort(o, p, spare, half);
    merge_sort(o, p + half, spare, n - half);
    for (int64_t w = 0; w < n; w++)
        spare[w] = k < n && (i == half || comes_first(o, p[k], p[i])) ? p[k++] : p[i++];
    memcpy(p, spare, (size_t)n * sizeof *p);
}

void it_order_row(const it_array *x, int64_t base, int64_t stride, int64_t n, bool descending,
                  int64_t *p) {
    const row_order o = {x, base, stride, descending};
    for (int64_t i = 0; i < n; i++) p[i] = i;
    merge_sort(&o, p, p + n, n);
}

static void sort_row(const row_order *o, int64_t *p, int64_t n, const it_array *values,
                     const it_array *indices) {
    it_order_row(o->x, o->base, o->stride, n, o->descending, p);
    for (int64_t i = 0; i < n; i++) {
        int64_t to = o->base + i * o->stride;
        memcpy(it_element(values, to), it_element(o->x, o->base + p[i] * o->stride),
               ir_dtype_bytes(o->x->dtype));
        memcpy(it_element(indices, to), &p[i], sizeof p[i]);
    }
}

bool it_sort(it_state *s, ir_ref r) {
    const it_array *x = it_operand(s, r, 0);
    unsigned axis = (unsigned)it_attrs(s, r)[0];
    int64_t strides[IR_MAX_RANK], rows[IR_MAX_RANK], n = x->shape[axis];
    if (!it_new_results(s, r)) return false;
    int64_t *p = bz_mem_alloc(2 * (size_t)n * sizeof *p);
    if (!p) return it_fail(s, r, BZ_ENOMEM, "out of memory");
    it_strides(x, strides);
    memcpy(rows, x->shape, sizeof rows);
    rows[axis] = 1;
    for (it_walk w = it_begin(x->rank, rows, strides, 0); w.left && n; it_next(&w)) {
        row_order o = {x, w.at, strides[axis], it_attrs(s, r)[1] != 0};
        sort_row(&o, p, n, &s->slot[r].many[0], &s->slot[r].many[1]);
    }
    bz_mem_free(p);
    return true;
}
