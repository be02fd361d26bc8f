/* damage.c - see damage.h. */
#include "tests/support/damage.h"
#include "src/ir/ir.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

uint64_t damage_draw(uint64_t *state, uint64_t below) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state % below;
}

/* The `cut` bytes at `at` become `piece`; unchanged when there is no room. */
static size_t put(char *s, size_t n, size_t room, size_t at, size_t cut, const char *piece,
                  size_t len) {
    if (n - cut + len >= room) return n;
    memmove(s + at + len, s + at + cut, n - at - cut);
    memcpy(s + at, piece, len);
    return n - cut + len;
}

/* ---- bytes */

/* Texts that reach deeper than single bytes do. */
static const char *const pieces[] = {"nan",
                                     "-inf",
                                     "1099511627776",
                                     "-9223372036854775808",
                                     "0x1p+9999",
                                     "[[[[[[[[[[",
                                     "((((((",
                                     "n%3",
                                     "min(",
                                     "%",
                                     "\"",
                                     "{axis=",
                                     "return",
                                     "graph",
                                     "\n",
                                     ": f32[n",
                                     "0",
                                     "-1",
                                     "bits(0xffffffffffffffff)",
                                     ", ",
                                     "\0",
                                     "\xff"};

size_t damage_bytes(uint64_t *state, char *s, size_t n, size_t room) {
    for (uint64_t k = 1 + damage_draw(state, 4); k > 0 && n; k--) {
        const char *piece = pieces[damage_draw(state, BZ_LEN(pieces))];
        size_t at = (size_t)damage_draw(state, n), cut = (size_t)damage_draw(state, 12);
        if (damage_draw(state, 3) == 0)
            s[at] = (char)damage_draw(state, 256);
        else
            n = put(s, n, room, at, cut > n - at ? n - at : cut, piece, strlen(piece));
    }
    return n;
}

/* ---- tokens */

typedef struct token {
    size_t at, n;
    bool number, word; /* a number: with its sign; a word: letters, digits, % in front of a value */
} token;

enum { MAX_TOKENS = 4096 };

static bool word_char(char c) {
    return isalnum((unsigned char)c) || c == '_' || c == '.';
}

static size_t split(const char *s, size_t n, token *t) {
    size_t count = 0;
    for (size_t i = 0; i < n && count < MAX_TOKENS;) {
        size_t from = i;
        if (isspace((unsigned char)s[i])) {
            i++;
            continue;
        }
        bool value = s[i] == '%',
             sign = s[i] == '-' && i + 1 < n && isdigit((unsigned char)s[i + 1]);
        bool number = sign || isdigit((unsigned char)s[i]);
        i++;
        while ((number || value || word_char(s[from])) && i < n && word_char(s[i])) i++;
        t[count++] = (token){from, i - from, number, !number && (value || word_char(s[from]))};
    }
    return count;
}

static const char *const numbers[] = {"0",
                                      "1",
                                      "-1",
                                      "2",
                                      "3",
                                      "7",
                                      "31",
                                      "32",
                                      "33",
                                      "64",
                                      "-2",
                                      "129",
                                      "4097",
                                      "nan",
                                      "-nan",
                                      "inf",
                                      "-inf",
                                      "0.5",
                                      "-0.0",
                                      "1e30",
                                      "1e-40",
                                      "2147483648",
                                      "n",
                                      "1e400",
                                      "0x1p-1074",
                                      "9223372036854775807",
                                      "-9223372036854775808",
                                      "1099511627776",
                                      "1152921504606846976",
                                      "true",
                                      "_"};
#define NAME(e, name, bytes, kind, bits) #name,
static const char *const dtypes[] = {BZ_DTYPES(NAME)};

static const char *any_op(uint64_t *state) {
    const char *name;
    do name = ir_ops[1 + damage_draw(state, IR_ELEM_END - 1)].name;
    while (!name);
    return name;
}

static bool is_dtype(const char *s, size_t n) {
    for (size_t i = 0; i < BZ_LEN(dtypes); i++)
        if (strlen(dtypes[i]) == n && !memcmp(dtypes[i], s, n)) return true;
    return false;
}

/* What stands in for a token of its kind; often one of the same text. */
static size_t replace(uint64_t *state, char *s, size_t n, size_t room, const token *t,
                      size_t count) {
    const token *x = &t[damage_draw(state, count)], *y = x;
    const char *text = NULL;
    char copy[256];
    if (x->number)
        text = numbers[damage_draw(state, BZ_LEN(numbers))];
    else if (x->word && is_dtype(s + x->at, x->n))
        text = dtypes[damage_draw(state, BZ_LEN(dtypes))];
    else if (x->word && s[x->at] != '%' && damage_draw(state, 2))
        text = any_op(state);
    for (unsigned k = 0; !text && k < 64; k++) { /* another of its kind, so that it may still fit */
        y = &t[damage_draw(state, count)];
        if (y->word == x->word && (s[y->at] == '%') == (s[x->at] == '%') && y->n < sizeof copy)
            break;
    }
    if (text) return put(s, n, room, x->at, x->n, text, strlen(text));
    size_t len = y->n < sizeof copy ? y->n : sizeof copy;
    memcpy(copy, s + y->at, len);
    return put(s, n, room, x->at, x->n, copy, len);
}

/* A line is written twice, left out, or changes places with the next. */
static size_t move_line(uint64_t *state, char *s, size_t n, size_t room) {
    size_t from = (size_t)damage_draw(state, n), to;
    char line[512];
    while (from && s[from - 1] != '\n') from--;
    for (to = from; to < n && s[to] != '\n';) to++;
    to += to < n;
    if (to - from >= sizeof line) return n;
    memcpy(line, s + from, to - from);
    switch (damage_draw(state, 3)) {
    case 0: return put(s, n, room, from, 0, line, to - from);
    case 1: return put(s, n, room, from, to - from, "", 0);
    default: break;
    }
    n = put(s, n, room, from, to - from, "", 0);
    size_t next = from;
    while (next < n && s[next] != '\n') next++;
    return put(s, n, room, next + (next < n), 0, line, to - from);
}

size_t damage_tokens(uint64_t *state, char *s, size_t n, size_t room) {
    static token t[MAX_TOKENS];
    for (uint64_t k = 1 + damage_draw(state, 3); k > 0 && n; k--) {
        size_t count = split(s, n, t);
        if (count && damage_draw(state, 8))
            n = replace(state, s, n, room, t, count);
        else
            n = move_line(state, s, n, room);
    }
    return n;
}
