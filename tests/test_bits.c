/* test_bits.c - the same bits: fused or one kernel per op, any vector width, any number of threads, any borders between their tasks, and a
 * row alone or among a thousand others. Everything is machine code. */
#include "tests/support/irtest.h"
#include "tests/support/plan_jit.h"
#include "tests/support/plan_run.h"
#include "tests/support/targets.h"

#include <criterion/criterion.h>
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
