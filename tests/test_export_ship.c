/* test_export_ship.c - exports as a program ships them: captured tensors baked in, several functions in one object, numbers by
 * value, the random stream; each called from a C program of its own, whose results have the library's bits. */
#include <braze/braze.h>

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bz_context *c;
static char dir[] = "/tmp/braze-ship-XXXXXX";
static char prefix[64];

static void open_all(void) {
    cr_assert(!bz_open(&(bz_options){.seed = 77}, &c));
    cr_assert(mkdtemp(dir));
    snprintf(prefix, sizeof prefix, "%s/net", dir);
}

static void close_all(void) {
    char command[128];
    bz_close(c);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    cr_expect_eq(system(command), 0);
}

TestSuite(ship, .init = open_all, .fini = close_all);

static char *contents(const char *suffix, size_t *size) {
    char path[128];
    snprintf(path, sizeof path, "%s%s", prefix, suffix);
    FILE *f = fopen(path, "rb");
    char *s = calloc(1 << 20, 1);
    cr_assert(f && s, "%s", path);
    *size = fread(s, 1, (1 << 20) - 1, f);
    fclose(f);
    return s;
}

static int count(const char *suffix, const char *word) {
    size_t size, n = strlen(word);
    char *s = contents(suffix, &size);
    int found = 0;
    for (size_t i = 0; i + n <= size; i++) found += memcmp(s + i, word, n) == 0;
    free(s);
    return found;
}

/* The body of main in a program that links the export; its standard output, read as words of bits. */
static void run_client(const char *body, uint32_t *bits, int n) {
    char command[1024], path[128];
    const char *cc = getenv("CC") ? getenv("CC") : "cc";
    snprintf(path, sizeof path, "%s/main.c", dir);
    FILE *f = fopen(path, "w");
    cr_assert(f);
    fprintf(f,
            "#include \"net.h\"\n#include <stdio.h>\n#include <string.h>\n"
            "static void show(const float *p, int n) {\n"
            "    for (int i = 0; i < n; i++) { unsigned u; memcpy(&u, p + i, 4); "
            "printf(\"%%x\\n\", u); }\n}\n"
            "int main(void) {\n%s\nreturn 0;\n}\n",
            body);
    fclose(f);
    snprintf(command, sizeof command,
             "cd %s && %s -std=c11 -Wall -Wextra -Werror main.c net.o braze_rt.o -lm -lpthread -o "
             "main && ./main",
             dir, cc);
    f = popen(command, "r");
    for (int i = 0; i < n; i++) cr_assert_eq(fscanf(f, "%x", &bits[i]), 1, "word %d", i);
    cr_assert_eq(pclose(f), 0);
}

static void expect_bits(bz_tensor *x, const uint32_t *bits, int n) {
    uint32_t own[64];
    cr_assert_eq(bz_to_host(x, own, (size_t)n * 4), BZ_OK, "%s", bz_message(c));
    cr_expect_arr_eq(own, bits, (size_t)n * 4);
}

/* in: x [8], rate; out: x w rate + w, of the captured w */
static bz_status forward(bz_context *x, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                         void *user) {
    (void)x, (void)nin, (void)nout;
    out[0] = bz_add(bz_mul(bz_mul(in[0], user), in[1]), user);
    return BZ_OK;
}

/* in: x [8]; out: the sum of x w */
static bz_status total(bz_context *x, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                       void *user) {
    (void)x, (void)nin, (void)nout;
    out[0] = bz_sum(bz_mul(in[0], user), BZ_ALL);
    return BZ_OK;
}

/* in: x [4, 8]; out: a row of the captured w, and three of x */
static bz_status rows(bz_context *x, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *user) {
    (void)x, (void)nin, (void)nout;
    bz_tensor *first = bz_mul(bz_select(in[0], 0, 2), bz_select(user, 0, 3));
    out[0] = bz_add(first, bz_mul(bz_select(in[0], 0, 3), bz_select(in[0], 0, 1)));
    return BZ_OK;
}

static const char *const in_names[] = {"x", "rate"}, *const out_names[] = {"y"};

static bz_program *compiled(bz_function *fn, int nin, void *user) {
    const bz_compile_options o = {
        .nin = nin, .nout = 1, .in_names = in_names, .out_names = out_names};
    return bz_compile(c, fn, user, &o);
}

static const char client[] = "float x[8] = {1, 2, 3, 4, 5, 6, 7, 8}, y[8], t;\n"
                             "struct forward_args a = {0}; a.x = x; a.rate = 0.5f; a.y = y;\n"
                             "struct total_args b = {0}; b.x = x; b.y = &t;\n"
                             "if (forward(&a) || total(&b)) return 1;\n"
                             "show(y, 8); show(&t, 1);";

/* Pointers that lead into what the object holds and into what the caller hands over. */
Test(ship, rows_of_baked_and_given_tensors) {
    uint32_t bits[8];
    bz_tensor *w = bz_name(bz_randn(c, BZ_SHAPE(4, 8), BZ_F32), "w"), *y,
              *x = bz_reshape(bz_arange(c, 0, 32, 1, BZ_F32), BZ_SHAPE(4, 8));
    bz_program *p = compiled(rows, 1, w);
    cr_assert_eq(bz_call(p, &x, &y), BZ_OK, "%s", bz_message(c));
    cr_assert_eq(bz_export_all(&(bz_export_function){p, &x, "rows", NULL}, 1, prefix,
                               &(bz_export_options){.bake = true}),
                 BZ_OK, "%s", bz_message(c));
    run_client("float x[32], y[8]; for (int i = 0; i < 32; i++) x[i] = (float)i;\n"
               "struct rows_args a = {0}; a.x = x; a.y = y;\n"
               "if (rows(&a)) return 1;\nshow(y, 8);",
               bits, 8);
    expect_bits(y, bits, 8);
}

Test(ship, several_functions_share_what_is_baked) {
    uint32_t bits[9];
    bz_tensor *w = bz_name(bz_randn(c, BZ_SHAPE(8), BZ_F32), "w"), *y, *t;
    bz_tensor *in[] = {bz_arange(c, 1, 9, 1, BZ_F32),
                       bz_from_data(c, BZ_F32, &(float){0.5f}, NULL, 0)};
    const bz_export_function f[] = {{compiled(forward, 2, w), in, "forward", NULL},
                                    {compiled(total, 1, w), in, "total", NULL}};
    cr_assert_eq(bz_call(f[0].program, in, &y), BZ_OK, "%s", bz_message(c));
    cr_assert_eq(bz_call(f[1].program, in, &t), BZ_OK, "%s", bz_message(c));
    cr_assert_eq(bz_export_all(f, 2, prefix, &(bz_export_options){.bake = true}), BZ_OK, "%s",
                 bz_message(c));
    cr_expect_eq(count(".h", "*w;"), 0);
    cr_expect_eq(count(".h", "    float rate; /* f32[] */"), 1);
    cr_expect_eq(count(".h", "bz_rt_set_threads(int"), 1);
    cr_expect_geq(count(".o", "forward.baked0"), 1);
    cr_expect_eq(count(".o", "baked1"), 0, "w is there once");
    bz_fill_(w, 0); /* the export has the values that were */
    run_client(client, bits, 9);
    expect_bits(y, bits, 8);
    expect_bits(t, bits + 8, 1);
}

Test(ship, a_captured_tensor_is_a_member_of_its_name) {
    bz_tensor *w = bz_name(bz_ones(c, BZ_SHAPE(8), BZ_F32), "w"),
              *in[] = {bz_ones(c, BZ_SHAPE(8), BZ_F32)};
    uint32_t bits[1];
    cr_assert_eq(bz_export(compiled(total, 1, w), in, prefix, "total", NULL), BZ_OK, "%s",
                 bz_message(c));
    cr_expect_eq(count(".h", "const float *w; /* f32[8] */"), 1);
    run_client("float x[8] = {1, 1, 1, 1, 1, 1, 1, 1}, t;\n"
               "struct total_args b = {0}; b.x = x; b.w = x; b.y = &t;\n"
               "if (total(&b)) return 1;\nshow(&t, 1);",
               bits, 1);
    expect_bits(bz_full(c, NULL, 0, 8, BZ_F32), bits, 1);
}

static bz_status noise(bz_context *x, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                       void *user) {
    (void)nin, (void)nout, (void)user;
    out[0] = bz_add(in[0], bz_rand(x, BZ_SHAPE(8), BZ_F32));
    return BZ_OK;
}

Test(ship, the_header_says_how_the_random_stream_moves) {
    uint32_t bits[16];
    bz_tensor *in[] = {bz_zeros(c, BZ_SHAPE(8), BZ_F32)}, *y[2];
    bz_program *p = compiled(noise, 1, NULL);
    cr_assert_eq(bz_export(p, in, prefix, "noise", NULL), BZ_OK, "%s", bz_message(c));
    cr_expect_eq(count(".h", "add 8 before the next call"), 1);
    cr_expect_eq(count(".h", "the seed of the random stream"), 1);
    for (int i = 0; i < 2; i++) cr_assert_eq(bz_call(p, in, &y[i]), BZ_OK);
    run_client("float x[8] = {0}, y[8];\n"
               "struct noise_args a = {0}; a.x = x; a.y = y; a.random_seed = 77;\n"
               "for (int i = 0; i < 2; i++, a.random_place += 8) {\n"
               "    if (noise(&a)) return 1;\n    show(y, 8);\n}",
               bits, 16);
    for (int i = 0; i < 2; i++) expect_bits(y[i], bits + 8 * i, 8);
}

/* ---- a gradient of one's own, in an object that knows nothing of braze */

static bz_status rounds(bz_context *x, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                        void *user) {
    (void)x, (void)nin, (void)nout, (void)user;
    out[0] = bz_round(bz_mul(in[0], in[1]));
    return BZ_OK;
}

/* Not the gradient of that: through the rounding, clipped, times a tensor from outside. */
static bz_status through(bz_context *x, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                         void *user) {
    (void)x, (void)nin, (void)nout;
    bz_tensor *d = bz_minimum(in[3], 5);
    out[0] = bz_mul(bz_mul(d, in[1]), user);
    out[1] = NULL;
    return BZ_OK;
}

static bz_status learns(bz_context *x, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                        void *user) {
    bz_tensor *y;
    (void)nin, (void)nout;
    bz_status s = bz_custom_grad(x, rounds, through, user, in, 2, &y, 1);
    return s ? s : bz_grad(bz_sum(bz_square(y), BZ_ALL), in, 1, out);
}

Test(ship, a_custom_gradient) {
    uint32_t bits[4];
    bz_tensor *w = bz_name(bz_full(c, BZ_SHAPE(4), 0.75, BZ_F32), "w"), *y;
    bz_tensor *in[] = {bz_from_data(c, BZ_F32, ((float[]){0.4f, -1.3f, 2.6f, 9}), BZ_SHAPE(4)),
                       bz_from_data(c, BZ_F32, &(float){1.5f}, NULL, 0)};
    bz_program *p = compiled(learns, 2, w);
    cr_assert_eq(bz_call(p, in, &y), BZ_OK, "%s", bz_message(c));
    cr_assert_eq(bz_export(p, in, prefix, "learns", &(bz_export_options){.bake = true}), BZ_OK,
                 "%s", bz_message(c));
    run_client("float x[4] = {0.4f, -1.3f, 2.6f, 9}, y[4];\n"
               "struct learns_args a = {0}; a.x = x; a.rate = 1.5f; a.y = y;\n"
               "if (learns(&a)) return 1;\nshow(y, 4);",
               bits, 4);
    expect_bits(y, bits, 4);
    expect_bits(bz_from_data(c, BZ_F32, ((float[]){2.25f, -4.5f, 5.625f, 5.625f}), BZ_SHAPE(4)),
                bits, 4);
}

Test(ship, mistakes) {
    bz_tensor *in[] = {bz_ones(c, BZ_SHAPE(8), BZ_F32)}, *w = bz_ones(c, BZ_SHAPE(8), BZ_F32);
    const bz_export_function twice[] = {{compiled(total, 1, w), in, "total", NULL},
                                        {compiled(total, 1, w), in, "total", NULL}};
    cr_expect_eq(bz_export_all(twice, 2, prefix, NULL), BZ_EARG);
    cr_expect(strstr(bz_message(c), "two functions are called total"), "%s", bz_message(c));
    bz_clear(c);
    static const char *const taken[] = {"total_OK", "total_EINDEX", "total_args", "total_error"};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        const bz_export_function beside[] = {{compiled(total, 1, w), in, taken[i], NULL},
                                             {compiled(total, 1, w), in, "total", NULL}};
        cr_expect_eq(bz_export_all(beside, 2, prefix, NULL), BZ_EARG);
        cr_expect(strstr(bz_message(c), taken[i]), "%s", bz_message(c));
        bz_clear(c);
    }
    const bz_compile_options same = {
        .nin = 1, .nout = 2, .out_names = (const char *const[]){"y", "y"}};
    cr_expect_null(bz_compile(c, total, w, &same));
    cr_expect(strstr(bz_message(c), "outputs 0 and 1 are both called 'y'"), "%s", bz_message(c));
    bz_clear(c);
    cr_expect_eq(bz_export_all(twice, 0, prefix, NULL), BZ_EARG);
    cr_expect_eq(bz_export_all(NULL, 1, prefix, NULL), BZ_EARG);
}
