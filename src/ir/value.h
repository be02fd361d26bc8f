/* value.h - what an elementwise op is worth: value programs, their language, their evaluation.
 *
 *     ops.def, math.def --value_parse.c--> ir_vprog --value_eval.c--> bits (folder, interpreters)
 *          (text)          (value.c)          '-----value_emit.c--> kernel loops --> code, CUDA
 *
 * Every elementwise op is a short program over base ops. All that computes a value runs that
 * program, step by step, so a result has the same bits wherever it is computed. The language:
 *
 *     n = round(x * 0x1.715476p+0);   lines that name a value; the last expression is the result
 *     y = fma(n, -LN2_HI, x);         base ops by name; functions of math.def, expanded in place
 *     horner(y, 1, 1, 0.5)            1 + y * (1 + y * 0.5) in fma steps
 *     + - * / & | ^ << >> >>> ~ !     operators and precedence as in C (>>> shifts zeros in)
 *     == != < <= > >=  c ? a : b      a choice between two values; both are computed
 *     rare(c, slow, fast)             c ? slow : fast; skips `slow` where no element needs it
 *     f32(x) i64(x) T(x)              conversion; T is the dtype the function was called with
 *     as_i32(x) as_int(x)             the bits as another dtype; as_int: the integer as wide as x
 *     table[i]                        element of a constant table of math_tables.def
 *     1  0x7f800000  0x1.8p-1  inf    literals take the dtype of what they meet; nan, true, false
 *
 * f16 and bf16 operands are cast to f32 first, and the result back. */
#ifndef BRAZE_IR_VALUE_H
#define BRAZE_IR_VALUE_H

#include "src/ir/ops.h"

/* What a program does besides base ops. RARE and END enclose steps that may be skipped when no
 * element has the condition set. */
enum ir_vop {
    IR_V_ARG = IR_BASE_END, /* operand number imm; always the first instructions */
    IR_V_CONST,             /* imm: bits */
    IR_V_TABLE, /* element x[0] (i32, i64) of table number imm; in range for every operand */
    IR_V_RARE,  /* x[0]: condition; imm: index of its END. No value */
    IR_V_END,   /* x[0] ? x[1] : x[2]; x[1] may stand inside the region, x[2] stands before it */
};

typedef struct ir_vinst {
    uint8_t op, dtype; /* ir_op or ir_vop; dtype of the value (of bool for RARE) */
    uint8_t nargs;
    uint8_t slot;  /* where evaluation keeps the value: live values never share one */
    uint16_t x[3]; /* operands: indices of earlier instructions */
    ir_bits imm;
} ir_vinst;

typedef struct ir_vprog {
    uint8_t nargs, nslots;
    bz_dtype arg[3], result;
    uint16_t n, out; /* instructions; the one that is the result */
    ir_vinst inst[];
} ir_vprog;

enum { IR_V_MAX_SLOTS = 96 }; /* of a program; more is a bug of its text */

/* ---- value.c */

/* The program of an elementwise op, base or derived, on operands of dtype `operand` (SELECT: of
 * its second and third). `result` is the target of cast and bitcast; otherwise the rule gives it
 * and `result` is ignored. Made at first use, kept for good; any thread may call. NULL when out
 * of memory; dtypes that the op's rule forbids are the caller's bug. In a program: bool knows
 * only and, or, xor, not, where, cast; f16 and bf16 only where, bitcast, cast to and from f32. */
const ir_vprog *ir_value(ir_op op, bz_dtype operand, bz_dtype result);

/* A program from a text in the language over operands x, y, z (the first `nargs`) of dtypes
 * arg[]. NULL and BZ_EPARSE with the place in `e` when the text is wrong, BZ_ENOMEM when out of
 * memory. Free it with bz_mem_free. */
ir_vprog *ir_value_compile(const char *text, unsigned nargs, const bz_dtype *arg, bz_dtype result,
                           bz_error *e);

/* ---- value_table.c: the constant tables that programs look into */
typedef struct ir_vtable {
    const char *name;
    bz_dtype dtype;
    uint32_t n;
    const void *data;
} ir_vtable;
extern const ir_vtable ir_vtables[];
extern const unsigned ir_vtable_count;

/* ---- value_eval.c */

/* out[i] = op(x[0][i], ...) for i < n: one base op; `operand` as for ir_value. Arrays hold
 * elements as memory does. */
void ir_base_eval(ir_op op, bz_dtype operand, bz_dtype result, void *out, const void *const x[3],
                  size_t n);
ir_bits ir_base_eval_bits(ir_op op, bz_dtype operand, bz_dtype result, const ir_bits x[3]);
/* out[i] = program(x[0][i], ...) for i < n. `out` may be one of the operands if its elements are
 * as large. */
void ir_value_eval(const ir_vprog *p, void *out, const void *const x[3], size_t n);
ir_bits ir_value_eval_bits(const ir_vprog *p, const ir_bits x[3]);

#endif
