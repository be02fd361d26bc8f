/* compose_grid.c - images read at places that a tensor says: grid_sample, and the places of an affine map.
 *
 *     x [N, C, S...]   grid [N, M..., n]: of each of n axes S, the last one first, a place in -1 .. 1
 *     place --unscaled--> in elements --border, reflection--> inside --taps, weights--> sum of weight x[tap]     rows of [N, C, all S] along the last axis */
#include "src/ir/compose.h"

#include <math.h>
#include <string.h>

enum { MOST = 3 /* axes */ };

typedef struct grid {
    unsigned n;
    int64_t size[MOST], samples, channels, points, made[MOST];
    ir_ref rows; /* x as [N, C, all S] */
    bz_dtype t;
    int mode, padding;
    bool corners;
} grid;

static ir_ref num(ir_graph *g, const grid *q, double v) {
    return ir_const_f(g, q->t, v);
}

/* limited to lo .. hi, with no gradient there and beyond, as PyTorch has it */
static ir_ref clipped(ir_graph *g, const grid *q, ir_ref x, double lo, double hi) {
    ir_ref low = num(g, q, lo), high = num(g, q, hi);
    ir_ref above = ir_build2(g, IR_LE, high, x), below = ir_build2(g, IR_LE, x, low);
    return ir_build3(g, IR_SELECT, below, low, ir_build3(g, IR_SELECT, above, high, x));
}

/* Back and forth between lo and hi. */
static ir_ref reflected(ir_graph *g, const grid *q, ir_ref x, double lo, double hi) {
    if (hi <= lo) return num(g, q, 0);
    ir_ref span = num(g, q, hi - lo), far = ir_build1(g, IR_ABS, ir_minus(g, x, num(g, q, lo)));
    ir_ref rest = ir_build2(g, IR_FMOD, far, span);
    ir_ref turns = ir_build1(g, IR_FLOOR, ir_over(g, far, span));
    ir_ref even = ir_build2(g, IR_EQ, ir_build2(g, IR_FMOD, turns, num(g, q, 2)), num(g, q, 0));
    ir_ref back = ir_minus(g, span, rest), at = ir_build3(g, IR_SELECT, even, rest, back);
    return ir_plus(g, at, num(g, q, lo));
}

/* An element's place inside, where the padding says how. */
static ir_ref inside(ir_graph *g, const grid *q, ir_ref at, unsigned axis) {
    const double last = (double)q->size[axis] - 1;
    if (q->padding == IR_BORDER_ZEROS) return at;
    if (q->padding == IR_BORDER_REFLECTION)
        at = q->corners ? reflected(g, q, at, 0, last) : reflected(g, q, at, -0.5, last + 0.5);
    return clipped(g, q, at, 0, last);
}

/* The places of axis `axis` in elements: [N, points]. */
static ir_ref places(ir_graph *g, const grid *q, ir_ref points, unsigned axis) {
    ir_ref at = ir_select(g, points, -1, (int64_t)(q->n - 1 - axis));
    const double n = (double)q->size[axis];
    at = ir_plus(g, at, num(g, q, 1));
    at = ir_times(g, at, num(g, q, q->corners ? (n - 1) / 2 : n / 2));
    return q->corners ? at : ir_minus(g, at, num(g, q, 0.5));
}

/* The elements at whole places, 0 outside: [N, C, points]. */
static ir_ref elements_at(ir_graph *g, const grid *q, const ir_ref *at) {
    ir_ref flat = 0, in = 0;
    for (unsigned a = 0; a < q->n; a++) {
        ir_ref low = ir_build2(g, IR_LE, num(g, q, 0), at[a]);
        ir_ref high = ir_build2(g, IR_LE, at[a], num(g, q, (double)q->size[a] - 1));
        ir_ref here = ir_build2(g, IR_AND, low, high);
        in = in ? ir_build2(g, IR_AND, in, here) : here;
        ir_ref i = ir_cast(g, ir_build3(g, IR_SELECT, here, at[a], num(g, q, 0)), BZ_I64);
        flat = flat ? ir_plus(g, ir_times(g, flat, ir_const_i(g, BZ_I64, q->size[a])), i) : i;
    }
    ir_dim dims[3] = {ir_dim_const(g, q->samples), ir_dim_const(g, q->channels),
                      ir_dim_const(g, q->points)};
    ir_ref index = ir_expand_dims_like(g, ir_unsqueeze(g, flat, 1), dims, 3);
    ir_ref x = ir_gather_along(g, q->rows, index, 2), seen = ir_unsqueeze(g, in, 1);
    return ir_build3(g, IR_SELECT, seen, x, num(g, q, 0));
}

static ir_ref nearest(ir_graph *g, const grid *q, const ir_ref *at) {
    ir_ref whole[MOST];
    for (unsigned a = 0; a < q->n; a++)
        whole[a] = ir_build1(g, IR_RINT, ir_build1(g, IR_STOP_GRADIENT, inside(g, q, at[a], a)));
    return elements_at(g, q, whole);
}

/* Corners of the cell: of each axis its lower or upper element. */
static ir_ref linear(ir_graph *g, const grid *q, const ir_ref *at) {
    ir_ref low[MOST], part[MOST], sum = 0;
    for (unsigned a = 0; a < q->n; a++) {
        ir_ref x = inside(g, q, at[a], a);
        low[a] = ir_build1(g, IR_FLOOR, ir_build1(g, IR_STOP_GRADIENT, x));
        part[a] = ir_minus(g, x, low[a]);
    }
    for (unsigned corner = 0; corner < 1u << q->n; corner++) {
        ir_ref weight = 0, whole[MOST];
        for (unsigned a = 0; a < q->n; a++) {
            const bool up = corner >> a & 1;
            ir_ref w = up ? part[a] : ir_minus(g, num(g, q, 1), part[a]);
            whole[a] = up ? ir_plus(g, low[a], num(g, q, 1)) : low[a];
            weight = weight ? ir_times(g, weight, w) : w;
        }
        ir_ref v = elements_at(g, q, whole);
        v = ir_times(g, v, ir_unsqueeze(g, weight, 1));
        sum = sum ? ir_plus(g, sum, v) : v;
    }
    return sum;
}

/* Weight of the element that is d away, 0 <= d <= 1 (near), 1 <= d <= 2: Keys' kernel with -0.75. */
static ir_ref keys(ir_graph *g, const grid *q, ir_ref d, bool near) {
    const double c[2][4] = {{1.25, -2.25, 0, 1}, {-0.75, 3.75, -6, 3}};
    ir_ref y = num(g, q, c[!near][0]);
    for (unsigned k = 1; k < 4; k++) y = ir_plus(g, ir_times(g, y, d), num(g, q, c[!near][k]));
    return y;
}

static ir_ref cubic(ir_graph *g, const grid *q, const ir_ref *at) {
    ir_ref low[MOST], weight[MOST][4], sum = 0;
    for (unsigned a = 0; a < q->n; a++) {
        low[a] = ir_build1(g, IR_FLOOR, ir_build1(g, IR_STOP_GRADIENT, at[a]));
        ir_ref d = ir_minus(g, at[a], low[a]), one = num(g, q, 1);
        ir_ref left = ir_minus(g, one, d);
        weight[a][0] = keys(g, q, ir_plus(g, d, one), false);
        weight[a][1] = keys(g, q, d, true);
        weight[a][2] = keys(g, q, left, true);
        weight[a][3] = keys(g, q, ir_plus(g, left, one), false);
    }
    for (unsigned k = 0; k < 1u << 2 * q->n; k++) {
        ir_ref whole[MOST], w = 0;
        for (unsigned a = 0; a < q->n; a++) {
            const unsigned of = k >> 2 * a & 3;
            ir_ref tap = ir_plus(g, low[a], num(g, q, (double)of - 1));
            whole[a] = ir_build1(g, IR_RINT, inside(g, q, tap, a));
            w = w ? ir_times(g, w, weight[a][of]) : weight[a][of];
        }
        ir_ref v = elements_at(g, q, whole);
        v = ir_times(g, v, ir_unsqueeze(g, w, 1));
        sum = sum ? ir_plus(g, sum, v) : v;
    }
    return sum;
}

/* Sizes and operands; false and an error. */
static bool begin(ir_graph *g, grid *q, ir_ref x, ir_ref *points) {
    int64_t xs[IR_MAX_RANK], ps[IR_MAX_RANK];
    const unsigned rank = ir_at(g, x)->rank;
    bool known = ir_static_shape(g, x, xs) && ir_static_shape(g, *points, ps);
    bool fits = known && (rank == 4 || rank == 5) && ir_at(g, *points)->rank == rank &&
                xs[0] == ps[0] && ps[rank - 1] == (int64_t)rank - 2;
    q->n = rank - 2;
    q->points = 1;
    for (unsigned a = 0; fits && a < q->n; a++) {
        q->size[a] = xs[a + 2];
        q->points *= q->made[a] = ps[a + 1];
        fits = q->size[a] > 0;
    }
    if (!fits)
        return ir_error_as(g, BZ_ESHAPE, "grid_sample",
                           "%s has no elements for the places %s: [N, C, H, W] and [N, h, w, 2] "
                           "are wanted, or one axis more and 3",
                           ir_shape_text(g, x), ir_shape_text(g, *points)),
               false;
    if (q->mode < 0 || q->mode > IR_SAMPLE_BICUBIC || q->padding < 0 ||
        q->padding > IR_BORDER_REFLECTION)
        return ir_error_as(g, BZ_EARG, "grid_sample", "there is no mode %d with padding %d",
                           q->mode, q->padding),
               false;
    q->samples = xs[0];
    q->channels = xs[1];
    int64_t all = 1;
    for (unsigned a = 0; a < q->n; a++) all *= q->size[a];
    q->rows = ir_reshape(g, x, (int64_t[]){q->samples, q->channels, all}, 3);
    *points = ir_reshape(g, *points, (int64_t[]){q->samples, q->points, q->n}, 3);
    return q->rows && *points;
}

ir_ref ir_grid_sample(ir_graph *g, ir_ref x, ir_ref grid_, int mode, int padding_mode,
                      bool align_corners) {
    grid q = {.mode = mode, .padding = padding_mode, .corners = align_corners};
    if (!x || !grid_) return 0;
    const bz_dtype t = ir_promote(ir_dtype(g, x), ir_dtype(g, grid_));
    if (!ir_is_float(t) || !begin(g, &q, x, &grid_))
        return ir_is_float(t) ? 0
                              : ir_error_as(g, BZ_EDTYPE, "grid_sample",
                                            "floats are needed, not %s", ir_shape_text(g, x));
    q.t = ir_compute_dtype(t);
    q.rows = ir_cast(g, q.rows, q.t);
    grid_ = ir_cast(g, grid_, q.t);
    ir_ref at[MOST];
    for (unsigned a = 0; a < q.n; a++) at[a] = places(g, &q, grid_, a);
    ir_ref y = mode == IR_SAMPLE_NEAREST   ? nearest(g, &q, at)
               : mode == IR_SAMPLE_BICUBIC ? cubic(g, &q, at)
                                           : linear(g, &q, at);
    int64_t shape[2 + MOST] = {q.samples, q.channels};
    memcpy(shape + 2, q.made, q.n * sizeof *shape);
    return ir_cast(g, ir_reshape(g, y, shape, 2 + q.n), t);
}

/* ---- the places of an affine map: theta [N, n, n + 1] times (x, y, .., 1) */

/* n places in -1 .. 1, along axis `axis` of as many as there are. */
static ir_ref steps(ir_graph *g, bz_dtype t, const int64_t *size, unsigned n, unsigned axis,
                    bool corners) {
    ir_dim dims[MOST + 1], own = ir_dim_const(g, size[axis]);
    for (unsigned a = 0; a < n; a++) dims[a] = ir_dim_const(g, size[a]);
    dims[n] = ir_dim_const(g, 1);
    ir_ref i = ir_cast(g, ir_iota(g, BZ_I64, &own, 1, 0), t);
    const double count = (double)size[axis];
    const double step = corners ? (count > 1 ? 2 / (count - 1) : 0) : 2 / count;
    ir_ref v = ir_times(g, i, ir_const_f(g, t, step));
    v = ir_plus(g, v, ir_const_f(g, t, corners ? (count > 1 ? -1 : 0) : 1 / count - 1));
    for (unsigned a = axis; a < n; a++) v = ir_unsqueeze(g, v, -1);
    return v ? ir_expand_dims_like(g, v, dims, n + 1) : 0;
}

ir_ref ir_affine_grid(ir_graph *g, ir_ref x, const int64_t *size, unsigned nsize,
                      bool align_corners) {
    int64_t shape[IR_MAX_RANK], points = 1;
    if (!x) return 0;
    const bz_dtype t = ir_dtype(g, x), in = ir_compute_dtype(t);
    const unsigned n = nsize - 2;
    bool fits = (nsize == 4 || nsize == 5) && ir_is_float(t) && ir_at(g, x)->rank == 3 &&
                ir_static_shape(g, x, shape) && shape[0] == size[0] && shape[1] == (int64_t)n &&
                shape[2] == (int64_t)n + 1;
    for (unsigned a = 0; fits && a < n; a++) fits = size[a + 2] > 0, points *= size[a + 2];
    if (!fits)
        return ir_error_as(
            g, BZ_ESHAPE, "affine_grid",
            "%s does not fit a size of %u numbers: floats [N, 2, 3] and [N, C, H, W] are wanted, "
            "or [N, 3, 4] and one axis more",
            ir_shape_text(g, x), nsize);
    ir_ref part[MOST + 1];
    for (unsigned k = 0; k < n; k++) part[k] = steps(g, in, size + 2, n, n - 1 - k, align_corners);
    part[n] = ir_const_like(g, part[0], 1);
    ir_ref base = ir_concat(g, part, n + 1, -1);
    base = ir_reshape(g, base, (int64_t[]){1, points, n + 1}, 3);
    ir_ref y = ir_matmul(g, base, ir_mT(g, ir_cast(g, x, in)));
    int64_t out[2 + MOST] = {size[0]};
    memcpy(out + 1, size + 2, n * sizeof *out);
    out[n + 1] = n;
    return ir_cast(g, ir_reshape(g, y, out, n + 2), t);
}
