/* fuzz_calls.c - random sequences of driver calls with good, stale and invented arguments.
 *
 *      fuzz_calls [sequences] [threads] [seed]
 *
 * Nothing may crash, hang or leak whatever is called in whatever order; host pointers alone are
 * always real, as no driver can check them. Handles that were made are kept in bags, from which
 * calls draw; what was destroyed stays there for a while. Built with sanitizers by `make
 * fuzz-calls`. */
#include "fake.h"
#include "test_kernels.h"

#include <stdlib.h>
#include <string.h>

enum {
    BAG = 24,
    FRESH = 3,
    BUFFER = 1 << 14
}; /* the first FRESH of a bag were made for this sequence */

typedef struct {
    void *at[BAG];
} bag;

typedef struct {
    uint64_t random;
    bag contexts, streams, events, modules, functions, libraries, kernels, pools, graphs, nodes,
        execs, objects;
    CUdeviceptr memory[BAG];
    void *pinned[BAG];
    unsigned char host[BUFFER];
} fuzzer;

static uint64_t roll(fuzzer *f, uint64_t n) {
    f->random = f->random * 6364136223846793005u + 1442695040888963407u;
    return (f->random >> 33) % n;
}

static void keep(fuzzer *f, bag *b, void *handle) {
    b->at[roll(f, BAG)] = handle;
}

/* Mostly something that is alive, else something from the bag, now and then nothing or nonsense. */
static void *draw(fuzzer *f, bag *b) {
    switch (roll(f, 32)) {
    case 0: return NULL;
    case 1: return (void *)(uintptr_t)roll(f, 1u << 30);
    default: return b->at[roll(f, 4) ? roll(f, FRESH) : roll(f, BAG)];
    }
}

static CUstream stream(fuzzer *f) {
    return roll(f, 4) == 0 ? (CUstream)(uintptr_t)roll(f, 4) : (CUstream)draw(f, &f->streams);
}

static CUdeviceptr address(fuzzer *f) {
    const CUdeviceptr p = f->memory[roll(f, 4) ? roll(f, FRESH) : roll(f, BAG)];
    switch (roll(f, 24)) {
    case 0: return 0;
    case 1: return p + roll(f, 5000);
    case 2: return roll(f, UINT64_MAX);
    default: return p;
    }
}

static size_t size(fuzzer *f) {
    return roll(f, 10) == 0 ? (size_t)roll(f, BUFFER) : (size_t)roll(f, 1024);
}

static void *host(fuzzer *f) {
    return roll(f, 16) == 0 ? NULL : f->host + roll(f, 64);
}

static void host_function(void *user) {
    ++*(volatile unsigned char *)user;
}

static unsigned char calls_seen[16];

/* ---- groups of calls ------------------------------------------------------------------------- */

static void context_call(fuzzer *f) {
    CUcontext ctx = NULL;
    size_t value;
    unsigned flags;
    int number;
    switch (roll(f, 14)) {
    case 0:
        if (roll(f, 4) == 0 &&
            cuCtxCreate_v2(&ctx, (unsigned)roll(f, 12), (int)roll(f, 3)) == CUDA_SUCCESS)
            keep(f, &f->contexts, ctx);
        break;
    case 1: cuCtxDestroy_v2(draw(f, &f->contexts)); break;
    case 2: cuCtxPushCurrent_v2(draw(f, &f->contexts)); break;
    case 3:
    case 4:
        if (roll(f, 4) == 0) { /* without a context nothing else happens */
            cuCtxPopCurrent_v2(&ctx);
            cuCtxSetCurrent(draw(f, &f->contexts));
        }
        break;
    case 5: cuCtxSynchronize(); break;
    case 6: cuCtxGetLimit(&value, (CUlimit)roll(f, 9)); break;
    case 7: cuCtxSetLimit((CUlimit)roll(f, 9), roll(f, 1u << 20)); break;
    case 8: cuCtxEnablePeerAccess(draw(f, &f->contexts), (unsigned)roll(f, 2)); break;
    case 9: cuCtxDisablePeerAccess(draw(f, &f->contexts)); break;
    case 10:
        cuDeviceGetAttribute(&number, (CUdevice_attribute)roll(f, 160), (int)roll(f, 3));
        break;
    case 11: cuCtxGetFlags(&flags); break;
    case 12: cuMemGetInfo_v2(&value, &value); break;
    default: cuCtxGetDevice_v2(&number, draw(f, &f->contexts)); break;
    }
}

static void memory_call(fuzzer *f) {
    CUdeviceptr p = 0;
    void *h = NULL;
    size_t n;
    unsigned long long data[2];
    switch (roll(f, 14)) {
    case 0:
    case 1:
        if (cuMemAlloc_v2(&p, size(f)) == CUDA_SUCCESS) f->memory[roll(f, BAG)] = p;
        break;
    case 2: cuMemFree_v2(address(f)); break;
    case 3:
        if (cuMemHostAlloc(&h, size(f), (unsigned)roll(f, 8)) == CUDA_SUCCESS) {
            f->pinned[roll(f, BAG)] = h;
            f->memory[roll(f, BAG)] = (CUdeviceptr)(uintptr_t)h;
        }
        break;
    case 4: cuMemFreeHost(f->pinned[roll(f, BAG)]); break;
    case 5: cuMemHostRegister_v2(f->host, BUFFER, (unsigned)roll(f, 4)); break;
    case 6: cuMemHostUnregister(f->host); break;
    case 7: cuMemHostGetDevicePointer_v2(&p, f->pinned[roll(f, BAG)], 0); break;
    case 8: cuPointerGetAttribute(data, (CUpointer_attribute)roll(f, 22), address(f)); break;
    case 9:
        if (cuMemAllocAsync(&p, size(f), stream(f)) == CUDA_SUCCESS) f->memory[roll(f, BAG)] = p;
        break;
    case 10: cuMemFreeAsync(address(f), stream(f)); break;
    case 11: cuMemGetAddressRange_v2(&p, &n, address(f)); break;
    case 12: {
        const CUmemPoolProps props = {.allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
                                      .location = {CU_MEM_LOCATION_TYPE_DEVICE, (int)roll(f, 3)}};
        CUmemoryPool pool;
        if (cuMemPoolCreate(&pool, &props) == CUDA_SUCCESS) keep(f, &f->pools, pool);
        break;
    }
    default:
        cuMemPoolDestroy(draw(f, &f->pools));
        cuMemPoolGetAttribute(draw(f, &f->pools), (CUmemPool_attribute)roll(f, 10), data);
        break;
    }
}

static void copy_call(fuzzer *f) {
    CUDA_MEMCPY3D c = {.srcMemoryType = (CUmemorytype)roll(f, 5),
                       .srcHost = host(f),
                       .srcDevice = address(f),
                       .srcPitch = size(f),
                       .srcHeight = roll(f, 4),
                       .srcY = roll(f, 3),
                       .dstMemoryType = roll(f, 2) ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_UNIFIED,
                       .dstDevice = address(f),
                       .dstPitch = size(f),
                       .dstHeight = roll(f, 4),
                       .WidthInBytes = roll(f, 64),
                       .Height = roll(f, 4),
                       .Depth = roll(f, 3)};
    const size_t n = roll(f, BUFFER - 64);
    switch (roll(f, 12)) {
    case 0: cuMemcpyHtoD_v2(address(f), host(f), size(f)); break;
    case 1: cuMemcpyDtoH_v2(host(f), address(f), size(f)); break;
    case 2: cuMemcpyDtoD_v2(address(f), address(f), size(f)); break;
    case 3: cuMemcpyHtoDAsync_v2(address(f), host(f), n, stream(f)); break;
    case 4: cuMemcpyDtoHAsync_v2(host(f), address(f), n, stream(f)); break;
    case 5: cuMemcpyDtoDAsync_v2(address(f), address(f), size(f), stream(f)); break;
    case 6: cuMemsetD8Async(address(f), 1, size(f), stream(f)); break;
    case 7: cuMemsetD32_v2(address(f), 1, roll(f, 300)); break;
    case 8: cuMemsetD2D16Async(address(f), size(f), 1, roll(f, 40), roll(f, 5), stream(f)); break;
    case 9:
        if (c.srcMemoryType != CU_MEMORYTYPE_HOST || (c.srcPitch < 1024 && c.srcHost))
            cuMemcpy3DAsync_v2(&c, stream(f));
        break;
    case 10:
        cuMemcpyPeerAsync(address(f), draw(f, &f->contexts), address(f), draw(f, &f->contexts),
                          size(f), stream(f));
        break;
    default: cuMemcpyDtoH_v2_ptds(host(f), address(f), size(f)); break;
    }
}

static void stream_call(fuzzer *f) {
    CUstream s;
    CUevent e;
    CUgraph g;
    float ms;
    CUstreamCaptureStatus status;
    unsigned mode = (unsigned)roll(f, 4);
    switch (roll(f, 16)) {
    case 0:
    case 1:
        if (cuStreamCreate(&s, (unsigned)roll(f, 3)) == CUDA_SUCCESS) keep(f, &f->streams, s);
        break;
    case 2: cuStreamDestroy_v2(draw(f, &f->streams)); break;
    case 3: cuStreamSynchronize(stream(f)); break;
    case 4: cuStreamQuery(stream(f)); break;
    case 5:
    case 6: cuStreamWaitEvent(stream(f), draw(f, &f->events), roll(f, 8) == 0); break;
    case 7:
        if (cuEventCreate(&e, (unsigned)roll(f, 4)) == CUDA_SUCCESS) keep(f, &f->events, e);
        break;
    case 8: cuEventDestroy_v2(draw(f, &f->events)); break;
    case 9:
    case 10: cuEventRecordWithFlags(draw(f, &f->events), stream(f), roll(f, 8) == 0); break;
    case 11: cuEventSynchronize(draw(f, &f->events)); break;
    case 12: cuEventElapsedTime(&ms, draw(f, &f->events), draw(f, &f->events)); break;
    case 13:
        if (roll(f, 3) == 0) cuThreadExchangeStreamCaptureMode(&mode);
        cuStreamBeginCapture_v2(stream(f), (unsigned)roll(f, 4));
        break;
    case 14:
        if (cuStreamEndCapture(stream(f), &g) == CUDA_SUCCESS) keep(f, &f->graphs, g);
        break;
    default:
        cuStreamIsCapturing(stream(f), &status);
        cuLaunchHostFunc(stream(f), host_function, calls_seen);
        break;
    }
}

static void module_call(fuzzer *f) {
    static const char *const names[] = {"scale", "poke", "scale", "wide", "ticket", "none"};
    CUmodule m;
    CUfunction func;
    CUlibrary lib;
    CUkernel k;
    CUdeviceptr p;
    size_t n;
    int value;
    switch (roll(f, 12)) {
    case 0:
        if (cuModuleLoadData(&m, roll(f, 8) ? kernels : "nonsense") == CUDA_SUCCESS)
            keep(f, &f->modules, m);
        break;
    case 1: cuModuleUnload(draw(f, &f->modules)); break;
    case 2:
    case 3:
    case 4:
        if (cuModuleGetFunction(&func, draw(f, &f->modules),
                                roll(f, 20) ? names[roll(f, 6)] : "crash") == CUDA_SUCCESS)
            keep(f, &f->functions, func);
        break;
    case 5:
        if (cuModuleGetGlobal_v2(&p, &n, draw(f, &f->modules), "counter") == CUDA_SUCCESS)
            f->memory[roll(f, BAG)] = p;
        break;
    case 6:
        if (roll(f, 3) == 0 &&
            cuLibraryLoadData(&lib, kernels, NULL, NULL, 0, NULL, NULL, 0) == CUDA_SUCCESS)
            keep(f, &f->libraries, lib);
        break;
    case 7: cuLibraryUnload(draw(f, &f->libraries)); break;
    case 8:
        if (cuLibraryGetKernel(&k, draw(f, &f->libraries), names[roll(f, 6)]) == CUDA_SUCCESS) {
            keep(f, &f->kernels, k);
            keep(f, &f->functions, k);
        }
        break;
    case 9: cuKernelGetFunction(&func, draw(f, &f->kernels)); break;
    case 10:
        cuFuncSetAttribute(draw(f, &f->functions), (CUfunction_attribute)roll(f, 17),
                           (int)roll(f, 200000));
        break;
    default:
        cuFuncGetAttribute(&value, (CUfunction_attribute)roll(f, 17), draw(f, &f->functions));
        break;
    }
}

/* Arguments that fit every kernel of the module: too long for some, never too short. */
static void launch_call(fuzzer *f) {
    CUdeviceptr a = address(f), b = address(f);
    float k = 2;
    unsigned n = (unsigned)roll(f, 64);
    void *params[] = {&a, &b, &k, &n};
    const unsigned g = (unsigned)roll(f, 3), t = roll(f, 10) == 0 ? (unsigned)roll(f, 1100) : 32;
    if (roll(f, 6) == 0) {
        cuLaunchCooperativeKernel(draw(f, &f->functions), g, 1, 1, t, 1, 1, (unsigned)roll(f, 4096),
                                  stream(f), params);
    } else {
        cuLaunchKernel(draw(f, &f->functions), g, 1, 1, t, 1, 1, (unsigned)roll(f, 4096), stream(f),
                       params, NULL);
    }
}

static void node_call(fuzzer *f) {
    CUgraphNode node = NULL, deps[2] = {draw(f, &f->nodes), draw(f, &f->nodes)};
    const size_t n = roll(f, 3);
    CUgraph g = draw(f, &f->graphs), child;
    CUcontext ctx = draw(f, &f->contexts);
    CUresult r = CUDA_ERROR_UNKNOWN;
    CUdeviceptr a = address(f);
    void *params[] = {&a, &a, f->host, f->host};
    const CUDA_KERNEL_NODE_PARAMS_v2 kernel = {.func = draw(f, &f->functions),
                                               .gridDimX = 1,
                                               .gridDimY = 1,
                                               .gridDimZ = 1,
                                               .blockDimX = 32,
                                               .blockDimY = 1,
                                               .blockDimZ = 1,
                                               .kernelParams = params};
    const CUDA_MEMSET_NODE_PARAMS fill = {a, 0, 3, 1, roll(f, 300), 1};
    const CUDA_HOST_NODE_PARAMS fn = {host_function, calls_seen};
    CUDA_MEM_ALLOC_NODE_PARAMS alloc = {.poolProps = {.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0}},
                                        .bytesize = roll(f, 500)};
    CUDA_KERNEL_NODE_PARAMS_v2 got;
    switch (roll(f, 13)) {
    case 0: r = cuGraphAddKernelNode_v2(&node, g, deps, n, &kernel); break;
    case 1: r = cuGraphAddMemsetNode(&node, g, deps, n, &fill, ctx); break;
    case 2: r = cuGraphAddHostNode(&node, g, deps, n, &fn); break;
    case 3: r = cuGraphAddEmptyNode(&node, g, deps, n); break;
    case 4: r = cuGraphAddChildGraphNode(&node, g, deps, n, draw(f, &f->graphs)); break;
    case 5: r = cuGraphAddEventRecordNode(&node, g, deps, n, draw(f, &f->events)); break;
    case 6: r = cuGraphAddEventWaitNode(&node, g, deps, n, draw(f, &f->events)); break;
    case 7:
        r = cuGraphAddMemAllocNode(&node, g, deps, n, &alloc);
        if (r == CUDA_SUCCESS) f->memory[roll(f, BAG)] = alloc.dptr;
        break;
    case 8: r = cuGraphAddMemFreeNode(&node, g, deps, n, a); break;
    case 9: cuGraphAddDependencies(g, deps, deps + 1, 1); break;
    case 10: cuGraphDestroyNode(deps[0]); break;
    case 11: cuGraphKernelNodeGetParams_v2(deps[0], &got); break;
    default:
        if (cuGraphChildGraphNodeGetGraph(deps[0], &child) == CUDA_SUCCESS)
            keep(f, &f->graphs, child);
        break;
    }
    if (r == CUDA_SUCCESS) keep(f, &f->nodes, node);
}

static void graph_call(fuzzer *f) {
    CUgraph g = NULL;
    CUgraphExec exec = NULL;
    CUgraphNode nodes[8], to[8];
    size_t n = roll(f, 9);
    CUgraphExecUpdateResultInfo info;
    CUuserObject object;
    switch (roll(f, 13)) {
    case 0:
        if (cuGraphCreate(&g, 0) == CUDA_SUCCESS) keep(f, &f->graphs, g);
        break;
    case 1: cuGraphDestroy(draw(f, &f->graphs)); break;
    case 2:
        if (cuGraphClone(&g, draw(f, &f->graphs)) == CUDA_SUCCESS) keep(f, &f->graphs, g);
        break;
    case 3:
    case 4:
        if (cuGraphInstantiateWithFlags(&exec, draw(f, &f->graphs), 0) == CUDA_SUCCESS)
            keep(f, &f->execs, exec);
        break;
    case 5:
    case 6: cuGraphLaunch(draw(f, &f->execs), stream(f)); break;
    case 7: cuGraphExecDestroy(draw(f, &f->execs)); break;
    case 8: cuGraphExecUpdate_v2(draw(f, &f->execs), draw(f, &f->graphs), &info); break;
    case 9: cuGraphGetEdges(draw(f, &f->graphs), nodes, to, &n); break;
    case 10:
        if (cuGraphGetNodes(draw(f, &f->graphs), nodes, &n) == CUDA_SUCCESS && n > 0)
            keep(f, &f->nodes, nodes[0]);
        break;
    case 11:
        cuGraphNodeSetEnabled(draw(f, &f->execs), draw(f, &f->nodes), (unsigned)roll(f, 2));
        break;
    default:
        if (cuUserObjectCreate(&object, calls_seen, host_function, 1, 1) == CUDA_SUCCESS)
            keep(f, &f->objects, object);
        cuGraphRetainUserObject(draw(f, &f->graphs), draw(f, &f->objects), 1, (unsigned)roll(f, 2));
        cuUserObjectRelease(draw(f, &f->objects), 1);
        break;
    }
}

/* ---- sequences ------------------------------------------------------------------------------- */

/* What most calls of the sequence will find alive. */
static void refresh(fuzzer *f) {
    static const char *const names[FRESH] = {"scale", "ticket", "poke"};
    CUdeviceptr base;
    size_t n;
    if (cuModuleGetFunctionCount((unsigned *)&n, f->modules.at[0]) != CUDA_SUCCESS)
        cuModuleLoadData((CUmodule *)&f->modules.at[0], kernels);
    for (int i = 0; i < FRESH; i++) {
        cuModuleGetFunction((CUfunction *)&f->functions.at[i], f->modules.at[0], names[i]);
        if (cuMemGetAddressRange_v2(&base, &n, f->memory[i]) != CUDA_SUCCESS)
            cuMemAlloc_v2(&f->memory[i], 4096);
        if (cuStreamGetId(f->streams.at[i], (unsigned long long *)&n) != CUDA_SUCCESS)
            cuStreamCreate((CUstream *)&f->streams.at[i], i > 0);
        if (cuEventQuery(f->events.at[i]) == CUDA_ERROR_INVALID_HANDLE)
            cuEventCreate((CUevent *)&f->events.at[i], 0);
        if (cuGraphGetNodes(f->graphs.at[i], NULL, &n) != CUDA_SUCCESS)
            cuGraphCreate((CUgraph *)&f->graphs.at[i], 0);
    }
}

static void sequence(fuzzer *f) {
    static void (*const groups[])(fuzzer *) = {
        context_call, memory_call, memory_call, copy_call, copy_call, stream_call, stream_call,
        module_call,  launch_call, launch_call, node_call, node_call, graph_call};
    CUcontext primary;
    cuDevicePrimaryCtxRetain(&primary, 0);
    cuCtxSetCurrent(primary);
    keep(f, &f->contexts, primary);
    refresh(f);
    for (uint64_t n = 5 + roll(f, 30); n > 0; n--)
        groups[roll(f, sizeof groups / sizeof *groups)](f);
    CUcontext left;
    while (cuCtxPopCurrent_v2(&left) == CUDA_SUCCESS) {}
    cuCtxSetCurrent(primary);
    if (cuCtxSynchronize() != CUDA_SUCCESS || roll(f, 50) == 0) cuDevicePrimaryCtxReset_v2(0);
    cuDevicePrimaryCtxRelease_v2(0);
    cuCtxPopCurrent_v2(&left);
    if (roll(f, 20) == 0) {
        for (int i = 0; i < BAG; i++) {
            cuGraphExecDestroy(f->execs.at[i]);
            cuGraphDestroy(f->graphs.at[i]);
            cuCtxDestroy_v2(f->contexts.at[i]);
            cuLibraryUnload(f->libraries.at[i]);
            cuEventDestroy_v2(f->events.at[i]);
        }
    }
}

typedef struct {
    uint64_t sequences, seed;
} job;

static void *run(void *user) {
    const job *j = user;
    fuzzer *f = calloc(1, sizeof *f);
    f->random = j->seed;
    for (uint64_t i = 0; i < j->sequences; i++) sequence(f);
    for (int i = 0; i < BAG; i++) cuMemHostUnregister(f->host);
    free(f);
    return NULL;
}

int main(int argc, char **argv) {
    enum { THREADS_MOST = 8 };
    const uint64_t sequences = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000;
    const unsigned threads = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1;
    const uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
    setenv("BRAZE_FAKE_QUIET", "1", 0);
    setenv("BRAZE_FAKE_LEAKS", "0", 0);
    setenv("BRAZE_FAKE_DEVICES", "80,90", 0);
    cuInit(0);
    pthread_t thread[THREADS_MOST];
    job jobs[THREADS_MOST];
    for (unsigned i = 0; i < threads && i < THREADS_MOST; i++) {
        jobs[i] = (job){sequences / threads, seed + i};
        pthread_create(&thread[i], NULL, run, &jobs[i]);
    }
    for (unsigned i = 0; i < threads && i < THREADS_MOST; i++) pthread_join(thread[i], NULL);
    printf("fuzz_calls: %llu sequences on %u threads, seed %llu: %llu launches, %llu copies, %llu "
           "graphs, "
           "%zu kinds of reports, no crash\n",
           (unsigned long long)sequences, threads, (unsigned long long)seed,
           (unsigned long long)braze_fake_commands("kernel"),
           (unsigned long long)braze_fake_commands("copy"),
           (unsigned long long)braze_fake_calls("cuGraphLaunch"), braze_fake_reports());
    return 0;
}
