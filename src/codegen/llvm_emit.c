/* llvm_emit.c - kernels to LLVM functions: types, parameters, phases, functions.
 *
 *     kernel k                       i32 @k.0(frame, begin, end)     i32 @k.1(frame, begin, end)
 *       pure values                    entry: parameters, arrays       entry: ...
 *       parallel loop 0        -->     pure values                     pure values
 *       parallel loop 1                loop begin .. end               loop begin .. end
 *
 * SSA goes over as it is. No IR pass runs behind the emitter, so it writes what the code generator
 * should see. */
#include "src/codegen/llvm_emit.h"

#include <string.h>

/* ---- types and constants */

static LLVMTypeRef vector_of(LLVMTypeRef t, unsigned lanes) {
    return lanes > 1 ? LLVMVectorType(t, lanes) : t;
}

LLVMTypeRef em_type(const em *f, bz_dtype t, unsigned lanes) {
    return vector_of(f->u->elem[t], lanes);
}

LLVMTypeRef em_mem_type(const em *f, bz_dtype t, unsigned lanes) {
    return vector_of(f->u->mem[t], lanes);
}

LLVMTypeRef em_int(const em *f, unsigned bits, unsigned lanes) {
    return vector_of(LLVMIntTypeInContext(f->u->ctx, bits), lanes);
}

LLVMValueRef em_splat(em *f, LLVMValueRef x, unsigned lanes) {
    if (lanes <= 1) return x;
    LLVMTypeRef type = LLVMVectorType(LLVMTypeOf(x), lanes);
    LLVMTypeRef i32 = em_int(f, 32, 1);
    LLVMValueRef one =
        LLVMBuildInsertElement(f->b, LLVMGetPoison(type), x, LLVMConstInt(i32, 0, false), "");
    return LLVMBuildShuffleVector(f->b, one, LLVMGetPoison(type),
                                  LLVMConstNull(LLVMVectorType(i32, lanes)), "");
}

static LLVMValueRef const_splat(LLVMValueRef x, unsigned lanes) {
    LLVMValueRef all[EM_MAX_LANES];
    if (lanes <= 1) return x;
    bz_assert(lanes <= EM_MAX_LANES);
    for (unsigned i = 0; i < lanes; i++) all[i] = x;
    return LLVMConstVector(all, lanes);
}

LLVMValueRef em_const_int(const em *f, unsigned bits, uint64_t v, unsigned lanes) {
    return const_splat(LLVMConstInt(em_int(f, bits, 1), v, false), lanes);
}

LLVMValueRef em_const(const em *f, bz_dtype t, ir_bits bits, unsigned lanes) {
    LLVMValueRef x = LLVMConstInt(em_int(f, ir_dtypes[t].bits, 1), bits, false);
    bool bits_only = !ir_is_float(t) || ir_is_half(t);
    return const_splat(bits_only ? x : LLVMConstBitCast(x, f->u->elem[t]), lanes);
}

LLVMValueRef em_const_f64(const em *f, bz_dtype t, double v, unsigned lanes) {
    return em_const(f, t, ir_bits_from_f64(t, v), lanes);
}

LLVMValueRef em_intrinsic(em *f, const char *name, LLVMTypeRef *types, unsigned ntypes,
                          LLVMValueRef *args, unsigned n) {
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    bz_assert(id != 0);
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(f->u->mod, id, types, ntypes);
    return LLVMBuildCall2(f->b, LLVMIntrinsicGetType(f->u->ctx, id, types, ntypes), fn, args, n,
                          "");
}

LLVMValueRef em_unary(em *f, const char *intrinsic, LLVMValueRef x) {
    LLVMTypeRef type = LLVMTypeOf(x);
    return em_intrinsic(f, intrinsic, &type, 1, &x, 1);
}

LLVMValueRef em_binary(em *f, const char *intrinsic, LLVMValueRef x, LLVMValueRef y) {
    LLVMTypeRef type = LLVMTypeOf(x);
    return em_intrinsic(f, intrinsic, &type, 1, (LLVMValueRef[]){x, y}, 2);
}

LLVMBasicBlockRef em_block(em *f) {
    return LLVMAppendBasicBlockInContext(f->u->ctx, f->fn, "");
}

LLVMBasicBlockRef em_here(const em *f) {
    return LLVMGetInsertBlock(f->b);
}

/* ---- parameters: loaded once, in the entry block */

static LLVMValueRef load_constant(em *f, LLVMTypeRef type, LLVMValueRef p, int64_t offset) {
    LLVMValueRef at = LLVMConstInt(em_int(f, 64, 1), (uint64_t)offset, false);
    if (offset) p = LLVMBuildInBoundsGEP2(f->entry, f->u->mem[BZ_U8], p, &at, 1, "");
    LLVMValueRef v = LLVMBuildLoad2(f->entry, type, p, "");
    LLVMSetMetadata(v, f->u->md[EM_INVARIANT], f->u->empty_md);
    return v;
}

LLVMValueRef em_buffer(em *f, uint32_t n) {
    if (!f->buffers[n]) {
        LLVMValueRef table = load_constant(f, f->u->ptr, f->frame, EM_FRAME_FIELD(buffers));
        f->buffers[n] = load_constant(f, f->u->ptr, table, (int64_t)(n * sizeof(void *)));
    }
    return f->buffers[n];
}

LLVMValueRef em_extent(em *f, uint32_t n) {
    if (!f->extents[n]) {
        LLVMValueRef table = load_constant(f, f->u->ptr, f->frame, EM_FRAME_FIELD(extents));
        f->extents[n] = load_constant(f, f->u->elem[BZ_I64], table, (int64_t)(n * sizeof(int64_t)));
    }
    return f->extents[n];
}

LLVMValueRef em_scalar(em *f, uint32_t n) {
    if (!f->scalars[n]) {
        bz_dtype t = f->k->scalars.p[n].dtype;
        LLVMValueRef table = load_constant(f, f->u->ptr, f->frame, EM_FRAME_FIELD(scalars));
        LLVMValueRef p = load_constant(f, f->u->ptr, table, (int64_t)(n * sizeof(void *)));
        LLVMValueRef v = load_constant(f, f->u->mem[t], p, 0);
        if (t == BZ_BOOL)
            v = LLVMBuildICmp(f->entry, LLVMIntNE, v, LLVMConstNull(f->u->mem[t]), "");
        f->scalars[n] = v;
    }
    return f->scalars[n];
}

/* ---- functions */

static void *zeroes(em *f, size_t count, size_t size) {
    void *p = bz_arena_alloc(&f->arena, (count + 1) * size);
    if (p) memset(p, 0, (count + 1) * size);
    return p;
}

/* Brackets matched, one slot for every value that an opener carries or yields. */
static bool match_regions(em *f) {
    uint32_t n = f->k->inst.n, *open = zeroes(f, n, sizeof *open), depth = 0;
    if (!open) return false;
    for (uint32_t i = 0; i < n; i++) {
        const lp_inst *x = em_inst(f, i);
        if (x->op == LP_ELSE || x->op == LP_END) f->close[open[--depth]] = i;
        if (x->op == LP_LOOP || x->op == LP_WHILE || x->op == LP_IF || x->op == LP_ELSE)
            open[depth++] = i;
    }
    for (uint32_t i = 0; i < n; i++) {
        const lp_inst *x = em_inst(f, i);
        if (x->op != LP_LOOP && x->op != LP_WHILE && x->op != LP_IF) continue;
        f->slots[i] = zeroes(f, x->op == LP_IF ? em_yield_count(f, f->close[i]) : x->nargs,
                             sizeof(LLVMValueRef));
        if (!f->slots[i]) return false;
    }
    return true;
}

/* Which buffer or LOCAL each pointer leads to. SCRATCH arrays get their places here, so that every
 * phase sees the same ones. */
static void find_roots(em *f) {
    f->nroots = f->k->buffers.n;
    f->scratch_used = 0;
    for (uint32_t i = 0; i < f->k->inst.n; i++) {
        const lp_inst *x = em_inst(f, i);
        if (x->op == LP_BUFFER) f->root[i] = (uint32_t)x->imm;
        if (x->op == LP_LOCAL) f->root[i] = f->nroots++;
        if (x->op == LP_LOCAL && (x->flags & 15) == LP_SCRATCH) {
            f->place[i] = f->scratch_used;
            f->scratch_used +=
                (x->imm * (int64_t)ir_dtype_bytes((bz_dtype)x->dtype) + 63) / 64 * 64;
        }
        if (x->op == LP_OFFSET) f->root[i] = f->root[lp_args(f->k, x)[0]];
    }
}

enum { MAX_SCOPES = 48 }; /* the lists are quadratic in the roots */

/* A scope per root; each access names its own and, as not aliased, the others. */
static bool make_scopes(em *f) {
    LLVMContextRef ctx = f->u->ctx;
    f->roots = zeroes(f, f->nroots, sizeof *f->roots);
    if (!f->roots) return false;
    for (uint32_t i = 0; i < f->k->buffers.n; i++)
        f->roots[i].constant = !f->k->function && f->k->buffers.p[i].access == LP_IN;
    if (f->nroots > MAX_SCOPES || f->nroots < 2) return true;
    LLVMMetadataRef scope[MAX_SCOPES], others[MAX_SCOPES];
    size_t length;
    const char *name = LLVMGetValueName2(f->fn, &length);
    LLVMMetadataRef label = LLVMMDStringInContext2(ctx, name, length),
                    domain = LLVMMDNodeInContext2(ctx, &label, 1);
    for (uint32_t i = 0; i < f->nroots; i++) {
        char digit = (char)('0' + i); /* a name of one character, different for each */
        LLVMMetadataRef number = LLVMMDStringInContext2(ctx, &digit, 1);
        scope[i] = LLVMMDNodeInContext2(ctx, (LLVMMetadataRef[]){number, domain}, 2);
    }
    for (uint32_t i = 0; i < f->nroots; i++) {
        uint32_t n = 0;
        for (uint32_t j = 0; j < f->nroots; j++)
            if (j != i) others[n++] = scope[j];
        f->roots[i].scope = LLVMMetadataAsValue(ctx, LLVMMDNodeInContext2(ctx, &scope[i], 1));
        f->roots[i].others = LLVMMetadataAsValue(ctx, LLVMMDNodeInContext2(ctx, others, n));
    }
    return true;
}

/* Starts function fn: arrays for the values of the kernel, an entry block, and the block behind it.
 * */
static bool function_begin(em *f) {
    uint32_t n = f->k->inst.n;
    bz_arena_reset(&f->arena);
    f->v = zeroes(f, n, sizeof *f->v);
    f->slots = zeroes(f, n, sizeof *f->slots);
    f->close = zeroes(f, n, sizeof *f->close);
    f->root = zeroes(f, n, sizeof *f->root);
    f->place = zeroes(f, n, sizeof *f->place);
    f->buffers = zeroes(f, f->k->buffers.n, sizeof *f->buffers);
    f->extents = zeroes(f, f->k->extents.n, sizeof *f->extents);
    f->scalars = zeroes(f, f->k->scalars.n, sizeof *f->scalars);
    bool ok = f->v && f->slots && f->close && f->root && f->place && f->buffers && f->extents &&
              f->scalars && match_regions(f);
    if (!ok) return false;
    f->streamed = false;
    em_apart_begin(f);
    find_roots(f);
    LLVMPositionBuilderAtEnd(f->entry, em_block(f));
    LLVMPositionBuilderAtEnd(f->b, em_block(f));
    return make_scopes(f);
}

static void function_end(em *f) {
    if (f->streamed) em_intrinsic(f, "llvm.x86.sse.sfence", NULL, 0, NULL, 0);
    if (f->k->function)
        LLVMBuildRetVoid(f->b);
    else
        LLVMBuildRet(f->b, LLVMConstInt(em_int(f, 32, 1), 0, false));
    LLVMBuildBr(f->entry, LLVMGetNextBasicBlock(LLVMGetEntryBasicBlock(f->fn)));
}

/* The instructions at top level that the phase starting at `loop` needs, marked in need[]. */
static void mark_needed(em *f, uint32_t loop, bool *need) {
    for (uint32_t i = f->close[loop]; i > 0; i--) {
        const lp_inst *x = em_inst(f, i);
        if (i < loop && !need[i]) continue;
        for (unsigned a = 0; a < x->nargs; a++) need[lp_args(f->k, x)[a]] = true;
    }
}

/* Values that stand at top level before `loop` and that it needs; phases before it are left out. */
static void emit_top_level(em *f, uint32_t loop, const bool *need) {
    for (uint32_t i = 1; i < loop; i++) {
        const lp_inst *x = em_inst(f, i);
        if (x->op == LP_LOOP)
            i = f->close[i];
        else if (need[i])
            f->v[i] = em_instruction(f, i);
    }
}

static void add_attribute(em *f, unsigned where, const char *name) {
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    LLVMAddAttributeAtIndex(f->fn, where, LLVMCreateEnumAttribute(f->u->ctx, kind, 0));
}

void em_function_attributes(em *f) {
    add_attribute(f, (unsigned)LLVMAttributeFunctionIndex, "nounwind");
    em_target_attributes(f->u->ctx, f->fn, f->isa);
}

static void set_attributes(em *f, unsigned frame_arg) {
    em_function_attributes(f);
    add_attribute(f, frame_arg, "noalias");
}

/* A new function PREFIX<name>SUFFIX in f->fn; false when the name is taken or memory runs out. */
static bool add_function(em *f, const cg_target *t, const char *name, LLVMTypeRef type) {
    bz_text symbol = {0};
    bz_textf(&symbol, "%s%s%s", t->prefix ? t->prefix : "", name, t->suffix ? t->suffix : "");
    bool taken = !symbol.failed && LLVMGetNamedFunction(f->u->mod, symbol.p);
    if (taken) f->status = bz_fail(f->u->e, BZ_EARG, "symbol %s is defined twice", symbol.p);
    if (!symbol.failed && !taken) f->fn = LLVMAddFunction(f->u->mod, symbol.p, type);
    bool ok = !symbol.failed && !taken;
    bz_text_free(&symbol);
    return ok;
}

static bool add_phase(em *f, const cg_target *t, unsigned number, bool hidden) {
    LLVMTypeRef i64 = em_int(f, 64, 1), args[3] = {f->u->ptr, i64, i64};
    bz_text name = {0};
    bz_textf(&name, "%s.%u", f->k->name, number);
    LLVMTypeRef type = LLVMFunctionType(em_int(f, 32, 1), args, 3, false);
    bool ok = !name.failed && add_function(f, t, name.p, type);
    bz_text_free(&name);
    if (ok && hidden) LLVMSetVisibility(f->fn, LLVMHiddenVisibility);
    return ok;
}

static bool emit_phase(em *f, uint32_t loop, unsigned number, const cg_target *t, bool hidden) {
    if (!add_phase(f, t, number, hidden) || !function_begin(f)) return false;
    set_attributes(f, 1);
    f->frame = LLVMGetParam(f->fn, 0);
    f->scratch = load_constant(f, f->u->ptr, f->frame, EM_FRAME_FIELD(scratch));
    bool *need = zeroes(f, f->k->inst.n, sizeof *need);
    if (!need) return false;
    mark_needed(f, loop, need);
    emit_top_level(f, loop, need);
    em_loop_between(f, loop, LLVMGetParam(f->fn, 1), LLVMGetParam(f->fn, 2), false);
    function_end(f);
    return true;
}

static bool emit_phases(em *f, const cg_target *t, bool hidden) {
    unsigned number = 0;
    for (uint32_t i = 1, depth = 0; i < f->k->inst.n; i++) {
        unsigned op = em_inst(f, i)->op;
        if (op == LP_LOOP && depth == 0 && !emit_phase(f, i, number++, t, hidden)) return false;
        depth += op == LP_LOOP || op == LP_WHILE || op == LP_IF;
        depth -= op == LP_END;
    }
    return true;
}

/* A function's signature: frame, scratch, then buffers, extents and scalars by value. */
static bool declare_function(em *f, const cg_target *t) {
    const lp_kernel *k = f->k;
    LLVMTypeRef args[UINT8_MAX + 2];
    unsigned n = 0;
    args[n++] = f->u->ptr;
    args[n++] = f->u->ptr;
    for (uint32_t i = 0; i < k->buffers.n; i++) args[n++] = f->u->ptr;
    for (uint32_t i = 0; i < k->extents.n; i++) args[n++] = f->u->elem[BZ_I64];
    for (uint32_t i = 0; i < k->scalars.n; i++) args[n++] = f->u->elem[k->scalars.p[i].dtype];
    return add_function(f, t, k->name,
                        LLVMFunctionType(LLVMVoidTypeInContext(f->u->ctx), args, n, false));
}

static bool emit_function(em *f, const cg_target *t) {
    if (!declare_function(f, t) || !function_begin(f)) return false;
    LLVMSetLinkage(f->fn, LLVMInternalLinkage);
    set_attributes(f, 1);
    add_attribute(f, (unsigned)LLVMAttributeFunctionIndex, "noinline");
    unsigned n = 0;
    f->frame = LLVMGetParam(f->fn, n++);
    f->scratch = LLVMGetParam(f->fn, n++);
    for (uint32_t i = 0; i < f->k->buffers.n; i++) f->buffers[i] = LLVMGetParam(f->fn, n++);
    for (uint32_t i = 0; i < f->k->extents.n; i++) f->extents[i] = LLVMGetParam(f->fn, n++);
    for (uint32_t i = 0; i < f->k->scalars.n; i++) f->scalars[i] = LLVMGetParam(f->fn, n++);
    em_region(f, 1);
    function_end(f);
    return true;
}

/* ---- modules */

/* What has no form on a CPU, by name, or NULL. */
static const char *unsupported(const lp_kernel *k, const lp_inst *i) {
    switch (i->op) {
    case LP_MMA: return "mma";
    case LP_LDMATRIX: return "ldmatrix";
    case LP_ASYNC_COPY: return i->nargs > 4 ? "a copy on a condition" : NULL;
    case LP_WARP_SHUFFLE: return "warp_shuffle";
    case LP_LOCAL: return (i->flags & 15) == LP_SHARED ? "shared memory" : NULL;
    case LP_ATOMIC: return k->inst.p[lp_args(k, i)[2]].lanes > 1 ? "an atomic on a vector" : NULL;
    case LP_EXTERNAL:
    case LP_CALL: return i->nargs > UINT8_MAX ? "a call with more than 255 arguments" : NULL;
    case LP_LOOP: break;
    default: return NULL;
    }
    static const char *const kinds[] = {NULL,           NULL,          NULL,         "a grid loop",
                                        "a block loop", "a warp loop", "a lane loop"};
    return (i->flags & 15) < BZ_LEN(kinds) ? kinds[i->flags & 15] : "a loop of unknown kind";
}

static bz_status check(const lp_module *m, bz_error *e) {
    for (uint32_t n = 0; n < m->k.n; n++) {
        const lp_kernel *k = m->k.p[n];
        if (k->failed)
            return bz_fail(e, BZ_ENOMEM, "kernel %s: memory ran out while it was built", k->name);
        for (uint32_t i = 1; i < k->inst.n; i++) {
            const char *what = unsupported(k, &k->inst.p[i]);
            if (k->inst.p[i].lanes > EM_MAX_LANES) what = "a vector of so many lanes";
            if (what)
                return bz_fail(e, BZ_EUNSUPPORTED, "kernel %s, %%%u: %s has no form on a CPU",
                               k->name, i, what);
        }
    }
    return BZ_OK;
}

bz_status em_module(em_unit *u, const lp_module *m, const cg_target *t, bool hidden) {
    bz_status s = check(m, u->e);
    if (s != BZ_OK) return s;
    em f = {.u = u, .m = m, .isa = t->isa};
    f.b = LLVMCreateBuilderInContext(u->ctx);
    f.entry = LLVMCreateBuilderInContext(u->ctx);
    f.functions = bz_mem_zero(m->k.n + 1, sizeof *f.functions);
    bool ok = f.functions != NULL;
    for (uint32_t i = 0; ok && i < m->k.n; i++) {
        f.k = m->k.p[i];
        ok = f.k->function ? emit_function(&f, t) : emit_phases(&f, t, hidden);
        f.functions[i] = f.fn;
    }
    LLVMDisposeBuilder(f.entry);
    LLVMDisposeBuilder(f.b);
    bz_mem_free(f.functions);
    bz_arena_free(&f.arena);
    em_apart_free(&f);
    if (f.status != BZ_OK) return f.status;
    return ok ? BZ_OK : bz_fail(u->e, BZ_ENOMEM, "out of memory while compiling");
}
