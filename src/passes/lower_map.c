/* lower_map.c - elementwise groups: one loop over all elements.
 *
 *     the space is cut in two:  outer index o (a row)  x  inner index c (vectors); inner takes as many trailing axes as every
 *     access allows to be linear in c. Tasks are pieces of about 8192 elements: several rows, or a part of one row. */
#include "src/passes/lower.h"

#include <string.h>

enum { TASK = 8192, AHEAD_BYTES = 8 << 20 };

typedef struct map_space {
    int64_t outer, inner;
    ir_ex o, c;
} map_space;

/* Makes the last `n` axes of the space the inner index, the others the outer one. */
static void cut(lower *l, map_space *s, unsigned n) {
    fuse_space *f = &l->space;
    int64_t axes[IR_MAX_RANK], *sizes = f->full;
    unsigned outer = f->nfull - n;
    for (unsigned i = 0; i < f->nfull; i++) axes[i] = i;
    s->outer = lower_count(sizes, outer);
    s->inner = lower_count(sizes + outer, n);
    s->o = lower_sym(l, "o", s->outer);
    s->c = lower_vector_sym(l, "c", s->inner);
    emit_delinearize(&l->x, s->o, sizes, axes, outer, f->full_idx);
    emit_delinearize(&l->x, s->c, sizes, axes + outer, n, f->full_idx);
}

/* Is every index that loads and conditions depend on linear in c? */
static bool linear(lower *l, const map_space *s) {
    emitter *m = &l->m;
    int64_t coef;
    ir_ex idx[IR_MAX_RANK], rest;
    bool ok = true;
    lp_builder *b = m->b;
    m->b = NULL; /* only collect */
    m->seen.n = 0;
    unsigned mark = emit_mark(m);
    for (uint32_t i = 0; i < l->outputs.n; i++) {
        fuse_index(l->g, &l->x, &l->space, FUSE_FULL, l->outputs.p[i], idx);
        emit_node(m, l->outputs.p[i], idx);
    }
    emit_forget(m, mark);
    emit_resume(m, b);
    for (uint32_t i = 0; i < m->seen.n; i++)
        ok &= ir_ex_linear(&l->x, m->seen.p[i], s->c, &coef, &rest);
    return ok;
}

static void choose_space(lower *l, map_space *s, unsigned lanes) {
    unsigned n = l->space.nfull;
    for (unsigned inner = n; inner > 0; inner--) {
        cut(l, s, inner);
        if (linear(l, s)) break;
    }
    if (n == 0) cut(l, s, 0);
    if (n > 1 && s->inner < lanes &&
        s->outer > 1) /* rows shorter than a vector: gather along all axes instead */
        cut(l, s, n);
}

/* Elements lo .. hi of row o. */
static bool inner_loop(lower *l, const map_space *s, lp_val lo, lp_val hi, unsigned lanes,
                       unsigned width, unsigned flags, bool whole) {
    lp_builder *b = l->b;
    int64_t step = (int64_t)lanes * width;
    lp_val main_hi = hi;
    if (!whole) {
        lp_val span = lp_base(b, IR_SUB, BZ_I64, (lp_val[]){hi, lo}, 2);
        lp_val full = lp_base(b, IR_IDIV, BZ_I64, (lp_val[]){span, lp_index(b, step)}, 2);
        main_hi = lp_iadd(b, lo, lp_imul(b, full, lp_index(b, step)));
    }
    unsigned mark = emit_mark(&l->m);
    lp_val c = lp_loop(b, LP_SERIAL, lo, main_hi, step, NULL, 0, NULL);
    emit_vector(&l->m, s->c, c, lanes, width, 0);
    lower_store_outputs(l, FUSE_FULL, flags);
    emit_forget(&l->m, mark);
    lp_end(b, NULL, 0, NULL);
    if (!whole) {
        unsigned n = l->t->masks ? lanes : 1;
        c = lp_loop(b, LP_SERIAL, main_hi, hi, n, NULL, 0, NULL);
        lp_val left = lp_base(b, IR_SUB, BZ_I64, (lp_val[]){hi, c}, 2);
        emit_vector(&l->m, s->c, c, n, 1, n > 1 ? lower_tail_mask(l, left, n) : 0);
        lower_store_outputs(l, FUSE_FULL, 0);
        emit_forget(&l->m, mark);
        lp_end(b, NULL, 0, NULL);
    }
    emit_scalar(&l->m);
    return !l->m.failed;
}

/* One row (or a plain vector): its length is a run-time extent, so that equal kernels of other sizes are one. */
static bool one_row(lower *l, const map_space *s, unsigned lanes, unsigned width, unsigned flags) {
    lp_builder *b = l->b;
    int64_t task = TASK;
    lp_val n = lp_add_extent(b, "n"), piece = lp_index(b, task);
    if (!bz_vec_push(&l->extents, s->inner)) return false;
    lp_val up = lp_iadd(b, n, lp_index(b, task - 1));
    lp_val tasks = lp_base(b, IR_IDIV, BZ_I64, (lp_val[]){up, piece}, 2);
    lp_val t = lp_loop(b, LP_PARALLEL, lp_index(b, 0), tasks, 1, NULL, 0, NULL);
    emit_sym(&l->m, s->o, lp_index(b, 0));
    lp_val lo = lp_imul(b, t, piece), end = lp_iadd(b, lo, piece);
    lp_val hi = lp_base(b, IR_MIN, BZ_I64, (lp_val[]){end, n}, 2);
    bool ok = inner_loop(l, s, lo, hi, lanes, width, flags, false);
    lp_end(b, NULL, 0, NULL);
    return ok;
}

/* Many short rows: a task is a number of them. */
static bool short_rows(lower *l, const map_space *s, unsigned lanes, unsigned width,
                       unsigned flags) {
    lp_builder *b = l->b;
    int64_t rows = TASK / (s->inner ? s->inner : 1);
    rows = rows < 1 ? 1 : rows > s->outer ? s->outer : rows;
    lp_val all = lp_index(b, s->outer);
    lp_val t = lp_loop(b, LP_PARALLEL, lp_index(b, 0),
                       lp_index(b, rows ? (s->outer + rows - 1) / rows : 0), 1, NULL, 0, NULL);
    lp_val lo = lp_imul(b, t, lp_index(b, rows)), end = lp_iadd(b, lo, lp_index(b, rows));
    lp_val hi =
        rows && s->outer % rows == 0 ? end : lp_base(b, IR_MIN, BZ_I64, (lp_val[]){end, all}, 2);
    lp_val o = lp_loop(b, LP_SERIAL, lo, hi, 1, NULL, 0, NULL);
    emit_sym(&l->m, s->o, o);
    bool whole = s->inner % ((int64_t)lanes * width) == 0;
    bool ok = inner_loop(l, s, lp_index(b, 0), lp_index(b, s->inner), lanes, width, flags, whole);
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
    return ok;
}

/* Long rows: a task is a piece of one. */
static bool long_rows(lower *l, const map_space *s, unsigned lanes, unsigned width,
                      unsigned flags) {
    lp_builder *b = l->b;
    int64_t pieces = (s->inner + TASK - 1) / TASK;
    lp_val count = lp_index(b, pieces);
    lp_val t =
        lp_loop(b, LP_PARALLEL, lp_index(b, 0), lp_index(b, s->outer * pieces), 1, NULL, 0, NULL);
    emit_sym(&l->m, s->o, lp_base(b, IR_IDIV, BZ_I64, (lp_val[]){t, count}, 2));
    lp_val lo = lp_imul(b, lp_base(b, IR_IMOD, BZ_I64, (lp_val[]){t, count}, 2), lp_index(b, TASK));
    lp_val end = lp_iadd(b, lo, lp_index(b, TASK));
    bool whole = s->inner % TASK == 0;
    lp_val hi = whole ? end : lp_base(b, IR_MIN, BZ_I64, (lp_val[]){end, lp_index(b, s->inner)}, 2);
    bool ok = inner_loop(l, s, lo, hi, lanes, width, flags, whole);
    lp_end(b, NULL, 0, NULL);
    return ok;
}

/* Vectors side by side: long dependent bodies want four to hide latency, as long as the registers hold them. */
static unsigned choose_width(const lower *l) {
    unsigned ops = lower_ops(l);
    if (ops <= 40) return 4;
    return l->t->registers >= 32 ? ops <= 200 ? 4 : 2 : ops <= 100 ? 2 : 1;
}

bool lower_map(lower *l) {
    map_space s;
    unsigned lanes = lower_lanes(l), width = choose_width(l);
    choose_space(l, &s, lanes);
    while (width > 1 && s.inner < (int64_t)lanes * width) width /= 2;
    l->m.ahead = lower_read_ahead(l, AHEAD_BYTES);
    unsigned flags = lower_stream_flags(l, s.outer == 1 ? 0 : s.inner);
    if (s.outer == 1) return one_row(l, &s, lanes, width, flags);
    return s.inner <= TASK ? short_rows(l, &s, lanes, width, flags)
                           : long_rows(l, &s, lanes, width, flags);
}
