/* test_expr.c - integer expressions against brute force: whatever is simplified keeps its value at every value of the symbols, and every
 * value lies in the range that the expression claims. */
#include "src/ir/expr.h"

#include <criterion/criterion.h>
#include <string.h>

enum { SYMS = 3 };

typedef struct maker {
    ir_exprs x;
    ir_ex sym[SYMS];
    int64_t lo[SYMS], hi[SYMS], value[SYMS];
    uint64_t state;
} maker;

static uint32_t draw(maker *m, uint32_t below) {
    m->state = bz_mix(m->state, 0xe1);
    return (uint32_t)(m->state >> 20) % below;
}

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

/* The value that node e has by its definition. */
static int64_t value_of(const maker *m, ir_ex e) {
    const ir_ex_node n = *ir_ex_at(&m->x, e);
    if (n.kind == EX_CONST) return n.value;
    for (unsigned i = 0; n.kind == EX_SYM && i < SYMS; i++)
        if (m->sym[i] == e) return m->value[i];
    int64_t a = value_of(m, n.a), b = value_of(m, n.b);
    switch (n.kind) {
    case EX_ADD: return a + b;
    case EX_MUL: return a * b;
    case EX_DIV: return floor_div(a, b);
    case EX_MOD: return a - b * floor_div(a, b);
    case EX_MIN: return a < b ? a : b;
    case EX_MAX: return a > b ? a : b;
    default: cr_assert_fail("a node of kind %d", n.kind);
    }
    return 0;
}

/* A random tree: the expression through the constructors, and the numbers that it must give at `points` places. */
enum { POINTS = 64 };
typedef struct tree {
    ir_ex e;
    int64_t v[POINTS];
} tree;

static tree random_tree(maker *m, int64_t at[POINTS][SYMS], unsigned depth) {
    tree t, a, b;
    unsigned k = depth == 0 ? draw(m, 2) : 2 + draw(m, depth <= 2 ? 8 : 7);
    int64_t c = 1 + draw(m, 9);
    if (k == 0 || k == 1) {
        unsigned s = draw(m, SYMS);
        int64_t v = (int64_t)draw(m, 21) - 10;
        t.e = k ? m->sym[s] : ir_ex_const(&m->x, v);
        for (unsigned i = 0; i < POINTS; i++) t.v[i] = k ? at[i][s] : v;
        return t;
    }
    a = random_tree(m, at, depth - 1);
    b = random_tree(m, at, depth - 1);
    ir_ex ce = ir_ex_const(&m->x, c);
    static ir_ex (*const make[])(ir_exprs *, ir_ex, ir_ex) = {
        ir_ex_add, ir_ex_sub, ir_ex_min, ir_ex_max, ir_ex_mul, ir_ex_div, ir_ex_mod, ir_ex_mul};
    t.e = make[k - 2](&m->x, a.e, k >= 6 && k < 9 ? ce : b.e);
    for (unsigned i = 0; i < POINTS; i++) {
        int64_t x = a.v[i], y = b.v[i], q = floor_div(x, c);
        int64_t all[] = {x + y, x - y, x < y ? x : y, x > y ? x : y, x * c, q, x - c * q, x * y};
        t.v[i] = all[k - 2];
    }
    return t;
}

static void begin(maker *m, uint64_t seed) {
    *m = (maker){.state = seed};
    cr_assert(ir_exprs_init(&m->x));
    for (unsigned i = 0; i < SYMS; i++) {
        m->lo[i] = draw(m, 4) ? 0 : -(int64_t)draw(m, 6);
        m->hi[i] = m->lo[i] + draw(m, 12);
        m->sym[i] = ir_ex_sym(&m->x, NULL, m->lo[i], m->hi[i]);
    }
}

static void random_point(maker *m, int64_t *at) {
    for (unsigned i = 0; i < SYMS; i++)
        at[i] = m->lo[i] + draw(m, (uint32_t)(m->hi[i] - m->lo[i] + 1));
}

Test(expr, random_expressions_keep_their_value) {
    for (uint64_t seed = 1; seed <= 20000; seed++) {
        maker m;
        int64_t at[POINTS][SYMS];
        begin(&m, seed);
        for (unsigned i = 0; i < POINTS; i++) random_point(&m, at[i]);
        tree t = random_tree(&m, at, 1 + (unsigned)(seed % 4));
        cr_assert(t.e && !m.x.failed);
        const ir_ex_node n = *ir_ex_at(&m.x, t.e);
        for (unsigned i = 0; i < POINTS; i++) {
            memcpy(m.value, at[i], sizeof m.value);
            int64_t v = value_of(&m, t.e);
            bz_text text = {0};
            if (v != t.v[i] || v < n.lo || v > n.hi) ir_ex_print(&text, &m.x, t.e);
            cr_assert(v == t.v[i], "seed %llu: %s is %lld, not %lld", (unsigned long long)seed,
                      bz_text_c(&text), (long long)v, (long long)t.v[i]);
            cr_assert(v >= n.lo && v <= n.hi, "seed %llu: %s: %lld is outside %lld .. %lld",
                      (unsigned long long)seed, bz_text_c(&text), (long long)v, (long long)n.lo,
                      (long long)n.hi);
            bz_text_free(&text);
        }
        ir_exprs_free(&m.x);
    }
}

Test(expr, linear_keeps_the_value) {
    for (uint64_t seed = 1; seed <= 5000; seed++) {
        maker m;
        int64_t at[POINTS][SYMS], coef;
        ir_ex rest;
        begin(&m, seed);
        for (unsigned i = 0; i < POINTS; i++) random_point(&m, at[i]);
        tree t = random_tree(&m, at, 1 + (unsigned)(seed % 3));
        bool linear = ir_ex_linear(&m.x, t.e, m.sym[0], &coef, &rest);
        cr_expect(!linear || !ir_ex_uses(&m.x, rest, m.sym[0]), "seed %llu",
                  (unsigned long long)seed);
        for (unsigned i = 0; i < POINTS; i++) {
            memcpy(m.value, at[i], sizeof m.value);
            if (linear)
                cr_expect_eq(coef * m.value[0] + value_of(&m, rest), t.v[i], "seed %llu",
                             (unsigned long long)seed);
        }
        ir_exprs_free(&m.x);
    }
}

Test(expr, the_number_of_a_sum_comes_out) {
    for (uint64_t seed = 1; seed <= 5000; seed++) {
        maker m;
        int64_t at[POINTS][SYMS] = {{0}};
        begin(&m, seed);
        tree t = random_tree(&m, at, 1 + (unsigned)(seed % 4));
        int64_t was = ir_ex_constant(&m.x, t.e), c = (int64_t)draw(&m, 21) - 10;
        cr_expect_eq(ir_ex_constant(&m.x, ir_ex_addc(&m.x, t.e, c)), was + c);
        cr_expect_eq(ir_ex_constant(&m.x, ir_ex_mulc(&m.x, t.e, 3)), 3 * was);
        cr_expect_eq(ir_ex_constant(&m.x, ir_ex_addc(&m.x, t.e, -was)), 0);
        ir_exprs_free(&m.x);
    }
}

/* One number for one polynomial, however it is written; what two have in common is divided out. */
Test(expr, products_multiply_out_and_divide) {
    maker m = {.state = 1};
    cr_assert(ir_exprs_init(&m.x));
    ir_exprs *x = &m.x;
    for (unsigned i = 0; i < SYMS; i++) m.sym[i] = ir_ex_sym(x, NULL, 1, 9);
    ir_ex a = m.sym[0], b = m.sym[1], c = m.sym[2], four = ir_ex_const(x, 4);
    ir_ex ab = ir_ex_mul(x, a, b), abc = ir_ex_mul(x, ab, c);
    cr_expect_eq(ir_ex_mul(x, a, ir_ex_mul(x, b, four)), ir_ex_mul(x, four, ir_ex_mul(x, b, a)));
    cr_expect_eq(ir_ex_mul(x, c, ir_ex_mul(x, b, a)), abc);
    ir_ex a1 = ir_ex_addc(x, a, 1), bc = ir_ex_add(x, b, c);
    ir_ex sum = ir_ex_add(x, ir_ex_add(x, ir_ex_mul(x, a, b), ir_ex_mul(x, a, c)), bc);
    cr_expect_eq(ir_ex_mul(x, a1, bc), sum);
    cr_expect_eq(ir_ex_div(x, abc, ab), c);
    cr_expect_eq(ir_ex_div(x, ir_ex_mul(x, abc, four), ir_ex_mul(x, c, four)), ab);
    cr_expect_eq(ir_ex_div(x, ir_ex_add(x, abc, a), a), ir_ex_addc(x, ir_ex_mul(x, b, c), 1));
    cr_expect_eq(ir_ex_mod(x, abc, b), ir_ex_const(x, 0));
    const ir_ex tops[] = {abc, ir_ex_mulc(x, abc, 6), ir_ex_addc(x, ab, 1), sum, a, four},
                bottoms[] = {a, ab, ir_ex_mulc(x, a, 4), ir_ex_mulc(x, bc, 2), abc};
    for (unsigned i = 0; i < BZ_LEN(tops); i++) {
        for (unsigned k = 0; k < BZ_LEN(bottoms); k++) {
            ir_ex q = ir_ex_div(x, tops[i], bottoms[k]), r = ir_ex_mod(x, tops[i], bottoms[k]);
            for (unsigned p = 0; p < 200; p++) {
                for (unsigned s = 0; s < SYMS; s++) m.value[s] = 1 + draw(&m, 9);
                int64_t top = value_of(&m, tops[i]), bottom = value_of(&m, bottoms[k]);
                cr_assert_eq(value_of(&m, q), top / bottom);
                cr_assert_eq(value_of(&m, r), top % bottom);
            }
        }
    }
    cr_expect(!x->failed);
    ir_exprs_free(x);
}

/* What a reshape there and back needs. */
Test(expr, division_and_remainder_join) {
    ir_exprs x;
    cr_assert(ir_exprs_init(&x));
    ir_ex i = ir_ex_sym(&x, "i", 0, 99), j = ir_ex_sym(&x, "j", 0, 7), four = ir_ex_const(&x, 4),
          eight = ir_ex_const(&x, 8);
    cr_expect_eq(ir_ex_add(&x, ir_ex_mul(&x, ir_ex_div(&x, i, four), four), ir_ex_mod(&x, i, four)),
                 i);
    ir_ex flat = ir_ex_add(&x, ir_ex_mul(&x, i, eight), j);
    cr_expect_eq(ir_ex_div(&x, flat, eight), i);
    cr_expect_eq(ir_ex_mod(&x, flat, eight), j);
    cr_expect_eq(ir_ex_mod(&x, ir_ex_mod(&x, i, eight), four), ir_ex_mod(&x, i, four));
    cr_expect_eq(ir_ex_div(&x, ir_ex_div(&x, i, four), eight),
                 ir_ex_div(&x, i, ir_ex_const(&x, 32)));
    cr_expect_eq(ir_ex_add(&x, i, j), ir_ex_add(&x, j, i));
    cr_expect_eq(ir_ex_sub(&x, ir_ex_add(&x, i, j), j), i);
    ir_exprs_free(&x);
}
