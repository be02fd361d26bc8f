/* topk.c - the first elements of a sorted row, and one of them, without sorting it.
 *
 *     keys      signed numbers in the order of the elements, a vector at a time; of the largest all is turned round: keys with all bits
 *               flipped, the row from its end to its beginning, so that the wanted ones are always the smallest, of equal ones the first
 *
 *     topk      | the first elements of the row | ---- those below the limit are added ---->|      a full buffer is narrowed to its k smallest,
 *                \__ narrowed to k: a limit        buffer: keys and places                          whose largest is the limit from then on
 *
 *     kthvalue  all keys, halved by the bits of the result from the highest on: how many lie below decides a bit; what lies in the other
 *               part goes when it is more than half
 *
 * Values are read once more where they are stored: a zero keeps its sign, a NaN its bits. */
#include "src/passes/cpu/sort.h"

#include "src/ir/loops/facts.h"

#include <string.h>

enum {
    UNROLL = 4,    /* vectors that are looked at together */
    MANY = 16,     /* one of so many elements is wanted: else sorting is as good */
    COUNTED = 64,  /* wanted elements that find their places by comparing with all others */
    FIRST = 128,   /* elements in the buffer before there is a limit, at least */
    NEAR = 1 << 20 /* bytes that a thread keeps for itself */
};

typedef struct selection {
    sort_kernel q;
    lp_builder *b;
    ir_ex idx[IR_MAX_RANK], p; /* of element p of the row, as it is gone through */
    bz_dtype key;
    unsigned bits, lanes;
    int64_t block,
        room; /* elements of UNROLL vectors; of a half of the buffer, and as many as a block behind it */
    lp_val keys, places;
    lp_val base; /* of the row at hand in the results */
} selection;

static lp_val two(const selection *s, ir_op op, lp_val x, lp_val y) {
    return lp_base(s->b, op, s->key, (lp_val[]){x, y}, 2);
}

static lp_val is(const selection *s, ir_op op, lp_val x, lp_val y) {
    return lp_base(s->b, op, BZ_BOOL, (lp_val[]){x, y}, 2);
}

static lp_val choose(const selection *s, bz_dtype t, lp_val cond, lp_val x, lp_val y) {
    return lp_base(s->b, IR_SELECT, t, (lp_val[]){cond, x, y}, 3);
}

static lp_val number(const selection *s, uint64_t v) {
    return lp_const(s->b, s->key, s->bits == 32 ? (uint32_t)v : v, 1);
}

static lp_val index_of(const selection *s, lp_val x) {
    return emit_cast(s->b, BZ_I64, s->key, x);
}

static lp_val highest(const selection *s) {
    return number(s, (UINT64_C(1) << (s->bits - 1)) - 1);
}

static bool set_up(selection *s, lower *l) {
    *s = (selection){.b = l->b};
    sort_begin(&s->q, l);
    const int64_t n = s->q.at.n;
    if (!sort_is_long(&s->q)) return false;
    s->bits = ir_dtype_bytes(s->q.t) == 8 ? 64 : 32;
    s->key = s->bits == 64 ? BZ_I64 : BZ_I32;
    s->lanes = l->t->vector_bytes / (s->bits / 8);
    s->block = (int64_t)s->lanes * UNROLL;
    s->p = topk_index(&s->q, s->idx);
    return s->lanes > 1 && s->block < n;
}

/* ---- keys */

lp_val topk_key(const sort_kernel *q, lp_val x) {
    lp_builder *b = q->l->b;
    const bool wide = ir_dtype_bytes(q->t) == 8;
    const bz_dtype key = wide ? BZ_I64 : BZ_I32;
    if (ir_is_float(q->t)) {
        const uint64_t infinity = wide ? UINT64_C(0x7ff) << 52 : UINT64_C(0xff) << 23,
                       rest = wide ? INT64_MAX : INT32_MAX;
        const lp_val top = lp_const(b, key, rest, 1), zero = lp_const(b, key, 0, 1);
        x = emit_cast(b, wide ? BZ_F64 : BZ_F32, q->t, x);
        x = lp_base(b, IR_BITCAST, key, &x, 1);
        const lp_val size = lp_base(b, IR_AND, key, (lp_val[]){x, top}, 2);
        const lp_val negative = lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){x, zero}, 2);
        const lp_val nan =
            lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){lp_const(b, key, infinity, 1), size}, 2);
        const lp_val down =
            lp_base(b, IR_SUB, key, (lp_val[]){zero, size}, 2); /* 0 for both zeros */
        x = lp_base(b, IR_SELECT, key, (lp_val[]){negative, down, size}, 3);
        x = lp_base(b, IR_SELECT, key, (lp_val[]){nan, top, x}, 3);
    } else {
        const uint64_t sign = UINT64_C(1) << (wide ? 63 : 31);
        const bool fills = ir_dtype_bytes(q->t) >= 4 && !ir_is_signed(q->t);
        x = emit_cast(b, key, q->t, x);
        if (fills) /* u32, u64: keys have a sign */
            x = lp_base(b, IR_XOR, key, (lp_val[]){x, lp_const(b, key, sign, 1)}, 2);
    }
    const lp_val all = lp_const(b, key, wide ? UINT64_MAX : UINT32_MAX, 1);
    return q->back ? lp_base(b, IR_XOR, key, (lp_val[]){x, all}, 2) : x;
}

ir_ex topk_index(const sort_kernel *q, ir_ex *idx) {
    lower *l = q->l;
    for (unsigned a = 0; a < IR_MAX_RANK; a++) idx[a] = q->at.idx[a];
    if (!q->back) return q->at.i;
    const unsigned axis = (unsigned)ir_attrs(l->g, ir_at(l->g, l->group->head))[1];
    const ir_ex p = lower_vector_sym(l, "p", q->at.n);
    idx[axis] = ir_ex_addc(&l->x, ir_ex_mulc(&l->x, p, -1), q->at.n - 1);
    return p;
}

/* Of elements p .. p + width * lanes - 1; tail: mask of the last vector, 0 = all. */
static void keys_at(selection *s, lp_val p, unsigned width, lp_val tail, lp_val *out) {
    emitter *m = &s->q.l->m;
    const unsigned mark = emit_mark(m);
    emit_vector(m, s->p, p, s->lanes, width, tail);
    const emit_value x = emit_node(m, s->q.x, s->idx);
    for (unsigned u = 0; u < width; u++) out[u] = topk_key(&s->q, emit_lane_value(m, &x, u));
    emit_scalar(m);
    emit_forget(m, mark);
}

/* Result number `to` of the row is element p. */
static void store_element(selection *s, lp_val to, lp_val p) {
    emitter *m = &s->q.l->m;
    lp_builder *b = s->b;
    const unsigned mark = emit_mark(m);
    const lp_val at = lp_iadd(b, s->base, lp_imul(b, to, lp_index(b, s->q.at.after)));
    emit_sym(m, s->p, p);
    if (s->q.values) lp_store(b, s->q.values, at, emit_node(m, s->q.x, s->idx).v[0], 0, 0);
    emit_forget(m, mark);
    if (s->q.back) p = lp_isub(b, lp_index(b, s->q.at.n - 1), p);
    if (s->q.indices) lp_store(b, s->q.indices, at, p, 0, 0);
}

/* ---- counting */

/* How many lanes of v's sum: as an i64. */
static lp_val sum_lanes(const selection *s, lp_val v) {
    uint32_t pick[LP_MAX_LANES];
    for (unsigned lanes = s->lanes; lanes > 1; lanes /= 2) {
        for (unsigned i = 0; i < lanes / 2; i++) pick[i] = lanes / 2 + i;
        const lp_val high = lp_shuffle(s->b, v, v, pick, lanes / 2);
        for (unsigned i = 0; i < lanes / 2; i++) pick[i] = i;
        v = two(s, IR_ADD, lp_shuffle(s->b, v, v, pick, lanes / 2), high);
    }
    return index_of(s, v);
}

static lp_val ones(const selection *s, lp_val mask) {
    return choose(s, s->key, mask, lp_const(s->b, s->key, 1, s->lanes),
                  lp_const(s->b, s->key, 0, s->lanes));
}

/* How many of the keys at from .. from + m are less than `than`. Behind them stands a block of the highest. */
static lp_val count_less(const selection *s, lp_val from, lp_val m, lp_val than) {
    lp_builder *b = s->b;
    lp_val sum[UNROLL];
    for (unsigned u = 0; u < UNROLL; u++) sum[u] = lp_const(b, s->key, 0, s->lanes);
    const lp_val i = lp_loop(b, LP_SERIAL, lp_index(b, 0), m, s->block, sum, UNROLL, sum);
    const lp_val at = lp_iadd(b, from, i);
    for (unsigned u = 0; u < UNROLL; u++) {
        const lp_val x =
            lp_load(b, s->keys, lp_iadd(b, at, lp_index(b, u * s->lanes)), s->lanes, 0, 0);
        sum[u] = two(s, IR_ADD, sum[u], ones(s, is(s, IR_LT, x, than)));
    }
    lp_end(b, sum, UNROLL, sum);
    for (unsigned u = 1; u < UNROLL; u++) sum[0] = two(s, IR_ADD, sum[0], sum[u]);
    return sum_lanes(s, sum[0]);
}

/* A block of the highest keys from `at` on. */
static void close_keys(const selection *s, lp_val at) {
    lp_builder *b = s->b;
    for (unsigned u = 0; u < UNROLL; u++)
        lp_store(b, s->keys, lp_iadd(b, at, lp_index(b, u * s->lanes)),
                 lp_splat(b, highest(s), s->lanes), 0, 0);
}

/* ---- the key with a given number */

enum { NFOUND = 5 };

typedef union found {
    struct {
        lp_val key;          /* its bits so far, then it */
        lp_val rank;         /* its number among the keys of the buffer */
        lp_val less;         /* keys of the buffer that are less than it can be; */
        lp_val below, count; /* ... than it can't be any more; all */
    };
    lp_val v[NFOUND]; /* as loops carry them */
} found;

/* Keys of the buffer at `from` that the next `bit` bits may still make of f->key: the others go. */
static void leave_out(const selection *s, lp_val from, found *f, lp_val bit) {
    lp_builder *b = s->b;
    const lp_val live = lp_isub(b, f->below, f->less), zero = lp_index(b, 0);
    const lp_val last = two(s, IR_OR, f->key, two(s, IR_SUB, bit, number(s, 1)));
    const found old = *f;
    lp_val to = zero;
    lp_if(b, is(s, IR_LT, lp_iadd(b, live, live), f->count));
    const lp_val i = lp_loop(b, LP_SERIAL, zero, f->count, s->lanes, &to, 1, &to);
    const lp_val x = lp_load(b, s->keys, lp_iadd(b, from, i), s->lanes, 0, 0);
    const lp_val in = is(s, IR_AND, is(s, IR_LE, f->key, x), is(s, IR_LE, x, last));
    lp_compress(b, s->keys, lp_iadd(b, from, to), x, in);
    to = lp_iadd(b, to, sum_lanes(s, ones(s, in)));
    lp_end(b, &to, 1, &to);
    close_keys(s, lp_iadd(b, from, live));
    const lp_val rank = lp_isub(b, f->rank, f->less);
    lp_else(b, (lp_val[]){f->key, rank, zero, live, live}, NFOUND);
    lp_end(b, old.v, NFOUND, f->v);
}

/* The key that stands at `rank` among the m at `from`, behind which a block has room. Unless it may shrink the buffer keeps what it holds. */
static found find_key(const selection *s, lp_val from, lp_val m, lp_val rank, bool shrink) {
    lp_builder *b = s->b;
    const uint64_t sign = UINT64_C(1) << (s->bits - 1);
    const lp_val zero = lp_index(b, 0);
    lp_val now[NFOUND + 1] = {number(s, sign), rank, zero, m, m, number(s, sign)};
    close_keys(s, lp_iadd(b, from, m));
    lp_loop(b, LP_SERIAL, zero, lp_index(b, s->bits), 1, now, NFOUND + 1, now);
    found f;
    memcpy(f.v, now, sizeof f.v);
    const lp_val bit = now[NFOUND], with = two(s, IR_XOR, f.key, bit);
    const lp_val c = count_less(s, from, f.count, with), low = is(s, IR_LT, f.rank, c);
    f.key = choose(s, s->key, low, f.key, with);
    f.less = choose(s, BZ_I64, low, f.less, c);
    f.below = choose(s, BZ_I64, low, c, f.below);
    if (shrink) leave_out(s, from, &f, bit);
    memcpy(now, f.v, sizeof f.v);
    now[NFOUND] = two(s, IR_LSHR, bit, number(s, 1));
    lp_end(b, now, NFOUND + 1, now);
    memcpy(f.v, now, sizeof f.v);
    return f;
}

/* ---- topk */

enum { NHELD = 3 };

typedef union held {
    struct {
        lp_val count, from,
            limit; /* elements in the buffer, in which half; what is not less is not wanted */
    };
    lp_val v[NHELD];
} held;

/* The `kept` smallest of the buffer go to the other half: those that are less than the largest of them, then the first that are equal to it. */
static void narrow(const selection *s, held *h) {
    lp_builder *b = s->b;
    const lp_val k = lp_index(b, s->q.kept), zero = lp_index(b, 0);
    const found f = find_key(s, h->from, h->count, lp_index(b, s->q.kept - 1), false);
    const lp_val to = lp_isub(b, lp_index(b, s->room + s->block), h->from);
    lp_val w[2] = {to, lp_iadd(b, to, f.less)};
    const lp_val i = lp_loop(b, LP_SERIAL, zero, h->count, s->lanes, w, 2, w),
                 at = lp_iadd(b, h->from, i);
    const lp_val x = lp_load(b, s->keys, at, s->lanes, 0, 0),
                 p = lp_load(b, s->places, at, s->lanes, 0, 0);
    const lp_val in[2] = {is(s, IR_LT, x, f.key), is(s, IR_EQ, x, f.key)};
    for (unsigned e = 0; e < 2; e++) {
        lp_compress(b, s->keys, w[e], x, in[e]);
        lp_compress(b, s->places, w[e], p, in[e]);
        w[e] = lp_iadd(b, w[e], sum_lanes(s, ones(s, in[e])));
    }
    lp_end(b, w, 2, w);
    *h = (held){{k, to, f.key}};
}

/* The places p .. of a vector's lanes. */
static lp_val places_of(const selection *s, lp_val p) {
    const lp_val first = emit_cast(s->b, s->key, BZ_I64, p);
    return two(s, IR_ADD, lp_laneid(s->b, s->key, s->lanes), lp_splat(s->b, first, s->lanes));
}

/* The elements p .. of a vector that are less than the limit, by the mask, into the buffer. */
static void add(const selection *s, held *h, lp_val keys, lp_val p, lp_val mask) {
    lp_builder *b = s->b;
    const lp_val at = lp_iadd(b, h->from, h->count);
    lp_compress(b, s->keys, at, keys, mask);
    lp_compress(b, s->places, at, places_of(s, p), mask);
    h->count = lp_iadd(b, h->count, sum_lanes(s, ones(s, mask)));
}

/* If the buffer has no room for a block more, it is narrowed. */
static void make_room(const selection *s, held *h) {
    lp_builder *b = s->b;
    held old = *h, now;
    lp_if(b, is(s, IR_LT, lp_index(b, s->room - s->block), h->count));
    narrow(s, h);
    lp_else(b, h->v, NHELD);
    lp_end(b, old.v, NHELD, now.v);
    *h = now;
}

/* Elements lo .. hi of the row, `width` vectors at a time, the last one of which may be a part. */
static void look_through(selection *s, held *h, lp_val lo, lp_val hi, unsigned width, bool part) {
    lp_builder *b = s->b;
    lp_val keys[UNROLL], mask[UNROLL], any = 0;
    held old;
    const lp_val p = lp_loop(b, LP_SERIAL, lo, hi, width * (int64_t)s->lanes, h->v, NHELD, h->v);
    const lp_val tail = part ? lower_tail_mask(s->q.l, lp_isub(b, hi, p), s->lanes) : 0;
    keys_at(s, p, width, tail, keys);
    for (unsigned u = 0; u < width; u++) {
        mask[u] = is(s, IR_LT, keys[u], h->limit);
        if (tail && u + 1 == width) mask[u] = is(s, IR_AND, mask[u], tail);
        any = any ? is(s, IR_OR, any, mask[u]) : mask[u];
    }
    old = *h;
    lp_if(b, lp_any(b, any));
    for (unsigned u = 0; u < width; u++)
        add(s, h, keys[u], lp_iadd(b, p, lp_index(b, u * s->lanes)), mask[u]);
    make_room(s, h);
    lp_else(b, h->v, NHELD);
    lp_end(b, old.v, NHELD, h->v);
    lp_end(b, h->v, NHELD, h->v);
}

/* The first `first` elements of the row, which is whole blocks, and the k smallest of them. */
static held fill(selection *s, int64_t first) {
    lp_builder *b = s->b;
    lp_val keys[UNROLL];
    held h = {{lp_index(b, first), lp_index(b, 0), 0}};
    const lp_val p = lp_loop(b, LP_SERIAL, lp_index(b, 0), h.count, s->block, NULL, 0, NULL);
    keys_at(s, p, UNROLL, 0, keys);
    for (unsigned u = 0; u < UNROLL; u++) {
        const lp_val at = lp_iadd(b, p, lp_index(b, u * s->lanes));
        lp_store(b, s->keys, at, keys[u], 0, 0);
        lp_store(b, s->places, at, places_of(s, at), 0, 0);
    }
    lp_end(b, NULL, 0, NULL);
    narrow(s, &h);
    return h;
}

/* Where each of the `kept` elements of the buffer goes: behind all that are less and the equal ones before it. */
static void store_counted(selection *s, const held *h) {
    lp_builder *b = s->b;
    const lp_val k = lp_index(b, s->q.kept), zero = lp_index(b, 0);
    close_keys(s, lp_iadd(b, h->from, k));
    const lp_val j = lp_loop(b, LP_SERIAL, zero, k, 1, NULL, 0, NULL), at = lp_iadd(b, h->from, j);
    const lp_val own = lp_load(b, s->keys, at, 1, 0, 0), number = emit_cast(b, s->key, BZ_I64, j);
    lp_val before = lp_const(b, s->key, 0, s->lanes);
    const lp_val i = lp_loop(b, LP_SERIAL, zero, k, s->lanes, &before, 1, &before);
    const lp_val x = lp_load(b, s->keys, lp_iadd(b, h->from, i), s->lanes, 0, 0);
    const lp_val earlier = is(s, IR_LT, places_of(s, i), lp_splat(b, number, s->lanes));
    const lp_val equal = is(s, IR_AND, is(s, IR_EQ, x, own), earlier);
    before = two(s, IR_ADD, before, ones(s, is(s, IR_OR, is(s, IR_LT, x, own), equal)));
    lp_end(b, &before, 1, &before);
    store_element(s, sum_lanes(s, before), index_of(s, lp_load(b, s->places, at, 1, 0, 0)));
    lp_end(b, NULL, 0, NULL);
}

/* In order first, in the buffer, whose halves are as long as all of them need. */
static void store_merged(selection *s, const held *h) {
    lp_builder *b = s->b;
    const lp_val k = lp_index(b, s->q.kept), zero = lp_index(b, 0);
    lp_val i = lp_loop(b, LP_SERIAL, zero, k, 1, NULL, 0, NULL), at = lp_iadd(b, h->from, i);
    lp_store(b, s->keys, i, lp_load(b, s->keys, at, 1, 0, 0), 0, 0);
    lp_store(b, s->places, i, lp_load(b, s->places, at, 1, 0, 0), 0, 0);
    lp_end(b, NULL, 0, NULL);
    const lp_val half = sort_merge(s->q.l, s->keys, s->places, false, zero, k);
    i = lp_loop(b, LP_SERIAL, zero, k, 1, NULL, 0, NULL);
    store_element(s, i, index_of(s, lp_load(b, s->places, lp_iadd(b, half, i), 1, 0, 0)));
    lp_end(b, NULL, 0, NULL);
}

static void top_row(selection *s, int64_t first) {
    lp_builder *b = s->b;
    const int64_t n = s->q.at.n, whole = first + (n - first) / s->block * s->block;
    held h = fill(s, first);
    look_through(s, &h, lp_index(b, first), lp_index(b, whole), UNROLL, false);
    look_through(s, &h, lp_index(b, whole), lp_index(b, n), 1, true);
    narrow(s, &h);
    if (s->q.kept <= COUNTED)
        store_counted(s, &h);
    else
        store_merged(s, &h);
}

/* A buffer for each thread, or for each row; gives whether each thread has one. */
static bool make_buffer(selection *s, int64_t count, bool places) {
    lower *l = s->q.l;
    const bool near = count * (int64_t)(s->bits / 8) * (1 + places) <= NEAR;
    s->keys =
        near ? lp_local(s->b, s->key, count, LP_SCRATCH) : lower_work(l, s->key, count * s->q.rows);
    if (places)
        s->places = near ? lp_local(s->b, s->key, count, LP_SCRATCH)
                         : lower_work(l, s->key, count * s->q.rows);
    return near;
}

bool lower_topk(lower *l) {
    selection s;
    const bool is_long = set_up(&s, l);
    const int64_t n = s.q.at.n, k = s.q.kept;
    if (!is_long || k > n / MANY || k == 0) return sort_rows_of(&s.q);
    const int64_t least = 2 * k > FIRST ? 2 * k : FIRST, blocks = (least + s.block - 1) / s.block,
                  first = (blocks < n / s.block ? blocks : n / s.block) * s.block;
    s.room = 2 * first + s.block;
    const int64_t count = 2 * (s.room + s.block);
    if (count * (int64_t)(s.bits / 8) * 2 > NEAR) return sort_rows_of(&s.q);
    make_buffer(&s, count, true);
    if (l->m.failed) return false;
    const unsigned mark = emit_mark(&l->m);
    const lp_val row = lower_open_rows(l, emit_extent(&l->m, "rows", s.q.rows), n);
    s.base = sort_enter_row(&s.q, row);
    top_row(&s, first);
    lower_close_rows(l);
    emit_forget(&l->m, mark);
    return !l->m.failed;
}

/* ---- kthvalue */

/* The place of number `want` of the elements whose key is `key`. */
static lp_val place_of(selection *s, lp_val key, lp_val want, lp_val tiny) {
    lp_builder *b = s->b;
    const lp_val zero = lp_index(b, 0), n = lp_index(b, s->q.at.n);
    lp_val now[2] = {zero, zero}, old[2], keys; /* equal ones so far; the place */
    const lp_val p = lp_loop(b, LP_SERIAL, zero, n, s->lanes, now, 2, now);
    const lp_val tail = lower_tail_mask(s->q.l, lp_isub(b, n, p), s->lanes);
    keys_at(s, p, 1, tail, &keys);
    const lp_val hit = is(s, IR_AND, is(s, IR_EQ, keys, key), tail);
    old[0] = now[0], old[1] = now[1];
    lp_if(b, lp_any(b, hit));
    const lp_val count = lp_iadd(b, now[0], sum_lanes(s, ones(s, hit))),
                 at = lp_isub(b, want, now[0]);
    lp_compress(b, tiny, zero, places_of(s, p), hit);
    const lp_val here = is(s, IR_AND, is(s, IR_LE, zero, at), is(s, IR_LT, want, count));
    const lp_val safe = choose(s, BZ_I64, here, at, zero);
    now[1] = choose(s, BZ_I64, here, index_of(s, lp_load(b, tiny, safe, 1, 0, 0)), now[1]);
    now[0] = count;
    lp_else(b, now, 2);
    lp_end(b, old, 2, now);
    lp_end(b, now, 2, now);
    return now[1];
}

/* All keys of the row, from `from` of the buffer on. */
static void take_keys(selection *s, lp_val from) {
    lp_builder *b = s->b;
    const int64_t n = s->q.at.n, whole = n / s->block * s->block;
    lp_val keys[UNROLL];
    lp_val p = lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_index(b, whole), s->block, NULL, 0, NULL);
    keys_at(s, p, UNROLL, 0, keys);
    for (unsigned u = 0; u < UNROLL; u++)
        lp_store(b, s->keys, lp_iadd(b, from, lp_iadd(b, p, lp_index(b, u * s->lanes))), keys[u], 0,
                 0);
    lp_end(b, NULL, 0, NULL);
    p = lp_loop(b, LP_SERIAL, lp_index(b, whole), lp_index(b, n), s->lanes, NULL, 0, NULL);
    const lp_val tail = lower_tail_mask(s->q.l, lp_isub(b, lp_index(b, n), p), s->lanes);
    keys_at(s, p, 1, tail, keys);
    lp_store(b, s->keys, lp_iadd(b, from, p), keys[0], tail, 0);
    lp_end(b, NULL, 0, NULL);
}

bool lower_kthvalue(lower *l) {
    selection s;
    if (!set_up(&s, l)) return sort_rows_of(&s.q);
    const int64_t n = s.q.at.n, count = n + s.block;
    lp_builder *b = l->b;
    const lp_val tiny = lp_local(b, s.key, s.lanes, LP_SCRATCH);
    const bool near = make_buffer(&s, count, false);
    if (l->m.failed) return false;
    const unsigned mark = emit_mark(&l->m);
    const lp_val row = lower_open_rows(l, emit_extent(&l->m, "rows", s.q.rows), n);
    const lp_val from = near ? lp_index(b, 0) : lp_imul(b, row, lp_index(b, count));
    s.base = sort_enter_row(&s.q, row);
    take_keys(&s, from);
    const found f = find_key(&s, from, lp_index(b, n), lp_index(b, s.q.from), true);
    store_element(&s, lp_index(b, 0), place_of(&s, f.key, lp_isub(b, f.rank, f.less), tiny));
    lower_close_rows(l);
    emit_forget(&l->m, mark);
    return !l->m.failed;
}
