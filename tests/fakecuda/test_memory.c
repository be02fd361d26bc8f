/* test_memory.c - blocks, faults, copies and fills in all directions, host memory, pools, pointers.
 */
#include "test_fake.h"

#include <signal.h>

Test(memory, alloc_and_free) {
    start();
    CUdeviceptr p, base;
    size_t bytes, before, after, total;
    ok(cuMemGetInfo_v2(&before, &total));
    is(cuMemAlloc_v2(&p, 0), CUDA_ERROR_INVALID_VALUE);
    is(cuMemAlloc_v2(NULL, 4), CUDA_ERROR_INVALID_VALUE);
    is(cuMemAlloc_v2(&p, SIZE_MAX), CUDA_ERROR_OUT_OF_MEMORY);
    is(cuMemAlloc_v2(&p, total + 1), CUDA_ERROR_OUT_OF_MEMORY);
    p = device(1000);
    cr_assert(p % 256 == 0);
    ok(cuMemGetAddressRange_v2(&base, &bytes, p + 999));
    cr_assert(base == p && bytes == 1000);
    is(cuMemGetAddressRange_v2(&base, &bytes, p + 1000), CUDA_ERROR_NOT_FOUND);
    is(cuMemFree_v2(p + 256), CUDA_ERROR_INVALID_VALUE);
    ok(cuMemFree_v2(p));
    no_reports();
    is(cuMemFree_v2(p), CUDA_ERROR_INVALID_VALUE);
    has_report("was freed before");
    ok(cuMemGetInfo_v2(&after, &total));
    cr_assert(before == after);
}

Test(memory, a_small_device_runs_out) {
    setenv("BRAZE_FAKE_MEM", "512", 1);
    start();
    CUdeviceptr p[9];
    int n = 0;
    while (n < 9 && cuMemAlloc_v2(&p[n], 64 << 20) == CUDA_SUCCESS) n++;
    cr_assert(n == 4, "%d blocks of 64 MiB in 256 free", n);
    ok(cuMemFree_v2(p[0]));
    ok(cuMemAlloc_v2(&p[0], 64 << 20));
}

Test(memory, the_host_cannot_read_it, .signal = SIGSEGV) {
    start();
    const volatile char *p = (const volatile char *)(uintptr_t)device(64);
    (void)*p;
}

Test(memory, pinned_memory_has_guards, .signal = SIGSEGV) {
    start();
    char *p;
    ok(cuMemHostAlloc((void **)&p, 4096, 0));
    p[4095] = 1;
    ((volatile char *)p)[4096] = 1;
}

Test(memory, neighbours_do_not_touch) {
    start();
    const CUdeviceptr a = device(256), b = device(256);
    char host[512];
    memset(host, 0, sizeof host);
    is(cuMemcpyHtoD_v2(a, host, 257), CUDA_ERROR_INVALID_VALUE);
    is(cuMemcpyDtoD_v2(a, b, 257), CUDA_ERROR_INVALID_VALUE);
    is(cuMemsetD8_v2(a + 1, 0, 256), CUDA_ERROR_INVALID_VALUE);
    is(cuMemcpyHtoD_v2(a - 1, host, 1), CUDA_ERROR_INVALID_VALUE);
    is(cuMemcpyHtoD_v2(a, NULL, 1), CUDA_ERROR_INVALID_VALUE);
    is(cuMemcpyDtoH_v2(NULL, a, 1), CUDA_ERROR_INVALID_VALUE);
    ok(cuMemcpyHtoD_v2(a, NULL, 0));
    cr_assert(b > a + 256 || a > b + 256, "there is a red zone between them");
}

Test(memory, reading_what_nobody_wrote_is_reported) {
    start();
    char host[64];
    const CUdeviceptr p = device(64);
    ok(cuMemsetD8_v2(p, 1, 32));
    ok(cuMemcpyDtoH_v2(host, p, 32));
    no_reports();
    ok(cuMemcpyDtoH_v2(host, p, 64));
    has_report("reads byte 32 of cuMemAlloc");
}

Test(memory, all_directions) {
    start();
    enum { N = 1000 };
    unsigned char *pinned, out[N], in[N];
    ok(cuMemHostAlloc((void **)&pinned, N, 0));
    for (int i = 0; i < N; i++) in[i] = (unsigned char)(i * 7);
    const CUdeviceptr a = device(N), b = device(N);
    ok(cuMemcpyHtoD_v2(a, in, N));
    ok(cuMemcpyDtoD_v2(b, a, N));
    ok(cuMemcpyDtoH_v2(pinned, b, N));
    ok(cuMemcpy((CUdeviceptr)(uintptr_t)out, (CUdeviceptr)(uintptr_t)pinned, N));
    cr_assert(memcmp(in, out, N) == 0);
    memset(out, 0, N);
    ok(cuMemcpy((CUdeviceptr)(uintptr_t)out, b, N));
    cr_assert(memcmp(in, out, N) == 0);
    is(cuMemcpyHtoD_v2(a, (void *)(uintptr_t)b, N), CUDA_ERROR_INVALID_VALUE);
    is(cuMemcpyDtoD_v2(a, (CUdeviceptr)(uintptr_t)in, N), CUDA_ERROR_INVALID_VALUE);
}

Test(memory, rows_and_planes) {
    start();
    unsigned char host[6][10], back[3][4];
    for (int r = 0; r < 6; r++)
        for (int c = 0; c < 10; c++) host[r][c] = (unsigned char)(10 * r + c);
    size_t pitch;
    CUdeviceptr p;
    ok(cuMemAllocPitch_v2(&p, &pitch, 10, 6, 4));
    is(cuMemAllocPitch_v2(&p, &pitch, 10, 6, 3), CUDA_ERROR_INVALID_VALUE);
    cr_assert(pitch >= 10 && pitch % 512 == 0);
    CUDA_MEMCPY2D copy = {.srcMemoryType = CU_MEMORYTYPE_HOST,
                          .srcHost = host,
                          .srcPitch = 10,
                          .dstMemoryType = CU_MEMORYTYPE_DEVICE,
                          .dstDevice = p,
                          .dstPitch = pitch,
                          .WidthInBytes = 10,
                          .Height = 6};
    ok(cuMemcpy2D_v2(&copy));
    CUDA_MEMCPY2D part = {.srcMemoryType = CU_MEMORYTYPE_DEVICE,
                          .srcDevice = p,
                          .srcPitch = pitch,
                          .srcXInBytes = 3,
                          .srcY = 2,
                          .dstMemoryType = CU_MEMORYTYPE_HOST,
                          .dstHost = back,
                          .dstPitch = 4,
                          .WidthInBytes = 4,
                          .Height = 3};
    ok(cuMemcpy2DUnaligned_v2(&part));
    cr_assert(back[0][0] == 23 && back[2][3] == 46);
    part.srcPitch = 2;
    is(cuMemcpy2D_v2(&part), CUDA_ERROR_INVALID_VALUE);
    part.srcPitch = pitch;
    part.srcY = 5;
    is(cuMemcpy2D_v2(&part), CUDA_ERROR_INVALID_VALUE);
    part.srcMemoryType = CU_MEMORYTYPE_ARRAY;
    is(cuMemcpy2D_v2(&part), CUDA_ERROR_NOT_SUPPORTED);
    part.srcMemoryType = (CUmemorytype)0;
    is(cuMemcpy2D_v2(&part), CUDA_ERROR_INVALID_VALUE);
    CUDA_MEMCPY3D cube = {.srcMemoryType = CU_MEMORYTYPE_HOST,
                          .srcHost = host,
                          .srcPitch = 10,
                          .srcHeight = 3,
                          .dstMemoryType = CU_MEMORYTYPE_DEVICE,
                          .dstDevice = p,
                          .WidthInBytes = 2,
                          .Height = 2,
                          .Depth = 2};
    ok(cuMemcpy3D_v2(&cube));
    unsigned char eight[8];
    ok(cuMemcpyDtoH_v2(eight, p, 8));
    cr_assert(eight[0] == 0 && eight[1] == 1 && eight[2] == 10 && eight[4] == 30 && eight[7] == 41);
}

Test(memory, fills) {
    start();
    unsigned short shorts[8];
    unsigned words[8];
    const CUdeviceptr p = device(64);
    ok(cuMemsetD16_v2(p, 0x1234, 8));
    ok(cuMemcpyDtoH_v2(shorts, p, 16));
    cr_assert(shorts[0] == 0x1234 && shorts[7] == 0x1234);
    ok(cuMemsetD32Async(p, 0xdeadbeef, 8, NULL));
    ok(cuMemsetD2D8_v2(p + 4, 8, 0, 4, 3));
    ok(cuMemcpyDtoH_v2(words, p, 32));
    cr_assert(words[0] == 0xdeadbeef && words[1] == 0 && words[2] == 0xdeadbeef && words[5] == 0);
    is(cuMemsetD32_v2(p + 2, 0, 1), CUDA_ERROR_INVALID_VALUE);
    is(cuMemsetD16_v2(p + 1, 0, 1), CUDA_ERROR_INVALID_VALUE);
    is(cuMemsetD2D32_v2(p, 4, 0, 2, 2), CUDA_ERROR_INVALID_VALUE);
    ok(cuMemsetD8_v2(p, 0, 0));
}

Test(memory, registered_memory) {
    start();
    char *memory = calloc(1, 8192);
    CUdeviceptr p;
    unsigned flags;
    is(cuMemHostUnregister(memory), CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED);
    ok(cuMemHostRegister_v2(memory, 8192, HOSTREGISTER_DEVICEMAP));
    is(cuMemHostRegister_v2(memory + 4096, 8192, 0), CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
    ok(cuMemHostGetDevicePointer_v2(&p, memory + 4, 0));
    ok(cuMemHostGetFlags(&flags, memory));
    cr_assert(flags == HOSTREGISTER_DEVICEMAP);
    void *params[] = {&p};
    ok(cuLaunchKernel(kernel("poke"), 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL));
    ok(cuCtxSynchronize());
    cr_assert(*(unsigned *)(void *)(memory + 4) == 1);
    is(cuMemHostUnregister(memory + 4), CUDA_ERROR_INVALID_VALUE);
    ok(cuMemHostUnregister(memory));
    is(cuMemHostGetDevicePointer_v2(&p, memory, 0), CUDA_ERROR_INVALID_VALUE);
    is(cuMemFreeHost(memory), CUDA_ERROR_INVALID_VALUE);
    free(memory);
}

Test(memory, managed_memory_is_seen_by_both) {
    start();
    CUdeviceptr p;
    is(cuMemAllocManaged(&p, 64, 0), CUDA_ERROR_INVALID_VALUE);
    ok(cuMemAllocManaged(&p, 64, MEM_ATTACH_GLOBAL));
    *(unsigned *)(uintptr_t)p = 41;
    void *params[] = {&p};
    ok(cuLaunchKernel(kernel("ticket"), 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL));
    ok(cuCtxSynchronize());
    cr_assert(*(unsigned *)(uintptr_t)p == 42);
    unsigned managed;
    ok(cuPointerGetAttribute(&managed, CU_POINTER_ATTRIBUTE_IS_MANAGED, p));
    cr_assert(managed);
    ok(cuMemFree_v2(p));
}

Test(memory, pointers) {
    const CUcontext ctx = start();
    const CUdeviceptr p = device(100);
    unsigned type;
    int ordinal, stack = 0;
    CUcontext owner;
    void *host;
    ok(cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, p + 99));
    cr_assert(type == CU_MEMORYTYPE_DEVICE);
    ok(cuPointerGetAttribute(&owner, CU_POINTER_ATTRIBUTE_CONTEXT, p));
    cr_assert(owner == ctx);
    is(cuPointerGetAttribute(&host, CU_POINTER_ATTRIBUTE_HOST_POINTER, p),
       CUDA_ERROR_INVALID_VALUE);
    const CUdeviceptr outside = (CUdeviceptr)(uintptr_t)&stack;
    is(cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, outside),
       CUDA_ERROR_INVALID_VALUE);
    CUpointer_attribute ask[] = {CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
                                 CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL};
    void *answers[] = {&type, &ordinal};
    ok(cuPointerGetAttributes(2, ask, answers, outside));
    cr_assert(type == 0 && ordinal == -2);
    ok(cuPointerGetAttributes(2, ask, answers, p));
    cr_assert(type == CU_MEMORYTYPE_DEVICE && ordinal == 0);
}

Test(memory, pools) {
    start();
    CUmemoryPool pool, mine;
    CUdeviceptr p;
    CUstream s;
    ok(cuStreamCreate(&s, STREAM_NON_BLOCKING));
    ok(cuDeviceGetDefaultMemPool(&pool, 0));
    ok(cuMemAllocAsync(&p, 4096, s));
    cuuint64_t used, keep = 1 << 20;
    ok(cuMemPoolGetAttribute(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, &used));
    cr_assert(used == 4096);
    ok(cuMemPoolSetAttribute(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &keep));
    is(cuMemPoolSetAttribute(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, &keep),
       CUDA_ERROR_INVALID_VALUE);
    ok(cuMemsetD8Async(p, 1, 4096, s));
    ok(cuMemFreeAsync(p, s));
    is(cuMemFreeAsync(p, s), CUDA_ERROR_INVALID_VALUE);
    has_report("was freed before");
    ok(cuStreamSynchronize(s));
    ok(cuMemPoolGetAttribute(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, &used));
    cr_assert(used == 0);
    const CUmemPoolProps props = {.allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
                                  .location = {CU_MEM_LOCATION_TYPE_DEVICE, 0}};
    ok(cuMemPoolCreate(&mine, &props));
    ok(cuMemAllocFromPoolAsync(&p, 64, mine, s));
    ok(cuDeviceSetMemPool(0, mine));
    ok(cuMemPoolDestroy(mine));
    is(cuMemPoolDestroy(mine), CUDA_ERROR_INVALID_VALUE);
    is(cuMemPoolDestroy(pool), CUDA_ERROR_INVALID_VALUE);
    ok(cuMemFreeAsync(p, s));
    ok(cuStreamSynchronize(s));
}

Test(memory, a_use_after_the_stream_freed_it) {
    start();
    CUstream a, b;
    CUdeviceptr p;
    CUevent freed;
    ok(cuStreamCreate(&a, STREAM_NON_BLOCKING));
    ok(cuStreamCreate(&b, STREAM_NON_BLOCKING));
    ok(cuEventCreate(&freed, 0));
    ok(cuMemAllocAsync(&p, 256, a));
    ok(cuMemsetD8Async(p, 0, 256, a));
    ok(cuMemFreeAsync(p, a));
    ok(cuEventRecord(freed, a));
    ok(cuStreamWaitEvent(b, freed, 0));
    void *params[] = {&p};
    ok(cuLaunchKernel(kernel("poke"), 1, 1, 1, 1, 1, 1, 0, b, params, NULL));
    is(cuStreamSynchronize(b), CUDA_ERROR_ILLEGAL_ADDRESS);
    cr_assert(braze_fake_reports() > 0);
}
