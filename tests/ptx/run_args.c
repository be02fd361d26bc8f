/* run_args.c - kernel arguments from their words, and arrays to and from .npy files. */
#include "ptxrun.h"

#define PTX_ISA base
#include "lanes.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *name, *npy; /* how numpy writes the type */
    arg_kind kind;
    unsigned bytes;
} type_name;

static const type_name types[] = {
    {"i8", "|i1", K_INT, 1},    {"u8", "|u1", K_UINT, 1},   {"i16", "<i2", K_INT, 2},
    {"u16", "<u2", K_UINT, 2},  {"i32", "<i4", K_INT, 4},   {"u32", "<u4", K_UINT, 4},
    {"i64", "<i8", K_INT, 8},   {"u64", "<u8", K_UINT, 8},  {"f16", "<f2", K_F16, 2},
    {"bf16", "<u2", K_BF16, 2}, {"f32", "<f4", K_FLOAT, 4}, {"f64", "<f8", K_FLOAT, 8},
};

static const type_name *type_of(const char *text, size_t n) {
    for (size_t k = 0; k < sizeof types / sizeof types[0]; k++)
        if (strlen(types[k].name) == n && !memcmp(types[k].name, text, n)) return &types[k];
    return NULL;
}

bool arg_parse(const char *text, run_arg *a) {
    const type_name *t = type_of(text, strcspn(text, "[="));
    *a = (run_arg){.text = text, .count = 1};
    if (!t) {
        fprintf(stderr,
                "ptxrun: '%s': the type must be one of i8 u8 i16 u16 i32 u32 i64 u64 f16 bf16 f32 "
                "f64\n",
                text);
        return false;
    }
    a->kind = t->kind;
    a->bytes = t->bytes;
    const char *p = text + strlen(t->name);
    if (*p == '[') {
        char *end;
        a->buffer = true;
        a->count = strtoull(p + 1, &end, 0);
        if (*end != ']' || end == p + 1 || p[1] == '-' || a->count > (uint64_t)1 << 34) {
            fprintf(stderr, "ptxrun: '%s': expected TYPE[COUNT]\n", text);
            return false;
        }
        p = end + 1;
    }
    a->init = *p == '=' ? p + 1 : a->buffer && !*p ? "empty" : NULL;
    if (!a->init || (!a->buffer && !*a->init)) {
        fprintf(stderr, "ptxrun: '%s': expected TYPE=VALUE or TYPE[COUNT]=INIT\n", text);
        return false;
    }
    return true;
}

/* ---- elements ---- */

static void put(const run_arg *a, uint8_t *to, double x) {
    float f = (float)x;
    int64_t i = x >= 9.2e18 ? INT64_MAX : x <= -9.2e18 ? INT64_MIN : (int64_t)x;
    uint16_t h = (uint16_t)(a->kind == K_F16 ? d2h(x) : d2b(x));
    switch (a->kind) {
    case K_FLOAT: memcpy(to, a->bytes == 4 ? (void *)&f : (void *)&x, a->bytes); break;
    case K_F16:
    case K_BF16: memcpy(to, &h, 2); break;
    default: memcpy(to, &i, a->bytes);
    }
}

double arg_element(const run_arg *a, const uint8_t *data, uint64_t i) {
    const uint8_t *at = data + i * a->bytes;
    uint64_t u = 0;
    double d;
    float f;
    memcpy(&u, at, a->bytes);
    memcpy(&d, &u, 8);
    memcpy(&f, &u, 4);
    unsigned unused = 64 - 8 * a->bytes;
    switch (a->kind) {
    case K_FLOAT: return a->bytes == 4 ? (double)f : d;
    case K_F16: return h2d((uint32_t)u);
    case K_BF16: return b2d((uint32_t)u);
    case K_INT: return (double)((int64_t)(u << unused) >> unused);
    default: return (double)u;
    }
}

/* ---- initial values: the same in every run ---- */

static double uniform(uint64_t *s) {
    return ldexp((double)(ptx_random(s) >> 11), -53);
}

static double normal(uint64_t *s) {
    double u = uniform(s), v = uniform(s);
    return sqrt(-2 * log(1 - u)) * cos(6.283185307179586 * v);
}

static bool fill_from_file(const run_arg *a, const char *path, uint8_t *to) {
    FILE *f = fopen(path, "rb");
    uint8_t head[10];
    bool ok = f && fread(head, 1, 10, f) == 10;
    long skip = 0;
    if (ok && !memcmp(head, "\x93NUMPY", 6)) skip = 10 + head[8] + 256 * head[9];
    ok = ok && !fseek(f, skip, SEEK_SET) && fread(to, a->bytes, a->count, f) == a->count;
    if (f) fclose(f);
    if (!ok)
        fprintf(stderr, "ptxrun: '%s': can't read %llu elements from %s\n", a->text,
                (unsigned long long)a->count, path);
    return ok;
}

bool arg_fill(const run_arg *a, unsigned index, uint8_t *to, uint64_t *written) {
    uint64_t state = 0x1234567 + index;
    const char *how = a->init;
    char *end;
    double value = strtod(how, &end);
    *written = a->count * a->bytes;
    if (!strcmp(how, "empty"))
        *written = 0;
    else if (how[0] == '@')
        return fill_from_file(a, how + 1, to);
    else if (!*end && end != how && !a->buffer && (a->kind == K_INT || a->kind == K_UINT)) {
        uint64_t exact =
            a->kind == K_INT ? (uint64_t)strtoll(how, NULL, 0) : strtoull(how, NULL, 0);
        memcpy(to, &exact, a->bytes);
    } else if (!*end && end != how)
        for (uint64_t i = 0; i < a->count; i++) put(a, to + i * a->bytes, value);
    else if (!strcmp(how, "randn") || !strcmp(how, "rand") || !strcmp(how, "iota") ||
             !strcmp(how, "zeros") || !strcmp(how, "ones"))
        for (uint64_t i = 0; i < a->count; i++) {
            double scale = a->kind == K_INT || a->kind == K_UINT ? 100 : 1;
            double x = how[0] == 'z'   ? 0
                       : how[0] == 'o' ? 1
                       : how[0] == 'i' ? (double)i
                       : how[4] == 'n' ? normal(&state) * scale
                                       : uniform(&state) * scale;
            put(a, to + i * a->bytes, x);
        }
    else {
        fprintf(
            stderr,
            "ptxrun: '%s': expected a number, zeros, ones, iota, rand, randn, empty or @FILE.npy\n",
            a->text);
        return false;
    }
    return true;
}

bool npy_write(const char *path, const run_arg *a, const uint8_t *data) {
    const type_name *t = type_of(a->text, strcspn(a->text, "[="));
    char head[128];
    int n = snprintf(head + 10, sizeof head - 10,
                     "{'descr': '%s', 'fortran_order': False, 'shape': (%llu,), }", t->npy,
                     (unsigned long long)a->count);
    memset(head + 10 + n, ' ', (size_t)(117 - n));
    head[127] = '\n';
    memcpy(head, "\x93NUMPY\x01\x00\x76\x00", 10);
    FILE *f = fopen(path, "wb");
    bool ok =
        f && fwrite(head, 1, 128, f) == 128 && fwrite(data, a->bytes, a->count, f) == a->count;
    if (f) ok = !fclose(f) && ok;
    if (!ok) fprintf(stderr, "ptxrun: can't write %s\n", path);
    return ok;
}
