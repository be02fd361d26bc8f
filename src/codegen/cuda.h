/* cuda.h - kernel loops as CUDA C, and CUDA C as images that a driver loads.
 *
 *     lp_module --cuda_emit--> text --nvrtc_compile--> PTX and a cubin --driver--> functions
 *
 * A phase is a function of its own:
 *
 *     extern "C" __global__ void k_NAME_PHASE(T0 *b0 ..., long long e0 ..., S0 s0 ..., char *scratch, long long *error, long long tasks)
 *
 * with the kernel's buffers, extents and scalars in their order, all of them in each phase; a scalar has the size of its dtype (bool: a
 * byte 0 or 1). `tasks` is what lp_phase_tasks says. They are divided among threads, or, where a task has BLOCK, WARP or LANE loops, among
 * blocks of threads: t, t + n, t + 2n ..., so any grid runs all of them; blocks and grids have one dimension. Phases are separate
 * launches, each after the one before.
 *
 * A kernel with `rows` (loop.h) runs the tasks of several launches as one:
 *
 *     extern "C" __global__ void k_NAME_PHASE(const __grid_constant__ bz_rows a, char *scratch, long long *error)
 *
 * with `a` as cuda_rows below has it. Task t is one of the last row whose first task is t or less.
 *
 * `scratch` has cuda_phase.scratch bytes for each thread of the grid, aligned to 64 (NULL where that is 0). error[0] is the lowest bad
 * element so far and error[1] a code that was reported (NULL where the phase reports nothing). Before the first launch they are INT64_MAX
 * and 0; the host reads them when the launches are done.
 *
 * What the code relies on is what codegen.h says: a buffer that a kernel writes overlaps no other buffer of the launch. */
#ifndef BRAZE_CUDA_H
#define BRAZE_CUDA_H

#include "src/ir/loops/loop.h"

/* How a phase wants to be launched. */
typedef struct cuda_phase {
    unsigned
        threads; /* of a block, for one task; 0: a task is one thread, and blocks may be of any size that the function's registers allow */
    int64_t scratch; /* bytes for each thread, a multiple of 64 */
    int64_t shared;  /* bytes of a block */
    /* of them those that its launch asks for: all, or none where they fit what any block may have. A driver wants to be told of so many
     * before (CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) */
    int64_t dynamic;
    bool reports; /* it may report an error */
} cuda_phase;

cuda_phase cuda_phase_of(const lp_kernel *k, const lp_module *m, unsigned phase);

/* What rows of arguments are handed over in: n of them, lp_row_words each. A word is an address, an extent, or begins with a scalar's
 * bytes; the last one is the number of the row's first task. */
typedef struct cuda_rows {
    uint64_t n;
    int64_t tasks; /* of all */
    uint64_t word[LP_ROWS_WORDS];
} cuda_rows;

/* Appends the text of all kernels of m: no include, the same for equal modules. BZ_EUNSUPPORTED names the kernel and the instruction that
 * has no form here (atomics, asynchronous copies of other than 4, 8 or 16 bytes, effects outside the innermost of nested loops over threads); BZ_ENOMEM. */
bz_status cuda_emit(const lp_module *m, bz_text *out, bz_error *e);
/* "k_NAME_PHASE"; what C has not in names is `_`. */
void cuda_symbol(bz_text *out, const char *kernel, unsigned phase);

#endif
