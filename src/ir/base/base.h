/* base.h - what every room stands on: memory, arenas, growing vectors, text, errors, hashes.
 *
 * Memory: all of it comes from bz_mem_*; a test makes the n-th allocation fail there. An arena is freed whole. A function that
 * cannot get memory says so by its result (NULL, false) and leaves its data as it was.
 * Errors: a `bz_error` keeps the first message; our own bugs end in bz_bug. */
#ifndef BRAZE_BASE_H
#define BRAZE_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "braze/status.h"

#define BZ_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define BZ_LEN(a)            (sizeof(a) / sizeof((a)[0]))

/* ---- sizes: shapes have up to 2^60 elements, which need no memory as long as nobody stores them. What is too large saturates, and
 * no memory of more than BZ_BYTES_MOST is asked for: the address space of a process ends there. */
#define BZ_TOO_MANY   INT64_MAX
#define BZ_BYTES_MOST (INT64_C(1) << 47)
static inline int64_t bz_times(int64_t a, int64_t b) { /* neither negative */
    int64_t r;
    return __builtin_mul_overflow(a, b, &r) ? BZ_TOO_MANY : r;
}
static inline int64_t bz_plus(int64_t a, int64_t b) {
    int64_t r;
    return __builtin_add_overflow(a, b, &r) ? BZ_TOO_MANY : r;
}
static inline int64_t bz_round_up(int64_t n, int64_t to) { /* to: a power of two */
    return n > BZ_TOO_MANY - to ? BZ_TOO_MANY : (n + to - 1) & -to;
}
/* Quotients rounded down, as integer ops have them: x / 0 is 0, INT64_MIN / -1 wraps. */
static inline int64_t bz_div_down(int64_t x, int64_t y) {
    if (y == 0) return 0;
    if (y == -1) return (int64_t)(0 - (uint64_t)x);
    return x / y - (x % y != 0 && (x < 0) != (y < 0));
}
static inline int64_t bz_mod_down(int64_t x, int64_t y) { /* x mod 0 is 0 */
    return y ? (int64_t)((uint64_t)x - (uint64_t)y * (uint64_t)bz_div_down(x, y)) : 0;
}
static inline int64_t bz_common_divisor(int64_t a, int64_t b) { /* of the sizes of both; 0 for 0 and 0 */
    for (int64_t rest; b != 0; a = b, b = rest) rest = b == -1 ? 0 : a % b;
    return a < 0 ? -a : a;
}
void bz_size_text(char dst[32], double bytes); /* number.c: "8 EiB" */

/* ---- mem.c */
void *bz_mem_alloc(size_t size);              /* uninitialised; NULL when out of memory */
void *bz_mem_zero(size_t count, size_t size); /* zeroed array */
void *bz_mem_grow(void *p, size_t size);      /* realloc: the old block lives on failure */
void bz_mem_free(void *p);
/* Test hook: the n-th allocation from now (0 = the next) and all after it fail; negative: none. Per thread. */
void bz_mem_fail_after(long n);

typedef struct bz_arena_block bz_arena_block;
typedef struct bz_arena {
    bz_arena_block *head;
    char *at, *end;
} bz_arena; /* zero-initialised = empty */
void *bz_arena_alloc(bz_arena *a,
                     size_t size); /* 16-byte aligned, uninitialised; NULL when out of memory */
void *bz_arena_copy(bz_arena *a, const void *src, size_t size);
char *bz_arena_str(bz_arena *a, const char *s);
void bz_arena_free(bz_arena *a);  /* gives all back; the arena is empty again */
void bz_arena_reset(bz_arena *a); /* empties it but keeps its newest block for reuse */

/* A growing array of T. `bz_vec_push` is false (and the vector unchanged) when out of memory. */
#define BZ_VEC(T)                                                                                  \
    struct {                                                                                       \
        T *p;                                                                                      \
        uint32_t n, cap;                                                                           \
    }
#define bz_vec_reserve(v, more)                                                                    \
    ((v)->n + (more) <= (v)->cap ||                                                                \
     bz_vec_grow_((void **)&(v)->p, &(v)->cap, (v)->n + (uint32_t)(more), sizeof *(v)->p))
#define bz_vec_push(v, x) (bz_vec_reserve(v, 1) && ((v)->p[(v)->n++] = (x), true))
#define bz_vec_free(v)    (bz_mem_free((v)->p), (v)->p = NULL, (v)->n = (v)->cap = 0)
bool bz_vec_grow_(void **p, uint32_t *cap, uint32_t need, size_t elem);

/* ---- text.c: a text that grows; always NUL-terminated once anything was added. `failed` sticks when memory ran out. */
typedef struct bz_text {
    char *p;
    size_t n, cap;
    bool failed;
} bz_text;
void bz_text_add(bz_text *t, const char *s, size_t n);
void bz_text_str(bz_text *t, const char *s);
void bz_textf(bz_text *t, const char *fmt, ...) BZ_PRINTF(2, 3);
void bz_textfv(bz_text *t, const char *fmt, va_list ap) BZ_PRINTF(2, 0);
/* bytes of the well-formed UTF-8 at s; 0: there is none, or the end */
unsigned bz_utf8(const char *s);
/* The next character of *s, which goes on behind it; U+FFFD for a byte that is no UTF-8. */
void bz_text_utf8(bz_text *t, const char **s);
void bz_text_json(bz_text *t, const char *s); /* `s` as a JSON string with quotes */
void bz_text_free(bz_text *t);
const char *bz_text_c(const bz_text *t); /* never NULL */

/* ---- number.c: of the C locale, whatever the host program's is */
double bz_read_number(const char *s, char **end); /* strtod */
int bz_snprintf(char *dst, size_t room, const char *fmt, ...) BZ_PRINTF(3, 4);
int bz_vsnprintf(char *dst, size_t room, const char *fmt, va_list ap) BZ_PRINTF(3, 0);
void bz_stderrf(const char *fmt, ...) BZ_PRINTF(1, 2); /* to standard error */

/* ---- error.c: the first error wins, later ones are dropped until it is cleared */
typedef struct bz_error {
    bz_status status;
    int line, column; /* in a text that was parsed, else 0 */
    char text[480];
} bz_error;
/* Records the error unless one is there; returns `status`. A NULL `e` only returns it. */
bz_status bz_fail(bz_error *e, bz_status status, const char *fmt, ...) BZ_PRINTF(3, 4);
const char *bz_status_name(bz_status s);
const char *bz_status_doc(bz_status s);
/* Somebody who may end long work: asked between its parts, with how many of them are done. Anything but BZ_OK ends it; the error is in e
 * then. */
typedef struct bz_watch {
    bz_status (*ask)(const struct bz_watch *w, const char *phase, uint64_t done, uint64_t total,
                     bz_error *e);
} bz_watch;
static inline bz_status bz_ask(const bz_watch *w, const char *phase, uint64_t done, uint64_t total,
                               bz_error *e) {
    return w ? w->ask(w, phase, done, total, e) : BZ_OK;
}
/* Our own bug: prints where and what, then aborts. Never for a user's mistake. */
_Noreturn void bz_bug_at(const char *file, int line, const char *fmt, ...) BZ_PRINTF(3, 4);
#define bz_bug(...)     bz_bug_at(__FILE__, __LINE__, __VA_ARGS__)
#define bz_assert(cond) ((cond) ? (void)0 : bz_bug("assertion failed: %s", #cond))

/* ---- clock.c */
uint64_t bz_now(void); /* ns of a clock that only goes forward */

/* ---- hash.c: 64-bit, well mixed, the same on every machine */
uint64_t bz_hash(uint64_t seed, const void *p, size_t n);
static inline uint64_t bz_mix(uint64_t h, uint64_t x) {
    h ^= x;
    h *= 0x9E3779B97F4A7C15u;
    return h ^ (h >> 29);
}

#endif
