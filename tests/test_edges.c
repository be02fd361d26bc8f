/* test_edges.c - every builder and every elementwise op, driven by the tables, on operands at the edge: 0-d, no elements, one
 * element, fitting and not, of fitting dtypes and not, with attributes at the edge: absent, far outside, repeated, NaN, huge. Each
 * line either is refused with a status and words that name the op, or means the same to the interpreter and to a compiled plan. */
#include "src/ir/text.h"
#include "tests/support/irtest.h"
#include "tests/support/plan_run.h"
#include "tests/support/rt_support.h"
#include "tests/support/targets.h"

#include <stdlib.h>
#include <time.h>

enum { VARIANTS = 6, MAX_NUMEL = 1 << 16 };

static const char *const shapes[] = {"[]",      "[0]",       "[0,3]",      "[3,0]",
                                     "[1]",     "[4]",       "[3,3]",      "[1,2,0,3]",
                                     "[3,3,3]", "[2,2,2,2]", "[2,2,2,2,2]"};

/* Calls of builders that take no operands of one shape. */
static const char *const fitting[][2] = {
    {"kthvalue", "graph main(x: f16[2,5]) { %y, %i = kthvalue %x {k=2}\n return %y, %i }"},
    {"embedding_bag", "graph main(w: f32[4,3], i: i64[2,3]) { %j = remainder %i 4\n %y = "
                      "embedding_bag %j %w\n return %y }"},
    {"index_fill", "graph main(x: bf16[3,4], i: i32[2]) { %j = remainder %i 3\n %y = index_fill %x "
                   "%j 2\n return %y }"},
    {"batch_norm", "graph main(x: f32[3,2,4], v: f32[2]) { %y, %m, %s = batch_norm %x, %v, %v, %v "
                   "{training}\n return %y, %m, %s }"},
    {"batch_norm", "graph main(x: f16[3,2], v: f32[2]) { %y, %m, %s = batch_norm %x, %v, %v\n "
                   "return %y, %m, %s }"},
    {"index_fill", "graph main(x: f32[3,4]) { %i = iota {shape=[2]}\n %y = index_fill %x, %i, 0.5 "
                   "{axis=1}\n return %y }"},
    {"sliding_window_view",
     "graph main(x: f32[3,4]) { %y = sliding_window_view %x {size=3, step=1}\n return %y }"},
    {"select_scatter",
     "graph main(x: f32[3,4], v: f32[3]) { %y = select_scatter %x, %v {axis=1, index=-2}\n "
     "return %y }"},
    {"diagonal_scatter",
     "graph main(x: f32[3,4], v: f32[3]) { %y = diagonal_scatter %x, %v {offset=1}\n "
     "return %y }"},
    {"mv", "graph main(x: f32[3,4], y: f16[4]) { %r = mv %x, %y\n return %r }"},
    {"addmv",
     "graph main(i: f16[3], x: f16[3,4], y: f16[4]) { %r = addmv %i, %x, %y\n return %r }"},
    {"multinomial", "graph main(x: f32[4], k: i64[]) { %r = multinomial %x, %k, 0 "
                    "{num_samples=2}\n return %r }"},
    {"dirichlet", "graph main(x: f32[4,3], k: i64[]) { %r = dirichlet %x, %k, 0\n return %r }"},
    {"matrix_norm",
     "graph main(x: f64[2,3,4]) { %r = matrix_norm %x {ord=\"inf\", keepdim}\n return %r }"},
    {"matrix_cond", "graph main(x: f64[3,4]) { %r = matrix_cond %x {p=\"-2\"}\n return %r }"},
    {"affine_grid",
     "graph main(x: f16[2,2,3]) { %r = affine_grid %x {size=[2,1,3,4]}\n return %r }"},
    {"nll_loss", "graph main(x: f32[4,3], t: i64[4]) { %r = nll_loss %x, %t\n return %r }"},
    {"multi_margin_loss",
     "graph main(x: f16[4,3], t: i64[4]) { %r = multi_margin_loss %x, %t\n return %r }"},
    {"max_pool1d",
     "graph main(x: f32[2,3,7]) { %y, %i = max_pool1d %x {kernel_size=[3], stride=[2], "
     "padding=[1], ceil_mode}\n return %y, %i }"},
    {"max_unpool1d",
     "graph main(x: f32[2,3,7]) { %p, %i = max_pool1d %x {kernel_size=[2]}\n %y = max_unpool1d %p, "
     "%i {kernel_size=[2], output_size=[7]}\n return %y }"},
    {"avg_pool1d", "graph main(x: f16[2,3,7]) { %y = avg_pool1d %x {kernel_size=[3], stride=[2], "
                   "padding=[1], count_include_pad=0}\n return %y }"},
    {"lp_pool1d",
     "graph main(x: f32[2,3,7]) { %y = lp_pool1d %x {norm_type=3, kernel_size=[2]}\n return %y }"},
    {"adaptive_max_pool1d", "graph main(x: i32[2,3,7]) { %y, %i = adaptive_max_pool1d %x "
                            "{output_size=[2]}\n return %y, %i }"},
    {"adaptive_avg_pool1d",
     "graph main(x: bf16[2,3,7]) { %y = adaptive_avg_pool1d %x {output_size=[2]}\n "
     "return %y }"},
    {"max_pool2d",
     "graph main(x: f32[2,3,5,6]) { %y, %i = max_pool2d %x {kernel_size=[3], stride=[2], "
     "padding=[1], ceil_mode}\n return %y, %i }"},
    {"max_unpool2d",
     "graph main(x: f16[2,3,5,6]) { %p, %i = max_pool2d %x {kernel_size=[2]}\n %y = max_unpool2d "
     "%p, %i {kernel_size=[2], output_size=[5,6]}\n return %y }"},
    {"avg_pool2d", "graph main(x: f16[2,3,5,6]) { %y = avg_pool2d %x {kernel_size=[3], stride=[2], "
                   "padding=[1], count_include_pad=0}\n return %y }"},
    {"lp_pool2d", "graph main(x: f32[2,3,5,6]) { %y = lp_pool2d %x {norm_type=3, "
                  "kernel_size=[2]}\n return %y }"},
    {"adaptive_max_pool2d", "graph main(x: i32[2,3,5,6]) { %y, %i = adaptive_max_pool2d %x "
                            "{output_size=[2]}\n return %y, %i }"},
    {"adaptive_avg_pool2d",
     "graph main(x: bf16[2,3,5,6]) { %y = adaptive_avg_pool2d %x {output_size=[2]}\n "
     "return %y }"},
    {"max_pool3d",
     "graph main(x: f32[1,2,4,3,5]) { %y, %i = max_pool3d %x {kernel_size=[3], stride=[2], "
     "padding=[1], ceil_mode}\n return %y, %i }"},
    {"max_unpool3d",
     "graph main(x: i32[1,2,4,3,5]) { %p, %i = max_pool3d %x {kernel_size=[2]}\n %y = "
     "max_unpool3d %p, %i {kernel_size=[2], output_size=[4,3,5]}\n return %y }"},
    {"avg_pool3d",
     "graph main(x: f16[1,2,4,3,5]) { %y = avg_pool3d %x {kernel_size=[3], stride=[2], "
     "padding=[1], count_include_pad=0}\n return %y }"},
    {"lp_pool3d", "graph main(x: f32[1,2,4,3,5]) { %y = lp_pool3d %x {norm_type=3, "
                  "kernel_size=[2]}\n return %y }"},
    {"adaptive_max_pool3d", "graph main(x: i32[1,2,4,3,5]) { %y, %i = adaptive_max_pool3d %x "
                            "{output_size=[2]}\n return %y, %i }"},
    {"adaptive_avg_pool3d",
     "graph main(x: bf16[1,2,4,3,5]) { %y = adaptive_avg_pool3d %x {output_size=[2]}\n "
     "return %y }"},
    {"instance_norm",
     "graph main(x: f32[3,2,4], v: f32[2]) { %y, %m, %s = instance_norm %x, %v, %v, %v, %v\n "
     "return %y, %m, %s }"},
    {"interpolate",
     "graph main(x: f16[2,3,5,6]) { %y = interpolate %x {size=[3, 9], mode=bicubic}\n return %y }"},
    {"interpolate",
     "graph main(x: i64[2,3,5]) { %y = interpolate %x {scale_factor=1.7}\n return %y }"},
    {"pixel_shuffle",
     "graph main(x: u8[2,4,3,2]) { %y = pixel_shuffle %x {upscale_factor=2}\n return %y }"},
    {"pixel_unshuffle",
     "graph main(x: u8[2,2,4,2]) { %y = pixel_unshuffle %x {downscale_factor=2}\n return %y }"},
    {"channel_shuffle",
     "graph main(x: bool[2,6,2]) { %y = channel_shuffle %x {groups=3}\n return %y }"},
    {"cholesky", "graph main() { %x = eye {n=3, m=3}\n %y = cholesky %x\n return %y }"},
    {"unfold",
     "graph main(x: i64[2,3,5,6]) { %y = unfold %x {kernel_size=[2], padding=[1]}\n return %y }"},
    {"fold",
     "graph main(x: i64[2,8,9]) { %y = fold %x {output_size=[4], kernel_size=[2]}\n return %y }"},
};

/* Dtypes of operand 0, of the others. */
static const char *const dtypes[][2] = {{"f32", "f32"},   {"f32", "i64"}, {"i64", "i64"},
                                        {"bool", "bool"}, {"f16", "f16"}, {"u8", "f64"},
                                        {"c64", "c64"},   {"c128", "f32"}};

/* Values of an attribute, one a variant; the first is sensible. */
static const struct {
    const char *type, *values[VARIANTS];
} attributes[] = {
    {"int", {"0", "-1", "1", "99", "-99", "1099511627776"}},
    {"int64", {"0", "-1", "1", "99", "-99", "1099511627776"}},
    {"natural", {"0", "-1", "1", "99", "-99", "1099511627776"}},
    {"float", {"0.5", "nan", "-inf", "0", "-1e300", "1e-320"}},
    {"number", {"1", "9223372036854775807", "nan", "9223372036854775808", "-1e300", "true"}},
    {"ints", {"[0]", "[]", "[-1]", "[0,0]", "[7]", "[0,1]"}},
    {"int64s", {"[0]", "[]", "[-1]", "[0,0]", "[7]", "[0,1]"}},
    {"counts", {"[1,1,1]", "[]", "[-1]", "[0,0]", "[4]", "[1099511627776]"}},
    {"dims", {"[3]", "[]", "[0,3]", "[-1]", "[1099511627776]", "[1,1,1]"}},
    {"dtype", {"f32", "i64", "bool", "bf16", "u8", "f64"}},
    {"flag", {"0", "1", "1", "0", "1", "1"}},
    {"combine", {"sum", "prod", "mean", "amax", "amin", "max"}},
    {"bag", {"mean", "sum", "max", "prod", "0", "1"}},
    {"sample", {"bilinear", "nearest", "bicubic", "bilinear", "sharp", "0"}},
    {"border", {"zeros", "border", "reflection", "none", "zeros", "1"}},
    {"reduction", {"mean", "none", "sum", "batchmean", "median", "0"}},
    {"rounding", {"trunc", "none", "floor", "up", "0", "trunc"}},
    {"interpolation", {"linear", "lower", "higher", "midpoint", "nearest", "none"}},
    {"text", {"\"@\"", "\"...\"", "\"@, None\"", "\"0, @\"", "\"ij->ji\"", "\"i,i\""}},
    {"resize", {"nearest", "linear", "bicubic", "area", "trilinear", "sharp"}},
    {"graph", {"nothing", "main", "nothing", "main", "0", "1"}},
};

static const char *value_of(const char *type, size_t n, unsigned variant) {
    for (unsigned i = 0; i < BZ_LEN(attributes); i++)
        if (strlen(attributes[i].type) == n && !memcmp(attributes[i].type, type, n))
            return attributes[i].values[variant];
    cr_assert(false, "an attribute of the new type %s", type);
    return NULL;
}

/* " {axis=0, keepdim=1}": of each attribute in `spec` a value of the variant, the next one's the next; variant 0 leaves out what has
 * a default. */
static void put_attributes(bz_text *t, const char *spec, unsigned variant) {
    const char *sep = " {";
    unsigned number = 0;
    for (const char *s = spec + strspn(spec, " "); *s; s += strspn(s, " ")) {
        size_t n = strcspn(s, " "), name = strcspn(s, ":"), type = strcspn(s + name + 1, "= ");
        bool may_miss = memchr(s, '=', n) || !memcmp(s + name + 1, "flag", 4);
        bool instead = !strncmp(s + name + 1, "counts=", 7); /* of what stands before it */
        if (instead ? variant % 2 == 0 : variant || !may_miss) {
            bz_textf(t, "%s%.*s=%s", sep, (int)name, s,
                     value_of(s + name + 1, type, (variant + number) % VARIANTS));
            sep = ", ";
        }
        number += variant > 0;
        s += n;
    }
    if (*sep == ',') bz_text_str(t, "}");
}

static struct { unsigned refused, same, failed_alike, large; } seen;

/* Compiled for `target` and run in the interpreter of loops: the same values, or the same failure. */
static void check_plan(const char *text, const ir_graph *g, const plan_target *target,
                       const ir_value_array *in, const ir_value_array *want, bz_status failed) {
    bz_error e = {0};
    ir_value_array out[4] = {0};
    pass_plan *p = pass_compile(g, &target->t, &e);
    if (!p) {
        cr_expect(e.status == BZ_EUNSUPPORTED && *e.text, "%s: %s: %s", text, target->name, e.text);
        return;
    }
    bz_status s = plan_run(p, in, out, &e);
    /* the interpreter of loops calls no functions of C: tests/test_linalg.c has these */
    const bool calls = s == BZ_EUNSUPPORTED && strstr(e.text, "machine code alone calls");
    if (calls) s = failed;
    cr_expect_eq(s, failed, "%s: %s: status %d, not %d: %s", text, target->name, (int)s,
                 (int)failed, e.text);
    for (uint32_t i = 0; i < g->outputs.n && !s && !failed && !calls; i++)
        cr_expect_eq(first_difference(&want[i], &out[i]), -1, "%s: %s: output %u differs", text,
                     target->name, i);
    if (!s) free_values(out, g->outputs.n);
    pass_plan_free(p);
}

static bool is_small(const ir_graph *g) {
    for (ir_ref r = 1; r < g->n.n; r++) {
        int64_t n;
        if (!ir_numel(g, r, &n) || n > MAX_NUMEL) return false;
    }
    return true;
}

static void check_values(const char *text, const ir_graph *g) {
    static unsigned turn;
    bz_error e = {0};
    ir_value_array in[8] = {0}, want[4] = {0};
    random_inputs(g, in, 3);
    bz_status s = ir_interpret(g, in, want, &e);
    /* an index, or a matrix that LAPACK refuses */
    const bool known = s == BZ_EINDEX || (s == BZ_EARG && strstr(e.text, "of the batch)"));
    cr_expect(!s || (known && *e.text), "%s: status %d: %s", text, (int)s, e.text);
    check_plan(text, g, &targets[turn++ % target_count], in, want, s);
    *(s ? &seen.failed_alike : &seen.same) += 1;
    free_values(in, g->inputs.n);
    if (!s) free_values(want, g->outputs.n);
}

static void check_text(const char *op, const char *text) {
    bz_error e = {0};
    ir_module *m = ir_parse(text, strlen(text), "edge.bz", &e);
    if (!m) {
        bool users =
            e.status && e.status != BZ_ENOMEM && e.status != BZ_ECOMPILE && e.status != BZ_EIO;
        cr_expect(users && e.line && strlen(e.text) > 8, "%s: status %d: '%s'", text, (int)e.status,
                  e.text);
        seen.refused++;
        (void)op;
        return;
    }
    if (is_small(m->graphs.p[0]))
        check_values(text, m->graphs.p[0]);
    else
        seen.large++;
    ir_module_free(m);
}

/* One line that calls `op` with `n` operands of this shape and these dtypes. */
static void check_line(const char *op, unsigned n, const char *attrs, unsigned results,
                       unsigned shape, unsigned dtype, unsigned variant) {
    bz_text t = {0};
    bz_text_str(&t, "graph main(");
    for (unsigned i = 0; i < n; i++)
        bz_textf(&t, "%sx%u: %s%s", i ? ", " : "", i, dtypes[dtype][i > 0], shapes[shape]);
    bz_text_str(&t, ") {\n ");
    for (unsigned i = 0; i < results; i++) bz_textf(&t, "%s%%r%u", i ? ", " : "", i);
    bz_textf(&t, " = %s", op);
    for (unsigned i = 0; i < n; i++) bz_textf(&t, "%s%%x%u", i ? ", " : " ", i);
    put_attributes(&t, attrs, variant);
    bz_text_str(&t, "\n return ");
    for (unsigned i = 0; i < results; i++) bz_textf(&t, "%s%%r%u", i ? ", " : "", i);
    bz_text_str(&t, " }\n");
    check_text(op, bz_text_c(&t));
    bz_text_free(&t);
}

/* Words in a list; optional ones ("w?") count if `all`. */
static unsigned words(const char *s, bool all) {
    unsigned n = 0;
    for (s += strspn(s, " "); *s; s += strspn(s, " ")) {
        size_t len = strcspn(s, " ");
        n += all || s[len - 1] != '?';
        s += len;
    }
    return n;
}

static void check_builder(const char *op, const char *operands, const char *attrs,
                          unsigned results) {
    unsigned least = words(operands, false), most = words(operands, true);
    for (unsigned s = 0; s < (most ? BZ_LEN(shapes) : 1); s++)
        for (unsigned d = 0; d < (most ? BZ_LEN(dtypes) : 1); d++)
            for (unsigned v = 0; v < (*attrs ? VARIANTS : 1); v++)
                check_line(op, most - (s + d + v) % (most - least + 1), attrs, results, s, d, v);
}

Test(edges, every_builder, .timeout = 600) {
    for (unsigned i = 0; i < ir_builder_count; i++) {
        unsigned before = seen.same + seen.large;
        const ir_builder *b = &ir_builders[i];
        bool bodies = strstr(b->attrs, ":graph") != NULL;
        check_builder(b->name, b->operands, b->attrs, words(b->results, true));
        for (unsigned k = 0; k < BZ_LEN(fitting); k++)
            if (!strcmp(fitting[k][0], b->name)) check_text(b->name, fitting[k][1]);
        cr_expect(bodies || seen.same + seen.large > before, "%s: nothing works", b->name);
    }
    fprintf(stderr,
            "%u lines refused, %u with equal values, %u with equal failures, %u too large to run\n",
            seen.refused, seen.same, seen.failed_alike, seen.large);
    cr_expect_gt(seen.refused, 500u);
    cr_expect_gt(seen.same, 500u);
}

Test(edges, every_elementwise_op, .timeout = 600) {
    static const char *const operands[] = {"", "x", "x y", "x y z"};
    for (unsigned op = 1; op < IR_ELEM_END; op++)
        if (ir_op_is_elementwise((ir_op)op) && !ir_builder_find(ir_ops[op].name))
            check_builder(ir_ops[op].name, operands[ir_ops[op].arity], "", 1);
    cr_expect_gt(seen.same, 1000u);
}

/* ---- more than there is: told at once, nothing touched */

Test(edges, huge_tensors) {
    const int64_t huge = INT64_C(1) << 40;
    for (int d = BZ_CPU; d <= BZ_REF; d++)
        for (int mode = BZ_LAZY; mode <= BZ_EAGER; mode++) {
            bz_context *c;
            cr_assert(!bz_open(&(bz_options){.device = (bz_device)d, .mode = (bz_mode)mode}, &c));
            time_t start = time(NULL);
            bz_tensor *x = bz_rand(c, BZ_SHAPE(huge, 8), BZ_F64), *y = bz_add(x, bz_scalar(c, 1));
            cr_expect_eq(bz_eval(&y, 1), BZ_ENOMEM, "%s", bz_message(c));
            cr_expect(strstr(bz_message(c), "memory"), "%s", bz_message(c));
            bz_clear(c);
            x = bz_reshape(bz_rand(c, BZ_SHAPE(huge), BZ_F64),
                           BZ_SHAPE(INT64_C(1) << 20, INT64_C(1) << 20));
            y = bz_transpose(x, 0, 1);
            cr_expect_eq(bz_eval(&y, 1), BZ_ENOMEM, "%s", bz_message(c));
            bz_clear(c);
            EXPECT(bz_full(c, BZ_SHAPE(2), 3, BZ_F32), 3, 3); /* the context works on */
            cr_expect_lt(time(NULL) - start, 5, "device %d, mode %d", d, mode);
            bz_close(c);
        }
}

/* NaN where a number is wanted: refused where it can have no meaning, carried where it has one. */
Test(edges, nan_arguments) {
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){1, 2, 4}), BZ_SHAPE(3));
    EXPECT_ERROR(c, bz_arange(c, (double)NAN, 1, 1, BZ_F32), BZ_EARG, "arange");
    EXPECT_ERROR(c, bz_arange(c, 0, INFINITY, 1, BZ_F32), BZ_EARG, "arange");
    cr_expect(isnan(bz_item(bz_sum(bz_full(c, BZ_SHAPE(2), (double)NAN, BZ_F32), NULL, 0, false))));
    cr_expect(isnan(bz_item(bz_max(bz_add(x, bz_scalar(c, (double)NAN)), NULL, 0, false))));
    cr_expect(isnan(bz_item(bz_sum(bz_layer_norm(x, NULL, NULL, 1, (double)NAN), NULL, 0, false))));
    cr_expect(isnan(bz_item(
        bz_sum(bz_pad(x, ((int64_t[]){1}), ((int64_t[]){0}), 1, (double)NAN), NULL, 0, false))));
    EXPECT_ERROR(c, bz_linspace(c, 0, (double)NAN, 3, BZ_F32), BZ_EARG, "linspace");
    cr_expect_eq(bz_context_status(c), BZ_OK, "%s", bz_message(c));
    bz_close(c);
}

/* ---- slices at every limit of int64, beside Python's words: start and stop are clipped to the axis, then steps are taken */

static const int64_t bounds[] = {
    INT64_MIN, INT64_MIN + 1, -7, -6, -5, -4, -1, 0, 1, 3, 4, 5, 6, 7, INT64_MAX - 1, INT64_MAX};
static const int64_t steps[] = {1, -1, 2, -2, 5, -5, INT64_MAX, -INT64_MAX, INT64_MIN};

/* Elements of range(size)[start:stop:step] in out, their number; an open end is NULL. */
static int python(int size, const int64_t *start, const int64_t *stop, int64_t step, int *out) {
    const int64_t *ends[] = {start, stop};
    int64_t low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1, at[2];
    for (int i = 0; i < 2; i++) {
        bool first = (i == 0) == (step > 0);
        at[i] = !ends[i] ? (first ? low : high) : *ends[i] < 0 ? *ends[i] + size : *ends[i];
        if (at[i] < low) at[i] = low;
        if (at[i] > high) at[i] = high;
    }
    int n = 0;
    for (int64_t k = at[0]; step > 0 ? k < at[1] : k > at[1];) {
        out[n++] = (int)k;
        if (__builtin_add_overflow(k, step, &k)) break;
    }
    return n;
}

static void check_slice(bz_context *c, int size, int64_t start, int64_t stop, int64_t step) {
    int want[8], n = python(size, start == BZ_OPEN ? NULL : &start, stop == BZ_OPEN ? NULL : &stop,
                            step, want);
    float got[8] = {0};
    bz_tensor *x = bz_slice(bz_arange(c, 0, size, 1, BZ_F32), &start, &stop, &step, 1);
    cr_assert_eq(bz_numel(x), n, "range(%d)[%lld:%lld:%lld]: %lld elements, not %d", size,
                 (long long)start, (long long)stop, (long long)step, (long long)bz_numel(x), n);
    cr_assert_eq(bz_to_host(x, got, (size_t)n * sizeof *got), BZ_OK, "%s", bz_message(c));
    for (int i = 0; i < n; i++)
        cr_expect_eq(got[i], (float)want[i], "range(%d)[%lld:%lld:%lld]", size, (long long)start,
                     (long long)stop, (long long)step);
}

Test(edges, slices_at_every_limit) {
    bz_context *c = open_one(BZ_REF);
    for (int size = 0; size <= 5; size += size == 1 ? 4 : 1)
        for (size_t i = 0; i < BZ_LEN(bounds); i++)
            for (size_t j = 0; j < BZ_LEN(bounds); j++)
                for (size_t k = 0; k < BZ_LEN(steps); k++) {
                    bz_scope_begin(c);
                    check_slice(c, size, bounds[i], bounds[j], steps[k]);
                    bz_scope_end(c);
                }
    bz_close(c);
}

/* The text form: every number is an index, `_` and a list that is left out are open ends. */
Test(edges, slices_of_the_text_form_at_every_limit) {
    for (size_t i = 0; i <= BZ_LEN(bounds); i++)
        for (size_t j = 0; j <= BZ_LEN(bounds); j++)
            for (size_t k = 0; k < BZ_LEN(steps); k++) {
                const int64_t *start = i < BZ_LEN(bounds) ? &bounds[i] : NULL,
                              *stop = j < BZ_LEN(bounds) ? &bounds[j] : NULL;
                char ends[2][40] = {"", "_"}, text[200];
                if (start) snprintf(ends[0], sizeof ends[0], "start=[%lld], ", (long long)*start);
                if (stop) snprintf(ends[1], sizeof ends[1], "%lld", (long long)*stop);
                snprintf(text, sizeof text,
                         "graph main() {\n%%x = iota {shape=[5], dtype=f32}\n%%r = slice %%x "
                         "{%sstop=[%s], "
                         "step=[%lld]}\nreturn %%r\n}",
                         ends[0], ends[1], (long long)steps[k]);
                int want[8], n = python(5, start, stop, steps[k], want);
                int64_t count;
                double *got = irt_run(text, NULL, 0, &count);
                cr_assert_eq(count, n, "%s", text);
                for (int at = 0; at < n; at++) cr_expect_eq(got[at], want[at], "%s", text);
                bz_mem_free(got);
            }
}
