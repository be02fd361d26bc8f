/* race.c - shared memory's checkers: bytes nobody wrote, races between threads of a block, early
 * touches of cp.async destinations.
 *
 * Each 4-byte word keeps its last writer and the warps that read it since, with the barrier
 * generation of the block at that time. An access of another warp is ordered when both warps have
 * passed a barrier since (block.vc); of another lane of the same warp, when both lanes have passed
 * a bar.warp.sync since. */
#include "run.h"

#include <string.h>

enum { WORD_ATOMIC = 0x80, THREAD_BITS = 10, THREAD_MASK = (1 << THREAD_BITS) - 1 };

size_t race_bytes(uint32_t shared_bytes) {
    size_t words = (shared_bytes + 3) / 4 + 32;
    return words * (5 * 4 + 2) + 64;
}

void race_attach(block *b, uint8_t *memory) {
    size_t words = (b->shared_bytes + 3) / 4 + 32;
    uint32_t *p = (uint32_t *)(void *)memory;
    b->sh = (shared_shadow){p,
                            p + words,
                            p + 2 * words,
                            p + 3 * words,
                            p + 4 * words,
                            (uint8_t *)(p + 5 * words),
                            (uint8_t *)(p + 5 * words) + words};
}

void race_clear(block *b) {
    memset(b->sh.writer, 0, race_bytes(b->shared_bytes) - 64);
    b->gen = 1;
    memset(b->vc, 0, sizeof b->vc);
    memset(b->safe, 0, sizeof b->safe);
}

void race_barrier(block *b, uint32_t set) {
    b->gen++;
    uint32_t joint[MAX_WARPS] = {0}, all = b->n_warps == 32 ? ALL_LANES : (1u << b->n_warps) - 1;
    EACH_LANE(w, set)
    for (unsigned r = 0; r < b->n_warps && set != all; r++)
        joint[r] = b->vc[w][r] > joint[r] ? b->vc[w][r] : joint[r];
    EACH_LANE(w, set)
    joint[w] = b->gen;
    EACH_LANE(w, set) {
        memcpy(b->vc[w], joint, b->n_warps * sizeof joint[0]);
        b->safe[w] = b->gen;
        for (unsigned r = 0; r < b->n_warps; r++)
            b->safe[w] = joint[r] < b->safe[w] ? joint[r] : b->safe[w];
    }
}

void race_sync_warp(warp *w, uint32_t mask) {
    w->sync_count++;
    EACH_LANE(l, mask)
    w->sync[l] = w->sync_count;
}

static uint32_t stamp(const warp *w, unsigned lane) {
    return thread_of(w, lane) | w->sync_count << THREAD_BITS;
}

/* Is what `who` (thread and sync count) did at generation `gen` ordered before lane `l` of `w`? */
static bool ordered(const warp *w, unsigned l, uint32_t who, uint32_t gen) {
    uint32_t thread = who & THREAD_MASK, other = thread / LANES;
    if (thread == thread_of(w, l) || gen < w->b->vc[w->index][other]) return true;
    if (other != w->index) return false;
    uint32_t then = who >> THREAD_BITS;
    return w->b->ln->module->sm < 70 || (w->sync[l] > then && w->sync[thread % LANES] > then);
}

static void race_found(warp *w, const ins *i, unsigned lane, uint32_t word, uint32_t thread,
                       const char *what) {
    finding_at at = {PTX_REPORT_RACE_SHARED, PTX_OK, lane, WIN_SHARED + word * 4, PTX_SHARED, NULL};
    const uint32_t *n = w->b->ln->p->block;
    find_report(w, i, &at, "%s thread (%u,%u,%u): no barrier between the two", what, thread % n[0],
                thread / n[0] % n[1], thread / n[0] / n[1]);
}

static void pending_found(warp *w, const ins *i, unsigned lane, uint32_t word) {
    finding_at at = {PTX_REPORT_ASYNC, PTX_OK, lane, WIN_SHARED + word * 4, PTX_SHARED, NULL};
    find_report(w, i, &at, "shared memory is touched while cp.async is still copying to it");
}

/* ---- reads ---- */

static void read_word(warp *w, const ins *i, unsigned l, uint32_t k, uint8_t bytes, bool strong) {
    shared_shadow *s = &w->b->sh;
    unsigned checks = w->b->ln->checks;
    if ((s->valid[k] & bytes) != bytes && !(s->valid[k] >> 4) && checks & PTX_CHECK_UNINIT) {
        finding_at at = {PTX_REPORT_UNINIT, PTX_OK, l, WIN_SHARED + k * 4, PTX_SHARED, NULL};
        find_report(w, i, &at, "read of shared memory that nobody has written");
    }
    if (s->valid[k] >> 4 & bytes && checks & PTX_CHECK_ASYNC) pending_found(w, i, l, k);
    bool both = strong && s->wbytes[k] & WORD_ATOMIC;
    if (s->wgen[k] >= w->b->safe[w->index] && s->wbytes[k] & bytes && !both && s->wgen[k] &&
        checks & PTX_CHECK_RACE_SHARED && !ordered(w, l, s->writer[k], s->wgen[k]))
        race_found(w, i, l, k, s->writer[k] & THREAD_MASK, "read of what was written by");
    if (strong) return;
    if (s->rgen[k] != w->b->gen) {
        s->rgen[k] = w->b->gen;
        s->readers[k] = 0;
    }
    s->readers[k] |= 1u << w->index;
    s->reader[k] = stamp(w, l);
}

/* 32 lanes read 32 words in a row that all are plainly fine: true after noting the reads. */
static bool read_row(warp *w, uint32_t k) {
    shared_shadow *s = &w->b->sh;
    uint32_t safe = w->b->safe[w->index], gen = w->b->gen, bit = 1u << w->index, bad = 0,
             first = stamp(w, 0);
    for (unsigned l = 0; l < LANES; l++)
        bad |= (uint32_t)(s->valid[k + l] != 15) | (s->wgen[k + l] >= safe);
    if (bad) return false;
    for (unsigned l = 0; l < LANES; l++) {
        s->readers[k + l] = (s->rgen[k + l] == gen ? s->readers[k + l] : 0) | bit;
        s->rgen[k + l] = gen;
        s->reader[k + l] = first + l;
    }
    return true;
}

static bool is_row(uint32_t mask, const uint64_t *ad, unsigned bytes) {
    if (mask != ALL_LANES || bytes != 4) return false;
    uint64_t odd = 0;
    for (unsigned l = 0; l < LANES; l++) odd |= ad[l] ^ (ad[0] + 4 * l);
    return !odd;
}

static uint8_t word_bytes(uint64_t at, unsigned bytes) {
    return (uint8_t)(bytes >= 4 ? 15 : ((1u << bytes) - 1) << (at & 3));
}

/* Most loads meet words last written before a barrier that everyone passed: nothing to look up. */
static bool quiet(const warp *w, uint32_t k, unsigned words) {
    const shared_shadow *s = &w->b->sh;
    uint32_t safe = w->b->safe[w->index], gen = w->b->gen, bit = 1u << w->index;
    for (unsigned n = 0; n < words; n++)
        if (s->valid[k + n] != 15 || s->wgen[k + n] >= safe || s->rgen[k + n] != gen ||
            !(s->readers[k + n] & bit))
            return false;
    return true;
}

void race_read(warp *w, const ins *i, uint32_t mask, const uint64_t *ad, unsigned bytes,
               bool strong) {
    const unsigned any = PTX_CHECK_UNINIT | PTX_CHECK_RACE_SHARED | PTX_CHECK_ASYNC;
    if (!(w->b->ln->checks & any) ||
        (is_row(mask, ad, bytes) && !strong && read_row(w, (uint32_t)(ad[0] / 4))))
        return;
    uint64_t last = UINT64_MAX;
    unsigned words = bytes <= 4 ? 1 : bytes / 4;
    EACH_LANE(l, mask) {
        if (ad[l] == last) continue;
        last = ad[l];
        uint32_t k = (uint32_t)(ad[l] / 4);
        if (bytes >= 4 && !strong && quiet(w, k, words)) continue;
        for (unsigned n = 0; n < words; n++)
            read_word(w, i, l, k + n, word_bytes(ad[l], bytes), strong);
    }
}

/* ---- writes ---- */

static void check_write(warp *w, const ins *i, unsigned l, uint32_t k, uint8_t bytes, bool strong) {
    shared_shadow *s = &w->b->sh;
    unsigned checks = w->b->ln->checks;
    if (s->valid[k] >> 4 & bytes && checks & PTX_CHECK_ASYNC) pending_found(w, i, l, k);
    if (!(checks & PTX_CHECK_RACE_SHARED)) return;
    bool both = strong && s->wbytes[k] & WORD_ATOMIC;
    if (s->wgen[k] && s->wbytes[k] & bytes && !both && !ordered(w, l, s->writer[k], s->wgen[k]))
        race_found(w, i, l, k, s->writer[k] & THREAD_MASK, "write over what was written by");
    if (!s->readers[k] || s->rgen[k] < w->b->safe[w->index]) return;
    uint32_t others = s->readers[k] & ~(1u << w->index);
    EACH_LANE(r, others)
    if (s->rgen[k] >= w->b->vc[w->index][r]) {
        race_found(w, i, l, k, r * LANES, "write over what was read by the warp of");
        return;
    }
    if (s->readers[k] >> w->index & 1 &&
        s->reader[k] >> THREAD_BITS == (w->sync_count & (UINT32_MAX >> THREAD_BITS)) &&
        !ordered(w, l, s->reader[k], s->rgen[k]))
        race_found(w, i, l, k, s->reader[k] & THREAD_MASK, "write over what was read by");
}

static void note_write(warp *w, unsigned l, uint32_t k, uint8_t bytes, bool strong) {
    shared_shadow *s = &w->b->sh;
    bool same = s->writer[k] == stamp(w, l) && s->wgen[k] == w->b->gen &&
                (s->wbytes[k] & WORD_ATOMIC) == (strong ? WORD_ATOMIC : 0);
    s->wbytes[k] = (uint8_t)((same ? s->wbytes[k] : 0) | bytes | (strong ? WORD_ATOMIC : 0));
    s->writer[k] = stamp(w, l);
    s->wgen[k] = w->b->gen;
    s->readers[k] = 0;
    s->valid[k] |= bytes;
}

/* All lanes are checked before any is noted: lanes of one instruction don't race with each other.
 */
void race_write(warp *w, const ins *i, uint32_t mask, const uint64_t *ad, unsigned bytes,
                bool strong) {
    const unsigned any = PTX_CHECK_UNINIT | PTX_CHECK_RACE_SHARED | PTX_CHECK_ASYNC;
    if (!(w->b->ln->checks & any)) return;
    unsigned words = bytes <= 4 ? 1 : bytes / 4;
    EACH_LANE(l, mask)
    for (unsigned n = 0; n < words; n++)
        check_write(w, i, l, (uint32_t)(ad[l] / 4) + n, word_bytes(ad[l], bytes), strong);
    EACH_LANE(l, mask)
    for (unsigned n = 0; n < words; n++)
        note_write(w, l, (uint32_t)(ad[l] / 4) + n, word_bytes(ad[l], bytes), strong);
}

/* ---- cp.async ---- */

void race_async_issue(warp *w, const ins *i, unsigned l, uint32_t offset, unsigned bytes) {
    for (uint32_t k = offset / 4; k < (offset + bytes + 3) / 4; k++) {
        check_write(w, i, l, k, 15, false);
        w->b->sh.valid[k] |= 0xf0;
    }
}

void race_async_done(warp *w, unsigned l, uint32_t offset, unsigned bytes) {
    for (uint32_t k = offset / 4; k < (offset + bytes + 3) / 4; k++) {
        w->b->sh.valid[k] &= 15;
        note_write(w, l, k, 15, false);
    }
}
