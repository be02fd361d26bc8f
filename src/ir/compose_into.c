/* compose_into.c - x with other elements where a view of it would look: PyTorch's *_scatter, which give a new value instead of
 * writing in place, and a diagonal in zeros.
 *
 *      select_scatter x y {axis=0, index=2}:   copy of x;  copy[2] = y                one update node, written in place where the
 *                                                                                     memory plan finds that x is read no more */
#include "src/ir/compose.h"

#include <inttypes.h>
#include <string.h>

typedef struct into {
    const char *name;
    ir_ref x, y;
    int64_t all[IR_MAX_RANK];                         /* x's shape */
    int64_t shape[IR_MAX_RANK], strides[IR_MAX_RANK]; /* the window's */
    unsigned rank;
    int64_t offset;
} into;

/* The window is all of x; false with an error: its sizes are not known. */
static bool begin(ir_graph *g, into *w, const char *name, ir_ref x, ir_ref y) {
    if (!x || !y) return false;
    *w = (into){.name = name, .x = x, .y = y, .rank = ir_at(g, x)->rank};
    if (!ir_static_shape(g, x, w->all))
        return ir_error_as(g, BZ_EUNSUPPORTED, name, "the sizes of %s must be known",
                           ir_shape_text(g, x)),
               false;
    int64_t step = 1;
    for (unsigned a = w->rank; a-- > 0; step *= w->all[a] > 0 ? w->all[a] : 1) {
        w->shape[a] = w->all[a];
        w->strides[a] = step;
    }
    return true;
}

static void drop_axis(into *w, unsigned at) {
    w->rank--;
    memmove(w->shape + at, w->shape + at + 1, (w->rank - at) * sizeof *w->shape);
    memmove(w->strides + at, w->strides + at + 1, (w->rank - at) * sizeof *w->strides);
}

/* y must have the window's shape: these ops do not broadcast. */
static ir_ref written(ir_graph *g, const into *w) {
    int64_t shape[IR_MAX_RANK];
    bool fits = ir_at(g, w->y)->rank == w->rank && ir_static_shape(g, w->y, shape) &&
                (!w->rank || !memcmp(shape, w->shape, w->rank * sizeof *shape));
    if (!fits) {
        char want[200];
        int n = 0;
        want[0] = 0;
        for (unsigned a = 0; a < w->rank && n < 150; a++)
            n += bz_snprintf(want + n, sizeof want - (size_t)n, "%s%" PRId64, a ? "," : "",
                             w->shape[a]);
        return ir_error_as(g, BZ_ESHAPE, w->name, "%s does not fit the part [%s] of %s",
                           ir_shape_text(g, w->y), want, ir_shape_text(g, w->x));
    }
    return ir_update(g, w->x, w->y, &(ir_strided){w->rank, w->shape, w->strides, w->offset}, 0);
}

ir_ref ir_select_scatter(ir_graph *g, ir_ref x, ir_ref y, int axis, int64_t index) {
    into w;
    unsigned at;
    int64_t shape[IR_MAX_RANK];
    if (!begin(g, &w, "select_scatter", x, y) ||
        !ir_axis_of_known(g, "select_scatter", x, axis, shape, &at))
        return 0;
    int64_t first = index < 0 ? index + w.all[at] : index;
    if (first < 0 || first >= w.all[at])
        return ir_error_as(g, BZ_EINDEX, "select_scatter", "index %" PRId64 " of axis %d of %s",
                           index, axis, ir_shape_text(g, x));
    w.offset = first * w.strides[at];
    drop_axis(&w, at);
    return written(g, &w);
}

ir_ref ir_slice_scatter(ir_graph *g, ir_ref x, ir_ref y, int axis, int64_t start, int64_t stop,
                        int64_t step) {
    into w;
    unsigned at;
    int64_t shape[IR_MAX_RANK];
    if (!begin(g, &w, "slice_scatter", x, y) ||
        !ir_axis_of_known(g, "slice_scatter", x, axis, shape, &at))
        return 0;
    if (step == 0)
        return ir_error_as(g, BZ_EARG, "slice_scatter", "a step of 0 along axis %d of %s", axis,
                           ir_shape_text(g, x));
    start = start == INT64_MIN ? IR_OPEN_START(step) : start;
    stop = stop == INT64_MIN ? IR_OPEN_STOP(step) : stop;
    w.shape[at] = ir_clip_slice(w.all[at], &start, stop, step);
    w.offset = w.shape[at] ? start * w.strides[at] : 0;
    w.strides[at] *= w.shape[at] > 1 ? step : 1;
    return written(g, &w);
}

/* Rows down and columns right of a diagonal's first element; how many elements it has among [rows, cols]. */
static int64_t diagonal_of(int64_t rows, int64_t cols, int64_t offset, int64_t *down,
                           int64_t *right) {
    *down = offset < 0 ? (offset > -rows ? -offset : rows) : 0;
    *right = offset > 0 ? (offset < cols ? offset : cols) : 0;
    return rows - *down < cols - *right ? rows - *down : cols - *right;
}

ir_ref ir_diagonal_scatter(ir_graph *g, ir_ref x, ir_ref y, int64_t offset, int a, int b) {
    into w;
    unsigned p, q;
    int64_t down, right;
    if (!begin(g, &w, "diagonal_scatter", x, y) ||
        !ir_axis_of(g, "diagonal_scatter", x, a, 0, &p) ||
        !ir_axis_of(g, "diagonal_scatter", x, b, 0, &q))
        return 0;
    if (p == q)
        return ir_error_as(g, BZ_EAXIS, "diagonal_scatter", "axes %d and %d of %s are the same", a,
                           b, ir_shape_text(g, x));
    int64_t n = diagonal_of(w.all[p], w.all[q], offset, &down, &right);
    int64_t step = w.strides[p] + w.strides[q];
    w.offset = n ? down * w.strides[p] + right * w.strides[q] : 0;
    drop_axis(&w, p > q ? p : q);
    drop_axis(&w, p > q ? q : p);
    w.shape[w.rank] = n;
    w.strides[w.rank++] = step;
    return written(g, &w);
}

ir_ref ir_as_strided_scatter(ir_graph *g, ir_ref x, ir_ref y, const int64_t *strides, unsigned n,
                             int64_t offset) {
    int64_t shape[IR_MAX_RANK];
    if (!x || !y) return 0;
    if (!ir_static_shape(g, y, shape) || n != ir_at(g, y)->rank)
        return ir_error_as(g, BZ_ESHAPE, "as_strided_scatter", "%u strides for %s", n,
                           ir_shape_text(g, y));
    return ir_update(g, x, y, &(ir_strided){n, shape, strides, offset}, 0);
}

/* ---- a diagonal in zeros */

ir_ref ir_diag_embed(ir_graph *g, ir_ref x, int64_t offset, int a, int b) {
    int64_t shape[IR_MAX_RANK + 1], strides[IR_MAX_RANK], down, right;
    ir_dim dims[IR_MAX_RANK];
    unsigned p, q, rank;
    if (!x || !ir_axis_of(g, "diag_embed", x, a, 1, &p) ||
        !ir_axis_of(g, "diag_embed", x, b, 1, &q))
        return 0;
    rank = ir_at(g, x)->rank;
    if (p == q || rank == 0 || rank == IR_MAX_RANK)
        return ir_error_as(g, BZ_EAXIS, "diag_embed", "axes %d and %d of a result of %s", a, b,
                           ir_shape_text(g, x));
    if (!ir_static_shape(g, x, shape) || offset > INT64_C(1) << 30 || offset < -(INT64_C(1) << 30))
        return ir_error_as(g, BZ_ESHAPE, "diag_embed", "%s with offset %" PRId64,
                           ir_shape_text(g, x), offset);
    if (shape[rank - 1] > INT64_C(1) << 29)
        return ir_error_as(g, BZ_ESHAPE, "diag_embed", "the shape has more than 2^60 elements");
    int64_t n = shape[rank - 1], side = n + (offset < 0 ? -offset : offset), numel = side * side;
    diagonal_of(side, side, offset, &down, &right);
    strides[rank - 1] = side + 1;
    for (unsigned i = rank - 1; i-- > 0; numel *= shape[i]) {
        strides[i] = numel;
        if (shape[i] && numel > (INT64_C(1) << 60) / shape[i])
            return ir_error_as(g, BZ_ESHAPE, "diag_embed", "the shape has more than 2^60 elements");
    }
    for (unsigned i = 0; i + 1 < rank; i++) dims[i] = ir_dim_const(g, shape[i]);
    dims[rank - 1] = dims[rank] = ir_dim_const(g, side);
    if (numel == 0 || n == 0) {
        x = ir_const_bits(g, ir_dtype(g, x), 0, dims, rank + 1);
    } else {
        const ir_strided w = {rank, shape, strides, down * side + right};
        x = ir_reshape_dims(g, ir_put_strided(g, x, &w, numel), dims, rank + 1);
    }
    return ir_movedim(g, x, (int[]){-2, -1}, 2, (int[]){(int)p, (int)q}, 2);
}
