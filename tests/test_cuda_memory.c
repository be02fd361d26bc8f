/* test_cuda_memory.c - the memory of a GPU as a program sees it, on the emulated driver: where tensors lie, what is said when there is no
 * more, copies that nobody waits for. */
#include "tests/support/fakecuda.h"

#include <stdlib.h>

/* ---- where tensors lie */

Test(cuda_memory, operands_lie_on_one_device) {
    fakecuda_use("80,90");
    bz_context *c = fakecuda_open(0), *d = fakecuda_open(1), *cpu = open_one(BZ_CPU), *second;
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){1, 2}), BZ_SHAPE(2)),
              *y = bz_from_data(d, BZ_F32, ((float[]){1, 2}), BZ_SHAPE(2)),
              *z = bz_from_data(cpu, BZ_F32, ((float[]){1, 2}), BZ_SHAPE(2));
    int number = 7;
    cr_expect(bz_device_of(y, &number) == BZ_CUDA && number == 1);
    cr_expect(bz_device_of(z, &number) == BZ_CPU && number == 0);
    cr_expect(bz_device_of(x, NULL) == BZ_CUDA);
    cr_expect(bz_device_of(NULL, &number) == BZ_DEVICE_DEFAULT && number == 0);
    EXPECT_ERROR(c, bz_add(x, y), BZ_EARG,
                 "[add] expected all operands on one device, but found operand 0 on cuda:0 and "
                 "operand 1 on cuda:1 (bz_from_tensor takes one over) at tests/test_cuda_memory.c");
    EXPECT_ERROR(cpu, bz_where(bz_lt(z, z), z, x), BZ_EARG,
                 "[where] expected all operands on one device, but found operand 0 on cpu and "
                 "operand 2 on cuda:0");
    second = fakecuda_open(0);
    EXPECT_ERROR(second, bz_matmul(bz_from_tensor(second, x), x), BZ_EARG,
                 "[matmul] operands of two contexts, 0 and 1, both on cuda:0");
    bz_close(second), bz_close(c), bz_close(d), bz_close(cpu);
    fakecuda_left_nothing();
}

/* ---- memory that lacks */

static bz_tensor *floats(bz_context *c, int64_t n, const char *name) {
    float *data = calloc((size_t)n, sizeof *data);
    bz_tensor *x = bz_from_data(c, BZ_F32, data, BZ_SHAPE(n));
    free(data);
    return name ? bz_name(x, name) : x;
}

static const int64_t MIB = (1 << 20) / 4;

Test(cuda_memory, the_largest_are_named) {
    setenv("BRAZE_FAKE_MEM", "512", 1);
    fakecuda_use("80");
    bz_context *c = fakecuda_open(0);
    floats(c, 2 * MIB, NULL);
    floats(c, 10 * MIB, "table");
    floats(c, 3 * MIB, "small");
    floats(c, 4 * MIB, NULL);
    floats(c, 5 * MIB, "bias");
    bz_tensor *x = floats(c, 6 * MIB, "weights");
    bz_tensor *view = bz_reshape(x, BZ_SHAPE(2, 3 * MIB));
    cr_expect_eq(bz_eval(&view, 1), BZ_OK);
    cr_expect_eq(bz_context_status(c), BZ_OK, "%s", bz_message(c));
    EXPECT_ERROR(c, floats(c, 400 * MIB, NULL), BZ_ENOMEM,
                 "out of memory: f32[104857600] takes 400 MiB; of 30 MiB in use the largest: table "
                 "f32[2621440] 10 MiB, weights f32[1572864] 6 MiB, bias f32[1310720] 5 MiB, "
                 "f32[1048576] 4 MiB, small f32[786432] 3 MiB");
    EXPECT(bz_narrow(x, 0, 0, 2), 0, 0);
    bz_close(c);
    fakecuda_left_nothing();
}

/* What waits for others in the recycler goes first. */
Test(cuda_memory, what_is_idle_gives_way) {
    setenv("BRAZE_FAKE_MEM", "512", 1);
    fakecuda_use("80");
    bz_context *c = fakecuda_open(0);
    for (int i = 1; i < 6; i++) bz_release(floats(c, 40 * i * MIB / 4, NULL));
    const uint64_t before = fakecuda_calls("cuMemPoolTrimTo");
    bz_release(floats(c, 160 * MIB, NULL));
    cr_expect_eq(bz_context_status(c), BZ_OK, "%s", bz_message(c));
    cr_expect(fakecuda_calls("cuMemPoolTrimTo") > before);
    bz_close(c);
    fakecuda_left_nothing();
}

/* ---- copies that nobody waits for */

static uint64_t waits(void) {
    return fakecuda_calls("cuStreamSynchronize") + fakecuda_calls("cuEventSynchronize") +
           fakecuda_calls("cuCtxSynchronize");
}

/* A value read later is the one of then, whatever happened to the tensor; nothing waits before it is asked for. */
static void read_later(bool pools) {
    bz_context *c = fakecuda_open(0);
    float *pinned = bz_pin(c, 64 * sizeof(float)), plain[2][4] = {{0}};
    cr_assert(pinned);
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){1, 2, 3, 4}), BZ_SHAPE(2, 2)),
              *y = bz_from_data(c, BZ_F32, ((float[]){5, 6, 7, 8}), BZ_SHAPE(2, 2));
    const uint64_t before = waits();
    bz_ticket t[4];
    t[0] = bz_to_host_async(x, pinned, 16);
    t[1] = bz_to_host_async(bz_transpose(x, 0, 1), plain[0], 16);
    bz_copy_(x, y);
    cr_expect_eq(bz_eval(&x, 1), BZ_OK);
    t[2] = bz_to_host_async(x, pinned + 4, 16);
    t[3] = bz_to_host_async(x, plain[1], 16);
    for (int i = 0; i < 4; i++) cr_assert(t[i], "%d: %s", i, bz_message(c));
    if (pools) cr_expect_eq(waits(), before);
    if (pools) cr_expect_eq(plain[0][0], 0, "not before it is asked for");
    cr_expect_eq(bz_wait(c, t[3]), BZ_OK);
    for (int i = 0; i < 1000 && !bz_ready(c, t[1]); i++) {}
    cr_expect(bz_ready(c, t[1]) && bz_ready(c, t[3]));
    cr_expect_eq(bz_wait(c, t[0]), BZ_OK);
    cr_expect_eq(bz_wait(c, t[0]), BZ_OK, "it is over");
    cr_expect_eq(bz_wait(c, t[2]), BZ_OK);
    static const float want[] = {1, 2, 3, 4, 5, 6, 7, 8}, turned[] = {1, 3, 2, 4};
    cr_expect(memcmp(pinned, want, sizeof want) == 0);
    cr_expect(memcmp(plain[0], turned, 16) == 0 && memcmp(plain[1], want + 4, 16) == 0);
    bz_close(c);
    cr_expect_eq(fakecuda_living(), 0);
    fakecuda_left_nothing();
}

static bz_tensor *row(bz_context *c, const float *data, bz_ticket *t) {
    return bz_from_data_async(c, BZ_F32, data, BZ_SHAPE(4), t);
}

/* What is ready is there, whoever reads it then, waiting for nothing else. */
static void ask_for_it(void) {
    bz_context *c = fakecuda_open(0);
    float *pinned = bz_pin(c, 16), plain[4];
    for (int i = 1; i <= 8; i++) {
        float *to = i % 2 ? pinned : plain;
        bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){(float)i, 2, 3, 4}), BZ_SHAPE(4));
        const bz_ticket t = bz_to_host_async(x, to, 16);
        cr_assert(t, "%s", bz_message(c));
        while (!bz_ready(c, t)) {}
        cr_expect(to[0] == (float)i && to[3] == 4, "%d: %g", i, (double)to[0]);
        bz_release(x);
    }
    bz_close(c);
    fakecuda_left_nothing();
}

/* Two pieces of pinned memory in turn: each is filled again when it has been read. */
static void fill_later(void) {
    bz_context *c = fakecuda_open(0);
    float *piece[2], pageable[4] = {9, 9, 9, 9};
    bz_ticket t[2] = {0}, own;
    bz_tensor *x[8];
    for (int i = 0; i < 2; i++) piece[i] = bz_pin(c, 16);
    for (int i = 0; i < 8; i++) {
        if (t[i % 2]) cr_expect_eq(bz_wait(c, t[i % 2]), BZ_OK);
        for (int k = 0; k < 4; k++) piece[i % 2][k] = (float)(10 * i + k);
        const uint64_t before = waits();
        x[i] = row(c, piece[i % 2], &t[i % 2]);
        cr_expect_eq(waits(), before);
        cr_assert(t[i % 2], "%s", bz_message(c));
    }
    for (int i = 0; i < 8; i++)
        EXPECT(x[i], (float)(10 * i), (float)(10 * i + 1), (float)(10 * i + 2),
               (float)(10 * i + 3));
    bz_tensor *y = row(c, pageable, NULL); /* read at once */
    pageable[0] = 0;
    EXPECT(y, 9, 9, 9, 9);
    EXPECT_ERROR(c, row(c, piece[0], NULL), BZ_EARG,
                 "[from_data_async] pinned data, and ticket is NULL");
    y = row(c, piece[0], &own);
    cr_expect_eq(bz_unpin(c, piece[0]), BZ_OK, "%s", bz_message(c)); /* waits for it */
    cr_expect(bz_ready(c, own));
    EXPECT(y, 60, 61, 62, 63);
    bz_close(c);
    cr_expect_eq(fakecuda_living(), 0);
    fakecuda_left_nothing();
}

Test(cuda_memory, values_and_data_are_read_later) {
    if (!fakecuda_compiles()) return;
    fakecuda_use("80");
    for (unsigned seed = 0; seed < 5; seed++) {
        fakecuda_seed(seed);
        read_later(true);
        ask_for_it();
        fill_later();
    }
}

/* A driver that has no memory in the order of streams; the fifth attribute that is asked for says so. */
Test(cuda_memory, they_are_without_pools) {
    if (!fakecuda_compiles()) return;
    setenv("BRAZE_FAKE_FAIL",
           "cuDeviceGetAttribute:5:801,cuDeviceGetAttribute:10:801,cuDeviceGetAttribute:15:801", 1);
    fakecuda_use("80");
    ask_for_it();
    read_later(false); /* what is strided at once */
    fill_later();
    cr_expect(!fakecuda_calls("cuMemAllocAsync") && fakecuda_calls("cuMemAlloc_v2"));
}

/* More than there are slots, larger than one, and never asked for. */
Test(cuda_memory, many_are_under_way) {
    enum { N = 40, LARGE = 5000 };
    fakecuda_use("80");
    bz_context *c = fakecuda_open(0);
    static float out[N][4], large[LARGE];
    bz_ticket t[N];
    for (int i = 0; i < N; i++) {
        bz_scope_begin(c);
        t[i] = bz_to_host_async(bz_from_data(c, BZ_F32, (float[]){(float)i, 1, 2, 3}, BZ_SHAPE(4)),
                                out[i], 16);
        bz_scope_end(c);
        cr_assert(t[i], "%s", bz_message(c));
    }
    for (int i = N; i-- > 5;) {
        cr_expect_eq(bz_wait(c, t[i]), BZ_OK);
        cr_expect(out[i][0] == (float)i && out[i][3] == 3.0f, "%d", i);
    }
    cr_expect(bz_to_host_async(floats(c, LARGE, NULL), large, sizeof large));
    bz_close(c); /* the rest comes with it */
    cr_expect(out[3][0] == 3.0f);
    cr_expect_eq(fakecuda_living(), 0);
    fakecuda_left_nothing();
}

static void mistakes(bz_context *c) {
    float out[2] = {0}, *p = bz_pin(c, 8);
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){1, 2}), BZ_SHAPE(2));
    bz_ticket t = bz_to_host_async(x, p, 8);
    cr_assert(p && t, "%s", bz_message(c));
    cr_expect_eq(bz_wait(c, t), BZ_OK);
    cr_expect(p[0] == 1 && p[1] == 2);
    x = bz_from_data_async(c, BZ_F32, p, BZ_SHAPE(2), &t);
    cr_expect_eq(bz_wait(c, t), BZ_OK);
    EXPECT(x, 1, 2);
    cr_expect(!bz_to_host_async(x, out, 4) && bz_context_status(c) == BZ_EARG);
    cr_expect(strstr(bz_message(c), "[to_host_async] the tensor has 8 bytes, the destination 4"));
    bz_clear(c);
    cr_expect(!bz_to_host_async(x, NULL, 8) && strstr(bz_message(c), "destination is NULL"));
    bz_clear(c);
    cr_expect(!bz_pin(c, 0) && strstr(bz_message(c), "[pin] no bytes"));
    bz_clear(c);
    cr_expect_eq(bz_unpin(c, out), BZ_EARG);
    cr_expect(strstr(bz_message(c), "[unpin] the memory is none that bz_pin gave"));
    bz_clear(c);
    cr_expect_eq(bz_unpin(c, NULL), BZ_OK);
    cr_expect_eq(bz_wait(c, t + 1), BZ_EARG);
    cr_expect(strstr(bz_message(c), "[wait] the context gave no ticket"));
    bz_clear(c);
    cr_expect(!bz_ready(c, 0) && bz_context_status(c) == BZ_EARG);
    bz_clear(c);
}

/* The same words wherever tensors lie. */
Test(cuda_memory, mistakes_with_transfers) {
    fakecuda_use("80");
    bz_context *c = fakecuda_open(0);
    mistakes(c);
    bz_close(c);
    on_all(mistakes);
    fakecuda_left_nothing();
}
