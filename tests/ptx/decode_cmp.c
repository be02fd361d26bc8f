/* decode_cmp.c - comparisons and selections: setp, set, selp, slct, testp. */
#include "parse.h"

#include "exec.h"

static lane_op take_compare(parser *p, ptx_type t) {
    static const modifier names[] = {M_EQ,  M_NE,  M_LT,  M_LE,  M_GT,  M_GE,  M_LO,
                                     M_LS,  M_HI,  M_HS,  M_EQU, M_NEU, M_LTU, M_LEU,
                                     M_GTU, M_GEU, M_NUM, M_NAN, M_NONE};
    modifier m = dec_take_of(p, names);
    switch (m) {
    case M_LO: return LN_lt;
    case M_LS: return LN_le;
    case M_HI: return LN_gt;
    case M_HS: return LN_ge;
    case M_NONE: dec_fail(p, "a comparison is missing"); return LN_eq;
    default: break;
    }
    if (m >= M_EQU && m <= M_NAN && !type_is_float(t)) dec_fail(p, "this comparison is for floats");
    return m >= M_EQU && m <= M_NAN ? (lane_op)(LN_equ + (m - M_EQU))
                                    : (lane_op)(LN_eq + (m - M_EQ));
}

static ptx_type compare_type(ptx_type t) {
    return t == T_B16 ? T_U16 : t == T_B32 ? T_U32 : t == T_B64 ? T_U64 : t;
}

/* d = a <op> b as 0 or 1 in each lane. */
static void compare(parser *p, lane_op op, ptx_type t, bool ftz, int32_t d, int32_t a, int32_t b) {
    if (ftz) {
        int32_t fa = reg_new(p, 4), fb = reg_new(p, 4);
        dec_lane(p, LN_ftz, t, fa, a, a, a);
        dec_lane(p, LN_ftz, t, fb, b, b, b);
        a = fa, b = fb;
    }
    dec_lane(p, op, t, d, a, b, a);
    dec_class(p, PTX_CLASS_LOGIC);
}

/* d = t <bool> c, with !c when negated. */
static void combine(parser *p, modifier boolean, int32_t d, int32_t t, int32_t c, bool negated) {
    lane_op op = boolean == M_AND ? LN_pand : boolean == M_OR ? LN_por : LN_pxor;
    dec_lane(p, op, T_PRED, d, t, c, c)->imm = negated;
    dec_class(p, PTX_CLASS_LOGIC);
}

static const modifier booleans[] = {M_AND, M_OR, M_XOR, M_NONE};

/* The low or high half of a pair as a single half. */
static int32_t half_of(parser *p, int32_t pair, bool high) {
    int32_t d = reg_new(p, 4);
    dec_lane(p, LN_split, T_B16, d, pair, pair, pair)->imm = high ? 16 : 0;
    return d;
}

static void setp_pair(parser *p, ptx_type t, lane_op op, bool ftz, modifier boolean) {
    ptx_type one = t == T_F16X2 ? T_F16 : T_BF16;
    int32_t a = dec_src(p, 1, t), b = dec_src(p, 2, t), d[2] = {dec_dst(p, 0, T_PRED), 0};
    d[1] =
        p->in.o[0].second ? dec_dst_of(p, &p->parts[p->in.o[0].second - 1], T_PRED) : reg_new(p, 4);
    int32_t r[2] = {reg_new(p, 4), reg_new(p, 4)};
    bool negated = false;
    int32_t c = boolean ? dec_pred(p, 3, &negated) : 0;
    for (int h = 0; h < 2 && !p->failed; h++) {
        compare(p, op, one, ftz, r[h], half_of(p, a, h), half_of(p, b, h));
        if (boolean) combine(p, boolean, r[h], r[h], c, negated);
    }
    for (int h = 0; h < 2; h++) dec_lane(p, LN_mov, T_PRED, d[h], r[h], r[h], r[h]);
}

/* p|q: q is the comparison's opposite under the same boolean. The guard may be p itself: kept
 * aside. */
static void setp_two(parser *p, int32_t cmp, modifier boolean, int32_t c, bool negated) {
    int32_t d = dec_dst(p, 0, T_PRED), q = dec_dst_of(p, &p->parts[p->in.o[0].second - 1], T_PRED);
    int32_t opposite = reg_new(p, 4), guard = p->guard;
    dec_lane(p, LN_notp, T_PRED, opposite, cmp, cmp, cmp);
    if (boolean) {
        combine(p, boolean, opposite, opposite, c, negated);
        combine(p, boolean, cmp, cmp, c, negated);
    }
    if (guard == d) {
        p->guard = NO_GUARD;
        guard = reg_new(p, 4);
        dec_lane(p, LN_mov, T_PRED, guard, d, d, d);
        p->guard = guard;
    }
    dec_lane(p, LN_mov, T_PRED, d, cmp, cmp, cmp);
    dec_lane(p, LN_mov, T_PRED, q, opposite, opposite, opposite);
}

void dec_setp(parser *p) {
    ptx_type t = compare_type(dec_type(p, 0));
    lane_op op = take_compare(p, t);
    modifier boolean = dec_take_of(p, booleans);
    bool ftz = type_is_float(t) && t != T_F64 && dec_take(p, M_FTZ), negated = false;
    if (!dec_want(p, boolean ? 4 : 3, boolean ? 4 : 3)) return;
    if (t == T_F16X2 || t == T_BF16X2) {
        setp_pair(p, t, op, ftz, boolean);
        return;
    }
    int32_t a = dec_src(p, 1, t), b = dec_src(p, 2, t);
    int32_t c = boolean ? dec_pred(p, 3, &negated) : 0;
    if (p->failed) return;
    if (!boolean && !p->in.o[0].second) {
        compare(p, op, t, ftz, dec_dst(p, 0, T_PRED), a, b);
        return;
    }
    int32_t r = reg_new(p, 4);
    compare(p, op, t, ftz, r, a, b);
    if (p->in.o[0].second)
        setp_two(p, r, boolean, c, negated);
    else
        combine(p, boolean, dec_dst(p, 0, T_PRED), r, c, negated);
}

/* What `set` writes for true: all ones for integers, 1.0 for floats. */
static uint64_t true_value(ptx_type d) {
    return d == T_F32                     ? 0x3f800000
           : d == T_F16 || d == T_F16X2   ? 0x3c00
           : d == T_BF16 || d == T_BF16X2 ? 0x3f80
           : vm_type_bytes[d] == 2        ? 0xffff
                                          : 0xffffffff;
}

void dec_set(parser *p) {
    ptx_type td = dec_type(p, 0), t = compare_type(dec_type(p, 1));
    lane_op op = take_compare(p, t);
    modifier boolean = dec_take_of(p, booleans);
    bool ftz = type_is_float(t) && t != T_F64 && dec_take(p, M_FTZ), negated = false;
    bool pair = t == T_F16X2 || t == T_BF16X2;
    DEC_REFUSE(p,
               !dec_want(p, boolean ? 4 : 3, boolean ? 4 : 3) || vm_type_bytes[td] > 4 ||
                   vm_type_bytes[td] < 2,
               "malformed");
    int32_t a = dec_src(p, 1, t), b = dec_src(p, 2, t), d = dec_dst(p, 0, td), r[2] = {0};
    int32_t c = boolean ? dec_pred(p, 3, &negated) : 0;
    int32_t yes = const_reg(p, pair && vm_type_class[td] != 'F' ? 0xffff : true_value(td), 4),
            no = const_reg(p, 0, 4);
    ptx_type one = t == T_F16X2 ? T_F16 : t == T_BF16X2 ? T_BF16 : t;
    for (int h = 0; h < 1 + pair && !p->failed; h++) {
        r[h] = reg_new(p, 4);
        compare(p, op, one, ftz, r[h], pair ? half_of(p, a, h) : a, pair ? half_of(p, b, h) : b);
        if (boolean) combine(p, boolean, r[h], r[h], c, negated);
        dec_lane(p, LN_selp, T_B32, pair ? r[h] : d, yes, no, r[h]);
    }
    if (pair) dec_lane(p, LN_pack2, T_B16, d, r[0], r[1], r[1]);
    dec_class(p, PTX_CLASS_LOGIC);
}

void dec_selp(parser *p) {
    ptx_type t = dec_type(p, 0);
    bool negated;
    if (!dec_want(p, 4, 4)) return;
    int32_t a = dec_src(p, 1, t), b = dec_src(p, 2, t), c = dec_pred(p, 3, &negated),
            d = dec_dst(p, 0, t);
    DEC_REFUSE(p, t == T_PRED || p->failed || vm_type_bytes[t] > 8, "malformed");
    dec_lane(p, LN_selp, vm_type_bytes[t] == 8 ? T_B64 : T_B32, d, negated ? b : a, negated ? a : b,
             c);
    dec_class(p, PTX_CLASS_LOGIC);
}

void dec_slct(parser *p) {
    ptx_type t = dec_type(p, 0), tc = dec_type(p, 1);
    bool ftz = tc == T_F32 && dec_take(p, M_FTZ);
    DEC_REFUSE(p, !dec_want(p, 4, 4) || (tc != T_F32 && tc != T_S32) || vm_type_bytes[t] > 8,
               "malformed");
    int32_t a = dec_src(p, 1, t), b = dec_src(p, 2, t), c = dec_src(p, 3, tc), d = dec_dst(p, 0, t);
    if (ftz && !p->failed) {
        int32_t flushed = reg_new(p, 4);
        dec_lane(p, LN_ftz, T_F32, flushed, c, c, c);
        c = flushed;
    }
    dec_lane(p, tc == T_F32 ? LN_slctf : LN_slct, vm_type_bytes[t] == 8 ? T_B64 : T_B32, d, a, b,
             c);
    dec_class(p, PTX_CLASS_LOGIC);
}
