/* async.c - copies between the host and a GPU beside what is computed there: two streams more, one for each way.
 *
 *     out:  source --stream--> piece of the device | event | piece --stream out--> pinned memory | done
 *     in:   pinned memory --stream in--> piece of the device | done | piece --stream--> target
 *
 * The pieces keep the order: what is computed meanwhile may change the source, and may still read what lay in the target before. Copies within
 * a device cost little beside those over the bus. What goes to other memory than pinned goes by way of a slot of ours. */
#include "runtime/cuda/cuda.h"

#include <string.h>

enum { SLOTS = 16, SLOT = 16 << 10 };

struct rt_transfer {
    cu_event done;
    void *to;   /* where the slot's bytes go; NULL: nowhere */
    char *slot; /* NULL: none */
    size_t bytes;
    rt_transfer *next; /* recycled ones */
};

typedef struct cuda_async {
    cu_stream in, out;
    char *slots;   /* pinned */
    uint32_t used; /* of them, bits */
    rt_transfer *idle;
} cuda_async;
_Static_assert(SLOTS <= 32, "bits");

/* ---- what is there for them */

static bz_status open_streams(cuda_memory *m, bz_error *e) {
    if (m->async) return BZ_OK;
    cuda_async *a = bz_mem_zero(1, sizeof *a);
    if (!a) return bz_fail(e, BZ_ENOMEM, "out of memory");
    m->async = a;
    cu_stream *const all[] = {&a->in, &a->out};
    bz_status s = BZ_OK;
    for (unsigned i = 0; i < BZ_LEN(all) && !s; i++)
        s = cuda_check(m, m->d->stream_new(all[i], CU_NON_BLOCKING), "cuStreamCreate", NULL, e);
    if (s) cuda_async_free(m, false);
    return s;
}

static bz_status new_transfer(cuda_memory *m, rt_transfer **t, bz_error *e) {
    bz_status s = open_streams(m, e);
    if (s) return s;
    if ((*t = m->async->idle)) {
        m->async->idle = (*t)->next;
        return BZ_OK;
    }
    *t = bz_mem_zero(1, sizeof **t);
    if (!*t) return bz_fail(e, BZ_ENOMEM, "out of memory");
    s = cuda_check(m, m->d->event_new(&(*t)->done, CU_NO_TIMING), "cuEventCreate", NULL, e);
    if (s) bz_mem_free(*t), *t = NULL;
    return s;
}

static void recycle(cuda_memory *m, rt_transfer *t) {
    if (t->slot) m->async->used &= ~(1u << (size_t)(t->slot - m->async->slots) / SLOT);
    t->slot = NULL;
    t->next = m->async->idle;
    m->async->idle = t;
}

/* A slot for the transfer, whose bytes go to `to` in the end; it has none where all are taken. */
static bz_status take_slot(cuda_memory *m, rt_transfer *t, void *to, bz_error *e) {
    cuda_async *a = m->async;
    void *p = a->slots;
    const cu_result r = p ? CU_SUCCESS : m->d->host_alloc(&p, (size_t)SLOTS * SLOT);
    if (r) return cuda_check(m, r, "cuMemAllocHost", NULL, e);
    a->slots = p;
    for (unsigned i = 0; i < SLOTS && !t->slot; i++) {
        if (a->used >> i & 1) continue;
        a->used |= 1u << i;
        t->slot = a->slots + (size_t)i * SLOT;
        t->to = to;
    }
    return BZ_OK;
}

void cuda_async_free(cuda_memory *m, bool gone) {
    cuda_async *a = m->async;
    if (!a) return;
    if (a->in && !gone) m->d->stream_wait(a->in), m->d->stream_free(a->in);
    if (a->out && !gone) m->d->stream_wait(a->out), m->d->stream_free(a->out);
    if (a->slots && !gone) m->d->host_free(a->slots);
    for (rt_transfer *t; (t = a->idle);) {
        a->idle = t->next;
        if (!gone) m->d->event_free(t->done);
        bz_mem_free(t);
    }
    bz_mem_free(a);
    m->async = NULL;
}

/* ---- pinned memory */

void *cuda_pin(rt_memory *base, size_t bytes, bz_error *e) {
    cuda_memory *m = (cuda_memory *)base;
    void *p = NULL;
    if (cuda_enter(m, e)) return NULL;
    const cu_result r = m->d->host_alloc(&p, bytes);
    cuda_leave(m);
    return cuda_check(m, r, "cuMemAllocHost", NULL, e) ? NULL : p;
}

void cuda_unpin(rt_memory *base, void *p) {
    cuda_memory *m = (cuda_memory *)base;
    if (!cuda_enter_to_free(m)) return;
    m->d->host_free(p);
    cuda_leave(m);
}

/* ---- begun */

/* What is asked of stream b from now on comes after what was asked of a. */
static bz_status follow(cuda_memory *m, cu_stream b, cu_stream a, cu_event by, bz_error *e) {
    bz_status s = cuda_check(m, m->d->event_record(by, a), "cuEventRecord", NULL, e);
    return s ? s : cuda_check(m, m->d->stream_after(b, by, 0), "cuStreamWaitEvent", NULL, e);
}

/* `done` tells when what was asked of the stream is over; where that cannot be, it is waited for. */
static bz_status tell(cuda_memory *m, cu_stream of, cu_event done, bz_error *e) {
    const bz_status s = cuda_check(m, m->d->event_record(done, of), "cuEventRecord", NULL, e);
    if (s) m->d->stream_wait(of);
    return s;
}

/* A piece of the device for one copy. *lacks: there is no memory for it, which is no error. */
static bz_status get_piece(cuda_memory *m, cu_stream of, size_t bytes, rt_address *at, bool *lacks,
                           bz_error *e) {
    const cu_result r = m->d->alloc_ordered(at, bytes, of);
    *lacks = r == CU_OUT_OF_MEMORY;
    return *lacks ? BZ_OK : cuda_check(m, r, "cuMemAllocAsync", NULL, e);
}

/* Without a piece, behind everything else, which nobody waits for either. */
static bz_status copy_in_behind(cuda_memory *m, rt_address to, const void *from, size_t bytes,
                                cu_event done, bz_error *e) {
    const bz_status s =
        cuda_check(m, m->d->copy_in(to, from, bytes, m->stream), "cuMemcpyHtoDAsync", NULL, e);
    return s ? s : tell(m, m->stream, done, e);
}

static bz_status copy_in_beside(cuda_memory *m, rt_address to, const void *from, size_t bytes,
                                cu_event done, bz_error *e) {
    cuda_async *a = m->async;
    rt_address piece;
    bool lacks;
    bz_status s = get_piece(m, a->in, bytes, &piece, &lacks, e);
    if (s) return s;
    if (lacks) return copy_in_behind(m, to, from, bytes, done, e);
    s = cuda_check(m, m->d->copy_in(piece, from, bytes, a->in), "cuMemcpyHtoDAsync", NULL, e);
    if (!s) s = follow(m, m->stream, a->in, done, e);
    if (!s)
        s = cuda_check(m, m->d->copy(to, piece, bytes, m->stream), "cuMemcpyDtoDAsync", NULL, e);
    if (s) m->d->stream_wait(a->in); /* `from` may change now */
    m->d->free_ordered(piece, s ? a->in : m->stream);
    return s;
}

/* The same the other way; what has strides needs the piece. */
static bz_status copy_out_behind(cuda_memory *m, void *to, rt_address from, const rt_runs *r,
                                 bool *lacks, cu_event done, bz_error *e) {
    *lacks = r->rank > 0;
    if (*lacks) return BZ_OK;
    const bz_status s =
        cuda_check(m, m->d->copy_out(to, from, r->bytes, m->stream), "cuMemcpyDtoHAsync", NULL, e);
    return s ? s : tell(m, m->stream, done, e);
}

static bz_status copy_out_beside(cuda_memory *m, void *to, rt_address from, const rt_runs *r,
                                 bool *lacks, cu_event done, bz_error *e) {
    cuda_async *a = m->async;
    rt_address piece;
    bz_status s = get_piece(m, m->stream, cuda_total(r), &piece, lacks, e);
    if (s) return s;
    if (*lacks) return copy_out_behind(m, to, from, r, lacks, done, e);
    s = cuda_copy(m, piece, from, r, e);
    if (!s) s = follow(m, a->out, m->stream, m->mark, e);
    const bool moved = !s;
    if (moved)
        s = cuda_check(m, m->d->copy_out(to, piece, cuda_total(r), a->out), "cuMemcpyDtoHAsync",
                       NULL, e);
    if (!s) s = tell(m, a->out, done, e);
    m->d->free_ordered(piece, moved ? a->out : m->stream);
    return s;
}

bz_status cuda_start_in(rt_memory *base, rt_address to, const void *from, size_t bytes,
                        rt_transfer **out, bz_error *e) {
    cuda_memory *m = (cuda_memory *)base;
    rt_transfer *t = NULL;
    bz_status s = cuda_enter(m, e);
    if (s) return s;
    s = new_transfer(m, &t, e);
    if (!s)
        s = m->ordered ? copy_in_beside(m, to, from, bytes, t->done, e)
                       : copy_in_behind(m, to, from, bytes, t->done, e);
    if (s && t) recycle(m, t), t = NULL;
    cuda_leave(m);
    *out = t;
    return s;
}

bz_status cuda_start_out(rt_memory *base, void *to, rt_address from, const rt_runs *r, bool pinned,
                         rt_transfer **out, bz_error *e) {
    cuda_memory *m = (cuda_memory *)base;
    rt_transfer *t = NULL;
    bz_status s = cuda_enter(m, e);
    if (s) return s;
    s = new_transfer(m, &t, e);
    if (!s && !pinned && cuda_total(r) <= SLOT) s = take_slot(m, t, to, e);
    bool at_once = !s && !pinned && !t->slot;
    if (!s && !at_once) {
        void *there = t->slot ? t->slot : to;
        t->bytes = cuda_total(r);
        s = m->ordered ? copy_out_beside(m, there, from, r, &at_once, t->done, e)
                       : copy_out_behind(m, there, from, r, &at_once, t->done, e);
    }
    if (t && (s || at_once)) recycle(m, t), t = NULL;
    cuda_leave(m);
    *out = t;
    return at_once ? base->f->copy_out(base, to, from, r, e) : s;
}

/* ---- finished */

/* What it copies to may go, whatever the caller is told. */
static void wait_at_least(cuda_memory *m, const rt_transfer *t) {
    if (!cuda_enter_to_free(m)) return;
    m->d->event_wait(t->done);
    cuda_leave(m);
}

bz_status cuda_finish(rt_memory *base, rt_transfer *t, bool wait, bool *done, bz_error *e) {
    cuda_memory *m = (cuda_memory *)base;
    *done = wait;
    bz_status s = cuda_enter(m, e);
    if (s && !wait) return s;
    if (s) {
        wait_at_least(m, t);
    } else {
        const cu_result r = wait ? m->d->event_wait(t->done) : m->d->event_query(t->done);
        if (r && wait) m->d->event_wait(t->done); /* what it copies to may go */
        if (r != CU_NOT_READY)
            s = cuda_check(m, r, wait ? "cuEventSynchronize" : "cuEventQuery", NULL, e);
        *done = wait || !r;
        cuda_leave(m);
    }
    if (!*done) return s;
    if (!s && t->slot) memcpy(t->to, t->slot, t->bytes);
    recycle(m, t);
    return s;
}
