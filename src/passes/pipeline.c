/* pipeline.c - runs the passes in the order of pipeline.def, with a verifier after each in debug builds and dumps where asked. */
#include "src/passes/lower.h"

#include <stdio.h>
#include <string.h>

const pass_info pass_table[] = {
#define PASS(fn, name, letter, help) {#name, help, letter, fn},
#include "src/passes/pipeline.def"
#undef PASS
};
const unsigned pass_count = BZ_LEN(pass_table);

static const char *dump_letters = "";

void pass_set_dump(const char *letters) {
    dump_letters = letters;
}

bool pass_dump_knows(const char *letters) {
    static const char others[] = {PASS_DUMP_RECORDED, PASS_DUMP_PLAN, PASS_DUMP_ALL};
    for (; *letters; letters++) {
        bool known = memchr(others, *letters, sizeof others) != NULL;
        for (unsigned i = 0; i < pass_count && !known; i++)
            known = pass_table[i].letter == *letters;
        if (!known) return false;
    }
    return true;
}

static bool dumps(char letter) {
    return strchr(dump_letters, letter) || strchr(dump_letters, PASS_DUMP_ALL);
}

const pass_info *pass_find(const char *name, size_t n) {
    for (unsigned i = 0; i < pass_count; i++)
        if (strlen(pass_table[i].name) == n && !memcmp(pass_table[i].name, name, n))
            return &pass_table[i];
    return NULL;
}

static void dump(const char *what, char letter, const ir_graph *before, const ir_graph *g) {
    if (!dumps(letter)) return;
    bz_text t = {0}, old = {0};
    ir_print(&t, g);
    if (before) ir_print(&old, before);
    if (before && !strcmp(bz_text_c(&t), bz_text_c(&old)))
        fprintf(stderr, "-- %s (unchanged)\n", what);
    else
        fprintf(stderr, "-- %s\n%s", what, bz_text_c(&t));
    bz_text_free(&t);
    bz_text_free(&old);
}

static void dump_plan(const pass_plan *p) {
    if (!dumps(PASS_DUMP_PLAN)) return;
    bz_text t = {0};
    pass_plan_print(&t, p);
    fprintf(stderr, "-- plan\n%s", bz_text_c(&t));
    bz_text_free(&t);
}

static void blame_symbolic(const ir_graph *g, ir_ref r, bz_error *e) {
    bz_text t = {0};
    const char *site = g->sites.p[r];
    for (uint32_t i = 0; i < g->inputs.n; i++)
        if (g->inputs.p[i].node == r) bz_textf(&t, "%s is ", g->inputs.p[i].name);
    ir_print_shape(&t, g, r);
    bz_fail(e, BZ_EUNSUPPORTED,
            "[%s] %.200s: symbolic dimensions cannot be compiled; give them values%s%s",
            ir_ops[ir_at(g, r)->op].name, bz_text_c(&t), site ? " at " : "", site ? site : "");
    bz_text_free(&t);
}

bz_status pass_check_static(const ir_graph *g, bz_error *e) {
    int64_t n;
    for (ir_ref r = 1; r < g->n.n; r++) {
        if (ir_numel(g, r, &n)) continue;
        blame_symbolic(g, r, e);
        return e->status;
    }
    return BZ_OK;
}

/* Runs one pass; takes `g`. */
static ir_graph *run_pass(const pass_info *p, ir_graph *g, const pass_target *t, bz_error *e) {
    ir_graph *next = p->run(g, t, e);
    if (next) dump(p->name, p->letter, g, next);
    ir_graph_free(g);
#ifdef BZ_DEBUG
    bz_error bad = {0};
    if (next && ir_verify(next, IR_ANY_GRAPH, &bad)) bz_bug("after pass %s: %s", p->name, bad.text);
#endif
    return next;
}

static ir_graph *copy_graph(const ir_graph *g, bz_error *e) {
    ir_map map;
    bool *live = ir_live(g);
    ir_graph *n = live ? ir_rebuild_begin(g, &map) : NULL;
    if (!n) {
        bz_mem_free(live);
        bz_fail(e, BZ_ENOMEM, "out of memory while copying a graph");
        return NULL;
    }
    for (ir_ref r = 1; r < g->n.n; r++)
        if (live[r] && !map.to[r]) map.to[r] = ir_rebuild_node(n, g, &map, r);
    bz_mem_free(live);
    return ir_rebuild_end(n, g, &map, e);
}

pass_plan *pass_compile(const ir_graph *g, const pass_target *t, bz_error *e) {
    bz_error own = {0};
    e = e ? e : &own;
    if (pass_check_static(g, e)) return NULL;
    dump("recorded", PASS_DUMP_RECORDED, NULL, g);
    ir_graph *now = copy_graph(g, e);
    for (unsigned i = 0; now && i < pass_count; i++) {
        if (bz_ask(t->watch, pass_table[i].name, i, pass_count, e)) {
            ir_graph_free(now);
            return NULL;
        }
        now = run_pass(&pass_table[i], now, t, e);
    }
    pass_plan *p = now ? bz_mem_zero(1, sizeof *p) : NULL;
    if (!p) {
        ir_graph_free(now);
        bz_fail(e, BZ_ENOMEM, "out of memory while compiling");
        return NULL;
    }
    p->graph = now;
    p->module = now->m;
    p->code = bz_mem_zero(1, sizeof *p->code);
    if (!p->code) bz_fail(e, BZ_ENOMEM, "out of memory while compiling");
    if (e->status || lower_graph(p, t, e)) {
        pass_plan_free(p);
        return NULL;
    }
    dump_plan(p);
    return p;
}

void pass_plan_free(pass_plan *p) {
    if (!p) return;
    ir_graph_free(p->graph);
    if (p->code) lp_module_free(p->code);
    bz_vec_free(&p->buffers);
    bz_vec_free(&p->launches);
    bz_vec_free(&p->refusals);
    bz_arena_free(&p->memory);
    bz_mem_free(p);
}

size_t pass_bytes_before(const pass_plan *p, const pass_segment *s, uint32_t i) {
    return (size_t)s->at[i] * ir_dtype_bytes(p->buffers.p[s->buffers[i]].dtype);
}

/* ---- the plan as text */

static void print_buffer(bz_text *t, const pass_plan *p, uint32_t i) {
    static const char *const places[] = {"input", "output", "arena", "const"};
    const pass_buffer *b = &p->buffers.p[i];
    bz_textf(t, "  b%u: %s[%lld] %s", i, ir_dtypes[b->dtype].name, (long long)b->count,
             places[b->place]);
    if (b->place == PASS_INPUT)
        bz_textf(t, " %s", p->graph->inputs.p[b->number].name);
    else if (b->place == PASS_OUTPUT)
        bz_textf(t, " %s", p->graph->outputs.p[b->number].name);
    else if (b->place == PASS_ARENA)
        bz_textf(t, " +%lld", (long long)b->offset);
    bz_textf(t, ", launches %u-%u\n", b->first, b->last);
}

static void print_segment(bz_text *t, const pass_plan *p, const pass_segment *s) {
    const lp_kernel *k = p->code->k.p[s->kernel];
    static const char *const marks[] = {"<", ">", "=", "~"};
    const char *hash =
        strrchr(k->name, '_'); /* it changes with every stroke of the lowering: not for goldens */
    bz_textf(t, "    %.*s:", (int)(hash - k->name), k->name);
    for (uint32_t i = 0; i < k->buffers.n; i++) {
        bz_textf(t, " %sb%u", marks[k->buffers.p[i].access], s->buffers[i]);
        if (s->at[i]) bz_textf(t, "[%lld..]", (long long)s->at[i]);
    }
    for (uint32_t i = 0; i < k->extents.n; i++)
        bz_textf(t, " %s=%lld", k->extents.p[i].name, (long long)s->extents[i]);
    for (uint32_t i = 0; i < k->scalars.n; i++)
        bz_textf(t, " %s", p->graph->inputs.p[s->scalars[i]].name);
    bz_text_str(t, "\n");
}

void pass_plan_print(bz_text *t, const pass_plan *p) {
    bz_textf(t, "plan: %u launches, arena %lld bytes (at least %lld)\n", p->launches.n,
             (long long)p->arena_bytes, (long long)p->arena_bound);
    for (uint32_t i = 0; i < p->buffers.n; i++) print_buffer(t, p, i);
    for (uint32_t i = 0; i < p->launches.n; i++) {
        const pass_launch *l = &p->launches.p[i];
        bz_textf(t, "  launch %u: %s, %lld flops, %lld specials, %lld bytes in, %lld out\n", i,
                 l->name, (long long)l->flops, (long long)l->specials, (long long)l->bytes_read,
                 (long long)l->bytes_written);
        for (uint32_t s = 0; s < l->nsegments; s++) print_segment(t, p, &l->segments[s]);
    }
    for (uint32_t i = 0; i < p->noutputs; i++)
        bz_textf(t, "  %s = b%u\n", p->graph->outputs.p[i].name, p->output[i]);
    for (uint32_t i = 0; i < p->refusals.n; i++)
        bz_textf(t, "  apart: %%%u %%%u: %s\n", p->refusals.p[i].producer,
                 p->refusals.p[i].consumer, p->refusals.p[i].reason);
}
