/* exec.c - executable graphs: instantiate, change, launch.
 *
 *      stream:  ... tail -> [start] ---------------------------> [join] -> ...
 *                              \-> node -> node -\             /
 *                               \-> node ---------+-> child --/      each node one command, loose:
 * only edges order them
 *
 * An executable owns a copy of the graph; its nodes remember the handles of the nodes they were
 * copied from, by which the program names them. A launch waits for the launch before it. */
#include "fake.h"

#include <stdlib.h>
#include <string.h>

CUresult fk_cuGraphInstantiateWithFlags(CUgraphExec *out, CUgraph handle,
                                        unsigned long long flags) {
    fk_graph *graph = fk_get(handle, FK_GRAPH);
    FK_NEED(out && graph && !(flags & ~(unsigned long long)GRAPH_INSTANTIATE_FLAGS),
            CUDA_ERROR_INVALID_VALUE);
    FK_NEED(fk_graph_acyclic(graph), CUDA_ERROR_INVALID_VALUE);
    fk_exec *exec = fk_new(FK_EXEC, sizeof *exec);
    FK_NEED(exec, CUDA_ERROR_OUT_OF_MEMORY);
    exec->graph = fk_graph_copy(graph);
    if (!exec->graph) {
        fk_delete(exec);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    exec->graph->owned = true;
    exec->flags = flags;
    *out = fk_handle(exec);
    fk_note("%zu nodes", graph->nodes.n);
    return CUDA_SUCCESS;
}

CUresult fk_cuGraphInstantiate_v2(CUgraphExec *exec, CUgraph graph, CUgraphNode *error, char *log,
                                  size_t n) {
    if (error) *error = NULL;
    if (log && n > 0) log[0] = 0;
    return fk_cuGraphInstantiateWithFlags(exec, graph, 0);
}

CUresult fk_cuGraphInstantiateWithParams(CUgraphExec *exec, CUgraph graph,
                                         CUDA_GRAPH_INSTANTIATE_PARAMS *p) {
    FK_NEED(p, CUDA_ERROR_INVALID_VALUE);
    p->hErrNode_out = NULL;
    const CUresult status = fk_cuGraphInstantiateWithFlags(exec, graph, p->flags);
    p->result_out = status == CUDA_SUCCESS ? 0 : 1;
    return status;
}

CUresult fk_cuGraphExecDestroy(CUgraphExec handle) {
    FK_OBJECT(fk_exec, exec, FK_EXEC, handle, CUDA_ERROR_INVALID_VALUE);
    /* what a launch that runs still needs goes after it */
    if (exec->last && exec->graph->user_objects.n) fk_finish(exec->last);
    fk_graph_free(exec->graph);
    fk_drop(exec->last);
    fk_delete(exec);
    return CUDA_SUCCESS;
}

FK_GETTER(cuGraphExecGetFlags, (CUgraphExec handle, cuuint64_t *out),
          FK_OBJECT(const fk_exec, exec, FK_EXEC, handle, CUDA_ERROR_INVALID_VALUE), exec->flags)

/* ---- launching ------------------------------------------------------------------------------- */

static fk_command *expand(fk_stream *stream, fk_graph *graph, fk_command *start);

/* Handles that a node names may have ended since; then the launch fails as a whole, before it
 * starts. */
static CUresult check_nodes(const fk_graph *graph) {
    for (size_t i = 0; i < graph->nodes.n; i++) {
        const fk_node *node = graph->nodes.at[i];
        const fk_work *w = &node->work;
        FK_NEED(!w->ctx || w->ctx->alive, CUDA_ERROR_INVALID_CONTEXT);
        FK_NEED(w->kind != WORK_KERNEL || fk_get(w->kernel.handle, FK_FUNCTION),
                CUDA_ERROR_INVALID_HANDLE);
        const uint32_t *grid = w->kernel.grid;
        FK_NEED(w->kind != WORK_KERNEL || node->disabled || (grid[0] && grid[1] && grid[2]),
                CUDA_ERROR_INVALID_VALUE);
        if (w->kind == WORK_CHILD) FK_TRY(check_nodes(w->child));
    }
    return CUDA_SUCCESS;
}

/* The command of one node behind those of its dependencies. */
static fk_command *launch_node(fk_stream *stream, fk_node *node, fk_command *start,
                               fk_command *const *made) {
    fk_list deps = {0};
    bool ok = true;
    for (size_t i = 0; i < node->deps.n; i++)
        ok = ok && fk_push(&deps, made[((fk_node *)node->deps.at[i])->index]);
    if (deps.n == 0) ok = ok && fk_push(&deps, start);
    fk_work work;
    const bool child = node->work.kind == WORK_CHILD && !node->disabled;
    fk_command *c = NULL;
    if (node->work.kind == WORK_WAIT && node->work.event->last)
        ok = ok && fk_push(&deps, node->work.event->last);
    if (node->disabled || child)
        work = (fk_work){.kind = WORK_EMPTY};
    else
        ok = ok && fk_work_copy(&work, &node->work);
    if (ok) {
        work.ctx = work.ctx ? work.ctx : stream->ctx;
        c = fk_enqueue(stream, &work, (fk_command *const *)deps.at, deps.n, true);
    }
    fk_list_free(&deps);
    if (c && !node->disabled && node->work.kind == WORK_RECORD)
        fk_event_became(node->work.event, c);
    return c && child ? expand(stream, node->work.child, c) : c;
}

/* All nodes behind `start`; returns the command that all of them come before. */
static fk_command *expand(fk_stream *stream, fk_graph *graph, fk_command *start) {
    fk_list order = {0};
    fk_command **made = calloc(graph->nodes.n + 1, sizeof *made);
    bool ok = made && fk_graph_sort(graph, &order);
    for (size_t i = 0; ok && i < order.n; i++) {
        fk_node *node = order.at[i];
        made[node->index] = launch_node(stream, node, start, made);
        ok = made[node->index] != NULL;
    }
    made = made ? made : calloc(1, sizeof *made);
    fk_command *join = NULL;
    if (ok) {
        made[graph->nodes.n] = start;
        join = fk_enqueue(stream, &(fk_work){.kind = WORK_EMPTY, .ctx = stream->ctx}, made,
                          graph->nodes.n + 1, true);
    }
    fk_list_free(&order);
    free(made);
    return join;
}

CUresult fk_cuGraphLaunch(CUgraphExec handle, CUstream stream_handle) {
    FK_OBJECT(fk_exec, exec, FK_EXEC, handle, CUDA_ERROR_INVALID_VALUE);
    FK_STREAM_OF(s, stream_handle);
    fk_note("%zu nodes, stream %llu", exec->graph->nodes.n, (unsigned long long)s->id);
    if (s->capture) {
        fk_work child = {.kind = WORK_CHILD, .ctx = s->ctx, .child = fk_graph_copy(exec->graph)};
        FK_NEED(child.child, CUDA_ERROR_OUT_OF_MEMORY);
        return fk_capture_add(s, &child);
    }
    FK_TRY(check_nodes(exec->graph));
    if (s->legacy) FK_TRY(fk_capture_implicit(s->ctx));
    fk_command *start = fk_enqueue(s, &(fk_work){.kind = WORK_EMPTY, .ctx = s->ctx}, &exec->last,
                                   exec->last != NULL, false);
    FK_NEED(start, CUDA_ERROR_OUT_OF_MEMORY);
    fk_command *last = fk.config.null ? start : expand(s, exec->graph, start);
    FK_NEED(last, CUDA_ERROR_OUT_OF_MEMORY);
    fk_command *end = fk_enqueue(s, &(fk_work){.kind = WORK_EMPTY, .ctx = s->ctx}, &last, 1, false);
    FK_NEED(end, CUDA_ERROR_OUT_OF_MEMORY);
    fk_hold(end);
    fk_drop(exec->last);
    exec->last = end;
    return CUDA_SUCCESS;
}

CUresult fk_cuGraphUpload(CUgraphExec handle, CUstream stream) {
    CUresult status;
    FK_NEED(fk_get(handle, FK_EXEC), CUDA_ERROR_INVALID_VALUE);
    FK_NEED(fk_stream_of(stream, &status), status);
    return CUDA_SUCCESS;
}

/* ---- changing -------------------------------------------------------------------------------- */

/* Whether the new graph can take the old one's place: the same nodes with the same edges. */
static CUgraphExecUpdateResult compare(const fk_graph *old, const fk_graph *now,
                                       const fk_node **where) {
    *where = NULL;
    if (old->nodes.n != now->nodes.n) return CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED;
    for (size_t i = 0; i < old->nodes.n; i++) {
        const fk_node *a = old->nodes.at[i], *b = now->nodes.at[i];
        *where = b;
        if (a->type != b->type) return CU_GRAPH_EXEC_UPDATE_ERROR_NODE_TYPE_CHANGED;
        if (a->deps.n != b->deps.n) return CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED;
        for (size_t k = 0; k < a->deps.n; k++)
            if (((fk_node *)a->deps.at[k])->index != ((fk_node *)b->deps.at[k])->index)
                return CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED;
        if (a->type == CU_GRAPH_NODE_TYPE_MEM_ALLOC || a->type == CU_GRAPH_NODE_TYPE_MEM_FREE)
            return CU_GRAPH_EXEC_UPDATE_ERROR_NOT_SUPPORTED;
        if (a->work.kind == WORK_CHILD) {
            const CUgraphExecUpdateResult inner = compare(a->work.child, b->work.child, where);
            if (inner != CU_GRAPH_EXEC_UPDATE_SUCCESS) return inner;
        }
    }
    *where = NULL;
    return CU_GRAPH_EXEC_UPDATE_SUCCESS;
}

CUresult fk_cuGraphExecUpdate_v2(CUgraphExec handle, CUgraph graph_handle,
                                 CUgraphExecUpdateResultInfo *info) {
    fk_exec *exec = fk_get(handle, FK_EXEC);
    const fk_graph *graph = fk_get(graph_handle, FK_GRAPH);
    FK_NEED(exec && graph && info, CUDA_ERROR_INVALID_VALUE);
    const fk_node *where;
    *info = (CUgraphExecUpdateResultInfo){.result = compare(exec->graph, graph, &where)};
    info->errorNode = fk_handle(where);
    FK_NEED(info->result == CU_GRAPH_EXEC_UPDATE_SUCCESS, CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
    fk_graph *copy = fk_graph_copy(graph);
    FK_NEED(copy, CUDA_ERROR_OUT_OF_MEMORY);
    /* The program goes on naming nodes by the graph that it instantiated. */
    for (size_t i = 0; i < copy->nodes.n; i++) {
        fk_node *node = copy->nodes.at[i];
        const fk_node *old = exec->graph->nodes.at[i];
        node->origin_handle = old->origin_handle;
        node->disabled = old->disabled;
    }
    copy->owned = true;
    fk_graph_free(exec->graph);
    exec->graph = copy;
    return CUDA_SUCCESS;
}

CUresult fk_cuGraphExecUpdate(CUgraphExec exec, CUgraph graph, CUgraphNode *error,
                              CUgraphExecUpdateResult *result) {
    FK_NEED(error && result, CUDA_ERROR_INVALID_VALUE);
    CUgraphExecUpdateResultInfo info = {.result = CU_GRAPH_EXEC_UPDATE_ERROR};
    const CUresult status = fk_cuGraphExecUpdate_v2(exec, graph, &info);
    *error = info.errorNode;
    *result = info.result;
    return status;
}

/* The executable's node that was made from `node`, if it has that type. */
static CUresult exec_node(CUgraphExec handle, CUgraphNode node, CUgraphNodeType type,
                          fk_node **out) {
    const fk_exec *exec = fk_get(handle, FK_EXEC);
    FK_NEED(exec && node, CUDA_ERROR_INVALID_VALUE);
    *out = fk_graph_find(exec->graph, node);
    return *out && (*out)->type == type ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult fk_cuGraphExecKernelNodeSetParams_v2(CUgraphExec exec, CUgraphNode handle,
                                              const CUDA_KERNEL_NODE_PARAMS_v2 *params) {
    fk_node *node;
    FK_TRY(exec_node(exec, handle, CU_GRAPH_NODE_TYPE_KERNEL, &node));
    fk_work work;
    FK_TRY(fk_kernel_work(params, &node->work, &work));
    if (work.ctx != node->work.ctx) {
        fk_work_free(&work);
        return CUDA_ERROR_INVALID_VALUE;
    }
    return fk_node_replace(node, &work, CUDA_SUCCESS);
}

CUresult fk_cuGraphExecKernelNodeSetParams(CUgraphExec exec, CUgraphNode node,
                                           const CUDA_KERNEL_NODE_PARAMS_v1 *params) {
    FK_NEED(params, CUDA_ERROR_INVALID_VALUE);
    const CUDA_KERNEL_NODE_PARAMS_v2 wide = fk_kernel_params_v2(params);
    return fk_cuGraphExecKernelNodeSetParams_v2(exec, node, &wide);
}

/* Where a copy or fill in an executable goes may change, but not to another kind of memory. */
static bool same_places(const fk_work *a, const fk_work *b) {
    const fk_block *a_to = fk_block_at(a->copy.to.address), *b_to = fk_block_at(b->copy.to.address);
    const fk_block *a_from = fk_block_at(a->copy.from.address),
                   *b_from = fk_block_at(b->copy.from.address);
    return (a_to && a_to->place == FK_DEVICE) == (b_to && b_to->place == FK_DEVICE) &&
           (a_from && a_from->place == FK_DEVICE) == (b_from && b_from->place == FK_DEVICE);
}

CUresult fk_cuGraphExecMemcpyNodeSetParams(CUgraphExec exec, CUgraphNode handle,
                                           const CUDA_MEMCPY3D *copy, CUcontext ctx) {
    fk_node *node;
    FK_TRY(exec_node(exec, handle, CU_GRAPH_NODE_TYPE_MEMCPY, &node));
    fk_work work;
    FK_TRY(fk_copy_node_work(copy, ctx, &work));
    FK_NEED(same_places(&node->work, &work), CUDA_ERROR_INVALID_VALUE);
    return fk_node_replace(node, &work, CUDA_SUCCESS);
}

CUresult fk_cuGraphExecMemsetNodeSetParams(CUgraphExec exec, CUgraphNode handle,
                                           const CUDA_MEMSET_NODE_PARAMS *fill, CUcontext ctx) {
    fk_node *node;
    FK_TRY(exec_node(exec, handle, CU_GRAPH_NODE_TYPE_MEMSET, &node));
    fk_work work;
    return fk_node_replace(node, &work, fk_fill_node_work(fill, ctx, &work));
}

CUresult fk_cuGraphExecHostNodeSetParams(CUgraphExec exec, CUgraphNode handle,
                                         const CUDA_HOST_NODE_PARAMS *params) {
    fk_node *node;
    FK_TRY(exec_node(exec, handle, CU_GRAPH_NODE_TYPE_HOST, &node));
    fk_work work;
    return fk_node_replace(node, &work, fk_host_node_work(params, NULL, &work));
}

static CUresult exec_event(CUgraphExec exec, CUgraphNode handle, CUgraphNodeType type,
                           CUevent event) {
    fk_node *node;
    FK_TRY(exec_node(exec, handle, type, &node));
    return fk_node_event(node, event);
}

CUresult fk_cuGraphExecEventRecordNodeSetEvent(CUgraphExec exec, CUgraphNode node, CUevent event) {
    return exec_event(exec, node, CU_GRAPH_NODE_TYPE_EVENT_RECORD, event);
}

CUresult fk_cuGraphExecEventWaitNodeSetEvent(CUgraphExec exec, CUgraphNode node, CUevent event) {
    return exec_event(exec, node, CU_GRAPH_NODE_TYPE_WAIT_EVENT, event);
}

CUresult fk_cuGraphExecNodeSetParams(CUgraphExec exec, CUgraphNode handle,
                                     CUgraphNodeParams *params) {
    fk_node *node;
    FK_NEED(params, CUDA_ERROR_INVALID_VALUE);
    FK_TRY(exec_node(exec, handle, params->type, &node));
    fk_work work;
    return fk_node_replace(node, &work, fk_node_params_work(params, &node->work, &work));
}

static bool can_be_disabled(const fk_node *node) {
    return node->type == CU_GRAPH_NODE_TYPE_KERNEL || node->type == CU_GRAPH_NODE_TYPE_MEMCPY ||
           node->type == CU_GRAPH_NODE_TYPE_MEMSET;
}

CUresult fk_cuGraphNodeSetEnabled(CUgraphExec handle, CUgraphNode node, unsigned enabled) {
    const fk_exec *exec = fk_get(handle, FK_EXEC);
    FK_NEED(exec && node, CUDA_ERROR_INVALID_VALUE);
    fk_node *found = fk_graph_find(exec->graph, node);
    FK_NEED(found && can_be_disabled(found), CUDA_ERROR_INVALID_VALUE);
    found->disabled = enabled == 0;
    return CUDA_SUCCESS;
}

CUresult fk_cuGraphNodeGetEnabled(CUgraphExec handle, CUgraphNode node, unsigned *enabled) {
    const fk_exec *exec = fk_get(handle, FK_EXEC);
    FK_NEED(exec && node && enabled, CUDA_ERROR_INVALID_VALUE);
    const fk_node *found = fk_graph_find(exec->graph, node);
    FK_NEED(found && can_be_disabled(found), CUDA_ERROR_INVALID_VALUE);
    *enabled = !found->disabled;
    return CUDA_SUCCESS;
}
