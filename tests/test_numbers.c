/* test_numbers.c - numbers, dtypes, axes and counts at their edges: small programs of the text form against the values and dtypes
 * that a PyTorch user expects, computed by the reference interpreter. */
#include "src/ir/text.h"
#include "src/ir/value.h"
#include "src/passes/pass.h"
#include "tests/support/irtest.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* ---- programs as text: what they give, or their error */

static void print_array(bz_text *t, const ir_value_array *a) {
    bz_text_str(t, ir_dtypes[a->dtype].name);
    for (unsigned i = 0; i < a->rank; i++)
        bz_textf(t, "%s%lld%s", i ? "," : "[", (long long)a->shape[i], i + 1 == a->rank ? "]" : "");
    for (int64_t i = 0; i < irt_numel(a); i++) {
        const char *at = (const char *)a->data + (size_t)i * ir_dtype_bytes(a->dtype);
        bz_text_str(t, " ");
        tx_print_bits(t, a->dtype, ir_load_bits(a->dtype, at));
    }
}

/* Outputs of the first graph, "f32[2] 1.0 2.0; i64 3"; every float input is 0, 1, 2 ... */
static void print_outputs(bz_text *t, const ir_module *m) {
    ir_value_array out[8];
    const ir_graph *g = m->graphs.p[0];
    cr_assert(g->outputs.n <= BZ_LEN(out) && !g->inputs.n);
    irt_run_module(m, NULL, out);
    for (uint32_t i = 0; i < g->outputs.n; i++) {
        bz_text_str(t, i ? "; " : "");
        print_array(t, &out[i]);
    }
    irt_free(out, g->outputs.n);
}

typedef struct given {
    const char *lines, *want;
} given;

static void check(const given *rows, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        char program[1000];
        bz_error e = {0};
        bz_text t = {0};
        snprintf(program, sizeof program, "graph main() {\n%s\n}", rows[i].lines);
        ir_module *m = ir_parse(program, strlen(program), NULL, &e);
        if (m)
            print_outputs(&t, m);
        else
            bz_text_str(&t, e.text);
        cr_expect(!strcmp(bz_text_c(&t), rows[i].want), "%s\n gives  %s\n wanted %s", rows[i].lines,
                  bz_text_c(&t), rows[i].want);
        bz_text_free(&t);
        ir_module_free(m);
    }
}

#define FULL(name, t, shape, v) "%" name " = full {shape=[" shape "], value=" v ", dtype=" t "}\n"

/* ---- numbers beside operands */

/* ---- promotion */

/* PyTorch's rule in words: the smallest dtype that holds both; any float holds any integer, a complex number has parts that hold the float. u64 with a sign is NumPy's f64. */
static bz_dtype held_by(bz_dtype a, bz_dtype b) {
    const ir_dtype_info *x = &ir_dtypes[a], *y = &ir_dtypes[b];
    if (ir_is_complex(a) || ir_is_complex(b)) {
        const bool wide = a == BZ_C128 || b == BZ_C128 || a == BZ_F64 || b == BZ_F64;
        return wide ? BZ_C128 : BZ_C64;
    }
    if (a == b || y->kind == IR_KIND_BOOL) return a;
    if (x->kind == IR_KIND_BOOL) return b;
    if (x->kind == IR_KIND_FLOAT && y->kind == IR_KIND_FLOAT)
        return x->bits == y->bits ? BZ_F32 : x->bits > y->bits ? a : b;
    if (x->kind == IR_KIND_FLOAT || y->kind == IR_KIND_FLOAT)
        return x->kind == IR_KIND_FLOAT ? a : b;
    if (x->kind == y->kind) return x->bits > y->bits ? a : b;
    const bz_dtype sint = x->kind == IR_KIND_SINT ? a : b, uint = x->kind == IR_KIND_SINT ? b : a;
    static const bz_dtype above[] = {[8] = BZ_I16, [16] = BZ_I32, [32] = BZ_I64, [64] = BZ_F64};
    return ir_dtypes[sint].bits > ir_dtypes[uint].bits ? sint : above[ir_dtypes[uint].bits];
}

static bz_dtype met(unsigned a, unsigned b, unsigned c) {
    ir_meeting m = ir_meeting_none();
    ir_meet(&m, (bz_dtype)a);
    ir_meet(&m, (bz_dtype)b);
    ir_meet(&m, (bz_dtype)c);
    return ir_met(&m);
}

Test(numbers, any_two_dtypes_come_together_in_one) {
    for (unsigned a = 0; a < BZ_NDTYPES; a++)
        for (unsigned b = 0; b < BZ_NDTYPES; b++) {
            bz_dtype t = ir_promote((bz_dtype)a, (bz_dtype)b);
            cr_expect_eq(t, held_by((bz_dtype)a, (bz_dtype)b), "%s, %s: %s", ir_dtypes[a].name,
                         ir_dtypes[b].name, ir_dtypes[t].name);
            for (unsigned c = 0; c < BZ_NDTYPES; c++)
                cr_expect(met(a, b, c) == met(c, a, b) && met(a, b, c) == met(b, c, a),
                          "%s, %s, %s: the order matters", ir_dtypes[a].name, ir_dtypes[b].name,
                          ir_dtypes[c].name);
        }
}

/* A number takes the precision of what it stands beside and promotes only into a higher category, 0-d or not. */
Test(numbers, a_number_takes_the_dtype_beside_it) {
    static const given rows[] = {
        {FULL("x", "f64", "1", "1") "%r = mul %x, 0.1\nreturn %r", "f64[1] 0.1"},
        {FULL("x", "f64", "1", "1") FULL("y", "f64", "1", "2") "%r = lerp %x, %y, 0.1\nreturn %r",
         "f64[1] 1.1"},
        {FULL("x", "f64", "", "1") "%r = mul 0.1, %x\nreturn %r", "f64 0.1"},
        {FULL("x", "f16", "", "1.5") "%r = mul %x, 0.5\nreturn %r", "f16 0.75"},
        {FULL("x", "bf16", "2", "1.5") "%r = add %x, 1\nreturn %r", "bf16[2] 2.5 2.5"},
        {FULL("x", "i32", "", "3") "%r = add %x, 1\nreturn %r", "i32 4"},
        {FULL("x", "i32", "1", "3") "%r = mul %x, 0.5\nreturn %r", "f32[1] 1.5"},
        {FULL("x", "u8", "", "1") "%r = add %x, 300\nreturn %r", "u8 45"},
        {FULL("x", "u8", "1", "1") "%r = div %x, 300\nreturn %r", "f32[1] 0.0033333334"},
        {FULL("x", "u8", "1", "200") "%r = lt %x, 300\nreturn %r", "bool[1] false"},
        {FULL("x", "bool", "1", "1") "%r = mul %x, true\nreturn %r", "bool[1] true"},
        {FULL("x", "bool", "", "1") "%r = add %x, 1\nreturn %r", "i64 2"},
        {FULL("x", "f32", "1", "3") "%r = where true, %x, 0\nreturn %r", "f32[1] 3.0"},
        {FULL("x", "f16", "1", "3") "%r = where false, %x, 0.5\nreturn %r", "f16[1] 0.5"},
        {FULL("x", "f32", "1", "3") "%r = where 1, %x, 0\nreturn %r",
         "[where] the condition must be bool, got i64[]"},
        {FULL("x", "bool", "1", "1") "%r = mul %x, 0.5\nreturn %r", "f32[1] 0.5"},
        {FULL("x", "f16", "1", "1") FULL("y", "f32", "", "1") "%r = clamp %x, %y, 2049.0\n"
                                                              "return %r",
         "f16[1] 1.0"},
        {FULL("x", "f16", "1", "1") FULL("c", "bool", "1", "1") "%r = where %c, 0.1, %x\n"
                                                                "return %r",
         "f16[1] 0.1"},
        {FULL("x", "f64", "1", "1") "%r = mse_loss %x, 0.9\nreturn %r", "f64 0.009999999999999995"},
        {FULL("x", "f32", "3", "7") "%r = gather %x, 2\nreturn %r", "f32 7.0"},
        {"%r = add 1, 2\n%s = mul %r, 0.5\nreturn %r, %s, 3, 0.5, true", "i64 3; f32 1.5; i64 3; "
                                                                         "f32 0.5; bool true"},
        {FULL("p", "f32", "1", "0")
             FULL("g", "f32", "1", "1") "%r = sgd_step %p, %g, 0.1\nreturn %r",
         "f32[1] -0.1"},
        {"%r = rand 7, 0 {shape=[1]}\n%s = rand 7.5, 0 {shape=[1]}\nreturn %r, %s",
         "[rand] key and offset must be i64[], not f32[] and i64[]"},
    };
    check(rows, BZ_LEN(rows));
}

/* Integers stay integers: nothing passes through a double. */
Test(numbers, integers_are_exact) {
    static const given rows[] = {
        {FULL("r", "i64", "1", "9007199254740993") "return %r", "i64[1] 9007199254740993"},
        {FULL("r", "i64", "", "-9223372036854775808") "return %r", "i64 -9223372036854775808"},
        {FULL("r", "u8", "1", "-5") "return %r", "u8[1] 251"},
        {FULL("r", "i8", "1", "1.9") "return %r", "i8[1] 1"},
        {FULL("r", "f32", "1", "16777217") "return %r", "f32[1] 16777216.0"},
        {FULL("r", "f64", "", "9223372036854775808") "return %r", "f64 9.223372036854776e+18"},
        {FULL("r", "i64", "", "9223372036854775808") "return %r",
         "9223372036854775808 is larger than i64 holds"},
        {FULL("x", "i64", "1",
              "1") "%r = pad %x {lo=[1], hi=[0], value=9007199254740993}\nreturn %r",
         "i64[2] 9007199254740993 1"},
        {FULL("x", "i64", "1", "0") "%r = add %x, 9223372036854775807\nreturn %r",
         "i64[1] 9223372036854775807"},
        {FULL("x", "i64", "1", "0") "%r = add %x, 9223372036854775808\nreturn %r",
         "9223372036854775808 is larger than i64 holds"},
        {FULL("x", "bool", "1", "0") "%r = add 9223372036854775808, %x\nreturn %r",
         "9223372036854775808 is larger than i64 holds"},
        {"return 9223372036854775808", "9223372036854775808 is larger than i64 holds"},
        {FULL("x", "f32", "1", "1") "%r = mul %x, 9223372036854775808\nreturn %r",
         "f32[1] 9.223372e+18"},
        {FULL("x", "i64", "2", "0") "%r = clamp %x, 9007199254740993, 9007199254740995\nreturn %r",
         "i64[2] 9007199254740993 9007199254740993"},
        {"%r = randint 1, 0 {lo=9007199254740993, hi=9007199254740994, shape=[2]}\nreturn %r",
         "i64[2] 9007199254740993 9007199254740993"},
    };
    check(rows, BZ_LEN(rows));
}

/* What i64 does not hold: in programs, beside floats, and refused beside all else. */
Test(numbers, u64_is_exact) {
    static const given rows[] = {
        {FULL("r", "u64", "1", "18446744073709551615") "return %r", "u64[1] 18446744073709551615"},
        {FULL("r", "u64", "", "9223372036854775808") "return %r", "u64 9223372036854775808"},
        {FULL("r", "u64", "1", "-1") "return %r", "u64[1] 18446744073709551615"},
        {FULL("r", "u64", "", "18446744073709551616") "return %r",
         "18446744073709551616 is larger than u64 holds"},
        {"%r = const {value=[1, 18446744073709551615, 0xfedcba9876543210]} : u64[3]\nreturn %r",
         "u64[3] 1 18446744073709551615 18364758544493064720"},
        {"%r = const {value=[-1]} : u64[1]\nreturn %r", "-1 is no value of u64"},
        {"%r = const {value=[4294967296]} : u32[1]\nreturn %r", "4294967296 is no value of u32"},
        {FULL("x", "u64", "1", "1") "%r = add %x, 18446744073709551614\nreturn %r",
         "u64[1] 18446744073709551615"},
        {FULL("x", "i64", "1", "1") "%r = add %x, 18446744073709551614\nreturn %r",
         "18446744073709551614 is larger than i64 holds"},
        {FULL("x", "u32", "1", "1") "%r = add %x, 18446744073709551614\nreturn %r",
         "18446744073709551614 is larger than i64 holds"},
        {FULL("x", "f32", "1", "0") "%r = add %x, 18446742424442109953\nreturn %r",
         "f32[1] 1.8446743e+19"},
        {FULL("x", "u64", "1", "9223372036854775809") "%r = cast %x {dtype=f64}\n"
                                                      "%s = cast %x {dtype=f32}\n"
                                                      "%t = cast %x {dtype=i64}\n"
                                                      "%u = cast %t {dtype=u64}\n"
                                                      "%v = cast %x {dtype=bool}\n"
                                                      "return %r, %s, %t, %u, %v",
         "f64[1] 9.223372036854776e+18; f32[1] 9.223372e+18; i64[1] -9223372036854775807; "
         "u64[1] 9223372036854775809; bool[1] true"},
        {"%r = arange {start=18446744073709551610, stop=18446744073709551614, step=2, dtype=u64}\n"
         "%s = arange {start=0, stop=3, dtype=u16}\nreturn %r, %s",
         "u64[2] 18446744073709551610 18446744073709551612; u16[3] 0 1 2"},
        {FULL("x", "u64", "1", "3") FULL("y", "i64", "1", "-1") "%r = add %x, %y\nreturn %r",
         "f64[1] 2.0"},
        {FULL("x", "u64", "1", "3") FULL("y", "i8", "1", "1") FULL("z", "f16", "1", "1")
             "%r = concat %x, %y, %z\n%s = clamp %y, %z, %x\nreturn %r, %s",
         "f16[3] 3.0 1.0 1.0; f16[1] 1.0"},
        {FULL("x", "u64", "1", "3") FULL("y", "i64", "1", "1") "%r = bitwise_and %x, %y\nreturn %r",
         "[bitwise_and] wants integers, but u64[1] and i64[1] come together in f64: cast one"},
    };
    check(rows, BZ_LEN(rows));
}

Test(numbers, powers_of_integers_are_integers) {
    static const given rows[] = {
        {FULL("x", "i64", "1", "16777217") "%r = pow %x, 1\nreturn %r", "i64[1] 16777217"},
        {FULL("x", "i64", "", "3") "%r = pow %x, 39\nreturn %r", "i64 4052555153018976267"},
        {FULL("x", "i64", "", "3") "%r = pow %x, 1000000007\nreturn %r",
         "i64 -8756472485195423605"},
        {FULL("x", "i32", "", "-2") "%r = pow %x, 31\nreturn %r", "i32 -2147483648"},
        {FULL("x", "u8", "", "3") "%r = pow %x, 255\nreturn %r", "u8 171"},
        {FULL("x", "i8", "", "2") "%r = pow %x, 7\nreturn %r", "i8 -128"},
        {FULL("x", "i16", "", "2") FULL("y", "i64", "1", "300") "%r = pow %x, %y\nreturn %r",
         "i64[1] 0"},
        {"%i = iota {shape=[5]}\n%y = sub %i, 2\n%r = pow 2, %y\n%s = pow -1, %y\n%t = pow 0, %y\n"
         "%u = pow 1, %y\nreturn %r, %s, %t, %u",
         "i64[5] 0 0 1 2 4; i64[5] 1 -1 1 -1 1; i64[5] 0 0 1 0 0; i64[5] 1 1 1 1 1"},
        {FULL("x", "i64", "1", "3") "%r = pow %x, -1\nreturn %r",
         "[pow] an integer to the power -1 is no integer; cast it to a float first"},
        {FULL("x", "i64", "1", "4") "%r = pow %x, -0.5\nreturn %r", "f32[1] 0.5"},
        {FULL("x", "f32", "1", "4") "%r = pow %x, -1\nreturn %r", "f32[1] 0.25"},
        {FULL("x", "bool", "1", "0") "%r = pow %x, %x\n%s = pow %x, true\n%t = pow %x, 2\n"
                                     "return %r, %s, %t",
         "bool[1] true; bool[1] false; i64[1] 0"},
    };
    check(rows, BZ_LEN(rows));
}

/* Every dtype, every pair of an 8-bit base and a small exponent, against repeated products. */
Test(numbers, powers_wrap_as_products_do) {
    static const bz_dtype types[] = {BZ_U8,  BZ_I8,  BZ_I16, BZ_I32,
                                     BZ_I64, BZ_U16, BZ_U32, BZ_U64};
    for (unsigned k = 0; k < BZ_LEN(types); k++) {
        bz_dtype t = types[k];
        const ir_vprog *p = ir_value(IR_POW, t, t);
        for (int64_t x = -9; x < 10; x++) {
            ir_bits want = ir_bits_from_i64(t, 1), base = ir_bits_from_i64(t, x);
            for (int64_t y = 0; y < 600; y++) {
                ir_bits at = ir_bits_from_i64(t, y), in[3] = {base, at};
                if (ir_number_of_bits(t, at).i != y) break;
                cr_assert_eq(ir_value_eval_bits(p, in), want, "%s: %lld^%lld", ir_dtypes[t].name,
                             (long long)x, (long long)y);
                want = ir_base_eval_bits(IR_MUL, t, t, (ir_bits[3]){want, base});
            }
        }
    }
}

/* ---- axes */

/* A 0-d operand has the axes 0 and -1 wherever there is an axis. */
static const char *const axis_calls[][2] = {
    {"sum %x {axes=[A]}", "f32 3.0"},
    {"sum %x {axes=[A], keepdim}", "f32 3.0"},
    {"prod %x {axes=[A]}", "f32 3.0"},
    {"max %x {axes=[A]}", "f32 3.0"},
    {"min %x {axes=[A]}", "f32 3.0"},
    {"any %x {axes=[A]}", "bool true"},
    {"all %x {axes=[A]}", "bool true"},
    {"argmax %x {axes=[A]}", "i64 0"},
    {"argmin %x {axes=[A], keepdim}", "i64 0"},
    {"mean %x {axes=[A]}", "f32 3.0"},
    {"var %x {axes=[A], correction=0}", "f32 0.0"},
    {"logsumexp %x {axes=[A]}", "f32 3.0"},
    {"logsumexp %x {axes=[A], keepdim}", "f32 3.0"},
    {"softmax %x {axis=A}", "f32 1.0"},
    {"log_softmax %x {axis=A}", "f32 0.0"},
    {"transpose %x {a=A, b=A}", "f32 3.0"},
    {"transpose %x {a=A, b=0}", "f32 3.0"},
    {"flip %x {axes=[A]}", "f32 3.0"},
    {"squeeze %x {axis=A}", "f32 3.0"},
    {"unsqueeze %x {axis=A}", "f32[1] 3.0"},
    {"flatten %x {from=A, to=A}", "f32[1] 3.0"},
    {"sort %x {axis=A}", "f32 3.0"},
    {"gather %x, %i {axis=A}", "f32[2] 3.0 3.0"},
    {"iota {shape=[], axis=A}", "i64 0"},
};

/* The call with its letters A replaced. */
static void with_axis(char *out, size_t room, const char *call, const char *axis) {
    size_t n = 0;
    for (; *call && n + 4 < room; call++)
        n += (size_t)snprintf(out + n, room - n, *call == 'A' ? "%s" : "%.1s",
                              *call == 'A' ? axis : call);
}

Test(numbers, operands_without_axes_have_axis_0) {
    static const char *const axes[] = {"0", "-1", "1", "-2"};
    for (unsigned i = 0; i < BZ_LEN(axis_calls); i++) {
        for (unsigned k = 0; k < BZ_LEN(axes); k++) {
            char call[100], text[400];
            bz_error e = {0};
            bz_text t = {0};
            with_axis(call, sizeof call, axis_calls[i][0], axes[k]);
            snprintf(text, sizeof text, "graph main() {\n%s%%r = %s\nreturn %%r }",
                     FULL("x", "f32", "", "3") FULL("i", "i64", "2", "0"), call);
            ir_module *m = ir_parse(text, strlen(text), NULL, &e);
            if (k < 2) {
                cr_assert(m, "%s: %s", call, e.text);
                print_outputs(&t, m);
                cr_expect_str_eq(bz_text_c(&t), axis_calls[i][1], "%s", call);
            } else {
                cr_expect(!m && e.status == BZ_EAXIS && strstr(e.text, "out of range"), "%s: %s",
                          call, e.text);
            }
            bz_text_free(&t);
            ir_module_free(m);
        }
    }
}

Test(numbers, axes_that_are_not_there) {
    static const given rows[] = {
        {FULL("x", "f32", "", "3") "%r = sum %x {axes=[0, -1]}\nreturn %r",
         "[sum] axis -1 is given twice for f32[]"},
        {FULL("x", "f32", "", "3") "%r = concat %x, %x\nreturn %r",
         "[concat] 0-d tensors have no axis to follow one another along; reshape them to [1], or "
         "stack them"},
        {FULL("x", "f32", "5,1", "1") "%r = expand %x {shape=[2,-1,3]}\n%s = sum %r {axes=[1]}\n"
                                      "return %s",
         "f32[2,3] 5.0 5.0 5.0 5.0 5.0 5.0"},
        {FULL("x", "f32", "5,1", "1") "%r = expand %x {shape=[-1,5,3]}\nreturn %r",
         "[expand] dimension 0 is negative (-1)"},
        {FULL("x", "f32", "5", "1") "%r = expand %x {shape=[4]}\nreturn %r",
         "[expand] f32[5] does not broadcast to size 4 at axis 0"},
    };
    check(rows, BZ_LEN(rows));
}

/* ---- losses: classes lie along axis 1 */

Test(numbers, classes_are_axis_1) {
    static const given rows[] = {
        {FULL("x", "f32", "1,2,1", "0") FULL("t", "f32", "1,2,1", "0.5") "%r = cross_entropy %x, "
                                                                         "%t\nreturn %r",
         "f32 0.6931472"},
        {FULL("x", "f32", "2,3,4", "0") FULL("t", "i64", "2,4", "2") "%r = cross_entropy %x, %t\n"
                                                                     "return %r",
         "f32 1.0986123"},
        {FULL("x", "f64", "4", "0") FULL("t", "i64", "", "3") "%r = cross_entropy %x, %t\n"
                                                              "return %r",
         "f64 1.3862943611198906"},
        {FULL("x", "f32", "2,3,4", "0") FULL("t", "i64", "2,3", "2") "%r = cross_entropy %x, %t\n"
                                                                     "return %r",
         "[cross_entropy] target i64[2,3] does not fit f32[2,3,4], whose axis 1 is the "
         "classes"},
        {FULL("x", "f32", "2,0,4", "0") FULL("t", "i64", "2,4", "2") "%r = cross_entropy %x, %t\n"
                                                                     "return %r",
         "[cross_entropy] f32[2,0,4] has no class"},
    };
    check(rows, BZ_LEN(rows));
}

/* Of [N, C, d] and of the same rows as [N d, C]: one loss, with classes and with probabilities. */
Test(numbers, classes_of_many_axes_are_rows) {
    static const char head[] = "%i = iota {shape=[2,3,4], axis=1, dtype=f64}\n"
                               "%j = iota {shape=[2,3,4], axis=2, dtype=f64}\n"
                               "%ij = mul %i, %j\n%x = sin %ij\n%p = softmax %x {axis=1}\n"
                               "%t = iota {shape=[2,4], axis=0}\n"
                               "%xt = transpose %x {a=1, b=2}\n%xr = reshape %xt {shape=[8,3]}\n"
                               "%pt = transpose %p {a=1, b=2}\n%pr = reshape %pt {shape=[8,3]}\n"
                               "%tr = reshape %t {shape=[8]}\n";
    char text[1200];
    snprintf(text, sizeof text,
             "graph main() {\n%s%%a = cross_entropy %%x, %%t\n%%b = cross_entropy %%xr, %%tr\n"
             "%%c = cross_entropy %%x, %%p\n%%d = cross_entropy %%xr, %%pr\n"
             "return %%a, %%b, %%c, %%d }",
             head);
    int64_t n;
    double v[4];
    for (unsigned k = 0; k < 4; k++) {
        double *p = irt_run(text, NULL, k, &n);
        v[k] = p[0];
        bz_mem_free(p);
    }
    cr_expect_float_eq(v[0], v[1], 1e-15);
    cr_expect_float_eq(v[2], v[3], 1e-15);
    cr_expect_neq(v[0], v[2]);
}

/* ---- gradients where two are equal */

typedef struct tie {
    const char *lines;
    double want[3];
} tie;

/* Gradients of %r, a function of the 0-d f64 inputs x, y, z. */
static void check_tie(const tie *t, double x, double y, double z) {
    char text[300];
    snprintf(text, sizeof text, "graph main(x: f64, y: f64, z: f64) { %s\nreturn %%r }", t->lines);
    ir_module *m = irt_parse(text);
    ir_graph *g = m->graphs.p[0];
    ir_ref wrt[3], grad[3];
    ir_value_array in[3], out[3];
    double at[3] = {x, y, z};
    for (unsigned i = 0; i < 3; i++) {
        wrt[i] = g->inputs.p[i].node;
        in[i] = irt_array(BZ_F64, 0, NULL);
        irt_set(&in[i], 0, at[i]);
    }
    cr_assert_eq(pass_grad(g, g->outputs.p[0].node, 0, wrt, 3, grad), BZ_OK, "%s", g->err.text);
    g->outputs.n = 0;
    for (unsigned i = 0; i < 3; i++) ir_output_add(g, NULL, grad[i], -1);
    irt_run_module(m, in, out);
    for (unsigned i = 0; i < 3; i++)
        cr_expect_eq(irt_get(&out[i], 0), t->want[i], "%s at %g %g %g: gradient %u is %g, not %g",
                     t->lines, x, y, z, i, irt_get(&out[i], 0), t->want[i]);
    irt_free(in, 3);
    irt_free(out, 3);
    ir_module_free(m);
}

/* clamp and minimum(maximum(x, y), z) are one function with one gradient, ties included. */
Test(numbers, two_that_tie_have_half_the_gradient_each) {
    static const struct {
        double x, y, z, want[3];
    } at[] = {
        {1, 1, 5, {0.5, 0.5, 0}},
        {5, 1, 5, {0.5, 0, 0.5}},
        {3, 1, 5, {1, 0, 0}},
        {0, 1, 5, {0, 1, 0}},
        {6, 1, 5, {0, 0, 1}},
        {1, 1, 1, {0.25, 0.25, 0.5}},
        {2, 5, 1, {0, 0, 1}},
        {1, 5, 5, {0, 0.5, 0.5}},
        {-0.0, 0, 1, {0.5, 0.5, 0}},
        {0, 5, 1, {0, 0, 1}},
        {__builtin_nan(""), 1, 5, {0, 0, 0}},
    };
    for (unsigned i = 0; i < BZ_LEN(at); i++) {
        tie clamp = {"%r = clamp %x, %y, %z", {0}},
            pair = {"%m = maximum %x, %y\n%r = minimum %m, %z", {0}};
        memcpy(clamp.want, at[i].want, sizeof clamp.want);
        memcpy(pair.want, at[i].want, sizeof pair.want);
        check_tie(&clamp, at[i].x, at[i].y, at[i].z);
        check_tie(&pair, at[i].x, at[i].y, at[i].z);
    }
    check_tie(&(tie){"%r = clamp %x, 1, 5", {0.5, 0, 0}}, 1, 0, 0);
    check_tie(&(tie){"%r = clamp %x, 1, 5", {0.5, 0, 0}}, 5, 0, 0);
}

/* 131,072 elements tie: more than an f16 can count. */
Test(numbers, ties_are_counted_in_a_dtype_that_holds_their_number) {
    ir_module *m = irt_parse("graph main(x: f16[131072], s: f16) { %r = max %x\nreturn %r }");
    ir_graph *g = m->graphs.p[0];
    ir_ref x = g->inputs.p[0].node, seed = g->inputs.p[1].node, grad;
    ir_value_array in[2] = {irt_array(BZ_F16, 1, (int64_t[]){131072}), irt_array(BZ_F16, 0, NULL)},
                   out;
    irt_set(&in[1], 0, 32768);
    cr_assert_eq(pass_grad(g, g->outputs.p[0].node, seed, &x, 1, &grad), BZ_OK, "%s", g->err.text);
    g->outputs.n = 0;
    ir_output_add(g, NULL, grad, -1);
    irt_run_module(m, in, &out);
    cr_expect(irt_get(&out, 0) == 0.25 && irt_get(&out, 131071) == 0.25, "%g", irt_get(&out, 0));
    irt_free(in, 2);
    irt_free(&out, 1);
    ir_module_free(m);
}

/* ---- symbols */

/* A program over x, y: f32[n,m,4] with n = 5, m = 3, both 0, 1, 2 ... mod 7. */
static ir_value_array symbolic(const char *lines) {
    char text[600];
    ir_value_array in[2], out;
    for (unsigned i = 0; i < 2; i++) {
        in[i] = irt_array(BZ_F32, 3, (int64_t[]){5, 3, 4});
        for (int64_t k = 0; k < 60; k++) irt_set(&in[i], k, i ? 1 : (double)(k % 7));
    }
    snprintf(text, sizeof text,
             "graph main(n: sym(1, 64), m: sym(1, 64), x: f32[n,m,4], y: f32[n,m,4]) {\n%s\n"
             "return %%r }",
             lines);
    ir_module *m = irt_parse(text);
    irt_run_module(m, in, &out);
    ir_module_free(m);
    irt_free(in, 2);
    return out;
}

/* The same lines where all sizes are numbers. */
static ir_value_array constant(const char *lines) {
    char text[900];
    ir_value_array out;
    snprintf(text, sizeof text,
             "graph main() {\n%%k = iota {shape=[60], axis=0}\n%%k7 = remainder %%k, 7\n"
             "%%kf = cast %%k7 {dtype=f32}\n%%x = reshape %%kf {shape=[5,3,4]}\n"
             "%%y = ones {shape=[5,3,4]}\n%s\nreturn %%r }",
             lines);
    ir_module *m = irt_parse(text);
    irt_run_module(m, NULL, &out);
    ir_module_free(m);
    return out;
}

Test(numbers, symbolic_axes_count_as_numbers_do) {
    static const char *const lines[] = {
        "%r = mean %x",
        "%r = mean %x {axes=[0]}",
        "%r = mean %x {axes=[0,2]}",
        "%r = mean %x {axes=[1,2], keepdim}",
        "%r = var %x",
        "%r = var %x {axes=[0,1], correction=0}",
        "%r = mse_loss %x, %y",
        "%r = layer_norm %x {ndims=3}",
        "%r = layer_norm %x {ndims=2}",
        "%r = rms_norm %x",
        "%r = cross_entropy %x, %y",
        "%t = argmax %x {axes=[1]}\n%r = cross_entropy %x, %t",
        "%r = softmax %x {axis=0}",
        "%r = logsumexp %x",
        "%r = flatten %x",
        "%r = flatten %x {from=1}",
        "%r = flatten %x {to=1}",
        "%r = reshape %x {shape=[-1]}",
        "%r = reshape %x {shape=[-1, 2]}",
        "%f = flatten %x {from=1}\n%r = flatten %f",
    };
    for (unsigned i = 0; i < BZ_LEN(lines); i++) {
        bz_text got = {0}, want = {0};
        ir_value_array a = symbolic(lines[i]), b = constant(lines[i]);
        print_array(&got, &a);
        print_array(&want, &b);
        cr_expect_str_eq(bz_text_c(&got), bz_text_c(&want), "%s", lines[i]);
        bz_text_free(&got);
        bz_text_free(&want);
        irt_free(&a, 1);
        irt_free(&b, 1);
    }
}

/* Sizes are equal however their products came about. */
Test(numbers, symbolic_shapes_multiply_out) {
    static const struct {
        const char *lines, *shape;
    } rows[] = {
        {"%r = flatten %x {from=1}", "f32[n,m*4]"},
        {"%r = flatten %x", "f32[n*m*4]"},
        {"%r = reshape %x {shape=[m, n*4]}", "f32[m,n*4]"},
        {"%r = reshape %x {shape=[4*(m*n)]}", "f32[n*m*4]"},
        {"%r = reshape %x {shape=[-1, 4]}", "f32[n*m,4]"},
        {"%f = flatten %x\n%r = reshape %f {shape=[n, m, 4]}", "f32[n,m,4]"},
        {"%c = concat %x, %x {axis=1}\n%r = reshape %c {shape=[n*m*2, 4]}", "f32[n*m*2,4]"},
        {"%p = pad %x {lo=[0,0,0], hi=[0,1,0]}\n%r = reshape %p {shape=[n*m+n, 4]}",
         "f32[n+n*m,4]"},
    };
    for (unsigned i = 0; i < BZ_LEN(rows); i++) {
        char text[400];
        snprintf(text, sizeof text,
                 "graph main(n: sym(1, 64), m: sym(1, 64), x: f32[n,m,4]) {\n%s\nreturn %%r }",
                 rows[i].lines);
        ir_module *m = irt_parse(text);
        ir_graph *g = m->graphs.p[0];
        const char *got = ir_shape_text(g, g->outputs.p[0].node);
        cr_expect_str_eq(got, rows[i].shape, "%s\n gives %s", rows[i].lines, got);
        ir_module_free(m);
    }
}
