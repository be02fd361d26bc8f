/* plan_cuda.h - runs plans as CUDA C: emitted, compiled by NVRTC for device 0 of a driver ($BRAZE_FAKECUDA), and run there: the emulated one, which
 * takes PTX and reports what it finds wrong, or a real one (libcuda.so.1), which takes machine code. */
#ifndef BRAZE_TEST_PLAN_CUDA_H
#define BRAZE_TEST_PLAN_CUDA_H

#include "src/passes/pass.h"

/* Are NVRTC and the driver there? */
bool plan_cuda_ready(void);
/* Once they are: the device's compute capability (80), and is it the emulated driver's? */
unsigned plan_cuda_capability(void);
bool plan_cuda_emulated(void);

/* Plans compiled as one text, which takes little longer than the first of them: their kernels are renamed. They stay the caller's. NULL:
 * `e` says why. $PLAN_CUDA_TEXT=1 prints it. */
typedef struct plan_cuda_code plan_cuda_code;
plan_cuda_code *plan_cuda_compile(pass_plan **plans, unsigned n, bz_error *e);
/* In parts: the text, of which the first *own bytes are of all texts alike, appended to `out`; and the code of such a text as PTX. */
bz_status plan_cuda_emit(pass_plan *const *plans, unsigned n, bz_text *out, size_t *own,
                         bz_error *e);
plan_cuda_code *plan_cuda_load(pass_plan **plans, unsigned n, const char *ptx, bz_error *e);
/* Inputs of later runs begin so many elements behind an address that is aligned for everything, as outputs always are. */
void plan_cuda_shift(unsigned elements);
/* Later launches have at most so many blocks (24). */
void plan_cuda_blocks(unsigned most);
/* Of the emulated driver: the order of commands and threads. */
void plan_cuda_seed(uint64_t seed);
void plan_cuda_free(plan_cuda_code *c);
/* As plan_run, plan number i. Reports of the emulated driver's checkers are BZ_EINDEX, too. */
bz_status plan_cuda_run(const plan_cuda_code *c, unsigned i, const ir_value_array *inputs,
                        ir_value_array *outputs, bz_error *e);
/* All of it for one. */
bz_status plan_cuda(pass_plan *p, const ir_value_array *inputs, ir_value_array *outputs,
                    bz_error *e);
/* Bytes of shared memory that a block of the device may ask for. */
int64_t plan_cuda_shared(void);
/* A counter of the emulated driver's of that function so far, with BRAZE_FAKE_COUNTERS set; 0: nothing was counted. */
double plan_cuda_counter(const char *function, const char *what);

#endif
