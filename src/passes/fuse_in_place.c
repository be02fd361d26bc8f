/* fuse_in_place.c - may a result lie where an operand lay?
 *
 * Only if whoever reads the operand in this kernel reads it at the very index at which the result is stored:
 *
 *     y = exp x + x           y may overwrite x
 *     y = x + flip x          it may not: the loop would read what it has written
 *
 * An update is stored in a part of the operand alone: what is written may be made of elements that lie at the very place. */
#include "src/passes/emit_parts.h"
#include "src/passes/fuse.h"

#include <stdlib.h>
#include <string.h>

typedef struct in_place {
    const fuse_result *f;
    const fuse_group *group;
    uint32_t number, other; /* of the group; of one that is to join it, or the same */
    ir_ref q, update;       /* update: the group's, or 0 */
    ir_ex place;            /* where it writes, in elements of q */
    ir_exprs x;
    fuse_space space;
    fuse_level level;
    bool *made_of_q; /* of each member, in the group's order */
} in_place;

static int by_number(const void *a, const void *b) {
    const ir_ref p = *(const ir_ref *)a, q = *(const ir_ref *)b;
    return (p > q) - (p < q);
}

bool fuse_is_member(const fuse_group *group, ir_ref r) {
    return bsearch(&r, group->nodes.p, group->nodes.n, sizeof r, by_number) != NULL;
}

/* Is base q, or a member that is made of q? */
static bool is_made_of_q(const in_place *p, ir_ref base) {
    uint32_t of = p->f->group_of[base];
    if (base == p->q || (of != p->number && of != p->other)) return base == p->q;
    const ir_ref *at = bsearch(&base, p->group->nodes.p, p->group->nodes.n, sizeof base, by_number);
    return p->made_of_q[at - p->group->nodes.p];
}

static bool find_readers(in_place *p) {
    const fuse_result *f = p->f;
    p->made_of_q = bz_mem_zero(p->group->nodes.n, sizeof *p->made_of_q);
    for (uint32_t i = 0; p->made_of_q && i < p->group->nodes.n; i++) {
        ir_ref r = p->group->nodes.p[i];
        p->made_of_q[i] = r == p->q;
        if (r == p->update) continue; /* nobody in the group reads it */
        for (uint32_t k = f->first_read[r]; k < f->first_read[r + 1]; k++)
            p->made_of_q[i] |= f->reads.p[k].base != r && is_made_of_q(p, f->reads.p[k].base);
    }
    return p->made_of_q != NULL;
}

/* idx: NULL, many indices. */
static bool is_canonical(in_place *p, ir_ref r, const ir_ex *idx) {
    ir_ex at[IR_MAX_RANK];
    int64_t n = 0;
    if (!idx) return !p->update && ir_numel(p->f->g, r, &n) && n == 1;
    if (r == p->q && p->update) return access_offset(p->f->g, &p->x, r, idx) == p->place;
    if (fuse_level_of(p->f->g, &p->space, r) != p->level) return false;
    fuse_index(p->f->g, &p->x, &p->space, p->level, r, at);
    return memcmp(at, idx, ir_at(p->f->g, r)->rank * sizeof *at) == 0;
}

/* Every way arrives at q's canonical index. Members at theirs are looked at by themselves; one that is computed again at another index
 * must not be made of q. */
static access_answer arrives(void *ctx, const access_place *at) {
    in_place *p = ctx;
    const ir_ref r = at->node;
    if (r != p->q && p->f->group_of[r] == FUSE_NO_GROUP && access_moves(p->f->g, r))
        return ACCESS_ON;
    if (!is_made_of_q(p, r)) return ACCESS_STOP;
    return (at->idx || at->reader) && is_canonical(p, r, at->idx) ? ACCESS_STOP : ACCESS_NO;
}

/* The operands of member r: those of elements at their places are at an index, what is folded or multiplied at many. */
static bool operands_arrive(in_place *p, ir_ref r) {
    const access_walker a = {.g = p->f->g, .x = &p->x, .visit = arrives, .ctx = p};
    const ir_node n = *ir_at(p->f->g, r);
    ir_ex idx[IR_MAX_RANK];
    access_step s;
    if (r == p->update ||
        ir_ops[n.op].reads ==
            IR_READS_SCAN) { /* a scan has read what is before an element when it is stored */
        const ir_ref y = ir_in(p->f->g, &n)[r == p->update];
        fuse_index(p->f->g, &p->x, &p->space, FUSE_FULL, y, idx);
        return access_walk(&a, y, idx);
    }
    bool placed = (ir_op_is_elementwise(n.op) || access_moves(p->f->g, r)) &&
                  fuse_level_of(p->f->g, &p->space, r) == p->level;
    if (placed) fuse_index(p->f->g, &p->x, &p->space, p->level, r, idx);
    for (unsigned k = 0; k < n.nin; k++) {
        if (!placed && !access_walk(&a, ir_in(p->f->g, &n)[k], NULL)) return false;
        if (placed && access_take(p->f->g, &p->x, r, idx, k, &s) && !access_walk(&a, s.x, s.at))
            return false;
    }
    return true;
}

/* Are all ways to q from members of the group ways to its own place? `out`: what would be stored there. */
static bool stays_in_place(in_place *p, ir_ref out) {
    const ir_graph *g = p->f->g;
    ir_ex idx[IR_MAX_RANK];
    bool ok = ir_exprs_init(&p->x) && find_readers(p);
    if (ok) {
        fuse_group_space(g, &p->x, p->group, &p->space);
        if (p->update) {
            fuse_index(g, &p->x, &p->space, FUSE_FULL, ir_operand(g, p->update, 1), idx);
            p->place = access_window_offset(g, &p->x, p->update, idx);
        } else {
            ok = fuse_level_of(g, &p->space, p->q) == p->level &&
                 fuse_level_of(g, &p->space, out) == p->level;
        }
    }
    for (uint32_t i = 0; ok && i < p->group->nodes.n; i++)
        ok = operands_arrive(p, p->group->nodes.p[i]);
    ok = ok && !p->x.failed;
    ir_exprs_free(&p->x);
    bz_mem_free(p->made_of_q);
    return ok;
}

/* A scatter keeps what is there: q, if that is what it begins with and it reads q in no other way. */
static bool scatters_in_place(const fuse_result *f, const fuse_group *g, ir_ref q, ir_ref out) {
    uint32_t ways = 0;
    for (uint32_t i = 0; i < g->nodes.n; i++)
        for (uint32_t k = f->first_read[g->nodes.p[i]]; k < f->first_read[g->nodes.p[i] + 1]; k++)
            ways += f->reads.p[k].base == q ? f->reads.p[k].ways : 0;
    return out == g->head && q == fuse_updated(f->g, out) && ways == 1;
}

bool fuse_only_in_place(const fuse_result *f, uint32_t group, ir_ref q, ir_ref out) {
    const fuse_group *g = &f->groups.p[group];
    in_place p = {
        .f = f, .group = g, .number = group, .other = group, .q = q, .level = g->form->in_place};
    if (g->form->scatters) return scatters_in_place(f, g, q, out);
    if (p.level == FUSE_NONE) return false;
    if (g->form->window) {
        p.update = g->head;
        if (out != g->head || q != fuse_updated(f->g, out)) return false;
    }
    return stays_in_place(&p, out);
}

bool fuse_overwrites_early(fuser *f, uint32_t p, uint32_t c) {
    const fuse_group *a = &f->r->groups.p[p], *b = &f->r->groups.p[c];
    fuse_group both = {.form = b->form, .head = b->head};
    if (!bz_vec_reserve(&both.nodes, a->nodes.n + b->nodes.n)) return f->failed = true;
    for (uint32_t i = 0; i < a->nodes.n; i++) both.nodes.p[both.nodes.n++] = a->nodes.p[i];
    for (uint32_t i = 0; i < b->nodes.n; i++) both.nodes.p[both.nodes.n++] = b->nodes.p[i];
    qsort(both.nodes.p, both.nodes.n, sizeof *both.nodes.p, by_number);
    in_place q = {.f = f->r,
                  .group = &both,
                  .number = p,
                  .other = c,
                  .q = fuse_updated(f->g, b->head),
                  .update = b->head,
                  .level = FUSE_FULL};
    bool early = !stays_in_place(&q, b->head);
    bz_vec_free(&both.nodes);
    return early;
}
