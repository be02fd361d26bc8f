/* gpu.h - what the schedules for graphics processors share. Internal to src/passes.
 *
 *     row_warp.c    rows folded by warps
 *     dot_block.c   products: tiles through shared memory
 *     turn_block.c  transposed inputs: tiles through shared memory */
#ifndef BRAZE_GPU_H
#define BRAZE_GPU_H

#include "src/passes/cpu/cpu.h"

enum { GPU_WARP = 32, GPU_WARPS = 8 }; /* threads of a warp, warps of a block */

bool lower_dot_block(lower *l);

#endif
