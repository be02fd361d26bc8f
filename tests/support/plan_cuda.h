/* plan_cuda.h - runs a plan as CUDA C: emitted, compiled by NVRTC to PTX, and run by the emulated driver ($BRAZE_BUILD/libbraze-fakecuda.so). */
#ifndef BRAZE_TEST_PLAN_CUDA_H
#define BRAZE_TEST_PLAN_CUDA_H

#include "src/passes/pass.h"

/* Are NVRTC and the emulated driver there? */
bool plan_cuda_ready(void);
/* As plan_run. Reports of the driver's checkers are BZ_EINDEX, too. */
bz_status plan_cuda(const pass_plan *p, const ir_value_array *inputs, ir_value_array *outputs,
                    bz_error *e);

#endif
