/* lanes_float.c - the f32 and f64 loops: see lanes_float.def. Compiled once per instruction set. */
#include "lanes.h"

static inline float xorsign(float a, float b, float r) {
    return r != r ? r : u2f(f2u(r) | ((f2u(a) ^ f2u(b)) & 0x80000000));
}

#define L LANE_DEFINE
#include "lanes_float.def"
#undef L

void ISA_NAME(lanes_float)(lane_table t) {
#define L(op, type, D, A, B, C, result) t[LN_##op][T_##type] = op##_##type;
#include "lanes_float.def"
#undef L
}
