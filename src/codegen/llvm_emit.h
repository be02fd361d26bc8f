/* llvm_emit.h - what the files of the LLVM emitter share. Private to src/codegen/llvm_*.c.
 *
 *     llvm_plugin.c   entry points, one LLVM context per call
 *      +- llvm_emit.c     kernels, phases, functions
 *      |   +- llvm_emit_flow.c   regions           +- llvm_emit_mem.c     memory
 *      |   +- llvm_emit_apart.c  rare regions           |
 *      |   +- llvm_emit_ops.c    base ops          +- llvm_emit_lanes.c   vectors, masked memory
 *      |   +- llvm_emit_cast.c   conversions            lane by lane
 *      +- llvm_data.c     data and entries of an exported unit
 *      +- llvm_target.c   target machines, options, object and assembly text
 *
 * A value of dtype t with n lanes is an LLVM value of type em_type(t, n): bool is i1, f16 and bf16
 * are i16 (their bits; only conversions look inside). In memory bool is i8. */
#ifndef BRAZE_LLVM_EMIT_H
#define BRAZE_LLVM_EMIT_H

#include <llvm-c/Core.h>
#include <llvm-c/TargetMachine.h>

#include "src/codegen/plugin.h"
#include "src/ir/value.h"

enum { EM_MAX_LANES = 128 };

/* Metadata kinds, looked up once per context. */
enum em_md { EM_ALIAS_SCOPE, EM_NOALIAS, EM_INVARIANT, EM_NONTEMPORAL, EM_PROFILE, EM_NMD };

/* One compile call. */
typedef struct em_unit {
    LLVMContextRef ctx;
    LLVMModuleRef mod;
    LLVMTypeRef elem[BZ_NDTYPES], mem[BZ_NDTYPES], ptr; /* of values, in memory */
    unsigned md[EM_NMD];
    LLVMValueRef empty_md, one_md; /* !{} and !{i32 1} */
    LLVMValueRef rare_md;          /* of a branch that is hardly ever taken */
    LLVMValueRef *tables;          /* constant tables by number, made when first used */
    bz_error *e;
} em_unit;

/* A pointer's memory: which buffer or LOCAL it points into, for alias information. */
typedef struct em_root {
    LLVMValueRef scope, others; /* metadata lists: this root; all other roots */
    bool constant;              /* nothing writes it while the kernel runs */
} em_root;

/* A function made of a region, and what equal regions are known by. */
typedef struct em_shared {
    bz_text key;
    LLVMValueRef fn;
} em_shared;

/* One LLVM function: a phase of a kernel, or a function that kernels call. */
typedef struct em {
    em_unit *u;
    const lp_module *m;
    const lp_kernel *k;
    cg_isa isa;
    LLVMBuilderRef b;     /* where code goes */
    LLVMBuilderRef entry; /* the entry block: parameters and LOCAL arrays */
    LLVMValueRef fn, frame, scratch;
    LLVMValueRef *functions; /* of the module, by number; NULL for kernels */
    LLVMValueRef *v;         /* of each instruction */
    LLVMValueRef **slots;    /* of each opener: its carried values, after END its results */
    LLVMValueRef *buffers, *extents, *scalars;
    uint32_t *close; /* of each opener or ELSE: the ELSE or END that ends its region */
    uint32_t *root;  /* of each pointer: number of its root */
    em_root *roots;  /* buffers, then LOCALs */
    uint32_t nroots;
    int64_t *place;          /* of each SCRATCH array: its offset in the scratch memory */
    int64_t scratch_used;    /* bytes of all of them */
    bz_status status;        /* of what went wrong while writing */
    BZ_VEC(em_shared) apart; /* of the module */
    bool parts;              /* long regions are functions */
    bool streamed; /* a non-temporal store stands somewhere: the phase ends with a fence */
    bz_arena arena;
} em;

/* ---- types and constants */
LLVMTypeRef em_type(const em *f, bz_dtype t, unsigned lanes);
LLVMTypeRef em_mem_type(const em *f, bz_dtype t, unsigned lanes);
LLVMTypeRef em_int(const em *f, unsigned bits, unsigned lanes);
LLVMValueRef em_const(const em *f, bz_dtype t, ir_bits bits, unsigned lanes);
LLVMValueRef em_const_int(const em *f, unsigned bits, uint64_t v, unsigned lanes);
LLVMValueRef em_const_f64(const em *f, bz_dtype t, double v, unsigned lanes); /* t: F32 or F64 */
LLVMValueRef em_splat(em *f, LLVMValueRef x, unsigned lanes);
/* Calls an intrinsic whose name is overloaded on types[]. */
LLVMValueRef em_intrinsic(em *f, const char *name, LLVMTypeRef *types, unsigned ntypes,
                          LLVMValueRef *args, unsigned n);
LLVMValueRef em_unary(em *f, const char *intrinsic, LLVMValueRef x);
LLVMValueRef em_binary(em *f, const char *intrinsic, LLVMValueRef x, LLVMValueRef y);
LLVMBasicBlockRef em_block(em *f);
LLVMBasicBlockRef em_here(const em *f);

static inline const lp_inst *em_inst(const em *f, uint32_t i) {
    return &f->k->inst.p[i];
}
static inline LLVMValueRef em_arg(const em *f, const lp_inst *i, unsigned n) {
    return f->v[lp_args(f->k, i)[n]];
}
static inline const lp_inst *em_arg_inst(const em *f, const lp_inst *i, unsigned n) {
    return em_inst(f, lp_args(f->k, i)[n]);
}

/* ---- llvm_emit.c */
#define EM_FRAME_FIELD(name) (int64_t) offsetof(lp_frame, name)
/* A parameter, loaded in the entry block when first asked for. */
LLVMValueRef em_buffer(em *f, uint32_t n);
LLVMValueRef em_extent(em *f, uint32_t n);
LLVMValueRef em_scalar(em *f, uint32_t n);
/* All phases and functions of m. BZ_EUNSUPPORTED, BZ_ENOMEM */
bz_status em_module(em_unit *u, const lp_module *m, const cg_target *t, bool hidden);

void em_function_attributes(em *f); /* those that every function has */

/* ---- llvm_emit_apart.c */
/* Decides whether regions of f's kernel are to be functions. */
void em_apart_begin(em *f);
/* Is the region between two instructions to be one? */
bool em_is_apart(const em *f, uint32_t from, uint32_t to);
/* Writes it as a call of the function that equal regions share; false: nothing was written. */
bool em_apart(em *f, uint32_t from, uint32_t to);
void em_apart_free(em *f);

/* ---- llvm_emit_flow.c */
/* Emits from instruction i to the ELSE or END that closes its region, or the kernel's end; returns
 * where it stopped. */
uint32_t em_region(em *f, uint32_t i);
/* The loop at instruction i over lo .. hi; `surely`: it runs at least once. Returns its END. */
uint32_t em_loop_between(em *f, uint32_t i, LLVMValueRef lo, LLVMValueRef hi, bool surely);
LLVMValueRef em_instruction(em *f,
                            uint32_t i); /* one that opens no region; NULL when it has no value */
unsigned em_yield_count(const em *f,
                        uint32_t close); /* values that the region closed at `close` yields */

/* ---- llvm_emit_ops.c, llvm_emit_cast.c */
LLVMValueRef em_base(em *f, ir_op op, bz_dtype operand, bz_dtype result, unsigned lanes,
                     const LLVMValueRef *x);
LLVMValueRef em_cast(em *f, bz_dtype from, bz_dtype to, unsigned lanes, LLVMValueRef x);

/* ---- llvm_emit_mem.c */
LLVMValueRef em_address(em *f, bz_dtype t, LLVMValueRef p, LLVMValueRef index);
LLVMValueRef em_from_memory(em *f, bz_dtype t, LLVMValueRef x); /* i8 of a bool to i1 */
LLVMValueRef em_to_memory(em *f, bz_dtype t, unsigned lanes, LLVMValueRef x);
void em_mark(em *f, LLVMValueRef access, uint32_t pointer, unsigned flags); /* alias information */
LLVMValueRef em_stack(em *f, LLVMTypeRef type, uint64_t count);
/* One instruction that touches memory; NULL for those without value. */
LLVMValueRef em_memory(em *f, uint32_t i);
LLVMValueRef em_table(em *f, const lp_inst *i);

/* ---- llvm_emit_lanes.c */
LLVMValueRef em_lanes(
    em *f,
    uint32_t i); /* LOAD STORE GATHER SCATTER COMPRESS with a mask, a loop over its set lanes */
LLVMValueRef em_vector(em *f, const lp_inst *i); /* SPLAT ... ALL */

/* ---- llvm_data.c */
bz_status em_data(em_unit *u, const cg_export_unit *x);

/* ---- llvm_target.c */
void em_target_attributes(LLVMContextRef ctx, LLVMValueRef fn, cg_isa isa);
/* The finished module as an object or as assembly text. BZ_ECOMPILE with LLVM's message. */
bz_status em_output(em_unit *u, cg_isa isa, LLVMCodeGenFileType kind,
                    cg_object *out);
/* Sets LLVM's process-wide options and registers the target; once, whoever comes first. */
bool em_target_ready(bz_error *e);
const char *em_triple(void);
const char *em_data_layout(void);

#endif
