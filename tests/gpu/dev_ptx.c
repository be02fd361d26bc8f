/* dev_ptx.c - the interpreter as a device of the GPU tests.
 *
 * Every allocation is exactly as long as asked for, behind it lies unmapped space: the first byte
 * too far is a fault. Fresh memory counts as unwritten until the host or a kernel writes it. */
#include "dev.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../ptx/ptx.h"

enum { MAX_EXTENTS = 32, GAP = 4096 };
#define FIRST_ADDRESS 0x7f1000000000u

typedef struct {
    dev base;
    ptx_module *module;
    ptx_extent extents[MAX_EXTENTS];
    unsigned n_extents;
    uint64_t next;
} dev_ptx;

static dev_ptx *self(dev *d) {
    return (dev_ptx *)d;
}

static const ptx_extent *find(void *ctx, uint64_t address) {
    const dev_ptx *p = ctx;
    for (unsigned i = p->n_extents; i-- > 0;)
        if (address >= p->extents[i].base)
            return &p->extents[i]; /* addresses grow: the holder, or the nearest below */
    return NULL;
}

static void note(dev *d, const char *text) {
    if (d->why[0] == '\0') snprintf(d->why, sizeof d->why, "%s", text);
}

static void on_report(void *ctx, const ptx_report *report) {
    note(ctx, report->text);
}

static void on_print(void *ctx, const char *text, size_t len) {
    (void)ctx;
    fwrite(text, 1, len, stdout);
}

static int alloc(dev *d, size_t size, uint64_t *address) {
    dev_ptx *p = self(d);
    if (size == 0 || p->n_extents == MAX_EXTENTS) return 1;
    ptx_extent *e = &p->extents[p->n_extents];
    uint8_t *host = aligned_alloc(256, (size + 255) / 256 * 256);
    ptx_shadow *shadow = ptx_shadow_new(size);
    if (!host || !shadow) {
        free(host);
        ptx_shadow_free(shadow);
        return 2;
    }
    memset(host, 0xa5, size);
    *e = (ptx_extent){
        .base = p->next, .size = size, .host = host, .shadow = shadow, .owner = "test buffer"};
    p->n_extents++;
    p->next += (size + GAP + 255) / 256 * 256;
    *address = e->base;
    return 0;
}

static ptx_extent *holder(dev *d, uint64_t address, size_t size) {
    dev_ptx *p = self(d);
    for (unsigned i = 0; i < p->n_extents; i++) {
        ptx_extent *e = &p->extents[i];
        if (address >= e->base && size <= e->size && address - e->base <= e->size - size) return e;
    }
    return NULL;
}

static int write_bytes(dev *d, uint64_t to, const void *from, size_t size) {
    ptx_extent *e = holder(d, to, size);
    if (!e) return 1;
    memcpy(e->host + (to - e->base), from, size);
    ptx_shadow_mark(e->shadow, to - e->base, size);
    return 0;
}

static int read_bytes(dev *d, void *to, uint64_t from, size_t size) {
    const ptx_extent *e = holder(d, from, size);
    if (!e) return 1;
    memcpy(to, e->host + (from - e->base), size);
    return 0;
}

static bool place_global(void *ctx, const ptx_global *global, uint64_t *address) {
    return alloc(ctx, global->size, address) == 0;
}

static bool fill_global(void *ctx, const ptx_global *global, const void *bytes) {
    return write_bytes(ctx, global->address, bytes, global->size) == 0;
}

static int load(dev *d, const char *ptx, size_t len) {
    dev_ptx *p = self(d);
    ptx_target target = {.sm = d->sm, .multiprocessors = 8};
    ptx_log log = {.text = d->why, .cap = sizeof d->why};
    ptx_placer placer = {d, place_global, fill_global};
    ptx_unload(p->module);
    p->module = ptx_load(ptx, len, &target, &log);
    if (!p->module) return 218; /* CUDA_ERROR_INVALID_PTX */
    d->why[0] = '\0';
    return ptx_place(p->module, &placer) ? 0 : 2;
}

static int status_code(ptx_status status) {
    switch (status) {
    case PTX_OK: return 0;
    case PTX_ILLEGAL_ADDRESS: return 700;
    case PTX_MISALIGNED: return 716;
    case PTX_TRAP: return 719;
    case PTX_ASSERT: return 710;
    case PTX_ILLEGAL_INSTRUCTION: return 715;
    case PTX_TIMEOUT: return 702;
    case PTX_STACK_OVERFLOW: return 719;
    case PTX_INVALID_PC: return 718;
    case PTX_INVALID: return 1;
    case PTX_NO_MEMORY: return 2;
    }
    return 999;
}

/* The parameter block of `kernel`; false when the arguments do not fit its declaration. */
static bool pack(const ptx_kernel *kernel, const dev_launch *l, uint8_t *block, size_t cap) {
    if (kernel->n_params != l->n_args || kernel->param_bytes > cap) return false;
    memset(block, 0, cap);
    for (unsigned i = 0; i < l->n_args; i++) {
        if (kernel->params[i].size != l->args[i].size) return false;
        memcpy(block + kernel->params[i].offset, l->args[i].bytes, l->args[i].size);
    }
    return true;
}

static int launch(dev *d, const dev_launch *l) {
    dev_ptx *p = self(d);
    uint8_t block[512];
    const ptx_kernel *kernel = p->module ? ptx_kernel_find(p->module, l->kernel) : NULL;
    if (!kernel || !pack(kernel, l, block, sizeof block)) {
        note(d, kernel ? "the arguments do not fit the kernel" : "no such kernel");
        return kernel ? 1 : 500;
    }
    const ptx_memory memory = {p, find, NULL};
    const ptx_sink sink = {d, on_report, on_print};
    const ptx_launch_params params = {
        .module = p->module,
        .kernel = kernel,
        .grid = {l->grid[0], l->grid[1], l->grid[2]},
        .block = {l->block[0], l->block[1], l->block[2]},
        .shared_dynamic = l->shared,
        .params = block,
        .param_bytes = kernel->param_bytes,
        .cooperative = l->cooperative,
        .seed = l->seed,
        .host_threads = 1,
        .checks = PTX_CHECK_ALL & ~(unsigned)PTX_CHECK_SETS,
        .count = l->count,
        .instruction_limit = l->limit,
        .memory = &memory,
        .sink = &sink,
    };
    ptx_result result = {.status = PTX_OK};
    ptx_counters counters = {0};
    ptx_status status = ptx_launch(&params, &counters, &result);
    d->conflicts += counters.shared_wavefronts - counters.shared_wavefronts_ideal;
    d->reports += result.reports;
    if (status != PTX_OK) note(d, result.message);
    ptx_result_free(&result);
    return status_code(status);
}

static int encode(dev *d, const dev_map *map, void *to) {
    const ptx_tensor_map m = {.magic = PTX_TENSOR_MAGIC,
                              .rank = 2,
                              .element = (uint8_t)map->element,
                              .swizzle = (uint8_t)map->swizzle,
                              .address = map->address,
                              .stride = {map->stride},
                              .dim = {map->dim[0], map->dim[1]},
                              .box = {(uint16_t)map->box[0], (uint16_t)map->box[1]}};
    (void)d;
    memset(to, 0, DEV_MAP_BYTES);
    memcpy(to, &m, sizeof m);
    return 0;
}

static void reset(dev *d) {
    dev_ptx *p = self(d);
    ptx_unload(p->module);
    for (unsigned i = 0; i < p->n_extents; i++) {
        free(p->extents[i].host);
        ptx_shadow_free(p->extents[i].shadow);
    }
    p->module = NULL;
    p->n_extents = 0;
    p->next = FIRST_ADDRESS;
    d->reports = 0;
    d->conflicts = 0;
    d->why[0] = '\0';
}

static void close_ptx(dev *d) {
    reset(d);
    free(d);
}

static const dev_ops ops = {load, alloc, write_bytes, read_bytes, launch, encode, reset, close_ptx};

dev *dev_open_ptx(unsigned sm) {
    dev_ptx *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->base.ops = &ops;
    p->base.sm = sm;
    p->next = FIRST_ADDRESS;
    return &p->base;
}
