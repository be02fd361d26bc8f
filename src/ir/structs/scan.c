/* scan.c - what all elements up to and with each one come to, along an axis: sums, products, maxima, minima, logs of sums.
 *
 *     k =     0    1   ...  127 | 128          129                  chains of 128, each from its own start
 *     y =    x0  x0+x1 ...  s0  | s0+x128      s0+(x128+x129)       and before it what the chains before came to, in order
 *
 * reverse: the same from the last element on. */
#include "src/ir/structs.h"
#include "src/ir/value.h"

#include <string.h>

/* ---- the op */

static bool is_allowed(ir_way w, bz_dtype t) {
    switch (w) {
    case IR_BY_SUM:
    case IR_BY_PROD: return ir_is_smooth(t) || t == BZ_I64;
    case IR_BY_MAX:
    case IR_BY_MIN: return t != BZ_BOOL;
    case IR_BY_LOG: return ir_is_float(t);
    default: return false;
    }
}

/* The dtype in which elements of t are gone through. */
static bz_dtype scanned_as(ir_way w, bz_dtype t) {
    if (is_allowed(w, t)) return t;
    return w == IR_BY_LOG ? BZ_F32 : w == IR_BY_MAX || w == IR_BY_MIN ? BZ_U8 : BZ_I64;
}

ir_ref ir_scan(ir_graph *g, ir_way way, ir_ref x, int axis, bool reverse) {
    if (!x) return 0;
    const unsigned rank = ir_at(g, x)->rank;
    const bz_dtype t = ir_dtype(g, x), own = scanned_as(way, t);
    ir_dim dims[IR_MAX_RANK];
    int64_t a = ir_front_axis(g, IR_SCAN, x, axis, rank), size = 0;
    if (a < 0 || !(x = ir_cast(g, x, own))) return 0;
    if (rank > 0) memcpy(dims, dims_of(g, x), rank * sizeof *dims);
    if (rank > 0 && !(ir_dim_value(g, dims[a], &size) && size == 1))
        x = ir_append(g, IR_SCAN, own, dims, rank, &x, 1, (int64_t[]){way, a, reverse}, 3);
    return own == BZ_U8 && t == BZ_BOOL ? ir_cast(g, x, BZ_BOOL) : x;
}

bool ck_scan(const ck *c) {
    const ir_node *x = ck_in(c, 0);
    if (!ck_attrs(c, 3) || !ck_axis(c, c->attr[1], x->rank) || !ck_like(c, x)) return false;
    if (c->attr[0] < 0 || c->attr[0] >= IR_NWAYS || c->attr[2] < 0 || c->attr[2] > 1)
        return ck_wrong(c, BZ_EARG, "the attributes are no scan");
    const ir_way w = (ir_way)c->attr[0];
    return is_allowed(w, (bz_dtype)x->dtype) || ck_wrong(c, BZ_EDTYPE, "%s does not go through %s",
                                                         ir_way_name(w), ir_dtypes[x->dtype].name);
}

/* ---- its value */

typedef struct line {
    bz_dtype t, acc;
    const ir_vprog *op;
    ir_bits start;
} line;

static ir_bits both(const line *l, ir_bits x, ir_bits y) {
    return ir_value_eval_bits(l->op, (ir_bits[3]){x, y, 0});
}

static ir_bits as(bz_dtype to, bz_dtype from, ir_bits v) {
    return to == from ? v : ir_bits_from_f64(to, ir_bits_to_f64(from, v)); /* halves and f32 */
}

/* n elements from `at` on, `step` apart. */
static void go_through(const line *l, const it_array *x, const it_array *y, int64_t at,
                       int64_t step, int64_t n) {
    ir_bits before = l->start, chain = l->start;
    for (int64_t i = 0; i < n; i++, at += step) {
        const ir_bits e = as(l->acc, l->t, ir_load_bits(l->t, it_element(x, at)));
        if (i && i % IR_CHAIN == 0) before = both(l, before, chain), chain = l->start;
        chain = both(l, chain, e);
        ir_store_bits(l->t, it_element(y, at), as(l->t, l->acc, both(l, before, chain)));
    }
}

bool it_scan(it_state *s, ir_ref r) {
    const it_array *x = it_operand(s, r, 0), *out = &s->slot[r].a;
    const int64_t *a = it_attrs(s, r);
    const unsigned axis = (unsigned)a[1];
    const bz_dtype acc = ir_compute_dtype(x->dtype);
    const line l = {x->dtype, acc, ir_value(ir_way_op((ir_way)a[0]), acc, acc),
                    ir_way_start((ir_way)a[0], acc)};
    int64_t strides[IR_MAX_RANK];
    const int64_t n = x->shape[axis];
    it_axes rows = {0};
    if (!l.op) return it_fail(s, r, BZ_ENOMEM, "out of memory");
    it_strides(x, strides);
    const int64_t step = a[2] ? -strides[axis] : strides[axis];
    for (unsigned i = 0; i < x->rank; i++)
        if (i != axis) it_add_axis(&rows, x, strides, i);
    for (it_walk w = it_walk_axes(&rows, 0); w.left && n; it_next(&w))
        go_through(&l, x, out, w.at + (a[2] ? (n - 1) * strides[axis] : 0), step, n);
    return true;
}
