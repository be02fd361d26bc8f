/* dev_driver.c - a CUDA driver, emulated or real, as a device of the GPU tests.
 *
 * Each load makes a fresh context, so that a sticky error ends with the case that caused it. */
#include "dev.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int result;

/* The calls we need: name in the library, arguments. */
#define CALLS(X)                                                                                   \
    X(init, cuInit, (unsigned))                                                                    \
    X(device_get, cuDeviceGet, (int *, int))                                                       \
    X(attribute, cuDeviceGetAttribute, (int *, int, int))                                          \
    X(retain, cuDevicePrimaryCtxRetain, (void **, int))                                            \
    X(ctx_reset, cuDevicePrimaryCtxReset_v2, (int))                                                \
    X(release, cuDevicePrimaryCtxRelease_v2, (int))                                                \
    X(set_current, cuCtxSetCurrent, (void *))                                                      \
    X(synchronize, cuCtxSynchronize, (void))                                                       \
    X(load_data, cuModuleLoadDataEx, (void **, const void *, unsigned, int *, void **))            \
    X(get_function, cuModuleGetFunction, (void **, void *, const char *))                          \
    X(mem_alloc, cuMemAlloc_v2, (uint64_t *, size_t))                                              \
    X(htod, cuMemcpyHtoD_v2, (uint64_t, const void *, size_t))                                     \
    X(dtoh, cuMemcpyDtoH_v2, (void *, uint64_t, size_t))                                           \
    X(launch_kernel, cuLaunchKernel,                                                               \
      (void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *,       \
       void **, void **))                                                                          \
    X(launch_cooperative, cuLaunchCooperativeKernel,                                               \
      (void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *,       \
       void **))                                                                                   \
    X(encode, cuTensorMapEncodeTiled,                                                              \
      (void *, int, uint32_t, void *, const uint64_t *, const uint64_t *, const uint32_t *,        \
       const uint32_t *, int, int, int, int))                                                      \
    X(error_name, cuGetErrorName, (int, const char **))

#define FIELD(field, name, args) result(*field) args;
typedef struct {
    CALLS(FIELD)
} driver_calls;

typedef struct {
    dev base;
    void *library, *context, *module;
    int device;
    driver_calls cu;
} dev_driver;

static dev_driver *self(dev *d) {
    return (dev_driver *)d;
}

static bool bind(driver_calls *cu, void *library, const char **missing) {
#define BIND(field, name, args)                                                                    \
    *(void **)&cu->field = dlsym(library, #name);                                                  \
    if (!cu->field) *missing = #name;
    CALLS(BIND)
    return *missing == NULL;
}

static int failed(dev *d, const char *call, int code) {
    const char *name = NULL;
    if (code != 0 && d->why[0] == '\0') {
        self(d)->cu.error_name(code, &name);
        snprintf(d->why, sizeof d->why, "%s: %d %s", call, code, name ? name : "?");
    }
    return code;
}

static int load(dev *d, const char *ptx, size_t len) {
    dev_driver *p = self(d);
    char *text = malloc(len + 1), log[800] = "";
    if (!text) return 2;
    memcpy(text, ptx, len);
    text[len] = '\0';
    int keys[2] = {5, 6}; /* CU_JIT_ERROR_LOG_BUFFER, its size */
    void *values[2] = {log, (void *)(uintptr_t)sizeof log};
    int code = p->cu.load_data(&p->module, text, 2, keys, values);
    free(text);
    if (code != 0 && log[0]) snprintf(d->why, sizeof d->why, "%s", log);
    return failed(d, "cuModuleLoadDataEx", code);
}

static int alloc(dev *d, size_t size, uint64_t *address) {
    return failed(d, "cuMemAlloc", self(d)->cu.mem_alloc(address, size));
}

static int write_bytes(dev *d, uint64_t to, const void *from, size_t size) {
    return failed(d, "cuMemcpyHtoD", self(d)->cu.htod(to, from, size));
}

static int read_bytes(dev *d, void *to, uint64_t from, size_t size) {
    return failed(d, "cuMemcpyDtoH", self(d)->cu.dtoh(to, from, size));
}

static int launch(dev *d, const dev_launch *l) {
    dev_driver *p = self(d);
    void *function, *args[DEV_MAX_ARGS];
    int code = p->cu.get_function(&function, p->module, l->kernel);
    if (code != 0) return failed(d, "cuModuleGetFunction", code);
    for (unsigned i = 0; i < l->n_args; i++) memcpy(&args[i], &l->args[i].bytes, sizeof(void *));
    const uint32_t *g = l->grid, *b = l->block;
    code = l->cooperative ? p->cu.launch_cooperative(function, g[0], g[1], g[2], b[0], b[1], b[2],
                                                     l->shared, NULL, args)
                          : p->cu.launch_kernel(function, g[0], g[1], g[2], b[0], b[1], b[2],
                                                l->shared, NULL, args, NULL);
    if (code == 0) code = p->cu.synchronize();
    return failed(d, "launch", code);
}

static int encode(dev *d, const dev_map *map, void *to) {
    static const int types[] = {[1] = 0, [2] = 1, [4] = 2};
    const uint32_t steps[2] = {1, 1};
    void *address;
    memcpy(&address, &map->address, sizeof address);
    int swizzle = map->swizzle ? __builtin_ctz(map->swizzle) - 4 : 0;
    return failed(d, "cuTensorMapEncodeTiled",
                  self(d)->cu.encode(to, types[map->element], 2, address, map->dim, &map->stride,
                                     map->box, steps, 0, swizzle, 0, 0));
}

/* A sticky error leaves only a new context usable. */
static void reset(dev *d) {
    dev_driver *p = self(d);
    p->cu.set_current(NULL);
    p->cu.ctx_reset(p->device);
    p->cu.release(p->device);
    p->cu.retain(&p->context, p->device);
    p->cu.set_current(p->context);
    p->module = NULL;
    d->reports = 0;
    d->why[0] = '\0';
}

static void close_driver(dev *d) {
    dev_driver *p = self(d);
    p->cu.set_current(NULL);
    p->cu.release(p->device);
    dlclose(p->library);
    free(p);
}

static const dev_ops ops = {load,   alloc,  write_bytes, read_bytes,
                            launch, encode, reset,       close_driver};

static const char *start(dev_driver *p) {
    const char *missing = NULL;
    int major = 0, minor = 0;
    if (!bind(&p->cu, p->library, &missing)) return missing;
    if (p->cu.init(0) != 0) return "cuInit failed";
    if (p->cu.device_get(&p->device, 0) != 0) return "no device";
    p->cu.attribute(&major, 75, p->device); /* compute capability */
    p->cu.attribute(&minor, 76, p->device);
    p->base.sm = (unsigned)(major * 10 + minor);
    if (p->cu.retain(&p->context, p->device) != 0 || p->cu.set_current(p->context) != 0)
        return "no context";
    return NULL;
}

dev *dev_open_driver(const char *path, char *why, size_t cap) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        snprintf(why, cap, "%s cannot be opened", path);
        return NULL;
    }
    dev_driver *p = calloc(1, sizeof *p);
    const char *fault = "out of memory";
    if (p) {
        p->base.ops = &ops;
        p->library = library;
        fault = start(p);
    }
    if (fault) {
        snprintf(why, cap, "%s: %s", path, fault);
        free(p);
        dlclose(library);
        return NULL;
    }
    return &p->base;
}
