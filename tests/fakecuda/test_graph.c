/* test_graph.c - graphs: built, captured, instantiated, changed, launched in random topological
 * order. */
#include "test_fake.h"

enum { N = 64, BYTES = 4 * N };

static CUgraphNode fill_node(CUgraph g, const CUgraphNode *deps, size_t n, CUdeviceptr p,
                             unsigned value) {
    CUgraphNode node;
    CUcontext ctx;
    ok(cuCtxGetCurrent(&ctx));
    const CUDA_MEMSET_NODE_PARAMS fill = {p, 0, value, 4, N, 1};
    ok(cuGraphAddMemsetNode(&node, g, deps, n, &fill, ctx));
    return node;
}

static CUgraphNode copy_node(CUgraph g, const CUgraphNode *deps, size_t n, CUdeviceptr to,
                             CUdeviceptr from) {
    CUgraphNode node;
    CUcontext ctx;
    ok(cuCtxGetCurrent(&ctx));
    const CUDA_MEMCPY3D copy = {.srcMemoryType = CU_MEMORYTYPE_DEVICE,
                                .srcDevice = from,
                                .dstMemoryType = CU_MEMORYTYPE_DEVICE,
                                .dstDevice = to,
                                .WidthInBytes = BYTES,
                                .Height = 1,
                                .Depth = 1};
    ok(cuGraphAddMemcpyNode(&node, g, deps, n, &copy, ctx));
    return node;
}

static unsigned first(CUdeviceptr p) {
    unsigned v;
    ok(cuMemcpyDtoH_v2(&v, p, 4));
    return v;
}

static CUgraph new_graph(void) {
    CUgraph g;
    ok(cuGraphCreate(&g, 0));
    return g;
}

static CUgraphExec instantiate(CUgraph g) {
    CUgraphExec exec;
    ok(cuGraphInstantiateWithFlags(&exec, g, 0));
    return exec;
}

Test(graph, structure) {
    start();
    CUgraph g = new_graph();
    const CUdeviceptr p = device(BYTES), q = device(BYTES);
    CUgraphNode a = fill_node(g, NULL, 0, p, 1), b = copy_node(g, &a, 1, q, p), c, nodes[4], to[4];
    ok(cuGraphAddEmptyNode(&c, g, &b, 1));
    size_t n = 0;
    ok(cuGraphGetNodes(g, NULL, &n));
    cr_assert(n == 3);
    n = 4;
    ok(cuGraphGetEdges(g, nodes, to, &n));
    cr_assert(n == 2 && nodes[0] == a && to[0] == b && nodes[2] == NULL);
    ok(cuGraphGetRootNodes(g, nodes, &n));
    n = 4;
    ok(cuGraphNodeGetDependentNodes(a, nodes, &n));
    cr_assert(n == 1 && nodes[0] == b);
    is(cuGraphAddDependencies(g, &c, &a, 1), CUDA_ERROR_INVALID_VALUE);
    is(cuGraphAddDependencies(g, &a, &b, 1), CUDA_ERROR_INVALID_VALUE);
    ok(cuGraphAddDependencies(g, &a, &c, 1));
    ok(cuGraphRemoveDependencies(g, &a, &c, 1));
    is(cuGraphRemoveDependencies(g, &a, &c, 1), CUDA_ERROR_INVALID_VALUE);
    CUgraphNodeType type;
    ok(cuGraphNodeGetType(b, &type));
    cr_assert(type == CU_GRAPH_NODE_TYPE_MEMCPY);
    CUDA_MEMSET_NODE_PARAMS fill;
    ok(cuGraphMemsetNodeGetParams(a, &fill));
    cr_assert(fill.dst == p && fill.value == 1 && fill.width == N && fill.elementSize == 4);
    is(cuGraphMemsetNodeGetParams(b, &fill), CUDA_ERROR_INVALID_VALUE);
    CUgraph twin;
    CUgraphNode found;
    ok(cuGraphClone(&twin, g));
    ok(cuGraphNodeFindInClone(&found, b, twin));
    cr_assert(found != b);
    ok(cuGraphDestroyNode(b));
    is(cuGraphDestroyNode(b), CUDA_ERROR_INVALID_VALUE);
    n = 0;
    ok(cuGraphGetNodes(g, NULL, &n));
    cr_assert(n == 2);
    ok(cuGraphDestroy(twin));
    ok(cuGraphDestroy(g));
    is(cuGraphDestroy(g), CUDA_ERROR_INVALID_VALUE);
    is(cuGraphCreate(&g, 1), CUDA_ERROR_INVALID_VALUE);
}

/* A diamond whose arms must both come between its ends. */
Test(graph, edges_order_and_missing_edges_race) {
    start();
    const CUdeviceptr p = device(BYTES), q = device(BYTES), r = device(BYTES);
    CUgraph g = new_graph();
    CUgraphNode top = fill_node(g, NULL, 0, p, 5);
    CUgraphNode arms[2] = {copy_node(g, &top, 1, q, p), copy_node(g, &top, 1, r, p)};
    fill_node(g, arms, 2, p, 6);
    CUgraphExec exec = instantiate(g);
    for (uint64_t seed = 0; seed < 20; seed++) {
        braze_fake_seed(seed);
        ok(cuMemsetD32_v2(q, 0, N));
        ok(cuGraphLaunch(exec, NULL));
        ok(cuStreamSynchronize(NULL));
        cr_assert(first(p) == 6 && first(q) == 5 && first(r) == 5);
    }
    no_reports();
    CUgraph bad = new_graph();
    top = fill_node(bad, NULL, 0, p, 5);
    copy_node(bad, NULL, 0, q, p);
    CUgraphExec wrong = instantiate(bad);
    int seen = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        braze_fake_seed(seed);
        ok(cuMemsetD32_v2(p, 0, N));
        ok(cuGraphLaunch(wrong, NULL));
        ok(cuStreamSynchronize(NULL));
        seen += first(q) != 5;
    }
    has_report("stream race");
    cr_assert(seen >= 3, "wrong order under %d of 20 seeds", seen);
}

Test(graph, kernels_and_their_parameters) {
    start();
    const CUdeviceptr in = device(BYTES), out = device(BYTES);
    float k = 2, host[N];
    unsigned n = N;
    for (int i = 0; i < N; i++) host[i] = (float)i;
    ok(cuMemcpyHtoD_v2(in, host, BYTES));
    void *params[] = {(void *)&out, (void *)&in, &k, &n};
    CUDA_KERNEL_NODE_PARAMS_v2 p = {.func = kernel("scale"),
                                    .gridDimX = 1,
                                    .gridDimY = 1,
                                    .gridDimZ = 1,
                                    .blockDimX = N,
                                    .blockDimY = 1,
                                    .blockDimZ = 1,
                                    .kernelParams = params};
    CUgraph g = new_graph();
    CUgraphNode node;
    ok(cuGraphAddKernelNode_v2(&node, g, NULL, 0, &p));
    k = 100; /* the node has its own copy */
    CUgraphExec exec = instantiate(g);
    ok(cuGraphLaunch(exec, NULL));
    ok(cuMemcpyDtoH_v2(host, out, BYTES));
    cr_assert(host[3] == 6);
    CUDA_KERNEL_NODE_PARAMS_v2 got;
    ok(cuGraphKernelNodeGetParams_v2(node, &got));
    cr_assert(got.blockDimX == N && *(float *)got.kernelParams[2] == 2);
    k = 3;
    ok(cuGraphExecKernelNodeSetParams_v2(exec, node, &p));
    ok(cuGraphLaunch(exec, NULL));
    ok(cuMemcpyDtoH_v2(host, out, BYTES));
    cr_assert(host[3] == 9);
    struct {
        CUdeviceptr out, in;
        float k;
        unsigned n;
    } packed = {out, in, 4, N};
    size_t size = sizeof packed;
    void *extra[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, &packed, CU_LAUNCH_PARAM_BUFFER_SIZE, &size,
                     CU_LAUNCH_PARAM_END};
    CUDA_KERNEL_NODE_PARAMS_v1 old = {.func = kernel("scale"),
                                      .gridDimX = 1,
                                      .gridDimY = 1,
                                      .gridDimZ = 1,
                                      .blockDimX = N,
                                      .blockDimY = 1,
                                      .blockDimZ = 1,
                                      .extra = extra};
    ok(cuGraphExecKernelNodeSetParams(exec, node, &old));
    ok(cuGraphNodeSetEnabled(exec, node, 0));
    ok(cuGraphLaunch(exec, NULL));
    ok(cuMemcpyDtoH_v2(host, out, BYTES));
    cr_assert(host[3] == 9, "a disabled node does nothing");
    ok(cuGraphNodeSetEnabled(exec, node, 1));
    ok(cuGraphLaunch(exec, NULL));
    ok(cuMemcpyDtoH_v2(host, out, BYTES));
    cr_assert(host[3] == 12);
    p.blockDimX = 0;
    is(cuGraphAddKernelNode_v2(&node, g, NULL, 0, &p), CUDA_ERROR_INVALID_VALUE);
    no_reports();
}

/* Clients add nodes before they know the sizes of a launch. */
Test(graph, grids_are_set_later) {
    start();
    const CUdeviceptr p = device(BYTES);
    void *params[] = {(void *)&p};
    CUDA_KERNEL_NODE_PARAMS_v2 k = {.func = kernel("poke"),
                                    .gridDimX = 0,
                                    .gridDimY = 1,
                                    .gridDimZ = 1,
                                    .blockDimX = 1,
                                    .blockDimY = 1,
                                    .blockDimZ = 1,
                                    .kernelParams = params};
    CUgraph g = new_graph();
    CUgraphNode node;
    ok(cuGraphAddKernelNode_v2(&node, g, NULL, 0, &k));
    CUgraphExec exec = instantiate(g);
    is(cuGraphLaunch(exec, NULL), CUDA_ERROR_INVALID_VALUE);
    k.gridDimX = 1;
    ok(cuGraphExecKernelNodeSetParams_v2(exec, node, &k));
    ok(cuGraphLaunch(exec, NULL));
    unsigned word;
    ok(cuMemcpyDtoH_v2(&word, p, sizeof word));
    cr_assert(word == 1);
    no_reports();
}

Test(graph, update_takes_equal_topology_only) {
    start();
    const CUdeviceptr p = device(BYTES), q = device(BYTES);
    CUgraph g = new_graph(), h = new_graph(), other = new_graph();
    CUgraphNode a = fill_node(g, NULL, 0, p, 1);
    copy_node(g, &a, 1, q, p);
    CUgraphNode b = fill_node(h, NULL, 0, p, 2);
    copy_node(h, &b, 1, q, p);
    fill_node(other, NULL, 0, p, 3);
    CUgraphExec exec = instantiate(g);
    CUgraphExecUpdateResultInfo info;
    ok(cuGraphExecUpdate_v2(exec, h, &info));
    ok(cuGraphLaunch(exec, NULL));
    ok(cuStreamSynchronize(NULL));
    cr_assert(first(q) == 2);
    is(cuGraphExecUpdate_v2(exec, other, &info), CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
    cr_assert(info.result == CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED);
    const CUDA_MEMSET_NODE_PARAMS fill = {p, 0, 9, 4, N, 1};
    CUcontext ctx;
    ok(cuCtxGetCurrent(&ctx));
    ok(cuGraphExecMemsetNodeSetParams(exec, a, &fill, ctx));
    ok(cuGraphLaunch(exec, NULL));
    ok(cuStreamSynchronize(NULL));
    cr_assert(first(q) == 9);
    ok(cuGraphExecDestroy(exec));
    is(cuGraphLaunch(exec, NULL), CUDA_ERROR_INVALID_VALUE);
}

static void count_up(void *user) {
    ++*(int *)user;
}

Test(graph, children_hosts_and_events) {
    start();
    int calls = 0;
    const CUdeviceptr p = device(BYTES), q = device(BYTES);
    CUgraph inner = new_graph(), g = new_graph(), owned;
    CUgraphNode a, child, host, record;
    a = fill_node(inner, NULL, 0, p, 8);
    copy_node(inner, &a, 1, q, p);
    is(cuGraphAddChildGraphNode(&child, g, NULL, 0, g), CUDA_ERROR_INVALID_VALUE);
    ok(cuGraphAddChildGraphNode(&child, g, NULL, 0, inner));
    const CUDA_HOST_NODE_PARAMS fn = {count_up, &calls};
    ok(cuGraphAddHostNode(&host, g, &child, 1, &fn));
    CUevent e;
    ok(cuEventCreate(&e, 0));
    ok(cuGraphAddEventRecordNode(&record, g, &host, 1, e));
    CUgraphNodeParams change = {.type = CU_GRAPH_NODE_TYPE_EVENT_RECORD, .eventRecord = {e}};
    ok(cuGraphNodeSetParams(record, &change));
    change.type = CU_GRAPH_NODE_TYPE_GRAPH;
    is(cuGraphNodeSetParams(child, &change), CUDA_ERROR_NOT_SUPPORTED);
    ok(cuGraphChildGraphNodeGetGraph(child, &owned));
    is(cuGraphDestroy(owned), CUDA_ERROR_INVALID_VALUE);
    CUgraphExec exec = instantiate(g);
    ok(cuGraphDestroy(g));
    ok(cuGraphDestroy(inner));
    for (int i = 1; i <= 3; i++) {
        ok(cuGraphLaunch(exec, NULL));
        ok(cuEventSynchronize(e));
        cr_assert(calls == i && first(q) == 8);
    }
    no_reports();
}

Test(graph, memory_of_its_own) {
    start();
    CUgraph g = new_graph();
    CUgraphNode alloc, fill, copy, release;
    CUDA_MEM_ALLOC_NODE_PARAMS params = {
        .poolProps = {.allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
                      .location = {CU_MEM_LOCATION_TYPE_DEVICE, 0}},
        .bytesize = BYTES};
    ok(cuGraphAddMemAllocNode(&alloc, g, NULL, 0, &params));
    const CUdeviceptr out = device(BYTES);
    fill = fill_node(g, &alloc, 1, params.dptr, 3);
    copy = copy_node(g, &fill, 1, out, params.dptr);
    ok(cuGraphAddMemFreeNode(&release, g, &copy, 1, params.dptr));
    CUgraphExec exec = instantiate(g);
    for (int i = 0; i < 3; i++) {
        ok(cuGraphLaunch(exec, NULL));
        ok(cuStreamSynchronize(NULL));
        cr_assert(first(out) == 3);
    }
    is(cuMemFree_v2(params.dptr), CUDA_ERROR_INVALID_VALUE);
    no_reports();
}

Test(graph, capture_with_a_fork) {
    start();
    CUstream a, b;
    CUevent fork, join;
    ok(cuStreamCreate(&a, STREAM_NON_BLOCKING));
    ok(cuStreamCreate(&b, STREAM_NON_BLOCKING));
    ok(cuEventCreate(&fork, 0));
    ok(cuEventCreate(&join, 0));
    const CUdeviceptr p = device(BYTES), q = device(BYTES), r = device(BYTES);
    ok(cuMemsetD32_v2(p, 0, N));
    ok(cuCtxSynchronize());
    ok(cuStreamBeginCapture_v2(a, CAPTURE_GLOBAL));
    ok(cuMemsetD32Async(p, 4, N, a));
    ok(cuEventRecord(fork, a));
    ok(cuStreamWaitEvent(b, fork, 0));
    ok(cuMemcpyDtoDAsync_v2(q, p, BYTES, b));
    ok(cuEventRecord(join, b));
    ok(cuMemcpyDtoDAsync_v2(r, p, BYTES, a));
    CUstreamCaptureStatus status;
    cuuint64_t id;
    size_t n;
    ok(cuStreamGetCaptureInfo_v2(b, &status, &id, NULL, NULL, &n));
    cr_assert(status == CU_STREAM_CAPTURE_STATUS_ACTIVE && id != 0 && n == 1);
    ok(cuStreamWaitEvent(a, join, 0));
    CUgraph g;
    is(cuStreamEndCapture(b, &g), CUDA_ERROR_STREAM_CAPTURE_UNMATCHED);
    ok(cuStreamEndCapture(a, &g));
    cr_assert(first(p) == 0, "nothing ran yet");
    n = 0;
    ok(cuGraphGetNodes(g, NULL, &n));
    cr_assert(n == 3);
    CUgraphExec exec = instantiate(g);
    for (uint64_t seed = 0; seed < 10; seed++) {
        braze_fake_seed(seed);
        ok(cuMemsetD32_v2(p, 0, N));
        ok(cuStreamSynchronize(NULL));
        ok(cuGraphLaunch(exec, a));
        ok(cuStreamSynchronize(a));
        cr_assert(first(q) == 4 && first(r) == 4);
    }
    no_reports();
}

/* An allocation that was captured is there in each launch; what the graph leaves, a stream gives back. */
Test(graph, captured_memory_recurs) {
    start();
    CUstream s;
    ok(cuStreamCreate(&s, STREAM_NON_BLOCKING));
    const CUdeviceptr out = device(BYTES);
    for (int left = 0; left < 2; left++) {
        CUgraph g;
        CUdeviceptr p;
        cuuint64_t used;
        ok(cuStreamBeginCapture_v2(s, CAPTURE_GLOBAL));
        ok(cuMemAllocAsync(&p, BYTES, s));
        ok(cuMemsetD32Async(p, 7, N, s));
        ok(cuMemcpyDtoDAsync_v2(out, p, BYTES, s));
        if (!left) ok(cuMemFreeAsync(p, s));
        ok(cuStreamEndCapture(s, &g));
        CUgraphExec exec = instantiate(g);
        for (int i = 0; i < 3; i++) {
            ok(cuMemsetD32Async(out, 0, N, s));
            ok(cuGraphLaunch(exec, s));
            ok(cuStreamSynchronize(s));
            cr_assert(first(out) == 7);
            if (left) {
                ok(cuMemcpyDtoDAsync_v2(out, p, BYTES, s));
                ok(cuMemFreeAsync(p, s));
            }
        }
        ok(cuStreamSynchronize(s));
        ok(cuDeviceGetGraphMemAttribute(0, CU_GRAPH_MEM_ATTR_USED_MEM_CURRENT, &used));
        cr_assert(used == 0);
    }
    no_reports();
}

/* A stream that a capture forked to may go before the capture's end, joined or not. */
Test(graph, capture_without_the_forked_stream) {
    start();
    for (int joined = 0; joined < 2; joined++) {
        CUstream a, b;
        CUevent fork, join;
        CUgraph g;
        const CUdeviceptr p = device(BYTES);
        size_t n = 0;
        ok(cuStreamCreate(&a, STREAM_NON_BLOCKING));
        ok(cuStreamCreate(&b, STREAM_NON_BLOCKING));
        ok(cuEventCreate(&fork, 0));
        ok(cuEventCreate(&join, 0));
        ok(cuStreamBeginCapture_v2(a, CAPTURE_GLOBAL));
        ok(cuEventRecord(fork, a));
        ok(cuStreamWaitEvent(b, fork, 0));
        ok(cuMemsetD32Async(p, 1, N, b));
        ok(cuEventRecord(join, b));
        if (joined) ok(cuStreamWaitEvent(a, join, 0));
        ok(cuStreamDestroy_v2(b));
        ok(cuMemsetD32Async(p, 2, N, a));
        is(cuStreamEndCapture(a, &g), joined ? CUDA_SUCCESS : CUDA_ERROR_STREAM_CAPTURE_UNJOINED);
        if (joined) ok(cuGraphGetNodes(g, NULL, &n));
        cr_assert(n == (joined ? 2 : 0), "%zu nodes", n);
    }
}

Test(graph, capture_refuses) {
    start();
    CUstream a, b, blocking;
    CUevent e;
    CUgraph g;
    CUdeviceptr p = device(BYTES), q;
    ok(cuStreamCreate(&a, STREAM_NON_BLOCKING));
    ok(cuStreamCreate(&b, STREAM_NON_BLOCKING));
    ok(cuStreamCreate(&blocking, 0));
    ok(cuEventCreate(&e, 0));
    is(cuStreamBeginCapture_v2(NULL, CAPTURE_GLOBAL), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    is(cuStreamBeginCapture_v2(a, 5), CUDA_ERROR_INVALID_VALUE);
    is(cuStreamEndCapture(a, &g), CUDA_ERROR_ILLEGAL_STATE);
    /* waiting for a capturing stream spoils it */
    ok(cuStreamBeginCapture_v2(a, CAPTURE_RELAXED));
    is(cuStreamBeginCapture_v2(a, CAPTURE_RELAXED), CUDA_ERROR_ILLEGAL_STATE);
    is(cuStreamSynchronize(a), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    is(cuStreamEndCapture(a, &g), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    /* an unsafe call in global mode */
    ok(cuStreamBeginCapture_v2(a, CAPTURE_GLOBAL));
    is(cuMemAlloc_v2(&q, 16), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    is(cuStreamEndCapture(a, &g), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    /* allowed in relaxed mode */
    ok(cuStreamBeginCapture_v2(a, CAPTURE_RELAXED));
    ok(cuMemAlloc_v2(&q, 16));
    ok(cuStreamEndCapture(a, &g));
    /* a fork that is not joined */
    ok(cuStreamBeginCapture_v2(a, CAPTURE_GLOBAL));
    ok(cuEventRecord(e, a));
    ok(cuStreamWaitEvent(b, e, 0));
    ok(cuMemsetD32Async(p, 1, N, b));
    is(cuEventQuery(e), CUDA_ERROR_CAPTURED_EVENT);
    is(cuStreamEndCapture(a, &g), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    ok(cuStreamBeginCapture_v2(a, CAPTURE_GLOBAL));
    ok(cuEventRecord(e, a));
    ok(cuStreamWaitEvent(b, e, 0));
    ok(cuMemsetD32Async(p, 1, N, b));
    is(cuStreamEndCapture(a, &g), CUDA_ERROR_STREAM_CAPTURE_UNJOINED);
    /* an event from outside */
    ok(cuMemsetD32Async(p, 1, N, b));
    ok(cuEventRecord(e, b));
    ok(cuStreamBeginCapture_v2(a, CAPTURE_GLOBAL));
    is(cuStreamWaitEvent(a, e, 0), CUDA_ERROR_STREAM_CAPTURE_ISOLATION);
    is(cuStreamEndCapture(a, &g), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    /* the legacy stream beside a blocking one */
    ok(cuStreamBeginCapture_v2(blocking, CAPTURE_RELAXED));
    is(cuMemsetD32Async(p, 1, N, NULL), CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
    is(cuStreamEndCapture(blocking, &g), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
}

/* A capture that goes on in a graph which has a node already. */
Test(graph, capture_into_a_graph) {
    start();
    CUstream a, b;
    CUevent e;
    CUgraph g = new_graph(), other = new_graph(), got;
    CUdeviceptr p = device(BYTES), q = device(BYTES);
    CUgraphNode top = fill_node(g, NULL, 0, p, 5), foreign = fill_node(other, NULL, 0, p, 5);
    const CUgraphEdgeData plain = {0}, ported = {.from_port = 1};
    ok(cuStreamCreate(&a, STREAM_NON_BLOCKING));
    ok(cuStreamCreate(&b, STREAM_NON_BLOCKING));
    ok(cuEventCreate(&e, 0));
    is(cuStreamBeginCaptureToGraph(a, g, &foreign, NULL, 1, CAPTURE_GLOBAL),
       CUDA_ERROR_INVALID_VALUE);
    is(cuStreamBeginCaptureToGraph(a, g, &top, &ported, 1, CAPTURE_GLOBAL),
       CUDA_ERROR_NOT_SUPPORTED);
    is(cuStreamBeginCaptureToGraph(a, NULL, &top, NULL, 1, CAPTURE_GLOBAL),
       CUDA_ERROR_INVALID_VALUE);
    ok(cuStreamBeginCaptureToGraph(a, g, &top, &plain, 1, CAPTURE_GLOBAL));
    is(cuStreamBeginCaptureToGraph(b, g, &top, NULL, 1, CAPTURE_GLOBAL), CUDA_ERROR_INVALID_VALUE);
    is(cuGraphDestroy(g), CUDA_ERROR_INVALID_VALUE);
    ok(cuMemcpyDtoDAsync_v2(q, p, BYTES, a));
    ok(cuStreamEndCapture(a, &got));
    cr_assert(got == g);
    for (uint64_t seed = 1; seed <= 10; seed++) {
        braze_fake_seed(seed);
        ok(cuMemsetD32_v2(q, 0, N));
        ok(cuCtxSynchronize());
        CUgraphExec exec = instantiate(g);
        ok(cuGraphLaunch(exec, a));
        ok(cuStreamSynchronize(a));
        ok(cuGraphExecDestroy(exec));
        cr_assert(first(q) == 5);
    }
    no_reports();
    /* a capture that failed leaves the graph to its owner */
    ok(cuStreamBeginCaptureToGraph(a, g, NULL, NULL, 0, CAPTURE_GLOBAL));
    ok(cuEventRecord(e, a));
    ok(cuStreamWaitEvent(b, e, 0));
    ok(cuMemsetD32Async(p, 1, N, b));
    is(cuStreamEndCapture(a, &got), CUDA_ERROR_STREAM_CAPTURE_UNJOINED);
    ok(cuGraphDestroy(g));
    is(cuGraphDestroy(g), CUDA_ERROR_INVALID_VALUE);
}

Test(graph, events_of_nodes) {
    start();
    CUevent one, two, got;
    ok(cuEventCreate(&one, 0));
    ok(cuEventCreate(&two, 0));
    CUgraph g = new_graph();
    CUgraphNode record, wait;
    ok(cuGraphAddEventRecordNode(&record, g, NULL, 0, one));
    ok(cuGraphAddEventWaitNode(&wait, g, &record, 1, one));
    ok(cuGraphEventRecordNodeGetEvent(record, &got));
    cr_assert(got == one);
    is(cuGraphEventWaitNodeGetEvent(record, &got), CUDA_ERROR_INVALID_VALUE);
    is(cuGraphEventRecordNodeSetEvent(wait, two), CUDA_ERROR_INVALID_VALUE);
    is(cuGraphEventWaitNodeSetEvent(wait, NULL), CUDA_ERROR_INVALID_HANDLE);
    ok(cuGraphEventWaitNodeSetEvent(wait, two));
    ok(cuGraphEventWaitNodeGetEvent(wait, &got));
    cr_assert(got == two);
    /* an executable's node changes, the graph's does not */
    CUgraphExec exec = instantiate(g);
    is(cuGraphExecEventWaitNodeSetEvent(exec, record, one), CUDA_ERROR_INVALID_VALUE);
    ok(cuGraphExecEventWaitNodeSetEvent(exec, wait, one));
    ok(cuGraphExecEventRecordNodeSetEvent(exec, record, two));
    ok(cuGraphEventRecordNodeGetEvent(record, &got));
    cr_assert(got == one);
    ok(cuGraphLaunch(exec, NULL));
    ok(cuCtxSynchronize());
    float ms;
    is(cuEventElapsedTime(&ms, one, two), CUDA_ERROR_INVALID_HANDLE);
    ok(cuEventElapsedTime(&ms, two, two));
}

Test(graph, memory_of_nodes_is_counted) {
    start();
    CUgraph g = new_graph();
    CUDA_MEM_ALLOC_NODE_PARAMS params = {.poolProps = {.allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
                                                       .location = {CU_MEM_LOCATION_TYPE_DEVICE,
                                                                    0}},
                                         .bytesize = BYTES},
                               got;
    CUgraphNode alloc, release;
    CUdeviceptr p;
    cuuint64_t used, high, reserved, zero = 0;
    ok(cuGraphAddMemAllocNode(&alloc, g, NULL, 0, &params));
    ok(cuGraphMemAllocNodeGetParams(alloc, &got));
    cr_assert(got.dptr == params.dptr && got.bytesize == BYTES && got.poolProps.location.id == 0);
    is(cuGraphMemFreeNodeGetParams(alloc, &p), CUDA_ERROR_INVALID_VALUE);
    CUgraphExec without = instantiate(g);
    ok(cuGraphLaunch(without, NULL));
    ok(cuCtxSynchronize());
    ok(cuDeviceGetGraphMemAttribute(0, CU_GRAPH_MEM_ATTR_USED_MEM_CURRENT, &used));
    cr_assert(used >= BYTES);
    ok(cuGraphAddMemFreeNode(&release, g, &alloc, 1, params.dptr));
    ok(cuGraphMemFreeNodeGetParams(release, &p));
    cr_assert(p == params.dptr);
    CUgraphExec exec = instantiate(g);
    ok(cuGraphLaunch(exec, NULL));
    ok(cuCtxSynchronize());
    ok(cuDeviceGetGraphMemAttribute(0, CU_GRAPH_MEM_ATTR_USED_MEM_CURRENT, &used));
    ok(cuDeviceGetGraphMemAttribute(0, CU_GRAPH_MEM_ATTR_USED_MEM_HIGH, &high));
    cr_assert(used == 0 && high >= BYTES);
    ok(cuDeviceGetGraphMemAttribute(0, CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT, &reserved));
    cr_assert(reserved >= high);
    ok(cuDeviceGraphMemTrim(0));
    ok(cuDeviceGetGraphMemAttribute(0, CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT, &reserved));
    cr_assert(reserved == 0);
    is(cuDeviceSetGraphMemAttribute(0, CU_GRAPH_MEM_ATTR_USED_MEM_CURRENT, &zero),
       CUDA_ERROR_INVALID_VALUE);
    ok(cuDeviceSetGraphMemAttribute(0, CU_GRAPH_MEM_ATTR_USED_MEM_HIGH, &zero));
    ok(cuDeviceGetGraphMemAttribute(0, CU_GRAPH_MEM_ATTR_USED_MEM_HIGH, &high));
    cr_assert(high == 0);
    is(cuDeviceGetGraphMemAttribute(0, (CUgraphMem_attribute)4, &used), CUDA_ERROR_INVALID_VALUE);
    is(cuDeviceGraphMemTrim(7), CUDA_ERROR_INVALID_DEVICE);
}

/* The picture has each node once and its edges, those of a child too. */
Test(graph, picture) {
    start();
    const CUdeviceptr p = device(BYTES), q = device(BYTES);
    CUgraph g = new_graph(), inner = new_graph();
    CUgraphNode a = fill_node(g, NULL, 0, p, 1), child;
    copy_node(inner, NULL, 0, q, p);
    ok(cuGraphAddChildGraphNode(&child, g, &a, 1, inner));
    char path[] = "/tmp/braze-graph-XXXXXX", text[2048];
    const int fd = mkstemp(path);
    cr_assert(fd >= 0);
    is(cuGraphDebugDotPrint(g, path, 1u << 20), CUDA_ERROR_INVALID_VALUE);
    is(cuGraphDebugDotPrint(g, "/nowhere/at/all", 0), CUDA_ERROR_OPERATING_SYSTEM);
    ok(cuGraphDebugDotPrint(g, path, 1));
    FILE *f = fdopen(fd, "r");
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    remove(path);
    cr_assert(strstr(text, "digraph") && strstr(text, "MEMSET") && strstr(text, "GRAPH") &&
                  strstr(text, "MEMCPY"),
              "%s", text);
    const char *edge = strstr(text, "->");
    cr_assert(edge && !strstr(edge + 1, "->"), "%s", text);
}

static void destroyed(void *user) {
    ++*(int *)user;
}

Test(graph, user_objects_live_as_long_as_graphs) {
    start();
    int ends = 0;
    CUuserObject object;
    CUgraph g = new_graph();
    is(cuUserObjectCreate(&object, &ends, destroyed, 1, 0), CUDA_ERROR_INVALID_VALUE);
    ok(cuUserObjectCreate(&object, &ends, destroyed, 1, 1));
    ok(cuGraphRetainUserObject(g, object, 2, 0));
    ok(cuUserObjectRelease(object, 1));
    ok(cuGraphReleaseUserObject(g, object, 1));
    cr_assert(ends == 0);
    ok(cuGraphDestroy(g));
    cr_assert(ends == 1);
    is(cuUserObjectRetain(object, 1), CUDA_ERROR_INVALID_VALUE);
}

/* Clones and executables keep what their graph kept, an executable until its launch has ended. */
Test(graph, user_objects_live_as_long_as_copies) {
    start();
    int ends = 0;
    CUuserObject object;
    CUgraph g = new_graph(), clone;
    const CUdeviceptr p = device(BYTES);
    fill_node(g, NULL, 0, p, 1);
    ok(cuUserObjectCreate(&object, &ends, destroyed, 1, 1));
    ok(cuGraphRetainUserObject(g, object, 1, 1));
    ok(cuGraphClone(&clone, g));
    ok(cuGraphDestroy(g));
    cr_assert(ends == 0);
    CUgraphExec exec = instantiate(clone);
    ok(cuGraphDestroy(clone));
    cr_assert(ends == 0);
    const uint64_t fills = braze_fake_commands("fill");
    ok(cuGraphLaunch(exec, NULL));
    ok(cuGraphExecDestroy(exec));
    cr_assert(ends == 1 && braze_fake_commands("fill") == fills + 1);
    is(cuUserObjectRetain(object, 1), CUDA_ERROR_INVALID_VALUE);
}
