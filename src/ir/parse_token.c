/* parse_token.c - what every part of the parser stands on: errors with their place, tokens,
 * strings, names of values. */
#include "src/ir/text_parse.h"

#include <stdio.h>
#include <string.h>

/* ---- errors, memory, tokens */

bool tx_failed(const tx_parser *p) {
    return p->e->status != BZ_OK;
}

bool tx_fail(tx_parser *p, uint32_t tok, bz_status s, const char *fmt, ...) {
    if (tx_failed(p)) return false;
    va_list ap;
    va_start(ap, fmt);
    char text[sizeof p->e->text];
    bz_vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    tx_place(p->e, p->text, p->tok.p[tok].at);
    bz_fail(p->e, s, "%s", text);
    return false;
}

bool tp_no_memory(tx_parser *p) {
    return tx_fail(p, p->at, BZ_ENOMEM, "out of memory");
}

void *tx_alloc(tx_parser *p, size_t n) {
    void *q = bz_arena_alloc(&p->line, n);
    if (!q) tp_no_memory(p);
    return q;
}

/* The error of a graph's constructor becomes ours, at this token. */
bool tp_graph_error(tx_parser *p, const ir_graph *g, uint32_t tok) {
    if (g->err.status) return tx_fail(p, tok, g->err.status, "%s", g->err.text);
    if (p->m->ex.failed) return tx_fail(p, tok, BZ_ESHAPE, "a dimension is too large");
    return tx_fail(p, tok, BZ_EARG, "this line gives no value");
}

const tx_token *tp_peek(const tx_parser *p) {
    return &p->tok.p[p->at];
}

bool tp_at(const tx_parser *p, char c) {
    return tp_peek(p)->kind == TX_PUNCT && tp_peek(p)->punct == c;
}

bool tp_accept(tx_parser *p, char c) {
    bool yes = tp_at(p, c);
    p->at += yes;
    return yes;
}

bool tp_is(const tx_parser *p, uint32_t tok, const char *s) {
    const tx_token *t = &p->tok.p[tok];
    return t->kind == TX_WORD && t->n == strlen(s) && !memcmp(p->text + t->at, s, t->n);
}

bool tp_accept_word(tx_parser *p, const char *s) {
    bool yes = tp_is(p, p->at, s);
    p->at += yes;
    return yes;
}

/* "expected X, found Y" at the next token. */
bool tp_expected(tx_parser *p, const char *what) {
    const tx_token *t = tp_peek(p);
    int n = t->n > 24 ? 24 : (int)t->n;
    if (t->kind == TX_END)
        return tx_fail(p, p->at, BZ_EPARSE, "expected %s, found the end of the text", what);
    return tx_fail(p, p->at, BZ_EPARSE, "expected %s, found '%.*s'", what, n, p->text + t->at);
}

bool tp_want(tx_parser *p, char c) {
    return tp_accept(p, c) || tp_expected(p, (char[]){'\'', c, '\'', '\0'});
}

const char *tp_keep(tx_parser *p, const char *s, size_t n) {
    char *q = bz_arena_alloc(&p->names, n + 1);
    if (!q) {
        tp_no_memory(p);
        return NULL;
    }
    memcpy(q, s, n);
    q[n] = '\0';
    return q;
}

int tp_hex_digit(char c) {
    const char *digits = "0123456789abcdef", *d = c ? strchr(digits, c | 0x20) : NULL;
    return d ? (int)(d - digits) : -1;
}

/* \uXXXX below 0x80 at s; -1 when it is something else. */
static int short_escape(const char *s, const char *end) {
    int v = 0;
    for (int i = 1; i <= 4; i++) {
        int d = s + i < end ? tp_hex_digit(s[i]) : -1;
        if (d < 0) return -1;
        v = 16 * v + d;
    }
    return v > 0 && v < 0x80 ? v : -1;
}

/* The text between the quotes s .. end, its escapes resolved. */
static const char *unquote(tx_parser *p, uint32_t tok, const char *s, const char *end) {
    char *out = bz_arena_alloc(&p->names, (size_t)(end - s) + 1), *w = out;
    if (!out) return tp_no_memory(p), NULL;
    for (; s < end; s++) {
        int c = (unsigned char)*s;
        if (c == '\\') {
            s++;
            c = *s == 'n'                 ? '\n'
                : *s == 't'               ? '\t'
                : *s == '"' || *s == '\\' ? *s
                : *s == 'u'               ? short_escape(s, end)
                                          : -1;
            s += *s == 'u' && c >= 0 ? 4 : 0;
        }
        if (c <= 0)
            return tx_fail(p, tok, BZ_EPARSE,
                           "a string knows the escapes \\n \\t \\\" \\\\ \\u0001 .. \\u007f"),
                   NULL;
        *w++ = (char)c;
    }
    *w = '\0';
    return out;
}

/* The text of a word, string or value token without quotes and %. */
const char *tp_text(tx_parser *p, uint32_t tok) {
    const tx_token *t = &p->tok.p[tok];
    const char *s = p->text + t->at, *end = s + t->n;
    s += t->kind == TX_VALUE;
    return *s == '"' ? unquote(p, tok, s + 1, end - 1) : tp_keep(p, s, (size_t)(end - s));
}

const char *tp_name(tx_parser *p, const char *what) {
    if (tp_peek(p)->kind != TX_WORD && tp_peek(p)->kind != TX_STRING)
        return tp_expected(p, what), NULL;
    return tp_text(p, p->at++);
}

/* ---- names of values */

static uint32_t *find_name(tp_scope *s, const char *name) {
    uint32_t at = (uint32_t)bz_hash(0, name, strlen(name)) & (s->nslots - 1);
    while (s->slots[at] && strcmp(s->names.p[s->slots[at] - 1].name, name) != 0)
        at = (at + 1) & (s->nslots - 1);
    return &s->slots[at];
}

static bool grow_names(tp_scope *s) {
    uint32_t size = s->nslots ? s->nslots * 2 : 64, *old = s->slots;
    uint32_t *fresh = bz_mem_zero(size, sizeof *fresh);
    if (!fresh) return false;
    s->slots = fresh;
    s->nslots = size;
    for (uint32_t i = 0; i < s->names.n; i++) *find_name(s, s->names.p[i].name) = i + 1;
    bz_mem_free(old);
    return true;
}

/* Quoted names that are no words live apart from numbers: `%"12"` is not `%12`. */
const char *tp_key(tx_parser *p, uint32_t tok) {
    const tx_token *t = &p->tok.p[tok];
    const char *s = tp_text(p, tok);
    bool quoted = p->text[t->at + (t->kind == TX_VALUE)] == '"';
    if (!s || !quoted || tx_is_word(s)) return s;
    size_t n = strlen(s);
    char *key = bz_arena_alloc(&p->names, n + 2);
    if (!key) return tp_no_memory(p), NULL;
    key[0] = '"';
    memcpy(key + 1, s, n + 1);
    return key;
}

bool tp_bind(tx_parser *p, tp_scope *s, uint32_t tok, const char *key, ir_ref r) {
    if (!key) return false;
    if (2 * (s->names.n + 1) > s->nslots && !grow_names(s)) return tp_no_memory(p);
    uint32_t *slot = find_name(s, key);
    if (*slot) return tx_fail(p, tok, BZ_EPARSE, "%%%s is defined already", key);
    if (!bz_vec_push(&s->names, ((tp_named){key, r}))) return tp_no_memory(p);
    *slot = s->names.n;
    return true;
}

ir_ref tp_look_up(tx_parser *p, tp_scope *s, uint32_t tok) {
    const char *key = tp_key(p, tok);
    uint32_t slot = key && s->nslots ? *find_name(s, key) : 0;
    if (key && !slot) tx_fail(p, tok, BZ_EPARSE, "%%%s is not defined", key);
    return slot ? s->names.p[slot - 1].r : 0;
}
