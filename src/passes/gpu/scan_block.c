/* scan_block.c - scans along an axis by many threads: a chain of 128 elements (docs/numerics.md) is a thread's, whatever stands before it. Sums
 * stand for whatever else elements are combined by.
 *
 *     a line:   | chain 0: s s s ... | chain 1: s s s ... | ...        s, the sum within the chain: a thread each, at once
 *                -0                   c = -0 + s           ...         c, what stood before the chain: one thread, 128 times fewer additions
 *                 y = c + s            y = c + s
 *
 *     lines along the last axis, of a block's chains or fewer:   one phase: elements are read and written side by side, chains are gone
 *                                                                through in shared memory, where none begins in another's bank
 *     longer ones, and along other axes if lines are few:        a phase for the sums of chains, one for c, one for the results
 *
 * Along another axis neighbours in memory are elements of neighbouring lines, so that threads read them side by side without that. */
#include "src/passes/forms/scan.h"
#include "src/passes/gpu/gpu.h"

enum {
    THREADS = GPU_WARP * GPU_WARPS,
    SHARED = 34 << 10, /* bytes of a block */
    AT_ONCE = 8,       /* elements of a chain that are read at once */
    ENOUGH = 1 << 12   /* lines that keep a GPU busy, a thread each */
};

typedef struct blocks {
    scan_kernel q;
    int64_t lines, chains; /* of a line */
    int64_t pitch,
        most; /* of chains in shared memory: elements from one to the next; how many of a block */
    lp_val sums; /* of chains, then what stood before them: those of a line `sum_step` apart */
    int64_t line_step, sum_step;
    unsigned lanes; /* elements along a line that are accessed at once */
    lp_val aligned; /* do the pointers allow that? 0: surely */
    lp_val shared, carry, thread, before;
} blocks;

static lp_val less(lp_builder *b, lp_val x, lp_val y) {
    return lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){x, y}, 2);
}

/* ---- elements */

/* Makes `line` the one at hand. */
static void enter_line(blocks *k, lp_val line) {
    scan_kernel *q = &k->q;
    lp_builder *b = q->l->b;
    const lp_val after = lp_index(b, q->after);
    const lp_val o = lp_idiv(b, line, after), c = lp_isub(b, line, lp_imul(b, o, after));
    emit_sym(&q->l->m, q->o, o);
    emit_sym(&q->l->m, q->c, c);
}

/* Makes the `lanes` elements from number i on those at hand. */
static void enter_elements(blocks *k, lp_val i, unsigned lanes) {
    scan_kernel *q = &k->q;
    if (lanes > 1)
        emit_vector(&q->l->m, q->i, i, lanes, 1, 0);
    else
        emit_sym(&q->l->m, q->i, scan_place(q, i));
}

static lp_val elements(blocks *k, lp_val i, unsigned lanes) {
    emitter *m = &k->q.l->m;
    const unsigned mark = emit_mark(m);
    enter_elements(k, i, lanes);
    const lp_val v = scan_element(&k->q);
    emit_forget(m, mark);
    emit_scalar(m);
    return v;
}

/* As many as s has. */
static void store(blocks *k, lp_val i, lp_val before, lp_val s, unsigned lanes) {
    emitter *m = &k->q.l->m;
    const unsigned mark = emit_mark(m);
    enter_elements(k, i, lanes);
    scan_store(&k->q, scan_both(&k->q, before, s), 0);
    emit_forget(m, mark);
    emit_scalar(m);
}

/* ---- chains */

/* The chain's sum behind some elements from i on. */
typedef lp_val chain_step(void *ctx, lp_val i, lp_val s);

/* Elements from .. to of the chain, `each` a step, `at_once` steps a turn. */
static lp_val turns(blocks *k, lp_val from, lp_val to, unsigned each, unsigned at_once,
                    chain_step *step, void *ctx, lp_val s) {
    lp_builder *b = k->q.l->b;
    lp_val i = lp_loop(b, LP_SERIAL, from, to, (int64_t)each * at_once, &s, 1, &s);
    if (at_once > 1) {
        lp_val u = lp_loop(b, LP_UNROLLED, lp_index(b, 0), lp_index(b, at_once), 1, &s, 1, &s);
        i = lp_iadd(b, i, lp_imul(b, u, lp_index(b, each)));
    }
    s = step(ctx, i, s);
    if (at_once > 1) lp_end(b, &s, 1, &s);
    lp_end(b, &s, 1, &s);
    return s;
}

/* The sum of elements from .. to, a multiple of `each`. */
static lp_val chain(blocks *k, lp_val from, lp_val to, unsigned each, chain_step *step, void *ctx) {
    lp_builder *b = k->q.l->b;
    const lp_val turn = lp_index(b, (int64_t)each * AT_ONCE);
    const lp_val many = lp_isub(b, to, lp_imod(b, lp_isub(b, to, from), turn));
    const lp_val s = turns(k, from, many, each, AT_ONCE, step, ctx, scan_start(&k->q, 1));
    return turns(k, many, to, each, 1, step, ctx, s);
}

/* What stands before each of `count` chains, in the place of their sums, `step` apart. */
static void carry_on(blocks *k, lp_val sums, lp_val at, lp_val count, int64_t step) {
    lp_builder *b = k->q.l->b;
    lp_val before = scan_start(&k->q, 1);
    const lp_val j = lp_loop(b, LP_SERIAL, lp_index(b, 0), count, 1, &before, 1, &before);
    const lp_val place = lp_iadd(b, at, lp_imul(b, j, lp_index(b, step)));
    const lp_val s = lp_load(b, sums, place, 1, 0, 0);
    lp_store(b, sums, place, before, 0, 0);
    before = scan_both(&k->q, before, s);
    lp_end(b, &before, 1, &before);
}

/* ---- along the last axis, through shared memory */

static void open_block(blocks *k, lp_val tasks, lp_val *task) {
    lp_builder *b = k->q.l->b;
    *task = lp_loop(b, LP_PARALLEL, lp_index(b, 0), tasks, 1, NULL, 0, NULL);
    k->shared = lp_local(b, k->q.acc, k->most * k->pitch, LP_SHARED);
    k->carry = lp_local(b, k->q.acc, k->most, LP_SHARED);
    k->thread = lp_loop(b, LP_BLOCK, lp_index(b, 0), lp_index(b, THREADS), 1, NULL, 0, NULL);
}

static void close_block(blocks *k) {
    lp_end(k->q.l->b, NULL, 0, NULL);
    lp_end(k->q.l->b, NULL, 0, NULL);
}

/* Of the chains of all lines, those of a block, and the elements that these have, counted through all lines. */
typedef struct stretch {
    lp_val chain, chains; /* the first, and how many */
    lp_val from, to;      /* elements */
} stretch;

/* Element number `chain` * 128 of its line, counted through all lines. */
static lp_val begins(const blocks *k, lp_val chain) {
    lp_builder *b = k->q.l->b;
    const lp_val all = lp_index(b, k->chains), line = lp_idiv(b, chain, all);
    const lp_val in = lp_imul(b, lp_isub(b, chain, lp_imul(b, line, all)), lp_index(b, IR_CHAIN));
    return lp_iadd(b, lp_imul(b, line, lp_index(b, k->q.n)), in);
}

/* Chains of block number `task`, `each` for all but the last one. */
static stretch stretch_of(const blocks *k, lp_val task, int64_t each) {
    lp_builder *b = k->q.l->b;
    const lp_val some = lp_index(b, each), all = lp_index(b, k->lines * k->chains);
    stretch s = {.chain = lp_imul(b, task, some)};
    s.chains = lp_imin(b, some, lp_isub(b, all, s.chain));
    s.from = begins(k, s.chain);
    s.to = begins(k, lp_iadd(b, s.chain, s.chains));
    return s;
}

typedef struct place {
    lp_val line, i, at; /* element i of a line; where it waits */
    lp_val chain;       /* of the block */
} place;

/* Opens the loop over the stretch's elements, k->lanes from p.i on: a thread for each of these. */
static place open_elements(const blocks *k, const stretch *s) {
    lp_builder *b = k->q.l->b;
    const lp_val n = lp_index(b, k->q.n), size = lp_index(b, IR_CHAIN);
    const lp_val first = lp_iadd(b, s->from, lp_imul(b, k->thread, lp_index(b, k->lanes)));
    const lp_val e = lp_loop(b, LP_SERIAL, first, s->to, THREADS * k->lanes, NULL, 0, NULL);
    place p = {.line = lp_idiv(b, e, n)};
    p.i = lp_isub(b, e, lp_imul(b, p.line, n));
    const lp_val in_line = lp_idiv(b, p.i, size);
    p.chain = lp_isub(b, lp_iadd(b, lp_imul(b, p.line, lp_index(b, k->chains)), in_line), s->chain);
    const lp_val in = lp_isub(b, p.i, lp_imul(b, in_line, size));
    p.at = lp_iadd(b, lp_imul(b, p.chain, lp_index(b, k->pitch)), in);
    return p;
}

/* Vectors are accessed as such where the pointers allow it: `body` is emitted for these, and for others. */
static void either_way(blocks *k, const stretch *s, void (*body)(blocks *k, const stretch *s)) {
    lp_builder *b = k->q.l->b;
    k->q.l->m.aligned = k->lanes > 1;
    if (k->aligned) lp_if(b, k->aligned);
    body(k, s);
    k->q.l->m.aligned = false;
    if (!k->aligned) return;
    lp_else(b, NULL, 0);
    body(k, s);
    lp_end(b, NULL, 0, NULL);
}

static void fill_some(blocks *k, const stretch *s) {
    lp_builder *b = k->q.l->b;
    const unsigned mark = emit_mark(&k->q.l->m);
    const place p = open_elements(k, s);
    enter_line(k, p.line);
    lp_store(b, k->shared, p.at, elements(k, p.i, k->lanes), 0, LP_ALIGNED);
    lp_end(b, NULL, 0, NULL);
    emit_forget(&k->q.l->m, mark);
}

static void fill(blocks *k, const stretch *s) {
    either_way(k, s, fill_some);
    lp_barrier(k->q.l->b);
}

static lp_val sum_in_place(void *ctx, lp_val at, lp_val s) {
    blocks *k = ctx;
    lp_builder *b = k->q.l->b;
    lp_val v = lp_load(b, k->shared, at, k->lanes, 0, LP_ALIGNED);
    for (unsigned i = 0; i < k->lanes; i++) {
        s = scan_both(&k->q, s, k->lanes > 1 ? lp_extract(b, v, i) : v);
        v = k->lanes > 1 ? lp_insert(b, v, s, i) : s;
    }
    lp_store(b, k->shared, at, v, 0, LP_ALIGNED);
    return s;
}

/* A thread goes through each chain; `sums`, from `first` on, gets theirs. */
static void add_up(blocks *k, const stretch *s, lp_val sums, lp_val first) {
    lp_builder *b = k->q.l->b;
    lp_if(b, less(b, k->thread, s->chains));
    const lp_val own = lp_iadd(b, s->chain, k->thread),
                 at = lp_imul(b, k->thread, lp_index(b, k->pitch));
    const lp_val length = lp_isub(b, begins(k, lp_iadd(b, own, lp_index(b, 1))), begins(k, own));
    const lp_val sum = chain(k, at, lp_iadd(b, at, length), k->lanes, sum_in_place, k);
    lp_store(b, sums, lp_iadd(b, first, k->thread), sum, 0, 0);
    lp_end(b, NULL, 0, NULL);
    lp_barrier(b);
}

static void some_results(blocks *k, const stretch *s) {
    lp_builder *b = k->q.l->b;
    const unsigned mark = emit_mark(&k->q.l->m);
    const place p = open_elements(k, s);
    enter_line(k, p.line);
    const lp_val at = k->before == k->sums ? lp_iadd(b, s->chain, p.chain) : p.chain;
    const lp_val c = lp_load(b, k->before, at, 1, 0, 0);
    store(k, p.i, c, lp_load(b, k->shared, p.at, k->lanes, 0, LP_ALIGNED), k->lanes);
    lp_end(b, NULL, 0, NULL);
    emit_forget(&k->q.l->m, mark);
}

/* before: what stood before each chain of the block, or, k->sums, before each of all. */
static void results(blocks *k, const stretch *s, lp_val before) {
    k->before = before;
    either_way(k, s, some_results);
}

/* Whole lines in a block. */
static void short_lines(blocks *k) {
    lp_builder *b = k->q.l->b;
    const int64_t lines = k->most / k->chains, each = lines * k->chains;
    const lp_val zero = lp_index(b, 0), per = lp_index(b, k->chains);
    lp_val task;
    open_block(k, lp_index(b, (k->lines + lines - 1) / lines), &task);
    const stretch s = stretch_of(k, task, each);
    fill(k, &s);
    add_up(k, &s, k->carry, zero);
    lp_if(b, less(b, k->thread, lp_idiv(b, s.chains, per)));
    carry_on(k, k->carry, lp_imul(b, k->thread, per), per, 1);
    lp_end(b, NULL, 0, NULL);
    lp_barrier(b);
    results(k, &s, k->carry);
    close_block(k);
}

/* ---- in three phases */

static void carry_lines(blocks *k) {
    lp_builder *b = k->q.l->b;
    const lp_val line =
        lp_loop(b, LP_PARALLEL, lp_index(b, 0), lp_index(b, k->lines), 1, NULL, 0, NULL);
    carry_on(k, k->sums, lp_imul(b, line, lp_index(b, k->line_step)), lp_index(b, k->chains),
             k->sum_step);
    lp_end(b, NULL, 0, NULL);
}

/* A phase through shared memory: the sums of chains, or, these having become what stood before, the results. */
static void blocks_phase(blocks *k, bool last) {
    lp_val task;
    open_block(k, lp_index(k->q.l->b, (k->lines * k->chains + k->most - 1) / k->most), &task);
    const stretch s = stretch_of(k, task, k->most);
    fill(k, &s);
    add_up(k, &s, last ? k->carry : k->sums, last ? lp_index(k->q.l->b, 0) : s.chain);
    if (last) results(k, &s, k->sums);
    close_block(k);
}

typedef struct column {
    blocks *k;
    lp_val before; /* 0: nothing is stored */
} column;

static lp_val sum_column(void *ctx, lp_val i, lp_val s) {
    column *c = ctx;
    s = scan_both(&c->k->q, s, elements(c->k, i, 1));
    if (c->before) store(c->k, i, c->before, s, 1);
    return s;
}

/* The same, a task a chain: neighbours go through neighbouring lines. */
static void columns_phase(blocks *k, bool last) {
    lp_builder *b = k->q.l->b;
    const lp_val lines = lp_index(b, k->lines), size = lp_index(b, IR_CHAIN);
    const unsigned mark = emit_mark(&k->q.l->m);
    const lp_val t = lp_loop(b, LP_PARALLEL, lp_index(b, 0), lp_index(b, k->lines * k->chains), 1,
                             NULL, 0, NULL);
    const lp_val j = lp_idiv(b, t, lines), from = lp_imul(b, j, size);
    column c = {.k = k};
    enter_line(k, lp_isub(b, t, lp_imul(b, j, lines)));
    if (last) c.before = lp_load(b, k->sums, t, 1, 0, 0);
    const lp_val to = lp_imin(b, lp_index(b, k->q.n), lp_iadd(b, from, size));
    const lp_val s = chain(k, from, to, 1, sum_column, &c);
    if (!last) lp_store(b, k->sums, t, s, 0, 0);
    lp_end(b, NULL, 0, NULL);
    emit_forget(&k->q.l->m, mark);
}

/* Lines of one chain, or enough of them: a task goes down a whole one. */
static void whole_columns(blocks *k) {
    lp_builder *b = k->q.l->b;
    const lp_val n = lp_index(b, k->q.n), size = lp_index(b, IR_CHAIN);
    const unsigned mark = emit_mark(&k->q.l->m);
    column c = {.k = k};
    const lp_val line =
        lp_loop(b, LP_PARALLEL, lp_index(b, 0), lp_index(b, k->lines), 1, NULL, 0, NULL);
    enter_line(k, line);
    c.before = scan_start(&k->q, 1);
    const lp_val from = lp_loop(b, LP_SERIAL, lp_index(b, 0), n, IR_CHAIN, &c.before, 1, &c.before);
    const lp_val s = chain(k, from, lp_imin(b, n, lp_iadd(b, from, size)), 1, sum_column, &c);
    lp_val before = scan_both(&k->q, c.before, s);
    lp_end(b, &before, 1, &before);
    lp_end(b, NULL, 0, NULL);
    emit_forget(&k->q.l->m, mark);
}

/* ---- choices */

static void choose(blocks *k) {
    const scan_kernel *q = &k->q;
    const int64_t bytes = (int64_t)ir_dtype_bytes(q->acc);
    const int64_t longest = q->n < IR_CHAIN ? q->n : IR_CHAIN;
    k->lines = q->before * q->after;
    k->chains = (q->n + IR_CHAIN - 1) / IR_CHAIN;
    k->lanes = q->after > 1 || q->reverse ? 1 : lower_lanes(q->l);
    while (q->n % k->lanes) k->lanes /= 2;
    k->pitch = (longest / k->lanes | 1) *
               k->lanes; /* an odd number of vectors: none begins in another's banks */
    k->most = THREADS;
    while (k->most * (k->pitch + 1) * bytes > SHARED) k->most /= 2;
    k->line_step = q->after > 1 ? 1 : k->chains;
    k->sum_step = q->after > 1 ? k->lines : 1;
}

bool lower_scan_block(lower *l) {
    blocks k = {0};
    scan_begin(&k.q, l);
    choose(&k);
    k.aligned = k.lanes > 1 ? gpu_aligned(l, k.lanes) : 0;
    const bool columns = k.q.after > 1;
    if (columns && (k.chains == 1 || k.lines >= ENOUGH)) {
        whole_columns(&k);
        return !l->m.failed;
    }
    if (!columns && k.chains <= k.most) {
        short_lines(&k);
        return !l->m.failed;
    }
    k.sums = lower_work(l, k.q.acc, k.lines * k.chains);
    (columns ? columns_phase : blocks_phase)(&k, false);
    carry_lines(&k);
    (columns ? columns_phase : blocks_phase)(&k, true);
    return !l->m.failed;
}
