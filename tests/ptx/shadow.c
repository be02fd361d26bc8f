/* shadow.c - global memory's checkers: which bytes were ever written, who touched them.
 *
 *   a line: 128 bytes of an allocation
 *     = 2 words of "written" bits
 *     + a record tagged with the launch: bytes read, written, atomically written; the one block
 *       that did it, or a short list of blocks
 *
 * A strong read makes the list at once: a record's own reads may be weak ones or not.
 *
 * Records are reset when a new launch first meets them, so launches need not clear anything. A list
 * that is full forgets: the checker may then miss a race, but never invents one. */
#include "run.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LOCKED 0x80000000u
enum { MORE_MAX = 6, MORE_PARTS = 16, POOL_CHUNK = 8192, POOL_CHUNKS = 512, LINES_A_CHUNK = 64 };

typedef struct {
    uint32_t owner, stamp;
    uint32_t when, asked; /* the moment of the last atomic, and of the last that returned a value */
    uint64_t rd[2], wr[2], at[2]; /* rd: weak reads only */
} toucher;

/* A part of the list of blocks that touched a line; up to MORE_PARTS of them in a chain. */
typedef struct {
    uint32_t n, next; /* 1 + index of the next part, 0: the last */
    toucher t[MORE_MAX];
} more;

typedef struct {
    _Atomic uint32_t tag; /* serial number of the launch, and the lock */
    uint32_t owner, stamp;
    uint32_t more; /* 1 + index of the list, 0: only the owner */
    uint64_t rd[2], wr[2], at[2];
} line_record;

struct ptx_shadow {
    uint64_t size, n_lines;
    size_t bytes;              /* of the mapping below */
    _Atomic uint64_t *written; /* 2 words a line */
    line_record *lines;
    uint32_t *chunks; /* serial of the launch that last touched 64 lines */
    _Atomic uint32_t serial;
};

struct touched {
    pthread_mutex_t lock;
    VEC(const ptx_extent *) extents;
    more *_Atomic pool[POOL_CHUNKS];
    atomic_uint next;
};

/* ---- shadows ---- */

static size_t round_page(size_t n) {
    return (n + 4095) & ~(size_t)4095;
}

ptx_shadow *ptx_shadow_new(uint64_t size) {
    ptx_shadow *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->size = size;
    s->n_lines = (size + 127) / 128;
    size_t lines = round_page(s->n_lines * sizeof(line_record)), bits = round_page(s->n_lines * 16);
    size_t chunks = round_page((s->n_lines / LINES_A_CHUNK + 1) * 4);
    s->bytes = lines + bits + chunks;
    char *p = mmap(NULL, s->bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        free(s);
        return NULL;
    }
    if (s->bytes >= 4u << 20) madvise(p, s->bytes, MADV_HUGEPAGE);
    s->lines = (line_record *)(void *)p;
    s->written = (_Atomic uint64_t *)(void *)(p + lines);
    s->chunks = (uint32_t *)(void *)(p + lines + bits);
    return s;
}

void ptx_shadow_free(ptx_shadow *s) {
    if (s) munmap(s->lines, s->bytes);
    free(s);
}

/* Bits [from, to) of a 64-bit word. */
static uint64_t bits_between(uint64_t from, uint64_t to) {
    uint64_t high = to >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << to) - 1;
    return high & ~(((uint64_t)1 << from) - 1);
}

static uint64_t clip(const ptx_shadow *s, uint64_t offset, uint64_t n) {
    return offset >= s->size ? offset : n > s->size - offset ? s->size : offset + n;
}

void ptx_shadow_mark(ptx_shadow *s, uint64_t offset, uint64_t n) {
    for (uint64_t end = s ? clip(s, offset, n) : 0; offset < end;) {
        uint64_t word = offset / 64, stop = (word + 1) * 64 < end ? (word + 1) * 64 : end;
        atomic_fetch_or_explicit(&s->written[word], bits_between(offset % 64, stop - word * 64),
                                 memory_order_relaxed);
        offset = stop;
    }
}

void ptx_shadow_forget(ptx_shadow *s, uint64_t offset, uint64_t n) {
    for (uint64_t end = s ? clip(s, offset, n) : 0; offset < end;) {
        uint64_t word = offset / 64, stop = (word + 1) * 64 < end ? (word + 1) * 64 : end;
        atomic_fetch_and_explicit(&s->written[word], ~bits_between(offset % 64, stop - word * 64),
                                  memory_order_relaxed);
        offset = stop;
    }
}

static bool is_written(const ptx_shadow *s, uint64_t at) {
    return s->written[at / 64] >> (at % 64) & 1;
}

void ptx_shadow_copy(ptx_shadow *to, uint64_t at, const ptx_shadow *from, uint64_t offset,
                     uint64_t n) {
    if (!to) return;
    if (!from) {
        ptx_shadow_mark(to, at, n);
        return;
    }
    for (uint64_t k = 0; k < n && at + k < to->size && offset + k < from->size;) {
        bool aligned = !((at + k) % 64) && !((offset + k) % 64) && n - k >= 64;
        if (aligned) {
            to->written[(at + k) / 64] = from->written[(offset + k) / 64];
            k += 64;
            continue;
        }
        (is_written(from, offset + k) ? ptx_shadow_mark : ptx_shadow_forget)(to, at + k, 1);
        k++;
    }
}

uint64_t ptx_shadow_hole(const ptx_shadow *s, uint64_t offset, uint64_t n) {
    uint64_t end = s ? clip(s, offset, n) : 0;
    while (s && offset < end) {
        uint64_t word = offset / 64, stop = (word + 1) * 64 < end ? (word + 1) * 64 : end;
        uint64_t missing = bits_between(offset % 64, stop - word * 64) & ~s->written[word];
        if (missing) return word * 64 + (uint64_t)__builtin_ctzll(missing);
        offset = stop;
    }
    return s ? end : offset + n;
}

/* ---- touching ---- */

void shadow_begin(launch *ln) {
    static _Atomic uint32_t serials;
    do ln->serial_number = (atomic_fetch_add(&serials, 1) + 1) & ~LOCKED;
    while (!ln->serial_number);
    ln->touched = ptx_zeroed(sizeof *ln->touched);
    pthread_mutex_init(&ln->touched->lock, NULL);
}

static void lock_line(const launch *ln, line_record *r) {
    if (ln->n_workers == 1) return;
    for (;;) {
        uint32_t tag = atomic_load_explicit(&r->tag, memory_order_relaxed);
        if (!(tag & LOCKED) &&
            atomic_compare_exchange_weak_explicit(&r->tag, &tag, tag | LOCKED, memory_order_acquire,
                                                  memory_order_relaxed))
            return;
    }
}

static void unlock_line(launch *ln, line_record *r) {
    atomic_store_explicit(&r->tag, ln->serial_number,
                          ln->n_workers == 1 ? memory_order_relaxed : memory_order_release);
}

/* The list with index k; NULL when the pool is used up. */
static more *pool_at(touched *t, uint32_t k) {
    if (k / POOL_CHUNK >= POOL_CHUNKS) return NULL;
    more *_Atomic *slot_of = &t->pool[k / POOL_CHUNK];
    more *chunk = atomic_load(slot_of);
    if (!chunk) {
        more *fresh = ptx_grow(NULL, POOL_CHUNK * sizeof *fresh);
        if (atomic_compare_exchange_strong(slot_of, &chunk, fresh))
            chunk = fresh;
        else
            free(fresh);
    }
    return &chunk[k % POOL_CHUNK];
}

static more *more_new(touched *t, uint32_t *link) {
    uint32_t k = atomic_fetch_add(&t->next, 1);
    more *fresh = pool_at(t, k);
    if (fresh) {
        fresh->n = fresh->next = 0;
        *link = k + 1;
    }
    return fresh;
}

static void note_extent(launch *ln, const ptx_extent *e) {
    pthread_mutex_lock(&ln->touched->lock);
    if (atomic_exchange(&e->shadow->serial, ln->serial_number) != ln->serial_number)
        *VEC_PUSH(ln->touched->extents) = e;
    pthread_mutex_unlock(&ln->touched->lock);
}

/* When a warp did something, for order_before; one and the same where nothing orders blocks. */
static uint32_t stamp_of(const warp *w) {
    return w->b->ln->module->orders ? w->b->cl->gen * MAX_WARPS + w->index : 0;
}

/* Is `how` on m0, m1 all that others must be ordered with, given what the same block did before it? Then
 * its time may stand for both. */
static bool stands_for(const warp *w, uint32_t stamp, const uint64_t rd[2], const uint64_t wr[2],
                       const uint64_t at[2], uint64_t m0, uint64_t m1, unsigned how) {
    unsigned then = stamp % MAX_WARPS;
    if (then != w->index && stamp / MAX_WARPS >= w->known[w->number - w->index + then])
        return false;
    uint64_t o0 = 0, o1 = 0;
    if (!(how & ACC_READ)) o0 |= at[0], o1 |= at[1];
    if (how & (ACC_READ | ACC_WRITE)) o0 |= rd[0], o1 |= rd[1];
    if (how & ACC_WRITE) o0 |= wr[0], o1 |= wr[1];
    return !((o0 ^ (rd[0] | wr[0] | at[0])) | (o1 ^ (rd[1] | wr[1] | at[1])) | (o0 & ~m0) |
             (o1 & ~m1));
}

static void start_record(launch *ln, const ptx_extent *e, uint64_t line, line_record *r,
                         const warp *w) {
    ptx_shadow *s = e->shadow;
    r->owner = w->b->linear;
    r->stamp = stamp_of(w);
    r->more = 0;
    memset(r->rd, 0, 3 * sizeof r->rd);
    __atomic_store_n(&s->chunks[line / LINES_A_CHUNK], ln->serial_number, __ATOMIC_RELAXED);
    if (atomic_load_explicit(&s->serial, memory_order_relaxed) != ln->serial_number)
        note_extent(ln, e);
}

static uint64_t conflict(const uint64_t rd[2], const uint64_t wr[2], const uint64_t at[2], int h,
                         uint64_t m, unsigned how) {
    uint64_t other = how & ACC_READ          ? wr[h] | at[h]
                     : how & ACC_STRONG_READ ? wr[h]
                     : how & ACC_WRITE       ? rd[h] | wr[h] | at[h]
                                             : rd[h] | wr[h];
    return m & other;
}

/* The first of the bytes c0, c1 of a line, for a report. */
static uint64_t first_byte(const ptx_extent *e, uint64_t line, uint64_t c0, uint64_t c1) {
    unsigned byte = c0 ? (unsigned)__builtin_ctzll(c0) : 64 + (unsigned)__builtin_ctzll(c1);
    return e->base + line * 128 + byte;
}

static void report_race(warp *w, const ins *i, unsigned lane, uint64_t address, uint32_t other,
                        unsigned how) {
    const uint32_t *g = w->b->ln->p->grid;
    find_note(w, i, lane, PTX_REPORT_RACE_GLOBAL, address,
              "%s races with block (%u,%u,%u): no fence and atomic orders the two",
              how & (ACC_READ | ACC_STRONG_READ) ? "read" : "write", other % g[0],
              other / g[0] % g[1], other / g[0] / g[1]);
}

static void add_bits(uint64_t rd[2], uint64_t wr[2], uint64_t at[2], uint64_t m0, uint64_t m1,
                     unsigned how) {
    uint64_t *to = how & (ACC_READ | ACC_STRONG_READ) ? rd : how & ACC_WRITE ? wr : at;
    to[0] |= m0;
    to[1] |= m1;
}

/* The first part of the list, made of what the record knows if there is none; NULL: no room. */
static more *list_of(launch *ln, line_record *r) {
    if (r->more) return pool_at(ln->touched, r->more - 1);
    more *fresh = more_new(ln->touched, &r->more);
    if (!fresh) return NULL;
    fresh->n = 1;
    fresh->t[0] = (toucher){.owner = r->owner, .stamp = r->stamp, .when = ln->moment - 1};
    memcpy(fresh->t[0].rd, r->rd, 3 * sizeof r->rd);
    return fresh;
}

/* What a block has done to a line itself: its toucher to add to, and its atomics that returned. */
typedef struct {
    toucher *mine;
    uint32_t asked;
    uint64_t at[2];
} own_part;

static own_part find_own(touched *t, more *part, const warp *w, uint64_t m0, uint64_t m1,
                         unsigned how) {
    own_part own = {0};
    uint32_t now = stamp_of(w);
    for (;; part = pool_at(t, part->next - 1)) {
        for (uint32_t k = 0; k < part->n; k++) {
            toucher *x = &part->t[k];
            if (x->owner != w->b->linear) continue;
            if (x->stamp == now || stands_for(w, x->stamp, x->rd, x->wr, x->at, m0, m1, how))
                own.mine = x;
            if (x->asked > own.asked) own.asked = x->asked;
            if (x->asked) own.at[0] |= x->at[0], own.at[1] |= x->at[1];
        }
        if (!part->next) return own;
    }
}

/* Several blocks: look through the list for an unordered conflict, then add to or append to it. A store
 * after one's own atomic on the same bytes comes after the atomics that were before that. */
static void touch_list(warp *w, const ins *i, unsigned lane, const ptx_extent *e, uint64_t line,
                       line_record *r, uint64_t m0, uint64_t m1, unsigned how) {
    block *b = w->b;
    touched *t = b->ln->touched;
    more *part = list_of(b->ln, r);
    if (!part) return;
    own_part own = find_own(t, part, w, m0, m1, how);
    unsigned parts = 1;
    for (;; part = pool_at(t, part->next - 1), parts++) {
        for (uint32_t k = 0; k < part->n; k++) {
            const toucher *x = &part->t[k];
            uint64_t c0 = conflict(x->rd, x->wr, x->at, 0, m0, how),
                     c1 = conflict(x->rd, x->wr, x->at, 1, m1, how);
            if (how & ACC_WRITE && own.asked > x->when) {
                c0 &= ~own.at[0] | x->rd[0] | x->wr[0];
                c1 &= ~own.at[1] | x->rd[1] | x->wr[1];
            }
            uint64_t old0 = how & ACC_DATA ? x->at[0] & m0 : 0,
                     old1 = how & ACC_DATA ? x->at[1] & m1 : 0;
            if (x->owner == b->linear) continue;
            if ((c0 | c1) && !order_before(w, x->owner, x->stamp, false))
                report_race(w, i, lane, first_byte(e, line, c0, c1), x->owner, how);
            else if ((old0 | old1) && !order_before(w, x->owner, x->stamp, true))
                report_race(w, i, lane, first_byte(e, line, old0, old1), x->owner, how);
        }
        if (!part->next) break;
    }
    if (how & ACC_STRONG_READ) return;
    toucher *mine = own.mine;
    if (!mine && part->n == MORE_MAX && parts < MORE_PARTS) part = more_new(t, &part->next);
    if (!mine && part && part->n < MORE_MAX) {
        mine = &part->t[part->n++];
        *mine = (toucher){.owner = b->linear};
    }
    if (!mine) return;
    mine->stamp = stamp_of(w);
    add_bits(mine->rd, mine->wr, mine->at, m0, m1, how);
    if (how & ACC_ATOMIC) mine->when = b->ln->moment;
    if (how & ACC_ASKED) mine->asked = b->ln->moment;
}

static void touch_record(warp *w, const ins *i, unsigned lane, const ptx_extent *e, uint64_t line,
                         uint64_t m0, uint64_t m1, unsigned how) {
    launch *ln = w->b->ln;
    line_record *r = &e->shadow->lines[line];
    lock_line(ln, r);
    if ((atomic_load_explicit(&r->tag, memory_order_relaxed) & ~LOCKED) != ln->serial_number)
        start_record(ln, e, line, r, w);
    uint64_t late0 = m0 & (r->wr[0] | r->at[0]), late1 = m1 & (r->wr[1] | r->at[1]);
    if (how & ACC_NC && late0 | late1 && ln->checks & PTX_CHECK_RACE_GLOBAL)
        find_note(w, i, lane, PTX_REPORT_RACE_GLOBAL, first_byte(e, line, late0, late1),
                  "a non-coherent load (.nc) of what this launch has written");
    uint32_t now = stamp_of(w);
    bool alone = !r->more && r->owner == w->b->linear &&
                 (r->stamp == now || stands_for(w, r->stamp, r->rd, r->wr, r->at, m0, m1, how));
    if (alone && !(how & ACC_STRONG_READ)) r->stamp = now;
    if ((!alone || how & ACC_STRONG_READ) && ln->checks & PTX_CHECK_RACE_GLOBAL && ln->n_blocks > 1)
        touch_list(w, i, lane, e, line, r, m0, m1, how);
    add_bits(r->rd, r->wr, r->at, m0, m1, how);
    unlock_line(ln, r);
}

void shadow_touch(warp *w, const ins *i, unsigned lane, const ptx_extent *e, uint64_t line,
                  uint64_t m0, uint64_t m1, unsigned how) {
    ptx_shadow *s = e->shadow;
    _Atomic uint64_t *bits = &s->written[2 * line];
    uint64_t have0 = atomic_load_explicit(&bits[0], memory_order_relaxed);
    uint64_t have1 = atomic_load_explicit(&bits[1], memory_order_relaxed);
    uint64_t new0 = m0 & ~have0, new1 = m1 & ~have1;
    unsigned checks = w->b->ln->checks;
    if (new0 | new1) {
        if (how & (ACC_READ | ACC_STRONG_READ | ACC_RMW))
            find_note(w, i, lane, PTX_REPORT_UNINIT, first_byte(e, line, new0, new1),
                      "read of global memory that nobody has written");
        if (how & (ACC_WRITE | ACC_ATOMIC)) {
            atomic_fetch_or_explicit(&bits[0], m0, memory_order_relaxed);
            atomic_fetch_or_explicit(&bits[1], m1, memory_order_relaxed);
        }
    }
    if (checks & (PTX_CHECK_RACE_GLOBAL | PTX_CHECK_SETS))
        touch_record(w, i, lane, e, line, m0, m1, how);
}

/* ---- what a launch touched ---- */

typedef struct {
    ptx_range *at;
    size_t n, cap;
} range_list;

static void add_word(range_list *out, const ptx_extent *e, ptx_access access, uint64_t base,
                     uint64_t bits) {
    while (bits) {
        uint64_t from = (uint64_t)__builtin_ctzll(bits), rest = ~(bits >> from);
        uint64_t n = rest ? (uint64_t)__builtin_ctzll(rest) : 64;
        if (n > 64 - from) n = 64 - from;
        ptx_range *last = out->n ? &out->at[out->n - 1] : NULL;
        if (last && last->extent == e && last->access == access && last->end == base + from)
            last->end += n;
        else
            *VEC_PUSH(*out) = (ptx_range){e, access, base + from, base + from + n};
        bits &= ~bits_between(from, from + n);
    }
}

static void harvest(const launch *ln, const ptx_extent *e, range_list *out, ptx_counters *count) {
    static const ptx_access kinds[3] = {PTX_READ, PTX_WRITE, PTX_ATOMIC};
    const ptx_shadow *s = e->shadow;
    for (int kind = 0; kind < 3; kind++)
        for (uint64_t line = 0; line < s->n_lines; line++) {
            if (line % LINES_A_CHUNK == 0 && s->chunks[line / LINES_A_CHUNK] != ln->serial_number) {
                line += LINES_A_CHUNK - 1;
                continue;
            }
            const line_record *r = &s->lines[line];
            if (atomic_load_explicit(&r->tag, memory_order_relaxed) != ln->serial_number) continue;
            const uint64_t *bits = kind == 0 ? r->rd : kind == 1 ? r->wr : r->at;
            for (uint64_t h = 0; h < 2; h++) {
                uint64_t *distinct =
                    kind == 0 ? &count->distinct_load_bytes : &count->distinct_store_bytes;
                *distinct += (uint64_t)__builtin_popcountll(bits[h]);
                add_word(out, e, kinds[kind], line * 128 + h * 64, bits[h]);
            }
        }
}

static int by_base(const void *a, const void *b) {
    const ptx_extent *x, *y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x->base < y->base ? -1 : x->base > y->base;
}

void shadow_finish(launch *ln, ptx_result *result, ptx_counters *count) {
    touched *t = ln->touched;
    range_list out = {0};
    if (t->extents.n) qsort(t->extents.at, t->extents.n, sizeof *t->extents.at, by_base);
    for (size_t k = 0; ln->checks & PTX_CHECK_SETS && k < t->extents.n; k++)
        harvest(ln, t->extents.at[k], &out, count);
    result->ranges = out.at;
    result->n_ranges = out.n;
    for (unsigned k = 0; k < POOL_CHUNKS && t->pool[k]; k++) free(t->pool[k]);
    free(t->extents.at);
    pthread_mutex_destroy(&t->lock);
    free(t);
}
