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
    X(cuDeviceGetAttribute, (int *, int, int))                                                     \
    X(cuDevicePrimaryCtxRetain, (void **, int))                                                    \
    X(cuCtxSetCurrent, (void *))                                                                   \
    X(cuCtxSynchronize, (void))                                                                    \
    X(cuModuleLoadData, (void **, const void *))                                                   \
    X(cuModuleUnload, (void *))                                                                    \
    X(cuModuleGetFunction, (void **, void *, const char *))                                        \
    X(cuFuncSetAttribute, (void *, int, int))                                                      \
    X(cuMemAlloc_v2, (address *, size_t))                                                          \
    X(cuMemsetD8_v2, (address, unsigned char, size_t))                                             \
    X(cuMemFree_v2, (address))                                                                     \
    X(cuMemcpyHtoD_v2, (address, const void *, size_t))                                            \
    X(cuMemcpyDtoH_v2, (void *, address, size_t))                                                  \
    X(cuLaunchKernel, (void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,         \
                       unsigned, void *, void **, void **))
static struct {
#define MEMBER(name, parameters) int(*name) parameters;
    FUNCTIONS(MEMBER)
#undef MEMBER
    int (*braze_fake_reports)(void); /* this and the next ones: NULL for a real driver */
    const char *(*braze_fake_report)(int);
    void (*braze_fake_clear)(void);
    unsigned capability; /* of the device: 80 */
    uint64_t (*braze_fake_counter)(const char *, const char *);
    void (*braze_fake_seed)(uint64_t);
} cu;
enum { DYNAMIC = 8, MAJOR = 75, MINOR = 76, SHARED = 97 }; /* attributes */

bool plan_cuda_ready(void) {
    static int state;
    bz_error e = {0};
    int major, minor;
    if (state) return state > 0;
    state = -1;
    const char *path = getenv("BRAZE_FAKECUDA");
    void *lib = dlopen(path ? path : "build/libbraze-fakecuda.so", RTLD_NOW | RTLD_LOCAL), *context;
    bool all = lib && !nvrtc_open(&e);
#define TAKE(name, parameters)                                                                     \
    if (all) *(void **)&cu.name = dlsym(lib, #name);                                               \
    all = all && cu.name;
    FUNCTIONS(TAKE)
#undef TAKE
    if (!all) return false;
    *(void **)&cu.braze_fake_reports = dlsym(lib, "braze_fake_reports");
    *(void **)&cu.braze_fake_report = dlsym(lib, "braze_fake_report");
    *(void **)&cu.braze_fake_clear = dlsym(lib, "braze_fake_clear");
    *(void **)&cu.braze_fake_counter = dlsym(lib, "braze_fake_counter");
    *(void **)&cu.braze_fake_seed = dlsym(lib, "braze_fake_seed");
    if (cu.cuInit(0) || cu.cuDevicePrimaryCtxRetain(&context, 0) || cu.cuCtxSetCurrent(context) ||
        cu.cuDeviceGetAttribute(&major, MAJOR, 0) || cu.cuDeviceGetAttribute(&minor, MINOR, 0))
        return false;
    cu.capability = (unsigned)(major * 10 + minor);
    state = 1;
    return true;
}

enum { THREADS = 64, BLOCKS = 24 };

struct plan_cuda_code {
    pass_plan **plans;
    unsigned n;
    address scratch, error;
    void *module;
};

static unsigned shift, most_blocks = BLOCKS;

void plan_cuda_shift(unsigned elements) {
    shift = elements;
}

void plan_cuda_blocks(unsigned most) {
    most_blocks = most < BLOCKS ? most : BLOCKS; /* there is scratch for these */
}

void plan_cuda_seed(uint64_t seed) {
    if (cu.braze_fake_seed) cu.braze_fake_seed(seed);
}

int64_t plan_cuda_shared(void) {
    int bytes = 0;
    return cu.cuDeviceGetAttribute(&bytes, SHARED, 0) ? 0 : bytes;
}

unsigned plan_cuda_capability(void) {
    return cu.capability;
}

bool plan_cuda_emulated(void) {
    return cu.braze_fake_reports != NULL;
}

double plan_cuda_counter(const char *function, const char *what) {
    return cu.braze_fake_counter ? (double)cu.braze_fake_counter(function, what) : 0;
}

typedef struct running {
    const plan_cuda_code *c;
    const pass_plan *p;
    const ir_value_array *inputs;
    plan_memory m;
    address *at;
    bz_error *e;
} running;

static bz_status failed(bz_error *e, const char *what, int code) {
    return bz_fail(e, BZ_EDEVICE, "%s: error %d of the driver", what, code);
}

/* ---- code: the kernels of each plan get names of their own, and stand in a name space */

static void rename_kernels(pass_plan *p, unsigned number) {
    for (uint32_t i = 0; i < p->code->k.n; i++) {
        lp_kernel *k = p->code->k.p[i];
        bz_text name = {0};
        bz_textf(&name, "p%u_%s", number, k->name);
        k->name = bz_arena_str(&k->names, bz_text_c(&name));
        bz_text_free(&name);
    }
}

bz_status plan_cuda_emit(pass_plan *const *plans, unsigned n, bz_text *out, size_t *all_alike,
                         bz_error *e) {
    const lp_module nothing = {0};
    bz_text own = {0};
    bz_status s = cuda_emit(&nothing, out, e);
    const size_t before = *all_alike = out->n;
    for (unsigned i = 0; i < n && !s; i++) {
        bz_text_free(&own);
        rename_kernels(plans[i], i);
        s = cuda_emit(plans[i]->code, &own, e);
        bz_textf(out, "namespace n%u {%s}\n", i, s ? "" : own.p + before);
    }
    bz_text_free(&own);
    return s;
}

static bz_status load(plan_cuda_code *c, const nvrtc_image *image, bz_error *e) {
    int64_t most = 64;
    static const int64_t none[2] = {INT64_MAX, 0};
    for (unsigned p = 0; p < c->n; p++)
        for (uint32_t i = 0; i < c->plans[p]->code->k.n; i++) {
            const int64_t own = lp_scratch_bytes(c->plans[p]->code->k.p[i], c->plans[p]->code);
            most = own > most ? own : most;
        }
    size_t bytes;
    void *both = image->cubin ? fatbin_of(image, &cu.capability, 1, &bytes) : NULL;
    int code = cu.cuModuleLoadData(&c->module, both ? both : image->ptx);
    bz_mem_free(both);
    if (!code) code = cu.cuMemAlloc_v2(&c->scratch, (size_t)most * 1024 * BLOCKS);
    if (!code) code = cu.cuMemsetD8_v2(c->scratch, 0, (size_t)most * 1024 * BLOCKS);
    if (!code) code = cu.cuMemAlloc_v2(&c->error, sizeof none);
    if (!code) code = cu.cuMemcpyHtoD_v2(c->error, none, sizeof none);
    return code ? failed(e, "loading", code) : BZ_OK;
}

static plan_cuda_code *load_image(pass_plan **plans, unsigned n, const nvrtc_image *image,
                                  bz_error *e) {
    plan_cuda_code *c = calloc(1, sizeof *c);
    *c = (plan_cuda_code){.plans = plans, .n = n};
    if (!load(c, image, e)) return c;
    plan_cuda_free(c);
    return NULL;
}

plan_cuda_code *plan_cuda_load(pass_plan **plans, unsigned n, const char *ptx, bz_error *e) {
    return load_image(plans, n, &(nvrtc_image){.ptx = (char *)(uintptr_t)ptx}, e);
}

plan_cuda_code *plan_cuda_compile(pass_plan **plans, unsigned n, bz_error *e) {
    plan_cuda_code *c = NULL;
    bz_text text = {0};
    nvrtc_image image = {0};
    size_t alike;
    bz_status s = plan_cuda_emit(plans, n, &text, &alike, e);
    if (!s && getenv("PLAN_CUDA_TEXT")) puts(bz_text_c(&text));
    const bool real = !cu.braze_fake_reports; /* an assembler takes its time */
    if (!s) s = nvrtc_compile(bz_text_c(&text), cu.capability, real, &image, e);
    if (!s) c = load_image(plans, n, &image, e);
    bz_text_free(&text);
    nvrtc_image_free(&image);
    return c;
}

void plan_cuda_free(plan_cuda_code *c) {
    if (c->scratch) cu.cuMemFree_v2(c->scratch);
    if (c->error) cu.cuMemFree_v2(c->error);
    if (c->module) cu.cuModuleUnload(c->module);
    free(c);
}

/* ---- a run */

/* A segment's arguments, each a word. */
static uint32_t put_words(const running *r, const pass_segment *s, uint64_t *word) {
    const lp_kernel *k = r->p->code->k.p[s->kernel];
    uint32_t n = 0;
    for (uint32_t i = 0; i < k->buffers.n; i++) {
        const pass_buffer *b = &r->p->buffers.p[s->buffers[i]];
        word[n++] = r->at[s->buffers[i]] + (address)(s->at[i] * (int64_t)ir_dtype_bytes(b->dtype));
    }
    for (uint32_t i = 0; i < k->extents.n; i++) word[n++] = (uint64_t)s->extents[i];
    for (uint32_t i = 0; i < k->scalars.n; i++)
        memcpy(&word[n++], r->inputs[s->scalars[i]].data, ir_dtype_bytes(k->scalars.p[i].dtype));
    return n;
}

/* One phase of n segments of one kernel. */
static bz_status launch(running *r, const pass_segment *const *s, uint32_t n, unsigned phase) {
    const lp_kernel *k = r->p->code->k.p[s[0]->kernel];
    const cuda_phase of = cuda_phase_of(k, r->p->code, phase);
    const uint32_t words = lp_row_words(k);
    cuda_rows *rows = calloc(1, sizeof *rows);
    uint64_t *word = k->rows ? rows->word : calloc(words, sizeof *word);
    void **args = calloc(words + 3, sizeof(void *)), *f;
    address null = 0;
    uint32_t nargs = 0;
    bz_text name = {0};
    rows->n = n;
    for (uint32_t i = 0; i < n; i++) {
        word[i * words + put_words(r, s[i], word + (size_t)i * words)] = (uint64_t)rows->tasks;
        rows->tasks += lp_phase_tasks(k, phase, s[i]->extents, NULL);
    }
    if (k->rows) args[nargs++] = rows;
    while (!k->rows && nargs + 1 < words) args[nargs] = &word[nargs], nargs++;
    args[nargs++] = of.scratch ? (void *)(uintptr_t)&r->c->scratch : &null;
    args[nargs++] = (void *)(uintptr_t)&r->c->error;
    args[nargs++] = &rows->tasks;
    cuda_symbol(&name, k->name, phase);
    int code = cu.cuModuleGetFunction(&f, r->c->module, bz_text_c(&name));
    const unsigned threads = of.threads ? of.threads : THREADS;
    int64_t blocks = of.threads ? rows->tasks : (rows->tasks + THREADS - 1) / THREADS;
    blocks = blocks > most_blocks ? most_blocks : blocks;
    if (!code && of.dynamic) code = cu.cuFuncSetAttribute(f, DYNAMIC, (int)of.dynamic);
    if (!code && blocks > 0)
        code = cu.cuLaunchKernel(f, (unsigned)blocks, 1, 1, threads, 1, 1, (unsigned)of.dynamic,
                                 NULL, args, NULL);
    if (!code) code = cu.cuCtxSynchronize();
    bz_status st = code ? failed(r->e, bz_text_c(&name), code) : BZ_OK;
    if (!st && cu.braze_fake_reports && cu.braze_fake_reports() > 0) {
        st = bz_fail(r->e, BZ_EINDEX, "%s", cu.braze_fake_report(0));
        cu.braze_fake_clear();
    }
    bz_text_free(&name);
    if (!k->rows) free(word);
    free(rows);
    free(args);
    return st;
}

static size_t shift_of(const pass_buffer *b) {
    return b->place == PASS_INPUT ? shift * ir_dtype_bytes(b->dtype) : 0;
}

/* What is only written is not uploaded: the checkers see what is read before that. */
static bz_status move(running *r, bool in) {
    int code = 0;
    for (uint32_t i = 0; i < r->p->buffers.n && !code; i++) {
        const pass_buffer *b = &r->p->buffers.p[i];
        const size_t bytes = (size_t)b->count * ir_dtype_bytes(b->dtype);
        if (in) code = cu.cuMemAlloc_v2(&r->at[i], bytes + shift_of(b) + !bytes);
        if (in && !code) r->at[i] += shift_of(b);
        if (!bytes || code || b->place == PASS_ARENA) continue;
        if (in && b->place != PASS_OUTPUT) code = cu.cuMemcpyHtoD_v2(r->at[i], r->m.at[i], bytes);
        if (!in && (b->place == PASS_OUTPUT || b->taken))
            code = cu.cuMemcpyDtoH_v2(r->m.at[i], r->at[i], bytes);
    }
    return code ? failed(r->e, "copying", code) : BZ_OK;
}

/* Segment `at` of a launch with the later ones that may run with it; nothing if an earlier one did that. */
static bz_status run_segments(running *r, const pass_launch *l, uint32_t at) {
    const pass_segment *of[LP_ROWS_WORDS];
    const uint32_t kernel = l->segments[at].kernel;
    const lp_kernel *k = r->p->code->k.p[kernel];
    bz_status s = BZ_OK;
    uint32_t n = 0;
    for (uint32_t i = 0; k->rows && i < at; i++)
        if (l->segments[i].kernel == kernel) return BZ_OK;
    for (uint32_t i = at; i < l->nsegments && !s; i++) {
        if (l->segments[i].kernel == kernel) of[n++] = &l->segments[i];
        const bool last = i + 1 == l->nsegments || !k->rows;
        if (!last && n < LP_ROWS_WORDS / lp_row_words(k)) continue;
        for (unsigned ph = 0; ph < lp_phase_count(k) && n && !s; ph++) s = launch(r, of, n, ph);
        n = 0;
        if (!k->rows) break;
    }
    return s;
}

static bz_status run(running *r) {
    bz_status s = BZ_OK;
    int64_t error[2];
    static const int64_t none[2] = {INT64_MAX, 0};
    for (uint32_t i = 0; i < r->p->launches.n && !s; i++)
        for (uint32_t n = 0; n < r->p->launches.p[i].nsegments && !s; n++)
            s = run_segments(r, &r->p->launches.p[i], n);
    if (!s && cu.cuMemcpyDtoH_v2(error, r->c->error, sizeof error))
        s = failed(r->e, "the error", 1);
    if (s || error[0] == INT64_MAX) return s;
    cu.cuMemcpyHtoD_v2(r->c->error, none, sizeof none);
    return bz_fail(r->e, (bz_status)error[1], "index out of range");
}

bz_status plan_cuda_run(const plan_cuda_code *c, unsigned number, const ir_value_array *inputs,
                        ir_value_array *outputs, bz_error *e) {
    const pass_plan *p = c->plans[number];
    running r = {.c = c, .p = p, .inputs = inputs, .m = plan_memory_new(p, inputs), .e = e};
    r.at = calloc(p->buffers.n + 1, sizeof *r.at);
    bz_status s = move(&r, true);
    if (!s) s = run(&r);
    if (!s) s = move(&r, false);
    if (!s) plan_memory_outputs(p, &r.m, outputs);
    for (uint32_t i = 0; i < p->buffers.n; i++)
        if (r.at[i]) cu.cuMemFree_v2(r.at[i] - shift_of(&p->buffers.p[i]));
    plan_memory_free(&r.m, p);
    free(r.at);
    return s;
}

bz_status plan_cuda(pass_plan *p, const ir_value_array *inputs, ir_value_array *outputs,
                    bz_error *e) {
    plan_cuda_code *c = plan_cuda_compile(&p, 1, e);
    if (!c) return e->status;
    bz_status s = plan_cuda_run(c, 0, inputs, outputs, e);
    plan_cuda_free(c);
    return s;
}
