/* decode_alu.c - arithmetic, logic, comparisons and moves: which 32-lane loop an instruction means.
 */
#include "parse.h"

#include "exec.h"

static const modifier rounds[] = {M_RN, M_RZ, M_RM, M_RP, M_NONE};

typedef struct {
    uint8_t rnd;
    bool ftz, sat, relu;
} float_mods;

static bool is_float(ptx_type t) {
    return vm_type_class[t] == 'F';
}

static bool is_half(ptx_type t) {
    return t == T_F16 || t == T_F16X2 || t == T_BF16 || t == T_BF16X2;
}

/* .rnd .ftz .sat .relu, each only where the type has it. */
static float_mods take_float_mods(parser *p, ptx_type t) {
    float_mods f = {0};
    if (!is_float(t)) return f;
    modifier r = dec_take_of(p, rounds);
    f.rnd = r ? (uint8_t)(r - M_RN + RND_N) : 0;
    f.ftz = t != T_F64 && dec_take(p, M_FTZ);
    f.sat = t != T_F64 && t != T_F32X2 && dec_take(p, M_SAT);
    f.relu = is_half(t) && dec_take(p, M_RELU);
    if (is_half(t) && f.rnd > RND_N) dec_fail(p, "halves round to nearest only");
    return f;
}

static void apply_float_mods(parser *p, ins *i, ptx_type t, float_mods f) {
    if (p->failed) return;
    i->type = (uint8_t)t;
    i->rnd = f.rnd;
    i->flags |= (uint16_t)((f.ftz ? INS_FTZ : 0) | (f.sat ? INS_SAT : 0));
    if (f.rnd > RND_N || f.ftz || f.sat) i->exec = x_lane_mod;
    if (f.relu) {
        int32_t d = i->d;
        dec_lane(p, LN_relu, t, d, d, d, d);
    }
}

static ins *binary(parser *p, lane_op op, ptx_type t) {
    if (!dec_want(p, 3, 3)) return NULL;
    int32_t a = dec_src(p, 1, t), b = dec_src(p, 2, t), d = dec_dst(p, 0, t);
    return p->failed ? NULL : dec_lane(p, op, t, d, a, b, a);
}

static ins *ternary(parser *p, lane_op op, ptx_type t, ptx_type td, ptx_type tc) {
    if (!dec_want(p, 4, 4)) return NULL;
    int32_t a = dec_src(p, 1, t), b = dec_src(p, 2, t), c = dec_src(p, 3, tc),
            d = dec_dst(p, 0, td);
    return p->failed ? NULL : dec_lane(p, op, t, d, a, b, c);
}

static void classed(parser *p, ptx_class cls) {
    if (!p->failed) dec_class(p, cls);
}

/* The type of the same size that says only bits, where the sign doesn't matter. */
static ptx_type plain(ptx_type t) {
    return t == T_U16 || t == T_S16   ? T_B16
           : t == T_U32 || t == T_S32 ? T_B32
           : t == T_U64 || t == T_S64 ? T_B64
                                      : t;
}

/* ---- arithmetic ---- */

void dec_add(parser *p) {
    bool sub = p->in.op == OP_sub;
    ptx_type t = dec_type(p, 0);
    if (dec_take(p, M_CC)) {
        p->in.mods[0] = M_CC;
        p->in.taken &= 0xfffe;
        p->in.n_mods = 1;
        dec_carry(p);
        return;
    }
    if (t == T_S32 && dec_take(p, M_SAT)) {
        binary(p, sub ? LN_subsat : LN_addsat, t);
        return;
    }
    if (t == T_S16X2) t = T_U16X2;
    float_mods f = take_float_mods(p, t);
    ins *i = binary(p, sub ? LN_sub : LN_add, t);
    if (i && is_float(t)) apply_float_mods(p, i, t, f);
}

static int32_t carry_flag(parser *p) {
    if (p->cc < 0) p->cc = reg_new(p, 4);
    return p->cc;
}

/* add.cc, addc, sub.cc, subc with or without a carry out; a and b are given. */
static void carry_step(parser *p, ptx_type t, bool sub, bool in, bool out, int32_t d, int32_t a,
                       int32_t b) {
    lane_op op = sub ? (in ? LN_subcico : LN_subco) : (in ? LN_addcico : LN_addco);
    int32_t cc = carry_flag(p), ignored = out ? cc : reg_new(p, 4);
    ins *i = dec_lane(p, op, plain(t), d, a, b, a);
    i->e = cc;
    i->d2 = ignored;
    i->dw2 = 4;
}

void dec_carry(parser *p) {
    opcode op = p->in.op;
    ptx_type t = dec_type(p, 0);
    bool out = dec_take(p, M_CC);
    DEC_REFUSE(p, vm_type_bytes[t] < 4 || vm_type_class[t] == 'F',
               "carries need a 32 or 64-bit integer type");
    if (op == OP_madc || op == OP_mad) {
        lane_op part = dec_take(p, M_HI) ? LN_mulhi : dec_take(p, M_LO) ? LN_mul : LN_COUNT;
        DEC_REFUSE(p, part == LN_COUNT || !dec_want(p, 4, 4),
                   ".lo or .hi and four operands are needed");
        int32_t a = dec_src(p, 1, t), b = dec_src(p, 2, t), c = dec_src(p, 3, t),
                d = dec_dst(p, 0, t);
        int32_t product = reg_new(p, vm_type_bytes[t]);
        if (p->failed) return;
        dec_lane(p, part, t, product, a, b, a);
        carry_step(p, t, false, op == OP_madc, out, d, product, c);
        return;
    }
    if (!dec_want(p, 3, 3)) return;
    int32_t a = dec_src(p, 1, t), b = dec_src(p, 2, t), d = dec_dst(p, 0, t);
    carry_step(p, t, op == OP_sub || op == OP_subc, op == OP_addc || op == OP_subc, out, d, a, b);
}

void dec_mul(parser *p) {
    ptx_type t = dec_type(p, 0);
    if (is_float(t)) {
        float_mods f = take_float_mods(p, t);
        ins *i = binary(p, LN_mul, t);
        if (i) apply_float_mods(p, i, t, f);
        return;
    }
    if (dec_take(p, M_WIDE)) {
        static const ptx_type twice[T_COUNT] = {
            [T_U16] = T_U32, [T_S16] = T_S32, [T_U32] = T_U64, [T_S32] = T_S64};
        DEC_REFUSE(p, !twice[t] || !dec_want(p, 3, 3), ".wide needs a 16 or 32-bit type");
        int32_t a = dec_src(p, 1, t), b = dec_src(p, 2, t), d = dec_dst(p, 0, twice[t]);
        dec_lane(p, LN_mulwide, t, d, a, b, a);
        return;
    }
    if (dec_take(p, M_HI))
        binary(p, LN_mulhi, t);
    else if (dec_take(p, M_LO))
        binary(p, LN_mul, plain(t));
    else
        dec_fail(p, ".lo, .hi or .wide is missing");
}

void dec_fma(parser *p) {
    ptx_type t = dec_type(p, 0);
    float_mods f = take_float_mods(p, t);
    if (!is_float(t)) dec_fail(p, "a float type is needed");
    ins *i = ternary(p, LN_fma, t, t, t);
    if (i) apply_float_mods(p, i, t, f);
}

void dec_mad(parser *p) {
    ptx_type t = dec_type(p, 0);
    if (is_float(t)) {
        dec_fma(p);
        return;
    }
    for (unsigned k = 0; k < p->in.n_mods; k++)
        if (p->in.mods[k] == M_CC) {
            dec_carry(p);
            return;
        }
    if (dec_take(p, M_WIDE)) {
        ptx_type wide = t == T_U16 ? T_U32 : t == T_S16 ? T_S32 : t == T_U32 ? T_U64 : T_S64;
        ternary(p, LN_madwide, t, wide, wide);
    } else if (dec_take(p, M_HI))
        ternary(p, t == T_S32 && dec_take(p, M_SAT) ? LN_madsat : LN_madhi, t, t, t);
    else if (dec_take(p, M_LO))
        ternary(p, LN_mad, plain(t), t, t);
    else
        dec_fail(p, ".lo, .hi or .wide is missing");
}

void dec_mad24(parser *p) {
    ptx_type t = dec_type(p, 0);
    bool hi = dec_take(p, M_HI);
    if (!hi && !dec_take(p, M_LO))
        dec_fail(p, ".lo or .hi is missing");
    else if (p->in.op == OP_mul24)
        binary(p, hi ? LN_mul24hi : LN_mul24, t);
    else
        ternary(p, hi ? LN_mad24hi : LN_mad24, t, t, t);
}

void dec_div(parser *p) {
    ptx_type t = dec_type(p, 0);
    if (is_float(t) && !is_half(t) && (dec_take(p, M_APPROX) || dec_take(p, M_FULL)) && t == T_F64)
        dec_fail(p, "there is no approximate f64 division");
    float_mods f = take_float_mods(p, t);
    ins *i = binary(p, LN_div, t);
    if (i && is_float(t)) apply_float_mods(p, i, t, f);
    if (i && is_float(t)) classed(p, PTX_CLASS_SPECIAL);
}

void dec_rem(parser *p) {
    binary(p, LN_rem, dec_type(p, 0));
}

void dec_sad(parser *p) {
    ptx_type t = dec_type(p, 0);
    ternary(p, LN_sad, t, t, t);
}

static void minmax_step(parser *p, lane_op op, ptx_type t, int32_t d, int32_t a, int32_t b,
                        float_mods f) {
    ins *i = dec_lane(p, op, t, d, a, b, a);
    if (is_float(t))
        apply_float_mods(p, i, t, f);
    else if (f.relu)
        dec_lane(p, LN_relu, t, d, d, d, d);
}

void dec_minmax(parser *p) {
    ptx_type t = dec_type(p, 0);
    bool max = p->in.op == OP_max;
    float_mods f = take_float_mods(p, t);
    if (!is_float(t)) f.relu = dec_take(p, M_RELU);
    bool nan = is_float(t) && t != T_F64 && dec_take(p, M_NAN_), xs = false;
    if (is_float(t) && t != T_F64 && dec_take(p, M_XORSIGN)) xs = dec_take(p, M_ABS);
    static const lane_op ops[8] = {LN_min,   LN_max,   LN_minnan,   LN_maxnan,
                                   LN_minxs, LN_maxxs, LN_minnanxs, LN_maxnanxs};
    lane_op op = ops[max + 2 * nan + 4 * xs];
    if (!dec_want(p, 3, t == T_F32 ? 4 : 3)) return;
    int32_t a = dec_src(p, 1, t), b = dec_src(p, 2, t), d = dec_dst(p, 0, t);
    if (p->in.n == 3) {
        minmax_step(p, op, t, d, a, b, f);
        return;
    }
    int32_t c = dec_src(p, 3, t), two = reg_new(p, 4);
    minmax_step(p, op, t, two, a, b, f);
    minmax_step(p, op, t, d, two, c, f);
}

void dec_unary(parser *p) {
    opcode op = p->in.op;
    ptx_type t = dec_type(p, 0);
    float_mods f = take_float_mods(p, op == OP_abs || op == OP_neg ? t : T_B32);
    static const lane_op ops[OP_COUNT] = {
        [OP_abs] = LN_abs,   [OP_neg] = LN_neg, [OP_not] = LN_not,  [OP_cnot] = LN_cnot,
        [OP_popc] = LN_popc, [OP_clz] = LN_clz, [OP_brev] = LN_brev};
    bool count = op == OP_popc || op == OP_clz;
    if (!dec_want(p, 2, 2)) return;
    int32_t a = dec_src(p, 1, t), d = dec_dst(p, 0, count ? T_U32 : t);
    if (f.rnd || f.sat || f.relu) dec_fail(p, "a modifier is not allowed here");
    ins *i = dec_lane(p, ops[op], op == OP_neg && !is_float(t) ? plain(t) : t, d, a, a, a);
    if (is_float(t)) apply_float_mods(p, i, t, f);
    if (op == OP_not || op == OP_cnot) classed(p, PTX_CLASS_LOGIC);
}

void dec_special(parser *p) {
    opcode op = p->in.op;
    ptx_type t = dec_type(p, 0);
    bool approx = dec_take(p, M_APPROX);
    float_mods f = take_float_mods(p, t);
    if (t == T_F64) f.ftz = dec_take(p, M_FTZ);
    static const lane_op ops[OP_COUNT] = {
        [OP_rcp] = LN_rcp, [OP_sqrt] = LN_sqrt, [OP_rsqrt] = LN_rsqrt, [OP_ex2] = LN_ex2,
        [OP_lg2] = LN_lg2, [OP_sin] = LN_sin,   [OP_cos] = LN_cos,     [OP_tanh] = LN_tanh};
    lane_op loop = ops[op];
    if (t == T_F64 && op == OP_rcp && approx) loop = LN_rcpcoarse;
    if (t == T_F64 && op == OP_rsqrt && f.ftz) loop = LN_rsqrtcoarse;
    if (!approx && !f.rnd) dec_fail(p, ".approx or a rounding is missing");
    DEC_REFUSE(p, f.sat || f.relu || (approx && f.rnd) || !dec_want(p, 2, 2),
               "a modifier is not allowed here");
    int32_t a = dec_src(p, 1, t), d = dec_dst(p, 0, t);
    ins *i = dec_lane(p, loop, t, d, a, a, a);
    f.ftz = f.ftz && t != T_F64;
    apply_float_mods(p, i, t, f);
    classed(p, PTX_CLASS_SPECIAL);
}

void dec_copysign(parser *p) {
    binary(p, LN_copysign, dec_type(p, 0));
}

/* ---- logic and bits ---- */

void dec_logic(parser *p) {
    opcode op = p->in.op;
    binary(p, op == OP_and ? LN_and : op == OP_or ? LN_or : LN_xor, dec_type(p, 0));
    classed(p, PTX_CLASS_LOGIC);
}

void dec_shift(parser *p) {
    ptx_type t = dec_type(p, 0);
    if (p->in.op == OP_shr && vm_type_class[t] == 'B')
        t = t == T_B16 ? T_U16 : t == T_B32 ? T_U32 : T_U64;
    if (!dec_want(p, 3, 3)) return;
    int32_t a = dec_src(p, 1, t), b = dec_src(p, 2, T_U32), d = dec_dst(p, 0, t);
    dec_lane(p, p->in.op == OP_shl ? LN_shl : LN_shr, t, d, a, b, a);
    classed(p, PTX_CLASS_LOGIC);
}

void dec_shf(parser *p) {
    bool left = dec_take(p, M_L), wrap;
    if (!left && !dec_take(p, M_R)) dec_fail(p, ".l or .r is missing");
    wrap = dec_take(p, M_WRAP);
    if (!wrap && !dec_take(p, M_CLAMP)) dec_fail(p, ".wrap or .clamp is missing");
    static const lane_op ops[4] = {LN_shfrclamp, LN_shfrwrap, LN_shflclamp, LN_shflwrap};
    ptx_type t = dec_type(p, 0);
    ternary(p, ops[2 * left + wrap], t, t, T_U32);
    classed(p, PTX_CLASS_LOGIC);
}

void dec_bits(parser *p) {
    ptx_type t = dec_type(p, 0);
    if (p->in.op == OP_bfe) {
        if (!dec_want(p, 4, 4)) return;
        int32_t a = dec_src(p, 1, t), b = dec_src(p, 2, T_U32), c = dec_src(p, 3, T_U32),
                d = dec_dst(p, 0, t);
        dec_lane(p, LN_bfe, t, d, a, b, c);
    } else if (dec_want(p, 5, 5)) {
        int32_t a = dec_src(p, 1, t), b = dec_src(p, 2, t), c = dec_src(p, 3, T_U32),
                e = dec_src(p, 4, T_U32);
        int32_t d = dec_dst(p, 0, t);
        dec_lane(p, LN_bfi, t, d, a, b, c)->e = e;
    }
    classed(p, PTX_CLASS_LOGIC);
}

void dec_bfind(parser *p) {
    bool amount = dec_take(p, M_SHIFTAMT);
    ptx_type t = dec_type(p, 0);
    if (!dec_want(p, 2, 2)) return;
    int32_t a = dec_src(p, 1, t), d = dec_dst(p, 0, T_U32);
    dec_lane(p, amount ? LN_bfindamt : LN_bfind, t, d, a, a, a);
}

void dec_bmsk(parser *p) {
    bool wrap = dec_take(p, M_WRAP);
    if (!wrap && !dec_take(p, M_CLAMP)) dec_fail(p, ".wrap or .clamp is missing");
    binary(p, wrap ? LN_bmskwrap : LN_bmskclamp, dec_type(p, 0));
}

void dec_szext(parser *p) {
    bool wrap = dec_take(p, M_WRAP);
    if (!wrap && !dec_take(p, M_CLAMP)) dec_fail(p, ".wrap or .clamp is missing");
    binary(p, wrap ? LN_szextwrap : LN_szextclamp, dec_type(p, 0));
}

void dec_prmt(parser *p) {
    static const modifier modes[] = {M_F4E, M_B4E, M_RC8, M_ECL, M_ECR, M_RC16, M_NONE};
    static const lane_op ops[] = {LN_prmtf4e, LN_prmtb4e, LN_prmtrc8,
                                  LN_prmtecl, LN_prmtecr, LN_prmtrc16};
    modifier m = dec_take_of(p, modes);
    ptx_type t = dec_type(p, 0);
    ternary(p, m ? ops[m - M_F4E] : LN_prmt, t, t, T_U32);
    classed(p, PTX_CLASS_LOGIC);
}

void dec_lop3(parser *p) {
    bool or = dec_take(p, M_OR), with = or || dec_take(p, M_AND);
    ptx_type t = dec_type(p, 0);
    if (t != T_B32 || with != (p->in.o[0].second != 0) || !dec_want(p, 5 + with, 5 + with)) {
        dec_fail(p,
                 "only lop3.b32 d, a, b, c, immLut and lop3.and/.or.b32 d|p, ..., q are supported");
        return;
    }
    int32_t a = dec_src(p, 1, t), b = dec_src(p, 2, t), c = dec_src(p, 3, t), d = dec_dst(p, 0, t);
    int32_t q = with ? dec_src(p, 5, T_PRED) : 0;
    uint64_t lut = dec_imm(p, 4, 255, "immLut must be a constant from 0 to 255");
    dec_lane(p, LN_lop3, t, d, a, b, c)->imm = (int64_t)lut;
    if (with && !p->failed) {
        int32_t some = reg_new(p, 4), to = dec_dst_of(p, &p->parts[p->in.o[0].second - 1], T_PRED);
        dec_lane(p, LN_ne, T_U32, some, d, const_reg(p, 0, 4), d);
        dec_lane(p, or ? LN_por : LN_pand, T_PRED, to, some, q, q);
    }
    classed(p, PTX_CLASS_LOGIC);
}

void dec_dp(parser *p) {
    bool four = p->in.op == OP_dp4a;
    ptx_type ta = dec_type(p, 0), tb = dec_type(p, 1);
    bool hi = !four && dec_take(p, M_HI);
    DEC_REFUSE(p,
               (!four && !hi && !dec_take(p, M_LO)) || vm_type_bytes[ta] != 4 ||
                   vm_type_bytes[tb] != 4 || !dec_want(p, 4, 4),
               "malformed");
    int32_t a = dec_src(p, 1, ta), b = dec_src(p, 2, tb), c = dec_src(p, 3, T_B32),
            d = dec_dst(p, 0, T_B32);
    dec_lane(p, four ? LN_dp4a : LN_dp2a, T_B32, d, a, b, c)->imm =
        (ta == T_S32) | (tb == T_S32) << 1 | hi << 2;
}

void dec_vabsdiff4(parser *p) {
    ptx_type td = dec_type(p, 0), t = dec_type(p, 1);
    bool add = dec_take(p, M_ADD);
    DEC_REFUSE(p, vm_type_bytes[td] != 4 || t != dec_type(p, 2) || !dec_want(p, 4, 4), "malformed");
    int32_t a = dec_src(p, 1, t), b = dec_src(p, 2, t), c = dec_src(p, 3, td),
            d = dec_dst(p, 0, td);
    dec_lane(p, LN_vabsdiff4, t, d, a, b, c)->imm = add;
}

void dec_fns(parser *p) {
    ptx_type t = dec_type(p, 0);
    ternary(p, LN_fns, t, t, T_S32);
}
