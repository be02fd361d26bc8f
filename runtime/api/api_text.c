/* api_text.c - tensors as text and as .npy files. */
#include "runtime/io/array.h"
#include "runtime/eval/eval.h"

#include <stdio.h>
#include <string.h>

/* The value of x in host memory (bz_mem_free), for bz_`op`; false with an error in the context, if there is one. */
static bool take_value(bz_tensor *x, const char *op, ir_value_array *a) {
    bz_context *c;
    rt_tensor *t = rt_find(x, &c, op);
    *a = (ir_value_array){0};
    if (!t || rt_eval_handle(t, c, op)) return false;
    a->dtype = (bz_dtype)t->st->dtype;
    a->rank = t->layout->rank;
    if (a->rank) memcpy(a->shape, t->layout->shape, a->rank * sizeof *a->shape);
    if (rt_check_room(&rt_host, (int64_t)rt_array_bytes(a), "the tensor takes", &c->err))
        return false;
    a->data = bz_mem_alloc(rt_array_bytes(a) + 1);
    if (!a->data) return rt_no_memory(c), false;
    if (bz_to_host(x, a->data, rt_array_bytes(a)) == BZ_OK) return true;
    bz_mem_free(a->data);
    return false;
}

/* The text of x; false and an error in the context. */
static bool to_text(bz_tensor *x, const char *op, bz_text *t) {
    ir_value_array a;
    if (!take_value(x, op, &a)) return false;
    rt_array_print(t, &a);
    bz_mem_free(a.data);
    if (t->failed) rt_no_memory(bz_context_of(x));
    return !t->failed;
}

bz_status bz_print(bz_tensor *x) {
    RT_BORDER;
    RT_VISIT_OF(x, "print", RT_STRAY_STATUS);
    bz_text t = {0};
    bool done = to_text(x, "print", &t);
    bz_status s = done ? BZ_OK : rt_no_tensor(bz_context_of(x), "print");
    if (done && (fwrite(bz_text_c(&t), 1, t.n, stdout) != t.n || putchar('\n') == EOF))
        s = rt_fail(bz_context_of(x), BZ_EIO, NULL, "print", "standard output cannot be written");
    bz_text_free(&t);
    return s;
}

size_t bz_format(bz_tensor *x, char *dst, size_t n) {
    RT_BORDER;
    RT_VISIT_OF(x, "format", 0);
    bz_text t = {0};
    size_t length = to_text(x, "format", &t) ? t.n : 0;
    if (n && dst) {
        size_t k = length < n ? length : n - 1;
        memcpy(dst, bz_text_c(&t), k);
        dst[k] = 0;
    }
    bz_text_free(&t);
    return length;
}

bz_status bz_save_npy(bz_tensor *x, const char *path) {
    RT_BORDER;
    RT_VISIT_OF(x, "save_npy", RT_STRAY_STATUS);
    ir_value_array a;
    bz_error e = {0};
    if (!path && bz_context_of(x))
        return rt_fail(bz_context_of(x), BZ_EARG, NULL, "save_npy", "path is NULL");
    if (!take_value(x, "save_npy", &a)) return rt_no_tensor(bz_context_of(x), "save_npy");
    bz_status s = rt_npy_save(path, &a, &e);
    bz_mem_free(a.data);
    return s ? rt_fail(bz_context_of(x), s, NULL, "save_npy", "%s", e.text) : BZ_OK;
}

bz_tensor *bz_load_npy_at(bz_context *c, const char *path, const char *site) {
    RT_BORDER;
    ir_value_array a;
    bz_error e = {0};
    RT_VISIT(c, NULL);
    if (!path) bz_fail(&e, BZ_EARG, "path is NULL");
    if (e.status || rt_npy_load(path, &a, &e)) {
        rt_fail(c, e.status, site, "load_npy", "%s", e.text);
        return rt_poison(c);
    }
    bz_tensor *x = bz_from_data_at(c, a.dtype, a.data, a.shape, (int)a.rank, site);
    bz_mem_free(a.data);
    return x;
}
