/* window.c - a window on a tensor's elements as movement ops, and the way back: each element to its place, what shares a place added up.
 *
 * Read: s0 > s1 > ... are the strides, N the elements, which the axes see as digits of their number.
 *     x [N] --reshape--> [N/s0, s0/s1, ... sk] --slice--> --permute--> --expand-->      (where they are none: as_strided)
 * Back:
 *     lines of L elements, A of them, s apart:   s >= L: padded to s, one after the other        |aa.|bb.|cc.
 *                                                s < L:  sheared by s, added up                   aaa
 *                                                                                                 .bbb
 *                                                                                                 ..ccc
 * Axis by axis, the smallest stride first. */
#include "src/ir/build.h"

#include <stdlib.h>
#include <string.h>

typedef struct axis {
    int from; /* axis of the window */
    int64_t size, stride;
    bool reverse;
} axis;

/* Descending strides; of two that are equal the longer axis inside, where it costs nothing. */
static int outer_first(const void *p, const void *q) {
    const axis *a = p, *b = q;
    if (a->stride != b->stride) return (a->stride < b->stride) - (a->stride > b->stride);
    return (a->size > b->size) - (a->size < b->size);
}

/* The axes that are longer than 1 and have a stride, and the lowest element. */
static unsigned sorted_axes(const ir_strided *w, axis *a, int64_t *first) {
    unsigned n = 0;
    *first = w->offset;
    for (unsigned i = 0; i < w->rank; i++) {
        int64_t by = w->strides[i];
        if (w->shape[i] == 1 || by == 0) continue;
        if (by < 0) *first += (w->shape[i] - 1) * by;
        a[n++] = (axis){(int)i, w->shape[i], by < 0 ? -by : by, by < 0};
    }
    qsort(a, n, sizeof *a, outer_first);
    return n;
}

/* ---- read */

/* The axes as digits of the element number, one more for what the last stride leaves; how many, 0 when they are none. */
static unsigned digits(const axis *a, unsigned n, int64_t numel, int64_t first, int64_t *radix,
                       int64_t *digit) {
    int64_t above = numel, rest = first;
    for (unsigned k = 0; k < n; k++) {
        if (above % a[k].stride) return 0;
        radix[k] = above / a[k].stride;
        digit[k] = rest / a[k].stride;
        rest %= a[k].stride;
        if (digit[k] + a[k].size > radix[k]) return 0;
        above = a[k].stride;
    }
    radix[n] = above;
    digit[n] = rest;
    return n && above == 1 ? n : n + 1;
}

/* [sizes in descending order of strides] -> the window's order, with its axes of size 1 and its repeated ones. */
static ir_ref to_window(ir_graph *g, ir_ref x, const axis *a, unsigned n, const ir_strided *w) {
    int perm[IR_MAX_RANK];
    int64_t shape[IR_MAX_RANK];
    unsigned at = 0;
    for (unsigned i = 0; i < w->rank; i++) {
        shape[i] = 1;
        for (unsigned k = 0; k < n; k++) {
            if (a[k].from != (int)i) continue;
            perm[at++] = (int)k;
            shape[i] = w->shape[i];
        }
    }
    x = ir_reshape(g, ir_permute(g, x, perm, at), shape, w->rank);
    return ir_expand(g, x, w->shape, w->rank);
}

static bool is_empty(const ir_strided *w) {
    for (unsigned i = 0; i < w->rank; i++)
        if (w->shape[i] == 0) return true;
    return false;
}

ir_ref ir_read_strided(ir_graph *g, ir_ref x, const ir_strided *w) {
    axis a[IR_MAX_RANK];
    int64_t numel, first, radix[IR_MAX_RANK + 1], digit[IR_MAX_RANK + 1], count[IR_MAX_RANK + 1],
        step[IR_MAX_RANK + 1];
    if (!x || !ir_numel(g, x, &numel)) return 0;
    unsigned n = sorted_axes(w, a, &first);
    bool fits = !is_empty(w) && n < IR_MAX_RANK;
    unsigned rank = fits ? digits(a, n, numel, first, radix, digit) : 0;
    if (rank == 0) return ir_as_strided_at(g, x, w, 0);
    for (unsigned k = 0; k < rank; k++) {
        bool reverse = k < n && a[k].reverse;
        count[k] = k < n ? a[k].size : 1;
        step[k] = reverse ? -1 : 1;
        digit[k] += reverse ? count[k] - 1 : 0;
    }
    x = ir_slice_exact(g, ir_reshape(g, x, radix, rank), digit, count, step);
    return to_window(g, ir_reshape(g, x, count, n), a, n, w);
}

/* ---- the way back */

/* v with the axes a in their order and no others: repeated elements added up, reversed axes turned. */
static ir_ref in_order(ir_graph *g, ir_ref v, const ir_strided *w, const axis *a, unsigned n) {
    int sum[IR_MAX_RANK], flip[IR_MAX_RANK], perm[IR_MAX_RANK];
    int64_t shape[IR_MAX_RANK];
    unsigned nsum = 0, nflip = 0, rank = 0;
    for (unsigned i = 0; i < w->rank; i++) {
        if (w->shape[i] != 1 && w->strides[i] == 0) sum[nsum++] = (int)i;
        if (w->shape[i] == 1 || w->strides[i] == 0) continue;
        if (w->strides[i] < 0) flip[nflip++] = (int)rank;
        for (unsigned k = 0; k < n; k++)
            if (a[k].from == (int)i) perm[k] = (int)rank;
        shape[rank++] = w->shape[i];
    }
    v = nsum ? ir_reduce(g, IR_SUM, v, sum, nsum, false) : v;
    v = ir_reshape(g, v, shape, rank);
    v = nflip ? ir_flip(g, v, flip, nflip) : v;
    return ir_permute(g, v, perm, rank);
}

/* The last axis of y, `from` elements long, cut or padded to `to`. The other axes are shape[0 .. outer-1]. */
static ir_ref fit(ir_graph *g, ir_ref y, int64_t *shape, unsigned outer, int64_t from, int64_t to) {
    int64_t lo[IR_MAX_RANK + 1] = {0}, hi[IR_MAX_RANK + 1] = {0}, ones[IR_MAX_RANK + 1];
    for (unsigned i = 0; i <= outer; i++) ones[i] = 1;
    shape[outer] = to;
    hi[outer] = to - from;
    return to > from   ? ir_pad(g, y, lo, hi, 0)
           : to < from ? ir_slice_exact(g, y, lo, shape, ones)
                       : y;
}

typedef struct lines {
    int64_t width, reach; /* elements of a line; those that may be other than 0 */
} lines;

/* y: [shape[0 .. outer-1], lines of axis a, elements]; the last two become one, cut to `room` where that keeps all. */
static ir_ref join_lines(ir_graph *g, ir_ref y, int64_t *shape, unsigned outer, const axis *a,
                         lines *l, int64_t room) {
    int64_t reach = (a->size - 1) * a->stride + l->reach;
    bool overlap = a->stride < l->reach;
    int64_t each = overlap ? reach + a->stride : a->stride, all = a->size * each;
    shape[outer] = a->size;
    y = fit(g, y, shape, outer + 1, l->width, each);
    y = ir_reshape(g, y, (shape[outer] = all, shape), outer + 1);
    l->reach = reach;
    if (!overlap) {
        l->width = room > reach ? room : reach;
        l->width = l->width < all ? l->width : all;
        return fit(g, y, shape, outer, all, l->width);
    }
    l->width = reach;
    y = fit(g, y, shape, outer, all, a->size * reach);
    shape[outer] = a->size;
    shape[outer + 1] = reach;
    y = ir_reshape(g, y, shape, outer + 2);
    return ir_reduce(g, IR_SUM, y, &(int){(int)outer}, 1, false);
}

ir_ref ir_put_strided(ir_graph *g, ir_ref v, const ir_strided *w, int64_t numel) {
    axis a[IR_MAX_RANK];
    int64_t shape[IR_MAX_RANK + 1], first;
    lines l = {1, 1};
    unsigned n = sorted_axes(w, a, &first);
    if (n >= IR_MAX_RANK)
        return ir_error(g, BZ_EUNSUPPORTED, IR_AS_STRIDED, "a window of %u axes", n);
    ir_ref y = in_order(g, v, w, a, n);
    for (unsigned k = 0; k < n; k++) shape[k] = a[k].size;
    shape[n] = 1;
    y = ir_reshape(g, y, shape, n + 1);
    for (unsigned k = n; k-- > 0;)
        y = join_lines(g, y, shape, k, &a[k], &l, k ? a[k - 1].stride : numel - first);
    int64_t after = numel - first - l.width;
    return ir_pad(g, y, &first, &after, 0);
}
