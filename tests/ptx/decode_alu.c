/* decode_alu.c - arithmetic, logic, comparisons and moves: which 32-lane loop an instruction means.
 */
#include "parse.h"

#include "exec.h"

#include <string.h>

static const modifier rounds[] = {M_RN, M_RZ, M_RM, M_RP, M_NONE};

typedef struct {
    uint8_t rnd;
    bool ftz, sat, relu;
} float_mods;

/* .rnd .ftz .sat .relu, each only where the type has it. */
static float_mods take_float_mods(parser *p, ptx_type t) {
    float_mods f = {0};
    if (!type_is_float(t)) return f;
    modifier r = dec_take_of(p, rounds);
    f.rnd = r ? (uint8_t)(r - M_RN + RND_N) : 0;
    f.ftz = t != T_F64 && dec_take(p, M_FTZ);
    f.sat = t != T_F64 && t != T_F32X2 && dec_take(p, M_SAT);
    f.relu = type_is_half(t) && dec_take(p, M_RELU);
    if (type_is_half(t) && f.rnd > RND_N) dec_fail(p, "halves round to nearest only");
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

/* The type of the same size that says only bits, where the sign doesn't matter. */
static ptx_type plain(ptx_type t) {
    return t == T_U16 || t == T_S16   ? T_B16
           : t == T_U32 || t == T_S32 ? T_B32
           : t == T_U64 || t == T_S64 ? T_B64
                                      : t;
}

/* ---- regular ones: a word and perhaps modifiers choose a loop, then come operands in a row ---- */

typedef struct {
    opcode op;
    modifier m, also; /* the form that has them; M_NONE: whichever */
    char types;       /* f: floats alone, w: s32 alone */
    lane_op loop;
    const char *operands; /* the result first: a letter of type_of() each */
    enum { PLAIN, FLUSHES, ROUNDS } mods;
    bool logic;
} regular;

#define ROW(op, m, also, loop, operands, logic)                                                    \
    { OP_##op, M_##m, M_##also, 0, LN_##loop, operands, PLAIN, logic }
#define FLOAT(op, types, operands, mods)                                                           \
    { OP_##op, M_NONE, M_NONE, types, LN_##op, operands, mods, false }

/* clang-format off */
static const regular rows[] = {
    FLOAT(add, 'f', "ttt", ROUNDS), FLOAT(sub, 'f', "ttt", ROUNDS), FLOAT(mul, 'f', "ttt", ROUNDS),
    FLOAT(fma, 'f', "tttt", ROUNDS), {OP_mad, M_NONE, M_NONE, 'f', LN_fma, "tttt", ROUNDS, false},
    FLOAT(abs, 0, "tt", FLUSHES), FLOAT(neg, 'f', "tt", FLUSHES),
    {OP_add, M_SAT, M_NONE, 'w', LN_addsat, "ttt", PLAIN, false},
    {OP_sub, M_SAT, M_NONE, 'w', LN_subsat, "ttt", PLAIN, false},
    {OP_mad, M_HI, M_SAT, 'w', LN_madsat, "tttt", PLAIN, false},
    ROW(add, NONE, NONE, add, "ttt", false), ROW(sub, NONE, NONE, sub, "ttt", false),
    ROW(neg, NONE, NONE, neg, "bb", false), ROW(rem, NONE, NONE, rem, "ttt", false),
    ROW(mul, WIDE, NONE, mulwide, "dtt", false), ROW(mul, HI, NONE, mulhi, "ttt", false),
    ROW(mul, LO, NONE, mul, "bbb", false), ROW(mad, WIDE, NONE, madwide, "dttd", false),
    ROW(mad, HI, NONE, madhi, "tttt", false), ROW(mad, LO, NONE, mad, "tbbt", false),
    ROW(mul24, HI, NONE, mul24hi, "ttt", false), ROW(mul24, LO, NONE, mul24, "ttt", false),
    ROW(mad24, HI, NONE, mad24hi, "tttt", false), ROW(mad24, LO, NONE, mad24, "tttt", false),
    ROW(sad, NONE, NONE, sad, "tttt", false), ROW(copysign, NONE, NONE, copysign, "ttt", false),
    ROW(popc, NONE, NONE, popc, "ut", false), ROW(clz, NONE, NONE, clz, "ut", false),
    ROW(bfind, SHIFTAMT, NONE, bfindamt, "ut", false), ROW(bfind, NONE, NONE, bfind, "ut", false),
    ROW(brev, NONE, NONE, brev, "tt", false), ROW(fns, NONE, NONE, fns, "ttts", false),
    ROW(bmsk, WRAP, NONE, bmskwrap, "ttt", false), ROW(bmsk, CLAMP, NONE, bmskclamp, "ttt", false),
    ROW(szext, WRAP, NONE, szextwrap, "ttt", false),
    ROW(szext, CLAMP, NONE, szextclamp, "ttt", false),
    ROW(and, NONE, NONE, and, "ttt", true), ROW(or, NONE, NONE, or, "ttt", true),
    ROW(xor, NONE, NONE, xor, "ttt", true), ROW(not, NONE, NONE, not, "tt", true),
    ROW(cnot, NONE, NONE, cnot, "tt", true), ROW(shl, NONE, NONE, shl, "ttu", true),
    ROW(shr, NONE, NONE, shr, "nnu", true), ROW(bfe, NONE, NONE, bfe, "ttuu", true),
    ROW(bfi, NONE, NONE, bfi, "tttuu", true), ROW(shf, L, WRAP, shflwrap, "tttu", true),
    ROW(shf, L, CLAMP, shflclamp, "tttu", true), ROW(shf, R, WRAP, shfrwrap, "tttu", true),
    ROW(shf, R, CLAMP, shfrclamp, "tttu", true), ROW(prmt, F4E, NONE, prmtf4e, "tttu", true),
    ROW(prmt, B4E, NONE, prmtb4e, "tttu", true), ROW(prmt, RC8, NONE, prmtrc8, "tttu", true),
    ROW(prmt, ECL, NONE, prmtecl, "tttu", true), ROW(prmt, ECR, NONE, prmtecr, "tttu", true),
    ROW(prmt, RC16, NONE, prmtrc16, "tttu", true), ROW(prmt, NONE, NONE, prmt, "tttu", true),
    ROW(testp, FINITE, NONE, finite, "pt", true), ROW(testp, INFINITE, NONE, infinite, "pt", true),
    ROW(testp, NUMBER, NONE, number, "pt", true), ROW(testp, NORMAL, NONE, normal, "pt", true),
    ROW(testp, NOTANUMBER, NONE, notanumber, "pt", true),
    ROW(testp, SUBNORMAL, NONE, subnormal, "pt", true),
};
/* clang-format on */

/* t: the statement's type, b: its bits where the sign doesn't matter, n: unsigned, d: twice as wide. */
static ptx_type type_of(char letter, ptx_type t) {
    static const ptx_type twice[T_COUNT] = {
        [T_U16] = T_U32, [T_S16] = T_S32, [T_U32] = T_U64, [T_S32] = T_S64};
    switch (letter) {
    case 'b': return plain(t);
    case 'n': return t == T_B16 ? T_U16 : t == T_B32 ? T_U32 : t == T_B64 ? T_U64 : t;
    case 'd': return twice[t];
    case 'u': return T_U32;
    case 's': return T_S32;
    case 'p': return T_PRED;
    default: return t;
    }
}

static const regular *take_regular(parser *p, ptx_type t) {
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        const regular *r = &rows[k];
        bool fits = r->op == p->in.op && (r->types != 'f' || type_is_float(t)) &&
                    (r->types != 'w' || t == T_S32);
        if (fits && inst_has(&p->in, r->m) && inst_has(&p->in, r->also)) {
            dec_take(p, r->m);
            dec_take(p, r->also);
            return r;
        }
    }
    return NULL;
}

void dec_regular(parser *p) {
    ptx_type t = dec_type(p, 0);
    const regular *r = take_regular(p, t);
    DEC_REFUSE(
        p, !r,
        "this type is not allowed here, or a modifier that says which (.lo, .l, .wrap ...) is "
        "missing");
    float_mods f = take_float_mods(p, r->mods == PLAIN ? T_B32 : t);
    unsigned n = (unsigned)strlen(r->operands);
    ptx_type td = type_of(r->operands[0], t), tl = type_of(r->operands[1], t);
    DEC_REFUSE(p, td == T_NONE || (r->mods == FLUSHES && (f.rnd || f.sat || f.relu)),
               "the type or a modifier is not allowed here");
    if (!dec_want(p, n, n)) return;
    int32_t reg[5] = {0};
    for (unsigned k = 1; k < n; k++) reg[k] = dec_src(p, k, type_of(r->operands[k], t));
    int32_t a = reg[1], d = dec_dst(p, 0, td);
    if (p->failed) return;
    ins *i = dec_lane(p, r->loop, tl, d, a, n > 2 ? reg[2] : a, n > 3 ? reg[3] : a);
    i->e = reg[4];
    if (r->logic) dec_class(p, PTX_CLASS_LOGIC);
    if (r->mods != PLAIN && type_is_float(t)) apply_float_mods(p, i, t, f);
}

void dec_add(parser *p) {
    if (inst_has(&p->in, M_CC)) {
        dec_carry(p);
        return;
    }
    if (p->in.types[0] == T_S16X2) p->in.types[0] = T_U16X2;
    dec_regular(p);
}

void dec_mad(parser *p) {
    (inst_has(&p->in, M_CC) ? dec_carry : dec_regular)(p);
}

/* ---- arithmetic ---- */

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

void dec_div(parser *p) {
    ptx_type t = dec_type(p, 0);
    if (type_is_float(t) && !type_is_half(t) && (dec_take(p, M_APPROX) || dec_take(p, M_FULL)) &&
        t == T_F64)
        dec_fail(p, "there is no approximate f64 division");
    float_mods f = take_float_mods(p, t);
    ins *i = binary(p, LN_div, t);
    if (i && type_is_float(t)) apply_float_mods(p, i, t, f);
    if (i && type_is_float(t)) dec_class(p, PTX_CLASS_SPECIAL);
}

static void minmax_step(parser *p, lane_op op, ptx_type t, int32_t d, int32_t a, int32_t b,
                        float_mods f) {
    ins *i = dec_lane(p, op, t, d, a, b, a);
    if (type_is_float(t))
        apply_float_mods(p, i, t, f);
    else if (f.relu)
        dec_lane(p, LN_relu, t, d, d, d, d);
}

void dec_minmax(parser *p) {
    ptx_type t = dec_type(p, 0);
    bool max = p->in.op == OP_max;
    float_mods f = take_float_mods(p, t);
    if (!type_is_float(t)) f.relu = dec_take(p, M_RELU);
    bool nan = type_is_float(t) && t != T_F64 && dec_take(p, M_NAN_), xs = false;
    if (type_is_float(t) && t != T_F64 && dec_take(p, M_XORSIGN)) xs = dec_take(p, M_ABS);
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
    dec_class(p, PTX_CLASS_SPECIAL);
}

/* ---- logic and bits ---- */

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
    dec_class(p, PTX_CLASS_LOGIC);
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
