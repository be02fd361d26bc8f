/* test_any_size.c - what only a size tells apart is one kernel, or one of few: rows of a batch, counts of what is folded or added, in each
 * mode, with the bits of the reference device. */
#include "tests/support/irtest.h"
#include "tests/support/plan_run.h"
#include "tests/support/targets.h"

#include <braze/braze.h>

#include <criterion/criterion.h>

enum { INNER = 40, OUTER = 33, MOST = 1200 };

typedef struct operands {
    bz_tensor *x, *y, *w, *b, *v; /* [n, 40], [n, 33], [40, 33], [33], [40] */
    int n;
} operands;

static bz_tensor *rows(const operands *o) {
    return bz_softmax(o->x, -1);
}

static bz_tensor *normed(const operands *o) {
    return bz_layer_norm(o->x, NULL, NULL, 1, 1e-5);
}

static bz_tensor *sums(const operands *o) {
    return bz_sum(bz_mul(o->x, o->x), BZ_AXES(1), false);
}

static bz_tensor *with_bias(const operands *o) {
    return bz_relu(bz_add(o->y, o->b));
}

static bz_tensor *columns(const operands *o) {
    return bz_sum(o->x, BZ_AXES(0), false);
}

static bz_tensor *few_columns(const operands *o) {
    return bz_max(bz_reshape(o->x, BZ_SHAPE(-1, 4)), BZ_AXES(0), false);
}

static bz_tensor *layer(const operands *o) {
    return bz_gelu(bz_add(bz_matmul(o->x, o->w), o->b));
}

static bz_tensor *back(const operands *o) {
    return bz_matmul(o->y, bz_transpose(o->w, 0, 1));
}

static bz_tensor *weights(const operands *o) {
    return bz_matmul(bz_transpose(o->x, 0, 1), o->y);
}

static bz_tensor *vector(const operands *o) {
    return bz_matmul(o->x, o->v);
}

static bz_tensor *heads(const operands *o) {
    bz_tensor *h = bz_reshape(o->x, BZ_SHAPE(-1, 5, 8));
    return bz_matmul(bz_softmax(bz_matmul(h, bz_transpose(h, 1, 2)), -1), h);
}

static bz_tensor *picked(const operands *o) {
    return bz_gather(o->x, bz_arange(bz_context_of(o->x), 0, 20, 2, BZ_I64), 1);
}

static bz_tensor *total(const operands *o) {
    return bz_sum(bz_mul(o->x, o->x), NULL, 0, false);
}

static bz_tensor *largest(const operands *o) {
    return bz_max(bz_sum(o->y, BZ_AXES(1), false), BZ_AXES(0), false);
}

static bz_tensor *mean(const operands *o) {
    return bz_mean(bz_abs(o->x), NULL, 0, false);
}

/* sizes that are borders, limits of indices and lengths of rows, too */

static bz_tensor *padded(const operands *o) {
    return bz_mul(bz_pad(o->x, ((int64_t[]){1, 0}), BZ_SHAPE(2, 0), 3), 2);
}

static bz_tensor *beside(const operands *o) {
    return bz_exp(bz_concat(((bz_tensor *[]){o->x, bz_neg(o->x)}), 2, 0));
}

static bz_tensor *mean_beside(const operands *o) {
    return bz_mean(bz_square(beside(o)), BZ_ALL);
}

static bz_tensor *rolled(const operands *o) {
    return bz_add(bz_roll(o->x, ((int64_t[]){1}), ((int[]){0}), 1), 1);
}

/* 7 i mod n: each row at some time, if 7 does not divide n */
static bz_tensor *some_rows(const operands *o) {
    return bz_remainder(bz_mul(bz_arange_int(bz_context_of(o->x), 0, o->n, 1, BZ_I64), 7), o->n);
}

static bz_tensor *rows_of(const operands *o) {
    return bz_gather(o->x, some_rows(o), 0);
}

static bz_tensor *added_rows(const operands *o) {
    return bz_index_add(o->x, some_rows(o), bz_square(o->x));
}

static bz_tensor *turned(const operands *o) {
    return bz_copy(bz_transpose(o->x, 0, 1));
}

static bz_tensor *running(const operands *o) {
    return bz_cumsum(o->x, 0);
}

static bz_tensor *running_back(const operands *o) {
    return bz_cumsum(bz_select(o->x, 1, 3), 0, true);
}

/* most: kernels for all sizes together, and if each op is one. Products differ by the rows of their tile (there are few of them), and by
 * how much of them a task holds; other kernels by whether one task, or one chain of additions, is all there is. */
static const struct form {
    const char *name;
    bz_tensor *(*make)(const operands *o);
    unsigned most[2];
} forms[] = {
    {"rows", rows, {2, 7}},
    {"normed", normed, {3, 16}},
    {"sums", sums, {2, 4}},
    {"with bias", with_bias, {2, 4}},
    {"columns", columns, {6, 6}},
    {"few columns", few_columns, {5, 5}},
    {"layer", layer, {10, 16}},
    {"back", back, {10, 10}},
    {"weights", weights, {12, 12}},
    {"vector", vector, {6, 6}},
    {"heads", heads, {7, 14}},
    {"picked", picked, {2, 4}},
    {"total", total, {6, 6}},
    {"largest", largest, {5, 5}},
    {"mean", mean, {6, 6}},
    {"padded", padded, {7, 8}},
    {"beside", beside, {8, 9}},
    {"mean beside", mean_beside, {10, 3}},
    {"rolled", rolled, {8, 9}},
    {"rows of", rows_of, {7, 16}},
    {"added rows", added_rows, {8, 8}},
    {"turned", turned, {8, 8}},
    {"running", running, {2, 2}},
    {"running back", running_back, {19, 19}},
};

static operands make_operands(bz_context *c, int n) {
    static float data[MOST * INNER];
    for (int i = 0; i < MOST * INNER; i++) data[i] = (float)(i * 37 % 101 - 50) / 16;
    return (operands){bz_from_data(c, BZ_F32, data, BZ_SHAPE(n, INNER)),
                      bz_from_data(c, BZ_F32, data, BZ_SHAPE(n, OUTER)),
                      bz_from_data(c, BZ_F32, data, BZ_SHAPE(INNER, OUTER)),
                      bz_from_data(c, BZ_F32, data, BZ_SHAPE(OUTER)),
                      bz_from_data(c, BZ_F32, data, BZ_SHAPE(INNER)),
                      n};
}

static size_t run(bz_context *c, const struct form *f, int n, float *out) {
    bz_scope_begin(c);
    operands o = make_operands(c, n);
    bz_tensor *r = f->make(&o);
    size_t bytes = (size_t)bz_numel(r) * sizeof *out;
    cr_assert_eq(bz_to_host(r, out, bytes), BZ_OK, "%s, n %d: %s", f->name, n, bz_message(c));
    bz_scope_end(c);
    return bytes;
}

static void check(const struct form *f, bz_mode mode) {
    static const int sizes[] = {2,   3,    5,    7,    13,   16,   17,  31,  64,  100,
                                127, 128,  129,  200,  255,  256,  257, 300, 384, 400,
                                511, 512,  513,  600,  640,  700,  768, 777, 800, 900,
                                999, 1000, 1023, 1024, 1025, 1100, 1200};
    static float got[2 * MOST * INNER], right[2 * MOST * INNER];
    bz_context *c, *ref;
    bz_counters before, after;
    cr_assert_eq(bz_open(&(bz_options){.mode = mode, .threads = 2}, &c), BZ_OK);
    cr_assert_eq(bz_open(&(bz_options){.device = BZ_REF}, &ref), BZ_OK);
    bz_get_counters(c, &before);
    for (size_t i = 0; i < BZ_LEN(sizes); i++) {
        size_t bytes = run(c, f, sizes[i], got);
        cr_assert_eq(run(ref, f, sizes[i], right), bytes);
        cr_assert_arr_eq(got, right, bytes, "%s, n %d", f->name, sizes[i]);
    }
    bz_get_counters(c, &after);
    unsigned built = (unsigned)(after.kernels_built - before.kernels_built);
    cr_expect_leq(built, f->most[mode == BZ_EAGER], "%s: %u kernels", f->name, built);
    bz_close(c);
    bz_close(ref);
}

Test(any_size, of_a_batch) {
    for (size_t i = 0; i < BZ_LEN(forms); i++) check(&forms[i], BZ_LAZY);
}

Test(any_size, of_a_batch_op_by_op) {
    for (size_t i = 0; i < BZ_LEN(forms); i++) check(&forms[i], BZ_EAGER);
}

/* A training step: in: x [n, 40], classes [n], w [40, 33], b [33]; out: loss, new w, new b. */
static bz_status step(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    bz_tensor *h = bz_add(bz_matmul(in[0], in[2]), in[3]), *g[2];
    out[0] = bz_cross_entropy(bz_gelu(h), in[1]);
    bz_status s = bz_grad(out[0], in + 2, 2, g);
    for (int i = 0; i < 2; i++) out[1 + i] = bz_sub(in[2 + i], bz_mul(g[i], 0.1));
    return s;
}

/* What the step gives for the first n rows, its three results one behind the other. */
static void run_step(bz_context *c, bz_program *p, int n, float *got) {
    bz_scope_begin(c);
    operands o = make_operands(c, n);
    bz_tensor *classes = bz_remainder(bz_arange_int(c, 0, n, 1, BZ_I64), 33), *out[3];
    bz_tensor *in[] = {o.x, classes, o.w, o.b};
    cr_assert_eq(bz_call(p, in, out), BZ_OK, "n %d: %s", n, bz_message(c));
    for (int i = 0; i < 3; i++) {
        size_t count = (size_t)bz_numel(out[i]);
        cr_assert_eq(bz_to_host(out[i], got, count * sizeof *got), BZ_OK);
        got += count;
    }
    bz_scope_end(c);
}

Test(any_size, of_a_compiled_step) {
    enum { RESULTS = 1 + INNER * OUTER + OUTER };
    static float got[RESULTS], right[RESULTS];
    bz_context *c, *ref;
    bz_counters first, last;
    cr_assert_eq(bz_open(&(bz_options){.threads = 2}, &c), BZ_OK);
    cr_assert_eq(bz_open(&(bz_options){.device = BZ_REF}, &ref), BZ_OK);
    bz_compile_options o = {.nin = 4, .nout = 3};
    bz_program *p = bz_compile(c, step, NULL, &o), *q = bz_compile(ref, step, NULL, &o);
    bz_get_counters(c, &first);
    for (int n = 15; n < 700; n += n < 40 ? 1 : 23) {
        run_step(c, p, n, got);
        run_step(ref, q, n, right);
        cr_assert_arr_eq(got, right, sizeof got, "n %d", n);
    }
    bz_get_counters(c, &last);
    cr_expect_leq(last.kernels_built - first.kernels_built, 24);
    bz_close(c);
    bz_close(ref);
}

/* user: counts how often it is traced. */
static bz_status double_it(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                           void *user) {
    (void)c, (void)nin, (void)nout;
    ++*(int *)user;
    out[0] = bz_add(in[0], in[0]);
    return BZ_OK;
}

Test(any_size, signatures_are_forgotten_in_turn) {
    bz_context *c;
    int traced = 0;
    cr_assert_eq(bz_open(NULL, &c), BZ_OK);
    cr_assert_eq(bz_set_limit(c, BZ_LIMIT_PLANS, 3), BZ_OK);
    bz_program *p = bz_compile(c, double_it, &traced, &(bz_compile_options){.nin = 1, .nout = 1});
    static const struct {
        int n, traced;
    } calls[] = {{1, 1}, {2, 2}, {3, 3}, {1, 3}, {4, 4}, {1, 4}, {3, 4}, {2, 5}, {4, 6}, {2, 6}};
    for (size_t i = 0; i < BZ_LEN(calls); i++) {
        bz_tensor *x = bz_ones(c, BZ_SHAPE(calls[i].n), BZ_F32), *y;
        cr_assert_eq(bz_call(p, &x, &y), BZ_OK, "%s", bz_message(c));
        cr_expect_eq(bz_item(bz_sum(y, NULL, 0, false)), 2 * calls[i].n);
        cr_expect_eq(traced, calls[i].traced, "call %d: traced %d times", (int)i, traced);
    }
    bz_close(c);
}

/* A row that is read twice, its length a number of the launch: a GPU's threads cannot hold it in registers. */
Test(any_size, of_one_row_for_each_target) {
    static ir_value_array in[1], want[1], got[1];
    ir_module *m = irt_parse("graph main(x: f32[300]) {\n %y = argmax %x\n return %y as y\n}");
    const ir_graph *g = m->graphs.p[0];
    bz_error e = {0};
    random_inputs(g, in, 7);
    cr_assert(!ir_interpret(g, in, want, &e), "%s", e.text);
    for (unsigned i = 0; i < target_count; i++) {
        pass_target t = targets[i].t;
        t.any_size = true;
        pass_plan *p = pass_compile(g, &t, &e);
        cr_assert(p && !plan_run(p, in, got, &e), "%s: %s", targets[i].name, e.text);
        cr_expect_eq(first_difference(want, got), -1, "%s", targets[i].name);
        free_values(got, 1);
        pass_plan_free(p);
    }
    free_values(want, 1);
    free_values(in, 1);
    ir_module_free(m);
}
