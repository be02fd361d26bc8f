/* decode_mem.c - loads, stores, atomics, matrix loads and mma: everything with an address
 * or a fragment. */
#include "parse.h"

#include "exec.h"

/* ---- addresses ---- */

typedef struct {
    int32_t reg; /* 4 or 8-byte lanes */
    uint8_t lane;
    int64_t imm;
    const opnd *o;
    bool local; /* relative to the function's own stack frame */
} address;

static address address_of(parser *p, unsigned k) {
    const opnd *o = &p->in.o[k];
    address a = {.o = o, .imm = o->addend, .lane = 8};
    if (k >= p->in.n || o->kind != O_ADDR) {
        dec_fail(p, "an address in brackets is needed");
        return a;
    }
    if (o->has_reg) {
        a.reg = o->reg;
        reg_read(p, a.reg);
        a.lane = (uint8_t)vm_type_bytes[o->reg_type];
        if ((a.lane != 4 && a.lane != 8) || o->reg_type == T_PRED)
            dec_fail(p, "an address register has 32 or 64 bits");
        return a;
    }
    if (o->var && o->var->kind == B_SHARED && o->var->shared->dynamic) {
        opnd whole = {.kind = O_VAR, .var = o->var, .addend = o->addend};
        a.reg = dec_src_of(p, &whole, T_B64);
        a.imm = 0;
        a.o = NULL;
        return a;
    }
    a.reg = const_reg(p, 0, 8);
    if (o->var && (o->var->kind == B_LOCAL || o->var->kind == B_KPARAM)) a.imm += o->var->offset;
    a.local = o->var && o->var->kind == B_LOCAL;
    return a;
}

/* Puts the address into the instruction just emitted; variables get their place later. */
static void set_address(parser *p, ins *i, address a) {
    uint32_t at = (uint32_t)p->m->code.n - 1;
    i->a = a.reg;
    i->dw2 = a.lane;
    i->imm = a.imm;
    i->flags |= a.local ? INS_CONST_ADDR : 0;
    const binding *var = a.o ? a.o->var : NULL;
    if (var && var->kind == B_GLOBAL) {
        i->target = (uint32_t)var->global;
        *VEC_PUSH(p->m->address_uses) = at;
    } else if (var && var->kind == B_SHARED) {
        *VEC_PUSH(p->shared_uses) = (shared_use){at, var->shared, p->fn};
    }
}

int32_t dec_address(parser *p, unsigned k) {
    address a = address_of(p, k);
    if (p->failed) return 0;
    if (a.o && a.o->var) {
        opnd whole = {.kind = O_VAR, .var = a.o->var, .addend = a.o->addend};
        return dec_src_of(p, &whole, T_B64);
    }
    int32_t at = a.reg;
    if (a.lane == 4) {
        at = reg_new(p, 8);
        dec_lane(p, LN_to64, T_U32, at, a.reg, a.reg, a.reg);
    }
    if (a.imm) {
        int32_t sum = reg_new(p, 8);
        dec_lane(p, LN_add, T_B64, sum, at, const_reg(p, (uint64_t)a.imm, 8), at);
        at = sum;
    }
    return at;
}

static ptx_space take_space(parser *p) {
    if (dec_take(p, M_GLOBAL)) return PTX_GLOBAL;
    if (dec_take(p, M_SHARED) || dec_take(p, M_SHARED_CTA)) return PTX_SHARED;
    if (dec_take(p, M_LOCAL)) return PTX_LOCAL;
    if (dec_take(p, M_CONST)) return PTX_CONST;
    if (dec_take(p, M_PARAM) || dec_take(p, M_PARAM_ENTRY) || dec_take(p, M_PARAM_FUNC))
        return PTX_PARAM;
    return PTX_SPACE_NONE;
}

uint16_t dec_order(parser *p) {
    static const modifier scopes[] = {M_CTA, M_GPU, M_SYS, M_CLUSTER, M_NONE};
    uint16_t flags = 0;
    for (modifier m = M_CA; m <= M_L2_256B; m++) dec_take(p, m); /* hints: nothing happens */
    if (dec_take(p, M_VOLATILE) || dec_take(p, M_RELAXED) || dec_take(p, M_MMIO))
        flags |= INS_STRONG;
    if (dec_take(p, M_ACQUIRE)) flags |= INS_STRONG | INS_ACQUIRE;
    if (dec_take(p, M_RELEASE)) flags |= INS_STRONG | INS_RELEASE;
    if (dec_take(p, M_ACQ_REL)) flags |= INS_STRONG | INS_ACQUIRE | INS_RELEASE;
    if (dec_take_of(p, scopes) != M_CTA) flags |= INS_WIDE;
    if (dec_take(p, M_MMIO)) flags |= INS_STRONG;
    return flags;
}

void dec_cache_policy(parser *p) {
    if (!dec_take(p, M_L2_CACHE_HINT)) return;
    if (p->in.n) p->in.n--;
}

/* .shared::cluster: a generic access inside the window. */
static address address_in(parser *p, unsigned k, bool far) {
    if (!far) return address_of(p, k);
    int32_t at = dec_address(p, k), sum = reg_new(p, 8);
    if (!p->failed) dec_lane(p, LN_add, T_B64, sum, at, const_reg(p, WIN_SHARED, 8), at);
    return (address){.reg = sum, .lane = 8};
}

/* ---- ld and st ---- */

static unsigned take_vector(parser *p, const opnd *o) {
    unsigned n = dec_take(p, M_V2) ? 2 : dec_take(p, M_V4) ? 4 : dec_take(p, M_V8) ? 8 : 1;
    if (n == 1 ? o->kind == O_VEC && o->n != 1 : o->kind != O_VEC || o->n != n)
        dec_fail(p, "the operand's parts don't fit the vector");
    return n;
}

/* Of each space, a load and a store. */
static exec_fn *const accesses[][2] = {[PTX_SPACE_NONE] = {x_ld_generic, x_st_generic},
                                       [PTX_GLOBAL] = {x_ld_global, x_st_global},
                                       [PTX_CONST] = {x_ld_global, NULL},
                                       [PTX_SHARED] = {x_ld_shared, x_st_shared},
                                       [PTX_LOCAL] = {x_ld_local, x_st_local},
                                       [PTX_PARAM] = {x_ld_param, NULL}};

/* .param of a kernel is the parameter block, of a function its stack; a register may hold either.
 */
static ptx_space param_space(const address *a) {
    return a->local ? PTX_LOCAL : a->o && a->o->has_reg ? PTX_SPACE_NONE : PTX_PARAM;
}

/* Pairs and what only matrices and conversions know can't be loaded as such. */
static ptx_type memory_type(parser *p) {
    ptx_type t = dec_type(p, 0);
    if (t == T_PRED || t > T_F64 || t == T_TF32) dec_fail(p, "this type is not allowed here");
    return t;
}

/* Elements of a vector load whose registers nobody reads don't count: flow.c looks. */
static void note_wide(parser *p, const opnd *o, unsigned n) {
    wide_load *wide = VEC_PUSH(p->wide_loads);
    wide->at = (uint32_t)p->m->code.n - 1;
    for (unsigned k = 0; k < n; k++) {
        const opnd *part = &p->parts[o->first + k];
        wide->reg[k] = part->kind == O_REG ? part->reg : -1;
    }
}

static void access(parser *p, bool store) {
    bool nc = !store && dec_take(p, M_NC), far = dec_take(p, M_SHARED_CLUSTER);
    uint16_t flags = dec_order(p);
    ptx_space space = take_space(p);
    dec_cache_policy(p);
    ptx_type t = memory_type(p);
    if (!dec_want(p, 2, 2)) return;
    const opnd *o = &p->in.o[store ? 1 : 0];
    unsigned n = take_vector(p, o);
    address a = address_in(p, store ? 0 : 1, far);
    if (p->failed) return;
    if (space == PTX_PARAM) space = param_space(&a);
    DEC_REFUSE(p, !accesses[space][store], "this space can't be written");
    int32_t regs[8];
    for (unsigned k = 0; k < n; k++) {
        const opnd *part = o->kind == O_VEC ? &p->parts[o->first + k] : o;
        regs[k] = store ? dec_src_of(p, part, t) : dec_dst_of(p, part, t);
    }
    if (p->failed) return;
    ins *i = dec_emit(p, accesses[space][store], store ? PTX_CLASS_STORE : PTX_CLASS_LOAD);
    set_address(p, i, a);
    i->flags |= flags | (!store && vm_type_class[t] == 'S' ? INS_SIGNED : 0);
    *(store ? &i->b : &i->d) = regs[0];
    i->aw = (uint8_t)type_lane(vm_type_bytes[t]);
    i->bytes = vm_type_bytes[t];
    i->n = (uint8_t)n;
    i->space = (uint8_t)space;
    i->sub = nc ? LOAD_NC : LOAD_PLAIN;
    i->e = (int32_t)dec_list(p, regs, n);
    if (!store && n > 1) note_wide(p, o, n);
}

void dec_ld(parser *p) {
    access(p, false);
}

void dec_st(parser *p) {
    if (dec_take(p, M_ASYNC))
        dec_async_store(p, false);
    else
        access(p, true);
}

/* ---- atom and red ---- */

static bool atom_allowed(unsigned op, ptx_type t) {
    unsigned bytes = vm_type_bytes[t];
    char c = vm_type_class[t];
    if (t == T_PRED || t == T_TF32 || t == T_U16X2 || t == T_S16X2) return false;
    switch (op) {
    case ATOM_CAS: return c != 'F' && bytes >= 2;
    case ATOM_EXCH: return c != 'F' && bytes >= 4;
    case ATOM_INC:
    case ATOM_DEC: return t == T_U32;
    case ATOM_AND:
    case ATOM_OR:
    case ATOM_XOR: return c != 'F' && (bytes == 4 || bytes == 8);
    case ATOM_MIN:
    case ATOM_MAX:
        return (c == 'U' || c == 'S') ? bytes >= 4 : c == 'F' && bytes <= 4 && t != T_F32;
    default: return c == 'F' ? bytes >= 2 : (c == 'U' || c == 'S') && bytes >= 4;
    }
}

static const modifier atom_ops[] = {M_ADD, M_AND, M_OR,   M_XOR, M_MIN, M_MAX,
                                    M_INC, M_DEC, M_EXCH, M_CAS, M_NONE};

static void atomic(parser *p, bool red) {
    if (red && dec_take(p, M_ASYNC)) {
        dec_async_store(p, true);
        return;
    }
    bool far = dec_take(p, M_SHARED_CLUSTER);
    uint16_t flags = dec_order(p) | INS_STRONG;
    ptx_space space = take_space(p);
    dec_cache_policy(p);
    unsigned k = 0;
    for (modifier m = dec_take_of(p, atom_ops); k < 10 && atom_ops[k] != m; k++)
        ;
    dec_take(p, M_NOFTZ);
    ptx_type t = dec_type(p, 0);
    unsigned want = 2u + (k == ATOM_CAS) + !red;
    DEC_REFUSE(p,
               k >= 10 || !atom_allowed(k, t) ||
                   (space != PTX_SPACE_NONE && space != PTX_GLOBAL && space != PTX_SHARED),
               "this atomic operation doesn't exist");
    if (!dec_want(p, want, want)) return;
    unsigned ai = red ? 0 : 1;
    const opnd *ob = &p->in.o[ai + 1], *od = &p->in.o[0];
    unsigned n = take_vector(p, ob);
    int32_t b[8], d[8], c = 0;
    address a = address_in(p, ai, far);
    if (!red && n > 1 && (od->kind != O_VEC || od->n != n))
        dec_fail(p, "the result's parts don't fit the vector");
    for (unsigned e = 0; e < n && !p->failed; e++) {
        b[e] = dec_src_of(p, n > 1 ? &p->parts[ob->first + e] : ob, t);
        d[e] = red ? 0 : dec_dst_of(p, n > 1 ? &p->parts[od->first + e] : od, t);
    }
    if (k == ATOM_CAS && !p->failed) c = dec_src(p, ai + 2, t);
    if (p->failed) return;
    ins *i = dec_emit(p, x_atom, PTX_CLASS_ATOMIC);
    set_address(p, i, a);
    i->flags |= flags;
    i->b = b[0], i->c = c;
    i->aw = (uint8_t)type_lane(vm_type_bytes[t]);
    i->dw = red || od->kind == O_SINK ? 0 : i->aw;
    i->bytes = vm_type_bytes[t];
    i->n = (uint8_t)n;
    i->type = (uint8_t)t;
    i->sub = (uint8_t)k;
    i->space = (uint8_t)space;
    i->e = (int32_t)p->m->list.n;
    for (unsigned e = 0; e < 2 * n; e++) *VEC_PUSH(p->m->list) = e < n ? d[e] : b[e - n];
}

void dec_atom(parser *p) {
    atomic(p, false);
}

void dec_red(parser *p) {
    atomic(p, true);
}

/* ---- matrices ---- */

static void matrix_access(parser *p, bool store) {
    if (!dec_take(p, M_SYNC) || !dec_take(p, M_ALIGNED) || !dec_take(p, M_M8N8))
        dec_fail(p, ".sync.aligned.m8n8 is needed");
    unsigned n = dec_take(p, M_X1) ? 1 : dec_take(p, M_X2) ? 2 : dec_take(p, M_X4) ? 4 : 0;
    bool trans = dec_take(p, M_TRANS);
    if (!dec_take(p, M_SHARED)) dec_take(p, M_SHARED_CTA);
    ptx_type t = dec_type(p, 0);
    unsigned v = store ? 1 : 0;
    DEC_REFUSE(
        p, !n || t != T_B16 || !dec_want(p, 2, 2) || p->in.o[v].kind != O_VEC || p->in.o[v].n != n,
        "malformed");
    int32_t regs[4], a = dec_address(p, 1 - v);
    for (unsigned k = 0; k < n; k++) {
        const opnd *o = &p->parts[p->in.o[v].first + k];
        regs[k] = store ? dec_src_of(p, o, T_B32) : dec_dst_of(p, o, T_B32);
    }
    if (p->failed) return;
    ins *i = dec_emit(p, store ? x_stmatrix : x_ldmatrix, PTX_CLASS_MATRIX);
    i->a = a;
    i->n = (uint8_t)n;
    i->flags |= trans ? INS_TRANS : 0;
    i->e = (int32_t)dec_list(p, regs, n);
}

void dec_ldmatrix(parser *p) {
    matrix_access(p, false);
}

void dec_stmatrix(parser *p) {
    matrix_access(p, true);
}

void dec_movmatrix(parser *p) {
    bool ok = dec_take(p, M_SYNC) && dec_take(p, M_ALIGNED) && dec_take(p, M_M8N8) &&
              dec_take(p, M_TRANS);
    DEC_REFUSE(p, !ok || dec_type(p, 0) != T_B16 || !dec_want(p, 2, 2), "malformed");
    int32_t a = dec_src(p, 1, T_B32), d = dec_dst(p, 0, T_B32);
    ins *i = dec_emit(p, x_movmatrix, PTX_CLASS_MATRIX);
    i->a = a, i->d = d;
}

/* m, n, k and how many registers a, b and c take, for each shape and kind of operand. */
typedef struct {
    modifier shape;
    char kind; /* of a and b: h(alf), t(f32), i(nt8), d(ouble) */
    uint8_t m, k, a, b, c;
} mma_shape;

static const mma_shape shapes[] = {
    {M_M16N8K8, 'h', 16, 8, 2, 1, 4},   {M_M16N8K16, 'h', 16, 16, 4, 2, 4},
    {M_M16N8K4, 't', 16, 4, 2, 1, 4},   {M_M16N8K8, 't', 16, 8, 4, 2, 4},
    {M_M8N8K16, 'i', 8, 16, 1, 1, 2},   {M_M16N8K16, 'i', 16, 16, 2, 1, 4},
    {M_M16N8K32, 'i', 16, 32, 4, 2, 4}, {M_M8N8K4, 'd', 8, 4, 1, 1, 2},
    {M_M16N8K4, 'd', 16, 4, 2, 1, 4},   {M_M16N8K8, 'd', 16, 8, 4, 2, 4},
    {M_M16N8K16, 'd', 16, 16, 8, 4, 4}, {M_M16N8K16, '8', 16, 16, 2, 1, 4},
    {M_M16N8K32, '8', 16, 32, 4, 2, 4}, {M_M8N8K32, '4', 8, 32, 1, 1, 2},
    {M_M16N8K32, '4', 16, 32, 2, 1, 4}, {M_M16N8K64, '4', 16, 64, 4, 2, 4},
};

static char operand_kind(ptx_type t) {
    return t == T_F16 || t == T_BF16    ? 'h'
           : t == T_TF32                ? 't'
           : t == T_S8 || t == T_U8     ? 'i'
           : t == T_F64                 ? 'd'
           : t == T_E4M3 || t == T_E5M2 ? '8'
           : t == T_S4 || t == T_U4     ? '4'
                                        : 0;
}

static const mma_shape *take_shape(parser *p, ptx_type ta) {
    for (size_t k = 0; k < sizeof shapes / sizeof shapes[0]; k++)
        if (shapes[k].kind == operand_kind(ta) && dec_take(p, shapes[k].shape)) return &shapes[k];
    return NULL;
}

static bool mma_types_fit(const ptx_type t[4]) {
    ptx_type d = t[0], a = t[1], b = t[2], c = t[3];
    char kind = operand_kind(a);
    if (kind == 'i' || kind == '4') return operand_kind(b) == kind && d == T_S32 && c == T_S32;
    if (kind == '8') return operand_kind(b) == kind && d == c && (d == T_F32 || d == T_F16);
    if (a != b) return false;
    if (a == T_F64) return d == T_F64 && c == T_F64;
    return a == T_F16 ? (d == T_F16 || d == T_F32) && (c == T_F16 || c == T_F32)
                      : d == T_F32 && c == T_F32;
}

static void fragment(parser *p, unsigned k, ptx_type t, unsigned n, bool result) {
    const opnd *o = &p->in.o[k];
    DEC_REFUSE(p, o->kind != O_VEC || o->n != n, "a fragment has a wrong number of registers");
    for (unsigned e = 0; e < n && !p->failed; e++) {
        const opnd *part = &p->parts[o->first + e];
        int32_t reg = result ? dec_dst_of(p, part, t) : dec_src_of(p, part, t);
        *VEC_PUSH(p->m->list) = reg;
    }
}

void dec_mma(parser *p) {
    static const modifier plain[] = {M_SYNC, M_ALIGNED, M_ROW, M_COL, M_NONE};
    unsigned got = 0;
    while (dec_take_of(p, plain)) got++;
    ptx_type t[4] = {dec_type(p, 0), dec_type(p, 1), dec_type(p, 2), dec_type(p, 3)};
    const mma_shape *s = p->failed ? NULL : take_shape(p, t[1]);
    char kind = operand_kind(t[1]);
    bool sat = kind == 'i' || kind == '4' ? dec_take(p, M_SATFINITE) : false;
    modifier rnd[] = {M_RN, M_NONE};
    if (t[1] == T_F64) dec_take_of(p, rnd);
    DEC_REFUSE(p, !s || got != 4 || !mma_types_fit(t) || !dec_want(p, 4, 4),
               "this shape and these types are not supported");
    bool wide = t[1] == T_F64;
    ptx_type reg = wide ? T_B64 : T_B32;
    uint32_t first = (uint32_t)p->m->list.n;
    fragment(p, 1, reg, s->a, false);
    fragment(p, 2, reg, s->b, false);
    fragment(p, 3, reg, t[3] == T_F16 ? s->c / 2u : s->c, false);
    fragment(p, 0, reg, t[0] == T_F16 ? s->c / 2u : s->c, true);
    if (p->failed) return;
    ins *i = dec_emit(p, x_mma, PTX_CLASS_MATRIX);
    i->e = (int32_t)first;
    i->n = s->m;
    i->bytes = s->k;
    i->type = (uint8_t)t[1];
    i->sub = (uint8_t)t[2];
    i->space = (uint8_t)t[3];
    i->rnd = (uint8_t)t[0];
    i->flags |= sat ? INS_SATFIN : 0;
}
