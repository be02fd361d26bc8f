/* emit_parts.h - what the files of the emitter share. Internal to emit*.c. */
#ifndef BRAZE_EMIT_PARTS_H
#define BRAZE_EMIT_PARTS_H

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

/* ---- emit_move.c */
emit_value emit_move(emitter *m, ir_ref r, const ir_ex *idx); /* any movement node */
/* What moves the windows of this symbol, as far as it may; nothing is remembered. */
lp_val emit_moved_by(emitter *m, ir_ex_key k);

#endif
