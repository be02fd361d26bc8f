/* vmap_parts.c - over samples: products, indices, windows that move, C functions.
 *
 *     dot       both operands have the axis: one batch axis more; one: an axis more that is not summed over
 *     conv      x: samples are samples; kernel: they are output channels; both: groups
 *     indices   that all samples share: as they are; a sample's own: along lines, which are its rows' elements
 *     LAPACK    takes batches: one larger one */
#include "src/ir/external.h"
#include "src/passes/vmap.h"

#include <string.h>

static ir_ref operand_as_is(const pass_batch *q, ir_ref r, unsigned k) {
    return q->to[ir_operand(q->of, r, k)];
}

/* Numbers a .. b-1 of p, multiplied. */
static int64_t product(const int64_t *p, unsigned a, unsigned b) {
    int64_t n = 1;
    for (unsigned i = a; i < b; i++) n *= p[i];
    return n;
}

/* ---- dot */

ir_ref vmap_dot(const pass_batch *q, ir_ref r) {
    const ir_node n = *ir_at(q->of, r);
    const ir_dot_attr a = ir_dot_get(q->of, &n);
    const unsigned nb = a.nbatch, nc = a.ncontract, rank = n.rank;
    const bool l = vmap_is_over(q, r, 0), both = l && vmap_is_over(q, r, 1);
    const unsigned lrank = ir_at(q->of, ir_operand(q->of, r, 0))->rank, at = both ? 0
                                                                             : l  ? nb
                                                                                  : lrank - nc;
    int64_t attr[4 + 4 * (IR_MAX_RANK + 1)] = {a.acc, a.order, nb + both, nc}, *to = attr + 4;
    const int64_t *lists[4] = {a.lbatch, a.rbatch, a.lcontract, a.rcontract};
    ir_dim dims[IR_MAX_RANK];
    if (rank >= IR_MAX_RANK) return vmap_cannot(q, r, "it has all the axes that are possible");
    for (unsigned i = 0; i < 4; i++) {
        const bool shifts = both || (i % 2 == 0) == l;
        if (both && i < 2) *to++ = 0;
        for (unsigned k = 0; k < (i < 2 ? nb : nc); k++) *to++ = lists[i][k] + shifts;
    }
    for (unsigned i = 0; i <= rank; i++)
        dims[i] = i == at ? q->size : ir_dims(q->of, ir_at(q->of, r))[i < at ? i : i - 1];
    const ir_ref in[2] = {operand_as_is(q, r, 0), operand_as_is(q, r, 1)};
    const ir_ref made = ir_append(q->g, IR_DOT, (bz_dtype)n.dtype, dims, rank + 1, in, 2, attr,
                                  (unsigned)(to - attr));
    return vmap_to_front(q->g, made, at);
}

/* ---- conv: x [N, G, C, S...], w [G, O, C, K...] */

enum { FRONT = 3 };

/* The first axis becomes part of axis `into`, before what is there. */
static ir_ref fold(ir_graph *g, ir_ref x, unsigned into) {
    int perm[IR_MAX_RANK];
    int64_t shape[IR_MAX_RANK], to[IR_MAX_RANK];
    if (!x || !ir_static_shape(g, x, shape)) return 0;
    const unsigned rank = ir_at(g, x)->rank;
    for (unsigned i = 0; i < rank; i++) perm[i] = (int)(i < into ? i + 1 : i == into ? 0 : i);
    for (unsigned i = 0; i + 1 < rank; i++) to[i] = shape[i + 1] * (i == into ? shape[0] : 1);
    return ir_reshape(g, ir_permute(g, x, perm, rank), to, rank - 1);
}

static ir_ref unfold(ir_graph *g, ir_ref x, unsigned from, int64_t size) {
    int64_t shape[IR_MAX_RANK], to[IR_MAX_RANK];
    if (!x || !ir_static_shape(g, x, shape)) return 0;
    const unsigned rank = ir_at(g, x)->rank;
    for (unsigned i = 0; i <= rank; i++) to[i] = i <= from ? shape[i] : shape[i - 1];
    to[from] = size;
    to[from + 1] = size ? shape[from] / size : 0;
    return vmap_to_front(g, ir_reshape(g, x, to, rank + 1), from);
}

ir_ref vmap_conv(const pass_batch *q, ir_ref r) {
    const ir_conv_attr a = ir_conv_get(q->of, r);
    const bool on_x = vmap_is_over(q, r, 0), on_w = vmap_is_over(q, r, 1);
    ir_ref x = operand_as_is(q, r, 0), w = operand_as_is(q, r, 1);
    int64_t size, shape[IR_MAX_RANK];
    if (ir_at(q->of, r)->rank >= IR_MAX_RANK || !ir_dim_value(q->g, q->size, &size) || size == 0 ||
        !ir_static_shape(q->of, r, shape))
        return vmap_cannot(q, r, "its sizes are not known, or there is no sample");
    if (on_x) x = fold(q->g, x, on_w ? 1 : 0);
    if (on_w) w = fold(q->g, w, on_x ? 0 : 1);
    const ir_ref y = x && w ? ir_conv(q->g, x, w, &a, shape + FRONT) : 0;
    return unfold(q->g, y, on_x && on_w ? 1 : on_x ? 0 : 2, size);
}

/* ---- indices */

/* [B, pre.., index.., post..]: what index names, with an index for each sample, pre and post: of shape [B, pre.., I, post..]. */
static ir_ref index_along(const pass_batch *q, ir_ref index, const int64_t *x, unsigned rank,
                          unsigned axis, int64_t count) {
    int64_t shape[IR_MAX_RANK];
    shape[0] = x[0];
    for (unsigned i = 1; i < rank; i++) shape[i] = i == axis ? count : 1;
    index = ir_reshape(q->g, index, shape, rank);
    for (unsigned i = 1; i < rank; i++) shape[i] = i == axis ? count : x[i];
    return ir_expand(q->g, index, shape, rank);
}

/* Rows at a sample's own indices. */
static ir_ref own_rows(const pass_batch *q, ir_ref x, ir_ref index, unsigned axis, ir_ref r) {
    int64_t shape[IR_MAX_RANK], of_index[IR_MAX_RANK], to[2 * IR_MAX_RANK];
    if (!x || !index) return 0;
    const unsigned rank = ir_at(q->g, x)->rank, n = ir_at(q->g, index)->rank;
    if (!ir_static_shape(q->g, x, shape) || !ir_static_shape(q->g, index, of_index))
        return vmap_cannot(q, r, "its sizes are not known");
    unsigned k = 0;
    for (unsigned i = 0; i < axis; i++) to[k++] = shape[i];
    for (unsigned i = 1; i < n; i++) to[k++] = of_index[i];
    for (unsigned i = axis + 1; i < rank; i++) to[k++] = shape[i];
    index = index_along(q, index, shape, rank, axis, product(of_index, 1, n));
    return ir_reshape(q->g, ir_gather_along(q->g, x, index, (int)axis), to, k);
}

ir_ref vmap_gather(const pass_batch *q, ir_ref r) {
    const int64_t *a = ir_attrs(q->of, ir_at(q->of, r));
    const int axis = (int)a[0];
    const bool along = a[1] != 0, on_x = vmap_is_over(q, r, 0), on_index = vmap_is_over(q, r, 1);
    if (along) return ir_gather_along(q->g, vmap_operand(q, r, 0), vmap_operand(q, r, 1), axis + 1);
    if (!on_index) return ir_gather(q->g, operand_as_is(q, r, 0), operand_as_is(q, r, 1), axis + 1);
    if (!on_x)
        return vmap_to_front(q->g,
                             ir_gather(q->g, operand_as_is(q, r, 0), operand_as_is(q, r, 1), axis),
                             (unsigned)axis);
    return own_rows(q, operand_as_is(q, r, 0), operand_as_is(q, r, 1), (unsigned)axis + 1, r);
}

/* Rows of y into those of x that a sample's own indices name: y's elements come to their places in the same order. */
static ir_ref put_own_rows(const pass_batch *q, ir_way way, ir_ref r, unsigned axis) {
    int64_t shape[IR_MAX_RANK], of_index[IR_MAX_RANK];
    const ir_ref x = vmap_operand(q, r, 0), y = vmap_operand(q, r, 2);
    ir_ref index = operand_as_is(q, r, 1);
    if (!x || !y) return 0;
    const unsigned rank = ir_at(q->g, x)->rank, n = ir_at(q->g, index)->rank;
    if (!ir_static_shape(q->g, x, shape) || !ir_static_shape(q->g, index, of_index))
        return vmap_cannot(q, r, "its sizes are not known");
    const int64_t count = product(of_index, 1, n);
    index = index_along(q, index, shape, rank, axis, count);
    shape[axis] = count;
    return ir_scatter(q->g, way, x, index, ir_reshape(q->g, y, shape, rank), (int)axis, true);
}

ir_ref vmap_scatter(const pass_batch *q, ir_ref r) {
    const int64_t *a = ir_attrs(q->of, ir_at(q->of, r));
    const ir_way way = (ir_way)a[0];
    const int axis = (int)a[1] + 1;
    const bool along = a[2] != 0;
    if (!along && vmap_is_over(q, r, 1)) return put_own_rows(q, way, r, (unsigned)axis);
    const ir_ref index = along ? vmap_operand(q, r, 1) : operand_as_is(q, r, 1);
    return ir_scatter(q->g, way, vmap_operand(q, r, 0), index, vmap_operand(q, r, 2), axis, along);
}

/* ---- windows that begin elsewhere in each sample */

/* The places of the window's elements, [B, count]. */
static ir_ref places(const pass_batch *q, ir_ref r, const ir_strided *w, int64_t count) {
    ir_graph *g = q->g;
    ir_dim dims[IR_MAX_RANK];
    int64_t lo, hi, size, ones[IR_MAX_RANK];
    ir_ref at = q->to[ir_window_at(q->of, r)];
    dims[0] = q->size;
    ir_dim_value(g, q->size, &size);
    for (unsigned i = 0; i < w->rank; i++) dims[1 + i] = ir_dim_const(g, w->shape[i]);
    for (unsigned i = 0; i < w->rank; i++) ones[1 + i] = 1;
    ones[0] = size;
    if (ir_window_room(q->of, r, &lo, &hi)) {
        at = ir_build2(g, IR_MAX, at, ir_const_i(g, BZ_I64, lo));
        at = ir_build2(g, IR_MIN, at, ir_const_i(g, BZ_I64, hi));
    } else {
        at = ir_const_like(g, at, 0);
    }
    ir_ref sum = ir_reshape(g, ir_build2(g, IR_ADD, at, ir_const_i(g, BZ_I64, w->offset)), ones,
                            w->rank + 1);
    for (unsigned i = 0; i < w->rank; i++) {
        ir_ref own = ir_iota(g, BZ_I64, dims, w->rank + 1, (int)i + 1);
        own = ir_build2(g, IR_MUL, own, ir_const_i(g, BZ_I64, w->strides[i]));
        sum = ir_build2(g, IR_ADD, sum, own);
    }
    return ir_reshape(g, sum, (int64_t[]){size, count}, 2);
}

static ir_ref lines(ir_graph *g, ir_ref x, int64_t size, int64_t count) {
    return ir_reshape(g, x, (int64_t[]){size, count}, 2);
}

ir_ref vmap_moving_window(const pass_batch *q, ir_ref r) {
    ir_graph *g = q->g;
    int64_t shape[IR_MAX_RANK], strides[IR_MAX_RANK], numel, size, to[IR_MAX_RANK + 1];
    const ir_strided w = ir_window_of(q->of, r, shape, strides);
    const bool reads = ir_at(q->of, r)->op == IR_AS_STRIDED;
    const unsigned rank = ir_at(q->of, r)->rank;
    const ir_ref x = vmap_operand(q, r, 0);
    if (rank >= IR_MAX_RANK || w.rank >= IR_MAX_RANK)
        return vmap_cannot(q, r, "it has all the axes that are possible");
    if (!ir_numel(q->of, ir_operand(q->of, r, 0), &numel) || !ir_dim_value(g, q->size, &size) ||
        !ir_static_shape(q->of, r, to + 1))
        return vmap_cannot(q, r, "its sizes are not known");
    const int64_t count = product(shape, 0, w.rank);
    const ir_ref index = places(q, r, &w, count), all = lines(g, x, size, numel);
    to[0] = size;
    const ir_ref made = reads ? ir_gather_along(g, all, index, 1)
                              : ir_scatter(g, IR_BY_LAST, all, index,
                                           lines(g, vmap_operand(q, r, 1), size, count), 1, true);
    return ir_reshape(g, made, to, rank + 1);
}

/* ---- C functions: those of LAPACK have a batch in front */

static ir_ref one_batch(ir_graph *g, ir_ref x) {
    int64_t shape[IR_MAX_RANK];
    if (!x || !ir_static_shape(g, x, shape)) return 0;
    shape[1] *= shape[0];
    return ir_reshape(g, x, shape + 1, ir_at(g, x)->rank - 1u);
}

ir_ref vmap_external(const pass_batch *q, ir_ref r) {
    const ir_external *e = ir_external_of(q->of, r);
    ir_ref in[IR_EXTERNAL_MOST];
    if (!e->grad) return vmap_cannot(q, r, "it is an op of the user's, of one sample");
    for (unsigned k = 0; k < e->nin; k++)
        if (!(in[k] = one_batch(q->g, vmap_operand(q, r, k))))
            return vmap_cannot(q, r, "its sizes are not known");
    return ir_external_call(q->g, ir_attrs(q->of, ir_at(q->of, r))[0], in, e->nin);
}

ir_ref vmap_apart(const pass_batch *q, ir_ref r, ir_ref x) {
    ir_dim dims[IR_MAX_RANK];
    const unsigned rank = ir_at(q->of, r)->rank;
    if (rank >= IR_MAX_RANK) return vmap_cannot(q, r, "it has all the axes that are possible");
    dims[0] = q->size;
    memcpy(dims + 1, ir_dims(q->of, ir_at(q->of, r)), rank * sizeof *dims);
    return x ? ir_reshape_dims(q->g, x, dims, rank + 1) : 0;
}
