/* decode_async.c - copies that go on by themselves, and the mbarriers that tell of their end. */
#include "parse.h"

#include "exec.h"

/* ---- cp.async ---- */

static void cp_group(parser *p, exec_fn *exec, int64_t imm) {
    ins *i = dec_emit(p, exec, PTX_CLASS_ASYNC);
    i->imm = imm;
}

/* cp.async.mbarrier.arrive{.noinc}.b64 [barrier]: arrives when the thread's copies so far are done. */
static void cp_mbarrier(parser *p) {
    bool noinc, ok = dec_take(p, M_ARRIVE);
    noinc = dec_take(p, M_NOINC);
    if (!dec_take(p, M_SHARED)) dec_take(p, M_SHARED_CTA);
    DEC_REFUSE(p, !ok || dec_type(p, 0) != T_B64 || !dec_want(p, 1, 1), "malformed");
    int32_t a = dec_address(p, 0);
    ins *i = dec_emit(p, x_cp_mbarrier, PTX_CLASS_ASYNC);
    i->a = a;
    i->n = !noinc;
}

/* Where a bulk copy goes, from its modifiers: into shared memory, an mbarrier counting the bytes, perhaps
 * from shared memory, perhaps of several blocks; or out of it, in a group. */
typedef struct {
    bool load, from_shared, multicast, policy;
} bulk_form;

static bool take_bulk_form(parser *p, bulk_form *f) {
    *f = (bulk_form){.load = dec_take(p, M_MBARRIER_TX)};
    bool far = dec_take(p, M_SHARED_CLUSTER), cta = dec_take(p, M_SHARED_CTA),
         global = dec_take(p, M_GLOBAL);
    f->from_shared = f->load && far && cta && !global;
    f->multicast = f->load && far && dec_take(p, M_MULTICAST);
    dec_cache_policy(p);
    p->m->proxies = true;
    if (f->load && f->from_shared != (global && far != cta)) return true;
    if (!f->load && cta && !far && global && dec_take(p, M_BULK_GROUP)) return true;
    dec_fail(p, "bulk copies go from .global to .shared with an mbarrier, from .shared::cta to "
                ".shared::cluster so, or back in a .bulk_group");
    return false;
}

static void set_bulk(ins *i, const bulk_form *f, int32_t other, int32_t shared, int32_t mbar,
                     int32_t mask) {
    i->a = other, i->b = shared, i->e = mbar, i->d2 = mask;
    i->dw2 = f->multicast ? 4 : 0;
    i->n = f->load;
    i->space = f->from_shared ? PTX_SHARED : PTX_GLOBAL;
}

/* [to], [from], size{, [mbarrier]{, mask}} */
static void bulk_copy_of(parser *p) {
    bulk_form f;
    if (!take_bulk_form(p, &f)) return;
    unsigned n = 3u + f.load + f.multicast;
    if (!dec_want(p, n, n)) return;
    int32_t to = dec_address(p, 0), from = dec_address(p, 1), size = dec_src(p, 2, T_U32),
            mbar = f.load ? dec_address(p, 3) : 0, mask = f.multicast ? dec_src(p, 4, T_U16) : 0;
    if (p->failed) return;
    ins *i = dec_emit(p, x_cp_bulk, PTX_CLASS_ASYNC);
    set_bulk(i, &f, f.load ? from : to, f.load ? to : from, mbar, mask);
    i->c = size;
}

/* .Nd: [to], [map, {coordinates}], [mbarrier]{, {offsets}}{, mask}, or [map, {coordinates}], [from] in a
 * group. */
static void cp_tensor(parser *p) {
    static const modifier ranks[] = {M_D1, M_D2, M_D3, M_D4, M_D5, M_NONE};
    modifier m = dec_take_of(p, ranks);
    unsigned rank = m ? (unsigned)(m - M_D1 + 1) : 0;
    bool offsets = dec_take(p, M_IM2COL), pixels = offsets || dec_take(p, M_IM2COL_NO_OFFS);
    bulk_form f;
    if (!pixels) dec_take(p, M_TILE);
    if (!take_bulk_form(p, &f)) return;
    const opnd *o = &p->in.o[f.load ? 1 : 0], *v = &p->in.o[3];
    unsigned n = 2u + f.load + offsets + f.multicast;
    DEC_REFUSE(p,
               f.from_shared || (pixels && (rank < 3 || offsets != f.load)) || !dec_want(p, n, n) ||
                   o->kind != O_ADDR || o->n != rank ||
                   (offsets && (v->kind != O_VEC || v->n != rank - 2)),
               "a tensor's box goes from .global to .shared with an mbarrier, or back in a "
               ".bulk_group");
    int32_t c[8], map = dec_address(p, f.load ? 1 : 0), shared = dec_address(p, f.load ? 0 : 1),
                  mbar = f.load ? dec_address(p, 2) : 0,
                  mask = f.multicast ? dec_src(p, n - 1, T_U16) : 0;
    for (unsigned k = 0; k < rank; k++) c[k] = dec_src_of(p, &p->parts[o->first + k], T_S32);
    for (unsigned k = 0; offsets && k < rank - 2; k++)
        c[rank + k] = dec_src_of(p, &p->parts[v->first + k], T_U16);
    if (p->failed) return;
    ins *i = dec_emit(p, x_cp_tensor, PTX_CLASS_ASYNC);
    set_bulk(i, &f, map, shared, mbar, mask);
    i->bytes = (uint8_t)rank;
    i->sub = pixels;
    i->target = dec_list(p, c, rank + (offsets ? rank - 2 : 0));
}

static void cp_bulk(parser *p) {
    if (dec_take(p, M_COMMIT_GROUP))
        cp_group(p, x_bulk_commit, 0);
    else if (dec_take(p, M_WAIT_GROUP)) {
        dec_take(p, M_READ);
        if (dec_want(p, 1, 1))
            cp_group(p, x_bulk_wait,
                     (int64_t)dec_imm(p, 0, 1000, "a constant number of groups is needed"));
    } else if (dec_take(p, M_PREFETCH))
        dec_hint(p);
    else if (dec_take(p, M_TENSOR))
        cp_tensor(p);
    else
        bulk_copy_of(p);
}

static void cp_copy(parser *p) {
    bool cg = dec_take(p, M_CG);
    if (!cg && !dec_take(p, M_CA)) dec_fail(p, ".ca or .cg is missing");
    dec_order(p);
    bool shared = dec_take(p, M_SHARED) || dec_take(p, M_SHARED_CTA);
    dec_cache_policy(p);
    DEC_REFUSE(p, !shared || !dec_take(p, M_GLOBAL) || !dec_want(p, 3, 4),
               "cp.async copies from .global to .shared");
    uint64_t size = dec_imm(p, 2, 16, "the size must be a constant");
    if (size != 16 && (cg || (size != 4 && size != 8)))
        dec_fail(p, "the size must be 4, 8 or 16 (16 with .cg)");
    int32_t to = dec_address(p, 0), from = dec_address(p, 1), size_reg = const_reg(p, size, 4),
            ignore = 0;
    bool negated = false,
         has_ignore = p->in.n == 4 && p->in.o[3].kind == O_REG && p->in.o[3].type == T_PRED;
    if (has_ignore)
        ignore = dec_pred(p, 3, &negated);
    else if (p->in.n == 4)
        size_reg = dec_src(p, 3, T_U32);
    if (p->failed) return;
    ins *i = dec_emit(p, x_cp_async, PTX_CLASS_ASYNC);
    i->a = from, i->b = to, i->c = ignore, i->e = size_reg;
    i->n = has_ignore;
    i->flags |= negated ? INS_NOT_C : 0;
    i->bytes = (uint8_t)size;
}

void dec_cp(parser *p) {
    if (!dec_take(p, M_ASYNC))
        dec_fail(p, "only cp.async is supported");
    else if (dec_take(p, M_BULK))
        cp_bulk(p);
    else if (dec_take(p, M_MBARRIER))
        cp_mbarrier(p);
    else if (dec_take(p, M_COMMIT_GROUP))
        cp_group(p, x_cp_commit, 0);
    else if (dec_take(p, M_WAIT_ALL))
        cp_group(p, x_cp_wait, -1);
    else if (dec_take(p, M_WAIT_GROUP)) {
        if (dec_want(p, 1, 1))
            cp_group(p, x_cp_wait,
                     (int64_t)dec_imm(p, 0, 1000, "a constant number of groups is needed"));
    } else
        cp_copy(p);
}

/* ---- mbarrier ---- */

/* Each form: its word, what it may have, its operands behind the result. */
typedef struct {
    modifier m;
    uint8_t op;
    bool result, parity;
    uint8_t least, most; /* operands, the result counted */
} mbarrier_form;

static const mbarrier_form forms[] = {{M_INIT, MBAR_INIT, false, false, 2, 2},
                                      {M_INVAL, MBAR_INVAL, false, false, 1, 1},
                                      {M_ARRIVE_DROP, MBAR_DROP, true, false, 2, 3},
                                      {M_ARRIVE, MBAR_ARRIVE, true, false, 2, 3},
                                      {M_EXPECT_TX, MBAR_EXPECT, false, false, 2, 2},
                                      {M_COMPLETE_TX, MBAR_COMPLETE, false, false, 2, 2},
                                      {M_TEST_WAIT, MBAR_WAIT, true, true, 3, 3},
                                      {M_TRY_WAIT, MBAR_WAIT, true, true, 3, 4},
                                      {M_PENDING_COUNT, MBAR_PENDING, true, false, 2, 2}};

static const mbarrier_form *take_form(parser *p) {
    for (size_t k = 0; k < sizeof forms / sizeof *forms; k++)
        if (dec_take(p, forms[k].m)) return &forms[k];
    return NULL;
}

void dec_mbarrier(parser *p) {
    const mbarrier_form *f = take_form(p);
    DEC_REFUSE(p, !f || !dec_want(p, f->least, f->most), "malformed");
    bool arrives = f->op == MBAR_ARRIVE || f->op == MBAR_DROP,
         parity = f->parity && dec_take(p, M_PARITY);
    bool expects = arrives && dec_take(p, M_EXPECT_TX), open = arrives && dec_take(p, M_NOCOMPLETE);
    bool relaxed = f->op == MBAR_EXPECT || f->op == MBAR_COMPLETE || inst_has(&p->in, M_RELAXED);
    dec_order(p);
    static const modifier spaces[] = {M_SHARED, M_SHARED_CTA, M_SHARED_CLUSTER, M_NONE};
    dec_take_of(p, spaces);
    ptx_type t = dec_type(p, 0);
    unsigned at = f->result;
    bool counts = f->op == MBAR_PENDING;
    int32_t a = counts ? dec_src(p, 1, T_B64) : dec_address(p, at), b = const_reg(p, 1, 4);
    if (p->in.n > at + 1) b = dec_src(p, at + 1, f->op == MBAR_WAIT && !parity ? T_B64 : T_U32);
    int32_t d = f->result ? dec_dst(p, 0, f->op == MBAR_WAIT ? T_PRED : counts ? T_U32 : T_B64) : 0;
    if (t != T_B64 || (expects && p->in.n != 3)) dec_fail(p, "malformed");
    if (p->failed) return;
    ins *i = dec_emit(p, x_mbarrier, counts ? PTX_CLASS_INT : PTX_CLASS_BARRIER);
    i->a = a, i->b = b, i->d = d;
    i->dw = !f->result || p->in.o[0].kind == O_SINK ? 0 : arrives ? 8 : 4;
    i->sub = f->op;
    i->n = parity;
    i->bytes = expects;
    i->type = open;
    i->flags |= relaxed ? 0 : f->op == MBAR_WAIT ? INS_ACQUIRE : arrives ? INS_RELEASE : 0;
}
