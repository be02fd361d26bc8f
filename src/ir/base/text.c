/* text.c - a text that grows while it is written. */
#include "src/ir/base/base.h"

#include <stdio.h>
#include <string.h>

static bool make_room(bz_text *t, size_t more) {
    if (t->failed) return false;
    if (t->n + more + 1 <= t->cap) return true;
    size_t cap = t->cap ? t->cap * 2 : 256;
    if (cap < t->n + more + 1) cap = t->n + more + 1;
    char *p = bz_mem_grow(t->p, cap);
    if (!p) {
        t->failed = true;
        return false;
    }
    t->p = p;
    t->cap = cap;
    return true;
}

void bz_text_add(bz_text *t, const char *s, size_t n) {
    if (!make_room(t, n)) return;
    memcpy(t->p + t->n, s, n);
    t->n += n;
    t->p[t->n] = '\0';
}

void bz_text_str(bz_text *t, const char *s) {
    bz_text_add(t, s, strlen(s));
}

void bz_textfv(bz_text *t, const char *fmt, va_list ap) {
    char small[256];
    va_list again;
    va_copy(again, ap);
    int n = bz_vsnprintf(small, sizeof small, fmt, ap);
    if (n > 0 && (size_t)n < sizeof small)
        bz_text_add(t, small, (size_t)n);
    else if (n > 0 && make_room(t, (size_t)n)) {
        bz_vsnprintf(t->p + t->n, (size_t)n + 1, fmt, again);
        t->n += (size_t)n;
    }
    va_end(again);
}

void bz_textf(bz_text *t, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    bz_textfv(t, fmt, ap);
    va_end(ap);
}

unsigned bz_utf8(const char *s) {
    const unsigned char *p = (const unsigned char *)s;
    if (*p < 0x80) return *p != 0;
    unsigned n = *p >= 0xF0 ? 4 : *p >= 0xE0 ? 3 : 2;
    unsigned char least = *p == 0xE0   ? 0xA0
                          : *p == 0xF0 ? 0x90
                                       : 0x80,
                  most = *p == 0xED   ? 0x9F
                         : *p == 0xF4 ? 0x8F
                                      : 0xBF;
    if (*p < 0xC2 || *p > 0xF4 || p[1] < least || p[1] > most) return 0;
    for (unsigned i = 2; i < n; i++)
        if (p[i] < 0x80 || p[i] > 0xBF) return 0;
    return n;
}

void bz_text_utf8(bz_text *t, const char **s) {
    unsigned n = bz_utf8(*s);
    bz_text_add(t, n ? *s : "\xEF\xBF\xBD", n ? n : 3);
    *s += n ? n : 1;
}

void bz_text_json(bz_text *t, const char *s) {
    bz_text_add(t, "\"", 1);
    while (*s) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            bz_textf(t, "\\%c", c);
        else if (c < 0x20)
            bz_textf(t, "\\u%04x", c);
        else {
            bz_text_utf8(t, &s);
            continue;
        }
        s++;
    }
    bz_text_add(t, "\"", 1);
}

void bz_text_free(bz_text *t) {
    bz_mem_free(t->p);
    *t = (bz_text){0};
}

const char *bz_text_c(const bz_text *t) {
    return t->p ? t->p : "";
}
