/* expr.c - interned integer expressions with linear sums, ranges and the rules of floordiv and mod.
 *
 * A sum is kept as   c0*t0 + (c1*t1 + (... + constant))   with terms t ordered by their number; a term is a symbol, a product of
 * non-constants, a division, a modulo, a minimum or maximum. `form` is that sum taken apart. */
#include "src/ir/expr.h"

#include <string.h>

enum { MAX_TERMS = 64, MAX_FACTORS = 64 /* more stay as they are written */ };

typedef struct form {
    unsigned n;
    int64_t c; /* the constant */
    ir_ex term[MAX_TERMS];
    int64_t coef[MAX_TERMS];
} form;

/* ---- the table */

bool ir_exprs_init(ir_exprs *x) {
    *x = (ir_exprs){0};
    x->nslots = 256;
    x->slots = bz_mem_zero(x->nslots, sizeof *x->slots);
    bool ok = x->slots && bz_vec_push(&x->n, ((ir_ex_node){.kind = EX_NONE}));
    if (!ok) ir_exprs_free(x);
    return ok;
}

void ir_exprs_free(ir_exprs *x) {
    bz_mem_free(x->slots);
    bz_vec_free(&x->n);
    bz_vec_free(&x->names);
    bz_vec_free(&x->keys);
    bz_arena_free(&x->arena);
    *x = (ir_exprs){0};
}

static uint64_t key_of(const ir_ex_node *n) {
    return bz_mix(bz_mix(bz_mix(n->kind, n->a), n->b), (uint64_t)n->value);
}

static bool grow_slots(ir_exprs *x) {
    uint32_t size = x->nslots * 2;
    uint32_t *s = bz_mem_zero(size, sizeof *s);
    if (!s) return false;
    for (uint32_t e = 1; e < x->n.n; e++) {
        uint32_t at = (uint32_t)key_of(&x->n.p[e]) & (size - 1);
        while (s[at]) at = (at + 1) & (size - 1);
        s[at] = e;
    }
    bz_mem_free(x->slots);
    x->slots = s;
    x->nslots = size;
    return true;
}

static ir_ex failed(ir_exprs *x) {
    x->failed = true;
    return 0;
}

static ir_ex intern(ir_exprs *x, ir_ex_node n) {
    if (2 * x->n.n >= x->nslots && !grow_slots(x)) return failed(x);
    uint32_t at = (uint32_t)key_of(&n) & (x->nslots - 1);
    for (; x->slots[at]; at = (at + 1) & (x->nslots - 1)) {
        const ir_ex_node *o = &x->n.p[x->slots[at]];
        if (o->kind == n.kind && o->a == n.a && o->b == n.b && o->value == n.value)
            return x->slots[at];
    }
    n.size = 1;
    if (n.kind > EX_SYM) n.size += x->n.p[n.a].size + x->n.p[n.b].size;
    n.size = n.size < IR_EX_HUGE ? n.size : IR_EX_HUGE;
    if (!bz_vec_push(&x->n, n)) return failed(x);
    return x->slots[at] = x->n.n - 1;
}

/* ---- arithmetic on ranges: saturating at the bounds that mean "unknown" */

static int64_t clip(int64_t v) {
    return v < IR_EX_MIN ? IR_EX_MIN : v > IR_EX_MAX ? IR_EX_MAX : v;
}

static int64_t sat_mul(int64_t a, int64_t b) {
    int64_t r;
    if (__builtin_mul_overflow(a, b, &r)) return (a < 0) == (b < 0) ? IR_EX_MAX : IR_EX_MIN;
    return clip(r);
}

/* ---- sums */

ir_ex ir_ex_const(ir_exprs *x, int64_t v) {
    if (v != clip(v)) return failed(x);
    return intern(x, (ir_ex_node){.kind = EX_CONST, .value = v, .lo = v, .hi = v});
}

ir_ex ir_ex_sym(ir_exprs *x, const char *name, int64_t lo, int64_t hi) {
    char *own = name ? bz_arena_str(&x->arena, name) : NULL;
    if ((name && !own) || !bz_vec_push(&x->names, own)) return failed(x);
    return intern(x, (ir_ex_node){.kind = EX_SYM, .a = x->names.n - 1, .lo = lo, .hi = hi});
}

ir_ex ir_ex_find_sym(const ir_exprs *x, const char *name) {
    for (uint32_t e = 1; e < x->n.n; e++) {
        const ir_ex_node *n = &x->n.p[e];
        if (n->kind == EX_SYM && x->names.p[n->a] && !strcmp(x->names.p[n->a], name)) return e;
    }
    return 0;
}

static bool form_add(form *f, ir_ex term, int64_t coef) {
    unsigned at = 0;
    while (at < f->n && f->term[at] < term) at++;
    if (at < f->n && f->term[at] == term) {
        if (__builtin_add_overflow(f->coef[at], coef, &f->coef[at])) return false;
        if (f->coef[at] == 0) {
            f->n--;
            memmove(f->term + at, f->term + at + 1, (f->n - at) * sizeof *f->term);
            memmove(f->coef + at, f->coef + at + 1, (f->n - at) * sizeof *f->coef);
        }
        return true;
    }
    if (coef == 0) return true;
    if (f->n == MAX_TERMS) return false;
    memmove(f->term + at + 1, f->term + at, (f->n - at) * sizeof *f->term);
    memmove(f->coef + at + 1, f->coef + at, (f->n - at) * sizeof *f->coef);
    f->term[at] = term;
    f->coef[at] = coef;
    f->n++;
    return true;
}

/* f += scale * e */
static bool form_of(const ir_exprs *x, ir_ex e, int64_t scale, form *f) {
    const ir_ex_node *n = ir_ex_at(x, e);
    while (n->kind == EX_ADD) {
        if (!form_of(x, n->a, scale, f)) return false;
        e = n->b;
        n = ir_ex_at(x, e);
    }
    int64_t v;
    if (n->kind == EX_CONST)
        return !__builtin_mul_overflow(n->value, scale, &v) &&
               !__builtin_add_overflow(f->c, v, &f->c);
    if (n->kind == EX_MUL && ir_ex_at(x, n->b)->kind == EX_CONST)
        return !__builtin_mul_overflow(ir_ex_at(x, n->b)->value, scale, &v) && form_add(f, n->a, v);
    return form_add(f, e, scale);
}

static ir_ex scaled(ir_exprs *x, ir_ex term, int64_t coef) {
    if (coef == 1) return term;
    ir_ex c = ir_ex_const(x, coef);
    if (!c) return 0;
    const ir_ex_node *t = ir_ex_at(x, term);
    int64_t p = sat_mul(t->lo, coef), q = sat_mul(t->hi, coef);
    return intern(
        x,
        (ir_ex_node){.kind = EX_MUL, .a = term, .b = c, .lo = p < q ? p : q, .hi = p < q ? q : p});
}

static ir_ex form_build(ir_exprs *x, const form *f) {
    ir_ex sum = f->c || f->n == 0 ? ir_ex_const(x, f->c) : 0;
    if (x->failed) return 0;
    for (unsigned i = f->n; i-- > 0;) {
        ir_ex t = scaled(x, f->term[i], f->coef[i]);
        if (!t) return 0;
        if (!sum) {
            sum = t;
            continue;
        }
        const ir_ex_node *a = ir_ex_at(x, t), *b = ir_ex_at(x, sum);
        sum = intern(x, (ir_ex_node){.kind = EX_ADD,
                                     .a = t,
                                     .b = sum,
                                     .lo = clip(a->lo + b->lo),
                                     .hi = clip(a->hi + b->hi)});
    }
    return sum;
}

static bool has_coef(const form *f, int64_t coef) {
    for (unsigned i = 0; i < f->n; i++)
        if (f->coef[i] == coef) return true;
    return false;
}

/* k * (x mod c) + k * c * (x div c) = k * x, and with (x div c) mod e it is k * (x mod (c * e)). One such pair is joined; true if there was
 * one. */
static bool join_div_mod(ir_exprs *x, form *f) {
    for (unsigned i = 0; i < f->n; i++) {
        ir_ex mod = f->term[i];
        ir_ex_node m = *ir_ex_at(x, mod);
        int64_t c, k = f->coef[i], kc;
        if (m.kind != EX_MOD || !ir_ex_is_const(x, m.b, &c) || __builtin_mul_overflow(k, c, &kc) ||
            !has_coef(f, kc))
            continue;
        ir_ex d = ir_ex_div(x, m.a, m.b);
        for (unsigned j = 0; d && j < f->n; j++) {
            const ir_ex term = f->term[j];
            const ir_ex_node t = *ir_ex_at(x, term);
            int64_t e, all;
            if (f->coef[j] != kc) continue;
            if (term == d)
                return form_add(f, d, -kc) && form_add(f, mod, -k) && form_of(x, m.a, k, f);
            if (t.kind != EX_MOD || t.a != d || !ir_ex_is_const(x, t.b, &e) ||
                __builtin_mul_overflow(c, e, &all))
                continue;
            const ir_ex whole = ir_ex_mod(x, m.a, ir_ex_const(x, all));
            return whole && form_add(f, term, -kc) && form_add(f, mod, -k) &&
                   form_of(x, whole, k, f);
        }
    }
    return false;
}

static ir_ex form_done(ir_exprs *x, form *f) {
    while (join_div_mod(x, f))
        ;
    return form_build(x, f);
}

static ir_ex add_scaled(ir_exprs *x, ir_ex a, ir_ex b, int64_t scale) {
    form f = {0};
    if (!a || !b) return 0;
    if (!form_of(x, a, 1, &f) || !form_of(x, b, scale, &f)) return failed(x);
    return form_done(x, &f);
}

ir_ex ir_ex_add(ir_exprs *x, ir_ex a, ir_ex b) {
    return add_scaled(x, a, b, 1);
}

ir_ex ir_ex_sub(ir_exprs *x, ir_ex a, ir_ex b) {
    return add_scaled(x, a, b, -1);
}

ir_ex ir_ex_addc(ir_exprs *x, ir_ex a, int64_t c) {
    return ir_ex_add(x, a, ir_ex_const(x, c));
}

ir_ex ir_ex_mulc(ir_exprs *x, ir_ex a, int64_t c) {
    return ir_ex_mul(x, a, ir_ex_const(x, c));
}

/* ---- products: of sums, multiplied out, so that equal sizes are one number however they came about */

/* A term as its factors, last one first: their number, or 0 when there are more than `room`. */
static unsigned factors_of(const ir_exprs *x, ir_ex term, ir_ex *out, unsigned room) {
    unsigned n = 0;
    for (; n < room; term = ir_ex_at(x, term)->a) {
        const ir_ex_node *t = ir_ex_at(x, term);
        bool more = t->kind == EX_MUL && ir_ex_at(x, t->b)->kind != EX_CONST;
        out[n++] = more ? t->b : term;
        if (!more) return n;
    }
    return 0;
}

static ir_ex product_node(ir_exprs *x, ir_ex a, ir_ex b) {
    const ir_ex_node *p = ir_ex_at(x, a), *q = ir_ex_at(x, b);
    int64_t v[4] = {sat_mul(p->lo, q->lo), sat_mul(p->lo, q->hi), sat_mul(p->hi, q->lo),
                    sat_mul(p->hi, q->hi)};
    int64_t lo = v[0], hi = v[0];
    for (int i = 1; i < 4; i++) {
        lo = v[i] < lo ? v[i] : lo;
        hi = v[i] > hi ? v[i] : hi;
    }
    return intern(x, (ir_ex_node){.kind = EX_MUL, .a = a, .b = b, .lo = lo, .hi = hi});
}

/* s * t as one term: (f0 * f1) * f2 ... with the factors of both in ascending order. */
static ir_ex term_mul(ir_exprs *x, ir_ex s, ir_ex t) {
    ir_ex f[MAX_FACTORS], g[MAX_FACTORS], all = 0;
    unsigned n = factors_of(x, s, f, MAX_FACTORS), m = factors_of(x, t, g, MAX_FACTORS);
    if (!n || !m || n + m > MAX_FACTORS) return product_node(x, s < t ? s : t, s < t ? t : s);
    while ((n || m) && !x->failed) {
        ir_ex next = !m || (n && f[n - 1] <= g[m - 1]) ? f[--n] : g[--m];
        all = all ? product_node(x, all, next) : next;
    }
    return x->failed ? 0 : all;
}

/* f += s * scale * e */
static bool form_add_product(ir_exprs *x, form *f, ir_ex s, int64_t scale, const form *e) {
    int64_t v;
    for (unsigned i = 0; i < e->n; i++) {
        ir_ex t = term_mul(x, s, e->term[i]);
        if (!t || __builtin_mul_overflow(scale, e->coef[i], &v) || !form_add(f, t, v)) return false;
    }
    return !__builtin_mul_overflow(scale, e->c, &v) && form_add(f, s, v);
}

ir_ex ir_ex_mul(ir_exprs *x, ir_ex a, ir_ex b) {
    form f = {0}, g = {0}, all = {0};
    int64_t c;
    if (!a || !b) return 0;
    if (ir_ex_is_const(x, a, &c)) return form_of(x, b, c, &f) ? form_done(x, &f) : failed(x);
    if (ir_ex_is_const(x, b, &c)) return form_of(x, a, c, &f) ? form_done(x, &f) : failed(x);
    if (!form_of(x, a, 1, &f) || !form_of(x, b, 1, &g)) return failed(x);
    if ((f.n + 1) * (g.n + 1) > MAX_TERMS) return product_node(x, a < b ? a : b, a < b ? b : a);
    for (unsigned i = 0; i < f.n; i++)
        if (!form_add_product(x, &all, f.term[i], f.coef[i], &g)) return failed(x);
    for (unsigned i = 0; i < g.n; i++)
        if (__builtin_mul_overflow(f.c, g.coef[i], &c) || !form_add(&all, g.term[i], c))
            return failed(x);
    return __builtin_mul_overflow(f.c, g.c, &all.c) ? failed(x) : form_done(x, &all);
}

/* ---- floordiv and mod */

static void form_range(const ir_exprs *x, const form *f, int64_t *lo, int64_t *hi) {
    *lo = *hi = clip(f->c);
    for (unsigned i = 0; i < f->n; i++) {
        const ir_ex_node *t = ir_ex_at(x, f->term[i]);
        int64_t p = sat_mul(t->lo, f->coef[i]), q = sat_mul(t->hi, f->coef[i]);
        *lo = clip(*lo + (p < q ? p : q));
        *hi = clip(*hi + (p < q ? q : p));
    }
}

/* e = c * quotient + rest, where rest keeps the terms that c does not divide and 0 <= rest.c < c. */
static bool split(const ir_exprs *x, ir_ex e, int64_t c, form *quotient, form *rest) {
    form f = {0};
    *quotient = *rest = (form){0};
    if (!form_of(x, e, 1, &f)) return false;
    for (unsigned i = 0; i < f.n; i++) {
        bool whole = f.coef[i] % c == 0;
        if (!form_add(whole ? quotient : rest, f.term[i], whole ? f.coef[i] / c : f.coef[i]))
            return false;
    }
    quotient->c = bz_div_down(f.c, c);
    rest->c = bz_mod_down(f.c, c);
    return true;
}

static int64_t common_factor(const form *f, int64_t c) {
    for (unsigned i = 0; i < f->n; i++) c = bz_common_divisor(c, f->coef[i]);
    return c;
}

/* The node for rest / c or rest % c once nothing simplifies it. */
static ir_ex opaque(ir_exprs *x, ir_ex_kind kind, ir_ex a, int64_t c) {
    const ir_ex_node *n = ir_ex_at(x, a);
    int64_t lo = kind == EX_MOD ? 0 : n->lo == IR_EX_MIN ? IR_EX_MIN : bz_div_down(n->lo, c);
    int64_t hi = kind == EX_MOD ? c - 1 : n->hi == IR_EX_MAX ? IR_EX_MAX : bz_div_down(n->hi, c);
    ir_ex b = ir_ex_const(x, c);
    return a && b
               ? intern(x, (ir_ex_node){.kind = (uint8_t)kind, .a = a, .b = b, .lo = lo, .hi = hi})
               : 0;
}

/* rest / c, rest being one the parts that c does not divide. */
static ir_ex div_rest(ir_exprs *x, form *rest, int64_t c) {
    int64_t lo, hi, g = common_factor(rest, c);
    form_range(x, rest, &lo, &hi);
    if (lo > IR_EX_MIN && hi < IR_EX_MAX && bz_div_down(lo, c) == bz_div_down(hi, c))
        return ir_ex_const(x, bz_div_down(lo, c));
    for (unsigned i = 0; i < rest->n; i++) rest->coef[i] /= g;
    rest->c = bz_div_down(rest->c, g);
    c /= g;
    if (c == 1) return form_done(x, rest);
    if (g > 1) /* smaller coefficients: c may divide some now */
        return ir_ex_div(x, form_done(x, rest), ir_ex_const(x, c));
    if (rest->n == 1 && rest->coef[0] == 1 && rest->c == 0) {
        ir_ex_node t = *ir_ex_at(x, rest->term[0]);
        int64_t d, prod;
        if (t.kind == EX_DIV && ir_ex_is_const(x, t.b, &d) && !__builtin_mul_overflow(d, c, &prod))
            return ir_ex_div(x, t.a, ir_ex_const(x, prod));
        if (t.kind == EX_MOD && ir_ex_is_const(x, t.b, &d) && d % c == 0)
            return ir_ex_mod(x, ir_ex_div(x, t.a, ir_ex_const(x, c)), ir_ex_const(x, d / c));
    }
    return opaque(x, EX_DIV, form_done(x, rest), c);
}

/* term / by, where `by` is a product of some of its factors; 0 where it is not. *one: nothing is left. */
static ir_ex without_factors(ir_exprs *x, ir_ex term, ir_ex by, bool *one) {
    ir_ex f[MAX_FACTORS], g[MAX_FACTORS], left = 0;
    unsigned n = factors_of(x, term, f, MAX_FACTORS), m = factors_of(x, by, g, MAX_FACTORS);
    if (!m) return 0;
    while (n) {
        n--;
        if (m && f[n] == g[m - 1])
            m--;
        else
            left = left ? product_node(x, left, f[n]) : f[n];
    }
    *one = !left && !m;
    return m ? 0 : left;
}

/* a = *rest * *by and b = c * *by for a term *by: what both have in common, divided out. */
static bool common_term(ir_exprs *x, ir_ex a, ir_ex b, ir_ex *rest, ir_ex *by, int64_t *c) {
    form f = {0}, g = {0}, q = {0};
    if (!form_of(x, b, 1, &g) || g.n != 1 || g.c || g.coef[0] <= 0) return false;
    if (!form_of(x, a, 1, &f) || f.n == 0 || f.c) return false;
    for (unsigned i = 0; i < f.n; i++) {
        bool one = false;
        ir_ex t = without_factors(x, f.term[i], g.term[0], &one);
        if (one)
            q.c = f.coef[i];
        else if (!t || !form_add(&q, t, f.coef[i]))
            return false;
    }
    *by = g.term[0];
    *c = g.coef[0];
    return (*rest = form_done(x, &q)) != 0;
}

static ir_ex div_any(ir_exprs *x, ir_ex a, ir_ex b) {
    int64_t c;
    ir_ex rest_of, by;
    if (!ir_ex_is_const(x, b, &c)) {
        ir_ex_node n = *ir_ex_at(x, a);
        bool pos = n.lo >= 0;
        if (common_term(x, a, b, &rest_of, &by, &c))
            return ir_ex_div(x, rest_of, ir_ex_const(x, c));
        return a == b ? ir_ex_const(x, 1)
                      : intern(x, (ir_ex_node){.kind = EX_DIV,
                                               .a = a,
                                               .b = b,
                                               .lo = pos ? 0 : n.lo,
                                               .hi = pos ? n.hi : IR_EX_MAX});
    }
    if (c <= 0) return failed(x);
    form q, r;
    if (!split(x, a, c, &q, &r)) return failed(x);
    ir_ex rest = div_rest(x, &r, c), whole = form_done(x, &q);
    return ir_ex_add(x, whole, rest);
}

static ir_ex mod_any(ir_exprs *x, ir_ex a, ir_ex b) {
    int64_t c, d;
    ir_ex rest_of, by;
    if (!ir_ex_is_const(x, b, &c)) {
        if (common_term(x, a, b, &rest_of, &by, &c))
            return ir_ex_mul(x, ir_ex_mod(x, rest_of, ir_ex_const(x, c)), by);
        return a == b ? ir_ex_const(x, 0)
                      : intern(x, (ir_ex_node){.kind = EX_MOD,
                                               .a = a,
                                               .b = b,
                                               .lo = 0,
                                               .hi = clip(ir_ex_at(x, b)->hi)});
    }
    if (c <= 0) return failed(x);
    form q, r;
    if (!split(x, a, c, &q, &r)) return failed(x);
    int64_t lo, hi, g = common_factor(&r, c);
    form_range(x, &r, &lo, &hi);
    if (lo >= 0 && hi < c) return form_done(x, &r);
    if (lo > IR_EX_MIN && hi < IR_EX_MAX && bz_div_down(lo, c) == bz_div_down(hi, c))
        return ir_ex_addc(x, form_done(x, &r), -c * bz_div_down(lo, c));
    if (g > 1) { /* (g*y + k) mod (g*c') = g * (y mod c') + k for 0 <= k < g */
        int64_t k = bz_mod_down(r.c, g);
        for (unsigned i = 0; i < r.n; i++) r.coef[i] /= g;
        r.c = bz_div_down(r.c, g);
        ir_ex y = ir_ex_mod(x, form_done(x, &r), ir_ex_const(x, c / g));
        return ir_ex_addc(x, ir_ex_mulc(x, y, g), k);
    }
    if (r.n == 1 && r.coef[0] == 1 && r.c == 0) {
        ir_ex_node t = *ir_ex_at(x, r.term[0]);
        if (t.kind == EX_MOD && ir_ex_is_const(x, t.b, &d) && d % c == 0)
            return ir_ex_mod(x, t.a, b);
    }
    return opaque(x, EX_MOD, form_done(x, &r), c);
}

static ir_ex div_or_mod(ir_exprs *x, ir_ex_kind kind, ir_ex a, ir_ex b) {
    if (!a || !b) return 0;
    const unsigned at = (unsigned)bz_mix(bz_mix(kind, a), b) % IR_EX_RECENT;
    if (x->recent[at].kind == kind && x->recent[at].a == a && x->recent[at].b == b)
        return x->recent[at].result;
    ir_ex r = kind == EX_DIV ? div_any(x, a, b) : mod_any(x, a, b);
    if (r) {
        x->recent[at].kind = (uint8_t)kind;
        x->recent[at].a = a;
        x->recent[at].b = b;
        x->recent[at].result = r;
    }
    return r;
}

ir_ex ir_ex_div(ir_exprs *x, ir_ex a, ir_ex b) {
    return div_or_mod(x, EX_DIV, a, b);
}

ir_ex ir_ex_mod(ir_exprs *x, ir_ex a, ir_ex b) {
    return div_or_mod(x, EX_MOD, a, b);
}

static ir_ex min_max(ir_exprs *x, ir_ex_kind kind, ir_ex a, ir_ex b) {
    if (!a || !b) return 0;
    ir_ex_node p = *ir_ex_at(x, a), q = *ir_ex_at(x, b);
    bool max = kind == EX_MAX;
    if (a == b || (max ? p.lo >= q.hi : p.hi <= q.lo)) return a;
    if (max ? q.lo >= p.hi : q.hi <= p.lo) return b;
    int64_t lo = max == (p.lo > q.lo) ? p.lo : q.lo, hi = max == (p.hi > q.hi) ? p.hi : q.hi;
    return intern(
        x, (ir_ex_node){
               .kind = (uint8_t)kind, .a = a < b ? a : b, .b = a < b ? b : a, .lo = lo, .hi = hi});
}

ir_ex ir_ex_min(ir_exprs *x, ir_ex a, ir_ex b) {
    return min_max(x, EX_MIN, a, b);
}

ir_ex ir_ex_max(ir_exprs *x, ir_ex a, ir_ex b) {
    return min_max(x, EX_MAX, a, b);
}

/* ---- looking into expressions */

bool ir_ex_uses(const ir_exprs *x, ir_ex e, ir_ex sym) {
    for (;;) {
        const ir_ex_node *n = ir_ex_at(x, e);
        if (e == sym) return true;
        if (n->kind == EX_NONE || n->kind == EX_CONST || n->kind == EX_SYM) return false;
        if (ir_ex_uses(x, n->a, sym)) return true;
        e = n->b;
    }
}

bool ir_ex_linear(ir_exprs *x, ir_ex e, ir_ex sym, int64_t *coef, ir_ex *rest) {
    form f = {0};
    if (!e || !form_of(x, e, 1, &f)) return false;
    *coef = 0;
    for (unsigned i = 0; i < f.n; i++) {
        if (f.term[i] == sym)
            *coef = f.coef[i];
        else if (ir_ex_uses(x, f.term[i], sym))
            return false;
    }
    if (*coef && !form_add(&f, sym, -*coef)) return false;
    *rest = form_build(x, &f);
    return *rest != 0;
}

ir_ex ir_ex_replace(ir_exprs *x, ir_ex e, ir_ex sym, ir_ex by) {
    const ir_ex_node n = *ir_ex_at(x, e);
    if (e == sym) return by;
    if (n.kind <= EX_SYM || !ir_ex_uses(x, e, sym)) return e;
    const ir_ex a = ir_ex_replace(x, n.a, sym, by), b = ir_ex_replace(x, n.b, sym, by);
    switch (n.kind) {
    case EX_ADD: return ir_ex_add(x, a, b);
    case EX_MUL: return ir_ex_mul(x, a, b);
    case EX_DIV:
    case EX_MOD: return div_or_mod(x, (ir_ex_kind)n.kind, a, b);
    default: return min_max(x, (ir_ex_kind)n.kind, a, b);
    }
}

int64_t ir_ex_constant(const ir_exprs *x, ir_ex e) {
    const ir_ex_node *n = ir_ex_at(x, e);
    while (n->kind == EX_ADD) n = ir_ex_at(x, n->b);
    return n->kind == EX_CONST ? n->value : 0;
}

void ir_ex_print(bz_text *t, const ir_exprs *x, ir_ex e) {
    static const char *const infix[] = {
        [EX_ADD] = "+", [EX_MUL] = "*", [EX_DIV] = "/", [EX_MOD] = "%"};
    const ir_ex_node *n = ir_ex_at(x, e);
    if (n->kind == EX_CONST) {
        bz_textf(t, "%lld", (long long)n->value);
    } else if (n->kind == EX_SYM) {
        const char *name = x->names.p[n->a];
        if (name)
            bz_text_str(t, name);
        else
            bz_textf(t, "s%u", n->a);
    } else if (n->kind == EX_NONE) {
        bz_text_str(t, "?");
    } else {
        bool call = n->kind == EX_MIN || n->kind == EX_MAX;
        bz_text_str(t, n->kind == EX_MIN ? "min(" : n->kind == EX_MAX ? "max(" : "");
        bool wrap_a = !call && n->kind != EX_ADD && ir_ex_at(x, n->a)->kind == EX_ADD;
        bool wrap_b = !call && n->kind != EX_ADD && ir_ex_at(x, n->b)->kind >= EX_ADD;
        bz_text_str(t, wrap_a ? "(" : "");
        ir_ex_print(t, x, n->a);
        bz_text_str(t, wrap_a ? ")" : "");
        bz_text_str(t, call ? ", " : infix[n->kind]);
        bz_text_str(t, wrap_b ? "(" : "");
        ir_ex_print(t, x, n->b);
        bz_text_str(t, wrap_b ? ")" : "");
        bz_text_str(t, call ? ")" : "");
    }
}
