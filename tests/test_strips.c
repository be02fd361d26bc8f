/* test_strips.c - columns folded in stages have the interpreter's bits at the borders of strips, pieces, vectors and chains. */
#include "tests/support/irtest.h"
#include "tests/support/plan_check.h"

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
