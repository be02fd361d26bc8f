/* slow_export_sizes.c - exported functions that are told a size: for every size the reference interpreter's bits, whatever hangs on it;
 * workspaces, sizes that are none, indices outside; what the header says; from the C API too. */
#include "tests/support/artefact.h"
#include "tests/support/plan_run.h"

#include <braze/braze.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cg_isa all_isas[] = {CG_BASE, CG_V3, CG_V4};

/* ---- programs of the text form */

typedef struct texts {
    const char *text;
    ir_module *m; /* of the last size */
} texts;

static ir_module *parse(const char *text, int64_t n) {
    bz_error e = {0};
    ir_module *m = ir_parse_as(text, strlen(text), "test",
                               &(ir_reading){.sizes = &(ir_size){"n", n}, .nsizes = 1}, &e);
    cr_assert(m, "%d:%d: %s\n%s", e.line, e.column, e.text, text);
    return m;
}

static bz_status graph_of(void *user, int64_t n, const ir_graph **g, uint64_t *words, bz_error *e) {
    texts *t = user;
    (void)e;
    ir_module_free(t->m);
    t->m = parse(t->text, n);
    *g = t->m->graphs.p[0];
    *words = 0;
    return BZ_OK;
}

typedef struct program {
    const char *name;
    int64_t hi;
    const char *text;
} program;

static const program programs[] = {
    {"pointwise", 150,
     "graph main(n: sym, x: f32[n,3], y: bf16[3]) {\n %1 = mul %x %y\n %2 = gelu %1\n return %2 }"},
    {"rows", 100, "graph main(n: sym, x: f32[n,40]) {\n %1 = softmax %x {axis=-1}\n return %1 }"},
    {"long rows", 100,
     "graph main(n: sym, x: f32[3,n], w: f32[n]) {\n %1 = softmax %x {axis=-1}\n %2 = mul %1 %w\n"
     " %3 = sum %2 {axes=[1]}\n return %2, %3 }"},
    {"columns", 130,
     "graph main(n: sym, x: f64[n,21]) {\n %1 = sum %x {axes=[0]}\n %2 = max %x {axes=[0]}\n"
     " %3 = mean %x\n return %1, %2, %3 }"},
    {"layers", 140,
     "graph main(n: sym, x: f32[n,24], w: f32[24,19], b: f32[19], v: f32[19,5], y: i64[n] = "
     "randint(seed=2, lo=0, hi=5)) {\n %1 = matmul %x %w\n %2 = add %1 %b\n %3 = relu %2\n"
     " %4 = matmul %3 %v\n %5 = cross_entropy %4 %y\n return %4, %5 }"},
    {"long products", 90,
     "graph main(n: sym, x: f32[7,n], y: f32[n,9]) {\n %1 = matmul %x %y\n return %1 }"},
    {"attention", 40,
     "graph main(n: sym, q: f32[2,n,8], k: f32[2,n,8], v: f32[2,n,8]) {\n"
     " %1 = transpose %k {a=1, b=2}\n %2 = matmul %q %1\n %3 = softmax %2 {axis=-1}\n"
     " %4 = matmul %3 %v\n return %4 }"},
    {"movement", 60,
     "graph main(n: sym, x: f32[n,6], y: f32[n,6]) {\n %1 = concat %x %y {axis=1}\n"
     " %2 = transpose %1 {a=0, b=1}\n %3 = flatten %2\n %4 = pad %x {lo=[2,0], hi=[1,3]}\n"
     " %5 = concat %x %y {axis=0}\n return %3, %4, %5 }"},
    {"donation", 50,
     "graph main(n: sym, x: f32[n,6], k: scalar f32) {\n %1 = mul %x %k\n %2 = sum %1 {axes=[0]}\n"
     " return %1 as y donate x, %2 as s }"},
    {"indices", 70,
     "graph main(n: sym, t: f32[9,4], i: i64[n] = randint(seed=1, lo=0, hi=9)) {\n"
     " %1 = gather %t %i {axis=0}\n %2 = scatter_rows %1 %i {size=9, axis=0}\n return %1, %2 }"},
};

static unsigned usable_isas(void) {
    return artefact_far() ? 1 : (unsigned)bz_rt_isa_selected() + 1;
}

/* The artefact's bits at size n, in its own workspace or in the smallest that it asks for. */
static void check_size(artefact *a, const program *p, int64_t n) {
    ir_module *m = parse(p->text, n);
    ir_value_array in[16], want[8], out[8];
    bz_error e = {0};
    const ir_graph *g = m->graphs.p[0];
    a->g = g;
    a->n = n;
    random_inputs(g, in, (uint64_t)n);
    cr_assert(!ir_interpret(g, in, want, &e), "%s", e.text);
    bz_rt_set_threads(1 + (int)(n % 3));
    const size_t bytes = a->workspace(n);
    cr_assert(bytes > 0);
    for (int given = 0; given < 2; given++) {
        char *room = given ? malloc(bytes + 3) : NULL;
        int status = artefact_run(a, in, room ? room + 3 : NULL, room ? bytes : 0, out);
        cr_assert_eq(status, 0, "%s, n = %lld: %s", p->name, (long long)n, a->error(status));
        for (uint32_t i = 0; i < g->outputs.n; i++)
            cr_expect_eq(first_difference(&want[i], &out[i]), -1, "%s, n = %lld: output %u differs",
                         p->name, (long long)n, i);
        free_values(out, g->outputs.n);
        free(room);
    }
    free_values(want, g->outputs.n);
    free_values(in, g->inputs.n);
    ir_module_free(m);
}

static void check_program(const program *p, const cg_isa *isas, unsigned n, int64_t step) {
    texts t = {.text = p->text};
    const ex_size size = {"n", 1, p->hi, graph_of, &t};
    ir_module *m = parse(p->text, p->hi);
    const ex_function f = {
        .g = m->graphs.p[0], .size = &size, .name = "step", .key = -1, .base = -1};
    artefact a = artefact_of(&f, isas, n);
    for (int64_t k = 1; k <= p->hi; k += k < 20 ? 1 : step) check_size(&a, p, k);
    check_size(&a, p, p->hi);
    cr_expect_eq(a.workspace(0), 0);
    cr_expect_eq(a.workspace(p->hi + 1), 0);
    artefact_free(&a);
    ir_module_free(t.m);
    ir_module_free(m);
}

Test(export_sizes, every_size_has_the_bits_of_the_reference) {
    for (unsigned i = 0; i < BZ_LEN(programs); i++)
        check_program(&programs[i], &all_isas[usable_isas() - 1], 1, getenv("BRAZE_QUICK") ? 7 : 1);
}

Test(export_sizes, every_instruction_set) {
    for (unsigned isa = 0; isa + 1 < usable_isas(); isa++)
        for (unsigned i = 0; i < BZ_LEN(programs); i += getenv("BRAZE_QUICK") ? 3 : 1)
            check_program(&programs[i], &all_isas[isa], 1, 11);
}

/* ---- from C: a training step that draws random numbers and knows a captured tensor */

enum { WIDTH = 12, CLASSES = 5, MOST = 80 };

static bz_status train(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                       void *user) {
    bz_tensor *w = in[2], *grad;
    (void)nin, (void)nout;
    bz_tensor *kept = bz_gt(bz_rand(c, bz_shape(in[0]), 2, BZ_F32), 0.25);
    bz_tensor *x = bz_mul(bz_where(kept, in[0], 0), user);
    out[0] = bz_cross_entropy(bz_matmul(x, w), in[1]);
    bz_status s = bz_grad(out[0], &w, 1, &grad);
    out[1] = bz_sub(w, bz_mul(grad, 0.5));
    return s;
}

typedef struct train_args { /* as step.h has it */
    int64_t batch;
    const float *images;
    const int64_t *labels;
    float *w;
    int64_t seed, place;
    const float *gain;
    float *loss;
    void *workspace;
    size_t workspace_bytes;
} train_args;

typedef struct trained {
    bz_context *c;
    bz_tensor *gain;
    bz_program *p;
    artefact a;
} trained;

static const bz_export_axis batch_axes[] = {{0, 0}, {1, 0}};
static const bz_export_size batch_size = {"batch", 1, MOST, batch_axes, 2};

static float noise(int i) {
    return (float)((i * 7919 + 13) % 101 - 50) / 50;
}

static bz_tensor *floats(bz_context *c, int rows, int columns) {
    float v[MOST * WIDTH];
    for (int i = 0; i < rows * columns; i++) v[i] = noise(i + rows);
    return bz_from_data(c, BZ_F32, v, BZ_SHAPE(rows, columns));
}

static void open_trained(trained *t, bool bake) {
    static const char *const names[] = {"images", "labels", "w"}, *const results[] = {"loss",
                                                                                      "new"};
    static const int donate[] = {-1, -1, 1};
    int64_t labels[4] = {0, 1, 2, 3};
    memset(t, 0, sizeof *t);
    cr_assert(!bz_open(&(bz_options){.seed = 3}, &t->c));
    t->gain = bz_name(floats(t->c, 1, WIDTH), "gain");
    const bz_compile_options o = {
        .nin = 3, .nout = 2, .donate = donate, .in_names = names, .out_names = results};
    t->p = bz_compile(t->c, train, t->gain, &o);
    bz_tensor *in[] = {floats(t->c, 4, WIDTH), bz_from_data(t->c, BZ_I64, labels, BZ_SHAPE(4)),
                       floats(t->c, WIDTH, CLASSES)};
    temp_dir(t->a.dir);
    snprintf(t->a.prefix, sizeof t->a.prefix, "%s/step", t->a.dir);
    cr_assert(!bz_export(t->p, in, t->a.prefix, "step",
                         &(bz_export_options){.bake = bake, .size = &batch_size, .gpus = "sm_80"}),
              "%s", bz_message(t->c));
    artefact_load(&t->a);
}

static void close_trained(trained *t) {
    artefact_free(&t->a);
    bz_close(t->c);
}

/* One step with n rows, by bz_call and by the object: the same loss and the same weights. */
static void step_of(trained *t, int n, uint64_t seed) {
    float x[MOST * WIDTH], w[WIDTH * CLASSES], gain[WIDTH], want_loss, want[WIDTH * CLASSES],
        loss = 0;
    int64_t y[MOST];
    for (int i = 0; i < n; i++) y[i] = (i * 3 + 1) % CLASSES;
    for (int i = 0; i < n * WIDTH; i++) x[i] = noise(i);
    bz_tensor *in[] = {bz_from_data(t->c, BZ_F32, x, BZ_SHAPE(n, WIDTH)),
                       bz_from_data(t->c, BZ_I64, y, BZ_SHAPE(n)), floats(t->c, WIDTH, CLASSES)};
    bz_tensor *out[2];
    bz_to_host(in[2], w, sizeof w);
    bz_to_host(t->gain, gain, sizeof gain);
    bz_seed(t->c, seed);
    cr_assert(!bz_call(t->p, in, out), "%s", bz_message(t->c));
    bz_to_host(out[0], &want_loss, sizeof want_loss);
    bz_to_host(out[1], want, sizeof want);
    const train_args a = {n, x, y, w, (int64_t)seed, 0, gain, &loss, NULL, 0};
    int s = t->a.call(&a);
    cr_assert_eq(s, 0, "n = %d: %s", n, t->a.error(s));
    cr_expect(!memcmp(&loss, &want_loss, sizeof loss), "n = %d: %g, not %g", n, (double)loss,
              (double)want_loss);
    cr_expect(!memcmp(w, want, sizeof w), "n = %d: weights", n);
}

Test(export_sizes, a_training_step_in_c) {
    trained t;
    size_t n;
    open_trained(&t, false);
    char path[128];
    snprintf(path, sizeof path, "%s.h", t.a.prefix);
    char *header = read_file(path, &n);
    static const char *const lines[] = {
        "int64_t batch; /* the size, from 1 to 80 */",
        "/* f32[batch, 12] */",
        "/* i64[batch] */",
        "/* f32[12, 5], updated in place */",
        "add 12 batch before the next call",
        "size_t step_workspace(int64_t batch);",
    };
    for (unsigned i = 0; i < BZ_LEN(lines); i++)
        cr_expect(strstr(header, lines[i]), "no '%s' in\n%s", lines[i], header);
    free(header);
    for (int rows = 1; rows <= MOST; rows += rows < 12 ? 1 : 17)
        step_of(&t, rows, 5 + (uint64_t)rows);
    step_of(&t, MOST, 9);
    train_args a = {.batch = MOST + 1};
    float f = 0;
    int64_t y = 0;
    a.images = a.gain = a.w = a.loss = &f;
    a.labels = &y;
    int s = t.a.call(&a);
    cr_expect_eq(s & 255, BZ_RT_ESIZE);
    cr_expect_str_eq(t.a.error(s), "batch is no size from 1 to 80");
    a.batch = -1;
    cr_expect_eq(t.a.call(&a) & 255, BZ_RT_ESIZE);
    close_trained(&t);
}

/* The struct without `gain`, which the object holds. */
typedef struct baked_args {
    int64_t batch;
    const float *images;
    const int64_t *labels;
    float *w;
    int64_t seed, place;
    float *loss;
    void *workspace;
    size_t workspace_bytes;
} baked_args;

Test(export_sizes, with_baked_tensors) {
    trained t;
    float x[MOST * WIDTH], w[2][WIDTH * CLASSES], gain[WIDTH], loss[2];
    int64_t y[MOST];
    open_trained(&t, false);
    bz_to_host(t.gain, gain, sizeof gain);
    for (int i = 0; i < MOST; i++) y[i] = i % CLASSES;
    for (int i = 0; i < MOST * WIDTH; i++) x[i] = noise(i);
    for (int i = 0; i < WIDTH * CLASSES; i++) w[0][i] = w[1][i] = noise(3 * i);
    const train_args a = {31, x, y, w[0], 5, 0, gain, &loss[0], NULL, 0};
    cr_assert_eq(t.a.call(&a), 0);
    close_trained(&t);
    open_trained(&t, true);
    const baked_args b = {31, x, y, w[1], 5, 0, &loss[1], NULL, 0};
    cr_assert_eq(t.a.call(&b), 0);
    cr_expect(!memcmp(&loss[0], &loss[1], sizeof *loss) && !memcmp(w[0], w[1], sizeof *w));
    close_trained(&t);
}

/* ---- mistakes */

/* An index outside a table that has the size's rows: the words name that size. */
Test(export_sizes, an_index_outside) {
    static const program p = {
        "table", 30,
        "graph main(n: sym, t: f32[n,4], i: i64[3]) {\n %1 = gather %t %i {axis=0}\n return %1 }"};
    texts t = {.text = p.text};
    const ex_size size = {"n", 1, p.hi, graph_of, &t};
    ir_module *m = parse(p.text, p.hi);
    const ex_function f = {
        .g = m->graphs.p[0], .size = &size, .name = "step", .key = -1, .base = -1};
    artefact a = artefact_of(&f, &all_isas[usable_isas() - 1], 1);
    for (int64_t n = 2; n < p.hi; n += 9) {
        ir_module *own = parse(p.text, n);
        ir_value_array in[2], out[1];
        char words[96];
        a.g = own->graphs.p[0];
        a.n = n;
        random_inputs(a.g, in, 3);
        memcpy(in[1].data, (int64_t[]){0, n, 1}, 3 * sizeof(int64_t));
        int s = artefact_run(&a, in, NULL, 0, out);
        snprintf(words, sizeof words, "[gather] index %lld is outside axis 0 of %lld at test:2",
                 (long long)n, (long long)n);
        cr_expect_eq(s & 255, BZ_RT_EINDEX);
        cr_expect_str_eq(a.error(s), words);
        free_values(out, 1);
        free_values(in, 2);
        ir_module_free(own);
    }
    artefact_free(&a);
    ir_module_free(t.m);
    ir_module_free(m);
}

static bz_status of_many_forms(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                               int nout, void *user) {
    (void)nin, (void)nout, (void)user;
    bool large = bz_shape(in[0])[0] > 6;
    out[0] = large ? bz_add(in[0], bz_scalar(c, 1)) : bz_sum(in[0], BZ_ALL);
    return BZ_OK;
}

static bz_status reshaped(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                          void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    out[0] = bz_reshape(in[0], BZ_SHAPE(2, -1));
    return bz_context_status(c);
}

Test(export_sizes, mistakes) {
    static const bz_export_axis first[] = {{0, 0}}, none[] = {{3, 0}}, deep[] = {{0, 2}};
    static const struct mistake {
        bz_export_size size;
        bz_function *fn;
        const char *words;
    } mistakes[] = {
        {{"n", 1, 9, none, 1}, reshaped, "step has no input 3, whose axis 0 has a size"},
        {{"n", 1, 9, deep, 1}, reshaped, "input 0 has no axis 2, it has 1 axes"},
        {{"n", 1, 9, NULL, 0}, reshaped, "the size n is that of no axis"},
        {{"n", 0, 9, first, 1}, of_many_forms, "n goes from 0 to 9: sizes are numbers from 1 on"},
        {{"n", 4, 3, first, 1}, of_many_forms, "n goes from 4 to 3"},
        {{"n", -4, -3, first, 1}, of_many_forms, "the largest size is -3"},
        {{"n", 1, 1 << 20, first, 1}, of_many_forms, "each size is planned, 16384 at most"},
        {{"n", 1, 9, first, 1},
         of_many_forms,
         "with n = 1 the function has other inputs and outputs"},
        {{"n", 2, 4, first, 1}, reshaped, "[reshape]"},
    };
    char dir[64], prefix[80];
    temp_dir(dir);
    snprintf(prefix, sizeof prefix, "%s/step", dir);
    for (unsigned i = 0; i < BZ_LEN(mistakes); i++) {
        const struct mistake *x = &mistakes[i];
        bz_context *c;
        cr_assert(!bz_open(&(bz_options){.quiet = true}, &c));
        bz_tensor *in = bz_zeros(c, BZ_SHAPE(8), BZ_F32);
        bz_program *p = bz_compile(c, x->fn, NULL, &(bz_compile_options){.nin = 1, .nout = 1});
        bz_status s = bz_export(p, &in, prefix, "step", &(bz_export_options){.size = &x->size, .gpus = "sm_80"});
        cr_expect(s && strstr(bz_message(c), x->words), "%u: %d, %s", i, (int)s, bz_message(c));
        cr_expect_eq(s, bz_context_status(c));
        bz_close(c);
    }
    char *left = list_dir(dir);
    cr_expect_str_eq(left, "");
    free(left);
    remove_dir(dir);
}
