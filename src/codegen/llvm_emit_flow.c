/* llvm_emit_flow.c - regions: loops, conditions, and the instructions in them.
 *
 *     here: guard --> body: phis ... latch --> exit: phis       a serial loop; without the guard
 *             |         ^____________|          ^               when it surely runs
 *             +---------------------------------+
 *
 * A carried value is a phi. f->slots[opener] holds what is carried while the region is written, and
 * its results afterwards. Blocks lie in the order in which they are written, so code that follows
 * falls through. */
#include "src/codegen/llvm_emit.h"

/* ---- regions */

/* Operand n of the YIELD that ends the region closed at `close`. */
static LLVMValueRef yielded(em *f, uint32_t close, unsigned n) {
    const lp_inst *y = em_inst(f, close - 1);
    bz_assert(y->op == LP_YIELD && n < y->nargs);
    return em_arg(f, y, n);
}

static LLVMValueRef phi2(em *f, LLVMValueRef x, LLVMBasicBlockRef from_x, LLVMValueRef y,
                         LLVMBasicBlockRef from_y) {
    LLVMValueRef p = LLVMBuildPhi(f->b, LLVMTypeOf(x), "");
    LLVMAddIncoming(p, (LLVMValueRef[]){x, y}, (LLVMBasicBlockRef[]){from_x, from_y}, 2);
    return p;
}

static LLVMValueRef start_phi(em *f, LLVMValueRef first, LLVMBasicBlockRef from) {
    LLVMValueRef p = LLVMBuildPhi(f->b, LLVMTypeOf(first), "");
    LLVMAddIncoming(p, &first, &from, 1);
    return p;
}

static void finish_phi(em *f, LLVMValueRef p, LLVMValueRef next) {
    LLVMBasicBlockRef here = em_here(f);
    LLVMAddIncoming(p, &next, &here, 1);
}

/* Code goes on in `block`, laid out behind all that was written so far. */
static void start_block(em *f, LLVMBasicBlockRef block) {
    LLVMBasicBlockRef last = LLVMGetLastBasicBlock(f->fn);
    if (last != block) LLVMMoveBasicBlockAfter(block, last);
    LLVMPositionBuilderAtEnd(f->b, block);
}

/* Trip count of a loop with constant bounds, -1 when they are not. */
static int64_t constant_trips(LLVMValueRef lo, LLVMValueRef hi, int64_t step) {
    if (!LLVMIsAConstantInt(lo) || !LLVMIsAConstantInt(hi)) return -1;
    int64_t l = LLVMConstIntGetSExtValue(lo), h = LLVMConstIntGetSExtValue(hi);
    return h <= l ? 0 : (int64_t)(((uint64_t)h - (uint64_t)l - 1) / (uint64_t)step + 1);
}

static uint32_t emit_unrolled(em *f, uint32_t i, LLVMValueRef lo, int64_t trips) {
    const lp_inst *loop = em_inst(f, i);
    unsigned n = loop->nargs - 2u;
    for (int64_t t = 0; t < trips; t++) {
        LLVMValueRef at = LLVMConstInt(em_int(f, 64, 1), (uint64_t)(t * loop->imm), false);
        f->v[i] = LLVMBuildAdd(f->b, lo, at, "");
        em_region(f, i + 1);
        for (unsigned c = 0; c < n; c++) f->slots[i][c] = yielded(f, f->close[i], c);
    }
    return f->close[i];
}

uint32_t em_loop_between(em *f, uint32_t i, LLVMValueRef lo, LLVMValueRef hi, bool surely) {
    const lp_inst *loop = em_inst(f, i);
    LLVMBuilderRef b = f->b;
    LLVMBasicBlockRef before = em_here(f), body = em_block(f), exit = em_block(f);
    unsigned n = loop->op == LP_LOOP && loop->nargs > 2 ? loop->nargs - 2u : 0;
    LLVMValueRef *slot = f->slots[i];
    if (surely)
        LLVMBuildBr(b, body);
    else
        LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntSLT, lo, hi, ""), body, exit);
    start_block(f, body);
    LLVMValueRef index = f->v[i] = start_phi(f, lo, before);
    for (unsigned c = 0; c < n; c++) slot[c] = start_phi(f, slot[c], before);
    em_region(f, i + 1);
    LLVMValueRef next =
        LLVMBuildAdd(b, index, LLVMConstInt(em_int(f, 64, 1), (uint64_t)loop->imm, false), "");
    LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntSLT, next, hi, ""), body, exit);
    LLVMBasicBlockRef latch = em_here(f);
    finish_phi(f, index, next);
    for (unsigned c = 0; c < n; c++) finish_phi(f, slot[c], yielded(f, f->close[i], c));
    start_block(f, exit);
    for (unsigned c = 0; c < n; c++) {
        LLVMValueRef last = yielded(f, f->close[i], c), first = em_arg(f, loop, 2 + c);
        slot[c] = surely ? last : phi2(f, first, before, last, latch);
    }
    return f->close[i];
}

static uint32_t emit_loop(em *f, uint32_t i) {
    const lp_inst *loop = em_inst(f, i);
    LLVMValueRef lo = em_arg(f, loop, 0), hi = em_arg(f, loop, 1);
    for (unsigned c = 2; c < loop->nargs; c++) f->slots[i][c - 2] = em_arg(f, loop, c);
    int64_t trips = constant_trips(lo, hi, loop->imm);
    if (trips == 0) return f->close[i];
    if (trips == 1 || ((loop->flags & 15) == LP_UNROLLED && trips > 0))
        return emit_unrolled(f, i, lo, trips);
    return em_loop_between(f, i, lo, hi, trips > 0);
}

static uint32_t emit_while(em *f, uint32_t i) {
    const lp_inst *loop = em_inst(f, i);
    LLVMBasicBlockRef before = em_here(f), body = em_block(f), exit = em_block(f);
    LLVMValueRef *slot = f->slots[i];
    LLVMBuildBr(f->b, body);
    start_block(f, body);
    for (unsigned c = 0; c < loop->nargs; c++) slot[c] = start_phi(f, em_arg(f, loop, c), before);
    em_region(f, i + 1);
    LLVMBuildCondBr(f->b, yielded(f, f->close[i], 0), body, exit);
    for (unsigned c = 0; c < loop->nargs; c++) {
        LLVMValueRef next = yielded(f, f->close[i], c + 1);
        finish_phi(f, slot[c], next);
        slot[c] = next;
    }
    start_block(f, exit);
    return f->close[i];
}

unsigned em_yield_count(const em *f, uint32_t close) {
    const lp_inst *y = em_inst(f, close - 1);
    return y->op == LP_YIELD ? y->nargs : 0;
}

/* Do the instructions between two brackets only hand values on? */
static bool is_empty_region(const em *f, uint32_t open, uint32_t close) {
    return close - open == 1 || (close - open == 2 && em_inst(f, open + 1)->op == LP_YIELD);
}

/*     here --> yes ... --> after          an ELSE that only yields needs no block: its values come
 * from `here`
 *        \---> no  ... ------^ */
static uint32_t emit_if(em *f, uint32_t i) {
    uint32_t mid = f->close[i], end = em_inst(f, mid)->op == LP_ELSE ? f->close[mid] : mid;
    bool other = mid != end && !is_empty_region(f, mid, end);
    LLVMBasicBlockRef yes = em_block(f), no = other ? em_block(f) : NULL, after = em_block(f),
                      no_end = em_here(f);
    LLVMValueRef branch = LLVMBuildCondBr(f->b, em_arg(f, em_inst(f, i), 0), yes, no ? no : after);
    bool rare = em_is_apart(f, i + 1, mid);
    if (rare) LLVMSetMetadata(branch, f->u->md[EM_PROFILE], f->u->rare_md);
    start_block(f, yes);
    if (!rare || !em_apart(f, i + 1, mid)) em_region(f, i + 1);
    LLVMBasicBlockRef yes_end = em_here(f);
    LLVMBuildBr(f->b, after);
    if (no) {
        start_block(f, no);
        em_region(f, mid + 1);
        no_end = em_here(f);
        LLVMBuildBr(f->b, after);
    }
    start_block(f, after);
    unsigned n = mid != end ? em_yield_count(f, end) : 0;
    for (unsigned c = 0; c < n; c++)
        f->slots[i][c] = phi2(f, yielded(f, mid, c), yes_end, yielded(f, end, c), no_end);
    return end;
}

/* ---- instructions */

/* Hidden first arguments of a function: the frame, and scratch memory behind the caller's own. */
static void emit_call(em *f, const lp_inst *i) {
    LLVMValueRef fn = f->functions[i->imm], args[UINT8_MAX + 2];
    LLVMValueRef own = LLVMConstInt(em_int(f, 64, 1), (uint64_t)f->scratch_used, false);
    bz_assert(i->nargs <= UINT8_MAX);
    args[0] = f->frame;
    args[1] = LLVMBuildGEP2(f->b, f->u->mem[BZ_U8], f->scratch, &own, 1, "");
    for (unsigned n = 0; n < i->nargs; n++) args[n + 2] = em_arg(f, i, n);
    LLVMBuildCall2(f->b, LLVMGlobalGetValueType(fn), fn, args, i->nargs + 2u, "");
}

/* The lowest element wins: error[0] holds it, error[1] the code, an i64. */
static void report_if(em *f, LLVMValueRef cond, LLVMValueRef element, LLVMValueRef code) {
    LLVMBuilderRef b = f->b;
    LLVMTypeRef i64 = em_int(f, 64, 1);
    LLVMBasicBlockRef report = em_block(f), after = em_block(f);
    LLVMBuildCondBr(b, cond, report, after);
    start_block(f, report);
    LLVMValueRef offset = LLVMConstInt(i64, (uint64_t)EM_FRAME_FIELD(error), false),
                 one = LLVMConstInt(i64, 1, false);
    LLVMValueRef field = LLVMBuildInBoundsGEP2(b, f->u->mem[BZ_U8], f->frame, &offset, 1, "");
    LLVMValueRef first = LLVMBuildLoad2(b, f->u->ptr, field, "");
    LLVMValueRef second = LLVMBuildInBoundsGEP2(b, i64, first, &one, 1, "");
    LLVMValueRef old = LLVMBuildLoad2(b, i64, first, ""),
                 old_code = LLVMBuildLoad2(b, i64, second, "");
    LLVMValueRef lower = LLVMBuildICmp(b, LLVMIntSLT, element, old, "");
    LLVMBuildStore(b, LLVMBuildSelect(b, lower, element, old, ""), first);
    LLVMBuildStore(b, LLVMBuildSelect(b, lower, code, old_code, ""), second);
    LLVMBuildBr(b, after);
    start_block(f, after);
}

static void emit_error(em *f, const lp_inst *i) {
    report_if(f, em_arg(f, i, 0), em_arg(f, i, 1),
              LLVMConstInt(em_int(f, 64, 1), (uint64_t)i->imm, true));
}

/* int (*)(arguments ...) at an address that the launch hands over. */
static void emit_external(em *f, const lp_inst *i) {
    LLVMBuilderRef b = f->b;
    LLVMTypeRef types[UINT8_MAX], i32 = em_int(f, 32, 1), i64 = em_int(f, 64, 1);
    LLVMValueRef args[UINT8_MAX];
    const unsigned n = i->nargs - 2u;
    bz_assert(n <= UINT8_MAX);
    for (unsigned k = 0; k < n; k++) {
        args[k] = em_arg(f, i, k + 2);
        types[k] = LLVMTypeOf(args[k]);
    }
    LLVMTypeRef prototype = LLVMFunctionType(i32, types, n, false);
    LLVMValueRef fn = LLVMBuildIntToPtr(b, em_arg(f, i, 0), f->u->ptr, "");
    LLVMValueRef gave = LLVMBuildCall2(b, prototype, fn, args, n, "");
    LLVMValueRef bad = LLVMBuildICmp(b, LLVMIntNE, gave, LLVMConstInt(i32, 0, false), "");
    report_if(f, bad, em_arg(f, i, 1), LLVMBuildSExt(b, gave, i64, ""));
}

static LLVMValueRef emit_base(em *f, const lp_inst *i) {
    LLVMValueRef x[3] = {0};
    for (unsigned n = 0; n < i->nargs && n < 3; n++) x[n] = em_arg(f, i, n);
    const lp_inst *typed = em_arg_inst(f, i, i->op == IR_SELECT ? 1 : 0);
    return em_base(f, (ir_op)i->op, (bz_dtype)typed->dtype, (bz_dtype)i->dtype, i->lanes, x);
}

LLVMValueRef em_instruction(em *f, uint32_t n) {
    const lp_inst *i = em_inst(f, n);
    if (ir_op_is_base(i->op)) return emit_base(f, i);
    switch ((lp_op)i->op) {
    case LP_CONST: return em_const(f, (bz_dtype)i->dtype, (ir_bits)i->imm, i->lanes);
    case LP_BUFFER: return em_buffer(f, (uint32_t)i->imm);
    case LP_EXTENT: return em_extent(f, (uint32_t)i->imm);
    case LP_SCALAR: return em_scalar(f, (uint32_t)i->imm);
    case LP_TABLE: return em_table(f, i);
    case LP_CARRY:
    case LP_RESULT: return f->slots[lp_args(f->k, i)[0]][i->imm];
    case LP_CALL: emit_call(f, i); return NULL;
    case LP_ERROR: emit_error(f, i); return NULL;
    case LP_EXTERNAL: emit_external(f, i); return NULL;
    case LP_SPLAT:
    case LP_LANEID:
    case LP_EXTRACT:
    case LP_INSERT:
    case LP_SHUFFLE:
    case LP_ANY:
    case LP_ALL: return em_vector(f, i);
    case LP_NOP:
    case LP_YIELD:
    case LP_BARRIER:
    case LP_ASYNC_GROUP:
    case LP_ASYNC_WAIT: return NULL;
    default: return em_memory(f, n);
    }
}

uint32_t em_region(em *f, uint32_t i) {
    for (; i < f->k->inst.n; i++) {
        switch (em_inst(f, i)->op) {
        case LP_ELSE:
        case LP_END: return i;
        case LP_LOOP: i = emit_loop(f, i); break;
        case LP_WHILE: i = emit_while(f, i); break;
        case LP_IF: i = emit_if(f, i); break;
        default: f->v[i] = em_instruction(f, i);
        }
    }
    return i;
}
