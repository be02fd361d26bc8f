/* test_cuda_memory.c - the memory of a GPU as a program sees it, on the emulated driver: where tensors lie, what is said when there is no
 * more. */
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
    fakecuda_is_clean();
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
    fakecuda_is_clean();
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
    fakecuda_is_clean();
}
