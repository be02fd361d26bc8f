/* error.c - the first error is kept; our own bugs abort. */
#include "src/ir/base/base.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *name, *doc;
} statuses[] = {
#define STATUS_ROW(e, text) {#e, text},
    BZ_STATUSES(STATUS_ROW)
#undef STATUS_ROW
};

const char *bz_status_name(bz_status s) {
    return (size_t)s < BZ_LEN(statuses) ? statuses[s].name : "BZ_?";
}

const char *bz_status_doc(bz_status s) {
    return (size_t)s < BZ_LEN(statuses) ? statuses[s].doc : "unknown status";
}

bz_status bz_fail(bz_error *e, bz_status status, const char *fmt, ...) {
    if (!e || e->status) return status;
    e->status = status;
    va_list ap;
    va_start(ap, fmt);
    bz_vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    return status;
}

void bz_bug_at(const char *file, int line, const char *fmt, ...) {
    fprintf(stderr, "braze: bug at %s:%d: ", file, line);
    va_list ap;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    abort();
}
