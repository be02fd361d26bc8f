/* cuda_artefact.h - an exported function for GPUs: what it has beside an artefact (artefact.h), and the functions that run it.
 *
 *     step.o:  artefact --> variant --> image, sites           as for processors; one variant
 *                              \--> part --> codes (cuda_run.h)
 *                                     \----> fatbin: machine code for kinds of GPUs, and PTX
 *
 *     place: a context of the driver's --> kept: modules, constants, captured tensors, each once
 *                                    \---> slots: a function made ready to run, with memory of its own; a call takes one
 *
 * The driver's context is the thread's, if it has one, else the primary one of device 0. */
#ifndef BZ_RT_CUDA_ARTEFACT_H
#define BZ_RT_CUDA_ARTEFACT_H

#include "runtime/aot/artefact.h"
#include "runtime/aot/cuda_run.h"

/* Of an image. */
typedef struct bz_rt_cuda_part {
    bz_rt_cuda cuda;
    const void *fatbin; /* NULL: it has no kernels */
    uint64_t consts_bytes;
} bz_rt_cuda_part;

/* The memory that a pointer of the caller's struct leads to, where it lies on the host. */
enum bz_rt_cuda_how { BZ_RT_CUDA_IN = 1, BZ_RT_CUDA_OUT = 2 };
typedef struct bz_rt_cuda_arg {
    uint64_t bytes;
    uint32_t at, how;
} bz_rt_cuda_arg;

/* In place of a bz_rt_variant, and, in a site's `find`, of a bz_rt_image. */
typedef struct bz_rt_cuda_variant {
    bz_rt_variant v;
    bz_rt_cuda_part part;
    const bz_rt_cuda_arg *args;
    const uint64_t *baked; /* bytes of each captured tensor */
    uint32_t nargs, nbaked;
} bz_rt_cuda_variant;
typedef struct bz_rt_cuda_finder {
    bz_rt_image image;
    bz_rt_cuda_part part;
} bz_rt_cuda_finder;

/* ---- cuda_place.c */

typedef struct bz_rt_cuda_kept { /* in a context, for good */
    const void *key;             /* where it lies in the object */
    cu_module module;            /* one of these */
    cu_address at;
    struct bz_rt_cuda_kept *next;
} bz_rt_cuda_kept;

typedef struct bz_rt_cuda_place {
    const cu_driver *d;
    cu_context context;
    cu_device device;
    unsigned processors;
    bool retained; /* the primary context, by us */
    bz_rt_cuda_kept *kept;
    struct bz_rt_cuda_slot *slots;
    struct bz_rt_cuda_place *next;
} bz_rt_cuda_place;

/* What went wrong: a bz_rt_status, and words. */
typedef struct bz_rt_cuda_fault {
    int status;
    char text[500];
} bz_rt_cuda_fault;

#define bz_rt_cuda_fail      bz_rt_cuda_fail_v1
#define bz_rt_cuda_no_memory bz_rt_cuda_no_memory_v1
#define bz_rt_cuda_enter     bz_rt_cuda_enter_v1
#define bz_rt_cuda_leave     bz_rt_cuda_leave_v1
#define bz_rt_cuda_module    bz_rt_cuda_module_v1
#define bz_rt_cuda_upload    bz_rt_cuda_upload_v1
#define bz_rt_cuda_take      bz_rt_cuda_take_v1
#define bz_rt_cuda_put       bz_rt_cuda_put_v1

/* false for a code that is none of success: then f says so, "[cuda] cuMemAlloc: CUDA_ERROR_...". */
BZ_RT_INNER bool bz_rt_cuda_fail(const cu_driver *d, cu_result code, const char *what,
                                 const char *of, bz_rt_cuda_fault *f);
/* The host has no memory: f says so. false. */
BZ_RT_INNER bool bz_rt_cuda_no_memory(bz_rt_cuda_fault *f);
/* The place of the thread, whose context is current until it is left (*pushed is told to that). NULL: f says why. */
BZ_RT_INNER bz_rt_cuda_place *bz_rt_cuda_enter(bool *pushed, bz_rt_cuda_fault *f);
BZ_RT_INNER void bz_rt_cuda_leave(const bz_rt_cuda_place *p, bool pushed);
/* The module of an image, the address of constants: made at first use, kept. NULL, 0: f says why; of nothing, 0. */
BZ_RT_INNER cu_module bz_rt_cuda_module(bz_rt_cuda_place *p, const void *fatbin,
                                        bz_rt_cuda_fault *f);
BZ_RT_INNER cu_address bz_rt_cuda_upload(bz_rt_cuda_place *p, const void *bytes, uint64_t n,
                                         bz_rt_cuda_fault *f);

/* ---- cuda_slot.c */

typedef struct bz_rt_cuda_slot {
    bz_rt_cuda_run run;
    const bz_rt_variant *of; /* of the artefact */
    int64_t n;               /* the size it is for */
    const bz_rt_variant *v;  /* `of`, or what was made of it for that size */
    const bz_rt_cuda_part *part;
    void *room;
    uint64_t *words;        /* of a variant that is made */
    void **baked;           /* addresses of captured tensors */
    cu_address own, arrays; /* memory of its own; copies of the host's arrays */
    cu_address cleared;     /* scratch that was set to 0 */
    cu_stream stream;       /* NULL until the host's arrays are wanted */
    cu_event done;
    bool under_way; /* until `done` */
    bool taken;
    struct bz_rt_cuda_slot *next;
} bz_rt_cuda_slot;

#define bz_rt_cuda_slot_plan  bz_rt_cuda_slot_plan_v1
#define bz_rt_cuda_slot_ready bz_rt_cuda_slot_ready_v1
#define bz_rt_cuda_slot_free  bz_rt_cuda_slot_free_v1
#define bz_rt_cuda_slot_bytes bz_rt_cuda_slot_bytes_v1
#define bz_rt_cuda_slot_lay   bz_rt_cuda_slot_lay_v1

/* What the host knows of a slot for the artefact's function at size n; find: of a site's image in its place, or NULL. NULL: no memory. */
BZ_RT_INNER bz_rt_cuda_slot *bz_rt_cuda_slot_plan(const bz_rt_cuda_place *p,
                                                  const bz_rt_artefact *a, int64_t n,
                                                  const bz_rt_image *find,
                                                  const bz_rt_cuda_slot *with);
/* Its functions, constants and captured tensors. */
BZ_RT_INNER bool bz_rt_cuda_slot_ready(bz_rt_cuda_place *p, bz_rt_cuda_slot *s,
                                       bz_rt_cuda_fault *f);
/* In its context; NULL is fine. Waits for what is under way. */
BZ_RT_INNER void bz_rt_cuda_slot_free(const cu_driver *d, bz_rt_cuda_slot *s);
/* Bytes of the device that a run needs, at any address. */
BZ_RT_INNER uint64_t bz_rt_cuda_slot_bytes(const bz_rt_cuda_slot *s);
/* The run's memory from `at` on; 0: in memory of its own. */
BZ_RT_INNER bool bz_rt_cuda_slot_lay(bz_rt_cuda_slot *s, cu_address at, bz_rt_cuda_fault *f);

/* A slot that no other call has, until it is put back. */
BZ_RT_INNER bz_rt_cuda_slot *bz_rt_cuda_take(bz_rt_cuda_place *p, const bz_rt_artefact *a,
                                             int64_t n, bz_rt_cuda_fault *f);
BZ_RT_INNER void bz_rt_cuda_put(bz_rt_cuda_place *p, bz_rt_cuda_slot *s);

/* ---- cuda_call.c: what an artefact calls */

/* Runs the function on arrays of the host: they are copied to the device, what is written comes back, and all is done. */
BZ_RT_API int bz_rt_cuda_call_v1(const bz_rt_artefact *a, const void *args);
/* Begins it in the stream, a CUstream, on memory of the device: the struct's pointers, and its workspace. */
BZ_RT_API int bz_rt_cuda_call_device_v1(const bz_rt_artefact *a, const void *args, void *stream);
/* Bytes of a workspace on the device; 0 where there is none, and for what is no size. */
BZ_RT_API size_t bz_rt_cuda_workspace_v1(const bz_rt_artefact *a);
BZ_RT_API size_t bz_rt_cuda_workspace_of_v1(const bz_rt_artefact *a, int64_t n);
BZ_RT_API const char *bz_rt_cuda_error_v1(const bz_rt_artefact *a, int status);

/* ---- cuda_memory.c: for programs that have nothing of NVIDIA's. They use the context that the functions use, and its default stream. */

/* Memory of the device; NULL: bz_rt_cuda_error() says why. */
BZ_RT_API void *bz_rt_cuda_alloc(size_t bytes);
BZ_RT_API void bz_rt_cuda_free(void *at);
/* Copies, which are done when they return; 0, or a status. */
BZ_RT_API int bz_rt_cuda_copy_in(void *to, const void *from, size_t bytes);
BZ_RT_API int bz_rt_cuda_copy_out(void *to, const void *from, size_t bytes);
/* Why the last of these failed in this thread. */
BZ_RT_API const char *bz_rt_cuda_error(void);
/* Gives back all that exported programs keep on devices; none may be running, and the next call gets it anew. Due before a context is
 * destroyed in which they ran. */
BZ_RT_API void bz_rt_cuda_stop(void);

#endif
