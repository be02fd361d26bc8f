/* decode.c - an instruction as parsed becomes one or more decoded ones; operands become frame
 * offsets.
 *
 * Every decoder takes the modifiers and types that it understands; what is left over is an error,
 * so no spelling passes unnoticed. Steps of one instruction share its guard; only the last one is
 * counted. */
#include "parse.h"

#include "exec.h"

#include <string.h>

typedef void decoder_fn(parser *p);

static decoder_fn *const decoders[OP_COUNT] = {
#define MNEMONIC(name, decoder) [OP_##name] = dec_##decoder,
#include "words.def"
};

static const char *const mod_names[M_COUNT] = {
#define MOD(e, text) [M_##e] = text,
#include "words.def"
};

void dec_fail(parser *p, const char *text) {
    parse_fail_at(p, p->in.line, p->in.column, "%.*s: %s", (int)p->in.word->len, p->in.word->name,
                  text);
}

/* ---- modifiers and types ---- */

bool dec_take(parser *p, modifier m) {
    for (unsigned i = 0; i < p->in.n_mods; i++)
        if (p->in.mods[i] == m && !(p->in.taken >> i & 1)) {
            p->in.taken |= (uint16_t)(1u << i);
            return true;
        }
    return false;
}

modifier dec_take_of(parser *p, const modifier *any) {
    for (; *any; any++)
        if (dec_take(p, *any)) return *any;
    return M_NONE;
}

ptx_type dec_type(parser *p, unsigned k) {
    if (k >= p->in.n_asked) p->in.n_asked = (uint8_t)(k + 1);
    if (k < p->in.n_types) return p->in.types[k];
    dec_fail(p, "a type is missing");
    return T_B32;
}

bool dec_want(parser *p, unsigned least, unsigned most) {
    if (p->in.n >= least && p->in.n <= most) return true;
    dec_fail(p, "wrong number of operands");
    return false;
}

/* ---- emitting ---- */

ins *dec_emit(parser *p, exec_fn *exec, ptx_class cls) {
    ins *i = VEC_PUSH(p->m->code);
    i->exec = exec;
    i->guard = p->guard;
    i->line = p->in.line;
    i->loc = p->loc;
    i->op = (uint8_t)p->in.op;
    i->cls = (uint8_t)cls;
    i->flags = p->guard_not && p->guard != NO_GUARD ? INS_NOT : 0;
    return i;
}

static ptx_class class_of(ptx_type t) {
    return !type_is_float(t) ? PTX_CLASS_INT : type_is_half(t) ? PTX_CLASS_HALF : PTX_CLASS_FLOAT;
}

/* One 32-lane loop. The result's lane width follows from the operation. */
ins *dec_lane(parser *p, lane_op op, ptx_type t, int32_t d, int32_t a, int32_t b, int32_t c) {
    lane_fn *fn = lanes_find(op, t);
    if (!fn) {
        dec_fail(p, "this type is not allowed here");
        fn = lanes_find(LN_mov, T_B32);
    }
    ins *i = dec_emit(p, x_lane, class_of(t));
    i->lane = fn;
    i->d = d, i->a = a, i->b = b, i->c = c;
    i->type = (uint8_t)t;
    bool predicate = op >= LN_eq && op <= LN_nan;
    bool narrow = predicate || (op >= LN_finite && op <= LN_subnormal) || op == LN_popc ||
                  op == LN_clz || op == LN_bfind || op == LN_bfindamt ||
                  (op == LN_split && t == T_B32);
    bool wide = op == LN_to64 || op == LN_tof64 ||
                ((op == LN_mulwide || op == LN_madwide) && vm_type_bytes[t] == 4) ||
                (op == LN_pack2 && t == T_B32);
    i->dw = (uint8_t)(narrow ? 4 : wide ? 8 : type_lane(vm_type_bytes[t]));
    return i;
}

void dec_class(parser *p, ptx_class cls) {
    if (p->m->code.n) p->m->code.at[p->m->code.n - 1].cls = (uint8_t)cls;
}

/* Registers in a row of the module's list; where they begin. */
uint32_t dec_list(parser *p, const int32_t *regs, unsigned n) {
    uint32_t first = (uint32_t)p->m->list.n;
    for (unsigned k = 0; k < n; k++) *VEC_PUSH(p->m->list) = regs[k];
    return first;
}

void dec_last(parser *p, size_t first) {
    for (size_t k = first; k + 1 < p->m->code.n; k++) p->m->code.at[k].flags |= INS_MICRO;
}

/* ---- operands ---- */

static uint64_t immediate(parser *p, const opnd *o, ptx_type t) {
    double d;
    float f;
    uint32_t u;
    memcpy(&d, &o->bits, 8);
    unsigned bytes = vm_type_bytes[t];
    uint64_t mask = bytes >= 8 ? ~(uint64_t)0 : ((uint64_t)1 << 8 * bytes) - 1;
    if (t == T_PRED) return o->bits != 0;
    if (o->number == TK_INT) {
        if (t == T_F32 || t == T_F64) dec_fail(p, "a float constant is needed");
        return o->bits & mask;
    }
    if (vm_type_class[t] == 'U' || vm_type_class[t] == 'S' || bytes < 4) {
        dec_fail(p, "a float constant is not allowed here");
        return 0;
    }
    if (o->number == TK_F32) {
        u = (uint32_t)o->bits;
        memcpy(&f, &u, 4);
        d = f;
        if (bytes == 4) return u;
    } else if (bytes == 4) {
        f = (float)d;
        memcpy(&u, &f, 4);
        return u;
    }
    uint64_t bits;
    memcpy(&bits, &d, 8);
    return bits;
}

static int32_t sreg_value(parser *p, const opnd *o, ptx_type t) {
    static const uint8_t wide[SR_COUNT] = {
#define SREG(e, name, w) [SR_##e] = w,
#include "words.def"
    };
    unsigned have = wide[o->sreg] ? 8 : 4, want = type_lane(vm_type_bytes[t]);
    int32_t at = reg_new(p, have);
    ins *i = dec_emit(p, x_sreg, PTX_CLASS_MOVE);
    i->d = at;
    i->dw = (uint8_t)have;
    i->sub = o->sreg;
    i->flags |= INS_MICRO;
    i->guard = NO_GUARD;
    if (have == want) return at;
    int32_t fit = reg_new(p, want);
    ins *j = dec_lane(p, want == 8 ? LN_to64 : LN_low, T_U32, fit, at, at, at);
    j->flags |= INS_MICRO;
    j->dw = (uint8_t)want;
    j->guard = NO_GUARD;
    return fit;
}

/* The address of a variable, as a 64-bit value in its own space (kernel parameters: generic). */
static int32_t variable_address(parser *p, const opnd *o, ptx_type t) {
    const binding *b = o->var;
    unsigned bytes = type_lane(vm_type_bytes[t]);
    int32_t at = reg_new(p, bytes);
    uint32_t k = (uint32_t)p->m->code.n;
    ins *i = dec_emit(p, b->kind == B_LOCAL ? x_local_address : x_address, PTX_CLASS_MOVE);
    i->d = at;
    i->dw = (uint8_t)bytes;
    i->imm = o->addend;
    i->flags |= INS_MICRO;
    i->guard = NO_GUARD;
    if (b->kind == B_GLOBAL) {
        i->target = (uint32_t)b->global;
        *VEC_PUSH(p->m->address_uses) = k;
    } else if (b->kind == B_SHARED) {
        if (b->shared->dynamic) i->exec = x_dynamic_address;
        *VEC_PUSH(p->shared_uses) = (shared_use){k, b->shared, p->fn};
    } else
        i->imm += b->offset + (b->kind == B_KPARAM ? (int64_t)WIN_PARAM : 0);
    return at;
}

static int32_t function_address(parser *p, const opnd *o) {
    const binding *b = o->var;
    if (!b || b->kind != B_FUNC) {
        dec_fail(p, "the operand is neither a register, a variable nor a function");
        return 0;
    }
    b->fn->taken = true;
    return const_reg(p, WIN_CODE + 16 * (uint64_t)b->fn->index, 8);
}

static bool register_fits(parser *p, const opnd *o, ptx_type t) {
    unsigned have = vm_type_bytes[o->type], want = vm_type_bytes[t];
    if ((o->type == T_PRED) != (t == T_PRED))
        dec_fail(p, t == T_PRED ? "a predicate register is needed"
                                : "a predicate register is not allowed here");
    else if (have < want)
        dec_fail(p, "a register is narrower than the type");
    return !p->failed;
}

/* Where the operand's value for type `t` is: may emit steps that bring it there. */
int32_t dec_src_of(parser *p, const opnd *o, ptx_type t) {
    unsigned want = type_lane(vm_type_bytes[t]);
    switch (o->kind) {
    case O_IMM: return const_reg(p, immediate(p, o, t), want);
    case O_SREG: return sreg_value(p, o, t);
    case O_VAR: return variable_address(p, o, t);
    case O_SYM: return function_address(p, o);
    case O_REG: break;
    default: dec_fail(p, "a register or constant is needed"); return 0;
    }
    if (!register_fits(p, o, t)) return 0;
    reg_read(p, o->reg);
    if (o->negated && t == T_PRED) {
        int32_t at = reg_new(p, 4);
        dec_lane(p, LN_notp, T_PRED, at, o->reg, o->reg, o->reg)->flags |= INS_MICRO;
        return at;
    }
    unsigned have = type_lane(vm_type_bytes[o->type]);
    if (have == want) return o->reg;
    int32_t at = reg_new(p, want);
    ins *i = dec_lane(p, have == 8 ? LN_low : LN_mov, T_U32, at, o->reg, o->reg, o->reg);
    i->flags |= INS_MICRO;
    if (have == 16) {
        i->exec = x_unpack;
        dec_fail(p, "a 128-bit register is not allowed here");
    }
    return at;
}

int32_t dec_src(parser *p, unsigned k, ptx_type t) {
    return dec_src_of(p, &p->in.o[k], t);
}

/* Where a result of type `t` goes. A register wider than the type is written by a step at the end.
 */
int32_t dec_dst_of(parser *p, const opnd *o, ptx_type t) {
    unsigned want = type_lane(vm_type_bytes[t]);
    if (o->kind == O_SINK) return reg_new(p, want);
    if (o->kind != O_REG || o->negated) {
        dec_fail(p, "the result must go to a register");
        return 0;
    }
    if (!register_fits(p, o, t)) return 0;
    reg_written(p, o->reg);
    unsigned have = vm_type_bytes[o->type];
    bool narrow_signed = vm_type_class[t] == 'S' && vm_type_bytes[t] < 4 && have < 4;
    if (type_lane(have) == want && !narrow_signed) return o->reg;
    if (p->n_widen == sizeof p->widen / sizeof p->widen[0] || type_lane(have) == 16) {
        dec_fail(p, "the result's register is too wide");
        return 0;
    }
    int32_t at = reg_new(p, want);
    p->widen[p->n_widen].from = at;
    p->widen[p->n_widen].to = o->reg;
    p->widen[p->n_widen].type = t;
    p->widen[p->n_widen++].bytes = (uint8_t)have;
    return at;
}

int32_t dec_dst(parser *p, unsigned k, ptx_type t) {
    return dec_dst_of(p, &p->in.o[k], t);
}

static void flush_widen(parser *p) {
    for (unsigned k = 0; k < p->n_widen; k++) {
        int32_t from = p->widen[k].from, to = p->widen[k].to;
        bool sign = vm_type_class[p->widen[k].type] == 'S';
        if (p->widen[k].bytes == 8)
            dec_lane(p, LN_to64, sign ? T_S32 : T_U32, to, from, from, from);
        else
            dec_lane(p, LN_and, T_B32, to, from,
                     const_reg(p, p->widen[k].bytes == 2 ? 0xffff : 0xff, 4), from);
        dec_class(p, PTX_CLASS_MOVE);
    }
    p->n_widen = 0;
}

/* A predicate operand and whether "!" stands before it. */
int32_t dec_pred(parser *p, unsigned k, bool *negated) {
    const opnd *o = &p->in.o[k];
    *negated = o->negated;
    if (o->kind == O_IMM) return const_reg(p, o->bits != 0, 4);
    if (o->kind != O_REG || o->type != T_PRED) {
        dec_fail(p, "a predicate register is needed");
        return 0;
    }
    reg_read(p, o->reg);
    return o->reg;
}

uint64_t dec_imm(parser *p, unsigned k, uint64_t limit, const char *what) {
    const opnd *o = &p->in.o[k];
    if (o->kind != O_IMM || o->number != TK_INT || o->bits > limit) {
        dec_fail(p, what);
        return 0;
    }
    return o->bits;
}

/* ---- the whole instruction ---- */

void dec_later(parser *p) {
    dec_fail(p, "not supported yet (wmma, tcgen05, textures, alloca)");
}

bool decode_later(opcode op) {
    return decoders[op] == dec_later;
}

void decode_inst(parser *p) {
    size_t first = p->m->code.n;
    p->n_widen = 0;
    decoders[p->in.op](p);
    if (p->failed) return;
    for (unsigned i = 0; i < p->in.n_mods; i++)
        if (!(p->in.taken >> i & 1)) {
            parse_fail_at(p, p->in.line, p->in.column, "%.*s: modifier .%s is not supported here",
                          (int)p->in.word->len, p->in.word->name, mod_names[p->in.mods[i]]);
            return;
        }
    if (p->in.n_types > p->in.n_asked) dec_fail(p, "too many types");
    unsigned first_sm = first_target_of(&p->in);
    if (first_sm > p->m->sm)
        parse_fail_at(p, p->in.line, p->in.column,
                      "%.*s: this form needs .target sm_%u or higher, not sm_%u",
                      (int)p->in.word->len, p->in.word->name, first_sm, p->m->sm);
    flush_widen(p);
    dec_last(p, first);
    for (; p->flow_done < p->flow.n; p->flow_done++)
        p->flow.at[p->flow_done].at = (uint32_t)p->m->code.n - 1;
}
