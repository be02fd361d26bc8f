/* test_kept.c - what products pack of captured tensors stays from call to call, and never one call too long: beside each program stands a
 * lean one, which packs at every call and must give the same bits. */
#include "tests/support/irtest.h"
#include "tests/support/rt_support.h"
#include "src/passes/pass.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    K = 96,
    N = 80,
    NUMBERS = 256 * N
}; /* K * N f32 are more than a first cache keeps beside others */

/* A function of in[0], rows of K, and of captured w. */
typedef struct model {
    bz_function *fn;
    bz_tensor *w[3];
    bz_program *keeps, *lean;
} model;

#define FUNCTION(name)                                                                             \
    static bz_status name(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout, \
                          void *user)
#define UNUSED (void)c, (void)in, (void)nin, (void)nout, (void)out
#define W(i)   (((model *)user)->w[i])

static uint64_t packed(const bz_context *c) {
    bz_counters n;
    bz_get_counters(c, &n);
    return n.packed;
}

static uint64_t bytes(const bz_context *c) {
    bz_counters n;
    bz_get_counters(c, &n);
    return n.bytes;
}

static bz_tensor *random_of(bz_context *c, int64_t rows, int64_t columns) {
    bz_tensor *x = bz_randn(c, BZ_SHAPE(rows, columns), BZ_F32);
    cr_assert_eq(bz_eval(&x, 1), BZ_OK, "%s", bz_message(c));
    return x;
}

static void start(bz_context *c, model *m, bz_function *fn, int nin, const int *donate) {
    m->fn = fn;
    m->keeps = bz_compile(c, fn, m, &(bz_compile_options){.nin = nin, .nout = 1, .donate = donate});
    m->lean = bz_compile(
        c, fn, m, &(bz_compile_options){.nin = nin, .nout = 1, .donate = donate, .lean = true});
    cr_assert(m->keeps && m->lean, "%s", bz_message(c));
}

static const float *numbers_of(bz_program *p, bz_tensor *const *in, float *room, size_t *size) {
    bz_tensor *out;
    bz_context *c = bz_context_of(in[0]);
    cr_assert_eq(bz_call(p, in, &out), BZ_OK, "%s", bz_message(c));
    *size = (size_t)bz_numel(out) * sizeof(float);
    cr_assert(*size <= NUMBERS * sizeof(float));
    cr_assert_eq(bz_to_host(out, room, *size), BZ_OK, "%s", bz_message(c));
    return room;
}

/* Both give the same now, and `want` tensors are packed for that (where tensors are packed). */
static void expect_packed(int line, bz_context *c, const model *m, bz_tensor *const *in,
                          unsigned want) {
    float kept[NUMBERS], lean[NUMBERS];
    size_t n = 0;
    cr_assert_eq(bz_scope_begin(c), BZ_OK);
    uint64_t before = packed(c);
    numbers_of(m->keeps, in, kept, &n);
    uint64_t now = packed(c) - before;
    cr_expect(now == want, "line %d: %u packed, not %u", line, (unsigned)now, want);
    numbers_of(m->lean, in, lean, &n);
    cr_expect(memcmp(kept, lean, n) == 0, "line %d: what is kept is not what is", line);
    cr_expect_eq(packed(c) - before, now, "line %d: a lean program keeps", line);
    bz_scope_end(c);
}
#define EXPECT_PACKED(m, in, want) expect_packed(__LINE__, c, m, in, want)

/* ---- once */

FUNCTION(product) {
    UNUSED;
    out[0] = bz_matmul(in[0], W(0));
    return BZ_OK;
}

FUNCTION(turned) {
    UNUSED;
    out[0] = bz_relu(bz_matmul(in[0], bz_transpose(W(0), 0, 1)));
    return BZ_OK;
}

/* Few rows and many, the weight as it lies and transposed, a vector. */
Test(kept, once) {
    static const int64_t rows[] = {1, 3, 8, 32, 200};
    for (int turn = 0; turn < 2; turn++)
        for (unsigned i = 0; i < BZ_LEN(rows); i++) {
            bz_context *c = open_one(BZ_CPU);
            model m = {.w = {turn ? random_of(c, N, K) : random_of(c, K, N)}};
            start(c, &m, turn ? turned : product, 1, NULL);
            bz_tensor *x = random_of(c, rows[i], K);
            EXPECT_PACKED(&m, &x, 1);
            for (int k = 0; k < 3; k++) EXPECT_PACKED(&m, &x, 0);
            x = random_of(c, rows[i], K);
            EXPECT_PACKED(&m, &x, 0);
            bz_close(c);
        }
}

/* Input 0 is the weight: an input of a call is none. */
FUNCTION(by_input) {
    UNUSED, (void)user;
    out[0] = bz_matmul(in[0], in[1]);
    return BZ_OK;
}
Test(kept, inputs_are_no_weights) {
    bz_context *c = open_one(BZ_CPU);
    model m = {0};
    bz_tensor *in[] = {random_of(c, 32, K), random_of(c, K, N)};
    start(c, &m, by_input, 2, NULL);
    for (int i = 0; i < 2; i++) EXPECT_PACKED(&m, in, 0);
    bz_close(c);
}

/* ---- a weight changes */

static void changes(bz_context *c, int64_t rows, unsigned packs) {
    model m = {.w = {random_of(c, K, N)}};
    bz_tensor *x = random_of(c, rows, K), *row = bz_select(m.w[0], 0, 1);
    start(c, &m, product, 1, NULL);
    EXPECT_PACKED(&m, &x, packs);
    bz_copy_(m.w[0], random_of(c, K, N)); /* as a whole, not yet computed */
    EXPECT_PACKED(&m, &x, packs);
    bz_add_(row, bz_select(random_of(c, 1, N), 0, 0)); /* in part, through a view */
    EXPECT_PACKED(&m, &x, packs);
    bz_mul_(m.w[0], bz_scalar(c, 0.5));
    bz_eval(m.w, 1); /* in its own memory */
    EXPECT_PACKED(&m, &x, packs);
    EXPECT_PACKED(&m, &x, 0);
    bz_fill_(row, 0.25);
    bz_fill_(row, 0.5);
    EXPECT_PACKED(&m, &x, packs);
    EXPECT_PACKED(&m, &x, 0);
}

/* Near and far, where kernels run and where nothing is packed. */
Test(kept, changes) {
    static const int devices[] = {BZ_CPU, FAR_KERNELS, BZ_REF, FAR_DEVICE};
    for (int i = 0; i < 8; i++) {
        bz_context *c;
        bz_options o = {.device = (bz_device)devices[i / 2], .mode = (bz_mode)(i % 2)};
        cr_assert_eq(bz_open(&o, &c), BZ_OK);
        changes(c, 2, i < 4);
        changes(c, 40, i < 4);
        bz_close(c);
    }
}

FUNCTION(step) {
    UNUSED, (void)user;
    out[0] = bz_sub(in[0], bz_mul(in[1], bz_scalar(c, 0.125)));
    return BZ_OK;
}

/* A weight that another program takes as a donation, step after step; with one that stays beside it. */
FUNCTION(two_layers) {
    UNUSED;
    out[0] = bz_matmul(bz_relu(bz_matmul(in[0], W(0))), W(1));
    return BZ_OK;
}

Test(kept, donated_weights) {
    bz_context *c = open_one(BZ_CPU);
    model m = {.w = {random_of(c, K, N), random_of(c, N, N)}};
    bz_program *update = bz_compile(
        c, step, NULL, &(bz_compile_options){.nin = 2, .nout = 1, .donate = (int[]){0, -1}});
    bz_tensor *x = random_of(c, 40, K), *out;
    start(c, &m, two_layers, 1, NULL);
    EXPECT_PACKED(&m, &x, 2);
    for (int i = 0; i < 3; i++) {
        bz_tensor *in[] = {m.w[0], random_of(c, K, N)};
        cr_assert_eq(bz_call(update, in, &out), BZ_OK, "%s", bz_message(c));
        EXPECT_PACKED(&m, &x, 1);
    }
    EXPECT_PACKED(&m, &x, 0);
    bz_close(c);
}

/* The weight is captured, and donated to the program that captured it. */
FUNCTION(own_step) {
    UNUSED;
    out[0] = bz_add(in[0], bz_mean(bz_matmul(in[1], W(0)), BZ_ALL));
    return BZ_OK;
}
Test(kept, donated_to_who_captured_it) {
    bz_context *c = open_one(BZ_CPU);
    static float got[2][K * N];
    for (int lean = 0; lean < 2; lean++) {
        bz_seed(c, 5);
        model m = {.w = {random_of(c, K, N)}};
        start(c, &m, own_step, 2, (int[]){0, -1});
        bz_tensor *in[] = {m.w[0], random_of(c, 40, K)}, *out;
        for (int i = 0; i < 4; i++)
            cr_assert_eq(bz_call(lean ? m.lean : m.keeps, in, &out), BZ_OK, "%s", bz_message(c));
        cr_assert_eq(bz_to_host(m.w[0], got[lean], sizeof got[lean]), BZ_OK);
    }
    cr_expect(memcmp(got[0], got[1], sizeof got[0]) == 0);
    cr_expect_eq(packed(c), 4);
    bz_close(c);
}

/* Weights that change before every call: after eight of them nothing is kept any more, and its memory is free. */
Test(kept, always_changed) {
    bz_context *c = open_one(BZ_CPU);
    model m = {.w = {random_of(c, K, N)}};
    bz_tensor *x = random_of(c, 2, K);
    start(c, &m, product, 1, NULL);
    cr_assert_eq(bz_prepare(m.lean, &x), BZ_OK);
    const uint64_t before = bytes(c);
    for (int i = 0; i < 20; i++) {
        EXPECT_PACKED(&m, &x, i < 8);
        bz_mul_(m.w[0], bz_scalar(c, 0.875));
        bz_eval(m.w, 1);
    }
    cr_expect(bytes(c) < before + K * N * sizeof(float), "what is not used any more is kept");
    bz_close(c);
}

/* The caller's memory changes with nobody knowing. */
static float home[K * N];

static void foreign(bz_context *c) {
    for (int i = 0; i < K * N; i++) home[i] = (float)(i % 7);
    model m = {.w = {bz_from_buffer(c, BZ_F32, home, ((int64_t[]){K, N}), NULL, 2)}};
    bz_tensor *x = random_of(c, 40, K);
    start(c, &m, product, 1, NULL);
    for (int i = 0; i < 3; i++) {
        EXPECT_PACKED(&m, &x, 0);
        bz_flush(m.w[0]);
        for (int k = 0; k < K * N; k++) home[k] += 1;
    }
    bz_add_(m.w[0], m.w[0]);
    EXPECT_PACKED(&m, &x, 0);
    bz_release(m.w[0]);
}
Test(kept, memory_of_the_caller) {
    on_all(foreign);
}

/* ---- what else stands in front of a product, and around it */

FUNCTION(prepared) {
    UNUSED;
    bz_tensor *w = bz_mul(bz_cast(W(0), BZ_F32), W(1)); /* halves, and a scale for each column */
    out[0] = bz_matmul(in[0], w);
    return BZ_OK;
}
Test(kept, prologues) {
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *halves = bz_cast(random_of(c, K, N), BZ_BF16);
    cr_assert_eq(bz_eval(&halves, 1), BZ_OK);
    model m = {.w = {halves, random_of(c, 1, N)}};
    bz_tensor *x = random_of(c, 100, K);
    start(c, &m, prepared, 1, NULL);
    EXPECT_PACKED(&m, &x, 1);
    EXPECT_PACKED(&m, &x, 0);
    bz_mul_(m.w[1], bz_scalar(c, 2)); /* one of two that the panels are made of */
    EXPECT_PACKED(&m, &x, 1);
    EXPECT_PACKED(&m, &x, 0);
    bz_close(c);
}

/* What the panels are made of is no captured tensor alone. */
FUNCTION(scaled_by_input) {
    UNUSED;
    out[0] = bz_matmul(in[0], bz_mul(W(0), bz_mean(in[0], BZ_ALL)));
    return BZ_OK;
}
Test(kept, made_of_an_input_too) {
    bz_context *c = open_one(BZ_CPU);
    model m = {.w = {random_of(c, K, N)}};
    start(c, &m, scaled_by_input, 1, NULL);
    for (int i = 0; i < 3; i++) {
        bz_tensor *x = random_of(c, 100, K);
        EXPECT_PACKED(&m, &x, 0);
    }
    bz_close(c);
}

/* Side by side in one launch, each packs its own. */
FUNCTION(siblings) {
    UNUSED;
    bz_tensor *all[3];
    for (int i = 0; i < 3; i++)
        all[i] = bz_sum(bz_exp(bz_matmul(in[0], W(i))), ((int[]){0}), 1, false);
    out[0] = bz_concat(all, 3, 0);
    return BZ_OK;
}
Test(kept, siblings) {
    bz_context *c = open_one(BZ_CPU);
    model m = {.w = {random_of(c, K, N), random_of(c, K, N), random_of(c, K, N)}};
    bz_tensor *x = random_of(c, 100, K);
    start(c, &m, siblings, 1, NULL);
    EXPECT_PACKED(&m, &x, 3);
    EXPECT_PACKED(&m, &x, 0);
    bz_neg(m.w[1]);
    EXPECT_PACKED(&m, &x, 0);
    bz_add_(m.w[1], m.w[0]);
    EXPECT_PACKED(&m, &x, 1);
    bz_close(c);
}

/* Products and the softmax between them in bands of rows: 512 rows of 2048 do not stay in the caches. */
FUNCTION(band) {
    UNUSED;
    out[0] = bz_matmul(bz_softmax(bz_matmul(in[0], W(0)), -1), W(1));
    return BZ_OK;
}
Test(kept, bands) {
    enum { ROWS = 640, WIDE = 2048 };
    bz_context *c = open_one(BZ_CPU);
    model m = {.w = {random_of(c, 32, WIDE), random_of(c, WIDE, 16)}};
    bz_tensor *x = random_of(c, ROWS, 32);
    start(c, &m, band, 1, NULL);
    EXPECT_PACKED(&m, &x, 2);
    EXPECT_PACKED(&m, &x, 0);
    bz_add_(m.w[1], m.w[1]);
    EXPECT_PACKED(&m, &x, 1);
    bz_close(c);
}

/* A constant is packed once, too: it has no value that changes. */
Test(kept, in_plans) {
    static const char text[] = "graph main(x: f32[40,96], w: lasting f32[80,96], v: f32[96,80]) {\n"
                               "  %1 = transpose %w {a=0, b=1}\n"
                               "  %2 = dot %x, %1 {lcontract=[1], rcontract=[0]}\n"
                               "  %3 = dot %x, %v {lcontract=[1], rcontract=[0]}\n"
                               "  %4 = add %2, %3\n"
                               "  return %4 as y\n"
                               "}\n";
    ir_module *m = irt_parse(text);
    bz_error e = {0};
    pass_target t = {.vector_bytes = 32, .machine = &pass_cpu, .registers = 16, .masks = true};
    for (int keeps = 0; keeps < 2; keeps++) {
        t.keeps = keeps;
        pass_plan *p = pass_compile(m->graphs.p[0], &t, &e);
        bz_text plan = {0};
        cr_assert(p, "%s", e.text);
        pass_plan_print(&plan, p);
        cr_expect_eq(strstr(bz_text_c(&plan), "keeps what it makes of w\n") != NULL, keeps);
        cr_expect_eq(p->kept_bytes > 0, keeps);
        bz_text_free(&plan);
        pass_plan_free(p);
    }
    ir_module_free(m);
}

/* ---- memory */

Test(kept, is_counted_and_freed) {
    bz_context *c = open_one(BZ_CPU);
    model m = {.w = {random_of(c, K, N)}};
    bz_tensor *x = random_of(c, 40, K);
    start(c, &m, product, 1, NULL);
    const uint64_t at_first = bytes(c), w = K * N * sizeof(float);
    cr_assert_eq(bz_prepare(m.lean, &x), BZ_OK);
    const uint64_t lean = bytes(c) - at_first;
    bz_program_free(m.lean);
    cr_expect_eq(bytes(c), at_first);
    cr_assert_eq(bz_prepare(m.keeps, &x), BZ_OK);
    const uint64_t kept = bytes(c) - at_first;
    cr_expect(kept >= w && kept < 2 * w && kept >= lean, "%llu bytes beside %llu",
              (unsigned long long)kept, (unsigned long long)lean);
    bz_explanation *found;
    cr_assert_eq(bz_explain(m.keeps, NULL, &found), BZ_OK, "%s", bz_message(c));
    cr_expect(found->kept_bytes >= (int64_t)w);
    bz_explanation_free(found);
    bz_program_free(m.keeps);
    cr_expect_eq(bytes(c), at_first);
    bz_close(c);
}

/* Room for results and the arena, none for what would be kept beside it. */
Test(kept, limits) {
    bz_context *c = open_one(BZ_CPU);
    model m = {.w = {random_of(c, K, N)}};
    bz_tensor *x = random_of(c, 2, K);
    start(c, &m, product, 1, NULL);
    bz_set_limit(c, BZ_LIMIT_BYTES, bytes(c) + K * N * sizeof(float) / 2);
    for (int i = 0; i < 2; i++) EXPECT_PACKED(&m, &x, 0);
    cr_expect_eq(bz_context_status(c), BZ_OK, "%s", bz_message(c));
    bz_close(c);
}

/* Two signatures keep, and more pack in each call; what is forgotten makes room. */
Test(kept, signatures) {
    bz_context *c = open_one(BZ_CPU);
    model m = {.w = {random_of(c, K, N)}};
    start(c, &m, product, 1, NULL);
    for (int rows = 40; rows < 44; rows++) {
        bz_tensor *x = random_of(c, rows, K);
        EXPECT_PACKED(&m, &x, rows < 42);
        EXPECT_PACKED(&m, &x, 0);
    }
    bz_copy_(m.w[0], random_of(c, K, N));
    for (int rows = 40; rows < 44; rows++) {
        bz_tensor *x = random_of(c, rows, K);
        EXPECT_PACKED(&m, &x, rows < 42);
    }
    bz_set_limit(c, BZ_LIMIT_PLANS, 1);
    for (int rows = 50; rows < 54; rows++) {
        bz_tensor *x = random_of(c, rows, K);
        EXPECT_PACKED(&m, &x, rows > 50); /* it was there before the others went */
        EXPECT_PACKED(&m, &x, 0);
    }
    bz_close(c);
}

/* ---- what ends a call too early */

FUNCTION(picked) {
    UNUSED;
    out[0] = bz_add(bz_matmul(in[0], W(0)), bz_gather(W(1), in[1], 0));
    return BZ_OK;
}

static bz_tensor *indices(bz_context *c, int64_t last) {
    int64_t v[40] = {0};
    v[39] = last;
    return bz_from_data(c, BZ_I64, v, BZ_SHAPE(40));
}

Test(kept, calls_that_fail) {
    bz_context *c = open_one(BZ_CPU);
    model m = {.w = {random_of(c, K, N), random_of(c, 8, N)}};
    bz_tensor *good[] = {random_of(c, 40, K), indices(c, 7)}, *bad[] = {good[0], indices(c, 8)},
              *out;
    start(c, &m, picked, 2, NULL);
    for (int i = 0; i < 2; i++) { /* before the first good one, and between others */
        cr_expect_eq(bz_call(m.keeps, bad, &out), BZ_EINDEX);
        bz_clear(c);
        bz_fill_(bz_select(m.w[0], 0, 3), 1 + i);
        cr_expect_eq(bz_call(m.keeps, bad, &out), BZ_EINDEX);
        bz_clear(c);
        EXPECT_PACKED(&m, good, 1);
        cr_expect_eq(bz_call(m.keeps, bad, &out), BZ_EINDEX);
        bz_clear(c);
        EXPECT_PACKED(&m, good, 0);
        bz_interrupt(c);
        cr_expect_eq(bz_call(m.keeps, good, &out), BZ_EINTERRUPTED);
        bz_clear(c);
        EXPECT_PACKED(&m, good, 0);
    }
    bz_close(c);
}

/* ---- threads: a context each, at the same time */

static void *work(void *at) {
    bz_context *c = open_one(BZ_CPU);
    const int number = *(int *)at;
    changes(c, 2 + 40 * (number % 2), 1);
    bz_close(c);
    return NULL;
}

/* One context and one program: whoever comes while another is in a call is sent away. */
typedef struct shared {
    bz_program *p;
    bz_tensor *x;
    unsigned done;
} shared;

static void *use(void *user) {
    shared *s = user;
    for (int i = 0; i < 50; i++) {
        bz_tensor *out;
        const bz_status status = bz_call(s->p, &s->x, &out);
        cr_expect(status == BZ_OK || status == BZ_EBUSY, "status %d", (int)status);
        s->done += status == BZ_OK;
    }
    return NULL;
}

Test(kept, threads) {
    enum { THREADS = 3 };
    pthread_t t[THREADS];
    int numbers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        cr_assert_eq(pthread_create(&t[i], NULL, work, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
}

Test(kept, threads_of_one_program) {
    bz_context *c = open_one(BZ_CPU);
    model m = {.w = {random_of(c, K, N)}};
    bz_tensor *x = random_of(c, 40, K);
    start(c, &m, product, 1, NULL);
    shared s[2] = {{m.keeps, x, 0}, {m.keeps, x, 0}};
    pthread_t t;
    cr_assert_eq(bz_prepare(m.keeps, &x), BZ_OK);
    cr_assert_eq(pthread_create(&t, NULL, use, &s[0]), 0);
    use(&s[1]);
    pthread_join(t, NULL);
    cr_expect(s[0].done + s[1].done > 0);
    bz_clear(c);
    EXPECT_PACKED(&m, &x, 0);
    cr_expect_eq(packed(c), 1);
    bz_close(c);
}
