/* parts.c - concat of several parts: a loop for each, so that no element asks where it lies.
 *
 *      c:  0          n0       n0+n1         all        the inner index, cut where parts meet
 *          |----x0----|---x1----|-----x2------|          task: a piece of it, or several rows
 *
 * The axis of the concat leads the inner axes; the others are the row. What is computed of the concat (relu(concat(...))) is computed
 * in the same loops, as the index of a part's loop lies in that part alone. */
#include "src/passes/cpu/cpu.h"

#include <stdlib.h>
#include <string.h>

typedef struct parts {
    unsigned axis; /* of the space */
    unsigned n;
    int64_t at[PARTS_MOST + 1]; /* part i: at[i] .. at[i + 1] */
    int64_t outer, trail;       /* elements of the axes before and behind */
    ir_ex o;
} parts;

static int by_place(const void *a, const void *b) {
    int64_t x = ((const collect_border *)a)->at, y = ((const collect_border *)b)->at;
    return (x > y) - (x < y);
}

/* The borders on axis `a` as parts; false: too few or too many. */
static bool cut_axis(const lower *l, unsigned a, parts *p) {
    const fuse_space *f = &l->space;
    p->axis = a;
    p->n = 0;
    for (uint32_t i = 0; i < l->c.borders.n; i++) {
        const collect_border *b = &l->c.borders.p[i];
        if (b->sym != f->full_idx[a] || b->at <= p->at[p->n] || b->at >= f->full[a]) continue;
        if (p->n == PARTS_MOST - 1) return false;
        p->at[++p->n] = b->at;
    }
    p->at[++p->n] = f->full[a];
    return p->n >= PARTS_LEAST;
}

static bool find_parts(lower *l, parts *p) {
    const fuse_space *f = &l->space;
    *p = (parts){0};
    lower_collect(l);
    if (!l->c.borders.n || l->m.failed) return false;
    qsort(l->c.borders.p, l->c.borders.n, sizeof *l->c.borders.p, by_place);
    for (unsigned a = f->nfull; a-- > 0;)
        if (cut_axis(l, a, p)) return true;
    return false;
}

/* Makes the axes before the cut one the row. */
static void cut_rows(lower *l, parts *p) {
    fuse_space *f = &l->space;
    int64_t axes[IR_MAX_RANK];
    for (unsigned i = 0; i < f->nfull; i++) axes[i] = i;
    p->outer = lower_count(f->full, p->axis);
    p->trail = lower_count(f->full + p->axis + 1, f->nfull - p->axis - 1);
    p->o = lower_sym(l, "o", p->outer);
    access_delinearize(&l->x, p->o, f->full, axes, p->axis, f->full_idx);
}

/* Makes part k the inner axes, under a new symbol. */
static ir_ex enter_part(lower *l, const parts *p, unsigned k) {
    fuse_space *f = &l->space;
    int64_t axes[IR_MAX_RANK], sizes[IR_MAX_RANK];
    unsigned n = f->nfull - p->axis;
    for (unsigned i = 0; i < n; i++) axes[i] = p->axis + i;
    memcpy(sizes, f->full, f->nfull * sizeof *sizes);
    sizes[p->axis] = p->at[k + 1] - p->at[k];
    ir_ex c = lower_vector_sym(l, "c", sizes[p->axis] * p->trail);
    access_delinearize(&l->x, c, sizes, axes, n, f->full_idx);
    f->full_idx[p->axis] = ir_ex_addc(&l->x, f->full_idx[p->axis], p->at[k]);
    return c;
}

/* Inner index `i` as one of a part from .. to, counted from there. */
static lp_val within(lp_builder *b, lp_val i, int64_t from, int64_t to) {
    lp_val first = lp_index(b, from);
    i = lp_imax(b, i, first);
    i = lp_imin(b, i, lp_index(b, to));
    return lp_isub(b, i, first);
}

/* Elements lo .. hi of the row; lo = 0 (LP_NONE): all of it. */
static bool row(lower *l, const parts *p, lp_val lo, lp_val hi, unsigned lanes, unsigned width) {
    lp_builder *b = l->b;
    bool ok = true;
    for (unsigned k = 0; k < p->n && ok; k++) {
        int64_t from = p->at[k] * p->trail, to = p->at[k + 1] * p->trail, step;
        unsigned wide = width, syms = l->m.nsyms, mark = emit_mark(&l->m);
        while (wide > 1 && to - from < (int64_t)lanes * wide) wide /= 2;
        step = (int64_t)lanes * wide;
        ir_ex c = enter_part(l, p, k);
        lp_val first = lo ? within(b, lo, from, to) : lp_index(b, 0);
        lp_val end = lo ? within(b, hi, from, to) : lp_index(b, to - from);
        ok = lower_inner_loop(l, c, first, end, lanes, wide, 0, !lo && (to - from) % step == 0);
        emit_forget(&l->m, mark);
        l->m.nsyms = syms;
    }
    return ok;
}

/* Tasks of several rows, or of pieces of one. */
static bool tasks(lower *l, const parts *p, unsigned lanes, unsigned width) {
    lp_builder *b = l->b;
    const int64_t inner = l->space.full[p->axis] * p->trail, task = l->t->machine->task;
    const int64_t pieces = inner > task ? (inner + task - 1) / task : 1;
    const int64_t rows = pieces > 1 || inner == 0 ? 1 : task / inner;
    lp_val count = lp_index(b, pieces), all = lp_index(b, p->outer);
    lp_val t = lp_loop(b, LP_PARALLEL, lp_index(b, 0),
                       lp_index(b, (p->outer + rows - 1) / rows * pieces), 1, NULL, 0, NULL);
    lp_val from = lp_imul(b, lp_idiv(b, t, count), lp_index(b, rows));
    lp_val to = lp_imin(b, lp_iadd(b, from, lp_index(b, rows)), all);
    lp_val lo = 0, hi = 0;
    if (pieces > 1) {
        lo = lp_imul(b, lp_imod(b, t, count), lp_index(b, task));
        hi = lp_iadd(b, lo, lp_index(b, task));
    }
    lp_val o = lp_loop(b, LP_SERIAL, from, to, 1, NULL, 0, NULL);
    emit_sym(&l->m, p->o, o);
    bool ok = row(l, p, lo, hi, lanes, width);
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
    return ok;
}

bool lower_parts(lower *l, unsigned lanes, unsigned width, bool *done) {
    parts p;
    *done = find_parts(l, &p);
    if (!*done) return true;
    cut_rows(l, &p);
    return tasks(l, &p, lanes, width > 2 ? 2 : width);
}
