/* parse_inst.c - one instruction of the text form.
 *
 *     %name: type = op operands [immediate] @site      operands may give the type instead
 *
 * Operands are read first, with literals put aside; then the literals get the dtype of their
 * neighbours and become CONST instructions before this one. */
#include "src/ir/loops/parse.h"

#include <stdlib.h>
#include <string.h>

/* What stands before the op: the name and the type, if they are there. */
typedef struct head {
    lp_token name; /* kind END: none */
    bool typed, pointer;
    bz_dtype dtype;
    unsigned lanes;
} head;

static const lp_inst *at(const lp_parser *p, lp_val v) {
    return &p->k->inst.p[v];
}

static bool ok(const lp_parser *p) {
    return p->s.status == BZ_OK;
}

/* ---- the head */

/* f32, f32x16, *f32 */
static void type(lp_parser *p, head *h) {
    h->typed = true;
    h->pointer = lp_scan_accept(&p->s, "*");
    lp_token t = lp_scan_word(&p->s, "type");
    uint32_t n = 0;
    while (n < t.n && t.s[n] != 'x') n++;
    int lanes = 0;
    bool good = ir_dtype_from_name(t.s, n, &h->dtype);
    for (uint32_t i = n + 1; i < t.n && good; i++) {
        good = t.s[i] >= '0' && t.s[i] <= '9' && lanes <= LP_MAX_LANES;
        lanes = lanes * 10 + (t.s[i] - '0');
    }
    if (n == t.n) lanes = 1;
    if (!good || lanes < 1 || lanes > LP_MAX_LANES || (h->pointer && n < t.n))
        lp_scan_fail(&p->s, t, "not a type; f32, f32x8 or *f32 look like one");
    h->lanes = h->pointer ? 0 : (unsigned)lanes;
}

static head read_head(lp_parser *p) {
    head h = {.name = {TOK_END, "", 0}, .lanes = 1};
    if (p->s.tok.kind != TOK_VALUE) return h;
    h.name = p->s.tok;
    if (lp_parse_find(p, h.name)) lp_scan_fail(&p->s, h.name, "this value is already defined");
    lp_scan_next(&p->s);
    if (lp_scan_accept(&p->s, ":")) type(p, &h);
    lp_scan_expect(&p->s, "=");
    return h;
}

/* ---- operands */

static void operand(lp_parser *p) {
    lp_token t = p->s.tok;
    lp_operand o = {0, {TOK_END, "", 0}};
    if (t.kind == TOK_NUMBER) {
        o.literal = t;
    } else if (t.kind != TOK_VALUE) {
        lp_scan_fail(&p->s, t, "operand expected: a %%value or a number");
    } else if (!(o.v = lp_parse_find(p, t))) {
        lp_scan_fail(&p->s, t, "%%%.*s is not defined", (int)(t.n < 32 ? t.n : 32), t.s);
    }
    if (p->args.n == UINT16_MAX) lp_scan_fail(&p->s, t, "too many operands");
    lp_scan_next(&p->s);
    if (ok(p) && !bz_vec_push(&p->args, o)) lp_scan_no_memory(&p->s);
}

static void operand_list(lp_parser *p, const char *close) {
    bool any = close ? !lp_scan_is(&p->s, close)
                     : p->s.tok.kind == TOK_VALUE || p->s.tok.kind == TOK_NUMBER;
    while (any && ok(p)) {
        operand(p);
        any = lp_scan_accept(&p->s, ",");
    }
    if (close) lp_scan_expect(&p->s, close);
}

static int64_t bracketed(lp_parser *p, int64_t lo, int64_t hi) {
    lp_scan_expect(&p->s, "[");
    int64_t v = lp_scan_number(&p->s, lo, hi);
    lp_scan_expect(&p->s, "]");
    return v;
}

static int64_t bracketed_op(lp_parser *p) {
    lp_scan_expect(&p->s, "[");
    lp_token t = lp_scan_word(&p->s, "op");
    ir_op op = ir_op_from_name(t.s, t.n);
    if (!ir_op_is_base(op)) lp_scan_fail(&p->s, t, "base op expected");
    lp_scan_expect(&p->s, "]");
    return op;
}

static int64_t by_name(lp_parser *p, const lp_param *params, uint32_t n) {
    if (lp_scan_is(&p->s, "[")) return bracketed(p, INT64_MIN, INT64_MAX);
    lp_token t = lp_scan_word(&p->s, "parameter name");
    for (uint32_t i = 0; i < n; i++)
        if (lp_token_eq(t, params[i].name)) return i;
    lp_scan_fail(&p->s, t, "no such parameter");
    return 0;
}

static unsigned number_list(lp_parser *p, uint32_t *list) {
    unsigned n = 0;
    lp_scan_expect(&p->s, "[");
    do {
        if (n == LP_MAX_LANES)
            lp_scan_fail(&p->s, p->s.tok, "list of more than %d numbers", LP_MAX_LANES);
        if (ok(p)) list[n++] = (uint32_t)lp_scan_number(&p->s, 0, 2 * LP_MAX_LANES);
    } while (ok(p) && lp_scan_accept(&p->s, ","));
    lp_scan_expect(&p->s, "]");
    return n;
}

/* Operands and immediates as the form of the op wants them; the count of an extra list. */
static unsigned by_form(lp_parser *p, lp_inst *i, const char *form, uint32_t *list) {
    unsigned count = 0;
    for (const char *f = form; *f && ok(p); f++) {
        if (p->args.n && (*f == 'a' || *f == 'p')) lp_scan_expect(&p->s, ",");
        switch (*f) {
        case 'p':
            operand(p);
            lp_scan_expect(&p->s, "[");
            operand(p);
            lp_scan_expect(&p->s, "]");
            break;
        case 'm':
            if (lp_scan_accept(&p->s, "mask")) operand(p);
            break;
        case 'M':
            lp_scan_expect(&p->s, "mask");
            operand(p);
            break;
        case 'a': operand(p); break;
        case 'i': i->imm = bracketed(p, INT64_MIN, INT64_MAX); break;
        case 'o': i->imm = bracketed_op(p); break;
        case 'l': count = number_list(p, list); break;
        case 'b': i->imm = by_name(p, p->k->buffers.p, p->k->buffers.n); break;
        case 'e': i->imm = by_name(p, p->k->extents.p, p->k->extents.n); break;
        case 's': i->imm = by_name(p, p->k->scalars.p, p->k->scalars.n); break;
        default: operand_list(p, NULL); break;
        }
    }
    return count;
}

/* ---- ops with a form of their own */

static void constant(lp_parser *p, lp_inst *i, const head *h) {
    i->dtype = (uint8_t)(h->typed ? h->dtype : BZ_I64);
    if (lp_scan_accept(&p->s, "bits")) {
        lp_token t = p->s.tok;
        char text[24] = "", *end = text;
        if (t.kind == TOK_NUMBER && t.n < sizeof text) memcpy(text, t.s, t.n);
        i->imm = (int64_t)strtoull(text, &end, 16);
        unsigned bits = ir_dtypes[i->dtype].bits;
        if (*end || end == text || *text == '-' || (bits < 64 && (ir_bits)i->imm >> bits))
            lp_scan_fail(&p->s, t, "bits of one %s expected", ir_dtypes[i->dtype].name);
        lp_scan_next(&p->s);
        return;
    }
    i->imm = (int64_t)lp_scan_literal(&p->s, p->s.tok, (bz_dtype)i->dtype);
    lp_scan_next(&p->s);
}

static unsigned one_of(lp_parser *p, const char *const *names, unsigned n, const char *what) {
    lp_token t = lp_scan_word(&p->s, what);
    for (unsigned j = 0; j < n; j++)
        if (lp_token_eq(t, names[j])) return j;
    lp_scan_fail(&p->s, t, "%s expected", what);
    return 0;
}

static void loop(lp_parser *p, lp_inst *i) {
    i->flags = (uint8_t)one_of(p, lp_loop_names, BZ_LEN(lp_loop_names), "kind of loop");
    operand(p);
    lp_scan_expect(&p->s, ",");
    operand(p);
    i->imm = lp_scan_accept(&p->s, "step") ? lp_scan_number(&p->s, INT64_MIN, INT64_MAX) : 1;
}

static void call(lp_parser *p, lp_inst *i) {
    if (lp_scan_is(&p->s, "[")) {
        i->imm = bracketed(p, INT64_MIN, INT64_MAX);
    } else {
        lp_token t = lp_scan_word(&p->s, "function");
        uint32_t f = 0;
        while (f < p->m->k.n && !lp_token_eq(t, p->m->k.p[f]->name)) f++;
        i->imm = f;
        if (f == p->m->k.n) lp_scan_fail(&p->s, t, "no such function above");
    }
    lp_scan_expect(&p->s, "(");
    operand_list(p, ")");
}

static void special(lp_parser *p, lp_inst *i, const head *h) {
    switch (i->op) {
    case LP_CONST: constant(p, i, h); break;
    case LP_LOCAL:
        i->imm = bracketed(p, INT64_MIN, INT64_MAX);
        i->flags =
            (uint8_t)one_of(p, lp_scope_names, BZ_LEN(lp_scope_names), "stack, scratch or shared");
        break;
    case LP_LOOP: loop(p, i); /* fall through */
    case LP_WHILE:
        if (lp_scan_accept(&p->s, "(")) operand_list(p, ")");
        break;
    case LP_CARRY:
    case LP_RESULT:
        operand(p);
        i->imm = bracketed(p, INT64_MIN, INT64_MAX);
        break;
    case LP_CALL: call(p, i); break;
    default: break;
    }
    if (i->op == LP_LOAD || i->op == LP_STORE) {
        if (lp_scan_accept(&p->s, "stream")) i->flags |= LP_STREAM;
        if (lp_scan_accept(&p->s, "aligned")) i->flags |= LP_ALIGNED;
    }
}

/* ---- types */

/* The first operand that is a value, from `from` on; 0: none. */
static lp_val first_value(const lp_parser *p, uint32_t from) {
    for (uint32_t j = from; j < p->args.n; j++)
        if (p->args.p[j].v) return p->args.p[j].v;
    return 0;
}

/* Type of a literal operand number j: that of what stands beside it. */
static lp_inst literal_type(const lp_parser *p, const lp_inst *i, uint32_t j, const head *h) {
    lp_inst t = {.dtype = BZ_I64, .lanes = 1};
    const char *form = lp_fact_of(i->op).form;
    bool index = form[0] == 'p' && (j == 1 || (form[1] == 'p' && j == 3));
    if (index || i->op == LP_LOOP || i->op == LP_CALL || i->op == LP_ERROR) return t;
    lp_val v = first_value(p, i->op == IR_SELECT && j > 0);
    if (v) {
        t.dtype = at(p, v)->dtype;
        t.lanes = at(p, v)->lanes && i->op != LP_INSERT ? at(p, v)->lanes : 1;
    } else if (h->typed) {
        t.dtype = (uint8_t)h->dtype;
        t.lanes = (uint16_t)h->lanes;
    }
    return t;
}

/* Turns the operands that were read into values, literals into constants before the instruction. */
static void settle_operands(lp_parser *p, const lp_inst *i, const head *h) {
    p->vals.n = 0;
    for (uint32_t j = 0; j < p->args.n && ok(p); j++) {
        lp_val v = p->args.p[j].v;
        if (!v) {
            lp_inst c = literal_type(p, i, j, h);
            c.op = LP_CONST;
            c.imm = (int64_t)lp_scan_literal(&p->s, p->args.p[j].literal, (bz_dtype)c.dtype);
            v = lp_parse_push(p, c, NULL, 0, NULL);
        }
        if (ok(p) && !bz_vec_push(&p->vals, v)) lp_scan_no_memory(&p->s);
    }
}

static const lp_inst *value_at(const lp_parser *p, uint32_t j) {
    return at(p, j < p->vals.n ? p->vals.p[j] : 0);
}

/* The type of an instruction whose head does not say it; dtype BZ_NDTYPES when it must. */
static lp_inst inferred_base(const lp_parser *p, const lp_inst *i) {
    lp_inst t = *value_at(p, i->op == IR_SELECT);
    unsigned rule = ir_ops[i->op].rule;
    if (rule == IR_RULE_CONV) t.dtype = BZ_NDTYPES;
    if (rule == IR_RULE_BOOL) t.dtype = BZ_BOOL;
    return t;
}

static lp_inst inferred(const lp_parser *p, const lp_inst *i, unsigned count) {
    lp_inst t = *value_at(p, 0);
    const lp_kernel *k = p->k;
    if (ir_op_is_base(i->op)) return inferred_base(p, i);
    switch (i->op) {
    case LP_CONST: return (lp_inst){.dtype = BZ_I64, .lanes = 1};
    case LP_EXTENT:
    case LP_LOOP: return (lp_inst){.dtype = BZ_I64, .lanes = 1};
    case LP_BUFFER:
        return (lp_inst){.dtype = (uint8_t)(i->imm >= 0 && i->imm < k->buffers.n
                                                ? k->buffers.p[i->imm].dtype
                                                : BZ_NDTYPES)};
    case LP_SCALAR:
        t.lanes = 1;
        t.dtype = (uint8_t)(i->imm >= 0 && i->imm < k->scalars.n ? k->scalars.p[i->imm].dtype
                                                                 : BZ_NDTYPES);
        return t;
    case LP_EXTRACT:
    case LP_LOAD: t.lanes = 1; return t;
    case LP_SHUFFLE: t.lanes = (uint16_t)count; return t;
    case LP_IS_ALIGNED:
    case LP_ANY:
    case LP_ALL: return (lp_inst){.dtype = BZ_BOOL, .lanes = 1};
    case LP_GATHER: t.lanes = value_at(p, 1)->lanes; return t;
    case LP_MMA: return *value_at(p, 2);
    case LP_CARRY: {
        uint32_t skip = t.op == LP_LOOP ? 2 : 0;
        bool has = lp_opens_region(t.op) && i->imm >= 0 && i->imm < t.nargs - (int64_t)skip &&
                   t.op != LP_IF;
        return has ? *at(p, lp_args(k, &t)[skip + (uint32_t)i->imm])
                   : (lp_inst){.dtype = BZ_NDTYPES};
    }
    case LP_INSERT:
    case LP_OFFSET:
    case LP_WARP_SHUFFLE: return t;
    default: return (lp_inst){.dtype = BZ_NDTYPES};
    }
}

static void give_type(lp_parser *p, lp_inst *i, const head *h, unsigned count, lp_token op) {
    char result = lp_fact_of(i->op).result;
    if (result == 'N') {
        if (h->typed) lp_scan_fail(&p->s, h->name, "this instruction has no value");
        bool stores =
            i->op == LP_STORE || i->op == LP_SCATTER || i->op == LP_COMPRESS || i->op == LP_ATOMIC;
        if (stores) i->dtype = value_at(p, 2)->dtype;
        return;
    }
    lp_inst t = {.dtype = (uint8_t)h->dtype, .lanes = (uint16_t)h->lanes};
    if (!h->typed) t = inferred(p, i, count);
    if (!h->typed && (t.dtype >= BZ_NDTYPES || (result == 'V' && t.lanes == 0)))
        lp_scan_fail(&p->s, op, "the result needs a type, as in %%x: f32 = ...");
    if (h->typed && h->pointer != (result == 'P'))
        lp_scan_fail(&p->s, op, "result is %sa pointer", h->pointer ? "not " : "");
    i->dtype = t.dtype;
    i->lanes = result == 'P' ? 0 : t.lanes;
    if (i->op == LP_SHUFFLE && count != i->lanes)
        lp_scan_fail(&p->s, op, "as many lane numbers as lanes expected");
}

/* ---- the instruction */

static unsigned op_number(lp_parser *p, lp_token t) {
    for (unsigned op = LP_NOP + 1; op < LP_NOPS; op++)
        if (op != LP_ELSE && op != LP_END && lp_token_eq(t, lp_fact_of(op).name)) return op;
    ir_op op = ir_op_from_name(t.s, t.n);
    if (!ir_op_is_base(op))
        lp_scan_fail(&p->s, t, "unknown instruction '%.*s'", (int)(t.n < 32 ? t.n : 32), t.s);
    return op;
}

static void finish(lp_parser *p, lp_inst i, const head *h, lp_token op, const uint32_t *list) {
    bool region = lp_opens_region(i.op), named = h->name.kind != TOK_END;
    if (!named && lp_fact_of(i.op).result != 'N' && i.op != LP_LOOP)
        lp_scan_fail(&p->s, op, "the result needs a name");
    if (named && lp_fact_of(i.op).result == 'N' && !region)
        lp_scan_fail(&p->s, h->name, "this instruction has no value");
    if (lp_scan_accept(&p->s, "@")) i.site = (uint32_t)lp_scan_number(&p->s, 1, UINT32_MAX);
    lp_val v = lp_parse_push(p, i, p->vals.p, p->vals.n, list);
    if (v && named) lp_parse_define(p, h->name, v);
    if (i.op == LP_YIELD && ok(p) && !lp_scan_is(&p->s, "}"))
        lp_scan_fail(&p->s, p->s.tok, "yield stands last in its region");
    if (!region) return;
    lp_scan_expect(&p->s, "{");
    if (ok(p) && !bz_vec_push(&p->open, ((lp_open){v, false}))) lp_scan_no_memory(&p->s);
}

void lp_parse_inst(lp_parser *p) {
    head h = read_head(p);
    lp_token op = lp_scan_word(&p->s, "instruction");
    if (!ok(p)) return;
    lp_inst i = {.op = (uint16_t)op_number(p, op)};
    uint32_t list[LP_MAX_LANES];
    p->args.n = 0;
    unsigned count = by_form(p, &i, lp_fact_of(i.op).form, list);
    special(p, &i, &h);
    if (!ok(p)) return;
    if (i.op == LP_MMA && count != 3) lp_scan_fail(&p->s, op, "mma needs [m, n, k]");
    settle_operands(p, &i, &h);
    if (ok(p)) give_type(p, &i, &h, count, op);
    if (ok(p)) finish(p, i, &h, op, list);
}
