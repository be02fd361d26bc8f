/* tensor.c - handles, and the lists that scopes have of them.
 *
 *     handle: | generation 24 | context 12 | slot 28 |        generation 0xffffff: the context's poison
 *
 * A slot's generation goes up when it is freed, so a stale handle is known for what it is. Slots and storages come from chunks that
 * are never given back before the context closes: recording allocates nothing once a loop is steady. */
#include "runtime/value/tensor.h"

#include <stdatomic.h>
#include <string.h>

enum { POISON = (1 << RT_GEN_BITS) - 1 };

static bz_tensor *encode(uint32_t gen, uint32_t context, uint32_t slot) {
    uintptr_t bits = (uintptr_t)gen << (RT_CONTEXT_BITS + RT_SLOT_BITS) |
                     (uintptr_t)context << RT_SLOT_BITS | slot;
    return (bz_tensor *)bits;
}

static rt_tensor *at(bz_context *c, uint32_t slot) {
    return &c->slab->chunks.p[slot / RT_CHUNK][slot % RT_CHUNK];
}

bool rt_is_poison(const bz_tensor *h) {
    return (uintptr_t)h >> (RT_CONTEXT_BITS + RT_SLOT_BITS) == POISON;
}

bz_tensor *rt_poison(bz_context *c) {
    return encode(POISON, c->number, 0);
}

rt_tensor *rt_find_quietly(const bz_tensor *h, bz_context **c) {
    uintptr_t bits = (uintptr_t)h;
    uint32_t slot = bits & ((1u << RT_SLOT_BITS) - 1);
    uint32_t gen = (uint32_t)(bits >> (RT_CONTEXT_BITS + RT_SLOT_BITS));
    *c = h ? rt_context_at((uint32_t)(bits >> RT_SLOT_BITS) & ((1u << RT_CONTEXT_BITS) - 1)) : NULL;
    if (!*c || gen == POISON || slot == 0 || slot > (*c)->slab->used) return NULL;
    rt_tensor *t = at(*c, slot);
    return t->gen == gen && t->scope ? t : NULL;
}

rt_tensor *rt_find(const bz_tensor *h, bz_context **c, const char *op) {
    rt_tensor *t = rt_find_quietly(h, c);
    if (!t && *c)
        bz_fail(&(*c)->err, BZ_ESCOPE, "[%s] %s", op,
                rt_is_poison(h)
                    ? "the tensor was never made: an op failed (its message was cleared)"
                    : RT_STALE);
    return t;
}

/* ---- lists of scopes */

static uint32_t slot_of(bz_context *c, const rt_tensor *t) {
    if (t->prev) return at(c, t->prev)->next;
    return c->slab->scopes.p[t->scope - 1];
}

/* Puts t, which stands in no list, first in that of the scope at `depth`. Its slot is in t->next. */
void rt_scope_link(bz_context *c, rt_tensor *t, uint32_t depth) {
    uint32_t slot = t->next, first = c->slab->scopes.p[depth];
    t->scope = depth + 1;
    t->prev = 0;
    t->next = first;
    if (first) at(c, first)->prev = slot;
    c->slab->scopes.p[depth] = slot;
}

/* Takes t out of its list; its slot is in t->next then. */
void rt_scope_unlink(bz_context *c, rt_tensor *t) {
    uint32_t slot = slot_of(c, t);
    if (t->next) at(c, t->next)->prev = t->prev;
    if (t->prev)
        at(c, t->prev)->next = t->next;
    else
        c->slab->scopes.p[t->scope - 1] = t->next;
    t->next = slot;
}

/* ---- slots */

static bool new_chunk(bz_context *c) {
    static _Atomic uint32_t salt;
    rt_slab *s = c->slab;
    rt_tensor *chunk = bz_mem_zero(RT_CHUNK, sizeof *chunk);
    if (!chunk || !bz_vec_push(&s->chunks, chunk)) {
        bz_mem_free(chunk);
        return false;
    }
    uint32_t first = (s->chunks.n - 1) * RT_CHUNK,
             gen = (atomic_fetch_add(&salt, 1) * 0x9E3779u) % (POISON - 1) + 1;
    for (uint32_t i = RT_CHUNK; i-- > (first == 0);) {
        chunk[i].gen = gen;
        chunk[i].next = s->free;
        s->free = first + i;
    }
    s->used = first + RT_CHUNK - 1;
    return true;
}

bz_tensor *rt_tensor_new(bz_context *c, rt_storage *st, const rt_layout *l, int64_t offset) {
    if (!c->slab->free && !new_chunk(c)) {
        rt_no_memory(c);
        return NULL;
    }
    uint32_t slot = c->slab->free;
    rt_tensor *t = at(c, slot);
    c->slab->free = t->next;
    t->st = st;
    t->layout = l;
    t->offset = offset;
    t->epoch = 0;
    t->next = slot;
    st->depth = st->refs++ && st->depth < c->slab->scopes.n - 1 ? st->depth : c->slab->scopes.n - 1;
    rt_scope_link(c, t, c->slab->scopes.n - 1);
    return encode(t->gen, c->number, slot);
}

void rt_tensor_free(bz_context *c, rt_tensor *t) {
    rt_scope_unlink(c, t);
    uint32_t slot = t->next;
    rt_storage *st = t->st;
    t->scope = 0;
    t->gen = t->gen % (POISON - 1) + 1;
    t->st = NULL;
    t->next = c->slab->free;
    c->slab->free = slot;
    rt_storage_unref(c, st);
}

void rt_drop(bz_tensor *h) {
    bz_context *c;
    rt_tensor *t = rt_find_quietly(h, &c);
    if (t) rt_tensor_free(c, t);
}

rt_tensor *rt_scope_first(bz_context *c, uint32_t depth) {
    uint32_t slot = c->slab->scopes.p[depth];
    return slot ? at(c, slot) : NULL;
}

void rt_slab_free(bz_context *c) {
    rt_slab *s = c->slab;
    for (uint32_t i = 0; i < s->chunks.n; i++) bz_mem_free(s->chunks.p[i]);
    for (uint32_t i = 0; i < s->storage_chunks.n; i++) bz_mem_free(s->storage_chunks.p[i]);
    bz_vec_free(&s->chunks);
    bz_vec_free(&s->storage_chunks);
    bz_vec_free(&s->scopes);
    s->storages = NULL;
}

/* ---- calls by a handle */

bool rt_arrive_at(rt_visit *v, const bz_tensor *x, const char *op) {
    bz_context *c = rt_context_of(x);
    if (c) return rt_step_in(v, c);
    rt_stray(NULL, BZ_ESCOPE, "[%s] %s", op, x ? RT_STALE : "the tensor is NULL");
    return false;
}

/* ---- facts */

int bz_ndim(bz_tensor *x) {
    bz_context *c;
    rt_tensor *t = rt_find(x, &c, "ndim");
    return t ? (int)t->layout->rank : -1;
}

int64_t bz_numel(bz_tensor *x) {
    bz_context *c;
    rt_tensor *t = rt_find(x, &c, "numel");
    return t ? t->layout->count : -1;
}

bz_dtype bz_dtype_of(bz_tensor *x) {
    bz_context *c;
    rt_tensor *t = rt_find(x, &c, "dtype_of");
    return t ? (bz_dtype)t->st->dtype : BZ_NDTYPES;
}

const int64_t *bz_shape(bz_tensor *x) {
    bz_context *c;
    rt_tensor *t = rt_find(x, &c, "shape");
    return t ? t->layout->shape : NULL;
}

const int64_t *bz_strides(bz_tensor *x) {
    bz_context *c;
    rt_tensor *t = rt_find(x, &c, "strides");
    return t ? t->layout->strides : NULL;
}

bz_tensor *bz_name(bz_tensor *x, const char *name) {
    RT_BORDER;
    RT_VISIT_OF(x, "name", x);
    bz_context *c;
    const rt_tensor *t = rt_find(x, &c, "name");
    if (!t) return x;
    char *own = name ? bz_mem_alloc(strlen(name) + 1) : NULL;
    if (name && !own) return rt_no_memory(c), rt_poison(c);
    if (own) memcpy(own, name, strlen(name) + 1);
    bz_mem_free(t->st->name);
    t->st->name = own;
    return x;
}

bool bz_is_evaluated(bz_tensor *x) {
    bz_context *c;
    rt_tensor *t = rt_find(x, &c, "is_evaluated");
    return t && (t->st->buf || rt_is_number(t->st));
}

const char *bz_dtype_name(bz_dtype t) {
    return (unsigned)t < BZ_NDTYPES ? ir_dtypes[t].name : "?";
}

size_t bz_dtype_size(bz_dtype t) {
    return (unsigned)t < BZ_NDTYPES ? ir_dtype_bytes(t) : 0;
}

bz_context *bz_context_of(bz_tensor *x) {
    bz_context *c;
    rt_find_quietly(x, &c);
    return c;
}

bz_device bz_device_of(bz_tensor *x, int *number) {
    bz_context *c;
    rt_find_quietly(x, &c);
    if (number) *number = c ? c->options.number : 0;
    return c ? c->options.device : BZ_DEVICE_DEFAULT;
}
