/* form.c - the forms of loops, a row each: see form.h. */
#include "src/passes/form.h"

const fuse_form form_map = {
    .word = "map", .full = -1, .elementwise = true, .stores_full = true, .in_place = FUSE_FULL};
/* reductions whose order of additions is along the row (IR_ORDER_LAST), and what is made of their results */
const fuse_form form_row = {
    .word = "row", .full = 0, .folds = true, .stages = true, .most_folds = 16, .stores_full = true};
/* ... row by row (IR_ORDER_LEAD): each element passes by once */
const fuse_form form_col = {
    .word = "col", .full = 0, .folds = true, .most_folds = 4, .in_place = FUSE_KEPT};
/* ... in stages, as rows are: few enough that a strip of columns stays in the cache (pass_schedule.takes) */
const fuse_form form_strip = {.word = "col",
                              .full = 0,
                              .folds = true,
                              .stages = true,
                              .most_folds = 16,
                              .stores_full = true,
                              .in_place = FUSE_KEPT,
                              .once = &form_col};
const fuse_form form_dot = {
    .word = "gemm", .full = -1, .product = true, .stores_full = true, .in_place = FUSE_FULL};
/* what all elements before each one come to, element by element along an axis; each passes by once */
const fuse_form form_scan = {
    .word = "scan", .full = -1, .scans = true, .stores_full = true, .in_place = FUSE_FULL};
const fuse_form form_scatter = {.word = "scatter", .full = 2, .scatters = true};
/* an op with a kernel of its own, and its results if they are several */
const fuse_form form_whole = {
    .full = -1, .apart = "it goes through whole rows in an order of its own: they need memory"};
const fuse_form form_update = {
    .word = "update", .full = 1, .window = true, .stores_full = true, .in_place = FUSE_FULL};
/* groups that hand rows to one another: fuse_band.c, after all others have joined */
const fuse_form form_band = {.word = "band", .full = -1};

const fuse_form *form_of(const ir_graph *g, ir_ref r) {
    const ir_node *n = ir_at(g, r);
    switch ((ir_reads)ir_ops[n->op].reads) {
    case IR_READS_SAME:
    case IR_READS_GATHER: return &form_map;
    case IR_READS_FOLD: return ir_reduce_get(g, n).order == IR_ORDER_LEAD ? &form_col : &form_row;
    case IR_READS_PRODUCT: return &form_dot;
    case IR_READS_WINDOW: return &form_update;
    case IR_READS_SCAN: return &form_scan;
    case IR_READS_SCATTER: return &form_scatter;
    case IR_READS_WHOLE: return &form_whole;
    case IR_READS_NONE:
    case IR_READS_MAP:
    case IR_READS_PARTS:
    case IR_READS_GRAPHS:
    case IR_READS_RESULT: break;
    }
    return NULL;
}

ir_ref form_full_node(const ir_graph *g, const fuse_form *form, ir_ref head) {
    return form->full < 0 ? head : ir_operand(g, head, (unsigned)form->full);
}
