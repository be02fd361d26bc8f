/* structs.h - a structural op from inside: its row of structs.def, and the functions that the row's name stands for.
 *
 *     IR_STRUCT(GATHER, gather, ...)     structs/gather.c  ir_gather   the constructor: check, infer the shape, fold, append
 *                                                          ck_gather   is a node what the constructor would have inferred?
 *                                                          it_gather   its value, slow and obvious
 *                                        src/passes        grad_gather
 *
 * A file holds one op, or a few that share their rules. */
#ifndef BRAZE_IR_STRUCTS_H
#define BRAZE_IR_STRUCTS_H

#include "src/ir/build.h"
#include "src/ir/check.h"
#include "src/ir/interp.h"

typedef enum ir_field_kind {
    IR_F_END,
    IR_F_INT,
    IR_F_REST,   /* the remaining numbers as a list */
    IR_F_WOVEN,  /* lists of equal length, woven into the remaining numbers; names: "lo hi" */
    IR_F_VALUE,  /* one value of the node's dtype */
    IR_F_VALUES, /* all numbers: values of the node's dtype; a single one stands alone */
    IR_F_FOLD,   /* ir_reduce_kind */
    IR_F_WAY,    /* ir_way */
    IR_F_DTYPE,
    IR_F_ORDER,
    IR_F_GRAPH,
    IR_F_FLAG,
    IR_F_OP, /* number of an external op, in the text its name */
    IR_F_DOT, /* two counts and four lists */
} ir_field_kind;

typedef struct ir_field {
    ir_field_kind kind;
    const char *name;
} ir_field;

typedef struct ir_struct {
    ir_field fields[5]; /* the last one is END */
    bool (*check)(const ck *c);
    /* fills the slot of node r: its array is allocated, of a tuple it_results is due */
    bool (*value)(it_state *s, ir_ref r);
    unsigned (*results)(const ir_graph *g, ir_ref r, unsigned k, ir_type *t); /* NULL: one */
} ir_struct;
extern const ir_struct ir_structs[IR_NOPS]; /* elementwise ops: all 0 */

/* ---- gather.c, for scatter.c too */
/* Do integer indices lie along an axis of x? false and an error. */
bool ir_check_along(ir_graph *g, ir_op op, ir_ref x, ir_ref index, unsigned axis);
/* The indices along `axis` as [n], where they are the same for all lines of x; 0: they are not. */
ir_ref ir_rows_of_index(ir_graph *g, ir_ref x, ir_ref index, unsigned axis);
bool ck_along(const ck *c, const ir_node *x, const ir_node *index, unsigned axis);
/* Index number i of operand 1, counted from the end when negative; false and an error when it is outside `size`. */
bool it_row_of(it_state *s, ir_ref r, int64_t i, int64_t axis, int64_t size, int64_t *row);

/* ---- sort.c, for topk.c too */
/* p[0 .. n - 1], which has room for 2 n: the numbers of the elements x[base + i * stride] in their order. */
void it_order_row(const it_array *x, int64_t base, int64_t stride, int64_t n, bool descending,
                  int64_t *p);

#define IR_RESULTS_ONE(name)
#define IR_RESULTS_MANY(name)                                                                      \
    unsigned ir_##name##_results(const ir_graph *g, ir_ref r, unsigned k, ir_type *t);
#define IR_STRUCT(E, name, arity, results, ...)                                                    \
    bool ck_##name(const ck *c);                                                                   \
    bool it_##name(it_state *s, ir_ref r);                                                         \
    IR_RESULTS_##results(name)
#include "src/ir/structs.def"
#undef IR_RESULTS_ONE
#undef IR_RESULTS_MANY

#endif
