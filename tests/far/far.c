/* far.c - two devices whose memory is far: what the host reads there by a pointer is a crash, as on a GPU. On `far` the interpreter
 * runs, on `kernels` the CPU's code.
 *
 *      address of the device = the bytes' own + FAR, where nothing can be mapped; only the functions here take FAR away
 *
 * Whatever is copied must lie in one piece of memory that was got and not given back; new and old memory is full of rubbish, so what
 * is read before it is written is not the zero that would do. docs/extending.md adds this folder to the library as a target. */
#include "tests/far/far.h"

#include <string.h>

#define FAR (UINT64_C(1) << 52) /* beyond what a process can map on x86-64 and ARM */
enum { NEW = 0xA5, OLD = 0x5A };

typedef struct piece {
    rt_address at;
    size_t bytes;
} piece;
/* One for each context. */
typedef struct far_memory {
    rt_memory base;
    BZ_VEC(piece) pieces;
} far_memory;

/* ---- addresses */

static uint32_t find(const far_memory *m, rt_address at) {
    uint32_t i = 0;
    while (i < m->pieces.n && at - m->pieces.p[i].at >= m->pieces.p[i].bytes) i++;
    return i;
}

/* Where the bytes really are, [lo, hi) of them from `at` on. */
static char *real(rt_memory *base, rt_address at, int64_t lo, int64_t hi) {
    far_memory *m = (far_memory *)base;
    uint32_t i = find(m, at + (rt_address)lo);
    if (i == m->pieces.n || at + (rt_address)hi > m->pieces.p[i].at + m->pieces.p[i].bytes)
        bz_bug("far: bytes %lld to %lld at %llx are not in one piece of memory", (long long)lo,
               (long long)hi, (unsigned long long)at);
    return rt_pointer(at - FAR);
}

/* The same for runs with these steps. */
static char *real_runs(rt_memory *m, rt_address at, const rt_runs *r, const int64_t *steps) {
    int64_t lo = 0, hi = (int64_t)r->bytes;
    for (unsigned i = 0; i < r->rank; i++) {
        int64_t far = (r->shape[i] - 1) * steps[i];
        *(far < 0 ? &lo : &hi) += far;
    }
    return real(m, at, lo, hi);
}

/* ---- functions */

int far_calls = -1;

static bool is_lost(bz_error *e) {
    if (far_calls < 0 || far_calls-- > 0) return false;
    far_calls = 0;
    bz_fail(e, BZ_EDEVICE, "far: the device is lost");
    return true;
}

static bz_status far_alloc(rt_memory *base, size_t bytes, rt_address *at, bz_error *e) {
    far_memory *m = (far_memory *)base;
    if (is_lost(e)) return BZ_EDEVICE;
    if (!bz_vec_reserve(&m->pieces, 1)) return BZ_ENOMEM;
    void *p = rt_pages_new(bytes);
    if (!p) return BZ_ENOMEM;
    memset(p, NEW, bytes);
    *at = rt_address_of(p) + FAR;
    bz_vec_push(&m->pieces, ((piece){*at, bytes}));
    return BZ_OK;
}

static void far_free(rt_memory *base, rt_address at, size_t bytes) {
    far_memory *m = (far_memory *)base;
    void *p = real(base, at, 0, (int64_t)bytes);
    uint32_t i = find(m, at);
    if (m->pieces.p[i].at != at || m->pieces.p[i].bytes != bytes)
        bz_bug("far: a part of a piece of memory is given back");
    m->pieces.p[i] = m->pieces.p[--m->pieces.n];
    memset(p, OLD, bytes);
    rt_pages_free(p, bytes);
}

static void far_close(rt_memory *base) {
    far_memory *m = (far_memory *)base;
    if (m->pieces.n) bz_bug("far: %u pieces of memory were not given back", m->pieces.n);
    bz_vec_free(&m->pieces);
    bz_mem_free(m);
}

static bz_status far_copy_in(rt_memory *m, rt_address to, const void *from, const rt_runs *r,
                             bz_error *e) {
    if (is_lost(e)) return BZ_EDEVICE;
    rt_host_copy(real_runs(m, to, r, r->to), from, r);
    return BZ_OK;
}

static bz_status far_copy_out(rt_memory *m, void *to, rt_address from, const rt_runs *r,
                              bz_error *e) {
    if (is_lost(e)) return BZ_EDEVICE;
    rt_host_copy(to, real_runs(m, from, r, r->from), r);
    return BZ_OK;
}

static bz_status far_copy(rt_memory *m, rt_address to, rt_address from, const rt_runs *r,
                          bz_error *e) {
    return far_copy_in(m, to, real_runs(m, from, r, r->from), r, e);
}

static bz_status far_copy_peer(rt_memory *m, rt_address to, rt_memory *other, rt_address from,
                               size_t bytes, bz_error *e) {
    if (is_lost(e)) return BZ_EDEVICE;
    memcpy(real(m, to, 0, (int64_t)bytes), real(other, from, 0, (int64_t)bytes), bytes);
    return BZ_OK;
}

static bz_status far_zero(rt_memory *m, rt_address at, size_t bytes, bz_error *e) {
    if (is_lost(e)) return BZ_EDEVICE;
    memset(real(m, at, 0, (int64_t)bytes), 0, bytes);
    return BZ_OK;
}

static bz_status far_synchronise(rt_memory *m, bz_error *e) {
    (void)m;
    return is_lost(e) ? BZ_EDEVICE : BZ_OK;
}

static const rt_memory_functions functions = {
    .close = far_close,
    .alloc = far_alloc,
    .free = far_free,
    .copy_in = far_copy_in,
    .copy_out = far_copy_out,
    .copy = far_copy,
    .copy_peer = far_copy_peer,
    .zero = far_zero,
    .synchronise = far_synchronise,
};

static rt_memory *far_open(int number, bz_error *e) {
    (void)number;
    far_memory *m = bz_mem_zero(1, sizeof *m);
    if (!m) return bz_fail(e, BZ_ENOMEM, "out of memory"), NULL;
    m->base.f = &functions;
    return &m->base;
}

const rt_device rt_far = {
    .controls = true, .open = far_open, .compile = rt_ref_compile, .run = rt_ref_run, .free = rt_ref_free};

/* ---- the CPU's kernels: they get the bytes' own addresses */

static rt_buffer **near(rt_buffer *const *far, uint32_t n, rt_buffer *room) {
    rt_buffer **list = bz_mem_zero(n + 1, sizeof(rt_buffer *));
    for (uint32_t i = 0; i < n && list; i++) {
        if (!far[i]) continue;
        room[i] = *far[i];
        room[i].at -= FAR;
        room[i].memory = &rt_host;
        list[i] = &room[i];
    }
    return list;
}

static bz_status kernels_run(bz_context *c, rt_program *p, const rt_call *call, bz_error *e) {
    if (is_lost(e)) return BZ_EDEVICE;
    rt_buffer *room = bz_mem_zero(p->ninputs + p->noutputs + 1, sizeof *room);
    rt_buffer **in = room ? near(call->in, p->ninputs, room) : NULL,
              **out = in ? near(call->out, p->noutputs, room + p->ninputs) : NULL;
    bz_status s = out ? rt_cpu.run(c, p, &(rt_call){in, call->bits, out, call->values}, e)
                      : bz_fail(e, BZ_ENOMEM, "out of memory");
    bz_mem_free(in);
    bz_mem_free(out);
    bz_mem_free(room);
    return s;
}

static rt_program *kernels_compile(bz_context *c, const ir_graph *g, unsigned how, bz_error *e) {
    rt_program *p = rt_cpu.compile(c, g, how, e);
    if (p) p->device = &rt_far_kernels;
    return p;
}

static void kernels_free(bz_context *c, rt_program *p) {
    rt_cpu.free(c, p);
}

static const pass_plan *kernels_plan(const rt_program *p) {
    return rt_cpu.plan(p);
}

static bz_rt_time kernels_time(const rt_program *p, uint32_t launch) {
    return rt_cpu.time(p, launch);
}

const rt_device rt_far_kernels = {.computes = true,
                                  .open = far_open,
                                  .compile = kernels_compile,
                                  .run = kernels_run,
                                  .free = kernels_free,
                                  .plan = kernels_plan,
                                  .time = kernels_time};
