/* test_canon.c - every rule of rules.def, for every dtype that it is for: fires, gives what it says, and has the same bits before and after
 * on all combinations of special values (any NaN equals any NaN). The pass itself: idempotent, never grows a graph. */
#include "tests/support/irtest.h"
#include "tests/support/plan_run.h"
#include "tests/support/random_graph.h"

#include "src/passes/pass.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct rule {
    const char *name, *dtypes, *pattern, *replacement;
} rule;

static const rule rules[] = {
#define RULE(name, dtypes, pattern, replacement) {#name, dtypes, pattern, replacement},
#include "src/passes/rules.def"
#undef RULE
};

static const char names[] = "xyzwbc";

/* ---- a rule's text as a graph over inputs */

typedef struct maker {
    ir_graph *g;
    const char *at;
    ir_ref input[sizeof names];
    bz_dtype t;
} maker;

static bool is_bool_name(char c) {
    return c == 'b' || c == 'c';
}

static ir_ref number(maker *m, bz_dtype t, ir_dim n) {
    char *end;
    double v = strtod(m->at, &end);
    m->at = end;
    return ir_const_bits(m->g, t, ir_bits_from_f64(t, v), &n, 1);
}

static ir_ref make(maker *m, bz_dtype t) {
    ir_ref x[3];
    unsigned n = 0;
    size_t w = 0;
    while (*m->at == ' ' || *m->at == ',') m->at++;
    if (isdigit((unsigned char)*m->at) || *m->at == '-')
        return number(m, t, ir_dims(m->g, ir_at(m->g, m->g->inputs.p[0].node))[0]);
    while (isalnum((unsigned char)m->at[w]) || m->at[w] == '_') w++;
    if (w == 1) return m->input[strchr(names, *m->at++) - names];
    ir_op op = ir_op_from_name(m->at, w);
    cr_assert(op != IR_NIL, "no op at '%s'", m->at);
    m->at += w + 1;
    for (; *m->at != ')'; n++) x[n] = make(m, op == IR_SELECT && n == 0 ? BZ_BOOL : m->t);
    m->at++;
    return ir_elem(m->g, op, x, n);
}

/* Which names a text uses, as bits. */
static unsigned uses(const char *text) {
    unsigned set = 0;
    for (const char *s = text; *s; s++) {
        bool alone = (s == text || !isalnum((unsigned char)s[-1])) &&
                     !isalnum((unsigned char)s[1]) && s[1] != '_' && (s == text || s[-1] != '_');
        const char *n = isalpha((unsigned char)*s) && alone ? strchr(names, *s) : NULL;
        set |= n ? 1u << (n - names) : 0;
    }
    return set;
}

static ir_graph *graph_of(const char *text, unsigned set, bz_dtype t, int64_t count) {
    ir_module *m = ir_module_new();
    maker k = {.g = ir_graph_new(m, "main"), .at = text, .t = t};
    ir_module_add(m, k.g);
    ir_dim n = ir_dim_const(k.g, count);
    for (unsigned i = 0; i < sizeof names - 1; i++)
        if (set >> i & 1)
            k.input[i] = ir_input_new(k.g, (char[]){names[i], 0},
                                      is_bool_name(names[i]) ? BZ_BOOL : t, &n, 1);
    ir_ref r = make(&k, t);
    cr_assert(r, "%s: %s", text, k.g->err.text);
    ir_output_add(k.g, NULL, r, -1);
    return k.g;
}

/* ---- special values */

static unsigned special(bz_dtype t, ir_bits *v) {
    unsigned n = 0, bits = ir_dtypes[t].bits;
    static const double floats[] = {NAN, INFINITY, -INFINITY, 0.0,   -0.0,  1,  -1,
                                    0.3, -2.75,    1e30,      -1e30, 3e-41, 1e4};
    if (t == BZ_BOOL)
        v[n++] = 0, v[n++] = 1;
    else if (ir_is_float(t)) {
        for (unsigned i = 0; i < BZ_LEN(floats); i++) v[n++] = ir_bits_from_f64(t, floats[i]);
        v[n++] = 1;                               /* the smallest denormal */
        v[n++] = (UINT64_C(1) << (bits - 1)) | 1; /* and its negative */
    } else {
        for (int64_t i = -2; i <= 3; i++) v[n++] = ir_bits_from_i64(t, i);
        v[n++] = (UINT64_C(1) << (bits - 1)) - 1;
        v[n++] = UINT64_C(1) << (bits - 1);
    }
    return n;
}

/* Input arrays that together hold every combination. */
static int64_t combinations(unsigned set, bz_dtype t, ir_value_array *in, unsigned *nin) {
    ir_bits values[16], truths[16];
    unsigned n = special(t, values), nt = special(BZ_BOOL, truths);
    int64_t count = 1, stride = 1;
    *nin = 0;
    for (unsigned i = 0; i < sizeof names - 1; i++)
        count *= set >> i & 1 ? (is_bool_name(names[i]) ? nt : n) : 1;
    for (unsigned i = 0; i < sizeof names - 1; i++) {
        if (!(set >> i & 1)) continue;
        bool truth = is_bool_name(names[i]);
        bz_dtype own = truth ? BZ_BOOL : t;
        in[*nin] = irt_array(own, 1, &count);
        for (int64_t k = 0; k < count; k++)
            ir_store_bits(own, (char *)in[*nin].data + (size_t)k * ir_dtype_bytes(own),
                          (truth ? truths : values)[k / stride % (truth ? nt : n)]);
        stride *= truth ? nt : n;
        ++*nin;
    }
    return count;
}

static char *text_of(const ir_graph *g) {
    bz_text t = {0};
    ir_print(&t, g);
    return t.p;
}

/* Nodes, a window whose place is known counted as the movements that may stand for it: reshape, slice, reshape, permute, reshape, expand. */
static uint32_t size_of(const ir_graph *g) {
    uint32_t n = g->n.n;
    for (ir_ref r = 1; r < g->n.n; r++)
        if (ir_at(g, r)->op == IR_AS_STRIDED && !ir_window_at(g, r)) n += 5;
    return n;
}

static ir_graph *canonical(const ir_graph *g, const char *name) {
    bz_error e = {0};
    ir_graph *c = pass_canon(g, NULL, &e);
    cr_assert(c, "%s: %s", name, e.text);
    cr_assert_eq(ir_verify(c, IR_ANY_GRAPH, &e), BZ_OK, "%s: %s", name, e.text);
    cr_expect_leq(size_of(c), size_of(g), "%s: the graph grew", name);
    return c;
}

static void check(const rule *r, bz_dtype t) {
    ir_value_array in[8], before, after;
    unsigned nin, set = uses(r->pattern);
    bz_error e = {0};
    int64_t count = combinations(set, t, in, &nin);
    ir_graph *from = graph_of(r->pattern, set, t, count),
             *to = graph_of(r->replacement, set, t, count);
    ir_graph *got = canonical(from, r->name), *want = canonical(to, r->name);
    char *a = text_of(got), *b = text_of(want);
    cr_expect_str_eq(a, b, "%s for %s does not fire", r->name, ir_dtypes[t].name);
    cr_assert_eq(ir_interpret(from, in, &before, &e), BZ_OK, "%s", e.text);
    cr_assert_eq(ir_interpret(got, in, &after, &e), BZ_OK, "%s", e.text);
    int64_t at = first_difference(&before, &after);
    cr_expect(at < 0, "%s for %s: combination %lld: %a becomes %a", r->name, ir_dtypes[t].name,
              (long long)at, at < 0 ? 0 : irt_get(&before, at), at < 0 ? 0 : irt_get(&after, at));
    irt_free(in, nin);
    irt_free(&before, 1);
    irt_free(&after, 1);
    bz_mem_free(a);
    bz_mem_free(b);
    ir_graph_free(got);
    ir_graph_free(want);
    ir_module_free(from->m);
    ir_module_free(to->m);
}

Test(canon, every_rule_is_exact_and_fires) {
    for (unsigned i = 0; i < BZ_LEN(rules); i++)
        for (bz_dtype t = 0; t < BZ_NDTYPES; t++) {
            if (ir_is_complex(t)) continue;
            char kind = ir_is_float(t)                      ? 'F'
                        : t == BZ_BOOL                      ? 'B'
                        : ir_is_signed(t)                   ? 'S'
                                                            : 'U';
            const bool wide = kind == 'F' && !ir_is_half(t) && strchr(rules[i].dtypes, 'W');
            if (wide || strchr(rules[i].dtypes, kind)) check(&rules[i], t);
        }
}

static unsigned computing(const ir_graph *g) {
    unsigned n = 0;
    for (ir_ref r = 1; r < g->n.n; r++) n += ir_op_is_elementwise(ir_at(g, r)->op);
    return n;
}

/* cast to `by`, then to `to`: the number of casts that are left, with the bits that there were. */
static unsigned check_casts(bz_dtype from, bz_dtype by, bz_dtype to) {
    ir_value_array in[8], before, after;
    unsigned nin;
    bz_error e = {0};
    ir_dim n;
    int64_t count = combinations(1, from, in, &nin);
    ir_module *m = ir_module_new();
    ir_graph *g = ir_graph_new(m, "main");
    ir_module_add(m, g);
    n = ir_dim_const(g, count);
    ir_output_add(g, NULL, ir_cast(g, ir_cast(g, ir_input_new(g, "x", from, &n, 1), by), to), -1);
    ir_graph *got = canonical(g, "casts");
    cr_assert_eq(ir_interpret(g, in, &before, &e), BZ_OK, "%s", e.text);
    cr_assert_eq(ir_interpret(got, in, &after, &e), BZ_OK, "%s", e.text);
    int64_t at = first_difference(&before, &after);
    cr_expect(at < 0, "%s to %s to %s: number %lld: %a becomes %a", ir_dtypes[from].name,
              ir_dtypes[by].name, ir_dtypes[to].name, (long long)at,
              at < 0 ? 0 : irt_get(&before, at), at < 0 ? 0 : irt_get(&after, at));
    unsigned left = computing(got);
    irt_free(in, nin);
    irt_free(&before, 1);
    irt_free(&after, 1);
    ir_graph_free(got);
    ir_module_free(m);
    return left;
}

Test(canon, casts_by_way_of_another_dtype) {
    for (bz_dtype from = 0; from < BZ_NDTYPES; from++)
        for (bz_dtype by = 0; by < BZ_NDTYPES; by++)
            for (bz_dtype to = 0; to < BZ_NDTYPES; to++)
                if (!ir_is_complex(from) && !ir_is_complex(by) && !ir_is_complex(to)) check_casts(from, by, to);
}

Test(canon, casts_that_go_and_casts_that_stay) {
    static const struct {
        bz_dtype from, by, to;
        unsigned left;
    } cases[] = {
        {BZ_F32, BZ_F64, BZ_F32, 0}, {BZ_F16, BZ_F32, BZ_F16, 0},  {BZ_BF16, BZ_F64, BZ_F32, 1},
        {BZ_F32, BZ_F16, BZ_F32, 2}, {BZ_F16, BZ_BF16, BZ_F32, 2}, {BZ_I32, BZ_I64, BZ_I32, 0},
        {BZ_U8, BZ_I32, BZ_F32, 1},  {BZ_I8, BZ_U8, BZ_I8, 0},     {BZ_I8, BZ_U8, BZ_I32, 2},
        {BZ_I64, BZ_I32, BZ_I16, 1}, {BZ_I32, BZ_F64, BZ_I32, 0},  {BZ_I32, BZ_F32, BZ_I32, 2},
        {BZ_I32, BZ_F64, BZ_I8, 2},  {BZ_U8, BZ_BF16, BZ_U8, 0},   {BZ_BOOL, BZ_F16, BZ_BOOL, 0},
        {BZ_BOOL, BZ_I8, BZ_F64, 1}, {BZ_F32, BZ_BOOL, BZ_F32, 2}, {BZ_F64, BZ_F32, BZ_BOOL, 2},
        {BZ_F32, BZ_I64, BZ_F32, 2}, {BZ_U8, BZ_U32, BZ_U16, 1},   {BZ_U16, BZ_I32, BZ_U64, 1},
        {BZ_U32, BZ_I32, BZ_I64, 2}, {BZ_U64, BZ_I64, BZ_U32, 1},  {BZ_I16, BZ_U32, BZ_U64, 2},
        {BZ_U16, BZ_F32, BZ_U16, 0}, {BZ_U32, BZ_F32, BZ_U32, 2},  {BZ_U32, BZ_F64, BZ_U32, 0},
    };
    for (unsigned i = 0; i < BZ_LEN(cases); i++)
        cr_expect_eq(check_casts(cases[i].from, cases[i].by, cases[i].to), cases[i].left,
                     "%s to %s to %s", ir_dtypes[cases[i].from].name, ir_dtypes[cases[i].by].name,
                     ir_dtypes[cases[i].to].name);
}

static void canonical_text(const char *text, const char *want) {
    ir_module *m = irt_parse(text), *n = irt_parse(want);
    ir_graph *a = canonical(m->graphs.p[0], text), *b = canonical(n->graphs.p[0], want);
    char *x = text_of(a), *y = text_of(b);
    for (char *s = x; (s = strstr(s, " @ \""));)
        memmove(s, strchr(s, '\n'), strlen(strchr(s, '\n')) + 1);
    for (char *s = y; (s = strstr(s, " @ \""));)
        memmove(s, strchr(s, '\n'), strlen(strchr(s, '\n')) + 1);
    cr_expect_str_eq(x, y, "%s", text);
    bz_mem_free(x);
    bz_mem_free(y);
    ir_graph_free(a);
    ir_graph_free(b);
    ir_module_free(m);
    ir_module_free(n);
}

/* What must not be rewritten: a rule that looks right and is not, for this dtype or these operands. */
Test(canon, what_is_not_exact_stays) {
    static const char *const texts[] = {
        "graph main(x: f32[4]) { %1 = add %x 0\n return %1 }",  /* -0 + 0 = +0 */
        "graph main(x: f32[4]) { %1 = mul %x 0\n return %1 }",  /* NaN, -0 */
        "graph main(x: f32[4]) { %1 = sub %x %x\n return %1 }", /* Inf - Inf */
        "graph main(x: f32[4]) { %1 = div %x %x\n return %1 }",
        /* is a bool, x is not */
        "graph main(x: f32[4]) { %1 = logical_not %x\n %2 = logical_not %1\n return %2 }",
        "graph main(x: f32[4], y: f32[4], z: f32[4]) { %1 = logical_not %x\n %2 = "
        "where %1 %y %z\n return %2 }",
    };
    for (unsigned i = 0; i < BZ_LEN(texts); i++) {
        ir_module *m = irt_parse(texts[i]);
        ir_graph *c = canonical(m->graphs.p[0], texts[i]);
        cr_expect_eq(computing(c), computing(m->graphs.p[0]), "%s", texts[i]);
        ir_graph_free(c);
        ir_module_free(m);
    }
}

Test(canon, equal_values_are_one_node) {
    canonical_text(
        "graph main(x: f32[4], y: f32[4]) { %1 = add %x %y\n %2 = add %y %x\n %3 = mul %1 %2\n "
        "return %3 }",
        "graph main(x: f32[4], y: f32[4]) { %1 = add %x %y\n %3 = mul %1 %1\n return %3 }");
    canonical_text("graph main(x: f32[4], y: f32[4]) { %1 = exp %y\n return %x }",
                   "graph main(x: f32[4], y: f32[4]) { return %x }");
    canonical_text("graph main(x: f32[4]) { %1 = neg %x\n %2 = neg %1\n %3 = mul %2 1\n %4 = neg "
                   "%3\n %5 = neg %4\n return %5 }",
                   "graph main(x: f32[4]) { return %x }");
    canonical_text("graph main(x: u8[4]) { %1 = mul %x 0\n return %1 }",
                   "graph main(x: u8[4]) { %1 = zeros {shape=[4], dtype=u8}\n return %1 }");
}

/* A product that a permute turns is made anew, and is still the product of its line. */
Test(canon, a_product_keeps_its_line) {
    static const char *const makes[] = {"matmul %x %y", "permute %1 {perm=[1,0]}"};
    bz_text t = {0};
    bz_text_str(&t, "graph main(x: f32[4,3], y: f32[3,5]) {\n");
    for (unsigned i = 0; i < BZ_LEN(makes); i++)
        bz_textf(&t, " %%%u = %s @ \"net.c:%u\"\n", i + 1, makes[i], i + 1);
    bz_text_str(&t, " return %2\n}");
    ir_module *m = irt_parse(bz_text_c(&t));
    ir_graph *g = canonical(m->graphs.p[0], "a turned product");
    const ir_ref dot = g->outputs.p[0].node;
    cr_expect_eq(ir_at(g, dot)->op, IR_DOT);
    cr_expect_str_eq(g->sites.p[dot], "net.c:1");
    ir_graph_free(g);
    ir_module_free(m);
    bz_text_free(&t);
}

Test(canon, is_idempotent_and_never_grows) {
    for (uint64_t seed = 1; seed <= 400; seed++) {
        ir_module *m = random_graph(seed, &(random_choice){.nodes = 12, .max_numel = 200});
        ir_graph *once = canonical(m->graphs.p[0], "random"), *twice = canonical(once, "random");
        char *a = text_of(once), *b = text_of(twice);
        cr_expect_str_eq(a, b, "seed %llu", (unsigned long long)seed);
        bz_mem_free(a);
        bz_mem_free(b);
        ir_graph_free(once);
        ir_graph_free(twice);
        ir_module_free(m);
    }
}
