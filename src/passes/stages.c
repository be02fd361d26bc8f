/* stages.c - the stages of pipeline.def, as they stand over `lower`, and what each leaves as text: for dumps, golden tests, `braze opt`.
 *
 *     fuse: groups  -->  schedule: launches  -->  buffers: homes  -->  lower: loops, segments  -->  memory: offsets */
#include "src/passes/work.h"

#include <string.h>

bool stage_fuse(lower *l) {
    if (fuse_graph(l->g, l->t, &l->fused, l->e)) return false;
    for (uint32_t i = 0; i < l->fused.refusals.n; i++)
        if (!bz_vec_push(&l->plan->refusals, l->fused.refusals.p[i])) return false;
    return true;
}

bool stage_schedule(lower *l) {
    return schedule_groups(l->f, l->t, &l->order);
}

bool stage_memory(lower *l) {
    return memory_plan(l->plan, l->e);
}

void stages_free(lower *l) {
    lower_free(l);
    buffers_free(&l->homes);
    schedule_free(&l->order);
    fuse_free(&l->fused);
}

/* ---- groups and their order */

static void print_refusals(bz_text *t, const pass_plan *p) {
    for (uint32_t i = 0; i < p->refusals.n; i++)
        bz_textf(t, "  apart: %%%u %%%u: %s\n", p->refusals.p[i].producer,
                 p->refusals.p[i].consumer, p->refusals.p[i].reason);
}

/* Members in order; those with a buffer of their own have a star. */
static void print_group(bz_text *t, const lower *l, uint32_t which) {
    const fuse_group *g = &l->f->groups.p[which];
    bz_textf(t, " group %u, ", which);
    name_group(t, l->g, g);
    bz_text_str(t, ":");
    for (uint32_t i = 0; i < g->nodes.n; i++)
        bz_textf(t, " %%%u%s", g->nodes.p[i], l->f->stored[g->nodes.p[i]] ? "*" : "");
}

/* Is member r stored, or handed on to another part of the band (NULL: there is none)? */
static bool gives(const lower *l, const fuse_group *band, ir_ref r) {
    for (uint32_t i = 0; band && i < band->handed.n; i++)
        if (band->handed.p[i] == r) return true;
    return l->f->stored[r];
}

/* What the group's loops have to do; of a band, part by part. */
static void print_work(bz_text *t, const lower *l, const fuse_group *g, const fuse_group *band) {
    BZ_VEC(ir_ref) outputs = {0};
    work w;
    for (unsigned k = 0; k < g->nparts; k++) print_work(t, l, &g->parts[k], g);
    if (g->nparts) return;
    for (uint32_t i = 0; i < g->nodes.n; i++)
        if (gives(l, band, g->nodes.p[i])) t->failed |= !bz_vec_push(&outputs, g->nodes.p[i]);
    if (work_describe(&w, l->f, g, outputs.p, outputs.n, true)) {
        bz_text_str(t, "    ");
        work_print(t, &w, outputs.p, outputs.n);
        bz_text_str(t, "\n");
    }
    work_free(&w);
    bz_vec_free(&outputs);
}

void stage_fuse_text(bz_text *t, const lower *l) {
    ir_print(t, l->g);
    for (uint32_t i = 0; i < l->f->groups.n; i++) {
        if (l->f->groups.p[i].dead) continue;
        bz_text_str(t, " ");
        print_group(t, l, i);
        bz_text_str(t, "\n");
        print_work(t, l, &l->f->groups.p[i], NULL);
    }
    print_refusals(t, l->plan);
}

void stage_schedule_text(bz_text *t, const lower *l) {
    for (uint32_t i = 0; i + 1 < l->order.starts.n; i++) {
        bz_textf(t, "  launch %u:", i);
        for (uint32_t k = l->order.starts.p[i]; k < l->order.starts.p[i + 1]; k++) {
            if (k > l->order.starts.p[i]) bz_text_str(t, ";");
            print_group(t, l, l->order.groups.p[k]);
        }
        bz_text_str(t, "\n");
    }
}

/* ---- the plan */

/* placed: it has its offset. */
static void print_buffer(bz_text *t, const pass_plan *p, uint32_t i, bool placed) {
    static const char *const places[] = {"input", "output", "arena", "const", "kept"};
    const pass_buffer *b = &p->buffers.p[i];
    bz_textf(t, "  b%u: %s[%lld] %s", i, ir_dtypes[b->dtype].name, (long long)b->count,
             places[b->place]);
    if (b->place == PASS_INPUT)
        bz_textf(t, " %s", p->graph->inputs.p[b->number].name);
    else if (b->place == PASS_OUTPUT)
        bz_textf(t, " %s", p->graph->outputs.p[b->number].name);
    else if ((b->place == PASS_ARENA || b->place == PASS_KEPT) && placed)
        bz_textf(t, " +%lld", (long long)b->offset);
    bz_textf(t, ", launches %u-%u\n", b->first, b->last);
}

static void print_segment(bz_text *t, const pass_plan *p, const pass_segment *s) {
    const lp_kernel *k = p->code->k.p[s->kernel];
    static const char *const marks[] = {"<", ">", "=", "~"};
    /* it changes with every stroke of the lowering: not for goldens */
    const char *hash = strrchr(k->name, '_');
    bz_textf(t, "    %.*s:", (int)(hash - k->name), k->name);
    for (uint32_t i = 0; i < k->buffers.n; i++) {
        bz_textf(t, " %sb%u", marks[k->buffers.p[i].access], s->buffers[i]);
        if (s->at[i]) bz_textf(t, "[%lld..]", (long long)s->at[i]);
    }
    for (uint32_t i = 0; i < k->extents.n; i++)
        bz_textf(t, " %s=%lld", k->extents.p[i].name, (long long)s->extents[i]);
    for (uint32_t i = 0; i < k->scalars.n; i++)
        bz_textf(t, " %s", p->graph->inputs.p[s->scalars[i]].name);
    for (uint32_t i = 0; i < s->nkept; i++) {
        bz_textf(t, ", phase %u keeps what it makes of", s->kept[i].phase);
        for (uint32_t j = 0; j < s->kept[i].ninputs; j++)
            bz_textf(t, " %s", p->graph->inputs.p[s->kept[i].inputs[j]].name);
    }
    bz_text_str(t, "\n");
}

static void print_segments(bz_text *t, const pass_plan *p, const pass_launch *l) {
    for (uint32_t s = 0; s < l->nsegments; s++) print_segment(t, p, &l->segments[s]);
}

static void print_outputs(bz_text *t, const pass_plan *p) {
    for (uint32_t i = 0; i < p->noutputs; i++)
        bz_textf(t, "  %s = b%u\n", p->graph->outputs.p[i].name, p->output[i]);
}

void stage_buffers_text(bz_text *t, const lower *l) {
    for (uint32_t i = 0; i < l->plan->buffers.n; i++) print_buffer(t, l->plan, i, false);
    for (ir_ref r = 1; r < l->g->n.n; r++)
        if (l->homes.buffer_of[r] != PASS_NONE)
            bz_textf(t, "  %%%u: b%u\n", r, l->homes.buffer_of[r]);
    print_outputs(t, l->plan);
}

void stage_lower_text(bz_text *t, const lower *l) {
    for (uint32_t i = 0; i < l->plan->launches.n; i++) {
        bz_textf(t, "# launch %u: %s\n", i, l->plan->launches.p[i].name);
        print_segments(t, l->plan, &l->plan->launches.p[i]);
    }
    lp_print_module(t, l->plan->code);
}

void stage_memory_text(bz_text *t, const lower *l) {
    pass_plan_print(t, l->plan);
}

void pass_plan_print(bz_text *t, const pass_plan *p) {
    bz_textf(t, "plan: %u launches, arena %lld bytes (at least %lld)", p->launches.n,
             (long long)p->arena_bytes, (long long)p->arena_bound);
    if (p->kept_bytes) bz_textf(t, ", %lld kept", (long long)p->kept_bytes);
    bz_text_str(t, "\n");
    for (uint32_t i = 0; i < p->buffers.n; i++) print_buffer(t, p, i, true);
    for (uint32_t i = 0; i < p->launches.n; i++) {
        const pass_launch *l = &p->launches.p[i];
        bz_textf(t, "  launch %u: %s, %lld flops, %lld specials, %lld bytes in, %lld out\n", i,
                 l->name, (long long)l->flops, (long long)l->specials, (long long)l->bytes_read,
                 (long long)l->bytes_written);
        print_segments(t, p, l);
    }
    print_outputs(t, p);
    print_refusals(t, p);
}
