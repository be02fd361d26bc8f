/* corpus.c - see corpus.h. */
#include "tests/support/corpus.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const programs[] = {
#define P(name, kernels, text) text,
#include "tests/ir/programs.def"
#undef P
#define P(name, text) text,
#include "tests/ir/grad.def"
#undef P
};
enum { PROGRAMS = sizeof programs / sizeof *programs, ROOM = 1 << 20 };

static void add(corpus *c, char *text, size_t n) {
    c->text = realloc(c->text, (c->n + 1) * sizeof *c->text);
    c->size = realloc(c->size, (c->n + 1) * sizeof *c->size);
    c->text[c->n] = text;
    c->size[c->n++] = n;
}

static void add_file(corpus *c, const char *path) {
    FILE *f = fopen(path, "rb");
    char *s = malloc(ROOM);
    size_t n = f ? fread(s, 1, ROOM, f) : 0;
    if (!n) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    fclose(f);
    add(c, s, n);
}

corpus corpus_read(void) {
    corpus c = {0};
    glob_t found = {0};
    char pattern[1024];
    const char *root = getenv("BRAZE_SRC");
    for (int deep = 0; deep < 2; deep++) {
        snprintf(pattern, sizeof pattern, "%s/tests/ir/%s*.bz", root ? root : ".",
                 deep ? "regress/" : "");
        if (glob(pattern, deep ? GLOB_APPEND : 0, NULL, &found)) {
            fprintf(stderr, "nothing is called %s\n", pattern);
            exit(1);
        }
    }
    for (size_t i = 0; i < found.gl_pathc; i++) add_file(&c, found.gl_pathv[i]);
    globfree(&found);
    for (unsigned i = 0; i < PROGRAMS; i++) add(&c, strdup(programs[i]), strlen(programs[i]));
    return c;
}

void corpus_free(corpus *c) {
    for (unsigned i = 0; i < c->n; i++) free(c->text[i]);
    free(c->text);
    free(c->size);
}
