/* cublas.c - a cuBLAS for the emulated driver ($BRAZE_CUBLAS): products on the host, column by column as the documentation of cublasGemmEx says, with the
 * memory reached by the driver's copies. What bench/support/gpu_blas.c asks for is checked by it, not timed. */
#include <dlfcn.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

enum {
    R_32F = 0,
    R_16F = 2,
    R_16BF = 14,
    COMPUTE_32F = 68,
    COMPUTE_TF32 = 77,
    INVALID_VALUE = 7,
    NOT_INITIALIZED = 1
};

static void *driver;

EXPORT int cublasCreate_v2(void **handle);
EXPORT int cublasDestroy_v2(void *handle);
EXPORT int cublasSetStream_v2(void *handle, void *stream);
EXPORT int cublasGetVersion_v2(void *handle, int *v);
EXPORT int cublasGemmEx(void *handle, int ta, int tb, int m, int n, int k, const void *alpha,
                        const void *a, int at, int lda, const void *b, int bt, int ldb,
                        const void *beta, void *c, int ct, int ldc, int compute, int algo);

int cublasCreate_v2(void **handle) {
    driver = dlopen(getenv("BRAZE_LIBCUDA"), RTLD_NOW | RTLD_NOLOAD);
    return *handle = driver, driver ? 0 : NOT_INITIALIZED;
}

int cublasDestroy_v2(void *handle) {
    return handle == driver ? 0 : INVALID_VALUE;
}

int cublasSetStream_v2(void *handle, void *stream) {
    return handle == driver && stream ? 0 : INVALID_VALUE;
}

int cublasGetVersion_v2(void *handle, int *v) {
    *v = 990102;
    return handle == driver ? 0 : INVALID_VALUE;
}

static float load(const void *p, int type, long i) {
    uint32_t bits;
    float f;
    if (type == R_32F) return ((const float *)p)[i];
    bits = ((const uint16_t *)p)[i];
    if (type == R_16F)
        return (bits >> 15 ? -1.f : 1.f) *
               (bits & 0x7c00 ? ldexpf((float)((bits & 1023) | 1024), (int)(bits >> 10 & 31) - 25)
                              : ldexpf((float)(bits & 1023), -24));
    bits <<= 16;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Rounded by cutting: the last place does not matter here. */
static void store(void *p, int type, long i, float f) {
    uint32_t bits;
    int e;
    if (type == R_32F) {
        ((float *)p)[i] = f;
        return;
    }
    memcpy(&bits, &f, sizeof bits);
    if (type == R_16F) {
        const float half = frexpf(fabsf(f), &e); /* 0.5 to 1 */
        const uint32_t sign = bits >> 31 << 15;
        bits = f == 0 || e < -13
                   ? sign
                   : sign | (uint32_t)(e + 14) << 10 | ((uint32_t)(half * 2048) & 1023);
        ((uint16_t *)p)[i] = (uint16_t)bits;
    } else
        ((uint16_t *)p)[i] = (uint16_t)(bits >> 16);
}

static long bytes_of(int type, long n) {
    return n * (type == R_32F ? 4 : 2);
}

/* y[m, n] = a[m, k] b[k, n], all of them column-major. */
static void multiply(void *y, const void *a, const void *b, int type, int m, int n, int k, int lda,
                     int ldb, int ldc) {
    for (int j = 0; j < n; j++)
        for (int i = 0; i < m; i++) {
            float sum = 0;
            for (int l = 0; l < k; l++)
                sum += load(a, type, i + (long)l * lda) * load(b, type, l + (long)j * ldb);
            store(y, type, i + (long)j * ldc, sum);
        }
}

int cublasGemmEx(void *handle, int ta, int tb, int m, int n, int k, const void *alpha,
                 const void *a, int at, int lda, const void *b, int bt, int ldb, const void *beta,
                 void *c, int ct, int ldc, int compute, int algo) {
    int (*out)(void *, uintptr_t, size_t), (*in)(uintptr_t, const void *, size_t);
    *(void **)&out = dlsym(driver, "cuMemcpyDtoH_v2");
    *(void **)&in = dlsym(driver, "cuMemcpyHtoD_v2");
    if (handle != driver || ta || tb || *(const float *)alpha != 1 || *(const float *)beta != 0 ||
        at != bt || at != ct || (compute != COMPUTE_32F && compute != COMPUTE_TF32) || algo != -1 || lda < m || ldb < k ||
        ldc < m)
        return INVALID_VALUE;
    const size_t na = (size_t)bytes_of(at, (long)lda * k), nb = (size_t)bytes_of(at, (long)ldb * n),
                 nc = (size_t)bytes_of(at, (long)ldc * n);
    void *x = malloc(na), *w = malloc(nb), *y = malloc(nc);
    int code =
        x && w && y && !out(x, (uintptr_t)a, na) && !out(w, (uintptr_t)b, nb) ? 0 : INVALID_VALUE;
    if (!code) multiply(y, x, w, at, m, n, k, lda, ldb, ldc);
    if (!code && in((uintptr_t)c, y, nc)) code = INVALID_VALUE;
    free(x);
    free(w);
    free(y);
    return code;
}
