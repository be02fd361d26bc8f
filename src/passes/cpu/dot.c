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
 *     panels longer than the caches are cut along k, too (dot_blocks.c), and then
 *     rows of which a block of k lies in the cache, many columns:
 *                 phase 1   a task = a few panels of NR columns, packed block by block, and all rows
 *     many more products than elements (the gradient of a kernel or weight):
 *                 the same, and the rows' panels are packed by each task
 *
 * A side that the micro-kernel reads once (one row panel, as in a matrix times a vector), or that is small, stays where it is. Panels of
 * what lasts stay from run to run (kept.c): few rows read those, too, as they cost nothing.
 *
 * The micro-kernel holds MR x NR accumulators in registers. Order of additions (IR_ORDER_DOT): an fma chain from +0 over blocks of
 * 512, the blocks' sums added in order; tiles, threads and batch don't enter. The panels follow GotoBLAS and BLIS. */
#include "src/passes/cpu/dot_panel.h"

enum {
    ROWS_MOST = 14, /* of a tile */
    ROW_PANELS_MAX = 16,
    ISSUED = 3,        /* vector instructions in a cycle where two threads share a core */
    BLOCKS_LEAST = 256 /* steps of k from which on tiles are made by blocks */
};

/* ---- the tile: as many accumulators as fit the registers, as little padding as possible */

static unsigned registers_for_sums(const dot_kernel *q) {
    return q->l->t->registers >= 32 ? 28 : 12;
}

/* With 32 registers multiply-adds take the element of x from memory. */
static bool x_from_memory(const dot_kernel *q) {
    return q->l->t->registers >= 32;
}

/* Beside the sums there are a row of y and an element of x. Where few products are added the result is most of the work: it is written
 * line by line. */
static bool fits(const dot_kernel *q, unsigned mr, unsigned nv) {
    const unsigned beside = nv + !x_from_memory(q), row = nv * q->l->t->vector_bytes;
    const int64_t line = q->l->t->machine->line;
    const bool lines = row % line == 0 || line % row == 0;
    if (q->k < BLOCKS_LEAST / 2 && !lines && !x_from_memory(q) && !q->l->t->any_size) return false;
    return mr * nv <= registers_for_sums(q) && (mr == 1 || mr * nv + beside <= q->l->t->registers);
}

static unsigned rows_at_most(const dot_kernel *q) {
    return q->x.size < ROWS_MOST ? (unsigned)q->x.size : ROWS_MOST;
}

static double tile_cost(const dot_kernel *q, unsigned mr, unsigned nv) {
    double fma = mr * nv / 2.0, loads = (mr + nv) / 2.0;
    double all = x_from_memory(q) ? 0 : (mr * nv + mr + nv) / (double)ISSUED;
    double cycles = fma > loads ? fma : loads;
    cycles = cycles > all ? cycles : all;
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
    unsigned best_mr = least;
    double best = 1e300;
    q->nv = 1;
    for (unsigned nv = 1; nv <= widest; nv++)
        for (unsigned mr = least; mr <= most && fits(q, mr, nv); mr++) {
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

/* Not worth a second thread, nor a micro-kernel of its own. */
static bool is_little(const dot_kernel *q) {
    return bz_times(bytes_of(q, &q->x), q->y.size) <= q->l->t->machine->alone;
}

static int64_t tasks_wanted(const dot_kernel *q) {
    return is_little(q) || !q->l->t->threads ? 1 : 2 * (int64_t)q->l->t->threads;
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

/* All rows' part of a block of k stays in the cache while columns pass, each of them once. */
static bool is_wide(const dot_kernel *q) {
    const int64_t cache = q->l->t->machine->second,
                  block = (int64_t)ir_dtype_bytes(q->a.acc) * IR_DOT_BLOCK;
    return q->x.size <= q->y.size && bytes_of(q, &q->y) > cache &&
           bz_times(q->x.size, block) <= cache / 2 &&
           bz_times(q->batch, q->y.size / (2 * (int64_t)q->lanes)) >= tasks_wanted(q);
}

static void set_steps(dot_side *s) {
    if (s->place == DOT_IN_PLACE || s->place == DOT_BAND) return;
    s->along = 1;
    s->down = s->panel;
}

/* Panels that are cut along k, or lie in the caches as they are. */
static void plan_panels(dot_kernel *q) {
    choose_tile(q, 1, rows_at_most(q), q->l->t->registers >= 32 ? 4 : 3);
    q->blocks = q->k >= BLOCKS_LEAST && !is_little(q);
    const bool deep = q->blocks && is_deep(q);
    q->by_columns = deep || (q->blocks && is_wide(q));
    q->x.place = q->by_columns && !deep ? DOT_SHARED : DOT_OWN;
    q->y.place = q->by_columns && !kept_lasts(q->l, q->y.r) ? DOT_OWN : DOT_SHARED;
    q->x.by_block = deep;
    q->y.by_block = q->y.place == DOT_OWN;
}

/* How the product is cut, and where its sides lie meanwhile. */
static void plan(dot_kernel *q) {
    q->by_columns = is_flat(q);
    if (q->by_columns)
        plan_flat(q);
    else
        plan_panels(q);
    set_steps(&q->x);
    set_steps(&q->y);
    const dot_side *cut = q->by_columns ? &q->y : &q->x;
    int64_t most = q->by_columns ? cut->panels : ROW_PANELS_MAX, tasks = tasks_wanted(q);
    q->group = (cut->panels * q->batch + tasks - 1) / tasks;
    q->group = q->group > most ? most : q->group;
    q->group = q->group > cut->panels ? cut->panels : q->group;
    q->group = q->group < 1 ? 1 : q->group;
    if (q->blocks) q->chunk = dot_chunk(q, q->by_columns ? q->x.panels : q->group);
    if (q->x.by_block && q->group > q->chunk) q->group = q->chunk; /* lest x is packed again */
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
    q->all = q->depth = q->any_depth ? emit_extent(&l->m, "k", q->k) : lp_index(b, q->k);
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

lp_val dot_panel_of(const dot_task *k, const dot_side *s, lp_val number) {
    dot_kernel *q = k->q;
    lp_builder *b = q->l->b;
    lp_val slot = lp_iadd(b, lp_imul(b, k->batch, s->pieces), number);
    if (s->place == DOT_OWN && s == &q->y)
        slot = lp_index(b, 0);
    else if (s->place == DOT_OWN)
        slot = q->by_columns ? number : lp_isub(b, number, k->from);
    return panel_at(q, s, first_of(q, s, number), slot);
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

/* May the last vector of a row go beyond the columns? */
static bool has_tail(const dot_kernel *q) {
    const bool any = q->swapped; /* number of columns */
    return q->y.ragged && (any || q->y.size % q->lanes != 0);
}

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
    const bool moved = y->ragged && y->place == DOT_IN_PLACE;
    if (y->ragged && !moved) width = lp_imin(b, width, lp_isub(b, y->count, n0));
    lp_val col = lp_loop(b, LP_SERIAL, col0, width, q->lanes, NULL, 0, NULL),
           n = lp_iadd(b, n0, col);
    if (has_tail(q)) mask = lower_tail_mask(l, lp_isub(b, y->count, n), q->lanes);
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

void dot_store_tile(const dot_task *k, lp_val p, lp_val j, lp_val m0, lp_val n0) {
    dot_kernel *q = k->q;
    lp_builder *b = q->l->b;
    const dot_side *x = &q->x;
    lp_val rows = lp_index(b, x->panel);
    if (x->ragged && x->place != DOT_IN_PLACE) rows = lp_imin(b, rows, lp_isub(b, x->count, m0));
    lp_val i = lp_loop(b, LP_SERIAL, own_from(q, x, p, m0), rows, 1, NULL, 0, NULL);
    epilogue_row(k, i, lp_iadd(b, m0, i), n0, own_from(q, &q->y, j, n0));
    lp_end(b, NULL, 0, NULL);
}

void dot_clear(const dot_kernel *q, lp_val tile) {
    lp_builder *b = q->l->b;
    lp_val i = lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_index(b, (int64_t)q->x.panel * q->y.panel),
                       q->lanes, NULL, 0, NULL);
    lp_store(b, tile, i, lp_const(b, q->a.acc, 0, q->lanes), 0, LP_ALIGNED);
    lp_end(b, NULL, 0, NULL);
}

/* The tile of row panel p and column panel j, which lies at `y` and begins at column n0. */
static void tile(const dot_task *k, lp_val p, lp_val j, lp_val y, lp_val n0) {
    dot_kernel *q = k->q;
    lp_builder *b = q->l->b;
    const dot_side *x = &q->x;
    lp_val m0 = first_of(q, x, p);
    lp_val at = dot_panel_of(k, x, p);
    lp_val masked = dot_is_masked(q, m0, n0);
    if (masked) {
        lp_if(b, masked);
        dot_clear(q, q->tile);
        lp_else(b, NULL, 0);
    }
    dot_add_all(q, at, y);
    if (masked) lp_end(b, NULL, 0, NULL);
    dot_store_tile(k, p, j, m0, n0);
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
    lp_val j = lp_loop(b, LP_SERIAL, j0, j1, 1, NULL, 0, NULL);
    if (q->y.place == DOT_OWN) dot_pack(q, &q->y, j, zero);
    lp_val n0 = first_of(q, &q->y, j), y = dot_panel_of(k, &q->y, j);
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

/* Sizes that the code doesn't hang on are rounded up, lest it does by these. */
void dot_make_own(dot_kernel *q, dot_side *s, int64_t slots) {
    if (s->place != DOT_OWN) return;
    const int64_t k = s->by_block ? IR_DOT_BLOCK : q->any_depth ? up(q, q->k) : q->k;
    const int64_t room = s->by_block || q->any_depth ? q->lanes : 0; /* see dot_panel_stride */
    s->p = lp_local(q->l->b, q->a.acc, slots * (dot_panel_stride(q, s, k) + room), LP_SCRATCH);
}

/* Memory of a task. */
static void make_locals(dot_kernel *q, bool in_band) {
    const int64_t tile = (int64_t)q->x.panel * q->y.panel;
    const int64_t rows = q->by_columns       ? up(q, q->x.panels)
                         : in_band           ? q->group
                         : q->l->t->any_size ? ROW_PANELS_MAX
                                             : up(q, q->group);
    if (q->blocks) {
        dot_make_blocks(q, rows);
        return;
    }
    dot_make_own(q, q->by_columns ? &q->y : &q->x, q->by_columns ? 1 : rows);
    q->tile = lp_local(q->l->b, q->a.acc, (q->streams ? 2 : 1) * tile,
                       q->streams ? LP_SCRATCH : LP_STACK);
}

/* A task: panels from .. to of the side that is cut. */
static void multiply(dot_kernel *q, lp_val batch, lp_val from, lp_val to) {
    const dot_task k = {q, batch, from, to};
    emit_sym(&q->l->m, q->b_sym, batch);
    if (q->x.place == DOT_OWN && !q->x.by_block) dot_pack_all(q, &q->x, from, to);
    if (q->blocks)
        dot_blocks(&k);
    else
        tiles(&k);
}

static void phase_multiply(dot_kernel *q) {
    lower *l = q->l;
    lp_builder *b = l->b;
    const dot_side *cut = q->by_columns ? &q->y : &q->x;
    lp_val group = emit_extent(&l->m, "group", q->group),
           groups = lower_cover(b, cut->pieces, group);
    make_locals(q, false);
    lp_val all = lp_imul(b, q->batches, groups);
    lp_val t = lp_loop(b, LP_PARALLEL, lp_index(b, 0), all, 1, NULL, 0, NULL);
    unsigned mark = emit_mark(&l->m);
    lp_val batch = batch_of(q, t, groups), own = lp_isub(b, t, lp_imul(b, batch, groups));
    lp_val from = lp_imul(b, own, group);
    lp_val to = lp_imin(b, lp_iadd(b, from, group), cut->pieces);
    multiply(q, batch, from, to);
    emit_forget(&l->m, mark);
    lp_end(b, NULL, 0, NULL);
}

/* Are zeros of x looked for? It must lie as the search wants it, and whether y is finite is noted where that is packed. */
static void find_zeros(dot_kernel *q) {
    bool lies = q->x.place == DOT_BAND || q->x.place == DOT_OWN;
    q->sparse = lies && q->y.place == DOT_SHARED && ir_is_float(q->a.acc) && q->k % q->lanes == 0 &&
                q->k >= IR_DOT_BLOCK / 2 && dot_may_have_zeros(q->l, q->x.r);
    q->blocks &= !q->sparse; /* what is looked at are whole blocks of whole panels */
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
