/* api_move.c - the public movement builders. A view is checked by the constructor, which also gives its value as a node; here its
 * strides are worked out. */
#include "runtime/record/record.h"

#include <string.h>

typedef struct view {
    rt_rec r;
    const rt_layout *l; /* of the operand */
    int64_t offset;
    /* of the result: strides are filled in here, the shape from the node */
    int64_t shape[IR_MAX_RANK], strides[IR_MAX_RANK];
} view;

static void look_at(view *v, bz_tensor *x) {
    bz_context *c;
    const rt_tensor *t = rt_find_quietly(x, &c);
    v->l = t->layout;
    v->offset = t->offset;
    memcpy(v->strides, t->layout->strides, t->layout->rank * sizeof *v->strides);
}

static bool begin(view *v, const char *op, bz_tensor *x, const char *site) {
    if (!rt_begin(&v->r, op, site, &x, 1, 0, BZ_NDTYPES)) return false;
    look_at(v, x);
    return true;
}

static bz_tensor *end(view *v, bz_tensor *x, ir_ref node) {
    if (!node || !ir_static_shape(v->r.g, node, v->shape)) return rt_end(&v->r, 0);
    return rt_end_view(&v->r, x, v->shape, v->strides, ir_at(v->r.g, node)->rank, v->offset, node);
}

/* An axis that the constructor has accepted, from 0. */
static unsigned axis(const view *v, int a, unsigned more) {
    return (unsigned)(a < 0 ? a + (int)(v->l->rank + more) : a);
}

static ir_ref bad_rank(view *v, ir_op op, int rank) {
    if (rank > 0 && rank <= IR_MAX_RANK)
        return ir_error(v->r.g, BZ_EARG, op, "no list of %d numbers: it is NULL", rank);
    return ir_error(v->r.g, BZ_ESHAPE, op, "%d dimensions; 0 to %d are possible", rank,
                    IR_MAX_RANK);
}

/* Are there `rank` numbers, as many as a shape can have? */
static bool rank_fits(const void *list, int rank) {
    return rank >= 0 && rank <= IR_MAX_RANK && (list || !rank);
}

/* ---- views */

static bz_tensor *reshaped(view *v, bz_tensor *x, ir_ref node) {
    if (!node || !ir_static_shape(v->r.g, node, v->shape)) return rt_end(&v->r, 0);
    if (!rt_reshape_strides(v->l, v->shape, ir_at(v->r.g, node)->rank, v->strides))
        return rt_end(&v->r, node);
    return end(v, x, node);
}

bz_tensor *bz_reshape_at(bz_tensor *x, const int64_t *shape, int rank, const char *site) {
    view v;
    if (!begin(&v, "reshape", x, site)) return rt_end(&v.r, 0);
    return reshaped(&v, x,
                    rank_fits(shape, rank) ? ir_reshape(v.r.g, v.r.x[0], shape, (unsigned)rank)
                                           : bad_rank(&v, IR_RESHAPE, rank));
}

bz_tensor *bz_flatten_at(bz_tensor *x, int from, int to, const char *site) {
    view v;
    if (!begin(&v, "flatten", x, site)) return rt_end(&v.r, 0);
    return reshaped(&v, x, ir_flatten(v.r.g, v.r.x[0], from, to));
}

/* A reshape that never copies. */
static bz_tensor *viewed(view *v, bz_tensor *x, ir_ref node) {
    int64_t strides[IR_MAX_RANK];
    if (node && ir_static_shape(v->r.g, node, v->shape) &&
        !rt_reshape_strides(v->l, v->shape, ir_at(v->r.g, node)->rank, strides)) {
        char text[8 * IR_MAX_RANK];
        int n = 0;
        text[0] = 0;
        for (unsigned i = 0; i < v->l->rank && n < (int)sizeof text - 24; i++)
            n += bz_snprintf(text + n, sizeof text - (size_t)n, "%s%lld", i ? "," : "",
                             (long long)v->l->strides[i]);
        node = ir_error(v->r.g, BZ_ESHAPE, IR_RESHAPE,
                        "no strides show %s, which has the strides (%s), as %s without a copy: use "
                        "reshape",
                        ir_shape_text(v->r.g, v->r.x[0]), text, ir_shape_text(v->r.g, node));
    }
    return reshaped(v, x, node);
}

bz_tensor *bz_view_at(bz_tensor *x, const int64_t *shape, int rank, const char *site) {
    view v;
    if (!begin(&v, "view", x, site)) return rt_end(&v.r, 0);
    return viewed(&v, x,
                  rank_fits(shape, rank) ? ir_reshape(v.r.g, v.r.x[0], shape, (unsigned)rank)
                                         : bad_rank(&v, IR_RESHAPE, rank));
}

bz_tensor *bz_view_as_at(bz_tensor *x, bz_tensor *other, const char *site) {
    view v;
    if (!rt_begin(&v.r, "view_as", site, (bz_tensor *[]){x, other}, 2, 0, BZ_NDTYPES))
        return rt_end(&v.r, 0);
    look_at(&v, x);
    return viewed(&v, x, ir_reshape_as(v.r.g, v.r.x[0], v.r.x[1]));
}

bz_tensor *bz_contiguous_at(bz_tensor *x, const char *site) {
    view v;
    if (!begin(&v, "contiguous", x, site)) return rt_end(&v.r, 0);
    return v.l->contiguous ? rt_end_moved(&v.r, &x, 1, v.r.x[0]) : rt_end(&v.r, v.r.x[0]);
}

bz_tensor *bz_permute_at(bz_tensor *x, const int *perm, int n, const char *site) {
    view v;
    if (!begin(&v, "permute", x, site)) return rt_end(&v.r, 0);
    ir_ref node = rank_fits(perm, n) ? ir_permute(v.r.g, v.r.x[0], perm, (unsigned)n)
                                     : bad_rank(&v, IR_PERMUTE, n);
    for (int i = 0; node && i < n; i++) v.strides[i] = v.l->strides[axis(&v, perm[i], 0)];
    return end(&v, x, node);
}

bz_tensor *bz_transpose_at(bz_tensor *x, int a, int b, const char *site) {
    view v;
    if (!begin(&v, "transpose", x, site)) return rt_end(&v.r, 0);
    ir_ref node = ir_transpose(v.r.g, v.r.x[0], a, b);
    if (node && v.l->rank) {
        v.strides[axis(&v, a, 0)] = v.l->strides[axis(&v, b, 0)];
        v.strides[axis(&v, b, 0)] = v.l->strides[axis(&v, a, 0)];
    }
    return end(&v, x, node);
}

static bz_tensor *expanded(bz_tensor *x, const int64_t *shape, int rank, const char *op,
                           const char *site) {
    view v;
    if (!begin(&v, op, x, site)) return rt_end(&v.r, 0);
    return rt_end_moved(&v.r, &x, 1,
                        rank_fits(shape, rank)
                            ? ir_expand(v.r.g, v.r.x[0], shape, (unsigned)rank)
                            : bad_rank(&v, IR_EXPAND, rank));
}

bz_tensor *bz_expand_at(bz_tensor *x, const int64_t *shape, int rank, const char *site) {
    return expanded(x, shape, rank, "expand", site);
}

bz_tensor *bz_broadcast_to_at(bz_tensor *x, const int64_t *shape, int rank, const char *site) {
    return expanded(x, shape, rank, "broadcast_to", site);
}

bz_tensor *bz_slice_at(bz_tensor *x, const int64_t *start, const int64_t *stop, const int64_t *step,
                       int n, const char *site) {
    view v;
    int64_t from[IR_MAX_RANK], to[IR_MAX_RANK], by[IR_MAX_RANK], count;
    if (!begin(&v, "slice", x, site)) return rt_end(&v.r, 0);
    if (n < 0 || n > (int)v.l->rank)
        return rt_end(&v.r, ir_error(v.r.g, BZ_EAXIS, IR_SLICE, "%d axes of %s", n,
                                     ir_shape_text(v.r.g, v.r.x[0])));
    if (!rank_fits(start, n) || !rank_fits(stop, n)) return rt_end(&v.r, bad_rank(&v, IR_SLICE, n));
    for (int i = 0; i < (int)v.l->rank; i++) {
        by[i] = i < n && step ? step[i] : 1;
        int64_t a = i < n ? start[i] : BZ_OPEN, b = i < n ? stop[i] : BZ_OPEN;
        from[i] = a == BZ_OPEN ? IR_OPEN_START(by[i]) : a;
        to[i] = b == BZ_OPEN ? IR_OPEN_STOP(by[i]) : b;
    }
    ir_ref node = ir_slice(v.r.g, v.r.x[0], from, to, by);
    for (unsigned i = 0; node && i < v.l->rank; i++) {
        count = ir_clip_slice(v.l->shape[i], &from[i], to[i], by[i]);
        if (count) v.offset += from[i] * v.l->strides[i];
        if (count > 1) v.strides[i] = v.l->strides[i] * by[i];
    }
    if (node && ir_numel(v.r.g, node, &count) && count == 0) return rt_end(&v.r, node);
    return end(&v, x, node);
}

bz_tensor *bz_select_at(bz_tensor *x, int a, int64_t index, const char *site) {
    view v;
    if (!begin(&v, "select", x, site)) return rt_end(&v.r, 0);
    ir_ref node = ir_select(v.r.g, v.r.x[0], a, index);
    if (node) {
        unsigned at = axis(&v, a, 0);
        v.offset += (index < 0 ? index + v.l->shape[at] : index) * v.l->strides[at];
        memmove(v.strides + at, v.l->strides + at + 1, (v.l->rank - at - 1) * sizeof *v.strides);
    }
    return end(&v, x, node);
}

bz_tensor *bz_narrow_at(bz_tensor *x, int a, int64_t start, int64_t length, const char *site) {
    view v;
    int64_t count;
    if (!begin(&v, "narrow", x, site)) return rt_end(&v.r, 0);
    ir_ref node = ir_narrow(v.r.g, v.r.x[0], a, start, length);
    if (node && ir_numel(v.r.g, node, &count) && count == 0) return rt_end(&v.r, node);
    if (node) {
        unsigned at = axis(&v, a, 0);
        v.offset += (start < 0 ? start + v.l->shape[at] : start) * v.l->strides[at];
    }
    return end(&v, x, node);
}

bz_tensor *bz_squeeze_at(bz_tensor *x, int a, const char *site) {
    view v;
    if (!begin(&v, "squeeze", x, site)) return rt_end(&v.r, 0);
    ir_ref node = ir_squeeze(v.r.g, v.r.x[0], a);
    if (node && ir_at(v.r.g, node)->rank < v.l->rank) {
        unsigned at = axis(&v, a, 0);
        memmove(v.strides + at, v.l->strides + at + 1, (v.l->rank - at - 1) * sizeof *v.strides);
    }
    return end(&v, x, node);
}

bz_tensor *bz_unsqueeze_at(bz_tensor *x, int a, const char *site) {
    view v;
    if (!begin(&v, "unsqueeze", x, site)) return rt_end(&v.r, 0);
    ir_ref node = ir_unsqueeze(v.r.g, v.r.x[0], a);
    if (node) {
        unsigned at = axis(&v, a, 1);
        memcpy(v.strides + at + 1, v.l->strides + at, (v.l->rank - at) * sizeof *v.strides);
        v.strides[at] = at < v.l->rank ? v.l->strides[at] * v.l->shape[at] : 1;
    }
    return end(&v, x, node);
}

bz_tensor *bz_diagonal_at(bz_tensor *x, int64_t offset, int a, int b, const char *site) {
    view v;
    int64_t count;
    if (!begin(&v, "diagonal", x, site)) return rt_end(&v.r, 0);
    ir_ref node = ir_diagonal(v.r.g, v.r.x[0], offset, a, b);
    if (!node || (ir_numel(v.r.g, node, &count) && count == 0)) return rt_end(&v.r, node);
    unsigned p = axis(&v, a, 0), q = axis(&v, b, 0), n = 0;
    for (unsigned i = 0; i < v.l->rank; i++)
        if (i != p && i != q) v.strides[n++] = v.l->strides[i];
    v.strides[n] = v.l->strides[p] + v.l->strides[q];
    v.offset += offset > 0 ? offset * v.l->strides[q] : -offset * v.l->strides[p];
    return end(&v, x, node);
}

bz_tensor *bz_as_strided_at(bz_tensor *x, const int64_t *shape, const int64_t *strides, int rank,
                            int64_t offset, const char *site) {
    view v;
    if (!begin(&v, "as_strided", x, site)) return rt_end(&v.r, 0);
    ir_ref node = rank_fits(shape, rank) && rank_fits(strides, rank)
                      ? ir_as_strided(v.r.g, v.r.x[0], shape, strides, (unsigned)rank, offset)
                      : bad_rank(&v, IR_AS_STRIDED, rank);
    int64_t count;
    if (!node || (ir_numel(v.r.g, node, &count) && count == 0)) return rt_end(&v.r, node);
    if (!rt_window_strides(v.l, shape, strides, (unsigned)rank, &offset, v.strides))
        return rt_end(&v.r, node);
    v.offset += offset;
    return end(&v, x, node);
}

/* ---- new tensors */

bz_tensor *bz_pad_at(bz_tensor *x, const int64_t *lo, const int64_t *hi, int n, double value,
                     const char *site) {
    view v;
    if (!begin(&v, "pad", x, site)) return rt_end(&v.r, 0);
    if (n != (int)v.l->rank)
        return rt_end(&v.r, ir_error(v.r.g, BZ_EAXIS, IR_PAD, "borders for %d axes of %s", n,
                                     ir_shape_text(v.r.g, v.r.x[0])));
    if (!rank_fits(lo, n) || !rank_fits(hi, n)) return rt_end(&v.r, bad_rank(&v, IR_PAD, n));
    ir_bits border = ir_bits_from_number(ir_dtype(v.r.g, v.r.x[0]), ir_number_of_double(value));
    return rt_end(&v.r, ir_pad(v.r.g, v.r.x[0], lo, hi, border));
}

bz_tensor *bz_concat_at(bz_tensor *const *x, int n, int a, const char *site) {
    rt_rec r;
    if (n <= 0 || !x) return NULL;
    bool ready = rt_begin(&r, "concat", site, x, (unsigned)n, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_concat(r.g, r.x, (unsigned)n, a) : 0);
}

bz_tensor *bz_index_put_at(bz_tensor *x, bz_tensor *values, bz_tensor *const *index, int n,
                           bool accumulate, const char *site) {
    rt_rec r;
    ir_ref made = 0;
    bz_tensor *all[2 + IR_MAX_RANK + 1] = {x, values};
    const int most = IR_MAX_RANK + 1; /* too many are an error of the op */
    n = n < 0 || !index ? 0 : n > most ? most : n;
    if (n) memcpy(all + 2, index, (size_t)n * sizeof *all);
    if (rt_begin(&r, "index_put", site, all, (unsigned)n + 2, 0, BZ_NDTYPES))
        made = ir_index_put(r.g, r.x[0], r.x[1], r.x + 2, (unsigned)n, accumulate);
    return rt_end(&r, made);
}

bz_tensor *bz_stack_at(bz_tensor *const *x, int n, int a, const char *site) {
    rt_rec r;
    if (n <= 0 || !x) return NULL;
    bool ready = rt_begin(&r, "stack", site, x, (unsigned)n, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_stack(r.g, r.x, (unsigned)n, a) : 0);
}
