/* gpu.h - what bench/gpu.c asks of the CUDA driver beside braze: times by its events on a context's stream, what the machine allows, and
 * what the emulated driver counts. */
#ifndef BENCH_GPU_H
#define BENCH_GPU_H

#include <braze/braze.h>

typedef struct gpu_machine {
    char name[96];
    unsigned arch, processors; /* 90: compute capability 9.0 */
    int driver;                /* 13000: 13.0 */
    double clock_hz;           /* 0: not told */
    bool emulated;             /* tests/fakecuda: times are a model's, good for nothing */
} gpu_machine;

/* Everything below is about this context on a GPU from now on. Exits where the driver lacks what it takes. */
void gpu_open(bz_context *c, gpu_machine *m);
void gpu_close(void); /* before the context is */

/* Between these, what is asked of the context; milliseconds on the device's clock, waits for the end. */
void gpu_begin(void);
double gpu_end(void);

/* Bytes read and written a second by cuMemcpyDtoD of so many bytes. */
double gpu_copy_rate(size_t bytes);
/* Operations (an FMA is two) a second of kernels that do nothing else: f32 FMAs, and mma.sync of bf16 (0: the GPU is too old). tiny: a few. */
double gpu_fma_rate(bool tiny);
double gpu_mma_rate(bool tiny);

/* Memory of the device's with these bytes in it; 0, none: it is not there. */
unsigned long long gpu_memory(const void *bytes, size_t n);
void gpu_read(void *to, unsigned long long from, size_t n);
void gpu_free(unsigned long long at);
void *gpu_stream(void);
/* The driver's context is this thread's between these. */
void gpu_enter(void);
void gpu_leave(void);

/* What the emulated driver counted of all kernels so far, by the names of tests/fakecuda/trace.c; 0: it counts nothing. */
double gpu_counter(const char *what);

#endif
