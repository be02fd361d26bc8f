/* test_npz.c - many tensors in one file: what is saved loads again, with the same bits; archives that are damaged, encrypted,
 * ambiguous or of another kind are refused by name. (Files to and from NumPy: test_numpy.py.) */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "braze/braze.h"
#include "runtime/io/array.h"
#include "runtime/io/zip.h"

static char dir[] = "/tmp/braze-npz-XXXXXX", path[64];
static bz_context *c;

static void begin(void) {
    cr_assert(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/a.npz", dir);
    cr_assert_eq(bz_open(&(bz_options){.device = BZ_REF, .seed = 1}, &c), BZ_OK);
}

static void end(void) {
    bz_clear(c);
    bz_close(c);
    unlink(path);
    cr_expect_eq(rmdir(dir), 0, "nothing but the file is left");
}

#define NPZ(name) Test(npz, name, .init = begin, .fini = end)

/* ---- round trips */

static void expect_same(bz_tensor *x, bz_tensor *y) {
    static char a[1 << 16], b[1 << 16];
    size_t n = (size_t)bz_numel(x) * bz_dtype_size(bz_dtype_of(x));
    cr_assert_eq(bz_dtype_of(x), bz_dtype_of(y));
    cr_assert_eq(bz_ndim(x), bz_ndim(y));
    cr_assert(!bz_ndim(x) || !memcmp(bz_shape(x), bz_shape(y), (size_t)bz_ndim(x) * 8));
    cr_assert_leq(n, sizeof a);
    cr_assert_eq(bz_to_host(x, a, n), BZ_OK);
    cr_assert_eq(bz_to_host(y, b, n), BZ_OK);
    cr_expect_arr_eq(a, b, n);
}

/* Every dtype, as 0-d, empty, whole, and views: with gaps, backwards, repeated, from the middle. */
enum { FORMS = 7, ALL = FORMS * BZ_NDTYPES };
static bz_tensor *form(bz_dtype t, int k) {
    bz_tensor *x = bz_cast(bz_mul(bz_sub(bz_rand(c, BZ_SHAPE(5, 4), BZ_F64), 0.5), 200), t);
    switch (k) {
    case 0: return bz_full(c, NULL, 0, 1, t);
    case 1: return bz_zeros(c, BZ_SHAPE(3, 0, 2), t);
    case 2: return x;
    case 3: return bz_transpose(x, 0, 1);
    case 4: return bz_at(x, "::-2, 1:3");
    case 5: return bz_expand(bz_at(x, "2"), BZ_SHAPE(3, 4));
    default: return bz_at(x, "2:4");
    }
}

static void round_trip(bool deflate) {
    bz_tensor *x[ALL], *y[ALL];
    char text[ALL][32];
    const char *names[ALL];
    for (int i = 0; i < ALL; i++) {
        x[i] = form((bz_dtype)(i / FORMS), i % FORMS);
        snprintf(text[i], sizeof text[i], "net/%s.%d", bz_dtype_name((bz_dtype)(i / FORMS)),
                 i % FORMS);
        names[i] = text[i];
    }
    cr_assert_eq(bz_save_npz(c, path, names, x, ALL, deflate), BZ_OK, "%s", bz_message(c));
    cr_assert_eq(bz_load_npz(c, path, names, y, ALL), BZ_OK, "%s", bz_message(c));
    for (int i = 0; i < ALL; i++) expect_same(x[i], y[i]);
}

NPZ(round_trip) {
    round_trip(false);
    round_trip(true);
}

static off_t size_of(const char *file) {
    struct stat s;
    cr_assert_eq(stat(file, &s), 0);
    return s.st_size;
}

NPZ(deflated_is_smaller) {
    bz_tensor *x = bz_zeros(c, BZ_SHAPE(1000, 100), BZ_F64), *y;
    const char *names[] = {"x"};
    bz_save_npz(c, path, names, &x, 1, false);
    cr_expect_gt(size_of(path), 800000);
    bz_save_npz(c, path, names, &x, 1, true);
    cr_expect_lt(size_of(path), 8000);
    cr_assert_eq(bz_load_npz(c, path, names, &y, 1), BZ_OK);
    cr_expect_eq(bz_item(bz_sum(y, BZ_ALL)), 0);
}

/* Two archives of the same tensors are the same file; the order of names is the caller's. */
NPZ(names) {
    bz_tensor *x[] = {bz_scalar(c, 1), bz_scalar(c, 2), bz_scalar(c, 3)}, *y[3];
    const char *names[] = {"w", "w.npy", "größe"}, *back[] = {"größe", "w", "w.npy"};
    char text[32], *first, *second;
    size_t n, m;
    cr_assert_eq(bz_save_npz(c, path, names, x, 3, true), BZ_OK, "%s", bz_message(c));
    cr_expect_eq(bz_npz_names(c, path, text, sizeof text), strlen("w\nw.npy\ngröße\n"));
    cr_expect_str_eq(text, "w\nw.npy\ngröße\n");
    cr_expect_eq(bz_npz_names(c, path, text, 4), strlen("w\nw.npy\ngröße\n"));
    cr_expect_str_eq(text, "w\nw");
    cr_assert_eq(bz_load_npz(c, path, back, y, 3), BZ_OK, "%s", bz_message(c));
    cr_expect_eq(bz_item(y[0]), 3);
    cr_expect_eq(bz_item(y[1]), 1);
    cr_expect_eq(bz_item(y[2]), 2);
    rt_file_read(path, &first, &n, NULL);
    bz_save_npz(c, path, names, x, 3, true);
    rt_file_read(path, &second, &m, NULL);
    cr_expect_eq(n, m);
    cr_expect_arr_eq(first, second, n);
    bz_mem_free(first);
    bz_mem_free(second);
}

NPZ(no_tensors) {
    char text[8] = "x";
    cr_assert_eq(bz_save_npz(c, path, NULL, NULL, 0, false), BZ_OK);
    cr_expect_eq(bz_npz_names(c, path, text, sizeof text), 0);
    cr_expect_str_eq(text, "");
    cr_expect_eq(bz_context_status(c), BZ_OK);
    cr_expect_eq(bz_load_npz(c, path, NULL, NULL, 0), BZ_OK);
}

NPZ(to_what_cannot_seek) {
    char command[160];
    bz_tensor *x = bz_arange(c, 0, 9, 1, BZ_I64);
    const char *names[] = {"x"};
    cr_assert_eq(bz_save_npz(c, path, names, &x, 1, false), BZ_OK);
    off_t whole = size_of(path);
    snprintf(command, sizeof command, "%s/pipe", dir);
    cr_assert_eq(mkfifo(command, 0600), 0);
    snprintf(command, sizeof command, "cat %s/pipe > %s", dir, path);
    FILE *reader = popen(command, "r");
    snprintf(command, sizeof command, "%s/pipe", dir);
    cr_expect_eq(bz_save_npz(c, command, names, &x, 1, false), BZ_OK, "%s", bz_message(c));
    cr_expect_eq(pclose(reader), 0);
    unlink(command);
    cr_expect_eq(size_of(path), whole);
    cr_expect_eq(bz_load_npz(c, path, names, &x, 1), BZ_OK, "%s", bz_message(c));
}

NPZ(from_what_cannot_seek) {
    char file[32], command[96];
    bz_tensor *x = bz_arange(c, 0, 100000, 1, BZ_I64), *y = NULL;
    const char *names[] = {"x"};
    cr_assert_eq(bz_save_npz(c, path, names, &x, 1, false), BZ_OK);
    snprintf(command, sizeof command, "cat %s", path);
    FILE *writer = popen(command, "r");
    snprintf(file, sizeof file, "/dev/fd/%d", fileno(writer));
    cr_expect_eq(bz_load_npz(c, file, names, &y, 1), BZ_OK, "%s", bz_message(c));
    cr_expect_eq(pclose(writer), 0);
    cr_expect_eq(bz_item(bz_sum(bz_ne(x, y), BZ_ALL)), 0);
    cr_expect_eq(bz_load_npz(c, "/dev/zero", names, &y, 1), BZ_EFORMAT);
    cr_expect(strstr(bz_message(c), "not a zip archive"), "%s", bz_message(c));
    bz_clear(c);
}

/* Found in any order; more than a count of 16 bits tells, too. */
static void many(int n) {
    char(*text)[24] = calloc((size_t)n, sizeof *text);
    const char **names = calloc((size_t)n, sizeof *names), **back = calloc((size_t)n, sizeof *back);
    bz_tensor **x = calloc((size_t)n, sizeof(bz_tensor *)),
              **y = calloc((size_t)n, sizeof(bz_tensor *));
    for (int32_t i = 0; i < n; i++) {
        snprintf(text[i], sizeof text[i], "layer.%d", (int)i);
        names[i] = back[n - 1 - i] = text[i];
        x[i] = bz_from_data(c, BZ_I32, &i, NULL, 0);
    }
    cr_assert_eq(bz_save_npz(c, path, names, x, n, false), BZ_OK, "%s", bz_message(c));
    cr_assert_eq(bz_load_npz(c, path, back, y, n), BZ_OK, "%s", bz_message(c));
    for (int i = 0; i < n; i++) {
        int32_t v;
        cr_assert_eq(bz_to_host(y[n - 1 - i], &v, sizeof v), BZ_OK);
        cr_assert_eq(v, i);
    }
    names[0] = "layer";
    cr_expect_eq(bz_load_npz(c, path, names, y, 1), BZ_EARG);
    cr_expect(strstr(bz_message(c), "it has layer.0, layer.1, layer.2"), "%s", bz_message(c));
    bz_clear(c);
    free(text), free(names), free(back), free(x), free(y);
}

NPZ(many_names) {
    many(10000);
    many(65535);
    many(65536);
}

/* ---- mistakes */

static void fails(bz_status s, bz_status want, const char *text) {
    cr_expect_eq(s, want, "%d, not %d: %s", (int)s, (int)want, bz_message(c));
    cr_expect(strstr(bz_message(c), text), "'%s' is not in '%s'", text, bz_message(c));
    bz_clear(c);
}

static const struct {
    const char *names[2];
    const char *text;
} wrong_names[] = {
    {{"a", "a"}, "[save_npz] two arrays are named 'a'"},
    {{"a", NULL}, "name 1 is NULL"},
    {{"", "a"}, "name 0 is empty"},
    {{"/a", "b"}, "name 0 begins with /"},
    {{"b", "a/../../b"}, "name 1 leads out of the archive"},
    {{"b", ".."}, "name 1 leads out of the archive"},
    {{"b", "a\nb"}, "name 1 is no name"},
    {{"b", "a\\b"}, "name 1 is no name"},
    {{"b", "caf\xe9"}, "name 1 is not UTF-8"},
    {{"b", "\xed\xa0\x80"}, "name 1 is not UTF-8"},
    {{"\xc0\xaf", "b"}, "name 0 is not UTF-8"},
};

NPZ(names_that_cannot_be) {
    bz_tensor *x[] = {bz_scalar(c, 1), bz_scalar(c, 2)};
    for (size_t i = 0; i < BZ_LEN(wrong_names); i++)
        fails(bz_save_npz(c, path, wrong_names[i].names, x, 2, false), BZ_EARG,
              wrong_names[i].text);
    cr_expect_eq(access(path, F_OK), -1);
    const char *fine[] = {"a..b/..c", "d.."};
    cr_expect_eq(bz_save_npz(c, path, fine, x, 2, false), BZ_OK);
}

NPZ(arguments) {
    const char *names[] = {"a", "b"};
    bz_context *other;
    cr_assert_eq(bz_open(NULL, &other), BZ_OK);
    bz_tensor *x[] = {bz_scalar(c, 1), bz_scalar(other, 2)};
    fails(bz_save_npz(c, NULL, names, x, 1, false), BZ_EARG, "path is NULL");
    fails(bz_save_npz(c, path, NULL, x, 1, false), BZ_EARG, "no names");
    fails(bz_save_npz(c, path, names, NULL, 1, false), BZ_EARG, "no names");
    fails(bz_save_npz(c, path, names, x, -1, false), BZ_EARG, "no names");
    fails(bz_save_npz(c, path, names, x, 2, false), BZ_EARG, "tensor 1 belongs to another context");
    bz_close(other);
    fails(bz_save_npz(c, path, names, x, 2, false), BZ_ESCOPE, "stale");
    x[1] = NULL;
    fails(bz_save_npz(c, path, names, x, 2, false), BZ_ESCOPE, "stale");
    x[1] = bz_matmul(bz_zeros(c, BZ_SHAPE(2, 3), BZ_F32), bz_zeros(c, BZ_SHAPE(2, 3), BZ_F32));
    fails(bz_save_npz(c, path, names, x, 2, false), BZ_ESHAPE, "[matmul]");
    fails(bz_save_npz(c, "/nowhere/a.npz", names, x, 1, false), BZ_EIO, "cannot write /nowhere");
    fails(bz_save_npz(c, dir, names, x, 1, false), BZ_EIO, "directory");
    fails(bz_save_npz(c, "/dev/full", names, x, 1, false), BZ_EIO, "No space left");
    fails(bz_load_npz(c, NULL, names, x, 1), BZ_EARG, "path is NULL");
    fails(bz_load_npz(c, path, NULL, x, 1), BZ_EARG, "no names");
    fails(bz_load_npz(c, path, names, x, 1), BZ_EIO, "No such file");
    fails(bz_load_npz(c, dir, names, x, 1), BZ_EIO, "Is a directory");
    cr_expect_eq(bz_npz_names(c, NULL, NULL, 0), 0);
    fails(bz_context_status(c), BZ_EARG, "[npz_names] path is NULL");
    cr_expect_eq(bz_npz_names(c, path, NULL, 0), 0);
    fails(bz_context_status(c), BZ_EIO, "[npz_names] cannot read");
    cr_expect_eq(bz_save_npz(NULL, path, names, x, 1, false), BZ_EARG);
    cr_expect_eq(access(path, F_OK), -1);
}

NPZ(all_or_none) {
    bz_tensor *x = bz_scalar(c, 7), *y[2] = {NULL, NULL};
    const char *names[] = {"a", "q"};
    cr_assert_eq(bz_save_npz(c, path, names, &x, 1, false), BZ_OK);
    fails(bz_load_npz(c, path, names, y, 2), BZ_EARG, "has no array 'q'; it has a");
    cr_expect_eq(bz_ndim(y[0]), -1);
    cr_expect_eq(bz_ndim(y[1]), -1);
    bz_clear(c);
    names[1] = NULL;
    fails(bz_load_npz(c, path, names, y, 2), BZ_EARG, "a name is NULL");
}

/* An old file outlives a failed save. */
NPZ(atomic) {
    bz_tensor *x = bz_scalar(c, 7), *y;
    const char *names[] = {"a"};
    cr_assert_eq(bz_save_npz(c, path, names, &x, 1, false), BZ_OK);
    for (long k = 0; k < 1000; k++) {
        bz_mem_fail_after(k);
        bz_status s = bz_save_npz(c, path, names, &x, 1, true);
        bz_mem_fail_after(-1);
        bz_clear(c);
        cr_assert_eq(bz_load_npz(c, path, names, &y, 1), BZ_OK, "%s", bz_message(c));
        cr_expect_eq(bz_item(y), 7);
        if (s == BZ_OK) return;
        cr_expect_eq(s, BZ_ENOMEM);
    }
    cr_expect(false, "1000 allocations for one tensor");
}

NPZ(out_of_memory_while_loading) {
    bz_tensor *x = bz_scalar(c, 7), *y;
    const char *names[] = {"a"};
    cr_assert_eq(bz_save_npz(c, path, names, &x, 1, true), BZ_OK);
    for (long k = 0;; k++) {
        bz_mem_fail_after(k);
        bz_status s = bz_load_npz(c, path, names, &y, 1);
        bz_mem_fail_after(-1);
        bz_clear(c);
        if (s == BZ_OK) break;
        cr_expect_eq(s, BZ_ENOMEM);
        cr_assert_lt(k, 1000);
    }
}

/* ---- archives that others made */

static const char good[] = "\x93NUMPY\x01\0\x38\0"
                           "{'descr': '|u1', 'fortran_order': False, 'shape': (2,)}\n\5\6";
static const char object[] = "\x93NUMPY\x01\0\x39\0"
                             "{'descr': '|O', 'fortran_order': False, 'shape': (2,), }\n\5\6";

/* The archive of these members, in the file and in memory. */
static bz_text archive(const rt_zip_member *m, uint32_t n, bool deflate) {
    bz_text t = {0};
    rt_zip_plan plan = {m, n, deflate};
    rt_file f = {.path = path, .fill = rt_zip_write, .content = &plan};
    char *p;
    size_t size;
    cr_assert_eq(rt_files_replace(&f, 1, NULL), BZ_OK);
    cr_assert_eq(rt_file_read(path, &p, &size, NULL), BZ_OK);
    bz_text_add(&t, p, size);
    bz_mem_free(p);
    return t;
}

static void put_file(const bz_text *t, size_t n) {
    FILE *f = fopen(path, "wb");
    cr_assert(f);
    cr_assert_eq(fwrite(t->p, 1, n, f), n);
    fclose(f);
}

/* The first header of this signature. */
static char *header(bz_text *t, const char *signature) {
    for (size_t i = 0; i + 4 <= t->n; i++)
        if (!memcmp(t->p + i, signature, 4)) return t->p + i;
    cr_assert(false, "no such header");
    return NULL;
}

#define LOCAL   "PK\3\4"
#define CENTRAL "PK\1\2"
enum { LOCAL_FLAGS = 6, FLAGS = 8, METHOD = 10, SUM = 16, PACKED = 20, SIZE = 24, OFFSET = 42 };

static const struct {
    const char *where;
    size_t at;
    const char *bytes;
    size_t n;
    bz_status status;
    const char *text;
} edits[] = {
    {CENTRAL, FLAGS, "\1", 1, BZ_EUNSUPPORTED, "a.npz:a.npy is encrypted"},
    {CENTRAL, METHOD, "\14", 1, BZ_EUNSUPPORTED, "a.npz:a.npy: compression method 12"},
    {CENTRAL, SIZE, "\0\0\0\x40", 4, BZ_EFORMAT, "its size cannot be"},
    {CENTRAL, PACKED, "\0\0\0\x40", 4, BZ_EFORMAT, "its size cannot be"},
    {CENTRAL, SUM, "\1\2\3\4", 4, BZ_EFORMAT,
     "a.npz:a.npy: damaged archive: its checksum is wrong"},
    {CENTRAL, OFFSET, "\7", 1, BZ_EFORMAT, "directory and member do not agree"},
    {CENTRAL, 0, "X", 1, BZ_EFORMAT, "damaged archive: its directory cannot be read"},
    {CENTRAL, 46, "\n", 1, BZ_EFORMAT, "a member's name is no text"},
    {LOCAL, 0, "X", 1, BZ_EFORMAT, "directory and member do not agree"},
    {LOCAL, 45, "X", 1, BZ_EFORMAT, "a.npz:a.npy: damaged archive: its checksum is wrong"},
    {"PK\5\6", 0, "X", 1, BZ_EFORMAT, "not a zip archive, or its end is missing"},
};

NPZ(damaged) {
    const rt_zip_member m = {"a.npy", {{good, sizeof good - 1}}};
    bz_tensor *y;
    const char *names[] = {"a"};
    for (size_t i = 0; i < BZ_LEN(edits); i++) {
        bz_text t = archive(&m, 1, false);
        cr_assert_eq(bz_load_npz(c, path, names, &y, 1), BZ_OK, "%s", bz_message(c));
        memcpy(header(&t, edits[i].where) + edits[i].at, edits[i].bytes, edits[i].n);
        put_file(&t, t.n);
        fails(bz_load_npz(c, path, names, &y, 1), edits[i].status, edits[i].text);
        bz_text_free(&t);
    }
}

NPZ(cut_off_anywhere) {
    const rt_zip_member m[] = {{"a.npy", {{good, sizeof good - 1}}}, {"b.npy", {{good, 40}}}};
    bz_tensor *y;
    const char *names[] = {"a"};
    for (int deflate = 0; deflate < 2; deflate++) {
        bz_text t = archive(m, 2, deflate);
        for (size_t n = 0; n < t.n; n++) {
            put_file(&t, n);
            fails(bz_load_npz(c, path, names, &y, 1), BZ_EFORMAT, "a.npz");
        }
        bz_text_free(&t);
    }
}

NPZ(members_of_every_kind) {
    const rt_zip_member m[] = {{"a.npy", {{good, sizeof good - 1}}},
                               {"plain", {{good, sizeof good - 1}}},
                               {"twice.npy", {{good, 9}}},
                               {"twice.npy", {{good, 9}}},
                               {"object.npy", {{object, sizeof object - 1}}},
                               {"readme.txt", {{"hello", 5}}},
                               {"empty.npy", {{"", 0}}}};
    bz_text t = archive(m, BZ_LEN(m), true);
    bz_tensor *y;
    bz_text_free(&t);
    cr_expect_eq(bz_load_npz(c, path, ((const char *[]){"a"}), &y, 1), BZ_OK, "%s", bz_message(c));
    cr_expect_eq(bz_load_npz(c, path, ((const char *[]){"a.npy"}), &y, 1), BZ_OK);
    cr_expect_eq(bz_load_npz(c, path, ((const char *[]){"plain"}), &y, 1), BZ_OK);
    cr_expect_eq(bz_item_int(bz_sum(y, BZ_ALL)), 11);
    static const struct {
        const char *name;
        bz_status status;
        const char *text;
    } rows[] = {{"twice", BZ_EFORMAT, "has 2 arrays 'twice'"},
                {"object", BZ_EUNSUPPORTED, "a.npz:object.npy: braze has no dtype for '|O'"},
                {"readme.txt", BZ_EFORMAT, "a.npz:readme.txt: not a .npy file"},
                {"empty", BZ_EFORMAT, "a.npz:empty.npy: not a .npy file"},
                {"A", BZ_EARG, "it has a, plain, twice, twice, object, readme.txt, empty"}};
    for (size_t i = 0; i < BZ_LEN(rows); i++)
        fails(bz_load_npz(c, path, &rows[i].name, &y, 1), rows[i].status, rows[i].text);
}

/* 1000 zero bytes deflated cannot claim to be 2^31: nothing is allocated for them. */
NPZ(a_size_that_deflate_cannot_reach) {
    static char zeros[1000];
    const rt_zip_member m = {"a.npy", {{zeros, sizeof zeros}}};
    bz_text t = archive(&m, 1, true);
    bz_tensor *y;
    memcpy(header(&t, CENTRAL) + SIZE, "\0\0\0\x7f", 4);
    put_file(&t, t.n);
    fails(bz_load_npz(c, path, ((const char *[]){"a"}), &y, 1), BZ_EFORMAT, "its size cannot be");
    bz_text_free(&t);
}

static void put_u32(char *p, size_t v) {
    for (unsigned i = 0; i < 4; i++) p[i] = (char)(v >> 8 * i);
}

/* Sizes and place in the extra field of 64 bits, as in an archive of more than 4 GiB. */
NPZ(numbers_of_64_bits) {
    enum { EXTRA = 28, EXTRA_LENGTH = 30, DIRECTORY_BYTES = 12 };
    const rt_zip_member m[] = {{"a.npy", {{good, sizeof good - 1}}}, {"b.npy", {{good, 40}}}};
    bz_tensor *y;
    const char *names[] = {"a"};
    for (int deflate = 0; deflate < 2; deflate++) {
        bz_text t = archive(m, 2, deflate), made = {0};
        char *p = header(&t, CENTRAL), *end = header(&t, "PK\5\6"),
             extra[EXTRA] = {1, 0, EXTRA - 4};
        memcpy(extra + 4, p + SIZE, 4);
        memcpy(extra + 12, p + PACKED, 4);
        memcpy(extra + 20, p + OFFSET, 4);
        put_u32(p + SIZE, UINT32_MAX);
        put_u32(p + PACKED, UINT32_MAX);
        put_u32(p + OFFSET, UINT32_MAX);
        p[EXTRA_LENGTH] = EXTRA;
        end[DIRECTORY_BYTES] = (char)(end[DIRECTORY_BYTES] + EXTRA);
        size_t at = (size_t)(p - t.p) + 46 + strlen(m[0].name);
        bz_text_add(&made, t.p, at);
        bz_text_add(&made, extra, EXTRA);
        bz_text_add(&made, t.p + at, t.n - at);
        put_file(&made, made.n);
        cr_assert_eq(bz_load_npz(c, path, names, &y, 1), BZ_OK, "%s", bz_message(c));
        cr_expect_eq(bz_item_int(bz_sum(y, BZ_ALL)), 11);
        made.p[at + 2] = 20; /* an extra field without the place */
        put_file(&made, made.n);
        fails(bz_load_npz(c, path, names, &y, 1), BZ_EFORMAT, "its directory cannot be read");
        bz_text_free(&t);
        bz_text_free(&made);
    }
}
