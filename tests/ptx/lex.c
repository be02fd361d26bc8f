/* lex.c - PTX text to tokens, names interned, and the one place where load errors are written. */
#include "parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const uint8_t vm_type_bytes[T_COUNT] = {
#define TYPE(e, text, bytes, cls) [T_##e] = bytes,
#include "words.def"
};
const char vm_type_class[T_COUNT] = {
#define TYPE(e, text, bytes, cls) [T_##e] = #cls[0],
#include "words.def"
};
const char *const vm_type_names[T_COUNT] = {
#define TYPE(e, text, bytes, cls) [T_##e] = text,
#include "words.def"
};

/* ---- errors ---- */

static void log_text(ptx_log *log, const char *text) {
    size_t n = strlen(text);
    if (!log || log->len + 1 >= log->cap) return;
    if (n > log->cap - log->len - 1) n = log->cap - log->len - 1;
    memcpy(log->text + log->len, text, n);
    log->len += n;
    log->text[log->len] = 0;
}

static void fail_v(parser *p, uint32_t line, uint32_t column, const char *format, va_list args) {
    if (p->failed) return;
    char text[512], all[600];
    vsnprintf(text, sizeof text, format, args);
    snprintf(all, sizeof all, "%u:%u: error: %s\n", line, column, text);
    for (char *c = all; *c; c++)
        if ((unsigned char)*c < 32 && *c != '\n') *c = '?';
    log_text(p->log, all);
    if (p->log) p->log->errors++;
    p->failed = true;
    p->tok = TK_EOF;
    p->p = p->end;
}

void parse_fail_at(parser *p, uint32_t line, uint32_t column, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fail_v(p, line, column, format, args);
    va_end(args);
}

/* At the current token. */
void parse_fail(parser *p, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const char *bol = p->start < p->line_start ? p->start : p->line_start;
    fail_v(p, p->tok_line, (uint32_t)(p->start - bol) + 1, format, args);
    va_end(args);
}

/* ---- names ---- */

static uint32_t hash_bytes(const char *s, size_t n) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < n; i++) h = (h ^ (uint8_t)s[i]) * 16777619u;
    return h;
}

static void table_grow(parser *p) {
    size_t cap = p->cap_syms ? p->cap_syms * 2 : 4096;
    sym **table = ptx_zeroed(cap * sizeof *table);
    for (size_t i = 0; i < p->cap_syms; i++) {
        sym *s = p->table[i];
        if (!s) continue;
        size_t k = s->hash & (cap - 1);
        while (table[k]) k = (k + 1) & (cap - 1);
        table[k] = s;
    }
    free(p->table);
    p->table = table;
    p->cap_syms = cap;
}

sym *lex_intern(parser *p, const char *text, size_t len) {
    if (p->n_syms * 2 >= p->cap_syms) table_grow(p);
    uint32_t h = hash_bytes(text, len);
    size_t k = h & (p->cap_syms - 1);
    for (; p->table[k]; k = (k + 1) & (p->cap_syms - 1))
        if (p->table[k]->hash == h && p->table[k]->len == len &&
            !memcmp(p->table[k]->name, text, len))
            return p->table[k];
    sym *s = arena_get(&p->names, sizeof *s);
    s->name = text;
    s->len = (uint32_t)len;
    s->hash = h;
    p->table[k] = s;
    p->n_syms++;
    return s;
}

static void add_words(parser *p) {
#define MNEMONIC(n, decoder) lex_intern(p, #n, sizeof #n - 1)->op = OP_##n;
#include "words.def"
#define MOD(e, text) lex_intern(p, text, sizeof text - 1)->mod = M_##e;
#include "words.def"
#define TYPE(e, text, bytes, cls) lex_intern(p, text, sizeof text - 1)->type = T_##e;
#include "words.def"
#define SREG(e, text, wide)                                                                        \
    if (sizeof text > 1) lex_intern(p, text, sizeof text - 1)->sreg = SR_##e + 1;
#include "words.def"
}

bool lex_open(parser *p, const char *text, size_t len) {
    p->p = p->start = p->line_start = text;
    p->end = text + len;
    p->line = p->tok_line = 1;
    add_words(p);
    lex_next(p);
    return true;
}

void lex_close(parser *p) {
    free(p->table);
    arena_drop(&p->names);
    free(p->undos.at);
    free(p->scopes.at);
    free(p->uses.at);
    free(p->consts.at);
    free(p->shared_uses.at);
    free(p->units.at);
    free(p->read.at);
    free(p->wide_loads.at);
    free(p->flow.at);
}

/* ---- tokens ---- */

enum { C_NONE, C_BLANK, C_ALPHA, C_DIGIT };

static const uint8_t classes[256] = {
    [' '] = C_BLANK, ['\t'] = C_BLANK, ['\r'] = C_BLANK, ['\n'] = C_BLANK, ['_'] = C_ALPHA,
    ['$'] = C_ALPHA, ['0'] = C_DIGIT,  ['1'] = C_DIGIT,  ['2'] = C_DIGIT,  ['3'] = C_DIGIT,
    ['4'] = C_DIGIT, ['5'] = C_DIGIT,  ['6'] = C_DIGIT,  ['7'] = C_DIGIT,  ['8'] = C_DIGIT,
    ['9'] = C_DIGIT,
#define C2(a, b) [a] = C_ALPHA, [b] = C_ALPHA
    C2('a', 'A'),    C2('b', 'B'),     C2('c', 'C'),     C2('d', 'D'),     C2('e', 'E'),
    C2('f', 'F'),    C2('g', 'G'),     C2('h', 'H'),     C2('i', 'I'),     C2('j', 'J'),
    C2('k', 'K'),    C2('l', 'L'),     C2('m', 'M'),     C2('n', 'N'),     C2('o', 'O'),
    C2('p', 'P'),    C2('q', 'Q'),     C2('r', 'R'),     C2('s', 'S'),     C2('t', 'T'),
    C2('u', 'U'),    C2('v', 'V'),     C2('w', 'W'),     C2('x', 'X'),     C2('y', 'Y'),
    C2('z', 'Z'),
#undef C2
};

static bool is_word(char c) {
    return classes[(uint8_t)c] >= C_ALPHA;
}

static void newline(parser *p) {
    p->line++;
    p->line_start = p->p + 1;
}

static void skip_comment(parser *p) {
    const char *start = p->p;
    for (p->p += 2; p->p + 1 < p->end; p->p++) {
        if (*p->p == '\n') newline(p);
        if (p->p[0] == '*' && p->p[1] == '/') {
            p->p += 2;
            return;
        }
    }
    p->start = start;
    p->p = p->end;
    parse_fail(p, "comment without an end");
}

static void skip_blanks(parser *p) {
    for (; p->p < p->end; p->p++) {
        char c = *p->p;
        if (c == '\n')
            newline(p);
        else if (c == '/' && p->p + 1 < p->end && p->p[1] == '/') {
            const char *eol = memchr(p->p, '\n', (size_t)(p->end - p->p));
            p->p = (eol ? eol : p->end) - 1;
        } else if (c == '/' && p->p + 1 < p->end && p->p[1] == '*') {
            skip_comment(p);
            p->p--;
        } else if (classes[(uint8_t)c] != C_BLANK)
            return;
    }
}

int lex_peek(parser *p) {
    skip_blanks(p);
    return p->p < p->end ? (uint8_t)*p->p : 0;
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : 99;
}

static bool lex_digits(parser *p, int base, unsigned exactly) {
    const char *start = p->p;
    for (p->value = 0; p->p < p->end && hex_digit(*p->p) < base; p->p++)
        p->value = p->value * (uint64_t)base + (uint64_t)hex_digit(*p->p);
    size_t n = (size_t)(p->p - start);
    if (n == 0 || (exactly && n != exactly)) parse_fail(p, "malformed number");
    return !p->failed;
}

static void lex_decimal_float(parser *p) {
    char text[64];
    size_t n = 0;
    for (const char *c = p->start; c < p->end && n < sizeof text - 1; c++) {
        bool exponent_sign =
            (*c == '+' || *c == '-') && n && (text[n - 1] == 'e' || text[n - 1] == 'E');
        if (!exponent_sign && *c != '.' && *c != 'e' && *c != 'E' &&
            classes[(uint8_t)*c] != C_DIGIT)
            break;
        text[n++] = *c;
    }
    text[n] = 0;
    char *end;
    double d = strtod(text, &end);
    memcpy(&p->value, &d, 8);
    p->p = p->start + (end - text);
    p->tok = TK_DECIMAL;
}

static void lex_number(parser *p) {
    char second = p->p + 1 < p->end ? p->p[1] : 0;
    p->tok = TK_INT;
    if (*p->p == '0' && (second == 'f' || second == 'F' || second == 'd' || second == 'D')) {
        bool wide = second == 'd' || second == 'D';
        p->p += 2;
        p->tok = wide ? TK_F64 : TK_F32;
        lex_digits(p, 16, wide ? 16 : 8);
        return;
    }
    int base = 10;
    if (*p->p == '0' && (second == 'x' || second == 'X' || second == 'b' || second == 'B')) {
        base = second == 'x' || second == 'X' ? 16 : 2;
        p->p += 2;
    } else if (*p->p == '0' && classes[(uint8_t)second] == C_DIGIT)
        base = 8;
    if (!lex_digits(p, base, 0)) return;
    bool point = p->p + 1 < p->end && *p->p == '.' && classes[(uint8_t)p->p[1]] == C_DIGIT;
    if (base == 10 && p->p < p->end && (point || *p->p == 'e' || *p->p == 'E'))
        lex_decimal_float(p);
    else if (p->p < p->end && *p->p == 'U')
        p->p++;
    if (p->p < p->end && is_word(*p->p)) parse_fail(p, "malformed number");
}

static void lex_string(parser *p) {
    const char *q = ++p->p;
    while (q < p->end && *q != '"' && *q != '\n') q += *q == '\\' && q + 1 < p->end ? 2 : 1;
    PARSE_REFUSE(p, q >= p->end || *q != '"', "string without an end");
    p->word = lex_intern(p, p->p, (size_t)(q - p->p));
    p->p = q + 1;
    p->tok = TK_STRING;
}

/* A modifier or directive, without its dot; "shared::cta" is one word. */
static void lex_dotted(parser *p) {
    const char *q = ++p->p;
    while (q < p->end &&
           (is_word(*q) || (q + 2 < p->end && q[0] == ':' && q[1] == ':' && is_word(q[2]) && ++q)))
        q++;
    PARSE_REFUSE(p, q == p->p, "a word must follow '.'");
    p->word = lex_intern(p, p->p, (size_t)(q - p->p));
    p->p = q;
    p->tok = TK_DOT;
}

void lex_next(parser *p) {
    if (p->failed) return;
    skip_blanks(p);
    p->start = p->p;
    p->tok_line = p->line;
    if (p->failed || p->p >= p->end || !*p->p) {
        p->tok = TK_EOF;
        return;
    }
    char c = *p->p;
    if (classes[(uint8_t)c] == C_ALPHA || (c == '%' && p->p + 1 < p->end && is_word(p->p[1]))) {
        const char *q = p->p + 1;
        while (q < p->end && is_word(*q)) q++;
        p->word = lex_intern(p, p->p, (size_t)(q - p->p));
        p->p = q;
        p->tok = TK_ID;
    } else if (c == '.')
        lex_dotted(p);
    else if (classes[(uint8_t)c] == C_DIGIT)
        lex_number(p);
    else if (c == '"')
        lex_string(p);
    else if (strchr("{}[]()<>,;:@!|+-*=~", c)) {
        p->p++;
        p->tok = c;
    } else
        parse_fail(p, "unexpected character 0x%02x", (unsigned)(uint8_t)c);
}

bool lex_accept(parser *p, int tok) {
    if (p->tok != tok) return false;
    lex_next(p);
    return true;
}

bool lex_expect(parser *p, int tok, const char *what) {
    if (lex_accept(p, tok)) return !p->failed;
    parse_fail(p, "expected %s", what);
    return false;
}

bool lex_is(const parser *p, const char *dotted) {
    return p->tok == TK_DOT && p->word->len == strlen(dotted) &&
           !memcmp(p->word->name, dotted, p->word->len);
}

static uint64_t integer_term(parser *p, const char *what, unsigned depth);

static uint64_t integer_sum(parser *p, const char *what, unsigned depth) {
    uint64_t v = integer_term(p, what, depth);
    while (p->tok == '+' || p->tok == '-' || p->tok == '*') {
        int op = p->tok;
        lex_next(p);
        uint64_t r = integer_term(p, what, depth);
        v = op == '+' ? v + r : op == '-' ? v - r : v * r;
    }
    return v;
}

static uint64_t integer_term(parser *p, const char *what, unsigned depth) {
    if (depth > 20) {
        parse_fail(p, "expression too deep");
        return 0;
    }
    if (lex_accept(p, '-')) return 0 - integer_term(p, what, depth + 1);
    if (lex_accept(p, '~')) return ~integer_term(p, what, depth + 1);
    if (lex_accept(p, '+')) return integer_term(p, what, depth + 1);
    uint64_t v = p->value;
    if (lex_accept(p, '(')) {
        v = integer_sum(p, what, depth + 1);
        lex_expect(p, ')', "')'");
        return v;
    }
    lex_expect(p, TK_INT, what);
    return v;
}

uint64_t lex_integer(parser *p, const char *what) {
    uint64_t v = integer_sum(p, what, 0);
    return p->failed ? 0 : v;
}
