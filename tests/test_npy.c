/* test_npy.c - .npy files: what is saved loads again; what others write loads; what is damaged is refused by name. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/io/array.h"

static char dir[] = "/tmp/braze-npy-XXXXXX", path[64];

static void begin(void) {
    cr_assert(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/a.npy", dir);
}

static void end(void) {
    unlink(path);
    rmdir(dir); /* fails, and the next check sees it, when a temporary file is left */
}

/* Version 1 file with this head and `n` bytes of elements 0, 1, 2 ...; decoded. */
static bz_status decode(const char *head, size_t n, ir_value_array *a, bz_error *e) {
    bz_text t = {0};
    const char start[] = "\x93NUMPY\x01";
    bz_text_add(&t, start, 8);
    char length[2] = {(char)strlen(head), 0};
    bz_text_add(&t, length, 2);
    bz_text_str(&t, head);
    for (size_t i = 0; i < n; i++) bz_text_add(&t, &(char){(char)i}, 1);
    *e = (bz_error){0};
    bz_status s = rt_npy_decode(t.p, t.n, "x.npy", a, e);
    bz_text_free(&t);
    return s;
}

static void round_trip(bz_dtype t, unsigned rank, int64_t size) {
    ir_value_array a = {.dtype = t, .rank = rank}, b;
    bz_error e = {0};
    for (unsigned i = 0; i < rank; i++) a.shape[i] = i < 3 ? size + i : 1;
    size_t n = rt_array_bytes(&a);
    unsigned char *p = a.data = bz_mem_alloc(n + 1);
    for (size_t i = 0; i < n; i++) p[i] = (unsigned char)(t == BZ_BOOL ? i % 2 : i * 37);
    cr_assert_eq(rt_npy_save(path, &a, &e), BZ_OK, "%s", e.text);
    cr_assert_eq(rt_npy_load(path, &b, &e), BZ_OK, "%s", e.text);
    cr_expect_eq(b.dtype, t);
    cr_expect_eq(b.rank, rank);
    cr_expect_arr_eq(b.shape, a.shape, rank * sizeof *a.shape);
    cr_expect_arr_eq(b.data, a.data, n);
    bz_mem_free(a.data);
    bz_mem_free(b.data);
}

Test(npy, round_trip, .init = begin, .fini = end) {
    for (unsigned t = 0; t < BZ_NDTYPES; t++)
        for (unsigned rank = 0; rank <= IR_MAX_RANK; rank += rank < 4 ? 1 : 7)
            for (int64_t size = 0; size < 4; size++) round_trip((bz_dtype)t, rank, size);
}

Test(npy, elements_begin_at_a_multiple_of_64, .init = begin, .fini = end) {
    ir_value_array a = {.dtype = BZ_F32, .rank = 1, .shape = {5}, .data = (float[5]){0}};
    struct stat st;
    cr_assert_eq(rt_npy_save(path, &a, NULL), BZ_OK);
    cr_assert_eq(stat(path, &st), 0);
    cr_expect_eq((st.st_size - 20) % 64, 0);
}

Test(npy, column_major_becomes_row_major, .init = begin, .fini = end) {
    ir_value_array a;
    bz_error e;
    cr_assert_eq(decode("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }\n", 6, &a, &e),
                 BZ_OK, "%s", e.text);
    cr_expect_arr_eq(a.data, ((uint8_t[]){0, 2, 4, 1, 3, 5}), 6);
    bz_mem_free(a.data);
}

Test(npy, other_byte_order, .init = begin, .fini = end) {
    ir_value_array a;
    bz_error e;
    cr_assert_eq(decode("{\"shape\":(2L,),\"descr\":'>i2','fortran_order':False}", 4, &a, &e),
                 BZ_OK, "%s", e.text);
    cr_expect_arr_eq(a.data, ((int16_t[]){0x0001, 0x0203}), 4);
    bz_mem_free(a.data);
}

Test(npy, bools_are_0_or_1, .init = begin, .fini = end) {
    ir_value_array a;
    bz_error e;
    cr_assert_eq(decode("{'descr': '|b1', 'fortran_order': False, 'shape': (3,)}", 3, &a, &e),
                 BZ_OK, "%s", e.text);
    cr_expect_arr_eq(a.data, ((uint8_t[]){0, 1, 1}), 3);
    bz_mem_free(a.data);
}

#define HEAD(descr, order, shape)                                                                  \
    "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape ", }\n"

static const struct {
    const char *head;
    size_t n;
    bz_status status;
    const char *text;
} wrong[] = {
    {HEAD("'<f4'", "False", "(2,)"), 7, BZ_EFORMAT, "7 of 8 bytes"},
    {HEAD("'<f4'", "False", "(2,)"), 9, BZ_EFORMAT, "1 bytes follow"},
    {HEAD("'<f4'", "False", "(1099511627776,)"), 8, BZ_EFORMAT, "8 of 4398046511104 bytes"},
    {HEAD("'<f4'", "False", "(9223372036854775807,)"), 8, BZ_EFORMAT, "too large"},
    {HEAD("'<f4'", "False", "(99999999999999999999999,)"), 8, BZ_EFORMAT, "too large"},
    {HEAD("'<f4'", "False", "(2147483648, 2147483648)"), 8, BZ_EFORMAT, "too large"},
    {HEAD("'<f4'", "False", "(-1,)"), 4, BZ_EFORMAT, "no number"},
    {HEAD("'<f4'", "False", "(2"), 8, BZ_EFORMAT, "a size is no number"},
    {HEAD("'<f4'", "False", "2"), 8, BZ_EFORMAT, "'(' is missing"},
    {HEAD("'<f4'", "0", "(2,)"), 8, BZ_EFORMAT, "neither True nor False"},
    {HEAD("'<c32'", "False", "(1,)"), 8, BZ_EUNSUPPORTED, "no dtype for '<c32'"},
    {HEAD("'<c32'", "False", "(1,)"), 4, BZ_EUNSUPPORTED, "no dtype for '<c32'"},
    {HEAD("'|O'", "False", "(1,)"), 8, BZ_EUNSUPPORTED, "no dtype for '|O'"},
    {HEAD("''", "False", "(1,)"), 8, BZ_EUNSUPPORTED, "no dtype for ''"},
    {HEAD("[('a', '<f4')]", "False", "(1,)"), 4, BZ_EUNSUPPORTED, "structures"},
    {HEAD("'<f4", "False", "(1,)"), 4, BZ_EUNSUPPORTED, "no dtype"},
    {"{'descr': '<f4', 'shape': (1,)}", 4, BZ_EFORMAT, "entry of its head is missing"},
    {"{'shape': (1,), 'shape': (1,)}", 4, BZ_EFORMAT, "twice"},
    {"{'size': 3}", 4, BZ_EFORMAT, "no .npy file has"},
    {HEAD("'<f\x1b[31m'", "False", "(1,)"), 4, BZ_EFORMAT, "is no text"},
    {HEAD("'<f4\xc3\xa9'", "False", "(1,)"), 4, BZ_EFORMAT, "is no text"},
    {"{'descr'", 4, BZ_EFORMAT, "':' is missing"},
    {"{}x", 4, BZ_EFORMAT, "behind the '}'"},
    {"", 4, BZ_EFORMAT, "'{' is missing"},
    {HEAD("'|u1'", "False", "(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)"),
     1, BZ_EUNSUPPORTED, "more than 32 axes"},
};

Test(npy, damaged_files, .init = begin, .fini = end) {
    for (size_t i = 0; i < BZ_LEN(wrong); i++) {
        ir_value_array a;
        bz_error e;
        cr_expect_eq(decode(wrong[i].head, wrong[i].n, &a, &e), wrong[i].status, "%s: %s",
                     wrong[i].head, e.text);
        cr_expect(strstr(e.text, wrong[i].text), "%s: %s", wrong[i].head, e.text);
        cr_expect_null(a.data);
    }
}

Test(npy, cut_off_anywhere, .init = begin, .fini = end) {
    ir_value_array a = {.dtype = BZ_I16, .rank = 2, .shape = {3, 5}, .data = (int16_t[15]){0}}, b;
    char *bytes;
    size_t n;
    cr_assert_eq(rt_npy_save(path, &a, NULL), BZ_OK);
    cr_assert_eq(rt_file_read(path, &bytes, &n, NULL), BZ_OK);
    for (size_t k = 0; k < n; k++) {
        /* of that length, so that a sanitizer sees reads behind it */
        char *copy = bz_mem_alloc(k + 1);
        memcpy(copy, bytes, k);
        cr_expect_eq(rt_npy_decode(copy, k, "x", &b, NULL), BZ_EFORMAT, "%zu bytes", k);
        bz_mem_free(copy);
    }
    bz_mem_free(bytes);
}

Test(npy, versions, .init = begin, .fini = end) {
    ir_value_array a;
    const char two[] = "\x93NUMPY\x02\x00\x3b\x00\x00\x00{'descr': '|u1', 'fortran_order': False, "
                       "'shape': (1,)}   \n\x07";
    cr_assert_eq(rt_npy_decode(two, sizeof two - 1, "x", &a, NULL), BZ_OK);
    cr_expect_eq(*(uint8_t *)a.data, 7);
    bz_mem_free(a.data);
    cr_expect_eq(rt_npy_decode("\x93NUMPY\x04\x00\x01\x00 ", 11, "x", &a, NULL), BZ_EFORMAT);
    cr_expect_eq(rt_npy_decode("PK\x03\x04 a zip file", 15, "x", &a, NULL), BZ_EFORMAT);
}

Test(npy, files_that_cannot_be_read_or_written, .init = begin, .fini = end) {
    ir_value_array a = {.dtype = BZ_U8, .rank = 0, .data = (uint8_t[1]){0}}, b;
    bz_error e = {0};
    cr_expect_eq(rt_npy_load("/nonexistent/a.npy", &b, &e), BZ_EIO);
    cr_expect(strstr(e.text, "/nonexistent/a.npy: No such file"), "%s", e.text);
    cr_expect_eq(rt_npy_load(dir, &b, &e), BZ_EIO);
    cr_expect_eq(rt_npy_save("/nonexistent/a.npy", &a, NULL), BZ_EIO);
    cr_expect_eq(rt_npy_save(dir, &a, NULL), BZ_EIO, "a directory is not replaced");
}

/* The descriptor of a pipe that `n` bytes were written to, and its path; the writing end is closed. */
static int pipe_with(const char *bytes, size_t n) {
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    cr_assert_eq(write(ends[1], bytes, n), (ssize_t)n);
    close(ends[1]);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    return ends[0];
}

static void expect_load(const char *file, bz_status status, const char *text) {
    ir_value_array a;
    bz_error e = {0};
    cr_expect_eq(rt_npy_load(file, &a, &e), status, "%s: %s", file, e.text);
    cr_expect(strstr(e.text, text), "%s: %s", file, e.text);
    bz_mem_free(a.data);
}

/* Of a stream as much is read as belongs to the array: two in a row are two, and what never ends is no trouble. */
Test(npy, streams, .init = begin, .fini = end) {
    ir_value_array a = {.dtype = BZ_I16, .rank = 2, .shape = {30, 50}}, b;
    char *bytes;
    size_t n;
    a.data = bz_mem_zero(1500, 2);
    for (int i = 0; i < 1500; i++) ((int16_t *)a.data)[i] = (int16_t)(7 * i);
    cr_assert_eq(rt_npy_save(path, &a, NULL), BZ_OK);
    cr_assert_eq(rt_file_read(path, &bytes, &n, NULL), BZ_OK);
    unlink(path);
    bytes = bz_mem_grow(bytes, 3 * n);
    memcpy(bytes + n, bytes, n);
    memcpy(bytes + 2 * n, bytes, n);
    int fd = pipe_with(bytes, 3 * n - 1);
    for (int k = 0; k < 2; k++) {
        cr_assert_eq(rt_npy_load(path, &b, NULL), BZ_OK);
        cr_expect(rt_array_count(&b) == 1500 && memcmp(a.data, b.data, 3000) == 0);
        bz_mem_free(b.data);
    }
    expect_load(path, BZ_EFORMAT, "it has 2999 of 3000 bytes of elements");
    expect_load(path, BZ_EFORMAT, "not a .npy file: it is empty");
    close(fd);
    fd = pipe_with(bytes, 20);
    expect_load(path, BZ_EFORMAT, "ends inside its head");
    close(fd);
    fd = pipe_with("PK\3\4 and so on", 14);
    expect_load(path, BZ_EFORMAT, "not a .npy file");
    close(fd);
    expect_load("/dev/null", BZ_EFORMAT, "it is empty");
    expect_load("/dev/zero", BZ_EFORMAT, "not a .npy file");
    bz_mem_free(bytes);
    bz_mem_free(a.data);
}

Test(npy, no_temporary_file_stays, .init = begin, .fini = end) {
    ir_value_array a = {.dtype = BZ_U8, .rank = 0, .data = (uint8_t[1]){0}};
    int entries = 0;
    cr_assert_eq(rt_npy_save(path, &a, NULL), BZ_OK);
    cr_assert_eq(rt_npy_save(path, &a, NULL), BZ_OK);
    DIR *d = opendir(dir);
    while (readdir(d)) entries++;
    closedir(d);
    cr_expect_eq(entries, 3, "., .. and a.npy");
}

Test(npy, no_memory, .init = begin, .fini = end) {
    ir_value_array a = {.dtype = BZ_F64, .rank = 1, .shape = {2}, .data = (double[2]){0}}, b;
    bz_status s = BZ_ENOMEM;
    for (long n = 0; s; n++) {
        bz_mem_fail_after(n);
        s = rt_npy_save(path, &a, NULL);
        bz_mem_fail_after(-1);
        cr_assert(s == BZ_OK || s == BZ_ENOMEM);
    }
    bz_mem_fail_after(0);
    cr_expect_eq(rt_npy_load(path, &b, NULL), BZ_ENOMEM);
    bz_mem_fail_after(-1);
}
