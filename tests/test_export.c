/* test_export.c - exported objects, loaded into this process: the reference interpreter's bits for
 * each instruction set and number of threads; training in place; what callers do wrong; files that
 * cannot be written. What a compiler and a linker say of the files is in test_export_link.c. */
#include "tests/support/artefact.h"
#include "tests/support/mlp.h"
#include "tests/support/plan_run.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const cg_isa all_isas[] = {CG_BASE, CG_V3, CG_V4};

static ir_module *parse(const char *text) {
    bz_error e = {0};
    ir_module *m = ir_parse(text, strlen(text), "test", &e);
    cr_assert(m, "%d:%d: %s\n%s", e.line, e.column, e.text, text);
    return m;
}

static unsigned usable_isas(void) {
    return artefact_far() ? 1 : (unsigned)bz_rt_isa_selected() + 1;
}

/* ---- the same bits */

static void compare(const artefact *a, const char *name, const ir_value_array *in,
                    const ir_value_array *want, void *workspace, size_t bytes) {
    ir_value_array out[64];
    int status = artefact_run(a, in, workspace, bytes, out);
    cr_assert_eq(status, 0, "%s: %s", name, a->error(status));
    for (uint32_t i = 0; i < a->g->outputs.n; i++)
        cr_expect_eq(first_difference(&want[i], &out[i]), -1, "%s: output %u differs", name, i);
    free_values(out, a->g->outputs.n);
}

/* Each ISA alone, so that it is the one that runs; threads 1, 2 and 4. */
static void check_bits(const char *name, const ir_graph *g, const ir_value_array *in) {
    bz_error e = {0};
    ir_value_array want[64];
    cr_assert(!ir_interpret(g, in, want, &e), "%s: %s", name, e.text);
    for (unsigned i = 0; i < usable_isas(); i++) {
        artefact a = artefact_new(g, &all_isas[i], 1);
        for (int threads = 1; threads <= 4; threads *= 2) {
            bz_rt_set_threads(threads);
            compare(&a, name, in, want, NULL, 0);
        }
        artefact_free(&a);
    }
    free_values(want, g->outputs.n);
}

static void check_text(const char *name, const char *text) {
    ir_module *m = parse(text);
    ir_value_array in[64];
    random_inputs(m->graphs.p[0], in, 7);
    check_bits(name, m->graphs.p[0], in);
    free_values(in, m->graphs.p[0]->inputs.n);
    ir_module_free(m);
}

Test(export, programs_give_the_bits_of_the_reference) {
    static const struct {
        const char *name, *text;
    } programs[] = {
#define P(name, kernels, text) {#name, text},
#include "tests/ir/programs.def"
#undef P
    };
    unsigned step = getenv("BRAZE_QUICK") ? 5 : 1;
    for (unsigned i = 0; i < BZ_LEN(programs); i += step)
        check_text(programs[i].name, programs[i].text);
}

Test(export, layers) {
    check_text("layer", "graph main(x: f32[65,70], w: f32[70,130], b: f32[130]) {"
                        " %1 = matmul %x %w\n %2 = add %1 %b\n %3 = relu %2\n return %3 }");
    check_text("softmax", "graph main(x: f32[301,77]) { %1 = softmax %x {axis=-1}\n return %1 }");
    check_text("dtypes",
               "graph main(a: i32[300], b: bool[300], h: f16[300], k: bf16[300], d: f64[300],"
               " u: u8[300], v: u16[300], w: u32[300], z: u64[300]) { %1 = add %a %a\n %2 = logical_not %b\n %3 = mul %h %h\n"
               " %4 = neg %k\n %5 = mul %d %d\n %6 = add %u %u\n %7 = floor_divide %v 7\n"
               " %8 = cast %w {dtype=f32}\n %9 = max %z\n"
               " return %1, %2, %3, %4, %5, %6, %7, %8, %9 }");
    check_text("empty",
               "graph main(x: f32[0,5], y: f32[3,0]) { %1 = neg %x\n %2 = sum %y {axes=[1]}\n"
               " return %1, %2 }");
    check_text("constants", "graph main(x: f32[4]) { %1 = const {value=[1,2,3.5,-4]} : f32[4]\n"
                            " %2 = mul %1 %x\n return %2 }");
    check_text("nothing", "graph main(x: f32[4]) { return %x as a, %x as b }");
}

/* ---- donation */

Test(export, updates_in_place) {
    check_text("sgd", "graph main(w: f32[70,33], g: f32[70,33], rate: f32[]) {"
                      " %1 = mul %g %rate\n %2 = sub %w %1\n return %2 donate w }");
}

/* Windows written: in donated memory, one after the other, in what was made before, in a copy; moved by a number of the call. */
Test(export, windows_written) {
    check_text("heat", "graph main(u: f32[40,50]) { %1 = slice %u {start=[0,1], stop=[38,49]}\n"
                       " %2 = slice %u {start=[2,1], stop=[40,49]}\n %3 = add %1 %2\n"
                       " %4 = update %u %3 {start=[1,1]}\n return %4 as x donate u }");
    check_text("one_after_the_other",
               "graph main(c: f16[9,70], y: f16[1,70], t: scalar i64) { %1 = update %c %y %t "
               "{start=[0,0]}\n %2 = neg %y\n %3 = update %1 %2 {start=[3,69], step=[1,-1]}\n"
               " %4 = update %3 %y {start=[8,0]}\n return %4 as x donate c }");
    check_text("between_readers",
               "graph main(c: i64[64], y: i64[5]) { %1 = update %c %y {start=[7], step=[3]}\n"
               " %2 = sum %1\n %3 = update %1 %y {start=[0], step=[2]}\n %4 = sum %c\n"
               " return %3 as x donate c, %2, %4, %1 }");
    check_text("made_before", "graph main(x: f64[30,7], y: f64[30,1]) { %1 = exp %x\n"
                              " %2 = update %1 %y {start=[0,5]}\n return %2 }");
    check_text("looked_up", "graph main(c: f32[6,4], x: f32[5,4], i: i64) { %1 = remainder %i 5\n"
                            " %2 = gather %x %1\n %3 = reshape %2 {shape=[1,4]}\n"
                            " %4 = update %c %3 {start=[2,0]}\n return %4 as y donate c }");
}

/* Outputs that cannot be computed where they end: all inputs are read before one is overwritten. */
Test(export, donations_that_must_wait) {
    check_text("swap",
               "graph main(a: f32[40], b: f32[40]) { return %b as x donate a, %a as y donate b }");
    check_text("turn", "graph main(a: f32[40], b: f32[40], c: f32[40]) {"
                       " return %b as x donate a, %c as y donate b, %a as z donate c }");
    check_text("old_and_new",
               "graph main(a: f32[40]) { %1 = exp %a\n return %a as old, %1 as new donate a }");
    check_text("new_and_old",
               "graph main(a: f32[40]) { %1 = exp %a\n return %1 as new donate a, %a as old }");
    check_text("transposed", "graph main(a: f32[30,30]) { %1 = transpose %a\n %2 = exp %1\n"
                             " return %2 as x donate a }");
    check_text("twice", "graph main(a: f32[30], b: f32[30]) { %1 = exp %a\n"
                        " return %1 as x donate a, %1 as y donate b, %1 as z }");
}

/* Second moments and step counts are never negative. */
static void train_inputs(const ir_graph *g, ir_value_array *in) {
    random_inputs(g, in, 3);
    for (uint32_t i = 0; i < g->inputs.n; i++) {
        const char *name = g->inputs.p[i].name;
        int64_t count = 0;
        ir_numel(g, g->inputs.p[i].node, &count);
        for (int64_t k = 0; (name[0] == 'v' || !strcmp(name, "t")) && k < count; k++)
            ((float *)in[i].data)[k] *= ((float *)in[i].data)[k];
    }
}

/* The values after a step go in where they are donated. */
static void feed_back(const ir_graph *g, ir_value_array *in, ir_value_array *out) {
    for (uint32_t i = 0; i < g->outputs.n; i++) {
        int d = g->outputs.p[i].donated;
        if (d < 0) continue;
        void *old = in[d].data;
        in[d].data = out[i].data;
        out[i].data = old;
    }
}

Test(export, twenty_training_steps, .timeout = 300) {
    bz_error e = {0};
    ir_module *m = mlp_step(20, 37, 33, 10);
    const ir_graph *g = m->graphs.p[0];
    artefact a = artefact_new(g, all_isas, 3);
    ir_value_array want_in[64], in[64], want[64], out[64];
    train_inputs(g, want_in);
    train_inputs(g, in);
    for (unsigned step = 0; step < 20; step++) {
        bz_rt_set_threads(1 + (int)step % 4);
        cr_assert(!ir_interpret(g, want_in, want, &e), "%s", e.text);
        int status = artefact_run(&a, in, NULL, 0, out);
        cr_assert_eq(status, 0, "%s", a.error(status));
        for (uint32_t i = 0; i < g->outputs.n; i++)
            cr_assert_eq(first_difference(&want[i], &out[i]), -1, "step %u: %s", step,
                         g->outputs.p[i].name);
        feed_back(g, want_in, want);
        feed_back(g, in, out);
        free_values(want, g->outputs.n);
        free_values(out, g->outputs.n);
    }
    free_values(want_in, g->inputs.n);
    free_values(in, g->inputs.n);
    artefact_free(&a);
    ir_module_free(m);
}

/* Scalars of every dtype by value: a graph as an API records it. */
Test(export, scalars_by_value) {
    ir_module *m = ir_module_new();
    ir_graph *g = ir_graph_new(m, "main");
    cr_assert(!ir_module_add(m, g));
    ir_ref s[BZ_NDTYPES];
    const int all = BZ_C64; /* a complex number is none */
    for (int t = 0; t < all; t++) {
        char name[16];
        snprintf(name, sizeof name, "s%d", t);
        s[t] = ir_scalar_input(g, name, (bz_dtype)t);
    }
    for (int t = 0; t < all; t++) {
        int64_t shape[] = {5};
        ir_ref x = ir_expand(g, s[t], shape, 1);
        cr_assert(!ir_output_add(g, NULL, t == BZ_BOOL ? x : ir_build2(g, IR_MUL, x, x), -1));
    }
    cr_assert(!ir_output_add(g, NULL, s[BZ_I32], -1)); /* and one that comes out as it is */
    cr_assert(!g->err.status, "%s", g->err.text);
    ir_value_array in[64];
    random_inputs(g, in, 5);
    check_bits("scalars", g, in);
    free_values(in, g->inputs.n);
    ir_module_free(m);
}

/* ---- workspaces and mistakes of the caller */

static const char square[] = "graph main(x: f32[640,64], w: f32[64,64]) {"
                             " %1 = matmul %x %w\n %2 = exp %1\n %3 = matmul %2 %w\n return %3 }";

Test(export, a_workspace_of_the_caller) {
    bz_error e = {0};
    ir_module *m = parse(square);
    const ir_graph *g = m->graphs.p[0];
    artefact a = artefact_new(g, all_isas, 3);
    ir_value_array in[2], want[1], out[1];
    random_inputs(g, in, 7);
    cr_assert(!ir_interpret(g, in, want, &e), "%s", e.text);
    bz_rt_set_threads(1);
    size_t one = a.workspace(0);
    bz_rt_set_threads(4);
    size_t four = a.workspace(0);
    cr_assert(four > one && one > 640 * 64 * 4, "%zu, %zu", one, four);
    char *p = malloc(four + 200);
    const size_t sizes[] = {one, four - 1, four};
    for (unsigned i = 0; i < 6; i++) { /* aligned or not, room for four threads or fewer */
        char *at = p + 64 + (i < 3 ? 1 : 0);
        memset(p, 0x77, four + 200);
        compare(&a, "square", in, want, at, sizes[i % 3]);
        cr_expect(at[-1] == 0x77 && at[sizes[i % 3]] == 0x77, "written outside the workspace");
    }
    cr_expect_eq(artefact_run(&a, in, p, one - 1, out), BZ_RT_EWORKSPACE);
    cr_expect_str_eq(a.error(BZ_RT_EWORKSPACE), "the workspace is too small");
    free_values(out, 1);
    free_values(want, 1);
    free_values(in, 2);
    free(p);
    artefact_free(&a);
    ir_module_free(m);
}

Test(export, null_and_crooked_pointers) {
    ir_module *m = parse("graph main(x: f32[4], none: f32[0]) { %1 = exp %x\n return %1 as y }");
    artefact a = artefact_new(m->graphs.p[0], all_isas, 3);
    float x[5] = {1, 2, 3, 4, 5}, y[5];
    struct {
        const void *x, *none;
        void *y, *workspace;
        size_t bytes;
    } args = {x, NULL, y, NULL, 0};
    cr_expect_eq(a.call(&args), 0, "an empty tensor needs no memory");
    cr_expect_eq(a.call(NULL) & 255, BZ_RT_EARGUMENT);
    cr_expect_str_eq(a.error(a.call(NULL)), "the arguments are NULL");
    args.y = NULL;
    cr_expect_eq(a.call(&args) & 255, BZ_RT_EARGUMENT);
    cr_expect_str_eq(a.error(a.call(&args)), "argument y is NULL");
    args.y = (char *)y + 1;
    cr_expect_eq(a.call(&args) & 255, BZ_RT_EALIGNMENT);
    cr_expect_str_eq(a.error(a.call(&args)), "argument y is not 4-byte aligned");
    cr_expect_str_eq(a.error(0), "done");
    cr_expect_str_eq(a.error(200), "unknown status");
    cr_expect_str_eq(a.error(BZ_RT_EINDEX | 77 << 8), "an index is out of range");
    artefact_free(&a);
    ir_module_free(m);
}

/* After an index outside no input changes that was whole until then: what is written over it in place has not begun, and what waits
 * for its end is not copied. As in compiled calls. */
Test(export, a_bad_index_leaves_donated_inputs_whole) {
    static const char *const texts[] = {
        "graph main(w: f32[40], i: i64[7], x: f32[5]) { %1 = gather %x %i\n %2 = sum %1\n"
        " %3 = expand %2 {shape=[40]}\n %4 = add %w %3\n return %4 as w donate w }",
        "graph main(w: f32[40], i: i64[7], x: f32[5]) { %1 = gather %x %i\n %2 = sum %1\n"
        " %3 = expand %2 {shape=[40]}\n %4 = flip %w {axes=[0]}\n %5 = add %4 %3\n"
        " return %5 as w donate w }",
    };
    for (unsigned k = 0; k < BZ_LEN(texts); k++) {
        ir_module *m = parse(texts[k]);
        artefact a = artefact_new(m->graphs.p[0], all_isas, 3);
        ir_value_array in[3], out[1];
        random_inputs(m->graphs.p[0], in, 7);
        const int64_t index[7] = {0, 1, 2, 5, -5, 1, 4};
        memcpy(in[1].data, index, sizeof index);
        cr_expect_eq(artefact_run(&a, in, NULL, 0, out) & 255, BZ_RT_EINDEX);
        cr_expect_eq(first_difference(&in[0], &out[0]), -1, "case %u", k);
        free_values(out, 1);
        ((int64_t *)in[1].data)[3] = 4;
        cr_expect_eq(artefact_run(&a, in, NULL, 0, out), 0);
        cr_expect_neq(first_difference(&in[0], &out[0]), -1, "case %u", k);
        free_values(out, 1);
        free_values(in, 3);
        artefact_free(&a);
        ir_module_free(m);
    }
}

/* Large results are written past the caches, to whole lines. */
Test(export, large_results_say_what_they_need) {
    ir_module *m = parse("graph main(x: f32[8000000]) { %1 = neg %x\n return %1 as y }");
    artefact a = artefact_new(m->graphs.p[0], all_isas, 3);
    char path[128];
    size_t n;
    snprintf(path, sizeof path, "%s.h", a.prefix);
    char *header = read_file(path, &n);
    cr_expect(strstr(header, "float *y; /* f32[8000000], written, 64-byte aligned */"), "%s",
              header);
    float *p = aligned_alloc(64, 2 * 32000000 + 64);
    struct {
        const void *x;
        void *y, *workspace;
        size_t bytes;
    } args = {p, p + 8000001, NULL, 0};
    for (unsigned i = 0; i < 8000000; i++) p[i] = (float)i;
    cr_expect_str_eq(a.error(a.call(&args)), "argument y is not 64-byte aligned");
    args.y = p + 8000000;
    cr_expect_eq(a.call(&args), 0);
    cr_expect(p[8000001] == -1.0f && p[15999999] == -7999999.0f);
    free(p);
    free(header);
    artefact_free(&a);
    ir_module_free(m);
}

Test(export, an_index_out_of_range_is_a_status) {
    ir_module *m = parse(
        "graph main(x: f32[40,30], i: i64[7], j: i64[7]) { %1 = gather %x %i @ \"data.c:12\"\n"
        " %2 = mul %1 %1\n %3 = gather %x %j @ \"data.c:13\"\n %4 = mul %3 %3\n"
        " return %2, %4 }");
    const ir_graph *g = m->graphs.p[0];
    artefact a = artefact_new(g, all_isas, 3);
    ir_value_array in[3], out[2];
    random_inputs(g, in, 7);
    for (int which = 1; which <= 2; which++) { /* both look-ups are of one kernel */
        int64_t *bad = (int64_t *)in[which].data + 3;
        *bad = 40;
        for (int threads = 1; threads <= 4; threads *= 2) {
            bz_rt_set_threads(threads);
            int status = artefact_run(&a, in, NULL, 0, out);
            cr_expect_eq(status & 255, BZ_RT_EINDEX);
            cr_expect_str_eq(a.error(status),
                             which == 1 ? "[gather] index 40 is outside axis 0 of 40 at data.c:12"
                                        : "[gather] index 40 is outside axis 0 of 40 at data.c:13");
            cr_expect(strstr(a.error(status ^ 1 << 8), "an index is outside"), "of another call");
            free_values(out, 2);
        }
        *bad = 39;
    }
    cr_expect_eq(artefact_run(&a, in, NULL, 0, out), 0);
    free_values(out, 2);
    free_values(in, 3);
    artefact_free(&a);
    ir_module_free(m);
}

/* The words of an export are the interpreter's (and those of compiled code: test_index_errors.c), the first index in row-major order
 * included, wherever it comes from. */
Test(export, the_index_itself_is_named) {
    static const struct {
        const char *text;
        bool overwritten;
    } cases[] = {
        {"graph main(x: f32[5,4], i: i64[7]) { %1 = gather %x %i @ \"a.c:1\"\n return %1 }", false},
        {"graph main(x: f32[5,4], i: i64[7]) { %1 = sub %i, 1\n %2 = add %1, 1\n %3 = gather %x %2 "
         "@ "
         "\"a.c:2\"\n %4 = exp %3\n %5 = sum %4 {axes=[1]}\n return %5 }",
         false},
        {"graph main(x: f32[5,4], i: i64[7]) { %1 = reshape %i {shape=[7,1]}\n %2 = permute %1 "
         "{perm=[1,0]}\n"
         " %3 = gather %x %2 {axis=1} @ \"a.c:3\"\n return %3 }",
         false},
        {"graph main(x: f32[5,4], i: i64[7]) { %1 = mul %i, %i\n %2 = gather %x %i @ \"a.c:4\"\n "
         "%3 = sum %2\n"
         " %4 = gather %x %1 @ \"a.c:5\"\n return %3, %4 }",
         false},
        {"graph main(x: f32[5,4], i: i64[7]) { %1 = gather %x %i @ \"a.c:6\"\n %2 = add %i, 1\n"
         " return %1 as y, %2 as j donate i }",
         true},
    };
    for (unsigned k = 0; k < BZ_LEN(cases); k++) {
        ir_module *m = parse(cases[k].text);
        const ir_graph *g = m->graphs.p[0];
        artefact a = artefact_new(g, all_isas, 3);
        ir_value_array in[2], out[2];
        random_inputs(g, in, 7);
        const int64_t index[7] = {0, 1, 2, 7, -9, 1, 9};
        memcpy(in[1].data, index, sizeof index);
        bz_error e = {0};
        cr_expect_eq(ir_interpret(g, in, out, &e), BZ_EINDEX);
        for (int threads = 1; threads <= 3; threads += 2) {
            bz_rt_set_threads(threads);
            const char *says = a.error(artefact_run(&a, in, NULL, 0, out));
            if (cases[k].overwritten)
                cr_expect_str_eq(says, "[gather] an index is outside axis 0 of 5 at a.c:6");
            else
                cr_expect_str_eq(says, e.text);
            free_values(out, g->outputs.n);
            memcpy(in[1].data, index, sizeof index);
        }
        free_values(in, 2);
        artefact_free(&a);
        ir_module_free(m);
    }
    bz_rt_set_threads(0);
}

/* ---- what cannot be exported */

static bz_status try_export(const char *text, const char *prefix, const char *name, bz_error *e) {
    ir_module *m = parse(text);
    *e = (bz_error){0};
    bz_status s = rt_export_graph(m->graphs.p[0], prefix, name, all_isas, 3, e);
    ir_module_free(m);
    return s;
}

static const char tiny[] = "graph main(x: f32[4]) { %1 = neg %x\n return %1 }";

Test(export, wrong_requests) {
    char dir[64], prefix[96];
    bz_error e = {0};
    temp_dir(dir);
    snprintf(prefix, sizeof prefix, "%s/step", dir);
    static const char *const bad_names[] = {"",   "1x",   "int", "class",    "a b",
                                            "_x", "a__b", "é",   "workspace"};
    for (unsigned i = 0; i < BZ_LEN(bad_names); i++)
        cr_expect_eq(try_export(tiny, prefix, bad_names[i], &e), BZ_EARG, "%s", bad_names[i]);
    cr_expect(strstr(e.text, "\"workspace\" is no function name"), "%s", e.text);
    cr_expect_eq(try_export(tiny, "", "step", &e), BZ_EARG);
    cr_expect_eq(try_export(tiny, "/tmp/", "step", &e), BZ_EARG);
    cr_expect_eq(try_export(tiny, "/tmp/braze_rt", "step", &e), BZ_EARG);
    cr_expect_eq(try_export("graph main(n: sym(1, 9), x: f32[n]) { %1 = neg %x\n return %1 }",
                            prefix, "step", &e),
                 BZ_EUNSUPPORTED);
    cr_expect(strstr(e.text, "x has a symbolic dimension"), "%s", e.text);
    ir_module *m = parse(tiny);
    e = (bz_error){0};
    cr_expect_eq(rt_export_graph(m->graphs.p[0], prefix, "step", all_isas, 0, &e), BZ_EARG);
    cr_expect_eq(rt_export_graph(m->graphs.p[0], prefix, "step", (cg_isa[]){CG_V3, CG_V3}, 2, NULL),
                 BZ_EARG);
    ir_module_free(m);
    char *names = list_dir(dir);
    cr_expect_str_eq(names, "");
    free(names);
    remove_dir(dir);
}

/* ---- files */

/* The export fails with BZ_EIO, says `why`, and the directory is as it was. */
static void expect_no_files(const char *dir, const char *prefix, const char *why) {
    bz_error e;
    char *before = list_dir(dir);
    cr_expect_eq(try_export(tiny, prefix, "step", &e), BZ_EIO, "%s", prefix);
    cr_expect(strstr(e.text, why) && strstr(e.text, "cannot write"), "%s", e.text);
    char *after = list_dir(dir);
    cr_expect_str_eq(after, before);
    free(before);
    free(after);
}

Test(export, files_appear_whole_or_not_at_all) {
    char dir[64], path[160], other[200];
    bz_error e;
    temp_dir(dir);
    snprintf(path, sizeof path, "%s/missing/step", dir);
    expect_no_files(dir, path, "No such file");
    expect_no_files(dir, "/dev/full/step", "Not a directory");
    snprintf(path, sizeof path, "%s/step", dir);
    snprintf(other, sizeof other, "%s.h", path);
    cr_assert_eq(mkdir(other, 0777), 0);
    expect_no_files(dir, path, "Is a directory");
    cr_assert_eq(rmdir(other), 0);
    cr_expect_eq(try_export(tiny, path, "step", &e), BZ_OK, "%s", e.text);
    cr_expect_eq(try_export(tiny, path, "step", &e), BZ_OK, "files are replaced: %s", e.text);
    char *names = list_dir(dir);
    cr_expect_str_eq(names, "braze_rt.o step.h step.o ");
    free(names);
    remove_dir(dir);
}

/* Root may write anywhere, and another user may be unable to reach the build: what the export needs is opened before. */
Test(export, a_directory_that_cannot_be_written) {
    char dir[64], path[160];
    bz_error e;
    temp_dir(dir);
    snprintf(path, sizeof path, "%s/step", dir);
    cr_assert_eq(try_export(tiny, path, "step", &e), BZ_OK, "%s", e.text);
    remove_dir(dir);
    if (geteuid() == 0 && setegid(65534) == 0) cr_assert_eq(seteuid(65534), 0);
    expect_no_files("/", "/step", "Permission denied");
}

/* No room for the object, then for the run time object, which is the larger one. */
Test(export, a_full_disk) {
    char dir[64], path[160];
    temp_dir(dir);
    snprintf(path, sizeof path, "%s/step", dir);
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t limit = 1000; limit <= 8000; limit += 7000) {
        cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){limit, RLIM_INFINITY}), 0);
        expect_no_files(dir, path, "File too large");
    }
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
    remove_dir(dir);
}

Test(export, memory_may_run_out_anywhere) {
    char dir[64], path[160];
    bz_error e = {0};
    ir_module *m = parse("graph main(a: f32[40], b: f32[40]) { %1 = neg %a\n"
                         " return %1 as x donate b, %b as y donate a, %a as z }");
    temp_dir(dir);
    snprintf(path, sizeof path, "%s/step", dir);
    cr_assert(!cg_open(&e), "%s", e.text);
    bz_status s = BZ_ENOMEM;
    long n = 0;
    for (; s != BZ_OK; n += n < 100 ? 1 : 7) {
        e = (bz_error){0};
        bz_mem_fail_after(n);
        s = rt_export_graph(m->graphs.p[0], path, "step", &all_isas[1], 1, &e);
        bz_mem_fail_after(-1);
        cr_assert(s == BZ_OK || ((s == BZ_ENOMEM || s == BZ_EIO) && strstr(e.text, "memory")),
                  "%ld: %d %s", n, s, e.text);
        char *names = list_dir(dir);
        cr_assert_str_eq(names, s ? "" : "braze_rt.o step.h step.o ");
        free(names);
    }
    cr_expect_gt(n, 50L);
    remove_dir(dir);
    ir_module_free(m);
}
