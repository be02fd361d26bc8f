/* queue.c - commands run late, in a seeded random order that respects only what the program asked
 * for.
 *
 *      stream A   [copy]--[kernel]--------[record e]
 *                                               \
 *      stream B   [fill]-----------[wait e]------+--[kernel]      arrows: followers
 *
 * A command is ready when all that it waits for has ended. Nothing runs until the host waits, asks,
 * or chance lets one go early; then any ready command may be next, or, every second time, only
 * those that the wait needs, so that work which nobody ordered stays undone as long as it can. */
#include "fake.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum { EARLY_ONE_IN = 16, QUIET_MS = 20 };

static struct {
    fk_list ready;
    uint64_t random;
    bool in_order;  /* seed 0 */
    size_t pending; /* commands that have not ended */
    unsigned host_pending;
    bool helper;
    uint64_t turns; /* counts commands that ended: the helper looks whether anybody is at work */
    pthread_cond_t host_work;
} queue = {.host_work = PTHREAD_COND_INITIALIZER};

void fk_queue_seed(uint64_t seed) {
    queue.random = seed;
    queue.in_order = seed == 0;
}

void braze_fake_seed(uint64_t seed) {
    pthread_mutex_lock(&fk.lock);
    fk.config.seed = seed;
    fk_queue_seed(seed);
    pthread_mutex_unlock(&fk.lock);
}

double fk_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void fk_hold(fk_command *command) {
    command->refs++;
}

void fk_drop(fk_command *command) {
    if (command && --command->refs == 0) {
        fk_stream_drop(command->stream);
        free(command->before);
        free(command->ranges);
        free(command);
    }
}

static bool is_host(const fk_command *c) {
    return c->work.kind == WORK_HOST || c->work.kind == WORK_CALLBACK;
}

/* ---- choosing and running -------------------------------------------------------------------- */

/* A ready command; with `target`, one that it waits for or itself; NULL when there is none. */
static fk_command *pick(const fk_command *target, bool host) {
    fk_command *chosen = NULL;
    uint64_t n = 0;
    for (size_t i = 0; i < queue.ready.n; i++) {
        fk_command *c = queue.ready.at[i];
        if ((target && c != target && !fk_ordered(c, target)) || (!host && is_host(c))) continue;
        n++;
        if (queue.in_order ? !chosen || c->seq < chosen->seq : ptx_random(&queue.random) % n == 0)
            chosen = c;
    }
    return chosen;
}

static void unready(const fk_command *c) {
    for (size_t i = 0; i < queue.ready.n; i++) {
        if (queue.ready.at[i] == c) {
            queue.ready.at[i] = queue.ready.at[--queue.ready.n];
            return;
        }
    }
}

static void run(fk_command *c) {
    unready(c);
    c->state = CMD_RUNNING;
    fk_hold(c);
    fk_run_work(c);
    c->state = CMD_DONE;
    queue.turns++;
    queue.pending--;
    queue.host_pending -= is_host(c);
    for (size_t i = 0; i < c->followers.n; i++) {
        fk_command *next = c->followers.at[i];
        next->ready = c->end > next->ready ? c->end : next->ready;
        next->lost = c->lost ? c->lost : next->lost;
        if (--next->waits == 0) fk_push(&queue.ready, next);
    }
    fk_list_free(&c->followers);
    fk_order_end(c);
    fk_work_free(&c->work);
    fk_drop(c);
    pthread_cond_broadcast(&fk.moved);
}

void fk_finish(fk_command *command) {
    fk_hold(command);
    const bool only_needed = !queue.in_order && ptx_random(&queue.random) % 2;
    while (command->state != CMD_DONE) {
        fk_command *c = pick(only_needed || queue.in_order ? command : NULL, true);
        if (c)
            run(c);
        else
            pthread_cond_wait(&fk.moved, &fk.lock); /* another thread runs what we need */
    }
    fk_order_known(command);
    fk_drop(command);
}

void fk_finish_context(fk_context *ctx) {
    for (fk_command *c; (c = fk_order_pending(ctx));) fk_finish(c);
    fk_order_known_all(ctx);
}

void fk_progress(void) {
    uint64_t n = queue.in_order ? 1 : 1 + ptx_random(&queue.random) % 3;
    for (fk_command *c; n > 0 && (c = pick(NULL, true)); n--) run(c);
}

/* ---- a helper for programs that wait for a host function without asking the driver ----------- */

static void *help(void *unused) {
    (void)unused;
    pthread_mutex_lock(&fk.lock);
    for (;;) {
        if (queue.host_pending == 0) {
            pthread_cond_wait(&queue.host_work, &fk.lock);
            continue;
        }
        const uint64_t before = queue.turns;
        pthread_mutex_unlock(&fk.lock);
        nanosleep(&(struct timespec){.tv_nsec = QUIET_MS * 1000000L}, NULL);
        pthread_mutex_lock(&fk.lock);
        fk_command *c = before == queue.turns ? pick(NULL, true) : NULL;
        if (c) run(c);
    }
    return NULL;
}

static void expect_host(void) {
    queue.host_pending++;
    if (!queue.helper) {
        pthread_t thread;
        queue.helper = pthread_create(&thread, NULL, help, NULL) == 0;
        if (queue.helper) pthread_detach(thread);
    }
    pthread_cond_signal(&queue.host_work);
}

/* ---- queueing -------------------------------------------------------------------------------- */

/* What the stream itself makes a new command wait for: its own last command, and between the legacy
 * stream and the blocking streams of a context each other's. */
static void stream_rules(fk_stream *stream, fk_list *deps) {
    const fk_context *ctx = stream->ctx;
    if (stream->tail) fk_push(deps, stream->tail);
    if (!stream->legacy && !(stream->flags & STREAM_NON_BLOCKING) && ctx->legacy->tail)
        fk_push(deps, ctx->legacy->tail);
    for (size_t i = 0; stream->legacy && i < ctx->streams.n; i++) {
        const fk_stream *other = ctx->streams.at[i];
        if (other != stream && other->tail && !(other->flags & STREAM_NON_BLOCKING))
            fk_push(deps, other->tail);
    }
}

static void follow(fk_command *c, fk_command *const *deps, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (deps[i]->state == CMD_DONE) {
            c->ready = deps[i]->end > c->ready ? deps[i]->end : c->ready;
            c->lost = deps[i]->lost ? deps[i]->lost : c->lost;
        } else {
            fk_push(&deps[i]->followers, c);
            c->waits++;
        }
    }
}

static void become_tail(fk_stream *stream, fk_command *c) {
    fk_hold(c);
    fk_drop(stream->tail);
    stream->tail = c;
}

fk_command *fk_enqueue(fk_stream *stream, fk_work *work, fk_command *const *deps, size_t n,
                       bool loose) {
    fk_command *c = ptx_zeroed(sizeof *c);
    fk_list all = {0};
    for (size_t i = 0; i < n; i++) fk_push(&all, deps[i]);
    if (!loose) stream_rules(stream, &all);
    c->work = *work;
    c->stream = stream;
    stream->refs++;
    c->ready = fk_now();
    fk_order_begin(c, (fk_command *const *)all.at, all.n);
    follow(c, (fk_command *const *)all.at, all.n);
    fk_list_free(&all);
    queue.pending++;
    fk_describe(c);
    if (!loose) become_tail(stream, c);
    if (is_host(c)) expect_host();
    if (c->waits == 0) fk_push(&queue.ready, c);
    while (fk_order_full()) {
        fk_command *oldest = pick(NULL, false); /* the lock stays closed */
        if (!oldest) break;
        run(oldest);
    }
    if (!loose && !queue.in_order && ptx_random(&queue.random) % EARLY_ONE_IN == 0) {
        fk_command *early = pick(NULL, false);
        if (early) run(early);
    }
    return c;
}
