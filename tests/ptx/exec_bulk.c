/* exec_bulk.c - mbarriers, and copies of many bytes that they or groups tell the end of.
 *
 *   an mbarrier's 64 bits: 1 | phase | bytes still to come, + 2^21 | arrivals expected | still to come
 *                          63   62              40                       20                  0
 *
 * A copy into shared memory, of the block or of others of its cluster, is done when somebody looks at its
 * mbarrier, never before: whoever reads without looking finds the old bytes and is reported. One out of
 * shared memory to global is done at its wait. */
#include "exec.h"

#include "run.h"

#include <stdlib.h>
#include <string.h>

#define LIVE      ((uint64_t)1 << 63)
#define PHASE     ((uint64_t)1 << 62)
#define COUNT     0xfffff
#define TX_ZERO   ((int64_t)1 << 21)
#define TX_AT     40
#define COUNTS_AT 20

enum { PIECE = 16 };

typedef struct {
    uint32_t pending, expected;
    int64_t tx;
    bool phase;
} state;

static state unpack(uint64_t v) {
    return (state){v & COUNT, v >> COUNTS_AT & COUNT, (int64_t)(v >> TX_AT & 0x3fffff) - TX_ZERO,
                   v & PHASE};
}

static uint64_t pack(state s) {
    return LIVE | (s.phase ? PHASE : 0) | (uint64_t)(s.tx + TX_ZERO) << TX_AT |
           (uint64_t)s.expected << COUNTS_AT | s.pending;
}

static void misuse(warp *w, const ins *i, unsigned lane, uint64_t at, const char *text) {
    find_note(w, i, lane, PTX_REPORT_BARRIER, WIN_SHARED + at, "%s", text);
}

/* A place in shared memory of a block of the cluster. */
typedef struct {
    block *b; /* NULL after a fault */
    uint64_t at;
} place;

/* Of an address that may be generic or the shared window's own. */
static place place_at(warp *w, const ins *i, unsigned l, uint64_t address) {
    uint64_t in = address & (WIN_SIZE - 1);
    return (place){mem_shared_block(w, i, l, WIN_SHARED + in),
                   in & (((uint64_t)1 << RANK_BITS) - 1)};
}

/* The object of one lane, its accesses told to the checker; NULL after a fault. */
static uint8_t *object(warp *w, const ins *i, unsigned l, place o, bool writes) {
    uint64_t ad[LANES], v, at = o.at;
    ad[l] = at;
    if (!o.b || !mem_shared_ok(w, i, 1u << l, o.b, ad, 8)) return NULL;
    race_read(w, i, 1u << l, o.b, ad, 8, 0xff, ACC_STRONG_READ);
    if (writes) race_write(w, i, 1u << l, o.b, ad, 8, true);
    memcpy(&v, o.b->shared + at, 8);
    int64_t tx = unpack(v).tx;
    if (v & LIVE && tx <= COUNT && -tx <= COUNT) return o.b->shared + at;
    mem_fault(w, i, l, PTX_REPORT_FAULT, WIN_SHARED + at, "no mbarrier was initialised here");
    return NULL;
}

static void store(uint8_t *object, state s) {
    if (!s.pending && !s.tx) {
        s.phase = !s.phase;
        s.pending = s.expected;
    }
    memcpy(object, &(uint64_t){pack(s)}, 8);
}

static state load(const uint8_t *object) {
    uint64_t v;
    memcpy(&v, object, 8);
    return unpack(v);
}

static void arrive(warp *w, const ins *i, unsigned l, uint64_t at, uint8_t *object, uint32_t n,
                   bool drop) {
    state s = load(object);
    if (n > s.pending || n == 0) misuse(w, i, l, at, "more arrivals than the mbarrier waits for");
    if (drop) s.expected -= n < s.expected ? n : s.expected;
    s.pending -= n < s.pending ? n : s.pending;
    store(object, s);
}

void mbarrier_arrive(warp *w, const ins *i, unsigned lane, uint64_t at, bool expected) {
    uint8_t *o = object(w, i, lane, (place){w->b, at}, true);
    if (!o) return;
    state s = load(o);
    if (expected) s.pending++, store(o, s);
    order_deliver(w, mem_shared_name(w->b, at));
    arrive(w, i, lane, at, o, 1, false);
}

/* ---- copies ---- */

static void drop_copy(warp *w, size_t k) {
    free(w->bulk.at[k].was);
    free(w->bulk.at[k].pieces);
    memmove(&w->bulk.at[k], &w->bulk.at[k + 1], (w->bulk.n - k - 1) * sizeof *w->bulk.at);
    w->bulk.n--;
}

static const uint8_t *source(const bulk_copy *c, const bulk_piece *x) {
    return c->load ? x->host : c->to->shared + x->shared;
}

/* Moves the bytes, whose source must be as it was. */
static void carry_out(warp *w, const bulk_copy *c) {
    const uint8_t *was = c->was;
    for (uint32_t k = 0; k < c->n; was += c->pieces[k++].bytes) {
        const bulk_piece *x = &c->pieces[k];
        uint8_t *to = c->load ? c->to->shared + x->shared : x->host;
        const uint8_t *from = x->address == BULK_DATA ? was : source(c, x);
        if (c->by->rnd) {
            atom_store(c->by, to, was);
            continue;
        }
        if (from && memcmp(from, was, x->bytes) != 0)
            find_note(w, c->by, c->lane, PTX_REPORT_ASYNC,
                      c->load ? x->address : WIN_SHARED + x->shared, COPY_OVERWRITTEN);
        if (from)
            memcpy(to, from, x->bytes);
        else
            memset(to, 0, x->bytes);
    }
}

/* The loads of a warp that tell an mbarrier. */
static void deliver_of(warp *w, place o) {
    for (size_t k = 0; k < w->bulk.n;) {
        bulk_copy *c = &w->bulk.at[k];
        if (!c->load || c->barrier != o.at || c->to != o.b) {
            k++;
            continue;
        }
        carry_out(w, c);
        for (uint32_t p = 0; p < c->n; p++)
            race_async_done(w, c->lane, c->to, c->pieces[p].shared, c->pieces[p].bytes, true);
        order_deliver(w, mem_shared_name(o.b, o.at));
        state s = load(o.b->shared + o.at);
        s.tx -= c->bytes;
        store(o.b->shared + o.at, s);
        drop_copy(w, k);
    }
}

static void deliver(place o) {
    const cluster *c = o.b->cl;
    for (unsigned k = 0; k < c->n; k++)
        for (unsigned n = 0; n < c->block[k]->n_warps; n++) deliver_of(&c->block[k]->warps[n], o);
}

/* Stores of `lanes` but the last `keep` groups. */
static void flush(warp *w, uint32_t lanes, uint64_t keep) {
    for (size_t k = 0; k < w->bulk.n && !w->b->failed;) {
        bulk_copy c = w->bulk.at[k];
        bool due = !c.load && lanes >> c.lane & 1 &&
                   (keep == UINT64_MAX || c.barrier + keep < w->bulk_groups[c.lane]);
        if (!due) {
            k++;
            continue;
        }
        carry_out(w, &c);
        drop_copy(w, k);
    }
}

/* As wide as address and length are aligned. */
static uint32_t step_at(uint64_t address, uint32_t rest) {
    uint32_t step = PIECE;
    while ((address | rest) & (step - 1)) step /= 2;
    return step;
}

/* The global side of a piece is there, and where. */
static bool reach(warp *w, const ins *i, unsigned l, bulk_piece *x, unsigned how) {
    uint64_t ad[LANES];
    uint8_t *host[LANES];
    for (uint32_t k = 0, step; k < x->bytes; k += step) {
        ad[l] = x->address + k;
        step = step_at(ad[l], x->bytes - k);
        if (!mem_global(w, i, 1u << l, ad, step, how, host)) return false;
        if (!k) x->host = host[l];
    }
    return true;
}

/* Bytes of shared memory of `b` that are there, and are read by the async proxy or not. */
static bool shared_side(warp *w, const ins *i, unsigned l, block *b, uint32_t at, uint32_t bytes,
                        bool read) {
    uint64_t ad[LANES];
    for (uint32_t k = 0, step; k < bytes; k += step) {
        ad[l] = at + k;
        step = step_at(ad[l], bytes - k);
        if (!mem_shared_ok(w, i, 1u << l, b, ad, step)) return false;
        if (read) race_read(w, i, 1u << l, b, ad, step, (1u << step) - 1, ACC_READ);
    }
    if (read) race_proxy_read(w, i, l, at, bytes);
    return true;
}

/* The side that is not the destination's, or the source's, shared memory. */
static bool other_side(warp *w, const ins *i, unsigned l, bulk_piece *x, bool load) {
    if (!x->address || x->address == BULK_DATA) return true;
    if (x->address < PTX_WINDOWS) return reach(w, i, l, x, load ? ACC_READ : ACC_WRITE);
    uint32_t at = (uint32_t)(x->address - WIN_SHARED);
    x->host = w->b->shared + at;
    return shared_side(w, i, l, w->b, at, x->bytes, true);
}

static bool bulk_begin(warp *w, const ins *i, unsigned l, const bulk_target *t,
                       const bulk_piece *pieces, uint32_t n, const uint8_t *data) {
    bulk_copy c = {i, NULL, n, 0, NULL, 0, t->b, (uint8_t)l, t->load};
    c.pieces = ptx_grow(NULL, n * sizeof *pieces + 1);
    if (n) memcpy(c.pieces, pieces, n * sizeof *pieces);
    for (uint32_t k = 0; k < n; k++) c.bytes += pieces[k].bytes;
    c.was = ptx_grow(NULL, c.bytes + 1);
    c.barrier = c.load ? t->barrier : w->bulk_groups[l];
    uint8_t *was = c.was;
    bool ok = !c.load || object(w, i, l, (place){t->b, t->barrier}, false);
    for (uint32_t k = 0; k < n && ok; was += pieces[k++].bytes) {
        bulk_piece *x = &c.pieces[k];
        ok = other_side(w, i, l, x, c.load) &&
             shared_side(w, i, l, t->b, x->shared, x->bytes, !c.load);
        const uint8_t *from = data ? data : source(&c, x);
        if (ok && from) memcpy(was, from, x->bytes);
        if (ok && c.load && !i->rnd) race_async_issue(w, i, l, t->b, x->shared, x->bytes);
    }
    if (c.load && t->b != w->b) t->b->visits[w->number] = t->b->cl->gen;
    *VEC_PUSH(w->bulk) = c;
    if (!ok) drop_copy(w, w->bulk.n - 1);
    return ok;
}

unsigned bulk_targets(warp *w, const ins *i, unsigned l, uint64_t shared, uint64_t mbar, bool load,
                      const uint16_t *mask, bulk_target to[MAX_CLUSTER], uint32_t *at) {
    const cluster *c = w->b->cl;
    place p = place_at(w, i, l, shared), m = load ? place_at(w, i, l, mbar) : (place){p.b, 0};
    unsigned n = 0;
    if (!p.b || !m.b) return 0;
    *at = (uint32_t)p.at;
    const char *wrong = !load && p.b != w->b ? "the source is another block's shared memory"
                        : m.b != p.b         ? "destination and mbarrier lie in different blocks"
                        : mask && (!*mask || *mask >> c->n)
                            ? "the mask names no block, or one that the cluster hasn't"
                            : NULL;
    for (unsigned k = 0; !wrong && k < c->n; k++) {
        if (mask ? !(*mask >> k & 1) : c->block[k] != p.b) continue;
        to[n++] = (bulk_target){c->block[k], (uint32_t)m.at, load};
        if (!c->block[k]->live_threads) wrong = "shared memory of a block that has ended";
    }
    if (!wrong) return n;
    mem_fault(w, i, l, PTX_REPORT_FAULT, shared, wrong);
    return 0;
}

const uint16_t *bulk_mask(const warp *w, const ins *i, unsigned l) {
    return i->dw2 ? (const uint16_t *)(const void *)((uint32_t *)reg_at(w, i->d2) + l) : NULL;
}

bool bulk_all(warp *w, const ins *i, unsigned l, const bulk_target *to, unsigned n,
              const bulk_piece *pieces, uint32_t count, const uint8_t *data) {
    for (unsigned k = 0; k < n; k++)
        if (!bulk_begin(w, i, l, &to[k], pieces, count, data)) return false;
    return n > 0;
}

void x_cp_bulk(warp *w, const ins *i, uint32_t mask) {
    const uint64_t *other = reg_at(w, i->a), *shared = reg_at(w, i->b), *mbar = reg_at(w, i->e);
    const uint32_t *size = reg_at(w, i->c);
    EACH_LANE(l, mask) {
        bulk_target to[MAX_CLUSTER];
        uint32_t at = 0;
        unsigned n = bulk_targets(w, i, l, shared[l], mbar[l], i->n, bulk_mask(w, i, l), to, &at);
        uint64_t from =
            i->space == PTX_SHARED ? WIN_SHARED + (other[l] & (WIN_SIZE - 1)) : other[l];
        if (n && (size[l] | from | at) % PIECE) {
            mem_fault(w, i, l, PTX_REPORT_MISALIGNED, from,
                      "size and addresses must be multiples of 16");
            return;
        }
        bulk_piece x = {NULL, from, at, size[l]};
        if (!bulk_all(w, i, l, to, n, &x, 1, NULL)) return;
    }
}

/* st.async and red.async: values from registers, to one block of the cluster. */
void x_st_async(warp *w, const ins *i, uint32_t mask) {
    const uint64_t *shared = reg_at(w, i->a), *mbar = reg_at(w, i->e);
    const int32_t *list = &w->b->ln->module->list.at[i->target];
    EACH_LANE(l, mask) {
        bulk_target to[MAX_CLUSTER];
        uint8_t data[64];
        uint32_t at = 0, bytes = (uint32_t)i->bytes * i->n;
        unsigned n = bulk_targets(w, i, l, shared[l], mbar[l], true, NULL, to, &at);
        if (n && at % bytes) {
            mem_fault(w, i, l, PTX_REPORT_MISALIGNED, WIN_SHARED + at,
                      "address is not a multiple of the access size");
            return;
        }
        for (unsigned k = 0; k < i->n; k++)
            memcpy(data + k * i->bytes, (uint8_t *)reg_at(w, list[k]) + l * i->bytes, i->bytes);
        bulk_piece x = {NULL, BULK_DATA, at, bytes};
        if (!bulk_all(w, i, l, to, n, &x, 1, data)) return;
    }
}

void x_bulk_commit(warp *w, const ins *i, uint32_t mask) {
    (void)i;
    EACH_LANE(l, mask)
    w->bulk_groups[l]++;
}

void x_bulk_wait(warp *w, const ins *i, uint32_t mask) {
    flush(w, mask, (uint64_t)i->imm);
}

void bulk_finish(warp *w, uint32_t lanes) {
    if (w->bulk.n) flush(w, lanes, UINT64_MAX);
}

void bulk_forget(warp *w) {
    while (w->bulk.n) {
        const bulk_copy *c = &w->bulk.at[0];
        if (!cluster_failed(w->b->cl))
            find_note(w, c->by, c->lane, PTX_REPORT_ASYNC, WIN_SHARED + c->pieces[0].shared,
                      "the block ended before anybody waited for this copy");
        drop_copy(w, 0);
    }
    memset(w->bulk_groups, 0, sizeof w->bulk_groups);
}

/* ---- mbarriers ---- */

static uint64_t operand(const warp *w, const ins *i, unsigned l) {
    if (i->sub == MBAR_WAIT && !i->n) return ((const uint64_t *)reg_at(w, i->b))[l];
    return ((const uint32_t *)reg_at(w, i->b))[l];
}

/* One lane at an object that is there; the new value of its result. */
static uint64_t act(warp *w, const ins *i, unsigned l, uint64_t at, uint8_t *o) {
    uint64_t v = operand(w, i, l), before;
    memcpy(&before, o, 8);
    state s = unpack(before);
    switch (i->sub) {
    case MBAR_EXPECT: s.tx += (int64_t)v; break;
    case MBAR_COMPLETE: s.tx -= (int64_t)v; break;
    case MBAR_WAIT: return i->n ? s.phase != (v & 1) : s.phase != unpack(v).phase;
    default:
        if (i->bytes) {
            s.tx += (int64_t)v;
            v = 1;
            memcpy(o, &(uint64_t){pack(s)}, 8);
        }
        if (i->type && v >= s.pending) misuse(w, i, l, at, ".noComplete would complete the phase");
        arrive(w, i, l, at, o, (uint32_t)v, i->sub == MBAR_DROP);
        return before;
    }
    store(o, s);
    return 0;
}

/* init and inval, which others must be ordered with, as with any store. */
static void set_up(warp *w, const ins *i, unsigned l, uint64_t at) {
    uint64_t n = operand(w, i, l), ad[LANES];
    ad[l] = at;
    if (!mem_shared_ok(w, i, 1u << l, w->b, ad, 8)) return;
    race_write(w, i, 1u << l, w->b, ad, 8, false);
    if (i->sub == MBAR_INIT && (!n || n > COUNT))
        misuse(w, i, l, at, "a count of 1 to 2^20 - 1 is needed");
    state s = {(uint32_t)n & COUNT, (uint32_t)n & COUNT, 0, false};
    memcpy(w->b->shared + at, &(uint64_t){i->sub == MBAR_INIT ? pack(s) : 0}, 8);
}

static void put(const warp *w, const ins *i, unsigned l, uint64_t v) {
    if (i->dw == 8) ((uint64_t *)reg_at(w, i->d))[l] = v;
    if (i->dw == 4) ((uint32_t *)reg_at(w, i->d))[l] = (uint32_t)v;
}

void x_mbarrier(warp *w, const ins *i, uint32_t mask) {
    const uint64_t *a = reg_at(w, i->a);
    bool waits = i->sub == MBAR_WAIT, waited = true;
    EACH_LANE(l, mask) {
        uint64_t v;
        if (i->sub == MBAR_PENDING) {
            put(w, i, l, unpack(a[l]).pending);
            continue;
        }
        if (i->sub <= MBAR_INVAL) {
            set_up(w, i, l, a[l] & (WIN_SIZE - 1));
            continue;
        }
        place p = place_at(w, i, l, a[l]);
        uint8_t *o = object(w, i, l, p, !waits);
        if (!o) return;
        if (p.b != w->b && (waits || i->dw)) {
            mem_fault(w, i, l, PTX_REPORT_FAULT, a[l], "another block's mbarrier answers nothing");
            return;
        }
        if (waits) deliver(p);
        if (i->flags & INS_RELEASE) order_fence(w, 1u << l, false);
        v = act(w, i, l, p.at, o);
        order_access(w, l, mem_shared_name(p.b, p.at), waits ? ACC_ASKED : ACC_RMW);
        if (waits && v && i->flags & INS_ACQUIRE) order_fence(w, 1u << l, false);
        waited &= v != 0;
        put(w, i, l, v);
    }
    warp_idles(w, !waits || waited);
}
