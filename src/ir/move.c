/* move.c - movement constructors: check, infer the shape, fold what is free, append.
 *
 * Folds here are those that never cost anything: a movement that moves nothing, a movement of a movement of the same kind,
 * movements of a constant that is one value everywhere. The rest belongs to passes. */
#include "src/ir/build.h"

#include <inttypes.h>
#include <string.h>

/* May a node on x skip x, which is of this op, and take x's operand? */
static bool skips(const ir_graph *g, ir_ref x, ir_op op) {
    const ir_node *n = ir_at(g, x);
    return n->op == op && !(n->flags & IR_IS_OWN);
}

/* Movement of a splat constant is the constant in the new shape. */
static ir_ref moved_const(ir_graph *g, ir_ref x, const ir_dim *dims, unsigned rank) {
    ir_bits v;
    return ir_const_value(g, x, &v) ? ir_const_bits(g, ir_dtype(g, x), v, dims, rank) : 0;
}

static bool same_dims(const ir_graph *g, ir_ref x, const ir_dim *dims, unsigned rank) {
    return ir_at(g, x)->rank == rank &&
           (rank == 0 || !memcmp(dims_of(g, x), dims, rank * sizeof *dims));
}

static ir_dim numel_expr(ir_graph *g, const ir_dim *dims, unsigned rank) {
    ir_dim n = ir_dim_const(g, 1);
    for (unsigned i = 0; i < rank; i++) n = ir_ex_mul(&g->m->ex, n, dims[i]);
    return n;
}

ir_ref ir_reshape_dims(ir_graph *g, ir_ref x, const ir_dim *want, unsigned rank) {
    ir_dim dims[IR_MAX_RANK], own[IR_MAX_RANK];
    if (!x || !ir_check_rank(g, IR_RESHAPE, rank)) return 0;
    memcpy(dims, want, rank * sizeof *dims);
    if (!ir_check_size(g, IR_RESHAPE, dims, rank)) return 0;
    unsigned from = ir_at(g, x)->rank;
    memcpy(own, dims_of(g, x), from * sizeof *own);
    if (numel_expr(g, own, from) != numel_expr(g, dims, rank)) {
        bz_text t = {0};
        for (unsigned i = 0; i < rank; i++) {
            bz_text_str(&t, i ? "," : "");
            ir_ex_print(&t, &g->m->ex, dims[i]);
        }
        ir_error(g, BZ_ESHAPE, IR_RESHAPE, "%s does not have as many elements as [%s]",
                 ir_shape_text(g, x), bz_text_c(&t));
        bz_text_free(&t);
        return 0;
    }
    if (skips(g, x, IR_RESHAPE)) x = ir_operand(g, x, 0);
    if (same_dims(g, x, dims, rank)) return x;
    ir_ref c = moved_const(g, x, dims, rank);
    return c ? c : ir_append(g, IR_RESHAPE, ir_dtype(g, x), dims, rank, &x, 1, NULL, 0);
}

ir_ref ir_reshape(ir_graph *g, ir_ref x, const int64_t *shape, unsigned rank) {
    ir_dim dims[IR_MAX_RANK];
    int hole = -1;
    if (!x || !ir_check_rank(g, IR_RESHAPE, rank)) return 0;
    for (unsigned i = 0; i < rank; i++) {
        if (shape[i] == -1 && hole >= 0)
            return ir_error(g, BZ_ESHAPE, IR_RESHAPE, "only one dimension can be -1");
        if (shape[i] < -1)
            return ir_error(g, BZ_ESHAPE, IR_RESHAPE, "dimension %u is negative (%" PRId64 ")", i,
                            shape[i]);
        hole = shape[i] == -1 ? (int)i : hole;
        if (!(dims[i] = ir_dim_const(g, shape[i] == -1 ? 1 : shape[i])))
            return ir_error(g, BZ_ESHAPE, IR_RESHAPE, "dimension %u is too large", i);
    }
    if (hole >= 0) {
        ir_dim own[IR_MAX_RANK];
        unsigned from = ir_at(g, x)->rank;
        memcpy(own, dims_of(g, x), from * sizeof *own);
        ir_dim all = numel_expr(g, own, from), rest = numel_expr(g, dims, rank);
        int64_t r, a;
        if (ir_dim_value(g, rest, &r) && (r == 0 || (ir_dim_value(g, all, &a) && a % r)))
            return ir_error(g, BZ_ESHAPE, IR_RESHAPE, "%s cannot fill the dimension that is -1",
                            ir_shape_text(g, x));
        dims[hole] = ir_ex_div(&g->m->ex, all, rest);
    }
    return ir_reshape_dims(g, x, dims, rank);
}

ir_ref ir_permute(ir_graph *g, ir_ref x, const int *perm, unsigned n) {
    if (!x) return 0;
    unsigned rank = ir_at(g, x)->rank;
    if (n != rank)
        return ir_error(g, BZ_EAXIS, IR_PERMUTE, "%u axes given for %s", n, ir_shape_text(g, x));
    int64_t p[IR_MAX_RANK];
    ir_dim dims[IR_MAX_RANK];
    uint64_t seen = 0;
    bool identity = true;
    ir_ref inner = skips(g, x, IR_PERMUTE) ? x : 0;
    for (unsigned i = 0; i < rank; i++) {
        int a = ir_front_axis(g, IR_PERMUTE, x, perm[i], rank);
        if (a < 0) return 0;
        if (seen >> a & 1)
            return ir_error(g, BZ_EAXIS, IR_PERMUTE, "axis %d is given twice", perm[i]);
        seen |= UINT64_C(1) << a;
        dims[i] = dims_of(g, x)[a];
        p[i] = inner ? ir_attrs(g, ir_at(g, inner))[a] : a;
        identity &= p[i] == (int64_t)i;
    }
    if (inner) x = ir_operand(g, inner, 0);
    if (identity) return x;
    ir_ref c = moved_const(g, x, dims, rank);
    return c ? c : ir_append(g, IR_PERMUTE, ir_dtype(g, x), dims, rank, &x, 1, p, rank);
}

ir_ref ir_expand_dims_like(ir_graph *g, ir_ref x, const ir_dim *want, unsigned rank) {
    ir_dim dims[IR_MAX_RANK], mid[IR_MAX_RANK], one = ir_dim_const(g, 1);
    if (!x || !ir_check_rank(g, IR_EXPAND, rank)) return 0;
    memcpy(dims, want, rank * sizeof *dims);
    unsigned own = ir_at(g, x)->rank;
    if (own > rank)
        return ir_error(g, BZ_ESHAPE, IR_EXPAND, "%s has %u axes, more than the %u to fill",
                        ir_shape_text(g, x), own, rank);
    for (unsigned i = 0; i < rank; i++) {
        mid[i] = i < rank - own ? one : dims_of(g, x)[i - (rank - own)];
        if (mid[i] != dims[i] && mid[i] != one) {
            bz_text t = {0};
            ir_ex_print(&t, &g->m->ex, dims[i]);
            ir_error(g, BZ_ESHAPE, IR_EXPAND, "%s does not broadcast to size %s at axis %u",
                     ir_shape_text(g, x), bz_text_c(&t), i);
            bz_text_free(&t);
            return 0;
        }
    }
    if (!ir_check_size(g, IR_EXPAND, dims, rank)) return 0;
    ir_ref c = moved_const(g, x, dims, rank);
    if (c) return c;
    if (own != rank && !(x = ir_reshape_dims(g, x, mid, rank))) return 0;
    if (same_dims(g, x, dims, rank)) return x;
    if (skips(g, x, IR_EXPAND)) x = ir_operand(g, x, 0);
    return ir_append(g, IR_EXPAND, ir_dtype(g, x), dims, rank, &x, 1, NULL, 0);
}

ir_ref ir_expand(ir_graph *g, ir_ref x, const int64_t *shape, unsigned rank) {
    ir_dim dims[IR_MAX_RANK];
    if (!x || !ir_check_rank(g, IR_EXPAND, rank)) return 0;
    unsigned own = ir_at(g, x)->rank;
    for (unsigned i = 0; i < rank; i++) {
        bool keep = shape[i] == -1 && i + own >= rank;
        dims[i] = keep ? dims_of(g, x)[i + own - rank] : ir_dim_const(g, shape[i]);
    }
    return ir_check_size(g, IR_EXPAND, dims, rank) ? ir_expand_dims_like(g, x, dims, rank) : 0;
}

ir_ref ir_pad(ir_graph *g, ir_ref x, const int64_t *lo, const int64_t *hi, ir_bits value) {
    if (!x) return 0;
    const ir_node n = *ir_at(g, x);
    int64_t attr[1 + 2 * IR_MAX_RANK];
    ir_dim dims[IR_MAX_RANK];
    bool any = false;
    attr[0] = (int64_t)value;
    for (unsigned i = 0; i < n.rank; i++) {
        if (lo[i] < 0 || hi[i] < 0)
            return ir_error(g, BZ_EARG, IR_PAD, "padding of axis %u is negative; use slice", i);
        attr[1 + 2 * i] = lo[i];
        attr[2 + 2 * i] = hi[i];
        any |= lo[i] || hi[i];
        dims[i] = ir_ex_addc(&g->m->ex, ir_ex_addc(&g->m->ex, dims_of(g, x)[i], lo[i]), hi[i]);
    }
    if (!any) return x;
    if (!ir_check_size(g, IR_PAD, dims, n.rank)) return 0;
    ir_bits v;
    if (ir_const_value(g, x, &v) && v == value)
        return ir_const_bits(g, (bz_dtype)n.dtype, v, dims, n.rank);
    return ir_append(g, IR_PAD, (bz_dtype)n.dtype, dims, n.rank, &x, 1, attr, 1 + 2u * n.rank);
}

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
    if (skips(g, x, IR_SLICE)) { /* a slice of a slice */
        const int64_t *in = ir_attrs(g, &n);
        for (unsigned i = 0; i < n.rank; i++) {
            attr[2 * i] = in[2 * i] + attr[2 * i] * in[2 * i + 1];
            attr[2 * i + 1] *= in[2 * i + 1];
        }
        x = ir_operand(g, x, 0);
        whole = same_dims(g, x, dims, n.rank);
        for (unsigned i = 0; i < n.rank; i++) whole &= attr[2 * i] == 0 && attr[2 * i + 1] == 1;
        if (whole) return x;
    }
    ir_ref c = moved_const(g, x, dims, n.rank);
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

ir_ref ir_concat(ir_graph *g, const ir_ref *given, unsigned n, int axis) {
    if (n == 0) return ir_error(g, BZ_EARG, IR_CONCAT, "nothing to concatenate");
    if (given[0] && ir_at(g, given[0])->rank == 0)
        return ir_error(g, BZ_ESHAPE, IR_CONCAT,
                        "0-d tensors have no axis to follow one another along"
                        "; reshape them to [1], or stack them");
    ir_ref *x = bz_arena_copy(&g->arena, given, n * sizeof *x);
    if (!x) return ir_error(g, BZ_ENOMEM, IR_CONCAT, "out of memory");
    bz_dtype t = BZ_BOOL;
    for (unsigned i = 0; i < n; i++) {
        if (!x[i]) return 0;
        t = i ? ir_promote(t, ir_dtype(g, x[i])) : ir_dtype(g, x[i]);
    }
    unsigned rank = ir_at(g, x[0])->rank;
    int a = ir_front_axis(g, IR_CONCAT, x[0], axis, rank);
    if (a < 0) return 0;
    ir_dim dims[IR_MAX_RANK];
    memcpy(dims, dims_of(g, x[0]), rank * sizeof *dims);
    dims[a] = ir_dim_const(g, 0);
    for (unsigned i = 0; i < n; i++) {
        bool fits = ir_at(g, x[i])->rank == rank;
        for (unsigned d = 0; fits && d < rank; d++)
            fits = (int)d == a || dims_of(g, x[i])[d] == dims[d];
        if (!fits)
            return ir_error(g, BZ_ESHAPE, IR_CONCAT, "%s does not fit %s along axis %d",
                            ir_shape_text(g, x[i]), ir_shape_text(g, x[0]), a);
        dims[a] = ir_ex_add(&g->m->ex, dims[a], dims_of(g, x[i])[a]);
        x[i] = ir_cast(g, x[i], t);
    }
    int64_t attr = a;
    if (!ir_check_size(g, IR_CONCAT, dims, rank)) return 0;
    return n == 1 ? x[0] : ir_append(g, IR_CONCAT, t, dims, rank, x, n, &attr, 1);
}

ir_ref ir_copy(ir_graph *g, ir_ref x) {
    if (!x) return 0;
    ir_dim dims[IR_MAX_RANK];
    unsigned rank = ir_at(g, x)->rank;
    memcpy(dims, dims_of(g, x), rank * sizeof *dims);
    return ir_append(g, IR_COPY, ir_dtype(g, x), dims, rank, &x, 1, NULL, 0);
}
