/* zoo_vector.c - oracles and cases of the kernels that move and fold vectors. */
#include "zoo.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- pointwise ------------------------------------------------------------------------------- */

enum { GELU_N = 1203, SWIGLU_N8 = 200 };

static void gelu_oracle(void **buf) {
    const float *x = buf[0], *res = buf[2];
    const uint8_t *mask = buf[1];
    float *y = buf[3];
    for (int i = 0; i < GELU_N; i++) {
        double v = (double)x[i], u = 0.7978845608 * (v + 0.044715 * v * v * v);
        y[i] =
            (float)(mask[i] ? 1.25 * v / (1.0 + exp(-2.0 * u)) + (double)res[i] : (double)res[i]);
    }
}

static const zoo_case gelu = {
    .name = "gelu_mask",
    .file = "pointwise",
    .min_sm = 75,
    .buffers = {{ZOO_F32, GELU_N, ZOO_NORMAL, 0, 0, 0, 0},
                {ZOO_U8, GELU_N, ZOO_RANGE, 0, 1, 0, 0},
                {ZOO_F32, GELU_N, ZOO_NORMAL, 0, 0, 0, 0},
                {ZOO_F32, GELU_N, ZOO_FRESH, 0, 0, 2e-6, 1e-6}},
    .launches = {{.kernel = "gelu_mask",
                  .grid = {3, 1, 1},
                  .block = {128, 1, 1},
                  .args = {BUF(0), BUF(1), BUF(2), BUF(3), FLOAT(1.25f), INT(GELU_N)}}},
    .oracle = gelu_oracle,
};

static void swiglu_oracle(void **buf) {
    const uint16_t *g = buf[0], *v = buf[1];
    uint16_t *y = buf[2];
    for (int i = 0; i < SWIGLU_N8 * 8; i++) {
        double x = zoo_from_bf16(g[i]);
        y[i] = zoo_to_bf16(zoo_from_bf16(v[i]) * x / (1.0 + exp(-x)));
    }
}

static const zoo_case swiglu = {
    .name = "swiglu_bf16",
    .file = "pointwise",
    .min_sm = 75,
    .buffers = {{ZOO_BF16, SWIGLU_N8 * 8, ZOO_NORMAL, 0, 0, 0, 0},
                {ZOO_BF16, SWIGLU_N8 * 8, ZOO_NORMAL, 0, 0, 0, 0},
                {ZOO_BF16, SWIGLU_N8 * 8, ZOO_FRESH, 0, 0, 0, 1.0 / 128}}, /* one bf16 step */
    .launches = {{.kernel = "swiglu_bf16",
                  .grid = {2, 1, 1},
                  .block = {128, 1, 1},
                  .args = {BUF(0), BUF(1), BUF(2), INT(SWIGLU_N8)}}},
    .oracle = swiglu_oracle,
};

/* ---- reductions ------------------------------------------------------------------------------ */

enum { SUM_ROWS = 6, SUM_N = 333, MAX_ROWS = 37, MAX_COLS = 20 };

static void row_sum_oracle(void **buf) {
    const float *x = buf[0];
    float *y = buf[1];
    for (int r = 0; r < SUM_ROWS; r++) {
        double s = 0.0;
        for (int i = 0; i < SUM_N; i++) s += (double)x[r * SUM_N + i];
        y[r] = (float)s;
    }
}

static const zoo_case row_sum = {
    .name = "row_sum",
    .file = "reduce",
    .min_sm = 75,
    .buffers = {{ZOO_F32, SUM_ROWS *SUM_N, ZOO_EIGHTHS, -16, 16, 0, 0},
                {ZOO_F32, SUM_ROWS, ZOO_FRESH, 0, 0, 0, 0}},
    .launches = {{.kernel = "row_sum",
                  .grid = {SUM_ROWS, 1, 1},
                  .block = {128, 1, 1},
                  .args = {BUF(0), BUF(1), INT(SUM_N)}}},
    .oracle = row_sum_oracle,
};

static void col_max_oracle(void **buf) {
    const float *x = buf[0];
    float *y = buf[1];
    int32_t *at = buf[2];
    for (int c = 0; c < MAX_COLS; c++) {
        int best = 0;
        for (int r = 1; r < MAX_ROWS; r++)
            if (x[r * MAX_COLS + c] > x[best * MAX_COLS + c]) best = r;
        y[c] = x[best * MAX_COLS + c];
        at[c] = best;
    }
}

static const zoo_case col_max = {
    .name = "col_max",
    .file = "reduce",
    .min_sm = 75,
    .buffers = {{ZOO_F32, MAX_ROWS *MAX_COLS, ZOO_EIGHTHS, -30, -1, 0, 0}, /* so few values tie */
                {ZOO_F32, MAX_COLS, ZOO_FRESH, 0, 0, 0, 0},
                {ZOO_I32, MAX_COLS, ZOO_FRESH, 0, 0, 0, 0}},
    .launches = {{.kernel = "col_max",
                  .grid = {2, 1, 1},
                  .block = {16, 16, 1},
                  .args = {BUF(0), BUF(1), BUF(2), INT(MAX_ROWS), INT(MAX_COLS)}}},
    .oracle = col_max_oracle,
};

enum { SPLIT_N = 5000, SPLIT_BLOCKS = 23 };

static void split_oracle(void **buf) {
    const float *x = buf[0];
    float *part = buf[1], *y = buf[2];
    memset(part, 0, SPLIT_BLOCKS * sizeof *part);
    y[0] = 0.0f;
    for (int i = 0; i < SPLIT_N; i++) {
        part[i / 128 % SPLIT_BLOCKS] += x[i];
        y[0] += x[i];
    }
}

static const zoo_case split = {
    .name = "split_sum",
    .file = "split",
    .min_sm = 75,
    .buffers = {{ZOO_F32, SPLIT_N, ZOO_EIGHTHS, -16, 16, 0, 0}, /* exact in any order */
                {ZOO_F32, SPLIT_BLOCKS, ZOO_FRESH, 0, 0, 0, 0},
                {ZOO_F32, 1, ZOO_FRESH, 0, 0, 0, 0},
                {ZOO_U32, 1, ZOO_ZERO, 0, 0, 0,
                 0}}, /* the ticket ends at 0, ready for the next launch */
    .launches = {{.kernel = "split_sum",
                  .grid = {SPLIT_BLOCKS, 1, 1},
                  .block = {128, 1, 1},
                  .args = {BUF(0), BUF(1), BUF(2), BUF(3), INT(SPLIT_N)}}},
    .oracle = split_oracle,
};

/* ---- rows: softmax, layernorm ---------------------------------------------------------------- */

enum { SOFT_ROWS = 9, SOFT_N = 517, NORM_ROWS = 6, NORM_N = 77, NORM_SHORT = 20 };

static void softmax_oracle(void **buf) {
    const float *x = buf[0];
    float *y = buf[1];
    for (int r = 0; r < SOFT_ROWS; r++) {
        double top = -INFINITY, sum = 0.0;
        for (int i = 0; i < SOFT_N; i++) top = fmax(top, (double)x[r * SOFT_N + i]);
        for (int i = 0; i < SOFT_N; i++) sum += exp((double)x[r * SOFT_N + i] - top);
        for (int i = 0; i < SOFT_N; i++)
            y[r * SOFT_N + i] = (float)(exp((double)x[r * SOFT_N + i] - top) / sum);
    }
}

#define SOFTMAX(NAME, LO, HI)                                                                      \
    static const zoo_case NAME = {                                                                 \
        .name = #NAME,                                                                             \
        .file = "softmax",                                                                         \
        .min_sm = 75,                                                                              \
        .buffers = {{ZOO_F32, SOFT_ROWS * SOFT_N, ZOO_EIGHTHS, LO, HI, 0, 0},                      \
                    {ZOO_F32, SOFT_ROWS * SOFT_N, ZOO_FRESH, 0, 0, 1e-37, 2e-6}},                  \
        .launches = {{.kernel = "softmax_row",                                                     \
                      .grid = {SOFT_ROWS, 1, 1},                                                   \
                      .block = {128, 1, 1},                                                        \
                      .args = {BUF(0), BUF(1), INT(SOFT_N)}}},                                     \
        .oracle = softmax_oracle,                                                                  \
    };

SOFTMAX(softmax, -1200, -200)        /* far below 0 */
SOFTMAX(softmax_spread, -400000, -1) /* so far apart that only the true maximum will do */

static void normalise(void **buf, int n) {
    const float *x = buf[0], *w = buf[1], *b = buf[2];
    float *y = buf[3], *mean = buf[4], *rstd = buf[5];
    for (int r = 0; r < NORM_ROWS; r++, x += n, y += n) {
        double m = 0.0, v = 0.0;
        for (int i = 0; i < n; i++) m += (double)x[i] / n;
        for (int i = 0; i < n; i++) v += ((double)x[i] - m) * ((double)x[i] - m) / n;
        double s = 1.0 / sqrt(v + 0.5);
        mean[r] = (float)m;
        rstd[r] = (float)s;
        for (int i = 0; i < n; i++)
            y[i] = (float)(((double)x[i] - m) * s * (double)w[i] + (double)b[i]);
    }
}

static void layernorm_oracle(void **buf) {
    normalise(buf, NORM_N);
}

static void layernorm_short_oracle(void **buf) {
    normalise(buf, NORM_SHORT);
}

#define LAYERNORM(NAME, N, ORACLE)                                                                 \
    static const zoo_case NAME = {                                                                 \
        .name = #NAME,                                                                             \
        .file = "layernorm",                                                                       \
        .min_sm = 75,                                                                              \
        .buffers = {{ZOO_F32, NORM_ROWS * N, ZOO_NORMAL, 0, 0, 0, 0},                              \
                    {ZOO_F32, N, ZOO_NORMAL, 0, 0, 0, 0},                                          \
                    {ZOO_F32, N, ZOO_NORMAL, 0, 0, 0, 0},                                          \
                    {ZOO_F32, NORM_ROWS * N, ZOO_FRESH, 0, 0, 2e-6, 2e-6},                         \
                    {ZOO_F32, NORM_ROWS, ZOO_FRESH, 0, 0, 1e-6, 0},                                \
                    {ZOO_F32, NORM_ROWS, ZOO_FRESH, 0, 0, 0, 1e-6}},                               \
        .launches = {{.kernel = "layernorm_row",                                                   \
                      .grid = {2, 1, 1},                                                           \
                      .block = {32, 4, 1},                                                         \
                      .args = {BUF(0), BUF(1), BUF(2), BUF(3), BUF(4), BUF(5), INT(NORM_ROWS),     \
                               INT(N), FLOAT(0.5f)}}}, /* an eps that shows */                     \
        .oracle = ORACLE,                                                                          \
    };

LAYERNORM(layernorm, NORM_N, layernorm_oracle)
LAYERNORM(layernorm_short, NORM_SHORT, layernorm_short_oracle) /* lanes without an element */

/* ---- moving data ----------------------------------------------------------------------------- */

enum { TURN_ROWS = 45, TURN_COLS = 70, TABLE_ROWS = 40, TABLE_N = 50, TABLE_COLS = 20 };

static void transpose_oracle(void **buf) {
    const float *x = buf[0];
    float *y = buf[1];
    for (int r = 0; r < TURN_ROWS; r++)
        for (int c = 0; c < TURN_COLS; c++) y[c * TURN_ROWS + r] = x[r * TURN_COLS + c];
}

static const zoo_case transpose = {
    .name = "transpose",
    .file = "transpose",
    .min_sm = 75,
    .conflict_free = true,
    .buffers = {{ZOO_F32, TURN_ROWS *TURN_COLS, ZOO_NORMAL, 0, 0, 0, 0},
                {ZOO_F32, TURN_ROWS *TURN_COLS, ZOO_FRESH, 0, 0, 0, 0}},
    .launches = {{.kernel = "transpose",
                  .grid = {3, 2, 1},
                  .block = {32, 8, 1},
                  .args = {BUF(0), BUF(1), INT(TURN_ROWS), INT(TURN_COLS)}}},
    .oracle = transpose_oracle,
};

static void gather_oracle(void **buf) {
    const float *table = buf[0];
    const int32_t *index = buf[1];
    float *y = buf[2];
    for (int i = 0; i < TABLE_N; i++)
        for (int c = 0; c < TABLE_COLS; c++)
            y[i * TABLE_COLS + c] =
                index[i] >= 0 && index[i] < TABLE_ROWS ? table[index[i] * TABLE_COLS + c] : 0.0f;
}

static const zoo_case gather = {
    .name = "gather_rows",
    .file = "gather",
    .min_sm = 75,
    .buffers = {{ZOO_F32, TABLE_ROWS *TABLE_COLS, ZOO_NORMAL, 0, 0, 0, 0},
                {ZOO_I32, TABLE_N, ZOO_RANGE, -4, TABLE_ROWS + 3, 0, 0},
                {ZOO_F32, TABLE_N *TABLE_COLS, ZOO_FRESH, 0, 0, 0, 0}},
    .launches = {{.kernel = "gather_rows",
                  .grid = {7, 1, 1},
                  .block = {8, 8, 1},
                  .args = {BUF(0), BUF(1), BUF(2), INT(TABLE_ROWS), INT(TABLE_N),
                           INT(TABLE_COLS / 4)}}},
    .oracle = gather_oracle,
};

static void scatter_oracle(void **buf) {
    float *grad = buf[0];
    const int32_t *index = buf[1];
    const float *g = buf[2];
    for (int i = 0; i < TABLE_N; i++)
        for (int c = 0; c < TABLE_COLS; c++)
            if (index[i] >= 0 && index[i] < TABLE_ROWS)
                grad[index[i] * TABLE_COLS + c] += g[i * TABLE_COLS + c];
}

static const zoo_case scatter = {
    .name = "scatter_add",
    .file = "gather",
    .min_sm = 75,
    .buffers = {{ZOO_F32, TABLE_ROWS *TABLE_COLS, ZOO_EIGHTHS, 1, 80, 0,
                 0}, /* exact in any order */
                {ZOO_I32, TABLE_N, ZOO_RANGE, -4, TABLE_ROWS + 3, 0, 0},
                {ZOO_F32, TABLE_N *TABLE_COLS, ZOO_EIGHTHS, 1, 80, 0, 0}},
    .launches = {{.kernel = "scatter_add",
                  .grid = {13, 1, 1},
                  .block = {32, 4, 1},
                  .args = {BUF(0), BUF(1), BUF(2), INT(TABLE_ROWS), INT(TABLE_N),
                           INT(TABLE_COLS)}}},
    .oracle = scatter_oracle,
};

/* ---- scan, sort, histogram ------------------------------------------------------------------- */

enum {
    SCAN_N = 1000,
    SCAN_TILES = 4,
    SORT_N = 1000,
    SORT_BLOCKS = 3,
    SORT_SHIFT = 8,
    HIST_N = 3001
};

static void scan_oracle(void **buf) {
    const int32_t *x = buf[0];
    int32_t *y = buf[1], *total = buf[2];
    for (int i = 0, s = 0; i < SCAN_N; i++) {
        s += x[i];
        y[i] = s;
        total[i / 256] = s;
    }
}

static const zoo_case scan = {
    .name = "scan",
    .file = "scan",
    .min_sm = 75,
    .buffers = {{ZOO_I32, SCAN_N, ZOO_RANGE, -50, 60, 0, 0},
                {ZOO_I32, SCAN_N, ZOO_FRESH, 0, 0, 0, 0},
                {ZOO_I32, SCAN_TILES, ZOO_FRESH, 0, 0, 0, 0}},
    .launches = {{.kernel = "scan_tiles",
                  .grid = {SCAN_TILES, 1, 1},
                  .block = {256, 1, 1},
                  .args = {BUF(0), BUF(1), BUF(2), INT(SCAN_N)}},
                 {.kernel = "scan_totals",
                  .grid = {1, 1, 1},
                  .block = {128, 1, 1},
                  .args = {BUF(2), INT(SCAN_TILES)}},
                 {.kernel = "scan_add",
                  .grid = {SCAN_TILES, 1, 1},
                  .block = {256, 1, 1},
                  .args = {BUF(1), BUF(2), INT(SCAN_N)}}},
    .oracle = scan_oracle,
};

static void radix_oracle(void **buf) {
    const uint32_t *key = buf[0];
    uint32_t *counts = buf[1], *out = buf[2];
    uint32_t to = 0;
    for (uint32_t digit = 0; digit < 16; digit++)
        for (int i = 0; i < SORT_BLOCKS * 384; i++) {
            if (i % 384 == 0) counts[digit * SORT_BLOCKS + (uint32_t)i / 384] = to;
            if (i < SORT_N && (key[i] >> SORT_SHIFT & 15) == digit) out[to++] = key[i];
        }
}

static const zoo_case radix = {
    .name = "radix_pass",
    .file = "radix",
    .min_sm = 75,
    .buffers = {{ZOO_U32, SORT_N, ZOO_RANGE, 0, 2147483646, 0, 0},
                {ZOO_U32, 16 * SORT_BLOCKS, ZOO_FRESH, 0, 0, 0, 0},
                {ZOO_U32, SORT_N, ZOO_FRESH, 0, 0, 0, 0}},
    .launches = {{.kernel = "radix_count",
                  .grid = {SORT_BLOCKS, 1, 1},
                  .block = {128, 1, 1},
                  .args = {BUF(0), BUF(1), INT(SORT_N), INT(SORT_SHIFT)}},
                 {.kernel = "radix_scan",
                  .grid = {1, 1, 1},
                  .block = {128, 1, 1},
                  .args = {BUF(1), INT(16 * SORT_BLOCKS)}},
                 {.kernel = "radix_scatter",
                  .grid = {SORT_BLOCKS, 1, 1},
                  .block = {128, 1, 1},
                  .args = {BUF(0), BUF(1), BUF(2), INT(SORT_N), INT(SORT_SHIFT)}}},
    .oracle = radix_oracle,
};

static void histogram_oracle(void **buf) {
    const uint8_t *x = buf[0];
    uint32_t *bins = buf[1];
    for (int i = 0; i < HIST_N; i++) bins[x[i]]++;
}

static const zoo_case histogram = {
    .name = "histogram",
    .file = "histogram",
    .min_sm = 75,
    .buffers = {{ZOO_U8, HIST_N, ZOO_RANGE, 0, 255, 0, 0},
                {ZOO_U32, 256, ZOO_RANGE, 0, 1000, 0, 0}},
    .launches = {{.kernel = "histogram",
                  .grid = {3, 1, 1},
                  .block = {96, 1, 1},
                  .args = {BUF(0), BUF(1), INT(HIST_N)}}},
    .oracle = histogram_oracle,
};

/* ---- random numbers -------------------------------------------------------------------------- */

enum { PHILOX_N = 100 };
#define PHILOX_SEED 0x0123456789abcdefu

/* The reference algorithm, on 64-bit products. */
static void philox_block(uint32_t c[4], uint32_t k0, uint32_t k1) {
    for (int i = 0; i < 10; i++) {
        uint64_t p0 = 0xD2511F53u * (uint64_t)c[0], p1 = 0xCD9E8D57u * (uint64_t)c[2];
        uint32_t r[4] = {(uint32_t)(p1 >> 32) ^ c[1] ^ k0, (uint32_t)p1,
                         (uint32_t)(p0 >> 32) ^ c[3] ^ k1, (uint32_t)p0};
        memcpy(c, r, sizeof r);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

static void philox_oracle(void **buf) {
    uint32_t *bits = buf[0];
    float *unit = buf[1];
    for (uint32_t i = 0; i < PHILOX_N; i++) {
        uint32_t c[4] = {i, 0, 7, 0};
        philox_block(c, (uint32_t)PHILOX_SEED, (uint32_t)(PHILOX_SEED >> 32));
        memcpy(bits + i * 4, c, sizeof c);
        for (int k = 0; k < 4; k++) unit[i * 4 + (uint32_t)k] = (float)(c[k] >> 8) / 16777216.0f;
    }
}

static const zoo_case philox = {
    .name = "philox_fill",
    .file = "philox",
    .min_sm = 75,
    .buffers = {{ZOO_U32, PHILOX_N * 4, ZOO_FRESH, 0, 0, 0, 0},
                {ZOO_F32, PHILOX_N * 4, ZOO_FRESH, 0, 0, 0, 0}},
    .launches = {{.kernel = "philox_fill",
                  .grid = {2, 1, 1},
                  .block = {64, 1, 1},
                  .args = {BUF(0), BUF(1), LONG(PHILOX_SEED), INT(7), INT(PHILOX_N)}}},
    .oracle = philox_oracle,
};

/* ---- blocks that meet ------------------------------------------------------------------------ */

enum { RING_N = 1500, RING_BLOCKS = 20, RING_STEPS = 5 };

static void ring_oracle(void **buf) {
    float *a = buf[0], *b = buf[1];
    for (int s = 0; s < RING_STEPS; s++) {
        for (int i = 0; i < RING_N; i++)
            b[i] = 0.25f * a[(i + RING_N - 1) % RING_N] + 0.5f * a[i] + 0.25f * a[(i + 1) % RING_N];
        float *t = a;
        a = b;
        b = t;
    }
    *(uint32_t *)buf[2] = (uint32_t)(RING_STEPS & 1)
                          << 31; /* the barrier's top bit flips at every meeting */
}

static const zoo_case ring = {
    .name = "smooth_ring",
    .file = "gridsync",
    .min_sm = 75,
    .buffers = {{ZOO_F32, RING_N, ZOO_EIGHTHS, 1, 64, 0, 0},
                {ZOO_F32, RING_N, ZOO_FRESH, 0, 0, 0, 0},
                {ZOO_U32, 1, ZOO_ZERO, 0, 0, 0, 0}},
    .launches = {{.kernel = "smooth_ring",
                  .grid = {RING_BLOCKS, 1, 1},
                  .block = {64, 1, 1},
                  .args = {BUF(0), BUF(1), BUF(2), INT(RING_N), INT(RING_STEPS)},
                  .cooperative = true}},
    .oracle = ring_oracle,
};

const zoo_case *const zoo_vector_cases[] = {
    &gelu,           &swiglu,    &row_sum,         &col_max,   &split,  &softmax,
    &softmax_spread, &layernorm, &layernorm_short, &transpose, &gather, &scatter,
    &scan,           &radix,     &histogram,       &philox,    &ring,   NULL};
