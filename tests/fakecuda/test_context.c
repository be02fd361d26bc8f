/* test_context.c - devices and their profiles, contexts, stacks, limits, peers. */
#include "test_fake.h"

static int attribute(int number, CUdevice dev) {
    int value;
    ok(cuDeviceGetAttribute(&value, (CUdevice_attribute)number, dev));
    return value;
}

Test(context, profiles) {
    setenv("BRAZE_FAKE_DEVICES", "75,80,86,89,90,100,120", 1);
    static const struct {
        int major, minor, sms, optin, threads;
    } want[] = {
        {7, 5, 40, 65536, 1024},    {8, 0, 108, 166912, 2048}, {8, 6, 82, 101376, 1536},
        {8, 9, 128, 101376, 1536},  {9, 0, 132, 232448, 2048}, {10, 0, 148, 232448, 2048},
        {12, 0, 170, 101376, 1536},
    };
    ok(cuInit(0));
    int count;
    ok(cuDeviceGetCount(&count));
    cr_assert(count == 7);
    for (int i = 0; i < count; i++) {
        cr_assert(attribute(75, i) == want[i].major && attribute(76, i) == want[i].minor);
        cr_assert(attribute(16, i) == want[i].sms && attribute(97, i) == want[i].optin);
        cr_assert(attribute(39, i) == want[i].threads && attribute(10, i) == 32);
        for (int a = 1; a <= 113; a++) attribute(a, i);
        char name[64];
        size_t bytes;
        ok(cuDeviceGetName(name, sizeof name, i));
        ok(cuDeviceTotalMem_v2(&bytes, i));
        cr_assert(strstr(name, "Fake sm_") == name && bytes >= (size_t)15 << 30);
    }
    int value;
    is(cuDeviceGetAttribute(&value, 16, 7), CUDA_ERROR_INVALID_DEVICE);
    is(cuDeviceGetAttribute(&value, 0, 0), CUDA_ERROR_INVALID_VALUE);
    is(cuDeviceGetAttribute(NULL, 1, 0), CUDA_ERROR_INVALID_VALUE);
    CUdevice dev;
    char bus[32];
    ok(cuDeviceGetPCIBusId(bus, sizeof bus, 3));
    ok(cuDeviceGetByPCIBusId(&dev, bus));
    cr_assert(dev == 3);
    CUuuid a, b;
    ok(cuDeviceGetUuid_v2(&a, 0));
    ok(cuDeviceGetUuid_v2(&b, 1));
    cr_assert(memcmp(&a, &b, sizeof a) != 0);
}

Test(context, the_stack) {
    ok(cuInit(0));
    CUcontext a, b, now;
    ok(cuCtxGetCurrent(&now));
    cr_assert(now == NULL);
    is(cuCtxPopCurrent_v2(&now), CUDA_ERROR_INVALID_CONTEXT);
    ok(cuCtxCreate_v2(&a, 0, 0));
    ok(cuCtxCreate_v4(&b, NULL, 0, 0));
    ok(cuCtxGetCurrent(&now));
    cr_assert(now == b);
    ok(cuCtxPopCurrent_v2(&now));
    cr_assert(now == b);
    ok(cuCtxPushCurrent_v2(b));
    ok(cuCtxSetCurrent(a));
    ok(cuCtxPopCurrent_v2(NULL));
    ok(cuCtxGetCurrent(&now));
    cr_assert(now == a, "set replaced b, below it is a");
    ok(cuCtxAttach(&now, 0));
    ok(cuCtxDetach(a));
    ok(cuCtxDetach(a));
    is(cuCtxDestroy_v2(a), CUDA_ERROR_INVALID_CONTEXT);
    is(cuCtxPushCurrent_v2(a), CUDA_ERROR_INVALID_CONTEXT);
    is(cuCtxSetCurrent((CUcontext)0x1234), CUDA_ERROR_INVALID_CONTEXT);
    is(cuCtxCreate_v2(&a, 0x10000, 0), CUDA_ERROR_INVALID_VALUE);
    is(cuCtxCreate_v2(&a, 0, 9), CUDA_ERROR_INVALID_DEVICE);
}

Test(context, a_destroyed_one_below_the_top) {
    ok(cuInit(0));
    CUcontext a;
    CUdevice dev;
    ok(cuCtxCreate_v2(&a, 0, 0));
    ok(cuCtxPushCurrent_v2(a));
    ok(cuCtxDestroy_v2(a)); /* pops one entry, the other stays */
    is(cuCtxGetDevice(&dev), CUDA_ERROR_CONTEXT_IS_DESTROYED);
}

Test(context, the_primary_one_counts) {
    ok(cuInit(0));
    CUcontext a, b;
    unsigned flags;
    int active;
    CUdevice dev;
    is(cuDevicePrimaryCtxRelease_v2(0), CUDA_ERROR_INVALID_CONTEXT);
    ok(cuDevicePrimaryCtxRetain(&a, 0));
    ok(cuDevicePrimaryCtxRetain(&b, 0));
    cr_assert(a == b);
    is(cuCtxDestroy_v2(a), CUDA_ERROR_INVALID_CONTEXT);
    ok(cuCtxSetCurrent(a));
    ok(cuDevicePrimaryCtxRelease_v2(0));
    ok(cuDevicePrimaryCtxGetState(0, &flags, &active));
    cr_assert(active);
    ok(cuDevicePrimaryCtxRelease_v2(0));
    ok(cuDevicePrimaryCtxGetState(0, &flags, &active));
    cr_assert(!active);
    is(cuCtxGetDevice(&dev), CUDA_ERROR_CONTEXT_IS_DESTROYED);
    ok(cuDevicePrimaryCtxRetain(&b, 0));
    ok(cuCtxGetDevice(&dev));
    cr_assert(dev == 0);
}

Test(context, its_end_frees_what_it_holds) {
    ok(cuInit(0));
    CUcontext a, b;
    ok(cuCtxCreate_v2(&b, 0, 0));
    ok(cuCtxCreate_v2(&a, 0, 0));
    size_t before, after, total;
    ok(cuMemGetInfo_v2(&before, &total));
    CUstream s;
    ok(cuStreamCreate(&s, 0));
    const CUdeviceptr p = device(1 << 20);
    ok(cuMemsetD8Async(p, 1, 1 << 20, s));
    ok(cuCtxDestroy_v2(a));
    ok(cuMemGetInfo_v2(&after, &total));
    cr_assert(before == after);
    is(cuStreamSynchronize(s), CUDA_ERROR_INVALID_HANDLE);
    is(cuMemFree_v2(p), CUDA_ERROR_INVALID_VALUE);
}

Test(context, limits) {
    start();
    size_t value;
    ok(cuCtxGetLimit(&value, CU_LIMIT_STACK_SIZE));
    cr_assert(value == 1024);
    ok(cuCtxSetLimit(CU_LIMIT_MALLOC_HEAP_SIZE, 1 << 24));
    ok(cuCtxGetLimit(&value, CU_LIMIT_MALLOC_HEAP_SIZE));
    cr_assert(value == 1 << 24);
    is(cuCtxGetLimit(&value, (CUlimit)77), CUDA_ERROR_UNSUPPORTED_LIMIT);
    int least, greatest;
    ok(cuCtxGetStreamPriorityRange(&least, &greatest));
    cr_assert(least == 0 && greatest == -5);
}

Test(context, peers) {
    setenv("BRAZE_FAKE_DEVICES", "80,80", 1);
    ok(cuInit(0));
    CUcontext a, b;
    ok(cuDevicePrimaryCtxRetain(&a, 0));
    ok(cuDevicePrimaryCtxRetain(&b, 1));
    ok(cuCtxSetCurrent(b));
    const CUdeviceptr there = device(256);
    ok(cuMemsetD32_v2(there, 5, 64));
    ok(cuCtxSetCurrent(a));
    int can;
    ok(cuDeviceCanAccessPeer(&can, 0, 1));
    cr_assert(can);
    ok(cuDeviceCanAccessPeer(&can, 0, 0));
    cr_assert(!can);
    is(cuCtxDisablePeerAccess(b), CUDA_ERROR_PEER_ACCESS_NOT_ENABLED);
    ok(cuCtxEnablePeerAccess(b, 0));
    is(cuCtxEnablePeerAccess(b, 0), CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED);
    is(cuCtxEnablePeerAccess(b, 1), CUDA_ERROR_INVALID_VALUE);
    is(cuCtxEnablePeerAccess(a, 0), CUDA_ERROR_INVALID_CONTEXT);
    void *params[] = {(void *)&there};
    ok(cuLaunchKernel(kernel("poke"), 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL));
    ok(cuCtxSynchronize());
    ok(cuCtxDisablePeerAccess(b));
    ok(cuLaunchKernel(kernel("poke"), 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL));
    is(cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
}

Test(context, a_copy_between_devices) {
    setenv("BRAZE_FAKE_DEVICES", "80,90", 1);
    ok(cuInit(0));
    CUcontext a, b;
    ok(cuDevicePrimaryCtxRetain(&b, 1));
    ok(cuCtxSetCurrent(b));
    const CUdeviceptr there = device(64);
    ok(cuDevicePrimaryCtxRetain(&a, 0));
    ok(cuCtxSetCurrent(a));
    const CUdeviceptr here = device(64);
    unsigned got[16], want = 0x01020304;
    ok(cuMemsetD32_v2(here, want, 16));
    ok(cuMemcpyPeer(there, b, here, a, 64));
    ok(cuMemcpyDtoH_v2(got, there, 64));
    cr_assert(got[0] == want && got[15] == want);
    is(cuMemcpyPeer(there, NULL, here, a, 64), CUDA_ERROR_INVALID_CONTEXT);
}

/* What waits for the work of a context that has failed is dropped with it, and no report of its own. */
Test(context, a_copy_from_a_lost_context) {
    setenv("BRAZE_FAKE_DEVICES", "80,90", 1);
    setenv("BRAZE_FAKE_SEED", "0", 1);
    ok(cuInit(0));
    CUcontext a, b;
    CUstream from, to;
    CUevent made;
    CUdeviceptr there;
    ok(cuDevicePrimaryCtxRetain(&b, 1));
    ok(cuCtxSetCurrent(b));
    ok(cuStreamCreate(&from, STREAM_NON_BLOCKING));
    ok(cuEventCreate(&made, EVENT_DISABLE_TIMING));
    ok(cuMemAllocAsync(&there, 64, from));
    ok(cuMemsetD32Async(there, 5, 16, from));
    ok(cuEventRecord(made, from));
    ok(cuDevicePrimaryCtxRetain(&a, 0));
    ok(cuCtxSetCurrent(a));
    const CUdeviceptr here = device(64);
    ok(cuStreamCreate(&to, STREAM_NON_BLOCKING));
    ok(cuStreamWaitEvent(to, made, 0));
    ok(cuMemcpyPeerAsync(here, a, there, b, 64, to));
    ok(cuCtxSetCurrent(b));
    braze_fake_fail_after(0, CUDA_ERROR_LAUNCH_FAILED);
    is(cuCtxSynchronize(), CUDA_ERROR_LAUNCH_FAILED);
    ok(cuCtxSetCurrent(a));
    is(cuStreamSynchronize(to), CUDA_ERROR_LAUNCH_FAILED);
    is(cuCtxSynchronize(), CUDA_ERROR_LAUNCH_FAILED);
    no_reports();
}
