/* host_env.c - see host_env.h. The locale is a file of glibc's format, written here: no machine has to have one installed. */
#include "tests/support/host_env.h"

#include <immintrin.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROUND_DOWN = 0x3f80, ROUND_UP = 0x5f80, ROUND_ZERO = 0x7f80, FLUSH = 0x9fc0, TRAP = 0 };
enum { X87 = 0x37f, X87_SINGLE_UP = 0x87f, X87_TRAP = 0x340 };
#define MXCSR 0x1f80u
#define TRAPS 0x80000000u /* all exceptions unmasked: MXCSR 0 means "default" in the table */

const host_env host_envs[] = {
    {"default", false, 0, X87},       {"comma", true, 0, X87},
    {"down", false, ROUND_DOWN, X87}, {"up", false, ROUND_UP, X87_SINGLE_UP},
    {"zero", true, ROUND_ZERO, X87},  {"flush", false, FLUSH, X87},
    {"traps", true, TRAPS, X87_TRAP}, {NULL, false, 0, 0},
};

static uint32_t mxcsr_of(const host_env *e) {
    return e->mxcsr == TRAPS ? TRAP : e->mxcsr ? e->mxcsr : MXCSR;
}

/* LC_NUMERIC of a locale with that name under a new directory that $LOCPATH names. */
static bool make_locale(const char *name) {
    const struct {
        uint32_t magic, n, at[6];
        char text[8];
        uint32_t wide[2];
        char codeset[8];
    } file = {
        0x20031115 ^ LC_NUMERIC, 6, {32, 34, 36, 40, 44, 48}, ",\0.\0\3\3", {',', '.'}, "UTF-8"};
    char dir[] = "/tmp/braze-locale-XXXXXX", path[96];
    if (!mkdtemp(dir)) return false;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (mkdir(path, 0777)) return false;
    snprintf(path, sizeof path, "%s/%s/LC_NUMERIC", dir, name);
    FILE *f = fopen(path, "wb");
    bool good = f && fwrite(&file, sizeof file, 1, f) == 1;
    if (f && fclose(f)) good = false;
    if (good) good = !setenv("LOCPATH", dir, 1) && setlocale(LC_NUMERIC, name);
    unlink(path);
    *strrchr(path, '/') = 0;
    rmdir(path);
    rmdir(dir);
    return good && *localeconv()->decimal_point == ',';
}

bool host_env_set(const host_env *e) {
    if (e->comma && !make_locale("comma")) return false;
    __asm__ volatile("fldcw %0" : : "m"(e->x87));
    _mm_setcsr(mxcsr_of(e));
    return true;
}

bool host_env_is(const host_env *e) {
    uint16_t x87;
    __asm__ volatile("fnstcw %0" : "=m"(x87));
    return (_mm_getcsr() & ~0x3fu) == (mxcsr_of(e) & ~0x3fu) && x87 == e->x87;
}
