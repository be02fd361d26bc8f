/* value_parse.c - the value language, read straight into a program.
 *
 *     text --next--> tokens --expression--> operand --vb_base--> steps
 *
 * There is no tree: a function of math.def is expanded by reading its body again with its
 * parameters bound. A literal has no dtype until it meets a value (`operand.literal`). The first
 * error stops everything; `fail` is quiet when memory ran out, since values mean nothing from
 * then on. */
#include "src/ir/value_build.h"

#include <math.h>
#include <string.h>

/* ---- functions of math.def */

typedef struct function {
    const char *name, *type, *params, *body;
} function;

static const function functions[] = {
#define FN(name, type, params, ...) {#name, #type, #params, #__VA_ARGS__},
#include "src/ir/math.def"
};

/* ---- operands and names */

typedef struct operand {
    bool literal, whole; /* whole: a literal without a point, in i; else in d */
    vb_val v;
    double d;
    int64_t i;
} operand;

typedef struct name {
    const char *s;
    size_t n;
    operand x;
} name;

enum { MAX_NAMES = 96, MAX_ARGS = 32, MAX_DEPTH = 32 };

/* One text being read: a function's body or an op's value. */
typedef struct frame {
    vb *b;
    bz_error *e;
    const char *what, *text, *at; /* `at`: first byte not read */
    bz_dtype t;                   /* what T means */
    unsigned depth, nnames;
    name names[MAX_NAMES];
    const char *tok; /* the token in hand */
    size_t tok_n;
} frame;

static bool fail(frame *f, const char *why) {
    if (f->b->failed || f->e->status != BZ_OK) return false;
    f->e->line = 1;
    f->e->column = (int)(f->tok - f->text) + 1;
    bz_fail(f->e, BZ_EPARSE, "[value] %s: %s at column %d, near '%.*s'", f->what, why, f->e->column,
            24, f->tok);
    return false;
}

static bool fails_at(frame *f, const char *tok, const char *why) {
    f->tok = tok;
    return fail(f, why);
}

/* ---- tokens */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
static bool is_space(char c) {
    return c == ' ' || c == '\n' || c == '\t';
}

static int hex_digit(char c) {
    return is_digit(c)            ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static const char *read_exponent(const char *s, int *e) {
    bool minus = *s == '-';
    s += *s == '-' || *s == '+';
    for (*e = 0; is_digit(*s) && *e < 10000; s++) *e = *e * 10 + (*s - '0');
    *e = minus ? -*e : *e;
    return s;
}

/* Reads a number: digits, with 0x hexadecimal ones, a point, an exponent (p: of two, e: of ten).
 * Not strtod: that one asks the locale what a point is. Exact where written with at most 16
 * hexadecimal or 15 decimal digits and |e| <= 22. */
static const char *read_number(const char *s, double *d, int64_t *i, bool *whole) {
    bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X'), point = false;
    uint64_t digits = 0;
    int after = 0, e = 0;
    for (s += hex ? 2 : 0; (hex ? hex_digit(*s) >= 0 : is_digit(*s)) || (*s == '.' && !point);
         s++) {
        point = point || *s == '.';
        if (*s != '.') {
            digits = digits * (hex ? 16 : 10) + (uint64_t)hex_digit(*s);
            after += point;
        }
    }
    *whole = !point && *s != (hex ? 'p' : 'e');
    if (*s == (hex ? 'p' : 'e')) s = read_exponent(s + 1, &e);
    *i = *whole ? (int64_t)digits : 0;
    double scale = 1;
    for (int k = hex ? 0 : e - after; k != 0; k += k > 0 ? -1 : 1) scale *= 10;
    *d = hex         ? ldexp((double)digits, e - 4 * after)
         : e < after ? (double)digits / scale
                     : (double)digits * scale;
    return s;
}

static size_t number_length(const char *s) {
    double d;
    int64_t i;
    bool whole;
    return (size_t)(read_number(s, &d, &i, &whole) - s);
}

static size_t operator_length(const char *s) {
    static const char *const longer[] = {">>>", "<<", ">>", "<=", ">=", "==", "!="};
    for (unsigned i = 0; i < BZ_LEN(longer); i++) {
        if (strncmp(s, longer[i], strlen(longer[i])) == 0) return strlen(longer[i]);
    }
    return *s != '\0';
}

static void next(frame *f) {
    const char *s = f->at;
    while (is_space(*s)) s++;
    f->tok = s;
    if (is_letter(*s)) {
        while (is_letter(*s) || is_digit(*s)) s++;
        f->tok_n = (size_t)(s - f->tok);
    } else {
        f->tok_n = is_digit(*s) ? number_length(s) : operator_length(s);
    }
    f->at = f->tok + f->tok_n;
}

static bool is(const frame *f, const char *s) {
    return strlen(s) == f->tok_n && memcmp(f->tok, s, f->tok_n) == 0;
}

static bool take(frame *f, const char *s) {
    if (!is(f, s)) return false;
    next(f);
    return true;
}

static bool expect(frame *f, const char *s) {
    return take(f, s) || fail(f, s[0] == ')' ? "')' expected" : "',' expected");
}

/* ---- dtypes of operands */

static bz_dtype type_of(const frame *f, const operand *x) {
    return vb_dtype(f->b, x->v);
}

/* A literal becomes a constant of dtype t; what has a dtype must have this one. */
static bool as_type(frame *f, operand *x, bz_dtype t) {
    if (f->b->failed) return false;
    if (!x->literal) return type_of(f, x) == t || fail(f, "operands of different dtypes");
    if (!ir_is_float(t) && !x->whole) return fail(f, "a literal that is not whole for an integer");
    ir_bits bits =
        x->whole && !ir_is_float(t) ? ir_bits_from_i64(t, x->i) : ir_bits_from_f64(t, x->d);
    /* signed or as a pattern of bits */
    if (!ir_is_float(t) && t != BZ_BOOL && ir_dtypes[t].bits < 64) {
        int64_t lowest = -(INT64_C(1) << (ir_dtypes[t].bits - 1));
        if (x->i < lowest || x->i >= INT64_C(1) << ir_dtypes[t].bits)
            return fail(f, "a literal out of the dtype's range");
    }
    *x = (operand){.v = vb_const(f->b, t, bits)};
    return true;
}

static bool is_dtype(frame *f, const char *s, size_t n, bz_dtype *t) {
    if (n == 1 && *s == 'T') {
        *t = f->t;
        return true;
    }
    return ir_dtype_from_name(s, n, t);
}

/* ---- operators */

static bool expression(frame *f, operand *out);

/* An op of the table on operands that may be literals. */
static bool apply(frame *f, ir_op op, operand *x, operand *out) {
    unsigned n = ir_ops[op].arity, first = op == IR_SELECT;
    const operand *typed = NULL;
    for (unsigned k = first; k < n; k++) typed = !typed && !x[k].literal ? &x[k] : typed;
    if (!typed && (op != IR_SELECT || f->t == BZ_NDTYPES))
        return fail(f, "no operand with a dtype");
    bz_dtype t = typed ? type_of(f, typed) : f->t, in[3], r = t; /* c ? 1 : 0 is a T */
    vb_val v[3] = {0};
    for (unsigned k = 0; k < n; k++) {
        if (!as_type(f, &x[k], k < first ? BZ_BOOL : t)) return false;
        v[k] = x[k].v;
        in[k] = type_of(f, &x[k]);
    }
    if (!ir_op_result_dtype(op, in, &r)) return fail(f, "an op that this dtype does not have");
    *out = (operand){.v = vb_base(f->b, op, r, v)};
    return true;
}

static operand literal_of(double d, int64_t i, bool whole) {
    return (operand){.literal = true, .whole = whole, .d = d, .i = i};
}

/* Arithmetic between two literals: exact or not needed. */
static bool fold_literals(frame *f, char op, const operand *x, const operand *y, operand *out) {
    bool whole = x->whole && y->whole;
    uint64_t a = (uint64_t)x->i, b = (uint64_t)y->i;
    switch (op) {
    case '+': *out = literal_of(x->d + y->d, (int64_t)(a + b), whole); return true;
    case '-': *out = literal_of(x->d - y->d, (int64_t)(a - b), whole); return true;
    case '*': *out = literal_of(x->d * y->d, (int64_t)(a * b), whole); return true;
    case '/': *out = literal_of(x->d / y->d, 0, false); return true;
    default: return fail(f, "no operand with a dtype");
    }
}

typedef struct infix {
    const char *s;
    int level; /* binds tighter the higher */
    ir_op op;
    bool swapped; /* x > y is y < x */
} infix;

static const infix infixes[] = {
    {"|", 1, IR_OR, false},   {"^", 2, IR_XOR, false},  {"&", 3, IR_AND, false},
    {"==", 4, IR_EQ, false},  {"!=", 4, IR_NE, false},  {"<", 5, IR_LT, false},
    {"<=", 5, IR_LE, false},  {">", 5, IR_LT, true},    {">=", 5, IR_LE, true},
    {"<<", 6, IR_SHL, false}, {">>", 6, IR_SHR, false}, {">>>", 6, IR_LSHR, false},
    {"+", 7, IR_ADD, false},  {"-", 7, IR_SUB, false},  {"*", 8, IR_MUL, false},
    {"/", 8, IR_DIV, false},
};

static bool primary(frame *f, operand *out);

static bool unary(frame *f, operand *out) {
    operand x;
    ir_op op = is(f, "-") ? IR_NEG : is(f, "!") || is(f, "~") ? IR_NOT : IR_NIL;
    if (op == IR_NIL) return primary(f, out);
    next(f);
    if (!unary(f, &x)) return false;
    if (!x.literal) return apply(f, op, &x, out);
    if (op == IR_NOT) return fail(f, "no operand with a dtype");
    *out = literal_of(-x.d, (int64_t)(0 - (uint64_t)x.i), x.whole);
    return true;
}

static const infix *infix_here(const frame *f) {
    for (unsigned i = 0; i < BZ_LEN(infixes); i++) {
        if (is(f, infixes[i].s)) return &infixes[i];
    }
    return NULL;
}

static bool binary(frame *f, int level, operand *out) {
    if (!unary(f, out)) return false;
    for (const infix *i; (i = infix_here(f)) != NULL && i->level >= level;) {
        operand right;
        next(f);
        if (!binary(f, i->level + 1, &right)) return false;
        operand x[2] = {i->swapped ? right : *out, i->swapped ? *out : right};
        bool ok = x[0].literal && x[1].literal ? fold_literals(f, *i->s, &x[0], &x[1], out)
                                               : apply(f, i->op, x, out);
        if (!ok) return false;
    }
    return true;
}

/* cond ? a : b */
static bool expression(frame *f, operand *out) {
    operand x[3];
    if (!binary(f, 1, &x[0])) return false;
    if (!is(f, "?")) {
        *out = x[0];
        return true;
    }
    next(f);
    if (!expression(f, &x[1]) || (!take(f, ":") && !fail(f, "':' expected")) ||
        !expression(f, &x[2]))
        return false;
    return apply(f, IR_SELECT, x, out);
}

/* ---- calls */

/* Arguments up to and with the closing bracket. */
static bool arguments(frame *f, operand *x, unsigned *n) {
    for (*n = 0; *n < MAX_ARGS; next(f)) {
        if (!expression(f, &x[(*n)++])) return false;
        if (take(f, ")")) return true;
        if (!is(f, ",")) return fail(f, "',' or ')' expected");
    }
    return fail(f, "too many arguments");
}

/* Moves to the comma that ends the argument here. */
static bool skip_argument(frame *f) {
    for (unsigned depth = 0; depth > 0 || !is(f, ","); next(f)) {
        if (is(f, "(") || is(f, "["))
            depth++;
        else if (f->tok_n == 0 || ((is(f, ")") || is(f, "]")) && depth-- == 0))
            return fail(f, "',' expected");
    }
    return true;
}

/* rare(cond, slow, fast): `fast` is read first, then `slow` inside the region. */
static bool rare(frame *f, operand *out) {
    operand cond, slow, fast;
    if (!expression(f, &cond) || !expect(f, ",")) return false;
    if (cond.literal || type_of(f, &cond) != BZ_BOOL) return fail(f, "a condition expected");
    const char *slow_text = f->tok;
    if (!skip_argument(f) || !expect(f, ",") || !expression(f, &fast) || !is(f, ")"))
        return fail(f, "rare(cond, slow, fast) expected");
    const char *end = f->tok;
    if (fast.literal) return fail(f, "no operand with a dtype");
    const ir_vinst *c = &f->b->inst.p[cond.v];
    bool decided = c->op == IR_V_CONST, taken = decided && c->imm != 0;
    vb_val region = decided ? 0 : vb_rare(f->b, cond.v);
    f->at = slow_text;
    next(f);
    if (decided && !taken) {
        *out = fast;
    } else {
        if (!expression(f, &slow) || !as_type(f, &slow, type_of(f, &fast))) return false;
        *out = decided ? slow : (operand){.v = vb_end(f->b, region, slow.v, fast.v)};
    }
    f->at = end;
    next(f);
    return expect(f, ")");
}

/* c0 + x * (c1 + x * (... cn)) */
static bool horner(frame *f, operand *x, unsigned n, operand *out) {
    if (n < 2 || x[0].literal) return fail(f, "horner(x, c0, c1 ...) expected");
    operand sum = x[n - 1];
    if (!as_type(f, &sum, type_of(f, &x[0]))) return false;
    for (unsigned k = n - 1; k-- > 1;) {
        operand step[3] = {sum, x[0], x[k]};
        if (!apply(f, IR_FMA, step, &sum)) return false;
    }
    *out = sum;
    return true;
}

/* f32(x), T(x): `seen` false; as_f32(x), as_int(x), as_T(x): true. */
static bool conversion(frame *f, bz_dtype t, bool seen, operand *x, unsigned n, operand *out) {
    if (n != 1) return fail(f, "one operand expected");
    if (x->literal) {
        *out = *x;
        return seen ? fail(f, "no operand with a dtype") : as_type(f, out, t);
    }
    if (seen && ir_dtype_bytes(t) != ir_dtype_bytes(type_of(f, x)))
        return fail(f, "bits of another size");
    *out = (operand){.v = vb_base(f->b, seen ? IR_BITCAST : IR_CAST, t, &x->v)};
    return true;
}

static bool bits_name(frame *f, const char *s, size_t n, const operand *x, bz_dtype *t) {
    static const bz_dtype of_bytes[] = {[1] = BZ_I8, [2] = BZ_I16, [4] = BZ_I32, [8] = BZ_I64};
    if (n < 4 || memcmp(s, "as_", 3) != 0) return false;
    if (n != 6 || memcmp(s, "as_int", 6) != 0) return is_dtype(f, s + 3, n - 3, t);
    *t = x->literal ? BZ_I64 : of_bytes[ir_dtype_bytes(type_of(f, x))];
    return true;
}

/* One parameter from "(x, i32 k)": its name and its own dtype or BZ_NDTYPES. */
static const char *parameter(const char *s, name *p, bz_dtype *t) {
    *t = BZ_NDTYPES;
    for (;;) {
        while (is_space(*s) || *s == '(' || *s == ',') s++;
        if (*s == ')') return NULL;
        p->s = s;
        while (is_letter(*s) || is_digit(*s)) s++;
        p->n = (size_t)(s - p->s);
        if (*t != BZ_NDTYPES || !ir_dtype_from_name(p->s, p->n, t)) return s;
    }
}

static bool class_fits(const char *type, bz_dtype t) {
    bz_dtype exact;
    if (strcmp(type, "float") == 0) return ir_is_float(t);
    if (strcmp(type, "int") == 0) return !ir_is_float(t);
    if (strcmp(type, "uint") == 0) return ir_dtypes[t].kind == IR_KIND_UINT;
    return !ir_dtype_from_name(type, strlen(type), &exact) || exact == t;
}

/* The dtype that T has in a call of `fn`: of the first operand that has one, or the function's
 * own. */
static bz_dtype call_type(frame *f, const function *fn, const operand *x, unsigned n) {
    name p;
    bz_dtype own, t;
    const char *s = fn->params;
    for (unsigned k = 0; k < n && (s = parameter(s, &p, &own)) != NULL; k++) {
        if (own == BZ_NDTYPES && !x[k].literal) return type_of(f, &x[k]);
    }
    return ir_dtype_from_name(fn->type, strlen(fn->type), &t) ? t : BZ_NDTYPES;
}

static bool read_text(frame *f, bz_dtype result, operand *out);

static bool expand(frame *f, const char *what, const char *text, const char *params, bz_dtype t,
                   operand *x, unsigned n, operand *out) {
    frame *g = bz_mem_zero(1, sizeof *g);
    bool ok = g != NULL;
    f->b->failed |= !ok;
    if (f->depth == MAX_DEPTH) ok = fail(f, "calls nested too deep");
    if (ok) {
        *g = (frame){.b = f->b,
                     .e = f->e,
                     .what = what,
                     .text = text,
                     .at = text,
                     .t = t,
                     .depth = f->depth + 1};
        const char *s = params;
        bz_dtype own;
        while (ok && (s = parameter(s, &g->names[g->nnames], &own)) != NULL) {
            name *p = &g->names[g->nnames++];
            if (g->nnames > n) break;
            p->x = x[g->nnames - 1];
            ok = as_type(f, &p->x, own == BZ_NDTYPES ? t : own);
        }
        ok = ok && (g->nnames == n || fail(f, "wrong number of operands")) &&
             read_text(g, BZ_NDTYPES, out);
    }
    bz_mem_free(g);
    return ok;
}

/* The function of this name whose type fits; specific ones stand before general ones in
 * math.def. */
static const function *find(frame *f, const char *s, size_t n, const operand *x, unsigned nx,
                            bz_dtype *t, bool *known) {
    *known = false;
    for (unsigned i = 0; i < BZ_LEN(functions); i++) {
        const function *fn = &functions[i];
        if (strncmp(fn->name, s, n) != 0 || fn->name[n] != '\0') continue;
        *known = true;
        *t = call_type(f, fn, x, nx);
        if (*t != BZ_NDTYPES && class_fits(fn->type, *t)) return fn;
    }
    return NULL;
}

static bool call(frame *f, const char *s, size_t n, operand *out) {
    operand x[MAX_ARGS];
    unsigned nx;
    bz_dtype t;
    bool known;
    if (n == 4 && memcmp(s, "rare", 4) == 0) return rare(f, out);
    if (!arguments(f, x, &nx)) return false;
    if (n == 6 && memcmp(s, "horner", 6) == 0) return horner(f, x, nx, out);
    if (is_dtype(f, s, n, &t)) return conversion(f, t, false, x, nx, out);
    if (bits_name(f, s, n, x, &t)) return conversion(f, t, true, x, nx, out);
    const function *fn = find(f, s, n, x, nx, &t, &known);
    if (fn) return expand(f, fn->name, fn->body, fn->params, t, x, nx, out);
    ir_op op = ir_op_from_name(s, n);
    if (known || !ir_op_is_elementwise(op))
        return fails_at(f, s,
                        known ? "no function of this name for this dtype" : "unknown function");
    if (nx != ir_ops[op].arity) return fails_at(f, s, "wrong number of operands");
    if (ir_op_is_base(op)) return apply(f, op, x, out);
    static const char *const params[] = {"()", "(x)", "(x, y)", "(x, y, z)"};
    return expand(f, ir_ops[op].name, ir_ops[op].value, params[nx],
                  x->literal ? f->t : type_of(f, x), x, nx, out);
}

/* ---- primaries */

static bool number(frame *f, operand *out) {
    *out = (operand){.literal = true};
    read_number(f->tok, &out->d, &out->i, &out->whole);
    next(f);
    return true;
}

static bool table_element(frame *f, const char *s, size_t n, operand *out) {
    operand index;
    for (unsigned k = 0; k < ir_vtable_count; k++) {
        if (strncmp(ir_vtables[k].name, s, n) != 0 || ir_vtables[k].name[n] != '\0') continue;
        if (!expression(f, &index) || (!take(f, "]") && !fail(f, "']' expected"))) return false;
        if (index.literal || (type_of(f, &index) != BZ_I32 && type_of(f, &index) != BZ_I64))
            return fail(f, "an i32 or i64 index expected");
        *out = (operand){.v = vb_table(f->b, k, index.v)};
        return true;
    }
    return fails_at(f, s, "unknown table");
}

static bool word(frame *f, operand *out) {
    const char *s = f->tok;
    size_t n = f->tok_n;
    next(f);
    if (take(f, "(")) return call(f, s, n, out);
    if (take(f, "[")) return table_element(f, s, n, out);
    for (unsigned i = f->nnames; i-- > 0;) {
        if (f->names[i].n == n && memcmp(f->names[i].s, s, n) == 0) {
            *out = f->names[i].x;
            return true;
        }
    }
    if (n == 3 && memcmp(s, "inf", 3) == 0)
        *out = literal_of((double)INFINITY, 0, false);
    else if (n == 3 && memcmp(s, "nan", 3) == 0)
        *out = literal_of((double)NAN, 0, false);
    else if ((n == 4 && memcmp(s, "true", 4) == 0) || (n == 5 && memcmp(s, "false", 5) == 0))
        *out = (operand){.v = vb_const(f->b, BZ_BOOL, n == 4)};
    else
        return fails_at(f, s, "unknown name");
    return true;
}

static bool primary(frame *f, operand *out) {
    if (f->b->failed) return false;
    if (is_digit(*f->tok)) return number(f, out);
    if (is_letter(*f->tok)) return word(f, out);
    if (!take(f, "(")) return fail(f, "a value expected");
    return expression(f, out) && expect(f, ")");
}

/* ---- a whole text */

/* `name = expr;` when one stands here: `*done` is false when not. */
static bool assignment(frame *f, bool *done) {
    const char *at = f->at, *tok = f->tok;
    size_t n = f->tok_n;
    *done = false;
    if (!is_letter(*tok)) return true;
    next(f);
    if (!is(f, "=")) {
        f->at = at;
        f->tok = tok;
        f->tok_n = n;
        return true;
    }
    next(f);
    operand x;
    if (!expression(f, &x)) return false;
    if (!take(f, ";")) return fail(f, "';' expected");
    if (f->nnames == MAX_NAMES) return fail(f, "too many names");
    f->names[f->nnames++] = (name){tok, n, x};
    *done = true;
    return true;
}

/* Lines, then the result; as dtype `result` unless that is BZ_NDTYPES. */
static bool read_text(frame *f, bz_dtype result, operand *out) {
    bool more = true;
    next(f);
    while (more) {
        if (!assignment(f, &more)) return false;
    }
    if (!expression(f, out)) return false;
    if (f->tok_n != 0) return fail(f, "the end expected");
    return result == BZ_NDTYPES || as_type(f, out, result);
}

bool vb_parse(vb *b, const char *text, unsigned nargs, const vb_val *arg, bz_dtype t,
              bz_dtype result, vb_val *out, bz_error *e) {
    static const char *const xyz[] = {"x", "y", "z"};
    frame f = {.b = b,
               .e = e,
               .what = text,
               .text = text,
               .at = text,
               .tok = text,
               .t = t,
               .nnames = nargs};
    operand value;
    for (unsigned k = 0; k < nargs; k++) f.names[k] = (name){xyz[k], 1, {.v = arg[k]}};
    if (!read_text(&f, result, &value)) return false;
    *out = value.v;
    return true;
}
