/* lex.c - the text form as tokens, and errors in it as a compiler shows them. Any bytes may come
 * in. */
#include "src/ir/text.h"

#include <string.h>

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool in_word(char c) {
    return is_letter(c) || is_digit(c) || c == '.';
}

bool tx_is_word(const char *s) {
    if (!is_letter(*s)) return false;
    while (in_word(*s)) s++;
    return *s == '\0';
}

void tx_place(bz_error *e, const char *text, size_t at) {
    e->line = e->column = 1;
    for (size_t i = 0; i < at; i++) {
        e->column = text[i] == '\n' ? 1 : e->column + 1;
        e->line += text[i] == '\n';
    }
}

static size_t end_of_word(const char *s, size_t i, size_t n) {
    while (i < n && in_word(s[i])) i++;
    return i;
}

/* A number ends where no letter, digit or dot follows, but 1e-5 and 0x1p+3 go on. */
static size_t end_of_number(const char *s, size_t i, size_t n) {
    bool hex = i + 1 < n && s[i] == '0' && (s[i + 1] == 'x' || s[i + 1] == 'X');
    for (; i < n; i++) {
        bool sign = (s[i] == '+' || s[i] == '-') &&
                    (s[i - 1] == (hex ? 'p' : 'e') || s[i - 1] == (hex ? 'P' : 'E'));
        if (!in_word(s[i]) && !sign) break;
    }
    return i;
}

/* Behind the closing quote; 0 when there is none on the line. */
static size_t end_of_string(const char *s, size_t i, size_t n) {
    for (i++; i < n && s[i] != '\n'; i++) {
        if (s[i] == '"') return i + 1;
        if (s[i] == '\\' && i + 1 < n && s[i + 1] != '\n') i++;
    }
    return 0;
}

static size_t skip_blanks(const char *s, size_t i, size_t n, bool *newline) {
    for (; i < n; i++) {
        if (s[i] == '#') {
            while (i + 1 < n && s[i + 1] != '\n') i++;
        } else if (s[i] == '\n') {
            *newline = true;
        } else if (s[i] != ' ' && s[i] != '\t' && s[i] != '\r') {
            break;
        }
    }
    return i;
}

/* The token at s[i]; its end, or 0 when there is none. */
static size_t scan(const char *s, size_t i, size_t n, tx_token *t) {
    bool value = s[i] == '%' && i + 1 < n && (in_word(s[i + 1]) || s[i + 1] == '"');
    if (value) {
        t->kind = TX_VALUE;
        return s[i + 1] == '"' ? end_of_string(s, i + 1, n) : end_of_word(s, i + 1, n);
    }
    if (is_letter(s[i])) {
        t->kind = TX_WORD;
        return end_of_word(s, i, n);
    }
    if (is_digit(s[i])) {
        t->kind = TX_NUMBER;
        return end_of_number(s, i, n);
    }
    if (s[i] == '"') {
        t->kind = TX_STRING;
        return end_of_string(s, i, n);
    }
    t->kind = TX_PUNCT;
    t->punct = s[i];
    return s[i] && strchr("(){}[],:=@+-*/%", s[i]) ? i + 1 : 0;
}

static bool wrong_byte(const char *text, size_t at, bz_error *e) {
    unsigned char c = (unsigned char)text[at];
    tx_place(e, text, at);
    if (c == '"' || c == '%')
        bz_fail(e, BZ_EPARSE, "the string has no closing quote on its line");
    else if (c > 0x20 && c < 0x7f)
        bz_fail(e, BZ_EPARSE, "'%c' means nothing here", c);
    else
        bz_fail(e, BZ_EPARSE, "byte 0x%02x means nothing here", c);
    return false;
}

bool tx_lex(const char *text, size_t n, tx_tokens *out, bz_error *e) {
    if (n > TX_MAX_TEXT)
        return bz_fail(e, BZ_EPARSE, "the text has more than %d bytes", TX_MAX_TEXT), false;
    for (size_t i = 0, end;; i = end) {
        tx_token t = {.kind = TX_END};
        i = skip_blanks(text, i, n, &t.newline);
        t.at = (uint32_t)i;
        t.newline |= i == 0;
        end = i < n ? scan(text, i, n, &t) : i;
        if (i < n && end == 0) return wrong_byte(text, i, e);
        t.n = (uint32_t)(end - i);
        if (!bz_vec_push(out, t)) return bz_fail(e, BZ_ENOMEM, "out of memory"), false;
        if (i >= n) return true;
    }
}

/* ---- errors */

/* The start of line number `line` (from 1). */
static const char *line_start(const char *text, int line) {
    while (line > 1 && *text) {
        if (*text++ == '\n') line--;
    }
    return text;
}

void ir_error_report(bz_text *t, const bz_error *e, const char *text, const char *file) {
    enum { BEFORE = 100, WIDTH = 160 };
    bz_text_str(t, file ? file : "text");
    if (e->line) bz_textf(t, ":%d:%d", e->line, e->column);
    bz_textf(t, ": error: %s\n", e->text);
    if (!e->line || !text) return;
    const char *s = line_start(text, e->line);
    size_t n = strcspn(s, "\r\n"), caret = (size_t)e->column - 1;
    size_t from = caret > BEFORE ? caret - BEFORE : 0;
    from = from > n ? n : from;
    for (size_t i = from; i < n && i < from + WIDTH; i++)
        bz_textf(t, "%c", (unsigned char)s[i] < 0x20 && s[i] != '\t' ? '?' : s[i]);
    bz_text_str(t, "\n");
    for (size_t i = from; i < caret; i++) bz_text_str(t, i < n && s[i] == '\t' ? "\t" : " ");
    bz_text_str(t, "^\n");
}
