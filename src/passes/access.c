/* access.c - what is read where: see access.h.
 *
 *     reshape   the row-major number, taken apart again          pad      shifted; outside there is the filler
 *     permute   the same in another order                        concat   shifted; outside there are the other operands
 *     expand    0 where one element is repeated                  slice, as_strided   steps
 *     gather    its indices, along their own axes                elementwise, copy   the same index */
#include "src/passes/access.h"

#include <string.h>

/* ---- indices */

void access_shape(const ir_graph *g, ir_ref r, int64_t *shape) {
    if (!ir_static_shape(g, r, shape)) bz_bug("lowering a symbolic shape");
}

void access_any_index(const ir_graph *g, ir_exprs *x, ir_ref r, ir_ex *idx) {
    int64_t shape[IR_MAX_RANK];
    access_shape(g, r, shape);
    for (unsigned d = 0; d < ir_at(g, r)->rank; d++)
        idx[d] = shape[d] <= 1 ? ir_ex_const(x, 0) : ir_ex_sym(x, NULL, 0, shape[d] - 1);
}

ir_ex access_offset(const ir_graph *g, ir_exprs *x, ir_ref r, const ir_ex *idx) {
    int64_t shape[IR_MAX_RANK];
    ir_ex sum = ir_ex_const(x, 0);
    access_shape(g, r, shape);
    for (unsigned d = 0; d < ir_at(g, r)->rank; d++)
        sum = ir_ex_add(x, ir_ex_mulc(x, sum, shape[d]), idx[d]);
    return sum;
}

void access_delinearize(ir_exprs *x, ir_ex number, const int64_t *shape, const int64_t *axes,
                        unsigned n, ir_ex *idx) {
    for (unsigned i = n; i-- > 0;) {
        int64_t size = shape[axes[i]] > 0 ? shape[axes[i]] : 1;
        ir_ex s = ir_ex_const(x, size);
        idx[axes[i]] = i == 0 ? number : ir_ex_mod(x, number, s);
        number = ir_ex_div(x, number, s);
    }
}

/* The same symbol wherever the same number moves windows that have the same room. */
ir_ex access_mover(const ir_graph *g, ir_exprs *x, ir_ref r) {
    ir_ref at = ir_window_at(g, r);
    int64_t lo, hi;
    if (!at || !ir_window_room(g, r, &lo, &hi)) return 0;
    for (uint32_t i = x->keys.n; i-- > 0;) {
        const ir_ex_key *k = &x->keys.p[i];
        if (k->who == at && k->lo == lo && k->hi == hi) return k->sym;
    }
    ir_ex sym = ir_ex_sym(x, NULL, lo, hi);
    if (!bz_vec_push(&x->keys, ((ir_ex_key){at, sym, lo, hi}))) x->failed = true;
    return sym;
}

ir_ex access_window_offset(const ir_graph *g, ir_exprs *x, ir_ref r, const ir_ex *idx) {
    int64_t shape[IR_MAX_RANK], strides[IR_MAX_RANK];
    ir_strided w = ir_window_of(g, r, shape, strides);
    ir_ex flat = ir_ex_const(x, w.offset), sym = access_mover(g, x, r);
    if (sym) flat = ir_ex_add(x, flat, sym);
    for (unsigned d = 0; d < w.rank; d++)
        flat = ir_ex_add(x, flat, ir_ex_mulc(x, idx[d], strides[d]));
    return flat;
}

ir_ex access_picked_offset(const ir_graph *g, ir_exprs *x, ir_ref r, const ir_ex *idx) {
    const ir_node *n = ir_at(g, r);
    const unsigned axis = (unsigned)ir_attrs(g, n)[0],
                   in = ir_attrs(g, n)[1] ? 1 : ir_at(g, ir_in(g, n)[1])->rank; /* along: one */
    ir_ex at[IR_MAX_RANK];
    for (unsigned d = 0; d < ir_at(g, ir_in(g, n)[0])->rank; d++)
        at[d] = d < axis ? idx[d] : d == axis ? ir_ex_const(x, 0) : idx[d + in - 1];
    return access_offset(g, x, ir_in(g, n)[0], at);
}

/* ---- steps */

static void unflatten(ir_exprs *x, ir_ex number, const int64_t *shape, unsigned rank, ir_ex *at) {
    int64_t axes[IR_MAX_RANK];
    for (unsigned d = 0; d < rank; d++) axes[d] = d;
    access_delinearize(x, number, shape, axes, rank, at);
}

/* Index idx of a shape `own` as one of `shape`, axes by axes of as many elements on both sides: an index that a guard keeps inside,
 * whatever its range, so stays among its own axes. */
static void reshaped(ir_exprs *x, const int64_t *own, unsigned owns, const ir_ex *idx,
                     const int64_t *shape, unsigned rank, ir_ex *at) {
    for (unsigned i = 0, j = 0; i < owns || j < rank;) {
        int64_t p = 1, q = 1, axes[IR_MAX_RANK];
        unsigned n = 0;
        ir_ex number = ir_ex_const(x, 0);
        do {
            if (j == rank || (i < owns && p <= q)) {
                number = ir_ex_add(x, ir_ex_mulc(x, number, own[i]), idx[i]);
                p *= own[i++];
            } else {
                q *= shape[j];
                axes[n++] = j++;
            }
        } while (p != q && (i < owns || j < rank));
        access_delinearize(x, number, shape, axes, n, at);
    }
}

/* `at` is idx, moved by -shift along an axis of `size` elements. */
static void shift(ir_exprs *x, access_step *s, unsigned axis, ir_ex idx, int64_t shift,
                  int64_t size) {
    ir_ex e = ir_ex_addc(x, idx, -shift);
    const ir_ex_node *n = ir_ex_at(x, e);
    if (n->lo < 0 || n->hi >= size) s->outside |= 1u << axis;
    s->at[axis] = e;
}

/* Part k of a concat; false if nothing of it is meant at this index. */
static bool take_part(const ir_graph *g, ir_exprs *x, ir_ref r, const ir_ex *idx, unsigned k,
                      const int64_t *shape, access_step *s) {
    const ir_node *n = ir_at(g, r);
    const unsigned axis = (unsigned)ir_attrs(g, n)[0];
    const ir_ex_node here = *ir_ex_at(x, idx[axis]);
    int64_t from = 0, size = 0;
    for (unsigned i = 0; i < k; i++, from += size)
        ir_dim_value(g, ir_dims(g, ir_at(g, ir_in(g, n)[i]))[axis], &size);
    if (shape[axis] == 0 || here.lo >= from + shape[axis] || here.hi < from) return false;
    memcpy(s->at, idx, n->rank * sizeof *idx);
    shift(x, s, axis, idx[axis], from, shape[axis]);
    return true;
}

bool access_take(const ir_graph *g, ir_exprs *x, ir_ref r, const ir_ex *idx, unsigned k,
                 access_step *s) {
    const ir_node n = *ir_at(g, r);
    const int64_t *a = ir_attrs(g, &n);
    int64_t shape[IR_MAX_RANK], own[IR_MAX_RANK];
    ir_ex *at = s->at;
    s->x = ir_in(g, &n)[k];
    s->outside = 0;
    const unsigned rank = ir_at(g, s->x)->rank;
    if (ir_op_is_elementwise(n.op) || n.op == IR_COPY) {
        memcpy(at, idx, rank * sizeof *at);
        return true;
    }
    if (n.op == IR_GATHER && k == 1) {
        memcpy(at, idx + (a[1] ? 0 : a[0]), rank * sizeof *at);
        return true;
    }
    if (!ir_op_is_movement(n.op) || (k > 0 && n.op != IR_CONCAT)) return false;
    access_shape(g, s->x, shape);
    switch (n.op) {
    case IR_RESHAPE:
        access_shape(g, r, own);
        reshaped(x, own, n.rank, idx, shape, rank, at);
        return true;
    case IR_PERMUTE:
        for (unsigned d = 0; d < rank; d++) at[a[d]] = idx[d];
        return true;
    case IR_EXPAND:
        for (unsigned d = 0; d < rank; d++) at[d] = shape[d] == 1 ? ir_ex_const(x, 0) : idx[d];
        return true;
    case IR_SLICE: /* on an axis of one element a stride may be any number: nothing steps */
        access_shape(g, r, own);
        for (unsigned d = 0; d < rank; d++)
            at[d] = ir_ex_addc(x, ir_ex_mulc(x, idx[d], own[d] > 1 ? a[2 * d + 1] : 0), a[2 * d]);
        return true;
    case IR_PAD:
        for (unsigned d = 0; d < rank; d++) shift(x, s, d, idx[d], a[1 + 2 * d], shape[d]);
        return true;
    case IR_CONCAT: return take_part(g, x, r, idx, k, shape, s);
    default: /* AS_STRIDED */
        unflatten(x, access_window_offset(g, x, r, idx), shape, rank, at);
        return true;
    }
}

bool access_leaves_out(const ir_graph *g, ir_ref r) {
    const ir_node *n = ir_at(g, r);
    int64_t own = 0, all = 0;
    if (n->op != IR_SLICE) return n->op == IR_AS_STRIDED;
    return ir_numel(g, r, &own) && ir_numel(g, ir_in(g, n)[0], &all) && own < all;
}

/* ---- where a walk has been */

struct access_mark {
    ir_ref node;
    uint32_t guard, idx, slot; /* idx: into access_seen.idx */
};

static uint32_t slot_of(const access_seen *s, const access_place *p, unsigned rank) {
    uint64_t h = bz_mix(p->node, p->guard);
    for (unsigned d = 0; d < rank; d++) h = bz_mix(h, p->idx[d]);
    return (uint32_t)h & (s->nslots - 1);
}

static bool grow(access_seen *s, const ir_graph *g) {
    const uint32_t n = s->nslots ? 2 * s->nslots : 256;
    uint32_t *slots = bz_mem_zero(n, sizeof *slots);
    if (!slots) return false;
    bz_mem_free(s->slots);
    s->slots = slots;
    s->nslots = n;
    for (uint32_t i = 0; i < s->marks.n; i++) {
        struct access_mark *m = &s->marks.p[i];
        const access_place p = {.node = m->node, .guard = m->guard, .idx = s->idx.p + m->idx};
        m->slot = slot_of(s, &p, ir_at(g, m->node)->rank);
        while (slots[m->slot]) m->slot = (m->slot + 1) & (n - 1);
        slots[m->slot] = i + 1;
    }
    return true;
}

/* The number of a new place, from 1 on; 0: it is known, or memory ran out. */
static uint32_t enter(access_seen *s, const ir_graph *g, const access_place *p) {
    const unsigned rank = ir_at(g, p->node)->rank;
    if (2 * s->marks.n >= s->nslots && !grow(s, g)) return s->failed = true, 0;
    uint32_t at = slot_of(s, p, rank);
    for (; s->slots[at]; at = (at + 1) & (s->nslots - 1)) {
        const struct access_mark *m = &s->marks.p[s->slots[at] - 1];
        if (m->node == p->node && m->guard == p->guard &&
            (rank == 0 || !memcmp(s->idx.p + m->idx, p->idx, rank * sizeof *p->idx)))
            return 0;
    }
    const struct access_mark mark = {p->node, p->guard, s->idx.n, at};
    if (!bz_vec_reserve(&s->idx, rank) || !bz_vec_push(&s->marks, mark)) return s->failed = true, 0;
    for (unsigned d = 0; d < rank; d++) s->idx.p[s->idx.n++] = p->idx[d];
    return s->slots[at] = s->marks.n;
}

void access_forget(access_seen *s) {
    for (uint32_t i = 0; i < s->marks.n; i++) s->slots[s->marks.p[i].slot] = 0;
    s->marks.n = s->idx.n = 0;
    s->failed = false;
}

void access_seen_free(access_seen *s) {
    bz_vec_free(&s->marks);
    bz_vec_free(&s->idx);
    bz_mem_free(s->slots);
    *s = (access_seen){0};
}

/* ---- walks */

static bool walk(const access_walker *a, const access_place *p) {
    uint32_t number = a->seen ? enter(a->seen, a->g, p) : 1;
    if (!number) return !a->seen->failed;
    const access_answer answer = a->visit(a->ctx, p);
    if (answer != ACCESS_ON) return answer == ACCESS_STOP;
    const unsigned n = ir_at(a->g, p->node)->nin;
    for (unsigned k = 0; k < n; k++) {
        access_step s;
        if (!p->idx) s.x = ir_operand(a->g, p->node, k), s.outside = 0;
        if (p->idx && !access_take(a->g, a->x, p->node, p->idx, k, &s)) continue;
        access_place next = {s.x, p->node, p->idx ? s.at : NULL, &s, p->part, p->guard};
        next.part |= !p->idx && access_leaves_out(a->g, p->node);
        if (s.outside) next.guard = a->apart ? number : 1;
        if (!walk(a, &next)) return false;
    }
    return true;
}

bool access_walk(const access_walker *a, ir_ref r, const ir_ex *idx) {
    const access_place p = {.node = r, .idx = idx};
    return walk(a, &p);
}
