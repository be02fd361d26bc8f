/* cpu_code.c - machine code of this process: object files by the plug-in, loaded without it (objload.c). */
#include "runtime/exec/kernels.h"
#include "runtime/exec/objload.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { PARALLEL_INSTS = 4000 };

static const rt_import imports[] = {
    {"fma", (rt_function *)fma},
    {"fmaf", (rt_function *)fmaf},
    {NULL, NULL},
};

static rt_code *code; /* of the process, for good */
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

static rt_code *code_memory(void) {
    pthread_mutex_lock(&making);
    if (!code) code = rt_code_new();
    rt_code *own = code;
    pthread_mutex_unlock(&making);
    return own;
}

static bz_status target(const rt_codegen *g, bz_text *key, bz_error *e) {
    (void)e;
    bz_textf(key, "%s | %s", cg_isa_name(((const rt_cpu_codegen *)g)->isa), cg_build);
    return BZ_OK;
}

static bool keeps(const rt_codegen *g) {
    (void)g;
    return cg_is_of_this_build();
}

static bz_status compile(const rt_codegen *g, const lp_module *m, rt_codegen_out *out,
                         bz_error *e) {
    const cg_target t = {.isa = ((const rt_cpu_codegen *)g)->isa};
    cg_object o;
    bz_status s = cg_compile(m, &t, &o, e);
    if (s) return s;
    out->bytes = bz_mem_alloc(o.n + 1);
    out->n = o.n;
    if (out->bytes)
        memcpy(out->bytes, o.bytes, o.n);
    else
        s = bz_fail(e, BZ_ENOMEM, "out of memory");
    cg_object_free(&o);
    return s;
}

static bz_status load(const rt_codegen *g, const rt_binary *b, void **object, size_t *bytes,
                      bz_error *e) {
    char why[RT_LOAD_MESSAGE];
    rt_object *o = NULL;
    (void)g;
    rt_code *memory = code_memory();
    if (!memory) return bz_fail(e, BZ_ENOMEM, "out of memory");
    const rt_load_status s = rt_object_load(memory, b->bytes, b->n, imports, &o, why);
    if (s)
        return bz_fail(e, s == RT_LOAD_SYSTEM ? BZ_ENOMEM : BZ_ECOMPILE, "loading kernels: %s",
                       why);
    *object = o;
    *bytes = rt_object_bytes(o);
    return BZ_OK;
}

static bz_status find(const rt_codegen *g, void *object, const char *kernel, unsigned phase,
                      uintptr_t *at, bz_error *e) {
    char name[512];
    (void)g;
    snprintf(name, sizeof name, "%s.%u", kernel, phase);
    *at = (uintptr_t)rt_object_find(object, name);
    return *at ? BZ_OK : bz_fail(e, BZ_ECOMPILE, "loading kernels: there is no %.200s", name);
}

static void unload(void *object) {
    rt_object_free(object);
}

rt_cpu_codegen rt_cpu_codegen_for(cg_isa isa) {
    static const rt_codegen_functions functions = {.parallel = PARALLEL_INSTS,
                                                   .target = target,
                                                   .keeps = keeps,
                                                   .compile = compile,
                                                   .load = load,
                                                   .find = find,
                                                   .unload = unload};
    return (rt_cpu_codegen){.base = {.f = &functions}, .isa = isa};
}
