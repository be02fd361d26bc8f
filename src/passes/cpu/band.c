/* band.c - groups that hand rows to one another (fuse_band.c), in one kernel.
 *
 *     phases   the right sides of the products are packed
 *     a task   a band of rows, the same through all parts:
 *                  products: their rows of S          -> scratch memory
 *                  reductions: S row by row           -> P, scratch memory, and stored if others want it, too
 *                  products: P's rows . y             -> what is stored */
#include "src/passes/cpu/dot_panel.h"
#include "src/passes/forms/band.h"
#include "src/passes/forms/row.h"

enum { FILL_LANES = 16 };

typedef struct band {
    band_parts p;
    dot_kernel dot[FUSE_MAX_PARTS]; /* of the parts that are products */
    row_kernel *row;
    int64_t rows, group; /* of S, in a batch; panels of a band */
    dot_kernel *masked;  /* the product of which the rows are seen in part */
} band;

/* ---- before the loops */

/* Products that make rows: the first one says how they are cut. */
static void begin_feeds(band *w) {
    lower *l = w->p.l;
    const fuse_group *all = w->p.all;
    for (unsigned k = 0; k < all->row; k++) {
        band_enter(&w->p, k, 0);
        dot_begin(&w->dot[k], l, k ? w->dot[0].x.panel : 0, false);
        w->p.space[k] = l->space;
        dot_find_mask(&w->dot[k], all->handed.p[k]);
        if (w->dot[k].mask.known && !w->masked) w->masked = &w->dot[k];
    }
    const int64_t panel = w->dot[0].x.panel;
    int64_t bytes = 0;
    w->rows = w->dot[0].x.size;
    w->p.columns = w->dot[0].y.size;
    for (uint32_t i = 0; i < all->handed.n; i++)
        bytes += panel * w->p.columns * (int64_t)ir_dtype_bytes(ir_dtype(l->g, all->handed.p[i]));
    const int64_t most = l->t->machine->second / 2;
    w->group = bytes > 0 && bytes < most ? most / bytes : 1;
}

/* The phases, and the memory of a task. */
static bool begin(band *w) {
    lower *l = w->p.l;
    const fuse_group *all = w->p.all;
    begin_feeds(w);
    for (unsigned k = all->row + 1; k < all->nparts; k++) {
        band_enter(&w->p, k, 0);
        dot_begin(&w->dot[k], l, w->dot[0].x.panel, true);
        w->p.space[k] = l->space;
    }
    for (unsigned k = 0; k < all->nparts; k++) {
        if (k == all->row) continue;
        band_enter(&w->p, k, 0);
        w->dot[k].group = w->group;
        dot_share(&w->dot[k]);
    }
    band_enter(&w->p, all->row, 0);
    w->row = row_begin_thread(l, w->masked ? all->handed.p[w->masked - w->dot] : 0);
    w->p.space[all->row] = l->space;
    for (uint32_t i = 0; i < all->handed.n; i++)
        w->p.held[i] =
            lp_local(l->b, ir_dtype(l->g, all->handed.p[i]),
                     w->group * w->dot[0].x.panel * w->p.columns + FILL_LANES, LP_SCRATCH);
    return w->row != NULL;
}

/* ---- a task */

/* The last panel has rows that nothing computes, and products read them: zeros from row `end` on to `to`. */
static void fill(band *w, uint32_t i, lp_val first, lp_val end, lp_val to) {
    lp_builder *b = w->p.l->b;
    lp_val columns = lp_index(b, w->p.columns), p = band_whole(&w->p, i, first);
    lp_val at = lp_loop(b, LP_SERIAL, lp_imul(b, end, columns), lp_imul(b, to, columns), FILL_LANES,
                        NULL, 0, NULL);
    lp_store(b, p, at, lp_const(b, ir_dtype(w->p.l->g, w->p.all->handed.p[i]), 0, FILL_LANES), 0,
             0);
    lp_end(b, NULL, 0, NULL);
}

/* Rows first .. end, of which the batch's begin at `before`. */
static void reduce_rows(band *w, lp_val batch, lp_val before, lp_val first, lp_val end) {
    lower *l = w->p.l;
    lp_builder *b = l->b;
    band_enter(&w->p, w->p.all->row, first);
    lp_val i = lp_loop(b, LP_SERIAL, first, end, 1, NULL, 0, NULL);
    row_sight sight = {0};
    if (w->masked) sight = dot_row_sight(w->masked, batch, lp_isub(b, i, before));
    row_one(w->row, i, &sight);
    lp_end(b, NULL, 0, NULL);
}

/* Panels p0 .. p1 of a batch. */
static bool task(band *w, lp_val batch, lp_val p0, lp_val p1) {
    lower *l = w->p.l;
    lp_builder *b = l->b;
    const fuse_group *all = w->p.all;
    const unsigned panel = w->dot[0].x.panel;
    lp_val before = lp_imul(b, batch, lp_index(b, w->rows));
    lp_val first = lp_iadd(b, before, lp_imul(b, p0, lp_index(b, panel)));
    lp_val to = lp_imul(b, p1, lp_index(b, panel)), end = lp_imin(b, to, lp_index(b, w->rows));
    const unsigned mark = emit_mark(&l->m);
    bool ok = true;
    for (unsigned k = 0; k < all->nparts && ok; k++) {
        if (k == all->row) {
            reduce_rows(w, batch, before, first, lp_iadd(b, before, end));
        } else {
            band_enter(&w->p, k, first);
            ok = dot_rows(&w->dot[k], batch, p0, p1);
        }
        emit_forget(&l->m, mark);
        band_bind(&w->p, k, first);
        for (uint32_t i = 0; k == all->row && w->rows % panel && i < all->handed.n; i++)
            if (band_makes(&w->p, k, all->handed.p[i]))
                fill(w, i, first, lp_iadd(b, before, end), lp_iadd(b, before, to));
    }
    return ok;
}

static bool all_tasks(band *w) {
    lp_builder *b = w->p.l->b;
    const dot_kernel *q = &w->dot[0];
    const int64_t bands = (q->x.panels + w->group - 1) / w->group;
    lp_val count = lp_index(b, bands), group = lp_index(b, w->group);
    lp_val all = lp_imul(b, q->batches, count);
    lp_val t = lp_loop(b, LP_PARALLEL, lp_index(b, 0), all, 1, NULL, 0, NULL);
    lp_val p0 = lp_imul(b, lp_imod(b, t, count), group);
    lp_val p1 = lp_imin(b, lp_iadd(b, p0, group), lp_index(b, q->x.panels));
    bool ok = task(w, lp_idiv(b, t, count), p0, p1);
    lp_end(b, NULL, 0, NULL);
    return ok;
}

bool lower_band(lower *l) {
    band w = {.row = NULL};
    bool ok = band_open(&w.p, l) && begin(&w) && all_tasks(&w);
    if (w.row) row_end(w.row);
    band_close(&w.p);
    return ok && !l->m.failed;
}
