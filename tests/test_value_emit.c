/* test_value_emit.c - elementwise ops expanded into kernel loops give the bits that their value
 * programs give. */
#include "src/ir/loops/value_emit.h"

#include <criterion/criterion.h>
#include <string.h>

enum { LANES = 8, TASKS = 3, MAX_N = 16 * LANES * TASKS };

/* out[i] = op(x[i], y[i], z[i]): tasks of `width` vectors each. `scalar`: the last operand is a
 * run-time scalar. */
static lp_kernel *kernel(ir_op op, bz_dtype t, bz_dtype result, unsigned width, unsigned lanes,
                         bool scalar) {
    static const char *const names[] = {"x", "y", "z"};
    unsigned n = ir_ops[op].arity;
    lp_kernel *k = lp_kernel_new("k");
    lp_builder *b = lp_builder_new(k);
    lp_val p[3], v[3][LP_VALUE_MAX_WIDTH], r[LP_VALUE_MAX_WIDTH], s = 0;
    for (unsigned j = 0; j < n; j++)
        p[j] = lp_add_buffer(b, names[j], op == IR_SELECT && j == 0 ? BZ_BOOL : t, LP_IN);
    lp_val out = lp_add_buffer(b, "out", result, LP_OUT);
    if (scalar) s = lp_add_scalar(b, "s", t);
    lp_val i = lp_loop(b, LP_PARALLEL, lp_index(b, 0), lp_index(b, TASKS), 1, NULL, 0, NULL);
    for (unsigned w = 0; w < width; w++) {
        lp_val at = lp_iadd(b, lp_imul(b, i, lp_index(b, width * lanes)), lp_index(b, w * lanes));
        for (unsigned j = 0; j < n; j++)
            v[j][w] = scalar && j == n - 1 ? s : lp_load(b, p[j], at, lanes, 0, 0);
    }
    cr_assert(lp_value(b, op, result, (const lp_val *const[3]){v[0], v[1], v[2]}, n, width, r));
    for (unsigned w = 0; w < width; w++) {
        lp_val at = lp_iadd(b, lp_imul(b, i, lp_index(b, width * lanes)), lp_index(b, w * lanes));
        lp_store(b, out, at, r[w], 0, 0);
    }
    lp_end(b, NULL, 0, NULL);
    lp_builder_free(b);
    bz_error e = {0};
    cr_assert_eq(lp_verify(k, NULL, &e), BZ_OK, "%s of %s: %s", ir_ops[op].name, ir_dtypes[t].name,
                 e.text);
    return k;
}

/* Operands: numbers of many sizes, special ones strewn in; large ones (rare) in some tasks only. */
static void fill(bz_dtype t, unsigned char *p, unsigned n, uint64_t seed) {
    static const double special[] = {0, -0.0, 1e30, -1e-30, 0.5, 100, 1, -1};
    for (unsigned i = 0; i < n; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        double v = (double)(int64_t)(seed >> 40) * 0x1p-20 - 8;
        ir_bits b = ir_bits_from_f64(t, i % 5 == 4 && i > n / 2 ? special[seed >> 61] : v);
        ir_store_bits(t, p + i * ir_dtype_bytes(t), b);
    }
}

static void compare(ir_op op, bz_dtype t, bz_dtype result, unsigned width, unsigned lanes,
                    bool scalar) {
    unsigned n = width * lanes * TASKS, arity = ir_ops[op].arity;
    static _Alignas(64) unsigned char x[3][MAX_N * 8], want[MAX_N * 8], got[MAX_N * 8];
    lp_arg buffers[4];
    for (unsigned j = 0; j < arity; j++) {
        bz_dtype o = op == IR_SELECT && j == 0 ? BZ_BOOL : t;
        fill(o, x[j], n, 77 + j);
        if (scalar && j == arity - 1)
            for (unsigned i = 1; i < n; i++)
                memcpy(x[j] + i * ir_dtype_bytes(o), x[j], ir_dtype_bytes(o));
        buffers[j] = (lp_arg){x[j], n};
    }
    buffers[arity] = (lp_arg){got, n};
    lp_kernel *k = kernel(op, t, result, width, lanes, scalar);
    ir_bits s = ir_load_bits(t, x[arity - 1]);
    bz_error e = {0};
    cr_assert_eq(lp_run(k, NULL, &(lp_run_args){.buffers = buffers, .scalars = &s}, &e), BZ_OK,
                 "%s", e.text);
    ir_value_eval(ir_value(op, t, result), want, (const void *const[3]){x[0], x[1], x[2]}, n);
    for (unsigned i = 0; i < n; i++) {
        ir_bits a = ir_load_bits(result, want + i * ir_dtype_bytes(result)),
                b = ir_load_bits(result, got + i * ir_dtype_bytes(result));
        double va = ir_bits_to_f64(result, a);
        if (a != b && (va == va || ir_bits_to_f64(result, b) == ir_bits_to_f64(result, b)))
            cr_assert_fail("%s of %s, width %u, lanes %u, element %u: %#lx, not %#lx",
                           ir_ops[op].name, ir_dtypes[t].name, width, lanes, i, (unsigned long)b,
                           (unsigned long)a);
    }
    lp_kernel_free(k);
}

/* Every op for every dtype. */
Test(value_emit, every_op_gives_the_bits_of_its_program) {
    for (unsigned op = 1; op < IR_ELEM_END; op++) {
        for (unsigned q = 0; ir_op_is_elementwise(op) && q < BZ_NDTYPES * BZ_NDTYPES; q++) {
            bz_dtype t = (bz_dtype)(q / BZ_NDTYPES), r = (bz_dtype)(q % BZ_NDTYPES), want = r;
            const bz_dtype in[3] = {op == IR_SELECT ? BZ_BOOL : t, t, t};
            if (ir_op_result_dtype((ir_op)op, in, &r) && r == want)
                compare((ir_op)op, t, r, 2, LANES, false);
        }
    }
}

Test(value_emit, widths_lanes_and_scalars) {
    static const ir_op ops[] = {IR_SIN, IR_POW, IR_ADD, IR_EXP, IR_CLAMP, IR_SELECT, IR_MOD};
    for (unsigned i = 0; i < BZ_LEN(ops); i++) {
        for (unsigned width = 1; width <= LP_VALUE_MAX_WIDTH; width *= 4) {
            compare(ops[i], BZ_F32, BZ_F32, width, LANES, false);
            compare(ops[i], BZ_F32, BZ_F32, width, 1, false);
            compare(ops[i], BZ_F32, BZ_F32, width, LANES, ir_ops[ops[i]].arity > 1);
        }
    }
}

/* Steps stand op-major: all copies of one step before the next. */
Test(value_emit, copies_stand_side_by_side) {
    lp_kernel *k = kernel(IR_SQUARE, BZ_F32, BZ_F32, 4, LANES, false);
    unsigned first = 0, count = 0;
    for (unsigned i = 1; i < k->inst.n; i++) {
        if (k->inst.p[i].op == IR_MUL && k->inst.p[i].dtype == BZ_F32) {
            first = first ? first : i;
            count++;
            cr_assert_eq(i, first + count - 1);
        }
    }
    cr_assert_eq(count, 4);
    lp_kernel_free(k);
}

/* One `if` for all copies of a rare step. */
Test(value_emit, one_branch_for_all_copies) {
    lp_kernel *k = kernel(IR_EXP, BZ_F32, BZ_F32, 4, LANES, false);
    unsigned ifs = 0;
    for (unsigned i = 1; i < k->inst.n; i++) ifs += k->inst.p[i].op == LP_IF;
    cr_assert_eq(ifs, 1);
    lp_kernel_free(k);
}
