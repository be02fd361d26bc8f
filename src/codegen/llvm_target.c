/* llvm_target.c - what concerns the machine: LLVM's options, target machines, and the way from a
 * module to an object.
 *
 * LLVM ends the process on what it calls fatal errors. They are caught here: its handler jumps back
 * into em_output, which reports them like any other error. What LLVM had allocated at that moment
 * is lost. */
#include "src/codegen/llvm_emit.h"

#include <llvm-c/ErrorHandling.h>
#include <llvm-c/Support.h>
#include <llvm-c/Target.h>
#include <pthread.h>
#include <setjmp.h>
#include <string.h>

const char *em_triple(void) {
    return "x86_64-unknown-linux-gnu";
}

const char *em_data_layout(void) {
    return "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-i128:128-f80:128-n8:16:32:64-S128";
}

/* ---- once */

static _Thread_local struct {
    jmp_buf back;
    bool armed;
    char text[256];
} trap;

static void on_fatal_error(const char *reason) {
    if (!trap.armed) return;
    trap.armed = false;
    strncpy(trap.text, reason, sizeof trap.text - 1);
    longjmp(trap.back, 1);
}

/* Kernels come with hoisting, address arithmetic and block order as they should be: the passes that
 * look for them cost a third of the compile time and give 3 % on pointwise kernels, nothing on
 * matrix kernels. */
static const char *const options[] = {
    "braze",
    "-disable-lsr",
    "-disable-cgp",
    "-disable-machine-licm",
    "-disable-machine-cse",
    "-disable-block-placement",
    "-disable-early-ifcvt",
    "-disable-branch-fold",
    "-disable-machine-sink",
    "-disable-post-ra",
};

static LLVMTargetRef target;

static void start(void) {
    LLVMParseCommandLineOptions((int)BZ_LEN(options), options, NULL);
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInstallFatalErrorHandler(on_fatal_error);
    char *message = NULL;
    if (LLVMGetTargetFromTriple(em_triple(), &target, &message)) target = NULL;
    LLVMDisposeMessage(message);
}

bool em_target_ready(bz_error *e) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start);
    if (!target) bz_fail(e, BZ_ECOMPILE, "this LLVM has no x86-64 target");
    return target != NULL;
}

/* ---- machines */

static const char *const cpu_names[CG_NISAS] = {
#define NAME(e, name, bytes) name,
    CG_ISAS(NAME)
#undef NAME
};

/* Instruction costs to schedule for: those of a machine that has just this ISA or is common among
 * them. */
static const char *const tunings[CG_NISAS] = {"x86-64", "x86-64-v3", "znver4"};

static void add(LLVMContextRef ctx, LLVMValueRef fn, const char *key, const char *value) {
    LLVMAttributeRef a =
        LLVMCreateStringAttribute(ctx, key, (unsigned)strlen(key), value, (unsigned)strlen(value));
    LLVMAddAttributeAtIndex(fn, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, a);
}

void em_target_attributes(LLVMContextRef ctx, LLVMValueRef fn, cg_isa isa) {
    static const char *const widths[CG_NISAS] = {"128", "256", "512"};
    add(ctx, fn, "target-cpu", cpu_names[isa]);
    add(ctx, fn, "tune-cpu", tunings[isa]);
    add(ctx, fn, "prefer-vector-width", widths[isa]);
}

static LLVMTargetMachineRef machine(cg_isa isa) {
    return LLVMCreateTargetMachine(target, em_triple(), cpu_names[isa], "", LLVMCodeGenLevelDefault,
                                   LLVMRelocPIC, LLVMCodeModelSmall);
}

/* ---- output */

static void on_diagnostic(LLVMDiagnosticInfoRef info, void *e) {
    if (LLVMGetDiagInfoSeverity(info) != LLVMDSError) return;
    char *text = LLVMGetDiagInfoDescription(info);
    bz_fail(e, BZ_ECOMPILE, "LLVM: %s", text);
    LLVMDisposeMessage(text);
}

static bool copy_out(LLVMMemoryBufferRef buffer, cg_object *out) {
    size_t n = LLVMGetBufferSize(buffer);
    out->bytes = bz_mem_alloc(n + 1);
    if (!out->bytes) return false;
    memcpy(out->bytes, LLVMGetBufferStart(buffer), n);
    out->bytes[n] = 0;
    out->n = n;
    return true;
}

static bz_status emit(em_unit *u, LLVMTargetMachineRef tm, LLVMCodeGenFileType kind,
                      cg_object *out) {
    bz_error mine = {0};
    char *message = NULL;
    LLVMMemoryBufferRef buffer = NULL;
    LLVMContextSetDiagnosticHandler(u->ctx, on_diagnostic, &mine);
    if (setjmp(trap.back) != 0) return bz_fail(u->e, BZ_ECOMPILE, "LLVM: %s", trap.text);
    trap.armed = true;
    bool bad = LLVMTargetMachineEmitToMemoryBuffer(tm, u->mod, kind, &message, &buffer);
    trap.armed = false;
    if (bad) bz_fail(&mine, BZ_ECOMPILE, "LLVM: %s", message ? message : "no code");
    if (bad) LLVMDisposeMessage(message);
    if (!bad && mine.status == BZ_OK && !copy_out(buffer, out))
        bz_fail(&mine, BZ_ENOMEM, "out of memory for compiled code");
    if (buffer) LLVMDisposeMemoryBuffer(buffer);
    return mine.status == BZ_OK ? BZ_OK : bz_fail(u->e, mine.status, "%s", mine.text);
}

bz_status em_output(em_unit *u, cg_isa isa, LLVMCodeGenFileType kind, cg_object *out) {
    LLVMTargetMachineRef tm = machine(isa);
    if (!tm)
        return bz_fail(u->e, BZ_ECOMPILE, "LLVM makes no target machine for %s", cpu_names[isa]);
    bz_status s = emit(u, tm, kind, out);
    LLVMDisposeTargetMachine(tm);
    return s;
}
