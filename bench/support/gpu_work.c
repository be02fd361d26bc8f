/* gpu_work.c - see gpu_work.h. */
#include "bench/support/gpu_work.h"

#include "examples/support/mlp.h"

#include <math.h>
#include <stdio.h>

/* ---- what memory bounds */

static int64_t or_tiny(int64_t n, int64_t tiny) {
    return bench_tiny ? tiny : n;
}

static int64_t elements(void) {
    return or_tiny(64 << 20, 1 << 16);
}
static int64_t rows(void) {
    return or_tiny(65536, 48);
}
static int64_t side(void) {
    return or_tiny(8192, 256);
}
enum { COLS = 1024 };

bz_dtype gpu_dtype;

static bz_status chain(bz_context *of, bz_tensor *const *in, int nin, bz_tensor **y, int nout,
                       void *user) {
    (void)of, (void)nin, (void)nout, (void)user;
    bz_tensor *x = in[0], *z = bz_sub(bz_mul(bz_maximum(bz_add(bz_mul(x, 1.5), 0.25), -1), x), 0.5);
    y[0] = bz_neg(bz_mul(bz_add(bz_minimum(bz_abs(z), 8), x), 0.125));
    return BZ_OK;
}

static bz_status negate(bz_context *of, bz_tensor *const *in, int nin, bz_tensor **y, int nout,
                        void *user) {
    (void)of, (void)nin, (void)nout, (void)user;
    y[0] = bz_neg(in[0]);
    return BZ_OK;
}

static bz_status softmax(bz_context *of, bz_tensor *const *in, int nin, bz_tensor **y, int nout,
                         void *user) {
    (void)of, (void)nin, (void)nout, (void)user;
    y[0] = bz_softmax(in[0], -1);
    return BZ_OK;
}

static bz_status layernorm(bz_context *of, bz_tensor *const *in, int nin, bz_tensor **y, int nout,
                           void *user) {
    (void)of, (void)nin, (void)nout, (void)user;
    y[0] = bz_add(in[0], bz_gelu(bz_layer_norm(in[0], in[1], in[2], 1, 1e-5)));
    return BZ_OK;
}

static bz_status transpose(bz_context *of, bz_tensor *const *in, int nin, bz_tensor **y, int nout,
                           void *user) {
    (void)of, (void)nin, (void)nout, (void)user;
    y[0] = bz_copy(bz_transpose(in[0], 0, 1));
    return BZ_OK;
}

static bz_status sums(bz_context *of, bz_tensor *const *in, int nin, bz_tensor **y, int nout,
                      void *user) {
    (void)of, (void)nin, (void)nout, (void)user;
    y[0] = bz_sum(in[0], BZ_AXES(0), false);
    return BZ_OK;
}

static void vector(bz_context *of, bz_tensor **in) {
    in[0] = bz_randn(of, BZ_SHAPE(elements()), BZ_F32);
}

static void matrix(bz_context *of, bz_tensor **in) {
    in[0] = bz_randn(of, BZ_SHAPE(rows(), COLS), BZ_F32);
    in[1] = bz_rand(of, BZ_SHAPE(COLS), BZ_F32);
    in[2] = bz_rand(of, BZ_SHAPE(COLS), BZ_F32);
}

static void square(bz_context *of, bz_tensor **in) {
    in[0] = bz_randn(of, BZ_SHAPE(side(), side()), BZ_F32);
}

/* ---- products, attention, steps */

int64_t gpu_depth(void) {
    return or_tiny(4096, 128);
}

bz_status gpu_product(bz_context *of, bz_tensor *const *in, int nin, bz_tensor **y, int nout,
                      void *user) {
    (void)of, (void)nin, (void)nout, (void)user;
    y[0] = bz_matmul(in[0], in[1]);
    return BZ_OK;
}

static void factors(bz_context *of, bz_tensor **in) {
    for (int i = 0; i < 2; i++) in[i] = bz_randn(of, BZ_SHAPE(gpu_depth(), gpu_depth()), gpu_dtype);
}

enum { HEAD = 64 };
static int64_t heads(void) {
    return or_tiny(64, 2);
}
static int64_t length(void) {
    return or_tiny(2048, 40);
}

static bz_status attention(bz_context *of, bz_tensor *const *in, int nin, bz_tensor **y, int nout,
                           void *user) {
    (void)nin, (void)nout, (void)user;
    bz_tensor *s = bz_mul(bz_matmul(in[0], bz_transpose(in[1], 2, 3)), 0.125);
    bz_tensor *place = bz_arange(of, 0, (double)length(), 1, BZ_I64);
    s = bz_where(bz_gt(place, bz_unsqueeze(place, 1)), -INFINITY, s);
    y[0] = bz_matmul(bz_softmax(s, -1), in[2]);
    return BZ_OK;
}

static void queries(bz_context *of, bz_tensor **in) {
    for (int i = 0; i < 3; i++)
        in[i] = bz_randn(of, BZ_SHAPE(1, heads(), length(), HEAD), gpu_dtype);
}

static int hidden(void) {
    return (int)or_tiny(512, 24);
}
static int batch(void) {
    return (int)or_tiny(128, 4);
}

static void mlp(bz_context *of, bz_tensor **in) {
    in[0] = bz_rand(of, BZ_SHAPE(batch(), 784), BZ_F32);
    in[1] = bz_randint(of, 0, 10, BZ_SHAPE(batch()));
    mlp_init(of, hidden(), in + 2);
}

/* The letters of Shakespeare as they are usually trained on. */
static const gpt_size *letters(void) {
    static const gpt_size full = {64, 256, 384, 6, 6, 65}, tiny = {2, 16, 32, 2, 1, 20};
    return bench_tiny ? &tiny : &full;
}

static bz_status gpt(bz_context *of, bz_tensor *const *in, int nin, bz_tensor **y, int nout,
                     void *user) {
    (void)of, (void)nin, (void)nout, (void)user;
    return gpt_step(letters(), in, y);
}

static void text(bz_context *of, bz_tensor **in) {
    gpt_start(of, letters(), in);
}

/* ---- the list */

void gpu_moves(gpu_measure *measure) {
    const double n = (double)elements(), m = (double)(rows() * COLS), s = (double)(side() * side());
    const bench_case all[] = {
        {.name = "negate",
         .what = "one op, f32",
         .fn = negate,
         .setup = vector,
         .nin = 1,
         .bytes = 8 * n},
        {.name = "pointwise",
         .what = "10 pointwise ops",
         .fn = chain,
         .setup = vector,
         .nin = 1,
         .bytes = 8 * n},
        {.name = "softmax",
         .what = "softmax of rows of 1024",
         .fn = softmax,
         .setup = matrix,
         .nin = 1,
         .bytes = 8 * m},
        {.name = "layernorm",
         .what = "x+gelu(layernorm(x)), rows of 1024",
         .fn = layernorm,
         .setup = matrix,
         .nin = 3,
         .bytes = 8 * m},
        {.name = "column_sums",
         .what = "sums of columns",
         .fn = sums,
         .setup = matrix,
         .nin = 1,
         .bytes = 4 * m},
        {.name = "transpose",
         .what = "transposed",
         .fn = transpose,
         .setup = square,
         .nin = 1,
         .bytes = 8 * s},
    };
    gpu_dtype = BZ_F32;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        bench_case k = all[i];
        k.nout = 1;
        measure(&k);
    }
}

void gpu_products(gpu_measure *measure) {
    static const bz_dtype dtypes[] = {BZ_F32, BZ_BF16, BZ_F16};
    const double n = (double)gpu_depth(), l = (double)length();
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        char name[64];
        gpu_dtype = dtypes[i];
        snprintf(name, sizeof name, "product/4096x4096x4096/n/%s", bz_dtype_name(gpu_dtype));
        measure(&(bench_case){.name = name,
                              .what = "product",
                              .fn = gpu_product,
                              .setup = factors,
                              .nin = 2,
                              .nout = 1,
                              .flops = 2 * n * n * n});
    }
    for (size_t i = 0; i < 2; i++) {
        char name[64];
        gpu_dtype = dtypes[i];
        snprintf(name, sizeof name, "attention/causal/%s", bz_dtype_name(gpu_dtype));
        measure(&(bench_case){.name = name,
                              .what = "causal attention, heads of 64",
                              .fn = attention,
                              .setup = queries,
                              .nin = 3,
                              .nout = 1,
                              .flops = 2.0 * HEAD * (double)heads() * l * l});
    }
}

void gpu_steps(gpu_measure *measure) {
    int donate[GPU_MAX_IN];
    const double w = 784.0 * hidden(), weights = w + hidden() * (hidden() + 10.0);
    gpu_dtype = BZ_F32;
    mlp_donate(donate);
    measure(&(bench_case){.name = "mlp",
                          .what = "MLP training step, Adam",
                          .fn = mlp_step,
                          .setup = mlp,
                          .nin = STEP_IN,
                          .nout = STEP_OUT,
                          .donate = donate,
                          .flops = 2.0 * batch() * (3 * weights - w)});
    gpt_donate(letters(), donate);
    measure(&(bench_case){.name = "gpt",
                          .what = "GPT training step, Adam",
                          .fn = gpt,
                          .setup = text,
                          .nin = gpt_inputs(letters()),
                          .nout = gpt_outputs(letters()),
                          .donate = donate,
                          .flops = gpt_flops(letters())});
}
