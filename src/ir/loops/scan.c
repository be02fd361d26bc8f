/* scan.c - cutting the text of kernel loops into tokens.
 *
 *     words, %values, numbers (12 -3 0x7f 1.5e-3), single signs; # begins a comment */
#include "src/ir/loops/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' || c == '.';
}

static const char *skip_blank(const char *p, const char *end) {
    for (; p < end; p++) {
        if (*p == '#')
            while (p + 1 < end && *p != '\n') p++;
        else if (*p != ' ' && *p != '\t' && *p != '\n' && *p != '\r')
            break;
    }
    return p;
}

static const char *number_end(const char *p, const char *end) {
    bool hex = end - p > 2 && p[0] == '0' && (p[1] == 'x' || p[1] == 'X');
    for (p++; p < end; p++) {
        bool sign = *p == '+' || *p == '-';
        bool exponent = strchr(hex ? "pP" : "eE", p[-1]) && p[-1];
        if (!is_word(*p) && !(sign && exponent)) break;
    }
    return p;
}

void lp_scan_next(lp_scan *s) {
    if (s->status != BZ_OK) return;
    const char *p = skip_blank(s->at, s->end), *from = p;
    lp_token_kind kind = TOK_PUNCT;
    if (p == s->end) {
        kind = TOK_END;
    } else if (is_digit(*p) || (*p == '-' && s->end - p > 1 && is_digit(p[1]))) {
        kind = TOK_NUMBER;
        p = number_end(p + (*p == '-'), s->end);
    } else if (is_word(*p) || *p == '%') {
        kind = *p == '%' ? TOK_VALUE : TOK_WORD;
        from += *p++ == '%';
        while (p < s->end && is_word(*p)) p++;
    } else {
        p++;
    }
    s->tok = (lp_token){kind, from, (uint32_t)(p - from)};
    s->at = p;
}

void lp_scan_start(lp_scan *s, const char *text, size_t n, bz_error *e) {
    *s = (lp_scan){.text = text, .at = text, .end = text + n, .e = e};
    if (n > INT32_MAX) lp_scan_fail(s, s->tok, "text longer than 2 GB");
    lp_scan_next(s);
}

static void place(const lp_scan *s, const char *at, int *line, int *column) {
    *line = *column = 1;
    for (const char *p = s->text; at && p < at && p < s->end; p++) {
        *line += *p == '\n';
        *column = *p == '\n' ? 1 : *column + 1;
    }
}

void lp_scan_fail(lp_scan *s, lp_token at, const char *fmt, ...) {
    if (s->status != BZ_OK) return;
    s->status = BZ_EPARSE;
    bz_text t = {0};
    va_list ap;
    va_start(ap, fmt);
    bz_textfv(&t, fmt, ap);
    va_end(ap);
    int line, column;
    place(s, at.kind == TOK_VALUE ? at.s - 1 : at.s, &line, &column);
    if (s->e && s->e->status == BZ_OK) {
        bz_fail(s->e, BZ_EPARSE, "%d:%d: %s", line, column, bz_text_c(&t));
        s->e->line = line;
        s->e->column = column;
    }
    bz_text_free(&t);
    s->tok = (lp_token){TOK_END, s->end, 0};
}

void lp_scan_no_memory(lp_scan *s) {
    if (s->status != BZ_OK) return;
    s->status = bz_fail(s->e, BZ_ENOMEM, "out of memory while parsing kernel loops");
    s->tok = (lp_token){TOK_END, s->end, 0};
}

bool lp_token_eq(lp_token t, const char *text) {
    return t.n == strlen(text) && memcmp(t.s, text, t.n) == 0;
}

bool lp_scan_is(const lp_scan *s, const char *text) {
    return (s->tok.kind == TOK_WORD || s->tok.kind == TOK_PUNCT) && lp_token_eq(s->tok, text);
}

bool lp_scan_accept(lp_scan *s, const char *text) {
    bool is = lp_scan_is(s, text);
    if (is) lp_scan_next(s);
    return is;
}

/* How a token reads in a message: printable, at most 32 bytes. */
static const char *shown(const lp_scan *s, char out[40]) {
    lp_token t = s->tok;
    if (t.kind == TOK_END) return "the end of the text";
    uint32_t n = 0;
    out[n++] = '\'';
    if (t.kind == TOK_VALUE) out[n++] = '%';
    for (uint32_t i = 0; i < t.n && n < 34; i++)
        out[n++] = t.s[i] < ' ' || t.s[i] > '~' ? '?' : t.s[i];
    out[n++] = '\'';
    out[n] = 0;
    return out;
}

bool lp_scan_expect(lp_scan *s, const char *text) {
    char seen[40];
    if (lp_scan_accept(s, text)) return true;
    lp_scan_fail(s, s->tok, "'%s' expected, not %s", text, shown(s, seen));
    return false;
}

lp_token lp_scan_word(lp_scan *s, const char *what) {
    lp_token t = s->tok;
    char seen[40];
    if (t.kind != TOK_WORD)
        lp_scan_fail(s, t, "%s expected, not %s", what, shown(s, seen));
    else
        lp_scan_next(s);
    return s->status == BZ_OK ? t : (lp_token){TOK_END, "", 0};
}

/* Copies a number into a NUL-terminated buffer; false when it is too long to be one. */
static bool number_text(lp_token t, char out[64]) {
    if (t.kind != TOK_NUMBER || t.n >= 64) return false;
    memcpy(out, t.s, t.n);
    out[t.n] = 0;
    return true;
}

static bool whole(lp_token t, int64_t *v) {
    char text[64], *end;
    if (!number_text(t, text)) return false;
    errno = 0;
    *v = strtoll(text, &end, strncmp(text, "0x", 2) == 0 ? 16 : 10);
    return errno == 0 && end == text + t.n;
}

int64_t lp_scan_number(lp_scan *s, int64_t lo, int64_t hi) {
    lp_token t = s->tok;
    int64_t v = 0;
    char seen[40];
    if (t.kind != TOK_NUMBER || !whole(t, &v))
        lp_scan_fail(s, t, "whole number expected, not %s", shown(s, seen));
    else if (v < lo || v > hi)
        lp_scan_fail(s, t, "%lld is not in %lld .. %lld", (long long)v, (long long)lo,
                     (long long)hi);
    else
        lp_scan_next(s);
    return s->status == BZ_OK ? v : lo;
}

static ir_bits real(lp_scan *s, lp_token t, bz_dtype d) {
    char text[64], *end = NULL;
    double v = number_text(t, text) ? bz_read_number(text, &end) : 0;
    if (!end || end != text + t.n || v - v != 0) {
        lp_scan_fail(s, t, "not a finite number");
        return 0;
    }
    return ir_bits_from_f64(d, v);
}

/* One that i64, or u64, holds. */
static bool integer(lp_token t, ir_number *v) {
    char text[64], *end;
    if (whole(t, &v->i)) return *v = ir_number_i(v->i), true;
    if (!number_text(t, text) || *text == '-') return false;
    errno = 0;
    *v = ir_number_u(strtoull(text, &end, strncmp(text, "0x", 2) == 0 ? 16 : 10));
    return errno == 0 && end == text + t.n;
}

ir_bits lp_scan_literal(lp_scan *s, lp_token t, bz_dtype d) {
    ir_number v;
    char digits[IR_DIGITS];
    if (ir_is_float(d)) return real(s, t, d);
    if (!integer(t, &v))
        lp_scan_fail(s, t, "not a whole number");
    else if (!ir_is_value(d, v))
        lp_scan_fail(s, t, "%s does not fit into %s", ir_digits(digits, v), ir_dtypes[d].name);
    return s->status == BZ_OK ? ir_bits_from_number(d, v) : 0;
}
