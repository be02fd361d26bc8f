/* test_cuda.c - the cuda device on the emulated driver: its memory, several devices, drivers that are absent.
 * tests/slow_cuda_api.sh runs the tests of the API there. */
#include "runtime/exec/kernels.h"
#include "runtime/memory/buffer.h"
#include "tests/support/fakecuda.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- drivers that cannot be used */

static void refused(const char *library, int number, const char *words) {
    bz_context *c;
    if (library) setenv("BRAZE_LIBCUDA", library, 1);
    cr_expect_eq(bz_open(&(bz_options){.device = BZ_CUDA, .number = number}, &c), BZ_EDEVICE);
    cr_expect(strstr(bz_message(NULL), words), "'%s' is not in: %s", words, bz_message(NULL));
}

Test(cuda, no_driver_is_a_sentence) {
    refused("/nowhere/libcuda.so.1", 0,
            "[cuda] no usable driver: /nowhere/libcuda.so.1: cannot open");
    refused("libm.so.6", 0, "it has no cuInit (looked for libm.so.6; $BRAZE_LIBCUDA names");
    fakecuda_use("80");
    cr_expect(fakecuda_open(0)); /* a later call looks again */
    refused(NULL, 1, "[cuda] there is no device 1: the driver knows 1");
}

Test(cuda, no_device_is_a_sentence) {
    fakecuda_use("0");
    refused(NULL, 0, "cuInit: CUDA_ERROR_NO_DEVICE (no CUDA-capable device is detected)");
}

Test(cuda, other_devices_are_alone) {
    bz_context *c;
    cr_expect_eq(bz_open(&(bz_options){.device = BZ_CPU, .number = 1}, &c), BZ_EDEVICE);
    cr_expect_eq(bz_open(&(bz_options){.device = BZ_CPU, .number = -1}, &c), BZ_EARG);
}

/* ---- memory */

enum { MOST = 4096 };

/* Steps in elements of that shape, in another order, with gaps, backwards, and the lowest element. */
static int64_t strides_of(const int64_t *shape, unsigned rank, unsigned how, int64_t *strides) {
    int64_t step = how & 1 ? 2 : 1, lowest = 0;
    for (unsigned i = rank; i-- > 0;) {
        unsigned axis = how & 2 ? rank - 1 - i : i;
        strides[axis] = how & 4 && axis % 2 ? -step : step;
        if (strides[axis] < 0) lowest += (shape[axis] - 1) * -strides[axis];
        step *= shape[axis] + (how & 8 ? 1 : 0);
    }
    return lowest;
}

/* Runs of a layout from the host, within and back: the host's own memory, which does the same, has the same bytes. */
static void same_as_host(rt_memory *m, const rt_layout *l, int64_t first, size_t size) {
    static uint8_t in[MOST * 16], near[2][MOST * 16], far[MOST * 16];
    bz_error e = {0};
    rt_address a, b;
    rt_runs pack, spread, both;
    size_t offset = (size_t)first * size;
    for (size_t i = 0; i < sizeof in; i++) in[i] = (uint8_t)(i * 7 + i / 251);
    cr_assert(!m->f->alloc(m, sizeof in, &a, &e) && !m->f->alloc(m, sizeof in, &b, &e));
    rt_runs_of(&pack, l, size, RT_PACKED_TO);
    rt_runs_of(&spread, l, size, RT_PACKED_FROM);
    rt_runs_of(&both, l, size, RT_BOTH_STRIDED);
    memset(near, 0, sizeof near);
    rt_spot host[2] = {rt_host_spot(near[0]), rt_host_spot(near[1])}, dev[2] = {{m, a}, {m, b}};
    cr_assert(!m->f->zero(m, a, sizeof in, &e) && !m->f->zero(m, b, sizeof in, &e));
    for (int far_away = 0; far_away < 2; far_away++) {
        rt_spot x = far_away ? dev[0] : host[0], y = far_away ? dev[1] : host[1], at = x, to = y,
                from = rt_host_spot(in);
        at.at += offset, to.at += offset, from.at += offset;
        cr_assert(!rt_move(at, from, &both, &e), "%s", e.text);
        cr_assert(!rt_move(y, at, &pack, &e), "%s", e.text);
        cr_assert(!rt_move(at, rt_host_spot(in), &spread, &e), "%s", e.text);
        cr_assert(!rt_move(to, at, &both, &e), "%s", e.text);
    }
    for (int i = 0; i < 2; i++) {
        cr_assert(!rt_move_bytes(rt_host_spot(far), dev[i], sizeof far, &e), "%s", e.text);
        cr_assert(memcmp(far, near[i], sizeof far) == 0, "piece %d", i);
    }
    memset(far, 0, sizeof far), memset(near[1], 0, sizeof near[1]);
    rt_spot x = host[0], y = dev[0];
    x.at += offset, y.at += offset;
    cr_assert(!rt_move(rt_host_spot(far + offset), y, &both, &e), "%s", e.text);
    cr_assert(!rt_move((rt_spot){&rt_host, host[1].at + offset}, x, &both, &e));
    cr_assert(memcmp(far, near[1], sizeof far) == 0);
    m->f->free(m, a, sizeof in), m->f->free(m, b, sizeof in);
}

Test(cuda, every_layout_is_copied) {
    static const struct {
        unsigned rank;
        int64_t shape[4];
    } shapes[] = {{0, {0}},       {1, {17}},         {2, {3, 5}},
                  {3, {4, 1, 3}}, {4, {2, 3, 3, 2}}, {3, {2, 0, 5}}};
    static const size_t sizes[] = {1, 2, 4, 8};
    fakecuda_use("80");
    bz_context *c = fakecuda_open(0);
    for (unsigned i = 0; i < BZ_LEN(shapes); i++)
        for (unsigned how = 0; how < 16; how++) {
            int64_t strides[4];
            int64_t first = strides_of(shapes[i].shape, shapes[i].rank, how, strides);
            const rt_layout *l = rt_layout_of(c, shapes[i].shape, strides, shapes[i].rank);
            for (unsigned k = 0; k < BZ_LEN(sizes); k++)
                same_as_host(c->memory, l, first, sizes[k]);
        }
    bz_close(c);
    fakecuda_left_nothing();
}

/* More than the ring of pinned pieces holds, and it goes on before it has been read. */
Test(cuda, large_copies_go_round) {
    enum { N = 3 << 20 };
    fakecuda_use("80");
    bz_context *c = fakecuda_open(0);
    uint8_t *in = malloc(N), *out = malloc(N);
    bz_error e = {0};
    rt_address a;
    rt_memory *m = c->memory;
    cr_assert(in && out && !m->f->alloc(m, N, &a, &e));
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < N; i++) in[i] = (uint8_t)(i * 7 + i / 251 + (size_t)round);
        cr_assert(!rt_move_bytes((rt_spot){m, a}, rt_host_spot(in), N, &e), "%s", e.text);
        memcpy(out, in, N);
        memset(in, 0xEE, N); /* it has been read */
        memcpy(in, out, N), memset(out, 0, N);
        cr_assert(!rt_move_bytes(rt_host_spot(out), (rt_spot){m, a}, N, &e), "%s", e.text);
        cr_assert(memcmp(in, out, N) == 0);
    }
    m->f->free(m, a, N);
    bz_close(c);
    free(in), free(out);
    fakecuda_left_nothing();
}

/* What one context has of the driver's goes with it, whoever keeps the driver's context. */
Test(cuda, a_context_takes_all_with_it) {
    fakecuda_use("80");
    bz_context *keeper = fakecuda_open(0), *c;
    const size_t objects = fakecuda_objects(), living = fakecuda_living();
    float out[6];
    c = fakecuda_open(0);
    cr_expect_eq(fakecuda_objects(), objects + 2, "a stream of its own, and an event");
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){1, 2, 3, 4, 5, 6}), BZ_SHAPE(2, 3));
    EXPECT(bz_transpose(x, 0, 1), 1, 4, 2, 5, 3, 6); /* by a kernel of ours */
    const bz_ticket t = bz_to_host_async(x, out, sizeof out);
    cr_expect_eq(bz_wait(c, t), BZ_OK);
    cr_expect(bz_pin(c, 100) != NULL);
    cr_expect_gt(fakecuda_objects(), objects);
    bz_close(c);
    cr_expect_eq(fakecuda_objects(), objects);
    cr_expect_eq(fakecuda_living(), living);
    bz_close(keeper);
    fakecuda_left_nothing();
}

/* What cannot be is said before the driver is asked: by the memory of that device. */
Test(cuda, more_than_the_device_has) {
    fakecuda_use("80");
    bz_context *c = fakecuda_open(0);
    const uint64_t asked = fakecuda_calls("cuMemAllocAsync");
    bz_tensor *x = bz_zeros(c, BZ_SHAPE(1024, 1024, 1024), BZ_F32);
    cr_expect_eq(bz_eval(&x, 1), BZ_ENOMEM);
    cr_expect(strstr(bz_message(c), "4 GiB, the device has 2 GiB"), "%s", bz_message(c));
    cr_expect_eq(fakecuda_calls("cuMemAllocAsync"), asked);
    bz_clear(c);
    bz_close(c);
    fakecuda_left_nothing();
}

/* A copy to the host that fails when it is waited for writes nothing later. */
Test(cuda, a_copy_that_failed_is_over) {
    enum { INVALID_VALUE = 1, CALLS = 20, N = 4096 };
    static float zeros[N];
    fakecuda_use("80");
    bz_context *c = fakecuda_open(0);
    float *out = bz_pin(c, sizeof zeros); /* copies into other memory may wait by themselves */
    bz_tensor *x = bz_from_data(c, BZ_F32, zeros, BZ_SHAPE(N));
    for (int k = 0; k < 3 * CALLS; k++) {
        const int n = k / 3;
        float last[2];
        fakecuda_fail_after(n, INVALID_VALUE);
        const bz_ticket t = k % 3 ? bz_to_host_async(x, out, sizeof zeros) : 0;
        bz_status s = k % 3 ? bz_context_status(c) : bz_to_host(x, out, sizeof zeros);
        if (k % 3 == 1) fakecuda_fail_after(-1, 0);
        if (t) s = bz_wait(c, t) || s;
        fakecuda_fail_after(-1, 0);
        bz_clear(c);
        if (!s) continue;
        memset(out, 0xEE, sizeof zeros);
        bz_tensor *two = bz_slice(x, (int64_t[]){5}, (int64_t[]){7}, (int64_t[]){1}, 1);
        EXPECT(two, 0, 0);
        cr_expect_eq(bz_wait(c, bz_to_host_async(two, last, sizeof last)),
                     BZ_OK); /* its stream, too */
        for (size_t i = 0; i < N; i++)
            cr_assert(memcmp(&out[i], (char[]){-18, -18, -18, -18}, 4) == 0, "call %d: %zu", n, i);
    }
    bz_close(c);
    fakecuda_left_nothing();
}

/* ---- several devices */

static void take(bz_context *c, bz_context *of) {
    bz_tensor *x = bz_from_data(of, BZ_F32, ((float[]){1, 2, 3, 4, 5, 6}), BZ_SHAPE(2, 3));
    EXPECT(bz_from_tensor(c, x), 1, 2, 3, 4, 5, 6);
    EXPECT(bz_from_tensor(c, bz_transpose(x, 0, 1)), 1, 4, 2, 5, 3, 6);
    EXPECT(bz_from_tensor(c, bz_mul(x, x)), 1, 4, 9, 16, 25, 36);
    bz_tensor *y = bz_from_tensor(c, x);
    bz_add_(x, bz_scalar(of, 10));
    EXPECT(bz_add_(y, bz_scalar(c, 1)), 2, 3, 4, 5, 6, 7);
    EXPECT(x, 11, 12, 13, 14, 15, 16);
}

Test(cuda, tensors_go_to_other_devices) {
    if (!fakecuda_compiles()) return;
    fakecuda_use("80,90");
    bz_context *c[] = {fakecuda_open(0), fakecuda_open(0), fakecuda_open(1), open_one(BZ_CPU)};
    for (unsigned i = 0; i < BZ_LEN(c); i++)
        for (unsigned k = 0; k < BZ_LEN(c); k++) take(c[i], c[k]);
    for (unsigned i = 0; i < BZ_LEN(c); i++) {
        cr_expect_eq(bz_context_status(c[i]), BZ_OK, "%u: %s", i, bz_message(c[i]));
        bz_close(c[i]);
    }
    fakecuda_left_nothing();
}

/* A copy from another device that fails reads nothing later: its source is recycled and written at once. */
Test(cuda, a_copy_from_a_device_that_failed_is_over) {
    enum { INVALID_VALUE = 1, N = 4096 };
    static float data[N], out[N];
    fakecuda_use("80,90");
    bz_context *c = fakecuda_open(0), *other = fakecuda_open(1);
    bool failed = true;
    int n = 0;
    for (; failed && n < 100; n++) {
        bz_tensor *x = bz_from_data(other, BZ_F32, data, BZ_SHAPE(N));
        cr_assert_eq(bz_eval(&x, 1), BZ_OK);
        fakecuda_fail_after(n, INVALID_VALUE);
        bz_release(bz_from_tensor(c, x));
        failed = fakecuda_fail_after(-1, 0) < 0;
        bz_clear(c), bz_clear(other);
        bz_release(x);
        x = bz_from_data(other, BZ_F32, data, BZ_SHAPE(N));
        cr_expect_eq(bz_to_host(x, out, sizeof out), BZ_OK);
        bz_release(x);
        x = bz_from_data(c, BZ_F32, data, BZ_SHAPE(N));
        cr_expect_eq(bz_to_host(x, out, sizeof out), BZ_OK);
        bz_release(x);
    }
    cr_expect(n > 5 && !failed, "%d calls", n);
    bz_close(c), bz_close(other);
    fakecuda_left_nothing();
}

/* ---- code */

static bz_counters run_softmax(bz_context *c) {
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){1, 1, 1, 1}), BZ_SHAPE(1, 4));
    bz_counters n;
    EXPECT(bz_softmax(x, 1), 0.25, 0.25, 0.25, 0.25);
    bz_get_counters(c, &n);
    return n;
}

/* One compilation serves programs, contexts and devices of a kind; a module serves all on a device, and goes with the last of them. */
Test(cuda, code_is_shared) {
    if (!fakecuda_compiles()) return;
    fakecuda_use("80,80,90");
    bz_context *c[] = {fakecuda_open(0), fakecuda_open(0), fakecuda_open(1), fakecuda_open(2)};
    static const unsigned built[] = {1, 0, 0, 1}, loads[] = {1, 1, 2, 3};
    for (unsigned i = 0; i < BZ_LEN(c); i++) {
        bz_counters n = run_softmax(c[i]);
        cr_expect_eq(n.kernels_built, built[i], "context %u: %d", i, (int)n.kernels_built);
        cr_expect_eq(n.kernels_built + n.kernels_shared, 1);
        cr_expect_eq(fakecuda_calls("cuModuleLoadDataEx"), loads[i]);
    }
    bz_close(c[0]); /* another is there */
    c[0] = fakecuda_open(0);
    cr_expect_eq(run_softmax(c[0]).kernels_built, 0);
    cr_expect_eq(fakecuda_calls("cuModuleLoadDataEx"), 3);
    for (unsigned i = 0; i < BZ_LEN(c); i++) bz_close(c[i]);
    cr_expect_eq(rt_kernels_bytes(), 0);
    cr_expect_eq(fakecuda_calls("cuModuleUnload"), 3);
    c[0] = fakecuda_open(0);
    cr_expect_eq(run_softmax(c[0]).kernels_built, 1);
    bz_close(c[0]);
    fakecuda_left_nothing();
}

/* ---- attention */

enum { HEADS = 4, QUERIES = 32, KEYS = 1100, SIZE = 8, SCORES = HEADS * QUERIES * KEYS * 4 };

static bz_status attend(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                        void *user) {
    (void)nin, (void)nout, (void)user;
    bz_tensor *s = bz_mul(bz_matmul(in[0], bz_transpose(in[1], 1, 2)), bz_scalar(c, 0.5));
    out[0] = bz_matmul(bz_softmax(s, 2), in[2]);
    return BZ_OK;
}

/* Three calls, of which the last are a graph of the driver's; how many launches these are. shared: the scores are never in memory. */
static uint64_t attend_on(bz_context *c, bool shared, float *out, size_t bytes) {
    static float v[HEADS * KEYS * SIZE];
    bz_counters before, after;
    bz_program *p = bz_compile(c, attend, NULL, &(bz_compile_options){.nin = 3, .nout = 1});
    for (size_t i = 0; i < BZ_LEN(v); i++) v[i] = (float)(i * 37 % 101) / 50 - 1;
    bz_tensor *in[] = {bz_from_data(c, BZ_F32, v, BZ_SHAPE(HEADS, QUERIES, SIZE)),
                       bz_from_data(c, BZ_F32, v + 3, BZ_SHAPE(HEADS, KEYS - 1, SIZE)),
                       bz_from_data(c, BZ_F32, v + 6, BZ_SHAPE(HEADS, KEYS - 1, SIZE))};
    bz_get_counters(c, &before);
    for (int i = 0; i < 3; i++) {
        bz_tensor *y;
        cr_assert_eq(bz_call(p, in, &y), BZ_OK, "%s", bz_message(c));
        cr_assert_eq(bz_to_host(y, out, bytes), BZ_OK);
        bz_release(y);
    }
    bz_get_counters(c, &after);
    cr_expect(!shared || after.peak_bytes < SCORES, "%llu bytes",
              (unsigned long long)after.peak_bytes);
    return after.launches - before.launches;
}

/* One kernel, with the CPU's bits, that asks for as much shared memory as the GPU has, or does without. */
Test(cuda, attention_is_a_kernel) {
    static float want[HEADS * QUERIES * SIZE], got[HEADS * QUERIES * SIZE];
    if (!fakecuda_compiles()) return;
    fakecuda_use("75,80,90");
    bz_context *cpu = open_one(BZ_CPU);
    attend_on(cpu, false, want, sizeof want);
    bz_close(cpu);
    for (int i = 0; i < 3; i++) {
        bz_context *c = fakecuda_open(i);
        const uint64_t asked = fakecuda_calls("cuFuncSetAttribute");
        cr_expect_eq(attend_on(c, i > 0, got, sizeof got), 3);
        cr_expect_eq(fakecuda_calls("cuFuncSetAttribute") - asked, i > 0, "device %d", i);
        cr_expect(!memcmp(got, want, sizeof got), "device %d", i);
        bz_close(c);
    }
    fakecuda_is_clean();
}
