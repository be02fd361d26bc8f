/* canon.h - what the files of pass canon share. Internal to src/passes/canon*.c. */
#ifndef BRAZE_CANON_H
#define BRAZE_CANON_H

#include "src/passes/pass.h"

/* ---- canon_update.c */
/* An as_strided or update of the old graph. */
ir_ref canon_window(ir_graph *g, const ir_graph *old, const ir_map *map, ir_ref r);
/* This slice of x, where x is an update that need not be made for it; else 0. */
ir_ref canon_seen_through(ir_graph *g, ir_ref x, const int64_t *start, const int64_t *count,
                          const int64_t *step);

#endif
