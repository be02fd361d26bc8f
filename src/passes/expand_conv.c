/* expand_conv.c - a convolution as a product of its kernel with a view of x that shows each element as often as windows hold it.
 *
 *     x [N, G, C, S...] --spread, pad--> [N, G, C, L...] --as_strided--> [N, G, C, K..., M...] --dot with [G, O, C, K...]--> [N, G, O, M...]
 *
 * All but the product are index maps: nothing is written to memory before it, and its panels are packed through the view (implicit GEMM).
 * Where an image holds few windows, the samples are columns of one product, too, whose result is [G, O, N, M...]. */
#include "src/passes/pass.h"

#include <string.h>

enum { FRONT = 3, FEW_WINDOWS = 32 };

/* Axis `axis` of x with zeros behind each element, `by` places from one to the next. */
static ir_ref spread(ir_graph *g, ir_ref x, int64_t *shape, unsigned axis, int64_t by) {
    int64_t wide[IR_MAX_RANK], lo[IR_MAX_RANK] = {0}, hi[IR_MAX_RANK] = {0};
    const unsigned rank = ir_at(g, x)->rank;
    if (by == 1) return x;
    for (unsigned i = 0, k = 0; i < rank; i++) {
        wide[k++] = shape[i];
        if (i == axis) wide[k++] = 1;
    }
    hi[axis + 1] = by - 1;
    x = ir_pad(g, ir_reshape(g, x, wide, rank + 1), lo, hi, 0);
    shape[axis] *= by;
    return ir_reshape(g, x, shape, rank);
}

/* Elements -lo .. -lo + n - 1 of an axis, zeros where there are none. */
static ir_ref cut(ir_graph *g, ir_ref x, int64_t *shape, unsigned axis, int64_t lo, int64_t n) {
    int64_t from[IR_MAX_RANK] = {0}, step[IR_MAX_RANK], before[IR_MAX_RANK] = {0},
            behind[IR_MAX_RANK] = {0};
    const unsigned rank = ir_at(g, x)->rank;
    const int64_t first = lo < 0 ? -lo : 0, end = n - lo < shape[axis] ? n - lo : shape[axis];
    for (unsigned i = 0; i < rank; i++) step[i] = 1;
    if (first >= end) {
        ir_dim dims[IR_MAX_RANK];
        shape[axis] = n;
        for (unsigned i = 0; i < rank; i++) dims[i] = ir_dim_const(g, shape[i]);
        return ir_const_bits(g, ir_dtype(g, x), 0, dims, rank);
    }
    from[axis] = first;
    shape[axis] = end - first;
    x = ir_slice_exact(g, x, from, shape, step);
    before[axis] = first + lo;
    behind[axis] = n - before[axis] - shape[axis];
    shape[axis] = n;
    return ir_pad(g, x, before, behind, 0);
}

/* x as [N, G, C, K..., M...]. */
static ir_ref windows(ir_graph *g, ir_ref x, const ir_conv_attr *a, const int64_t *kernel,
                      const int64_t *size) {
    int64_t shape[IR_MAX_RANK], seen[2 * IR_MAX_RANK], strides[2 * IR_MAX_RANK], step = 1;
    ir_static_shape(g, x, shape);
    for (unsigned i = 0; i < a->n; i++) {
        const ir_conv_axis *v = &a->axis[i];
        const int64_t n = (size[i] - 1) * v->stride + (kernel[i] - 1) * v->dilation + 1;
        x = spread(g, x, shape, FRONT + i, v->spread);
        x = cut(g, x, shape, FRONT + i, v->lo, n);
    }
    for (unsigned d = FRONT + a->n; d-- > 0; step *= shape[d]) {
        const unsigned i = d < FRONT ? 0 : d - FRONT;
        seen[d] = d < FRONT ? shape[d] : kernel[i];
        strides[d] = step * (d < FRONT ? 1 : a->axis[i].dilation);
        if (d < FRONT) continue;
        seen[d + a->n] = size[i];
        strides[d + a->n] = step * a->axis[i].stride;
    }
    const ir_strided w = {FRONT + 2 * a->n, seen, strides, 0};
    return ir_read_strided(g, x, &w);
}

/* One product for each sample: the kernel times its windows. */
static ir_ref by_samples(ir_graph *g, ir_ref w, ir_ref v, unsigned n, int64_t samples) {
    int64_t wide[IR_MAX_RANK];
    int over_w[IR_MAX_RANK], over_v[IR_MAX_RANK];
    ir_static_shape(g, w, wide + 1);
    wide[0] = samples;
    for (unsigned i = 0; i <= n; i++) over_w[i] = FRONT + (int)i, over_v[i] = 2 + (int)i;
    w = ir_expand(g, w, wide, FRONT + 1 + n);
    return ir_dot(g, w, v, (int[]){0, 1}, (int[]){0, 1}, 2, over_w, over_v, n + 1);
}

/* One product: the kernel times the windows of all samples. */
static ir_ref together(ir_graph *g, ir_ref w, ir_ref v, unsigned n) {
    int over[IR_MAX_RANK], perm[IR_MAX_RANK] = {2, 0, 1};
    for (unsigned i = 0; i <= n; i++) over[i] = 2 + (int)i;
    for (unsigned i = 0; i < n; i++) perm[FRONT + i] = FRONT + (int)i;
    ir_ref y = ir_dot(g, w, v, (int[]){0}, (int[]){1}, 1, over, over, n + 1);
    return ir_permute(g, y, perm, FRONT + n);
}

ir_ref pass_expand_conv(ir_graph *g, const ir_graph *old, const ir_map *map, ir_ref r) {
    const ir_conv_attr a = ir_conv_get(old, r);
    const ir_ref x = map->to[ir_operand(old, r, 0)], w = map->to[ir_operand(old, r, 1)];
    int64_t kernel[IR_MAX_RANK], shape[IR_MAX_RANK], columns = 1;
    if (!ir_static_shape(old, r, shape) || !ir_static_shape(g, w, kernel))
        return ir_error(g, BZ_EUNSUPPORTED, IR_CONV, "a symbolic shape");
    for (unsigned i = 0; i < a.n; i++) columns *= shape[FRONT + i];
    const ir_ref v = windows(g, x, &a, kernel + FRONT, shape + FRONT);
    return columns < FEW_WINDOWS && shape[0] > 1 ? together(g, w, v, a.n)
                                                 : by_samples(g, w, v, a.n, shape[0]);
}
