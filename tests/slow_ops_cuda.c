/* slow_ops_cuda.c - the op harness (tests/support/op_cases.h) and every program of tests/ir as CUDA C on the emulated driver, against the
 * reference interpreter, bit for bit, and without a report of the driver. The device is that of $BRAZE_FAKE_DEVICES.
 *
 * Cases are compiled TOGETHER at a time, those of a run (op_cases_sample: every 4th) or under BRAZE_QUICK in NVRTC's quick way. */
#include "runtime/exec/device.h"
#include "tests/support/corpus.h"
#include "tests/support/irtest.h"
#include "tests/support/op_cases.h"
#include "tests/support/plan_cuda.h"
#include "tests/support/plan_run.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOGETHER = 24 };

typedef struct waiting {
    char name[96];
    ir_module *m;
} waiting;

typedef struct queue {
    waiting of[TOGETHER];
    pass_plan *plans[TOGETHER];
    unsigned n, number, done;
    op_sample sample; /* of which numbers run */
} queue;

static void run_one(const queue *q, const plan_cuda_code *c, unsigned i) {
    bz_error e = {0};
    const ir_graph *g = q->of[i].m->graphs.p[0];
    const char *name = q->of[i].name;
    ir_value_array *in = calloc(g->inputs.n + 1, sizeof *in),
                   *want = calloc(g->outputs.n + 1, sizeof *want),
                   *got = calloc(g->outputs.n + 1, sizeof *got);
    op_case_inputs(g, in);
    if (ir_interpret(g, in, want, &e)) { /* an index of these inputs that is out of range */
        cr_expect_eq(plan_cuda_run(c, i, in, got, &e), BZ_EINDEX, "%s", name);
    } else {
        cr_expect_eq(plan_cuda_run(c, i, in, got, &e), BZ_OK, "%s: %s", name, e.text);
        for (uint32_t k = 0; k < g->outputs.n && got[k].data; k++)
            cr_expect_eq(first_difference(&want[k], &got[k]), -1, "%s: output %u at %lld", name, k,
                         (long long)first_difference(&want[k], &got[k]));
    }
    free_values(in, g->inputs.n);
    free_values(want, g->outputs.n);
    free_values(got, g->outputs.n);
    free(in);
    free(want);
    free(got);
}

static void run_all(queue *q) {
    bz_error e = {0};
    if (!q->n) return;
    plan_cuda_code *c = plan_cuda_compile(q->plans, q->n, &e);
    cr_expect(c, "from %s on: %s", q->of[0].name, e.text);
    for (unsigned i = 0; i < q->n; i++) {
        if (c) run_one(q, c, i);
        pass_plan_free(q->plans[i]);
        ir_module_free(q->of[i].m);
    }
    if (c) plan_cuda_free(c);
    q->done += q->n;
    q->n = 0;
}

/* Takes m where the sample has it. */
static void add(queue *q, const char *name, ir_module *m, const pass_target *t) {
    bz_error e = {0};
    pass_plan *p =
        op_sampled(q->sample, q->number++) ? pass_compile(m->graphs.p[0], t, &e) : NULL;
    cr_expect(p || !e.status, "%s: %s", name, e.text);
    if (!p) {
        ir_module_free(m);
        return;
    }
    waiting *w = &q->of[q->n];
    snprintf(w->name, sizeof w->name, "%s", name);
    w->m = m;
    q->plans[q->n++] = p;
    if (q->n == TOGETHER) run_all(q);
}

static bool ready(op_sample s) {
    const bool is = plan_cuda_ready();
    if (!is) fprintf(stderr, "skipped: no NVRTC, or no driver\n");
    if (s.quick) setenv("BRAZE_NVRTCFLAGS", "--Ofast-compile=mid", 0);
    return is;
}

static void run_family(op_family_id family) {
    queue q = {.sample = op_cases_sample(4)};
    if (!ready(q.sample)) return;
    for (unsigned i = 0; i < op_cases_of(family); i++) {
        char name[96];
        bool refused;
        ir_module *m = op_case(family, i, name, &refused);
        if (m) add(&q, name, m, &pass_gpu_target);
    }
    run_all(&q);
    cr_expect_eq(q.done, op_sample_size(q.sample, q.number));
}

Test(ops_cuda, elementwise, .timeout = 1200) {
    run_family(OPS_ELEMENTWISE);
}
Test(ops_cuda, casts, .timeout = 600) {
    run_family(OPS_CASTS);
}
Test(ops_cuda, reductions, .timeout = 900) {
    run_family(OPS_REDUCTIONS);
}
Test(ops_cuda, products, .timeout = 600) {
    run_family(OPS_PRODUCTS);
}
Test(ops_cuda, texts, .timeout = 600) {
    run_family(OPS_TEXTS);
}

static bool has_sizes(const ir_graph *g) {
    int64_t shape[IR_MAX_RANK];
    for (uint32_t i = 0; i < g->inputs.n; i++)
        if (!ir_static_shape(g, g->inputs.p[i].node, shape)) return false;
    return g->outputs.n > 0;
}

/* Builders, programs, gradients, what once was wrong: as one plan, and op by op as eager mode runs them. What has control is no one plan:
 * test_control.c. */
static void run_programs(bool eager) {
    queue q = {.sample = op_cases_sample(1)};
    pass_target t = pass_gpu_target;
    t.eager = eager;
    if (!ready(q.sample)) return;
    corpus c = corpus_read();
    for (unsigned i = 0; i < c.n; i++) {
        bz_error e = {0};
        ir_module *m = ir_parse(c.text[i], c.size[i], "program", &e);
        if (m && m->graphs.n && has_sizes(m->graphs.p[0]) && !rt_has_control(m->graphs.p[0]))
            add(&q, c.text[i], m, &t);
        else if (m)
            ir_module_free(m);
    }
    run_all(&q);
    corpus_free(&c);
}

/* Every builder's example of tests/ir/builders.bz that has a kernel, all of them outputs. */
Test(ops_cuda, builders, .timeout = 600) {
    queue q = {.sample = {.step = 1}};
    bz_text text = {0}, names = {0};
    bz_error e = {0};
    size_t n;
    if (!ready(q.sample)) return;
    char *file = irt_read("tests/ir/builders.bz", &n), *save = NULL;
    cr_assert(file);
    for (char *line = strtok_r(file, "\n", &save); line && !strstr(line, "return");
         line = strtok_r(NULL, "\n", &save)) {
        if (strstr(line, "= cond ") || strstr(line, "= while ") || strstr(line, "%last") || strstr(line, "%spd")) continue;
        bz_textf(&text, "%s\n", line);
        if (strncmp(line, "    %", 5) == 0)
            bz_textf(&names, "%s%.*s", names.n ? ", " : "", (int)strcspn(line + 4, "="), line + 4);
    }
    bz_textf(&text, "return %s\n}\n", bz_text_c(&names));
    ir_module *m = ir_parse_as(bz_text_c(&text), text.n, "builders",
                               &(ir_reading){.sizes = &(ir_size){"n", 7}, .nsizes = 1}, &e);
    cr_assert(m, "%s", e.text);
    add(&q, "builders", m, &pass_gpu_target);
    run_all(&q);
    bz_text_free(&text);
    bz_text_free(&names);
    bz_mem_free(file);
}

Test(ops_cuda, programs, .timeout = 600) {
    run_programs(false);
}
Test(ops_cuda, programs_op_by_op, .timeout = 600) {
    run_programs(true);
}
