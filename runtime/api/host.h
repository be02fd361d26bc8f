/* host.h - tensors from and to the host */
#ifndef RT_HOST_H
#define RT_HOST_H

#include "runtime/eval/eval.h"

/* Can a tensor have this dtype and shape? false: BZ_EDTYPE or BZ_ESHAPE in the context, which names `op`. */
bool rt_check_shape(bz_context *c, const char *op, const char *site, bz_dtype t,
                    const int64_t *shape, int rank);

/* Memory for the caller's data, which is not yet there; NULL and an error of bz_`op`. */
rt_buffer *rt_buffer_for(bz_context *c, const char *op, bz_dtype t, const void *data,
                         const int64_t *shape, int rank, const char *site);
/* A handle on the whole of b, whose reference is taken, on failure (poison, an error) too. b NULL: there is an error. */
bz_tensor *rt_tensor_in(bz_context *c, bz_dtype t, const int64_t *shape, int rank, rt_buffer *b);
/* The handle's tensor with its value computed, of `bytes` bytes that go to dst; NULL and the status. */
rt_tensor *rt_value_for(bz_tensor *x, const char *op, const void *dst, size_t bytes, bz_context **c,
                        bz_status *s);

/* ---- transfer.c: pinned memory, and what a device copies meanwhile */
typedef struct rt_pin {
    void *p;
    size_t bytes;
} rt_pin;
typedef struct rt_running {
    bz_ticket ticket;
    rt_transfer *of;
} rt_running;
typedef struct rt_transfers {
    BZ_VEC(rt_pin) pins;
    BZ_VEC(rt_running) running; /* the oldest first */
    bz_ticket last;
} rt_transfers;
void rt_transfers_free(bz_context *c); /* waits for them */
void rt_transfers_wait(bz_context *c);
void rt_transfers_lose_pins(bz_context *c); /* they went with a reset */

/* A truth value as bz_scalar: bool where no other dtype is beside it. */
bz_tensor *rt_scalar_bool(bz_context *c, bool v);
bz_tensor *rt_scalar_u64(bz_context *c, uint64_t v); /* above INT64_MAX: beside floats and u64 alone */

#endif
