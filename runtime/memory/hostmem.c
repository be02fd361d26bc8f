/* hostmem.c - the host's memory as that of a device: addresses are pointers, every call is done when it returns.
 *
 * Every page is touched when it is got: a first touch costs more than most kernels. */
#include "runtime/memory/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGN = 64, PAGE = 4096, HUGE = 2 << 20 };

/* ---- pages */

static void touch(char *p, size_t bytes) {
    for (size_t i = 0; i < bytes; i += PAGE) *(volatile char *)(p + i) = 0;
}

/* Less than HUGE: from the allocator; the block's start is kept just before the aligned address. */
static void *new_block(size_t bytes) {
    char *block = bz_mem_alloc(bytes + ALIGN + sizeof(void *));
    if (!block) return NULL;
    char *p = (char *)(((uintptr_t)block + sizeof(void *) + ALIGN - 1) & ~(uintptr_t)(ALIGN - 1));
    memcpy(p - sizeof(void *), &block, sizeof block);
    return p;
}

static void *new_mapping(size_t bytes) {
    void *hook = bz_mem_alloc(1); /* the tests' failing allocation counts here too */
    bz_mem_free(hook);
    if (!hook) return NULL;
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return NULL;
    madvise(p, bytes, MADV_HUGEPAGE);
    return p;
}

void *rt_pages_new(size_t bytes) {
    if (bytes > (size_t)rt_memory_most()) return NULL;
    char *p = bytes < HUGE ? new_block(bytes) : new_mapping(bytes);
    if (p) touch(p, bytes);
    return p;
}

void rt_pages_free(void *p, size_t bytes) {
    void *block;
    if (!p) return;
    if (bytes >= HUGE) {
        munmap(p, bytes);
        return;
    }
    memcpy(&block, (char *)p - sizeof(void *), sizeof block);
    bz_mem_free(block);
}

/* ---- runs */

/* n runs; the usual sizes of elements are no calls of memcpy. */
static void copy_axis(char *to, int64_t to_step, const char *from, int64_t from_step, int64_t n,
                      size_t bytes) {
#define EACH(size)                                                                                 \
    for (int64_t i = 0; i < n; i++) memcpy(to + i * to_step, from + i * from_step, size)
    switch (bytes) {
    case 1: EACH(1); break;
    case 2: EACH(2); break;
    case 4: EACH(4); break;
    case 8: EACH(8); break;
    default: EACH(bytes);
    }
#undef EACH
}

/* The last two axes, of which the outer one steps less far through `from`: in tiles, so that a line that was read is used up. */
static void copy_turned(char *to, const char *from, const rt_runs *b) {
    enum { TILE = 16 };
    const unsigned out = b->rank - 2, in = b->rank - 1;
    for (int64_t j = 0; j < b->shape[in]; j += TILE) {
        int64_t n = b->shape[in] - j < TILE ? b->shape[in] - j : TILE;
        for (int64_t i = 0; i < b->shape[out]; i++)
            copy_axis(to + i * b->to[out] + j * b->to[in], b->to[in],
                      from + i * b->from[out] + j * b->from[in], b->from[in], n, b->bytes);
    }
}

/* Calls itself per axis. */
static void copy_runs(char *to, const char *from, const rt_runs *b, unsigned axis) {
    if (axis + 1 == b->rank) {
        copy_axis(to, b->to[axis], from, b->from[axis], b->shape[axis], b->bytes);
        return;
    }
    if (axis + 2 == b->rank && llabs(b->from[axis]) < llabs(b->from[axis + 1])) {
        copy_turned(to, from, b);
        return;
    }
    for (int64_t i = 0; i < b->shape[axis]; i++)
        copy_runs(to + i * b->to[axis], from + i * b->from[axis], b, axis + 1);
}

void rt_host_copy(char *to, const char *from, const rt_runs *r) {
    if (r->rank)
        copy_runs(to, from, r, 0);
    else
        memcpy(to, from, r->bytes);
}

/* ---- the functions */

static void stay(rt_memory *m) {
    (void)m;
}

static bz_status alloc(rt_memory *m, size_t bytes, rt_address *at, bz_error *e) {
    (void)m, (void)e;
    *at = rt_address_of(rt_pages_new(bytes));
    return *at ? BZ_OK : BZ_ENOMEM;
}

static void give_back(rt_memory *m, rt_address at, size_t bytes) {
    (void)m;
    rt_pages_free(rt_pointer(at), bytes);
}

static bz_status copy_in(rt_memory *m, rt_address to, const void *from, const rt_runs *r,
                         bz_error *e) {
    (void)m, (void)e;
    rt_host_copy(rt_pointer(to), from, r);
    return BZ_OK;
}

static bz_status copy_out(rt_memory *m, void *to, rt_address from, const rt_runs *r, bz_error *e) {
    return copy_in(m, rt_address_of(to), rt_pointer(from), r, e);
}

static bz_status copy(rt_memory *m, rt_address to, rt_address from, const rt_runs *r, bz_error *e) {
    return copy_in(m, to, rt_pointer(from), r, e);
}

static bz_status zero(rt_memory *m, rt_address at, size_t bytes, bz_error *e) {
    (void)m, (void)e;
    memset(rt_pointer(at), 0, bytes);
    return BZ_OK;
}

static bz_status synchronise(rt_memory *m, bz_error *e) {
    (void)m, (void)e;
    return BZ_OK;
}

static const rt_memory_functions functions = {
    .close = stay,
    .alloc = alloc,
    .free = give_back,
    .copy_in = copy_in,
    .copy_out = copy_out,
    .copy = copy,
    .zero = zero,
    .synchronise = synchronise,
};

rt_memory rt_host = {.f = &functions};

rt_memory *rt_host_open(int number, bz_error *e) {
    if (number == 0) return &rt_host;
    bz_fail(e, BZ_EDEVICE, "[open] there is one device of this kind, and it is no %d", number);
    return NULL;
}
