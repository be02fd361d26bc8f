/* errors.c - what went wrong: in a context, or, where there is none to tell, or another thread is in it, in the thread. */
#include "runtime/base/context.h"
#include "runtime/base/env.h"

#include <stdio.h>

bz_status rt_fail(bz_context *c, bz_status s, const char *site, const char *op, const char *fmt,
                  ...) {
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    bz_vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return bz_fail(&c->err, s, "[%s] %s%s%s", op, text, site ? " at " : "", site ? site : "");
}

bz_status rt_no_memory(bz_context *c) {
    bz_fail(&c->err, BZ_ENOMEM, "out of memory");
    return rt_what_lacks(c);
}

void rt_device_text(const bz_context *c, char text[static 24]) {
    const char *name = rt_device_names[c->options.device];
    if (c->options.device == BZ_CUDA)
        snprintf(text, 24, "%.10s:%d", name, c->options.number);
    else
        snprintf(text, 24, "%.20s", name);
}

/* ---- what a thread is told without a context */

static _Thread_local struct {
    bz_error e;
    const bz_context *of; /* that another thread was in; NULL: none */
} stray;

bz_status rt_stray(const bz_context *of, bz_status s, const char *fmt, ...) {
    char text[sizeof stray.e.text];
    va_list ap;
    va_start(ap, fmt);
    bz_vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    stray.of = of;
    stray.e = (bz_error){0};
    return bz_fail(&stray.e, s, "%s", text);
}

const bz_error *rt_stray_get(const bz_context *c) {
    return !c || stray.of == c || !rt_context_alive(c) ? &stray.e : NULL;
}

void rt_stray_clear(const bz_context *c) {
    if (stray.of == c) stray.e = (bz_error){0}, stray.of = NULL;
}

bz_status rt_no_tensor(bz_context *c, const char *op) {
    return c && c->err.status ? c->err.status : rt_stray(NULL, BZ_ESCOPE, "[%s] " RT_STALE, op);
}
