/* test_cuda_reset.c - bz_device_reset, on the emulated driver: what was on the device is lost and says so, the context works again, other contexts on
 * the GPU are told and come back by themselves, in one thread and in many; no handle that is gone is used. */
#include "tests/support/fakecuda.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum { ILLEGAL_ADDRESS = 700, LAUNCH_FAILED = 719, INVALID_VALUE = 1 };

static bz_tensor *numbers(bz_context *c) {
    return bz_from_data(c, BZ_F32, ((float[]){1, 2, 3}), BZ_SHAPE(3));
}

/* x says that it is lost, by bz_eval and by bz_to_host. */
static void expect_lost(bz_tensor *x, int device) {
    bz_context *c = bz_context_of(x);
    char words[80];
    float out[8];
    snprintf(words, sizeof words, "lost when device %d was reset (bz_device_reset)", device);
    cr_expect_eq(bz_to_host(x, out, (size_t)bz_numel(x) * sizeof *out), BZ_EDEVICE);
    cr_expect_eq(bz_context_status(c), BZ_EDEVICE);
    cr_expect(strstr(bz_message(c), words), "%s", bz_message(c));
    bz_clear(c);
}

static void expect_works(bz_context *c) {
    bz_tensor *x = numbers(c);
    EXPECT(x, 1, 2, 3);
    if (fakecuda_compiles()) EXPECT(bz_mul(bz_add(x, x), x), 2, 8, 18);
    cr_expect_eq(bz_context_status(c), BZ_OK, "%s", bz_message(c));
}

/* The device fails for good, which x tells. */
static void break_device(bz_tensor *x, int code) {
    bz_context *c = bz_context_of(x);
    float out[8];
    fakecuda_fail_after(0, code);
    cr_expect_eq(bz_to_host(x, out, sizeof out),
                 BZ_EARG); /* asks for too much: the driver is not asked */
    bz_clear(c);
    cr_expect_eq(bz_to_host(x, out, (size_t)bz_numel(x) * sizeof *out), BZ_EDEVICE);
    bz_clear(c);
}

static bz_status add_weights(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                             int nout, void *user) {
    (void)c, (void)nin, (void)nout;
    out[0] = bz_add(bz_mul(in[0], in[0]), user ? (bz_tensor *)user : in[0]);
    return BZ_OK;
}

static bz_program *compile(bz_context *c, void *captured) {
    return bz_compile(c, add_weights, captured, &(bz_compile_options){.nin = 1, .nout = 1});
}

static bz_tensor *call(bz_program *p, bz_tensor *x) {
    bz_tensor *y = NULL;
    bz_call(p, &x, &y);
    return y;
}

Test(cuda_reset, a_broken_device_works_again) {
    static const int codes[] = {ILLEGAL_ADDRESS, LAUNCH_FAILED};
    fakecuda_use("80");
    for (int i = 0; i < 2; i++) {
        bz_context *c = fakecuda_open(0);
        bz_tensor *x = numbers(c),
                  *view = bz_slice(x, (int64_t[]){1}, (int64_t[]){3}, (int64_t[]){1}, 1);
        bz_program *p = compile(c, NULL);
        if (fakecuda_compiles())
            for (int k = 0; k < 3; k++) EXPECT(call(p, x), 2, 6, 12);
        break_device(x, codes[i]);
        cr_expect_eq(bz_device_reset(c), BZ_OK, "%s", bz_message(c));
        expect_lost(x, 0);
        expect_lost(view, 0);
        expect_works(c);
        if (fakecuda_compiles())
            for (int k = 0; k < 3; k++) EXPECT(call(p, numbers(c)), 2, 6, 12);
        expect_lost(x, 0);
        cr_expect_eq(bz_release(x), BZ_OK);
        expect_works(c);
        bz_close(c);
        cr_expect_eq(fakecuda_living(), 0);
        cr_expect(fakecuda_no_context());
        fakecuda_is_clean();
    }
}

/* Without a failure before. What comes from the host, or overwrites, is as ever; what needs a lost value is not. */
Test(cuda_reset, values_are_lost_and_made_anew) {
    if (!fakecuda_compiles()) return;
    fakecuda_use("80");
    bz_context *c = fakecuda_open(0);
    bz_seed(c, 3);
    float drawn[3];
    bz_tensor *x = numbers(c), *captured = bz_add(numbers(c), 1);
    bz_eval(&captured, 1);
    bz_program *p = compile(c, captured);
    EXPECT(call(p, x), 3, 7, 13);
    bz_tensor *needs = bz_add(x, 1), *free_of = bz_add(bz_full(c, BZ_SHAPE(2), 2, BZ_F32), 1);
    bz_tensor *random = bz_rand(c, BZ_SHAPE(3), BZ_F32);
    cr_assert_eq(bz_device_reset(c), BZ_OK, "%s", bz_message(c));
    expect_lost(needs, 0);
    EXPECT(free_of, 3, 3);
    cr_expect_eq(bz_to_host(random, drawn, sizeof drawn), BZ_OK, "%s", bz_message(c));
    call(p, numbers(c)); /* what it captured is lost */
    cr_expect_eq(bz_context_status(c), BZ_EDEVICE);
    bz_clear(c);
    bz_fill_(x, 7);
    EXPECT(x, 7, 7, 7);
    bz_fill_(captured, 1);
    EXPECT(call(p, x), 50, 50, 50);
    cr_expect_eq(bz_device_reset(c), BZ_OK); /* again */
    expect_lost(x, 0);
    expect_works(c);
    bz_close(c);
    cr_expect_eq(fakecuda_living(), 0);
    fakecuda_is_clean();
}

Test(cuda_reset, other_contexts_on_the_device_are_told) {
    fakecuda_use("80,80");
    bz_context *a = fakecuda_open(0), *b = fakecuda_open(0), *far = fakecuda_open(1), *late;
    bz_tensor *x = numbers(a), *y = numbers(b), *z = numbers(far);
    const uint64_t before = fakecuda_calls("cuDevicePrimaryCtxReset_v2");
    cr_assert_eq(bz_device_reset(a), BZ_OK);
    expect_lost(x, 0);
    expect_lost(y, 0);
    expect_works(a);
    expect_lost(bz_from_tensor(far, y) ? y : y, 0);
    bz_clear(far);
    EXPECT_ERROR(b, numbers(b), BZ_EDEVICE, "lost when device 0 was reset");
    late = fakecuda_open(0); /* comes to what is there now */
    expect_works(late);
    cr_expect_eq(bz_device_reset(b), BZ_OK, "%s", bz_message(b));
    cr_expect_eq(fakecuda_calls("cuDevicePrimaryCtxReset_v2"), before + 1, "once for all");
    expect_works(b);
    expect_works(late);
    expect_lost(y, 0);
    EXPECT(z, 1, 2, 3);
    EXPECT(bz_from_tensor(b, z), 1, 2, 3);
    bz_close(a);
    expect_works(b);
    bz_close(b);
    bz_close(late);
    bz_close(far);
    cr_expect_eq(fakecuda_living(), 0);
    fakecuda_is_clean();
}

Test(cuda_reset, pinned_memory_and_tickets) {
    fakecuda_use("80");
    bz_context *c = fakecuda_open(0);
    bz_tensor *x = numbers(c);
    float own[3] = {0}, *pinned = bz_pin(c, 64);
    bz_ticket t = bz_to_host_async(x, own, sizeof own), u = bz_to_host_async(x, pinned, sizeof own);
    cr_assert_eq(bz_device_reset(c), BZ_OK);
    cr_expect(own[0] == 1 && own[1] == 2 && own[2] == 3, "what was under way has come");
    cr_expect(bz_ready(c, t) && bz_ready(c, u));
    cr_expect_eq(bz_wait(c, u), BZ_OK);
    pinned = bz_pin(c, 64);
    t = bz_to_host_async(numbers(c), pinned, sizeof own);
    cr_expect_eq(bz_wait(c, t), BZ_OK);
    cr_expect(pinned[2] == 3);
    cr_expect_eq(bz_unpin(c, pinned), BZ_OK);
    bz_close(c);
    cr_expect_eq(fakecuda_living(), 0);
    fakecuda_is_clean();
}

/* Each call of the driver in a reset fails in turn: a status, and the next reset does it. */
Test(cuda_reset, each_call_fails) {
    static const int codes[] = {INVALID_VALUE, ILLEGAL_ADDRESS};
    fakecuda_use("80");
    for (int i = 0; i < 2; i++) {
        bool failed = true;
        long n = 0;
        for (; failed; n++) {
            bz_context *c = fakecuda_open(0);
            bz_tensor *x = numbers(c);
            float out[3];
            fakecuda_fail_after(n, codes[i]);
            const bz_status s = bz_device_reset(c);
            failed = fakecuda_fail_after(-1, 0) < 0;
            cr_expect(s == BZ_OK || (s == BZ_EDEVICE && strstr(bz_message(c), "[cuda] cu")),
                      "call %ld: %s", n, bz_message(c));
            bz_clear(c);
            if (s) cr_expect_eq(bz_device_reset(c), BZ_OK, "call %ld, again: %s", n, bz_message(c));
            cr_expect_eq(bz_to_host(x, out, sizeof out), BZ_EDEVICE, "call %ld", n);
            bz_clear(c);
            if (!s && failed)
                bz_device_reset(c); /* what failed was not told: it may be the end of the device */
            expect_works(c);
            cr_expect(fakecuda_no_context(), "call %ld", n);
            bz_close(c);
            cr_expect_eq(fakecuda_living(), 0, "call %ld", n);
        }
        cr_expect(n > 5, "%ld calls", n);
    }
}

static bz_status resets(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                        void *user) {
    (void)nin, (void)nout, (void)user;
    cr_expect_eq(bz_device_reset(c), BZ_EMODE);
    bz_clear(c);
    out[0] = bz_add(in[0], 1);
    return BZ_OK;
}

Test(cuda_reset, where_nothing_is_lost) {
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *x = numbers(c);
    cr_expect_eq(bz_device_reset(c), BZ_OK);
    EXPECT(x, 1, 2, 3);
    bz_program *p = bz_compile(c, resets, NULL, &(bz_compile_options){.nin = 1, .nout = 1});
    EXPECT(call(p, x), 2, 3, 4);
    bz_close(c);
    cr_expect_eq(bz_device_reset(NULL), BZ_EARG);
}

/* ---- threads: one resets again and again, the others come back each time */

enum { THREADS = 3, ROUNDS = 12 };
static atomic_int came_back; /* threads that lost their values once at least */
static atomic_bool done;

static void *comes_back(void *arg) {
    bz_context *c = fakecuda_open(0);
    unsigned lost = 0;
    float v[3];
    (void)arg;
    bz_program *p = compile(c, NULL);
    while (!atomic_load(&done)) {
        bz_scope_begin(c);
        bz_tensor *x = numbers(c), *y = fakecuda_compiles() ? call(p, x) : x;
        if (!bz_to_host(y, v, sizeof v)) {
            cr_expect(v[0] == (fakecuda_compiles() ? 2 : 1) &&
                      v[2] == (fakecuda_compiles() ? 12 : 3));
        } else {
            cr_expect_eq(bz_context_status(c), BZ_EDEVICE, "%s", bz_message(c));
            bz_clear(c);
            cr_expect_eq(bz_device_reset(c), BZ_OK, "%s", bz_message(c));
            if (lost++ == 0) atomic_fetch_add(&came_back, 1);
        }
        bz_scope_end(c);
    }
    bz_close(c);
    return NULL;
}

Test(cuda_reset, threads, .timeout = 120) {
    pthread_t t[THREADS];
    fakecuda_use("80");
    bz_context *c = fakecuda_open(0);
    for (int i = 0; i < THREADS; i++) pthread_create(&t[i], NULL, comes_back, NULL);
    for (int i = 0; i < ROUNDS || atomic_load(&came_back) < THREADS; i++) {
        expect_works(c);
        cr_expect_eq(bz_device_reset(c), BZ_OK, "%s", bz_message(c));
    }
    atomic_store(&done, true);
    for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
    expect_works(c);
    bz_close(c);
    cr_expect_eq(fakecuda_living(), 0);
}
