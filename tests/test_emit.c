/* test_emit.c - every base op, compiled for every ISA of this machine, gives the bits that ops.def
 * says.
 *
 * One module holds a kernel per op, dtype and number of lanes; each runs over pairs of edge values
 * and random bits, and is compared with ir_base_eval. NaN results of arithmetic are only required
 * to be NaN: which operand's payload survives is not part of an op's value. Moves keep every bit.
 * */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "src/ir/value.h"
#include "tests/support/jit.h"

enum { N = 1280, BYTES = N * 8 };

typedef struct op_case {
    ir_op op;
    bz_dtype operand, result;
    unsigned lanes;
} op_case;

/* ---- operands */

static uint64_t random_bits(uint64_t *state) {
    *state += 0x9E3779B97F4A7C15u;
    return bz_mix(bz_mix(*state, 0x1234567), 0x89ABCDEF);
}

static const double float_edges[] = {
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    1.5,
    -1.5,
    2.5,
    0.49999999999999994,
    3.0,
    -7.0,
    1e-310,
    -1e-310,
    0x1p-149,
    0x1p-150,
    0x1.8p-150,
    0x1p-24,
    0x1p-25,
    0x1.8p-25,
    0x1p-14,
    0x1.ffcp-15,
    65504.0,
    65519.99,
    65520.0,
    65536.0,
    127.5,
    128.0,
    -128.5,
    255.7,
    256.0,
    32767.9,
    32768.0,
    -32769.0,
    2147483647.0,
    2147483648.0,
    -2147483648.0,
    -2147483904.0,
    4294967296.0,
    8388607.5,
    8388608.0,
    4503599627370495.5,
    4503599627370496.0,
    9007199254740993.0,
    9223372036854774784.0,
    9223372036854775808.0,
    -9223372036854775808.0,
    -9.3e18,
    1e30,
    3.4028234663852886e38,
    3.4028235677973366e38,
    0x1.0081p0,
    0x1.0080p0,
    0x1.018p0,
    0x1.00801p0,
    1e300,
    -1e300,
    __builtin_inf(),
    -__builtin_inf(),
    __builtin_nan(""),
};
static const int64_t int_edges[] = {
    0,
    1,
    -1,
    2,
    -2,
    3,
    7,
    8,
    15,
    16,
    31,
    32,
    33,
    63,
    64,
    65,
    100,
    127,
    128,
    -127,
    -128,
    255,
    32767,
    -32768,
    32768,
    65519,
    65520,
    65521,
    16777217,
    33685505,
    33619969,
    INT32_MAX,
    INT32_MIN,
    INT64_MAX,
    INT64_MIN,
    INT64_MIN + 1,
    (1LL << 53) + 1,
    0x4080000000000001,
    0x4080000000000000,
    -0x4080000000000001,
    0x40407FFFFFFFFFFF,
};

static ir_bits edge(bz_dtype t, unsigned n) {
    if (ir_is_float(t)) return ir_bits_from_f64(t, float_edges[n % BZ_LEN(float_edges)]);
    return ir_bits_from_i64(t, int_edges[n % BZ_LEN(int_edges)]);
}

/* Operand number k: edges against each other in the first two thirds, random bits in the rest. */
static void fill(bz_dtype t, unsigned k, void *p) {
    static const unsigned stride[3] = {1, 61, 7};
    uint64_t state = 77 + k;
    unsigned bits = ir_dtypes[t].bits;
    for (unsigned i = 0; i < N; i++) {
        ir_bits b = i < N * 2 / 3 ? edge(t, i / stride[k] * (k == 2 ? 5 : 1) + i % (k + 1))
                                  : random_bits(&state) >> (64 - bits);
        ir_store_bits(t, (char *)p + i * ir_dtype_bytes(t), b);
    }
}

/* ---- kernels */

static lp_kernel *op_kernel(const op_case *c) {
    bz_text name = {0};
    bz_textf(&name, "%s_%s_%s_%u", ir_ops[c->op].name, ir_dtypes[c->operand].name,
             ir_dtypes[c->result].name, c->lanes);
    lp_kernel *k = lp_kernel_new(name.p);
    bz_text_free(&name);
    lp_builder *b = lp_builder_new(k);
    lp_val p[3], x[3], out;
    unsigned arity = ir_ops[c->op].arity;
    for (unsigned n = 0; n < arity; n++) {
        bz_dtype t = c->op == IR_SELECT && n == 0 ? BZ_BOOL : c->operand;
        p[n] = lp_add_buffer(b, (const char *[]){"x", "y", "z"}[n], t, LP_IN);
    }
    out = lp_add_buffer(b, "out", c->result, LP_OUT);
    lp_val i = lp_loop(b, LP_PARALLEL, lp_index(b, 0), lp_index(b, N / c->lanes), 1, NULL, 0, NULL);
    lp_val at = lp_imul(b, i, lp_index(b, c->lanes));
    for (unsigned n = 0; n < arity; n++) x[n] = lp_load(b, p[n], at, c->lanes, 0, 0);
    lp_store(b, out, at, lp_base(b, c->op, c->result, x, arity), 0, 0);
    lp_end(b, NULL, 0, NULL);
    lp_builder_free(b);
    cr_assert(!k->failed);
    return k;
}

/* Is `op` defined on `operand`, giving `result`? */
static bool defined(ir_op op, bz_dtype operand, bz_dtype result) {
    bz_dtype in[3] = {operand, operand, operand}, out = result;
    if (ir_is_complex(operand) || ir_is_complex(result)) return false; /* loops know real ones */
    if (op == IR_CAST) return operand != result;
    if (op == IR_BITCAST)
        return operand != result && ir_dtype_bytes(operand) == ir_dtype_bytes(result) &&
               result != BZ_BOOL;
    if (op == IR_SELECT) in[0] = BZ_BOOL;
    if (ir_is_half(operand) && op != IR_SELECT) return false;
    if (operand == BZ_BOOL && op != IR_AND && op != IR_OR && op != IR_XOR && op != IR_NOT &&
        op != IR_SELECT)
        return false;
    return ir_op_result_dtype(op, in, &out) && out == result;
}

static unsigned cases_of(ir_op op, unsigned lanes, op_case *out) {
    unsigned n = 0;
    for (unsigned t = 0; t < BZ_NDTYPES; t++)
        for (unsigned r = 0; r < BZ_NDTYPES; r++)
            if (defined(op, (bz_dtype)t, (bz_dtype)r))
                out[n++] = (op_case){op, (bz_dtype)t, (bz_dtype)r, lanes};
    return n;
}

/* ---- comparison */

static bool is_nan(bz_dtype t, ir_bits b) {
    double v = ir_is_float(t) ? ir_bits_to_f64(t, b) : 0;
    return v != v;
}

static void compare(const op_case *c, cg_isa isa, const char *got, const char *want,
                    const void *const x[3]) {
    bool moves = c->op == IR_SELECT || c->op == IR_BITCAST || c->op == IR_NEG || c->op == IR_ABS;
    size_t size = ir_dtype_bytes(c->result), in = ir_dtype_bytes(c->operand);
    for (unsigned i = 0; i < N; i++) {
        ir_bits g = ir_load_bits(c->result, got + i * size),
                w = ir_load_bits(c->result, want + i * size);
        if (g == w || (!moves && is_nan(c->result, g) && is_nan(c->result, w))) continue;
        unsigned last = ir_ops[c->op].arity - 1u;
        cr_assert_fail(
            "%s of %s to %s, %u lanes, %s, element %u: got %llx, want %llx, last operand %llx, the "
            "one before %llx",
            ir_ops[c->op].name, ir_dtypes[c->operand].name, ir_dtypes[c->result].name, c->lanes,
            cg_isa_name(isa), i, (unsigned long long)g, (unsigned long long)w,
            (unsigned long long)ir_load_bits(c->operand, (const char *)x[last] + i * in),
            (unsigned long long)(last && c->op != IR_SELECT
                                     ? ir_load_bits(c->operand, (const char *)x[last - 1] + i * in)
                                     : 0));
    }
}

static void run_case(const jit *j, const op_case *c, const char *name, cg_isa isa) {
    static _Alignas(64) char x[3][BYTES], got[BYTES], want[BYTES];
    unsigned arity = ir_ops[c->op].arity;
    for (unsigned n = 0; n < arity; n++)
        fill(c->op == IR_SELECT && n == 0 ? BZ_BOOL : c->operand, n, x[n]);
    const void *operands[3] = {x[0], x[1], x[2]};
    for (unsigned i = 0; i < N; i += 64) {
        const void *at[3];
        for (unsigned n = 0; n < 3; n++)
            at[n] = x[n] + i * ir_dtype_bytes(c->op == IR_SELECT && n == 0 ? BZ_BOOL : c->operand);
        ir_base_eval(c->op, c->operand, c->result, want + i * ir_dtype_bytes(c->result), at, 64);
    }
    memset(got, 0xA5, sizeof got);
    void *buffers[4] = {x[0], x[1], x[2], NULL};
    buffers[arity] = got;
    lp_frame f = {.buffers = buffers};
    cr_assert_eq(jit_find(j, name, 0)(&f, 0, N / c->lanes), 0);
    compare(c, isa, got, want, operands);
}

/* Ops [first, last] in one module. */
static void run_ops(cg_isa isa, unsigned lanes, ir_op first, ir_op last) {
    op_case *cases = calloc(BZ_NDTYPES * BZ_NDTYPES * IR_BASE_END, sizeof *cases);
    lp_module *m = bz_mem_zero(1, sizeof *m);
    unsigned n = 0;
    for (unsigned op = first; op <= last; op++) n += cases_of((ir_op)op, lanes, cases + n);
    for (unsigned i = 0; i < n; i++) cr_assert(bz_vec_push(&m->k, op_kernel(&cases[i])));
    jit j = jit_open(m, isa);
    for (unsigned i = 0; i < n; i++) run_case(&j, &cases[i], m->k.p[i]->name, isa);
    jit_close(&j);
    lp_module_free(m);
    free(cases);
}

static void run_all(cg_isa isa, unsigned lanes) {
    if (isa > jit_host()) return;
    run_ops(isa, lanes, IR_NIL + 1, IR_SELECT);
    run_ops(isa, lanes, IR_CAST, IR_BASE_END - 1);
}

Test(emit_ops, base_scalar) {
    run_all(CG_BASE, 1);
}
Test(emit_ops, base_vector) {
    run_all(CG_BASE, 8);
}
Test(emit_ops, v3_scalar) {
    run_all(CG_V3, 1);
}
Test(emit_ops, v3_vector) {
    run_all(CG_V3, 8);
}
Test(emit_ops, v3_odd_vector) {
    run_all(CG_V3, 5);
}
Test(emit_ops, v4_scalar) {
    run_all(CG_V4, 1);
}
Test(emit_ops, v4_vector) {
    run_all(CG_V4, 16);
}
Test(emit_ops, v4_long_vector) {
    run_all(CG_V4, 32);
}
