/* conf.c - the operands of a case, its kernel's text, and the comparison. */
#include "conf.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../zoo.h"

enum { BLOCK = 128, ROWS = 4096, ROWS_16_BITS = 65536, SCRATCH = 16 };

const uint8_t conf_param_bytes[16] = {0x81, 0x7f, 0x02, 0xf3, 0x04, 0xc5, 0x06, 0x97,
                                      0xe8, 0x19, 0xaa, 0x0b, 0x3c, 0x4d, 0xde, 0x8f};

/* ---- list ------------------------------------------------------------------------------------ */

conf_case *conf_add(conf_list *list, unsigned sm, const char *sig, const char *format, ...) {
    if (list->n == list->cap) {
        list->cap = list->cap ? list->cap * 2 : 256;
        list->at = realloc(list->at, list->cap * sizeof *list->at);
        if (!list->at) abort();
    }
    conf_case *c = &list->at[list->n++];
    va_list args;
    memset(c, 0, sizeof *c);
    c->sm = sm;
    snprintf(c->sig, sizeof c->sig, "%s", sig);
    va_start(args, format);
    vsnprintf(c->text, sizeof c->text, format, args);
    va_end(args);
    return c;
}

void conf_free(conf_list *list) {
    free(list->at);
    *list = (conf_list){0};
}

unsigned conf_results(const conf_case *c) {
    return (unsigned)(strchr(c->sig, ':') - c->sig);
}
unsigned conf_operands(const conf_case *c) {
    return (unsigned)strlen(strchr(c->sig, ':') + 1);
}

/* The letter of register `i`, counted over results and operands. */
static char letter(const conf_case *c, unsigned i) {
    return i < conf_results(c) ? c->sig[i] : c->sig[i + 1];
}

static unsigned width(char letter) {
    return strchr("hHB", letter) ? 16 : strchr("dDEP", letter) ? 64 : letter == 'p' ? 1 : 32;
}

/* ---- operands -------------------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13; /* xorshift64 */
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static uint64_t bits_of_float(float x) {
    uint32_t u;
    memcpy(&u, &x, 4);
    return u;
}

static uint64_t bits_of_double(double x) {
    uint64_t u;
    memcpy(&u, &x, 8);
    return u;
}

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const uint64_t edges_int[] = {
    0,          1,      2,      ~0ull,     ~1ull,      0x7fffffff,  0x80000000,         0x80000001,
    0x7fff,     0x8000, 0xffff, 0x10000,   0xffffffff, 0x100000000, 0x7fffffffffffffff, 1ull << 63,
    0x55555555, 31,     32,     0x00ff00ff};
static const uint64_t edges_f16[] = {0,      0x8000, 0x3c00, 0xbc00, 0x0001, 0x83ff,
                                     0x0400, 0x7bff, 0xfbff, 0x7c00, 0xfc00, 0x7e00,
                                     0x3800, 0x3c01, 0x4248, 0x8001};
static const uint64_t edges_bf16[] = {0,      0x8000, 0x3f80, 0xbf80, 0x0001, 0x807f,
                                      0x0080, 0x7f7f, 0xff7f, 0x7f80, 0xff80, 0x7fc0,
                                      0x3f00, 0x3f81, 0x4049, 0x8001};
static const uint64_t edges_f32[] = {0,          0x80000000, 0x3f800000, 0xbf800000, 0x00000001,
                                     0x807fffff, 0x00800000, 0x7f7fffff, 0xff7fffff, 0x7f800000,
                                     0xff800000, 0x7fc00000, 0x3f000000, 0x3f800001, 0x40490fdb,
                                     0x4effffff, 0x4f000000, 0xcf000000, 0x33800000, 0xc2b17218};
static const uint64_t edges_f64[] = {0,
                                     1ull << 63,
                                     0x3ff0000000000000,
                                     0xbff0000000000000,
                                     1,
                                     0x800fffffffffffff,
                                     0x0010000000000000,
                                     0x7fefffffffffffff,
                                     0xffefffffffffffff,
                                     0x7ff0000000000000,
                                     0xfff0000000000000,
                                     0x7ff8000000000000,
                                     0x3fe0000000000000,
                                     0x3ff0000000000001,
                                     0x400921fb54442d18,
                                     0x43dfffffffffffff,
                                     0x43e0000000000000,
                                     0xc3e0000000000000,
                                     0x36a0000000000000,
                                     0x47efffffe0000000};

typedef struct {
    const uint64_t *at;
    size_t n;
} edge_list;

static edge_list edges(char letter) {
    switch (letter) {
    case 'H': return (edge_list){edges_f16, COUNT(edges_f16)};
    case 'B': return (edge_list){edges_bf16, COUNT(edges_bf16)};
    case 'F': return (edge_list){edges_f32, COUNT(edges_f32)};
    case 'D': return (edge_list){edges_f64, COUNT(edges_f64)};
    default: return (edge_list){edges_int, COUNT(edges_int)};
    }
}

/* Half the floats have exponents near 1, so that sums and products meet; the rest are any bits. */
static uint64_t random_float(char letter, uint64_t r, uint64_t *state) {
    uint64_t near = next_random(state) % 40;
    if (r >> 63) return r;
    if (letter == 'D') return (r & 0x800fffffffffffff) | (1003 + near) << 52;
    if (letter == 'F') return (r & 0x807fffff) | (107 + near) << 23;
    return r;
}

/* k / 8 for small k, exact in every float format, as are short sums of products of such. */
static double eighth(uint64_t r) {
    return (double)(int)(r % 33 - 16) / 8.0;
}

static uint64_t exact_f16(uint64_t r) {
    uint64_t f = bits_of_float((float)eighth(r));
    return (f & 0x7fffffff) == 0 ? 0 : (f >> 16 & 0x8000) | (((f & 0x7fffffff) >> 13) - 0x1c000);
}

/* Four numbers of a narrow format with `mantissa` bits, as exact as it has them. */
static uint64_t exact_bytes(uint64_t r, unsigned mantissa) {
    uint64_t word = 0, bias = mantissa == 3 ? 7 : 15;
    for (unsigned k = 0; k < 4; k++, r >>= 8) {
        double step = mantissa == 3 ? 1 : 2;
        uint64_t f = bits_of_float((float)(floor(8 * eighth(r & 0xff) / step) * step / 8));
        uint64_t x =
            f & 0x7fffffff
                ? (((f >> 23 & 0xff) - 127 + bias) << mantissa | (f & 0x7fffff) >> (23 - mantissa))
                : 0;
        word |= (x | (x ? f >> 24 & 0x80 : 0)) << 8 * k;
    }
    return word;
}

static uint64_t value(char letter, uint64_t *state) {
    uint64_t r = next_random(state), s = next_random(state);
    switch (letter) {
    case 'p': return r & 1;
    case 'b': return r & 0xff;
    case 's': return r % 71;
    case 'q': return exact_f16(r) | exact_f16(s) << 16;
    case 't':
        return bits_of_float((float)eighth(r)) >> 16 |
               (bits_of_float((float)eighth(s)) & 0xffff0000);
    case '8': return exact_bytes(r, 3);
    case '5': return exact_bytes(r, 2);
    case 'e': return bits_of_float((float)eighth(r));
    case 'E': return bits_of_double(eighth(r));
    case 'n': return bits_of_float((float)((double)(r >> 40) / 2097152.0 - 4.0));
    case 'X':
    case 'Y': {
        edge_list e = edges(letter == 'X' ? 'H' : 'B');
        uint64_t lo = r & 1 << 20 ? e.at[r % e.n] : r & 0xffff,
                 hi = s & 1 << 20 ? e.at[s % e.n] : s & 0xffff;
        return lo | hi << 16;
    }
    case 'P': {
        edge_list e = edges('F');
        uint64_t low = r & 1 << 20 ? e.at[r % e.n] : random_float('F', r & 0xffffffff, state),
                 high = s & 1 << 20 ? e.at[s % e.n] : random_float('F', s & 0xffffffff, state);
        return (low & 0xffffffff) | high << 32;
    }
    case 'F':
    case 'D': return random_float(letter, r, state);
    default: return s % 4 == 0 ? r >> s % 64 : r; /* small numbers too */
    }
}

static uint64_t cut(char letter, uint64_t x) {
    unsigned w = letter == 'b' ? 8 : width(letter);
    return w == 64 ? x : x & (((uint64_t)1 << w) - 1);
}

static size_t rows_of(const conf_case *c) {
    return conf_operands(c) == 1 && strchr("hHB", letter(c, conf_results(c))) ? ROWS_16_BITS : ROWS;
}

/* Row `row`: all of 16 bits, then every tuple of edges, then random values. */
static void fill_row(const conf_case *c, size_t row, uint64_t *v, uint64_t *state) {
    unsigned n = conf_operands(c), first = conf_results(c);
    size_t at = n == 3 && row <= ROWS / 2 ? row * 7919 % 8000 : row; /* a spread over all triples */
    if (rows_of(c) == ROWS_16_BITS) {
        v[0] = row;
        return;
    }
    for (unsigned k = 0; k < n; k++) {
        char l = letter(c, first + k);
        edge_list e = edges(l);
        v[k] = strchr("hwdHBFD", l) ? e.at[at % e.n] : value(l, state);
        at /= e.n;
    }
    for (unsigned k = 0; k < n; k++) {
        if (at > 0 || n > 3 || (n == 3 && row > ROWS / 2))
            v[k] = value(letter(c, first + k), state);
        v[k] = cut(letter(c, first + k), v[k]);
    }
}

/* ---- text ------------------------------------------------------------------------------------ */

typedef struct {
    char *text;
    size_t cap, len;
} out;

static void say(out *o, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(out *o, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(o->text + o->len, o->cap - o->len, format, args);
    va_end(args);
    if (n > 0) o->len += (size_t)n < o->cap - o->len ? (size_t)n : o->cap - o->len - 1;
}

/* %pN is a predicate, %hN %wN %dN registers of 16, 32, 64 bits. */
static void say_register(out *o, const conf_case *c, unsigned i) {
    unsigned w = width(letter(c, i));
    say(o, "%%%c%u", w == 1 ? 'p' : w == 16 ? 'h' : w == 32 ? 'w' : 'd', i);
}

static void say_body(out *o, const conf_case *c) {
    say(o, "\t");
    for (const char *s = c->text; *s; s++) {
        if (*s == '$') {
            char *end;
            say_register(o, c, (unsigned)strtoul(s + 1, &end, 10));
            s = end - 1;
        } else if (*s == '\n') {
            say(o, "\n\t");
        } else {
            say(o, "%c", *s);
        }
    }
    say(o, "\n");
}

static void say_operands(out *o, const conf_case *c) {
    unsigned first = conf_results(c), n = conf_operands(c);
    for (unsigned k = 0; k < n; k++) {
        unsigned w = width(letter(c, first + k));
        if (w == 1) {
            say(o, "\tld.global.u32 %%v, [%%in+%u];\n\tsetp.ne.u32 %%p%u, %%v, 0;\n", k * 8,
                first + k);
        } else {
            say(o, "\tld.global.b%u ", w);
            say_register(o, c, first + k);
            say(o, ", [%%in+%u];\n", k * 8);
        }
    }
}

static void say_results(out *o, const conf_case *c) {
    for (unsigned k = 0; k < conf_results(c); k++) {
        unsigned w = width(letter(c, k));
        if (w == 1) {
            say(o, "\tselp.u32 %%v, 1, 0, %%p%u;\n\tst.global.u32 [%%out+%u], %%v;\n", k, k * 8);
        } else {
            say(o, "\tst.global.b%u [%%out+%u], ", w, k * 8);
            say_register(o, c, k);
            say(o, ";\n");
        }
    }
}

void conf_ptx(const conf_case *c, char *text, size_t cap) {
    out o = {text, cap, 0};
    say(&o, ".version 8.6\n.target sm_%u\n.address_size 64\n%s\n", c->sm, c->decl ? c->decl : "");
    say(&o, ".visible .entry k(.param .u64 p_out, .param .u64 p_in, .param .u64 p_scratch,\n"
            "\t.param .align 16 .b8 p_bytes[16])\n{\n");
    say(&o,
        "\t.reg .pred %%p<%u>;\n\t.reg .b16 %%h<%u>;\n\t.reg .b32 %%w<%u>;\n\t.reg .b64 %%d<%u>;\n",
        CONF_MAX_REGS, CONF_MAX_REGS, CONF_MAX_REGS, CONF_MAX_REGS);
    say(&o, "\t.reg .pred %%p, %%q;\n\t.reg .b32 %%i, %%v, %%sa, %%x, %%y, %%z;\n"
            "\t.reg .b64 %%in, %%out, %%ga, %%a;\n\t.reg .b16 %%g;\n");
    say(&o, "\t.shared .align 16 .b8 slots[%u];\n", BLOCK * SCRATCH);
    say(&o, "\tmov.u32 %%i, %%ctaid.x;\n\tmov.u32 %%v, %%tid.x;\n\tmad.lo.u32 %%i, %%i, %u, %%v;\n",
        BLOCK);
    say(&o, "\tmov.u32 %%sa, slots;\n\tmad.lo.u32 %%sa, %%v, %u, %%sa;\n", SCRATCH);
    say(&o, "\tld.param.u64 %%out, [p_out];\n\tld.param.u64 %%in, [p_in];\n\tld.param.u64 %%ga, "
            "[p_scratch];\n");
    say(&o, "\tmad.wide.u32 %%out, %%i, %u, %%out;\n\tmad.wide.u32 %%in, %%i, %u, %%in;\n",
        conf_results(c) * 8, conf_operands(c) * 8);
    say(&o, "\tmad.wide.u32 %%ga, %%i, %u, %%ga;\n", SCRATCH);
    say_operands(&o, c);
    say_body(&o, c);
    say_results(&o, c);
    say(&o, "\tret;\n}\n");
}

/* ---- judging --------------------------------------------------------------------------------- */

static double as_double(char letter, uint64_t bits) {
    double d;
    float f;
    uint32_t u = (uint32_t)bits;
    if (letter == 'H') return zoo_from_f16((uint16_t)bits);
    if (letter == 'B') return zoo_from_bf16((uint16_t)bits);
    if (letter == 'D' || letter == 'E') {
        memcpy(&d, &bits, 8);
        return d;
    }
    memcpy(&f, &u, 4);
    return (double)f;
}

static bool close_enough(const conf_slack *s, char letter, double got, double want) {
    double next = letter == 'D'
                      ? nextafter(fabs(want), INFINITY) - fabs(want)
                      : (double)(nextafterf((float)fabs(want), INFINITY) - (float)fabs(want));
    double off = fabs(got - want);
    return off <= s->ulp * next || off <= s->rel * fabs(want) || off <= s->abs;
}

static bool agree(const conf_case *c, char letter, uint64_t got, uint64_t want) {
    switch (letter) {
    case 'X':
    case 'Y': {
        char half = letter == 'X' ? 'H' : 'B';
        return agree(c, half, got & 0xffff, want & 0xffff) &&
               agree(c, half, got >> 16 & 0xffff, want >> 16 & 0xffff);
    }
    case 'P':
        return agree(c, 'F', got & 0xffffffff, want & 0xffffffff) &&
               agree(c, 'F', got >> 32, want >> 32);
    case 'H':
    case 'B':
    case 'F':
    case 'D':
    case 'e':
    case 'E': break;
    default: return cut(letter, got) == cut(letter, want);
    }
    double g = as_double(letter, got), w = as_double(letter, want);
    if (cut(letter, got) == cut(letter, want) || (isnan(g) && isnan(w))) return true;
    bool slack = c->slack.ulp > 0 || c->slack.rel > 0 || c->slack.abs > 0;
    return slack && isfinite(g) && isfinite(w) && close_enough(&c->slack, letter, g, w);
}

typedef struct {
    size_t rows;
    uint64_t *in, *want, *got;
    uint64_t in_at, out_at, scratch_at;
} table;

static bool table_new(const conf_case *c, table *t) {
    unsigned n = conf_operands(c), m = conf_results(c);
    uint64_t state = 0x9e3779b97f4a7c15u;
    t->rows = rows_of(c);
    t->in = calloc(t->rows * (n ? n : 1), 8);
    t->want = calloc(t->rows * m, 8);
    t->got = calloc(t->rows * m, 8);
    if (!t->in || !t->want || !t->got) return false;
    for (size_t i = 0; i < t->rows; i++) fill_row(c, i, t->in + i * n, &state);
    for (size_t i = 0; c->row && i < t->rows; i++) {
        uint64_t v[CONF_MAX_REGS] = {0}; /* an oracle may look at operands that are not there */
        memcpy(v, t->in + i * n, n * sizeof *v);
        c->row(c, v, t->want + i * m);
    }
    for (size_t i = 0; c->warp && i < t->rows; i += 32)
        c->warp(c, (unsigned)i, t->in + i * n, t->want + i * m);
    return true;
}

static void table_free(table *t) {
    free(t->in);
    free(t->want);
    free(t->got);
}

static int run_table(dev *d, const conf_case *c, table *t) {
    static char text[16384];
    size_t in_bytes = t->rows * conf_operands(c) * 8, out_bytes = t->rows * conf_results(c) * 8;
    dev_launch l = {
        .kernel = "k",
        .grid = {(uint32_t)(t->rows / BLOCK), 1, 1},
        .block = {BLOCK, 1, 1},
        .args = {{&t->out_at, 8}, {&t->in_at, 8}, {&t->scratch_at, 8}, {conf_param_bytes, 16}},
        .n_args = 4,
        .seed = 1};
    conf_ptx(c, text, sizeof text);
    int code = d->ops->load(d, text, strlen(text));
    if (code == 0) code = d->ops->alloc(d, in_bytes ? in_bytes : 8, &t->in_at);
    if (code == 0) code = d->ops->alloc(d, out_bytes, &t->out_at);
    if (code == 0) code = d->ops->alloc(d, t->rows * SCRATCH, &t->scratch_at);
    if (code == 0 && in_bytes) code = d->ops->write(d, t->in_at, t->in, in_bytes);
    if (code == 0)
        code = d->ops->write(d, t->out_at, t->got, out_bytes); /* upper halves of slots stay 0 */
    if (code == 0) code = d->ops->launch(d, &l);
    return code ? code : d->ops->read(d, t->got, t->out_at, out_bytes);
}

static void say_row(out *o, const char *what, const uint64_t *v, unsigned n) {
    say(o, " %s", what);
    for (unsigned k = 0; k < n; k++) say(o, " %llx", (unsigned long long)v[k]);
}

static bool compare(const conf_case *c, const table *t, char *why, size_t cap) {
    unsigned n = conf_operands(c), m = conf_results(c);
    size_t wrong = 0, first = 0;
    for (size_t i = t->rows; i-- > 0;)
        for (unsigned k = 0; k < m; k++)
            if (!agree(c, letter(c, k), t->got[i * m + k], t->want[i * m + k])) {
                wrong++;
                first = i;
            }
    if (wrong == 0) return true;
    out o = {why, cap, 0};
    say(&o, "%s: %zu of %zu differ, row %zu:", c->text, wrong, t->rows, first);
    say_row(&o, "operands", t->in + first * n, n);
    say_row(&o, "gave", t->got + first * m, m);
    say_row(&o, "not", t->want + first * m, m);
    return false;
}

uint32_t conf_key(const conf_case *c) {
    uint32_t key = 2166136261u;
    for (const char *s = c->text; *s; s++) key = (key ^ (uint8_t)*s) * 16777619u;
    for (const char *s = c->sig; *s; s++) key = (key ^ (uint8_t)*s) * 16777619u;
    return key;
}

/* One NaN stands for all where any will do, so that hashes of answers can be compared. */
static uint64_t canonical(char letter, uint64_t bits) {
    if (letter == 'X' || letter == 'Y') {
        char half = letter == 'X' ? 'H' : 'B';
        return canonical(half, bits & 0xffff) | canonical(half, bits >> 16 & 0xffff) << 16;
    }
    if (!strchr("HBFDeE", letter) || !isnan(as_double(letter, bits))) return cut(letter, bits);
    return cut(letter, ~0ull >> 1);
}

bool conf_run(dev *d, const conf_case *c, char *why, size_t cap, uint64_t *answers) {
    table t = {0};
    d->ops->reset(d);
    int code = table_new(c, &t) ? run_table(d, c, &t) : 2;
    bool good = false;
    if (code != 0)
        snprintf(why, cap, "%s: error %d: %s", c->text, code, d->why);
    else if (d->reports > 0)
        snprintf(why, cap, "%s: %s", c->text, d->why);
    else
        good = compare(c, &t, why, cap);
    for (size_t i = 0; answers && code == 0 && i < t.rows * conf_results(c); i++) {
        uint64_t x = canonical(letter(c, (unsigned)(i % conf_results(c))), t.got[i]);
        *answers = (*answers ^ x) * 0x100000001b3u;
    }
    table_free(&t);
    return good;
}
