/* store.c - see store.h. A file holds what was compiled together and has a name for each kernel in it.
 *
 *     DIR/.new.PID.N --links--> DIR/HASH.k of each kernel        a name appears when its file is whole
 *     DIR/HASH.k --checksum, key--> binary
 *
 * Two processes that write the same do no harm: the later one's file serves as well as the earlier one's. Beyond the limit the files go
 * that were not read for the longest time. */
#include "runtime/exec/store.h"
#include "runtime/base/env.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void say(const char *what, const char *name, const char *why) {
    const char *none;
    const char *path = rt_store_path(&none);
    if (rt_env_get()->debug >= 1 && *why)
        fprintf(stderr, "braze: cache: %s %s/%s: %s\n", what, path ? path : "", name, why);
}

/* ---- reading */

rt_binary *rt_store_get(const char *key, size_t n) {
    char why[RT_STORE_WHY], name[RT_STORE_NAME], *block;
    const int dir = rt_store_open(false, why);
    if (dir < 0) return say("no use of", "", why), NULL;
    rt_store_name(key, n, name);
    const char *wrong = why;
    const size_t size = rt_store_read(dir, name, true, &block, why);
    rt_binary *b = size ? rt_binary_read(block, size, &wrong) : NULL;
    close(dir);
    if (b && !rt_binary_has(b, key, n)) {
        wrong = "it is another kernel's";
        rt_binary_drop(b);
        b = NULL;
    }
    if (b) return b;
    if (size && wrong)
        rt_store_reject(key, n, wrong);
    else
        say("cannot read", name, wrong ? wrong : "out of memory");
    return NULL;
}

void rt_store_reject(const char *key, size_t n, const char *why) {
    char name[RT_STORE_NAME], open_why[RT_STORE_WHY];
    const int dir = rt_store_open(false, open_why);
    rt_store_name(key, n, name);
    say("no use of", name, why);
    if (dir < 0) return;
    unlinkat(dir, name, 0);
    close(dir);
}

/* ---- writing */

static bool write_all(int fd, const char *p, size_t n) {
    while (n) {
        const ssize_t k = write(fd, p, n);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return false;
        p += k;
        n -= (size_t)k;
    }
    return true;
}

/* A process that may not write so much would be killed. */
static bool may_write(size_t n) {
    struct rlimit most;
    return getrlimit(RLIMIT_FSIZE, &most) == 0 &&
           (most.rlim_cur == RLIM_INFINITY || n <= most.rlim_cur);
}

/* A new file with these bytes; false and errno, and nothing is left. */
static bool write_new(int dir, const char *name, const char *bytes, size_t n) {
    if (!may_write(n)) return errno = EFBIG, false;
    const int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    bool done = write_all(fd, bytes, n);
    int why = errno;
    if (close(fd) && done) done = false, why = errno;
    if (!done) unlinkat(dir, name, 0);
    errno = why;
    return done;
}

/* A name for each kernel but the first; whoever has it already may keep it. The first is what the file is renamed to. */
static bool give_names(int dir, const char *temporary, const rt_binary *b) {
    char name[RT_STORE_NAME];
    for (uint32_t i = 1; i < b->nkernels; i++) {
        rt_store_name(b->kernels[i].key, b->kernels[i].key_bytes, name);
        if (linkat(dir, temporary, dir, name, 0) && errno != EEXIST)
            break; /* it is found by the first */
    }
    rt_store_name(b->kernels[0].key, b->kernels[0].key_bytes, name);
    const bool done = renameat(dir, temporary, dir, name) == 0;
    const int why = errno;
    unlinkat(dir, temporary,
             0); /* where two kernels are equal, and have one name, it is still there */
    errno = why;
    return done;
}

static struct {
    pthread_mutex_t lock;
    bool known;
    uint64_t bytes,
        own; /* in the directory when it was looked at; what this process has put there since */
} size = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* So many bytes more. Others write, too: the directory is looked at again when it may be too large, and now and then. */
static void keep_within(int dir, uint64_t more) {
    const uint64_t most = rt_env_get()->cache_bytes;
    pthread_mutex_lock(&size.lock);
    size.own += more;
    if (!size.known || size.bytes + size.own > most || size.own > most / 16) {
        size.bytes = rt_store_trim(dir, UINT64_MAX);
        if (size.bytes > most) size.bytes = rt_store_trim(dir, most / 4 * 3);
        size.known = true;
        size.own = 0;
    }
    pthread_mutex_unlock(&size.lock);
}

static void temporary_name(char name[64]) {
    static _Atomic unsigned counter;
    snprintf(name, 64, ".new.%ld.%u", (long)getpid(), atomic_fetch_add(&counter, 1));
}

void rt_store_put(const rt_binary *b) {
    char why[RT_STORE_WHY], name[64];
    if (b->nkernels == 0 || b->size > rt_env_get()->cache_bytes) return;
    const int dir = rt_store_open(true, why);
    if (dir < 0) {
        say("cannot write to", "", why);
        return;
    }
    temporary_name(name);
    if (write_new(dir, name, b->block, b->size) && give_names(dir, name, b))
        keep_within(dir, b->size);
    else
        say("cannot write", name, strerror(errno));
    close(dir);
}

/* ---- notes */

char *rt_store_note(const char *name) {
    char why[RT_STORE_WHY], *text = NULL;
    const int dir = rt_store_open(false, why);
    if (dir < 0) return NULL;
    const size_t n = rt_store_read(dir, name, false, &text, why);
    close(dir);
    if (n && !text[n - 1]) return text; /* its end is in the file */
    bz_mem_free(text);
    return NULL;
}

void rt_store_write_note(const char *name, const char *text) {
    char why[RT_STORE_WHY], own[64];
    const int dir = rt_store_open(true, why);
    if (dir < 0) return;
    temporary_name(own);
    if (write_new(dir, own, text, strlen(text) + 1) && renameat(dir, own, dir, name))
        unlinkat(dir, own, 0);
    close(dir);
}
