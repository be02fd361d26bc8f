/* npy.c - NumPy's .npy files.
 *
 *     \x93NUMPY  major minor  length  {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n  elements
 *     6 bytes    2 bytes      2 or 4  padded with blanks so that the elements begin at a multiple of 64
 *
 * The head is a Python literal; exactly that dictionary is understood, in any order and spacing. The elements are copied only
 * when the file is as long as the head says. bf16 is written as V2, two bytes without a meaning: NumPy has no such dtype. */
#include "runtime/io/array.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { MAGIC = 6, PREFIX = 8, ALIGN = 64 };
static const int64_t MAX_COUNT = (int64_t)1 << 60;

/* ---- dtypes */

#define CODE(e, name, bytes, kind, bits) [e] = CODE_##kind #bytes,
#define CODE_BOOL                        "b"
#define CODE_UINT                        "u"
#define CODE_SINT                        "i"
#define CODE_FLOAT                       "f"
#define CODE_COMPLEX                     "c"
static const char *const codes[BZ_NDTYPES] = {BZ_DTYPES(CODE)};

/* NumPy's code of t: kind and bytes; bf16 has none. */
static const char *code_of(bz_dtype t) {
    return t == BZ_BF16 ? "V2" : codes[t];
}

typedef struct head {
    const char *at, *end, *name; /* what is left of the dictionary; the file, for messages */
    bz_error *e;
    bool swapped, fortran;
    unsigned seen; /* bits of head_keys */
    ir_value_array *a;
} head;

static bool damaged(head *h, const char *what) {
    bz_fail(h->e, BZ_EFORMAT, "%s: damaged .npy file: %s", h->name, what);
    return false;
}

/* ---- the literal */

static void skip_blanks(head *h) {
    while (h->at < h->end && isspace((unsigned char)*h->at)) h->at++;
}

static bool accept(head *h, char c) {
    skip_blanks(h);
    if (h->at == h->end || *h->at != c) return false;
    h->at++;
    return true;
}

static bool want(head *h, char c) {
    char what[32];
    if (accept(h, c)) return true;
    snprintf(what, sizeof what, "'%c' is missing in its head", c);
    return damaged(h, what);
}

static bool is_text(const char *from, const char *to) {
    while (from < to && *from >= ' ' && *from < 127) from++;
    return from == to;
}

/* A string in either kind of quotes, without escapes; printable, for messages show it. */
static bool string(head *h, char *dst, size_t room) {
    skip_blanks(h);
    char quote = h->at < h->end ? *h->at : 0;
    if (quote != '\'' && quote != '"')
        return damaged(h, "its head has no string where one belongs");
    const char *from = ++h->at, *to = memchr(from, quote, (size_t)(h->end - from));
    if (!to || (size_t)(to - from) >= room) return damaged(h, "a string in its head does not end");
    if (!is_text(from, to)) return damaged(h, "a string in its head is no text");
    memcpy(dst, from, (size_t)(to - from));
    dst[to - from] = 0;
    h->at = to + 1;
    return true;
}

static bool word(head *h, const char *w) {
    size_t n = strlen(w);
    skip_blanks(h);
    if ((size_t)(h->end - h->at) < n || memcmp(h->at, w, n) != 0) return false;
    h->at += n;
    return true;
}

static bool size(head *h, int64_t *v) {
    skip_blanks(h);
    if (h->at == h->end || !isdigit((unsigned char)*h->at))
        return damaged(h, "a size is no number");
    for (*v = 0; h->at < h->end && isdigit((unsigned char)*h->at); h->at++) {
        int digit = *h->at - '0';
        if (*v > (MAX_COUNT - digit) / 10) return damaged(h, "a size is too large");
        *v = *v * 10 + digit;
    }
    if (h->at < h->end && *h->at == 'L') h->at++; /* Python 2 wrote 3L */
    return true;
}

/* ---- its three entries */

static bool read_descr(head *h) {
    char code[32];
    skip_blanks(h);
    if (h->at < h->end && *h->at == '[') {
        bz_fail(h->e, BZ_EUNSUPPORTED, "%s: arrays of structures are not supported", h->name);
        return false;
    }
    if (!string(h, code, sizeof code)) return false;
    bool order = *code && strchr("<>|=", *code);
    h->swapped = *code == '>';
    for (unsigned t = 0; t < BZ_NDTYPES; t++)
        if (order && strcmp(code + 1, code_of((bz_dtype)t)) == 0) {
            h->a->dtype = (bz_dtype)t;
            return true;
        }
    bz_fail(h->e, BZ_EUNSUPPORTED, "%s: braze has no dtype for '%s'", h->name, code);
    return false;
}

static bool read_order(head *h) {
    h->fortran = word(h, "True");
    return h->fortran || word(h, "False") || damaged(h, "fortran_order is neither True nor False");
}

static bool read_shape(head *h) {
    int64_t count = 1;
    if (!want(h, '(')) return false;
    while (!accept(h, ')')) {
        if (h->a->rank == IR_MAX_RANK) {
            bz_fail(h->e, BZ_EUNSUPPORTED, "%s: more than %d axes", h->name, IR_MAX_RANK);
            return false;
        }
        int64_t *d = &h->a->shape[h->a->rank++];
        if (!size(h, d)) return false;
        if (*d && count > MAX_COUNT / *d) return damaged(h, "its shape is too large");
        count *= *d;
        skip_blanks(h);
        if (!accept(h, ',') && !(h->at < h->end && *h->at == ')')) return want(h, ')');
    }
    return true;
}

static const struct {
    const char *key;
    bool (*read)(head *h);
} entries[] = {{"descr", read_descr}, {"fortran_order", read_order}, {"shape", read_shape}};

static bool read_entry(head *h) {
    char key[32];
    if (!string(h, key, sizeof key) || !want(h, ':')) return false;
    for (unsigned i = 0; i < BZ_LEN(entries); i++) {
        if (strcmp(key, entries[i].key) != 0) continue;
        if (h->seen & 1u << i) return damaged(h, "an entry of its head is there twice");
        h->seen |= 1u << i;
        return entries[i].read(h);
    }
    return damaged(h, "its head has an entry that no .npy file has");
}

static bool read_head(head *h) {
    if (!want(h, '{')) return false;
    while (!accept(h, '}')) {
        if (!read_entry(h)) return false;
        skip_blanks(h);
        if (!accept(h, ',') && !(h->at < h->end && *h->at == '}')) return want(h, '}');
    }
    skip_blanks(h);
    if (h->at != h->end) return damaged(h, "its head goes on behind the '}'");
    return h->seen == (1u << BZ_LEN(entries)) - 1 || damaged(h, "an entry of its head is missing");
}

/* ---- elements */

static void swap_bytes(char *p, int64_t count, size_t bytes) {
    for (int64_t i = 0; i < count; i++, p += bytes)
        for (size_t k = 0; k < bytes / 2; k++) {
            char c = p[k];
            p[k] = p[bytes - 1 - k];
            p[bytes - 1 - k] = c;
        }
}

/* dst row-major = src column-major. */
static void from_fortran(char *dst, const char *src, const ir_value_array *a) {
    int64_t index[IR_MAX_RANK] = {0}, stride[IR_MAX_RANK], at = 0, count = rt_array_count(a);
    size_t bytes = ir_dtype_bytes(a->dtype);
    for (unsigned i = 0; i < a->rank; i++) stride[i] = i ? stride[i - 1] * a->shape[i - 1] : 1;
    for (int64_t n = 0; n < count; n++) {
        memcpy(dst + (size_t)n * bytes, src + (size_t)at * bytes, bytes);
        for (unsigned i = a->rank; i-- > 0;) {
            at += stride[i];
            if (++index[i] < a->shape[i]) break;
            at -= stride[i] * a->shape[i];
            index[i] = 0;
        }
    }
}

static bz_status take_elements(head *h, const char *p) {
    ir_value_array *a = h->a;
    size_t bytes = rt_array_bytes(a);
    char *data = bz_mem_alloc(bytes + 1);
    if (!data)
        return bz_fail(h->e, BZ_ENOMEM, "%s: no memory for %zu bytes of elements", h->name, bytes);
    if (h->fortran && a->rank > 1)
        from_fortran(data, p, a);
    else
        memcpy(data, p, bytes);
    if (h->swapped) { /* each part of a complex number by itself */
        const size_t part = ir_dtype_bytes(ir_part_dtype(a->dtype));
        swap_bytes(data, (int64_t)(bytes / part), part);
    }
    for (size_t i = 0; a->dtype == BZ_BOOL && i < bytes; i++) data[i] = data[i] != 0;
    a->data = data;
    return BZ_OK;
}

/* ---- the whole */

/* Where the elements begin, as far as the first n bytes tell: no more than n, else so many are needed; 0: it is no .npy file. */
static size_t start_of(const unsigned char *p, size_t n) {
    size_t field = n > MAGIC && p[MAGIC] == 1 ? 2 : 4, length = 0;
    if (n && memcmp(p, "\x93NUMPY", n < MAGIC ? n : MAGIC) != 0) return 0;
    if (n > MAGIC && (p[MAGIC] < 1 || p[MAGIC] > 3)) return PREFIX; /* no version of ours */
    if (n < PREFIX + field) return PREFIX + field;
    for (size_t i = 0; i < field; i++) length |= (size_t)p[PREFIX + i] << 8 * i;
    return PREFIX + field + length;
}

/* The head, all of which is there. */
static bool read_start(head *h, const unsigned char *p, size_t start) {
    if (start == PREFIX) {
        bz_fail(h->e, BZ_EFORMAT, "%s: version %d.%d of .npy is not known", h->name, p[6], p[7]);
        return false;
    }
    h->at = (const char *)p + PREFIX + (p[6] == 1 ? 2 : 4);
    h->end = (const char *)p + start;
    return read_head(h);
}

bz_status rt_npy_decode(const void *bytes, size_t n, const char *name, ir_value_array *out,
                        bz_error *e) {
    bz_error own = {0};
    *out = (ir_value_array){0};
    e = e ? e : &own;
    head h = {.name = name, .e = e, .a = out};
    size_t start = start_of(bytes, n);
    if (n < PREFIX + 2 || !start) return bz_fail(e, BZ_EFORMAT, "%s: not a .npy file", name);
    if (start > n)
        return bz_fail(e, BZ_EFORMAT, "%s: damaged .npy file: it ends inside its head", name);
    if (!read_start(&h, bytes, start)) return e->status;
    size_t expected = rt_array_bytes(out);
    if (n - start < expected)
        return bz_fail(e, BZ_EFORMAT, "%s: damaged .npy file: it has %zu of %zu bytes of elements",
                       name, n - start, expected);
    if (n - start > expected)
        return bz_fail(e, BZ_EFORMAT, "%s: damaged .npy file: %zu bytes follow its elements", name,
                       n - start - expected);
    return take_elements(&h, (const char *)bytes + start);
}

/* One that is damaged is read no further. */
static size_t wanted(const void *p, size_t n) {
    bz_error e = {0};
    ir_value_array a = {0};
    head h = {.e = &e, .a = &a, .name = ""};
    size_t start = start_of(p, n);
    if (start > n || !start) return start;
    return read_start(&h, p, start) ? start + rt_array_bytes(&a) : 0;
}

static const rt_file_kind npy = {".npy file", wanted};

bz_status rt_npy_load(const char *path, ir_value_array *out, bz_error *e) {
    bz_error own = {0};
    size_t n;
    void *p;
    e = e ? e : &own;
    *out = (ir_value_array){0};
    if (rt_file_map(path, &npy, &p, &n, e)) return e->status;
    bz_status s = rt_npy_decode(p, n, path, out, e);
    munmap(p, n);
    return s;
}

/* ---- saving */

void rt_npy_head(bz_text *t, const ir_value_array *a) {
    enum { START = PREFIX + 2 };
    bz_text d = {0};
    char order = ir_dtype_bytes(a->dtype) == 1 || a->dtype == BZ_BF16 ? '|' : '<';
    bz_textf(&d, "{'descr': '%c%s', 'fortran_order': False, 'shape': (", order, code_of(a->dtype));
    for (unsigned i = 0; i < a->rank; i++)
        bz_textf(&d, i ? " %lld," : "%lld,", (long long)a->shape[i]);
    if (a->rank > 1 && !d.failed) d.n--; /* (3,) but (3, 4) */
    bz_text_str(&d, "), }");
    while (!d.failed && (START + d.n + 1) % ALIGN) bz_text_str(&d, " ");
    bz_text_str(&d, "\n");
    const unsigned char start[START] = {
        0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)(d.n & 255), (unsigned char)(d.n >> 8)};
    bz_text_add(t, (const char *)start, sizeof start);
    bz_text_add(t, bz_text_c(&d), d.n);
    t->failed |= d.failed;
    bz_text_free(&d);
}

/* Head i and elements i are file i's pieces. */
static bz_status save_pieces(const char *const *paths, const ir_value_array *arrays,
                             const bz_text *heads, uint32_t n, bz_error *e) {
    rt_file *files = bz_mem_zero((size_t)n + 1, sizeof *files);
    rt_piece *pieces = bz_mem_zero(2 * (size_t)n + 1, sizeof *pieces);
    bool ready = files && pieces;
    for (uint32_t i = 0; i < n && ready; i++) {
        rt_piece *two = &pieces[2 * i];
        ready = !heads[i].failed;
        two[0] = (rt_piece){heads[i].p, heads[i].n};
        two[1] = (rt_piece){arrays[i].data, rt_array_bytes(&arrays[i])};
        files[i] = (rt_file){.path = paths[i], .pieces = two, .npieces = 2};
    }
    bz_status s = ready ? rt_files_replace(files, n, e) : bz_fail(e, BZ_ENOMEM, "out of memory");
    bz_mem_free(files);
    bz_mem_free(pieces);
    return s;
}

bz_status rt_npy_save_all(const char *const *paths, const ir_value_array *arrays, uint32_t n,
                          bz_error *e) {
    bz_text *heads = bz_mem_zero((size_t)n + 1, sizeof *heads);
    if (!heads) return bz_fail(e, BZ_ENOMEM, "out of memory");
    for (uint32_t i = 0; i < n; i++) rt_npy_head(&heads[i], &arrays[i]);
    bz_status s = save_pieces(paths, arrays, heads, n, e);
    for (uint32_t i = 0; i < n; i++) bz_text_free(&heads[i]);
    bz_mem_free(heads);
    return s;
}

bz_status rt_npy_save(const char *path, const ir_value_array *a, bz_error *e) {
    return rt_npy_save_all(&path, a, 1, e);
}
