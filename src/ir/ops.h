/* ops.h - the enum and the facts of every tensor op: elementwise ones from ops.def, structural ones from structs.def. */
#ifndef BRAZE_IR_OPS_H
#define BRAZE_IR_OPS_H

#include "src/ir/dtype.h"

typedef enum ir_op {
    IR_NIL = 0,
#define IR_BASE(E, ...) IR_##E,
#include "src/ir/ops.def"
    IR_BASE_END, /* base ops are 1 .. IR_BASE_END - 1 */
#define IR_OP(E, ...) IR_##E,
#include "src/ir/ops.def"
    IR_ELEM_END, /* elementwise ops lie below */
#define IR_STRUCT(E, ...) IR_##E,
#include "src/ir/structs.def"
    IR_NOPS
} ir_op;

typedef enum ir_rule {
    IR_RULE_SAME,
    IR_RULE_FLOAT,
    IR_RULE_BOOL,
    IR_RULE_INT,
    IR_RULE_SELECT,
    IR_RULE_CONV
} ir_rule;

enum ir_op_flags {
    IR_COMMUTES = 1 << 0,
    /* costs tens of instructions an element: worth saving rather than recomputing */
    IR_EXPENSIVE = 1 << 1,
    IR_EFFECT = 1 << 3, /* not interned, not removed while used, order kept (structural ops only) */
    IR_MANY = 1 << 4,   /* several results: a tuple node (structural ops only) */
};

/* What of its operands one element of an op's result is made of. */
typedef enum ir_reads {
    IR_READS_NONE,    /* nothing: a leaf */
    IR_READS_SAME,    /* the elements at its own index: every elementwise op */
    IR_READS_MAP,     /* one element, at an index made of its own by arithmetic: movement */
    IR_READS_PARTS,   /* an element of the operand that is there, or a border: movement too */
    IR_READS_FOLD,    /* the elements along some axes */
    IR_READS_PRODUCT, /* the elements of two operands along some axes */
    IR_READS_SCAN,    /* its own element, and those before it along an axis */
    IR_READS_GATHER,  /* the element that an index among the operands names */
    IR_READS_SCATTER, /* its own element, and all that indices among the operands name it for */
    IR_READS_WINDOW,  /* its own element of one operand, or in a window one of another */
    IR_READS_WHOLE,   /* rows of the operands, in an order of the op's own */
    IR_READS_GRAPHS,  /* whatever other graphs do with the operands */
    IR_READS_RESULT,  /* one value of a tuple */
} ir_reads;

typedef struct ir_op_info {
    const char *name;
    uint8_t arity; /* elementwise: 1..3; structural: fixed operand count, 255 = any */
    uint8_t rule;  /* ir_rule; structural: unused */
    uint8_t reads; /* ir_reads */
    uint16_t flags;
    /* derived op: its expression over base ops; NULL for base and structural ops */
    const char *value;
    const char *grad[3]; /* derivative expressions, "-" no rule, "0" zero */
    const char *doc;
} ir_op_info;

extern const ir_op_info ir_ops[IR_NOPS];

static inline bool ir_op_is_base(unsigned op) {
    return op > IR_NIL && op < IR_BASE_END;
}
static inline bool ir_op_is_elementwise(unsigned op) {
    return op > IR_NIL && op < IR_ELEM_END && op != IR_BASE_END;
}
static inline bool ir_op_is_movement(unsigned op) {
    return ir_ops[op].reads == IR_READS_MAP || ir_ops[op].reads == IR_READS_PARTS;
}

/* A node with several results: only RESULT nodes use it. */
static inline bool ir_op_is_tuple(unsigned op) {
    return op < IR_NOPS && (ir_ops[op].flags & IR_MANY);
}

/* The op with this name, or IR_NIL. */
ir_op ir_op_from_name(const char *s, size_t n);
/* dtype of an elementwise op's result for operand dtypes `in` (already promoted); false when the rule forbids them. */
bool ir_op_result_dtype(ir_op op, const bz_dtype *in, bz_dtype *out);

#endif
