/* forms.h - what schedules of all targets share: what a form's loops are made of, whoever runs them. Internal to src/passes.
 *
 *     tasks.c    tasks of rows, lanes of vectors, a tensor's axes counted as three
 *     map.c      elements: which axes vectors run along; transposed inputs by tiles (map.h)
 *     row*.c     rows folded in passes (row.h)              col.c      columns folded (col.h)
 *     dot*.c     products: sides, masks, epilogue (dot.h)   band.c     the parts of a band (band.h)
 *     fold.c     steps of reductions                        stage.c    what stages keep and store
 *     update.c   windows written                            scan.c     running sums along an axis (scan.h)
 *     scatter.c  what is put where indices say (scatter.h)
 *
 * A target's folder has the schedules themselves: who does what, in which order, and where it lies meanwhile. */
#ifndef BRAZE_FORMS_H
#define BRAZE_FORMS_H

#include "src/passes/work.h"

/* ---- tasks.c */
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
/* Of the elements at the vector symbol; masks are of the last bundle of lanes, 0 = all: */
/* Node r goes to p[at]. */
void stage_keep(lower *l, ir_ref r, lp_val p, ir_ex at, lp_val mask);
/* From now on p[at] stands for r, where that is read at its own index. */
void stage_bind_kept(lower *l, ir_ref r, lp_val p, ir_ex at);
/* A step of a fold of x for each of its vectors; lanes not set in mask keep acc. */
void stage_fold(lower *l, const ir_reduce_attr *a, ir_ref x, lp_val *acc, lp_val mask);
/* Stores the members on the level of elements that this stage knows: all values first, then all stores. */
void stage_store_elements(lower *l, const work *w, unsigned stage, unsigned flags);

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

/* ---- update.c: as phase 0, all elements of the head's first operand into its result */
bool lower_fill(lower *l, bool (*elements)(lower *l));
/* The window that the group writes, by the schedule of elements at hand */
bool lower_window(lower *l, bool (*elements)(lower *l));

/* The columns from .. to of a row in which a value may be anything; in the others it is `other`. hides: there are others. */
typedef struct row_sight {
    lp_val other, from, to, hides;
} row_sight;

#endif
