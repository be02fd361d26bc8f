/* ops.c - the table of every tensor op, made from ops.def and structs.def; names and the dtype
 * rule. */
#include "src/ir/ops.h"

#include <string.h>

/* The letters of the flags columns. */
enum {
    FLAG_0 = 0,
    FLAG_C = IR_COMMUTES,
    FLAG_E = IR_EXPENSIVE,
    FLAG_EFFECT = IR_EFFECT,
    FLAG_ONE = 0,
    FLAG_MANY = IR_MANY,
};

const ir_op_info ir_ops[IR_NOPS] = {
#define IR_BASE(E, op_name, n, r, f, INT, FLOAT, LI, LF, dx, dy, dz, text)                         \
    [IR_##E] = {.name = #op_name,                                                                  \
                .arity = n,                                                                        \
                .rule = IR_RULE_##r,                                                               \
                .reads = IR_READS_SAME,                                                            \
                .flags = FLAG_##f,                                                                 \
                .grad = {dx, dy, dz},                                                              \
                .doc = text},
#define IR_OP(E, op_name, n, r, f, v, dx, dy, dz, text)                                            \
    [IR_##E] = {.name = #op_name,                                                                  \
                .arity = n,                                                                        \
                .rule = IR_RULE_##r,                                                               \
                .reads = IR_READS_SAME,                                                            \
                .flags = FLAG_##f,                                                                 \
                .value = v,                                                                        \
                .grad = {dx, dy, dz},                                                              \
                .doc = text},
#include "src/ir/ops.def"
#define IR_STRUCT(E, op_name, n, many, f, what, gradient, text, ...)                               \
    [IR_##E] = {.name = #op_name,                                                                  \
                .arity = n,                                                                        \
                .reads = IR_READS_##what,                                                          \
                .flags = FLAG_##f | FLAG_##many,                                                   \
                .doc = text},
#include "src/ir/structs.def"
};

ir_op ir_op_from_name(const char *s, size_t n) {
    for (unsigned op = 0; op < IR_NOPS; op++) {
        const char *name = ir_ops[op].name;
        if (name && strncmp(name, s, n) == 0 && name[n] == '\0') return (ir_op)op;
    }
    return IR_NIL;
}

static bool all_equal(const bz_dtype *in, unsigned from, unsigned to) {
    for (unsigned i = from + 1; i < to; i++) {
        if (in[i] != in[from]) return false;
    }
    return true;
}

bool ir_op_result_dtype(ir_op op, const bz_dtype *in, bz_dtype *out) {
    unsigned n = ir_ops[op].arity;
    /* a node is real: what is complex is recorded as its parts (complex.h) */
    for (unsigned i = 0; i < n; i++)
        if (ir_is_complex(in[i])) return false;
    if (ir_ops[op].rule == IR_RULE_CONV && ir_is_complex(*out)) return false;
    switch ((ir_rule)ir_ops[op].rule) {
    case IR_RULE_SAME: *out = in[0]; return all_equal(in, 0, n);
    case IR_RULE_FLOAT: *out = in[0]; return ir_is_float(in[0]) && all_equal(in, 0, n);
    case IR_RULE_INT: *out = in[0]; return !ir_is_float(in[0]) && all_equal(in, 0, n);
    case IR_RULE_BOOL: *out = BZ_BOOL; return all_equal(in, 0, n);
    case IR_RULE_SELECT: *out = in[1]; return in[0] == BZ_BOOL && all_equal(in, 1, n);
    case IR_RULE_CONV: return op != IR_BITCAST || ir_dtypes[*out].bits == ir_dtypes[in[0]].bits;
    }
    return false;
}
