/* slice.c - every step-th element of each axis: Python's slices. */
#include "src/ir/structs.h"

#include <inttypes.h>

ir_ref ir_slice_exact(ir_graph *g, ir_ref x, const int64_t *start, const int64_t *count,
                      const int64_t *step) {
    int64_t shape[IR_MAX_RANK], attr[2 * IR_MAX_RANK];
    ir_dim dims[IR_MAX_RANK];
    if (!x || !ir_need_static(g, IR_SLICE, x, shape)) return 0;
    const ir_node n = *ir_at(g, x);
    bool whole = true;
    for (unsigned i = 0; i < n.rank; i++) {
        int64_t last = 0;
        bool far = count[i] > 0 && (__builtin_mul_overflow(count[i] - 1, step[i], &last) ||
                                    __builtin_add_overflow(start[i], last, &last));
        if (step[i] == 0 || count[i] < 0 || far ||
            (count[i] && (start[i] < 0 || start[i] >= shape[i] || last < 0 || last >= shape[i])))
            return ir_error(g, BZ_EINDEX, IR_SLICE,
                            "axis %u: start %" PRId64 ", %" PRId64 " elements, step %" PRId64
                            " lie outside %s",
                            i, start[i], count[i], step[i], ir_shape_text(g, x));
        attr[2 * i] = count[i] ? start[i] : 0;
        attr[2 * i + 1] = count[i] > 1 ? step[i] : 1;
        whole &= count[i] == shape[i] && (count[i] <= 1 || step[i] == 1);
    }
    if (whole) return x;
    if (!ir_const_dims(g, count, n.rank, dims)) return 0;
    if (ir_skips(g, x, IR_SLICE)) { /* a slice of a slice */
        const int64_t *in = ir_attrs(g, &n);
        for (unsigned i = 0; i < n.rank; i++) {
            if (count[i]) attr[2 * i] = in[2 * i] + attr[2 * i] * in[2 * i + 1];
            if (count[i] > 1) attr[2 * i + 1] *= in[2 * i + 1];
        }
        x = ir_operand(g, x, 0);
        whole = ir_same_dims(g, x, dims, n.rank);
        for (unsigned i = 0; i < n.rank; i++) whole &= attr[2 * i] == 0 && attr[2 * i + 1] == 1;
        if (whole) return x;
    }
    ir_ref c = ir_moved_const(g, x, dims, n.rank);
    return c ? c
             : ir_append(g, IR_SLICE, (bz_dtype)n.dtype, dims, n.rank, &x, 1, attr, 2u * n.rank);
}

int64_t ir_clip_slice(int64_t size, int64_t *start, int64_t stop, int64_t step) {
    int64_t lo = step > 0 ? 0 : -1, hi = step > 0 ? size : size - 1;
    int64_t a = *start < 0 ? *start + size : *start, b = stop < 0 ? stop + size : stop;
    a = a < lo ? lo : a > hi ? hi : a;
    b = b < lo ? lo : b > hi ? hi : b;
    int64_t span = step > 0 ? b - a : a - b;
    uint64_t stride = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
    *start = a;
    return span > 0 ? (int64_t)((uint64_t)(span - 1) / stride) + 1 : 0;
}

ir_ref ir_slice(ir_graph *g, ir_ref x, const int64_t *start, const int64_t *stop,
                const int64_t *step) {
    int64_t shape[IR_MAX_RANK], from[IR_MAX_RANK], count[IR_MAX_RANK], by[IR_MAX_RANK];
    if (!x || !ir_need_static(g, IR_SLICE, x, shape)) return 0;
    for (unsigned i = 0; i < ir_at(g, x)->rank; i++) {
        by[i] = step ? step[i] : 1;
        if (by[i] == 0)
            return ir_error(g, BZ_EARG, IR_SLICE, "step of axis %u is %" PRId64, i, by[i]);
        from[i] = start[i];
        count[i] = ir_clip_slice(shape[i], &from[i], stop[i], by[i]);
    }
    return ir_slice_exact(g, x, from, count, by);
}

bool ck_slice(const ck *c) {
    const ir_node *x = ck_in(c, 0);
    if (!ck_dtype(c, (bz_dtype)x->dtype) || !ck_rank(c, x->rank) || !ck_attrs(c, 2u * x->rank))
        return false;
    for (unsigned a = 0; a < x->rank; a++) {
        int64_t size, count, start = c->attr[2 * a], step = c->attr[2 * a + 1], last;
        if (!ck_known(c, x, a, &size) || !ck_known(c, c->n, a, &count))
            return ck_wrong(c, BZ_ESHAPE, "the size of axis %u must be known", a);
        bool over = step == 0 || __builtin_mul_overflow(count - 1, step, &last) ||
                    __builtin_add_overflow(last, start, &last);
        if (step == 0 ||
            (count > 0 && (over || start < 0 || start >= size || last < 0 || last >= size)))
            return ck_wrong(c, BZ_EINDEX, "axis %u reaches outside", a);
    }
    return true;
}

bool it_slice(it_state *s, ir_ref r) {
    const it_array *x = it_operand(s, r, 0);
    const int64_t *a = it_attrs(s, r);
    int64_t strides[IR_MAX_RANK], offset = 0;
    it_strides(x, strides);
    for (unsigned i = 0; i < x->rank; i++) {
        offset += a[2 * i] * strides[i];
        if (s->slot[r].a.shape[i] > 1) strides[i] *= a[2 * i + 1];
    }
    return it_pick(s, r, strides, offset);
}
