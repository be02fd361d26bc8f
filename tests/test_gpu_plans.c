/* test_gpu_plans.c - plans for a graphics processor on the interpreter of the kernel loops, tasks in any order, against the interpreter of
 * graphs, bit for bit: what its own schedules do at their borders (a warp's elements, a block of additions, tiles), for all dtypes. */
#include "tests/support/irtest.h"
#include "tests/support/plan_run.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

/* # stands for each dtype in turn. */
static const struct program {
    const char *name, *dtypes, *text;
    const char *kernel; /* what must stand in the loops */
} programs[] = {
    {"softmax", "f32 f64 f16 bf16",
     "graph main(x: #[9,%d]) { %%y = softmax %%x {axis=1}\n return %%y }", "lane"},
    {"sums", "f32 f64 f16 i32 i64 u8",
     "graph main(x: #[5,%d]) { %%y = sum %%x {axes=[1]}\n return %%y }", "lane"},
    {"largest", "f32 bf16 i8 i64",
     "graph main(x: #[11,%d]) { %%y = max %%x {axes=[1]}\n %%i = argmax %%x {axes=[1]}\n return %%y, "
     "%%i }",
     "lane"},
    {"normed", "f32 f64", "graph main(x: #[3,%d]) { %%y = layer_norm %%x {ndims=1}\n return %%y }",
     "lane"},
    {"any", "bool",
     "graph main(x: #[4,%d]) { %%y = any %%x {axes=[1]}\n %%z = all %%x {axes=[1]}\n return %%y, "
     "%%z }",
     "lane"},
    {"product", "f32 i32", "graph main(x: #[4,%d]) { %%y = prod %%x {axes=[1]}\n return %%y }",
     "lane"},
    {"all", "f32 f64", "graph main(x: #[%d]) { %%y = sum %%x\n return %%y }", "lane"},
    {"between", "f32",
     "graph main(x: #[2,3,%d], b: #[3,1]) { %%s = sum %%x {axes=[2], keepdim=1}\n %%d = div %%x "
     "%%s\n %%y = mul %%d %%b\n return %%y, %%s }",
     "lane"},
};

static const int lengths[] = {64, 100, 127, 128, 129, 1000, 1024, 1025, 4096, 5000, 9001};

static void check(const struct program *p, const char *dtype, int n) {
    char with[400], text[500];
    size_t at = 0;
    for (const char *s = p->text; *s; s++)
        at += (size_t)(*s == '#' ? sprintf(with + at, "%s", dtype) : sprintf(with + at, "%c", *s));
    snprintf(text, sizeof text, with, n);
    bz_error e = {0};
    ir_value_array in[4] = {{0}}, want[4] = {{0}}, got[4] = {{0}};
    ir_module *m = irt_parse(text);
    const ir_graph *g = m->graphs.p[0];
    random_inputs(g, in, (uint64_t)n);
    for (uint32_t i = 0; i < g->inputs.n && n % 2; i++) sprinkle_specials(&in[i], &(uint64_t){i});
    cr_assert_eq(ir_interpret(g, in, want, &e), BZ_OK, "%s: %s", text, e.text);
    pass_plan *plan = pass_compile(g, &pass_gpu_target, &e);
    cr_assert(plan, "%s: %s", text, e.text);
    bz_text loops = {0};
    lp_print_module(&loops, plan->code);
    cr_expect(strstr(bz_text_c(&loops), p->kernel), "%s: no %s", text, p->kernel);
    bz_text_free(&loops);
    cr_assert_eq(plan_run(plan, in, got, &e), BZ_OK, "%s: %s", text, e.text);
    for (uint32_t i = 0; i < g->outputs.n; i++)
        cr_expect_eq(first_difference(&want[i], &got[i]), -1, "%s: output %u at %lld", text, i,
                     (long long)first_difference(&want[i], &got[i]));
    free_values(in, g->inputs.n);
    free_values(want, g->outputs.n);
    free_values(got, g->outputs.n);
    pass_plan_free(plan);
    ir_module_free(m);
}

Test(gpu_plans, rows_of_any_length) {
    for (size_t i = 0; i < BZ_LEN(programs); i++) {
        char list[64], *save = NULL;
        snprintf(list, sizeof list, "%s", programs[i].dtypes);
        for (char *t = strtok_r(list, " ", &save); t; t = strtok_r(NULL, " ", &save))
            for (size_t k = 0; k < BZ_LEN(lengths); k++) check(&programs[i], t, lengths[k]);
    }
}
