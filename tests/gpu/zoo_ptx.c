/* zoo_ptx.c - compiles the zoo and writes the PTX that is checked in: zoo_ptx FILE...
 *
 * Two texts a file: one of the front end for targets up to 90 (for the oldest target that the file
 * can run on), one of the front end from 100 on. Where the first needs 80, a file lacks the text
 * for 75. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nvrtc.h"
#include "zoo.h"

static unsigned oldest(const char *file) {
    unsigned sm = 100;
    for (size_t i = 0; i < zoo_count(); i++) {
        const zoo_case *c = zoo_at(i);
        if (strcmp(c->file, file) != 0) continue;
        if (c->only_sm) return zoo_arch(c, c->only_sm);
        if (c->min_sm < sm) sm = c->min_sm;
    }
    return sm;
}

static bool write_one(const char *file, unsigned sm) {
    char path[256], why[2000] = "no such file";
    snprintf(path, sizeof path, "tests/gpu/zoo/%s.cu", file);
    char *source = zoo_read_file(path);
    char *ptx = source ? nvrtc_compile(source, path, sm, false, why, sizeof why) : NULL;
    snprintf(path, sizeof path, "tests/gpu/zoo/ptx/%s.%u%s.ptx", file, sm % NVRTC_OWN,
             sm > NVRTC_OWN ? "a" : "");
    FILE *f = ptx ? fopen(path, "wb") : NULL;
    bool good = f && fputs(ptx, f) >= 0;
    if (f && fclose(f) != 0) good = false;
    free(ptx);
    free(source);
    if (!good) fprintf(stderr, "zoo_ptx: %s for %u cannot be made: %s\n", file, sm, why);
    return good;
}

int main(int argc, char **argv) {
    if (!nvrtc_present()) {
        fprintf(stderr, "zoo_ptx: no NVRTC on this machine\n");
        return 3;
    }
    for (int i = 1; i < argc; i++) {
        unsigned sm = oldest(argv[i]);
        if (!write_one(argv[i], sm) || (sm < NVRTC_OWN && !write_one(argv[i], 100))) return 1;
    }
    return 0;
}
