/* test_layers.c - equal layers have equal kernels: a transformer with its gradients, as one plan. Two layers need what six do. */
#include "src/passes/pass.h"
#include "tests/support/irtest.h"
#include "tests/support/targets.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { WEIGHTS = 4, MOST = 6 };

static void inputs(bz_text *t, unsigned layers) {
    bz_textf(t, "graph main(x0: f32[2,24,32]");
    for (unsigned i = 0; i < layers; i++)
        bz_textf(t, ", q%u: f32[32,96], o%u: f32[32,32], u%u: f32[32,64], d%u: f32[64,32]", i, i, i,
                 i);
    bz_textf(t, ") {\n%%ninf = full {shape=[1], value=-inf}\n"
                "%%at = iota {shape=[24,24], axis=0, dtype=i32}\n"
                "%%to = iota {shape=[24,24], axis=1, dtype=i32}\n%%past = ge %%at %%to\n");
}

/* Heads of 8, causal; a residual around each half. The constant is written again in each layer: it is one node, before all but the first. */
static void layer(bz_text *t, unsigned i) {
    bz_textf(t,
             "%%n%u = layer_norm %%x%u\n%%qkv%u = matmul %%n%u %%q%u\n"
             "%%s%u = reshape %%qkv%u {shape=[2,24,3,4,8]}\n"
             "%%p%u = permute %%s%u {perm=[2,0,3,1,4]}\n",
             i, i, i, i, i, i, i, i, i);
    for (unsigned k = 0; k < 3; k++)
        bz_textf(t,
                 "%%a%u_%u = slice %%p%u {start=[%u,0,0,0,0], stop=[%u,2,4,24,8]}\n"
                 "%%b%u_%u = reshape %%a%u_%u {shape=[2,4,24,8]}\n",
                 i, k, i, k, k + 1, i, k, i, k);
    bz_textf(t,
             "%%kt%u = transpose %%b%u_1\n%%m%u = matmul %%b%u_0 %%kt%u\n"
             "%%r%u = full {shape=[1], value=0.5}\n%%h%u = mul %%m%u %%r%u\n"
             "%%w%u = where %%past %%h%u %%ninf\n%%f%u = softmax %%w%u\n"
             "%%v%u = matmul %%f%u %%b%u_2\n%%vp%u = permute %%v%u {perm=[0,2,1,3]}\n"
             "%%vr%u = reshape %%vp%u {shape=[2,24,32]}\n%%vo%u = matmul %%vr%u %%o%u\n"
             "%%y%u = add %%x%u %%vo%u\n",
             i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i);
    bz_textf(t,
             "%%ny%u = layer_norm %%y%u\n%%up%u = matmul %%ny%u %%u%u\n%%g%u = gelu %%up%u\n"
             "%%dn%u = matmul %%g%u %%d%u\n%%x%u = add %%y%u %%dn%u\n",
             i, i, i, i, i, i, i, i, i, i, i + 1, i, i);
}

/* Distinct kernels of a step of so many layers. */
static unsigned kernels(unsigned layers, const pass_target *target) {
    bz_text t = {0};
    bz_error e = {0};
    ir_ref wrt[WEIGHTS * MOST], gradient[WEIGHTS * MOST];
    char name[16];
    inputs(&t, layers);
    for (unsigned i = 0; i < layers; i++) layer(&t, i);
    bz_textf(&t, "%%sq = mul %%x%u %%x%u\n%%loss = mean %%sq\nreturn %%loss\n}\n", layers, layers);
    ir_module *m = irt_parse(bz_text_c(&t));
    ir_graph *g = m->graphs.p[0];
    for (unsigned i = 0; i < WEIGHTS * layers; i++) wrt[i] = g->inputs.p[1 + i].node;
    cr_assert_eq(pass_grad(g, g->outputs.p[0].node, 0, wrt, WEIGHTS * layers, gradient), BZ_OK);
    for (unsigned i = 0; i < WEIGHTS * layers; i++) {
        snprintf(name, sizeof name, "g%u", i);
        cr_assert_eq(ir_output_add(g, name, gradient[i], -1), BZ_OK);
    }
    pass_plan *p = pass_compile(g, target, &e);
    cr_assert(p, "%s", e.text);
    const unsigned n = p->code->k.n;
    pass_plan_free(p);
    ir_module_free(m);
    bz_text_free(&t);
    return n;
}

Test(layers, share_their_kernels) {
    static const struct {
        const pass_target *t;
        unsigned most;
    } all[] = {{&targets[0].t, 33}, {&pass_gpu_target, 28}};
    for (unsigned i = 0; i < BZ_LEN(all); i++) {
        const unsigned two = kernels(2, all[i].t), six = kernels(MOST, all[i].t);
        cr_expect_leq(two, all[i].most, "target %u: %u kernels for 2 layers", i, two);
        cr_expect_eq(two, six, "target %u: %u kernels for 2 layers, %u for 6", i, two, six);
    }
}
