/* update.c - windows on the row-major elements of a tensor: read, written, moved by a number that is known at run time.
 *
 *     x: f32[4,6]                 as_strided {offset=7, strides=[12, 2]} : f32[2,3]            update x, y: the same places
 *     . . . . . .
 *     . 0 . 1 . 2                 element [i, j] of the window is element                      . . . . . .
 *     . . . . . .                 offset + at + 12 i + 2 j of x                                . y . y . y
 *     . 3 . 4 . 5
 */
#include "src/ir/structs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- where a window lies */

/* Lowest and highest element; false: some number is beyond 64 bits. */
static bool reach(const ir_strided *w, int64_t *lo, int64_t *hi) {
    bool over = false;
    *lo = *hi = w->offset;
    for (unsigned i = 0; i < w->rank; i++) {
        int64_t by = 0;
        over |= __builtin_mul_overflow(w->shape[i] - 1, w->strides[i], &by);
        over |= __builtin_add_overflow(by > 0 ? *hi : *lo, by, by > 0 ? hi : lo);
    }
    return !over;
}

static bool is_empty(const ir_strided *w) {
    for (unsigned i = 0; i < w->rank; i++)
        if (w->shape[i] == 0) return true;
    return false;
}

bool ir_window_inside(const ir_strided *w, int64_t numel, bool moves) {
    int64_t lo, hi, span;
    if (is_empty(w)) return true;
    if (!reach(w, &lo, &hi)) return false;
    if (moves) /* the room on either side is a number, too */
        return lo > IR_EX_MIN && hi < IR_EX_MAX && (span = hi - lo) < numel;
    return lo >= 0 && hi < numel;
}

static int by_stride(const void *p, const void *q) {
    const int64_t *a = p, *b = q;
    return (a[0] > b[0]) - (a[0] < b[0]);
}

bool ir_window_overlaps(const ir_strided *w) {
    int64_t axis[IR_MAX_RANK][2], reach_below = 0;
    unsigned n = 0;
    for (unsigned i = 0; i < w->rank; i++) {
        if (w->shape[i] == 0) return false;
        if (w->shape[i] == 1) continue;
        axis[n][0] = w->strides[i] < 0 ? -w->strides[i] : w->strides[i];
        axis[n++][1] = w->shape[i];
    }
    qsort(axis, n, sizeof *axis, by_stride);
    for (unsigned k = 0; k < n; k++) {
        if (axis[k][0] <= reach_below) return true;
        reach_below += (axis[k][1] - 1) * axis[k][0];
    }
    return false;
}

/* ---- of nodes */

static unsigned fixed_operands(const ir_graph *g, ir_ref r) {
    return ir_at(g, r)->op == IR_UPDATE ? 2 : 1;
}

ir_ref ir_window_at(const ir_graph *g, ir_ref r) {
    unsigned n = fixed_operands(g, r);
    return ir_at(g, r)->nin > n ? ir_operand(g, r, n) : 0;
}

ir_strided ir_window_of(const ir_graph *g, ir_ref r, int64_t *shape, int64_t *strides) {
    const ir_node *n = ir_at(g, r);
    ir_ref seen = n->op == IR_UPDATE ? ir_operand(g, r, 1) : r;
    unsigned rank = ir_at(g, seen)->rank;
    ir_static_shape(g, seen, shape);
    for (unsigned i = 0; i < rank; i++) strides[i] = shape[i] > 1 ? ir_attrs(g, n)[1 + i] : 0;
    return (ir_strided){rank, shape, strides, ir_attrs(g, n)[0]};
}

bool ir_window_room(const ir_graph *g, ir_ref r, int64_t *lo, int64_t *hi) {
    int64_t shape[IR_MAX_RANK], strides[IR_MAX_RANK], first, last, numel;
    ir_strided w = ir_window_of(g, r, shape, strides);
    *lo = *hi = 0;
    if (is_empty(&w) || !ir_numel(g, ir_operand(g, r, 0), &numel) || !reach(&w, &first, &last))
        return false;
    *lo = -first;
    *hi = numel - 1 - last;
    return *lo <= *hi;
}

/* ---- constructors */

typedef struct window {
    ir_op op;
    ir_ref x, at;
    ir_strided w;
    int64_t numel, attr[1 + IR_MAX_RANK];
} window;

/* A number that is known moves the offset here and now. */
static void take_number(const ir_graph *g, window *q) {
    ir_bits v;
    int64_t lo, hi;
    if (!q->at || !ir_const_value(g, q->at, &v)) return;
    int64_t by = ir_bits_to_i64(BZ_I64, v);
    if (!is_empty(&q->w) && reach(&q->w, &lo, &hi)) {
        by = by < -lo ? -lo : by;
        by = by > q->numel - 1 - hi ? q->numel - 1 - hi : by;
        q->attr[0] = q->w.offset += by;
    }
    q->at = 0;
}

/* False, with an error in g: there is no such window. */
static bool begin(ir_graph *g, window *q) {
    if (!q->x) return false;
    if (!ir_numel(g, q->x, &q->numel))
        return ir_error(g, BZ_EUNSUPPORTED, q->op, "needs a constant shape, got %s",
                        ir_shape_text(g, q->x)),
               false;
    if (q->at && (!ir_is_int(ir_dtype(g, q->at)) || ir_at(g, q->at)->rank))
        return ir_error(g, BZ_EDTYPE, q->op, "what moves a window must be one integer, got %s",
                        ir_shape_text(g, q->at)),
               false;
    if (q->at && !(q->at = ir_as_index(g, q->at))) return false;
    q->attr[0] = q->w.offset;
    for (unsigned i = 0; i < q->w.rank; i++) q->attr[1 + i] = q->w.strides[i];
    if (ir_window_inside(&q->w, q->numel, q->at != 0)) return take_number(g, q), true;
    return ir_error(g, BZ_EINDEX, q->op, "reaches outside the %" PRId64 " elements of %s", q->numel,
                    ir_shape_text(g, q->x)),
           false;
}

ir_ref ir_as_strided_at(ir_graph *g, ir_ref x, const ir_strided *w, ir_ref at) {
    window q = {IR_AS_STRIDED, x, at, *w, 0, {0}};
    ir_dim dims[IR_MAX_RANK] = {0};
    ir_bits v;
    if (!x || !ir_check_rank(g, IR_AS_STRIDED, w->rank) ||
        !ir_const_dims(g, w->shape, w->rank, dims) ||
        !ir_check_size(g, IR_AS_STRIDED, dims, w->rank) || !begin(g, &q))
        return 0;
    if (ir_const_value(g, x, &v)) return ir_const_bits(g, ir_dtype(g, x), v, dims, w->rank);
    return ir_append(g, IR_AS_STRIDED, ir_dtype(g, x), dims, w->rank, (ir_ref[]){x, q.at},
                     q.at ? 2 : 1, q.attr, 1 + w->rank);
}

ir_ref ir_as_strided(ir_graph *g, ir_ref x, const int64_t *shape, const int64_t *strides,
                     unsigned rank, int64_t offset) {
    return ir_as_strided_at(g, x, &(ir_strided){rank, shape, strides, offset}, 0);
}

/* Are the places all of x, one after the other? */
static bool is_whole(const window *q) {
    int64_t stride = 1;
    for (unsigned i = q->w.rank; i-- > 0; stride *= q->w.shape[i])
        if (q->w.shape[i] != 1 && q->w.strides[i] != stride) return false;
    return stride == q->numel && q->w.offset == 0 && !q->at;
}

ir_ref ir_update(ir_graph *g, ir_ref x, ir_ref y, const ir_strided *w, ir_ref at) {
    window q = {IR_UPDATE, x, at, *w, 0, {0}};
    int64_t shape[IR_MAX_RANK];
    ir_dim dims[IR_MAX_RANK];
    if (!x || !y || !ir_need_static(g, IR_UPDATE, y, shape)) return 0;
    unsigned rank = ir_at(g, x)->rank;
    if (ir_at(g, y)->rank != w->rank ||
        (w->rank && memcmp(shape, w->shape, w->rank * sizeof *shape)))
        return ir_error(g, BZ_ESHAPE, IR_UPDATE, "%s does not fit the window", ir_shape_text(g, y));
    if (!begin(g, &q)) return 0;
    if (ir_window_overlaps(w)) return ir_error(g, BZ_EARG, IR_UPDATE, IR_WINDOW_OVERLAPS);
    if (is_empty(w)) return x;
    y = ir_cast(g, y, ir_dtype(g, x));
    memcpy(dims, dims_of(g, x), rank * sizeof *dims);
    if (is_whole(&q)) return ir_reshape_dims(g, y, dims, rank);
    return y ? ir_append(g, IR_UPDATE, ir_dtype(g, x), dims, rank, (ir_ref[]){x, y, q.at},
                         q.at ? 3 : 2, q.attr, 1 + w->rank)
             : 0;
}

ir_ref ir_update_slice(ir_graph *g, ir_ref x, ir_ref y, const int64_t *start, const int64_t *step,
                       ir_ref at) {
    int64_t shape[IR_MAX_RANK], count[IR_MAX_RANK], strides[IR_MAX_RANK], offset = 0, stride = 1;
    if (!x || !y || !ir_need_static(g, IR_UPDATE, x, shape) ||
        !ir_need_static(g, IR_UPDATE, y, count))
        return 0;
    unsigned rank = ir_at(g, x)->rank;
    if (ir_at(g, y)->rank != rank)
        return ir_error(g, BZ_ESHAPE, IR_UPDATE, "%s has not the axes of %s", ir_shape_text(g, y),
                        ir_shape_text(g, x));
    for (unsigned i = rank; i-- > 0; stride *= shape[i]) {
        int64_t last = start[i], by = count[i] > 1 ? step[i] : 1;
        bool over = count[i] && (__builtin_mul_overflow(count[i] - 1, by, &last) ||
                                 __builtin_add_overflow(last, start[i], &last));
        if (count[i] && (over || by == 0 || start[i] < 0 || start[i] >= shape[i] || last < 0 ||
                         last >= shape[i]))
            return ir_error(g, BZ_EINDEX, IR_UPDATE, "%s does not fit axis %u of %s from %" PRId64,
                            ir_shape_text(g, y), i, ir_shape_text(g, x), start[i]);
        offset += count[i] ? start[i] * stride : 0;
        strides[i] = by * stride;
    }
    return ir_update(g, x, y, &(ir_strided){rank, count, strides, offset}, at);
}

/* ---- are the nodes right? */

/* A window of shape `seen` on the first operand, which operand number `at`, if there is one, moves. */
static bool check_window(const ck *c, const ir_node *seen, unsigned at, int64_t *shape) {
    if (c->n->nin < at || c->n->nin > at + 1)
        return ck_wrong(c, BZ_EARG, "takes %u or %u operands, not %u", at, at + 1, c->n->nin);
    if (!ck_attrs(c, 1u + seen->rank)) return false;
    if (c->n->nin > at && (ck_in(c, at)->dtype != BZ_I64 || ck_in(c, at)->rank))
        return ck_wrong(c, BZ_EDTYPE, "what is added to the offset must be one i64");
    int64_t numel;
    if (!ir_numel(c->g, ir_in(c->g, c->n)[0], &numel))
        return ck_wrong(c, BZ_ESHAPE, "the shape of the operand must be known");
    for (unsigned a = 0; a < seen->rank; a++)
        if (!ck_known(c, seen, a, &shape[a]))
            return ck_wrong(c, BZ_ESHAPE, "the size of axis %u must be known", a);
    const ir_strided w = {seen->rank, shape, c->attr + 1, c->attr[0]};
    return ir_window_inside(&w, numel, c->n->nin > at) ||
           ck_wrong(c, BZ_EINDEX, "it reaches outside the operand");
}

bool ck_as_strided(const ck *c) {
    int64_t shape[IR_MAX_RANK];
    return c->n->nin > 0 && ck_dtype(c, (bz_dtype)ck_in(c, 0)->dtype) &&
           check_window(c, c->n, 1, shape);
}

bool ck_update(const ck *c) {
    int64_t shape[IR_MAX_RANK];
    if (c->n->nin < 2) return ck_wrong(c, BZ_EARG, "takes 2 or 3 operands, not %u", c->n->nin);
    const ir_node *y = ck_in(c, 1);
    if (!ck_like(c, ck_in(c, 0)) || !ck_dtype(c, (bz_dtype)y->dtype) ||
        !check_window(c, y, 2, shape))
        return false;
    const ir_strided w = {y->rank, shape, c->attr + 1, c->attr[0]};
    return !ir_window_overlaps(&w) || ck_wrong(c, BZ_EARG, IR_WINDOW_OVERLAPS);
}

/* ---- values */

/* The offset of the window of an as_strided or update: what the last operand adds moves it, but not out of the tensor. */
static int64_t offset_of(const it_state *s, ir_ref r) {
    ir_ref at = ir_window_at(s->g, r);
    int64_t lo, hi, by = 0;
    if (at && ir_window_room(s->g, r, &lo, &hi)) {
        memcpy(&by, s->slot[at].a.data, sizeof by);
        by = by < lo ? lo : by > hi ? hi : by;
    }
    return it_attrs(s, r)[0] + by;
}

bool it_as_strided(it_state *s, ir_ref r) {
    return it_pick(s, r, it_attrs(s, r) + 1, offset_of(s, r));
}

bool it_update(it_state *s, ir_ref r) {
    it_reshape(s, r);
    it_place(it_operand(s, r, 1), &s->slot[r].a, it_attrs(s, r) + 1, offset_of(s, r));
    return true;
}
