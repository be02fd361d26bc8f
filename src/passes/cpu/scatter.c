/* scatter.c - rows put into rows that indices name, or elements of lines into elements.
 *
 *     y: [before, n, after] --index--> x: [before, size, after]
 *
 * x is copied first, unless the result lies where x lay. Then a task owns a strip of columns of one `before`, for which it goes through all
 * indices in their order; where such tasks are few, several go through them, each for its own part of the rows. So no two tasks meet
 * and the order is the indices', whoever runs them. What x, y and indices are made of is computed where they are read. */
#include "src/passes/cpu/cpu.h"
#include "src/passes/forms/scatter.h"

enum { FEW = 4 /* tasks: rows are cut, too */ };

typedef struct striding {
    scatter_kernel q;
    lp_val lo, hi;        /* columns */
    lp_val first, behind; /* rows; 0: all */
    unsigned lanes;
    int64_t strip, parts; /* columns of a task; of the rows */
} striding;

/* y at columns c .. c + lanes into the row. */
static void cell(striding *k, lp_val row, lp_val c, unsigned lanes, lp_val mask) {
    scatter_kernel *q = &k->q;
    lp_builder *b = q->l->b;
    emitter *m = &q->l->m;
    const unsigned mark = emit_mark(m);
    emit_vector(m, q->at.c, c, lanes, 1, mask);
    const lp_val at = lp_iadd(b, emit_index(m, q->to), lp_imul(b, row, lp_index(b, q->stride)));
    const lp_val there = q->way == IR_BY_LAST ? 0 : lp_load(b, q->out, at, lanes, mask, 0);
    lp_store(b, q->out, at, scatter_both(q, there), mask, 0);
    emit_forget(m, mark);
    emit_scalar(m);
}

/* Opens a part that is done if the row is the task's own. */
static void open_own(striding *k, lp_val row) {
    lp_builder *b = k->q.l->b;
    if (!k->first) return;
    const lp_val from = lp_base(b, IR_LE, BZ_BOOL, (lp_val[]){k->first, row}, 2),
                 to = lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){row, k->behind}, 2);
    lp_if(b, lp_base(b, IR_AND, BZ_BOOL, (lp_val[]){from, to}, 2));
}

static void close_own(striding *k) {
    if (k->first) lp_end(k->q.l->b, NULL, 0, NULL);
}

/* The strip's columns of the row that index number at.i names. */
static void strip_of_row(striding *k) {
    lower *l = k->q.l;
    lp_builder *b = l->b;
    const bool whole = k->q.at.after % k->strip == 0;
    const lp_val row = scatter_row(&k->q), span = lp_isub(b, k->hi, k->lo);
    lp_val main_hi = k->hi;
    if (!whole) main_hi = lp_isub(b, k->hi, lp_imod(b, span, lp_index(b, (int64_t)k->lanes)));
    open_own(k, row);
    lp_val c = lp_loop(b, LP_SERIAL, k->lo, main_hi, k->lanes, NULL, 0, NULL);
    cell(k, row, c, k->lanes, 0);
    lp_end(b, NULL, 0, NULL);
    if (!whole && k->lanes > 1) {
        const unsigned n = l->t->masks ? k->lanes : 1;
        c = lp_loop(b, LP_SERIAL, main_hi, k->hi, n, NULL, 0, NULL);
        const lp_val left = lp_isub(b, k->hi, c);
        cell(k, row, c, n, n > 1 ? lower_tail_mask(l, left, n) : 0);
        lp_end(b, NULL, 0, NULL);
    }
    close_own(k);
}

/* Each of the strip's columns has an index of its own. */
static void strip_along(striding *k) {
    lp_builder *b = k->q.l->b;
    emitter *m = &k->q.l->m;
    const lp_val c = lp_loop(b, LP_SERIAL, k->lo, k->hi, 1, NULL, 0, NULL);
    const unsigned mark = emit_mark(m);
    emit_sym(m, k->q.at.c, c);
    const lp_val row = scatter_row(&k->q);
    open_own(k, row);
    cell(k, row, c, 1, 0);
    close_own(k);
    emit_forget(m, mark);
    lp_end(b, NULL, 0, NULL);
}

static void task(striding *k, lp_val t, int64_t strips) {
    scatter_kernel *q = &k->q;
    lp_builder *b = q->l->b;
    emitter *m = &q->l->m;
    if (k->parts > 1) {
        const int64_t each = (q->size + k->parts - 1) / k->parts;
        const lp_val own = emit_count(m, "part", each);
        k->first = lp_imul(b, lp_imod(b, t, lp_index(b, k->parts)), own);
        k->behind = lp_iadd(b, k->first, own);
        t = lp_idiv(b, t, lp_index(b, k->parts));
    }
    const lp_val count = lp_index(b, strips), s = lp_imod(b, t, count);
    emit_sym(m, q->at.o, lp_idiv(b, t, count));
    k->lo = lp_imul(b, s, lp_index(b, k->strip));
    k->hi = lp_iadd(b, k->lo, lp_index(b, k->strip));
    if (q->at.after % k->strip) k->hi = lp_imin(b, k->hi, lp_index(b, q->at.after));
    const lp_val i =
        lp_loop(b, LP_SERIAL, lp_index(b, 0), emit_count(m, "n", q->at.n), 1, NULL, 0, NULL);
    const unsigned mark = emit_mark(m);
    emit_sym(m, q->at.i, i);
    (q->along ? strip_along : strip_of_row)(k);
    emit_forget(m, mark);
    lp_end(b, NULL, 0, NULL);
}

bool scatter_by_tasks(lower *l) {
    striding k = {.strip = l->t->machine->columns, .parts = 1};
    scatter_begin(&k.q, l);
    const axis_space *at = &k.q.at;
    k.lanes = l->t->vector_bytes / (unsigned)ir_dtype_bytes(k.q.t);
    while (k.lanes > 1 && (at->after < (int64_t)k.lanes || k.strip < (int64_t)k.lanes))
        k.lanes /= 2;
    const int64_t strips = (at->after + k.strip - 1) / k.strip, lines = at->before * strips,
                  put = at->n * (at->after < k.strip ? at->after : k.strip);
    if (lines < FEW && put >= 2 * l->t->machine->task && k.q.size >= FEW) k.parts = FEW;
    const lp_val t = lp_loop(l->b, LP_PARALLEL, lp_index(l->b, 0),
                             emit_count(&l->m, "tasks", lines * k.parts), 1, NULL, 0, NULL);
    task(&k, t, strips);
    lp_end(l->b, NULL, 0, NULL);
    return !l->m.failed;
}

bool lower_scatter(lower *l) {
    const bool ok = buffers_in_place(l, l->group->head) || lower_fill(l, lower_map);
    return ok && scatter_by_tasks(l);
}
