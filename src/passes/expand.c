/* expand.c - what lowering does not take as it is becomes something else.
 * needs: any graph. gives: no argmax, argmin, conv (expand_conv.c); nothing is computed of or from no elements; no concat of
 * more than PASS_CONCAT_MOST. For matrix units products of halves that were cast to f32 become products of the halves, so that these
 * are what lies in memory.
 *
 *     argmax x over a   ->   m = max x;  min over a of (x == m or x is NaN ? index : the largest)
 *
 * With a NaN in the row m is NaN, so the first NaN is found; otherwise the first place of the maximum. */
#include "src/ir/external.h"
#include "src/passes/pass.h"

#include <string.h>

static ir_ref expand_arg(ir_graph *g, ir_ref x, ir_reduce_attr a) {
    ir_dim dims[IR_MAX_RANK];
    unsigned rank = ir_at(g, x)->rank;
    if (rank == 0) return ir_const_i(g, BZ_I64, 0);
    memcpy(dims, ir_dims(g, ir_at(g, x)), rank * sizeof *dims);
    int axis = (int)a.axes[0];
    ir_ref m = ir_reduce(g, a.kind == IR_ARGMAX ? IR_RMAX : IR_RMIN, x, &axis, 1, true);
    ir_ref hit = ir_build2(g, IR_EQ, x, m);
    if (ir_is_float(ir_dtype(g, x))) hit = ir_build2(g, IR_OR, hit, ir_build1(g, IR_ISNAN, x));
    /* half as wide where that holds them */
    int64_t size;
    bz_dtype t = ir_dim_value(g, dims[axis], &size) && size < INT32_MAX ? BZ_I32 : BZ_I64;
    ir_ref at = ir_iota(g, t, dims, rank, axis);
    ir_ref none =
        ir_const_bits(g, t, ir_highest(t), dims, rank);
    return ir_cast(
        g, ir_reduce(g, IR_RMIN, ir_build3(g, IR_SELECT, hit, at, none), &axis, 1, false), BZ_I64);
}

/* A fold or product over no elements, and any tensor that has none, is a constant. */
static bool of_nothing(const ir_graph *g, ir_ref r, ir_bits *value) {
    const ir_node *n = ir_at(g, r);
    bz_dtype t = (bz_dtype)n->dtype;
    int64_t result = 1, operand = 1;
    if (n->nin == 0 || (n->flags & IR_IS_TUPLE) || !ir_numel(g, r, &result) ||
        !ir_numel(g, ir_in(g, n)[0], &operand))
        return false;
    *value = 0;
    if (result == 0) return true;
    if (n->op == IR_REDUCE && operand == 0) {
        ir_reduce_kind kind = ir_reduce_get(g, n).kind;
        *value = kind == IR_PROD || kind == IR_ALL ? ir_bits_from_i64(t, 1) : 0;
        return true;
    }
    /* the left operand may be empty for its contracted axes alone: the result has the others */
    if (n->op == IR_CONV && operand && !ir_numel(g, ir_in(g, n)[1], &operand)) return false;
    return (n->op == IR_DOT || n->op == IR_CONV) && operand == 0;
}

/* A concat of many as one of some, each of at most PASS_CONCAT_MOST: equal ones are one kernel. */
static ir_ref expand_concat(ir_graph *g, const ir_graph *old, const ir_map *map, ir_ref r) {
    const ir_node *n = ir_at(old, r);
    const int axis = (int)ir_attrs(old, n)[0];
    uint32_t count = n->nin;
    ir_ref *x = bz_mem_alloc(count * sizeof *x), out;
    if (!x) return ir_error(g, BZ_ENOMEM, IR_CONCAT, "out of memory");
    for (uint32_t i = 0; i < count; i++) x[i] = map->to[ir_in(old, n)[i]];
    for (; count > PASS_CONCAT_MOST; count = (count + PASS_CONCAT_MOST - 1) / PASS_CONCAT_MOST) {
        for (uint32_t i = 0; i < count; i += PASS_CONCAT_MOST) {
            uint32_t left = count - i < PASS_CONCAT_MOST ? count - i : PASS_CONCAT_MOST;
            x[i / PASS_CONCAT_MOST] = ir_concat(g, x + i, left, axis);
        }
    }
    out = ir_concat(g, x, count, axis);
    bz_mem_free(x);
    return out;
}

static bool only_moves(const ir_node *n) {
    return n->op == IR_RESHAPE || n->op == IR_EXPAND || n->op == IR_PERMUTE || n->op == IR_SLICE;
}

/* The halves that x is, cast to f32 and perhaps moved; 0: it is something else. */
static ir_ref halves_behind(const ir_graph *g, ir_ref x) {
    while (only_moves(ir_at(g, x))) x = ir_operand(g, x, 0);
    if (ir_at(g, x)->op != IR_CAST || ir_dtype(g, x) != BZ_F32) return 0;
    const ir_ref h = ir_operand(g, x, 0);
    return ir_is_half(ir_dtype(g, h)) ? h : 0;
}

/* x of the old graph without that cast. */
static ir_ref without_cast(ir_graph *g, const ir_graph *old, const ir_map *map, ir_ref x) {
    const ir_node *n = ir_at(old, x);
    const ir_ref from = ir_in(old, n)[0];
    if (!only_moves(n)) return map->to[from];
    const ir_ref h = without_cast(g, old, map, from);
    return h ? ir_append(g, n->op, ir_dtype(g, h), ir_dims(old, n), n->rank, &h, 1,
                         ir_attrs(old, n), n->nattr)
             : 0;
}

/* A product, of halves if it is of such. */
static ir_ref narrowed(ir_graph *g, const ir_graph *old, const ir_map *map, ir_ref r) {
    const ir_ref x = ir_operand(old, r, 0), y = ir_operand(old, r, 1);
    const ir_ref hx = halves_behind(old, x), hy = halves_behind(old, y);
    if (!hx || !hy || ir_dtype(old, hx) != ir_dtype(old, hy))
        return ir_rebuild_node(g, old, map, r);
    const ir_ref nx = without_cast(g, old, map, x), ny = without_cast(g, old, map, y);
    return ir_dot_narrowed(g, old, r, nx, ny);
}

/* One permutation of what was expanded with one. */
static ir_ref permuted(ir_graph *g, const ir_graph *old, const ir_map *map, ir_ref r) {
    int perm[IR_MAX_RANK];
    const ir_node *n = ir_at(old, r);
    for (unsigned i = 0; i < n->rank; i++) perm[i] = (int)ir_attrs(old, n)[i];
    return ir_permute(g, map->to[ir_in(old, n)[0]], perm, n->rank);
}

/* Does r lie in memory row-major by itself, or behind reshapes? */
static bool is_dense(const ir_graph *g, ir_ref r) {
    while (ir_at(g, r)->op == IR_RESHAPE) r = ir_operand(g, r, 0);
    const ir_node *n = ir_at(g, r);
    const unsigned reads = ir_ops[n->op].reads;
    if (n->op == IR_INPUT) return !g->inputs.p[ir_attrs(g, n)[0]].scalar;
    return reads != IR_READS_NONE && reads != IR_READS_MAP && reads != IR_READS_PARTS;
}

/* An external op on operands that lie in memory, but for those that are handed over by value. */
static ir_ref in_memory(ir_graph *g, const ir_graph *old, const ir_map *map, ir_ref r) {
    const ir_node *n = ir_at(old, r);
    ir_ref x[IR_EXTERNAL_MOST];
    for (unsigned k = 0; k < n->nin; k++) {
        x[k] = map->to[ir_in(old, n)[k]];
        if (ir_at(g, x[k])->rank && !is_dense(g, x[k]) && !(x[k] = ir_copy(g, x[k]))) return 0;
    }
    return ir_append(g, IR_EXTERNAL, (bz_dtype)n->dtype, ir_dims(old, n), n->rank, x, n->nin,
                     ir_attrs(old, n), n->nattr);
}

static ir_ref expanded(ir_graph *g, const ir_graph *old, const pass_target *t, const ir_map *map,
                       ir_ref r) {
    const ir_node *n = ir_at(old, r);
    ir_bits value;
    g->site = old->sites.p[r];
    if (of_nothing(old, r, &value))
        return ir_const_bits(g, (bz_dtype)n->dtype, value, ir_dims(old, n), n->rank);
    ir_reduce_attr a = n->op == IR_REDUCE ? ir_reduce_get(old, n) : (ir_reduce_attr){0};
    if (n->op == IR_DOT && t->matrix) return narrowed(g, old, map, r);
    if (n->op == IR_EXTERNAL) return in_memory(g, old, map, r);
    if (n->op == IR_CONV) return pass_expand_conv(g, old, map, r);
    if (n->op == IR_CONCAT && n->nin > PASS_CONCAT_MOST) return expand_concat(g, old, map, r);
    if (n->op == IR_PERMUTE) return permuted(g, old, map, r);
    bool arg = n->op == IR_REDUCE && (a.kind == IR_ARGMAX || a.kind == IR_ARGMIN);
    return arg ? expand_arg(g, map->to[ir_in(old, n)[0]], a) : ir_rebuild_node(g, old, map, r);
}

ir_graph *pass_expand(const ir_graph *old, const pass_target *t, bz_error *e) {
    ir_map map;
    ir_graph *g = ir_rebuild_begin(old, &map);
    if (!g) {
        bz_fail(e, BZ_ENOMEM, "out of memory in pass expand");
        return NULL;
    }
    for (ir_ref r = 1; r < old->n.n && !g->err.status; r++)
        if (!map.to[r]) map.to[r] = expanded(g, old, t, &map, r);
    return ir_rebuild_end(g, old, &map, e);
}
