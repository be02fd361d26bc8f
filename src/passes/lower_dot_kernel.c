/* lower_dot_kernel.c - the micro-kernel of products: tile[MR][NR] = a panel of x . a panel of y, block of k by block of k.
 *
 *     tiles    MR x NR accumulators in registers, for each k one row of y's panel and MR elements of x
 *     streams  few rows, a y that comes from memory: the tile is wide and lies in the first cache, y is read row by row as it lies
 *     sparse   a block whose x is all zeros and whose y is finite adds +0: it is left out
 *
 * It is a function, which all products with this tile share. */
#include "src/passes/lower_dot.h"

enum { UNROLL = 8 }; /* rows of y that are streamed at once */

static lp_val multiply_add(lp_builder *b, bz_dtype t, lp_val x, lp_val y, lp_val acc) {
    if (ir_is_float(t)) return lp_base(b, IR_FMA, t, (lp_val[]){x, y, acc}, 3);
    lp_val p = lp_base(b, IR_MUL, t, (lp_val[]){x, y}, 2);
    return lp_base(b, IR_ADD, t, (lp_val[]){acc, p}, 2);
}

typedef struct ukernel {
    const dot_kernel *q;
    lp_builder *b;
    lp_val x, y, tile, xdown, ydown;
} ukernel;

/* tile[i * NR + j] of a block of k from k0 to k1: chains from +0; `add`: onto what the tile holds. */
static void block_of_k(const ukernel *u, lp_val k0, lp_val k1, bool add) {
    const dot_kernel *q = u->q;
    lp_builder *b = u->b;
    bz_dtype t = q->a.acc;
    const unsigned mr = q->x.panel, n = mr * q->nv;
    lp_val acc[66], next[66], col[8]; /* the last two: where in x and y this k begins */
    for (unsigned i = 0; i < n; i++) acc[i] = lp_const(b, t, 0, q->lanes);
    acc[n] = lp_imul(b, k0, u->xdown);
    acc[n + 1] = lp_imul(b, k0, u->ydown);
    lp_loop(b, LP_SERIAL, k0, k1, 1, acc, n + 2, next);
    const lp_val row = next[n], at = next[n + 1];
    for (unsigned v = 0; v < q->nv; v++) {
        lp_val place = lp_iadd(b, at, lp_index(b, v * q->lanes));
        col[v] = lp_load(b, u->y, place, q->lanes, 0, 0);
    }
    for (unsigned i = 0; i < mr; i++) {
        lp_val from = lp_iadd(b, row, lp_index(b, i * q->x.along));
        lp_val x = lp_splat(b, lp_load(b, u->x, from, 1, 0, 0), q->lanes);
        for (unsigned v = 0; v < q->nv; v++)
            next[i * q->nv + v] = multiply_add(b, t, x, col[v], next[i * q->nv + v]);
    }
    next[n] = lp_iadd(b, row, u->xdown);
    next[n + 1] = lp_iadd(b, at, u->ydown);
    lp_end(b, next, n + 2, acc);
    for (unsigned i = 0; i < n; i++) {
        lp_val to = lp_index(b, i * (int64_t)q->lanes), sum = acc[i];
        if (add)
            sum = lp_base(b, IR_ADD, t,
                          (lp_val[]){lp_load(b, u->tile, to, q->lanes, 0, LP_ALIGNED), sum}, 2);
        lp_store(b, u->tile, to, sum, 0, LP_ALIGNED);
    }
}

/* ---- the streaming micro-kernel, for few rows and a y that comes from memory
 *
 * The tile is many columns wide and stays in the first cache; y is read row by row, as it lies, UNROLL rows at once. */

/* tile[i][n] += x[i][k] * y[k][n] for `n` steps of k. */
static void add_rows(const ukernel *u, lp_val acc, lp_val k, unsigned n) {
    const dot_kernel *q = u->q;
    lp_builder *b = u->b;
    const unsigned mr = q->x.panel;
    lp_val x[UNROLL][DOT_STREAM_ROWS], y[UNROLL];
    for (unsigned s = 0; s < n; s++) {
        lp_val row = lp_imul(b, lp_iadd(b, k, lp_index(b, s)), u->xdown);
        for (unsigned i = 0; i < mr; i++)
            x[s][i] =
                lp_splat(b, lp_load(b, u->x, lp_iadd(b, row, lp_index(b, i * q->x.along)), 1, 0, 0),
                         q->lanes);
    }
    lp_val c =
        lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_index(b, q->y.panel), q->lanes, NULL, 0, NULL);
    for (unsigned s = 0; s < n; s++) {
        lp_val row = lp_imul(b, lp_iadd(b, k, lp_index(b, s)), u->ydown);
        y[s] = lp_load(b, u->y, lp_iadd(b, row, c), q->lanes, 0, 0);
    }
    for (unsigned i = 0; i < mr; i++) {
        lp_val at = lp_iadd(b, c, lp_index(b, i * (int64_t)q->y.panel));
        lp_val sum = lp_load(b, acc, at, q->lanes, 0, LP_ALIGNED);
        for (unsigned s = 0; s < n; s++) sum = multiply_add(b, q->a.acc, x[s][i], y[s], sum);
        lp_store(b, acc, at, sum, 0, LP_ALIGNED);
    }
    lp_end(b, NULL, 0, NULL);
}

/* Every vector of the tile: to[c] = 0, or to[c] + from[c]. */
static void each_vector(const ukernel *u, lp_val to, lp_val from) {
    const dot_kernel *q = u->q;
    lp_builder *b = u->b;
    const bz_dtype t = q->a.acc;
    lp_val c = lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_index(b, (int64_t)q->x.panel * q->y.panel),
                       q->lanes, NULL, 0, NULL);
    lp_val v = lp_const(b, t, 0, q->lanes);
    if (from)
        v = lp_base(b, IR_ADD, t,
                    (lp_val[]){lp_load(b, to, c, q->lanes, 0, LP_ALIGNED),
                               lp_load(b, from, c, q->lanes, 0, LP_ALIGNED)},
                    2);
    lp_store(b, to, c, v, 0, LP_ALIGNED);
    lp_end(b, NULL, 0, NULL);
}

static void stream_block(const ukernel *u, lp_val acc, lp_val k0, lp_val k1) {
    lp_builder *b = u->b;
    lp_val whole = lp_isub(b, k1, lp_imod(b, lp_isub(b, k1, k0), lp_index(b, UNROLL)));
    each_vector(u, acc, 0);
    add_rows(u, acc, lp_loop(b, LP_SERIAL, k0, whole, UNROLL, NULL, 0, NULL), UNROLL);
    lp_end(b, NULL, 0, NULL);
    add_rows(u, acc, lp_loop(b, LP_SERIAL, whole, k1, 1, NULL, 0, NULL), 1);
    lp_end(b, NULL, 0, NULL);
}

/* ---- blocks that add nothing: rows of zeros, times what is finite, are +0 in any order */

/* Is some x of the block not 0? One chain for each row. */
static lp_val has_nonzero(const ukernel *u, lp_val k0, lp_val k1) {
    const dot_kernel *q = u->q;
    lp_builder *b = u->b;
    const bz_dtype t = q->a.acc;
    const unsigned mr = q->x.panel;
    lp_val most[64], zero = lp_const(b, t, 0, q->lanes), all = zero;
    for (unsigned i = 0; i < mr; i++) most[i] = zero;
    lp_val k = lp_loop(b, LP_SERIAL, k0, k1, q->lanes, most, mr, most);
    for (unsigned i = 0; i < mr; i++) {
        lp_val at = lp_iadd(b, k, lp_index(b, i * q->x.along));
        lp_val x = lp_load(b, u->x, at, q->lanes, 0, 0);
        x = lp_base(b, IR_ABS, t, &x, 1);
        most[i] = lp_base(b, IR_MAX, t, (lp_val[]){most[i], x}, 2);
    }
    lp_end(b, most, mr, most);
    for (unsigned i = 0; i < mr; i++) all = lp_base(b, IR_MAX, t, (lp_val[]){all, most[i]}, 2);
    return lp_any(b, lp_base(b, IR_NE, BZ_BOOL, (lp_val[]){all, zero}, 2));
}

/* Is some y of the block infinite or no number? Then its sum of y * 0 is no number. */
static lp_val has_nonfinite(const ukernel *u, lp_val k0, lp_val k1) {
    const dot_kernel *q = u->q;
    lp_builder *b = u->b;
    const bz_dtype t = q->a.acc;
    const unsigned n = 2 * q->nv; /* chains: two rows of a panel */
    lp_val sum[16], zero = lp_const(b, t, 0, q->lanes), all = zero, nr = lp_index(b, q->y.panel);
    for (unsigned i = 0; i < n; i++) sum[i] = zero;
    lp_val from = lp_imul(b, k0, nr), to = lp_imul(b, k1, nr);
    lp_val at = lp_loop(b, LP_SERIAL, from, to, 2 * (int64_t)q->y.panel, sum, n, sum);
    for (unsigned i = 0; i < n; i++) {
        lp_val y = lp_load(b, u->y, lp_iadd(b, at, lp_index(b, i * q->lanes)), q->lanes, 0, 0);
        sum[i] = multiply_add(b, t, y, zero, sum[i]);
    }
    lp_end(b, sum, n, sum);
    for (unsigned i = 0; i < n; i++) all = lp_base(b, IR_ADD, t, (lp_val[]){all, sum[i]}, 2);
    return lp_any(b, lp_base(b, IR_NE, BZ_BOOL, (lp_val[]){all, zero}, 2));
}

/* Must the products from k0 to k1 be added? The last row tells the most, if one is not 0. */
static lp_val adds_something(const ukernel *u, lp_val k0, lp_val k1) {
    const dot_kernel *q = u->q;
    lp_builder *b = u->b;
    lp_val at = lp_iadd(b, k0, lp_index(b, (q->x.panel - 1) * q->x.along));
    lp_val x = lp_load(b, u->x, at, 1, 0, 0), yes[3];
    yes[0] = lp_base(b, IR_NE, BZ_BOOL, (lp_val[]){x, lp_const(b, q->a.acc, 0, 1)}, 2);
    lp_if(b, yes[0]);
    lp_else(b, &yes[0], 1);
    yes[1] = has_nonzero(u, k0, k1);
    lp_if(b, yes[1]);
    lp_else(b, &yes[1], 1);
    yes[2] = has_nonfinite(u, k0, k1);
    lp_end(b, &yes[2], 1, &yes[1]);
    lp_end(b, &yes[1], 1, &yes[0]);
    return yes[0];
}

/* The tile, or what it holds, plus nothing. */
static void add_nothing(const ukernel *u, bool add) {
    const dot_kernel *q = u->q;
    lp_builder *b = u->b;
    for (unsigned i = 0; i < q->x.panel * q->nv; i++) {
        lp_val at = lp_index(b, i * (int64_t)q->lanes), v = lp_const(b, q->a.acc, 0, q->lanes);
        if (add)
            v = lp_base(b, IR_ADD, q->a.acc,
                        (lp_val[]){lp_load(b, u->tile, at, q->lanes, 0, LP_ALIGNED), v}, 2);
        lp_store(b, u->tile, at, v, 0, LP_ALIGNED);
    }
}

/* The sums of a block of k into the tile; `add`: onto what it holds. */
static void one_block(const ukernel *u, lp_val k0, lp_val k1, bool add) {
    if (u->q->sparse) {
        lp_if(u->b, adds_something(u, k0, k1));
        block_of_k(u, k0, k1, add);
        lp_else(u->b, NULL, 0);
        add_nothing(u, add);
        lp_end(u->b, NULL, 0, NULL);
        return;
    }
    if (!u->q->streams) {
        block_of_k(u, k0, k1, add);
        return;
    }
    lp_val other = lp_offset(u->b, u->tile, lp_index(u->b, (int64_t)u->q->x.panel * u->q->y.panel));
    stream_block(u, add ? other : u->tile, k0, k1);
    if (add) each_vector(u, u->tile, other);
}

bool dot_make_ukernel(dot_kernel *q) {
    const bz_dtype t = q->a.acc;
    lp_kernel *f = lp_kernel_new("ukernel");
    lp_builder *b = f ? lp_builder_new(f) : NULL;
    if (!b) {
        lp_kernel_free(f);
        return false;
    }
    f->function = true;
    ukernel u = {.q = q,
                 .b = b,
                 .x = lp_add_buffer(b, "x", t, LP_IN),
                 .y = lp_add_buffer(b, "y", t, LP_IN),
                 .tile = lp_add_buffer(b, "tile", t, LP_INOUT)};
    lp_val k = lp_add_extent(b, "k"), block = lp_index(b, IR_DOT_BLOCK);
    u.xdown = lp_add_extent(b, "xdown");
    u.ydown = lp_add_extent(b, "ydown");
    one_block(&u, lp_index(b, 0), lp_imin(b, k, block), false);
    lp_val k0 = lp_loop(b, LP_SERIAL, block, k, IR_DOT_BLOCK, NULL, 0, NULL);
    one_block(&u, k0, lp_imin(b, lp_iadd(b, k0, block), k), true);
    lp_end(b, NULL, 0, NULL);
    lp_builder_free(b);
    return lower_function(q->l, f, &q->ukernel);
}
