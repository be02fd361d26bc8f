/* test_short_rows.c - short rows, which vectors take side by side, have the interpreter's bits: at each length, with tails of rows, of every
 * width of elements; and what may not be turned is computed all the same. */
#include "src/passes/pass.h"
#include "tests/support/irtest.h"
#include "tests/support/plan_check.h"
#include "tests/support/targets.h"

#include <criterion/criterion.h>

/* Over the last axis of x: f32[@r,@k]; y alike, b: of the rows, c: of the columns. */
static const char *const bodies[] = {
    "%s = argmax %x {axes=[1]}\n %t = max %x {axes=[1]}\n return %s, %t",
    "%s = softmax %x {axis=1}\n return %s",
    "%s = log_softmax %x {axis=1}\n %t = mul %s %y\n %u = sum %t {axes=[1]}\n %v = neg %u\n return "
    "%v, %s",
    "%m = mean %x {axes=[1], keepdim=true}\n %d = sub %x %m\n %q = mul %d %d\n"
    "%v = sum %q {axes=[1], keepdim=true}\n %n = mul %d %v\n %z = add %n %c\n %w = mul %v %b\n "
    "return %z, %w, %m",
    "%h = cast %x {dtype=f16}\n %s = softmax %h {axis=1}\n %g = cast %y {dtype=f64}\n"
    "%t = mul %g %s\n %u = prod %t {axes=[1]}\n %i = argmin %g {axes=[1]}\n return %s, %u, %i",
    "%i = cast %x {dtype=i8}\n %s = sum %i {axes=[1]}\n %m = min %i {axes=[1]}\n %a = any %i "
    "{axes=[1]}\n return %s, %m, %a",
    "%t = transpose %x\n %u = relu %t\n %v = transpose %u\n %p = slice %v {start=[1,0], "
    "stop=[_,_]}\n"
    "%s = softmax %p {axis=1}\n return %s",
    "%p = pad %x {lo=[0,1], hi=[1,0], value=0.25}\n %s = softmax %p {axis=1}\n %m = max %p "
    "{axes=[1]}\n return %s, %m",
    "%o = concat %x %y {axis=0}\n %s = var %o {axes=[1]}\n %m = max %o {axes=[1]}\n return %s, %m",
};

/* Vectors are 16 rows of f32 for AVX-512, 8 for AVX2. */
static const int sizes[][2] = {
    {16, 2},  {17, 3},   {40, 4},  {33, 5},  {1000, 6}, {64, 7},    {31, 8},  {50, 9},  {4001, 10},
    {18, 11}, {100, 12}, {47, 13}, {19, 14}, {16, 15},  {2000, 16}, {65, 17}, {20, 20}, {37, 23},
    {16, 24}, {129, 25}, {48, 31}, {21, 32}, {16, 33},  {3, 10},    {15, 7},
};

Test(short_rows, bits) {
    char what[600];
    for (unsigned i = 0; i < BZ_LEN(bodies); i++)
        for (unsigned k = 0; k < BZ_LEN(sizes); k++) {
            bz_text t = {0};
            irt_fill(&t, "graph main(x: f32[@r,@k], y: f32[@r,@k], b: f32[@r,1], c: f32[@k]) {\n",
                     "rk", sizes[k]);
            bz_textf(&t, "%s\n}", bodies[i]);
            ir_module *m = irt_parse(bz_text_c(&t));
            plan_check c = {.seed = i + 31 * k,
                            .machine = (i + k) % 3 == 0,
                            .specials = k % 2 == 1,
                            .threads = 2,
                            .one = k % 4 != 0};
            cr_expect(!plan_fault(m->graphs.p[0], &c, what), "body %u, %dx%d: %s", i, sizes[k][0],
                      sizes[k][1], what);
            ir_module_free(m);
            bz_text_free(&t);
        }
}
