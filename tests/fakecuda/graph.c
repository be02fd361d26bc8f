/* graph.c - graphs as data: nodes, edges, clones, questions about them.
 *
 * A node lists what it depends on; edges the other way are found by looking. Nodes stand in the
 * order of their creation, which is topological only until somebody adds edges: fk_graph_sort()
 * makes the order. */
#include "fake.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    fk_head head;
    void *ptr;
    CUhostFn destroy;
    unsigned refs, held; /* of the program, of graphs */
} user_object;

fk_graph *fk_graph_new(void) {
    return fk_new(FK_GRAPH, sizeof(fk_graph));
}

static void node_free(fk_node *node) {
    fk_work_free(&node->work);
    fk_list_free(&node->deps);
    free(node->kernel_params);
    fk_delete(node);
}

/* Ends the object when neither the program nor a graph has a reference. */
static void end_user_object(user_object *o) {
    if (o->refs + o->held == 0) {
        const CUhostFn destroy = o->destroy;
        void *ptr = o->ptr;
        fk_delete(o);
        pthread_mutex_unlock(&fk.lock);
        destroy(ptr);
        pthread_mutex_lock(&fk.lock);
    }
}

void fk_graph_free(fk_graph *graph) {
    fk_unhandle(graph);
    for (size_t i = 0; i < graph->nodes.n; i++) node_free(graph->nodes.at[i]);
    for (size_t i = 0; i < graph->user_objects.n; i++) {
        user_object *o = graph->user_objects.at[i];
        o->held--;
        end_user_object(o);
    }
    fk_list_free(&graph->nodes);
    fk_list_free(&graph->user_objects);
    free(graph);
}

static const CUgraphNodeType types[WORK_KINDS] = {
    [WORK_KERNEL] = CU_GRAPH_NODE_TYPE_KERNEL,   [WORK_COPY] = CU_GRAPH_NODE_TYPE_MEMCPY,
    [WORK_FILL] = CU_GRAPH_NODE_TYPE_MEMSET,     [WORK_HOST] = CU_GRAPH_NODE_TYPE_HOST,
    [WORK_CALLBACK] = CU_GRAPH_NODE_TYPE_HOST,   [WORK_RECORD] = CU_GRAPH_NODE_TYPE_EVENT_RECORD,
    [WORK_WAIT] = CU_GRAPH_NODE_TYPE_WAIT_EVENT, [WORK_EMPTY] = CU_GRAPH_NODE_TYPE_EMPTY,
    [WORK_ALLOC] = CU_GRAPH_NODE_TYPE_MEM_ALLOC, [WORK_FREE] = CU_GRAPH_NODE_TYPE_MEM_FREE,
    [WORK_CHILD] = CU_GRAPH_NODE_TYPE_GRAPH};

fk_node *fk_graph_add(fk_graph *graph, fk_work *work, fk_node *const *deps, size_t n) {
    fk_node *node = fk_new(FK_NODE, sizeof *node);
    for (size_t i = 0; i < n; i++) fk_push(&node->deps, deps[i]);
    fk_push(&graph->nodes, node);
    node->graph = graph;
    node->work = *work;
    node->type = types[work->kind];
    node->index = graph->nodes.n - 1;
    return node;
}

/* What the user's objects keep alive, a copy needs as well. */
fk_graph *fk_graph_copy(const fk_graph *from) {
    fk_graph *graph = fk_graph_new();
    for (size_t i = 0; i < from->user_objects.n; i++) {
        user_object *o = from->user_objects.at[i];
        fk_push(&graph->user_objects, o);
        o->held++;
    }
    for (size_t i = 0; i < from->nodes.n; i++) {
        const fk_node *old = from->nodes.at[i];
        fk_work work;
        fk_work_copy(&work, &old->work);
        fk_node *node = fk_graph_add(graph, &work, NULL, 0);
        node->type = old->type;
        node->origin_handle = fk_handle(old);
        node->disabled = old->disabled;
    }
    for (size_t i = 0; i < from->nodes.n; i++) {
        const fk_node *old = from->nodes.at[i];
        fk_node *node = graph->nodes.at[i];
        for (size_t k = 0; k < old->deps.n; k++)
            fk_push(&node->deps, graph->nodes.at[((const fk_node *)old->deps.at[k])->index]);
    }
    return graph;
}

static void clear_marks(fk_graph *graph) {
    for (size_t i = 0; i < graph->nodes.n; i++) ((fk_node *)graph->nodes.at[i])->mark = 0;
}

/* Walks from `to` against the edges. */
bool fk_graph_reaches(fk_graph *graph, const fk_node *from, const fk_node *to) {
    fk_list open = {0};
    clear_marks(graph);
    bool found = false;
    for (size_t i = 0; i < to->deps.n; i++) fk_push(&open, to->deps.at[i]);
    while (open.n > 0 && !found) {
        fk_node *node = open.at[--open.n];
        found = node == from;
        for (size_t i = 0; !found && !node->mark && i < node->deps.n; i++)
            fk_push(&open, node->deps.at[i]);
        node->mark = 1;
    }
    fk_list_free(&open);
    return found;
}

/* Every node after its dependencies; false on a cycle. A node's mark: 0 not seen, 1 open, 2 placed. The
 * work list holds each node at most once for every edge. */
bool fk_graph_sort(fk_graph *graph, fk_list *order) {
    fk_list open = {0};
    bool ok = true;
    clear_marks(graph);
    for (size_t i = 0; ok && i < graph->nodes.n; i++) {
        fk_push(&open, graph->nodes.at[i]);
        while (ok && open.n > 0) {
            fk_node *node = open.at[open.n - 1];
            if (node->mark != 0) {
                open.n--;
                if (node->mark == 1) {
                    node->mark = 2;
                    fk_push(order, node);
                }
                continue;
            }
            node->mark = 1;
            for (size_t k = 0; ok && k < node->deps.n; k++) {
                const fk_node *dep = node->deps.at[k];
                ok = dep->mark != 1;
                if (dep->mark == 0) fk_push(&open, node->deps.at[k]);
            }
        }
    }
    fk_list_free(&open);
    return ok;
}

bool fk_graph_acyclic(fk_graph *graph) {
    fk_list order = {0};
    const bool ok = fk_graph_sort(graph, &order);
    fk_list_free(&order);
    return ok;
}

/* ---- the interface --------------------------------------------------------------------------- */

CUresult fk_cuGraphCreate(CUgraph *out, unsigned flags) {
    FK_VALID(out && flags == 0);
    *out = fk_handle(fk_graph_new());
    return CUDA_SUCCESS;
}

CUresult fk_cuGraphDestroy(CUgraph handle) {
    fk_graph *graph = fk_get(handle, FK_GRAPH);
    FK_VALID(graph && !graph->owned && !graph->capturing);
    fk_graph_free(graph);
    return CUDA_SUCCESS;
}

CUresult fk_cuGraphClone(CUgraph *out, CUgraph handle) {
    const fk_graph *graph = fk_get(handle, FK_GRAPH);
    FK_VALID(out && graph);
    *out = fk_handle(fk_graph_copy(graph));
    return CUDA_SUCCESS;
}

fk_node *fk_graph_find(const fk_graph *graph, const void *origin) {
    for (size_t i = 0; i < graph->nodes.n; i++) {
        fk_node *node = graph->nodes.at[i];
        if (node->origin_handle == origin) return node;
        if (node->work.kind == WORK_CHILD) {
            fk_node *inner = fk_graph_find(node->work.child, origin);
            if (inner) return inner;
        }
    }
    return NULL;
}

CUresult fk_cuGraphNodeFindInClone(CUgraphNode *out, CUgraphNode node, CUgraph clone) {
    const fk_graph *graph = fk_get(clone, FK_GRAPH);
    FK_VALID(out && node && graph);
    const fk_node *found = fk_graph_find(graph, node);
    FK_VALID(found);
    *out = fk_handle(found);
    return CUDA_SUCCESS;
}

FK_GETTER(cuGraphNodeGetType, (CUgraphNode handle, CUgraphNodeType *out),
          FK_OBJECT(const fk_node, node, FK_NODE, handle, CUDA_ERROR_INVALID_VALUE), node->type)

/* Lists answer as all lists of the interface do: without an array the count, with one at most *n
 * entries, the rest of the array set to NULL. */
typedef struct {
    CUgraphNode *first, *second;
    size_t room, n;
} answer;

static void tell(answer *a, const fk_node *x, const fk_node *y) {
    if (a->n < a->room && a->first) {
        a->first[a->n] = fk_handle(x);
        if (a->second) a->second[a->n] = fk_handle(y);
    }
    a->n++;
}

static CUresult told(answer *a, size_t *n) {
    if (a->first) {
        for (size_t i = a->n; i < a->room; i++) {
            a->first[i] = NULL;
            if (a->second) a->second[i] = NULL;
        }
    }
    *n = a->first && a->n > a->room ? a->room : a->n;
    return CUDA_SUCCESS;
}

CUresult fk_graph_nodes(CUgraph handle, CUgraphNode *nodes, size_t *n, bool roots) {
    const fk_graph *graph = fk_get(handle, FK_GRAPH);
    FK_VALID(graph && n);
    answer a = {.first = nodes, .room = *n};
    for (size_t i = 0; i < graph->nodes.n; i++) {
        const fk_node *node = graph->nodes.at[i];
        if (!roots || node->deps.n == 0) tell(&a, node, NULL);
    }
    return told(&a, n);
}

CUresult fk_cuGraphGetEdges(CUgraph handle, CUgraphNode *from, CUgraphNode *to, size_t *n) {
    const fk_graph *graph = fk_get(handle, FK_GRAPH);
    FK_VALID(graph && n && !from == !to);
    answer a = {.first = from, .second = to, .room = *n};
    for (size_t i = 0; i < graph->nodes.n; i++) {
        const fk_node *node = graph->nodes.at[i];
        for (size_t k = 0; k < node->deps.n; k++) tell(&a, node->deps.at[k], node);
    }
    return told(&a, n);
}

CUresult fk_cuGraphNodeGetDependencies(CUgraphNode handle, CUgraphNode *nodes, size_t *n) {
    const fk_node *node = fk_get(handle, FK_NODE);
    FK_VALID(node && n);
    answer a = {.first = nodes, .room = *n};
    for (size_t i = 0; i < node->deps.n; i++) tell(&a, node->deps.at[i], NULL);
    return told(&a, n);
}

CUresult fk_cuGraphNodeGetDependentNodes(CUgraphNode handle, CUgraphNode *nodes, size_t *n) {
    const fk_node *node = fk_get(handle, FK_NODE);
    FK_VALID(node && n);
    answer a = {.first = nodes, .room = *n};
    for (size_t i = 0; i < node->graph->nodes.n; i++) {
        const fk_node *other = node->graph->nodes.at[i];
        if (fk_has(&other->deps, node)) tell(&a, other, NULL);
    }
    return told(&a, n);
}

/* Edge data: only full dependencies exist here, all zeros. */
CUresult fk_zero_edges(CUresult status, CUgraphEdgeData *edges, const size_t *n) {
    for (size_t i = 0; status == CUDA_SUCCESS && edges && i < *n; i++)
        edges[i] = (CUgraphEdgeData){0};
    return status;
}

bool fk_plain_edges(const CUgraphEdgeData *edges, size_t n) {
    for (size_t i = 0; edges && i < n; i++)
        if (edges[i].from_port || edges[i].to_port || edges[i].type) return false;
    return true;
}

CUresult fk_cuGraphAddDependencies(CUgraph handle, const CUgraphNode *from, const CUgraphNode *to,
                                   size_t n) {
    fk_graph *graph = fk_get(handle, FK_GRAPH);
    FK_VALID(graph && (n == 0 || (from && to)));
    for (size_t i = 0; i < n; i++) {
        fk_node *a = fk_get(from[i], FK_NODE), *b = fk_get(to[i], FK_NODE);
        FK_VALID(a && b && a != b && a->graph == graph && b->graph == graph);
        FK_VALID(!fk_has(&b->deps, a));
        fk_push(&b->deps, a);
        if (!fk_graph_acyclic(graph)) {
            fk_remove(&b->deps, a);
            return CUDA_ERROR_INVALID_VALUE;
        }
    }
    return CUDA_SUCCESS;
}

CUresult fk_cuGraphRemoveDependencies(CUgraph handle, const CUgraphNode *from,
                                      const CUgraphNode *to, size_t n) {
    const fk_graph *graph = fk_get(handle, FK_GRAPH);
    FK_VALID(graph && (n == 0 || (from && to)));
    for (size_t i = 0; i < n; i++) {
        const fk_node *a = fk_get(from[i], FK_NODE);
        fk_node *b = fk_get(to[i], FK_NODE);
        FK_VALID(a && b && b->graph == graph && fk_remove(&b->deps, a));
    }
    return CUDA_SUCCESS;
}

CUresult fk_cuGraphDestroyNode(CUgraphNode handle) {
    FK_OBJECT(fk_node, node, FK_NODE, handle, CUDA_ERROR_INVALID_VALUE);
    fk_graph *graph = node->graph;
    FK_NEED(!graph->capturing, CUDA_ERROR_NOT_PERMITTED);
    for (size_t i = 0; i < graph->nodes.n; i++)
        fk_remove(&((fk_node *)graph->nodes.at[i])->deps, node);
    fk_remove(&graph->nodes, node);
    for (size_t i = 0; i < graph->nodes.n; i++) ((fk_node *)graph->nodes.at[i])->index = i;
    node_free(node);
    return CUDA_SUCCESS;
}

/* ---- a picture ------------------------------------------------------------------------------- */

static const char *const type_names[] = {[CU_GRAPH_NODE_TYPE_KERNEL] = "KERNEL",
                                         [CU_GRAPH_NODE_TYPE_MEMCPY] = "MEMCPY",
                                         [CU_GRAPH_NODE_TYPE_MEMSET] = "MEMSET",
                                         [CU_GRAPH_NODE_TYPE_HOST] = "HOST",
                                         [CU_GRAPH_NODE_TYPE_GRAPH] = "GRAPH",
                                         [CU_GRAPH_NODE_TYPE_EMPTY] = "EMPTY",
                                         [CU_GRAPH_NODE_TYPE_WAIT_EVENT] = "EVENT_WAIT",
                                         [CU_GRAPH_NODE_TYPE_EVENT_RECORD] = "EVENT_RECORD",
                                         [CU_GRAPH_NODE_TYPE_MEM_ALLOC] = "MEM_ALLOC",
                                         [CU_GRAPH_NODE_TYPE_MEM_FREE] = "MEM_FREE"};

/* Nodes are named by their handles' slots, so that children's stand beside those of the graph. */
static void draw(FILE *out, const fk_graph *graph) {
    fprintf(out, "subgraph cluster_%u {\n", graph->head.slot);
    for (size_t i = 0; i < graph->nodes.n; i++) {
        const fk_node *node = graph->nodes.at[i];
        const fk_function *f =
            node->work.kind == WORK_KERNEL ? fk_get(node->work.kernel.handle, FK_FUNCTION) : NULL;
        fprintf(out, "\"node_%u\" [label=\"%zu\\n%s%s%s\"];\n", node->head.slot, i,
                type_names[node->type], f ? "\\n" : "", f ? f->kernel->name : "");
        for (size_t k = 0; k < node->deps.n; k++)
            fprintf(out, "\"node_%u\" -> \"node_%u\";\n", ((fk_node *)node->deps.at[k])->head.slot,
                    node->head.slot);
        if (node->work.kind == WORK_CHILD) draw(out, node->work.child);
    }
    fprintf(out, "}\n");
}

CUresult fk_cuGraphDebugDotPrint(CUgraph handle, const char *path, unsigned flags) {
    const fk_graph *graph = fk_get(handle, FK_GRAPH);
    FK_VALID(graph && path && !(flags & ~(unsigned)GRAPH_DEBUG_DOT_FLAGS));
    FILE *out = fopen(path, "w");
    FK_NEED(out, CUDA_ERROR_OPERATING_SYSTEM);
    fprintf(out, "digraph dot {\n");
    draw(out, graph);
    fprintf(out, "}\n");
    return fclose(out) == 0 ? CUDA_SUCCESS : CUDA_ERROR_OPERATING_SYSTEM;
}

/* ---- objects of the user, kept as long as a graph needs them --------------------------------- */

CUresult fk_cuUserObjectCreate(CUuserObject *out, void *ptr, CUhostFn destroy, unsigned count,
                               unsigned flags) {
    enum { NO_DESTRUCTOR_SYNC = 1 };
    FK_VALID(out && destroy && count > 0 && flags == NO_DESTRUCTOR_SYNC);
    user_object *o = fk_new(FK_USER_OBJECT, sizeof *o);
    o->ptr = ptr;
    o->destroy = destroy;
    o->refs = count;
    *out = fk_handle(o);
    return CUDA_SUCCESS;
}

CUresult fk_cuUserObjectRetain(CUuserObject handle, unsigned n) {
    user_object *o = fk_get(handle, FK_USER_OBJECT);
    FK_VALID(o && n > 0);
    o->refs += n;
    return CUDA_SUCCESS;
}

CUresult fk_cuUserObjectRelease(CUuserObject handle, unsigned n) {
    user_object *o = fk_get(handle, FK_USER_OBJECT);
    FK_VALID(o && n > 0 && n <= o->refs);
    o->refs -= n;
    end_user_object(o);
    return CUDA_SUCCESS;
}

CUresult fk_cuGraphRetainUserObject(CUgraph handle, CUuserObject object, unsigned n,
                                    unsigned flags) {
    enum { MOVE = 1, MOST = 1 << 16 };
    fk_graph *graph = fk_get(handle, FK_GRAPH);
    user_object *o = fk_get(object, FK_USER_OBJECT);
    FK_VALID(graph && o && n > 0 && n <= MOST && flags <= MOVE);
    FK_VALID(flags != MOVE || n <= o->refs);
    for (unsigned i = 0; i < n; i++) fk_push(&graph->user_objects, o);
    o->held += n;
    o->refs -= flags == MOVE ? n : 0;
    return CUDA_SUCCESS;
}

CUresult fk_cuGraphReleaseUserObject(CUgraph handle, CUuserObject object, unsigned n) {
    fk_graph *graph = fk_get(handle, FK_GRAPH);
    user_object *o = fk_get(object, FK_USER_OBJECT);
    FK_VALID(graph && o && n > 0);
    unsigned held = 0;
    for (size_t i = 0; i < graph->user_objects.n; i++) held += graph->user_objects.at[i] == o;
    FK_VALID(n <= held);
    for (unsigned i = 0; i < n; i++) fk_remove(&graph->user_objects, o);
    o->held -= n;
    end_user_object(o);
    return CUDA_SUCCESS;
}
