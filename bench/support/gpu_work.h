/* gpu_work.h - the workloads of bench/gpu.c. bench/peers.py has the same sizes, by the same names. */
#ifndef BENCH_GPU_WORK_H
#define BENCH_GPU_WORK_H

#include "bench/support/bench.h"
#include "bench/support/gpt.h"

enum { GPU_MAX_IN = 3 + 3 * GPT_PARAMS_MOST };

extern bz_dtype gpu_dtype; /* of the workload at hand */

/* Kernels: ops that memory bounds, products and attention; training steps. Each is handed out in turn. */
typedef void gpu_measure(const bench_case *k);
void gpu_moves(gpu_measure *measure);
void gpu_products(gpu_measure *measure);
void gpu_steps(gpu_measure *measure);

/* The products' function, and their three sizes. */
bz_status gpu_product(bz_context *of, bz_tensor *const *in, int nin, bz_tensor **y, int nout,
                      void *user);
int64_t gpu_depth(void);

#endif
