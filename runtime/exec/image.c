/* image.c - a plan as a program image: launches become phases over a table of pointers.
 *
 *     pass_plan:  launches -> segments {kernel, buffers, extents, scalars}        buffers {input, output, arena, const}
 *                     |            |                                                 |
 *     image:      phases      segments {tasks, first pointer} --> table of places <--'      copies: outputs that lie elsewhere */
#include "runtime/exec/image.h"

#include <string.h>

enum {
    LINE = 64,
    /* scratch of two threads is so far apart: what is fetched ahead is a thread's own */
    PAGE = 4096,
};

_Static_assert(sizeof(bz_rt_frame) == sizeof(lp_frame), "one frame");
_Static_assert(offsetof(bz_rt_frame, extents) == offsetof(lp_frame, extents), "one frame");
_Static_assert(offsetof(bz_rt_frame, scalars) == offsetof(lp_frame, scalars), "one frame");
_Static_assert(offsetof(bz_rt_frame, scratch) == offsetof(lp_frame, scratch), "one frame");
_Static_assert(offsetof(bz_rt_frame, error) == offsetof(lp_frame, error), "one frame");
_Static_assert(offsetof(bz_rt_frame, thread) == offsetof(lp_frame, thread), "one frame");
_Static_assert(LP_ABI == 1, "bz_rt_frame is version 1");

/* What is known while one image is made. */
typedef struct maker {
    rt_image *m;
    const pass_plan *plan;
    const rt_ends *ends;
    ir_bits *zeros;  /* scalars of any kernel */
    int64_t kept_at; /* byte of the arena where what is kept begins */
    BZ_VEC(bz_rt_copy)
    after, late; /* copies after the run: results, then what is written over inputs */
} maker;

static int64_t buffer_bytes(const pass_buffer *b) {
    return b->count * (int64_t)ir_dtype_bytes(b->dtype);
}

static const lp_kernel *kernel_of(const maker *k, const pass_segment *s) {
    return k->plan->code->k.p[s->kernel];
}

pass_target rt_target(cg_isa isa, int threads) {
    return (pass_target){.vector_bytes = cg_vector_bytes(isa),
                         .machine = &pass_cpu,
                         .cached = PASS_CACHED,
                         .registers = isa == CG_V4 ? 32 : 16,
                         .masks = isa != CG_BASE,
                         .threads = (unsigned)threads};
}

int64_t rt_scratch_bytes(const pass_plan *p) {
    int64_t most = 0;
    for (uint32_t i = 0; i < p->code->k.n; i++) {
        const lp_kernel *k = p->code->k.p[i]; /* a function's is part of its callers' */
        int64_t own = k->function ? 0 : lp_scratch_bytes(k, p->code);
        most = own > most ? own : most;
    }
    return bz_round_up(most, PAGE);
}

/* ---- constants */

/* Byte of constant buffer `which` among the constants; which = all buffers: their size. */
static int64_t const_offset(const pass_plan *p, uint32_t which) {
    int64_t at = 0;
    for (uint32_t i = 0; i < which; i++)
        if (p->buffers.p[i].place == PASS_CONST)
            at += bz_round_up(buffer_bytes(&p->buffers.p[i]), LINE);
    return at;
}

size_t rt_consts_bytes(const pass_plan *p) {
    return (size_t)const_offset(p, p->buffers.n);
}

void rt_consts_write(const pass_plan *p, void *to) {
    for (uint32_t i = 0; i < p->buffers.n; i++) {
        const pass_buffer *b = &p->buffers.p[i];
        if (b->place != PASS_CONST) continue;
        const ir_node *n = ir_at(p->graph, b->number);
        const int64_t *bits = ir_attrs(p->graph, n);
        char *at = (char *)to + const_offset(p, i);
        for (int64_t k = 0; k < b->count; k++, at += ir_dtype_bytes(b->dtype))
            ir_store_bits(b->dtype, at, (ir_bits)bits[n->nattr == 1 ? 0 : k]);
    }
}

/* ---- places */

static bool same_place(const bz_rt_place *a, const bz_rt_place *b) {
    return a->where == b->where && a->field == b->field && a->at == b->at;
}

static bz_rt_place of_arena(int64_t at) {
    return (bz_rt_place){BZ_RT_ARENA, 0, (uint64_t)at};
}

static bz_rt_place of_buffer(const maker *k, uint32_t which) {
    const pass_buffer *b = &k->plan->buffers.p[which];
    switch (b->place) {
    case PASS_INPUT: return k->ends->input[b->number];
    case PASS_OUTPUT:
        return k->m->staged[b->number] >= 0 ? of_arena(k->m->staged[b->number])
                                            : k->ends->output[b->number];
    case PASS_ARENA: return of_arena(b->offset);
    case PASS_KEPT: return of_arena(k->kept_at + b->offset);
    case PASS_CONST: break;
    }
    return (bz_rt_place){BZ_RT_CONSTS, 0, (uint64_t)const_offset(k->plan, which)};
}

/* Is output i to be written over the input that is donated to it? */
static bool is_over_input(const maker *k, uint32_t i) {
    int donated = k->plan->graph->outputs.p[i].donated;
    return donated >= 0 && same_place(&k->ends->output[i], &k->ends->input[donated]);
}

/* What is written over an input and not computed there waits in the arena until all have read that. */
static bool stage_outputs(maker *k) {
    const pass_plan *p = k->plan;
    int64_t arena = bz_round_up(p->arena_bytes, LINE);
    if (!(k->m->staged = bz_mem_alloc((p->noutputs + 1) * sizeof *k->m->staged))) return false;
    for (uint32_t i = 0; i < p->noutputs; i++) {
        const pass_buffer *b = &p->buffers.p[p->output[i]];
        bool computed = b->place == PASS_OUTPUT && b->number == i;
        bool elsewhere = b->place == PASS_INPUT && (int)b->number != p->graph->outputs.p[i].donated;
        bool stays = k->ends->output[i].where == BZ_RT_ARENA;
        bool waits = is_over_input(k, i) && (computed || elsewhere);
        k->m->staged[i] = stays || waits ? arena : -1;
        if (stays || waits) arena = bz_plus(arena, bz_round_up(buffer_bytes(b), LINE));
    }
    k->kept_at = arena;
    arena = bz_plus(arena, p->kept_bytes);
    k->m->base.arena_bytes = (uint64_t)arena;
    return arena <= BZ_BYTES_MOST;
}

/* ---- copies */

/* Is output i an input as it was at the call? Then a kernel may write over it during the run. */
static bool is_unchanged(const maker *k, uint32_t i) {
    const ir_graph *g = k->plan->graph;
    ir_ref r = g->outputs.p[i].node;
    while (ir_at(g, r)->op == IR_RESHAPE) r = ir_operand(g, r, 0);
    return ir_at(g, r)->op == IR_INPUT;
}

static bool add_result(maker *k, uint32_t i, bz_rt_place to, bz_rt_place from, uint64_t bytes) {
    bz_rt_copy c = {to, from, bytes};
    return is_unchanged(k, i) ? bz_vec_push(&k->m->copies, c) : bz_vec_push(&k->after, c);
}

static bool add_copies_of(maker *k, uint32_t i) {
    const pass_buffer *b = &k->plan->buffers.p[k->plan->output[i]];
    const int64_t staged = k->m->staged[i];
    bz_rt_place from = of_buffer(k, k->plan->output[i]), to = k->ends->output[i];
    uint64_t bytes = (uint64_t)buffer_bytes(b);
    if (to.where == BZ_RT_ARENA) to = of_arena(staged);
    if (bytes == 0 || same_place(&to, &from)) return true;
    if (!is_over_input(k, i)) return add_result(k, i, to, from, bytes);
    if (staged >= 0 && b->place == PASS_INPUT) {
        if (!add_result(k, i, of_arena(staged), from, bytes)) return false;
        from = of_arena(staged);
    }
    return bz_vec_push(&k->late, ((bz_rt_copy){to, from, bytes}));
}

/* First what reads inputs as they were, then results, then what is written over inputs. */
static bool add_copies(maker *k) {
    rt_image *m = k->m;
    bool ok = true;
    for (uint32_t i = 0; ok && i < k->plan->noutputs; i++) ok = add_copies_of(k, i);
    m->base.nearly = m->copies.n;
    for (uint32_t i = 0; ok && i < k->after.n; i++) ok = bz_vec_push(&m->copies, k->after.p[i]);
    for (uint32_t i = 0; ok && i < k->late.n; i++) ok = bz_vec_push(&m->copies, k->late.p[i]);
    return ok;
}

/* ---- phases */

/* What a launch costs on one thread, roughly. */
static double cost_ns(const pass_launch *l) {
    return (double)(l->bytes_read + l->bytes_written) / 12 + (double)l->flops / 24 +
           (double)l->specials * 0.8;
}

static bool writes_input(const maker *k, const pass_launch *l) {
    bool writes = false;
    for (uint32_t s = 0; s < l->nsegments; s++) {
        const lp_kernel *code = kernel_of(k, &l->segments[s]);
        for (uint32_t i = 0; i < code->buffers.n; i++)
            writes |= code->buffers.p[i].access != LP_IN &&
                      k->plan->buffers.p[l->segments[s].buffers[i]].place == PASS_INPUT;
    }
    return writes;
}

static bool add_pointers(maker *k, const pass_segment *s) {
    const lp_kernel *code = kernel_of(k, s);
    bool ok = true;
    for (uint32_t i = 0; ok && i < code->buffers.n; i++) {
        bz_rt_place place = of_buffer(k, s->buffers[i]);
        place.at += pass_bytes_before(k->plan, s, i);
        ok = bz_vec_push(&k->m->places, place);
    }
    for (uint32_t i = 0; ok && i < code->scalars.n; i++)
        ok = bz_vec_push(&k->m->places, k->ends->input[s->scalars[i]]);
    return ok;
}

static const pass_kept *kept_of(const pass_segment *s, unsigned ph) {
    for (uint32_t i = 0; i < s->nkept; i++)
        if (s->kept[i].phase == ph) return &s->kept[i];
    return NULL;
}

static bool add_kept(maker *k, const pass_kept *of, const bz_rt_phase *q) {
    return bz_vec_push(&k->m->kept,
                       ((rt_kept_phase){.phase = k->m->phases.n, .tasks = q->tasks, .of = of})) &&
           bz_vec_push(&k->m->phases, *q);
}

/* Phase `ph` of segment s, whose pointers begin there in the table, becomes a part of q. */
static bool add_part(maker *k, const pass_segment *s, unsigned ph, uint32_t pointers,
                     bz_rt_phase *q) {
    const lp_kernel *code = kernel_of(k, s);
    bz_rt_segment r = {
        .extents = s->extents, .buffers = pointers, .scalars = pointers + code->buffers.n};
    r.tasks = lp_phase_tasks(code, ph, s->extents, k->zeros); /* it never depends on scalars */
    q->tasks += r.tasks;
    q->nsegments++;
    return r.tasks >= 0 && bz_vec_push(&k->m->segments, r) &&
           bz_vec_push(&k->m->codes, ((rt_code_of){s->kernel, ph}));
}

/* Phase `ph` of a launch whose pointers begin there in the table: of each segment that keeps what it makes by itself, as it may be left
 * out; of all others together. */
static bool add_phase(maker *k, const pass_launch *l, unsigned ph, uint32_t first) {
    bz_rt_phase rest = {0};
    for (int keeps = 1; keeps >= 0; keeps--) {
        uint32_t pointers = first;
        for (uint32_t i = 0; i < l->nsegments; i++) {
            const pass_segment *s = &l->segments[i];
            const lp_kernel *code = kernel_of(k, s);
            const pass_kept *kept = kept_of(s, ph);
            bz_rt_phase own = {0};
            if (ph < lp_phase_count(code) && keeps == (kept != NULL)) {
                if (!add_part(k, s, ph, pointers, kept ? &own : &rest)) return false;
                if (kept && !add_kept(k, kept, &own)) return false;
            }
            pointers += code->buffers.n + code->scalars.n;
        }
    }
    return !rest.nsegments || bz_vec_push(&k->m->phases, rest);
}

static bool add_launch(maker *k, const pass_launch *l) {
    const uint32_t pointers = k->m->places.n, first = k->m->phases.n;
    unsigned nphases = 0;
    int64_t most = 0;
    if (!bz_vec_push(&k->m->first, first)) return false;
    for (uint32_t i = 0; i < l->nsegments; i++) {
        unsigned n = lp_phase_count(kernel_of(k, &l->segments[i]));
        nphases = n > nphases ? n : nphases;
        if (!add_pointers(k, &l->segments[i])) return false;
    }
    for (unsigned ph = 0; ph < nphases; ph++)
        if (!add_phase(k, l, ph, pointers)) return false;
    for (uint32_t i = first; i < k->m->phases.n; i++)
        most = k->m->phases.p[i].tasks > most ? k->m->phases.p[i].tasks : most;
    uint32_t flags = (most > 1 && cost_ns(l) > (double)pass_cpu.wake_ns ? BZ_RT_PARALLEL : 0u) |
                     (writes_input(k, l) ? BZ_RT_CHANGES : 0u);
    for (uint32_t i = first; i < k->m->phases.n; i++) k->m->phases.p[i].flags = flags;
    return true;
}

/* ---- the whole */

static bool make_zeros(maker *k) {
    uint32_t most = 0;
    for (uint32_t i = 0; i < k->plan->code->k.n; i++) {
        uint32_t n = k->plan->code->k.p[i]->scalars.n;
        most = n > most ? n : most;
    }
    return (k->zeros = bz_mem_zero(most + 1, sizeof *k->zeros)) != NULL;
}

static void join_parts(rt_image *m) {
    const bz_rt_segment *next = m->segments.p;
    for (uint32_t i = 0; i < m->phases.n; i++) {
        m->phases.p[i].segments = next;
        next += m->phases.p[i].nsegments;
        m->base.parallel |= (m->phases.p[i].flags & BZ_RT_PARALLEL) != 0;
    }
    m->base.phases = m->phases.p;
    m->base.nphases = m->phases.n;
    m->base.places = m->places.p;
    m->base.nplaces = m->places.n;
    m->base.copies = m->copies.p;
    m->base.ncopies = m->copies.n;
}

bool rt_image_make(rt_image *m, const pass_plan *p, const rt_ends *ends) {
    maker k = {.m = m, .plan = p, .ends = ends};
    *m = (rt_image){.base.scratch_bytes = (uint64_t)rt_scratch_bytes(p)};
    bool ok = make_zeros(&k) && stage_outputs(&k);
    for (uint32_t i = 0; ok && i < p->launches.n; i++) ok = add_launch(&k, &p->launches.p[i]);
    ok = ok && bz_vec_push(&m->first, m->phases.n) && add_copies(&k);
    if (ok) join_parts(m);
    bz_mem_free(k.zeros);
    bz_vec_free(&k.after);
    bz_vec_free(&k.late);
    return ok;
}

void rt_image_free(rt_image *m) {
    bz_vec_free(&m->phases);
    bz_vec_free(&m->segments);
    bz_vec_free(&m->codes);
    bz_vec_free(&m->places);
    bz_vec_free(&m->copies);
    bz_vec_free(&m->first);
    bz_vec_free(&m->kept);
    bz_mem_free(m->staged);
}

bool rt_image_of_words(rt_image *m, const pass_plan *p, const ir_graph *g) {
    const uint32_t nin = g->inputs.n, n = nin + g->outputs.n;
    bz_rt_place *place = bz_mem_zero(n + 1, sizeof *place);
    for (uint32_t i = 0; i < n && place; i++) {
        const bool value = i < nin && g->inputs.p[i].scalar;
        place[i] =
            (bz_rt_place){value ? BZ_RT_VALUE : BZ_RT_ARG, (uint32_t)(i * sizeof(uint64_t)), 0};
    }
    const bool ok = place && rt_image_make(m, p, &(rt_ends){place, place + nin});
    bz_mem_free(place);
    return ok;
}
