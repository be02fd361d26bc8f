/* compose_join.c - tensors put together: side by side, as blocks of a diagonal, as all combinations of their elements. */
#include "src/ir/compose.h"

#include <inttypes.h>

/* ---- side by side */

typedef ir_ref make_wide(ir_graph *g, ir_ref x);

static ir_ref *widened(ir_graph *g, const char *name, const ir_ref *x, unsigned n, make_wide *f) {
    ir_ref *wide = bz_arena_alloc(&g->arena, (n + 1) * sizeof *wide);
    if (!wide) return ir_error_as(g, BZ_ENOMEM, name, "out of memory"), NULL;
    for (unsigned i = 0; i < n; i++)
        if (!(wide[i] = f(g, x[i]))) return NULL;
    return wide;
}

static ir_ref joined(ir_graph *g, const char *name, const ir_ref *x, unsigned n, make_wide *f,
                     int axis) {
    if (n == 0) return ir_error_as(g, BZ_EARG, name, "nothing to put together");
    const ir_ref *wide = widened(g, name, x, n, f);
    return wide ? ir_concat(g, wide, n, axis) : 0;
}

ir_ref ir_hstack(ir_graph *g, const ir_ref *x, unsigned n) {
    int axis = n && x[0] && ir_at(g, x[0])->rank > 1;
    return joined(g, "hstack", x, n, ir_atleast_1d, axis);
}

ir_ref ir_vstack(ir_graph *g, const ir_ref *x, unsigned n) {
    return joined(g, "vstack", x, n, ir_atleast_2d, 0);
}

ir_ref ir_dstack(ir_graph *g, const ir_ref *x, unsigned n) {
    return joined(g, "dstack", x, n, ir_atleast_3d, 2);
}

static ir_ref as_column(ir_graph *g, ir_ref x) {
    if (!x || ir_at(g, x)->rank > 1) return x;
    return ir_unsqueeze(g, ir_atleast_1d(g, x), 1);
}

ir_ref ir_column_stack(ir_graph *g, const ir_ref *x, unsigned n) {
    return joined(g, "column_stack", x, n, as_column, 1);
}

/* ---- blocks of a diagonal */

ir_ref ir_block_diag(ir_graph *g, const ir_ref *x, unsigned n) {
    int64_t shape[IR_MAX_RANK], left = 0, right = 0;
    if (n == 0) return ir_error_as(g, BZ_EARG, "block_diag", "no blocks");
    ir_ref *block = widened(g, "block_diag", x, n, ir_atleast_2d);
    if (!block) return 0;
    for (unsigned i = 0; i < n; i++) {
        if (ir_at(g, block[i])->rank != 2 || !ir_static_shape(g, block[i], shape))
            return ir_error_as(g, BZ_ESHAPE, "block_diag", "%s is no matrix of known sizes",
                               ir_shape_text(g, block[i]));
        right += shape[1];
    }
    for (unsigned i = 0; i < n; i++) {
        ir_static_shape(g, block[i], shape);
        right -= shape[1];
        block[i] = ir_pad(g, block[i], (int64_t[]){0, left}, (int64_t[]){0, right}, 0);
        left += shape[1];
    }
    return ir_concat(g, block, n, 0);
}

/* ---- combinations */

ir_ref ir_cartesian_prod(ir_graph *g, const ir_ref *x, unsigned n) {
    ir_dim dims[IR_MAX_RANK], mid[IR_MAX_RANK], one = ir_dim_const(g, 1), all = one;
    if (n == 0 || n > IR_MAX_RANK)
        return ir_error_as(g, BZ_EARG, "cartesian_prod", "%u operands; 1 to %d are possible", n,
                           IR_MAX_RANK);
    for (unsigned i = 0; i < n; i++) {
        if (!x[i]) return 0;
        if (ir_at(g, x[i])->rank != 1)
            return ir_error_as(g, BZ_ESHAPE, "cartesian_prod", "%s is not 1-d",
                               ir_shape_text(g, x[i]));
        dims[i] = ir_dims(g, ir_at(g, x[i]))[0];
        all = ir_ex_mul(&g->m->ex, all, dims[i]);
    }
    if (n == 1) return x[0];
    ir_ref *column = bz_arena_copy(&g->arena, x, n * sizeof *column);
    if (!column) return ir_error_as(g, BZ_ENOMEM, "cartesian_prod", "out of memory");
    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = 0; k < n; k++) mid[k] = k == i ? dims[i] : one;
        column[i] = ir_expand_dims_like(g, ir_reshape_dims(g, column[i], mid, n), dims, n);
        column[i] = ir_reshape_dims(g, column[i], (ir_dim[]){all, one}, 2);
    }
    return ir_concat(g, column, n, 1);
}

/* Next in lexical order of r numbers below n, rising, or not falling where they may repeat; false: it was the last one. */
static bool next_choice(int64_t *choice, unsigned r, int64_t n, bool repeats) {
    for (unsigned k = r; k-- > 0;) {
        int64_t most = repeats ? n - 1 : n - (int64_t)(r - k);
        if (choice[k] >= most) continue;
        choice[k]++;
        for (unsigned i = k + 1; i < r; i++) choice[i] = choice[i - 1] + !repeats;
        return true;
    }
    return false;
}

ir_ref ir_combinations(ir_graph *g, ir_ref x, int k, bool with_replacement) {
    int64_t shape[IR_MAX_RANK], choice[IR_MAX_RANK], count = 0, rows = 0;
    if (!x) return 0;
    if (ir_at(g, x)->rank != 1 || !ir_static_shape(g, x, shape))
        return ir_error_as(g, BZ_ESHAPE, "combinations", "%s is not 1-d of a known size",
                           ir_shape_text(g, x));
    if (k < 1 || k > IR_MAX_RANK)
        return ir_error_as(g, BZ_EARG, "combinations", "of %d elements; 1 to %d are possible", k,
                           IR_MAX_RANK);
    int64_t n = shape[0], *index = bz_arena_alloc(&g->arena, IR_MAX_CONST * sizeof *index);
    if (!index) return ir_error_as(g, BZ_ENOMEM, "combinations", "out of memory");
    for (int i = 0; i < k; i++) choice[i] = with_replacement ? 0 : i;
    bool more = with_replacement ? n > 0 : n >= k;
    for (; more; more = next_choice(choice, (unsigned)k, n, with_replacement), rows++) {
        if (count + k > IR_MAX_CONST)
            return ir_error_as(g, BZ_EUNSUPPORTED, "combinations",
                               "of %d elements of %s: more than %d indices", k, ir_shape_text(g, x),
                               IR_MAX_CONST);
        for (int i = 0; i < k; i++) index[count++] = choice[i];
    }
    ir_dim dims[2] = {ir_dim_const(g, rows), ir_dim_const(g, k)};
    if (!rows) return ir_const_bits(g, ir_dtype(g, x), 0, dims, 2);
    return ir_gather(g, x, ir_const_list(g, BZ_I64, index, dims, 2), 0);
}
