/* emit_parts.h - what the files of the emitter share. Internal to emit*.c. */
#ifndef BRAZE_EMIT_PARTS_H
#define BRAZE_EMIT_PARTS_H

#include "src/ir/loops/facts.h"
#include "src/passes/lower.h"

/* ---- emit.c */
emit_value emit_uniform(lp_val v);
lp_val emit_index_lanes(emitter *m, ir_ex e,
                        unsigned u);    /* the expression in every lane of bundle u */
lp_val emit_site(emitter *m, ir_ref r); /* node r as a number that an error may name */

/* ---- emit_load.c */
lp_val emit_mask(emitter *m, unsigned u); /* lanes of bundle u that may touch memory; 0 = all */
lp_val emit_scalar_mask(emitter *m);      /* the same for a scalar load: does any lane want it? */
emit_value emit_gather(emitter *m, ir_ref r, const ir_ex *idx); /* IR_GATHER */

/* ---- emit_pattern.c: e modulo n (> 0), in [0, n), in lane 0 of a vector that begins at a multiple of the lanes; false: nobody knows. */
bool emit_residue(const emitter *m, ir_ex e, int64_t n, int64_t *r);
/* Lanes that read the n elements side by side that begin `first` from where lane 0 does, each of them, up to
 * `times`; lane l the one pick[l] behind the first. */
typedef struct lane_pattern {
    uint32_t pick[LP_MAX_LANES];
    int64_t first;
    unsigned n, times;
    bool side_by_side; /* lane l reads l elements behind lane 0: a whole vector */
} lane_pattern;
/* That of an offset, not linear in the vector symbol, in each vector; false: there is none. */
bool emit_pattern(emitter *m, ir_ex offset, lane_pattern *p);
enum { MASKED_TIMES = 4 }; /* up to so many times a mask may be turned over */
/* What the lanes read where lane 0 is at `at`, those of the mask (0: all). */
lp_val emit_patterned(emitter *m, lp_val p, lp_val at, const lane_pattern *l, lp_val mask);

/* ---- emit_move.c */
emit_value emit_move(emitter *m, ir_ref r, const ir_ex *idx); /* any movement node */
/* What moves the windows of this symbol, as far as it may; nothing is remembered. */
lp_val emit_moved_by(emitter *m, ir_ex_key k);

#endif
