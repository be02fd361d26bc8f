/* test_export_cuda.c - exports for GPUs as a stranger uses them: C programs of gcc's alone, on the emulated driver, with the bits of the
 * same programs exported for processors. */
#include "src/codegen/nvrtc.h"
#include "tests/support/artefact.h"
#include "tests/support/fakecuda.h"
#include "tests/support/plan_run.h"

#include <braze/braze.h>

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char dir[] = "/tmp/braze-export-XXXXXX";
static bz_context *c;

static bool compiles(void) {
    bz_error e = {0};
    return !nvrtc_open(&e);
}

/* Runs a command in the directory; its output is the test's words when it fails. */
static int status_of(const char *command) {
    char line[2000];
    const char *cc = getenv("CC") ? getenv("CC") : "cc", *fake = getenv("BRAZE_FAKECUDA");
    snprintf(line, sizeof line,
             "cd %s && export CC='%s' BRAZE_FAKE_EXIT=77 BRAZE_FAKE_MEM=512 BRAZE_LIBCUDA='%s' "
             "BRAZE_FAKE_DEVICES=80 && (%s) >log 2>&1",
             dir, cc, fake ? fake : "build/libbraze-fakecuda.so", command);
    return system(line);
}

static void sh(const char *command) {
    char text[4000] = "", path[100];
    if (status_of(command) == 0) return;
    snprintf(path, sizeof path, "%s/log", dir);
    FILE *f = fopen(path, "r");
    if (f) text[fread(text, 1, sizeof text - 1, f)] = 0;
    if (f) fclose(f);
    cr_assert(false, "%s: %s", command, text);
}

static void write_text(const char *name, const char *text) {
    char path[100];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    cr_assert(f && fputs(text, f) >= 0);
    fclose(f);
}

static void open_all(void) {
    if (!compiles()) cr_skip_test("no NVRTC");
    if (getenv("BRAZE_QUICK")) setenv("BRAZE_NVRTCFLAGS", "--Ofast-compile=mid", 0);
    cr_assert(mkdtemp(dir));
    cr_assert_eq(bz_open(NULL, &c), BZ_OK);
    sh("mkdir cpu gpu");
}

static void close_all(void) {
    bz_close(c);
    c = NULL;
    if (dir[sizeof dir - 2] == 'X') return;
    sh("rm -r cpu gpu");
    status_of("rm -f *");
    remove(dir);
}

TestSuite(export_cuda, .init = open_all, .fini = close_all, .timeout = 300);

/* Both exports of n functions, as cpu/NAME.o and gpu/NAME.o. */
static void export_both(const bz_export_function *f, int n, const char *name, bz_export_options o) {
    char prefix[100];
    for (int gpu = 0; gpu < 2; gpu++) {
        o.device = gpu ? BZ_CUDA : BZ_CPU;
        if (gpu && !o.gpus) o.gpus = "sm_80";
        snprintf(prefix, sizeof prefix, "%s/%s/%s", dir, gpu ? "gpu" : "cpu", name);
        cr_assert_eq(bz_export_all(f, n, prefix, &o), BZ_OK, "%s", bz_message(c));
    }
}

/* main.c becomes ./cpu/main and, of host arrays and of memory of the device, ./gpu/main and ./gpu/device. */
static void build(const char *object, const char *text) {
    char command[1000];
    write_text("main.c", text);
    snprintf(command, sizeof command,
             "warn='-std=c11 -Wall -Wextra -Wpedantic -Wstrict-prototypes -Werror -O1' &&"
             " $CC $warn -Icpu main.c cpu/%s.o cpu/braze_rt.o -lm -lpthread -o cpu/main &&"
             " for d in main device; do $CC $warn -DGPU -DON_$d -Igpu main.c gpu/%s.o"
             " gpu/braze_rt_cuda.o -ldl -lpthread -o gpu/$d || exit 1; done",
             object, object);
    sh(command);
}

/* What all clients begin with: `up` gives the program's array, or with -DON_device its copy on the device; `down` copies back. */
static const char head[] =
    "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"
    "static void fill(float *p, int n, int seed) {\n"
    "    for (int i = 0; i < n; i++) p[i] = (float)((i * 37 + seed * 11) % 23) / 16 - 0.7f;\n}\n"
    "static void show(const void *p, size_t n) {\n"
    "    unsigned hash = 0;\n"
    "    for (size_t i = 0; i < n; i++) hash = hash * 31 + ((const unsigned char *)p)[i];\n"
    "    printf(\"%08x\\n\", hash);\n}\n"
    "#ifdef ON_device\n"
    "static void *up(const void *p, size_t n) {\n"
    "    void *d = bz_rt_cuda_alloc(n);\n"
    "    if (!d || bz_rt_cuda_copy_in(d, p, n)) puts(bz_rt_cuda_error()), exit(9);\n"
    "    return d;\n}\n"
    "static void down(void *to, const void *from, size_t n) {\n"
    "    if (bz_rt_cuda_copy_out(to, from, n)) puts(bz_rt_cuda_error()), exit(9);\n}\n"
    "#define RUN(f, a) f##_device(a, NULL)\n"
    "#else\n"
    "static void *up(void *p, size_t n) { (void)n; return p; }\n"
    "static void down(void *to, const void *from, size_t n) {"
    " if (to != from) memcpy(to, from, n); }\n"
    "#define RUN(f, a) f(a)\n#endif\n"
    "#define UP(x) up(x, sizeof x)\n#define DOWN(x, from) down(x, from, sizeof x)\n";

static const char *client(const char *header, const char *body) {
    static char text[8000];
    snprintf(text, sizeof text, "#include \"%s.h\"\n%s%s", header, head, body);
    return text;
}

static bz_tensor *numbers(int64_t rows, int64_t columns, int seed) {
    float v[512];
    for (int i = 0; i < 512; i++) v[i] = (float)((i * 37 + seed * 11) % 23) / 16 - 0.7f;
    return bz_from_data(c, BZ_F32, v, BZ_SHAPE(rows, columns));
}

/* ---- a training step: donated weights, labels, a rate by value, dropout, a captured tensor */

enum { BATCH = 8, IN = 12, HIDDEN = 20, CLASSES = 5, WEIGHTS = 4, NIN = 7, NOUT = 5 };

static bz_status step(bz_context *x, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *user) {
    (void)nin, (void)nout;
    bz_tensor *h = bz_relu(bz_add(bz_matmul(in[4], in[0]), in[1])), *g[WEIGHTS];
    bz_tensor *keep = bz_lt(bz_rand(x, BZ_SHAPE(BATCH, HIDDEN), BZ_F32), 0.75);
    h = bz_mul(bz_where(keep, h, 0), user);
    bz_tensor *loss = bz_cross_entropy(bz_add(bz_matmul(h, in[2]), in[3]), in[5]);
    bz_status s = bz_grad(loss, in, WEIGHTS, g);
    for (int i = 0; i < WEIGHTS; i++) out[i] = bz_sub(in[i], bz_mul(g[i], in[6]));
    out[WEIGHTS] = loss;
    return s;
}

static const char training[] =
    "enum { STEPS = 6 };\n"
    "static float x[8 * 12], w0[12 * 20], b0[20], w1[20 * 5], b1[5], scale[20], loss[1];\n"
    "static int64_t y[8] = {1, 4, 0, 2, 2, 3, 1, 0};\n"
    "int main(void) {\n"
    "    fill(x, 96, 1), fill(w0, 240, 2), fill(w1, 100, 3), fill(scale, 20, 4);\n"
    "    struct step_args a = {.w0 = UP(w0), .b0 = UP(b0), .w1 = UP(w1), .b1 = UP(b1), .x = "
    "UP(x),\n"
    "                          .y = UP(y), .lr = 0.125f, .loss = UP(loss), .random_seed = 7,\n"
    "                          .scale = UP(scale)};\n"
    "#if defined ON_device && defined WORKSPACE\n"
    "    a.workspace = bz_rt_cuda_alloc(a.workspace_bytes = step_workspace());\n"
    "    if (!a.workspace_bytes || !a.workspace) return 8;\n#endif\n"
    "    for (int i = 0; i < STEPS; i++, a.random_place += 160) {\n"
    "        int s = RUN(step, &a);\n"
    "        if (s) { puts(step_error(s)); return 1; }\n"
    "        DOWN(loss, a.loss);\n        show(loss, 4);\n    }\n"
    "    DOWN(w0, a.w0), DOWN(b1, a.b1);\n    show(w0, sizeof w0), show(b1, sizeof b1);\n"
    "#ifdef ON_device\n"
    "    void *all[] = {(void *)a.x, a.w0, a.b0, a.w1, a.b1, (void *)a.y, a.loss, (void "
    "*)a.scale,\n"
    "                   a.workspace};\n"
    "    for (int i = 0; i < 9; i++) bz_rt_cuda_free(all[i]);\n#endif\n"
    "#ifdef GPU\n    bz_rt_cuda_stop();\n#endif\n"
    "    return 0;\n}\n";

static bz_program *train_step(void) {
    static const char *const in[] = {"w0", "b0", "w1", "b1", "x", "y", "lr"}, *const out[] = {
                                                                                  NULL, NULL, NULL,
                                                                                  NULL, "loss"};
    const bz_compile_options o = {.nin = NIN,
                                  .nout = NOUT,
                                  .donate = (int[]){0, 1, 2, 3, -1, -1, -1},
                                  .in_names = in,
                                  .out_names = out};
    return bz_compile(c, step, bz_name(bz_ones(c, BZ_SHAPE(HIDDEN), BZ_F32), "scale"), &o);
}

static void train_inputs(bz_tensor *in[NIN]) {
    in[0] = numbers(IN, HIDDEN, 2), in[1] = bz_zeros(c, BZ_SHAPE(HIDDEN), BZ_F32);
    in[2] = numbers(HIDDEN, CLASSES, 3), in[3] = bz_zeros(c, BZ_SHAPE(CLASSES), BZ_F32);
    in[4] = numbers(BATCH, IN, 1), in[5] = bz_zeros(c, BZ_SHAPE(BATCH), BZ_I64);
    in[6] = bz_zeros(c, NULL, 0, BZ_F32);
}

Test(export_cuda, a_training_step_has_the_processors_bits) {
    bz_tensor *in[NIN];
    train_inputs(in);
    const bz_export_function f = {train_step(), in, "step", NULL};
    export_both(&f, 1, "step", (bz_export_options){0});
    build("step", client("step", training));
    sh("cpu/main >want && [ $(sort -u want | wc -l) -ge 7 ]");
    sh("for d in 80 90; do for p in main device; do for g in 0 1; do"
       " BRAZE_GRAPHS=$g BRAZE_FAKE_DEVICES=$d gpu/$p >got && cmp got want || exit 1;"
       " done; done; done");
    if (!getenv("BRAZE_QUICK"))
        sh("for s in 2 3 4 5; do for d in 86 100 120; do BRAZE_FAKE_SEED=$s BRAZE_FAKE_DEVICES=$d"
           " gpu/device >got && cmp got want || exit 1; done; done");
    sh("! BRAZE_FAKE_DEVICES=75 gpu/main >got && grep '^.cuda. cuModuleLoadDataEx of kernels: .*"
       "CUDA_ERROR_NO_BINARY_FOR_GPU' got");
    sh("$CC -DWORKSPACE -DGPU -DON_device -Igpu main.c gpu/step.o gpu/braze_rt_cuda.o -ldl "
       "-lpthread -o own"
       " && ./own | cmp - want");
}

/* ---- what it stands on */

static bz_status twice(bz_context *x, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                       void *user) {
    (void)x, (void)nin, (void)nout;
    out[0] = user ? bz_add(bz_mul(in[0], 2), user) : bz_mul(in[0], 2);
    return BZ_OK;
}

static bz_program *small(bz_function *fn, void *user, const char *in) {
    const bz_compile_options o = {.nin = 1,
                                  .nout = 1,
                                  .in_names = (const char *const[]){in},
                                  .out_names = (const char *const[]){"y"}};
    return bz_compile(c, fn, user, &o);
}

static void export_twice(const char *name) {
    bz_tensor *x = numbers(3, 4, 1);
    const bz_export_function f = {small(twice, NULL, "x"), &x, name, NULL};
    export_both(&f, 1, name, (bz_export_options){0});
}

static const char doubling[] =
    "static float x[12], y[12];\nint main(void) {\n    fill(x, 12, 1);\n"
    "    struct twice_args a = {.x = UP(x), .y = UP(y)};\n"
    "    int s = RUN(twice, &a);\n    puts(twice_error(s));\n"
    "    if (s) { printf(\"%d\\n\", s); return 1; }\n"
    "    DOWN(y, a.y);\n    show(y, sizeof y);\n"
    "    a.x = NULL;\n    puts(twice_error(RUN(twice, &a)));\n    return 0;\n}\n";

Test(export_cuda, it_needs_libc_alone) {
    export_twice("twice");
    build("twice", client("twice", doubling));
    sh("nm -u gpu/twice.o | sed 's/.* U //' | sort | tr '\\n' ' ' >got && echo "
       "bz_rt_cuda_call_device_v1 bz_rt_cuda_call_v1 bz_rt_cuda_error_v1 bz_rt_cuda_workspace_v1"
       " >want && echo >>got && diff -w want got");
    sh("! nm -u gpu/braze_rt_cuda.o | grep -vE ' U (_GLOBAL_OFFSET_TABLE_|calloc|"
       "dprintf|dlclose|dlerror|dlopen|dlsym|free|malloc|memcmp|memcpy|memset|pthread_[a-z_]+|"
       "secure_getenv|snprintf|strcmp|strlen|strtol)$'");
    sh("! readelf -dW gpu/main | grep NEEDED | grep -vE 'lib(c|dl|pthread)\\.so'");
    sh("$CC -shared -Wl,-z,text,-z,defs gpu/twice.o gpu/braze_rt_cuda.o -ldl -lpthread -o lib.so");
    sh("! readelf -lW gpu/main | grep GNU_STACK | grep RWE");
    write_text("two.cpp", "#include \"twice.h\"\n");
    sh("! command -v c++ || c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -Igpu -fsyntax-only"
       " two.cpp");
    sh("cpu/main >want && BRAZE_FAKE_LEAKS=0 gpu/main >got && cmp got want && grep 'argument x is "
       "NULL' got");
}

Test(export_cuda, without_a_driver_it_is_a_status) {
    export_twice("twice");
    build("twice", client("twice", doubling));
    sh("! BRAZE_LIBCUDA=/nowhere.so gpu/main >got && grep '^1$' got && grep '^.cuda. no usable "
       "driver: /nowhere.so: .* (looked for /nowhere.so; .BRAZE_LIBCUDA names' got");
    sh("! BRAZE_LIBCUDA=$PWD/gpu/main gpu/main >got && grep 'no usable driver' got");
    sh("! BRAZE_FAKE_DEVICES=0 gpu/main >got && grep '^1$' got && grep '^.cuda. no usable driver: "
       "cuInit: CUDA_ERROR_NO_DEVICE' got");
    sh("! BRAZE_LIBCUDA=/nowhere.so gpu/device >got && grep 'no usable driver' got");
    sh("! BRAZE_FAKE_FAIL=cuMemAlloc_v2:1:2 gpu/main >got && grep '^2$' got && grep '^.cuda. "
       "cuMemAlloc: CUDA_ERROR_OUT_OF_MEMORY' got");
}

/* A program that was exported for processors, beside it. */
Test(export_cuda, processors_and_gpus_in_one_program) {
    export_twice("twice");
    export_twice("again");
    write_text("main.c", "#include <stdio.h>\n#include \"gpu/twice.h\"\n#include \"cpu/again.h\"\n"
                         "int main(void) {\n    float x[12] = {1, 2, 3}, y[12], z[12];\n"
                         "    struct twice_args a = {.x = x, .y = y};\n"
                         "    struct again_args b = {.x = y, .y = z};\n"
                         "    if (twice(&a) || again(&b)) return 1;\n    bz_rt_cuda_stop();\n"
                         "    return z[0] == 4 && z[2] == 12 ? 0 : 2;\n}\n");
    sh("for o in 'gpu/braze_rt_cuda.o cpu/braze_rt.o' 'cpu/braze_rt.o gpu/braze_rt_cuda.o'; do"
       " $CC -Wall -Werror main.c gpu/twice.o cpu/again.o $o -lm -ldl -lpthread -o both && ./both"
       " || exit 1; done");
}

/* ---- the caller's own context and stream */

static const char own_stream[] =
    "#include <dlfcn.h>\n"
    "static float x[12], y[12];\nint main(void) {\n"
    "    void *lib = dlopen(getenv(\"BRAZE_LIBCUDA\"), RTLD_NOW), *context, *stream, *other;\n"
    "#define F(name, ...) int (*name)(__VA_ARGS__) = (int (*)(__VA_ARGS__))(size_t)dlsym(lib, "
    "#name)\n"
    "    F(cuInit, unsigned);\n    F(cuCtxCreate_v2, void **, unsigned, int);\n"
    "    F(cuStreamCreate, void **, unsigned);\n    F(cuStreamSynchronize, void *);\n"
    "    F(cuCtxGetCurrent, void **);\n    F(cuStreamDestroy_v2, void *);\n"
    "    F(cuCtxDestroy_v2, void *);\n"
    "    fill(x, 12, 1);\n"
    "    if (cuInit(0) || cuCtxCreate_v2(&context, 0, 1) || cuStreamCreate(&stream, 1)) return 2;\n"
    "    struct twice_args a = {.x = UP(x), .y = UP(y)}, b = {.x = a.y, .y = UP(y)};\n"
    "    if (cuStreamCreate(&other, 1)) return 3;\n"
    "    for (int i = 0; i < 4; i++)\n"
    "        if (twice_device(&a, stream) || twice_device(&b, stream)) return 4;\n"
    "    if (cuStreamSynchronize(stream) || twice_device(&b, other)) return 5;\n"
    "    if (cuStreamSynchronize(other)) return 6;\n"
    "    DOWN(y, b.y);\n"
    "    for (int i = 0; i < 12; i++) if (y[i] != 4 * x[i]) return 7;\n"
    "    for (int i = 0; i < 12; i++) y[i] = 0;\n"
    "    struct twice_args h = {.x = x, .y = y};\n"
    "    if (twice(&h) || y[3] != 2 * x[3]) return 8;\n"
    "    if (cuCtxGetCurrent(&other) || other != context) return 9;\n"
    "    bz_rt_cuda_free(b.y), bz_rt_cuda_free(a.y), bz_rt_cuda_free((void *)a.x);\n"
    "    bz_rt_cuda_stop();\n"
    "    return cuStreamDestroy_v2(stream) || cuCtxDestroy_v2(context) ? 10 : 0;\n}\n";

Test(export_cuda, a_callers_context_and_stream) {
    export_twice("twice");
    write_text("main.c", client("twice", own_stream));
    sh("$CC -O1 -DON_device -Igpu main.c gpu/twice.o gpu/braze_rt_cuda.o -ldl -lpthread -o own");
    sh("for s in 1 2 3; do BRAZE_FAKE_SEED=$s BRAZE_FAKE_DEVICES=80,90 ./own || exit 1; done");
}

/* ---- a step that is replayed */

static bz_status fits(bz_context *x, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *user) {
    (void)x, (void)nin, (void)nout, (void)user;
    bz_tensor *loss = bz_mse_loss(bz_tanh(bz_matmul(in[1], in[0])), in[2]), *g;
    bz_status s = bz_grad(loss, in, 1, &g);
    out[0] = bz_sub(in[0], bz_mul(g, in[3]));
    out[1] = loss;
    return s;
}

/* What the driver is asked for in each of ten steps, the last three with another number of the call and other memory. */
static const char replay[] =
    "#include <dlfcn.h>\n"
    "static float x[32 * 24], y[32 * 40], w[24 * 40], loss[1];\n"
    "static unsigned long long (*calls)(const char *);\n"
    "static const char *const names[] = {\"cuGraphLaunch\", \"cuLaunchKernel\",\n"
    "    \"cuGraphExecKernelNodeSetParams_v2\", \"cuEventRecord\", \"cuStreamWaitEvent\",\n"
    "    \"cuMemAlloc_v2\", \"cuMemcpyHtoDAsync_v2\", \"cuMemcpyDtoDAsync_v2\",\n"
    "    \"cuStreamSynchronize\", \"cuEventSynchronize\", \"cuMemsetD8Async\"};\n"
    "int main(int n, char **arg) {\n    (void)arg;\n"
    "    void *lib = dlopen(getenv(\"BRAZE_LIBCUDA\"), RTLD_NOW);\n"
    "    *(void **)&calls = dlsym(lib, \"braze_fake_calls\");\n"
    "    fill(x, 32 * 24, 1), fill(y, 32 * 40, 2), fill(w, 24 * 40, 3);\n"
    "    struct fits_args a = {.w = UP(w), .x = UP(x), .y = UP(y), .rate = 0.5f, .loss = "
    "UP(loss)};\n"
    "    if (n > 1) a.workspace = bz_rt_cuda_alloc(a.workspace_bytes = fits_workspace());\n"
    "    const float *other = UP(x);\n    size_t before[11];\n"
    "    for (int i = 0; i < 10; i++) {\n"
    "        if (i == 8) a.rate = 0.25f;\n        if (i == 9) a.x = other;\n"
    "        for (int k = 0; k < 11; k++) before[k] = calls(names[k]);\n"
    "        int s = fits_device(&a, NULL);\n"
    "        if (s) { puts(fits_error(s)); return 1; }\n"
    "        printf(\"%d:\", i);\n"
    "        for (int k = 0; k < 11; k++) printf(\" %d\", (int)(calls(names[k]) - before[k]));\n"
    "        puts(\"\");\n    }\n"
    "    DOWN(loss, a.loss);\n    bz_rt_cuda_stop();\n    return 0;\n}\n";

Test(export_cuda, a_step_is_one_launch) {
    const bz_compile_options o = {.nin = 4,
                                  .nout = 2,
                                  .donate = (int[]){0, -1, -1, -1},
                                  .in_names = (const char *const[]){"w", "x", "y", "rate"},
                                  .out_names = (const char *const[]){NULL, "loss"}};
    bz_tensor *in[] = {bz_zeros(c, BZ_SHAPE(24, 40), BZ_F32), bz_zeros(c, BZ_SHAPE(32, 24), BZ_F32),
                       bz_zeros(c, BZ_SHAPE(32, 40), BZ_F32), bz_zeros(c, NULL, 0, BZ_F32)};
    const bz_export_function f = {bz_compile(c, fits, NULL, &o), in, "fits", NULL};
    export_both(&f, 1, "fits", (bz_export_options){0});
    write_text("main.c", client("fits", replay));
    sh("$CC -O1 -DON_device -Igpu main.c gpu/fits.o gpu/braze_rt_cuda.o -ldl -lpthread -o own");
    sh("export BRAZE_FAKE_LEAKS=0; ./own >got && [ $(grep -c '^[2-7]: 1 0 0 1 1 0 0 0 0 0 0$' got) "
       "= 6 ] &&"
       " grep '^8: 1 0 [12] 1 1 0 0 0 0 0 0$' got && grep '^9: 1 0 [12] 1 1 0 0 0 0 0 0$' got || ! "
       "cat got");
    sh("export BRAZE_FAKE_LEAKS=0; ./own given >got && [ $(grep -c '^[2-7]: 1 0 0 0 0 0 0 0 0 0 "
       "0$' got) = 6 ]"
       " || ! cat got");
}

/* ---- several functions, captured tensors baked */

static bz_tensor *rate; /* 0-d, captured too */

static bz_status picks(bz_context *x, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                       void *user) {
    (void)x, (void)nin, (void)nout;
    out[0] = bz_mul(bz_gather(user, bz_add(in[0], 1), 0), rate);
    return BZ_OK;
}

static const char picking[] =
    "static float x[30], y[30], z[24];\nstatic int64_t at[4] = {3, -2, 0, 2};\n"
    "int main(void) {\n    fill(x, 30, 1);\n"
    "    struct twice_args a = {.x = UP(x), .y = UP(y)};\n"
    "    struct picks_args b = {.at = UP(at), .y = UP(z)};\n"
    "    for (int i = 0; i < 4; i++) {\n"
    "        puts(twice_error(RUN(twice, &a)));\n        puts(picks_error(RUN(picks, &b)));\n"
    "        DOWN(y, a.y), DOWN(z, b.y);\n        show(y, sizeof y), show(z, sizeof z);\n"
    "        at[1]--, at[2]++;\n        b.at = UP(at);\n    }\n"
    "    at[1] = -9, at[2] = 0;\n    b.at = UP(at);\n"
    "    int s = RUN(picks, &b);\n"
    "    printf(\"%d %s\\n\", s & 255, picks_error(s));\n"
    "    at[1] = 1;\n    b.at = UP(at);\n"
    "    puts(picks_error(RUN(picks, &b)));\n    DOWN(z, b.y);\n    show(z, sizeof z);\n"
    "    return 0;\n}\n";

Test(export_cuda, several_functions_and_what_they_bake) {
    bz_tensor *w = bz_name(numbers(5, 6, 9), "w"), *x = numbers(5, 6, 1),
              *at = bz_zeros(c, BZ_SHAPE(4), BZ_I64);
    rate = bz_from_data(c, BZ_F32, &(float){0.3f}, NULL, 0);
    const bz_export_function f[] = {{small(twice, w, "x"), &x, "twice", NULL},
                                    {small(picks, w, "at"), &at, "picks", NULL}};
    export_both(f, 2, "both", (bz_export_options){.bake = true});
    build("both", client("both", picking));
    sh("cpu/main >want && grep '6 .gather. index -8 is outside axis 0 of 5 at' want");
    sh("for p in main device; do BRAZE_FAKE_LEAKS=0 gpu/$p >got && cmp got want || exit 1; done");
}

/* ---- a size that is told */

static const char sizes[] =
    "static float x[40 * 6], y[40 * 6];\nint main(void) {\n    fill(x, 240, 1);\n"
    "    struct rows_args a = {.x = UP(x), .y = UP(y)};\n"
    "    for (int i = 0; i < 130; i++) {\n        a.n = i * 13 % 40 + 1;\n"
    "        int s = RUN(rows, &a);\n        if (s) { puts(rows_error(s)); return 1; }\n"
    "        DOWN(y, a.y);\n        show(y, (size_t)a.n * 24);\n    }\n"
    "    a.n = 41;\n    puts(rows_error(RUN(rows, &a)));\n"
    "#ifdef GPU\n    bz_rt_cuda_stop();\n#endif\n    return 0;\n}\n";

static bz_status rows(bz_context *x, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *user) {
    (void)x, (void)nin, (void)nout, (void)user;
    bz_tensor *mean = bz_mean(in[0], (int[]){0}, 1, true);
    out[0] = bz_softmax(bz_sub(in[0], mean), 1);
    return BZ_OK;
}

Test(export_cuda, a_size_that_is_told) {
    const bz_export_axis axis = {0, 0};
    const bz_export_size n = {"n", 1, 40, &axis, 1};
    bz_tensor *x = numbers(40, 6, 1);
    const bz_export_function f = {small(rows, NULL, "x"), &x, "rows", &n};
    export_both(&f, 1, "rows", (bz_export_options){0});
    build("rows", client("rows", sizes));
    sh("cpu/main >want && grep 'n is no size from 1 to 40' want");
    sh("for p in main device; do BRAZE_FAKE_LEAKS=0 gpu/$p >got && cmp got want || exit 1; done");
}

/* ---- what the kinds of GPUs have: shared memory, matrix units */

enum { KEYS = 1100, SIZE = 8 };

static bz_status attends(bz_context *x, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                         void *user) {
    (void)x, (void)nin, (void)nout, (void)user;
    bz_tensor *q = bz_slice(in[0], (int64_t[]){0}, (int64_t[]){64}, (int64_t[]){1}, 1);
    bz_tensor *p = bz_softmax(bz_matmul(q, bz_transpose(in[0], 0, 1)), 1);
    out[0] = bz_matmul(p, in[0]);
    return BZ_OK;
}

static const char attending[] =
    "static float x[1100 * 8], y[64 * 8];\nint main(void) {\n    fill(x, 8800, 1);\n"
    "    struct attends_args a = {.x = UP(x), .y = UP(y)};\n    int s = RUN(attends, &a);\n"
    "    if (s) { puts(attends_error(s)); return 1; }\n    DOWN(y, a.y);\n    show(y, sizeof y);\n"
    "    return 0;\n}\n";

/* Rows of scores that no 48 KiB hold: of GPUs from 8.0 on a block has 99 KiB, of 7.5 64. */
Test(export_cuda, blocks_ask_for_shared_memory) {
    bz_tensor *x = bz_zeros(c, BZ_SHAPE(KEYS, SIZE), BZ_F32);
    const bz_export_function f = {small(attends, NULL, "x"), &x, "attends", NULL};
    export_both(&f, 1, "attends", (bz_export_options){0});
    build("attends", client("attends", attending));
    sh("cpu/main >want");
    sh("for d in 80 86; do for p in main device; do BRAZE_FAKE_LOG=calls BRAZE_FAKE_DEVICES=$d "
       "BRAZE_FAKE_LEAKS=0 gpu/$p >got && cmp got want && grep -q cuFuncSetAttribute calls || exit "
       "1; "
       "done; done");
    export_both(&f, 1, "attends", (bz_export_options){.gpus = "sm_75"});
    build("attends", client("attends", attending));
    sh("for d in 75 80; do BRAZE_FAKE_DEVICES=$d BRAZE_FAKE_LEAKS=0 gpu/device >got && cmp got "
       "want "
       "|| exit 1; done");
}

static const char multiplying[] =
    "static float x[24 * 24], y[24 * 24];\nint main(void) {\n    double most = 0;\n    fill(x, "
    "576, 1);\n"
    "    struct squares_args a = {.x = UP(x), .y = UP(y)};\n    int s = RUN(squares, &a);\n"
    "    if (s) { puts(squares_error(s)); return 1; }\n    DOWN(y, a.y);\n"
    "    for (int i = 0; i < 576; i++) {\n        double sum = 0;\n"
    "        for (int k = 0; k < 24; k++) sum += (double)x[i / 24 * 24 + k] * x[k * 24 + i % 24];\n"
    "        double off = sum > y[i] ? sum - y[i] : y[i] - sum;\n        if (off > most) most = "
    "off;\n"
    "    }\n    (void)show;\n    printf(\"%g\\n\", most);\n"
    "    return most > 2e-5 && most < 24 * 0.5 / 1024 ? 0 : most < 2e-5 ? 3 : 1;\n}\n";

static bz_status squares(bz_context *x, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                         void *user) {
    (void)x, (void)nin, (void)nout, (void)user;
    out[0] = bz_matmul(in[0], in[0]);
    return BZ_OK;
}

/* A fast context's export multiplies f32 by 8.0's units, rounded to 11 bits; for a 7.5 it is strict. */
Test(export_cuda, fast_contexts_export_fast_products) {
    bz_close(c);
    cr_assert_eq(bz_open(&(bz_options){.numerics = BZ_FAST}, &c), BZ_OK);
    bz_tensor *x = bz_zeros(c, BZ_SHAPE(24, 24), BZ_F32);
    const bz_export_function f = {small(squares, NULL, "x"), &x, "squares", NULL};
    export_both(&f, 1, "squares", (bz_export_options){0});
    build("squares", client("squares", multiplying));
    sh("cpu/main; [ $? = 3 ] && for d in 80 90; do BRAZE_FAKE_DEVICES=$d BRAZE_FAKE_LEAKS=0 "
       "gpu/device || exit 1; done");
    export_both(&f, 1, "squares", (bz_export_options){.gpus = "sm_75"});
    build("squares", client("squares", multiplying));
    sh("BRAZE_FAKE_DEVICES=80 BRAZE_FAKE_LEAKS=0 gpu/device; [ $? = 3 ]");
}

/* ---- threads */

static const char threads[] =
    "#include <pthread.h>\nenum { THREADS = 4, TURNS = 12 };\nstatic float x[12];\n"
    "static void *work(void *failed) {\n    float y[12];\n"
    "    struct twice_args a = {.x = x, .y = y};\n"
    "    for (int i = 0; i < TURNS; i++) {\n        memset(y, 0, sizeof y);\n"
    "        if (twice(&a)) *(int *)failed = 1;\n"
    "        for (int k = 0; k < 12; k++) if (y[k] != 2 * x[k]) *(int *)failed = 2;\n    }\n"
    "    return NULL;\n}\n"
    "int main(void) {\n    pthread_t t[THREADS];\n    int failed[THREADS] = {0}, any = 0;\n"
    "    fill(x, 12, 1);\n"
    "    for (int i = 0; i < THREADS; i++) pthread_create(&t[i], NULL, work, &failed[i]);\n"
    "    for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL), any |= failed[i];\n"
    "#ifdef GPU\n    bz_rt_cuda_stop();\n#endif\n    (void)up, (void)down, (void)show;\n    return "
    "any;\n}\n";

Test(export_cuda, several_threads_call_at_once) {
    export_twice("twice");
    build("twice", client("twice", threads));
    sh("cpu/main && gpu/main && gpu/device");
}

/* ---- sanitizers: the run time as source, what was exported as it is */

Test(export_cuda, sanitizers_find_nothing) {
    const char *root = getenv("BRAZE_SRC");
    char command[1200];
    bz_tensor *in[NIN];
    if (getenv("BRAZE_QUICK")) cr_skip_test("slow");
    export_twice("twice");
    train_inputs(in);
    const bz_export_function f = {train_step(), in, "step", NULL};
    export_both(&f, 1, "step", (bz_export_options){0});
    write_text("threads.c", client("twice", threads));
    write_text("training.c", client("step", training));
    snprintf(command, sizeof command,
             "r='%s'; for x in 'thread threads twice' 'address,undefined threads twice'"
             " 'address,undefined training step' 'thread training step'; do set -- $x;"
             " for d in main device; do"
             " $CC -g -O1 -D_GNU_SOURCE -fsanitize=$1 -fno-sanitize-recover=all -DGPU -DON_$d"
             " -I$r -I$r/include -Igpu $2.c gpu/$3.o $r/runtime/aot/cuda_*.c"
             " $r/runtime/aot/told.c $r/runtime/aot/table.c $r/runtime/aot/sizes.c"
             " $r/runtime/aot/env.c -ldl -lpthread -o own && ./own || exit 1; done; done",
             root ? root : ".");
    sh(command);
}

/* ---- mistakes */

static void refused(const bz_export_options *o, const char *name, bz_status want,
                    const char *words) {
    bz_tensor *x = numbers(3, 4, 1);
    char prefix[100];
    snprintf(prefix, sizeof prefix, "%s/gpu/%s", dir, name);
    cr_expect_eq(bz_export(small(twice, NULL, "x"), &x, prefix, name, o), want);
    cr_expect(strstr(bz_message(c), words), "%s", bz_message(c));
    bz_clear(c);
}

Test(export_cuda, mistakes_leave_no_file) {
    refused(&(bz_export_options){.device = BZ_CUDA, .gpus = "sm_90,sm_80"}, "f", BZ_EARG,
            "gpus: \"sm_90,sm_80\"");
    refused(&(bz_export_options){.device = BZ_CUDA, .gpus = ""}, "f", BZ_EARG, "gpus: \"\"");
    refused(&(bz_export_options){.device = BZ_CUDA, .gpus = "sm_80,"}, "f", BZ_EARG, "gpus");
    refused(&(bz_export_options){.device = (bz_device)9}, "f", BZ_EARG, "device");
    refused(&(bz_export_options){.device = BZ_CUDA, .gpus = "sm_80"}, "braze_rt_cuda", BZ_EARG,
            "name of the run time object");
    bz_tensor *x = numbers(3, 4, 1);
    const bz_export_function f[] = {{small(twice, NULL, "x"), &x, "f", NULL},
                                    {small(twice, NULL, "x"), &x, "f_device", NULL}};
    cr_expect_eq(bz_export_all(f, 2, "/nowhere/f", &(bz_export_options){.device = BZ_CUDA}),
                 BZ_EARG);
    cr_expect(strstr(bz_message(c), "no function can be called f_device beside f"), "%s",
              bz_message(c));
    bz_clear(c);
    sh("[ -z \"$(ls gpu)\" ]");
}

/* ---- calls of the driver that fail */

enum { INVALID_VALUE = 1, NO_MEMORY = 2 };

/* A program of several kernels that are told an index, one that updates an input, a constant, a number. */
static const char faulty[] =
    "graph main(t: f32[9,8], at: i64[5], w: f32[8,8], r: f32[]) { %1 = gather %t %at\n"
    " %2 = softmax %1\n %3 = matmul %2 %w\n %4 = sum %3 {axes=[0]}\n %5 = mul %4 %r\n"
    " %6 = sub %w %5\n %7 = const {value=[1,2,3,4,5,6,7,8]} : f32[8]\n %8 = add %4 %7\n"
    " return %6 as v donate w, %8 as y }";

static void fault_inputs(const ir_graph *g, ir_value_array *in) {
    random_inputs(g, in, 3);
    for (int i = 0; i < 5; i++) ((int64_t *)in[1].data)[i] = (i * 7) % 9;
}

/* What need not be told: it is done all the same. */
static bool may_pass(const char *failed) {
    static const char *const any[] = {"Free",
                                      "Destroy",
                                      "Unload",
                                      "Release",
                                      "cuCtxPopCurrent",
                                      "cuGraphCreate",
                                      "cuGraphAddKernelNode",
                                      "cuGraphInstantiate",
                                      "cuGraphExecKernelNodeSetParams"};
    for (size_t i = 0; i < BZ_LEN(any); i++)
        if (strstr(failed, any[i])) return true;
    return false;
}

enum { FIELDS = 16, WEIGHT = 64, SUMS = 8 };

/* Two runs, the second of which makes a graph, on arrays of the host or of the device. */
typedef struct scenario {
    const artefact *a;
    bool device;
    char args[256];
    void *at[FIELDS];
    float v[WEIGHT + SUMS]; /* what they gave */
} scenario;

static void set_up(scenario *k) {
    const ex_fields *f = &k->a->fields;
    ir_value_array in[FIELDS];
    fault_inputs(k->a->g, in);
    memset(k->args, 0, sizeof k->args);
    for (uint32_t i = 0; i < f->ninputs + f->noutputs; i++) {
        const ex_field *x = i < f->ninputs ? &f->input[i] : &f->output[i - f->ninputs];
        const size_t bytes = (size_t)x->count * (x->align == 8 ? 8 : 4);
        k->at[i] = k->device ? bz_rt_cuda_alloc(1024) : calloc(1024, 1);
        cr_assert(k->at[i] && bytes <= 1024);
        if (i < f->ninputs && k->device) bz_rt_cuda_copy_in(k->at[i], in[i].data, bytes);
        if (i < f->ninputs && !k->device) memcpy(k->at[i], in[i].data, bytes);
        if (!x->align)
            memcpy(k->args + x->at, in[i].data, sizeof(float));
        else if (x->name)
            memcpy(k->args + x->at, &k->at[i], sizeof k->at[i]);
    }
    free_values(in, f->ninputs);
}

static void take_down(scenario *k, bool well) {
    const ex_fields *f = &k->a->fields;
    const void *w = k->at[2], *y = k->at[f->ninputs + 1];
    memset(k->v, 0, sizeof k->v);
    if (well && k->device) {
        bz_rt_cuda_copy_out(k->v, w, WEIGHT * sizeof(float));
        bz_rt_cuda_copy_out(k->v + WEIGHT, y, SUMS * sizeof(float));
    } else if (well) {
        memcpy(k->v, w, WEIGHT * sizeof(float));
        memcpy(k->v + WEIGHT, y, SUMS * sizeof(float));
    }
    for (uint32_t i = 0; i < f->ninputs + f->noutputs; i++)
        k->device ? bz_rt_cuda_free(k->at[i]) : free(k->at[i]);
}

/* The status of the first that failed; call n of the driver's answers the code. *failed: there were so many. */
static int run_twice(scenario *k, long n, int code, bool *failed) {
    int (*on_device)(const void *, void *) =
        (int (*)(const void *, void *))rt_object_find(k->a->object, "step_device");
    int s = 0;
    set_up(k);
    fakecuda_fail_after(n, code);
    for (int i = 0; i < 2; i++) {
        const int own = k->device ? on_device(k->args, NULL) : k->a->call(k->args);
        if (!s) s = own;
    }
    *failed = n >= 0 && fakecuda_fail_after(-1, 0) < 0;
    char words[600];
    snprintf(words, sizeof words, "%s", k->a->error(s));
    take_down(k, !s);
    if (s) /* the words were of that call */
        cr_expect(strstr(words, code == NO_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY"
                                                  : "CUDA_ERROR_INVALID_VALUE"),
                  "call %ld, %s: %s", n, fakecuda_failed(), words);
    return s;
}

/* false: there are not so many calls. */
static bool fail_call(scenario *k, const float *want, int code, long n) {
    bool failed, again;
    const int s = run_twice(k, n, code, &failed);
    const char *who = fakecuda_failed();
    if (failed && s)
        cr_expect_eq(s, code == NO_MEMORY ? BZ_RT_EMEMORY : BZ_RT_EDEVICE, "call %ld, %s: %d", n,
                     who, s);
    else if (failed)
        cr_expect(may_pass(who) && !memcmp(k->v, want, sizeof k->v), "call %ld: %s failed unheard",
                  n, who);
    cr_expect_eq(run_twice(k, -1, 0, &again), 0, "call %ld, %s, again", n, who);
    cr_expect(!memcmp(k->v, want, sizeof k->v), "call %ld, %s, again", n, who);
    cr_expect(fakecuda_no_context(), "call %ld, %s: the thread has a context", n, who);
    bz_rt_cuda_stop();
    cr_expect_eq(fakecuda_living(), 0, "call %ld, %s: %zu blocks", n, who, fakecuda_living());
    return failed;
}

static void every_call(bool device, int code) {
    bz_error e = {0};
    ir_module *m = ir_parse(faulty, strlen(faulty), "faulty", &e);
    float want[WEIGHT + SUMS];
    bool failed;
    cr_assert(m, "%s", e.text);
    fakecuda_use("80");
    setenv("BRAZE_TEST_FAR", "cuda", 1);
    artefact a = artefact_new(m->graphs.p[0], NULL, 0);
    scenario k = {.a = &a, .device = device};
    cr_assert_eq(run_twice(&k, -1, 0, &failed), 0);
    memcpy(want, k.v, sizeof want);
    bz_rt_cuda_stop();
    long n = 0;
    while (fail_call(&k, want, code, n)) n++;
    cr_expect_gt(n, 20, "%ld calls", n);
    artefact_free(&a);
    ir_module_free(m);
    fakecuda_is_clean();
}

Test(export_cuda, a_call_of_the_driver_that_fails_is_a_status) {
    every_call(false, INVALID_VALUE);
    every_call(true, INVALID_VALUE);
}

Test(export_cuda, memory_that_lacks_is_a_status) {
    every_call(false, NO_MEMORY);
    every_call(true, NO_MEMORY);
}
