/* driver.c - opens the driver's library, once for the process, and finds its functions; words for its codes. */
#include "runtime/cuda/driver.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
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

static bz_status fail(bz_error *e, const char *file, const char *why) {
    return bz_fail(e, BZ_EDEVICE,
                   "[cuda] no usable driver: %s (looked for %s; $" CHOSEN
                   " names the driver's library, else it is " LIBRARY ")",
                   why, file);
}

static bz_status start(const char *file, bz_error *e) {
    bz_text why = {0};
    cu_result r = functions.init(0);
    if (!r) return BZ_OK;
    bz_textf(&why, "cuInit: ");
    cu_result_text(&functions, r, &why);
    bz_status s = fail(e, file, bz_text_c(&why));
    bz_text_free(&why);
    return s;
}

static bz_status open_library(bz_error *e) {
    const char *chosen = secure_getenv(CHOSEN);
    const char *file = chosen && *chosen ? chosen : LIBRARY;
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!library) return fail(e, file, dlerror());
    const char *lacks = find_functions(library);
    bz_status s = BZ_OK;
    if (lacks) {
        bz_text why = {0};
        bz_textf(&why, "it has no %s", lacks);
        s = fail(e, file, bz_text_c(&why));
        bz_text_free(&why);
    }
    if (!s) s = start(file, e);
    if (s) dlclose(library);
    return s;
}

bz_status cu_open(const cu_driver **d, bz_error *e) {
    bz_status s = BZ_OK;
    if (!atomic_load_explicit(&opened, memory_order_acquire)) {
        pthread_mutex_lock(&opening);
        if (!atomic_load_explicit(&opened, memory_order_relaxed) && !(s = open_library(e)))
            atomic_store_explicit(&opened, &functions, memory_order_release);
        pthread_mutex_unlock(&opening);
    }
    *d = &functions;
    return s;
}

/* ---- the thread's context */

bool cu_enter_to_free(const cu_driver *d, cu_context c) {
    return !d->context_push(c) || !d->context_push(c);
}

void cu_leave(const cu_driver *d, cu_context c) {
    cu_context own;
    if (d->context_pop(&own) && !d->context_current(&own) && own == c) d->context_pop(&own);
}

/* ---- codes */

void cu_result_text(const cu_driver *d, cu_result r, bz_text *t) {
    const char *name = NULL, *text = NULL;
    if (!d->error_name || d->error_name(r, &name) || !name)
        bz_textf(t, "error %d", r);
    else
        bz_text_str(t, name);
    if (d->error_text && !d->error_text(r, &text) && text) bz_textf(t, " (%s)", text);
}

bool cu_has_graphs(const cu_driver *d) {
    return d->graph_new && d->graph_free && d->graph_kernel && d->graph_ready && d->exec_free &&
           d->exec_kernel && d->exec_launch;
}

bool cu_is_final(cu_result r) {
    static const short final[] = {214,                               /* ECC_UNCORRECTABLE */
                                  220,                               /* NVLINK_UNCORRECTABLE */
                                  226,                               /* CONTAINED */
                                  700,                               /* ILLEGAL_ADDRESS */
                                  702,                               /* LAUNCH_TIMEOUT */
                                  709,                               /* CONTEXT_IS_DESTROYED */
                                  710, 714, 715, 716, 717, 718, 719, /* faults of a kernel */
                                  721,                               /* TENSOR_MEMORY_LEAK */
                                  911, 999};
    for (size_t i = 0; i < BZ_LEN(final); i++)
        if (r == final[i]) return true;
    return false;
}
