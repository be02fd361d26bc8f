/* autocast.c - mixed precision: a call's operands as casts to the dtype that its op runs in (autocast.def, docs/mixed.md).
 *
 *     matmul x, w  under bf16   -->   %1 = cast x : bf16    %2 = cast w : bf16    %3 = dot %1, %2 : bf16
 *
 * It is asked where a call becomes nodes, by the recording and by the text form: there ops have the names that the lists speak of
 * (a softmax is exp, sum and div as soon as it is recorded), handles get the dtype that their values will have in every mode, and
 * gradients find the casts in the graph and lead back through them. */
#include "src/ir/ir.h"

#include <string.h>

typedef enum rule { NONE, LOW, F32, NUMBER, WIDEST } rule;

static const uint8_t ops[IR_ELEM_END] = {
#define AUTOCAST(E, name, rule) [IR_##E] = rule,
#include "src/ir/autocast.def"
};

static const struct call {
    const char *name;
    rule rule;
} calls[] = {
#define AUTOCAST_CALL(name, rule) {#name, rule},
#include "src/ir/autocast.def"
};

/* A call of an elementwise op by another name (add_) is in place, and runs in the dtype of what it changes. */
static rule rule_of(ir_op op, const char *name) {
    if (!name) return NONE;
    if (ir_op_is_elementwise(op)) return strcmp(ir_ops[op].name, name) ? NONE : (rule)ops[op];
    for (unsigned i = 0; i < BZ_LEN(calls); i++)
        if (!strcmp(calls[i].name, name)) return calls[i].rule;
    return NONE;
}

/* Neither f64 nor what is no float takes part. */
static bool eligible(const ir_graph *g, ir_ref x) {
    return x && ir_is_float(ir_dtype(g, x)) && ir_dtype(g, x) != BZ_F64;
}

static bz_dtype widest(const ir_graph *g, const ir_ref *x, unsigned n, bz_dtype t) {
    for (unsigned i = 0; i < n; i++)
        if (eligible(g, x[i])) t = ir_promote(t, ir_dtype(g, x[i]));
    return t;
}

bool ir_autocast(ir_graph *g, bz_dtype low, ir_op op, const char *name, ir_ref *x, unsigned n) {
    if (!ir_is_half(low)) return true;
    rule how = rule_of(op, name);
    if (how == NUMBER) how = n && !x[0] ? F32 : NONE;
    if (how == NONE) return true;
    bz_dtype t = how == LOW ? low : how == F32 ? BZ_F32 : widest(g, x, n, low);
    for (unsigned i = 0; i < n; i++)
        if (eligible(g, x[i]) && !(x[i] = ir_cast(g, x[i], t))) return false;
    return true;
}
