/* kept.c - what stays from run to run: memory that a phase fills with what it makes of inputs that last, as the packed weights of a product.
 *
 *     w: lasting f32[k, n] --transpose, cast ...--> a product's side --phase 0--> panels, KEPT --phase 1--> ...
 *
 * Whoever runs the plan leaves the phase out while the inputs have the values that they had when it ran. */
#include "src/passes/lower.h"

/* What a walk from a value finds. */
typedef struct ground {
    lower *l;
    BZ_VEC(uint32_t) inputs;
    BZ_VEC(ir_ref) been; /* a prologue has few nodes */
    bool failed;         /* out of memory */
} ground;

/* Has the walk been there? */
static bool is_known(ground *w, ir_ref r) {
    for (uint32_t i = 0; i < w->been.n; i++)
        if (w->been.p[i] == r) return true;
    w->failed |= !bz_vec_push(&w->been, r);
    return false;
}

/* What other kernels store is made anew in each run, and may be large beside what it is made of. */
static access_answer visit(void *ctx, const access_place *p) {
    ground *w = ctx;
    const ir_graph *g = w->l->g;
    const ir_node *n = ir_at(g, p->node);
    const bool bound = w->l->bind[p->node].kind != BIND_NONE;
    if (n->op == IR_CONST || is_known(w, p->node)) return ACCESS_STOP;
    if (n->op == IR_INPUT) {
        const uint32_t input = (uint32_t)ir_attrs(g, n)[0];
        w->failed |= !bz_vec_push(&w->inputs, input);
        return g->inputs.p[input].lasts ? ACCESS_STOP : ACCESS_NO;
    }
    const bool passed = n->op == IR_IOTA || ir_op_is_elementwise(n->op) || access_moves(g, p->node);
    return passed && !bound ? ACCESS_ON : ACCESS_NO;
}

/* What r is made of; false: not of what lasts, or no memory. */
static bool find(lower *l, ir_ref r, ground *w) {
    *w = (ground){.l = l};
    const access_walker walker = {.g = l->g, .x = &l->x, .visit = visit, .ctx = w};
    const bool lasts = l->t->keeps && access_walk(&walker, r, NULL);
    if (w->failed) emit_fail(&l->m);
    bz_vec_free(&w->been);
    return lasts;
}

bool kept_lasts(lower *l, ir_ref r) {
    ground w;
    const bool lasts = find(l, r, &w);
    bz_vec_free(&w.inputs);
    return lasts;
}

void kept_add(lower *l, ir_ref r) {
    ground w;
    if (find(l, r, &w)) {
        const uint32_t *inputs =
            bz_arena_copy(&l->plan->memory, w.inputs.p, w.inputs.n * sizeof *w.inputs.p);
        const pass_kept k = {lp_phase_count(l->k), w.inputs.n, inputs};
        if (!inputs || !bz_vec_push(&l->kept, k)) emit_fail(&l->m);
    }
    bz_vec_free(&w.inputs);
}
