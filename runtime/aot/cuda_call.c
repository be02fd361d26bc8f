/* cuda_call.c - a call of a function that was exported for GPUs (cuda_artefact.h has the picture).
 *
 *     arrays of the host --copies--> device --run--> device --copies--> arrays of the host           all done
 *     memory of the device, a stream  ---- begun, behind what the slot was used for last ---->       nothing waits but reports
 *
 * Two calls at once have two slots, so two workspaces, unless the callers gave them theirs. */
#define BZ_RT_DEFINES
#include "runtime/aot/cuda_artefact.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARRAY = 256 }; /* alignment of arrays on the device, as that of the driver's memory */

static bool check(const bz_rt_cuda_slot *s, cu_result code, const char *what, bz_rt_cuda_fault *f) {
    return bz_rt_cuda_fail(s->run.d, code, what, "", f);
}

/* ---- a run */

/* In the stream, behind what the slot's memory is in use for. */
static bool run(bz_rt_cuda_slot *s, cu_stream stream, int64_t reported[2], bz_rt_cuda_fault *f) {
    bz_rt_cuda_run *r = &s->run;
    const cu_driver *d = r->d;
    if (s->under_way && !check(s, d->stream_after(stream, s->done, 0), "cuStreamWaitEvent", f))
        return false;
    /* A compiler may have a thread's array read before the loop that writes it, and not use what was read. */
    if (r->memory.scratch != s->cleared) {
        if (!check(s, d->fill(r->memory.scratch, 0, (size_t)r->scratch_bytes, stream),
                   "cuMemsetD8Async", f))
            return false;
        s->cleared = r->memory.scratch;
    }
    bz_rt_fill_table(&r->image, r->args, &r->work, BZ_RT_BAKED);
    const cu_result code = bz_rt_cuda_go(r, stream, reported);
    return bz_rt_cuda_fail(d, code, r->failed, r->of, f);
}

/* ---- which index it was */

/* The first of n indices at `at` that is outside. */
static bool look_for(const bz_rt_cuda_slot *s, const bz_rt_site *of, int64_t *index) {
    const cu_driver *d = s->run.d;
    const size_t bytes = (size_t)of->count * sizeof *index;
    int64_t *all = malloc(bytes + 1), i = of->count;
    if (!all) return false;
    cu_result code = d->copy_out(all, s->run.memory.arena + of->at, bytes, s->stream);
    if (d->stream_wait(s->stream) || code) return free(all), false;
    for (i = 0; i < of->count && all[i] >= -of->size && all[i] < of->size; i++) continue;
    if (i < of->count) *index = all[i];
    free(all);
    return i < of->count;
}

/* After a run that met one at the site, and is over; false: it cannot be found out. */
static bool find_index(bz_rt_cuda_place *p, const bz_rt_artefact *a, const bz_rt_cuda_slot *s,
                       const bz_rt_site *of, int64_t *index) {
    bz_rt_cuda_fault f;
    int64_t reported[2];
    bz_rt_cuda_slot *own = bz_rt_cuda_slot_plan(p, a, s->n, of->find, s);
    bool found = own && bz_rt_cuda_slot_ready(p, own, &f) && bz_rt_cuda_slot_lay(own, 0, &f) &&
                 check(own, p->d->stream_new(&own->stream, CU_NON_BLOCKING), "cuStreamCreate", &f);
    if (found) {
        memcpy(own->run.args, s->run.args, s->run.args_bytes);
        found = run(own, own->stream, reported, &f) && look_for(own, of, index);
        p->d->stream_wait(own->stream);
    }
    bz_rt_cuda_slot_free(p->d, own);
    return found;
}

/* The status of an index outside, and its words. */
static int bad_index(bz_rt_cuda_place *p, const bz_rt_artefact *a, const bz_rt_cuda_slot *s,
                     int64_t element) {
    uint32_t i = 0;
    int64_t index = 0;
    char number[24];
    while (i < s->v->nsites && s->v->sites[i].element != element) i++;
    const int met = bz_rt_status_of(BZ_RT_EINDEX, i);
    const bz_rt_site *of = &s->v->sites[i];
    if (i == s->v->nsites) return met;
    bz_rt_forget();
    if (of->find && find_index(p, a, s, of, &index)) {
        snprintf(number, sizeof number, "%lld", (long long)index);
        bz_rt_tell(s->of, met, of->before, number, of->behind);
    } else if (s->words) {
        bz_rt_tell(s->of, met, of->message, "", "");
    }
    return met;
}

/* ---- on memory of the device */

typedef struct given {
    void *p;
    size_t bytes;
} given;

static int call_device(bz_rt_cuda_place *p, const bz_rt_artefact *a, bz_rt_cuda_slot *s,
                       const char *args, cu_stream stream, bz_rt_cuda_fault *f) {
    const given *w = (const given *)(const void *)(args + a->workspace);
    int64_t reported[2];
    if (w->p && w->bytes < bz_rt_cuda_slot_bytes(s)) return BZ_RT_EWORKSPACE;
    if (!bz_rt_cuda_slot_lay(s, (uintptr_t)w->p, f)) return f->status;
    memcpy(s->run.args, args, s->run.args_bytes);
    const bool done = run(s, stream, reported, f);
    if (!w->p) {
        bz_rt_cuda_fault second;
        s->under_way =
            check(s, p->d->event_record(s->done, stream), "cuEventRecord", done ? f : &second);
        if (!s->under_way) p->d->stream_wait(stream); /* the slot's memory is free again */
        if (!s->under_way && done) return f->status;
    }
    if (!done) return f->status;
    return reported[0] == INT64_MAX ? BZ_RT_OK : bad_index(p, a, s, reported[0]);
}

/* ---- on arrays of the host */

static uint64_t array_bytes(uint64_t n) {
    return (n + ARRAY - 1) / ARRAY * ARRAY;
}

static bool get_arrays(bz_rt_cuda_slot *s, const bz_rt_cuda_variant *v, bz_rt_cuda_fault *f) {
    const cu_driver *d = s->run.d;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < v->nargs; i++) bytes += array_bytes(v->args[i].bytes);
    if (!s->stream && !check(s, d->stream_new(&s->stream, CU_NON_BLOCKING), "cuStreamCreate", f))
        return s->stream = NULL, false;
    if (s->arrays || !bytes) return true;
    if (check(s, d->alloc(&s->arrays, (size_t)bytes), "cuMemAlloc", f)) return true;
    return s->arrays = 0, false;
}

/* One way or the other. */
static bool copy_arrays(const bz_rt_cuda_slot *s, const bz_rt_cuda_variant *v, const char *args,
                        bool in, bz_rt_cuda_fault *f) {
    const cu_driver *d = s->run.d;
    cu_address at = s->arrays;
    bool done = true;
    for (uint32_t i = 0; i < v->nargs && done; at += array_bytes(v->args[i++].bytes)) {
        const bz_rt_cuda_arg *x = &v->args[i];
        void *host = *(void *const *)(const void *)(args + x->at);
        if (!x->bytes) continue;
        if (in && x->how & BZ_RT_CUDA_IN)
            done =
                check(s, d->copy_in(at, host, (size_t)x->bytes, s->stream), "cuMemcpyHtoDAsync", f);
        if (!in && x->how & BZ_RT_CUDA_OUT)
            done = check(s, d->copy_out(host, at, (size_t)x->bytes, s->stream), "cuMemcpyDtoHAsync",
                         f);
    }
    return done;
}

/* The struct with the arrays' addresses on the device. */
static void set_args(bz_rt_cuda_slot *s, const bz_rt_cuda_variant *v, const char *args) {
    cu_address at = s->arrays;
    memcpy(s->run.args, args, s->run.args_bytes);
    for (uint32_t i = 0; i < v->nargs; i++) {
        if (v->args[i].bytes) memcpy(s->run.args + v->args[i].at, &at, sizeof at);
        at += array_bytes(v->args[i].bytes);
    }
}

/* Nothing of it is under way in the end. What was written comes back if all went well. */
static int call_host(bz_rt_cuda_place *p, const bz_rt_artefact *a, bz_rt_cuda_slot *s,
                     const char *args, bz_rt_cuda_fault *f) {
    const bz_rt_cuda_variant *v = (const bz_rt_cuda_variant *)(const void *)s->v;
    int64_t reported[2] = {INT64_MAX};
    if (!get_arrays(s, v, f) || !bz_rt_cuda_slot_lay(s, 0, f)) return f->status;
    set_args(s, v, args);
    bool done = copy_arrays(s, v, args, true, f) && run(s, s->stream, reported, f);
    if (done && reported[0] == INT64_MAX) done = copy_arrays(s, v, args, false, f);
    const cu_result code = p->d->stream_wait(s->stream);
    if (done) done = check(s, code, "cuStreamSynchronize", f);
    if (!done) return f->status;
    s->under_way = false;
    return reported[0] == INT64_MAX ? BZ_RT_OK : bad_index(p, a, s, reported[0]);
}

/* ---- what an artefact calls */

static int call(const bz_rt_artefact *a, const char *args, bool device, cu_stream stream) {
    const bz_rt_variant *v = a->variants;
    bz_rt_cuda_fault f = {0};
    bool pushed;
    int s = bz_rt_check_args(a, args);
    if (s) return s;
    const int64_t n = v->sizes ? *(const int64_t *)(const void *)args : 0;
    if (v->sizes && !bz_rt_template_of_v5(v->sizes, n)) return BZ_RT_ESIZE;
    bz_rt_cuda_place *p = bz_rt_cuda_enter(&pushed, &f);
    bz_rt_cuda_slot *slot = p ? bz_rt_cuda_take(p, a, n, &f) : NULL;
    if (slot) {
        s = device ? call_device(p, a, slot, args, stream, &f) : call_host(p, a, slot, args, &f);
        bz_rt_cuda_put(p, slot);
    }
    if (p) bz_rt_cuda_leave(p, pushed);
    if (f.status && (s == f.status || !slot)) bz_rt_tell(v, s = f.status, f.text, "", "");
    return s;
}

int bz_rt_cuda_call_v1(const bz_rt_artefact *a, const void *args) {
    return call(a, args, false, NULL);
}

int bz_rt_cuda_call_device_v1(const bz_rt_artefact *a, const void *args, void *stream) {
    return call(a, args, true, stream);
}

size_t bz_rt_cuda_workspace_of_v1(const bz_rt_artefact *a, int64_t n) {
    const bz_rt_variant *v = a->variants;
    bz_rt_cuda_fault f;
    bool pushed;
    if (v->sizes && !bz_rt_template_of_v5(v->sizes, n)) return 0;
    bz_rt_cuda_place *p = bz_rt_cuda_enter(&pushed, &f);
    if (!p) return 0;
    bz_rt_cuda_slot *s = bz_rt_cuda_slot_plan(p, a, n, NULL, NULL);
    const size_t bytes = s ? (size_t)bz_rt_cuda_slot_bytes(s) : 0;
    bz_rt_cuda_slot_free(p->d, s);
    bz_rt_cuda_leave(p, pushed);
    return bytes;
}

size_t bz_rt_cuda_workspace_v1(const bz_rt_artefact *a) {
    return bz_rt_cuda_workspace_of_v1(a, 0);
}

const char *bz_rt_cuda_error_v1(const bz_rt_artefact *a, int status) {
    return bz_rt_text(a, a->variants, status);
}
