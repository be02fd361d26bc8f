/* index.h - what stands between the brackets of x[...]: integers, slices, ..., new axes, and tensors of indices.
 *
 *      "1, ::-2, @, ..., None"  --index_text.c-->  ir_items  --compose_index.c-->  slices, then rows taken at indices
 *
 * @ is the next one of the tensors that come with the text. Order of the result's axes: NumPy's. */
#ifndef BRAZE_IR_INDEX_H
#define BRAZE_IR_INDEX_H

#include "src/ir/ir.h"

typedef enum ir_item_kind {
    IR_ITEM_INT,
    IR_ITEM_SLICE,
    IR_ITEM_DOTS,
    IR_ITEM_NEW,
    IR_ITEM_TENSOR
} ir_item_kind;

typedef struct ir_item {
    ir_item_kind kind;
    int at;                    /* in the text */
    int64_t start, stop, step; /* INT: start. An end that is left out: INT64_MIN */
} ir_item;

enum { IR_MAX_ITEMS = 2 * IR_MAX_RANK + 1 };

typedef struct ir_items {
    const char *text;
    unsigned n, axes, tensors; /* items; those that take an axis; those that are tensors */
    ir_item item[IR_MAX_ITEMS];
} ir_items;

/* ---- index_text.c: false, with words that name the character: the text cannot be read. */
bool ir_items_read(const char *text, ir_items *out, bz_error *e);

/* ---- compose_index.c */
/* What items mean for x: a part of it by slices, and of this rows along some of its axes. */
typedef struct ir_index_plan {
    const ir_items *items;
    const ir_ref *tensors;      /* one for each item that is one, integers */
    unsigned rank;              /* x's */
    int64_t shape[IR_MAX_RANK]; /* x's */
    int64_t start[IR_MAX_RANK], count[IR_MAX_RANK], step[IR_MAX_RANK]; /* of the part */
    int axis_of[IR_MAX_ITEMS];  /* axis that an item takes; -1: none. DOTS: the first of theirs */
    unsigned dots;              /* axes that they stand for */
    int tensor_at[IR_MAX_RANK]; /* of an axis: which tensor, -1: none */
    bool gone[IR_MAX_RANK];     /* taken by an integer */
} ir_index_plan;

/* false with an error in g. mask: tensors of bool, which have as many elements as are true, are an error. */
bool ir_index_begin(ir_graph *g, ir_index_plan *p, ir_ref x, const ir_items *items,
                    const ir_ref *tensors, unsigned n);
/* x[...] */
ir_ref ir_index_read(ir_graph *g, const ir_index_plan *p, ir_ref x);
/* The part of x with v, broadcast, in the elements that x[...] has; adds: added to them, in order. */
ir_ref ir_index_into(ir_graph *g, const ir_index_plan *p, ir_ref part, ir_ref v, bool adds);
/* x with that part in it. */
ir_ref ir_index_write(ir_graph *g, const ir_index_plan *p, ir_ref x, ir_ref v, bool adds);
/* The part of x alone: a slice. */
ir_ref ir_index_part(ir_graph *g, const ir_index_plan *p, ir_ref x);

#endif
