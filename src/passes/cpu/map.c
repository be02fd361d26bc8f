/* map.c - elementwise groups: one loop over all elements.
 *
 *     the space is cut in two:  outer index o (a row)  x  inner index c (vectors); inner takes as many trailing axes as every
 *     access allows to be linear in c. Tasks are pieces of about 8192 elements: several rows, or a part of one row. */
#include "src/ir/loops/facts.h"
#include "src/passes/cpu/cpu.h"
#include "src/passes/forms/map.h"

bool lower_inner_loop(lower *l, ir_ex sym, lp_val lo, lp_val hi, unsigned lanes, unsigned width,
                      unsigned flags, bool whole) {
    lp_builder *b = l->b;
    int64_t step = (int64_t)lanes * width;
    lp_val main_hi = hi;
    if (!whole) {
        lp_val span = lp_isub(b, hi, lo);
        lp_val full = lp_idiv(b, span, lp_index(b, step));
        main_hi = lp_iadd(b, lo, lp_imul(b, full, lp_index(b, step)));
    }
    unsigned mark = emit_mark(&l->m);
    lp_val c = lp_loop(b, LP_SERIAL, lo, main_hi, step, NULL, 0, NULL);
    emit_vector(&l->m, sym, c, lanes, width, 0);
    lower_store_outputs(l, FUSE_FULL, flags);
    emit_forget(&l->m, mark);
    lp_end(b, NULL, 0, NULL);
    if (!whole) {
        unsigned n = l->t->masks ? lanes : 1;
        c = lp_loop(b, LP_SERIAL, main_hi, hi, n, NULL, 0, NULL);
        lp_val left = lp_isub(b, hi, c);
        emit_vector(&l->m, sym, c, n, 1, n > 1 ? lower_tail_mask(l, left, n) : 0);
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
    int64_t task = l->t->machine->task;
    lp_val n = emit_extent(&l->m, l->filling ? "all" : "n", s->inner), piece = lp_index(b, task);
    lp_val up = lp_iadd(b, n, lp_index(b, task - 1));
    lp_val tasks = lp_idiv(b, up, piece);
    lp_val t = lp_loop(b, LP_PARALLEL, lp_index(b, 0), tasks, 1, NULL, 0, NULL);
    emit_sym(&l->m, s->o, lp_index(b, 0));
    lp_val lo = lp_imul(b, t, piece), end = lp_iadd(b, lo, piece);
    lp_val hi = lp_imin(b, end, n);
    bool ok = lower_inner_loop(l, s->c, lo, hi, lanes, width, flags, false);
    lp_end(b, NULL, 0, NULL);
    return ok;
}

/* Many short rows: a task is a number of them. */
static bool short_rows(lower *l, const map_space *s, unsigned lanes, unsigned width,
                       unsigned flags) {
    lp_builder *b = l->b;
    emit_sym(&l->m, s->o, lower_open_rows(l, emit_extent(&l->m, "rows", s->outer), s->inner));
    bool whole = s->inner % ((int64_t)lanes * width) == 0;
    bool ok = lower_inner_loop(l, s->c, lp_index(b, 0), lp_index(b, s->inner), lanes, width, flags,
                               whole);
    lower_close_rows(l);
    return ok;
}

/* Long rows: a task is a piece of one. */
static bool long_rows(lower *l, const map_space *s, unsigned lanes, unsigned width,
                      unsigned flags) {
    lp_builder *b = l->b;
    int64_t pieces = (s->inner + l->t->machine->task - 1) / l->t->machine->task;
    lp_val count = lp_index(b, pieces);
    lp_val all = lp_imul(b, emit_extent(&l->m, "rows", s->outer), count);
    lp_val t = lp_loop(b, LP_PARALLEL, lp_index(b, 0), all, 1, NULL, 0, NULL);
    emit_sym(&l->m, s->o, lp_idiv(b, t, count));
    lp_val lo = lp_imul(b, lp_imod(b, t, count), lp_index(b, l->t->machine->task));
    lp_val end = lp_iadd(b, lo, lp_index(b, l->t->machine->task));
    bool whole = s->inner % l->t->machine->task == 0;
    lp_val hi = whole ? end : lp_imin(b, end, lp_index(b, s->inner));
    bool ok = lower_inner_loop(l, s->c, lo, hi, lanes, width, flags, whole);
    lp_end(b, NULL, 0, NULL);
    return ok;
}

/* ---- transposed inputs
 *
 *      x[c, r]   r -->                local, c -->         y[r, c]   c -->
 *           c0  +------+          r  +------+                  r0  +------+
 *           |   | read |   ---->     |turned|  ---------->         |      |
 *           v   +------+             +------+                      +------+
 *
 * Read along c, each element would come from another line of memory, and all of the line's others would be gone when their turn
 * comes. So a task is a tile of r x c: what it reads of such an input is read as it lies in memory and turned in registers. */

/* From row to row of the array: the pad keeps them out of each other's cache sets. */
static int64_t pitch_of(const lower *l) {
    return l->t->machine->turn + l->t->machine->line / 4;
}

/* Where an element of the tile lies in its array. */
static lp_val place_in_tile(lower *l, lp_val r, lp_val c, const lp_val from[2]) {
    lp_builder *b = l->b;
    lp_val row = lp_imul(b, lp_isub(b, r, from[0]), lp_index(b, pitch_of(l)));
    return lp_iadd(b, row, lp_isub(b, c, from[1]));
}

/* n x n elements from (r, c) on: n vectors along r, transposed. n = 1: one element. */
static void stage_square(lower *l, const map_tiles *t, const emit_staged *x, lp_val r, lp_val c,
                         const lp_val from[2], unsigned n) {
    lp_builder *b = l->b;
    emitter *m = &l->m;
    lp_val v[LP_MAX_LANES];
    int64_t coef;
    ir_ex rest;
    ir_ex_linear(&l->x, x->offset, t->s.c, &coef, &rest);
    for (unsigned i = 0; i < n; i++) {
        emit_sym(m, t->s.c, lp_iadd(b, c, lp_index(b, i)));
        emit_vector(m, t->r, r, n, 1, 0);
        lp_val at = emit_index(m, emit_from(m, x->p, x->offset));
        v[i] = emit_load(m, x->p, x->offset).v[0];
        if (n > 1)
            lp_prefetch(b, x->p, lp_iadd(b, at, lp_index(b, coef * l->t->machine->turn)), false);
    }
    emit_scalar(m);
    const bz_dtype own = (bz_dtype)lp_at(b, x->p)->dtype;
    if (n > 1) lower_transpose(b, v, n, own);
    for (unsigned i = 0; i < n; i++)
        lp_store(b, x->local, place_in_tile(l, lp_iadd(b, r, lp_index(b, i)), c, from), v[i], 0, 0);
}

/* Squares of n x n for all r and c in these bounds, multiples of n apart. */
static void stage_squares(lower *l, const map_tiles *t, const emit_staged *x, const lp_val r[2],
                          const lp_val c[2], const lp_val from[2], unsigned n) {
    lp_builder *b = l->b;
    lp_val at = lp_loop(b, LP_SERIAL, c[0], c[1], n, NULL, 0, NULL);
    lp_val row = lp_loop(b, LP_SERIAL, r[0], r[1], n, NULL, 0, NULL);
    stage_square(l, t, x, row, at, from, n);
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
}

/* Copies what a tile reads, transposed: squares, and at the ends element by element. */
static void stage(lower *l, const map_tiles *t, const emit_staged *x, const lp_val r[2],
                  const lp_val c[2], unsigned lanes) {
    lp_builder *b = l->b;
    const lp_val from[2] = {r[0], c[0]}, n = lp_index(b, lanes);
    lp_val rm[2] = {r[0], r[1]}, cm[2] = {c[0], c[1]};
    const bool any = l->t->any_size;
    if (any || t->rows % lanes) rm[1] = lp_isub(b, r[1], lp_imod(b, lp_isub(b, r[1], r[0]), n));
    if (any || t->s.inner % lanes) cm[1] = lp_isub(b, c[1], lp_imod(b, lp_isub(b, c[1], c[0]), n));
    stage_squares(l, t, x, rm, cm, from, lanes);
    if (rm[1] != r[1]) stage_squares(l, t, x, (lp_val[]){rm[1], r[1]}, c, from, 1);
    if (cm[1] != c[1]) stage_squares(l, t, x, rm, (lp_val[]){cm[1], c[1]}, from, 1);
}

/* The bounds of piece `i` of `size` elements. */
static void tile_bounds(lower *l, lp_val i, int64_t size, lp_val out[2]) {
    lp_builder *b = l->b;
    const int64_t side = l->t->machine->turn;
    out[0] = lp_imul(b, i, lp_index(b, side));
    out[1] = lp_iadd(b, out[0], lp_index(b, side));
    if (l->t->any_size || size % side) out[1] = lp_imin(b, out[1], emit_size(&l->m, size));
}

static bool tiles(lower *l, map_tiles *t, unsigned lanes, unsigned width, unsigned flags) {
    lp_builder *b = l->b;
    emitter *m = &l->m;
    const int64_t side = l->t->machine->turn;
    int64_t across = (t->s.inner + side - 1) / side, down = (t->rows + side - 1) / side;
    ir_ex pitch = ir_ex_mulc(&l->x, ir_ex_sub(&l->x, t->r, t->r0), pitch_of(l));
    unsigned n = m->nstaged;
    for (unsigned i = 0; i < n; i++) {
        m->staged[i].at = ir_ex_add(&l->x, pitch, ir_ex_sub(&l->x, t->s.c, t->c0));
        m->staged[i].local = lp_local(b, (bz_dtype)lp_at(b, m->staged[i].p)->dtype,
                                      l->t->machine->turn * pitch_of(l), LP_SCRATCH);
    }
    const lp_val columns = emit_count(m, "across", across), lines = emit_count(m, "down", down);
    lp_val all = lp_imul(b, emit_extent(m, "outer", t->s.outer), lp_imul(b, lines, columns));
    lp_val task = lp_loop(b, LP_PARALLEL, lp_index(b, 0), all, 1, NULL, 0, NULL);
    lp_val line = lp_idiv(b, task, columns);
    lp_val r[2], c[2];
    tile_bounds(l, lp_imod(b, task, columns), t->s.inner, c);
    tile_bounds(l, lp_imod(b, line, lines), t->rows, r);
    emit_sym(m, t->s.o, lp_idiv(b, line, lines));
    m->any_pitch = true; /* the batch is rows there and columns here */
    m->nstaged = 0;
    for (unsigned i = 0; i < n; i++) stage(l, t, &m->staged[i], r, c, lanes);
    m->nstaged = n;
    emit_sym(m, t->r0, r[0]);
    emit_sym(m, t->c0, c[0]);
    lp_val row = lp_loop(b, LP_SERIAL, r[0], r[1], 1, NULL, 0, NULL);
    emit_sym(m, t->r, row);
    bool whole = !l->t->any_size && t->s.inner % side == 0;
    bool ok = lower_inner_loop(l, t->s.c, c[0], c[1], lanes, width, flags, whole);
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
    m->nstaged = 0;
    m->any_pitch = false;
    return ok;
}

/* Vectors side by side: long dependent bodies want four to hide latency, as long as the registers hold them. */
static unsigned choose_width(const lower *l) {
    unsigned ops = l->group->steps, most = l->t->machine->beside;
    if (ops <= 40 || most == 1) return most;
    return l->t->registers >= 32 ? ops <= 200 ? 4 : 2 : ops <= 100 ? 2 : 1;
}

bool lower_map(lower *l) {
    map_space s;
    unsigned lanes = lower_lanes(l), width = choose_width(l);
    bool done;
    bool ok = lower_parts(l, lanes, width, &done);
    if (done) return ok;
    map_choose_space(l, &s, lanes);
    while (width > 1 && s.inner < (int64_t)lanes * width) width /= 2;
    map_tiles t;
    if (map_choose_tiles(l, &s, lanes, &t)) {
        while (width > 1 && (int64_t)lanes * width > l->t->machine->turn) width /= 2;
        return tiles(l, &t, lanes, width, lower_stream_flags(l, s.inner));
    }
    l->m.ahead = lower_read_ahead(l, l->t->machine->last / 3);
    unsigned flags = lower_stream_flags(l, s.outer == 1 ? 0 : s.inner);
    if (s.outer == 1) return one_row(l, &s, lanes, width, flags);
    return s.inner <= l->t->machine->task ? short_rows(l, &s, lanes, width, flags)
                                          : long_rows(l, &s, lanes, width, flags);
}
