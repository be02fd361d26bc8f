/* border.h - the floating-point environment at the border of the library.
 *
 *     host program                 | braze                          | host program
 *     rounds up, flushes, traps -- rt_enter: the default -- rt_leave: as it was -->
 *                                  |    \-- rt_go_out: the host's, for a function of the host's that braze calls
 *
 * The same bits are promised whatever the caller has set, so every public function that computes, folds, prints or
 * compiles enters first (worker threads have the default always: runtime/aot/pool.c). The library uses no x87 arithmetic,
 * but libc may: its control word counts too. Two stores and two comparisons where nothing has to be changed. */
#ifndef BRAZE_BORDER_H
#define BRAZE_BORDER_H

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    RT_MXCSR = 0x1f80, /* exceptions masked, to nearest, denormals kept */
    RT_MXCSR_FLAGS = 0x3f,
    RT_X87 = 0x37f,
};

typedef struct rt_border { /* zero: nothing was changed */
    uint32_t mxcsr;
    uint16_t x87;
    bool changed;
} rt_border;

static inline rt_border rt_fp_now(void) {
    rt_border b = {.mxcsr = _mm_getcsr()};
    __asm__ volatile("fnstcw %0" : "=m"(b.x87));
    return b;
}

/* border.c: the rare half of the two below */
void rt_enter_changed(rt_border *b);
void rt_leave_changed(rt_border *b);

static inline rt_border rt_enter(void) {
    rt_border b = rt_fp_now();
    if ((b.mxcsr & ~(uint32_t)RT_MXCSR_FLAGS) != RT_MXCSR || b.x87 != RT_X87) rt_enter_changed(&b);
    return b;
}

static inline void rt_leave(rt_border *b) {
    if (b->changed) rt_leave_changed(b);
}

/* Around a call of the host's own function from inside: its environment, then the default again. */
rt_border rt_go_out(void);
void rt_come_back(rt_border host);

/* The first line of a public function: it leaves at every return. */
#define RT_BORDER __attribute__((cleanup(rt_leave), unused)) rt_border border = rt_enter()

#endif
