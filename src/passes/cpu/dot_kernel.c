/* dot_kernel.c - the micro-kernel of products: tile[MR][NR] = a panel of x . a panel of y, block of k by block of k.
 *
 *     blocks   MR x NR accumulators in registers, for each k one row of y's panel and MR elements of x: one block of k, added to the
 *              tile if it holds what came before; meanwhile a part of y's next panel is asked for
 *     streams  few rows, a y that comes from memory: the tile is wide and lies in the first cache, y is read row by row as it lies
 *     sparse   where x begins or ends with zeros, and y is finite there, nothing is added: it is left out
 *
 * It is a function, which all products with this tile share. */
#include "src/passes/cpu/dot_panel.h"

#include <string.h>

enum {
    UNROLL = 8, /* rows of y that are streamed at once */
    MOST = 66   /* chains of a tile, and two places */
};

typedef struct ukernel {
    const dot_kernel *q;
    lp_builder *b;
    lp_val x, y, tile, k, xdown, ydown;
    lp_val ynext,
        yshare; /* blocks: what is read next, of which so many elements are asked for at each k */
} ukernel;

/* acc[i * nv + v] += x[i] * y[v] of one k, which begins in x at `row` and in y at `at`. */
static void one_product(const ukernel *u, lp_val *acc, lp_val row, lp_val at) {
    const dot_kernel *q = u->q;
    lp_builder *b = u->b;
    lp_val col[8];
    for (unsigned v = 0; v < q->nv; v++) {
        lp_val place = lp_iadd(b, at, lp_index(b, v * q->lanes));
        col[v] = lp_load(b, u->y, place, q->lanes, 0, 0);
    }
    for (unsigned i = 0; i < q->x.panel; i++) {
        lp_val from = lp_iadd(b, row, lp_index(b, i * q->x.along));
        lp_val x = lp_splat(b, lp_load(b, u->x, from, 1, 0, 0), q->lanes);
        for (unsigned v = 0; v < q->nv; v++)
            acc[i * q->nv + v] = dot_multiply_add(b, q->a.acc, x, col[v], acc[i * q->nv + v]);
    }
}

/* The next k: acc is followed by where it begins in x and y. */
static void go_on(const ukernel *u, lp_val *acc) {
    const unsigned n = u->q->x.panel * u->q->nv;
    one_product(u, acc, acc[n], acc[n + 1]);
    acc[n] = lp_iadd(u->b, acc[n], u->xdown);
    acc[n + 1] = lp_iadd(u->b, acc[n + 1], u->ydown);
}

/* acc[i * nv + v] += x . y over k from k0 to k1, two of them in a turn. */
static void chains(const ukernel *u, lp_val *acc, lp_val k0, lp_val k1) {
    lp_builder *b = u->b;
    const unsigned n = u->q->x.panel * u->q->nv;
    lp_val next[MOST], even = lp_isub(b, k1, lp_imod(b, lp_isub(b, k1, k0), lp_index(b, DOT_TURN)));
    acc[n] = lp_imul(b, k0, u->xdown);
    acc[n + 1] = lp_imul(b, k0, u->ydown);
    const lp_val k = lp_loop(b, LP_SERIAL, k0, even, DOT_TURN, acc, n + 2, next);
    if (u->ynext) lp_prefetch(b, u->ynext, lp_imul(b, k, u->yshare), false);
    for (unsigned i = 0; i < DOT_TURN; i++) go_on(u, next);
    lp_end(b, next, n + 2, acc);
    memcpy(next, acc, sizeof next);
    lp_if(b, lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){even, k1}, 2));
    go_on(u, next);
    lp_else(b, next, n);
    lp_end(b, acc, n, acc);
}

static void begin_chains(const ukernel *u, lp_val *acc) {
    const unsigned n = u->q->x.panel * u->q->nv;
    for (unsigned i = 0; i < n; i++) acc[i] = lp_const(u->b, u->q->a.acc, 0, u->q->lanes);
}

/* The chains into the tile, onto what it holds of the k's before. */
static void end_chains(const ukernel *u, const lp_val *acc, lp_val before) {
    const dot_kernel *q = u->q;
    lp_builder *b = u->b;
    const unsigned n = q->x.panel * q->nv;
    lp_val sum[MOST];
    lp_if(b, lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){lp_index(b, 0), before}, 2));
    for (unsigned i = 0; i < n; i++) {
        lp_val to = lp_index(b, i * (int64_t)q->lanes);
        lp_val v[2] = {lp_load(b, u->tile, to, q->lanes, 0, LP_ALIGNED), acc[i]};
        sum[i] = lp_base(b, IR_ADD, q->a.acc, v, 2);
    }
    lp_else(b, sum, n);
    lp_end(b, acc, n, sum);
    for (unsigned i = 0; i < n; i++)
        lp_store(b, u->tile, lp_index(b, i * (int64_t)q->lanes), sum[i], 0, LP_ALIGNED);
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
        for (unsigned s = 0; s < n; s++) sum = dot_multiply_add(b, q->a.acc, x[s][i], y[s], sum);
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

/* The first block is made in the tile, the others beside it. */
static void stream_blocks(const ukernel *u) {
    lp_builder *b = u->b;
    const lp_val block = lp_index(b, IR_DOT_BLOCK);
    lp_val other = lp_offset(b, u->tile, lp_index(b, (int64_t)u->q->x.panel * u->q->y.panel));
    stream_block(u, u->tile, lp_index(b, 0), lp_imin(b, u->k, block));
    lp_val k0 = lp_loop(b, LP_SERIAL, block, u->k, IR_DOT_BLOCK, NULL, 0, NULL);
    stream_block(u, other, k0, lp_imin(b, lp_iadd(b, k0, block), u->k));
    each_vector(u, u->tile, other);
    lp_end(b, NULL, 0, NULL);
}

/* ---- products that add nothing
 *
 * A chain begins at +0, which x = 0 and a finite y leave as it is; and so they do with every sum but -0. So where an x panel begins or
 * ends with zeros in all its rows, the chains begin later, and stop earlier. */

typedef struct span {
    lp_val from, to;
} span;

/* `lanes` values of k of each row of x: is one not 0? */
static lp_val has_nonzero(const ukernel *u, lp_val k) {
    const dot_kernel *q = u->q;
    lp_builder *b = u->b;
    const bz_dtype t = q->a.acc;
    lp_val zero = lp_const(b, t, 0, q->lanes), most = zero;
    for (unsigned i = 0; i < q->x.panel; i++) {
        lp_val row = lp_iadd(b, k, lp_index(b, i * q->x.along)), packed = lp_imul(b, k, u->xdown);
        packed = lp_iadd(b, packed, lp_index(b, i * (int64_t)q->lanes));
        lp_val x = lp_load(b, u->x, q->x.place == DOT_BAND ? row : packed, q->lanes, 0, 0);
        x = lp_base(b, IR_ABS, t, &x, 1);
        most = lp_base(b, IR_MAX, t, (lp_val[]){most, x}, 2);
    }
    return lp_any(b, lp_base(b, IR_NE, BZ_BOOL, (lp_val[]){most, zero}, 2));
}

static lp_val is_zero(const ukernel *u, int64_t row, lp_val k) {
    lp_builder *b = u->b;
    lp_val at = lp_iadd(b, lp_imul(b, k, u->xdown), lp_index(b, row * u->q->x.along));
    lp_val x = lp_load(b, u->x, at, 1, 0, 0);
    return lp_base(b, IR_EQ, BZ_BOOL, (lp_val[]){x, lp_const(b, u->q->a.acc, 0, 1)}, 2);
}

/* From the first to behind the last `lanes` of k0 .. k1 that hold something; empty: none does. */
static span find_nonzero(const ukernel *u, lp_val k0, lp_val k1) {
    lp_builder *b = u->b;
    lp_val lanes = lp_index(b, u->q->lanes), s[2] = {k1, k0};
    lp_val k = lp_loop(b, LP_SERIAL, k0, k1, u->q->lanes, s, 2, s);
    lp_val held = has_nonzero(u, k);
    lp_val from[3] = {held, lp_imin(b, s[0], k), s[0]}, to[3] = {held, lp_iadd(b, k, lanes), s[1]};
    s[0] = lp_base(b, IR_SELECT, BZ_I64, from, 3);
    s[1] = lp_base(b, IR_SELECT, BZ_I64, to, 3);
    lp_end(b, s, 2, s);
    return (span){lp_imin(b, s[0], s[1]), s[1]};
}

/* Is y finite in the block that begins at k0? dot_pack has noted it. */
static lp_val is_finite(const ukernel *u, lp_val k0) {
    lp_builder *b = u->b;
    lp_val at = lp_imul(b, u->k, lp_index(b, u->q->y.panel));
    at = lp_iadd(b, at, lp_idiv(b, k0, lp_index(b, IR_DOT_BLOCK)));
    lp_val v[2] = {lp_load(b, u->y, at, 1, 0, 0), lp_const(b, u->q->a.acc, 0, 1)};
    return lp_base(b, IR_EQ, BZ_BOOL, v, 2);
}

/* The k of a block whose products must be added. The first x of all and the last one tell the most. */
static span adds_something(const ukernel *u, lp_val k0, lp_val k1) {
    lp_builder *b = u->b;
    lp_val last = lp_isub(b, k1, lp_index(b, 1)), all[2] = {k0, k1};
    lp_val ends[2] = {is_zero(u, 0, k0), is_zero(u, u->q->x.panel - 1, last)};
    lp_val maybe[2] = {lp_base(b, IR_OR, BZ_BOOL, ends, 2), is_finite(u, k0)};
    lp_if(b, lp_base(b, IR_AND, BZ_BOOL, maybe, 2));
    span s = find_nonzero(u, k0, k1);
    lp_else(b, (lp_val[]){s.from, s.to}, 2);
    lp_end(b, (lp_val[]){k0, k1}, 2, all);
    return (span){all[0], all[1]};
}

/* Is one of the chains -0 (a product that was too small)? */
static lp_val has_minus_zero(const ukernel *u, const lp_val *acc) {
    lp_builder *b = u->b;
    const bz_dtype t = u->q->a.acc, bits = t == BZ_F64 ? BZ_I64 : BZ_I32;
    lp_val minus = lp_const(b, t, ir_bits_from_f64(t, -0.0), u->q->lanes), any = 0;
    minus = lp_base(b, IR_BITCAST, bits, &minus, 1);
    for (unsigned i = 0; i < u->q->x.panel * u->q->nv; i++) {
        lp_val v[2] = {lp_base(b, IR_BITCAST, bits, &acc[i], 1), minus};
        lp_val is = lp_base(b, IR_EQ, BZ_BOOL, v, 2);
        any = any ? lp_base(b, IR_OR, BZ_BOOL, (lp_val[]){any, is}, 2) : is;
    }
    return lp_any(b, any);
}

static void sparse_chains(const ukernel *u, lp_val *acc, lp_val k0, lp_val k1) {
    lp_builder *b = u->b;
    const span s = adds_something(u, k0, k1);
    begin_chains(u, acc);
    chains(u, acc, s.from, s.to);
    lp_val some[2] = {lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){s.from, s.to}, 2),
                      has_minus_zero(u, acc)};
    lp_val goes_on = lp_base(b, IR_AND, BZ_BOOL, some, 2);
    chains(u, acc, s.to, lp_base(b, IR_SELECT, BZ_I64, (lp_val[]){goes_on, k1, s.to}, 3));
}

static void sparse_blocks(const ukernel *u) {
    lp_builder *b = u->b;
    const lp_val block = lp_index(b, IR_DOT_BLOCK), zero = lp_index(b, 0);
    lp_val acc[MOST], least = lp_imax(b, u->k, lp_index(b, 1)); /* of nothing there is one block */
    lp_val k0 = lp_loop(b, LP_SERIAL, zero, least, IR_DOT_BLOCK, NULL, 0, NULL);
    sparse_chains(u, acc, k0, lp_imin(b, lp_iadd(b, k0, block), u->k));
    end_chains(u, acc, k0);
    lp_end(b, NULL, 0, NULL);
}

static void one_block(const ukernel *u, lp_val before) {
    lp_val acc[MOST];
    begin_chains(u, acc);
    chains(u, acc, lp_index(u->b, 0), u->k);
    end_chains(u, acc, before);
}

/* From k to k + 1: of panels that are cut it is known, which leaves the addresses to the loads. */
static lp_val down(lp_builder *b, const dot_kernel *q, const dot_side *s, const char *name) {
    lp_val told = lp_add_extent(b, name);
    return q->blocks ? lp_index(b, s->panel) : told;
}

/* Has the function all of k? Else a block of it. */
static bool is_whole(const dot_kernel *q) {
    return q->streams || q->sparse;
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
    const bool whole = is_whole(q);
    if (!whole) u.ynext = lp_add_buffer(b, "ynext", t, LP_IN);
    u.k = lp_add_extent(b, "k");
    u.xdown = down(b, q, &q->x, "xdown");
    u.ydown = down(b, q, &q->y, "ydown");
    if (!whole) {
        u.yshare = lp_add_extent(b, "yshare");
        one_block(&u, lp_add_extent(b, "before"));
    } else if (q->streams) {
        stream_blocks(&u);
    } else {
        sparse_blocks(&u);
    }
    lp_builder_free(b);
    return lower_function(q->l, f, &q->ukernel);
}

void dot_add_block(const dot_kernel *q, const dot_block *k) {
    lp_builder *b = q->l->b;
    lp_val args[9] = {k->x,
                      k->y,
                      k->tile,
                      k->next,
                      k->depth,
                      lp_index(b, q->x.down),
                      lp_index(b, q->y.down),
                      k->share,
                      k->before};
    lp_call(b, q->ukernel, args, 9);
}

void dot_add_all(const dot_kernel *q, lp_val x, lp_val y) {
    lp_builder *b = q->l->b;
    const lp_val zero = lp_index(b, 0), xdown = lp_index(b, q->x.down),
                 ydown = lp_index(b, q->y.down);
    if (is_whole(q)) {
        lp_call(b, q->ukernel, (lp_val[]){x, y, q->tile, q->depth, xdown, ydown}, 6);
        return;
    }
    lp_val least = lp_imax(b, q->depth, lp_index(b, 1)); /* of nothing there is one block */
    lp_val k0 = lp_loop(b, LP_SERIAL, zero, least, IR_DOT_BLOCK, NULL, 0, NULL);
    dot_add_block(
        q, &(dot_block){.x = lp_offset(b, x, lp_imul(b, k0, xdown)),
                        .y = lp_offset(b, y, lp_imul(b, k0, ydown)),
                        .tile = q->tile,
                        .next = y,
                        .depth = lp_imin(b, lp_index(b, IR_DOT_BLOCK), lp_isub(b, q->depth, k0)),
                        .share = zero,
                        .before = k0});
    lp_end(b, NULL, 0, NULL);
}
