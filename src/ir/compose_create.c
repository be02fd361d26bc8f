/* compose_create.c - tensors like others, triangles, diagonals, grids and tables of powers. */
#include "src/ir/compose.h"

#include <math.h>

/* ---- like x: one value in its shape and dtype */

static ir_ref filled_like(ir_graph *g, ir_ref x, ir_bits v) {
    return x ? ir_const_bits(g, ir_dtype(g, x), v, ir_dims(g, ir_at(g, x)), ir_at(g, x)->rank) : 0;
}

ir_ref ir_zeros_like(ir_graph *g, ir_ref x) {
    return filled_like(g, x, 0);
}

ir_ref ir_ones_like(ir_graph *g, ir_ref x) {
    return x ? filled_like(g, x, ir_bits_from_i64(ir_dtype(g, x), 1)) : 0;
}

ir_ref ir_full_like(ir_graph *g, ir_ref x, double value) {
    return x ? filled_like(g, x, ir_bits_from_f64(ir_dtype(g, x), value)) : 0;
}

/* ---- sequences */

ir_ref ir_logspace(ir_graph *g, double start, double stop, int64_t n, double base, bz_dtype dtype) {
    if (!ir_is_float(dtype))
        return ir_error_as(g, BZ_EDTYPE, "logspace", "wants a floating dtype, not %s",
                           ir_dtypes[dtype].name);
    ir_ref e = ir_linspace(g, start, stop, n, BZ_F64);
    return ir_cast(g, ir_build2(g, IR_POW, ir_const_f(g, BZ_F64, base), e), dtype);
}

/* ---- triangles: element [i, j] is on or below diagonal k where j - i <= k */

/* Row and column numbers of [n, m]. */
static ir_ref below(ir_graph *g, ir_dim n, ir_dim m, int64_t diagonal) {
    ir_ref i = ir_iota(g, BZ_I64, &n, 1, 0), j = ir_iota(g, BZ_I64, &m, 1, 0);
    return ir_build2(g, IR_LE, ir_minus(g, j, ir_unsqueeze(g, i, 1)),
                     ir_const_i(g, BZ_I64, diagonal));
}

static ir_ref triangle(ir_graph *g, const char *name, ir_ref x, int64_t diagonal, bool lower) {
    if (!x) return 0;
    const ir_node *n = ir_at(g, x);
    if (n->rank < 2)
        return ir_error_as(g, BZ_ESHAPE, name, "%s has no matrix", ir_shape_text(g, x));
    ir_dim rows = ir_dims(g, n)[n->rank - 2], cols = ir_dims(g, n)[n->rank - 1];
    ir_ref in = below(g, rows, cols, lower || diagonal == INT64_MIN ? diagonal : diagonal - 1);
    ir_ref zero = ir_const_bits(g, ir_dtype(g, x), 0, NULL, 0);
    return lower ? ir_build3(g, IR_SELECT, in, x, zero) : ir_build3(g, IR_SELECT, in, zero, x);
}

ir_ref ir_tril(ir_graph *g, ir_ref x, int64_t diagonal) {
    return triangle(g, "tril", x, diagonal, true);
}

ir_ref ir_triu(ir_graph *g, ir_ref x, int64_t diagonal) {
    return triangle(g, "triu", x, diagonal, false);
}

ir_ref ir_tri(ir_graph *g, int64_t n, int64_t m, int64_t k, bz_dtype dtype) {
    if (n < 0 || m < 0)
        return ir_error_as(g, BZ_ESHAPE, "tri", "[%lld,%lld] is no shape", (long long)n,
                           (long long)m);
    return ir_cast(g, below(g, ir_dim_const(g, n), ir_dim_const(g, m), k), dtype);
}

/* Rows and columns of the elements of a triangle of [row, col], as [2, count]: numbers that are known now. */
static ir_ref indices(ir_graph *g, const char *name, int64_t rows, int64_t cols, int64_t offset,
                      bool lower) {
    int64_t count = 0, big = INT64_C(1) << 31;
    if (rows < 0 || cols < 0 || rows > big || cols > big)
        return ir_error_as(g, BZ_ESHAPE, name, "no triangle of [%lld,%lld]", (long long)rows,
                           (long long)cols);
    offset = offset > big ? big : offset < -big ? -big : offset;
    /* Row i has `len` elements; they are counted from a table of row starts: place p is in the last row that starts at or before p. */
    ir_dim nr = ir_dim_const(g, rows);
    ir_ref i = ir_iota(g, BZ_I64, &nr, 1, 0), zero = ir_const_i(g, BZ_I64, 0),
           end = ir_const_i(g, BZ_I64, cols);
    ir_ref cut = ir_build3(
        g, IR_CLAMP, ir_plus(g, i, ir_const_i(g, BZ_I64, lower ? offset + 1 : offset)), zero, end);
    for (int64_t r = 0; r < rows; r++) {
        int64_t c = r + (lower ? offset + 1 : offset);
        c = c < 0 ? 0 : c > cols ? cols : c;
        count += lower ? c : cols - c;
    }
    ir_ref len = lower ? cut : ir_minus(g, end, cut), stop = ir_cumsum(g, len, 0, false, false);
    ir_dim np = ir_dim_const(g, count);
    ir_ref p = ir_iota(g, BZ_I64, &np, 1, 0);
    ir_ref passed = ir_build2(g, IR_LE, stop, ir_unsqueeze(g, p, 1));
    ir_ref row = ir_reduce(g, IR_SUM, passed, (int[]){1}, 1, false);
    ir_ref mine = ir_build2(g, IR_EQ, i, ir_unsqueeze(g, row, 1));
    ir_ref shift = ir_build3(g, IR_SELECT, mine,
                             ir_minus(g, lower ? zero : cut, ir_minus(g, stop, len)), zero);
    ir_ref col = ir_plus(g, p, ir_reduce(g, IR_SUM, shift, (int[]){1}, 1, false));
    return ir_stack(g, (ir_ref[]){row, col}, 2, 0);
}

ir_ref ir_tril_indices(ir_graph *g, int64_t row, int64_t col, int64_t offset) {
    return indices(g, "tril_indices", row, col, offset, true);
}

ir_ref ir_triu_indices(ir_graph *g, int64_t row, int64_t col, int64_t offset) {
    return indices(g, "triu_indices", row, col, offset, false);
}

/* ---- diagonals */

/* The diagonal of a matrix, or a matrix with this diagonal. */
ir_ref ir_diag(ir_graph *g, ir_ref x, int64_t diagonal) {
    if (!x) return 0;
    if (ir_at(g, x)->rank == 2) return ir_diagonal(g, x, diagonal, 0, 1);
    if (ir_at(g, x)->rank == 1) return ir_diag_embed(g, x, diagonal, 0, 1);
    return ir_error_as(g, BZ_ESHAPE, "diag", "%s is neither a vector nor a matrix",
                       ir_shape_text(g, x));
}

/* ---- tables */

/* Powers of x from n - 1 down to 0, or up, along a new axis. */
ir_ref ir_vander(ir_graph *g, ir_ref x, int64_t n, bool increasing) {
    if (!x) return 0;
    if (ir_at(g, x)->rank == 0 || n < 0)
        return ir_error_as(g, BZ_ESHAPE, "vander", "no %lld powers of %s", (long long)n,
                           ir_shape_text(g, x));
    ir_dim dim = ir_dim_const(g, n);
    ir_ref e = ir_iota(g, BZ_I64, &dim, 1, 0);
    if (!increasing) e = ir_minus(g, ir_const_i(g, BZ_I64, n - 1), e);
    ir_ref column = ir_unsqueeze(g, x, -1);
    return ir_build2(g, IR_POW, column, e);
}

/* Part i is x[i] along axis i of a grid of all of them; xy: the first two axes are exchanged, as NumPy has them. */
ir_ref ir_meshgrid(ir_graph *g, const ir_ref *x, unsigned n, bool xy, ir_parts *parts) {
    ir_dim dims[IR_MAX_RANK], one = ir_dim_const(g, 1);
    if (n < 1 || n > IR_MAX_RANK)
        return ir_error_as(g, BZ_EARG, "meshgrid", "%u axes; 1 to %d are possible", n, IR_MAX_RANK);
    if (!ir_parts_new(g, "meshgrid", n, parts)) return 0;
    ir_ref *source = bz_arena_copy(&g->arena, x, n * sizeof *source);
    for (unsigned i = 0; source && i < n; i++) {
        if (!source[i]) return 0;
        if (ir_at(g, source[i])->rank > 1)
            return ir_error_as(g, BZ_ESHAPE, "meshgrid", "%s is no vector",
                               ir_shape_text(g, source[i]));
        unsigned at = xy && n > 1 && i < 2 ? 1 - i : i;
        dims[at] = ir_at(g, source[i])->rank ? ir_dims(g, ir_at(g, source[i]))[0] : one;
    }
    for (unsigned i = 0; i < n; i++) {
        ir_dim own[IR_MAX_RANK];
        unsigned at = xy && n > 1 && i < 2 ? 1 - i : i;
        for (unsigned a = 0; a < n; a++) own[a] = a == at ? dims[a] : one;
        ir_ref line = source ? ir_reshape_dims(g, source[i], own, n) : 0;
        parts->p[i] = ir_expand_dims_like(g, line, dims, n);
    }
    return parts->p[0];
}
