/* file.c - files read whole and replaced whole.
 *
 *     pieces --> path.tmp.PID.N --fsync--> <--exchange--> path     a reader sees the old file or the new one
 *
 * Of several files the old ones are kept until the last is in place, and come back when one cannot be placed. What a killed
 * process left behind goes with the next file of that name.
 *
 * What is there and no regular file (a device, a pipe) is written to, never replaced. */
#include "runtime/io/array.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_LOCKED = 64 }; /* files of one replacement */

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

/* "DIR/NAME.tmp.PID.N": whose process is gone, and whose lock nobody holds, was left by one that was killed. */
static bool is_abandoned(int dir, const char *name, const char *base, size_t n) {
    char *end;
    struct stat s;
    if (strncmp(name, base, n) || strncmp(name + n, ".tmp.", 5)) return false;
    long pid = strtol(name + n + 5, &end, 10);
    if (pid <= 0 || *end != '.' || end[1 + strspn(end + 1, "0123456789")] ||
        kill((pid_t)pid, 0) == 0 || errno != ESRCH || fstatat(dir, name, &s, AT_SYMLINK_NOFOLLOW) ||
        !S_ISREG(s.st_mode) || s.st_uid != geteuid())
        return false;
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    /* of a process that only another container sees */
    bool free = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (fd >= 0) close(fd);
    return free;
}

static int open_directory(const char *path) {
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) + 1 : 2;
    char *dir = bz_mem_alloc(n + 1);
    if (!dir) return -1;
    memcpy(dir, slash ? path : "./", n);
    dir[n] = 0;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bz_mem_free(dir);
    return fd;
}

/* What killed processes left beside `path` goes. */
static void clear_abandoned(const char *path) {
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    int fd = open_directory(path);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d && fd >= 0) close(fd);
    for (const struct dirent *x; d && (x = readdir(d));)
        if (is_abandoned(dirfd(d), x->d_name, base, strlen(base))) unlinkat(dirfd(d), x->d_name, 0);
    if (d) closedir(d);
}

/* The names in its directory outlive a loss of power. Not every file system can; that is its owner's choice. */
static void sync_directory(const char *path) {
    int fd = open_directory(path);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

static char *beside(const char *path) {
    static _Atomic unsigned counter;
    size_t room = strlen(path) + 48;
    char *p = bz_mem_alloc(room);
    if (p) snprintf(p, room, "%s.tmp.%ld.%u", path, (long)getpid(), atomic_fetch_add(&counter, 1));
    return p;
}

/* A new file beside the final one, so that the rename stays in its file system; locked until it is closed. -1 and errno. */
static int open_temporary(rt_file *f) {
    int fd;
    do {
        bz_mem_free(f->temporary);
        if (!(f->temporary = beside(f->path))) return errno = ENOMEM, -1;
        fd = open(f->temporary, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    } while (fd < 0 && errno == EEXIST);
    if (fd >= 0) return flock(fd, LOCK_EX | LOCK_NB), fd;
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

static bool write_content(const rt_file *f, int fd) {
    if (f->fill) return (errno = f->fill(fd, f->content)) == 0;
    bool good = true;
    for (unsigned i = 0; i < f->npieces && good; i++)
        good = write_all(fd, f->pieces[i].p, f->pieces[i].n);
    return good;
}

static bool copy_all(int from, int to) {
    char chunk[1 << 16];
    ssize_t k;
    for (off_t at = 0; (k = pread(from, chunk, sizeof chunk, at)) > 0; at += k)
        if (!write_all(to, chunk, (size_t)k)) return false;
    return k == 0;
}

/* What cannot seek gets the bytes from memory. */
static bool fill_stream(const rt_file *f, int fd) {
    int own = memfd_create("braze", MFD_CLOEXEC);
    bool good = own >= 0 && write_content(f, own) && copy_all(own, fd);
    int why = errno;
    if (own >= 0) close(own);
    return errno = why, good;
}

static bz_status write_special(const rt_file *f, bz_error *e) {
    int fd = open(f->path, O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0 && (f->fill ? fill_stream(f, fd) : write_content(f, fd));
    int why = errno;
    if (fd >= 0) close(fd);
    return good ? BZ_OK : cannot_write(f->path, why, e);
}

/* `keep`: open, and so locked against who sees no process of ours. There are fewer descriptors than files may be. */
static bz_status write_temporary(rt_file *f, bool keep, bz_error *e) {
    f->fd = -1;
    if (is_special(f->path)) return BZ_OK; /* there is no second one of its name */
    clear_abandoned(f->path);
    f->fd = open_temporary(f);
    if (f->fd < 0) return cannot_write(f->path, errno, e);
    bool good = write_content(f, f->fd) && fsync(f->fd) == 0;
    if (!good) return cannot_write(f->path, errno, e);
    if (!keep) {
        close(f->fd);
        f->fd = -1;
    }
    return BZ_OK;
}

/* A directory is what a rename onto would fail at; found before anything is in place. */
static bz_status check_place(const rt_file *f, bz_error *e) {
    struct stat s;
    return stat(f->path, &s) == 0 && S_ISDIR(s.st_mode) ? cannot_write(f->path, EISDIR, e) : BZ_OK;
}

/* Where two names cannot be exchanged: the old file gets another one first. */
static int place_over(rt_file *f) {
    char *old = beside(f->path);
    if (!old) return errno = ENOMEM, -1;
    bool linked = link(f->path, old) == 0;
    if ((!linked && rename(f->path, old)) || rename(f->temporary, f->path)) {
        int why = errno;
        if (linked)
            unlink(old); /* two names of one file: a rename would keep both */
        else
            rename(old, f->path);
        bz_mem_free(old);
        return errno = why, -1;
    }
    bz_mem_free(f->temporary);
    f->temporary = old;
    return 0;
}

/* From then on `temporary` is the old file, or NULL. */
static bz_status put_in_place(rt_file *f, bz_error *e) {
    struct stat s;
    if (!f->temporary) return BZ_OK; /* written already */
    bool old = lstat(f->path, &s) == 0;
    int r = old ? renameat2(AT_FDCWD, f->temporary, AT_FDCWD, f->path, RENAME_EXCHANGE)
                : rename(f->temporary, f->path);
    if (r && old && (errno == EINVAL || errno == ENOSYS || errno == ENOTSUP)) r = place_over(f);
    if (r) return cannot_write(f->path, errno, e);
    f->placed = true;
    if (!old) {
        bz_mem_free(f->temporary);
        f->temporary = NULL;
    }
    return BZ_OK;
}

static void take_back(rt_file *f) {
    if (!f->placed) return;
    if (f->temporary && rename(f->temporary, f->path) == 0) {
        bz_mem_free(f->temporary);
        f->temporary = NULL;
    } else if (!f->temporary) {
        unlink(f->path);
    }
}

static void let_go(rt_file *f) {
    if (f->temporary) unlink(f->temporary);
    if (f->fd >= 0) close(f->fd);
    bz_mem_free(f->temporary);
    f->temporary = NULL;
}

/* What cannot be taken back comes last: first new files beside the old ones, then what is no file, then the renames, and the old
 * files go when all of them are done. */
bz_status rt_files_replace(rt_file *f, unsigned n, bz_error *e) {
    bz_status s = BZ_OK;
    for (unsigned i = 0; i < n; i++) f[i].temporary = NULL, f[i].fd = -1, f[i].placed = false;
    for (unsigned i = 0; i < n && !s; i++) s = check_place(&f[i], e);
    for (unsigned i = 0; i < n && !s; i++) s = write_temporary(&f[i], i < MOST_LOCKED, e);
    for (unsigned i = 0; i < n && !s; i++) s = f[i].temporary ? BZ_OK : write_special(&f[i], e);
    for (unsigned i = 0; i < n && !s; i++) s = put_in_place(&f[i], e);
    for (unsigned i = 0; i < n && !s; i++)
        if (f[i].placed) sync_directory(f[i].path);
    for (unsigned i = n; s && i-- > 0;) take_back(&f[i]);
    for (unsigned i = 0; i < n; i++) let_go(&f[i]);
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

/* ---- bytes in memory: those of a file are mapped, those of a stream read into a mapping like it */

enum { FIRST_ROOM = 1 << 16 };

static bool more_room(void **p, size_t *room) {
    size_t more = *room ? 2 * *room : FIRST_ROOM;
    void *q = *room ? mremap(*p, *room, more, MREMAP_MAYMOVE)
                    : mmap(NULL, more, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (q == MAP_FAILED) return false;
    *p = q;
    *room = more;
    return true;
}

/* Not a byte more than wanted: what follows may be another reader's. 0, or errno. */
static int read_wanted(int fd, const rt_file_kind *kind, void **p, size_t *n, size_t *room) {
    for (size_t want; (want = kind->wanted(*p, *n)) > *n;) {
        if (*n == *room && !more_room(p, room)) return ENOMEM;
        size_t end = want < *room ? want : *room;
        ssize_t k = read(fd, (char *)*p + *n, end - *n);
        if (k < 0 && errno != EINTR) return errno;
        if (k == 0) break;
        if (k > 0) *n += (size_t)k;
    }
    return 0;
}

static bz_status read_all(int fd, const char *path, const rt_file_kind *kind, void **out, size_t *n,
                          bz_error *e) {
    size_t room = 0;
    *out = NULL;
    *n = 0;
    int why = read_wanted(fd, kind, out, n, &room);
    if (why || !*n) {
        if (room) munmap(*out, room);
    } else {
        mremap(*out, room, *n, 0); /* its end only: it does not move */
    }
    if (why == ENOMEM) return bz_fail(e, BZ_ENOMEM, "out of memory while reading %s", path);
    return why ? cannot_read(path, why, e) : BZ_OK;
}

static bz_status map_open(int fd, const char *path, const rt_file_kind *kind, void **out, size_t *n,
                          bz_error *e) {
    struct stat st;
    if (fstat(fd, &st)) return cannot_read(path, errno, e);
    bool file = S_ISREG(st.st_mode);
    *n = file ? (size_t)st.st_size : 0;
    if (!file && read_all(fd, path, kind, out, n, e)) return e->status;
    if (*n == 0) return bz_fail(e, BZ_EFORMAT, "%s: not a %s: it is empty", path, kind->name);
    if (file) *out = mmap(NULL, *n, PROT_READ, MAP_PRIVATE, fd, 0);
    return *out == MAP_FAILED ? cannot_read(path, errno, e) : BZ_OK;
}

bz_status rt_file_map(const char *path, const rt_file_kind *kind, void **out, size_t *n,
                      bz_error *e) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return cannot_read(path, errno, e);
    bz_status s = map_open(fd, path, kind, out, n, e);
    close(fd);
    return s;
}
