/* buffer.c - memory of values: reference counted, recycled by size class, every page touched before first use.
 *
 * A page's first touch costs more than most kernels, so a buffer that is given back waits for the next one of its class. Classes
 * are powers of two cut in four. */
#include "runtime/rt.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGN = 64, PAGE = 4096, HUGE = 2 << 20 };
static const size_t idle_most = (size_t)4 << 30;

void *rt_pages_new(size_t bytes, bool *mapped) {
    *mapped = bytes >= HUGE;
    if (bytes > (size_t)rt_memory_most()) return NULL;
    if (!*mapped) {
        /* the block's start is kept just before the aligned address */
        char *block = bz_mem_alloc(bytes + ALIGN + sizeof(void *));
        if (!block) return NULL;
        char *p =
            (char *)(((uintptr_t)block + sizeof(void *) + ALIGN - 1) & ~(uintptr_t)(ALIGN - 1));
        memcpy(p - sizeof(void *), &block, sizeof block);
        for (size_t i = 0; i < bytes; i += PAGE) *(volatile char *)(p + i) = 0;
        return p;
    }
    void *hook = bz_mem_alloc(1); /* the tests' failing allocation counts here too */
    bz_mem_free(hook);
    if (!hook) return NULL;
    char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return NULL;
    madvise(p, bytes, MADV_HUGEPAGE);
    for (size_t i = 0; i < bytes; i += PAGE) *(volatile char *)(p + i) = 0;
    return p;
}

void rt_pages_free(void *p, size_t bytes, bool mapped) {
    if (!p) return;
    if (mapped) {
        munmap(p, bytes);
        return;
    }
    void *block;
    memcpy(&block, (char *)p - sizeof(void *), sizeof block);
    bz_mem_free(block);
}

/* The smallest class that holds `bytes`, and its size: 64 * 2^k * (4 + q) / 4. */
static unsigned class_of(size_t bytes, size_t *room) {
    unsigned k = 0, q = 0;
    size_t units = (bytes + ALIGN - 1) / ALIGN;
    if (units < 4) {
        *room = (units ? units : 1) * ALIGN;
        return (unsigned)(units ? units - 1 : 0);
    }
    while (units >> (k + 1)) k++; /* 2^k <= units, k >= 2 */
    size_t step = (size_t)1 << (k - 2);
    q = (unsigned)((units - ((size_t)1 << k) + step - 1) / step); /* 0 .. 4 */
    *room = (((size_t)1 << k) + q * step) * ALIGN;
    return 3 + (k - 2) * 4 + q;
}

void rt_pool_count(rt_pool *p, int64_t bytes) {
    p->bytes += (size_t)bytes;
    if (p->bytes > p->peak) p->peak = p->bytes;
}

static void destroy(rt_buffer *b) {
    if (!b->foreign) rt_pages_free(b->p, b->room, b->mapped);
    bz_mem_free(b);
}

void rt_pool_free(rt_pool *p) {
    for (unsigned i = 0; i < RT_POOL_CLASSES; i++) {
        while (p->idle[i]) {
            rt_buffer *b = p->idle[i];
            p->idle[i] = b->next;
            destroy(b);
        }
    }
    p->idle_bytes = 0;
    while (p->aliases) {
        rt_buffer *b = p->aliases;
        p->aliases = b->next;
        bz_mem_free(b);
    }
}

static rt_buffer *fresh(bz_context *c, size_t room) {
    rt_buffer *b = bz_mem_zero(1, sizeof *b);
    if (!b) return NULL;
    b->p = rt_pages_new(room, &b->mapped);
    b->room = room;
    if (!b->p) {
        bz_mem_free(b);
        return NULL;
    }
    c->pool.made++;
    return b;
}

static rt_buffer *no_room(bz_context *c, int64_t bytes, const char *what) {
    char size[32];
    bz_size_text(size, (double)bytes);
    bz_fail(&c->err, BZ_ENOMEM, "out of memory: %s %s", what, size);
    return NULL;
}

/* A buffer of the class, from the system; what waits for others, and what programs keep that do not run, goes if need be. */
static rt_buffer *fetch(bz_context *c, size_t room) {
    rt_buffer *b = fresh(c, room);
    if (!b && c->pool.idle_bytes) {
        rt_pool_free(&c->pool);
        b = fresh(c, room);
    }
    while (!b && rt_plans_give_way(c)) b = fresh(c, room);
    return b;
}

/* "f32[4096,512] takes" */
static const char *shape_takes(char text[static 300], bz_dtype t, const rt_layout *l) {
    int n = snprintf(text, 300, "%s[", ir_dtypes[t].name);
    for (unsigned i = 0; i < l->rank && n < 270; i++)
        n += snprintf(text + n, 300 - (size_t)n, "%s%" PRId64, i ? "," : "", l->shape[i]);
    snprintf(text + n, 300 - (size_t)n, "%s] takes", n < 270 ? "" : "...");
    return text;
}

rt_buffer *rt_buffer_new(bz_context *c, bz_dtype t, const rt_layout *l) {
    size_t room = 0;
    char what[300];
    rt_pool *p = &c->pool;
    int64_t bytes = rt_layout_bytes(l, t);
    bool limited = bytes > rt_memory_most() || c->limits[BZ_LIMIT_BYTES];
    if (limited && rt_check_room(bytes, shape_takes(what, t, l), &c->err)) return NULL;
    unsigned k = class_of((size_t)bytes, &room);
    if (limited && !rt_within_bytes(c, room, what, &c->err)) return NULL;
    rt_buffer *b = p->idle[k];
    if (b) {
        p->idle[k] = b->next;
        p->idle_bytes -= room;
    } else {
        b = fetch(c, room);
        if (!b) return no_room(c, bytes, shape_takes(what, t, l));
    }
    b->bytes = (size_t)bytes;
    b->refs = 1;
    b->epoch = 0;
    rt_pool_count(p, (int64_t)room);
    return b;
}

rt_buffer *rt_buffer_foreign(void *p, size_t bytes) {
    rt_buffer *b = bz_mem_zero(1, sizeof *b);
    if (b) *b = (rt_buffer){.p = p, .bytes = bytes, .refs = 1, .foreign = true};
    return b;
}

rt_buffer *rt_buffer_alias(bz_context *c, rt_buffer *b) {
    rt_buffer *a = c->pool.aliases;
    if (a)
        c->pool.aliases = a->next;
    else if (!(a = bz_mem_alloc(sizeof *a)))
        return rt_no_memory(c), NULL;
    rt_buffer *owner = b->owner ? b->owner : b;
    *a = (rt_buffer){.p = b->p, .bytes = b->bytes, .refs = 1, .owner = rt_buffer_ref(owner)};
    return a;
}

void rt_buffer_unref(bz_context *c, rt_buffer *b) {
    if (!b || --b->refs > 0) return;
    if (b->owner) {
        rt_buffer_unref(c, b->owner);
        b->next = c->pool.aliases;
        c->pool.aliases = b;
        return;
    }
    if (b->foreign) {
        destroy(b);
        return;
    }
    size_t room;
    unsigned k = class_of(b->room, &room);
    rt_pool_count(&c->pool, -(int64_t)b->room);
    if (c->pool.idle_bytes + b->room > idle_most) {
        destroy(b);
        return;
    }
    b->next = c->pool.idle[k];
    c->pool.idle[k] = b;
    c->pool.idle_bytes += b->room;
}
