/* library.c - libraries: images without a context, loaded into each context where they are used. */
#include "fake.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT_OPTION = 1 }; /* CU_LIBRARY_BINARY_IS_PRESERVED */

/* The length of an image, which only its own header says. */
static size_t image_size(const void *data) {
    uint32_t magic;
    memcpy(&magic, data, sizeof magic);
    if (magic == 0xBA55ED50u) {
        uint16_t header;
        uint64_t size;
        memcpy(&header, (const uint8_t *)data + 6, sizeof header);
        memcpy(&size, (const uint8_t *)data + 8, sizeof size);
        return header + (size_t)size;
    }
    if (magic == 0x466243B1u || memcmp(&magic, ELFMAG, SELFMAG) == 0)
        return 0; /* a wrapper points to memory that lives; a cubin cannot run anyway */
    return strlen(data) + 1;
}

static void library_free(fk_library *lib) {
    fk_unhandle(lib);
    while (lib->modules.n > 0) {
        fk_module *m = lib->modules.at[lib->modules.n - 1];
        fk_finish_context(m->ctx);
        if (lib->modules.n > 0 && lib->modules.at[lib->modules.n - 1] == m) fk_module_close(m);
    }
    for (size_t i = 0; i < lib->kernels.n; i++) {
        fk_kernel *k = lib->kernels.at[i];
        free(k->name);
        fk_delete(k);
    }
    if (!lib->preserved) free(lib->image);
    fk_list_free(&lib->kernels);
    fk_list_free(&lib->modules);
    free(lib);
}

CUresult fk_library_module(fk_library *lib, fk_context *ctx, fk_module **out) {
    for (size_t i = 0; i < lib->modules.n; i++) {
        *out = lib->modules.at[i];
        if ((*out)->ctx == ctx) return CUDA_SUCCESS;
    }
    FK_TRY(fk_module_load(ctx, lib->image, &(fk_jit){0}, out));
    fk_push(&lib->modules, *out);
    (*out)->library = lib;
    return CUDA_SUCCESS;
}

static void add_kernels(fk_library *lib, const ptx_module *ptx) {
    for (size_t i = 0; i < ptx_kernel_count(ptx); i++) {
        fk_kernel *k = fk_new(FK_KERNEL, sizeof *k);
        const char *name = ptx_kernel_at(ptx, i)->name;
        fk_push(&lib->kernels, k);
        k->library = lib;
        k->name = strcpy(ptx_grow(NULL, strlen(name) + 1), name);
        for (int d = 0; d < FK_MAX_DEVICES; d++) k->max_dynamic[d] = -1;
    }
}

/* Compiles once, in a context that nobody sees, for the names of the kernels and the JIT log. */
static CUresult examine(fk_library *lib, const fk_jit *jit) {
    fk_context *ctx = fk_current();
    fk_context nowhere = {.device = ctx ? ctx->device : &fk.devices[0], .alive = true};
    fk_module *m;
    const CUresult status = fk_module_load(&nowhere, lib->image, jit, &m);
    if (status == CUDA_SUCCESS) {
        add_kernels(lib, m->ptx);
        fk_module_close(m);
    }
    fk_list_free(&nowhere.modules);
    return status;
}

CUresult fk_cuLibraryLoadData(CUlibrary *out, const void *code, CUjit_option *jit,
                              void **jit_values, unsigned n_jit, CUlibraryOption *options,
                              void **values, unsigned n) {
    FK_VALID(out && code && (n == 0 || options));
    (void)values;
    fk_library *lib = fk_new(FK_LIBRARY, sizeof *lib);
    const size_t size = image_size(code);
    lib->preserved = size == 0;
    for (unsigned i = 0; i < n; i++) lib->preserved = lib->preserved || options[i] == KEPT_OPTION;
    lib->image =
        lib->preserved ? (void *)(uintptr_t)code : memcpy(ptx_grow(NULL, size), code, size);
    const CUresult status = examine(lib, &(fk_jit){n_jit, jit, jit_values});
    if (status != CUDA_SUCCESS) {
        library_free(lib);
        return status;
    }
    *out = fk_handle(lib);
    return CUDA_SUCCESS;
}

CUresult fk_cuLibraryLoadFromFile(CUlibrary *out, const char *path, CUjit_option *jit,
                                  void **jit_values, unsigned n_jit, CUlibraryOption *options,
                                  void **values, unsigned n) {
    FK_VALID(out && path && (n == 0 || options));
    size_t len;
    char *image = fk_read_file(path, &len);
    FK_NEED(image, CUDA_ERROR_FILE_NOT_FOUND);
    (void)values;
    const CUresult status = fk_cuLibraryLoadData(out, image, jit, jit_values, n_jit, NULL, NULL, 0);
    free(image);
    return status;
}

CUresult fk_cuLibraryUnload(CUlibrary handle) {
    FK_OBJECT(fk_library, lib, FK_LIBRARY, handle, CUDA_ERROR_INVALID_HANDLE);
    library_free(lib);
    return CUDA_SUCCESS;
}

CUresult fk_cuLibraryGetKernel(CUkernel *out, CUlibrary handle, const char *name) {
    FK_VALID(out && name);
    FK_OBJECT(const fk_library, lib, FK_LIBRARY, handle, CUDA_ERROR_INVALID_HANDLE);
    for (size_t i = 0; i < lib->kernels.n; i++) {
        const fk_kernel *k = lib->kernels.at[i];
        if (strcmp(k->name, name) == 0) {
            *out = fk_handle(k);
            return CUDA_SUCCESS;
        }
    }
    return CUDA_ERROR_NOT_FOUND;
}

FK_GETTER(cuLibraryGetKernelCount, (unsigned *out, CUlibrary handle),
          FK_OBJECT(const fk_library, lib, FK_LIBRARY, handle, CUDA_ERROR_INVALID_HANDLE),
          (unsigned)lib->kernels.n)

CUresult fk_cuLibraryEnumerateKernels(CUkernel *kernels, unsigned n, CUlibrary handle) {
    FK_VALID(kernels || n == 0);
    FK_OBJECT(const fk_library, lib, FK_LIBRARY, handle, CUDA_ERROR_INVALID_HANDLE);
    for (unsigned i = 0; i < n; i++)
        kernels[i] = i < lib->kernels.n ? fk_handle(lib->kernels.at[i]) : NULL;
    return CUDA_SUCCESS;
}

CUresult fk_cuLibraryGetModule(CUmodule *out, CUlibrary handle) {
    FK_VALID(out);
    FK_OBJECT(fk_library, lib, FK_LIBRARY, handle, CUDA_ERROR_INVALID_HANDLE);
    fk_module *m;
    FK_TRY(fk_library_module(lib, fk_current(), &m));
    *out = fk_handle(m);
    return CUDA_SUCCESS;
}

CUresult fk_cuLibraryGetGlobal(CUdeviceptr *ptr, size_t *bytes, CUlibrary handle,
                               const char *name) {
    CUmodule m;
    FK_TRY(fk_cuLibraryGetModule(&m, handle));
    return fk_cuModuleGetGlobal_v2(ptr, bytes, m, name);
}

CUresult fk_cuLibraryGetManaged(CUdeviceptr *ptr, size_t *bytes, CUlibrary handle,
                                const char *name) {
    FK_VALID((ptr || bytes) && name);
    FK_OBJECT(fk_library, lib, FK_LIBRARY, handle, CUDA_ERROR_INVALID_HANDLE);
    fk_module *m;
    FK_TRY(fk_library_module(lib, fk_current(), &m));
    const ptx_global *global = ptx_global_find(m->ptx, name);
    FK_NEED(global && global->managed, CUDA_ERROR_NOT_FOUND);
    return fk_cuModuleGetGlobal_v2(ptr, bytes, fk_handle(m), name);
}

/* ---- kernels --------------------------------------------------------------------------------- */

static CUresult kernel_function(fk_kernel *k, fk_context *ctx, fk_function **out) {
    fk_module *m;
    FK_TRY(fk_library_module(k->library, ctx, &m));
    *out = fk_module_function(m, k->name);
    FK_NEED(*out, CUDA_ERROR_NOT_FOUND);
    const int dynamic = k->max_dynamic[ctx->device->ordinal];
    if (dynamic >= 0) (*out)->max_dynamic = dynamic;
    return CUDA_SUCCESS;
}

CUresult fk_function_of(CUfunction handle, fk_context *ctx, fk_function **out) {
    *out = fk_get(handle, FK_FUNCTION);
    if (*out) return CUDA_SUCCESS;
    FK_OBJECT(fk_kernel, k, FK_KERNEL, handle, CUDA_ERROR_INVALID_HANDLE);
    FK_NEED(ctx, CUDA_ERROR_INVALID_CONTEXT);
    return kernel_function(k, ctx, out);
}

CUresult fk_cuKernelGetFunction(CUfunction *out, CUkernel handle) {
    FK_VALID(out);
    FK_OBJECT(fk_kernel, k, FK_KERNEL, handle, CUDA_ERROR_INVALID_HANDLE);
    fk_function *f;
    FK_TRY(kernel_function(k, fk_current(), &f));
    *out = fk_handle(f);
    return CUDA_SUCCESS;
}

FK_GETTER(cuKernelGetLibrary, (CUlibrary * out, CUkernel handle),
          FK_OBJECT(const fk_kernel, k, FK_KERNEL, handle, CUDA_ERROR_INVALID_HANDLE),
          fk_handle(k->library))
FK_GETTER(cuKernelGetName, (const char **out, CUkernel handle),
          FK_OBJECT(const fk_kernel, k, FK_KERNEL, handle, CUDA_ERROR_INVALID_HANDLE), k->name)

/* A context of the device in which to look the kernel up: the current one, the primary one. */
static fk_context *context_on(CUdevice dev) {
    fk_context *ctx = fk_current();
    if (ctx && ctx->alive && ctx->device->ordinal == dev) return ctx;
    ctx = fk.devices[dev].primary;
    return ctx && ctx->alive ? ctx : NULL;
}

static CUresult function_on(CUkernel handle, CUdevice dev, fk_function **out) {
    FK_OBJECT(fk_kernel, k, FK_KERNEL, handle, CUDA_ERROR_INVALID_HANDLE);
    FK_NEED(fk_device_of(dev), CUDA_ERROR_INVALID_DEVICE);
    fk_context *ctx = context_on(dev);
    FK_NEED(ctx, CUDA_ERROR_INVALID_CONTEXT);
    return kernel_function(k, ctx, out);
}

CUresult fk_cuKernelGetParamInfo(CUkernel handle, size_t index, size_t *offset, size_t *size) {
    const fk_context *ctx = fk_current();
    fk_function *f;
    FK_TRY(function_on(handle, ctx ? ctx->device->ordinal : 0, &f));
    return fk_cuFuncGetParamInfo(fk_handle(f), index, offset, size);
}

CUresult fk_cuKernelGetAttribute(int *value, CUfunction_attribute attribute, CUkernel handle,
                                 CUdevice dev) {
    fk_function *f;
    FK_TRY(function_on(handle, dev, &f));
    return fk_cuFuncGetAttribute(value, attribute, fk_handle(f));
}

CUresult fk_cuKernelSetAttribute(CUfunction_attribute attribute, int value, CUkernel handle,
                                 CUdevice dev) {
    fk_function *f;
    FK_TRY(function_on(handle, dev, &f));
    FK_TRY(fk_cuFuncSetAttribute(fk_handle(f), attribute, value));
    fk_kernel *k = fk_get(handle, FK_KERNEL);
    if (attribute == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) k->max_dynamic[dev] = value;
    return CUDA_SUCCESS;
}

CUresult fk_cuKernelSetCacheConfig(CUkernel handle, CUfunc_cache config, CUdevice dev) {
    enum { CONFIGS = 4 };
    FK_NEED(fk_get(handle, FK_KERNEL), CUDA_ERROR_INVALID_HANDLE);
    FK_NEED(fk_device_of(dev), CUDA_ERROR_INVALID_DEVICE);
    return config < CONFIGS ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
