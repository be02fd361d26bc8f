/* scan.c - what all that stands before comes to, along an axis:
 *
 *     x: [before, n, after] --down n--> y      chains of 128, and what stood before them (docs/numerics.md)
 *
 *     columns (after > 1)   a task owns a strip of columns of one `before`; a vector runs along them, both values are carried in registers
 *     lines (after = 1)     a block of a line is up to 8 chains, or of 8 lines one chain each: filled by vectors into local memory; gone
 *                           through side by side, so that no step waits for the one before it; what stood before is added by vectors
 *
 *         local   | chain 0     | chain 1     | ...          | what is computed of elements, and of results, is computed by vectors, too
 *                   s s s s ...   s s s s ...     a step: element j of every chain
 *
 * From the last element on (reverse) blocks lie in memory as ever and are gone through downwards. */
#include "src/passes/cpu/cpu.h"
#include "src/passes/forms/scan.h"

/* ---- columns */

static lp_val count_of(const scan_kernel *q) {
    return q->count ? q->count : lp_index(q->l->b, q->n);
}

/* One more element of the columns at c: gives what the chain comes to. */
static lp_val step(scan_kernel *q, lp_val i, lp_val c, unsigned lanes, lp_val mask, lp_val before,
                   lp_val chain) {
    emitter *m = &q->l->m;
    unsigned mark = emit_mark(m);
    emit_sym(m, q->i, scan_place(q, i));
    emit_vector(m, q->c, c, lanes, 1, mask);
    chain = scan_both(q, chain, scan_element(q));
    scan_store(q, scan_both(q, before, chain), 0);
    emit_forget(m, mark);
    emit_scalar(m);
    return chain;
}

/* Down the columns c .. c + lanes. */
static void columns(scan_kernel *q, lp_val c, unsigned lanes, lp_val mask) {
    lp_builder *b = q->l->b;
    lp_val n = count_of(q), before, chain;
    lp_val none = scan_start(q, lanes);
    lp_val start = lp_loop(b, LP_SERIAL, lp_index(b, 0), n, IR_CHAIN, &none, 1, &before);
    lp_val end = lp_imin(b, n, lp_iadd(b, start, lp_index(b, IR_CHAIN)));
    lp_val i = lp_loop(b, LP_SERIAL, start, end, 1, &none, 1, &chain);
    chain = step(q, i, c, lanes, mask, before, chain);
    lp_end(b, &chain, 1, &chain);
    before = scan_both(q, before, chain);
    lp_end(b, &before, 1, &before);
}

/* The strip of columns lo .. hi, of `size` unless it is the last: whole vectors, then what is left. */
static void strip(scan_kernel *q, lp_val lo, lp_val hi, int64_t size, unsigned lanes) {
    lower *l = q->l;
    lp_builder *b = l->b;
    const bool whole = q->after % size == 0 || lanes == 1;
    lp_val main_hi = hi;
    if (!whole) main_hi = lp_isub(b, hi, lp_imod(b, lp_isub(b, hi, lo), lp_index(b, lanes)));
    columns(q, lp_loop(b, LP_SERIAL, lo, main_hi, lanes, NULL, 0, NULL), lanes, 0);
    lp_end(b, NULL, 0, NULL);
    if (whole) return;
    unsigned n = l->t->masks ? lanes : 1;
    lp_val c = lp_loop(b, LP_SERIAL, main_hi, hi, n, NULL, 0, NULL);
    columns(q, c, n, n > 1 ? lower_tail_mask(l, lp_isub(b, hi, c), n) : 0);
    lp_end(b, NULL, 0, NULL);
}

static unsigned lanes_of(const scan_kernel *q) {
    const unsigned own = q->l->t->vector_bytes / (unsigned)ir_dtype_bytes(q->acc),
                   all = lower_lanes(q->l);
    return own < all ? own : all;
}

static void all_columns(scan_kernel *q) {
    lower *l = q->l;
    lp_builder *b = l->b;
    unsigned lanes = lanes_of(q);
    const int64_t size = l->t->machine->columns;
    while (lanes > 1 && (q->after < (int64_t)lanes || size < (int64_t)lanes)) lanes /= 2;
    const int64_t strips = (q->after + size - 1) / size;
    if (l->t->any_size) q->count = emit_extent(&l->m, "n", q->n);
    const lp_val all = emit_count(&l->m, "tasks", q->before * strips);
    lp_val task = lp_loop(b, LP_PARALLEL, lp_index(b, 0), all, 1, NULL, 0, NULL);
    lp_val o = lp_idiv(b, task, lp_index(b, strips));
    lp_val lo = lp_imul(b, lp_imod(b, task, lp_index(b, strips)), lp_index(b, size));
    emit_sym(&l->m, q->o, o);
    lp_val hi = lp_imin(b, lp_index(b, q->after), lp_iadd(b, lo, lp_index(b, size)));
    strip(q, lo, hi, size, lanes);
    lp_end(b, NULL, 0, NULL);
}

/* ---- lines */

enum { SIDE = 8 /* chains that are gone through side by side */ };

typedef struct block {
    scan_kernel *q;
    unsigned lanes, flags;
    int64_t chains; /* of a block */
    lp_val local;   /* their elements */
} block;

typedef void at_element(block *k, lp_val at, lp_val before);

/* For local[from .. to): vectors, then what is left. shift: the element of the line that local[0] is. */
static void each_vector(block *k, lp_val from, lp_val to, lp_val shift, at_element *body,
                        lp_val before) {
    lower *l = k->q->l;
    lp_builder *b = l->b;
    emitter *m = &l->m;
    const unsigned flags = k->flags;
    lp_val main_to = to;
    if (k->lanes > 1)
        main_to = lp_isub(b, to, lp_imod(b, lp_isub(b, to, from), lp_index(b, k->lanes)));
    for (unsigned tail = 0; tail < (k->lanes > 1 ? 2 : 1); tail++) {
        const unsigned n = tail && !l->t->masks ? 1 : k->lanes, mark = emit_mark(m);
        lp_val p =
            lp_loop(b, LP_SERIAL, tail ? main_to : from, tail ? to : main_to, n, NULL, 0, NULL);
        lp_val mask = tail && n > 1 ? lower_tail_mask(l, lp_isub(b, to, p), n) : 0;
        k->flags = tail ? 0 : flags;
        emit_vector(m, k->q->i, lp_iadd(b, shift, p), n, 1, mask);
        body(k, p, before);
        emit_forget(m, mark);
        emit_scalar(m);
        lp_end(b, NULL, 0, NULL);
    }
    k->flags = flags;
}

static void fill(block *k, lp_val at, lp_val none) {
    (void)none;
    lp_store(k->q->l->b, k->local, at, scan_element(k->q), k->q->l->m.tail, 0);
}

static void result(block *k, lp_val at, lp_val before) {
    lower *l = k->q->l;
    const lp_val s = lp_load(l->b, k->local, at, l->m.lanes, l->m.tail, 0);
    scan_store(k->q, scan_both(k->q, before, s), k->flags);
}

/* What is missing of a block. */
static void fill_up(block *k, lp_val from, lp_val to) {
    lp_builder *b = k->q->l->b;
    lp_val at = lp_loop(b, LP_SERIAL, from, to, 1, NULL, 0, NULL);
    lp_store(b, k->local, at, scan_start(k->q, 1), 0, 0);
    lp_end(b, NULL, 0, NULL);
}

/* Every chain through its `n` elements. first: where the first one begins; the next ones `apart`. */
static void go_through(block *k, int64_t n, lp_val first, int64_t apart) {
    scan_kernel *q = k->q;
    lp_builder *b = q->l->b;
    lp_val s[SIDE];
    const int64_t sign = q->reverse ? -1 : 1;
    const bool wide = q->way == IR_BY_LOG && k->chains == SIDE; /* long steps: a vector of chains */
    const unsigned each = wide ? 1 : (unsigned)k->chains, lanes = wide ? SIDE : 1;
    for (unsigned u = 0; u < each; u++) s[u] = scan_start(q, lanes);
    lp_val j = lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_index(b, n), 1, s, each, s);
    lp_val at = lp_iadd(b, first, lp_imul(b, j, lp_index(b, sign)));
    if (wide) {
        lp_val step[2] = {lp_laneid(b, BZ_I64, lanes),
                          lp_const(b, BZ_I64, (ir_bits)(sign * apart), lanes)};
        lp_val far[2] = {lp_base(b, IR_MUL, BZ_I64, step, 2), lp_splat(b, at, lanes)};
        at = lp_base(b, IR_ADD, BZ_I64, far, 2);
        s[0] = scan_both(q, s[0], lp_gather(b, k->local, at, 0));
        lp_scatter(b, k->local, at, s[0], 0);
    }
    for (unsigned u = 0; !wide && u < each; u++) {
        lp_val own = lp_iadd(b, at, lp_index(b, sign * apart * u));
        s[u] = scan_both(q, s[u], lp_load(b, k->local, own, 1, 0, 0));
        lp_store(b, k->local, own, s[u], 0, 0);
    }
    lp_end(b, s, each, s);
}

/* A block of one line from element `from` on, gone through: gives what stands before the next one. */
static lp_val block_of_line(block *k, lp_val from, lp_val before) {
    scan_kernel *q = k->q;
    lp_builder *b = q->l->b;
    const lp_val all = lp_index(b, k->chains * IR_CHAIN), zero = lp_index(b, 0),
                 size = lp_index(b, IR_CHAIN);
    const lp_val have = lp_imin(b, all, lp_isub(b, count_of(q), from));
    const lp_val missing = lp_isub(b, all, have);
    if (q->reverse) {
        const lp_val shift = lp_isub(b, lp_isub(b, count_of(q), from), all);
        each_vector(k, missing, all, shift, fill, 0);
        fill_up(k, zero, missing);
        go_through(k, IR_CHAIN, lp_isub(b, all, lp_index(b, 1)), IR_CHAIN);
        lp_val u = lp_loop(b, LP_SERIAL, zero, lp_index(b, k->chains), 1, &before, 1, &before);
        lp_val to = lp_isub(b, all, lp_imul(b, u, size)), low = lp_isub(b, to, size);
        lp_val total = lp_load(b, k->local, low, 1, 0, 0);
        each_vector(k, lp_imin(b, to, lp_imax(b, low, missing)), to, shift, result, before);
        before = scan_both(q, before, total);
    } else {
        each_vector(k, zero, have, from, fill, 0);
        fill_up(k, have, all);
        go_through(k, IR_CHAIN, zero, IR_CHAIN);
        lp_val u = lp_loop(b, LP_SERIAL, zero, lp_index(b, k->chains), 1, &before, 1, &before);
        lp_val low = lp_imul(b, u, size), to = lp_iadd(b, low, size);
        lp_val total = lp_load(b, k->local, lp_isub(b, to, lp_index(b, 1)), 1, 0, 0);
        each_vector(k, low, lp_imax(b, low, lp_imin(b, to, have)), from, result, before);
        before = scan_both(q, before, total);
    }
    lp_end(b, &before, 1, &before);
    return before;
}

/* Lines of several chains. */
static void long_lines(block *k) {
    scan_kernel *q = k->q;
    lower *l = q->l;
    lp_builder *b = l->b;
    const int64_t chains = (q->n + IR_CHAIN - 1) / IR_CHAIN, blocks = (chains + SIDE - 1) / SIDE;
    k->chains = (chains + blocks - 1) / blocks;
    if (q->way == IR_BY_LOG && chains >= SIDE) k->chains = SIDE;
    const int64_t size = k->chains * IR_CHAIN;
    k->local = lp_local(b, q->acc, size, LP_SCRATCH);
    const bool any = l->t->any_size;
    const lp_val rows = emit_extent(&l->m, "rows", q->before);
    if (any) q->count = emit_extent(&l->m, "n", q->n);
    emit_sym(&l->m, q->o, lower_open_rows(l, rows, any ? l->t->machine->task : q->n));
    lp_val before = scan_start(q, 1);
    lp_val from = lp_loop(b, LP_SERIAL, lp_index(b, 0), count_of(q), size, &before, 1, &before);
    before = block_of_line(k, from, before);
    lp_end(b, &before, 1, &before);
    lower_close_rows(l);
}

/* Lines of one chain, SIDE at a time. */
static void short_lines(block *k) {
    scan_kernel *q = k->q;
    lower *l = q->l;
    lp_builder *b = l->b;
    const lp_val rows = emit_extent(&l->m, "rows", q->before), side = lp_index(b, SIDE),
                 zero = lp_index(b, 0), n = lp_index(b, q->n), all = lp_index(b, SIDE * q->n);
    k->chains = SIDE;
    k->local = lp_local(b, q->acc, SIDE * q->n, LP_SCRATCH);
    lp_val group = lower_open_rows(l, lower_cover(b, rows, side), SIDE * q->n);
    lp_val first = lp_imul(b, group, side), count = lp_imin(b, side, lp_isub(b, rows, first));
    for (int store = 0; store < 2; store++) {
        if (store) {
            fill_up(k, lp_imul(b, count, n), all);
            go_through(k, q->n, q->reverse ? lp_isub(b, all, lp_index(b, 1)) : zero, q->n);
        }
        unsigned mark = emit_mark(&l->m);
        lp_val u = lp_loop(b, LP_SERIAL, zero, count, 1, NULL, 0, NULL);
        lp_val low = lp_imul(b, u, n);
        emit_sym(&l->m, q->o, lp_iadd(b, first, u));
        each_vector(k, low, lp_iadd(b, low, n), lp_isub(b, zero, low), store ? result : fill,
                    store ? scan_start(q, 1) : 0);
        lp_end(b, NULL, 0, NULL);
        emit_forget(&l->m, mark);
    }
    lower_close_rows(l);
}

bool lower_scan(lower *l) {
    scan_kernel q;
    scan_begin(&q, l);
    if (q.after > 1) {
        all_columns(&q);
        return !l->m.failed;
    }
    block k = {.q = &q, .lanes = lanes_of(&q)};
    while (k.lanes > 1 && q.n < (int64_t)k.lanes) k.lanes /= 2;
    if (q.n > IR_CHAIN) {
        k.flags = lower_stream_flags(l, q.n);
        long_lines(&k);
    } else {
        short_lines(&k);
    }
    return !l->m.failed;
}
