/* bench_ptx.c - the interpreter's speeds: parsing, the first launch, small launches, f32 code with
 * all checks.
 *
 *   bench_ptx FILE.ptx...     (any files: they are only parsed)
 */
#include "ptxrun.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ELEMENTS = 1 << 20, TERMS = 24, REPEATS = 9 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static ptx_module *load(const char *text, size_t len) {
    char words[512] = "";
    ptx_log log = {words, sizeof words, 0, 0};
    ptx_target target = {.sm = 120};
    ptx_module *m = ptx_load(text, len, &target, &log);
    if (!m) fprintf(stderr, "bench_ptx: %s", words);
    return m;
}

static void parsing(int n, char **paths) {
    static char text[1 << 22];
    double bytes = 0, seconds = 0;
    for (int k = 0; k < n; k++) {
        FILE *f = fopen(paths[k], "rb");
        size_t len = f ? fread(text, 1, sizeof text, f) : 0;
        if (f) fclose(f);
        double best = 1e9;
        for (int r = 0; r < REPEATS; r++) {
            double start = now();
            ptx_unload(load(text, len));
            double took = now() - start;
            best = took < best ? took : best;
        }
        bytes += (double)len;
        seconds += best;
    }
    if (n) printf("parsing and decoding        %8.1f MB/s\n", bytes / seconds * 1e-6);
}

static void small_launches(void) {
    static const char text[] = ".version 8.0\n.target sm_80\n.entry k() { ret; }\n";
    double start = now();
    ptx_module *m = load(text, sizeof text - 1);
    ptx_launch_params p = {.module = m,
                           .kernel = ptx_kernel_at(m, 0),
                           .grid = {1, 1, 1},
                           .block = {32, 1, 1},
                           .checks = PTX_CHECK_ALL};
    ptx_result r;
    ptx_launch(&p, NULL, &r);
    ptx_result_free(&r);
    printf("start to first launch's end %8.3f ms\n", (now() - start) * 1e3);
    start = now();
    for (int k = 0; k < 10000; k++) {
        ptx_launch(&p, NULL, &r);
        ptx_result_free(&r);
    }
    printf("an empty launch             %8.2f us\n", (now() - start) * 1e2);
    ptx_unload(m);
}

/* y[i] = a polynomial of x[i] by Horner's rule, four elements a thread. */
static size_t polynomial(char *text, size_t cap) {
    size_t n = (size_t)snprintf(
        text, cap,
        ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 x, .param "
        ".u64 y) {\n"
        ".reg .b32 %%r<4>;\n.reg .b64 %%d<4>;\n.reg .f32 %%f<12>;\nld.param.u64 %%d1, [x];\n"
        "ld.param.u64 %%d2, [y];\nmov.u32 %%r1, %%ctaid.x;\nmov.u32 %%r2, %%ntid.x;\nmov.u32 %%r3, "
        "%%tid.x;\n"
        "mad.lo.u32 %%r1, %%r1, %%r2, %%r3;\nmad.wide.u32 %%d1, %%r1, 16, %%d1;\n"
        "mad.wide.u32 %%d2, %%r1, 16, %%d2;\nld.global.v4.f32 {%%f0, %%f1, %%f2, %%f3}, [%%d1];\n");
    for (int k = 0; k < TERMS; k++)
        for (int e = 0; e < 4; e++)
            n += (size_t)snprintf(text + n, cap - n,
                                  k ? "fma.rn.f32 %%f%d, %%f%d, %%f%d, 0f%08X;\n"
                                    : "mov.f32 %%f%d, %%f%d;\n",
                                  4 + e, k ? 4 + e : e, e, 0x3f000000u + (unsigned)k);
    n += (size_t)snprintf(text + n, cap - n,
                          "st.global.v4.f32 [%%d2], {%%f4, %%f5, %%f6, %%f7};\nret;\n}\n");
    return n;
}

static void float_code(const char *what, unsigned checks) {
    static char text[16384];
    static run_memory memory;
    ptx_module *m = load(text, polynomial(text, sizeof text));
    ptx_extent *x = memory_new(&memory, ELEMENTS * 4, 256, "x"),
               *y = memory_new(&memory, ELEMENTS * 4, 256, "y");
    memset(x->host, 0, ELEMENTS * 4);
    ptx_shadow_mark(x->shadow, 0, ELEMENTS * 4);
    uint64_t params[2] = {x->base, y->base};
    ptx_memory find = {&memory, memory_find, NULL};
    ptx_launch_params p = {.module = m,
                           .kernel = ptx_kernel_at(m, 0),
                           .grid = {ELEMENTS / 1024, 1, 1},
                           .block = {256, 1, 1},
                           .params = params,
                           .param_bytes = sizeof params,
                           .host_threads = 1,
                           .checks = checks,
                           .memory = &find};
    double best = 1e9;
    ptx_counters c = {0};
    for (int k = 0; k < REPEATS; k++) {
        ptx_result r;
        double start = now();
        memset(&c, 0, sizeof c);
        ptx_launch(&p, &c, &r);
        double took = now() - start;
        best = took < best ? took : best;
        if (r.status != PTX_OK || r.reports) fprintf(stderr, "bench_ptx: %s\n", r.message);
        ptx_result_free(&r);
    }
    printf("f32 code, %-17s %8.2f G lane instructions/s a core\n", what,
           (double)c.lane_instructions / best * 1e-9);
    memory_drop(&memory);
    ptx_unload(m);
}

int main(int argc, char **argv) {
    small_launches();
    parsing(argc - 1, argv + 1);
    float_code("all checks", PTX_CHECK_ALL);
    float_code("no checks", 0);
    return 0;
}
