/* grad_cases.c - see grad_cases.h. */
#include "tests/support/grad_cases.h"

#include "tests/support/irtest.h"

#include <criterion/criterion.h>
#include <string.h>

ir_ref grad_weighted_sum(ir_graph *g, ir_ref x, double from) {
    ir_dim dims[IR_MAX_RANK];
    int64_t n;
    unsigned rank = ir_at(g, x)->rank;
    memcpy(dims, ir_dims(g, ir_at(g, x)), rank * sizeof *dims);
    cr_assert(ir_numel(g, x, &n));
    ir_dim flat = ir_dim_const(g, n);
    ir_ref k = ir_iota(g, BZ_F64, &flat, 1, 0);
    ir_ref w = ir_build1(g, IR_COS, ir_build2(g, IR_ADD, k, ir_const_f(g, BZ_F64, from)));
    return ir_reduce(g, IR_SUM, ir_build2(g, IR_MUL, x, ir_reshape_dims(g, w, dims, rank)), NULL, 0,
                     false);
}

void grad_fill(const ir_graph *g, ir_value_array *in, const grad_domain *d, double h) {
    uint64_t values = 11, direction = GRAD_DIRECTION;
    for (uint32_t i = 0, k = 0; i < g->inputs.n; i++) {
        ir_ref r = g->inputs.p[i].node;
        int64_t shape[IR_MAX_RANK];
        ir_static_shape(g, r, shape);
        in[i] = irt_array(ir_dtype(g, r), ir_at(g, r)->rank, shape);
        bool moves = ir_is_float(in[i].dtype);
        for (int64_t e = 0; e < irt_numel(&in[i]); e++) {
            double x = (irt_random(&values) + 1) / 2, lo = d->lo[k < 3 ? k : 2],
                   hi = d->hi[k < 3 ? k : 2];
            if (moves)
                irt_set(&in[i], e, lo + (hi - lo) * x + h * irt_random(&direction));
            else
                ir_store_bits(in[i].dtype,
                              (char *)in[i].data + (size_t)e * ir_dtype_bytes(in[i].dtype),
                              ir_bits_from_i64(in[i].dtype, (int64_t)(x * 4)));
        }
        k += moves;
    }
}

/* ---- elementwise ops: where each is smooth; the others are smooth on -2 .. 2 */

static const grad_domain domains[] = {
    {"div", {-2, 0.4}, {2, 2}},
    {"sqrt", {0.3}, {3}},
    {"rsqrt", {0.3}, {3}},
    {"cbrt", {0.3}, {3}},
    {"reciprocal", {0.4}, {2}},
    {"abs", {0.1}, {2}},
    {"sign", {0.1}, {2}},
    {"mod", {4.4, 1.9}, {5.4, 2.1}},
    {"fmod", {4.4, 1.9}, {5.4, 2.1}},
    {"floor_div", {4.4, 1.9}, {5.4, 2.1}},
    {"frac", {0.1}, {0.9}},
    {"floor", {0.1}, {0.9}},
    {"ceil", {0.1}, {0.9}},
    {"trunc", {0.1}, {0.9}},
    {"round", {0.1}, {0.4}},
    {"heaviside", {0.1, -2}, {2, 2}},
    {"copysign", {0.1, -2}, {2, -0.1}},
    {"clamp", {-2, -1.1, 0.9}, {2, -0.9, 1.1}},
    {"hypot", {0.3, 0.3}, {2, 2}},
    {"atan2", {0.3, 0.3}, {2, 2}},
    {"pow", {0.3, -2}, {2, 2}},
    {"asin", {-0.8}, {0.8}},
    {"acos", {-0.8}, {0.8}},
    {"atanh", {-0.8}, {0.8}},
    {"acosh", {1.3}, {3}},
    {"log", {0.3}, {3}},
    {"log2", {0.3}, {3}},
    {"log10", {0.3}, {3}},
    {"log1p", {-0.6}, {2}},
    {"tan", {-1}, {1}},
    {"lgamma", {0.3}, {3}},
    {"digamma", {0.3}, {3}},
    {"polygamma", {1, 0.5}, {1, 3}},
    {"erfinv", {-0.8}, {0.8}},
    {"ndtri", {0.2}, {0.8}},
};
static const grad_domain usual = {"", {-2, -2, -2}, {2, 2, 2}};

static const grad_domain *domain_of(const char *name) {
    for (unsigned i = 0; i < BZ_LEN(domains); i++)
        if (!strcmp(domains[i].name, name)) return &domains[i];
    return &usual;
}

/* A call of the op on f64 operands; the condition of `where` is x < y. */
static void op_text(bz_text *t, unsigned op) {
    static const char *const uses[] = {"", "%x", "%x %y", "%x %y %z"};
    bz_textf(t, "graph main(x: f64[7], y: f64[7], z: f64[7]) {\n");
    if (op == IR_SELECT)
        bz_textf(t, "%%c = lt %%x %%y\n%%r = where %%c %%y %%z\n");
    else
        bz_textf(t, "%%r = %s %s\n", ir_ops[op].name, uses[ir_ops[op].arity]);
    bz_textf(t, "return %%r }");
}

unsigned grad_elementwise_cases(grad_check *check) {
    unsigned checked = 0;
    for (unsigned op = 1; op < IR_ELEM_END; op++) {
        if (op == IR_STOP_GRADIENT) continue; /* no slope, by intention */
        bz_dtype in[3] = {op == IR_SELECT ? BZ_BOOL : BZ_F64, BZ_F64, BZ_F64}, out;
        if (!ir_op_is_elementwise(op) || ir_ops[op].rule == IR_RULE_CONV ||
            !ir_op_result_dtype((ir_op)op, in, &out) || !ir_is_float(out))
            continue;
        bz_text t = {0};
        op_text(&t, op);
        check(ir_ops[op].name, bz_text_c(&t), domain_of(ir_ops[op].name));
        bz_text_free(&t);
        checked++;
    }
    return checked;
}

/* ---- structural ops and compositions */

static const struct {
    const char *name, *text;
} programs[] = {
#define P(name, text) {#name, text},
#include "tests/ir/grad.def"
#undef P
};

unsigned grad_program_cases(grad_check *check) {
    for (unsigned i = 0; i < BZ_LEN(programs); i++)
        check(programs[i].name, programs[i].text, &usual);
    return BZ_LEN(programs);
}
