/* dot_block.c - sums of products by blocks of threads: tiles of both sides pass through shared memory, each thread holds a small tile
 * of sums.
 *
 *         k -->                      n -->
 *     m  +-----+--         k  +-----------+        a block's tile: (down * rows) x (across * columns), threads down x across
 *     |  | xs  |           |  |    ys     |        a turn: `deep` steps of k into shared memory, then each thread
 *     v  +-----+--         v  +-----------+        sum[rows][columns] += xs[rows] . ys[columns]
 *
 * Order of additions (IR_ORDER_DOT): an fma chain from +0 over blocks of 512, the blocks' sums added in order. A turn never crosses the end
 * of a block, and what lies beyond k adds nothing: not even +0. The tiling is that of CUTLASS's SIMT kernels. */
#include "src/passes/gpu/gpu.h"
#include "src/passes/cpu/dot.h"
#include "src/ir/loops/builder.h"

enum {
    LANES = 4,          /* of the vectors that a thread computes with: 16 bytes of f32 */
    MOST = 64,          /* sums of a thread */
    PAD = 4,            /* elements behind a row of shared memory: another bank */
    SHORT_EPILOGUE = 24 /* steps up to which it is written out for each element of the tile */
};

typedef struct tile {
    unsigned rows, columns; /* of a thread */
    unsigned down, across;  /* threads */
    unsigned deep;
} tile;

/* From the smallest number of rows on; the first one whose `least` rows are there. */
static const struct {
    int64_t least;
    tile t;
} tiles[] = {{96, {8, 8, 16, 16, 8}},
             {24, {4, 4, 16, 16, 16}},
             {5, {4, 4, 4, 64, 8}},
             {0, {1, 4, 1, 128, 8}}};

/* One side in shared memory: [deep][pitch]. */
typedef struct staged {
    const dot_side *side;
    lp_val p;
    int64_t size, pitch;
    bool along_k; /* neighbours in memory are neighbours along k */
} staged;

typedef struct block_kernel {
    dot_kernel q;
    tile t;
    staged x, y;
    lp_val thread, row,
        column;    /* of the block; the first row and column of the thread in its tile */
    lp_val m0, n0; /* of the tile */
    unsigned nv;   /* vectors of a thread's row */
} block_kernel;

static unsigned threads(const block_kernel *k) {
    return k->t.down * k->t.across;
}

static void choose_tile(block_kernel *k) {
    const int64_t m = k->q.x.size;
    unsigned i = 0;
    while (m < tiles[i].least) i++;
    k->t = tiles[i].t;
    if (tiles[i].least == 0) k->t.rows = m > 1 ? 4 : 1;
    if (k->t.columns == 8 && k->q.y.size <= 64) k->t.columns = 4;
    if (ir_dtype_bytes(k->q.a.acc) > 4 && k->t.columns == 8) k->t.columns = 4;
    k->nv = k->t.columns / LANES;
}

static void set_staged(block_kernel *k, staged *s, const dot_side *side, unsigned size) {
    s->side = side;
    s->size = size;
    s->pitch = size + PAD;
    s->along_k =
        !dot_dense_along(&k->q, side, side->sym) && dot_dense_along(&k->q, side, k->q.k_sym);
    s->p = lp_local(k->q.l->b, k->q.a.acc, k->t.deep * s->pitch, LP_SHARED);
}

/* ---- into shared memory */

static lp_val less(lp_builder *b, lp_val x, lp_val y) {
    return lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){x, y}, 2);
}

/* Element r of the side at step j of the turn that begins at k0; first: the element of the side where the tile begins. */
static void stage_element(block_kernel *k, const staged *s, lp_val first, lp_val k0, lp_val r,
                          lp_val j) {
    dot_kernel *q = &k->q;
    lower *l = q->l;
    lp_builder *b = l->b;
    lp_val at = lp_iadd(b, first, r), step = lp_iadd(b, k0, j);
    lp_val to = lp_iadd(b, lp_imul(b, j, lp_index(b, s->pitch)), r), there[2] = {0, 0};
    if (s->side->ragged) there[0] = less(b, at, s->side->count);
    if (q->any_depth || q->k % k->t.deep) there[1] = less(b, step, q->depth);
    lp_val inside = there[0] && there[1] ? lp_base(b, IR_AND, BZ_BOOL, there, 2)
                    : there[0]           ? there[0]
                                         : there[1];
    const unsigned mark = emit_mark(&l->m);
    if (inside) lp_if(b, inside);
    emit_scalar(&l->m);
    emit_sym(&l->m, s->side->sym, at);
    emit_sym(&l->m, q->k_sym, step);
    emit_value v = dot_widened(q, s->side->r, s->side->idx);
    lp_store(b, s->p, to, v.v[0], 0, 0);
    emit_forget(&l->m, mark);
    if (!inside) return;
    lp_else(b, NULL, 0);
    lp_store(b, s->p, to, lp_const(b, q->a.acc, 0, 1), 0, 0);
    lp_end(b, NULL, 0, NULL);
}

/* All of a side's tile, an element a thread at a time, neighbours in memory by neighbours. */
static void stage(block_kernel *k, const staged *s, lp_val first, lp_val k0) {
    lp_builder *b = k->q.l->b;
    const int64_t all = s->size * k->t.deep, n = threads(k);
    const lp_val one = lp_index(b, s->along_k ? k->t.deep : s->size);
    lp_val i = lp_loop(b, (all + n - 1) / n <= 16 ? LP_UNROLLED : LP_SERIAL, lp_index(b, 0),
                       lp_index(b, (all + n - 1) / n), 1, NULL, 0, NULL);
    lp_val e = lp_iadd(b, k->thread, lp_imul(b, i, lp_index(b, n)));
    if (all % n) lp_if(b, less(b, e, lp_index(b, all)));
    lp_val slow = lp_idiv(b, e, one), fast = lp_imod(b, e, one);
    stage_element(k, s, first, k0, s->along_k ? slow : fast, s->along_k ? fast : slow);
    if (all % n) lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
}

/* ---- the sums */

/* The thread's elements of a row of shared memory as scalars. */
static void load_rows(const block_kernel *k, lp_val j, lp_val *x) {
    lp_builder *b = k->q.l->b;
    lp_val at = lp_iadd(b, lp_imul(b, j, lp_index(b, k->x.pitch)), k->row);
    if (k->t.rows < LANES) {
        for (unsigned i = 0; i < k->t.rows; i++)
            x[i] = lp_load(b, k->x.p, lp_iadd(b, at, lp_index(b, i)), 1, 0, 0);
        return;
    }
    for (unsigned i = 0; i < k->t.rows; i += LANES) {
        lp_val v = lp_load(b, k->x.p, lp_iadd(b, at, lp_index(b, i)), LANES, 0, LP_ALIGNED);
        for (unsigned n = 0; n < LANES; n++) x[i + n] = lp_extract(b, v, n);
    }
}

/* Columns of the thread in the tile: vectors that are `across` vectors apart. */
static lp_val column_of(const block_kernel *k, unsigned v) {
    lp_builder *b = k->q.l->b;
    return lp_iadd(b, k->column, lp_index(b, (int64_t)v * k->t.across * LANES));
}

/* sum += xs . ys for steps 0 .. count of a turn. */
static void multiply(block_kernel *k, lp_val count, lp_val *sum) {
    lp_builder *b = k->q.l->b;
    const unsigned n = k->t.rows * k->nv;
    lp_val next[MOST], x[8], y[2];
    int64_t known;
    lp_loop_kind kind = lp_const_i64(b, count, &known) ? LP_UNROLLED : LP_SERIAL;
    lp_val j = lp_loop(b, kind, lp_index(b, 0), count, 1, sum, n, next);
    load_rows(k, j, x);
    for (unsigned v = 0; v < k->nv; v++) {
        lp_val at = lp_iadd(b, lp_imul(b, j, lp_index(b, k->y.pitch)), column_of(k, v));
        y[v] = lp_load(b, k->y.p, at, LANES, 0, LP_ALIGNED);
    }
    for (unsigned i = 0; i < k->t.rows; i++)
        for (unsigned v = 0; v < k->nv; v++)
            next[i * k->nv + v] = dot_multiply_add(b, k->q.a.acc, lp_splat(b, x[i], LANES), y[v],
                                                   next[i * k->nv + v]);
    lp_end(b, next, n, sum);
}

/* The chains of steps from .. to, a turn at a time. */
static void chains(block_kernel *k, lp_val from, lp_val to, bool whole, lp_val *sum) {
    lp_builder *b = k->q.l->b;
    const unsigned n = k->t.rows * k->nv, deep = k->t.deep;
    lp_val next[MOST];
    for (unsigned i = 0; i < n; i++) sum[i] = lp_const(b, k->q.a.acc, 0, LANES);
    lp_val k0 = lp_loop(b, LP_SERIAL, from, to, deep, sum, n, next);
    stage(k, &k->x, k->m0, k0);
    stage(k, &k->y, k->n0, k0);
    lp_barrier(b);
    multiply(k, whole ? lp_index(b, deep) : lp_imin(b, lp_isub(b, to, k0), lp_index(b, deep)),
             next);
    lp_barrier(b);
    lp_end(b, next, n, sum);
}

/* All blocks of 512. */
static void sums(block_kernel *k, lp_val *sum) {
    dot_kernel *q = &k->q;
    lp_builder *b = q->l->b;
    const unsigned n = k->t.rows * k->nv;
    const bool whole = !q->any_depth && q->k % k->t.deep == 0;
    const lp_val zero = lp_index(b, 0), size = lp_index(b, IR_DOT_BLOCK);
    lp_val own[MOST], total[MOST], carry[MOST];
    if (!q->any_depth && q->k <= IR_DOT_BLOCK) {
        chains(k, zero, q->depth, whole, sum);
        return;
    }
    chains(k, zero, lp_imin(b, q->depth, size), whole, total);
    lp_val from = lp_loop(b, LP_SERIAL, size, q->depth, IR_DOT_BLOCK, total, n, carry);
    chains(k, from, lp_imin(b, lp_iadd(b, from, size), q->depth), whole, own);
    for (unsigned i = 0; i < n; i++)
        carry[i] = lp_base(b, IR_ADD, q->a.acc, (lp_val[]){carry[i], own[i]}, 2);
    lp_end(b, carry, n, sum);
}

/* ---- what is stored */

/* Vector v (its first column: `column`) of the thread's row i. */
static void store_vector(block_kernel *k, lp_val i, lp_val column, lp_val x) {
    dot_kernel *q = &k->q;
    lower *l = q->l;
    lp_builder *b = l->b;
    lp_val m = lp_iadd(b, lp_iadd(b, k->m0, k->row), i), n = lp_iadd(b, k->n0, column), mask = 0;
    const unsigned mark = emit_mark(&l->m);
    if (q->x.ragged) lp_if(b, less(b, m, q->x.count));
    emit_sym(&l->m, q->x.sym, m);
    if (q->y.size == 1) {
        lp_if(b, less(b, n, lp_index(b, 1)));
        emit_scalar(&l->m);
        emit_sym(&l->m, q->y.sym, n);
        dot_epilogue(q, lp_extract(b, x, 0));
        emit_forget(&l->m, mark);
        lp_end(b, NULL, 0, NULL);
    } else {
        if (q->y.ragged) mask = lower_tail_mask(l, lp_isub(b, q->y.count, n), LANES);
        emit_vector(&l->m, q->y.sym, n, LANES, 1, mask);
        dot_epilogue(q, x);
        emit_forget(&l->m, mark);
        emit_scalar(&l->m);
    }
    if (q->x.ragged) lp_end(b, NULL, 0, NULL);
}

/* A long epilogue stands once, in a loop over the sums in memory; a short one for each of them. */
static void store(block_kernel *k, const lp_val *sum) {
    lp_builder *b = k->q.l->b;
    const unsigned rows = k->t.rows, nv = k->nv;
    if (k->q.l->group->steps <= SHORT_EPILOGUE) {
        for (unsigned i = 0; i < rows * nv; i++)
            store_vector(k, lp_index(b, i / nv), column_of(k, i % nv), sum[i]);
        return;
    }
    lp_val p = lp_local(b, k->q.a.acc, (int64_t)rows * nv * LANES, LP_STACK);
    for (unsigned i = 0; i < rows * nv; i++)
        lp_store(b, p, lp_index(b, (int64_t)i * LANES), sum[i], 0, LP_ALIGNED);
    lp_val i = lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_index(b, rows * nv), 1, NULL, 0, NULL);
    lp_val row = lp_idiv(b, i, lp_index(b, nv)), v = lp_imod(b, i, lp_index(b, nv));
    lp_val column = lp_iadd(b, k->column, lp_imul(b, v, lp_index(b, (int64_t)k->t.across * LANES)));
    store_vector(k, row, column,
                 lp_load(b, p, lp_imul(b, i, lp_index(b, LANES)), LANES, 0, LP_ALIGNED));
    lp_end(b, NULL, 0, NULL);
}

/* ---- the kernel */

/* Sizes that nothing hangs on are handed over. */
static void make_counts(block_kernel *k) {
    dot_kernel *q = &k->q;
    emitter *m = &q->l->m;
    lp_builder *b = q->l->b;
    const bool any = q->l->t->any_size;
    q->batches = emit_extent(m, "batch", q->batch);
    q->any_depth = any;
    q->depth = any ? emit_extent(m, "k", q->k) : lp_index(b, q->k);
    dot_side *rows = q->swapped ? &q->y : &q->x, *sides[2] = {&q->x, &q->y};
    const int64_t size[2] = {k->t.rows * k->t.down, k->t.columns * k->t.across};
    for (unsigned i = 0; i < 2; i++) {
        dot_side *s = sides[i];
        s->count = s == rows ? emit_extent(m, "m", s->size) : lp_index(b, s->size);
        s->pieces = lower_cover(b, s->count, lp_index(b, size[i]));
        s->ragged = s->size % size[i] != 0 || (any && s == rows);
    }
}

/* The tile of task t: neighbours share their columns. */
static void place(block_kernel *k, lp_val t) {
    dot_kernel *q = &k->q;
    lp_builder *b = q->l->b;
    lp_val each = lp_imul(b, q->x.pieces, q->y.pieces);
    lp_val batch = q->batch == 1 ? lp_index(b, 0) : lp_idiv(b, t, each);
    lp_val own = lp_isub(b, t, lp_imul(b, batch, each)), j = lp_idiv(b, own, q->x.pieces);
    lp_val i = lp_isub(b, own, lp_imul(b, j, q->x.pieces));
    emit_sym(&q->l->m, q->b_sym, batch);
    k->m0 = lp_imul(b, i, lp_index(b, k->x.size));
    k->n0 = lp_imul(b, j, lp_index(b, k->y.size));
}

bool lower_dot_block(lower *l) {
    block_kernel k = {0};
    lp_builder *b = l->b;
    lp_val sum[MOST];
    dot_find_sides(&k.q, l);
    choose_tile(&k);
    make_counts(&k);
    lp_val all = lp_imul(b, k.q.batches, lp_imul(b, k.q.x.pieces, k.q.y.pieces));
    lp_val t = lp_loop(b, LP_PARALLEL, lp_index(b, 0), all, 1, NULL, 0, NULL);
    set_staged(&k, &k.x, &k.q.x, k.t.rows * k.t.down);
    set_staged(&k, &k.y, &k.q.y, k.t.columns * k.t.across);
    const unsigned mark = emit_mark(&l->m);
    place(&k, t);
    k.thread = lp_loop(b, LP_BLOCK, lp_index(b, 0), lp_index(b, threads(&k)), 1, NULL, 0, NULL);
    lp_val across = lp_index(b, k.t.across);
    k.row = lp_imul(b, lp_idiv(b, k.thread, across), lp_index(b, k.t.rows));
    k.column = lp_imul(b, lp_imod(b, k.thread, across), lp_index(b, LANES));
    sums(&k, sum);
    store(&k, sum);
    emit_forget(&l->m, mark);
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
    return !l->m.failed;
}
