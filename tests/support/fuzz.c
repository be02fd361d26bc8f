/* fuzz.c - see fuzz.h. */
#include "tests/support/fuzz.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_FAULTS = 5, PATIENCE = 300 /* seconds */ };

static const char *at_name;
static volatile uint64_t at_seed;
static volatile sig_atomic_t enough;

/* A sanitizer's own way to the end; absent elsewhere. */
__attribute__((weak)) void __sanitizer_set_death_callback(void (*call)(void));

static void tell(void) {
    char line[64];
    int n = snprintf(line, sizeof line, "%s: at seed %llu\n", at_name, (unsigned long long)at_seed);
    if (n < 0 || write(STDERR_FILENO, line, (size_t)n) != n) return;
}

static void die(int number) {
    tell();
    signal(number, SIG_DFL);
    raise(number);
}

static void stop(int number) {
    (void)number;
    enough = 1;
}

static void tell_at_the_end(void) {
    static const int fatal[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(tell);
    else
        for (size_t i = 1; i < sizeof fatal / sizeof *fatal; i++) signal(fatal[i], die);
    signal(fatal[0], die);
    signal(SIGALRM, die);
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
}

fuzz_span fuzz_begin(const char *name, int argc, char **argv) {
    time_t now = time(NULL);
    fuzz_span f = {.name = name,
                   .end = now + (argc > 1 ? atol(argv[1]) : 10),
                   .seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t)now * 1000000,
                   .most = argc > 3 ? atol(argv[3]) : 1L << 60};
    printf("%s: seed %llu\n", name, (unsigned long long)f.seed);
    fflush(stdout);
    f.seed--;
    at_name = name;
    tell_at_the_end();
    return f;
}

bool fuzz_next(fuzz_span *f) {
    time_t now = time(NULL);
    bool over = enough || f->faults >= MOST_FAULTS || f->runs >= f->most || now >= f->end;
    if (over || now != f->now) alarm(over ? 0 : PATIENCE);
    f->now = now;
    if (over) return false;
    f->runs++;
    at_seed = ++f->seed;
    return true;
}

bool fuzz_directory(char dir[FUZZ_PATH]) {
    strcpy(dir, "/dev/shm/braze-fuzz-XXXXXX");
    if (mkdtemp(dir)) return true;
    strcpy(dir, "/tmp/braze-fuzz-XXXXXX");
    if (mkdtemp(dir)) return true;
    perror(dir);
    return false;
}

bool fuzz_gets_code(uint64_t seed, unsigned usual) {
    const char *s = getenv("FUZZ_CODE");
    unsigned long share = s ? strtoul(s, NULL, 10) : usual;
    return share && seed % share == 0;
}
