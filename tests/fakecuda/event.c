/* event.c - events: the last record of each, and the time at which it was reached. */
#include "fake.h"

#include <stdlib.h>

void fk_event_hold(fk_event *event) {
    event->refs++;
}

void fk_event_drop(fk_event *event) {
    if (--event->refs == 0) {
        fk_drop(event->last);
        fk_list_free(&event->nodes);
        free(event);
    }
}

CUresult fk_cuEventCreate(CUevent *out, unsigned flags) {
    const unsigned all = EVENT_BLOCKING_SYNC | EVENT_DISABLE_TIMING | EVENT_INTERPROCESS;
    FK_VALID(out && !(flags & ~all));
    FK_NEED(!(flags & EVENT_INTERPROCESS),
            flags & EVENT_DISABLE_TIMING ? CUDA_ERROR_NOT_SUPPORTED : CUDA_ERROR_INVALID_VALUE);
    fk_event *e = fk_new(FK_EVENT, sizeof *e);
    e->ctx = fk_current();
    e->flags = flags;
    e->refs = 1;
    *out = fk_handle(e);
    return CUDA_SUCCESS;
}

CUresult fk_cuEventDestroy_v2(CUevent handle) {
    FK_OBJECT(fk_event, e, FK_EVENT, handle, CUDA_ERROR_INVALID_HANDLE);
    fk_unhandle(e);
    fk_event_drop(e);
    return CUDA_SUCCESS;
}

CUresult fk_record(fk_event *e, fk_stream *s) {
    fk_event_hold(e);
    fk_work work = {.kind = WORK_RECORD, .ctx = s->ctx, .event = e};
    if (s->legacy) {
        const CUresult status = fk_capture_implicit(s->ctx);
        if (status != CUDA_SUCCESS) {
            fk_work_free(&work);
            return status;
        }
    }
    fk_event_became(e, fk_enqueue(s, &work, NULL, 0, false));
    return CUDA_SUCCESS;
}

void fk_event_became(fk_event *e, fk_command *c) {
    fk_hold(c);
    fk_drop(e->last);
    e->last = c;
    e->capture = NULL;
    e->nodes.n = 0;
}

/* In a capture an event stands for the nodes that the stream has come to. */
static CUresult record_captured(fk_event *e, fk_stream *s) {
    e->capture = s->capture;
    e->capture_id = s->capture->id;
    e->nodes.n = 0;
    for (size_t i = 0; i < s->capture_deps.n; i++) fk_push(&e->nodes, s->capture_deps.at[i]);
    return CUDA_SUCCESS;
}

CUresult fk_cuEventRecordWithFlags(CUevent handle, CUstream stream, unsigned flags) {
    FK_STREAM_OF(s, stream);
    FK_OBJECT(fk_event, e, FK_EVENT, handle, CUDA_ERROR_INVALID_HANDLE);
    FK_VALID(flags <= EVENT_EXTERNAL);
    FK_NEED(e->ctx == s->ctx, CUDA_ERROR_INVALID_HANDLE);
    fk_note("stream %llu", (unsigned long long)s->id);
    if (flags == EVENT_EXTERNAL) {
        FK_NEED(s->capture, CUDA_ERROR_ILLEGAL_STATE);
        fk_event_hold(e);
        return fk_submit(s, &(fk_work){.kind = WORK_RECORD, .ctx = s->ctx, .event = e});
    }
    return s->capture ? record_captured(e, s) : fk_record(e, s);
}

/* Asking about an event of a capture spoils the capture. */
static CUresult not_captured(const fk_event *e) {
    if (e->capture && fk_capture_lives(e->capture, e->capture_id)) {
        e->capture->invalid = true;
        return CUDA_ERROR_CAPTURED_EVENT;
    }
    return CUDA_SUCCESS;
}

CUresult fk_cuEventQuery(CUevent handle) {
    FK_OBJECT(fk_event, e, FK_EVENT, handle, CUDA_ERROR_INVALID_HANDLE);
    FK_TRY(not_captured(e));
    fk_context *ctx = fk_current();
    if (!e->last) return CUDA_SUCCESS;
    if (e->last->state == CMD_DONE) {
        fk_order_known(e->last);
        return ctx->error;
    }
    fk_progress();
    return ctx->error ? ctx->error : CUDA_ERROR_NOT_READY;
}

CUresult fk_cuEventSynchronize(CUevent handle) {
    FK_OBJECT(fk_event, e, FK_EVENT, handle, CUDA_ERROR_INVALID_HANDLE);
    FK_TRY(not_captured(e));
    fk_context *ctx = fk_current();
    if (e->last) fk_finish(e->last);
    return ctx->error;
}

CUresult fk_cuEventElapsedTime(float *ms, CUevent start, CUevent end) {
    FK_VALID(ms);
    const fk_event *a = fk_get(start, FK_EVENT), *b = fk_get(end, FK_EVENT);
    FK_NEED(a && b && a->last && b->last, CUDA_ERROR_INVALID_HANDLE);
    FK_NEED(!((a->flags | b->flags) & EVENT_DISABLE_TIMING), CUDA_ERROR_INVALID_HANDLE);
    FK_TRY(not_captured(a));
    FK_TRY(not_captured(b));
    FK_NEED(a->last->state == CMD_DONE && b->last->state == CMD_DONE, CUDA_ERROR_NOT_READY);
    *ms = (float)(1e3 * (b->last->end - a->last->end));
    return CUDA_SUCCESS;
}
