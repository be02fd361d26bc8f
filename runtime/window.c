/* window.c - a window on the elements of a storage, read and written as movement ops.
 *
 *   read:   base [N] --reshape--> digits [N/s0, s0/s1, ... sk] --slice--> --permute--> --expand-->      (else as_strided)
 *   write:  v --flip, permute--> innermost axis padded to the stride of the next ... --pad--> [N];  where(mask, that, base)
 *
 * s0 > s1 > ... are the strides, in descending order. */
#include "runtime/rt.h"

#include <stdlib.h>
#include <string.h>

typedef struct axes {
    unsigned n; /* axes longer than 1 with a stride */
    struct axis {
        unsigned from; /* axis of the layout */
        int64_t size, stride;
        bool reverse;
    } a[IR_MAX_RANK];
    int64_t first; /* lowest element */
} axes;

static int descending(const void *p, const void *q) {
    const struct axis *a = p, *b = q;
    return (a->stride < b->stride) - (a->stride > b->stride);
}

static axes sorted_axes(const rt_layout *l, int64_t offset) {
    axes s = {.first = offset};
    for (unsigned i = 0; i < l->rank; i++) {
        int64_t by = l->strides[i];
        if (l->shape[i] == 1 || by == 0) continue;
        if (by < 0) s.first += (l->shape[i] - 1) * by;
        s.a[s.n++] = (struct axis){i, l->shape[i], by < 0 ? -by : by, by < 0};
    }
    qsort(s.a, s.n, sizeof *s.a, descending);
    return s;
}

/* The axes as digits of the element number; false when they are none. radix[n] is what the last stride leaves. */
static bool digits(const axes *s, int64_t numel, int64_t *radix, int64_t *digit) {
    int64_t above = numel, rest = s->first;
    for (unsigned k = 0; k < s->n; k++) {
        if (above % s->a[k].stride) return false;
        radix[k] = above / s->a[k].stride;
        digit[k] = rest / s->a[k].stride;
        rest %= s->a[k].stride;
        if (digit[k] + s->a[k].size > radix[k]) return false;
        above = s->a[k].stride;
    }
    radix[s->n] = above;
    digit[s->n] = rest;
    return true;
}

/* [sizes in descending order of strides] -> the layout's order, with its axes of size 1 and its repeated ones. */
static ir_ref to_layout(ir_graph *g, ir_ref x, const axes *s, const rt_layout *l) {
    int perm[IR_MAX_RANK];
    int64_t shape[IR_MAX_RANK];
    unsigned n = 0;
    for (unsigned i = 0; i < l->rank; i++) {
        shape[i] = 1;
        for (unsigned k = 0; k < s->n; k++) {
            if (s->a[k].from != i) continue;
            perm[n++] = (int)k;
            shape[i] = l->shape[i];
        }
    }
    return ir_expand(g, ir_reshape(g, ir_permute(g, x, perm, n), shape, l->rank), l->shape,
                     l->rank);
}

ir_ref rt_window(ir_graph *g, ir_ref base, const rt_layout *l, int64_t offset) {
    int64_t numel, radix[IR_MAX_RANK + 1], digit[IR_MAX_RANK + 1], count[IR_MAX_RANK + 1],
        step[IR_MAX_RANK + 1];
    if (!ir_numel(g, base, &numel)) return 0;
    if (l->contiguous && l->count == numel) return ir_reshape_dims(g, base, l->dims, l->rank);
    axes s = sorted_axes(l, offset);
    if (l->count == 0 || s.n >= IR_MAX_RANK || !digits(&s, numel, radix, digit))
        return ir_as_strided(g, base, l->shape, l->strides, l->rank, offset);
    for (unsigned k = 0; k <= s.n; k++) {
        count[k] = k < s.n ? s.a[k].size : 1;
        step[k] = k < s.n && s.a[k].reverse ? -1 : 1;
        if (step[k] < 0) digit[k] += count[k] - 1;
    }
    ir_ref x = ir_reshape(g, base, radix, s.n + 1);
    x = ir_slice_exact(g, x, digit, count, step);
    return to_layout(g, ir_reshape(g, x, count, s.n), &s, l);
}

/* ---- writing */

static bool overlaps(const axes *s, const rt_layout *l) {
    int64_t reach = 0;
    for (unsigned k = s->n; k-- > 0;) {
        if (s->a[k].stride <= reach) return true;
        reach += (s->a[k].size - 1) * s->a[k].stride;
    }
    for (unsigned i = 0; i < l->rank; i++)
        if (l->shape[i] > 1 && l->strides[i] == 0) return true;
    return false;
}

ir_ref rt_window_write(ir_graph *g, ir_ref base, ir_ref v, const rt_layout *l, int64_t offset) {
    int64_t numel;
    if (!base || !v || !ir_numel(g, base, &numel)) return 0;
    if (l->count == 0) return base;
    const ir_node *b = ir_at(g, base);
    ir_dim dims[IR_MAX_RANK];
    unsigned rank = b->rank;
    memcpy(dims, ir_dims(g, b), rank * sizeof *dims);
    if (l->contiguous && l->count == numel) return ir_reshape_dims(g, v, dims, rank);
    axes s = sorted_axes(l, offset);
    if (overlaps(&s, l))
        return ir_error(g, BZ_EARG, IR_AS_STRIDED,
                        "several elements of the tensor to be changed share one place");
    const ir_strided w = {l->rank, l->shape, l->strides, offset};
    ir_ref all = ir_const_bits(g, BZ_BOOL, 1, ir_dims(g, ir_at(g, v)), ir_at(g, v)->rank);
    ir_ref mask = ir_reshape_dims(g, ir_put_strided(g, all, &w, numel), dims, rank);
    ir_ref put = ir_reshape_dims(g, ir_put_strided(g, v, &w, numel), dims, rank);
    return ir_build3(g, IR_SELECT, mask, put, base);
}
