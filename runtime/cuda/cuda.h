/* cuda.h - the cuda device: a memory on a stream of its own, and what programs need of it.
 *
 *      context --> cuda_memory --> stream: copies, fills and kernels in the order of the calls
 *                      \--> place: the device's primary context, which all contexts on it share */
#ifndef RT_CUDA_H
#define RT_CUDA_H

#include "runtime/aot/cuda_driver.h"
#include "runtime/exec/kernels.h"
#include "runtime/memory/memory.h"

enum { CUDA_RING = 4, CUDA_STAGE = 256 << 10 }; /* pieces of pinned memory, and bytes of each */
enum { CUDA_LAST = 4, CUDA_NAME = 56 }; /* launches that are remembered, and bytes of a name */

typedef struct cuda_place cuda_place; /* place.c */

typedef struct cuda_memory {
    rt_memory base;
    const cu_driver *d;
    int number; /* of the device, and the driver's own */
    cu_device device;
    cu_context context;
    cuda_place *place; /* NULL: not there yet */
    cu_stream stream;
    cu_event mark;            /* to make another memory's stream wait for this one's */
    bool ordered;             /* memory is got and given back in the stream's order */
    unsigned arch;            /* 90: compute capability 9.0 */
    unsigned processors;      /* of the device */
    int64_t shared;           /* bytes of shared memory that a block may ask for */
    bz_error lost;            /* the first error after which the driver's context is at its end */
    char *ring;               /* pinned; NULL until something is copied in */
    cu_event read[CUDA_RING]; /* the piece has been read */
    unsigned next;            /* of the ring's pieces */
    char last[CUDA_LAST][CUDA_NAME]; /* what was launched, for who is told of a fault later */
    unsigned launched;               /* how many; the last is number launched - 1 */
    struct cuda_async *async;        /* async.c; NULL until it is wanted */
    cu_module copier;                /* strided.c; NULL until it is wanted */
    cu_function runs[5];             /* by log2 of the bytes that a thread moves */
} cuda_memory;

/* ---- driver.c */
/* The driver, opened: BZ_EDEVICE with what was looked for and why it does not do; a later call looks again. */
bz_status cu_open(const cu_driver **d, bz_error *e);
/* Has the device's context come to an end with this: does every later call fail too? */
bool cu_is_final(cu_result r);

/* ---- memory.c */
/* The memory of device number `number`, for one context. */
rt_memory *cuda_open(int number, bz_error *e);

/* Makes m's driver context the thread's; cuda_leave takes it away again. What was lost, or was reset, is an error here. */
bz_status cuda_enter(cuda_memory *m, bz_error *e);
void cuda_leave(cuda_memory *m);
/* The same for who gives something back, which a lost device does not keep from trying. false: there is no way in. */
bool cuda_enter_to_free(cuda_memory *m);
/* BZ_OK, or an error with the driver's words: "[cuda] cuLaunchKernel of softmax_0: CUDA_ERROR_...". `of` may be NULL. */
bz_status cuda_check(cuda_memory *m, cu_result r, const char *what, const char *of, bz_error *e);

/* A kernel of that name was launched. */
void cuda_launched(cuda_memory *m, const char *name);

/* Within cuda_enter: */
bz_status cuda_get(cuda_memory *m, size_t bytes, rt_address *at, bz_error *e); /* alloc */
void cuda_give(cuda_memory *m, rt_address at);
bz_status cuda_copy_in(cuda_memory *m, rt_address to, const void *from, size_t bytes, bz_error *e);
bz_status cuda_copy_out(cuda_memory *m, void *to, rt_address from, size_t bytes, bz_error *e);
bz_status cuda_wait(cuda_memory *m, bz_error *e);
bz_status cuda_copy(cuda_memory *m, rt_address to, rt_address from, const rt_runs *r, bz_error *e);
size_t cuda_total(const rt_runs *r); /* bytes */
/* An image (PTX, cubin, fatbin) as a module; where it does not load, the driver's log in the words. */
bz_status cuda_load(cuda_memory *m, const void *image, const char *what, cu_module *out,
                    bz_error *e);

/* ---- code.c: kernels in m's place. To be used within cuda_enter */
typedef struct cuda_codegen {
    rt_codegen base;
    cuda_memory *m;
    bool fast; /* of a context in fast mode: its kernels have keys of their own */
} cuda_codegen;
cuda_codegen cuda_codegen_for(cuda_memory *m, bool fast);

/* ---- place.c: the driver's context of a device, with its code */
/* One memory more in it (NULL in spite of CU_SUCCESS: out of memory), and one less: with the last one the kernels go that were loaded there. */
cu_result cuda_place_arrive(const cu_driver *d, cu_device device, cuda_place **out, cu_context *c);
void cuda_place_leave(cuda_place *p);
/* It is not reset until it is released; false: it was. */
bool cuda_place_hold(cuda_place *p);
void cuda_place_release(cuda_place *p);
bool cuda_place_is_gone(cuda_place *p);
/* As cuda_enter_to_free and cuda_leave. */
bool cuda_place_enter_to_free(cuda_place *p);
void cuda_place_step_out(cuda_place *p);
/* All that is in it goes, once nobody makes calls in it. CU_SUCCESS where somebody did that before. */
cu_result cuda_place_reset(cuda_place *p);

/* ---- async.c: copies beside what is computed */
void *cuda_pin(rt_memory *m, size_t bytes, bz_error *e);
void cuda_unpin(rt_memory *m, void *p);
bz_status cuda_start_in(rt_memory *m, rt_address to, const void *from, size_t bytes,
                        rt_transfer **t, bz_error *e);
bz_status cuda_start_out(rt_memory *m, void *to, rt_address from, const rt_runs *r, bool pinned,
                         rt_transfer **t, bz_error *e);
bz_status cuda_finish(rt_memory *m, rt_transfer *t, bool wait, bool *done, bz_error *e);
void cuda_async_free(
    cuda_memory *m,
    bool
        gone); /* when all are finished; within cuda_enter_to_free, or `gone`: there is no way in */

/* ---- compiler.c: the version of NVRTC, without opening it where the store knows */
bz_status cuda_compiler(unsigned *version, bz_error *e);
bool cuda_compiler_is_as_told(void); /* it is open, and was never said to be another */

/* ---- strided.c: runs of any strides, within the device */
bz_status cuda_copy_runs(cuda_memory *m, rt_address to, rt_address from, const rt_runs *r,
                         bz_error *e);

#endif
