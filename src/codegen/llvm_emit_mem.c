/* llvm_emit_mem.c - arrays, loads, stores, gathers, atomics.
 *
 * Every access carries alias information (em_mark): loads of a buffer that nothing writes are
 * `invariant`, and accesses of different buffers or arrays do not alias, so the scheduler may move
 * loads over stores. Masked accesses are one LLVM intrinsic where the machine has an instruction,
 * else a loop over the set lanes (em_lanes). */
#include "src/codegen/llvm_emit.h"

LLVMValueRef em_address(em *f, bz_dtype t, LLVMValueRef p, LLVMValueRef index) {
    return LLVMBuildGEP2(f->b, f->u->mem[t], p, &index, 1, "");
}

LLVMValueRef em_from_memory(em *f, bz_dtype t, LLVMValueRef x) {
    return t == BZ_BOOL ? LLVMBuildICmp(f->b, LLVMIntNE, x, LLVMConstNull(LLVMTypeOf(x)), "") : x;
}

LLVMValueRef em_to_memory(em *f, bz_dtype t, unsigned lanes, LLVMValueRef x) {
    return t == BZ_BOOL ? LLVMBuildZExt(f->b, x, em_mem_type(f, t, lanes), "") : x;
}

void em_mark(em *f, LLVMValueRef access, uint32_t pointer, unsigned flags) {
    const em_root *r = &f->roots[f->root[pointer]];
    if (r->constant && LLVMIsALoadInst(access))
        LLVMSetMetadata(access, f->u->md[EM_INVARIANT], f->u->empty_md);
    if (r->scope) {
        LLVMSetMetadata(access, f->u->md[EM_ALIAS_SCOPE], r->scope);
        LLVMSetMetadata(access, f->u->md[EM_NOALIAS], r->others);
    }
    if (!(flags & LP_STREAM) || LLVMGetTypeKind(LLVMTypeOf(access)) != LLVMVoidTypeKind) return;
    LLVMSetMetadata(access, f->u->md[EM_NONTEMPORAL], f->u->one_md);
    f->streamed = true;
}

LLVMValueRef em_stack(em *f, LLVMTypeRef type, uint64_t count) {
    LLVMValueRef n = LLVMConstInt(em_int(f, 64, 1), count, false);
    LLVMValueRef p = LLVMBuildArrayAlloca(f->entry, type, n, "");
    LLVMSetAlignment(p, 64);
    return p;
}

/* One array however often its instruction is written out. */
static LLVMValueRef local(em *f, uint32_t n) {
    const lp_inst *i = em_inst(f, n);
    if (f->v[n]) return f->v[n];
    if ((i->flags & 15) == LP_STACK) return em_stack(f, f->u->mem[i->dtype], (uint64_t)i->imm);
    LLVMValueRef place = LLVMConstInt(em_int(f, 64, 1), (uint64_t)f->place[n], false);
    return LLVMBuildGEP2(f->entry, f->u->mem[BZ_U8], f->scratch, &place, 1, "");
}

/* ---- the alignment of an access, and whether the machine masks it */

static unsigned alignment(const lp_inst *i, bz_dtype t, unsigned lanes) {
    unsigned bytes = (unsigned)ir_dtype_bytes(t), whole = bytes * lanes;
    if (!(i->flags & LP_ALIGNED)) return bytes;
    whole &= 0u - whole; /* a power of two */
    return whole < 64 ? whole : 64;
}

static LLVMValueRef const_u32(em *f, unsigned v) {
    return LLVMConstInt(em_int(f, 32, 1), v, false);
}

/* AVX2 masks elements of 4 and 8 bytes, AVX-512 BW all; only whole registers are worth an
 * instruction. */
static bool masks(const em *f, bz_dtype t, unsigned lanes) {
    unsigned bytes = (unsigned)ir_dtype_bytes(t);
    if (lanes * bytes < 16 || (lanes & (lanes - 1)) != 0) return false;
    return f->isa == CG_V4 || (f->isa == CG_V3 && bytes >= 4);
}

static bool gathers(const em *f, bz_dtype t, unsigned lanes) {
    return f->isa == CG_V4 && ir_dtype_bytes(t) >= 4 && masks(f, t, lanes);
}

/* ---- reading ahead */

/* A load from memory that is read in order asks for what comes two pages later: the processor's own
 * prefetching stops at each page, and in a long body it sees too few loads at once. */
static void read_ahead(em *f, const lp_inst *i, LLVMValueRef p) {
    if (!(i->flags & LP_STREAM) || i->lanes * ir_dtype_bytes((bz_dtype)i->dtype) < 32) return;
    LLVMValueRef ahead = LLVMConstInt(em_int(f, 64, 1), 2 * 4096, false);
    LLVMValueRef args[4] = {LLVMBuildGEP2(f->b, f->u->mem[BZ_U8], p, &ahead, 1, ""),
                            const_u32(f, 0), const_u32(f, 3), const_u32(f, 1)};
    em_intrinsic(f, "llvm.prefetch", &f->u->ptr, 1, args, 4);
}

/* ---- loads and stores */

static LLVMValueRef load(em *f, uint32_t n) {
    const lp_inst *i = em_inst(f, n);
    bz_dtype t = (bz_dtype)i->dtype;
    bool masked = i->nargs > 2;
    if (masked && !masks(f, t, i->lanes)) return em_lanes(f, n);
    LLVMTypeRef type = em_mem_type(f, t, i->lanes), types[2] = {type, f->u->ptr};
    LLVMValueRef p = em_address(f, t, em_arg(f, i, 0), em_arg(f, i, 1)), v;
    if (masked) {
        LLVMValueRef args[4] = {p, const_u32(f, alignment(i, t, i->lanes)), em_arg(f, i, 2),
                                LLVMConstNull(type)};
        v = em_intrinsic(f, "llvm.masked.load", types, 2, args, 4);
    } else {
        v = LLVMBuildLoad2(f->b, type, p, "");
        LLVMSetAlignment(v, alignment(i, t, i->lanes));
        read_ahead(f, i, p);
    }
    em_mark(f, v, lp_args(f->k, i)[0], i->flags);
    return em_from_memory(f, t, v);
}

static void store_all(em *f, const lp_inst *i, LLVMValueRef v, LLVMValueRef p) {
    const lp_inst *x = em_arg_inst(f, i, 2);
    LLVMValueRef s = LLVMBuildStore(f->b, v, p);
    LLVMSetAlignment(s, alignment(i, (bz_dtype)i->dtype, x->lanes));
    em_mark(f, s, lp_args(f->k, i)[0], i->flags);
}

/* Those of the mask. */
static void store_part(em *f, const lp_inst *i, LLVMValueRef v, LLVMValueRef p) {
    const lp_inst *x = em_arg_inst(f, i, 2);
    LLVMTypeRef types[2] = {LLVMTypeOf(v), f->u->ptr};
    LLVMValueRef args[4] = {v, p, const_u32(f, alignment(i, (bz_dtype)i->dtype, x->lanes)),
                            em_arg(f, i, 3)};
    LLVMValueRef s = em_intrinsic(f, "llvm.masked.store", types, 2, args, 4);
    em_mark(f, s, lp_args(f->k, i)[0], i->flags);
}

/* AVX2's masked stores take many times as long as others on some processors, and most masks are full. */
static void store_part_or_all(em *f, const lp_inst *i, LLVMValueRef v, LLVMValueRef p) {
    LLVMValueRef mask = em_arg(f, i, 3);
    LLVMTypeRef type = LLVMTypeOf(mask);
    LLVMValueRef all = em_intrinsic(f, "llvm.vector.reduce.and", &type, 1, &mask, 1);
    LLVMBasicBlockRef whole = em_block(f), part = em_block(f), after = em_block(f);
    LLVMBuildCondBr(f->b, all, whole, part);
    LLVMPositionBuilderAtEnd(f->b, whole);
    store_all(f, i, v, p);
    LLVMBuildBr(f->b, after);
    LLVMPositionBuilderAtEnd(f->b, part);
    store_part(f, i, v, p);
    LLVMBuildBr(f->b, after);
    LLVMPositionBuilderAtEnd(f->b, after);
}

static void store(em *f, uint32_t n) {
    const lp_inst *i = em_inst(f, n);
    bz_dtype t = (bz_dtype)i->dtype;
    unsigned lanes = em_arg_inst(f, i, 2)->lanes;
    bool masked = i->nargs > 3;
    if (masked && !masks(f, t, lanes)) {
        em_lanes(f, n);
        return;
    }
    LLVMValueRef p = em_address(f, t, em_arg(f, i, 0), em_arg(f, i, 1));
    LLVMValueRef v = em_to_memory(f, t, lanes, em_arg(f, i, 2));
    if (masked && f->isa == CG_V3)
        store_part_or_all(f, i, v, p);
    else if (masked)
        store_part(f, i, v, p);
    else
        store_all(f, i, v, p);
}

/* ---- gather, scatter, compress */

static LLVMValueRef all_lanes(em *f, unsigned lanes) {
    return em_const(f, BZ_BOOL, 1, lanes);
}

static LLVMValueRef gather_with(em *f, bz_dtype t, unsigned lanes, LLVMValueRef addresses,
                                LLVMValueRef mask) {
    LLVMTypeRef type = em_mem_type(f, t, lanes), types[2] = {type, LLVMTypeOf(addresses)};
    LLVMValueRef args[4] = {addresses, const_u32(f, (unsigned)ir_dtype_bytes(t)), mask,
                            LLVMConstNull(type)};
    return em_intrinsic(f, "llvm.masked.gather", types, 2, args, 4);
}

/* Without a mask LLVM writes one scalar load per lane where there is no instruction. */
static LLVMValueRef gather(em *f, uint32_t n) {
    const lp_inst *i = em_inst(f, n);
    bz_dtype t = (bz_dtype)i->dtype;
    bool masked = i->nargs > 2;
    if (i->lanes == 1 && !masked) return load(f, n);
    if (masked && !gathers(f, t, i->lanes)) return em_lanes(f, n);
    LLVMValueRef p = em_address(f, t, em_arg(f, i, 0), em_arg(f, i, 1));
    LLVMValueRef v =
        gather_with(f, t, i->lanes, p, masked ? em_arg(f, i, 2) : all_lanes(f, i->lanes));
    em_mark(f, v, lp_args(f->k, i)[0], 0);
    return em_from_memory(f, t, v);
}

/* The instruction writes lanes in order, so the highest of equal indices wins. */
static void scatter(em *f, uint32_t n) {
    const lp_inst *i = em_inst(f, n);
    bz_dtype t = (bz_dtype)i->dtype;
    unsigned lanes = em_arg_inst(f, i, 2)->lanes;
    bool masked = i->nargs > 3;
    if (lanes == 1 && !masked) {
        store(f, n);
        return;
    }
    if (masked && !gathers(f, t, lanes)) {
        em_lanes(f, n);
        return;
    }
    LLVMValueRef p = em_address(f, t, em_arg(f, i, 0), em_arg(f, i, 1));
    LLVMTypeRef types[2] = {em_mem_type(f, t, lanes), LLVMTypeOf(p)};
    LLVMValueRef args[4] = {em_to_memory(f, t, lanes, em_arg(f, i, 2)), p,
                            const_u32(f, (unsigned)ir_dtype_bytes(t)),
                            masked ? em_arg(f, i, 3) : all_lanes(f, lanes)};
    em_mark(f, em_intrinsic(f, "llvm.masked.scatter", types, 2, args, 4), lp_args(f->k, i)[0], 0);
}

/* Compressed in a register and stored under a mask of that many lanes: the instruction that does
 * both is microcode. */
static void compress(em *f, uint32_t n) {
    const lp_inst *i = em_inst(f, n);
    bz_dtype t = (bz_dtype)i->dtype;
    unsigned lanes = em_arg_inst(f, i, 2)->lanes, whole = lanes * (unsigned)ir_dtype_bytes(t);
    if (!gathers(f, t, lanes) || whole > 64) {
        em_lanes(f, n);
        return;
    }
    LLVMTypeRef type = em_type(f, t, lanes), types[2] = {type, f->u->ptr},
                bits = em_int(f, lanes, 1);
    LLVMValueRef mask = em_arg(f, i, 3), packed[3] = {em_arg(f, i, 2), LLVMConstNull(type), mask};
    LLVMValueRef v = em_intrinsic(f, "llvm.x86.avx512.mask.compress", &type, 1, packed, 3);
    LLVMTypeRef i32 = em_int(f, 32, 1);
    LLVMValueRef set = LLVMBuildZExt(f->b, LLVMBuildBitCast(f->b, mask, bits, ""), i32, "");
    LLVMValueRef one = const_u32(f, 1), count = em_unary(f, "llvm.ctpop", set);
    LLVMValueRef low = LLVMBuildSub(f->b, LLVMBuildShl(f->b, one, count, ""), one, "");
    LLVMValueRef low_mask =
        LLVMBuildBitCast(f->b, LLVMBuildTrunc(f->b, low, bits, ""), LLVMTypeOf(mask), "");
    LLVMValueRef p = em_address(f, t, em_arg(f, i, 0), em_arg(f, i, 1));
    LLVMValueRef args[4] = {v, p, const_u32(f, (unsigned)ir_dtype_bytes(t)), low_mask};
    em_mark(f, em_intrinsic(f, "llvm.masked.store", types, 2, args, 4), lp_args(f->k, i)[0], 0);
}

/* ---- constant tables */

static LLVMValueRef table_global(em *f, unsigned n) {
    const ir_vtable *t = &ir_vtables[n];
    if (f->u->tables[n]) return f->u->tables[n];
    bz_arena keep = {0};
    LLVMValueRef *x = bz_arena_alloc(&keep, t->n * sizeof *x), g = NULL;
    if (x) {
        const char *at = t->data;
        for (uint32_t i = 0; i < t->n; i++)
            x[i] =
                em_const(f, t->dtype, ir_load_bits(t->dtype, at + i * ir_dtype_bytes(t->dtype)), 1);
        LLVMValueRef data = LLVMConstArray2(f->u->elem[t->dtype], x, t->n);
        g = LLVMAddGlobal(f->u->mod, LLVMTypeOf(data), t->name);
        LLVMSetInitializer(g, data);
        LLVMSetGlobalConstant(g, true);
        LLVMSetLinkage(g, LLVMPrivateLinkage);
        LLVMSetUnnamedAddress(g, LLVMGlobalUnnamedAddr);
        LLVMSetAlignment(g, 64);
    } else {
        f->status = bz_fail(f->u->e, BZ_ENOMEM, "out of memory for a constant table");
        g = LLVMGetUndef(f->u->ptr);
    }
    bz_arena_free(&keep);
    return f->u->tables[n] = g;
}

/* Entries first .. first+lanes-1 of a table as one register. */
static LLVMValueRef table_part(em *f, const lp_inst *i, unsigned first) {
    LLVMValueRef at = LLVMConstInt(em_int(f, 64, 1), first, false);
    LLVMValueRef p = em_address(f, (bz_dtype)i->dtype, table_global(f, (unsigned)i->imm), at);
    LLVMValueRef v = LLVMBuildLoad2(f->b, em_type(f, (bz_dtype)i->dtype, i->lanes), p, "");
    LLVMSetAlignment(v, 64);
    LLVMSetMetadata(v, f->u->md[EM_INVARIANT], f->u->empty_md);
    return v;
}

/* The permutation instruction of two registers of a dtype, or of one. */
static const char *permutation(bz_dtype t, bool two) {
    switch (t) {
    case BZ_F32:
        return two ? "llvm.x86.avx512.vpermi2var.ps.512" : "llvm.x86.avx512.permvar.sf.512";
    case BZ_F64:
        return two ? "llvm.x86.avx512.vpermi2var.pd.512" : "llvm.x86.avx512.permvar.df.512";
    case BZ_U32:
    case BZ_I32: return two ? "llvm.x86.avx512.vpermi2var.d.512" : "llvm.x86.avx512.permvar.si.512";
    default: return two ? "llvm.x86.avx512.vpermi2var.q.512" : "llvm.x86.avx512.permvar.di.512";
    }
}

static LLVMValueRef look_up_two(em *f, const lp_inst *i, LLVMValueRef index, unsigned first,
                                bool two) {
    const char *name = permutation((bz_dtype)i->dtype, two);
    LLVMValueRef low = table_part(f, i, first);
    if (!two) return em_intrinsic(f, name, NULL, 0, (LLVMValueRef[]){low, index}, 2);
    LLVMValueRef args[3] = {low, index, table_part(f, i, first + i->lanes)};
    return em_intrinsic(f, name, NULL, 0, args, 3);
}

/* A table of 1, 2 or 4 AVX-512 registers is looked up by permutation. */
static LLVMValueRef look_up_registers(em *f, const lp_inst *i, unsigned size) {
    bz_dtype t = (bz_dtype)i->dtype, from = (bz_dtype)em_arg_inst(f, i, 0)->dtype;
    bz_dtype index_type = ir_dtype_bytes(t) == 4 ? BZ_I32 : BZ_I64;
    LLVMValueRef index = em_cast(f, from, index_type, i->lanes, em_arg(f, i, 0));
    LLVMValueRef low = look_up_two(f, i, index, 0, size > i->lanes);
    if (size <= 2u * i->lanes) return low;
    LLVMValueRef high = look_up_two(f, i, index, 2u * i->lanes, true);
    LLVMValueRef border = em_const(f, index_type, 2u * i->lanes, i->lanes);
    return LLVMBuildSelect(f->b, LLVMBuildICmp(f->b, LLVMIntULT, index, border, ""), low, high, "");
}

LLVMValueRef em_table(em *f, const lp_inst *i) {
    const ir_vtable *table = &ir_vtables[i->imm];
    bz_dtype t = (bz_dtype)i->dtype;
    bool whole = ir_dtype_bytes(t) >= 4 && i->lanes * ir_dtype_bytes(t) == 64;
    if (f->isa == CG_V4 && whole &&
        (table->n == i->lanes || table->n == 2u * i->lanes || table->n == 4u * i->lanes))
        return look_up_registers(f, i, table->n);
    LLVMValueRef p = em_address(f, t, table_global(f, (unsigned)i->imm), em_arg(f, i, 0));
    if (i->lanes > 1)
        return em_from_memory(f, t, gather_with(f, t, i->lanes, p, all_lanes(f, i->lanes)));
    LLVMValueRef v = LLVMBuildLoad2(f->b, f->u->mem[t], p, "");
    LLVMSetMetadata(v, f->u->md[EM_INVARIANT], f->u->empty_md);
    return em_from_memory(f, t, v);
}

/* ---- the rest */

static LLVMAtomicRMWBinOp atomic_op(ir_op op, bz_dtype t) {
    bool is_signed = ir_is_signed(t);
    switch (op) {
    case IR_ADD: return LLVMAtomicRMWBinOpAdd;
    case IR_AND: return LLVMAtomicRMWBinOpAnd;
    case IR_OR: return LLVMAtomicRMWBinOpOr;
    case IR_XOR: return LLVMAtomicRMWBinOpXor;
    case IR_MAX: return is_signed ? LLVMAtomicRMWBinOpMax : LLVMAtomicRMWBinOpUMax;
    default: return is_signed ? LLVMAtomicRMWBinOpMin : LLVMAtomicRMWBinOpUMin;
    }
}

/* max and min of floats: tried again until nobody came between. */
static void atomic_float(em *f, const lp_inst *i, LLVMValueRef p) {
    LLVMBuilderRef b = f->b;
    bz_dtype t = (bz_dtype)em_arg_inst(f, i, 2)->dtype;
    LLVMTypeRef bits = em_int(f, ir_dtypes[t].bits, 1), type = em_type(f, t, 1);
    LLVMBasicBlockRef before = em_here(f), again = em_block(f), after = em_block(f);
    LLVMValueRef first = LLVMBuildLoad2(b, bits, p, "");
    LLVMBuildBr(b, again);
    LLVMPositionBuilderAtEnd(b, again);
    LLVMValueRef old = LLVMBuildPhi(b, bits, ""),
                 x[3] = {LLVMBuildBitCast(b, old, type, ""), em_arg(f, i, 2), NULL};
    LLVMValueRef new = LLVMBuildBitCast(b, em_base(f, (ir_op)i->imm, t, t, 1, x), bits, "");
    LLVMAtomicOrdering order = LLVMAtomicOrderingMonotonic;
    LLVMValueRef pair = LLVMBuildAtomicCmpXchg(b, p, old, new, order, order, false);
    LLVMValueRef found = LLVMBuildExtractValue(b, pair, 0, "");
    LLVMAddIncoming(old, (LLVMValueRef[]){first, found}, (LLVMBasicBlockRef[]){before, em_here(f)},
                    2);
    LLVMBuildCondBr(b, LLVMBuildExtractValue(b, pair, 1, ""), after, again);
    LLVMPositionBuilderAtEnd(b, after);
}

static void atomic(em *f, const lp_inst *i) {
    bz_dtype t = (bz_dtype)em_arg_inst(f, i, 2)->dtype;
    LLVMValueRef p = em_address(f, t, em_arg(f, i, 0), em_arg(f, i, 1));
    if (ir_is_float(t))
        atomic_float(f, i, p);
    else
        LLVMBuildAtomicRMW(f->b, atomic_op((ir_op)i->imm, t), p, em_arg(f, i, 2),
                           LLVMAtomicOrderingMonotonic, false);
}

static void prefetch(em *f, const lp_inst *i) {
    LLVMValueRef p =
        em_address(f, (bz_dtype)em_arg_inst(f, i, 0)->dtype, em_arg(f, i, 0), em_arg(f, i, 1));
    LLVMValueRef args[4] = {p, const_u32(f, i->imm != 0), const_u32(f, 3),
                            const_u32(f, 1)}; /* into all caches, data */
    em_intrinsic(f, "llvm.prefetch", &f->u->ptr, 1, args, 4);
}

/* A CPU copies at once, element by element vectors of up to 64 bytes: no call of memcpy. */
static void async_copy(em *f, const lp_inst *i) {
    bz_dtype t = (bz_dtype)em_arg_inst(f, i, 0)->dtype;
    LLVMTypeRef types[3] = {f->u->ptr, f->u->ptr, em_int(f, 64, 1)};
    LLVMValueRef bytes = LLVMConstInt(types[2], (uint64_t)i->imm * ir_dtype_bytes(t), false);
    LLVMValueRef to = em_address(f, t, em_arg(f, i, 0), em_arg(f, i, 1)),
                 from = em_address(f, t, em_arg(f, i, 2), em_arg(f, i, 3));
    em_intrinsic(f, "llvm.memcpy.inline", types, 3,
                 (LLVMValueRef[]){to, from, bytes, em_const(f, BZ_BOOL, 0, 1)}, 4);
}

static LLVMValueRef is_aligned(em *f, const lp_inst *i) {
    LLVMTypeRef word = em_int(f, 64, 1);
    LLVMValueRef p =
        em_address(f, (bz_dtype)em_arg_inst(f, i, 0)->dtype, em_arg(f, i, 0), em_arg(f, i, 1));
    LLVMValueRef low = LLVMBuildAnd(f->b, LLVMBuildPtrToInt(f->b, p, word, ""),
                                    LLVMConstInt(word, (uint64_t)i->imm - 1, false), "");
    return LLVMBuildICmp(f->b, LLVMIntEQ, low, LLVMConstInt(word, 0, false), "");
}

LLVMValueRef em_memory(em *f, uint32_t n) {
    const lp_inst *i = em_inst(f, n);
    switch ((lp_op)i->op) {
    case LP_LOCAL: return local(f, n);
    case LP_OFFSET: return em_address(f, (bz_dtype)i->dtype, em_arg(f, i, 0), em_arg(f, i, 1));
    case LP_IS_ALIGNED: return is_aligned(f, i);
    case LP_LOAD: return load(f, n);
    case LP_GATHER: return gather(f, n);
    case LP_STORE: store(f, n); break;
    case LP_SCATTER: scatter(f, n); break;
    case LP_COMPRESS: compress(f, n); break;
    case LP_ATOMIC: atomic(f, i); break;
    case LP_PREFETCH: prefetch(f, i); break;
    case LP_ASYNC_COPY: async_copy(f, i); break;
    default: bz_bug("kernel %s, %%%u: no form for %u", f->k->name, n, i->op);
    }
    return NULL;
}
