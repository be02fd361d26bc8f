/* test_strips.c - columns folded in stages have the interpreter's bits at the borders of strips, pieces, vectors and chains. */
#include "src/passes/pass.h"
#include "tests/support/irtest.h"
#include "tests/support/plan_check.h"
#include "tests/support/plan_run.h"
#include "tests/support/targets.h"

#include <criterion/criterion.h>

/* Over the middle axis of x: f32[@o,@k,@c]; y alike, b: of the columns. */
static const char *const bodies[] = {
    "%s = softmax %x {axis=1}\n return %s",
    "%s = log_softmax %x {axis=1}\n %t = mul %s %y\n %u = sum %t {axes=[1]}\n return %s, %u",
    "%m = mean %x {axes=[1], keepdim=true}\n %d = sub %x %m\n %q = mul %d %d\n"
    "%v = mean %q {axes=[1], keepdim=true}\n %e = full {shape=[1], value=1e-5}\n %s = add %v %e\n"
    "%r = rsqrt %s\n %n = mul %d %r\n %z = mul %n %b\n return %z, %m, %r",
    "%h = cast %x {dtype=f16}\n %s = softmax %h {axis=1}\n %g = cast %y {dtype=f64}\n"
    "%t = mul %g %s\n %u = sum %t {axes=[1]}\n return %s, %u",
    "%a = relu %x\n %s = sum %a {axes=[1]}\n %m = max %a {axes=[1]}\n return %a, %s, %m",
    "%t = transpose %x\n %u = relu %t\n %v = transpose %u\n %p = slice %v {start=[0,1,0], "
    "stop=[_,_,_]}\n"
    "%q = pad %p {lo=[0,1,0], hi=[0,0,0], value=0.25}\n %s = softmax %q {axis=1}\n return %s",
};

/* Of AVX-512 a vector is 16 columns, a piece 64, a strip 256 or more; of AVX2 8, 16 and more. */
static const int sizes[][3] = {
    {1, 2, 16},   {3, 5, 17},   {1, 127, 63}, {2, 128, 64},  {1, 129, 65},   {5, 3, 40},
    {1, 257, 16}, {2, 60, 300}, {1, 64, 257}, {1, 16, 2100}, {3, 300, 130},  {40, 4, 24},
    {1, 700, 33}, {2, 21, 999}, {1, 1000, 8}, {1, 4, 20000}, {17, 256, 100},
};

Test(strips, bits) {
    char what[600];
    for (unsigned i = 0; i < BZ_LEN(bodies); i++)
        for (unsigned k = 0; k < BZ_LEN(sizes); k++) {
            bz_text t = {0};
            irt_fill(&t, "graph main(x: f32[@o,@k,@c], y: f32[@o,@k,@c], b: f32[@c]) {\n", "okc",
                     sizes[k]);
            bz_textf(&t, "%s\n}", bodies[i]);
            ir_module *m = irt_parse(bz_text_c(&t));
            plan_check c = {.seed = i + 31 * k,
                            .machine = true,
                            .specials = k % 3 == 1,
                            .threads = 2,
                            .one = k > 4};
            cr_expect(!plan_fault(m->graphs.p[0], &c, what), "body %u, %dx%dx%d: %s", i,
                      sizes[k][0], sizes[k][1], sizes[k][2], what);
            ir_module_free(m);
            bz_text_free(&t);
        }
}

/* The text of the only kernel, where it serves any size; its values are checked. */
static void of_any_size(bz_text *identity, const char *body, const int *size) {
    bz_text t = {0};
    bz_error e = {0};
    ir_value_array in[3] = {{0}}, want[3] = {{0}}, got[3] = {{0}};
    pass_target any = targets[0].t;
    any.any_size = true;
    irt_fill(&t, "graph main(x: f32[@o,@k,@c], y: f32[@o,@k,@c], b: f32[@c]) {\n", "okc", size);
    bz_textf(&t, "%s\n}", body);
    ir_module *m = irt_parse(bz_text_c(&t));
    const ir_graph *g = m->graphs.p[0];
    random_inputs(g, in, (uint64_t)size[1]);
    cr_assert_eq(ir_interpret(g, in, want, &e), BZ_OK, "%s", e.text);
    pass_plan *p = pass_compile(g, &any, &e);
    cr_assert(p && p->code->k.n == 1, "%s: %s", body, e.text);
    lp_identity(identity, p->code->k.p[0], p->code);
    cr_assert_eq(plan_run(p, in, got, &e), BZ_OK, "%s", e.text);
    for (uint32_t i = 0; i < g->outputs.n; i++)
        cr_expect_eq(first_difference(&want[i], &got[i]), -1, "%d rows: output %u", size[1], i);
    free_values(in, g->inputs.n);
    free_values(want, g->outputs.n);
    free_values(got, g->outputs.n);
    pass_plan_free(p);
    ir_module_free(m);
    bz_text_free(&t);
}

Test(strips, one_kernel_for_many_numbers_of_rows) {
    static const int rows[2][4] = {{2, 5, 127, 128}, {129, 130, 200, 256}};
    for (unsigned i = 0; i < BZ_LEN(rows); i++)
        for (unsigned j = 0; j < 4; j++) {
            bz_text first = {0}, own = {0};
            of_any_size(&first, bodies[0], (int[]){2, rows[i][0], 300});
            of_any_size(&own, bodies[0], (int[]){3, rows[i][j], 300});
            cr_expect_str_eq(bz_text_c(&first), bz_text_c(&own), "%d rows", rows[i][j]);
            bz_text_free(&first);
            bz_text_free(&own);
        }
}
