/* test_assembler.h - the assembler, by the linker library of a toolkit where there is one. */
#ifndef TEST_ASSEMBLER_H
#define TEST_ASSEMBLER_H

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    int (*create)(void **, uint32_t, const char **);
    int (*add)(void *, int, const void *, size_t, const char *);
    int (*complete)(void *);
    int (*destroy)(void **);
} assembler;

static inline bool find_symbol(void *library, void *to, const char *name, const char *version) {
    char full[80];
    snprintf(full, sizeof full, "__nvJitLink%s_%s", name, version);
    void *symbol = dlsym(library, full);
    memcpy(to, &symbol, sizeof symbol);
    return symbol != NULL;
}

static inline bool open_assembler(assembler *a) {
    static const char *const names[] = {"libnvJitLink.so.13",
                                        "/usr/local/cuda/lib64/libnvJitLink.so",
                                        "/usr/local/cuda/lib/libnvJitLink.so"};
    void *library = NULL;
    for (int k = 0; k < 3 && !library; k++) library = dlopen(names[k], RTLD_NOW | RTLD_LOCAL);
    return library && find_symbol(library, &a->create, "Create", "13_0") &&
           find_symbol(library, &a->add, "AddData", "13_0") &&
           find_symbol(library, &a->complete, "Complete", "13_0") &&
           find_symbol(library, &a->destroy, "Destroy", "13_0");
}

static inline bool assembles(const assembler *a, const char *text, unsigned sm, bool specific) {
    enum { PTX_INPUT = 2 };
    char arch[32];
    const char *options[] = {arch};
    void *link = NULL;
    snprintf(arch, sizeof arch, "-arch=sm_%u%s", sm, specific ? "a" : "");
    cr_assert_eq(a->create(&link, 1, options), 0);
    bool good = !a->add(link, PTX_INPUT, text, strlen(text) + 1, "k") && !a->complete(link);
    a->destroy(&link);
    return good;
}

#endif
