/* loop.h - the kernel loops: the small IR that both targets compile.
 *
 *     tensor graph --lower--> lp_kernel --llvm_emit--> x86-64        (--cuda_emit--> CUDA C)
 *                                 |---- lp_run (the interpreter: the definition)
 *
 * A kernel is one flat array of instructions; a value is the index of the instruction that makes it (SSA). Regions are
 * bracketed: LOOP/WHILE/IF open one, YIELD hands values on, END closes it; RESULT k of the opener reads what came out.
 *
 *     %l = loop serial 0, %n step 16 (%zero)      opener; its value is the index (i64)
 *       %c = carry %l 0                           value carried round the loop
 *       ...
 *       yield %next
 *     end
 *     %r = result %l 0
 *
 * The top level holds pure values, local arrays and PARALLEL loops. Each PARALLEL loop is a *phase*: its iterations are tasks that
 * the runtime hands to threads as ranges [begin, end), with a barrier between phases. Top-level values are recomputed in each phase.
 * On a GPU the tasks are the grid.
 *
 * Types: a scalar or vector (lanes) of a dtype; bool lanes are masks; a pointer to elements of a dtype. Index values are i64.
 * bool in memory is one byte, 0 or 1. f16/bf16 values can only be loaded, stored, moved, selected, bit-cast and cast. */
#ifndef BRAZE_LOOP_H
#define BRAZE_LOOP_H

#include "src/ir/ops.h"

typedef uint32_t lp_val; /* index of an instruction; 0 (always LP_NOP) = none */

/* X(ENUM, name, result, text of operands and immediates) ; result: V value, P pointer, N none */
#define LP_OPS(X)                                                                                  \
    X(NOP, nop, N, "")                                                                             \
    /* values */                                                                                   \
    X(CONST, const, V, "imm: bits")                                                                \
    X(EXTENT, extent, V, "imm: number of a run-time extent, i64")                                  \
    X(SCALAR, scalar, V, "imm: number of a run-time scalar argument")                              \
    X(TABLE, table, V,                                                                             \
      "index (i32 or i64, any lanes); imm: number of a constant table (value.h); index is in "     \
      "range")                                                                                     \
    X(SPLAT, splat, V, "scalar x in every lane")                                                   \
    X(LANEID, laneid, V, "0, 1 ... lanes-1 (i32 or i64)")                                          \
    X(EXTRACT, extract, V, "lane imm of vector x")                                                 \
    X(INSERT, insert, V, "vector x with lane imm replaced by scalar y")                            \
    X(SHUFFLE, shuffle, V,                                                                         \
      "lanes of x then y picked by numbers; extra list: lane numbers, as many as the result has "  \
      "lanes")                                                                                     \
    X(ANY, any, V, "scalar bool: some lane of mask x is set")                                      \
    X(ALL, all, V, "scalar bool: every lane of mask x is set")                                     \
    /* memory */                                                                                   \
    X(BUFFER, buffer, P, "imm: number of a buffer parameter")                                      \
    X(LOCAL, local, P,                                                                             \
      "imm: elements; flags: lp_scope. Uninitialised, 64-byte aligned, one per thread (SHARED: "   \
      "one per block)")                                                                            \
    X(OFFSET, offset, P, "pointer p moved by i elements")                                          \
    X(IS_ALIGNED, is_aligned, V,                                                                   \
      "scalar bool: the address of p[i] is a multiple of imm bytes, a power of two")               \
    X(LOAD, load, V,                                                                               \
      "p[i], or lanes p[i .. i+lanes-1]; optional mask: lanes not set are not read and give 0")    \
    X(STORE, store, N, "p[i ..] = v; optional mask")                                               \
    X(GATHER, gather, V, "p[index of each lane]; optional mask")                                   \
    X(SCATTER, scatter, N,                                                                         \
      "p[index of each lane] = v; optional mask; of equal indices the highest lane wins")          \
    X(COMPRESS, compress, N, "lanes of v set in the mask stored one after the other from p[i]")    \
    X(ATOMIC, atomic, N,                                                                           \
      "p[i] = op(p[i], v) without interference; imm: ir_op, integer dtypes or max/min")            \
    X(PREFETCH, prefetch, N, "hint: p[i] soon; imm: 0 read, 1 write")                              \
    X(ASYNC_COPY, async_copy, N,                                                                   \
      "q[j ..] = p[i ..], imm elements, done at the latest after async_wait (q, j, p, i); "        \
      "optional scalar bool: where it is false p is not read, and zeros come")                     \
    X(ASYNC_WAIT, async_wait, N,                                                                   \
      "this thread's async copies have landed, but for those of its newest imm groups")            \
    /* control */                                                                                  \
    X(LOOP, loop, V,                                                                               \
      "lo, hi, initial values ...; imm: step > 0; flags: lp_loop_kind. Value: the index")          \
    X(WHILE, while, N,                                                                             \
      "initial values ...; the body yields condition, next values ...; runs at least once")        \
    X(IF, if, N, "scalar bool; body yields values, ELSE, yields the same number of values")        \
    X(ELSE, else, N, "")                                                                           \
    X(CARRY, carry, V, "loop or while; imm: number. Directly after the opener")                    \
    X(YIELD, yield, N, "values ..., may be none; stands before every ELSE and END")                \
    X(END, end, N, "")                                                                             \
    X(RESULT, result, V, "loop, while or if that has ended; imm: number")                          \
    /* threads of a block (GPU), no effect in a kernel without BLOCK or LANE loops */              \
    X(BARRIER, barrier, N, "all threads of the block have come here")                              \
    X(WARP_SHUFFLE, warp_shuffle, V, "x of lane (own lane xor imm) of the warp")                   \
    X(MMA, mma, V,                                                                                 \
      "tile product a * b + c on matrix units; extra list: m, n, k (16, 8 and 16 of halves, 8 of " \
      "f32); operands are per-lane fragments as in PTX mma. f32 are rounded to 11 bits, ties away" \
      " from zero; products are exact, added to c in f64, k ascending, and rounded once")          \
    /* calls */                                                                                    \
    X(CALL, call, N, "function imm of the module on pointers, i64 and scalars")                    \
    X(ERROR, error, N,                                                                             \
      "if scalar cond: report code imm for element number e; the lowest e wins (cond, e)")         \
    /* more of memory and threads: at the end, so that codes that are kept keep their numbers */   \
    X(ASYNC_GROUP, async_group, N,                                                                 \
      "this thread's async copies since the last one are a group for async_wait, if of none")      \
    X(LDMATRIX, ldmatrix, V,                                                                       \
      "1, 2 or 4 matrices of 8 rows of 16 bytes: lane 8 j + r says by p[i], aligned, where row r " \
      "of matrix j lies; lane l gets of each matrix 4 bytes, number l mod 4 of row l / 4. imm 1, " \
      "of 16-bit elements: transposed, elements 2 (l mod 4) and the next of column l / 4")       \
    X(EXTERNAL, external, N,                                                                       \
      "the C function at address f on i64, i32, floats and pointers; if what it gives, an int, is "  \
      "not 0, that is reported as the code for element number e (f, e, arguments ...)")

typedef enum lp_op {
    LP_FIRST_ = IR_BASE_END, /* below: the base ops of ops.def, applied lane by lane */
#define LP_ENUM(E, name, result, text) LP_##E,
    LP_OPS(LP_ENUM)
#undef LP_ENUM
        LP_NOPS
} lp_op;

typedef enum lp_loop_kind {
    LP_SERIAL,
    LP_UNROLLED, /* constant trip count <= 64, written out by the emitter */
    LP_PARALLEL, /* a phase: only at top level, lo = 0, step 1 */
    LP_GRID,
    LP_BLOCK,
    LP_WARP,
    LP_LANE,
} lp_loop_kind;

/* Of LOCAL. */
typedef enum lp_scope {
    LP_STACK,   /* small */
    LP_SCRATCH, /* memory of a thread */
    LP_SHARED   /* of a GPU's block */
} lp_scope;

enum lp_flags {
    /* STORE: non-temporal; LOAD: from memory that is read in order, worth asking ahead */
    LP_STREAM = 1 << 4,
    LP_ALIGNED = 1 << 5, /* LOAD/STORE: address is a multiple of the vector's size (at most 64) */
};

typedef struct lp_inst {
    uint16_t op;    /* ir_op below IR_BASE_END, or lp_op */
    uint8_t dtype;  /* bz_dtype of the result; pointers: of the elements; STORE: of the value */
    uint8_t flags;  /* low 4 bits: lp_loop_kind or lp_scope; rest lp_flags */
    uint16_t lanes; /* 1 = scalar; 0 = no value or a pointer */
    uint16_t nargs;
    /* first of nargs operands in lp_kernel.args; an extra list follows them, as long as the op says */
    uint32_t args;
    uint32_t site; /* tensor node it stands for, for explain and profiles; 0 = none */
    int64_t imm;
} lp_inst;

typedef enum lp_access {
    LP_IN,
    LP_OUT,
    LP_INOUT,
    LP_WORK /* memory shared by the phases, content undefined at start */
} lp_access;

typedef struct lp_param {
    bz_dtype dtype;
    lp_access access; /* of a buffer */
    int64_t most;     /* of an extent: no launch hands over less than 0 or more than this; INT64_MAX: or any number. Not in the text */
    const char *name; /* unique in the kernel */
} lp_param;

/* A kernel, or a function that kernels call (then `function` is set: no phases, parameters are its arguments in the order
 * buffers, extents, scalars, and it returns nothing). */
typedef struct lp_kernel {
    const char *name;
    bool function;
    bool rows; /* GPU: a launch hands over several rows of arguments (below). Not in the text */
    BZ_VEC(lp_param) buffers;
    BZ_VEC(lp_param) extents; /* dtype i64 */
    BZ_VEC(lp_param) scalars;
    BZ_VEC(lp_inst) inst; /* inst.p[0] is LP_NOP */
    BZ_VEC(uint32_t) args;
    bz_arena names;
    bool failed; /* memory ran out while building: the kernel must not be used */
} lp_kernel;

/* A row: a word for each buffer, extent and scalar, and one more. */
enum {
    LP_ROWS_WORDS = 508, /* of all rows of a launch: with what else it is handed 4096 bytes */
    LP_ROW_MOST = 100    /* of one row: what takes more is launched by itself */
};
static inline uint32_t lp_row_words(const lp_kernel *k) {
    return k->buffers.n + k->extents.n + k->scalars.n + 1;
}

/* Functions come before the kernels that call them; CALL's imm is an index here. */
typedef struct lp_module {
    BZ_VEC(lp_kernel *) k;
} lp_module;

static inline const uint32_t *lp_args(const lp_kernel *k, const lp_inst *i) {
    return k->args.p + i->args;
}

/* ---- build.c: building. Values are numbered locally: a pure instruction that stands already in an open region is reused; integer
 * arithmetic on constants folds, x+0, x*1, x*0 on i64 simplify. Out of memory sets k->failed and the values are 0. */
lp_kernel *lp_kernel_new(const char *name);
void lp_kernel_free(lp_kernel *k);
void lp_module_free(lp_module *m); /* frees the kernels too */

typedef struct lp_builder lp_builder;
lp_builder *lp_builder_new(lp_kernel *k); /* NULL when out of memory */
void lp_builder_free(lp_builder *b);
void lp_set_site(lp_builder *b, uint32_t site);
bool lp_failed(const lp_builder *b);
/* Memory ran out elsewhere while this kernel was being built: it must not be used. */
void lp_give_up(lp_builder *b);

/* Declares it, gives its BUFFER value. */
lp_val lp_add_buffer(lp_builder *b, const char *name, bz_dtype t, lp_access access);
lp_val lp_add_extent(lp_builder *b, const char *name);
lp_val lp_extent(lp_builder *b, uint32_t number); /* one that was declared */
lp_val lp_add_scalar(lp_builder *b, const char *name, bz_dtype t);

lp_val lp_const(lp_builder *b, bz_dtype t, ir_bits bits,
                unsigned lanes);           /* lanes > 1: a splat constant */
lp_val lp_index(lp_builder *b, int64_t v); /* i64 scalar constant */
lp_val lp_base(lp_builder *b, ir_op op, bz_dtype result, const lp_val *x,
               unsigned n); /* base op; scalars are splat to the widest operand */
/* Index arithmetic: base ops on i64, rounding towards minus infinity. */
lp_val lp_iadd(lp_builder *b, lp_val x, lp_val y);
lp_val lp_isub(lp_builder *b, lp_val x, lp_val y);
lp_val lp_imul(lp_builder *b, lp_val x, lp_val y);
lp_val lp_idiv(lp_builder *b, lp_val x, lp_val y);
lp_val lp_imod(lp_builder *b, lp_val x, lp_val y);
lp_val lp_imin(lp_builder *b, lp_val x, lp_val y);
lp_val lp_imax(lp_builder *b, lp_val x, lp_val y);
lp_val lp_splat(lp_builder *b, lp_val x, unsigned lanes); /* lanes 1: x itself */
lp_val lp_laneid(lp_builder *b, bz_dtype t, unsigned lanes);
lp_val lp_shuffle(lp_builder *b, lp_val x, lp_val y, const uint32_t *pick, unsigned lanes);
lp_val lp_extract(lp_builder *b, lp_val x, unsigned lane);
lp_val lp_insert(lp_builder *b, lp_val x, lp_val y, unsigned lane);
lp_val lp_any(lp_builder *b, lp_val mask);
lp_val lp_all(lp_builder *b, lp_val mask);
lp_val lp_table(lp_builder *b, unsigned table, bz_dtype t, lp_val index);

lp_val lp_local(lp_builder *b, bz_dtype t, int64_t count, lp_scope scope);
lp_val lp_offset(lp_builder *b, lp_val p, lp_val i);
lp_val lp_is_aligned(lp_builder *b, lp_val p, lp_val i, int64_t bytes);
lp_val lp_load(lp_builder *b, lp_val p, lp_val i, unsigned lanes, lp_val mask,
               unsigned flags); /* mask 0 = none */
void lp_store(lp_builder *b, lp_val p, lp_val i, lp_val v, lp_val mask, unsigned flags);
lp_val lp_gather(lp_builder *b, lp_val p, lp_val vindex, lp_val mask);
void lp_scatter(lp_builder *b, lp_val p, lp_val vindex, lp_val v, lp_val mask);
void lp_prefetch(lp_builder *b, lp_val p, lp_val i, bool write);
void lp_compress(lp_builder *b, lp_val p, lp_val i, lp_val v, lp_val mask);
void lp_atomic(lp_builder *b, ir_op op, lp_val p, lp_val i, lp_val v);
/* cond: 0 = always; where it is false zeros come */
void lp_async_copy(lp_builder *b, lp_val q, lp_val j, lp_val p, lp_val i, int64_t count,
                   lp_val cond);
void lp_async_group(lp_builder *b);
void lp_async_wait(lp_builder *b, int64_t newest);
void lp_barrier(lp_builder *b);
lp_val lp_warp_shuffle(lp_builder *b, lp_val x, unsigned lane_xor);
lp_val lp_mma(lp_builder *b, const uint32_t mnk[3], lp_val x, lp_val y, lp_val z);
lp_val lp_ldmatrix(lp_builder *b, lp_val p, lp_val i, unsigned matrices, bool transposed);

/* Opens a loop over lo <= i < hi; carries[k] gets the CARRY values of init[k]. Returns the index value. */
lp_val lp_loop(lp_builder *b, lp_loop_kind kind, lp_val lo, lp_val hi, int64_t step,
               const lp_val *init, unsigned n, lp_val *carries);
void lp_while(lp_builder *b, const lp_val *init, unsigned n, lp_val *carries);
void lp_if(lp_builder *b, lp_val cond);
void lp_else(lp_builder *b, const lp_val *yield, unsigned n);
/* Closes the innermost region with its yield (WHILE: the condition first, so n + 1 values); results[k] gets RESULT k. */
void lp_end(lp_builder *b, const lp_val *yield, unsigned n, lp_val *results);
void lp_call(lp_builder *b, unsigned function, const lp_val *args, unsigned n);
void lp_error_if(lp_builder *b, lp_val cond, int code, lp_val element);
/* args: the address, the element, then n - 2 arguments */
void lp_external(lp_builder *b, const lp_val *args, unsigned n);
const lp_inst *lp_at(const lp_builder *b, lp_val v);
/* Is the i64 v a multiple of n, by the way it is made of constants and loops? */
bool lp_is_multiple(const lp_builder *b, lp_val v, int64_t n);

/* ---- print.c, parse.c: the text form (docs/ir.md). lp_parse reads what lp_print wrote, and by hand. */
void lp_print(bz_text *t, const lp_kernel *k, const lp_module *m);
void lp_print_module(bz_text *t, const lp_module *m);
lp_module *lp_parse(const char *text, size_t n,
                    bz_error *e); /* NULL and e with line and column on an error */

/* ---- borrow.c: appends a copy of k, which must stay, to a module of such copies; its calls go to place[] of what they named. false: no
 * memory. lp_give_back frees the copies. */
bool lp_borrow(lp_module *m, const lp_kernel *k, const uint32_t *place);
void lp_give_back(lp_module *m);

/* ---- range.c: numbers lo .. hi, which both belong to it */
typedef struct lp_range {
    int64_t lo, hi;
} lp_range;
lp_range *lp_ranges(const lp_kernel *k); /* of each value (i64; of others, anything); bz_mem_free it. NULL: out of memory */
bool lp_fits_32(lp_range r);             /* with room to spare */

/* ---- identity.c: appends bytes that are equal just for equal code: all but names and sites, the functions it calls included. Where it is known
 * how large extents are, what fits into 32 bits counts. */
void lp_identity(bz_text *t, const lp_kernel *k, const lp_module *m);

/* ---- verify.c: every operand defined before and visible, types as the op wants, regions closed, phases at top level. */
bz_status lp_verify(const lp_kernel *k, const lp_module *m, bz_error *e);

/* ---- clean.c: values that do not depend on a loop move before it (also loads from buffers that the kernel only reads, when the
 * loop surely runs), then what nothing uses goes. Gives a new kernel. */
lp_kernel *lp_clean(const lp_kernel *k);

/* ---- run.c: the interpreter, slow and obvious. Checks every access against the buffer's size. */
typedef struct lp_arg {
    void *p;
    int64_t count; /* elements */
} lp_arg;
typedef struct lp_part { /* tasks begin .. end - 1 of a phase */
    unsigned phase;
    int64_t begin, end;
} lp_part;
typedef struct lp_run_args {
    const lp_arg *buffers;
    const int64_t *extents;
    const ir_bits *scalars;
    int64_t *error_element; /* lowest bad element and its code; may be NULL */
    int *error_code;
    /* not 0: the tasks of a phase run in an order drawn from it; the result must not change */
    uint64_t shuffle;
    const int64_t *at; /* the element of each buffer that its pointer leads to; NULL: the first */
    /* of a kernel that is known to verify: no more than this runs, all elements of its buffers have values; NULL: all of it */
    const lp_part *part;
} lp_run_args;
bz_status lp_run(const lp_kernel *k, const lp_module *m, const lp_run_args *a, bz_error *e);

/* ---- The machine-code ABI, version LP_ABI: per phase one function  int32_t f(const lp_frame *, int64_t begin, int64_t end).
 * Symbol: "<kernel name>.<phase number>". It returns 0. */
#define LP_ABI 1
typedef struct lp_frame {
    void *const *buffers;
    const int64_t *extents;
    const void *const *scalars; /* each points at a value of its dtype */
    void *scratch;  /* this thread's, as many bytes as lp_scratch_bytes said, 64-byte aligned */
    int64_t *error; /* [0] lowest bad element (INT64_MAX = none), [1] its code; this thread's */
    int64_t thread;
} lp_frame;
int64_t
lp_scratch_bytes(const lp_kernel *k,
                 const lp_module *m); /* of all LOCALs with scope SCRATCH; 64-byte aligned each */
unsigned lp_phase_count(const lp_kernel *k);
/* Tasks of a phase for given extents and scalars: evaluates the PARALLEL loop's upper bound. */
int64_t lp_phase_tasks(const lp_kernel *k, unsigned phase, const int64_t *extents,
                       const ir_bits *scalars);

#endif
