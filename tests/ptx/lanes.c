/* lanes.c - picks the 32-lane loops that suit this processor, once. */
#include "vm.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef lane_fn *lane_table[LN_COUNT][T_COUNT];

#define ISA(isa)                                                                                   \
    void lanes_int_##isa(lane_table t);                                                            \
    void lanes_float_##isa(lane_table t);                                                          \
    void lanes_half_##isa(lane_table t);                                                           \
    void lanes_cvt_##isa(lane_table t);                                                            \
    uint32_t lanes_mask_##isa(const uint32_t *predicate);                                          \
    static void fill_##isa(void);
ISA(base)
ISA(avx2)
ISA(avx512)
#undef ISA

static lane_table table;
static uint32_t (*mask_fn)(const uint32_t *);
static pthread_once_t once = PTHREAD_ONCE_INIT;

#define ISA(isa)                                                                                   \
    static void fill_##isa(void) {                                                                 \
        lanes_int_##isa(table);                                                                    \
        lanes_float_##isa(table);                                                                  \
        lanes_half_##isa(table);                                                                   \
        lanes_cvt_##isa(table);                                                                    \
        mask_fn = lanes_mask_##isa;                                                                \
    }
ISA(base)
ISA(avx2)
ISA(avx512)

/* $PTX_LANES names a lesser set, for tests: base or avx2. */
static void fill(void) {
    const char *wish = getenv("PTX_LANES");
    bool base = wish && !strcmp(wish, "base"), lesser = base || (wish && !strcmp(wish, "avx2"));
    __builtin_cpu_init();
    bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (wide && !lesser)
        fill_avx512();
    else if (!base && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        fill_avx2();
    else
        fill_base();
}

/* The loop for `op` on `type`; signed and unsigned fall back to the bits of their size. */
lane_fn *lanes_find(lane_op op, ptx_type type) {
    pthread_once(&once, fill);
    lane_fn *fn = table[op][type];
    if (fn || vm_type_class[type] == 'F' || vm_type_class[type] == 'P') return fn;
    static const ptx_type bits[] = {[1] = T_B8, [2] = T_B16, [4] = T_B32, [8] = T_B64};
    unsigned n = vm_type_bytes[type];
    return n <= 8 && type != T_U16X2 && type != T_S16X2 ? table[op][bits[n]] : NULL;
}

uint32_t (*lanes_mask_fn(void))(const uint32_t *) {
    pthread_once(&once, fill);
    return mask_fn;
}
