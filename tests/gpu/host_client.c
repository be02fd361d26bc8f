/* host_client.c - a program as its users write them: batches streamed through two device buffers, a
 * graph replayed with new parameters, a captured fork, memory that a stream owns, the legacy
 * stream.
 *
 *      up     [copy b]---uploaded[b%2]--.            copies of batch b+1 overlap the kernel of
 * batch b run         [axpy b]<------------'--computed[b%2]--. down             [copy
 * b]<------------------------'--downloaded[b%2]
 *
 * It opens $BRAZE_LIBCUDA, else libcuda.so.1, checks every number it gets back, and exits with 0 or
 * 1; on the emulated driver with 77 when that has something to report. The mutation proof drops its
 * calls one by one: each wait here is needed. A statement a line, for that tool. */
#include "../fakecuda/cuda_abi.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    N = 1024,
    BYTES = N * 4,
    BATCHES = 12,
    IN_SLOTS = 2,
    OUT_SLOTS = 2,
    HOST_SLOTS = 4,
    REPLAYS = 4
};

#define CALLS(X)                                                                                   \
    X(Init, "cuInit", (unsigned))                                                                  \
    X(Retain, "cuDevicePrimaryCtxRetain", (CUcontext *, CUdevice))                                 \
    X(Release, "cuDevicePrimaryCtxRelease_v2", (CUdevice))                                         \
    X(SetCurrent, "cuCtxSetCurrent", (CUcontext))                                                  \
    X(CtxSync, "cuCtxSynchronize", (void))                                                         \
    X(Load, "cuModuleLoadData", (CUmodule *, const void *))                                        \
    X(Unload, "cuModuleUnload", (CUmodule))                                                        \
    X(Function, "cuModuleGetFunction", (CUfunction *, CUmodule, const char *))                     \
    X(Alloc, "cuMemAlloc_v2", (CUdeviceptr *, size_t))                                             \
    X(Free, "cuMemFree_v2", (CUdeviceptr))                                                         \
    X(HostAlloc, "cuMemHostAlloc", (void **, size_t, unsigned))                                    \
    X(FreeHost, "cuMemFreeHost", (void *))                                                         \
    X(AllocAsync, "cuMemAllocAsync", (CUdeviceptr *, size_t, CUstream))                            \
    X(FreeAsync, "cuMemFreeAsync", (CUdeviceptr, CUstream))                                        \
    X(MemcpyHtoD, "cuMemcpyHtoD_v2", (CUdeviceptr, const void *, size_t))                          \
    X(MemcpyDtoH, "cuMemcpyDtoH_v2", (void *, CUdeviceptr, size_t))                                \
    X(MemcpyHtoDAsync, "cuMemcpyHtoDAsync_v2", (CUdeviceptr, const void *, size_t, CUstream))      \
    X(MemcpyDtoHAsync, "cuMemcpyDtoHAsync_v2", (void *, CUdeviceptr, size_t, CUstream))            \
    X(MemcpyDtoDAsync, "cuMemcpyDtoDAsync_v2", (CUdeviceptr, CUdeviceptr, size_t, CUstream))       \
    X(MemsetD32, "cuMemsetD32_v2", (CUdeviceptr, unsigned, size_t))                                \
    X(MemsetD32Async, "cuMemsetD32Async", (CUdeviceptr, unsigned, size_t, CUstream))               \
    X(StreamCreate, "cuStreamCreate", (CUstream *, unsigned))                                      \
    X(StreamSync, "cuStreamSynchronize", (CUstream))                                               \
    X(StreamWaitEvent, "cuStreamWaitEvent", (CUstream, CUevent, unsigned))                         \
    X(HostFunc, "cuLaunchHostFunc", (CUstream, CUhostFn, void *))                                  \
    X(BeginCapture, "cuStreamBeginCapture_v2", (CUstream, CUstreamCaptureMode))                    \
    X(EndCapture, "cuStreamEndCapture", (CUstream, CUgraph *))                                     \
    X(EventCreate, "cuEventCreate", (CUevent *, unsigned))                                         \
    X(EventRecord, "cuEventRecord", (CUevent, CUstream))                                           \
    X(EventSync, "cuEventSynchronize", (CUevent))                                                  \
    X(Launch, "cuLaunchKernel",                                                                    \
      (CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, CUstream, \
       void **, void **))                                                                          \
    X(GraphCreate, "cuGraphCreate", (CUgraph *, unsigned))                                         \
    X(GraphAddMemset, "cuGraphAddMemsetNode",                                                      \
      (CUgraphNode *, CUgraph, const CUgraphNode *, size_t, const CUDA_MEMSET_NODE_PARAMS *,       \
       CUcontext))                                                                                 \
    X(GraphAddKernel, "cuGraphAddKernelNode_v2",                                                   \
      (CUgraphNode *, CUgraph, const CUgraphNode *, size_t, const CUDA_KERNEL_NODE_PARAMS_v2 *))   \
    X(GraphAddDepend, "cuGraphAddDependencies",                                                    \
      (CUgraph, const CUgraphNode *, const CUgraphNode *, size_t))                                 \
    X(GraphInstantiate, "cuGraphInstantiateWithFlags",                                             \
      (CUgraphExec *, CUgraph, unsigned long long))                                                \
    X(ExecKernel, "cuGraphExecKernelNodeSetParams_v2",                                             \
      (CUgraphExec, CUgraphNode, const CUDA_KERNEL_NODE_PARAMS_v2 *))                              \
    X(GraphLaunch, "cuGraphLaunch", (CUgraphExec, CUstream))                                       \
    X(ExecDestroy, "cuGraphExecDestroy", (CUgraphExec))                                            \
    X(GraphDestroy, "cuGraphDestroy", (CUgraph))

static struct {
#define FIELD(field, name, args) CUresult(*field) args;
    CALLS(FIELD)
} cu;

/* axpy(y, x, a): y[i] += a * x[i], N threads.  twice(y, x): y[i] = 2 * x[i]. */
static const char kernels[] =
    ".version 7.0\n.target sm_75\n.address_size 64\n"
    ".visible .entry axpy(.param .u64 y, .param .u64 x, .param .f32 a)\n"
    "{\n.reg .b32 %r<5>;\n.reg .f32 %f<5>;\n.reg .b64 %rd<7>;\n"
    "ld.param.u64 %rd1, [y];\nld.param.u64 %rd2, [x];\nld.param.f32 %f1, [a];\n"
    "mov.u32 %r1, %ctaid.x;\nmov.u32 %r2, %ntid.x;\nmov.u32 %r3, %tid.x;\n"
    "mad.lo.s32 %r4, %r1, %r2, %r3;\nmul.wide.u32 %rd3, %r4, 4;\n"
    "add.s64 %rd4, %rd1, %rd3;\nadd.s64 %rd5, %rd2, %rd3;\n"
    "ld.global.f32 %f2, [%rd4];\nld.global.f32 %f3, [%rd5];\nfma.rn.f32 %f4, %f1, %f3, %f2;\n"
    "st.global.f32 [%rd4], %f4;\nret;\n}\n"
    ".visible .entry twice(.param .u64 y, .param .u64 x)\n"
    "{\n.reg .b32 %r<5>;\n.reg .f32 %f<3>;\n.reg .b64 %rd<7>;\n"
    "ld.param.u64 %rd1, [y];\nld.param.u64 %rd2, [x];\n"
    "mov.u32 %r1, %ctaid.x;\nmov.u32 %r2, %ntid.x;\nmov.u32 %r3, %tid.x;\n"
    "mad.lo.s32 %r4, %r1, %r2, %r3;\nmul.wide.u32 %rd3, %r4, 4;\n"
    "add.s64 %rd4, %rd1, %rd3;\nadd.s64 %rd5, %rd2, %rd3;\n"
    "ld.global.f32 %f1, [%rd5];\nadd.f32 %f2, %f1, %f1;\nst.global.f32 [%rd4], %f2;\nret;\n}\n";

static CUcontext context;
static CUmodule module;
static CUfunction axpy, twice;
static CUstream up, run, down;

static void must(CUresult result, int line) {
    if (result != CUDA_SUCCESS) {
        fprintf(stderr, "host_client.c:%d: CUDA error %d\n", line, (int)result);
        exit(1);
    }
}
#define ok(call) must(cu.call, __LINE__)

static void expect(bool right, const char *what) {
    if (!right) {
        fprintf(stderr, "host_client: %s is wrong\n", what);
        exit(1);
    }
}

static bool all_equal(const float *x, float value) {
    for (int i = 0; i < N; i++) {
        if (x[i] != value) {
            return false;
        }
    }
    return true;
}

static void open_driver(void) {
    const char *path = getenv("BRAZE_LIBCUDA");
    void *lib = dlopen(path ? path : "libcuda.so.1", RTLD_NOW);
    if (!lib) {
        fprintf(stderr, "host_client: %s\n", dlerror());
        exit(2);
    }
#define BIND(field, name, args)                                                                    \
    {                                                                                              \
        void *symbol = dlsym(lib, name);                                                           \
        memcpy(&cu.field, &symbol, sizeof symbol);                                                 \
    }
    CALLS(BIND)
}

static CUdeviceptr device_memory(void) {
    CUdeviceptr p;
    ok(Alloc(&p, BYTES));
    return p;
}

static float *host_memory(void) {
    void *p;
    ok(HostAlloc(&p, BYTES, 0));
    return p;
}

static CUevent new_event(void) {
    CUevent e;
    ok(EventCreate(&e, EVENT_DISABLE_TIMING));
    return e;
}

static void launch_axpy(CUdeviceptr y, CUdeviceptr x, float a, CUstream stream) {
    void *params[] = {&y, &x, &a};
    ok(Launch(axpy, N / 128, 1, 1, 128, 1, 1, 0, stream, params, NULL));
}

static void launch_twice(CUdeviceptr y, CUdeviceptr x, CUstream stream) {
    void *params[] = {&y, &x};
    ok(Launch(twice, N / 128, 1, 1, 128, 1, 1, 0, stream, params, NULL));
}

/* ---- batches through two device buffers, read three batches late
 * -------------------------------------- */

static struct {
    float *in[IN_SLOTS], *out[HOST_SLOTS];
    CUdeviceptr x[IN_SLOTS], y[OUT_SLOTS];
    CUevent uploaded[IN_SLOTS], computed[IN_SLOTS], downloaded[HOST_SLOTS];
} ring;

static void ring_make(void) {
    for (int i = 0; i < IN_SLOTS; i++) {
        ring.in[i] = host_memory();
        ring.x[i] = device_memory();
        ring.y[i] = device_memory();
        ring.uploaded[i] = new_event();
        ring.computed[i] = new_event();
    }
    for (int i = 0; i < HOST_SLOTS; i++) {
        ring.out[i] = host_memory();
        ring.downloaded[i] = new_event();
    }
}

static void ring_free(void) {
    for (int i = 0; i < IN_SLOTS; i++) {
        ok(FreeHost(ring.in[i]));
        ok(Free(ring.x[i]));
        ok(Free(ring.y[i]));
    }
    for (int i = 0; i < HOST_SLOTS; i++) {
        ok(FreeHost(ring.out[i]));
    }
}

static void batch_upload(int b) {
    const int slot = b % IN_SLOTS;
    ok(EventSync(ring.uploaded[slot]));
    for (int i = 0; i < N; i++) {
        ring.in[slot][i] = (float)(b + i);
    }
    ok(StreamWaitEvent(up, ring.computed[slot], 0));
    ok(MemcpyHtoDAsync(ring.x[slot], ring.in[slot], BYTES, up));
    ok(EventRecord(ring.uploaded[slot], up));
}

static void batch_run(int b) {
    const int slot = b % IN_SLOTS;
    ok(StreamWaitEvent(run, ring.uploaded[slot], 0));
    if (b >= OUT_SLOTS) {
        ok(StreamWaitEvent(run, ring.downloaded[(b - OUT_SLOTS) % HOST_SLOTS], 0));
    }
    launch_twice(ring.y[b % OUT_SLOTS], ring.x[slot], run);
    ok(EventRecord(ring.computed[slot], run));
}

static void batch_download(int b) {
    ok(StreamWaitEvent(down, ring.computed[b % IN_SLOTS], 0));
    ok(MemcpyDtoHAsync(ring.out[b % HOST_SLOTS], ring.y[b % OUT_SLOTS], BYTES, down));
    ok(EventRecord(ring.downloaded[b % HOST_SLOTS], down));
}

static void batch_read(int b) {
    ok(EventSync(ring.downloaded[b % HOST_SLOTS]));
    for (int i = 0; i < N; i++) {
        expect(ring.out[b % HOST_SLOTS][i] == 2 * (float)(b + i), "a batch");
    }
}

static void stream_batches(void) {
    ring_make();
    for (int b = 0; b < BATCHES; b++) {
        batch_upload(b);
        batch_run(b);
        batch_download(b);
        if (b >= HOST_SLOTS - 1) {
            batch_read(b - (HOST_SLOTS - 1));
        }
    }
    for (int b = BATCHES - (HOST_SLOTS - 1); b < BATCHES; b++) {
        batch_read(b);
    }
    ring_free();
}

/* ---- a diamond, built by hand, replayed with another factor each time
 * ----------------------------------- */

static CUDA_KERNEL_NODE_PARAMS_v2 kernel_node(CUfunction f, void **params) {
    return (CUDA_KERNEL_NODE_PARAMS_v2){.func = f,
                                        .gridDimX = N / 128,
                                        .gridDimY = 1,
                                        .gridDimZ = 1,
                                        .blockDimX = 128,
                                        .blockDimY = 1,
                                        .blockDimZ = 1,
                                        .kernelParams = params};
}

static CUgraphNode add_fill(CUgraph graph, CUdeviceptr to, unsigned value) {
    CUgraphNode node;
    const CUDA_MEMSET_NODE_PARAMS fill = {to, 0, value, 4, N, 1};
    ok(GraphAddMemset(&node, graph, NULL, 0, &fill, context));
    return node;
}

static void replay_graph(void) {
    CUdeviceptr x = device_memory(), y = device_memory(), z = device_memory();
    float factor = 3, *result = host_memory();
    CUgraph graph;
    CUgraphExec exec;
    CUgraphNode left, right;
    void *left_params[] = {&y, &x, &factor}, *right_params[] = {&z, &y};
    const CUDA_KERNEL_NODE_PARAMS_v2 l = kernel_node(axpy, left_params),
                                     r = kernel_node(twice, right_params);
    ok(GraphCreate(&graph, 0));
    CUgraphNode ones = add_fill(graph, x, 0x3f800000u);
    CUgraphNode zeros = add_fill(graph, y, 0);
    ok(GraphAddKernel(&left, graph, NULL, 0, &l));
    ok(GraphAddKernel(&right, graph, NULL, 0, &r));
    ok(GraphAddDepend(graph, &ones, &left, 1));
    ok(GraphAddDepend(graph, &zeros, &left, 1));
    ok(GraphAddDepend(graph, &left, &right, 1));
    ok(GraphInstantiate(&exec, graph, 0));
    for (int i = 0; i < REPLAYS; i++) {
        factor = (float)(i + 5);
        ok(ExecKernel(exec, left, &l));
        ok(GraphLaunch(exec, run));
        ok(MemcpyDtoHAsync(result, z, BYTES, run));
        ok(StreamSync(run));
        expect(all_equal(result, 2 * factor), "the diamond");
    }
    ok(ExecDestroy(exec));
    ok(GraphDestroy(graph));
    ok(Free(x));
    ok(Free(y));
    ok(Free(z));
    ok(FreeHost(result));
}

/* ---- a fork over two streams, captured
 * ----------------------------------------------------------------------- */

static void replay_capture(void) {
    CUdeviceptr x = device_memory(), y = device_memory(), z = device_memory();
    float *result = host_memory();
    CUevent fork = new_event(), join = new_event();
    CUgraph graph;
    CUgraphExec exec;
    ok(BeginCapture(run, CAPTURE_GLOBAL));
    ok(MemsetD32Async(x, 0x40000000u, N, run));
    ok(EventRecord(fork, run));
    ok(StreamWaitEvent(down, fork, 0));
    launch_twice(y, x, down);
    ok(EventRecord(join, down));
    launch_twice(z, x, run);
    ok(StreamWaitEvent(run, join, 0));
    launch_axpy(z, y, 10, run);
    ok(MemcpyDtoHAsync(result, z, BYTES, run));
    ok(EndCapture(run, &graph));
    ok(GraphInstantiate(&exec, graph, 0));
    for (int i = 0; i < REPLAYS; i++) {
        memset(result, 0, BYTES);
        ok(GraphLaunch(exec, run));
        ok(StreamSync(run));
        expect(all_equal(result, 44), "the captured fork");
    }
    ok(ExecDestroy(exec));
    ok(GraphDestroy(graph));
    ok(Free(x));
    ok(Free(y));
    ok(Free(z));
    ok(FreeHost(result));
}

/* ---- memory of a stream, a host function, the legacy stream
 * ------------------------------------------------------ */

static void add_up(void *user) {
    float *sums = user;
    sums[0] += sums[1];
}

static void stream_memory(void) {
    CUdeviceptr x, y = device_memory();
    CUevent made = new_event(), used = new_event();
    float *sums = host_memory();
    sums[0] = 1;
    ok(AllocAsync(&x, BYTES, up));
    ok(MemsetD32Async(x, 0x3f800000u, N, up));
    ok(EventRecord(made, up));
    ok(StreamWaitEvent(run, made, 0));
    ok(MemsetD32Async(y, 0, N, run));
    launch_axpy(y, x, 6, run);
    ok(MemcpyDtoHAsync(sums + 1, y, 4, run));
    ok(EventRecord(used, run));
    ok(HostFunc(run, add_up, sums));
    ok(StreamWaitEvent(up, used, 0));
    ok(MemsetD32Async(x, 0x40a00000u, N, up));
    ok(MemcpyDtoHAsync(sums + 2, x, 4, up));
    ok(FreeAsync(x, up));
    ok(StreamSync(run));
    expect(sums[0] == 7, "the host's sum");
    ok(StreamSync(up));
    expect(sums[2] == 5, "what the stream's memory held last");
    ok(Free(y));
    ok(FreeHost(sums));
}

static void legacy_stream(void) {
    CUstream blocking;
    CUdeviceptr x = device_memory(), y = device_memory();
    float pageable[N];
    ok(StreamCreate(&blocking, 0));
    ok(MemsetD32Async(x, 0x40400000u, N, blocking));
    launch_twice(y, x, NULL);
    ok(MemcpyDtoDAsync(x, y, BYTES, blocking));
    ok(MemcpyDtoH(pageable, x, BYTES));
    expect(all_equal(pageable, 6), "what the legacy stream ordered");
    for (int i = 0; i < N; i++) {
        pageable[i] = 8;
    }
    ok(MemcpyHtoDAsync(x, pageable, BYTES, up));
    ok(StreamSync(up));
    memset(pageable, 0, sizeof pageable);
    ok(MemcpyDtoH(pageable, x, BYTES));
    expect(all_equal(pageable, 8), "what came from pageable memory");
    ok(Free(x));
    ok(Free(y));
}

int main(void) {
    setenv("BRAZE_FAKE_EXIT", "77", 0);
    open_driver();
    ok(Init(0));
    ok(Retain(&context, 0));
    ok(SetCurrent(context));
    ok(Load(&module, kernels));
    ok(Function(&axpy, module, "axpy"));
    ok(Function(&twice, module, "twice"));
    ok(StreamCreate(&up, STREAM_NON_BLOCKING));
    ok(StreamCreate(&run, STREAM_NON_BLOCKING));
    ok(StreamCreate(&down, STREAM_NON_BLOCKING));
    stream_batches();
    replay_graph();
    replay_capture();
    stream_memory();
    legacy_stream();
    ok(Unload(module));
    ok(Release(0));
    puts("host_client: all results are right");
    return 0;
}
