/* map_block.c - elements by blocks of threads, each 16 bytes at a time.
 *
 *     tile     |  u = 0: thread 0, 1 ... 255  |  u = 1: thread 0, 1 ...  |      a vector for each thread; neighbours side by side
 *
 * Elements are counted in one row, of which the inner axes are whole vectors, or all there is. Vectors are read and written at once where
 * every pointer is a multiple of their bytes, which the code asks: a caller's window may begin anywhere. Else, and at the end,
 * elements are done one by one. */
#include "src/passes/gpu/gpu.h"
#include "src/passes/forms/map.h"

enum {
    THREADS = GPU_WARP * GPU_WARPS,
    LIGHT = 16, /* steps up to which a thread does two vectors: more bytes are under way */
    MOST_BYTES = 64
};

static unsigned wider(const lower *l, lp_val p, unsigned than) {
    const unsigned size = (unsigned)ir_dtype_bytes((bz_dtype)lp_at(l->b, p)->dtype);
    return size > than ? size : than;
}

/* Lanes of a thread's vectors along c: 16 bytes of the widest dtype that is read (l->c) or stored along it. */
static unsigned lanes_along(const lower *l, ir_ex c) {
    unsigned size = 1;
    for (uint32_t i = 0; i < l->c.reads.n; i++)
        if (ir_ex_uses(&l->x, l->c.reads.p[i].offset, c)) size = wider(l, l->c.reads.p[i].p, size);
    for (uint32_t i = 0; i < l->outputs.n; i++) size = wider(l, l->out_pointers.p[i], size);
    return 16 / size;
}

/* May a caller hand over buffer i wherever it lies? Others are multiples of 64 bytes, and where in them a pointer leads is known. */
static bool lies_anywhere(const lower *l, uint32_t i, unsigned lanes) {
    const pass_buffer *of = &l->plan->buffers.p[l->buffers.p[i]];
    if (of->count < (int64_t)lanes && !l->together) return false;
    return of->place == PASS_INPUT || of->place == PASS_CONST || l->group->form->window;
}

/* Is buffer i one of the group's? A part of a band has others' beside its own. */
static bool is_touched(const lower *l, uint32_t i) {
    const uint32_t buffer = l->buffers.p[i];
    bool found = !l->in_part;
    for (uint32_t k = 0; k < l->out_pointers.n; k++)
        found |= l->out_pointers.p[k] == l->pointers.p[i];
    for (uint32_t n = 0; n < l->group->nodes.n && !found; n++) {
        const ir_ref r = l->group->nodes.p[n];
        for (uint32_t k = l->f->first_read[r]; k < l->f->first_read[r + 1]; k++) {
            const ir_ref base = l->f->reads.p[k].base;
            found |= l->homes.buffer_of[base] == buffer || l->homes.listed[base] == buffer;
        }
    }
    return found;
}

lp_val gpu_aligned(lower *l, unsigned lanes) {
    lp_builder *b = l->b;
    lp_val all = 0;
    for (uint32_t i = 0; i < l->buffers.n; i++) {
        const bz_dtype t = l->plan->buffers.p[l->buffers.p[i]].dtype;
        const int64_t bytes = (int64_t)(lanes * ir_dtype_bytes(t));
        if (!lies_anywhere(l, i, lanes) || !is_touched(l, i)) continue;
        emit_asked(&l->m, l->pointers.p[i]);
        lp_val one = lp_is_aligned(b, l->pointers.p[i], lp_index(b, 0),
                                   bytes < MOST_BYTES ? bytes : MOST_BYTES);
        all = all ? lp_base(b, IR_AND, BZ_BOOL, (lp_val[]){all, one}, 2) : one;
    }
    return all;
}

typedef struct block {
    lower *l;
    const map_space *s;
    unsigned lanes;
    lp_val aligned;          /* are the pointers? */
    lp_val n, first, thread; /* elements in all; of the tile the first one; the thread's number */
} block;

/* `lanes` elements from `at` on: the values, and what is stored of them. */
static void some(block *k, lp_val at, unsigned lanes) {
    lower *l = k->l;
    lp_builder *b = l->b;
    const unsigned mark = emit_mark(&l->m);
    const bool rows = k->s->outer != 1;
    lp_val inner = lp_index(b, k->s->inner), o = rows ? lp_idiv(b, at, inner) : lp_index(b, 0);
    emit_sym(&l->m, k->s->o, o);
    emit_vector(&l->m, k->s->c, rows ? lp_isub(b, at, lp_imul(b, o, inner)) : at, lanes, 1, 0);
    lower_store_outputs(l, FUSE_FULL, 0);
    emit_forget(&l->m, mark);
    emit_scalar(&l->m);
}

/* Where the u'th vector of the thread begins. */
static lp_val vector_at(const block *k, lp_val u) {
    lp_builder *b = k->l->b;
    lp_val v = lp_iadd(b, lp_imul(b, u, lp_index(b, THREADS)), k->thread);
    return lp_iadd(b, k->first, lp_imul(b, v, lp_index(b, k->lanes)));
}

static void vector(block *k, lp_val at) {
    k->l->m.aligned = true;
    some(k, at, k->lanes);
    k->l->m.aligned = false;
}

/* The elements of the u'th vectors: a vector that is not all there alone, or, if pointers forbid them, those of all threads. */
static void one_by_one(block *k, lp_val u, lp_val at) {
    lp_builder *b = k->l->b;
    lp_val one = lp_index(b, 1), threads = lp_index(b, THREADS), lanes = lp_index(b, k->lanes);
    lp_val tile = lp_iadd(b, k->first, lp_imul(b, u, lp_imul(b, threads, lanes)));
    lp_val from =
        lp_base(b, IR_SELECT, BZ_I64, (lp_val[]){k->aligned, at, lp_iadd(b, tile, k->thread)}, 3);
    lp_val step = lp_base(b, IR_SELECT, BZ_I64, (lp_val[]){k->aligned, one, threads}, 3);
    lp_val j = lp_loop(b, LP_SERIAL, lp_index(b, 0), lanes, 1, NULL, 0, NULL);
    lp_val e = lp_iadd(b, from, lp_imul(b, j, step));
    lp_if(b, lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){e, k->n}, 2));
    some(k, e, 1);
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
}

/* The u'th vectors of a tile that may not be whole. */
static void vector_or_less(block *k, lp_val u) {
    lp_builder *b = k->l->b;
    lp_val at = vector_at(k, u), end = lp_iadd(b, at, lp_index(b, k->lanes));
    lp_val there = lp_base(b, IR_LE, BZ_BOOL, (lp_val[]){end, k->n}, 2);
    if (k->lanes > 1) {
        lp_if(b, lp_base(b, IR_AND, BZ_BOOL, (lp_val[]){there, k->aligned}, 2));
        vector(k, at);
        lp_else(b, NULL, 0);
    }
    one_by_one(k, u, at);
    if (k->lanes > 1) lp_end(b, NULL, 0, NULL);
}

/* `each` vectors a thread. */
static void tile(block *k, unsigned each, int64_t size) {
    lp_builder *b = k->l->b;
    lp_val zero = lp_index(b, 0), all = lp_index(b, each);
    if (each == 1) {
        vector_or_less(k, zero);
        return;
    }
    lp_val end = lp_iadd(b, k->first, lp_index(b, size));
    lp_val whole = lp_base(b, IR_LE, BZ_BOOL, (lp_val[]){end, k->n}, 2);
    lp_if(b, lp_base(b, IR_AND, BZ_BOOL, (lp_val[]){whole, k->aligned}, 2));
    vector(k, vector_at(k, lp_loop(b, LP_UNROLLED, zero, all, 1, NULL, 0, NULL)));
    lp_end(b, NULL, 0, NULL);
    lp_else(b, NULL, 0);
    vector_or_less(k, lp_loop(b, LP_SERIAL, zero, all, 1, NULL, 0, NULL));
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
}

static bool all_elements(lower *l, const map_space *s, unsigned lanes) {
    lp_builder *b = l->b;
    block k = {.l = l, .s = s, .lanes = lanes};
    const bool rows = s->outer != 1;
    const unsigned each = l->group->steps <= LIGHT ? 2 : 1;
    const int64_t size = (int64_t)THREADS * lanes * each;
    k.n = emit_extent(&l->m, rows ? "rows" : "n", rows ? s->outer : s->inner);
    if (rows) k.n = lp_imul(b, k.n, lp_index(b, s->inner));
    lp_val aligned = gpu_aligned(l, lanes);
    k.aligned = aligned ? aligned : lp_const(b, BZ_BOOL, 1, 1);
    lp_val tiles = lower_cover(b, k.n, lp_index(b, size));
    lp_val t = lp_loop(b, LP_PARALLEL, lp_index(b, 0), tiles, 1, NULL, 0, NULL);
    k.first = lp_imul(b, t, lp_index(b, size));
    k.thread = lp_loop(b, LP_BLOCK, lp_index(b, 0), lp_index(b, THREADS), 1, NULL, 0, NULL);
    tile(&k, each, size);
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
    return !l->m.failed;
}

bool lower_map_block(lower *l) {
    map_space s;
    map_tiles t;
    map_choose_space(l, &s, 4);
    const unsigned lanes = lanes_along(l, s.c);
    if (map_choose_tiles(l, &s, lanes, &t)) return lower_tiles_block(l, &t);
    if (s.outer > 1 && s.inner % lanes) map_cut(l, &s, l->space.nfull);
    return all_elements(l, &s, lanes);
}
