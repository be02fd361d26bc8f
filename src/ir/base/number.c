/* number.c - numbers read and written as the C locale has them, whatever the host program's locale says.
 *
 * Everything that formats for a reader outside goes through here: the text form, JSON, messages, the rules' tables. */
#include "src/ir/base/base.h"

#include <locale.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static locale_t plain; /* (locale_t)0: there is none; then the host's counts */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_plain(void) {
    plain = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* constant data in glibc: it does not fail */
}

static locale_t c_locale(void) {
    pthread_once(&once, make_plain);
    return plain;
}

double bz_read_number(const char *s, char **end) {
    locale_t c = c_locale();
    return c ? strtod_l(s, end, c) : strtod(s, end);
}

static locale_t enter(void) {
    locale_t c = c_locale();
    return c ? uselocale(c) : (locale_t)0;
}

static void leave(locale_t host) {
    if (host) uselocale(host);
}

int bz_vsnprintf(char *dst, size_t room, const char *fmt, va_list ap) {
    locale_t host = enter();
    int n = vsnprintf(dst, room, fmt, ap);
    leave(host);
    return n;
}

int bz_snprintf(char *dst, size_t room, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    int n = bz_vsnprintf(dst, room, fmt, ap);
    va_end(ap);
    return n;
}

void bz_stderrf(const char *fmt, ...) {
    locale_t host = enter();
    va_list ap;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    leave(host);
}

void bz_size_text(char dst[32], double bytes) {
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB"};
    unsigned u = 0;
    for (; bytes >= 1024 && u + 1 < BZ_LEN(units); u++) bytes /= 1024;
    bz_snprintf(dst, 32, "%.4g %s", bytes, units[u]);
}
