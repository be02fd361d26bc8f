/* test_errors.c - the caller's mistakes: one status and one message each, never a crash. */
#include "tests/support/rt_support.h"

#include <stdlib.h>
#include <unistd.h>

static bz_tensor *ones(bz_context *c, int64_t n, int64_t m) {
    return bz_ones(c, BZ_SHAPE(n, m), BZ_F32);
}

Test(errors, shapes) {
    bz_context *c = open_one(BZ_REF);
    bz_tensor *x = ones(c, 2, 3);
    int64_t deep[33];
    for (int i = 0; i < 33; i++) deep[i] = 1;
    EXPECT_ERROR(c, bz_add(x, ones(c, 2, 4)), BZ_ESHAPE,
                 "[add] shapes do not broadcast: f32[2,3] and f32[2,4] at ");
    EXPECT_ERROR(c, bz_add(x, ones(c, 2, 4)), BZ_ESHAPE, "test_errors.c:");
    EXPECT_ERROR(c, bz_matmul(x, x), BZ_ESHAPE, "matmul");
    EXPECT_ERROR(c, bz_reshape(x, BZ_SHAPE(4)), BZ_ESHAPE, "reshape");
    EXPECT_ERROR(c, bz_reshape(x, deep, 33), BZ_ESHAPE, "33 dimensions");
    EXPECT_ERROR(c, bz_zeros(c, deep, 33, BZ_F32), BZ_ESHAPE, "33 dimensions");
    EXPECT_ERROR(c, bz_add_(bz_ones(c, BZ_SHAPE(3), BZ_F32), bz_ones(c, BZ_SHAPE(2, 3), BZ_F32)),
                 BZ_ESHAPE, "[add_] f32[2,3] has 2 axes, more than the 1 to fill");
    EXPECT_ERROR(c, bz_load_npy(c, NULL), BZ_EARG, "[load_npy] path is NULL");
    EXPECT_ERROR(c, bz_zeros(c, BZ_SHAPE(-1), BZ_F32), BZ_ESHAPE, "negative");
    EXPECT_ERROR(c, bz_zeros(c, BZ_SHAPE(INT64_C(1) << 40, INT64_C(1) << 40), BZ_F32), BZ_ESHAPE,
                 "2^60");
    EXPECT_ERROR(c,
                 bz_add(bz_zeros(c, BZ_SHAPE(INT64_C(1) << 40, 1), BZ_F32),
                        bz_zeros(c, BZ_SHAPE(1, INT64_C(1) << 40), BZ_F32)),
                 BZ_ESHAPE, "");
    EXPECT_ERROR(c, bz_expand(x, BZ_SHAPE(5, 3)), BZ_ESHAPE, "expand");
    EXPECT_ERROR(c, bz_stack(((bz_tensor *[]){x, ones(c, 1, 3)}), 2, 0), BZ_ESHAPE, "stack");
    EXPECT_ERROR(c, bz_max(bz_zeros(c, BZ_SHAPE(0), BZ_F32), NULL, 0, false), BZ_ESHAPE, "");
    bz_close(c);
}

Test(errors, more_memory_than_there_is) {
    bz_context *c = open_one(BZ_REF);
    bz_tensor *x = bz_add(bz_rand(c, BZ_SHAPE(INT64_C(1) << 46), BZ_F64), bz_scalar(c, 1));
    cr_expect_eq(bz_eval(&x, 1), BZ_ENOMEM);
    bz_close(c);
}

Test(errors, axes_and_indices) {
    bz_context *c = open_one(BZ_REF);
    bz_tensor *x = ones(c, 2, 3);
    EXPECT_ERROR(c, bz_sum(x, BZ_AXES(2), false), BZ_EAXIS, "");
    EXPECT_ERROR(c, bz_sum(x, BZ_AXES(0, -2), false), BZ_EAXIS, "");
    EXPECT_ERROR(c, bz_sum(x, (const int *)(const int[]){0}, 99, false), BZ_EAXIS, "99 axes");
    EXPECT_ERROR(c, bz_softmax(x, 5), BZ_EAXIS, "softmax");
    EXPECT_ERROR(c, bz_permute(x, BZ_AXES(0, 0)), BZ_EAXIS, "permute");
    EXPECT_ERROR(c, bz_transpose(x, 0, 7), BZ_EAXIS, "transpose");
    EXPECT_ERROR(c, bz_select(x, 0, 2), BZ_EINDEX, "index 2 of axis 0");
    EXPECT_ERROR(c, bz_select(x, 9, 0), BZ_EAXIS, "axis 9");
    EXPECT_ERROR(c, bz_squeeze(x, 4), BZ_EAXIS, "squeeze");
    EXPECT_ERROR(c, bz_slice(x, ((int64_t[]){0}), ((int64_t[]){2}), ((int64_t[]){0}), 1), BZ_EARG,
                 "step");
    EXPECT_ERROR(c, bz_slice(x, ((int64_t[]){0, 0, 0}), ((int64_t[]){1, 1, 1}), NULL, 3), BZ_EAXIS,
                 "3 axes");
    EXPECT_ERROR(c, bz_as_strided(x, ((int64_t[]){9}), ((int64_t[]){1}), 1, 0), BZ_EINDEX,
                 "reaches outside");
    bz_close(c);
}

static bz_status reads_while_traced(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                                    int nout, void *user) {
    (void)nin, (void)nout, (void)user;
    out[0] = bz_mul(in[0], bz_scalar(c, bz_item(in[0])));
    return BZ_OK;
}

/* A function that goes on after a mistake gives what it did not mean: the call says so. */
Test(errors, a_traced_function_that_makes_light_of_an_error) {
    bz_context *c = open_one(BZ_REF);
    bz_program *p =
        bz_compile(c, reads_while_traced, NULL, &(bz_compile_options){.nin = 1, .nout = 1});
    bz_tensor *x = bz_ones(c, NULL, 0, BZ_F32), *out;
    cr_expect_eq(bz_call(p, NULL, &out), BZ_EARG);
    cr_expect(strstr(bz_message(c), "no array of 1 inputs"));
    for (int known = 0; known < 2; known++) { /* with another error in the context, too */
        bz_clear(c);
        if (known) bz_add(ones(c, 2, 3), ones(c, 2, 4));
        cr_expect_eq(bz_call(p, &x, &out), BZ_EMODE);
        cr_expect_eq(bz_context_status(c), known ? BZ_ESHAPE : BZ_EMODE);
    }
    bz_close(c);
}

/* bz_clear forgets the text of the first error, not that a tensor was never made. */
Test(errors, bad_handles_have_a_text) {
    bz_context *c = open_one(BZ_REF);
    bz_tensor *x = ones(c, 2, 3), *bad = bz_add(x, ones(c, 2, 4));
    bz_clear(c);
    bz_tensor *worse = bz_keep(bz_relu(bad));
    cr_expect_eq(bz_context_status(c), BZ_OK, "builders pass it on");
    EXPECT_ERROR(c, worse, BZ_ESCOPE, "never made");
    cr_expect(isnan(bz_item(bad)));
    cr_expect(strstr(bz_message(c), "never made"));
    bz_clear(c);
    bz_release(x);
    EXPECT_ERROR(c, bz_relu(x), BZ_ESCOPE, "stale");
    EXPECT_ERROR(c, bz_relu(x), BZ_ESCOPE, "test_errors.c:");
    bz_close(c);
}

/* NULL where a tensor, a list or a context should be. */
Test(errors, nothing_given) {
    bz_context *c = open_one(BZ_REF);
    bz_tensor *x = ones(c, 2, 3), *loss = bz_sum(x, NULL, 0, false), *none = NULL, *g;
    bz_counters n;
    EXPECT_ERROR(c, bz_add(x, NULL), BZ_EARG, "operand 1 is NULL at ");
    EXPECT_ERROR(c, bz_add(NULL, x), BZ_EARG, "operand 0 is NULL at ");
    EXPECT_ERROR(c, bz_adam_step(x, x, NULL, NULL, loss, loss, NULL), BZ_EARG, "operand 2 is NULL");
    EXPECT_ERROR(c, bz_zeros(c, NULL, 2, BZ_F32), BZ_EARG, "[zeros] no list of 2 sizes");
    EXPECT_ERROR(c, bz_reshape(x, NULL, 2), BZ_EARG, "[reshape] no list of 2");
    EXPECT_ERROR(c, bz_permute(x, NULL, 2), BZ_EARG, "[permute]");
    EXPECT_ERROR(c, bz_expand(x, NULL, 2), BZ_EARG, "[expand]");
    EXPECT_ERROR(c, bz_as_strided(x, (const int64_t[]){2}, NULL, 1, 0), BZ_EARG, "");
    EXPECT_ERROR(c, bz_slice(x, NULL, NULL, NULL, 2), BZ_EARG, "[slice]");
    EXPECT_ERROR(c, bz_pad(x, NULL, NULL, 2, 0), BZ_EARG, "[pad]");
    EXPECT_ERROR(c, bz_flip(x, NULL, 2), BZ_EARG, "no list of 2");
    EXPECT_ERROR(c, bz_sum(x, NULL, 2, false), BZ_EARG, "no list of 2 axes");
    cr_expect_null(bz_stack(NULL, 2, 0));
    cr_expect_null(bz_concat(NULL, 2, 0));
    cr_expect_eq(bz_eval(NULL, 1), BZ_EARG);
    cr_expect_eq(bz_to_host(x, NULL, 24), BZ_EARG);
    cr_expect_eq(bz_save_npy(x, NULL), BZ_EARG);
    cr_expect_gt(bz_format(x, NULL, 9), 9);
    cr_expect_eq(bz_grad(loss, NULL, 1, &g), BZ_EARG);
    cr_expect_eq(bz_grad(loss, &x, 1, NULL), BZ_EARG);
    cr_expect_eq(bz_grad(none, &x, 1, &g), BZ_EARG);
    cr_expect_eq(bz_open(NULL, NULL), BZ_EARG);
    cr_expect_eq(bz_scope_begin(NULL), BZ_EARG);
    cr_expect_eq(bz_scope_end(NULL), BZ_EARG);
    cr_expect_eq(bz_set_mode(NULL, BZ_EAGER), BZ_EARG);
    cr_expect_eq(bz_seed(NULL, 1), BZ_EARG);
    bz_clear(NULL);
    bz_reset_peak(NULL);
    bz_profile(NULL, true);
    bz_get_counters(NULL, &n);
    cr_expect_eq(n.ops, 0);
    bz_get_counters(c, NULL);
    bz_close(c);
}

Test(errors, gradients_name_the_line) {
    bz_context *c = open_one(BZ_REF);
    bz_tensor *x = ones(c, 2, 3), *n = bz_ones(c, NULL, 0, BZ_I32), *g;
    cr_expect_eq(bz_grad(x, &x, 1, &g), BZ_ESHAPE);
    cr_expect(strstr(bz_message(c), "0-d, got f32[2,3]: take its sum or mean at "));
    cr_expect(strstr(bz_message(c), "test_errors.c:"));
    bz_clear(c);
    cr_expect_eq(bz_grad(bz_sum(bz_mul(x, n), NULL, 0, false), &n, 1, &g), BZ_EDTYPE);
    cr_expect(strstr(bz_message(c), "test_errors.c:"));
    bz_close(c);
}

Test(errors, dtypes_and_arguments) {
    bz_context *c = open_one(BZ_REF);
    bz_tensor *x = ones(c, 2, 3);
    EXPECT_ERROR(c, bz_bitwise_and(x, x), BZ_EDTYPE, "[bitwise_and]");
    EXPECT_ERROR(c, bz_where(x, x, x), BZ_EDTYPE, "the condition must be bool");
    EXPECT_ERROR(c, bz_cast(x, (bz_dtype)77), BZ_EDTYPE, "dtype 77");
    EXPECT_ERROR(c, bz_bitcast(x, BZ_F64), BZ_EDTYPE, "differ in size");
    EXPECT_ERROR(c, bz_linspace(c, 0, 1, 3, BZ_I32), BZ_EDTYPE, "floating");
    EXPECT_ERROR(c, bz_rand(c, BZ_SHAPE(2), BZ_I32), BZ_EDTYPE, "rand");
    EXPECT_ERROR(c, bz_randint(c, 5, 5, BZ_SHAPE(2)), BZ_EARG, "randint");
    EXPECT_ERROR(c, bz_arange(c, 0, 1, 0, BZ_F32), BZ_EARG, "arange");
    EXPECT_ERROR(c, bz_arange(c, 0, (double)NAN, 1, BZ_F32), BZ_EARG, "arange");
    EXPECT_ERROR(c, bz_from_data(c, BZ_F32, NULL, BZ_SHAPE(2)), BZ_EARG, "NULL");
    EXPECT_ERROR(c, bz_fill_(bz_expand(bz_ones(c, BZ_SHAPE(1), BZ_F32), BZ_SHAPE(3)), 1), BZ_EARG,
                 "share one place");
    EXPECT_ERROR(c, bz_fill_(bz_scalar(c, 1), 2), BZ_EMODE, "bz_scalar");
    cr_expect_eq(bz_to_host(x, (float[1]){0}, 4), BZ_EARG);
    bz_clear(c);
    cr_expect(isnan(bz_item(x)));
    cr_expect_eq(bz_context_status(c), BZ_ESHAPE);
    bz_close(c);
}

Test(errors, poison_passes_on_and_the_first_message_stays) {
    bz_context *c = open_one(BZ_REF);
    bz_tensor *x = ones(c, 2, 3), *bad = bz_exp(bz_add(x, ones(c, 5, 5))),
              *worse = bz_sum(bad, BZ_AXES(77), false);
    cr_expect_eq(bz_eval(&worse, 1), BZ_ESHAPE);
    cr_expect(strstr(bz_message(c), "[add]"), "%s", bz_message(c));
    EXPECT(bz_sum(x, NULL, 0, false), 6); /* sound tensors work on */
    cr_expect_eq(bz_release(bad), BZ_OK);
    bz_close(c);
}

Test(errors, handles_that_are_none) {
    bz_context *c = open_one(BZ_REF), *d = open_one(BZ_REF);
    bz_tensor *x = ones(c, 2, 3), *made_up = (bz_tensor *)(uintptr_t)0x123456789abcdef0,
              *null = NULL;
    bz_release(x);
    cr_expect_eq(bz_release(x), BZ_ESCOPE);
    bz_clear(c);
    EXPECT_ERROR(c, bz_exp(x), BZ_ESCOPE, "stale");
    cr_expect_eq(bz_eval(&made_up, 1), BZ_ESCOPE);
    cr_expect_eq(bz_eval(&null, 1), BZ_ESCOPE);
    cr_expect_null(bz_exp(NULL));
    bz_clear(c);
    EXPECT_ERROR(c, bz_add(ones(c, 1, 1), ones(d, 1, 1)), BZ_EARG,
                 "[add] operands of two contexts, 0 and 1, both on ");
    cr_expect_eq(bz_scope_end(c), BZ_ESCOPE);
    bz_close(c);
    bz_close(d);
    cr_expect_null(bz_exp(x));
}

/* An index that only the data knows: found when it runs, with the op and the line. */
Test(errors, index_outside_at_run_time) {
    for (int d = BZ_CPU; d <= BZ_REF; d++) {
        bz_context *c = open_one((bz_device)d);
        bz_tensor *i = bz_from_data(c, BZ_I64, ((int64_t[]){0, 7}), BZ_SHAPE(2));
        EXPECT_ERROR(c, bz_gather(ones(c, 2, 3), i, 0), BZ_EINDEX, "gather");
        EXPECT(bz_sum(bz_gather(ones(c, 2, 3), bz_mul(i, bz_scalar_int(c, 0)), 0), NULL, 0, false),
               6);
        bz_close(c);
    }
}

/* Two look-ups that share their code: an error is that of the one that made it. */
Test(errors, shared_code_knows_whose_index_it_was) {
    bz_context *c = open_one(BZ_CPU);
    static const float data[2][6];
    for (int bad = 0; bad < 2; bad++) {
        bz_tensor *y[2];
        for (int k = 0; k < 2; k++) {
            bz_tensor *x = bz_from_data(c, BZ_F32, data[k], BZ_SHAPE(2, 3));
            bz_tensor *i = bz_from_data(c, BZ_I64, ((int64_t[]){0, bad == k ? 2 : 1}), BZ_SHAPE(2));
            y[k] = bz_gather_at(x, i, 0, k ? "second.c:2" : "first.c:1");
        }
        cr_expect_eq(bz_eval(y, 2), BZ_EINDEX);
        cr_expect(strstr(bz_message(c), bad ? "second.c:2" : "first.c:1"), "%s", bz_message(c));
        bz_clear(c);
    }
    bz_counters n;
    bz_get_counters(c, &n);
    cr_expect_eq(n.kernels_built, 1, "%d kernels", (int)n.kernels_built);
    bz_close(c);
}

Test(errors, gradients) {
    bz_context *c = open_one(BZ_REF);
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){1, 2}), BZ_SHAPE(2)), *g;
    bz_tensor *loss = bz_sum(bz_square(x), NULL, 0, false);
    bz_add_(x, bz_scalar(c, 1));
    cr_expect_eq(bz_grad(loss, &x, 1, &g), BZ_EGRAD);
    cr_expect(strstr(bz_message(c), "add_"), "%s", bz_message(c));
    bz_clear(c);
    cr_expect_eq(bz_grad(bz_square(x), &x, 1, &g), BZ_ESHAPE);
    bz_clear(c);
    bz_eval(&loss, 1);
    cr_expect_eq(bz_grad(loss, &x, 1, &g), BZ_EGRAD);
    cr_expect(strstr(bz_message(c), "evaluated"), "%s", bz_message(c));
    bz_close(c);
}

Test(errors, options) {
    bz_context *c;
    cr_expect_eq(bz_open(&(bz_options){.threads = -1}, &c), BZ_EARG);
    cr_expect_eq(bz_open(&(bz_options){.device = (bz_device)9}, &c), BZ_EARG);
    cr_expect_null(c);
}

/* A number is a new scalar at each use: its gradient would always be zero. */
/* What bz_close writes to stderr after a mistake and `then`. */
static void expect_last_words(void (*then)(bz_context *), bool words) {
    char path[] = "/tmp/braze-errors-XXXXXX", text[400] = "";
    int file = mkstemp(path), old = dup(2);
    bz_context *c;
    cr_assert(file >= 0 && old >= 0 && bz_open(NULL, &c) == BZ_OK);
    cr_expect_eq(bz_print(bz_sum(bz_ones(c, BZ_SHAPE(2), BZ_F32), &(int){7}, 1, false)), BZ_EAXIS);
    if (then) then(c);
    fflush(stderr);
    cr_assert(dup2(file, 2) == 2);
    bz_close(c);
    fflush(stderr);
    cr_assert(dup2(old, 2) == 2);
    cr_assert(pread(file, text, sizeof text - 1, 0) >= 0);
    if (words)
        cr_expect(strstr(text, "braze: error: [") == text && strstr(text, "axis 7") &&
                      strstr(text, __FILE__) && strchr(text, '\n')[1] == 0,
                  "%s", text);
    else
        cr_expect_str_empty(text);
    close(file), close(old), unlink(path);
}

static void ask_status(bz_context *c) {
    cr_expect_eq(bz_context_status(c), BZ_EAXIS);
}
static void ask_message(bz_context *c) {
    cr_expect_str_not_empty(bz_message(c));
}
static void ask_and_err_again(bz_context *c) {
    ask_status(c);
    bz_clear(c);
    bz_sum(bz_zeros(c, BZ_SHAPE(2), BZ_F32), &(int){7}, 1, false);
}

Test(errors, what_nobody_asked_for_is_said_at_the_end) {
    expect_last_words(NULL, true);
    expect_last_words(ask_status, false);
    expect_last_words(ask_message, false);
    expect_last_words(bz_clear, false);
    expect_last_words(ask_and_err_again, true);
}

Test(errors, gradient_of_a_number) {
    bz_context *c;
    cr_assert(!bz_open(NULL, &c));
    bz_tensor *w = bz_scalar(c, 2), *g;
    cr_expect_eq(bz_grad(bz_square(w), &w, 1, &g), BZ_EGRAD);
    cr_expect(strstr(bz_message(c), "bz_scalar"), "%s", bz_message(c));
    bz_close(c);
}

static bz_status returns_a_stranger(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                                    int nout, void *user) {
    (void)c, (void)in, (void)nin, (void)nout;
    out[0] = user;
    return BZ_OK;
}

/* A function may return tensors of its own context alone: another's may be gone at the next call. */
Test(errors, a_traced_function_that_returns_a_tensor_of_another_context) {
    bz_context *c = open_one(BZ_REF), *d = open_one(BZ_REF);
    bz_tensor *x = ones(c, 2, 3), *y = ones(d, 2, 3), *out;
    bz_program *p =
        bz_compile(c, returns_a_stranger, y, &(bz_compile_options){.nin = 1, .nout = 1});
    cr_expect_eq(bz_call(p, &x, &out), BZ_EARG);
    cr_expect(strstr(bz_message(c), "output 0 of the function belongs to another context"), "%s",
              bz_message(c));
    cr_expect_eq(bz_context_status(d), BZ_OK, "the other context has no part in it");
    bz_close(d);
    bz_clear(c);
    cr_expect_eq(bz_call(p, &x, &out), BZ_ESCOPE);
    cr_expect(strstr(bz_message(c), "output 0 of the function is no tensor"), "%s", bz_message(c));
    bz_close(c);
}

/* Brackets hold the name that the user called, not that of a node which it is made of. */
Test(errors, public_names) {
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *x = bz_ones(c, BZ_SHAPE(2, 3), BZ_F32), *y = bz_ones(c, BZ_SHAPE(4), BZ_F32);
    EXPECT_ERROR(c, bz_clamp(x, 0, y), BZ_ESHAPE, "[clamp]");
    EXPECT_ERROR(c, bz_mean(x, BZ_AXES(5), false), BZ_EAXIS, "[mean]");
    EXPECT_ERROR(c, bz_max(x, BZ_AXES(5), false), BZ_EAXIS, "[max]");
    EXPECT_ERROR(c, bz_sum(x, NULL, 1, false), BZ_EARG, "[sum]");
    EXPECT_ERROR(c, bz_softmax(x, 7), BZ_EAXIS, "[softmax]");
    EXPECT_ERROR(c, bz_transpose(x, 0, 4), BZ_EAXIS, "[transpose]");
    EXPECT_ERROR(c, bz_flip(x, BZ_AXES(3)), BZ_EAXIS, "[flip]");
    EXPECT_ERROR(c, bz_select(x, 0, 9), BZ_EINDEX, "[select]");
    EXPECT_ERROR(c, bz_narrow(x, 0, 1, 9), BZ_EINDEX, "[narrow]");
    EXPECT_ERROR(c, bz_stack(((bz_tensor *[]){x, y}), 2, 0), BZ_ESHAPE, "[stack]");
    EXPECT_ERROR(c, bz_mse_loss(x, y), BZ_ESHAPE, "[mse_loss]");
    EXPECT_ERROR(c, bz_sgd_step(x, x, x, NULL, NULL), BZ_ESHAPE, "[sgd_step]");
    EXPECT_ERROR(c, bz_copy_(y, x), BZ_ESHAPE, "[copy_]");
    EXPECT_ERROR(c, bz_add_(x, y), BZ_ESHAPE, "[add_]");
    EXPECT_ERROR(c, bz_add(x, (bz_tensor *)NULL), BZ_EARG, "[add] operand 1 is NULL");
    bz_close(c);
}

/* The words are of what the caller wrote: dtypes, counts and the operand at fault, not of what came of them on the way. */
Test(errors, of_what_the_caller_wrote) {
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *x = ones(c, 2, 3), *i = bz_ones(c, BZ_SHAPE(2, 4), BZ_I64),
              *h = bz_ones(c, BZ_SHAPE(2, 3), BZ_F16), *z = bz_ones(c, NULL, 0, BZ_F32),
              *m = bz_ones(c, NULL, 0, BZ_BOOL), *u = bz_ones(c, BZ_SHAPE(3), BZ_U8);
#define SAYS(expression, status, text) EXPECT_ERROR(c, expression, status, text " at tests/")
    SAYS(bz_add(x, i), BZ_ESHAPE, "[add] shapes do not broadcast: f32[2,3] and i64[2,4]");
    SAYS(bz_div(i, u), BZ_ESHAPE, "[div] shapes do not broadcast: i64[2,4] and u8[3]");
    SAYS(bz_where(m, x, i), BZ_ESHAPE, "[where] shapes do not broadcast: f32[2,3] and i64[2,4]");
    SAYS(bz_fma(z, h, i), BZ_ESHAPE, "[fma] shapes do not broadcast: f16[2,3] and i64[2,4]");
    SAYS(bz_mse_loss(h, i), BZ_ESHAPE, "[mse_loss] shapes do not broadcast: f16[2,3] and i64[2,4]");
    SAYS(bz_copy_(x, i), BZ_ESHAPE, "[copy_] i64[2,4] does not broadcast to size 3 at axis 1");
    SAYS(bz_layer_norm(x, NULL, NULL, -1, 1e-5), BZ_EAXIS,
         "[layer_norm] the last -1 axes of f32[2,3]: 1 to 2 are possible");
    SAYS(bz_layer_norm(x, NULL, NULL, 1000, 1e-5), BZ_EAXIS,
         "[layer_norm] the last 1000 axes of f32[2,3]: 1 to 2 are possible");
    SAYS(bz_layer_norm(z, NULL, NULL, 1, 1e-5), BZ_EAXIS,
         "[layer_norm] f32[] has no axis to normalise along");
    SAYS(bz_rms_norm(z, NULL, 1e-5), BZ_EAXIS, "[rms_norm] f32[] has no axis to normalise along");
    SAYS(bz_layer_norm(h, NULL, i, 2, 1e-5), BZ_ESHAPE,
         "[layer_norm] bias i64[2,4] does not fit the last 2 axes of f16[2,3]");
    SAYS(bz_rms_norm(x, i, 1e-5), BZ_ESHAPE,
         "[rms_norm] weight i64[2,4] does not fit the last 1 axis of f32[2,3]");
    SAYS(bz_bitcast(u, BZ_BOOL), BZ_EDTYPE,
         "[bitcast] u8 to bool: a bool is a truth value, not bits; cast it");
    SAYS(bz_bitcast(m, BZ_F32), BZ_EDTYPE,
         "[bitcast] bool to f32: a bool is a truth value, not bits; cast it");
    SAYS(bz_argmax(x, BZ_AXES(0, 1), false), BZ_EAXIS,
         "[argmax] takes one axis, or none for the flattened tensor");
    SAYS(bz_stack(((bz_tensor *[]){x, x}), 2, 99), BZ_EAXIS,
         "[stack] axis 99 is out of range for a stack of f32[2,3]");
    SAYS(bz_from_tensor(c, NULL), BZ_ESCOPE, "[from_tensor] the tensor is NULL");
    bz_close(c);
}

/* A handle that outlived its context, at any place, is told where another operand lives. */
#define STALE "the handle is stale: its tensor was freed, or it was never one"
Test(errors, operands_of_a_closed_context) {
    bz_context *c = open_one(BZ_CPU), *d = open_one(BZ_CPU);
    bz_tensor *x = ones(c, 2, 3), *y = ones(d, 2, 3);
    bz_close(d);
    SAYS(bz_add(x, y), BZ_ESCOPE, "[add] " STALE);
    SAYS(bz_add(y, x), BZ_ESCOPE, "[add] " STALE);
    SAYS(bz_add_(x, y), BZ_ESCOPE, "[add_] " STALE);
    SAYS(bz_concat(((bz_tensor *[]){x, x, y}), 3, 0), BZ_ESCOPE, "[concat] " STALE);
    SAYS(bz_from_tensor(c, y), BZ_ESCOPE, "[from_tensor] " STALE);
    bz_close(c);
}
