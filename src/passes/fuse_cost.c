/* fuse_cost.c - how many values a kernel would compute.
 *
 * A member that is read at another index than its own is computed there again. One shift costs one more value; a tower of shifted sums
 *
 *     a1 = a0 + shift a0;  a2 = a1 + shift a1;  a3 = a2 + shift a2 ...
 *
 * costs the more the higher it is, and if the shifts differ twice as much with each floor. The walk below goes the ways that emit.c will
 * go, and counts places: a node, an index, and the conditions (of pad and concat) under which it is wanted. */
#include "src/passes/fuse.h"

#include <string.h>

enum { SLOTS = 4096 };

typedef struct place {
    ir_ref node;
    uint32_t idx;   /* into fuse_walk.idx */
    uint32_t guard; /* place of the pad or concat that asks, plus 1; 0 = wanted always */
    uint32_t epoch;
} place;

struct fuse_walk {
    place slots[SLOTS];
    BZ_VEC(ir_ex) idx;
    uint32_t epoch, count, limit;
    uint32_t p, c; /* the groups that would be one kernel */
};

fuse_walk *fuse_walk_new(void) {
    return bz_mem_zero(1, sizeof(fuse_walk));
}

void fuse_walk_free(fuse_walk *w) {
    if (w) bz_vec_free(&w->idx);
    bz_mem_free(w);
}

/* The place's number + 1 if it is new; 0 if it was seen before (or memory ran out). */
static uint32_t enter(fuser *f, ir_ref r, const ir_ex *idx, uint32_t guard) {
    fuse_walk *w = f->walk;
    const unsigned rank = ir_at(f->g, r)->rank;
    uint64_t h = bz_mix(r, guard);
    for (unsigned d = 0; d < rank; d++) h = bz_mix(h, idx[d]);
    uint32_t at = (uint32_t)h % SLOTS;
    for (; w->slots[at].epoch == w->epoch; at = (at + 1) % SLOTS) {
        const place *o = &w->slots[at];
        if (o->node == r && o->guard == guard &&
            (rank == 0 || !memcmp(w->idx.p + o->idx, idx, rank * sizeof *idx)))
            return 0;
    }
    if (!bz_vec_reserve(&w->idx, rank)) return f->failed = true, 0;
    w->slots[at] = (place){r, w->idx.n, guard, w->epoch};
    for (unsigned d = 0; d < rank; d++) w->idx.p[w->idx.n++] = idx[d];
    w->count++;
    return at + 1;
}

static void visit(fuser *f, ir_ref r, const ir_ex *idx, uint32_t guard);

/* The operand of a pad, or the operands of a concat that can be meant at this index. */
static void visit_parts(fuser *f, ir_ref r, const ir_ex *idx, uint32_t here) {
    const ir_node n = *ir_at(f->g, r);
    const int64_t *a = ir_attrs(f->g, &n);
    int64_t shape[IR_MAX_RANK], from = 0;
    ir_ex at[IR_MAX_RANK];
    if (n.op == IR_PAD) {
        for (unsigned d = 0; d < n.rank; d++) at[d] = ir_ex_addc(&f->x, idx[d], -a[1 + 2 * d]);
        visit(f, ir_in(f->g, &n)[0], at, here);
        return;
    }
    memcpy(at, idx, n.rank * sizeof *at);
    for (unsigned i = 0; i < n.nin; i++) {
        ir_ref x = ir_in(f->g, &n)[i];
        const ir_ex_node e = *ir_ex_at(&f->x, idx[a[0]]);
        ir_static_shape(f->g, x, shape);
        at[a[0]] = ir_ex_addc(&f->x, idx[a[0]], -from);
        from += shape[a[0]];
        if (e.lo < from && e.hi >= from - shape[a[0]]) visit(f, x, at, here);
    }
}

static void visit(fuser *f, ir_ref r, const ir_ex *idx, uint32_t guard) {
    const ir_node n = *ir_at(f->g, r);
    const uint32_t group = f->r->group_of[r];
    ir_ex at[IR_MAX_RANK];
    if (group == FUSE_NO_GROUP ? !fuse_is_move(f->g, r)
                               : group != f->walk->p && group != f->walk->c)
        return;
    if (f->failed || f->walk->count > f->walk->limit) return;
    uint32_t here = enter(f, r, idx, guard);
    if (!here || n.op == IR_REDUCE || n.op == IR_DOT || n.op == IR_UPDATE) return;
    if (n.op == IR_PAD || n.op == IR_CONCAT) {
        visit_parts(f, r, idx, here);
    } else if (fuse_is_move(f->g, r)) {
        emit_move_index(f->g, &f->x, r, idx, at);
        visit(f, ir_in(f->g, &n)[0], at, guard);
    } else if (n.op == IR_GATHER) {
        visit(f, ir_in(f->g, &n)[1], idx + ir_attrs(f->g, &n)[0], guard);
    } else {
        for (unsigned i = 0; i < n.nin; i++) visit(f, ir_in(f->g, &n)[i], idx, guard);
    }
}

static void visit_operand(fuser *f, ir_ref x) {
    ir_ex idx[IR_MAX_RANK];
    int64_t shape[IR_MAX_RANK];
    ir_static_shape(f->g, x, shape);
    for (unsigned d = 0; d < ir_at(f->g, x)->rank; d++)
        idx[d] = shape[d] <= 1 ? ir_ex_const(&f->x, 0) : ir_ex_sym(&f->x, NULL, 0, shape[d] - 1);
    visit(f, x, idx, 0);
}

/* Where the kernel begins to ask: members that stand in its space, operands of its reductions and products. */
static void visit_members(fuser *f, const fuse_group *group, const fuse_space *s) {
    ir_ex idx[IR_MAX_RANK];
    for (uint32_t i = 0; i < group->nodes.n; i++) {
        ir_ref r = group->nodes.p[i];
        const ir_node n = *ir_at(f->g, r);
        if (n.op == IR_DOT) {
            visit_operand(f, ir_in(f->g, &n)[0]);
            visit_operand(f, ir_in(f->g, &n)[1]);
            continue;
        }
        ir_ref root = n.op == IR_REDUCE   ? ir_in(f->g, &n)[0]
                      : n.op == IR_UPDATE ? ir_in(f->g, &n)[1]
                                          : r;
        fuse_level level = root != r ? FUSE_FULL : fuse_level_of(f->g, s, r);
        if (level == FUSE_NONE) continue;
        fuse_index(f->g, &f->x, s, level, root, idx);
        visit(f, root, idx, 0);
    }
}

uint32_t fuse_values(fuser *f, uint32_t p, uint32_t c, const fuse_space *s, uint32_t limit) {
    fuse_walk *w = f->walk;
    w->epoch++;
    w->count = 0;
    w->idx.n = 0;
    w->p = p;
    w->c = c;
    w->limit = limit < SLOTS / 2 ? limit : SLOTS / 2;
    visit_members(f, &f->r->groups.p[p], s);
    visit_members(f, &f->r->groups.p[c], s);
    return w->count;
}
