/* expr.h - integer expressions over symbols, interned: dimensions of tensors, and index maps of kernels.
 *
 * Every expression is a number in one table, so equal expressions are the same number. Sums are kept as sorted linear forms,
 * products of sums are multiplied out (n*(m*4) is n*m*4), and floordiv and mod are simplified with the ranges of their operands, so
 * that a reshape there and back is the identity:
 *
 *     (i / 4) * 4 + i % 4  ==  i          (i * 8 + j) / 8  ==  i   for 0 <= j < 8
 *
 * Division and modulo round to minus infinity; divisors are positive. Values are 64-bit; overflow gives the error flag. */
#ifndef BRAZE_EXPR_H
#define BRAZE_EXPR_H

#include "src/ir/base/base.h"

typedef uint32_t ir_ex; /* 0 = none (also what a failed construction gives) */

typedef enum ir_ex_kind {
    EX_NONE,
    EX_CONST,
    EX_SYM,
    EX_ADD,
    EX_MUL,
    EX_DIV,
    EX_MOD,
    EX_MIN,
    EX_MAX
} ir_ex_kind;

typedef struct ir_ex_node {
    uint8_t kind;
    ir_ex a, b;     /* operands; SYM: a = number of the symbol */
    uint32_t size;  /* nodes when written out, IR_EX_HUGE at most */
    int64_t value;  /* CONST */
    int64_t lo, hi; /* range of its value, inclusive; IR_EX_MIN / IR_EX_MAX = unknown */
} ir_ex_node;

enum { IR_EX_HUGE = 1 << 20, IR_EX_RECENT = 256 };

#define IR_EX_MIN (-(INT64_C(1) << 60))
#define IR_EX_MAX (INT64_C(1) << 60)

/* A symbol that whoever makes it knows by a number and its range. */
typedef struct ir_ex_key {
    uint32_t who;
    ir_ex sym;
    int64_t lo, hi;
} ir_ex_key;

typedef struct ir_exprs {
    BZ_VEC(ir_ex_node) n; /* n.p[0] is EX_NONE */
    BZ_VEC(char *) names; /* of the symbols, NULL = nameless */
    BZ_VEC(ir_ex_key) keys;
    uint32_t *slots, nslots;
    /* quotients and remainders by constants, so that a nest of them is taken apart once */
    struct {
        uint8_t kind;
        ir_ex a, b, result;
    } recent[IR_EX_RECENT];
    bz_arena arena;
    bool failed; /* out of memory or overflow somewhere: results are not to be trusted */
} ir_exprs;

bool ir_exprs_init(ir_exprs *x);
void ir_exprs_free(ir_exprs *x);

ir_ex ir_ex_const(ir_exprs *x, int64_t v);
ir_ex ir_ex_sym(ir_exprs *x, const char *name, int64_t lo,
                int64_t hi); /* a new symbol with this range; name may be NULL */
ir_ex ir_ex_find_sym(const ir_exprs *x, const char *name); /* 0 if there is none of that name */
ir_ex ir_ex_add(ir_exprs *x, ir_ex a, ir_ex b);
ir_ex ir_ex_sub(ir_exprs *x, ir_ex a, ir_ex b);
ir_ex ir_ex_mul(ir_exprs *x, ir_ex a, ir_ex b);
ir_ex ir_ex_div(ir_exprs *x, ir_ex a, ir_ex b);
ir_ex ir_ex_mod(ir_exprs *x, ir_ex a, ir_ex b);
ir_ex ir_ex_min(ir_exprs *x, ir_ex a, ir_ex b);
ir_ex ir_ex_max(ir_exprs *x, ir_ex a, ir_ex b);
ir_ex ir_ex_addc(ir_exprs *x, ir_ex a, int64_t c);
ir_ex ir_ex_mulc(ir_exprs *x, ir_ex a, int64_t c);

static inline const ir_ex_node *ir_ex_at(const ir_exprs *x, ir_ex e) {
    return &x->n.p[e];
}
static inline bool ir_ex_is_const(const ir_exprs *x, ir_ex e, int64_t *v) {
    const ir_ex_node *n = ir_ex_at(x, e);
    if (n->kind == EX_CONST && v) *v = n->value;
    return n->kind == EX_CONST;
}
/* Does symbol `sym` (a SYM expression) stand in e? */
bool ir_ex_uses(const ir_exprs *x, ir_ex e, ir_ex sym);
/* e == *coef * sym + *rest with no sym in rest; false if e is not linear in sym. */
bool ir_ex_linear(ir_exprs *x, ir_ex e, ir_ex sym, int64_t *coef, ir_ex *rest);
/* e with `by` in place of the symbol. */
ir_ex ir_ex_replace(ir_exprs *x, ir_ex e, ir_ex sym, ir_ex by);
/* The number that stands in the sum e. */
int64_t ir_ex_constant(const ir_exprs *x, ir_ex e);
void ir_ex_print(bz_text *t, const ir_exprs *x, ir_ex e);

#endif
