/* lower.c - groups become kernels: for each, in the order of the schedule, over the buffers of its values: emit one, reuse an equal one.
 */
#include "src/ir/external.h"
#include "src/passes/lower.h"

#include <stdio.h>
#include <string.h>

/* ---- services for the kernels' authors */

int64_t lower_count(const int64_t *sizes, unsigned n) {
    int64_t r = 1;
    for (unsigned i = 0; i < n; i++) r *= sizes[i];
    return r;
}

ir_ex lower_sym(lower *l, const char *name, int64_t size) {
    if (size == 1) return ir_ex_const(&l->x, 0);
    return ir_ex_sym(&l->x, name, 0, size > 0 ? size - 1 : 0);
}

ir_ex lower_vector_sym(lower *l, const char *name, int64_t size) {
    return ir_ex_sym(&l->x, name, 0, size > 0 ? size - 1 : 0);
}

static lp_val declare(lower *l, uint32_t buffer, lp_access access) {
    static const char *const stems[] = {
        [LP_IN] = "x", [LP_OUT] = "y", [LP_INOUT] = "y", [LP_WORK] = "w"};
    if (l->m.failed || l->k->failed) /* the lists below are not complete */
        return 0;
    for (uint32_t i = 0; i < l->outputs.n; i++) /* they are declared first */
        if (l->buffers.p[i] == buffer) {        /* read and overwritten in place */
            l->k->buffers.p[i].access = LP_INOUT;
            return l->pointers.p[i];
        }
    char name[24];
    snprintf(name, sizeof name, "%s%u", stems[access], l->buffers.n);
    lp_val p = lp_add_buffer(l->b, name, l->plan->buffers.p[buffer].dtype, access);
    if (!p || !bz_vec_reserve(&l->buffers, 1) || !bz_vec_reserve(&l->pointers, 1))
        return emit_fail(&l->m), 0;
    bz_vec_push(&l->buffers, buffer); /* as many as the kernel has, or it is given up */
    bz_vec_push(&l->pointers, p);
    if (access == LP_IN) emit_may_move(&l->m, p, l->plan->buffers.p[buffer].count);
    return p;
}

static lp_val work_in(lower *l, bz_dtype t, int64_t count, pass_place place) {
    uint32_t b = buffers_work(l, t, count, place);
    if (b != PASS_NONE) return declare(l, b, LP_WORK);
    emit_fail(&l->m);
    return 0;
}

lp_val lower_work(lower *l, bz_dtype t, int64_t count) {
    return work_in(l, t, count, PASS_ARENA);
}

lp_val lower_work_of(lower *l, ir_ref r, bz_dtype t, int64_t count) {
    if (!kept_lasts(l, r)) return lower_work(l, t, count);
    kept_add(l, r);
    return work_in(l, t, count, PASS_KEPT);
}

bool lower_place(lower *l, ir_ref r, fuse_level level, ir_ref *node, ir_ex *idx, ir_ex *offset) {
    const bool written =
        (l->group->form->window || l->group->form->scatters) && r == l->group->head;
    if (l->filling && !written) return false;
    *node = written ? ir_operand(l->g, r, !l->filling) : r;
    bool folded = ir_at(l->g, *node)->op == IR_REDUCE && !written;
    if ((folded ? FUSE_KEPT : fuse_level_of(l->g, &l->space, *node)) != level) return false;
    fuse_index(l->g, &l->x, &l->space, level, *node, idx);
    *offset = written && !l->filling ? access_window_offset(l->g, &l->x, r, idx)
                                     : emit_offset(&l->m, *node, idx);
    if (written && !l->filling && l->first)
        *offset = ir_ex_add(&l->x, ir_ex_addc(&l->x, *offset, -ir_attrs(l->g, ir_at(l->g, r))[0]),
                            l->first);
    return true;
}

void lower_space_of(lower *l, ir_ref r) {
    ir_ex sym[IR_MAX_RANK];
    int64_t shape[IR_MAX_RANK];
    ir_static_shape(l->g, r, shape);
    for (unsigned d = 0; d < ir_at(l->g, r)->rank; d++) sym[d] = lower_sym(l, NULL, shape[d]);
    fuse_space_of(l->g, &form_map, r, sym, &l->space);
}

bool lower_store_outputs(lower *l, fuse_level level, unsigned flags) {
    emit_value small[8], *v = small;
    ir_ex idx[IR_MAX_RANK], offset;
    ir_ref node;
    if (l->outputs.n > BZ_LEN(small) && !(v = bz_mem_alloc(l->outputs.n * sizeof *v)))
        return emit_fail(&l->m), false;
    for (int store = 0; store < 2; store++)
        for (uint32_t i = 0; i < l->outputs.n; i++) {
            if (!lower_place(l, l->outputs.p[i], level, &node, idx, &offset)) continue;
            if (store)
                emit_store(&l->m, l->out_pointers.p[i], offset, &v[i], flags);
            else
                v[i] = emit_node(&l->m, node, idx);
        }
    if (v != small) bz_mem_free(v);
    return !l->m.failed;
}

/* ---- kernels of the plan: each distinct text once */

static uint64_t kernel_hash(const lp_kernel *k, const lp_module *m) {
    bz_text t = {0};
    lp_identity(&t, k, m);
    uint64_t h = bz_hash(k->buffers.n, bz_text_c(&t), t.n);
    bz_text_free(&t);
    return h;
}

/* A table of twice as many slots: kernels by the hash in their names. */
static bool grow_slots(lower *l) {
    uint32_t size = l->nslots ? 2 * l->nslots : 64, *slots = bz_mem_zero(size, sizeof *slots);
    for (uint32_t i = 0; slots && i < l->plan->code->k.n; i++) {
        uint32_t at =
            (uint32_t)bz_hash(0, l->plan->code->k.p[i]->name, strlen(l->plan->code->k.p[i]->name)) &
            (size - 1);
        while (slots[at]) at = (at + 1) & (size - 1);
        slots[at] = i + 1;
    }
    if (!slots) return false;
    bz_mem_free(l->slots);
    l->slots = slots;
    l->nslots = size;
    return true;
}

/* The slot of the kernel of this name, or where it belongs. */
static uint32_t *find_kernel(lower *l, const char *name) {
    uint32_t at = (uint32_t)bz_hash(0, name, strlen(name)) & (l->nslots - 1);
    while (l->slots[at] && strcmp(l->plan->code->k.p[l->slots[at] - 1]->name, name))
        at = (at + 1) & (l->nslots - 1);
    return &l->slots[at];
}

/* Adds the kernel unless an equal one is there; takes it. `stem` and the hash of the text make its name. */
static bool add_kernel(lower *l, lp_kernel *k, const char *stem, unsigned *number) {
    char name[64];
    snprintf(name, sizeof name, "%s_%016llx", stem,
             (unsigned long long)kernel_hash(k, l->plan->code));
    bool ok = 2 * (l->plan->code->k.n + 1) < l->nslots || grow_slots(l);
    uint32_t *slot = ok ? find_kernel(l, name) : NULL;
    if (ok && *slot) {
        lp_kernel_free(k);
        *number = *slot - 1;
        return true;
    }
    k->name = bz_arena_str(&k->names, name);
    *number = l->plan->code->k.n;
    if (ok && k->name && !k->failed && bz_vec_push(&l->plan->code->k, k)) {
        *slot = *number + 1;
        return true;
    }
    lp_kernel_free(k);
    return false;
}

bool lower_function(lower *l, lp_kernel *f, unsigned *number) {
    return add_kernel(l, f, "ukernel", number);
}

/* ---- binding what the group reads */

static bool bind_leaf(void *ctx, ir_ref reader, ir_ref base) {
    lower *l = ctx;
    const ir_node *n = ir_at(l->g, base);
    emit_bind *bind = &l->m.bind[base];
    bool listed = n->op == IR_CONST && n->nattr > 1, own = buffers_own(l, l->group, base);
    (void)reader;
    if (bind->kind != BIND_NONE || (own && !listed)) return true;
    if (n->op == IR_INPUT && l->g->inputs.p[ir_attrs(l->g, n)[0]].scalar) {
        char name[24];
        snprintf(name, sizeof name, "s%u", l->scalars.n);
        *bind =
            (emit_bind){.kind = BIND_SCALAR, .p = lp_add_scalar(l->b, name, (bz_dtype)n->dtype)};
        return bz_vec_push(&l->scalars, (uint32_t)ir_attrs(l->g, n)[0]);
    }
    uint32_t source = own ? l->homes.listed[base] : l->homes.buffer_of[base];
    *bind = (emit_bind){.kind = BIND_BUFFER, .p = declare(l, source, LP_IN)};
    return !l->m.failed;
}

static bool bind_inputs(lower *l) {
    for (uint32_t i = 0; i < l->group->nodes.n; i++)
        if (!lower_reads(l->f, l->group->nodes.p[i], bind_leaf, l)) return false;
    return true;
}

static bool declare_outputs(lower *l) {
    for (uint32_t i = 0; i < l->group->nodes.n; i++) {
        ir_ref r = l->group->nodes.p[i];
        if (!l->f->stored[r]) continue;
        lp_val p = declare(l, l->homes.buffer_of[r], LP_OUT);
        if (!bz_vec_push(&l->outputs, r) || !bz_vec_push(&l->out_pointers, p)) return false;
    }
    return true;
}

/* ---- one kernel */

static bool begin_kernel(lower *l, const fuse_group *group) {
    l->group = group;
    l->buffers.n = l->pointers.n = l->scalars.n = l->outputs.n = l->out_pointers.n = 0;
    l->kept.n = 0;
    l->k = lp_kernel_new("k");
    l->b = l->k ? lp_builder_new(l->k) : NULL;
    bool ok = ir_exprs_init(&l->x);
    emit_init(&l->m, l->g, l->t, &l->x, l->bind);
    ok = ok && l->b;
    l->m.b = l->b;
    return ok; /* end_kernel is due either way */
}

static void end_kernel(lower *l) {
    for (uint32_t i = 0; i < l->group->nodes.n;
         i++) { /* what a kernel binds are its members and what they read */
        ir_ref r = l->group->nodes.p[i];
        l->bind[r].kind = BIND_NONE;
        for (uint32_t k = l->f->first_read[r]; k < l->f->first_read[r + 1]; k++)
            l->bind[l->f->reads.p[k].base].kind = BIND_NONE;
    }
    lp_builder_free(l->b);
    emit_free(&l->m);
    ir_exprs_free(&l->x);
    l->b = NULL;
}

lp_val lower_result(const lower *l, unsigned k) {
    for (uint32_t i = 0; i < l->outputs.n; i++) {
        const ir_node *n = ir_at(l->g, l->outputs.p[i]);
        if (n->op != IR_RESULT || ir_attrs(l->g, n)[0] == (int64_t)k) return l->out_pointers.p[i];
    }
    return 0;
}

const pass_schedule *lower_schedule(const pass_target *t, const fuse_form *form) {
    const pass_machine *m = t->machine;
    for (unsigned i = 0; i < m->nschedules; i++)
        if (m->schedules[i].form == form) return &m->schedules[i];
    return NULL;
}

static bool emit_body(lower *l) {
    const pass_schedule *s = lower_schedule(l->t, l->group->form);
    if (s) return s->make(l);
    l->m.unsupported = l->group->head;
    return false;
}

/* What the kernel at hand is launched with. */
static bool fill_segment(lower *l, pass_segment *out) {
    bz_arena *a = &l->plan->memory;
    int64_t *extents = bz_arena_alloc(a, l->m.extents.n * sizeof *extents);
    int64_t *at = bz_arena_alloc(a, l->buffers.n * sizeof *at);
    for (uint32_t i = 0; extents && i < l->m.extents.n; i++) extents[i] = l->m.extents.p[i].value;
    for (uint32_t i = 0; at && i < l->buffers.n; i++) {
        at[i] = emit_moved(&l->m, l->pointers.p[i]);
        bz_assert(at[i] >= 0 && at[i] <= l->plan->buffers.p[l->buffers.p[i]].count);
    }
    out->at = at;
    out->extents = extents;
    out->buffers = bz_arena_copy(a, l->buffers.p, l->buffers.n * sizeof *l->buffers.p);
    out->scalars = bz_arena_copy(a, l->scalars.p, l->scalars.n * sizeof *l->scalars.p);
    out->kept = bz_arena_copy(a, l->kept.p, l->kept.n * sizeof *l->kept.p);
    out->nkept = l->kept.n;
    return out->kept && out->buffers && out->at && out->extents && out->scalars;
}

/* The most that a kernel is handed; `first`: by its first launch. Processors have indices of 64 bits at no price: one kernel serves all
 * sizes. */
static void widen_extents(lower *l, const pass_segment *s, bool first) {
    lp_kernel *k = l->plan->code->k.p[s->kernel];
    if (!l->t->machine->short_indices) return;
    for (uint32_t i = 0; i < k->extents.n; i++) {
        const int64_t v = s->extents[i] < 0 ? INT64_MAX : s->extents[i];
        if (first || k->extents.p[i].most < v) k->extents.p[i].most = v;
    }
}

static bool lower_group(lower *l, const fuse_group *group, pass_segment *out) {
    bool ok = begin_kernel(l, group) && declare_outputs(l) && bind_inputs(l) && emit_body(l) &&
              !l->k->failed && !l->x.failed && fill_segment(l, out);
    ir_ref unsupported = l->m.unsupported;
    end_kernel(l);
    if (ok) l->k->rows = l->together && lp_row_words(l->k) <= LP_ROW_MOST;
    lp_kernel *clean = ok ? lp_clean(l->k) : NULL;
    lp_kernel_free(l->k);
    l->k = NULL;
    if (unsupported) {
        const char *site = l->g->sites.p[unsupported];
        if (ir_at(l->g, unsupported)->op == IR_RESULT) /* the op that it is a result of */
            unsupported = ir_operand(l->g, unsupported, 0);
        bz_fail(l->e, BZ_EUNSUPPORTED,
                "[%s] is run between kernels, by a context (`braze run`): a plan, which exports and reports "
                "are of, can't hold it%s%s",
                ir_name_of(l->g, unsupported), site ? " at " : "", site ? site : "");
    }
    bz_text stem = {0};
    name_group(&stem, l->g, group);
    const uint32_t before = l->plan->code->k.n;
    ok = clean && add_kernel(l, clean, bz_text_c(&stem), &out->kernel);
    if (ok) widen_extents(l, out, out->kernel == before);
    bz_text_free(&stem);
    return ok;
}

/* ---- launches and what reports say of them */

bool lower_has_work(const lower *l, const fuse_group *g) {
    int64_t n = 0;
    for (uint32_t i = 0; i < g->nodes.n; i++)
        if (l->f->stored[g->nodes.p[i]] && ir_numel(l->g, g->nodes.p[i], &n) && n > 0) return true;
    return false;
}

static void count_node(const lower *l, ir_ref r, pass_launch *out) {
    const ir_node *n = ir_at(l->g, r);
    int64_t numel = 0, in = 0;
    ir_numel(l->g, r, &numel);
    if (ir_op_is_elementwise(n->op)) {
        int64_t *sum = ir_ops[n->op].flags & IR_EXPENSIVE ? &out->specials : &out->flops;
        *sum = bz_plus(*sum, numel);
    } else if (ir_ops[n->op].reads == IR_READS_FOLD || ir_ops[n->op].reads == IR_READS_SCAN ||
               ir_ops[n->op].reads == IR_READS_SCATTER ||
               ir_ops[n->op].reads == IR_READS_WHOLE) {
        ir_numel(l->g, ir_in(l->g, n)[0], &in);
        out->flops = bz_plus(out->flops, in);
    } else if (n->op == IR_DOT) {
        int64_t shape[IR_MAX_RANK], k = 1;
        ir_dot_attr a = ir_dot_get(l->g, n);
        ir_static_shape(l->g, ir_in(l->g, n)[0], shape);
        for (unsigned i = 0; i < a.ncontract; i++) k *= shape[a.lcontract[i]];
        out->flops = bz_plus(out->flops, bz_times(2, bz_times(numel, k)));
    }
}

/* Does the kernel of an update read the elements that it overwrites? */
static bool reads_window(const lower *l, const fuse_group *g) {
    ir_ref q = fuse_updated(l->g, g->head);
    uint32_t ways = 0;
    for (uint32_t i = 0; i < g->nodes.n; i++)
        for (uint32_t k = l->f->first_read[g->nodes.p[i]]; k < l->f->first_read[g->nodes.p[i] + 1];
             k++)
            ways += l->f->reads.p[k].base == q ? l->f->reads.p[k].ways : 0;
    return ways > 1; /* one is the update's own */
}

static void count_bytes(const lower *l, const fuse_group *g, const pass_segment *s,
                        pass_launch *out) {
    const lp_kernel *k = l->plan->code->k.p[s->kernel];
    bool update = g->form->window, in_place = update && buffers_in_place(l, g->head);
    int64_t window = 0;
    if (update) ir_numel(l->g, ir_operand(l->g, g->head, 1), &window);
    for (uint32_t i = 0; i < k->buffers.n; i++) {
        const pass_buffer *b = &l->plan->buffers.p[s->buffers[i]];
        int64_t size = (int64_t)ir_dtype_bytes(b->dtype), bytes = b->count * size;
        lp_access a = k->buffers.p[i].access;
        if (update && s->buffers[i] == l->homes.buffer_of[g->head]) {
            out->bytes_read += in_place && reads_window(l, g) ? window * size : 0;
            out->bytes_written += in_place ? window * size : bytes + window * size;
            continue;
        }
        out->bytes_read += a == LP_IN || a == LP_INOUT ? bytes : 0;
        out->bytes_written += a == LP_OUT || a == LP_INOUT ? bytes : 0;
    }
}

/* The first group's name, how many are side by side, and the launch's number. */
static const char *launch_name(lower *l, const fuse_group *group, uint32_t segments) {
    bz_text t = {0};
    name_group(&t, l->g, group);
    if (segments > 1) bz_textf(&t, "_x%u", segments);
    bz_textf(&t, "_%u", l->launch);
    const char *own = t.failed ? NULL : bz_arena_str(&l->plan->memory, bz_text_c(&t));
    bz_text_free(&t);
    return own;
}

/* How many groups of the launch have this form? */
static uint32_t of_form(const lower *l, const uint32_t *groups, uint32_t n, const fuse_form *form) {
    uint32_t same = 0;
    for (uint32_t i = 0; i < n; i++) same += l->f->groups.p[groups[i]].form == form;
    return same;
}

static bool lower_launch(lower *l, const uint32_t *groups, uint32_t n) {
    pass_launch launch = {0};
    pass_segment *segments = bz_arena_alloc(&l->plan->memory, n * sizeof *segments);
    BZ_VEC(ir_ref) nodes = {0};
    bool ok = segments != NULL;
    for (uint32_t i = 0; ok && i < n; i++) {
        const fuse_group *g = &l->f->groups.p[groups[i]];
        if (!lower_has_work(l, g)) continue;
        l->together = l->t->rows && of_form(l, groups, n, g->form) > 1;
        ok = lower_group(l, g, &segments[launch.nsegments]);
        if (!ok) break;
        count_bytes(l, g, &segments[launch.nsegments++], &launch);
        for (uint32_t k = 0; ok && k < g->nodes.n; k++) {
            count_node(l, g->nodes.p[k], &launch);
            ok = bz_vec_push(&nodes, g->nodes.p[k]);
        }
    }
    launch.segments = segments;
    launch.nnodes = nodes.n;
    launch.nodes = ok ? bz_arena_copy(&l->plan->memory, nodes.p, nodes.n * sizeof *nodes.p) : NULL;
    launch.name = ok ? launch_name(l, &l->f->groups.p[groups[0]], launch.nsegments) : NULL;
    bz_vec_free(&nodes);
    if (!launch.nodes || !launch.name) return false;
    return bz_vec_push(&l->plan->launches,
                       launch); /* one without segments keeps the numbering: it runs nothing */
}

bool stage_lower(lower *l) {
    const schedule *s = &l->order;
    if (!(l->bind = bz_mem_zero(l->g->n.n, sizeof *l->bind))) return false;
    for (l->launch = 0; l->launch + 1 < s->starts.n; l->launch++) {
        uint32_t first = s->starts.p[l->launch], n = s->starts.p[l->launch + 1] - first;
        if (bz_ask(l->t->watch, "lower", l->launch, s->starts.n - 1, l->e) ||
            !lower_launch(l, s->groups.p + first, n))
            return false;
    }
    return true;
}

void lower_free(lower *l) {
    bz_mem_free(l->bind);
    bz_mem_free(l->slots);
    bz_vec_free(&l->buffers);
    bz_vec_free(&l->pointers);
    bz_vec_free(&l->scalars);
    bz_vec_free(&l->outputs);
    bz_vec_free(&l->out_pointers);
    bz_vec_free(&l->kept);
    collect_free(l);
}
