/* test_vmap.c - every case of the op harness, every program whose gradient is tested, and their gradients, over samples: the same bits as
 * each sample gives by itself, whichever of the operands have samples; as machine code too. Then what can't be. */
#include "tests/support/grad_cases.h"
#include "tests/support/irtest.h"
#include "tests/support/op_cases.h"
#include "tests/support/plan_check.h"

#include "src/passes/pass.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum { SAMPLES = 3 };

/* The graph of g over samples of the inputs in `mask`; NULL and the error. */
static ir_graph *over(const ir_graph *g, unsigned mask, bz_error *e) {
    ir_graph *to = ir_graph_new(g->m, "over");
    pass_batch q = {.g = to, .of = g, .size = ir_dim_const(to, SAMPLES)};
    bool *live = ir_live(g), ok = live && pass_batch_begin(&q);
    cr_assert(ok);
    for (uint32_t i = 0; i < g->inputs.n; i++) {
        const ir_ref r = g->inputs.p[i].node;
        const ir_node *n = ir_at(g, r);
        ir_dim dims[IR_MAX_RANK];
        const bool is = mask >> i & 1;
        dims[0] = q.size;
        memcpy(dims + is, ir_dims(g, n), n->rank * sizeof *dims);
        const ir_ref x = ir_input_new(to, NULL, (bz_dtype)n->dtype, dims, n->rank + is);
        if (is)
            pass_batch_input(&q, r, x, 0);
        else
            q.to[r] = x;
    }
    for (ir_ref r = 1; r < g->n.n && ok; r++)
        if (live[r] && !q.to[r]) ok = pass_batch_node(&q, r);
    for (uint32_t k = 0; k < g->outputs.n && ok; k++) {
        const ir_ref y = pass_batch_moved(&q, g->outputs.p[k].node, 0);
        ok = y && !ir_output_add(to, NULL, y, -1);
    }
    bz_mem_free(live);
    pass_batch_end(&q);
    if (ok && !ir_verify(to, IR_ANY_GRAPH, e)) return to;
    if (!ok) bz_fail(e, to->err.status, "%s", to->err.text);
    ir_graph_free(to);
    return NULL;
}

/* The elements of x, which are valid wherever they stand, begun `by` further. */
static ir_value_array turned(const ir_value_array *x, unsigned by) {
    ir_value_array y = irt_array(x->dtype, x->rank, x->shape);
    const size_t n = (size_t)irt_numel(x), bytes = ir_dtype_bytes(x->dtype);
    for (size_t i = 0; i < n; i++)
        memcpy((char *)y.data + i * bytes, (const char *)x->data + (i + by) % n * bytes, bytes);
    return y;
}

static ir_value_array stacked(const ir_value_array *x) {
    int64_t shape[IR_MAX_RANK] = {SAMPLES};
    memcpy(shape + 1, x->shape, x->rank * sizeof *shape);
    ir_value_array all = irt_array(x->dtype, x->rank + 1, shape);
    const size_t bytes = (size_t)irt_numel(x) * ir_dtype_bytes(x->dtype);
    for (unsigned s = 0; s < SAMPLES && bytes; s++) {
        ir_value_array one = turned(x, s);
        memcpy((char *)all.data + s * bytes, one.data, bytes);
        irt_free(&one, 1);
    }
    return all;
}

/* Sample s of `got` is `want`, bit for bit; of NaN that it is one. */
static bool same(const ir_value_array *got, const ir_value_array *want, unsigned s) {
    const size_t n = (size_t)irt_numel(want), each = ir_dtype_bytes(want->dtype);
    const char *x = (const char *)got->data + s * n * each, *y = want->data;
    if (got->dtype != want->dtype || got->rank != want->rank + 1) return false;
    for (size_t i = 0; i < n; i++) {
        if (!memcmp(x + i * each, y + i * each, each)) continue;
        if (!ir_is_float(want->dtype)) return false;
        const double a = ir_bits_to_f64(want->dtype, ir_load_bits(want->dtype, x + i * each)),
                     b = ir_bits_to_f64(want->dtype, ir_load_bits(want->dtype, y + i * each));
        if (a == a || b == b) return false;
    }
    return true;
}

/* One sample by itself. false: it is refused at run time (an index). */
static bool one_sample(const ir_graph *g, const ir_value_array *in, unsigned mask, unsigned s,
                       ir_value_array *out) {
    ir_value_array own[OP_VALUES];
    bz_error e = {0};
    for (uint32_t i = 0; i < g->inputs.n; i++) own[i] = turned(&in[i], mask >> i & 1 ? s : 0);
    const bz_status status = ir_interpret(g, own, out, &e);
    irt_free(own, g->inputs.n);
    return !status;
}

static void compare(const char *name, const ir_graph *g, const ir_graph *all,
                    const ir_value_array *in, unsigned mask) {
    ir_value_array x[OP_VALUES], got[OP_VALUES], want[OP_VALUES];
    bz_error e = {0};
    for (uint32_t i = 0; i < g->inputs.n; i++)
        x[i] = mask >> i & 1 ? stacked(&in[i]) : turned(&in[i], 0);
    const bz_status s = ir_interpret(all, x, got, &e);
    for (unsigned k = 0; k < SAMPLES; k++) {
        if (!one_sample(g, in, mask, k, want)) {
            cr_expect_neq(s, BZ_OK, "%s, %x: a sample by itself is refused", name, mask);
            break;
        }
        cr_expect_eq(s, BZ_OK, "%s, %x: %s", name, mask, e.text);
        for (uint32_t o = 0; o < g->outputs.n && !s; o++)
            cr_expect(same(&got[o], &want[o], k),
                      "%s, samples of %x: sample %u of output %u differs", name, mask, k, o);
        irt_free(want, g->outputs.n);
    }
    if (!s) irt_free(got, g->outputs.n);
    irt_free(x, g->inputs.n);
}

/* With samples of all inputs, of the first, of the last, of every other one. Gives how many of these ran. */
static unsigned check(const char *name, ir_graph *g, const ir_value_array *in, bool machine) {
    static uint64_t seed = 1;
    const unsigned n = g->inputs.n, all = (1u << n) - 1,
                   masks[4] = {all, 1, 1u << (n - 1), all & 0xaa};
    unsigned ran = 0;
    for (unsigned i = 0; i < 4; i++) {
        bz_error e = {0};
        bool again = masks[i] == 0;
        for (unsigned j = 0; j < i; j++) again |= masks[j] == masks[i];
        if (again) continue;
        ir_graph *to = over(g, masks[i], &e);
        if (!to) {
            cr_expect_eq(e.status, BZ_EUNSUPPORTED, "%s, %x: %s", name, masks[i], e.text);
            continue;
        }
        ran++;
        compare(name, g, to, in, masks[i]);
        char what[600];
        const plan_check c = {
            .seed = seed++, .machine = true, .any_op = true, .threads = 2, .one = true};
        if (machine && i == 0) cr_expect(!plan_fault(to, &c, what), "%s: %s", name, what);
        ir_graph_free(to);
    }
    return ran;
}

static void run_family(op_family_id family, unsigned every) {
    const op_sample sample = op_cases_sample(every);
    unsigned number = 0, valid = 0, ran = 0;
    for (unsigned i = 0; i < op_cases_of(family); i++) {
        char name[96];
        bool refused;
        ir_module *m = op_case(family, i, name, &refused);
        if ((m || refused) && op_sampled(sample, number++) && m && m->graphs.p[0]->inputs.n) {
            ir_graph *g = m->graphs.p[0];
            ir_value_array in[OP_VALUES];
            op_case_inputs(g, in);
            valid++;
            ran += check(name, g, in, false) > 0;
            irt_free(in, g->inputs.n);
        }
        if (m) ir_module_free(m);
    }
    cr_expect(valid > 0 && ran == valid, "%u of %u cases ran", ran, valid);
}

Test(vmap, elementwise) {
    run_family(OPS_ELEMENTWISE, 4);
}
Test(vmap, casts) {
    run_family(OPS_CASTS, 4);
}
Test(vmap, reductions) {
    run_family(OPS_REDUCTIONS, 2);
}
Test(vmap, products) {
    run_family(OPS_PRODUCTS, 1);
}
Test(vmap, texts) {
    run_family(OPS_TEXTS, 1);
}

/* ---- programs, and their gradients: sum of weighted results, by all inputs that are floats */

static unsigned unsupported;

static void check_program(const char *name, const char *text, const grad_domain *d) {
    ir_module *m = irt_parse(text);
    ir_graph *g = m->graphs.p[0];
    ir_value_array in[OP_VALUES];
    ir_ref wrt[OP_VALUES], grad[OP_VALUES];
    unsigned n = 0;
    grad_fill(g, in, d, 0);
    for (uint32_t i = 0; i < g->inputs.n; i++)
        if (ir_is_float(ir_dtype(g, g->inputs.p[i].node))) wrt[n++] = g->inputs.p[i].node;
    const ir_ref loss = grad_weighted_sum(g, g->outputs.p[0].node, 0.5);
    cr_assert(!pass_grad(g, loss, 0, wrt, n, grad), "%s: %s", name, g->err.text);
    for (unsigned i = 0; i < n; i++) ir_output_add(g, NULL, grad[i], -1);
    unsupported += !check(name, g, in, true);
    irt_free(in, g->inputs.n);
    ir_module_free(m);
}

/* Loops alone have no rule. */
Test(vmap, programs_and_their_gradients, .timeout = 600) {
    unsupported = 0;
    grad_program_cases(check_program);
    cr_expect_eq(unsupported, 6u, "%u", unsupported);
}

Test(vmap, gradients_of_elementwise_ops) {
    unsupported = 0;
    grad_elementwise_cases(check_program);
    cr_expect_eq(unsupported, 0u, "%u", unsupported);
}

/* ---- what each op becomes */

static void expect_graph(const char *text, unsigned mask, const char *want) {
    ir_module *m = irt_parse(text);
    bz_error e = {0};
    bz_text got = {0};
    ir_graph *to = over(m->graphs.p[0], mask, &e);
    cr_assert(to, "%s", e.text);
    const pass_target target = {.vector_bytes = 32, .machine = &pass_cpu};
    ir_graph *clean = pass_find("canon", 5)->run(to, &target, &e);
    cr_assert(clean, "%s", e.text);
    ir_print(&got, clean);
    cr_expect(strstr(bz_text_c(&got), want), "%s\n-- is not in --\n%s", want, bz_text_c(&got));
    bz_text_free(&got);
    ir_graph_free(clean);
    ir_graph_free(to);
    ir_module_free(m);
}

/* A product of which one side has samples is one product; nothing is repeated in memory, and what hangs on no sample stays as it was. */
Test(vmap, is_one_op) {
    expect_graph("graph main(x: f32[5], w: f32[5,4]) { %1 = matmul %x %w\n return %1 }", 1,
                 "dot %in0, %in1 {acc=f32, order=dot, lcontract=[1], rcontract=[0]} : f32[3,4]");
    expect_graph(
        "graph main(x: f32[5], w: f32[5,4]) { %1 = exp %w\n %2 = matmul %x %1\n return %2 }", 1,
        "exp %in1 : f32[5,4]");
    expect_graph(
        "graph main(x: f32[5,2], w: f32[2,4]) { %1 = matmul %x %w\n return %1 }", 3,
        "{acc=f32, order=dot, lbatch=[0], rbatch=[0], lcontract=[2], rcontract=[1]} : f32[3,5,4]");
    expect_graph("graph main(x: f32[7,2], i: i64[4]) { %1 = gather %x %i\n return %1 }", 2,
                 "gather %in0, %in1 {axis=0} : f32[3,4,2]");
}

/* ---- what can't be */

Test(vmap, mistakes) {
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"graph main(x: f64[3]) { %1 = while %x {cond=small, body=turn}\n return %1 }\n"
         "graph small(a: f64[3]) { %1 = max %a\n %2 = lt %1 100.0\n return %2 }\n"
         "graph turn(a: f64[3]) { %1 = square %a\n return %1 }",
         "[while] cannot run over samples: samples may need turns of different number"},
    };
    for (unsigned i = 0; i < BZ_LEN(cases); i++) {
        ir_module *m = irt_parse(cases[i].text);
        bz_error e = {0};
        cr_expect(!over(m->graphs.p[0], 1, &e) && e.status == BZ_EUNSUPPORTED &&
                      strstr(e.text, cases[i].says),
                  "%s", e.text);
        ir_module_free(m);
    }
}
