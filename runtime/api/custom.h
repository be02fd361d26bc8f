/* custom.h - ops of users, for a context's module or the tool's */
#ifndef RT_CUSTOM_H
#define RT_CUSTOM_H

#include "braze/custom.h"
#include "src/ir/external.h"

/* The op's number; -1 and an error. */
int64_t rt_op_add(ir_module *m, const bz_op *op, bz_error *e);
/* All of a shared object. */
bz_status rt_op_load(ir_module *m, const char *path, bz_error *e);

#endif
