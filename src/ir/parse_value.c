/* parse_value.c - values of attributes: numbers, words, strings, lists, sums over symbols; and what
 * their readers make of them. */
#include "src/ir/text_parse.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers */

/* A number token; integers become INT (HUGE where they exceed i64; hexadecimal ones of 64 bits wrap). */
static bool number(tx_parser *p, tx_val *v, bool negative) {
    char buf[128], *end;
    const tx_token *t = tp_peek(p);
    if (t->n >= sizeof buf)
        return tx_fail(p, p->at, BZ_EPARSE, "the number has more than %zu characters",
                       sizeof buf - 1);
    memcpy(buf, p->text + t->at, t->n);
    buf[t->n] = '\0';
    uint64_t u = 0;
    bool plain = true, held = true, digits = strspn(buf, "0123456789") == t->n,
         hex = t->n > 2 && buf[0] == '0' && (buf[1] | 0x20) == 'x';
    for (const char *s = buf + (hex ? 2 : 0); *s && plain && held; s++) {
        int d = tp_hex_digit(*s);
        plain = d >= 0 && d < (hex ? 16 : 10);
        held = plain && !__builtin_mul_overflow(u, hex ? 16u : 10u, &u) &&
               !__builtin_add_overflow(u, (uint64_t)d, &u);
    }
    const bool integer = plain && held && (hex || u <= (uint64_t)INT64_MAX + negative);
    v->kind = integer ? TX_V_INT : digits ? TX_V_HUGE : TX_V_FLOAT;
    v->wrapped = integer && hex && u > INT64_MAX && !negative;
    if (integer) {
        v->u.i = negative ? (int64_t)(0 - u) : (int64_t)u;
    } else {
        v->u.huge.whole = digits && held && !negative ? u : 0;
        v->u.f = bz_read_number(buf, &end);
        if (*end)
            return tx_fail(p, p->at, BZ_EPARSE, "'%s' is not a number",
                           tp_keep(p, p->text + t->at, t->n));
        v->u.f = negative ? -v->u.f : v->u.f;
    }
    p->at++;
    return true;
}

/* inf, nan, true, false as numbers. */
static bool named_number(const tx_parser *p, tx_val *v, bool negative) {
    static const struct {
        const char *name;
        uint8_t kind;
        double f;
        int64_t i;
    } rows[] = {{"inf", TX_V_FLOAT, HUGE_VAL, 0},
                {"nan", TX_V_FLOAT, 0, 0},
                {"true", TX_V_BOOL, 0, 1},
                {"false", TX_V_BOOL, 0, 0}};
    for (unsigned i = 0; i < BZ_LEN(rows); i++) {
        if (!tp_is(p, p->at, rows[i].name)) continue;
        v->kind = rows[i].kind;
        if (v->kind == TX_V_BOOL)
            v->u.i = rows[i].i;
        else
            v->u.f = i == 1 ? (double)NAN : negative ? -rows[i].f : rows[i].f;
        return true;
    }
    return false;
}

/* ---- values: numbers, words, strings, lists, sums over symbols */

static bool size(tx_parser *p, tx_val *v);

const ir_size *tp_size(const tx_parser *p, const char *symbol) {
    for (unsigned i = 0; i < p->as.nsizes; i++)
        if (strcmp(p->as.sizes[i].name, symbol) == 0) return &p->as.sizes[i];
    return NULL;
}

bool tx_dim(tx_parser *p, const tx_val *v, ir_dim *out) {
    *out = 0;
    const ir_size *given = v->kind == TX_V_WORD ? tp_size(p, v->u.s) : NULL;
    if (given)
        *out = ir_ex_const(&p->m->ex, given->value);
    else if (v->kind == TX_V_INT)
        *out = ir_ex_const(&p->m->ex, v->u.i);
    else if (v->kind == TX_V_DIM)
        *out = v->u.dim;
    else if (v->kind == TX_V_WORD)
        *out = ir_ex_find_sym(&p->m->ex, v->u.s);
    else if (v->kind != TX_V_HUGE)
        return tx_fail(p, v->tok, BZ_EPARSE, "a size must be an integer or a symbol");
    if (!*out && v->kind == TX_V_WORD && !p->m->ex.failed)
        return tx_fail(p, v->tok, BZ_EPARSE,
                       "no symbol is named '%s'; declare it among the inputs as '%s: sym'", v->u.s,
                       v->u.s);
    return *out != 0 || tx_fail(p, v->tok, BZ_ESHAPE, "a size is too large");
}

/* Two sizes joined by an operator; m and M stand for min and max. */
static bool join(tx_parser *p, tx_val *a, char op, const tx_val *b) {
    ir_dim x, y;
    ir_exprs *ex = &p->m->ex;
    if (!tx_dim(p, a, &x) || !tx_dim(p, b, &y)) return false;
    if ((op == '/' || op == '%') && ir_ex_at(ex, y)->lo <= 0)
        return tx_fail(p, b->tok, BZ_EPARSE, "sizes are divided by what is known to be positive");
    a->kind = TX_V_DIM;
    a->u.dim = op == '+'   ? ir_ex_add(ex, x, y)
               : op == '-' ? ir_ex_sub(ex, x, y)
               : op == '*' ? ir_ex_mul(ex, x, y)
               : op == '/' ? ir_ex_div(ex, x, y)
               : op == '%' ? ir_ex_mod(ex, x, y)
               : op == 'm' ? ir_ex_min(ex, x, y)
                           : ir_ex_max(ex, x, y);
    return (a->u.dim && !ex->failed) || tx_fail(p, a->tok, BZ_ESHAPE, "a size is too large");
}

static bool list(tx_parser *p, tx_val *v) {
    BZ_VEC(tx_val) items = {0};
    bool ok = true;
    while (ok && !tp_at(p, ']')) {
        tx_val item;
        ok = tp_value(p, &item) && (bz_vec_push(&items, item) || tp_no_memory(p));
        if (ok && !tp_accept(p, ',') && !tp_at(p, ']')) ok = tp_expected(p, "',' or ']'");
    }
    p->at += ok;
    v->kind = TX_V_LIST;
    v->u.list.n = items.n;
    v->u.list.p = ok ? bz_arena_copy(&p->line, items.p, items.n * sizeof *items.p) : NULL;
    bz_vec_free(&items);
    return ok && (v->u.list.p || tp_no_memory(p));
}

/* min(a, b), max(a, b), bits(n) behind their word. */
static bool call(tx_parser *p, tx_val *v, char op) {
    tx_val b;
    uint32_t tok = v->tok;
    if (!tp_want(p, '(') || !size(p, v)) return false;
    v->tok = tok;
    if (op == 'b') {
        if (v->kind != TX_V_INT) return tx_fail(p, v->tok, BZ_EPARSE, "bits(...) takes an integer");
        v->kind = TX_V_BITS;
        return tp_want(p, ')');
    }
    return tp_want(p, ',') && size(p, &b) && tp_want(p, ')') && join(p, v, op, &b);
}

static bool word(tx_parser *p, tx_val *v) {
    static const struct {
        const char *name;
        char op;
    } calls[] = {{"min", 'm'}, {"max", 'M'}, {"bits", 'b'}};
    const tx_token *next = tp_peek(p) + 1;
    bool called = next->kind == TX_PUNCT && next->punct == '(';
    for (unsigned i = 0; called && i < BZ_LEN(calls); i++) {
        if (tp_accept_word(p, calls[i].name)) return call(p, v, calls[i].op);
    }
    if (named_number(p, v, false)) {
        p->at++;
        return true;
    }
    v->kind = TX_V_WORD;
    v->u.s = tp_text(p, p->at++);
    return v->u.s != NULL;
}

static bool negated(tx_parser *p, tx_val *v) {
    if (tp_peek(p)->kind == TX_NUMBER) return number(p, v, true);
    if (named_number(p, v, true)) {
        p->at++;
        return true;
    }
    tx_val zero = {.kind = TX_V_INT, .tok = v->tok}, x = *v;
    if (tp_peek(p)->kind != TX_WORD && !tp_at(p, '(')) return tp_expected(p, "a number");
    if (tp_peek(p)->kind == TX_WORD ? !word(p, &x)
                                    : !(tp_accept(p, '(') && size(p, &x) && tp_want(p, ')')))
        return false;
    *v = zero;
    return join(p, v, '-', &x);
}

static bool primary_inside(tx_parser *p, tx_val *v) {
    *v = (tx_val){.tok = p->at};
    switch (tp_peek(p)->kind) {
    case TX_NUMBER: return number(p, v, false);
    case TX_WORD: return word(p, v);
    case TX_STRING: v->kind = TX_V_STRING; return (v->u.s = tp_text(p, p->at++)) != NULL;
    default: break;
    }
    if (tp_accept(p, '-')) return negated(p, v);
    if (tp_accept(p, '[')) return list(p, v);
    if (tp_accept(p, '(')) return size(p, v) && tp_want(p, ')');
    return tp_expected(p, "a value");
}

bool tp_primary(tx_parser *p, tx_val *v) {
    if (p->depth >= TX_MAX_DEPTH)
        return tx_fail(p, p->at, BZ_EPARSE, "nested more than %d deep", TX_MAX_DEPTH);
    p->depth++;
    bool ok = primary_inside(p, v);
    p->depth--;
    return ok;
}

/* `n%3` was read as n and a value named 3: the value's text is the divisor. */
static bool mod_by_value(tx_parser *p, tx_val *v) {
    tx_token *t = &p->tok.p[p->at];
    tx_val b;
    tx_token whole = *t;
    char first = p->text[t->at + 1];
    if (first == '"') return tp_expected(p, "a size");
    t->at++;
    t->n--;
    t->kind = first >= '0' && first <= '9' ? TX_NUMBER : TX_WORD;
    uint32_t at = p->at;
    bool ok = tp_primary(p, &b) && join(p, v, '%', &b);
    p->tok.p[at] = whole;
    return ok;
}

static bool product(tx_parser *p, tx_val *v) {
    tx_val b;
    bool ok = tp_primary(p, v);
    while (ok && !tx_failed(p)) {
        if (tp_peek(p)->kind == TX_VALUE && !tp_peek(p)->newline)
            ok = mod_by_value(p, v);
        else if (tp_at(p, '*') || tp_at(p, '/') || tp_at(p, '%')) {
            char op = p->tok.p[p->at++].punct;
            ok = tp_primary(p, &b) && join(p, v, op, &b);
        } else {
            break;
        }
    }
    return ok;
}

static bool size(tx_parser *p, tx_val *v) {
    tx_val b;
    bool ok = product(p, v);
    while (ok && (tp_at(p, '+') || tp_at(p, '-'))) {
        char op = p->tok.p[p->at++].punct;
        ok = product(p, &b) && join(p, v, op, &b);
    }
    return ok;
}

bool tp_value(tx_parser *p, tx_val *v) {
    return size(p, v);
}

/* ---- values as what readers want */

static bool too_large(tx_parser *p, const tx_val *v, bz_dtype t) {
    return tx_fail(p, v->tok, BZ_EARG, "%s is larger than %s holds", tp_text(p, v->tok),
                   ir_dtypes[t == BZ_U64 ? BZ_U64 : BZ_I64].name);
}

bool tx_int(tx_parser *p, const tx_val *v, int64_t *out) {
    if (v->kind == TX_V_DIM && ir_ex_is_const(&p->m->ex, v->u.dim, out)) return true;
    if (v->kind == TX_V_HUGE) return too_large(p, v, BZ_I64);
    if (v->kind != TX_V_INT && v->kind != TX_V_BOOL)
        return tx_fail(p, v->tok, BZ_EARG, "an integer is expected here");
    *out = v->u.i;
    return true;
}

bool tx_float(tx_parser *p, const tx_val *v, double *out) {
    ir_number n;
    return tx_number(p, v, &n) && (*out = ir_number_to_f64(n), true);
}

bool tx_number(tx_parser *p, const tx_val *v, ir_number *out) {
    const bool whole = v->kind == TX_V_HUGE && v->u.huge.whole;
    *out = whole ? ir_number_u(v->u.huge.whole) : ir_number_f(v->u.f);
    if (v->kind == TX_V_FLOAT || v->kind == TX_V_HUGE) return true;
    if (v->kind != TX_V_INT && v->kind != TX_V_BOOL && v->kind != TX_V_DIM)
        return tx_fail(p, v->tok, BZ_EARG, "a number is expected here");
    *out = (ir_number){.kind = v->kind == TX_V_BOOL ? IR_CAT_BOOL : IR_CAT_INT};
    return tx_int(p, v, &out->i);
}

bool tx_number_bits(tx_parser *p, const tx_val *v, bz_dtype t, ir_bits *out) {
    ir_number n;
    if (!tx_number(p, v, &n)) return false;
    if (v->kind == TX_V_HUGE && !ir_is_float(t) && !(n.huge && t == BZ_U64)) return too_large(p, v, t);
    *out = ir_bits_from_number(t, n);
    return true;
}

bool tx_number_beside(tx_parser *p, ir_graph *g, tx_line *l, ir_op op, tx_operand_number *n,
                      bz_dtype beside) {
    ir_number v;
    ir_bits bits;
    if (!tx_number(p, &n->v, &v)) return false;
    bz_dtype t = ir_number_dtype(n->v.kind == TX_V_HUGE ? IR_CAT_INT : v.kind, beside);
    if (!tx_number_bits(p, &n->v, t, &bits)) return false;
    ir_ref made =
        ir_number_allowed(g, op, n->operand, v, t) ? ir_const_bits(g, t, bits, NULL, 0) : 0;
    l->operands.p[n->operand] = made;
    return made || tp_graph_error(p, g, n->v.tok);
}

bool tx_numbers(tx_parser *p, ir_graph *g, tx_line *l, ir_op op) {
    bz_dtype beside = ir_dtype_beside(g, op, l->operands.p, l->operands.n);
    bool ok = true;
    for (uint32_t i = 0; i < l->numbers.n && ok; i++)
        ok = tx_number_beside(p, g, l, op, &l->numbers.p[i],
                              ir_dtype_beside_at(op, l->numbers.p[i].operand, beside));
    return ok;
}

bool tx_bits(tx_parser *p, const tx_val *v, bz_dtype t, ir_bits *out) {
    unsigned bits = ir_dtypes[t].bits;
    if (v->kind == TX_V_BITS) {
        *out = (ir_bits)v->u.i;
        return bits == 64 || !(*out >> bits) ||
               tx_fail(p, v->tok, BZ_EARG, "%s has %u bits", ir_dtypes[t].name, bits);
    }
    ir_number n = {0};
    char digits[IR_DIGITS];
    const bool other = v->kind == TX_V_HUGE || (v->kind == TX_V_FLOAT && ir_is_float(t));
    if (other) return tx_number_bits(p, v, t, out);
    if (!tx_int(p, v, &n.i)) return false;
    n = v->wrapped && t == BZ_U64 ? ir_number_u((uint64_t)n.i) : ir_number_i(n.i);
    *out = ir_bits_from_number(t, n);
    return ir_is_float(t) || ir_is_value(t, n) ||
           tx_fail(p, v->tok, BZ_EARG, "%s is no value of %s", ir_digits(digits, n),
                   ir_dtypes[t].name);
}

bool tx_dtype(tx_parser *p, const tx_val *v, bz_dtype *out) {
    if (v->kind == TX_V_WORD && ir_dtype_from_name(v->u.s, strlen(v->u.s), out)) return true;
    return tx_fail(p, v->tok, BZ_EDTYPE,
                   "a dtype is expected here:" BZ_DTYPES(DTYPE_NAME));
}

const tx_val *tx_list(const tx_val *v, uint32_t *n) {
    *n = v->kind == TX_V_LIST                             ? v->u.list.n
         : v->kind == TX_V_WORD && !strcmp(v->u.s, "all") ? 0
                                                          : 1;
    return v->kind == TX_V_LIST ? v->u.list.p : v;
}

tx_attr *tx_find(tx_line *l, const char *name) {
    for (uint32_t i = 0; i < l->attrs.n; i++) {
        if (!strcmp(l->attrs.p[i].name, name)) {
            l->attrs.p[i].used = true;
            return &l->attrs.p[i];
        }
    }
    return NULL;
}
