/* test_fake.h - what the driver's tests share: checks of status codes, a context, some kernels. */
#ifndef TEST_FAKE_H
#define TEST_FAKE_H

#include "fake.h"
#include "test_kernels.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static inline const char *code_name(CUresult code) {
    const char *name = "?";
    cuGetErrorName(code, &name);
    return name;
}

/* The call answers that code. */
#define is(call, code)                                                                             \
    do {                                                                                           \
        const CUresult is_got = (call), is_want = (code);                                          \
        cr_assert(is_got == is_want, "%s: %s instead of %s", #call, code_name(is_got), #code);     \
    } while (0)
#define ok(call) is(call, CUDA_SUCCESS)

/* A context of device 0, made by the primary one. */
static inline CUcontext start(void) {
    CUcontext ctx;
    ok(cuInit(0));
    ok(cuDevicePrimaryCtxRetain(&ctx, 0));
    ok(cuCtxSetCurrent(ctx));
    return ctx;
}

static inline void has_report(const char *part) {
    for (size_t i = 0; i < braze_fake_reports(); i++)
        if (strstr(braze_fake_report(i), part)) return;
    cr_assert(0, "no report with \"%s\"; the first of %zu is %s", part, braze_fake_reports(),
              braze_fake_reports() ? braze_fake_report(0) : "none");
}

static inline void no_reports(void) {
    cr_assert(braze_fake_reports() == 0, "report: %s", braze_fake_report(0));
}

static inline CUfunction kernel(const char *name) {
    static CUmodule module;
    CUfunction f;
    if (!module) ok(cuModuleLoadData(&module, kernels));
    ok(cuModuleGetFunction(&f, module, name));
    return f;
}

static inline void scale(CUstream stream, CUdeviceptr out, CUdeviceptr in, float k, unsigned n) {
    void *params[] = {&out, &in, &k, &n};
    ok(cuLaunchKernel(kernel("scale"), (n + 63) / 64, 1, 1, 64, 1, 1, 0, stream, params, NULL));
}

static inline CUdeviceptr device(size_t bytes) {
    CUdeviceptr p;
    ok(cuMemAlloc_v2(&p, bytes));
    return p;
}

#endif
