/* dot.c - sums of products: a register-tiled micro-kernel over panels, an epilogue on each tile while it is in the cache.
 *
 *     many rows:  phase 0   y[b, k, n] packed into panels  [b][n / NR][k][n % NR]      (all threads, zero padded)
 *                 phase 1   a task = a few panels of MR rows, packed alike, and all columns
 *     few rows:   phase 0   x[b, m, k] packed into panels  [b][m / MR][k][m % MR]
 *                 phase 1   a task = a few panels of NR columns, packed one after the other, and all rows
 *
 *     a task, for each column panel, for each row panel:
 *                 tile[MR][NR] = micro-kernel(x's panel, y's panel, K)
 *                 epilogue: what the group makes of the product at (b, m, n), stored
 *
 *     many more products than elements (the gradient of a kernel or weight):
 *                 phase 1   a task = a few panels of NR columns, and all rows: for each block of k both sides are packed, and added to tiles
 *                           that stay in the cache, from -0 on, to which the first sum is added as it is
 *
 * A side that the micro-kernel reads once (one row panel, as in a matrix times a vector), or that is small, stays where it is. Panels of
 * what lasts stay from run to run (kept.c): few rows read those, too, as they cost nothing.
 *
 * The micro-kernel holds MR x NR accumulators in registers. Order of additions (IR_ORDER_DOT): an fma chain from +0 over blocks of
 * 512, the blocks' sums added in order; tiles, threads and batch don't enter. The panels follow GotoBLAS and BLIS. */
#include "src/passes/cpu/dot_panel.h"

enum {
    ROWS_MOST = 14, /* of a tile */
    ROW_PANELS_MAX = 16
};

/* ---- the tile: as many accumulators as fit the registers, as little padding as possible */

static unsigned registers_for_sums(const dot_kernel *q) {
    return q->l->t->registers >= 32 ? 28 : 12;
}

static unsigned rows_at_most(const dot_kernel *q) {
    return q->x.size < ROWS_MOST ? (unsigned)q->x.size : ROWS_MOST;
}

static double tile_cost(const dot_kernel *q, unsigned mr, unsigned nv) {
    double fma = mr * nv / 2.0, loads = (mr + nv) / 2.0;
    double cycles = fma > loads ? fma : loads;
    cycles = cycles > 4 ? cycles : 4; /* latency of the chain */
    int64_t nr = (int64_t)nv * q->lanes;
    if (q->l->t->any_size && q->x.size > ROWS_MOST) /* however many rows there are */
        return cycles / mr * (double)((q->y.size + nr - 1) / nr) + 1e-9 / (mr * nv);
    return cycles * (double)((q->x.size + mr - 1) / mr) * (double)((q->y.size + nr - 1) / nr) +
           1e-9 / (mr * nv);
}

static void set_panels(const dot_kernel *q, dot_side *s, unsigned panel) {
    s->panel = panel;
    s->panels = (s->size + panel - 1) / panel;
    const dot_side *any = q->swapped ? &q->y : &q->x; /* that serves other sizes */
    s->ragged = s->size % panel != 0 || (q->l->t->any_size && s == any && s->size > panel);
}

/* least .. most: rows of a tile; widest: vectors of its row. */
static void choose_tile(dot_kernel *q, unsigned least, unsigned most, unsigned widest) {
    unsigned best_mr = least, budget = registers_for_sums(q);
    double best = 1e300;
    q->nv = 1;
    for (unsigned nv = 1; nv <= widest; nv++)
        for (unsigned mr = least; mr * nv <= budget && mr <= most; mr++) {
            double cost = tile_cost(q, mr, nv);
            if (cost < best) {
                best = cost;
                best_mr = mr;
                q->nv = nv;
            }
        }
    set_panels(q, &q->x, best_mr);
    set_panels(q, &q->y, q->nv * q->lanes);
}

/* ---- where the sides lie */

static int64_t bytes_of(const dot_kernel *q, const dot_side *s) {
    return bz_times(bz_times(s->size, q->k), (int64_t)ir_dtype_bytes(q->a.acc));
}

static int64_t tasks_wanted(const dot_kernel *q) {
    bool little = bz_times(bytes_of(q, &q->x), q->y.size) <= q->l->t->machine->alone;
    return little || !q->l->t->threads ? 1 : 2 * (int64_t)q->l->t->threads;
}

/* Few rows: y, packed, would be read again too few times. */
static bool is_flat(const dot_kernel *q) {
    int64_t by_columns = bz_times(q->batch, q->y.size / (2 * (int64_t)q->lanes));
    int64_t by_rows = bz_times(q->batch, (q->x.size + ROWS_MOST - 1) / ROWS_MOST),
            wanted = tasks_wanted(q);
    return q->x.size <= q->y.size && bytes_of(q, &q->x) <= q->l->t->machine->second / 2 &&
           by_columns >= (by_rows < wanted ? by_rows : wanted);
}

/* Columns of the tile of a kernel that streams: a part of a thread's share that fits the first cache. */
static unsigned strip(const dot_kernel *q) {
    int64_t most = q->l->t->machine->first / 4 / (q->x.size * (int64_t)ir_dtype_bytes(q->a.acc)),
            n = q->lanes;
    int64_t share = q->y.size * q->batch / tasks_wanted(q);
    while (2 * n <= most && 2 * n <= share && 2 * n <= q->y.size) n *= 2;
    return (unsigned)n;
}

static void plan_flat(dot_kernel *q) {
    const int64_t small =
        q->l->t->machine->first / 2; /* stays in the first cache wherever it lies */
    const unsigned budget = registers_for_sums(q);
    const int64_t vector = bz_times(q->k, q->l->t->vector_bytes);
    bool one = 2 * q->x.size <= budget; /* all rows in one panel */
    /* what is read once and lies in order comes 1.3 to 8 times as fast as rows side by side */
    bool kept = bytes_of(q, &q->y) > small && kept_lasts(q->l, q->y.r);
    bool stays = !kept && (one || bytes_of(q, &q->y) <= small) && q->y.size >= q->lanes &&
                 dot_lies_straight(q, &q->y) && q->y.along == 1;
    int64_t widest = stays ? 8 : vector > 0 ? q->l->t->machine->second / 2 / vector : 1;
    if (stays && widest > q->y.size / q->lanes) widest = q->y.size / q->lanes;
    widest = widest < 1 ? 1 : widest > 4 && !stays ? 4 : widest;
    choose_tile(q, one ? (unsigned)q->x.size : 1, rows_at_most(q), (unsigned)widest);
    q->y.place = stays ? DOT_IN_PLACE : kept ? DOT_SHARED : DOT_OWN;
    stays = q->x.size >= q->x.panel && (q->x.size == 1 || bytes_of(q, &q->x) <= small);
    q->streams =
        q->y.place == DOT_IN_PLACE && q->x.size <= DOT_STREAM_ROWS && bytes_of(q, &q->y) > small;
    if (q->streams) set_panels(q, &q->y, strip(q));
    q->x.place = stays && dot_lies_straight(q, &q->x) ? DOT_IN_PLACE : DOT_SHARED;
}

/* Packed as a whole both sides would go through memory, while the result is small. */
static bool is_deep(const dot_kernel *q) {
    const int64_t cache = q->l->t->machine->second,
                  block = (int64_t)ir_dtype_bytes(q->a.acc) * IR_DOT_BLOCK;
    const int64_t longer = q->x.size > q->y.size ? q->x.size : q->y.size;
    return q->k >= 8 * IR_DOT_BLOCK && q->k / 8 >= longer && bytes_of(q, &q->y) > cache &&
           bz_times(q->x.size, block) <= cache / 2 && q->y.size >= q->lanes;
}

/* Columns of which all rows, as sums, are a part of the cache. */
static int64_t deep_group(const dot_kernel *q) {
    const int64_t panel =
        bz_times((int64_t)q->y.panel * (int64_t)ir_dtype_bytes(q->a.acc), q->x.panels * q->x.panel);
    const int64_t n = q->l->t->machine->second / 4 / panel;
    return n < 1 ? 1 : n;
}

static void set_steps(dot_side *s) {
    if (s->place == DOT_IN_PLACE || s->place == DOT_BAND) return;
    s->along = 1;
    s->down = s->panel;
}

/* How the product is cut, and where its sides lie meanwhile. */
static void plan(dot_kernel *q) {
    q->by_columns = is_flat(q);
    if (q->by_columns) {
        plan_flat(q);
    } else {
        choose_tile(q, 1, rows_at_most(q), q->l->t->registers >= 32 ? 4 : 3);
        q->deep = q->by_columns = is_deep(q);
        q->x.place = DOT_OWN;
        q->y.place = q->deep ? DOT_OWN : DOT_SHARED;
    }
    set_steps(&q->x);
    set_steps(&q->y);
    const dot_side *cut = q->by_columns ? &q->y : &q->x;
    int64_t most = q->by_columns ? cut->panels : ROW_PANELS_MAX, tasks = tasks_wanted(q);
    q->group = (cut->panels * q->batch + tasks - 1) / tasks;
    most = q->deep && deep_group(q) < most ? deep_group(q) : most;
    q->group = q->group > most ? most : q->group;
    q->group = q->group > cut->panels ? cut->panels : q->group;
    q->group = q->group < 1 ? 1 : q->group;
}

/* ---- panels of a side */

/* What the loops hang on. Outside of bands the sizes that decide nothing else are handed over at the launch, so that the kernel serves any:
 * how many rows x has (columns, where these are the vector's) and, if nothing is turned by squares of k, how many products are added. */
static void make_counts(dot_kernel *q, bool in_band) {
    lower *l = q->l;
    lp_builder *b = l->b;
    bool turned = (q->x.place != DOT_IN_PLACE && dot_turns(q, &q->x)) ||
                  (q->y.place != DOT_IN_PLACE && dot_turns(q, &q->y));
    dot_side *sides[2] = {&q->x, &q->y}, *any = q->swapped ? &q->y : &q->x;
    q->batches = emit_extent(&l->m, "batch", q->batch);
    for (unsigned i = 0; i < 2; i++) {
        dot_side *s = sides[i];
        s->count = s == any && !in_band ? emit_extent(&l->m, "m", s->size) : lp_index(b, s->size);
        s->pieces = lower_cover(b, s->count, lp_index(b, s->panel));
    }
    q->any_depth = !(in_band || turned || q->sparse);
    q->depth = q->any_depth ? emit_extent(&l->m, "k", q->k) : lp_index(b, q->k);
}

/* The first element of panel `number`. In place the last one is moved back so that it is whole: its elements that belong to the one
 * before, too, are computed twice and stored once. */
static lp_val first_of(const dot_kernel *q, const dot_side *s, lp_val number) {
    lp_builder *b = q->l->b;
    lp_val first = lp_imul(b, number, lp_index(b, s->panel));
    bool whole = s->place != DOT_IN_PLACE || !s->ragged;
    return whole ? first : lp_imin(b, first, lp_isub(b, s->count, lp_index(b, s->panel)));
}

/* Panel `number`, which begins at `first`; slot: number of the packed one. */
static lp_val panel_at(dot_kernel *q, const dot_side *s, lp_val first, lp_val slot) {
    lp_builder *b = q->l->b;
    if (s->place == DOT_SHARED || s->place == DOT_OWN)
        return lp_offset(b, s->p, lp_imul(b, slot, dot_stride(q, s)));
    emit_sym(&q->l->m, s->sym, first);
    emit_sym(&q->l->m, q->k_sym, lp_index(b, 0));
    return lp_offset(b, s->p, emit_index(&q->l->m, emit_from(&q->l->m, s->p, s->offset)));
}

/* The batch of task t, if each has `each` tasks. */
static lp_val batch_of(const dot_kernel *q, lp_val t, lp_val each) {
    lp_builder *b = q->l->b;
    return q->batch == 1 ? lp_index(b, 0) : lp_idiv(b, t, each);
}

/* The phase that packs all panels of a side. */
static void pack_shared(dot_kernel *q, dot_side *s) {
    lower *l = q->l;
    lp_builder *b = l->b;
    s->p = lower_work_of(l, s->r, q->a.acc, q->batch * s->panels * dot_panel_stride(q, s, q->k));
    lp_val all = lp_imul(b, q->batches, s->pieces);
    lp_val t = lp_loop(b, LP_PARALLEL, lp_index(b, 0), all, 1, NULL, 0, NULL);
    unsigned mark = emit_mark(&l->m);
    lp_val batch = batch_of(q, t, s->pieces), own = lp_isub(b, t, lp_imul(b, batch, s->pieces));
    emit_sym(&l->m, q->b_sym, batch);
    dot_pack(q, s, own, lp_imul(b, t, dot_stride(q, s)));
    emit_forget(&l->m, mark);
    lp_end(b, NULL, 0, NULL);
}

/* ---- the products */

/* What is done at the place of a task. */
typedef struct dot_task {
    dot_kernel *q;
    lp_val batch, from, to; /* panels of the side that is cut */
} dot_task;

/* Row i of the tile from column `col0` on, a vector at a time (a loop: epilogues are long). `n0` is the tile's first column. A result of
 * one column (and one row) is no vector. */
static void epilogue_row(const dot_task *k, lp_val i, lp_val m, lp_val n0, lp_val col0) {
    dot_kernel *q = k->q;
    lower *l = q->l;
    lp_builder *b = l->b;
    const dot_side *y = &q->y;
    lp_val row = lp_imul(b, i, lp_index(b, y->panel)), width = lp_index(b, y->panel), mask = 0;
    unsigned mark = emit_mark(&l->m);
    emit_sym(&l->m, q->x.sym, m);
    if (y->size == 1) {
        emit_sym(&l->m, y->sym, n0);
        dot_epilogue(q, lp_load(b, k->q->tile, row, 1, 0, 0));
        emit_forget(&l->m, mark);
        return;
    }
    bool ragged = y->ragged, moved = ragged && y->place == DOT_IN_PLACE;
    if (ragged && !moved) width = lp_imin(b, width, lp_isub(b, y->count, n0));
    lp_val col = lp_loop(b, LP_SERIAL, col0, width, q->lanes, NULL, 0, NULL),
           n = lp_iadd(b, n0, col);
    if (ragged) mask = lower_tail_mask(l, lp_isub(b, y->count, n), q->lanes);
    emit_vector(&l->m, y->sym, n, q->lanes, 1, mask);
    dot_epilogue(q, lp_load(b, k->q->tile, lp_iadd(b, row, col), q->lanes, moved ? mask : 0,
                            moved ? 0 : LP_ALIGNED));
    emit_forget(&l->m, mark);
    lp_end(b, NULL, 0, NULL);
    emit_scalar(&l->m);
}

/* Where the elements begin in a panel that no panel before it has. */
static lp_val own_from(const dot_kernel *q, const dot_side *s, lp_val number, lp_val first) {
    lp_builder *b = q->l->b;
    return lp_isub(b, lp_imul(b, number, lp_index(b, s->panel)), first);
}

static void clear_tile(const dot_kernel *q) {
    lp_builder *b = q->l->b;
    lp_val i = lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_index(b, (int64_t)q->x.panel * q->y.panel),
                       q->lanes, NULL, 0, NULL);
    lp_store(b, q->tile, i, lp_const(b, q->a.acc, 0, q->lanes), 0, LP_ALIGNED);
    lp_end(b, NULL, 0, NULL);
}

/* The tile of row panel p and column panel j, which lies at `y` and begins at column n0. */
static void tile(const dot_task *k, lp_val p, lp_val j, lp_val y, lp_val n0) {
    dot_kernel *q = k->q;
    lp_builder *b = q->l->b;
    const dot_side *x = &q->x;
    lp_val m0 = first_of(q, x, p), rows = lp_index(b, x->panel);
    lp_val slot = x->place == DOT_OWN ? lp_isub(b, p, k->from)
                                      : lp_iadd(b, lp_imul(b, k->batch, x->pieces), p);
    lp_val at = panel_at(q, x, m0, slot);
    lp_val masked = dot_is_masked(q, m0, n0);
    if (masked) {
        lp_if(b, masked);
        clear_tile(q);
        lp_else(b, NULL, 0);
    }
    lp_call(b, q->ukernel,
            (lp_val[]){at, y, k->q->tile, q->depth, lp_index(b, x->down), lp_index(b, q->y.down)},
            6);
    if (masked) lp_end(b, NULL, 0, NULL);
    if (x->ragged && x->place != DOT_IN_PLACE) rows = lp_imin(b, rows, lp_isub(b, x->count, m0));
    lp_val i = lp_loop(b, LP_SERIAL, own_from(q, x, p, m0), rows, 1, NULL, 0, NULL);
    epilogue_row(k, i, lp_iadd(b, m0, i), n0, own_from(q, &q->y, j, n0));
    lp_end(b, NULL, 0, NULL);
}

/* The tiles of all column panels of the task, or of all there are, with the row panels alike. */
static void tiles(const dot_task *k) {
    dot_kernel *q = k->q;
    lp_builder *b = q->l->b;
    lp_val zero = lp_index(b, 0), j0 = zero, j1 = q->y.pieces, p0 = zero, p1 = q->x.pieces;
    if (q->by_columns)
        j0 = k->from, j1 = k->to;
    else
        p0 = k->from, p1 = k->to;
    lp_val j = lp_loop(b, LP_SERIAL, j0, j1, 1, NULL, 0, NULL), slot = zero;
    if (q->y.place == DOT_OWN) dot_pack(q, &q->y, j, zero);
    if (q->y.place == DOT_SHARED) slot = lp_iadd(b, lp_imul(b, k->batch, q->y.pieces), j);
    lp_val n0 = first_of(q, &q->y, j), y = panel_at(q, &q->y, n0, slot);
    lp_val p = lp_loop(b, LP_SERIAL, p0, p1, 1, NULL, 0, NULL);
    tile(k, p, j, y, n0);
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
}

/* n or more, the same for many. */
static int64_t up(const dot_kernel *q, int64_t n) {
    int64_t r = 1;
    while (r < n) r *= q->l->t->any_size ? 8 : 2;
    return r;
}

/* Memory of a task. Sizes that the code doesn't hang on are rounded up, lest it does by these. */
static void make_locals(dot_kernel *q, bool in_band) {
    lp_builder *b = q->l->b;
    dot_side *cut = q->by_columns ? &q->y : &q->x;
    const int64_t tile = (int64_t)q->x.panel * q->y.panel;
    const int64_t most = q->l->t->any_size ? ROW_PANELS_MAX : up(q, q->group);
    const int64_t slots = q->by_columns ? 1 : in_band ? q->group : most;
    int64_t size = dot_panel_stride(q, cut, q->k);
    if (q->any_depth) size = dot_panel_stride(q, cut, up(q, q->k)) + q->lanes;
    if (cut->place == DOT_OWN) cut->p = lp_local(b, q->a.acc, slots * size, LP_SCRATCH);
    q->tile =
        lp_local(b, q->a.acc, (q->streams ? 2 : 1) * tile, q->streams ? LP_SCRATCH : LP_STACK);
}

/* A task: panels from .. to of the side that is cut. */
static void multiply(dot_kernel *q, lp_val batch, lp_val from, lp_val to) {
    const dot_task k = {q, batch, from, to};
    emit_sym(&q->l->m, q->b_sym, batch);
    if (q->x.place == DOT_OWN) dot_pack_all(q, &q->x, from, to);
    tiles(&k);
}

/* ---- deep */

typedef struct deep_task {
    dot_task t;
    lp_val tiles; /* one behind the other: all row panels of the first column panel ... */
} deep_task;

static void deep_locals(dot_kernel *q, deep_task *d) {
    lp_builder *b = q->l->b;
    const bz_dtype t = q->a.acc;
    const int64_t tile = (int64_t)q->x.panel * q->y.panel, room = IR_DOT_BLOCK + q->lanes;
    q->x.p = lp_local(b, t, q->x.panels * dot_panel_stride(q, &q->x, room), LP_SCRATCH);
    q->y.p = lp_local(b, t, dot_panel_stride(q, &q->y, room), LP_SCRATCH);
    d->tiles = lp_local(b, t, q->x.panels * q->group * tile, LP_SCRATCH);
}

static lp_val deep_tile(const deep_task *d, lp_val j, lp_val p) {
    const dot_kernel *q = d->t.q;
    lp_builder *b = q->l->b;
    lp_val number = lp_iadd(b, lp_imul(b, lp_isub(b, j, d->t.from), q->x.pieces), p);
    return lp_offset(b, d->tiles,
                     lp_imul(b, number, lp_index(b, (int64_t)q->x.panel * q->y.panel)));
}

static void deep_clear(const deep_task *d) {
    const dot_kernel *q = d->t.q;
    lp_builder *b = q->l->b;
    const bz_dtype t = q->a.acc;
    const ir_bits none = ir_is_float(t) ? ir_bits_from_f64(t, -0.0) : 0;
    lp_val all = lp_imul(b, lp_isub(b, d->t.to, d->t.from), q->x.pieces);
    all = lp_imul(b, all, lp_index(b, (int64_t)q->x.panel * q->y.panel));
    lp_val i = lp_loop(b, LP_SERIAL, lp_index(b, 0), all, q->lanes, NULL, 0, NULL);
    lp_store(b, d->tiles, i, lp_const(b, t, none, q->lanes), 0, LP_ALIGNED);
    lp_end(b, NULL, 0, NULL);
}

/* Products first .. first + depth - 1 of all tiles. */
static void deep_block(const deep_task *d) {
    dot_kernel *q = d->t.q;
    lp_builder *b = q->l->b;
    const lp_val zero = lp_index(b, 0);
    dot_pack_all(q, &q->x, zero, q->x.pieces);
    lp_val j = lp_loop(b, LP_SERIAL, d->t.from, d->t.to, 1, NULL, 0, NULL);
    dot_pack(q, &q->y, j, zero);
    lp_val p = lp_loop(b, LP_SERIAL, zero, q->x.pieces, 1, NULL, 0, NULL);
    lp_val x = lp_offset(b, q->x.p, lp_imul(b, p, dot_stride(q, &q->x)));
    lp_val args[6] = {
        x, q->y.p, deep_tile(d, j, p), q->depth, lp_index(b, q->x.down), lp_index(b, q->y.down)};
    lp_call(b, q->ukernel, args, 6);
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
}

static void deep_epilogues(const deep_task *d) {
    dot_kernel *q = d->t.q;
    lp_builder *b = q->l->b;
    const dot_side *x = &q->x;
    const lp_val zero = lp_index(b, 0);
    lp_val j = lp_loop(b, LP_SERIAL, d->t.from, d->t.to, 1, NULL, 0, NULL);
    lp_val n0 = lp_imul(b, j, lp_index(b, q->y.panel));
    lp_val p = lp_loop(b, LP_SERIAL, zero, x->pieces, 1, NULL, 0, NULL);
    lp_val m0 = lp_imul(b, p, lp_index(b, x->panel)), rows = lp_index(b, x->panel);
    if (x->ragged) rows = lp_imin(b, rows, lp_isub(b, x->count, m0));
    q->tile = deep_tile(d, j, p);
    lp_val i = lp_loop(b, LP_SERIAL, zero, rows, 1, NULL, 0, NULL);
    epilogue_row(&d->t, i, lp_iadd(b, m0, i), n0, zero);
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
}

static void deep_multiply(deep_task *d) {
    dot_kernel *q = d->t.q;
    lp_builder *b = q->l->b;
    const lp_val all = q->depth, block = lp_index(b, IR_DOT_BLOCK);
    emit_sym(&q->l->m, q->b_sym, d->t.batch);
    deep_clear(d);
    q->first = lp_loop(b, LP_SERIAL, lp_index(b, 0), all, IR_DOT_BLOCK, NULL, 0, NULL);
    unsigned mark = emit_mark(&q->l->m);
    q->depth = lp_imin(b, block, lp_isub(b, all, q->first));
    deep_block(d);
    emit_forget(&q->l->m, mark);
    lp_end(b, NULL, 0, NULL);
    q->first = 0;
    q->depth = all;
    deep_epilogues(d);
}

static void phase_multiply(dot_kernel *q) {
    lower *l = q->l;
    lp_builder *b = l->b;
    const dot_side *cut = q->by_columns ? &q->y : &q->x;
    lp_val group = emit_extent(&l->m, "group", q->group),
           groups = lower_cover(b, cut->pieces, group);
    deep_task deep = {.t.q = q};
    if (q->deep)
        deep_locals(q, &deep);
    else
        make_locals(q, false);
    lp_val all = lp_imul(b, q->batches, groups);
    lp_val t = lp_loop(b, LP_PARALLEL, lp_index(b, 0), all, 1, NULL, 0, NULL);
    unsigned mark = emit_mark(&l->m);
    lp_val batch = batch_of(q, t, groups), own = lp_isub(b, t, lp_imul(b, batch, groups));
    lp_val from = lp_imul(b, own, group);
    lp_val to = lp_imin(b, lp_iadd(b, from, group), cut->pieces);
    if (q->deep) {
        deep.t = (dot_task){q, batch, from, to};
        deep_multiply(&deep);
    } else {
        multiply(q, batch, from, to);
    }
    emit_forget(&l->m, mark);
    lp_end(b, NULL, 0, NULL);
}

/* Are zeros of x looked for? It must lie as the search wants it, and whether y is finite is noted where that is packed. */
static void find_zeros(dot_kernel *q) {
    bool lies = q->x.place == DOT_BAND || q->x.place == DOT_OWN;
    q->sparse = lies && q->y.place == DOT_SHARED && ir_is_float(q->a.acc) && q->k % q->lanes == 0 &&
                q->k >= IR_DOT_BLOCK / 2 && dot_may_have_zeros(q->l, q->x.r);
}

bool lower_dot(lower *l) {
    dot_kernel q;
    dot_find_sides(&q, l);
    plan(&q);
    find_zeros(&q);
    if (!dot_make_ukernel(&q)) return false;
    make_counts(&q, false);
    if (q.x.place == DOT_SHARED) pack_shared(&q, &q.x);
    if (q.y.place == DOT_SHARED) pack_shared(&q, &q.y);
    phase_multiply(&q);
    return !l->m.failed;
}

/* ---- in a band */

void dot_begin(dot_kernel *q, lower *l, unsigned rows, bool in_band) {
    dot_find_sides(q, l);
    unsigned most = rows ? rows : rows_at_most(q);
    choose_tile(q, rows ? rows : 1, most, q->l->t->registers >= 32 ? 4 : 3);
    q->x.place = in_band && ir_dtype(l->g, q->x.r) == q->a.acc ? DOT_BAND : DOT_OWN;
    q->y.place = DOT_SHARED;
    set_steps(&q->x);
    set_steps(&q->y);
}

void dot_share(dot_kernel *q) {
    find_zeros(q);
    make_counts(q, true);
    pack_shared(q, &q->y);
    make_locals(q, true);
}

bool dot_rows(dot_kernel *q, lp_val batch, lp_val p0, lp_val p1) {
    if (q->x.place == DOT_BAND && !dot_lies_straight(q, &q->x)) bz_bug("a band of other rows");
    if (!dot_make_ukernel(q)) return false;
    multiply(q, batch, p0, p1);
    return true;
}
