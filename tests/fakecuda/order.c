/* order.c - what is ordered before what, and the races between commands that nothing orders.
 *
 *      record:   base                                   next
 *                 | known, ended | ... | ended | waiting |      by sequence number
 *
 * Each command keeps a bit for every command on record that stream order, events and host waits put
 * before it. When it ends, its ranges are compared with those of every ended command that has no
 * such bit. A command leaves the record when the host has waited for it and nothing older than that
 * wait is still to run: all that follows is ordered after it. */
#include "fake.h"

#include <stdlib.h>
#include <string.h>

enum { RECORD_MAX = 2048, WORD = 64 };

static struct {
    fk_command **at; /* at[i]: command base + i */
    size_t n, cap;
    uint64_t base;
    uint64_t oldest; /* all before it have ended */
    uint64_t *known; /* bits from base rounded down to a word */
    size_t known_words;
} record = {.base = WORD, .oldest = WORD};

static uint64_t first_bit(void) {
    return record.base / WORD * WORD;
}

bool fk_ordered(const fk_command *first, const fk_command *second) {
    if (first->seq < second->base) return true;
    const uint64_t i = first->seq - second->base;
    return i / WORD < second->words && (second->before[i / WORD] >> i % WORD & 1);
}

static void set_bit(uint64_t *bits, uint64_t i) {
    bits[i / WORD] |= (uint64_t)1 << i % WORD;
}

/* Joins what `dep` knows into `c`; both begin at a multiple of a word. */
static void join(fk_command *c, const fk_command *dep) {
    const uint64_t skip = dep->base < c->base ? (c->base - dep->base) / WORD : 0;
    for (size_t i = skip; i < dep->words; i++) c->before[i - skip] |= dep->before[i];
    if (dep->seq >= c->base) set_bit(c->before, dep->seq - c->base);
}

static void grow(void) {
    if (record.n < record.cap) return;
    record.cap = record.cap ? 2 * record.cap : 256;
    const size_t words = record.cap / WORD + 2;
    record.at = ptx_grow(record.at, record.cap * sizeof *record.at);
    record.known = ptx_grow(record.known, words * sizeof *record.known);
    memset(record.known + record.known_words, 0,
           (words - record.known_words) * sizeof *record.known);
    record.known_words = words;
}

void fk_order_begin(fk_command *c, fk_command *const *deps, size_t n) {
    grow();
    c->seq = record.base + record.n;
    c->base = first_bit();
    c->words = (c->seq - c->base) / WORD + 1;
    c->before = ptx_grow(NULL, c->words * sizeof *c->before);
    memcpy(c->before, record.known, c->words * sizeof *c->before);
    for (size_t i = 0; i < n; i++) join(c, deps[i]);
    record.at[record.n++] = c;
    fk_hold(c);
}

static void drop_front(size_t n) {
    const uint64_t words_before = first_bit() / WORD;
    for (size_t i = 0; i < n; i++) fk_drop(record.at[i]);
    record.base += n;
    record.n -= n;
    memmove(record.at, record.at + n, record.n * sizeof *record.at);
    const size_t shift = (size_t)(first_bit() / WORD - words_before);
    if (shift > 0) {
        memmove(record.known, record.known + shift,
                (record.known_words - shift) * sizeof *record.known);
        memset(record.known + record.known_words - shift, 0, shift * sizeof *record.known);
    }
}

static void trim(void) {
    while (record.oldest < record.base + record.n &&
           record.at[record.oldest - record.base]->state == CMD_DONE)
        record.oldest++;
    const bool idle = record.oldest == record.base + record.n;
    size_t n = 0;
    while (n < record.n && record.base + n < record.oldest && record.at[n]->known_at != 0 &&
           (idle || record.oldest >= record.at[n]->known_at))
        n++;
    if (n > 0) drop_front(n);
}

static void know(fk_command *c) {
    if (c->known_at == 0) {
        c->known_at = record.base + record.n;
        set_bit(record.known, c->seq - first_bit());
    }
}

void fk_order_known(fk_command *command) {
    if (command->seq < record.base) return;
    for (size_t i = 0; i <= command->seq - record.base; i++) {
        fk_command *c = record.at[i];
        if (c == command || fk_ordered(c, command)) know(c);
    }
    trim();
}

static bool concerns(const fk_command *c, const fk_context *ctx) {
    return !ctx || c->work.ctx == ctx;
}

void fk_order_known_all(const fk_context *ctx) {
    for (size_t i = 0; i < record.n; i++)
        if (record.at[i]->state == CMD_DONE && concerns(record.at[i], ctx)) know(record.at[i]);
    trim();
}

fk_command *fk_order_pending(const fk_context *ctx) {
    for (size_t i = record.oldest - record.base; i < record.n; i++)
        if (record.at[i]->state != CMD_DONE && concerns(record.at[i], ctx)) return record.at[i];
    return NULL;
}

/* A program that never waits would be recorded for ever: its oldest ended commands are then taken
 * for ordered. */
bool fk_order_full(void) {
    if (record.n <= RECORD_MAX) return false;
    trim();
    while (record.n > RECORD_MAX && record.at[0]->state == CMD_DONE) {
        know(record.at[0]);
        drop_front(1);
    }
    if (record.oldest < record.base) record.oldest = record.base;
    return record.n > RECORD_MAX;
}

/* ---- races ----------------------------------------------------------------------------------- */

static bool conflict(unsigned a, unsigned b) {
    const bool atomics = a == PTX_ATOMIC && b == PTX_ATOMIC;
    return !atomics && !(a == PTX_READ && b == PTX_READ);
}

/* The first overlap of which one side writes. */
static const fk_range *clash(const fk_command *a, const fk_command *b, const fk_range **other) {
    for (size_t i = 0; i < a->n_ranges; i++) {
        for (size_t k = 0; k < b->n_ranges; k++) {
            const fk_range *x = &a->ranges[i], *y = &b->ranges[k];
            if (x->begin < y->end && y->begin < x->end && conflict(x->access, y->access)) {
                *other = y;
                return x;
            }
        }
    }
    return NULL;
}

static const char *verb(unsigned access) {
    return access == PTX_READ ? "reads" : access == PTX_WRITE ? "writes" : "updates";
}

static void report_race(const fk_command *first, const fk_command *second) {
    const fk_range *y, *x = clash(first, second, &y);
    if (!x) return;
    const uint64_t begin = x->begin > y->begin ? x->begin : y->begin;
    const uint64_t end = x->end < y->end ? x->end : y->end;
    const fk_block *b = fk_block_near(begin);
    const bool inside = b && begin - b->extent.base < b->extent.size;
    fk_report(
        "stream race: %s on stream %llu %s and %s on stream %llu %s bytes %llu to %llu of %s: "
        "no stream order, event or host wait puts one before the other",
        first->what, (unsigned long long)first->stream->id, verb(x->access), second->what,
        (unsigned long long)second->stream->id, verb(y->access),
        (unsigned long long)(begin - (inside ? b->extent.base : 0)),
        (unsigned long long)(end - (inside ? b->extent.base : 0)),
        inside ? b->owner : "pageable host memory");
}

void fk_order_end(fk_command *command) {
    if (command->n_ranges > 0) {
        for (size_t i = 0; i < record.n; i++) {
            fk_command *c = record.at[i];
            if (c != command && c->state == CMD_DONE && c->n_ranges > 0 &&
                !fk_ordered(c, command) && !fk_ordered(command, c)) {
                report_race(c->seq < command->seq ? c : command,
                            c->seq < command->seq ? command : c);
            }
        }
    }
    trim();
}
