/* test_stream.c - order between streams, races, late reads, host functions, events and their times.
 */
#include "test_fake.h"

#include <sched.h>
#include <sys/mman.h>
#include <time.h>

enum { N = 256, BYTES = 4 * N };

static CUstream stream(unsigned flags) {
    CUstream s;
    ok(cuStreamCreate(&s, flags));
    return s;
}

static CUevent event(void) {
    CUevent e;
    ok(cuEventCreate(&e, 0));
    return e;
}

Test(stream, arguments) {
    start();
    CUstream s = stream(0);
    unsigned flags;
    int priority;
    is(cuStreamCreate(&s, 2), CUDA_ERROR_INVALID_VALUE);
    is(cuStreamCreate(NULL, 0), CUDA_ERROR_INVALID_VALUE);
    ok(cuStreamCreateWithPriority(&s, STREAM_NON_BLOCKING, -99));
    ok(cuStreamGetPriority(s, &priority));
    ok(cuStreamGetFlags(s, &flags));
    cr_assert(priority == -5 && flags == STREAM_NON_BLOCKING);
    is(cuStreamSynchronize((CUstream)0x77), CUDA_ERROR_INVALID_HANDLE);
    ok(cuStreamSynchronize(CU_STREAM_LEGACY));
    ok(cuStreamSynchronize(CU_STREAM_PER_THREAD));
    ok(cuStreamDestroy_v2(s));
    is(cuStreamDestroy_v2(s), CUDA_ERROR_INVALID_HANDLE);
    is(cuStreamDestroy_v2(CU_STREAM_LEGACY), CUDA_ERROR_INVALID_HANDLE);
    CUevent e;
    is(cuEventCreate(&e, 8), CUDA_ERROR_INVALID_VALUE);
    ok(cuEventCreate(&e, EVENT_DISABLE_TIMING));
    is(cuStreamWaitEvent(NULL, NULL, 0), CUDA_ERROR_INVALID_HANDLE);
    is(cuStreamWaitEvent(NULL, e, 7), CUDA_ERROR_INVALID_VALUE);
    ok(cuEventQuery(e));
    ok(cuEventDestroy_v2(e));
    is(cuEventRecord(e, NULL), CUDA_ERROR_INVALID_HANDLE);
    is(cuLaunchHostFunc(NULL, NULL, NULL), CUDA_ERROR_INVALID_VALUE);
}

/* Copy on one stream, kernel on another, copy back on a third; with or without the events. */
static bool pipeline(uint64_t seed, bool wait_first, bool wait_second) {
    braze_fake_seed(seed);
    braze_fake_clear();
    CUstream up = stream(STREAM_NON_BLOCKING), run = stream(STREAM_NON_BLOCKING),
             down = stream(STREAM_NON_BLOCKING);
    CUevent e = event(), f = event();
    float *host, *back;
    ok(cuMemHostAlloc((void **)&host, BYTES, 0));
    ok(cuMemHostAlloc((void **)&back, BYTES, 0));
    const CUdeviceptr in = device(BYTES), out = device(BYTES);
    for (int i = 0; i < N; i++) {
        host[i] = (float)i;
        back[i] = -1;
    }
    ok(cuMemsetD32_v2(in, 0, N));
    ok(cuMemsetD32_v2(out, 0, N));
    ok(cuCtxSynchronize());
    ok(cuMemcpyHtoDAsync_v2(in, host, BYTES, up));
    ok(cuEventRecord(e, up));
    if (wait_first) ok(cuStreamWaitEvent(run, e, 0));
    scale(run, out, in, 2, N);
    ok(cuEventRecord(f, run));
    if (wait_second) ok(cuStreamWaitEvent(down, f, 0));
    ok(cuMemcpyDtoHAsync_v2(back, out, BYTES, down));
    ok(cuStreamSynchronize(down));
    bool right = true;
    for (int i = 0; i < N; i++) right = right && back[i] == 2.0f * (float)i;
    ok(cuCtxSynchronize());
    ok(cuMemFree_v2(in));
    ok(cuMemFree_v2(out));
    ok(cuMemFreeHost(host));
    ok(cuMemFreeHost(back));
    ok(cuStreamDestroy_v2(up));
    ok(cuStreamDestroy_v2(run));
    ok(cuStreamDestroy_v2(down));
    return right;
}

Test(stream, events_give_order_under_every_seed) {
    start();
    for (uint64_t seed = 0; seed < 20; seed++) {
        cr_assert(pipeline(seed, true, true), "seed %d", (int)seed);
        no_reports();
    }
}

Test(stream, a_missing_wait_is_seen_in_data_and_as_a_race) {
    start();
    for (int which = 0; which < 2; which++) {
        int wrong = 0;
        for (uint64_t seed = 1; seed <= 20; seed++) {
            wrong += !pipeline(seed, which != 0, which != 1);
            has_report("stream race");
        }
        cr_assert(wrong >= 5, "wrong data under %d of 20 seeds", wrong);
    }
}

Test(stream, the_same_seed_gives_the_same_result) {
    start();
    for (uint64_t seed = 1; seed <= 10; seed++) {
        const bool first = pipeline(seed, false, false);
        for (int i = 0; i < 3; i++) cr_assert(pipeline(seed, false, false) == first);
    }
}

Test(stream, a_host_wait_orders_too) {
    start();
    CUstream a = stream(STREAM_NON_BLOCKING), b = stream(STREAM_NON_BLOCKING);
    const CUdeviceptr p = device(BYTES);
    ok(cuMemsetD32Async(p, 1, N, a));
    ok(cuStreamSynchronize(a));
    ok(cuMemsetD32Async(p, 2, N, b));
    ok(cuStreamSynchronize(b));
    no_reports();
    ok(cuMemsetD32Async(p, 1, N, a));
    ok(cuMemsetD32Async(p, 2, N, b));
    ok(cuCtxSynchronize());
    has_report("stream race: fill");
}

Test(stream, disjoint_halves_do_not_race) {
    start();
    CUstream a = stream(STREAM_NON_BLOCKING), b = stream(STREAM_NON_BLOCKING);
    const CUdeviceptr p = device(BYTES);
    ok(cuMemsetD32Async(p, 1, N / 2, a));
    ok(cuMemsetD32Async(p + BYTES / 2, 2, N / 2, b));
    ok(cuCtxSynchronize());
    no_reports();
}

Test(stream, the_legacy_stream_orders_blocking_ones) {
    start();
    CUstream a = stream(0), b = stream(0), free_one = stream(STREAM_NON_BLOCKING);
    const CUdeviceptr p = device(BYTES);
    ok(cuMemsetD32Async(p, 1, N, a));
    ok(cuMemsetD32_v2(p, 2, N));
    ok(cuMemsetD32Async(p, 3, N, b));
    ok(cuCtxSynchronize());
    no_reports();
    ok(cuMemsetD32_v2(p, 4, N));
    ok(cuMemsetD32Async(p, 5, N, free_one));
    ok(cuCtxSynchronize());
    has_report("stream race");
}

Test(stream, the_per_thread_stream_is_a_blocking_one) {
    start();
    const CUdeviceptr p = device(BYTES);
    ok(cuMemsetD32Async(p, 1, N, CU_STREAM_PER_THREAD));
    ok(cuMemsetD32Async(p, 2, N, CU_STREAM_LEGACY));
    ok(cuMemsetD32Async_ptsz(p, 3, N, NULL));
    unsigned got;
    ok(cuMemcpyDtoH_v2_ptds(&got, p, 4));
    cr_assert(got == 3);
    no_reports();
}

Test(stream, a_pageable_source_is_read_late) {
    start();
    CUstream s = stream(STREAM_NON_BLOCKING);
    const CUdeviceptr p = device(BYTES);
    unsigned *source = malloc(BYTES), got;
    int late = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        braze_fake_seed(seed);
        source[0] = 1;
        ok(cuMemcpyHtoDAsync_v2(p, source, BYTES, s));
        source[0] = 2;
        ok(cuStreamSynchronize(s));
        ok(cuMemcpyDtoH_v2(&got, p, 4));
        late += got == 2;
    }
    cr_assert(late >= 10, "late under %d of 20 seeds", late);
    ok(cuMemcpyHtoD_v2(p, source, BYTES)); /* the synchronous form is done when it returns */
    source[0] = 9;
    ok(cuMemcpyDtoH_v2(&got, p, 4));
    cr_assert(got == 2);
    free(source);
}

Test(stream, a_pageable_source_that_is_gone) {
    start();
    braze_fake_seed(0);
    CUstream s = stream(STREAM_NON_BLOCKING);
    const CUdeviceptr p = device(4096);
    void *source = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ok(cuMemcpyHtoDAsync_v2(p, source, 4096, s));
    munmap(source, 4096);
    is(cuStreamSynchronize(s), CUDA_ERROR_ILLEGAL_ADDRESS);
    has_report("touches pageable memory that is gone");
}

Test(stream, staged_sources_are_read_at_the_call) {
    setenv("BRAZE_FAKE_PAGEABLE", "staged", 1);
    start();
    CUstream s = stream(STREAM_NON_BLOCKING);
    const CUdeviceptr p = device(4);
    unsigned source = 1, got;
    ok(cuMemcpyHtoDAsync_v2(p, &source, 4, s));
    source = 2;
    ok(cuStreamSynchronize(s));
    ok(cuMemcpyDtoH_v2(&got, p, 4));
    cr_assert(got == 1);
}

Test(stream, copies_to_pageable_memory_are_done_when_they_return) {
    start();
    CUstream s = stream(STREAM_NON_BLOCKING);
    const CUdeviceptr p = device(4);
    unsigned got = 0;
    ok(cuMemsetD32Async(p, 7, 1, s));
    ok(cuMemcpyDtoHAsync_v2(&got, p, 4, s));
    cr_assert(got == 7);
}

static void count_up(void *user) {
    ++*(int *)user;
}

static void call_the_driver(void *user) {
    CUdeviceptr p;
    *(CUresult *)user = cuMemAlloc_v2(&p, 4);
}

static void called_back(CUstream s, CUresult status, void *user) {
    (void)s;
    *(CUresult *)user = status;
}

Test(stream, host_functions_run_in_order_and_may_not_call) {
    start();
    CUstream s = stream(0);
    int count = 0;
    CUresult inside = CUDA_SUCCESS, status = CUDA_ERROR_UNKNOWN;
    for (int i = 0; i < 5; i++) ok(cuLaunchHostFunc(s, count_up, &count));
    ok(cuLaunchHostFunc(s, call_the_driver, &inside));
    ok(cuStreamAddCallback(s, called_back, &status, 0));
    is(cuStreamAddCallback(s, called_back, &status, 1), CUDA_ERROR_INVALID_VALUE);
    ok(cuStreamSynchronize(s));
    cr_assert(count == 5 && inside == CUDA_ERROR_NOT_PERMITTED && status == CUDA_SUCCESS);
}

Test(stream, a_program_may_wait_for_a_host_function_without_asking, .timeout = 10) {
    start();
    CUstream s = stream(0);
    static volatile int flag;
    ok(cuLaunchHostFunc(s, count_up, (void *)(uintptr_t)&flag));
    while (!flag) sched_yield();
}

Test(stream, asking_makes_progress) {
    start();
    CUstream s = stream(0);
    const CUdeviceptr p = device(BYTES);
    CUevent e = event();
    for (int i = 0; i < 50; i++) ok(cuMemsetD32Async(p, (unsigned)i, N, s));
    ok(cuEventRecord(e, s));
    int asked = 0;
    while (cuEventQuery(e) == CUDA_ERROR_NOT_READY) cr_assert(++asked < 1000);
    cr_assert(asked > 3, "ready after %d", asked);
    ok(cuStreamQuery(s));
}

Test(stream, times_are_plausible) {
    start();
    CUstream s = stream(0);
    CUevent a = event(), b = event(), none = event(), untimed;
    float ms = -1;
    ok(cuEventCreate(&untimed, EVENT_DISABLE_TIMING));
    const CUdeviceptr p = device(20 << 20);
    char *host = malloc(20 << 20);
    memset(host, 1, 20 << 20);
    ok(cuEventRecord(a, s));
    ok(cuMemcpyHtoDAsync_v2(p, host, 20 << 20, s));
    ok(cuEventRecord(b, s));
    ok(cuEventRecord(untimed, s));
    ok(cuEventSynchronize(b));
    ok(cuEventElapsedTime(&ms, a, b));
    cr_assert(ms > 0.5f && ms < 10, "20 MiB over a bus of 20 GB/s: %f ms", (double)ms);
    is(cuEventElapsedTime(&ms, a, none), CUDA_ERROR_INVALID_HANDLE);
    ok(cuEventSynchronize(untimed));
    is(cuEventElapsedTime(&ms, a, untimed), CUDA_ERROR_INVALID_HANDLE);
    braze_fake_seed(0);
    ok(cuMemsetD8Async(p, 0, 1, s));
    ok(cuEventRecord(b, s));
    is(cuEventElapsedTime(&ms, a, b), CUDA_ERROR_NOT_READY);
    free(host);
}

Test(stream, a_wait_keeps_the_record_that_it_saw) {
    start();
    CUstream a = stream(STREAM_NON_BLOCKING), b = stream(STREAM_NON_BLOCKING);
    const CUdeviceptr p = device(BYTES), q = device(BYTES);
    CUevent e = event();
    ok(cuMemsetD32Async(p, 1, N, a));
    ok(cuEventRecord(e, a));
    ok(cuStreamWaitEvent(b, e, 0));
    ok(cuMemsetD32Async(q, 1, N, a));
    ok(cuEventRecord(e, a));
    ok(cuMemcpyDtoDAsync_v2(p + BYTES / 2, p, BYTES / 2, b));
    ok(cuCtxSynchronize());
    no_reports();
    ok(cuMemsetD32Async(q, 2, N, a));
    ok(cuEventRecord(e, a)); /* b does not wait for this one */
    ok(cuMemsetD32Async(q, 3, N, b));
    ok(cuCtxSynchronize());
    has_report("stream race");
}

Test(stream, a_crash_sticks_and_a_reset_heals) {
    start();
    CUstream s = stream(0);
    CUresult status = CUDA_SUCCESS;
    ok(cuLaunchKernel(kernel("crash"), 1, 1, 1, 32, 1, 1, 0, s, NULL, NULL));
    ok(cuStreamAddCallback(s, called_back, &status, 0));
    is(cuStreamSynchronize(s), CUDA_ERROR_LAUNCH_FAILED);
    cr_assert(status == CUDA_ERROR_LAUNCH_FAILED);
    is(cuMemsetD8_v2(1, 0, 1), CUDA_ERROR_LAUNCH_FAILED);
    is(cuCtxSynchronize(), CUDA_ERROR_LAUNCH_FAILED);
    ok(cuDevicePrimaryCtxReset_v2(0));
    const CUdeviceptr p = device(BYTES);
    ok(cuMemsetD32_v2(p, 1, N));
    ok(cuCtxSynchronize());
}
