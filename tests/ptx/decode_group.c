/* decode_group.c - what warps do together as a warpgroup (wgmma, setmaxnreg), and blocks as a cluster. */
#include "parse.h"

#include "exec.h"

static bool aligned(parser *p) {
    bool sync = dec_take(p, M_SYNC);
    return dec_take(p, M_ALIGNED) && sync;
}

/* ---- wgmma ---- */

/* What D may be, and what may be said of A and B, for each kind of them. */
typedef struct {
    ptx_type a, b; /* the first and last type in a row of the kind's: T_F16 alone, T_S8 to T_U8 */
    bool half, single, integer, scales, transposes;
    uint8_t k;
} product_kind;

static const product_kind products[] = {
    {T_F16, T_F16, true, true, false, true, true, 16},
    {T_BF16, T_BF16, false, true, false, true, true, 16},
    {T_TF32, T_TF32, false, true, false, true, false, 8},
    {T_E4M3, T_E5M2, true, true, false, true, false, 32},
    {T_S8, T_U8, false, false, true, false, false, 32},
};

static bool is_of(const product_kind *x, ptx_type t) {
    return t == x->a || t == x->b;
}

static const product_kind *kind_of(parser *p, ptx_type d, ptx_type a, ptx_type b) {
    unsigned n = p->in.shape_n;
    for (size_t k = 0; k < sizeof products / sizeof *products; k++) {
        const product_kind *x = &products[k];
        bool fits = d == T_F16 ? x->half : d == T_F32 ? x->single : d == T_S32 && x->integer;
        bool wide = x->integer && n > 32 && n % 16; /* some integer shapes there are not */
        if (is_of(x, a) && is_of(x, b) && fits && x->k == p->in.shape_k && n && n % 8 == 0 &&
            n <= 256 && !wide)
            return x;
    }
    return NULL;
}

/* An immediate that is one of two values: is it the first? */
static bool choice(parser *p, unsigned k, uint64_t one, uint64_t other) {
    const opnd *o = &p->in.o[k];
    if (o->kind != O_IMM || o->number != TK_INT || (o->bits != one && o->bits != other))
        dec_fail(p, "scales are 1 or -1, transpositions 0 or 1");
    return o->bits == one;
}

/* `read`: results are read first, for certain. */
static uint32_t take_regs(parser *p, const opnd *o, unsigned n, bool result, bool read) {
    uint32_t first = (uint32_t)p->m->list.n;
    if (o->kind != O_VEC || o->n != n) {
        dec_fail(p, "a fragment has a wrong number of registers");
        return first;
    }
    for (unsigned k = 0; k < n && !p->failed; k++) {
        const opnd *part = &p->parts[o->first + k];
        int32_t reg = result ? dec_dst_of(p, part, T_B32) : dec_src_of(p, part, T_B32);
        if (result && part->kind == O_REG) p->read.at[part->reg / 128] = 1;
        if (read && part->kind == O_REG) reg_read(p, part->reg);
        *VEC_PUSH(p->m->list) = reg;
    }
    return first;
}

static int64_t signs(parser *p, const product_kind *x, unsigned k, bool in_registers) {
    int64_t flags = in_registers ? WG_REGISTERS : 0;
    if (!x->scales) return flags;
    flags |= choice(p, k, (uint64_t)-1, 1) ? WG_NEGATE_A : 0;
    flags |= choice(p, k + 1, (uint64_t)-1, 1) ? WG_NEGATE_B : 0;
    if (!x->transposes) return flags;
    if (!in_registers && choice(p, k + 2, 1, 0)) flags |= WG_TRANS_A;
    return flags | (choice(p, k + (in_registers ? 2 : 3), 1, 0) ? WG_TRANS_B : 0);
}

/* d, a, b, scale-d{, scale-a, scale-b{, trans-a, trans-b}} */
static void product(parser *p) {
    ptx_type d = dec_type(p, 0), a = dec_type(p, 1), b = dec_type(p, 2);
    const product_kind *x = p->failed ? NULL : kind_of(p, d, a, b);
    DEC_REFUSE(p, !aligned(p) || !x, "this shape and these types are not supported");
    bool in_registers = p->in.n > 1 && p->in.o[1].kind == O_VEC, negated;
    unsigned want = 4u + 2 * x->scales + (x->transposes ? 2 - in_registers : 0);
    bool sat = x->integer && dec_take(p, M_SATFINITE);
    if (!dec_want(p, want, want)) return;
    uint32_t first = take_regs(p, &p->in.o[0], p->in.shape_n / (d == T_F16 ? 4u : 2u), true,
                               p->in.o[3].kind == O_IMM && p->in.o[3].bits);
    if (in_registers) take_regs(p, &p->in.o[1], 4, false, false);
    if (p->failed) return;
    int32_t da = in_registers ? 0 : dec_src(p, 1, T_B64), db = dec_src(p, 2, T_B64),
            scale = dec_pred(p, 3, &negated);
    int64_t flags = signs(p, x, 4, in_registers);
    if (p->failed) return;
    ins *i = dec_emit(p, x_wgmma, PTX_CLASS_MATRIX);
    i->e = (int32_t)first;
    i->a = da, i->b = db, i->c = scale;
    i->n = (uint8_t)(p->in.shape_n / 8);
    i->type = (uint8_t)a, i->sub = (uint8_t)b, i->rnd = (uint8_t)d;
    i->imm = flags;
    i->flags |= (sat ? INS_SATFIN : 0) | (negated ? INS_NOT_C : 0);
}

static ins *simple(parser *p, exec_fn *exec, unsigned operands) {
    if (!aligned(p) || !dec_want(p, operands, operands)) dec_fail(p, "malformed");
    ins *i = dec_emit(p, exec, PTX_CLASS_MATRIX);
    return i;
}

void dec_wgmma(parser *p) {
    if (!p->m->specific || p->m->sm != 90) dec_fail(p, "needs .target sm_90a");
    p->m->proxies = true;
    if (dec_take(p, M_MMA_ASYNC))
        product(p);
    else if (dec_take(p, M_FENCE))
        simple(p, x_wgmma_fence, 0);
    else if (dec_take(p, M_COMMIT_GROUP))
        simple(p, x_wgmma_commit, 0);
    else if (dec_take(p, M_WAIT_GROUP)) {
        int64_t n = (int64_t)dec_imm(p, 0, 7, "a constant number of groups is needed");
        simple(p, x_wgmma_wait, 1)->imm = n;
    } else
        dec_fail(p, "malformed");
}

/* setmaxnreg.inc|dec.sync.aligned.u32 n */
void dec_setmaxnreg(parser *p) {
    if (!p->m->specific) dec_fail(p, "needs a target of its own, such as sm_90a");
    bool inc = dec_take(p, M_INC),
         ok = (inc || dec_take(p, M_DEC)) && aligned(p) && dec_type(p, 0) == T_U32;
    uint64_t n =
        ok && dec_want(p, 1, 1) ? dec_imm(p, 0, 256, "a constant of at most 256 is needed") : 0;
    if (!ok || n < 24 || n % 8) dec_fail(p, "24 to 256 registers, a multiple of 8");
    ins *i = dec_emit(p, x_setmaxnreg, PTX_CLASS_CONTROL);
    i->imm = (int64_t)n;
    i->n = inc;
}

/* ---- clusters ---- */

/* barrier.cluster.arrive{.release, .relaxed}{.aligned}, .wait{.acquire}{.aligned} */
void dec_cluster_barrier(parser *p) {
    bool arrive = dec_take(p, M_ARRIVE), wait = !arrive && dec_take(p, M_WAIT);
    bool relaxed = arrive && dec_take(p, M_RELAXED);
    dec_take(p, arrive ? M_RELEASE : M_ACQUIRE);
    DEC_REFUSE(p, (!arrive && !wait) || !dec_want(p, 0, 0), "malformed");
    p->m->orders = true;
    uint16_t flags = dec_take(p, M_ALIGNED) ? INS_ALIGNED : 0;
    ins *i = dec_emit(p, arrive ? x_cluster_arrive : x_cluster_wait, PTX_CLASS_BARRIER);
    i->flags |= flags | (arrive && !relaxed ? INS_RELEASE : 0);
}

/* d, a{, rank}: a is an address register, or a variable in shared memory with or without an offset. */
static void far_address(parser *p, bool map) {
    bool space = dec_take(p, M_SHARED_CLUSTER);
    ptx_type t = dec_type(p, 0);
    DEC_REFUSE(
        p, (t != T_U32 && t != T_U64) || (t == T_U32 && !space) || !dec_want(p, 2 + map, 2 + map),
        "malformed");
    int32_t a = dec_src(p, 1, t), rank = map ? dec_src(p, 2, T_U32) : 0, wide = a;
    if (t == T_U32) dec_lane(p, LN_to64, T_U32, wide = reg_new(p, 8), a, a, a);
    int32_t d = dec_dst(p, 0, map ? t : T_U32);
    ins *i = dec_emit(p, map ? x_mapa : x_ctarank, PTX_CLASS_MOVE);
    i->a = wide, i->b = rank, i->d = d;
    i->dw = map ? vm_type_bytes[t] : 4;
}

void dec_mapa(parser *p) {
    far_address(p, true);
}

void dec_getctarank(parser *p) {
    far_address(p, false);
}

/* st.async{.weak}, red.async.relaxed.cluster: [to], value(s), [mbarrier] */
void dec_async_store(parser *p, bool red) {
    static const modifier ops[] = {M_ADD, M_AND, M_OR, M_XOR, M_MIN, M_MAX, M_INC, M_DEC, M_NONE};
    dec_take(p, M_WEAK);
    bool ordered = red && dec_take(p, M_RELAXED) && dec_take(p, M_CLUSTER);
    unsigned n = dec_take(p, M_V2) ? 2 : dec_take(p, M_V4) ? 4 : 1, op = 0;
    modifier m = red ? dec_take_of(p, ops) : M_NONE;
    while (red && ops[op] != m) op++;
    bool ok = dec_take(p, M_SHARED_CLUSTER) && dec_take(p, M_MBARRIER_TX) && ordered == red &&
              (!red || (m && n == 1));
    ptx_type t = dec_type(p, 0);
    unsigned bytes = vm_type_bytes[t];
    const opnd *o = &p->in.o[1];
    DEC_REFUSE(p,
               !ok || (bytes != 4 && bytes != 8) || !dec_want(p, 3, 3) ||
                   (n == 1 ? o->kind == O_VEC : o->kind != O_VEC || o->n != n),
               "malformed");
    int32_t at = dec_address(p, 0), mbar = dec_address(p, 2), value[4];
    for (unsigned k = 0; k < n; k++)
        value[k] = dec_src_of(p, n > 1 ? &p->parts[o->first + k] : o, t);
    if (p->failed) return;
    ins *i = dec_emit(p, x_st_async, PTX_CLASS_ASYNC);
    i->a = at, i->e = mbar;
    i->bytes = (uint8_t)bytes;
    i->n = (uint8_t)n;
    i->type = (uint8_t)t;
    i->sub = (uint8_t)op;
    i->rnd = red;
    i->target = dec_list(p, value, n);
}
