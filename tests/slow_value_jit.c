/* slow_value_jit.c - every elementwise op for every dtype: machine code for each ISA of this machine
 * gives the bits that the interpreter gives. */
#include "src/ir/loops/value_emit.h"
#include "tests/support/jit_check.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

enum { LANES = 8, WIDTH = 2, TASKS = 8, N = LANES * WIDTH * TASKS };

/* out[i] = op(x[i], y[i], z[i]) as a text. */
static char *kernel_text(ir_op op, bz_dtype t, bz_dtype result, bz_text *text) {
    static const char *const names[] = {"x", "y", "z"};
    unsigned n = ir_ops[op].arity;
    lp_kernel *k = lp_kernel_new("k");
    lp_builder *b = lp_builder_new(k);
    lp_val p[3], v[3][WIDTH], r[WIDTH];
    for (unsigned j = 0; j < n; j++)
        p[j] = lp_add_buffer(b, names[j], op == IR_SELECT && j == 0 ? BZ_BOOL : t, LP_IN);
    lp_val out = lp_add_buffer(b, "out", result, LP_OUT);
    lp_val i = lp_loop(b, LP_PARALLEL, lp_index(b, 0), lp_index(b, TASKS), 1, NULL, 0, NULL);
    lp_val from = lp_imul(b, i, lp_index(b, WIDTH * LANES));
    for (unsigned w = 0; w < WIDTH; w++) {
        for (unsigned j = 0; j < n; j++)
            v[j][w] = lp_load(b, p[j], lp_iadd(b, from, lp_index(b, w * LANES)), LANES, 0, 0);
    }
    cr_assert(lp_value(b, op, result, (const lp_val *const[3]){v[0], v[1], v[2]}, n, WIDTH, r));
    for (unsigned w = 0; w < WIDTH; w++)
        lp_store(b, out, lp_iadd(b, from, lp_index(b, w * LANES)), r[w], 0, 0);
    lp_end(b, NULL, 0, NULL);
    lp_print(text, k, NULL);
    lp_builder_free(b);
    lp_kernel_free(k);
    return text->p;
}

static struct criterion_test_params each_op(void) {
    static unsigned ops[IR_ELEM_END];
    size_t n = 0;
    for (unsigned op = 1; op < IR_ELEM_END; op++) {
        if (ir_op_is_elementwise(op)) ops[n++] = op;
    }
    return cr_make_param_array(unsigned, ops, n, NULL);
}

ParameterizedTestParameters(value_jit, same_bits) {
    return each_op();
}
ParameterizedTest(const unsigned *op, value_jit, same_bits) {
    for (unsigned q = 0; q < BZ_NDTYPES * BZ_NDTYPES; q++) {
        bz_dtype t = (bz_dtype)(q / BZ_NDTYPES), r = (bz_dtype)(q % BZ_NDTYPES), want = r;
        const bz_dtype in[3] = {*op == IR_SELECT ? BZ_BOOL : t, t, t};
        if (!ir_op_result_dtype((ir_op)*op, in, &r) || r != want) continue;
        bz_text text = {0};
        jit_case c = {.text = kernel_text((ir_op)*op, t, r, &text),
                      .sizes = {N, N, N, N},
                      .specials = ir_is_float(t)};
        jit_check(&c);
        bz_text_free(&text);
    }
}
