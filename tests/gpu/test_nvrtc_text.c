/* test_nvrtc_text.c - the compiler that hands out PTX as machine code: what a program asks for as a
 * cubin runs on the emulated driver. */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void *symbol(void *library, const char *name) {
    void *s = dlsym(library, name);
    cr_assert_not_null(s, "%s", name);
    return s;
}

#define CALL(library, name, types, ...)                                                            \
    (((int(*) types)(uintptr_t)symbol(library, #name))(__VA_ARGS__))

static int compiled(void *rtc, void **prog) {
    const char *options[] = {"-arch=sm_80"};
    const int made =
        CALL(rtc, nvrtcCreateProgram, (void **, const char *, const char *, int, char **, char **),
             prog, "extern \"C\" __global__ void k(int *p) { *p = 7; }", "k.cu", 0, NULL, NULL);
    return made ? made
                : CALL(rtc, nvrtcCompileProgram, (void *, int, const char **), *prog, 1, options);
}

Test(nvrtc_text, machine_code_is_ptx) {
    void *rtc = dlopen("build/gpu/nvrtc-text/libnvrtc.so.13", RTLD_NOW | RTLD_LOCAL);
    cr_assert_not_null(rtc, "%s", dlerror());
    int major = 0, minor = 0;
    if (CALL(rtc, nvrtcVersion, (int *, int *), &major, &minor) != 0) cr_skip_test("no NVRTC");
    void *prog = NULL;
    size_t size = 0, again = 0;
    cr_assert(compiled(rtc, &prog) == 0);
    cr_assert(CALL(rtc, nvrtcGetCUBINSize, (void *, size_t *), prog, &size) == 0);
    cr_assert(CALL(rtc, nvrtcGetPTXSize, (void *, size_t *), prog, &again) == 0);
    cr_assert(size == again && size > 0);
    char *text = malloc(size);
    cr_assert(CALL(rtc, nvrtcGetCUBIN, (void *, char *), prog, text) == 0);
    cr_assert(strstr(text, ".version") && strstr(text, ".entry k"), "%s", text);
    void *cuda = dlopen("build/libbraze-fakecuda.so", RTLD_NOW | RTLD_LOCAL), *context, *library;
    cr_assert_not_null(cuda);
    cr_assert(CALL(cuda, cuInit, (unsigned), 0) == 0);
    cr_assert(CALL(cuda, cuDevicePrimaryCtxRetain, (void **, int), &context, 0) == 0);
    cr_assert(CALL(cuda, cuCtxSetCurrent, (void *), context) == 0);
    cr_assert(CALL(cuda, cuModuleLoadData, (void **, const void *), &library, text) == 0);
    cr_assert(CALL(rtc, nvrtcDestroyProgram, (void **), &prog) == 0);
    free(text);
}
