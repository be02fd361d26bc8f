/* control.h - programs with cond and while, for devices that run plans of kernels. Internal to runtime/exec. */
#ifndef RT_CONTROL_H
#define RT_CONTROL_H

#include "runtime/exec/device.h"

/* Each piece on the context's device. NULL and the error. */
rt_program *rt_control_compile(bz_context *c, const ir_graph *g, unsigned how, bz_error *e);

/* ---- device.c, for pieces of a program */
rt_program *rt_program_make(bz_context *c, const ir_graph *g, unsigned how, bz_error *e);
/* Gets memory for the outputs (call->out: NULLs) and runs; after an error they are NULLs again. */
bz_status rt_program_run_piece(bz_context *c, rt_program *p, const rt_call *call, bz_error *e);

#endif
