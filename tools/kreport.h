/* kreport.h - what `braze kreport` says of a kernel: cmd_kreport.c finds it, kreport.c writes it. */
#ifndef BRAZE_KREPORT_H
#define BRAZE_KREPORT_H

#include "runtime/aot/cuda_run.h"
#include "src/codegen/cuda.h"
#include "src/codegen/cubin.h"
#include "src/codegen/gpus.h"
#include "src/passes/pass.h"

/* A phase of a segment of a launch. */
typedef struct kreport_function {
    const char *name;
    cubin_kernel code;
    bz_rt_cuda_grid grid;
    gpu_occupancy fit;
} kreport_function;

typedef struct kreport_launch {
    const pass_launch *of;
    gpu_work work;
    gpu_roof roof;
    const kreport_function *functions;
    uint32_t n;
} kreport_launch;

typedef struct kreport_machine {
    const gpu_kind *kind;
    const kreport_launch *launches;
    uint32_t n;
} kreport_machine;

/* What of the loads and stores of global memory moves 16 bytes; -1: there is none. */
double kreport_vectors(const cubin_kernel *k);
void kreport_text(bz_text *t, const kreport_machine *m);
void kreport_json(bz_text *t, const kreport_machine *m);

#endif
