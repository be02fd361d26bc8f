/* exec_mem.c - loads and stores: addresses checked, memory moved, checkers and counters
 * told. */
#include "exec.h"

#include "run.h"

#include <stdio.h>
#include <string.h>

/* ---- addresses ---- */

void mem_addresses(const warp *w, const ins *i, uint64_t ad[LANES]) {
    uint64_t add = (uint64_t)i->imm + (i->flags & INS_CONST_ADDR ? w->cur->local : 0);
    if (i->dw2 == 8) {
        const uint64_t *a = reg_at(w, i->a);
        for (unsigned l = 0; l < LANES; l++) ad[l] = a[l] + add;
    } else {
        const uint32_t *a = reg_at(w, i->a);
        for (unsigned l = 0; l < LANES; l++) ad[l] = (uint32_t)(a[l] + add);
    }
}

uint64_t mem_live_bytes(const ins *i, unsigned bytes) {
    uint64_t live = bytes >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << bytes) - 1;
    for (unsigned k = 0; k < i->n && i->surplus; k++)
        if (i->surplus >> k & 1) live &= ~((((uint64_t)1 << i->bytes) - 1) << k * i->bytes);
    return live;
}

static unsigned span_of(uint64_t live) {
    return 64 - (unsigned)__builtin_clzll(live);
}

void mem_fault(warp *w, const ins *i, unsigned lane, ptx_report_kind kind, uint64_t address,
               const char *text) {
    find_fault(w, i, lane, kind,
               kind == PTX_REPORT_MISALIGNED ? PTX_MISALIGNED : PTX_ILLEGAL_ADDRESS, address, "%s",
               text);
}

const ptx_extent *mem_find(const launch *ln, uint64_t address) {
    const ptx_memory *m = ln->p->memory;
    if (ln->workspace.size && address - ln->workspace.base < ln->workspace.size)
        return &ln->workspace;
    if (address >= PTX_HEAPS) return m ? heap_find(m->heap, address) : NULL;
    return m && m->find ? m->find(m->ctx, address) : NULL;
}

const ptx_extent *mem_extent(warp *w, const ins *i, uint64_t address) {
    const ptx_extent **cached = &w->wk->cache[ins_index(w, i) % 64];
    const ptx_extent *e = *cached;
    if (e && address - e->base < e->size) return e;
    e = mem_find(w->b->ln, address);
    if (e && address - e->base < e->size) *cached = e;
    return e;
}

/* Why a lane may not reach `bytes` at `address` of (or near) `e`; NULL: it may. */
static const char *obstacle(const ptx_extent *e, uint64_t address, unsigned bytes, bool writes,
                            char text[160]) {
    const char *what = writes ? "store" : "load";
    if (!e || address < e->base) {
        snprintf(text, 160, "%s of %u bytes outside of all memory", what, bytes);
        return text;
    }
    uint64_t off = address - e->base;
    if (off > e->size || e->size - off < bytes) {
        snprintf(text, 160, "%s of %u bytes, %llu past the start of %llu bytes", what, bytes,
                 (unsigned long long)off, (unsigned long long)e->size);
        return text;
    }
    return e->flags & PTX_EXTENT_FREED                ? "memory was freed before"
           : e->flags & PTX_EXTENT_DENIED             ? "no access to another device's memory"
           : writes && e->flags & PTX_EXTENT_READONLY ? "store to read-only memory"
                                                      : NULL;
}

/* Of one lane: its extent, or NULL after a fault. */
static const ptx_extent *lane_reaches(warp *w, const ins *i, unsigned lane, uint64_t address,
                                      unsigned bytes, unsigned how) {
    const ptx_extent *e = mem_extent(w, i, address);
    char text[160];
    unsigned span = span_of(mem_live_bytes(i, bytes));
    const char *why = obstacle(e, address, span, how & (ACC_WRITE | ACC_ATOMIC), text);
    if (why == text && e && !e->flags && address >= e->base &&
        address - e->base + span <= e->size + e->slack) {
        find_note(w, i, lane, PTX_REPORT_OUT_OF_BOUNDS, address, "%s", text);
        why = NULL;
    }
    if (why)
        mem_fault(w, i, lane,
                  e && e->flags & PTX_EXTENT_FREED ? PTX_REPORT_USE_AFTER_FREE
                                                   : PTX_REPORT_OUT_OF_BOUNDS,
                  address, why);
    else if (address & (bytes - 1))
        mem_fault(w, i, lane, PTX_REPORT_MISALIGNED, address,
                  "address is not a multiple of the access size");
    else
        return e;
    return NULL;
}

static unsigned first_lane(uint32_t mask) {
    return (unsigned)__builtin_ctz(mask);
}

/* ---- counters ---- */

static void count_global(warp *w, uint32_t mask, const uint64_t *ad, unsigned bytes, bool store) {
    uint64_t seen[LANES], n = 0;
    EACH_LANE(l, mask) {
        for (uint64_t s = ad[l] / 32; s <= (ad[l] + bytes - 1) / 32; s++) {
            bool known = false;
            for (uint64_t k = n > 8 ? n - 8 : 0; k < n && !known; k++) known = seen[k] == s;
            if (!known && n < LANES) seen[n++] = s;
        }
    }
    uint64_t total = (uint64_t)__builtin_popcount(mask) * bytes, ideal = (total + 31) / 32;
    ptx_counters *c = &w->wk->count;
    if (store) {
        c->global_store_requests++;
        c->global_store_bytes += total;
        c->global_store_sectors += n;
        c->global_store_sectors_ideal += ideal < n ? ideal : n;
    } else {
        c->global_load_requests++;
        c->global_load_bytes += total;
        c->global_load_sectors += n;
        c->global_load_sectors_ideal += ideal < n ? ideal : n;
    }
}

/* Wavefronts: the most different words that one bank must serve, in passes of 128 bytes for wide
 * accesses. */
static void count_shared(warp *w, uint32_t mask, const uint64_t *ad, unsigned bytes) {
    unsigned lanes_a_pass = bytes <= 4 ? 32 : bytes == 8 ? 16 : 8;
    ptx_counters *c = &w->wk->count;
    c->shared_requests++;
    for (unsigned start = 0; start < LANES; start += lanes_a_pass) {
        uint64_t words[32][32];
        unsigned depth[32] = {0}, worst = 0;
        for (unsigned l = start; l < start + lanes_a_pass; l++) {
            for (unsigned k = 0; mask >> l & 1 && k < (bytes + 3) / 4; k++) {
                uint64_t word = ad[l] / 4 + k;
                unsigned bank = word % 32, d = 0;
                while (d < depth[bank] && words[bank][d] != word) d++;
                if (d == depth[bank] && d < 32) words[bank][depth[bank]++] = word;
                worst = depth[bank] > worst ? depth[bank] : worst;
            }
        }
        c->shared_wavefronts += worst;
        c->shared_wavefronts_ideal += worst > 0;
    }
}

/* ---- global memory ---- */

static void touch_lanes(warp *w, const ins *i, uint32_t mask, const uint64_t *ad, uint64_t live,
                        unsigned how, const ptx_extent *e) {
    uint64_t line = UINT64_MAX, m[2] = {0, 0};
    unsigned lane = 0;
    EACH_LANE(l, mask) {
        uint64_t off = ad[l] - e->base;
        if (off >> 7 != line) {
            if (line != UINT64_MAX) shadow_touch(w, i, lane, e, line, m[0], m[1], how);
            line = off >> 7;
            m[0] = m[1] = 0;
            lane = l;
        }
        m[off >> 6 & 1] |= live << (off & 63);
    }
    shadow_touch(w, i, lane, e, line, m[0], m[1], how);
}

/* All lanes lie in one extent, aligned and allowed: the usual case, decided without looking at
 * each. */
static const ptx_extent *all_reach(warp *w, const ins *i, uint32_t mask, const uint64_t *ad,
                                   unsigned bytes, unsigned span, unsigned how) {
    const ptx_extent *e = mem_extent(w, i, ad[first_lane(mask)]);
    uint32_t forbidden = PTX_EXTENT_FREED | PTX_EXTENT_DENIED |
                         (how & (ACC_WRITE | ACC_ATOMIC) ? PTX_EXTENT_READONLY : 0);
    if (!e || e->flags & forbidden || e->size < span) return NULL;
    uint64_t worst = 0, bits = 0;
    if (mask == ALL_LANES)
        for (unsigned l = 0; l < LANES; l++) {
            uint64_t off = ad[l] - e->base;
            worst = off > worst ? off : worst;
            bits |= ad[l];
        }
    else
        EACH_LANE(l, mask) {
            uint64_t off = ad[l] - e->base;
            worst = off > worst ? off : worst;
            bits |= ad[l];
        }
    return worst <= e->size - span && !(bits & (bytes - 1)) ? e : NULL;
}

bool mem_global(warp *w, const ins *i, uint32_t mask, const uint64_t *ad, unsigned bytes,
                unsigned how, uint8_t **host) {
    uint64_t live = mem_live_bytes(i, bytes);
    const ptx_extent *e = all_reach(w, i, mask, ad, bytes, span_of(live), how);
    if (w->b->ln->counting) count_global(w, mask, ad, bytes, how & (ACC_WRITE | ACC_ATOMIC));
    if (e) {
        /* lanes outside the mask may hold any address: as numbers, not as pointers */
        for (unsigned l = 0; l < LANES; l++)
            host[l] = (uint8_t *)((uintptr_t)e->host + (uintptr_t)(ad[l] - e->base));
        if (e->shadow) {
            touch_lanes(w, i, mask, ad, live, how, e);
            race_global(w, i, mask, ad, bytes, live, how);
        }
        return true;
    }
    EACH_LANE(l, mask) {
        e = lane_reaches(w, i, l, ad[l], bytes, how);
        if (!e) return false;
        uint64_t off = ad[l] - e->base;
        host[l] = e->host + off;
        if (e->shadow && off + span_of(live) <= e->size)
            touch_lanes(w, i, 1u << l, ad, live, how, e);
    }
    return true;
}

/* ---- shared memory and parameters ---- */

uint64_t mem_shared_name(const block *b, uint64_t offset) {
    return WIN_SHARED + ((uint64_t)(b->rank + 1) << RANK_BITS) + offset;
}

block *mem_shared_block(warp *w, const ins *i, unsigned lane, uint64_t address) {
    uint64_t rank = (address - WIN_SHARED) >> RANK_BITS;
    const cluster *c = w->b->cl;
    if (!rank || rank == w->b->rank + 1) return w->b;
    if (rank > c->n) {
        mem_fault(w, i, lane, PTX_REPORT_OUT_OF_BOUNDS, address,
                  "no block of the cluster has this address");
        return NULL;
    }
    if (c->block[rank - 1]->live_threads) return c->block[rank - 1];
    mem_fault(w, i, lane, PTX_REPORT_USE_AFTER_FREE, address,
              "shared memory of a block that has ended");
    return NULL;
}

uint32_t mem_shared_of(warp *w, const ins *i, uint32_t mask, const uint64_t *ad,
                       uint64_t own[LANES], block **b) {
    unsigned first = first_lane(mask);
    uint64_t rank = (ad[first] - WIN_SHARED) >> RANK_BITS;
    uint32_t same = 0;
    *b = mem_shared_block(w, i, first, ad[first]);
    if (!*b) return 0;
    for (unsigned l = 0; l < LANES; l++)
        own[l] = (ad[l] - WIN_SHARED) & (((uint64_t)1 << RANK_BITS) - 1);
    EACH_LANE(l, mask)
    same |= (uint32_t)((ad[l] - WIN_SHARED) >> RANK_BITS == rank) << l;
    return same;
}

bool mem_shared_ok(warp *w, const ins *i, uint32_t mask, const block *b, const uint64_t *ad,
                   unsigned bytes) {
    uint64_t limit = b->shared_bytes, worst = 0, bits = 0;
    unsigned span = span_of(mem_live_bytes(i, bytes));
    if (mask == ALL_LANES)
        for (unsigned l = 0; l < LANES; l++) {
            worst = ad[l] > worst ? ad[l] : worst;
            bits |= ad[l];
        }
    else
        EACH_LANE(l, mask) {
            worst = ad[l] > worst ? ad[l] : worst;
            bits |= ad[l];
        }
    if (worst < limit && limit - worst >= span && !(bits & (bytes - 1))) {
        if (w->b->ln->counting) count_shared(w, mask, ad, bytes);
        return true;
    }
    EACH_LANE(l, mask) {
        char text[128];
        if (ad[l] >= limit || limit - ad[l] < span) {
            snprintf(text, sizeof text,
                     "access of %u bytes at offset %llu of %llu bytes of shared memory", span,
                     (unsigned long long)ad[l], (unsigned long long)limit);
            mem_fault(w, i, l, PTX_REPORT_OUT_OF_BOUNDS, WIN_SHARED + ad[l], text);
            return false;
        }
        if (ad[l] & (bytes - 1)) {
            mem_fault(w, i, l, PTX_REPORT_MISALIGNED, WIN_SHARED + ad[l],
                      "address is not a multiple of the access size");
            return false;
        }
    }
    return true;
}

static bool param_ok(warp *w, const ins *i, uint32_t mask, const uint64_t *ad, unsigned bytes) {
    uint64_t limit = w->b->ln->p->param_bytes;
    EACH_LANE(l, mask)
    if (ad[l] >= limit || limit - ad[l] < bytes) {
        mem_fault(w, i, l, PTX_REPORT_OUT_OF_BOUNDS, WIN_PARAM + ad[l],
                  "access outside of the parameters");
        return false;
    }
    return true;
}

/* ---- moving data ---- */

static uint64_t extended(const ins *i, const uint8_t *from) {
    uint64_t v = 0;
    memcpy(&v, from, i->bytes);
    if (!(i->flags & INS_SIGNED) || i->bytes >= 4) return v;
    return (uint64_t)(int64_t)(i->bytes == 1 ? (int8_t)v : (int16_t)v);
}

static void fill_lanes(const warp *w, const ins *i, uint32_t mask, uint8_t *const *host) {
    const int32_t *list = &w->b->ln->module->list.at[i->e];
    for (unsigned k = 0; k < i->n; k++) {
        uint8_t *d = reg_at(w, list[k]);
        unsigned at = k * i->bytes;
        if (i->surplus >> k & 1) continue;
        if (i->bytes == 4 && mask == ALL_LANES)
            for (unsigned l = 0; l < LANES; l++) memcpy(d + 4 * l, host[l] + at, 4);
        else if (i->bytes == 8 && mask == ALL_LANES)
            for (unsigned l = 0; l < LANES; l++) memcpy(d + 8 * l, host[l] + at, 8);
        else if (i->bytes >= 4)
            EACH_LANE(l, mask)
        memcpy(d + l * i->bytes, host[l] + at, i->bytes);
        else EACH_LANE(l, mask) {
            uint32_t v = (uint32_t)extended(i, host[l] + at);
            memcpy(d + 4 * l, &v, 4);
        }
    }
}

static void drain_lanes(const warp *w, const ins *i, uint32_t mask, uint8_t *const *host) {
    const int32_t *list = &w->b->ln->module->list.at[i->e];
    for (unsigned k = 0; k < i->n; k++) {
        const uint8_t *b = reg_at(w, list[k]);
        unsigned at = k * i->bytes;
        if (i->bytes == 4 && mask == ALL_LANES)
            for (unsigned l = 0; l < LANES; l++) memcpy(host[l] + at, b + 4 * l, 4);
        else
            EACH_LANE(l, mask)
        memcpy(host[l] + at, b + l * i->aw, i->bytes);
    }
}

static void param_pointers(const warp *w, const uint64_t *ad, uint8_t **host) {
    union {
        const void *in;
        uint8_t *out;
    } p = {.in = w->b->ln->p->params}; /* only read through */
    for (unsigned l = 0; l < LANES; l++) host[l] = p.out + ad[l];
}

/* Where the lanes' bytes lie, checked; false after a fault. `ad` are the space's own addresses, shared
 * ones in `b`. */
static bool reach(warp *w, const ins *i, uint32_t mask, block *b, const uint64_t *ad,
                  ptx_space space, bool store, uint8_t **host) {
    unsigned bytes = (unsigned)i->bytes * i->n;
    bool strong = i->flags & INS_STRONG;
    unsigned how = store    ? (strong ? ACC_ATOMIC : ACC_WRITE)
                   : strong ? ACC_STRONG_READ | (i->sub == LOAD_DATA ? ACC_DATA : 0)
                            : ACC_READ | (i->sub == LOAD_NC ? ACC_NC : 0);
    switch (space) {
    case PTX_SHARED:
        if (!mem_shared_ok(w, i, mask, b, ad, bytes)) return false;
        if (store)
            race_write(w, i, mask, b, ad, bytes, strong);
        else
            race_read(w, i, mask, b, ad, bytes, mem_live_bytes(i, bytes), how);
        for (unsigned l = 0; l < LANES; l++) /* as numbers: lanes that sit out hold anything */
            host[l] = (uint8_t *)((uintptr_t)b->shared + ad[l]);
        return true;
    case PTX_LOCAL: return mem_local(w, i, mask, ad, bytes, store, host);
    case PTX_PARAM:
        if (store) {
            mem_fault(w, i, first_lane(mask), PTX_REPORT_OUT_OF_BOUNDS, WIN_PARAM,
                      "store to parameters");
            return false;
        }
        if (!param_ok(w, i, mask, ad, bytes)) return false;
        param_pointers(w, ad, host);
        return true;
    default: break;
    }
    return mem_global(w, i, mask, ad, bytes, how, host);
}

/* Volatile and relaxed accesses to global memory are ordered between blocks: at the end of a round.
 */
static bool must_wait(warp *w, const ins *i, uint32_t mask, ptx_space space) {
    if (!(i->flags & INS_STRONG) || w->serial || space == PTX_SHARED || space == PTX_LOCAL ||
        w->b->ln->n_blocks == 1)
        return false;
    split_block(w, i, mask, SPLIT_ROUND);
    return true;
}

void mem_order(warp *w, const ins *i, uint32_t mask, const uint64_t *ad, uint64_t window,
               unsigned how, uint32_t wrote) {
    bool wide = i->flags & INS_WIDE;
    if (i->flags & INS_RELEASE) order_fence(w, mask, wide);
    EACH_LANE(l, mask)
    order_access(w, l, window + ad[l], wrote >> l & 1 ? how : how & ACC_ASKED);
    if (i->flags & INS_ACQUIRE) order_fence(w, mask, wide);
}

static bool same_data(const warp *w, const ins *i, unsigned l, unsigned m) {
    const int32_t *list = &w->b->ln->module->list.at[i->e];
    for (unsigned k = 0; k < i->n; k++) {
        const uint8_t *b = reg_at(w, list[k]);
        if (memcmp(b + l * i->aw, b + m * i->aw, i->bytes) != 0) return false;
    }
    return true;
}

/* Do several lanes store to one address? Addresses of one store are equal or apart: they are aligned.
 * A bit for each of 256 neighbours says no at once for all but scattered stores. */
static bool may_collide(uint32_t mask, const uint64_t *ad, unsigned bytes) {
    uint64_t taken[4] = {0};
    EACH_LANE(l, mask) {
        uint64_t k = ad[l] / bytes % 256, bit = (uint64_t)1 << k % 64;
        if (taken[k / 64] & bit) return true;
        taken[k / 64] |= bit;
    }
    return false;
}

/* Of different values stored to one address by one instruction, which one stays is not specified. */
static void check_collisions(warp *w, const ins *i, uint32_t mask, const uint64_t *ad,
                             ptx_space space) {
    bool shared = space == PTX_SHARED;
    unsigned check = shared ? PTX_CHECK_RACE_SHARED : PTX_CHECK_RACE_GLOBAL;
    if (space > PTX_SHARED || !(w->b->ln->checks & check) ||
        !may_collide(mask, ad, (unsigned)i->bytes * i->n))
        return;
    EACH_LANE(l, mask)
    EACH_LANE(m, mask & ((1u << l) - 1)) {
        if (ad[l] != ad[m] || same_data(w, i, l, m)) continue;
        find_note(w, i, l, shared ? PTX_REPORT_RACE_SHARED : PTX_REPORT_RACE_GLOBAL,
                  shared ? WIN_SHARED + ad[l] : ad[l],
                  "lane %u of the warp stores another value here at the same time", m);
        return;
    }
}

static void access(warp *w, const ins *i, uint32_t mask, block *b, const uint64_t *ad,
                   ptx_space space, bool store) {
    uint8_t *host[LANES];
    bool ordered = space == PTX_GLOBAL && i->flags & INS_STRONG;
    bool flag = ordered || (space == PTX_SHARED && i->flags & INS_STRONG);
    uint64_t window = space == PTX_SHARED ? mem_shared_name(b, 0) : 0;
    if (store && flag) mem_order(w, i, mask, ad, window, ACC_WRITE, mask);
    if (!reach(w, i, mask, b, ad, space, store, host)) return;
    if (!store) {
        if (flag) mem_order(w, i, mask, ad, window, ACC_ASKED, 0);
        fill_lanes(w, i, mask, host);
        if (flag) warp_idles(w, false);
        return;
    }
    for (unsigned k = 0; ordered && !w->b->ln->changed && k < LANES; k++)
        if (mask >> k & 1)
            w->b->ln->changed =
                memcmp(host[k], (char *)reg_at(w, i->b) + k * i->aw, i->bytes) != 0 || i->n > 1;
    check_collisions(w, i, mask, ad, space);
    drain_lanes(w, i, mask, host);
    w->idle = 0;
}

static void plain(warp *w, const ins *i, uint32_t mask, ptx_space space, bool store) {
    if (must_wait(w, i, mask, space)) return;
    uint64_t ad[LANES];
    mem_addresses(w, i, ad);
    access(w, i, mask, w->b, ad, space, store);
}

#define PLAIN(name, space, store)                                                                  \
    void x_##name(warp *w, const ins *i, uint32_t mask) {                                          \
        plain(w, i, mask, space, store);                                                           \
    }
PLAIN(ld_global, PTX_GLOBAL, false)
PLAIN(ld_shared, PTX_SHARED, false)
PLAIN(ld_local, PTX_LOCAL, false)
PLAIN(ld_param, PTX_PARAM, false)
PLAIN(st_global, PTX_GLOBAL, true)
PLAIN(st_shared, PTX_SHARED, true)
PLAIN(st_local, PTX_LOCAL, true)

/* Lanes may be in different spaces: each space's lanes go together. */
static void generic(warp *w, const ins *i, uint32_t mask, bool store) {
    static const uint64_t window[] = {
        [PTX_GLOBAL] = 0, [PTX_LOCAL] = WIN_LOCAL, [PTX_PARAM] = WIN_PARAM};
    uint64_t ad[LANES];
    uint32_t in[PTX_PARAM + 1] = {0};
    mem_addresses(w, i, ad);
    EACH_LANE(l, mask)
    in[generic_space(ad[l])] |= 1u << l;
    if (in[PTX_GLOBAL] && must_wait(w, i, mask, PTX_GLOBAL)) return;
    if (in[PTX_SPACE_NONE]) {
        unsigned l = first_lane(in[PTX_SPACE_NONE]);
        mem_fault(w, i, l, PTX_REPORT_OUT_OF_BOUNDS, ad[l], "an address of no space");
        return;
    }
    uint64_t own[LANES];
    for (uint32_t rest = in[PTX_SHARED], same; rest; rest &= ~same) {
        block *b;
        same = mem_shared_of(w, i, rest, ad, own, &b);
        if (!same) return;
        access(w, i, same, b, own, PTX_SHARED, store);
    }
    for (ptx_space s = PTX_GLOBAL; s <= PTX_PARAM; s++) {
        if (!in[s] || s == PTX_SHARED) continue;
        for (unsigned l = 0; l < LANES; l++) own[l] = ad[l] - window[s];
        access(w, i, in[s], w->b, own, s, store);
    }
}

void x_ld_generic(warp *w, const ins *i, uint32_t mask) {
    generic(w, i, mask, false);
}
void x_st_generic(warp *w, const ins *i, uint32_t mask) {
    generic(w, i, mask, true);
}
