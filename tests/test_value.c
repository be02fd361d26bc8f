/* test_value.c - the value language, its programs, their evaluation and their expansion. */
#include "src/ir/value.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static ir_bits f32(float v) {
    return ir_bits_from_f64(BZ_F32, (double)v);
}

/* The text's value over f32 operands x, y. */
static double value_of(const char *text, float x, float y) {
    bz_error e = {0};
    const bz_dtype t[3] = {BZ_F32, BZ_F32, BZ_F32};
    ir_vprog *p = ir_value_compile(text, 2, t, BZ_F32, &e);
    cr_assert_not_null(p, "%s", e.text);
    double r = ir_bits_to_f64(BZ_F32, ir_value_eval_bits(p, (const ir_bits[3]){f32(x), f32(y), 0}));
    bz_mem_free(p);
    return r;
}

static int64_t whole_of(const char *text, bz_dtype t, int64_t x, int64_t y) {
    bz_error e = {0};
    const bz_dtype in[3] = {t, t, t};
    ir_vprog *p = ir_value_compile(text, 2, in, t, &e);
    cr_assert_not_null(p, "%s", e.text);
    const ir_bits bits[3] = {ir_bits_from_i64(t, x), ir_bits_from_i64(t, y), 0};
    int64_t r = ir_bits_to_i64(t, ir_value_eval_bits(p, bits));
    bz_mem_free(p);
    return r;
}

/* ---- the language */

Test(value, operators_bind_as_in_c) {
    cr_assert_eq(value_of("x + y * 2 - 1", 3, 4), 10);
    cr_assert_eq(value_of("-x * y / 2", 3, 4), -6);
    cr_assert_eq(value_of("x - y - 1", 3, 4), -2);
    cr_assert_eq(value_of("x < y & y < 5 ? 1 : 2", 3, 4), 1);
    cr_assert_eq(value_of("x > y ? 1 : x >= y ? 2 : 3", 3, 4), 3);
    cr_assert_eq(whole_of("x | y ^ x & y << 1", BZ_I32, 5, 3), 5 | (3 ^ (5 & (3 << 1))));
    cr_assert_eq(whole_of("x >> 1 + 1", BZ_I32, -9, 0), -3);
    cr_assert_eq(whole_of("x >>> 28", BZ_I32, -1, 0), 15);
    cr_assert_eq(whole_of("~x + !y", BZ_I32, 5, 2), -6 - 3);
}

Test(value, names_may_be_given_again) {
    cr_assert_eq(value_of("a = x + 1; a = a * y; b = 2; a - b", 3, 4), 14);
}

Test(value, literals_take_the_dtype_they_meet) {
    cr_assert_eq(value_of("x + 0x1.8p1", 1, 0), 4);
    cr_assert_eq(value_of("x * 1.25e2", 2, 0), 250);
    cr_assert_eq(value_of("x * 5e-1", 2, 0), 1);
    cr_assert_eq(value_of("(1 + 2 * 3) / 2 * x", 2, 0), 7);
    cr_assert_eq(value_of("x < inf ? 1 : 0", 2, 0), 1);
    cr_assert(isnan(value_of("x + nan", 2, 0)));
    cr_assert_eq(whole_of("x & 0x80000000", BZ_I32, -1, 0), INT32_MIN);
}

Test(value, conversions_and_bits) {
    cr_assert_eq(value_of("f32(i32(x * 1.5))", 3, 0), 4);
    cr_assert_eq(value_of("as_f32(as_i32(x) + 0x800000)", 3, 0), 6);
    cr_assert_eq(value_of("f32(as_int(x) < 0)", -3, 0), 1);
    cr_assert_eq(value_of("f32(f64(x) * 3)", 0x1.000002p0f, 0), 0x1.800004p+1);
    cr_assert_eq(value_of("T(x > y)", 3, 2), 1);
}

Test(value, horner_is_a_chain_of_fma) {
    cr_assert_eq(value_of("horner(x, 1, 2, 3)", 2, 0), 17);
    cr_assert_eq(value_of("horner(x, y, 1)", 2, 5), 7);
}

Test(value, rare_chooses_lane_by_lane) {
    cr_assert_eq(value_of("rare(x > y, x * 10, x + y)", 3, 4), 7);
    cr_assert_eq(value_of("rare(x > y, x * 10, x + y)", 5, 4), 50);
    cr_assert_eq(value_of("a = x + y; rare(x > y, rare(x > 100, 1, a * 2), a) + a", 5, 4), 27);
    cr_assert_eq(value_of("rare(x > y, x * 7, x + y) + x * 7", 1, 2),
                 10); /* x * 7 exists inside only, then again outside */
    cr_assert_eq(value_of("rare(true, x, y)", 1, 2), 1);
    cr_assert_eq(value_of("rare(false, x, y)", 1, 2), 2);
}

Test(value, tables_are_looked_up) {
    cr_assert_eq(whole_of("two_over_pi[x + 2]", BZ_I64, 0, 0), 0xa2f9836);
}

/* ---- errors: each with the place */

static void wrong(const char *text, const char *what, int column) {
    bz_error e = {0};
    const bz_dtype t[3] = {BZ_F32, BZ_I32, BZ_F32};
    cr_assert_null(ir_value_compile(text, 2, t, BZ_F32, &e), "%s", text);
    cr_assert_eq(e.status, BZ_EPARSE);
    cr_assert(strstr(e.text, what), "%s: %s", text, e.text);
    cr_assert_eq(e.column, column, "%s: column %d", text, e.column);
}

Test(value, errors_say_what_and_where) {
    wrong("x + ", "a value expected", 5);
    wrong("(x + 1", "')' expected", 7);
    wrong("x + zz", "unknown name", 5);
    wrong("foo(x)", "unknown function", 1);
    wrong("no_table[y]", "unknown table", 1);
    wrong("x + y", "operands of different dtypes", 6);
    wrong("y + 1.5", "not whole", 8);
    wrong("y + 0x100000000", "out of the dtype's range", 16);
    wrong("x | x", "does not have", 6);
    wrong("x ? x : x", "different dtypes", 10);
    wrong("a = x", "';' expected", 6);
    wrong("x x", "the end expected", 3);
    wrong("fma(x, x)", "wrong number of operands", 1);
    wrong("rare(x, x, x)", "a condition expected", 9);
    wrong("rare(x > 0, x)", "',' expected", 14);
    wrong("cbrt(y)", "no function of this name for this dtype", 1);
    wrong("1 < 2", "no operand with a dtype", 6);
    wrong("as_f64(x)", "bits of another size", 10);
    wrong("x $ x", "the end expected", 3);
}

/* ---- programs */

static unsigned steps(const char *text) {
    bz_error e = {0};
    const bz_dtype t[3] = {BZ_F32, BZ_F32, BZ_F32};
    ir_vprog *p = ir_value_compile(text, 1, t, BZ_F32, &e);
    cr_assert_not_null(p, "%s", e.text);
    unsigned n = p->n;
    bz_mem_free(p);
    return n;
}

Test(value, constants_fold_and_equal_steps_are_one) {
    cr_assert_eq(steps("x"), 1);
    cr_assert_eq(steps("(x + 1) * (x + 1)"), 4);         /* x, 1, +, * */
    cr_assert_eq(steps("(x * x + 1) * (1 + x * x)"), 5); /* commuted, too */
    cr_assert_eq(steps("x * sqrt(f32(4) * 4)"), 3);      /* x, 4, * */
    cr_assert_eq(steps("a = x * 2; x"), 1);              /* nothing unused is left */
    cr_assert_eq(steps("x < 1 ? x : x"), 1);
    cr_assert_eq(steps("f32(x)"), 1);
}

static bool allowed(const ir_vprog *p, const ir_vinst *v) {
    bz_dtype t = (bz_dtype)v->dtype,
             from = v->nargs ? (bz_dtype)p->inst[v->x[v->op == IR_SELECT]].dtype : t;
    if (v->op >= IR_V_ARG || v->op == IR_SELECT || v->op == IR_BITCAST) return true;
    if (v->op == IR_CAST)
        return (!ir_is_half(t) || from == BZ_F32) && (!ir_is_half(from) || t == BZ_F32) &&
               t != BZ_BOOL;
    if (from == BZ_BOOL)
        return v->op == IR_AND || v->op == IR_OR || v->op == IR_XOR || v->op == IR_NOT;
    return !ir_is_half(from) && !ir_is_half(t);
}

/* Every op for every dtype that its rule admits: the tables parse, and programs hold only what
 * value.h says. */
Test(value, every_op_has_a_program_for_every_dtype) {
    unsigned made = 0;
    for (unsigned op = 1; op < IR_ELEM_END; op++) {
        for (unsigned k = 0; ir_op_is_elementwise(op) && k < BZ_NDTYPES * BZ_NDTYPES; k++) {
            bz_dtype t = (bz_dtype)(k / BZ_NDTYPES), r = (bz_dtype)(k % BZ_NDTYPES), want = r;
            const bz_dtype in[3] = {op == IR_SELECT ? BZ_BOOL : t, t, t};
            if (!ir_op_result_dtype((ir_op)op, in, &r) || r != want) continue;
            const ir_vprog *p = ir_value((ir_op)op, t, r);
            cr_assert_eq(p, ir_value((ir_op)op, t, r));
            cr_assert_eq(p->result, r);
            for (unsigned i = 0; i < p->n; i++)
                cr_assert(allowed(p, &p->inst[i]), "%s of %s, step %u", ir_ops[op].name,
                          ir_dtypes[t].name, i);
            made++;
        }
    }
    cr_assert_gt(made, 500u);
}

Test(value, memory_may_run_out_anywhere) {
    const bz_dtype t[3] = {BZ_F32, BZ_F32, BZ_F32};
    for (long n = 0;; n++) {
        bz_error e = {0};
        bz_mem_fail_after(n);
        ir_vprog *p = ir_value_compile("sin(x) + rare(x > y, log1p(x), y)", 2, t, BZ_F32, &e);
        bz_mem_fail_after(-1);
        if (p) {
            bz_mem_free(p);
            cr_assert_gt(n, 3);
            return;
        }
        cr_assert_eq(e.status, BZ_ENOMEM, "%ld: %s", n, e.text);
    }
}

/* ---- base ops: what ops.def promises at the edges */

static int64_t base(ir_op op, bz_dtype t, int64_t x, int64_t y) {
    const ir_bits in[3] = {ir_bits_from_i64(t, x), ir_bits_from_i64(t, y), 0};
    return ir_bits_to_i64(t, ir_value_eval_bits(ir_value(op, t, t), in));
}

Test(value, integers_never_overflow) {
    cr_assert_eq(base(IR_ADD, BZ_I32, INT32_MAX, 1), INT32_MIN);
    cr_assert_eq(base(IR_MUL, BZ_I16, -32768, -1), -32768);
    cr_assert_eq(base(IR_MUL, BZ_I64, INT64_MIN, -1), INT64_MIN);
    cr_assert_eq(base(IR_NEG, BZ_I8, -128, 0), -128);
    cr_assert_eq(base(IR_ABS, BZ_I64, INT64_MIN, 0), INT64_MIN);
    cr_assert_eq(base(IR_IDIV, BZ_I32, -7, 2), -4);
    cr_assert_eq(base(IR_IDIV, BZ_I32, 7, 0), 0);
    cr_assert_eq(base(IR_IDIV, BZ_I64, INT64_MIN, -1), INT64_MIN);
    cr_assert_eq(base(IR_IDIV, BZ_I8, -128, -1), -128);
    cr_assert_eq(base(IR_IMOD, BZ_I32, -7, 2), 1);
    cr_assert_eq(base(IR_IMOD, BZ_I32, 7, -2), -1);
    cr_assert_eq(base(IR_IMOD, BZ_I64, INT64_MIN, -1), 0);
    cr_assert_eq(base(IR_FMOD, BZ_I32, -7, 2), -1);
    cr_assert_eq(base(IR_FMOD, BZ_I32, 7, 0), 0);
    cr_assert_eq(base(IR_SUB, BZ_U8, 1, 2), 255);
    cr_assert_eq(base(IR_SUB, BZ_U32, 1, 2), UINT32_MAX);
    cr_assert_eq(base(IR_MUL, BZ_U16, 65535, 65535), 1);
}

/* x op y of integers of `bits` bits, told again: in 64 bits, with a sign or without. */
static uint64_t told(ir_op op, unsigned bits, bool sign, uint64_t x, uint64_t y) {
    const unsigned up = 64 - bits;
    const int64_t a = (int64_t)(x << up) >> up, b = (int64_t)(y << up) >> up;
    const uint64_t wide = sign ? (uint64_t)a : x;
    const bool below = sign ? a < b : x < y, minus = sign && b == -1;
    switch (op) {
    case IR_ADD: return x + y;
    case IR_SUB: return x - y;
    case IR_MUL: return x * y;
    case IR_NEG: return 0 - x;
    case IR_ABS: return sign && a < 0 ? 0 - x : x;
    case IR_SIGN: return sign && a < 0 ? UINT64_MAX : x != 0;
    case IR_MAX: return below ? y : x;
    case IR_MIN: return below ? x : y;
    case IR_LT: return below;
    case IR_LE: return below || x == y;
    case IR_GT: return !below && x != y;
    case IR_IDIV:
    case IR_FLOORDIV:
        if (y == 0 || minus) return y ? 0 - x : 0;
        return sign ? (uint64_t)(a / b - (a % b != 0 && (a < 0) != (b < 0))) : x / y;
    case IR_IMOD:
    case IR_MOD:
        if (y == 0 || minus) return 0;
        return !sign ? x % y : (uint64_t)(a % b + (a % b != 0 && (a < 0) != (b < 0) ? b : 0));
    case IR_FMOD:
        if (y == 0 || minus) return 0;
        return sign ? (uint64_t)(a % b) : x % y;
    case IR_AND: return x & y;
    case IR_OR: return x | y;
    case IR_XOR: return x ^ y;
    case IR_NOT: return ~x;
    case IR_SHL: return y < bits ? x << y : 0;
    case IR_SHR: return y < bits ? (sign ? (uint64_t)(a >> y) : x >> y) : sign && a < 0 ? UINT64_MAX : 0;
    case IR_LSHR: return y < bits ? x >> y : 0;
    case IR_POPCOUNT: return (uint64_t)__builtin_popcountll(x);
    case IR_CLZ: return x ? (uint64_t)__builtin_clzll(x) - up : bits;
    case IR_RELU: return sign && a < 0 ? 0 : x;
    default: return wide; /* the roundings */
    }
}

static const ir_op told_ops[] = {
    IR_ADD, IR_SUB, IR_MUL,  IR_NEG, IR_ABS, IR_SIGN, IR_MAX, IR_MIN, IR_LT,       IR_LE,  IR_GT,   IR_IDIV,  IR_FLOORDIV, IR_IMOD,
    IR_MOD, IR_FMOD, IR_AND, IR_OR,  IR_XOR, IR_NOT,  IR_SHL, IR_SHR, IR_LSHR, IR_POPCOUNT, IR_CLZ, IR_FLOOR, IR_TRUNC, IR_RELU};

/* All of v[0 .. n) with all of them, every integer op. */
static void check_integers(bz_dtype t, const uint64_t *v, size_t n) {
    const unsigned bits = ir_dtypes[t].bits;
    const uint64_t all = UINT64_MAX >> (64 - bits);
    for (unsigned k = 0; k < BZ_LEN(told_ops); k++) {
        const ir_op op = told_ops[k];
        const ir_vprog *p = ir_value(op, t, t);
        const size_t second = ir_ops[op].arity > 1 ? n : 1;
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j < second; j++) {
                const uint64_t x = v[i] & all, y = v[j] & all;
                const uint64_t want = told(op, bits, ir_is_signed(t), x, y) & all,
                               got = ir_value_eval_bits(p, (const ir_bits[3]){x, y, 0});
                cr_assert_eq(got, want, "%s of %s: %llx, %llx: %llx, not %llx", ir_ops[op].name,
                             ir_dtypes[t].name, (unsigned long long)x, (unsigned long long)y,
                             (unsigned long long)got, (unsigned long long)want);
            }
        }
    }
}

/* Of 8 bits all pairs, of more those near the ends, near powers of two and near the widths. */
Test(value, integer_ops_are_what_they_are_told_to_be) {
    uint64_t small[256], wide[64];
    size_t n = 0;
    for (unsigned i = 0; i < 256; i++) small[i] = i;
    for (unsigned b = 0; b < 64; b += b < 8 ? 1 : 8)
        for (int d = -1; d < 2; d++) wide[n++] = (UINT64_C(1) << b) + (uint64_t)(int64_t)d;
    for (int d = -2; d < 1; d++) wide[n++] = (UINT64_C(1) << 63) - 1 + (uint64_t)(int64_t)d;
    for (unsigned i = 0; i < 4; i++) wide[n++] = UINT64_MAX - i * i;
    cr_assert_leq(n, BZ_LEN(wide));
    for (bz_dtype t = 0; t < BZ_NDTYPES; t++) {
        if (!ir_is_int(t)) continue;
        if (ir_dtypes[t].bits == 8)
            check_integers(t, small, 256);
        else
            check_integers(t, wide, n);
    }
}

Test(value, shifts_out_of_range) {
    cr_assert_eq(base(IR_SHL, BZ_I32, 1, 31), INT32_MIN);
    cr_assert_eq(base(IR_SHL, BZ_I32, 1, 32), 0);
    cr_assert_eq(base(IR_SHL, BZ_I32, 1, -1), 0);
    cr_assert_eq(base(IR_SHR, BZ_I32, -5, 40), -1);
    cr_assert_eq(base(IR_SHR, BZ_I32, 5, -1), 0);
    cr_assert_eq(base(IR_SHR, BZ_U8, 200, 8), 0);
    cr_assert_eq(base(IR_SHR, BZ_U8, 200, 3), 25);
    cr_assert_eq(base(IR_LSHR, BZ_I8, -1, 7), 1);
    cr_assert_eq(base(IR_LSHR, BZ_I64, -1, 64), 0);
    cr_assert_eq(base(IR_CLZ, BZ_I16, 0, 0), 16);
    cr_assert_eq(base(IR_CLZ, BZ_I16, 1, 0), 15);
    cr_assert_eq(base(IR_POPCOUNT, BZ_I16, -1, 0), 16);
}

/* Truth tables of bool: bits k of `want` for x = k & 1, y = k >> 1. */
Test(value, bool_arithmetic) {
    static const struct {
        ir_op op;
        unsigned want;
    } rows[] = {{IR_ADD, 14}, {IR_SUB, 6},  {IR_MUL, 8}, {IR_MAX, 14},  {IR_MIN, 8},  {IR_IDIV, 8},
                {IR_IMOD, 0}, {IR_AND, 8},  {IR_OR, 14}, {IR_XOR, 6},   {IR_SHL, 2},  {IR_SHR, 2},
                {IR_EQ, 9},   {IR_NE, 6},   {IR_LT, 4},  {IR_LE, 13},   {IR_GT, 2},   {IR_GE, 11},
                {IR_NOT, 5},  {IR_NEG, 10}, {IR_CLZ, 5}, {IR_SIGN, 10}, {IR_ABS, 10}, {IR_LNOT, 5}};
    for (unsigned i = 0; i < BZ_LEN(rows); i++) {
        for (unsigned k = 0; k < 4; k++)
            cr_assert_eq(base(rows[i].op, BZ_BOOL, k & 1, k >> 1), rows[i].want >> k & 1, "%s %u",
                         ir_ops[rows[i].op].name, k);
    }
}

static double fbase(ir_op op, bz_dtype t, double x, double y) {
    const ir_bits in[3] = {ir_bits_from_f64(t, x), ir_bits_from_f64(t, y), 0};
    return ir_bits_to_f64(t, ir_value_eval_bits(ir_value(op, t, t), in));
}

Test(value, maximum_and_minimum) {
    static const bz_dtype floats[] = {BZ_F16, BZ_BF16, BZ_F32, BZ_F64};
    for (unsigned i = 0; i < BZ_LEN(floats); i++) {
        bz_dtype t = floats[i];
        cr_assert_eq(fbase(IR_MAX, t, 1, 2), 2);
        cr_assert(isnan(fbase(IR_MAX, t, (double)NAN, 2)) &&
                  isnan(fbase(IR_MAX, t, 2, (double)NAN)));
        cr_assert(isnan(fbase(IR_MIN, t, (double)NAN, 2)) &&
                  isnan(fbase(IR_MIN, t, 2, (double)NAN)));
        cr_assert(signbit(fbase(IR_MAX, t, 0.0, -0.0)) && !signbit(fbase(IR_MAX, t, -0.0, 0.0)));
        cr_assert(signbit(fbase(IR_MIN, t, 0.0, -0.0)) && !signbit(fbase(IR_MIN, t, -0.0, 0.0)));
    }
}

Test(value, floats_to_integers_saturate) {
    const float x[6] = {NAN, INFINITY, -1e10f, 2.9f, -2.9f, 300};
    int32_t i32[6];
    int8_t i8[6];
    uint8_t u8[6];
    int64_t i64[6];
    const void *const in[3] = {x, NULL, NULL};
    ir_value_eval(ir_value(IR_CAST, BZ_F32, BZ_I32), i32, in, 6);
    ir_value_eval(ir_value(IR_CAST, BZ_F32, BZ_I8), i8, in, 6);
    ir_value_eval(ir_value(IR_CAST, BZ_F32, BZ_U8), u8, in, 6);
    ir_value_eval(ir_value(IR_CAST, BZ_F32, BZ_I64), i64, in, 6);
    cr_assert_arr_eq(i32, ((int32_t[]){0, INT32_MAX, INT32_MIN, 2, -2, 300}), sizeof i32);
    cr_assert_arr_eq(i8, ((int8_t[]){0, 127, -128, 2, -2, 127}), sizeof i8);
    cr_assert_arr_eq(u8, ((uint8_t[]){0, 255, 0, 2, 0, 255}), sizeof u8);
    cr_assert_arr_eq(i64, ((int64_t[]){0, INT64_MAX, -10000000000, 2, -2, 300}), sizeof i64);
    const double y[8] = {NAN, INFINITY, -0.9, 4294967295.9, 65535.9, 65536, 0x1.fffffffffffffp63, -1};
    uint16_t u16[8];
    uint32_t u32[8];
    uint64_t u64[8];
    const void *const wide[3] = {y, NULL, NULL};
    ir_value_eval(ir_value(IR_CAST, BZ_F64, BZ_U16), u16, wide, 8);
    ir_value_eval(ir_value(IR_CAST, BZ_F64, BZ_U32), u32, wide, 8);
    ir_value_eval(ir_value(IR_CAST, BZ_F64, BZ_U64), u64, wide, 8);
    cr_assert_arr_eq(u16, ((uint16_t[]){0, 65535, 0, 65535, 65535, 65535, 65535, 0}), sizeof u16);
    cr_assert_arr_eq(u32, ((uint32_t[]){0, UINT32_MAX, 0, UINT32_MAX, 65535, 65536, UINT32_MAX, 0}),
                     sizeof u32);
    cr_assert_arr_eq(
        u64, ((uint64_t[]){0, UINT64_MAX, 0, UINT32_MAX, 65535, 65536, UINT64_MAX - 2047, 0}),
        sizeof u64);
}

/* Programs of conversions agree with the bits' own conversion, which rounds once. */
Test(value, conversions_round_once) {
    static const double values[] = {
        0.1,         -0.1, 1e-7,  65519.9, 65520, 2049, 0x1.0010000000001p0, 0x1.0080000000001p3,
        0x1.018p-15, 3e38, -1e300};
    static const int64_t whole[] = {0,
                                    1,
                                    -1,
                                    2049,
                                    16777217,
                                    0x4040000000000001,
                                    -0x4040000000000001,
                                    0x4040000000000000,
                                    INT64_MIN,
                                    INT64_MAX};
    for (unsigned to = 0; to < BZ_NDTYPES; to++) {
        if (ir_is_complex((bz_dtype)to)) continue; /* cast as its parts */
        const ir_vprog *p = ir_value(IR_CAST, BZ_F64, (bz_dtype)to),
                       *q = ir_value(IR_CAST, BZ_I64, (bz_dtype)to),
                       *u = ir_value(IR_CAST, BZ_U64, (bz_dtype)to);
        for (unsigned i = 0; i < BZ_LEN(values); i++) {
            const ir_bits x[3] = {ir_bits_from_f64(BZ_F64, values[i]), 0, 0};
            cr_assert_eq(ir_value_eval_bits(p, x), ir_bits_from_f64((bz_dtype)to, values[i]),
                         "%s %a", ir_dtypes[to].name, values[i]);
        }
        for (unsigned i = 0; i < BZ_LEN(whole); i++) {
            const ir_bits x[3] = {(ir_bits)whole[i], 0, 0};
            cr_assert_eq(ir_value_eval_bits(q, x), ir_bits_from_i64((bz_dtype)to, whole[i]),
                         "%s %ld", ir_dtypes[to].name, (long)whole[i]);
            cr_assert_eq(ir_value_eval_bits(u, x), ir_bits_cast((bz_dtype)to, BZ_U64, x[0]),
                         "%s %lu", ir_dtypes[to].name, (unsigned long)whole[i]);
        }
    }
}

/* Of a u64 above what i64 holds, halves: rounded once, by numbers worked out by hand. */
Test(value, u64_rounds_once) {
    const uint64_t x = UINT64_C(0x8080000000000001), tie = UINT64_C(0x8080000000000000);
    cr_assert_eq(ir_bits_cast(BZ_BF16, BZ_U64, x), 0x5f01, "above the middle of 0x80.. and 0x81..");
    cr_assert_eq(ir_bits_cast(BZ_BF16, BZ_U64, tie), 0x5f00, "to even");
    cr_assert_eq(ir_bits_cast(BZ_F32, BZ_U64, UINT64_C(0x8000008000000001)), 0x5f000001);
    cr_assert_eq(ir_bits_cast(BZ_F32, BZ_U64, UINT64_C(0x8000008000000000)), 0x5f000000);
    cr_assert_eq(ir_bits_cast(BZ_F32, BZ_U64, UINT64_MAX), 0x5f800000);
    cr_assert_eq(ir_bits_cast(BZ_F16, BZ_U64, UINT64_MAX), 0x7c00);
    cr_assert_eq(ir_bits_cast(BZ_F64, BZ_U64, UINT64_C(0x8000000000000401)),
                 UINT64_C(0x43e0000000000001));
    cr_assert_eq(ir_bits_cast(BZ_U64, BZ_I8, 0xff), UINT64_MAX);
    cr_assert_eq(ir_bits_cast(BZ_I32, BZ_U64, UINT64_C(0xf80000001)), (ir_bits)0x80000001);
}

/* A block is 64 elements: lengths round it, in place too, and rare in some blocks only. */
Test(value, arrays_equal_single_elements) {
    enum { N = 200 };
    float x[N], out[N];
    const ir_vprog *p = ir_value(IR_SIN, BZ_F32, BZ_F32);
    for (unsigned n = 0; n <= N; n += n < 62 ? 31 : 23) {
        for (unsigned i = 0; i < n; i++) x[i] = out[i] = i == 70 ? 1e9f : (float)i * 0.37f;
        ir_value_eval(p, out, (const void *const[3]){out, NULL, NULL}, n);
        for (unsigned i = 0; i < n; i++)
            cr_assert_eq((ir_bits)ir_load_bits(BZ_F32, &out[i]),
                         ir_value_eval_bits(p, (const ir_bits[3]){f32(x[i]), 0, 0}));
    }
}
