/* band.c - groups that hand rows to one another (fuse_band.c), in one kernel.
 *
 *     phases   the right sides of the products are packed
 *     a task   a band of rows, the same through all parts:
 *                  product: its rows of S     -> scratch memory
 *                  reductions: S row by row   -> P, scratch memory
 *                  product: P's rows . y      -> what is stored
 *
 * Each part is lowered as if it were alone: what it reads of the part before it, it finds at the index it asks for, in a buffer of which
 * only the band's rows are there. */
#include "src/passes/cpu/dot.h"

enum { FILL_LANES = 16 };

typedef struct band {
    lower *l;
    const fuse_group *all;
    fuse_space space[3]; /* of the parts */
    dot_kernel dot[2];   /* the first part, the last of three */
    row_kernel *row;
    BZ_VEC(ir_ref) outputs; /* of the last part */
    BZ_VEC(lp_val) pointers;
    lp_val held[2];        /* memory for what is handed on */
    int64_t rows, columns; /* of S, in a batch */
} band;

/* From now on part k is the group at hand; it stores `r` at p, or (r = 0) the outputs. */
static void enter(band *w, unsigned k, lp_val p) {
    lower *l = w->l;
    const ir_ref r = w->all->parts[k].hands_on;
    bool ok = true;
    l->group = &w->all->parts[k];
    l->in_part = true;
    l->space = w->space[k];
    l->m.nsyms = 0;
    l->outputs.n = l->out_pointers.n = 0;
    if (r) ok = bz_vec_push(&l->outputs, r) && bz_vec_push(&l->out_pointers, p);
    for (uint32_t i = 0; !r && ok && i < w->outputs.n; i++)
        ok = bz_vec_push(&l->outputs, w->outputs.p[i]) &&
             bz_vec_push(&l->out_pointers, w->pointers.p[i]);
    if (!ok) emit_fail(&l->m);
}

static bool save_outputs(band *w) {
    for (uint32_t i = 0; i < w->l->outputs.n; i++)
        if (!bz_vec_push(&w->outputs, w->l->outputs.p[i]) ||
            !bz_vec_push(&w->pointers, w->l->out_pointers.p[i]))
            return false;
    return true;
}

/* The phases, and the memory of a task. */
static bool begin(band *w) {
    lower *l = w->l;
    const fuse_group *part = w->all->parts;
    enter(w, 0, 0);
    dot_begin(&w->dot[0], l, 0);
    w->space[0] = l->space;
    dot_find_mask(&w->dot[0], part[0].hands_on);
    w->rows = w->dot[0].x.size;
    w->columns = w->dot[0].y.size;
    const int64_t panel = w->dot[0].x.panel;
    int64_t bytes = panel * w->columns * (int64_t)ir_dtype_bytes(ir_dtype(l->g, part[0].hands_on));
    const int64_t most = l->t->machine->second / 4;
    int64_t group = bytes > 0 && bytes < most ? most / bytes : 1;
    w->dot[0].group = group;
    dot_share(&w->dot[0]);
    if (w->all->nparts == 3) {
        enter(w, 2, 0);
        dot_begin(&w->dot[1], l, (unsigned)panel);
        w->space[2] = l->space;
        w->dot[1].group = group;
        w->dot[1].sparse = w->dot[0].mask.known;
        dot_share(&w->dot[1]);
    }
    enter(w, 1, 0);
    w->row = row_begin(l, w->dot[0].mask.known ? part[0].hands_on : 0);
    w->space[1] = l->space;
    for (unsigned k = 0; k + 1 < w->all->nparts; k++)
        w->held[k] = lp_local(l->b, ir_dtype(l->g, part[k].hands_on),
                              group * panel * w->columns + FILL_LANES, LP_SCRATCH);
    return w->row != NULL;
}

/* A pointer to the value that part k hands on as if all its rows were there. */
static lp_val whole(const band *w, unsigned k, lp_val first) {
    lp_builder *b = w->l->b;
    if (k + 1 >= w->all->nparts) return 0;
    lp_val before = lp_imul(b, first, lp_index(b, w->columns));
    return lp_offset(b, w->held[k], lp_isub(b, lp_index(b, 0), before));
}

static void bind_handed(band *w, unsigned k, lp_val p) {
    const ir_ref r = w->all->parts[k].hands_on;
    if (r) w->l->m.bind[r] = (emit_bind){.kind = BIND_BUFFER, .p = p};
}

/* The last panel has rows that nothing computes, and the product reads them: zeros from row `end` on to `to`. */
static void fill(band *w, lp_val p, lp_val end, lp_val to) {
    lp_builder *b = w->l->b;
    const bz_dtype t = ir_dtype(w->l->g, w->all->parts[1].hands_on);
    lp_val columns = lp_index(b, w->columns);
    lp_val i = lp_loop(b, LP_SERIAL, lp_imul(b, end, columns), lp_imul(b, to, columns), FILL_LANES,
                       NULL, 0, NULL);
    lp_store(b, p, i, lp_const(b, t, 0, FILL_LANES), 0, 0);
    lp_end(b, NULL, 0, NULL);
}

/* Panels p0 .. p1 of a batch. */
static bool task(band *w, lp_val batch, lp_val p0, lp_val p1) {
    lower *l = w->l;
    lp_builder *b = l->b;
    const unsigned panel = w->dot[0].x.panel;
    lp_val before = lp_imul(b, batch, lp_index(b, w->rows));
    lp_val first = lp_iadd(b, before, lp_imul(b, p0, lp_index(b, panel)));
    lp_val to = lp_imul(b, p1, lp_index(b, panel)), end = lp_imin(b, to, lp_index(b, w->rows));
    lp_val s = whole(w, 0, first), p = whole(w, 1, first);
    unsigned mark = emit_mark(&l->m);
    enter(w, 0, s);
    bool ok = dot_rows(&w->dot[0], batch, p0, p1);
    emit_forget(&l->m, mark);
    bind_handed(w, 0, s);
    enter(w, 1, p);
    lp_val i = lp_loop(b, LP_SERIAL, first, lp_iadd(b, before, end), 1, NULL, 0, NULL);
    row_sight sight = {0};
    if (w->dot[0].mask.known) {
        sight = dot_row_sight(&w->dot[0], batch, lp_isub(b, i, before));
        sight.other =
            lp_const(b, ir_dtype(l->g, w->all->parts[0].hands_on), w->dot[0].mask.other, 1);
    }
    row_one(w->row, i, &sight);
    lp_end(b, NULL, 0, NULL);
    emit_forget(&l->m, mark);
    if (w->all->nparts == 2) return ok;
    if (w->rows % panel) fill(w, p, lp_iadd(b, before, end), lp_iadd(b, before, to));
    bind_handed(w, 1, p);
    enter(w, 2, 0);
    ok = ok && dot_rows(&w->dot[1], batch, p0, p1);
    emit_forget(&l->m, mark);
    return ok;
}

static bool all_tasks(band *w) {
    lp_builder *b = w->l->b;
    const dot_kernel *q = &w->dot[0];
    const int64_t bands = (q->x.panels + q->group - 1) / q->group;
    lp_val t =
        lp_loop(b, LP_PARALLEL, lp_index(b, 0), lp_index(b, q->batch * bands), 1, NULL, 0, NULL);
    lp_val count = lp_index(b, bands), group = lp_index(b, q->group);
    lp_val p0 = lp_imul(b, lp_imod(b, t, count), group);
    lp_val p1 = lp_imin(b, lp_iadd(b, p0, group), lp_index(b, q->x.panels));
    bool ok = task(w, lp_idiv(b, t, count), p0, p1);
    lp_end(b, NULL, 0, NULL);
    return ok;
}

bool lower_band(lower *l) {
    band w = {.l = l, .all = l->group};
    bool ok = save_outputs(&w) && begin(&w) && all_tasks(&w);
    if (w.row) row_end(w.row);
    bz_vec_free(&w.outputs);
    bz_vec_free(&w.pointers);
    l->group = w.all;
    l->in_part = false;
    return ok && !l->m.failed;
}
