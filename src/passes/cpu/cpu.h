/* cpu.h - what the schedules for processors share. Internal to src/passes/cpu.
 *
 *     map.c      elements: vectors, tasks of rows or pieces of rows; transposed inputs by tiles        parts.c    concat of several parts
 *     row.c      rows folded in passes                                                                 turn.c     transposition in registers
 *     col.c      columns folded, chains and strips                                                     fold.c     steps of reductions
 *     strip.c    columns folded in stages                                                              stage.c    what stages keep and store
 *     dot*.c     products: panels, a micro-kernel, an epilogue (dot.h)                                 band.c     bands of rows through all of these
 *     update.c   windows written                                                                       scatter.c  rows added to rows
 *     cumsum.c   sums along an axis                                                                    sort.c     rows in order */
#ifndef BRAZE_CPU_H
#define BRAZE_CPU_H

#include "src/passes/work.h"

/* ---- cpu.c */
/* Lanes of a full vector for the nodes of the group: decided by the widest dtype that is computed. */
unsigned lower_lanes(const lower *l);
/* Flags for stores of vectors at multiples of their length into the group's outputs: past the caches when they are far larger than
 * these. `row`: elements from one row's start to the next, 0 if there is one row. */
unsigned lower_stream_flags(const lower *l, int64_t row);
/* The one operand of the kernel with more than `most` bytes, for `emitter.ahead`; 0 when there is none, or several: then the processor
 * sees enough loads by itself. */
lp_val lower_read_ahead(const lower *l, int64_t most);
/* How many pieces of `each` (a value) cover n. */
lp_val lower_cover(lp_builder *b, lp_val n, lp_val each);
/* Tasks of whole rows, some at a time by their length, and the row at hand: all that comes until the close is done for each of `rows` (a
 * value), and one kernel serves however many there are. */
lp_val lower_open_rows(lower *l, lp_val rows, int64_t length);
void lower_close_rows(lower *l);
lp_val lower_tail_mask(lower *l, lp_val left, unsigned lanes); /* lane < left */
/* A tensor's axes counted as three: all before those at hand, these, all after. A symbol for each; idx: the tensor's index in them. */
typedef struct axis_space {
    int64_t before, n, after;
    ir_ex o, i, c, idx[IR_MAX_RANK];
} axis_space;
/* Of x, where `naxes` axes from `axis` on are at hand. vector: vectors run along `after`. */
axis_space lower_axis_space(lower *l, ir_ref x, unsigned axis, unsigned naxes, bool vector);

/* ---- stage.c: the elements of the group at hand */
enum { STAGE_READS = 2 * EMIT_MAX_STAGED };
typedef struct stage_read {
    emit_staged read;     /* p and offset */
    unsigned times, last; /* so many stages do; the last one + 1 */
} stage_read;
/* Fills l->c with what all stages read; c: with the loads along `sym` that nothing guards, STAGE_READS at most. */
unsigned stage_reads(lower *l, const work *w, ir_ex sym, stage_read *c);
/* Of the elements at the vector symbol: */
/* Node r goes to p[at]. */
void stage_keep(lower *l, ir_ref r, lp_val p, ir_ex at, lp_val mask);
/* From now on p[at] stands for r, where that is read at its own index. */
void stage_bind_kept(lower *l, ir_ref r, lp_val p, ir_ex at);
/* A step of a fold of x for each of its vectors; lanes not set in mask (0 = all set) keep acc. */
void stage_fold(lower *l, const ir_reduce_attr *a, ir_ref x, lp_val *acc, lp_val mask);
/* Stores the members on the level of elements that this stage knows: all values first, then all stores. */
void stage_store_elements(lower *l, const work *w, unsigned stage, unsigned flags);

/* ---- turn.c: v[i] lane j becomes v[j] lane i, for n (a power of two) vectors of n lanes of t */
void lower_transpose(lp_builder *b, lp_val *v, unsigned n, bz_dtype t);

/* ---- parts.c: loops over the parts of a concat, one each; *done = false: there are too few or too many. As lower_map. */
enum { PARTS_LEAST = 5, PARTS_MOST = 64 };
bool lower_parts(lower *l, unsigned lanes, unsigned width, bool *done);

/* ---- the schedules */
bool lower_map(lower *l);
bool lower_elements(lower *l); /* the same for the elements of the group's head */
bool lower_whole(lower *l);    /* ops that read the WHOLE: each has an author of its own */
/* Elements lo .. hi of vector symbol c (a multiple of lanes * width if `whole`), the other symbols as they are. */
bool lower_inner_loop(lower *l, ir_ex c, lp_val lo, lp_val hi, unsigned lanes, unsigned width,
                      unsigned flags, bool whole);
bool lower_row(lower *l);
bool lower_col(lower *l);
bool lower_strip(lower *l);
/* Is a reduction one of which lower_strip makes the best, if it joins others? */
bool strip_pays(const pass_target *t, const ir_graph *g, ir_ref head);
bool lower_dot(lower *l);
/* Of l->group->head, an op that reads the WHOLE (structs.def): lower_result says where its results go. */
#define IR_WHOLE(E, name, ...) bool lower_##name(lower *l);
#include "src/ir/structs.def"
bool lower_band(lower *l);
bool lower_update(lower *l);

/* ---- row.c, one row at a time, for a band: the group's folds and elements at row i, a value of all rows counted as one axis. */
typedef struct row_kernel row_kernel;
/* The columns from .. to of a row in which a value may be anything; in the others it is `other`. hides: there are others. */
typedef struct row_sight {
    lp_val other, from, to, hides;
} row_sight;
/* Before the loops; NULL: out of memory. Sets the space. hidden: the value that row_sights are about, 0 = there is none. Where warps fold rows,
 * row_band (row.h) is for row_one. */
row_kernel *row_begin(lower *l, ir_ref hidden);
void row_one(row_kernel *q, lp_val i,
             const row_sight *sight); /* sight: read if there is a hidden value */
void row_end(row_kernel *q);

/* ---- fold.c: steps that reductions share */
/* One step op(acc, x) of a reduction; lanes not set in mask (0 = all set) keep acc. */
lp_val fold_step(lower *l, const ir_reduce_attr *a, lp_val acc, lp_val x, lp_val mask);
ir_bits fold_identity(const ir_reduce_attr *a);
/* An element as the accumulator's dtype; and the accumulator as the result's dtype (one rounding). */
lp_val fold_widen(lower *l, const ir_reduce_attr *a, bz_dtype from, lp_val x);
lp_val fold_narrow(lower *l, const ir_reduce_attr *a, bz_dtype to, lp_val x);
/* Adjacent pairs combined bottom-up, an odd last one carried up: p[base + i * stride] for i < n, vectors of `lanes`; the result is left
 * at i = 0 and returned. */
lp_val fold_pairwise(lower *l, const ir_reduce_attr *a, lp_val p, lp_val base, int64_t n,
                     int64_t stride, unsigned lanes);
/* The same for rows of `columns` values, a multiple of lanes, and n a value: row i begins at p[base + i * stride]; row 0 is the result. */
void fold_rows(lower *l, const ir_reduce_attr *a, lp_val p, lp_val base, lp_val n, int64_t stride,
               int64_t columns, unsigned lanes);
/* A vector of 2^k lanes halved until one is left. */
lp_val fold_lanes(lower *l, const ir_reduce_attr *a, lp_val v, unsigned lanes);

#endif
