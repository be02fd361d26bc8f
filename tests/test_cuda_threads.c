/* test_cuda_threads.c - several contexts on one GPU and on two, in one thread and in many at once, on the emulated driver. `make tsan` runs it
 * under ThreadSanitizer. */
#include <pthread.h>
#include <stdio.h>

#include "tests/support/fakecuda.h"

enum { CONTEXTS = 4, DEVICES = 2, ROUNDS = 3, CALLS = 4, N = 12 };

/* What a context gives: of ops, of a compiled step called again and again, of copies that nobody waits for. */
typedef struct result {
    float softmax[N], w[N], late[N];
    double loss;
} result;

static bz_status step(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *user) {
    (void)nin, (void)nout, (void)user;
    bz_tensor *d = bz_sub(bz_tanh(in[0]), in[1]), *loss = bz_mean(bz_mul(d, d), NULL, 0, false), *g;
    bz_status s = bz_grad(loss, in, 1, &g);
    out[0] = bz_sub(in[0], bz_mul(g, bz_scalar(c, 0.5)));
    out[1] = loss;
    return s;
}

static bz_tensor *numbers(bz_context *c, int seed) {
    float v[N];
    for (int i = 0; i < N; i++) v[i] = (float)((i * 5 + seed) % 7) / 4 - 0.6f;
    return bz_from_data(c, BZ_F32, v, BZ_SHAPE(3, 4));
}

typedef struct job {
    bz_context *c;
    bz_program *p;
    bz_tensor *w, *y;
    result r;
} job;

static void begin(job *j, int device) {
    const bz_compile_options o = {.nin = 2, .nout = 2, .donate = (int[]){0, -1}};
    *j = (job){.c = fakecuda_open(device)};
    j->p = bz_compile(j->c, step, NULL, &o);
    j->w = numbers(j->c, 1);
    j->y = numbers(j->c, 2);
    bz_to_host(bz_softmax(bz_matmul(j->w, bz_transpose(j->y, 0, 1)), 1), j->r.softmax,
               9 * sizeof(float));
}

static void call(job *j) {
    bz_tensor *out[2];
    bz_ticket t = 0;
    bz_scope_begin(j->c);
    if (!bz_call(j->p, (bz_tensor *[]){j->w, j->y}, out)) {
        t = bz_to_host_async(out[0], j->r.late, sizeof j->r.late);
        j->r.loss += bz_item(out[1]);
    }
    bz_scope_end(j->c);
    if (t) bz_wait(j->c, t);
}

static void end(job *j) {
    bz_to_host(j->w, j->r.w, sizeof j->r.w);
    cr_expect_eq(bz_context_status(j->c), BZ_OK, "%s", bz_message(j->c));
    bz_close(j->c);
}

static result one(int device) {
    job j;
    begin(&j, device);
    for (int i = 0; i < CALLS; i++) call(&j);
    end(&j);
    return j.r;
}

static bool same(const result *a, const result *b) {
    return memcmp(a, b, sizeof *a) == 0 && memcmp(a->w, a->late, sizeof a->w) == 0;
}

/* In one thread, turn by turn; what one closes, the others still have. */
Test(cuda_threads, contexts_take_turns) {
    if (!fakecuda_compiles()) return;
    fakecuda_use("80,80");
    const result want = one(0);
    job j[CONTEXTS];
    for (int i = 0; i < CONTEXTS; i++) begin(&j[i], i % DEVICES);
    for (int k = 0; k < CALLS; k++)
        for (int i = 0; i < CONTEXTS; i++) call(&j[i]);
    for (int i = 0; i < CONTEXTS; i++) {
        end(&j[i]);
        cr_expect(same(&j[i].r, &want), "context %d", i);
    }
    cr_expect_eq(fakecuda_living(), 0);
    cr_expect(fakecuda_no_context());
    fakecuda_left_nothing();
}

typedef struct worker {
    pthread_t thread;
    int number;
    result r[ROUNDS];
} worker;

static void *work(void *arg) {
    worker *w = arg;
    for (int i = 0; i < ROUNDS; i++) w->r[i] = one((w->number + i) % DEVICES);
    return NULL;
}

/* Opened, used and closed in threads of their own at once, on devices that they change. */
Test(cuda_threads, contexts_work_at_once) {
    if (!fakecuda_compiles()) return;
    fakecuda_use("80,80");
    const result want = one(0);
    worker w[CONTEXTS];
    for (int i = 0; i < CONTEXTS; i++) {
        w[i].number = i;
        cr_assert_eq(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
    }
    for (int i = 0; i < CONTEXTS; i++) {
        pthread_join(w[i].thread, NULL);
        for (int k = 0; k < ROUNDS; k++)
            cr_expect(same(&w[i].r[k], &want), "thread %d, round %d", i, k);
    }
    cr_expect_eq(fakecuda_living(), 0);
    fakecuda_left_nothing();
}

/* A thread makes what another takes over, by way of the host's lock alone: contexts are not bound to threads. */
static void *hand_over(void *arg) {
    bz_tensor **x = arg;
    bz_context *c = fakecuda_open(1);
    bz_tensor *y = bz_from_tensor(c, x[0]);
    x[1] = bz_mul(y, y);
    bz_eval(&x[1], 1);
    cr_expect_eq(bz_context_status(c), BZ_OK, "%s", bz_message(c));
    return c;
}

Test(cuda_threads, tensors_change_threads_and_devices) {
    if (!fakecuda_compiles()) return;
    fakecuda_use("80,90");
    bz_context *c = fakecuda_open(0);
    bz_tensor *x[2] = {bz_from_data(c, BZ_F32, ((float[]){1, 2, 3}), BZ_SHAPE(3)), NULL};
    pthread_t t;
    void *other;
    cr_assert_eq(pthread_create(&t, NULL, hand_over, x), 0);
    pthread_join(t, &other);
    EXPECT(bz_add(bz_from_tensor(c, x[1]), x[0]), 2, 6, 12);
    EXPECT(x[1], 1, 4, 9);
    bz_close(other);
    bz_close(c);
    cr_expect_eq(fakecuda_living(), 0);
    fakecuda_left_nothing();
}
