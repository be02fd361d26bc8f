/* plan_cuda.c - see plan_cuda.h. */
#include "tests/support/plan_cuda.h"
#include "src/codegen/cuda.h"
#include "src/codegen/nvrtc.h"
#include "tests/support/plan_memory.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long address;

#define FUNCTIONS(X)                                                                               \
    X(cuInit, (unsigned))                                                                          \
    X(cuDevicePrimaryCtxRetain, (void **, int))                                                    \
    X(cuCtxSetCurrent, (void *))                                                                   \
    X(cuCtxSynchronize, (void))                                                                    \
    X(cuModuleLoadData, (void **, const void *))                                                   \
    X(cuModuleUnload, (void *))                                                                    \
    X(cuModuleGetFunction, (void **, void *, const char *))                                        \
    X(cuMemAlloc_v2, (address *, size_t))                                                          \
    X(cuMemFree_v2, (address))                                                                     \
    X(cuMemcpyHtoD_v2, (address, const void *, size_t))                                            \
    X(cuMemcpyDtoH_v2, (void *, address, size_t))                                                  \
    X(cuLaunchKernel, (void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,         \
                       unsigned, void *, void **, void **))                                        \
    X(braze_fake_reports, (void))
static struct {
#define MEMBER(name, parameters) int(*name) parameters;
    FUNCTIONS(MEMBER)
#undef MEMBER
    const char *(*braze_fake_report)(int);
    void (*braze_fake_clear)(void);
} cu;

bool plan_cuda_ready(void) {
    static int state;
    bz_error e = {0};
    char path[600];
    if (state) return state > 0;
    state = -1;
    const char *build = getenv("BRAZE_BUILD");
    snprintf(path, sizeof path, "%s/libbraze-fakecuda.so", build ? build : "build");
    void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL), *context;
    bool all = lib && !nvrtc_open(&e);
#define TAKE(name, parameters)                                                                     \
    if (all) *(void **)&cu.name = dlsym(lib, #name);                                               \
    all = all && cu.name;
    FUNCTIONS(TAKE)
#undef TAKE
    if (!all) return false;
    *(void **)&cu.braze_fake_report = dlsym(lib, "braze_fake_report");
    *(void **)&cu.braze_fake_clear = dlsym(lib, "braze_fake_clear");
    if (cu.cuInit(0) || cu.cuDevicePrimaryCtxRetain(&context, 0) || cu.cuCtxSetCurrent(context))
        return false;
    state = 1;
    return true;
}

typedef struct running {
    const pass_plan *p;
    const ir_value_array *inputs;
    plan_memory m;
    address *at, scratch, error;
    void *module;
    bz_error *e;
} running;

enum { THREADS = 64, BLOCKS = 24 };

static bz_status failed(running *r, const char *what, int code) {
    return bz_fail(r->e, BZ_EDEVICE, "%s: error %d of the driver", what, code);
}

/* One phase of a segment. */
static bz_status launch(running *r, const pass_segment *s, unsigned phase) {
    const lp_kernel *k = r->p->code->k.p[s->kernel];
    const cuda_phase of = cuda_phase_of(k, r->p->code, phase);
    int64_t tasks = lp_phase_tasks(k, phase, s->extents, NULL);
    address *buffers = calloc(k->buffers.n + 1, sizeof *buffers), null = 0;
    void **args = calloc(k->buffers.n + k->extents.n + k->scalars.n + 3, sizeof(void *)), *f;
    uint32_t n = 0;
    bz_text name = {0};
    for (uint32_t i = 0; i < k->buffers.n; i++) {
        const pass_buffer *b = &r->p->buffers.p[s->buffers[i]];
        buffers[i] = r->at[s->buffers[i]] + (address)(s->at[i] * (int64_t)ir_dtype_bytes(b->dtype));
        args[n++] = &buffers[i];
    }
    for (uint32_t i = 0; i < k->extents.n; i++) args[n++] = (void *)&s->extents[i];
    for (uint32_t i = 0; i < k->scalars.n; i++) args[n++] = r->inputs[s->scalars[i]].data;
    args[n++] = of.scratch ? &r->scratch : &null;
    args[n++] = &r->error;
    args[n++] = &tasks;
    cuda_symbol(&name, k->name, phase);
    int code = cu.cuModuleGetFunction(&f, r->module, bz_text_c(&name));
    const unsigned threads = of.threads ? of.threads : THREADS;
    int64_t blocks = of.threads ? tasks : (tasks + THREADS - 1) / THREADS;
    blocks = blocks > BLOCKS ? BLOCKS : blocks;
    if (!code && tasks > 0)
        code = cu.cuLaunchKernel(f, (unsigned)blocks, 1, 1, threads, 1, 1, 0, NULL, args, NULL);
    if (!code) code = cu.cuCtxSynchronize();
    bz_status st = code ? failed(r, bz_text_c(&name), code) : BZ_OK;
    if (!st && cu.braze_fake_reports() > 0) {
        st = bz_fail(r->e, BZ_EINDEX, "%s", cu.braze_fake_report(0));
        cu.braze_fake_clear();
    }
    bz_text_free(&name);
    free(buffers);
    free(args);
    return st;
}

static bz_status prepare(running *r) {
    bz_text text = {0};
    nvrtc_image image;
    bz_status s = cuda_emit(r->p->code, &text, r->e);
    if (!s) s = nvrtc_compile(bz_text_c(&text), 80, false, &image, r->e);
    bz_text_free(&text);
    if (s) return s;
    int code = cu.cuModuleLoadData(&r->module, image.ptx);
    nvrtc_image_free(&image);
    int64_t most = 64;
    for (uint32_t i = 0; i < r->p->code->k.n; i++) {
        const int64_t own = lp_scratch_bytes(r->p->code->k.p[i], r->p->code);
        most = own > most ? own : most;
    }
    static const int64_t none[2] = {INT64_MAX, 0};
    if (!code) code = cu.cuMemAlloc_v2(&r->scratch, (size_t)most * 1024 * BLOCKS);
    if (!code) code = cu.cuMemAlloc_v2(&r->error, sizeof none);
    if (!code) code = cu.cuMemcpyHtoD_v2(r->error, none, sizeof none);
    return code ? failed(r, "loading", code) : BZ_OK;
}

/* What is only written is not uploaded: the checkers see what is read before that. */
static bz_status move(running *r, bool in) {
    int code = 0;
    for (uint32_t i = 0; i < r->p->buffers.n && !code; i++) {
        const pass_buffer *b = &r->p->buffers.p[i];
        const size_t bytes = (size_t)b->count * ir_dtype_bytes(b->dtype);
        if (in) code = cu.cuMemAlloc_v2(&r->at[i], bytes + 64);
        if (!bytes || code || b->place == PASS_ARENA) continue;
        if (in && b->place != PASS_OUTPUT) code = cu.cuMemcpyHtoD_v2(r->at[i], r->m.at[i], bytes);
        if (!in && (b->place == PASS_OUTPUT || b->taken))
            code = cu.cuMemcpyDtoH_v2(r->m.at[i], r->at[i], bytes);
    }
    return code ? failed(r, "copying", code) : BZ_OK;
}

static bz_status run(running *r) {
    bz_status s = BZ_OK;
    int64_t error[2];
    for (uint32_t i = 0; i < r->p->launches.n && !s; i++)
        for (uint32_t n = 0; n < r->p->launches.p[i].nsegments && !s; n++) {
            const pass_segment *of = &r->p->launches.p[i].segments[n];
            const unsigned phases = lp_phase_count(r->p->code->k.p[of->kernel]);
            for (unsigned ph = 0; ph < phases && !s; ph++) s = launch(r, of, ph);
        }
    if (!s && cu.cuMemcpyDtoH_v2(error, r->error, sizeof error)) s = failed(r, "the error", 1);
    if (!s && error[0] != INT64_MAX) s = bz_fail(r->e, (bz_status)error[1], "index out of range");
    return s;
}

bz_status plan_cuda(const pass_plan *p, const ir_value_array *inputs, ir_value_array *outputs,
                    bz_error *e) {
    running r = {.p = p, .inputs = inputs, .m = plan_memory_new(p, inputs), .e = e};
    r.at = calloc(p->buffers.n + 1, sizeof *r.at);
    bz_status s = prepare(&r);
    if (!s) s = move(&r, true);
    if (!s) s = run(&r);
    if (!s) s = move(&r, false);
    if (!s) plan_memory_outputs(p, &r.m, outputs);
    for (uint32_t i = 0; i < p->buffers.n; i++)
        if (r.at[i]) cu.cuMemFree_v2(r.at[i]);
    if (r.scratch) cu.cuMemFree_v2(r.scratch);
    if (r.error) cu.cuMemFree_v2(r.error);
    if (r.module) cu.cuModuleUnload(r.module);
    plan_memory_free(&r.m, p);
    free(r.at);
    return s;
}
