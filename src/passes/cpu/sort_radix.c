/* sort_radix.c - rows in order by digits, from the lowest to the highest: each pass is stable, so that all together are.
 *
 *     elements      0x3f800000 ...   as they are, bit by bit: a zero keeps its sign, a NaN its bits
 *     their keys    0xbf800000 ...   made anew in each pass: unsigned numbers in the order of the elements; -0 and +0 are one, NaN is the largest
 *
 *     a row a task    counts of all digits by one reading, then a pass for each digit; one in which all are equal is left out
 *     long rows       where rows are few: CHUNKS tasks count a digit, each in its part; what stands before each part's is added up;
 *                     they put their elements there
 *
 * Places go along only where somebody wants them. The last pass writes the results. */
#include "src/passes/cpu/sort.h"

enum {
    CHUNKS = 8,
    SMALL = 1 << 14, /* elements for which few counters are better than few passes */
    LONG = 1 << 16,  /* elements of a row that several tasks share */
    NEAR = 1 << 20   /* bytes that a thread keeps for itself */
};

typedef struct half {
    lp_val raw, places; /* pointers */
    lp_val from;        /* where the row begins; 0: results */
} half;

typedef struct radix {
    sort_kernel *q;
    bz_dtype raw, key;
    unsigned width, digit, passes; /* bits of an element, of a digit */
    int64_t counters;              /* of a pass */
    lp_val counts;
    half side[2];
} radix;

static lp_val of(const radix *k, ir_op op, lp_val x, lp_val y) {
    return lp_base(k->q->l->b, op, k->key, (lp_val[]){x, y}, 2);
}

static lp_val number(const radix *k, uint64_t v) {
    return lp_const(k->q->l->b, k->key, k->key == BZ_I32 ? (uint32_t)v : v, 1);
}

static lp_val is(const radix *k, ir_op op, lp_val x, lp_val y) {
    return lp_base(k->q->l->b, op, BZ_BOOL, (lp_val[]){x, y}, 2);
}

static lp_val choose(const radix *k, lp_val cond, lp_val x, lp_val y) {
    return lp_base(k->q->l->b, IR_SELECT, k->key, (lp_val[]){cond, x, y}, 3);
}

/* ---- elements and keys */

static void set_up(radix *k, sort_kernel *q) {
    static const bz_dtype raws[] = {[1] = BZ_U8, [2] = BZ_I16, [4] = BZ_I32, [8] = BZ_I64};
    const unsigned bytes = (unsigned)ir_dtype_bytes(q->t);
    *k = (radix){.q = q, .raw = raws[bytes], .width = 8 * bytes};
    k->key = bytes == 8 ? BZ_I64 : BZ_I32;
    k->digit = q->at.n < SMALL || bytes <= 2 ? 8 : 11;
    k->passes = (k->width + k->digit - 1) / k->digit;
    k->counters = INT64_C(1) << k->digit;
}

static lp_val bits_of(const radix *k, lp_val x, bz_dtype from, bz_dtype to) {
    if (from == to) return x;
    if (from == BZ_BOOL || to == BZ_BOOL) return emit_cast(k->q->l->b, to, from, x);
    return lp_base(k->q->l->b, IR_BITCAST, to, &x, 1);
}

/* Element i of the operand, as bits. */
static lp_val element(const radix *k, lp_val i) {
    emitter *m = &k->q->l->m;
    const unsigned mark = emit_mark(m);
    emit_sym(m, k->q->at.i, i);
    const emit_value x = emit_node(m, k->q->x, k->q->at.idx);
    emit_forget(m, mark);
    return bits_of(k, x.v[0], k->q->t, k->raw);
}

/* An unsigned number of `width` bits. */
static lp_val key_of(const radix *k, lp_val raw) {
    const uint64_t all = k->width == 64 ? UINT64_MAX : (UINT64_C(1) << k->width) - 1,
                   sign = UINT64_C(1) << (k->width - 1);
    const bool floats = ir_is_float(k->q->t), down = k->q->descending;
    lp_val x = emit_cast(k->q->l->b, k->key, k->raw, raw), nan = 0;
    if (k->width < 32) x = of(k, IR_AND, x, number(k, all));
    if (floats) {
        const uint64_t infinity = k->q->t == BZ_F64   ? UINT64_C(0x7ff) << 52
                                  : k->q->t == BZ_F32 ? UINT64_C(0xff) << 23
                                  : k->q->t == BZ_F16 ? UINT64_C(0x1f) << 10
                                                      : UINT64_C(0xff) << 7;
        const lp_val size = of(k, IR_AND, x, number(k, all ^ sign)), zero = number(k, 0);
        nan = is(k, IR_LT, number(k, infinity), size);
        x = choose(k, is(k, IR_EQ, size, zero), zero, x);
        const lp_val negative = is(k, IR_NE, of(k, IR_AND, x, number(k, sign)), zero);
        x = of(k, IR_XOR, x, choose(k, negative, number(k, all), number(k, sign)));
    } else if (ir_is_signed(k->q->t)) {
        x = of(k, IR_XOR, x, number(k, sign));
    }
    if (down) x = of(k, IR_XOR, x, number(k, all));
    return floats ? choose(k, nan, number(k, all), x) : x;
}

static lp_val digit_of(const radix *k, lp_val key, unsigned pass) {
    const lp_val low = of(k, IR_LSHR, key, number(k, pass * k->digit));
    const lp_val d = of(k, IR_AND, low, number(k, (uint64_t)k->counters - 1));
    return emit_cast(k->q->l->b, BZ_I64, k->key, d);
}

/* ---- counters */

static lp_val load_count(const radix *k, lp_val p, lp_val at) {
    return emit_cast(k->q->l->b, BZ_I64, BZ_I32, lp_load(k->q->l->b, p, at, 1, 0, 0));
}

static void store_count(const radix *k, lp_val p, lp_val at, lp_val v) {
    lp_store(k->q->l->b, p, at, emit_cast(k->q->l->b, BZ_I32, BZ_I64, v), 0, 0);
}

/* counts[at] as it was; it is one more then. */
static lp_val count(const radix *k, lp_val at) {
    lp_builder *b = k->q->l->b;
    const lp_val n = load_count(k, k->counts, at);
    store_count(k, k->counts, at, lp_iadd(b, n, lp_index(b, 1)));
    return n;
}

static void clear(const radix *k, int64_t n) {
    lp_builder *b = k->q->l->b;
    const unsigned lanes = k->q->l->t->vector_bytes / 4;
    const lp_val at = lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_index(b, n), lanes, NULL, 0, NULL);
    lp_store(b, k->counts, at, lp_const(b, BZ_I32, 0, lanes), 0, 0);
    lp_end(b, NULL, 0, NULL);
}

/* ---- a pass */

static void put(const radix *k, const half *to, lp_val base, lp_val at, lp_val raw, lp_val place) {
    sort_kernel *q = k->q;
    lp_builder *b = q->l->b;
    if (to) {
        at = lp_iadd(b, to->from, at);
        lp_store(b, to->raw, at, raw, 0, 0);
        if (to->places) lp_store(b, to->places, at, emit_cast(b, BZ_I32, BZ_I64, place), 0, 0);
        return;
    }
    at = sort_open_wanted(q, base, at);
    if (q->values) lp_store(b, q->values, at, bits_of(k, raw, k->raw, q->t), 0, 0);
    if (q->indices) lp_store(b, q->indices, at, place, 0, 0);
    sort_close_wanted(q);
}

/* Elements lo .. hi of one half to where counts, from `own` on, say; to NULL: to the results. */
static void distribute(const radix *k, unsigned pass, const half *from, const half *to, lp_val base,
                       lp_val lo, lp_val hi, lp_val own) {
    lp_builder *b = k->q->l->b;
    const lp_val i = lp_loop(b, LP_SERIAL, lo, hi, 1, NULL, 0, NULL),
                 at = lp_iadd(b, from->from, i);
    const lp_val raw = lp_load(b, from->raw, at, 1, 0, 0);
    lp_val place = 0;
    if (from->places) place = emit_cast(b, BZ_I64, BZ_I32, lp_load(b, from->places, at, 1, 0, 0));
    const lp_val d = digit_of(k, key_of(k, raw), pass);
    put(k, to, base, count(k, lp_iadd(b, own, d)), raw, place);
    lp_end(b, NULL, 0, NULL);
}

/* ---- a row a task */

static void count_row(const radix *k) {
    lp_builder *b = k->q->l->b;
    const lp_val zero = lp_index(b, 0), n = lp_index(b, k->q->at.n);
    clear(k, k->counters * k->passes);
    const lp_val i = lp_loop(b, LP_SERIAL, zero, n, 1, NULL, 0, NULL), raw = element(k, i);
    put(k, &k->side[0], 0, i, raw, i);
    const lp_val key = key_of(k, raw);
    for (unsigned p = 0; p < k->passes; p++)
        count(k, lp_iadd(b, digit_of(k, key, p), lp_index(b, p * k->counters)));
    lp_end(b, NULL, 0, NULL);
}

/* Counts of one pass become places. */
static void add_up(const radix *k, lp_val own) {
    lp_builder *b = k->q->l->b;
    lp_val before = lp_index(b, 0);
    const lp_val d =
        lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_index(b, k->counters), 1, &before, 1, &before);
    const lp_val at = lp_iadd(b, own, d), n = load_count(k, k->counts, at);
    store_count(k, k->counts, at, before);
    before = lp_iadd(b, before, n);
    lp_end(b, &before, 1, &before);
}

static void sort_row(radix *k, lp_val base, lp_val row, bool near) {
    lp_builder *b = k->q->l->b;
    const lp_val zero = lp_index(b, 0), n = lp_index(b, k->q->at.n);
    lp_val now = near ? zero : lp_imul(b, row, lp_index(b, 2 * k->q->at.n));
    const lp_val both = lp_iadd(b, lp_iadd(b, now, now), n);
    k->side[0].from = now;
    count_row(k);
    const lp_val first = key_of(k, lp_load(b, k->side[0].raw, now, 1, 0, 0));
    for (unsigned p = 0; p < k->passes; p++) {
        const lp_val own = lp_index(b, p * k->counters), d = digit_of(k, first, p);
        const bool last = p + 1 == k->passes;
        half from = k->side[0], to = k->side[0];
        from.from = now;
        to.from = lp_isub(b, both, now);
        if (!last) {
            const lp_val all = load_count(k, k->counts, lp_iadd(b, own, d));
            lp_if(b, is(k, IR_LT, all, n));
        }
        add_up(k, own);
        distribute(k, p, &from, last ? NULL : &to, base, zero, n, own);
        if (last) continue;
        lp_else(b, &to.from, 1);
        lp_end(b, &now, 1, &now);
    }
}

static void radix_rows(radix *k) {
    sort_kernel *q = k->q;
    lower *l = q->l;
    lp_builder *b = l->b;
    const int64_t n = q->at.n, bytes = (int64_t)ir_dtype_bytes(k->raw) + (q->indices ? 4 : 0);
    const bool near = 2 * n * bytes <= NEAR;
    k->counts = lp_local(b, BZ_I32, k->counters * k->passes, LP_SCRATCH);
    k->side[0].raw =
        near ? lp_local(b, k->raw, 2 * n, LP_SCRATCH) : lower_work(l, k->raw, 2 * n * q->rows);
    if (q->indices)
        k->side[0].places =
            near ? lp_local(b, BZ_I32, 2 * n, LP_SCRATCH) : lower_work(l, BZ_I32, 2 * n * q->rows);
    if (l->m.failed) return;
    const unsigned mark = emit_mark(&l->m);
    const lp_val row = lower_open_rows(l, emit_extent(&l->m, "rows", q->rows), n);
    sort_row(k, sort_enter_row(q, row), row, near);
    lower_close_rows(l);
    emit_forget(&l->m, mark);
}

/* ---- a long row by several tasks */

typedef struct chunk {
    lp_val row, base, lo, hi;
    lp_val own; /* where its counters begin in memory */
    half side[2];
} chunk;

static chunk open_chunk(const radix *k) {
    sort_kernel *q = k->q;
    lp_builder *b = q->l->b;
    const lp_val count = lp_index(b, CHUNKS);
    const int64_t each = (q->at.n + CHUNKS - 1) / CHUNKS;
    const lp_val task =
        lp_loop(b, LP_PARALLEL, lp_index(b, 0), lp_index(b, q->rows * CHUNKS), 1, NULL, 0, NULL);
    chunk c = {.row = lp_idiv(b, task, count)};
    c.base = sort_enter_row(q, c.row);
    c.lo = lp_imul(b, lp_isub(b, task, lp_imul(b, c.row, count)), lp_index(b, each));
    c.hi = lp_imin(b, lp_index(b, q->at.n), lp_iadd(b, c.lo, lp_index(b, each)));
    c.own = lp_imul(b, task, lp_index(b, k->counters));
    for (unsigned s = 0; s < 2; s++) {
        c.side[s] = k->side[s];
        c.side[s].from = lp_imul(b, c.row, lp_index(b, q->at.n));
    }
    return c;
}

/* all: the counters of all chunks, in memory. */
static void count_chunk(const radix *k, unsigned pass, lp_val all) {
    lp_builder *b = k->q->l->b;
    const unsigned mark = emit_mark(&k->q->l->m), lanes = k->q->l->t->vector_bytes / 4;
    const chunk c = open_chunk(k);
    const half *from = &c.side[pass % 2];
    clear(k, k->counters);
    lp_val i = lp_loop(b, LP_SERIAL, c.lo, c.hi, 1, NULL, 0, NULL), raw;
    if (pass == 0) {
        raw = element(k, i);
        put(k, from, 0, i, raw, i);
    } else {
        raw = lp_load(b, from->raw, lp_iadd(b, from->from, i), 1, 0, 0);
    }
    count(k, digit_of(k, key_of(k, raw), pass));
    lp_end(b, NULL, 0, NULL);
    i = lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_index(b, k->counters), lanes, NULL, 0, NULL);
    lp_store(b, all, lp_iadd(b, c.own, i), lp_load(b, k->counts, i, lanes, 0, 0), 0, 0);
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
    emit_forget(&k->q->l->m, mark);
}

/* Of each row: counts of a digit by the first chunk, by the second, ... of the next digit ... become places. */
static void add_up_chunks(const radix *k, lp_val all) {
    lp_builder *b = k->q->l->b;
    const lp_val zero = lp_index(b, 0);
    lp_val before = zero;
    const lp_val row = lp_loop(b, LP_PARALLEL, zero, lp_index(b, k->q->rows), 1, NULL, 0, NULL);
    const lp_val first = lp_imul(b, row, lp_index(b, CHUNKS * k->counters));
    const lp_val d = lp_loop(b, LP_SERIAL, zero, lp_index(b, k->counters), 1, &before, 1, &before);
    for (int64_t c = 0; c < CHUNKS; c++) {
        const lp_val at = lp_iadd(b, lp_iadd(b, first, d), lp_index(b, c * k->counters));
        const lp_val n = load_count(k, all, at);
        store_count(k, all, at, before);
        before = lp_iadd(b, before, n);
    }
    lp_end(b, &before, 1, &before);
    lp_end(b, NULL, 0, NULL);
}

static void distribute_chunk(const radix *k, unsigned pass, lp_val all) {
    lp_builder *b = k->q->l->b;
    const unsigned mark = emit_mark(&k->q->l->m), lanes = k->q->l->t->vector_bytes / 4;
    const chunk c = open_chunk(k);
    const lp_val i =
        lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_index(b, k->counters), lanes, NULL, 0, NULL);
    lp_store(b, k->counts, i, lp_load(b, all, lp_iadd(b, c.own, i), lanes, 0, 0), 0, 0);
    lp_end(b, NULL, 0, NULL);
    const half *to = pass + 1 == k->passes ? NULL : &c.side[1 - pass % 2];
    distribute(k, pass, &c.side[pass % 2], to, c.base, c.lo, c.hi, lp_index(b, 0));
    lp_end(b, NULL, 0, NULL);
    emit_forget(&k->q->l->m, mark);
}

static void radix_chunks(radix *k) {
    sort_kernel *q = k->q;
    lower *l = q->l;
    const int64_t all = q->at.n * q->rows;
    for (unsigned s = 0; s < 2; s++) {
        k->side[s].raw = lower_work(l, k->raw, all);
        if (q->indices) k->side[s].places = lower_work(l, BZ_I32, all);
    }
    const lp_val counts = lower_work(l, BZ_I32, q->rows * CHUNKS * k->counters);
    if (l->m.failed) return;
    k->counts = lp_local(l->b, BZ_I32, k->counters, LP_SCRATCH);
    for (unsigned pass = 0; pass < k->passes; pass++) {
        count_chunk(k, pass, counts);
        add_up_chunks(k, counts);
        distribute_chunk(k, pass, counts);
    }
}

void sort_by_digits(sort_kernel *q) {
    radix k;
    set_up(&k, q);
    if (q->rows < CHUNKS && q->at.n >= LONG)
        radix_chunks(&k);
    else
        radix_rows(&k);
}
