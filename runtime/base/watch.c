/* watch.c - who may end long work, and what a context may use at most: interrupts, the progress callback, limits; the warning for a
 * recording that nobody reads.
 *
 *     another thread, a signal handler --bz_interrupt--> a word per context <--asked between passes, kernels, launches, bites of tasks
 *
 * The words lie beside the contexts, not in them: a handler that comes late touches nothing that was freed. */
#include "runtime/base/watch.h"

#include <inttypes.h>
#include <stdio.h>

static _Atomic(bool) words[1 << RT_CONTEXT_BITS];

/* ---- interrupts */

bz_status bz_interrupt(const bz_context *c) {
    if (!rt_context_alive(c)) return c ? BZ_ESCOPE : BZ_EARG;
    atomic_store_explicit(&words[c->number], true, memory_order_relaxed);
    return BZ_OK;
}

_Atomic(bool) *rt_interrupt_word(const bz_context *c) {
    return &words[c->number];
}

/* "[eval] TEXT at train.c:31": what the user did, whichever part of the library was at it. */
static bz_status ended(const bz_context *c, bz_error *e, bz_status s, const char *text) {
    return bz_fail(e, s, "[%s] %s%s%s", c->op, text, c->site ? " at " : "", c->site ? c->site : "");
}

bz_status rt_take_interrupt(bz_context *c, const char *doing, bz_error *e) {
    char text[64];
    if (!atomic_load_explicit(&words[c->number], memory_order_relaxed)) return BZ_OK;
    atomic_store_explicit(&words[c->number], false, memory_order_relaxed);
    snprintf(text, sizeof text, "interrupted (bz_interrupt) while it %s", doing);
    return ended(c, e, BZ_EINTERRUPTED, text);
}

void rt_forget_interrupt(bz_context *c) {
    atomic_store_explicit(&words[c->number], false, memory_order_relaxed);
}

/* ---- compilations */

bz_status bz_set_progress(bz_context *c, bz_progress *f, void *user) {
    RT_VISIT(c, RT_STRAY_STATUS);
    c->progress = f;
    c->progress_user = user;
    return BZ_OK;
}

static bool wants_to_stop(bz_context *c, const char *phase, uint64_t done, uint64_t total) {
    if (!c->progress) return false;
    c->asking = true;
    rt_border host = rt_go_out();
    bool stop = c->progress(c->progress_user, phase, done, total) != 0;
    rt_come_back(host);
    c->asking = false;
    return stop;
}

static bz_status ask(const bz_watch *w, const char *phase, uint64_t done, uint64_t total,
                     bz_error *e) {
    const rt_watch *own = (const rt_watch *)w;
    bz_context *c = own->c;
    char text[160];
    if (rt_take_interrupt(c, "compiled", e)) return BZ_EINTERRUPTED;
    if (own->until && bz_now() > own->until) {
        snprintf(text, sizeof text,
                 "compiling takes longer than BZ_LIMIT_COMPILE_MS, %" PRIu64
                 " ms: raise it by bz_set_limit, or have less compiled at once",
                 c->limits[BZ_LIMIT_COMPILE_MS]);
        return ended(c, e, BZ_ELIMIT, text);
    }
    if (wants_to_stop(c, phase, done, total))
        return ended(c, e, BZ_EINTERRUPTED, "the progress callback ended the compilation");
    return BZ_OK;
}

rt_watch rt_watch_new(bz_context *c) {
    uint64_t ms = c->limits[BZ_LIMIT_COMPILE_MS];
    return (rt_watch){.base = {ask}, .c = c, .until = ms ? bz_now() + ms * 1000000 : 0};
}

/* ---- limits */

bz_status bz_set_limit(bz_context *c, bz_limit which, uint64_t value) {
    RT_VISIT(c, RT_STRAY_STATUS);
    if ((unsigned)which >= BZ_NLIMITS)
        return rt_fail(c, BZ_EARG, NULL, "set_limit", "there is no limit %d", (int)which);
    c->limits[which] = value;
    return BZ_OK;
}

uint64_t bz_get_limit(const bz_context *c, bz_limit which) {
    return rt_context_alive(c) && (unsigned)which < BZ_NLIMITS ? c->limits[which] : 0;
}

bool rt_within_bytes(bz_context *c, const size_t *in_use, uint64_t bytes, const char *what,
                     bz_error *e) {
    uint64_t most = c->limits[BZ_LIMIT_BYTES], used;
    char text[400];
    do {
        used = *in_use;
        if (!most || !bytes || (bytes <= most && used <= most - bytes)) return true;
    } while (bytes <= most && rt_give_way(c));
    snprintf(text, sizeof text,
             "%s %" PRIu64 " bytes beside the %" PRIu64 " in use, BZ_LIMIT_BYTES allows %" PRIu64
             ": release tensors, or raise it by bz_set_limit",
             what, bytes, used, most);
    ended(c, e, BZ_ELIMIT, text);
    return false;
}
