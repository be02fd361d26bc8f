/* node.c - adding nodes to a graph, and the parameters of nodes. */
#include "fake.h"

#include <stdlib.h>
#include <string.h>

/* Adds `work`, which it takes if it could be made, behind nodes given by handles. */
static CUresult add(CUgraphNode *out, CUgraph handle, const CUgraphNode *deps, size_t n,
                    fk_work *work, CUresult made) {
    FK_TRY(made);
    fk_graph *graph = fk_get(handle, FK_GRAPH);
    fk_list list = {0};
    CUresult status = out && graph && (deps || n == 0) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; status == CUDA_SUCCESS && i < n; i++) {
        fk_node *dep = fk_get(deps[i], FK_NODE);
        if (!dep || dep->graph != graph || fk_has(&list, dep))
            status = CUDA_ERROR_INVALID_VALUE;
        else if (!fk_push(&list, dep))
            status = CUDA_ERROR_OUT_OF_MEMORY;
    }
    if (status == CUDA_SUCCESS) {
        const fk_node *node = fk_graph_add(graph, work, (fk_node *const *)list.at, list.n);
        status = node ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
        if (node) *out = fk_handle(node);
    } else {
        fk_work_free(work);
    }
    fk_list_free(&list);
    return status;
}

/* The context that a node works in: the one it names, else the current one. */
static CUresult node_context(CUcontext handle, fk_context **ctx) {
    *ctx = handle ? fk_context_of(handle) : fk_current();
    FK_NEED(*ctx && (*ctx)->alive, CUDA_ERROR_INVALID_CONTEXT);
    return CUDA_SUCCESS;
}

CUresult fk_node_replace(fk_node *node, fk_work *work, CUresult made) {
    FK_TRY(made);
    fk_work_free(&node->work);
    node->work = *work;
    free(node->kernel_params);
    node->kernel_params = NULL;
    return CUDA_SUCCESS;
}

static fk_node *typed(CUgraphNode handle, CUgraphNodeType type) {
    fk_node *node = fk_get(handle, FK_NODE);
    return node && node->type == type ? node : NULL;
}

#define NODE_OF(name, kind, handle)                                                                \
    fk_node *name = typed(handle, CU_GRAPH_NODE_TYPE_##kind);                                      \
    FK_NEED(name, CUDA_ERROR_INVALID_VALUE)

/* ---- kernels --------------------------------------------------------------------------------- */

CUresult fk_kernel_work(const CUDA_KERNEL_NODE_PARAMS_v2 *p, const fk_work *old, fk_work *work) {
    FK_NEED(p, CUDA_ERROR_INVALID_VALUE);
    fk_launch launch = {.func = p->func ? p->func : (CUfunction)p->kern,
                        .grid = {p->gridDimX, p->gridDimY, p->gridDimZ},
                        .block = {p->blockDimX, p->blockDimY, p->blockDimZ},
                        .shared = p->sharedMemBytes,
                        .params = p->kernelParams,
                        .extra = p->extra,
                        .node = true};
    if (old) /* an attribute of the node */
        memcpy(launch.cluster, old->kernel.cluster, sizeof launch.cluster);
    fk_context *ctx = p->ctx ? fk_context_of(p->ctx) : fk_current();
    FK_NEED(!p->ctx || ctx, CUDA_ERROR_INVALID_CONTEXT);
    return fk_launch_work(ctx, &launch, work);
}

CUDA_KERNEL_NODE_PARAMS_v2 fk_kernel_params_v2(const CUDA_KERNEL_NODE_PARAMS_v1 *p) {
    CUDA_KERNEL_NODE_PARAMS_v2 wide = {0};
    memcpy(&wide, p, sizeof *p); /* the newer struct begins with the older one */
    return wide;
}

CUresult fk_cuGraphAddKernelNode_v2(CUgraphNode *node, CUgraph graph, const CUgraphNode *deps,
                                    size_t n, const CUDA_KERNEL_NODE_PARAMS_v2 *params) {
    fk_work work;
    return add(node, graph, deps, n, &work, fk_kernel_work(params, NULL, &work));
}

CUresult fk_cuGraphAddKernelNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *deps,
                                 size_t n, const CUDA_KERNEL_NODE_PARAMS_v1 *params) {
    FK_NEED(params, CUDA_ERROR_INVALID_VALUE);
    const CUDA_KERNEL_NODE_PARAMS_v2 wide = fk_kernel_params_v2(params);
    return fk_cuGraphAddKernelNode_v2(node, graph, deps, n, &wide);
}

CUresult fk_cuGraphKernelNodeGetParams_v2(CUgraphNode handle, CUDA_KERNEL_NODE_PARAMS_v2 *params) {
    FK_NEED(params, CUDA_ERROR_INVALID_VALUE);
    NODE_OF(node, KERNEL, handle);
    const fk_work *w = &node->work;
    FK_OBJECT(const fk_function, f, FK_FUNCTION, w->kernel.handle, CUDA_ERROR_INVALID_HANDLE);
    if (!node->kernel_params) {
        void **list = calloc(f->kernel->n_params + 1, sizeof *list);
        FK_NEED(list, CUDA_ERROR_OUT_OF_MEMORY);
        for (unsigned i = 0; i < f->kernel->n_params; i++)
            list[i] = w->kernel.params + f->kernel->params[i].offset;
        node->kernel_params = list;
    }
    *params = (CUDA_KERNEL_NODE_PARAMS_v2){.func = w->kernel.handle,
                                           .gridDimX = w->kernel.grid[0],
                                           .gridDimY = w->kernel.grid[1],
                                           .gridDimZ = w->kernel.grid[2],
                                           .blockDimX = w->kernel.block[0],
                                           .blockDimY = w->kernel.block[1],
                                           .blockDimZ = w->kernel.block[2],
                                           .sharedMemBytes = w->kernel.shared,
                                           .kernelParams = node->kernel_params,
                                           .ctx = fk_handle(w->ctx)};
    return CUDA_SUCCESS;
}

CUresult fk_cuGraphKernelNodeGetParams(CUgraphNode node, CUDA_KERNEL_NODE_PARAMS_v1 *params) {
    FK_NEED(params, CUDA_ERROR_INVALID_VALUE);
    CUDA_KERNEL_NODE_PARAMS_v2 wide;
    FK_TRY(fk_cuGraphKernelNodeGetParams_v2(node, &wide));
    memcpy(params, &wide, sizeof *params);
    return CUDA_SUCCESS;
}

CUresult fk_cuGraphKernelNodeSetParams_v2(CUgraphNode handle,
                                          const CUDA_KERNEL_NODE_PARAMS_v2 *params) {
    NODE_OF(node, KERNEL, handle);
    fk_work work;
    return fk_node_replace(node, &work, fk_kernel_work(params, &node->work, &work));
}

CUresult fk_cuGraphKernelNodeSetParams(CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS_v1 *params) {
    FK_NEED(params, CUDA_ERROR_INVALID_VALUE);
    const CUDA_KERNEL_NODE_PARAMS_v2 wide = fk_kernel_params_v2(params);
    return fk_cuGraphKernelNodeSetParams_v2(node, &wide);
}

/* ---- copies and fills ------------------------------------------------------------------------ */

CUresult fk_copy_node_work(const CUDA_MEMCPY3D *copy, CUcontext handle, fk_work *work) {
    fk_context *ctx;
    FK_NEED(copy, CUDA_ERROR_INVALID_VALUE);
    FK_TRY(node_context(handle, &ctx));
    FK_TRY(fk_copy_work(ctx, copy, work));
    return work->kind == WORK_COPY ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult fk_fill_node_work(const CUDA_MEMSET_NODE_PARAMS *fill, CUcontext handle, fk_work *work) {
    fk_context *ctx;
    FK_NEED(fill, CUDA_ERROR_INVALID_VALUE);
    FK_TRY(node_context(handle, &ctx));
    FK_TRY(fk_fill_work(ctx, fill, work));
    return work->kind == WORK_FILL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult fk_cuGraphAddMemcpyNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *deps,
                                 size_t n, const CUDA_MEMCPY3D *copy, CUcontext ctx) {
    fk_work work;
    return add(node, graph, deps, n, &work, fk_copy_node_work(copy, ctx, &work));
}

CUresult fk_cuGraphMemcpyNodeGetParams(CUgraphNode handle, CUDA_MEMCPY3D *copy) {
    FK_NEED(copy, CUDA_ERROR_INVALID_VALUE);
    NODE_OF(node, MEMCPY, handle);
    fk_copy_describe(&node->work, copy);
    return CUDA_SUCCESS;
}

CUresult fk_cuGraphMemcpyNodeSetParams(CUgraphNode handle, const CUDA_MEMCPY3D *copy) {
    NODE_OF(node, MEMCPY, handle);
    fk_work work;
    return fk_node_replace(node, &work, fk_copy_node_work(copy, fk_handle(node->work.ctx), &work));
}

CUresult fk_cuGraphAddMemsetNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *deps,
                                 size_t n, const CUDA_MEMSET_NODE_PARAMS *fill, CUcontext ctx) {
    fk_work work;
    return add(node, graph, deps, n, &work, fk_fill_node_work(fill, ctx, &work));
}

CUresult fk_cuGraphMemsetNodeGetParams(CUgraphNode handle, CUDA_MEMSET_NODE_PARAMS *fill) {
    FK_NEED(fill, CUDA_ERROR_INVALID_VALUE);
    NODE_OF(node, MEMSET, handle);
    const fk_work *w = &node->work;
    *fill = (CUDA_MEMSET_NODE_PARAMS){w->fill.to,      w->fill.pitch, w->fill.value,
                                      w->fill.element, w->fill.width, w->fill.rows};
    return CUDA_SUCCESS;
}

CUresult fk_cuGraphMemsetNodeSetParams(CUgraphNode handle, const CUDA_MEMSET_NODE_PARAMS *fill) {
    NODE_OF(node, MEMSET, handle);
    fk_work work;
    return fk_node_replace(node, &work, fk_fill_node_work(fill, fk_handle(node->work.ctx), &work));
}

/* ---- host functions, empty nodes, children, events ------------------------------------------- */

CUresult fk_host_node_work(const CUDA_HOST_NODE_PARAMS *p, fk_context *ctx, fk_work *work) {
    FK_NEED(p && p->fn, CUDA_ERROR_INVALID_VALUE);
    *work = (fk_work){.kind = WORK_HOST, .ctx = ctx, .host = {.fn = p->fn, .user = p->userData}};
    return CUDA_SUCCESS;
}

CUresult fk_cuGraphAddHostNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *deps, size_t n,
                               const CUDA_HOST_NODE_PARAMS *params) {
    fk_work work;
    return add(node, graph, deps, n, &work, fk_host_node_work(params, NULL, &work));
}

FK_GETTER(cuGraphHostNodeGetParams, (CUgraphNode handle, CUDA_HOST_NODE_PARAMS *out),
          NODE_OF(node, HOST, handle),
          ((CUDA_HOST_NODE_PARAMS){node->work.host.fn, node->work.host.user}))

CUresult fk_cuGraphHostNodeSetParams(CUgraphNode handle, const CUDA_HOST_NODE_PARAMS *params) {
    NODE_OF(node, HOST, handle);
    fk_work work;
    return fk_node_replace(node, &work, fk_host_node_work(params, NULL, &work));
}

CUresult fk_cuGraphAddEmptyNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *deps,
                                size_t n) {
    return add(node, graph, deps, n, &(fk_work){.kind = WORK_EMPTY}, CUDA_SUCCESS);
}

CUresult fk_cuGraphAddChildGraphNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *deps,
                                     size_t n, CUgraph child) {
    const fk_graph *from = fk_get(child, FK_GRAPH);
    FK_NEED(from && child != graph, CUDA_ERROR_INVALID_VALUE);
    fk_work work = {.kind = WORK_CHILD, .child = fk_graph_copy(from)};
    FK_NEED(work.child, CUDA_ERROR_OUT_OF_MEMORY);
    work.child->owned = true;
    return add(node, graph, deps, n, &work, CUDA_SUCCESS);
}

FK_GETTER(cuGraphChildGraphNodeGetGraph, (CUgraphNode handle, CUgraph *out),
          NODE_OF(node, GRAPH, handle), fk_handle(node->work.child))

static CUresult add_event(CUgraphNode *node, CUgraph graph, const CUgraphNode *deps, size_t n,
                          CUevent handle, fk_work_kind kind) {
    FK_OBJECT(fk_event, e, FK_EVENT, handle, CUDA_ERROR_INVALID_HANDLE);
    fk_event_hold(e);
    return add(node, graph, deps, n, &(fk_work){.kind = kind, .ctx = e->ctx, .event = e},
               CUDA_SUCCESS);
}

CUresult fk_cuGraphAddEventRecordNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *deps,
                                      size_t n, CUevent event) {
    return add_event(node, graph, deps, n, event, WORK_RECORD);
}

CUresult fk_cuGraphAddEventWaitNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *deps,
                                    size_t n, CUevent event) {
    return add_event(node, graph, deps, n, event, WORK_WAIT);
}

/* Gives a node of that type another event. */
CUresult fk_node_event(fk_node *node, CUevent handle) {
    FK_OBJECT(fk_event, e, FK_EVENT, handle, CUDA_ERROR_INVALID_HANDLE);
    fk_event_hold(e);
    return fk_node_replace(node, &(fk_work){.kind = node->work.kind, .ctx = e->ctx, .event = e},
                           CUDA_SUCCESS);
}

FK_GETTER(cuGraphEventRecordNodeGetEvent, (CUgraphNode handle, CUevent *out),
          NODE_OF(node, EVENT_RECORD, handle), fk_handle(node->work.event))
FK_GETTER(cuGraphEventWaitNodeGetEvent, (CUgraphNode handle, CUevent *out),
          NODE_OF(node, WAIT_EVENT, handle), fk_handle(node->work.event))

CUresult fk_cuGraphEventRecordNodeSetEvent(CUgraphNode handle, CUevent event) {
    NODE_OF(node, EVENT_RECORD, handle);
    return fk_node_event(node, event);
}

CUresult fk_cuGraphEventWaitNodeSetEvent(CUgraphNode handle, CUevent event) {
    NODE_OF(node, WAIT_EVENT, handle);
    return fk_node_event(node, event);
}

/* ---- memory: an address for the graph's life, bytes from the node to the one that frees them - */

CUresult fk_cuGraphAddMemAllocNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *deps,
                                   size_t n, CUDA_MEM_ALLOC_NODE_PARAMS *params) {
    FK_NEED(params && params->bytesize > 0, CUDA_ERROR_INVALID_VALUE);
    FK_NEED(params->poolProps.location.type == CU_MEM_LOCATION_TYPE_DEVICE &&
                fk_device_of(params->poolProps.location.id),
            CUDA_ERROR_INVALID_VALUE);
    fk_block *b =
        fk_block_new(params->poolProps.location.id, params->bytesize, "cuGraphAddMemAllocNode");
    FK_NEED(b, CUDA_ERROR_OUT_OF_MEMORY);
    b->recurring = b->global = true;
    fk_block_hide(b, true);
    params->dptr = b->extent.base;
    fk_work work = {.kind = WORK_ALLOC, .memory = {b->extent.base, b->id}};
    const CUresult status = add(node, graph, deps, n, &work, CUDA_SUCCESS);
    if (status != CUDA_SUCCESS) fk_block_free(b);
    return status;
}

CUresult fk_cuGraphAddMemFreeNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *deps,
                                  size_t n, CUdeviceptr ptr) {
    const fk_block *b = fk_block_at(ptr);
    FK_NEED(b && b->recurring && b->extent.base == ptr, CUDA_ERROR_INVALID_VALUE);
    return add(node, graph, deps, n, &(fk_work){.kind = WORK_FREE, .memory = {ptr, b->id}},
               CUDA_SUCCESS);
}

CUresult fk_cuGraphMemAllocNodeGetParams(CUgraphNode handle, CUDA_MEM_ALLOC_NODE_PARAMS *out) {
    FK_NEED(out, CUDA_ERROR_INVALID_VALUE);
    NODE_OF(node, MEM_ALLOC, handle);
    const fk_block *b = fk_block_near(node->work.memory.address);
    FK_NEED(b && b->id == node->work.memory.id, CUDA_ERROR_INVALID_VALUE);
    *out = (CUDA_MEM_ALLOC_NODE_PARAMS){
        .poolProps = {.allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
                      .location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = b->device}},
        .bytesize = b->extent.size,
        .dptr = b->extent.base};
    return CUDA_SUCCESS;
}

FK_GETTER(cuGraphMemFreeNodeGetParams, (CUgraphNode handle, CUdeviceptr *out),
          NODE_OF(node, MEM_FREE, handle), node->work.memory.address)

/* ---- the general form ------------------------------------------------------------------------ */

CUresult fk_cuGraphAddNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *deps, size_t n,
                           CUgraphNodeParams *p) {
    FK_NEED(p, CUDA_ERROR_INVALID_VALUE);
    fk_work work;
    switch (p->type) {
    case CU_GRAPH_NODE_TYPE_KERNEL:
        return fk_cuGraphAddKernelNode_v2(node, graph, deps, n, &p->kernel);
    case CU_GRAPH_NODE_TYPE_MEMCPY:
    case CU_GRAPH_NODE_TYPE_MEMSET:
    case CU_GRAPH_NODE_TYPE_HOST:
        return add(node, graph, deps, n, &work, fk_node_params_work(p, NULL, &work));
    case CU_GRAPH_NODE_TYPE_GRAPH:
        return fk_cuGraphAddChildGraphNode(node, graph, deps, n, p->graph.graph);
    case CU_GRAPH_NODE_TYPE_EMPTY: return fk_cuGraphAddEmptyNode(node, graph, deps, n);
    case CU_GRAPH_NODE_TYPE_WAIT_EVENT:
        return fk_cuGraphAddEventWaitNode(node, graph, deps, n, p->eventWait.event);
    case CU_GRAPH_NODE_TYPE_EVENT_RECORD:
        return fk_cuGraphAddEventRecordNode(node, graph, deps, n, p->eventRecord.event);
    case CU_GRAPH_NODE_TYPE_MEM_ALLOC:
        return fk_cuGraphAddMemAllocNode(node, graph, deps, n, &p->alloc);
    case CU_GRAPH_NODE_TYPE_MEM_FREE:
        return fk_cuGraphAddMemFreeNode(node, graph, deps, n, p->free.dptr);
    }
    return CUDA_ERROR_NOT_SUPPORTED;
}

CUresult fk_cuGraphAddNode_v2(CUgraphNode *node, CUgraph graph, const CUgraphNode *deps,
                              const CUgraphEdgeData *edges, size_t n, CUgraphNodeParams *params) {
    FK_NEED(fk_plain_edges(edges, n), CUDA_ERROR_NOT_SUPPORTED);
    return fk_cuGraphAddNode(node, graph, deps, n, params);
}

/* Work of the four kinds whose parameters may change. */
CUresult fk_node_params_work(const CUgraphNodeParams *p, const fk_work *old, fk_work *work) {
    fk_context *ctx = old ? old->ctx : NULL;
    switch (p->type) {
    case CU_GRAPH_NODE_TYPE_KERNEL: return fk_kernel_work(&p->kernel, old, work);
    case CU_GRAPH_NODE_TYPE_MEMCPY:
        return fk_copy_node_work(&p->memcpy.copyParams,
                                 p->memcpy.copyCtx ? p->memcpy.copyCtx : fk_handle(ctx), work);
    case CU_GRAPH_NODE_TYPE_MEMSET: {
        const CUDA_MEMSET_NODE_PARAMS fill = {p->memset.dst,   p->memset.pitch,
                                              p->memset.value, p->memset.elementSize,
                                              p->memset.width, p->memset.height};
        return fk_fill_node_work(&fill, p->memset.ctx ? p->memset.ctx : fk_handle(ctx), work);
    }
    case CU_GRAPH_NODE_TYPE_HOST: return fk_host_node_work(&p->host, ctx, work);
    default: return CUDA_ERROR_NOT_SUPPORTED;
    }
}

CUresult fk_cuGraphNodeSetParams(CUgraphNode handle, CUgraphNodeParams *params) {
    fk_node *node = fk_get(handle, FK_NODE);
    FK_NEED(node && params && params->type == node->type, CUDA_ERROR_INVALID_VALUE);
    fk_work work;
    return fk_node_replace(node, &work, fk_node_params_work(params, &node->work, &work));
}
