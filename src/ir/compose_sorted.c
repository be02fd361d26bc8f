/* compose_sorted.c - what is made of sorted rows, and where a value would stand in one.
 *
 *     searchsorted      halves of a sorted row, log2 n times: elements by themselves, so that it is one kernel with what is around it */
#include "src/ir/compose.h"

ir_ref ir_argsort(ir_graph *g, ir_ref x, int axis, bool descending) {
    ir_ref indices = 0;
    return ir_sort(g, x, axis, descending, &indices) ? indices : 0;
}

ir_ref ir_msort(ir_graph *g, ir_ref x) {
    return ir_sort(g, x, 0, false, NULL);
}

/* ---- where a value would stand */

/* x < y, NaN being larger than all. */
static ir_ref is_less(ir_graph *g, ir_ref x, ir_ref y) {
    ir_ref less = ir_build2(g, IR_LT, x, y);
    if (!ir_is_float(ir_dtype(g, x))) return less;
    ir_ref y_nan = ir_build2(g, IR_NE, y, y), x_is = ir_build2(g, IR_EQ, x, x);
    ir_ref both = ir_build2(g, IR_AND, y_nan, x_is);
    return ir_build2(g, IR_OR, less, both);
}

static ir_ref bisect(ir_graph *g, ir_ref row, int64_t n, ir_ref x, bool right) {
    const bool rows = ir_at(g, row)->rank > 1;
    ir_ref lo = ir_cast(g, ir_const_like(g, x, 0), BZ_I64);
    ir_ref hi = ir_build2(g, IR_ADD, lo, ir_const_i(g, BZ_I64, n));
    ir_ref one = ir_const_i(g, BZ_I64, 1), last = ir_const_i(g, BZ_I64, n - 1);
    for (int64_t left = n; left > 0 && lo && hi; left /= 2) {
        ir_ref sum = ir_plus(g, lo, hi), mid = ir_build2(g, IR_SHR, sum, one);
        ir_ref at = ir_build2(g, IR_MIN, mid, last);
        ir_ref y = rows ? ir_gather_along(g, row, at, -1) : ir_gather(g, row, at, 0);
        ir_ref behind = right ? is_less(g, x, y) : is_less(g, y, x);
        if (right) behind = ir_build1(g, IR_NOT, behind);
        ir_ref open = ir_build2(g, IR_LT, lo, hi), next = ir_plus(g, mid, one);
        ir_ref up = ir_build2(g, IR_AND, open, behind);
        hi = ir_build3(g, IR_SELECT, up, hi, ir_build2(g, IR_MIN, hi, mid));
        lo = ir_build3(g, IR_SELECT, up, next, lo);
    }
    return lo;
}

ir_ref ir_searchsorted(ir_graph *g, ir_ref sequence, ir_ref x, bool right) {
    int64_t rows[IR_MAX_RANK], shape[IR_MAX_RANK];
    if (!sequence || !x) return 0;
    const unsigned rank = ir_at(g, sequence)->rank;
    if (rank == 0 || !ir_static_shape(g, sequence, rows))
        return ir_error_as(g, BZ_ESHAPE, "searchsorted",
                           "the sequence %s has no axis of a known size",
                           ir_shape_text(g, sequence));
    bool fits = rank == 1 || (ir_at(g, x)->rank == rank && ir_static_shape(g, x, shape));
    for (unsigned a = 0; rank > 1 && fits && a + 1 < rank; a++) fits = rows[a] == shape[a];
    if (!fits)
        return ir_error_as(g, BZ_ESHAPE, "searchsorted",
                           "rows %s and values %s differ in other axes than the last",
                           ir_shape_text(g, sequence), ir_shape_text(g, x));
    const bz_dtype t = ir_promote(ir_dtype(g, sequence), ir_dtype(g, x));
    sequence = ir_build1(g, IR_STOP_GRADIENT, ir_cast(g, sequence, t));
    x = ir_build1(g, IR_STOP_GRADIENT, ir_cast(g, x, t));
    return sequence && x ? bisect(g, sequence, rows[rank - 1], x, right) : 0;
}

ir_ref ir_bucketize(ir_graph *g, ir_ref x, ir_ref boundaries, bool right) {
    if (boundaries && ir_at(g, boundaries)->rank != 1)
        return ir_error_as(g, BZ_ESHAPE, "bucketize", "boundaries have one axis, not %s",
                           ir_shape_text(g, boundaries));
    return ir_searchsorted(g, boundaries, x, right);
}

ir_ref ir_isin(ir_graph *g, ir_ref x, ir_ref test, bool invert) {
    int64_t all = -1, n = 0;
    if (!x || !test) return 0;
    const bz_dtype t = ir_promote(ir_dtype(g, x), ir_dtype(g, test));
    x = ir_cast(g, x, t);
    test = ir_reshape(g, ir_cast(g, test, t), &all, 1);
    if (!x || !test || !ir_numel(g, test, &n))
        return ir_error_as(g, BZ_ESHAPE, "isin", "how many elements to look among is open");
    ir_ref none = ir_build2(g, IR_NE, ir_const_like(g, x, 0), ir_const_like(g, x, 0)), found = none;
    if (n > 0) {
        ir_ref sorted = ir_sort(g, test, 0, false, NULL);
        ir_ref at = ir_searchsorted(g, sorted, x, false);
        at = ir_build2(g, IR_MIN, at, ir_const_i(g, BZ_I64, n - 1));
        found = ir_build2(g, IR_EQ, ir_gather(g, sorted, at, 0), x);
    }
    return invert ? ir_build1(g, IR_NOT, found) : found;
}
