/* plain_main.c - runs Criterion's tests without Criterion's runner, for builds where that cannot
 * start: its sandbox maps memory where ThreadSanitizer keeps its shadow. Linked into each test of
 * BUILD=tsan.
 *
 * Same tests, same macros, same report line. Each test runs in a forked child, so that one cannot
 * disturb the next. Not known here: parameters and theories (such tests count as failed), and
 * suites' own fixtures. */
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
int main(int argc, char **argv);

static int failures; /* of the test that this process runs */

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
    test();
}

void criterion_internal_test_teardown(void) {}

/* ---- the runner ---- */

static void run_here(const struct criterion_test *t) {
    double limit = t->data->timeout;
    alarm(limit > 0 && limit < 1e6 ? (unsigned)limit + 1 : DEFAULT_TIMEOUT);
    if (t->data->init) t->data->init();
    t->test();
    if (t->data->fini) t->data->fini();
    exit(failures > 0); /* runs the sanitizer's last checks */
}

static bool passes(const struct criterion_test *t) {
    if (t->data->kind_ != CR_TEST_NORMAL) return false;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) run_here(t);
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child) return false;
    if (WIFSIGNALED(status)) return WTERMSIG(status) == t->data->signal;
    return t->data->signal == 0 && WEXITSTATUS(status) == t->data->exit_code;
}

int main(int argc, char **argv) {
    int tested = 0, passing = 0;
    for (struct criterion_test **t = __start_cr_tst; t < __stop_cr_tst; t++) {
        if (!*t || (*t)->data->disabled || (argc > 1 && !strstr((*t)->name, argv[1]))) continue;
        bool good = passes(*t);
        if (!good) fprintf(stderr, "[FAIL] %s::%s\n", (*t)->category, (*t)->name);
        tested++;
        passing += good;
    }
    fprintf(stderr, "[====] Synthesis: Tested: %d | Passing: %d | Failing: %d | Crashing: 0\n",
            tested, passing, tested - passing);
    return passing != tested;
}
