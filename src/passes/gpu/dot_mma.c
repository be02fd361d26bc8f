/* dot_mma.c - sums of products by matrix units, which fast mode allows: f16, bf16, and f32 rounded to 11 bits; sums are f32.
 *
 *          turns of k -->                 a warp's tile: 64 x 32 or less, of matrices 16 x 8
 *     wait for turn t, meet               steps of 32 bytes of k: fragments by ldmatrix, an mma for each matrix
 *     begin to copy turn t + 2
 *     multiply turn t                     the end: neighbours exchange halves, so that each has four columns side by side
 *
 * The tiling is that of CUTLASS's kernels for the same units; the order in which one of them adds is nobody's promise (docs/fast.md). */
#include "src/passes/gpu/dot_block.h"

#include <string.h>

enum {
    LEAST = 8,    /* rows, columns and products that fill a matrix */
    ENOUGH = 80,  /* tiles for which a device is large enough */
    PART = 8,     /* turns that are worth a task of their own */
    PARTS = 16,   /* of a sum, at most */
    MATRICES = 4, /* of a warp's row */
    MOST = 16     /* of a warp */
};

/* Halves that are f32 to their reader alone: behind movement that leads there, the operand of the cast and its index. */
static bool find_halves(dot_kernel *q, const dot_side *s, access_step *out) {
    emitter *m = &q->l->m;
    access_step way[2] = {{.x = s->r}};
    unsigned now = 0;
    memcpy(way[0].at, s->idx, sizeof s->idx);
    for (;; now = !now) {
        const ir_ref r = way[now].x;
        const bool cast = ir_at(q->l->g, r)->op == IR_CAST;
        if (m->bind[r].kind != BIND_NONE || (!cast && !access_moves(q->l->g, r)) ||
            !access_take(q->l->g, m->x, r, way[now].at, 0, &way[!now]) || way[!now].outside)
            return false;
        if (cast) break;
    }
    *out = way[!now];
    return ir_is_half(ir_dtype(q->l->g, out->x));
}

/* What is widened on both sides is multiplied as it was: the factors are the same. */
static void narrow(dot_kernel *q) {
    access_step to[2];
    dot_side *sides[2] = {&q->x, &q->y};
    for (unsigned i = 0; i < 2; i++)
        if (ir_dtype(q->l->g, sides[i]->r) != BZ_F32 || !find_halves(q, sides[i], &to[i])) return;
    if (ir_dtype(q->l->g, to[0].x) != ir_dtype(q->l->g, to[1].x)) return;
    for (unsigned i = 0; i < 2; i++) {
        sides[i]->r = to[i].x;
        memcpy(sides[i]->idx, to[i].at, sizeof to[i].at);
    }
}

bool dot_suits_mma(dot_block *k) {
    dot_kernel *q = &k->q;
    if (!q->l->t->matrix || q->a.acc != BZ_F32 || q->swapped || q->x.size < LEAST ||
        q->y.size < LEAST || q->k < LEAST)
        return false;
    narrow(q);
    const bz_dtype x = ir_dtype(q->l->g, q->x.r), y = ir_dtype(q->l->g, q->y.r);
    return x == y && (ir_is_half(x) || x == BZ_F32);
}

static int64_t tiles_of(const dot_kernel *q, int64_t rows, int64_t columns) {
    const int64_t down = (q->x.size + rows - 1) / rows,
                  across = (q->y.size + columns - 1) / columns;
    return bz_times(q->batch, bz_times(down, across));
}

/* Where tiles are few: parts of a sum, one or more. */
static int64_t parts_of(const dot_block *k) {
    const dot_kernel *q = &k->q;
    const int64_t tiles = tiles_of(q, k->t.rows * k->t.down, k->t.columns * k->t.across);
    const int64_t most = q->k / k->t.deep / PART, wanted = tiles ? ENOUGH / tiles : 1;
    const int64_t parts = wanted < most ? wanted : most;
    return parts < 1 ? 1 : parts > PARTS ? PARTS : parts;
}

/* Large tiles read less, small ones are more. A warp is 8 threads down, 4 across. */
static void choose_tile(dot_block *k) {
    const dot_kernel *q = &k->q;
    const bool large = q->x.size > 64 && tiles_of(q, 128, 128) >= ENOUGH;
    k->t = (dot_tile){.rows = 8, .columns = 2 * MATRICES, .down = large ? 16 : 8};
    if (q->x.size <= 32) k->t.rows = q->x.size <= 16 ? 2 : 4;
    const bool wide = large || tiles_of(q, k->t.rows * k->t.down, 128) >= ENOUGH;
    k->t.across = q->y.size <= 32 ? 4 : q->y.size <= 64 || !wide ? 8 : 16;
    k->nv = MATRICES / 2;
    k->t.deep = DOT_TURN_CHUNKS * DOT_CHUNK / (unsigned)ir_dtype_bytes(ir_dtype(q->l->g, q->x.r));
    k->parts = parts_of(k);
}

/* ---- fragments */

typedef struct warp {
    dot_block *k;
    unsigned rows; /* of matrices */
    lp_val lane, row, column;
} warp;

static lp_val over(const warp *w, int64_t by) {
    return lp_idiv(w->k->q.l->b, w->lane, lp_index(w->k->q.l->b, by));
}

static lp_val rest(const warp *w, lp_val x, int64_t by) {
    return lp_imod(w->k->q.l->b, x, lp_index(w->k->q.l->b, by));
}

static lp_val plus(const warp *w, lp_val x, int64_t by) {
    return lp_iadd(w->k->q.l->b, x, lp_index(w->k->q.l->b, by));
}

static lp_val eights(const warp *w, lp_val x) {
    return lp_imul(w->k->q.l->b, x, lp_index(w->k->q.l->b, 8));
}

/* Four matrices, side by side along the side (`next` of the lane's number says which) and along k (`deep` does), from element `at` of
 * the side and step number `step` of the turn on. */
static lp_val matrices(const warp *w, const dot_staged *s, lp_val turn, lp_val at, unsigned step,
                       lp_val next, lp_val deep) {
    lp_builder *b = w->k->q.l->b;
    const unsigned each = dot_chunk(s);
    lp_val low = rest(w, w->lane, 8), row, chunk;
    if (s->along_k) {
        row = lp_iadd(b, lp_iadd(b, at, low), eights(w, next));
        chunk = plus(w, deep, 2 * step);
    } else {
        row = plus(w, lp_iadd(b, low, eights(w, deep)), 2 * step * each);
        chunk = lp_iadd(b, lp_idiv(b, at, lp_index(b, each)), next);
    }
    lp_val i = lp_iadd(b, turn, dot_ring_chunk(w->k, s, row, chunk));
    return lp_ldmatrix(b, s->p, i, 4, !s->along_k);
}

/* One f32 that lies along the side: element `at` + lane / 4 and, in that step, number `deep` + lane % 4 along k. */
static lp_val single(const warp *w, const dot_staged *s, lp_val turn, lp_val at, unsigned step,
                     unsigned deep) {
    lp_builder *b = w->k->q.l->b;
    const unsigned each = dot_chunk(s);
    lp_val row = plus(w, rest(w, w->lane, 4), 2 * step * each + deep);
    lp_val r = lp_iadd(b, at, over(w, 4)), chunk = lp_idiv(b, r, lp_index(b, each));
    lp_val i = lp_iadd(b, dot_ring_chunk(w->k, s, row, chunk), rest(w, r, each));
    return lp_load(b, s->p, lp_iadd(b, turn, i), 1, 0, 0);
}

static bool singly(const dot_staged *s) { /* ldmatrix transposes halves alone */
    return !s->along_k && s->t == BZ_F32;
}

/* A row of matrices of x: 16 rows from `at` on. */
static lp_val x_fragment(const warp *w, lp_val turn, lp_val at, unsigned step) {
    const dot_staged *s = &w->k->x;
    lp_builder *b = w->k->q.l->b;
    if (!singly(s)) return matrices(w, s, turn, at, step, rest(w, over(w, 8), 2), over(w, 16));
    lp_val v = lp_const(b, BZ_F32, 0, 4);
    for (unsigned r = 0; r < 4; r++)
        v = lp_insert(b, v, single(w, s, turn, plus(w, at, r % 2 * 8), step, r / 2 * 4), r);
    return v;
}

/* Two columns of matrices of y: 8 each from `at` on. */
static void y_fragments(const warp *w, lp_val turn, lp_val at, unsigned step, lp_val *out) {
    const dot_staged *s = &w->k->y;
    lp_builder *b = w->k->q.l->b;
    const unsigned each = dot_chunk(s) / 2;
    for (unsigned j = 0; j < 2 && singly(s); j++) {
        out[j] = lp_const(b, BZ_F32, 0, 2);
        for (unsigned r = 0; r < 2; r++)
            out[j] = lp_insert(b, out[j], single(w, s, turn, plus(w, at, j * 8), step, r * 4), r);
    }
    if (singly(s)) return;
    lp_val both = matrices(w, s, turn, at, step, over(w, 16), rest(w, over(w, 8), 2));
    uint32_t pick[8];
    for (unsigned j = 0; j < 2; j++) {
        for (unsigned l = 0; l < each; l++) pick[l] = j * each + l;
        out[j] = lp_shuffle(b, both, both, pick, each);
    }
}

/* ---- sums */

static void multiply(const warp *w, lp_val turn, lp_val *sum) {
    lp_builder *b = w->k->q.l->b;
    const uint32_t mnk[3] = {16, 8, 2 * dot_chunk(&w->k->x)};
    const lp_val xs = dot_ring_turn(w->k, &w->k->x, turn), ys = dot_ring_turn(w->k, &w->k->y, turn);
    for (unsigned step = 0; step < DOT_TURN_CHUNKS / 2; step++) {
        lp_val y[MATRICES];
        for (unsigned j = 0; j < MATRICES; j += 2)
            y_fragments(w, ys, plus(w, w->column, j * 8), step, y + j);
        for (unsigned i = 0; i < w->rows; i++) {
            lp_val x = x_fragment(w, xs, plus(w, w->row, i * 16), step);
            for (unsigned j = 0; j < MATRICES; j++)
                sum[i * MATRICES + j] = lp_mma(b, mnk, x, y[j], sum[i * MATRICES + j]);
        }
    }
}

static unsigned load(dot_block *k, lp_val turn, lp_val *v) {
    const unsigned n = dot_ring_load(k, &k->x, k->m0, turn, v);
    return n + dot_ring_load(k, &k->y, k->n0, turn, v + n);
}

static void store(dot_block *k, lp_val turn, const lp_val *v) {
    const unsigned n = dot_ring_store(k, &k->x, turn, v);
    dot_ring_store(k, &k->y, turn, v + n);
}

/* A lane has two columns of each matrix. Of the left and the right one of two, neighbours exchange theirs: even lanes get four columns of
 * the left one, odd ones of the right one. */
static lp_val four_columns(const warp *w, lp_val left, lp_val right, unsigned half) {
    lp_builder *b = w->k->q.l->b;
    const uint32_t own[2] = {2 * half, 2 * half + 1}, put[4] = {0, 1, 2, 3};
    lp_val odd = lp_base(b, IR_EQ, BZ_BOOL, (lp_val[]){rest(w, w->lane, 2), lp_index(b, 1)}, 2);
    lp_val two = lp_splat(b, odd, 2), four = lp_splat(b, odd, 4);
    left = lp_shuffle(b, left, left, own, 2);
    right = lp_shuffle(b, right, right, own, 2);
    lp_val keep = lp_base(b, IR_SELECT, BZ_F32, (lp_val[]){two, right, left}, 3);
    lp_val give = lp_base(b, IR_SELECT, BZ_F32, (lp_val[]){two, left, right}, 3);
    lp_val take = lp_warp_shuffle(b, give, 1);
    lp_val even = lp_shuffle(b, keep, take, put, 4);
    return lp_base(b, IR_SELECT, BZ_F32, (lp_val[]){four, lp_shuffle(b, take, keep, put, 4), even},
                   3);
}

static warp warp_of(dot_block *k) {
    lp_builder *b = k->q.l->b;
    warp w = {.k = k, .rows = k->t.rows / 2};
    lp_val number = lp_idiv(b, k->thread, lp_index(b, GPU_WARP));
    lp_val across = lp_index(b, k->t.across / 4);
    w.lane = lp_imod(b, k->thread, lp_index(b, GPU_WARP));
    w.row = lp_imul(b, lp_idiv(b, number, across), lp_index(b, 16 * w.rows));
    w.column = lp_imul(b, lp_imod(b, number, across), lp_index(b, 8 * MATRICES));
    return w;
}

static void sums(dot_block *k, lp_val *sum) {
    lp_builder *b = k->q.l->b;
    const warp w = warp_of(k);
    const unsigned n = w.rows * MATRICES;
    const bool copies = k->x.straight || k->y.straight;
    lp_val acc[MOST], next[MOST], v[2 * DOT_LOADS];
    for (unsigned i = 0; i < n; i++) acc[i] = lp_const(b, BZ_F32, 0, 4);
    lp_val deep = lp_index(b, k->t.deep), first = lp_idiv(b, k->from, deep);
    for (unsigned t = 0; t + 1 < DOT_TURNS; t++) {
        load(k, plus(&w, first, t), v);
        if (copies) lp_async_group(b);
        store(k, plus(&w, first, t), v);
    }
    lp_val t = lp_loop(b, LP_SERIAL, first, lower_cover(b, k->to, deep), 1, acc, n, next);
    if (copies) lp_async_wait(b, DOT_TURNS - 2);
    lp_barrier(b);
    lp_val then = plus(&w, t, DOT_TURNS - 1);
    load(k, then, v);
    if (copies) lp_async_group(b);
    multiply(&w, t, next);
    store(k, then, v);
    lp_end(b, next, n, acc);
    if (copies) lp_async_wait(b, 0);
    for (unsigned i = 0; i < n; i++) { /* vector i: row i / nv, of 8 rows apart */
        const unsigned row = i / k->nv, j = row / 2 * MATRICES + i % k->nv * 2;
        sum[i] = four_columns(&w, acc[j], acc[j + 1], row % 2);
    }
}

bool dot_by_mma(dot_block *k) {
    lp_builder *b = k->q.l->b;
    k->by_matrix = true;
    choose_tile(k);
    dot_make_counts(k);
    dot_ring_plan(k, &k->x, &k->q.x, k->t.rows * k->t.down);
    dot_ring_plan(k, &k->y, &k->q.y, k->t.columns * k->t.across);
    lp_val t = dot_open_tiles(k);
    dot_ring_make(k, &k->x);
    dot_ring_make(k, &k->y);
    dot_open_threads(k, t);
    const warp w = warp_of(k);
    lp_val quarter = rest(&w, w.lane, 4), right = eights(&w, rest(&w, w.lane, 2));
    lp_val four = lp_imul(b, lp_idiv(b, quarter, lp_index(b, 2)), lp_index(b, 4));
    k->row = lp_iadd(b, w.row, over(&w, 4));
    k->column = lp_iadd(b, w.column, lp_iadd(b, right, four));
    k->row_step = 8;
    k->column_step = 16;
    return dot_close(k, sums);
}
