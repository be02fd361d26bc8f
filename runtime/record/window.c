/* window.c - a window on the elements of a storage, read and written as movement ops.
 *
 *   read:   base [N] --reshape--> digits [N/s0, s0/s1, ... sk] --slice--> --permute--> --expand-->      (else as_strided)
 *   write:  update base, v
 *
 * s0 > s1 > ... are the strides, in descending order. A window that is written, and read for it, may have its offset in a node: a loop
 * over windows then records the same form in every turn. */
#include "runtime/record/record.h"

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

static ir_strided strided(const rt_layout *l, int64_t offset) {
    return (ir_strided){l->rank, l->shape, l->strides, offset};
}

ir_ref rt_window_at(ir_graph *g, ir_ref base, const rt_layout *l, ir_ref at) {
    const ir_strided w = strided(l, 0);
    return ir_as_strided_at(g, base, &w, at);
}

ir_ref rt_window_write(ir_graph *g, ir_ref base, ir_ref v, const rt_layout *l, int64_t offset,
                       ir_ref at) {
    if (!base || !v) return 0;
    const ir_strided w = strided(l, at ? 0 : offset);
    return ir_update(g, base, v, &w, at);
}
