/* test_text.c - the text form: round trips, errors with their place, builder calls and what they
 * expand to, any bytes. */
#include "tests/support/irtest.h"
#include "src/ir/text.h"
#include "src/passes/pass.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const corpus[] = {"tests/ir/builders.bz", "tests/ir/literal.bz",
                                     "tests/ir/mlp.bz"};

static char *file(const char *path) {
    size_t n;
    char *s = irt_read(path, &n);
    cr_assert(s, "%s is missing", path);
    return s;
}

/* ---- equality, node by node */

static bool equal_bytes(const void *a, const void *b, size_t n) {
    return n == 0 || !memcmp(a, b, n);
}

static bool equal_text(const char *a, const char *b) {
    return a == b || (a && b && !strcmp(a, b));
}

static void check_shape(const ir_graph *a, const ir_graph *b, ir_ref r) {
    bz_text ta = {0}, tb = {0};
    ir_print_shape(&ta, a, r);
    ir_print_shape(&tb, b, r);
    cr_assert_str_eq(bz_text_c(&ta), bz_text_c(&tb));
    bz_text_free(&ta);
    bz_text_free(&tb);
}

static void check_node(const ir_graph *a, const ir_graph *b, ir_ref r) {
    const ir_node *x = ir_at(a, r), *y = ir_at(b, r);
    cr_assert_eq(x->op, y->op, "node %u", r);
    cr_assert(x->dtype == y->dtype && x->rank == y->rank && x->flags == y->flags, "node %u", r);
    cr_assert(x->nin == y->nin && equal_bytes(ir_in(a, x), ir_in(b, y), x->nin * sizeof(ir_ref)),
              "operands of node %u", r);
    cr_assert(x->nattr == y->nattr &&
                  equal_bytes(ir_attrs(a, x), ir_attrs(b, y), x->nattr * sizeof(int64_t)),
              "attributes of node %u", r);
    cr_assert(equal_text(a->sites.p[r], b->sites.p[r]), "source line of node %u", r);
    check_shape(a, b, r);
}

static bool same_number(ir_number x, ir_number y) {
    return x.kind == y.kind && x.i == y.i && x.f == y.f;
}

static void check_graph(const ir_graph *a, const ir_graph *b) {
    cr_assert_str_eq(a->name, b->name);
    cr_assert_eq(a->n.n, b->n.n);
    for (ir_ref r = 1; r < a->n.n; r++) check_node(a, b, r);
    cr_assert_eq(a->inputs.n, b->inputs.n);
    for (uint32_t i = 0; i < a->inputs.n; i++) {
        const ir_input *x = &a->inputs.p[i], *y = &b->inputs.p[i];
        cr_assert(!strcmp(x->name, y->name) && x->node == y->node && x->scalar == y->scalar &&
                      x->lasts == y->lasts && x->fill == y->fill && x->seed == y->seed &&
                      same_number(x->fill_lo, y->fill_lo) && same_number(x->fill_hi, y->fill_hi),
                  "input %s", x->name);
    }
    cr_assert_eq(a->outputs.n, b->outputs.n);
    for (uint32_t i = 0; i < a->outputs.n; i++) {
        const ir_output *x = &a->outputs.p[i], *y = &b->outputs.p[i];
        cr_assert(!strcmp(x->name, y->name) && x->node == y->node && x->donated == y->donated,
                  "output %s", x->name);
    }
}

static void round_trip(const char *text, const char *name) {
    bz_error e = {0};
    bz_text once = {0}, twice = {0};
    ir_module *m = ir_parse(text, strlen(text), name, &e);
    cr_assert(m, "%s:%d:%d: %s", name, e.line, e.column, e.text);
    ir_print_module(&once, m);
    ir_module *again = ir_parse(bz_text_c(&once), once.n, "again", &e);
    cr_assert(again, "printed %s:%d:%d: %s\n%s", name, e.line, e.column, e.text, bz_text_c(&once));
    ir_print_module(&twice, again);
    cr_assert_str_eq(bz_text_c(&once), bz_text_c(&twice));
    cr_assert_eq(m->graphs.n, again->graphs.n);
    for (uint32_t i = 0; i < m->graphs.n; i++) check_graph(m->graphs.p[i], again->graphs.p[i]);
    ir_module_free(m);
    ir_module_free(again);
    bz_text_free(&once);
    bz_text_free(&twice);
}

Test(text, printed_graphs_parse_to_the_same_nodes) {
    for (unsigned i = 0; i < BZ_LEN(corpus); i++) {
        char *s = file(corpus[i]);
        round_trip(s, NULL);
        round_trip(s, "with \"sites\".bz");
        bz_mem_free(s);
    }
}

/* A custom_grad, with what its backward function recorded in between. */
static const char custom[] =
    "graph main(x: f64[2], w: f64[2]) {\n"
    "    %s = stop_gradient %x\n    %f = exp %s\n"
    "    %y = stand_in %f : f64[2]\n    %d = stand_in %f : f64[2]\n"
    "    %k = mul %d, %y\n    %b = mul %k, %w\n"
    "    %t = custom_grad %f, %y, %d, %x, %b {results=1, inputs=1} : (f64[2])\n"
    "    %r = result %t {index=0} : f64[2]\n"
    "    %q = mul %r, %r\n    %l = sum %q\n    return %l as l, %r as r\n}\n";

/* The gradient of what was printed and parsed has the bits of the gradient of what was parsed first. */
Test(text, a_custom_gradient_survives_its_text) {
    round_trip(custom, NULL);
    round_trip(custom, "a.bz");
    double data[2][2] = {{0.5, -1.25}, {3, 0.125}}, want[2] = {0};
    bz_text printed = {0};
    bz_error e = {0};
    for (int turn = 0; turn < 2; turn++) {
        ir_module *m = irt_parse(turn ? bz_text_c(&printed) : custom);
        ir_graph *g = m->graphs.p[0];
        if (!turn) ir_print_module(&printed, m);
        ir_ref x = g->inputs.p[0].node, d;
        cr_assert_eq(pass_grad(g, g->outputs.p[0].node, 0, &x, 1, &d), BZ_OK, "%s", g->err.text);
        g->outputs.p[0].node = d;
        ir_value_array in[2] = {{.dtype = BZ_F64, .rank = 1, .shape = {2}, .data = data[0]},
                                {.dtype = BZ_F64, .rank = 1, .shape = {2}, .data = data[1]}},
                       out[2];
        cr_assert_eq(ir_interpret(g, in, out, &e), BZ_OK, "%s", e.text);
        const double *got = out[0].data;
        for (int i = 0; i < 2; i++) {
            double y = exp(data[0][i]);
            if (!turn) cr_expect_float_eq(got[i], 2 * y * y * data[1][i], 1e-12 * y * y);
            cr_expect(!turn || got[i] == want[i]);
            want[i] = got[i];
        }
        for (int i = 0; i < 2; i++) bz_mem_free(out[i].data);
        ir_module_free(m);
    }
    bz_text_free(&printed);
}

/* literal.bz is written as the printer writes: printing it gives the file (but for its comment and
 * the long head line). */
Test(text, literal_nodes_are_kept_as_they_stand) {
    char *s = file("tests/ir/literal.bz");
    bz_text t = {0};
    ir_module *m = irt_parse(s);
    ir_print_module(&t, m);
    const char *body = strstr(s, "    %3 = "), *printed = strstr(bz_text_c(&t), "    %3 = ");
    cr_assert(body && printed);
    size_t n = (size_t)(strstr(body, "    return") - body);
    cr_assert(!strncmp(body, printed, n), "printed:\n%s", printed);
    bz_text_free(&t);
    ir_module_free(m);
    bz_mem_free(s);
}

Test(text, the_corpus_calls_every_builder) {
    char *s = file("tests/ir/builders.bz"), call[64];
    for (unsigned i = 0; i < ir_builder_count; i++) {
        snprintf(call, sizeof call, "= %s ", ir_builders[i].name);
        cr_assert(strstr(s, call), "no call of %s", ir_builders[i].name);
        cr_assert(*ir_builders[i].doc && *ir_builders[i].results);
        cr_assert_eq(ir_builder_find(ir_builders[i].name), &ir_builders[i]);
    }
    bz_mem_free(s);
}

Test(text, every_elementwise_op_can_be_called) {
    for (unsigned op = 1; op < IR_ELEM_END; op++) {
        if (!ir_op_is_elementwise(op) || op == IR_CAST || op == IR_BITCAST) continue;
        bz_text t = {0};
        bool ints = ir_ops[op].rule == IR_RULE_INT, select = ir_ops[op].rule == IR_RULE_SELECT;
        bz_textf(&t, "graph main(b: bool[2], x: %s[2]) { %%1 = %s %s%s%s\nreturn %%1 }",
                 ints ? "i64" : "f32", ir_ops[op].name, select ? "%b" : "%x",
                 ir_ops[op].arity > 1 ? ", %x" : "", ir_ops[op].arity > 2 ? ", %x" : "");
        ir_module *m = irt_parse(bz_text_c(&t));
        cr_assert_eq(ir_at(m->graphs.p[0], m->graphs.p[0]->outputs.p[0].node)->op, op);
        ir_module_free(m);
        bz_text_free(&t);
    }
}

/* ---- values */

static void value_trip(bz_dtype t, ir_bits v) {
    bz_text text = {0};
    bz_text_str(&text, "graph main() { %1 = const {value=");
    tx_print_bits(&text, t, v);
    bz_textf(&text, "} : %s[]\nreturn %%1 }", ir_dtypes[t].name);
    ir_module *m = irt_parse(bz_text_c(&text));
    int64_t got = ir_attrs(m->graphs.p[0], ir_at(m->graphs.p[0], 1))[0];
    cr_assert_eq((ir_bits)got, v, "%s 0x%llx: %s", ir_dtypes[t].name, (unsigned long long)v,
                 bz_text_c(&text));
    ir_module_free(m);
    bz_text_free(&text);
}

Test(text, every_value_reads_back_as_its_bits) {
    uint64_t state = 1;
    for (unsigned t = 0; t < BZ_NDTYPES; t++) {
        unsigned bits = ir_dtypes[t].bits;
        if (ir_is_complex((bz_dtype)t)) continue; /* no literal is */
        for (unsigned i = 0; i < 700; i++) {
            irt_random(&state);
            ir_bits v = state ^ state << 17 ^ state >> 23;
            v = i < 4 ? (ir_bits[]){0, 1, ~(ir_bits)0, (ir_bits)1 << (bits - 1)}[i] : v;
            value_trip((bz_dtype)t, bits == 64 ? v : v & (((ir_bits)1 << bits) - 1));
        }
    }
    for (ir_bits v = 0; v < 65536; v += 13) {
        value_trip(BZ_F16, v);
        value_trip(BZ_BF16, v);
    }
}

/* ---- what calls expand to */

static void expands(const char *lines, const char *want) {
    bz_text t = {0}, printed = {0};
    bz_textf(&t, "graph main(x: f32[2,3], h: bf16[4], n: i64[4]) {\n%s\nreturn %%r }", lines);
    ir_module *m = irt_parse(bz_text_c(&t));
    ir_print(&printed, m->graphs.p[0]);
    char *body = strstr(printed.p, "{\n") + 2, *end = strstr(body, "    return");
    *end = '\0';
    cr_assert_str_eq(body, want);
    bz_text_free(&t);
    bz_text_free(&printed);
    ir_module_free(m);
}

Test(text, calls_expand_to_primitives) {
    expands("%r = relu %x", "    %4 = relu %x : f32[2,3]\n");
    expands("%r = mul %x, 2", "    %4 = const {value=2.0} : f32[]\n    %5 = const {value=2.0} : "
                              "f32[2,3]\n    %6 = mul %x, %5 : f32[2,3]\n");
    expands("%r = sum %x {axes=[0,1]}",
            "    %4 = reduce %x {kind=sum, acc=f32, order=last, axes=[0, 1]} : f32[]\n");
    expands("%r = softmax %x {axis=-1}",
            "    %4 = stop_gradient %x : f32[2,3]\n"
            "    %5 = reduce %4 {kind=max, acc=f32, order=last, axes=[1]} : f32[2]\n"
            "    %6 = reshape %5 : f32[2,1]\n"
            "    %7 = expand %6 : f32[2,3]\n"
            "    %8 = sub %4, %7 : f32[2,3]\n"
            "    %9 = exp %8 : f32[2,3]\n"
            "    %10 = reduce %9 {kind=sum, acc=f32, order=last, axes=[1]} : f32[2]\n"
            "    %11 = reshape %10 : f32[2,1]\n"
            "    %12 = expand %11 : f32[2,3]\n"
            "    %13 = div %9, %12 : f32[2,3]\n"
            "    %14 = stand_in %13 : f32[2,3]\n"
            "    %15 = stand_in %13 : f32[2,3]\n"
            "    %16 = mul %15, %14 : f32[2,3]\n"
            "    %17 = reduce %16 {kind=sum, acc=f32, order=last, axes=[1]} : f32[2]\n"
            "    %18 = reshape %17 : f32[2,1]\n"
            "    %19 = expand %18 : f32[2,3]\n"
            "    %20 = sub %15, %19 : f32[2,3]\n"
            "    %21 = mul %20, %14 : f32[2,3]\n"
            "    %22 = custom_grad %13, %14, %15, %x, %21 {results=1, inputs=1} : (f32[2,3])\n"
            "    %23 = result %22 {index=0} : f32[2,3]\n");
    expands("%r = silu %h", "    %4 = cast %h : f32[4]\n    %5 = sigmoid %4 : f32[4]\n    %6 = mul "
                            "%4, %5 : f32[4]\n    %7 = cast %6 : bf16[4]\n");
    expands("%r = reshape %x {shape=[3, -1]}", "    %4 = reshape %x : f32[3,2]\n");
    expands("%r = flip %n {axes=0}", "    %4 = slice %n {start=[3], step=[-1]} : i64[4]\n");
}

Test(text, calls_and_nodes_take_their_source_line) {
    bz_error e = {0};
    const char *text = "graph main(x: f32[2]) {\n  %1 = exp %x\n  %2 = log %1 @ \"train.c:31\"\n  "
                       "%3 = sin %2 : f32[2]\n  return %3 }";
    ir_module *m = ir_parse(text, strlen(text), "a.bz", &e);
    cr_assert(m, "%s", e.text);
    const ir_graph *g = m->graphs.p[0];
    cr_assert_str_eq(g->sites.p[2], "a.bz:2");
    cr_assert_str_eq(g->sites.p[3], "train.c:31");
    cr_assert_null(g->sites.p[4]);
    ir_module_free(m);
}

static void print_builder(bz_text *t, const char *name) {
    const ir_builder *b = ir_builder_find(name);
    tx_print_signature(t, b->name, b->operands, b->attrs, b->results);
}

Test(text, signatures_print) {
    bz_text t = {0};
    print_builder(&t, "layer_norm");
    cr_assert_str_eq(bz_text_c(&t),
                     "r = layer_norm x, weight?, bias? {ndims: int = 1, eps: float = 1e-05}");
    bz_text_free(&t);
    print_builder(&t, "sort");
    cr_assert_str_eq(bz_text_c(&t), "values, indices = sort x {axis: int = -1, descending: flag}");
    bz_text_free(&t);
}

/* ---- errors: the text, then line, column and message */

typedef struct wrong {
    const char *text;
    int line, column;
    const char *message;
} wrong;
#define G(body) "graph main(x: f32[2,4], i: i64[2], p: bool) {\n" body "\nreturn %x }"

static const wrong errors[] = {
    {"", 1, 1, "expected 'graph', found the end of the text"},
    {"grpah main() {}", 1, 1, "expected 'graph', found 'grpah'"},
    {"graph main() {}", 1, 15, "graph main has no 'return'"},
    {"graph main(x: f32[2]) {\n return %y }", 2, 9, "%y is not defined"},
    {"graph main(x: f31[2]) {\n return %x }", 1, 15,
     "expected a type such as f32[2,3], of bool u8 i8 i16 i32 i64 f16 bf16 f32 f64 u16 u32 u64 c64 c128, found 'f31'"},
    {"graph main(x: f32[n]) {\n return %x }", 1, 19,
     "no symbol is named 'n'; declare it among the inputs as 'n: sym'"},
    {"graph main(x: f32[-1]) {\n return %x }", 1, 19, "a size is negative"},
    {"graph main(x: f32[2]) {\n return %x as s, %x as s }", 2, 18, "two outputs are named 's'"},
    {"graph main(x: f32[2], x: f32[2]) {\n return %x }", 1, 23, "[input] two inputs are named 'x'"},
    {"graph main(x: f32[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]) {\n "
     "return %x }",
     1, 83, "more than 32 dimensions"},
    {"graph main(x: f32[1099511627776,1099511627776]) {\n return %x }", 1, 12,
     "[input] node 1: more than 2^60 elements"},
    {"graph main(x: f32[4611686018427387904*4]) {\n return %x }", 1, 19, "a size is too large"},
    {"graph main(x: f32[2] = randx(seed=1)) {\n return %x }", 1, 24,
     "expected randn, rand, randint, iota or value, found 'randx'"},
    {"graph main(x: f32[2] = randn(sead=1)) {\n return %x }", 1, 30,
     "randn knows seed, mean, scale"},
    {"graph main(n: sym(5, 2)) {\n return 1 }", 1, 12, "symbol n has no value"},
    {"graph a(x: f32) { return %x }\ngraph a(x: f32) { return %x }", 2, 7,
     "two graphs are named 'a'"},
    {G("%1 = sofmax %x"), 2, 6, "no op is named 'sofmax'; did you mean 'softmax'?"},
    {G("%1 = qqqqqqqqq %x"), 2, 6, "no op is named 'qqqqqqqqq'"},
    {G("%1 = reduce %x {kind=sum}"), 2, 6,
     "reduce is an op of the printed form: its type stands behind it, as in ': f32[2,3]'"},
    {G("%1 = softmax %x {axis=3}"), 2, 6, "[softmax] axis 3 is out of range for f32[2,4]"},
    {G("%1 = softmax %x {axis=3} @ \"train.c:31\""), 2, 6,
     "[softmax] axis 3 is out of range for f32[2,4] at train.c:31"},
    {G("%1 = softmax %x {axes=3}"), 2, 18, "softmax has no attribute 'axes'; it has axis:int=-1"},
    {G("%1 = softmax %x {axis=1.5}"), 2, 23, "an integer is expected here"},
    {G("%1 = softmax %x {axis=99999999999}"), 2, 6, "softmax: axis is too large (99999999999)"},
    {G("%1 = softmax %x {axis=1, axis=0}"), 2, 26, "attribute 'axis' is given twice"},
    {G("%1 = softmax %x, %x"), 2, 6, "softmax takes 1 operand, not 2"},
    {G("%1 = layer_norm"), 2, 6, "layer_norm takes 1 to 3 operands, not 0"},
    {G("%1 = add %x"), 2, 6, "add takes 2 operands, not 1"},
    {G("%1 = add %x %x {axis=1}"), 2, 17, "add has no attribute 'axis'"},
    {G("%1, %2 = relu %x"), 2, 5, "relu gives 1 result"},
    {G("%1 = squeeze %x"), 2, 6, "squeeze needs {axis=...}"},
    {G("%x = relu %x"), 2, 1, "%x is defined already"},
    {G("%1 = relu %x %x : f32"), 2, 6, "[relu] node 4: takes 1 operands, not 2"},
    {G("%1 = relu %x : f32[2,5]"), 2, 6,
     "[relu] node 4: operand 0 has another shape than the result"},
    {G("%1 = add %x, %i : f32[2,4]"), 2, 6,
     "[add] node 4: operand 1 has another shape than the result"},
    {G("%1 = softmax %x : f32[4,2]"), 2, 19, "softmax gives f32[2,4]"},
    {G("%1 = permute %x {perm=[0, 0]} : f32[2,2]"), 2, 6,
     "[permute] node 4: axis 0 is given twice"},
    {G("%1 = reshape %x : f32[9]"), 2, 6, "[reshape] node 4: the number of elements changes"},
    {G("%1 = slice %x {start=[0, 2], step=[1, 1]} : f32[2,3]"), 2, 6,
     "[slice] node 4: axis 1 reaches outside"},
    {G("%1 = slice %x {start=[0, 2], step=[1]} : f32[2,3]"), 2, 6,
     "slice: start and step have different lengths"},
    {G("%1 = reduce %x {kind=sun, acc=f32, order=last, axes=[1]} : f32[2]"), 2, 22,
     "this is no kind of reduction"},
    {G("%1 = reduce %x {kind=sum, acc=f32, order=lead, axes=[1]} : f32[2]"), 2, 6,
     "[reduce] node 4: the order of additions must be last"},
    {G("%1 = reduce %x {kind=sum, acc=f64, order=last, axes=[1]} : f32[2]"), 2, 6,
     "[reduce] node 4: the accumulator must be f32"},
    {G("%1 = const {value=300} : u8[]"), 2, 19, "300 is no value of u8"},
    {G("%1 = const {value=1.5} : i64[]"), 2, 19, "an integer is expected here"},
    {G("%1 = const {value=[1, 2]} : i64[3]"), 2, 6, "[const] node 4: 2 attributes instead of 3"},
    {G("%1 = const {value=bits(0x12345)} : f16[]"), 2, 19, "f16 has 16 bits"},
    {G("%1 = sort %x {axis=0} : f32[2,4]"), 2, 25, "sort gives a tuple: its type stands in ()"},
    {G("%1 = result %x {index=0} : f32[2,4]"), 2, 6,
     "[result] node 4: the operand has no result 0"},
    {G("%1 = relu %x : f32[2,4] {axis=1}"), 2, 25, "expected the end of the line, found '{'"},
    {G("%1 = relu relu"), 2, 11,
     "calls do not nest: give 'relu' a line of its own, and its %result here"},
    {G("%1 = add(mul(%x, %x), 1)"), 2, 10,
     "calls do not nest: give 'mul' a line of its own, and its %result here"},
    {G("%1 = add %x, (exp %x)"), 2, 15,
     "calls do not nest: give 'exp' a line of its own, and its %result here"},
    {G("%1 = add(%x, 1)"), 2, 10, "operands stand without parentheses: add %x, %y"},
    {G("%1 = add x, 1"), 2, 10, "an operand is a %value or a number; is it %x?"},
    {G("%1 = sum %x, axes=0"), 2, 14, "attributes stand in braces behind the operands: {axes=...}"},
    {G("%1 = %x + 1"), 2, 6, "expected the name of an op, as in '%y = add %x, 1', found '%x'"},
    {G("%1 = relu \"unclosed"), 2, 11, "the string has no closing quote on its line"},
    {G("%1 = relu %x $"), 2, 14, "'$' means nothing here"},
    {G("%1 = relu \x01"), 2, 11, "byte 0x01 means nothing here"},
    {G("%1 = relu 1.2.3"), 2, 11, "'1.2.3' is not a number"},
    {G("%1 = relu 1e5x"), 2, 11, "'1e5x' is not a number"},
    {G("relu %x"), 2, 1, "expected a %value, as in '%y = exp %x', or 'return', found 'relu'"},
    {G("%1 = cond %p, %x {then=f, else=g}") "\ngraph g(x: f32[2,4]) { return %x }", 2, 24,
     "the name of a graph is expected here"},
    {G("%1 = cond %p, %x {then=main, else=g}") "\ngraph g(x: f32[2,4]) { return %x }", 2, 24,
     "graph main applies itself, or graphs nest more than 32 deep"},
    {G("%1 = gather %x, %x"), 2, 6, "[gather] indices must be integers, got f32[2,4]"},
    {G("%1 = cross_entropy %x, %p"), 2, 6,
     "[cross_entropy] the target is bool[]: integer classes or probabilities are needed"},
    {G("%1 = matmul %x, %x"), 2, 6, "[matmul] inner sizes of f32[2,4] and f32[2,4] differ"},
    {G("%1 = full {shape=[1099511627776, 1099511627776], value=nan}"), 2, 6,
     "[full] the shape has more than 2^60 elements"},
    {G("%1 = pad %x {lo=[1], hi=[1]}"), 2, 6, "pad: 1 numbers in lo for f32[2,4]"},
    {"graph main(x: f32[2]) {\n%1 = relu %x\nreturn %1 donate y }", 3, 18, "no input is named 'y'"},
    {"graph main(x: f32[2]) {\n%1 = sum %x\nreturn %1 donate x }", 3, 20,
     "output out0 of graph main does not fit the input x that is donated for it"},
    {G("%1 = full {shape=[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]"), 2, 49,
     "nested more than 32 deep"},
};

Test(text, errors_say_what_and_where) {
    for (unsigned i = 0; i < BZ_LEN(errors); i++) {
        const wrong *w = &errors[i];
        bz_error e = {0};
        ir_module *m = ir_parse(w->text, strlen(w->text), NULL, &e);
        cr_expect(!m, "parsed: %s", w->text);
        cr_expect(e.line == w->line && e.column == w->column && !strcmp(e.text, w->message),
                  "%s\n  gives %d:%d: %s\n  wanted %d:%d: %s", w->text, e.line, e.column, e.text,
                  w->line, w->column, w->message);
        ir_module_free(m);
    }
}

Test(text, reports_show_the_line_and_a_caret) {
    const char *text = "graph main(x: f32[2,4]) {\n\t%1 = softmax %x {axis=3}\n  return %1\n}\n";
    bz_error e = {0};
    bz_text t = {0};
    cr_assert_null(ir_parse(text, strlen(text), NULL, &e));
    ir_error_report(&t, &e, text, "a.bz");
    cr_assert_str_eq(bz_text_c(&t), "a.bz:2:7: error: [softmax] axis 3 is out of range for "
                                    "f32[2,4]\n\t%1 = softmax %x {axis=3}\n\t     ^\n");
    bz_text_free(&t);
}

/* ---- any bytes, any failure */

/* Damages a text in a few places; whatever comes out is parsed or refused with a place inside the
 * text. */
static void damage(char *s, size_t n, uint64_t *state) {
    static const char bytes[] = "%{}[]()=,:@#\"\\-+*/.0919xnae \n\t\x80\xff";
    for (unsigned k = 0; k < 3; k++) {
        irt_random(state);
        size_t at = (size_t)(*state >> 20) % n, from = (size_t)(*state >> 33) % n;
        if (*state >> 62)
            s[at] = bytes[(*state >> 50) % (sizeof bytes - 1)];
        else
            memmove(s + at, s + from, n - (at > from ? at : from));
    }
}

Test(text, damaged_texts_are_refused_or_read) {
    uint64_t state = 4;
    unsigned refused = 0;
    for (unsigned i = 0; i < 600; i++) {
        char *s = file(corpus[i % BZ_LEN(corpus)]);
        size_t n = strlen(s);
        damage(s, n, &state);
        bz_error e = {0};
        ir_module *m = ir_parse(s, n, NULL, &e);
        cr_assert((m != NULL) == (e.status == BZ_OK));
        cr_assert(m || (e.line >= 1 && e.column >= 1 && e.text[0]));
        refused += !m;
        ir_module_free(m);
        bz_mem_free(s);
    }
    cr_assert_gt(refused, 300);
}

Test(text, out_of_memory_is_an_error_and_leaks_nothing) {
    char *s = file("tests/ir/literal.bz");
    for (long n = 0;; n++) {
        bz_error e = {0};
        bz_mem_fail_after(n);
        ir_module *m = ir_parse(s, strlen(s), "f", &e);
        bz_mem_fail_after(-1);
        cr_assert((m != NULL) == (e.status == BZ_OK), "%ld", n);
        ir_module_free(m);
        if (m) {
            cr_assert_gt(n, 50);
            break;
        }
    }
    bz_mem_free(s);
}

/* ---- the verifier finds what was broken by hand */

Test(text, the_verifier_finds_broken_nodes) {
    bz_error e = {0};
    ir_module *m = irt_parse("graph main(x: f32[2,3]) {\n%1 = exp %x\n%2 = sum %1 {axes=[1]}\n%3 = "
                             "argmax %1\nreturn %2, %3 }");
    ir_graph *g = m->graphs.p[0];
    cr_assert_eq(ir_verify(g, IR_ANY_GRAPH, &e), BZ_OK);
    cr_assert_eq(ir_verify(g, IR_NO_COMPOUND, &e), BZ_EUNSUPPORTED);
    cr_assert(strstr(e.text, "argmax is not expanded"), "%s", e.text);
    e = (bz_error){0};
    g->n.p[2].dtype = BZ_F64;
    cr_assert_eq(ir_verify(g, IR_ANY_GRAPH, &e), BZ_EDTYPE);
    cr_assert_str_eq(e.text, "[exp] node 2: the dtype is f64 instead of f32");
    e = (bz_error){0};
    g->n.p[2].dtype = BZ_F32;
    g->operands.p[ir_at(g, 3)->in] = 3;
    cr_assert_eq(ir_verify(g, IR_ANY_GRAPH, &e), BZ_EARG);
    cr_assert_str_eq(e.text, "[reduce] node 3: operand 0 is no earlier node");
    ir_module_free(m);
}
