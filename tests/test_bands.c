/* test_bands.c - products and the reductions of their rows in one kernel: the interpreter's bits, and nothing kept of what is handed on. */
#include "src/passes/pass.h"
#include "tests/support/irtest.h"
#include "tests/support/plan_check.h"
#include "tests/support/targets.h"

#include <criterion/criterion.h>
#include <string.h>

/* q: [m, d], k: [n, d], v: [n, e], for each of a batch; # stands for the batch axes and their comma. */
static const struct form {
    const char *name, *body;
    unsigned launches; /* for a target that bands everything */
} forms[] = {
    {"attention",
     "%s = matmul %q %kt\n %t = mul %s 0.125\n %p = softmax %t\n %y = matmul %p %v\n return %y", 1},
    {"causal",
     "%s = matmul %q %kt\n %t = div %s 3.0\n %row = iota {shape=[@m]}\n %col = iota {shape=[@n]}\n"
     "%r = reshape %row {shape=[@m,1]}\n %later = gt %col %r\n %u = where %later -inf %t\n"
     "%p = softmax %u\n %y = matmul %p %v\n return %y",
     1},
    {"strictly causal, the other way round",
     "%s = matmul %q %kt\n %row = iota {shape=[@m]}\n %col = iota {shape=[@n]}\n"
     "%r = reshape %row {shape=[@m,1]}\n %c2 = add %col 1\n %seen = le %c2 %r\n %u = where %seen "
     "%s -3.0\n"
     "%p = softmax %u\n %y = matmul %p %v\n return %y",
     1},
    {"masked by an input",
     "%s = matmul %q %kt\n %t = add %s %mask\n %p = softmax %t\n %y = matmul %p %v\n return %y", 1},
    {"epilogue",
     "%s = matmul %q %kt\n %p = softmax %s\n %y = matmul %p %v\n %z = tanh %y\n %w = add %z %q0\n "
     "return %w",
     1},
    {"rows alone",
     "%s = matmul %q %kt\n %l = log_softmax %s\n %m = sum %l {axes=[-1]}\n return %m, %l", 1},
    {"norm", "%s = matmul %q %kt\n %l = layer_norm %s\n %y = matmul %l %v\n return %y", 1},
    {"the weights are wanted too",
     "%s = matmul %q %kt\n %p = softmax %s\n %y = matmul %p %v\n return %y, %p", 2},
    {"the scores are wanted too",
     "%s = matmul %q %kt\n %p = softmax %s\n %y = matmul %p %v\n return %y, %s", 3},
    {"rows of the transposed",
     "%s = matmul %q %kt\n %p = softmax %s {axis=-2}\n %y = matmul %p %v\n return %y", 5},
};

/* batch, m, n, d, e: one row, tails of panels, several blocks of 512. */
static const int sizes[][5] = {{1, 1, 2, 3, 2},   {2, 7, 9, 4, 5},    {1, 15, 40, 8, 17},
                               {1, 29, 33, 6, 8}, {1, 3, 1030, 5, 4}, {1, 20, 64, 8, 16},
                               {1, 20, 10, 0, 3}, {1, 16, 16, 4, 4}};

static ir_module *parse(unsigned form, const int *s, const char *dtype) {
    bz_text t = {0}, own = {0};
    irt_fill(&t,
             "graph main(q: $[@b,2,@m,@d], k: $[@b,2,@n,@d], v: $[@b,2,@n,@e], mask: $[@m,@n], q0: "
             "$[@m,@e]) {\n"
             " %kt = permute %k {perm=[0,1,3,2]}\n",
             "bmnde", s);
    irt_fill(&t, forms[form].body, "bmnde", s);
    bz_text_str(&t, "\n}");
    for (const char *p = bz_text_c(&t); *p; p++)
        *p == '$' ? bz_text_str(&own, dtype) : bz_text_add(&own, p, 1);
    ir_module *m = irt_parse(bz_text_c(&own));
    bz_text_free(&t);
    bz_text_free(&own);
    return m;
}

static void check(unsigned form, const char *dtype) {
    char what[600];
    for (unsigned i = form % 2; i < BZ_LEN(sizes); i += 2) {
        const int *s = sizes[i];
        ir_module *m = parse(form, s, dtype);
        plan_check c = {.seed = i, .machine = i % 4 < 2, .specials = i % 3 == 2, .threads = 2};
        cr_expect(!plan_fault(m->graphs.p[0], &c, what), "%s, %s, %dx%dx%dx%dx%d: %s",
                  forms[form].name, dtype, s[0], s[1], s[2], s[3], s[4], what);
        ir_module_free(m);
    }
}

Test(bands, f32) {
    for (unsigned i = 0; i < BZ_LEN(forms); i++) check(i, "f32");
}

Test(bands, bf16) {
    for (unsigned i = 0; i < 2; i++) check(i, "bf16");
}

Test(bands, f64) {
    check(1, "f64");
}

static unsigned launches(const ir_graph *g, const pass_target *t, int64_t *arena) {
    bz_error e = {0};
    pass_plan *p = pass_compile(g, t, &e);
    cr_assert(p, "%s", e.text);
    unsigned n = p->launches.n;
    *arena = p->arena_bytes;
    pass_plan_free(p);
    return n;
}

Test(bands, what_is_handed_on_is_no_buffer) {
    static const int s[] = {1, 300, 400, 16, 16};
    for (unsigned i = 0; i < BZ_LEN(forms); i++) {
        ir_module *m = parse(i, s, "f32");
        pass_target all = targets[0].t, none = targets[0].t;
        int64_t less, more;
        all.cached = 0;
        none.cached = INT64_MAX;
        unsigned n = launches(m->graphs.p[0], &all, &less);
        cr_expect_eq(n, forms[i].launches, "%s: %u launches", forms[i].name, n);
        cr_expect_geq(launches(m->graphs.p[0], &none, &more), 2u);
        if (i < 5) cr_expect_leq(less + 300 * 400 * 4, more, "%s", forms[i].name);
        ir_module_free(m);
    }
}

/* Choices that the code of a plan makes at run time: in its functions, in its kernels. */
static void count_choices(unsigned form, unsigned n[2]) {
    static const int s[] = {1, 300, 512, 16, 16};
    ir_module *m = parse(form, s, "f32");
    pass_target all = targets[0].t;
    bz_error e = {0};
    all.cached = 0;
    pass_plan *p = pass_compile(m->graphs.p[0], &all, &e);
    cr_assert(p, "%s", e.text);
    n[0] = n[1] = 0;
    for (uint32_t k = 0; k < p->code->k.n; k++)
        for (uint32_t i = 0; i < p->code->k.p[k]->inst.n; i++)
            n[!p->code->k.p[k]->function] += p->code->k.p[k]->inst.p[i].op == LP_IF;
    pass_plan_free(p);
    ir_module_free(m);
}

Test(bands, what_nobody_sees_is_left_out) {
    unsigned plain[2], n[2];
    count_choices(0, plain);
    cr_expect_eq(plain[0], 0, "nothing is looked for without a mask");
    for (unsigned form = 1; form <= 2; form++) {
        count_choices(form, n);
        cr_expect_gt(n[0], 0u, "%s: blocks of zeros", forms[form].name);
        cr_expect_gt(n[1], plain[1], "%s: tiles", forms[form].name);
    }
    count_choices(3, n);
    cr_expect_eq(n[0], 0, "a mask from memory tells nothing about tiles");
}
