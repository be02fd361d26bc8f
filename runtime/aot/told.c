/* told.c - what a thread is told of its calls of exported functions: statuses in words. */
#include "runtime/aot/artefact.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

BZ_RT_WEAK int bz_rt_check_args(const bz_rt_artefact *a, const char *args) {
    if (!args) return bz_rt_status_of(BZ_RT_EARGUMENT, a->nargs);
    for (uint32_t i = 0; i < a->nargs; i++) {
        uintptr_t p = *(const uintptr_t *)(const void *)(args + a->args[i].at);
        if (!p) return bz_rt_status_of(BZ_RT_EARGUMENT, i);
        if (p % a->args[i].align) return bz_rt_status_of(BZ_RT_EALIGNMENT, i);
    }
    return BZ_RT_OK;
}

/* ---- what is kept */

/* Of a thread's last call that had something to say. */
typedef struct words {
    const bz_rt_variant *v; /* NULL: nothing is known */
    int status;
    char text[600];
} words;

static pthread_key_t words_key;
static int words_failed;

/* libc frees them when a thread ends: nothing of ours may be in the process any more then. */
static void make_words_key(void) {
    words_failed = pthread_key_create(&words_key, free);
}

/* This thread's; NULL: it has none, or (`make`) there is no memory. */
static words *own_words(bool make) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_words_key);
    if (words_failed) return NULL;
    words *t = pthread_getspecific(words_key);
    if (t || !make) return t;
    t = calloc(1, sizeof *t);
    if (t && pthread_setspecific(words_key, t)) free(t), t = NULL;
    return t;
}

BZ_RT_WEAK void bz_rt_tell(const bz_rt_variant *v, int status, const char *x, const char *y,
                           const char *z) {
    words *t = own_words(true);
    if (!t) return;
    snprintf(t->text, sizeof t->text, "%s%s%s", x, y, z);
    t->v = v;
    t->status = status;
}

BZ_RT_WEAK void bz_rt_forget(void) {
    words *t = own_words(false);
    if (t) t->v = NULL;
}

/* ---- what is known without */

BZ_RT_WEAK const char *bz_rt_text(const bz_rt_artefact *a, const bz_rt_variant *v, int status) {
    const uint32_t which = (uint32_t)status >> BZ_RT_WHICH_SHIFT;
    const words *t = own_words(false);
    if (v && t && t->v == v && t->status == status) return t->text;
    switch (status & BZ_RT_KIND_MASK) {
    case BZ_RT_OK: return "done";
    case BZ_RT_EMACHINE: return "no machine that this program has code for";
    case BZ_RT_EMEMORY: return "out of memory for the workspace";
    case BZ_RT_EWORKSPACE: return "the workspace is too small";
    case BZ_RT_EARGUMENT:
        return which < a->nargs ? a->args[which].missing : "the arguments are NULL";
    case BZ_RT_EALIGNMENT:
        return which < a->nargs ? a->args[which].misaligned : "a pointer is not aligned";
    case BZ_RT_EINDEX:
        return v && which < v->nsites ? v->sites[which].message : "an index is out of range";
    case BZ_RT_EFUNCTION:
        return v && which < v->nsites ? v->sites[which].message : "a function gave a status";
    case BZ_RT_ESIZE: return a->variants->sizes ? a->variants->sizes->outside : "no such size";
    case BZ_RT_EDEVICE: return "the driver of the GPU refused something";
    default: return "unknown status";
    }
}
