/* test_entry.c - entry points: what is asked first, names, failures on demand, the log. */
#include "test_fake.h"

#include <dlfcn.h>
#include <unistd.h>

Test(entry, nothing_before_init) {
    int count;
    CUcontext ctx;
    is(cuDeviceGetCount(&count), CUDA_ERROR_NOT_INITIALIZED);
    is(cuCtxGetCurrent(&ctx), CUDA_ERROR_NOT_INITIALIZED);
    is(cuInit(1), CUDA_ERROR_INVALID_VALUE);
    int version;
    ok(cuDriverGetVersion(&version));
    cr_assert(version == 13000);
    ok(cuInit(0));
    ok(cuDeviceGetCount(&count));
    cr_assert(count == 1);
    CUdeviceptr p;
    is(cuMemAlloc_v2(&p, 16), CUDA_ERROR_INVALID_CONTEXT);
}

Test(entry, no_device) {
    setenv("BRAZE_FAKE_DEVICES", "0", 1);
    is(cuInit(0), CUDA_ERROR_NO_DEVICE);
}

Test(entry, every_code_has_a_name_and_a_sentence) {
    static const struct {
        int code;
        const char *name;
    } codes[] = {
#define E(number, symbol, text) {number, #symbol},
#include "errors.def"
#undef E
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        const char *name, *text;
        ok(cuGetErrorName((CUresult)codes[i].code, &name));
        ok(cuGetErrorString((CUresult)codes[i].code, &text));
        cr_assert(strcmp(name, codes[i].name) == 0 && strlen(text) > 5);
    }
    const char *name = "x";
    is(cuGetErrorName((CUresult)12345, &name), CUDA_ERROR_INVALID_VALUE);
    cr_assert(name == NULL);
}

static void *proc(const char *name, int version, cuuint64_t flags,
                  CUdriverProcAddressQueryResult want) {
    void *p = (void *)1;
    CUdriverProcAddressQueryResult got;
    ok(cuGetProcAddress_v2(name, &p, version, flags, &got));
    cr_assert(got == want, "%s at %d: %d", name, version, (int)got);
    return p;
}

static void *symbol(const char *name) {
    void *lib = dlopen("libbraze-fakecuda.so", RTLD_NOW | RTLD_NOLOAD);
    cr_assert(lib);
    return dlsym(lib, name);
}

Test(entry, versions_of_names) {
    cr_assert(proc("cuMemAlloc", 3020, 0, CU_GET_PROC_ADDRESS_SUCCESS) == symbol("cuMemAlloc_v2"));
    cr_assert(proc("cuMemAlloc", 2000, 0, CU_GET_PROC_ADDRESS_SUCCESS) == symbol("cuMemAlloc"));
    cr_assert(proc("cuCtxCreate", 11030, 0, CU_GET_PROC_ADDRESS_SUCCESS) ==
              symbol("cuCtxCreate_v2"));
    cr_assert(proc("cuCtxCreate", 13000, 0, CU_GET_PROC_ADDRESS_SUCCESS) ==
              symbol("cuCtxCreate_v4"));
    cr_assert(proc("cuGraphInstantiate", 13000, 0, CU_GET_PROC_ADDRESS_SUCCESS) ==
              symbol("cuGraphInstantiateWithFlags"));
    cr_assert(proc("cuGraphInstantiate", 11000, 0, CU_GET_PROC_ADDRESS_SUCCESS) ==
              symbol("cuGraphInstantiate_v2"));
    cr_assert(proc("cuLaunchKernel", 12000, PROC_PER_THREAD_STREAM, CU_GET_PROC_ADDRESS_SUCCESS) ==
              symbol("cuLaunchKernel_ptsz"));
    cr_assert(proc("cuMemcpyHtoD", 12000, PROC_PER_THREAD_STREAM, CU_GET_PROC_ADDRESS_SUCCESS) ==
              symbol("cuMemcpyHtoD_v2_ptds"));
    cr_assert(proc("cuGraphAddNode", 11000, 0, CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT) == NULL);
    cr_assert(proc("cuNoSuchThing", 13000, 0, CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND) == NULL);
    void *p;
    is(cuGetProcAddress(NULL, &p, 12000, 0), CUDA_ERROR_INVALID_VALUE);
    is(cuGetProcAddress("cuNoSuchThing", &p, 12000, 0), CUDA_ERROR_NOT_FOUND);
    const CUuuid id = {{0}};
    const void *table;
    is(cuGetExportTable(&table, &id), CUDA_ERROR_NOT_FOUND);
}

/* A name without its version. */
static const char *asked_for(const char *name) {
    static char text[80];
    snprintf(text, sizeof text, "%s", name);
    char *version = strrchr(text, '_');
    if (version && version[1] == 'v') *version = 0;
    return text;
}

Test(entry, every_name_of_the_table_is_found) {
#define F(name, since, need, params, args)                                                         \
    cr_assert(proc(asked_for(#name), since, 0, CU_GET_PROC_ADDRESS_SUCCESS) != NULL, #name);       \
    cr_assert(symbol(#name) != NULL, #name);
#define FS(name, since, need, params, args)                                                        \
    F(name, since, need, params, args) cr_assert(symbol(#name "_ptsz") != NULL, #name);
#define FD(name, since, need, params, args)                                                        \
    F(name, since, need, params, args) cr_assert(symbol(#name "_ptds") != NULL, #name);
#include "functions.def"
}

Test(entry, what_is_absent_says_so) {
    setenv("BRAZE_FAKE_LOG", "/tmp/fakecuda-absent-%p.log", 1);
    start();
    CUresult (*create)(void *, void *) = NULL;
    void *p = symbol("cuArrayCreate_v2");
    memcpy(&create, &p, sizeof create);
    is(create(NULL, NULL), CUDA_ERROR_NOT_SUPPORTED);
    fflush(NULL);
    char path[64];
    snprintf(path, sizeof path, "/tmp/fakecuda-absent-%ld.log", (long)getpid());
    FILE *log = fopen(path, "r");
    char line[256] = "";
    bool found = false;
    while (log && fgets(line, sizeof line, log))
        found = found || strstr(line, "cuArrayCreate_v2() = CUDA_ERROR_NOT_SUPPORTED");
    cr_assert(found);
    fclose(log);
    unlink(path);
}

Test(entry, the_nth_call_fails) {
    setenv("BRAZE_FAKE_FAIL", "cuMemAlloc_v2:2:2,cuStreamCreate:1:999", 1);
    start();
    CUdeviceptr a, b;
    CUstream s;
    ok(cuMemAlloc_v2(&a, 64));
    is(cuMemAlloc_v2(&b, 64), CUDA_ERROR_OUT_OF_MEMORY);
    ok(cuMemAlloc_v2(&b, 64));
    is(cuStreamCreate(&s, 0), CUDA_ERROR_UNKNOWN);
    ok(cuStreamCreate(&s, 0));
    cr_assert(braze_fake_calls("cuMemAlloc_v2") == 3);
}

Test(entry, a_call_from_now_fails) {
    start();
    CUdeviceptr a, b;
    ok(cuMemAlloc_v2(&a, 64));
    braze_fake_fail_after(1, 2);
    ok(cuMemAlloc_v2(&b, 64));
    cr_assert(braze_fake_living() == 2 && !braze_fake_failed());
    is(cuMemAlloc_v2(&a, 64), CUDA_ERROR_OUT_OF_MEMORY);
    cr_assert(braze_fake_living() == 2 && strcmp(braze_fake_failed(), "cuMemAlloc_v2") == 0);
    cr_assert(braze_fake_fail_after(-1, 0) == -1);
    ok(cuMemFree_v2(a));
    ok(cuMemFree_v2(b));
}

/* The error of earlier work, told by what gives something back. */
Test(entry, what_gives_back_fails_and_has_given_back) {
    start();
    CUdeviceptr a;
    CUcontext current, popped;
    ok(cuMemAlloc_v2(&a, 64));
    braze_fake_fail_after(0, 1);
    is(cuMemFree_v2(a), CUDA_ERROR_INVALID_VALUE);
    cr_assert(braze_fake_living() == 0 && strcmp(braze_fake_failed(), "cuMemFree_v2") == 0);
    ok(cuCtxGetCurrent(&current));
    braze_fake_fail_after(0, 1);
    is(cuCtxPushCurrent_v2(current), CUDA_ERROR_INVALID_VALUE);
    ok(cuCtxPopCurrent_v2(&popped));
    ok(cuCtxGetCurrent(&current));
    cr_assert(current == NULL);
}

Test(entry, an_injected_launch_failure_sticks) {
    setenv("BRAZE_FAKE_FAIL", "cuStreamSynchronize:1:719", 1);
    start();
    CUdeviceptr p;
    is(cuStreamSynchronize(NULL), CUDA_ERROR_LAUNCH_FAILED);
    is(cuMemAlloc_v2(&p, 64), CUDA_ERROR_LAUNCH_FAILED);
    is(cuStreamSynchronize(NULL), CUDA_ERROR_LAUNCH_FAILED);
    ok(cuDevicePrimaryCtxReset_v2(0));
    ok(cuMemAlloc_v2(&p, 64));
}
