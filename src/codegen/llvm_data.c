/* llvm_data.c - the data and entry functions of an exported unit.
 *
 * A data symbol with relocations is a packed struct of byte runs and pointers:
 *
 *     <{ [16 x i8] c"...", ptr @kernel.0, [8 x i8] c"...", ptr getelementptr (i8, ptr @table, i64 32) }>
 *
 * Symbols are declared first and filled afterwards, so that they may refer to each other. */
#include "src/codegen/llvm_emit.h"

#include <string.h>

static LLVMTypeRef bytes_type(const em_unit *u, size_t n) {
    return LLVMArrayType2(u->mem[BZ_U8], n);
}

/* The type of a data symbol; the relocations lie inside, in order and apart. */
static LLVMTypeRef data_type(const em_unit *u, const cg_data *d, LLVMTypeRef *parts) {
    size_t at = 0, n = 0;
    if (d->nrelocs == 0 || (d->flags & CG_ZERO)) return bytes_type(u, d->size);
    for (size_t r = 0; r < d->nrelocs; r++) {
        parts[n++] = bytes_type(u, d->relocs[r].offset - at);
        parts[n++] = u->ptr;
        at = d->relocs[r].offset + 8;
    }
    parts[n++] = bytes_type(u, d->size - at);
    return LLVMStructTypeInContext(u->ctx, parts, (unsigned)n, true);
}

static LLVMValueRef symbol(em_unit *u, const char *name) {
    LLVMValueRef v = LLVMGetNamedGlobal(u->mod, name);
    if (!v) v = LLVMGetNamedFunction(u->mod, name);
    return v ? v : LLVMAddGlobal(u->mod, u->mem[BZ_U8], name);
}

static LLVMValueRef bytes_value(const em_unit *u, const uint8_t *p, size_t n) {
    return LLVMConstStringInContext2(u->ctx, (const char *)p, n, true);
}

static LLVMValueRef data_value(em_unit *u, const cg_data *d, LLVMValueRef *parts) {
    const uint8_t *p = d->bytes;
    size_t at = 0, n = 0;
    if (d->flags & CG_ZERO) return LLVMConstNull(bytes_type(u, d->size));
    if (d->nrelocs == 0) return bytes_value(u, p, d->size);
    for (size_t r = 0; r < d->nrelocs; r++) {
        const cg_reloc *x = &d->relocs[r];
        LLVMValueRef addend = LLVMConstInt(u->elem[BZ_I64], (uint64_t)x->addend, false), to = symbol(u, x->symbol);
        parts[n++] = bytes_value(u, p + at, x->offset - at);
        parts[n++] = x->addend ? LLVMConstGEP2(u->mem[BZ_U8], to, &addend, 1) : to;
        at = x->offset + 8;
    }
    parts[n++] = bytes_value(u, p + at, d->size - at);
    return LLVMConstStructInContext(u->ctx, parts, (unsigned)n, true);
}

static bz_status check(const em_unit *u, const cg_data *d) {
    size_t at = 0;
    if (!d->name || (!d->bytes && d->size && !(d->flags & CG_ZERO))) return bz_fail(u->e, BZ_EARG, "[export] data without name or bytes");
    if (d->align & (d->align - 1)) return bz_fail(u->e, BZ_EARG, "[export] %s: alignment %u is no power of two", d->name, d->align);
    if ((d->flags & CG_ZERO) && d->nrelocs) return bz_fail(u->e, BZ_EARG, "[export] %s: zero data has no relocations", d->name);
    for (size_t r = 0; r < d->nrelocs; r++) {
        if (d->size < 8 || d->relocs[r].offset < at || d->relocs[r].offset > d->size - 8)
            return bz_fail(u->e, BZ_EARG, "[export] %s: relocation %zu at %zu outside or over another", d->name, r, d->relocs[r].offset);
        at = d->relocs[r].offset + 8;
    }
    return BZ_OK;
}

static bool taken(const em_unit *u, const char *name) {
    return LLVMGetNamedGlobal(u->mod, name) || LLVMGetNamedFunction(u->mod, name);
}

static bz_status declare(em_unit *u, const cg_data *d, LLVMTypeRef *parts) {
    bz_status s = check(u, d);
    if (s != BZ_OK) return s;
    if (taken(u, d->name)) return bz_fail(u->e, BZ_EARG, "[export] symbol %s is defined twice", d->name);
    LLVMValueRef g = LLVMAddGlobal(u->mod, data_type(u, d, parts), d->name);
    LLVMSetAlignment(g, d->align ? d->align : 8);
    LLVMSetGlobalConstant(g, !(d->flags & CG_WRITABLE));
    if (!(d->flags & CG_GLOBAL)) LLVMSetVisibility(g, LLVMHiddenVisibility);
    return BZ_OK;
}

enum { MAX_ENTRY_ARGS = 5 };

/* name(a1 ... an) { return callee(&data, a1 ... an); }  Pointers, integers and int results travel as i64. */
static bz_status add_entry(em_unit *u, const cg_entry *x) {
    LLVMTypeRef i64 = u->elem[BZ_I64], types[MAX_ENTRY_ARGS + 1] = {u->ptr, i64, i64, i64, i64, i64};
    LLVMValueRef args[MAX_ENTRY_ARGS + 1];
    if (x->nargs > MAX_ENTRY_ARGS) return bz_fail(u->e, BZ_EARG, "[export] %s: more than 5 arguments", x->name);
    if (taken(u, x->name)) return bz_fail(u->e, BZ_EARG, "[export] symbol %s is defined twice", x->name);
    LLVMTypeRef inner = LLVMFunctionType(i64, types, x->nargs + 1, false);
    LLVMValueRef fn = LLVMAddFunction(u->mod, x->name, LLVMFunctionType(i64, types + 1, x->nargs, false));
    unsigned nounwind = LLVMGetEnumAttributeKindForName("nounwind", 8);
    LLVMAddAttributeAtIndex(fn, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, LLVMCreateEnumAttribute(u->ctx, nounwind, 0));
    em_target_attributes(u->ctx, fn, CG_BASE);
    if (!(x->flags & CG_GLOBAL)) LLVMSetVisibility(fn, LLVMHiddenVisibility);
    LLVMBuilderRef b = LLVMCreateBuilderInContext(u->ctx);
    LLVMPositionBuilderAtEnd(b, LLVMAppendBasicBlockInContext(u->ctx, fn, ""));
    args[0] = symbol(u, x->data);
    for (unsigned n = 0; n < x->nargs; n++) args[n + 1] = LLVMGetParam(fn, n);
    LLVMValueRef call = LLVMBuildCall2(b, inner, symbol(u, x->callee), args, x->nargs + 1, "");
    LLVMSetTailCall(call, true);
    LLVMBuildRet(b, call);
    LLVMDisposeBuilder(b);
    return BZ_OK;
}

bz_status em_data(em_unit *u, const cg_export_unit *x) {
    size_t most = 0;
    for (size_t n = 0; n < x->ndata; n++) most = x->data[n].nrelocs > most ? x->data[n].nrelocs : most;
    void **parts = bz_mem_zero(2 * most + 1, sizeof *parts);
    bz_status s = parts ? BZ_OK : bz_fail(u->e, BZ_ENOMEM, "out of memory for exported data");
    for (size_t n = 0; s == BZ_OK && n < x->ndata; n++) s = declare(u, &x->data[n], (LLVMTypeRef *)parts);
    for (size_t n = 0; s == BZ_OK && n < x->nentries; n++) s = add_entry(u, &x->entries[n]);
    for (size_t n = 0; s == BZ_OK && n < x->ndata; n++)
        LLVMSetInitializer(LLVMGetNamedGlobal(u->mod, x->data[n].name), data_value(u, &x->data[n], (LLVMValueRef *)parts));
    bz_mem_free(parts);
    return s;
}
