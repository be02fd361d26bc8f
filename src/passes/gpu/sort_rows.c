/* sort_rows.c - rows of keys and of their places, sorted by blocks of threads.
 *
 *     tile (shared)   keys, places:  | runs of `width` in order | room for as many |     each element finds its place in the merged run
 *                                        \____ merged ____________/^                     by itself: its own number in its run, and
 *                                                                                        how many of the other run stand before it
 *     rows of a tile or less:  one phase, several rows a block
 *     longer ones:             tiles sorted -> memory; then runs are merged in pairs, each tile of the result by a block: two searches say
 *                              which part of either run it is made of
 *
 * The place of each element hangs on nothing but the keys before it: the result is the CPU's. */
#include "src/passes/gpu/sort_rows.h"
#include "src/passes/cpu/sort.h"

enum {
    THREADS = GPU_WARP * GPU_WARPS,
    SHARED = 32 << 10, /* bytes of a block */
    SHORT = 1 << 10    /* elements of rows that share a block */
};

typedef struct sorting {
    const sort_rows *s;
    lower *l;
    int64_t tile, tiles, each;   /* elements; of a row; rows of a block */
    lp_val keys, places;         /* shared: two halves of a tile */
    lp_val cuts;                 /* shared: where a tile's part of the left run begins and ends */
    lp_val far_keys, far_places; /* in memory: two halves of all rows */
    lp_val thread;
} sorting;

static lp_val is(lp_builder *b, ir_op op, lp_val x, lp_val y) {
    return lp_base(b, op, BZ_BOOL, (lp_val[]){x, y}, 2);
}

static lp_val either(lp_builder *b, lp_val cond, lp_val x, lp_val y) {
    return lp_base(b, IR_SELECT, BZ_I64, (lp_val[]){cond, x, y}, 3);
}

/* x, which is known to lie in 0 .. most: what is computed of it fits into 32 bits. */
static lp_val small(lp_builder *b, lp_val x, int64_t most) {
    int64_t mask = 1;
    while (mask <= most) mask *= 2;
    return lp_base(b, IR_AND, BZ_I64, (lp_val[]){x, lp_index(b, mask - 1)}, 2);
}

/* Bits of a number up to n. */
static unsigned bits_of(int64_t n) {
    unsigned bits = 0;
    for (; n > 0; n /= 2) bits++;
    return bits;
}

static lp_val load_place(const sorting *q, lp_val p, lp_val at) {
    return emit_cast(q->l->b, BZ_I64, BZ_I32, lp_load(q->l->b, p, at, 1, 0, 0));
}

static void store_pair(const sorting *q, lp_val keys, lp_val places, lp_val at, lp_val key,
                       lp_val place) {
    lp_store(q->l->b, keys, at, key, 0, 0);
    lp_store(q->l->b, places, at, emit_cast(q->l->b, BZ_I32, BZ_I64, place), 0, 0);
}

/* For each element below `count` a thread. */
static lp_val open_elements(const sorting *q, lp_val count) {
    return lp_loop(q->l->b, LP_SERIAL, q->thread, count, THREADS, NULL, 0, NULL);
}

static void close_elements(const sorting *q) {
    lp_end(q->l->b, NULL, 0, NULL);
}

/* ---- merging in shared memory */

/* How many of `count` keys in order, from `from` on, stand before the one at `own`, which is of the left run or else of the right one? At
 * most 2^steps - 1. */
static lp_val rank(const sorting *q, lp_val own, lp_val left, lp_val from, lp_val count,
                   lp_val steps) {
    lp_builder *b = q->l->b;
    lp_val range[2] = {lp_index(b, 0), count};
    const lp_val x = lp_load(b, q->keys, own, 1, 0, 0);
    lp_loop(b, LP_SERIAL, lp_index(b, 0), steps, 1, range, 2, range);
    const lp_val lo = small(b, range[0], q->tile), hi = small(b, range[1], q->tile);
    const lp_val mid = lp_idiv(b, lp_iadd(b, lo, hi), lp_index(b, 2));
    const lp_val open = is(b, IR_LT, lo, hi), at = either(b, open, lp_iadd(b, from, mid), own);
    const lp_val y = lp_load(b, q->keys, at, 1, 0, 0);
    const bz_dtype t = q->s->key;
    const lp_val before = sort_comes_first(b, t, q->s->descending, y, x),
                 behind = sort_comes_first(b, t, q->s->descending, x, y);
    const lp_val stays = lp_base(b, IR_NOT, BZ_BOOL, &behind, 1);
    const lp_val goes = lp_base(b, IR_SELECT, BZ_BOOL, (lp_val[]){left, before, stays}, 3);
    const lp_val more = is(b, IR_AND, goes, open);
    range[0] = either(b, more, lp_iadd(b, mid, lp_index(b, 1)), lo);
    range[1] = either(b, more, hi, mid);
    lp_end(b, range, 2, range);
    return small(b, range[0], q->tile);
}

/* Runs lo .. mid and mid .. hi, counted from the row's start at `row`: element i of one of them goes from one half to its place in the
 * other. */
static void merge_one(const sorting *q, lp_val from, lp_val to, lp_val row, lp_val i, lp_val lo,
                      lp_val mid, lp_val hi, lp_val steps) {
    lp_builder *b = q->l->b;
    const lp_val at = lp_iadd(b, lp_iadd(b, from, row), i);
    const lp_val key = lp_load(b, q->keys, at, 1, 0, 0), place = load_place(q, q->places, at);
    const lp_val left = is(b, IR_LT, i, mid);
    const lp_val other = either(b, left, mid, lo),
                 count = either(b, left, lp_isub(b, hi, mid), lp_isub(b, mid, lo));
    const lp_val first = lp_iadd(b, lp_iadd(b, from, row), other);
    const lp_val passed = rank(q, at, left, first, count, steps);
    const lp_val own = either(b, left, i, lp_iadd(b, lo, lp_isub(b, i, mid)));
    store_pair(q, q->keys, q->places, lp_iadd(b, lp_iadd(b, to, row), lp_iadd(b, own, passed)), key,
               place);
}

/* Rows of `n` elements (a value), `count` elements in all, from runs of one element to rows in order: gives the half where they are. */
static lp_val merge_rows(const sorting *q, lp_val n, lp_val count, unsigned passes) {
    lp_builder *b = q->l->b;
    lp_val now[2] = {lp_index(b, 1), lp_index(b, 0)};
    lp_val pass = lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_index(b, passes), 1, now, 2, now);
    const lp_val width = small(b, now[0], q->tile), from = small(b, now[1], q->tile);
    const lp_val to = lp_isub(b, lp_index(b, q->tile), from), both = lp_iadd(b, width, width);
    const lp_val e = open_elements(q, count);
    const lp_val row = q->each > 1 ? lp_imul(b, lp_idiv(b, e, n), n) : lp_index(b, 0);
    const lp_val i = lp_isub(b, e, row);
    const lp_val in = lp_isub(b, both, lp_index(b, 1));
    const lp_val lo = lp_isub(b, i, lp_base(b, IR_AND, BZ_I64, (lp_val[]){i, in}, 2));
    const lp_val mid = lp_imin(b, n, lp_iadd(b, lo, width)),
                 hi = lp_imin(b, n, lp_iadd(b, lo, both));
    merge_one(q, from, to, row, i, lo, mid, hi, lp_iadd(b, pass, lp_index(b, 1)));
    close_elements(q);
    lp_barrier(b);
    lp_end(b, (lp_val[]){both, to}, 2, now);
    return small(b, now[1], q->tile);
}

/* ---- blocks */

static lp_val open_blocks(sorting *q, lp_val tasks) {
    lp_builder *b = q->l->b;
    const lp_val task = lp_loop(b, LP_PARALLEL, lp_index(b, 0), tasks, 1, NULL, 0, NULL);
    q->keys = lp_local(b, q->s->key, 2 * q->tile, LP_SHARED);
    q->places = lp_local(b, BZ_I32, 2 * q->tile, LP_SHARED);
    q->cuts = lp_local(b, BZ_I64, 2, LP_SHARED);
    q->thread = lp_loop(b, LP_BLOCK, lp_index(b, 0), lp_index(b, THREADS), 1, NULL, 0, NULL);
    return task;
}

static void close_blocks(const sorting *q) {
    lp_end(q->l->b, NULL, 0, NULL);
    lp_end(q->l->b, NULL, 0, NULL);
}

/* An element of several rows of a block, as a thread goes through them. */
typedef struct element {
    lp_val row, i, at; /* the row's number among all; the element's in it, and in the half */
} element;

/* Opens the loop over those of the block's rows, from `first` on, as they lie in memory. */
static element open_rows(const sorting *q, lp_val first) {
    lp_builder *b = q->l->b;
    const lp_val n = lp_index(b, q->s->n), each = lp_index(b, q->each);
    const lp_val e = open_elements(q, lp_imul(b, n, each));
    const lp_val by = q->s->across ? each : n;
    const lp_val whole = lp_idiv(b, e, by), rest = lp_isub(b, e, lp_imul(b, whole, by));
    element x = {.row = q->s->across ? rest : whole, .i = q->s->across ? whole : rest};
    x.at = lp_iadd(b, lp_imul(b, x.row, n), x.i);
    x.row = lp_iadd(b, first, x.row);
    lp_if(b, is(b, IR_LT, x.row, lp_index(b, q->s->rows)));
    return x;
}

static void close_rows(const sorting *q) {
    lp_end(q->l->b, NULL, 0, NULL);
    close_elements(q);
}

static void short_rows(sorting *q) {
    lp_builder *b = q->l->b;
    const int64_t n = q->s->n, rows = q->s->rows;
    const lp_val task = open_blocks(q, lp_index(b, (rows + q->each - 1) / q->each));
    const lp_val first = lp_imul(b, task, lp_index(b, q->each));
    const unsigned mark = emit_mark(&q->l->m);
    element x = open_rows(q, first);
    store_pair(q, q->keys, q->places, x.at, q->s->get(q->s->ctx, x.row, x.i), x.i);
    close_rows(q);
    emit_forget(&q->l->m, mark);
    lp_barrier(b);
    const lp_val own = lp_imin(b, lp_index(b, q->each), lp_isub(b, lp_index(b, rows), first));
    const lp_val half =
        merge_rows(q, lp_index(b, n), lp_imul(b, own, lp_index(b, n)), bits_of(n - 1));
    x = open_rows(q, first);
    const lp_val at = lp_iadd(b, half, x.at), key = lp_load(b, q->keys, at, 1, 0, 0);
    q->s->put(q->s->ctx, x.row, x.i, key, load_place(q, q->places, at));
    close_rows(q);
    emit_forget(&q->l->m, mark);
    close_blocks(q);
}

/* ---- rows of several tiles */

/* A tile of a row at hand. */
typedef struct tile_of {
    lp_val row, first, count; /* element of the row; how many there are */
    lp_val far;               /* where in a half of memory the row begins */
} tile_of;

static tile_of open_tile(sorting *q) {
    lp_builder *b = q->l->b;
    const lp_val tiles = lp_index(b, q->tiles), n = lp_index(b, q->s->n);
    const lp_val task = open_blocks(q, lp_imul(b, lp_index(b, q->s->rows), tiles));
    tile_of t = {.row = lp_idiv(b, task, tiles)};
    t.first = lp_imul(b, lp_isub(b, task, lp_imul(b, t.row, tiles)), lp_index(b, q->tile));
    t.count = lp_imin(b, lp_index(b, q->tile), lp_isub(b, n, t.first));
    t.far = lp_imul(b, t.row, n);
    return t;
}

/* From half `half` of the block to half `to` of memory. */
static void keep_tile(const sorting *q, const tile_of *t, lp_val half, lp_val to) {
    lp_builder *b = q->l->b;
    const lp_val e = open_elements(q, t->count), at = lp_iadd(b, half, e);
    const lp_val place = lp_iadd(b, to, lp_iadd(b, lp_iadd(b, t->far, t->first), e));
    const lp_val key = lp_load(b, q->keys, at, 1, 0, 0);
    store_pair(q, q->far_keys, q->far_places, place, key, load_place(q, q->places, at));
    close_elements(q);
}

static void sort_tiles(sorting *q) {
    lp_builder *b = q->l->b;
    const unsigned mark = emit_mark(&q->l->m);
    const tile_of t = open_tile(q);
    const lp_val e = open_elements(q, t.count), i = lp_iadd(b, t.first, e);
    store_pair(q, q->keys, q->places, e, q->s->get(q->s->ctx, t.row, i), i);
    close_elements(q);
    emit_forget(&q->l->m, mark);
    lp_barrier(b);
    const lp_val half = merge_rows(q, t.count, t.count, bits_of(q->tile - 1));
    keep_tile(q, &t, half, lp_index(b, 0));
    close_blocks(q);
}

/* Two runs of a row in memory, of which a tile of the merged one is made. */
typedef struct runs {
    lp_val from;          /* the half */
    lp_val lo, mid, hi;   /* elements of the row */
    lp_val at_left, left; /* of the left run: the first that is in the tile, and how many are */
    lp_val at_right;
} runs;

/* Of the first d elements of the merged run, how many are the left one's? */
static lp_val split(const sorting *q, const tile_of *t, const runs *r, lp_val d) {
    lp_builder *b = q->l->b;
    const lp_val zero = lp_index(b, 0), one = lp_index(b, 1);
    const lp_val nl = lp_isub(b, r->mid, r->lo), nr = lp_isub(b, r->hi, r->mid);
    const lp_val base = lp_iadd(b, r->from, t->far),
                 last = lp_iadd(b, base, lp_index(b, q->s->n - 1));
    lp_val range[2] = {lp_imax(b, zero, lp_isub(b, d, nr)), lp_imin(b, d, nl)};
    lp_loop(b, LP_SERIAL, zero, lp_index(b, bits_of(q->s->n)), 1, range, 2, range);
    const lp_val mid = lp_idiv(b, lp_iadd(b, range[0], range[1]), lp_index(b, 2));
    const lp_val l_at = lp_iadd(b, base, lp_iadd(b, r->lo, mid)),
                 r_at = lp_iadd(b, base, lp_iadd(b, r->mid, lp_isub(b, lp_isub(b, d, mid), one)));
    const lp_val x = lp_load(b, q->far_keys, lp_imin(b, l_at, last), 1, 0, 0),
                 y = lp_load(b, q->far_keys, lp_imax(b, base, lp_imin(b, r_at, last)), 1, 0, 0);
    const lp_val first = sort_comes_first(b, q->s->key, q->s->descending, y, x);
    const lp_val open = is(b, IR_LT, range[0], range[1]);
    const lp_val more = is(b, IR_AND, open, lp_base(b, IR_NOT, BZ_BOOL, &first, 1));
    range[0] = either(b, more, lp_iadd(b, mid, one), range[0]);
    range[1] = either(b, more, range[1], either(b, open, mid, range[1]));
    lp_end(b, range, 2, range);
    return range[0];
}

/* Half of the threads look where the tile begins, the others where it ends. */
static runs find_runs(const sorting *q, const tile_of *t, int64_t width, lp_val from) {
    lp_builder *b = q->l->b;
    const lp_val n = lp_index(b, q->s->n), both = lp_index(b, 2 * width),
                 half = lp_index(b, THREADS / 2);
    runs r = {.from = from, .lo = lp_isub(b, t->first, lp_imod(b, t->first, both))};
    r.mid = lp_imin(b, n, lp_iadd(b, r.lo, lp_index(b, width)));
    r.hi = lp_imin(b, n, lp_iadd(b, r.lo, both));
    const lp_val begin = lp_isub(b, t->first, r.lo), end = lp_iadd(b, begin, t->count);
    const lp_val early = is(b, IR_LT, q->thread, half);
    const lp_val found = split(q, t, &r, either(b, early, begin, end));
    const lp_val which = lp_idiv(b, q->thread, half);
    lp_if(b, is(b, IR_EQ, lp_imod(b, q->thread, half), lp_index(b, 0)));
    lp_store(b, q->cuts, which, found, 0, 0);
    lp_end(b, NULL, 0, NULL);
    lp_barrier(b);
    r.at_left = lp_load(b, q->cuts, lp_index(b, 0), 1, 0, 0);
    r.left = small(b, lp_isub(b, lp_load(b, q->cuts, lp_index(b, 1), 1, 0, 0), r.at_left), q->tile);
    r.at_right = lp_iadd(b, r.mid, lp_isub(b, begin, r.at_left));
    r.at_left = lp_iadd(b, r.lo, r.at_left);
    return r;
}

/* Runs of `width` from half `from` of memory to half `to`, or, as the last ones, to where they belong. */
static void merge_tiles(sorting *q, int64_t width, lp_val from, lp_val to, bool last) {
    lp_builder *b = q->l->b;
    const unsigned mark = emit_mark(&q->l->m);
    const tile_of t = open_tile(q);
    const runs r = find_runs(q, &t, width, from);
    const lp_val zero = lp_index(b, 0), base = lp_iadd(b, from, t.far);
    lp_val e = open_elements(q, t.count);
    const lp_val right = lp_iadd(b, r.at_right, lp_isub(b, e, r.left));
    const lp_val at =
        lp_iadd(b, base, either(b, is(b, IR_LT, e, r.left), lp_iadd(b, r.at_left, e), right));
    store_pair(q, q->keys, q->places, e, lp_load(b, q->far_keys, at, 1, 0, 0),
               load_place(q, q->far_places, at));
    close_elements(q);
    lp_barrier(b);
    e = open_elements(q, t.count);
    merge_one(q, zero, lp_index(b, q->tile), zero, e, zero, r.left, t.count,
              lp_index(b, bits_of(q->tile)));
    close_elements(q);
    lp_barrier(b);
    if (last) {
        e = open_elements(q, t.count);
        const lp_val in = lp_iadd(b, lp_index(b, q->tile), e);
        const lp_val key = lp_load(b, q->keys, in, 1, 0, 0);
        q->s->put(q->s->ctx, t.row, lp_iadd(b, t.first, e), key, load_place(q, q->places, in));
        close_elements(q);
    } else {
        keep_tile(q, &t, lp_index(b, q->tile), to);
    }
    emit_forget(&q->l->m, mark);
    close_blocks(q);
}

void sort_rows_emit(const sort_rows *s) {
    lp_builder *b = s->l->b;
    const int64_t pair = (int64_t)ir_dtype_bytes(s->key) + 4;
    sorting q = {.s = s, .l = s->l, .tile = THREADS, .each = 1};
    while (4 * q.tile * pair <= SHARED) q.tile *= 2;
    q.tiles = (s->n + q.tile - 1) / q.tile;
    if (q.tiles <= 1) {
        while (s->n * 2 * q.each <= SHORT && q.each < s->rows) q.each *= 2;
        short_rows(&q);
        return;
    }
    const int64_t all = s->rows * s->n;
    q.far_keys = lower_work(s->l, s->key, 2 * all);
    q.far_places = lower_work(s->l, BZ_I32, 2 * all);
    if (s->l->m.failed) return;
    sort_tiles(&q);
    lp_val from = lp_index(b, 0), to = lp_index(b, all);
    for (int64_t width = q.tile; width < s->n; width *= 2) {
        merge_tiles(&q, width, from, to, 2 * width >= s->n);
        const lp_val next = to;
        to = from;
        from = next;
    }
}
