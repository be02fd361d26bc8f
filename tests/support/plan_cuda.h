/* plan_cuda.h - runs plans as CUDA C: emitted, compiled by NVRTC to PTX for the device of the emulated driver ($BRAZE_FAKECUDA), and run there. */
#ifndef BRAZE_TEST_PLAN_CUDA_H
#define BRAZE_TEST_PLAN_CUDA_H

#include "src/passes/pass.h"

/* Are NVRTC and the emulated driver there? */
bool plan_cuda_ready(void);

/* Plans compiled as one text, which takes little longer than the first of them: their kernels are renamed. They stay the caller's. NULL:
 * `e` says why. $PLAN_CUDA_TEXT=1 prints it. */
typedef struct plan_cuda_code plan_cuda_code;
plan_cuda_code *plan_cuda_compile(pass_plan **plans, unsigned n, bz_error *e);
void plan_cuda_free(plan_cuda_code *c);
/* As plan_run, plan number i. Reports of the driver's checkers are BZ_EINDEX, too. */
bz_status plan_cuda_run(const plan_cuda_code *c, unsigned i, const ir_value_array *inputs,
                        ir_value_array *outputs, bz_error *e);
/* All of it for one. */
bz_status plan_cuda(pass_plan *p, const ir_value_array *inputs, ir_value_array *outputs,
                    bz_error *e);
/* A counter of the emulated driver's of that function so far, with BRAZE_FAKE_COUNTERS set; 0: nothing was counted. */
double plan_cuda_counter(const char *function, const char *what);

#endif
