/* exec_atom.c - atomics and fences.
 *
 * On global memory they are ordered between blocks: they run one block at a time when a round ends.
 * Only integer reductions that commute and publish nothing run at once, by the host's own atomics:
 * the sum is the same in every order. */
#include "exec.h"

#define PTX_ISA base
#include "lanes.h"
#include "run.h"

static float ftz_if(float x, bool flush) {
    return flush ? ftz1(x) : x;
}

static uint32_t pair(uint32_t x, uint32_t y, uint32_t (*one)(double, double, unsigned), unsigned op,
                     bool b) {
    double x0 = b ? b2d(x & 0xffff) : h2d(x & 0xffff), x1 = b ? b2d(x >> 16) : h2d(x >> 16);
    double y0 = b ? b2d(y & 0xffff) : h2d(y & 0xffff), y1 = b ? b2d(y >> 16) : h2d(y >> 16);
    return one(x0, y0, op) | one(x1, y1, op) << 16;
}

static double half_result(double x, double y, unsigned op) {
    return op == ATOM_MIN ? dmin1(x, y) : op == ATOM_MAX ? dmax1(x, y) : x + y;
}

static uint32_t to_f16(double x, double y, unsigned op) {
    return d2h(half_result(x, y, op));
}

static uint32_t to_bf16(double x, double y, unsigned op) {
    return d2b(half_result(x, y, op));
}

static uint64_t float_result(const ins *i, uint64_t old, uint64_t v, bool flush) {
    switch ((ptx_type)i->type) {
    case T_F32:
        return f2u(
            ftz_if(ftz_if(u2f((uint32_t)old), flush) + ftz_if(u2f((uint32_t)v), flush), flush));
    case T_F64: return d2u(u2d(old) + u2d(v));
    case T_F16: return to_f16(h2d((uint32_t)old), h2d((uint32_t)v & 0xffff), i->sub);
    case T_BF16: return to_bf16(b2d((uint32_t)old), b2d((uint32_t)v & 0xffff), i->sub);
    case T_F16X2: return pair((uint32_t)old, (uint32_t)v, to_f16, i->sub, false);
    default: return pair((uint32_t)old, (uint32_t)v, to_bf16, i->sub, true);
    }
}

static bool below(const ins *i, uint64_t x, uint64_t y) {
    if (vm_type_class[i->type] == 'S')
        return i->bytes == 4 ? (int32_t)x < (int32_t)y : (int64_t)x < (int64_t)y;
    return x < y;
}

/* The new value; `flush`: f32 sums treat subnormals as zeros, as on global memory. */
static uint64_t result(const ins *i, uint64_t old, uint64_t v, uint64_t swap, bool flush) {
    if (vm_type_class[i->type] == 'F' && i->sub != ATOM_EXCH && i->sub != ATOM_CAS)
        return float_result(i, old, v, flush);
    switch (i->sub) {
    case ATOM_ADD: return old + v;
    case ATOM_AND: return old & v;
    case ATOM_OR: return old | v;
    case ATOM_XOR: return old ^ v;
    case ATOM_MIN: return below(i, old, v) ? old : v;
    case ATOM_MAX: return below(i, old, v) ? v : old;
    case ATOM_INC: return (uint32_t)old >= (uint32_t)v ? 0 : old + 1;
    case ATOM_DEC: return (uint32_t)old == 0 || (uint32_t)old > (uint32_t)v ? v : old - 1;
    case ATOM_EXCH: return v;
    default: return old == v ? swap : old;
    }
}

enum { WROTE = 1, CHANGED = 2 }; /* a comparison that fails writes nothing */

static unsigned update_wide(warp *w, const ins *i, unsigned l, uint8_t *at) {
    uint8_t old[16], *b = (uint8_t *)reg_at(w, i->b) + l * 16,
                     *c = (uint8_t *)reg_at(w, i->c) + l * 16;
    memcpy(old, at, 16);
    bool wrote = i->sub == ATOM_EXCH || !memcmp(old, b, 16);
    if (wrote) memcpy(at, i->sub == ATOM_EXCH ? b : c, 16);
    if (i->dw) memcpy((uint8_t *)reg_at(w, i->d) + l * 16, old, 16);
    return (wrote ? WROTE : 0) | (memcmp(old, at, 16) ? CHANGED : 0);
}

/* One lane, one element, nobody else at it. */
static unsigned update(warp *w, const ins *i, unsigned l, uint8_t *at, int32_t d, int32_t b,
                       bool global) {
    uint64_t old = 0, v = 0, swap = 0;
    memcpy(&old, at, i->bytes);
    memcpy(&v, (char *)reg_at(w, b) + l * i->aw, i->bytes);
    if (i->sub == ATOM_CAS) memcpy(&swap, (char *)reg_at(w, i->c) + l * i->aw, i->bytes);
    uint64_t fresh = result(i, old, v, swap, global);
    memcpy(at, &fresh, i->bytes);
    if (i->dw) memcpy((char *)reg_at(w, d) + l * i->dw, &old, i->dw);
    return (i->sub != ATOM_CAS || old == v ? WROTE : 0) |
           (memcmp(&old, &fresh, i->bytes) ? CHANGED : 0);
}

/* The lanes that wrote. */
static uint32_t update_lanes(warp *w, const ins *i, uint32_t mask, uint8_t *const *host,
                             bool global) {
    const int32_t *list = &w->b->ln->module->list.at[i->e];
    unsigned all = 0;
    uint32_t wrote = 0;
    EACH_LANE(l, mask) {
        unsigned did = i->bytes == 16 ? update_wide(w, i, l, host[l]) : 0;
        for (unsigned k = 0; k < i->n && i->bytes < 16; k++)
            did |= update(w, i, l, host[l] + k * i->bytes, list[k], list[i->n + k], global);
        all |= did;
        wrote |= (uint32_t)(did & WROTE) << l;
    }
    if (global && all & CHANGED) w->b->ln->changed = true;
    warp_idles(w, all & CHANGED);
    return wrote;
}

/* By the host's atomics, while other blocks do the same. */
static void reduce_now(const warp *w, const ins *i, uint32_t mask, uint8_t *const *host) {
    EACH_LANE(l, mask) {
        uint64_t v = 0;
        memcpy(&v, (char *)reg_at(w, i->b) + l * i->aw, i->bytes);
        if (i->bytes == 4) {
            uint32_t *at = (uint32_t *)(void *)host[l], old = __atomic_load_n(at, __ATOMIC_RELAXED);
            while (!__atomic_compare_exchange_n(at, &old, (uint32_t)result(i, old, v, 0, false),
                                                true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
                ;
        } else {
            uint64_t *at = (uint64_t *)(void *)host[l], old = __atomic_load_n(at, __ATOMIC_RELAXED);
            while (!__atomic_compare_exchange_n(at, &old, result(i, old, v, 0, false), true,
                                                __ATOMIC_RELAXED, __ATOMIC_RELAXED))
                ;
        }
    }
}

static bool commutes(const warp *w, const ins *i) {
    return !i->dw && i->n == 1 && i->sub <= ATOM_MAX && vm_type_class[i->type] != 'F' &&
           i->bytes >= 4 && !w->released[ORDER_BLOCK] && !(i->flags & (INS_ACQUIRE | INS_RELEASE));
}

static void on_shared(warp *w, const ins *i, uint32_t mask, block *b, const uint64_t *ad) {
    unsigned bytes = (unsigned)i->bytes * i->n;
    uint8_t *host[LANES];
    if (!mem_shared_ok(w, i, mask, b, ad, bytes)) return;
    race_read(w, i, mask, b, ad, bytes, ((uint64_t)1 << bytes) - 1, ACC_STRONG_READ);
    race_write(w, i, mask, b, ad, bytes, true);
    for (unsigned l = 0; l < LANES; l++) host[l] = (uint8_t *)((uintptr_t)b->shared + ad[l]);
    uint32_t wrote = update_lanes(w, i, mask, host, false);
    mem_order(w, i, mask, ad, mem_shared_name(b, 0), ACC_RMW | (i->dw ? ACC_ASKED : 0), wrote);
}

static void on_global(warp *w, const ins *i, uint32_t mask, const uint64_t *ad) {
    uint8_t *host[LANES];
    bool now = commutes(w, i);
    unsigned how = ACC_ATOMIC | ACC_RMW | (i->dw ? ACC_ASKED : 0);
    if (!now) w->b->ln->moment++;
    if (!mem_global(w, i, mask, ad, (unsigned)i->bytes * i->n, how, host)) return;
    if (now && w->b->ln->n_blocks > 1)
        reduce_now(w, i, mask, host);
    else {
        uint32_t wrote = update_lanes(w, i, mask, host, true);
        if (!now) mem_order(w, i, mask, ad, 0, how, wrote);
    }
}

void x_atom(warp *w, const ins *i, uint32_t mask) {
    uint64_t ad[LANES];
    uint32_t shared = 0, global = 0;
    mem_addresses(w, i, ad);
    if (i->space == PTX_SHARED)
        shared = mask;
    else if (i->space == PTX_GLOBAL)
        global = mask;
    else
        EACH_LANE(l, mask) {
            ptx_space s = generic_space(ad[l]);
            shared |= (uint32_t)(s == PTX_SHARED) << l;
            global |= (uint32_t)(s != PTX_SHARED) << l;
        }
    if (global && !w->serial && w->b->ln->n_blocks > 1 && !commutes(w, i)) {
        split_block(w, i, mask, SPLIT_ROUND);
        return;
    }
    w->wk->count.atomics++;
    if (shared && i->space == PTX_SHARED) on_shared(w, i, shared, w->b, ad);
    while (shared && i->space != PTX_SHARED) {
        uint64_t own[LANES];
        block *b;
        uint32_t same = mem_shared_of(w, i, shared, ad, own, &b);
        if (!same) return;
        on_shared(w, i, same, b, own);
        shared &= ~same;
    }
    if (global) on_global(w, i, global, ad);
}

void atom_store(const ins *i, uint8_t *at, const uint8_t *value) {
    uint64_t old = 0, v = 0;
    memcpy(&old, at, i->bytes);
    memcpy(&v, value, i->bytes);
    old = result(i, old, v, 0, false);
    memcpy(at, &old, i->bytes);
}

void x_proxy_fence(warp *w, const ins *i, uint32_t mask) {
    (void)i;
    race_proxy_fence(w, mask);
}

void x_fence(warp *w, const ins *i, uint32_t mask) {
    order_fence(w, mask, i->flags & INS_FENCE_GPU);
}
