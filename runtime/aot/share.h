/* share.h - what a thread of a launch still has to begin, in one atomic word.
 *
 *        63       62 ........ 32    31    30 ......... 0
 *       BUSY          begin          -        end            units [begin, end), of some tasks each
 *
 *       its thread bites off here  -->  [ begin ........ end )  <--  others take half from here
 *
 * Invariants. Every unit of a launch is in one word, or with the one thread that took it out. A
 * word says all there is to know: a compare-and-swap that succeeds is right, however often the word
 * changed in between and came back, in this launch or another one. BUSY is set and cleared by the
 * word's own thread alone: it may be running tasks. */
#ifndef BZ_RT_SHARE_H
#define BZ_RT_SHARE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef _Atomic uint64_t share;

typedef struct units {
    uint32_t begin, end;
} units;

#define SHARE_MOST ((uint32_t)INT32_MAX) /* units of a launch */
#define SHARE_BUSY ((uint64_t)1 << 63)
#define SHARE_BITES                                                                                \
    4 /* of what is left, this part at a time: few bites, and short ones at the end */

static inline uint64_t share_word(units u, bool busy) {
    return (busy ? SHARE_BUSY : 0) | (uint64_t)u.begin << 32 | u.end;
}

static inline units share_units(uint64_t word) {
    return (units){(uint32_t)(word >> 32) & SHARE_MOST, (uint32_t)word};
}

static inline uint32_t units_left(units u) {
    return u.end - u.begin;
}

/* Nothing is left to begin; the thread may be BUSY. */
static inline bool share_empty(uint64_t word) {
    return units_left(share_units(word)) == 0;
}

/* ... and the thread is not BUSY: it takes no part in the launch any more, or never did. */
static inline bool share_done(uint64_t word) {
    return share_empty(word) && !(word & SHARE_BUSY);
}

/* Share `i` of `n` units cut into `parts` of nearly equal length. */
static inline units share_cut(uint32_t n, uint32_t parts, uint32_t i) {
    uint32_t each = n / parts, longer = n % parts;
    uint32_t begin = each * i + (i < longer ? i : longer);
    return (units){begin, begin + each + (i < longer)};
}

/* The word's own thread bites off some units and is BUSY from then on. False: nothing was left. */
static inline bool share_bite(share *s, units *out) {
    uint64_t word = atomic_load_explicit(s, memory_order_relaxed);
    units left;
    do {
        left = share_units(word);
        uint32_t n = units_left(left);
        if (n == 0) return false;
        *out = (units){left.begin, left.begin + (n < SHARE_BITES ? 1 : n / SHARE_BITES)};
        left.begin = out->end;
    } while (!atomic_compare_exchange_weak_explicit(s, &word, share_word(left, true),
                                                    memory_order_acquire, memory_order_relaxed));
    return true;
}

/* Another thread takes the back half, or the last unit. False: nothing was left. */
static inline bool share_steal(share *s, units *out) {
    uint64_t word = atomic_load_explicit(s, memory_order_relaxed);
    units left;
    do {
        left = share_units(word);
        if (units_left(left) == 0) return false;
        *out = (units){left.begin + units_left(left) / 2, left.end};
        left.end = out->begin;
    } while (!atomic_compare_exchange_weak_explicit(s, &word, share_word(left, word & SHARE_BUSY),
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

#endif
