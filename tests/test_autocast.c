/* test_autocast.c - mixed precision: what runs low, in f32 or as it comes, by PyTorch's lists; regions; gradients; loss scaling.
 * That the bits are the same in every mode: tests/slow_bits_api.c. */
#include "src/ir/text.h"
#include "src/passes/pass.h"
#include "tests/support/irtest.h"
#include "tests/support/rt_support.h"

#include <stdio.h>

/* ---- the lists of aten/src/ATen/autocast_mode.h (PyTorch 2.8), CUDA's; of norm, upsample and others that end in the same word one */

static const char *const torch_low[] = {"_convolution",
                                        "conv1d",
                                        "conv2d",
                                        "conv3d",
                                        "conv_tbc",
                                        "conv_transpose1d",
                                        "conv_transpose2d",
                                        "conv_transpose3d",
                                        "convolution",
                                        "prelu",
                                        "addmm",
                                        "addmv",
                                        "addr",
                                        "matmul",
                                        "einsum",
                                        "mm",
                                        "mv",
                                        "linalg_vecdot",
                                        "linear",
                                        "addbmm",
                                        "baddbmm",
                                        "bmm",
                                        "chain_matmul",
                                        "linalg_multi_dot",
                                        "lstm_cell",
                                        "gru_cell",
                                        "rnn_tanh_cell",
                                        "rnn_relu_cell",
                                        "scaled_dot_product_attention",
                                        NULL};
static const char *const torch_f32[] = {
    "acos", "asin", "cosh", "erfinv", "exp", "expm1", "log", "log10", "log2", "log1p", "reciprocal",
    "rsqrt", "sinh", "tan", "pow", "softplus", "layer_norm", "native_layer_norm", "group_norm",
    "frobenius_norm", "nuclear_norm", "cosine_similarity", "poisson_nll_loss",
    "cosine_embedding_loss", "nll_loss", "nll_loss2d", "hinge_embedding_loss", "kl_div", "l1_loss",
    "smooth_l1_loss", "huber_loss", "mse_loss", "margin_ranking_loss", "multilabel_margin_loss",
    "soft_margin_loss", "triplet_margin_loss", "multi_margin_loss",
    "binary_cross_entropy_with_logits", "dist", "pdist", "cdist", "renorm", "logsumexp",
    "upsample_nearest1d",
    /* with a dtype: in f32 unless it is given */
    "prod", "softmax", "log_softmax", "cumprod", "cumsum", "linalg_vector_norm",
    "linalg_matrix_norm", "sum", "norm",
    "vector_norm", /* linalg_vector_norm */
    "cross_entropy", /* log_softmax and nll_loss */
    NULL};
static const char *const torch_widest[] = {
    "addcdiv",      "addcmul",   "atan2",     "bilinear",    "cross", "vdot",
    "grid_sampler", "index_put", "tensordot", "scatter_add", NULL};

static bool listed(const char *const *list, const char *name) {
    for (; *list; list++)
        if (!strcmp(*list, name)) return true;
    return false;
}

/* The dtypes that operands of one call come to: f16 h, bf16 b, f32 f, f64 d, a number 0. */
static void brought_to(ir_op op, const char *name, const char *operands, bz_dtype low, char *out) {
    ir_module *m = ir_module_new();
    ir_graph *g = ir_graph_new(m, "main");
    ir_ref x[3] = {0};
    unsigned n = (unsigned)strlen(operands);
    ir_module_add(m, g);
    for (unsigned i = 0; i < n; i++) {
        ir_dim two = ir_dim_const(g, 2);
        bz_dtype t = operands[i] == 'h'   ? BZ_F16
                     : operands[i] == 'b' ? BZ_BF16
                     : operands[i] == 'f' ? BZ_F32
                     : operands[i] == 'i' ? BZ_I32
                                          : BZ_F64;
        if (operands[i] != '0') x[i] = ir_input_new(g, NULL, t, &two, i == 0);
    }
    cr_assert(ir_autocast(g, low, op, name, x, n));
    for (unsigned i = 0; i < n; i++)
        out[i] = !x[i]                          ? '0'
                 : ir_dtype(g, x[i]) == BZ_F16  ? 'h'
                 : ir_dtype(g, x[i]) == BZ_BF16 ? 'b'
                 : ir_dtype(g, x[i]) == BZ_F32  ? 'f'
                 : ir_dtype(g, x[i]) == BZ_I32  ? 'i'
                                                : 'd';
    out[n] = 0;
    ir_module_free(m);
}

static void expect_brought(ir_op op, const char *name, const char *operands, bz_dtype low,
                           const char *want) {
    char got[4];
    brought_to(op, name, operands, low, got);
    cr_expect(!strcmp(got, want), "%s of %s under %s: %s, not %s", name, operands,
              ir_dtypes[low].name, got, want);
}

static void expect_rule(ir_op op, const char *name) {
    bool low = listed(torch_low, name) || !strcmp(name, "dot"), f32 = listed(torch_f32, name),
         widest = listed(torch_widest, name);
    expect_brought(op, name, "fhb", BZ_BF16, low ? "bbb" : f32 || widest ? "fff" : "fhb");
    expect_brought(op, name, "fhb", BZ_F16, low ? "hhh" : f32 || widest ? "fff" : "fhb");
    expect_brought(op, name, "bb", BZ_BF16, f32 ? "ff" : "bb");
    expect_brought(op, name, "hf", BZ_F16, low ? "hh" : f32 || widest ? "ff" : "hf");
    expect_brought(op, name, "dib", BZ_BF16, f32 ? "dif" : "dib"); /* not eligible */
    expect_brought(op, name, "fhb", BZ_F32, "fhb");                /* no region */
}

Test(autocast, every_op_is_on_pytorchs_list_or_on_none) {
    for (unsigned op = 1; op < IR_ELEM_END; op++)
        if (ir_op_is_elementwise(op)) expect_rule((ir_op)op, ir_ops[op].name);
    for (unsigned i = 0; i < ir_builder_count; i++) expect_rule(IR_NIL, ir_builders[i].name);
    expect_brought(IR_DIV, "div", "0b", BZ_BF16, "0f"); /* 1 / x is x's reciprocal */
    expect_brought(IR_DIV, "div", "b0", BZ_BF16, "b0");
    expect_brought(IR_DIV, "div_", "0b", BZ_BF16, "0b");
    expect_brought(IR_POW, "pow_", "bb", BZ_BF16, "bb"); /* in place */
}

/* ---- regions */

static bz_tensor *half_of(bz_tensor *x) {
    return bz_cast(x, BZ_BF16);
}

static void regions(bz_context *c) {
    bz_tensor *x = bz_full(c, BZ_SHAPE(2, 2), 1.001, BZ_F32),
              *d = bz_ones(c, BZ_SHAPE(2, 2), BZ_F64);
    cr_expect_eq(bz_dtype_of(bz_matmul(x, x)), BZ_F32);
    cr_expect_eq(bz_autocast_begin(c, BZ_BF16), BZ_OK);
    bz_tensor *y = bz_matmul(x, x);
    cr_expect_eq(bz_dtype_of(y), BZ_BF16);
    EXPECT(bz_cast(y, BZ_F32), 2, 2, 2, 2); /* 1.001 is 1 there */
    cr_expect_eq(bz_dtype_of(bz_linear(x, x, bz_ones(c, BZ_SHAPE(2), BZ_F32))), BZ_BF16);
    cr_expect_eq(bz_dtype_of(bz_matmul(d, d)), BZ_F64);
    cr_expect_eq(bz_dtype_of(bz_softmax(y, -1)), BZ_F32);
    cr_expect_eq(bz_dtype_of(bz_sum(y, BZ_ALL)), BZ_F32);
    cr_expect_eq(bz_dtype_of(bz_exp(y)), BZ_F32);
    cr_expect_eq(bz_dtype_of(bz_pow(y, 2)), BZ_F32); /* the number stands beside the cast */
    cr_expect_eq(bz_dtype_of(bz_div(1, y)), BZ_F32);
    cr_expect_eq(bz_dtype_of(bz_div(y, 3)), BZ_BF16);
    cr_expect_eq(bz_dtype_of(bz_relu(y)), BZ_BF16);
    cr_expect_eq(bz_dtype_of(bz_gelu(y)), BZ_BF16);
    cr_expect_eq(bz_dtype_of(bz_mean(y, BZ_ALL)), BZ_BF16);
    cr_expect_eq(bz_dtype_of(bz_add(y, x)), BZ_F32); /* promoted */
    cr_expect_eq(bz_dtype_of(bz_layer_norm(y, NULL, NULL, 1, 1e-5)), BZ_F32);
    cr_expect_eq(bz_dtype_of(bz_mse_loss(y, half_of(x))), BZ_F32);
    cr_expect_eq(bz_autocast_begin(c, BZ_F16), BZ_OK);
    cr_expect_eq(bz_dtype_of(bz_matmul(y, x)), BZ_F16);
    cr_expect_eq(bz_autocast_begin(c, BZ_F32), BZ_OK); /* none */
    cr_expect_eq(bz_dtype_of(bz_matmul(x, x)), BZ_F32);
    cr_expect_eq(bz_dtype_of(bz_exp(y)), BZ_BF16);
    cr_expect_eq(bz_autocast_end(c), BZ_OK);
    cr_expect_eq(bz_dtype_of(bz_matmul(x, x)), BZ_F16);
    cr_expect_eq(bz_autocast_end(c), BZ_OK);
    cr_expect_eq(bz_dtype_of(bz_matmul(x, x)), BZ_BF16);
    cr_expect_eq(bz_dtype_of(bz_add_(x, y)), BZ_F32); /* in place: x's */
    cr_expect_eq(bz_autocast_end(c), BZ_OK);
    cr_expect_eq(bz_dtype_of(bz_matmul(x, x)), BZ_F32);
}
Test(autocast, regions) {
    on_all(regions);
}

static void mistakes(bz_context *c) {
    struct {
        bz_status got, want;
        const char *text;
    } cases[] = {
        {bz_autocast_begin(c, BZ_I32), BZ_EDTYPE, "f32, not to i32"},
        {bz_autocast_begin(c, BZ_F64), BZ_EDTYPE, NULL},
        {bz_autocast_begin(c, BZ_NDTYPES), BZ_EDTYPE, NULL},
        {bz_autocast_end(c), BZ_EMODE, NULL},
    };
    cr_expect(strstr(bz_message(c),
                     "[autocast_begin] casts to f16 or bf16, or to nothing for f32, not to i32"),
              "%s", bz_message(c));
    for (unsigned i = 0; i < BZ_LEN(cases); i++) cr_expect_eq(cases[i].got, cases[i].want, "%u", i);
    bz_clear(c);
    cr_expect_eq(bz_autocast_end(c), BZ_EMODE);
    cr_expect(strstr(bz_message(c), "no region of bz_autocast_begin is open"), "%s", bz_message(c));
    bz_clear(c);
    for (int i = 0; i < 32; i++) cr_expect_eq(bz_autocast_begin(c, BZ_F16), BZ_OK);
    cr_expect_eq(bz_autocast_begin(c, BZ_F16), BZ_ELIMIT);
    bz_clear(c);
    for (int i = 0; i < 32; i++) cr_expect_eq(bz_autocast_end(c), BZ_OK);
    cr_expect_eq(bz_autocast_begin(NULL, BZ_F16), BZ_EARG);
    cr_expect_eq(bz_autocast_end(NULL), BZ_EARG);
    bz_clear(NULL);
}
Test(autocast, mistakes) {
    on_all(mistakes);
}

/* ---- regions and functions that are traced */

static bz_status product(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                         void *user) {
    (void)c, (void)nin, (void)nout;
    out[0] = bz_matmul(in[0], in[0]);
    int *traces = user;
    return ++*traces, BZ_OK;
}

static bz_status leaves_open(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                             int nout, void *user) {
    (void)nin, (void)nout, (void)user;
    bz_autocast_begin(c, BZ_F16);
    bz_autocast_begin(c, BZ_BF16);
    out[0] = bz_matmul(in[0], in[0]);
    return BZ_OK;
}

static bz_status ends_callers(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                              int nout, void *user) {
    (void)nin, (void)nout, (void)user;
    out[0] = in[0];
    return bz_autocast_end(c);
}

static bz_dtype dtype_called(bz_program *p, bz_tensor *x) {
    bz_tensor *y;
    cr_expect_eq(bz_call(p, &x, &y), BZ_OK, "%s", bz_message(bz_context_of(x)));
    return bz_dtype_of(y);
}

Test(autocast, a_region_around_a_call_belongs_to_its_signature) {
    bz_context *c = open_one(BZ_CPU);
    int traces = 0;
    const bz_compile_options one = {.nin = 1, .nout = 1};
    bz_tensor *x = bz_ones(c, BZ_SHAPE(3, 3), BZ_F32), *y;
    bz_program *p = bz_compile(c, product, &traces, &one);
    for (int turn = 0; turn < 2; turn++) {
        cr_expect_eq(dtype_called(p, x), BZ_F32);
        bz_autocast_begin(c, BZ_BF16);
        cr_expect_eq(dtype_called(p, x), BZ_BF16);
        bz_autocast_begin(c, BZ_F32);
        cr_expect_eq(dtype_called(p, x), BZ_F32);
        bz_autocast_end(c);
        bz_autocast_end(c);
    }
    cr_expect_eq(traces, 2);
    bz_program *open = bz_compile(c, leaves_open, NULL, &one);
    cr_expect_eq(dtype_called(open, x), BZ_BF16);
    cr_expect_eq(bz_dtype_of(bz_matmul(x, x)), BZ_F32);
    cr_expect_eq(bz_autocast_end(c), BZ_EMODE);
    bz_clear(c);
    bz_autocast_begin(c, BZ_BF16);
    bz_program *ends = bz_compile(c, ends_callers, NULL, &one);
    cr_expect_eq(bz_call(ends, &x, &y), BZ_EMODE);
    cr_expect(strstr(bz_message(c), "no region of the function that is traced is open"), "%s",
              bz_message(c));
    bz_clear(c);
    cr_expect_eq(bz_dtype_of(bz_matmul(x, x)), BZ_BF16, "the caller's region is as it was");
    bz_close(c);
}

/* A call in a function that is traced runs in the region around it there; backward functions in that of their bz_custom_grad. */
static bz_status calls(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                       void *user) {
    (void)nin, (void)nout;
    bz_autocast_begin(c, BZ_F16);
    bz_status s = bz_call(user, in, out);
    bz_autocast_end(c);
    return s;
}

static bz_status times_itself(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                              int nout, void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    out[0] = bz_matmul(in[0], in[0]);
    return BZ_OK;
}

static bz_status its_gradient(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                              int nout, void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    bz_tensor *d = bz_matmul(in[2], bz_transpose(in[0], 0, 1));
    cr_expect_eq(bz_dtype_of(d), BZ_BF16);
    out[0] = bz_cast(bz_add(d, bz_matmul(bz_transpose(in[0], 0, 1), in[2])), BZ_F32);
    return BZ_OK;
}

Test(autocast, regions_around_calls_and_custom_gradients) {
    bz_context *c = open_one(BZ_CPU);
    int traces = 0;
    const bz_compile_options one = {.nin = 1, .nout = 1};
    bz_tensor *x = bz_ones(c, BZ_SHAPE(3, 3), BZ_F32), *y, *d;
    bz_program *inner = bz_compile(c, product, &traces, &one);
    cr_expect_eq(dtype_called(bz_compile(c, calls, inner, &one), x), BZ_F16);
    bz_autocast_begin(c, BZ_BF16);
    cr_expect_eq(bz_custom_grad(c, times_itself, its_gradient, NULL, &x, 1, &y, 1), BZ_OK, "%s",
                 bz_message(c));
    cr_expect_eq(bz_dtype_of(y), BZ_BF16);
    bz_tensor *loss = bz_sum(y, BZ_ALL);
    bz_autocast_end(c);
    cr_expect_eq(bz_grad(loss, &x, 1, &d), BZ_OK, "%s", bz_message(c));
    EXPECT(d, 6, 6, 6, 6, 6, 6, 6, 6, 6);
    bz_close(c);
}

/* ---- gradients */

static void gradients(bz_context *c) {
    bz_tensor *x = bz_full(c, BZ_SHAPE(1, 2), 1.001, BZ_F32);
    bz_tensor *w = bz_from_data(c, BZ_F32, ((float[]){3, 1.001f, 2, 5}), BZ_SHAPE(2, 2)), *d[2];
    bz_autocast_begin(c, BZ_BF16);
    bz_tensor *h = bz_matmul(x, w), *loss = bz_sum(bz_matmul(h, w), BZ_ALL);
    bz_autocast_end(c);
    cr_assert_eq(bz_grad(loss, (bz_tensor *[]){w, x}, 2, d), BZ_OK, "%s", bz_message(c));
    cr_expect_eq(bz_dtype_of(d[0]), BZ_F32);
    cr_expect_eq(bz_dtype_of(d[1]), BZ_F32);
    /* with bf16's w = [3 1; 2 5], x = [1 1]: h = [5 6], d h = w 1 = [4 7], d w = h^T 1 + x^T d h, d x = d h w^T */
    EXPECT(d[0], 9, 12, 10, 13);
    EXPECT(d[1], 19, 43);
}
Test(autocast, gradients_lead_back_through_the_casts) {
    on_all(gradients);
}

/* ---- a training step, against a scaler in C */

enum { ROWS = 8, WIDTH = 6, HIDDEN = 5, CLASSES = 3, PARAMS = 4, FIXED = 5, STATE = 3 * PARAMS };

typedef struct training {
    bz_dtype low; /* BZ_F32: no region */
    bool scaled;
    double max_norm; /* 0: not clipped */
    int interval;
} training;

/* in: x, labels, t, scale, growth tracker, parameters, m, v; out: loss, norm, found_inf, then all but x and labels. */
static bz_status step(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *user) {
    (void)nin, (void)nout;
    const training *how = user;
    bz_tensor *const *p = in + FIXED, *grad[PARAMS], *found = NULL, *tracker = in[4];
    bz_autocast_begin(c, how->low);
    bz_tensor *h = bz_gelu(bz_linear(in[0], p[0], p[1]));
    bz_tensor *loss = bz_cross_entropy(bz_linear(h, p[2], p[3]), in[1]);
    bz_autocast_end(c);
    bz_tensor *scale = how->scaled ? in[3] : NULL;
    bz_status s = bz_grad(scale ? bz_mul(loss, scale) : loss, p, PARAMS, grad);
    if (s) return s;
    bz_adam_options o = BZ_ADAM_DEFAULTS;
    bz_tensor *norm = bz_grad_norm(scale, grad, PARAMS, &found), *t = bz_add(in[2], 1);
    if (scale) o.found_inf = found;
    out[0] = loss, out[1] = norm, out[2] = found;
    out[3] = scale ? bz_where(found, in[2], t) : t;
    out[4] = bz_grad_scaler_update(in[3], &tracker, found,
                                   &(bz_grad_scaler_options){2, 0.5, how->interval});
    out[5] = tracker;
    for (int k = 0; k < PARAMS; k++) {
        bz_tensor *m = p[PARAMS + k], *v = p[2 * PARAMS + k];
        bz_tensor *d = bz_unscale(grad[k], scale, how->max_norm > 0 ? norm : NULL, how->max_norm);
        out[6 + k] = bz_adam_step(p[k], d, &m, &v, t, 0.02, &o);
        out[6 + PARAMS + k] = m, out[6 + 2 * PARAMS + k] = v;
    }
    return bz_context_status(c);
}

static bz_tensor *wave(bz_context *c, const int64_t *shape, int rank, double size) {
    float v[64];
    int64_t n = 1;
    for (int i = 0; i < rank; i++) n *= shape[i];
    for (int64_t i = 0; i < n; i++) v[i] = (float)(size * sin(1.7 * (double)(i + n)));
    return bz_from_data(c, BZ_F32, v, shape, rank);
}

static bz_program *start(bz_context *c, training *how, float scale, bz_tensor **in) {
    static const int64_t shapes[PARAMS][2] = {
        {HIDDEN, WIDTH}, {HIDDEN}, {CLASSES, HIDDEN}, {CLASSES}};
    int donate[FIXED + STATE];
    int64_t labels[ROWS];
    for (int i = 0; i < ROWS; i++) labels[i] = i * 2 % CLASSES;
    in[0] = wave(c, BZ_SHAPE(ROWS, WIDTH), 1);
    in[1] = bz_from_data(c, BZ_I64, labels, BZ_SHAPE(ROWS));
    in[2] = bz_zeros(c, NULL, 0, BZ_F32);
    in[3] = bz_full(c, NULL, 0, scale, BZ_F32);
    in[4] = bz_full_int(c, NULL, 0, 0, BZ_I32);
    for (int k = 0; k < STATE; k++)
        in[FIXED + k] = wave(c, shapes[k % PARAMS], k % 2 ? 1 : 2, k < PARAMS ? 0.5 : 0);
    for (int i = 0; i < FIXED + STATE; i++) donate[i] = i < 2 ? -1 : i + 1;
    bz_program *p = bz_compile(
        c, step, how,
        &(bz_compile_options){.nin = FIXED + STATE, .nout = FIXED + 1 + STATE, .donate = donate});
    cr_assert(p, "%s", bz_message(c));
    return p;
}

static void read_floats(bz_tensor *x, float *v) {
    cr_assert_eq(bz_to_host(x, v, (size_t)bz_numel(x) * sizeof *v), BZ_OK);
}

/* torch.amp.GradScaler, beside the one that the device has. */
typedef struct model {
    float scale;
    int tracker, steps;
} model;

static void update(model *m, bool found, int interval) {
    m->steps += !found;
    m->tracker = found ? 0 : m->tracker + 1;
    if (found) m->scale *= 0.5f;
    if (m->tracker < interval) return;
    m->tracker = 0;
    if (isfinite(m->scale * 2)) m->scale *= 2;
}

static void expect_model(bz_tensor **in, const model *m, int at) {
    cr_expect_eq(bz_item(in[2]), m->steps, "turn %d: step %g", at, bz_item(in[2]));
    cr_expect_eq(bz_item(in[3]), (double)m->scale, "turn %d: scale %g", at, bz_item(in[3]));
    cr_expect_eq(bz_item_int(in[4]), m->tracker, "turn %d: tracker", at);
}

/* Trains; in turn `bad` the input is so large that the products overflow. Gives the last loss. */
static double train(bz_context *c, training how, float scale, int turns, int bad) {
    bz_tensor *in[FIXED + STATE], *out[FIXED + 1 + STATE];
    bz_program *p = start(c, &how, scale, in);
    model m = {.scale = scale};
    double loss = 0, first = 0;
    for (int k = 0; k < turns; k++) {
        float before[2][HIDDEN * WIDTH], after[2][HIDDEN * WIDTH];
        bz_tensor *good = in[0];
        if (k == bad) in[0] = bz_mul(good, how.low == BZ_F16 ? 1e30 : INFINITY);
        read_floats(in[FIXED], before[0]);
        read_floats(in[FIXED + PARAMS], before[1]);
        cr_assert_eq(bz_call(p, in, out), BZ_OK, "%s", bz_message(c));
        in[0] = good;
        read_floats(in[FIXED], after[0]);
        read_floats(in[FIXED + PARAMS], after[1]);
        bool found = bz_item_int(out[2]);
        cr_expect_eq(found, !isfinite(bz_item(out[1])), "turn %d: norm %g", k, bz_item(out[1]));
        if (k == bad) cr_expect(found, "no overflow in turn %d", k);
        cr_expect_eq(!memcmp(before, after, sizeof before), found && how.scaled, "turn %d", k);
        update(&m, found, how.interval);
        if (how.scaled) expect_model(in, &m, k);
        if (k != bad) loss = bz_item(out[0]);
        if (k == 0) first = loss;
    }
    cr_expect(turns < 40 || loss < 0.7 * first, "loss %g from %g", loss, first);
    bz_program_free(p);
    return loss;
}

static void training_runs(bz_context *c) {
    double f32 = train(c, (training){BZ_F32, false, 0, 3}, 1, 40, -1);
    double bf16 = train(c, (training){BZ_BF16, false, 1, 2000}, 1, 40, -1);
    double f16 = train(c, (training){BZ_F16, true, 0, 2000}, 65536, 40, -1);
    cr_expect(fabs(bf16 - f32) < 0.1 && fabs(f16 - f32) < 0.02, "%g %g %g", f32, bf16, f16);
    train(c, (training){BZ_F16, true, 1, 3}, 1024, 14,
          5); /* halves once, doubles after each three */
    train(c, (training){BZ_F16, true, 0, 1}, 0x1p127f, 3,
          -1); /* overflows: a scale that is too large */
    train(c, (training){BZ_BF16, true, 0, 2}, 0x1p20f, 6, 0);
}
Test(autocast, training_skips_what_overflows, .timeout = 120) {
    on_all(training_runs);
}

/* The scale stays finite, and stays what it is where it cannot grow. */
static void scale_stays_finite(bz_context *c) {
    bz_tensor *no = bz_full_int(c, NULL, 0, 0, BZ_BOOL),
              *tracker = bz_full_int(c, NULL, 0, 1, BZ_I32);
    bz_tensor *scale = bz_full(c, NULL, 0, 0x1p127, BZ_F32);
    const bz_grad_scaler_options two = {2, 0.5, 2};
    scale = bz_grad_scaler_update(scale, &tracker, no, &two);
    cr_expect_eq(bz_item(scale), 0x1p127);
    cr_expect_eq(bz_item_int(tracker), 0);
    scale = bz_grad_scaler_update(bz_full(c, NULL, 0, 3, BZ_F32), &tracker, no, NULL);
    cr_expect_eq(bz_item(scale), 3);
    cr_expect_eq(bz_item_int(tracker), 1);
}
Test(autocast, scale_stays_finite) {
    on_all(scale_stays_finite);
}

/* A single NaN or infinity is found, whatever its dtype, and large finite numbers are none. */
static void found(bz_context *c) {
    static const struct {
        float v[3];
        bool found;
    } cases[] = {{{3, 4, 0}, false},       {{3.4e38f, -3.4e38f, 1}, false}, {{1e-45f, 0, 0}, false},
                 {{1, INFINITY, 2}, true}, {{1, 2, -INFINITY}, true},       {{NAN, 2, 3}, true}};
    for (unsigned i = 0; i < BZ_LEN(cases); i++)
        for (int half = 0; half < 2; half++) {
            bz_tensor *x = bz_from_data(c, BZ_F32, cases[i].v, BZ_SHAPE(3)), *flag;
            bz_tensor *all[] = {bz_ones(c, BZ_SHAPE(2, 2), BZ_F32), half ? bz_cast(x, BZ_BF16) : x};
            if (half && i == 1) continue; /* rounds to infinity */
            bz_grad_norm(NULL, all, 2, &flag);
            cr_expect_eq(bz_item_int(flag), cases[i].found, "case %u, half %d", i, half);
        }
    bz_tensor *pair[] = {bz_full(c, NULL, 0, 6, BZ_F32), bz_full(c, NULL, 0, 8, BZ_F32)};
    cr_expect_eq(bz_item(bz_grad_norm(bz_full(c, NULL, 0, 4, BZ_F32), pair, 2, NULL)), 2.5);
    EXPECT(bz_unscale(pair[0], bz_full(c, NULL, 0, 4, BZ_F32), NULL, 0), 1.5f);
    EXPECT(bz_unscale(pair[0], NULL, bz_full(c, NULL, 0, 8, BZ_F32), 4), 6 * (4 / (8 + 1e-6f)));
    EXPECT(bz_unscale(pair[0], NULL, bz_full(c, NULL, 0, 3, BZ_F32), 4), 6);
}
Test(autocast, what_is_found) {
    on_all(found);
}

Test(autocast, mistakes_of_scaling) {
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *x = bz_ones(c, BZ_SHAPE(2), BZ_F32), *one = bz_ones(c, NULL, 0, BZ_F32), *flag;
    bz_tensor *h = bz_cast(x, BZ_F16), *i = bz_cast(x, BZ_I32), *b = bz_gt(one, 0),
              *k = bz_cast(one, BZ_I32);
    EXPECT_ERROR(c, bz_unscale(h, one, NULL, 1), BZ_EDTYPE, "keep the weights in f32");
    EXPECT_ERROR(c, bz_unscale(i, one, NULL, 1), BZ_EDTYPE,
                 "[unscale] f32, bf16 or f64 gradients, not i32[2]");
    EXPECT_ERROR(c, bz_unscale(x, x, NULL, 1), BZ_ESHAPE, "scale must be 0-d, not f32[2]");
    EXPECT_ERROR(c, bz_unscale(x, one, one, 0), BZ_EARG, "max_norm must be positive, not 0");
    EXPECT_ERROR(c, bz_unscale(x, one, one, NAN), BZ_EARG, "max_norm must be positive");
    EXPECT_ERROR(c, bz_grad_norm(one, &i, 1, NULL), BZ_EDTYPE,
                 "[grad_norm] a gradient is floating, not i32[2]");
    EXPECT_ERROR(c, bz_grad_norm(x, &x, 1, NULL), BZ_ESHAPE, "[grad_norm] scale must be 0-d");
    flag = k;
    EXPECT_ERROR(c, bz_grad_scaler_update(one, &flag, x, NULL), BZ_ESHAPE,
                 "found_inf must be 0-d, not f32[2]");
    flag = one;
    EXPECT_ERROR(c, bz_grad_scaler_update(one, &flag, b, NULL), BZ_EDTYPE,
                 "integer growth_tracker");
    flag = k;
    EXPECT_ERROR(c, bz_grad_scaler_update(one, &flag, b, &(bz_grad_scaler_options){1, 0.5, 1}),
                 BZ_EARG, "growth_factor 1 must be above 1");
    flag = k;
    EXPECT_ERROR(c, bz_grad_scaler_update(one, &flag, b, &(bz_grad_scaler_options){2, 0.5, 0}),
                 BZ_EARG, "growth_interval 0 at least 1");
    EXPECT_ERROR(c, bz_sgd_step(x, x, 0.1, NULL, &(bz_sgd_options){.found_inf = bz_gt(x, 0)}),
                 BZ_ESHAPE, "found_inf must be 0-d, not bool[2]");
    bz_close(c);
}

/* ---- kernels: halves cost none, scaling one fold a gradient and one for what is decided */

static int launches(training how) {
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *in[FIXED + STATE], *out[FIXED + 1 + STATE];
    bz_program *p = start(c, &how, 1024, in);
    bz_counters before, after;
    cr_assert_eq(bz_call(p, in, out), BZ_OK, "%s", bz_message(c));
    bz_get_counters(c, &before);
    cr_assert_eq(bz_call(p, in, out), BZ_OK);
    bz_get_counters(c, &after);
    bz_close(c);
    return (int)(after.launches - before.launches);
}

Test(autocast, kernels_of_a_step) {
    int f32 = launches((training){BZ_F32, true, 1, 3}),
        bf16 = launches((training){BZ_BF16, true, 1, 3});
    cr_expect_eq(bf16, f32, "%d kernels in bf16, %d in f32", bf16, f32);
}

/* The launches of a body; with its first output's sum differentiated by all inputs but x, if `back`. */
static unsigned kernels_of(const char *body, bz_dtype low, bool back) {
    char text[2000];
    bz_error e = {0};
    pass_target t = {.vector_bytes = 32,
                     .registers = 16,
                     .masks = true,
                     .threads = 2,
                     .machine = &pass_cpu,
                     .cached = PASS_CACHED};
    snprintf(text, sizeof text, "graph main(x: f32[40,64], %s }", body);
    ir_module *m = ir_parse_as(text, strlen(text), "t.bz", &(ir_reading){.autocast = low}, &e);
    cr_assert(m, "%s", e.text);
    ir_graph *g = m->graphs.p[0];
    ir_ref of[8], d[8];
    unsigned n = g->inputs.n - 1;
    if (back) {
        for (unsigned i = 0; i < n; i++) of[i] = g->inputs.p[i + 1].node;
        ir_ref loss =
            ir_reduce(g, IR_SUM, ir_cast(g, g->outputs.p[0].node, BZ_F32), NULL, 0, false);
        cr_assert(!pass_grad(g, loss, 0, of, n, d), "%s", g->err.text);
        g->outputs.n = 0;
        for (unsigned i = 0; i < n; i++) ir_output_add(g, NULL, d[i], -1);
    }
    pass_plan *p = pass_compile(g, &t, &e);
    cr_assert(p, "%s", e.text);
    n = p->launches.n;
    pass_plan_free(p);
    ir_module_free(m);
    return n;
}

Test(autocast, casts_are_part_of_the_products) {
    static const char *const bodies[] = {
        "w: f32[64,96], v: f32[96,32]) {\n %h = matmul %x, %w\n %r = relu %h\n"
        "%y = matmul %r, %v\n return %y",
        "w: f32[64,96], b: f32[96], v: f32[5,96]) {\n %t = transpose %w\n %h = linear %x, %t, %b\n"
        "%g = gelu %h\n %y = linear %g, %v\n return %y",
        "w: f32[64,96]) {\n %h = matmul %x, %w\n %t = transpose %w\n %y = matmul %h, %t\n"
        "return %y",
        "q: f32[4,600,16], k: f32[4,600,16], v: f32[4,600,16]) {\n %t = transpose %k\n"
        "%s = matmul %q, %t\n %p = softmax %s\n %y = matmul %p, %v\n return %y"};
    for (unsigned i = 0; i < BZ_LEN(bodies); i++)
        for (int back = 0; back < 2; back++) {
            const unsigned f32 = kernels_of(bodies[i], BZ_F32, back);
            cr_expect_eq(kernels_of(bodies[i], BZ_BF16, back), f32, "case %u, back %d: %u", i, back,
                         f32);
            cr_expect_eq(kernels_of(bodies[i], BZ_F16, back), f32, "case %u, back %d: %u", i, back,
                         f32);
        }
    /* one read of each gradient, for the norm and for the check, the last one with what is 0-d; then all that is made of them */
    static const char clip[] =
        "s: f32, a: f32[700], b: f32[70,9], d: f32[5]) {\n %n, %f = grad_norm %s, %a, %b, %d\n"
        "%p = unscale %a, %s, %n\n %q = unscale %b, %s, %n\n %r = unscale %d, %s, %n\n"
        "return %p, %q, %r, %f";
    cr_expect_eq(kernels_of(clip, BZ_F32, false), 3 + 1);
}

/* ---- the text form */

Test(autocast, text_form) {
    static const char text[] = "graph main(x: f32[2,3], w: f32[3,2]) {\n %y = matmul %x, %w\n"
                               " %z = pow %y, 2\n %n = neg %y\n return %z, %n\n}\n";
    static const char want[] = "graph main(x: f32[2,3], w: f32[3,2]) {\n"
                               "    %3 = cast %x : bf16[2,3] @ \"t.bz:2\"\n"
                               "    %4 = cast %w : bf16[3,2] @ \"t.bz:2\"\n"
                               "    %5 = dot %3, %4 {acc=f32, order=dot, lcontract=[1], "
                               "rcontract=[0]} : bf16[2,2] @ \"t.bz:2\"\n";
    bz_error e = {0};
    bz_text printed = {0}, again = {0};
    ir_module *m = ir_parse_as(text, strlen(text), "t.bz", &(ir_reading){.autocast = BZ_BF16}, &e);
    cr_assert(m, "%s", e.text);
    ir_print(&printed, m->graphs.p[0]);
    cr_expect(strstr(bz_text_c(&printed), "bf16[2,2]"), "%s", bz_text_c(&printed));
    cr_expect(!strncmp(bz_text_c(&printed), want, strlen(want)), "%s", bz_text_c(&printed));
    ir_module_free(m);
    /* what has types is what it says, in a region or out of it */
    m = ir_parse_as(bz_text_c(&printed), printed.n, "t.bz", &(ir_reading){.autocast = BZ_F16}, &e);
    cr_assert(m, "%s", e.text);
    ir_print(&again, m->graphs.p[0]);
    cr_expect_str_eq(bz_text_c(&again), bz_text_c(&printed));
    ir_module_free(m);
    bz_text_free(&printed);
    bz_text_free(&again);
}
