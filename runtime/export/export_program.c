/* export_program.c - bz_export, bz_export_all: compiled functions traced once more, their graphs handed to export.c. */
#include "runtime/export/export.h"
#include "runtime/compile/trace.h"

#include <braze/export.h>

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

/* l: NULL when nothing is baked. */
static bz_status trace_all(const bz_export_function *f, int n, rt_traced *t, ex_function *out,
                           looks *l) {
    bz_status s = BZ_OK;
    for (int i = 0; i < n && !s; i++) {
        s = rt_trace(f[i].program, f[i].in, &t[i]);
        out[i] = (ex_function){.g = t[i].graph,
                               .name = f[i].name,
                               .key = t[i].key,
                               .base = t[i].base,
                               .words = t[i].words};
        if (!s && l) s = find_baked(&t[i], l, &out[i].baked);
    }
    return s;
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

bz_status bz_export_all(const bz_export_function *f, int n, const char *prefix,
                        const bz_export_options *o) {
    RT_BORDER;
    bz_context *c = context_of(f, n);
    if (!c) return no_context(f, n);
    RT_VISIT(c, RT_STRAY_STATUS);
    bz_status s = check_programs(c, f, n);
    if (s) return s;
    rt_traced *t = bz_mem_zero((size_t)n, sizeof *t);
    ex_function *functions = bz_mem_zero((size_t)n, sizeof *functions);
    bz_error error = {0};
    looks l = {0};
    s = t && functions ? trace_all(f, n, t, functions, o && o->bake ? &l : NULL) : rt_no_memory(c);
    if (!s) {
        s = rt_export(functions, (unsigned)n, prefix, isas, BZ_LEN(isas), &error);
        if (s) bz_fail(&c->err, s, "%s", error.text);
    }
    for (int i = 0; t && functions && i < n; i++) {
        rt_traced_free(&t[i]);
        bz_mem_free((void *)(uintptr_t)functions[i].baked);
    }
    for (uint32_t i = 0; i < l.n; i++) rt_look_away(&l.p[i].bytes);
    bz_vec_free(&l);
    bz_mem_free(functions);
    bz_mem_free(t);
    return s;
}

bz_status bz_export(bz_program *p, bz_tensor *const *in, const char *prefix, const char *name,
                    const bz_export_options *o) {
    return bz_export_all(&(bz_export_function){p, in, name}, 1, prefix, o);
}
