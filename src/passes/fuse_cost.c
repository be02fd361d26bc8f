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

typedef struct counting {
    fuser *f;
    access_walker a;
    uint32_t p, c; /* the groups that would be one kernel */
    uint32_t count, limit;
    bool far; /* an index is too long */
} counting;

/* Members and the movement between them; what else is read is there already. */
static access_answer count(void *ctx, const access_place *p) {
    counting *w = ctx;
    const uint32_t group = w->f->r->group_of[p->node];
    if (group == FUSE_NO_GROUP ? !access_moves(w->f->g, p->node) : group != w->p && group != w->c)
        return ACCESS_STOP;
    w->far |= fuse_long_index(w->f, p);
    return w->far || ++w->count > w->limit ? ACCESS_NO : ACCESS_ON;
}

static bool count_operand(counting *w, ir_ref x) {
    ir_ex idx[IR_MAX_RANK];
    access_any_index(w->f->g, &w->f->x, x, idx);
    return access_walk(&w->a, x, idx);
}

/* Where the kernel begins to ask: members that stand in its space, operands of its reductions and products. */
static bool count_members(counting *w, const fuse_group *group, const fuse_space *s) {
    fuser *f = w->f;
    ir_ex idx[IR_MAX_RANK];
    for (uint32_t i = 0; i < group->nodes.n; i++) {
        ir_ref r = group->nodes.p[i];
        const ir_node n = *ir_at(f->g, r);
        if (n.op == IR_DOT || n.op == IR_SCATTER) {
            for (unsigned k = 0; k < n.nin; k++)
                if (!count_operand(w, ir_in(f->g, &n)[k])) return false;
            continue;
        }
        ir_ref root = n.op == IR_REDUCE || ir_ops[n.op].reads == IR_READS_SCAN ? ir_in(f->g, &n)[0]
                      : n.op == IR_UPDATE                                      ? ir_in(f->g, &n)[1]
                                                                               : r;
        fuse_level level = root != r ? FUSE_FULL : fuse_level_of(f->g, s, r);
        if (level == FUSE_NONE) continue;
        fuse_index(f->g, &f->x, s, level, root, idx);
        if (!access_walk(&w->a, root, idx)) return false;
    }
    return true;
}

const char *fuse_values(fuser *f, uint32_t p, uint32_t c, const fuse_space *s, uint32_t limit,
                        uint32_t *values) {
    counting w = {.f = f, .p = p, .c = c, .limit = limit};
    w.a = (access_walker){f->g, &f->x, &f->seen, true, count, &w};
    access_forget(&f->seen);
    bool ok = count_members(&w, &f->r->groups.p[p], s) && count_members(&w, &f->r->groups.p[c], s);
    *values = w.count;
    f->failed |= f->seen.failed;
    return ok      ? NULL
           : w.far ? "the index of an element would be too long"
                   : "too many values would be computed again at other indices";
}
