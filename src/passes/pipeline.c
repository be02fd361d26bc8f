/* pipeline.c - runs the passes and stages in the order of pipeline.def, with a verifier after each pass in debug builds, and dumps where
 * asked. */
#include "src/passes/lower.h"

#include <stdio.h>
#include <string.h>

const pass_info pass_table[PASS_COUNT] = {
#define PASS(fn, name, letter, help)        {#name, help, letter, fn, NULL, NULL},
#define STAGE(fn, text, name, letter, help) {#name, help, letter, NULL, fn, text},
#include "src/passes/pipeline.def"
#undef PASS
#undef STAGE
};

static const char *dump_letters = "";

void pass_set_dump(const char *letters) {
    dump_letters = letters;
}

bool pass_dump_knows(const char *letters) {
    static const char others[] = {PASS_DUMP_RECORDED, PASS_DUMP_ALL};
    for (; *letters; letters++) {
        bool known = memchr(others, *letters, sizeof others) != NULL;
        for (unsigned i = 0; i < PASS_COUNT && !known; i++)
            known = pass_table[i].letter == *letters;
        if (!known) return false;
    }
    return true;
}

const pass_info *pass_find(const char *name, size_t n) {
    for (unsigned i = 0; i < PASS_COUNT; i++)
        if (strlen(pass_table[i].name) == n && !memcmp(pass_table[i].name, name, n))
            return &pass_table[i];
    return NULL;
}

/* ---- dumps */

static bool dumps(char letter) {
    return strchr(dump_letters, letter) || strchr(dump_letters, PASS_DUMP_ALL);
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

static void dump_stage(const pass_info *p, const lower *l) {
    if (!dumps(p->letter)) return;
    bz_text t = {0};
    p->text(&t, l);
    fprintf(stderr, "-- %s\n%s", p->name, bz_text_c(&t));
    bz_text_free(&t);
}

/* ---- the graph passes */

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

/* Runs one pass; takes `g`, which may be what it gives. */
static ir_graph *run_pass(const pass_info *p, ir_graph *g, const pass_target *t, bz_error *e) {
    ir_graph *next = p->run(g, t, e);
    if (next) dump(p->name, p->letter, g, next);
    if (next != g) ir_graph_free(g);
#ifdef BZ_DEBUG
    bz_error bad = {0};
    if (next && ir_verify(next, IR_ANY_GRAPH, &bad)) bz_bug("after pass %s: %s", p->name, bad.text);
#endif
    return next;
}

/* Does anybody want the compilation to end before pass i? */
static bool is_ended(const pass_target *t, unsigned i, bz_error *e) {
    return bz_ask(t->watch, pass_table[i].name, 0, 1, e) != BZ_OK;
}

/* The graph that is lowered, and what making it took. */
static ir_graph *run_passes(const ir_graph *g, const pass_target *t, uint64_t *ns, bz_error *e) {
    dump("recorded", PASS_DUMP_RECORDED, NULL, g);
    ir_graph *now = ir_copy_live(g, e);
    for (unsigned i = 0; i < PASS_COUNT && now; i++) {
        if (!pass_table[i].run) continue;
        if (is_ended(t, i, e)) {
            ir_graph_free(now);
            return NULL;
        }
        uint64_t start = bz_now();
        now = run_pass(&pass_table[i], now, t, e);
        ns[i] = bz_now() - start;
    }
    return now;
}

/* ---- the stages */

/* Runs stages up to `last`, NULL: all; `text`, if there is one, gets what that gives. */
static bool run_stages(lower *l, const pass_info *last, bz_text *text) {
    bool ok = true;
    for (unsigned i = 0; i < PASS_COUNT && ok; i++) {
        const pass_info *p = &pass_table[i];
        if (!p->stage) continue;
        if (is_ended(l->t, i, l->e)) return false;
        uint64_t start = bz_now();
        ok = p->stage(l);
        l->plan->ns[i] = bz_now() - start;
        if (ok) dump_stage(p, l);
        if (ok && p == last) {
            p->text(text, l);
            break;
        }
    }
    if (!ok && !l->e->status) bz_fail(l->e, BZ_ENOMEM, "out of memory while lowering");
    return ok;
}

/* An empty plan for g, which it takes. */
static pass_plan *new_plan(ir_graph *g, bz_error *e) {
    pass_plan *p = bz_mem_zero(1, sizeof *p);
    if (p) {
        p->graph = g;
        p->module = g->m;
        p->code = bz_mem_zero(1, sizeof *p->code);
        if (p->code) return p;
    }
    bz_mem_free(p);
    ir_graph_free(g);
    bz_fail(e, BZ_ENOMEM, "out of memory while compiling");
    return NULL;
}

static pass_plan *compile(const ir_graph *g, const pass_info *last, bz_text *text,
                          const pass_target *t, bz_error *e) {
    uint64_t ns[PASS_COUNT] = {0};
    if (pass_check_static(g, e)) return NULL;
    ir_graph *now = run_passes(g, t, ns, e);
    pass_plan *p = now ? new_plan(now, e) : NULL;
    if (!p) return NULL;
    memcpy(p->ns, ns, sizeof ns);
    lower l = {.g = p->graph, .t = t, .f = &l.fused, .plan = p, .e = e};
    bool ok = run_stages(&l, last, text);
    stages_free(&l);
    if (ok) return p;
    pass_plan_free(p);
    return NULL;
}

pass_plan *pass_compile(const ir_graph *g, const pass_target *t, bz_error *e) {
    bz_error own = {0};
    return compile(g, NULL, NULL, t, e ? e : &own);
}

bz_status pass_print_stage(bz_text *text, const ir_graph *g, const pass_info *stage,
                           const pass_target *t, bz_error *e) {
    pass_plan *p = compile(g, stage, text, t, e);
    pass_plan_free(p);
    return p ? BZ_OK : e->status;
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
