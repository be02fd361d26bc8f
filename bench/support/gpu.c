/* gpu.c - see gpu.h. The driver's functions are those that the context uses; the few that it does not are looked for in the same library. */
#include "bench/support/gpu.h"

#include "runtime/base/context.h"
#include "runtime/cuda/cuda.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

enum { CLOCK_KHZ = 13 }; /* CU_DEVICE_ATTRIBUTE_CLOCK_RATE */
enum {
    THREADS = 256,
    BLOCKS = 8,
    TURNS = 4096,
    FEW_TURNS = 2,
    CHAINS = 16,
    UNROLLED = 8,
    TILES = 8
};

static struct {
    cuda_memory *m;
    cu_event begin, end;
    unsigned arch;
    cu_result (*elapsed)(float *ms, cu_event begin, cu_event end);
    cu_result (*device_name)(char *name, int n, cu_device d);
    cu_result (*version)(int *v);
    uint64_t (*counter)(const char *kernel, const char *what);
} gpu;

static void must(cu_result r, const char *what) {
    if (!r) return;
    char text[200];
    bz_rt_cu_text(gpu.m->d, r, text, sizeof text);
    fprintf(stderr, "bench: %s: %s\n", what, text);
    exit(1);
}

void gpu_enter(void) {
    must(gpu.m->d->context_push(gpu.m->context), "cuCtxPushCurrent");
}

void gpu_leave(void) {
    cu_leave(gpu.m->d, gpu.m->context);
}

void *gpu_stream(void) {
    return gpu.m->stream;
}

static void *must_find(void *library, const char *name) {
    void *f = dlsym(library, name);
    if (f) return f;
    fprintf(stderr, "bench: the driver has no %s\n", name);
    exit(1);
}

void gpu_open(bz_context *c, gpu_machine *m) {
    const char *chosen = getenv("BRAZE_LIBCUDA");
    void *library = dlopen(chosen && *chosen ? chosen : "libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    int khz = 0;
    gpu.m = (cuda_memory *)c->memory;
    *(void **)&gpu.elapsed = must_find(library, "cuEventElapsedTime");
    *(void **)&gpu.device_name = must_find(library, "cuDeviceGetName");
    *(void **)&gpu.version = must_find(library, "cuDriverGetVersion");
    *(void **)&gpu.counter = dlsym(library, "braze_fake_counter");
    *m = (gpu_machine){
        .arch = gpu.m->arch, .processors = gpu.m->processors, .emulated = gpu.counter != NULL};
    gpu.arch = m->arch;
    must(gpu.device_name(m->name, sizeof m->name, gpu.m->device), "cuDeviceGetName");
    must(gpu.version(&m->driver), "cuDriverGetVersion");
    if (!gpu.m->d->device_attribute(&khz, CLOCK_KHZ, gpu.m->device)) m->clock_hz = 1e3 * khz;
    gpu_enter();
    must(gpu.m->d->event_new(&gpu.begin, 0), "cuEventCreate");
    must(gpu.m->d->event_new(&gpu.end, 0), "cuEventCreate");
    gpu_leave();
}

void gpu_close(void) {
    gpu_enter();
    gpu.m->d->event_free(gpu.begin);
    gpu.m->d->event_free(gpu.end);
    gpu_leave();
}

/* ---- times */

void gpu_begin(void) {
    gpu_enter();
    must(gpu.m->d->event_record(gpu.begin, gpu.m->stream), "cuEventRecord");
    gpu_leave();
}

double gpu_end(void) {
    float ms = 0;
    gpu_enter();
    must(gpu.m->d->event_record(gpu.end, gpu.m->stream), "cuEventRecord");
    must(gpu.m->d->event_wait(gpu.end), "cuEventSynchronize");
    must(gpu.elapsed(&ms, gpu.begin, gpu.end), "cuEventElapsedTime");
    gpu_leave();
    return (double)ms;
}

/* ---- memory */

unsigned long long gpu_memory(const void *bytes, size_t n) {
    cu_address at = 0;
    gpu_enter();
    if (gpu.m->d->alloc(&at, n)) at = 0;
    if (at && bytes) {
        must(gpu.m->d->copy_in(at, bytes, n, gpu.m->stream), "cuMemcpyHtoDAsync");
        must(gpu.m->d->stream_wait(gpu.m->stream), "cuStreamSynchronize");
    }
    gpu_leave();
    return at;
}

void gpu_read(void *to, unsigned long long from, size_t n) {
    gpu_enter();
    must(gpu.m->d->copy_out(to, from, n, gpu.m->stream), "cuMemcpyDtoHAsync");
    must(gpu.m->d->stream_wait(gpu.m->stream), "cuStreamSynchronize");
    gpu_leave();
}

void gpu_free(unsigned long long at) {
    gpu_enter();
    if (at) gpu.m->d->free(at);
    gpu_leave();
}

/* ---- what the machine allows */

enum { BEST_OF = 5 };

double gpu_copy_rate(size_t bytes) {
    const cu_address to = gpu_memory(NULL, bytes), from = gpu_memory(NULL, bytes);
    double best = 0;
    gpu_enter();
    if (to && from) must(gpu.m->d->fill(from, 1, bytes, gpu.m->stream), "cuMemsetD8Async");
    gpu_leave();
    for (int i = 0; i <= BEST_OF && to && from; i++) { /* the first does not count */
        gpu_begin();
        gpu_enter();
        must(gpu.m->d->copy(to, from, bytes, gpu.m->stream), "cuMemcpyDtoDAsync");
        gpu_leave();
        const double ms = gpu_end();
        if (i && ms > 0 && 2e3 * (double)bytes / ms > best) best = 2e3 * (double)bytes / ms;
    }
    gpu_free(from);
    gpu_free(to);
    return best;
}

/* peak(out, turns): each thread goes `turns` times through what `body` says; its first sum is stored, so that it is not left out. */
static void kernel_text(bz_text *t, unsigned target, void body(bz_text *t)) {
    bz_textf(t,
             ".version 7.0\n.target sm_%u\n.address_size 64\n"
             ".visible .entry peak(.param .u64 out, .param .u32 turns)\n{\n"
             ".reg .f32 %%f<64>;\n.reg .b32 %%r<16>;\n.reg .b64 %%q<4>;\n.reg .pred %%p;\n"
             "ld.param.u64 %%q0, [out];\nld.param.u32 %%r0, [turns];\nmov.u32 %%r1, %%tid.x;\n"
             "mov.u32 %%r2, %%ctaid.x;\nmad.lo.u32 %%r2, %%r2, %d, %%r1;\n"
             "cvt.rn.f32.u32 %%f0, %%r1;\nmov.f32 %%f1, 0f3F000000;\n", /* 0.5 */
             target, THREADS);
    for (int i = 2; i < 64; i++) bz_textf(t, "mov.f32 %%f%d, %%f0;\n", i);
    for (int i = 3; i < 9; i++) bz_textf(t, "xor.b32 %%r%d, %%r1, 0x3f803f80;\n", i); /* 1, 1 */
    bz_textf(t, "turn:\n");
    body(t);
    bz_textf(t, "sub.u32 %%r0, %%r0, 1;\nsetp.ne.u32 %%p, %%r0, 0;\n@%%p bra turn;\n");
    for (int i = 3; i < 64; i++) bz_textf(t, "add.f32 %%f2, %%f2, %%f%d;\n", i);
    bz_textf(t, "mad.wide.u32 %%q1, %%r2, 4, %%q0;\nst.global.f32 [%%q1], %%f2;\nret;\n}\n");
}

static void fma_body(bz_text *t) {
    for (int k = 0; k < UNROLLED; k++)
        for (int i = 2; i < 2 + CHAINS; i++)
            bz_textf(t, "fma.rn.f32 %%f%d, %%f%d, %%f1, %%f0;\n", i, i);
}

/* Tiles of 16 x 8 sums, 16 deep. */
static void mma_body(bz_text *t) {
    for (int k = 0; k < TILES; k++) {
        const int f = 2 + 4 * k;
        bz_textf(
            t,
            "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%%f%d, %%f%d, %%f%d, %%f%d}, "
            "{%%r3, %%r4, %%r5, %%r6}, {%%r7, %%r8}, {%%f%d, %%f%d, %%f%d, %%f%d};\n",
            f, f + 1, f + 2, f + 3, f, f + 1, f + 2, f + 3);
    }
}

/* Operations a second of a kernel of which a thread does so many in a turn. */
static double rate_of(const bz_text *text, double ops, bool tiny) {
    const unsigned blocks = tiny ? 1 : gpu.m->processors * BLOCKS;
    unsigned turns = tiny ? FEW_TURNS : TURNS;
    cu_address out = gpu_memory(NULL, (size_t)blocks * THREADS * sizeof(float));
    void *args[] = {&out, &turns};
    cu_module module;
    cu_function f;
    bz_error e = {0};
    double best = 0;
    gpu_enter();
    if (cuda_load(gpu.m, bz_text_c(text), "a kernel of the bench's", &module, &e)) {
        fprintf(stderr, "bench: %s\n", e.text);
        exit(1);
    }
    must(gpu.m->d->module_function(&f, module, "peak"), "cuModuleGetFunction");
    gpu_leave();
    for (int i = 0; i <= (tiny ? 1 : BEST_OF); i++) {
        gpu_begin();
        gpu_enter();
        must(gpu.m->d->launch(f, blocks, 1, 1, THREADS, 1, 1, 0, gpu.m->stream, args, NULL),
             "cuLaunchKernel");
        gpu_leave();
        const double s = 1e-3 * gpu_end(), rate = ops * turns * blocks * THREADS / s;
        if (i && s > 0 && rate > best) best = rate;
    }
    gpu_enter();
    gpu.m->d->module_free(module);
    gpu_leave();
    gpu_free(out);
    return best;
}

double gpu_fma_rate(bool tiny) {
    bz_text t = {0};
    kernel_text(&t, 75, fma_body);
    const double rate = rate_of(&t, 2.0 * CHAINS * UNROLLED, tiny);
    bz_text_free(&t);
    return rate;
}

double gpu_mma_rate(bool tiny) {
    bz_text t = {0};
    if (gpu.arch < 80) return 0;
    kernel_text(&t, 80, mma_body);
    const double rate = rate_of(&t, TILES * 2.0 * 16 * 8 * 16 / 32, tiny); /* a warp does a tile */
    bz_text_free(&t);
    return rate;
}

/* ---- what is counted */

double gpu_counter(const char *what) {
    return gpu.counter ? (double)gpu.counter(NULL, what) : 0;
}
