/* value_emit.c - value programs written out as kernel loop instructions.
 *
 *     program:  %2 = mul %0 %1          kernel, width 2:  %a2 = mul %a0 %a1
 *               %3 = fma %2 ...                           %b2 = mul %b0 %b1
 *                                                         %a3 = fma %a2 ...
 *
 * A RARE region becomes one `if` for all copies: its condition is whether any lane of any copy
 * needs it. */
#include "src/ir/loops/value_emit.h"

#include <string.h>

/* One expansion; v[i * width + w] is instruction i of copy w. */
typedef struct emit {
    lp_builder *b;
    const ir_vprog *p;
    unsigned width, lanes;
    lp_val *v;
} emit;

static lp_val *copies(const emit *e, unsigned inst) {
    return e->v + inst * e->width;
}

static void open_region(const emit *e, const ir_vinst *i) {
    const lp_val *cond = copies(e, i->x[0]);
    lp_val some = cond[0];
    for (unsigned w = 1; w < e->width; w++)
        some = lp_base(e->b, IR_OR, BZ_BOOL, (const lp_val[]){some, cond[w]}, 2);
    lp_if(e->b, lp_any(e->b, some));
}

/* Inside the region the choice is made lane by lane; beside it the fast values are all there is. */
static void close_region(const emit *e, const ir_vinst *i, lp_val *out) {
    const lp_val *cond = copies(e, i->x[0]), *slow = copies(e, i->x[1]), *fast = copies(e, i->x[2]);
    lp_val chosen[LP_VALUE_MAX_WIDTH];
    for (unsigned w = 0; w < e->width; w++)
        chosen[w] = lp_base(e->b, IR_SELECT, (bz_dtype)i->dtype,
                            (const lp_val[]){cond[w], slow[w], fast[w]}, 3);
    lp_else(e->b, chosen, e->width);
    lp_end(e->b, fast, e->width, out);
}

static void emit_step(const emit *e, unsigned at, unsigned w, const lp_val *const x[3]) {
    const ir_vinst *i = &e->p->inst[at];
    bz_dtype t = (bz_dtype)i->dtype;
    lp_val *out = &copies(e, at)[w], in[3] = {0};
    for (unsigned k = 0; k < i->nargs; k++) in[k] = copies(e, i->x[k])[w];
    switch (i->op) {
    case IR_V_ARG: *out = lp_splat(e->b, x[i->imm][w], e->lanes); break;
    case IR_V_CONST: *out = lp_const(e->b, t, i->imm, e->lanes); break;
    case IR_V_TABLE: *out = lp_table(e->b, (unsigned)i->imm, t, in[0]); break;
    default: *out = lp_base(e->b, (ir_op)i->op, t, in, i->nargs);
    }
}

static void emit_program(const emit *e, const lp_val *const x[3]) {
    for (unsigned at = 0; at < e->p->n; at++) {
        const ir_vinst *i = &e->p->inst[at];
        if (i->op == IR_V_RARE)
            open_region(e, i);
        else if (i->op == IR_V_END)
            close_region(e, i, copies(e, at));
        else
            for (unsigned w = 0; w < e->width; w++) emit_step(e, at, w, x);
    }
}

static unsigned widest(lp_builder *b, const lp_val *const x[3], unsigned n) {
    unsigned lanes = 1;
    for (unsigned k = 0; k < n; k++) {
        if (lp_at(b, x[k][0])->lanes > lanes) lanes = lp_at(b, x[k][0])->lanes;
    }
    return lanes;
}

bool lp_value(lp_builder *b, ir_op op, bz_dtype result, const lp_val *const x[3], unsigned n,
              unsigned width, lp_val *out) {
    bz_assert(n == ir_ops[op].arity && width >= 1 && width <= LP_VALUE_MAX_WIDTH);
    memset(out, 0, width * sizeof *out);
    if (lp_failed(b)) return false;
    const ir_vprog *p = ir_value(op, (bz_dtype)lp_at(b, x[n - 1][0])->dtype, result);
    emit e = {.b = b, .p = p, .width = width, .lanes = widest(b, x, n)};
    e.v = p ? bz_mem_zero((size_t)p->n * width, sizeof *e.v) : NULL;
    if (!e.v) {
        lp_give_up(b);
        return false;
    }
    emit_program(&e, x);
    memcpy(out, copies(&e, p->out), width * sizeof *out);
    bz_mem_free(e.v);
    return true;
}
