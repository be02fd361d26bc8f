/* test_explain.c - explanations of compiled functions, tensors as text and as files: the public side. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "braze/braze.h"
#include "braze/explain.h"
#include "runtime/io/array.h"

static bz_context *open_context(bz_device device) {
    bz_context *c;
    cr_assert_eq(bz_open(&(bz_options){.device = device}, &c), BZ_OK);
    return c;
}

/* y = relu(x w) and the sums of y's rows. */
static bz_status layer(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                       void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    out[0] = bz_relu(bz_matmul(in[0], in[1]));
    out[1] = bz_sum(out[0], BZ_AXES(1), false);
    return BZ_OK;
}

static bz_program *compiled(bz_context *c, bool profile) {
    bz_tensor *in[] = {bz_ones(c, BZ_SHAPE(64, 32), BZ_F32), bz_ones(c, BZ_SHAPE(32, 16), BZ_F32)},
              *out[2];
    bz_program *p = bz_compile(c, layer, NULL, &(bz_compile_options){.nin = 2, .nout = 2});
    bz_profile(c, profile);
    for (int i = 0; i < 3; i++) cr_assert_eq(bz_call(p, in, out), BZ_OK, "%s", bz_message(c));
    return p;
}

Test(explain, kernels_flows_and_times) {
    bz_context *c = open_context(BZ_CPU);
    bz_explanation *x;
    const bz_machine machine = {.threads = 1, .bytes_per_s = 1e9, .flops_per_s = 1e10};
    cr_assert_eq(bz_explain(compiled(c, true), &machine, &x), BZ_OK, "%s", bz_message(c));
    bz_close(c); /* the explanation stays */
    cr_assert_eq(x->nkernels, 2);
    const bz_kernel_report *k = &x->kernels[0];
    cr_expect_str_eq(k->ops[0], "dot");
    cr_expect_eq(k->bytes_read, 4 * (64 * 32 + 32 * 16));
    cr_expect_eq(k->bytes_written, 4 * 64 * 16);
    cr_expect_geq(k->flops, 2 * 64 * 32 * 16);
    cr_expect_eq(k->runs, 3);
    cr_expect_gt(k->ns, 0);
    double bytes = (double)(k->bytes_read + k->bytes_written);
    cr_expect_float_eq(k->limit_ns, bytes, 1e-6, "a byte takes a nanosecond here");
    cr_expect(k->memory_bound);
    cr_assert_geq(k->nsites, 1);
    cr_expect(strstr(k->sites[0], "test_explain.c:"), "%s", k->sites[0]);
    int between = 0;
    for (int i = 0; i < x->nflows; i++) between += x->flows[i].from == 0 && x->flows[i].to == 1;
    cr_expect_eq(between, 1);
    cr_assert_eq(x->napart, 1);
    cr_expect(*x->apart[0].reason);
    bz_explanation_free(x);
}

Test(explain, without_times_and_machine) {
    bz_context *c = open_context(BZ_CPU);
    bz_explanation *x;
    cr_assert_eq(bz_explain(compiled(c, false), NULL, &x), BZ_OK);
    cr_expect_eq(x->kernels[0].runs, 0);
    cr_expect_eq(x->kernels[0].limit_ns, 0);
    bz_explanation_free(x);
    bz_close(c);
}

Test(explain, nothing_to_explain) {
    bz_context *c = open_context(BZ_CPU);
    bz_explanation *x;
    bz_program *p = bz_compile(c, layer, NULL, &(bz_compile_options){.nin = 2, .nout = 2});
    cr_expect_eq(bz_explain(NULL, NULL, &x), BZ_EARG);
    cr_expect_eq(bz_explain(p, NULL, &x), BZ_EMODE);
    cr_expect_null(x);
    cr_expect(strstr(bz_message(c), "bz_prepare"), "%s", bz_message(c));
    bz_close(c);
    c = open_context(BZ_REF);
    cr_expect_eq(bz_explain(compiled(c, false), NULL, &x), BZ_EMODE);
    cr_expect(strstr(bz_message(c), "ref"), "%s", bz_message(c));
    bz_close(c);
}

Test(explain, written_whole_or_not_at_all) {
    bz_context *c = open_context(BZ_CPU);
    bz_explanation *x;
    char path[] = "/tmp/braze-explain-XXXXXX", *text;
    size_t n;
    close(mkstemp(path));
    cr_assert_eq(bz_explain(compiled(c, false), NULL, &x), BZ_OK);
    static const char *const parts[] = {"neighbours that stayed apart", "\"kernels\": [",
                                        "</svg>\n"};
    for (int f = BZ_EXPLAIN_TEXT; f <= BZ_EXPLAIN_SVG; f++) {
        cr_assert_eq(bz_write_explanation(x, (bz_explain_format)f, path), BZ_OK);
        cr_assert_eq(rt_file_read(path, &text, &n, NULL), BZ_OK);
        cr_expect(strstr(text, parts[f]), "%s", text);
        bz_mem_free(text);
    }
    cr_expect_eq(bz_write_explanation(x, BZ_EXPLAIN_SVG, "/nonexistent/a.svg"), BZ_EIO);
    cr_expect_eq(bz_write_explanation(NULL, BZ_EXPLAIN_SVG, path), BZ_EARG);
    unlink(path);
    bz_explanation_free(x);
    bz_close(c);
}

Test(explain, machine_limits_are_sane) {
    bz_machine m;
    cr_expect_eq(bz_measure_machine(1, NULL), BZ_EARG);
    cr_assert_eq(bz_measure_machine(1, &m), BZ_OK);
    cr_expect_eq(m.threads, 1);
    cr_expect_gt(m.bytes_per_s, 1e8);
    cr_expect_gt(m.flops_per_s, 1e8);
}

/* Names may be any bytes; JSON and SVG are UTF-8. */
Test(explain, bytes_that_are_no_text) {
    static const char *const names[][2] = {{"gr\xf6\xdf", "gr\uFFFD\uFFFD"},
                                           {"\xe2\x82", "\uFFFD\uFFFD"},
                                           {"\xed\xa0\x80<", "\uFFFD\uFFFD\uFFFD<"},
                                           {"\xf4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"},
                                           {"\xf0\x9f\x98\x80 \xc3\xa9", "\U0001F600 \u00e9"}};
    for (unsigned i = 0; i < BZ_LEN(names); i++) {
        bz_text t = {0}, want = {0};
        bz_text_json(&t, names[i][0]);
        bz_textf(&want, "\"%s\"", names[i][1]);
        cr_expect_str_eq(bz_text_c(&t), bz_text_c(&want));
        bz_text_free(&t);
        bz_text_free(&want);
    }
}

/* ---- tensors as text and files */

Test(tensor_text, format_follows_snprintf) {
    bz_context *c = open_context(BZ_CPU);
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){1, 2.5f}), (const int64_t[]){2}, 1);
    char text[16];
    cr_expect_eq(bz_format(x, text, sizeof text), strlen("[1.  2.5]"));
    cr_expect_str_eq(text, "[1.  2.5]");
    cr_expect_eq(bz_format(x, text, 5), strlen("[1.  2.5]"));
    cr_expect_str_eq(text, "[1. ");
    cr_expect_eq(bz_format(x, NULL, 0), strlen("[1.  2.5]"));
    bz_tensor *bad = bz_add(x, bz_ones(c, BZ_SHAPE(3), BZ_F32));
    cr_expect_eq(bz_format(bad, text, sizeof text), 0);
    cr_expect_eq(bz_print(bad), BZ_ESHAPE);
    bz_close(c);
}

Test(tensor_text, views_are_saved_row_major) {
    bz_context *c = open_context(BZ_CPU);
    char path[] = "/tmp/braze-save-XXXXXX";
    float got[6];
    close(mkstemp(path));
    bz_tensor *x =
        bz_from_data(c, BZ_F32, ((float[]){0, 1, 2, 3, 4, 5}), (const int64_t[]){2, 3}, 2);
    cr_assert_eq(bz_save_npy(bz_transpose(x, 0, 1), path), BZ_OK, "%s", bz_message(c));
    bz_tensor *y = bz_load_npy(c, path);
    cr_assert_eq(bz_ndim(y), 2, "%s", bz_message(c));
    cr_expect_eq(bz_shape(y)[0], 3);
    cr_assert_eq(bz_to_host(y, got, sizeof got), BZ_OK);
    cr_expect_arr_eq(got, ((float[]){0, 3, 1, 4, 2, 5}), sizeof got);
    cr_expect_eq(bz_save_npy(x, "/nonexistent/x.npy"), BZ_EIO);
    cr_expect(strstr(bz_message(c), "/nonexistent/x.npy"), "%s", bz_message(c));
    bz_clear(c);
    cr_expect_eq(bz_ndim(bz_load_npy(c, "/nonexistent/x.npy")), -1);
    cr_expect(strstr(bz_message(c), "test_explain.c:"), "%s", bz_message(c));
    unlink(path);
    bz_close(c);
}
