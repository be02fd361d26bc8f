/* test_emit_kernels.c - compiled kernels do what the interpreter does: whole kernels, and memory of
 * every dtype and width. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/jit_check.h"

/* ---- the seven kernels */

static char *read_text(const char *path) {
    const char *root = getenv("BRAZE_SRC");
    bz_text name = {0};
    bz_textf(&name, "%s/%s", root ? root : ".", path);
    FILE *f = fopen(name.p, "rb");
    cr_assert(f, "%s", name.p);
    bz_text_free(&name);
    char *text = calloc(1, 1 << 16);
    cr_assert(fread(text, 1, (1 << 16) - 1, f) > 0);
    fclose(f);
    return text;
}

static void check_file(const char *path, jit_case c) {
    char *text = read_text(path);
    c.text = text;
    jit_check(&c);
    free(text);
}

Test(emit_kernels, gemm) {
    check_file(
        "tests/kernels/gemm.loop",
        (jit_case){.sizes = {13 * 70, 70 * 19, 19, 13 * 19, 3 * 8 * 70}, .extents = {13, 19, 70}});
    check_file("tests/kernels/gemm.loop",
               (jit_case){.sizes = {4, 8, 8, 32, 8}, .extents = {4, 8, 1}});
}
Test(emit_kernels, softmax) {
    check_file("tests/kernels/softmax.loop",
               (jit_case){.sizes = {5 * 27, 5 * 27}, .extents = {5, 27}});
    check_file("tests/kernels/softmax.loop", (jit_case){.sizes = {16, 16}, .extents = {2, 8}});
}
Test(emit_kernels, attention) {
    for (int64_t causal = 0; causal < 2; causal++)
        check_file("tests/kernels/attention.loop",
                   (jit_case){.sizes = {6 * 20, 9 * 20, 9 * 20, 6 * 20},
                              .extents = {6, 9, 20},
                              .scalars = {0x3E800000, (ir_bits)causal}});
}
Test(emit_kernels, conv) {
    check_file("tests/kernels/conv.loop",
               (jit_case){.sizes = {7 * 5 * 3, 9 * 3 * 11, 7 * 5 * 11}, .extents = {7, 5, 3, 11}});
}
Test(emit_kernels, scan) {
    check_file("tests/kernels/scan.loop", (jit_case){.sizes = {100, 100, 7}, .extents = {100}});
    check_file("tests/kernels/scan.loop", (jit_case){.sizes = {16, 16, 1}, .extents = {16}});
}
Test(emit_kernels, sort) {
    check_file("tests/kernels/sort.loop",
               (jit_case){.sizes = {4 * 33, 4 * 33, 4 * 33}, .extents = {4, 33}, .specials = true});
}
Test(emit_kernels, gather_reports_the_lowest_bad_index) {
    check_file("tests/kernels/gather.loop",
               (jit_case){.sizes = {20 * 13, 50, 50 * 13}, .extents = {20, 50, 13}});
}

/* ---- masked memory of every dtype and width */

static const unsigned widths[] = {1, 3, 4, 8, 16, 32, 64, 128};

/* In the body @ stands for the type, %on is a random mask, %tail one of the lanes below %left: none
 * in the first task, two thirds in the second. %where are indices 0 .. 15, %at a place in y. */
static void check_masked(const char *body, bz_dtype t, unsigned lanes) {
    bz_text text = {0};
    char type[32], mask[32], index[32], index32[32];
    const char *name = ir_dtypes[t].name;
    snprintf(type, sizeof type, lanes > 1 ? "%sx%u" : "%s", name, lanes);
    snprintf(mask, sizeof mask, lanes > 1 ? "boolx%u" : "bool", lanes);
    snprintf(index, sizeof index, lanes > 1 ? "i64x%u" : "i64", lanes);
    snprintf(index32, sizeof index32, lanes > 1 ? "i32x%u" : "i32", lanes);
    bz_textf(&text,
             "kernel k(x: %s in, y: %s inout, m: bool in, ix: i32 in; most) {\n"
             "  %%x = buffer x\n"
             "  %%y = buffer y\n"
             "  %%m = buffer m\n"
             "  %%ix = buffer ix\n"
             "  %%most = extent most\n"
             "  %%id: %s = laneid\n"
             "  %%p = loop parallel 0, 2 {\n"
             "    %%left = mul %%p, %%most\n"
             "    %%on: %s = load %%m[%%p]\n"
             "    %%ixs: %s = load %%ix[%%p]\n",
             name, name, index, mask, index32);
    if (lanes > 1)
        bz_textf(&text,
                 "    %%vl: %s = splat %%left\n"
                 "    %%tail = lt %%id, %%vl\n",
                 index);
    else
        bz_textf(&text, "    %%tail = lt 0, %%left\n");
    bz_textf(&text,
             "    %%c15: %s = const 15\n"
             "    %%where = bitwise_and %%ixs, %%c15\n"
             "    %%at = mul %%p, 300\n",
             index32);
    for (const char *s = body; *s; s++) {
        if (*s == '@')
            bz_text_str(&text, type);
        else
            bz_text_add(&text, s, 1);
    }
    bz_text_str(&text, "  }\n"
                       "}\n");
    jit_check(&(jit_case){.text = text.p,
                          .sizes = {600, 600, 600, 600},
                          .extents = {lanes * 2 / 3},
                          .specials = true});
    bz_text_free(&text);
}

static void check_masked_all(const char *body) {
    for (unsigned t = 0; t < BZ_NDTYPES && !ir_is_complex((bz_dtype)t); t++) /* which are the last ones */
        for (unsigned w = 0; w < BZ_LEN(widths); w++) check_masked(body, (bz_dtype)t, widths[w]);
}

Test(emit_memory, masked_loads_and_stores) {
    check_masked_all("    %v: @ = load %x[%at] mask %tail\n"
                     "    store %y[%at], %v mask %on\n"
                     "    %w: @ = load %x[%p] mask %on\n"
                     "    %at2 = add %at, 150\n"
                     "    store %y[%at2], %w mask %tail\n");
}
Test(emit_memory, gathers) {
    check_masked_all("    %v: @ = gather %x[%where]\n"
                     "    store %y[%at], %v\n"
                     "    %w: @ = gather %x[%where] mask %on\n"
                     "    %at2 = add %at, 150\n"
                     "    store %y[%at2], %w\n");
}
Test(emit_memory, scatters) {
    check_masked_all("    %py = offset %y[%at]\n"
                     "    %v: @ = load %x[%p]\n"
                     "    scatter %py[%where], %v\n"
                     "    %qy = offset %py[100]\n"
                     "    scatter %qy[%where], %v mask %on\n");
}
Test(emit_memory, compress) {
    check_masked_all("    %v: @ = load %x[%p]\n"
                     "    compress %y[%at], %v mask %on\n"
                     "    %at2 = add %at, 150\n"
                     "    compress %y[%at2], %v mask %tail\n");
}
