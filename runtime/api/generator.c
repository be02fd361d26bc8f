/* generator.c - places in streams of random numbers: kept, set, split, moved on.
 *
 *     (seed, stream) --mixed--> key of the stream        offset: its next word, a multiple of 4
 *
 * Stream 0 of a seed is that of bz_seed, whose key is the seed itself. A generator that is split gives its offsets away, four words for each part: a part's
 * stream is what the three numbers are mixed to, 64 bits. */
#include "runtime/record/record.h"

/* The end of splitmix64: one to one. */
static uint64_t mixed(uint64_t x) {
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static uint64_t both(uint64_t x, uint64_t y) {
    return mixed(x ^ mixed(y + UINT64_C(0x9e3779b97f4a7c15)));
}

static bz_status may_not(bz_context *c, const char *op) {
    return rt_ready(c, op, "the place in the random stream is not known",
                    "call it before or behind; each call of the function draws new numbers");
}

bz_status bz_get_generator(bz_context *c, bz_generator *out) {
    RT_VISIT(c, RT_STRAY_STATUS);
    if (!out) return rt_fail(c, BZ_EARG, NULL, "get_generator", "out is NULL");
    bz_status s = may_not(c, "get_generator");
    if (s) return s;
    *out = (bz_generator){c->random[0], c->random[1], c->stream};
    return BZ_OK;
}

bz_status bz_set_generator(bz_context *c, const bz_generator *g) {
    RT_VISIT(c, RT_STRAY_STATUS);
    if (!g || g->offset % 4)
        return rt_fail(c, BZ_EARG, NULL, "set_generator",
                       g ? "the offset %llu is no multiple of 4" : "NULL is no generator",
                       g ? (unsigned long long)g->offset : 0ULL);
    bz_status s = may_not(c, "set_generator");
    if (s) return s;
    const uint64_t key = g->stream ? both(g->seed, g->stream) : g->seed;
    if (key != c->seed)
        rt_epoch_end(c, "bz_set_generator"); /* what is recorded keeps the old stream */
    c->seed = key;
    c->random[0] = g->seed;
    c->random[1] = g->stream;
    c->stream = g->offset;
    return BZ_OK;
}

bz_status bz_split_generator(bz_generator *g, bz_generator *out, int n) {
    if (!g || n < 0 || (n && !out)) return BZ_EARG;
    for (int i = 0; i < n; i++, g->offset += 4) {
        const uint64_t stream = both(both(g->seed, g->stream), g->offset + 1);
        out[i] = (bz_generator){g->seed, stream ? stream : 1, 0};
    }
    return BZ_OK;
}

void bz_jump_generator(bz_generator *g, uint64_t words) {
    if (g) g->offset += (words + 3) & ~UINT64_C(3);
}
