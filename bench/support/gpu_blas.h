/* gpu_blas.h - NVIDIA's cuBLAS (which asks cuBLASLt) as a peer, opened by dlopen: $BRAZE_CUBLAS alone when it is set, else libcublas.so.13 or
 * .12, by name and in /usr/local/cuda/lib64. */
#ifndef BENCH_GPU_BLAS_H
#define BENCH_GPU_BLAS_H

#include <braze/braze.h>

/* In the driver's context that is the thread's, on that stream. NULL: there is none, or it does not start; `why` says which. */
typedef struct gpu_blas gpu_blas;
gpu_blas *gpu_blas_open(void *stream, char *why, size_t room);
/* y[m, n] = x[m, k] w[k, n], row-major in the device's memory, f32, f16 or bf16 with sums in f32; fast: f32 may be rounded to tf32. false: it refuses. Not waited for. */
bool gpu_blas_product(gpu_blas *b, bz_dtype t, bool fast, int m, int k, int n, unsigned long long x,
                      unsigned long long w, unsigned long long y);
const char *gpu_blas_name(const gpu_blas *b); /* "cuBLAS 13.1.0" */
void gpu_blas_close(gpu_blas *b);             /* NULL is fine */

#endif
