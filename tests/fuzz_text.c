/* fuzz_text.c - random damage to the corpus of texts for some seconds: whatever the parser takes
 * must print, verify and parse again to the same text. Usage: main_fuzz.c */
#include "src/ir/ir.h"
#include "tests/support/damage.h"
#include "tests/support/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const corpus[] = {"tests/ir/builders.bz", "tests/ir/literal.bz",
                                     "tests/ir/mlp.bz"};

static uint64_t state = 1;

static char *read_file(const char *path, size_t *n) {
    char full[1024];
    const char *root = getenv("BRAZE_SRC");
    snprintf(full, sizeof full, "%s/%s", root ? root : ".", path);
    FILE *f = fopen(full, "rb");
    if (!f) {
        fprintf(stderr, "fuzz_text: cannot read %s\n", full);
        exit(1);
    }
    char *s = malloc(1 << 20);
    *n = s ? fread(s, 1, 1 << 20, f) : 0;
    fclose(f);
    return s;
}

static void fail(const char *what, const char *text, size_t n) {
    fprintf(stderr, "fuzz_text: %s\n%.*s\n", what, (int)n, text);
    abort();
}

/* True when the text was taken. */
static int try_text(const char *text, size_t n) {
    bz_error e = {0};
    ir_module *m = ir_parse(text, n, NULL, &e);
    if (!m) {
        if (!e.status || e.line < 1 || e.column < 1) fail("an error without a place", text, n);
        return 0;
    }
    bz_text once = {0}, twice = {0};
    ir_print_module(&once, m);
    ir_module *again = ir_parse(bz_text_c(&once), once.n, NULL, &e);
    if (!again) fail(e.text, bz_text_c(&once), once.n);
    ir_print_module(&twice, again);
    if (strcmp(bz_text_c(&once), bz_text_c(&twice)) != 0)
        fail("printed differently the second time", bz_text_c(&once), once.n);
    ir_module_free(m);
    ir_module_free(again);
    bz_text_free(&once);
    bz_text_free(&twice);
    return 1;
}

void fuzz_bytes(const uint8_t *p, size_t n) {
    try_text((const char *)p, n);
}

int fuzz_main(int argc, char **argv) {
    enum { ROOM = 1 << 16 };
    time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 5);
    state = argc > 2 ? strtoull(argv[2], NULL, 10) * 2 + 1 : 1;
    char *seeds[BZ_LEN(corpus)], *s = malloc(ROOM);
    size_t sizes[BZ_LEN(corpus)];
    long tried = 0, taken = 0;
    for (unsigned i = 0; i < BZ_LEN(corpus); i++) seeds[i] = read_file(corpus[i], &sizes[i]);
    while (s && time(NULL) < end) {
        unsigned i = (unsigned)damage_draw(&state, BZ_LEN(corpus));
        memcpy(s, seeds[i], sizes[i]);
        size_t n = damage_draw(&state, 2) ? damage_bytes(&state, s, sizes[i], ROOM)
                                          : damage_tokens(&state, s, sizes[i], ROOM);
        taken += try_text(s, n);
        tried++;
    }
    for (unsigned i = 0; i < BZ_LEN(corpus); i++) free(seeds[i]);
    free(s);
    printf("fuzz_text: %ld texts, %ld taken\n", tried, taken);
    return 0;
}
