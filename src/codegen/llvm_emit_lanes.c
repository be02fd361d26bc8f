/* llvm_emit_lanes.c - what goes lane by lane: vectors taken apart and put together, and masked memory without an instruction.
 *
 *     bits = mask as an integer               the loop runs once per set lane; values and indices wait in stack
 *     while (bits) {                          slots, because a register has no lane numbered at run time
 *         lane = count of trailing zeros
 *         result[lane] = p[i + lane]          load, gather       p[i + lane] = value[lane]     store, scatter
 *         bits &= bits - 1                                       p[i + lanes before] = value[lane]    compress
 *     } */
#include "src/codegen/llvm_emit.h"

/* ---- vectors */

static LLVMValueRef lane_number(em *f, unsigned n) {
    return LLVMConstInt(em_int(f, 32, 1), n, false);
}

static LLVMValueRef lane_ids(em *f, bz_dtype t, unsigned lanes) {
    LLVMValueRef x[EM_MAX_LANES];
    for (unsigned n = 0; n < lanes; n++) x[n] = em_const(f, t, n, 1);
    return lanes > 1 ? LLVMConstVector(x, lanes) : x[0];
}

/* A scalar seen as a vector of one lane. */
static LLVMValueRef widened(em *f, LLVMValueRef x, unsigned lanes) {
    if (lanes > 1) return x;
    LLVMTypeRef type = LLVMVectorType(LLVMTypeOf(x), 1);
    return LLVMBuildInsertElement(f->b, LLVMGetPoison(type), x, lane_number(f, 0), "");
}

static LLVMValueRef shuffle(em *f, const lp_inst *i) {
    unsigned from = em_arg_inst(f, i, 0)->lanes;
    const uint32_t *pick = lp_args(f->k, i) + i->nargs;
    LLVMValueRef x = widened(f, em_arg(f, i, 0), from), y = widened(f, em_arg(f, i, 1), from), mask[EM_MAX_LANES];
    if (i->lanes == 1) {
        unsigned n = pick[0];
        return LLVMBuildExtractElement(f->b, n < from ? x : y, lane_number(f, n < from ? n : n - from), "");
    }
    for (unsigned n = 0; n < i->lanes; n++) mask[n] = lane_number(f, pick[n]);
    return LLVMBuildShuffleVector(f->b, x, y, LLVMConstVector(mask, i->lanes), "");
}

/* The lanes of a mask as the bits of an integer. */
static LLVMValueRef mask_bits(em *f, LLVMValueRef mask, unsigned lanes) {
    return lanes > 1 ? LLVMBuildBitCast(f->b, mask, em_int(f, lanes, 1), "") : mask;
}

LLVMValueRef em_vector(em *f, const lp_inst *i) {
    LLVMValueRef x = i->nargs ? em_arg(f, i, 0) : NULL;
    unsigned from = i->nargs ? em_arg_inst(f, i, 0)->lanes : 0;
    LLVMValueRef bits = i->op == LP_ANY || i->op == LP_ALL ? mask_bits(f, x, from) : NULL;
    switch ((lp_op)i->op) {
    case LP_SPLAT: return em_splat(f, x, i->lanes);
    case LP_LANEID: return lane_ids(f, (bz_dtype)i->dtype, i->lanes);
    case LP_EXTRACT: return from > 1 ? LLVMBuildExtractElement(f->b, x, lane_number(f, (unsigned)i->imm), "") : x;
    case LP_INSERT:
        if (from == 1) return em_arg(f, i, 1);
        return LLVMBuildInsertElement(f->b, x, em_arg(f, i, 1), lane_number(f, (unsigned)i->imm), "");
    case LP_SHUFFLE: return shuffle(f, i);
    case LP_ANY: return LLVMBuildICmp(f->b, LLVMIntNE, bits, LLVMConstNull(LLVMTypeOf(bits)), "");
    default: return LLVMBuildICmp(f->b, LLVMIntEQ, bits, LLVMConstAllOnes(LLVMTypeOf(bits)), "");
    }
}

/* ---- memory lane by lane */

typedef struct lane_access {
    const lp_inst *i;
    bz_dtype t;
    unsigned lanes;
    LLVMTypeRef elem, index_elem;
    LLVMValueRef p, index, value, result; /* value, result, and index of a gather: stack slots */
    LLVMValueRef all;                     /* the mask's bits before the loop */
} lane_access;

/* A vector put into a stack slot (NULL: zeroes). */
static LLVMValueRef spill(em *f, LLVMTypeRef type, LLVMValueRef v) {
    LLVMValueRef slot = em_stack(f, type, 1);
    LLVMSetAlignment(LLVMBuildStore(f->b, v ? v : LLVMConstNull(type), slot), 64);
    return slot;
}

static LLVMValueRef in_slot(em *f, LLVMTypeRef elem, LLVMValueRef slot, LLVMValueRef lane) {
    return LLVMBuildGEP2(f->b, elem, slot, &lane, 1, "");
}

/* Where lane `lane` lies in memory; `left`: the mask's bits that are not done yet, this one included. */
static LLVMValueRef lane_address(em *f, const lane_access *a, LLVMValueRef lane, LLVMValueRef left) {
    LLVMBuilderRef b = f->b;
    if (a->i->op == LP_GATHER || a->i->op == LP_SCATTER) {
        LLVMValueRef index = LLVMBuildLoad2(b, a->index_elem, in_slot(f, a->index_elem, a->index, lane), "");
        return em_address(f, a->t, a->p, index);
    }
    if (a->i->op == LP_COMPRESS) {
        LLVMValueRef done = LLVMBuildSub(b, em_unary(f, "llvm.ctpop", a->all), em_unary(f, "llvm.ctpop", left), "");
        lane = LLVMBuildIntCast2(b, done, em_int(f, 64, 1), false, "");
    }
    return em_address(f, a->t, a->p, LLVMBuildAdd(b, a->index, lane, ""));
}

static void one_lane(em *f, const lane_access *a, LLVMValueRef lane, LLVMValueRef left) {
    LLVMBuilderRef b = f->b;
    LLVMValueRef p = lane_address(f, a, lane, left), access;
    if (a->result) {
        access = LLVMBuildLoad2(b, a->elem, p, "");
        LLVMBuildStore(b, access, in_slot(f, a->elem, a->result, lane));
    } else {
        access = LLVMBuildStore(b, LLVMBuildLoad2(b, a->elem, in_slot(f, a->elem, a->value, lane), ""), p);
    }
    em_mark(f, access, lp_args(f->k, a->i)[0], 0);
}

static void loop_over_lanes(em *f, const lane_access *a) {
    LLVMBuilderRef b = f->b;
    LLVMTypeRef type = LLVMTypeOf(a->all);
    LLVMBasicBlockRef before = em_here(f), body = em_block(f), after = em_block(f);
    LLVMValueRef zero = LLVMConstNull(type);
    LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntNE, a->all, zero, ""), body, after);
    LLVMPositionBuilderAtEnd(b, body);
    LLVMValueRef left = LLVMBuildPhi(b, type, "");
    LLVMValueRef count[2] = {left, em_const(f, BZ_BOOL, 1, 1)};
    LLVMValueRef lane = em_intrinsic(f, "llvm.cttz", &type, 1, count, 2);
    one_lane(f, a, LLVMBuildIntCast2(b, lane, em_int(f, 64, 1), false, ""), left);
    LLVMValueRef next = LLVMBuildAnd(b, left, LLVMBuildSub(b, left, LLVMConstInt(type, 1, false), ""), "");
    LLVMAddIncoming(left, (LLVMValueRef[]){a->all, next}, (LLVMBasicBlockRef[]){before, body}, 2);
    LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntNE, next, zero, ""), body, after);
    LLVMPositionBuilderAtEnd(b, after);
}

LLVMValueRef em_lanes(em *f, uint32_t n) {
    const lp_inst *i = em_inst(f, n);
    bool reads = i->op == LP_LOAD || i->op == LP_GATHER, indexed = i->op == LP_GATHER || i->op == LP_SCATTER;
    lane_access a = {.i = i, .t = (bz_dtype)i->dtype, .lanes = reads ? i->lanes : em_arg_inst(f, i, 2)->lanes};
    LLVMTypeRef type = em_mem_type(f, a.t, a.lanes);
    a.elem = f->u->mem[a.t];
    a.p = em_arg(f, i, 0);
    a.index = em_arg(f, i, 1);
    if (indexed) {
        a.index_elem = f->u->elem[em_arg_inst(f, i, 1)->dtype];
        a.index = spill(f, LLVMTypeOf(a.index), a.index);
    }
    if (reads)
        a.result = spill(f, type, NULL);
    else
        a.value = spill(f, type, em_to_memory(f, a.t, a.lanes, em_arg(f, i, 2)));
    LLVMValueRef bits = mask_bits(f, em_arg(f, i, reads ? 2 : 3), a.lanes);
    a.all = a.lanes < 64 ? LLVMBuildZExt(f->b, bits, em_int(f, a.lanes < 32 ? 32 : 64, 1), "") : bits;
    loop_over_lanes(f, &a);
    return reads ? em_from_memory(f, a.t, LLVMBuildLoad2(f->b, type, a.result, "")) : NULL;
}
