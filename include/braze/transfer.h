/* transfer.h - copies between the host and a device that nobody waits for (PyTorch's pin_memory and non_blocking=True).
 *
 *     float *loss = bz_pin(c, sizeof *loss);
 *     bz_ticket t = bz_to_host_async(out[0], loss, sizeof *loss);   begun behind this step's work
 *     ... the next step is called; it does not wait ...
 *     bz_wait(c, t);                                                *loss is there
 *
 * On devices with the host's memory the same calls are done when they return. */
#ifndef BRAZE_TRANSFER_H
#define BRAZE_TRANSFER_H

#include "braze/api.h"

/* Memory of the host that a GPU copies from and to while it computes, aligned to 64; the context's, until bz_unpin or bz_close. NULL and an
 * error: BZ_EARG for no bytes, BZ_ENOMEM. */
BZ_API void *bz_pin(bz_context *c, size_t bytes);
/* Waits for the context's copies under way. NULL is fine; BZ_EARG for what bz_pin did not give. */
BZ_API bz_status bz_unpin(bz_context *c, void *p);

/* A copy under way in its context. 0: none, it failed to begin. */
typedef uint64_t bz_ticket;

/* As bz_to_host, but returns before dst is written: it has the value that x has now, whatever happens to x, once bz_ready says so or bz_wait
 * returned, and must live until then, or until the context is closed. Into memory of bz_pin the copy goes on beside what the device computes;
 * into other memory up to 16 KiB too, and what is larger is there when the call returns. */
BZ_API bz_ticket bz_to_host_async(bz_tensor *x, void *dst, size_t bytes);

/* As bz_from_data. Data in memory of bz_pin is read later, beside what the device computes, and stays as it is until *ticket is ready; other data
 * has been read when the call returns. ticket may be NULL where that is so. */
BZ_API bz_tensor *bz_from_data_async_at(bz_context *c, bz_dtype t, const void *data,
                                        const int64_t *shape, int rank, bz_ticket *ticket,
                                        const char *site);
#define bz_from_data_async(...) bz_from_data_async_at(__VA_ARGS__, BZ_SITE)

/* Is the copy over? Never waits. true for one that failed, too: bz_wait tells. false and BZ_EARG where c gave no such ticket. */
BZ_API bool bz_ready(bz_context *c, bz_ticket t);
/* Waits for it. What the copy met, once; BZ_EARG where c gave no such ticket. */
BZ_API bz_status bz_wait(bz_context *c, bz_ticket t);

#endif
