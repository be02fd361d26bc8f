/* test_gpu_together.c - what a launch on a GPU does for many tensors at once: the updates of an optimizer, the folds of a gradient's norm. How
 * many launches there are, whatever the sizes, and the bits of the interpreter and of the CPU. */
#include "src/codegen/nvrtc.h"
#include "tests/support/fakecuda.h"
#include "tests/support/irtest.h"
#include "tests/support/plan_cuda.h"
#include "tests/support/plan_run.h"

#include <stdio.h>
#include <stdlib.h>

/* Fewer elements than a vector, a vector, blocks of threads and of additions, and their neighbours. */
static const char *const shapes[] = {"6",    "2",    "3",      "4",      "5",    "31",   "33",
                                     "64",   "127",  "129",    "256",    "1000", "1023", "1025",
                                     "4095", "4096", "40,103", "9,1,16", "9001", "12289"};
enum { TENSORS = BZ_LEN(shapes) };

/* The text of a graph: `parameter` and `body` for each tensor, where # is its number and $ its shape. */
static void each(bz_text *t, const char *pattern) {
    for (unsigned i = 0; i < TENSORS; i++)
        for (const char *s = pattern; *s; s++)
            if (*s == '#')
                bz_textf(t, "%u", i);
            else if (*s == '$')
                bz_text_str(t, shapes[i]);
            else
                bz_text_add(t, s, 1);
}

static bool same_code(const pass_launch *l) {
    for (uint32_t i = 1; i < l->nsegments; i++)
        if (l->segments[i].kernel != l->segments[0].kernel) return false;
    return true;
}

/* Launches of the plan; those of all tensors hand over rows to one kernel. */
static void check(const char *text, uint32_t launches, uint32_t of_all) {
    bz_error e = {0};
    ir_module *m = irt_parse(text);
    const ir_graph *g = m->graphs.p[0];
    ir_value_array *v = calloc(4 * 128, sizeof *v), *in = v, *want = v + 128, *got = v + 256;
    uint32_t found = 0;
    random_inputs(g, in, 11);
    cr_assert_eq(ir_interpret(g, in, want, &e), BZ_OK, "%s", e.text);
    pass_plan *p = pass_compile(g, &pass_gpu_target, &e);
    cr_assert(p, "%s", e.text);
    cr_expect_eq(p->launches.n, launches, "%u launches: %s", p->launches.n, text);
    for (uint32_t i = 0; i < p->launches.n; i++) {
        const pass_launch *l = &p->launches.p[i];
        found +=
            l->nsegments >= TENSORS && same_code(l) && p->code->k.p[l->segments[0].kernel]->rows;
    }
    cr_expect_eq(found, of_all, "%u of all: %s", found, text);
    for (int emulated = 0; emulated < 1 + plan_cuda_ready(); emulated++) {
        cr_assert_eq((emulated ? plan_cuda(p, in, got, &e) : plan_run(p, in, got, &e)), BZ_OK, "%s",
                     e.text);
        for (uint32_t i = 0; i < g->outputs.n; i++)
            cr_expect_eq(first_difference(&want[i], &got[i]), -1, "output %u, emulated %d", i,
                         emulated);
        free_values(got, g->outputs.n);
    }
    free_values(in, g->inputs.n);
    free_values(want, g->outputs.n);
    free(v);
    pass_plan_free(p);
    ir_module_free(m);
}

Test(gpu_together, updates) {
    static const char *const dtypes[] = {"f32", "bf16", "f64"};
    for (unsigned i = 0; i < BZ_LEN(dtypes); i++) {
        bz_text t = {0};
        char part[100];
        bz_text_str(&t, "graph main(lr: f32");
        snprintf(part, sizeof part, ", p#: %s[$], g#: %s[$]", dtypes[i], dtypes[i]);
        each(&t, part);
        bz_text_str(&t, ") {\n");
        each(&t, " %q# = sgd_step %p#, %g#, %lr\n");
        bz_text_str(&t, "return %lr");
        each(&t, ", %q#");
        bz_text_str(&t, "\n}\n");
        check(bz_text_c(&t), i == 2 ? 2 : 1, 1); /* f64: the rate is cast, once */
        bz_text_free(&t);
    }
}

/* One launch of two phases, one for what is made of the folds, one for what is made of that. */
Test(gpu_together, norms) {
    static const char *const dtypes[] = {"f32", "bf16", "f64"};
    for (unsigned i = 0; i < BZ_LEN(dtypes); i++) {
        bz_text t = {0};
        char part[100];
        bz_text_str(&t, "graph main(scale: f32");
        snprintf(part, sizeof part, ", g#: %s[$]", dtypes[i]);
        each(&t, part);
        bz_text_str(&t, ") {\n %n, %f = grad_norm %scale");
        each(&t, ", %g#");
        bz_text_str(&t, "\n");
        each(&t, " %d# = unscale %g#, %scale, %n {max_norm=0.5}\n");
        bz_text_str(&t, "return %n, %f");
        each(&t, ", %d#");
        bz_text_str(&t, "\n}\n");
        check(bz_text_c(&t), 3, 2);
        bz_text_free(&t);
    }
}

/* Folds of numbers that are not sums, and one that needs another. */
Test(gpu_together, other_folds) {
    bz_text t = {0};
    bz_text_str(&t, "graph main(y: f32[50]");
    each(&t, ", x#: f32[$]");
    bz_text_str(&t, ") {\n");
    each(&t, " %m# = max %x#\n");
    bz_text_str(&t, " %a = add %m1 %m2\n %b = mul %y %a\n %c = sum %b\n return %c");
    each(&t, ", %m#");
    bz_text_str(&t, "\n}\n");
    check(bz_text_c(&t), 2, 1);
    bz_text_free(&t);
}

/* The gradients of a net, their norm, and the steps of its parameters: what is folded of them is one launch, and so are the steps. */
Test(gpu_together, a_net) {
    static const char text[] =
        "graph main(x: f32[16,64], t: i64[16], a: f32[64,48], b: f32[48], c: f32[48,32], d: "
        "f32[32], e: f32[32], f: f32[32], h: f32[32,10], k: f32[10]) {\n"
        " %1 = matmul %x %a\n %2 = add %1 %b\n %3 = relu %2\n %4 = matmul %3 %c\n %5 = add %4 %d\n"
        " %6 = layer_norm %5 %e %f\n %7 = gelu %6\n %8 = matmul %7 %h\n %9 = add %8 %k\n"
        " %i = remainder %t 10\n %l = cross_entropy %9 %i\n return %l\n}\n";
    enum { PARAMETERS = 8 };
    ir_module *m = irt_parse(text);
    ir_graph *g = m->graphs.p[0];
    ir_ref p[PARAMETERS], grad[PARAMETERS], found;
    for (unsigned i = 0; i < PARAMETERS; i++) p[i] = g->inputs.p[i + 2].node;
    cr_assert_eq(pass_grad(g, g->outputs.p[0].node, 0, p, PARAMETERS, grad), BZ_OK);
    const ir_ref norm = ir_grad_norm(g, 0, grad, PARAMETERS, &found);
    for (unsigned i = 0; i < PARAMETERS; i++) {
        char name[8];
        snprintf(name, sizeof name, "p%u", i);
        const ir_ref d = ir_unscale(g, grad[i], 0, norm, 1);
        ir_output_add(g, name,
                      ir_sgd(g, p[i], d, ir_const_f(g, BZ_F64, 0.1), 0, 0, false, NULL, found), -1);
    }
    bz_error e = {0};
    pass_plan *plan = pass_compile(g, &pass_gpu_target, &e);
    cr_assert(plan, "%s", e.text);
    unsigned together = 0;
    for (uint32_t i = 0; i < plan->launches.n; i++)
        together += plan->launches.p[i].nsegments == PARAMETERS && same_code(&plan->launches.p[i]);
    bz_text t = {0};
    pass_plan_print(&t, plan);
    cr_expect_eq(together, 2, "%u: %s", together, bz_text_c(&t));
    bz_text_free(&t);
    pass_plan_free(plan);
    ir_module_free(m);
}

/* ---- the runtime */

enum { MANY = 70 }; /* more than a launch has room for */

static int64_t size_of(int i) {
    return i == 30 ? 1 : 2 + i * i * 7 % 523; /* what has one element is computed otherwise */
}

static bz_status adam(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *user) {
    const int n = *(const int *)user;
    (void)nin, (void)nout;
    bz_tensor *found, *norm = bz_grad_norm(NULL, in + n, n, &found);
    bz_adam_options o = BZ_ADAM_DEFAULTS;
    o.found_inf = found;
    for (int i = 0; i < n; i++) {
        bz_tensor *m = in[2 * n + i], *v = in[3 * n + i],
                  *d = bz_unscale(in[n + i], NULL, norm, 0.5);
        out[i] = bz_adam_step(in[i], d, &m, &v, in[4 * n], 0.02, &o);
        out[n + i] = m;
        out[2 * n + i] = v;
    }
    return bz_context_status(c);
}

typedef struct training {
    bz_context *c;
    bz_program *p;
    bz_tensor *x[4 * MANY + 1];
    int n;
} training;

static void training_begin(training *t, bz_context *c, int n) {
    int donate[4 * MANY + 1];
    *t = (training){.c = c, .n = n};
    for (int i = 0; i < 4 * n; i++) {
        float v[600];
        for (int k = 0; k < 600; k++) v[k] = (float)((k * 37 + i * 11) % 23) / 16 - 0.7f;
        t->x[i] = i < 2 * n ? bz_from_data(c, BZ_F32, v, BZ_SHAPE(size_of(i % n)))
                            : bz_zeros(c, BZ_SHAPE(size_of(i % n)), BZ_F32);
        donate[i] = i < n ? i : i < 2 * n ? -1 : i - n;
    }
    donate[4 * n] = -1;
    t->x[4 * n] = bz_from_data(c, BZ_F32, (float[]){1}, NULL, 0);
    t->p = bz_compile(c, adam, &t->n,
                      &(bz_compile_options){.nin = 4 * n + 1, .nout = 3 * n, .donate = donate});
    bz_eval(t->x, 4 * n + 1);
}

static void training_step(training *t) {
    bz_tensor *out[3 * MANY];
    cr_assert_eq(bz_call(t->p, t->x, out), BZ_OK, "%s", bz_message(t->c));
    for (int i = 0; i < t->n; i++) {
        t->x[i] = out[i];
        t->x[2 * t->n + i] = out[t->n + i];
        t->x[3 * t->n + i] = out[2 * t->n + i];
    }
}

static void same_bits(const training *a, const training *b, int step) {
    for (int i = 0; i < 4 * a->n; i++) {
        float x[600], y[600];
        const size_t bytes = (size_t)size_of(i % a->n) * sizeof *x;
        bz_to_host(a->x[i], x, bytes);
        bz_to_host(b->x[i], y, bytes);
        cr_expect(memcmp(x, y, bytes) == 0, "step %d, tensor %d", step, i);
    }
}

/* Launches of a step of n tensors. */
static uint64_t launches_of(int n, int device) {
    training a, b;
    bz_context *c = fakecuda_open(device), *cpu = open_one(BZ_CPU);
    training_begin(&a, c, n), training_begin(&b, cpu, n);
    const uint64_t before = fakecuda_calls("cuLaunchKernel");
    training_step(&a);
    const uint64_t launches = fakecuda_calls("cuLaunchKernel") - before;
    training_step(&b);
    for (int i = 0; i < 4; i++) { /* as a graph, too; its parameters are others in each step */
        same_bits(&a, &b, i);
        training_step(&a), training_step(&b);
    }
    bz_close(c), bz_close(cpu);
    return launches;
}

/* Two phases of folds, what is made of these and of the step's number, the updates: as many for 20 tensors as for 3. */
Test(gpu_together, a_step_of_adam) {
    bz_error e = {0};
    if (nvrtc_open(&e)) return;
    fakecuda_use("75,80,90");
    for (int device = 0; device < 3; device++) {
        const uint64_t few = launches_of(3, device), more = launches_of(20, device);
        cr_expect(few == 5 && more == 5, "%d: %d and %d", device, (int)few, (int)more);
    }
    const uint64_t many = launches_of(MANY, 1);
    cr_expect(many > 5 && many <= 10, "%d", (int)many);
    fakecuda_is_clean();
}
