/* store_dir.c - the directory of the store: which it is, whether it can be trusted, its files.
 *
 *     $BRAZE_CACHE_DIR     "" or off: none
 *     $XDG_CACHE_HOME/braze, $HOME/.cache/braze
 *
 * Code is loaded from there: the directory and each file must be the user's own and nobody else's to write, and a process that runs with
 * the rights of others has none. The directory is opened for each use, so that no descriptor lies around. */
#include "runtime/base/env.h"
#include "runtime/exec/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MOST = 1 << 30, ABANDONED = 3600 /* seconds */ };

/* ---- which directory */

static char path[4096]; /* "": none */
static const char *none;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool set(const char *base, const char *below) {
    const size_t n = base ? strlen(base) : 0, more = strlen(below);
    if (!n || *base != '/' || n + more >= sizeof path) return false;
    memcpy(path, base, n);
    memcpy(path + n, below, more + 1);
    for (char *end = path + n + more; end > path + 1 && end[-1] == '/';) *--end = 0;
    return true;
}

static void choose(void) {
    const char *own = getenv("BRAZE_CACHE_DIR");
    if (getauxval(AT_SECURE))
        none = "the process runs with the rights of others";
    else if (own && (!*own || strcmp(own, "off") == 0))
        none = "BRAZE_CACHE_DIR is off";
    else if (own ? !set(own, "")
                 : !set(getenv("XDG_CACHE_HOME"), "/braze") &&
                       !set(getenv("HOME"), "/.cache/braze"))
        none = own ? "BRAZE_CACHE_DIR is no absolute path"
                   : "there is no XDG_CACHE_HOME nor HOME to put it in";
}

const char *rt_store_path(const char **why) {
    pthread_once(&once, choose);
    *why = none;
    return none ? NULL : path;
}

/* ---- opening it */

/* The directory and the one above it, no more: a home that is not there is not made. */
static void make_directory(void) {
    char above[sizeof path];
    char *slash;
    snprintf(above, sizeof above, "%s", path);
    if ((slash = strrchr(above, '/')) && slash > above) {
        *slash = 0;
        mkdir(above, 0700);
    }
    mkdir(path, 0700);
}

static const char *distrust(const struct stat *s) {
    return s->st_uid != geteuid()               ? "it belongs to somebody else"
           : (s->st_mode & (S_IWGRP | S_IWOTH)) ? "others may write to it"
                                                : NULL;
}

int rt_store_open(bool make, char why[RT_STORE_WHY]) {
    const char *reason;
    struct stat s;
    const char *at = rt_store_path(&reason);
    why[0] = 0;
    if (!at) return -1;
    int fd = open(at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && make) {
        make_directory();
        fd = open(at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    if (fd < 0) {
        if (errno != ENOENT || make) snprintf(why, RT_STORE_WHY, "%s", strerror(errno));
        return -1;
    }
    reason = fstat(fd, &s) ? strerror(errno) : distrust(&s);
    if (!reason) return fd;
    snprintf(why, RT_STORE_WHY, "%s", reason);
    close(fd);
    return -1;
}

/* ---- a file */

void rt_store_name(const char *key, size_t n, char name[RT_STORE_NAME]) {
    snprintf(name, RT_STORE_NAME, "%016llx%016llx.k", (unsigned long long)bz_hash(1, key, n),
             (unsigned long long)bz_hash(2, key, n));
}

static bool read_all(int fd, char *to, size_t n) {
    while (n) {
        const ssize_t k = read(fd, to, n);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return false;
        to += k;
        n -= (size_t)k;
    }
    return true;
}

static const char *refuse(int fd, struct stat *s) {
    if (fstat(fd, s)) return strerror(errno);
    if (!S_ISREG(s->st_mode)) return "it is no file";
    if (s->st_size <= 0 || s->st_size > FILE_MOST) return "its size makes no sense";
    return distrust(s);
}

size_t rt_store_read(int dir, const char *name, bool touch, char **out, char why[RT_STORE_WHY]) {
    struct stat s;
    why[0] = 0;
    *out = NULL;
    const int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        if (errno != ENOENT) snprintf(why, RT_STORE_WHY, "%s", strerror(errno));
        return 0;
    }
    const char *reason = refuse(fd, &s);
    const size_t n = reason ? 0 : (size_t)s.st_size;
    if (!reason && !(*out = bz_mem_alloc(n))) reason = "out of memory";
    if (!reason && !read_all(fd, *out, n)) reason = "it cannot be read to its end";
    if (!reason && touch) futimens(fd, NULL);
    close(fd);
    if (!reason) return n;
    snprintf(why, RT_STORE_WHY, "%s", reason);
    bz_mem_free(*out);
    *out = NULL;
    return 0;
}

/* ---- all files */

static bool is_ours(const char *name, bool *temporary) {
    const size_t hex = strspn(name, "0123456789abcdef");
    *temporary = strncmp(name, ".new.", 5) == 0;
    return *temporary || (hex == RT_STORE_NAME - 3 && strcmp(name + hex, ".k") == 0);
}

static int by_use(const void *a, const void *b) {
    const rt_store_file *x = a, *y = b;
    if (x->used != y->used) return x->used < y->used ? -1 : 1;
    if (x->inode != y->inode) return x->inode < y->inode ? -1 : 1;
    return strcmp(x->name, y->name);
}

bool rt_store_list(int dir, rt_store_files *f) {
    const int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = again >= 0 ? fdopendir(again) : NULL;
    bool done = d != NULL;
    if (!d && again >= 0) close(again);
    for (const struct dirent *x; done && (x = readdir(d));) {
        struct stat s;
        rt_store_file file = {.name = ""};
        const size_t n = strlen(x->d_name);
        if (!is_ours(x->d_name, &file.temporary) || n >= sizeof file.name ||
            fstatat(dir, x->d_name, &s, AT_SYMLINK_NOFOLLOW) || !S_ISREG(s.st_mode))
            continue;
        memcpy(file.name, x->d_name, n + 1);
        file.inode = s.st_ino;
        file.bytes = (uint64_t)s.st_size;
        file.used = (int64_t)s.st_mtim.tv_sec * 1000000000 + s.st_mtim.tv_nsec;
        done = bz_vec_push(&f->v, file);
    }
    if (d) closedir(d);
    if (f->v.n) qsort(f->v.p, f->v.n, sizeof *f->v.p, by_use);
    f->bytes = 0;
    for (uint32_t i = 0; i < f->v.n; i++)
        if (i == 0 || f->v.p[i].inode != f->v.p[i - 1].inode) f->bytes += f->v.p[i].bytes;
    return done;
}

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

uint64_t rt_store_trim(int dir, uint64_t most) {
    rt_store_files f = {{0}, 0};
    const int64_t abandoned = now() - (int64_t)ABANDONED * 1000000000;
    const bool all = rt_store_list(dir, &f);
    uint64_t left = f.bytes;
    for (uint32_t i = 0; i < f.v.n && all; i++) {
        const rt_store_file *x = &f.v.p[i];
        const bool last = i + 1 == f.v.n || x[1].inode != x->inode;
        if (x->temporary ? x->used < abandoned : left > most)
            unlinkat(dir, x->name, 0);
        else
            continue;
        if (last) left -= x->bytes;
    }
    bz_vec_free(&f.v);
    return left;
}
