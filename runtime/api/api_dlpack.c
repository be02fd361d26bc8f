/* api_dlpack.c - DLPack both ways: memory of others as tensors, tensors' memory for others.
 *
 *      lent out:   LENT --deleter, any thread--> RETURNED --next call on the context--> the buffer's reference goes
 *                  LENT --bz_close--> ORPHAN --deleter--> the memory goes
 *
 * A deleter touches nothing of the context: it has another thread, or is gone. */
#include "runtime/api/host.h"
#include "runtime/api/lent.h"
#include "runtime/record/record.h"

#include "braze/dlpack.h"

#include <pthread.h>
#include <stddef.h>
#include <string.h>

_Static_assert(sizeof(bz_dl_tensor) == 48 && offsetof(bz_dl_tensor, byte_offset) == 40,
               "the standard's layout");
_Static_assert(sizeof(bz_dl_managed) == 64 && offsetof(bz_dl_managed_versioned, tensor) == 32,
               "the standard's layout");

/* ---- dtypes and devices */

static uint8_t code_of(bz_dtype t) {
    static const uint8_t codes[] = {[IR_KIND_BOOL] = BZ_DL_BOOL,
                                    [IR_KIND_UINT] = BZ_DL_UINT,
                                    [IR_KIND_SINT] = BZ_DL_INT,
                                    [IR_KIND_FLOAT] = BZ_DL_FLOAT,
                                    [IR_KIND_COMPLEX] = BZ_DL_COMPLEX};
    return t == BZ_BF16 ? BZ_DL_BFLOAT : codes[ir_dtypes[t].kind];
}

static bool dtype_of(const bz_dl_tensor *d, bz_dtype *t) {
    for (*t = 0; *t < BZ_NDTYPES; ++*t)
        if (code_of(*t) == d->dtype.code && d->dtype.bits == 8 * ir_dtype_bytes(*t) &&
            d->dtype.lanes == 1)
            return true;
    return false;
}

/* Does the context read memory of the device where it lies? */
static bool is_on_gpu(const bz_context *c, const bz_dl_tensor *d) {
    return d->device.type == BZ_DL_CUDA && c->options.device == BZ_CUDA;
}

static bool is_on_host(const bz_dl_tensor *d) {
    return d->device.type == BZ_DL_CPU || d->device.type == BZ_DL_CUDA_HOST ||
           d->device.type == BZ_DL_CUDA_MANAGED;
}

/* ---- memory of others */

typedef struct lender {
    bz_context *c;
    const char *op, *site;
    const bz_dl_tensor *d;
    void (*release)(void *m);
    void *m;
    bool read_only;
} lender;

static bool refuse(const lender *l, bz_status s, const char *what, int64_t number) {
    rt_fail(l->c, s, l->site, l->op, "%s %lld", what, (long long)number);
    return false;
}

/* What can be wrong with it; *data: its first element, *t. */
static bool check(const lender *l, bz_dtype *t, char **data) {
    const bz_dl_tensor *d = l->d;
    int number = 0;
    if (!dtype_of(d, t)) {
        rt_fail(l->c, BZ_EUNSUPPORTED, l->site, l->op,
                "no dtype has code %d with %d bits, %d lanes", d->dtype.code, d->dtype.bits,
                d->dtype.lanes);
        return false;
    }
    if (d->ndim < 0 || d->ndim > IR_MAX_RANK || (d->ndim && !d->shape))
        return refuse(l, BZ_ESHAPE, "no shape of as many axes as", d->ndim);
    if (!is_on_host(d) && !is_on_gpu(l->c, d))
        return refuse(l, BZ_EUNSUPPORTED, "not read here: memory of a device of type",
                      d->device.type);
    number = l->c->options.number;
    if (!is_on_host(d) && d->device.id != number)
        return refuse(l, BZ_EUNSUPPORTED, "memory of another GPU: number", d->device.id);
    if (!rt_check_shape(l->c, l->op, l->site, *t, d->shape, d->ndim)) return false;
    *data = (char *)d->data + d->byte_offset;
    return true;
}

/* A tensor in memory of the context's device. */
static bz_tensor *on_device(const lender *l, bz_dtype t, char *data) {
    bz_context *c = l->c;
    const rt_layout *f = rt_layout_of(c, l->d->shape, l->d->strides, (unsigned)l->d->ndim);
    if (f && !f->contiguous)
        return rt_fail(c, BZ_EUNSUPPORTED, l->site, l->op, "GPU memory that is not row-major"),
               rt_poison(c);
    const rt_layout *base = rt_layout_of(c, l->d->shape, NULL, (unsigned)l->d->ndim);
    rt_buffer *b =
        f && base ? rt_buffer_lent(c->memory, rt_address_of(data), (size_t)rt_layout_bytes(base, t))
                  : NULL;
    if (!b) return rt_no_memory(c), rt_poison(c);
    bz_tensor *h = rt_tensor_in(c, t, l->d->shape, l->d->ndim, rt_buffer_ref(b));
    if (rt_is_poison(h)) return rt_buffer_unref(c, b), h;
    b->release = l->release;
    b->released = l->m;
    rt_buffer_unref(c, b);
    return h;
}

static bz_tensor *from(const lender *l) {
    bz_context *c = l->c, *of;
    bz_dtype t;
    char *data;
    if (!check(l, &t, &data)) return rt_poison(c);
    if (!is_on_host(l->d)) return on_device(l, t, data);
    bz_tensor *h = bz_from_buffer_at(c, t, data, l->d->shape, l->d->strides, l->d->ndim, l->site);
    rt_tensor *x = rt_find_quietly(h, &of);
    if (!x) return h;
    x->st->u.home->release = l->release;
    x->st->u.home->released = l->m;
    x->st->u.home->read_only = l->read_only;
    return h;
}

static void release_versioned(void *p) {
    bz_dl_managed_versioned *m = p;
    if (m->deleter) m->deleter(m);
}

static void release_legacy(void *p) {
    bz_dl_managed *m = p;
    if (m->deleter) m->deleter(m);
}

bz_tensor *bz_from_dlpack_at(bz_context *c, bz_dl_managed_versioned *m, const char *site) {
    RT_VISIT(c, NULL);
    if (!m) return rt_fail(c, BZ_EARG, site, "from_dlpack", "NULL"), rt_poison(c);
    lender l = {.c = c,
                .op = "from_dlpack",
                .site = site,
                .d = &m->tensor,
                .release = release_versioned,
                .m = m};
    l.read_only = (m->flags & BZ_DL_READ_ONLY) != 0;
    if (m->version.major > BZ_DL_MAJOR)
        return refuse(&l, BZ_EUNSUPPORTED, "a struct of DLPack's major version", m->version.major),
               rt_poison(c);
    return from(&l);
}

bz_tensor *bz_from_dlpack_legacy_at(bz_context *c, bz_dl_managed *m, const char *site) {
    RT_VISIT(c, NULL);
    if (!m) return rt_fail(c, BZ_EARG, site, "from_dlpack_legacy", "NULL"), rt_poison(c);
    lender l = {.c = c,
                .op = "from_dlpack_legacy",
                .site = site,
                .d = &m->tensor,
                .release = release_legacy,
                .m = m};
    return from(&l);
}

/* ---- memory for others */

enum { LENT, RETURNED, ORPHAN };

typedef struct rt_lent {
    union {
        bz_dl_managed_versioned versioned;
        bz_dl_managed legacy;
    } m;
    int64_t shape[IR_MAX_RANK], strides[IR_MAX_RANK];
    rt_buffer *b; /* one reference, of one that owns its memory */
    _Atomic(int) state;
    struct rt_lent *next;
} rt_lent;

/* Without a context: several may lend one buffer, and be given back in several threads. */
static void drop_orphan(rt_lent *l) {
    static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&counting);
    bool last = l->b && --l->b->refs == 0;
    pthread_mutex_unlock(&counting);
    if (last) rt_buffer_free(l->b);
    bz_mem_free(l);
}

static void give_back(rt_lent *l) {
    if (atomic_exchange(&l->state, RETURNED) == ORPHAN) drop_orphan(l);
}

static void delete_versioned(bz_dl_managed_versioned *m) {
    give_back(m->manager);
}

static void delete_legacy(bz_dl_managed *m) {
    give_back(m->manager);
}

void rt_lent_sweep(bz_context *c) {
    for (rt_lent **at = &c->lent, *l; (l = *at);) {
        if (atomic_load(&l->state) != RETURNED) {
            at = &l->next;
            continue;
        }
        *at = l->next;
        rt_buffer_unref(c, l->b);
        bz_mem_free(l);
    }
}

/* Others may still read: the memory outlives the context, if it is the host's. */
void rt_lent_close(bz_context *c) {
    rt_lent_sweep(c);
    while (c->lent) {
        rt_lent *l = c->lent;
        c->lent = l->next;
        if (l->b->memory != &rt_host) { /* a GPU's memory goes with the context */
            rt_buffer_unref(c, l->b);
            l->b = NULL;
        }
        if (atomic_exchange(&l->state, ORPHAN) == RETURNED) drop_orphan(l);
    }
}

static bool describe(bz_context *c, const rt_tensor *t, rt_lent *l, bz_dl_tensor *d) {
    const rt_storage *s = t->st;
    const rt_layout *f = t->layout;
    bool host = s->buf->memory == &rt_host;
    if (!host && c->options.device != BZ_CUDA)
        return rt_fail(c, BZ_EUNSUPPORTED, NULL, "to_dlpack",
                       "DLPack does not know the device on which the tensor lies"),
               false;
    if (!host && s->buf->memory->f->synchronise(s->buf->memory, &c->err)) return false;
    rt_spot first = rt_element(s->buf, (bz_dtype)s->dtype, t->offset);
    memcpy(l->shape, f->shape, f->rank * sizeof *l->shape);
    memcpy(l->strides, f->strides, f->rank * sizeof *l->strides);
    *d = (bz_dl_tensor){.ndim = (int32_t)f->rank, .shape = l->shape, .strides = l->strides};
    d->data = f->count ? (void *)(uintptr_t)first.at : NULL;
    d->device.type = host ? BZ_DL_CPU : BZ_DL_CUDA;
    d->device.id = host ? 0 : c->options.number;
    d->dtype.code = code_of((bz_dtype)s->dtype);
    d->dtype.bits = (uint8_t)(8 * ir_dtype_bytes((bz_dtype)s->dtype));
    d->dtype.lanes = 1;
    return true;
}

/* The record of x's memory, which is lent; NULL and an error. */
static rt_lent *lend(bz_tensor *x, bool versioned) {
    bz_context *c;
    rt_tensor *t = rt_find(x, &c, "to_dlpack");
    if (!t || rt_ready_to_read(c, "to_dlpack") || rt_eval_handle(t, c, "to_dlpack")) {
        if (!t) rt_no_tensor(c, "to_dlpack");
        return NULL;
    }
    rt_lent_sweep(c);
    rt_lent *l = bz_mem_zero(1, sizeof *l);
    if (!l) return rt_no_memory(c), NULL;
    if (!describe(c, t, l, versioned ? &l->m.versioned.tensor : &l->m.legacy.tensor))
        return bz_mem_free(l), NULL;
    rt_buffer *b = t->st->buf;
    l->b = rt_buffer_ref(b->owner ? b->owner : b);
    l->next = c->lent;
    c->lent = l;
    return l;
}

bz_dl_managed_versioned *bz_to_dlpack(bz_tensor *x) {
    RT_BORDER;
    RT_VISIT_OF(x, "to_dlpack", NULL);
    rt_lent *l = lend(x, true);
    if (!l) return NULL;
    l->m.versioned.version.major = BZ_DL_MAJOR;
    l->m.versioned.version.minor = BZ_DL_MINOR;
    l->m.versioned.flags = BZ_DL_READ_ONLY;
    l->m.versioned.manager = l;
    l->m.versioned.deleter = delete_versioned;
    return &l->m.versioned;
}

bz_dl_managed *bz_to_dlpack_legacy(bz_tensor *x) {
    RT_BORDER;
    RT_VISIT_OF(x, "to_dlpack", NULL);
    rt_lent *l = lend(x, false);
    if (!l) return NULL;
    l->m.legacy.manager = l;
    l->m.legacy.deleter = delete_legacy;
    return &l->m.legacy;
}
