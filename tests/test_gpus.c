/* test_gpus.c - kinds of GPUs: what fits on a processor, by known values and by NVIDIA's calculator where its header is; rooflines. */
#include "src/codegen/gpus.h"

#include <criterion/criterion.h>
#include <string.h>

#if __has_include(<cuda_occupancy.h>)
#define HAS_CALCULATOR 1
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#include <cuda_occupancy.h>
#pragma GCC diagnostic pop
#elif __has_include("/usr/local/cuda/include/cuda_occupancy.h")
#define HAS_CALCULATOR 1
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#include "/usr/local/cuda/include/cuda_occupancy.h"
#pragma GCC diagnostic pop
#endif

static const gpu_kind *kind(unsigned cc) {
    for (unsigned i = 0; i < GPU_KINDS; i++)
        if (gpu_kinds[i].cc == cc) return &gpu_kinds[i];
    cr_assert_fail("sm_%u", cc);
    return NULL;
}

Test(gpus, occupancy_of_known_kernels) {
    static const struct {
        unsigned cc, registers, shared, threads, blocks;
        double share;
        const char *limit;
    } known[] = {
        {80, 32, 0, 256, 8, 1, "warps"},
        {80, 40, 0, 256, 6, 0.75, "registers"},
        {80, 128, 0, 256, 2, 0.25, "registers"},
        {80, 129, 0, 256, 1, 0.125, "registers"},
        {80, 255, 0, 256, 1, 0.125, "registers"},
        {80, 255, 0, 1024, 0, 0, "registers"},
        {80, 32, 0, 32, 32, 0.5, "blocks"},
        {80, 16, 48 << 10, 128, 3, 0.1875, "shared"},
        {80, 16, 163 << 10, 128, 1, 0.0625, "shared"},
        {80, 16, (163 << 10) + 1, 128, 0, 0, "shared"},
        {80, 16, 0, 1025, 0, 0, "warps"},
        {80, 16, 0, 1, 32, 0.5, "blocks"},
        {75, 64, 0, 256, 4, 1, "warps"},
        {75, 32, 0, 32, 16, 0.5, "blocks"},
        {75, 16, 32 << 10, 256, 2, 0.5, "shared"},
        {86, 32, 0, 256, 6, 1, "warps"},
        {86, 32, 0, 64, 16, 2. / 3, "blocks"},
        {89, 32, 0, 64, 24, 1, "warps"},
        {90, 16, 16384, 128, 13, 0.8125, "shared"},
    };
    for (size_t i = 0; i < BZ_LEN(known); i++) {
        const gpu_occupancy o =
            gpu_occupy(kind(known[i].cc), known[i].registers, known[i].shared, known[i].threads);
        cr_expect(o.blocks == known[i].blocks && o.share == known[i].share &&
                      !strcmp(o.limit, known[i].limit),
                  "row %zu: %u blocks, %g by %s", i, o.blocks, o.share, o.limit);
    }
}

#ifdef HAS_CALCULATOR
static int by_nvidia(const gpu_kind *g, unsigned registers, unsigned shared, unsigned threads) {
    const cudaOccDeviceProp p = {.computeMajor = (int)g->cc / 10,
                                 .computeMinor = (int)g->cc % 10,
                                 .maxThreadsPerBlock = 1024,
                                 .maxThreadsPerMultiprocessor = (int)g->warps * 32,
                                 .regsPerBlock = 65536,
                                 .regsPerMultiprocessor = 65536,
                                 .warpSize = 32,
                                 .sharedMemPerBlock = 48 << 10,
                                 .sharedMemPerMultiprocessor = g->shared,
                                 .numSms = (int)g->processors,
                                 .sharedMemPerBlockOptin = g->shared - g->reserved,
                                 .reservedSharedMemPerBlock = g->reserved};
    const cudaOccFuncAttributes f = {.maxThreadsPerBlock = 1024,
                                     .numRegs = (int)registers,
                                     .sharedSizeBytes = shared,
                                     .numBlockBarriers = 1};
    const cudaOccDeviceState s = {.carveoutConfig = SHAREDMEM_CARVEOUT_DEFAULT};
    cudaOccResult r;
    cr_assert_eq(cudaOccMaxActiveBlocksPerMultiprocessor(&r, &p, &f, &s, (int)threads, 0),
                 CUDA_OCC_SUCCESS, "sm_%u", g->cc);
    return r.activeBlocksPerMultiprocessor;
}

Test(gpus, occupancy_is_nvidias) {
    unsigned n = 0;
    for (unsigned i = 0; i < GPU_KINDS; i++)
        for (unsigned registers = 8; registers <= 255; registers++)
            for (unsigned threads = 1; threads <= 1024; threads += 31)
                for (unsigned shared = 0; shared <= 48 << 10; shared += 7001, n++) {
                    const gpu_kind *g = &gpu_kinds[i];
                    const int is = (int)gpu_occupy(g, registers, shared, threads).blocks,
                              nvidias = by_nvidia(g, registers, shared, threads);
                    cr_assert_eq(is, nvidias,
                                 "sm_%u, %u registers, %u bytes, %u threads: %d, not %d", g->cc,
                                 registers, shared, threads, is, nvidias);
                }
    cr_expect_gt(n, 400000);
}
#endif

Test(gpus, rooflines) {
    const gpu_kind *a100 = kind(80);
    const unsigned all = a100->processors;
    gpu_work w = {.bytes = 1555e6, .flops = 1e6, .blocks = 4 * all};
    gpu_roof r = gpu_roofline(a100, &w);
    cr_expect(r.memory > 0.999e6 && r.memory < 1.001e6 && r.ns == r.memory, "%g", r.memory);
    cr_expect_str_eq(r.bound, "memory");
    w.flops = 19.5e9; /* 19.5 Tflop/s */
    r = gpu_roofline(a100, &w);
    cr_expect(r.math > 0.99e6 && r.math < 1.01e6, "%g", r.math);
    w.bytes = 0;
    const double f32 = gpu_roofline(a100, &w).math;
    cr_expect_str_eq(gpu_roofline(a100, &w).bound, "math");
    w.f64 = true;
    cr_expect_eq(gpu_roofline(a100, &w).math, 2 * f32);
    w.blocks = all / 2; /* half of the processors have none */
    cr_expect_eq(gpu_roofline(a100, &w).math, 4 * f32);
    w = (gpu_work){.flops = 312e9, .blocks = all, .matrix = 16}; /* 312 Tflop/s, of tf32 half */
    const double halves = gpu_roofline(a100, &w).math;
    cr_expect(halves > 0.99e6 && halves < 1.01e6, "%g", halves);
    w.matrix = 32;
    cr_expect_eq(gpu_roofline(a100, &w).math, 2 * halves);
    w = (gpu_work){.specials = 1e9, .flops = 1e9, .blocks = all};
    cr_expect_str_eq(gpu_roofline(a100, &w).bound, "special");
    w = (gpu_work){.bytes = 4096};
    r = gpu_roofline(a100, &w);
    cr_expect(r.ns == r.launch && !strcmp(r.bound, "launch"));
}
