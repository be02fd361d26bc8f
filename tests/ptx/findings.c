/* findings.c - what the checkers found: gathered by worker, joined by place, told in a fixed order.
 */
#include "run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {[PTX_REPORT_OUT_OF_BOUNDS] = "out of bounds",
                                    [PTX_REPORT_USE_AFTER_FREE] = "use after free",
                                    [PTX_REPORT_MISALIGNED] = "misaligned address",
                                    [PTX_REPORT_TRAP] = "trap",
                                    [PTX_REPORT_DEADLOCK] = "deadlock",
                                    [PTX_REPORT_FAULT] = "fault",
                                    [PTX_REPORT_UNINIT] = "uninitialised read",
                                    [PTX_REPORT_RACE_SHARED] = "race in shared memory",
                                    [PTX_REPORT_RACE_GLOBAL] = "race in global memory",
                                    [PTX_REPORT_ASYNC] = "missing asynchronous wait",
                                    [PTX_REPORT_BARRIER] = "divergent barrier"};

static const char *const statuses[] = {[PTX_OK] = "ok",
                                       [PTX_ILLEGAL_ADDRESS] = "illegal address",
                                       [PTX_MISALIGNED] = "misaligned address",
                                       [PTX_TRAP] = "trap",
                                       [PTX_ASSERT] = "assertion failed",
                                       [PTX_ILLEGAL_INSTRUCTION] = "illegal instruction",
                                       [PTX_TIMEOUT] = "launch timeout",
                                       [PTX_STACK_OVERFLOW] = "stack overflow",
                                       [PTX_INVALID_PC] = "invalid call target",
                                       [PTX_INVALID] = "invalid launch",
                                       [PTX_NO_MEMORY] = "out of host memory"};

const char *ptx_report_name(ptx_report_kind kind) {
    return (unsigned)kind < sizeof names / sizeof names[0] ? names[kind] : "unknown";
}

const char *ptx_status_name(ptx_status status) {
    return (unsigned)status < sizeof statuses / sizeof statuses[0] ? statuses[status] : "unknown";
}

const char *const ptx_counter_names[PTX_COUNTER_NAMES] = {
#define COUNTER(name) #name,
    PTX_COUNTERS(COUNTER)};

const char *const ptx_class_names[PTX_CLASSES] = {
    "float", "half",   "int",   "logic",  "convert", "special", "move",   "load",
    "store", "atomic", "async", "matrix", "shuffle", "barrier", "control"};

static uint64_t block_rank(const uint32_t v[3]) {
    return (uint64_t)v[2] << 42 | (uint64_t)v[1] << 32 | v[0];
}

/* The example kept of equal findings is the one of the first block and thread. */
static bool earlier(const ptx_report *a, const ptx_report *b) {
    uint64_t ba = block_rank(a->block), bb = block_rank(b->block);
    if (ba != bb) return ba < bb;
    for (int k = 2; k >= 0; k--)
        if (a->thread[k] != b->thread[k]) return a->thread[k] < b->thread[k];
    return a->address < b->address;
}

static finding *finding_for(worker *wk, const ptx_report *like) {
    for (size_t k = 0; k < wk->findings.n; k++) {
        const ptx_report *r = &wk->findings.at[k].pub;
        if (r->kind == like->kind && r->ptx_line == like->ptx_line && r->status == like->status)
            return &wk->findings.at[k];
    }
    finding *f = VEC_PUSH(wk->findings);
    f->pub.kind = like->kind;
    f->pub.ptx_line = like->ptx_line;
    f->pub.status = like->status;
    return f;
}

static void describe(finding *f, const launch *ln, const ins *i, const ptx_extent *e,
                     const char *what) {
    ptx_report *r = &f->pub;
    src_loc loc = ln->module->locs.at[i->loc];
    r->kernel = ln->fn->name;
    r->cuda_line = loc.line;
    r->file = loc.line && loc.file < ln->module->files.n ? ln->module->files.at[loc.file] : NULL;
    snprintf(f->owner, sizeof f->owner, "%s", e && e->owner ? e->owner : "");
    int n = snprintf(f->text, sizeof f->text, "%s: %s; kernel %.120s, PTX line %u",
                     ptx_report_name(r->kind), what, r->kernel, r->ptx_line);
    size_t at = n > 0 ? (size_t)n : 0;
    if (r->file && at < sizeof f->text)
        at += (size_t)snprintf(f->text + at, sizeof f->text - at, " (%.80s:%u)", r->file,
                               r->cuda_line);
    if (at < sizeof f->text)
        at += (size_t)snprintf(f->text + at, sizeof f->text - at,
                               ", block (%u,%u,%u), thread (%u,%u,%u)", r->block[0], r->block[1],
                               r->block[2], r->thread[0], r->thread[1], r->thread[2]);
    if (r->address && at < sizeof f->text)
        at += (size_t)snprintf(f->text + at, sizeof f->text - at, ", address 0x%llx",
                               (unsigned long long)r->address);
    if (f->owner[0] && at < sizeof f->text)
        snprintf(f->text + at, sizeof f->text - at, " in %s", f->owner);
}

static void report(warp *w, const ins *i, unsigned lane, ptx_report r, const char *what) {
    const launch *ln = w->b->ln;
    if (r.address || r.kind <= PTX_REPORT_MISALIGNED) r.space = generic_space(r.address);
    r.ptx_line = i->line;
    for (int k = 0; k < 3; k++) {
        r.block[k] = w->b->id[k];
        r.thread[k] = w->tid[k][lane];
    }
    finding *f = finding_for(w->wk, &r);
    r.count = f->pub.count + 1;
    if (f->pub.count == 0 || earlier(&r, &f->pub)) {
        bool global = r.address && r.address < PTX_WINDOWS;
        f->pub = r;
        describe(f, ln, i, global ? mem_find(ln, r.address) : NULL, what);
    }
    f->pub.count = r.count;
}

enum { WHAT = 256 };

void find_note(warp *w, const ins *i, unsigned lane, ptx_report_kind kind, uint64_t address,
               const char *format, ...) {
    static const unsigned checks[] = {[PTX_REPORT_UNINIT] = PTX_CHECK_UNINIT,
                                      [PTX_REPORT_RACE_SHARED] = PTX_CHECK_RACE_SHARED,
                                      [PTX_REPORT_RACE_GLOBAL] =
                                          PTX_CHECK_RACE_SHARED | PTX_CHECK_RACE_GLOBAL,
                                      [PTX_REPORT_ASYNC] = PTX_CHECK_ASYNC,
                                      [PTX_REPORT_BARRIER] = PTX_CHECK_BARRIER};
    char what[WHAT];
    va_list args;
    if (kind != PTX_REPORT_OUT_OF_BOUNDS && !(w->b->ln->checks & checks[kind])) return;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    report(w, i, lane, (ptx_report){.kind = kind, .address = address}, what);
}

void find_fault(warp *w, const ins *i, unsigned lane, ptx_report_kind kind, ptx_status status,
                uint64_t address, const char *format, ...) {
    char what[WHAT];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    report(w, i, lane, (ptx_report){.kind = kind, .status = status, .address = address}, what);
    w->b->failed = w->yield = true;
    if (status == PTX_TIMEOUT) atomic_store(&w->b->ln->stop, true);
}

void find_print(warp *w, const char *text, size_t n) {
    slot_queue *q = w->b->slot;
    for (size_t k = 0; k < n; k++) *VEC_PUSH(q->print) = text[k];
}

static int by_place(const void *a, const void *b) {
    const finding *x = a, *y = b;
    if (x->pub.ptx_line != y->pub.ptx_line) return x->pub.ptx_line < y->pub.ptx_line ? -1 : 1;
    if (x->pub.kind != y->pub.kind) return (int)x->pub.kind - (int)y->pub.kind;
    return (int)x->pub.status - (int)y->pub.status;
}

static void join(worker *all, const worker *from) {
    for (size_t k = 0; k < from->findings.n; k++) {
        const finding *x = &from->findings.at[k];
        finding *f = finding_for(all, &x->pub);
        uint64_t count = f->pub.count + x->pub.count;
        if (f->pub.count == 0 || earlier(&x->pub, &f->pub)) *f = *x;
        f->pub.count = count;
    }
}

void find_finish(launch *ln, ptx_result *result) {
    worker *all = &ln->workers[0];
    for (unsigned k = 1; k < ln->n_workers; k++) join(all, &ln->workers[k]);
    if (all->findings.n) qsort(all->findings.at, all->findings.n, sizeof(finding), by_place);
    const finding *worst = NULL;
    for (size_t k = 0; k < all->findings.n; k++) {
        finding *f = &all->findings.at[k];
        f->pub.text = f->text;
        f->pub.owner = f->owner[0] ? f->owner : NULL;
        if (f->pub.status != PTX_OK && (!worst || earlier(&f->pub, &worst->pub))) worst = f;
        if (ln->sink.report) ln->sink.report(ln->sink.ctx, &f->pub);
    }
    result->reports = all->findings.n;
    if (!worst) return;
    result->status = worst->pub.status;
    snprintf(result->message, sizeof result->message, "%s", worst->text);
}
