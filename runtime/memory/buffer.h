/* buffer.h - memory of values, reference counted, recycled by size */
#ifndef RT_BUFFER_H
#define RT_BUFFER_H

#include "runtime/memory/layout.h"
#include "runtime/memory/memory.h"

typedef struct rt_buffer {
    rt_memory *memory;
    rt_address at;
    size_t bytes, room; /* asked for; what the recycler counts */
    uint32_t refs;
    bool foreign;            /* the caller's memory, and the host's */
    struct rt_buffer *owner; /* whose memory it is (one reference); NULL: its own */
    /* foreign: its elements that count, from number `first` on; NULL: all */
    const rt_layout *dense;
    int64_t first;
    uint8_t element; /* foreign: bytes of one */
    bool read_only;  /* nothing is written there */
    void (*release)(void *); /* others' memory: called with `released` when it is read no more; NULL: nobody waits */
    void *released;
    /* the input that stands for it in the epoch with this number */
    uint64_t epoch;
    ir_ref input;
    const rt_layout *layout;
    bz_dtype dtype;
    uint64_t call;          /* the last call of a compiled program that got it */
    struct rt_buffer *next; /* in the recycler */
} rt_buffer;
enum { RT_POOL_CLASSES = 256 };
typedef struct rt_pool {
    rt_buffer *idle[RT_POOL_CLASSES], *aliases;
    size_t idle_bytes;
    uint64_t made;
    size_t bytes, peak; /* in use */
} rt_pool;

/* For a tensor. One reference, content undefined; NULL and BZ_ENOMEM or BZ_ELIMIT in the context, with shape and size. */
rt_buffer *rt_buffer_new(bz_context *c, bz_dtype t, const rt_layout *l);
/* The caller's elements at l from number `first` on. NULL: no memory. */
rt_buffer *rt_buffer_foreign(void *p, size_t bytes, bz_dtype t, const rt_layout *l, int64_t first);
/* Memory of a device that is somebody else's, and read only. NULL: no memory. */
rt_buffer *rt_buffer_lent(rt_memory *m, rt_address at, size_t bytes);
void rt_buffer_free(rt_buffer *b); /* without a context: what nobody else has; NULL is fine */
/* The caller's elements get those of b, which lie in the same way; what is between them stays. */
bz_status rt_buffer_write_home(rt_buffer *home, const rt_buffer *b, bz_error *e);
/* A copy of the caller's elements in the context's memory. One reference; NULL and the error in e. */
rt_buffer *rt_buffer_fetch(bz_context *c, const rt_buffer *home, bz_error *e);
/* Another buffer in the memory of b: equal values of two tensors, which stay two variables. Only buffers without one are donated. */
rt_buffer *rt_buffer_alias(bz_context *c, rt_buffer *b);
static inline rt_buffer *rt_buffer_ref(rt_buffer *b) {
    return b->refs++, b;
}
/* Where element `i` of it lies. */
static inline rt_spot rt_element(const rt_buffer *b, bz_dtype t, int64_t i) {
    return (rt_spot){b->memory, b->at + (rt_address)i * ir_dtype_bytes(t)};
}
static inline rt_spot rt_start(const rt_buffer *b) {
    return (rt_spot){b->memory, b->at};
}
void rt_buffer_unref(bz_context *c, rt_buffer *b); /* NULL is fine */
void rt_pool_free(rt_pool *p);
void rt_pool_count(rt_pool *p, int64_t bytes); /* arenas, too, count as memory in use */

#endif
