/* lanes_float.c - the f32 and f64 loops: see lanes_float.def. Compiled once per instruction set. */
#include "lanes.h"

static inline float xorsign(float a, float b, float r) {
    return r != r ? r : u2f(f2u(r) | ((f2u(a) ^ f2u(b)) & 0x80000000));
}

static inline double ftz64(double x) {
    return fabs(x) < 0x1p-1022 ? copysign(0, x) : x;
}

/* The approximate f64 operations give the upper word only, and no subnormals. */
static inline uint64_t coarse(double x) {
    return d2u(ftz64(x)) & 0xffffffff00000000;
}

#define L LANE_DEFINE
#include "lanes_float.def"
#undef L

void ISA_NAME(lanes_float)(lane_table t) {
#define L(op, type, D, A, B, C, result) t[LN_##op][T_##type] = op##_##type;
#include "lanes_float.def"
#undef L
}
