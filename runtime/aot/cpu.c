/* cpu.c - which instruction set this machine runs: processor and operating system together.
 *
 * A level counts only when cpuid reports every feature of it and XCR0 says that the system saves
 * the registers. cpuid traps in virtual machines (tens of microseconds), so the answer is kept. */
#define BZ_RT_DEFINES
#include "runtime/aot/aot.h"

#include <cpuid.h>
#include <stdatomic.h>
#include <stddef.h>

enum {
    XCR0_SSE_AVX = 0x06, /* xmm, upper halves of ymm */
    XCR0_AVX512 = 0xe6,  /* and k0-7, upper halves of zmm, zmm16-31 */
};

/* The features of a level beyond the level below, as masks of cpuid's registers. */
enum {
    V3_1C = bit_FMA | bit_MOVBE | bit_OSXSAVE | bit_AVX | bit_F16C | bit_SSE4_2 | bit_POPCNT,
    V3_7B = bit_BMI | bit_AVX2 | bit_BMI2,
    V3_EXT_C = bit_LZCNT,
};
static const unsigned v4_7b =
    bit_AVX512F | bit_AVX512BW | bit_AVX512CD | bit_AVX512DQ | (unsigned)bit_AVX512VL;

static unsigned xcr0(void) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static bool has(unsigned have, unsigned want) {
    return (have & want) == want;
}

static bz_rt_isa detect(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !has(c, V3_1C)) return BZ_RT_BASE;
    unsigned saved = xcr0();
    if (!has(saved, XCR0_SSE_AVX)) return BZ_RT_BASE;
    if (!__get_cpuid(0x80000001u, &a, &b, &c, &d) || !has(c, V3_EXT_C)) return BZ_RT_BASE;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !has(b, V3_7B)) return BZ_RT_BASE;
    return has(b, v4_7b) && has(saved, XCR0_AVX512) ? BZ_RT_V4 : BZ_RT_V3;
}

/* What $BRAZE_ISA allows. */
static bz_rt_isa environment_cap(void) {
    static const char *const words[] = {
        [BZ_RT_BASE] = "base", [BZ_RT_V3] = "avx2", [BZ_RT_V4] = "avx512", NULL};
    int cap = bz_rt_env_word("BRAZE_ISA", words);
    return cap < 0 ? BZ_RT_V4 : (bz_rt_isa)cap;
}

bz_rt_isa bz_rt_isa_detect(void) {
    static _Atomic int known; /* level + 1; 0 = not asked yet */
    int level = atomic_load_explicit(&known, memory_order_relaxed);
    if (level == 0) {
        level = (int)detect() + 1;
        atomic_store_explicit(&known, level, memory_order_relaxed);
    }
    return (bz_rt_isa)(level - 1);
}

bz_rt_isa bz_rt_isa_selected(void) {
    static _Atomic int known;
    int level = atomic_load_explicit(&known, memory_order_relaxed);
    if (level == 0) {
        bz_rt_isa cap = environment_cap(), best = bz_rt_isa_detect();
        level = (int)(best < cap ? best : cap) + 1;
        atomic_store_explicit(&known, level, memory_order_relaxed);
    }
    return (bz_rt_isa)(level - 1);
}
