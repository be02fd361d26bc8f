/* test_siblings.c - reductions of the same rows share a kernel, and give the interpreter's bits there. */
#include "src/passes/pass.h"
#include "tests/support/irtest.h"
#include "tests/support/plan_check.h"
#include "tests/support/targets.h"

#include <stdlib.h>
#include <criterion/criterion.h>
#include <string.h>

static const struct form {
    const char *name, *body;
    unsigned launches;
} forms[] = {
    {"sum, sum of squares, maximum",
     "%s = sum %x {axes=[1]}\n %q = mul %x %x\n %t = sum %q {axes=[1]}\n %m = max %x {axes=[1]}\n"
     "return %s, %t, %m",
     1},
    {"of all elements", "%s = sum %x\n %m = max %x\n %n = min %x\n return %s, %m, %n", 1},
    {"with what is made of them",
     "%s = softmax %x\n %m = mean %x {axes=[1]}\n %n = neg %m\n %l = layer_norm %x\n return %s, "
     "%n, %l",
     1},
    {"columns",
     "%s = sum %x {axes=[0]}\n %q = mul %x %x\n %t = sum %q {axes=[0]}\n %m = max %x {axes=[0]}\n"
     "%u = add %s %b\n return %u, %t, %m",
     1},
    {"columns of other dtypes",
     "%s = sum %x {axes=[0]}\n %o = gt %x %y\n %t = sum %o {axes=[0]}\n %h = cast %y {dtype=f64}\n"
     "%m = sum %h {axes=[0]}\n return %s, %t, %m",
     1},
    {"more columns than one pass folds, which a cache holds",
     "%a = sum %x {axes=[0]}\n %b1 = max %x {axes=[0]}\n %c = min %x {axes=[0]}\n %d = prod %x "
     "{axes=[0]}\n"
     "%q = mul %x %x\n %e = sum %q {axes=[0]}\n return %a, %b1, %c, %d, %e",
     1},
    {"argmax beside the maximum",
     "%a = argmax %x {axes=[1]}\n %m = max %x {axes=[1]}\n return %a, %m", 1},
    {"read turned",
     "%y2 = transpose %z\n %s = sum %y2 {axes=[1]}\n %m = max %z {axes=[1]}\n return %s, %m", 1},
    {"other axes", "%s = sum %x {axes=[1]}\n %m = max %x {axes=[0]}\n return %s, %m", 2},
    {"other rows", "%s = sum %x {axes=[1]}\n %m = max %y {axes=[1]}\n return %s, %m", 2},
    {"a row alone is shared",
     "%a = add %x %b\n %s = sum %a {axes=[1]}\n %c = mul %y %b\n %m = max %c {axes=[1]}\n return "
     "%s, %m",
     2},
    {"parts of one tensor",
     "%u = slice %z {start=[0,0], stop=[2,_]}\n %v = slice %z {start=[1,0], stop=[3,_]}\n"
     "%s = sum %u {axes=[1]}\n %m = max %v {axes=[1]}\n return %s, %m",
     2},
    {"one needs the whole of the other",
     "%s = sum %x\n %t = div %y %s\n %u = max %t {axes=[0]}\n %v = mul %x %u\n %w = sum %v\n "
     "return %s, %w",
     3},
    {"of a product",
     "%p = matmul %x %z\n %s = sum %p {axes=[1]}\n %m = max %p {axes=[1]}\n return %s, %m", 3},
};

/* rows, columns, rows of z: short rows, a tail, several blocks, blocks as tasks; short columns, several strips */
static const int sizes[][3] = {{5, 3, 3},    {40, 33, 33},  {2, 9000, 1},  {1, 140000, 1},
                               {9000, 5, 5}, {300, 700, 1}, {1500, 400, 1}};

static ir_module *parse(const struct form *f, const int *s) {
    bz_text t = {0};
    irt_fill(&t, "graph main(x: f32[@r,@c], y: f32[@r,@c], z: f32[@z,@z], b: f32[@c]) {\n", "rcz",
             s);
    bz_textf(&t, "%s\n}", f->body);
    ir_module *m = irt_parse(bz_text_c(&t));
    bz_text_free(&t);
    return m;
}

static void launches(const struct form *f, const int *size, unsigned want) {
    ir_module *m = parse(f, size);
    bz_error e = {0};
    pass_plan *p = pass_compile(m->graphs.p[0], &targets[0].t, &e);
    cr_assert(p, "%s: %s", f->name, e.text);
    cr_expect_eq(p->launches.n, want, "%s, %d rows: %u launches", f->name, size[0], p->launches.n);
    pass_plan_free(p);
    ir_module_free(m);
}

Test(siblings, share_a_kernel) {
    for (unsigned i = 0; i < BZ_LEN(forms); i++) {
        launches(&forms[i], sizes[1], forms[i].launches);
        if (strstr(forms[i].name, "which a cache holds")) launches(&forms[i], sizes[4], 2);
    }
}

Test(siblings, bits) {
    char what[600];
    for (unsigned i = 0; i < BZ_LEN(forms); i++)
        for (unsigned k = 0; k < BZ_LEN(sizes); k++) {
            if (sizes[k][2] == 1 && strstr(forms[i].body, "%z")) continue;
            ir_module *m = parse(&forms[i], sizes[k]);
            plan_check c = {.seed = i + k,
                            .machine = k != 3,
                            .specials = k == 1,
                            .threads = 2,
                            .one = k > 1 && getenv("BRAZE_QUICK")};
            cr_expect(!plan_fault(m->graphs.p[0], &c, what), "%s, %dx%d: %s", forms[i].name,
                      sizes[k][0], sizes[k][1], what);
            ir_module_free(m);
        }
}
