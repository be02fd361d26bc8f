/* fuzz_objload.c - damaged object files, for as long as one likes:  fuzz_objload SECONDS [SEED [COUNT]]
 *
 * A few bytes of a good object change at once, mostly to values that tend to be extreme, and it may
 * lose its tail. The loader must answer with an object or a message; the sanitizer of the build
 * watches the rest. */
#include "runtime/exec/objload.h"
#include "src/ir/base/base.h"
#include "tests/support/fuzz.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 1 << 20, MUTATIONS = 6 };

static uint64_t state; /* xorshift64 */

static uint64_t draw(uint64_t below) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % below;
}

static size_t read_sample(unsigned char *bytes) {
    char path[4096];
    const char *build = getenv("BRAZE_BUILD");
    snprintf(path, sizeof path, "%s/tests/objects/kernel.o", build ? build : "build");
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        exit(3);
    }
    size_t size = fread(bytes, 1, FILE_MAX, f);
    fclose(f);
    return size;
}

/* Overwrites 1, 2, 4 or 8 bytes somewhere with an extreme or a random value. */
static void mutate(unsigned char *bytes, size_t size) {
    static const uint64_t extremes[] = {0,         1,          0x7f,      0xff,
                                        0x7fff,    0xffff,     INT32_MAX, UINT32_MAX,
                                        INT64_MAX, UINT64_MAX, 4096,      1 << 21};
    uint64_t value =
        draw(3) ? extremes[draw(sizeof extremes / sizeof *extremes)] : draw(UINT64_MAX);
    size_t width = (size_t)1 << draw(4);
    if (size >= width) memcpy(bytes + draw(size - width + 1), &value, width);
}

/* An object, or a message; returns whether it loaded. */
static int load(rt_code *code, const unsigned char *bytes, size_t size) {
    static const rt_import imports[] = {
        {"fmaf", (rt_function *)fmaf}, {"memset", (rt_function *)memset}, {NULL, NULL}};
    char message[RT_LOAD_MESSAGE];
    rt_object *o;
    rt_load_status status = rt_object_load(code, bytes, size, imports, &o, message);
    if ((status == RT_LOAD_OK) != (o != NULL) || (status == RT_LOAD_OK) != (message[0] == 0)) {
        fprintf(stderr, "status %d, object %p, message \"%s\"\n", (int)status, (void *)o, message);
        abort();
    }
    if (o) rt_object_find(o, "dot8");
    rt_object_free(o);
    return status == RT_LOAD_OK;
}

/* One damaged copy in memory of its exact size. */
static int try_one(rt_code *code, const unsigned char *good, size_t size) {
    if (draw(8) == 0) size = draw(size + 1);
    unsigned char *bytes = malloc(size ? size : 1);
    memcpy(bytes, good, size);
    for (uint64_t i = draw(MUTATIONS) + 1; i > 0; i--) mutate(bytes, size);
    int loaded = load(code, bytes, size);
    free(bytes);
    return loaded;
}

void fuzz_bytes(const uint8_t *p, size_t n) {
    rt_code *code = rt_code_new();
    load(code, p, n);
    rt_code_free(code);
}

int fuzz_main(int argc, char **argv) {
    static unsigned char good[FILE_MAX];
    size_t size = read_sample(good);
    rt_code *code = rt_code_new();
    long loaded = 0;
    fuzz_span f = fuzz_begin("fuzz_objload", argc, argv);
    while (fuzz_next(&f)) {
        state = bz_mix(f.seed, 0x0b1) | 1;
        loaded += try_one(code, good, size);
    }
    printf("fuzz_objload: %ld damaged objects, %ld of them loaded\n", f.runs, loaded);
    rt_code_free(code);
    return 0;
}
