/* host.c - values from the host and back: copies, the caller's own memory, single numbers. */
#include "runtime/api/host.h"

#include <math.h>
#include <string.h>

/* ---- in */

bool rt_check_shape(bz_context *c, const char *op, const char *site, bz_dtype t,
                    const int64_t *shape, int rank) {
    int64_t n = 1;
    if ((unsigned)t >= BZ_NDTYPES)
        return rt_fail(c, BZ_EDTYPE, site, op, "there is no dtype %d", (int)t), false;
    if (rank < 0 || rank > IR_MAX_RANK)
        return rt_fail(c, BZ_ESHAPE, site, op, "%d dimensions; 0 to %d are possible", rank,
                       IR_MAX_RANK),
               false;
    if (rank && !shape)
        return rt_fail(c, BZ_EARG, site, op, "no list of %d sizes: it is NULL", rank), false;
    for (int i = 0; i < rank; i++) {
        if (shape[i] < 0)
            return rt_fail(c, BZ_ESHAPE, site, op, "size %lld of axis %d is negative",
                           (long long)shape[i], i),
                   false;
        if (shape[i] && (__builtin_mul_overflow(n, shape[i], &n) || n > INT64_C(1) << 60))
            return rt_fail(c, BZ_ESHAPE, site, op, "more than 2^60 elements"), false;
    }
    return true;
}

/* A handle on a new storage of the caller's shape; the storage has the buffer b (its reference is taken, on failure too). */
static bz_tensor *with_buffer(bz_context *c, bz_dtype t, const rt_layout *base, rt_buffer *b) {
    rt_storage *s = b ? rt_storage_new(c, t, base) : NULL;
    if (!s) {
        rt_buffer_unref(c, b);
        rt_no_memory(c);
        return rt_poison(c);
    }
    s->buf = b;
    bz_tensor *h = rt_tensor_new(c, s, base, 0);
    if (h) return h;
    s->refs = 1;
    rt_storage_unref(c, s);
    return rt_poison(c);
}

bz_tensor *rt_tensor_in(bz_context *c, bz_dtype t, const int64_t *shape, int rank, rt_buffer *b) {
    return with_buffer(c, t, rt_layout_of(c, shape, NULL, (unsigned)rank), b);
}

rt_buffer *rt_buffer_for(bz_context *c, const char *op, bz_dtype t, const void *data,
                         const int64_t *shape, int rank, const char *site) {
    if (!rt_check_shape(c, op, site, t, shape, rank)) return NULL;
    const rt_layout *l = rt_layout_of(c, shape, NULL, (unsigned)rank);
    if (!l) return rt_no_memory(c), NULL;
    if (l->count && !data) return rt_fail(c, BZ_EARG, site, op, "data is NULL"), NULL;
    rt_does(c, op, site);
    return rt_buffer_new(c, t, l);
}

bz_tensor *bz_from_data_at(bz_context *c, bz_dtype t, const void *data, const int64_t *shape,
                           int rank, const char *site) {
    RT_VISIT(c, NULL);
    rt_buffer *b = rt_buffer_for(c, "from_data", t, data, shape, rank, site);
    if (b && !rt_move_bytes(rt_start(b), rt_host_spot(data), b->bytes, &c->err))
        return rt_tensor_in(c, t, shape, rank, b);
    rt_buffer_unref(c, b);
    return rt_poison(c);
}

bz_tensor *bz_from_buffer_at(bz_context *c, bz_dtype t, void *data, const int64_t *shape,
                             const int64_t *strides, int rank, const char *site) {
    RT_VISIT(c, NULL);
    if (!rt_check_shape(c, "from_buffer", site, t, shape, rank)) return rt_poison(c);
    const rt_layout *l = rt_layout_of(c, shape, strides, (unsigned)rank);
    if (!l) return rt_no_memory(c), rt_poison(c);
    int64_t lo, hi;
    size_t bytes = ir_dtype_bytes(t);
    if (!data && l->count)
        return rt_fail(c, BZ_EARG, site, "from_buffer", "data is NULL"), rt_poison(c);
    const size_t align = ir_dtype_bytes(ir_part_dtype(t));
    if ((uintptr_t)data % align)
        return rt_fail(c, BZ_EARG, site, "from_buffer", "data is not aligned to %zu bytes", align),
               rt_poison(c);
    if (!rt_layout_reach(l, &lo, &hi))
        return rt_fail(c, BZ_ESHAPE, site, "from_buffer", "the strides reach too far"),
               rt_poison(c);
    int64_t span = l->count ? hi - lo + 1 : 0;
    const rt_layout *base = l->contiguous ? l : rt_layout_of(c, &span, NULL, 1);
    rt_buffer *home =
        rt_buffer_foreign((char *)data + lo * (int64_t)bytes, (size_t)span * bytes, t, l, -lo);
    rt_storage *s = home && base ? rt_storage_new(c, t, base) : NULL;
    bz_tensor *h = NULL;
    if (s) {
        s->kind = RT_FOREIGN;
        s->buf = rt_buffer_ref(home);
        s->u.home = home;
        h = rt_tensor_new(c, s, l, -lo);
        if (!h) s->refs = 1, rt_storage_unref(c, s);
    } else {
        rt_buffer_unref(c, home);
    }
    return h ? h : (rt_no_memory(c), rt_poison(c));
}

static bz_tensor *number(bz_context *c, rt_kind kind, bz_dtype t, double v, int64_t i) {
    rt_storage *s = rt_storage_new(c, t, c->scalar_layout);
    if (!s) return rt_no_memory(c), rt_poison(c);
    s->kind = (uint8_t)kind;
    if (kind == RT_SCALAR)
        s->u.number = v;
    else
        s->u.integer = i;
    bz_tensor *h = rt_tensor_new(c, s, s->base, 0);
    if (h) return h;
    s->refs = 1;
    rt_storage_unref(c, s);
    return rt_no_memory(c), rt_poison(c);
}

bz_tensor *bz_scalar_at(bz_context *c, double v, const char *site) {
    (void)site;
    RT_VISIT(c, NULL);
    return number(c, RT_SCALAR, BZ_F32, v, 0);
}

bz_tensor *bz_scalar_int_at(bz_context *c, int64_t v, const char *site) {
    (void)site;
    RT_VISIT(c, NULL);
    return number(c, RT_SCALAR_INT, BZ_I64, 0, v);
}

bz_tensor *rt_scalar_u64(bz_context *c, uint64_t v) {
    return number(c, RT_SCALAR_UINT, BZ_U64, 0, (int64_t)v);
}

bz_tensor *rt_scalar_bool(bz_context *c, bool v) {
    return number(c, RT_SCALAR_BOOL, BZ_BOOL, 0, v);
}

/* ---- out */

/* The handle's tensor with its value computed; NULL and the status. */
static rt_tensor *value_of(const bz_tensor *x, const char *op, bz_context **c, bz_status *s) {
    rt_tensor *t = rt_find(x, c, op);
    *s = t ? rt_eval_handle(t, *c, op) : rt_no_tensor(*c, op);
    return *s ? NULL : t;
}

rt_tensor *rt_value_for(bz_tensor *x, const char *op, const void *dst, size_t bytes, bz_context **c,
                        bz_status *s) {
    rt_tensor *t = value_of(x, op, c, s);
    if (!t) return NULL;
    const int64_t want = rt_layout_bytes(t->layout, (bz_dtype)t->st->dtype);
    if (bytes != (size_t)want)
        *s = rt_fail(*c, BZ_EARG, NULL, op, "the tensor has %s%lld bytes, the destination %zu",
                     want == BZ_TOO_MANY ? "more than " : "", (long long)want, bytes);
    else if (bytes && !dst)
        *s = rt_fail(*c, BZ_EARG, NULL, op, "the destination is NULL");
    return *s ? NULL : t;
}

bz_status bz_to_host(bz_tensor *x, void *dst, size_t bytes) {
    RT_BORDER;
    RT_VISIT_OF(x, "to_host", RT_STRAY_STATUS);
    bz_context *c;
    bz_status s;
    const rt_tensor *t = rt_value_for(x, "to_host", dst, bytes, &c, &s);
    if (!t) return s;
    const bz_dtype dtype = (bz_dtype)t->st->dtype;
    return rt_pack(rt_host_spot(dst), rt_element(t->st->buf, dtype, t->offset), t->layout,
                   ir_dtype_bytes(dtype), &c->err);
}

static bool one_element(bz_tensor *x, const char *op, bz_dtype *t, ir_bits *bits) {
    bz_context *c;
    bz_status s;
    rt_tensor *v = value_of(x, op, &c, &s);
    if (!v) return false;
    if (v->layout->count != 1)
        return rt_fail(c, BZ_ESHAPE, NULL, op, "the tensor has %lld elements, not one",
                       (long long)v->layout->count),
               false;
    *t = (bz_dtype)v->st->dtype;
    if (ir_is_complex(*t))
        return rt_fail(c, BZ_EDTYPE, NULL, op, "not for complex numbers: use bz_item_complex"), false;
    return !rt_load(rt_element(v->st->buf, *t, v->offset), *t, bits, &c->err);
}

double bz_item(bz_tensor *x) {
    RT_BORDER;
    RT_VISIT_OF(x, "item", (double)NAN);
    bz_dtype t;
    ir_bits bits;
    return one_element(x, "item", &t, &bits) ? ir_bits_to_f64(t, bits) : (double)NAN;
}

int64_t bz_item_int(bz_tensor *x) {
    RT_BORDER;
    RT_VISIT_OF(x, "item_int", 0);
    bz_dtype t;
    ir_bits bits;
    return one_element(x, "item_int", &t, &bits) ? ir_bits_to_i64(t, bits) : 0;
}

bz_status bz_item_complex(bz_tensor *x, double parts[2]) {
    RT_BORDER;
    RT_VISIT_OF(x, "item_complex", RT_STRAY_STATUS);
    bz_context *c;
    bz_status s;
    double both[2];
    if (parts) parts[0] = parts[1] = (double)NAN;
    const rt_tensor *v = value_of(x, "item_complex", &c, &s);
    if (!v) return s;
    if (!parts) return rt_fail(c, BZ_EARG, NULL, "item_complex", "parts is NULL");
    const bz_dtype t = (bz_dtype)v->st->dtype, part = ir_part_dtype(t);
    if (v->layout->count != 1)
        return rt_fail(c, BZ_ESHAPE, NULL, "item_complex", "the tensor has %lld elements, not one",
                       (long long)v->layout->count);
    if (rt_pack(rt_host_spot(both), rt_element(v->st->buf, t, v->offset), v->layout, ir_dtype_bytes(t), &c->err))
        return c->err.status;
    parts[0] = ir_bits_to_f64(part, ir_load_bits(part, both));
    parts[1] = t == part ? 0 : ir_bits_to_f64(part, ir_load_bits(part, (char *)both + ir_dtype_bytes(part)));
    return BZ_OK;
}

/* ---- from another context */

/* t's elements in its own context's memory as one row; NULL: the error is in that context. */
static rt_buffer *as_row(bz_context *of, const rt_tensor *t) {
    bz_dtype dtype = (bz_dtype)t->st->dtype;
    rt_buffer *b = rt_buffer_new(of, dtype, t->layout);
    if (!b || !rt_pack(rt_start(b), rt_element(t->st->buf, dtype, t->offset), t->layout,
                       ir_dtype_bytes(dtype), &of->err))
        return b;
    rt_buffer_unref(of, b);
    return NULL;
}

/* The elements that t sees, in a buffer of c with row-major layout l. Devices copy rows to each other: what is none becomes one
 * before it leaves. NULL: the error is in either context. */
static rt_buffer *taken(bz_context *c, bz_context *of, const rt_tensor *t, const rt_layout *l) {
    bz_dtype dtype = (bz_dtype)t->st->dtype;
    rt_spot from = rt_element(t->st->buf, dtype, t->offset);
    const rt_layout *lies = t->layout;
    bool near = from.memory == c->memory || from.memory == &rt_host || c->memory == &rt_host;
    rt_buffer *row = near || lies->contiguous ? NULL : as_row(of, t);
    if (row) from = rt_start(row), lies = l;
    rt_buffer *b = near || lies->contiguous ? rt_buffer_new(c, dtype, l) : NULL;
    if (b && rt_pack(rt_start(b), from, lies, ir_dtype_bytes(dtype), &c->err)) {
        rt_buffer_unref(c, b);
        b = NULL;
    }
    rt_buffer_unref(of, row);
    return b;
}

bz_tensor *bz_from_tensor_at(bz_context *c, bz_tensor *x, const char *site) {
    RT_BORDER;
    RT_VISIT(c, NULL);
    __attribute__((cleanup(rt_depart))) rt_visit other = {0};
    bz_context *of;
    bz_status s;
    if (!rt_arrive_at(&other, x, "from_tensor")) {
        bz_fail(&c->err, RT_STRAY_STATUS, "%s%s%s", rt_stray_get(NULL)->text, site ? " at " : "",
                site ? site : "");
        return rt_poison(c);
    }
    rt_does(c, "from_tensor", site);
    const rt_tensor *t = value_of(x, "from_tensor", &of, &s);
    const rt_layout *l = t ? rt_layout_of(c, t->layout->shape, NULL, t->layout->rank) : NULL;
    rt_buffer *b = l ? taken(c, of, t, l) : NULL;
    if (b) return with_buffer(c, (bz_dtype)t->st->dtype, l, b);
    if (!c->err.status && of->err.status)
        bz_fail(&c->err, of->err.status, "%s", of->err.text);
    else
        rt_no_memory(c);
    return rt_poison(c);
}
