/* rule_text.c - a small recursive-descent reader that builds nodes as it reads.
 *
 *     comparison := sum [("<" | ">" | "<=" | ">=" | "==") sum]
 *     sum        := product {("+" | "-") product}
 *     product    := factor {("*" | "/") factor}
 *     factor     := "-" factor | number | name | op "(" comparison {"," comparison} ")" | "(" comparison ")"            */
#include "src/passes/rule_text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
    ir_graph *g;
    const char *text, *at;
    const rule_scope *s;
} reader;

static ir_ref comparison(reader *r);

static bool take(reader *r, const char *token) {
    while (*r->at == ' ') r->at++;
    size_t n = strlen(token);
    if (strncmp(r->at, token, n)) return false;
    r->at += n;
    return true;
}

static void want(reader *r, const char *token) {
    if (!take(r, token)) bz_bug("rule '%s': '%s' expected at '%s'", r->text, token, r->at);
}

static ir_ref call(reader *r, const char *name, size_t n) {
    ir_ref x[3];
    unsigned count = 0;
    do {
        bz_assert(count < 3);
        x[count++] = comparison(r);
    } while (take(r, ","));
    want(r, ")");
    if (n == 9 && !memcmp(name, "cast_like", 9))
        return x[0] && x[1] ? ir_cast(r->g, x[0], ir_dtype(r->g, x[1])) : 0;
    ir_op op = ir_op_from_name(name, n);
    if (!ir_op_is_elementwise(op) || ir_ops[op].arity != count)
        bz_bug("rule '%s': no op %.*s with %u operands", r->text, (int)n, name, count);
    return ir_build(r->g, op, x, count);
}

static ir_ref factor(reader *r) {
    if (take(r, "-")) return ir_build1(r->g, IR_NEG, factor(r));
    if (take(r, "(")) {
        ir_ref v = comparison(r);
        want(r, ")");
        return v;
    }
    while (*r->at == ' ') r->at++;
    const char *start = r->at;
    if (isdigit((unsigned char)*start)) {
        char *end;
        double v = bz_read_number(start, &end);
        r->at = end;
        bz_dtype t = ir_dtype(r->g, r->s->like);
        return ir_const_f(r->g, ir_is_float(t) ? t : BZ_F32, v);
    }
    while (isalnum((unsigned char)*r->at) || *r->at == '_') r->at++;
    size_t n = (size_t)(r->at - start);
    if (n && take(r, "(")) return call(r, start, n);
    const char *name = n == 1 ? strchr(r->s->names, *start) : NULL;
    if (!name) bz_bug("rule '%s': '%.*s' is not a name", r->text, (int)n, start);
    return r->s->value[name - r->s->names];
}

static ir_ref product(reader *r) {
    ir_ref v = factor(r);
    for (;;) {
        if (take(r, "*"))
            v = ir_build2(r->g, IR_MUL, v, factor(r));
        else if (take(r, "/"))
            v = ir_build2(r->g, IR_DIV, v, factor(r));
        else
            return v;
    }
}

static ir_ref sum(reader *r) {
    ir_ref v = product(r);
    for (;;) {
        if (take(r, "+"))
            v = ir_build2(r->g, IR_ADD, v, product(r));
        else if (take(r, "-"))
            v = ir_build2(r->g, IR_SUB, v, product(r));
        else
            return v;
    }
}

static ir_ref comparison(reader *r) {
    static const struct {
        const char *token;
        ir_op op;
    } ops[] = {{"<=", IR_LE}, {">=", IR_GE}, {"==", IR_EQ}, {"<", IR_LT}, {">", IR_GT}};
    ir_ref v = sum(r);
    for (unsigned i = 0; i < BZ_LEN(ops); i++)
        if (take(r, ops[i].token)) return ir_build2(r->g, ops[i].op, v, sum(r));
    return v;
}

ir_ref rule_build(ir_graph *g, const char *text, const rule_scope *s) {
    reader r = {g, text, text, s};
    ir_ref v = comparison(&r);
    if (take(&r, "") && *r.at) bz_bug("rule '%s': unread '%s'", text, r.at);
    return v;
}
