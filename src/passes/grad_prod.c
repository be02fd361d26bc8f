/* grad_prod.c - the gradient of a product over axes: each element's share is the product of all others.
 *
 *     x0 x1 x2 x3 x4        halves multiplied until one is left ...
 *     x0x2  x1x3  x4
 *     x0x1x2x3    x4
 *     x0x1x2x3x4            ... and the gradient handed back the same way: times the other half
 *
 * Nothing is divided, so zeros and overflowing products need no care, and what the shares are made of is products alone: they
 * have right gradients again, at any order. 2 log2 n steps, about four times the work of the product. */
#include "src/passes/grad.h"

#include <string.h>

enum { MAX_LEVELS = 63 };

/* Elements from .. from + count of the last axis. */
static ir_ref part(ir_graph *g, ir_ref x, int64_t from, int64_t count) {
    int64_t start[IR_MAX_RANK] = {0}, step[IR_MAX_RANK], shape[IR_MAX_RANK];
    if (!x || !ir_static_shape(g, x, shape)) return 0;
    unsigned rank = ir_at(g, x)->rank;
    for (unsigned i = 0; i < rank; i++) step[i] = 1;
    start[rank - 1] = from;
    shape[rank - 1] = count;
    return ir_slice_exact(g, x, start, shape, step);
}

/* x and y, and the odd element `left` of them, one after the other. */
static ir_ref beside(ir_graph *g, ir_ref x, ir_ref y, ir_ref left, bool odd) {
    ir_ref parts[3] = {x, y, left};
    return odd ? ir_concat(g, parts, 3, -1) : ir_concat(g, parts, 2, -1);
}

/* x: [.., n]; d: [.., 1], the gradient of the product over the last axis. */
static ir_ref shares_of_row(ir_graph *g, ir_ref x, ir_ref d, int64_t n) {
    ir_ref lo[MAX_LEVELS], hi[MAX_LEVELS];
    int64_t size[MAX_LEVELS];
    unsigned levels = 0;
    for (; n > 1; n -= n / 2) {
        int64_t half = n / 2;
        lo[levels] = part(g, x, 0, half);
        hi[levels] = part(g, x, half, half);
        size[levels] = n;
        ir_ref both = ir_build2(g, IR_MUL, lo[levels], hi[levels]);
        if (!both) return 0;
        x = n % 2 ? ir_concat(g, (ir_ref[]){both, part(g, x, 2 * half, 1)}, 2, -1) : both;
        levels++;
    }
    while (levels-- > 0) {
        int64_t half = size[levels] / 2;
        bool odd = size[levels] % 2;
        ir_ref of_both = part(g, d, 0, half);
        d = beside(g, ir_build2(g, IR_MUL, of_both, hi[levels]),
                   ir_build2(g, IR_MUL, of_both, lo[levels]), odd ? part(g, d, half, 1) : 0, odd);
    }
    return d;
}

ir_ref grad_prod(ir_graph *g, ir_ref r, ir_ref x, ir_ref d, const int *axes, unsigned n) {
    int64_t shape[IR_MAX_RANK], moved[IR_MAX_RANK], row[IR_MAX_RANK];
    int perm[IR_MAX_RANK], back[IR_MAX_RANK];
    unsigned rank = ir_at(g, x)->rank, kept = 0, folded = rank - n;
    bz_dtype t = ir_dtype(g, x), wide = ir_compute_dtype(t);
    int64_t count = 1;
    if (!ir_static_shape(g, x, shape)) return grad_no_rule(g, r);
    for (unsigned a = 0, i = 0; a < rank; a++) { /* reduced axes last, as one */
        bool reduced = i < n && axes[i] == (int)a;
        unsigned to = reduced ? folded++ : kept++;
        i += reduced;
        perm[to] = (int)a;
        back[a] = (int)to;
        moved[to] = shape[a];
        if (reduced)
            count *= shape[a];
        else
            row[to] = shape[a];
    }
    if (count == 0) return ir_const_like(g, x, 0);
    row[kept] = count;
    x = ir_reshape(g, ir_permute(g, ir_cast(g, x, wide), perm, rank), row, kept + 1);
    row[kept] = 1;
    d = shares_of_row(g, x, ir_reshape(g, ir_cast(g, d, wide), row, kept + 1), count);
    return ir_cast(g, ir_permute(g, ir_reshape(g, d, moved, rank), back, rank), t);
}
