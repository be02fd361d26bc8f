/* machine.c - what this machine allows at most: bytes copied and multiply-adds done in a second.
 *
 * Copy: blocks far larger than the caches, with plain and with non-temporal stores; the better one counts, reads plus writes.
 * Multiply-add: chains of independent vector fmas that live in registers. The best of several tries, all threads at once. */
#include "runtime/explain/explain.h"

#include <immintrin.h>
#include <string.h>

enum { BLOCK = 64 << 20, TRIES = 5, CHAINS = 12, ROUNDS = 200000 };

/* ---- copies */

typedef struct copy_job {
    char *dst;
    const char *src;
    bool streaming;
} copy_job;

static void stream(char *dst, const char *src, size_t n) {
    for (size_t i = 0; i < n; i += 16)
        _mm_stream_si128((__m128i *)(void *)(dst + i),
                         _mm_load_si128((const __m128i *)(const void *)(src + i)));
    _mm_sfence();
}

static void copy_task(void *ctx, int64_t begin, int64_t end, int thread) {
    const copy_job *j = ctx;
    size_t at = (size_t)begin * 4096, n = (size_t)(end - begin) * 4096;
    (void)thread;
    if (j->streaming)
        stream(j->dst + at, j->src + at, n);
    else
        memcpy(j->dst + at, j->src + at, n);
}

static double copy_speed(bz_rt_run *run, char *dst, const char *src) {
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < 2 * TRIES; i++) {
        copy_job j = {dst, src, i % 2 == 1};
        uint64_t start = bz_now();
        bz_rt_for(run, copy_task, &j, BLOCK / 4096);
        uint64_t took = bz_now() - start;
        if (took < best) best = took;
    }
    return 2.0 * BLOCK / (double)best * 1e9;
}

/* ---- multiply-adds: one function an instruction set, each gives the number of flops that it did */

static _Thread_local volatile float sink;

/* Twelve chains by name: an array of them would live in memory where the compiler does not unroll. */
#define EACH_CHAIN(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define FMA_LOOP(NAME, TARGET, VEC, SET1, STEP, STORE, LANES)                                      \
    TARGET static double NAME(float seed) {                                                        \
        VEC k = SET1(seed), c = SET1(1e-9f), EACH_CHAIN(CHAIN_OF_##VEC) sum = c;                   \
        for (int r = 0; r < ROUNDS; r++) {                                                         \
            EACH_CHAIN(STEP)                                                                       \
        }                                                                                          \
        float out[LANES];                                                                          \
        EACH_CHAIN(ADD_OF_##VEC) STORE(out, sum);                                                  \
        sink = out[0];                                                                             \
        return 2.0 * CHAINS * LANES * ROUNDS;                                                      \
    }
#define CHAIN_OF___m128(i) a##i = _mm_set1_ps(seed + i),
#define CHAIN_OF___m256(i) a##i = _mm256_set1_ps(seed + i),
#define CHAIN_OF___m512(i) a##i = _mm512_set1_ps(seed + i),
#define ADD_OF___m128(i)   sum = _mm_add_ps(sum, a##i);
#define ADD_OF___m256(i)   sum = _mm256_add_ps(sum, a##i);
#define ADD_OF___m512(i)   sum = _mm512_add_ps(sum, a##i);
#define STEP_BASE(i)       a##i = _mm_add_ps(_mm_mul_ps(a##i, k), c);
#define STEP_AVX2(i)       a##i = _mm256_fmadd_ps(a##i, k, c);
#define STEP_AVX512(i)     a##i = _mm512_fmadd_ps(a##i, k, c);
FMA_LOOP(flops_base, , __m128, _mm_set1_ps, STEP_BASE, _mm_storeu_ps, 4)
FMA_LOOP(flops_avx2, __attribute__((target("avx2,fma"))), __m256, _mm256_set1_ps, STEP_AVX2,
         _mm256_storeu_ps, 8)
FMA_LOOP(flops_avx512, __attribute__((target("avx512f"))), __m512, _mm512_set1_ps, STEP_AVX512,
         _mm512_storeu_ps, 16)

static double (*const loops[])(float seed) = {
    [BZ_RT_BASE] = flops_base, [BZ_RT_V3] = flops_avx2, [BZ_RT_V4] = flops_avx512};

typedef struct fma_job {
    double (*loop)(float seed);
    double done[BZ_RT_MAX_THREADS];
} fma_job;

static void fma_task(void *ctx, int64_t begin, int64_t end, int thread) {
    fma_job *j = ctx;
    for (int64_t i = begin; i < end; i++) j->done[thread] += j->loop(0.999f);
}

static double fma_speed(bz_rt_run *run) {
    double best = 0;
    for (int i = 0; i < 2 * TRIES; i++) {
        fma_job j = {.loop = loops[bz_rt_isa_selected()]};
        double sum = 0;
        uint64_t start = bz_now();
        bz_rt_for(run, fma_task, &j, run->threads);
        double took = (double)(bz_now() - start);
        for (int t = 0; t < run->threads; t++) sum += j.done[t];
        if (sum / took * 1e9 > best) best = sum / took * 1e9;
    }
    return best;
}

bz_status bz_measure_machine(int threads, bz_machine *out) {
    RT_BORDER;
    if (!out) return BZ_EARG;
    *out = (bz_machine){0};
    char *src = rt_pages_new(BLOCK), *dst = rt_pages_new(BLOCK);
    if (src && dst) {
        bz_rt_run run;
        bz_rt_begin(&run, threads);
        out->threads = run.threads;
        out->bytes_per_s = copy_speed(&run, dst, src);
        out->flops_per_s = fma_speed(&run);
        bz_rt_end(&run);
    }
    bz_status s = src && dst ? BZ_OK : BZ_ENOMEM;
    rt_pages_free(src, BLOCK);
    rt_pages_free(dst, BLOCK);
    return s;
}
