/* test_parallel.c - several threads, each with contexts of its own, at the same work at once: recording, gradients, evaluation,
 * compiled functions, explanations. Everybody gets the bits that one thread alone gets. Meant for ThreadSanitizer too. And forks:
 * before the first use, and after it. */
#include "tests/support/rt_support.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, ROUNDS = 6 };

typedef struct answer {
    double loss, grad, called, noise;
} answer;

static bz_status step(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *user) {
    (void)nin, (void)nout, (void)user;
    bz_tensor *g;
    out[1] = bz_mse_loss(bz_tanh(bz_matmul(in[1], in[0])), bz_softmax(in[1], -1));
    bz_status s = bz_grad(out[1], in, 1, &g);
    out[0] = bz_sub(in[0], bz_mul(g, bz_scalar(c, 0.5)));
    return s;
}

static double total(bz_tensor *x) {
    return bz_item(bz_sum(x, NULL, 0, false));
}

/* Work of size n: every size has kernels of its own, so that threads compile at the same time. */
static bz_status work(bz_context *c, int64_t n, answer *a) {
    bz_tensor *x = bz_sin(bz_reshape(bz_arange(c, 0, (double)(n * n), 1, BZ_F32), BZ_SHAPE(n, n)));
    bz_tensor *w = bz_copy(bz_mul(x, bz_scalar(c, 0.25))), *out[2], *g;
    bz_tensor *loss =
        bz_sum(bz_square(bz_layer_norm(bz_matmul(x, w), NULL, NULL, 1, 1e-5)), NULL, 0, false);
    bz_status s = bz_eval(&w, 1);
    loss = bz_sum(bz_exp(bz_matmul(x, w)), NULL, 0, false);
    if (!s) s = bz_grad(loss, &w, 1, &g);
    if (s) return s;
    a->grad = total(g);
    a->loss = bz_item(loss);
    bz_program *p = bz_compile(
        c, step, NULL, &(bz_compile_options){.nin = 2, .nout = 2, .donate = (int[]){0, -1}});
    for (int i = 0; i < 3 && !s; i++) s = bz_call(p, (bz_tensor *[]){w, x}, out);
    a->called = s ? NAN : bz_item(out[1]);
    bz_program_free(p);
    bz_seed(c, (uint64_t)n);
    a->noise = total(bz_randn(c, BZ_SHAPE(n, 3), BZ_F32));
    return s ? s : bz_context_status(c);
}

static bool in_a_context(bz_mode mode, int threads, int64_t n, answer *a) {
    bz_context *c;
    if (bz_open(&(bz_options){.device = BZ_CPU, .mode = mode, .threads = threads}, &c))
        return false;
    bz_status s = work(c, n, a);
    if (s) fprintf(stderr, "%s\n", bz_message(c));
    bz_close(c);
    return s == BZ_OK;
}

typedef struct job {
    pthread_t thread;
    int number, wrong;
    answer got[ROUNDS];
} job;

static int64_t size_of(int number, int round) {
    return 20 + (number + round) % 3 * 13 + round; /* the same as another thread's, or not */
}

static void *one_thread(void *arg) {
    job *j = arg;
    for (int r = 0; r < ROUNDS; r++)
        j->wrong += !in_a_context(r % 2 ? BZ_EAGER : BZ_LAZY, 1 + (j->number + r) % 3,
                                  size_of(j->number, r), &j->got[r]);
    return NULL;
}

Test(parallel, contexts_of_their_own, .timeout = 300) {
    job jobs[THREADS] = {0};
    for (int t = 0; t < THREADS; t++) {
        jobs[t].number = t;
        cr_assert_eq(pthread_create(&jobs[t].thread, NULL, one_thread, &jobs[t]), 0);
    }
    for (int t = 0; t < THREADS; t++) pthread_join(jobs[t].thread, NULL);
    for (int t = 0; t < THREADS; t++) {
        cr_expect_eq(jobs[t].wrong, 0);
        for (int r = 0; r < ROUNDS; r++) {
            answer alone;
            cr_assert(in_a_context(BZ_LAZY, 1, size_of(t, r), &alone));
            cr_expect(memcmp(&alone, &jobs[t].got[r], sizeof alone) == 0,
                      "thread %d, round %d: %g %g %g %g", t, r, jobs[t].got[r].loss,
                      jobs[t].got[r].grad, jobs[t].got[r].called, jobs[t].got[r].noise);
        }
    }
}

/* ---- one context after the other in many threads, mistakes of each in its own words */

static void *mistaken(void *arg) {
    job *j = arg;
    bz_context *c;
    j->wrong = bz_open(&(bz_options){.device = BZ_CPU, .threads = -1 - j->number}, &c) != BZ_EARG;
    char want[32];
    snprintf(want, sizeof want, "%d threads", -1 - j->number);
    j->wrong += !strstr(bz_message(NULL), want);
    if (bz_open(NULL, &c)) return NULL;
    for (int i = 0; i < 50; i++) {
        bz_tensor *bad =
            bz_add(bz_ones(c, BZ_SHAPE(2 + j->number), BZ_F32), bz_ones(c, BZ_SHAPE(99), BZ_F32));
        snprintf(want, sizeof want, "f32[%d]", 2 + j->number);
        j->wrong += bz_eval(&bad, 1) != BZ_ESHAPE || !strstr(bz_message(c), want);
        bz_clear(c);
    }
    bz_close(c);
    return NULL;
}

Test(parallel, errors_of_their_own) {
    job jobs[THREADS] = {0};
    for (int t = 0; t < THREADS; t++) {
        jobs[t].number = t;
        cr_assert_eq(pthread_create(&jobs[t].thread, NULL, mistaken, &jobs[t]), 0);
    }
    for (int t = 0; t < THREADS; t++) {
        pthread_join(jobs[t].thread, NULL);
        cr_expect_eq(jobs[t].wrong, 0, "thread %d", t);
    }
}

/* ---- forks */

/* Does the work in a child; its answer comes through a pipe. */
static bool in_a_child(answer *a) {
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        alarm(100);
        bool good = in_a_context(BZ_LAZY, 3, 40, a) && write(ends[1], a, sizeof *a) == sizeof *a;
        _exit(!good);
    }
    close(ends[1]);
    bool read_all = read(ends[0], a, sizeof *a) == sizeof *a;
    close(ends[0]);
    int status = 1;
    return waitpid(child, &status, 0) == child && status == 0 && read_all;
}

Test(parallel, forks) {
    answer before, here, after;
    cr_expect(in_a_child(&before), "fork before the first use");
    cr_assert(in_a_context(BZ_LAZY, 3, 40, &here));
    cr_expect(memcmp(&before, &here, sizeof here) == 0);
#ifndef __SANITIZE_THREAD__ /* which allows no threads in such a child */
    cr_expect(in_a_child(&after), "fork after the first use: the workers are gone in the child");
    cr_expect(memcmp(&after, &here, sizeof here) == 0);
#endif
    cr_expect(in_a_context(BZ_EAGER, 3, 40, &after), "the parent goes on");
}
