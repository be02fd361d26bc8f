/* file.c - files read whole and replaced whole.
 *
 *     pieces --> path.tmp.PID.N --fsync--> --rename--> path     a reader sees the old file or the new one
 *
 * What is there and no regular file (a device, a pipe) is written to, never replaced. */
#include "runtime/array.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- writing */

/* A path's end, so that there is room for the reason behind it. */
static const char *path_end(const char *path) {
    size_t n = strlen(path), most = 300;
    return n > most ? path + n - most : path;
}

static bz_status cannot_write(const char *path, int why, bz_error *e) {
    const char *end = path_end(path), *cut = end == path ? "" : "...";
    if (why == ENOMEM) return bz_fail(e, BZ_ENOMEM, "out of memory while writing %s%s", cut, end);
    return bz_fail(e, BZ_EIO, "cannot write %s%s: %s", cut, end, strerror(why));
}

/* A new file beside the final one, so that the rename stays in its file system. -1 and errno. */
static int open_temporary(rt_file *f) {
    static _Atomic unsigned counter;
    size_t room = strlen(f->path) + 48;
    if (!(f->temporary = bz_mem_alloc(room))) return errno = ENOMEM, -1;
    int fd;
    do {
        snprintf(f->temporary, room, "%s.tmp.%ld.%u", f->path, (long)getpid(),
                 atomic_fetch_add(&counter, 1));
        fd = open(f->temporary, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    } while (fd < 0 && errno == EEXIST);
    if (fd >= 0) return fd;
    int why = errno;
    bz_mem_free(f->temporary); /* there is nothing to unlink */
    f->temporary = NULL;
    errno = why;
    return -1;
}

static bool write_all(int fd, const char *p, size_t n) {
    while (n) {
        ssize_t k = write(fd, p, n);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return false;
        p += k;
        n -= (size_t)k;
    }
    return true;
}

static bool is_special(const char *path) {
    struct stat s;
    return stat(path, &s) == 0 && !S_ISREG(s.st_mode) && !S_ISDIR(s.st_mode);
}

static bz_status write_special(const rt_file *f, bz_error *e) {
    int fd = open(f->path, O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0;
    for (unsigned i = 0; i < f->npieces && good; i++)
        good = write_all(fd, f->pieces[i].p, f->pieces[i].n);
    int why = errno;
    if (fd >= 0) close(fd);
    return good ? BZ_OK : cannot_write(f->path, why, e);
}

static bz_status write_temporary(rt_file *f, bz_error *e) {
    if (is_special(f->path)) return BZ_OK; /* there is no second one of its name */
    int fd = open_temporary(f), why = errno;
    if (fd < 0) return cannot_write(f->path, why, e);
    bool good = true;
    for (unsigned i = 0; i < f->npieces && good; i++)
        good = write_all(fd, f->pieces[i].p, f->pieces[i].n);
    good = good && fsync(fd) == 0;
    why = errno;
    if (close(fd) && good) good = false, why = errno;
    return good ? BZ_OK : cannot_write(f->path, why, e);
}

/* A directory is what a rename onto would fail at; found before anything is in place. */
static bz_status check_place(const rt_file *f, bz_error *e) {
    struct stat s;
    return stat(f->path, &s) == 0 && S_ISDIR(s.st_mode) ? cannot_write(f->path, EISDIR, e) : BZ_OK;
}

static bz_status put_in_place(rt_file *f, bz_error *e) {
    if (!f->temporary) return BZ_OK; /* written already */
    if (rename(f->temporary, f->path)) return cannot_write(f->path, errno, e);
    bz_mem_free(f->temporary);
    f->temporary = NULL;
    return BZ_OK;
}

/* What cannot be taken back comes last: first new files beside the old ones, then what is no file, then the renames. */
bz_status rt_files_replace(rt_file *f, unsigned n, bz_error *e) {
    bz_status s = BZ_OK;
    unsigned placed = 0;
    for (unsigned i = 0; i < n && !s; i++) s = check_place(&f[i], e);
    for (unsigned i = 0; i < n && !s; i++) s = write_temporary(&f[i], e);
    for (unsigned i = 0; i < n && !s; i++) s = f[i].temporary ? BZ_OK : write_special(&f[i], e);
    for (; placed < n && !s; placed += !s) s = put_in_place(&f[placed], e);
    for (unsigned i = 0; i < n; i++) {
        if (s && i < placed && !is_special(f[i].path)) unlink(f[i].path);
        if (f[i].temporary) unlink(f[i].temporary);
        bz_mem_free(f[i].temporary);
        f[i].temporary = NULL;
    }
    return s;
}

bz_status rt_file_replace_text(const char *path, const bz_text *t, bz_error *e) {
    if (t->failed) return bz_fail(e, BZ_ENOMEM, "out of memory");
    const rt_piece whole = {bz_text_c(t), t->n};
    return rt_files_replace(&(rt_file){.path = path, .pieces = &whole, .npieces = 1}, 1, e);
}

/* ---- reading */

static bz_status cannot_read(const char *path, int why, bz_error *e) {
    const char *end = path_end(path);
    return bz_fail(e, BZ_EIO, "cannot read %s%s: %s", end == path ? "" : "...", end, strerror(why));
}

static bz_status read_stream(FILE *f, const char *path, bz_text *t, bz_error *e) {
    char chunk[1 << 16];
    size_t k;
    while ((k = fread(chunk, 1, sizeof chunk, f)) > 0) bz_text_add(t, chunk, k);
    if (ferror(f)) return cannot_read(path, errno, e);
    bz_text_add(t, "", 0);
    return t->failed ? bz_fail(e, BZ_ENOMEM, "out of memory while reading %s", path) : BZ_OK;
}

static FILE *open_file(const char *path, bz_error *e) {
    struct stat st;
    FILE *f = fopen(path, "rb");
    if (f && (fstat(fileno(f), &st) || S_ISDIR(st.st_mode))) {
        fclose(f);
        f = NULL;
        errno = EISDIR;
    }
    if (!f) cannot_read(path, errno, e);
    return f;
}

bz_status rt_file_read(const char *path, char **out, size_t *n, bz_error *e) {
    bool standard = strcmp(path, "-") == 0;
    *out = NULL;
    *n = 0;
    FILE *f = standard ? stdin : open_file(path, e);
    if (!f) return BZ_EIO;
    bz_text t = {0};
    bz_status s = read_stream(f, standard ? "standard input" : path, &t, e);
    if (!standard) fclose(f);
    if (s) {
        bz_text_free(&t);
        return s;
    }
    *out = t.p;
    *n = t.n;
    return BZ_OK;
}
