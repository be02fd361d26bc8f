/* compose_resize.c - images of other sizes: interpolation, and channels that are pixels of a finer image.
 *
 *     interpolate     axis by axis: out[m] = sum over taps of weight[tap][m] x[place[tap][m]], places and weights known when recorded
 *     pixel_shuffle   [*, C r r, H, W] -> [*, C, r, r, H, W] -> [*, C, H, r, W, r] -> [*, C, H r, W r] */
#include "src/ir/compose_window.h"

#include <inttypes.h>
#include <math.h>

/* ---- the places and weights of an axis: PyTorch's, whose coordinates are f32 for halves and f32 */

enum { TAPS_MOST = 4 };

typedef struct taps {
    unsigned n;
    int64_t made;
    int64_t *place[TAPS_MOST];
    double *weight[TAPS_MOST];
} taps;

typedef enum how { NEAREST, NEAREST_EXACT, LINEAR, CUBIC } how;

typedef struct resize {
    const char *name;
    ir_ref x;
    unsigned n; /* axes that change */
    how mode;
    bool align_corners, single; /* single: coordinates in f32 */
    double scale;               /* 0: by sizes alone */
} resize;

static double rounded(const resize *q, double v) {
    return q->single ? (double)(float)v : v;
}

/* From one element of the result to the next, in elements of x. */
static double step_of(const resize *q, int64_t size, int64_t made) {
    if (q->align_corners && q->mode >= LINEAR)
        return made > 1 ? rounded(q, (double)(size - 1) / (double)(made - 1)) : 0;
    return rounded(q, q->scale > 0 ? 1 / q->scale : (double)size / (double)made);
}

static int64_t clamped(int64_t i, int64_t size) {
    return i < 0 ? 0 : i >= size ? size - 1 : i;
}

/* Keys' kernel with a = -0.75: at a distance up to 1, and up to 2. */
static double cubic_near(double d) {
    return ((-0.75 + 2) * d - (-0.75 + 3)) * d * d + 1;
}
static double cubic_far(double d) {
    return ((-0.75 * d + 5 * 0.75) * d - 8 * 0.75) * d + 4 * 0.75;
}

/* Element m of the result. */
static void find_taps(const resize *q, taps *t, int64_t size, double step, int64_t m) {
    const bool corners = q->align_corners && q->mode >= LINEAR;
    const double half = q->mode == NEAREST || corners ? 0 : 0.5;
    double at = rounded(q, rounded(q, (double)m + half) * step);
    if (q->mode >= LINEAR) at = rounded(q, at - half);
    if (q->mode == LINEAR && at < 0) at = 0;
    const int64_t i = (int64_t)floor(at);
    const double d = rounded(q, at - (double)i);
    if (q->mode < LINEAR) {
        t->place[0][m] = clamped(i, size);
        t->weight[0][m] = 1;
    } else if (q->mode == LINEAR) {
        const int64_t first = clamped(i, size);
        const int64_t places[2] = {first, clamped(first + 1, size)};
        const double weights[2] = {rounded(q, 1 - d), d};
        for (unsigned k = 0; k < 2; k++) t->place[k][m] = places[k], t->weight[k][m] = weights[k];
    } else {
        const double weights[4] = {cubic_far(d + 1), cubic_near(d), cubic_near(1 - d),
                                   cubic_far(2 - d)};
        for (unsigned k = 0; k < 4; k++) {
            t->place[k][m] = clamped(i - 1 + (int64_t)k, size);
            t->weight[k][m] = weights[k];
        }
    }
}

static bool make_taps(ir_graph *g, const resize *q, int64_t size, int64_t made, taps *t) {
    const double step = step_of(q, size, made);
    *t = (taps){.n = q->mode < LINEAR ? 1 : q->mode == LINEAR ? 2 : 4, .made = made};
    for (unsigned k = 0; k < t->n; k++) {
        t->place[k] = bz_arena_alloc(&g->arena, (size_t)made * sizeof *t->place[k]);
        t->weight[k] = bz_arena_alloc(&g->arena, (size_t)made * sizeof *t->weight[k]);
        if (!t->place[k] || !t->weight[k])
            return ir_error_as(g, BZ_ENOMEM, q->name, "out of memory"), false;
    }
    for (int64_t m = 0; m < made; m++) find_taps(q, t, size, step, m);
    return true;
}

/* A vector of known numbers; weights of `rank` axes, along `axis`. */
static ir_ref listed(ir_graph *g, bz_dtype t, const int64_t *bits, int64_t n) {
    const ir_dim dims = ir_dim_const(g, n);
    return ir_append(g, IR_CONST, t, &dims, 1, NULL, 0, bits, (uint32_t)n);
}

static ir_ref weights_of(ir_graph *g, bz_dtype t, const taps *v, unsigned k, unsigned behind) {
    int64_t *bits = bz_arena_alloc(&g->arena, (size_t)v->made * sizeof *bits);
    ir_dim dims[IR_MAX_RANK];
    if (!bits) return ir_error(g, BZ_ENOMEM, IR_CONST, "out of memory");
    for (int64_t m = 0; m < v->made; m++) bits[m] = (int64_t)ir_bits_from_f64(t, v->weight[k][m]);
    for (unsigned i = 0; i <= behind; i++) dims[i] = ir_dim_const(g, i ? 1 : v->made);
    return ir_reshape_dims(g, listed(g, t, bits, v->made), dims, behind + 1);
}

/* ---- one axis after the other */

/* Each element `times` times. */
static ir_ref repeated(ir_graph *g, ir_ref x, unsigned axis, int64_t times) {
    int64_t shape[IR_MAX_RANK], wide[IR_MAX_RANK];
    const unsigned rank = ir_at(g, x)->rank;
    ir_static_shape(g, x, shape);
    x = ir_keep_axis(g, x, axis + 1);
    for (unsigned i = 0; i <= rank; i++)
        wide[i] = i == axis + 1 ? times : shape[i > axis ? i - 1 : i];
    shape[axis] *= times;
    return x ? ir_reshape(g, ir_expand(g, x, wide, rank + 1), shape, rank) : 0;
}

static ir_ref along_axis(ir_graph *g, const resize *q, ir_ref x, unsigned axis, int64_t made) {
    int64_t shape[IR_MAX_RANK];
    taps t;
    ir_ref sum = 0;
    if (!x || !ir_static_shape(g, x, shape)) return 0;
    const bool whole =
        made % shape[axis] == 0 && (q->scale == 0 || q->scale == (double)(made / shape[axis]));
    if (made == shape[axis] && (q->scale == 0 || q->scale == 1)) return x;
    if (q->mode < LINEAR && whole) return repeated(g, x, axis, made / shape[axis]);
    if (!make_taps(g, q, shape[axis], made, &t)) return 0;
    for (unsigned k = 0; k < t.n; k++) {
        ir_ref at = listed(g, BZ_I64, t.place[k], made);
        ir_ref v = ir_gather(g, x, at, (int)axis);
        if (q->mode >= LINEAR && v)
            v = ir_times(g, v, weights_of(g, ir_dtype(g, x), &t, k, ir_at(g, x)->rank - 1 - axis));
        sum = sum ? ir_plus(g, sum, v) : v;
    }
    return sum;
}

static bool find_sizes(ir_graph *g, const resize *q, const int *size, unsigned nsize,
                       const int64_t *from, int64_t *made) {
    if (!nsize == !(q->scale > 0))
        return ir_error_as(g, BZ_EARG, q->name, "either size or a scale_factor above 0"), false;
    if (nsize && !ir_window_numbers(g, q->name, q->n, "size", size, nsize, 0, 1, made))
        return false;
    for (unsigned i = 0; i < q->n; i++) {
        const double wanted = floor((double)from[i] * q->scale);
        if (!nsize) made[i] = wanted < (double)IR_CONV_MOST ? (int64_t)wanted : IR_CONV_MOST;
        if (from[i] < 1 || made[i] < 1 || made[i] > IR_MAX_CONST)
            return ir_error_as(g, BZ_ESHAPE, q->name,
                               "from %" PRId64 " to %" PRId64 " elements: 1 to %d are possible",
                               from[i], made[i], IR_MAX_CONST),
                   false;
    }
    return true;
}

ir_ref ir_interpolate(ir_graph *g, ir_ref x, const int *size, unsigned nsize, double scale_factor,
                      int mode, bool align_corners) {
    static const unsigned axes_of[] = {0, 0, 1, 2, 3, 2, 0}; /* of the words; 0: any */
    resize q = {
        .name = "interpolate", .x = x, .align_corners = align_corners, .scale = scale_factor};
    int64_t shape[IR_MAX_RANK], made[IR_MAX_RANK];
    if (!x) return 0;
    const unsigned rank = ir_at(g, x)->rank, wants = axes_of[mode];
    if (rank < 3 || rank > 5 || (wants && rank != wants + 2))
        return ir_error_as(g, BZ_ESHAPE, q.name,
                           "%s has no 1 to 3 axes behind samples and channels that "
                           "this mode is for",
                           ir_shape_text(g, x));
    if (!ir_static_shape(g, x, shape))
        return ir_error_as(g, BZ_EUNSUPPORTED, q.name, "the sizes of %s must be known",
                           ir_shape_text(g, x));
    q.n = rank - 2;
    q.mode = mode < 2 ? (how)mode : mode < 5 ? LINEAR : CUBIC;
    if (align_corners && (mode < 2 || mode > 5))
        return ir_error_as(g, BZ_EARG, q.name, "align_corners is for linear and cubic modes");
    if (!find_sizes(g, &q, size, nsize, shape + 2, made)) return 0;
    if (mode == 6) {
        int to[3];
        for (unsigned i = 0; i < q.n; i++) to[i] = (int)made[i];
        return ir_adaptive_avg_pool(g, q.name, q.n, x, to, q.n);
    }
    const bz_dtype t = ir_dtype(g, x);
    q.single = t != BZ_F64;
    ir_ref y = q.mode < LINEAR ? x : ir_math_in(g, x);
    for (unsigned i = q.n; i-- > 0;) y = along_axis(g, &q, y, 2 + i, made[i]);
    return q.mode < LINEAR ? y : ir_math_out(g, y, t);
}

/* ---- channels and pixels */

static ir_ref turned(ir_graph *g, ir_ref x, const int64_t *wide, const int *perm, unsigned n,
                     const int64_t *to, unsigned rank) {
    return ir_reshape(g, ir_permute(g, ir_reshape(g, x, wide, n), perm, n), to, rank);
}

/* x's shape, at least `least` axes; false, with an error. */
static bool known(ir_graph *g, const char *name, ir_ref x, unsigned least, int64_t *shape) {
    if (!x) return false;
    if (ir_at(g, x)->rank < least)
        return ir_error_as(g, BZ_ESHAPE, name, "at least %u axes are needed, not %s", least,
                           ir_shape_text(g, x)),
               false;
    if (!ir_static_shape(g, x, shape))
        return ir_error_as(g, BZ_EUNSUPPORTED, name, "the sizes of %s must be known",
                           ir_shape_text(g, x)),
               false;
    return true;
}

ir_ref ir_pixel_shuffle(ir_graph *g, ir_ref x, int64_t upscale_factor) {
    int64_t shape[IR_MAX_RANK], wide[IR_MAX_RANK], r = upscale_factor;
    int perm[IR_MAX_RANK];
    if (!known(g, "pixel_shuffle", x, 3, shape)) return 0;
    const unsigned rank = ir_at(g, x)->rank, c = rank - 3;
    if (r < 1 || r > IR_CONV_MOST || shape[c] % (r * r))
        return ir_error_as(g, BZ_ESHAPE, "pixel_shuffle",
                           "the channels of %s are not %" PRId64 " times as many, twice",
                           ir_shape_text(g, x), r);
    for (unsigned i = 0; i < c; i++) wide[i] = shape[i], perm[i] = (int)i;
    const int64_t last[5] = {shape[c] / (r * r), r, r, shape[c + 1], shape[c + 2]};
    const int order[5] = {0, 3, 1, 4, 2};
    for (unsigned i = 0; i < 5; i++) wide[c + i] = last[i], perm[c + i] = (int)c + order[i];
    shape[c] /= r * r;
    shape[c + 1] *= r;
    shape[c + 2] *= r;
    return turned(g, x, wide, perm, c + 5, shape, rank);
}

ir_ref ir_pixel_unshuffle(ir_graph *g, ir_ref x, int64_t downscale_factor) {
    int64_t shape[IR_MAX_RANK], wide[IR_MAX_RANK], r = downscale_factor;
    int perm[IR_MAX_RANK];
    if (!known(g, "pixel_unshuffle", x, 3, shape)) return 0;
    const unsigned rank = ir_at(g, x)->rank, c = rank - 3;
    if (r < 1 || shape[c + 1] % r || shape[c + 2] % r)
        return ir_error_as(g, BZ_ESHAPE, "pixel_unshuffle",
                           "the last two axes of %s are no multiples of %" PRId64,
                           ir_shape_text(g, x), r);
    for (unsigned i = 0; i < c; i++) wide[i] = shape[i], perm[i] = (int)i;
    const int64_t last[5] = {shape[c], shape[c + 1] / r, r, shape[c + 2] / r, r};
    const int order[5] = {0, 2, 4, 1, 3};
    for (unsigned i = 0; i < 5; i++) wide[c + i] = last[i], perm[c + i] = (int)c + order[i];
    shape[c] = bz_times(shape[c], bz_times(r, r));
    shape[c + 1] /= r;
    shape[c + 2] /= r;
    return turned(g, x, wide, perm, c + 5, shape, rank);
}

ir_ref ir_channel_shuffle(ir_graph *g, ir_ref x, int64_t groups) {
    int64_t shape[IR_MAX_RANK], wide[IR_MAX_RANK];
    int perm[IR_MAX_RANK];
    if (!known(g, "channel_shuffle", x, 3, shape)) return 0;
    const unsigned rank = ir_at(g, x)->rank;
    if (groups < 1 || shape[1] % groups)
        return ir_error_as(g, BZ_ESHAPE, "channel_shuffle",
                           "the channels of %s are not %" PRId64 " groups", ir_shape_text(g, x),
                           groups);
    for (unsigned i = 0, to = 0; i < rank; i++) {
        wide[to++] = i == 1 ? groups : shape[i];
        if (i == 1) wide[to++] = shape[1] / groups;
    }
    for (unsigned i = 0; i <= rank; i++) perm[i] = i == 1 ? 2 : i == 2 ? 1 : (int)i;
    return turned(g, x, wide, perm, rank + 1, shape, rank);
}
