/* capture.c - stream capture: calls on a stream become nodes of a graph instead of commands.
 *
 *      origin   begin --[a]--record e--[c]--------wait f--end        graph:  a -> b -> (joined) ->
 * ... other            wait e--[b]--record f                               \-> c
 *
 * A stream carries the nodes that its next node depends on. It enters a capture by waiting for an
 * event recorded in it, and must be joined to the origin again before the end. */
#include "fake.h"

#include <stdlib.h>

static fk_list captures; /* those that run */

bool fk_capture_lives(const fk_capture *capture, uint64_t id) {
    for (size_t i = 0; i < captures.n; i++) {
        const fk_capture *c = captures.at[i];
        if (c == capture && c->id == id) return true;
    }
    return false;
}

CUresult fk_capture_forbid(fk_stream *stream) {
    stream->capture->invalid = true;
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}

/* Global mode forbids unsafe calls to every thread that is not relaxed, thread-local mode to its
 * own. */
bool fk_capture_allows_unsafe(void) {
    bool allowed = true;
    for (size_t i = 0; i < captures.n && fk_self.capture_mode != CAPTURE_RELAXED; i++) {
        fk_capture *c = captures.at[i];
        const bool mine = c->thread == fk_thread_id();
        if ((c->mode == CAPTURE_GLOBAL && (mine || fk_self.capture_mode == CAPTURE_GLOBAL)) ||
            (c->mode == CAPTURE_THREAD_LOCAL && mine)) {
            c->invalid = true;
            allowed = false;
        }
    }
    return allowed;
}

CUresult fk_capture_implicit(fk_context *ctx) {
    CUresult status = CUDA_SUCCESS;
    for (size_t i = 0; captures.n > 0 && i < ctx->streams.n; i++) {
        fk_stream *s = ctx->streams.at[i];
        if (s->capture && !(s->flags & STREAM_NON_BLOCKING)) {
            s->capture->invalid = true;
            status = CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
        }
    }
    return status;
}

void fk_capture_end(fk_capture *capture) {
    for (size_t i = 0; i < capture->streams.n; i++) {
        fk_stream *s = capture->streams.at[i];
        s->capture = NULL;
        s->capture_deps.n = 0;
    }
    fk_remove(&captures, capture);
    if (capture->graph) {
        capture->graph->capturing = false;
        if (!capture->theirs) fk_graph_free(capture->graph);
    }
    fk_list_free(&capture->streams);
    free(capture);
}

/* Captures into `graph`, behind the nodes in `deps`; NULL: into a new one. */
static CUresult begin(fk_stream *s, unsigned mode, fk_graph *graph, const fk_list *deps) {
    fk_capture *c = ptx_zeroed(sizeof *c);
    *c = (fk_capture){.id = ++fk.next_id, .thread = fk_thread_id(), .mode = mode, .origin = s};
    c->theirs = graph != NULL;
    c->graph = graph ? graph : fk_graph_new();
    s->capture_deps.n = 0;
    fk_push(&c->streams, s);
    fk_push(&captures, c);
    for (size_t i = 0; deps && i < deps->n; i++) fk_push(&s->capture_deps, deps->at[i]);
    c->before = c->graph->nodes.n;
    c->graph->capturing = true;
    s->capture = c;
    return CUDA_SUCCESS;
}

/* The stream that may begin a capture. */
static CUresult can_begin(CUstream handle, CUstreamCaptureMode mode, fk_stream **stream) {
    FK_STREAM_OF(s, handle);
    FK_VALID(mode <= CAPTURE_RELAXED);
    FK_NEED(!s->legacy, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    FK_NEED(!s->capture, CUDA_ERROR_ILLEGAL_STATE);
    *stream = s;
    return CUDA_SUCCESS;
}

CUresult fk_cuStreamBeginCapture_v2(CUstream handle, CUstreamCaptureMode mode) {
    fk_stream *s = NULL;
    FK_TRY(can_begin(handle, mode, &s));
    return begin(s, mode, NULL, NULL);
}

CUresult fk_cuStreamBeginCaptureToGraph(CUstream handle, CUgraph graph_handle,
                                        const CUgraphNode *nodes, const CUgraphEdgeData *edges,
                                        size_t n, CUstreamCaptureMode mode) {
    fk_stream *s = NULL;
    FK_TRY(can_begin(handle, mode, &s));
    fk_graph *graph = fk_get(graph_handle, FK_GRAPH);
    FK_VALID(graph && !graph->owned && !graph->capturing && (nodes || n == 0));
    FK_NEED(fk_plain_edges(edges, n), CUDA_ERROR_NOT_SUPPORTED);
    fk_list deps = {0};
    CUresult status = CUDA_SUCCESS;
    for (size_t i = 0; status == CUDA_SUCCESS && i < n; i++) {
        fk_node *node = fk_get(nodes[i], FK_NODE);
        if (!node || node->graph != graph)
            status = CUDA_ERROR_INVALID_VALUE;
        else
            fk_push(&deps, node);
    }
    if (status == CUDA_SUCCESS) status = begin(s, mode, graph, &deps);
    fk_list_free(&deps);
    return status;
}

/* All that the other streams did must lie before the origin's last nodes. */
static bool all_joined(const fk_capture *c) {
    for (size_t i = c->before; i < c->graph->nodes.n; i++) {
        const fk_node *node = c->graph->nodes.at[i];
        bool joined = false;
        for (size_t k = 0; k < c->origin->capture_deps.n && !joined; k++) {
            const fk_node *last = c->origin->capture_deps.at[k];
            joined = last == node || fk_graph_reaches(c->graph, node, last);
        }
        if (!joined) return false;
    }
    return true;
}

CUresult fk_cuStreamEndCapture(CUstream handle, CUgraph *out) {
    FK_STREAM_OF(s, handle);
    FK_VALID(out);
    *out = NULL;
    fk_capture *c = s->capture;
    FK_NEED(c, CUDA_ERROR_ILLEGAL_STATE);
    FK_NEED(c->origin == s, CUDA_ERROR_STREAM_CAPTURE_UNMATCHED);
    FK_NEED(c->mode == CAPTURE_RELAXED || c->thread == fk_thread_id(),
            CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD);
    const bool joined = all_joined(c), valid = !c->invalid;
    fk_graph *graph = c->graph;
    if (valid && joined) {
        c->graph = NULL;
        graph->capturing = false;
        *out = fk_handle(graph);
    }
    fk_capture_end(c);
    return !valid   ? CUDA_ERROR_STREAM_CAPTURE_INVALIDATED
           : joined ? CUDA_SUCCESS
                    : CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
}

CUresult fk_capture_add(fk_stream *s, fk_work *work) {
    if (s->capture->invalid) {
        fk_work_free(work);
        return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    }
    fk_node *node = fk_graph_add(s->capture->graph, work, (fk_node *const *)s->capture_deps.at,
                                 s->capture_deps.n);
    s->capture_deps.n = 0;
    fk_push(&s->capture_deps, node);
    return CUDA_SUCCESS;
}

CUresult fk_capture_wait(fk_stream *s, fk_event *e) {
    fk_capture *c = e->capture && fk_capture_lives(e->capture, e->capture_id) ? e->capture : NULL;
    if (!c) {
        /* An event from outside: a capture may not depend on what was not captured. */
        if (s->capture && e->last) {
            s->capture->invalid = true;
            return CUDA_ERROR_STREAM_CAPTURE_ISOLATION;
        }
        return CUDA_SUCCESS;
    }
    FK_NEED(!c->invalid, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    if (s->capture && s->capture != c) {
        s->capture->invalid = c->invalid = true;
        return CUDA_ERROR_STREAM_CAPTURE_MERGE;
    }
    FK_NEED(!s->legacy, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
    if (!s->capture) {
        fk_push(&c->streams, s);
        s->capture = c;
        s->capture_deps.n = 0;
    }
    for (size_t i = 0; i < e->nodes.n; i++)
        if (!fk_has(&s->capture_deps, e->nodes.at[i])) fk_push(&s->capture_deps, e->nodes.at[i]);
    return CUDA_SUCCESS;
}

CUresult fk_cuStreamIsCapturing(CUstream handle, CUstreamCaptureStatus *out) {
    FK_STREAM_OF(s, handle);
    FK_VALID(out);
    if (s->legacy) FK_TRY(fk_capture_implicit(s->ctx));
    *out = !s->capture           ? CU_STREAM_CAPTURE_STATUS_NONE
           : s->capture->invalid ? CU_STREAM_CAPTURE_STATUS_INVALIDATED
                                 : CU_STREAM_CAPTURE_STATUS_ACTIVE;
    return CUDA_SUCCESS;
}

/* The handles of the nodes live until the thread asks again. */
static CUgraphNode *handles_of(const fk_list *nodes) {
    static _Thread_local CUgraphNode kept[256];
    for (size_t i = 0; i < nodes->n && i < sizeof kept / sizeof *kept; i++)
        kept[i] = fk_handle(nodes->at[i]);
    return kept;
}

CUresult fk_cuStreamGetCaptureInfo_v3(CUstream handle, CUstreamCaptureStatus *status,
                                      cuuint64_t *id, CUgraph *graph, const CUgraphNode **nodes,
                                      const CUgraphEdgeData **edges, size_t *n) {
    FK_TRY(fk_cuStreamIsCapturing(handle, status));
    if (*status != CU_STREAM_CAPTURE_STATUS_ACTIVE) return CUDA_SUCCESS;
    CUresult unused;
    const fk_stream *s = fk_stream_of(handle, &unused);
    if (id) *id = s->capture->id;
    if (graph) *graph = fk_handle(s->capture->graph);
    if (nodes) *nodes = handles_of(&s->capture_deps);
    if (edges) *edges = NULL;
    if (n) *n = s->capture_deps.n;
    return CUDA_SUCCESS;
}

CUresult fk_cuStreamUpdateCaptureDependencies(CUstream handle, CUgraphNode *nodes, size_t n,
                                              unsigned flags) {
    enum { ADD = 0, SET = 1 };
    FK_STREAM_OF(s, handle);
    FK_VALID(flags <= SET && (nodes || n == 0));
    FK_NEED(s->capture, CUDA_ERROR_ILLEGAL_STATE);
    FK_NEED(!s->capture->invalid, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    for (size_t i = 0; i < n; i++) {
        const fk_node *node = fk_get(nodes[i], FK_NODE);
        FK_VALID(node && node->graph == s->capture->graph);
    }
    if (flags == SET) s->capture_deps.n = 0;
    for (size_t i = 0; i < n; i++) {
        fk_node *node = fk_get(nodes[i], FK_NODE);
        if (!fk_has(&s->capture_deps, node)) fk_push(&s->capture_deps, node);
    }
    return CUDA_SUCCESS;
}

CUresult fk_cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode *mode) {
    FK_VALID(mode && *mode <= CAPTURE_RELAXED);
    const unsigned before = fk_self.capture_mode;
    fk_self.capture_mode = *mode;
    *mode = before;
    return CUDA_SUCCESS;
}
