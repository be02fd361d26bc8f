/* exec_alu.c - runs 32-lane loops under a mask, and the instructions that only move registers. */
#include "exec.h"

#include "run.h"

#include <string.h>
#if defined(__SSE2__)
#include <immintrin.h>
#else
#include <fenv.h>
#endif

/* Lanes of `mask` from `from` into `to`. */
static void blend(void *to, const void *from, uint32_t mask, unsigned lane) {
    if (lane == 4) {
        uint32_t *d = to;
        const uint32_t *s = from;
        for (unsigned l = 0; l < LANES; l++) d[l] = mask >> l & 1 ? s[l] : d[l];
        return;
    }
    EACH_LANE(l, mask)
    memcpy((char *)to + l * lane, (const char *)from + l * lane, lane);
}

static inline lane_args operands(const warp *w, const ins *i) {
    return (lane_args){reg_at(w, i->d), reg_at(w, i->d2), reg_at(w, i->a), reg_at(w, i->b),
                       reg_at(w, i->c), reg_at(w, i->e),  (uint32_t)i->imm};
}

static void masked(warp *w, const ins *i, uint32_t mask, lane_args *x, uint8_t *d2) {
    _Alignas(64) uint8_t d[LANES * 16];
    x->d = d;
    x->d2 = d2;
    i->lane(x);
    blend(reg_at(w, i->d), d, mask, i->dw);
    if (i->dw2) blend(reg_at(w, i->d2), d2, mask, i->dw2);
}

void x_lane(warp *w, const ins *i, uint32_t mask) {
    lane_args x = operands(w, i);
    if (mask == ALL_LANES) {
        i->lane(&x);
        return;
    }
    _Alignas(64) uint8_t d2[LANES * 4];
    masked(w, i, mask, &x, d2);
}

static unsigned set_rounding(unsigned rnd) {
#if defined(__SSE2__)
    static const unsigned modes[] = {[RND_Z] = 0x6000, [RND_M] = 0x2000, [RND_P] = 0x4000};
    unsigned old = _mm_getcsr();
    _mm_setcsr((old & ~0x6000u) | modes[rnd]);
    return old;
#else
    static const int modes[] = {
        [RND_Z] = FE_TOWARDZERO, [RND_M] = FE_DOWNWARD, [RND_P] = FE_UPWARD};
    fesetround(modes[rnd]);
    return 0;
#endif
}

static void reset_rounding(unsigned old) {
#if defined(__SSE2__)
    _mm_setcsr(old);
#else
    (void)old;
    fesetround(FE_TONEAREST);
#endif
}

static const void *flushed(const void *reg, uint8_t *room, lane_fn *ftz) {
    lane_args x = {.d = room, .a = reg, .b = reg, .c = reg};
    ftz(&x);
    return room;
}

/* A float operation with a directed rounding, .ftz or .sat: the same loop with passes before and
 * after. */
void x_lane_mod(warp *w, const ins *i, uint32_t mask) {
    _Alignas(64) uint8_t in[3][LANES * 8], d[LANES * 8], d2[LANES * 8];
    lane_args x = operands(w, i);
    lane_fn *ftz = i->flags & INS_FTZ ? lanes_find(LN_ftz, i->type) : NULL;
    if (ftz) {
        x.a = flushed(x.a, in[0], ftz);
        x.b = flushed(x.b, in[1], ftz);
        x.c = flushed(x.c, in[2], ftz);
    }
    x.d = d;
    if (i->rnd > RND_N) {
        unsigned old = set_rounding(i->rnd);
        i->lane(&x);
        reset_rounding(old);
    } else
        i->lane(&x);
    const void *r = ftz ? flushed(d, d2, ftz) : d;
    if (i->flags & INS_SAT) {
        lane_args s = {.d = d, .a = r, .b = r, .c = r};
        lanes_find(LN_sat, i->type)(&s);
        r = d;
    }
    if (mask == ALL_LANES)
        memcpy(reg_at(w, i->d), r, (size_t)i->dw * LANES);
    else
        blend(reg_at(w, i->d), r, mask, i->dw);
}

/* ---- registers only ---- */

static void broadcast(const warp *w, const ins *i, uint64_t v) {
    if (i->dw == 8) {
        uint64_t *d = reg_at(w, i->d);
        for (unsigned l = 0; l < LANES; l++) d[l] = v;
    } else {
        uint32_t *d = reg_at(w, i->d);
        for (unsigned l = 0; l < LANES; l++) d[l] = (uint32_t)v;
    }
}

static uint32_t lane_mask(ptx_sreg r, unsigned l) {
    uint32_t below = (1u << l) - 1, eq = 1u << l;
    switch (r) {
    case SR_LANEMASK_EQ: return eq;
    case SR_LANEMASK_LT: return below;
    case SR_LANEMASK_LE: return below | eq;
    case SR_LANEMASK_GT: return ~(below | eq);
    case SR_LANEMASK_GE: return ~below;
    default: return l;
    }
}

static uint64_t uniform_sreg(const warp *w, ptx_sreg r) {
    const block *b = w->b;
    const launch *ln = b->ln;
    uint64_t clock = b->instructions * 4 + ln->round * 1000;
    unsigned axis = r % 3; /* those of three numbers come first */
    switch (r - axis) {
    case SR_NTID: return ln->p->block[axis];
    case SR_CTAID: return b->id[axis];
    case SR_NCTAID: return ln->p->grid[axis];
    case SR_CLUSTER_CTAID: return b->id[axis] % ln->cluster[axis];
    case SR_CLUSTER_NCTAID: return ln->cluster[axis];
    case SR_CLUSTERID: return b->id[axis] / ln->cluster[axis];
    case SR_NCLUSTERID: return ln->p->grid[axis] / ln->cluster[axis];
    default: break;
    }
    switch (r) {
    case SR_CLUSTER_CTARANK: return b->rank;
    case SR_CLUSTER_NCTARANK: return ln->cluster_blocks;
    case SR_IS_EXPLICIT_CLUSTER: return ln->p->cluster[0] || ln->fn->pub.reqcluster[0];
    case SR_WARPID: return w->index;
    case SR_NWARPID: return b->n_warps;
    case SR_NSMID:
        return ln->module->target.multiprocessors ? ln->module->target.multiprocessors : 1;
    case SR_SMID:
        return b->linear %
               (ln->module->target.multiprocessors ? ln->module->target.multiprocessors : 1);
    case SR_CLOCK:
    case SR_CLOCK64:
    case SR_GLOBALTIMER:
    case SR_GLOBALTIMER_LO: return clock;
    case SR_CLOCK_HI:
    case SR_GLOBALTIMER_HI: return clock >> 32;
    case SR_DYNAMIC_SMEM: return ln->p->shared_dynamic;
    case SR_TOTAL_SMEM:
    case SR_AGGR_SMEM: return b->shared_bytes;
    case SR_ENVREG1: return ln->workspace.base >> 32; /* where cooperative groups look for it */
    case SR_ENVREG2: return (uint32_t)ln->workspace.base;
    case SR_GRIDID: return ln->serial_number;
    default: return 0;
    }
}

void x_sreg(warp *w, const ins *i, uint32_t mask) {
    (void)mask; /* goes to a register of its own: other lanes don't matter */
    ptx_sreg r = i->sub;
    if (r <= SR_TID_Z)
        memcpy(reg_at(w, i->d), w->tid[r], sizeof w->tid[r]);
    else if (r == SR_LANEID || (r >= SR_LANEMASK_EQ && r <= SR_LANEMASK_GT)) {
        uint32_t *d = reg_at(w, i->d);
        for (unsigned l = 0; l < LANES; l++) d[l] = lane_mask(r, l);
    } else
        broadcast(w, i, uniform_sreg(w, r));
}

void x_address(warp *w, const ins *i, uint32_t mask) {
    (void)mask;
    broadcast(w, i, (uint64_t)i->imm);
}

void x_local_address(warp *w, const ins *i, uint32_t mask) {
    (void)mask;
    uint64_t at = (uint64_t)i->imm + w->cur->local;
    uint64_t *d = reg_at(w, i->d);
    uint32_t *d4 = reg_at(w, i->d);
    EACH_LANE(l, mask) {
        if (i->dw == 8)
            d[l] = at;
        else
            d4[l] = (uint32_t)at;
    }
}

void x_dynamic_address(warp *w, const ins *i, uint32_t mask) {
    (void)mask;
    broadcast(w, i, (uint64_t)i->imm + w->b->ln->dynamic_offset);
}

void x_nothing(warp *w, const ins *i, uint32_t mask) {
    (void)w, (void)i, (void)mask;
}

void x_pack(warp *w, const ins *i, uint32_t mask) {
    const int32_t *parts = &w->b->ln->module->list.at[i->target];
    unsigned lane = i->bytes <= 4 ? 4 : i->bytes;
    EACH_LANE(l, mask)
    for (unsigned k = 0; k < i->n; k++)
        memcpy((char *)reg_at(w, i->d) + l * i->dw + k * i->bytes,
               (char *)reg_at(w, parts[k]) + l * lane, i->bytes);
}

void x_unpack(warp *w, const ins *i, uint32_t mask) {
    const int32_t *parts = &w->b->ln->module->list.at[i->target];
    unsigned lane = i->bytes <= 4 ? 4 : i->bytes;
    _Alignas(16) uint8_t from[LANES * 16]; /* a part may be the source itself */
    memcpy(from, reg_at(w, i->a), (size_t)i->aw * LANES);
    for (unsigned k = 0; k < i->n; k++) {
        uint8_t *d = reg_at(w, parts[k]);
        EACH_LANE(l, mask) {
            uint64_t v[2] = {0, 0};
            memcpy(v, from + l * i->aw + k * i->bytes, i->bytes);
            memcpy(d + l * lane, v, lane);
        }
    }
}

void x_isspacep(warp *w, const ins *i, uint32_t mask) {
    const uint64_t *a = reg_at(w, i->a);
    uint32_t *d = reg_at(w, i->d);
    EACH_LANE(l, mask) {
        ptx_space s = generic_space(a[l]);
        uint64_t rank = a[l] >> RANK_BITS & 0xff;
        bool far = i->n && rank && rank != w->b->rank + 1;
        d[l] = !(i->flags & INS_NOT_C) && s == (ptx_space)i->sub && !far;
    }
}
