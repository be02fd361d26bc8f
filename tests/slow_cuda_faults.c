/* slow_cuda_faults.c - each call of the driver fails in turn, on the emulated one, in everything that is done on a GPU: a status with the
 * driver's words, nothing left behind, and a context that works afterwards, or stays lost with its first words until it is closed. */
#include "src/ir/base/base.h"
#include "tests/support/fakecuda.h"

#include <stdio.h>
#include <stdlib.h>

enum { INVALID_VALUE = 1, NO_MEMORY = 2, ILLEGAL_ADDRESS = 700, LAUNCH_FAILED = 719 };

/* What a scenario read back. */
typedef struct result {
    float v[256];
    int64_t n;
} result;

/* On device 0, with another context on device 1. */
typedef struct pair {
    bz_context *c, *other;
} pair;

static void look(result *r, bz_tensor *x) {
    int64_t n = x ? bz_numel(x) : 0;
    if (n <= 0 || bz_to_host(x, r->v + r->n, (size_t)n * sizeof *r->v)) return;
    r->n += n;
}

static bz_tensor *numbers(bz_context *c, int64_t rows, int64_t columns) {
    float v[64];
    for (int i = 0; i < 64; i++) v[i] = (float)(i * i % 7) - 2.5f;
    return bz_from_data(c, BZ_F32, v, BZ_SHAPE(rows, columns));
}

/* ---- what is done */

static void moves(pair p, result *r) {
    bz_tensor *x = numbers(p.c, 4, 6);
    look(r, x);
    look(r, bz_transpose(x, 0, 1));
    look(r, bz_copy(bz_transpose(x, 0, 1)));
    float own[8] = {1, 2, 3, 4, 5, 6, 7, 8}; /* every second one */
    look(r, bz_from_buffer(p.c, BZ_F32, own, BZ_STRIDED((2, 2), (4, 2))));
}

static void computes(pair p, result *r) {
    bz_tensor *x = numbers(p.c, 3, 5);
    look(r, bz_softmax(bz_matmul(bz_transpose(x, 0, 1), x), 1));
    r->v[r->n++] = (float)bz_item(bz_sum(x, NULL, 0, false));
    float own[8] = {1, 2, 3, 4, 5, 6, 7, 8}; /* its gaps are filled, too */
    look(r, bz_sqrt(bz_from_buffer(p.c, BZ_F32, own, BZ_STRIDED((2, 2), (4, 2)))));
}

static void in_place(pair p, result *r) {
    bz_tensor *x = numbers(p.c, 4, 4), *row = bz_select(x, 0, 2);
    bz_add_(x, bz_full(p.c, BZ_SHAPE(4), 0.5, BZ_F32));
    bz_fill_(row, 7);
    bz_mul_(bz_transpose(x, 0, 1), x);
    look(r, x);
    look(r, row);
}

static void compiled(pair p, result *r) {
    bz_tensor *w = numbers(p.c, 4, 2), *x = numbers(p.c, 3, 4), *y = numbers(p.c, 3, 2), *out[2];
    bz_program *f =
        bz_compile(p.c, fakecuda_step, NULL,
                   &(bz_compile_options){.nin = 3, .nout = 2, .donate = (int[]){0, -1, -1}});
    for (int i = 0; i < 4 && f; i++) {
        if (bz_call(f, (bz_tensor *[]){w, x, y}, out)) break;
        look(r, out[1]);
    }
    look(r, w);
    bz_program_free(f);
}

/* A kernel that asks for shared memory. */
static bz_status attention(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                           void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    bz_tensor *weights = bz_softmax(bz_matmul(in[0], bz_transpose(in[1], 0, 1)), 1);
    out[0] = bz_sum(bz_matmul(weights, in[1]), (int[]){0}, 1, false);
    return BZ_OK;
}

static void attends(pair p, result *r) {
    bz_seed(p.c, 7);
    bz_tensor *q = bz_rand(p.c, BZ_SHAPE(64, 2), BZ_F32), *out;
    bz_tensor *k = bz_rand(p.c, BZ_SHAPE(1100, 2), BZ_F32);
    bz_program *f = bz_compile(p.c, attention, NULL, &(bz_compile_options){.nin = 2, .nout = 1});
    if (f && !bz_call(f, (bz_tensor *[]){q, k}, &out)) look(r, out);
    bz_program_free(f);
}

static void indexes(pair p, result *r) {
    bz_tensor *x = numbers(p.c, 4, 3);
    bz_tensor *at = bz_from_data(p.c, BZ_I64, ((int64_t[]){3, 0, 2}), BZ_SHAPE(3));
    bz_tensor *index = bz_expand(bz_reshape(at, BZ_SHAPE(3, 1)), BZ_SHAPE(3, 3));
    look(r, bz_gather(x, index, 0));
}

static void draws(pair p, result *r) {
    bz_seed(p.c, 5);
    look(r, bz_add(bz_rand(p.c, BZ_SHAPE(4, 5), BZ_F32), bz_randn(p.c, BZ_SHAPE(5), BZ_F32)));
}

static void peers(pair p, result *r) {
    bz_tensor *x = numbers(p.other, 3, 4);
    look(r, bz_from_tensor(p.c, x));
    look(r, bz_from_tensor(p.other, bz_from_tensor(p.c, x)));
}

static void transfers(pair p, result *r) {
    float own[24], *pinned = bz_pin(p.c, 2 * sizeof own);
    bz_tensor *x = numbers(p.c, 4, 6);
    bz_ticket t[3] = {0};
    t[0] = bz_to_host_async(x, own, sizeof own);
    if (pinned)
        t[1] = bz_to_host_async(
            bz_slice(x, ((int64_t[]){0, 1}), ((int64_t[]){4, 5}), ((int64_t[]){1, 2}), 2), pinned,
            4 * 2 * 4);
    for (int i = 0; i < 2; i++)
        if (t[i]) bz_wait(p.c, t[i]);
    if (bz_context_status(p.c)) return;
    memcpy(r->v, own, sizeof own), memcpy(r->v + 24, pinned, 32);
    r->n = 32;
    memcpy(pinned, own, sizeof own);
    look(r, bz_from_data_async(p.c, BZ_F32, pinned, BZ_SHAPE(24), &t[2]));
    if (t[2]) bz_wait(p.c, t[2]);
    bz_unpin(p.c, pinned);
}

static const struct scenario {
    const char *name;
    void (*does)(pair p, result *r);
    bool computes, far; /* wants NVRTC; the other device */
} scenarios[] = {
    {"moves", moves, true, false},       {"computes", computes, true, false},
    {"in place", in_place, true, false}, {"compiled", compiled, true, false},
    {"indexes", indexes, true, false},   {"draws", draws, true, false},
    {"peers", peers, false, true},       {"transfers", transfers, false, false},
    {"attends", attends, true, false},
};

/* ---- what is expected of it */

/* Failures that need not be told: what was asked for is done all the same. */
static bool may_pass(const char *failed, int code) {
    static const char *const any[] = {
        "Free",                 /* what gives back has given back */
        "Destroy",              /* */
        "Unload",               /* */
        "Release",              /* */
        "cuCtxPopCurrent",      /* is called again */
        "cuCtxPushCurrent",     /* before something is given back: is called again */
        "cuStreamSynchronize",  /* the same: the next call tells */
        "cuDeviceGetAttribute", /* whether there are pools: memory comes without them */
        "cuGraphCreate",        /* launches are made one by one */
        "cuGraphAddKernelNode", /* */
        "cuGraphInstantiate",   /* */
        "cuGraphExecKernelNodeSetParams",
    };
    for (size_t i = 0; i < BZ_LEN(any); i++)
        if (strstr(failed, any[i])) return true;
    return code == NO_MEMORY && strncmp(failed, "cuMemAlloc", 10) == 0; /* is called again */
}

static bool is_final(int code) {
    return code == ILLEGAL_ADDRESS || code == LAUNCH_FAILED;
}

static const char *name_of(int code) {
    return code == INVALID_VALUE     ? "CUDA_ERROR_INVALID_VALUE"
           : code == NO_MEMORY       ? "CUDA_ERROR_OUT_OF_MEMORY"
           : code == ILLEGAL_ADDRESS ? "CUDA_ERROR_ILLEGAL_ADDRESS"
                                     : "CUDA_ERROR_LAUNCH_FAILED";
}

static bz_status status_of(int code) {
    return code == NO_MEMORY ? BZ_ENOMEM : BZ_EDEVICE;
}

/* The context that has an error; NULL: none. */
static bz_context *failing(pair p) {
    if (bz_context_status(p.c)) return p.c;
    return p.other && bz_context_status(p.other) ? p.other : NULL;
}

static void same(const result *a, const result *b, const char *what, long n) {
    cr_expect(a->n == b->n && memcmp(a->v, b->v, (size_t)a->n * sizeof *a->v) == 0,
              "%s, call %ld: %lld values, not the %lld right ones", what, n, (long long)a->n,
              (long long)b->n);
}

/* The words of who failed: the driver's function and its code. What ends the device may be told by the next one. */
static void told(const char *words, const char *failed, int code, const char *what, long n) {
    bool named = strstr(words, failed) || (is_final(code) && may_pass(failed, code));
    cr_expect(named && strstr(words, name_of(code)), "%s, call %ld, %s: '%s'", what, n, failed,
              words);
}

/* ---- one after the other */

static pair open_pair(const struct scenario *s) {
    return (pair){fakecuda_open(0), s->far ? fakecuda_open(1) : NULL};
}

static void close_pair(pair p) {
    bz_close(p.c);
    bz_close(p.other);
}

/* What was done with call n failing. */
static void judge(const struct scenario *s, pair p, const result *got, const result *want, int code,
                  long n) {
    const char *failed = fakecuda_failed();
    bz_context *c = failing(p);
    if (!c) {
        cr_expect(may_pass(failed, code), "%s, call %ld: %s failed unheard", s->name, n, failed);
        if (may_pass(failed, code) && !is_final(code)) same(got, want, s->name, n);
        return;
    }
    cr_expect_eq(bz_context_status(c), status_of(code), "%s, call %ld, %s: %s", s->name, n, failed,
                 bz_message(c));
    told(bz_message(c), failed, code, s->name, n);
}

/* Once more, without a failure: as ever; or the lost device's first words. */
static void again(const struct scenario *s, pair p, const result *want, int code, long n) {
    result got = {.n = 0};
    char first[400] = "";
    bz_context *c = failing(p);
    if (c) snprintf(first, sizeof first, "%s", bz_message(c));
    bz_clear(p.c), bz_clear(p.other);
    s->does(p, &got);
    bz_context *now = failing(p);
    if (!is_final(code)) {
        cr_expect(!now, "%s, call %ld, again: %s", s->name, n, now ? bz_message(now) : "");
        same(&got, want, s->name, n);
    } else if (c && c == now && !s->far) { /* else it may tell of the other device */
        cr_expect(strstr(bz_message(now), strchr(first, ' ') + 1),
                  "%s, call %ld: first '%s', then '%s'", s->name, n, first, bz_message(now));
    }
    bz_clear(p.c), bz_clear(p.other);
}

/* Call n answers the code. false: there are not so many. */
static bool fail_call(const struct scenario *s, const result *want, int code, long n) {
    result got = {.n = 0};
    const size_t objects = fakecuda_objects();
    pair p = open_pair(s);
    const size_t living = fakecuda_living();
    fakecuda_fail_after(n, code);
    s->does(p, &got);
    const bool failed = fakecuda_fail_after(-1, 0) < 0;
    if (failed) {
        judge(s, p, &got, want, code, n);
        again(s, p, want, code, n);
    }
    cr_expect(fakecuda_no_context(), "%s, call %ld: the thread has a context", s->name, n);
    close_pair(p);
    cr_expect_eq(fakecuda_living(), living, "%s, call %ld: %zu blocks, not %zu", s->name, n,
                 fakecuda_living(), living);
    if (!is_final(code))
        cr_expect_eq(fakecuda_objects(), objects, "%s, call %ld: %zu objects, not %zu", s->name, n,
                     fakecuda_objects(), objects);
    return failed;
}

/* Every call in turn. A context on a third device keeps the images of kernels, for each of which NVRTC would take its time. */
static void every_call(const struct scenario *s, int code) {
    result want = {.n = 0}, got = {.n = 0};
    pair p = {fakecuda_open(2), s->far ? fakecuda_open(3) : NULL}, last;
    s->does(p, &want);
    cr_assert(!failing(p) && want.n, "%s: %s", s->name, bz_message(p.c));
    long n = 0;
    while (fail_call(s, &want, code, n)) n++;
    cr_expect(n > 10, "%s: %ld calls", s->name, n);
    last = open_pair(s);
    s->does(last, &got);
    cr_expect(!failing(last));
    same(&got, &want, s->name, -1);
    close_pair(last);
    close_pair(p);
    cr_expect(s->does != attends || fakecuda_calls("cuFuncSetAttribute"), "it did not ask");
    cr_expect_eq(fakecuda_living(), 0);
    fakecuda_is_clean();
}

static void all(int code) {
    const bool compiles = fakecuda_compiles();
    fakecuda_use("80,90,80,90");
    for (size_t i = 0; i < BZ_LEN(scenarios); i++)
        if (!scenarios[i].computes || compiles) every_call(&scenarios[i], code);
}

Test(cuda_faults, a_call_that_fails_is_a_status) {
    all(INVALID_VALUE);
}

Test(cuda_faults, memory_that_lacks_is_a_status) {
    all(NO_MEMORY);
}

Test(cuda_faults, what_ends_the_device_is_told_until_it_is_closed) {
    all(ILLEGAL_ADDRESS);
}

/* Memory is not in the order of streams: what is given back is waited for, what is copied beside has no piece of the device. */
Test(cuda_faults, without_pools) {
    const bool compiles = fakecuda_compiles();
    fakecuda_without("cuMemAllocAsync");
    fakecuda_use("80,90,80,90");
    for (size_t i = 0; i < BZ_LEN(scenarios); i++)
        if (scenarios[i].does == transfers || (scenarios[i].does == moves && compiles))
            every_call(&scenarios[i], INVALID_VALUE);
    cr_expect(fakecuda_calls("cuMemAlloc_v2") && !fakecuda_calls("cuMemAllocAsync"));
}

/* What was opened in spite of a failure knows what device it has. */
static void works(bz_context *c) {
    bz_tensor *x = numbers(c, 1, 2);
    EXPECT(x, -2.5f, -1.5f);
    if (fakecuda_compiles()) EXPECT(bz_add(x, x), -5, -3);
}

/* Opening and closing; another context keeps the driver's. */
static void opening(int code) {
    fakecuda_use("80");
    bz_context *keeper = is_final(code) ? NULL : fakecuda_open(0), *c;
    size_t living = fakecuda_living();
    bool failed = true;
    long n = 0;
    for (; failed; n++) {
        char words[400] = "";
        fakecuda_fail_after(n, code);
        bz_status s = bz_open(&(bz_options){.device = BZ_CUDA}, &c);
        if (s) snprintf(words, sizeof words, "%s", bz_message(NULL));
        if (!s && fakecuda_failed() && !is_final(code)) works(c);
        bz_close(c);
        failed = fakecuda_fail_after(-1, 0) < 0;
        if (s) cr_expect_eq(s, status_of(code), "call %ld: %s", n, words);
        if (s) told(words, fakecuda_failed(), code, "open", n);
        if (failed && !s)
            cr_expect(may_pass(fakecuda_failed(), code), "call %ld: %s", n, fakecuda_failed());
        cr_expect(fakecuda_no_context(), "call %ld: the thread has a context", n);
        cr_expect_eq(fakecuda_living(), living, "call %ld: %zu blocks", n, fakecuda_living());
    }
    cr_expect(n > 10, "%ld calls", n);
    bz_close(keeper);
    c = fakecuda_open(0);
    EXPECT(numbers(c, 1, 3), -2.5f, -1.5f, 1.5f);
    bz_close(c);
    fakecuda_is_clean();
}

Test(cuda_faults, opening_fails_with_words) {
    opening(INVALID_VALUE);
    opening(NO_MEMORY);
    opening(ILLEGAL_ADDRESS);
}

/* What ends the driver's context is told from then on, with its first words. */
Test(cuda_faults, a_lost_device_stays_lost) {
    fakecuda_use("80");
    bz_context *c = fakecuda_open(0);
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){1, 2, 3}), BZ_SHAPE(3));
    float out[3];
    fakecuda_fail_after(0, LAUNCH_FAILED);
    cr_expect_eq(bz_to_host(x, out, sizeof out), BZ_EDEVICE);
    for (int i = 0; i < 3; i++) {
        cr_expect(strstr(bz_message(c), "CUDA_ERROR_LAUNCH_FAILED (unspecified launch failure)"),
                  "%s", bz_message(c));
        bz_clear(c);
        cr_expect_eq(bz_to_host(x, out, sizeof out), BZ_EDEVICE);
    }
    bz_clear(c);
    bz_close(c);
    c = fakecuda_open(0); /* the last one let go of the driver's context */
    EXPECT(numbers(c, 1, 2), -2.5f, -1.5f);
    bz_close(c);
    cr_expect_eq(fakecuda_living(), 0);
}

/* A fault of a kernel is told by a later call: with what was launched before it, the last first, one by one or as a graph. */
Test(cuda_faults, faults_name_the_last_launches) {
    if (!fakecuda_compiles()) return;
    fakecuda_use("80");
    for (int calls = 1; calls < 4; calls += 2) {
        bz_context *c = fakecuda_open(0);
        bz_tensor *w = numbers(c, 4, 2), *x = numbers(c, 3, 4), *y = numbers(c, 3, 2), *out[2];
        bz_program *f =
            bz_compile(c, fakecuda_step, NULL,
                       &(bz_compile_options){.nin = 3, .nout = 2, .donate = (int[]){0, -1, -1}});
        for (int i = 0; i < calls; i++)
            cr_assert_eq(bz_call(f, (bz_tensor *[]){w, x, y}, out), BZ_OK, "%s", bz_message(c));
        fakecuda_fail_after(1, ILLEGAL_ADDRESS);
        cr_expect_eq(bz_eval(out, 2), BZ_OK);
        bz_item(out[1]);
        cr_expect(strstr(bz_message(c), "[cuda] cuMemcpyDtoHAsync: CUDA_ERROR_ILLEGAL_ADDRESS (an "
                                        "illegal memory access was encountered); launched last: "),
                  "%s", bz_message(c));
        const char *sub = strstr(bz_message(c), "sub"), *tanh_ = strstr(bz_message(c), "tanh");
        cr_expect(sub && tanh_ && strstr(bz_message(c), ", "), "%s", bz_message(c));
        bz_clear(c);
        bz_close(c);
    }
    cr_expect_eq(fakecuda_living(), 0);
}
