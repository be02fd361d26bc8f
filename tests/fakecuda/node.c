/* node.c - adding nodes to a graph, and the parameters of nodes. */
#include "fake.h"

#include <stdlib.h>
#include <string.h>

static fk_node *typed(CUgraphNode handle, CUgraphNodeType type) {
    fk_node *node = fk_get(handle, FK_NODE);
    return node && node->type == type ? node : NULL;
}

#define NODE_OF(name, kind, handle)                                                                \
    fk_node *name = typed(handle, CU_GRAPH_NODE_TYPE_##kind);                                      \
    FK_VALID(name)

/* ---- parameters to work ---------------------------------------------------------------------- */

static CUresult kernel_work(const CUDA_KERNEL_NODE_PARAMS_v2 *p, const fk_work *old,
                            fk_work *work) {
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

/* A copy or fill works in the context that it names, that it had, or the current one. */
static CUresult bytes_work(CUgraphNodeType type, const void *params, CUcontext handle,
                           const fk_work *old, fk_work *work) {
    fk_context *ctx = handle ? fk_context_of(handle) : old ? old->ctx : fk_current();
    FK_NEED(ctx && ctx->alive, CUDA_ERROR_INVALID_CONTEXT);
    FK_TRY(type == CU_GRAPH_NODE_TYPE_MEMCPY ? fk_copy_work(ctx, params, work)
                                             : fk_fill_work(ctx, params, work));
    FK_VALID(work->kind != WORK_EMPTY);
    return CUDA_SUCCESS;
}

/* What can't be changed once it is there. */
static CUresult fixed_work(CUgraphNodeType type, const void *params, fk_work *work) {
    *work = (fk_work){.kind = WORK_EMPTY};
    if (type == CU_GRAPH_NODE_TYPE_GRAPH) {
        const fk_graph *from = fk_get(*(const CUgraph *)params, FK_GRAPH);
        FK_VALID(from);
        *work = (fk_work){.kind = WORK_CHILD, .child = fk_graph_copy(from)};
        work->child->owned = true;
    } else if (type == CU_GRAPH_NODE_TYPE_MEM_FREE) {
        const CUdeviceptr ptr = *(const CUdeviceptr *)params;
        const fk_block *b = fk_block_at(ptr);
        FK_VALID(b && b->recurring && b->extent.base == ptr);
        *work = (fk_work){.kind = WORK_FREE, .memory = {ptr, b->id}};
    }
    return type == CU_GRAPH_NODE_TYPE_MEM_ALLOC ? CUDA_ERROR_NOT_SUPPORTED : CUDA_SUCCESS;
}

CUresult fk_node_work(CUgraphNodeType type, const void *params, CUcontext ctx, const fk_work *old,
                      fk_work *work) {
    FK_VALID(params);
    switch (type) {
    case CU_GRAPH_NODE_TYPE_KERNEL: return kernel_work(params, old, work);
    case CU_GRAPH_NODE_TYPE_MEMCPY:
    case CU_GRAPH_NODE_TYPE_MEMSET: return bytes_work(type, params, ctx, old, work);
    case CU_GRAPH_NODE_TYPE_HOST: {
        const CUDA_HOST_NODE_PARAMS *p = params;
        FK_VALID(p->fn);
        *work = (fk_work){.kind = WORK_HOST, .host = {.fn = p->fn, .user = p->userData}};
        return CUDA_SUCCESS;
    }
    case CU_GRAPH_NODE_TYPE_WAIT_EVENT:
    case CU_GRAPH_NODE_TYPE_EVENT_RECORD: {
        FK_OBJECT(fk_event, e, FK_EVENT, *(const CUevent *)params, CUDA_ERROR_INVALID_HANDLE);
        fk_event_hold(e);
        *work = (fk_work){.kind = type == CU_GRAPH_NODE_TYPE_WAIT_EVENT ? WORK_WAIT : WORK_RECORD,
                          .ctx = e->ctx,
                          .event = e};
        return CUDA_SUCCESS;
    }
    default: return old ? CUDA_ERROR_NOT_SUPPORTED : fixed_work(type, params, work);
    }
}

const CUDA_KERNEL_NODE_PARAMS_v2 *fk_kernel_params(const CUDA_KERNEL_NODE_PARAMS_v1 *params,
                                                   CUDA_KERNEL_NODE_PARAMS_v2 *wide) {
    if (params)
        memcpy(wide, params, sizeof *params); /* the newer struct begins with the older one */
    return params ? wide : NULL;
}

const void *fk_params_of(const CUgraphNodeParams *p) {
    return p->type == CU_GRAPH_NODE_TYPE_MEMCPY ? &p->memcpy.copyParams
                                                : (const void *)p->reserved1;
}

CUcontext fk_params_ctx(const CUgraphNodeParams *p) {
    return p->type == CU_GRAPH_NODE_TYPE_MEMCPY   ? p->memcpy.copyCtx
           : p->type == CU_GRAPH_NODE_TYPE_MEMSET ? p->memset.ctx
                                                  : NULL;
}

/* ---- adding and changing --------------------------------------------------------------------- */

/* Adds `work`, which it takes, behind nodes given by handles. */
static CUresult add(CUgraphNode *out, CUgraph handle, const CUgraphNode *deps, size_t n,
                    fk_work *work) {
    fk_graph *graph = fk_get(handle, FK_GRAPH);
    fk_list list = {0};
    bool ok = out && graph && (deps || n == 0);
    for (size_t i = 0; ok && i < n; i++) {
        fk_node *dep = fk_get(deps[i], FK_NODE);
        ok = dep && dep->graph == graph && !fk_has(&list, dep);
        fk_push(&list, dep);
    }
    if (ok)
        *out = fk_handle(fk_graph_add(graph, work, (fk_node *const *)list.at, list.n));
    else
        fk_work_free(work);
    fk_list_free(&list);
    return ok ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult fk_node_add(CUgraphNode *out, CUgraph graph, const CUgraphNode *deps, size_t n,
                     CUgraphNodeType type, const void *params, CUcontext ctx) {
    fk_work work;
    FK_VALID(type != CU_GRAPH_NODE_TYPE_GRAPH || *(const CUgraph *)params != graph);
    FK_TRY(fk_node_work(type, params, ctx, NULL, &work));
    return add(out, graph, deps, n, &work);
}

void fk_node_replace(fk_node *node, fk_work *work) {
    fk_work_free(&node->work);
    node->work = *work;
    free(node->kernel_params);
    node->kernel_params = NULL;
}

CUresult fk_node_set(CUgraphNode handle, CUgraphNodeType type, const void *params, CUcontext ctx) {
    fk_node *node = typed(handle, type);
    fk_work work;
    FK_VALID(node);
    FK_TRY(fk_node_work(type, params, ctx, &node->work, &work));
    fk_node_replace(node, &work);
    return CUDA_SUCCESS;
}

/* Memory: an address for the graph's life, bytes from the node to the one that frees them. */
CUresult fk_cuGraphAddMemAllocNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *deps,
                                   size_t n, CUDA_MEM_ALLOC_NODE_PARAMS *params) {
    FK_VALID(params && params->bytesize > 0);
    FK_VALID(params->poolProps.location.type == CU_MEM_LOCATION_TYPE_DEVICE &&
             fk_device_of(params->poolProps.location.id));
    fk_block *b =
        fk_block_new(params->poolProps.location.id, params->bytesize, "cuGraphAddMemAllocNode");
    FK_NEED(b, CUDA_ERROR_OUT_OF_MEMORY);
    b->recurring = b->global = true;
    fk_block_hide(b, true);
    params->dptr = b->extent.base;
    fk_work work = {.kind = WORK_ALLOC, .memory = {b->extent.base, b->id}};
    const CUresult status = add(node, graph, deps, n, &work);
    if (status != CUDA_SUCCESS) fk_block_free(b);
    return status;
}

CUresult fk_cuGraphAddNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *deps, size_t n,
                           CUgraphNodeParams *p) {
    FK_VALID(p);
    if (p->type == CU_GRAPH_NODE_TYPE_MEM_ALLOC)
        return fk_cuGraphAddMemAllocNode(node, graph, deps, n, &p->alloc);
    return fk_node_add(node, graph, deps, n, p->type, fk_params_of(p), fk_params_ctx(p));
}

/* ---- asking ---------------------------------------------------------------------------------- */

CUresult fk_cuGraphKernelNodeGetParams_v2(CUgraphNode handle, CUDA_KERNEL_NODE_PARAMS_v2 *params) {
    FK_VALID(params);
    NODE_OF(node, KERNEL, handle);
    const fk_work *w = &node->work;
    FK_OBJECT(const fk_function, f, FK_FUNCTION, w->kernel.handle, CUDA_ERROR_INVALID_HANDLE);
    if (!node->kernel_params) {
        void **list = ptx_grow(NULL, f->kernel->n_params * sizeof *list);
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
    FK_VALID(params);
    CUDA_KERNEL_NODE_PARAMS_v2 wide;
    FK_TRY(fk_cuGraphKernelNodeGetParams_v2(node, &wide));
    memcpy(params, &wide, sizeof *params);
    return CUDA_SUCCESS;
}

CUresult fk_cuGraphMemcpyNodeGetParams(CUgraphNode handle, CUDA_MEMCPY3D *copy) {
    FK_VALID(copy);
    NODE_OF(node, MEMCPY, handle);
    fk_copy_describe(&node->work, copy);
    return CUDA_SUCCESS;
}

CUresult fk_cuGraphMemsetNodeGetParams(CUgraphNode handle, CUDA_MEMSET_NODE_PARAMS *fill) {
    FK_VALID(fill);
    NODE_OF(node, MEMSET, handle);
    const fk_work *w = &node->work;
    *fill = (CUDA_MEMSET_NODE_PARAMS){w->fill.to,      w->fill.pitch, w->fill.value,
                                      w->fill.element, w->fill.width, w->fill.rows};
    return CUDA_SUCCESS;
}

FK_GETTER(cuGraphHostNodeGetParams, (CUgraphNode handle, CUDA_HOST_NODE_PARAMS *out),
          NODE_OF(node, HOST, handle),
          ((CUDA_HOST_NODE_PARAMS){node->work.host.fn, node->work.host.user}))
FK_GETTER(cuGraphChildGraphNodeGetGraph, (CUgraphNode handle, CUgraph *out),
          NODE_OF(node, GRAPH, handle), fk_handle(node->work.child))
FK_GETTER(cuGraphEventRecordNodeGetEvent, (CUgraphNode handle, CUevent *out),
          NODE_OF(node, EVENT_RECORD, handle), fk_handle(node->work.event))
FK_GETTER(cuGraphEventWaitNodeGetEvent, (CUgraphNode handle, CUevent *out),
          NODE_OF(node, WAIT_EVENT, handle), fk_handle(node->work.event))
FK_GETTER(cuGraphMemFreeNodeGetParams, (CUgraphNode handle, CUdeviceptr *out),
          NODE_OF(node, MEM_FREE, handle), node->work.memory.address)

CUresult fk_cuGraphMemAllocNodeGetParams(CUgraphNode handle, CUDA_MEM_ALLOC_NODE_PARAMS *out) {
    FK_VALID(out);
    NODE_OF(node, MEM_ALLOC, handle);
    const fk_block *b = fk_block_near(node->work.memory.address);
    FK_VALID(b && b->id == node->work.memory.id);
    *out = (CUDA_MEM_ALLOC_NODE_PARAMS){
        .poolProps = {.allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
                      .location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = b->device}},
        .bytesize = b->extent.size,
        .dptr = b->extent.base};
    return CUDA_SUCCESS;
}
