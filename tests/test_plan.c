/* test_plan.c - what pass_compile makes of a graph means what the graph means: every plan, run on the interpreter of the kernel loops,
 * gives the bits of the reference interpreter, for each vector width, with and without masks, fused and one kernel per op. Also every
 * graph that tests/fuzz_graphs.c has found a fault with: tests/ir/regress. */
#include "tests/support/irtest.h"
#include "tests/support/plan_run.h"
#include "tests/support/targets.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct program {
    const char *name, *text;
    int kernels; /* launches that the fused plan must have */
} program;

static const program programs[] = {
#define P(name, kernels, text) {#name, text, kernels},
#include "tests/ir/programs.def"
#undef P
};

static void show(const pass_plan *p) {
    bz_text t = {0};
    ir_print(&t, p->graph);
    pass_plan_print(&t, p);
    if (getenv("PLAN_KERNELS")) lp_print_module(&t, p->code);
    fprintf(stderr, "%s\n", bz_text_c(&t));
    bz_text_free(&t);
}

static void check(const program *q, unsigned target, const ir_graph *g, const ir_value_array *in,
                  const ir_value_array *want) {
    bz_error e = {0};
    pass_plan *p = pass_compile(g, &targets[target].t, &e);
    cr_assert(p, "%s for %s: %s", q->name, targets[target].name, e.text);
    ir_value_array out[16];
    bz_status st = plan_run(p, in, out, &e);
    if (st || getenv("PLAN_SHOW")) show(p);
    cr_assert(!st, "%s for %s: %s", q->name, targets[target].name, e.text);
    for (uint32_t i = 0; i < g->outputs.n; i++) {
        int64_t at = first_difference(&want[i], &out[i]);
        if (at >= 0) show(p);
        cr_expect(
            at < 0, "%s for %s: output %u differs at element %lld: %a, not %a", q->name,
            targets[target].name, i, (long long)at,
            at < 0 ? 0
                   : ir_bits_to_f64(
                         out[i].dtype,
                         ir_load_bits(out[i].dtype, (char *)out[i].data +
                                                        (size_t)at * ir_dtype_bytes(out[i].dtype))),
            at < 0 ? 0
                   : ir_bits_to_f64(want[i].dtype,
                                    ir_load_bits(want[i].dtype,
                                                 (char *)want[i].data +
                                                     (size_t)at * ir_dtype_bytes(want[i].dtype))));
    }
    if (target == 0 && q->kernels >= 0)
        cr_expect_eq((int)p->launches.n, q->kernels, "%s: %u kernels, %d expected", q->name,
                     p->launches.n, q->kernels);
    free_values(out, g->outputs.n);
    pass_plan_free(p);
}

static void run(const program *q) {
    bz_error e = {0};
    ir_module *m = ir_parse(q->text, strlen(q->text), q->name, &e);
    cr_assert(m, "%s:%d:%d: %s", q->name, e.line, e.column, e.text);
    const ir_graph *g = m->graphs.p[0];
    ir_value_array in[32], want[16];
    random_inputs(g, in, 7);
    cr_assert(!ir_interpret(g, in, want, &e), "%s: %s", q->name, e.text);
    for (unsigned t = 0; t < target_count; t++) check(q, t, g, in, want);
    free_values(in, g->inputs.n);
    free_values(want, g->outputs.n);
    ir_module_free(m);
}

Test(plan, programs_mean_the_same) {
    const char *only = getenv("PLAN_ONLY");
    for (unsigned i = 0; i < BZ_LEN(programs); i++)
        if (!only || !strcmp(only, programs[i].name)) run(&programs[i]);
}

Test(plan, old_faults_stay_away) {
    char path[512];
    const char *root = getenv("BRAZE_SRC"), *only = getenv("PLAN_ONLY");
    snprintf(path, sizeof path, "%s/tests/ir/regress", root ? root : ".");
    DIR *d = opendir(path);
    unsigned files = 0;
    cr_assert(d, "%s does not open", path);
    for (struct dirent *f; (f = readdir(d));) {
        size_t size, n = strlen(f->d_name);
        if (n < 4 || strcmp(f->d_name + n - 3, ".bz") || (only && strcmp(only, f->d_name)))
            continue;
        snprintf(path, sizeof path, "tests/ir/regress/%s", f->d_name);
        char *text = irt_read(path, &size);
        cr_assert(text, "%s does not open", path);
        run(&(program){f->d_name, text, -1});
        bz_mem_free(text);
        files++;
    }
    closedir(d);
    cr_expect(only || files >= 5, "%u files", files);
}

/* ---- equal layers are equal code: what is not in a kernel is where its nodes stand */

/* Layers with a product, rows and a look-up, each line of its own. */
static pass_plan *layers(unsigned n, unsigned target, ir_module **m) {
    bz_text t = {0};
    bz_error e = {0};
    bz_textf(&t, "graph main(x: f32[16,24], i: i64[16]");
    for (unsigned k = 0; k < n; k++) bz_textf(&t, ", w%u: f32[24,24]", k);
    bz_textf(&t, ") { %%h0 = neg %%x\n");
    for (unsigned k = 0; k < n; k++)
        bz_textf(&t,
                 "%%d%u = matmul %%h%u %%w%u @ \"a.c:%u\"\n%%s%u = softmax %%d%u @ \"b.c:%u\"\n"
                 "%%h%u = gather %%s%u %%i @ \"c.c:%u\"\n",
                 k, k, k, k, k, k, k, k + 1, k, k);
    bz_textf(&t, "return %%h%u }", n);
    *m = irt_parse(bz_text_c(&t));
    bz_text_free(&t);
    pass_plan *p = pass_compile((*m)->graphs.p[0], &targets[target].t, &e);
    cr_assert(p, "%s", e.text);
    return p;
}

Test(plan, equal_layers_are_equal_kernels) {
    for (unsigned t = 0; t < target_count; t++) {
        ir_module *a, *b;
        pass_plan *few = layers(3, t, &a), *many = layers(12, t, &b);
        cr_expect_gt(many->launches.n, 3 * few->launches.n);
        cr_expect_eq(many->code->k.n, few->code->k.n, "%s: 3 layers have %u kernels, 12 have %u",
                     targets[t].name, few->code->k.n, many->code->k.n);
        pass_plan_free(few);
        pass_plan_free(many);
        ir_module_free(a);
        ir_module_free(b);
    }
}

/* Vector loads that read ahead and vector loads in all kernels of a plan. */
static void count_loads(const pass_plan *p, unsigned *ahead, unsigned *all) {
    *ahead = *all = 0;
    for (uint32_t i = 0; i < p->code->k.n; i++) {
        const lp_kernel *k = p->code->k.p[i];
        for (uint32_t n = 1; n < k->inst.n; n++) {
            bool load = k->inst.p[n].op == LP_LOAD && k->inst.p[n].lanes > 1;
            *all += load;
            *ahead += load && k->inst.p[n].flags & LP_STREAM;
        }
    }
}

Test(plan, the_one_big_operand_is_read_ahead) {
    static const struct {
        const char *text;
        bool some, every; /* of the vector loads read ahead */
    } cases[] = {
        {"graph g(x: f32[4096,1024]) {\n  %1 = sum %x {axes=[1]}\n  return %1\n}", true, true},
        {"graph g(x: f32[128,1024]) {\n  %1 = sum %x {axes=[1]}\n  return %1\n}", false,
         false}, /* the caches hold it */
        {"graph g(x: f32[16384,1024], w: f32[1024]) {\n  %1 = mul %x %w\n  return %1\n}", true,
         false},
        {"graph g(x: f32[16384,1024], y: f32[16384,1024]) {\n  %1 = mul %x %y\n  return %1\n}",
         false, false}, /* two of them */
    };
    for (unsigned i = 0; i < BZ_LEN(cases); i++) {
        bz_error e = {0};
        unsigned ahead, all;
        ir_module *m = ir_parse(cases[i].text, strlen(cases[i].text), "case", &e);
        cr_assert(m, "case %u: %s", i, e.text);
        pass_plan *p = pass_compile(m->graphs.p[0], &targets[0].t, &e);
        cr_assert(p, "case %u: %s", i, e.text);
        count_loads(p, &ahead, &all);
        cr_expect(all && !!ahead == cases[i].some && (ahead == all) == cases[i].every,
                  "case %u: %u of %u loads", i, ahead, all);
        pass_plan_free(p);
        ir_module_free(m);
    }
}

/* Prefetches in all kernels of the plan of a graph. */
static unsigned prefetches(const char *text) {
    bz_error e = {0};
    unsigned n = 0;
    ir_module *m = ir_parse(text, strlen(text), "case", &e);
    cr_assert(m, "%s", e.text);
    pass_plan *p = pass_compile(m->graphs.p[0], &targets[0].t, &e);
    cr_assert(p, "%s", e.text);
    for (uint32_t i = 0; i < p->code->k.n; i++)
        for (uint32_t k = 1; k < p->code->k.p[i]->inst.n; k++)
            n += p->code->k.p[i]->inst.p[k].op == LP_PREFETCH;
    pass_plan_free(p);
    ir_module_free(m);
    return n;
}

Test(plan, columns_ask_for_later_rows) {
    /* from memory: a line for each of the piece's vectors */
    cr_expect_eq(
        prefetches("graph g(x: f32[4096,1024]) {\n  %1 = sum %x {axes=[0]}\n  return %1\n}"), 4);
    cr_expect_eq(prefetches("graph g(x: f32[128,512]) {\n  %1 = sum %x {axes=[0]}\n  return %1\n}"),
                 0);
    /* neighbours of a row are not neighbours in memory */
    cr_expect_eq(prefetches("graph g(x: f32[1024,4096]) {\n  %1 = permute %x {perm=[1,0]}\n  %2 = "
                            "sum %1 {axes=[0]}\n  return %2\n}"),
                 0);
}
