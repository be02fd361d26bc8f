/* export_program.c - bz_export, bz_export_all: compiled functions traced once more, their graphs handed to export.c. */
#include "runtime/base/env.h"
#include "runtime/export/export_traced.h"

#include <string.h>

static const cg_isa isas[] = {CG_V3, CG_V4};

/* A captured tensor's elements: functions that captured the same one get the same bytes. */
typedef struct look {
    const rt_buffer *of; /* its storage is held by a trace */
    rt_bytes bytes;
} look;
typedef BZ_VEC(look) looks;

static bz_status look_at(bz_context *c, const rt_buffer *b, looks *l, const void **p) {
    look new = {.of = b};
    for (uint32_t i = 0; i < l->n; i++)
        if (l->p[i].of == b) return *p = l->p[i].bytes.p, BZ_OK;
    if (!bz_vec_reserve(l, 1)) return rt_no_memory(c);
    bz_status s = rt_look(rt_start(b), b->bytes, &new.bytes, &c->err);
    if (!s) bz_vec_push(l, new);
    *p = new.bytes.p;
    return s;
}

/* The values of captured tensors, by input; NULL in *baked: none is wanted. */
static bz_status find_baked(rt_traced *t, looks *l, const void *const **baked) {
    bz_context *c = t->context;
    uint32_t n = t->graph->inputs.n;
    const void **p = bz_mem_zero(n + 1, sizeof *p);
    bz_status s = p ? BZ_OK : rt_no_memory(c);
    for (uint32_t i = 0; i < n && !s; i++) {
        rt_storage *h = t->hidden[i];
        if (h && !h->buf) s = rt_eval(c, &h, 1);
        if (h && !s) s = look_at(c, h->buf, l, &p[i]);
    }
    *baked = p;
    return s;
}

/* An export of compiled functions. */
typedef struct request {
    const bz_export_function *f;
    int n;
    const bz_export_options *o; /* NULL: none */
    rt_traced *traced;          /* of each function, like the next two */
    ex_traced_size *sizes;
    ex_function *functions;
    looks looks;
} request;

/* At the largest size, if the function is told one. */
static bz_status trace_one(request *q, int i) {
    const bz_export_function *f = &q->f[i];
    const bz_export_size *size = f->size ? f->size : q->o ? q->o->size : NULL;
    rt_traced *t = &q->traced[i];
    bz_status s = size ? ex_check_axes(f, size) : BZ_OK;
    if (!s && size && size->hi < 1)
        s = rt_fail(f->program->c, BZ_EARG, NULL, "export",
                    "the largest size is %lld: sizes are numbers from 1 on", (long long)size->hi);
    if (!s) s = size ? ex_trace_at(f, size, size->hi, t) : rt_trace(f->program, f->in, t);
    if (s) return s;
    if (size) ex_traced_size_make(&q->sizes[i], f, size, t);
    q->functions[i] = (ex_function){.g = t->graph,
                                    .size = size ? &q->sizes[i].size : NULL,
                                    .name = f->name,
                                    .key = t->key,
                                    .base = t->base,
                                    .words = t->words};
    return q->o && q->o->bake ? find_baked(t, &q->looks, &q->functions[i].baked) : BZ_OK;
}

/* The context of the first function that has one; NULL: none has. */
static bz_context *context_of(const bz_export_function *f, int n) {
    bz_context *c = NULL;
    for (int i = 0; f && i < n && !c; i++) c = rt_context_of_program(f[i].program);
    return c;
}

/* Whether all n can be exported together, as far as that is seen before they are traced. */
static bz_status check_programs(bz_context *c, const bz_export_function *f, int n) {
    for (int i = 0; i < n; i++) {
        const bz_context *of = rt_context_of_program(f[i].program);
        if (!of)
            return rt_fail(c, f[i].program ? BZ_ESCOPE : BZ_EARG, NULL, "export",
                           f[i].program ? "function %d was freed, or was never one"
                                        : "function %d is NULL",
                           i);
        if (of != c)
            return rt_fail(c, BZ_EARG, NULL, "export", "function %d is of another context", i);
    }
    return BZ_OK;
}

/* No function has a context that could keep the words. */
static bz_status no_context(const bz_export_function *f, int n) {
    if (!f || n < 1)
        return rt_stray(NULL, BZ_EARG, "[export] %s", f ? "no function given" : "the list is NULL");
    return rt_stray(NULL, f->program ? BZ_ESCOPE : BZ_EARG, "[export] the compiled function %s",
                    f->program ? "was freed, or was never one" : "is NULL");
}

/* ---- machines */

/* "sm_80,sm_90" in rising order; false: it is none such list. */
static bool read_gpus(const char *text, unsigned gpus[static GPU_KINDS], unsigned *n) {
    for (unsigned i = 0; i < GPU_KINDS; i++) {
        const size_t length = strlen(gpu_kinds[i].name);
        if (strncmp(text, gpu_kinds[i].name, length) != 0) continue;
        gpus[(*n)++] = gpu_kinds[i].cc;
        text += length;
        if (!*text) return true;
        if (*text++ != ',') return false;
    }
    return false;
}

static bool for_gpus(const bz_context *c, const bz_export_options *o) {
    const bz_device d = o ? o->device : BZ_DEVICE_DEFAULT;
    return (d == BZ_DEVICE_DEFAULT ? c->options.device : d) == BZ_CUDA;
}

static bz_status write_files(bz_context *c, const request *q, const char *prefix) {
    const char *list = q->o ? q->o->gpus : NULL;
    unsigned gpus[GPU_KINDS], n = 0;
    bz_error e = {0};
    bz_status s;
    if (q->o && (unsigned)q->o->device > BZ_CUDA)
        s = bz_fail(&e, BZ_EARG, "[export] the device is unknown");
    else if (!for_gpus(c, q->o))
        s = rt_export(q->functions, (unsigned)q->n, prefix, isas, BZ_LEN(isas), &e);
    else if (list && !read_gpus(list, gpus, &n))
        s = bz_fail(&e, BZ_EARG,
                    "[export] gpus: \"%s\": kinds of GPUs are wanted in rising order, as "
                    "\"sm_80,sm_90\", of sm_75, 80, 86, 89, 90, 100 and 120",
                    list);
    else
        s = rt_export_cuda(q->functions, (unsigned)q->n, prefix, list ? gpus : NULL, n,
                           rt_is_fast(&c->options), &e);
    return s ? bz_fail(&c->err, s, "%s", e.text) : BZ_OK;
}

static void request_free(request *q) {
    for (int i = 0; q->traced && q->sizes && q->functions && i < q->n; i++) {
        ex_traced_size_free(&q->sizes[i]);
        rt_traced_free(&q->traced[i]);
        bz_mem_free((void *)(uintptr_t)q->functions[i].baked);
    }
    for (uint32_t i = 0; i < q->looks.n; i++) rt_look_away(&q->looks.p[i].bytes);
    bz_vec_free(&q->looks);
    bz_mem_free(q->functions);
    bz_mem_free(q->sizes);
    bz_mem_free(q->traced);
}

bz_status bz_export_all(const bz_export_function *f, int n, const char *prefix,
                        const bz_export_options *o) {
    RT_BORDER;
    bz_context *c = context_of(f, n);
    if (!c) return no_context(f, n);
    RT_VISIT(c, RT_STRAY_STATUS);
    bz_status s = check_programs(c, f, n);
    if (s) return s;
    request q = {.f = f,
                 .n = n,
                 .o = o,
                 .traced = bz_mem_zero((size_t)n, sizeof *q.traced),
                 .sizes = bz_mem_zero((size_t)n, sizeof *q.sizes),
                 .functions = bz_mem_zero((size_t)n, sizeof *q.functions)};
    if (!q.traced || !q.sizes || !q.functions) s = rt_no_memory(c);
    for (int i = 0; i < n && !s; i++) s = trace_one(&q, i);
    if (!s) s = write_files(c, &q, prefix);
    request_free(&q);
    return s;
}

bz_status bz_export(bz_program *p, bz_tensor *const *in, const char *prefix, const char *name,
                    const bz_export_options *o) {
    return bz_export_all(&(bz_export_function){p, in, name, NULL}, 1, prefix, o);
}
