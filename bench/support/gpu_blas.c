/* gpu_blas.c - see gpu_blas.h. The declarations are ours: cublas_v2.h and library_types.h say the same. */
#include "bench/support/gpu_blas.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

enum { TO_N = 0, R_32F = 0, R_16F = 2, R_16BF = 14, COMPUTE_32F = 68, COMPUTE_TF32 = 77, DEFAULT_ALGO = -1 };

struct gpu_blas {
    void *handle;
    char name[48];
    int (*create)(void **handle);
    int (*destroy)(void *handle);
    int (*set_stream)(void *handle, void *stream);
    int (*version)(void *handle, int *v);
    int (*gemm)(void *handle, int ta, int tb, int m, int n, int k, const void *alpha, const void *a,
                int at, int lda, const void *b, int bt, int ldb, const void *beta, void *c, int ct,
                int ldc, int compute, int algo);
};

static void *open_library(const char **file) {
    static const char *const names[] = {"libcublas.so.13", "libcublas.so.12",
                                        "/usr/local/cuda/lib64/libcublas.so"};
    const char *own = getenv("BRAZE_CUBLAS");
    if (own && *own) return dlopen(*file = own, RTLD_NOW | RTLD_LOCAL);
    void *library = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && !library; i++)
        library = dlopen(*file = names[i], RTLD_NOW | RTLD_LOCAL);
    return library;
}

static bool find_functions(gpu_blas *b, void *library) {
    const struct {
        void *to;
        const char *name;
    } all[] = {{&b->create, "cublasCreate_v2"},
               {&b->destroy, "cublasDestroy_v2"},
               {&b->set_stream, "cublasSetStream_v2"},
               {&b->version, "cublasGetVersion_v2"},
               {&b->gemm, "cublasGemmEx"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!(*(void **)all[i].to = dlsym(library, all[i].name))) return false;
    return true;
}

gpu_blas *gpu_blas_open(void *stream, char *why, size_t room) {
    const char *file = "";
    int version = 0, code = 0;
    void *library = open_library(&file);
    gpu_blas *b = library ? calloc(1, sizeof *b) : NULL;
    if (!b)
        snprintf(why, room,
                 "no cuBLAS (looked for libcublas.so.13 and .12; $BRAZE_CUBLAS names it)");
    else if (!find_functions(b, library))
        snprintf(why, room, "%s is no cuBLAS", file);
    else if ((code = b->create(&b->handle)) || (code = b->set_stream(b->handle, stream)) ||
             (code = b->version(b->handle, &version)))
        snprintf(why, room, "%s does not start here: status %d", file, code);
    else {
        snprintf(b->name, sizeof b->name, "cuBLAS %d.%d.%d", version / 10000, version / 100 % 100,
                 version % 100);
        return b;
    }
    gpu_blas_close(b);
    return NULL;
}

static int type_of(bz_dtype t) {
    return t == BZ_F32 ? R_32F : t == BZ_F16 ? R_16F : R_16BF;
}

/* Its matrices are column-major: what is y = x w here is y^T = w^T x^T there, of the same bytes. */
bool gpu_blas_product(gpu_blas *b, bz_dtype t, bool fast, int m, int k, int n,
                      unsigned long long x, unsigned long long w, unsigned long long y) {
    static const float one = 1, zero = 0;
    const int type = type_of(t);
    return !b->gemm(b->handle, TO_N, TO_N, n, m, k, &one, (const void *)(uintptr_t)w, type, n,
                    (const void *)(uintptr_t)x, type, k, &zero, (void *)(uintptr_t)y, type, n,
                    fast && t == BZ_F32 ? COMPUTE_TF32 : COMPUTE_32F, DEFAULT_ALGO);
}

const char *gpu_blas_name(const gpu_blas *b) {
    return b->name;
}

void gpu_blas_close(gpu_blas *b) {
    if (b && b->handle) b->destroy(b->handle);
    free(b);
}
