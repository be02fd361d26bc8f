/* facts.c - the table of kernel-loop instructions, and the raw kernel that instructions are
 * appended to. */
#include "src/ir/loops/facts.h"

#include <string.h>

#define PURE true
#define ACTS false

static const lp_fact table[LP_NOPS - LP_FIRST_] = {
#define FACT(E, pure, form) [LP_##E - LP_FIRST_] = {NULL, 0, pure, form}
    FACT(NOP, ACTS, ""),
    FACT(CONST, PURE, ""),
    FACT(EXTENT, PURE, "e"),
    FACT(SCALAR, PURE, "s"),
    FACT(TABLE, PURE, "ai"),
    FACT(SPLAT, PURE, "a"),
    FACT(LANEID, PURE, ""),
    FACT(EXTRACT, PURE, "ai"),
    FACT(INSERT, PURE, "aai"),
    FACT(SHUFFLE, PURE, "aal"),
    FACT(ANY, PURE, "a"),
    FACT(ALL, PURE, "a"),
    FACT(BUFFER, PURE, "b"),
    FACT(LOCAL, ACTS, ""),
    FACT(OFFSET, PURE, "p"),
    FACT(IS_ALIGNED, PURE, "pi"),
    FACT(LOAD, ACTS, "pm"),
    FACT(STORE, ACTS, "pam"),
    FACT(GATHER, ACTS, "pm"),
    FACT(SCATTER, ACTS, "pam"),
    FACT(COMPRESS, ACTS, "paM"),
    FACT(ATOMIC, ACTS, "pao"),
    FACT(PREFETCH, ACTS, "pi"),
    FACT(ASYNC_COPY, ACTS, "ppim"),
    FACT(ASYNC_WAIT, ACTS, "i"),
    FACT(LOOP, ACTS, ""),
    FACT(WHILE, ACTS, ""),
    FACT(IF, ACTS, "a"),
    FACT(ELSE, ACTS, ""),
    FACT(CARRY, ACTS, ""),
    FACT(YIELD, ACTS, "n"),
    FACT(END, ACTS, ""),
    FACT(RESULT, ACTS, ""),
    FACT(BARRIER, ACTS, ""),
    FACT(WARP_SHUFFLE, ACTS, "ai"),
    FACT(MMA, ACTS, "aaal"),
    FACT(CALL, ACTS, ""),
    FACT(ERROR, ACTS, "aai"),
    FACT(ASYNC_GROUP, ACTS, ""),
    FACT(LDMATRIX, ACTS, "pi"),
    FACT(EXTERNAL, ACTS, "n"),
#undef FACT
};

#define NAME(E, name, result, text) #name,
static const char *const names[] = {LP_OPS(NAME)};
#undef NAME
#define RESULT_OF(E, name, result, text) #result,
static const char *const results[] = {LP_OPS(RESULT_OF)};
#undef RESULT_OF
_Static_assert(BZ_LEN(names) == LP_NOPS - LP_FIRST_ - 1, "LP_NOP is the first op after LP_FIRST_");

const char *const lp_loop_names[] = {"serial", "unrolled", "parallel", "grid",
                                     "block",  "warp",     "lane"};
const char *const lp_scope_names[] = {"stack", "scratch", "shared"};
const char *const lp_access_names[] = {"in", "out", "inout", "work"};

lp_fact lp_fact_of(unsigned op) {
    static const char *const forms[] = {"", "a", "aa", "aaa"};
    if (ir_op_is_base(op))
        return (lp_fact){ir_ops[op].name, 'V', true, forms[ir_ops[op].arity & 3]};
    if (op < LP_NOP || op >= LP_NOPS) return (lp_fact){"?", 'N', false, ""};
    lp_fact f = table[op - LP_FIRST_];
    f.name = names[op - LP_NOP];
    f.result = results[op - LP_NOP][0];
    return f;
}

int lp_form_args(const char *form) {
    int n = 0;
    for (; *form; form++) {
        if (*form == 'n') return -1;
        n += *form == 'p' ? 2 : *form == 'a' || *form == 'M';
    }
    return n;
}

unsigned lp_extra_count(const lp_inst *i) {
    return i->op == LP_SHUFFLE ? i->lanes : i->op == LP_MMA ? 3 : 0;
}

bool lp_opens_region(unsigned op) {
    return op == LP_LOOP || op == LP_WHILE || op == LP_IF;
}

static const char *rule_problem(unsigned op, const lp_inst *const *x, unsigned n, bz_dtype result) {
    bz_dtype t = x[0]->dtype;
    unsigned rule = ir_ops[op].rule;
    if (rule == IR_RULE_CONV) {
        if (op != IR_BITCAST) return NULL;
        return ir_dtype_bytes(t) != ir_dtype_bytes(result) || (result == BZ_BOOL && t != BZ_BOOL)
                   ? "bitcast between dtypes of different size"
                   : NULL;
    }
    bool select = rule == IR_RULE_SELECT;
    if (select && t != BZ_BOOL) return "condition is not bool";
    for (unsigned j = select ? 2 : 1; j < n; j++)
        if (x[j]->dtype != x[select]->dtype) return "operands of different dtypes";
    t = x[select]->dtype;
    if (result != (rule == IR_RULE_BOOL ? BZ_BOOL : t)) return "wrong result dtype";
    if (ir_is_half(t) && !select) return "arithmetic on f16 or bf16";
    bool logic = op == IR_AND || op == IR_OR || op == IR_XOR || op == IR_NOT || select;
    if (t == BZ_BOOL && !logic) return "bool knows only and, or, xor, not, where, cast";
    if ((rule == IR_RULE_FLOAT && !ir_is_float(t)) || (rule == IR_RULE_INT && ir_is_float(t)))
        return "op not defined for this dtype";
    return NULL;
}

const char *lp_base_problem(unsigned op, const lp_inst *const *x, unsigned n, bz_dtype result,
                            unsigned lanes) {
    if (!ir_op_is_base(op) || n != ir_ops[op].arity) return "wrong number of operands";
    if (lanes == 0) return "a base op has a value";
    for (unsigned j = 0; j < n; j++) {
        if (x[j]->lanes == 0) return "operand is not a value";
        if (x[j]->lanes != lanes) return "operands of different lanes";
    }
    return rule_problem(op, x, n, result);
}

lp_val lp_push(lp_kernel *k, lp_inst i, const lp_val *args, unsigned n, const uint32_t *extra) {
    i.nargs = (uint16_t)n;
    i.args = k->args.n;
    unsigned nextra = lp_extra_count(&i);
    if (k->failed || !bz_vec_reserve(&k->args, n + nextra) || !bz_vec_reserve(&k->inst, 1)) {
        k->failed = true;
        return 0;
    }
    for (unsigned j = 0; j < n; j++) k->args.p[k->args.n++] = args[j];
    for (unsigned j = 0; j < nextra; j++) k->args.p[k->args.n++] = extra[j];
    k->inst.p[k->inst.n] = i;
    return k->inst.n++;
}

static bool push_param(lp_kernel *k, lp_param p, const char *name, int which) {
    bool done = !k->failed && (p.name = bz_arena_str(&k->names, name)) != NULL;
    if (done)
        done = which == 0   ? bz_vec_push(&k->buffers, p)
               : which == 1 ? bz_vec_push(&k->extents, p)
                            : bz_vec_push(&k->scalars, p);
    k->failed |= !done;
    return done;
}

bool lp_push_buffer(lp_kernel *k, const char *name, bz_dtype t, lp_access access) {
    return push_param(k, (lp_param){.dtype = t, .access = access}, name, 0);
}

bool lp_push_extent(lp_kernel *k, const char *name) {
    return push_param(k, (lp_param){.dtype = BZ_I64, .most = INT64_MAX}, name, 1);
}

bool lp_push_scalar(lp_kernel *k, const char *name, bz_dtype t) {
    return push_param(k, (lp_param){.dtype = t}, name, 2);
}

lp_kernel *lp_kernel_new(const char *name) {
    lp_kernel *k = bz_mem_zero(1, sizeof *k);
    if (!k) return NULL;
    k->name = bz_arena_str(&k->names, name);
    if (!k->name || !bz_vec_reserve(&k->inst, 64) || !bz_vec_reserve(&k->args, 128)) {
        lp_kernel_free(k);
        return NULL;
    }
    lp_push(k, (lp_inst){.op = LP_NOP}, NULL, 0, NULL);
    return k;
}

void lp_kernel_free(lp_kernel *k) {
    if (!k) return;
    bz_vec_free(&k->buffers);
    bz_vec_free(&k->extents);
    bz_vec_free(&k->scalars);
    bz_vec_free(&k->inst);
    bz_vec_free(&k->args);
    bz_arena_free(&k->names);
    bz_mem_free(k);
}

void lp_module_free(lp_module *m) {
    if (!m) return;
    for (uint32_t i = 0; i < m->k.n; i++) lp_kernel_free(m->k.p[i]);
    bz_vec_free(&m->k);
    bz_mem_free(m);
}
