/* compose_pool.c - pooling as torch.nn.functional has it: windows on the last axes folded to one value each.
 *
 *     x [N, C, S...] --windows--> [K..., N, C, M...] --fold the first axes--> [N, C, M...]
 *
 * Their gradients gather what each element takes part in (ir_windows_on), in the order of the places in a window: no element is added to
 * from several sides. */
#include "src/ir/compose_window.h"

#include <inttypes.h>
#include <math.h>

typedef struct pool {
    ir_graph *g;
    const char *name;
    ir_ref x;
    ir_windows w;
    int64_t padding[IR_MAX_RANK];
} pool;

/* ---- what is called: each false, with an error */

static bool fits(const pool *q) {
    const unsigned rank = ir_at(q->g, q->x)->rank;
    int64_t shape[IR_MAX_RANK];
    if (rank != q->w.n + 1 && rank != q->w.n + 2)
        return ir_error_as(q->g, BZ_ESHAPE, q->name, "x has %u axes, or %u without samples, not %s",
                           q->w.n + 2, q->w.n + 1, ir_shape_text(q->g, q->x)),
               false;
    if (ir_static_shape(q->g, q->x, shape)) return true;
    return ir_error_as(q->g, BZ_EUNSUPPORTED, q->name, "the sizes of %s must be known",
                       ir_shape_text(q->g, q->x)),
           false;
}

typedef struct lists {
    const int *kernel, *stride, *padding, *dilation;
    unsigned nkernel, nstride, npadding, ndilation;
} lists;

/* How many windows there are; ceil: also one that begins inside and ends outside. */
static bool count_windows(pool *q, bool ceil) {
    ir_windows *w = &q->w;
    for (unsigned i = 0; i < w->n; i++) {
        const int64_t reach = (w->kernel[i] - 1) * w->dilation[i];
        const int64_t room = w->size[i] + 2 * q->padding[i] - reach - 1;
        if (q->padding[i] > (reach + 1) / 2)
            return ir_error_as(q->g, BZ_EARG, q->name,
                               "padding %" PRId64 " is more than half of a window of %" PRId64,
                               q->padding[i], reach + 1),
                   false;
        if (room < 0 || w->size[i] == 0)
            return ir_error_as(q->g, BZ_ESHAPE, q->name,
                               "axis %u: a window of %" PRId64 " elements on %" PRId64
                               " with a padding of %" PRId64,
                               i, reach + 1, w->size[i], q->padding[i]),
                   false;
        w->made[i] = (room + (ceil ? w->stride[i] - 1 : 0)) / w->stride[i] + 1;
        w->made[i] -= ceil && (w->made[i] - 1) * w->stride[i] >= w->size[i] + q->padding[i];
        w->lo[i] = q->padding[i];
    }
    return true;
}

static bool begin(pool *q, const lists *l, bool ceil) {
    ir_windows *w = &q->w;
    if (!q->x || !fits(q)) return false;
    if (!l->nkernel) return ir_error_as(q->g, BZ_EARG, q->name, "kernel_size is needed"), false;
    return ir_window_sizes(q->g, q->name, w->n, q->x, w->size) &&
           ir_window_numbers(q->g, q->name, w->n, "kernel_size", l->kernel, l->nkernel, 0, 1,
                             w->kernel) &&
           (l->nstride && l->stride ? ir_window_numbers(q->g, q->name, w->n, "stride", l->stride,
                                                        l->nstride, 0, 1, w->stride)
                                    : ir_window_numbers(q->g, q->name, w->n, "stride", l->kernel,
                                                        l->nkernel, 0, 1, w->stride)) &&
           ir_window_numbers(q->g, q->name, w->n, "padding", l->padding, l->npadding, 0, 0,
                             q->padding) &&
           ir_window_numbers(q->g, q->name, w->n, "dilation", l->dilation, l->ndilation, 1, 1,
                             w->dilation) &&
           count_windows(q, ceil);
}

/* ---- places */

/* Numbers first + step * i along axis `axis` of `rank`: [1 ..., n, 1 ...]. */
static ir_ref numbers(ir_graph *g, bz_dtype t, unsigned rank, unsigned axis, int64_t n,
                      int64_t first, int64_t step) {
    ir_dim dims[IR_MAX_RANK];
    for (unsigned i = 0; i < rank; i++) dims[i] = ir_dim_const(g, i == axis ? n : 1);
    ir_ref i = ir_times(g, ir_iota(g, t, dims, rank, (int)axis), ir_const_i(g, t, step));
    return ir_plus(g, i, ir_const_i(g, t, first));
}

/* The number of each element in its plane: [S...]. */
static ir_ref plane(const pool *q) {
    const ir_windows *w = &q->w;
    int64_t all = 1;
    for (unsigned i = 0; i < w->n; i++) all = bz_times(all, w->size[i]);
    const ir_dim dims = ir_dim_const(q->g, all);
    return ir_reshape(q->g, ir_iota(q->g, all < INT32_MAX ? BZ_I32 : BZ_I64, &dims, 1, 0), w->size,
                      w->n);
}

/* Behind every place in a plane. */
static ir_bits nowhere(bz_dtype t) {
    return ir_highest(t);
}

/* ---- the largest */

static ir_ref fold(ir_graph *g, ir_reduce_kind kind, ir_ref v, unsigned n) {
    int axes[IR_MAX_RANK];
    for (unsigned i = 0; i < n; i++) axes[i] = (int)i;
    return v ? ir_reduce(g, kind, v, axes, n, false) : 0;
}

/* y with axes of size 1 in front. */
static ir_ref behind(ir_graph *g, ir_ref y, unsigned n) {
    for (unsigned i = 0; i < n; i++) y = y ? ir_keep_axis(g, y, 0) : 0;
    return y;
}

/* The first place of each window that holds its largest element, of the first NaN if there is one. */
static ir_ref place_of(const pool *q, ir_ref v, ir_ref y) {
    ir_graph *g = q->g;
    const unsigned n = q->w.n, rank = ir_at(g, v)->rank;
    ir_dim dims[IR_MAX_RANK];
    ir_ref own = plane(q);
    if (!own) return 0;
    const bz_dtype t = ir_dtype(g, own);
    ir_ref at = ir_windows_of(g, own, &q->w, nowhere(t)); /* [K..., M...] */
    if (!at) return 0;
    for (unsigned i = 0; i < rank; i++)
        dims[i] = i < n          ? ir_dims(g, ir_at(g, at))[i]
                  : i < rank - n ? ir_dim_const(g, 1)
                                 : ir_dims(g, ir_at(g, at))[i - (rank - 2 * n)];
    at = ir_reshape_dims(g, at, dims, rank);
    ir_ref hit = ir_build2(g, IR_EQ, v, behind(g, y, n));
    if (ir_is_float(ir_dtype(g, v))) hit = ir_build2(g, IR_OR, hit, ir_build1(g, IR_ISNAN, v));
    ir_ref none = ir_const_bits(g, t, nowhere(t), NULL, 0);
    return fold(g, IR_RMIN, ir_build3(g, IR_SELECT, hit, at, none), n);
}

/* d [N, C, M...] to the elements that were the largest of their windows. */
static ir_ref back_to_places(const pool *q, ir_ref at, ir_ref d) {
    ir_graph *g = q->g;
    ir_ref from = ir_windows_before(g, at, &q->w, ir_bits_from_i64(ir_dtype(g, at), -1));
    ir_ref v = ir_windows_before(g, d, &q->w, 0), hit = ir_build2(g, IR_EQ, from, plane(q));
    return fold(g, IR_SUM, ir_build3(g, IR_SELECT, hit, v, ir_num(g, v, 0)), q->w.n);
}

static ir_ref largest(const pool *q, ir_ref *indices) {
    ir_graph *g = q->g;
    const bz_dtype t = ir_dtype(g, q->x);
    ir_ref x = ir_is_float(t) ? ir_build1(g, IR_STOP_GRADIENT, q->x) : q->x;
    ir_ref v = ir_windows_of(g, x, &q->w, ir_lowest(t)), y = fold(g, IR_RMAX, v, q->w.n);
    if (!y) return 0;
    ir_ref at = place_of(q, v, y);
    *indices = ir_cast(g, at, BZ_I64);
    if (!ir_is_float(t)) return y;
    ir_ref same = ir_stand_in(g, y), d = ir_stand_in(g, y);
    ir_ref b = ir_cast(g, back_to_places(q, at, ir_math_in(g, d)), t);
    return b ? ir_result(g, ir_custom_grad(g, (ir_ref[]){y, same, d, q->x, b}, 1, 1), 0) : 0;
}

ir_ref ir_max_pool(ir_graph *g, const char *name, unsigned n, ir_ref x, const int *kernel,
                   unsigned nkernel, const int *stride, unsigned nstride, const int *padding,
                   unsigned npadding, const int *dilation, unsigned ndilation, bool ceil,
                   ir_ref *indices) {
    pool q = {.g = g, .name = name, .x = x, .w.n = n};
    const lists l = {kernel, stride, padding, dilation, nkernel, nstride, npadding, ndilation};
    return begin(&q, &l, ceil) ? largest(&q, indices) : 0;
}

/* ---- means */

/* Of the windows m - j [J..., 1..., S...]: do they reach element s? 0: all do. */
static ir_ref reaches(const pool *q, unsigned rank) {
    ir_graph *g = q->g;
    const ir_windows *w = &q->w;
    ir_ref all = 0;
    for (unsigned i = 0; i < w->n; i++) {
        const int64_t j = ir_windows_reach(w, i);
        if (j * w->stride[i] <= w->kernel[i]) continue;
        ir_ref s = numbers(g, BZ_I64, rank, rank - w->n + i, w->size[i], w->lo[i], 1);
        ir_ref in = ir_build2(g, IR_IMOD, s, ir_const_i(g, BZ_I64, w->stride[i]));
        ir_ref place = ir_plus(g, numbers(g, BZ_I64, rank, i, j, 0, w->stride[i]), in);
        ir_ref here = ir_build2(g, IR_LT, place, ir_const_i(g, BZ_I64, w->kernel[i]));
        all = all ? ir_build2(g, IR_AND, all, here) : here;
    }
    return all;
}

/* d [N, C, M...] to the elements of its windows, each of which gets what all of its windows have. */
static ir_ref back_to_windows(const pool *q, ir_ref d) {
    ir_graph *g = q->g;
    ir_ref v = ir_windows_before(g, d, &q->w, 0);
    ir_ref here = v ? reaches(q, ir_at(g, v)->rank) : 0;
    return fold(g, IR_SUM, here ? ir_build3(g, IR_SELECT, here, v, ir_num(g, v, 0)) : v, q->w.n);
}

/* The sum of each window, with a gradient of its own: what an element gets is summed up over the windows that hold it. */
static ir_ref sums(const pool *q, ir_ref x) {
    ir_graph *g = q->g;
    ir_ref from = ir_build1(g, IR_STOP_GRADIENT, x);
    ir_ref y = fold(g, IR_SUM, ir_windows_of(g, from, &q->w, 0), q->w.n);
    ir_ref same = ir_stand_in(g, y), d = ir_stand_in(g, y), b = d ? back_to_windows(q, d) : 0;
    return b ? ir_result(g, ir_custom_grad(g, (ir_ref[]){y, same, d, x, b}, 1, 1), 0) : 0;
}

/* How many elements each window has, [M...], those of the padding among them if `pads`: a number where all have as many. */
static ir_ref counts(const pool *q, bool pads, bz_dtype t) {
    ir_graph *g = q->g;
    const ir_windows *w = &q->w;
    int64_t same = 1;
    ir_ref all = 0;
    for (unsigned i = 0; i < w->n; i++) {
        const int64_t lo = pads ? 0 : w->lo[i], end = w->size[i] + 2 * w->lo[i] - lo;
        const bool whole = lo == 0 && (w->made[i] - 1) * w->stride[i] + w->kernel[i] <= end;
        if (whole) {
            same = bz_times(same, w->kernel[i]);
            continue;
        }
        ir_ref from = numbers(g, BZ_I64, w->n, i, w->made[i], 0, w->stride[i]);
        ir_ref to = ir_plus(g, from, ir_const_i(g, BZ_I64, w->kernel[i]));
        to = ir_build2(g, IR_MIN, to, ir_const_i(g, BZ_I64, end));
        ir_ref n = ir_minus(g, to, ir_build2(g, IR_MAX, from, ir_const_i(g, BZ_I64, lo)));
        all = all ? ir_times(g, all, n) : n;
    }
    ir_ref number = ir_const_i(g, BZ_I64, same);
    return ir_cast(g, all ? ir_times(g, all, number) : number, t);
}

static ir_ref means(const pool *q, bool count_include_pad, int64_t divisor) {
    ir_graph *g = q->g;
    ir_ref x = ir_math_in(g, q->x);
    ir_ref by =
        divisor ? ir_num(g, x, (double)divisor) : counts(q, count_include_pad, ir_dtype(g, x));
    return ir_math_out(g, ir_over(g, sums(q, x), by), ir_dtype(g, q->x));
}

ir_ref ir_avg_pool(ir_graph *g, const char *name, unsigned n, ir_ref x, const int *kernel,
                   unsigned nkernel, const int *stride, unsigned nstride, const int *padding,
                   unsigned npadding, bool ceil, bool count_include_pad, int64_t divisor_override) {
    pool q = {.g = g, .name = name, .x = x, .w.n = n};
    const lists l = {kernel, stride, padding, NULL, nkernel, nstride, npadding, 0};
    return begin(&q, &l, ceil) ? means(&q, count_include_pad, divisor_override) : 0;
}

/* The root of a mean of powers, times how many there are. */
ir_ref ir_lp_pool(ir_graph *g, const char *name, unsigned n, ir_ref x, double norm_type,
                  const int *kernel, unsigned nkernel, const int *stride, unsigned nstride,
                  bool ceil) {
    pool q = {.g = g, .name = name, .x = x, .w.n = n};
    const lists l = {kernel, stride, NULL, NULL, nkernel, nstride, 0, 0};
    double count = 1;
    if (!begin(&q, &l, ceil)) return 0;
    for (unsigned i = 0; i < n; i++) count *= (double)q.w.kernel[i];
    const bz_dtype t = ir_dtype(g, x);
    x = ir_math_in(g, x);
    q.x = ir_build2(g, IR_POW, x, ir_num(g, x, norm_type));
    ir_ref mean = means(&q, true, 0);
    ir_ref size = ir_build1(g, IR_RELU, ir_build1(g, IR_ABS, mean));
    ir_ref sum = ir_times(g, ir_times(g, ir_build1(g, IR_SIGN, mean), size), ir_num(g, x, count));
    return ir_math_out(g, ir_build2(g, IR_POW, sum, ir_num(g, x, 1 / norm_type)), t);
}

/* ---- to a given size: window i of an axis is elements floor(i S / M) .. ceil((i + 1) S / M) - 1 */

/* Where all windows are alike they are those of a pool. */
static bool begin_adaptive(pool *q, const int *size, unsigned n) {
    ir_windows *w = &q->w;
    if (!q->x || !fits(q) || !ir_window_sizes(q->g, q->name, w->n, q->x, w->size) ||
        !ir_window_numbers(q->g, q->name, w->n, "output_size", size, n, 0, 1, w->made))
        return false;
    for (unsigned i = 0; i < w->n; i++) {
        if (w->size[i] == 0)
            return ir_error_as(q->g, BZ_ESHAPE, q->name, "an axis of %s is empty",
                               ir_shape_text(q->g, q->x)),
                   false;
        w->stride[i] = w->kernel[i] = w->size[i] / w->made[i];
        w->dilation[i] = 1;
    }
    return true;
}

static bool is_even(const pool *q) {
    for (unsigned i = 0; i < q->w.n; i++)
        if (q->w.size[i] % q->w.made[i]) return false;
    return true;
}

/* The windows of axis i: numbers of their elements [M, K], those beyond a window repeating its last one, and how many there are, [M]. */
static ir_ref uneven(ir_graph *g, const ir_windows *w, unsigned i, ir_ref *length) {
    const int64_t size = w->size[i], made = w->made[i];
    int64_t most = 0;
    for (int64_t j = 0; j < made; j++) {
        const int64_t from = j * size / made, to = ((j + 1) * size + made - 1) / made;
        most = to - from > most ? to - from : most;
    }
    ir_ref count = ir_const_i(g, BZ_I64, made), one = ir_const_i(g, BZ_I64, 1);
    ir_ref from = ir_build2(g, IR_IDIV, numbers(g, BZ_I64, 1, 0, made, 0, size), count);
    ir_ref end = numbers(g, BZ_I64, 1, 0, made, size + made - 1, size);
    *length = ir_minus(g, ir_build2(g, IR_IDIV, end, count), from);
    ir_ref last = ir_keep_axis(g, ir_minus(g, *length, one), 1);
    ir_ref in = ir_build2(g, IR_MIN, numbers(g, BZ_I64, 2, 1, most, 0, 1), last);
    return ir_plus(g, ir_keep_axis(g, from, 1), in);
}

/* A vector of axis i of n as it broadcasts with all of them and `more` axes behind. */
static ir_ref along(ir_graph *g, ir_ref v, unsigned i, unsigned n) {
    ir_dim dims[IR_MAX_RANK];
    for (unsigned a = 0; a < n; a++) dims[a] = ir_dim_const(g, 1);
    dims[i] = ir_dims(g, ir_at(g, v))[0];
    return ir_reshape_dims(g, v, dims, n);
}

typedef struct uneven_windows {
    ir_ref v;      /* [K..., L..., M...] */
    ir_ref inside; /* of the windows, [K..., 1..., M...] */
    ir_ref at;     /* places in a plane, like `inside` */
    ir_ref count;  /* elements, [M...] */
} uneven_windows;

static uneven_windows uneven_of(const pool *q, ir_ref x) {
    ir_graph *g = q->g;
    const unsigned n = q->w.n, lead = ir_at(g, x)->rank - n, rank = lead + 2 * n;
    uneven_windows u = {.v = x};
    int perm[IR_MAX_RANK], *to = perm;
    for (unsigned i = 0; i < n; i++) {
        ir_ref length, at = uneven(g, &q->w, i, &length);
        u.v = ir_gather(g, u.v, at, (int)(lead + 2 * i));
        if (!u.v) return u;
        const ir_dim most = ir_dims(g, ir_at(g, at))[1];
        u.count = u.count ? ir_times(g, u.count, along(g, length, i, n)) : along(g, length, i, n);
        ir_dim dims[IR_MAX_RANK];
        for (unsigned a = 0; a < rank; a++) dims[a] = ir_dim_const(g, 1);
        dims[i] = most;
        ir_ref k = ir_iota(g, BZ_I64, dims, rank, (int)i);
        ir_ref here = ir_build2(g, IR_LT, k, along(g, length, n + lead + i, rank));
        u.inside = u.inside ? ir_build2(g, IR_AND, u.inside, here) : here;
        dims[n + lead + i] = ir_dims(g, ir_at(g, at))[0];
        ir_ref place = ir_reshape_dims(g, ir_transpose(g, at, 0, 1), dims, rank);
        ir_ref size = ir_const_i(g, BZ_I64, q->w.size[i]);
        u.at = u.at ? ir_plus(g, ir_times(g, u.at, size), place) : place;
    }
    for (unsigned i = 0; i < n; i++) *to++ = (int)(lead + 2 * i + 1);
    for (unsigned i = 0; i < lead; i++) *to++ = (int)i;
    for (unsigned i = 0; i < n; i++) *to++ = (int)(lead + 2 * i);
    u.v = ir_permute(g, u.v, perm, rank);
    return u;
}

ir_ref ir_adaptive_avg_pool(ir_graph *g, const char *name, unsigned n, ir_ref x, const int *size,
                            unsigned nsize) {
    pool q = {.g = g, .name = name, .x = x, .w.n = n};
    if (!begin_adaptive(&q, size, nsize)) return 0;
    if (is_even(&q)) return means(&q, true, 0);
    uneven_windows u = uneven_of(&q, ir_math_in(g, x));
    if (!u.v) return 0;
    ir_ref v = ir_build3(g, IR_SELECT, u.inside, u.v, ir_num(g, u.v, 0));
    ir_ref sum = fold(g, IR_SUM, v, n);
    return ir_math_out(g, ir_over(g, sum, ir_cast(g, u.count, ir_dtype(g, v))), ir_dtype(g, x));
}

/* x at the places of its plane that `at` [L..., M...] says. */
static ir_ref taken(const pool *q, ir_ref at) {
    ir_graph *g = q->g;
    int64_t shape[IR_MAX_RANK], flat = -1, plane = 1, planes = 1;
    ir_static_shape(g, at, shape);
    const unsigned rank = ir_at(g, at)->rank, lead = rank - q->w.n;
    for (unsigned i = 0; i < q->w.n; i++) plane *= q->w.size[i];
    for (unsigned i = 0; i < lead; i++) planes *= shape[i];
    ir_dim dims = ir_dim_const(g, planes);
    ir_ref first = ir_times(g, ir_iota(g, BZ_I64, &dims, 1, 0), ir_const_i(g, BZ_I64, plane));
    for (unsigned i = lead; i < rank; i++) shape[i] = 1;
    ir_ref all = ir_plus(g, at, ir_reshape(g, first, shape, rank));
    return ir_gather(g, ir_reshape(g, q->x, &flat, 1), all, 0);
}

ir_ref ir_adaptive_max_pool(ir_graph *g, const char *name, unsigned n, ir_ref x, const int *size,
                            unsigned nsize, ir_ref *indices) {
    pool q = {.g = g, .name = name, .x = x, .w.n = n};
    if (!begin_adaptive(&q, size, nsize)) return 0;
    if (is_even(&q)) return largest(&q, indices);
    const bool floats = ir_is_float(ir_dtype(g, x));
    uneven_windows u = uneven_of(&q, floats ? ir_build1(g, IR_STOP_GRADIENT, x) : x);
    if (!u.v) return 0;
    ir_ref best = behind(g, fold(g, IR_RMAX, u.v, n), n), hit = ir_build2(g, IR_EQ, u.v, best);
    if (floats) hit = ir_build2(g, IR_OR, hit, ir_build1(g, IR_ISNAN, u.v));
    ir_ref none = ir_const_i(g, BZ_I64, INT64_MAX);
    *indices = fold(g, IR_RMIN, ir_build3(g, IR_SELECT, hit, u.at, none), n);
    return *indices ? taken(&q, *indices) : 0;
}

/* ---- windows as columns, and columns as windows */

static bool begin_columns(pool *q, const lists *l) {
    ir_windows *w = &q->w;
    if (!l->nkernel) return ir_error_as(q->g, BZ_EARG, q->name, "kernel_size is needed"), false;
    if (!ir_window_numbers(q->g, q->name, w->n, "kernel_size", l->kernel, l->nkernel, 0, 1,
                           w->kernel) ||
        !ir_window_numbers(q->g, q->name, w->n, "stride", l->stride, l->nstride, 1, 1, w->stride) ||
        !ir_window_numbers(q->g, q->name, w->n, "padding", l->padding, l->npadding, 0, 0, w->lo) ||
        !ir_window_numbers(q->g, q->name, w->n, "dilation", l->dilation, l->ndilation, 1, 1,
                           w->dilation))
        return false;
    for (unsigned i = 0; i < w->n; i++) {
        const int64_t room = w->size[i] + 2 * w->lo[i] - (w->kernel[i] - 1) * w->dilation[i] - 1;
        if (room < 0)
            return ir_error_as(q->g, BZ_ESHAPE, q->name, "no window fits axis %u of %" PRId64, i,
                               w->size[i]),
                   false;
        w->made[i] = room / w->stride[i] + 1;
    }
    return true;
}

/* x [N, C, S...] -> [N, C K..., M...], the K and the M each as one. */
ir_ref ir_unfold(ir_graph *g, ir_ref x, const int *kernel, unsigned nkernel, const int *dilation,
                 unsigned ndilation, const int *padding, unsigned npadding, const int *stride,
                 unsigned nstride) {
    pool q = {.g = g, .name = "unfold", .x = x, .w.n = 2};
    const lists l = {kernel, stride, padding, dilation, nkernel, nstride, npadding, ndilation};
    int64_t shape[IR_MAX_RANK], to[3];
    if (!x || !fits(&q) || !ir_window_sizes(g, q.name, 2, x, q.w.size) || !begin_columns(&q, &l))
        return 0;
    const unsigned lead = ir_at(g, x)->rank - 2;
    ir_static_shape(g, x, shape);
    ir_ref v = ir_windows_of(g, x, &q.w, 0);
    v = ir_permute(g, v, lead == 2 ? (int[]){2, 3, 0, 1, 4, 5} : (int[]){2, 0, 1, 3, 4}, lead + 4);
    to[0] = shape[0];
    to[lead - 1] = shape[lead - 1] * q.w.kernel[0] * q.w.kernel[1];
    to[lead] = q.w.made[0] * q.w.made[1];
    return ir_reshape(g, v, to, lead + 1);
}

/* The way back: the columns of windows on an image of output_size added up. */
ir_ref ir_fold(ir_graph *g, ir_ref x, const int *output_size, unsigned noutput, const int *kernel,
               unsigned nkernel, const int *dilation, unsigned ndilation, const int *padding,
               unsigned npadding, const int *stride, unsigned nstride) {
    pool q = {.g = g, .name = "fold", .x = x, .w.n = 2};
    const lists l = {kernel, stride, padding, dilation, nkernel, nstride, npadding, ndilation};
    int64_t shape[IR_MAX_RANK];
    if (!x) return 0;
    const unsigned rank = ir_at(g, x)->rank, lead = rank - 1;
    if ((rank != 2 && rank != 3) || !ir_static_shape(g, x, shape))
        return ir_error_as(g, BZ_ESHAPE, q.name, "x is [N, C kernel, windows] or without N, not %s",
                           ir_shape_text(g, x));
    if (!noutput) return ir_error_as(g, BZ_EARG, q.name, "output_size is needed");
    if (!ir_window_numbers(g, q.name, 2, "output_size", output_size, noutput, 0, 1, q.w.size) ||
        !begin_columns(&q, &l))
        return 0;
    const int64_t places = q.w.kernel[0] * q.w.kernel[1], made = q.w.made[0] * q.w.made[1];
    if (shape[lead - 1] % places || shape[lead] != made)
        return ir_error_as(g, BZ_ESHAPE, q.name,
                           "%s is not %" PRId64 " windows of %" PRId64 " elements for each channel",
                           ir_shape_text(g, x), made, places);
    const int64_t c = shape[lead - 1] / places, n = lead == 2 ? shape[0] : 1;
    const int64_t wide[6] = {n, c, q.w.kernel[0], q.w.kernel[1], q.w.made[0], q.w.made[1]};
    ir_ref v = ir_permute(g, ir_reshape(g, x, wide, 6), (int[]){2, 3, 0, 1, 4, 5}, 6);
    ir_ref y = fold(g, IR_SUM, ir_windows_on(g, v, &q.w, 0), 2);
    return lead == 2 ? y : ir_reshape(g, y, (int64_t[]){c, q.w.size[0], q.w.size[1]}, 3);
}
