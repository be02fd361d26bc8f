/* memory.h - the memory of devices, and the only functions that reach what lies in it.
 *
 *      rt_buffer ---> rt_memory ---> functions of the device: the host's own (hostmem.c), a driver's, a test's (tests/far)
 *          \-> address: a number. The device's own files and its kernels make a pointer of it, nobody else
 *
 * Everything else asks memory.c: rt_look for bytes that the host may read, rt_move for copies from anywhere to anywhere. Where the
 * device's memory is the host's, looking hands out a pointer and copies nothing. */
#ifndef BRAZE_MEMORY_H
#define BRAZE_MEMORY_H

#include <string.h>

#include "src/ir/ir.h"

typedef uint64_t rt_address; /* bytes may be added; 0: none */

/* What a copy moves: runs of `bytes` bytes along `rank` axes, so many bytes apart on either side. rank 0: one run. Axes of one
 * element are left out, and neighbours that are one axis on both sides are one. */
typedef struct rt_runs {
    size_t bytes;
    unsigned rank;
    int64_t shape[IR_MAX_RANK], to[IR_MAX_RANK], from[IR_MAX_RANK];
} rt_runs;

typedef struct rt_memory rt_memory;
typedef struct rt_transfer rt_transfer; /* a copy under way; the device's own */

/* Order: what is asked of one memory, and the programs that run in it, take effect as if in the order of the calls, so memory may be
 * given back, and be got again, while work on it is under way. A call may return before it is done, except where it says otherwise.
 * Errors: BZ_ENOMEM, or what the device's environment says, with words in e; e may also tell of earlier work that failed.
 * Threads: one at a time, that of the context; copy_peer: that of both. */
typedef struct rt_memory_functions {
    /* The memory's last call: waits for what is under way. Everything in it was freed. */
    void (*close)(rt_memory *m);
    /* The device begins anew: what lies there, in other memories too, is lost. From now on each call on these is an error that says so, or, of what
     * gives something back, does nothing. *fresh: in m's place. NULL: nothing is ever lost here. */
    bz_status (*reset)(rt_memory *m, rt_memory **fresh, bz_error *e);
    /* bytes > 0, aligned to 64, content undefined; the caller's to free. BZ_ENOMEM without words: the caller tries again with less in
     * use, and knows for what it was. */
    bz_status (*alloc)(rt_memory *m, size_t bytes, rt_address *at, bz_error *e);
    void (*free)(rt_memory *m, rt_address at, size_t bytes);
    /* From the host's memory: `from` has been read when it returns. */
    bz_status (*copy_in)(rt_memory *m, rt_address to, const void *from, const rt_runs *r,
                         bz_error *e);
    /* To the host's memory: the bytes are there when it returns. */
    bz_status (*copy_out)(rt_memory *m, void *to, rt_address from, const rt_runs *r, bz_error *e);
    /* Within; what is read and what is written have no byte in common. */
    bz_status (*copy)(rt_memory *m, rt_address to, rt_address from, const rt_runs *r, bz_error *e);
    /* From another memory with these functions (another device of the kind), one run of bytes; NULL: there is no such way. Before
     * what is asked of either memory later. */
    bz_status (*copy_peer)(rt_memory *m, rt_address to, rt_memory *other, rt_address from,
                           size_t bytes, bz_error *e);
    bz_status (*zero)(rt_memory *m, rt_address at, size_t bytes, bz_error *e);
    /* Waits until everything that was asked for, programs too, is done. */
    bz_status (*synchronise)(rt_memory *m, bz_error *e);
    /* What follows is there as a whole or not at all (NULL). Memory of the host that the device copies from and to by itself; NULL: as
     * alloc. Nothing is copied from or to it any more when it is given back. */
    void *(*pin)(rt_memory *m, size_t bytes, bz_error *e);
    void (*unpin)(rt_memory *m, void *p);
    /* As copy_in of one run and copy_out to one, in the same order with everything else, but beside what is computed: from and to may not be
     * touched before it is over. `from` is pinned; where `to` is not, it may be done at once. *t is the caller's to finish; NULL: it is
     * over. */
    bz_status (*start_in)(rt_memory *m, rt_address to, const void *from, size_t bytes,
                          rt_transfer **t, bz_error *e);
    bz_status (*start_out)(rt_memory *m, void *to, rt_address from, const rt_runs *r, bool pinned,
                           rt_transfer **t, bz_error *e);
    /* Is it over? `wait`: until it is. *done: it is, and t is gone; always after a wait. An error without is told again by the next one. */
    bz_status (*finish)(rt_memory *m, rt_transfer *t, bool wait, bool *done, bz_error *e);
} rt_memory_functions;

struct rt_memory { /* the start of a device's own struct */
    const rt_memory_functions *f;
    int64_t most; /* bytes that there are at all; 0: what this process can have */
    rt_memory *before; /* that was the context's until a reset */
};

/* ---- hostmem.c: addresses are pointers of this process. One for all contexts, never closed */
extern rt_memory rt_host;
/* What devices with the host's memory have (rt_device.open), of which there is one. */
rt_memory *rt_host_open(int number, bz_error *e);
static inline void *rt_pointer(rt_address at) { /* of the host's memory */
    return (void *)(uintptr_t)at;
}
static inline rt_address rt_address_of(const void *p) {
    return (uintptr_t)p;
}
void rt_host_copy(char *to, const char *from, const rt_runs *r);
void *rt_pages_new(size_t bytes);          /* 64-byte aligned, touched; huge pages where they pay */
void rt_pages_free(void *p, size_t bytes); /* NULL is fine */

/* ---- room.c */
int64_t rt_memory_most(void); /* bytes that this process can have at all */
static inline int64_t rt_memory_size(const rt_memory *m) {
    return m->most ? m->most : rt_memory_most();
}
/* BZ_ENOMEM and words with the size when `bytes` are more: `what` says whose, as "the tensor takes". */
bz_status rt_check_room(const rt_memory *m, int64_t bytes, const char *what, bz_error *e);
#define RT_RESULTS_TAKE "results and temporaries take"

/* ---- memory.c */
typedef struct rt_spot {
    rt_memory *memory;
    rt_address at;
} rt_spot;
static inline rt_spot rt_host_spot(const void *p) {
    return (rt_spot){&rt_host, rt_address_of(p)};
}

struct rt_layout;
/* Elements of l, `element` bytes each, that lie row-major on the side without strides. */
typedef enum rt_sides { RT_PACKED_TO, RT_PACKED_FROM, RT_BOTH_STRIDED } rt_sides;
void rt_runs_of(rt_runs *b, const struct rt_layout *l, size_t element, rt_sides sides);
static inline void rt_runs_one(rt_runs *b, size_t bytes) {
    b->bytes = bytes;
    b->rank = 0;
}
/* From anywhere to anywhere; what is read has been read, and what is the host's is written when it returns. Between the memories of two
 * devices one run alone. Runs of no bytes move nothing. */
bz_status rt_move(rt_spot to, rt_spot from, const rt_runs *r, bz_error *e);
__attribute__((cold)) bz_status rt_move_run(rt_spot to, rt_spot from, size_t bytes, bz_error *e);
static inline bz_status rt_move_bytes(rt_spot to, rt_spot from, size_t bytes, bz_error *e) {
    if (to.memory != &rt_host || from.memory != &rt_host) return rt_move_run(to, from, bytes, e);
    if (bytes) memcpy(rt_pointer(to.at), rt_pointer(from.at), bytes);
    return BZ_OK;
}
/* The elements that l has from the first one at `from` on, row-major. */
bz_status rt_pack(rt_spot to, rt_spot from, const struct rt_layout *l, size_t element, bz_error *e);

/* Bytes that the host may read: those of a place, or a copy. */
typedef struct rt_bytes {
    const void *p;
    void *own; /* bz_mem_free; NULL: they lie there */
} rt_bytes;
/* BZ_ENOMEM for a copy. While they are looked at nobody writes there. */
bz_status rt_look(rt_spot at, size_t bytes, rt_bytes *out, bz_error *e);
static inline void rt_look_away(rt_bytes *b) {
    bz_mem_free(b->own);
    *b = (rt_bytes){0};
}
/* The element there. */
__attribute__((cold)) bz_status rt_load_far(rt_spot at, bz_dtype t, ir_bits *bits, bz_error *e);
static inline bz_status rt_load(rt_spot at, bz_dtype t, ir_bits *bits, bz_error *e) {
    if (at.memory != &rt_host) return rt_load_far(at, t, bits, e);
    *bits = ir_load_bits(t, rt_pointer(at.at));
    return BZ_OK;
}
bz_status rt_store(rt_spot at, bz_dtype t, ir_bits bits, bz_error *e);

#endif
