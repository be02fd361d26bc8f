/* env.c - every switch that the environment can set, in one table: BRAZE_HELP=1 prints it, docs/switches.md explains it.
 *
 * A value that makes no sense is a mistake that bz_open reports: a switch that is quietly ignored costs somebody an afternoon. */
#include "runtime/aot/aot.h"
#include "runtime/base/env.h"
#include "src/passes/pass.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum switch_kind {
    SWITCH_FLAG,    /* 0 or 1 */
    SWITCH_NUMBER,  /* lo .. hi */
    SWITCH_WORD,    /* one of those in `values`, with | between */
    SWITCH_LETTERS, /* of passes */
    SWITCH_FILE,    /* whoever opens it says what is wrong */
    SWITCH_ANY,     /* whoever reads it does */
    SWITCH_PLACE,   /* an absolute path, or off */
} switch_kind;

typedef enum switch_name {
    HELP,
    DEBUG,
    DUMP,
    CHECK,
    NANS,
    WARN,
    DEVICE,
    NUMERICS,
    THREADS,
    ISA,
    LLVM,
    CODE,
    CACHE_DIR,
    CACHE_MIB,
    LIBCUDA,
    NVRTC,
    NVRTCFLAGS,
    LIBFFI,
    LAPACK,
    GRAPHS
} switch_name;

static char device_words[64]; /* of the table of devices: "cpu|ref|null" */

static const struct {
    const char *name, *values, *help;
    switch_kind kind;
    int hi; /* of a number; it starts at 0 */
} switches[] = {
    [HELP] = {"BRAZE_HELP", "0|1", "print this table when the first context opens", SWITCH_FLAG, 0},
    [DEBUG] = {"BRAZE_DEBUG", "0..5",
               "1 timings, 2 kernels, 3 kernel loops, 4 LLVM IR, 5 assembly (to stderr)",
               SWITCH_NUMBER, 5},
    [DUMP] = {"BRAZE_DUMP", "letters", "print graphs to stderr: after the passes below, * = all",
              SWITCH_LETTERS, 0},
    [CHECK] = {"BRAZE_CHECK", "0|1",
               "run each program beside the interpreter and report results that differ",
               SWITCH_FLAG, 0},
    [NANS] = {"BRAZE_NAN", "0|1", "find the first op that makes a NaN or an infinity (slow)",
              SWITCH_FLAG, 0},
    [WARN] = {"BRAZE_WARN", "0|1", "0: no warnings about recordings that nobody reads", SWITCH_FLAG,
              0},
    [DEVICE] = {"BRAZE_DEVICE", device_words, "device of contexts that ask for none", SWITCH_WORD,
                0},
    [NUMERICS] = {"BRAZE_NUMERICS", "strict|fast", "numerics of contexts that ask for none",
                  SWITCH_WORD, 0},
    [THREADS] = {"BRAZE_THREADS", "0..256",
                 "threads of contexts that ask for none (0: one a processor)", SWITCH_NUMBER,
                 BZ_RT_MAX_THREADS},
    [ISA] = {"BRAZE_ISA", "base|avx2|avx512", "best instruction set to use", SWITCH_WORD, 0},
    [CODE] = {"BRAZE_CODE", "0..65536", "MiB of machine code beyond which unused kernels go (256)",
              SWITCH_NUMBER, 65536},
    [CACHE_DIR] = {"BRAZE_CACHE_DIR", "/path|off",
                   "where code is kept on disk (~/.cache/braze; empty, too: nowhere)", SWITCH_PLACE,
                   0},
    [CACHE_MIB] = {"BRAZE_CACHE_MIB", "0..65536",
                   "MiB of code on disk beyond which the longest unused goes (256)", SWITCH_NUMBER,
                   65536},
    [LLVM] = {"BRAZE_LLVM", "file", "the compiler plug-in, libbraze-llvm.so", SWITCH_FILE, 0},
    [LIBCUDA] = {"BRAZE_LIBCUDA", "file", "the CUDA driver's library, in place of libcuda.so.1",
                 SWITCH_FILE, 0},
    [NVRTC] = {"BRAZE_NVRTC", "file", "the compiler of CUDA C, in place of libnvrtc.so.13 or .12",
               SWITCH_FILE, 0},
    [NVRTCFLAGS] = {"BRAZE_NVRTCFLAGS", "words", "more options of that compiler, as -lineinfo",
                    SWITCH_ANY, 0},
    [LIBFFI] = {"BRAZE_LIBFFI", "file", "libffi, in place of libffi.so.8 or .7", SWITCH_FILE, 0},
    [LAPACK] = {"BRAZE_LAPACK", "file", "LAPACK, in place of liblapack.so.3 and its kin", SWITCH_FILE,
                0},
    [GRAPHS] = {"BRAZE_GRAPHS", "0|1", "0: kernels of a GPU are launched one by one", SWITCH_FLAG,
                0},
};
_Static_assert(BZ_RT_MAX_THREADS == 256, "help of BRAZE_THREADS");

static rt_env env;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static const char *word(switch_name s) {
    const char *w = secure_getenv(switches[s].name);
    return w ? w : "";
}

static bool number(const char *w, int hi, int *out) {
    char *end;
    errno = 0;
    long v = strtol(w, &end, 10);
    *out = v >= 0 && v <= hi ? (int)v : 0;
    return end != w && !*end && !errno && v >= 0 && v <= hi;
}

/* Is `w` one of the words of `list`, which have | between them? */
static bool among(const char *w, const char *list) {
    size_t n = strcspn(w, "|");
    for (; !w[n]; list++) {
        if (strncmp(list, w, n) == 0 && (!list[n] || list[n] == '|')) return true;
        list = strchr(list, '|');
        if (!list) break;
    }
    return false;
}

static bool good(switch_name s) {
    int v;
    switch (switches[s].kind) {
    case SWITCH_FLAG: return number(word(s), 1, &v);
    case SWITCH_NUMBER: return number(word(s), switches[s].hi, &v);
    case SWITCH_WORD: return among(word(s), switches[s].values);
    case SWITCH_PLACE: return *word(s) == '/' || strcmp(word(s), "off") == 0;
    case SWITCH_LETTERS: return pass_dump_knows(word(s));
    default: return true;
    }
}

static void print_help(void) {
    for (size_t i = 0; i < BZ_LEN(switches); i++)
        fprintf(stderr, "%-16s %-18s %s\n", switches[i].name, switches[i].values, switches[i].help);
    fprintf(stderr, "\nletters of BRAZE_DUMP: %c %s", PASS_DUMP_RECORDED, "what was recorded");
    for (unsigned i = 0; i < PASS_COUNT; i++)
        fprintf(stderr, ", %c %s", pass_table[i].letter, pass_table[i].name);
    fputs("\n", stderr);
}

/* The first switch that makes no sense, as an error. */
static void look_for_mistakes(void) {
    for (switch_name s = HELP; s < BZ_LEN(switches); s++) {
        switch_kind kind = switches[s].kind;
        if (*word(s) && !good(s))
            bz_fail(&env.mistake, s == DEVICE || s == ISA ? BZ_EDEVICE : BZ_EARG,
                    "[%s] '%.40s' is none of %s%s; BRAZE_HELP=1 prints all switches",
                    switches[s].name, word(s), kind == SWITCH_LETTERS ? "the " : "",
                    switches[s].values);
    }
}

static void list_devices(void) {
    size_t used = 0;
    for (unsigned i = BZ_CPU; i < rt_device_count && used < sizeof device_words; i++)
        used += (size_t)snprintf(device_words + used, sizeof device_words - used, "%s%s",
                                 used ? "|" : "", rt_device_names[i]);
}

static bz_device find_device(const char *w) {
    for (unsigned i = BZ_CPU; i < rt_device_count; i++)
        if (strcmp(w, rt_device_names[i]) == 0) return (bz_device)i;
    return BZ_DEVICE_DEFAULT;
}

static void read_env(void) {
    int debug = 0, check = 0, help = 0, nan = 0, warn = 1, code = 256, cache = 256, graphs = 1;
    list_devices();
    number(word(DEBUG), switches[DEBUG].hi, &debug);
    number(word(CHECK), 1, &check);
    number(word(HELP), 1, &help);
    number(word(NANS), 1, &nan);
    if (*word(WARN)) number(word(WARN), 1, &warn);
    if (*word(GRAPHS)) number(word(GRAPHS), 1, &graphs);
    if (*word(CODE)) number(word(CODE), switches[CODE].hi, &code);
    if (*word(CACHE_MIB)) number(word(CACHE_MIB), switches[CACHE_MIB].hi, &cache);
    env = (rt_env){.debug = debug,
                   .check = check,
                   .nan = nan,
                   .quiet = !warn,
                   .graphs = graphs,
                   .code_bytes = (size_t)code << 20,
                   .cache_bytes = (uint64_t)cache << 20,
                   .numerics = strcmp(word(NUMERICS), "fast") ? BZ_STRICT : BZ_FAST,
                   .device = find_device(word(DEVICE))};
    look_for_mistakes();
    if (help) print_help();
    if (!env.mistake.status) pass_set_dump(word(DUMP));
}

const rt_env *rt_env_get(void) {
    pthread_once(&once, read_env);
    return &env;
}
