/* test_windows.c - windows that move over images: convolutions, pooling, norms of channels, attention have the interpreter's bits in every
 * target's plan, are as few kernels as they may be, and refuse what does not fit. Their values: tests/test_golden.py. */
#include "src/passes/pass.h"
#include "tests/support/irtest.h"
#include "tests/support/plan_check.h"
#include "tests/support/rt_support.h"
#include "tests/support/targets.h"

#include <criterion/criterion.h>
#include <string.h>

/* Outputs: the first one, and the gradients of its weighted sum for all floating inputs. */
static void add_gradients(ir_graph *g) {
    ir_ref wrt[8], out[8], y = g->outputs.p[0].node;
    unsigned n = 0;
    for (uint32_t i = 0; i < g->inputs.n; i++)
        if (ir_is_float(ir_dtype(g, g->inputs.p[i].node))) wrt[n++] = g->inputs.p[i].node;
    ir_ref weighted = ir_build2(g, IR_MUL, y, ir_build1(g, IR_COS, y));
    ir_ref loss = ir_reduce(g, IR_SUM, weighted, NULL, 0, false);
    cr_assert_eq(pass_grad(g, loss, 0, wrt, n, out), BZ_OK, "%s", g->err.text);
    for (unsigned i = 0; i < n; i++) ir_output_add(g, NULL, out[i], -1);
}

/* x: f32[2,4,@h,@w] */
static const char *const bodies[] = {
    "w: f32[5,4,3,3], b: f32[5]) {\n %y = conv2d %x, %w, %b {padding=[1]}",
    "w: f32[4,4,2,3]) {\n %y = conv2d %x, %w {stride=[2,1], padding=[1,2], dilation=[1,2]}",
    "w: f32[6,2,3,2]) {\n %y = conv2d %x, %w {groups=2, stride=[1,2]}",
    "w: f32[4,3,3,3]) {\n %y = conv_transpose2d %x, %w {stride=[2], padding=[1], "
    "output_padding=[1]}",
    "w: f32[1]) {\n %p, %i = max_pool2d %x {kernel_size=[3], stride=[2], padding=[1]}\n %y = mul "
    "%p %w",
    "w: f32[1]) {\n %p = avg_pool2d %x {kernel_size=[2,3], stride=[1,2], padding=[1], ceil_mode}\n"
    " %y = mul %p %w",
    "w: f32[4], b: f32[4]) {\n %n, %m, %v = batch_norm %x, %w, %b, %w, %b {training}\n %y = relu "
    "%n",
};

static const int sizes[][2] = {{3, 5}, {6, 17}, {4, 33}, {3, 64}};

Test(windows, bits) {
    char what[600];
    for (unsigned i = 0; i < BZ_LEN(bodies); i++)
        for (unsigned k = 0; k < BZ_LEN(sizes); k++) {
            bz_text t = {0};
            irt_fill(&t, "graph main(x: f32[2,4,@h,@w], ", "hw", sizes[k]);
            bz_textf(&t, "%s\n return %%y }", bodies[i]);
            ir_module *m = irt_parse(bz_text_c(&t));
            add_gradients(m->graphs.p[0]);
            plan_check c = {.seed = i + 31 * k,
                            .machine = k == 1 + i % 3,
                            .specials = k % 3 == 1,
                            .threads = 2,
                            .one = k > 2};
            cr_expect(!plan_fault(m->graphs.p[0], &c, what), "%s, %dx%d: %s", bodies[i],
                      sizes[k][0], sizes[k][1], what);
            ir_module_free(m);
            bz_text_free(&t);
        }
}

/* ---- products much deeper than they are wide: the gradient of a kernel, and of a weight; both sides lie along k, across it, and in windows */

enum { DEEP_KERNEL = 32 * 8 * 9, DEEP_WEIGHT = 40 * 70, DEEP = DEEP_KERNEL + 2 * DEEP_WEIGHT };

static void deep(bz_device device, float *out) {
    bz_context *c;
    bz_tensor *grad[2], *y, *seed;
    cr_assert_eq(bz_open(&(bz_options){.device = device, .seed = 7}, &c), BZ_OK);
    bz_tensor *x = bz_randn(c, BZ_SHAPE(2, 8, 49, 47), BZ_F32);
    bz_tensor *w = bz_randn(c, BZ_SHAPE(32, 8, 3, 3), BZ_F32);
    y = bz_conv2d(x, w, NULL, NULL, NULL, NULL, 0, 1, true);
    seed = bz_randn(c, bz_shape(y), 4, BZ_F32);
    cr_assert_eq(bz_vjp(&y, &seed, 1, &w, 1, grad), BZ_OK, "%s", bz_message(c));
    cr_assert_eq(bz_to_host(grad[0], out, DEEP_KERNEL * sizeof *out), BZ_OK, "%s", bz_message(c));
    out += DEEP_KERNEL;
    bz_tensor *a = bz_randn(c, BZ_SHAPE(4500, 40), BZ_F32),
              *b = bz_randn(c, BZ_SHAPE(4500, 70), BZ_F32);
    bz_tensor *turned = bz_copy(bz_transpose(b, 0, 1));
    bz_tensor *one = bz_matmul(bz_transpose(a, 0, 1), b);
    bz_tensor *two = bz_relu(bz_matmul(bz_transpose(a, 0, 1), bz_transpose(turned, 0, 1)));
    cr_assert_eq(bz_to_host(one, out, DEEP_WEIGHT * sizeof *out), BZ_OK, "%s", bz_message(c));
    cr_assert_eq(bz_to_host(two, out + DEEP_WEIGHT, DEEP_WEIGHT * sizeof *out), BZ_OK);
    bz_close(c);
}

Test(windows, deep_products) {
    static float want[DEEP], got[DEEP];
    deep(BZ_REF, want);
    deep(BZ_CPU, got);
    for (unsigned i = 0; i < DEEP; i++)
        cr_assert(!memcmp(&want[i], &got[i], sizeof *got), "element %u: %a, not %a", i,
                  (double)got[i], (double)want[i]);
}

/* ---- kernels */

static const struct {
    const char *text;
    unsigned forward, all; /* with gradients; 0: not counted */
} counted[] = {
    {"graph main(x: f32[8,64,56,56], w: f32[64,64,3,3], b: f32[64]) {\n"
     " %c = conv2d %x, %w, %b {padding=[1]}\n %y = relu %c\n return %y }",
     1, 0},
    {"graph main(x: f32[8,16,28,28], w: f32[32,16,3,3]) {\n %r = relu %x\n"
     " %y = conv2d %r, %w {stride=[2], padding=[1]}\n return %y }",
     1, 0},
    {"graph main(x: f32[8,16,28,28]) {\n %y, %i = max_pool2d %x {kernel_size=[2]}\n return %y, %i "
     "}",
     1, 0},
    {"graph main(x: f32[8,16,28,28]) {\n"
     " %y, %i = max_pool2d %x {kernel_size=[3], stride=[2], padding=[1]}\n return %y }",
     1, 2},
    {"graph main(x: f32[8,16,28,28], w: f32[16], b: f32[16]) {\n"
     " %n, %m, %v = batch_norm %x, %w, %b, %w, %b {training}\n %y = relu %n\n return %y }",
     1, 0},
    {"graph main(x: f32[8,16,28,28], w: f32[16], b: f32[16]) {\n"
     " %y = group_norm %x, %w, %b {num_groups=4}\n return %y }",
     1, 0},
    {"graph main(q: f32[2,4,300,16], k: f32[2,4,400,16], v: f32[2,4,400,16]) {\n"
     " %y = scaled_dot_product_attention %q, %k, %v {is_causal}\n return %y }",
     1, 0},
    {"graph main(q: f32[2,4,300,16], k: f32[2,2,400,16], v: f32[2,2,400,16], m: bool[300,400]) {\n"
     " %y = scaled_dot_product_attention %q, %k, %v, %m {enable_gqa}\n return %y }",
     1, 0},
};

static unsigned launches(const ir_graph *g) {
    bz_error e = {0};
    pass_target t = targets[0].t;
    t.cached = 0; /* nothing is small */
    pass_plan *p = pass_compile(g, &t, &e);
    cr_assert(p, "%s", e.text);
    unsigned n = p->launches.n;
    pass_plan_free(p);
    return n;
}

Test(windows, kernels) {
    for (unsigned i = 0; i < BZ_LEN(counted); i++) {
        ir_module *m = irt_parse(counted[i].text);
        ir_graph *g = m->graphs.p[0];
        cr_expect_eq(launches(g), counted[i].forward, "%s: %u", counted[i].text, launches(g));
        if (counted[i].all) {
            add_gradients(g);
            cr_expect_eq(launches(g), counted[i].all, "with gradients, %s: %u", counted[i].text,
                         launches(g));
        }
        ir_module_free(m);
    }
}

/* A step of a network for digits: both ways, without the optimizer. */
Test(windows, kernels_of_a_network) {
    ir_module *m = irt_parse("graph main(x: f32[64,1,28,28], t: i64[64], w1: f32[16,1,3,3], b1: "
                             "f32[16], w2: f32[32,16,3,3], "
                             "b2: f32[32], w3: f32[10,1568], b3: f32[10]) {\n"
                             " %c1 = conv2d %x, %w1, %b1 {same}\n %r1 = relu %c1\n"
                             " %p1, %i1 = max_pool2d %r1 {kernel_size=[2]}\n"
                             " %c2 = conv2d %p1, %w2, %b2 {same}\n %r2 = relu %c2\n"
                             " %p2, %i2 = max_pool2d %r2 {kernel_size=[2]}\n"
                             " %f = flatten %p2 {from=1}\n %z = linear %f, %w3, %b3\n %l = "
                             "cross_entropy %z, %t\n return %l }");
    ir_graph *g = m->graphs.p[0];
    ir_ref wrt[6], out[6];
    for (unsigned i = 0; i < 6; i++) wrt[i] = g->inputs.p[2 + i].node;
    cr_assert_eq(pass_grad(g, g->outputs.p[0].node, 0, wrt, 6, out), BZ_OK, "%s", g->err.text);
    for (unsigned i = 0; i < 6; i++) ir_output_add(g, NULL, out[i], -1);
    cr_expect_leq(launches(g), 18u, "%u kernels", launches(g));
    ir_module_free(m);
}

/* ---- what does not fit */

static const struct {
    const char *call, *says;
} wrong[] = {
    {"%y = conv2d %x, %w3", "[conv2d] x has 4 axes, or 3 without samples, and the weight 4, not "
                            "f32[2,4,6,6] and f32[4,4,3]"},
    {"%y = conv2d %x, %w {groups=3}",
     "[conv2d] weight f32[4,4,3,3] does not fit x f32[2,4,6,6], whose 4 channels are 3 groups"},
    {"%y = conv2d %x, %w {groups=0}", "[conv2d] 0 groups: at least 1 is needed"},
    {"%y = conv2d %x, %w, %b", "[conv2d] bias f32[3] does not fit the weight f32[4,4,3,3]"},
    {"%y = conv2d %x, %w {stride=[1,2,3]}", "[conv2d] 3 numbers in stride for 2 axes"},
    {"%y = conv2d %x, %w {stride=[0]}", "[conv2d] stride is 0: 1 to 2^30 are possible"},
    {"%y = conv2d %x, %w {dilation=[1,4]}",
     "[conv2d] axis 1: a window of 9 elements on 6 with 0 zeros at either end"},
    {"%y = conv2d %x, %w {same, stride=[2]}",
     "[conv2d] as many windows as elements need stride 1, and no other padding"},
    {"%y = conv_transpose2d %x, %w {output_padding=[1]}",
     "[conv_transpose2d] output_padding 1 must be below stride 1 or dilation 1"},
    {"%y = conv_transpose2d %x, %w {padding=[4]}",
     "[conv_transpose2d] axis 0 of the result would have 0 elements"},
    {"%y, %i = max_pool2d %x {kernel_size=[2], padding=[2]}",
     "[max_pool2d] padding 2 is more than half of a window of 2"},
    {"%y, %i = max_pool2d %x {kernel_size=[7]}",
     "[max_pool2d] axis 0: a window of 7 elements on 6 with a padding of 0"},
    {"%y = avg_pool1d %x {kernel_size=[2]}",
     "[avg_pool1d] x has 3 axes, or 2 without samples, not f32[2,4,6,6]"},
    {"%y = adaptive_avg_pool2d %x {output_size=[0]}",
     "[adaptive_avg_pool2d] output_size is 0: 1 to 2^30 are possible"},
    {"%y = fold %x {output_size=[4], kernel_size=[2]}",
     "[fold] x is [N, C kernel, windows] or without N, not f32[2,4,6,6]"},
    {"%y, %m, %v = batch_norm %x",
     "[batch_norm] running_mean and running_var are needed unless it is training"},
    {"%y, %m, %v = batch_norm %x, %b, %b {training}",
     "[batch_norm] running_mean f32[3] does not fit the channels, axis 1 of f32[2,4,6,6]"},
    {"%y = group_norm %x {num_groups=3}",
     "[group_norm] the channels of f32[2,4,6,6] are not 3 groups"},
    {"%y = interpolate %x", "[interpolate] either size or a scale_factor above 0"},
    {"%y = interpolate %x {size=[3], mode=linear}",
     "[interpolate] f32[2,4,6,6] has no 1 to 3 axes"},
    {"%y = pixel_shuffle %x {upscale_factor=3}",
     "[pixel_shuffle] the channels of f32[2,4,6,6] are not 3 times as many, twice"},
    {"%y = scaled_dot_product_attention %x, %x, %w",
     "[scaled_dot_product_attention] query f32[2,4,6,6], key f32[2,4,6,6] and value f32[4,4,3,3] "
     "do not fit"},
    {"%y = scaled_dot_product_attention %x, %x, %x, %b", "[scaled_dot_product_attention]"},
    {"%y = scaled_dot_product_attention %x, %x, %x {dropout_p=0.5}",
     "[scaled_dot_product_attention] dropout needs noise, uniform numbers"},
};

Test(windows, refused) {
    for (unsigned i = 0; i < BZ_LEN(wrong); i++) {
        bz_text t = {0};
        bz_error e = {0};
        bz_textf(&t,
                 "graph main(x: f32[2,4,6,6], w: f32[4,4,3,3], w3: f32[4,4,3], b: f32[3]) {\n %s\n "
                 "return %%y }",
                 wrong[i].call);
        ir_module *m = ir_parse(bz_text_c(&t), strlen(bz_text_c(&t)), "wrong.bz", &e);
        cr_expect(!m && !strncmp(e.text, wrong[i].says, strlen(wrong[i].says)), "%s: %s",
                  wrong[i].call, m ? "taken" : e.text);
        ir_module_free(m);
        bz_text_free(&t);
    }
}
