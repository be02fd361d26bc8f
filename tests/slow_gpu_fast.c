/* slow_gpu_fast.c - fast mode on a GPU: products by matrix units agree with strict ones within docs/fast.md's tolerance, whatever their
 * dtypes, layouts, sizes, prologues and epilogues; the interpreter of the kernel loops and the emulated driver agree bit for bit; a
 * real driver ($BRAZE_FAKECUDA) is held to the tolerance. */
#include "src/codegen/cuda.h"
#include "tests/support/irtest.h"
#include "tests/support/plan_cuda.h"
#include "tests/support/plan_run.h"

#include <criterion/criterion.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A product %d of %a and %b, which `before` makes of the inputs. What `behind` makes of it grows no error by more than half. */
static const struct form {
    const char *name, *inputs, *before, *dot, *behind; /* @: the dtype; B, M, K, N: sizes */
} forms[] = {
    {"plain", "a: @[M,K], b: @[K,N]", "", "%d = matmul %a %b", "%y = relu %d"},
    {"alone", "a: @[M,K], b: @[K,N]", "", "%y = matmul %a %b", ""},
    {"nt", "a: @[M,K], w: @[N,K]", "%b = transpose %w", "%d = matmul %a %b", "%y = neg %d"},
    {"tn", "x: @[K,M], b: @[K,N]", "%a = transpose %x", "%y = matmul %a %b", ""},
    {"tt", "x: @[K,M], w: @[N,K]", "%a = transpose %x\n %b = transpose %w", "%y = matmul %a %b",
     ""},
    {"batch", "a: @[B,M,K], b: @[B,K,N]", "", "%y = matmul %a %b", ""},
    {"heads", "x: @[M,B,K], w: @[N,B,K]",
     "%a = permute %x {perm=[1,0,2]}\n %b = permute %w {perm=[1,2,0]}", "%d = matmul %a %b",
     "%y = permute %d {perm=[1,0,2]}"},
    {"shared weight", "a: @[B,M,K], b: @[K,N]", "", "%y = matmul %a %b", ""},
    {"prologue", "x: @[M,K], s: @[K], b: @[K,N]", "%r = relu %x\n %a = mul %r %s",
     "%y = matmul %a %b", ""},
    {"prologues", "x: @[M,K], w: @[K,N]", "%a = exp %x\n %b = neg %w", "%y = matmul %a %b", ""},
    {"turned prologue", "x: @[K,M], w: @[N,K]",
     "%t = exp %x\n %a = transpose %t\n %u = exp %w\n %b = transpose %u", "%y = matmul %a %b", ""},
    {"part", "x: @[M,L], w: @[L,N]",
     "%a = slice %x {start=[0,1], stop=[M,J]}\n %b = slice %w {start=[1,0], stop=[J,N]}",
     "%y = matmul %a %b", ""},
    {"padded", "x: @[M,K], w: @[K,N]",
     "%a = pad %x {lo=[0,3], hi=[0,2]}\n %b = pad %w {lo=[3,0], hi=[2,0]}", "%y = matmul %a %b",
     ""},
    {"bias gelu", "a: @[M,K], b: @[K,N], c: @[N], r: @[M,N]", "", "%d = matmul %a %b",
     "%s = add %d %c\n %g = gelu %s\n %y = add %g %r"},
    {"two outputs", "a: @[M,K], b: @[K,N]", "", "%d = matmul %a %b",
     "%y = neg %d\n %z = cast %d {dtype=f64}"},
    {"linear", "a: @[M,K], w: @[N,K], c: @[N]", "%b = transpose %w", "%d = matmul %a %b",
     "%s = add %d %c\n %y = relu %s"},
    {"odd pointer", "x: @[Q], b: @[K,N], c: @[N]",
     "%s = slice %x {start=[1]}\n %a = reshape %s {shape=[M,K]}", "%d = matmul %a %b",
     "%y = add %d %c"},
    {"linear op", "a: @[M,K], w: @[N,K], c: @[N]", "%b = transpose %w", "%y = linear %a %w %c", ""},
    {"widened", "x: @[K,M], b: @[K,N]", "%u = cast %x {dtype=f32}\n %a = transpose %u",
     "%v = cast %b {dtype=f32}\n %y = matmul %a %v", ""},
    {"cast", "x: f64[M,K], w: f32[K,N]", "%a = cast %x {dtype=@}\n %b = cast %w {dtype=@}",
     "%y = matmul %a %b", ""},
};

typedef struct sizes {
    int b, m, k, n;
} sizes;

/* Borders of matrices, chunks, turns and tiles. */
static const sizes all_sizes[] = {
    {2, 8, 8, 8},      {3, 9, 13, 11},    {2, 16, 32, 32},  {1, 17, 31, 33},  {2, 24, 40, 64},
    {1, 33, 65, 72},   {1, 64, 64, 64},   {1, 65, 96, 129}, {1, 40, 513, 24}, {1, 130, 24, 70},
    {1, 48, 200, 136}, {1, 24, 1100, 40}, {2, 33, 700, 37}};

/* Of the result before it is rounded to its dtype, times the sum of the products' sizes: docs/fast.md. */
static double tolerance(bz_dtype t, int k) {
    return ldexp(k, -22) + (t == BZ_F32 ? ldexp(1, -10) : 0);
}

static double rounding(bz_dtype t) {
    return t == BZ_BF16 ? ldexp(1, -7) : t == BZ_F16 ? ldexp(1, -10) : ldexp(1, -23);
}

static bz_dtype dtype_of(const char *name) {
    return !strcmp(name, "bf16") ? BZ_BF16 : !strcmp(name, "f16") ? BZ_F16 : BZ_F32;
}

static void fill(bz_text *t, const char *s, const char *dtype, sizes z) {
    for (; *s; s++) {
        const bool word = (s[1] >= 'a' && s[1] <= 'z') || s[1] == '_';
        const int n = word        ? -1
                      : *s == 'B' ? z.b
                      : *s == 'M' ? z.m
                      : *s == 'K' ? z.k
                      : *s == 'N' ? z.n
                      : *s == 'L' ? z.k + 2
                      : *s == 'J' ? z.k + 1
                      : *s == 'Q' ? z.m * z.k + 1
                                  : -1;
        if (*s == '@')
            bz_text_str(t, dtype);
        else if (n >= 0)
            bz_textf(t, "%d", n);
        else
            bz_text_add(t, s, 1);
    }
}

static void graph_of(bz_text *t, const struct form *f, const char *dtype, sizes z) {
    bz_text_str(t, "graph main(");
    fill(t, f->inputs, dtype, z);
    bz_text_str(t, ") {\n ");
    fill(t, f->before, dtype, z);
    bz_textf(t, "\n %s\n %s\n return %%y%s }", f->dot, f->behind,
             strstr(f->behind, "%z") ? ", %z" : "");
}

/* The sums in f64, and those of the products' sizes. */
static void bound_of(bz_text *t, const struct form *f, const char *dtype, sizes z) {
    bz_text_str(t, "graph main(");
    fill(t, f->inputs, dtype, z);
    bz_text_str(t, ") {\n ");
    fill(t, f->before, dtype, z);
    bz_text_str(t, "\n %a64 = cast %a {dtype=f64}\n %b64 = cast %b {dtype=f64}\n %aa = abs "
                   "%a64\n %bb = abs %b64\n %sum = matmul %aa %bb\n %own = matmul %a64 %b64\n "
                   "%size = abs %own\n return "
                   "%sum, %size }");
}

static void interpret(const char *text, uint64_t seed, ir_value_array *out) {
    bz_error e = {0};
    ir_module *m = irt_parse(text);
    ir_value_array in[8] = {{0}};
    random_inputs(m->graphs.p[0], in, seed);
    cr_assert_eq(ir_interpret(m->graphs.p[0], in, out, &e), BZ_OK, "%s: %s", text, e.text);
    free_values(in, m->graphs.p[0]->inputs.n);
    ir_module_free(m);
}

/* By how much elements may differ: the largest counts, since they may have been permuted. The sum is rounded once, and so is what each of up
 * to three steps behind it gives. */
static double allowed_of(const char *bound, uint64_t seed, bz_dtype t, int k) {
    ir_value_array v[2] = {{0}};
    double most[2] = {0, 0};
    interpret(bound, seed, v);
    for (int n = 0; n < 2; n++)
        for (int64_t i = 0; i < irt_numel(&v[n]); i++) most[n] = fmax(most[n], irt_get(&v[n], i));
    free_values(v, 2);
    return 1.5 * most[0] * tolerance(t, k) + 3 * rounding(t) * most[1];
}

static void expect_near(const char *text, const ir_value_array *want, const ir_value_array *got,
                        double allowed) {
    for (int64_t i = 0; i < irt_numel(want); i++) {
        const double x = irt_get(want, i), y = irt_get(got, i);
        cr_assert(fabs(x - y) <= allowed, "%s: element %lld is %.9g, strict %.9g, allowed %.3g",
                  text, (long long)i, y, x, allowed);
    }
}

static bool on_device, on_loops;

static void check(const struct form *f, const char *dtype, sizes z, const pass_target *t) {
    const uint64_t seed = (uint64_t)(z.m * 31 + z.k * 7 + z.n);
    const bz_dtype of = dtype_of(dtype);
    bz_text text = {0}, bound = {0}, loops = {0};
    bz_error e = {0};
    ir_value_array in[8] = {{0}}, want[2] = {{0}}, run[2] = {{0}}, device[2] = {{0}};
    graph_of(&text, f, dtype, z);
    bound_of(&bound, f, dtype, z);
    const char *words = bz_text_c(&text);
    ir_module *m = irt_parse(words);
    const ir_graph *g = m->graphs.p[0];
    random_inputs(g, in, seed);
    interpret(words, seed, want);
    const double allowed = allowed_of(bz_text_c(&bound), seed, of, z.k + 5);
    pass_plan *p = pass_compile(g, t, &e);
    cr_assert(p, "%s: %s", words, e.text);
    lp_print_module(&loops, p->code);
    cr_assert(!t->matrix == !strstr(bz_text_c(&loops), " mma "), "%s: matrix units", words);
    cr_assert(!t->matrix == !strstr(bz_text_c(&loops), of == BZ_F32 ? "[16, 8, 8]" : "[16, 8, 16]"),
              "%s: other factors", words);
    if (on_loops) cr_assert_eq(plan_run(p, in, run, &e), BZ_OK, "%s: %s", words, e.text);
    if (on_device) cr_assert_eq(plan_cuda(p, in, device, &e), BZ_OK, "%s: %s", words, e.text);
    for (uint32_t i = 0; i < g->outputs.n; i++) {
        expect_near(words, &want[i], on_loops ? &run[i] : &device[i], allowed);
        if (on_device && !on_loops) continue;
        if (on_device) expect_near(words, &want[i], &device[i], allowed);
        if (on_device && plan_cuda_emulated())
            cr_assert_eq(first_difference(&run[i], &device[i]), -1, "%s: loops and device", words);
    }
    free_values(in, g->inputs.n);
    free_values(want, g->outputs.n);
    if (on_loops) free_values(run, g->outputs.n);
    if (on_device) free_values(device, g->outputs.n);
    pass_plan_free(p);
    ir_module_free(m);
    bz_text_free(&text);
    bz_text_free(&bound);
    bz_text_free(&loops);
}

static const char *const dtypes[] = {"bf16", "f16", "f32"};

/* Every step-th of all: forms, sizes and dtypes come up in turn. */
static void check_forms(unsigned capability, size_t first, size_t step) {
    const size_t n = BZ_LEN(dtypes) * BZ_LEN(forms) * BZ_LEN(all_sizes);
    for (size_t at = first; at < n; at += step) {
        const size_t d = at % BZ_LEN(dtypes), i = at / BZ_LEN(dtypes) % BZ_LEN(forms);
        const size_t k = at / BZ_LEN(dtypes) / BZ_LEN(forms);
        pass_target t = pass_gpu_of(capability, true);
        t.any_size = (i + k + d) % 2;
        check(&forms[i], dtypes[d], all_sizes[k], &t);
    }
}

Test(gpu_fast, loops) {
    on_loops = true;
    check_forms(80, 0, getenv("BRAZE_QUICK") ? 5 : 1);
}

/* Compiling takes most of the time; tests/slow_cuda.sh sets $GPU_FAST to a smaller number, and BRAZE_QUICK makes it larger. */
static size_t step(void) {
    const char *s = getenv("GPU_FAST");
    return s ? (size_t)atoi(s) : getenv("BRAZE_QUICK") ? 104 : 26;
}

static bool device(const char *kind) {
    setenv("BRAZE_FAKE_DEVICES", kind, 1);
    on_device = plan_cuda_ready();
    if (on_device && plan_cuda_capability() >= 80) return true;
    fprintf(stderr, "skipped: no NVRTC, no driver, or a GPU that is too old\n");
    return on_device = false;
}

Test(gpu_fast, device_80) {
    if (!device("80")) return;
    on_loops = true;
    check_forms(80, 0, step());
}

Test(gpu_fast, device_90) {
    if (device("90")) check_forms(90, step() / 2, step());
}

/* Enough tiles for the large ones. */
Test(gpu_fast, large_tiles) {
    if (!device("80")) return;
    for (size_t d = 0; d < BZ_LEN(dtypes); d++) {
        const pass_target t = pass_gpu_of(80, true);
        for (size_t i = 5; i < (getenv("BRAZE_QUICK") ? 6 : 7); i++) check(&forms[i], dtypes[d], (sizes){80, 72, 40, 88}, &t);
    }
}

/* What is widened for several products, and for others, lies in memory as halves, and so it is multiplied. */
Test(gpu_fast, halves_stay_halves) {
    static const char text[] =
        "graph main(x: f32[64,64], w: f32[96,64], v: f32[64,96], b: f32[96]) {\n %a = cast %x "
        "{dtype=bf16}\n %c = cast %w {dtype=bf16}\n %d = cast %v {dtype=bf16}\n %e = cast %b "
        "{dtype=bf16}\n %h = linear %a %c %e\n %r = gelu %h\n %y = linear %r %d\n %z = linear %y "
        "%c %e\n %s = cast %r {dtype=f32}\n %t = transpose %s\n %f = cast %a {dtype=f32}\n %g = "
        "matmul %t %f\n %m = sum %s {axes=[0]}\n return %z, %g, %m }";
    const pass_target t = pass_gpu_of(80, true);
    ir_value_array in[4] = {{0}}, want[3] = {{0}}, got[3] = {{0}};
    bz_error e = {0};
    bz_text loops = {0};
    ir_module *m = irt_parse(text);
    random_inputs(m->graphs.p[0], in, 5);
    interpret(text, 5, want);
    pass_plan *p = pass_compile(m->graphs.p[0], &t, &e);
    cr_assert(p, "%s", e.text);
    lp_print_module(&loops, p->code);
    cr_expect(strstr(bz_text_c(&loops), "[16, 8, 16]") && !strstr(bz_text_c(&loops), "[16, 8, 8]"));
    unsigned halves = 0;
    for (uint32_t i = 0; i < p->buffers.n; i++)
        halves += p->buffers.p[i].place == PASS_ARENA && p->buffers.p[i].dtype == BZ_BF16;
    cr_expect_eq(halves, 2, "%u values between kernels are halves", halves);
    cr_assert_eq(plan_run(p, in, got, &e), BZ_OK, "%s", e.text);
    for (int k = 0; k < 3; k++)
        for (int64_t i = 0; i < irt_numel(&want[k]); i++) {
            const double x = irt_get(&want[k], i), y = irt_get(&got[k], i);
            cr_assert(fabs(x - y) <= 0.03 * (fabs(x) + 10), "%d: %g, %g", k, x, y);
        }
    free_values(in, 4);
    free_values(want, 3);
    free_values(got, 3);
    bz_text_free(&loops);
    pass_plan_free(p);
    ir_module_free(m);
}

/* As if the operands were cast: nothing rounds the sums. */
Test(gpu_fast, products_of_halves_in_f32) {
    static const char head[] = "graph main(x: bf16[5,40], y: bf16[40,3]) {\n ";
    static const char *const bodies[] = {
        "%z = dot %x, %y {acc=f32, order=dot, lcontract=[1], rcontract=[0]} : f32[5,3]\n return %z "
        "}",
        "%a = cast %x {dtype=f32}\n %b = cast %y {dtype=f32}\n %z = matmul %a %b\n return %z }",
        "%z = dot %x, %y {acc=f32, order=dot, lcontract=[1], rcontract=[0]} : f64[5,3]\n return %z "
        "}",
    };
    ir_value_array v[2] = {{0}};
    char text[300];
    for (int i = 0; i < 2; i++) {
        snprintf(text, sizeof text, "%s%s", head, bodies[i]);
        interpret(text, 9, &v[i]);
    }
    cr_expect(v[0].dtype == BZ_F32 && first_difference(&v[0], &v[1]) == -1);
    free_values(v, 2);
    bz_error e = {0};
    snprintf(text, sizeof text, "%s%s", head, bodies[2]);
    cr_expect(!ir_parse(text, strlen(text), NULL, &e), "a product in f64 was taken");
}

/* Memory runs out at each place: a status, nothing else. */
Test(gpu_fast, without_memory) {
    static const struct form *const some[] = {&forms[3], &forms[8], &forms[14]};
    static const sizes z[] = {{1, 17, 31, 33}, {1, 16, 600, 16}, {1, 64, 64, 64}};
    const pass_target t = pass_gpu_of(80, true);
    for (size_t i = 0; i < BZ_LEN(some); i++) {
        bz_text text = {0};
        graph_of(&text, some[i], dtypes[i], z[i]);
        ir_module *m = irt_parse(bz_text_c(&text));
        bz_status s = BZ_ENOMEM;
        for (long n = 0; s == BZ_ENOMEM; n += n < 200 ? 1 : 7) {
            bz_error e = {0};
            bz_text code = {0};
            bz_mem_fail_after(n);
            pass_plan *p = pass_compile(m->graphs.p[0], &t, &e);
            s = p ? cuda_emit(p->code, &code, &e) : e.status;
            bz_mem_fail_after(-1);
            bz_text_free(&code);
            pass_plan_free(p);
        }
        cr_expect_eq(s, BZ_OK, "%s: %d", bz_text_c(&text), s);
        ir_module_free(m);
        bz_text_free(&text);
    }
}

/* An older device has the strict kernels; so has what matrix units are not for. */
Test(gpu_fast, falls_back) {
    static const char *const texts[] = {
        "graph main(x: f64[32,32], w: f64[32,32]) { %y = matmul %x %w\n return %y }",
        "graph main(x: i32[32,32], w: i32[32,32]) { %y = matmul %x %w\n return %y }",
        "graph main(x: f32[64,64], w: f32[64]) { %y = matmul %x %w\n return %y }",
        "graph main(x: f32[1,64], w: f32[64,64]) { %y = matmul %x %w\n return %y }",
        "graph main(x: f32[64,100]) { %y = softmax %x {axis=1}\n return %y }",
    };
    const pass_target old = pass_gpu_of(75, true), fast = pass_gpu_of(90, true);
    bz_error e = {0};
    cr_expect(!old.matrix && fast.matrix && !pass_gpu_of(90, false).matrix);
    for (size_t i = 0; i < BZ_LEN(texts); i++) {
        ir_module *m = irt_parse(texts[i]);
        bz_text a = {0}, b = {0};
        pass_plan *p = pass_compile(m->graphs.p[0], &fast, &e),
                  *q = pass_compile(m->graphs.p[0], &pass_gpu_target, &e);
        cr_assert(p && q, "%s: %s", texts[i], e.text);
        lp_print_module(&a, p->code);
        lp_print_module(&b, q->code);
        cr_expect_str_eq(bz_text_c(&a), bz_text_c(&b));
        bz_text_free(&a);
        bz_text_free(&b);
        pass_plan_free(p);
        pass_plan_free(q);
        ir_module_free(m);
    }
    on_loops = true;
    check(&forms[0], "f16", all_sizes[3], &old);
}
