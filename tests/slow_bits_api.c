/* slow_bits_api.c - the same bits through the public API: reference interpreter, eager, lazy, compiled and exported; every
 * instruction set of this machine; 1, 2 and 4 threads. Whole programs of odd sizes, some steps each, so that what one step writes in
 * place is what the next one reads.
 *
 *     program --BZ_REF--> want     program --mode x isa x threads--> got     rt_trace --export x isa x threads--> got */
#include "tests/support/artefact.h"
#include "tests/support/irtest.h"
#include "tests/support/plan_run.h"
#include "runtime/compile/trace.h"
#include "tests/support/rt_support.h"

#include <stdlib.h>

enum { MAX_IN = 24, MAX_OUT = 24, STEPS = 3 };

typedef struct program {
    const char *name;
    bz_function *fn;
    void (*inputs)(bz_context *c, bz_tensor **in);
    int nin, nout;
    bool state; /* the last nout - 1 inputs are replaced by outputs 1 .. */
    bool noise; /* draws random numbers: not exported here */
} program;

/* ---- a perceptron with layer norm, softmax cross-entropy, Adam */

enum { PARAMS = 6, STATE = 1 + 3 * PARAMS, ROWS = 17, WIDTH = 33, HIDDEN = 29, CLASSES = 7 };

/* Values of its own, that a formula gives. */
static bz_tensor *values(bz_context *c, bz_dtype t, const int64_t *shape, int rank, double scale) {
    int64_t n = 1;
    for (int i = 0; i < rank; i++) n *= shape[i];
    float *v = malloc((size_t)n * sizeof *v);
    for (int64_t i = 0; i < n; i++) v[i] = (float)(scale * sin(1.7 * (double)(i + n)));
    bz_tensor *x = bz_cast(bz_from_data(c, BZ_F32, v, shape, rank), t);
    free(v);
    return x;
}

static bz_tensor *classes(bz_context *c) {
    int64_t y[ROWS];
    for (int i = 0; i < ROWS; i++) y[i] = (i * 5 + 2) % CLASSES;
    return bz_from_data(c, BZ_I64, y, BZ_SHAPE(ROWS));
}

static void perceptron(bz_context *c, bz_tensor **in, bz_dtype t) {
    static const int64_t shapes[PARAMS][2] = {{WIDTH, HIDDEN}, {HIDDEN},          {HIDDEN},
                                              {HIDDEN},        {HIDDEN, CLASSES}, {CLASSES}};
    in[0] = values(c, t, BZ_SHAPE(ROWS, WIDTH), 1);
    in[1] = classes(c);
    in[2] = values(c, t, NULL, 0, 0);
    for (int k = 0; k < 3 * PARAMS; k++) {
        int rank = k % PARAMS == 0 || k % PARAMS == 4 ? 2 : 1;
        in[3 + k] = values(c, t, shapes[k % PARAMS], rank, k < PARAMS ? 0.3 : 0);
    }
}

static void perceptron_f32(bz_context *c, bz_tensor **in) {
    perceptron(c, in, BZ_F32);
}

static void perceptron_f64(bz_context *c, bz_tensor **in) {
    perceptron(c, in, BZ_F64);
}

static bz_status train(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                       void *user) {
    (void)nin, (void)nout, (void)user;
    bz_tensor *const *p = in + 3, *grad[PARAMS];
    bz_tensor *h = bz_add(bz_matmul(in[0], p[0]), p[1]);
    h = bz_gelu(bz_layer_norm(h, p[2], p[3], 1, 1e-5));
    out[0] = bz_cross_entropy(bz_add(bz_matmul(h, p[4]), p[5]), in[1]);
    bz_status s = bz_grad(out[0], p, PARAMS, grad);
    if (s) return s;
    out[1] = bz_add(in[2], bz_scalar(c, 1));
    for (int k = 0; k < PARAMS; k++) {
        bz_tensor *m = p[PARAMS + k], *v = p[2 * PARAMS + k];
        out[2 + k] = bz_adam_step(p[k], grad[k], &m, &v, out[1], bz_scalar(c, 0.01), NULL);
        out[2 + PARAMS + k] = m;
        out[2 + 2 * PARAMS + k] = v;
    }
    return bz_context_status(c);
}

/* ---- the same in mixed precision: f32 weights, products in halves, a loss that is scaled; a scale that overflows, and falls */

static void mixed_inputs(bz_context *c, bz_tensor **in) {
    perceptron_f32(c, in);
    bz_tensor *scale = bz_full(c, NULL, 0, 0x1p24, BZ_F32);
    for (int k = 3 * PARAMS - 1; k >= 0; k--) in[5 + k] = in[3 + k];
    in[3] = scale;
    in[4] = bz_full_int(c, NULL, 0, 0, BZ_I32);
}

static bz_status train_mixed(bz_context *c, bz_tensor *const *in, bz_tensor **out, bz_dtype low) {
    bz_tensor *const *p = in + 5, *grad[PARAMS], *found, *tracker = in[4];
    bz_autocast_begin(c, low);
    bz_tensor *h = bz_add(bz_matmul(in[0], p[0]), p[1]);
    h = bz_gelu(bz_layer_norm(h, p[2], p[3], 1, 1e-5));
    out[0] = bz_cross_entropy(bz_add(bz_matmul(h, p[4]), p[5]), in[1]);
    bz_autocast_end(c);
    bz_status s = bz_grad(bz_mul(out[0], in[3]), p, PARAMS, grad);
    if (s) return s;
    bz_adam_options o = BZ_ADAM_DEFAULTS;
    bz_tensor *norm = bz_grad_norm(in[3], grad, PARAMS, &found),
              *t = bz_add(in[2], bz_scalar(c, 1));
    o.found_inf = found;
    out[1] = bz_where(found, in[2], t);
    out[2] =
        bz_grad_scaler_update(in[3], &tracker, found, &(bz_grad_scaler_options){4, 0x1p-10, 1});
    out[3] = tracker;
    for (int k = 0; k < PARAMS; k++) {
        bz_tensor *m = p[PARAMS + k], *v = p[2 * PARAMS + k];
        bz_tensor *d = bz_unscale(grad[k], in[3], norm, 0.5);
        out[4 + k] = bz_adam_step(p[k], d, &m, &v, t, bz_scalar(c, 0.01), &o);
        out[4 + PARAMS + k] = m;
        out[4 + 2 * PARAMS + k] = v;
    }
    return bz_context_status(c);
}

static bz_status train_bf16(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                            void *user) {
    (void)nin, (void)nout, (void)user;
    return train_mixed(c, in, out, BZ_BF16);
}

static bz_status train_f16(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                           void *user) {
    (void)nin, (void)nout, (void)user;
    return train_mixed(c, in, out, BZ_F16);
}

/* ---- attention in mixed precision, with the gradients of its weights */

enum { HEADS = 2, TOKENS = 9, SIZE = 5, MODEL = HEADS * SIZE };

static void attention_inputs(bz_context *c, bz_tensor **in) {
    in[0] = values(c, BZ_F32, BZ_SHAPE(2, TOKENS, MODEL), 1);
    in[1] = values(c, BZ_F32, BZ_SHAPE(MODEL, 3 * MODEL), 0.4);
    in[2] = values(c, BZ_F32, BZ_SHAPE(MODEL, MODEL), 0.4);
}

static bz_tensor *attended(bz_context *c, bz_tensor *x, bz_tensor *qkv, bz_tensor *o) {
    bz_tensor *all = bz_reshape(bz_matmul(bz_layer_norm(x, NULL, NULL, 1, 1e-5), qkv),
                                BZ_SHAPE(2, TOKENS, 3, HEADS, SIZE));
    all = bz_permute(all, BZ_AXES(2, 0, 3, 1, 4));
    bz_tensor *place = bz_arange(c, 0, TOKENS, 1, BZ_I64), *scores;
    scores = bz_matmul(bz_select(all, 0, 0), bz_transpose(bz_select(all, 0, 1), -1, -2));
    scores = bz_where(bz_gt(place, bz_unsqueeze(place, 1)), bz_scalar(c, -INFINITY), scores);
    bz_tensor *y = bz_matmul(bz_softmax(scores, -1), bz_select(all, 0, 2));
    y = bz_reshape(bz_permute(y, BZ_AXES(0, 2, 1, 3)), BZ_SHAPE(2, TOKENS, MODEL));
    return bz_add(x, bz_matmul(y, o));
}

static bz_status attention(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                           void *user) {
    (void)nin, (void)nout, (void)user;
    for (int k = 0; k < 2; k++) {
        bz_autocast_begin(c, k ? BZ_F16 : BZ_BF16);
        bz_tensor *y = attended(c, attended(c, in[0], in[1], in[2]), in[1], in[2]);
        out[3 * k] = bz_sum(bz_square(y), NULL, 0, false);
        bz_autocast_end(c);
        bz_status s = bz_grad(out[3 * k], in + 1, 2, out + 3 * k + 1);
        if (s) return s;
    }
    return BZ_OK;
}

/* ---- halves: composites cast to f32 inside */

static void half_inputs(bz_context *c, bz_tensor **in, bz_dtype t) {
    in[0] = values(c, t, BZ_SHAPE(ROWS, WIDTH), 2);
    in[1] = values(c, t, BZ_SHAPE(WIDTH, HIDDEN), 0.5);
}

static void f16_inputs(bz_context *c, bz_tensor **in) {
    half_inputs(c, in, BZ_F16);
}

static void bf16_inputs(bz_context *c, bz_tensor **in) {
    half_inputs(c, in, BZ_BF16);
}

static bz_status halves(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                        void *user) {
    (void)nin, (void)nout, (void)user;
    bz_tensor *y = bz_matmul(in[0], in[1]);
    out[0] = bz_softmax(bz_silu(y), -1);
    out[1] = bz_layer_norm(in[0], NULL, NULL, 1, 1e-5);
    out[2] = bz_sum(bz_exp(bz_mul(in[0], in[0])), BZ_AXES(0), false);
    out[3] = bz_add(bz_rms_norm(y, NULL, 1e-6), bz_tanh(y));
    out[4] = bz_mean(bz_div(in[0], bz_scalar(c, 3)), NULL, 0, false);
    return bz_context_status(c);
}

/* ---- integers */

static void integer_inputs(bz_context *c, bz_tensor **in) {
    in[0] = bz_cast(values(c, BZ_F64, BZ_SHAPE(ROWS, WIDTH), 1e6), BZ_I32);
    in[1] = bz_cast(values(c, BZ_F64, BZ_SHAPE(ROWS, WIDTH), 90), BZ_I8);
    in[2] = bz_cast(bz_abs(values(c, BZ_F64, BZ_SHAPE(WIDTH), 200)), BZ_U8);
}

static bz_status integers(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                          void *user) {
    (void)nin, (void)nout, (void)user;
    bz_tensor *nonzero = bz_bitwise_or(in[1], bz_scalar_int(c, 1));
    out[0] = bz_sum(bz_mul(in[0], in[0]), BZ_AXES(1), false);
    out[1] = bz_bitwise_xor(bz_mul(in[1], in[1]), in[2]);
    out[2] = bz_argmax(in[0], BZ_AXES(1), false);
    out[3] = bz_matmul(in[0], bz_transpose(bz_cast(in[1], BZ_I32), 0, 1));
    out[4] = bz_floor_divide(in[0], nonzero);
    out[5] = bz_gather(in[0], bz_argmin(in[1], BZ_AXES(1), false), 1);
    out[6] = bz_prod(in[2], NULL, 0, false);
    return bz_context_status(c);
}

/* ---- long folds and movements */

static void fold_inputs(bz_context *c, bz_tensor **in) {
    in[0] = values(c, BZ_F32, BZ_SHAPE(3, 5003), 3);
    in[1] = values(c, BZ_F64, BZ_SHAPE(1501, 3), 3);
}

static bz_status folds(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                       void *user) {
    (void)nin, (void)nout, (void)user;
    bz_tensor *part = bz_slice(in[0], (const int64_t[]){BZ_OPEN, 4990},
                               (const int64_t[]){BZ_OPEN, 11}, (const int64_t[]){-1, -3}, 2);
    out[0] = bz_sum(in[0], NULL, 0, false);
    out[1] = bz_var(in[0], BZ_AXES(1), true, 1);
    out[2] = bz_logsumexp(in[1], BZ_AXES(0), false);
    out[3] = bz_sum(bz_flip(in[1], BZ_AXES(0, 1)), BZ_AXES(0), true);
    out[4] = bz_prod(bz_sin(part), BZ_AXES(0), false);
    out[5] = bz_sum(bz_pad(part, (const int64_t[]){1, 0}, (const int64_t[]){0, 9}, 2, 0.5),
                    BZ_AXES(1), false);
    out[6] = bz_concat((bz_tensor *const[]){part, bz_neg(part)}, 2, 0);
    out[7] = bz_max(bz_pow(bz_abs(in[1]), bz_scalar(c, 1.5)), BZ_AXES(1), false);
    return bz_context_status(c);
}

/* ---- values where something happens */

static void special_inputs(bz_context *c, bz_tensor **in) {
    static const float v[] = {NAN,     INFINITY, -INFINITY, 0,      -0.0f,  1e-45f,
                              -1e-39f, 3.4e38f,  -3.4e38f,  1e-20f, 88.8f,  -104,
                              0.5,     -1,       2,         65504,  1 / 3.f};
    in[0] = bz_from_data(c, BZ_F32, v, BZ_SHAPE(17, 1));
    in[1] = bz_from_data(c, BZ_F32, v, BZ_SHAPE(1, 17));
}

static bz_status specials(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                          void *user) {
    (void)nin, (void)nout, (void)user;
    out[0] = bz_div(in[0], in[1]);
    out[1] = bz_pow(in[0], in[1]);
    out[2] = bz_atan2(in[0], in[1]);
    out[3] = bz_softmax(bz_mul(in[0], in[1]), 1);
    out[4] = bz_maximum(in[0], bz_fmod(in[0], in[1]));
    out[5] = bz_cast(bz_cast(bz_add(in[0], in[1]), BZ_F16), BZ_F32);
    out[6] = bz_sum(bz_where(bz_isnan(in[0]), in[1], bz_exp(in[0])), BZ_AXES(1), false);
    return bz_context_status(c);
}

/* ---- NaN: what docs/numerics.md promises of its bits. All results are zeros. */

static const bz_dtype floats[] = {BZ_F16, BZ_BF16, BZ_F32, BZ_F64},
                      words[] = {BZ_I16, BZ_I16, BZ_I32, BZ_I64};

static void nan_inputs(bz_context *c, bz_tensor **in) {
    static const int64_t bits[4][4] = {
        {0x7e00, -0x200, 0x7e33, -0x1cd},
        {0x7fc0, -0x40, 0x7fd3, -0x2d},
        {0x7fc00000, -0x400000, 0x7fc12345, -0x3edcbb},
        {INT64_C(0x7ff8) << 48, -(INT64_C(8) << 48), (INT64_C(0x7ff8) << 48) + 99, -77},
    };
    for (int k = 0; k < 4; k++)
        in[k] = bz_cast(bz_from_data(c, BZ_I64, bits[k], BZ_SHAPE(4)), words[k]);
    in[4] = bz_from_data(c, BZ_F32, ((float[]){INFINITY, 1, -INFINITY, -1, 0}), BZ_SHAPE(5));
}

static bz_tensor *moved(bz_tensor *x) {
    bz_tensor *at = bz_arange(bz_context_of(x), 3, -1, -1, BZ_I64);
    bz_tensor *y =
        bz_concat(((bz_tensor *[]){x, bz_gather(x, at, 0), bz_flip(x, BZ_AXES(0))}), 3, 0);
    return bz_transpose(
        bz_reshape(bz_pad(y, ((int64_t[]){2}), ((int64_t[]){1}), 1, 0), BZ_SHAPE(3, 5)), 0, 1);
}

static bz_status nans(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *user) {
    (void)nin, (void)nout, (void)user;
    for (int k = 0; k < 4; k++, out += 5) {
        bz_tensor *word = in[k], *x = bz_bitcast(word, floats[k]);
        bz_tensor *sign =
            bz_full_int(c, NULL, 0, INT64_MIN >> (64 - 8 * bz_dtype_size(words[k])), words[k]);
        bz_tensor *magnitude = bz_bitwise_and(word, bz_bitwise_not(sign));
        out[0] = bz_bitwise_xor(bz_bitcast(bz_neg(x), words[k]), bz_bitwise_xor(word, sign));
        out[1] = bz_bitwise_xor(bz_bitcast(bz_abs(x), words[k]), magnitude);
        out[2] =
            bz_bitwise_xor(bz_bitcast(bz_copysign(x, -1), words[k]), bz_bitwise_or(word, sign));
        out[3] = bz_bitwise_xor(bz_signbit(x), bz_lt(word, 0));
        out[4] =
            bz_bitwise_xor(bz_bitcast(moved(bz_where(bz_isnan(x), x, 0)), words[k]), moved(word));
    }
    /* those that arithmetic makes, once they are replaced by one that is chosen */
    bz_tensor *y = bz_sub(in[4], bz_unsqueeze(in[4], 1));
    y = bz_sqrt(bz_neg(bz_mul(bz_neg(y), bz_log(y))));
    y = bz_where(bz_isnan(y), bz_scalar(c, (double)NAN), 0);
    *out = bz_where(bz_eq(bz_bitcast(y, BZ_I32), 0x7fc00000), 0, bz_bitcast(y, BZ_I32));
    return bz_context_status(c);
}

/* ---- random numbers */

static bz_status noise(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                       void *user) {
    (void)nin, (void)nout, (void)user;
    out[0] = bz_add(bz_randn(c, BZ_SHAPE(17, 33), BZ_F32), in[0]);
    out[1] = bz_add(in[1], bz_rand(c, BZ_SHAPE(5), BZ_F64));
    return bz_context_status(c);
}

static void noise_inputs(bz_context *c, bz_tensor **in) {
    in[0] = values(c, BZ_F32, BZ_SHAPE(33), 1);
    in[1] = values(c, BZ_F64, BZ_SHAPE(5), 1);
}

/* ---- more rare halves than a kernel has room for: they become functions (llvm_emit_apart.c), in several pieces of the chain */

static bz_status waves(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                       void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    for (int k = 0; k < 2; k++) {
        bz_tensor *y = in[k];
        for (int i = 0; i < 9; i++)
            y = bz_mul(i % 2 ? bz_cos(y) : bz_sin(y),
                       in[k]); /* far from 0 for some, near for others */
        out[2 * k] = y;
        out[2 * k + 1] = bz_pow(bz_abs(bz_tan(y)), in[k]);
    }
    return BZ_OK;
}

static void wave_inputs(bz_context *c, bz_tensor **in) {
    in[0] = values(c, BZ_F32, BZ_SHAPE(7, 67), 1e6);
    in[1] = values(c, BZ_F64, BZ_SHAPE(67), 1e12);
}

static const program programs[] = {
    {"training, f32", train, perceptron_f32, 2 + STATE, 1 + STATE, true, false},
    {"training, f64", train, perceptron_f64, 2 + STATE, 1 + STATE, true, false},
    {"f16", halves, f16_inputs, 2, 5, false, false},
    {"bf16", halves, bf16_inputs, 2, 5, false, false},
    {"integers", integers, integer_inputs, 3, 7, false, false},
    {"folds", folds, fold_inputs, 2, 8, false, false},
    {"special values", specials, special_inputs, 2, 7, false, false},
    {"noise", noise, noise_inputs, 2, 2, true, true},
    {"waves", waves, wave_inputs, 2, 4, false, false},
    {"nans", nans, nan_inputs, 5, 21, false, false},
    {"training, bf16", train_bf16, mixed_inputs, 4 + STATE, 3 + STATE, true, false},
    {"training, f16", train_f16, mixed_inputs, 4 + STATE, 3 + STATE, true, false},
    {"attention", attention, attention_inputs, 3, 6, false, false},
};

/* ---- running one */

typedef struct results {
    ir_value_array out[STEPS][MAX_OUT];
} results;

static void free_results(results *r) {
    for (int s = 0; s < STEPS; s++) free_values(r->out[s], MAX_OUT);
    *r = (results){0};
}

static ir_value_array read_value(bz_tensor *x) {
    size_t bytes = (size_t)bz_numel(x) * bz_dtype_size(bz_dtype_of(x));
    ir_value_array v = {
        .dtype = bz_dtype_of(x), .rank = (unsigned)bz_ndim(x), .data = bz_mem_alloc(bytes + 1)};
    memcpy(v.shape, bz_shape(x), v.rank * sizeof *v.shape);
    cr_assert_eq(bz_to_host(x, v.data, bytes), BZ_OK, "%s", bz_message(bz_context_of(x)));
    return v;
}

static int first_state(const program *p) {
    return p->state ? p->nin - (p->nout - 1) : p->nin;
}

static bz_program *compile(bz_context *c, const program *p) {
    int donate[MAX_IN];
    for (int i = 0; i < p->nin; i++) donate[i] = i < first_state(p) ? -1 : i - first_state(p) + 1;
    bz_program *code = bz_compile(
        c, p->fn, NULL, &(bz_compile_options){.nin = p->nin, .nout = p->nout, .donate = donate});
    cr_assert(code, "%s", bz_message(c));
    return code;
}

static void run_steps(const program *p, bz_context *c, bool compiled, results *r) {
    bz_tensor *in[MAX_IN], *out[MAX_OUT];
    p->inputs(c, in);
    bz_program *code = compiled ? compile(c, p) : NULL;
    for (int s = 0; s < STEPS; s++) {
        bz_status st = code ? bz_call(code, in, out) : p->fn(c, in, p->nin, out, p->nout, NULL);
        if (!st && !code) st = bz_eval(out, p->nout);
        cr_assert_eq(st, BZ_OK, "%s: %s", p->name, bz_message(c));
        for (int k = 0; k < p->nout; k++) r->out[s][k] = read_value(out[k]);
        for (int i = first_state(p); i < p->nin && !code; i++) in[i] = out[i - first_state(p) + 1];
    }
    bz_program_free(code);
}

static void compare(const program *p, const char *how, bz_isa isa, int threads, const results *want,
                    results *got) {
    for (int s = 0; s < STEPS; s++)
        for (int k = 0; k < p->nout; k++) {
            int64_t at = first_difference(&want->out[s][k], &got->out[s][k]);
            cr_expect(at < 0, "%s, %s, isa %d, %d threads: step %d, output %d, element %lld",
                      p->name, how, (int)isa, threads, s, k, (long long)at);
        }
    free_results(got);
}

/* ---- the rows */

static void reference(const program *p, results *want) {
    bz_context *c;
    cr_assert_eq(bz_open(&(bz_options){.device = BZ_REF, .seed = 5}, &c), BZ_OK);
    run_steps(p, c, false, want);
    bz_close(c);
}

static void modes(const program *p, bz_isa isa, int threads, const results *want) {
    static const char *const names[] = {"lazy", "eager", "compiled"};
    for (int how = 0; how < 3; how++) {
        results got = {0};
        bz_context *c;
        bz_options o = {.device = BZ_CPU,
                        .isa = isa,
                        .threads = threads,
                        .seed = 5,
                        .mode = how == 1 ? BZ_EAGER : BZ_LAZY};
        cr_assert_eq(bz_open(&o, &c), BZ_OK, "%s", bz_message(NULL));
        run_steps(p, c, how == 2, &got);
        bz_close(c);
        compare(p, names[how], isa, threads, want, &got);
    }
}

/* The exported program, called step by step with the values that the step before left. */
static void run_artefact(const program *p, const artefact *a, const results *first, results *r) {
    ir_value_array in[MAX_IN];
    memcpy(in, first->out[0], (size_t)p->nin * sizeof *in);
    for (int s = 0; s < STEPS; s++) {
        int status = artefact_run(a, in, NULL, 0, r->out[s]);
        cr_assert_eq(status, 0, "%s, exported: %s", p->name, a->error(status));
        for (int i = first_state(p); i < p->nin; i++) in[i] = r->out[s][i - first_state(p) + 1];
    }
}

static void exported(const program *p, cg_isa isa, const results *want) {
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *in[MAX_IN];
    rt_traced t;
    results first = {0};
    p->inputs(c, in);
    bz_program *code = compile(c, p);
    cr_assert_eq(rt_trace(code, in, &t), BZ_OK, "%s", bz_message(c));
    for (int i = 0; i < p->nin; i++) first.out[0][i] = read_value(in[i]);
    artefact a = artefact_new(t.graph, &isa, 1);
    for (int threads = 1; threads <= 4; threads *= 2) {
        results got = {0};
        bz_rt_set_threads(threads);
        run_artefact(p, &a, &first, &got);
        compare(p, "exported", BZ_ISA_BASE + (bz_isa)isa, threads, want, &got);
    }
    artefact_free(&a);
    ir_graph_free(t.graph);
    free_results(&first);
    bz_close(c);
}

static void whole_row(unsigned number) {
    const program *p = &programs[number];
    results want = {0};
    reference(p, &want);
    for (int isa = CG_BASE; isa <= (int)bz_rt_isa_selected(); isa++) {
        for (int threads = 1; threads <= 4; threads *= 2)
            modes(p, (bz_isa)(BZ_ISA_BASE + isa), threads, &want);
        if (!p->noise) exported(p, (cg_isa)isa, &want);
    }
    free_results(&want);
}

#define ROW(name, number)                                                                          \
    Test(bits_api, name, .timeout = 600) {                                                         \
        whole_row(number);                                                                         \
    }
ROW(training_f32, 0)
ROW(training_f64, 1)
ROW(f16, 2)
ROW(bf16, 3)
ROW(integers, 4)
ROW(folds, 5)
ROW(special_values, 6)
ROW(random_numbers, 7)
ROW(rare_halves, 8)
ROW(nan_signs, 9)
ROW(training_bf16, 10)
ROW(training_f16, 11)
ROW(mixed_attention, 12)
_Static_assert(sizeof programs / sizeof *programs == 13, "a row each");

Test(bits_api, nan_signs_are_those_that_came) {
    static const char zeros[1024];
    results want = {0};
    reference(&programs[9], &want);
    for (int k = 0; k < programs[9].nout; k++) {
        const ir_value_array *v = &want.out[0][k];
        size_t bytes = (size_t)irt_numel(v) * bz_dtype_size(v->dtype);
        cr_expect(bytes && bytes <= sizeof zeros && !memcmp(v->data, zeros, bytes), "output %d", k);
    }
    free_results(&want);
}

/* A test that cannot fail proves nothing: one bit more in one element is found. */
Test(bits_api, one_bit_is_found) {
    results want = {0}, got = {0};
    reference(&programs[0], &want);
    reference(&programs[0], &got);
    uint32_t *last = (uint32_t *)got.out[STEPS - 1][3].data + HIDDEN - 1;
    cr_expect_eq(first_difference(&want.out[STEPS - 1][3], &got.out[STEPS - 1][3]), -1);
    *last ^= 1;
    cr_expect_eq(first_difference(&want.out[STEPS - 1][3], &got.out[STEPS - 1][3]), HIDDEN - 1);
    free_results(&want);
    free_results(&got);
}
