/* test_bands.c - products and the reductions of their rows in one kernel: the interpreter's bits, and nothing kept of what is handed on. */
#include "src/passes/pass.h"
#include "tests/support/irtest.h"
#include "tests/support/plan_check.h"
#include "tests/support/plan_cuda.h"
#include "tests/support/targets.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* q: [m, d], k: [n, d], v: [n, e], for each of a batch; # stands for the batch axes and their comma. */
static const struct form {
    const char *name, *body;
    unsigned launches; /* for a target that bands everything */
    bool masked;       /* by indices */
} forms[] = {
    {"attention",
     "%s = matmul %q %kt\n %t = mul %s 0.125\n %p = softmax %t\n %y = matmul %p %v\n return %y", 1,
     false},
    {"causal",
     "%s = matmul %q %kt\n %t = div %s 3.0\n %row = iota {shape=[@m]}\n %col = iota {shape=[@n]}\n"
     "%r = reshape %row {shape=[@m,1]}\n %later = gt %col %r\n %u = where %later -inf %t\n"
     "%p = softmax %u\n %y = matmul %p %v\n return %y",
     1, true},
    {"strictly causal, the other way round",
     "%s = matmul %q %kt\n %row = iota {shape=[@m]}\n %col = iota {shape=[@n]}\n"
     "%r = reshape %row {shape=[@m,1]}\n %c2 = add %col 1\n %seen = le %c2 %r\n %u = where %seen "
     "%s -3.0\n"
     "%p = softmax %u\n %y = matmul %p %v\n return %y",
     1, true},
    {"causal, with rows of which nothing is seen",
     "%row = iota {shape=[@m]}\n %col = iota {shape=[@n]}\n %r = reshape %row {shape=[@m,1]}\n"
     "%s = matmul %q %kt\n %later = ge %col %r\n %u = where %later -inf %s\n"
     "%p = softmax %u\n %y = matmul %p %v\n return %y",
     1, true},
    {"what comes before is hidden",
     "%row = iota {shape=[@m]}\n %col = iota {shape=[@n]}\n %r = reshape %row {shape=[@m,1]}\n"
     "%s = matmul %q %kt\n %later = ge %col %r\n %u = where %later %s -100.0\n"
     "%l = log_softmax %u\n %y = matmul %l %v\n return %y",
     1, true},
    {"from the 4100th on",
     "%row = iota {shape=[@m]}\n %col = iota {shape=[@n]}\n %r0 = reshape %row {shape=[@m,1]}\n"
     "%r = add %r0 4100\n %s = matmul %q %kt\n %later = gt %col %r\n %u = where %later -inf %s\n"
     "%p = softmax %u\n %y = matmul %p %v\n return %y",
     1, true},
    {"some rows alone",
     "%row = iota {shape=[@m]}\n %r = reshape %row {shape=[@m,1]}\n %first = lt %r 5\n"
     "%x = expand %first {shape=[@m,@n]}\n %s = matmul %q %kt\n %u = where %x -inf %s\n"
     "%p = softmax %u\n %y = matmul %p %v\n return %y",
     1, true},
    {"causal, normed, the least and the most of a row",
     "%row = iota {shape=[@m]}\n %col = iota {shape=[@n]}\n %r = reshape %row {shape=[@m,1]}\n"
     "%s = matmul %q %kt\n %later = gt %col %r\n %u = where %later 0.0 %s\n %e = exp %u\n"
     "%a = max %e {axes=[-1], keepdim=true}\n %b = min %e {axes=[-1], keepdim=true}\n"
     "%c = sub %e %a\n %d = div %c %b\n"
     "%t = sum %d {axes=[-1], keepdim=true}\n %p = sub %d %t\n %y = matmul %p %v\n return %y",
     1, true},
    {"causal, with a number for each column",
     "%row = iota {shape=[@m]}\n %col = iota {shape=[@n]}\n %r = reshape %row {shape=[@m,1]}\n"
     "%s = matmul %q %kt\n %later = gt %col %r\n %u = where %later -inf %s\n"
     "%p = softmax %u\n %w = mul %p %mask\n %y = matmul %w %v\n return %y",
     1, true},
    {"causal, with gradients",
     "%row = iota {shape=[@m]}\n %col = iota {shape=[@n]}\n %r = reshape %row {shape=[@m,1]}\n"
     "%s = matmul %q %kt\n %later = gt %col %r\n %u = where %later -inf %s\n"
     "%p = softmax %u\n %y = matmul %p %v\n %vt = permute %v {perm=[0,1,3,2]}\n"
     "%dp = matmul %q0 %vt\n %t = mul %dp %p\n %sum = sum %t {axes=[-1], keepdim=true}\n"
     "%c = sub %dp %sum\n %g = mul %c %p\n %ds = where %later 0.0 %g\n %dq = matmul %ds %k\n"
     "%pt = permute %p {perm=[0,1,3,2]}\n %dv = matmul %pt %q0\n return %y, %dq, %ds, %dv",
     2, true},
    {"masked by an input",
     "%s = matmul %q %kt\n %t = add %s %mask\n %p = softmax %t\n %y = matmul %p %v\n return %y", 1,
     false},
    {"epilogue",
     "%s = matmul %q %kt\n %p = softmax %s\n %y = matmul %p %v\n %z = tanh %y\n %w = add %z %q0\n "
     "return %w",
     1, false},
    {"rows alone",
     "%s = matmul %q %kt\n %l = log_softmax %s\n %m = sum %l {axes=[-1]}\n return %m, %l", 1,
     false},
    {"norm", "%s = matmul %q %kt\n %l = layer_norm %s\n %y = matmul %l %v\n return %y", 1, false},
    {"the weights are wanted too",
     "%s = matmul %q %kt\n %p = softmax %s\n %y = matmul %p %v\n return %y, %p", 1, false},
    {"the scores are wanted too",
     "%s = matmul %q %kt\n %p = softmax %s\n %y = matmul %p %v\n return %y, %s", 3, false},
    {"what a product gives comes back to another by way of its columns",
     "%s = matmul %q %kt\n %p = softmax %s\n %y = matmul %p %v\n"
     "%m = max %y {axes=[-2], keepdim=true}\n %z = sub %v %m\n %w = matmul %p %z\n return %y, %w",
     3, false},
    {"rows of the transposed",
     "%s = matmul %q %kt\n %p = softmax %s {axis=-2}\n %y = matmul %p %v\n return %y", 5, false},
};

/* batch, m, n, d, e: one row, tails of panels, several blocks of 512. */
static const int sizes[][5] = {{1, 1, 2, 3, 2},   {2, 7, 9, 4, 5},    {1, 15, 40, 8, 17},
                               {1, 29, 33, 6, 8}, {1, 3, 1030, 5, 4}, {1, 20, 64, 8, 16},
                               {1, 20, 10, 0, 3}, {1, 16, 16, 4, 4}};
/* For masks: rows of several times the lanes of a sum, of several blocks of 4096. */
static const int long_rows[][5] = {{1, 272, 136, 1, 2}, {1, 133, 260, 1, 1}, {1, 4, 4230, 1, 1}};

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

static void check_size(unsigned form, const char *dtype, const int *s, unsigned i) {
    char what[600];
    ir_module *m = parse(form, s, dtype);
    plan_check c = {.seed = i, .machine = i % 4 < 2, .specials = i % 3 == 2, .threads = 2};
    cr_expect(!plan_fault(m->graphs.p[0], &c, what), "%s, %s, %dx%dx%dx%dx%d: %s", forms[form].name,
              dtype, s[0], s[1], s[2], s[3], s[4], what);
    ir_module_free(m);
}

static void check(unsigned form, const char *dtype) {
    const unsigned step = getenv("BRAZE_QUICK") ? 6 : 2;
    for (unsigned i = form % step; i < BZ_LEN(sizes); i += step)
        check_size(form, dtype, sizes[i], i);
}

Test(bands, f32) {
    for (unsigned i = 0; i < BZ_LEN(forms); i++) check(i, "f32");
}

Test(bands, rows_that_are_seen_in_part) {
    for (unsigned i = 0; i < BZ_LEN(forms); i++)
        for (unsigned k = 0; forms[i].masked && k < BZ_LEN(long_rows); k++)
            if (!getenv("BRAZE_QUICK") || k == i % BZ_LEN(long_rows))
                check_size(i, "f32", long_rows[k], 1 + i % 2 + 4 * k);
}

Test(bands, bf16) {
    for (unsigned i = 0; i < 2; i++) check(i, "bf16");
}

Test(bands, f64) {
    check(1, "f64");
}

Test(bands, as_cuda) {
    static const int some[][5] = {{1, 20, 64, 8, 16}, {1, 3, 1030, 5, 4}};
    char what[600];
    for (unsigned i = 0; i < BZ_LEN(forms) && plan_cuda_ready(); i++) {
        ir_module *m = parse(i, some[i % 2], "f32");
        plan_check c = {.seed = i, .cuda = true, .specials = i % 3 == 2, .threads = 2};
        cr_expect(!plan_fault(m->graphs.p[0], &c, what), "%s: %s", forms[i].name, what);
        ir_module_free(m);
    }
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

/* Forms as people write them, with what pass_vjp makes of q, k and v: scores and weights forward, what the weights' gradients give, and
 * two products over all rows. */
static ir_module *with_gradients(unsigned form, const int *s) {
    ir_module *m = parse(form, s, "f32");
    ir_graph *g = m->graphs.p[0];
    pass_backward b = {0};
    const ir_ref y = g->outputs.p[0].node;
    const ir_ref wrt[] = {g->inputs.p[0].node, g->inputs.p[1].node, g->inputs.p[2].node};
    ir_ref out[3];
    const ir_node n = *ir_at(g, y);
    ir_dim dims[IR_MAX_RANK];
    memcpy(dims, ir_dims(g, &n), n.rank * sizeof *dims);
    const ir_ref seed = ir_input_new(g, "dy", BZ_F32, dims, n.rank);
    cr_assert(!pass_vjp(&b, g, &y, &seed, 1, wrt, 3, out), "%s", g->err.text);
    pass_backward_free(&b);
    for (unsigned i = 0; i < BZ_LEN(out); i++) ir_output_add(g, NULL, out[i], -1);
    return m;
}

Test(bands, attention_and_its_gradients_are_three_kernels) {
    static const char *const names[] = {"attention", "causal",
                                        "strictly causal, the other way round"};
    static const int large[] = {1, 300, 400, 16, 16}, odd[] = {2, 29, 33, 6, 8};
    for (unsigned i = 0, form = 0; i < BZ_LEN(names); i++, form = 0) {
        while (strcmp(forms[form].name, names[i]) != 0) form++;
        ir_module *m = with_gradients(form, large);
        pass_target all = targets[0].t;
        int64_t arena;
        char what[600];
        all.cached = 0;
        cr_expect_eq(launches(m->graphs.p[0], &all, &arena), 3u, "%s", names[i]);
        ir_module_free(m);
        m = with_gradients(form, odd);
        plan_check c = {.seed = i, .machine = true, .threads = 2};
        cr_expect(!plan_fault(m->graphs.p[0], &c, what), "%s: %s", names[i], what);
        ir_module_free(m);
    }
}

/* What the code of a plan decides at run time: searches in its functions, branches of its kernels, and numbers of turns. */
typedef struct decisions {
    unsigned blocks, tiles, turns;
} decisions;

static decisions count_decisions(const char *name) {
    static const int s[] = {1, 300, 512, 16, 16};
    unsigned form = 0;
    while (strcmp(forms[form].name, name) != 0) form++;
    ir_module *m = parse(form, s, "f32");
    pass_target all = targets[0].t;
    bz_error e = {0};
    decisions d = {0};
    all.cached = 0;
    pass_plan *p = pass_compile(m->graphs.p[0], &all, &e);
    cr_assert(p, "%s", e.text);
    for (uint32_t k = 0; k < p->code->k.n; k++)
        for (uint32_t i = 0; i < p->code->k.p[k]->inst.n; i++) {
            const lp_inst *in = &p->code->k.p[k]->inst.p[i];
            d.blocks += p->code->k.p[k]->function && in->op == LP_ANY;
            d.tiles += !p->code->k.p[k]->function && in->op == LP_IF;
            const lp_val *to = p->code->k.p[k]->args.p + in->args + 1;
            d.turns += !p->code->k.p[k]->function && in->op == LP_LOOP &&
                       p->code->k.p[k]->inst.p[*to].op != IR_CONST;
        }
    pass_plan_free(p);
    ir_module_free(m);
    return d;
}

Test(bands, what_nobody_sees_is_left_out) {
    static const char *const masked[] = {"causal", "strictly causal, the other way round"};
    const decisions plain = count_decisions("attention"),
                    half = count_decisions("causal, with a number for each column");
    cr_expect_eq(plain.blocks, 0, "nothing is looked for without a mask");
    for (unsigned i = 0; i < BZ_LEN(masked); i++) {
        const decisions d = count_decisions(masked[i]);
        cr_expect_gt(d.blocks, 0u, "%s: blocks of zeros", masked[i]);
        cr_expect_gt(d.tiles, plain.tiles, "%s: tiles", masked[i]);
        cr_expect_gt(d.turns, half.turns, "%s: elements of rows", masked[i]);
    }
    cr_expect_gt(half.turns, plain.turns, "in the last pass what is hidden is not one value");
    const decisions d = count_decisions("masked by an input");
    cr_expect(d.blocks == 0 && d.turns == plain.turns, "memory tells nothing about tiles");
}
