/* test_passes_limits.c - the passes at their limits: memory that runs out anywhere, long chains, many values, many axes. */
#include "tests/support/irtest.h"
#include "tests/support/mlp.h"
#include "tests/support/plan_run.h"
#include "tests/support/targets.h"

#include "src/passes/pass.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- concat of many */

/* graph main(x0, x1 ...) { concat of all }: part i is f32[1 + i % sizes, 3]. */
static ir_module *concat_of(unsigned n, unsigned sizes) {
    bz_text t = {0};
    bz_text_str(&t, "graph main(");
    for (unsigned i = 0; i < n; i++)
        bz_textf(&t, "%sx%u: f32[%u,3]", i ? ", " : "", i, 1 + i % sizes);
    bz_text_str(&t, ") {\n%y = concat ");
    for (unsigned i = 0; i < n; i++) bz_textf(&t, "%s%%x%u", i ? ", " : "", i);
    bz_text_str(&t, "\nreturn %y }");
    ir_module *m = irt_parse(bz_text_c(&t));
    bz_text_free(&t);
    return m;
}

/* Equal parts are equal kernels: neither they nor their code grow with the number of parts. */
Test(passes_limits, concat_of_many_has_few_kernels) {
    uint32_t first = 0;
    for (unsigned n = 1000; n <= 10000; n *= 10) {
        ir_module *m = concat_of(n, 1);
        bz_error e = {0};
        uint32_t code = 0;
        pass_plan *p = pass_compile(m->graphs.p[0], &targets[0].t, &e);
        cr_assert(p, "%u parts: %s", n, e.text);
        for (uint32_t i = 0; i < p->code->k.n; i++) code += p->code->k.p[i]->inst.n;
        first = first ? first : code;
        cr_expect(p->code->k.n <= 6 && code <= 2 * first && p->launches.n <= n / 32 + 3,
                  "%u parts: %u kernels of %u instructions, %u launches", n, p->code->k.n, code,
                  p->launches.n);
        pass_plan_free(p);
        ir_module_free(m);
    }
}

/* ---- the n-th allocation fails */

static void compile_without_memory(const ir_graph *g, const pass_target *t, const char *what) {
    bz_error e = {0};
    pass_plan *p = NULL;
    for (long n = 0; !p; n += n < 300 ? 1 : n / 50) { /* every one of the first, then fewer */
        e = (bz_error){0};
        bz_mem_fail_after(n);
        p = pass_compile(g, t, &e);
        bz_mem_fail_after(-1);
        cr_assert(p || e.status == BZ_ENOMEM, "%s: allocation %ld: status %d: %s", what, n,
                  e.status, e.text);
        cr_assert_lt(n, 10000000);
    }
    pass_plan_free(p);
}

Test(passes_limits, compiling_without_memory) {
    static const char *const texts[] = {
        "graph main(x: f32[37,300], w: f32[300], b: f32[300]) { %1 = layer_norm %x %w %b\n %2 = "
        "gelu %1\n %3 = add %x %2\n return %3 donate x }",
        "graph main(x: f32[37,10], t: i64[37]) { %1 = cross_entropy %x %t\n %2 = argmax %x "
        "{axes=[1]}\n return %1, %2 }",
        "graph main(x: f32[9,5], y: f32[2,5]) { %1 = concat %x %y %x %y %x %y\n %2 = relu %1\n "
        "return %2 }",
        "graph main(x: f32[9,5], y: f32[5,7], i: i64[3]) { %1 = matmul %x %y\n %2 = relu %1\n %3 = "
        "gather %2 %i\n %4 = sum %3 {axes=[0]}\n return %2, %4 }",
    };
    for (unsigned i = 0; i < BZ_LEN(texts); i++) {
        ir_module *m = irt_parse(texts[i]);
        for (unsigned t = 0; t < target_count; t += 3)
            compile_without_memory(m->graphs.p[0], &targets[t].t, texts[i]);
        ir_module_free(m);
    }
}

Test(passes_limits, differentiating_without_memory) {
    bz_status st = BZ_ENOMEM;
    for (long n = 0; st == BZ_ENOMEM; n++) {
        ir_module *m = irt_parse("graph main(x: f32[6,4], w: f32[4,3], t: i64[6]) { %1 = matmul %x "
                                 "%w\n %2 = cross_entropy %1 %t\n return %2 }");
        ir_graph *g = m->graphs.p[0];
        ir_ref wrt[2] = {g->inputs.p[0].node, g->inputs.p[1].node}, out[2];
        bz_mem_fail_after(n);
        st = pass_grad(g, g->outputs.p[0].node, 0, wrt, 2, out);
        bz_mem_fail_after(-1);
        cr_assert(st == BZ_OK || st == BZ_ENOMEM, "allocation %ld: status %d: %s", n, st,
                  g->err.text);
        ir_module_free(m);
    }
}

/* ---- size */

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Compiles for target t; the CPU seconds it took. */
static double compile(const ir_graph *g, unsigned t, pass_plan **out) {
    bz_error e = {0};
    double start = seconds();
    pass_plan *p = pass_compile(g, &targets[t].t, &e);
    double took = seconds() - start;
    cr_assert(p, "%s: %s", targets[t].name, e.text);
    *out = p;
    return took;
}

static ir_graph *chain(ir_module **m, unsigned n) {
    *m = ir_module_new();
    ir_graph *g = ir_graph_new(*m, "main");
    ir_module_add(*m, g);
    ir_dim d = ir_dim_const(g, 1000);
    ir_ref x = ir_input_new(g, "x", BZ_F32, &d, 1), y = x;
    for (unsigned i = 0; i < n; i++)
        y = i % 3 == 0   ? ir_build2(g, IR_ADD, y, x)
            : i % 3 == 1 ? ir_build1(g, IR_ABS, y)
                         : ir_build2(g, IR_MUL, y, y);
    ir_output_add(g, NULL, y, -1);
    return g;
}

/* A perceptron of n layers with the gradient of each weight: what each layer gives lives until its gradient is there. */
static ir_graph *deep(ir_module **m, unsigned n) {
    *m = ir_module_new();
    ir_graph *g = ir_graph_new(*m, "main");
    ir_module_add(*m, g);
    ir_ref *w = bz_mem_zero(n, sizeof *w), *grad = bz_mem_zero(n, sizeof *grad);
    ir_dim d[2] = {ir_dim_const(g, 16), ir_dim_const(g, 16)};
    ir_ref h = ir_input_new(g, "x", BZ_F32, d, 2);
    for (unsigned i = 0; i < n; i++) {
        char name[16];
        snprintf(name, sizeof name, "w%u", i);
        w[i] = ir_input_new(g, name, BZ_F32, d, 2);
        h = ir_build1(g, IR_TANH, ir_matmul(g, h, w[i]));
    }
    int axes[] = {0, 1};
    h = ir_reduce(g, IR_SUM, h, axes, 2, false);
    cr_assert_eq(pass_grad(g, h, 0, w, n, grad), BZ_OK, "%s", g->err.text);
    for (unsigned i = 0; i < n; i++) ir_output_add(g, NULL, grad[i], -1);
    bz_mem_free(w);
    bz_mem_free(grad);
    return g;
}

/* Twice the nodes may not take much more than twice the time. The bound is loose: the machine may be busy, sanitizers are slow. */
static void time_grows(ir_graph *(*make)(ir_module **, unsigned), const char *what, unsigned n) {
    ir_module *a, *b;
    pass_plan *p, *q;
    ir_graph *small = make(&a, n), *large = make(&b, 4 * n);
    for (unsigned t = 0; t < target_count; t += 3) {
        double x = compile(small, t, &p), y = compile(large, t, &q);
        cr_expect_lt(y, 10 * x + 0.05, "%s: %s: %u take %.1f ms, %u take %.1f ms", targets[t].name,
                     what, n, 1e3 * x, 4 * n, 1e3 * y);
        fprintf(stderr, "%s: %s: %u take %.1f ms, %u take %.1f ms\n", targets[t].name, what, n,
                1e3 * x, 4 * n, 1e3 * y);
        pass_plan_free(p);
        pass_plan_free(q);
    }
    ir_module_free(a);
    ir_module_free(b);
}

Test(passes_limits, time_grows_with_the_nodes) {
    time_grows(chain, "nodes of a chain", 1000);
}

Test(passes_limits, time_grows_with_the_layers) {
    time_grows(deep, "layers with gradients", 300);
}

static void means_the_same(ir_module *m, const char *what) {
    const ir_graph *g = m->graphs.p[0];
    bz_error e = {0};
    ir_value_array *in = bz_mem_zero(g->inputs.n + 1, sizeof *in),
                   *want = bz_mem_zero(g->outputs.n, sizeof *want),
                   *out = bz_mem_zero(g->outputs.n, sizeof *out);
    random_inputs(g, in, 3);
    cr_assert_eq(ir_interpret(g, in, want, &e), BZ_OK, "%s: %s", what, e.text);
    for (unsigned t = 0; t < target_count; t++) {
        pass_plan *p;
        compile(g, t, &p);
        cr_assert_eq(plan_run(p, in, out, &e), BZ_OK, "%s: %s", what, e.text);
        for (uint32_t i = 0; i < g->outputs.n; i++)
            cr_expect_eq(first_difference(&want[i], &out[i]), -1, "%s for %s: output %u differs",
                         what, targets[t].name, i);
        free_values(out, g->outputs.n);
        pass_plan_free(p);
    }
    free_values(in, g->inputs.n);
    free_values(want, g->outputs.n);
    bz_mem_free(in);
    bz_mem_free(want);
    bz_mem_free(out);
    ir_module_free(m);
}

Test(passes_limits, more_values_than_a_kernel_has_buffers) {
    bz_text t = {0}, outs = {0};
    bz_textf(&t, "graph main(");
    for (unsigned i = 0; i < 300; i++) bz_textf(&t, "%sx%u: f32[20]", i ? ", " : "", i);
    bz_textf(&t, ") {\n");
    for (unsigned i = 0; i < 300; i++) {
        bz_textf(&t, "%%a%u = add %%x%u %s%u\n", i, i, i ? "%a" : "%x", i ? i - 1 : 0);
        bz_textf(&outs, "%s%%a%u", i ? ", " : "", i);
    }
    bz_textf(&t, "return %s }", bz_text_c(&outs));
    means_the_same(irt_parse(bz_text_c(&t)), "300 inputs and outputs");
    bz_text_free(&t);
    bz_text_free(&outs);
}

Test(passes_limits, many_results_of_a_row) {
    bz_text t = {0}, outs = {0};
    bz_textf(&t, "graph main(x: f32[5,40]) { %%s = softmax %%x\n");
    for (unsigned i = 0; i < 80; i++) {
        bz_textf(&t, "%%a%u = add %%s %u\n", i, i);
        bz_textf(&outs, "%s%%a%u", i ? ", " : "", i);
    }
    bz_textf(&t, "return %s }", bz_text_c(&outs));
    means_the_same(irt_parse(bz_text_c(&t)), "80 results of a softmax");
    bz_text_free(&t);
    bz_text_free(&outs);
}

Test(passes_limits, many_folds_of_a_row) {
    bz_text t = {0};
    bz_textf(&t, "graph main(x: f32[5,40]) { %%a0 = copy %%x\n");
    for (unsigned i = 0; i < 40; i++)
        bz_textf(&t, "%%m%u = mean %%a%u {axes=[1], keepdim}\n%%a%u = sub %%x %%m%u\n", i, i, i + 1,
                 i);
    bz_textf(&t, "return %%a40 }");
    means_the_same(irt_parse(bz_text_c(&t)), "40 folds, one after the other");
    bz_text_free(&t);
    bz_textf(&t, "graph main(x: f32[5,40]) {\n");
    for (unsigned i = 0; i < 40; i++)
        bz_textf(&t, "%%a%u = mul %%x %u\n%%m%u = sum %%a%u {axes=[1]}\n", i, i + 2, i, i);
    bz_textf(&t, "%%s0 = neg %%m0\n");
    for (unsigned i = 1; i < 40; i++) bz_textf(&t, "%%s%u = mul %%s%u %%m%u\n", i, i - 1, i);
    bz_textf(&t, "return %%s39 }");
    means_the_same(irt_parse(bz_text_c(&t)), "40 folds side by side");
    bz_text_free(&t);
}

Test(passes_limits, rank_32) {
    bz_text ones = {0};
    for (unsigned i = 0; i < 32; i++)
        bz_textf(&ones, "%s%u", i ? "," : "",
                 i == 3 || i == 17 || i == 30 ? 3u
                 : i == 31                    ? 2u
                                              : 1u);
    bz_text t = {0};
    bz_textf(&t,
             "graph main(x: f32[%s]) { %%1 = transpose %%x {a=3, b=31}\n %%2 = exp %%1\n %%3 = sum "
             "%%2 {axes=[17]}\n %%4 = flip %%x {axes=[30]}\n %%5 = softmax %%4\n return %%3, %%5 }",
             bz_text_c(&ones));
    means_the_same(irt_parse(bz_text_c(&t)), "rank 32");
    bz_text_free(&t);
    bz_text_free(&ones);
}

Test(passes_limits, a_long_chain_of_movements) {
    bz_text t = {0};
    bz_textf(&t, "graph main(x: f32[6,10]) { %%a0 = neg %%x\n");
    for (unsigned i = 0; i < 40; i++) {
        static const char *const moves[] = {"transpose %a", "flip %a", "reshape %a", "pad %a",
                                            "slice %a"};
        static const char *const attrs[] = {"", "{axes=[0]}", "{shape=[10,6]}",
                                            "{lo=[1,0], hi=[0,1]}", "{start=[1,0], stop=[11,6]}"};
        bz_textf(&t, "%%a%u = %s%u %s\n", i + 1, moves[i % 5], i, attrs[i % 5]);
    }
    bz_textf(&t, "return %%a40 }");
    ir_module *m = irt_parse(bz_text_c(&t));
    means_the_same(m, "40 movements");
    bz_text_free(&t);
}

/* ---- tables: rows that are read and written one after the other */

/* Row k becomes row k times 3, for every k of n: a long chain of updates, each of which all later reads lie beside. */
static ir_module *filled_table(unsigned n) {
    ir_module *m = ir_module_new();
    ir_graph *g = ir_graph_new(m, "main");
    ir_module_add(m, g);
    const ir_dim dims[] = {ir_dim_const(g, n), ir_dim_const(g, 4)};
    const int64_t count[] = {1, 4}, step[] = {1, 1};
    ir_ref y = ir_build1(g, IR_NEG, ir_input_new(g, "x", BZ_F32, dims, 2));
    for (unsigned k = 0; k < n; k++) {
        const int64_t start[] = {k * 7 % n, 0};
        ir_ref row = ir_slice_exact(g, y, start, count, step);
        ir_ref more = ir_build2(g, IR_ADD, row, ir_build2(g, IR_ADD, row, row));
        y = ir_update_slice(g, y, more, start, step, 0);
    }
    ir_output_add(g, NULL, y, -1);
    return m;
}

Test(passes_limits, a_table_filled_by_rows) {
    means_the_same(filled_table(300), "300 rows");
}

static void *compile_table(void *m) {
    pass_plan *p;
    compile(((ir_module *)m)->graphs.p[0], 0, &p);
    pass_plan_free(p);
    return m;
}

/* How deep the stack is does not depend on how long the chain is. */
Test(passes_limits, a_small_stack_is_enough_for_a_long_table) {
    ir_module *m = filled_table(3000);
    pthread_attr_t small;
    pthread_t t;
    cr_assert_eq(pthread_attr_init(&small), 0);
    cr_assert_eq(pthread_attr_setstacksize(&small, 1 << 20), 0);
    cr_assert_eq(pthread_create(&t, &small, compile_table, m), 0);
    cr_assert_eq(pthread_join(t, NULL), 0);
    pthread_attr_destroy(&small);
    ir_module_free(m);
}

/* ---- towers: what branches or winds may not cost more with each floor */

/* A floor is made of lines, with % for the floor's number and ^ for the next one's. */
static const struct tower {
    const char *name, *shape, *floor;
} towers[] = {
    {"sums", "[64]", "%a^ = add %a% %a%\n"},
    {"squashed", "[64]", "%r% = relu %a%\n%q% = sigmoid %a%\n%a^ = mul %r% %q%\n"},
    {"concatenated", "[6]",
     "%c% = concat %a% %a% {axis=0}\n%a^ = slice %c% {start=[1], stop=[7]}\n"},
    {"folded", "[6]",
     "%f% = flip %a% {axes=[0]}\n%c% = concat %a% %f% {axis=0}\n%a^ = slice %c% {start=[1], "
     "stop=[13], step=[2]}\n"},
    {"shifted", "[64]",
     "%s% = slice %a% {start=[1], stop=[64]}\n%c% = pad %s% {lo=[0], hi=[1]}\n%a^ = add %a% %c%\n"},
    {"reversed", "[64]", "%c% = flip %a% {axes=[0]}\n%a^ = add %a% %c%\n"},
    {"wound", "[6,10]", "%c% = transpose %a%\n%a^ = reshape %c% {shape=[6,10]}\n"},
    {"wound and computed", "[6,10]",
     "%c% = transpose %a%\n%d% = reshape %c% {shape=[6,10]}\n%a^ = sin %d%\n"},
    {"padded", "[6]", "%c% = flip %a% {axes=[0]}\n%a^ = pad %c% {lo=[1], hi=[0]}\n"},
};

static ir_module *build_tower(const struct tower *w, unsigned floors) {
    bz_text t = {0};
    bz_textf(&t, "graph main(x: f32%s) { %%a0 = neg %%x\n", w->shape);
    for (unsigned i = 0; i < floors; i++)
        for (const char *s = w->floor; *s; s++)
            if (*s == '^' || (*s == '%' && strchr(" \n", s[1])))
                bz_textf(&t, "%u", *s == '^' ? i + 1 : i);
            else
                bz_text_add(&t, s, 1);
    bz_textf(&t, "return %%a%u }", floors);
    ir_module *m = irt_parse(bz_text_c(&t));
    bz_text_free(&t);
    return m;
}

static uint32_t instructions(const ir_module *m, unsigned target) {
    pass_plan *p;
    uint32_t n = 0;
    compile(m->graphs.p[0], target, &p);
    for (uint32_t i = 0; i < p->code->k.n; i++) n += p->code->k.p[i]->inst.n;
    pass_plan_free(p);
    return n;
}

Test(passes_limits, towers_cost_as_much_as_they_are_high) {
    for (unsigned i = 0; i < BZ_LEN(towers); i++) {
        ir_module *low = build_tower(&towers[i], 60), *high = build_tower(&towers[i], 120);
        for (unsigned t = 0; t < target_count; t++) {
            uint32_t a = instructions(low, t), b = instructions(high, t);
            cr_expect_leq(b, 5 * a / 2 + 100,
                          "%s for %s: 60 floors are %u instructions, 120 are %u", towers[i].name,
                          targets[t].name, a, b);
        }
        ir_module_free(high);
        means_the_same(low, towers[i].name);
    }
}

/* ---- what is too long for one kernel comes in equal pieces */

static const char *const chains[] = {
    "%a^ = sin %a%\n",
    "%b% = erf %a%\n%a^ = mul %b% %x\n",
    "%b% = exp %a%\n%c% = log %b%\n%a^ = pow %c% %x\n",
};

Test(passes_limits, long_chains_are_equal_pieces) {
    for (unsigned i = 0; i < BZ_LEN(chains); i++) {
        struct tower w = {chains[i], "[2000]", chains[i]};
        ir_module *m = build_tower(&w, 300);
        for (unsigned t = 0; t < target_count; t++) {
            pass_plan *p;
            compile(m->graphs.p[0], t, &p);
            cr_expect_leq(p->code->k.n, 5, "%s: %u kernels", w.name, p->code->k.n);
            if (!targets[t].t.eager) cr_expect_geq(p->launches.n, 10, "%u", p->launches.n);
            for (uint32_t k = 0; k < p->code->k.n; k++)
                cr_expect_lt(p->code->k.p[k]->inst.n, 30000, "%s for %s: %u instructions", w.name,
                             targets[t].name, p->code->k.p[k]->inst.n);
            pass_plan_free(p);
        }
        ir_module_free(m);
    }
}

/* Equal names apart, 10,000 of them: a name that is taken is found at once. */
Test(passes_limits, many_inputs_have_names) {
    ir_module *m = ir_module_new();
    ir_graph *g = ir_graph_new(m, "main");
    ir_module_add(m, g);
    for (int i = 0; i < 10000; i++) {
        char name[16];
        snprintf(name, sizeof name, "x%d", i);
        cr_assert_neq(ir_scalar_input(g, name, BZ_F32), 0);
    }
    cr_expect_eq(ir_input_named(g, "x0"), 0);
    cr_expect_eq(ir_input_named(g, "x9999"), 9999);
    cr_expect_eq(ir_input_named(g, "x10000"), -1);
    cr_expect_eq(ir_scalar_input(g, "x4711", BZ_F32), 0);
    cr_expect(strstr(g->err.text, "two inputs are named 'x4711'"), "%s", g->err.text);
    ir_module_free(m);
}
