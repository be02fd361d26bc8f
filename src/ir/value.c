/* value.c - makes value programs: step by step with folding and look-up, then packed, with slots
 * for evaluation.
 *
 * Invariant while building: an instruction's operands stand before it and are visible to it; a
 * region (RARE .. END) is closed before the one round it. */
#include "src/ir/value_build.h"

#include <stdatomic.h>
#include <string.h>

enum { MAX_STEPS = 8192 };

/* ---- steps */

static bool is_const(const vb *b, vb_val v) {
    return b->inst.p[v].op == IR_V_CONST;
}

static bool same(const ir_vinst *a, const ir_vinst *b) {
    return a->op == b->op && a->dtype == b->dtype && a->nargs == b->nargs && a->imm == b->imm &&
           memcmp(a->x, b->x, sizeof a->x) == 0;
}

static vb_val append(vb *b, ir_vinst i) {
    if (b->inst.n == MAX_STEPS) bz_bug("a value program of more than %d steps", MAX_STEPS);
    if (b->failed || !bz_vec_reserve(&b->inst, 1) || !bz_vec_push(&b->hidden, false)) {
        b->failed = true;
        return 0;
    }
    b->inst.p[b->inst.n] = i;
    return (vb_val)b->inst.n++;
}

/* An instruction without effects: the one that already gives this value, or a new one. */
static vb_val step(vb *b, ir_vinst i) {
    for (uint32_t k = b->inst.n; k-- > 0;) {
        if (!b->hidden.p[k] && same(&b->inst.p[k], &i)) return (vb_val)k;
    }
    return append(b, i);
}

vb_val vb_arg(vb *b, bz_dtype t) {
    return append(b, (ir_vinst){.op = IR_V_ARG, .dtype = (uint8_t)t, .imm = b->inst.n});
}

vb_val vb_const(vb *b, bz_dtype t, ir_bits bits) {
    return step(b, (ir_vinst){.op = IR_V_CONST, .dtype = (uint8_t)t, .imm = bits});
}

vb_val vb_table(vb *b, unsigned table, vb_val index) {
    return step(b, (ir_vinst){.op = IR_V_TABLE,
                              .dtype = (uint8_t)ir_vtables[table].dtype,
                              .nargs = 1,
                              .x = {index},
                              .imm = table});
}

vb_val vb_rare(vb *b, vb_val cond) {
    return append(b, (ir_vinst){.op = IR_V_RARE, .dtype = BZ_BOOL, .nargs = 1, .x = {cond}});
}

vb_val vb_end(vb *b, vb_val rare, vb_val slow, vb_val fast) {
    if (b->failed) return 0;
    for (uint32_t k = rare; k < b->inst.n; k++) b->hidden.p[k] = true;
    b->inst.p[rare].imm = b->inst.n;
    return append(b, (ir_vinst){.op = IR_V_END,
                                .dtype = b->inst.p[fast].dtype,
                                .nargs = 3,
                                .x = {b->inst.p[rare].x[0], slow, fast}});
}

/* ---- folding */

static vb_val base(vb *b, ir_op op, bz_dtype result, unsigned n, const vb_val *x);

static vb_val base2(vb *b, ir_op op, vb_val x, vb_val y) {
    return base(b, op, vb_dtype(b, x), 2, (const vb_val[]){x, y});
}

static vb_val not(vb * b, vb_val x) {
    return base(b, IR_NOT, BZ_BOOL, 1, &x);
}

/* A base op on bool operands x, y as one of and, or, xor, not. */
static vb_val base_of_bool(vb *b, ir_op op, vb_val x, vb_val y) {
    switch (op) {
    case IR_ADD:
    case IR_MAX: return base2(b, IR_OR, x, y);
    case IR_SUB:
    case IR_NE: return base2(b, IR_XOR, x, y);
    case IR_MUL:
    case IR_MIN:
    case IR_IDIV: return base2(b, IR_AND, x, y);
    case IR_IMOD: return vb_const(b, BZ_BOOL, 0);
    case IR_SHL: /* a count of 1 is out of range */
    case IR_SHR:
    case IR_LSHR: return base2(b, IR_AND, x, not(b, y));
    case IR_EQ: return not(b, base2(b, IR_XOR, x, y));
    case IR_LT: return base2(b, IR_AND, not(b, x), y);
    case IR_LE: return base2(b, IR_OR, not(b, x), y);
    case IR_CLZ: return not(b, x);
    default: return x; /* neg, abs, popcount, roundings */
    }
}

static bool rounds_to_integer(ir_op op) {
    return op == IR_FLOOR || op == IR_CEIL || op == IR_TRUNC || op == IR_RINT;
}

/* The value when it needs no instruction of its own; false when it does. */
static bool fold(vb *b, ir_op op, bz_dtype result, unsigned n, const vb_val *x, vb_val *out) {
    bz_dtype t = vb_dtype(b, x[op == IR_SELECT]);
    bool constant = true;
    ir_bits bits[3] = {0};
    for (unsigned k = 0; k < n; k++) {
        constant = constant && is_const(b, x[k]);
        bits[k] = b->inst.p[x[k]].imm;
    }
    if (op == IR_SELECT && (is_const(b, x[0]) || x[1] == x[2]))
        *out = is_const(b, x[0]) && bits[0] == 0 ? x[2] : x[1];
    else if (constant)
        *out = vb_const(b, result, ir_base_eval_bits(op, t, result, bits));
    else if (rounds_to_integer(op) && !ir_is_float(t))
        *out = x[0];
    else if ((op == IR_CAST || op == IR_BITCAST) && t == result)
        *out = x[0];
    else if (op == IR_NOT && b->inst.p[x[0]].op == IR_NOT)
        *out = b->inst.p[x[0]].x[0];
    else
        return false;
    return true;
}

/* One base op in a form that value.h allows; casts arrive here already split. */
static vb_val base(vb *b, ir_op op, bz_dtype result, unsigned n, const vb_val *x) {
    vb_val out;
    if (b->failed) return 0;
    if (fold(b, op, result, n, x, &out)) return out;
    ir_vinst i = {.op = (uint8_t)op, .dtype = (uint8_t)result, .nargs = (uint8_t)n};
    memcpy(i.x, x, n * sizeof *x);
    if ((ir_ops[op].flags & IR_COMMUTES) && i.x[0] > i.x[1]) {
        i.x[0] = x[1];
        i.x[1] = x[0];
    }
    return step(b, i);
}

/* ---- conversions
 *
 * Machines convert integers, f32 and f64 into each other, and f16 and bf16 to and from f32.
 * Other pairs go by steps that round at most once: a double or integer becomes an f32 rounded
 * *to odd* first (truncated, last bit set if anything was lost). */

static vb_val cast(vb *b, vb_val x, bz_dtype to) {
    return base(b, IR_CAST, to, 1, &x);
}

/* An f32 from which a half type rounds as from x (f64, or an integer of 32 bits or more) itself. */
static vb_val f32_to_odd(vb *b, vb_val x) {
    static const char *const of_f64 = "cast_to_odd(x)";
    vb_val out = 0;
    bz_error e = {0};
    if (!vb_parse(b, of_f64, 1, &x, vb_dtype(b, x), BZ_F32, &out, &e) && !b->failed)
        bz_bug("%s: %s", of_f64, e.text);
    return out;
}

static vb_val convert(vb *b, vb_val x, bz_dtype to) {
    bz_dtype from = vb_dtype(b, x);
    if (from == to || b->failed) return x;
    if (is_const(b, x)) return vb_const(b, to, ir_bits_cast(to, from, b->inst.p[x].imm));
    if (to == BZ_BOOL) {
        x = ir_is_half(from) ? cast(b, x, BZ_F32) : x;
        vb_val zero = vb_const(b, vb_dtype(b, x), 0);
        return base(b, IR_NE, BZ_BOOL, 2, (const vb_val[]){x, zero});
    }
    if (ir_is_half(from) && to != BZ_F32) return convert(b, cast(b, x, BZ_F32), to);
    if (ir_is_half(to) && from != BZ_F32 && ir_dtypes[from].bits >= 32)
        return cast(b, f32_to_odd(b, x), to);
    if (ir_is_half(to) && from != BZ_F32)
        return cast(b, cast(b, x, BZ_F32), to); /* bool and small integers are exact in f32 */
    return cast(b, x, to);
}

vb_val vb_base(vb *b, ir_op op, bz_dtype result, const vb_val *x) {
    if (b->failed) return 0;
    if (op == IR_CAST) return convert(b, x[0], result);
    if (vb_dtype(b, x[0]) == BZ_BOOL && op != IR_SELECT && op != IR_AND && op != IR_OR &&
        op != IR_XOR && op != IR_NOT && op != IR_BITCAST)
        return base_of_bool(b, op, x[0], x[ir_ops[op].arity > 1]);
    return base(b, op, result, ir_ops[op].arity, x);
}

/* ---- packing: what the result does not need goes, slots are given out */

static void mark_used(const vb *b, vb_val out, unsigned nargs, bool *used) {
    for (unsigned k = 0; k < nargs; k++) used[k] = true;
    used[out] = true;
    for (uint32_t i = b->inst.n; i-- > 0;) {
        const ir_vinst *v = &b->inst.p[i];
        for (unsigned k = 0; used[i] && k < v->nargs; k++) used[v->x[k]] = true;
    }
    for (uint32_t i = 0; i < b->inst.n; i++) { /* a RARE is as useful as its END */
        const ir_vinst *v = &b->inst.p[i];
        if (v->op == IR_V_RARE) used[i] = used[v->imm];
    }
}

/* Slots by last use. A result takes its slot before its operands give theirs back, and a value
 * that a region needs keeps its slot to the end of it. */
static void give_slots(ir_vprog *p) {
    uint16_t last[MAX_STEPS], free_slot[IR_V_MAX_SLOTS];
    unsigned nfree = 0;
    for (uint16_t i = 0; i < p->n; i++) {
        last[i] = i;
        for (unsigned k = 0; k < p->inst[i].nargs; k++) last[p->inst[i].x[k]] = i;
    }
    last[p->out] = p->n;
    for (uint16_t i = 0; i < p->n; i++) {
        ir_vinst *v = &p->inst[i];
        if (nfree == 0 && p->nslots == IR_V_MAX_SLOTS)
            bz_bug("a value program with more than %d live values", IR_V_MAX_SLOTS);
        v->slot = nfree ? (uint8_t)free_slot[--nfree] : p->nslots++;
        for (unsigned k = 0; k <= v->nargs; k++) {
            uint16_t o = k < v->nargs ? v->x[k] : i;
            if (last[o] == i) {
                free_slot[nfree++] = p->inst[o].slot;
                last[o] = UINT16_MAX; /* once, though an operand may be named twice */
            }
        }
    }
}

static ir_vprog *pack(const vb *b, vb_val out, unsigned nargs) {
    bool *used = bz_mem_zero(b->inst.n, sizeof *used);
    uint16_t *to = bz_mem_zero(b->inst.n, sizeof *to);
    ir_vprog *p = bz_mem_zero(1, sizeof *p + b->inst.n * sizeof *p->inst);
    if (used && to && p) {
        mark_used(b, out, nargs, used);
        for (uint32_t i = 0; i < b->inst.n; i++) {
            if (!used[i]) continue;
            ir_vinst v = b->inst.p[i];
            for (unsigned k = 0; k < v.nargs; k++) v.x[k] = to[v.x[k]];
            if (v.op == IR_V_END) { /* the innermost open RARE is its own */
                uint16_t r = p->n;
                while (p->inst[--r].op != IR_V_RARE || p->inst[r].imm != i)
                    ;
                p->inst[r].imm = p->n;
            }
            to[i] = p->n;
            p->inst[p->n++] = v;
        }
        p->nargs = (uint8_t)nargs;
        p->out = to[out];
        p->result = vb_dtype(b, out);
        for (unsigned k = 0; k < nargs; k++) p->arg[k] = vb_dtype(b, (vb_val)k);
        give_slots(p);
    } else {
        bz_mem_free(p);
        p = NULL;
    }
    bz_mem_free(used);
    bz_mem_free(to);
    return p;
}

/* ---- programs */

/* Operands cast up from half types, the text, the result cast down. `text` NULL: the base op. */
static vb_val body(vb *b, ir_op op, const char *text, unsigned nargs, bz_dtype result,
                   bz_error *e) {
    vb_val x[3] = {0}, out = 0;
    /* bits are only moved, or conversion is the op */
    bool moves = op == IR_SELECT || op == IR_CAST || op == IR_BITCAST;
    for (unsigned k = 0; k < nargs; k++)
        x[k] = moves ? (vb_val)k : convert(b, (vb_val)k, ir_compute_dtype(vb_dtype(b, (vb_val)k)));
    bz_dtype compute = moves ? result : ir_compute_dtype(result);
    if (!text)
        out = vb_base(b, op, compute, x);
    else if (!vb_parse(b, text, nargs, x, vb_dtype(b, x[nargs - 1]), compute, &out, e))
        return 0;
    return b->failed ? 0 : convert(b, out, result);
}

static ir_vprog *make(ir_op op, const char *text, unsigned nargs, const bz_dtype *arg,
                      bz_dtype result, bz_error *e) {
    vb b = {0};
    ir_vprog *p = NULL;
    bz_assert(nargs >= 1 && nargs <= 3);
    for (unsigned k = 0; k < nargs; k++) vb_arg(&b, arg[k]);
    vb_val out = b.failed ? 0 : body(&b, op, text, nargs, result, e);
    if (!b.failed && e->status == BZ_OK) p = pack(&b, out, nargs);
    if (!p) bz_fail(e, BZ_ENOMEM, "out of memory for a value program");
    bz_vec_free(&b.inst);
    bz_vec_free(&b.hidden);
    return p;
}

ir_vprog *ir_value_compile(const char *text, unsigned nargs, const bz_dtype *arg, bz_dtype result,
                           bz_error *e) {
    bz_error own = {0};
    return make(IR_NIL, text, nargs, arg, result, e ? e : &own);
}

const ir_vprog *ir_value(ir_op op, bz_dtype operand, bz_dtype result) {
    static _Atomic(ir_vprog *) made[IR_ELEM_END][BZ_NDTYPES][BZ_NDTYPES];
    bz_dtype arg[3] = {op == IR_SELECT ? BZ_BOOL : operand, operand, operand};
    if (!ir_op_is_elementwise(op) || !ir_op_result_dtype(op, arg, &result))
        bz_bug("no value of %s for %s", ir_ops[op].name, ir_dtypes[operand].name);
    _Atomic(ir_vprog *) *place = &made[op][operand][result];
    ir_vprog *p = atomic_load_explicit(place, memory_order_acquire), *first = NULL;
    if (p) return p;
    bz_error e = {0};
    p = make(op, ir_ops[op].value, ir_ops[op].arity, arg, result, &e);
    if (!p && e.status != BZ_ENOMEM)
        bz_bug("value of %s for %s: %s", ir_ops[op].name, ir_dtypes[operand].name, e.text);
    if (!p || atomic_compare_exchange_strong(place, &first, p)) return p;
    bz_mem_free(p); /* another thread was faster */
    return first;
}
