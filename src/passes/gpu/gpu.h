/* gpu.h - what the schedules for graphics processors share. Internal to src/passes.
 *
 *     row_warp.c   rows folded by warps */
#ifndef BRAZE_GPU_H
#define BRAZE_GPU_H

#include "src/passes/cpu/cpu.h"

enum { GPU_WARP = 32, GPU_WARPS = 8 }; /* threads of a warp, warps of a block */

#endif
