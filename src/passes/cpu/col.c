/* col.c - reductions over leading axes, one or several of the same: bias gradients, batch statistics.
 *
 *     x[k, c]  --sum over k-->  y[c]          vectors along c, a loop over k
 *
 * The order of additions is IR_ORDER_LEAD: chains of 128 from the identity, chain sums pairwise. Columns are cut into pieces of a few
 * vectors, and these, side by side, into strips; chains are cut into groups:
 *
 *            strip 0        strip 1             a task folds the chains of a group, in the columns of a strip, and these pairwise;
 *          +----+----+----+----+----+--+       with several groups a second phase folds their results pairwise, piece by piece.
 *     k 0  |    |    |    |    |    |  |  \    A group is a power of two of chains, so it is a subtree of all of them.
 *     127  |    |    |    |    |    |  |   |
 *          +----+----+----+----+----+--+   |   The last piece may be narrower. Its last vector then lies over the one before, where
 *     128  |    |    |    |    |    |  |   |   that is of the same task, and those columns are folded twice: no masks.
 *     255  |    |    |    |    |    |  |   | a group of chains
 *          +----+----+----+----+----+--+  /
 *
 * A chain is folded in one of three ways:
 *     down     a piece at a time, its sums in registers: what the caches hold, and few rows
 *     beside   the same, but a piece is a whole short row, and several chains are folded side by side: one alone waits for its additions
 *     along    row after row, as they lie in memory, which gives far more that way; the sums wait in the first-level cache */
#include "src/passes/cpu/cpu.h"
#include "src/passes/forms/col.h"

enum {
    GROUP_MOST = 32, /* chains: the scratch memory of a task is so many rows */
    SHORT_ROW = 8    /* vectors, of all chains side by side */
};

/* ---- arithmetic on indices */

static lp_val quotient(col_kernel *q, lp_val x, int64_t d) {
    return lp_idiv(q->l->b, x, lp_index(q->l->b, d));
}

static lp_val rest(col_kernel *q, lp_val x, int64_t d) {
    return lp_imod(q->l->b, x, lp_index(q->l->b, d));
}

static lp_val least(col_kernel *q, lp_val x, lp_val y) {
    return lp_imin(q->l->b, x, y);
}

static lp_val minus(col_kernel *q, lp_val x, lp_val y) {
    return lp_isub(q->l->b, x, y);
}

static lp_val times(col_kernel *q, lp_val x, int64_t y) {
    return lp_imul(q->l->b, x, lp_index(q->l->b, y));
}

static lp_val plus(col_kernel *q, lp_val x, int64_t y) {
    return lp_iadd(q->l->b, x, lp_index(q->l->b, y));
}

static lp_val below(col_kernel *q, lp_val x, int64_t y) {
    return lp_base(q->l->b, IR_LT, BZ_BOOL, (lp_val[]){x, lp_index(q->l->b, y)}, 2);
}

/* How many of `all` things, cut by `each`, are in cut number i. */
static lp_val in_cut(col_kernel *q, lp_val i, int64_t each, lp_val all) {
    return least(q, minus(q, all, times(q, i, each)), lp_index(q->l->b, each));
}

/* ---- columns */

/* Vectors of one piece: `full` of them from column `at` on, and one more at `last`. */
typedef struct columns {
    unsigned full, n; /* n: with the last one */
    lp_val at, last;  /* last: 0 when there is none */
    lp_val mask;      /* lanes of the last one that exist; 0 = all */
    lp_val own;       /* lanes of the last one that lie over no other */
} columns;

/* Piece number `piece`, of full width or the narrower one behind these. */
static columns columns_of(col_kernel *q, lp_val piece, bool whole) {
    lower *l = q->l;
    int64_t all = q->inner / q->lanes, over = q->inner % q->lanes;
    columns c = {.full = whole ? q->width : (unsigned)(all % q->width)};
    c.at = times(q, piece, (int64_t)q->lanes * q->width);
    c.n = c.full + (!whole && over);
    if (c.n == c.full) return c;
    lp_val lane = lp_laneid(l->b, BZ_I64, q->lanes);
    if (c.full || (q->strip > 1 && q->pieces % q->strip != 1)) {
        lp_val from = lp_const(l->b, BZ_I64, (ir_bits)(q->lanes - over), q->lanes);
        c.last = lp_index(l->b, q->inner - q->lanes);
        c.own = lp_base(l->b, IR_LE, BZ_BOOL, (lp_val[]){from, lane}, 2);
    } else {
        c.last = lp_index(l->b, all * q->lanes);
        c.mask = c.own = lower_tail_mask(l, lp_index(l->b, over), q->lanes);
    }
    return c;
}

/* One step of the folds of a piece: element k of each column. */
static void step(col_kernel *q, const columns *c, lp_val k, lp_val *acc) {
    lp_val v[EMIT_MAX_WIDTH];
    unsigned mark = emit_mark(&q->l->m);
    emit_sym(&q->l->m, q->k_sym, k);
    if (c->full) col_values(q, c->at, c->full, 0, v, c->n);
    if (c->last) col_values(q, c->last, 1, c->mask, v + c->full, c->n);
    for (unsigned i = 0; i < q->nfolds * c->n; i++)
        acc[i] = fold_step(q->l, &q->fold[i / c->n].a, acc[i], v[i], 0);
    emit_forget(&q->l->m, mark);
}

static lp_val sums_of(const col_kernel *q, unsigned f, bool results) {
    return results ? q->fold[f].results : q->fold[f].sums;
}

static void load_sums(col_kernel *q, const columns *c, bool results, lp_val at, lp_val *acc) {
    for (unsigned i = 0; i < q->nfolds * c->n; i++)
        acc[i] = lp_load(q->l->b, sums_of(q, i / c->n, results), plus(q, at, i % c->n * q->lanes),
                         q->lanes, 0, 0);
}

static void store_sums(col_kernel *q, const columns *c, bool results, lp_val at,
                       const lp_val *acc) {
    for (unsigned i = 0; i < q->nfolds * c->n; i++)
        lp_store(q->l->b, sums_of(q, i / c->n, results), plus(q, at, i % c->n * q->lanes), acc[i],
                 0, 0);
}

/* n rows of sums, `stride` apart, into the first one. */
static void fold_sums(col_kernel *q, bool results, lp_val at, lp_val n, int64_t stride,
                      int64_t width) {
    for (unsigned f = 0; f < q->nfolds; f++)
        fold_rows(q->l, &q->fold[f].a, sums_of(q, f, results), at, n, stride, width, q->lanes);
}

/* The folded columns become the reductions' values at their place; then what is stored of the group. */
static void finish(col_kernel *q, const columns *c, const lp_val *acc) {
    if (c->full) col_store_results(q, c->at, c->full, 0, acc, c->n);
    if (c->last) col_store_results(q, c->last, 1, c->own, acc + c->full, c->n);
}

typedef void piece_body(col_kernel *q, const columns *c, const void *ctx);

/* The body for the columns of a piece. */
static void over_piece(col_kernel *q, lp_val piece, piece_body *body, const void *ctx) {
    lp_builder *b = q->l->b;
    columns c;
    if (q->whole && q->whole < q->pieces) lp_if(b, below(q, piece, q->whole));
    if (q->whole) {
        c = columns_of(q, piece, true);
        body(q, &c, ctx);
    }
    if (q->whole && q->whole < q->pieces) lp_else(b, NULL, 0);
    if (q->whole < q->pieces) {
        c = columns_of(q, piece, false);
        body(q, &c, ctx);
    }
    if (q->whole && q->whole < q->pieces) lp_end(b, NULL, 0, NULL);
}

/* The body for each piece of a strip: those of full width in a loop. */
static void over_strip(col_kernel *q, lp_val strip, piece_body *body, const void *ctx) {
    lp_builder *b = q->l->b;
    lp_val first = times(q, strip, q->strip), end = plus(q, first, q->strip);
    columns c;
    if (q->whole) {
        if (q->strips == 1)
            end = lp_index(b, q->whole);
        else if (q->whole < q->strips * q->strip)
            end = least(q, end, lp_index(b, q->whole));
        lp_val piece = lp_loop(b, LP_SERIAL, first, end, 1, NULL, 0, NULL);
        c = columns_of(q, piece, true);
        body(q, &c, ctx);
        lp_end(b, NULL, 0, NULL);
    }
    if (q->whole == q->pieces) return;
    if (q->strips > 1)
        lp_if(b, lp_base(b, IR_EQ, BZ_BOOL, (lp_val[]){strip, lp_index(b, q->strips - 1)}, 2));
    c = columns_of(q, lp_index(b, q->whole), false);
    body(q, &c, ctx);
    if (q->strips > 1) lp_end(b, NULL, 0, NULL);
}

/* ---- a task */

typedef struct task {
    lp_val number, strip, group; /* strip: its number, and of the only piece where a strip is one */
    lp_val chains;               /* of the group */
    bool results;                /* where the chains' sums lie: there, or in `sums`, ... */
    lp_val at;                   /* ... at at + i * row */
    lp_val k;                    /* along: the row at hand ... */
    lp_val chain;                /* ... and its chain's sums */
} task;

/* Sums of `beside` chains, the first of which begins at k0; `count` elements of each. */
static void fold_chains(col_kernel *q, const columns *c, lp_val k0, lp_val count, unsigned beside,
                        lp_val *acc) {
    lp_val carry[EMIT_MAX_WIDTH];
    const unsigned each = q->nfolds * c->n, n = beside * each;
    lp_builder *b = q->l->b;
    for (unsigned i = 0; i < n; i++) {
        const ir_reduce_attr *a = &q->fold[i % each / c->n].a;
        acc[i] = lp_const(b, a->acc, fold_identity(a), q->lanes);
    }
    lp_val j = lp_loop(b, LP_SERIAL, lp_index(b, 0), count, 1, acc, n, carry);
    for (unsigned i = 0; i < beside; i++)
        step(q, c, lp_iadd(b, plus(q, k0, (int64_t)i * IR_CHAIN), j), carry + i * each);
    lp_end(b, carry, n, acc);
}

/* Chains lo .. hi of the group, `beside` at a time. */
static void fold_some(col_kernel *q, const columns *c, const task *t, lp_val lo, lp_val hi,
                      unsigned beside) {
    lp_val acc[EMIT_MAX_WIDTH];
    lp_val i = lp_loop(q->l->b, LP_SERIAL, lo, hi, beside, NULL, 0, NULL);
    lp_val chain = lp_iadd(q->l->b, times(q, t->group, q->group), i);
    lp_val count = beside > 1 ? lp_index(q->l->b, IR_CHAIN) : in_cut(q, chain, IR_CHAIN, q->rows);
    fold_chains(q, c, times(q, chain, IR_CHAIN), count, beside, acc);
    for (unsigned s = 0; s < beside; s++)
        store_sums(q, c, t->results, lp_iadd(q->l->b, t->at, times(q, plus(q, i, s), q->row)),
                   acc + s * q->nfolds * c->n);
    lp_end(q->l->b, NULL, 0, NULL);
}

/* How many chains of the group are done side by side: as many as there are of full length, cut to a multiple. */
static lp_val done_beside(col_kernel *q, const task *t) {
    lp_val zero = lp_index(q->l->b, 0),
           left = minus(q, quotient(q, q->rows, IR_CHAIN), times(q, t->group, q->group));
    lp_val n = least(q, left, lp_index(q->l->b, q->group));
    n = lp_imax(q->l->b, n, zero);
    return minus(q, n, rest(q, n, q->beside));
}

/* Down and beside: the chains of a group in the columns of a piece. */
static void piece_chains(col_kernel *q, const columns *c, const void *ctx) {
    const task *t = ctx;
    lp_builder *b = q->l->b;
    lp_val acc[EMIT_MAX_WIDTH], from = lp_index(b, 0);
    if (q->chains == 1) {
        fold_chains(q, c, from, q->rows, 1, acc);
        finish(q, c, acc);
        return;
    }
    if (q->beside > 1) {
        lp_val to = done_beside(q, t);
        fold_some(q, c, t, from, to, q->beside);
        from = to;
    }
    if (from != t->chains) fold_some(q, c, t, from, t->chains, 1);
    if (q->group == 1) return;
    fold_sums(q, t->results, t->at, t->chains, q->row, (int64_t)c->n * q->lanes);
    load_sums(q, c, t->results, t->at, acc);
    if (q->groups == 1)
        finish(q, c, acc);
    else
        store_sums(q, c, true, times(q, t->number, q->row), acc);
}

/* Where the sums of these columns lie in a row of the task's. */
static lp_val in_row(col_kernel *q, const columns *c, const task *t) {
    return minus(q, c->at, times(q, t->strip, q->row));
}

static void piece_of_row(col_kernel *q, const columns *c, const void *ctx) {
    const task *t = ctx;
    lp_val acc[EMIT_MAX_WIDTH], at = lp_iadd(q->l->b, t->chain, in_row(q, c, t));
    load_sums(q, c, t->results, at, acc);
    step(q, c, t->k, acc);
    store_sums(q, c, t->results, at, acc);
}

static void finish_piece(col_kernel *q, const columns *c, const void *ctx) {
    const task *t = ctx;
    lp_val acc[EMIT_MAX_WIDTH];
    load_sums(q, c, t->results, lp_iadd(q->l->b, t->at, in_row(q, c, t)), acc);
    finish(q, c, acc);
}

static void keep_piece(col_kernel *q, const columns *c, const void *ctx) {
    const task *t = ctx;
    lp_val acc[EMIT_MAX_WIDTH], at = in_row(q, c, t);
    load_sums(q, c, t->results, lp_iadd(q->l->b, t->at, at), acc);
    store_sums(q, c, true, lp_iadd(q->l->b, times(q, t->number, q->row), at), acc);
}

/* Along: the chains of a group in the columns of a strip, row by row. */
static void strip_chains(col_kernel *q, task *t) {
    lp_builder *b = q->l->b;
    lp_val none[FUSE_MAX_FOLDS];
    for (unsigned f = 0; f < q->nfolds; f++)
        none[f] = lp_const(b, q->fold[f].a.acc, fold_identity(&q->fold[f].a), q->lanes);
    lp_val i = lp_loop(b, LP_SERIAL, lp_index(b, 0), t->chains, 1, NULL, 0, NULL);
    lp_val chain = lp_iadd(b, times(q, t->group, q->group), i);
    t->chain = lp_iadd(b, t->at, times(q, i, q->row));
    lp_val c = lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_index(b, q->row), q->lanes, NULL, 0, NULL);
    for (unsigned f = 0; f < q->nfolds; f++)
        lp_store(b, sums_of(q, f, t->results), lp_iadd(b, t->chain, c), none[f], 0, 0);
    lp_end(b, NULL, 0, NULL);
    lp_val k0 = times(q, chain, IR_CHAIN);
    lp_val count = in_cut(q, chain, IR_CHAIN, q->rows);
    t->k = lp_loop(b, LP_SERIAL, k0, lp_iadd(b, k0, count), 1, NULL, 0, NULL);
    over_strip(q, t->strip, piece_of_row, t);
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
    if (q->group > 1) fold_sums(q, t->results, t->at, t->chains, q->row, q->row);
    if (q->groups == 1)
        over_strip(q, t->strip, finish_piece, t);
    else if (q->group > 1)
        over_strip(q, t->strip, keep_piece, t);
}

/* `each` tasks for every outer row; *own: which of these the task at hand is. */
static lp_val open_tasks(col_kernel *q, lp_val each, lp_val *own) {
    lp_builder *b = q->l->b;
    lp_val all = lp_imul(b, q->outer_rows, each);
    lp_val t = lp_loop(b, LP_PARALLEL, lp_index(b, 0), all, 1, NULL, 0, NULL);
    lp_val o = q->outer == 1 ? lp_index(b, 0) : lp_idiv(b, t, each);
    emit_sym(&q->l->m, q->o_sym, o);
    *own = minus(q, t, lp_imul(b, o, each));
    return t;
}

static void fold_groups(col_kernel *q) {
    lp_builder *b = q->l->b;
    unsigned mark = emit_mark(&q->l->m);
    lp_val in_outer;
    task t = {.number = open_tasks(q, times(q, q->all_groups, q->strips), &in_outer)};
    bool straight = q->groups > 1 && q->group == 1; /* the only chain's sums are the group's */
    t.strip = rest(q, in_outer, q->strips);
    t.group = quotient(q, in_outer, q->strips);
    t.chains = in_cut(q, t.group, q->group, q->all_chains);
    t.results = straight;
    t.at = straight ? times(q, t.number, q->row) : lp_index(b, 0);
    if (q->way == COL_ALONG)
        strip_chains(q, &t);
    else
        over_piece(q, t.strip, piece_chains, &t);
    emit_forget(&q->l->m, mark);
    lp_end(b, NULL, 0, NULL);
}

/* The groups' results for the columns of a piece, of which ctx is the place for group 0. */
static void piece_groups(col_kernel *q, const columns *c, const void *ctx) {
    lp_val acc[EMIT_MAX_WIDTH], at = *(const lp_val *)ctx;
    fold_sums(q, true, at, q->all_groups, q->strips * q->row, (int64_t)c->n * q->lanes);
    load_sums(q, c, true, at, acc);
    finish(q, c, acc);
}

static void combine_groups(col_kernel *q) {
    lp_builder *b = q->l->b;
    unsigned mark = emit_mark(&q->l->m);
    lp_val piece;
    open_tasks(q, lp_index(b, q->pieces), &piece);
    lp_val before = lp_imul(b, emit_index(&q->l->m, q->o_sym), q->all_groups);
    lp_val at = lp_iadd(b, times(q, before, q->strips * q->row),
                        times(q, piece, (int64_t)q->lanes * q->width));
    over_piece(q, piece, piece_groups, &at);
    emit_forget(&q->l->m, mark);
    lp_end(b, NULL, 0, NULL);
}

/* ---- choices */

static int64_t ceil_div(int64_t x, int64_t y) {
    return (x + y - 1) / y;
}

/* Bytes of the largest operand. */
static int64_t largest_operand(const lower *l) {
    int64_t most = 0;
    for (uint32_t i = 0; i < l->buffers.n; i++) {
        const pass_buffer *b = &l->plan->buffers.p[l->buffers.p[i]];
        int64_t bytes = b->count * (int64_t)ir_dtype_bytes(b->dtype);
        most = bytes > most ? bytes : most;
    }
    return most;
}

static unsigned choose_lanes(const col_kernel *q) {
    unsigned lanes = lower_lanes(q->l);
    bool masks = q->l->t->vector_bytes >= 64;
    while (lanes > 1 && (q->inner == 1 || (!masks && q->inner < (int64_t)lanes))) lanes /= 2;
    return lanes;
}

static void choose_way(col_kernel *q) {
    unsigned ops = q->l->group->steps;
    int64_t vectors = ceil_div(q->inner, q->lanes), bytes = largest_operand(q->l);
    q->way = COL_DOWN;
    q->beside = 1;
    q->width = ops <= 40 ? 4 : 2;
    while (q->nfolds > 1 && q->nfolds * q->width > q->l->t->registers / 2) q->width /= 2;
    if (vectors * q->nfolds <= SHORT_ROW && q->chains > 1 && q->dense) {
        q->way = COL_BESIDE;
        q->width = (unsigned)vectors;
        while (ops <= q->l->t->machine->busy && 2 * q->beside * vectors * q->nfolds <= SHORT_ROW &&
               (q->l->t->any_size || 2 * q->beside <= q->chains))
            q->beside *= 2;
    } else if (q->dense && bytes > q->l->t->machine->second && q->k > q->l->t->machine->streams) {
        q->way = COL_ALONG;
    }
    while (q->way != COL_BESIDE && q->width > 1 && q->inner < (int64_t)q->lanes * q->width)
        q->width /= 2;
    if (q->lanes == 1) q->width = 1;
}

/* The sums of a strip take a part of the first cache. */
static void choose_strips(col_kernel *q) {
    const pass_machine *machine = q->l->t->machine;
    int64_t piece = (int64_t)q->lanes * q->width, size = 0;
    for (unsigned f = 0; f < q->nfolds; f++) size += (int64_t)ir_dtype_bytes(q->fold[f].a.acc);
    q->pieces = ceil_div(q->inner, piece);
    q->whole = q->inner / piece;
    q->strip = q->way == COL_ALONG ? machine->first / 4 / (piece * size) : 1;
    if (q->strip > q->pieces) q->strip = q->pieces;
    while (q->strip > 1 && q->strip / 2 * piece * size >= machine->first / 32 &&
           q->outer * q->chains * ceil_div(q->pieces, q->strip) < machine->tasks)
        q->strip /= 2;
    q->strips = ceil_div(q->pieces, q->strip);
    q->row = q->strip * piece;
}

static void choose_groups(col_kernel *q) {
    const pass_machine *machine = q->l->t->machine;
    int64_t chain = IR_CHAIN * (q->row < q->inner ? q->row : q->inner);
    bool enough = q->outer * q->strips >= machine->tasks;
    q->group = 1;
    while (q->group < GROUP_MOST && (q->l->t->any_size || q->group < q->chains) &&
           (enough || q->group * chain < 2 * machine->task))
        q->group *= 2;
    q->groups = ceil_div(q->chains, q->group);
}

/* The rows of a strip lie apart in memory: asking for what lies behind would be asking for other tasks' columns. */
static void read_ahead(col_kernel *q) {
    lower *l = q->l;
    l->m.ahead = lower_read_ahead(l, l->t->machine->second);
    if (!l->m.ahead) return;
    int64_t run = q->row < q->inner ? q->row : q->inner;
    int64_t size = (int64_t)ir_dtype_bytes((bz_dtype)lp_at(l->b, l->m.ahead)->dtype);
    l->m.ahead_sym = q->k_sym;
    l->m.ahead_by = ceil_div(l->t->machine->ahead, run * size);
}

/* Memory for sums. */
static void make_scratch(col_kernel *q, col_fold *n) {
    if (q->groups > 1)
        n->results = lower_work(q->l, n->a.acc, q->outer * q->groups * q->strips * q->row);
    if (q->group > 1 || (q->way == COL_ALONG && q->groups == 1))
        n->sums = lp_local(q->l->b, n->a.acc, q->group * q->row, LP_SCRATCH);
}

bool lower_col(lower *l) {
    col_kernel q;
    if (!col_begin(&q, l)) return false;
    q.lanes = choose_lanes(&q);
    choose_way(&q);
    choose_strips(&q);
    choose_groups(&q);
    col_make_counts(&q);
    if (q.way != COL_DOWN) read_ahead(&q);
    for (unsigned f = 0; f < q.nfolds; f++) make_scratch(&q, &q.fold[f]);
    fold_groups(&q);
    if (q.groups > 1) combine_groups(&q);
    return !l->m.failed;
}
