/* pair.c - ops on complex tensors that are two ops on their parts: movement, choice, sums; products of two tensors; all others are refused. */
#include "src/ir/build.h"
#include "src/ir/complex.h"

#include <string.h>

ir_pair ir_parts_of(ir_graph *g, ir_ref x) {
    if (!x || !ir_is_complex(ir_dtype(g, x))) return (ir_pair){x, 0};
    const ir_ref re = ir_real(g, x);
    return (ir_pair){re, ir_imag(g, x)};
}

ir_ref ir_not_for_complex(ir_graph *g, ir_op op, const char *name) {
    return ir_error_as(g, BZ_EDTYPE, name ? name : ir_ops[op].name, "not for complex numbers");
}

bool ir_keeps_complex(ir_op op) {
    switch (op) {
    case IR_INPUT:
    case IR_COMPLEX:
    case IR_REAL:
    case IR_IMAG:
    case IR_UPDATE:
    case IR_RESULT:
    case IR_COND:
    case IR_WHILE:
    case IR_CUSTOM_GRAD:
    case IR_STAND_IN: return true;
    default: return false;
    }
}

/* Is what the op makes of complex elements what it makes of their real parts, and of their imaginary ones? */
static bool is_by_parts(const ir_new_node *n) {
    switch (n->op) {
    case IR_SELECT:
    case IR_STOP_GRADIENT:
    case IR_RESHAPE:
    case IR_PERMUTE:
    case IR_EXPAND:
    case IR_PAD:
    case IR_SLICE:
    case IR_AS_STRIDED:
    case IR_CONCAT:
    case IR_GATHER:
    case IR_COPY: return true;
    case IR_REDUCE: return n->attr[0] == IR_SUM;
    case IR_SCAN: return n->attr[0] == IR_BY_SUM;
    case IR_SCATTER: return n->attr[0] == IR_BY_SUM || n->attr[0] == IR_BY_LAST;
    default: return false;
    }
}

/* Part k, 0 or 1, of what n is to be. */
static ir_ref append_part(ir_graph *g, const ir_new_node *n, unsigned k) {
    int64_t attr[1 + 2 * IR_MAX_RANK];
    ir_ref *in = bz_arena_copy(&g->arena, n->in, n->nin * sizeof *in);
    ir_bits v;
    if (!in) return ir_error(g, BZ_ENOMEM, n->op, "out of memory");
    for (unsigned i = 0; i < n->nin; i++)
        if (ir_is_complex(ir_dtype(g, in[i]))) in[i] = k ? ir_imag(g, in[i]) : ir_real(g, in[i]);
    const bz_dtype t = ir_part_dtype(n->dtype);
    if (n->nin == 1 && ir_op_is_movement(n->op) && n->op != IR_PAD && in[0] && ir_const_value(g, in[0], &v))
        return ir_const_bits(g, t, v, n->dims, n->rank);
    if (n->op != IR_PAD) return ir_append(g, n->op, t, n->dims, n->rank, in, n->nin, n->attr, n->nattr);
    memcpy(attr, n->attr, n->nattr * sizeof *attr); /* a border is real */
    if (k) attr[0] = 0;
    return ir_append(g, n->op, t, n->dims, n->rank, in, n->nin, attr, n->nattr);
}

/* What callers know the op by. */
static const char *name_of(const ir_new_node *n) {
    return n->op == IR_REDUCE ? ir_reduce_name((ir_reduce_kind)n->attr[0]) : ir_ops[n->op].name;
}

ir_ref ir_append_parts(ir_graph *g, const ir_new_node *given) {
    ir_new_node n = *given;
    ir_dim dims[IR_MAX_RANK];
    if (!is_by_parts(&n)) return ir_not_for_complex(g, n.op, name_of(&n));
    /* what n points to may lie in the graph, which grows */
    if (n.rank) memcpy(dims, n.dims, n.rank * sizeof *dims);
    n.dims = dims;
    if (n.nattr && !(n.attr = bz_arena_copy(&g->arena, n.attr, n.nattr * sizeof *n.attr)))
        return ir_error(g, BZ_ENOMEM, n.op, "out of memory");
    const ir_ref re = append_part(g, &n, 0);
    return re ? ir_complex(g, re, append_part(g, &n, 1)) : 0;
}

/* ---- products */

ir_ref ir_of_parts(ir_graph *g, ir_bilinear *f, ir_ref x, ir_ref y, const void *with) {
    const ir_pair p = ir_parts_of(g, x), q = ir_parts_of(g, y);
    ir_ref re = f(g, p.re, q.re, with), im = 0;
    if (p.im && q.im) re = ir_build2(g, IR_SUB, re, f(g, p.im, q.im, with));
    if (q.im) im = f(g, p.re, q.im, with);
    if (p.im) {
        const ir_ref more = f(g, p.im, q.re, with);
        im = im ? ir_build2(g, IR_ADD, im, more) : more;
    }
    return ir_complex(g, re, im);
}

/* Elements from .. from + n of the last axis of x, whose shape it is. */
static ir_ref last_part(ir_graph *g, ir_ref x, const int64_t *shape, unsigned rank, int64_t from, int64_t n) {
    int64_t start[IR_MAX_RANK] = {0}, count[IR_MAX_RANK], step[IR_MAX_RANK];
    for (unsigned i = 0; i < rank; i++) count[i] = shape[i], step[i] = 1;
    start[rank - 1] = from;
    count[rank - 1] = n;
    return ir_slice_exact(g, x, start, count, step);
}

/* [..., n] -> [..., 1]: the first half times the second; what is left of an odd number goes on. */
static ir_ref halves(ir_graph *g, ir_ref x, int64_t *shape, unsigned rank) {
    int64_t *n = &shape[rank - 1];
    while (x && *n > 1) {
        const int64_t half = *n / 2;
        const ir_ref first = last_part(g, x, shape, rank, 0, half), second = last_part(g, x, shape, rank, half, half),
                     rest = *n % 2 ? last_part(g, x, shape, rank, 2 * half, 1) : 0;
        x = ir_build2(g, IR_MUL, first, second);
        if (rest) x = ir_concat(g, (ir_ref[]){x, rest}, 2, (int)rank - 1);
        *n = half + *n % 2;
    }
    return x;
}

ir_ref ir_complex_prod(ir_graph *g, ir_ref x, const int64_t *axes, unsigned n) {
    int64_t shape[IR_MAX_RANK], kept[IR_MAX_RANK + 1], all = 1;
    int perm[IR_MAX_RANK];
    const unsigned rank = ir_at(g, x)->rank;
    unsigned m = 0;
    if (!ir_need_static(g, IR_REDUCE, x, shape)) return 0;
    for (unsigned a = 0, k = 0; a < rank; a++) {
        if (k < n && axes[k] == (int64_t)a) {
            k++;
            continue;
        }
        kept[m] = shape[a];
        perm[m++] = (int)a;
    }
    for (unsigned k = 0; k < n; k++) {
        perm[m + k] = (int)axes[k];
        all *= shape[axes[k]];
    }
    x = ir_permute(g, x, perm, rank);
    if (all == 0) {
        ir_dim dims[IR_MAX_RANK];
        const bz_dtype t = x ? ir_dtype(g, x) : BZ_C64;
        return x && ir_const_dims(g, kept, m, dims) ? ir_const_bits(g, t, ir_bits_from_i64(t, 1), dims, m) : 0;
    }
    kept[m] = all;
    x = halves(g, ir_reshape(g, x, kept, m + 1), kept, m + 1);
    return ir_reshape(g, x, kept, m);
}
