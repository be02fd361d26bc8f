/* dot_blocks.c - products by blocks of k: of panels that are longer than the caches hold.
 *
 *     a task, for each chunk of its column panels:
 *         for each block of k (IR_DOT_BLOCK):
 *             for each column panel of the chunk:     while it is used the next one comes from memory
 *                 for each row panel:                 their part of the block stays in the second cache
 *                     tile += the sums of x . y over the block
 *         epilogues of the chunk's tiles, which lie in the second cache as well
 *
 * The order of additions is that of whole panels. The loops around the micro-kernel follow GotoBLAS and BLIS. */
#include "src/passes/cpu/dot_panel.h"

/* What is at hand. */
typedef struct place {
    const dot_task *t;
    lp_val p0, p1, j0, j1; /* row panels of the task, column panels of the chunk */
} place;

int64_t dot_chunk(const dot_kernel *q, int64_t row_panels) {
    const int64_t bytes = (int64_t)ir_dtype_bytes(q->a.acc), cache = q->l->t->machine->second;
    const int64_t column = bz_times(row_panels * q->x.panel, q->y.panel * bytes);
    const int64_t n = cache / (q->x.by_block ? 4 : 8) / column;
    return n < 1 ? 1 : n;
}

/* ---- memory */

static lp_val tile_size(const dot_kernel *q) {
    return lp_index(q->l->b, (int64_t)q->x.panel * q->y.panel);
}

void dot_make_blocks(dot_kernel *q, int64_t row_panels) {
    const int64_t tile = (int64_t)q->x.panel * q->y.panel;
    dot_make_own(q, &q->x, row_panels);
    dot_make_own(q, &q->y, 1);
    q->tiles = lp_local(q->l->b, q->a.acc, row_panels * q->chunk * tile, LP_SCRATCH);
}

static lp_val tile_of(const place *w, lp_val j, lp_val p) {
    const dot_kernel *q = w->t->q;
    lp_builder *b = q->l->b;
    lp_val number = lp_imul(b, lp_isub(b, j, w->j0), lp_isub(b, w->p1, w->p0));
    number = lp_iadd(b, number, lp_isub(b, p, w->p0));
    return lp_offset(b, q->tiles, lp_imul(b, number, tile_size(q)));
}

/* ---- sums */

static lp_val begin_of(lp_builder *b, const dot_side *s, lp_val number) {
    return lp_imul(b, number, lp_index(b, s->panel));
}

/* Panel `number` at the block that begins at k0. */
static lp_val block_of(const place *w, const dot_side *s, lp_val number, lp_val k0) {
    lp_builder *b = w->t->q->l->b;
    lp_val p = dot_panel_of(w->t, s, number);
    return s->by_block ? p : lp_offset(b, p, lp_imul(b, k0, lp_index(b, s->down)));
}

/* The part of the next column panel that is asked for beside row panel p, and how much of it at each k: all row panels together ask for
 * all of it, if a line in each turn is enough. */
static lp_val next_part(const place *w, lp_val y, lp_val p, lp_val *share) {
    dot_kernel *q = w->t->q;
    lp_builder *b = q->l->b;
    const int64_t line = q->l->t->machine->line / (int64_t)ir_dtype_bytes(q->a.acc);
    *share = lower_cover(b, lp_index(b, q->y.panel), lp_isub(b, w->p1, w->p0));
    *share = lp_imin(b, *share, lp_index(b, line / DOT_TURN));
    lp_val before = lp_imul(b, lp_isub(b, p, w->p0), lp_imul(b, *share, q->depth));
    return lp_offset(b, y, lp_iadd(b, dot_stride(q, &q->y), before));
}

/* Onto tile (p, j) what x's panel and y's make in the block that begins at k0. */
static void one_tile(const place *w, lp_val p, lp_val j, lp_val y, lp_val k0) {
    dot_kernel *q = w->t->q;
    lp_builder *b = q->l->b;
    lp_val masked = dot_is_masked(q, begin_of(b, &q->x, p), begin_of(b, &q->y, j)), share;
    const lp_val at = tile_of(w, j, p);
    if (masked) {
        lp_if(b, masked);
        dot_clear(q, at);
        lp_else(b, NULL, 0);
    }
    lp_val next = next_part(w, y, p, &share), x = block_of(w, &q->x, p, k0);
    dot_add_block(q, &(dot_block){.x = x,
                                  .y = y,
                                  .tile = at,
                                  .next = next,
                                  .depth = q->depth,
                                  .share = share,
                                  .before = k0});
    if (masked) lp_end(b, NULL, 0, NULL);
}

/* The block of q->depth that begins at k0. */
static void one_block(const place *w, lp_val k0) {
    dot_kernel *q = w->t->q;
    lp_builder *b = q->l->b;
    if (q->x.by_block) dot_pack_all(q, &q->x, w->p0, w->p1);
    lp_val j = lp_loop(b, LP_SERIAL, w->j0, w->j1, 1, NULL, 0, NULL);
    if (q->y.by_block) dot_pack(q, &q->y, j, lp_index(b, 0));
    lp_val y = block_of(w, &q->y, j, k0);
    lp_val p = lp_loop(b, LP_SERIAL, w->p0, w->p1, 1, NULL, 0, NULL);
    one_tile(w, p, j, y, k0);
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
}

static void all_blocks(const place *w) {
    dot_kernel *q = w->t->q;
    lp_builder *b = q->l->b;
    lp_val k0 = lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_imax(b, q->all, lp_index(b, 1)),
                        IR_DOT_BLOCK, NULL, 0, NULL);
    unsigned mark = emit_mark(&q->l->m);
    q->depth = lp_imin(b, lp_index(b, IR_DOT_BLOCK), lp_isub(b, q->all, k0));
    q->first = k0;
    one_block(w, k0);
    q->first = 0;
    q->depth = q->all;
    emit_forget(&q->l->m, mark);
    lp_end(b, NULL, 0, NULL);
}

/* Row by row of panels, so that what is written lies side by side. */
static void store_tiles(const place *w) {
    dot_kernel *q = w->t->q;
    lp_builder *b = q->l->b;
    lp_val p = lp_loop(b, LP_SERIAL, w->p0, w->p1, 1, NULL, 0, NULL);
    lp_val j = lp_loop(b, LP_SERIAL, w->j0, w->j1, 1, NULL, 0, NULL);
    q->tile = tile_of(w, j, p);
    dot_store_tile(w->t, p, j, begin_of(b, &q->x, p), begin_of(b, &q->y, j));
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
}

void dot_blocks(const dot_task *t) {
    dot_kernel *q = t->q;
    lp_builder *b = q->l->b;
    const lp_val zero = lp_index(b, 0);
    place w = {.t = t, .p0 = t->from, .p1 = t->to};
    lp_val from = zero, to = q->y.pieces;
    if (q->by_columns) {
        w.p0 = zero, w.p1 = q->x.pieces;
        from = t->from, to = t->to;
    }
    w.j0 = lp_loop(b, LP_SERIAL, from, to, q->chunk, NULL, 0, NULL);
    w.j1 = lp_imin(b, lp_iadd(b, w.j0, lp_index(b, q->chunk)), to);
    all_blocks(&w);
    store_tiles(&w);
    lp_end(b, NULL, 0, NULL);
}
