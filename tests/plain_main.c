/* plain_main.c - runs Criterion's tests without Criterion's runner, for builds where that cannot
 * start: its sandbox maps memory where ThreadSanitizer keeps its shadow. Linked into each test of
 * BUILD=tsan.
 *
 * Same tests, parameters and fixtures, same macros, same report line. Each test runs in a forked
 * child, so that one cannot disturb the next. Not known here: theories (they count as failed). */
#include <criterion/criterion.h>
#include <criterion/event.h>
#include <criterion/parameterized.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DEFAULT_TIMEOUT = 120 };

/* Criterion's Test() leaves a pointer to each test in this section. */
extern struct criterion_test *__start_cr_tst[], *__stop_cr_tst[];
/* ... and TestSuite() one to each suite in this one, if there are any. */
extern struct criterion_suite *__start_cr_sts[] __attribute__((weak)),
    *__stop_cr_sts[] __attribute__((weak));
int main(int argc, char **argv);

/* Of the test that this process runs. */
static int failures;
static void *parameter; /* NULL: it takes none */

/* ---- what the assertion macros call; these definitions go before the library's ---- */

void criterion_send_assert(struct criterion_assert_stats *stats) {
    if (stats->passed) return;
    failures++;
    fprintf(stderr, "[----] %s:%u: %s\n", stats->file, stats->line,
            stats->message ? stats->message : "assertion failed");
}

void criterion_abort_test(void) {
    _exit(1);
}

void criterion_continue_test(void) {}

void criterion_test_die(const char *format, ...) {
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    _exit(1);
}

void criterion_internal_test_setup(void) {}

void criterion_internal_test_main(void (*test)(void)) {
    if (parameter)
        ((void (*)(void *))test)(parameter);
    else
        test();
}

void criterion_internal_test_teardown(void) {}

/* ---- the runner ---- */

static const struct criterion_test_extra_data *suite_of(const struct criterion_test *t) {
    static const struct criterion_test_extra_data none;
    for (struct criterion_suite **s = __start_cr_sts; s && s < __stop_cr_sts; s++)
        if (*s && (*s)->data && !strcmp((*s)->name, t->category)) return (*s)->data;
    return &none;
}

static void call(void (*fixture)(void)) {
    if (fixture) fixture();
}

static void run_here(const struct criterion_test *t) {
    const struct criterion_test_extra_data *suite = suite_of(t);
    double limit = t->data->timeout > 0 ? t->data->timeout : suite->timeout;
    alarm(limit > 0 && limit < 1e6 ? (unsigned)limit + 1 : DEFAULT_TIMEOUT);
    call(suite->init);
    call(t->data->init);
    t->test();
    call(t->data->fini);
    call(suite->fini);
    exit(failures > 0); /* runs the sanitizer's last checks */
}

static bool passes(const struct criterion_test *t) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) run_here(t);
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child) return false;
    if (WIFSIGNALED(status)) return WTERMSIG(status) == t->data->signal;
    return t->data->signal == 0 && WEXITSTATUS(status) == t->data->exit_code;
}

static struct { int tested, passing; } total;

static void count(const struct criterion_test *t, bool good) {
    if (!good) fprintf(stderr, "[FAIL] %s::%s\n", t->category, t->name);
    total.tested++;
    total.passing += good;
}

/* Once, or once for each of its parameters. */
static void run(const struct criterion_test *t) {
    if (t->data->kind_ != CR_TEST_PARAMETERIZED) {
        count(t, t->data->kind_ == CR_TEST_NORMAL && passes(t));
        return;
    }
    struct criterion_test_params params = t->data->param_();
    for (size_t i = 0; i < params.length; i++) {
        parameter = (char *)params.params + i * params.size;
        count(t, passes(t));
    }
    if (params.cleanup) params.cleanup(&params);
    parameter = NULL;
}

int main(int argc, char **argv) {
    for (struct criterion_test **t = __start_cr_tst; t < __stop_cr_tst; t++)
        if (*t && !(*t)->data->disabled && (argc < 2 || strstr((*t)->name, argv[1]))) run(*t);
    fprintf(stderr, "[====] Synthesis: Tested: %d | Passing: %d | Failing: %d | Crashing: 0\n",
            total.tested, total.passing, total.tested - total.passing);
    return total.passing != total.tested;
}
