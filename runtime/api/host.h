/* host.h - tensors from and to the host */
#ifndef RT_HOST_H
#define RT_HOST_H

#include "runtime/eval/eval.h"

/* Can a tensor have this dtype and shape? false: BZ_EDTYPE or BZ_ESHAPE in the context, which names `op`. */
bool rt_check_shape(bz_context *c, const char *op, const char *site, bz_dtype t,
                    const int64_t *shape, int rank);

/* A truth value as bz_scalar: bool where no other dtype is beside it. */
bz_tensor *rt_scalar_bool(bz_context *c, bool v);

#endif
