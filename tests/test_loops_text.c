/* test_loops_text.c - the text form, the verifier and the interpreter's complaints: one tiny text
 * for each message. */
#include "tests/support/loops.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const char *const kernels[] = {"gemm", "gemm_gpu", "softmax", "softmax_gpu", "attention",
                                      "scan", "sort",     "conv",    "gather",      "ops"};

/* ---- print and parse */

Test(loops_text, what_is_printed_parses_to_the_same) {
    for (size_t i = 0; i < BZ_LEN(kernels); i++) {
        lp_module *m = loops_load(kernels[i]);
        bz_text t = {0}, u = {0};
        lp_print_module(&t, m);
        lp_module *n = loops_parse(bz_text_c(&t));
        cr_assert_eq(m->k.n, n->k.n);
        for (uint32_t j = 0; j < m->k.n; j++)
            cr_assert(loops_same(m->k.p[j], n->k.p[j]), "%s: kernel %u differs", kernels[i], j);
        lp_print_module(&u, n);
        cr_assert_str_eq(bz_text_c(&t), bz_text_c(&u));
        bz_text_free(&t), bz_text_free(&u);
        lp_module_free(m), lp_module_free(n);
    }
}

Test(loops_text, constants_keep_their_bits) {
    static const struct {
        bz_dtype t;
        ir_bits bits;
    } consts[] = {
        {BZ_F32, 0x7f800000},
        {BZ_F32, 0xff800000},
        {BZ_F32, 0x7fc00001},
        {BZ_F32, 0x80000000},
        {BZ_F32, 1},
        {BZ_F32, 0x7f7fffff},
        {BZ_F32, 0x3dcccccd},
        {BZ_F64, 0x3fb999999999999a},
        {BZ_F64, 1},
        {BZ_F64, 0x8000000000000000},
        {BZ_F64, 0x7ff0000000000001},
        {BZ_F16, 1},
        {BZ_F16, 0x7bff},
        {BZ_F16, 0xfc00},
        {BZ_BF16, 0x3dcd},
        {BZ_BF16, 0x0001},
        {BZ_BOOL, 1},
        {BZ_U8, 255},
        {BZ_I8, 0x80},
        {BZ_I16, 0x8000},
        {BZ_I32, 0x80000000},
        {BZ_I64, 0x8000000000000000},
        {BZ_U16, 0xffff},
        {BZ_U32, 0xffffffff},
        {BZ_U64, 0xffffffffffffffff},
    };
    lp_module m = {0};
    lp_kernel *k = lp_kernel_new("consts");
    cr_assert(bz_vec_push(&m.k, k));
    lp_builder *b = lp_builder_new(k);
    for (size_t i = 0; i < BZ_LEN(consts); i++)
        lp_const(b, consts[i].t, consts[i].bits, 1 + (unsigned)i % 3);
    bz_text t = {0};
    lp_print_module(&t, &m);
    lp_module *n = loops_parse(bz_text_c(&t));
    cr_assert(loops_same(k, n->k.p[0]), "%s", bz_text_c(&t));
    bz_text_free(&t);
    lp_builder_free(b), lp_kernel_free(k), bz_vec_free(&m.k), lp_module_free(n);
}

typedef struct bad {
    const char *text, *message;
} bad;

static const bad parse_errors[] = {
    {"x", "1:1: 'kernel' expected, not 'x'"},
    {"kernel", "1:7: kernel name expected, not the end of the text"},
    {"kernel f", "1:9: '(' expected"},
    {"kernel f(x: f33 in) {}", "1:13: unknown dtype 'f33'"},
    {"kernel f(x: f32 into) {}", "1:17: in, out, inout or work expected"},
    {"kernel f(x: f32 in; x) {}", "1:21: parameter x stands twice"},
    {"kernel f() {}\nkernel f() {}", "2:8: f is already defined"},
    {"kernel f() {", "1:13: instruction expected, not the end of the text"},
    {"kernel f() {\n  frob\n}", "2:3: unknown instruction 'frob'"},
    {"kernel f() {\n  %a = const 1\n  %a = const 2\n}", "3:3: this value is already defined"},
    {"kernel f() {\n  %b = neg %a\n}", "2:12: %a is not defined"},
    {"kernel f() {\n  const 1\n}", "2:3: the result needs a name"},
    {"kernel f() {\n  %a = barrier\n}", "2:3: this instruction has no value"},
    {"kernel f() {\n  %a: f31 = const 1\n}", "2:7: not a type"},
    {"kernel f() {\n  %a: f32x0 = const 1\n}", "2:7: not a type"},
    {"kernel f() {\n  %a: f32x999 = const 1\n}", "2:7: not a type"},
    {"kernel f() {\n  %a: *f32 = const 1\n}", "2:14: result is not a pointer"},
    {"kernel f() {\n  %a: f32 = local [3] stack\n}", "2:13: result is a pointer"},
    {"kernel f() {\n  %a: u64 = const -1\n}", "2:19: -1 does not fit into u64"},
    {"kernel f() {\n  %a: u64 = const 18446744073709551616\n}", "2:19: not a whole number"},
    {"kernel f() {\n  %a: u16 = const 65536\n}", "2:19: 65536 does not fit into u16"},
    {"kernel f() {\n  %a: u8 = const 256\n}", "2:18: 256 does not fit into u8"},
    {"kernel f() {\n  %a = const 1.5\n}", "2:14: not a whole number"},
    {"kernel f() {\n  %a: f32 = const 1.5q\n}", "2:19: not a finite number"},
    {"kernel f() {\n  %a: f32 = const 1e999\n}", "2:19: not a finite number"},
    {"kernel f() {\n  %a: f16 = const bits 0x12345\n}", "2:24: bits of one f16 expected"},
    {"kernel f() {\n  %a = const 99999999999999999999\n}", "2:14: not a whole number"},
    {"kernel f() {\n  %a = buffer q\n}", "2:15: no such parameter"},
    {"kernel f() {\n  %a: *f32 = local [3] moon\n}", "2:24: stack, scratch or shared expected"},
    {"kernel f() {\n  %a = loop round 0, 3 {\n}\n}", "2:13: kind of loop expected"},
    {"kernel f() {\n  %a = loop serial 0, 3\n}", "3:1: '{' expected, not '}'"},
    {"kernel f() {\n  %a = loop serial 0 3 {", "2:22: ',' expected, not '3'"},
    {"kernel f() {\n  call g()\n}", "2:8: no such function above"},
    {"kernel f() {\n  %a: f32 = cast\n}", "3:1: operand expected"},
    {"kernel f() {\n  %a = const 1\n  %b = cast %a\n}", "3:8: the result needs a type"},
    {"kernel f() {\n  %a: f32x4 = const 1\n  %b: f32x2 = shuffle %a, %a [0]\n}",
     "as many lane numbers as lanes"},
    {"kernel f() {\n  %a = const 1 @0\n}", "2:17: 0 is not in 1 .. 4294967295"},
    {"kernel f() {\n  \x01\n}", "2:3: instruction expected, not '?'"},
    {"kernel f(x: f32 in) {\n %x = buffer x\n %y = neg %x\n}", "3:7: the result needs a type"},
    {"kernel f() {\n yield\n barrier }", "3:2: yield stands last in its region"},
    {"kernel f(x: i32 inout) {\n %x = buffer x\n atomic %x[0], 1 [exp]\n}",
     "3:19: base op expected"},
};

Test(loops_text, parse_errors) {
    for (size_t i = 0; i < BZ_LEN(parse_errors); i++) {
        const bad *b = &parse_errors[i];
        bz_error e = {0};
        cr_assert_null(lp_parse(b->text, strlen(b->text), &e), "accepted: %s", b->text);
        cr_assert_eq(e.status, BZ_EPARSE);
        cr_assert(strstr(e.text, b->message), "%s\ngives: %s\nnot:   %s", b->text, e.text,
                  b->message);
        cr_assert(e.line > 0 && e.column > 0);
    }
}

/* ---- verify. $ stands for the head of a kernel with buffers x (in), y (out), extent n */

static const bad verify_errors[] = {
    {"%l = loop parallel 0, %n { store %x[0], 1.0 }", "buffer is only read (in)"},
    {"store %y[0], 1.0", "only pure values, locals and parallel loops stand at the top level"},
    {"%l = loop serial 0, 3 { }", "only pure values, locals and parallel loops"},
    {"%l = loop parallel 0, %n { %a = const 1 } %b = add %a, 1", "operand is not visible here"},
    {"%l = loop parallel 0, %n { } %b = add %l, 1", "the index of a loop is not visible behind it"},
    {"%l = loop parallel 0, %n { %c = lt %l, 1 if %c { %a = const 1 } else { %b = add %a, 1 } }",
     "operand is not visible here"},
    {"%l = loop parallel 1, %n { }", "a parallel loop counts from 0 by 1"},
    {"%l = loop parallel 0, %n step 2 { }", "a parallel loop counts from 0 by 1"},
    {"%l = loop parallel 0, %n { %m = loop parallel 0, %n { } }",
     "a parallel loop stands at the top level of a kernel"},
    {"%l = loop parallel 0, %n (%n) { %c = carry %l [0] yield %c }",
     "only serial and unrolled loops carry values"},
    {"%v: i64x2 = laneid %e = extract %v [0] %l = loop parallel 0, %e { }",
     "the number of tasks does not follow"},
    {"%l = loop parallel 0, %n { %m = loop unrolled 0, %n { } }",
     "a constant number of times, at most 64"},
    {"%l = loop parallel 0, %n { %m = loop unrolled 0, 65 { } }",
     "a constant number of times, at most 64"},
    {"%l = loop parallel 0, %n { %m = loop serial 0, %n step 0 { } }", "step is not positive"},
    {"%l = loop parallel 0, %n { %m = loop serial 0, 1.5 { } }", "1.5"},
    {"%l = loop parallel 0, %n { %m = loop lane 0, 32 { %o = loop warp 0, 2 { } } }",
     "the order of loops is"},
    {"%l = loop parallel 0, %n { %s = loop serial 0, 3 { %o = loop block 0, 2 { } } }",
     "the order of loops is"},
    {"%l = loop parallel 0, %n { %m = loop block 0, %n { } }",
     "threads are counted from 0 by 1 to a positive constant"},
    {"%l = loop parallel 0, %n { %m = loop lane 0, 16 { } }", "a warp has 32 lanes"},
    {"%l = loop parallel 0, %n { %p: *f32 = local [4] stack %q = offset %p[1] "
     "%m = loop block 0, 8 { %v = load %q[0] } }",
     "a local array is used by the threads of a loop inside its place"},
    {"%l = loop parallel 0, %n { %m = loop block 0, 8 { } %o = loop block 0, 8 { } }",
     "second loop over threads"},
    {"%l = loop parallel 0, %n { %m = loop block 0, 64 { %o = loop block 0, 32 { } } }",
     "more than 1024 threads"},
    {"%l = loop parallel 0, %n { %m = loop serial 0, 3 (%n) { %c = carry %m [0] } }",
     "the loop yields other types than it carries"},
    {"%l = loop parallel 0, %n { %m = loop serial 0, 3 (%n) { %c = carry %m [0] yield 1.5 } }",
     "1.5"},
    {"%l = loop parallel 0, %n { %m = loop serial 0, 3 (%n) { %c: i64 = carry %m [1] yield %c } }",
     "does not carry so many values"},
    {"%l = loop parallel 0, %n { %m = loop serial 0, 3 (%n) { %a = const 1 %c = carry %m [0] yield "
     "%c } }",
     "carries stand directly after"},
    {"%l = loop parallel 0, %n { %m = loop serial 0, 3 (%n) { %c: f32 = carry %m [0] yield %n } }",
     "type differs from the carried value's"},
    {"%l = loop parallel 0, %n { %c: i64 = carry %n [0] }", "operand is not a loop or while"},
    {"%l = loop parallel 0, %n { %r: i64 = result %n [0] }", "operand is not a loop, while or if"},
    {"%l = loop parallel 0, %n { %r: i64 = result %l [0] }", "the region has not ended"},
    {"%l = loop parallel 0, %n { %m = loop serial 0, 3 { } %r: i64 = result %m [0] }",
     "does not yield so many values"},
    {"%l = loop parallel 0, %n { %c = lt %l, 1 %f = if %c { yield %n } else { yield %n } %r: f32 = "
     "result %f [0] }",
     "type differs from the yielded value's"},
    {"%l = loop parallel 0, %n { %c = lt %l, 1 if %c { yield %n } }",
     "an if without else yields nothing"},
    {"%l = loop parallel 0, %n { %c = lt %l, 1 if %c { yield %n } else { } }",
     "the branches yield different types"},
    {"%l = loop parallel 0, %n { if %l { } }", "condition is not a bool scalar"},
    {"%l = loop parallel 0, %n { while { yield %n } }", "a while yields its condition first"},
    {"yield %n", "yield outside of a region"},
    {"%a: f32 = const 1 %b: i64 = add %a, %n", "operands of different dtypes"},
    {"%a: f32x2 = const 1 %b: f32 = const 1 %c = add %a, %b", "operands of different lanes"},
    {"%a: f32 = const 1 %b: f32 = lt %a, %a", "wrong result dtype"},
    {"%a: f32 = const 1 %b = bitwise_and %a, %a", "op not defined for this dtype"},
    {"%b = sqrt %n", "op not defined for this dtype"},
    {"%a: f16 = const 1 %b = add %a, %a", "arithmetic on f16 or bf16"},
    {"%a: bool = const 1 %b = add %a, %a", "bool knows only"},
    {"%b = where %n, %n, %n", "condition is not bool"},
    {"%b: i32 = bitcast %n", "bitcast between dtypes of different size"},
    {"%b: i64 = add %x, %n", "operand is not a value"},
    {"%b: f32 = scalar [0]", "no such scalar argument"},
    {"%b = extent [7]", "no such extent"},
    {"%b: *f32 = buffer [7]", "no such buffer"},
    {"%b: *f64 = buffer x", "dtype differs from the parameter's"},
    {"%b: f32x4 = splat %n", "splat needs a scalar of the result's dtype"},
    {"%b: f32x4 = laneid", "laneid is i32 or i64"},
    {"%v: i64x2 = laneid %e = extract %v [2]", "lane number beyond the vector"},
    {"%v: i64x2 = laneid %e: i32 = extract %v [0]", "result is not a scalar of the vector's dtype"},
    {"%v: i64x2 = laneid %e = insert %v, %v [0]", "insert needs a vector and a scalar"},
    {"%v: i64x2 = laneid %e = shuffle %v, %v [0, 4]", "lane number beyond both operands"},
    {"%v: i64x2 = laneid %e = shuffle %v, %n [0, 1]",
     "operands are not vectors of the result's dtype"},
    {"%e = any %n", "operand is not a mask"},
    {"%e: f32 = table %n [99999]", "no such constant table"},
    {"%p: *f32 = local [0] stack", "number of elements is not in 1 .. 2^30"},
    {"%p = offset %n[0]", "operand is not a pointer"},
    {"%a: i32 = const 0 %p = offset %x[%a]", "index is not an i64 scalar"},
    {"%l = loop parallel 0, %n { %a: f32x4 = load %x[0] mask %n }",
     "mask is not bool with the value's lanes"},
    {"%l = loop parallel 0, %n { %a: f64 = load %x[0] }", "dtype differs from the pointer's"},
    {"%l = loop parallel 0, %n { %v: i64x2 = laneid %a: f32x4 = gather %x[%v] }",
     "index and result have different lanes"},
    {"%l = loop parallel 0, %n { store %y[0], %n }", "value differs from the pointer in dtype"},
    {"%l = loop parallel 0, %n { %v: f32x2 = const 1 scatter %y[0], %v }",
     "index and value have different lanes"},
    {"%l = loop parallel 0, %n { atomic %y[0], 1.0 [add] }", "no such atomic for this dtype"},
    {"%l = loop parallel 0, %n { %v: f32x2 = const 1 atomic %y[0], %v [maximum] }",
     "atomics are scalar"},
    {"%l = loop parallel 0, %n { prefetch %x[0] [2] }", "prefetch is 0 (read) or 1 (write)"},
    {"%l = loop parallel 0, %n { %c = is_aligned %x[0] [12] }", "alignment is not a power of two"},
    {"%l = loop parallel 0, %n { async_copy %y[0], %x[0] [0] }",
     "number of elements is not positive"},
    {"%l = loop parallel 0, %n { async_copy %x[0], %x[0] [1] }", "buffer is only read (in)"},
    {"%l = loop parallel 0, %n { async_wait [-1] }", "number of groups is negative"},
    {"%l = loop parallel 0, %n { %a = warp_shuffle %n [32] }", "lane distance is not in 0 .. 31"},
    {"%l = loop parallel 0, %n { %a: f16x8 = const 0 %b: f16x4 = const 0 %c: f32x4 = const 0 %d = "
     "mma %a, %b, %c [16, 8, 16] }",
     "matrices outside of a warp"},
    {"%l = loop parallel 0, 1 { %b = loop block 0, 32 { %a: f32x4 = const 0 %c: f32x2 = const 0 %d "
     "= mma %a, %c, %a [16, 8, 16] } }",
     "mma shape is not [16, 8, 8]"},
    {"%l = loop parallel 0, 1 { %b = loop block 0, 32 { %a: f32x4 = const 0 %d = mma %a, %a, %a "
     "[16, 8, 8] } }",
     "fragments are not 16 bytes, 8 bytes"},
    {"%l = loop parallel 0, 1 { %b = loop block 0, 32 { %a: i32x4 = const 0 %d = mma %a, %a, %a "
     "[16, 8, 8] } }",
     "fragments are not f16, bf16 or f32"},
    {"%l = loop parallel 0, 1 { %s: *f16 = local [64] shared %v: f16x2 = ldmatrix %s[0] [0] }",
     "matrices outside of a warp"},
    {"%l = loop parallel 0, 1 { %s: *f32 = local [64] shared %b = loop block 0, 32 { %v: f32x4 = "
     "ldmatrix %s[0] [1] } }",
     "only 16-bit elements are transposed"},
    {"%l = loop parallel 0, 1 { %s: *f16 = local [64] shared %b = loop block 0, 32 { %v: f16x6 = "
     "ldmatrix %s[0] [0] } }",
     "matrices are not 1, 2 or 4"},
    {"%l = loop parallel 0, 1 { %b = loop block 0, 32 { %v: f32x4 = ldmatrix %x[0] [0] } }",
     "matrices lie in shared memory"},
    {"%l = loop parallel 0, %n { %m: boolx2 = const 0 async_copy %y[0], %x[0] [1] mask %m }",
     "mask is not bool with the value's lanes"},
    {"%l = loop parallel 0, %n { error %n, %n [1] }", "error needs a bool and an i64 scalar"},
    {"%l = loop parallel 0, %n { call f(%x, %y) }", "wrong number of arguments"},
    {"%l = loop parallel 0, %n { call f(%n, %n, %n) }",
     "argument is not a pointer of the parameter's dtype"},
    {"%l = loop parallel 0, %n { call f(%y, %x, %n) }",
     "buffer that is only read (in) given to be written"},
    {"%l = loop parallel 0, %n { %a: f32 = const 1 call f(%x, %y, %a) }",
     "extent argument is not an i64 scalar"},
    {"%l = loop parallel 0, %n { call [1](%x, %y, %n) }", "a kernel is not called"},
    {"%l = loop parallel 0, %n { call [9](%x, %y, %n) }", "no such function"},
};

static lp_module *with_head(const char *body, bz_error *e) {
    bz_text t = {0};
    bz_textf(&t,
             "function f(a: f32 in, b: f32 out; n) { }\n"
             "kernel k(x: f32 in, y: f32 out; n) {\n %%x = buffer x\n %%y = buffer y\n %%n = "
             "extent n\n%s\n}\n",
             body);
    lp_module *m = lp_parse(bz_text_c(&t), t.n, e);
    bz_text_free(&t);
    return m;
}

Test(loops_text, verify_errors) {
    for (size_t i = 0; i < BZ_LEN(verify_errors); i++) {
        const bad *b = &verify_errors[i];
        bz_error e = {0};
        lp_module *m = with_head(b->text, &e);
        if (!m) {
            cr_assert(strstr(b->message, "1.5") && strstr(e.text, "not a whole number"), "%s: %s",
                      b->text, e.text);
            continue;
        }
        cr_assert_eq(lp_verify(m->k.p[0], m, &e), BZ_OK, "%s", e.text);
        cr_assert_eq(lp_verify(m->k.p[1], m, &e), BZ_EARG, "accepted: %s", b->text);
        cr_assert(strstr(e.text, b->message), "%s\ngives: %s\nnot:   %s", b->text, e.text,
                  b->message);
        cr_assert(strstr(e.text, "[kernel k]") && strstr(e.text, "\n  > "), "%s", e.text);
        lp_module_free(m);
    }
}

Test(loops_text, messages_show_the_neighbours) {
    bz_error e = {0};
    lp_module *m =
        with_head("%a = add %n, 1\n%b: i32 = const 3\n%c = add %a, %b\n%d = const 9", &e);
    cr_assert(m, "%s", e.text);
    lp_verify(m->k.p[1], m, &e);
    cr_assert_str_eq(
        e.text,
        "[kernel k] operands of different dtypes\n    %5: i64 = add %3, %4\n    %6: i32 = const 3\n"
        "  > %7: i64 = add %5, %6\n    %8: i64 = const 9");
    lp_module_free(m);
}

Test(loops_text, functions_stand_apart) {
    static const bad bads[] = {
        {"function f() { %s: *f32 = local [4] shared }", "a function has no shared memory"},
        {"function f() { %n = const 3 %l = loop parallel 0, %n { } }",
         "stands at the top level of a kernel"},
    };
    for (size_t i = 0; i < BZ_LEN(bads); i++) {
        bz_error e = {0};
        lp_module *m = lp_parse(bads[i].text, strlen(bads[i].text), &e);
        cr_assert(m, "%s", e.text);
        cr_assert_eq(lp_verify(m->k.p[0], m, &e), BZ_EARG);
        cr_assert(strstr(e.text, bads[i].message), "%s", e.text);
        lp_module_free(m);
    }
}

/* Kernels that no text gives: what the verifier says of damaged arrays. */
Test(loops_text, verify_damaged) {
    static const struct {
        lp_inst inst;
        const char *message;
    } bads[] = {
        {{.op = LP_NOPS}, "unknown instruction"},
        {{.op = LP_NOP}, "unknown instruction"},
        {{.op = LP_CONST, .dtype = 99, .lanes = 1}, "no such dtype"},
        {{.op = LP_CONST, .dtype = BZ_F32, .lanes = 999}, "too many lanes"},
        {{.op = LP_CONST, .dtype = BZ_F32}, "a value has lanes"},
        {{.op = LP_BUFFER, .dtype = BZ_F32, .lanes = 1}, "only a value has lanes"},
        {{.op = LP_CONST, .dtype = BZ_U8, .lanes = 1, .imm = 256},
         "constant has more bits than its dtype"},
        {{.op = IR_ADD, .dtype = BZ_F32, .lanes = 1, .nargs = 2, .args = 1u << 30},
         "operands lie outside the kernel"},
        {{.op = IR_ADD, .dtype = BZ_I64, .lanes = 1, .nargs = 1, .args = 0},
         "operand is not an earlier instruction"},
        {{.op = LP_ELSE}, "yield must stand before else and end"},
        {{.op = LP_ANY, .dtype = BZ_BOOL, .lanes = 1}, "wrong number of operands"},
    };
    for (size_t i = 0; i < BZ_LEN(bads); i++) {
        bz_error e = {0};
        lp_module *m = with_head("", &e);
        lp_kernel *k = m->k.p[1];
        cr_assert(bz_vec_push(&k->args, 0));
        cr_assert(bz_vec_push(&k->inst, bads[i].inst));
        cr_assert_eq(lp_verify(k, m, &e), BZ_EARG, "accepted: %s", bads[i].message);
        cr_assert(strstr(e.text, bads[i].message), "%s\nnot: %s", e.text, bads[i].message);
        lp_module_free(m);
    }
    bz_error e = {0};
    lp_module *m = with_head("%l = loop parallel 0, %n { barrier }", &e);
    lp_inst *last = &m->k.p[1]->inst.p[m->k.p[1]->inst.n - 3], barrier = last[0];
    last[0] = last[1], last[1] = barrier;
    lp_verify(m->k.p[1], m, &e);
    cr_assert(strstr(e.text, "nothing but else or end follows a yield"), "%s", e.text);
    lp_module_free(m);
    e = (bz_error){0};
    m = with_head("%l = loop parallel 0, %n { }", &e);
    m->k.p[1]->inst.n -= 2;
    lp_verify(m->k.p[1], m, &e);
    cr_assert(strstr(e.text, "the region does not end"), "%s", e.text);
    lp_module_free(m);
}

/* ---- what the interpreter refuses, run with n = 4 elements in x and y */

static const bad run_errors[] = {
    {"%l = loop parallel 0, 5 { %v = load %x[%l] }", "index 4 of x, which has 4 elements"},
    {"%l = loop parallel 0, 1 { %v = load %x[-1] }", "index -1 of x"},
    {"%l = loop parallel 0, 1 { %v: f32x4 = load %x[1] }", "index 4 of x"},
    {"%l = loop parallel 0, 1 { %p = offset %x[3] %v = load %p[9223372036854775807] }", "of x"},
    {"%l = loop parallel 0, 1 { %v = load %y[1] }", "element 1 of y is read before it is written"},
    {"%l = loop parallel 0, 1 { %p: *f32 = local [2] stack %v = load %p[0] }",
     "element 0 of a local array is read before it is written"},
    {"%p: *f32 = local [2] scratch %l = loop parallel 0, 2 { %c = eq %l, 0 if %c { store %p[0], "
     "1.0 } else { %v = load %p[0] } }",
     "element 0 of a local array is read before it is written"},
    {"%l = loop parallel 0, 1 { %b = loop block 0, 8 { %c = lt %b, 4 if %c { barrier } } }",
     "thread 4 does not come to the barrier"},
    {"%l = loop parallel 0, 1 { %b = loop block 0, 8 { %a = warp_shuffle %b [8] } }",
     "thread 8 is not there"},
    {"%l = loop parallel 0, 1 { %b = loop block 0, 8 { %c = lt %b, 1 if %c { %a = warp_shuffle %b "
     "[1] } } }",
     "thread 1 is not there"},
    {"%l = loop parallel 0, 1 { %s: *i64 = local [8] shared %b = loop block 0, 8 { store %s[%b], "
     "%b %o = bitwise_xor %b, 1 %v = load %s[%o] } }",
     "threads race for element 1"},
    {"%l = loop parallel 0, 1 { %s: *i64 = local [8] shared %b = loop block 0, 8 { store %s[0], %b "
     "} }",
     "threads race for element 0"},
    {"%l = loop parallel 0, 1 { %s: *f32 = local [4] shared %b = loop block 0, 4 { async_copy "
     "%s[%b], %x[%b] [1] barrier %v = load %s[%b] } }",
     "element 0 of a local array is read before it is written"},
    {"%l = loop parallel 0, 1 { %s: *f32 = local [4] shared %b = loop block 0, 4 { async_copy "
     "%s[%b], %x[%b] [1] async_wait [0] barrier %v = load %s[%b] } }",
     "element 0 of a local array is read before it is written"},
    {"%l = loop parallel 0, 1 { %s: *f32 = local [4] shared %b = loop block 0, 4 { async_copy "
     "%s[%b], %x[%b] [1] async_group async_wait [1] barrier %v = load %s[%b] } }",
     "element 0 of a local array is read before it is written"},
    {"%l = loop parallel 0, 1 { %s: *f32 = local [32] shared %b = loop block 0, 32 { store %s[%b], "
     "1.0 barrier %i = remainder %b, 8 %j = mul %i, 2 %v: f32 = ldmatrix %s[%j] [0] } }",
     "address is not aligned"},
    {"%l = loop parallel 0, 1 { %s: *f32 = local [32] shared %b = loop block 0, 32 { store %s[%b], "
     "1.0 %o = add %b, 1 %i = remainder %o, 8 %j = mul %i, 4 %v: f32 = ldmatrix %s[%j] [0] } }",
     "threads race for element"},
    {"%l = loop parallel 0, 1 { %s: *f32 = local [32] shared %b = loop block 0, 32 { store %s[%b], "
     "1.0 barrier %c = lt %b, 9 if %c { %v: f32 = ldmatrix %s[0] [0] } } }",
     "only 9 threads of a warp are there"},
    {"%l = loop parallel 0, 1 { %p = offset %x[1] %v: f32x2 = load %p[0] aligned }",
     "address is not aligned"},
};

Test(loops_text, run_errors) {
    for (size_t i = 0; i < BZ_LEN(run_errors); i++) {
        const bad *b = &run_errors[i];
        bz_error e = {0};
        _Alignas(64) float x[4] = {1, 2, 3, 4}, y[4] = {0};
        lp_module *m = with_head(b->text, &e);
        cr_assert(m, "%s", e.text);
        lp_run_args a = {.buffers = (lp_arg[]){{x, 4}, {y, 4}}, .extents = (int64_t[]){4}};
        cr_assert_neq(lp_run(m->k.p[1], m, &a, &e), BZ_OK, "ran: %s", b->text);
        cr_assert(strstr(e.text, b->message), "%s\ngives: %s\nnot:   %s", b->text, e.text,
                  b->message);
        lp_module_free(m);
    }
}
