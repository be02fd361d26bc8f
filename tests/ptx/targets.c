/* targets.c - the first target that has each form of an instruction.
 *
 * A table in the words of the ISA's "Target ISA Notes": a row asks for its target when the statement has
 * everything that the row names. What no row speaks of, every target from sm_75 on has. */
#include "parse.h"

/* A modifier, two types, one of them perhaps not to be there; M_NONE, T_NONE: whichever. */
typedef struct {
    opcode op; /* OP_NONE: any */
    modifier m, also;
    ptx_type type, without;
    unsigned sm;
    uint8_t operands; /* at least */
    modifier absent;
} first_target;

#define ROW(op, m, type, sm)                                                                       \
    { OP_##op, M_##m, M_NONE, T_##type, T_NONE, sm, 0, M_NONE }
#define BOTH(op, m, also, t, sm)                                                                   \
    { OP_##op, M_##m, M_##also, T_##t, T_NONE, sm, 0, M_NONE }
#define HALVES(op, m, sm) ROW(op, m, F16, sm), ROW(op, m, F16X2, sm)
#define BRAINS(op, m, sm) ROW(op, m, BF16, sm), ROW(op, m, BF16X2, sm)
#define PAIRS(op, sm)     ROW(op, NONE, U16X2, sm), ROW(op, NONE, S16X2, sm)
#define WIDE(op)                                                                                   \
    ROW(op, V8, NONE, 100), ROW(op, V4, B64, 100), ROW(op, V4, U64, 100), ROW(op, V4, S64, 100),   \
        ROW(op, V4, F64, 100)

/* clang-format off */
static const first_target table[] = {
    /* warps and matrices */
    ROW(redux, NONE, NONE, 80), ROW(elect, NONE, NONE, 90), ROW(stmatrix, NONE, NONE, 90),
    ROW(mma, M16N8K16, NONE, 80), ROW(mma, M16N8K32, NONE, 80), ROW(mma, M16N8K64, NONE, 80),
    ROW(mma, NONE, E4M3, 89), ROW(mma, NONE, E5M2, 89), ROW(mma, NONE, BF16, 80),
    ROW(mma, NONE, TF32, 80), ROW(mma, NONE, F64, 80), ROW(mma, M16N8K4, F64, 90),
    ROW(mma, M16N8K8, F64, 90), ROW(mma, M16N8K16, F64, 90),
    /* memory */
    ROW(cp, ASYNC, NONE, 80), ROW(cp, BULK, NONE, 90), ROW(prefetch, TENSORMAP, NONE, 90),
    ROW(mbarrier, NONE, NONE, 80), ROW(mbarrier, EXPECT_TX, NONE, 90),
    ROW(mbarrier, COMPLETE_TX, NONE, 90), ROW(mbarrier, TRY_WAIT, NONE, 90),
    {OP_mbarrier, M_ARRIVE, M_NONE, T_NONE, T_NONE, 90, 3, M_NOCOMPLETE},
    ROW(setmaxnreg, NONE, NONE, 90), ROW(mapa, NONE, NONE, 90), ROW(getctarank, NONE, NONE, 90),
    ROW(st, ASYNC, NONE, 90), ROW(red, ASYNC, NONE, 90), WIDE(ld), WIDE(st),
    ROW(NONE, L2_CACHE_HINT, NONE, 80), ROW(NONE, L2_256B, NONE, 80), ROW(NONE, CLUSTER, NONE, 90),
    ROW(NONE, SHARED_CLUSTER, NONE, 90), ROW(fence, ASYNC, NONE, 90), BRAINS(atom, ADD, 90),
    BRAINS(red, ADD, 90), ROW(atom, V2, NONE, 90), ROW(atom, V4, NONE, 90), ROW(atom, V8, NONE, 90),
    ROW(red, V2, NONE, 90), ROW(red, V4, NONE, 90), ROW(red, V8, NONE, 90),
    ROW(atom, NONE, B128, 90), ROW(createpolicy, NONE, NONE, 80),
    ROW(applypriority, NONE, NONE, 80), ROW(discard, NONE, NONE, 80),
    ROW(prefetch, L2_EVICT_LAST, NONE, 80), ROW(prefetch, L2_EVICT_NORMAL, NONE, 80),
    ROW(griddepcontrol, NONE, NONE, 90),
    /* arithmetic */
    BRAINS(add, NONE, 90), BRAINS(sub, NONE, 90), BRAINS(mul, NONE, 90), PAIRS(add, 90),
    ROW(add, NONE, F32X2, 100), ROW(sub, NONE, F32X2, 100), ROW(mul, NONE, F32X2, 100),
    ROW(fma, NONE, F32X2, 100), BRAINS(fma, NONE, 80), ROW(fma, RELU, NONE, 80),
    BRAINS(neg, NONE, 80), BRAINS(abs, NONE, 80), HALVES(min, NONE, 80), HALVES(max, NONE, 80),
    BRAINS(min, NONE, 80), BRAINS(max, NONE, 80), PAIRS(min, 90), PAIRS(max, 90),
    ROW(min, RELU, S32, 90), ROW(max, RELU, S32, 90), ROW(min, NAN_, NONE, 80),
    ROW(max, NAN_, NONE, 80), ROW(min, XORSIGN, NONE, 86), ROW(max, XORSIGN, NONE, 86),
    {OP_min, M_NONE, M_NONE, T_F32, T_NONE, 100, 4, M_NONE},
    {OP_max, M_NONE, M_NONE, T_F32, T_NONE, 100, 4, M_NONE}, BRAINS(ex2, NONE, 90),
    BRAINS(tanh, NONE, 90), BRAINS(setp, NONE, 90), BRAINS(set, NONE, 90),
    /* conversions */
    BRAINS(cvt, NONE, 80), ROW(cvt, NONE, F16X2, 80), ROW(cvt, NONE, TF32, 80),
    ROW(cvt, RELU, NONE, 80), {OP_cvt, M_NONE, M_NONE, T_BF16, T_F32, 90, 0, M_NONE},
    ROW(cvt, RN, TF32, 90), ROW(cvt, RZ, TF32, 90), BOTH(cvt, RN, SATFINITE, TF32, 100),
    BOTH(cvt, RZ, SATFINITE, TF32, 100), ROW(cvt, NONE, E4M3X2, 89), ROW(cvt, NONE, E5M2X2, 89),
};
/* clang-format on */

bool inst_has(const inst *in, modifier m) {
    for (unsigned k = 0; k < in->n_mods; k++)
        if (in->mods[k] == m) return true;
    return m == M_NONE;
}

static bool has_type(const inst *in, ptx_type t) {
    for (unsigned k = 0; k < in->n_types; k++)
        if (in->types[k] == t) return true;
    return false;
}

static bool applies(const first_target *x, const inst *in) {
    return (x->op == OP_NONE || x->op == in->op) && inst_has(in, x->m) && inst_has(in, x->also) &&
           (x->type == T_NONE || has_type(in, x->type)) && !has_type(in, x->without) &&
           in->n >= x->operands && (x->absent == M_NONE || !inst_has(in, x->absent));
}

unsigned first_target_of(const inst *in) {
    unsigned sm = 0;
    for (size_t k = 0; k < sizeof table / sizeof table[0]; k++)
        if (table[k].sm > sm && applies(&table[k], in)) sm = table[k].sm;
    for (unsigned k = 0; k < in->n; k++) {
        unsigned r = in->o[k].sreg;
        bool late = r == SR_AGGR_SMEM || (r >= SR_CLUSTER_CTAID && r <= SR_IS_EXPLICIT_CLUSTER);
        if (in->o[k].kind == O_SREG && late && sm < 90) sm = 90;
    }
    return sm;
}
