/* print.c - a kernel as text (docs/loops.md). What is printed parses to the same kernel.
 *
 *     %7: f32x16 = load %x[%5] mask %6 stream
 *
 * Values are called by their number, so a line reads the same in a listing, a verifier message and
 * a debugger. Nothing here trusts the kernel: the verifier prints broken ones. */
#include "src/ir/loops/facts.h"

#include <stdio.h>
#include <string.h>

static void type(bz_text *t, const lp_inst *i) {
    const char *name = i->dtype < BZ_NDTYPES ? ir_dtypes[i->dtype].name : "?";
    if (lp_fact_of(i->op).result == 'P')
        bz_textf(t, "*%s", name);
    else if (i->lanes == 1)
        bz_text_str(t, name);
    else
        bz_textf(t, "%sx%u", name, i->lanes);
}

static lp_val operand_number(const lp_kernel *k, const lp_inst *i, unsigned j) {
    return j < i->nargs && i->args + j < k->args.n ? lp_args(k, i)[j] : 0;
}

static void operand(bz_text *t, const lp_kernel *k, const lp_inst *i, unsigned j) {
    bz_textf(t, "%%%u", operand_number(k, i, j));
}

static void operands(bz_text *t, const lp_kernel *k, const lp_inst *i, unsigned from) {
    for (unsigned j = from; j < i->nargs; j++) {
        bz_text_str(t, j == from ? "" : ", ");
        operand(t, k, i, j);
    }
}

/* A finite float so that it reads back exactly. */
static void real(bz_text *t, bz_dtype d, double v) {
    char s[64];
    bz_snprintf(s, sizeof s, d == BZ_F64 ? "%.17g" : d == BZ_F32 ? "%.9g" : "%.6g", v);
    bz_textf(t, "%s%s", s, strpbrk(s, ".e") ? "" : ".0");
}

static void constant(bz_text *t, const lp_inst *i) {
    if (i->dtype >= BZ_NDTYPES) {
        bz_text_str(t, "?");
        return;
    }
    bz_dtype d = (bz_dtype)i->dtype;
    char digits[IR_DIGITS];
    double v = ir_is_float(d) ? ir_bits_to_f64(d, (ir_bits)i->imm) : 0;
    if (!ir_is_float(d))
        bz_text_str(t, ir_digits(digits, ir_number_of_bits(d, (ir_bits)i->imm)));
    else if (v - v == 0)
        real(t, d, v);
    else
        bz_textf(t, "bits 0x%llx", (unsigned long long)i->imm);
}

static void parameter(bz_text *t, const lp_param *p, uint32_t n, int64_t number) {
    if (number >= 0 && number < n)
        bz_textf(t, " %s", p[number].name);
    else
        bz_textf(t, " [%lld]", (long long)number);
}

static void mask(bz_text *t, const lp_kernel *k, const lp_inst *i, unsigned j) {
    if (j >= i->nargs) return;
    bz_text_str(t, " mask ");
    operand(t, k, i, j);
}

static void list(bz_text *t, const lp_kernel *k, const lp_inst *i) {
    for (unsigned j = 0; j < lp_extra_count(i); j++) {
        uint32_t at = i->args + i->nargs + j;
        bz_textf(t, "%s%u", j ? ", " : " [", at < k->args.n ? k->args.p[at] : 0);
    }
    bz_text_str(t, lp_extra_count(i) ? "]" : "");
}

static void by_form(bz_text *t, const lp_kernel *k, const lp_inst *i, const char *form) {
    unsigned j = 0;
    for (const char *f = form; *f; f++) {
        if (strchr("apn", *f) && (*f != 'n' || i->nargs)) bz_text_str(t, j ? ", " : " ");
        switch (*f) {
        case 'a': operand(t, k, i, j++); break;
        case 'p':
            operand(t, k, i, j++);
            bz_text_str(t, "[");
            operand(t, k, i, j++);
            bz_text_str(t, "]");
            break;
        case 'm':
        case 'M': mask(t, k, i, j++); break;
        case 'i': bz_textf(t, " [%lld]", (long long)i->imm); break;
        case 'o': bz_textf(t, " [%s]", lp_fact_of((unsigned)i->imm).name); break;
        case 'l': list(t, k, i); break;
        case 'b': parameter(t, k->buffers.p, k->buffers.n, i->imm); break;
        case 'e': parameter(t, k->extents.p, k->extents.n, i->imm); break;
        case 's': parameter(t, k->scalars.p, k->scalars.n, i->imm); break;
        default: operands(t, k, i, 0); break;
        }
    }
}

static void loop(bz_text *t, const lp_kernel *k, const lp_inst *i) {
    unsigned kind = i->flags & 15;
    bz_textf(t, " %s ", kind <= LP_LANE ? lp_loop_names[kind] : "?");
    operand(t, k, i, 0);
    bz_text_str(t, ", ");
    operand(t, k, i, 1);
    if (i->imm != 1) bz_textf(t, " step %lld", (long long)i->imm);
}

static void inits(bz_text *t, const lp_kernel *k, const lp_inst *i, unsigned from) {
    if (i->nargs > from) {
        bz_text_str(t, " (");
        operands(t, k, i, from);
        bz_text_str(t, ")");
    }
}

static void call(bz_text *t, const lp_kernel *k, const lp_module *m, const lp_inst *i) {
    if (m && i->imm >= 0 && i->imm < m->k.n)
        bz_textf(t, " %s(", m->k.p[i->imm]->name);
    else
        bz_textf(t, " [%lld](", (long long)i->imm);
    operands(t, k, i, 0);
    bz_text_str(t, ")");
}

static void flags(bz_text *t, const lp_inst *i) {
    if (i->op != LP_LOAD && i->op != LP_STORE) return;
    bz_text_str(t, i->flags & LP_STREAM ? " stream" : "");
    bz_text_str(t, i->flags & LP_ALIGNED ? " aligned" : "");
}

static void body(bz_text *t, const lp_kernel *k, const lp_module *m, const lp_inst *i) {
    lp_fact f = lp_fact_of(i->op);
    bz_text_str(t, f.name);
    by_form(t, k, i, f.form);
    if (i->op == LP_CONST) {
        bz_text_str(t, " ");
        constant(t, i);
    } else if (i->op == LP_LOCAL) {
        unsigned scope = i->flags & 15;
        bz_textf(t, " [%lld] %s", (long long)i->imm,
                 scope <= LP_SHARED ? lp_scope_names[scope] : "?");
    } else if (i->op == LP_LOOP) {
        loop(t, k, i);
        inits(t, k, i, 2);
    } else if (i->op == LP_WHILE) {
        inits(t, k, i, 0);
    } else if (i->op == LP_CARRY || i->op == LP_RESULT) {
        bz_text_str(t, " ");
        operand(t, k, i, 0);
        bz_textf(t, " [%lld]", (long long)i->imm);
    } else if (i->op == LP_CALL) {
        call(t, k, m, i);
    }
    flags(t, i);
}

void lp_print_inst(bz_text *t, const lp_kernel *k, const lp_module *m, lp_val v) {
    const lp_inst *i = &k->inst.p[v];
    if (i->op == LP_ELSE || i->op == LP_END) {
        bz_text_str(t, i->op == LP_ELSE ? "} else {" : "}");
        return;
    }
    if (lp_fact_of(i->op).result != 'N' || i->op == LP_WHILE || i->op == LP_IF)
        bz_textf(t, "%%%u", v);
    if (lp_fact_of(i->op).result != 'N' && i->op != LP_LOOP) {
        bz_text_str(t, ": ");
        type(t, i);
    }
    if (lp_fact_of(i->op).result != 'N' || lp_opens_region(i->op)) bz_text_str(t, " = ");
    body(t, k, m, i);
    if (i->site) bz_textf(t, " @%u", i->site);
    bz_text_str(t, lp_opens_region(i->op) ? " {" : "");
}

static void parameters(bz_text *t, const lp_kernel *k) {
    for (uint32_t j = 0; j < k->buffers.n; j++) {
        const lp_param *p = &k->buffers.p[j];
        bz_textf(t, "%s%s: %s %s", j ? ", " : "", p->name, ir_dtypes[p->dtype].name,
                 lp_access_names[p->access]);
    }
    if (k->extents.n || k->scalars.n) bz_text_str(t, ";");
    for (uint32_t j = 0; j < k->extents.n; j++)
        bz_textf(t, "%s %s", j ? "," : "", k->extents.p[j].name);
    if (k->scalars.n) bz_text_str(t, ";");
    for (uint32_t j = 0; j < k->scalars.n; j++)
        bz_textf(t, "%s %s: %s", j ? "," : "", k->scalars.p[j].name,
                 ir_dtypes[k->scalars.p[j].dtype].name);
}

void lp_print(bz_text *t, const lp_kernel *k, const lp_module *m) {
    bz_textf(t, "%s %s(", k->function ? "function" : "kernel", k->name);
    parameters(t, k);
    bz_text_str(t, ") {\n");
    int depth = 1;
    for (lp_val v = 1; v < k->inst.n; v++) {
        const lp_inst *i = &k->inst.p[v];
        bool closed = v + 1 < k->inst.n && (i[1].op == LP_ELSE || i[1].op == LP_END);
        if (i->op == LP_YIELD && i->nargs == 0 && !i->site && closed) continue;
        depth -= (i->op == LP_END || i->op == LP_ELSE) && depth > 1;
        bz_textf(t, "%*s", 2 * depth, "");
        lp_print_inst(t, k, m, v);
        bz_text_str(t, "\n");
        depth += lp_opens_region(i->op) || i->op == LP_ELSE;
    }
    bz_text_str(t, "}\n");
}

void lp_print_module(bz_text *t, const lp_module *m) {
    for (uint32_t j = 0; j < m->k.n; j++) {
        bz_text_str(t, j ? "\n" : "");
        lp_print(t, m->k.p[j], m);
    }
}
