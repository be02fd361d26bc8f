/* topk_block.c - the first elements of a row in order, and one of them, by a block of threads a row: without sorting it.
 *
 *     keys       every 256th is one thread's own, in shared memory where all fit; of the largest, rows are gone through from the end (topk_key)
 *     limit      the key with the wanted number, bit by bit: how many are less than the bits so far and this one make?
 *     place      the same over the places of the elements with that key
 *     topk       what each thread has below is counted, and put behind what threads before it have; each then finds its place by comparing
 *
 * Nothing hangs on who comes first. */
#include "src/passes/cpu/sort.h"
#include "src/passes/gpu/gpu.h"

enum {
    THREADS = GPU_WARP * GPU_WARPS,
    LEAST = 1 << 10, /* elements of a row: fewer are sorted in shared memory as fast */
    MOST = 1 << 9,   /* wanted elements that find their places by comparing */
    NEAR = 32 << 10, /* bytes of keys in shared memory */
    LONG =
        1
        << 16, /* elements of a row for which one block is not enough, unless there are FEW rows or more */
    FEW = 64
};

typedef struct picking {
    sort_kernel q;
    lp_builder *b;
    ir_ex idx[IR_MAX_RANK], p;
    bz_dtype key;
    unsigned bits;
    lp_val keys, slots;    /* shared: keys of the row, or 0; a number of each thread */
    lp_val chosen, places; /* shared, of topk */
    lp_val n, thread, base;
} picking;

static lp_val is(const picking *k, ir_op op, lp_val x, lp_val y) {
    return lp_base(k->b, op, BZ_BOOL, (lp_val[]){x, y}, 2);
}

static lp_val choose(const picking *k, bz_dtype t, lp_val c, lp_val x, lp_val y) {
    return lp_base(k->b, IR_SELECT, t, (lp_val[]){c, x, y}, 3);
}

static lp_val one_if(const picking *k, lp_val c) {
    return choose(k, BZ_I64, c, lp_index(k->b, 1), lp_index(k->b, 0));
}

/* ---- elements: `p` is one's place as the row is gone through */

static lp_val element(picking *k, lp_val p) {
    emitter *m = &k->q.l->m;
    const unsigned mark = emit_mark(m);
    emit_sym(m, k->p, p);
    const lp_val x = emit_node(m, k->q.x, k->idx).v[0];
    emit_forget(m, mark);
    return x;
}

static lp_val key_at(picking *k, lp_val p) {
    return k->keys ? lp_load(k->b, k->keys, p, 1, 0, 0) : topk_key(&k->q, element(k, p));
}

static void store_element(picking *k, lp_val to, lp_val p) {
    lp_builder *b = k->b;
    const lp_val at = lp_iadd(b, k->base, lp_imul(b, to, lp_index(b, k->q.at.after)));
    if (k->q.values) lp_store(b, k->q.values, at, element(k, p), 0, 0);
    if (k->q.back) p = lp_isub(b, lp_index(b, k->q.at.n - 1), p);
    if (k->q.indices) lp_store(b, k->q.indices, at, p, 0, 0);
}

/* ---- numbers of the block; all threads come here */

/* The sum of x over all threads. */
static lp_val total(const picking *k, lp_val x) {
    lp_builder *b = k->b;
    const lp_val warp = lp_index(b, GPU_WARP);
    for (unsigned far = GPU_WARP / 2; far > 0; far /= 2)
        x = lp_iadd(b, x, lp_warp_shuffle(b, x, far));
    lp_if(b, is(k, IR_EQ, lp_imod(b, k->thread, warp), lp_index(b, 0)));
    lp_store(b, k->slots, lp_idiv(b, k->thread, warp), x, 0, 0);
    lp_end(b, NULL, 0, NULL);
    lp_barrier(b);
    x = lp_load(b, k->slots, lp_index(b, 0), 1, 0, 0);
    for (int64_t w = 1; w < GPU_WARPS; w++)
        x = lp_iadd(b, x, lp_load(b, k->slots, lp_index(b, w), 1, 0, 0));
    lp_barrier(b);
    return x;
}

/* The sum of x over the threads before this one. */
static lp_val before(const picking *k, lp_val x) {
    lp_builder *b = k->b;
    lp_val sum = lp_index(b, 0);
    lp_store(b, k->slots, k->thread, x, 0, 0);
    lp_barrier(b);
    const lp_val j = lp_loop(b, LP_SERIAL, lp_index(b, 0), k->thread, 1, &sum, 1, &sum);
    sum = lp_iadd(b, sum, lp_load(b, k->slots, j, 1, 0, 0));
    lp_end(b, &sum, 1, &sum);
    return sum;
}

/* ---- the limit */

typedef struct limit {
    lp_val key, place; /* of the element with the wanted number */
} limit;

/* What stands at number `rank` of the keys, or of the places of keys that are `equal` (0: of keys), by its `bits` bits from `lowest`
 * on; *less: how many are less. */
static lp_val find(picking *k, lp_val equal, bz_dtype t, unsigned bits, lp_val lowest, lp_val rank,
                   lp_val *less) {
    lp_builder *b = k->b;
    const lp_val zero = lp_index(b, 0), one = lp_const(b, t, 1, 1),
                 first = lp_const(b, t, UINT64_C(1) << (bits - 1), 1);
    lp_val now[3] = {lowest, first, zero};
    lp_loop(b, LP_SERIAL, zero, lp_index(b, bits), 1, now, 3, now);
    const lp_val with = lp_base(b, IR_XOR, t, (lp_val[]){now[0], now[1]}, 2);
    lp_val count = zero;
    const lp_val p = lp_loop(b, LP_SERIAL, k->thread, k->n, THREADS, &count, 1, &count),
                 key = key_at(k, p);
    const lp_val in = equal ? is(k, IR_AND, is(k, IR_EQ, key, equal), is(k, IR_LT, p, with))
                            : is(k, IR_LT, key, with);
    count = lp_iadd(b, count, one_if(k, in));
    lp_end(b, &count, 1, &count);
    count = total(k, count);
    const lp_val low = is(k, IR_LT, rank, count);
    now[0] = choose(k, t, low, now[0], with);
    now[1] = lp_base(b, IR_LSHR, t, (lp_val[]){now[1], one}, 2);
    now[2] = choose(k, BZ_I64, low, now[2], count);
    lp_end(b, now, 3, now);
    *less = now[2];
    return now[0];
}

static limit find_limit(picking *k, int64_t rank) {
    lp_builder *b = k->b;
    unsigned bits = 1;
    lp_val less, none;
    limit m;
    while (INT64_C(1) << bits < k->q.at.n) bits++;
    const uint64_t sign = UINT64_C(1) << (k->bits - 1);
    m.key = find(k, 0, k->key, k->bits, lp_const(b, k->key, sign, 1), lp_index(b, rank), &less);
    m.place =
        find(k, m.key, BZ_I64, bits, lp_index(b, 0), lp_isub(b, lp_index(b, rank), less), &none);
    return m;
}

/* ---- topk */

static lp_val is_in(const picking *k, const limit *m, lp_val key, lp_val p) {
    const lp_val tie = is(k, IR_AND, is(k, IR_EQ, key, m->key), is(k, IR_LE, p, m->place));
    return is(k, IR_OR, is(k, IR_LT, key, m->key), tie);
}

/* The wanted elements, in any order that hangs on their places alone. */
static void collect(picking *k, const limit *m) {
    lp_builder *b = k->b;
    lp_val count = lp_index(b, 0);
    lp_val p = lp_loop(b, LP_SERIAL, k->thread, k->n, THREADS, &count, 1, &count);
    count = lp_iadd(b, count, one_if(k, is_in(k, m, key_at(k, p), p)));
    lp_end(b, &count, 1, &count);
    lp_val at = before(k, count);
    p = lp_loop(b, LP_SERIAL, k->thread, k->n, THREADS, &at, 1, &at);
    const lp_val key = key_at(k, p), in = is_in(k, m, key, p);
    lp_if(b, in);
    lp_store(b, k->chosen, at, key, 0, 0);
    lp_store(b, k->places, at, p, 0, 0);
    lp_end(b, NULL, 0, NULL);
    at = lp_iadd(b, at, one_if(k, in));
    lp_end(b, &at, 1, &at);
    lp_barrier(b);
}

static void store_chosen(picking *k) {
    lp_builder *b = k->b;
    const lp_val many = lp_index(b, k->q.kept);
    const lp_val e = lp_loop(b, LP_SERIAL, k->thread, many, THREADS, NULL, 0, NULL);
    const lp_val own = lp_load(b, k->chosen, e, 1, 0, 0), p = lp_load(b, k->places, e, 1, 0, 0);
    lp_val to = lp_index(b, 0);
    const lp_val j = lp_loop(b, LP_SERIAL, lp_index(b, 0), many, 1, &to, 1, &to);
    const lp_val key = lp_load(b, k->chosen, j, 1, 0, 0), place = lp_load(b, k->places, j, 1, 0, 0);
    const lp_val tie = is(k, IR_AND, is(k, IR_EQ, key, own), is(k, IR_LT, place, p));
    to = lp_iadd(b, to, one_if(k, is(k, IR_OR, is(k, IR_LT, key, own), tie)));
    lp_end(b, &to, 1, &to);
    store_element(k, to, p);
    lp_end(b, NULL, 0, NULL);
}

/* ---- blocks */

static void take_keys(picking *k) {
    lp_builder *b = k->b;
    const lp_val keys = k->keys;
    const lp_val p = lp_loop(b, LP_SERIAL, k->thread, k->n, THREADS, NULL, 0, NULL);
    k->keys = 0;
    lp_store(b, keys, p, key_at(k, p), 0, 0); /* read by this thread alone */
    k->keys = keys;
    lp_end(b, NULL, 0, NULL);
}

static void pick(picking *k, bool several) {
    lp_builder *b = k->b;
    const int64_t n = k->q.at.n;
    const lp_val row =
        lp_loop(b, LP_PARALLEL, lp_index(b, 0), lp_index(b, k->q.rows), 1, NULL, 0, NULL);
    const unsigned mark = emit_mark(&k->q.l->m);
    k->slots = lp_local(b, BZ_I64, THREADS, LP_SHARED);
    if (n * (int64_t)(k->bits / 8) <= NEAR) k->keys = lp_local(b, k->key, n, LP_SHARED);
    if (several) {
        k->chosen = lp_local(b, k->key, k->q.kept, LP_SHARED);
        k->places = lp_local(b, BZ_I64, k->q.kept, LP_SHARED);
    }
    k->thread = lp_loop(b, LP_BLOCK, lp_index(b, 0), lp_index(b, THREADS), 1, NULL, 0, NULL);
    k->base = sort_enter_row(&k->q, row);
    if (k->keys) take_keys(k);
    const limit m = find_limit(k, several ? k->q.kept - 1 : k->q.from);
    if (several) {
        collect(k, &m);
        store_chosen(k);
    } else {
        lp_if(b, is(k, IR_EQ, k->thread, lp_index(b, 0)));
        store_element(k, lp_index(b, 0), m.place);
        lp_end(b, NULL, 0, NULL);
    }
    emit_forget(&k->q.l->m, mark);
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
}

bool lower_topk_block(lower *l) {
    picking k = {.b = l->b};
    const bool several = ir_at(l->g, l->group->head)->op == IR_TOPK;
    sort_begin(&k.q, l);
    const int64_t n = k.q.at.n, rows = k.q.rows, kept = k.q.kept;
    if (n < LEAST || n >= INT32_MAX || kept == 0 || kept > MOST || kept > n / 2 ||
        (n > LONG && rows < FEW))
        return lower_sort_block(l);
    k.bits = ir_dtype_bytes(k.q.t) == 8 ? 64 : 32;
    k.key = k.bits == 64 ? BZ_I64 : BZ_I32;
    k.n = lp_index(l->b, n);
    k.p = topk_index(&k.q, k.idx);
    pick(&k, several);
    return !l->m.failed;
}
