/* compose_repeat.c - elements repeated, turned round, bordered by their own, put side by side: movement of primitives, which fuses
 * with what reads it.
 *
 *      repeat [2, 3]     [d0, d1] -> [1, d0, 1, d1] --expand--> [2, d0, 3, d1] -> [2 d0, 3 d1]
 *      roll, borders     slices of x, some reversed or expanded, one after the other */
#include "src/ir/compose.h"

#include <inttypes.h>
#include <string.h>

/* ---- repeats */

/* Axis a of x `times` times, as a whole or (inner) element by element: over [before, d, after], so that any rank will do. */
static ir_ref repeat_axis(ir_graph *g, ir_ref x, unsigned a, int64_t times, bool inner) {
    if (!x || times == 1) return x;
    ir_dim own[IR_MAX_RANK], one = ir_dim_const(g, 1), by = ir_dim_const(g, times), d;
    unsigned rank = ir_at(g, x)->rank;
    memcpy(own, ir_dims(g, ir_at(g, x)), rank * sizeof *own);
    ir_dim before = one, after = one;
    for (unsigned i = 0; i < a; i++) before = ir_ex_mul(&g->m->ex, before, own[i]);
    for (unsigned i = a + 1; i < rank; i++) after = ir_ex_mul(&g->m->ex, after, own[i]);
    d = own[a];
    own[a] = ir_ex_mul(&g->m->ex, d, by);
    x = ir_reshape_dims(g, x, (ir_dim[]){before, inner ? d : one, inner ? one : d, after}, 4);
    x = ir_expand_dims_like(g, x, (ir_dim[]){before, inner ? d : by, inner ? by : d, after}, 4);
    return ir_reshape_dims(g, x, own, rank);
}

static ir_ref tiled(ir_graph *g, const char *name, ir_ref x, const int64_t *counts, unsigned n) {
    ir_dim dims[IR_MAX_RANK], mid[IR_MAX_RANK], wide[IR_MAX_RANK], one = ir_dim_const(g, 1);
    unsigned rank = n, own = ir_at(g, x)->rank, m = 0, more = 0;
    for (unsigned i = 0; i < n; i++) {
        if (counts[i] < 0)
            return ir_error_as(g, BZ_EARG, name, "axis %u of %s %" PRId64 " times", i,
                               ir_shape_text(g, x), counts[i]);
        more += counts[i] != 1;
    }
    for (unsigned i = 0; i < rank; i++)
        dims[i] = i < rank - own ? one : ir_dims(g, ir_at(g, x))[i - (rank - own)];
    x = ir_reshape_dims(g, x, dims, rank);
    if (rank + more > IR_MAX_RANK) {
        for (unsigned i = 0; i < rank; i++) x = repeat_axis(g, x, i, counts[i], false);
        return x;
    }
    for (unsigned i = 0; i < rank; i++) {
        ir_dim by = ir_dim_const(g, counts[i]);
        if (counts[i] != 1) mid[m] = one, wide[m++] = by;
        mid[m] = wide[m] = dims[i];
        m++;
        dims[i] = ir_ex_mul(&g->m->ex, dims[i], by);
    }
    x = ir_expand_dims_like(g, ir_reshape_dims(g, x, mid, m), wide, m);
    return ir_reshape_dims(g, x, dims, rank);
}

ir_ref ir_repeat(ir_graph *g, ir_ref x, const int64_t *sizes, unsigned n) {
    if (!x) return 0;
    if (n < ir_at(g, x)->rank || n > IR_MAX_RANK)
        return ir_error_as(g, BZ_ESHAPE, "repeat", "%u numbers of repeats for %s", n,
                           ir_shape_text(g, x));
    return tiled(g, "repeat", x, sizes, n);
}

ir_ref ir_tile(ir_graph *g, ir_ref x, const int64_t *sizes, unsigned n) {
    int64_t counts[IR_MAX_RANK];
    if (!x) return 0;
    unsigned own = ir_at(g, x)->rank, rank = n > own ? n : own;
    if (rank > IR_MAX_RANK)
        return ir_error_as(g, BZ_ESHAPE, "tile", "%u numbers of repeats for %s", n,
                           ir_shape_text(g, x));
    for (unsigned i = 0; i < rank; i++) counts[i] = i < rank - n ? 1 : sizes[i - (rank - n)];
    return tiled(g, "tile", x, counts, rank);
}

/* Element i of axis `at` counts[i] times: rows taken at indices that are constants, or where these would be too many, runs one after
 * the other. */
static ir_ref repeat_each(ir_graph *g, ir_ref x, const int64_t *shape, unsigned at,
                          const int64_t *counts, int64_t total) {
    int64_t n = shape[at], k = 0;
    size_t room = (size_t)(total <= IR_MAX_CONST ? total : n) + 1;
    int64_t *index = bz_arena_alloc(&g->arena, room * sizeof *index);
    ir_ref *runs = (ir_ref *)(void *)index;
    if (!index) return ir_error_as(g, BZ_ENOMEM, "repeat_interleave", "out of memory");
    if (total > IR_MAX_CONST) {
        for (int64_t i = 0; i < n; i++)
            if (counts[i])
                runs[k++] = repeat_axis(g, ir_part_of(g, x, shape, at, i, 1), at, counts[i], true);
        return ir_concat(g, runs, (unsigned)k, (int)at);
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < counts[i]; j++) index[k++] = i;
    ir_dim count = ir_dim_const(g, total);
    return total ? ir_gather(g, x, ir_const_list(g, BZ_I64, index, &count, 1), (int)at)
                 : ir_part_of(g, x, shape, at, 0, 0);
}

ir_ref ir_repeat_interleave(ir_graph *g, ir_ref x, const int64_t *repeats, unsigned n, int axis) {
    int64_t shape[IR_MAX_RANK], total = 0;
    unsigned at;
    if (!x) return 0;
    if (axis == IR_FLAT) x = ir_flatten(g, x, 0, -1), axis = 0;
    for (unsigned i = 0; i < n; i++)
        if (repeats[i] < 0 || repeats[i] > INT64_C(1) << 40)
            return ir_error_as(g, BZ_EARG, "repeat_interleave", "%" PRId64 " repeats of element %u",
                               repeats[i], i);
        else
            total += repeats[i];
    if (n == 1) {
        if (ir_at(g, x)->rank == 0) x = ir_reshape(g, x, (int64_t[]){1}, 1);
        if (!x || !ir_axis_of(g, "repeat_interleave", x, axis, 0, &at)) return 0;
        return repeat_axis(g, x, at, repeats[0], true);
    }
    if (!ir_axis_of_known(g, "repeat_interleave", x, axis, shape, &at)) return 0;
    if (shape[at] != (int64_t)n)
        return ir_error_as(g, BZ_ESHAPE, "repeat_interleave",
                           "%u numbers of repeats, axis %d of %s", n, axis, ir_shape_text(g, x));
    return repeat_each(g, x, shape, at, repeats, total);
}

/* ---- turned round */

/* x with its axis `at` beginning at element `by`, what was before it behind. */
static ir_ref rolled(ir_graph *g, ir_ref x, unsigned at, int64_t by) {
    int64_t shape[IR_MAX_RANK];
    if (!x || !ir_static_shape(g, x, shape)) return x;
    int64_t n = shape[at], first = n ? by % n : 0;
    first = first < 0 ? first + n : first;
    if (first == 0) return x;
    ir_ref head = ir_part_of(g, x, shape, at, n - first, first);
    return ir_concat(g, (ir_ref[]){head, ir_part_of(g, x, shape, at, 0, n - first)}, 2, (int)at);
}

ir_ref ir_roll(ir_graph *g, ir_ref x, const int64_t *shifts, unsigned n, const int *axes,
               unsigned naxes) {
    int64_t shape[IR_MAX_RANK];
    unsigned at;
    if (!x) return 0;
    if (!ir_static_shape(g, x, shape))
        return ir_error_as(g, BZ_EUNSUPPORTED, "roll", "the sizes of %s must be known",
                           ir_shape_text(g, x));
    if (n == 0 || (naxes && naxes != n) || (!naxes && n != 1))
        return ir_error_as(g, BZ_EARG, "roll", "%u shifts along %u axes of %s", n, naxes,
                           ir_shape_text(g, x));
    if (!naxes) {
        unsigned rank = ir_at(g, x)->rank;
        return ir_reshape(g, rolled(g, ir_flatten(g, x, 0, -1), 0, shifts[0]), shape, rank);
    }
    for (unsigned i = 0; i < n; i++) {
        if (!ir_axis_of_known(g, "roll", x, axes[i], shape, &at)) return 0;
        if (!(x = rolled(g, x, at, shifts[i]))) return 0;
    }
    return x;
}

ir_ref ir_rot90(ir_graph *g, ir_ref x, int k, int a, int b) {
    unsigned p, q;
    if (!x || !ir_axis_of(g, "rot90", x, a, 0, &p) || !ir_axis_of(g, "rot90", x, b, 0, &q))
        return 0;
    if (p == q || ir_at(g, x)->rank < 2)
        return ir_error_as(g, BZ_EAXIS, "rot90", "axes %d and %d of %s are no plane", a, b,
                           ir_shape_text(g, x));
    k = (k % 4 + 4) % 4;
    int first = (int)(k == 1 ? q : p), both[] = {(int)p, (int)q};
    if (k == 2) return ir_flip(g, x, both, 2);
    return k ? ir_transpose(g, ir_flip(g, x, &first, 1), (int)p, (int)q) : x;
}

ir_ref ir_fliplr(ir_graph *g, ir_ref x) {
    if (!x) return 0;
    if (ir_at(g, x)->rank < 2)
        return ir_error_as(g, BZ_ESHAPE, "fliplr", "%s has no axis 1", ir_shape_text(g, x));
    return ir_flip(g, x, (int[]){1}, 1);
}

ir_ref ir_flipud(ir_graph *g, ir_ref x) {
    if (!x) return 0;
    if (ir_at(g, x)->rank < 1)
        return ir_error_as(g, BZ_ESHAPE, "flipud", "%s has no axis 0", ir_shape_text(g, x));
    return ir_flip(g, x, (int[]){0}, 1);
}

/* ---- borders of x's own elements */

typedef enum border { REFLECT, SYMMETRIC, REPLICATE, CIRCULAR } border;

static const char *const border_names[] = {"pad_reflect", "pad_symmetric", "pad_replicate",
                                           "pad_circular"};

/* The n elements before (or behind) axis `at`, which is shape[at] long. */
static ir_ref border_of(ir_graph *g, ir_ref x, const int64_t *shape, unsigned at, int64_t n,
                        border how, bool before) {
    int64_t size = shape[at], skip = how == REFLECT;
    if (how == CIRCULAR) return ir_part_of(g, x, shape, at, before ? size - n : 0, n);
    if (how == REPLICATE)
        return repeat_axis(g, ir_part_of(g, x, shape, at, before ? 0 : size - 1, 1), at, n, false);
    return ir_flip(g, ir_part_of(g, x, shape, at, before ? skip : size - n - skip, n),
                   (int[]){(int)at}, 1);
}

static ir_ref bordered_axis(ir_graph *g, ir_ref x, unsigned at, int64_t lo, int64_t hi,
                            border how) {
    int64_t shape[IR_MAX_RANK];
    ir_ref all[3];
    unsigned n = 0;
    if (!x || (!lo && !hi) || !ir_static_shape(g, x, shape)) return x;
    int64_t most = shape[at] - (how == REFLECT);
    if (how == REPLICATE && shape[at]) most = INT64_MAX;
    if (lo < 0 || hi < 0 || lo > most || hi > most)
        return ir_error_as(g, BZ_ESHAPE, border_names[how],
                           "%" PRId64 " elements before and %" PRId64 " behind axis %u of %s", lo,
                           hi, at, ir_shape_text(g, x));
    if (lo) all[n++] = border_of(g, x, shape, at, lo, how, true);
    all[n++] = x;
    if (hi) all[n++] = border_of(g, x, shape, at, hi, how, false);
    return ir_concat(g, all, n, (int)at);
}

static ir_ref bordered(ir_graph *g, ir_ref x, const int64_t *lo, unsigned nlo, const int64_t *hi,
                       unsigned nhi, border how) {
    int64_t shape[IR_MAX_RANK];
    if (!x) return 0;
    if (nlo != ir_at(g, x)->rank || nhi != nlo)
        return ir_error_as(g, BZ_EAXIS, border_names[how], "borders for %u axes of %s", nlo,
                           ir_shape_text(g, x));
    if (!ir_static_shape(g, x, shape))
        return ir_error_as(g, BZ_EUNSUPPORTED, border_names[how], "the sizes of %s must be known",
                           ir_shape_text(g, x));
    for (unsigned a = 0; a < nlo; a++) x = bordered_axis(g, x, a, lo[a], hi[a], how);
    return x;
}

ir_ref ir_pad_reflect(ir_graph *g, ir_ref x, const int64_t *lo, unsigned nlo, const int64_t *hi,
                      unsigned nhi) {
    return bordered(g, x, lo, nlo, hi, nhi, REFLECT);
}

ir_ref ir_pad_symmetric(ir_graph *g, ir_ref x, const int64_t *lo, unsigned nlo, const int64_t *hi,
                        unsigned nhi) {
    return bordered(g, x, lo, nlo, hi, nhi, SYMMETRIC);
}

ir_ref ir_pad_replicate(ir_graph *g, ir_ref x, const int64_t *lo, unsigned nlo, const int64_t *hi,
                        unsigned nhi) {
    return bordered(g, x, lo, nlo, hi, nhi, REPLICATE);
}

ir_ref ir_pad_circular(ir_graph *g, ir_ref x, const int64_t *lo, unsigned nlo, const int64_t *hi,
                       unsigned nhi) {
    return bordered(g, x, lo, nlo, hi, nhi, CIRCULAR);
}
