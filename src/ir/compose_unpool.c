/* compose_unpool.c - the way back of max pools: each value at the place that it was found at, zeros elsewhere.
 *
 *     x [N, C, M...], indices [N, C, M...] --> [N, C, S...], S = (M - 1) stride - 2 padding + kernel, or what output_size says */
#include "src/ir/compose_window.h"

#include <inttypes.h>

typedef struct unpool {
    const char *name;
    unsigned n;
    int64_t kernel[IR_MAX_RANK], stride[IR_MAX_RANK], padding[IR_MAX_RANK], made[IR_MAX_RANK];
} unpool;

/* Sizes as the windows say, or given ones, less than a step from these. `shape` is x's, as many axes in front. False, with an error. */
static bool find_sizes(ir_graph *g, unpool *q, const int64_t *shape, const int *size,
                       unsigned nsize) {
    if (nsize && !ir_window_numbers(g, q->name, q->n, "output_size", size, nsize, 0, 0, q->made))
        return false;
    for (unsigned i = 0; i < q->n; i++) {
        const int64_t plain = (shape[i] - 1) * q->stride[i] - 2 * q->padding[i] + q->kernel[i];
        if (!nsize) q->made[i] = plain;
        if (q->made[i] <= plain - q->stride[i] || q->made[i] >= plain + q->stride[i] || plain < 1)
            return ir_error_as(g, BZ_ESHAPE, q->name,
                               "axis %u: %" PRId64 " windows come from %" PRId64
                               " elements, or less than %" PRId64 " more or fewer, not %" PRId64,
                               i, shape[i], plain, q->stride[i], q->made[i]),
                   false;
    }
    return true;
}

ir_ref ir_max_unpool(ir_graph *g, const char *name, unsigned n, ir_ref x, ir_ref indices,
                     const int *kernel, unsigned nkernel, const int *stride, unsigned nstride,
                     const int *padding, unsigned npadding, const int *size, unsigned nsize) {
    unpool q = {.name = name, .n = n};
    int64_t shape[IR_MAX_RANK], plane = 1;
    if (!x || !indices) return 0;
    const unsigned rank = ir_at(g, x)->rank, lead = rank - n;
    if (rank != n + 1 && rank != n + 2)
        return ir_error_as(g, BZ_ESHAPE, name, "x has %u axes, or %u without samples, not %s",
                           n + 2, n + 1, ir_shape_text(g, x));
    if (!ir_static_shape(g, x, shape))
        return ir_error_as(g, BZ_EUNSUPPORTED, name, "the sizes of %s must be known",
                           ir_shape_text(g, x));
    if (!ir_same_shape(g, x, indices))
        return ir_error_as(g, BZ_ESHAPE, name, "indices %s do not fit %s",
                           ir_shape_text(g, indices), ir_shape_text(g, x));
    if (!nkernel) return ir_error_as(g, BZ_EARG, name, "kernel_size is needed");
    if (!ir_window_numbers(g, name, n, "kernel_size", kernel, nkernel, 0, 1, q.kernel) ||
        !ir_window_numbers(g, name, n, "padding", padding, npadding, 0, 0, q.padding) ||
        !ir_window_numbers(g, name, n, "stride", stride && nstride ? stride : kernel,
                           stride && nstride ? nstride : nkernel, 0, 1, q.stride) ||
        !ir_window_sizes(g, name, n, x, shape + lead) ||
        !find_sizes(g, &q, shape + lead, size, size ? nsize : 0))
        return 0;
    for (unsigned i = 0; i < n; i++) {
        plane = bz_times(plane, q.made[i]);
        shape[lead + i] = q.made[i];
    }
    ir_ref flat = ir_flatten(g, x, (int)lead, -1), at = ir_flatten(g, indices, (int)lead, -1);
    ir_ref zero = ir_const_bits(g, ir_dtype(g, x), 0, NULL, 0);
    int64_t wide[3] = {shape[0], shape[1]};
    wide[lead] = plane;
    ir_ref empty = ir_expand(g, zero, wide, lead + 1);
    return ir_reshape(g, ir_put_along_dim(g, empty, at, flat, -1), shape, rank);
}
