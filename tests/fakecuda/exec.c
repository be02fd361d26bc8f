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
    FK_VALID(out && graph && !(flags & ~(unsigned long long)GRAPH_INSTANTIATE_FLAGS));
    FK_VALID(fk_graph_acyclic(graph));
    fk_exec *exec = fk_new(FK_EXEC, sizeof *exec);
    exec->graph = fk_graph_copy(graph);
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
    FK_VALID(p);
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
        FK_VALID(w->kind != WORK_KERNEL || node->disabled || (grid[0] && grid[1] && grid[2]));
        if (w->kind == WORK_CHILD) FK_TRY(check_nodes(w->child));
    }
    return CUDA_SUCCESS;
}

/* The command of one node behind those of its dependencies. */
static fk_command *launch_node(fk_stream *stream, fk_node *node, fk_command *start,
                               fk_command *const *made) {
    fk_list deps = {0};
    for (size_t i = 0; i < node->deps.n; i++)
        fk_push(&deps, made[((fk_node *)node->deps.at[i])->index]);
    if (deps.n == 0) fk_push(&deps, start);
    fk_work work = {.kind = WORK_EMPTY};
    const bool child = node->work.kind == WORK_CHILD && !node->disabled;
    if (node->work.kind == WORK_WAIT && node->work.event->last)
        fk_push(&deps, node->work.event->last);
    if (!node->disabled && !child) fk_work_copy(&work, &node->work);
    work.ctx = work.ctx ? work.ctx : stream->ctx;
    fk_command *c = fk_enqueue(stream, &work, (fk_command *const *)deps.at, deps.n, true);
    fk_list_free(&deps);
    if (!node->disabled && node->work.kind == WORK_RECORD) fk_event_became(node->work.event, c);
    return child ? expand(stream, node->work.child, c) : c;
}

/* All nodes behind `start`; returns the command that all of them come before. */
static fk_command *expand(fk_stream *stream, fk_graph *graph, fk_command *start) {
    fk_list order = {0};
    const size_t n = graph->nodes.n;
    fk_command **made = ptx_zeroed((n + 1) * sizeof *made);
    fk_graph_sort(graph, &order);
    for (size_t i = 0; i < n; i++) {
        fk_node *node = order.at[i];
        made[node->index] = launch_node(stream, node, start, made);
    }
    made[n] = start;
    fk_command *join =
        fk_enqueue(stream, &(fk_work){.kind = WORK_EMPTY, .ctx = stream->ctx}, made, n + 1, true);
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
        return fk_capture_add(s, &child);
    }
    FK_TRY(check_nodes(exec->graph));
    if (s->legacy) FK_TRY(fk_capture_implicit(s->ctx));
    fk_command *start = fk_enqueue(s, &(fk_work){.kind = WORK_EMPTY, .ctx = s->ctx}, &exec->last,
                                   exec->last != NULL, false);
    fk_command *last = fk.config.null ? start : expand(s, exec->graph, start);
    fk_command *end = fk_enqueue(s, &(fk_work){.kind = WORK_EMPTY, .ctx = s->ctx}, &last, 1, false);
    fk_hold(end);
    fk_drop(exec->last);
    exec->last = end;
    return CUDA_SUCCESS;
}

CUresult fk_cuGraphUpload(CUgraphExec handle, CUstream stream) {
    CUresult status;
    FK_VALID(fk_get(handle, FK_EXEC));
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
    FK_VALID(exec && graph && info);
    const fk_node *where;
    *info = (CUgraphExecUpdateResultInfo){.result = compare(exec->graph, graph, &where)};
    info->errorNode = fk_handle(where);
    FK_NEED(info->result == CU_GRAPH_EXEC_UPDATE_SUCCESS, CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
    fk_graph *copy = fk_graph_copy(graph);
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
    FK_VALID(error && result);
    CUgraphExecUpdateResultInfo info = {.result = CU_GRAPH_EXEC_UPDATE_ERROR};
    const CUresult status = fk_cuGraphExecUpdate_v2(exec, graph, &info);
    *error = info.errorNode;
    *result = info.result;
    return status;
}

/* The executable's node that was made from `node`. */
static fk_node *exec_node(CUgraphExec handle, CUgraphNode node) {
    const fk_exec *exec = fk_get(handle, FK_EXEC);
    return exec && node ? fk_graph_find(exec->graph, node) : NULL;
}

/* A kernel stays in its context; where a copy in an executable goes may change, but not to another kind
 * of memory. */
static bool fits(const fk_work *a, const fk_work *b) {
    if (a->kind == WORK_KERNEL) return a->ctx == b->ctx;
    if (a->kind != WORK_COPY) return true;
    const uint64_t from[4] = {a->copy.to.address, b->copy.to.address, a->copy.from.address,
                              b->copy.from.address};
    bool device[4];
    for (int k = 0; k < 4; k++) {
        const fk_block *in = fk_block_at(from[k]);
        device[k] = in && in->place == FK_DEVICE;
    }
    return device[0] == device[1] && device[2] == device[3];
}

CUresult fk_exec_set(CUgraphExec exec, CUgraphNode handle, CUgraphNodeType type, const void *params,
                     CUcontext ctx) {
    fk_node *node = exec_node(exec, handle);
    fk_work work;
    FK_VALID(node && node->type == type);
    FK_TRY(fk_node_work(type, params, ctx, &node->work, &work));
    if (!fits(&node->work, &work)) {
        fk_work_free(&work);
        return CUDA_ERROR_INVALID_VALUE;
    }
    fk_node_replace(node, &work);
    return CUDA_SUCCESS;
}

/* One that can be disabled. */
static fk_node *enabled_node(CUgraphExec exec, CUgraphNode handle) {
    fk_node *node = exec_node(exec, handle);
    return node && node->type <= CU_GRAPH_NODE_TYPE_MEMSET ? node : NULL;
}

CUresult fk_cuGraphNodeSetEnabled(CUgraphExec exec, CUgraphNode handle, unsigned enabled) {
    fk_node *node = enabled_node(exec, handle);
    FK_VALID(node);
    node->disabled = enabled == 0;
    return CUDA_SUCCESS;
}

FK_GETTER(cuGraphNodeGetEnabled, (CUgraphExec exec, CUgraphNode handle, unsigned *out),
          FK_VALID(enabled_node(exec, handle)), !enabled_node(exec, handle)->disabled)
