/* sort.c - rows in order: one row a task, merged from runs of 1, 2, 4 ... elements.
 *
 *     keys, places:  | a row's elements, in the order of the operand | room for as many |      the halves take turns
 *                    runs of `width` lie in order in one half --merge pairs--> runs of 2 width in the other
 *
 * Of two equal elements the left run's comes first, so that the order is stable; NaN comes last either way. Halves and bool are
 * compared as f32 and i32. */
#include "src/passes/cpu/cpu.h"

typedef struct sort_kernel {
    lower *l;
    ir_ref x;
    bz_dtype t, key;
    bool descending;
    axis_space at;
    lp_val keys, places, values, indices; /* the last two 0 where nobody wants them */
    lp_val row, base; /* where this row begins in keys and places; in the results */
} sort_kernel;

static lp_val is(sort_kernel *q, ir_op op, lp_val x, lp_val y) {
    return lp_base(q->l->b, op, BZ_BOOL, (lp_val[]){x, y}, 2);
}

/* Must y, of the right run, stand before x, of the left one? */
static lp_val comes_first(sort_kernel *q, lp_val y, lp_val x) {
    lp_val less = q->descending ? is(q, IR_LT, x, y) : is(q, IR_LT, y, x);
    if (!ir_is_float(q->key)) return less;
    return is(q, IR_OR, less, is(q, IR_AND, is(q, IR_NE, x, x), is(q, IR_EQ, y, y)));
}

/* The operand's elements and their numbers, into the first half. */
static void fill(sort_kernel *q) {
    lower *l = q->l;
    lp_val i =
        lp_loop(l->b, LP_SERIAL, lp_index(l->b, 0), lp_index(l->b, q->at.n), 1, NULL, 0, NULL);
    unsigned mark = emit_mark(&l->m);
    emit_sym(&l->m, q->at.i, i);
    emit_value x = emit_node(&l->m, q->x, q->at.idx);
    lp_val at = lp_iadd(l->b, q->row, i);
    lp_store(l->b, q->keys, at, emit_cast(l->b, q->key, q->t, x.v[0]), 0, 0);
    lp_store(l->b, q->places, at, i, 0, 0);
    emit_forget(&l->m, mark);
    lp_end(l->b, NULL, 0, NULL);
}

/* Elements lo .. mid and mid .. hi of the half at `from`, each in order, into the half at `to`. */
static void merge(sort_kernel *q, lp_val from, lp_val to, lp_val lo, lp_val mid, lp_val hi) {
    lp_builder *b = q->l->b;
    lp_val last = lp_index(b, q->at.n - 1), one = lp_index(b, 1), next[2] = {lo, mid};
    lp_val k = lp_loop(b, LP_SERIAL, lo, hi, 1, next, 2, next);
    lp_val i = next[0], j = next[1]; /* an exhausted run is read, too, where something is */
    lp_val x_at = lp_iadd(b, from, lp_imin(b, i, last)),
           y_at = lp_iadd(b, from, lp_imin(b, j, last));
    lp_val x = lp_load(b, q->keys, x_at, 1, 0, 0), y = lp_load(b, q->keys, y_at, 1, 0, 0);
    lp_val wins = is(q, IR_OR, is(q, IR_LE, mid, i), comes_first(q, y, x));
    lp_val right = is(q, IR_AND, is(q, IR_LT, j, hi), wins);
    lp_val key = lp_base(b, IR_SELECT, q->key, (lp_val[]){right, y, x}, 3);
    lp_val at = lp_base(b, IR_SELECT, BZ_I64, (lp_val[]){right, y_at, x_at}, 3);
    lp_store(b, q->keys, lp_iadd(b, to, k), key, 0, 0);
    lp_store(b, q->places, lp_iadd(b, to, k), lp_load(b, q->places, at, 1, 0, 0), 0, 0);
    next[0] = lp_base(b, IR_SELECT, BZ_I64, (lp_val[]){right, i, lp_iadd(b, i, one)}, 3);
    next[1] = lp_base(b, IR_SELECT, BZ_I64, (lp_val[]){right, lp_iadd(b, j, one), j}, 3);
    lp_end(b, next, 2, next);
}

/* All pairs of runs, from one half to the other. */
static void merge_all(sort_kernel *q, lp_val width, lp_val from, lp_val to) {
    lp_builder *b = q->l->b;
    lp_val n = lp_index(b, q->at.n), both = lp_iadd(b, width, width);
    lp_val pairs = lp_idiv(b, lp_iadd(b, n, lp_isub(b, both, lp_index(b, 1))), both);
    lp_val p = lp_loop(b, LP_SERIAL, lp_index(b, 0), pairs, 1, NULL, 0, NULL);
    lp_val lo = lp_imul(b, p, both), mid = lp_imin(b, n, lp_iadd(b, lo, width));
    merge(q, from, to, lo, mid, lp_imin(b, n, lp_iadd(b, lo, both)));
    lp_end(b, NULL, 0, NULL);
}

/* Gives where the sorted half begins. */
static lp_val sort_row(sort_kernel *q) {
    lp_builder *b = q->l->b;
    lp_val now[2] = {lp_index(b, 1), q->row}, out[2];
    if (q->at.n < 2) return q->row;
    lp_while(b, now, 2, now);
    lp_val other = lp_isub(b, lp_iadd(b, lp_iadd(b, q->row, q->row), lp_index(b, q->at.n)), now[1]);
    merge_all(q, now[0], now[1], other);
    lp_val width = lp_iadd(b, now[0], now[0]);
    lp_end(b, (lp_val[]){is(q, IR_LT, width, lp_index(b, q->at.n)), width, other}, 3, out);
    return out[1];
}

static void store_row(sort_kernel *q, lp_val from) {
    lp_builder *b = q->l->b;
    lp_val i = lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_index(b, q->at.n), 1, NULL, 0, NULL);
    lp_val to = lp_iadd(b, q->base, lp_imul(b, i, lp_index(b, q->at.after))),
           at = lp_iadd(b, from, i);
    if (q->values)
        lp_store(b, q->values, to, emit_cast(b, q->t, q->key, lp_load(b, q->keys, at, 1, 0, 0)), 0,
                 0);
    if (q->indices) lp_store(b, q->indices, to, lp_load(b, q->places, at, 1, 0, 0), 0, 0);
    lp_end(b, NULL, 0, NULL);
}

bool lower_sort(lower *l) {
    const ir_ref r = l->group->head;
    lp_builder *b = l->b;
    sort_kernel q = {.l = l, .x = ir_operand(l->g, r, 0)};
    q.descending = ir_attrs(l->g, ir_at(l->g, r))[1] != 0;
    q.t = ir_dtype(l->g, r);
    q.key = ir_is_half(q.t) ? BZ_F32 : q.t == BZ_BOOL ? BZ_I32 : q.t;
    q.at = lower_axis_space(l, q.x, (unsigned)ir_attrs(l->g, ir_at(l->g, r))[0], 1, false);
    int64_t rows = q.at.before * q.at.after;
    q.values = lower_result(l, 0);
    q.indices = lower_result(l, 1);
    q.keys = lower_work(l, q.key, 2 * q.at.n * rows);
    q.places = lower_work(l, BZ_I64, 2 * q.at.n * rows);
    if (l->m.failed) return false;
    lp_val task = lp_loop(b, LP_PARALLEL, lp_index(b, 0), lp_index(b, rows), 1, NULL, 0, NULL);
    lp_val o = lp_idiv(b, task, lp_index(b, q.at.after)),
           c = lp_imod(b, task, lp_index(b, q.at.after));
    emit_sym(&l->m, q.at.o, o);
    emit_sym(&l->m, q.at.c, c);
    q.row = lp_imul(b, task, lp_index(b, 2 * q.at.n));
    q.base = lp_iadd(b, lp_imul(b, o, lp_index(b, q.at.n * q.at.after)), c);
    fill(&q);
    store_row(&q, sort_row(&q));
    lp_end(b, NULL, 0, NULL);
    return !l->m.failed;
}
