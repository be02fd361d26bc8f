/* fakecuda.c - the emulated driver, for tests of the cuda device. */
#include "tests/support/fakecuda.h"
#include "src/codegen/nvrtc.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *library(void) {
    const char *file = getenv("BRAZE_FAKECUDA");
    return file ? file : "build/libbraze-fakecuda.so";
}

/* Opened by the driver's table already, or here first: one and the same. */
static void *function(const char *name) {
    static void *handle;
    if (!handle) handle = dlopen(library(), RTLD_NOW | RTLD_LOCAL);
    cr_assert(handle, "%s", dlerror());
    void *f = dlsym(handle, name);
    cr_assert(f, "%s", name);
    return f;
}

static char copy[64];

static void remove_copy(void) {
    unlink(copy);
}

/* The name stands in the library's table of strings, which nobody finds there when it is another one. */
void fakecuda_without(const char *f) {
    FILE *in = fopen(library(), "rb"), *out;
    const size_t n = strlen(f) + 1; /* between two zeros */
    cr_assert(in && !fseek(in, 0, SEEK_END));
    const size_t size = (size_t)ftell(in);
    char *all = malloc(size), *at = NULL;
    rewind(in);
    cr_assert(all && fread(all, 1, size, in) == size && !fclose(in));
    for (char *p = all; (p = memmem(p, size - (size_t)(p - all), f, n)) && !at; p++)
        if (!p[-1]) at = p;
    cr_assert(at, "the emulated driver has no %s", f);
    *at = '?';
    snprintf(copy, sizeof copy, "/tmp/braze-fakecuda-%ld.so", (long)getpid());
    cr_assert((out = fopen(copy, "wb")) && fwrite(all, 1, size, out) == size && !fclose(out));
    free(all);
    atexit(remove_copy);
    setenv("BRAZE_FAKECUDA", copy, 1);
}

void fakecuda_use(const char *devices) {
    setenv("BRAZE_LIBCUDA", library(), 1);
    setenv("BRAZE_FAKE_DEVICES", devices, 1);
    setenv("BRAZE_FAKE_MEM", "2048", 0);
}

bz_context *fakecuda_open(int number) {
    bz_context *c = NULL;
    cr_assert_eq(bz_open(&(bz_options){.device = BZ_CUDA, .number = number}, &c), BZ_OK, "%s",
                 bz_message(NULL));
    return c;
}

bool fakecuda_compiles(void) {
    bz_error e = {0};
    const bool found = nvrtc_open(&e) == BZ_OK;
    if (!found) fprintf(stderr, "skipped: no NVRTC\n");
    return found;
}

bz_status fakecuda_step(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                        void *user) {
    (void)nin, (void)nout, (void)user;
    bz_tensor *loss = bz_mse_loss(bz_tanh(bz_matmul(in[1], in[0])), in[2]), *g;
    bz_status s = bz_grad(loss, in, 1, &g);
    out[0] = bz_sub(in[0], bz_mul(g, bz_scalar(c, 0.125)));
    out[1] = loss;
    return s;
}

long fakecuda_fail_after(long n, int code) {
    long (*f)(long, int);
    *(void **)&f = function("braze_fake_fail_after");
    return f(n, code);
}

const char *fakecuda_failed(void) {
    const char *(*f)(void);
    *(void **)&f = function("braze_fake_failed");
    static _Thread_local char plain[96]; /* without the version behind it, as errors have it */
    const char *name = f(), *version = name ? strstr(name, "_v") : NULL;
    if (!name) return NULL;
    snprintf(plain, sizeof plain, "%.*s", version ? (int)(version - name) : 90, name);
    return plain;
}

bool fakecuda_no_context(void) {
    int (*f)(void **);
    void *current = NULL;
    *(void **)&f = function("cuCtxGetCurrent");
    return f(&current) == 0 && !current;
}

size_t fakecuda_living(void) {
    size_t (*f)(void);
    *(void **)&f = function("braze_fake_living");
    return f();
}

size_t fakecuda_objects(void) {
    size_t (*f)(void);
    *(void **)&f = function("braze_fake_objects");
    return f();
}

uint64_t fakecuda_calls(const char *name) {
    uint64_t (*f)(const char *);
    *(void **)&f = function("braze_fake_calls");
    return f(name);
}

void fakecuda_seed(uint64_t seed) {
    void (*f)(uint64_t);
    *(void **)&f = function("braze_fake_seed");
    f(seed);
}

void fakecuda_is_clean(void) {
    size_t (*n)(void);
    const char *(*text)(size_t);
    *(void **)&n = function("braze_fake_reports");
    *(void **)&text = function("braze_fake_report");
    cr_assert(n() == 0, "report: %s", text(0));
}

void fakecuda_left_nothing(void) {
    fakecuda_is_clean();
    cr_assert_eq(fakecuda_living(), 0, "%zu blocks of memory", fakecuda_living());
    cr_assert_eq(fakecuda_objects(), 0, "%zu events, streams, modules or graphs",
                 fakecuda_objects());
}
