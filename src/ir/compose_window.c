/* compose_window.c - windows as views.
 *
 *     x [L..., S...] --pad--> --as_strided--> [K..., L..., M...]              a fold of the first axes: pooling
 *     v [L..., M...] --repeated--> --pad--> --as_strided--> [J..., L..., S...]          what each element may take part in: its gradient
 *
 * They are index maps: nothing is written to memory. */
#include "src/ir/compose_window.h"

#include <inttypes.h>

bool ir_window_numbers(ir_graph *g, const char *name, unsigned n, const char *what, const int *list,
                       unsigned count, int none, int least, int64_t *out) {
    if (count > 1 && count != n)
        return ir_error_as(g, BZ_EARG, name, "%u numbers in %s for %u axes", count, what, n), false;
    for (unsigned i = 0; i < n; i++) {
        out[i] = count == 0 || !list ? none : list[count == 1 ? 0 : i];
        if (out[i] < least || out[i] > IR_CONV_MOST)
            return ir_error_as(g, BZ_EARG, name, "%s is %" PRId64 ": %d to 2^30 are possible", what,
                               out[i], least),
                   false;
    }
    return true;
}

bool ir_window_sizes(ir_graph *g, const char *name, unsigned n, ir_ref x, int64_t *out) {
    const unsigned first = ir_at(g, x)->rank - n;
    for (unsigned i = 0; i < n; i++)
        if (!ir_dim_value(g, ir_dims(g, ir_at(g, x))[first + i], &out[i]) || out[i] > IR_CONV_MOST)
            return ir_error_as(g, BZ_EUNSUPPORTED, name,
                               "the last %u axes of %s must have known sizes up to 2^30", n,
                               ir_shape_text(g, x)),
                   false;
    return true;
}

/* Elements -lo .. n - lo - 1 of an axis. */
static ir_ref cut(ir_graph *g, ir_ref x, unsigned axis, int64_t lo, int64_t n, ir_bits fill) {
    int64_t shape[IR_MAX_RANK], from[IR_MAX_RANK] = {0}, step[IR_MAX_RANK],
                                before[IR_MAX_RANK] = {0}, behind[IR_MAX_RANK] = {0};
    if (!x || !ir_static_shape(g, x, shape)) return 0;
    const int64_t first = lo < 0 ? -lo : 0, end = n - lo < shape[axis] ? n - lo : shape[axis];
    const unsigned rank = ir_at(g, x)->rank;
    for (unsigned i = 0; i < rank; i++) step[i] = 1;
    from[axis] = first < end ? first : 0;
    shape[axis] = first < end ? end - first : 0;
    before[axis] = first < end ? first + lo : 0;
    behind[axis] = n - before[axis] - shape[axis];
    return ir_pad(g, ir_slice_exact(g, x, from, shape, step), before, behind, fill);
}

/* `by` - 1 places behind each element of an axis. */
static ir_ref spread(ir_graph *g, ir_ref x, unsigned axis, int64_t by, ir_bits fill) {
    int64_t shape[IR_MAX_RANK], wide[IR_MAX_RANK + 1], lo[IR_MAX_RANK + 1] = {0},
                                                                        hi[IR_MAX_RANK + 1] = {0};
    if (!x || by == 1 || !ir_static_shape(g, x, shape)) return x;
    const unsigned rank = ir_at(g, x)->rank;
    for (unsigned i = 0, k = 0; i < rank; i++) {
        wide[k++] = shape[i];
        if (i == axis) wide[k++] = 1;
    }
    hi[axis + 1] = by - 1;
    x = ir_pad(g, ir_reshape(g, x, wide, rank + 1), lo, hi, fill);
    shape[axis] *= by;
    return ir_reshape(g, x, shape, rank);
}

/* Row-major strides of x, which it gives back. */
static void strides_of(const ir_graph *g, ir_ref x, int64_t *shape, int64_t *strides) {
    int64_t step = 1;
    ir_static_shape(g, x, shape);
    for (unsigned i = ir_at(g, x)->rank; i-- > 0; step *= shape[i]) strides[i] = step;
}

ir_ref ir_windows_of(ir_graph *g, ir_ref x, const ir_windows *w, ir_bits fill) {
    int64_t shape[IR_MAX_RANK], strides[IR_MAX_RANK], seen[IR_MAX_RANK], by[IR_MAX_RANK];
    if (!x) return 0;
    const unsigned rank = ir_at(g, x)->rank, lead = rank - w->n;
    if (rank + w->n > IR_MAX_RANK)
        return ir_error(g, BZ_ESHAPE, IR_AS_STRIDED, "a window of %u axes", rank + w->n);
    for (unsigned i = 0; i < w->n; i++)
        x = cut(g, x, lead + i, w->lo[i],
                (w->made[i] - 1) * w->stride[i] + (w->kernel[i] - 1) * w->dilation[i] + 1, fill);
    if (!x) return 0;
    strides_of(g, x, shape, strides);
    for (unsigned i = 0; i < rank; i++) {
        seen[w->n + i] = i < lead ? shape[i] : w->made[i - lead];
        by[w->n + i] = strides[i] * (i < lead ? 1 : w->stride[i - lead]);
        if (i < lead) continue;
        seen[i - lead] = w->kernel[i - lead];
        by[i - lead] = strides[i] * w->dilation[i - lead];
    }
    return ir_read_strided(g, x, &(ir_strided){rank + w->n, seen, by, 0});
}

/* Element s of x is place k of window (s + lo - k dilation) / stride. */
ir_ref ir_windows_on(ir_graph *g, ir_ref v, const ir_windows *w, ir_bits fill) {
    int64_t shape[IR_MAX_RANK], strides[IR_MAX_RANK], by[IR_MAX_RANK], offset = 0;
    if (!v) return 0;
    const unsigned rank = ir_at(g, v)->rank, lead = rank - w->n;
    for (unsigned i = 0; i < w->n; i++) {
        const int64_t reach = (w->kernel[i] - 1) * w->dilation[i];
        v = spread(g, v, lead + i, w->stride[i], fill);
        v = cut(g, v, lead + i, reach - w->lo[i], w->size[i] + reach, fill);
    }
    if (!v) return 0;
    strides_of(g, v, shape, strides);
    for (unsigned i = 0; i < rank; i++) by[i] = strides[i];
    for (unsigned i = 0; i < w->n; i++) {
        by[i] -= w->dilation[i] * strides[lead + i];
        offset += (w->kernel[i] - 1) * w->dilation[i] * strides[lead + i];
        shape[lead + i] = w->size[i];
    }
    return ir_as_strided(g, v, shape, by, rank, offset);
}

int64_t ir_windows_reach(const ir_windows *w, unsigned i) {
    return (w->kernel[i] - 1) * w->dilation[i] / w->stride[i] + 1;
}

/* Each element of an axis `times` times. */
static ir_ref repeated(ir_graph *g, ir_ref x, unsigned axis, int64_t times) {
    int64_t shape[IR_MAX_RANK], wide[IR_MAX_RANK];
    if (!x || times == 1 || !ir_static_shape(g, x, shape)) return x;
    const unsigned rank = ir_at(g, x)->rank;
    x = ir_keep_axis(g, x, axis + 1);
    for (unsigned i = 0; i <= rank; i++)
        wide[i] = i == axis + 1 ? times : shape[i > axis ? i - 1 : i];
    shape[axis] *= times;
    return x ? ir_reshape(g, ir_expand(g, x, wide, rank + 1), shape, rank) : 0;
}

/* As elements of x, window m is at m stride - lo .. (m + 1) stride - lo - 1; those before it follow. */
ir_ref ir_windows_before(ir_graph *g, ir_ref v, const ir_windows *w, ir_bits fill) {
    int64_t shape[IR_MAX_RANK], strides[IR_MAX_RANK], seen[IR_MAX_RANK], by[IR_MAX_RANK],
        offset = 0;
    bool alone = true;
    if (!v) return 0;
    const unsigned rank = ir_at(g, v)->rank, lead = rank - w->n;
    if (rank + w->n > IR_MAX_RANK)
        return ir_error(g, BZ_ESHAPE, IR_AS_STRIDED, "a window of %u axes", rank + w->n);
    for (unsigned i = 0; i < w->n; i++) {
        const int64_t far = (ir_windows_reach(w, i) - 1) * w->stride[i];
        v = repeated(g, v, lead + i, w->stride[i]);
        v = cut(g, v, lead + i, far - w->lo[i], w->size[i] + far, fill);
        alone = alone && far == 0;
    }
    if (!v) return 0;
    strides_of(g, v, shape, strides);
    for (unsigned i = 0; i < rank; i++) {
        seen[w->n + i] = i < lead ? shape[i] : w->size[i - lead];
        by[w->n + i] = strides[i];
        if (i < lead) continue;
        seen[i - lead] = ir_windows_reach(w, i - lead);
        by[i - lead] = -w->stride[i - lead] * strides[i];
        offset += (seen[i - lead] - 1) * w->stride[i - lead] * strides[i];
    }
    if (alone) return ir_reshape(g, v, seen, rank + w->n);
    return ir_as_strided(g, v, seen, by, rank + w->n, offset);
}
