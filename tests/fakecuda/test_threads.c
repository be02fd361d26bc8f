/* test_threads.c - several host threads: their own stacks and streams, shared contexts; leaks at
 * exit. */
#include "test_fake.h"

#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 200, WORDS = 256 };

static void *work(void *ctx) {
    ok(cuCtxSetCurrent(ctx));
    CUstream s;
    CUevent e;
    unsigned *host;
    ok(cuStreamCreate(&s, STREAM_NON_BLOCKING));
    ok(cuEventCreate(&e, 0));
    ok(cuMemHostAlloc((void **)&host, 4 * WORDS, 0));
    const CUdeviceptr p = device(4 * WORDS);
    for (unsigned i = 0; i < ROUNDS; i++) {
        ok(cuMemsetD32Async(p, i, WORDS, s));
        ok(cuMemcpyDtoHAsync_v2(host, p, 4 * WORDS, s));
        ok(cuEventRecord(e, s));
        if (i % 3 == 0) ok(cuMemsetD32Async(p, i, WORDS, s));
        ok(cuEventSynchronize(e));
        cr_assert(host[0] == i && host[WORDS - 1] == i);
    }
    ok(cuStreamSynchronize(s));
    ok(cuMemFreeHost(host));
    ok(cuMemFree_v2(p));
    ok(cuStreamDestroy_v2(s));
    return NULL;
}

Test(threads, two_at_work) {
    CUcontext ctx = start();
    pthread_t a, b;
    pthread_create(&a, NULL, work, ctx);
    pthread_create(&b, NULL, work, ctx);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    no_reports();
}

static void *look(void *current) {
    ok(cuCtxGetCurrent(current));
    return NULL;
}

Test(threads, each_has_its_own_stack) {
    CUcontext ctx = start(), seen = ctx;
    pthread_t a;
    pthread_create(&a, NULL, look, &seen);
    pthread_join(a, NULL);
    cr_assert(seen == NULL);
}

static void *per_thread_id(void *ctx) {
    static unsigned long long ids[2];
    static int n;
    ok(cuCtxSetCurrent(ctx));
    ok(cuStreamGetId(CU_STREAM_PER_THREAD, &ids[n]));
    return &ids[n++];
}

Test(threads, each_has_its_own_stream) {
    CUcontext ctx = start();
    unsigned long long *mine = per_thread_id(ctx);
    void *other;
    pthread_t a;
    pthread_create(&a, NULL, per_thread_id, ctx);
    pthread_join(a, &other);
    cr_assert(*mine != *(unsigned long long *)other);
}

/* The exit status of a child that leaves something behind. */
static int status_after(void (*leave)(void)) {
    const pid_t child = fork();
    if (child == 0) {
        setenv("BRAZE_FAKE_EXIT", "77", 1);
        setenv("BRAZE_FAKE_QUIET", "1", 1);
        start();
        leave();
        exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

static void nothing(void) {
    ok(cuMemFree_v2(device(64)));
}

static void a_block(void) {
    device(64);
}

static void a_double_free(void) {
    const CUdeviceptr p = device(64);
    ok(cuMemFree_v2(p));
    cuMemFree_v2(p);
}

Test(threads, what_is_left_at_exit_is_told) {
    cr_assert(status_after(nothing) == 0);
    cr_assert(status_after(a_block) == 77);
    cr_assert(status_after(a_double_free) == 77);
}

static void one_launch(void) {
    CUdeviceptr p = device(64);
    void *params[] = {&p};
    ok(cuMemsetD32_v2(p, 0, 16));
    ok(cuLaunchKernel(kernel("ticket"), 2, 1, 1, 32, 1, 1, 0, NULL, params, NULL));
    ok(cuCtxSynchronize());
    ok(cuMemFree_v2(p));
}

Test(threads, counters_are_written_at_exit) {
    char path[] = "/tmp/fakecuda-counters-XXXXXX", line[1024] = "";
    close(mkstemp(path));
    setenv("BRAZE_FAKE_COUNTERS", path, 1);
    cr_assert(status_after(one_launch) == 0);
    FILE *file = fopen(path, "r");
    cr_assert(file && fgets(line, sizeof line, file));
    fclose(file);
    unlink(path);
    cr_assert(strstr(line, "\"kernel\": \"ticket\", \"launches\": 1, \"blocks\": 2"), "%s", line);
}
