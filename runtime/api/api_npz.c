/* api_npz.c - many tensors in one file: bz_save_npz, bz_load_npz, bz_npz_names. */
#include "runtime/io/array.h"
#include "runtime/eval/eval.h"

#include <string.h>

/* ---- saving */

typedef struct saving {
    ir_value_array *arrays;
    rt_bytes *bytes; /* what arrays[i].data is */
    rt_storage **storages;
    uint32_t n;
} saving;

static bz_status find_tensors(bz_context *c, saving *v, bz_tensor *const *x) {
    for (uint32_t i = 0; i < v->n; i++) {
        bz_context *of = rt_context_of(x[i]);
        if (of && of != c)
            return rt_fail(c, BZ_EARG, NULL, "save_npz", "tensor %u belongs to another context",
                           (unsigned)i);
        const rt_tensor *t = rt_find(x[i], &of, "save_npz");
        if (!t)
            return of ? rt_no_tensor(of, "save_npz")
                      : rt_fail(c, BZ_ESCOPE, NULL, "save_npz", RT_STALE);
        v->storages[i] = t->st;
    }
    bz_status s = rt_ready_to_read(c, "save_npz");
    return s ? s : rt_eval(c, v->storages, v->n);
}

/* The elements where they lie, or a copy in order. */
static bz_status take_array(bz_context *c, bz_tensor *x, ir_value_array *a, rt_bytes *bytes) {
    rt_tensor *t = rt_find(x, &c, "save_npz");
    bz_status s = rt_eval_handle(t, c, "save_npz");
    if (s) return s;
    *a = (ir_value_array){.dtype = (bz_dtype)t->st->dtype, .rank = t->layout->rank};
    if (a->rank) memcpy(a->shape, t->layout->shape, a->rank * sizeof *a->shape);
    if (rt_check_room(&rt_host, rt_layout_bytes(t->layout, a->dtype), "the tensor takes", &c->err))
        return c->err.status;
    if (t->layout->contiguous) {
        s = rt_look(rt_element(t->st->buf, a->dtype, t->offset), rt_array_bytes(a), bytes, &c->err);
    } else {
        *bytes = (rt_bytes){.own = bz_mem_alloc(rt_array_bytes(a) + 1)};
        bytes->p = bytes->own;
        s = bytes->own ? bz_to_host(x, bytes->own, rt_array_bytes(a)) : rt_no_memory(c);
    }
    a->data = (void *)(uintptr_t)bytes->p; /* it is read alone */
    return s;
}

static bz_status save(bz_context *c, saving *v, const char *path, const char *const *names,
                      bz_tensor *const *x, bool deflate) {
    bz_error e = {0};
    if (!v->arrays || !v->bytes || !v->storages) return rt_no_memory(c);
    bz_status s = find_tensors(c, v, x);
    for (uint32_t i = 0; i < v->n && !s; i++) s = take_array(c, x[i], &v->arrays[i], &v->bytes[i]);
    if (s || !rt_npz_save(path, names, v->arrays, v->n, deflate, &e)) return s;
    return rt_fail(c, e.status, NULL, "save_npz", "%s", e.text);
}

bz_status bz_save_npz(bz_context *c, const char *path, const char *const *names,
                      bz_tensor *const *x, int n, bool deflate) {
    RT_BORDER;
    RT_VISIT(c, RT_STRAY_STATUS);
    if (!path) return rt_fail(c, BZ_EARG, NULL, "save_npz", "path is NULL");
    if (n < 0 || (n && (!names || !x)))
        return rt_fail(c, BZ_EARG, NULL, "save_npz", "no names or no tensors");
    size_t count = (size_t)n + 1;
    saving v = {bz_mem_zero(count, sizeof *v.arrays), bz_mem_zero(count, sizeof *v.bytes),
                bz_mem_zero(count, sizeof(rt_storage *)), (uint32_t)n};
    bz_status s = save(c, &v, path, names, x, deflate);
    for (uint32_t i = 0; i < v.n && v.bytes; i++) rt_look_away(&v.bytes[i]);
    bz_mem_free(v.arrays);
    bz_mem_free(v.bytes);
    bz_mem_free(v.storages);
    return s;
}

/* ---- loading */

static bz_status load_one(bz_context *c, rt_npz *z, const char *name, bz_tensor **x,
                          const char *site) {
    ir_value_array a;
    bz_error e = {0};
    if (!name) return rt_fail(c, BZ_EARG, site, "load_npz", "a name is NULL");
    if (rt_npz_read(z, name, &a, &e)) return rt_fail(c, e.status, site, "load_npz", "%s", e.text);
    *x = bz_from_data_at(c, a.dtype, a.data, a.shape, (int)a.rank, site);
    bz_mem_free(a.data);
    return rt_is_poison(*x) ? rt_no_tensor(c, "load_npz") : BZ_OK;
}

bz_status bz_load_npz_at(bz_context *c, const char *path, const char *const *names, bz_tensor **x,
                         int n, const char *site) {
    RT_BORDER;
    RT_VISIT(c, RT_STRAY_STATUS);
    bz_error e = {0};
    rt_npz *z = NULL;
    if (n < 0 || (n && (!names || !x)))
        return rt_fail(c, BZ_EARG, site, "load_npz", "no names or no place for tensors");
    for (int i = 0; i < n; i++) x[i] = rt_poison(c);
    if (!path) return rt_fail(c, BZ_EARG, site, "load_npz", "path is NULL");
    if (rt_npz_open(path, &z, &e)) return rt_fail(c, e.status, site, "load_npz", "%s", e.text);
    bz_status s = BZ_OK;
    for (int i = 0; i < n && !s; i++) s = load_one(c, z, names[i], &x[i], site);
    rt_npz_close(z);
    for (int i = 0; i < n && s; i++) {
        if (!rt_is_poison(x[i])) bz_release(x[i]);
        x[i] = rt_poison(c);
    }
    return s;
}

size_t bz_npz_names(bz_context *c, const char *path, char *dst, size_t n) {
    RT_BORDER;
    RT_VISIT(c, 0);
    bz_error e = {0};
    bz_text t = {0};
    rt_npz *z = NULL;
    if (!path)
        bz_fail(&e, BZ_EARG, "path is NULL");
    else if (!rt_npz_open(path, &z, &e))
        rt_npz_names(z, &t);
    rt_npz_close(z);
    if (t.failed) bz_fail(&e, BZ_ENOMEM, "out of memory");
    if (e.status) rt_fail(c, e.status, NULL, "npz_names", "%s", e.text);
    size_t length = e.status ? 0 : t.n;
    if (n && dst) {
        size_t k = length < n ? length : n - 1;
        if (k) memcpy(dst, bz_text_c(&t), k);
        dst[k] = 0;
    }
    bz_text_free(&t);
    return length;
}
