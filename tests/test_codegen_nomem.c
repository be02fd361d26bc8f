/* test_codegen_nomem.c - the n-th allocation of the plug-in fails, for every n: src/codegen/llvm_*.c and its own copy of src/ir.
 * Each call gives BZ_ENOMEM and nothing else, leaks nothing (AddressSanitizer looks), and the next one gives the same bytes as ever.
 * What LLVM itself allocates is not ours: it ends the process when memory is out (docs/memory.md). */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "src/codegen/plugin.h"
#include "tests/support/irtest.h"
#include "tests/support/jit_check.h"
#include "tests/support/rt_support.h"

static const cg_plugin *plugin(void) {
    bz_error e = {0};
    cg_plugin_entry *entry;
    cr_assert(getenv("BRAZE_LLVM"), "set it to the plug-in");
    cr_assert_eq(cg_open(&e), BZ_OK, "%s", e.text);
    void *handle = dlopen(getenv("BRAZE_LLVM"), RTLD_NOW | RTLD_NOLOAD);
    cr_assert(handle);
    *(void **)&entry = dlsym(handle, CG_PLUGIN_ENTRY);
    cr_assert(entry);
    dlclose(handle); /* it stays: the first handle is never closed */
    return entry();
}

/* One call of the plug-in; what it makes. */
typedef bz_status call(const cg_plugin *p, const void *what, cg_object out[2], bz_error *e);

static void free_objects(const cg_plugin *p, cg_object o[2]) {
    for (int i = 0; i < 2; i++) p->release(o[i].bytes);
    memset(o, 0, 2 * sizeof *o);
}

static bool same(const cg_object *a, const cg_object *b) {
    return a->n == b->n && (!a->n || !memcmp(a->bytes, b->bytes, a->n));
}

/* The call succeeds as it did the first time. */
static void expect_again(const char *name, const cg_plugin *p, call *f, const void *what,
                         const cg_object *want) {
    cg_object o[2] = {{0}};
    bz_error e = {0};
    cr_assert_eq(f(p, what, o, &e), BZ_OK, "%s: %s", name, e.text);
    for (int i = 0; i < 2; i++)
        cr_assert(same(&o[i], &want[i]), "%s: other bytes after a failure", name);
    free_objects(p, o);
}

/* Allocation 0, 1, 2 ... fails until the call succeeds. The first of all calls in a process is one that fails. */
static long fail_everywhere(const char *name, call *f, const void *what) {
    const cg_plugin *p = plugin();
    cg_object want[2] = {{0}};
    bz_error e = {0};
    long n = 0;
    for (bz_status s = BZ_ENOMEM; s; n++) {
        cg_object o[2] = {{0}};
        e = (bz_error){0};
        p->fail_after(n);
        s = f(p, what, o, &e);
        p->fail_after(-1);
        cr_assert(s == BZ_OK || (s == BZ_ENOMEM && e.status == s && strstr(e.text, "memory")),
                  "%s, %ld: %d %s", name, n, (int)s, e.text);
        cr_assert(!s || (!o[0].bytes && !o[1].bytes), "%s, %ld: half a result", name, n);
        free_objects(p, o);
        e = (bz_error){0};
        if (n == 0) cr_assert_eq(f(p, what, want, &e), BZ_OK, "%s: %s", name, e.text);
        if (n % 8 == 0 || !s) expect_again(name, p, f, what, want);
        cr_assert(n < 10000);
    }
    free_objects(p, want);
    return n - 1;
}

/* ---- the three calls */

typedef struct kernels {
    const lp_module *m;
    cg_target t;
} kernels;

static bz_status compile(const cg_plugin *p, const void *what, cg_object o[2], bz_error *e) {
    const kernels *k = what;
    return p->compile(k->m, &k->t, &o[0], e);
}

static bz_status text(const cg_plugin *p, const void *what, cg_object o[2], bz_error *e) {
    const kernels *k = what;
    bz_status s = p->text(k->m, &k->t, &o[0], &o[1], e);
    if (s) free_objects(p, o); /* both texts are the caller's, the first may be there */
    return s;
}

static bz_status export(const cg_plugin *p, const void *what, cg_object o[2], bz_error *e) {
    return p->export(what, &o[0], e);
}

/* ---- all kernels of tests/kernels that run on a CPU */

static void try_file(const char *path) {
    size_t bytes;
    char *source = irt_read(path, &bytes);
    cr_assert(source, "%s", path);
    lp_module *m = jit_parse(source);
    for (int isa = 0; isa < CG_NISAS; isa++) {
        kernels k = {m, {.isa = (cg_isa)isa}};
        cr_expect_gt(fail_everywhere(path, compile, &k), 2L, "%s", path);
        cr_expect_gt(fail_everywhere(path, text, &k), 4L, "%s", path);
    }
    lp_module_free(m);
    bz_mem_free(source);
}

#define KERNEL(name)                                                                               \
    Test(codegen_nomem, name, .timeout = 300) {                                                    \
        try_file("tests/kernels/" #name ".loop");                                                  \
    }
KERNEL(attention)
KERNEL(conv)
KERNEL(gather)
KERNEL(gemm)
KERNEL(scan)
KERNEL(softmax)
KERNEL(sort)

/* ---- an exported unit: variants, relocated data, entries */

Test(codegen_nomem, exported_unit) {
    static const float numbers[4] = {1, 2, 3, 4};
    static const uint64_t zeros[4];
    const cg_reloc relocs[] = {{0, "numbers", 4}, {8, "scale.0_v3", 0}, {24, "outside", 0}};
    const cg_data data[] = {
        {.name = "numbers", .bytes = numbers, .size = sizeof numbers},
        {.name = "plan", .bytes = zeros, .size = sizeof zeros, .relocs = relocs, .nrelocs = 3},
        {.name = "room", .size = 64, .flags = CG_ZERO | CG_WRITABLE}};
    const cg_entry entry = {"run", "call", "plan", 2, CG_GLOBAL};
    lp_module *m = jit_parse("kernel scale(x: f32 in, y: f32 out; n; a: f32) {\n"
                             "  %x = buffer x\n"
                             "  %y = buffer y\n"
                             "  %n = extent n\n"
                             "  %a = scalar a\n"
                             "  %p = loop parallel 0, %n {\n"
                             "    %v = load %x[%p]\n"
                             "    %e = sqrt %v\n"
                             "    %w = mul %e, %a\n"
                             "    store %y[%p], %w\n"
                             "  }\n"
                             "}\n");
    const cg_variant v[] = {{{.isa = CG_V3, .suffix = "_v3"}, m},
                            {{.isa = CG_V4, .suffix = "_v4"}, m}};
    const cg_export_unit u = {.name = "unit",
                              .variants = v,
                              .nvariants = 2,
                              .data = data,
                              .ndata = BZ_LEN(data),
                              .entries = &entry,
                              .nentries = 1};
    cr_expect_gt(fail_everywhere("unit", export, &u), 8L);
    lp_module_free(m);
}

/* ---- through the API: a status and words, and the same context compiles afterwards */

static bz_status work(bz_context *c, double *result) {
    float v = 0;
    if (bz_scope_begin(c)) return bz_context_status(c);
    bz_tensor *x = bz_reshape(bz_arange(c, 0, 12, 1, BZ_F32), BZ_SHAPE(3, 4));
    bz_tensor *y = bz_matmul(bz_softmax(x, -1), bz_tanh(bz_transpose(x, 0, 1)));
    bz_status s = bz_to_host(bz_sum(y, NULL, 0, false), &v, sizeof v);
    bz_scope_end(c);
    *result = (double)v;
    return s;
}

Test(codegen_nomem, a_context_survives) {
    const cg_plugin *p = plugin();
    bz_context *c = open_one(BZ_CPU), *ref = open_one(BZ_REF);
    bz_status s = BZ_ENOMEM;
    double want, got;
    long n = 0;
    cr_assert_eq(work(ref, &want), BZ_OK);
    for (; s; n++) {
        p->fail_after(n);
        s = work(c, &got);
        p->fail_after(-1);
        cr_assert(s == BZ_OK || (s == BZ_ENOMEM && strstr(bz_message(c), "memory")), "%ld: %d %s",
                  n, (int)s, bz_message(c));
        bz_clear(c);
    }
    cr_expect_gt(n, 3L);
    cr_expect_eq(got, want);
    cr_expect(!work(c, &got) && got == want, "%s", bz_message(c));
    bz_close(c);
    bz_close(ref);
}
