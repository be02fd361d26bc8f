/* parse_input.c - types, symbols and the inputs of a graph. */
#include "src/ir/text_parse.h"

#include <math.h>
#include <string.h>

/* ---- types */

static bool sizes(tx_parser *p, ir_dim dims[IR_MAX_RANK], unsigned *rank) {
    tx_val v;
    while (!tp_at(p, ']')) {
        if (*rank == IR_MAX_RANK)
            return tx_fail(p, p->at, BZ_ESHAPE, "more than %d dimensions", IR_MAX_RANK);
        if (!tp_value(p, &v) || !tx_dim(p, &v, &dims[*rank])) return false;
        if (v.kind == TX_V_INT && v.u.i < 0)
            return tx_fail(p, v.tok, BZ_ESHAPE, "a size is negative");
        ++*rank;
        if (!tp_accept(p, ',') && !tp_at(p, ']')) return tp_expected(p, "',' or ']'");
    }
    return tp_want(p, ']');
}

/* f32[2,n*3]; f32 alone is 0-d. */
bool tp_type(tx_parser *p, bz_dtype *t, ir_dim dims[IR_MAX_RANK], unsigned *rank) {
    const tx_token *w = tp_peek(p);
    *rank = 0;
    if (w->kind != TX_WORD || !ir_dtype_from_name(p->text + w->at, w->n, t))
        return tp_expected(p, "a type such as f32[2,3], of" BZ_DTYPES(DTYPE_NAME));
    p->at++;
    return !tp_accept(p, '[') || sizes(p, dims, rank);
}

/* ---- inputs */

typedef struct fill_row {
    const char *name;
    uint8_t kind;
    const char *lo, *hi;
    int def_lo, def_hi;
} fill_row;

static const fill_row fills[] = {
    {"randn", IR_FILL_RANDN, "mean", "scale", 0, 1}, {"rand", IR_FILL_RAND, "lo", "hi", 0, 1},
    {"randint", IR_FILL_RANDINT, "lo", "hi", 0, 2},  {"iota", IR_FILL_IOTA, "start", "step", 0, 1},
    {"value", IR_FILL_VALUE, "value", NULL, 0, 0},
};

/* A number that is made up with; one that i64 does not hold is for floats and u64 alone. */
static bool fill_number(tx_parser *p, const tx_val *v, ir_number *out, bz_dtype t) {
    ir_bits bits;
    return tx_number_bits(p, v, t, &bits) && tx_number(p, v, out);
}

/* name=number, or a number in the order lo, hi. */
static bool fill_argument(tx_parser *p, const fill_row *row, ir_input *in, bz_dtype t) {
    tx_val v;
    uint32_t tok = p->at;
    const char *name = tp_name(p, "a name");
    if (!name || !tp_want(p, '=') || !tp_value(p, &v)) return false;
    if (!strcmp(name, "seed")) {
        int64_t seed;
        if (v.kind == TX_V_BITS) v.kind = TX_V_INT;
        return tx_int(p, &v, &seed) && (in->seed = (uint64_t)seed, true);
    }
    if (!strcmp(name, row->lo)) return fill_number(p, &v, &in->fill_lo, t);
    if (row->hi && !strcmp(name, row->hi)) return fill_number(p, &v, &in->fill_hi, t);
    return tx_fail(p, tok, BZ_EARG, "%s knows seed, %s%s%s", row->name, row->lo,
                   row->hi ? ", " : "", row->hi ? row->hi : "");
}

/* How an input may be made up: randn(seed=1, scale=0.05), or a number. */
static bool fill(tx_parser *p, ir_input *in, bz_dtype t) {
    const fill_row *row = NULL;
    const tx_token *next = tp_peek(p) + 1;
    if (tp_peek(p)->kind != TX_WORD || next->kind != TX_PUNCT || next->punct != '(') {
        tx_val v;
        in->fill = IR_FILL_VALUE;
        return tp_value(p, &v) && fill_number(p, &v, &in->fill_lo, t);
    }
    for (unsigned i = 0; i < BZ_LEN(fills) && !row; i++)
        row = tp_is(p, p->at, fills[i].name) ? &fills[i] : NULL;
    if (!row) return tp_expected(p, "randn, rand, randint, iota or value");
    p->at += 2;
    in->fill = row->kind;
    in->fill_lo = ir_number_i(row->def_lo);
    in->fill_hi = ir_number_i(row->def_hi);
    while (!tp_at(p, ')')) {
        if (!fill_argument(p, row, in, t)) return false;
        if (!tp_accept(p, ',') && !tp_at(p, ')')) return tp_expected(p, "',' or ')'");
    }
    return tp_want(p, ')');
}

static bool is_default(ir_number v, int def) {
    return v.kind != IR_CAT_FLOAT && v.i == def;
}

static void print_number(bz_text *t, ir_number v) {
    char digits[IR_DIGITS];
    if (v.kind == IR_CAT_FLOAT)
        tx_print_double(t, v.f);
    else
        bz_text_str(t, ir_digits(digits, v));
}

void tx_print_fill(bz_text *t, const ir_input *in) {
    for (unsigned i = 0; i < BZ_LEN(fills); i++) {
        const fill_row *row = &fills[i];
        const char *sep = "";
        if (row->kind != in->fill) continue;
        if (!row->hi && !in->seed) {
            bz_text_str(t, " = ");
            print_number(t, in->fill_lo);
            return;
        }
        bz_textf(t, " = %s(", row->name);
        if (in->seed)
            bz_textf(t, in->seed >> 63 ? "seed=bits(0x%llx)" : "seed=%llu",
                     (unsigned long long)in->seed),
                sep = ", ";
        if (!is_default(in->fill_lo, row->def_lo) || !row->hi)
            bz_textf(t, "%s%s=", sep, row->lo), print_number(t, in->fill_lo), sep = ", ";
        if (row->hi && !is_default(in->fill_hi, row->def_hi))
            bz_textf(t, "%s%s=", sep, row->hi), print_number(t, in->fill_hi);
        bz_text_str(t, ")");
    }
}

/* `n: sym` or `n: sym(lo, hi)`, behind the word sym. One that is known must have the same range. */
static bool symbol(tx_parser *p, uint32_t tok, const char *name) {
    tx_val lo, hi;
    int64_t range[2] = {0, IR_EX_MAX};
    if (tp_accept(p, '(') &&
        !(tp_value(p, &lo) && tp_want(p, ',') && tp_value(p, &hi) && tp_want(p, ')') &&
          tx_int(p, &lo, &range[0]) && tx_int(p, &hi, &range[1])))
        return false;
    if (range[0] < 0 || range[0] > range[1] || range[1] > IR_EX_MAX)
        return tx_fail(p, tok, BZ_EARG, "symbol %s has no value", name);
    const ir_size *given = tp_size(p, name);
    if (given)
        return (given->value >= range[0] && given->value <= range[1]) ||
               tx_fail(p, tok, BZ_EARG, "symbol %s is %lld to %lld, not %lld", name,
                       (long long)range[0], (long long)range[1], (long long)given->value);
    ir_ex known = ir_ex_find_sym(&p->m->ex, name);
    if (known)
        return (ir_ex_at(&p->m->ex, known)->lo == range[0] &&
                ir_ex_at(&p->m->ex, known)->hi == range[1]) ||
               tx_fail(p, tok, BZ_EARG, "symbol %s has another range elsewhere", name);
    return ir_ex_sym(&p->m->ex, name, range[0], range[1]) || tp_no_memory(p);
}

/* name: [scalar|lasting] type [= fill]; its node is bound to the name. */
bool tp_input(tx_parser *p, tp_scope *s, ir_ref *out) {
    bz_dtype t;
    ir_dim dims[IR_MAX_RANK];
    unsigned rank;
    uint32_t tok = p->at;
    const char *name = tp_name(p, "the name of an input");
    if (!name || !tp_want(p, ':')) return false;
    if (tp_accept_word(p, "sym"))
        return tx_is_word(name) ? symbol(p, tok, name)
                                : tx_fail(p, tok, BZ_EPARSE, "a symbol's name is a word");
    bool scalar = tp_accept_word(p, "scalar"), lasts = !scalar && tp_accept_word(p, "lasting");
    if (!tp_type(p, &t, dims, &rank)) return false;
    if (scalar && rank) return tx_fail(p, tok, BZ_ESHAPE, "a scalar has no dimensions");
    ir_ref r = scalar ? ir_scalar_input(s->g, name, t) : ir_input_new(s->g, name, t, dims, rank);
    if (!r) return tp_graph_error(p, s->g, tok);
    bz_error wrong = {0};
    if (ir_verify_node(s->g, r, &wrong)) return tx_fail(p, tok, wrong.status, "%s", wrong.text);
    *out = r;
    s->g->inputs.p[s->g->inputs.n - 1].lasts = lasts;
    return tp_bind(p, s, tok, tp_key(p, tok), r) &&
           (!tp_accept(p, '=') || fill(p, &s->g->inputs.p[s->g->inputs.n - 1], t));
}

bool tp_inputs(tx_parser *p, tp_scope *s) {
    ir_ref r;
    if (!tp_want(p, '(')) return false;
    while (!tp_at(p, ')')) {
        if (!tp_input(p, s, &r)) return false;
        if (!tp_accept(p, ',') && !tp_at(p, ')')) return tp_expected(p, "',' or ')'");
    }
    return tp_want(p, ')');
}
