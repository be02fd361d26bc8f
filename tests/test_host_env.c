/* test_host_env.c - what the host program has set changes nothing: locale, rounding, flushing, traps.
 *
 * One program that goes through the whole library (folding, machine code, the interpreter, gradients, compiled functions, text,
 * JSON, files, exports) writes all that it gets into one text. Each environment runs it in a process of its own, so that code is
 * generated there too; the texts are the same, and the environment is as it was after every call. */
#include "src/ir/base/base.h"
#include "tests/support/host_env.h"
#include "tests/support/rt_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const host_env *env; /* of this process */

#define LOOK()                                                                                     \
    cr_assert(host_env_is(env), "line %d: the environment %s was not restored", __LINE__, env->name)

/* The bytes of x, in hexadecimal: nothing is lost in printing. */
static void put(bz_text *t, const char *what, bz_tensor *x) {
    unsigned char bytes[4096];
    size_t n = (size_t)bz_numel(x) * bz_dtype_size(bz_dtype_of(x));
    cr_assert(n <= sizeof bytes);
    cr_assert_eq(bz_to_host(x, bytes, n), BZ_OK, "%s, %s: %s", env->name, what,
                 bz_message(bz_context_of(x)));
    LOOK();
    bz_textf(t, "%s", what);
    for (size_t i = 0; i < n; i++) bz_textf(t, "%s%02x", i % 8 ? "" : " ", bytes[i]);
    bz_text_str(t, "\n");
}

static void put_shown(bz_text *t, bz_tensor *x) {
    char shown[2000];
    bz_format(x, shown, sizeof shown);
    LOOK();
    bz_textf(t, "%s\n", shown);
}

static const double values[] = {0.1, 0.7, -1.5, 3e-310, 5e-324, 1e300, 2.5, 1 / 3.0};

static bz_tensor *data(bz_context *c, bz_dtype t) {
    bz_tensor *x = bz_from_data(c, BZ_F64, values, (int64_t[]){2, 4}, 2);
    return bz_cast(x, t);
}

/* Constants fold when they are recorded; the numbers that sequences and random draws start from, too. */
static void fold(bz_text *t, bz_context *c) {
    bz_tensor *a = bz_full(c, NULL, 0, 0.1, BZ_F64), *b = bz_full(c, NULL, 0, 0.7, BZ_F64);
    LOOK();
    put(t, "mul", bz_mul(a, b));
    put(t, "div", bz_div(a, b));
    put(t, "exp", bz_exp(bz_sub(a, b)));
    put(t, "tiny", bz_mul(bz_full(c, NULL, 0, 1e-300, BZ_F64), bz_full(c, NULL, 0, 1e-15, BZ_F64)));
    put(t, "narrow", bz_full(c, NULL, 0, 1e-42, BZ_F32));
    put(t, "arange", bz_arange(c, 0.1, 2.05, 0.3, BZ_F32));
    put(t, "linspace", bz_linspace(c, -0.1, 0.7, 7, BZ_F64));
    put(t, "rand", bz_rand(c, (int64_t[]){5}, 1, BZ_F32));
    put(t, "randn", bz_randn(c, (int64_t[]){5}, 1, BZ_F64));
    bz_tensor *f = bz_mul(a, b);
    double item = bz_item(f);
    uint64_t bits;
    memcpy(&bits, &item, sizeof bits);
    LOOK();
    bz_textf(t, "item %016llx\n", (unsigned long long)bits);
    bz_arange(c, 0.5, 0.7, 0, BZ_F32);
    bz_textf(t, "%s\n", bz_message(c));
    bz_clear(c);
    LOOK();
}

static void compute(bz_text *t, bz_context *c) {
    for (bz_dtype d = BZ_F16; d <= BZ_F64; d++) {
        bz_tensor *x = data(c, d), *g;
        put(t, "cast", x);
        bz_tensor *y = bz_mul(bz_sin(x), bz_add(bz_sigmoid(x), bz_scalar(c, 0.3)));
        put(t, "chain", y);
        put(t, "softmax", bz_softmax(x, -1));
        put(t, "product", bz_matmul(x, bz_transpose(x, 0, 1)));
        bz_tensor *loss =
            bz_sum(bz_rsqrt(bz_add(bz_square(x), bz_scalar(c, 1.25))), NULL, 0, false);
        cr_assert_eq(bz_grad(loss, &x, 1, &g), BZ_OK, "%s", bz_message(c));
        LOOK();
        put(t, "gradient", g);
        put_shown(t, y);
        bz_fill_(y, 0.1);
        LOOK();
        bz_add_(y, x);
        LOOK();
        put(t, "in place", y);
    }
}

/* The function is the host's own: it sees the host's environment, inside a call as well. */
static bz_status traced(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                        void *user) {
    (void)nin, (void)nout, (void)user;
    LOOK();
    out[0] = bz_gelu(bz_mul(in[0], bz_scalar(c, 0.1)));
    LOOK();
    return BZ_OK;
}

static void put_file(bz_text *t, const char *path) {
    char chunk[4096];
    FILE *f = fopen(path, "rb");
    cr_assert(f, "%s", path);
    uint64_t hash = 0;
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0;) hash = bz_hash(hash, chunk, n);
    fclose(f);
    unlink(path);
    bz_textf(t, "%s %016llx\n", strrchr(path, '/'), (unsigned long long)hash);
}

static void compiled(bz_text *t, bz_context *c, const char *dir) {
    bz_program *p = bz_compile(c, traced, NULL, &(bz_compile_options){.nin = 1, .nout = 1});
    bz_tensor *x = data(c, BZ_F32), *y;
    cr_assert_eq(bz_call(p, &x, &y), BZ_OK, "%s", bz_message(c));
    LOOK();
    put(t, "call", y);
    char path[128];
    if (c &&
        bz_explain(p, &(bz_machine){4, 1.5e10, 2.5e11}, &(bz_explanation *){NULL}) == BZ_EMODE) {
        bz_clear(c); /* the interpreter has nothing to explain, nor to export */
        bz_program_free(p);
        return;
    }
    bz_explanation *why = NULL;
    cr_assert_eq(bz_explain(p, &(bz_machine){4, 1.5e10, 2.5e11}, &why), BZ_OK);
    for (int f = BZ_EXPLAIN_TEXT; f <= BZ_EXPLAIN_SVG; f++) {
        snprintf(path, sizeof path, "%s/explanation.%d", dir, f);
        cr_assert_eq(bz_write_explanation(why, (bz_explain_format)f, path), BZ_OK);
        LOOK();
        put_file(t, path);
    }
    bz_explanation_free(why);
    snprintf(path, sizeof path, "%s/step", dir);
    cr_assert_eq(bz_export(p, &x, path, "step", NULL), BZ_OK, "%s", bz_message(c));
    LOOK();
    for (int k = 0; k < 3; k++) {
        static const char *const names[] = {"step.o", "step.h", "braze_rt.o"};
        snprintf(path, sizeof path, "%s/%s", dir, names[k]);
        put_file(t, path);
    }
    bz_program_free(p);
}

static void files(bz_text *t, bz_context *c, const char *dir) {
    char path[128];
    snprintf(path, sizeof path, "%s/x.npy", dir);
    cr_assert_eq(bz_save_npy(data(c, BZ_F32), path), BZ_OK);
    LOOK();
    put(t, "npy", bz_load_npy(c, path));
    LOOK();
    put_file(t, path);
}

static void everything(bz_text *t, const char *dir) {
    static const bz_options modes[] = {{.device = BZ_CPU, .seed = 3, .threads = 2},
                                       {.device = BZ_CPU, .mode = BZ_EAGER, .seed = 3},
                                       {.device = BZ_REF, .seed = 3}};
    for (unsigned m = 0; m < BZ_LEN(modes); m++) {
        bz_context *c;
        cr_assert_eq(bz_open(&modes[m], &c), BZ_OK, "%s", bz_message(NULL));
        LOOK();
        fold(t, c);
        compute(t, c);
        compiled(t, c, dir);
        files(t, c, dir);
        cr_assert_eq(bz_context_status(c), BZ_OK, "%s: %s", env->name, bz_message(c));
        bz_close(c);
        LOOK();
    }
}

static bool child(int fd, const char *dir) {
    bz_text t = {0};
    if (!host_env_set(env)) return false;
    everything(&t, dir);
    host_env_set(&host_envs[0]);
    bool good = write(fd, bz_text_c(&t), t.n) == (ssize_t)t.n;
    bz_text_free(&t);
    return good;
}

static bz_text run_in(const host_env *e, const char *dir) {
    bz_text t = {0};
    int ends[2], status = 1;
    cr_assert_eq(pipe(ends), 0);
    env = e;
    pid_t pid = fork();
    if (pid == 0) _exit(child(ends[1], dir) ? 0 : 1);
    close(ends[1]);
    char chunk[4096];
    for (ssize_t n; (n = read(ends[0], chunk, sizeof chunk)) > 0;)
        bz_text_add(&t, chunk, (size_t)n);
    close(ends[0]);
    waitpid(pid, &status, 0);
    cr_expect_eq(status, 0, "%s: status %x", e->name, (unsigned)status);
    return t;
}

/* The first line that differs. */
static void compare(const host_env *e, const char *got, const char *want) {
    while (*got && *want) {
        size_t n = strcspn(got, "\n"), m = strcspn(want, "\n");
        if (n != m || memcmp(got, want, n)) break;
        got += n + (got[n] == '\n');
        want += m + (want[m] == '\n');
    }
    cr_expect(!*got && !*want, "%s: '%.*s', not '%.*s'", e->name, (int)strcspn(got, "\n"), got,
              (int)strcspn(want, "\n"), want);
}

Test(host_env, nothing_of_it_matters) {
    char dir[] = "/tmp/braze-host-XXXXXX";
    cr_assert(mkdtemp(dir));
    bz_text want = run_in(&host_envs[0], dir);
    cr_assert_gt(want.n, 1000u);
    for (const host_env *e = host_envs + 1; e->name; e++) {
        bz_text got = run_in(e, dir);
        compare(e, bz_text_c(&got), bz_text_c(&want));
        bz_text_free(&got);
    }
    bz_text_free(&want);
    rmdir(dir);
}
