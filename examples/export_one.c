/* export_one.c - a function compiled once and written as C-callable files: gelu.o, gelu.h,
 * braze_rt.o.   usage: export_one [DIR] */
#include <braze/braze.h>

static bz_status gelu_of_linear(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                                int nout, void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    out[0] = bz_gelu(bz_linear(in[0], in[1], in[2]));
    return BZ_OK;
}

int main(int argc, char **argv) {
    static const char *const in_names[] = {"x", "weight", "bias"}, *const out_names[] = {"y"};
    char prefix[4096];
    bz_context *c;
    if (bz_open(NULL, &c)) return 1;
    const bz_compile_options o = {
        .nin = 3, .nout = 1, .in_names = in_names, .out_names = out_names};
    bz_program *p = bz_compile(c, gelu_of_linear, NULL, &o);
    bz_tensor *in[] = {bz_randn(c, BZ_SHAPE(8, 64), BZ_F32), bz_randn(c, BZ_SHAPE(32, 64), BZ_F32),
                       bz_randn(c, BZ_SHAPE(32), BZ_F32)};
    snprintf(prefix, sizeof prefix, "%s/gelu", argc > 1 ? argv[1] : ".");
    bz_status s = bz_export(p, in, prefix, "gelu", NULL);
    if (s)
        fprintf(stderr, "export_one: %s\n", bz_message(c));
    else
        printf("wrote %s.o, %s.h and braze_rt.o\n", prefix, prefix);
    bz_close(c);
    return s != BZ_OK;
}
