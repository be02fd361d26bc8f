/* zoo_matrix.c - oracles and cases of products, convolution and attention.
 *
 * Products work on eighths: every partial sum is exact in f32, so the order in which hardware adds
 * does not matter and the answer must have the oracle's bits. */
#include "zoo.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* C[m, n] = sum of a(m, k) * b(n, k), read through `get` */
typedef double (*getter)(const void *at, int i);

static double get_f16(const void *at, int i) {
    return zoo_from_f16(((const uint16_t *)at)[i]);
}
static double get_bf16(const void *at, int i) {
    return zoo_from_bf16(((const uint16_t *)at)[i]);
}
static double get_f32(const void *at, int i) {
    return (double)((const float *)at)[i];
}
static double get_i8(const void *at, int i) {
    return ((const int8_t *)at)[i];
}

static double dot(getter get, const void *a, int a0, const void *b, int b0, int n) {
    double s = 0.0;
    for (int i = 0; i < n; i++) s += get(a, a0 + i) * get(b, b0 + i);
    return s;
}

/* ---- products -------------------------------------------------------------------------------- */

enum { SG_M = 70, SG_N = 68, SG_K = 40 };

static void sgemm_oracle(void **buf) {
    const float *a = buf[0], *b = buf[1];
    float *c = buf[2];
    for (int m = 0; m < SG_M; m++)
        for (int n = 0; n < SG_N; n++) {
            double s = 0.0;
            for (int k = 0; k < SG_K; k++) s += (double)a[m * SG_K + k] * (double)b[k * SG_N + n];
            c[m * SG_N + n] = (float)(0.5 * s + 0.25 * (double)c[m * SG_N + n]);
        }
}

static const zoo_case sgemm = {
    .name = "sgemm",
    .file = "sgemm",
    .min_sm = 75,
    .buffers = {{ZOO_F32, SG_M *SG_K, ZOO_EIGHTHS, -16, 16, 0, 0},
                {ZOO_F32, SG_K *SG_N, ZOO_EIGHTHS, -16, 16, 0, 0},
                {ZOO_F32, SG_M *SG_N, ZOO_EIGHTHS, -16, 16, 0, 0}},
    .launches = {{.kernel = "sgemm",
                  .grid = {2, 2, 1},
                  .block = {128, 1, 1},
                  .args = {BUF(0), BUF(1), BUF(2), INT(SG_M), INT(SG_N), INT(SG_K), FLOAT(0.5f),
                           FLOAT(0.25f)}}},
    .oracle = sgemm_oracle,
};

enum {
    MM_M = 100,
    MM_N = 72,
    MM_BYTES = 352
}; /* a row of K: 22 chunks, the last stage is partial */

static void mma_oracle(void **buf, getter get, int k) {
    float *c = buf[2];
    for (int m = 0; m < MM_M; m++)
        for (int n = 0; n < MM_N; n++)
            c[m * MM_N + n] = (float)dot(get, buf[0], m * k, buf[1], n * k, k);
}

static void bf16_oracle(void **buf) {
    mma_oracle(buf, get_bf16, MM_BYTES / 2);
}
static void f16_oracle(void **buf) {
    mma_oracle(buf, get_f16, MM_BYTES / 2);
}
static void tf32_oracle(void **buf) {
    mma_oracle(buf, get_f32, MM_BYTES / 4);
}

static void i8_oracle(void **buf) {
    int32_t *c = buf[2];
    for (int m = 0; m < MM_M; m++)
        for (int n = 0; n < MM_N; n++)
            c[m * MM_N + n] =
                (int32_t)dot(get_i8, buf[0], m * MM_BYTES, buf[1], n * MM_BYTES, MM_BYTES);
}

#define MMA_CASE(NAME, TYPE, SIZE, FILL, LO, HI, OUT)                                              \
    static const zoo_case gemm_##NAME = {                                                          \
        .name = "gemm_" #NAME,                                                                     \
        .file = "mma",                                                                             \
        .min_sm = 80,                                                                              \
        .conflict_free = true,                                                                     \
        .buffers = {{TYPE, MM_M * MM_BYTES / SIZE, FILL, LO, HI, 0, 0},                            \
                    {TYPE, MM_N * MM_BYTES / SIZE, FILL, LO, HI, 0, 0},                            \
                    {OUT, MM_M * MM_N, ZOO_FRESH, 0, 0, 0, 0}},                                    \
        .launches = {{.kernel = "gemm_" #NAME,                                                     \
                      .grid = {2, 2, 1},                                                           \
                      .block = {128, 1, 1},                                                        \
                      .args = {BUF(0), BUF(1), BUF(2), INT(MM_M), INT(MM_N),                       \
                               INT(MM_BYTES / SIZE)}}},                                            \
        .oracle = NAME##_oracle,                                                                   \
    };

MMA_CASE(bf16, ZOO_BF16, 2, ZOO_EIGHTHS, -16, 16, ZOO_F32)
MMA_CASE(f16, ZOO_F16, 2, ZOO_EIGHTHS, -16, 16, ZOO_F32)
MMA_CASE(tf32, ZOO_F32, 4, ZOO_EIGHTHS, -16, 16, ZOO_F32)
MMA_CASE(i8, ZOO_I8, 1, ZOO_RANGE, -128, 127, ZOO_I32)

enum { K8_M = 32, K8_N = 48, K8_K = 40 };

static void k8_oracle(void **buf) {
    float *c = buf[2];
    for (int m = 0; m < K8_M; m++)
        for (int n = 0; n < K8_N; n++) {
            double s = 0.0;
            for (int k = 0; k < K8_K; k++)
                s += get_f16(buf[0], m * K8_K + k) * get_f16(buf[1], k * K8_N + n);
            c[m * K8_N + n] = (float)s;
        }
}

static const zoo_case gemm_k8 = {
    .name = "gemm_f16_k8",
    .file = "mma75",
    .min_sm = 75,
    .conflict_free = true,
    .buffers = {{ZOO_F16, K8_M *K8_K, ZOO_EIGHTHS, -16, 16, 0, 0},
                {ZOO_F16, K8_K *K8_N, ZOO_EIGHTHS, -16, 16, 0, 0},
                {ZOO_F32, K8_M *K8_N, ZOO_FRESH, 0, 0, 0, 0}},
    .launches = {{.kernel = "gemm_f16_k8",
                  .grid = {K8_N / 16, K8_M / 16, 1},
                  .block = {32, 1, 1},
                  .args = {BUF(0), BUF(1), BUF(2), INT(K8_M), INT(K8_N), INT(K8_K)}}},
    .oracle = k8_oracle,
};

/* ---- convolution ----------------------------------------------------------------------------- */

enum {
    CV_IMAGES = 3,
    CV_H = 5,
    CV_W = 6,
    CV_IN = 16,
    CV_OUT = 24,
    CV_PIXELS = CV_IMAGES * CV_H * CV_W
};

static double conv_at(void **buf, int image, int y, int x, int out) {
    double s = 0.0;
    for (int tap = 0; tap < 9; tap++) {
        int sy = y + tap / 3 - 1, sx = x + tap % 3 - 1;
        if (sy >= 0 && sy < CV_H && sx >= 0 && sx < CV_W)
            s += dot(get_f16, buf[0], ((image * CV_H + sy) * CV_W + sx) * CV_IN, buf[1],
                     (out * 9 + tap) * CV_IN, CV_IN);
    }
    return s;
}

static void conv_oracle(void **buf) {
    float *y = buf[2];
    for (int p = 0; p < CV_PIXELS; p++)
        for (int out = 0; out < CV_OUT; out++)
            y[p * CV_OUT + out] =
                (float)conv_at(buf, p / (CV_H * CV_W), p / CV_W % CV_H, p % CV_W, out);
}

static const zoo_case conv = {
    .name = "conv_f16",
    .file = "mma",
    .min_sm = 80,
    .conflict_free = true,
    .buffers = {{ZOO_F16, CV_PIXELS *CV_IN, ZOO_EIGHTHS, -16, 16, 0, 0},
                {ZOO_F16, CV_OUT * 9 * CV_IN, ZOO_EIGHTHS, -16, 16, 0, 0},
                {ZOO_F32, CV_PIXELS *CV_OUT, ZOO_FRESH, 0, 0, 0, 0}},
    .launches = {{.kernel = "conv_f16",
                  .grid = {1, 2, 1},
                  .block = {128, 1, 1},
                  .args = {BUF(0), BUF(1), BUF(2), INT(CV_IMAGES), INT(CV_H), INT(CV_W), INT(CV_IN),
                           INT(CV_OUT)}}},
    .oracle = conv_oracle,
};

/* ---- attention ------------------------------------------------------------------------------- */

enum { AT_HEADS = 2, AT_S = 150, AT_D = 64, AG_HEADS = 2, AG_S = 71, AG_D = 32 };

/* One query's weights over the keys up to it; returns the log of their unnormalised sum. */
static double weights(getter get, const void *q, const void *k, int head, int row, int s, int d,
                      double scale, double *p) {
    double top = -INFINITY, sum = 0.0;
    for (int j = 0; j <= row; j++) {
        p[j] = scale * dot(get, q, (head * s + row) * d, k, (head * s + j) * d, d);
        top = fmax(top, p[j]);
    }
    for (int j = 0; j <= row; j++) sum += exp(p[j] - top);
    for (int j = 0; j <= row; j++) p[j] = exp(p[j] - top) / sum;
    return top + log(sum);
}

static void attention_oracle(void **buf) {
    float *o = buf[3], *lse = buf[4];
    double p[AT_S];
    for (int i = 0; i < AT_HEADS * AT_S; i++) {
        int head = i / AT_S, row = i % AT_S;
        lse[i] = (float)weights(get_f16, buf[0], buf[1], head, row, AT_S, AT_D, 0.125, p);
        for (int c = 0; c < AT_D; c++) {
            double s = 0.0;
            for (int j = 0; j <= row; j++)
                s += p[j] * get_f16(buf[2], (head * AT_S + j) * AT_D + c);
            o[i * AT_D + c] = (float)s;
        }
    }
}

static const zoo_case attention = {
    .name = "attention",
    .file = "attention",
    .min_sm = 80,
    .conflict_free = true,
    .buffers = {{ZOO_F16, AT_HEADS *AT_S *AT_D, ZOO_NORMAL, 0, 0, 0, 0},
                {ZOO_F16, AT_HEADS *AT_S *AT_D, ZOO_NORMAL, 0, 0, 0, 0},
                {ZOO_F16, AT_HEADS *AT_S *AT_D, ZOO_NORMAL, 0, 0, 0, 0},
                /* weights are rounded to f16: 2^-11 of values up to about 4 */
                {ZOO_F32, AT_HEADS *AT_S *AT_D, ZOO_FRESH, 0, 0, 1e-3, 1e-3},
                {ZOO_F32, AT_HEADS *AT_S, ZOO_FRESH, 0, 0, 4e-6, 1e-6}},
    .launches = {{.kernel = "attention",
                  .grid = {3, AT_HEADS, 1},
                  .block = {128, 1, 1},
                  .args = {BUF(0), BUF(1), BUF(2), BUF(3), BUF(4), INT(AT_S), FLOAT(0.125f)}}},
    .oracle = attention_oracle,
};

/* Buffers of the gradient: Q K V O dO lse | delta dQ dK dV. O and lse are inputs here: the
 * formulas hold for any values, and random ones show more than consistent ones. */
enum { G_Q, G_K, G_V, G_O, G_DO, G_LSE, G_DELTA, G_DQ, G_DK, G_DV };

static void grad_row(void **buf, int head, int row, double scale, double *dk, double *dv) {
    const float *q = buf[G_Q], *k = buf[G_K], *g = buf[G_DO];
    float *dq = buf[G_DQ];
    int at = (head * AG_S + row) * AG_D;
    double sum[AG_D] = {0};
    double delta = dot(get_f32, buf[G_O], at, g, at, AG_D);
    ((float *)buf[G_DELTA])[head * AG_S + row] = (float)delta;
    for (int j = 0; j <= row; j++) {
        int kj = (head * AG_S + j) * AG_D;
        double p = exp(scale * dot(get_f32, q, at, k, kj, AG_D) -
                       (double)((float *)buf[G_LSE])[head * AG_S + row]);
        double ds = p * (dot(get_f32, g, at, buf[G_V], kj, AG_D) - delta) * scale;
        for (int c = 0; c < AG_D; c++) {
            sum[c] += ds * (double)k[kj + c];
            dk[j * AG_D + c] += ds * (double)q[at + c];
            dv[j * AG_D + c] += p * (double)g[at + c];
        }
    }
    for (int c = 0; c < AG_D; c++) dq[at + c] += (float)sum[c];
}

static void grad_oracle(void **buf) {
    static double dk[AG_S * AG_D], dv[AG_S * AG_D];
    for (int head = 0; head < AG_HEADS; head++) {
        memset(dk, 0, sizeof dk);
        memset(dv, 0, sizeof dv);
        for (int row = 0; row < AG_S; row++) grad_row(buf, head, row, 0.125, dk, dv);
        for (int i = 0; i < AG_S * AG_D; i++) {
            ((float *)buf[G_DK])[head * AG_S * AG_D + i] = (float)dk[i];
            ((float *)buf[G_DV])[head * AG_S * AG_D + i] = (float)dv[i];
        }
    }
}

#define AG_BUFFER(FILL, ABS, REL)                                                                  \
    { ZOO_F32, AG_HEADS *AG_S *AG_D, FILL, 0, 0, ABS, REL }

static const zoo_case attention_grad = {
    .name = "attention_grad",
    .file = "attention_grad",
    .min_sm = 75,
    .buffers = {AG_BUFFER(ZOO_NORMAL, 0, 0),
                AG_BUFFER(ZOO_NORMAL, 0, 0),
                AG_BUFFER(ZOO_NORMAL, 0, 0),
                AG_BUFFER(ZOO_NORMAL, 0, 0),
                AG_BUFFER(ZOO_NORMAL, 0, 0),
                {ZOO_F32, AG_HEADS *AG_S, ZOO_NORMAL, 0, 0, 0, 0},
                {ZOO_F32, AG_HEADS *AG_S, ZOO_FRESH, 0, 0, 1e-5, 1e-6},
                AG_BUFFER(ZOO_ZERO, 2e-3, 1e-5),
                AG_BUFFER(ZOO_FRESH, 2e-3, 1e-5),
                AG_BUFFER(ZOO_FRESH, 2e-3, 1e-5)},
    .launches = {{.kernel = "attention_delta",
                  .grid = {(AG_HEADS * AG_S + 3) / 4, 1, 1},
                  .block = {32, 4, 1},
                  .args = {BUF(G_O), BUF(G_DO), BUF(G_DELTA), INT(AG_HEADS *AG_S)}},
                 {.kernel = "attention_grad",
                  .grid = {3, AG_HEADS, 1},
                  .block = {128, 1, 1},
                  .args = {BUF(G_Q), BUF(G_K), BUF(G_V), BUF(G_DO), BUF(G_LSE), BUF(G_DELTA),
                           BUF(G_DQ), BUF(G_DK), BUF(G_DV), INT(AG_S), FLOAT(0.125f)}}},
    .oracle = grad_oracle,
};

enum { HP_M = 150, HP_N = 72, HP_K = 328 };

static void hopper_oracle(void **buf) {
    for (int i = 0; i < HP_M; i++)
        for (int j = 0; j < HP_N; j++)
            ((float *)buf[2])[i * HP_N + j] =
                (float)dot(get_f16, buf[0], i * HP_K, buf[1], j * HP_K, HP_K);
}

static const zoo_case gemm_hopper = {
    .name = "gemm_hopper",
    .file = "hopper",
    .min_sm = 90,
    .only_sm = 90,
    .buffers = {{ZOO_F16, HP_M *HP_K, ZOO_EIGHTHS, -8, 8, 0, 0},
                {ZOO_F16, HP_N *HP_K, ZOO_EIGHTHS, -8, 8, 0, 0},
                {ZOO_F32, HP_M *HP_N, ZOO_FRESH, 0, 0, 0, 0}},
    .maps = {{0, HP_K, HP_M, {64, 64}, 128},
             {1, HP_K, HP_N, {64, 32}, 128},
             {2, HP_N, HP_M, {64, 64}, 0}},
    .launches = {{.kernel = "gemm_hopper",
                  .grid = {4, 2, 1},
                  .block = {256, 1, 1},
                  .args = {MAP(0), MAP(1), MAP(2), INT((HP_K + 63) / 64)}}},
    .oracle = hopper_oracle,
};

const zoo_case *const zoo_matrix_cases[] = {&sgemm,          &gemm_bf16,   &gemm_f16, &gemm_tf32,
                                            &gemm_i8,        &gemm_k8,     &conv,     &attention,
                                            &attention_grad, &gemm_hopper, NULL};
