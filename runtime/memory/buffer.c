/* buffer.c - memory of values: reference counted, recycled by size class.
 *
 * Getting memory costs more than most kernels, whatever the device, so a buffer that is given back waits for the next one of its
 * class. Classes are powers of two cut in four. */
#include "runtime/memory/buffer.h"
#include "runtime/base/watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ALIGN = 64 }; /* and the smallest class */
static const size_t idle_most = (size_t)4 << 30;

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

static bool is_lent(const rt_buffer *b) {
    return b->foreign || b->read_only;
}

static void destroy(rt_buffer *b) {
    if (!is_lent(b)) b->memory->f->free(b->memory, b->at, b->room);
    if (b->release) b->release(b->released);
    bz_mem_free(b);
}

void rt_buffer_free(rt_buffer *b) {
    if (b) destroy(b);
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

/* NULL, with an error in e if it is another than that there is no memory. */
static rt_buffer *fresh(bz_context *c, size_t room, bz_error *e) {
    rt_buffer *b = bz_mem_zero(1, sizeof *b);
    if (!b) return NULL;
    b->memory = c->memory;
    b->room = room;
    if (c->memory->f->alloc(c->memory, room, &b->at, e)) {
        bz_mem_free(b);
        return NULL;
    }
    c->pool->made++;
    return b;
}

/* A buffer of the class, from the device; what waits for others, and what programs keep that do not run, goes if need be. */
static rt_buffer *obtain(bz_context *c, size_t room, bz_error *e) {
    rt_buffer *b = fresh(c, room, e);
    if (!b && c->pool->idle_bytes) {
        rt_pool_free(c->pool);
        b = fresh(c, room, e);
    }
    while (!b && !e->status && rt_give_way(c)) b = fresh(c, room, e);
    return b;
}

/* "f32[4096,512] takes"; l NULL: for memory of the caller's */
static const char *shape_takes(char text[static 300], bz_dtype t, const rt_layout *l) {
    if (!l) return "a copy of the caller's memory takes";
    int n = snprintf(text, 300, "%s[", ir_dtypes[t].name);
    for (unsigned i = 0; i < l->rank && n < 270; i++)
        n += snprintf(text + n, 300 - (size_t)n, "%s%" PRId64, i ? "," : "", l->shape[i]);
    snprintf(text + n, 300 - (size_t)n, "%s] takes", n < 270 ? "" : "...");
    return text;
}

static rt_buffer *no_room(const bz_context *c, int64_t bytes, bz_dtype t, const rt_layout *l,
                          bz_error *e) {
    char size[32], what[300], largest[320];
    bz_size_text(size, (double)bytes);
    c->say_largest(c, largest, sizeof largest);
    bz_fail(e, BZ_ENOMEM, "out of memory: %s %s%s", shape_takes(what, t, l), size, largest);
    return NULL;
}

/* May the context have so many bytes, which take `room`? */
static bool is_allowed(bz_context *c, int64_t bytes, size_t room, bz_dtype t, const rt_layout *l,
                       bz_error *e) {
    char what[300];
    const char *takes = shape_takes(what, t, l);
    return !rt_check_room(c->memory, bytes, takes, e) &&
           rt_within_bytes(c, &c->pool->bytes, room, takes, e);
}

static rt_buffer *get(bz_context *c, int64_t bytes, bz_dtype t, const rt_layout *l, bz_error *e) {
    size_t room = 0;
    rt_pool *p = c->pool;
    bool limited = bytes > rt_memory_size(c->memory) || c->limits[BZ_LIMIT_BYTES];
    unsigned k = class_of((size_t)bytes, &room);
    if (limited && !is_allowed(c, bytes, room, t, l, e)) return NULL;
    rt_buffer *b = p->idle[k];
    if (b) {
        p->idle[k] = b->next;
        p->idle_bytes -= room;
    } else {
        bz_error why = {0};
        b = obtain(c, room, &why);
        if (!b && why.status) return bz_fail(e, why.status, "%s", why.text), NULL;
        if (!b) return no_room(c, bytes, t, l, e);
    }
    b->bytes = (size_t)bytes;
    b->refs = 1;
    b->epoch = 0;
    rt_pool_count(p, (int64_t)room);
    return b;
}

rt_buffer *rt_buffer_new(bz_context *c, bz_dtype t, const rt_layout *l) {
    return get(c, rt_layout_bytes(l, t), t, l, &c->err);
}

rt_buffer *rt_buffer_foreign(void *p, size_t bytes, bz_dtype t, const rt_layout *l, int64_t first) {
    rt_buffer *b = bz_mem_zero(1, sizeof *b);
    if (!b) return NULL;
    *b = (rt_buffer){.memory = &rt_host,
                     .at = rt_address_of(p),
                     .bytes = bytes,
                     .refs = 1,
                     .foreign = true,
                     .element = (uint8_t)ir_dtype_bytes(t),
                     .dense = l,
                     .first = first};
    return b;
}

rt_buffer *rt_buffer_lent(rt_memory *m, rt_address at, size_t bytes) {
    rt_buffer *b = bz_mem_zero(1, sizeof *b);
    if (b) *b = (rt_buffer){.memory = m, .at = at, .bytes = bytes, .refs = 1, .read_only = true};
    return b;
}

/* The elements of the caller's that count, as they lie, and where the first one does in either memory. */
static void runs_of(rt_runs *r, const rt_buffer *home, rt_spot *to, rt_spot *from) {
    rt_address before = (rt_address)home->first * home->element;
    if (!home->dense) {
        rt_runs_one(r, home->bytes);
        return;
    }
    rt_runs_of(r, home->dense, home->element, RT_BOTH_STRIDED);
    to->at += before;
    from->at += before;
}

bz_status rt_buffer_write_home(rt_buffer *home, const rt_buffer *b, bz_error *e) {
    rt_runs r;
    rt_spot to = rt_start(home), from = rt_start(b);
    runs_of(&r, home, &to, &from);
    return rt_move(to, from, &r, e);
}

/* What lies between the elements is 0: kernels that copy all of a buffer read it. */
static bz_status read_home(rt_buffer *b, const rt_buffer *home, bz_error *e) {
    rt_runs r;
    rt_spot to = rt_start(b), from = rt_start(home);
    bz_status s = BZ_OK;
    runs_of(&r, home, &to, &from);
    int64_t moved = (int64_t)r.bytes;
    for (unsigned i = 0; i < r.rank; i++) moved *= r.shape[i];
    if (moved != (int64_t)home->bytes) s = b->memory->f->zero(b->memory, b->at, b->bytes, e);
    return s ? s : rt_move(to, from, &r, e);
}

rt_buffer *rt_buffer_fetch(bz_context *c, const rt_buffer *b, bz_error *e) {
    rt_buffer *own = get(c, (int64_t)b->bytes, BZ_U8, NULL, e);
    if (!own || !read_home(own, b, e)) return own;
    rt_buffer_unref(c, own);
    return NULL;
}

rt_buffer *rt_buffer_alias(bz_context *c, rt_buffer *b) {
    rt_buffer *a = c->pool->aliases;
    if (a)
        c->pool->aliases = a->next;
    else if (!(a = bz_mem_alloc(sizeof *a)))
        return rt_no_memory(c), NULL;
    rt_buffer *owner = b->owner ? b->owner : b;
    *a = (rt_buffer){.memory = b->memory,
                     .at = b->at,
                     .bytes = b->bytes,
                     .refs = 1,
                     .owner = rt_buffer_ref(owner)};
    return a;
}

void rt_buffer_unref(bz_context *c, rt_buffer *b) {
    if (!b || --b->refs > 0) return;
    if (b->owner) {
        rt_buffer_unref(c, b->owner);
        b->next = c->pool->aliases;
        c->pool->aliases = b;
        return;
    }
    if (is_lent(b)) {
        destroy(b);
        return;
    }
    size_t room;
    unsigned k = class_of(b->room, &room);
    rt_pool_count(c->pool, -(int64_t)b->room);
    if (c->pool->idle_bytes + b->room > idle_most || b->memory != c->memory) { /* lost: a reset */
        destroy(b);
        return;
    }
    b->next = c->pool->idle[k];
    c->pool->idle[k] = b;
    c->pool->idle_bytes += b->room;
}
