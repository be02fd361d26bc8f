/* sort.c - rows in order: long ones by digits (sort_radix.c), short ones a row a task, merged from runs of 1, 2, 4 ... elements.
 *
 *     keys, places:  | a row's elements, in the order of the operand | room for as many |      the halves take turns
 *                    runs of `width` lie in order in one half --merge pairs--> runs of 2 width in the other
 *
 * Of two equal elements the left run's comes first, so that the order is stable; NaN comes last either way. Halves and bool are
 * compared as f32 and i32. */
#include "src/passes/cpu/sort.h"

/* ---- shared by targets */

void sort_begin(sort_kernel *q, lower *l) {
    const ir_ref r = l->group->head;
    const ir_op op = (ir_op)ir_at(l->g, r)->op;
    const int64_t *attr = ir_attrs(l->g, ir_at(l->g, r));
    *q = (sort_kernel){.l = l, .x = ir_operand(l->g, r, 0), .t = ir_dtype(l->g, r)};
    q->descending = op == IR_SORT && attr[1] != 0;
    q->key = ir_is_half(q->t) ? BZ_F32 : q->t == BZ_BOOL ? BZ_I32 : q->t;
    q->at = lower_axis_space(l, q->x, (unsigned)attr[op != IR_SORT], 1, false);
    q->kept = op == IR_SORT ? q->at.n : op == IR_TOPK ? attr[0] : 1;
    q->back = op == IR_TOPK && !attr[2];
    q->from = op == IR_KTHVALUE ? attr[0] - 1 : q->back ? q->at.n - q->kept : 0;
    q->rows = q->at.before * q->at.after;
    q->values = lower_result(l, 0);
    q->indices = lower_result(l, 1);
}

lp_val sort_enter_row(sort_kernel *q, lp_val row) {
    lp_builder *b = q->l->b;
    lp_val after = lp_index(b, q->at.after), o = lp_idiv(b, row, after), c = lp_imod(b, row, after);
    emit_sym(&q->l->m, q->at.o, o);
    emit_sym(&q->l->m, q->at.c, c);
    return lp_iadd(b, lp_imul(b, o, lp_index(b, q->kept * q->at.after)), c);
}

lp_val sort_key(sort_kernel *q, lp_val i) {
    emitter *m = &q->l->m;
    const unsigned mark = emit_mark(m);
    emit_sym(m, q->at.i, i);
    const emit_value x = emit_node(m, q->x, q->at.idx);
    const lp_val key = emit_cast(q->l->b, q->key, q->t, x.v[0]);
    emit_forget(m, mark);
    return key;
}

bool sort_is_long(const sort_kernel *q) {
    enum { SHORT = 32 /* elements for each byte of one */ };
    return q->at.n > SHORT * (int64_t)ir_dtype_bytes(q->t) && q->at.n < INT32_MAX;
}

static lp_val is(lp_builder *b, ir_op op, lp_val x, lp_val y) {
    return lp_base(b, op, BZ_BOOL, (lp_val[]){x, y}, 2);
}

lp_val sort_open_wanted(sort_kernel *q, lp_val base, lp_val i) {
    lp_builder *b = q->l->b;
    lp_val to = i;
    if (q->kept < q->at.n) {
        to = lp_isub(b, i, lp_index(b, q->from));
        lp_if(b, is(b, IR_AND, is(b, IR_LE, lp_index(b, 0), to),
                    is(b, IR_LT, to, lp_index(b, q->kept))));
    }
    if (q->back) to = lp_isub(b, lp_index(b, q->kept - 1), to);
    return lp_iadd(b, base, lp_imul(b, to, lp_index(b, q->at.after)));
}

void sort_close_wanted(sort_kernel *q) {
    if (q->kept < q->at.n) lp_end(q->l->b, NULL, 0, NULL);
}

void sort_store(sort_kernel *q, lp_val base, lp_val i, lp_val key, lp_val place) {
    lp_builder *b = q->l->b;
    const lp_val to = sort_open_wanted(q, base, i);
    if (q->values) lp_store(b, q->values, to, emit_cast(b, q->t, q->key, key), 0, 0);
    if (q->indices) lp_store(b, q->indices, to, place, 0, 0);
    sort_close_wanted(q);
}

lp_val sort_comes_first(lp_builder *b, bz_dtype key, bool descending, lp_val y, lp_val x) {
    lp_val less = descending ? is(b, IR_LT, x, y) : is(b, IR_LT, y, x);
    if (!ir_is_float(key)) return less;
    return is(b, IR_OR, less, is(b, IR_AND, is(b, IR_NE, x, x), is(b, IR_EQ, y, y)));
}

/* ---- merging */

typedef struct merging {
    lp_builder *b;
    lp_val keys, places; /* two halves each */
    bz_dtype key;
    bool descending;
    lp_val n, row; /* elements of the row; where it begins */
} merging;

/* Elements lo .. mid and mid .. hi of the half at `from`, each in order, into the half at `to`. */
static void merge(const merging *k, lp_val from, lp_val to, lp_val lo, lp_val mid, lp_val hi) {
    lp_builder *b = k->b;
    lp_val one = lp_index(b, 1), last = lp_isub(b, k->n, one), next[2] = {lo, mid};
    lp_val to_at = lp_iadd(b, to, lp_loop(b, LP_SERIAL, lo, hi, 1, next, 2, next));
    lp_val i = next[0], j = next[1]; /* an exhausted run is read, too, where something is */
    lp_val x_at = lp_iadd(b, from, lp_imin(b, i, last)),
           y_at = lp_iadd(b, from, lp_imin(b, j, last));
    lp_val x = lp_load(b, k->keys, x_at, 1, 0, 0), y = lp_load(b, k->keys, y_at, 1, 0, 0);
    lp_val y_first = sort_comes_first(b, k->key, k->descending, y, x);
    lp_val wins = is(b, IR_OR, is(b, IR_LE, mid, i), y_first);
    lp_val right = is(b, IR_AND, is(b, IR_LT, j, hi), wins);
    lp_val key = lp_base(b, IR_SELECT, k->key, (lp_val[]){right, y, x}, 3);
    lp_val at = lp_base(b, IR_SELECT, BZ_I64, (lp_val[]){right, y_at, x_at}, 3);
    lp_store(b, k->keys, to_at, key, 0, 0);
    lp_store(b, k->places, to_at, lp_load(b, k->places, at, 1, 0, 0), 0, 0);
    next[0] = lp_base(b, IR_SELECT, BZ_I64, (lp_val[]){right, i, lp_iadd(b, i, one)}, 3);
    next[1] = lp_base(b, IR_SELECT, BZ_I64, (lp_val[]){right, lp_iadd(b, j, one), j}, 3);
    lp_end(b, next, 2, next);
}

/* All pairs of runs, from one half to the other. */
static void merge_all(const merging *k, lp_val width, lp_val from, lp_val to) {
    lp_builder *b = k->b;
    lp_val n = k->n, both = lp_iadd(b, width, width);
    lp_val pairs = lp_idiv(b, lp_iadd(b, n, lp_isub(b, both, lp_index(b, 1))), both);
    lp_val p = lp_loop(b, LP_SERIAL, lp_index(b, 0), pairs, 1, NULL, 0, NULL);
    lp_val lo = lp_imul(b, p, both), mid = lp_imin(b, n, lp_iadd(b, lo, width));
    merge(k, from, to, lo, mid, lp_imin(b, n, lp_iadd(b, lo, both)));
    lp_end(b, NULL, 0, NULL);
}

lp_val sort_merge(lower *l, lp_val keys, lp_val places, bool descending, lp_val row, lp_val n) {
    lp_builder *b = l->b;
    if (lp_failed(b)) return 0;
    const merging k = {.b = b,
                       .keys = keys,
                       .places = places,
                       .key = (bz_dtype)lp_at(b, keys)->dtype,
                       .descending = descending,
                       .n = n,
                       .row = row};
    lp_val now[2] = {lp_index(b, 1), row}, out[2];
    lp_while(b, now, 2, now);
    lp_val other = lp_isub(b, lp_iadd(b, lp_iadd(b, row, row), n), now[1]);
    merge_all(&k, now[0], now[1], other);
    lp_val width = lp_iadd(b, now[0], now[0]);
    lp_end(b, (lp_val[]){is(b, IR_LT, width, n), width, other}, 3, out);
    return out[1];
}

/* ---- a row a task */

typedef struct short_row {
    sort_kernel *q;
    lp_val keys, places;
    lp_val row, base; /* where this row begins in them; in the results */
} short_row;

/* The operand's elements and their numbers, into the first half. */
static void fill(const short_row *k) {
    lp_builder *b = k->q->l->b;
    lp_val i = lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_index(b, k->q->at.n), 1, NULL, 0, NULL);
    lp_val at = lp_iadd(b, k->row, i);
    lp_store(b, k->keys, at, sort_key(k->q, i), 0, 0);
    lp_store(b, k->places, at, i, 0, 0);
    lp_end(b, NULL, 0, NULL);
}

static void store_row(const short_row *k, lp_val from) {
    lp_builder *b = k->q->l->b;
    lp_val i = lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_index(b, k->q->at.n), 1, NULL, 0, NULL);
    lp_val at = lp_iadd(b, from, i);
    lp_val key = lp_load(b, k->keys, at, 1, 0, 0), place = lp_load(b, k->places, at, 1, 0, 0);
    sort_store(k->q, k->base, i, key, place);
    lp_end(b, NULL, 0, NULL);
}

bool sort_rows_of(sort_kernel *q) {
    lower *l = q->l;
    lp_builder *b = l->b;
    const int64_t n = q->at.n;
    short_row k = {.q = q};
    if (sort_is_long(q)) {
        sort_by_digits(q);
        return !l->m.failed;
    }
    k.keys = lower_work(l, q->key, 2 * n * q->rows);
    k.places = lower_work(l, BZ_I64, 2 * n * q->rows);
    if (l->m.failed) return false;
    lp_val row = lp_loop(b, LP_PARALLEL, lp_index(b, 0), lp_index(b, q->rows), 1, NULL, 0, NULL);
    k.base = sort_enter_row(q, row);
    k.row = lp_imul(b, row, lp_index(b, 2 * n));
    fill(&k);
    store_row(&k, n < 2 ? k.row : sort_merge(l, k.keys, k.places, q->descending, k.row, lp_index(b, n)));
    lp_end(b, NULL, 0, NULL);
    return !l->m.failed;
}

bool lower_sort(lower *l) {
    sort_kernel q;
    sort_begin(&q, l);
    return sort_rows_of(&q);
}
