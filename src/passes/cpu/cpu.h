/* cpu.h - the schedules for processors. Internal to src/passes/cpu, and to targets that take some of them.
 *
 *     map.c      elements: vectors, tasks of rows or pieces of rows; transposed inputs by tiles, turned in registers (turn.c)
 *     parts.c    concat of several parts            col.c      columns folded, chains and strips
 *     strip.c    columns folded in stages           dot*.c     products: panels, a micro-kernel (dot_panel.h)
 *     band.c     bands of rows through products and folds                row_turn.c  short rows folded side by side
 *     scan.c     running sums along an axis         sort*.c    rows in order                   scatter.c  rows put into rows
 *     topk.c     the first of a row in order, or one of it
 *
 * Other rows, and windows, are those of src/passes/forms, by one thread each. */
#ifndef BRAZE_CPU_H
#define BRAZE_CPU_H

#include "src/passes/forms/forms.h"

/* ---- turn.c: v[i] lane j becomes v[j] lane i, for n (a power of two) vectors of n lanes of t */
void lower_transpose(lp_builder *b, lp_val *v, unsigned n, bz_dtype t);

/* ---- parts.c: loops over the parts of a concat, one each; *done = false: there are too few or too many. As lower_map. */
enum { PARTS_LEAST = 5, PARTS_MOST = 64 };
bool lower_parts(lower *l, unsigned lanes, unsigned width, bool *done);

/* ---- the schedules */
bool lower_map(lower *l);
bool lower_whole(lower *l); /* ops that read the WHOLE: each has an author of its own */
/* Elements lo .. hi of vector symbol c (a multiple of lanes * width if `whole`), the other symbols as they are. */
bool lower_inner_loop(lower *l, ir_ex c, lp_val lo, lp_val hi, unsigned lanes, unsigned width,
                      unsigned flags, bool whole);
bool lower_row(lower *l);
bool lower_col(lower *l);
bool lower_strip(lower *l);
/* Is a reduction one of which lower_strip makes the best, if it joins others? */
bool strip_pays(const pass_target *t, const ir_graph *g, ir_ref head);
bool lower_dot(lower *l);
bool lower_scan(lower *l);
bool lower_scatter(lower *l);
bool scatter_by_tasks(lower *l); /* the same when the result holds x already */
/* Of l->group->head, an op that reads the WHOLE (structs.def): lower_result says where its results go. */
#define IR_WHOLE(E, name, ...) bool lower_##name(lower *l);
#include "src/ir/structs.def"
bool lower_band(lower *l);

#endif
