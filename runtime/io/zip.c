/* zip.c - see zip.h.
 *
 * The build puts this file, minizip and zlib into one object in which all names but ours are local (Makefile): a program that
 * has a zlib of its own never meets this one, and who links libbraze names no library. */
#include "runtime/io/zip.h"

bz_status rt_zip_usable(bz_error *e) {
#ifdef BZ_NO_ZIP
    return bz_fail(e, BZ_EUNSUPPORTED,
                   ".npz files are not supported: this braze was built without libminizip-dev");
#else
    (void)e;
    return BZ_OK;
#endif
}

#ifdef BZ_NO_ZIP

bz_status rt_zip_open(const void *bytes, size_t n, const char *path, rt_zip **out, bz_error *e) {
    (void)bytes, (void)n, (void)path;
    *out = NULL;
    return rt_zip_usable(e);
}

void rt_zip_close(rt_zip *z) {
    (void)z;
}

uint32_t rt_zip_count(const rt_zip *z) {
    (void)z;
    return 0;
}

const char *rt_zip_name(const rt_zip *z, uint32_t i) {
    (void)z, (void)i;
    return "";
}

bz_status rt_zip_read(rt_zip *z, uint32_t i, void **p, size_t *n, bz_error *e) {
    (void)z, (void)i, (void)p, (void)n;
    return rt_zip_usable(e);
}

int rt_zip_write(int fd, void *plan) {
    (void)fd, (void)plan;
    return -1; /* rt_zip_usable was asked before */
}

#else

#include <errno.h>
#include <minizip/unzip.h>
#include <minizip/zip.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

/* A piece that minizip's counters hold. */
static const size_t MOST = (size_t)1 << 30;
/* Members that a 16-bit count does not tell from "see the zip64 record". */
static const uint32_t MANY = 0xffff;
/* No stream of deflate grows more than this. */
static const uint64_t MAX_RATIO = 1032;

/* ---- reading: minizip's stream over bytes in memory */

typedef struct member {
    char *name;
    unz64_file_pos at;
} member;

struct rt_zip {
    const char *bytes, *path;
    uint64_t n, at;
    bool cut; /* something was read behind the end, which minizip takes for zeros unless told */
    unzFile unz;
    BZ_VEC(member) all;
    bz_arena names;
};

static voidpf see(voidpf z, const void *path, int mode) {
    (void)path, (void)mode;
    return z;
}

static uLong take(voidpf z, voidpf stream, void *dst, uLong n) {
    rt_zip *a = z;
    (void)stream;
    if (n > a->n - a->at) n = a->n - a->at, a->cut = true;
    memcpy(dst, a->bytes + a->at, n);
    a->at += n;
    return n;
}

static ZPOS64_T tell(voidpf z, voidpf stream) {
    (void)stream;
    return ((rt_zip *)z)->at;
}

static long go(voidpf z, voidpf stream, ZPOS64_T offset, int origin) {
    rt_zip *a = z;
    (void)stream;
    uint64_t from = origin == ZLIB_FILEFUNC_SEEK_CUR ? a->at
                    : origin == ZLIB_FILEFUNC_SEEK_END ? a->n
                                                       : 0;
    if (offset > a->n - from) return -1;
    a->at = from + offset;
    return 0;
}

static int no_error(voidpf z, voidpf stream) {
    (void)z, (void)stream;
    return 0;
}

static int is_cut(voidpf z, voidpf stream) {
    (void)stream;
    return ((rt_zip *)z)->cut;
}

static bz_status damaged(const rt_zip *z, const char *what, bz_error *e) {
    return bz_fail(e, BZ_EFORMAT, "%s: damaged archive: %s", z->path, what);
}

/* The member where minizip stands, added to the list. */
static bz_status add_member(rt_zip *z, bz_error *e) {
    unz_file_info64 info;
    member m = {0};
    if (unzGetCurrentFileInfo64(z->unz, &info, NULL, 0, NULL, 0, NULL, 0) ||
        unzGetFilePos64(z->unz, &m.at))
        return damaged(z, "its directory cannot be read", e);
    size_t n = info.size_filename;
    m.name = bz_arena_alloc(&z->names, n + 1);
    if (!m.name || !bz_vec_push(&z->all, m)) return bz_fail(e, BZ_ENOMEM, "out of memory");
    m.name[n] = 0;
    if (unzGetCurrentFileInfo64(z->unz, &info, m.name, n + 1, NULL, 0, NULL, 0))
        return damaged(z, "its directory cannot be read", e);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)m.name[i] < ' ' || m.name[i] == 127)
            return damaged(z, "a member's name is no text", e);
    return BZ_OK;
}

static bz_status read_directory(rt_zip *z, bz_error *e) {
    unz_global_info64 info;
    if (unzGetGlobalInfo64(z->unz, &info)) return damaged(z, "its directory cannot be read", e);
    int r = info.number_entry ? unzGoToFirstFile(z->unz) : UNZ_END_OF_LIST_OF_FILE;
    for (; r == UNZ_OK; r = unzGoToNextFile(z->unz))
        if (add_member(z, e)) return e->status;
    if (z->all.n == MANY && info.number_entry == MANY) return BZ_OK; /* minizip would go on */
    return r == UNZ_END_OF_LIST_OF_FILE ? BZ_OK : damaged(z, "its directory cannot be read", e);
}

/* Nothing but the end record, which minizip finds anywhere but at 0. */
static bool is_empty(const char *p, size_t n) {
    return n >= 22 && memcmp(p, "PK\5\6\0\0\0\0\0\0\0\0", 12) == 0;
}

bz_status rt_zip_open(const void *bytes, size_t n, const char *path, rt_zip **out, bz_error *e) {
    rt_zip *z = *out = bz_mem_zero(1, sizeof *z);
    if (!z) return bz_fail(e, BZ_ENOMEM, "out of memory");
    *z = (rt_zip){.bytes = bytes, .n = n, .path = path};
    zlib_filefunc64_def io = {.zopen64_file = see,
                              .zread_file = take,
                              .ztell64_file = tell,
                              .zseek64_file = go,
                              .zclose_file = no_error,
                              .zerror_file = is_cut,
                              .opaque = z};
    if (is_empty(bytes, n)) return BZ_OK;
    z->unz = unzOpen2_64(path, &io);
    if (!z->unz)
        bz_fail(e, BZ_EFORMAT, "%s: not a zip archive, or its end is missing", path);
    else
        read_directory(z, e);
    if (!e->status) return BZ_OK;
    rt_zip_close(z);
    *out = NULL;
    return e->status;
}

void rt_zip_close(rt_zip *z) {
    if (!z) return;
    if (z->unz) unzClose(z->unz);
    bz_vec_free(&z->all);
    bz_arena_free(&z->names);
    bz_mem_free(z);
}

uint32_t rt_zip_count(const rt_zip *z) {
    return z->all.n;
}

const char *rt_zip_name(const rt_zip *z, uint32_t i) {
    return z->all.p[i].name;
}

/* ---- a member's bytes. minizip 1.1 loses sizes and places of 64 bits where long has 64 (it compares with -1L), so entries are read
 * here, and zlib does the rest. */

typedef struct entry {
    unsigned flags, method;
    uint32_t sum;
    uint64_t size, packed, at; /* at: of the local header */
    const char *data;
} entry;

static uint64_t little(const char *p, unsigned bytes) {
    uint64_t v = 0;
    for (unsigned i = bytes; i-- > 0;) v = v << 8 | (unsigned char)p[i];
    return v;
}

/* The header of `bytes` bytes with this signature at `at`; NULL. */
static const char *header_at(const rt_zip *z, uint64_t at, uint64_t bytes, const char *signature) {
    if (at > z->n || z->n - at < bytes || memcmp(z->bytes + at, signature, 4) != 0) return NULL;
    return z->bytes + at;
}

/* What did not fit into 32 bits, from the extra field 1; false when it is not there. */
static bool widen(entry *x, const char *p, size_t n) {
    uint64_t *wide[] = {&x->size, &x->packed, &x->at};
    bool has = false;
    for (size_t k; !has && n >= 4; p += k, n -= k) {
        k = 4 + (size_t)little(p + 2, 2);
        if (k > n) return false;
        has = little(p, 2) == 1;
        size_t from = 4;
        for (unsigned i = 0; has && i < BZ_LEN(wide); i++) {
            if (*wide[i] != UINT32_MAX) continue;
            if (k - from < 8) return false;
            *wide[i] = little(p + from, 8);
            from += 8;
        }
    }
    return has || (x->size != UINT32_MAX && x->packed != UINT32_MAX && x->at != UINT32_MAX);
}

enum { ENTRY = 46, LOCAL = 30 };

static bool read_entry(const rt_zip *z, const member *m, entry *x) {
    const char *p = header_at(z, m->at.pos_in_zip_directory, ENTRY, "PK\1\2");
    if (!p) return false;
    size_t name = (size_t)little(p + 28, 2), extra = (size_t)little(p + 30, 2);
    if ((size_t)(z->bytes + z->n - p) - ENTRY < name + extra) return false;
    *x = (entry){.flags = (unsigned)little(p + 8, 2),
                 .method = (unsigned)little(p + 10, 2),
                 .sum = (uint32_t)little(p + 16, 4),
                 .packed = little(p + 20, 4),
                 .size = little(p + 24, 4),
                 .at = little(p + 42, 4)};
    return widen(x, p + ENTRY + name, extra);
}

/* The packed bytes, behind a header of their own that must say the same. */
static bool find_data(const rt_zip *z, const member *m, entry *x) {
    const char *p = header_at(z, x->at, LOCAL, "PK\3\4");
    size_t name = strlen(m->name);
    if (!p || little(p + 8, 2) != x->method || little(p + 26, 2) != name) return false;
    uint64_t behind = LOCAL + name + little(p + 28, 2), left = z->n - x->at;
    if (left < behind || memcmp(p + LOCAL, m->name, name) != 0) return false;
    x->data = p + behind;
    return x->packed <= left - behind;
}

/* Whether the member can be what the directory says. */
static bz_status check_entry(const rt_zip *z, const entry *x, const char *name, bz_error *e) {
    bool stored = x->method == 0;
    if (x->flags & 1) return bz_fail(e, BZ_EUNSUPPORTED, "%s:%s is encrypted", z->path, name);
    if (!stored && x->method != Z_DEFLATED)
        return bz_fail(e, BZ_EUNSUPPORTED, "%s:%s: compression method %u is not supported", z->path,
                       name, x->method);
    if (x->packed > z->n || (stored ? x->size != x->packed : x->size / MAX_RATIO > x->packed))
        return bz_fail(e, BZ_EFORMAT, "%s:%s: damaged archive: its size cannot be", z->path, name);
    return BZ_OK;
}

/* Exactly x->size bytes, from exactly the packed ones. zlib counts in 32 bits, so both go in portions. */
static bool unpack(const entry *x, char *p) {
    z_stream s = {.next_in = (Bytef *)(uintptr_t)x->data, .next_out = (Bytef *)p};
    uint64_t in = x->packed, out = x->size;
    int r = inflateInit2(&s, -MAX_WBITS);
    while (r == Z_OK) {
        unsigned give = (unsigned)(in < MOST ? in : MOST),
                 take = (unsigned)(out < MOST ? out : MOST);
        s.avail_in = give;
        s.avail_out = take;
        r = inflate(&s, Z_NO_FLUSH);
        in -= give - s.avail_in;
        out -= take - s.avail_out;
    }
    inflateEnd(&s);
    return r == Z_STREAM_END && !in && !out;
}

static bool read_data(const entry *x, char *p) {
    if (x->method) return unpack(x, p);
    memcpy(p, x->data, x->size);
    return true;
}

bz_status rt_zip_read(rt_zip *z, uint32_t i, void **p, size_t *n, bz_error *e) {
    const member *m = &z->all.p[i];
    entry x;
    *p = NULL;
    if (!read_entry(z, m, &x)) return damaged(z, "its directory cannot be read", e);
    if (check_entry(z, &x, m->name, e)) return e->status;
    if (!find_data(z, m, &x))
        return bz_fail(e, BZ_EFORMAT, "%s:%s: damaged archive: directory and member do not agree",
                       z->path, m->name);
    *n = x.size;
    *p = bz_mem_alloc(*n + 1);
    if (!*p)
        return bz_fail(e, BZ_ENOMEM, "%s:%s: no memory for its %zu bytes", z->path, m->name, *n);
    bool read = read_data(&x, *p);
    if (read && crc32_z(0, *p, *n) == x.sum) return BZ_OK;
    bz_mem_free(*p);
    *p = NULL;
    return bz_fail(e, BZ_EFORMAT, "%s:%s: damaged archive: %s", z->path, m->name,
                   read ? "its checksum is wrong" : "its bytes cannot be read");
}

/* ---- writing: minizip's stream over a file */

typedef struct sink {
    FILE *f;
    int why; /* errno of the first failure */
} sink;

static int note(sink *s) {
    if (!s->why) s->why = errno ? errno : EIO;
    return -1;
}

static voidpf sink_open(voidpf s, const void *path, int mode) {
    (void)path, (void)mode;
    return s;
}

static uLong sink_read(voidpf s, voidpf stream, void *dst, uLong n) {
    (void)s, (void)stream, (void)dst, (void)n;
    return 0;
}

static uLong sink_write(voidpf s, voidpf stream, const void *p, uLong n) {
    sink *k = s;
    (void)stream;
    size_t done = fwrite(p, 1, n, k->f);
    if (done != n) note(k);
    return done;
}

static ZPOS64_T sink_tell(voidpf s, voidpf stream) {
    (void)stream;
    return (ZPOS64_T)ftello(((sink *)s)->f);
}

static long sink_seek(voidpf s, voidpf stream, ZPOS64_T offset, int origin) {
    static const int whence[] = {[ZLIB_FILEFUNC_SEEK_SET] = SEEK_SET,
                                 [ZLIB_FILEFUNC_SEEK_CUR] = SEEK_CUR,
                                 [ZLIB_FILEFUNC_SEEK_END] = SEEK_END};
    sink *k = s;
    (void)stream;
    return fseeko(k->f, (off_t)offset, whence[origin]) ? note(k) : 0;
}

static bool is_ascii(const char *s) {
    while (*s && (unsigned char)*s < 128) s++;
    return !*s;
}

/* What zip wants to know beside the bytes: a day that is always the same, a file that its owner may write. */
enum {
    DAY = 1 << 21 | 1 << 16, /* January 1st, 1980, as DOS counts */
    MADE_BY = 3 << 8 | 45,   /* Unix; zip64 understood */
    IS_UTF8 = 1 << 11,
};

static int open_member(zipFile z, const rt_zip_member *m, bool deflate) {
    zip_fileinfo info = {.dosDate = DAY, .external_fa = 0100644UL << 16};
    size_t n = 0;
    for (unsigned i = 0; i < RT_ZIP_PIECES; i++) n += m->pieces[i].n;
    bool large = n >= 0xf0000000; /* deflated it may be a little more */
    return zipOpenNewFileInZip4_64(z, m->name, &info, NULL, 0, NULL, 0, NULL,
                                   deflate ? Z_DEFLATED : 0, Z_DEFAULT_COMPRESSION, 0, -MAX_WBITS,
                                   8, Z_DEFAULT_STRATEGY, NULL, 0, MADE_BY,
                                   is_ascii(m->name) ? 0 : IS_UTF8, large);
}

static int write_member(zipFile z, const rt_zip_member *m, bool deflate) {
    int r = open_member(z, m, deflate);
    for (unsigned i = 0; i < RT_ZIP_PIECES; i++) {
        const char *p = m->pieces[i].p;
        for (size_t left = m->pieces[i].n; left && !r;) {
            size_t k = left < MOST ? left : MOST;
            r = zipWriteInFileInZip(z, p, (unsigned)k);
            p += k;
            left -= k;
        }
    }
    return r ? r : zipCloseFileInZip(z);
}

static void put(char **p, uint64_t v, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++) *(*p)++ = (char)(v >> 8 * i & 255);
}

/* minizip writes a zip64 record for places beyond 4 GiB, but none for a count beyond 16 bits: before the end record, which it has
 * written, comes one, and the record that says where it is. `at`: where the directory begins. */
static void count_many(sink *s, uint64_t n, uint64_t at) {
    enum { END = 22, RECORD = 56, LOCATOR = 20 };
    char text[RECORD + LOCATOR + END], *p = text;
    off_t end = ftello(s->f) - END;
    uint64_t size = (uint64_t)end - at;
    put(&p, 0x06064b50, 4);
    put(&p, RECORD - 12, 8);   /* what follows */
    put(&p, 45 << 16 | 45, 4); /* made by, needed */
    put(&p, 0, 8);             /* disks */
    for (int i = 0; i < 2; i++) put(&p, n, 8);
    put(&p, size, 8);
    put(&p, at, 8);
    put(&p, 0x07064b50, 4);
    put(&p, 0, 4);
    put(&p, (uint64_t)end, 8);
    put(&p, 1, 4);
    put(&p, 0x06054b50, 4);
    put(&p, 0, 4);
    put(&p, UINT32_MAX, 4); /* both counts: see there */
    put(&p, size, 4);
    put(&p, at, 4);
    put(&p, 0, 2);
    if (fseeko(s->f, end, SEEK_SET) || fwrite(text, 1, sizeof text, s->f) != sizeof text) note(s);
}

int rt_zip_write(int fd, void *plan) {
    const rt_zip_plan *p = plan;
    int own = dup(fd);
    sink s = {.f = own < 0 ? NULL : fdopen(own, "wb")};
    if (!s.f) {
        int why = errno;
        if (own >= 0) close(own);
        return why;
    }
    zlib_filefunc64_def io = {.zopen64_file = sink_open,
                              .zread_file = sink_read,
                              .zwrite_file = sink_write,
                              .ztell64_file = sink_tell,
                              .zseek64_file = sink_seek,
                              .zclose_file = no_error,
                              .zerror_file = no_error,
                              .opaque = &s};
    zipFile z = zipOpen2_64("", APPEND_STATUS_CREATE, NULL, &io);
    int r = z ? 0 : ZIP_INTERNALERROR;
    for (uint32_t i = 0; i < p->n && !r; i++) r = write_member(z, &p->members[i], p->deflate);
    uint64_t at = (uint64_t)ftello(s.f);
    if (z && zipClose(z, NULL) && !r) r = ZIP_INTERNALERROR;
    if (!r && p->n >= MANY && at < UINT32_MAX) count_many(&s, p->n, at);
    if (fclose(s.f)) note(&s);
    return s.why ? s.why : r ? ENOMEM : 0;
}

#endif
