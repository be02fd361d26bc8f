/* decode_move.c - mov, packing, address spaces and conversions. */
#include "parse.h"

#include "exec.h"

/* ---- mov ---- */

static ptx_type bits_of(unsigned bytes) {
    return bytes == 1    ? T_B8
           : bytes == 2  ? T_B16
           : bytes == 4  ? T_B32
           : bytes == 8  ? T_B64
           : bytes == 16 ? T_B128
                         : T_NONE;
}

/* "mov.b64 %rd, {%r1, %r2}": parts lie in the operand list, lowest first. */
static void mov_pack(parser *p, ptx_type t) {
    const opnd *v = &p->in.o[1];
    ptx_type part = bits_of(v->n ? vm_type_bytes[t] / (unsigned)v->n : 0);
    DEC_REFUSE(p, !part || (unsigned)vm_type_bytes[part] * v->n != vm_type_bytes[t],
               "the parts don't fill the register");
    int32_t regs[16];
    for (unsigned k = 0; k < v->n; k++) regs[k] = dec_src_of(p, &p->parts[v->first + k], part);
    int32_t d = dec_dst(p, 0, t);
    if (p->failed) return;
    if (v->n == 2 && vm_type_bytes[t] <= 8) {
        dec_lane(p, LN_pack2, part, d, regs[0], regs[1], regs[1]);
    } else {
        ins *i = dec_emit(p, x_pack, PTX_CLASS_MOVE);
        i->d = d;
        i->dw = (uint8_t)type_lane(vm_type_bytes[t]);
        i->bytes = vm_type_bytes[part];
        i->n = (uint8_t)v->n;
        i->target = dec_list(p, regs, v->n);
    }
    dec_class(p, PTX_CLASS_MOVE);
}

static void mov_unpack(parser *p, ptx_type t) {
    const opnd *v = &p->in.o[0];
    ptx_type part = bits_of(v->n ? vm_type_bytes[t] / (unsigned)v->n : 0);
    DEC_REFUSE(p, !part || (unsigned)vm_type_bytes[part] * v->n != vm_type_bytes[t],
               "the parts don't fill the register");
    int32_t regs[16], a = dec_src(p, 1, t);
    for (unsigned k = 0; k < v->n; k++) regs[k] = dec_dst_of(p, &p->parts[v->first + k], part);
    if (p->failed) return;
    ins *i = dec_emit(p, x_unpack, PTX_CLASS_MOVE);
    i->a = a;
    i->aw = (uint8_t)type_lane(vm_type_bytes[t]);
    i->bytes = vm_type_bytes[part];
    i->n = (uint8_t)v->n;
    i->target = dec_list(p, regs, v->n);
}

void dec_mov(parser *p) {
    ptx_type t = dec_type(p, 0);
    if (!dec_want(p, 2, 2)) return;
    if (p->in.o[1].kind == O_VEC) {
        mov_pack(p, t);
        return;
    }
    if (p->in.o[0].kind == O_VEC) {
        mov_unpack(p, t);
        return;
    }
    if (p->in.o[0].kind == O_REG && p->in.o[0].type == T_PRED) t = T_PRED;
    int32_t a = dec_src(p, 1, t), d = dec_dst(p, 0, t);
    if (p->failed) return;
    if (vm_type_bytes[t] == 16) {
        ins *i = dec_emit(p, x_unpack, PTX_CLASS_MOVE); /* the whole as its only part */
        i->a = a;
        i->aw = i->bytes = 16;
        i->n = 1;
        i->target = (uint32_t)p->m->list.n;
        *VEC_PUSH(p->m->list) = d;
        return;
    }
    dec_lane(p, LN_mov, t == T_PRED ? T_PRED : vm_type_bytes[t] == 8 ? T_B64 : T_B32, d, a, a, a);
    dec_class(p, PTX_CLASS_MOVE);
}

/* ---- addresses ---- */

static const modifier spaces[] = {M_GLOBAL,         M_SHARED,      M_SHARED_CTA,
                                  M_SHARED_CLUSTER, M_LOCAL,       M_CONST,
                                  M_PARAM,          M_PARAM_ENTRY, M_NONE};

static uint64_t window_of(modifier m) {
    return m == M_SHARED || m == M_SHARED_CTA || m == M_SHARED_CLUSTER ? WIN_SHARED
           : m == M_LOCAL                                              ? WIN_LOCAL
                                                                       : 0;
}

/* Between a space's own addresses and generic ones; those of kernel parameters are generic here
 * anyway. */
void dec_cvta(parser *p) {
    bool to = dec_take(p, M_TO);
    modifier m = dec_take_of(p, spaces);
    ptx_type t = dec_type(p, 0);
    DEC_REFUSE(p, !m || !dec_want(p, 2, 2), "malformed");
    if (vm_type_bytes[t] != 8) {
        dec_fail(p, "only 64-bit addresses are supported");
        return;
    }
    int32_t a = dec_src(p, 1, t), d = dec_dst(p, 0, t);
    uint64_t window = window_of(m);
    if (window)
        dec_lane(p, to ? LN_sub : LN_add, T_B64, d, a, const_reg(p, window, 8), a);
    else
        dec_lane(p, LN_mov, T_B64, d, a, a, a);
    dec_class(p, PTX_CLASS_MOVE);
}

void dec_isspacep(parser *p) {
    modifier m = dec_take_of(p, spaces);
    DEC_REFUSE(p, !m || !dec_want(p, 2, 2), "malformed");
    int32_t a = dec_src(p, 1, T_B64), d = dec_dst(p, 0, T_PRED);
    ins *i = dec_emit(p, x_isspacep, PTX_CLASS_MOVE);
    i->a = a;
    i->d = d;
    i->dw = 4;
    i->sub = m == M_GLOBAL || m == M_CONST ? PTX_GLOBAL
             : m == M_LOCAL                ? PTX_LOCAL
             : window_of(m)                ? PTX_SHARED
                                           : PTX_PARAM;
    i->n = m == M_SHARED || m == M_SHARED_CTA; /* of the own block alone */
    i->flags |= m == M_CONST ? INS_NOT_C : 0;  /* .const has no window of its own: false */
}

/* ---- cvt ---- */

typedef struct {
    ptx_type to, from;
    uint8_t rnd;
    bool integral; /* rni and its like */
    bool ftz, sat, satfinite, relu;
} cvt_mods;

static uint32_t mode_of(const cvt_mods *c) {
    return (c->rnd ? c->rnd : RND_N) | (c->relu ? 16u : 0) | (c->satfinite ? 32u : 0);
}

static int32_t step(parser *p, lane_op op, ptx_type t, unsigned bytes, int32_t a, int64_t imm) {
    int32_t d = reg_new(p, bytes);
    dec_lane(p, op, t, d, a, a, a)->imm = imm;
    return d;
}

static void cvt_int_int(parser *p, const cvt_mods *c, int32_t d, int32_t a) {
    unsigned nt = vm_type_bytes[c->to], nf = vm_type_bytes[c->from];
    bool from_unsigned = vm_type_class[c->from] == 'U';
    if (!c->sat && nt == nf && nt >= 4) {
        dec_lane(p, LN_mov, nt == 8 ? T_B64 : T_B32, d, a, a, a);
        return;
    }
    int32_t wide = nf == 8 ? a : nt == 8 && !c->sat ? d : reg_new(p, 8);
    if (nf < 8) dec_lane(p, LN_to64, c->from, wide, a, a, a);
    if (c->sat)
        dec_lane(p, from_unsigned ? LN_satlowu : LN_satlow, c->to, d, wide, wide, wide);
    else if (nt < 8)
        dec_lane(p, LN_low, c->to == T_S32 ? T_U32 : c->to, d, wide, wide, wide);
}

/* A float of any kind as double; f32 subnormals may count as zeros first. */
static int32_t to_double(parser *p, ptx_type from, bool ftz, int32_t a) {
    if (from == T_F64) return a;
    if (ftz && from == T_F32) a = step(p, LN_ftz, T_F32, 4, a, 0);
    return step(p, LN_tof64, from, 8, a, 0);
}

static void cvt_float_int(parser *p, const cvt_mods *c, int32_t d, int32_t a) {
    bool top = c->from == T_F64 || vm_type_bytes[c->to] == 8;
    int32_t x = to_double(p, c->from, c->ftz, a);
    dec_lane(p, LN_f64toint, c->to, d, x, x, x)->imm = (c->rnd ? c->rnd : RND_Z) | (top ? 256 : 0);
}

static void cvt_int_float(parser *p, const cvt_mods *c, int32_t d, int32_t a) {
    bool is_unsigned = vm_type_class[c->from] == 'U';
    int32_t x = vm_type_bytes[c->from] == 8 ? a : step(p, LN_to64, c->from, 8, a, 0);
    if (c->to == T_F16 || c->to == T_BF16) {
        x = step(p, is_unsigned ? LN_u64tof64odd : LN_i64tof64odd, T_F64, 8, x, 0);
        dec_lane(p, LN_fromf64m, c->to, d, x, x, x)->imm = mode_of(c);
        return;
    }
    ins *i = dec_lane(p, is_unsigned ? LN_u64tof : LN_i64tof, c->to, d, x, x, x);
    if (c->rnd > RND_N) {
        i->rnd = c->rnd;
        i->exec = x_lane_mod;
    }
}

static void cvt_float_float(parser *p, const cvt_mods *c, int32_t d, int32_t a) {
    ins *i;
    if (c->ftz && c->from == T_F32) a = step(p, LN_ftz, T_F32, 4, a, 0);
    if (c->to == c->from && (c->to == T_F32 || c->to == T_F64)) {
        i = c->integral ? dec_lane(p, LN_roundint, c->to, d, a, a, a)
                        : dec_lane(p, LN_mov, c->to == T_F64 ? T_B64 : T_B32, d, a, a, a);
        i->imm = mode_of(c);
    } else if (c->from == T_F32 && (c->to == T_F16 || c->to == T_BF16) && mode_of(c) == RND_N &&
               !c->integral) {
        i = dec_lane(p, LN_fromf32, c->to, d, a, a, a);
    } else {
        int32_t x = to_double(p, c->from, false, a);
        if (c->integral) x = step(p, LN_roundint, T_F64, 8, x, mode_of(c));
        bool half = c->to == T_F16 || c->to == T_BF16;
        i = dec_lane(p,
                     c->to == T_F64 ? LN_mov
                     : half         ? LN_fromf64m
                                    : LN_fromf64,
                     c->to, d, x, x, x);
        i->imm = mode_of(c);
    }
    i->type = (uint8_t)c->to;
    if (c->rnd > RND_N && !c->integral && c->to == T_F32) {
        i->rnd = c->rnd;
        i->exec = x_lane_mod;
    }
    if (c->ftz && c->to == T_F32) dec_lane(p, LN_ftz, T_F32, d, d, d, d);
    if (c->sat) dec_lane(p, LN_sat, c->to, d, d, d, d);
    if (c->relu && c->to == T_F32) dec_lane(p, LN_relu, T_F32, d, d, d, d);
}

/* Two floats to a pair, the first operand on top. */
static void cvt_pair(parser *p, const cvt_mods *c) {
    if (!dec_want(p, 3, 3)) return;
    bool fp8 = c->to == T_E4M3X2 || c->to == T_E5M2X2;
    ptx_type one = c->to == T_F16X2 ? T_F16 : T_BF16;
    int32_t hi = dec_src(p, 1, T_F32), lo = dec_src(p, 2, T_F32), d = dec_dst(p, 0, c->to);
    if (!fp8 && mode_of(c) == RND_N) {
        hi = step(p, LN_fromf32, one, 4, hi, 0), lo = step(p, LN_fromf32, one, 4, lo, 0);
        dec_lane(p, LN_pack2, T_B16, d, lo, hi, hi);
        return;
    }
    hi = to_double(p, T_F32, false, hi), lo = to_double(p, T_F32, false, lo);
    if (fp8)
        dec_lane(p, LN_fp8pair, c->to, d, hi, lo, lo)->imm = mode_of(c);
    else {
        hi = step(p, LN_fromf64m, one, 4, hi, mode_of(c)),
        lo = step(p, LN_fromf64m, one, 4, lo, mode_of(c));
        dec_lane(p, LN_pack2, T_B16, d, lo, hi, hi);
    }
}

static int32_t double_half(parser *p, ptx_type one, int32_t pair, int high) {
    return step(p, LN_tof64, one, 8, step(p, LN_split, T_B16, 4, pair, high ? 16 : 0), 0);
}

static void cvt_fp8(parser *p, const cvt_mods *c) {
    if (!dec_want(p, 2, 2)) return;
    int32_t a = dec_src(p, 1, c->from), d = dec_dst(p, 0, c->to);
    if (c->to == T_F16X2) {
        dec_lane(p, LN_fp8tohalf, c->from, d, a, a, a);
        if (c->relu) dec_lane(p, LN_relu, T_F16X2, d, d, d, d);
        return;
    }
    ptx_type one = c->from == T_F16X2 ? T_F16 : T_BF16;
    int32_t hi = double_half(p, one, a, 1), lo = double_half(p, one, a, 0);
    dec_lane(p, LN_fp8pair, c->to, d, hi, lo, lo)->imm = mode_of(c);
}

/* cvt.pack.sat: two s32 clamped to 8 or 16 bits, a above b; 8-bit ones below c's low half. */
static void cvt_pack(parser *p) {
    ptx_type to = dec_type(p, 0);
    unsigned bytes = vm_type_bytes[to];
    if (bytes == 1) dec_type(p, 2);
    DEC_REFUSE(p,
               !dec_take(p, M_SAT) || dec_type(p, 1) != T_S32 || bytes > 2 ||
                   !dec_want(p, bytes == 1 ? 4 : 3, bytes == 1 ? 4 : 3),
               "malformed");
    int32_t d = dec_dst(p, 0, T_B32), part[2], join = reg_new(p, 4);
    ptx_type bits = bytes == 1 ? T_B8 : T_B16;
    for (unsigned k = 0; k < 2; k++) {
        int32_t a = dec_src(p, 1 + k, T_S32);
        part[k] = step(p, LN_satlow, to, 4, step(p, LN_to64, T_S32, 8, a, 0), 0);
    }
    if (bytes == 2) {
        dec_lane(p, LN_pack2, bits, d, part[1], part[0], part[0]);
        return;
    }
    dec_lane(p, LN_pack2, bits, join, part[1], part[0], part[0]);
    int32_t c = dec_src(p, 3, T_B32);
    dec_lane(p, LN_pack2, T_B16, d, join, c, c);
}

static bool is_int(ptx_type t) {
    return vm_type_class[t] == 'U' || vm_type_class[t] == 'S';
}

static bool is_fp8(ptx_type t) {
    return t == T_E4M3X2 || t == T_E5M2X2;
}

static cvt_mods take_cvt_mods(parser *p) {
    static const modifier rounds[] = {M_RN,  M_RZ,  M_RM,  M_RP,  M_RNA,
                                      M_RNI, M_RZI, M_RMI, M_RPI, M_NONE};
    modifier r = dec_take_of(p, rounds);
    cvt_mods c = {.to = dec_type(p, 0), .from = dec_type(p, 1)};
    c.integral = r >= M_RNI && r <= M_RPI;
    c.rnd = (uint8_t)(!r           ? 0
                      : r == M_RNA ? RND_A
                      : c.integral ? r - M_RNI + RND_N
                                   : r - M_RN + RND_N);
    c.ftz = dec_take(p, M_FTZ);
    c.sat = dec_take(p, M_SAT);
    c.satfinite = dec_take(p, M_SATFINITE);
    c.relu = dec_take(p, M_RELU);
    return c;
}

static bool plain_cvt_type(ptx_type t) {
    return (is_int(t) && t != T_U16X2 && t != T_S16X2) || t == T_F16 || t == T_BF16 || t == T_F32 ||
           t == T_F64;
}

static void cvt_plain(parser *p, const cvt_mods *c) {
    DEC_REFUSE(p, !plain_cvt_type(c->to) || !plain_cvt_type(c->from),
               "this pair of types is not supported");
    bool to_int = is_int(c->to), from_int = is_int(c->from);
    if (from_int && to_int && (c->rnd || c->ftz))
        dec_fail(p, "a rounding is not allowed between integers");
    if (type_is_float(c->from) && to_int && c->rnd && !c->integral)
        dec_fail(p, "an integral rounding (.rzi ...) is needed");
    if (!to_int && c->from != c->to && !c->rnd &&
        (from_int || vm_type_bytes[c->to] < vm_type_bytes[c->from]))
        dec_fail(p, "a rounding is needed");
    if (!dec_want(p, 2, 2)) return;
    int32_t a = dec_src(p, 1, c->from), d = dec_dst(p, 0, c->to);
    if (p->failed) return;
    if (from_int)
        (to_int ? cvt_int_int : cvt_int_float)(p, c, d, a);
    else
        (to_int ? cvt_float_int : cvt_float_float)(p, c, d, a);
}

void dec_cvt(parser *p) {
    if (dec_take(p, M_PACK)) {
        cvt_pack(p);
        return;
    }
    cvt_mods c = take_cvt_mods(p);
    if (p->failed) return;
    if (c.to == T_TF32 && c.from == T_F32 && dec_want(p, 2, 2)) {
        int32_t a = dec_src(p, 1, T_F32), d = dec_dst(p, 0, T_B32);
        dec_lane(p, LN_tf32, T_F32, d, a, a, a)->imm = mode_of(&c);
    } else if ((c.to == T_F16X2 || c.to == T_BF16X2 || is_fp8(c.to)) && c.from == T_F32)
        cvt_pair(p, &c);
    else if ((is_fp8(c.from) && c.to == T_F16X2) ||
             (is_fp8(c.to) && (c.from == T_F16X2 || c.from == T_BF16X2)))
        cvt_fp8(p, &c);
    else
        cvt_plain(p, &c);
    if (!p->failed) dec_class(p, PTX_CLASS_CONVERT);
}
