/* export_plan.c - a plan's program image (image.c) as constant data: the JIT's structs, with symbols where that has pointers. */
#include "runtime/export/export.h"
#include "src/ir/external.h"

#include <stdio.h>
#include <string.h>

enum { LINE = 64 };

/* What is known while one variant is put into the image. */
typedef struct maker {
    ex_image *m;
    const ex_variant *v;
    const ex_fields *f;
    const char *prefix;
    ex_spot baked; /* the table of captured tensors */
} maker;

/* ---- alignment: pointers that some aligned load or store goes through */

/* The buffer parameter that a pointer leads to; -1: a local array. */
static int64_t root(const lp_kernel *k, lp_val p) {
    while (k->inst.p[p].op == LP_OFFSET) p = lp_args(k, &k->inst.p[p])[0];
    return k->inst.p[p].op == LP_BUFFER ? k->inst.p[p].imm : -1;
}

static void mark(bool *aligned, const lp_kernel *k, lp_val p) {
    int64_t b = root(k, p);
    if (b >= 0) aligned[b] = true;
}

/* aligned[i] of all kernels before k in the module are known: functions stand before callers. */
static void mark_kernel(const lp_module *m, bool *const *aligned, uint32_t which) {
    const lp_kernel *k = m->k.p[which];
    for (lp_val v = 1; v < k->inst.n; v++) {
        const lp_inst *i = &k->inst.p[v];
        const uint32_t *args = lp_args(k, i);
        if ((i->op == LP_LOAD || i->op == LP_STORE) && (i->flags & LP_ALIGNED))
            mark(aligned[which], k, args[0]);
        for (uint32_t b = 0; i->op == LP_CALL && b < m->k.p[i->imm]->buffers.n; b++)
            if (aligned[i->imm][b]) mark(aligned[which], k, args[b]);
    }
}

static void mark_fields(const ex_variant *v, bool *const *aligned, ex_fields *f) {
    for (uint32_t l = 0; l < v->plan->launches.n; l++)
        for (uint32_t s = 0; s < v->plan->launches.p[l].nsegments; s++) {
            const pass_segment *seg = &v->plan->launches.p[l].segments[s];
            for (uint32_t b = 0; b < v->plan->code->k.p[seg->kernel]->buffers.n; b++) {
                const pass_buffer *at = &v->plan->buffers.p[seg->buffers[b]];
                if (!aligned[seg->kernel][b]) continue;
                if (at->place == PASS_INPUT && f->input[at->number].align)
                    f->input[at->number].align = LINE;
                if (at->place == PASS_OUTPUT && !v->finds) f->output[at->number].align = LINE;
            }
        }
}

static bool find_alignment(const ex_variant *v, ex_fields *f) {
    const lp_module *m = v->plan->code;
    bz_arena memory = {0};
    bool **aligned = bz_arena_alloc(&memory, (m->k.n + 1) * sizeof *aligned), ok = aligned != NULL;
    for (uint32_t i = 0; ok && i < m->k.n; i++) {
        size_t n = m->k.p[i]->buffers.n + 1;
        ok = (aligned[i] = bz_arena_alloc(&memory, n)) != NULL;
        if (ok) memset(aligned[i], 0, n);
        if (ok) mark_kernel(m, aligned, i);
    }
    if (ok) mark_fields(v, aligned, f);
    bz_arena_free(&memory);
    return ok;
}

static bool make_consts(ex_variant *v) {
    v->consts_bytes = rt_consts_bytes(v->plan) + LINE;
    if (!(v->consts = bz_mem_zero(v->consts_bytes, 1))) return false;
    rt_consts_write(v->plan, v->consts);
    return true;
}

void ex_suffix(char out[24], cg_isa isa) {
    snprintf(out, 24, ".v%u", (unsigned)isa + 2);
}

/* Can what the graph calls be linked? */
static bool can_link(const ir_graph *g, bz_error *e) {
    bool *live = ir_live(g), ok = live != NULL;
    if (!live) bz_fail(e, BZ_ENOMEM, "out of memory");
    for (ir_ref r = 1; ok && r < g->n.n; r++) {
        const ir_external *x = live[r] && ir_at(g, r)->op == IR_EXTERNAL ? ir_external_of(g, r) : NULL;
        const char *site = g->sites.p[r];
        const char *why = !x                             ? NULL
                          : !x->symbol                   ? "a library computes it at run time: an "
                                                           "export can't hold it"
                          : x->user && !x->user_symbol ? "its function is handed a pointer of this "
                                                         "process; user_symbol names what an "
                                                         "export hands over"
                                                       : NULL;
        ok = !why;
        if (why)
            bz_fail(e, BZ_EUNSUPPORTED, "[%s] %s%s%s", x->name, why, site ? " at " : "",
                    site ? site : "");
    }
    bz_mem_free(live);
    return ok;
}

bz_status ex_plan(ex_variant *v, const ir_graph *g, const pass_target *t, ex_fields *fields,
                  bz_error *e) {
    if (!can_link(g, e)) return e->status;
    v->cuda = ex_is_cuda(t);
    ir_graph *own = v->cuda ? ex_cuda_graph(g, fields, e) : NULL;
    v->plan = own || !v->cuda ? pass_compile(own ? own : g, t, e) : NULL;
    ir_graph_free(own);
    if (!v->plan) return e->status ? e->status : bz_fail(e, BZ_ENOMEM, "out of memory");
    /* Kernels of a GPU ask their pointers. */
    bool ready = make_consts(v) && (v->cuda || find_alignment(v, fields));
    return ready ? BZ_OK : bz_fail(e, BZ_ENOMEM, "out of memory");
}

bz_status ex_variant_make(ex_variant *v, const ir_graph *g, const pass_target *t, cg_isa isa,
                          const char *name, ex_fields *fields, bz_error *e) {
    *v = (ex_variant){.isa = isa};
    ex_suffix(v->suffix, isa);
    snprintf(v->consts_name, sizeof v->consts_name, "%.64s.consts%s", name, v->suffix);
    bz_status s = ex_plan(v, g, t, fields, e);
    return s ? s : ex_make_finders(v, t, name, fields, e);
}

/* ---- the image */

static bz_rt_place of_field(const ex_field *x) {
    if (x->baked) return (bz_rt_place){BZ_RT_BAKED, (uint32_t)x->baked - 1, 0};
    return (bz_rt_place){x->align ? BZ_RT_ARG : BZ_RT_VALUE, x->at, 0};
}

static bool make_image(const maker *k, rt_image *out) {
    const ir_graph *g = k->v->plan->graph;
    bz_rt_place *in = bz_mem_zero(g->inputs.n + g->outputs.n + 1, sizeof *in);
    *out = (rt_image){0};
    if (!in) return false;
    bz_rt_place *to = in + g->inputs.n;
    for (uint32_t i = 0; i < g->inputs.n; i++) in[i] = of_field(&k->f->input[i]);
    for (uint32_t i = 0; i < g->outputs.n; i++) {
        int donated = g->outputs.p[i].donated;
        to[i] = k->v->finds    ? (bz_rt_place){.where = BZ_RT_ARENA}
                : donated >= 0 ? in[donated]
                               : of_field(&k->f->output[i]);
    }
    bool ok = rt_image_make(out, k->v->plan, &(rt_ends){in, to});
    bz_mem_free(in);
    return ok;
}

/* The instruction by which a kernel calls a function of C; NULL: it calls none. */
static const lp_inst *call_of_c(const lp_kernel *k) {
    for (lp_val v = 1; v < k->inst.n; v++)
        if (k->inst.p[v].op == LP_EXTERNAL) return &k->inst.p[v];
    return NULL;
}

/* The extent that is argument j of such an instruction. */
static size_t extent_of(const lp_kernel *k, const lp_inst *call, unsigned j) {
    const lp_inst *x = &k->inst.p[lp_args(k, call)[j]];
    bz_assert(x->op == LP_EXTENT);
    return (size_t)x->imm;
}

/* A segment's numbers. Addresses of this process are 0 there, or for the linker to fill in. */
static size_t put_extents(const maker *k, const lp_kernel *code, const int64_t *extents) {
    static const int64_t zero;
    const size_t base = ex_put(k->m, extents, code->extents.n * sizeof *extents);
    const lp_inst *call = call_of_c(code);
    if (!call) return base;
    const ir_ref node = (ir_ref)extents[extent_of(code, call, 1)];
    const ir_external *x = ir_external_of(k->v->plan->graph, node);
    const size_t function = base + extent_of(code, call, 0) * sizeof zero,
                 user = base + extent_of(code, call, 2) * sizeof zero;
    ex_set(k->m, function, &zero, sizeof zero);
    ex_set(k->m, user, &zero, sizeof zero);
    ex_link(k->m, function, x->symbol, 0);
    if (x->user_symbol) ex_link(k->m, user, x->user_symbol, 0);
    return base;
}

/* All segments, each with its extents behind it; where they begin. */
static size_t put_segments(const maker *k, const rt_image *i) {
    size_t base = ex_put(k->m, i->segments.p, i->segments.n * sizeof *i->segments.p);
    for (uint32_t s = 0; s < i->segments.n; s++) {
        const lp_kernel *code = k->v->plan->code->k.p[i->codes.p[s].kernel];
        const size_t at = base + s * sizeof(bz_rt_segment);
        const int64_t *extents = i->segments.p[s].extents;
        bz_text symbol = {0};
        bz_textf(&symbol, "%s%s.%u%s", k->prefix, code->name, i->codes.p[s].phase, k->v->suffix);
        k->m->failed |= symbol.failed;
        if (!k->v->cuda)
            ex_link(k->m, at + offsetof(bz_rt_segment, code), bz_text_c(&symbol), 0);
        ex_link(k->m, at + offsetof(bz_rt_segment, extents), NULL,
                put_extents(k, code, extents));
        bz_text_free(&symbol);
    }
    return base;
}

static size_t put_phases(const maker *k, const rt_image *i) {
    size_t segments = put_segments(k, i);
    size_t base = ex_put(k->m, i->phases.p, i->phases.n * sizeof *i->phases.p);
    for (uint32_t p = 0; p < i->phases.n; p++) {
        ex_link(k->m, base + p * sizeof(bz_rt_phase) + offsetof(bz_rt_phase, segments), NULL,
                segments);
        segments += i->phases.p[p].nsegments * sizeof(bz_rt_segment);
    }
    return base;
}

/* The plan's image, at byte `base`; *staged: byte of the arena where its first output stays, if it does. part: where a bz_rt_cuda_part
 * goes, if the code is for GPUs. */
static void put_image(const maker *k, size_t base, size_t part, int64_t *staged) {
    rt_image i;
    k->m->failed |= !make_image(k, &i);
    if (!k->m->failed) {
        size_t phases = put_phases(k, &i);
        size_t places = ex_put(k->m, i.places.p, i.places.n * sizeof *i.places.p);
        size_t copies = ex_put(k->m, i.copies.p, i.copies.n * sizeof *i.copies.p);
        ex_link(k->m, base + offsetof(bz_rt_image, phases), NULL, phases);
        ex_link(k->m, base + offsetof(bz_rt_image, places), NULL, places);
        ex_link(k->m, base + offsetof(bz_rt_image, copies), NULL, copies);
        ex_link(k->m, base + offsetof(bz_rt_image, consts), k->v->consts_name, 0);
        ex_link(k->m, base + offsetof(bz_rt_image, baked), k->baked.symbol, k->baked.at);
        ex_set(k->m, base, &i.base, sizeof i.base);
        if (k->v->cuda) ex_put_cuda_part(k->m, k->v, &i, k->prefix, part);
        if (staged) *staged = i.staged[0];
    }
    rt_image_free(&i);
}

/* ---- sites: what an error slot's element means */

/* The extent that an instruction reports as the element of an error; -1: it reports nothing. */
static int64_t reported(const lp_kernel *k, lp_val v) {
    const lp_inst *i = &k->inst.p[v];
    if (i->op != LP_ERROR && i->op != LP_EXTERNAL) return -1;
    const lp_inst *element = &k->inst.p[lp_args(k, i)[1]];
    return element->op == LP_EXTENT ? element->imm : -1;
}

bool ex_index_nodes(const pass_plan *p, ex_nodes *out) {
    bool *seen = bz_mem_zero(p->graph->n.n, sizeof *seen), ok = seen != NULL;
    for (uint32_t l = 0; ok && l < p->launches.n; l++)
        for (uint32_t i = 0; i < p->launches.p[l].nsegments; i++) {
            const pass_segment *s = &p->launches.p[l].segments[i];
            const lp_kernel *code = p->code->k.p[s->kernel];
            for (lp_val v = 1; v < code->inst.n; v++) {
                int64_t extent = reported(code, v), node = extent < 0 ? 0 : s->extents[extent];
                if (node > 0 && node < (int64_t)p->graph->n.n) seen[node] = true;
            }
        }
    for (ir_ref r = 1; ok && r < p->graph->n.n; r++) ok = !seen[r] || bz_vec_push(out, r);
    bz_mem_free(seen);
    return ok;
}

/* "[gather] index " and " is outside axis 0 of 5 at data.c:12", or both in one with `which` between them. */
static void link_text(const maker *k, size_t site, size_t field, const char *text, size_t n) {
    ex_link(k->m, site + field, NULL, ex_put_text(k->m, "%.*s", (int)n, text));
}

static void call_text(bz_text *t, const ir_graph *g, ir_ref r, const char *which) {
    const char *site = g->sites.p[r];
    bz_textf(t, "[%s] its function gave %s%s%s", ir_name_of(g, r), which, site ? " at " : "",
             site ? site : "");
}

static void put_words(const maker *k, size_t site, ir_ref node, const rt_index *a) {
    static const char mark[] = "index \1", none[] = "an index";
    const ir_graph *g = k->v->plan->graph;
    bz_text plain = {0}, split = {0};
    if (ir_at(g, node)->op == IR_EXTERNAL) {
        call_text(&plain, g, node, "a status");
        call_text(&split, g, node, "status \1");
    } else {
        rt_index_text(&plain, g, node, a, none);
        rt_index_text(&split, g, node, a, mark);
    }
    k->m->failed |= plain.failed || split.failed;
    const char *text = bz_text_c(&split), *cut = strchr(text, 1);
    link_text(k, site, offsetof(bz_rt_site, message), bz_text_c(&plain), plain.n);
    if (cut) {
        link_text(k, site, offsetof(bz_rt_site, before), text, (size_t)(cut - text));
        link_text(k, site, offsetof(bz_rt_site, behind), cut + 1, strlen(cut + 1));
    }
    bz_text_free(&plain);
    bz_text_free(&split);
}

/* The finder's image; byte of its arena where the indices lie. */
static uint64_t put_finder(const maker *k, size_t site, const ex_finder *f) {
    maker own = *k;
    int64_t staged = 0;
    size_t at = ex_put_room(
        k->m, f->code.cuda ? sizeof(bz_rt_cuda_finder) : sizeof(bz_rt_image));
    own.v = &f->code;
    put_image(&own, at, at + offsetof(bz_rt_cuda_finder, part), &staged);
    ex_link(k->m, site + offsetof(bz_rt_site, find), NULL, at);
    return (uint64_t)staged;
}

/* NULL: there is none. */
static const ex_finder *finder_of(const ex_variant *v, ir_ref node) {
    for (unsigned i = 0; i < v->nfinders; i++)
        if (v->finders[i].node == node) return &v->finders[i];
    return NULL;
}

static void put_site(const maker *k, size_t at, ir_ref node) {
    rt_index a;
    bool known = rt_index_of(k->v->plan->graph, node, &a);
    const ex_finder *f = finder_of(k->v, node);
    bz_rt_site site = {.element = node};
    if (ir_at(k->v->plan->graph, node)->op == IR_EXTERNAL) site.at = BZ_RT_CALLS;
    put_words(k, at, node, known ? &a : NULL);
    if (f) site.at = put_finder(k, at, f), site.count = a.count, site.size = a.size;
    ex_set(k->m, at, &site, sizeof site);
}

static size_t put_sites(const maker *k, uint32_t *n) {
    ex_nodes nodes = {0};
    k->m->failed |= !ex_index_nodes(k->v->plan, &nodes);
    *n = nodes.n;
    size_t at = ex_put_room(k->m, nodes.n * sizeof(bz_rt_site));
    for (uint32_t i = 0; i < nodes.n; i++) put_site(k, at + i * sizeof(bz_rt_site), nodes.p[i]);
    bz_vec_free(&nodes);
    return at;
}

void ex_put_variant(ex_image *m, const ex_variant *v, const ex_fields *f, const char *prefix,
                    ex_spot baked, size_t base) {
    const maker k = {m, v, f, prefix, baked};
    bz_rt_variant out = {.isa = (uint32_t)v->isa};
    size_t sites = put_sites(&k, &out.nsites);
    ex_set(m, base, &out, sizeof out);
    ex_link(m, base + offsetof(bz_rt_variant, sites), NULL, sites);
    put_image(&k, base + offsetof(bz_rt_variant, image), base + offsetof(bz_rt_cuda_variant, part),
              NULL);
    if (v->cuda) ex_put_cuda_args(m, v, f, base);
}
