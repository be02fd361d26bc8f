/* llvm_emit_ops.c - the base ops of ops.def as LLVM IR, lane by lane equal to their C columns.
 *
 * Where ops.def names an LLVM opcode that opcode is the op; here stand the others. Nothing is
 * poison for any operand value that a kernel can have, on any machine: shifts and divisions are
 * guarded. */
#include "src/codegen/llvm_emit.h"

enum { LLVM_ = 0 }; /* `_` in the table */

typedef struct opcode_pair {
    uint8_t of_int, of_float;
} opcode_pair;

static const opcode_pair opcodes[IR_BASE_END] = {
#define IR_BASE(E, name, arity, rule, flags, INT, FLOAT, LI, LF, ...)                              \
    [IR_##E] = {(uint8_t)LLVM##LI, (uint8_t)LLVM##LF},
#include "src/ir/ops.def"
};

static LLVMValueRef choose(em *f, LLVMValueRef c, LLVMValueRef x, LLVMValueRef y) {
    return LLVMBuildSelect(f->b, c, x, y, "");
}

/* The value of a constant, splat or scalar, zero-extended, in *v. */
static bool constant_value(LLVMValueRef x, uint64_t *v) {
    if (!LLVMIsConstant(x)) return false;
    if (LLVMGetTypeKind(LLVMTypeOf(x)) == LLVMVectorTypeKind) {
        LLVMValueRef first = LLVMGetAggregateElement(x, 0);
        for (unsigned i = 1; i < LLVMGetVectorSize(LLVMTypeOf(x)); i++)
            if (LLVMGetAggregateElement(x, i) != first) return false;
        x = first;
    }
    if (!LLVMIsAConstantInt(x)) return false;
    *v = LLVMConstIntGetZExtValue(x);
    return true;
}

/* A shift with the count's values outside 0 .. bits-1 defined. */
static LLVMValueRef shift(em *f, ir_op op, bz_dtype t, unsigned lanes, const LLVMValueRef *x) {
    unsigned bits = ir_dtypes[t].bits;
    uint64_t known;
    bool in_range = constant_value(x[1], &known) && known < bits;
    LLVMValueRef width = em_const_int(f, bits, bits, lanes),
                 last = em_const_int(f, bits, bits - 1, lanes);
    LLVMValueRef fits = in_range ? NULL : LLVMBuildICmp(f->b, LLVMIntULT, x[1], width, "");
    if (op == IR_SHR && ir_is_signed(t))
        return LLVMBuildAShr(f->b, x[0], fits ? choose(f, fits, x[1], last) : x[1], "");
    LLVMValueRef r =
        op == IR_SHL ? LLVMBuildShl(f->b, x[0], x[1], "") : LLVMBuildLShr(f->b, x[0], x[1], "");
    return fits ? choose(f, fits, r, em_const_int(f, bits, 0, lanes)) : r;
}

/* ---- floor division */

/* By a positive constant: a shift, or LLVM's multiplication by the inverse and one step down for
 * negative inexact quotients. */
static LLVMValueRef divide_by_constant(em *f, ir_op op, bz_dtype t, unsigned lanes,
                                       const LLVMValueRef *x, uint64_t y) {
    LLVMBuilderRef b = f->b;
    unsigned bits = ir_dtypes[t].bits;
    bool is_signed = ir_is_signed(t);
    if ((y & (y - 1)) == 0) {
        LLVMValueRef low = em_const_int(f, bits, y - 1, lanes);
        LLVMValueRef count = em_const_int(f, bits, (uint64_t)__builtin_ctzll(y), lanes);
        if (op == IR_IMOD) return LLVMBuildAnd(b, x[0], low, "");
        return is_signed ? LLVMBuildAShr(b, x[0], count, "") : LLVMBuildLShr(b, x[0], count, "");
    }
    if (!is_signed)
        return op == IR_IDIV ? LLVMBuildUDiv(b, x[0], x[1], "") : LLVMBuildURem(b, x[0], x[1], "");
    LLVMValueRef q = LLVMBuildSDiv(b, x[0], x[1], ""),
                 r = LLVMBuildSub(b, x[0], LLVMBuildMul(b, q, x[1], ""), "");
    /* -1 where r < 0 */
    LLVMValueRef sign = LLVMBuildAShr(b, r, em_const_int(f, bits, bits - 1, lanes), "");
    return op == IR_IDIV ? LLVMBuildAdd(b, q, sign, "")
                         : LLVMBuildAdd(b, r, LLVMBuildAnd(b, sign, x[1], ""), "");
}

/* Vectors of integers up to 32 bits divide as floats with more than twice the bits: the floor of
 * that quotient is exact. 1.5 * 2^k, k the bits behind a float's point, leaves a whole number below
 * 2^(k-1) in the low bits of the sum: it wraps there as integers do (INT_MIN / -1), whereas a conversion
 * of what does not fit is poison, and another number on each machine. */
static LLVMValueRef divide_as_float(em *f, bz_dtype t, unsigned lanes, const LLVMValueRef *x) {
    LLVMBuilderRef b = f->b;
    const bool large = ir_dtypes[t].bits == 32;
    const bz_dtype wide = large ? BZ_F64 : BZ_F32;
    const ir_bits whole = ir_bits_from_f64(wide, large ? 0x1.8p52 : 0x1.8p23);
    LLVMValueRef args[2] = {em_cast(f, t, wide, lanes, x[0]), em_cast(f, t, wide, lanes, x[1])};
    LLVMValueRef q = LLVMBuildFDiv(b, args[0], args[1], "");
    q = em_base(f, IR_FLOOR, wide, wide, lanes, &q);
    q = LLVMBuildFAdd(b, q, em_const(f, wide, whole, lanes), "");
    q = LLVMBuildBitCast(b, q, em_int(f, ir_dtypes[wide].bits, lanes), "");
    return LLVMBuildTrunc(b, q, em_type(f, t, lanes), "");
}

static LLVMValueRef divide(em *f, ir_op op, bz_dtype t, unsigned lanes, const LLVMValueRef *x) {
    LLVMBuilderRef b = f->b;
    unsigned bits = ir_dtypes[t].bits;
    uint64_t c, largest = ir_highest(t);
    if (constant_value(x[1], &c) && c > 0 && c <= largest)
        return divide_by_constant(f, op, t, lanes, x, c);
    LLVMValueRef zero = em_const_int(f, bits, 0, lanes), one = em_const_int(f, bits, 1, lanes);
    LLVMValueRef by_zero = LLVMBuildICmp(b, LLVMIntEQ, x[1], zero, "");
    LLVMValueRef q, r;
    if (lanes > 1 && bits <= 32) {
        q = divide_as_float(f, t, lanes, x);
        r = LLVMBuildSub(b, x[0], LLVMBuildMul(b, q, x[1], ""), "");
    } else if (!ir_is_signed(t)) {
        LLVMValueRef d = choose(f, by_zero, one, x[1]);
        q = LLVMBuildUDiv(b, x[0], d, "");
        r = LLVMBuildURem(b, x[0], d, "");
    } else {
        LLVMValueRef by_minus =
            LLVMBuildICmp(b, LLVMIntEQ, x[1], em_const_int(f, bits, UINT64_MAX, lanes), "");
        LLVMValueRef d = choose(f, LLVMBuildOr(b, by_zero, by_minus, ""), one, x[1]);
        LLVMValueRef q0 = LLVMBuildSDiv(b, x[0], d, ""),
                     r0 = LLVMBuildSub(b, x[0], LLVMBuildMul(b, q0, d, ""), "");
        LLVMValueRef differ = LLVMBuildICmp(b, LLVMIntSLT, LLVMBuildXor(b, r0, d, ""), zero, "");
        LLVMValueRef down = LLVMBuildAnd(b, differ, LLVMBuildICmp(b, LLVMIntNE, r0, zero, ""), "");
        q = choose(f, by_minus, LLVMBuildNeg(b, x[0], ""),
                   LLVMBuildSub(b, q0, LLVMBuildZExt(b, down, em_type(f, t, lanes), ""), ""));
        r = choose(f, down, LLVMBuildAdd(b, r0, d, ""), r0);
    }
    return choose(f, by_zero, zero, op == IR_IDIV ? q : r);
}

static LLVMValueRef on_int(em *f, ir_op op, bz_dtype t, unsigned lanes, const LLVMValueRef *x) {
    LLVMBuilderRef b = f->b;
    bool is_signed = ir_is_signed(t);
    LLVMValueRef no = em_const(f, BZ_BOOL, 0, 1);
    LLVMValueRef with_flag[2] = {x[0], no};
    LLVMTypeRef type = em_type(f, t, lanes);
    switch (op) {
    case IR_NEG: return LLVMBuildNeg(b, x[0], "");
    case IR_NOT: return LLVMBuildNot(b, x[0], "");
    case IR_ABS: return is_signed ? em_intrinsic(f, "llvm.abs", &type, 1, with_flag, 2) : x[0];
    case IR_MAX: return em_binary(f, is_signed ? "llvm.smax" : "llvm.umax", x[0], x[1]);
    case IR_MIN: return em_binary(f, is_signed ? "llvm.smin" : "llvm.umin", x[0], x[1]);
    case IR_IDIV:
    case IR_IMOD: return divide(f, op, t, lanes, x);
    case IR_SHL:
    case IR_SHR:
    case IR_LSHR: return shift(f, op, t, lanes, x);
    case IR_POPCOUNT: return em_unary(f, "llvm.ctpop", x[0]);
    case IR_CLZ: return em_intrinsic(f, "llvm.ctlz", &type, 1, with_flag, 2);
    case IR_EQ: return LLVMBuildICmp(b, LLVMIntEQ, x[0], x[1], "");
    case IR_NE: return LLVMBuildICmp(b, LLVMIntNE, x[0], x[1], "");
    case IR_LT: return LLVMBuildICmp(b, is_signed ? LLVMIntSLT : LLVMIntULT, x[0], x[1], "");
    case IR_LE: return LLVMBuildICmp(b, is_signed ? LLVMIntSLE : LLVMIntULE, x[0], x[1], "");
    default: return x[0]; /* rounding */
    }
}

/* ---- floats */

/* SSE2 has no rounding instruction. (|x| + 2^p) - 2^p with p mantissa bits rounds to nearest even;
 * the others step from there. */
static LLVMValueRef round_by_adding(em *f, ir_op op, bz_dtype t, unsigned lanes, LLVMValueRef x) {
    LLVMBuilderRef b = f->b;
    LLVMValueRef big = em_const_f64(f, t, t == BZ_F32 ? 0x1p23 : 0x1p52, lanes),
                 one = em_const_f64(f, t, 1, lanes);
    LLVMValueRef size = em_unary(f, "llvm.fabs", x);
    LLVMValueRef r = LLVMBuildFSub(b, LLVMBuildFAdd(b, size, big, ""), big, "");
    if (op == IR_TRUNC)
        r = choose(f, LLVMBuildFCmp(b, LLVMRealOGT, r, size, ""), LLVMBuildFSub(b, r, one, ""), r);
    r = em_binary(f, "llvm.copysign", r, x);
    if (op == IR_FLOOR)
        r = choose(f, LLVMBuildFCmp(b, LLVMRealOGT, r, x, ""), LLVMBuildFSub(b, r, one, ""), r);
    if (op == IR_CEIL)
        r = choose(f, LLVMBuildFCmp(b, LLVMRealOLT, r, x, ""), LLVMBuildFAdd(b, r, one, ""), r);
    r = em_binary(f, "llvm.copysign", r, x);
    return choose(f, LLVMBuildFCmp(b, LLVMRealOLT, size, big, ""), r, x);
}

static LLVMValueRef round_float(em *f, ir_op op, bz_dtype t, unsigned lanes, LLVMValueRef x) {
    if (f->isa == CG_BASE) return round_by_adding(f, op, t, lanes, x);
    return em_unary(f,
                    op == IR_FLOOR   ? "llvm.floor"
                    : op == IR_CEIL  ? "llvm.ceil"
                    : op == IR_TRUNC ? "llvm.trunc"
                                     : "llvm.roundeven",
                    x);
}

/* maxps gives its second operand unless the first is larger: only a NaN in the first must stay.
 * Asked in this order it is one maxps under a mask where there are masks. */
static LLVMValueRef float_extreme(em *f, LLVMRealPredicate p, const LLVMValueRef *x) {
    LLVMValueRef m = choose(f, LLVMBuildFCmp(f->b, p, x[0], x[1], ""), x[0], x[1]);
    return choose(f, LLVMBuildFCmp(f->b, LLVMRealORD, x[0], x[0], ""), m, x[0]);
}

static LLVMValueRef on_float(em *f, ir_op op, bz_dtype t, unsigned lanes, const LLVMValueRef *x) {
    LLVMBuilderRef b = f->b;
    LLVMTypeRef type = em_type(f, t, lanes);
    switch (op) {
    case IR_NEG: return LLVMBuildFNeg(b, x[0], "");
    case IR_FMA:
        return em_intrinsic(f, "llvm.fma", &type, 1, (LLVMValueRef[]){x[0], x[1], x[2]}, 3);
    case IR_ABS: return em_unary(f, "llvm.fabs", x[0]);
    case IR_SQRT: return em_unary(f, "llvm.sqrt", x[0]);
    case IR_FLOOR:
    case IR_CEIL:
    case IR_TRUNC:
    case IR_RINT: return round_float(f, op, t, lanes, x[0]);
    case IR_MAX: return float_extreme(f, LLVMRealOGT, x);
    case IR_MIN: return float_extreme(f, LLVMRealOLT, x);
    case IR_EQ: return LLVMBuildFCmp(b, LLVMRealOEQ, x[0], x[1], "");
    case IR_NE: return LLVMBuildFCmp(b, LLVMRealUNE, x[0], x[1], "");
    case IR_LT: return LLVMBuildFCmp(b, LLVMRealOLT, x[0], x[1], "");
    case IR_LE: return LLVMBuildFCmp(b, LLVMRealOLE, x[0], x[1], "");
    default: bz_bug("no float form of %s", ir_ops[op].name);
    }
}

/* The bits of x as another dtype; a bool is the byte 0 or 1. */
static LLVMValueRef bitcast(em *f, bz_dtype from, bz_dtype to, unsigned lanes, LLVMValueRef x) {
    if (from == to) return x;
    if (from == BZ_BOOL) return LLVMBuildZExt(f->b, x, em_type(f, to, lanes), "");
    return LLVMBuildBitCast(f->b, x, em_type(f, to, lanes), "");
}

LLVMValueRef em_base(em *f, ir_op op, bz_dtype operand, bz_dtype result, unsigned lanes,
                     const LLVMValueRef *x) {
    if (op == IR_CAST) return em_cast(f, operand, result, lanes, x[0]);
    if (op == IR_BITCAST) return bitcast(f, operand, result, lanes, x[0]);
    if (op == IR_SELECT) return choose(f, x[0], x[1], x[2]);
    opcode_pair pair = opcodes[op];
    unsigned opcode = ir_is_float(operand) ? pair.of_float : pair.of_int;
    if (opcode == LLVMFNeg) return LLVMBuildFNeg(f->b, x[0], "");
    if (opcode) return LLVMBuildBinOp(f->b, (LLVMOpcode)opcode, x[0], x[1], "");
    return ir_is_float(operand) ? on_float(f, op, operand, lanes, x)
                                : on_int(f, op, operand, lanes, x);
}
