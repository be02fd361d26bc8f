/* test_kit.h - a module, some buffers and a launch in a few words, for the interpreter's own tests.
 */
#ifndef TEST_KIT_H
#define TEST_KIT_H

#include "ptxrun.h"

#include <criterion/criterion.h>
#include <string.h>

#define PTX_HEAD ".version 8.0\n.target sm_80\n.address_size 64\n"
/* A kernel k(p, n) with the usual registers; %p, %t (thread), %b (block), %n are set. */
#define KERNEL(body)                                                                               \
    PTX_HEAD ".visible .entry k(.param .u64 a, .param .u32 c) {\n.reg .pred %q<8>;\n.reg .b32 "    \
             "%r<16>, %t, %b, %n;\n"                                                               \
             ".reg .b64 %d<16>, %p;\n.reg .f32 %f<8>;\n.shared .align 16 .b8 s[4096];\n"           \
             "ld.param.u64 %p, [a];\nld.param.u32 %n, [c];\nmov.u32 %t, %tid.x;\nmov.u32 %b, "     \
             "%ctaid.x;\n" body "\nret;\n}\n"

enum { KIT_REPORTS = 32 };

typedef struct {
    run_memory memory;
    ptx_module *module;
    ptx_extent *buffer;
    ptx_heap *heap;
    ptx_launch_params p;
    ptx_counters count;
    ptx_status status;
    ptx_report_kind kinds[KIT_REPORTS];
    ptx_report first; /* its strings are copied below */
    char text[512], message[512], printed[512];
    unsigned reports;
    uint32_t args[4];
} kit;

static inline void kit_report(void *ctx, const ptx_report *r) {
    kit *k = ctx;
    if (!k->reports) {
        k->first = *r;
        snprintf(k->text, sizeof k->text, "%s", r->text);
    }
    if (k->reports < KIT_REPORTS) k->kinds[k->reports] = r->kind;
    k->reports++;
}

static inline void kit_print(void *ctx, const char *text, size_t n) {
    kit *k = ctx;
    size_t have = strlen(k->printed);
    snprintf(k->printed + have, sizeof k->printed - have, "%.*s", (int)n, text);
}

static inline ptx_module *kit_load(const char *text, char *log, size_t cap) {
    ptx_log l = {log, cap, 0, 0};
    ptx_target target = {.sm = 90, .multiprocessors = 8};
    return ptx_load(text, strlen(text), &target, &l);
}

/* Loads `text`, gives its first kernel (a, c) a buffer of `words` zeros (unwritten if `fresh`) and
 * `n`. */
static inline kit *kit_new(const char *text, unsigned words, uint32_t n, bool fresh) {
    kit *k = calloc(1, sizeof *k);
    char log[1024] = "";
    k->module = kit_load(text, log, sizeof log);
    cr_assert(k->module, "%s", log);
    k->buffer = memory_new(&k->memory, words * 4, 256, "the buffer");
    memset(k->buffer->host, 0, words * 4);
    if (!fresh) ptx_shadow_mark(k->buffer->shadow, 0, words * 4);
    cr_assert(memory_place(&k->memory, k->module));
    memcpy(k->args, &k->buffer->base, 8);
    k->args[2] = n;
    k->p = (ptx_launch_params){.module = k->module,
                               .kernel = ptx_kernel_at(k->module, 0),
                               .grid = {1, 1, 1},
                               .block = {32, 1, 1},
                               .params = k->args,
                               .param_bytes = 12,
                               .checks = PTX_CHECK_ALL};
    return k;
}

static inline ptx_status kit_run(kit *k, unsigned blocks, unsigned threads) {
    if (!k->heap) k->heap = ptx_heap_new(1024);
    ptx_memory memory = {&k->memory, memory_find, k->heap};
    ptx_sink sink = {k, kit_report, kit_print};
    ptx_result r;
    k->reports = 0;
    k->printed[0] = 0;
    memset(&k->count, 0, sizeof k->count);
    k->p.grid[0] = blocks;
    k->p.block[0] = threads;
    k->p.memory = &memory;
    k->p.sink = &sink;
    k->status = ptx_launch(&k->p, &k->count, &r);
    snprintf(k->message, sizeof k->message, "%s", r.message);
    ptx_result_free(&r);
    return k->status;
}

static inline uint32_t kit_word(const kit *k, unsigned i) {
    uint32_t v;
    memcpy(&v, k->buffer->host + 4 * i, 4);
    return v;
}

static inline bool kit_found(const kit *k, ptx_report_kind kind) {
    for (unsigned i = 0; i < k->reports && i < KIT_REPORTS; i++)
        if (k->kinds[i] == kind) return true;
    return false;
}

static inline void kit_free(kit *k) {
    memory_drop(&k->memory);
    ptx_heap_free(k->heap);
    ptx_unload(k->module);
    free(k);
}

/* Runs under five seeds and expects no finding. */
static inline void kit_clean(kit *k, unsigned blocks, unsigned threads) {
    for (uint64_t seed = 0; seed < 5; seed++) {
        k->p.seed = seed;
        cr_expect_eq(kit_run(k, blocks, threads), PTX_OK, "seed %u: %s", (unsigned)seed,
                     k->message);
        cr_expect_eq(k->reports, 0, "seed %u: %s", (unsigned)seed, k->text);
    }
}

/* Runs and expects a finding of this kind. */
static inline void kit_expect(kit *k, unsigned blocks, unsigned threads, ptx_report_kind kind) {
    kit_run(k, blocks, threads);
    cr_expect(kit_found(k, kind), "expected '%s', got %u reports: %s", ptx_report_name(kind),
              k->reports, k->reports ? k->text : "none");
}

#endif
