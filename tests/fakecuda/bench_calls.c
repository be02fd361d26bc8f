/* bench_calls.c - what the driver itself costs: a trivial call, a launch, a graph, the start.
 *
 *      bench_calls        prints the best of several rounds; exit status 1 when a goal is missed
 *
 * Launches are timed in null mode, which does everything but run the kernel. */
#include "fake.h"
#include "test_kernels.h"

#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 7, CALLS = 100000, LAUNCHES = 20000, NODES = 500 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static CUfunction poke;
static CUstream stream;
static CUdeviceptr memory;
static CUgraphExec exec;

static void trivial(int n) {
    CUcontext ctx;
    for (int i = 0; i < n; i++) cuCtxGetCurrent(&ctx);
}

static void launches(int n) {
    void *params[] = {&memory};
    for (int i = 0; i < n; i++) {
        cuLaunchKernel(poke, 1, 1, 1, 32, 1, 1, 0, stream, params, NULL);
        if (i % 512 == 511) cuStreamSynchronize(stream);
    }
    cuStreamSynchronize(stream);
}

static void events(int n) {
    CUevent e;
    cuEventCreate(&e, 0);
    for (int i = 0; i < n; i++) {
        cuEventRecord(e, stream);
        cuStreamWaitEvent(NULL, e, 0);
    }
    cuCtxSynchronize();
    cuEventDestroy_v2(e);
}

static void graphs(int n) {
    for (int i = 0; i < n; i++) {
        cuGraphLaunch(exec, stream);
        cuStreamSynchronize(stream);
    }
}

static double best(void (*run)(int), int n) {
    double least = 1e9;
    for (int r = 0; r < ROUNDS; r++) {
        const double begin = now();
        run(n);
        const double each = (now() - begin) / n;
        least = each < least ? each : least;
    }
    return least;
}

static bool goal(const char *what, double seconds, double limit) {
    const bool met = seconds <= limit;
    printf("%-44s %8.3f us  (goal %.1f us)%s\n", what, 1e6 * seconds, 1e6 * limit,
           met ? "" : "  MISSED");
    return met;
}

static void make_graph(void) {
    CUgraph graph;
    CUgraphNode node = NULL;
    void *params[] = {&memory};
    const CUDA_KERNEL_NODE_PARAMS_v2 kernel = {.func = poke,
                                               .gridDimX = 1,
                                               .gridDimY = 1,
                                               .gridDimZ = 1,
                                               .blockDimX = 32,
                                               .blockDimY = 1,
                                               .blockDimZ = 1,
                                               .kernelParams = params};
    cuGraphCreate(&graph, 0);
    for (int i = 0; i < NODES; i++) {
        const CUgraphNode before = node;
        cuGraphAddKernelNode_v2(&node, graph, &before, i > 0, &kernel);
    }
    cuGraphInstantiateWithFlags(&exec, graph, 0);
}

int main(void) {
    setenv("BRAZE_FAKE_NULL", "1", 1);
    CUcontext ctx;
    CUmodule module;
    const double begin = now();
    if (cuInit(0) != CUDA_SUCCESS || cuDevicePrimaryCtxRetain(&ctx, 0) != CUDA_SUCCESS) {
        fprintf(stderr, "bench_calls: no device\n");
        return 3;
    }
    cuCtxSetCurrent(ctx);
    cuModuleLoadData(&module, kernels);
    cuModuleGetFunction(&poke, module, "poke");
    cuMemAlloc_v2(&memory, 64);
    cuStreamCreate(&stream, STREAM_NON_BLOCKING);
    launches(1);
    const double started = now() - begin;
    make_graph();
    bool met = goal("start to the first launch", started, 5e-3);
    met = goal("a trivial call", best(trivial, CALLS), 0.2e-6) && met;
    met = goal("a launch", best(launches, LAUNCHES), 5e-6) && met;
    met = goal("an event, recorded and waited for", best(events, LAUNCHES), 10e-6) && met;
    met = goal("a graph of 500 kernels", best(graphs, LAUNCHES / 10), 20e-6) && met;
    if (braze_fake_commands("kernel") < (uint64_t)ROUNDS * LAUNCHES) {
        fprintf(stderr, "bench_calls: launches were refused\n");
        return 3;
    }
    cuMemFree_v2(memory);
    return met ? 0 : 1;
}
