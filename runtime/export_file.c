/* export_file.c - files that appear whole: written under temporary names, then renamed. */
#include "runtime/export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bz_status cannot(const ex_file *f, int reason, bz_error *e) {
    return bz_fail(e, BZ_EIO, "[export] cannot write %s: %s", f->path, strerror(reason));
}

/* A new file beside the final one, so that the rename stays in its file system. */
static int open_temp(ex_file *f) {
    static _Atomic unsigned counter;
    size_t room = strlen(f->path) + 48;
    if (!(f->temp = bz_mem_alloc(room))) return errno = ENOMEM, -1;
    int fd;
    do {
        snprintf(f->temp, room, "%s.tmp.%ld.%u", f->path, (long)getpid(),
                 atomic_fetch_add(&counter, 1));
        fd = open(f->temp, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    } while (fd < 0 && errno == EEXIST);
    if (fd < 0) {
        int reason = errno;
        bz_mem_free(f->temp);
        f->temp = NULL;
        errno = reason;
    }
    return fd;
}

static int write_bytes(int fd, const char *p, size_t n) {
    while (n) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno != EINTR) return errno;
        p += done > 0 ? done : 0;
        n -= done > 0 ? (size_t)done : 0;
    }
    return 0;
}

static bz_status write_temp(ex_file *f, bz_error *e) {
    int fd = open_temp(f);
    if (fd < 0) return cannot(f, errno, e);
    int reason = write_bytes(fd, f->bytes, f->n);
    if (close(fd) && !reason) reason = errno;
    return reason ? cannot(f, reason, e) : BZ_OK;
}

/* A directory is what a rename onto would fail at; found before anything is in place. */
static bz_status check_place(const ex_file *f, bz_error *e) {
    struct stat s;
    return stat(f->path, &s) == 0 && S_ISDIR(s.st_mode) ? cannot(f, EISDIR, e) : BZ_OK;
}

static bz_status put_in_place(ex_file *f, bz_error *e) {
    if (rename(f->temp, f->path)) return cannot(f, errno, e);
    bz_mem_free(f->temp);
    f->temp = NULL;
    return BZ_OK;
}

bz_status ex_write_files(ex_file *f, unsigned n, bz_error *e) {
    bz_status s = BZ_OK;
    for (unsigned i = 0; i < n && !s; i++) s = check_place(&f[i], e);
    for (unsigned i = 0; i < n && !s; i++) s = write_temp(&f[i], e);
    unsigned placed = 0;
    while (placed < n && !s) {
        s = put_in_place(&f[placed], e);
        placed += !s;
    }
    for (unsigned i = 0; i < n; i++) {
        if (s && i < placed) unlink(f[i].path);
        if (f[i].temp) unlink(f[i].temp);
        bz_mem_free(f[i].temp);
        f[i].temp = NULL;
    }
    return s;
}
