/* test_bits.c - the same bits: fused or one kernel per op, any vector width, any number of threads, any borders between their tasks, and a
 * row alone or among a thousand others. Everything is machine code. */
#include "tests/support/irtest.h"
#include "tests/support/plan_jit.h"
#include "tests/support/plan_run.h"
#include "tests/support/targets.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* A program over x: f32[M, 70] and weights; M is put in for @. Its outputs have one row per row of x. */
static const struct {
    const char *name, *text;
} programs[] = {
    {"matmul", "graph main(x: f32[@,70], w: f32[70,45], b: f32[45]) { %1 = matmul %x %w\n %2 = add "
               "%1 %b\n %3 = relu %2\n return %3 }"},
    {"matmul_long",
     "graph main(x: f32[@,70], w: f32[1200,40]) { %1 = concat %x %x %x %x %x %x %x %x %x %x %x %x "
     "%x %x %x %x %x {axis=1}\n"
     " %2 = pad %1 {lo=[0,5], hi=[0,5], value=0.25}\n %3 = matmul %2 %w\n return %3 }"},
    {"softmax", "graph main(x: f32[@,70]) { %1 = softmax %x\n return %1 }"},
    {"layer_norm", "graph main(x: f32[@,70], w: f32[70], b: f32[70]) { %1 = layer_norm %x %w %b\n "
                   "%2 = gelu %1\n %3 = add %2 %x\n return %3 }"},
    {"sums", "graph main(x: f32[@,70]) { %1 = exp %x\n %2 = sum %1 {axes=[1]}\n %3 = log_softmax "
             "%x\n return %2, %3 }"},
    {"cumsum",
     "graph main(x: f32[@,70]) { %1 = exp %x\n %2 = concat %1 %1 %1 %1 %1 {axis=1}\n %3 = cumsum "
     "%2 {axis=1}\n %4 = reshape %2 {shape=[@,35,10]}\n %5 = cumsum %4 {axis=1}\n %6 = "
     "logcumsumexp %2 {axis=1, reverse}\n %7 = cumprod %x {axis=1}\n return %3, %5, %6, %7 }"},
    {"sort",
     "graph main(x: f32[@,70]) { %1 = mul %x 4\n %2 = trunc %1\n %v, %i = sort %2 {axis=1}\n "
     "return %v, %i }"},
    {"scatter", "graph main(x: f32[@,70]) { %1 = iota {shape=[70]}\n %i = remainder %1 9\n %2 = "
                "scatter_rows %x %i {size=9, axis=1}\n %3 = reshape %x {shape=[@,2,35]}\n %j = iota "
                "{shape=[2]}\n %4 = scatter_rows %3 %j {size=2, axis=1}\n return %2, %4 }"},
};

static ir_module *program(unsigned i, int64_t rows) {
    bz_text t = {0};
    for (const char *s = programs[i].text; *s; s++)
        if (*s == '@')
            bz_textf(&t, "%lld", (long long)rows);
        else
            bz_text_add(&t, s, 1);
    ir_module *m = irt_parse(bz_text_c(&t));
    bz_text_free(&t);
    return m;
}

static void run(const ir_graph *g, const plan_target *t, plan_jit_how how, const ir_value_array *in,
                ir_value_array *out) {
    bz_error e = {0};
    pass_plan *p = pass_compile(g, &t->t, &e);
    cr_assert(p, "%s", e.text);
    how.isa = t->isa;
    cr_assert_eq(plan_jit(p, how, in, out, &e), BZ_OK, "%s", e.text);
    pass_plan_free(p);
}

Test(bits, threads_and_targets) {
    static const plan_jit_how how[] = {{.threads = 1},
                                       {.threads = 2},
                                       {.threads = 4},
                                       {.threads = 1, .split = 7},
                                       {.threads = 1, .split = 99}};
    for (unsigned i = 0; i < BZ_LEN(programs); i++) {
        ir_module *m = program(i, 203);
        const ir_graph *g = m->graphs.p[0];
        ir_value_array in[4], want[4], out[4];
        bz_error e = {0};
        random_inputs(g, in, 5);
        cr_assert_eq(ir_interpret(g, in, want, &e), BZ_OK, "%s", e.text);
        for (unsigned t = 0; t < target_count; t++)
            for (unsigned h = 0; h < BZ_LEN(how) && targets[t].isa <= target_host(); h++) {
                run(g, &targets[t], how[h], in, out);
                for (uint32_t k = 0; k < g->outputs.n; k++)
                    cr_expect_eq(first_difference(&want[k], &out[k]), -1,
                                 "%s for %s, way %u: output %u differs", programs[i].name,
                                 targets[t].name, h, k);
                free_values(out, g->outputs.n);
            }
        free_values(in, g->inputs.n);
        free_values(want, g->outputs.n);
        ir_module_free(m);
    }
}

/* Every way to read along an axis that is not the last in memory: tiles of transposed inputs (whole ones, cut ones, several inputs,
 * outer axes beside), short strides forwards and backwards, pads and concats that branch, inside and outside each other. */
static const char *const moves[] = {
    "x: @[64,128]) { %2 = permute %x {perm=[1,0]}\n %1 = copy %2",
    "x: @[75,203]) { %2 = permute %x {perm=[1,0]}\n %1 = copy %2",
    "x: @[203,8]) { %2 = permute %x {perm=[1,0]}\n %1 = copy %2",
    "x: @[9,70]) { %2 = permute %x {perm=[1,0]}\n %1 = copy %2",
    "x: @[130,130]) { %2 = permute %x {perm=[1,0]}\n %1 = add %x %2",
    "x: @[3,65,5,70]) { %2 = permute %x {perm=[2,3,0,1]}\n %1 = maximum %2 %2",
    "x: @[5,40,33]) { %2 = permute %x {perm=[2,0,1]}\n %3 = permute %x {perm=[2,0,1]}\n %1 = mul "
    "%2 %3",
    "x: @[66,140]) { %2 = flip %x {axes=[0,1]}\n %3 = permute %2 {perm=[1,0]}\n %1 = copy %3",
    "x: @[66,140]) { %2 = permute %x {perm=[1,0]}\n %3 = flip %2 {axes=[1]}\n %1 = copy %3",
    "x: @[66,70]) { %2 = permute %x {perm=[1,0]}\n %1 = pad %2 {lo=[1,2], hi=[3,0]}",
    "x: @[90,66]) { %2 = permute %x {perm=[1,0]}\n %1 = concat %2 %2 %2 {axis=1}",
    "x: @[1000]) { %1 = flip %x {axes=[0]}",
    "x: @[1001]) { %2 = slice %x {start=[1], step=[2]}\n %1 = copy %2",
    "x: @[1000]) { %2 = slice %x {start=[999], stop=[0], step=[-3]}\n %1 = copy %2",
    "x: @[7,402]) { %2 = slice %x {start=[0,1], stop=[7,402], step=[1,4]}\n %1 = copy %2",
    "x: @[1200]) { %2 = slice %x {start=[3], step=[4]}\n %1 = copy %2",
    "x: @[300]) { %1 = concat %x %x %x {axis=0}",
    "x: @[300]) { %2 = concat %x %x {axis=0}\n %3 = pad %2 {lo=[17], hi=[5]}\n %1 = concat %3 %x "
    "%2 {axis=0}",
    "x: @[11,130]) { %2 = pad %x {lo=[2,3], hi=[1,4]}\n %3 = flip %2 {axes=[1]}\n %1 = pad %3 "
    "{lo=[0,1], hi=[0,130]}",
    "x: @[40,130]) { %2 = pad %x {lo=[2,3], hi=[1,4]}\n %1 = sum %2 {axes=[0]}",
    "x: @[40,130]) { %2 = concat %x %x {axis=1}\n %1 = max %2 {axes=[1]}"};

/* Every way to fold columns: in registers down the rows, short rows side by side, long ones as they lie in memory (more than 1 MiB); with
 * one chain of 128 rows and many, in one group and several; columns that are no multiple of anything. */
static const char *const columns[] = {
    "x: @[60,300]) { %1 = KIND %x {axes=[0]}",
    "x: @[129,1]) { %1 = KIND %x {axes=[0]}",
    "x: @[9001,3]) { %1 = KIND %x {axes=[0]}",
    "x: @[2600,10]) { %1 = KIND %x {axes=[0]}",
    "x: @[777,45]) { %1 = KIND %x {axes=[0]}",
    "x: @[1100,16]) { %1 = KIND %x {axes=[0]}",
    "x: @[300,1100]) { %1 = KIND %x {axes=[0]}",
    "x: @[1100,961]) { %1 = KIND %x {axes=[0]}",
    "x: @[9,120011]) { %1 = KIND %x {axes=[0]}",
    "x: @[130,8200]) { %1 = KIND %x {axes=[0]}",
    "x: @[4,300,901]) { %1 = KIND %x {axes=[1]}",
    "x: @[40,200,5]) { %1 = KIND %x {axes=[1]}",
    "x: @[6,50,7,130]) { %1 = KIND %x {axes=[0,2]}",
    "x: @[901,400]) { %2 = permute %x {perm=[1,0]}\n %1 = KIND %2 {axes=[0]}"};

static void replace(bz_text *t, const char *from, const char *dtype, const char *kind) {
    bz_textf(t, "%s", "graph main(");
    for (; *from; from++)
        if (*from == '@')
            bz_textf(t, "%s", dtype);
        else if (!strncmp(from, "KIND", 4)) {
            bz_textf(t, "%s", kind);
            from += 3;
        } else
            bz_text_add(t, from, 1);
    bz_textf(t, "%s", "\n return %1 }");
}

static void check_form(const char *form, const char *dtype, const char *kind) {
    static const plan_jit_how how[] = {{.threads = 2}, {.threads = 1, .split = 7}};
    bz_text t = {0};
    replace(&t, form, dtype, kind);
    ir_module *m = irt_parse(bz_text_c(&t));
    const ir_graph *g = m->graphs.p[0];
    ir_value_array in[1], want[1], out[1];
    bz_error e = {0};
    random_inputs(g, in, 11);
    cr_assert_eq(ir_interpret(g, in, want, &e), BZ_OK, "%s", e.text);
    for (unsigned i = 0; i < target_count; i++)
        for (unsigned h = 0; h < BZ_LEN(how) && targets[i].isa <= target_host(); h++) {
            run(g, &targets[i], how[h], in, out);
            cr_expect_eq(first_difference(&want[0], &out[0]), -1, "%s for %s, way %u",
                         bz_text_c(&t), targets[i].name, h);
            free_values(out, 1);
        }
    free_values(in, 1);
    free_values(want, 1);
    ir_module_free(m);
    bz_text_free(&t);
}

/* Under BRAZE_QUICK one dtype or fold of each form in three. */
static bool left_out(unsigned form, unsigned which) {
    return getenv("BRAZE_QUICK") && (form + which) % 3;
}

Test(bits, moves) {
    static const char *const dtypes[] = {"f32", "f16", "bf16", "f64", "i32", "u8", "i64"};
    for (unsigned i = 0; i < BZ_LEN(moves); i++)
        for (unsigned t = 0; t < BZ_LEN(dtypes); t++)
            if (!left_out(i, t)) check_form(moves[i], dtypes[t], "");
}

Test(bits, columns) {
    static const char *const kinds[][2] = {{"f32", "sum"},  {"f16", "sum"}, {"bf16", "max"},
                                           {"f64", "prod"}, {"i32", "min"}, {"u8", "sum"},
                                           {"bool", "any"}, {"i64", "all"}, {"f32", "mean"}};
    check_form(columns[2], "f32", "argmax"); /* of one axis only */
    check_form(columns[6], "f16", "argmin");
    for (unsigned i = 0; i < BZ_LEN(columns); i++)
        for (unsigned k = 0; k < BZ_LEN(kinds); k++)
            if (!left_out(i, k)) check_form(columns[i], kinds[k][0], kinds[k][1]);
}

static size_t row_bytes(const ir_value_array *v) {
    size_t n = ir_dtype_bytes(v->dtype);
    for (unsigned d = 1; d < v->rank; d++) n *= (size_t)v->shape[d];
    return n;
}

Test(bits, a_row_alone_or_among_others) {
    enum { ROWS = 1000, STEP = 333 };
    for (unsigned i = 0; i < BZ_LEN(programs); i++) {
        ir_module *all = program(i, ROWS), *one = program(i, 1);
        const ir_graph *g = all->graphs.p[0];
        ir_value_array in[4], row[4], many[4], alone[4];
        random_inputs(g, in, 9);
        for (unsigned t = 0; t < target_count && targets[t].isa <= target_host(); t++) {
            run(g, &targets[t], (plan_jit_how){.threads = 2}, in, many);
            for (int64_t r = 0; r < ROWS; r += STEP) {
                memcpy(row, in, sizeof row);
                row[0].shape[0] = 1;
                row[0].data = (char *)in[0].data + (size_t)r * row_bytes(&in[0]);
                run(one->graphs.p[0], &targets[t], (plan_jit_how){.threads = 1}, row, alone);
                for (uint32_t k = 0; k < g->outputs.n; k++)
                    cr_expect_eq(memcmp(alone[k].data,
                                        (char *)many[k].data + (size_t)r * row_bytes(&many[k]),
                                        row_bytes(&many[k])),
                                 0, "%s for %s: row %lld", programs[i].name, targets[t].name,
                                 (long long)r);
                free_values(alone, g->outputs.n);
            }
            free_values(many, g->outputs.n);
        }
        free_values(in, g->inputs.n);
        ir_module_free(all);
        ir_module_free(one);
    }
}
