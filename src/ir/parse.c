/* parse.c - the text form read: graphs, their inputs, lines and outputs. docs/ir.md has the grammar.
 *
 * Tokens are made first, so that graphs may name one another in any order: a graph is parsed when a line needs it, or when its turn
 * comes. All that can be wrong in a text is an error with its place; the first one wins. */
#include "src/ir/text.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef enum graph_state { UNREAD, READING, READ } graph_state;

typedef struct body {
    const char *name;
    uint32_t tok; /* of the name */
    graph_state state;
} body;

/* Names of one graph's values. */
typedef struct scope {
    ir_graph *g;
    struct scope *outer;
    uint32_t *slots, nslots;
    BZ_VEC(struct named {
        const char *name;
        ir_ref r;
    }) names;
} scope;

struct tx_parser {
    const char *text, *file;
    tx_tokens tok;
    uint32_t at;
    bz_error *e;
    ir_module *m;
    BZ_VEC(body) bodies; /* as m->graphs */
    bz_arena names, line;
    unsigned depth;
};

/* ---- errors, memory, tokens */

bool tx_failed(const tx_parser *p)
{
    return p->e->status != BZ_OK;
}

bool tx_fail(tx_parser *p, uint32_t tok, bz_status s, const char *fmt, ...)
{
    if (tx_failed(p))
        return false;
    va_list ap;
    va_start(ap, fmt);
    char text[sizeof p->e->text];
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    tx_place(p->e, p->text, p->tok.p[tok].at);
    bz_fail(p->e, s, "%s", text);
    return false;
}

static bool no_memory(tx_parser *p)
{
    return tx_fail(p, p->at, BZ_ENOMEM, "out of memory");
}

void *tx_alloc(tx_parser *p, size_t n)
{
    void *q = bz_arena_alloc(&p->line, n);
    if (!q)
        no_memory(p);
    return q;
}

/* The error of a graph's constructor becomes ours, at this token. */
static bool graph_error(tx_parser *p, const ir_graph *g, uint32_t tok)
{
    if (g->err.status)
        return tx_fail(p, tok, g->err.status, "%s", g->err.text);
    if (p->m->ex.failed)
        return tx_fail(p, tok, BZ_ESHAPE, "a dimension is too large");
    return tx_fail(p, tok, BZ_EARG, "this line gives no value");
}

static const tx_token *peek(const tx_parser *p)
{
    return &p->tok.p[p->at];
}

static bool at_punct(const tx_parser *p, char c)
{
    return peek(p)->kind == TX_PUNCT && peek(p)->punct == c;
}

static bool accept(tx_parser *p, char c)
{
    bool yes = at_punct(p, c);
    p->at += yes;
    return yes;
}

static bool is_text(const tx_parser *p, uint32_t tok, const char *s)
{
    const tx_token *t = &p->tok.p[tok];
    return t->kind == TX_WORD && t->n == strlen(s) && !memcmp(p->text + t->at, s, t->n);
}

static bool accept_word(tx_parser *p, const char *s)
{
    bool yes = is_text(p, p->at, s);
    p->at += yes;
    return yes;
}

/* "expected X, found Y" at the next token. */
static bool expected(tx_parser *p, const char *what)
{
    const tx_token *t = peek(p);
    int n = t->n > 24 ? 24 : (int)t->n;
    if (t->kind == TX_END)
        return tx_fail(p, p->at, BZ_EPARSE, "expected %s, found the end of the text", what);
    return tx_fail(p, p->at, BZ_EPARSE, "expected %s, found '%.*s'", what, n, p->text + t->at);
}

static bool want(tx_parser *p, char c)
{
    return accept(p, c) || expected(p, (char[]){'\'', c, '\'', '\0'});
}

static const char *keep(tx_parser *p, const char *s, size_t n)
{
    char *q = bz_arena_alloc(&p->names, n + 1);
    if (!q) {
        no_memory(p);
        return NULL;
    }
    memcpy(q, s, n);
    q[n] = '\0';
    return q;
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef", *d = c ? strchr(digits, c | 0x20) : NULL;
    return d ? (int)(d - digits) : -1;
}

/* \uXXXX below 0x80 at s; -1 when it is something else. */
static int short_escape(const char *s, const char *end)
{
    int v = 0;
    for (int i = 1; i <= 4; i++) {
        int d = s + i < end ? hex_digit(s[i]) : -1;
        if (d < 0)
            return -1;
        v = 16 * v + d;
    }
    return v > 0 && v < 0x80 ? v : -1;
}

/* The text between the quotes s .. end, its escapes resolved. */
static const char *unquote(tx_parser *p, uint32_t tok, const char *s, const char *end)
{
    char *out = bz_arena_alloc(&p->names, (size_t)(end - s) + 1), *w = out;
    if (!out)
        return no_memory(p), NULL;
    for (; s < end; s++) {
        int c = (unsigned char)*s;
        if (c == '\\') {
            s++;
            c = *s == 'n' ? '\n' : *s == 't' ? '\t' : *s == '"' || *s == '\\' ? *s : *s == 'u' ? short_escape(s, end) : -1;
            s += *s == 'u' && c >= 0 ? 4 : 0;
        }
        if (c <= 0)
            return tx_fail(p, tok, BZ_EPARSE, "a string knows the escapes \\n \\t \\\" \\\\ \\u0001 .. \\u007f"), NULL;
        *w++ = (char)c;
    }
    *w = '\0';
    return out;
}

/* The text of a word, string or value token without quotes and %. */
static const char *text_of(tx_parser *p, uint32_t tok)
{
    const tx_token *t = &p->tok.p[tok];
    const char *s = p->text + t->at, *end = s + t->n;
    s += t->kind == TX_VALUE;
    return *s == '"' ? unquote(p, tok, s + 1, end - 1) : keep(p, s, (size_t)(end - s));
}

static const char *name_here(tx_parser *p, const char *what)
{
    if (peek(p)->kind != TX_WORD && peek(p)->kind != TX_STRING)
        return expected(p, what), NULL;
    return text_of(p, p->at++);
}

/* ---- numbers */

/* A number token; integers become INT (FLOAT where they exceed i64; hexadecimal ones wrap). */
static bool number(tx_parser *p, tx_val *v, bool negative)
{
    char buf[128], *end;
    const tx_token *t = peek(p);
    if (t->n >= sizeof buf)
        return tx_fail(p, p->at, BZ_EPARSE, "the number has more than %zu characters", sizeof buf - 1);
    memcpy(buf, p->text + t->at, t->n);
    buf[t->n] = '\0';
    uint64_t u = 0;
    bool integer = true, hex = t->n > 2 && buf[0] == '0' && (buf[1] | 0x20) == 'x';
    for (const char *s = buf + (hex ? 2 : 0); *s && integer; s++) {
        int d = hex_digit(*s);
        integer = d >= 0 && d < (hex ? 16 : 10) && !__builtin_mul_overflow(u, hex ? 16u : 10u, &u) &&
                  !__builtin_add_overflow(u, (uint64_t)d, &u) && (hex || u <= (uint64_t)INT64_MAX + negative);
    }
    v->kind = integer ? TX_V_INT : TX_V_FLOAT;
    if (integer) {
        v->u.i = negative ? (int64_t)(0 - u) : (int64_t)u;
    } else {
        char *dot = strchr(buf, '.');
        if (dot)
            *dot = localeconv()->decimal_point[0]; /* strtod reads the host program's */
        v->u.f = strtod(buf, &end);
        if (*end)
            return tx_fail(p, p->at, BZ_EPARSE, "'%s' is not a number", keep(p, p->text + t->at, t->n));
        v->u.f = negative ? -v->u.f : v->u.f;
    }
    p->at++;
    return true;
}

/* inf, nan, true, false as numbers. */
static bool named_number(const tx_parser *p, tx_val *v, bool negative)
{
    static const struct {
        const char *name;
        uint8_t kind;
        double f;
        int64_t i;
    } rows[] = {{"inf", TX_V_FLOAT, HUGE_VAL, 0}, {"nan", TX_V_FLOAT, 0, 0}, {"true", TX_V_INT, 0, 1}, {"false", TX_V_INT, 0, 0}};
    for (unsigned i = 0; i < BZ_LEN(rows); i++) {
        if (!is_text(p, p->at, rows[i].name))
            continue;
        v->kind = rows[i].kind;
        if (v->kind == TX_V_INT)
            v->u.i = rows[i].i;
        else
            v->u.f = i == 1 ? (double)NAN : negative ? -rows[i].f : rows[i].f;
        return true;
    }
    return false;
}

/* ---- values: numbers, words, strings, lists, sums over symbols */

static bool value(tx_parser *p, tx_val *v);

static bool dim_of(tx_parser *p, const tx_val *v, ir_dim *out)
{
    if (v->kind == TX_V_INT)
        *out = ir_ex_const(&p->m->ex, v->u.i);
    else if (v->kind == TX_V_DIM)
        *out = v->u.dim;
    else if (v->kind == TX_V_WORD)
        *out = ir_ex_find_sym(&p->m->ex, v->u.s);
    else
        return tx_fail(p, v->tok, BZ_EPARSE, "a size must be an integer or a symbol");
    if (!*out && v->kind == TX_V_WORD && !p->m->ex.failed)
        return tx_fail(p, v->tok, BZ_EPARSE, "no symbol is named '%s'; declare it among the inputs as '%s: sym'", v->u.s, v->u.s);
    return *out != 0 || tx_fail(p, v->tok, BZ_ESHAPE, "a size is too large");
}

/* Two sizes joined by an operator; m and M stand for min and max. */
static bool join(tx_parser *p, tx_val *a, char op, const tx_val *b)
{
    ir_dim x, y;
    ir_exprs *ex = &p->m->ex;
    if (!dim_of(p, a, &x) || !dim_of(p, b, &y))
        return false;
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

static bool sum(tx_parser *p, tx_val *v);

static bool list(tx_parser *p, tx_val *v)
{
    BZ_VEC(tx_val) items = {0};
    bool ok = true;
    while (ok && !at_punct(p, ']')) {
        tx_val item;
        ok = value(p, &item) && (bz_vec_push(&items, item) || no_memory(p));
        if (ok && !accept(p, ',') && !at_punct(p, ']'))
            ok = expected(p, "',' or ']'");
    }
    p->at += ok;
    v->kind = TX_V_LIST;
    v->u.list.n = items.n;
    v->u.list.p = ok ? bz_arena_copy(&p->line, items.p, items.n * sizeof *items.p) : NULL;
    bz_vec_free(&items);
    return ok && (v->u.list.p || no_memory(p));
}

/* min(a, b), max(a, b), bits(n) behind their word. */
static bool call(tx_parser *p, tx_val *v, char op)
{
    tx_val b;
    if (!want(p, '(') || !sum(p, v))
        return false;
    if (op == 'b') {
        if (v->kind != TX_V_INT)
            return tx_fail(p, v->tok, BZ_EPARSE, "bits(...) takes an integer");
        v->kind = TX_V_BITS;
        return want(p, ')');
    }
    return want(p, ',') && sum(p, &b) && want(p, ')') && join(p, v, op, &b);
}

static bool word(tx_parser *p, tx_val *v)
{
    static const struct {
        const char *name;
        char op;
    } calls[] = {{"min", 'm'}, {"max", 'M'}, {"bits", 'b'}};
    const tx_token *next = peek(p) + 1;
    bool called = next->kind == TX_PUNCT && next->punct == '(';
    for (unsigned i = 0; called && i < BZ_LEN(calls); i++) {
        if (accept_word(p, calls[i].name))
            return call(p, v, calls[i].op);
    }
    if (named_number(p, v, false)) {
        p->at++;
        return true;
    }
    v->kind = TX_V_WORD;
    v->u.s = text_of(p, p->at++);
    return v->u.s != NULL;
}

static bool negated(tx_parser *p, tx_val *v)
{
    if (peek(p)->kind == TX_NUMBER)
        return number(p, v, true);
    if (named_number(p, v, true)) {
        p->at++;
        return true;
    }
    tx_val zero = {.kind = TX_V_INT, .tok = v->tok}, x = *v;
    if (peek(p)->kind != TX_WORD && !at_punct(p, '('))
        return expected(p, "a number");
    if (peek(p)->kind == TX_WORD ? !word(p, &x) : !(accept(p, '(') && sum(p, &x) && want(p, ')')))
        return false;
    *v = zero;
    return join(p, v, '-', &x);
}

static bool primary_inside(tx_parser *p, tx_val *v)
{
    *v = (tx_val){.tok = p->at};
    switch (peek(p)->kind) {
    case TX_NUMBER:
        return number(p, v, false);
    case TX_WORD:
        return word(p, v);
    case TX_STRING:
        v->kind = TX_V_STRING;
        return (v->u.s = text_of(p, p->at++)) != NULL;
    default:
        break;
    }
    if (accept(p, '-'))
        return negated(p, v);
    if (accept(p, '['))
        return list(p, v);
    if (accept(p, '('))
        return sum(p, v) && want(p, ')');
    return expected(p, "a value");
}

static bool primary(tx_parser *p, tx_val *v)
{
    if (p->depth >= TX_MAX_DEPTH)
        return tx_fail(p, p->at, BZ_EPARSE, "nested more than %d deep", TX_MAX_DEPTH);
    p->depth++;
    bool ok = primary_inside(p, v);
    p->depth--;
    return ok;
}

/* `n%3` was read as n and a value named 3: the value's text is the divisor. */
static bool mod_by_value(tx_parser *p, tx_val *v)
{
    tx_token *t = &p->tok.p[p->at];
    tx_val b;
    tx_token whole = *t;
    char first = p->text[t->at + 1];
    if (first == '"')
        return expected(p, "a size");
    t->at++;
    t->n--;
    t->kind = first >= '0' && first <= '9' ? TX_NUMBER : TX_WORD;
    uint32_t at = p->at;
    bool ok = primary(p, &b) && join(p, v, '%', &b);
    p->tok.p[at] = whole;
    return ok;
}

static bool product(tx_parser *p, tx_val *v)
{
    tx_val b;
    bool ok = primary(p, v);
    while (ok && !tx_failed(p)) {
        if (peek(p)->kind == TX_VALUE && !peek(p)->newline)
            ok = mod_by_value(p, v);
        else if (at_punct(p, '*') || at_punct(p, '/') || at_punct(p, '%')) {
            char op = p->tok.p[p->at++].punct;
            ok = primary(p, &b) && join(p, v, op, &b);
        } else {
            break;
        }
    }
    return ok;
}

static bool sum(tx_parser *p, tx_val *v)
{
    tx_val b;
    bool ok = product(p, v);
    while (ok && (at_punct(p, '+') || at_punct(p, '-'))) {
        char op = p->tok.p[p->at++].punct;
        ok = product(p, &b) && join(p, v, op, &b);
    }
    return ok;
}

static bool value(tx_parser *p, tx_val *v)
{
    return sum(p, v);
}

/* ---- values as what readers want */

bool tx_int(tx_parser *p, const tx_val *v, int64_t *out)
{
    if (v->kind == TX_V_DIM && ir_ex_is_const(&p->m->ex, v->u.dim, out))
        return true;
    if (v->kind != TX_V_INT)
        return tx_fail(p, v->tok, BZ_EARG, "an integer is expected here");
    *out = v->u.i;
    return true;
}

bool tx_float(tx_parser *p, const tx_val *v, double *out)
{
    int64_t i;
    if (v->kind == TX_V_FLOAT)
        return *out = v->u.f, true;
    if (v->kind != TX_V_INT && v->kind != TX_V_DIM)
        return tx_fail(p, v->tok, BZ_EARG, "a number is expected here");
    if (!tx_int(p, v, &i))
        return false;
    return *out = (double)i, true;
}

bool tx_bits(tx_parser *p, const tx_val *v, bz_dtype t, ir_bits *out)
{
    unsigned bits = ir_dtypes[t].bits;
    if (v->kind == TX_V_BITS) {
        *out = (ir_bits)v->u.i;
        return bits == 64 || !(*out >> bits) || tx_fail(p, v->tok, BZ_EARG, "%s has %u bits", ir_dtypes[t].name, bits);
    }
    if (v->kind == TX_V_FLOAT && ir_is_float(t))
        return *out = ir_bits_from_f64(t, v->u.f), true;
    int64_t i;
    if (!tx_int(p, v, &i))
        return false;
    *out = ir_bits_from_i64(t, i);
    return ir_is_float(t) || ir_bits_to_i64(t, *out) == i ||
           tx_fail(p, v->tok, BZ_EARG, "%lld is no value of %s", (long long)i, ir_dtypes[t].name);
}

bool tx_dim(tx_parser *p, const tx_val *v, ir_dim *out)
{
    return dim_of(p, v, out);
}

bool tx_dtype(tx_parser *p, const tx_val *v, bz_dtype *out)
{
    if (v->kind == TX_V_WORD && ir_dtype_from_name(v->u.s, strlen(v->u.s), out))
        return true;
    return tx_fail(p, v->tok, BZ_EDTYPE, "a dtype is expected here: bool u8 i8 i16 i32 i64 f16 bf16 f32 f64");
}

const tx_val *tx_list(const tx_val *v, uint32_t *n)
{
    *n = v->kind == TX_V_LIST ? v->u.list.n : v->kind == TX_V_WORD && !strcmp(v->u.s, "all") ? 0 : 1;
    return v->kind == TX_V_LIST ? v->u.list.p : v;
}

tx_attr *tx_find(tx_line *l, const char *name)
{
    for (uint32_t i = 0; i < l->attrs.n; i++) {
        if (!strcmp(l->attrs.p[i].name, name)) {
            l->attrs.p[i].used = true;
            return &l->attrs.p[i];
        }
    }
    return NULL;
}

/* ---- names of values */

static uint32_t *find_name(scope *s, const char *name)
{
    uint32_t at = (uint32_t)bz_hash(0, name, strlen(name)) & (s->nslots - 1);
    while (s->slots[at] && strcmp(s->names.p[s->slots[at] - 1].name, name) != 0)
        at = (at + 1) & (s->nslots - 1);
    return &s->slots[at];
}

static bool grow_names(scope *s)
{
    uint32_t size = s->nslots ? s->nslots * 2 : 64, *old = s->slots;
    uint32_t *fresh = bz_mem_zero(size, sizeof *fresh);
    if (!fresh)
        return false;
    s->slots = fresh;
    s->nslots = size;
    for (uint32_t i = 0; i < s->names.n; i++)
        *find_name(s, s->names.p[i].name) = i + 1;
    bz_mem_free(old);
    return true;
}

/* Quoted names that are no words live apart from numbers: `%"12"` is not `%12`. */
static const char *value_key(tx_parser *p, uint32_t tok)
{
    const tx_token *t = &p->tok.p[tok];
    const char *s = text_of(p, tok);
    bool quoted = p->text[t->at + (t->kind == TX_VALUE)] == '"';
    if (!s || !quoted || tx_is_word(s))
        return s;
    size_t n = strlen(s);
    char *key = bz_arena_alloc(&p->names, n + 2);
    if (!key)
        return no_memory(p), NULL;
    key[0] = '"';
    memcpy(key + 1, s, n + 1);
    return key;
}

static bool bind(tx_parser *p, scope *s, uint32_t tok, const char *key, ir_ref r)
{
    if (!key)
        return false;
    if (2 * (s->names.n + 1) > s->nslots && !grow_names(s))
        return no_memory(p);
    uint32_t *slot = find_name(s, key);
    if (*slot)
        return tx_fail(p, tok, BZ_EPARSE, "%%%s is defined already", key);
    if (!bz_vec_push(&s->names, ((struct named){key, r})))
        return no_memory(p);
    *slot = s->names.n;
    return true;
}

static ir_ref look_up(tx_parser *p, scope *s, uint32_t tok)
{
    const char *key = value_key(p, tok);
    uint32_t slot = key && s->nslots ? *find_name(s, key) : 0;
    if (key && !slot)
        tx_fail(p, tok, BZ_EPARSE, "%%%s is not defined", key);
    return slot ? s->names.p[slot - 1].r : 0;
}

/* ---- types */

static bool sizes(tx_parser *p, ir_dim dims[IR_MAX_RANK], unsigned *rank)
{
    tx_val v;
    while (!at_punct(p, ']')) {
        if (*rank == IR_MAX_RANK)
            return tx_fail(p, p->at, BZ_ESHAPE, "more than %d dimensions", IR_MAX_RANK);
        if (!sum(p, &v) || !dim_of(p, &v, &dims[*rank]))
            return false;
        if (v.kind == TX_V_INT && v.u.i < 0)
            return tx_fail(p, v.tok, BZ_ESHAPE, "a size is negative");
        ++*rank;
        if (!accept(p, ',') && !at_punct(p, ']'))
            return expected(p, "',' or ']'");
    }
    return want(p, ']');
}

/* f32[2,n*3]; f32 alone is 0-d. */
static bool type(tx_parser *p, bz_dtype *t, ir_dim dims[IR_MAX_RANK], unsigned *rank)
{
    const tx_token *w = peek(p);
    *rank = 0;
    if (w->kind != TX_WORD || !ir_dtype_from_name(p->text + w->at, w->n, t))
        return expected(p, "a type such as f32[2,3]");
    p->at++;
    return !accept(p, '[') || sizes(p, dims, rank);
}

/* ---- inputs */

typedef struct fill_row {
    const char *name;
    uint8_t kind;
    const char *lo, *hi;
    double def_lo, def_hi;
} fill_row;

static const fill_row fills[] = {
    {"randn", IR_FILL_RANDN, "mean", "scale", 0, 1}, {"rand", IR_FILL_RAND, "lo", "hi", 0, 1},
    {"randint", IR_FILL_RANDINT, "lo", "hi", 0, 2},  {"iota", IR_FILL_IOTA, "start", "step", 0, 1},
    {"value", IR_FILL_VALUE, "value", NULL, 0, 0},
};

/* name=number, or a number in the order lo, hi. */
static bool fill_argument(tx_parser *p, const fill_row *row, ir_input *in)
{
    tx_val v;
    uint32_t tok = p->at;
    const char *name = name_here(p, "a name");
    if (!name || !want(p, '=') || !value(p, &v))
        return false;
    if (!strcmp(name, "seed")) {
        int64_t seed;
        if (v.kind == TX_V_BITS)
            v.kind = TX_V_INT;
        return tx_int(p, &v, &seed) && (in->seed = (uint64_t)seed, true);
    }
    if (!strcmp(name, row->lo))
        return tx_float(p, &v, &in->fill_lo);
    if (row->hi && !strcmp(name, row->hi))
        return tx_float(p, &v, &in->fill_hi);
    return tx_fail(p, tok, BZ_EARG, "%s knows seed, %s%s%s", row->name, row->lo, row->hi ? ", " : "", row->hi ? row->hi : "");
}

/* How an input may be made up: randn(seed=1, scale=0.05), or a number. */
static bool fill(tx_parser *p, ir_input *in)
{
    const fill_row *row = NULL;
    const tx_token *next = peek(p) + 1;
    if (peek(p)->kind != TX_WORD || next->kind != TX_PUNCT || next->punct != '(') {
        tx_val v;
        in->fill = IR_FILL_VALUE;
        return value(p, &v) && tx_float(p, &v, &in->fill_lo);
    }
    for (unsigned i = 0; i < BZ_LEN(fills) && !row; i++)
        row = is_text(p, p->at, fills[i].name) ? &fills[i] : NULL;
    if (!row)
        return expected(p, "randn, rand, randint, iota or value");
    p->at += 2;
    in->fill = row->kind;
    in->fill_lo = row->def_lo;
    in->fill_hi = row->def_hi;
    while (!at_punct(p, ')')) {
        if (!fill_argument(p, row, in))
            return false;
        if (!accept(p, ',') && !at_punct(p, ')'))
            return expected(p, "',' or ')'");
    }
    return want(p, ')');
}

void tx_print_fill(bz_text *t, const ir_input *in)
{
    for (unsigned i = 0; i < BZ_LEN(fills); i++) {
        const fill_row *row = &fills[i];
        const char *sep = "";
        if (row->kind != in->fill)
            continue;
        bz_textf(t, " = %s(", row->name);
        if (in->seed)
            bz_textf(t, in->seed >> 63 ? "seed=bits(0x%llx)" : "seed=%llu", (unsigned long long)in->seed), sep = ", ";
        if (in->fill_lo != row->def_lo || signbit(in->fill_lo) || !row->hi)
            bz_textf(t, "%s%s=", sep, row->lo), tx_print_double(t, in->fill_lo), sep = ", ";
        if (row->hi && in->fill_hi != row->def_hi)
            bz_textf(t, "%s%s=", sep, row->hi), tx_print_double(t, in->fill_hi);
        bz_text_str(t, ")");
    }
}

/* `n: sym` or `n: sym(lo, hi)`, behind the word sym. One that is known must have the same range. */
static bool symbol(tx_parser *p, uint32_t tok, const char *name)
{
    tx_val lo, hi;
    int64_t range[2] = {0, IR_EX_MAX};
    if (accept(p, '(') && !(value(p, &lo) && want(p, ',') && value(p, &hi) && want(p, ')') && tx_int(p, &lo, &range[0]) &&
                            tx_int(p, &hi, &range[1])))
        return false;
    if (range[0] < 0 || range[0] > range[1] || range[1] > IR_EX_MAX)
        return tx_fail(p, tok, BZ_EARG, "symbol %s has no value", name);
    ir_ex known = ir_ex_find_sym(&p->m->ex, name);
    if (known)
        return (ir_ex_at(&p->m->ex, known)->lo == range[0] && ir_ex_at(&p->m->ex, known)->hi == range[1]) ||
               tx_fail(p, tok, BZ_EARG, "symbol %s has another range elsewhere", name);
    return ir_ex_sym(&p->m->ex, name, range[0], range[1]) || no_memory(p);
}

/* name: [scalar] type [= fill]; its node is bound to the name. */
static bool input(tx_parser *p, scope *s, ir_ref *out)
{
    bz_dtype t;
    ir_dim dims[IR_MAX_RANK];
    unsigned rank;
    uint32_t tok = p->at;
    const char *name = name_here(p, "the name of an input");
    if (!name || !want(p, ':'))
        return false;
    if (accept_word(p, "sym"))
        return tx_is_word(name) ? symbol(p, tok, name) : tx_fail(p, tok, BZ_EPARSE, "a symbol's name is a word");
    bool scalar = accept_word(p, "scalar");
    if (!type(p, &t, dims, &rank))
        return false;
    if (scalar && rank)
        return tx_fail(p, tok, BZ_ESHAPE, "a scalar has no dimensions");
    ir_ref r = scalar ? ir_scalar_input(s->g, name, t) : ir_input_new(s->g, name, t, dims, rank);
    if (!r)
        return graph_error(p, s->g, tok);
    bz_error wrong = {0};
    if (ir_verify_node(s->g, r, &wrong))
        return tx_fail(p, tok, wrong.status, "%s", wrong.text);
    *out = r;
    return bind(p, s, tok, value_key(p, tok), r) && (!accept(p, '=') || fill(p, &s->g->inputs.p[s->g->inputs.n - 1]));
}

static bool inputs(tx_parser *p, scope *s)
{
    ir_ref r;
    if (!want(p, '('))
        return false;
    while (!at_punct(p, ')')) {
        if (!input(p, s, &r))
            return false;
        if (!accept(p, ',') && !at_punct(p, ')'))
            return expected(p, "',' or ')'");
    }
    return want(p, ')');
}

/* ---- lines */

static bool end_of_line(const tx_parser *p)
{
    return peek(p)->newline || peek(p)->kind == TX_END || at_punct(p, '}');
}

/* A value, or a number as a 0-d constant: f32, integers i64. */
static bool operand(tx_parser *p, scope *s, ir_ref *out)
{
    tx_val v;
    uint32_t tok = p->at;
    if (peek(p)->kind == TX_VALUE) {
        p->at++;
        *out = look_up(p, s, tok);
        return *out != 0;
    }
    if (!primary(p, &v))
        return false;
    if (v.kind != TX_V_INT && v.kind != TX_V_FLOAT)
        return tx_fail(p, tok, BZ_EPARSE, "an operand is a %%value or a number");
    *out = v.kind == TX_V_INT ? ir_const_i(s->g, BZ_I64, v.u.i) : ir_const_f(s->g, BZ_F32, v.u.f);
    return *out || graph_error(p, s->g, tok);
}

static bool operands(tx_parser *p, scope *s, tx_line *l)
{
    while (!end_of_line(p) && !at_punct(p, '{') && !at_punct(p, ':') && !at_punct(p, '@')) {
        ir_ref r;
        if (l->operands.n == UINT16_MAX)
            return tx_fail(p, p->at, BZ_EARG, "more than %d operands", UINT16_MAX);
        if (!operand(p, s, &r))
            return false;
        if (!bz_vec_push(&l->operands, r))
            return no_memory(p);
        accept(p, ',');
    }
    return true;
}

static bool attribute(tx_parser *p, tx_line *l)
{
    tx_attr a = {.tok = p->at, .v = {.kind = TX_V_FLAG, .tok = p->at}};
    if (!(a.name = name_here(p, "the name of an attribute")))
        return false;
    for (uint32_t i = 0; i < l->attrs.n; i++) {
        if (!strcmp(l->attrs.p[i].name, a.name))
            return tx_fail(p, a.tok, BZ_EPARSE, "attribute '%s' is given twice", a.name);
    }
    if (l->attrs.n == 64)
        return tx_fail(p, a.tok, BZ_EPARSE, "more than 64 attributes");
    return (!accept(p, '=') || value(p, &a.v)) && (bz_vec_push(&l->attrs, a) || no_memory(p));
}

static bool attributes(tx_parser *p, tx_line *l)
{
    if (end_of_line(p) || !accept(p, '{'))
        return true;
    while (!at_punct(p, '}')) {
        if (!attribute(p, l))
            return false;
        if (!accept(p, ',') && !at_punct(p, '}'))
            return expected(p, "',' or '}'");
    }
    return want(p, '}');
}

static bool line_type(tx_parser *p, tx_line *l)
{
    if (end_of_line(p) || !accept(p, ':'))
        return true;
    l->typed = true;
    l->type_tok = p->at;
    l->tuple = accept(p, '(');
    return type(p, &l->dtype, l->dims, &l->rank) && (!l->tuple || want(p, ')'));
}

/* The source line that nodes get: as written behind @, or that of the text for a call. */
static bool site(tx_parser *p, ir_graph *g, const tx_line *l)
{
    char made[300];
    const char *given = NULL;
    if (!end_of_line(p) && accept(p, '@')) {
        if (peek(p)->kind != TX_STRING)
            return expected(p, "the source line as a string");
        if (!(given = text_of(p, p->at++)))
            return false;
    } else if (!l->typed && p->file) {
        bz_error place = {0};
        tx_place(&place, p->text, p->tok.p[l->op_tok].at);
        snprintf(made, sizeof made, "%s:%d", p->file, place.line);
        given = made;
    }
    g->site = given ? bz_arena_str(&g->arena, given) : NULL;
    return !given || g->site || no_memory(p);
}

static bool bind_results(tx_parser *p, scope *s, const tx_line *l, const ir_ref *out, unsigned n, bool tuple)
{
    if (tuple)
        n = ir_result_count(s->g, out[0]);
    if (l->results.n > n)
        return tx_fail(p, l->results.p[n].tok, BZ_EPARSE, "%s gives %u result%s", l->op, n, n == 1 ? "" : "s");
    for (uint32_t i = 0; i < l->results.n; i++) {
        ir_ref r = tuple ? ir_result(s->g, out[0], i) : out[i];
        if (!r)
            return graph_error(p, s->g, l->op_tok);
        if (!bind(p, s, l->results.p[i].tok, l->results.p[i].name, r))
            return false;
    }
    return true;
}

/* A call with a type must give that type. */
static bool check_type(tx_parser *p, ir_graph *g, const tx_line *l, ir_ref r)
{
    const ir_node *n = ir_at(g, r);
    bool same = n->dtype == l->dtype && n->rank == l->rank && !l->tuple;
    for (unsigned a = 0; same && a < l->rank; a++)
        same = ir_dims(g, n)[a] == l->dims[a];
    return same || tx_fail(p, l->type_tok, BZ_ESHAPE, "%s gives %s", l->op, ir_shape_text(g, r));
}

static bool build_line(tx_parser *p, scope *s, tx_line *l)
{
    bool tuple = false;
    unsigned n = 1;
    ir_ref out[TX_MAX_RESULTS] = {0};
    ir_op op = ir_op_from_name(l->op, strlen(l->op));
    if (l->typed && op != IR_NIL) {
        out[0] = tx_node(p, s->g, op, l);
        n = out[0] != 0;
    } else {
        n = tx_call(p, s->g, l, out, &tuple);
    }
    if (tx_failed(p))
        return false;
    if (!n)
        return graph_error(p, s->g, l->op_tok);
    if (l->typed && op == IR_NIL && !check_type(p, s->g, l, out[0]))
        return false;
    return bind_results(p, s, l, out, n, tuple);
}

static bool result_names(tx_parser *p, tx_line *l)
{
    do {
        if (peek(p)->kind != TX_VALUE)
            return expected(p, "a %value or 'return'");
        tx_name name = {value_key(p, p->at), p->at};
        if (!name.name || !(bz_vec_push(&l->results, name) || no_memory(p)))
            return false;
        p->at++;
    } while (accept(p, ','));
    return want(p, '=');
}

/* %7 = input y : f32[3] */
static bool input_line(tx_parser *p, scope *s, const tx_line *l)
{
    ir_ref r = 0;
    uint32_t tok = p->at;
    if (!input(p, s, &r))
        return false;
    if (!r)
        return tx_fail(p, tok, BZ_EPARSE, "symbols are declared among the inputs at the top");
    const char *name = s->names.p[s->names.n - 1].name;
    return !strcmp(name, l->results.p[0].name) || bind_results(p, s, l, &r, 1, false);
}

static bool line_body(tx_parser *p, scope *s, tx_line *l)
{
    l->op_tok = p->at;
    if (peek(p)->kind != TX_WORD)
        return expected(p, "the name of an op");
    if (!(l->op = text_of(p, p->at++)))
        return false;
    if (!strcmp(l->op, "input"))
        return input_line(p, s, l) && site(p, s->g, &(tx_line){.typed = true}) && (s->g->sites.p[s->g->n.n - 1] = s->g->site, true);
    return operands(p, s, l) && attributes(p, l) && line_type(p, l) && site(p, s->g, l) && build_line(p, s, l);
}

static bool line(tx_parser *p, scope *s)
{
    tx_line l = {0};
    bool ok = result_names(p, &l) && line_body(p, s, &l);
    ok = ok && (end_of_line(p) || expected(p, "the end of the line"));
    bz_vec_free(&l.results);
    bz_vec_free(&l.operands);
    bz_vec_free(&l.attrs);
    bz_arena_reset(&p->line);
    s->g->site = NULL;
    return ok;
}

/* ---- outputs */

static bool donated_input(tx_parser *p, const ir_graph *g, int *number)
{
    uint32_t tok = p->at;
    if (peek(p)->kind != TX_WORD && peek(p)->kind != TX_STRING && peek(p)->kind != TX_VALUE)
        return expected(p, "the name of an input");
    const char *name = text_of(p, p->at++);
    for (uint32_t i = 0; name && i < g->inputs.n; i++) {
        if (!strcmp(g->inputs.p[i].name, name)) {
            *number = (int)i;
            return true;
        }
    }
    return name && tx_fail(p, tok, BZ_EARG, "no input is named '%s'", name);
}

/* %7 as loss, %8 as w donate w */
static bool outputs(tx_parser *p, scope *s)
{
    while (!at_punct(p, '}')) {
        ir_ref r;
        uint32_t tok = p->at;
        int donated = -1;
        const char *name = NULL;
        if (!operand(p, s, &r) || (accept_word(p, "as") && !(name = name_here(p, "a name"))))
            return false;
        if (accept_word(p, "donate") && !donated_input(p, s->g, &donated))
            return false;
        if (ir_at(s->g, r)->flags & IR_IS_TUPLE)
            return tx_fail(p, tok, BZ_EARG, "several results cannot be one output; take them with 'result'");
        if (ir_output_add(s->g, name, r, donated))
            return graph_error(p, s->g, tok);
        if (!accept(p, ',') && !at_punct(p, '}'))
            return expected(p, "',' or '}'");
    }
    return true;
}

/* ---- graphs */

static bool graph_inside(tx_parser *p, scope *s)
{
    if (!inputs(p, s) || !want(p, '{'))
        return false;
    while (!accept_word(p, "return")) {
        if (at_punct(p, '}'))
            return tx_fail(p, p->at, BZ_EPARSE, "graph %s has no 'return'", s->g->name);
        if (!line(p, s))
            return false;
    }
    if (!outputs(p, s) || !want(p, '}'))
        return false;
    bz_error wrong = {0};
    if (ir_verify(s->g, IR_ANY_GRAPH, &wrong))
        return tx_fail(p, p->at - 1, wrong.status, "%s", wrong.text);
    return true;
}

static bool read_graph(tx_parser *p, uint32_t k)
{
    body *b = &p->bodies.p[k];
    if (b->state == READ)
        return true;
    if (b->state == READING || p->depth >= TX_MAX_DEPTH)
        return tx_fail(p, p->at, BZ_EPARSE, "graph %s applies itself, or graphs nest more than %d deep", b->name, TX_MAX_DEPTH);
    uint32_t back = p->at;
    scope s = {.g = p->m->graphs.p[k]};
    bz_arena line_of_caller = p->line;
    p->line = (bz_arena){0};
    b->state = READING;
    p->at = b->tok + 1;
    p->depth++;
    bool ok = graph_inside(p, &s);
    p->depth--;
    p->bodies.p[k].state = READ;
    bz_vec_free(&s.names);
    bz_mem_free(s.slots);
    bz_arena_free(&p->line);
    p->line = line_of_caller;
    p->at = ok ? back : p->at;
    return ok;
}

bool tx_graph(tx_parser *p, const tx_val *v, int64_t *number)
{
    for (uint32_t k = 0; v->kind <= TX_V_STRING && v->kind >= TX_V_WORD && k < p->bodies.n; k++) {
        if (!strcmp(p->bodies.p[k].name, v->u.s)) {
            *number = k;
            return read_graph(p, k);
        }
    }
    return tx_fail(p, v->tok, BZ_EPARSE, "the name of a graph is expected here");
}

/* Adds an empty graph for each `graph NAME`, so that lines may name them. */
static bool announce(tx_parser *p)
{
    if (!accept_word(p, "graph"))
        return expected(p, "'graph'");
    body b = {.tok = p->at};
    if (!(b.name = name_here(p, "the name of the graph")))
        return false;
    for (uint32_t k = 0; k < p->bodies.n; k++) {
        if (!strcmp(p->bodies.p[k].name, b.name))
            return tx_fail(p, b.tok, BZ_EPARSE, "two graphs are named '%s'", b.name);
    }
    ir_graph *g = ir_graph_new(p->m, b.name);
    if (!g || ir_module_add(p->m, g)) {
        ir_graph_free(g);
        return no_memory(p);
    }
    return bz_vec_push(&p->bodies, b) || no_memory(p);
}

/* Behind the braces of the graph that starts here, or at the end of the text. */
static void skip_graph(tx_parser *p)
{
    unsigned open = 0;
    for (; peek(p)->kind != TX_END; p->at++) {
        open += at_punct(p, '{');
        if (at_punct(p, '}') && open && --open == 0) {
            p->at++;
            return;
        }
    }
}

static bool module(tx_parser *p)
{
    do {
        if (!announce(p))
            return false;
        skip_graph(p);
    } while (peek(p)->kind != TX_END);
    for (uint32_t k = 0; k < p->bodies.n; k++) {
        if (!read_graph(p, k))
            return false;
    }
    return true;
}

ir_module *ir_parse(const char *text, size_t n, const char *file, bz_error *e)
{
    bz_error own = {0};
    tx_parser p = {.text = text, .file = file, .e = &own, .m = ir_module_new()};
    if (!p.m)
        bz_fail(&own, BZ_ENOMEM, "out of memory");
    bool ok = p.m && tx_lex(text, n, &p.tok, &own) && module(&p);
    bz_vec_free(&p.tok);
    bz_vec_free(&p.bodies);
    bz_arena_free(&p.names);
    bz_arena_free(&p.line);
    if (ok)
        return p.m;
    ir_module_free(p.m);
    if (e && !e->status)
        *e = own;
    return NULL;
}
