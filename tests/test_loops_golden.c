/* test_loops_golden.c - the printer and the cleaner beside tests/golden/loops: each kernel as
 * printed (NAME.print) and cleaned (NAME.clean), and small kernels for one rule of the cleaner
 * each. BRAZE_GOLDEN=update rewrites the files. */
#include "tests/support/loops.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void expect_golden(const char *name, const char *ending, const char *got) {
    char path[256], full[512];
    snprintf(path, sizeof path, "tests/golden/loops/%s.%s", name, ending);
    const char *mode = getenv("BRAZE_GOLDEN"), *root = getenv("BRAZE_SRC");
    if (mode && strcmp(mode, "update") == 0) {
        snprintf(full, sizeof full, "%s/%s", root ? root : ".", path);
        FILE *f = fopen(full, "wb");
        cr_assert(f && fputs(got, f) >= 0 && fclose(f) == 0, "%s cannot be written", full);
        return;
    }
    char *want = loops_read(path);
    cr_assert_str_eq(got, want, "%s differs", path);
    free(want);
}

static void check_kernel(const char *name) {
    lp_module *m = loops_load(name);
    const lp_kernel *k = m->k.p[m->k.n - 1];
    bz_text t = {0}, u = {0};
    lp_print_module(&t, m);
    expect_golden(name, "print", bz_text_c(&t));
    lp_kernel *clean = lp_clean(k), *again = lp_clean(clean);
    lp_print(&u, clean, m);
    expect_golden(name, "clean", bz_text_c(&u));
    cr_assert(loops_same(clean, again), "%s: cleaning twice changes it", name);
    bz_text_free(&t), bz_text_free(&u);
    lp_kernel_free(clean), lp_kernel_free(again);
    lp_module_free(m);
}

Test(loops_golden, kernels) {
    static const char *const names[] = {"gemm", "gemm_gpu", "softmax", "softmax_gpu", "attention",
                                        "scan", "sort",     "conv",    "gather",      "ops"};
    for (size_t i = 0; i < BZ_LEN(names); i++) check_kernel(names[i]);
}

/* ---- one rule each: the body before, the whole kernel after */

typedef struct rule {
    const char *name, *body, *want;
} rule;

static const rule rules[] = {
    {"a pure value leaves all loops",
     "%l = loop parallel 0, %n { %m = loop serial 0, %n { %a = mul %n, %n %b = add %a, %m %v = "
     "load %x[%b] store %y[%b], %v } }",
     "  %1: *f32 = buffer x\n  %2: *f32 = buffer y\n  %3: i64 = extent n\n  %4: i64 = const 0\n  "
     "%5: i64 = mul %3, %3\n"
     "  %6 = loop parallel %4, %3 {\n    %7 = loop serial %4, %3 {\n      %8: i64 = add %5, %7\n   "
     "   %9: f32 = load %1[%8]\n"
     "      store %2[%8], %9\n    }\n  }\n"},
    {"a load leaves a loop that surely runs, but not the phase",
     "%l = loop parallel 0, %n { %m = loop serial 0, 4 { %v = load %x[3] store %y[%m], %v } }",
     "  %1: *f32 = buffer x\n  %2: *f32 = buffer y\n  %3: i64 = extent n\n  %4: i64 = const 0\n  "
     "%5: i64 = const 4\n"
     "  %6: i64 = const 3\n  %7 = loop parallel %4, %3 {\n    %8: f32 = load %1[%6]\n    %9 = loop "
     "serial %4, %5 {\n"
     "      store %2[%9], %8\n    }\n  }\n"},
    {"a load stays in a loop that may not run",
     "%l = loop parallel 0, %n { %m = loop serial 0, %n { %v = load %x[3] store %y[%m], %v } }",
     "  %1: *f32 = buffer x\n  %2: *f32 = buffer y\n  %3: i64 = extent n\n  %4: i64 = const 0\n  "
     "%5: i64 = const 3\n"
     "  %6 = loop parallel %4, %3 {\n    %7 = loop serial %4, %3 {\n      %8: f32 = load %1[%5]\n  "
     "    store %2[%7], %8\n"
     "    }\n  }\n"},
    {"a load stays in a loop that never runs",
     "%l = loop parallel 0, %n { %m = loop serial 4, 4 { %v = load %x[3] store %y[%m], %v } }",
     "    %8 = loop serial %5, %5 {\n      %9: f32 = load %1[%6]\n"},
    {"a load of what is written stays",
     "%l = loop parallel 0, %n { %m = loop serial 0, 4 { %v = load %y[3] store %y[%m], %v } }",
     "      %8: f32 = load %1[%5]\n      store %1[%7], %8\n"},
    {"what is used only in a branch stays there, unless it leaves a loop",
     "%l = loop parallel 0, %n { %c = lt %l, 3 if %c { %a = mul %l, %l %b = mul %n, %n %d = add "
     "%a, %b store %y[%d], 1.0 } }",
     "  %1: *f32 = buffer y\n  %2: i64 = extent n\n  %3: i64 = const 0\n  %4: i64 = const 3\n  %5: "
     "i64 = mul %2, %2\n"
     "  %6: f32 = const 1.0\n  %7 = loop parallel %3, %2 {\n    %8: bool = lt %7, %4\n    %9 = if "
     "%8 {\n"
     "      %10: i64 = mul %7, %7\n      %11: i64 = add %10, %5\n      store %1[%11], %6\n    }\n  "
     "}\n"},
    {"what nothing uses goes, with its loops and branches",
     "%l = loop parallel 0, %n { %m = loop serial 0, %n (%n) { %c = carry %m [0] %k = add %c, %m "
     "yield %k } "
     "%r: i64 = result %m [0] %t = lt %r, 0 if %t { %w = load %x[0] } }",
     "  %1: i64 = extent n\n  %2: i64 = const 0\n  %3 = loop parallel %2, %1 {\n  }\n"},
    {"a carried value that nothing uses goes",
     "%l = loop parallel 0, %n { %m = loop serial 0, %n (%n, %l) { %c = carry %m [0] %d = carry %m "
     "[1] "
     "%k = add %c, %d %k2 = mul %d, %d yield %k, %k2 } %r: i64 = result %m [1] store %y[%r], 1.0 }",
     "  %1: *f32 = buffer y\n  %2: i64 = extent n\n  %3: i64 = const 0\n  %4: f32 = const 1.0\n  "
     "%5 = loop parallel %3, %2 {\n"
     "    %6 = loop serial %3, %2 (%5) {\n      %7: i64 = carry %6 [0]\n      %8: i64 = mul %7, "
     "%7\n      yield %8\n    }\n"
     "    %11: i64 = result %6 [0]\n    store %1[%11], %4\n  }\n"},
    {"sites stay",
     "%l = loop parallel 0, %n { %m = loop serial 0, %n { %a = mul %n, %n @7 store %y[%a], 1.0 @8 "
     "} }",
     "  %4: i64 = mul %2, %2 @7\n"},
};

Test(loops_golden, rules_of_the_cleaner) {
    for (size_t i = 0; i < BZ_LEN(rules); i++) {
        bz_text t = {0}, u = {0};
        bz_textf(&t,
                 "kernel k(x: f32 in, y: f32 out; n) {\n%%x = buffer x %%y = buffer y %%n = extent "
                 "n\n%s\n}",
                 rules[i].body);
        lp_module *m = loops_parse(bz_text_c(&t));
        lp_kernel *clean = lp_clean(m->k.p[0]);
        lp_print(&u, clean, m);
        cr_assert(strstr(bz_text_c(&u), rules[i].want), "%s: %s\nnot %s", rules[i].name,
                  bz_text_c(&u), rules[i].want);
        bz_text_free(&t), bz_text_free(&u);
        lp_kernel_free(clean), lp_module_free(m);
    }
}
