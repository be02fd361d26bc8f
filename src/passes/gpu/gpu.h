/* gpu.h - what the schedules for graphics processors share. Internal to src/passes.
 *
 *     map_block.c   elements, 16 bytes a thread
 *     row_warp.c    rows folded by warps
 *     col_block.c   columns folded, a chain a thread
 *     strip_block.c columns folded in stages
 *     dot_*.c       products: tiles through shared memory (dot_block.h)
 *     band_block.c  bands of rows through products and folds
 *     turn_block.c  transposed inputs: tiles through shared memory
 *     topk_block.c  the first of a row in order, or one of it
 *     sort_*.c      rows in order      scan_block.c   running sums along an axis      scatter_block.c   rows put into rows */
#ifndef BRAZE_GPU_H
#define BRAZE_GPU_H

#include "src/passes/forms/map.h"

enum { GPU_WARP = 32, GPU_WARPS = 8 }; /* threads of a warp, warps of a block */

bool lower_map_block(lower *l);
bool lower_row_warp(lower *l);
bool lower_dot_block(lower *l);
bool lower_col_block(lower *l);
bool lower_sort_block(lower *l);
bool lower_topk_block(lower *l);
bool lower_scan_block(lower *l);
bool lower_scatter_block(lower *l);
bool lower_band_block(lower *l);
bool lower_strip_block(lower *l);
/* Is a reduction one of which lower_strip_block makes the best, if it joins others? */
bool strip_block_pays(const pass_target *t, const ir_graph *g, ir_ref head);

/* ---- turn_block.c */
bool lower_tiles_block(lower *l, map_tiles *t);

/* ---- map_block.c */
/* Before the loops: does every pointer lead to a multiple of `lanes` of its elements? Then emitter.aligned may be set. 0: surely. */
lp_val gpu_aligned(lower *l, unsigned lanes);

#endif
