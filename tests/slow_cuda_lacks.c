/* slow_cuda_lacks.c - drivers that lack a function: one that must be there is said by bz_open; without any other one everything gives the
 * CPU's bits, and what the function is for is off. A process a function, on copies of the emulated driver. */
#include "runtime/aot/cuda_driver.h"
#include "src/ir/base/base.h"
#include "tests/support/fakecuda.h"

#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>

enum { INVALID_VALUE = 1 };

#define NAME(name, exported, parameters) exported,
#define NONE(name, exported, parameters)
static const char *const must[] = {CU_FUNCTIONS(NAME, NONE)}, *const may[] = {
                                                                  CU_FUNCTIONS(NONE, NAME)};

/* ---- what is done */

enum { N = 64 };
typedef struct result {
    float v[N];
    unsigned n;
} result;

static void look(result *r, bz_tensor *x) {
    const size_t n = (size_t)bz_numel(x);
    if (!bz_to_host(x, r->v + r->n, n * sizeof *r->v)) r->n += (unsigned)n;
}

static bz_tensor *numbers(bz_context *c, int64_t rows, int64_t columns) {
    float v[32];
    for (int i = 0; i < 32; i++) v[i] = (float)(i * i % 7) - 2.5f;
    return bz_from_data(c, BZ_F32, v, BZ_SHAPE(rows, columns));
}

static result work(bz_context *c) {
    result r = {.n = 0};
    float late[4] = {0};
    bz_tensor *w = numbers(c, 4, 2), *x = numbers(c, 3, 4), *y = numbers(c, 3, 2), *out[2];
    bz_program *f =
        bz_compile(c, fakecuda_step, NULL,
                   &(bz_compile_options){.nin = 3, .nout = 2, .donate = (int[]){0, -1, -1}});
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(bz_call(f, (bz_tensor *[]){w, x, y}, out), BZ_OK, "%s", bz_message(c));
        look(&r, out[1]);
    }
    look(&r, w);
    look(&r, bz_transpose(x, 0, 1));
    const bz_ticket t = bz_to_host_async(bz_softmax(numbers(c, 1, 4), 1), late, sizeof late);
    if (t) bz_wait(c, t);
    memcpy(r.v + r.n, late, sizeof late);
    r.n += 4;
    cr_assert_eq(bz_context_status(c), BZ_OK, "%s", bz_message(c));
    return r;
}

/* ---- without a function */

static bool is_one_of(const char *f, const char *list) {
    const size_t n = strlen(f);
    for (const char *at = list; (at = strstr(at, f)); at += n)
        if ((at == list || at[-1] == ' ') && (at[n] == ' ' || !at[n])) return true;
    return false;
}

/* What is off, and by what it is told. */
static void expect_off(const char *f) {
    const bool graphs = strncmp(f, "cuGraph", 7),
               pools = !is_one_of(f, "cuMemAllocAsync cuMemFreeAsync");
    cr_expect_eq(fakecuda_calls("cuGraphLaunch") > 0, graphs, "%s", f);
    cr_expect_eq(fakecuda_calls("cuGraphCreate") > 0, graphs, "%s", f);
    cr_expect_eq(fakecuda_calls("cuMemAllocAsync") > 0, pools, "%s", f);
    cr_expect_eq(fakecuda_calls("cuMemFreeAsync") > 0, pools, "%s", f);
}

static void expect_words(bz_context *c, const char *f) {
    float v[8];
    bz_tensor *x = numbers(c, 1, 8);
    fakecuda_fail_after(0, INVALID_VALUE);
    cr_expect_eq(bz_to_host(x, v, sizeof v), BZ_EDEVICE);
    cr_expect(strstr(bz_message(c),
                     is_one_of(f, "cuGetErrorName") ? ": error 1" : ": CUDA_ERROR_INVALID_VALUE"),
              "%s: %s", f, bz_message(c));
    cr_expect_eq(strchr(bz_message(c), '(') != NULL, !is_one_of(f, "cuGetErrorString"), "%s: %s", f,
                 bz_message(c));
    bz_clear(c);
}

/* More than there is: a status, and what fits is there afterwards. */
static void expect_memory(bz_context *c, const char *f) {
    bz_tensor *large = bz_full(c, BZ_SHAPE(40, 1 << 20), 1, BZ_F32),
              *more = bz_full(c, BZ_SHAPE(41, 1 << 20), 1, BZ_F32);
    bz_eval(&large, 1);
    cr_expect_eq(bz_eval(&more, 1), BZ_ENOMEM, "%s: %s", f, bz_message(c));
    bz_clear(c);
    bz_release(large);
    cr_expect_eq(bz_eval(&more, 1), BZ_OK, "%s: %s", f, bz_message(c));
}

static void expect_reset(bz_context *c, const char *f) {
    const bool known = !is_one_of(f, "cuDevicePrimaryCtxReset_v2");
    const bz_status s = bz_device_reset(c);
    cr_expect_eq(s, known ? BZ_OK : BZ_EUNSUPPORTED, "%s: %s", f, bz_message(c));
    cr_expect(known || strstr(bz_message(c), "the driver has no cuDevicePrimaryCtxReset"), "%s",
              bz_message(c));
    bz_clear(c);
    EXPECT(numbers(c, 1, 3), -2.5f, -1.5f, 1.5f);
}

static void optional(const char *f) {
    bz_context *cpu = open_one(BZ_CPU), *c = fakecuda_open(0);
    const result want = work(cpu), got = work(c);
    cr_expect(want.n == got.n && !memcmp(want.v, got.v, want.n * sizeof *want.v),
              "%s: other values", f);
    expect_off(f);
    expect_words(c, f);
    expect_memory(c, f);
    expect_reset(c, f);
    bz_close(c);
    bz_close(cpu);
    cr_expect_eq(fakecuda_living(), 0, "%s", f);
    fakecuda_is_clean();
}

static void needed(const char *f) {
    char words[80];
    bz_context *c = NULL;
    snprintf(words, sizeof words, "no usable driver: it has no %s (looked for ", f);
    cr_expect_eq(bz_open(&(bz_options){.device = BZ_CUDA}, &c), BZ_EDEVICE, "%s", f);
    cr_expect(strstr(bz_message(NULL), words), "%s", bz_message(NULL));
    bz_close(c);
}

/* ---- a process for each, so that each opens a driver of its own */

static void use_without(const char *f) {
    fakecuda_without(f);
    fakecuda_use("80");
    setenv("BRAZE_FAKE_MEM", "512", 1);
    setenv("BRAZE_NVRTCFLAGS", "--Ofast-compile=mid", 0);
}

static int numbers_of[BZ_LEN(must) + BZ_LEN(may)]; /* parameters must be objects */

static struct criterion_test_params parameters(size_t n) {
    for (size_t i = 0; i < n; i++) numbers_of[i] = (int)i;
    return cr_make_param_array(int, numbers_of, n);
}

ParameterizedTestParameters(cuda_lacks, functions_that_must_be_there) {
    return parameters(BZ_LEN(must));
}

ParameterizedTest(int *i, cuda_lacks, functions_that_must_be_there) {
    use_without(must[*i]);
    needed(must[*i]);
}

ParameterizedTestParameters(cuda_lacks, functions_that_may_be_there) {
    return parameters(BZ_LEN(may));
}

ParameterizedTest(int *i, cuda_lacks, functions_that_may_be_there) {
    if (getenv("BRAZE_QUICK") && *i % 4) cr_skip_test("slow");
    if (!fakecuda_compiles()) return;
    use_without(may[*i]);
    optional(may[*i]);
}
