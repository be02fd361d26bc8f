/* build.c - structural constructors: check, infer the shape, fold what is free, append.
 *
 * Folds here are those that never cost anything: a movement that moves nothing, a movement of a movement of the same kind,
 * movements of a constant that is one value everywhere. The rest belongs to passes. */
#include "src/ir/ir.h"

#include <inttypes.h>
#include <string.h>

/* ---- small helpers */

static const ir_dim *dims_of(const ir_graph *g, ir_ref r)
{
    return ir_dims(g, ir_at(g, r));
}

static bool const_dims(ir_graph *g, const int64_t *shape, unsigned rank, ir_dim *out)
{
    for (unsigned i = 0; i < rank; i++)
        if (!(out[i] = ir_dim_const(g, shape[i])))
            return false;
    return true;
}

/* The shape as numbers, or an error: ops that need to know it say so. */
static bool need_static(ir_graph *g, ir_op op, ir_ref x, int64_t *shape)
{
    if (ir_static_shape(g, x, shape))
        return true;
    ir_error(g, BZ_EUNSUPPORTED, op, "needs a constant shape, got %s", ir_shape_text(g, x));
    return false;
}

static bool check_size(ir_graph *g, ir_op op, const ir_dim *dims, unsigned rank)
{
    int64_t n = 1, v;
    for (unsigned i = 0; i < rank; i++) {
        if (!dims[i])
            return ir_error(g, BZ_ESHAPE, op, "a dimension is too large"), false;
        if (!ir_dim_value(g, dims[i], &v))
            continue;
        if (v < 0)
            return ir_error(g, BZ_ESHAPE, op, "dimension %u is negative (%" PRId64 ")", i, v), false;
        if (v && (__builtin_mul_overflow(n, v, &n) || n > INT64_C(1) << 60))
            return ir_error(g, BZ_ESHAPE, op, "the shape has more than 2^60 elements"), false;
    }
    return true;
}

static bool check_rank(ir_graph *g, ir_op op, unsigned rank)
{
    if (rank <= IR_MAX_RANK)
        return true;
    ir_error(g, BZ_ESHAPE, op, "%u dimensions; at most %d are possible", rank, IR_MAX_RANK);
    return false;
}

/* Axis from the front; -1 and an error when out of range. */
static int axis_of(ir_graph *g, ir_op op, ir_ref x, int axis, unsigned rank)
{
    int a = axis < 0 ? axis + (int)rank : axis;
    if (a >= 0 && a < (int)rank)
        return a;
    ir_error(g, BZ_EAXIS, op, "axis %d is out of range for %s", axis, ir_shape_text(g, x));
    return -1;
}

/* ---- constants */

ir_ref ir_const_bits(ir_graph *g, bz_dtype t, ir_bits v, const ir_dim *dims, unsigned rank)
{
    if (!check_rank(g, IR_CONST, rank) || !check_size(g, IR_CONST, dims, rank))
        return 0;
    int64_t bits = (int64_t)v;
    return ir_append(g, IR_CONST, t, dims, rank, NULL, 0, &bits, 1);
}

ir_ref ir_const_f(ir_graph *g, bz_dtype t, double v)
{
    return ir_const_bits(g, t, ir_bits_from_f64(t, v), NULL, 0);
}

ir_ref ir_const_i(ir_graph *g, bz_dtype t, int64_t v)
{
    return ir_const_bits(g, t, ir_bits_from_i64(t, v), NULL, 0);
}

ir_ref ir_const_like(ir_graph *g, ir_ref x, double v)
{
    if (!x)
        return 0;
    const ir_node *n = ir_at(g, x);
    ir_dim dims[IR_MAX_RANK];
    memcpy(dims, ir_dims(g, n), n->rank * sizeof *dims);
    return ir_const_bits(g, (bz_dtype)n->dtype, ir_bits_from_f64((bz_dtype)n->dtype, v), dims, n->rank);
}

ir_ref ir_const_data(ir_graph *g, bz_dtype t, const void *data, const int64_t *shape, unsigned rank)
{
    ir_dim dims[IR_MAX_RANK] = {0};
    int64_t n = 1;
    if (!check_rank(g, IR_CONST, rank) || !const_dims(g, shape, rank, dims) || !check_size(g, IR_CONST, dims, rank))
        return 0;
    for (unsigned i = 0; i < rank; i++)
        n = shape[i] ? n * shape[i] : 0;
    if (n > IR_MAX_CONST)
        return ir_error(g, BZ_ESHAPE, IR_CONST, "%" PRId64 " elements; a constant holds at most %d, use an input", n, IR_MAX_CONST);
    if (n == 0)
        return ir_const_bits(g, t, 0, dims, rank);
    int64_t *bits = bz_mem_alloc((size_t)n * sizeof *bits);
    if (!bits)
        return ir_error(g, BZ_ENOMEM, IR_CONST, "out of memory");
    bool same = true;
    for (int64_t i = 0; i < n; i++) {
        bits[i] = (int64_t)ir_load_bits(t, (const char *)data + (size_t)i * ir_dtype_bytes(t));
        same &= bits[i] == bits[0];
    }
    ir_ref r = ir_append(g, IR_CONST, t, dims, rank, NULL, 0, bits, same ? 1 : (unsigned)n);
    bz_mem_free(bits);
    return r;
}

bool ir_const_value(const ir_graph *g, ir_ref r, ir_bits *v)
{
    const ir_node *n = ir_at(g, r);
    if (n->op != IR_CONST || n->nattr != 1 || n->flags & IR_IS_OWN)
        return false;
    *v = (ir_bits)ir_attrs(g, n)[0];
    return true;
}

/* May a node on x skip x, which is of this op, and take x's operand? */
static bool skips(const ir_graph *g, ir_ref x, ir_op op)
{
    const ir_node *n = ir_at(g, x);
    return n->op == op && !(n->flags & IR_IS_OWN);
}

/* Movement of a splat constant is the constant in the new shape. */
static ir_ref moved_const(ir_graph *g, ir_ref x, const ir_dim *dims, unsigned rank)
{
    ir_bits v;
    return ir_const_value(g, x, &v) ? ir_const_bits(g, ir_dtype(g, x), v, dims, rank) : 0;
}

ir_ref ir_iota(ir_graph *g, bz_dtype t, const ir_dim *dims, unsigned rank, int axis)
{
    if (!check_rank(g, IR_IOTA, rank) || !check_size(g, IR_IOTA, dims, rank))
        return 0;
    int64_t a = axis < 0 ? axis + (int)rank : axis;
    if (a < 0 || a >= (int)rank)
        return ir_error(g, BZ_EAXIS, IR_IOTA, "axis %d is out of range for %u dimensions", axis, rank);
    return ir_append(g, IR_IOTA, t, dims, rank, NULL, 0, &a, 1);
}

/* ---- movement */

static bool same_dims(const ir_graph *g, ir_ref x, const ir_dim *dims, unsigned rank)
{
    return ir_at(g, x)->rank == rank && (rank == 0 || !memcmp(dims_of(g, x), dims, rank * sizeof *dims));
}

static ir_dim numel_expr(ir_graph *g, const ir_dim *dims, unsigned rank)
{
    ir_dim n = ir_dim_const(g, 1);
    for (unsigned i = 0; i < rank; i++)
        n = ir_ex_mul(&g->m->ex, n, dims[i]);
    return n;
}

ir_ref ir_reshape_dims(ir_graph *g, ir_ref x, const ir_dim *want, unsigned rank)
{
    ir_dim dims[IR_MAX_RANK], own[IR_MAX_RANK];
    if (!x || !check_rank(g, IR_RESHAPE, rank))
        return 0;
    memcpy(dims, want, rank * sizeof *dims);
    if (!check_size(g, IR_RESHAPE, dims, rank))
        return 0;
    unsigned from = ir_at(g, x)->rank;
    memcpy(own, dims_of(g, x), from * sizeof *own);
    if (numel_expr(g, own, from) != numel_expr(g, dims, rank)) {
        bz_text t = {0};
        for (unsigned i = 0; i < rank; i++) {
            bz_text_str(&t, i ? "," : "");
            ir_ex_print(&t, &g->m->ex, dims[i]);
        }
        ir_error(g, BZ_ESHAPE, IR_RESHAPE, "%s does not have as many elements as [%s]", ir_shape_text(g, x), bz_text_c(&t));
        bz_text_free(&t);
        return 0;
    }
    if (skips(g, x, IR_RESHAPE))
        x = ir_operand(g, x, 0);
    if (same_dims(g, x, dims, rank))
        return x;
    ir_ref c = moved_const(g, x, dims, rank);
    return c ? c : ir_append(g, IR_RESHAPE, ir_dtype(g, x), dims, rank, &x, 1, NULL, 0);
}

ir_ref ir_reshape(ir_graph *g, ir_ref x, const int64_t *shape, unsigned rank)
{
    ir_dim dims[IR_MAX_RANK];
    int hole = -1;
    if (!x || !check_rank(g, IR_RESHAPE, rank))
        return 0;
    for (unsigned i = 0; i < rank; i++) {
        if (shape[i] == -1 && hole >= 0)
            return ir_error(g, BZ_ESHAPE, IR_RESHAPE, "only one dimension can be -1");
        if (shape[i] < -1)
            return ir_error(g, BZ_ESHAPE, IR_RESHAPE, "dimension %u is negative (%" PRId64 ")", i, shape[i]);
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
            return ir_error(g, BZ_ESHAPE, IR_RESHAPE, "%s cannot fill the dimension that is -1", ir_shape_text(g, x));
        dims[hole] = ir_ex_div(&g->m->ex, all, rest);
    }
    return ir_reshape_dims(g, x, dims, rank);
}

ir_ref ir_permute(ir_graph *g, ir_ref x, const int *perm, unsigned n)
{
    if (!x)
        return 0;
    unsigned rank = ir_at(g, x)->rank;
    if (n != rank)
        return ir_error(g, BZ_EAXIS, IR_PERMUTE, "%u axes given for %s", n, ir_shape_text(g, x));
    int64_t p[IR_MAX_RANK];
    ir_dim dims[IR_MAX_RANK];
    uint64_t seen = 0;
    bool identity = true;
    ir_ref inner = skips(g, x, IR_PERMUTE) ? x : 0;
    for (unsigned i = 0; i < rank; i++) {
        int a = axis_of(g, IR_PERMUTE, x, perm[i], rank);
        if (a < 0)
            return 0;
        if (seen >> a & 1)
            return ir_error(g, BZ_EAXIS, IR_PERMUTE, "axis %d is given twice", perm[i]);
        seen |= UINT64_C(1) << a;
        dims[i] = dims_of(g, x)[a];
        p[i] = inner ? ir_attrs(g, ir_at(g, inner))[a] : a;
        identity &= p[i] == (int64_t)i;
    }
    if (inner)
        x = ir_operand(g, inner, 0);
    if (identity)
        return x;
    ir_ref c = moved_const(g, x, dims, rank);
    return c ? c : ir_append(g, IR_PERMUTE, ir_dtype(g, x), dims, rank, &x, 1, p, rank);
}

ir_ref ir_expand_dims_like(ir_graph *g, ir_ref x, const ir_dim *want, unsigned rank)
{
    ir_dim dims[IR_MAX_RANK], mid[IR_MAX_RANK], one = ir_dim_const(g, 1);
    if (!x || !check_rank(g, IR_EXPAND, rank))
        return 0;
    memcpy(dims, want, rank * sizeof *dims);
    unsigned own = ir_at(g, x)->rank;
    if (own > rank)
        return ir_error(g, BZ_ESHAPE, IR_EXPAND, "%s has more than %u dimensions", ir_shape_text(g, x), rank);
    for (unsigned i = 0; i < rank; i++) {
        mid[i] = i < rank - own ? one : dims_of(g, x)[i - (rank - own)];
        if (mid[i] != dims[i] && mid[i] != one) {
            int64_t v = 0;
            ir_dim_value(g, dims[i], &v);
            return ir_error(g, BZ_ESHAPE, IR_EXPAND, "%s does not broadcast to size %" PRId64 " at axis %u", ir_shape_text(g, x), v, i);
        }
    }
    if (!check_size(g, IR_EXPAND, dims, rank))
        return 0;
    ir_ref c = moved_const(g, x, dims, rank);
    if (c)
        return c;
    if (own != rank && !(x = ir_reshape_dims(g, x, mid, rank)))
        return 0;
    if (same_dims(g, x, dims, rank))
        return x;
    if (skips(g, x, IR_EXPAND))
        x = ir_operand(g, x, 0);
    return ir_append(g, IR_EXPAND, ir_dtype(g, x), dims, rank, &x, 1, NULL, 0);
}

ir_ref ir_expand(ir_graph *g, ir_ref x, const int64_t *shape, unsigned rank)
{
    ir_dim dims[IR_MAX_RANK];
    if (!x || !check_rank(g, IR_EXPAND, rank))
        return 0;
    unsigned own = ir_at(g, x)->rank;
    for (unsigned i = 0; i < rank; i++) {
        bool keep = shape[i] == -1 && i + own >= rank;
        dims[i] = keep ? dims_of(g, x)[i + own - rank] : ir_dim_const(g, shape[i]);
    }
    return check_size(g, IR_EXPAND, dims, rank) ? ir_expand_dims_like(g, x, dims, rank) : 0;
}

ir_ref ir_pad(ir_graph *g, ir_ref x, const int64_t *lo, const int64_t *hi, double value)
{
    if (!x)
        return 0;
    const ir_node n = *ir_at(g, x);
    int64_t attr[1 + 2 * IR_MAX_RANK];
    ir_dim dims[IR_MAX_RANK];
    bool any = false;
    attr[0] = (int64_t)ir_bits_from_f64((bz_dtype)n.dtype, value);
    for (unsigned i = 0; i < n.rank; i++) {
        if (lo[i] < 0 || hi[i] < 0)
            return ir_error(g, BZ_EARG, IR_PAD, "padding of axis %u is negative; use slice", i);
        attr[1 + 2 * i] = lo[i];
        attr[2 + 2 * i] = hi[i];
        any |= lo[i] || hi[i];
        dims[i] = ir_ex_addc(&g->m->ex, ir_ex_addc(&g->m->ex, dims_of(g, x)[i], lo[i]), hi[i]);
    }
    if (!any)
        return x;
    if (!check_size(g, IR_PAD, dims, n.rank))
        return 0;
    ir_bits v;
    if (ir_const_value(g, x, &v) && v == (ir_bits)attr[0])
        return ir_const_bits(g, (bz_dtype)n.dtype, v, dims, n.rank);
    return ir_append(g, IR_PAD, (bz_dtype)n.dtype, dims, n.rank, &x, 1, attr, 1 + 2u * n.rank);
}

ir_ref ir_slice_exact(ir_graph *g, ir_ref x, const int64_t *start, const int64_t *count, const int64_t *step)
{
    int64_t shape[IR_MAX_RANK], attr[2 * IR_MAX_RANK];
    ir_dim dims[IR_MAX_RANK];
    if (!x || !need_static(g, IR_SLICE, x, shape))
        return 0;
    const ir_node n = *ir_at(g, x);
    bool whole = true;
    for (unsigned i = 0; i < n.rank; i++) {
        int64_t last = count[i] ? start[i] + (count[i] - 1) * step[i] : 0;
        if (step[i] == 0 || count[i] < 0 || (count[i] && (start[i] < 0 || start[i] >= shape[i] || last < 0 || last >= shape[i])))
            return ir_error(g, BZ_EINDEX, IR_SLICE, "axis %u: start %" PRId64 ", %" PRId64 " elements, step %" PRId64 " lie outside %s",
                            i, start[i], count[i], step[i], ir_shape_text(g, x));
        attr[2 * i] = count[i] ? start[i] : 0;
        attr[2 * i + 1] = count[i] > 1 ? step[i] : 1;
        whole &= count[i] == shape[i] && (count[i] <= 1 || step[i] == 1);
    }
    if (whole)
        return x;
    if (!const_dims(g, count, n.rank, dims))
        return 0;
    if (skips(g, x, IR_SLICE)) { /* a slice of a slice */
        const int64_t *in = ir_attrs(g, &n);
        for (unsigned i = 0; i < n.rank; i++) {
            attr[2 * i] = in[2 * i] + attr[2 * i] * in[2 * i + 1];
            attr[2 * i + 1] *= in[2 * i + 1];
        }
        x = ir_operand(g, x, 0);
        whole = same_dims(g, x, dims, n.rank);
        for (unsigned i = 0; i < n.rank; i++)
            whole &= attr[2 * i] == 0 && attr[2 * i + 1] == 1;
        if (whole)
            return x;
    }
    ir_ref c = moved_const(g, x, dims, n.rank);
    return c ? c : ir_append(g, IR_SLICE, (bz_dtype)n.dtype, dims, n.rank, &x, 1, attr, 2u * n.rank);
}

/* Python's slice of one axis: clips, counts. */
static void clip_slice(int64_t size, int64_t *start, int64_t stop, int64_t step, int64_t *count)
{
    int64_t lo = step > 0 ? 0 : -1, hi = step > 0 ? size : size - 1;
    bool open_start = *start == INT64_MIN || *start == INT64_MAX, open_stop = stop == INT64_MIN || stop == INT64_MAX;
    int64_t a = open_start ? (step > 0 ? lo : hi) : *start < 0 ? *start + size : *start;
    int64_t b = open_stop ? (step > 0 ? hi : lo) : stop < 0 ? stop + size : stop;
    a = a < lo ? lo : a > hi ? hi : a;
    b = b < lo ? lo : b > hi ? hi : b;
    int64_t span = step > 0 ? b - a : a - b, stride = step > 0 ? step : -step;
    *start = a;
    *count = span > 0 ? (span - 1) / stride + 1 : 0;
}

ir_ref ir_slice(ir_graph *g, ir_ref x, const int64_t *start, const int64_t *stop, const int64_t *step)
{
    int64_t shape[IR_MAX_RANK], from[IR_MAX_RANK], count[IR_MAX_RANK], by[IR_MAX_RANK];
    if (!x || !need_static(g, IR_SLICE, x, shape))
        return 0;
    for (unsigned i = 0; i < ir_at(g, x)->rank; i++) {
        by[i] = step ? step[i] : 1;
        if (by[i] == 0 || by[i] < -INT32_MAX)
            return ir_error(g, BZ_EARG, IR_SLICE, "step of axis %u is %" PRId64, i, by[i]);
        from[i] = start[i];
        clip_slice(shape[i], &from[i], stop[i], by[i], &count[i]);
    }
    return ir_slice_exact(g, x, from, count, by);
}

ir_ref ir_as_strided(ir_graph *g, ir_ref x, const int64_t *shape, const int64_t *strides, unsigned rank, int64_t offset)
{
    int64_t numel, attr[1 + IR_MAX_RANK], lo = offset, hi = offset;
    ir_dim dims[IR_MAX_RANK] = {0};
    if (!x || !check_rank(g, IR_AS_STRIDED, rank) || !const_dims(g, shape, rank, dims) || !check_size(g, IR_AS_STRIDED, dims, rank))
        return 0;
    if (!ir_numel(g, x, &numel))
        return ir_error(g, BZ_EUNSUPPORTED, IR_AS_STRIDED, "needs a constant shape, got %s", ir_shape_text(g, x));
    bool empty = false, over = false;
    attr[0] = offset;
    for (unsigned i = 0; i < rank; i++) {
        int64_t reach = 0;
        attr[1 + i] = strides[i];
        empty |= shape[i] == 0;
        over |= __builtin_mul_overflow(shape[i] - 1, strides[i], &reach);
        over |= __builtin_add_overflow(reach > 0 ? hi : lo, reach, reach > 0 ? &hi : &lo);
    }
    if (!empty && (over || lo < 0 || hi >= numel))
        return ir_error(g, BZ_EINDEX, IR_AS_STRIDED, "reaches outside the %" PRId64 " elements of %s", numel, ir_shape_text(g, x));
    ir_ref c = moved_const(g, x, dims, rank);
    return c ? c : ir_append(g, IR_AS_STRIDED, ir_dtype(g, x), dims, rank, &x, 1, attr, 1 + rank);
}

ir_ref ir_concat(ir_graph *g, const ir_ref *given, unsigned n, int axis)
{
    if (n == 0)
        return ir_error(g, BZ_EARG, IR_CONCAT, "nothing to concatenate");
    ir_ref *x = bz_arena_copy(&g->arena, given, n * sizeof *x);
    if (!x)
        return ir_error(g, BZ_ENOMEM, IR_CONCAT, "out of memory");
    bz_dtype t = BZ_BOOL;
    for (unsigned i = 0; i < n; i++) {
        if (!x[i])
            return 0;
        t = i ? ir_promote(t, ir_dtype(g, x[i])) : ir_dtype(g, x[i]);
    }
    unsigned rank = ir_at(g, x[0])->rank;
    int a = axis_of(g, IR_CONCAT, x[0], axis, rank);
    if (a < 0)
        return 0;
    ir_dim dims[IR_MAX_RANK];
    memcpy(dims, dims_of(g, x[0]), rank * sizeof *dims);
    dims[a] = ir_dim_const(g, 0);
    for (unsigned i = 0; i < n; i++) {
        bool fits = ir_at(g, x[i])->rank == rank;
        for (unsigned d = 0; fits && d < rank; d++)
            fits = (int)d == a || dims_of(g, x[i])[d] == dims[d];
        if (!fits)
            return ir_error(g, BZ_ESHAPE, IR_CONCAT, "%s does not fit %s along axis %d", ir_shape_text(g, x[i]), ir_shape_text(g, x[0]), a);
        dims[a] = ir_ex_add(&g->m->ex, dims[a], dims_of(g, x[i])[a]);
        x[i] = ir_cast(g, x[i], t);
    }
    int64_t attr = a;
    if (!check_size(g, IR_CONCAT, dims, rank))
        return 0;
    return n == 1 ? x[0] : ir_append(g, IR_CONCAT, t, dims, rank, x, n, &attr, 1);
}

ir_ref ir_copy(ir_graph *g, ir_ref x)
{
    if (!x)
        return 0;
    ir_dim dims[IR_MAX_RANK];
    unsigned rank = ir_at(g, x)->rank;
    memcpy(dims, dims_of(g, x), rank * sizeof *dims);
    return ir_append(g, IR_COPY, ir_dtype(g, x), dims, rank, &x, 1, NULL, 0);
}

/* ---- folds over axes and sums of products */

static const char *const reduce_names[] = {"sum", "prod", "max", "min", "any", "all", "argmax", "argmin"};
_Static_assert(BZ_LEN(reduce_names) == IR_NREDUCE, "a name for each kind of reduction");

const char *ir_reduce_name(ir_reduce_kind k)
{
    return reduce_names[k];
}

ir_reduce_attr ir_reduce_get(const ir_graph *g, const ir_node *n)
{
    const int64_t *a = ir_attrs(g, n);
    return (ir_reduce_attr){(ir_reduce_kind)a[0], (bz_dtype)a[1], (ir_order)a[2], n->nattr - 3, a + 3};
}

/* Axes as a sorted list without repeats; all axes when none are given. Their number, or -1. */
static int sorted_axes(ir_graph *g, ir_reduce_kind kind, ir_ref x, const int *axes, unsigned n, int64_t *out)
{
    unsigned rank = ir_at(g, x)->rank, count = 0;
    uint64_t set = 0;
    for (unsigned i = 0; i < n; i++) {
        int a = axes[i] < 0 ? axes[i] + (int)rank : axes[i];
        if (a < 0 || a >= (int)rank || set >> a & 1)
            return ir_error(g, BZ_EAXIS, IR_REDUCE, "%s: axis %d is %s for %s", reduce_names[kind], axes[i],
                            a < 0 || a >= (int)rank ? "out of range" : "given twice", ir_shape_text(g, x)), -1;
        set |= UINT64_C(1) << a;
    }
    for (unsigned a = 0; a < rank; a++)
        if (n == 0 || set >> a & 1)
            out[count++] = a;
    return (int)count;
}

static bz_dtype reduce_dtype(ir_reduce_kind kind, bz_dtype t)
{
    if (kind == IR_ANY || kind == IR_ALL)
        return BZ_BOOL;
    if (kind == IR_ARGMAX || kind == IR_ARGMIN || ((kind == IR_SUM || kind == IR_PROD) && !ir_is_float(t)))
        return BZ_I64;
    return t;
}

static bool has_identity(ir_reduce_kind kind)
{
    return kind == IR_SUM || kind == IR_PROD || kind == IR_ANY || kind == IR_ALL;
}

static ir_ref reduced(ir_graph *g, ir_reduce_kind kind, ir_ref x, const int64_t *axes, unsigned n)
{
    unsigned rank = ir_at(g, x)->rank, kept = 0;
    ir_dim dims[IR_MAX_RANK], one[1];
    bool last = false;
    for (unsigned a = 0, k = 0; a < rank; a++) {
        bool gone = k < n && axes[k] == (int64_t)a;
        one[0] = dims_of(g, x)[a];
        int64_t v;
        if (gone && !has_identity(kind) && ir_dim_value(g, one[0], &v) && v == 0)
            return ir_error(g, BZ_ESHAPE, IR_REDUCE, "%s over an empty axis of %s has no value", reduce_names[kind], ir_shape_text(g, x));
        if (gone)
            k++;
        else
            dims[kept++] = one[0];
        last = gone;
    }
    bz_dtype t = ir_dtype(g, x), result = reduce_dtype(kind, t);
    bz_dtype acc = kind == IR_SUM || kind == IR_PROD ? ir_accum_dtype(t) : kind == IR_ANY || kind == IR_ALL ? BZ_BOOL : t;
    int64_t attr[3 + IR_MAX_RANK] = {kind, acc, last || n == 0 ? IR_ORDER_LAST : IR_ORDER_LEAD};
    memcpy(attr + 3, axes, n * sizeof *axes);
    return ir_append(g, IR_REDUCE, result, dims, kept, &x, 1, attr, 3 + n);
}

ir_ref ir_reduce(ir_graph *g, ir_reduce_kind kind, ir_ref x, const int *axes, unsigned n, bool keepdim)
{
    int64_t list[IR_MAX_RANK];
    if (!x)
        return 0;
    ir_dim shape[IR_MAX_RANK];
    unsigned rank = ir_at(g, x)->rank;
    memcpy(shape, dims_of(g, x), rank * sizeof *shape);
    int count = sorted_axes(g, kind, x, axes, n, list);
    if (count < 0)
        return 0;
    if ((kind == IR_ANY || kind == IR_ALL) && ir_dtype(g, x) != BZ_BOOL)
        x = ir_build2(g, IR_NE, x, ir_const_like(g, x, 0));
    if (kind >= IR_ARGMAX && n > 1)
        return ir_error(g, BZ_EAXIS, IR_REDUCE, "%s takes one axis, or none for the flattened tensor", reduce_names[kind]);
    ir_ref r;
    if (kind >= IR_ARGMAX && n == 0 && rank > 1) {
        int64_t flat = -1;
        x = ir_reshape(g, x, &flat, 1);
        r = x ? reduced(g, kind, x, (int64_t[]){0}, 1) : 0;
    } else {
        r = x ? reduced(g, kind, x, list, (unsigned)count) : 0;
    }
    if (!keepdim || !r)
        return r;
    for (int i = 0; i < count; i++)
        shape[list[i]] = ir_dim_const(g, 1);
    return ir_reshape_dims(g, r, shape, rank);
}

ir_dot_attr ir_dot_get(const ir_graph *g, const ir_node *n)
{
    const int64_t *a = ir_attrs(g, n);
    unsigned nb = (unsigned)a[2], nc = (unsigned)a[3];
    return (ir_dot_attr){(bz_dtype)a[0], (ir_order)a[1], nb, nc, a + 4, a + 4 + nb, a + 4 + 2 * nb, a + 4 + 2 * nb + nc};
}

/* Axes named in two lists, as a set; false and an error if one is out of range or repeated. */
static bool axis_set(ir_graph *g, ir_ref x, const int *a, unsigned na, const int *b, unsigned nb, int64_t *out, uint64_t *set)
{
    unsigned rank = ir_at(g, x)->rank;
    *set = 0;
    for (unsigned i = 0; i < na + nb; i++) {
        int ax = axis_of(g, IR_DOT, x, i < na ? a[i] : b[i - na], rank);
        if (ax < 0)
            return false;
        if (*set >> ax & 1)
            return ir_error(g, BZ_EAXIS, IR_DOT, "axis %d of %s is given twice", ax, ir_shape_text(g, x)), false;
        *set |= UINT64_C(1) << ax;
        out[i] = ax;
    }
    return true;
}

ir_ref ir_dot(ir_graph *g, ir_ref x, ir_ref y, const int *lbatch, const int *rbatch, unsigned nbatch, const int *lcontract,
              const int *rcontract, unsigned ncontract)
{
    if (!x || !y)
        return 0;
    int64_t l[2 * IR_MAX_RANK], r[2 * IR_MAX_RANK], attr[4 + 4 * IR_MAX_RANK];
    uint64_t lset, rset;
    if (nbatch + ncontract > IR_MAX_RANK || !axis_set(g, x, lbatch, nbatch, lcontract, ncontract, l, &lset) ||
        !axis_set(g, y, rbatch, nbatch, rcontract, ncontract, r, &rset))
        return g->err.status ? 0 : ir_error(g, BZ_EAXIS, IR_DOT, "too many axes");
    if (ir_dtype(g, x) != ir_dtype(g, y))
        return ir_error(g, BZ_EDTYPE, IR_DOT, "dtypes differ: %s and %s", ir_shape_text(g, x), ir_shape_text(g, y));
    if (ir_dtype(g, x) == BZ_BOOL)
        return ir_error(g, BZ_EDTYPE, IR_DOT, "bool operands; cast them first");
    for (unsigned i = 0; i < nbatch + ncontract; i++)
        if (dims_of(g, x)[l[i]] != dims_of(g, y)[r[i]])
            return ir_error(g, BZ_ESHAPE, IR_DOT, "%s dims differ: %s axis %d and %s axis %d", i < nbatch ? "batch" : "contracting",
                            ir_shape_text(g, x), (int)l[i], ir_shape_text(g, y), (int)r[i]);
    ir_dim dims[3 * IR_MAX_RANK];
    unsigned rank = 0;
    for (unsigned i = 0; i < nbatch; i++)
        dims[rank++] = dims_of(g, x)[l[i]];
    for (unsigned a = 0; a < ir_at(g, x)->rank; a++)
        if (!(lset >> a & 1))
            dims[rank++] = dims_of(g, x)[a];
    for (unsigned a = 0; a < ir_at(g, y)->rank; a++)
        if (!(rset >> a & 1))
            dims[rank++] = dims_of(g, y)[a];
    if (!check_rank(g, IR_DOT, rank) || !check_size(g, IR_DOT, dims, rank))
        return 0;
    bz_dtype t = ir_dtype(g, x);
    attr[0] = ir_compute_dtype(t);
    attr[1] = IR_ORDER_DOT;
    attr[2] = nbatch;
    attr[3] = ncontract;
    memcpy(attr + 4, l, nbatch * sizeof *l);
    memcpy(attr + 4 + nbatch, r, nbatch * sizeof *l);
    memcpy(attr + 4 + 2 * nbatch, l + nbatch, ncontract * sizeof *l);
    memcpy(attr + 4 + 2 * nbatch + ncontract, r + nbatch, ncontract * sizeof *l);
    return ir_append(g, IR_DOT, t, dims, rank, (ir_ref[]){x, y}, 2, attr, 4 + 2 * nbatch + 2 * ncontract);
}

/* ---- indices and several results */

ir_ref ir_gather(ir_graph *g, ir_ref x, ir_ref index, int axis)
{
    if (!x || !index)
        return 0;
    unsigned xr = ir_at(g, x)->rank, ir = ir_at(g, index)->rank, rank = 0;
    int a = axis_of(g, IR_GATHER, x, axis, xr);
    if (a < 0 || !check_rank(g, IR_GATHER, xr - 1 + ir))
        return 0;
    if (!ir_is_int(ir_dtype(g, index)))
        return ir_error(g, BZ_EDTYPE, IR_GATHER, "indices must be integers, got %s", ir_shape_text(g, index));
    index = ir_cast(g, index, BZ_I64);
    ir_dim dims[2 * IR_MAX_RANK];
    for (int i = 0; i < a; i++)
        dims[rank++] = dims_of(g, x)[i];
    for (unsigned i = 0; i < ir; i++)
        dims[rank++] = dims_of(g, index)[i];
    for (unsigned i = (unsigned)a + 1; i < xr; i++)
        dims[rank++] = dims_of(g, x)[i];
    int64_t attr = a;
    return ir_append(g, IR_GATHER, ir_dtype(g, x), dims, rank, (ir_ref[]){x, index}, 2, &attr, 1);
}

ir_ref ir_sort(ir_graph *g, ir_ref x, int axis, bool descending, ir_ref *indices)
{
    if (!x)
        return 0;
    unsigned rank = ir_at(g, x)->rank;
    int a = axis_of(g, IR_SORT, x, axis, rank);
    if (a < 0)
        return 0;
    ir_dim dims[IR_MAX_RANK];
    memcpy(dims, dims_of(g, x), rank * sizeof *dims);
    ir_ref t = ir_append(g, IR_SORT, ir_dtype(g, x), dims, rank, &x, 1, (int64_t[]){a, descending}, 2);
    if (!t)
        return 0;
    g->n.p[t].flags |= IR_IS_TUPLE;
    if (indices)
        *indices = ir_result(g, t, 1);
    return ir_result(g, t, 0);
}

ir_ref ir_result(ir_graph *g, ir_ref tuple, unsigned k)
{
    if (!tuple)
        return 0;
    const ir_node n = *ir_at(g, tuple);
    ir_dim dims[IR_MAX_RANK];
    int64_t attr = k;
    if (n.op == IR_SORT && k < 2) {
        memcpy(dims, ir_dims(g, &n), n.rank * sizeof *dims);
        return ir_append(g, IR_RESULT, k ? BZ_I64 : (bz_dtype)n.dtype, dims, n.rank, &tuple, 1, &attr, 1);
    }
    if (n.op == IR_COND || n.op == IR_WHILE) { /* the results of graph b, or of the body */
        const ir_graph *body = g->m->graphs.p[ir_attrs(g, &n)[1]];
        if (k < body->outputs.n) {
            const ir_node *o = ir_at(body, body->outputs.p[k].node);
            return ir_append(g, IR_RESULT, (bz_dtype)o->dtype, ir_dims(body, o), o->rank, &tuple, 1, &attr, 1);
        }
    }
    return ir_error(g, BZ_EINDEX, IR_RESULT, "%s has no result %u", ir_ops[n.op].name, k);
}
