/* env.c - switches of the environment that an exported program reads too (not where it runs with the rights of others). It has nobody
 * to report a mistake to before the first call, so a value that makes no sense costs a line on standard error, and the default counts. */
#include "runtime/aot/aot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int ignore(const char *name, const char *word, const char *values) {
    dprintf(2, "braze: %s=%s is ignored: it is none of %s\n", name, word, values);
    return -1;
}

__attribute__((weak)) int bz_rt_env_number(const char *name, int hi) {
    const char *word = secure_getenv(name);
    if (!word || !*word) return -1;
    char *end;
    long v = strtol(word, &end, 10);
    if (end != word && !*end && v >= 0 && v <= hi) return (int)v;
    char values[24];
    snprintf(values, sizeof values, "0..%d", hi);
    return ignore(name, word, values);
}

__attribute__((weak)) int bz_rt_env_word(const char *name, const char *const *words) {
    const char *word = secure_getenv(name);
    if (!word || !*word) return -1;
    char values[64] = "";
    for (int i = 0; words[i]; i++) {
        if (strcmp(word, words[i]) == 0) return i;
        size_t used = strlen(values);
        snprintf(values + used, sizeof values - used, "%s%s", i ? "|" : "", words[i]);
    }
    return ignore(name, word, values);
}
