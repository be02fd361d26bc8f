/* stream.c - streams: creation, waiting, asking, host functions. */
#include "fake.h"

#include <stdlib.h>

fk_stream *fk_stream_new(fk_context *ctx, unsigned flags, int priority) {
    fk_stream *s = fk_new(FK_STREAM, sizeof *s);
    fk_push(&ctx->streams, s);
    s->ctx = ctx;
    s->flags = flags;
    s->priority = priority;
    s->refs = 1;
    s->id = ++fk.next_id;
    return s;
}

void fk_stream_drop(fk_stream *stream) {
    if (--stream->refs == 0) {
        fk_list_free(&stream->capture_deps);
        free(stream);
    }
}

/* The handle ends; what was queued still runs. A capture ends with the stream that it began on, the
 * others only leave it: what they did and nobody joined is found at its end. */
void fk_stream_close(fk_stream *s) {
    if (s->capture && s->capture->origin == s) fk_capture_end(s->capture);
    if (s->capture) fk_remove(&s->capture->streams, s);
    s->capture = NULL;
    fk_remove(&s->ctx->streams, s);
    fk_unhandle(s);
    fk_drop(s->tail);
    s->tail = NULL;
    fk_stream_drop(s);
}

/* Each host thread has its own stream in each context: found by the thread's number. */
static fk_stream *per_thread_stream(fk_context *ctx) {
    const uint64_t me = fk_thread_id();
    for (size_t i = 0; i < ctx->streams.n; i++) {
        fk_stream *s = ctx->streams.at[i];
        if (s->owner == me) return s;
    }
    fk_stream *s = fk_stream_new(ctx, 0, 0);
    s->owner = me;
    return s;
}

fk_stream *fk_stream_of(CUstream handle, CUresult *status) {
    fk_context *ctx = fk_current();
    *status = CUDA_ERROR_INVALID_HANDLE;
    if (handle == CU_STREAM_PER_THREAD || (!handle && fk_self.per_thread))
        return per_thread_stream(ctx);
    if (!handle || handle == CU_STREAM_LEGACY) return ctx->legacy;
    fk_stream *s = fk_get(handle, FK_STREAM);
    if (s && s->ctx->error != CUDA_SUCCESS) {
        *status = s->ctx->error;
        return NULL;
    }
    return s;
}

CUresult fk_cuStreamCreateWithPriority(CUstream *out, unsigned flags, int priority) {
    enum { GREATEST = -5, LEAST = 0 };
    FK_VALID(out && !(flags & ~(unsigned)STREAM_NON_BLOCKING));
    priority = priority > LEAST ? LEAST : priority < GREATEST ? GREATEST : priority;
    fk_stream *s = fk_stream_new(fk_current(), flags, priority);
    *out = fk_handle(s);
    fk_note("stream %llu", (unsigned long long)s->id);
    return CUDA_SUCCESS;
}

CUresult fk_cuStreamDestroy_v2(CUstream handle) {
    fk_stream *s = fk_get(handle, FK_STREAM);
    FK_NEED(s && !s->legacy && !s->owner, CUDA_ERROR_INVALID_HANDLE);
    fk_stream_close(s);
    return CUDA_SUCCESS;
}

CUresult fk_cuStreamSynchronize(CUstream handle) {
    FK_STREAM_OF(s, handle);
    fk_note("stream %llu", (unsigned long long)s->id);
    FK_NEED(!s->capture, fk_capture_forbid(s));
    if (s->legacy) FK_TRY(fk_capture_implicit(s->ctx));
    fk_context *ctx = s->ctx;
    if (s->tail) fk_finish(s->tail);
    return ctx->error;
}

CUresult fk_cuStreamQuery(CUstream handle) {
    FK_STREAM_OF(s, handle);
    FK_NEED(!s->capture, fk_capture_forbid(s));
    if (s->legacy) FK_TRY(fk_capture_implicit(s->ctx));
    fk_context *ctx = s->ctx;
    fk_command *tail = s->tail;
    if (!tail || tail->state == CMD_DONE) {
        if (tail) fk_order_known(tail);
        return ctx->error;
    }
    fk_progress();
    return ctx->error ? ctx->error : CUDA_ERROR_NOT_READY;
}

CUresult fk_cuStreamWaitEvent(CUstream handle, CUevent event_handle, unsigned flags) {
    FK_STREAM_OF(s, handle);
    FK_OBJECT(fk_event, e, FK_EVENT, event_handle, CUDA_ERROR_INVALID_HANDLE);
    FK_VALID(flags <= EVENT_EXTERNAL);
    fk_note("stream %llu", (unsigned long long)s->id);
    if (flags == EVENT_EXTERNAL) {
        FK_NEED(s->capture, CUDA_ERROR_ILLEGAL_STATE);
        fk_event_hold(e);
        return fk_submit(s, &(fk_work){.kind = WORK_WAIT, .ctx = s->ctx, .event = e});
    }
    if (e->capture || s->capture) return fk_capture_wait(s, e);
    if (!e->last) return CUDA_SUCCESS;
    fk_event_hold(e);
    fk_work wait = {.kind = WORK_WAIT, .ctx = s->ctx, .event = e};
    fk_enqueue(s, &wait, &e->last, 1, false);
    return CUDA_SUCCESS;
}

CUresult fk_cuLaunchHostFunc(CUstream handle, CUhostFn fn, void *user) {
    FK_STREAM_OF(s, handle);
    FK_VALID(fn);
    return fk_submit(
        s, &(fk_work){.kind = WORK_HOST, .ctx = s->ctx, .host = {.fn = fn, .user = user}});
}

CUresult fk_cuStreamAddCallback(CUstream handle, CUstreamCallback callback, void *user,
                                unsigned flags) {
    FK_STREAM_OF(s, handle);
    FK_VALID(callback && flags == 0);
    FK_NEED(!s->capture, fk_capture_forbid(s));
    return fk_submit(s, &(fk_work){.kind = WORK_CALLBACK,
                                   .ctx = s->ctx,
                                   .host = {.callback = callback, .user = user, .stream = handle}});
}

/* ---- what a stream says about itself --------------------------------------------------------- */

FK_GETTER(cuStreamGetPriority, (CUstream handle, int *out), FK_STREAM_OF(s, handle), s->priority)
FK_GETTER(cuStreamGetFlags, (CUstream handle, unsigned *out), FK_STREAM_OF(s, handle), s->flags)
FK_GETTER(cuStreamGetCtx, (CUstream handle, CUcontext *out), FK_STREAM_OF(s, handle),
          fk_handle(s->ctx))
FK_GETTER(cuStreamGetId, (CUstream handle, unsigned long long *out), FK_STREAM_OF(s, handle), s->id)
FK_GETTER(cuStreamGetDevice, (CUstream handle, CUdevice *out), FK_STREAM_OF(s, handle),
          s->ctx->device->ordinal)

CUresult fk_cuStreamGetAttribute(CUstream handle, CUstreamAttrID attribute,
                                 CUstreamAttrValue *value) {
    FK_STREAM_OF(s, handle);
    FK_VALID(value);
    FK_NEED(attribute == CU_LAUNCH_ATTRIBUTE_PRIORITY, CUDA_ERROR_NOT_SUPPORTED);
    value->priority = s->priority;
    return CUDA_SUCCESS;
}
