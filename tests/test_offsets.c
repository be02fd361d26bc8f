/* test_offsets.c - what only an offset tells apart is one kernel: parts of a tensor in one graph, each with its bits in the
 * interpreter and exported; x[k] for many k, recorded or at once; the steps of a recurrent loop, forward and back. */
#include "tests/support/artefact.h"
#include "tests/support/irtest.h"
#include "tests/support/plan_run.h"
#include "tests/support/targets.h"

#include <braze/braze.h>

#include <criterion/criterion.h>

enum { PARTS = 200 };

/* ---- parts of one tensor in one graph */

/* `text` makes %r# of part #, which ends before part $. */
static const struct form {
    const char *name, *inputs, *text;
    /* kernels: no pointer leads before its buffer, so that what is padded there counts from its start */
    unsigned more;
} forms[] = {
    {"row", "x: f32[200,4,30]", "%a# = slice %x {start=[#,0,0], stop=[$,4,30]}\n %r# = neg %a#", 0},
    {"half", "x: f16[200,33]", "%a# = slice %x {start=[#,0], stop=[$,33]}\n %r# = exp %a#", 0},
    {"sum", "x: f64[200,4,30]",
     "%a# = slice %x {start=[#,0,0], stop=[$,4,30]}\n %r# = sum %a# {axes=[2]}", 0},
    {"column", "x: f32[40,200]", "%a# = slice %x {start=[0,#], stop=[40,$]}\n %r# = neg %a#", 0},
    {"softmax", "x: f32[200,3,70]",
     "%a# = slice %x {start=[#,0,0], stop=[$,3,70]}\n %r# = softmax %a#", 0},
    {"padded", "x: f32[200,30]",
     "%a# = slice %x {start=[#,0], stop=[$,30]}\n %r# = pad %a# {lo=[1,3], hi=[0,5]}", 1},
    {"gather", "x: f32[200,30], i: i64[7]",
     "%a# = slice %x {start=[#,0], stop=[$,30]}\n %r# = gather %a# %i {axis=1}", 0},
    {"indices", "x: f32[9,30], i: i64[200,7]",
     "%a# = slice %i {start=[#,0], stop=[$,7]}\n %r# = gather %x %a#", 0},
    {"product", "x: f32[200,5,40], w: f32[40,33]",
     "%a# = slice %x {start=[#,0,0], stop=[$,5,40]}\n %r# = matmul %a# %w", 0},
    {"written", "x: f32[200,30], y: f32[1,30]", "%r# = update %x %y {start=[#,0]}", 0},
    {"written column", "x: f32[40,200], y: f32[40,1]", "%r# = update %x %y {start=[0,#]}", 0},
    {"neighbours", "x: f32[200,30]",
     "%a# = slice %x {start=[#,7], stop=[$,27]}\n %b# = slice %x {start=[#,2], stop=[$,22]}\n"
     " %r# = sub %a# %b#",
     0},
};

static void add_part(bz_text *t, const char *text, int k) {
    for (; *text; text++)
        if (*text == '#' || *text == '$')
            bz_textf(t, "%d", *text == '#' ? k : k + 1);
        else
            bz_text_add(t, text, 1);
}

/* Parts first .. last - 1. */
static ir_module *graph_of(const struct form *f, int first, int last) {
    bz_text t = {0};
    bz_textf(&t, "graph main(%s) {\n ", f->inputs);
    for (int k = first; k < last; k++) add_part(&t, f->text, k), bz_text_str(&t, "\n ");
    for (int k = first; k < last; k++) bz_textf(&t, "%s%%r%d", k > first ? ", " : "return ", k);
    bz_text_str(&t, " }");
    ir_module *m = irt_parse(bz_text_c(&t));
    bz_text_free(&t);
    return m;
}

/* The plan for a target; *kernels: those in it. */
static pass_plan *plan_of(const ir_graph *g, const pass_target *t, unsigned *kernels) {
    bz_error e = {0};
    pass_plan *p = pass_compile(g, t, &e);
    cr_assert(p, "%s", e.text);
    *kernels = 0;
    for (uint32_t i = 0; i < p->code->k.n; i++) *kernels += !p->code->k.p[i]->function;
    return p;
}

static unsigned kernels_of_one(const struct form *f, const pass_target *t) {
    ir_module *m = graph_of(f, 3, 4);
    unsigned n;
    pass_plan_free(plan_of(m->graphs.p[0], t, &n));
    ir_module_free(m);
    return n;
}

static void compare(const struct form *f, const char *how, ir_value_array *out,
                    const ir_value_array *want) {
    for (int k = 0; k < PARTS; k++)
        cr_assert_eq(first_difference(&want[k], &out[k]), -1, "%s, %s: part %d differs", f->name,
                     how, k);
    free_values(out, PARTS);
}

static void check_form(const struct form *f) {
    static ir_value_array in[2], want[PARTS], out[PARTS];
    ir_module *m = graph_of(f, 0, PARTS);
    const ir_graph *g = m->graphs.p[0];
    bz_error e = {0};
    random_inputs(g, in, 7);
    cr_assert(!ir_interpret(g, in, want, &e), "%s: %s", f->name, e.text);
    for (unsigned t = 0; t < target_count; t++) {
        unsigned n, one = kernels_of_one(f, &targets[t].t);
        pass_plan *p = plan_of(g, &targets[t].t, &n);
        cr_expect_eq(n, one + f->more, "%s for %s: one part takes %u kernels, %d take %u", f->name,
                     targets[t].name, one, PARTS, n);
        cr_assert(!plan_run(p, in, out, &e), "%s for %s: %s", f->name, targets[t].name, e.text);
        compare(f, targets[t].name, out, want);
        pass_plan_free(p);
    }
    artefact a = artefact_new(g, &(cg_isa){target_host()}, 1);
    int status = artefact_run(&a, in, NULL, 0, out);
    cr_assert_eq(status, 0, "%s: %s", f->name, a.error(status));
    compare(f, "exported", out, want);
    artefact_free(&a);
    free_values(want, PARTS);
    free_values(in, g->inputs.n);
    ir_module_free(m);
}

Test(offsets, parts_of_a_tensor_are_one_kernel) {
    for (size_t i = 0; i < BZ_LEN(forms); i++) check_form(&forms[i]);
}

/* ---- through the API */

static const bz_mode modes[] = {BZ_LAZY, BZ_EAGER};

Test(offsets, every_row_is_read_by_one_kernel) {
    enum { ROWS = 1000, COLUMNS = 6 };
    for (size_t i = 0; i < BZ_LEN(modes); i++) {
        bz_context *c;
        bz_counters before, after;
        cr_assert_eq(bz_open(&(bz_options){.mode = modes[i], .threads = 1}, &c), BZ_OK);
        bz_tensor *x = bz_reshape(bz_arange(c, 0, ROWS * COLUMNS, 1, BZ_F32), BZ_SHAPE(ROWS, -1));
        bz_eval(&x, 1);
        bz_get_counters(c, &before);
        for (int k = 0; k < ROWS; k++) {
            float v[COLUMNS];
            bz_scope_begin(c);
            cr_assert_eq(bz_to_host(bz_neg(bz_select(x, 0, k)), v, sizeof v), BZ_OK);
            for (int j = 0; j < COLUMNS; j++) cr_assert_eq(v[j], -(float)(k * COLUMNS + j));
            bz_scope_end(c);
        }
        bz_get_counters(c, &after);
        cr_expect_eq(after.kernels_built - before.kernels_built, i == 0, "%d kernels",
                     (int)(after.kernels_built - before.kernels_built));
        bz_close(c);
    }
}

/* in: x [steps, 3, 8], weights of x and of h; out: the loss, gradients of the weights. */
static bz_status recurrent(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                           void *user) {
    (void)nin, (void)nout;
    bz_tensor *h = bz_zeros(c, BZ_SHAPE(3, 8), BZ_F32), *sum = bz_zeros(c, NULL, 0, BZ_F32);
    for (int t = 0; t < *(int *)user; t++) {
        bz_tensor *x = bz_select(in[0], 0, t);
        h = bz_tanh(bz_add(bz_matmul(x, in[1]), bz_matmul(h, in[2])));
        sum = bz_add(sum, bz_mean(bz_mul(h, x), NULL, 0, false));
    }
    out[0] = sum;
    return bz_grad(sum, in + 1, 2, out + 1);
}

static unsigned kernels_of_steps(int steps) {
    bz_context *c;
    bz_counters before, after;
    cr_assert_eq(bz_open(&(bz_options){.threads = 1}, &c), BZ_OK);
    bz_tensor *in[] = {bz_rand(c, BZ_SHAPE(steps, 3, 8), BZ_F32),
                       bz_rand(c, BZ_SHAPE(8, 8), BZ_F32), bz_rand(c, BZ_SHAPE(8, 8), BZ_F32)},
              *out[3];
    bz_eval(in, 3);
    bz_get_counters(c, &before);
    bz_program *p = bz_compile(c, recurrent, &steps, &(bz_compile_options){.nin = 3, .nout = 3});
    cr_assert_eq(bz_call(p, in, out), BZ_OK, "%s", bz_message(c));
    bz_get_counters(c, &after);
    bz_close(c);
    return (unsigned)(after.kernels_built + after.kernels_shared - before.kernels_built -
                      before.kernels_shared);
}

Test(offsets, steps_of_a_loop_share_their_kernels) {
    unsigned few = kernels_of_steps(12), many = kernels_of_steps(60);
    cr_expect_leq(many, few + 4, "12 steps take %u kernels, 60 %u", few, many);
}
