/* cuda_driver.c - opens the driver's library, once for the process, and finds its functions; words for its codes. */
#include "runtime/aot/cuda_driver.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define CHOSEN  "BRAZE_LIBCUDA"
#define LIBRARY "libcuda.so.1"

static cu_driver functions;
static _Atomic(const cu_driver *) opened;
static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;

/* NULL, or the first function that must be there and is not. */
static const char *find_functions(void *library) {
    void *f;
    functions = (cu_driver){0};
#define FIND(name, exported) *(void **)&functions.name = f = dlsym(library, exported);
#define MUST(name, exported, parameters)                                                           \
    FIND(name, exported)                                                                           \
    if (!f) return exported;
#define MAY(name, exported, parameters) FIND(name, exported)
    CU_FUNCTIONS(MUST, MAY)
#undef MAY
#undef MUST
#undef FIND
    return NULL;
}

/* What lacks: into `why`, with where it was looked for. */
static bool fail(char *why, size_t n, const char *file, const char *what, const char *more) {
    snprintf(why, n,
             "no usable driver: %s%s (looked for %s; $" CHOSEN
             " names the driver's library, else it is " LIBRARY ")",
             what, more, file);
    return false;
}

static bool start(const char *file, char *why, size_t n) {
    char text[200];
    const cu_result r = functions.init(0);
    if (!r) return true;
    bz_rt_cu_text(&functions, r, text, sizeof text);
    return fail(why, n, file, "cuInit: ", text);
}

static bool open_library(char *why, size_t n) {
    const char *chosen = secure_getenv(CHOSEN);
    const char *file = chosen && *chosen ? chosen : LIBRARY;
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!library) return fail(why, n, file, dlerror(), "");
    const char *lacks = find_functions(library);
    const bool done = lacks ? fail(why, n, file, "it has no ", lacks) : start(file, why, n);
    if (!done) dlclose(library);
    return done;
}

BZ_RT_WEAK const cu_driver *bz_rt_cu_open(char *why, size_t n) {
    bool done = true;
    if (!atomic_load_explicit(&opened, memory_order_acquire)) {
        pthread_mutex_lock(&opening);
        if (!atomic_load_explicit(&opened, memory_order_relaxed) && (done = open_library(why, n)))
            atomic_store_explicit(&opened, &functions, memory_order_release);
        pthread_mutex_unlock(&opening);
    }
    return done ? &functions : NULL;
}

BZ_RT_WEAK void bz_rt_cu_text(const cu_driver *d, cu_result r, char *text, size_t n) {
    const char *name = NULL, *more = NULL;
    char number[24];
    snprintf(number, sizeof number, "error %d", r);
    if (!d->error_name || d->error_name(r, &name) || !name) name = number;
    if (!d->error_text || d->error_text(r, &more)) more = NULL;
    snprintf(text, n, "%s%s%s%s", name, more ? " (" : "", more ? more : "", more ? ")" : "");
}
