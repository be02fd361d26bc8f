/* file.c - files read whole and replaced whole.
 *
 *     pieces --> path.XXXXXX --fsync--> --rename--> path        a reader sees the old file or the new one
 *
 * What is there and no regular file (a device, a pipe) is written to, never replaced. */
#include "runtime/array.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

static bool write_pieces(int fd, const rt_piece *pieces, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        if (!write_all(fd, pieces[i].p, pieces[i].n)) return false;
    return fsync(fd) == 0;
}

/* The access rights that a file made by open() would have: mkstemp gives it to its owner alone. */
static mode_t usual_mode(void) {
    mode_t mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
}

/* Fills `temporary`; errno tells why when it fails. */
static bool write_temporary(char *temporary, const rt_piece *pieces, unsigned n) {
    int fd = mkstemp(temporary);
    if (fd < 0) return false;
    bool good = write_pieces(fd, pieces, n) && fchmod(fd, usual_mode()) == 0;
    int why = errno;
    if (close(fd) && good) {
        good = false;
        why = errno;
    }
    if (!good) unlink(temporary);
    errno = why;
    return good;
}

static bool is_special(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

static bz_status write_special(const char *path, const rt_piece *pieces, unsigned n, bz_error *e) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0;
    for (unsigned i = 0; i < n && good; i++) good = write_all(fd, pieces[i].p, pieces[i].n);
    int why = errno;
    if (fd >= 0) close(fd);
    return good ? BZ_OK : bz_fail(e, BZ_EIO, "cannot write %s: %s", path, strerror(why));
}

bz_status rt_file_replace(const char *path, const rt_piece *pieces, unsigned n, bz_error *e) {
    if (is_special(path)) return write_special(path, pieces, n, e);
    size_t room = strlen(path) + 8;
    char *temporary = bz_mem_alloc(room);
    if (!temporary) return bz_fail(e, BZ_ENOMEM, "out of memory");
    snprintf(temporary, room, "%s.XXXXXX", path);
    bz_status s = BZ_OK;
    if (!write_temporary(temporary, pieces, n)) {
        s = bz_fail(e, BZ_EIO, "cannot write %s: %s", path, strerror(errno));
    } else if (rename(temporary, path)) {
        s = bz_fail(e, BZ_EIO, "cannot write %s: %s", path, strerror(errno));
        unlink(temporary);
    }
    bz_mem_free(temporary);
    return s;
}

bz_status rt_file_replace_text(const char *path, const bz_text *t, bz_error *e) {
    if (t->failed) return bz_fail(e, BZ_ENOMEM, "out of memory");
    return rt_file_replace(path, &(rt_piece){bz_text_c(t), t->n}, 1, e);
}

/* ---- reading */

static bz_status read_stream(FILE *f, const char *path, bz_text *t, bz_error *e) {
    char chunk[1 << 16];
    size_t k;
    while ((k = fread(chunk, 1, sizeof chunk, f)) > 0) bz_text_add(t, chunk, k);
    if (ferror(f)) return bz_fail(e, BZ_EIO, "cannot read %s: %s", path, strerror(errno));
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
    if (!f) bz_fail(e, BZ_EIO, "cannot read %s: %s", path, strerror(errno));
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
