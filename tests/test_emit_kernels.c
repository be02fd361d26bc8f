/* test_emit_kernels.c - compiled kernels do what the interpreter does: memory, control flow, calls, errors, whole kernels.
 *
 * A case is a text, the sizes of its buffers and its extents. It runs in lp_run and, compiled for each ISA of this machine, on
 * copies of the same data; every buffer that may be written must then hold the same bits (NaN for NaN). */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/jit.h"

enum { MAX_BUFFERS = 8, GUARD = 64 };

typedef struct run_case {
    const char *text;
    int64_t sizes[MAX_BUFFERS]; /* in elements */
    int64_t extents[8];
    ir_bits scalars[8];
    bool specials; /* data has NaN and infinities */
} run_case;

/* ---- data */

static ir_bits value_for(bz_dtype t, unsigned i, bool specials) {
    uint64_t r = bz_mix(bz_mix(0x1234 + t, i), 0x9E3779B97F4A7C15u);
    if (specials && ir_is_float(t) && i % 11 == 3) return ir_bits_from_f64(t, i % 2 ? __builtin_nan("") : __builtin_inf());
    if (ir_is_float(t)) return ir_bits_from_f64(t, (double)((int64_t)(r >> 40) - (1 << 23)) * 0x1p-22);
    return ir_bits_from_i64(t, t == BZ_BOOL ? (int64_t)(r >> 60 & 1) : (int64_t)(r >> 58) - 8);
}

/* One set of buffers, each with GUARD elements behind it that nobody may write. */
typedef struct data_set {
    lp_arg args[MAX_BUFFERS];
    void *pointers[MAX_BUFFERS];
    int64_t error[2];
} data_set;

static data_set make_data(const lp_kernel *k, const run_case *c) {
    data_set d = {.error = {INT64_MAX, 0}};
    for (uint32_t n = 0; n < k->buffers.n; n++) {
        bz_dtype t = k->buffers.p[n].dtype;
        size_t size = ir_dtype_bytes(t), bytes = ((size_t)c->sizes[n] + GUARD) * size;
        d.args[n].count = c->sizes[n];
        d.args[n].p = d.pointers[n] = aligned_alloc(64, (bytes + 63) / 64 * 64);
        for (unsigned i = 0; i < c->sizes[n] + GUARD; i++)
            ir_store_bits(t, (char *)d.args[n].p + i * size, value_for(t, i + 1000 * n, c->specials));
    }
    return d;
}

static void free_data(data_set *d) {
    for (unsigned n = 0; n < MAX_BUFFERS; n++) free(d->args[n].p);
}

static void compare(const lp_kernel *k, const run_case *c, cg_isa isa, const data_set *got, const data_set *want) {
    for (uint32_t n = 0; n < k->buffers.n; n++) {
        bz_dtype t = k->buffers.p[n].dtype;
        size_t size = ir_dtype_bytes(t);
        if (k->buffers.p[n].access == LP_WORK) continue;
        for (unsigned i = 0; i < c->sizes[n] + GUARD; i++) {
            ir_bits g = ir_load_bits(t, (char *)got->args[n].p + i * size), w = ir_load_bits(t, (char *)want->args[n].p + i * size);
            double gv = ir_is_float(t) ? ir_bits_to_f64(t, g) : 0, wv = ir_is_float(t) ? ir_bits_to_f64(t, w) : 0;
            if (g != w && !(gv != gv && wv != wv))
                cr_assert_fail("%s, %s: %s[%u] is %llx, want %llx\n%s", k->name, cg_isa_name(isa), k->buffers.p[n].name, i,
                               (unsigned long long)g, (unsigned long long)w, c->text);
        }
    }
    cr_assert_eq(got->error[0], want->error[0], "%s, %s: error element", k->name, cg_isa_name(isa));
    cr_assert_eq(got->error[1], want->error[1], "%s, %s: error code", k->name, cg_isa_name(isa));
}

/* ---- running */

static lp_module *parse(const char *text) {
    bz_error e = {0};
    lp_module *m = lp_parse(text, strlen(text), &e);
    cr_assert(m, "line %d: %s\n%s", e.line, e.text, text);
    return m;
}

static void run_compiled(const lp_module *m, const lp_kernel *k, const run_case *c, cg_isa isa, data_set *d) {
    const void *scalars[8];
    for (unsigned n = 0; n < 8; n++) scalars[n] = &c->scalars[n];
    int64_t scratch_bytes = lp_scratch_bytes(k, m);
    void *scratch = aligned_alloc(64, (size_t)scratch_bytes + 64);
    jit j = jit_open(m, isa);
    lp_frame f = {d->pointers, c->extents, scalars, scratch, d->error, 0};
    for (unsigned phase = 0; phase < lp_phase_count(k); phase++) {
        int64_t tasks = lp_phase_tasks(k, phase, c->extents, c->scalars), half = tasks / 2;
        jit_phase *run = jit_find(&j, k->name, phase);
        cr_assert_eq(run(&f, half, tasks), 0); /* in two parts, the second one first */
        cr_assert_eq(run(&f, 0, half), 0);
    }
    jit_close(&j);
    free(scratch);
}

static void run_interpreter(const lp_module *m, const lp_kernel *k, const run_case *c, data_set *d) {
    int code = 0;
    bz_error e = {0};
    lp_run_args a = {d->args, c->extents, c->scalars, &d->error[0], &code};
    cr_assert_eq(lp_run(k, m, &a, &e), BZ_OK, "%s\n%s", e.text, c->text);
    d->error[1] = code;
}

static void check(const run_case *c) {
    lp_module *m = parse(c->text);
    const lp_kernel *k = m->k.p[m->k.n - 1];
    data_set want = make_data(k, c);
    run_interpreter(m, k, c, &want);
    for (cg_isa isa = CG_BASE; isa <= jit_host(); isa++) {
        data_set got = make_data(k, c);
        run_compiled(m, k, c, isa, &got);
        compare(k, c, isa, &got, &want);
        free_data(&got);
    }
    free_data(&want);
    lp_module_free(m);
}

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

static void check_file(const char *path, run_case c) {
    char *text = read_text(path);
    c.text = text;
    check(&c);
    free(text);
}

Test(emit_kernels, gemm) {
    check_file("tests/kernels/gemm.loop", (run_case){.sizes = {13 * 70, 70 * 19, 19, 13 * 19, 3 * 8 * 70}, .extents = {13, 19, 70}});
    check_file("tests/kernels/gemm.loop", (run_case){.sizes = {4, 8, 8, 32, 8}, .extents = {4, 8, 1}});
}
Test(emit_kernels, softmax) {
    check_file("tests/kernels/softmax.loop", (run_case){.sizes = {5 * 27, 5 * 27}, .extents = {5, 27}});
    check_file("tests/kernels/softmax.loop", (run_case){.sizes = {16, 16}, .extents = {2, 8}});
}
Test(emit_kernels, attention) {
    for (int64_t causal = 0; causal < 2; causal++)
        check_file("tests/kernels/attention.loop", (run_case){.sizes = {6 * 20, 6 * 20, 6 * 20, 6 * 20},
                                                              .extents = {6, 6, 20, causal},
                                                              .scalars = {(ir_bits)causal, (ir_bits)causal}});
}
Test(emit_kernels, conv) {
    check_file("tests/kernels/conv.loop",
               (run_case){.sizes = {7 * 5 * 3, 9 * 3 * 11, 7 * 5 * 11}, .extents = {7, 5, 3, 11}});
}
Test(emit_kernels, scan) {
    check_file("tests/kernels/scan.loop", (run_case){.sizes = {100, 100, 7}, .extents = {100}});
    check_file("tests/kernels/scan.loop", (run_case){.sizes = {16, 16, 1}, .extents = {16}});
}
Test(emit_kernels, sort) {
    check_file("tests/kernels/sort.loop", (run_case){.sizes = {4 * 33, 4 * 33, 4 * 33}, .extents = {4, 33}, .specials = true});
}
Test(emit_kernels, gather_reports_the_lowest_bad_index) {
    check_file("tests/kernels/gather.loop", (run_case){.sizes = {20 * 13, 50, 50 * 13}, .extents = {20, 50, 13}});
}

/* ---- masked memory of every dtype and width */

static const unsigned widths[] = {1, 3, 4, 8, 16, 32, 64, 128};

static void check_masked(const char *format_body, bz_dtype t, unsigned lanes, int64_t left) {
    bz_text text = {0};
    char type[32], mask[32], index[32], index32[32];
    const char *name = ir_dtypes[t].name;
    snprintf(type, sizeof type, lanes > 1 ? "%sx%u" : "%s", name, lanes);
    snprintf(mask, sizeof mask, lanes > 1 ? "boolx%u" : "bool", lanes);
    snprintf(index, sizeof index, lanes > 1 ? "i64x%u" : "i64", lanes);
    snprintf(index32, sizeof index32, lanes > 1 ? "i32x%u" : "i32", lanes);
    bz_textf(&text, "kernel k(x: %s in, y: %s inout, m: bool in, ix: i32 in; left) {\n"
                    "  %%x = buffer x\n  %%y = buffer y\n  %%m = buffer m\n  %%ix = buffer ix\n  %%left = extent left\n"
                    "  %%id: %s = laneid\n  %%p = loop parallel 0, 2 {\n"
                    "    %%on: %s = load %%m[%%p]\n    %%ixs: %s = load %%ix[%%p]\n", name, name, index, mask, index32);
    if (lanes > 1)
        bz_textf(&text, "    %%vl: %s = splat %%left\n    %%tail = lt %%id, %%vl\n", index);
    else
        bz_textf(&text, "    %%tail = lt 0, %%left\n");
    bz_textf(&text, "    %%c15: %s = const 15\n    %%where = bitwise_and %%ixs, %%c15\n    %%at = mul %%p, 300\n", index32);
    for (const char *s = format_body; *s; s++) {
        if (*s == '@')
            bz_text_str(&text, type);
        else
            bz_text_add(&text, s, 1);
    }
    bz_text_str(&text, "  }\n}\n");
    check(&(run_case){.text = text.p, .sizes = {600, 600, 600, 600}, .extents = {left}, .specials = true});
    bz_text_free(&text);
}

static void check_masked_all(const char *body) {
    for (unsigned t = 0; t < BZ_NDTYPES; t++)
        for (unsigned w = 0; w < BZ_LEN(widths); w++) {
            check_masked(body, (bz_dtype)t, widths[w], (int64_t)widths[w] * 2 / 3);
            check_masked(body, (bz_dtype)t, widths[w], 0);
        }
}

Test(emit_memory, masked_loads_and_stores) {
    check_masked_all("    %v: @ = load %x[%at] mask %tail\n    store %y[%at], %v mask %on\n"
                     "    %w: @ = load %x[%p] mask %on\n    %at2 = add %at, 150\n    store %y[%at2], %w mask %tail\n");
}
Test(emit_memory, gathers) {
    check_masked_all("    %v: @ = gather %x[%where]\n    store %y[%at], %v\n"
                     "    %w: @ = gather %x[%where] mask %on\n    %at2 = add %at, 150\n    store %y[%at2], %w\n");
}
Test(emit_memory, scatters) {
    check_masked_all("    %py = offset %y[%at]\n    %v: @ = load %x[%p]\n    scatter %py[%where], %v\n"
                     "    %qy = offset %py[100]\n    scatter %qy[%where], %v mask %on\n");
}
Test(emit_memory, compress) {
    check_masked_all("    %v: @ = load %x[%p]\n    compress %y[%at], %v mask %on\n"
                     "    %at2 = add %at, 150\n    compress %y[%at2], %v mask %tail\n");
}
