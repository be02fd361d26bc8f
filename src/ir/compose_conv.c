/* compose_conv.c - convolutions as torch.nn.functional has them: what they are called with, checked, and brought to the primitive.
 *
 *     x [N, C, S...] -> [N, G, C/G, S...]     weight [O, C/G, K...] -> [G, O/G, C/G, K...]       transposed: weight [C, O/G, K...]
 *     [N, G, O/G, M...] -> [N, O, M...] + bias; of halves rounded once */
#include "src/ir/compose_window.h"

#include <inttypes.h>
#include <string.h>

typedef struct call {
    ir_graph *g;
    const char *name;
    unsigned n; /* axes of windows */
    ir_ref x, w, b;
    bool single, back;              /* x has no axis of samples; transposed */
    int64_t groups, channels, outs; /* the latter of a group */
    int64_t size[IR_MAX_RANK], kernel[IR_MAX_RANK],
        made[IR_MAX_RANK]; /* of x, the weight, the result */
    int64_t stride[IR_MAX_RANK], padding[IR_MAX_RANK], dilation[IR_MAX_RANK], more[IR_MAX_RANK];
} call;

/* ---- checks: each false, with an error */

static bool fits_ranks(call *q) {
    const unsigned rank = ir_at(q->g, q->x)->rank, wants = q->n + 2;
    q->single = rank == q->n + 1;
    if ((q->single || rank == wants) && ir_at(q->g, q->w)->rank == wants) return true;
    return ir_error_as(q->g, BZ_ESHAPE, q->name,
                       "x has %u axes, or %u without samples, and the weight %u, not %s and %s",
                       wants, wants - 1, wants, ir_shape_text(q->g, q->x),
                       ir_shape_text(q->g, q->w)),
           false;
}

static bool fits_channels(call *q, int groups) {
    ir_graph *g = q->g;
    int64_t c, first, second;
    if (groups < 1)
        return ir_error_as(g, BZ_EARG, q->name, "%d groups: at least 1 is needed", groups), false;
    if (!ir_dim_value(g, ir_dims(g, ir_at(g, q->x))[!q->single], &c) ||
        !ir_dim_value(g, ir_dims(g, ir_at(g, q->w))[0], &first) ||
        !ir_dim_value(g, ir_dims(g, ir_at(g, q->w))[1], &second))
        return ir_error_as(g, BZ_EUNSUPPORTED, q->name, "the channels of %s and %s must be known",
                           ir_shape_text(g, q->x), ir_shape_text(g, q->w)),
               false;
    q->groups = groups;
    q->channels = c / groups;
    q->outs = q->back ? second : first / groups;
    const bool fit = q->back ? first == c && c % groups == 0
                             : bz_times(second, groups) == c && first % groups == 0;
    if (fit) return true;
    return ir_error_as(g, BZ_ESHAPE, q->name,
                       "weight %s does not fit x %s, whose %" PRId64 " channels are %d group%s",
                       ir_shape_text(g, q->w), ir_shape_text(g, q->x), c, groups,
                       groups == 1 ? "" : "s"),
           false;
}

static bool fits_bias(const call *q) {
    int64_t n;
    if (!q->b) return true;
    const ir_node *b = ir_at(q->g, q->b);
    if (b->rank == 1 && ir_dim_value(q->g, ir_dims(q->g, b)[0], &n) && n == q->outs * q->groups)
        return true;
    return ir_error_as(q->g, BZ_ESHAPE, q->name, "bias %s does not fit the weight %s",
                       ir_shape_text(q->g, q->b), ir_shape_text(q->g, q->w)),
           false;
}

static bool fits(call *q, int groups) {
    if (!fits_ranks(q) || !fits_channels(q, groups) || !fits_bias(q) ||
        !ir_window_sizes(q->g, q->name, q->n, q->x, q->size) ||
        !ir_window_sizes(q->g, q->name, q->n, q->w, q->kernel))
        return false;
    for (unsigned i = 0; i < q->n; i++)
        if (q->kernel[i] == 0)
            return ir_error_as(q->g, BZ_ESHAPE, q->name, "the weight %s has no elements",
                               ir_shape_text(q->g, q->w)),
                   false;
    return true;
}

/* ---- the primitive */

/* Axes 0 .. 2 from the channels of groups, then those of the windows. */
static ir_ref with_groups(call *q, ir_ref x, ir_dim first, int64_t second, int64_t third,
                          const int64_t *sizes_of) {
    ir_dim dims[IR_MAX_RANK];
    dims[0] = first;
    dims[1] = ir_dim_const(q->g, second);
    dims[2] = ir_dim_const(q->g, third);
    for (unsigned i = 0; i < q->n; i++) dims[3 + i] = ir_dim_const(q->g, sizes_of[i]);
    return ir_reshape_dims(q->g, x, dims, 3 + q->n);
}

/* The weight as [G, O, C, K...]. */
static ir_ref kernel_of(call *q) {
    ir_graph *g = q->g;
    int perm[IR_MAX_RANK] = {0, 2, 1}, axes[IR_MAX_RANK];
    const int64_t second = q->back ? q->channels : q->outs, third = q->back ? q->outs : q->channels;
    ir_ref w = with_groups(q, q->w, ir_dim_const(g, q->groups), second, third, q->kernel);
    if (!q->back) return w;
    for (unsigned i = 0; i < q->n; i++) perm[3 + i] = axes[i] = 3 + (int)i;
    return ir_flip(g, ir_permute(g, w, perm, 3 + q->n), axes, q->n);
}

/* [N, G, O, M...] as [N, O, M...], or without its one sample, and the bias to it. */
static ir_ref finished(call *q, ir_ref y, bz_dtype t) {
    ir_graph *g = q->g;
    ir_dim dims[IR_MAX_RANK], ones[IR_MAX_RANK];
    unsigned rank = 0;
    if (!y) return 0;
    if (!q->single) dims[rank++] = ir_dims(g, ir_at(g, y))[0];
    dims[rank++] = ones[0] = ir_dim_const(g, q->groups * q->outs);
    for (unsigned i = 0; i < q->n; i++) {
        dims[rank++] = ir_dim_const(g, q->made[i]);
        ones[1 + i] = ir_dim_const(g, 1);
    }
    y = ir_reshape_dims(g, y, dims, rank);
    return q->b ? ir_cast(g, ir_plus(g, y, ir_reshape_dims(g, q->b, ones, 1 + q->n)), t) : y;
}

/* What the operands come together in; halves with a bias are rounded after it. */
static bz_dtype take_dtypes(call *q) {
    const bz_dtype t = ir_promote(ir_dtype(q->g, q->x), ir_dtype(q->g, q->w));
    const bz_dtype in = q->b ? ir_compute_dtype(t) : t;
    q->x = ir_cast(q->g, q->x, in);
    q->w = ir_cast(q->g, q->w, in);
    q->b = q->b ? ir_cast(q->g, q->b, in) : 0;
    return t;
}

static ir_ref convolved(call *q, const ir_conv_attr *a) {
    ir_graph *g = q->g;
    const bz_dtype t = take_dtypes(q);
    const ir_dim n = q->single ? ir_dim_const(g, 1) : ir_dims(g, ir_at(g, q->x))[0];
    const ir_ref w = kernel_of(q), x = with_groups(q, q->x, n, q->groups, q->channels, q->size);
    return finished(q, ir_conv(g, x, w, a, q->made), t);
}

/* ---- convolution */

static bool windows(call *q, bool same, ir_conv_attr *a) {
    for (unsigned i = 0; i < q->n; i++) {
        const int64_t reach = q->dilation[i] * (q->kernel[i] - 1);
        const int64_t lo = same ? reach / 2 : q->padding[i];
        const int64_t room = q->size[i] - 1 + (same ? reach : 2 * lo) - reach;
        if (room < 0)
            return ir_error_as(q->g, BZ_ESHAPE, q->name,
                               "axis %u: a window of %" PRId64 " elements on %" PRId64
                               " with %" PRId64 " zeros at either end",
                               i, reach + 1, q->size[i], lo),
                   false;
        q->made[i] = room / q->stride[i] + 1;
        a->axis[i] = (ir_conv_axis){q->stride[i], q->dilation[i], 1, lo};
    }
    return true;
}

ir_ref ir_convolve(ir_graph *g, const char *name, unsigned n, ir_ref x, ir_ref weight, ir_ref bias,
                   const int *stride, unsigned nstride, const int *padding, unsigned npadding,
                   const int *dilation, unsigned ndilation, int groups, bool same) {
    call q = {.g = g, .name = name, .n = n, .x = x, .w = weight, .b = bias};
    ir_conv_attr a = {.n = n};
    if (!x || !weight || !fits(&q, groups) ||
        !ir_window_numbers(g, name, n, "stride", stride, nstride, 1, 1, q.stride) ||
        !ir_window_numbers(g, name, n, "padding", padding, npadding, 0, 0, q.padding) ||
        !ir_window_numbers(g, name, n, "dilation", dilation, ndilation, 1, 1, q.dilation))
        return 0;
    for (unsigned i = 0; i < n; i++)
        if (same && (q.stride[i] != 1 || q.padding[i]))
            return ir_error_as(g, BZ_EARG, name,
                               "as many windows as elements need stride 1, and no other padding");
    return windows(&q, same, &a) ? convolved(&q, &a) : 0;
}

/* ---- transposed: each element of x puts a kernel, `stride` from the next */

static bool placed(call *q, ir_conv_attr *a) {
    for (unsigned i = 0; i < q->n; i++) {
        const int64_t reach = q->dilation[i] * (q->kernel[i] - 1);
        if (q->more[i] >= q->stride[i] && q->more[i] >= q->dilation[i])
            return ir_error_as(q->g, BZ_EARG, q->name,
                               "output_padding %" PRId64 " must be below stride %" PRId64
                               " or dilation %" PRId64,
                               q->more[i], q->stride[i], q->dilation[i]),
                   false;
        q->made[i] = (q->size[i] - 1) * q->stride[i] - 2 * q->padding[i] + reach + q->more[i] + 1;
        if (q->made[i] < 1 || q->made[i] > IR_CONV_MOST)
            return ir_error_as(q->g, BZ_ESHAPE, q->name,
                               "axis %u of the result would have %" PRId64 " elements", i,
                               q->made[i]),
                   false;
        a->axis[i] = (ir_conv_axis){1, q->dilation[i], q->stride[i], reach - q->padding[i]};
    }
    return true;
}

ir_ref ir_convolve_back(ir_graph *g, const char *name, unsigned n, ir_ref x, ir_ref weight,
                        ir_ref bias, const int *stride, unsigned nstride, const int *padding,
                        unsigned npadding, const int *output_padding, unsigned noutput,
                        const int *dilation, unsigned ndilation, int groups) {
    call q = {.g = g, .name = name, .n = n, .x = x, .w = weight, .b = bias, .back = true};
    ir_conv_attr a = {.n = n};
    if (!x || !weight || !fits(&q, groups) ||
        !ir_window_numbers(g, name, n, "stride", stride, nstride, 1, 1, q.stride) ||
        !ir_window_numbers(g, name, n, "padding", padding, npadding, 0, 0, q.padding) ||
        !ir_window_numbers(g, name, n, "output_padding", output_padding, noutput, 0, 0, q.more) ||
        !ir_window_numbers(g, name, n, "dilation", dilation, ndilation, 1, 1, q.dilation))
        return 0;
    return placed(&q, &a) ? convolved(&q, &a) : 0;
}
