/* env.c - every switch that the environment can set, in one table: BRAZE_HELP=1 prints it. */
#include "runtime/rt.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *values, *help;
} switches[] = {
    {"BRAZE_HELP", "1", "print this table when the first context opens"},
    {"BRAZE_DEBUG", "0..5",
     "1 timings, 2 kernels, 3 kernel loops, 4 LLVM IR, 5 assembly (to stderr)"},
    {"BRAZE_DUMP", "letters", "print the graph after the passes with these letters"},
    {"BRAZE_CHECK", "1",
     "run each program beside the interpreter and report the worst difference in ULP"},
    {"BRAZE_DEVICE", "cpu|ref|null", "device of contexts that ask for none"},
    {"BRAZE_THREADS", "n", "threads of contexts that ask for none"},
    {"BRAZE_ISA", "base|avx2|avx512", "best instruction set to use"},
    {"BRAZE_LLVM", "file", "the compiler plug-in, libbraze-llvm.so"},
};

static rt_env env;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static const char *word(const char *name) {
    const char *s = getenv(name);
    return s ? s : "";
}

static bool is_on(const char *name) {
    return *word(name) && strcmp(word(name), "0") != 0;
}

static void print_help(void) {
    for (size_t i = 0; i < BZ_LEN(switches); i++)
        fprintf(stderr, "%-14s %-18s %s\n", switches[i].name, switches[i].values, switches[i].help);
}

static void read_env(void) {
    env = (rt_env){
        .debug = atoi(word("BRAZE_DEBUG")),
        .check = is_on("BRAZE_CHECK"),
        .dump = word("BRAZE_DUMP"),
        .device = word("BRAZE_DEVICE"),
    };
    if (is_on("BRAZE_HELP")) print_help();
    pass_set_dump(env.dump);
}

const rt_env *rt_env_get(void) {
    pthread_once(&once, read_env);
    return &env;
}
