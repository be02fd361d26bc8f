/* fuzz_npy.c - .npy files of every form, whole and damaged.
 *
 *     dtype, shape, order, byte order, version, spacing --> file --> decoded: the elements that went in
 *                                                            \--damage--> decoded, or refused: a status, a line of text, no memory
 *
 * The bytes lie in a block of just their size, so that AddressSanitizer sees a read behind them. A refused file must be refused
 * without a single allocation, so a head cannot ask for memory that the file does not fill.
 * usage: fuzz_npy SECONDS [SEED [COUNT]] */
#include "runtime/io/array.h"
#include "tests/support/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t state;

static uint32_t draw(uint32_t below) {
    state = bz_mix(state, 0x9e3779b97f4a7c15u);
    return (uint32_t)(state >> 24) % below;
}

static bool chance(unsigned percent) {
    return draw(100) < percent;
}

static void fail(const char *what, const bz_text *file) {
    printf("fuzz_npy: %s\n", what);
    for (size_t i = 0; i < file->n; i++) {
        unsigned char c = (unsigned char)file->p[i];
        printf(c >= ' ' && c < 127 && c != '\\' ? "%c" : "\\x%02x", c);
    }
    printf("\n");
    fflush(stdout);
    abort();
}

/* ---- a file and what is in it */

typedef struct sample {
    bz_text file;
    ir_value_array a;               /* row-major, of this machine's byte order */
    bool fortran, big; /* what the file does instead */
} sample;

static void make_array(ir_value_array *a) {
    *a = (ir_value_array){.dtype = (bz_dtype)draw(BZ_NDTYPES), .rank = draw(6)};
    for (unsigned i = 0; i < a->rank; i++) a->shape[i] = chance(5) ? 0 : 1 + draw(4);
    size_t n = rt_array_bytes(a);
    unsigned char *p = a->data = malloc(n + 1);
    for (size_t i = 0; i < n; i++) p[i] = (unsigned char)draw(a->dtype == BZ_BOOL ? 2 : 256);
}

static const char *blank(void) {
    static const char *const blanks[] = {"", " ", " ", "  ", "\t"};
    return blanks[draw(BZ_LEN(blanks))];
}

static void put_shape(bz_text *t, const ir_value_array *a) {
    bz_textf(t, "(%s", blank());
    for (unsigned i = 0; i < a->rank; i++)
        bz_textf(t, "%s%lld%s%s", i ? ", " : "", (long long)a->shape[i], chance(10) ? "L" : "",
                 a->rank == 1 ? "," : blank());
    bz_textf(t, "%s)", a->rank > 1 && chance(20) ? "," : "");
}

static void put_entry(bz_text *t, const sample *s, unsigned k, char quote) {
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    static const char kinds[] = {'b', 'u', 'i', 'f', 'c'}; /* by ir_kind */
    const bool bf16 = s->a.dtype == BZ_BF16;
    bz_textf(t, "%c%s%c%s:%s", quote, keys[k], quote, blank(), blank());
    if (k == 0)
        bz_textf(t, "%c%c%c%d%c", quote,
                 s->big       ? '>'
                 : chance(50) ? '<'
                              : '=',
                 bf16 ? 'V' : kinds[ir_dtypes[s->a.dtype].kind],
                 (int)ir_dtype_bytes(s->a.dtype), quote);
    if (k == 1) bz_text_str(t, s->fortran ? "True" : "False");
    if (k == 2) put_shape(t, &s->a);
}

static void put_dictionary(bz_text *t, const sample *s) {
    unsigned first = draw(3), step = 1 + draw(2);
    bz_textf(t, "%s{%s", blank(), blank());
    for (unsigned i = 0; i < 3; i++) {
        put_entry(t, s, (first + i * step) % 3, chance(80) ? '\'' : '"');
        if (i < 2 || chance(70)) bz_textf(t, ",%s", blank());
    }
    bz_text_str(t, "}");
    for (unsigned n = draw(70); n; n--) bz_text_str(t, " ");
    if (chance(90)) bz_text_str(t, "\n");
}

static void put_element(bz_text *t, const sample *s, size_t at) {
    const size_t bytes = ir_dtype_bytes(s->a.dtype), part = ir_dtype_bytes(ir_part_dtype(s->a.dtype));
    const char *p = (const char *)s->a.data + at * bytes;
    for (size_t k = 0; k < bytes; k++) bz_text_add(t, p + (s->big ? k / part * part + part - 1 - k % part : k), 1);
}

static void put_elements(bz_text *t, const sample *s) {
    int64_t index[IR_MAX_RANK] = {0};
    for (int64_t n = rt_array_count(&s->a), k = 0; k < n; k++) {
        int64_t at = 0;
        for (unsigned i = 0; i < s->a.rank; i++) at = at * s->a.shape[i] + index[i];
        put_element(t, s, s->fortran ? (size_t)at : (size_t)k);
        for (unsigned i = 0; i < s->a.rank && ++index[i] == s->a.shape[i]; i++) index[i] = 0;
    }
}

static void make_sample(sample *s) {
    bz_text head = {0};
    *s = (sample){.fortran = chance(40), .big = chance(30)};
    make_array(&s->a);
    put_dictionary(&head, s);
    unsigned version = 1 + draw(3);
    bz_textf(&s->file, "\x93NUMPY%c", (char)version);
    bz_text_add(&s->file, "", 1);
    for (unsigned i = 0; i < (version == 1 ? 2u : 4u); i++)
        bz_text_add(&s->file, &(char){(char)(head.n >> 8 * i)}, 1);
    bz_text_add(&s->file, head.p, head.n);
    put_elements(&s->file, s);
    bz_text_free(&head);
}

/* ---- damage */

static void replace(bz_text *t, size_t at, size_t cut, const char *piece, size_t n) {
    bz_text made = {0};
    at = at < t->n ? at : t->n;
    cut = cut < t->n - at ? cut : t->n - at;
    bz_text_add(&made, t->p, at);
    bz_text_add(&made, piece, n);
    bz_text_add(&made, t->p + at + cut, t->n - at - cut);
    bz_text_free(t);
    *t = made;
}

static void damage(bz_text *t) {
    static const char *const pieces[] = {
        "9223372036854775807",
        "18446744073709551616",
        "1099511627776,",
        "-1",
        "0",
        "0,0,0",
        "4294967296, 4294967296",
        "'",
        "\"",
        "{",
        "}",
        "(",
        ")",
        ",",
        ":",
        "'descr'",
        "'shape'",
        "True",
        "None",
        "\\x41",
        "\x1b[31m",
        "\xc3\xa9",
        "\xff\xfe",
        "<c16",
        "|O",
        "|S4",
        "<U3",
        "<u8",
        "|V2",
        "<f16",
        "[('a', '<f4')]",
        "1.5",
        "1e9",
        "0x10",
        "1_0",
        " \n ",
        "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"};
    for (unsigned k = 1 + draw(3); k && t->n; k--) {
        size_t at = draw((uint32_t)(chance(80) && t->n > 130 ? 130 : t->n));
        const char *piece = pieces[draw(BZ_LEN(pieces))];
        switch (draw(6)) {
        case 0: t->p[at] = (char)draw(256); break;
        case 1: t->n = draw((uint32_t)t->n); break;
        case 2: replace(t, at, draw(8), "", 0); break;
        case 3: replace(t, at, 0, "\0", 1); break;
        case 4: replace(t, 6 + draw(6), 1, &(char){(char)draw(256)}, 1); break;
        default: replace(t, at, draw(8), piece, strlen(piece)); break;
        }
    }
}

/* ---- checks */

static bz_status decode(const bz_text *t, ir_value_array *a, bz_error *e) {
    char *exact = malloc(t->n ? t->n : 1);
    memcpy(exact, t->p, t->n);
    *e = (bz_error){0};
    bz_status s = rt_npy_decode(exact, t->n, "x.npy", a, e);
    free(exact);
    return s;
}

static bool same(const ir_value_array *a, const ir_value_array *b) {
    return a->dtype == b->dtype && a->rank == b->rank &&
           !memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) &&
           !memcmp(a->data, b->data, rt_array_bytes(a));
}

static void check_whole(const sample *s) {
    ir_value_array a;
    bz_error e;
    if (decode(&s->file, &a, &e)) fail(e.text, &s->file);
    if (!same(&a, &s->a)) fail("decoded to something else", &s->file);
    bz_mem_free(a.data);
}

static void check_saved(const ir_value_array *a, const bz_text *file, const char *path) {
    ir_value_array b;
    bz_error e = {0};
    if (rt_npy_save(path, a, &e) || rt_npy_load(path, &b, &e)) fail(e.text, file);
    if (!same(a, &b)) fail("saved and loaded: something else", file);
    bz_mem_free(b.data);
}

static void check_refused(const bz_text *file, bz_status s, const bz_error *e) {
    ir_value_array a;
    bz_error again;
    if (s != BZ_EFORMAT && s != BZ_EUNSUPPORTED) fail("neither taken nor refused", file);
    if (strncmp(e->text, "x.npy: ", 7) != 0) fail("the message does not name the file", file);
    for (const char *p = e->text; *p; p++)
        if (*p < ' ' || *p == 127) fail("the message has bytes that are no text", file);
    bz_mem_fail_after(0);
    bz_status starved = decode(file, &a, &again);
    bz_mem_fail_after(-1);
    if (starved != s || a.data) fail("memory was asked for before the file was refused", file);
}

static bool check_damaged(const bz_text *file, const char *path) {
    ir_value_array a;
    bz_error e;
    bz_status s = decode(file, &a, &e);
    if (s) {
        check_refused(file, s, &e);
        return false;
    }
    if (rt_array_bytes(&a) > 2 * file->n) /* u32 becomes i64 */
        fail("more elements than the file has bytes", file);
    if (path && chance(2)) check_saved(&a, file, path);
    bz_mem_free(a.data);
    return true;
}

void fuzz_bytes(const uint8_t *p, size_t n) {
    bz_text file = {0};
    bz_text_add(&file, (const char *)p, n);
    check_damaged(&file, NULL);
    bz_text_free(&file);
}

int fuzz_main(int argc, char **argv) {
    char dir[FUZZ_PATH], path[FUZZ_PATH + 8];
    long taken = 0;
    if (!fuzz_directory(dir)) return 1;
    snprintf(path, sizeof path, "%s/a.npy", dir);
    fuzz_span f = fuzz_begin("fuzz_npy", argc, argv);
    while (fuzz_next(&f)) {
        sample s;
        state = f.seed;
        make_sample(&s);
        check_whole(&s);
        damage(&s.file);
        taken += check_damaged(&s.file, path);
        bz_text_free(&s.file);
        free(s.a.data);
    }
    unlink(path);
    rmdir(dir);
    printf("fuzz_npy: %ld files, %ld taken after damage\n", f.runs, taken);
    return 0;
}
