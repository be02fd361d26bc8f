/* fuzz_npz.c - .npz files, whole and damaged.
 *
 *     arrays under names, stored or deflated --> archive --> read: the elements that went in
 *                                                         \--damage--> each name: its elements, or refused with a status and a line of text
 *
 * Checksums guard the members: what is read after damage is what went in, unless the damage hit the directory's own sum, too. The
 * bytes lie in a block of just their size, so that AddressSanitizer sees a read behind them; no damage makes a file ask for more
 * memory than deflate could have put into it.
 * Each archive is damaged in 50 ways. usage: fuzz_npz SECONDS [SEED [COUNT]] */
#include "runtime/io/array.h"
#include "runtime/io/zip.h"
#include "tests/support/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 5, MAX_RATIO = 1040, DAMAGES = 50 };
static uint64_t state;

static uint32_t draw(uint32_t below) {
    state = bz_mix(state, 0x9e3779b97f4a7c15u);
    return (uint32_t)(state >> 24) % below;
}

static void fail(const char *what) {
    printf("fuzz_npz: %s\n", what);
    fflush(stdout);
    abort();
}

/* ---- an archive and what is in it */

typedef struct sample {
    char *file;
    size_t n;
    uint32_t count;
    ir_value_array a[MOST];
} sample;

static const char *const names[MOST] = {"x", "layer/w", "y.npy", "größe", "b"};

static void make_array(ir_value_array *a) {
    *a = (ir_value_array){.dtype = (bz_dtype)draw(BZ_NDTYPES), .rank = draw(4)};
    for (unsigned i = 0; i < a->rank; i++) a->shape[i] = draw(20) ? 1 + draw(6) : 0;
    size_t n = rt_array_bytes(a);
    unsigned char *p = a->data = bz_mem_alloc(n + 1);
    uint32_t most = a->dtype == BZ_BOOL ? 2 : draw(2) ? 256 : 3;
    for (size_t i = 0; i < n; i++) p[i] = (unsigned char)draw(most);
}

static void make_sample(sample *s, const char *path) {
    bz_error e = {0};
    *s = (sample){.count = draw(MOST + 1)};
    for (uint32_t i = 0; i < s->count; i++) make_array(&s->a[i]);
    if (rt_npz_save(path, names, s->a, s->count, draw(2), &e)) fail(e.text);
    if (rt_file_read(path, &s->file, &s->n, &e)) fail(e.text);
}

static void free_sample(sample *s) {
    for (uint32_t i = 0; i < s->count; i++) bz_mem_free(s->a[i].data);
    bz_mem_free(s->file);
}

/* ---- damage */

/* At a header, where most fields lie, or anywhere. */
static size_t somewhere(const char *p, size_t n) {
    size_t at = draw((uint32_t)n);
    if (draw(4) == 0) return at;
    for (size_t i = at; i + 1 < n; i++)
        if (p[i] == 'P' && p[i + 1] == 'K') {
            at = i + draw(50);
            break;
        }
    return at < n ? at : n - 1;
}

static void damage(sample *s) {
    static const char *const pieces[] = {"PK\1\2",   "PK\3\4", "PK\5\6",
                                         "PK\6\6",   "PK\6\7", "\xff\xff\xff\xff",
                                         "\1\0\0\0", "\x63",   "\x7f\x7f\x7f\x7f"};
    for (uint32_t k = 1 + draw(4); k && s->n; k--) {
        size_t at = somewhere(s->file, s->n), room = s->n - at;
        const char *piece = pieces[draw(BZ_LEN(pieces))];
        size_t n = strlen(piece) < room ? strlen(piece) : room;
        switch (draw(5)) {
        case 0: s->n = draw(8) ? s->n : at; break;
        case 1: memset(s->file + at, 0, room < 4 ? room : 4); break;
        case 2: memcpy(s->file + at, piece, n); break;
        case 3:
            n = room < 24 ? room / 2 : draw(12);
            memmove(s->file + at, s->file + at + n, room - n);
            s->n -= n;
            break;
        default: s->file[at] = (char)draw(256); break;
        }
    }
}

/* ---- checks */

static void check_error(bz_status s, const bz_error *e) {
    if (s != BZ_EFORMAT && s != BZ_EUNSUPPORTED && s != BZ_EARG) fail("neither taken nor refused");
    if (strncmp(e->text, "x.npz", 5) != 0) fail("the message does not name the file");
    for (const char *p = e->text; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 127) fail("the message has bytes that are no text");
}

/* Every member of the archive; how many were taken. */
static uint32_t read_members(const char *bytes, size_t n) {
    bz_error e = {0};
    rt_zip *z;
    uint32_t taken = 0;
    char *exact = malloc(n ? n : 1);
    if (n) memcpy(exact, bytes, n);
    bz_status s = rt_zip_open(exact, n, "x.npz", &z, &e);
    if (s) check_error(s, &e);
    for (uint32_t i = 0; !s && i < rt_zip_count(z); i++) {
        void *p;
        size_t size;
        ir_value_array a;
        e = (bz_error){0};
        bz_status t = rt_zip_read(z, i, &p, &size, &e);
        if (!t && size / MAX_RATIO > n) fail("more bytes than deflate can give");
        if (!t) t = rt_npy_decode(p, size, "x.npz", &a, &e);
        if (t) check_error(t, &e);
        if (!t) bz_mem_free(a.data);
        taken += !t;
        bz_mem_free(p);
    }
    if (!s) rt_zip_close(z);
    free(exact);
    return taken;
}

static void check_whole(const sample *s, const char *path) {
    bz_error e = {0};
    rt_npz *z;
    if (rt_npz_open(path, &z, &e)) fail(e.text);
    for (uint32_t i = 0; i < s->count; i++) {
        ir_value_array b;
        const ir_value_array *a = &s->a[i];
        if (rt_npz_read(z, names[i], &b, &e)) fail(e.text);
        if (a->dtype != b.dtype || a->rank != b.rank ||
            memcmp(a->shape, b.shape, a->rank * sizeof *a->shape) ||
            memcmp(a->data, b.data, rt_array_bytes(a)))
            fail("saved and loaded: something else");
        bz_mem_free(b.data);
    }
    rt_npz_close(z);
    if (read_members(s->file, s->n) != s->count) fail("a member of a whole archive was refused");
}

void fuzz_bytes(const uint8_t *p, size_t n) {
    read_members((const char *)p, n);
}

int fuzz_main(int argc, char **argv) {
    char dir[FUZZ_PATH], path[FUZZ_PATH + 8];
    long taken = 0;
    if (!fuzz_directory(dir)) return 1;
    snprintf(path, sizeof path, "%s/a.npz", dir);
    fuzz_span f = fuzz_begin("fuzz_npz", argc, argv);
    while (fuzz_next(&f)) {
        sample s;
        state = f.seed;
        make_sample(&s, path);
        check_whole(&s, path);
        for (int k = 0; k < DAMAGES && s.n; k++) {
            sample d = s;
            d.file = malloc(s.n);
            memcpy(d.file, s.file, s.n);
            damage(&d);
            taken += read_members(d.file, d.n);
            free(d.file);
        }
        f.runs += DAMAGES - 1;
        free_sample(&s);
    }
    unlink(path);
    rmdir(dir);
    printf("fuzz_npz: %ld files, %ld members taken after damage\n", f.runs, taken);
    return 0;
}
