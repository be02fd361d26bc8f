/* grad_conv.c - gradients of a convolution are convolutions.
 *
 *     y[m] = sum over k of w[k] X[m stride + k dilation - lo],  X[i spread] = x[i]
 *
 *     of x[i]:  all y[m] with m stride = i spread + lo - k dilation: windows of w, backwards, on y's gradient with its elements `stride` apart
 *     of w[k]:  the sum over m of y's gradient[m] X[k dilation + m stride - lo]: of y's gradient, as a kernel, on x */
#include "src/passes/grad.h"

enum { FRONT = 3 };

/* Axes 0 .. 2 in another order, those of the windows as they are. */
static ir_ref reordered(ir_graph *g, ir_ref x, int a, int b, int c) {
    int perm[IR_MAX_RANK] = {a, b, c};
    const unsigned rank = ir_at(g, x)->rank;
    for (unsigned i = FRONT; i < rank; i++) perm[i] = (int)i;
    return ir_permute(g, x, perm, rank);
}

static ir_ref of_x(ir_graph *g, ir_ref x, ir_ref w, ir_ref d, const ir_conv_attr *a) {
    ir_conv_attr back = {.n = a->n};
    int64_t kernel[IR_MAX_RANK], shape[IR_MAX_RANK];
    int axes[IR_MAX_RANK];
    for (unsigned i = 0; i < a->n; i++) {
        ir_dim_value(g, ir_dims(g, ir_at(g, w))[FRONT + i], &kernel[i]);
        ir_dim_value(g, ir_dims(g, ir_at(g, x))[FRONT + i], &shape[i]);
        const ir_conv_axis v = a->axis[i];
        back.axis[i] = (ir_conv_axis){.stride = v.spread,
                                      .dilation = v.dilation,
                                      .spread = v.stride,
                                      .lo = (kernel[i] - 1) * v.dilation - v.lo};
        axes[i] = (int)(FRONT + i);
    }
    w = reordered(g, a->n ? ir_flip(g, w, axes, a->n) : w, 0, 2, 1);
    return ir_conv(g, d, w, &back, shape);
}

static ir_ref of_w(ir_graph *g, ir_ref x, ir_ref w, ir_ref d, const ir_conv_attr *a) {
    ir_conv_attr across = {.n = a->n};
    int64_t kernel[IR_MAX_RANK];
    for (unsigned i = 0; i < a->n; i++) {
        ir_dim_value(g, ir_dims(g, ir_at(g, w))[FRONT + i], &kernel[i]);
        const ir_conv_axis v = a->axis[i];
        across.axis[i] = (ir_conv_axis){v.dilation, v.stride, v.spread, v.lo};
    }
    /* channels are samples, and samples are channels */
    x = reordered(g, x, 2, 1, 0);
    d = reordered(g, d, 1, 2, 0);
    return reordered(g, ir_conv(g, x, d, &across, kernel), 1, 2, 0);
}

ir_ref grad_conv(ir_graph *g, ir_ref r, unsigned k, const ir_ref *d) {
    const ir_conv_attr a = ir_conv_get(g, r);
    const ir_ref x = ir_operand(g, r, 0), w = ir_operand(g, r, 1);
    return k ? of_w(g, x, w, *d, &a) : of_x(g, x, w, *d, &a);
}
