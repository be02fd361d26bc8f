/* memory.c - the memory of a GPU (runtime/memory/memory.h), by the driver: one stream for each memory, so that everything takes effect in
 * the order of the calls.
 *
 *      host's bytes --memcpy--> ring of pinned pieces --stream--> device       what is read has been read, nobody waits
 *      device --stream--> host's bytes, waited for
 *      runs of other strides: packed on the host's side, moved by a kernel on the device's (strided.c)
 *
 * The first error that ends the driver's context is kept, and is the answer from then on. */
#include "runtime/cuda/cuda.h"

#include <string.h>

/* ---- the driver's context, its errors */

void cuda_launched(cuda_memory *m, const char *name) {
    char *to = m->last[m->launched++ % CUDA_LAST];
    strncpy(to, name, CUDA_NAME - 1); /* its last byte stays 0 */
}

/* A fault of a kernel is told by whatever is called next. */
static void say_last(const cuda_memory *m, bz_text *t) {
    const unsigned n = m->launched < CUDA_LAST ? m->launched : CUDA_LAST;
    for (unsigned i = 0; i < n; i++)
        bz_textf(t, "%s%s",
                 i ? ", " : "; launched last: ", m->last[(m->launched - 1 - i) % CUDA_LAST]);
}

bz_status cuda_check(cuda_memory *m, cu_result r, const char *what, const char *of, bz_error *e) {
    if (!r) return BZ_OK;
    bz_text t = {0};
    char text[200];
    bz_rt_cu_text(m->d, r, text, sizeof text);
    bz_text_str(&t, text);
    if (cu_is_final(r)) say_last(m, &t);
    bz_error first = {0};
    bz_fail(&first, r == CU_OUT_OF_MEMORY ? BZ_ENOMEM : BZ_EDEVICE, "[cuda] %s%s%s: %s", what,
            of ? " of " : "", of ? of : "", bz_text_c(&t));
    bz_text_free(&t);
    if (cu_is_final(r)) m->lost = first;
    return bz_fail(e, first.status, "%s", first.text);
}

bz_status cuda_enter(cuda_memory *m, bz_error *e) {
    if (!cuda_place_hold(m->place))
        return bz_fail(e, BZ_EDEVICE, "[cuda] lost when device %d was reset (bz_device_reset)",
                       m->number);
    bz_status s = m->lost.status;
    if (s)
        bz_fail(e, s, "%s", m->lost.text);
    else
        s = cuda_check(m, m->d->context_push(m->context), "cuCtxPushCurrent", NULL, e);
    if (s) cuda_place_release(m->place);
    return s;
}

bool cuda_enter_to_free(cuda_memory *m) {
    return cuda_place_enter_to_free(m->place);
}

void cuda_leave(cuda_memory *m) {
    cuda_place_step_out(m->place);
}

/* ---- pieces of memory */

static cu_result get_once(cuda_memory *m, size_t bytes, rt_address *at) {
    return m->ordered ? m->d->alloc_ordered(at, bytes, m->stream) : m->d->alloc(at, bytes);
}

/* What lacks may have been given back and not be there yet, or be kept by the driver for later. */
static void trim(cuda_memory *m) {
    cu_pool pool;
    m->d->stream_wait(m->stream);
    if (m->ordered && m->d->device_pool && m->d->pool_trim && !m->d->device_pool(&pool, m->device))
        m->d->pool_trim(pool, 0);
}

bz_status cuda_get(cuda_memory *m, size_t bytes, rt_address *at, bz_error *e) {
    cu_result r = get_once(m, bytes, at);
    if (r == CU_OUT_OF_MEMORY) {
        trim(m);
        r = get_once(m, bytes, at);
    }
    if (r == CU_OUT_OF_MEMORY) return BZ_ENOMEM;
    return cuda_check(m, r, m->ordered ? "cuMemAllocAsync" : "cuMemAlloc", NULL, e);
}

/* Errors are those of earlier work: they are told by what is asked for next. */
void cuda_give(cuda_memory *m, rt_address at) {
    if (m->ordered) {
        m->d->free_ordered(at, m->stream);
        return;
    }
    m->d->stream_wait(m->stream);
    m->d->free(at);
}

static bz_status alloc(rt_memory *base, size_t bytes, rt_address *at, bz_error *e) {
    cuda_memory *m = (cuda_memory *)base;
    bz_status s = cuda_enter(m, e);
    if (s) return s;
    s = cuda_get(m, bytes, at, e);
    cuda_leave(m);
    return s;
}

static void give_back(rt_memory *base, rt_address at, size_t bytes) {
    cuda_memory *m = (cuda_memory *)base;
    (void)bytes;
    if (!cuda_enter_to_free(m)) return;
    cuda_give(m, at);
    cuda_leave(m);
}

/* ---- one run of bytes */

bz_status cuda_wait(cuda_memory *m, bz_error *e) {
    return cuda_check(m, m->d->stream_wait(m->stream), "cuStreamSynchronize", NULL, e);
}

static bz_status make_ring(cuda_memory *m, bz_error *e) {
    void *p;
    cu_result r = m->d->host_alloc(&p, (size_t)CUDA_RING * CUDA_STAGE);
    if (!r) m->ring = p;
    return cuda_check(m, r, "cuMemAllocHost", NULL, e);
}

/* The next piece of the ring, once what was copied from it has been read. */
static bz_status take_piece(cuda_memory *m, unsigned *k, bz_error *e) {
    *k = m->next;
    m->next = (m->next + 1) % CUDA_RING;
    if (m->read[*k])
        return cuda_check(m, m->d->event_wait(m->read[*k]), "cuEventSynchronize", NULL, e);
    return cuda_check(m, m->d->event_new(&m->read[*k], CU_NO_TIMING), "cuEventCreate", NULL, e);
}

bz_status cuda_copy_in(cuda_memory *m, rt_address to, const void *from, size_t bytes, bz_error *e) {
    bz_status s = m->ring ? BZ_OK : make_ring(m, e);
    unsigned k;
    for (size_t at = 0; at < bytes && !s; at += CUDA_STAGE) {
        size_t n = bytes - at < CUDA_STAGE ? bytes - at : CUDA_STAGE;
        if ((s = take_piece(m, &k, e))) break;
        char *piece = m->ring + (size_t)k * CUDA_STAGE;
        memcpy(piece, (const char *)from + at, n);
        s = cuda_check(m, m->d->copy_in(to + at, piece, n, m->stream), "cuMemcpyHtoDAsync", NULL,
                       e);
        if (s) break;
        s = cuda_check(m, m->d->event_record(m->read[k], m->stream), "cuEventRecord", NULL, e);
        if (s) m->d->stream_wait(m->stream); /* nothing tells when the piece is free again */
    }
    return s;
}

bz_status cuda_copy_out(cuda_memory *m, void *to, rt_address from, size_t bytes, bz_error *e) {
    bz_status s =
        cuda_check(m, m->d->copy_out(to, from, bytes, m->stream), "cuMemcpyDtoHAsync", NULL, e);
    if (s || !(s = cuda_wait(m, e))) return s;
    m->d->stream_wait(m->stream); /* `to` may go now */
    return s;
}

/* ---- runs */

/* The same runs, one behind the other on the side that is `packed`. */
static void pack(rt_runs *p, const rt_runs *r, bool to) {
    int64_t step = (int64_t)r->bytes;
    *p = *r;
    for (unsigned i = r->rank; i-- > 0; step *= r->shape[i]) *(to ? &p->to[i] : &p->from[i]) = step;
}

static bool is_packed(const rt_runs *r, bool to) {
    rt_runs p;
    pack(&p, r, to);
    return memcmp(to ? p.to : p.from, to ? r->to : r->from, r->rank * sizeof *r->to) == 0;
}

size_t cuda_total(const rt_runs *r) {
    size_t bytes = r->bytes;
    for (unsigned i = 0; i < r->rank; i++) bytes *= (size_t)r->shape[i];
    return bytes;
}

/* All of them at once on the device's side: packed in a piece of memory between. */
static bz_status scatter_in(cuda_memory *m, rt_address to, const char *packed, const rt_runs *r,
                            bz_error *e) {
    rt_address between;
    rt_runs spread;
    if (is_packed(r, true)) return cuda_copy_in(m, to, packed, cuda_total(r), e);
    bz_status s = cuda_get(m, cuda_total(r), &between, e);
    if (s) return bz_fail(e, s, "out of memory");
    pack(&spread, r, false);
    s = cuda_copy_in(m, between, packed, cuda_total(r), e);
    if (!s) s = cuda_copy_runs(m, to, between, &spread, e);
    cuda_give(m, between);
    return s;
}

static bz_status gather_out(cuda_memory *m, char *packed, rt_address from, const rt_runs *r,
                            bz_error *e) {
    rt_address between;
    rt_runs gather;
    if (is_packed(r, false)) return cuda_copy_out(m, packed, from, cuda_total(r), e);
    bz_status s = cuda_get(m, cuda_total(r), &between, e);
    if (s) return bz_fail(e, s, "out of memory");
    pack(&gather, r, true);
    s = cuda_copy_runs(m, between, from, &gather, e);
    if (!s) s = cuda_copy_out(m, packed, between, cuda_total(r), e);
    cuda_give(m, between);
    return s;
}

static bz_status copy_in(rt_memory *base, rt_address to, const void *from, const rt_runs *r,
                         bz_error *e) {
    cuda_memory *m = (cuda_memory *)base;
    rt_runs gather;
    char *packed = NULL;
    bz_status s = cuda_enter(m, e);
    if (s) return s;
    if (!is_packed(r, false)) {
        if ((packed = bz_mem_alloc(cuda_total(r)))) {
            pack(&gather, r, true);
            rt_host_copy(packed, from, &gather);
        } else {
            s = bz_fail(e, BZ_ENOMEM, "out of memory");
        }
    }
    if (!s) s = scatter_in(m, to, packed ? packed : from, r, e);
    cuda_leave(m);
    bz_mem_free(packed);
    return s;
}

static bz_status copy_out(rt_memory *base, void *to, rt_address from, const rt_runs *r,
                          bz_error *e) {
    cuda_memory *m = (cuda_memory *)base;
    rt_runs spread;
    bool direct = is_packed(r, true);
    bz_status s = cuda_enter(m, e);
    if (s) return s;
    char *packed = direct ? to : bz_mem_alloc(cuda_total(r));
    s = packed ? gather_out(m, packed, from, r, e) : bz_fail(e, BZ_ENOMEM, "out of memory");
    cuda_leave(m);
    if (direct) return s;
    if (!s) {
        pack(&spread, r, false);
        rt_host_copy(to, packed, &spread);
    }
    bz_mem_free(packed);
    return s;
}

bz_status cuda_copy(cuda_memory *m, rt_address to, rt_address from, const rt_runs *r, bz_error *e) {
    if (!is_packed(r, true) || !is_packed(r, false)) return cuda_copy_runs(m, to, from, r, e);
    return cuda_check(m, m->d->copy(to, from, cuda_total(r), m->stream), "cuMemcpyDtoDAsync", NULL,
                      e);
}

static bz_status copy(rt_memory *base, rt_address to, rt_address from, const rt_runs *r,
                      bz_error *e) {
    cuda_memory *m = (cuda_memory *)base;
    bz_status s = cuda_enter(m, e);
    if (s) return s;
    s = cuda_copy(m, to, from, r, e);
    cuda_leave(m);
    return s;
}

/* ---- other devices */

/* What is asked of m from now on comes after what was asked of `other`. */
static bz_status follow(cuda_memory *m, cuda_memory *other, bz_error *e) {
    bz_status s = cuda_enter(other, e);
    if (s) return s;
    s = cuda_check(other, other->d->event_record(other->mark, other->stream), "cuEventRecord", NULL,
                   e);
    cuda_leave(other);
    if (s || (s = cuda_enter(m, e))) return s;
    s = cuda_check(m, m->d->stream_after(m->stream, other->mark, 0), "cuStreamWaitEvent", NULL, e);
    cuda_leave(m);
    return s;
}

static bz_status copy_peer(rt_memory *base, rt_address to, rt_memory *base2, rt_address from,
                           size_t bytes, bz_error *e) {
    cuda_memory *m = (cuda_memory *)base, *other = (cuda_memory *)base2;
    bz_status s = follow(m, other, e);
    if (s || (s = cuda_enter(other, e))) return s;
    if (!(s = cuda_enter(m, e))) {
        s = cuda_check(m, m->d->copy_peer(to, m->context, from, other->context, bytes, m->stream),
                       "cuMemcpyPeerAsync", NULL, e);
        cuda_leave(m);
    }
    cuda_leave(other);
    if (s || !(s = follow(other, m, e))) return s;
    if (cuda_enter_to_free(m)) { /* `from` may go now */
        m->d->stream_wait(m->stream);
        cuda_leave(m);
    }
    return s;
}

/* ---- the rest */

static bz_status zero(rt_memory *base, rt_address at, size_t bytes, bz_error *e) {
    cuda_memory *m = (cuda_memory *)base;
    bz_status s = cuda_enter(m, e);
    if (s) return s;
    s = cuda_check(m, m->d->fill(at, 0, bytes, m->stream), "cuMemsetD8Async", NULL, e);
    cuda_leave(m);
    return s;
}

static bz_status synchronise(rt_memory *base, bz_error *e) {
    cuda_memory *m = (cuda_memory *)base;
    bz_status s = cuda_enter(m, e);
    if (s) return s;
    s = cuda_wait(m, e);
    cuda_leave(m);
    return s;
}

bz_status cuda_load(cuda_memory *m, const void *image, const char *what, cu_module *out,
                    bz_error *e) {
    static const int options[] = {CU_JIT_ERROR_LOG, CU_JIT_ERROR_LOG_BYTES};
    char log[256] = "";
    void *values[] = {log, (void *)(uintptr_t)sizeof log};
    cu_result r = m->d->module_load(out, image, BZ_LEN(options), options, values);
    bz_text of = {0};
    bz_textf(&of, "%s%s%.200s", what, *log ? ": " : "", log);
    bz_status s = cuda_check(m, r, "cuModuleLoadDataEx", bz_text_c(&of), e);
    bz_text_free(&of);
    return s;
}

/* ---- opening and closing */

static void close_memory(rt_memory *base) {
    cuda_memory *m = (cuda_memory *)base;
    const bool in = m->place && cuda_enter_to_free(m);
    if (in && m->stream) m->d->stream_wait(m->stream);
    cuda_async_free(m, !in);
    if (in) {
        if (m->copier) m->d->module_free(m->copier);
        for (unsigned i = 0; i < CUDA_RING; i++)
            if (m->read[i]) m->d->event_free(m->read[i]);
        if (m->mark) m->d->event_free(m->mark);
        if (m->ring) m->d->host_free(m->ring);
        if (m->stream) m->d->stream_free(m->stream);
        cuda_leave(m);
    }
    if (m->place) cuda_place_leave(m->place);
    bz_mem_free(m);
}

static bz_status reset(rt_memory *base, rt_memory **fresh, bz_error *e);

static const rt_memory_functions functions = {
    .close = close_memory,
    .reset = reset,
    .alloc = alloc,
    .free = give_back,
    .copy_in = copy_in,
    .copy_out = copy_out,
    .copy = copy,
    .copy_peer = copy_peer,
    .zero = zero,
    .synchronise = synchronise,
    .pin = cuda_pin,
    .unpin = cuda_unpin,
    .start_in = cuda_start_in,
    .start_out = cuda_start_out,
    .finish = cuda_finish,
};

static bz_status find_device(cuda_memory *m, int number, bz_error *e) {
    int n = 0;
    bz_status s = cuda_check(m, m->d->device_count(&n), "cuDeviceGetCount", NULL, e);
    if (!s && n == 0) return bz_fail(e, BZ_EDEVICE, "[cuda] the driver knows no device");
    if (!s && number >= n)
        return bz_fail(e, BZ_EDEVICE, "[cuda] there is no device %d: the driver knows %d", number,
                       n);
    return s ? s : cuda_check(m, m->d->device_get(&m->device, number), "cuDeviceGet", NULL, e);
}

static bz_status describe(cuda_memory *m, bz_error *e) {
    int major = 0, minor = 0, processors = 0, pools = 0, shared = 0;
    size_t bytes = 0;
    bz_status s =
        cuda_check(m, m->d->device_memory(&bytes, m->device), "cuDeviceTotalMem", NULL, e);
    const struct {
        int attribute, *to;
    } asked[] = {
        {CU_MAJOR, &major}, {CU_MINOR, &minor}, {CU_PROCESSORS, &processors}, {CU_SHARED, &shared}};
    for (size_t i = 0; i < BZ_LEN(asked) && !s; i++)
        s = cuda_check(m, m->d->device_attribute(asked[i].to, asked[i].attribute, m->device),
                       "cuDeviceGetAttribute", NULL, e);
    if (s) return s;
    m->ordered = m->d->alloc_ordered && m->d->free_ordered &&
                 !m->d->device_attribute(&pools, CU_HAS_POOLS, m->device) && pools;
    m->arch = (unsigned)(major * 10 + minor);
    m->processors = (unsigned)processors;
    m->shared = shared;
    m->base.most = (int64_t)bytes;
    return BZ_OK;
}

static bz_status make_stream(cuda_memory *m, bz_error *e) {
    bz_status s = cuda_check(m, cuda_place_arrive(m->d, m->device, &m->place, &m->context),
                             "cuDevicePrimaryCtxRetain", NULL, e);
    if (s) return s;
    if (!m->place) return bz_fail(e, BZ_ENOMEM, "out of memory");
    if ((s = cuda_enter(m, e))) return s;
    s = cuda_check(m, m->d->stream_new(&m->stream, CU_NON_BLOCKING), "cuStreamCreate", NULL, e);
    if (!s) s = cuda_check(m, m->d->event_new(&m->mark, CU_NO_TIMING), "cuEventCreate", NULL, e);
    cuda_leave(m);
    return s;
}

/* *again: there was another device than the one that is there now. anew: one that was lost is reset. */
static rt_memory *try_to_open(const cu_driver *d, int number, bool anew, bool *again, bz_error *e) {
    cuda_memory *m = bz_mem_zero(1, sizeof *m);
    if (!m) return bz_fail(e, BZ_ENOMEM, "out of memory"), NULL;
    m->base.f = &functions;
    m->d = d;
    m->number = number;
    bz_status s = find_device(m, number, e);
    if (!s) s = describe(m, e);
    if (!s) s = make_stream(m, e);
    if (!s) return &m->base;
    if (anew && m->place && m->lost.status) cuda_place_reset(m->place);
    *again = m->place && cuda_place_is_gone(m->place);
    close_memory(&m->base);
    return NULL;
}

static rt_memory *open_memory(int number, bool anew, bz_error *e) {
    const cu_driver *d;
    rt_memory *m = NULL;
    bool again = !cu_open(&d, e);
    while (again) {
        bz_error own = {0};
        again = false;
        m = try_to_open(d, number, anew, &again, &own);
        anew = false; /* once does it, or it does not help */
        if (!m && !again) bz_fail(e, own.status, "%s", own.text);
    }
    return m;
}

rt_memory *cuda_open(int number, bz_error *e) {
    return open_memory(number, false, e);
}

/* This memory stays as it is, with nothing in it. What was under way there has been waited for by nobody. Where the device was reset
 * before, by another context, it is reset once more if it was lost meanwhile. */
static bz_status reset(rt_memory *base, rt_memory **fresh, bz_error *e) {
    cuda_memory *m = (cuda_memory *)base;
    bz_error own = {0};
    if (!m->d->context_reset)
        return bz_fail(e, BZ_EUNSUPPORTED,
                       "[cuda] the driver has no cuDevicePrimaryCtxReset: close the contexts on "
                       "device %d instead",
                       m->number);
    const cu_result r = cuda_place_reset(m->place);
    if (r) return cuda_check(m, r, "cuDevicePrimaryCtxReset", NULL, e);
    *fresh = open_memory(m->number, true, &own);
    return *fresh ? BZ_OK : bz_fail(e, own.status, "%s", own.text);
}
