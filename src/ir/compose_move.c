/* compose_move.c - views that are no primitives: axes moved, put in, taken apart, repeated without a copy.
 *
 * Each is a chain of reshape, permute, expand and slice on x and nothing else, so that the caller's layer finds the strides of a
 * view by going down that chain (runtime/record/moved.c). */
#include "src/ir/compose.h"

#include <inttypes.h>
#include <string.h>

/* ---- axes in another order */

ir_ref ir_movedim(ir_graph *g, ir_ref x, const int *from, unsigned n, const int *to, unsigned nto) {
    bool moves[IR_MAX_RANK] = {false}, set[IR_MAX_RANK];
    int perm[IR_MAX_RANK];
    if (!x) return 0;
    unsigned rank = ir_at(g, x)->rank, next = 0, a, b;
    if (n != nto)
        return ir_error_as(g, BZ_EAXIS, "movedim", "%u axes of %s to %u places", n,
                           ir_shape_text(g, x), nto);
    if (n &&
        (!ir_axis_set(g, "movedim", x, from, n, set) || !ir_axis_set(g, "movedim", x, to, n, set)))
        return 0;
    if (!rank) return x;
    for (unsigned i = 0; i < rank; i++) perm[i] = -1;
    for (unsigned i = 0; i < n; i++) {
        ir_axis_of(g, "movedim", x, from[i], 0, &a);
        ir_axis_of(g, "movedim", x, to[i], 0, &b);
        perm[b] = (int)a;
        moves[a] = true;
    }
    for (unsigned i = 0; i < rank; i++) {
        if (perm[i] >= 0) continue;
        while (moves[next]) next++;
        perm[i] = (int)next++;
    }
    return ir_permute(g, x, perm, rank);
}

ir_ref ir_t(ir_graph *g, ir_ref x) {
    if (!x) return 0;
    if (ir_at(g, x)->rank > 2)
        return ir_error_as(g, BZ_ESHAPE, "t", "%s has more than two axes", ir_shape_text(g, x));
    return ir_at(g, x)->rank == 2 ? ir_transpose(g, x, 0, 1) : x;
}

ir_ref ir_mT(ir_graph *g, ir_ref x) {
    if (!x) return 0;
    if (ir_at(g, x)->rank < 2)
        return ir_error_as(g, BZ_ESHAPE, "mT", "%s is no matrix", ir_shape_text(g, x));
    return ir_transpose(g, x, -2, -1);
}

/* ---- axes put in and taken apart */

/* x with axes of one element in front and behind. */
static ir_ref between_ones(ir_graph *g, ir_ref x, unsigned front, unsigned behind) {
    ir_dim dims[IR_MAX_RANK], one = ir_dim_const(g, 1);
    unsigned own = ir_at(g, x)->rank, rank = front + own + behind;
    for (unsigned i = 0; i < rank; i++)
        dims[i] = i < front || i >= front + own ? one : ir_dims(g, ir_at(g, x))[i - front];
    return ir_reshape_dims(g, x, dims, rank);
}

ir_ref ir_atleast_1d(ir_graph *g, ir_ref x) {
    return !x || ir_at(g, x)->rank > 0 ? x : between_ones(g, x, 1, 0);
}

ir_ref ir_atleast_2d(ir_graph *g, ir_ref x) {
    return !x || ir_at(g, x)->rank > 1 ? x : between_ones(g, x, 2 - ir_at(g, x)->rank, 0);
}

ir_ref ir_atleast_3d(ir_graph *g, ir_ref x) {
    if (!x || ir_at(g, x)->rank > 2) return x;
    unsigned rank = ir_at(g, x)->rank;
    return between_ones(g, x, 2 - rank, 1);
}

ir_ref ir_unflatten(ir_graph *g, ir_ref x, int axis, const int64_t *sizes, unsigned n) {
    unsigned at, rank = 0;
    ir_dim dims[IR_MAX_RANK], rest = ir_dim_const(g, 1);
    int hole = -1;
    if (!x || !ir_axis_of(g, "unflatten", x, axis, 0, &at)) return 0;
    unsigned own = ir_at(g, x)->rank;
    if (!own || n == 0 || own - 1 + n > IR_MAX_RANK)
        return ir_error_as(g, BZ_ESHAPE, "unflatten", "axis %d of %s cannot become %u axes", axis,
                           ir_shape_text(g, x), n);
    for (unsigned a = 0; a < own; a++) {
        if (a != at) {
            dims[rank++] = ir_dims(g, ir_at(g, x))[a];
            continue;
        }
        for (unsigned i = 0; i < n; i++, rank++) {
            if (sizes[i] < -1 || (sizes[i] == -1 && hole >= 0))
                return ir_error_as(g, BZ_ESHAPE, "unflatten", "size %u is %" PRId64 "%s", i,
                                   sizes[i], sizes[i] == -1 ? ", a second time" : "");
            if (sizes[i] == -1) hole = (int)rank;
            dims[rank] = ir_dim_const(g, sizes[i] == -1 ? 1 : sizes[i]);
            rest = ir_ex_mul(&g->m->ex, rest, dims[rank]);
        }
    }
    ir_dim all = ir_dims(g, ir_at(g, x))[at];
    int64_t have, each;
    bool known = ir_dim_value(g, all, &have) && ir_dim_value(g, rest, &each);
    if (known && (hole < 0 ? have != each : each == 0 || have % each))
        return ir_error_as(g, BZ_ESHAPE, "unflatten", "the sizes do not fill axis %d of %s", axis,
                           ir_shape_text(g, x));
    if (hole >= 0) dims[hole] = ir_ex_div(&g->m->ex, all, rest);
    return ir_reshape_dims(g, x, dims, rank);
}

ir_ref ir_sliding_window_view(ir_graph *g, ir_ref x, int64_t size, int axis, int64_t step) {
    int64_t shape[IR_MAX_RANK + 1], strides[IR_MAX_RANK + 1], by = 1;
    unsigned at;
    if (!ir_axis_of_known(g, "sliding_window_view", x, axis, shape, &at)) return 0;
    unsigned rank = ir_at(g, x)->rank;
    if (size < 1 || size > shape[at] || step < 1 || rank == IR_MAX_RANK)
        return ir_error_as(g, BZ_EARG, "sliding_window_view",
                           "windows of %" PRId64 ", %" PRId64 " apart, of axis %d of %s", size,
                           step, axis, ir_shape_text(g, x));
    for (unsigned a = rank; a-- > 0; by *= shape[a]) strides[a] = by;
    shape[rank] = size;
    strides[rank] = strides[at];
    shape[at] = (shape[at] - size) / step + 1;
    strides[at] *= step;
    return ir_as_strided(g, x, shape, strides, rank + 1, 0);
}

ir_ref ir_ravel(ir_graph *g, ir_ref x) {
    return x ? ir_flatten(g, x, 0, -1) : 0;
}

/* How elements lie is not the graph's. */
ir_ref ir_contiguous(ir_graph *g, ir_ref x) {
    (void)g;
    return x;
}

/* ---- shapes of others */

/* The dims of y, which may move in memory while nodes are appended. */
static unsigned dims_of_other(const ir_graph *g, ir_ref y, ir_dim *dims) {
    unsigned rank = ir_at(g, y)->rank;
    if (rank) memcpy(dims, ir_dims(g, ir_at(g, y)), rank * sizeof *dims);
    return rank;
}

ir_ref ir_reshape_as(ir_graph *g, ir_ref x, ir_ref other) {
    ir_dim dims[IR_MAX_RANK];
    if (!x || !other) return 0;
    unsigned rank = dims_of_other(g, other, dims);
    return ir_reshape_dims(g, x, dims, rank);
}

ir_ref ir_expand_as(ir_graph *g, ir_ref x, ir_ref other) {
    ir_dim dims[IR_MAX_RANK];
    if (!x || !other) return 0;
    unsigned rank = dims_of_other(g, other, dims);
    return ir_expand_dims_like(g, x, dims, rank);
}

ir_ref ir_broadcast_tensors(ir_graph *g, const ir_ref *x, unsigned n, ir_parts *parts) {
    ir_dim dims[IR_MAX_RANK], one = ir_dim_const(g, 1);
    unsigned rank = 0;
    if (!ir_parts_new(g, "broadcast_tensors", n, parts)) return 0;
    for (unsigned i = 0; i < n; i++) {
        if (!x[i]) return 0;
        rank = ir_at(g, x[i])->rank > rank ? ir_at(g, x[i])->rank : rank;
    }
    for (unsigned a = 0; a < rank; a++) dims[a] = one;
    for (unsigned i = 0; i < n; i++) {
        unsigned own = ir_at(g, x[i])->rank;
        for (unsigned a = 0; a < own; a++) {
            ir_dim d = ir_dims(g, ir_at(g, x[i]))[a], *to = &dims[rank - own + a];
            *to = *to == one ? d : *to;
            if (d != one && d != *to)
                return ir_error_as(g, BZ_ESHAPE, "broadcast_tensors",
                                   "%s does not broadcast with the %u before it: "
                                   "axis %u",
                                   ir_shape_text(g, x[i]), i, a);
        }
    }
    ir_ref *source = bz_arena_copy(&g->arena, x, n * sizeof *source);
    for (unsigned i = 0; i < n; i++)
        parts->p[i] = source ? ir_expand_dims_like(g, source[i], dims, rank) : 0;
    return n ? parts->p[0] : 0;
}
