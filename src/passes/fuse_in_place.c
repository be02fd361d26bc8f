/* fuse_in_place.c - may a result lie where an operand lay?
 *
 * Only if whoever reads the operand in this kernel reads it at the very index at which the result is stored:
 *
 *     y = exp x + x           y may overwrite x
 *     y = x + flip x          it may not: the loop would read what it has written
 */
#include "src/passes/fuse.h"

#include <stdlib.h>
#include <string.h>

typedef struct in_place {
    const fuse_result *f;
    const fuse_group *group;
    uint32_t number; /* of the group */
    ir_ref q;
    ir_exprs x;
    fuse_space space;
    fuse_level level;
    bool *made_of_q; /* of each member, in the group's order */
} in_place;

static int by_number(const void *a, const void *b) {
    const ir_ref p = *(const ir_ref *)a, q = *(const ir_ref *)b;
    return (p > q) - (p < q);
}

/* Is base q, or a member that is made of q? */
static bool is_made_of_q(const in_place *p, ir_ref base) {
    if (base == p->q || p->f->group_of[base] != p->number) return base == p->q;
    const ir_ref *at = bsearch(&base, p->group->nodes.p, p->group->nodes.n, sizeof base, by_number);
    return p->made_of_q[at - p->group->nodes.p];
}

static bool find_readers(in_place *p) {
    const fuse_result *f = p->f;
    p->made_of_q = bz_mem_zero(p->group->nodes.n, sizeof *p->made_of_q);
    for (uint32_t i = 0; p->made_of_q && i < p->group->nodes.n; i++) {
        ir_ref r = p->group->nodes.p[i];
        p->made_of_q[i] = r == p->q;
        for (uint32_t k = f->first_read[r]; k < f->first_read[r + 1]; k++)
            p->made_of_q[i] |= f->reads.p[k].base != r && is_made_of_q(p, f->reads.p[k].base);
    }
    return p->made_of_q != NULL;
}

static bool is_canonical(in_place *p, ir_ref r, const ir_ex *idx) {
    ir_ex at[IR_MAX_RANK];
    if (fuse_level_of(p->f->g, &p->space, r) != p->level) return false;
    fuse_index(p->f->g, &p->x, &p->space, p->level, r, at);
    return memcmp(at, idx, ir_at(p->f->g, r)->rank * sizeof *at) == 0;
}

/* Every way from r at idx to q arrives at q's canonical index. Members at theirs are looked at by themselves; one that is computed
 * again at another index must not be made of q, and a way that cannot be followed is a no. */
static bool arrives(in_place *p, ir_ref r, const ir_ex *idx) {
    ir_ex at[IR_MAX_RANK];
    const ir_node n = *ir_at(p->f->g, r);
    if (r == p->q || p->f->group_of[r] != FUSE_NO_GROUP || !ir_op_is_movement(n.op))
        return !is_made_of_q(p, r) || is_canonical(p, r, idx);
    if (!emit_move_index(p->f->g, &p->x, r, idx, at)) memset(at, 0, sizeof at);
    for (unsigned i = 0; i < n.nin; i++)
        if (!arrives(p, ir_in(p->f->g, &n)[i], at)) return false;
    return true;
}

/* The operands of member r, which is at its canonical index. */
static bool operands_arrive(in_place *p, ir_ref r) {
    const ir_node n = *ir_at(p->f->g, r);
    ir_ex idx[IR_MAX_RANK];
    bool plain = ir_op_is_elementwise(n.op) && fuse_level_of(p->f->g, &p->space, r) == p->level;
    memset(idx, 0, sizeof idx);
    if (plain) fuse_index(p->f->g, &p->x, &p->space, p->level, r, idx);
    for (unsigned k = 0; k < n.nin; k++) {
        ir_ref x = ir_in(p->f->g, &n)[k];
        if ((!plain && x == p->q) || !arrives(p, x, idx)) return false;
    }
    return true;
}

bool fuse_only_in_place(const fuse_result *f, uint32_t group, ir_ref q, ir_ref out) {
    const fuse_group *g = &f->groups.p[group];
    in_place p = {.f = f,
                  .group = g,
                  .number = group,
                  .q = q,
                  .level = g->kind == FUSE_COL ? FUSE_KEPT : FUSE_FULL};
    /* passes over a row read again what an earlier one has stored; rows are added to in any order */
    if (g->kind == FUSE_ROW || g->kind == FUSE_SCATTER) return false;
    bool ok = ir_exprs_init(&p.x) && find_readers(&p);
    if (ok) {
        fuse_group_space(f->g, &p.x, g, &p.space);
        ok = fuse_level_of(f->g, &p.space, q) == p.level &&
             fuse_level_of(f->g, &p.space, out) == p.level;
    }
    for (uint32_t i = 0; ok && i < g->nodes.n; i++) ok = operands_arrive(&p, g->nodes.p[i]);
    ok = ok && !p.x.failed;
    ir_exprs_free(&p.x);
    bz_mem_free(p.made_of_q);
    return ok;
}
