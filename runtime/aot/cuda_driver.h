/* cuda_driver.h - the functions of the CUDA Driver API that are used here, found in a library that is opened when the first context wants
 * a GPU. Nothing of NVIDIA's is linked, and no header of theirs is needed: the declarations are ours. */
#ifndef BZ_RT_CUDA_DRIVER_H
#define BZ_RT_CUDA_DRIVER_H

#include "runtime/aot/aot.h"

#include <stddef.h>

typedef int cu_result; /* CUresult */
enum { CU_SUCCESS = 0, CU_OUT_OF_MEMORY = 2, CU_NOT_READY = 600 };
typedef int cu_device;
typedef uint64_t cu_address;
typedef struct cu_context_of *cu_context;
typedef struct cu_stream_of *cu_stream;
typedef struct cu_event_of *cu_event;
typedef struct cu_module_of *cu_module;
typedef struct cu_function_of *cu_function;
typedef struct cu_pool_of *cu_pool;
typedef struct cu_graph_of *cu_graph;
typedef struct cu_node_of *cu_node; /* of a graph */
typedef struct cu_exec_of *cu_exec; /* a graph made ready */
typedef struct cu_kernel_node {     /* CUDA_KERNEL_NODE_PARAMS_v2 */
    cu_function f;
    unsigned gx, gy, gz, bx, by, bz, shared;
    void **parameters, **extra;
    void *kernel; /* in place of f */
    cu_context context;
} cu_kernel_node;

/* Numbers of attributes and flags. */
enum cu_numbers {
    CU_PROCESSORS = 16,  /* CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT */
    CU_DYNAMIC = 8,      /* CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES */
    CU_MAJOR = 75,       /* ... COMPUTE_CAPABILITY_MAJOR */
    CU_MINOR = 76,       /* ... COMPUTE_CAPABILITY_MINOR */
    CU_SHARED = 97,      /* ... MAX_SHARED_MEMORY_PER_BLOCK_OPTIN */
    CU_HAS_POOLS = 115,  /* ... MEMORY_POOLS_SUPPORTED */
    CU_NON_BLOCKING = 1, /* CU_STREAM_NON_BLOCKING */
    CU_NO_TIMING = 2,    /* CU_EVENT_DISABLE_TIMING */
    CU_JIT_ERROR_LOG = 5,
    CU_JIT_ERROR_LOG_BYTES = 6,
};

/* MUST(name here, exported name, parameters); MAY: NULL where a driver lacks it. Exported names carry the version whose parameters
 * these are. */
#define CU_FUNCTIONS(MUST, MAY)                                                                    \
    MUST(init, "cuInit", (unsigned flags))                                                         \
    MUST(device_count, "cuDeviceGetCount", (int *n))                                               \
    MUST(device_get, "cuDeviceGet", (cu_device * d, int ordinal))                                  \
    MUST(device_attribute, "cuDeviceGetAttribute", (int *v, int attribute, cu_device d))           \
    MUST(device_memory, "cuDeviceTotalMem_v2", (size_t * bytes, cu_device d))                      \
    MUST(context_retain, "cuDevicePrimaryCtxRetain", (cu_context * c, cu_device d))                \
    MUST(context_release, "cuDevicePrimaryCtxRelease_v2", (cu_device d))                           \
    MUST(context_push, "cuCtxPushCurrent_v2", (cu_context c))                                      \
    MUST(context_pop, "cuCtxPopCurrent_v2", (cu_context * c))                                      \
    MUST(context_current, "cuCtxGetCurrent", (cu_context * c))                                     \
    MUST(context_device, "cuCtxGetDevice", (cu_device * d))                                        \
    MUST(alloc, "cuMemAlloc_v2", (cu_address * at, size_t bytes))                                  \
    MUST(free, "cuMemFree_v2", (cu_address at))                                                    \
    MUST(host_alloc, "cuMemAllocHost_v2", (void **p, size_t bytes))                                \
    MUST(host_free, "cuMemFreeHost", (void *p))                                                    \
    MUST(copy_in, "cuMemcpyHtoDAsync_v2",                                                          \
         (cu_address to, const void *from, size_t bytes, cu_stream s))                             \
    MUST(copy_out, "cuMemcpyDtoHAsync_v2", (void *to, cu_address from, size_t bytes, cu_stream s)) \
    MUST(copy, "cuMemcpyDtoDAsync_v2",                                                             \
         (cu_address to, cu_address from, size_t bytes, cu_stream s))                              \
    MUST(copy_peer, "cuMemcpyPeerAsync",                                                           \
         (cu_address to, cu_context there, cu_address from, cu_context here, size_t bytes,         \
          cu_stream s))                                                                            \
    MUST(fill, "cuMemsetD8Async", (cu_address to, unsigned char v, size_t bytes, cu_stream s))     \
    MUST(stream_new, "cuStreamCreate", (cu_stream * s, unsigned flags))                            \
    MUST(stream_free, "cuStreamDestroy_v2", (cu_stream s))                                         \
    MUST(stream_wait, "cuStreamSynchronize", (cu_stream s))                                        \
    MUST(stream_after, "cuStreamWaitEvent", (cu_stream s, cu_event e, unsigned flags))             \
    MUST(event_new, "cuEventCreate", (cu_event * e, unsigned flags))                               \
    MUST(event_free, "cuEventDestroy_v2", (cu_event e))                                            \
    MUST(event_record, "cuEventRecord", (cu_event e, cu_stream s))                                 \
    MUST(event_wait, "cuEventSynchronize", (cu_event e))                                           \
    MUST(event_query, "cuEventQuery", (cu_event e))                                                \
    MUST(module_load, "cuModuleLoadDataEx",                                                        \
         (cu_module * m, const void *image, unsigned n, const int *options, void **values))        \
    MUST(module_free, "cuModuleUnload", (cu_module m))                                             \
    MUST(module_function, "cuModuleGetFunction", (cu_function * f, cu_module m, const char *name)) \
    MUST(function_set, "cuFuncSetAttribute", (cu_function f, int attribute, int value))            \
    MUST(launch, "cuLaunchKernel",                                                                 \
         (cu_function f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,          \
          unsigned bz, unsigned shared, cu_stream s, void **parameters, void **extra))             \
    MAY(alloc_ordered, "cuMemAllocAsync", (cu_address * at, size_t bytes, cu_stream s))            \
    MAY(free_ordered, "cuMemFreeAsync", (cu_address at, cu_stream s))                              \
    MAY(context_reset, "cuDevicePrimaryCtxReset_v2", (cu_device d))                                \
    MAY(device_pool, "cuDeviceGetMemPool", (cu_pool * p, cu_device d))                             \
    MAY(pool_trim, "cuMemPoolTrimTo", (cu_pool p, size_t keep))                                    \
    MAY(graph_new, "cuGraphCreate", (cu_graph * g, unsigned flags))                                \
    MAY(graph_free, "cuGraphDestroy", (cu_graph g))                                                \
    MAY(graph_kernel, "cuGraphAddKernelNode_v2",                                                   \
        (cu_node * n, cu_graph g, const cu_node *after, size_t nafter, const cu_kernel_node *k))   \
    MAY(graph_ready, "cuGraphInstantiateWithFlags",                                                \
        (cu_exec * x, cu_graph g, unsigned long long flags))                                       \
    MAY(exec_free, "cuGraphExecDestroy", (cu_exec x))                                              \
    MAY(exec_kernel, "cuGraphExecKernelNodeSetParams_v2",                                          \
        (cu_exec x, cu_node n, const cu_kernel_node *k))                                           \
    MAY(exec_launch, "cuGraphLaunch", (cu_exec x, cu_stream s))                                    \
    MAY(error_name, "cuGetErrorName", (cu_result r, const char **text))                            \
    MAY(error_text, "cuGetErrorString", (cu_result r, const char **text))

typedef struct cu_driver {
#define CU_MEMBER(name, exported, parameters) cu_result(*name) parameters;
    CU_FUNCTIONS(CU_MEMBER, CU_MEMBER)
#undef CU_MEMBER
} cu_driver;

/* ---- cuda_driver.c. Symbols end in the version of this table. */
#define bz_rt_cu_open bz_rt_cu_open_v1
#define bz_rt_cu_text bz_rt_cu_text_v1

/* The driver, opened and initialised: $BRAZE_LIBCUDA alone when it is set (not in a process that runs with the rights of others), else
 * libcuda.so.1. NULL, and in `why` what was looked for and why it does not do; a later call looks again. Never closed. */
BZ_RT_INNER const cu_driver *bz_rt_cu_open(char *why, size_t n);
/* "CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was encountered)" */
BZ_RT_INNER void bz_rt_cu_text(const cu_driver *d, cu_result r, char *text, size_t n);

/* Makes the driver's context the thread's, for who gives something back, and takes it away again. Calls may answer with the error of
 * earlier work, so that one is no proof: these are tried again. false: there is no way in. */
static inline bool cu_enter_to_free(const cu_driver *d, cu_context c) {
    return !d->context_push(c) || !d->context_push(c);
}
static inline void cu_leave(const cu_driver *d, cu_context c) {
    cu_context own;
    if (d->context_pop(&own) && !d->context_current(&own) && own == c) d->context_pop(&own);
}
/* It knows graphs of launches. */
static inline bool cu_has_graphs(const cu_driver *d) {
    return d->graph_new && d->graph_free && d->graph_kernel && d->graph_ready && d->exec_free &&
           d->exec_kernel && d->exec_launch;
}

#endif
