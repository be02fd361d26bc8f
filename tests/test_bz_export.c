/* test_bz_export.c - bz_export: members named as asked, captured tensors as members, mistakes
 * refused without a file left. */
#include <braze/braze.h>

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bz_context *c;
static char dir[] = "/tmp/braze-export-XXXXXX";
static char prefix[64];

static void open_all(void) {
    cr_assert(!bz_open(NULL, &c));
    cr_assert(mkdtemp(dir));
    snprintf(prefix, sizeof prefix, "%s/f", dir);
}

static void close_all(void) {
    static const char *const names[] = {"f.o", "f.h", "braze_rt.o"};
    char path[128];
    bz_close(c);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    cr_expect_eq(rmdir(dir), 0, "something else is left in %s", dir);
}

TestSuite(bz_export, .init = open_all, .fini = close_all);

/* user: a tensor to capture, or NULL. */
static bz_status scaled(bz_context *x, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                        void *user) {
    (void)x, (void)nin, (void)nout;
    out[0] = bz_add(in[0], user ? user : in[1]);
    out[1] = bz_sum(out[0], NULL, 0, false);
    return BZ_OK;
}

static bz_program *program(bz_tensor *captured, const int *donate) {
    return bz_compile(c, scaled, captured,
                      &(bz_compile_options){.nin = 2, .nout = 2, .donate = donate});
}

static bool header_has(const char *text) {
    static char all[16384];
    char path[128];
    snprintf(path, sizeof path, "%s.h", prefix);
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(all, 1, sizeof all - 1, f) : 0;
    if (f) fclose(f);
    all[n] = 0;
    return strstr(all, text) != NULL;
}

static void make_inputs(bz_tensor **in) {
    for (int i = 0; i < 2; i++) in[i] = bz_ones(c, BZ_SHAPE(8), BZ_F32);
}

Test(bz_export, members_have_the_names_given) {
    static const char *const in_names[] = {"left", "right"}, *const out_names[] = {"both", "total"};
    bz_tensor *in[2];
    make_inputs(in);
    const bz_compile_options o = {
        .nin = 2, .nout = 2, .in_names = in_names, .out_names = out_names};
    cr_assert_eq(bz_export(bz_compile(c, scaled, NULL, &o), in, prefix, "f", NULL), BZ_OK, "%s",
                 bz_message(c));
    cr_expect(header_has("const float *left;"));
    cr_expect(header_has("const float *right;"));
    cr_expect(header_has("float *both;"));
    cr_expect(header_has("float *total;"));
}

/* user: two tensors to capture. */
static bz_status shifts(bz_context *x, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                        void *user) {
    bz_tensor **w = user;
    (void)x, (void)nin, (void)nout;
    out[0] = bz_add(bz_mul(bz_sub(in[0], in[1]), w[0]), w[1]);
    return BZ_OK;
}

/* A name that two members would have: the one of bz_compile_options stands, then that of bz_name, then the place. */
Test(bz_export, names_that_meet_are_told_apart_by_a_number) {
    static const struct {
        const char *in[2], *captured[2], *members[4];
    } cases[] = {
        {{"in1", NULL}, {NULL, NULL}, {"in1", "in1_2", "in2", "in3"}},
        {{NULL, "in0"}, {NULL, NULL}, {"in0_2", "in0", "in2", "in3"}},
        {{"class", "y"}, {"class", "w"}, {"class_", "y", "class_2", "w"}},
        {{NULL, NULL}, {"w", "w"}, {"in0", "in1", "w", "w_2"}},
        {{NULL, "w_2"}, {"w", "w"}, {"in0", "w_2", "w", "w_3"}},
        {{NULL, NULL}, {"in0", "in3"}, {"in0_2", "in1", "in0", "in3"}},
        {{"in2", "in3"}, {NULL, NULL}, {"in2", "in3", "in2_2", "in3_2"}},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        bz_tensor *in[2], *w[2], *out;
        make_inputs(in);
        for (int k = 0; k < 2; k++) {
            w[k] = bz_full(c, BZ_SHAPE(8), 3.0 + k, BZ_F32);
            if (cases[i].captured[k]) w[k] = bz_name(w[k], cases[i].captured[k]);
        }
        in[0] = bz_add(in[0], 1);
        bz_program *p = bz_compile(
            c, shifts, w, &(bz_compile_options){.nin = 2, .nout = 1, .in_names = cases[i].in});
        cr_assert_eq(bz_call(p, in, &out), BZ_OK, "case %u: %s", i, bz_message(c));
        cr_expect_eq(bz_item(bz_sum(out, BZ_ALL)), 8 * 7, "case %u", i);
        cr_assert_eq(bz_prepare(p, in), BZ_OK, "case %u: %s", i, bz_message(c));
        cr_assert_eq(bz_export(p, in, prefix, "f", NULL), BZ_OK, "case %u: %s", i, bz_message(c));
        for (int k = 0; k < 4; k++) {
            char member[64];
            snprintf(member, sizeof member, "const float *%s;", cases[i].members[k]);
            cr_expect(header_has(member), "case %u has no %s", i, member);
        }
    }
}

Test(bz_export, donated_outputs_are_their_input) {
    const int donate[] = {0, -1};
    bz_tensor *in[2];
    make_inputs(in);
    cr_assert_eq(bz_export(program(NULL, donate), in, prefix, "f", NULL), BZ_OK, "%s",
                 bz_message(c));
    cr_expect(header_has("    float *in0;"));
    cr_expect_not(header_has("out0"));
    cr_expect(header_has("float *out1;"));
}

Test(bz_export, captured_tensors_become_members) {
    bz_tensor *in[2];
    make_inputs(in);
    cr_assert_eq(bz_export(program(bz_randn(c, BZ_SHAPE(8), BZ_F32), NULL), in, prefix, "f", NULL),
                 BZ_OK, "%s", bz_message(c));
    cr_expect(header_has("const float *in2;"));
}

Test(bz_export, mistakes_leave_no_file) {
    bz_tensor *in[2];
    make_inputs(in);
    bz_program *p = program(NULL, NULL);
    cr_expect_eq(bz_export(p, in, prefix, "not a name", NULL), BZ_EARG);
    cr_expect(strstr(bz_message(c), "not a name"));
    bz_clear(c);
    cr_expect_eq(bz_export(p, in, "/nowhere/f", "f", NULL), BZ_EIO);
    cr_expect(strstr(bz_message(c), "[export] ") == bz_message(c) &&
                  strstr(bz_message(c), "/nowhere/"),
              "%s", bz_message(c));
    bz_clear(c);
    in[1] = NULL;
    cr_expect_eq(bz_export(p, in, prefix, "f", NULL), BZ_ESCOPE);
    cr_expect(strstr(bz_message(c), "[export] input 1 is no tensor"), "%s", bz_message(c));
    bz_clear(c);
    cr_expect_eq(bz_export(p, NULL, prefix, "f", NULL), BZ_EARG);
    cr_expect(strstr(bz_message(c), "[export] no array of 2 inputs"), "%s", bz_message(c));
    bz_clear(c);
    const bz_export_function half[] = {{p, in, "f", NULL}, {NULL, in, "g", NULL}};
    cr_expect_eq(bz_export_all(half, 2, prefix, NULL), BZ_EARG);
    cr_expect(strstr(bz_message(c), "[export] function 1 is NULL"), "%s", bz_message(c));
    cr_expect_eq(bz_export(NULL, in, prefix, "f", NULL), BZ_EARG);
    cr_expect(strstr(bz_message(NULL), "[export] the compiled function is NULL"));
    cr_expect_eq(bz_export_all(half, 0, prefix, NULL), BZ_EARG);
    cr_expect(strstr(bz_message(NULL), "[export] no function given"));
    cr_expect_eq(bz_export_all(NULL, 1, prefix, NULL), BZ_EARG);
    cr_expect(strstr(bz_message(NULL), "[export] the list is NULL"));
    cr_expect_not(header_has("f"));
}

static bz_status straight(bz_context *x, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                          void *user) {
    (void)x, (void)nin, (void)nout, (void)user;
    out[0] = in[3];
    return BZ_OK;
}

static bz_status rounds(bz_context *x, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                        void *user) {
    (void)x, (void)nin, (void)nout, (void)user;
    out[0] = bz_round(bz_mul(in[0], in[1]));
    return BZ_OK;
}
static bz_status learns(bz_context *x, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                        void *user) {
    bz_tensor *y;
    (void)nin, (void)nout, (void)user;
    bz_status s = bz_custom_grad(x, rounds, straight, NULL, in, 2, &y, 1);
    if (s) return s;
    out[0] = bz_sum(bz_square(y), NULL, 0, false);
    return bz_grad(out[0], in, 1, &out[1]);
}

Test(bz_export, custom_gradients) {
    bz_tensor *in[2];
    make_inputs(in);
    bz_program *p = bz_compile(c, learns, NULL, &(bz_compile_options){.nin = 2, .nout = 2});
    in[0] = bz_mul(in[0], bz_scalar(c, 1.5));
    cr_assert_eq(bz_export(p, in, prefix, "f", NULL), BZ_OK, "%s", bz_message(c));
    cr_expect(header_has("in1") && !header_has("in2"), "two inputs, and nothing of the gradient");
}
