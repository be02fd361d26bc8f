/* test_cuda_graphs.c - launches of a program as a graph of the driver's, on the emulated one: what a call asks of the driver, what is bound
 * again, and the CPU's bits, with graphs and without (BRAZE_GRAPHS=0), in any order that the edges allow. */
#include "tests/support/fakecuda.h"

#include <stdio.h>
#include <stdlib.h>

static bz_tensor *numbers(bz_context *c, int64_t rows, int64_t columns, int seed) {
    float v[512];
    for (int i = 0; i < 512; i++) v[i] = (float)((i * 37 + seed * 11) % 23) / 16 - 0.7f;
    return bz_from_data(c, BZ_F32, v, BZ_SHAPE(rows, columns));
}

/* ---- a train step of an MLP */

enum { BATCH = 8, IN = 12, HIDDEN = 20, CLASSES = 5, WEIGHTS = 4, NIN = 7, NOUT = 5 };

static bz_status step(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    bz_tensor *h = bz_relu(bz_add(bz_matmul(in[4], in[0]), in[1])), *g[WEIGHTS];
    bz_tensor *loss = bz_cross_entropy(bz_add(bz_matmul(h, in[2]), in[3]), in[5]);
    bz_status s = bz_grad(loss, in, WEIGHTS, g);
    for (int i = 0; i < WEIGHTS; i++) out[i] = bz_sub(in[i], bz_mul(g[i], in[6]));
    out[WEIGHTS] = loss;
    return s;
}

typedef struct mlp {
    bz_context *c;
    bz_program *p;
    bz_tensor *w[WEIGHTS], *x[2], *y, *lr;
} mlp;

static mlp mlp_on(bz_context *c) {
    static const int64_t labels[BATCH] = {1, 4, 0, 2, 2, 3, 1, 0};
    const bz_compile_options o = {
        .nin = NIN, .nout = NOUT, .donate = (int[]){0, 1, 2, 3, -1, -1, -1}};
    mlp m = {.c = c, .p = bz_compile(c, step, NULL, &o)};
    m.w[0] = numbers(c, IN, HIDDEN, 1);
    m.w[1] = bz_zeros(c, BZ_SHAPE(HIDDEN), BZ_F32);
    m.w[2] = numbers(c, HIDDEN, CLASSES, 2);
    m.w[3] = bz_zeros(c, BZ_SHAPE(CLASSES), BZ_F32);
    for (int i = 0; i < 2; i++) m.x[i] = numbers(c, BATCH, IN, 3 + i);
    m.y = bz_from_data(c, BZ_I64, labels, BZ_SHAPE(BATCH));
    m.lr = bz_from_data(c, BZ_F32, (float[]){0.125f}, NULL, 0);
    bz_eval(m.w, WEIGHTS);
    return m;
}

/* One step; the loss is read where `loss` is not NULL. */
static void train(const mlp *m, int batch, float *loss) {
    bz_tensor *in[NIN] = {m->w[0], m->w[1], m->w[2], m->w[3], m->x[batch], m->y, m->lr}, *out[NOUT];
    bz_scope_begin(m->c);
    cr_assert_eq(bz_call(m->p, in, out), BZ_OK, "%s", bz_message(m->c));
    if (loss) *loss = (float)bz_item(out[WEIGHTS]);
    bz_scope_end(m->c);
}

/* ---- what a call asks of the driver */

typedef struct calls {
    uint64_t graphs, launches, binds, memory, waits;
} calls;

static uint64_t sum(const char *const *names) {
    uint64_t n = 0;
    for (; *names; names++) n += fakecuda_calls(*names);
    return n;
}

static calls calls_now(void) {
    static const char *const memory[] = {"cuMemAlloc_v2",
                                         "cuMemAllocAsync",
                                         "cuMemAllocHost_v2",
                                         "cuMemHostAlloc",
                                         "cuMemFreeAsync",
                                         "cuMemFree_v2",
                                         NULL},
                             *const waits[] = {"cuStreamSynchronize", "cuEventSynchronize",
                                               "cuCtxSynchronize", NULL};
    return (calls){fakecuda_calls("cuGraphLaunch"), fakecuda_calls("cuLaunchKernel"),
                   fakecuda_calls("cuGraphExecKernelNodeSetParams_v2"), sum(memory), sum(waits)};
}

static calls calls_of_step(const mlp *m, int batch) {
    const calls a = calls_now();
    train(m, batch, NULL);
    const calls b = calls_now();
    return (calls){b.graphs - a.graphs, b.launches - a.launches, b.binds - a.binds,
                   b.memory - a.memory, b.waits - a.waits};
}

Test(cuda_graphs, a_step_is_one_launch) {
    if (!fakecuda_compiles()) return;
    fakecuda_use("80");
    bz_context *c = fakecuda_open(0);
    mlp m = mlp_on(c);
    uint64_t kernels = 0;
    for (int i = 0; i < 12; i++) {
        const calls n = calls_of_step(&m, 0);
        if (i == 0) kernels = n.launches;
        if (i < 2) continue;
        cr_expect(n.graphs == 1 && !n.launches && !n.binds && !n.memory && !n.waits,
                  "call %d: %d graphs, %d launches, %d bound, %d of memory, %d waits", i,
                  (int)n.graphs, (int)n.launches, (int)n.binds, (int)n.memory, (int)n.waits);
    }
    cr_expect(kernels > 4);
    const calls other = calls_of_step(&m, 1), same = calls_of_step(&m, 1);
    cr_expect(other.graphs == 1 && other.binds > 0 && other.binds < kernels && !other.waits,
              "%d of %d bound", (int)other.binds, (int)kernels);
    cr_expect(same.graphs == 1 && same.binds == 0);
    bz_close(c);
    fakecuda_left_nothing();
}

Test(cuda_graphs, they_can_be_turned_off) {
    if (!fakecuda_compiles()) return;
    setenv("BRAZE_GRAPHS", "0", 1);
    fakecuda_use("80");
    bz_context *c = fakecuda_open(0);
    mlp m = mlp_on(c);
    for (int i = 0; i < 4; i++) {
        const calls n = calls_of_step(&m, 0);
        cr_expect(n.graphs == 0 && n.launches > 4);
    }
    bz_close(c);
}

/* The loss of each step is read while the next one is under way. */
Test(cuda_graphs, the_loss_is_read_a_step_late) {
    if (!fakecuda_compiles()) return;
    enum { STEPS = 6 };
    fakecuda_use("80");
    bz_context *c = fakecuda_open(0), *cpu = open_one(BZ_CPU);
    mlp m = mlp_on(c), other = mlp_on(cpu);
    float *loss = bz_pin(c, STEPS * sizeof *loss), want[STEPS];
    bz_ticket t[STEPS];
    for (int i = 0; i < STEPS; i++) {
        bz_tensor *in[NIN] = {m.w[0], m.w[1], m.w[2], m.w[3], m.x[0], m.y, m.lr}, *out[NOUT];
        const uint64_t before = calls_now().waits;
        bz_scope_begin(c);
        cr_assert_eq(bz_call(m.p, in, out), BZ_OK, "%s", bz_message(c));
        t[i] = bz_to_host_async(out[WEIGHTS], loss + i, sizeof *loss);
        bz_scope_end(c);
        cr_assert(t[i], "%s", bz_message(c));
        if (i > 1) cr_expect_eq(calls_now().waits, before);
        train(&other, 0, &want[i]);
        if (i == 0) continue;
        cr_expect_eq(bz_wait(c, t[i - 1]), BZ_OK);
        cr_expect(memcmp(&loss[i - 1], &want[i - 1], sizeof *loss) == 0, "step %d", i - 1);
    }
    bz_close(c), bz_close(cpu);
    fakecuda_left_nothing();
}

/* ---- bits */

static void train_both(bz_context *c, bz_context *cpu) {
    mlp a = mlp_on(c), b = mlp_on(cpu);
    for (int i = 0; i < 7; i++) {
        float got, want;
        train(&a, i % 3 == 1, &got), train(&b, i % 3 == 1, &want);
        cr_expect(memcmp(&got, &want, sizeof got) == 0, "step %d: %g, not %g", i, (double)got,
                  (double)want);
    }
}

/* Numbers that differ from call to call: the random stream's, and a word of the call. */
static bz_status noisy(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                       void *user) {
    (void)nin, (void)nout, (void)user;
    bz_tensor *n = bz_randn(c, BZ_SHAPE(6, 9), BZ_F32);
    out[0] = bz_matmul(bz_mul(n, in[0]), bz_transpose(n, 0, 1));
    out[1] = bz_softmax(bz_add(bz_rand(c, BZ_SHAPE(6, 9), BZ_F32), in[0]), 1);
    return BZ_OK;
}

static void draw_both(bz_context *c, bz_context *cpu) {
    bz_context *all[2] = {c, cpu};
    bz_program *p[2];
    const bz_compile_options o = {.nin = 1, .nout = 2};
    for (int k = 0; k < 2; k++) bz_seed(all[k], 9), p[k] = bz_compile(all[k], noisy, NULL, &o);
    for (int i = 0; i < 5; i++) {
        float got[2][36 + 54];
        for (int k = 0; k < 2; k++) {
            bz_tensor *x = bz_scalar(all[k], 0.5 * i + 0.25), *out[2];
            cr_assert_eq(bz_call(p[k], &x, out), BZ_OK, "%s", bz_message(all[k]));
            bz_to_host(out[0], got[k], sizeof(float[36]));
            bz_to_host(out[1], got[k] + 36, sizeof(float[54]));
        }
        cr_expect(memcmp(got[0], got[1], sizeof got[0]) == 0, "call %d", i);
    }
}

static void both(void (*body)(bz_context *c, bz_context *cpu)) {
    bz_context *c = fakecuda_open(0), *cpu = open_one(BZ_CPU);
    body(c, cpu);
    cr_expect(!bz_context_status(c), "%s", bz_message(c));
    bz_close(c), bz_close(cpu);
}

/* In five orders. */
Test(cuda_graphs, bits_are_the_cpus) {
    if (!fakecuda_compiles()) return;
    fakecuda_use("80");
    bz_context *keeper = fakecuda_open(0); /* of code */
    for (unsigned seed = 0; seed < 5; seed++) {
        fakecuda_seed(seed);
        both(train_both);
        both(draw_both);
    }
    cr_expect(fakecuda_calls("cuGraphLaunch") > 0);
    bz_close(keeper);
    fakecuda_left_nothing();
}

Test(cuda_graphs, bits_are_the_cpus_without) {
    if (!fakecuda_compiles()) return;
    setenv("BRAZE_GRAPHS", "0", 1);
    fakecuda_use("80");
    both(train_both);
    both(draw_both);
    cr_expect_eq(fakecuda_calls("cuGraphLaunch"), 0);
    fakecuda_left_nothing();
}

/* ---- results that nobody computes: inputs as they were, each in the other's place, and what is captured */

enum { ROWS = 20, COLUMNS = 25, SWAPPED = ROWS * COLUMNS, CALLS = 3, RESULTS = 6 };
typedef float swapped[CALLS][RESULTS][SWAPPED];

static bz_status swap(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *user) {
    (void)c, (void)nin, (void)nout;
    out[0] = in[1], out[1] = in[0];
    out[2] = bz_tanh(bz_mul(in[0], in[1]));
    out[3] = user;
    out[4] = bz_reshape(out[2], BZ_SHAPE(SWAPPED));
    out[5] = bz_reshape(in[0], BZ_SHAPE(SWAPPED));
    return BZ_OK;
}

static void swap_on(bz_context *c, swapped out) {
    bz_tensor *captured = numbers(c, ROWS, COLUMNS, 7), *own[RESULTS];
    bz_tensor *in[2] = {numbers(c, ROWS, COLUMNS, 5), numbers(c, ROWS, COLUMNS, 6)};
    const bz_compile_options o = {.nin = 2, .nout = RESULTS, .donate = (int[]){0, 1}};
    bz_program *p = bz_compile(c, swap, captured, &o);
    for (int i = 0; i < CALLS; i++) {
        cr_assert_eq(bz_call(p, in, own), BZ_OK, "%s", bz_message(c));
        for (int k = 0; k < RESULTS; k++)
            cr_assert_eq(bz_to_host(own[k], out[i][k], sizeof out[i][k]), BZ_OK);
    }
}

Test(cuda_graphs, inputs_change_places) {
    static swapped got, want;
    if (!fakecuda_compiles()) return;
    fakecuda_use("80");
    bz_context *c = fakecuda_open(0), *cpu = open_one(BZ_CPU);
    swap_on(c, got), swap_on(cpu, want);
    for (int i = 0; i < CALLS; i++)
        for (int k = 0; k < RESULTS; k++)
            cr_expect(memcmp(got[i][k], want[i][k], sizeof got[i][k]) == 0, "call %d, result %d", i,
                      k);
    cr_expect(memcmp(got[0][0], got[1][1], sizeof got[0][0]) == 0);
    cr_expect(memcmp(got[0][0], got[0][1], sizeof got[0][0]) != 0);
    bz_close(c), bz_close(cpu);
    fakecuda_left_nothing();
}

/* ---- bad indices: the host looks before an input changes */

static bz_status pick(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    bz_tensor *rows = bz_gather(in[0], in[1], 0);
    bz_tensor *s = bz_softmax(bz_matmul(rows, bz_transpose(rows, 0, 1)), 1);
    out[0] = bz_add(in[0], bz_matmul(s, rows));
    out[1] = bz_sum(s, NULL, 0, false);
    return BZ_OK;
}

Test(cuda_graphs, bad_indices_change_nothing) {
    if (!fakecuda_compiles()) return;
    fakecuda_use("80");
    bz_context *c = fakecuda_open(0);
    const bz_compile_options o = {.nin = 2, .nout = 2, .donate = (int[]){0, -1}};
    bz_program *p = bz_compile(c, pick, NULL, &o);
    bz_tensor *w = numbers(c, 4, 4, 1), *out[2];
    int64_t good[4] = {0, 3, 1, 3}, bad[4] = {0, 1, 7, 2};
    bz_tensor *at[2] = {bz_from_data(c, BZ_I64, good, BZ_SHAPE(4)),
                        bz_from_data(c, BZ_I64, bad, BZ_SHAPE(4))};
    for (int i = 0; i < 8; i++) {
        float before[16], after[16];
        bz_to_host(w, before, sizeof before);
        const bool wrong = i == 1 || i == 4 || i == 5;
        cr_expect_eq(bz_call(p, (bz_tensor *[]){w, at[wrong]}, out), wrong ? BZ_EINDEX : BZ_OK,
                     "call %d: %s", i, bz_message(c));
        if (wrong) cr_expect(strstr(bz_message(c), "index 7"), "%s", bz_message(c));
        bz_clear(c);
        bz_to_host(w, after, sizeof after);
        cr_expect((memcmp(before, after, sizeof before) == 0) == wrong, "call %d", i);
    }
    cr_expect(fakecuda_calls("cuGraphLaunch") > 0);
    bz_close(c);
    fakecuda_left_nothing();
}
