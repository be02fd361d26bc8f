/* race.c - checkers of shared memory (bytes nobody wrote, early touches of cp.async destinations) and
 * of races between the threads of a block, in global memory too.
 *
 * Each 4-byte word keeps its last writer and who read it since (who read less than all of it: for each byte), with the block's
 * generation at that time, which barriers and fences count on. warp.known[r] is the generation up to which it knows
 * what warp r of the cluster did: by a barrier of both, or by fences and strong accesses (order.c);
 * warp.proxied[r] the one up to which a fence.proxy.async lies between, too. Lanes of one warp
 * are ordered when both have passed a bar.warp.sync since, or such a pair. What warps of other blocks
 * have read stands in a list a word. */
#include "run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* WORD_ASYNC: written by the async proxy. A thread is its number in the cluster. */
enum {
    WORD_ATOMIC = 0x80,
    WORD_ASYNC = 0x40,
    THREAD_BITS = 14,
    THREAD_MASK = (1 << THREAD_BITS) - 1
};

/* Words of shared memory come first; behind them those of LINES lines of global memory that the block
 * has written, each where its address falls: a later one takes the place, which may hide a race. */
enum { LINES = 256, LINE_WORDS = 32, WORD_BYTES = 6 * 4 + 2 + 4 * 4 * 4 };

static size_t shared_words(uint32_t shared_bytes) {
    return (shared_bytes + 3) / 4 + 32;
}

size_t race_bytes(uint32_t shared_bytes) {
    return (shared_words(shared_bytes) + LINES * LINE_WORDS) * WORD_BYTES + 64;
}

void race_attach(block *b, uint8_t *memory) {
    size_t words = shared_words(b->shared_bytes) + LINES * LINE_WORDS;
    uint32_t *p = (uint32_t *)(void *)memory, *q = p + 6 * words;
    const size_t bytes = 4 * words;
    b->sh = (shared_shadow){.writer = p,
                            .wgen = p + words,
                            .words = {p + 2 * words, p + 3 * words, p + 4 * words, p + 5 * words},
                            .bytes = {q, q + bytes, q + 2 * bytes, q + 3 * bytes},
                            .valid = (uint8_t *)(q + 4 * bytes),
                            .wbytes = (uint8_t *)(q + 4 * bytes) + words};
    b->first_line = (uint32_t)shared_words(b->shared_bytes);
}

static void clear_readers(shadow_readers *r, size_t k, size_t n) {
    uint32_t *const all[] = {r->readers, r->rgen, r->reader, r->rlanes};
    for (size_t a = 0; a < sizeof all / sizeof all[0]; a++) memset(all[a] + k, 0, n * 4);
}

/* Nobody has touched words k .. k + n. */
static void clear_words(block *b, size_t k, size_t n, uint8_t valid) {
    shared_shadow *s = &b->sh;
    memset(s->writer + k, 0, n * 4);
    memset(s->wgen + k, 0, n * 4);
    clear_readers(&s->words, k, n);
    if (s->narrow) clear_readers(&s->bytes, 4 * k, 4 * n);
    memset(s->valid + k, valid, n);
    memset(s->wbytes + k, 0, n);
}

/* ---- who of other blocks has read a word ---- */

typedef struct {
    uint32_t warp, gen, next; /* next: 1 + index, 0: the last */
} far_reader;

struct far_words {
    uint32_t *head, free;
    VEC(far_reader) all;
};

static void far_note(warp *w, block *b, uint32_t k) {
    if (!b->far) {
        b->far = ptx_zeroed(sizeof *b->far);
        b->far->head = ptx_zeroed(b->first_line * 4);
    }
    struct far_words *f = b->far;
    for (uint32_t n = f->head[k]; n; n = f->all.at[n - 1].next)
        if (f->all.at[n - 1].warp == w->number) {
            f->all.at[n - 1].gen = w->b->cl->gen;
            return;
        }
    uint32_t at = f->free;
    if (at)
        f->free = f->all.at[at - 1].next;
    else {
        (void)VEC_PUSH(f->all);
        at = (uint32_t)f->all.n;
    }
    f->all.at[at - 1] = (far_reader){w->number, w->b->cl->gen, f->head[k]};
    f->head[k] = at;
}

static void far_forget(struct far_words *f, uint32_t k) {
    while (f->head[k]) {
        far_reader *x = &f->all.at[f->head[k] - 1];
        uint32_t at = f->head[k];
        f->head[k] = x->next;
        x->next = f->free;
        f->free = at;
    }
}

void race_detach(block *b) {
    if (b->far) {
        free(b->far->head);
        free(b->far->all.at);
    }
    free(b->far);
    b->far = NULL;
}

/* ---- what the warps of a cluster know of each other ---- */

void race_clear(block *b) {
    b->sh.narrow = false;
    clear_words(b, 0, b->first_line, 0);
    memset(b->lines, 0, sizeof b->lines);
    race_detach(b);
    for (unsigned k = 0; k < b->n_warps; k++) b->warps[k].safe = 0;
}

void race_know(warp *w) {
    const cluster *c = w->b->cl;
    w->safe = c->gen;
    for (unsigned r = 0; r < c->warps; r++) w->safe = w->known[r] < w->safe ? w->known[r] : w->safe;
}

void race_fence(warp *w, uint32_t mask) {
    w->sync_count++;
    EACH_LANE(l, mask) {
        w->fenced[l] = w->sync_count;
        if (w->flagged >> l & 1) w->sync[l] = w->sync_count;
    }
}

void race_flag(warp *w, unsigned lane, bool reads, bool writes) {
    w->flagged |= (uint32_t)reads << lane;
    if (writes && w->fenced[lane] > w->sync[lane]) w->sync[lane] = w->fenced[lane];
}

void race_raise(uint32_t *to, const uint32_t *from, unsigned n) {
    for (unsigned r = 0; r < n; r++) to[r] = from[r] > to[r] ? from[r] : to[r];
}

void race_barrier(block *b, uint32_t set) {
    cluster *c = b->cl;
    c->gen++;
    uint32_t joint[MAX_CLUSTER * MAX_WARPS], proxied[MAX_CLUSTER * MAX_WARPS],
        all = b->n_warps == 32 ? ALL_LANES : (1u << b->n_warps) - 1;
    bool proxies = b->ln->module->proxies;
    memset(joint, 0, c->warps * sizeof *joint);
    memset(proxied, 0, c->warps * sizeof *proxied);
    EACH_LANE(w, set) {
        if (set != all || c->n > 1) race_raise(joint, b->warps[w].known, c->warps);
        if (proxies) race_raise(proxied, b->warps[w].proxied, c->warps);
    }
    EACH_LANE(w, set)
    joint[b->warps[w].number] = c->gen;
    EACH_LANE(w, set) {
        memcpy(b->warps[w].known, joint, c->warps * sizeof joint[0]);
        if (proxies) memcpy(b->warps[w].proxied, proxied, c->warps * sizeof joint[0]);
        race_know(&b->warps[w]);
    }
    order_barrier(b, set);
}

/* By all lanes, or by some after the others have come to a warp barrier: all that the warp has written is
 * covered; else what it had before the last barrier. */
void race_proxy_fence(warp *w, uint32_t mask) {
    bool all = mask == w->live || w->sync_count;
    EACH_LANE(l, w->live & ~mask)
    all &= w->sync[l] == w->sync_count;
    race_raise(w->proxied, w->known, w->b->cl->warps);
    if (all) w->proxied[w->number] = ++w->b->cl->gen;
}

void race_sync_warp(warp *w, uint32_t mask) {
    w->sync_count++;
    EACH_LANE(l, mask)
    w->sync[l] = w->sync_count;
}

static uint32_t stamp(const warp *w, unsigned lane) {
    return (w->number * LANES + lane) | w->sync_count << THREAD_BITS;
}

/* Is what `who` (thread and sync count) did at generation `gen` ordered before lane `l` of `w`? */
static bool ordered(const warp *w, unsigned l, uint32_t who, uint32_t gen) {
    uint32_t thread = who & THREAD_MASK, other = thread / LANES;
    if (thread == w->number * LANES + l || gen < w->known[other]) return true;
    if (other != w->number) return false;
    uint32_t then = who >> THREAD_BITS;
    return w->b->ln->module->sm < 70 || (w->sync[l] > then && w->sync[thread % LANES] > then);
}

static void race_found(warp *w, const ins *i, unsigned lane, const block *b, uint32_t word,
                       uint32_t thread, const char *what) {
    const block *other = b->cl->block[thread / LANES / b->n_warps];
    const uint32_t *n = w->b->ln->p->block, *id = other->id;
    bool global = word >= b->first_line;
    uint32_t line = (word - b->first_line) / LINE_WORDS, in = (word - b->first_line) % LINE_WORDS;
    uint64_t address =
        global ? b->lines[line % LINES] * 4 * LINE_WORDS + in * 4 : WIN_SHARED + word * 4;
    char of[48] = "";
    thread -= other->rank * b->n_warps * LANES;
    if (other != w->b) snprintf(of, sizeof of, " of block (%u,%u,%u)", id[0], id[1], id[2]);
    find_note(w, i, lane, global ? PTX_REPORT_RACE_GLOBAL : PTX_REPORT_RACE_SHARED, address,
              "%s thread (%u,%u,%u)%s: no barrier between the two", what, thread % n[0],
              thread / n[0] % n[1], thread / n[0] / n[1], of);
}

static void pending_found(warp *w, const ins *i, unsigned lane, uint32_t word) {
    find_note(w, i, lane, PTX_REPORT_ASYNC, WIN_SHARED + word * 4,
              "shared memory is touched while cp.async is still copying to it");
}

/* ---- reads ---- */

/* Has `w` met a strong access by which the writer released the word? */
static bool heard(const warp *w, uint32_t who, uint32_t gen) {
    uint32_t other = (who & THREAD_MASK) / LANES, n = w->b->n_warps;
    const uint32_t *row = past_row(w->pending[ORDER_BLOCK], w->b->cl->block[other / n]->linear);
    return row && row[other % n] > gen;
}

static void note_reader(warp *w, unsigned l, shadow_readers *s, size_t k) {
    uint32_t warps = 1u << w->index, now = stamp(w, 0);
    if (s->rgen[k] < w->safe) s->readers[k] = 0;
    if (!(s->readers[k] & ~warps)) s->rgen[k] = w->b->cl->gen;
    if (!(s->readers[k] & warps) || s->reader[k] != now) s->rlanes[k] = 0;
    s->readers[k] |= warps;
    s->reader[k] = now;
    s->rlanes[k] |= 1u << l;
}

static void note_read(warp *w, unsigned l, block *b, uint32_t k, uint8_t bytes) {
    if (b != w->b) {
        far_note(w, b, k);
        return;
    }
    if (bytes == 15) {
        note_reader(w, l, &b->sh.words, k);
        return;
    }
    if (!b->sh.narrow) clear_readers(&b->sh.bytes, 0, 4 * (b->first_line + LINES * LINE_WORDS));
    b->sh.narrow = true;
    EACH_LANE(n, bytes)
    note_reader(w, l, &b->sh.bytes, 4 * (size_t)k + n);
}

static void read_word(warp *w, const ins *i, unsigned l, block *b, uint32_t k, uint8_t bytes,
                      unsigned how) {
    shared_shadow *s = &b->sh;
    unsigned checks = w->b->ln->checks;
    if ((s->valid[k] & bytes) != bytes && !(s->valid[k] >> 4))
        find_note(w, i, l, PTX_REPORT_UNINIT, WIN_SHARED + k * 4,
                  "read of shared memory that nobody has written");
    if (s->valid[k] >> 4 & bytes) pending_found(w, i, l, k);
    bool strong = how & (ACC_ATOMIC | ACC_STRONG_READ);
    bool both = strong && s->wbytes[k] & WORD_ATOMIC &&
                (!(how & ACC_DATA) || heard(w, s->writer[k], s->wgen[k]));
    if (s->wgen[k] >= w->safe && s->wbytes[k] & bytes && !both && s->wgen[k] &&
        checks & PTX_CHECK_RACE_SHARED && !ordered(w, l, s->writer[k], s->wgen[k]))
        race_found(w, i, l, b, k, s->writer[k] & THREAD_MASK, "read of what was written by");
    if (!strong && !(how & ACC_PEEK)) note_read(w, l, b, k, bytes);
}

/* 32 lanes read 32 words in a row that all are plainly fine: true after noting the reads. */
static bool read_row(warp *w, uint32_t k) {
    shared_shadow *s = &w->b->sh;
    uint32_t safe = w->safe, gen = w->b->cl->gen, bit = 1u << w->index, bad = 0,
             first = stamp(w, 0);
    for (unsigned l = 0; l < LANES; l++)
        bad |= (uint32_t)(s->valid[k + l] != 15) | (s->wgen[k + l] >= safe);
    if (bad) return false;
    for (unsigned l = 0; l < LANES; l++) {
        uint32_t have = s->words.rgen[k + l] < safe ? 0 : s->words.readers[k + l];
        uint32_t lanes = have & bit && s->words.reader[k + l] == first ? s->words.rlanes[k + l] : 0;
        s->words.rgen[k + l] = have & ~bit ? s->words.rgen[k + l] : gen;
        s->words.readers[k + l] = have | bit;
        s->words.reader[k + l] = first;
        s->words.rlanes[k + l] = lanes | 1u << l;
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

/* Most loads meet words last written before a barrier that everyone passed, and read before by the
 * same thread: nothing to look up. */
static bool quiet(const warp *w, unsigned l, uint32_t k, unsigned words) {
    const shared_shadow *s = &w->b->sh;
    uint32_t safe = w->safe, gen = w->b->cl->gen, bit = 1u << w->index, now = stamp(w, 0);
    for (unsigned n = 0; n < words; n++)
        if (s->valid[k + n] != 15 || s->wgen[k + n] >= safe || s->words.rgen[k + n] != gen ||
            !(s->words.readers[k + n] & bit) || s->words.reader[k + n] != now ||
            !(s->words.rlanes[k + n] >> l & 1))
            return false;
    return true;
}

void race_read(warp *w, const ins *i, uint32_t mask, block *b, const uint64_t *ad, unsigned bytes,
               uint64_t live, unsigned how) {
    bool own = b == w->b, strong = how & (ACC_ATOMIC | ACC_STRONG_READ);
    const unsigned any = PTX_CHECK_UNINIT | PTX_CHECK_RACE_SHARED | PTX_CHECK_ASYNC;
    if (!(w->b->ln->checks & any) ||
        (own && is_row(mask, ad, bytes) && !strong && read_row(w, (uint32_t)(ad[0] / 4))))
        return;
    unsigned words = bytes <= 4 ? 1 : bytes / 4;
    EACH_LANE(l, mask) {
        uint32_t k = (uint32_t)(ad[l] / 4);
        if (own && bytes >= 4 && !strong && quiet(w, l, k, words)) continue;
        for (unsigned n = 0; n < words; n++) {
            uint8_t some = (uint8_t)((bytes < 4 ? live << (ad[l] & 3) : live >> 4 * n) & 15);
            if (some) read_word(w, i, l, b, k + n, some, how);
        }
    }
    if (!own) b->visits[w->number] = b->cl->gen;
}

/* ---- writes ---- */

/* Lane l writes word k: is it ordered behind those who read `at`? */
static void check_readers(warp *w, const ins *i, unsigned l, block *b, const shadow_readers *s,
                          size_t at, uint32_t k) {
    if (!s->readers[at] || s->rgen[at] < w->safe) return;
    uint32_t first = b->rank * b->n_warps,
             others = s->readers[at] & ~(b == w->b ? 1u << w->index : 0);
    EACH_LANE(r, others)
    if (s->rgen[at] >= w->known[first + r]) {
        race_found(w, i, l, b, k, (first + r) * LANES, "write over what was read by the warp of");
        return;
    }
    if (b != w->b || (s->reader[at] & THREAD_MASK) / LANES != w->number ||
        !(s->readers[at] >> w->index & 1))
        return;
    EACH_LANE(r, s->rlanes[at])
    if (!ordered(w, l, s->reader[at] + r, s->rgen[at])) {
        race_found(w, i, l, b, k, (s->reader[at] & THREAD_MASK) + r, "write over what was read by");
        return;
    }
}

/* The same for readers of other blocks, who are forgotten then. */
static void check_far(warp *w, const ins *i, unsigned l, block *b, uint32_t k) {
    for (uint32_t n = k < b->first_line ? b->far->head[k] : 0; n; n = b->far->all.at[n - 1].next) {
        const far_reader *x = &b->far->all.at[n - 1];
        if (x->warp != w->number && x->gen >= w->known[x->warp])
            race_found(w, i, l, b, k, x->warp * LANES, "write over what was read by the warp of");
    }
}

static void check_write(warp *w, const ins *i, unsigned l, block *b, uint32_t k, uint8_t bytes,
                        bool strong) {
    shared_shadow *s = &b->sh;
    unsigned checks = w->b->ln->checks;
    if (s->valid[k] >> 4 & bytes) pending_found(w, i, l, k);
    if (b->reading && k < b->first_line) matrix_touched(w, i, l, b, 4 * k);
    if (!(checks & PTX_CHECK_RACE_SHARED)) return;
    bool both = strong && s->wbytes[k] & WORD_ATOMIC;
    if (s->wgen[k] && s->wbytes[k] & bytes && !both && !ordered(w, l, s->writer[k], s->wgen[k]))
        race_found(w, i, l, b, k, s->writer[k] & THREAD_MASK, "write over what was written by");
    check_readers(w, i, l, b, &s->words, k, k);
    EACH_LANE(n, s->narrow ? bytes : 0)
    check_readers(w, i, l, b, &s->bytes, 4 * (size_t)k + n, k);
    if (b->far) check_far(w, i, l, b, k);
}

static void note_write(warp *w, unsigned l, block *b, uint32_t k, uint8_t bytes, bool strong) {
    shared_shadow *s = &b->sh;
    uint32_t gen = b->cl->gen;
    bool same = s->writer[k] == stamp(w, l) && s->wgen[k] == gen &&
                (s->wbytes[k] & WORD_ATOMIC) == (strong ? WORD_ATOMIC : 0);
    s->wbytes[k] =
        (uint8_t)((same ? s->wbytes[k] & ~WORD_ASYNC : 0) | bytes | (strong ? WORD_ATOMIC : 0));
    s->writer[k] = stamp(w, l);
    s->wgen[k] = gen;
    if (b->far && k < b->first_line) far_forget(b->far, k);
    s->words.readers[k] = 0;
    EACH_LANE(n, s->narrow ? bytes : 0)
    s->bytes.readers[4 * (size_t)k + n] = 0;
    s->valid[k] |= bytes;
}

/* All lanes are checked before any is noted: lanes of one instruction don't race with each other.
 */
void race_write(warp *w, const ins *i, uint32_t mask, block *b, const uint64_t *ad, unsigned bytes,
                bool strong) {
    const unsigned any = PTX_CHECK_UNINIT | PTX_CHECK_RACE_SHARED | PTX_CHECK_ASYNC;
    if (!(w->b->ln->checks & any)) return;
    unsigned words = bytes <= 4 ? 1 : bytes / 4;
    EACH_LANE(l, mask)
    for (unsigned n = 0; n < words; n++)
        check_write(w, i, l, b, (uint32_t)(ad[l] / 4) + n, word_bytes(ad[l], bytes), strong);
    EACH_LANE(l, mask)
    for (unsigned n = 0; n < words; n++)
        note_write(w, l, b, (uint32_t)(ad[l] / 4) + n, word_bytes(ad[l], bytes), strong);
    if (b != w->b) b->visits[w->number] = b->cl->gen;
}

/* ---- global memory ---- */

/* Notes a store to a line that is new here: there is nothing to check. */
static void note_fresh(warp *w, uint32_t mask, const uint64_t *own, unsigned bytes, bool strong) {
    unsigned words = bytes <= 4 ? 1 : bytes / 4;
    EACH_LANE(l, mask)
    for (unsigned n = 0; n < words; n++)
        note_write(w, l, w->b, (uint32_t)(own[l] / 4) + n, word_bytes(own[l], bytes), strong);
}

/* The lanes `mask`, all in one line. Only lines that the block has written are followed: a read that
 * comes before any write is not noted, the other order of the two is found under other seeds. */
static void touch_line(warp *w, const ins *i, uint32_t mask, const uint64_t *ad, unsigned bytes,
                       uint64_t live, unsigned how) {
    block *b = w->b;
    uint64_t line = ad[__builtin_ctz(mask)] / (4 * LINE_WORDS), own[LANES];
    uint32_t at = (uint32_t)(line ^ line >> 8) % LINES, first = b->first_line + at * LINE_WORDS;
    bool known = b->lines[at] == line, writes = how & (ACC_WRITE | ACC_ATOMIC);
    bool strong = how & (ACC_ATOMIC | ACC_STRONG_READ);
    if (!known && !writes) return;
    for (unsigned l = 0; l < LANES; l++) own[l] = first * 4 + ad[l] % (4 * LINE_WORDS);
    if (!known) {
        clear_words(b, first, LINE_WORDS, 15);
        b->lines[at] = line;
        note_fresh(w, mask, own, bytes, strong);
        return;
    }
    if (!writes || how & ACC_RMW) race_read(w, i, mask, b, own, bytes, live, how);
    if (writes) race_write(w, i, mask, b, own, bytes, strong);
}

void race_global(warp *w, const ins *i, uint32_t mask, const uint64_t *ad, unsigned bytes,
                 uint64_t live, unsigned how) {
    if (!(w->b->ln->checks & PTX_CHECK_RACE_SHARED) || w->b->ln->n_threads == 1) return;
    while (mask) {
        uint64_t line = ad[__builtin_ctz(mask)] / (4 * LINE_WORDS);
        uint32_t same = 0;
        EACH_LANE(l, mask)
        same |= (uint32_t)(ad[l] / (4 * LINE_WORDS) == line) << l;
        touch_line(w, i, same, ad, bytes, live, how);
        mask &= ~same;
    }
}

/* ---- cp.async ---- */

void race_async_issue(warp *w, const ins *i, unsigned l, block *b, uint32_t offset,
                      unsigned bytes) {
    for (uint32_t k = offset / 4; k < (offset + bytes + 3) / 4; k++) {
        check_write(w, i, l, b, k, 15, false);
        b->sh.valid[k] |= 0xf0;
    }
}

void race_async_done(warp *w, unsigned l, block *b, uint32_t offset, unsigned bytes, bool proxy) {
    for (uint32_t k = offset / 4; k < (offset + bytes + 3) / 4; k++) {
        b->sh.valid[k] &= 15;
        note_write(w, l, b, k, 15, false);
        if (proxy) b->sh.wbytes[k] |= WORD_ASYNC;
    }
}

void race_proxy_read(warp *w, const ins *i, unsigned l, uint32_t offset, unsigned bytes) {
    const shared_shadow *s = &w->b->sh;
    if (!(w->b->ln->checks & PTX_CHECK_ASYNC)) return;
    for (uint32_t k = offset / 4; k < (offset + bytes + 3) / 4; k++) {
        uint32_t by = (s->writer[k] & THREAD_MASK) / LANES;
        if (!s->wgen[k] || s->wbytes[k] & WORD_ASYNC || s->wgen[k] < w->proxied[by]) continue;
        find_note(w, i, l, PTX_REPORT_ASYNC, WIN_SHARED + k * 4,
                  "asynchronous read of what threads have written: no fence.proxy.async between");
        return;
    }
}

void race_leave(warp *w) {
    const block *b = w->b;
    const ins *i = &b->ln->module->code.at[w->cur->pc ? w->cur->pc - 1 : 0];
    for (unsigned v = 0; v < b->cl->warps && b->cl->n > 1; v++) {
        bool told = !b->visits[v] || b->cl->block[v / b->n_warps] == b;
        for (unsigned k = 0; k < b->n_warps && !told; k++)
            told = b->warps[k].known[v] > b->visits[v];
        if (told || !(b->ln->checks & PTX_CHECK_RACE_SHARED)) continue;
        const uint32_t *id = b->cl->block[v / b->n_warps]->id;
        find_note(w, i, 0, PTX_REPORT_RACE_SHARED, 0,
                  "the block ends, and nothing says that block (%u,%u,%u) is done with its memory",
                  id[0], id[1], id[2]);
        return;
    }
}
