/* llvm_plugin.c - the entry of libbraze-llvm.so. Each call has an LLVM context of its own and
 * leaves nothing behind. */
#include "src/codegen/llvm_emit.h"

#include <string.h>

#include <llvm-c/Analysis.h>
#include <llvm/Config/llvm-config.h>

/* ---- units */

static LLVMValueRef rare_branch(LLVMContextRef ctx, LLVMMetadataRef one) {
    static const char name[] = "branch_weights";
    LLVMValueRef often = LLVMConstInt(LLVMInt32TypeInContext(ctx), 2000, false);
    LLVMMetadataRef parts[] = {LLVMMDStringInContext2(ctx, name, sizeof name - 1), one,
                               LLVMValueAsMetadata(often)};
    return LLVMMetadataAsValue(ctx, LLVMMDNodeInContext2(ctx, parts, BZ_LEN(parts)));
}

static bool unit_init(em_unit *u, LLVMContextRef ctx, const char *name, bz_error *e) {
    static const char *const kinds[EM_NMD] = {"alias.scope", "noalias", "invariant.load",
                                              "nontemporal", "prof"};
    *u = (em_unit){
        .ctx = ctx, .e = e, .tables = bz_mem_zero(ir_vtable_count + 1, sizeof *u->tables)};
    if (!u->tables) return false;
    u->mod = LLVMModuleCreateWithNameInContext(name, ctx);
    u->ptr = LLVMPointerTypeInContext(ctx, 0);
    for (unsigned t = 0; t < BZ_NDTYPES; t++) {
        u->elem[t] = LLVMIntTypeInContext(ctx, ir_dtypes[t].bits);
        u->mem[t] = LLVMIntTypeInContext(ctx, 8u * ir_dtypes[t].bytes);
    }
    u->elem[BZ_F32] = u->mem[BZ_F32] = LLVMFloatTypeInContext(ctx);
    u->elem[BZ_F64] = u->mem[BZ_F64] = LLVMDoubleTypeInContext(ctx);
    for (unsigned m = 0; m < EM_NMD; m++)
        u->md[m] = LLVMGetMDKindIDInContext(ctx, kinds[m], (unsigned)strlen(kinds[m]));
    LLVMMetadataRef one = LLVMValueAsMetadata(LLVMConstInt(LLVMInt32TypeInContext(ctx), 1, false));
    u->empty_md = LLVMMetadataAsValue(ctx, LLVMMDNodeInContext2(ctx, NULL, 0));
    u->one_md = LLVMMetadataAsValue(ctx, LLVMMDNodeInContext2(ctx, &one, 1));
    u->rare_md = rare_branch(ctx, one);
    return true;
}

static void unit_free(em_unit *u) {
    if (u->mod) LLVMDisposeModule(u->mod);
    bz_mem_free(u->tables);
}

/* In debug builds the IR is checked: a fault in it is ours. */
static void check_ir(const em_unit *u) {
#if BZ_DEBUG
    char *message = NULL;
    if (LLVMVerifyModule(u->mod, LLVMReturnStatusAction, &message)) {
        char *text = LLVMPrintModuleToString(u->mod);
        bz_bug("the emitter wrote bad LLVM IR: %s\n%s", message, text);
    }
    LLVMDisposeMessage(message);
#else
    (void)u;
#endif
}

/* What is done with a finished module. */
typedef bz_status finish_fn(em_unit *u, const cg_target *t, void *out);

/* A context and module, `fill` writes it, `finish` makes something of it. */
static bz_status with_unit(const char *name, bz_error *e,
                           bz_status (*fill)(em_unit *u, const void *what), const void *what,
                           const cg_target *t, finish_fn *finish, void *out) {
    em_unit u;
    if (!em_target_ready(e)) return e ? e->status : BZ_ECOMPILE;
    LLVMContextRef ctx = LLVMContextCreate();
    bz_status s = BZ_OK;
    if (!unit_init(&u, ctx, name, e)) s = bz_fail(e, BZ_ENOMEM, "out of memory while compiling");
    if (s == BZ_OK) {
        LLVMSetTarget(u.mod, em_triple());
        LLVMSetDataLayout(u.mod, em_data_layout());
        s = fill(&u, what);
    }
    if (s == BZ_OK) check_ir(&u);
    if (s == BZ_OK) s = finish(&u, t, out);
    unit_free(&u);
    LLVMContextDispose(ctx);
    return s;
}

/* ---- one module, one ISA */

typedef struct kernel_job {
    const lp_module *m;
    const cg_target *t;
} kernel_job;

static bz_status fill_kernels(em_unit *u, const void *what) {
    const kernel_job *job = what;
    return em_module(u, job->m, job->t, false);
}

static bz_status finish_object(em_unit *u, const cg_target *t, void *out) {
    return em_output(u, t->isa, LLVMObjectFile, out);
}

static bz_status compile(const lp_module *m, const cg_target *t, cg_object *out, bz_error *e) {
    return with_unit("braze", e, fill_kernels, &(kernel_job){m, t}, t, finish_object, out);
}

/* ---- texts */

typedef struct texts {
    cg_object *llvm, *assembly;
} texts;

static bz_status finish_text(em_unit *u, const cg_target *t, void *out) {
    const texts *x = out;
    if (x->llvm) {
        char *text = LLVMPrintModuleToString(u->mod);
        size_t n = strlen(text);
        x->llvm->bytes = bz_mem_alloc(n + 1);
        if (x->llvm->bytes) {
            memcpy(x->llvm->bytes, text, n + 1);
            x->llvm->n = n;
        }
        LLVMDisposeMessage(text);
        if (!x->llvm->bytes) return bz_fail(u->e, BZ_ENOMEM, "out of memory for a text");
    }
    return x->assembly ? em_output(u, t->isa, LLVMAssemblyFile, x->assembly) : BZ_OK;
}

static bz_status text(const lp_module *m, const cg_target *t, cg_object *llvm, cg_object *assembly,
                      bz_error *e) {
    return with_unit("braze", e, fill_kernels, &(kernel_job){m, t}, t, finish_text,
                     &(texts){llvm, assembly});
}

/* ---- export */

static bz_status fill_export(em_unit *u, const void *what) {
    const cg_export_unit *x = what;
    bz_status s = BZ_OK;
    for (size_t n = 0; s == BZ_OK && n < x->nvariants; n++)
        s = em_module(u, x->variants[n].m, &x->variants[n].target, true);
    return s == BZ_OK ? em_data(u, x) : s;
}

static bz_status export(const cg_export_unit *x, cg_object *out, bz_error *e) {
    static const cg_target base = {.isa = CG_BASE}; /* functions carry their own */
    return with_unit(x->name, e, fill_export, x, &base, finish_object, out);
}

/* ---- the entry */

cg_plugin_entry braze_llvm_entry_v1;

__attribute__((visibility("default"))) const cg_plugin *braze_llvm_entry_v1(void) {
    static cg_plugin plugin = {
        .size = sizeof plugin,
        .abi = LP_ABI,
        .version = "llvm " LLVM_VERSION_STRING ", emitter " CG_EMITTER,
        .build = cg_build,
        .compile = compile,
        .text = text,
        .export = export,
        .release = bz_mem_free,
        .fail_after = bz_mem_fail_after,
    };
    plugin.stamp = cg_plugin_stamp();
    return &plugin;
}
