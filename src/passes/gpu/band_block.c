/* band_block.c - groups that hand rows to one another (fuse_band.c), in one kernel: a block of threads has a band of rows.
 *
 *     a band   products: its rows of S                                   -> the band's memory        dot_block.c
 *              reductions: S row by row, a warp a row                    -> P, there, too            row_warp.c
 *              products: P's rows . y                                    -> what is stored           dot_block.c
 *
 * The order of additions is the CPU's, whose sums are of whole rows: so they must lie somewhere. What a row of P is made of dies with it:
 * P, and what stages keep on the way, take its place. The band's memory is shared memory, for as many rows as leave room for a second
 * block, or at least FEW; rows that are longer lie in a buffer that has a band for each block that is under way, and stays in the second
 * cache. */
#include "src/passes/forms/band.h"
#include "src/passes/gpu/dot_block.h"
#include "src/passes/gpu/row_warp.h"

enum {
    WARPS = 4,
    THREADS = WARPS * GPU_WARP,
    MOST = 64,            /* rows of a band */
    FEW = 16,             /* ... for which shared memory may go to one block alone */
    WANTED = 256,         /* bands, before they get more rows than that */
    SUMS = 32,            /* of a thread */
    WIDEST = 4 * THREADS, /* columns of a tile */
    DEEP = 8,             /* steps of a turn; where shared memory is short, half of them */
    BYTES = 64 << 20      /* of a buffer for bands */
};

/* Memory for one value at a time, as large as a row. */
typedef struct piece {
    bz_dtype dtype;
    /* what a product makes; what a stage keeps; what is handed on: in this order; 0: there is none */
    ir_ref first, kept, last;
    lp_val p;
} piece;

typedef struct band {
    band_parts p;
    dot_block dot[FUSE_MAX_PARTS]; /* of the parts that are products */
    row_warps *row;
    piece pieces[FUSE_MAX_PARTS];
    unsigned npieces, of[FUSE_MAX_PARTS]; /* of each handed value, its piece */
    BZ_VEC(lp_val) kept;                  /* of each value that stages keep, its piece's memory */
    int64_t rows, each;                   /* of S in a batch, of a band */
    int64_t slots;                        /* bands in a buffer; 0: they lie in shared memory */
    unsigned deep;                        /* steps of a turn */
    lp_val all, number, pieces_of_batch;  /* bands; slots; bands of a batch */
    dot_kernel *masked;                   /* the product of which the rows are seen in part */
    lp_val thread, batch, m0;
} band;

/* ---- what may lie where something else was */

/* The stages at which node n reads x. */
static uint32_t reads_at(const work *w, const work_node *n, ir_ref x) {
    const ir_node *at = ir_at(w->g, n->r);
    bool reads = false, kept = false;
    for (unsigned k = 0; k < at->nin; k++) reads |= ir_operand(w->g, n->r, k) == x;
    for (uint32_t i = 0; i < w->kept.n; i++) kept |= w->kept.p[i] == n->r;
    if (!reads) return 0;
    if (n->member && at->op == IR_REDUCE) return 1u << (n->stage - 1);
    return kept ? n->stages & -n->stages : n->stages;
}

static bool is_read_after(const work *w, ir_ref x, unsigned stage) {
    uint32_t stages = 0;
    for (uint32_t i = 0; i < w->nodes.n; i++) stages |= reads_at(w, &w->nodes.p[i], x);
    return stages >> stage > 1;
}

/* Do all reads of x at this stage lead to r? Then all of them are done when r is known: each node is computed once for an element. */
static bool is_read_for(const work *w, ir_ref x, unsigned stage, ir_ref r) {
    bool *leads = bz_mem_zero(w->nodes.n, sizeof *leads), all = leads != NULL;
    for (uint32_t i = w->nodes.n; i-- > 0 && leads;) {
        const work_node *n = &w->nodes.p[i];
        leads[i] |= n->r == r;
        for (unsigned k = 0; k < ir_at(w->g, n->r)->nin && leads[i]; k++) {
            const work_node *of = work_find(w, ir_operand(w->g, n->r, k));
            if (of) leads[of - w->nodes.p] = true;
        }
        all &= leads[i] || !(reads_at(w, n, x) >> stage & 1);
    }
    bz_mem_free(leads);
    return all;
}

/* ---- pieces of a band's memory */

/* What stages keep is stored before anything else of its stage. False: it has no place. */
static bool place_kept(band *w, const work *q, ir_ref r) {
    const unsigned stage = work_kept_by(q, r);
    const bz_dtype t = ir_dtype(q->g, r);
    for (unsigned i = 0; i < w->npieces; i++) {
        piece *c = &w->pieces[i];
        if (c->kept || c->dtype != t || is_read_after(q, c->first, stage) ||
            !is_read_for(q, c->first, stage, r))
            continue;
        c->kept = r;
        return true;
    }
    return false;
}

/* ... and what is handed on after everything else. plain: the work if nothing is kept, as where pointers forbid it. */
static unsigned place_handed(band *w, const work *q, const work *plain, ir_ref r) {
    const unsigned stage = work_find(q, r)->stage;
    const bz_dtype t = ir_dtype(q->g, r);
    for (unsigned i = 0; i < w->npieces; i++) {
        piece *c = &w->pieces[i];
        if (!c->first || c->last || c->dtype != t || is_read_after(plain, c->first, stage) ||
            (c->kept && is_read_after(q, c->kept, stage)))
            continue;
        c->last = r;
        return i;
    }
    w->pieces[w->npieces] = (piece){.dtype = t, .last = r};
    return w->npieces++;
}

static bool is_product(const band *w, unsigned k) {
    return k != w->p.all->row;
}

/* Where what is handed on and kept lies, of a row. */
static bool place_all(band *w) {
    const fuse_group *all = w->p.all;
    lower *l = w->p.l;
    work plain;
    bool ok = work_describe(&plain, l->f, l->group, l->outputs.p, l->outputs.n, false);
    for (unsigned k = 0; k < all->row; k++) {
        w->pieces[w->npieces] =
            (piece){.dtype = ir_dtype(l->g, all->handed.p[k]), .first = all->handed.p[k]};
        w->of[k] = w->npieces++;
    }
    bool kept = !row_fits_warp(w->row);
    for (uint32_t i = 0; i < w->row->q.w.kept.n && kept && ok; i++)
        kept = place_kept(w, &w->row->q.w, w->row->q.w.kept.p[i]);
    if (!kept && !row_fits_warp(w->row)) {
        for (unsigned i = 0; i < w->npieces; i++) w->pieces[i].kept = 0;
        ok = ok && row_hold_nothing(w->row);
    }
    for (uint32_t i = all->row; i < all->handed.n && ok; i++)
        w->of[i] = place_handed(w, &w->row->q.w, &plain, all->handed.p[i]);
    work_free(&plain);
    return ok;
}

/* ---- how the rows are cut */

/* What a tile takes of the time of `columns` columns: multiplications, or loads of shared memory, whichever are more. */
static int64_t tile_cost(const dot_tile *t, int64_t columns) {
    const int64_t wide = (int64_t)t->across * t->columns, n = (columns + wide - 1) / wide;
    const int64_t beside = t->across < GPU_WARP ? t->across : GPU_WARP;
    const int64_t rows = t->rows < DOT_LANES ? t->rows : t->rows / DOT_LANES; /* loads of x */
    const int64_t fma = 8 * (int64_t)t->rows * t->columns;
    const int64_t load = WARPS * (beside * t->columns / DOT_LANES + 8 * rows);
    return n * (fma > load ? fma : load);
}

static dot_tile choose_tile(unsigned rows, int64_t columns, unsigned deep) {
    dot_tile best = {0};
    for (unsigned r = 1; r <= 8 && r <= rows; r *= 2)
        for (unsigned c = DOT_LANES; c <= 8 && r * c <= SUMS; c += DOT_LANES) {
            const dot_tile t = {r, c, rows / r, THREADS / (rows / r), deep};
            if (rows / r > THREADS || t.across * c > WIDEST) continue;
            if (!best.rows || tile_cost(&t, columns) < tile_cost(&best, columns)) best = t;
        }
    return best;
}

/* Elements that both sides of a turn take, twice. */
static int64_t staged_elements(const dot_tile *t) {
    return 2 * t->deep * (int64_t)(t->rows * t->down + t->columns * t->across + 2 * DOT_PAD);
}

/* Bytes of what is handed on. */
static int64_t band_bytes(const band *w, unsigned rows) {
    int64_t bytes = 0;
    for (unsigned i = 0; i < w->npieces; i++)
        bytes = bz_plus(bytes,
                        bz_times(rows * w->p.columns, (int64_t)ir_dtype_bytes(w->pieces[i].dtype)));
    return bytes;
}

/* Of turns in shared memory: products of a dtype have theirs in turn. */
static int64_t staged_bytes(const band *w, unsigned rows) {
    int64_t most[BZ_NDTYPES] = {0}, all = 0;
    for (unsigned k = 0; k < w->p.all->nparts; k++) {
        if (!is_product(w, k)) continue;
        const bz_dtype t = w->dot[k].q.a.acc;
        const dot_tile tile = choose_tile(rows, w->dot[k].q.y.size, w->deep);
        const int64_t n = staged_elements(&tile) * (int64_t)ir_dtype_bytes(t);
        most[t] = n > most[t] ? n : most[t];
    }
    for (unsigned t = 0; t < BZ_NDTYPES; t++) all += most[t];
    return all;
}

static bool fits(const band *w, unsigned rows, int64_t bytes) {
    const int64_t words = FUSE_MAX_PARTS * WARPS * (int64_t)sizeof(int64_t); /* dot_make_zeros */
    return bz_plus(band_bytes(w, rows), staged_bytes(w, rows)) <= bytes - words;
}

static int64_t bands_of(const band *w, unsigned rows) {
    return bz_times(w->dot[0].q.batch, (w->rows + rows - 1) / rows);
}

/* How many rows a band has, and where they lie. */
static void choose_rows(band *w) {
    const int64_t most = w->p.l->t->shared;
    unsigned rows = 1;
    while (rows < MOST && rows < w->rows) rows *= 2;
    while (rows > FEW && (bands_of(w, rows) < WANTED || !fits(w, rows, most / 2))) rows /= 2;
    w->each = rows;
    if (!fits(w, rows, most)) w->deep = DEEP / 2;
    if (fits(w, rows, most)) return;
    w->deep = DEEP;
    if (staged_bytes(w, rows) > most) w->deep = DEEP / 2;
    const int64_t bytes = band_bytes(w, rows);
    const int64_t slots = bytes < BYTES ? BYTES / bytes : 1, bands = bands_of(w, rows);
    w->slots = slots < bands ? slots : bands;
}

/* ---- before the loops */

static void find_products(band *w) {
    lower *l = w->p.l;
    for (unsigned k = 0; k < w->p.all->nparts; k++) {
        if (!is_product(w, k)) continue;
        band_enter(&w->p, k, 0);
        dot_find_sides(&w->dot[k].q, l);
        w->p.space[k] = l->space;
        if (k < w->p.all->row) dot_find_mask(&w->dot[k].q, w->p.all->handed.p[k]);
        if (w->dot[k].q.mask.known && !w->masked) w->masked = &w->dot[k].q;
    }
    w->rows = w->dot[0].q.x.size;
    w->p.columns = w->dot[0].q.y.size;
}

static bool find_rows(band *w) {
    const unsigned k = w->p.all->row;
    band_enter(&w->p, k, 0);
    w->row = row_begin_warps(w->p.l);
    if (!w->row) return false;
    w->p.space[k] = w->p.l->space;
    if (!place_all(w)) return false;
    if (w->masked && !row_fits_warp(w->row)) { /* what lies in registers is gone through whole */
        unsigned of = 0;
        while (&w->dot[of].q != w->masked) of++;
        w->row->q.hidden = w->p.all->handed.p[of];
        w->row->q.plain = row_plain_passes(&w->row->q, w->row->q.hidden);
    }
    return true;
}

/* Memory for the pieces, of the band that is number `slot` of those under way. */
static bool make_pieces(band *w, lp_val slot, const lp_val *buffers) {
    lp_builder *b = w->p.l->b;
    const int64_t size = w->each * w->p.columns;
    bool ok = true;
    for (unsigned i = 0; i < w->npieces; i++)
        w->pieces[i].p = w->slots ? lp_offset(b, buffers[i], lp_imul(b, slot, lp_index(b, size)))
                                  : lp_local(b, w->pieces[i].dtype, size, LP_SHARED);
    for (uint32_t i = 0; i < w->p.all->handed.n; i++) w->p.held[i] = w->pieces[w->of[i]].p;
    for (uint32_t n = 0; n < w->row->q.w.kept.n && ok; n++)
        for (unsigned i = 0; i < w->npieces; i++)
            if (w->pieces[i].kept == w->row->q.w.kept.p[n])
                ok = bz_vec_push(&w->kept, w->pieces[i].p);
    return ok;
}

/* Both sides' turns, of one product at a time. */
static void share_turns(band *w) {
    for (unsigned k = 0; k < w->p.all->nparts; k++) {
        dot_block *own = &w->dot[k];
        if (!is_product(w, k)) continue;
        int64_t most = 0;
        for (unsigned j = 0; j < w->p.all->nparts; j++) {
            const dot_block *d = &w->dot[j];
            if (!is_product(w, j) || d->q.a.acc != own->q.a.acc) continue;
            const int64_t n = dot_staged_size(d, &d->x) + dot_staged_size(d, &d->y);
            most = n > most ? n : most;
            if (j < k && d->x.p) own->x.p = d->x.p;
        }
        lp_builder *b = w->p.l->b;
        if (!own->x.p) own->x.p = lp_local(b, own->q.a.acc, most, LP_SHARED);
        own->y.p = lp_offset(b, own->x.p, lp_index(b, dot_staged_size(own, &own->x)));
        if (own->sparse) dot_make_zeros(own);
    }
}

/* What is asked before the loops of a product: by then all that it reads has a place. */
static void plan_products(band *w) {
    const lp_val first = lp_index(w->p.l->b, 0);
    for (unsigned k = 0; k < w->p.all->nparts; k++) {
        band_enter(&w->p, k, first);
        if (is_product(w, k)) {
            w->dot[k].t = choose_tile((unsigned)w->each, w->dot[k].q.y.size, w->deep);
            dot_block_plan(&w->dot[k], k > w->p.all->row);
        }
        band_bind(&w->p, k, first);
    }
    for (uint32_t i = 0; i < w->p.all->handed.n; i++) /* none of them is there yet */
        w->p.l->m.bind[w->p.all->handed.p[i]] = (emit_bind){0};
    share_turns(w);
}

/* ---- a band */

static row_sight sees(void *ctx, lp_val i) {
    const band *w = ctx;
    return dot_row_sight(w->masked, w->batch, lp_iadd(w->p.l->b, w->m0, i));
}

/* Rows m0 .. of batch number `batch`. */
static bool one_band(band *w, lp_val batch, lp_val m0) {
    lower *l = w->p.l;
    lp_builder *b = l->b;
    const lp_val rows = lp_index(b, w->rows), before = lp_imul(b, batch, rows);
    const lp_val first = lp_iadd(b, before, m0);
    const lp_val end = lp_imin(b, lp_iadd(b, m0, lp_index(b, w->each)), rows);
    const row_band_at at = {.thread = w->thread,
                            .first = first,
                            .end = lp_iadd(b, before, end),
                            .warps = WARPS,
                            .kept = w->kept.n ? w->kept.p : NULL,
                            .sees = sees,
                            .ctx = w};
    const unsigned mark = emit_mark(&l->m);
    bool ok = true;
    w->batch = batch;
    w->m0 = m0;
    for (unsigned k = 0; k < w->p.all->nparts && ok; k++) {
        band_enter(&w->p, k, first);
        if (is_product(w, k))
            dot_block_rows(&w->dot[k], w->thread, batch, m0);
        else
            ok = row_band(w->row, &at);
        emit_forget(&l->m, mark);
        band_bind(&w->p, k, first);
        lp_barrier(b);
    }
    return ok;
}

static bool band_number(band *w, lp_val t) {
    lp_builder *b = w->p.l->b;
    const lp_val batch = lp_idiv(b, t, w->pieces_of_batch);
    const lp_val own = lp_isub(b, t, lp_imul(b, batch, w->pieces_of_batch));
    return one_band(w, batch, lp_imul(b, own, lp_index(b, w->each)));
}

/* Bands number t, t + slots ... by the block whose memory is number t. */
static bool bands_in_slot(band *w, lp_val t) {
    lp_builder *b = w->p.l->b;
    const lp_val count = lower_cover(b, lp_isub(b, w->all, t), w->number);
    const lp_val i = lp_loop(b, LP_SERIAL, lp_index(b, 0), count, 1, NULL, 0, NULL);
    const bool ok = band_number(w, lp_iadd(b, t, lp_imul(b, i, w->number)));
    lp_end(b, NULL, 0, NULL);
    return ok;
}

static bool all_bands(band *w) {
    lower *l = w->p.l;
    lp_builder *b = l->b;
    const lp_val zero = lp_index(b, 0);
    lp_val buffers[FUSE_MAX_PARTS];
    const int64_t size = w->each * w->p.columns;
    l->outputs.n = 0; /* a buffer of its own is none of them */
    for (unsigned i = 0; i < w->npieces && w->slots; i++)
        buffers[i] = lower_work(l, w->pieces[i].dtype, bz_times(w->slots, size));
    w->pieces_of_batch = lp_index(b, (w->rows + w->each - 1) / w->each);
    w->all = lp_imul(b, emit_extent(&l->m, "batch", w->dot[0].q.batch), w->pieces_of_batch);
    w->number = w->slots ? emit_extent(&l->m, "slots", w->slots) : w->all;
    const lp_val t = lp_loop(b, LP_PARALLEL, zero, w->number, 1, NULL, 0, NULL);
    bool ok = make_pieces(w, t, buffers);
    plan_products(w);
    w->thread = lp_loop(b, LP_BLOCK, zero, lp_index(b, THREADS), 1, NULL, 0, NULL);
    ok = ok && (w->slots ? bands_in_slot(w, t) : band_number(w, t));
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
    return ok;
}

bool lower_band_block(lower *l) {
    band w = {.deep = DEEP};
    bool ok = band_open(&w.p, l);
    if (ok) find_products(&w);
    ok = ok && find_rows(&w);
    if (ok) choose_rows(&w);
    ok = ok && all_bands(&w);
    if (w.row) row_end(&w.row->q);
    bz_vec_free(&w.kept);
    band_close(&w.p);
    return ok && !l->m.failed;
}
