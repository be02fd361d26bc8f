/* nvrtc_text.c - the run-time compiler under its own name, which hands out PTX where machine code is
 * asked for: for programs that want a cubin, which no emulated device can run.
 *
 *      program --nvrtcGetCUBIN--> this --nvrtcGetPTX--> $BRAZE_NVRTC, the compiler itself
 *
 * Everything else goes through unchanged; what the compiler does not have answers NVRTC_ERROR_INTERNAL_ERROR. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { INTERNAL_ERROR = 11 };
#define EXPORT __attribute__((visibility("default")))

static void (*find(const char *name))(void) {
    static void *library;
    const char *path = getenv("BRAZE_NVRTC");
    if (!library)
        library = dlopen(path ? path : "/usr/local/cuda/lib64/libnvrtc.so", RTLD_NOW | RTLD_LOCAL);
    void *symbol = library ? dlsym(library, name) : NULL;
    void (*function)(void);
    memcpy(&function, &symbol, sizeof function);
    return function;
}

/* A function of the compiler's under `name`, which is `real` there. */
#define PASS(name, real, params, args)                                                             \
    EXPORT int name params;                                                                        \
    int name params {                                                                              \
        int(*to) params = (int(*) params)find(real);                                               \
        return to ? to args : INTERNAL_ERROR;                                                      \
    }

PASS(nvrtcGetCUBINSize, "nvrtcGetPTXSize", (void *prog, size_t *size), (prog, size))
PASS(nvrtcGetCUBIN, "nvrtcGetPTX", (void *prog, char *text), (prog, text))

#define SAME(name, params, args) PASS(name, #name, params, args)
SAME(nvrtcVersion, (int *major, int *minor), (major, minor))
SAME(nvrtcGetNumSupportedArchs, (int *n), (n))
SAME(nvrtcGetSupportedArchs, (int *archs), (archs))
SAME(nvrtcCreateProgram,
     (void **prog, const char *source, const char *name, int n, const char *const *headers,
      const char *const *names),
     (prog, source, name, n, headers, names))
SAME(nvrtcDestroyProgram, (void **prog), (prog))
SAME(nvrtcCompileProgram, (void *prog, int n, const char *const *options), (prog, n, options))
SAME(nvrtcGetPTXSize, (void *prog, size_t *size), (prog, size))
SAME(nvrtcGetPTX, (void *prog, char *text), (prog, text))
SAME(nvrtcGetLTOIRSize, (void *prog, size_t *size), (prog, size))
SAME(nvrtcGetLTOIR, (void *prog, char *code), (prog, code))
SAME(nvrtcGetOptiXIRSize, (void *prog, size_t *size), (prog, size))
SAME(nvrtcGetOptiXIR, (void *prog, char *code), (prog, code))
SAME(nvrtcGetProgramLogSize, (void *prog, size_t *size), (prog, size))
SAME(nvrtcGetProgramLog, (void *prog, char *log), (prog, log))
SAME(nvrtcAddNameExpression, (void *prog, const char *name), (prog, name))
SAME(nvrtcGetLoweredName, (void *prog, const char *name, const char **lowered),
     (prog, name, lowered))
SAME(nvrtcGetPCHHeapSize, (size_t * size), (size))
SAME(nvrtcSetPCHHeapSize, (size_t size), (size))
SAME(nvrtcGetPCHCreateStatus, (void *prog), (prog))
SAME(nvrtcGetPCHHeapSizeRequired, (void *prog, size_t *size), (prog, size))
SAME(nvrtcSetFlowCallback, (void *prog, int (*callback)(void *, void *), void *user),
     (prog, callback, user))

EXPORT const char *nvrtcGetErrorString(int status);
const char *nvrtcGetErrorString(int status) {
    const char *(*to)(int) = (const char *(*)(int))find("nvrtcGetErrorString");
    return to ? to(status) : "no compiler";
}
