/* llvm_emit_cast.c - conversions between all dtypes, each with one rounding to nearest even.
 *
 *     f16, bf16 --> f32 --> anything          f64, wide integers --round to odd--> f32 --> f16, bf16
 *
 * Rounding to odd (an inexact value gets its last bit set) keeps what a second rounding needs to
 * know, so that two are as one. f16 uses F16C; without it, and for bf16 on every machine, integer
 * arithmetic (AVX-512's bf16 instructions flush denormals). */
#include "src/codegen/llvm_emit.h"

#define C(bits, v) em_const_int(f, bits, v, lanes)

static LLVMValueRef choose(em *f, LLVMValueRef c, LLVMValueRef x, LLVMValueRef y) {
    return LLVMBuildSelect(f->b, c, x, y, "");
}
static LLVMValueRef as_int(em *f, unsigned bits, unsigned lanes, LLVMValueRef x) {
    return LLVMBuildBitCast(f->b, x, em_int(f, bits, lanes), "");
}
static LLVMValueRef as_f32(em *f, unsigned lanes, LLVMValueRef x) {
    return LLVMBuildBitCast(f->b, x, em_type(f, BZ_F32, lanes), "");
}
static LLVMValueRef half_type_cast(em *f, unsigned lanes, LLVMValueRef bits) {
    LLVMTypeRef half = LLVMHalfTypeInContext(f->u->ctx);
    return LLVMBuildBitCast(f->b, bits, lanes > 1 ? LLVMVectorType(half, lanes) : half, "");
}

/* ---- f16 */

/* The exponent is moved up by adding; infinities and NaN move once more, denormals are made normal
 * by a float subtraction. */
static LLVMValueRef f16_to_f32_by_bits(em *f, unsigned lanes, LLVMValueRef x) {
    LLVMBuilderRef b = f->b;
    LLVMValueRef h = LLVMBuildZExt(b, x, em_int(f, 32, lanes), "");
    LLVMValueRef sign = LLVMBuildShl(b, LLVMBuildAnd(b, h, C(32, 0x8000), ""), C(32, 16), "");
    LLVMValueRef mag = LLVMBuildAnd(b, h, C(32, 0x7FFF), "");
    LLVMValueRef normal =
        LLVMBuildAdd(b, LLVMBuildShl(b, mag, C(32, 13), ""), C(32, 112u << 23), "");
    LLVMValueRef special = LLVMBuildAdd(b, normal, C(32, 112u << 23), "");
    LLVMValueRef nan = LLVMBuildOr(b, special, C(32, 0x400000), "");
    LLVMValueRef above = LLVMBuildAdd(b, normal, C(32, 1u << 23), "");
    LLVMValueRef small =
        LLVMBuildFSub(b, as_f32(f, lanes, above), em_const_f64(f, BZ_F32, 0x1p-14, lanes), "");
    LLVMValueRef r = choose(f, LLVMBuildICmp(b, LLVMIntULT, mag, C(32, 0x400), ""),
                            as_int(f, 32, lanes, small), normal);
    r = choose(f, LLVMBuildICmp(b, LLVMIntUGE, mag, C(32, 0x7C00), ""), special, r);
    r = choose(f, LLVMBuildICmp(b, LLVMIntUGT, mag, C(32, 0x7C00), ""), nan, r);
    return as_f32(f, lanes, LLVMBuildOr(b, r, sign, ""));
}

/* Denormal results: adding 0.5 lets the float adder shift and round. */
static LLVMValueRef f32_to_f16_by_bits(em *f, unsigned lanes, LLVMValueRef x) {
    LLVMBuilderRef b = f->b;
    LLVMValueRef u = as_int(f, 32, lanes, x), mag = LLVMBuildAnd(b, u, C(32, 0x7FFFFFFF), "");
    LLVMValueRef sign = LLVMBuildAnd(b, LLVMBuildLShr(b, u, C(32, 16), ""), C(32, 0x8000), "");
    LLVMValueRef odd = LLVMBuildAnd(b, LLVMBuildLShr(b, mag, C(32, 13), ""), C(32, 1), "");
    LLVMValueRef moved = LLVMBuildAdd(b, mag, C(32, (uint32_t)(-112 * (1 << 23)) + 0xFFFu), "");
    LLVMValueRef normal = LLVMBuildLShr(b, LLVMBuildAdd(b, moved, odd, ""), C(32, 13), "");
    LLVMValueRef half = em_const_f64(f, BZ_F32, 0.5, lanes);
    LLVMValueRef sum = as_int(f, 32, lanes, LLVMBuildFAdd(b, as_f32(f, lanes, mag), half, ""));
    LLVMValueRef small = LLVMBuildSub(b, sum, C(32, 0x3F000000), "");
    LLVMValueRef payload = LLVMBuildAnd(b, LLVMBuildLShr(b, mag, C(32, 13), ""), C(32, 0x1FF), "");
    LLVMValueRef nan = LLVMBuildOr(b, payload, C(32, 0x7E00), "");
    LLVMValueRef r =
        choose(f, LLVMBuildICmp(b, LLVMIntULT, mag, C(32, 0x38800000), ""), small, normal);
    r = choose(f, LLVMBuildICmp(b, LLVMIntUGE, mag, C(32, 0x47800000), ""), C(32, 0x7C00), r);
    r = choose(f, LLVMBuildICmp(b, LLVMIntUGT, mag, C(32, 0x7F800000), ""), nan, r);
    return LLVMBuildTrunc(b, LLVMBuildOr(b, r, sign, ""), em_int(f, 16, lanes), "");
}

/* ---- bf16 */

static LLVMValueRef bf16_to_f32(em *f, unsigned lanes, LLVMValueRef x) {
    LLVMValueRef wide = LLVMBuildZExt(f->b, x, em_int(f, 32, lanes), "");
    return as_f32(f, lanes, LLVMBuildShl(f->b, wide, C(32, 16), ""));
}

static LLVMValueRef f32_to_bf16(em *f, unsigned lanes, LLVMValueRef x) {
    LLVMBuilderRef b = f->b;
    LLVMValueRef u = as_int(f, 32, lanes, x), high = LLVMBuildLShr(b, u, C(32, 16), "");
    LLVMValueRef up = LLVMBuildAdd(b, LLVMBuildAnd(b, high, C(32, 1), ""), C(32, 0x7FFF), "");
    LLVMValueRef r = LLVMBuildLShr(b, LLVMBuildAdd(b, u, up, ""), C(32, 16), "");
    LLVMValueRef nan = LLVMBuildOr(b, high, C(32, 0x40), "");
    r = choose(f, LLVMBuildFCmp(b, LLVMRealUNO, x, x, ""), nan, r);
    return LLVMBuildTrunc(b, r, em_int(f, 16, lanes), "");
}

static LLVMValueRef widen_half(em *f, bz_dtype from, unsigned lanes, LLVMValueRef x) {
    if (from == BZ_BF16) return bf16_to_f32(f, lanes, x);
    if (f->isa == CG_BASE) return f16_to_f32_by_bits(f, lanes, x);
    return LLVMBuildFPExt(f->b, half_type_cast(f, lanes, x), em_type(f, BZ_F32, lanes), "");
}

static LLVMValueRef narrow_f32(em *f, bz_dtype to, unsigned lanes, LLVMValueRef x) {
    if (to == BZ_BF16) return f32_to_bf16(f, lanes, x);
    if (f->isa == CG_BASE) return f32_to_f16_by_bits(f, lanes, x);
    LLVMTypeRef half = LLVMHalfTypeInContext(f->u->ctx);
    LLVMValueRef h = LLVMBuildFPTrunc(f->b, x, lanes > 1 ? LLVMVectorType(half, lanes) : half, "");
    return as_int(f, 16, lanes, h);
}

/* ---- to the half types from wider ones */

/* f64 to f32, towards zero with the last bit set where inexact. A NaN stays as it is. */
static LLVMValueRef f64_to_odd_f32(em *f, unsigned lanes, LLVMValueRef x) {
    LLVMBuilderRef b = f->b;
    LLVMValueRef r = LLVMBuildFPTrunc(b, x, em_type(f, BZ_F32, lanes), "");
    LLVMValueRef back = LLVMBuildFPExt(b, r, em_type(f, BZ_F64, lanes), "");
    LLVMValueRef far = LLVMBuildFCmp(b, LLVMRealOGT, em_unary(f, "llvm.fabs", back),
                                     em_unary(f, "llvm.fabs", x), "");
    LLVMValueRef inexact = LLVMBuildFCmp(b, LLVMRealONE, back, x, "");
    LLVMValueRef u = as_int(f, 32, lanes, r);
    u = choose(f, far, LLVMBuildSub(b, u, C(32, 1), ""), u);
    u = choose(f, inexact, LLVMBuildOr(b, u, C(32, 1), ""), u);
    return as_f32(f, lanes, u);
}

/* i64 or u64 to a double that rounds once from here: beyond 2^53 the low 11 bits are folded into one. */
static LLVMValueRef wide_to_odd_f64(em *f, bz_dtype from, unsigned lanes, LLVMValueRef x) {
    LLVMBuilderRef b = f->b;
    LLVMValueRef low = LLVMBuildAnd(b, x, C(64, 0x7FF), "");
    LLVMValueRef some = LLVMBuildICmp(b, LLVMIntNE, low, C(64, 0), "");
    LLVMValueRef sticky = choose(f, some, C(64, 0x800), C(64, 0));
    LLVMValueRef odd = LLVMBuildOr(b, LLVMBuildAnd(b, x, C(64, ~UINT64_C(0x7FF)), ""), sticky, "");
    const uint64_t middle = ir_is_signed(from) ? UINT64_C(1) << 53 : 0;
    LLVMValueRef shifted = LLVMBuildAdd(b, x, C(64, middle), "");
    LLVMValueRef most = C(64, middle + (UINT64_C(1) << 53));
    LLVMValueRef fits = LLVMBuildICmp(b, LLVMIntULE, shifted, most, "");
    return em_cast(f, from, BZ_F64, lanes, choose(f, fits, x, odd));
}

/* f16 overflows below 2^24, where f32 is still exact: only bf16 needs more care with wide integers.
 * */
static LLVMValueRef to_half(em *f, bz_dtype from, bz_dtype to, unsigned lanes, LLVMValueRef x) {
    const bool careful = to == BZ_BF16 && ir_is_int(from) && ir_dtypes[from].bits >= 32;
    if (from == BZ_F64 || careful) {
        if (careful && ir_dtypes[from].bits == 64)
            x = wide_to_odd_f64(f, from, lanes, x);
        else
            x = em_cast(f, from, BZ_F64, lanes, x);
        x = f64_to_odd_f32(f, lanes, x);
    } else if (from != BZ_F32) {
        x = em_cast(f, from, BZ_F32, lanes, x);
    }
    return narrow_f32(f, to, lanes, x);
}

/* ---- float to integer */

static double int_limit(bz_dtype t, bool high) {
    int bits = ir_dtypes[t].bits, s = ir_is_signed(t);
    double top = (double)(UINT64_C(1) << (bits - s));
    return high ? top - 1 : s ? -top : 0;
}

/* Integers whose limits the float type holds: clamp, then convert; NaN passes the clamps and is
 * cleared at the end. */
static LLVMValueRef clamp_to_int(em *f, bz_dtype from, bz_dtype to, unsigned lanes,
                                 LLVMValueRef x) {
    LLVMBuilderRef b = f->b;
    LLVMValueRef high = em_const_f64(f, from, int_limit(to, true), lanes),
                 low = em_const_f64(f, from, int_limit(to, false), lanes);
    LLVMValueRef y = choose(f, LLVMBuildFCmp(b, LLVMRealOLT, high, x, ""), high, x);
    y = choose(f, LLVMBuildFCmp(b, LLVMRealOGT, low, y, ""), low, y);
    y = to == BZ_U32 ? LLVMBuildFPToUI(b, y, em_int(f, 32, lanes), "")
                     : LLVMBuildFPToSI(b, y, em_int(f, 32, lanes), "");
    y = choose(f, LLVMBuildFCmp(b, LLVMRealORD, x, x, ""), y, C(32, 0));
    return ir_dtypes[to].bits == 32 ? y : LLVMBuildTrunc(b, y, em_type(f, to, lanes), "");
}

/* f32 to 32 bits, both to 64: the highest integer has no float. What is below the lowest is clamped, what
 * is above the highest or no number is put right after the conversion. */
static LLVMValueRef saturate_to_int(em *f, bz_dtype from, bz_dtype to, unsigned lanes,
                                    LLVMValueRef x) {
    LLVMBuilderRef b = f->b;
    unsigned bits = ir_dtypes[to].bits;
    const bool is_signed = ir_is_signed(to);
    const double half = bits == 32 ? 0x1p31 : 0x1p63;
    LLVMValueRef top = em_const_f64(f, from, is_signed ? half : 2 * half, lanes),
                 low = em_const_f64(f, from, is_signed ? -half : 0, lanes);
    LLVMValueRef y = choose(f, LLVMBuildFCmp(b, LLVMRealOGT, x, low, ""), x, low);
    LLVMTypeRef type = em_type(f, to, lanes);
    y = is_signed ? LLVMBuildFPToSI(b, y, type, "") : LLVMBuildFPToUI(b, y, type, "");
    LLVMValueRef most = C(bits, ir_highest(to));
    y = choose(f, LLVMBuildFCmp(b, LLVMRealOGE, x, top, ""), most, y);
    return choose(f, LLVMBuildFCmp(b, LLVMRealORD, x, x, ""), y, C(bits, 0));
}

/* ---- all */

static LLVMValueRef to_bool(em *f, bz_dtype from, unsigned lanes, LLVMValueRef x) {
    LLVMValueRef zero = LLVMConstNull(em_type(f, from, lanes));
    return ir_is_float(from) ? LLVMBuildFCmp(f->b, LLVMRealUNE, x, zero, "")
                             : LLVMBuildICmp(f->b, LLVMIntNE, x, zero, "");
}

static LLVMValueRef from_float(em *f, bz_dtype from, bz_dtype to, unsigned lanes, LLVMValueRef x) {
    LLVMTypeRef type = em_type(f, to, lanes);
    if (to == BZ_F64) return LLVMBuildFPExt(f->b, x, type, "");
    if (to == BZ_F32) return LLVMBuildFPTrunc(f->b, x, type, "");
    bool exact_limits = ir_dtypes[to].bits < ir_dtypes[from].bits;
    return exact_limits ? clamp_to_int(f, from, to, lanes, x)
                        : saturate_to_int(f, from, to, lanes, x);
}

static LLVMValueRef from_int(em *f, bz_dtype from, bz_dtype to, unsigned lanes, LLVMValueRef x) {
    LLVMTypeRef type = em_type(f, to, lanes);
    bool is_signed = ir_is_signed(from);
    if (ir_is_float(to))
        return is_signed ? LLVMBuildSIToFP(f->b, x, type, "") : LLVMBuildUIToFP(f->b, x, type, "");
    if (ir_dtypes[to].bits < ir_dtypes[from].bits) return LLVMBuildTrunc(f->b, x, type, "");
    if (ir_dtypes[to].bits == ir_dtypes[from].bits) return x;
    return is_signed ? LLVMBuildSExt(f->b, x, type, "") : LLVMBuildZExt(f->b, x, type, "");
}

LLVMValueRef em_cast(em *f, bz_dtype from, bz_dtype to, unsigned lanes, LLVMValueRef x) {
    if (from == to) return x;
    if (ir_is_half(from)) return em_cast(f, BZ_F32, to, lanes, widen_half(f, from, lanes, x));
    if (to == BZ_BOOL) return to_bool(f, from, lanes, x);
    if (ir_is_half(to)) return to_half(f, from, to, lanes, x);
    return ir_is_float(from) ? from_float(f, from, to, lanes, x) : from_int(f, from, to, lanes, x);
}
