/* main_fuzz.c - runs a fuzzer:
 *
 *     fuzz_NAME SECONDS [SEED [COUNT]]    inputs that it makes itself
 *     fuzz_NAME FILE...                   inputs of a coverage-guided run
 *     fuzz_NAME --words                   a dictionary for that run: what the tables of ops call things */
#include "src/ir/text.h"
#include "tests/support/fuzz.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int words(void) {
    static const char *const signs[] = {
        "graph",  "return", "->",    "axis=",  "axes=", "order=", "keep",    "inf",     "nan",
        "0x1p-3", "mask ",  "loop ", "result", "yield", "%",      "kernel ", "buffer ", "descr"};
    for (unsigned i = 1; i < IR_NOPS; i++)
        if (ir_ops[i].name) printf("\"%s\"\n", ir_ops[i].name);
    for (unsigned i = 0; i < ir_builder_count; i++) printf("\"%s\"\n", ir_builders[i].name);
    for (unsigned i = 0; i < BZ_NDTYPES; i++) printf("\"%s\"\n", ir_dtypes[i].name);
    for (unsigned i = 0; i < BZ_LEN(signs); i++) printf("\"%s\"\n", signs[i]);
    return 0;
}

static int replay(const char *path) {
    enum { ROOM = 1 << 20 };
    FILE *f = fopen(path, "rb");
    uint8_t *p = malloc(ROOM);
    if (!f || !p) return perror(path), 1;
    size_t n = fread(p, 1, ROOM, f);
    fclose(f);
    uint8_t *exact = malloc(n ? n : 1); /* so that a sanitizer sees a read behind the end */
    memcpy(exact, p, n);
    free(p);
    fuzz_bytes(exact, n);
    free(exact);
    return 0;
}

int main(int argc, char **argv) {
    int status = 0;
    if (argc == 2 && strcmp(argv[1], "--words") == 0) return words();
    if (argc < 2 || isdigit((unsigned char)argv[1][0])) return fuzz_main(argc, argv);
    for (int i = 1; i < argc && !status; i++) status = replay(argv[i]);
    printf("%d files\n", argc - 1);
    return status;
}
