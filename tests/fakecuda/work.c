/* work.c - what a command does when its turn has come: copy, fill, launch, call the host.
 *
 * Each leaves in the command the ranges that it read and wrote, for the races, and the time at
 * which a device of the profile would have ended. Nothing runs in a context that has failed, nor
 * what waits for such a thing in another one, which fails with it. */
#include "fake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* Where time goes on the device's clock: seconds, and bytes or instructions a second. */
static const double launch_seconds = 3e-6, copy_seconds = 2e-6, event_seconds = 5e-7,
                    bus_rate = 2e10;

static const char *const kind_names[WORK_KINDS] = {
    [WORK_KERNEL] = "kernel", [WORK_COPY] = "copy",         [WORK_FILL] = "fill",
    [WORK_HOST] = "host",     [WORK_CALLBACK] = "callback", [WORK_RECORD] = "record",
    [WORK_WAIT] = "wait",     [WORK_EMPTY] = "empty",       [WORK_ALLOC] = "alloc",
    [WORK_FREE] = "free",     [WORK_CHILD] = "child",
};
static uint64_t done[WORK_KINDS];

uint64_t braze_fake_commands(const char *kind) {
    uint64_t n = 0;
    pthread_mutex_lock(&fk.lock);
    for (int i = 0; i < WORK_KINDS; i++)
        if (strcmp(kind_names[i], kind) == 0) n = done[i];
    pthread_mutex_unlock(&fk.lock);
    return n;
}

/* ---- ownership ------------------------------------------------------------------------------- */

void fk_work_copy(fk_work *to, const fk_work *from) {
    *to = *from;
    switch (from->kind) {
    case WORK_KERNEL:
        to->kernel.params = ptx_grow(NULL, from->kernel.bytes);
        memcpy(to->kernel.params, from->kernel.params, from->kernel.bytes);
        break;
    case WORK_COPY: to->copy.staged = NULL; break;
    case WORK_RECORD:
    case WORK_WAIT: fk_event_hold(to->event); break;
    case WORK_CHILD:
        to->child = fk_graph_copy(from->child);
        to->child->owned = true;
        break;
    default: break;
    }
}

void fk_work_free(fk_work *work) {
    switch (work->kind) {
    case WORK_KERNEL: free(work->kernel.params); break;
    case WORK_COPY: free(work->copy.staged); break;
    case WORK_RECORD:
    case WORK_WAIT:
        if (work->event) fk_event_drop(work->event);
        break;
    case WORK_CHILD:
        if (work->child) fk_graph_free(work->child);
        break;
    default: break;
    }
    *work = (fk_work){.kind = WORK_EMPTY, .ctx = work->ctx};
}

/* ---- ranges ---------------------------------------------------------------------------------- */

static void add_range(fk_command *c, uint64_t begin, uint64_t n, unsigned access) {
    if (fk.config.checks && n > 0) c->ranges[c->n_ranges++] = (fk_range){begin, begin + n, access};
}

static void reserve_ranges(fk_command *c, size_t n) {
    if (fk.config.checks) c->ranges = ptx_grow(NULL, n * sizeof *c->ranges);
}

/* ---- copies ---------------------------------------------------------------------------------- */

static void fail(fk_command *c, CUresult code) {
    if (c->work.ctx->error == CUDA_SUCCESS) c->work.ctx->error = code;
}

/* The bytes of one row of a side, or NULL after a report. */
static uint8_t *bytes_at(fk_command *c, const fk_side *side, uint64_t address, uint64_t n,
                         fk_block **in) {
    if (side->pageable) {
        *in = NULL;
        return (uint8_t *)(uintptr_t)address;
    }
    fk_block *b = fk_block_near(address);
    const bool inside = b && address - b->extent.base < b->extent.size &&
                        n <= b->extent.size - (address - b->extent.base);
    if (!inside || (b->extent.flags & PTX_EXTENT_FREED)) {
        fk_report("%s touches %llu bytes at 0x%llx %s %s", c->what, (unsigned long long)n,
                  (unsigned long long)address,
                  !inside     ? "outside"
                  : b->unborn ? "before the allocation of"
                              : "after the end of",
                  b ? b->owner : "all memory");
        fail(c, CUDA_ERROR_ILLEGAL_ADDRESS);
        return NULL;
    }
    *in = b;
    return b->extent.host + (address - b->extent.base);
}

/* Present in programs built with AddressSanitizer: it knows freed and overrun heap blocks. */
extern void *__asan_region_is_poisoned(void *begin, size_t size) __attribute__((weak));

/* Moves bytes between the driver and the program's pageable memory, which may be gone or never have
 * been: the kernel looks, not we. */
bool fk_pageable(void *here, uint64_t there, uint64_t n, bool write) {
    void *remote = (void *)(uintptr_t)there;
    if (__asan_region_is_poisoned && __asan_region_is_poisoned(remote, n)) return false;
    const struct iovec mine = {here, n}, theirs = {remote, n};
    const ssize_t got = write ? process_vm_writev(getpid(), &mine, 1, &theirs, 1, 0)
                              : process_vm_readv(getpid(), &mine, 1, &theirs, 1, 0);
    if (got < 0 && errno != EFAULT) { /* not allowed on this system: no protection then */
        memcpy(write ? remote : here, write ? here : remote, n);
        return true;
    }
    return got >= 0 && (uint64_t)got == n;
}

static bool move_row(fk_command *c, uint8_t *to, const uint8_t *from, uint64_t n,
                     bool from_program) {
    const bool to_program = c->work.copy.to.pageable;
    bool ok = true;
    if (from_program && to_program) {
        uint8_t *between = ptx_grow(NULL, n);
        ok = fk_pageable(between, (uint64_t)(uintptr_t)from, n, false) &&
             fk_pageable(between, (uint64_t)(uintptr_t)to, n, true);
        free(between);
    } else if (from_program) {
        ok = fk_pageable(to, (uint64_t)(uintptr_t)from, n, false);
    } else if (to_program) {
        ok = fk_pageable((void *)(uintptr_t)from, (uint64_t)(uintptr_t)to, n, true);
    } else {
        memmove(to, from, n);
    }
    if (!ok) {
        fk_report("%s touches pageable memory that is gone or too short: what an asynchronous copy "
                  "reads must "
                  "stay until the copy has run",
                  c->what);
        fail(c, CUDA_ERROR_ILLEGAL_ADDRESS);
    }
    return ok;
}

static void carry_shadow(fk_command *c, fk_block *to, uint64_t at, fk_block *from, uint64_t off,
                         uint64_t n) {
    ptx_shadow *target = to ? to->extent.shadow : NULL;
    ptx_shadow *source = from ? from->extent.shadow : NULL;
    if (target && source) {
        ptx_shadow_copy(target, at, source, off, n);
    } else if (target) {
        ptx_shadow_mark(target, at, n);
    } else if (source) {
        const uint64_t hole = ptx_shadow_hole(source, off, n);
        if (hole < off + n) {
            fk_report("%s reads byte %llu of %s, which nothing has written", c->what,
                      (unsigned long long)hole, from->owner);
        }
    }
}

static bool copy_row(fk_command *c, uint64_t to, uint64_t from, const uint8_t *staged, uint64_t n) {
    fk_block *target, *source = NULL;
    uint8_t *t = bytes_at(c, &c->work.copy.to, to, n, &target);
    if (!t) return false;
    const uint8_t *s = staged ? staged : bytes_at(c, &c->work.copy.from, from, n, &source);
    if (!s) return false;
    if (!move_row(c, t, s, n, c->work.copy.from.pageable && !staged)) return false;
    carry_shadow(c, target, target ? to - target->extent.base : 0, source,
                 source ? from - source->extent.base : 0, n);
    if (!staged) add_range(c, from, n, PTX_READ);
    add_range(c, to, n, PTX_WRITE);
    return true;
}

static uint64_t row_address(const fk_side *side, uint64_t row, uint64_t plane) {
    return side->address + (plane * side->height + row) * side->pitch;
}

static void run_copy(fk_command *c) {
    const uint64_t width = c->work.copy.width, rows = c->work.copy.rows,
                   planes = c->work.copy.planes;
    const fk_side *to = &c->work.copy.to, *from = &c->work.copy.from;
    const uint8_t *staged = c->work.copy.staged;
    reserve_ranges(c, 2 * rows * planes);
    for (uint64_t plane = 0; plane < planes; plane++) {
        for (uint64_t row = 0; row < rows; row++) {
            const uint8_t *s = staged ? staged + (plane * rows + row) * width : NULL;
            if (!copy_row(c, row_address(to, row, plane), row_address(from, row, plane), s, width))
                return;
        }
    }
    c->end += copy_seconds + (double)width * (double)(rows * planes) / bus_rate;
}

static void fill_row(uint8_t *at, unsigned value, unsigned element, uint64_t n) {
    if (element == 1) {
        memset(at, (int)value, n);
        return;
    }
    for (uint64_t i = 0; i < n; i += element) memcpy(at + i, &value, element);
}

static void run_fill(fk_command *c) {
    const fk_side side = {.address = c->work.fill.to};
    const uint64_t n = c->work.fill.width * c->work.fill.element;
    reserve_ranges(c, c->work.fill.rows);
    for (uint64_t row = 0; row < c->work.fill.rows; row++) {
        fk_block *b;
        const uint64_t address = side.address + row * c->work.fill.pitch;
        uint8_t *at = bytes_at(c, &side, address, n, &b);
        if (!at) return;
        fill_row(at, c->work.fill.value, c->work.fill.element, n);
        if (b->extent.shadow) ptx_shadow_mark(b->extent.shadow, address - b->extent.base, n);
        add_range(c, address, n, PTX_WRITE);
    }
    c->end += copy_seconds + (double)n * (double)c->work.fill.rows / (bus_rate * 50);
}

/* ---- launches -------------------------------------------------------------------------------- */

static const ptx_extent *find_extent(void *user, uint64_t address) {
    const fk_context *ctx = user;
    const fk_block *b = fk_block_near(address);
    if (!b) return NULL;
    return b->place == FK_DEVICE && !fk_can_reach(ctx, b->device) &&
                   !(b->pool && fk_has(&b->pool->peers, ctx->device))
               ? &b->denied
               : &b->extent;
}

static void tell(void *user, const ptx_report *report) {
    (void)user;
    fk_report("%s", report->text);
}

/* What a kernel's end means to the driver; where nothing stands, it is a failed launch. */
static CUresult code_of(ptx_status status) {
    static const CUresult codes[] = {[PTX_ILLEGAL_ADDRESS] = CUDA_ERROR_ILLEGAL_ADDRESS,
                                     [PTX_MISALIGNED] = CUDA_ERROR_MISALIGNED_ADDRESS,
                                     [PTX_ASSERT] = CUDA_ERROR_ASSERT,
                                     [PTX_ILLEGAL_INSTRUCTION] = CUDA_ERROR_ILLEGAL_INSTRUCTION,
                                     [PTX_TIMEOUT] = CUDA_ERROR_LAUNCH_TIMEOUT,
                                     [PTX_INVALID_PC] = CUDA_ERROR_INVALID_PC};
    const CUresult code = status < sizeof codes / sizeof *codes ? codes[status] : CUDA_SUCCESS;
    return code ? code : CUDA_ERROR_LAUNCH_FAILED;
}

static void keep_ranges(fk_command *c, const ptx_result *result) {
    if (result->n_ranges) reserve_ranges(c, result->n_ranges);
    for (size_t i = 0; i < result->n_ranges; i++) {
        const ptx_range *r = &result->ranges[i];
        add_range(c, r->extent->base + r->begin, r->end - r->begin, r->access);
    }
}

static void run_kernel(fk_command *c) {
    const fk_work *w = &c->work;
    const fk_function *f = w->kernel.function;
    if (!w->ctx->heap) w->ctx->heap = ptx_heap_new(w->ctx->limits[CU_LIMIT_MALLOC_HEAP_SIZE]);
    const ptx_memory memory = {w->ctx, find_extent, w->ctx->heap};
    const ptx_sink sink = {.report = tell};
    ptx_launch_params launch = {.module = f->module->ptx,
                                .kernel = f->kernel,
                                .shared_dynamic = w->kernel.shared,
                                .params = w->kernel.params,
                                .param_bytes = w->kernel.bytes,
                                .cooperative = w->kernel.cooperative,
                                .seed = fk.config.seed ? fk.config.seed + c->seq : 0,
                                .host_threads = fk.config.threads,
                                .checks = fk.config.checks,
                                .count = fk.config.counters != NULL,
                                .memory = &memory,
                                .sink = &sink};
    memcpy(launch.grid, w->kernel.grid, sizeof launch.grid);
    memcpy(launch.block, w->kernel.block, sizeof launch.block);
    memcpy(launch.cluster, w->kernel.cluster, sizeof launch.cluster);
    ptx_counters counters = {0};
    ptx_result result = {0};
    const ptx_status status = ptx_launch(&launch, &counters, &result);
    if (status != PTX_OK) {
        if (result.reports == 0) fk_report("%s: %s", c->what, result.message);
        fail(c, code_of(status));
    }
    keep_ranges(c, &result);
    ptx_result_free(&result);
    if (fk.config.counters) fk_count_launch(f->kernel->name, &counters);
    const fk_profile *p = w->ctx->device->profile;
    c->end += launch_seconds + (double)counters.lane_instructions /
                                   (1e3 * (double)p->clock_khz * 128 * (double)p->multiprocessors);
}

/* ---- the host's own functions ---------------------------------------------------------------- */

/* The lock is open meanwhile: a callback may take as long as it likes, others go on. */
static void run_host(fk_command *c) {
    const fk_work w = c->work;
    const CUresult error = w.ctx->error;
    const double begin = fk_now();
    pthread_mutex_unlock(&fk.lock);
    const bool nested = fk_self.in_callback;
    fk_self.in_callback = true;
    if (w.kind == WORK_CALLBACK)
        w.host.callback(w.host.stream, error, w.host.user);
    else if (error == CUDA_SUCCESS)
        w.host.fn(w.host.user);
    fk_self.in_callback = nested;
    pthread_mutex_lock(&fk.lock);
    c->end += fk_now() - begin;
}

/* ---- memory of a stream ---------------------------------------------------------------------- */

static fk_block *block_of(const fk_work *w) {
    fk_block *b = fk_block_near(w->memory.address);
    return b && b->id == w->memory.id && !b->dead ? b : NULL;
}

static void run_alloc(fk_command *c) {
    fk_block *b = block_of(&c->work);
    if (b) {
        reserve_ranges(c, 1);
        if (b->recurring && b->unborn) fk_pool_took(fk.devices[b->device].graphs, b->rounded);
        fk_block_hide(b, false);
        add_range(c, b->extent.base, b->extent.size, PTX_WRITE);
    }
}

static void run_free(fk_command *c) {
    fk_block *b = block_of(&c->work);
    if (!b || b->unborn) {
        fk_report("%s: there is nothing to free", c->what);
        fail(c, CUDA_ERROR_ILLEGAL_ADDRESS);
        return;
    }
    reserve_ranges(c, 1);
    add_range(c, b->extent.base, b->extent.size, PTX_WRITE);
    if (!b->recurring) {
        fk_block_free(b);
        return;
    }
    fk_pool_gave(fk.devices[b->device].graphs, b->rounded);
    fk_block_hide(b, true);
    if (b->extent.shadow) ptx_shadow_forget(b->extent.shadow, 0, b->extent.size);
}

void fk_run_work(fk_command *c) {
    c->end = c->ready;
    done[c->work.kind]++;
    const bool host = c->work.kind == WORK_HOST || c->work.kind == WORK_CALLBACK;
    if (c->work.ctx->error != CUDA_SUCCESS) c->lost = c->work.ctx->error;
    if (c->lost != CUDA_SUCCESS && !host) {
        fail(c, c->lost);
        return;
    }
    switch (c->work.kind) {
    case WORK_KERNEL:
        if (!fk.config.null) run_kernel(c);
        break;
    case WORK_COPY: run_copy(c); break;
    case WORK_FILL: run_fill(c); break;
    case WORK_HOST:
    case WORK_CALLBACK: run_host(c); break;
    case WORK_ALLOC: run_alloc(c); break;
    case WORK_FREE: run_free(c); break;
    case WORK_RECORD:
    case WORK_WAIT: c->end += event_seconds; break;
    case WORK_EMPTY:
    case WORK_CHILD:
    case WORK_KINDS: break;
    }
}

/* ---- submission ------------------------------------------------------------------------------ */

void fk_describe(fk_command *c) {
    const fk_work *w = &c->work;
    char *at = c->what;
    const size_t n = sizeof c->what;
    switch (w->kind) {
    case WORK_KERNEL:
        snprintf(at, n, "kernel %.48s (#%llu)", w->kernel.function->kernel->name,
                 (unsigned long long)c->seq);
        break;
    case WORK_COPY: {
        const fk_block *to = fk_block_at(w->copy.to.address),
                       *from = fk_block_at(w->copy.from.address);
        snprintf(at, n, "copy %cto%c (#%llu)", from && from->place == FK_DEVICE ? 'D' : 'H',
                 to && to->place == FK_DEVICE ? 'D' : 'H', (unsigned long long)c->seq);
        break;
    }
    default: snprintf(at, n, "%s (#%llu)", kind_names[w->kind], (unsigned long long)c->seq); break;
    }
}

CUresult fk_submit(fk_stream *stream, fk_work *work) {
    work->ctx = work->ctx ? work->ctx : stream->ctx;
    if (stream->capture) return fk_capture_add(stream, work);
    if (stream->legacy) {
        const CUresult status = fk_capture_implicit(stream->ctx);
        if (status != CUDA_SUCCESS) {
            fk_work_free(work);
            return status;
        }
    }
    fk_enqueue(stream, work, NULL, 0, false);
    return CUDA_SUCCESS;
}
