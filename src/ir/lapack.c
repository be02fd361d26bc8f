/* lapack.c - LAPACK's routines by their Fortran symbols, found when the first one is wanted: $BRAZE_LAPACK alone where that is set, else
 * the first library that is there of a list. The table of signatures (linalg.h) says how libffi calls them: all arguments are pointers,
 * the lengths of words follow. Integers are of 32 bits. */
#include "src/ir/linalg.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const char *const libraries[] = {"liblapack.so.3", "liblapacke.so.3", "libopenblas.so.0",
                                        "liblapack.so", "libopenblas.so"};
static const struct {
    const char *name;
    unsigned n, words;
} routines[] = {
#define X(name, n, words) {#name, n, words},
    LAPACK_ROUTINES(X)
#undef X
};

static struct {
    ir_external_fn *f[LAPACK_COUNT][2];
    char why[300];
} lapack;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void *open_first(void) {
    const char *chosen = secure_getenv("BRAZE_LAPACK");
    void *library = NULL;
    if (chosen && *chosen) {
        library = dlopen(chosen, RTLD_NOW | RTLD_LOCAL);
        if (!library) bz_snprintf(lapack.why, sizeof lapack.why, "%s", dlerror());
        return library;
    }
    for (unsigned i = 0; i < BZ_LEN(libraries) && !library; i++)
        library = dlopen(libraries[i], RTLD_NOW | RTLD_LOCAL);
    if (!library)
        bz_snprintf(lapack.why, sizeof lapack.why, "none of liblapack.so.3, liblapacke.so.3, "
                                                   "libopenblas.so.0 is there");
    return library;
}

static void find_all(void) {
    void *library = open_first();
    for (unsigned r = 0; library && r < LAPACK_COUNT; r++)
        for (unsigned wide = 0; wide < 2; wide++) {
            char name[24];
            bz_snprintf(name, sizeof name, "%c%s_", wide ? 'd' : 's', routines[r].name);
            void *at = dlsym(library, name);
            if (at)
                memcpy(&lapack.f[r][wide], &at, sizeof at);
            else
                bz_snprintf(lapack.why, sizeof lapack.why, "it has no %s", name);
        }
}

int lapack_call(lapack_routine r, bool wide, void *const *arg) {
    bz_error e = {0};
    char text[400];
    pthread_once(&once, find_all);
    ir_external_fn *f = lapack.f[r][wide];
    if (!f) {
        bz_snprintf(text, sizeof text,
                    "no LAPACK: %s ($BRAZE_LAPACK names the library; Debian has it in liblapack3)",
                    lapack.why);
        return ir_external_said(BZ_EUNSUPPORTED, text);
    }
    if (!ir_ffi_fortran(f, arg, routines[r].n, routines[r].words, &e)) return 0;
    return ir_external_said(e.status, e.text);
}
