/* decode_flow.c - branches, calls, barriers, and what the lanes of a warp do together. */
#include "parse.h"

#include "exec.h"

static void take_everything(parser *p) {
    p->in.taken = 0xffff;
    p->in.n_asked = p->in.n_types;
}

/* ---- control ---- */

static void use_label(parser *p, const opnd *o, uint32_t at) {
    DEC_REFUSE(p, o->kind != O_SYM, "a label is needed");
    *VEC_PUSH(p->uses) = (label_use){o->name, at, p->in.line, o->column, false};
}

void dec_bra(parser *p) {
    dec_take(p, M_UNI);
    if (!dec_want(p, 1, 1)) return;
    use_label(p, &p->in.o[0], (uint32_t)p->m->code.n);
    dec_emit(p, x_bra, PTX_CLASS_CONTROL);
}

void dec_brx(parser *p) {
    dec_take(p, M_UNI);
    DEC_REFUSE(p, !dec_take(p, M_IDX) || !dec_want(p, 2, 2), "malformed");
    const opnd *o = &p->in.o[1];
    const binding *b = o->kind == O_SYM ? o->var : NULL;
    int32_t a = dec_src(p, 0, T_U32);
    DEC_REFUSE(p, !b || b->kind != B_TARGETS, "a .branchtargets list is needed");
    ins *i = dec_emit(p, x_brx, PTX_CLASS_CONTROL);
    i->a = a;
    i->target = (uint32_t)b->offset;
    i->imm = b->count;
}

static bool push_arguments(parser *p, const opnd *o) {
    *VEC_PUSH(p->m->list) = o ? o->n : 0;
    for (unsigned k = 0; o && k < o->n; k++) {
        const opnd *part = &p->parts[o->first + k];
        if (part->kind != O_VAR || part->var->kind != B_LOCAL || part->addend) {
            dec_fail(p, "arguments and results must be .param variables");
            return false;
        }
        *VEC_PUSH(p->m->list) = (int32_t)part->var->offset;
        *VEC_PUSH(p->m->list) = (int32_t)part->var->size;
    }
    return true;
}

static void note_call(parser *p, function *callee) {
    for (size_t k = 0; k < p->fn->calls.n; k++)
        if (p->fn->calls.at[k] == callee) return;
    *VEC_PUSH(p->fn->calls) = callee;
}

void dec_call(parser *p) {
    dec_take(p, M_UNI);
    unsigned k = 0;
    const opnd *results = p->in.n && p->in.o[0].kind == O_VEC ? &p->in.o[k++] : NULL;
    DEC_REFUSE(p, k >= p->in.n, "the callee is missing");
    unsigned callee = k++;
    const opnd *args = k < p->in.n && p->in.o[k].kind == O_VEC ? &p->in.o[k++] : NULL;
    const opnd *o = &p->in.o[callee];
    uint32_t list = (uint32_t)p->m->list.n;
    if (!push_arguments(p, results) || !push_arguments(p, args)) return;
    bool direct = o->kind == O_SYM && o->var && o->var->kind == B_FUNC && !o->var->fn->is_kernel;
    int32_t a = direct ? 0 : dec_src(p, callee, T_B64);
    if (p->failed) return;
    if (direct) {
        const function *f = o->var->fn;
        DEC_REFUSE(
            p, (results ? results->n : 0) != f->n_results || (args ? args->n : 0) != f->n_params,
            "wrong number of arguments or results");
        note_call(p, o->var->fn);
    } else
        p->fn->calls_pointer = true;
    ins *i = dec_emit(p, direct ? x_call : x_call_pointer, PTX_CLASS_CONTROL);
    i->e = (int32_t)list;
    i->a = a;
    i->target = direct ? o->var->fn->index : 0;
}

void dec_ret(parser *p) {
    dec_take(p, M_UNI);
    dec_emit(p, p->fn->is_kernel ? x_exit : x_ret, PTX_CLASS_CONTROL);
}

void dec_exit(parser *p) {
    dec_emit(p, x_exit, PTX_CLASS_CONTROL);
}

void dec_trap(parser *p) {
    dec_emit(p, x_trap, PTX_CLASS_CONTROL);
}

void dec_nanosleep(parser *p) {
    dec_type(p, 0);
    if (dec_want(p, 1, 1)) {
        dec_src(p, 0, T_U32);
        dec_emit(p, x_nanosleep, PTX_CLASS_CONTROL);
    }
}

/* Performance hints: nothing happens, but the operands have been parsed. */
void dec_hint(parser *p) {
    take_everything(p);
    dec_emit(p, x_nothing, PTX_CLASS_CONTROL);
}

void dec_policy(parser *p) {
    take_everything(p);
    int32_t d = dec_dst(p, 0, T_B64), zero = const_reg(p, 0, 8);
    if (!p->failed) dec_lane(p, LN_mov, T_B64, d, zero, zero, zero);
}

/* ---- barriers and fences ---- */

void dec_fence(parser *p) {
    static const modifier cta[] = {M_CTA, M_NONE}, wide[] = {M_GL, M_GPU, M_SYS, M_CLUSTER, M_NONE};
    static const modifier kinds[] = {M_SC, M_ACQ_REL, M_ACQUIRE, M_RELEASE, M_NONE};
    if (dec_take(p, M_PROXY)) {
        bool covers = dec_take(p, M_ASYNC) && !dec_take(p, M_GLOBAL); /* shared memory, that is */
        take_everything(p);
        dec_emit(p, covers ? x_proxy_fence : x_nothing, PTX_CLASS_CONTROL);
        return;
    }
    dec_take(p, M_MBARRIER_INIT);
    dec_take_of(p, kinds);
    bool reaches = dec_take_of(p, wide) != M_NONE;
    if (!reaches && !dec_take_of(p, cta)) dec_fail(p, "a scope is missing");
    dec_emit(p, x_fence, PTX_CLASS_BARRIER)->flags |= reaches ? INS_FENCE_GPU : 0;
}

static void bar_warp(parser *p) {
    DEC_REFUSE(p, !dec_take(p, M_SYNC) || !dec_want(p, 1, 1), "malformed");
    int32_t mask = dec_src(p, 0, T_B32);
    ins *i = dec_emit(p, x_bar_warp, PTX_CLASS_BARRIER);
    i->e = mask;
    i->flags |= INS_MEMBERS;
}

/* bar.red.popc.u32 d, a{, b}, {!}c and .and/.or with a predicate result. */
static void bar_red(parser *p, uint16_t flags) {
    bool popc = dec_take(p, M_POPC), and = !popc && dec_take(p, M_AND), negated;
    if (!popc && !and&&!dec_take(p, M_OR)) dec_fail(p, ".popc, .and or .or is missing");
    ptx_type t = dec_type(p, 0);
    DEC_REFUSE(p, !dec_want(p, 3, 4) || t != (popc ? T_U32 : T_PRED), "malformed");
    int32_t a = dec_src(p, 1, T_U32), b = p->in.n == 4 ? dec_src(p, 2, T_U32) : 0;
    int32_t c = dec_pred(p, p->in.n - 1u, &negated), d = dec_dst(p, 0, t);
    ins *i = dec_emit(p, x_bar, PTX_CLASS_BARRIER);
    i->a = a, i->b = b, i->c = c, i->d = d;
    i->dw = 4;
    i->n = p->in.n == 4;
    i->sub = popc ? BAR_POPC : and? BAR_AND : BAR_OR;
    i->flags |= flags | (negated ? INS_NOT_C : 0);
}

void dec_barrier(parser *p) {
    if (p->in.op == OP_barrier && dec_take(p, M_CLUSTER)) {
        dec_cluster_barrier(p);
        return;
    }
    if (p->in.op == OP_bar && dec_take(p, M_WARP)) {
        bar_warp(p);
        return;
    }
    dec_take(p, M_CTA);
    uint16_t flags = dec_take(p, M_ALIGNED) || p->in.op == OP_bar ? INS_ALIGNED : 0;
    if (dec_take(p, M_RED)) {
        bar_red(p, flags);
        return;
    }
    bool arrive = dec_take(p, M_ARRIVE);
    DEC_REFUSE(p, (!arrive && !dec_take(p, M_SYNC)) || !dec_want(p, arrive ? 2 : 1, 2),
               "malformed");
    int32_t a = dec_src(p, 0, T_U32), b = p->in.n == 2 ? dec_src(p, 1, T_U32) : 0;
    ins *i = dec_emit(p, x_bar, PTX_CLASS_BARRIER);
    i->a = a, i->b = b;
    i->n = p->in.n == 2;
    i->sub = arrive ? BAR_ARRIVE : BAR_SYNC;
    i->flags |= flags;
}

/* ---- lanes together ---- */

/* With .sync the last operand names the lanes; without it (old targets) it is those that execute.
 */
static ins *together(parser *p, exec_fn *exec, bool sync, unsigned mask_operand) {
    int32_t mask = sync ? dec_src(p, mask_operand, T_B32) : 0;
    ins *i = dec_emit(p, exec, PTX_CLASS_SHUFFLE);
    i->e = mask;
    i->flags |= sync ? INS_MEMBERS : 0;
    return i;
}

/* "d|p": where the predicate goes, or a register that nobody reads. */
static int32_t second_result(parser *p, bool *present) {
    *present = p->in.o[0].second != 0;
    return *present ? dec_dst_of(p, &p->parts[p->in.o[0].second - 1], T_PRED) : 0;
}

void dec_shfl(parser *p) {
    static const modifier modes[] = {M_UP, M_DOWN, M_BFLY, M_IDX, M_NONE};
    bool sync = dec_take(p, M_SYNC), two;
    modifier m = dec_take_of(p, modes);
    ptx_type t = dec_type(p, 0);
    DEC_REFUSE(p, !m || vm_type_bytes[t] != 4 || !dec_want(p, sync ? 5 : 4, sync ? 5 : 4),
               "malformed");
    int32_t a = dec_src(p, 1, t), b = dec_src(p, 2, T_B32), c = dec_src(p, 3, T_B32);
    int32_t d = dec_dst(p, 0, t), q = second_result(p, &two);
    ins *i = together(p, x_shfl, sync, 4);
    i->a = a, i->b = b, i->c = c, i->d = d, i->d2 = q;
    i->dw = 4;
    i->dw2 = two ? 4 : 0;
    i->sub = (uint8_t)(m - M_UP);
}

void dec_vote(parser *p) {
    bool sync = dec_take(p, M_SYNC), negated;
    unsigned mode = dec_take(p, M_ALL)      ? VOTE_ALL
                    : dec_take(p, M_ANY)    ? VOTE_ANY
                    : dec_take(p, M_UNI)    ? VOTE_UNI
                    : dec_take(p, M_BALLOT) ? VOTE_BALLOT
                                            : 9;
    ptx_type t = dec_type(p, 0);
    DEC_REFUSE(p,
               mode == 9 || t != (mode == VOTE_BALLOT ? T_B32 : T_PRED) ||
                   !dec_want(p, 2 + sync, 2 + sync),
               "malformed");
    int32_t a = dec_pred(p, 1, &negated), d = dec_dst(p, 0, t);
    ins *i = together(p, x_vote, sync, 2);
    i->a = a, i->d = d;
    i->dw = 4;
    i->sub = (uint8_t)mode;
    i->flags |= negated ? INS_NOT_C : 0;
}

void dec_match(parser *p) {
    bool all = dec_take(p, M_ALL), two;
    DEC_REFUSE(p, (!all && !dec_take(p, M_ANY)) || !dec_take(p, M_SYNC) || !dec_want(p, 3, 3),
               "malformed");
    ptx_type t = dec_type(p, 0);
    int32_t a = dec_src(p, 1, t), d = dec_dst(p, 0, T_B32), q = second_result(p, &two);
    ins *i = together(p, x_match, true, 2);
    i->a = a, i->d = d, i->d2 = q;
    i->dw = 4;
    i->dw2 = two ? 4 : 0;
    i->bytes = vm_type_bytes[t];
    i->sub = all;
}

void dec_redux(parser *p) {
    static const modifier ops[] = {M_ADD, M_AND, M_OR, M_XOR, M_MIN, M_MAX, M_NONE};
    bool sync = dec_take(p, M_SYNC);
    modifier m = dec_take_of(p, ops);
    ptx_type t = dec_type(p, 0);
    unsigned k = 0;
    while (ops[k] && ops[k] != m) k++;
    bool logic = k >= REDUX_AND && k <= REDUX_XOR;
    DEC_REFUSE(p,
               !sync || !m || !dec_want(p, 3, 3) || (logic ? t != T_B32 : t != T_U32 && t != T_S32),
               "malformed");
    int32_t a = dec_src(p, 1, t), d = dec_dst(p, 0, t);
    ins *i = together(p, x_redux, true, 2);
    i->a = a, i->d = d;
    i->dw = 4;
    i->sub = (uint8_t)k;
    i->type = (uint8_t)t;
}

void dec_activemask(parser *p) {
    DEC_REFUSE(p, dec_type(p, 0) != T_B32 || !dec_want(p, 1, 1), "malformed");
    int32_t d = dec_dst(p, 0, T_B32);
    ins *i = dec_emit(p, x_activemask, PTX_CLASS_SHUFFLE);
    i->d = d;
    i->dw = 4;
}

void dec_elect(parser *p) {
    bool two;
    DEC_REFUSE(p, !dec_take(p, M_SYNC) || !dec_want(p, 2, 2), "malformed");
    int32_t d = dec_dst(p, 0, T_B32), q = second_result(p, &two);
    ins *i = together(p, x_elect, true, 1);
    i->d = d, i->d2 = q;
    i->dw = 4;
    i->dw2 = two ? 4 : 0;
}
