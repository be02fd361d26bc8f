/* fuzz_text.c - random damage to the corpus of texts for some seconds: whatever the parser takes
 * must print, verify and parse again to the same text. Usage: main_fuzz.c */
#include "src/ir/ir.h"
#include "tests/support/corpus.h"
#include "tests/support/damage.h"
#include "tests/support/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    corpus all = corpus_read();
    char *s = malloc(ROOM);
    long taken = 0;
    fuzz_span f = fuzz_begin("fuzz_text", argc, argv);
    while (s && fuzz_next(&f)) {
        uint64_t state = bz_mix(f.seed, 0x9e3779b97f4a7c15u) | 1;
        unsigned i;
        do i = (unsigned)damage_draw(&state, all.n);
        while (all.size[i] >= ROOM / 2);
        memcpy(s, all.text[i], all.size[i]);
        size_t n = damage_draw(&state, 2) ? damage_bytes(&state, s, all.size[i], ROOM)
                                          : damage_tokens(&state, s, all.size[i], ROOM);
        taken += try_text(s, n);
    }
    free(s);
    corpus_free(&all);
    printf("fuzz_text: %ld texts, %ld taken\n", f.runs, taken);
    return 0;
}
