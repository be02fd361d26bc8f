/* compose_scan.c - cumulative sums, products, maxima, minima and logs of sums, by their names.
 *
 *     exclusive:   x0 x1 x2 x3  ->  e x0 x1 x2  ->  scan        each element without itself: shifted before, so that e begins the first chain
 *     places:      where a running maximum was found last: the elements that are it, by a scan of their own numbers */
#include "src/ir/compose.h"

#include <string.h>

/* x one place further on along the axis, after what no element is changed by. */
static ir_ref shifted(ir_graph *g, ir_way way, ir_ref x, unsigned axis, bool reverse) {
    const unsigned rank = ir_at(g, x)->rank;
    int64_t start[IR_MAX_RANK], stop[IR_MAX_RANK], step[IR_MAX_RANK], lo[IR_MAX_RANK] = {0},
                                                                      hi[IR_MAX_RANK] = {0};
    for (unsigned a = 0; a < rank; a++) {
        step[a] = 1;
        start[a] = IR_OPEN_START(1);
        stop[a] = IR_OPEN_STOP(1);
    }
    if (reverse)
        start[axis] = 1, hi[axis] = 1;
    else
        stop[axis] = -1, lo[axis] = 1;
    const bz_dtype t = ir_dtype(g, x);
    ir_bits e = way == IR_BY_SUM ? 0 : ir_way_start(way, t);
    return ir_pad(g, ir_slice(g, x, start, stop, step), lo, hi, e);
}

static ir_ref scanned(ir_graph *g, const char *name, ir_way way, ir_ref x, int axis, bool reverse,
                      bool exclusive) {
    int64_t size = 0;
    unsigned a = 0;
    if (!x) return 0;
    const unsigned rank = ir_at(g, x)->rank;
    if (rank == 0 && exclusive) { /* as if it had an axis */
        x = scanned(g, name, way, ir_reshape(g, x, (int64_t[]){1}, 1), axis, reverse, true);
        return ir_reshape(g, x, NULL, 0);
    }
    if (rank == 0) return ir_scan(g, way, x, axis, reverse);
    if (!ir_axis_of(g, name, x, axis, 0, &a)) return 0;
    const bz_dtype t = ir_dtype(g, x);
    if (!ir_is_smooth(t)) x = ir_cast(g, x, way == IR_BY_LOG ? BZ_F32 : BZ_I64);
    const bool empty = ir_dim_value(g, ir_dims(g, ir_at(g, x))[a], &size) && size == 0;
    if (exclusive && !empty) x = shifted(g, way, x, a, reverse);
    return ir_scan(g, way, x, (int)a, reverse);
}

ir_ref ir_cumsum(ir_graph *g, ir_ref x, int axis, bool reverse, bool exclusive) {
    return scanned(g, "cumsum", IR_BY_SUM, x, axis, reverse, exclusive);
}

ir_ref ir_cumprod(ir_graph *g, ir_ref x, int axis, bool reverse, bool exclusive) {
    return scanned(g, "cumprod", IR_BY_PROD, x, axis, reverse, exclusive);
}

ir_ref ir_logcumsumexp(ir_graph *g, ir_ref x, int axis, bool reverse, bool exclusive) {
    return scanned(g, "logcumsumexp", IR_BY_LOG, x, axis, reverse, exclusive);
}

/* Of two that are equal the one that comes later counts, NaN is larger and smaller than all: PyTorch's. */
ir_ref ir_scan_places(ir_graph *g, ir_ref x, ir_ref best, int axis, bool reverse) {
    const unsigned rank = ir_at(g, x)->rank;
    ir_dim dims[IR_MAX_RANK];
    if (rank == 0) return ir_const_i(g, BZ_I64, 0);
    memcpy(dims, ir_dims(g, ir_at(g, x)), rank * sizeof *dims);
    ir_ref is_best = ir_build2(g, IR_EQ, x, best), is_nan = ir_build2(g, IR_NE, x, x);
    ir_ref found = ir_build2(g, IR_OR, is_best, is_nan);
    ir_ref number = ir_iota(g, BZ_I64, dims, rank, axis);
    ir_ref none = ir_const_i(g, BZ_I64, reverse ? INT64_MAX : INT64_MIN);
    ir_ref at = ir_build3(g, IR_SELECT, found, number, none);
    return ir_scan(g, reverse ? IR_BY_MIN : IR_BY_MAX, at, axis, reverse);
}

static ir_ref best_so_far(ir_graph *g, const char *name, ir_way way, ir_ref x, int axis,
                          bool reverse, ir_ref *indices) {
    unsigned a = 0;
    if (!x) return 0;
    if (ir_at(g, x)->rank > 0 && !ir_axis_of(g, name, x, axis, 0, &a)) return 0;
    ir_ref best = ir_scan(g, way, x, ir_at(g, x)->rank ? (int)a : axis, reverse);
    if (indices && best) *indices = ir_scan_places(g, x, best, (int)a, reverse);
    return best;
}

ir_ref ir_cummax(ir_graph *g, ir_ref x, int axis, bool reverse, ir_ref *indices) {
    return best_so_far(g, "cummax", IR_BY_MAX, x, axis, reverse, indices);
}

ir_ref ir_cummin(ir_graph *g, ir_ref x, int axis, bool reverse, ir_ref *indices) {
    return best_so_far(g, "cummin", IR_BY_MIN, x, axis, reverse, indices);
}
