/* dot_block.c - sums of products by blocks of threads: tiles of both sides pass through shared memory, each thread holds a small tile
 * of sums.
 *
 *         k -->                      n -->
 *     m  +-----+--         k  +-----------+        a block's tile: (down * rows) x (across * columns), threads down x across
 *     |  | xs  |           |  |    ys     |        a turn: `deep` steps of k into shared memory, then each thread
 *     v  +-----+--         v  +-----------+        sum[rows][columns] += xs[rows] . ys[columns]
 *
 * Order of additions (IR_ORDER_DOT): an fma chain from +0 over blocks of 512, the blocks' sums added in order. A turn never crosses the end
 * of a block, and what lies beyond k adds nothing: not even +0. The tiling is that of CUTLASS's SIMT kernels; the next turn is on its way
 * to registers, and then to the other half of shared memory, while one is multiplied. */
#include "src/passes/gpu/dot_block.h"

enum {
    SHARED = 40 << 10, /* bytes of a block, at most */
    PLAIN_EPILOGUE =
        4, /* steps up to which it is written out for each element of a tile of short sums */
    SHORT_EPILOGUE = 24, /* ... for those of a row, and sums wait in registers */
    LONG_SUM = 256,      /* steps beside which a loop over the tile's rows is nothing */
    DIVISION = 12        /* steps that a division or a root is more than one */
};

/* From the smallest number of rows on; the first one whose `least` rows are there. */
static const struct {
    int64_t least;
    dot_tile t;
} tiles[] = {{96, {8, 8, 16, 16, 8}},
             {24, {4, 4, 16, 16, 16}},
             {5, {4, 4, 4, 64, 8}},
             {0, {1, 4, 1, 128, 8}}};

static void choose_tile(dot_block *k) {
    const int64_t m = k->q.x.size;
    const unsigned size = (unsigned)ir_dtype_bytes(k->q.a.acc);
    unsigned i = 0;
    while (m < tiles[i].least) i++;
    k->t = tiles[i].t;
    if (tiles[i].least == 0) k->t.rows = m > 1 ? 4 : 1;
    if (k->t.columns == 8 && k->q.y.size <= 64) k->t.columns = 4;
    if (size > 4 && k->t.columns == 8) k->t.columns = 4;
    while (2 * k->t.deep * size *
               (k->t.rows * k->t.down + k->t.columns * k->t.across + 2 * DOT_PAD) >
           SHARED)
        k->t.deep /= 2;
}

/* ---- the sums */

/* The thread's elements of a row of shared memory as scalars. */
static void load_rows(const dot_block *k, lp_val at, lp_val *x) {
    lp_builder *b = k->q.l->b;
    if (k->t.rows < DOT_LANES) {
        for (unsigned i = 0; i < k->t.rows; i++)
            x[i] = lp_load(b, k->x.p, lp_iadd(b, at, lp_index(b, i)), 1, 0, 0);
        return;
    }
    for (unsigned i = 0; i < k->t.rows; i += DOT_LANES) {
        lp_val v = lp_load(b, k->x.p, lp_iadd(b, at, lp_index(b, i)), DOT_LANES, 0, LP_ALIGNED);
        for (unsigned n = 0; n < DOT_LANES; n++) x[i + n] = lp_extract(b, v, n);
    }
}

/* First column in the tile of the thread's vector v. */
static lp_val column_at(const dot_block *k, unsigned v) {
    lp_builder *b = k->q.l->b;
    return lp_iadd(b, k->column, lp_index(b, v * k->column_step));
}

/* sum += xs . ys for steps 0 .. count of the turn that lies at xs and ys. */
static void multiply(dot_block *k, lp_val xs, lp_val ys, lp_val count, lp_val *sum) {
    lp_builder *b = k->q.l->b;
    const unsigned n = k->t.rows * k->nv;
    lp_val next[DOT_SUMS], x[8], y[2];
    int64_t known;
    lp_loop_kind kind = lp_const_i64(b, count, &known) ? LP_UNROLLED : LP_SERIAL;
    lp_val j = lp_loop(b, kind, lp_index(b, 0), count, 1, sum, n, next);
    lp_val row = lp_iadd(b, lp_imul(b, j, lp_index(b, k->x.pitch)), k->row);
    load_rows(k, lp_iadd(b, xs, row), x);
    for (unsigned v = 0; v < k->nv; v++) {
        lp_val at = lp_iadd(b, lp_imul(b, j, lp_index(b, k->y.pitch)), column_at(k, v));
        y[v] = lp_load(b, k->y.p, lp_iadd(b, ys, at), DOT_LANES, 0, LP_ALIGNED);
    }
    for (unsigned i = 0; i < k->t.rows; i++)
        for (unsigned v = 0; v < k->nv; v++)
            next[i * k->nv + v] = dot_multiply_add(b, k->q.a.acc, lp_splat(b, x[i], DOT_LANES),
                                                   y[v], next[i * k->nv + v]);
    lp_end(b, next, n, sum);
}

/* A thread's part of the turn at k0, of both sides. */
static unsigned load_turn(dot_block *k, lp_val k0, lp_val *v) {
    const unsigned n = dot_load(k, &k->x, k->m0, k0, v);
    return n + dot_load(k, &k->y, k->n0, k0, v + n);
}

static void store_turn(dot_block *k, lp_val k0, const lp_val *v) {
    const unsigned n = dot_store(k, &k->x, k0, v);
    dot_store(k, &k->y, k0, v + n);
}

/* Whole turns from .. to. */
static void whole_turns(dot_block *k, lp_val from, lp_val to, lp_val *sum) {
    lp_builder *b = k->q.l->b;
    const unsigned n = k->t.rows * k->nv, deep = k->t.deep;
    lp_val next[DOT_SUMS], loads[2 * DOT_LOADS], none[2 * DOT_LOADS];
    lp_if(b, dot_less(b, from, to));
    load_turn(k, from, loads);
    store_turn(k, from, loads);
    lp_end(b, NULL, 0, NULL);
    lp_barrier(b);
    lp_val k0 = lp_loop(b, LP_SERIAL, from, to, deep, sum, n, next);
    lp_val then = lp_iadd(b, k0, lp_index(b, deep)), more = dot_less(b, then, to);
    lp_if(b, more);
    const unsigned nloads = load_turn(k, then, loads);
    for (unsigned i = 0; i < nloads; i++)
        none[i] = lp_const(b, k->q.a.acc, 0, lp_at(b, loads[i])->lanes);
    lp_else(b, loads, nloads);
    lp_end(b, none, nloads, loads);
    multiply(k, dot_turn_at(k, &k->x, k0), dot_turn_at(k, &k->y, k0), lp_index(b, deep), next);
    lp_if(b, more);
    store_turn(k, then, loads);
    lp_end(b, NULL, 0, NULL);
    lp_barrier(b);
    lp_end(b, next, n, sum);
}

/* The turn that is not whole, if there is one. */
static void last_turn(dot_block *k, lp_val from, lp_val to, lp_val *sum) {
    lp_builder *b = k->q.l->b;
    const unsigned n = k->t.rows * k->nv;
    const lp_val zero = lp_index(b, 0);
    lp_val next[DOT_SUMS];
    lp_val k0 = lp_loop(b, LP_SERIAL, from, to, k->t.deep, sum, n, next);
    dot_stage(k, &k->x, k->m0, k0);
    dot_stage(k, &k->y, k->n0, k0);
    lp_barrier(b);
    multiply(k, zero, zero, lp_isub(b, to, k0), next);
    lp_barrier(b);
    lp_end(b, next, n, sum);
}

/* The chains of steps from .. to, a turn at a time. */
static void chains(dot_block *k, lp_val from, lp_val to, lp_val *sum) {
    lp_builder *b = k->q.l->b;
    const lp_val deep = lp_index(b, k->t.deep);
    for (unsigned i = 0; i < k->t.rows * k->nv; i++) sum[i] = lp_const(b, k->q.a.acc, 0, DOT_LANES);
    lp_val whole = lp_isub(b, to, lp_imod(b, lp_isub(b, to, from), deep));
    if (k->sparse)
        dot_sparse_turns(k, from, to, whole_turns, sum);
    else if (k->q.any_depth || k->q.k >= k->t.deep)
        whole_turns(k, from, whole, sum);
    if (k->q.any_depth || k->q.k % k->t.deep) last_turn(k, whole, to, sum);
}

/* What blocks' sums are added to: -0 changes none. */
static lp_val nothing_yet(const dot_block *k, unsigned lanes) {
    const bz_dtype t = k->q.a.acc;
    lp_builder *b = k->q.l->b;
    lp_val zero = lp_const(b, t, 0, lanes);
    if (!ir_is_float(t) || k->q.k == 0) return zero;
    lp_val minus = lp_const(b, t, ir_bits_from_f64(t, -0.0), lanes);
    if (!k->q.any_depth) return minus;
    lp_val some = lp_splat(b, dot_less(b, lp_index(b, 0), k->q.depth), lanes);
    return lp_base(b, IR_SELECT, t, (lp_val[]){some, minus, zero}, 3);
}

/* All blocks of 512. */
static void sums(dot_block *k, lp_val *sum) {
    dot_kernel *q = &k->q;
    lp_builder *b = q->l->b;
    const unsigned n = k->t.rows * k->nv;
    const lp_val zero = lp_index(b, 0), size = lp_index(b, IR_DOT_BLOCK);
    lp_val own[DOT_SUMS], carry[DOT_SUMS];
    if (!q->any_depth && q->k <= IR_DOT_BLOCK) {
        chains(k, zero, q->depth, sum);
        return;
    }
    for (unsigned i = 0; i < n; i++) sum[i] = nothing_yet(k, DOT_LANES);
    lp_val from = lp_loop(b, LP_SERIAL, zero, q->depth, IR_DOT_BLOCK, sum, n, carry);
    chains(k, from, lp_imin(b, lp_iadd(b, from, size), q->depth), own);
    for (unsigned i = 0; i < n; i++)
        carry[i] = lp_base(b, IR_ADD, q->a.acc, (lp_val[]){carry[i], own[i]}, 2);
    lp_end(b, carry, n, sum);
}

/* ---- what is stored */

/* One element, the only column. */
static void store_only(dot_block *k, lp_val n, lp_val x) {
    dot_kernel *q = &k->q;
    lp_builder *b = q->l->b;
    lp_if(b, dot_less(b, n, lp_index(b, 1)));
    emit_scalar(&q->l->m);
    emit_sym(&q->l->m, q->y.sym, n);
    dot_epilogue(q, lp_extract(b, x, 0));
    lp_end(b, NULL, 0, NULL);
}

/* Where rows are whole vectors one is there or not, else its lanes. */
void dot_store_vector(dot_block *k, lp_val i, lp_val column, lp_val x) {
    dot_kernel *q = &k->q;
    lower *l = q->l;
    lp_builder *b = l->b;
    lp_val m = lp_iadd(b, lp_iadd(b, k->m0, k->row), i), n = lp_iadd(b, k->n0, column);
    const bool whole = q->y.size % DOT_LANES == 0;
    const unsigned mark = emit_mark(&l->m);
    if (q->x.ragged) lp_if(b, dot_less(b, m, q->x.count));
    emit_sym(&l->m, q->x.sym, m);
    if (q->y.size == 1) {
        store_only(k, n, x);
    } else {
        lp_val mask = 0;
        if (q->y.ragged && whole) lp_if(b, dot_less(b, n, q->y.count));
        if (q->y.ragged && !whole) mask = lower_tail_mask(l, lp_isub(b, q->y.count, n), DOT_LANES);
        emit_vector(&l->m, q->y.sym, n, DOT_LANES, 1, mask);
        l->m.aligned = k->vectors;
        dot_epilogue(q, x);
        l->m.aligned = false;
        if (q->y.ragged && whole) lp_end(b, NULL, 0, NULL);
    }
    emit_forget(&l->m, mark);
    emit_scalar(&l->m);
    if (q->x.ragged) lp_end(b, NULL, 0, NULL);
}

static void keep(dot_block *k, const lp_val *sum) {
    lp_builder *b = k->q.l->b;
    for (unsigned i = 0; i < k->t.rows * k->nv; i++) {
        lp_val m = lp_iadd(b, k->row, lp_index(b, i / k->nv * k->row_step));
        dot_parts_keep(k, lp_iadd(b, k->m0, m), lp_iadd(b, k->n0, column_at(k, i % k->nv)), sum[i]);
    }
}

/* Steps of what is made of a sum, as the machine takes them: a division or a root is many. */
static unsigned epilogue_steps(const lower *l) {
    unsigned n = l->group->steps;
    for (uint32_t i = 0; i < l->group->nodes.n; i++) {
        const ir_op op = (ir_op)ir_at(l->g, l->group->nodes.p[i])->op;
        n += op == IR_DIV || op == IR_SQRT ? DIVISION : 0;
    }
    return n;
}

/* Where a thread's sums wait, `room` of them at once: each for one of `beside`, of which the thread's is number `own`. */
typedef struct held {
    lp_val p, own;
    unsigned room, beside;
} held;

/* In the memory of a side, which is free once all is added up; matrix units' is of another dtype: there in registers, or beside them. */
static held place_for(const dot_block *k, unsigned n) {
    lp_builder *b = k->q.l->b;
    const unsigned threads = dot_threads(k);
    const unsigned room = (unsigned)(dot_staged_size(k, &k->x) / (threads * DOT_LANES));
    if (k->by_matrix || room == 0)
        return (held){lp_local(b, k->q.a.acc, (int64_t)n * DOT_LANES, LP_STACK), lp_index(b, 0), n,
                      1};
    return (held){k->x.p, k->thread, room, threads};
}

static lp_val held_at(const held *h, lp_builder *b, lp_val i) {
    const lp_val at = lp_iadd(b, lp_imul(b, i, lp_index(b, h->beside)), h->own);
    return lp_imul(b, at, lp_index(b, DOT_LANES));
}

/* Sum number j of the round: of rounds that are `each` sums. */
static lp_val of_round(const dot_block *k, const lp_val *sum, unsigned n, unsigned each,
                       lp_val round, unsigned j) {
    lp_builder *b = k->q.l->b;
    lp_val x = sum[j];
    for (unsigned r = 1; r * each + j < n; r++) {
        lp_val is = lp_base(b, IR_EQ, BZ_BOOL, (lp_val[]){round, lp_index(b, r)}, 2);
        lp_val v[3] = {lp_splat(b, is, DOT_LANES), sum[r * each + j], x};
        x = lp_base(b, IR_SELECT, k->q.a.acc, v, 3);
    }
    return x;
}

/* Vector i of the thread's. */
static void store_sum(dot_block *k, lp_val i, lp_val x) {
    lp_builder *b = k->q.l->b;
    const lp_val nv = lp_index(b, k->nv);
    lp_val row = lp_imul(b, lp_idiv(b, i, nv), lp_index(b, k->row_step));
    lp_val apart = lp_imul(b, lp_imod(b, i, nv), lp_index(b, k->column_step));
    dot_store_vector(k, row, lp_iadd(b, k->column, apart), x);
}

/* In a loop over rows, for each of a row's vectors: each time the first sum is stored and the others move up. Less is written out, which
 * compilers are quick with. */
static void store_moving(dot_block *k, const lp_val *sum) {
    lp_builder *b = k->q.l->b;
    const unsigned n = k->t.rows;
    lp_val now[DOT_SUMS], next[DOT_SUMS];
    for (unsigned v = 0; v < k->nv; v++) {
        for (unsigned i = 0; i < n; i++) now[i] = sum[i * k->nv + v];
        lp_val i = lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_index(b, n), 1, now, n, now);
        dot_store_vector(k, lp_imul(b, i, lp_index(b, k->row_step)), column_at(k, v), now[0]);
        for (unsigned j = 0; j < n; j++) next[j] = now[j + 1 < n ? j + 1 : j];
        lp_end(b, next, n, next);
    }
}

/* One at a time, from memory where all are put, or a part of them in each round. */
static void store_from_memory(dot_block *k, const lp_val *sum, unsigned n) {
    lp_builder *b = k->q.l->b;
    const held h = place_for(k, n);
    const lp_val zero = lp_index(b, 0), all = lp_index(b, n), room = lp_index(b, h.room);
    const lp_val rounds = lp_index(b, (n + h.room - 1) / h.room);
    lp_val round = h.room < n ? lp_loop(b, LP_SERIAL, zero, rounds, 1, NULL, 0, NULL) : zero;
    for (unsigned i = 0; i < h.room && i < n; i++)
        lp_store(b, h.p, held_at(&h, b, lp_index(b, i)), of_round(k, sum, n, h.room, round, i), 0,
                 LP_ALIGNED);
    lp_val first = lp_imul(b, round, room), left = lp_imin(b, room, lp_isub(b, all, first));
    lp_val at = lp_loop(b, LP_SERIAL, zero, left, 1, NULL, 0, NULL);
    store_sum(k, lp_iadd(b, first, at),
              lp_load(b, h.p, held_at(&h, b, at), DOT_LANES, 0, LP_ALIGNED));
    lp_end(b, NULL, 0, NULL);
    if (h.room < n) lp_end(b, NULL, 0, NULL);
    if (k->q.l->in_part) lp_barrier(b); /* the next tile comes at once */
}

/* A plain epilogue is written out for each sum, others stand in a loop. */
static void store(dot_block *k, const lp_val *sum) {
    const unsigned n = k->t.rows * k->nv, steps = epilogue_steps(k->q.l);
    const unsigned plain = k->q.k < LONG_SUM && !k->q.any_depth ? PLAIN_EPILOGUE : 0;
    if (steps > SHORT_EPILOGUE)
        store_from_memory(k, sum, n);
    else if (steps > plain && k->t.rows > 1)
        store_moving(k, sum);
    else
        for (unsigned i = 0; i < n; i++) store_sum(k, lp_index(k->q.l->b, i), sum[i]);
}

/* ---- where pointers forbid vectors: the tile's elements one by one, from memory */

static lp_val one_chain(dot_block *k, lp_val from, lp_val to) {
    dot_kernel *q = &k->q;
    lp_builder *b = q->l->b;
    lp_val sum = lp_const(b, q->a.acc, 0, 1), acc;
    lp_val at = lp_loop(b, LP_SERIAL, from, to, 1, &sum, 1, &acc);
    const unsigned mark = emit_mark(&q->l->m);
    emit_sym(&q->l->m, q->k_sym, at);
    lp_val x = dot_widened(q, q->x.r, q->x.idx).v[0], y = dot_widened(q, q->y.r, q->y.idx).v[0];
    emit_forget(&q->l->m, mark);
    acc = dot_multiply_add(b, q->a.acc, x, y, acc);
    lp_end(b, &acc, 1, &sum);
    return sum;
}

static void one_by_one(dot_block *k) {
    dot_kernel *q = &k->q;
    lower *l = q->l;
    lp_builder *b = l->b;
    const lp_val size = lp_index(b, IR_DOT_BLOCK), line = lp_index(b, k->y.size);
    const unsigned mark = emit_mark(&l->m);
    lp_val e = lp_loop(b, LP_SERIAL, k->thread, lp_index(b, k->x.size * k->y.size), dot_threads(k),
                       NULL, 0, NULL);
    lp_val m = lp_iadd(b, k->m0, lp_idiv(b, e, line)), n = lp_iadd(b, k->n0, lp_imod(b, e, line));
    lp_val there[2] = {dot_less(b, m, q->x.count), dot_less(b, n, q->y.count)};
    lp_if(b, lp_base(b, IR_AND, BZ_BOOL, there, 2));
    emit_scalar(&l->m);
    emit_sym(&l->m, q->x.sym, m);
    emit_sym(&l->m, q->y.sym, n);
    lp_val total = nothing_yet(k, 1), acc;
    lp_val from = lp_loop(b, LP_SERIAL, k->from, k->to, IR_DOT_BLOCK, &total, 1, &acc);
    lp_val own = one_chain(k, from, lp_imin(b, lp_iadd(b, from, size), k->to));
    acc = lp_base(b, IR_ADD, q->a.acc, (lp_val[]){acc, own}, 2);
    lp_end(b, &acc, 1, &total);
    if (k->parts > 1)
        dot_parts_keep(k, m, n, total);
    else
        dot_epilogue(q, total);
    emit_forget(&l->m, mark);
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
}

/* ---- the kernel */

/* Sizes that nothing hangs on are handed over. */
void dot_make_counts(dot_block *k) {
    dot_kernel *q = &k->q;
    emitter *m = &q->l->m;
    lp_builder *b = q->l->b;
    const bool part = q->l->in_part, any = q->l->t->any_size && !part;
    q->batches = part ? lp_index(b, q->batch) : emit_extent(m, "batch", q->batch);
    q->any_depth = any;
    q->depth = any ? emit_extent(m, "k", q->k) : lp_index(b, q->k);
    dot_side *rows = q->swapped ? &q->y : &q->x, *sides[2] = {&q->x, &q->y};
    const int64_t size[2] = {k->t.rows * k->t.down, k->t.columns * k->t.across};
    for (unsigned i = 0; i < 2; i++) {
        dot_side *s = sides[i];
        s->count = s == rows && !part ? emit_extent(m, "m", s->size) : lp_index(b, s->size);
        s->pieces = lower_cover(b, s->count, lp_index(b, size[i]));
        s->ragged = s->size % size[i] != 0 || (any && s == rows);
        s->panel = (unsigned)size[i];
    }
}

static void also(dot_block *k, lp_val condition) {
    lp_builder *b = k->q.l->b;
    k->aligned =
        k->aligned ? lp_base(b, IR_AND, BZ_BOOL, (lp_val[]){k->aligned, condition}, 2) : condition;
}

static lp_val is_whole(lp_builder *b, lp_val n, unsigned lanes) {
    lp_val rest = lp_imod(b, n, lp_index(b, lanes));
    return lp_base(b, IR_EQ, BZ_BOOL, (lp_val[]){rest, lp_index(b, 0)}, 2);
}

/* When vectors may be: pointers, and sizes that are handed over. */
static void find_condition(dot_block *k) {
    dot_kernel *q = &k->q;
    lower *l = q->l;
    lp_builder *b = l->b;
    int64_t known;
    k->vectors |= q->y.size > 1 && q->y.size % DOT_LANES == 0;
    if (!k->vectors) return;
    lower_collect(l);
    collect_node(l, q->x.r, q->x.idx);
    collect_node(l, q->y.r, q->y.idx);
    const dot_staged *sides[2] = {&k->x, &k->y};
    unsigned along_k = 0, most = DOT_LANES;
    for (unsigned i = 0; i < 2; i++) most = sides[i]->lanes > most ? sides[i]->lanes : most;
    k->aligned = gpu_aligned(l, most);
    for (unsigned i = 0; i < 2; i++) {
        const dot_staged *s = sides[i];
        const bool own = s->lanes > 1 && !s->along_k;
        if (s->lanes > 1 && s->along_k && s->lanes > along_k) along_k = s->lanes;
        if ((own || (i && q->y.size % DOT_LANES == 0)) && !lp_const_i64(b, s->side->count, &known))
            also(k, is_whole(b, s->side->count, own ? s->lanes : DOT_LANES));
    }
    if (along_k && q->any_depth) also(k, is_whole(b, q->depth, along_k));
}

/* The tile of task t: neighbours share their columns. */
static void place(dot_block *k, lp_val t) {
    dot_kernel *q = &k->q;
    lp_builder *b = q->l->b;
    lp_val each = lp_imul(b, q->x.pieces, q->y.pieces);
    lp_val batch = q->batch == 1 ? lp_index(b, 0) : lp_idiv(b, t, each);
    lp_val own = lp_isub(b, t, lp_imul(b, batch, each)), j = lp_idiv(b, own, q->x.pieces);
    lp_val i = lp_isub(b, own, lp_imul(b, j, q->x.pieces));
    emit_sym(&q->l->m, q->b_sym, batch);
    k->batch = batch;
    k->m0 = lp_imul(b, i, lp_index(b, k->x.size));
    k->n0 = lp_imul(b, j, lp_index(b, k->y.size));
}

/* Nothing is added up for a tile of which nobody sees anything. */
static void seen_sums(dot_block *k, dot_summed *summed, lp_val *sum) {
    lp_builder *b = k->q.l->b;
    const unsigned n = k->t.rows * k->nv;
    lp_val zero[DOT_SUMS];
    const lp_val masked = dot_is_masked(&k->q, k->m0, k->n0);
    if (masked) {
        for (unsigned i = 0; i < n; i++) zero[i] = lp_const(b, k->q.a.acc, 0, DOT_LANES);
        lp_if(b, masked);
        lp_else(b, zero, n);
    }
    summed(k, sum);
    if (masked) lp_end(b, sum, n, sum);
}

static void tile(dot_block *k, dot_summed *summed) {
    lp_builder *b = k->q.l->b;
    lp_val sum[DOT_SUMS];
    if (k->aligned) lp_if(b, k->aligned);
    seen_sums(k, summed, sum);
    if (k->parts > 1)
        keep(k, sum);
    else
        store(k, sum);
    if (!k->aligned) return;
    lp_else(b, NULL, 0);
    one_by_one(k);
    lp_end(b, NULL, 0, NULL);
}

lp_val dot_open_tiles(dot_block *k) {
    lp_builder *b = k->q.l->b;
    find_condition(k);
    if (k->parts > 1) dot_parts_make(k);
    lp_val all = lp_imul(b, k->q.batches, lp_imul(b, k->q.x.pieces, k->q.y.pieces));
    if (k->parts > 1) all = lp_imul(b, all, lp_index(b, k->parts));
    return lp_loop(b, LP_PARALLEL, lp_index(b, 0), all, 1, NULL, 0, NULL);
}

/* The steps of the task's part, whole turns; gives the number of its tile. */
static lp_val take_part(dot_block *k, lp_val task) {
    lp_builder *b = k->q.l->b;
    lp_val parts = lp_index(b, k->parts), deep = lp_index(b, k->t.deep);
    lp_val turns = lower_cover(b, k->q.depth, deep);
    lp_val each = lp_imul(b, lower_cover(b, turns, parts), deep);
    k->part = lp_imod(b, task, parts);
    k->from = lp_imul(b, k->part, each);
    k->to = lp_imin(b, lp_iadd(b, k->from, each), k->q.depth);
    return lp_idiv(b, task, parts);
}

void dot_open_threads(dot_block *k, lp_val tile) {
    lp_builder *b = k->q.l->b;
    k->mark = emit_mark(&k->q.l->m);
    k->from = lp_index(b, 0);
    k->to = k->q.depth;
    place(k, k->parts > 1 ? take_part(k, tile) : tile);
    k->thread = lp_loop(b, LP_BLOCK, lp_index(b, 0), lp_index(b, dot_threads(k)), 1, NULL, 0, NULL);
}

bool dot_close(dot_block *k, dot_summed *summed) {
    lp_builder *b = k->q.l->b;
    tile(k, summed);
    emit_forget(&k->q.l->m, k->mark);
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
    if (k->parts > 1) dot_parts_add(k);
    return !k->q.l->m.failed;
}

static void plan_sides(dot_block *k) {
    k->nv = k->t.columns / DOT_LANES;
    dot_make_counts(k);
    dot_plan_side(k, &k->x, &k->q.x, k->t.rows * k->t.down);
    dot_plan_side(k, &k->y, &k->q.y, k->t.columns * k->t.across);
}

static void set_thread(dot_block *k, lp_val thread) {
    lp_builder *b = k->q.l->b;
    const lp_val across = lp_index(b, k->t.across);
    k->thread = thread;
    k->row = lp_imul(b, lp_idiv(b, thread, across), lp_index(b, k->t.rows));
    k->column = lp_imul(b, lp_imod(b, thread, across), lp_index(b, DOT_LANES));
    k->row_step = 1;
    k->column_step = (int64_t)k->t.across * DOT_LANES;
}

static bool by_fma(dot_block *k) {
    choose_tile(k);
    plan_sides(k);
    lp_val t = dot_open_tiles(k);
    dot_make_side(k, &k->x);
    dot_make_side(k, &k->y);
    dot_open_threads(k, t);
    set_thread(k, k->thread);
    return dot_close(k, sums);
}

void dot_block_plan(dot_block *k, bool is_handed) {
    plan_sides(k);
    dot_plan_zeros(k, is_handed);
    find_condition(k);
}

void dot_block_rows(dot_block *k, lp_val thread, lp_val batch, lp_val m0) {
    lower *l = k->q.l;
    lp_builder *b = l->b;
    set_thread(k, thread);
    emit_sym(&l->m, k->q.b_sym, batch);
    k->from = lp_index(b, 0);
    k->to = k->q.depth;
    k->m0 = m0;
    if (k->sparse) dot_find_zeros(k);
    k->n0 = lp_loop(b, LP_SERIAL, lp_index(b, 0), k->q.y.count, k->y.size, NULL, 0, NULL);
    const unsigned mark = emit_mark(&l->m);
    tile(k, sums);
    emit_forget(&l->m, mark);
    lp_end(b, NULL, 0, NULL);
}

bool lower_dot_block(lower *l) {
    dot_block k = {0};
    dot_find_sides(&k.q, l);
    return dot_suits_mma(&k) ? dot_by_mma(&k) : by_fma(&k);
}
