/* export_plan.c - a plan as constant data: what runtime/program.c builds in memory for the JIT,
 * here as a bz_rt_variant in an image. Same order of phases and tasks, same copies. */
#include "runtime/export.h"

#include <stdio.h>
#include <string.h>

enum {
    LINE = 64,
    SERIAL_NS = 3000, /* below this a launch runs on the calling thread */
};

_Static_assert(sizeof(bz_rt_frame) == sizeof(lp_frame), "one frame");
_Static_assert(offsetof(bz_rt_frame, extents) == offsetof(lp_frame, extents), "one frame");
_Static_assert(offsetof(bz_rt_frame, scalars) == offsetof(lp_frame, scalars), "one frame");
_Static_assert(offsetof(bz_rt_frame, scratch) == offsetof(lp_frame, scratch), "one frame");
_Static_assert(offsetof(bz_rt_frame, error) == offsetof(lp_frame, error), "one frame");
_Static_assert(offsetof(bz_rt_frame, thread) == offsetof(lp_frame, thread), "one frame");
_Static_assert(LP_ABI == 1, "bz_rt_frame is version 1");

/* What is known while one variant is put into the image. */
typedef struct maker {
    ex_image *m;
    const ex_variant *v;
    const pass_plan *plan;
    const ex_fields *f;
    const char *prefix;
    size_t baked, base; /* in the image: the table of captured tensors, the variant */
    BZ_VEC(bz_rt_place) places;
    BZ_VEC(bz_rt_phase) phases;
    BZ_VEC(size_t) segments;                /* of each phase: where they begin */
    BZ_VEC(bz_rt_copy) copies, after, late; /* before the run, after it, over inputs at the end */
    int64_t *staged;                        /* of each output: byte in the arena, -1 = none */
    int64_t arena;
    uint32_t early; /* copies before the run */
} maker;

static int64_t round_line(int64_t n) {
    return (n + LINE - 1) / LINE * LINE;
}

static int64_t buffer_bytes(const pass_buffer *b) {
    return b->count * (int64_t)ir_dtype_bytes(b->dtype);
}

static const lp_kernel *kernel_of(const maker *k, const pass_segment *s) {
    return k->plan->code->k.p[s->kernel];
}

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

bool ex_find_alignment(const ex_variant *v, ex_fields *f) {
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

/* ---- constants */

/* Byte of constant buffer `which` among the constants; which = all buffers: their size. */
static int64_t const_offset(const pass_plan *p, uint32_t which) {
    int64_t at = 0;
    for (uint32_t i = 0; i < which; i++)
        if (p->buffers.p[i].place == PASS_CONST) at += round_line(buffer_bytes(&p->buffers.p[i]));
    return at;
}

bool ex_make_consts(ex_variant *v) {
    const pass_plan *p = v->plan;
    v->consts_bytes = (size_t)const_offset(p, p->buffers.n) + LINE;
    if (!(v->consts = bz_mem_zero(v->consts_bytes, 1))) return false;
    for (uint32_t i = 0; i < p->buffers.n; i++) {
        const pass_buffer *b = &p->buffers.p[i];
        if (b->place != PASS_CONST) continue;
        uint8_t *to = v->consts + const_offset(p, i);
        const int64_t *from = ir_attrs(p->graph, ir_at(p->graph, b->number));
        for (int64_t k = 0; k < b->count; k++)
            ir_store_bits(b->dtype, to + (size_t)k * ir_dtype_bytes(b->dtype), (ir_bits)from[k]);
    }
    return true;
}

/* ---- places */

static bz_rt_place of_field(const ex_field *x) {
    if (x->baked) return (bz_rt_place){BZ_RT_BAKED, (uint32_t)x->baked - 1, 0};
    return (bz_rt_place){x->align ? BZ_RT_ARG : BZ_RT_VALUE, x->at, 0};
}

static bz_rt_place of_arena(int64_t at) {
    return (bz_rt_place){BZ_RT_ARENA, 0, (uint64_t)at};
}

static bz_rt_place of_buffer(const maker *k, uint32_t which) {
    const pass_buffer *b = &k->plan->buffers.p[which];
    switch (b->place) {
    case PASS_INPUT: return of_field(&k->f->input[b->number]);
    case PASS_OUTPUT:
        return k->staged[b->number] >= 0 ? of_arena(k->staged[b->number])
                                         : of_field(&k->f->output[b->number]);
    case PASS_ARENA: return of_arena(b->offset);
    case PASS_CONST: break;
    }
    return (bz_rt_place){BZ_RT_CONSTS, 0, (uint64_t)const_offset(k->plan, which)};
}

/* A donated output that is not computed in place waits in the arena until all have read what it is
 * written over; that of a finder stays there. */
static bool stage_outputs(maker *k) {
    const pass_plan *p = k->plan;
    k->arena = round_line(p->arena_bytes);
    if (!(k->staged = bz_mem_alloc((p->noutputs + 1) * sizeof *k->staged))) return false;
    for (uint32_t i = 0; i < p->noutputs; i++) {
        const pass_buffer *b = &p->buffers.p[p->output[i]];
        int donated = p->graph->outputs.p[i].donated;
        bool computed = b->place == PASS_OUTPUT && b->number == i;
        bool in_place = b->place == PASS_INPUT && (int)b->number == donated;
        bool other_input = b->place == PASS_INPUT && !in_place;
        bool waits = k->v->finds || (donated >= 0 && (computed || other_input));
        k->staged[i] = waits ? k->arena : -1;
        k->arena += k->staged[i] >= 0 ? round_line(buffer_bytes(b)) : 0;
    }
    return true;
}

/* Is output i an input as it was at the call? Then a kernel may write over it during the run. */
static bool is_unchanged(const maker *k, uint32_t i) {
    const ir_graph *g = k->plan->graph;
    ir_ref r = g->outputs.p[i].node;
    while (ir_at(g, r)->op == IR_RESHAPE) r = ir_operand(g, r, 0);
    return ir_at(g, r)->op == IR_INPUT;
}

static bool same_place(const bz_rt_place *a, const bz_rt_place *b) {
    return a->where == b->where && a->field == b->field && a->at == b->at;
}

static bool add_copies_of(maker *k, uint32_t i) {
    const pass_buffer *b = &k->plan->buffers.p[k->plan->output[i]];
    int donated = k->plan->graph->outputs.p[i].donated;
    bz_rt_place from = of_buffer(k, k->plan->output[i]);
    bz_rt_place to = of_field(donated >= 0 ? &k->f->input[donated] : &k->f->output[i]);
    if (k->v->finds) to = of_arena(k->staged[i]);
    bz_rt_copy c = {to, from, (uint64_t)buffer_bytes(b)};
    if (c.bytes == 0 || same_place(&to, &from)) return true;
    if (k->staged[i] >= 0 && b->place == PASS_INPUT && !k->v->finds) {
        c.to = of_arena(k->staged[i]);
        if (!(is_unchanged(k, i) ? bz_vec_push(&k->copies, c) : bz_vec_push(&k->after, c)))
            return false;
        c = (bz_rt_copy){to, c.to, c.bytes};
    }
    if (donated >= 0) return bz_vec_push(&k->late, c);
    return is_unchanged(k, i) ? bz_vec_push(&k->copies, c) : bz_vec_push(&k->after, c);
}

/* First what reads inputs as they were, then results, then what is written over inputs. */
static bool add_copies(maker *k) {
    bool ok = true;
    for (uint32_t i = 0; ok && i < k->plan->noutputs; i++) ok = add_copies_of(k, i);
    k->early = k->copies.n;
    for (uint32_t i = 0; ok && i < k->after.n; i++) ok = bz_vec_push(&k->copies, k->after.p[i]);
    for (uint32_t i = 0; ok && i < k->late.n; i++) ok = bz_vec_push(&k->copies, k->late.p[i]);
    return ok;
}

/* ---- phases */

static int64_t estimate_ns(const pass_launch *l) {
    return (l->bytes_read + l->bytes_written) / 25 + l->flops / 60 + l->specials;
}

/* Where the pointers of a launch's first segment begin in the table; the others follow. */
static bool add_pointers(maker *k, const pass_segment *s) {
    const lp_kernel *code = kernel_of(k, s);
    bool ok = true;
    for (uint32_t i = 0; ok && i < code->buffers.n; i++) {
        bz_rt_place place = of_buffer(k, s->buffers[i]);
        place.at += pass_bytes_before(k->plan, s, i);
        ok = bz_vec_push(&k->places, place);
    }
    for (uint32_t i = 0; ok && i < code->scalars.n; i++)
        ok = bz_vec_push(&k->places, of_field(&k->f->input[s->scalars[i]]));
    return ok;
}

/* The tasks of a phase never depend on scalars, though their values are looked at on the way. */
static int64_t count_tasks(const lp_kernel *k, unsigned ph, const int64_t *extents) {
    ir_bits *zeros = bz_mem_zero(k->scalars.n + 1, sizeof *zeros);
    int64_t n = zeros ? lp_phase_tasks(k, ph, extents, zeros) : -1;
    bz_mem_free(zeros);
    return n;
}

/* Puts the segments of phase `ph` of a launch; gives the phase. */
static bz_rt_phase put_segments(maker *k, const pass_launch *l, unsigned ph, uint32_t pointers,
                                size_t *at) {
    bz_rt_phase q = {0};
    *at = ex_put(k->m, NULL, 0);
    for (uint32_t i = 0; i < l->nsegments; i++) {
        const pass_segment *s = &l->segments[i];
        const lp_kernel *code = kernel_of(k, s);
        bz_rt_segment r = {.buffers = pointers, .scalars = pointers + code->buffers.n};
        pointers += code->buffers.n + code->scalars.n;
        if (ph >= lp_phase_count(code)) continue;
        r.tasks = count_tasks(code, ph, s->extents);
        k->m->failed |= r.tasks < 0;
        q.tasks += r.tasks;
        q.nsegments++;
        size_t where = ex_put(k->m, &r, sizeof r);
        bz_text symbol = {0};
        bz_textf(&symbol, "%s%s.%u%s", k->prefix, code->name, ph, k->v->suffix);
        k->m->failed |= symbol.failed;
        ex_link(k->m, where + offsetof(bz_rt_segment, code), bz_text_c(&symbol), 0);
        bz_text_free(&symbol);
    }
    return q;
}

/* The extents lie behind the segments, which must follow each other. */
static void put_extents(maker *k, const pass_launch *l, unsigned ph, size_t segments) {
    for (uint32_t i = 0; i < l->nsegments; i++) {
        const pass_segment *s = &l->segments[i];
        const lp_kernel *code = kernel_of(k, s);
        if (ph >= lp_phase_count(code)) continue;
        size_t at = ex_put(k->m, s->extents, code->extents.n * sizeof *s->extents);
        ex_link(k->m, segments + offsetof(bz_rt_segment, extents), NULL, at);
        segments += sizeof(bz_rt_segment);
    }
}

static bool add_launch(maker *k, const pass_launch *l) {
    uint32_t pointers = k->places.n;
    unsigned nphases = 0;
    for (uint32_t i = 0; i < l->nsegments; i++) {
        unsigned n = lp_phase_count(kernel_of(k, &l->segments[i]));
        nphases = n > nphases ? n : nphases;
        if (!add_pointers(k, &l->segments[i])) return false;
    }
    int64_t most = 0;
    uint32_t first = k->phases.n;
    for (unsigned ph = 0; ph < nphases; ph++) {
        size_t at;
        bz_rt_phase q = put_segments(k, l, ph, pointers, &at);
        put_extents(k, l, ph, at);
        if (!bz_vec_push(&k->phases, q) || !bz_vec_push(&k->segments, at)) return false;
        most = q.tasks > most ? q.tasks : most;
    }
    for (uint32_t i = first; i < k->phases.n; i++)
        k->phases.p[i].parallel = most > 1 && estimate_ns(l) > SERIAL_NS;
    return true;
}

/* ---- sites: what an error slot's element means */

/* The extent that an instruction reports as the element of an error; -1: it reports nothing. */
static int64_t reported(const lp_kernel *k, lp_val v) {
    const lp_inst *i = &k->inst.p[v];
    if (i->op != LP_ERROR) return -1;
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
static void link_text(maker *k, size_t site, size_t field, const char *text, size_t n) {
    ex_link(k->m, site + field, NULL, ex_put_text(k->m, "%.*s", (int)n, text));
}

static void put_words(maker *k, size_t site, ir_ref node, const rt_index *a) {
    static const char mark[] = "index \1", none[] = "an index";
    bz_text plain = {0}, split = {0};
    rt_index_text(&plain, k->plan->graph, node, a, none);
    rt_index_text(&split, k->plan->graph, node, a, mark);
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

/* The finder as a variant; byte of its arena where the indices lie. */
static uint64_t put_finder(maker *k, size_t site, const ex_finder *f) {
    size_t at = ex_put_room(k->m, sizeof(bz_rt_variant));
    bz_rt_variant v = ex_put_variant(k->m, &f->code, k->f, k->prefix, k->baked, at);
    if (!k->m->failed) memcpy(k->m->bytes.p + at, &v, sizeof v);
    ex_link(k->m, site + offsetof(bz_rt_site, find), NULL, at);
    return (uint64_t)round_line(f->code.plan->arena_bytes);
}

static void put_site(maker *k, size_t at, ir_ref node) {
    rt_index a;
    bool known = rt_index_of(k->plan->graph, node, &a);
    const ex_finder *f = ex_finder_of(k->v, node);
    bz_rt_site site = {.element = node};
    put_words(k, at, node, known ? &a : NULL);
    if (f) site.at = put_finder(k, at, f), site.count = a.count, site.size = a.size;
    if (!k->m->failed) memcpy(k->m->bytes.p + at, &site, sizeof site);
}

static uint32_t put_sites(maker *k, size_t *at) {
    ex_nodes nodes = {0};
    k->m->failed |= !k->v->finds && !ex_index_nodes(k->plan, &nodes);
    uint32_t n = nodes.n;
    *at = ex_put_room(k->m, n * sizeof(bz_rt_site));
    for (uint32_t i = 0; i < n; i++) put_site(k, *at + i * sizeof(bz_rt_site), nodes.p[i]);
    bz_vec_free(&nodes);
    return n;
}

/* ---- the variant */

static size_t put_phases(maker *k) {
    size_t at = ex_put(k->m, k->phases.p, k->phases.n * sizeof *k->phases.p);
    for (uint32_t i = 0; i < k->phases.n; i++)
        ex_link(k->m, at + i * sizeof *k->phases.p + offsetof(bz_rt_phase, segments), NULL,
                k->segments.p[i]);
    return at;
}

static int64_t most_scratch(const pass_plan *p) {
    int64_t most = 0;
    for (uint32_t i = 0; i < p->code->k.n; i++) {
        int64_t own = lp_scratch_bytes(p->code->k.p[i], p->code);
        most = own > most ? own : most;
    }
    return round_line(most);
}

static bz_rt_variant put_parts(maker *k) {
    size_t at[4];
    bz_rt_variant out = {
        .isa = (uint32_t)k->v->isa,
        .nphases = k->phases.n,
        .nplaces = k->places.n,
        .nearly = k->early,
        .ncopies = k->copies.n,
        .arena_bytes = (uint64_t)k->arena,
        .scratch_bytes = (uint64_t)most_scratch(k->plan),
    };
    for (uint32_t i = 0; i < k->phases.n; i++) out.parallel |= k->phases.p[i].parallel;
    at[0] = put_phases(k);
    at[1] = ex_put(k->m, k->places.p, k->places.n * sizeof *k->places.p);
    at[2] = ex_put(k->m, k->copies.p, k->copies.n * sizeof *k->copies.p);
    out.nsites = put_sites(k, &at[3]);
    ex_link(k->m, k->base + offsetof(bz_rt_variant, phases), NULL, at[0]);
    ex_link(k->m, k->base + offsetof(bz_rt_variant, places), NULL, at[1]);
    ex_link(k->m, k->base + offsetof(bz_rt_variant, copies), NULL, at[2]);
    ex_link(k->m, k->base + offsetof(bz_rt_variant, sites), NULL, at[3]);
    ex_link(k->m, k->base + offsetof(bz_rt_variant, consts), k->v->consts_name, 0);
    ex_link(k->m, k->base + offsetof(bz_rt_variant, baked), NULL, k->baked);
    return out;
}

bz_rt_variant ex_put_variant(ex_image *m, const ex_variant *v, const ex_fields *f,
                             const char *prefix, size_t baked, size_t base) {
    maker k = {
        .m = m, .v = v, .plan = v->plan, .f = f, .prefix = prefix, .baked = baked, .base = base};
    bool ok = stage_outputs(&k);
    for (uint32_t i = 0; ok && i < v->plan->launches.n; i++)
        ok = add_launch(&k, &v->plan->launches.p[i]);
    ok = ok && add_copies(&k);
    m->failed |= !ok;
    bz_rt_variant out = {0};
    if (ok) out = put_parts(&k);
    bz_vec_free(&k.places);
    bz_vec_free(&k.phases);
    bz_vec_free(&k.segments);
    bz_vec_free(&k.copies);
    bz_vec_free(&k.after);
    bz_vec_free(&k.late);
    bz_mem_free(k.staged);
    return out;
}
