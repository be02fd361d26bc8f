/* program.c - plans made ready to run on the CPU, and the run.
 *
 *     plan --> per launch its phases --> per phase its segments {code, frames, tasks}
 *
 * All memory is there before the first run: arena, scratch and frames of every thread. A call only writes the pointers of inputs and
 * outputs into the frames' tables. A launch runs on all threads when it is worth waking them; its tasks are cut into ranges, and a range
 * that crosses the border of a segment goes on in the next one. */
#include "runtime/rt.h"

#include <stdio.h>
#include <string.h>

enum { SERIAL_NS = 3000 }; /* below this a launch runs on the calling thread */

typedef struct segment {
    rt_phase *f;
    const lp_frame *frames; /* of each thread */
    int64_t tasks;
} segment;

typedef struct phase {
    segment *segments;
    uint32_t nsegments;
    int64_t tasks; /* of all segments */
} phase;

typedef struct launch {
    phase *phases;
    uint32_t nphases;
    bool parallel;
    uint64_t runs, ns;
} launch;

/* Where the pointer of an input or output goes before a run. */
typedef struct patch {
    void **slot;
    uint32_t number;
    bool output;
} patch;

typedef struct cpu_program {
    rt_program base;
    pass_plan *plan;
    launch *launches;
    bool parallel; /* some launch is */
    int threads;
    BZ_VEC(patch) patches;
    ir_bits *scalars; /* per graph input, where the frames point */
    int64_t (*errors)[2];
    void *arena, *scratch, *consts;
    size_t arena_bytes, scratch_bytes, consts_bytes;
    bool arena_mapped, scratch_mapped, consts_mapped;
    bz_arena memory;
} cpu_program;

/* ---- making */

static int64_t estimate_ns(const pass_launch *l)
{
    return (l->bytes_read + l->bytes_written) / 25 + l->flops / 60 + l->specials;
}

static size_t round64(int64_t n)
{
    return ((size_t)n + 63) / 64 * 64;
}

static bool make_memory(bz_context *c, cpu_program *p)
{
    size_t consts = 0, scratch = 0;
    for (uint32_t i = 0; i < p->plan->buffers.n; i++) {
        const pass_buffer *b = &p->plan->buffers.p[i];
        consts += b->place == PASS_CONST ? round64(b->count * (int64_t)ir_dtype_bytes(b->dtype)) : 0;
    }
    for (uint32_t i = 0; i < p->plan->code->k.n; i++) {
        size_t own = round64(lp_scratch_bytes(p->plan->code->k.p[i], p->plan->code));
        scratch = own > scratch ? own : scratch;
    }
    p->arena_bytes = round64(p->plan->arena_bytes) + 64;
    p->scratch_bytes = scratch + 64;
    p->consts_bytes = consts + 64;
    p->arena = rt_pages_new(p->arena_bytes, &p->arena_mapped);
    p->scratch = rt_pages_new(p->scratch_bytes * (size_t)p->threads, &p->scratch_mapped);
    p->consts = rt_pages_new(p->consts_bytes, &p->consts_mapped);
    if (!p->arena || !p->scratch || !p->consts)
        return false;
    rt_pool_count(&c->pool, (int64_t)(p->arena_bytes + p->consts_bytes + p->scratch_bytes * (size_t)p->threads));
    return true;
}

/* Pointers that never change; inputs and outputs are NULL until a run. */
static bool place_buffers(cpu_program *p, void **at)
{
    char *next = p->consts;
    for (uint32_t i = 0; i < p->plan->buffers.n; i++) {
        const pass_buffer *b = &p->plan->buffers.p[i];
        size_t size = ir_dtype_bytes(b->dtype);
        at[i] = b->place == PASS_ARENA ? (char *)p->arena + b->offset : NULL;
        if (b->place != PASS_CONST)
            continue;
        at[i] = next;
        const ir_node *n = ir_at(p->plan->graph, b->number);
        for (int64_t k = 0; k < b->count; k++)
            ir_store_bits(b->dtype, next + (size_t)k * size, (ir_bits)ir_attrs(p->plan->graph, n)[k]);
        next += round64(b->count * (int64_t)size);
    }
    return true;
}

static const lp_frame *make_frames(cpu_program *p, const pass_segment *s, void *const *at)
{
    const lp_kernel *k = p->plan->code->k.p[s->kernel];
    void **table = bz_arena_alloc(&p->memory, (k->buffers.n + 1) * sizeof *table);
    const void **scalars = bz_arena_alloc(&p->memory, (k->scalars.n + 1) * sizeof *scalars);
    lp_frame *frames = bz_arena_alloc(&p->memory, (size_t)p->threads * sizeof *frames);
    if (!table || !scalars || !frames)
        return NULL;
    for (uint32_t i = 0; i < k->buffers.n; i++) {
        const pass_buffer *b = &p->plan->buffers.p[s->buffers[i]];
        table[i] = at[s->buffers[i]];
        if ((b->place == PASS_INPUT || b->place == PASS_OUTPUT) &&
            !bz_vec_push(&p->patches, ((patch){&table[i], b->number, b->place == PASS_OUTPUT})))
            return NULL;
    }
    for (uint32_t i = 0; i < k->scalars.n; i++)
        scalars[i] = &p->scalars[s->scalars[i]];
    for (int t = 0; t < p->threads; t++)
        frames[t] = (lp_frame){table, s->extents, scalars, (char *)p->scratch + (size_t)t * p->scratch_bytes, p->errors[t], t};
    return frames;
}

static bool make_launch(cpu_program *p, const pass_launch *l, const rt_kernel *const *code, void *const *at, launch *out)
{
    const lp_frame **frames = bz_arena_alloc(&p->memory, (l->nsegments + 1) * sizeof *frames);
    for (uint32_t s = 0; frames && s < l->nsegments; s++) {
        unsigned n = code[l->segments[s].kernel]->nphases;
        out->nphases = n > out->nphases ? n : out->nphases;
        if (!(frames[s] = make_frames(p, &l->segments[s], at)))
            return false;
    }
    out->phases = bz_arena_alloc(&p->memory, (out->nphases + 1) * sizeof *out->phases);
    if (!frames || !out->phases)
        return false;
    int64_t most = 0;
    for (unsigned ph = 0; ph < out->nphases; ph++) {
        phase *q = &out->phases[ph];
        *q = (phase){.segments = bz_arena_alloc(&p->memory, l->nsegments * sizeof *q->segments)};
        if (!q->segments)
            return false;
        for (uint32_t s = 0; s < l->nsegments; s++) {
            const pass_segment *seg = &l->segments[s];
            if (ph >= code[seg->kernel]->nphases)
                continue;
            int64_t tasks = lp_phase_tasks(p->plan->code->k.p[seg->kernel], ph, seg->extents, NULL);
            q->segments[q->nsegments++] = (segment){code[seg->kernel]->phases[ph], frames[s], tasks};
            q->tasks += tasks;
        }
        most = q->tasks > most ? q->tasks : most;
    }
    out->parallel = p->threads > 1 && most > 1 && estimate_ns(l) > SERIAL_NS;
    p->parallel |= out->parallel;
    return true;
}

static bz_status prepare(bz_context *c, cpu_program *p, bz_error *e)
{
    uint32_t n = p->plan->code->k.n;
    const rt_kernel **code = bz_arena_alloc(&p->memory, (n + 1) * sizeof *code);
    void **at = bz_arena_alloc(&p->memory, (p->plan->buffers.n + 1) * sizeof *at);
    p->scalars = bz_arena_alloc(&p->memory, (p->plan->graph->inputs.n + 1) * sizeof *p->scalars);
    p->errors = bz_arena_alloc(&p->memory, (size_t)p->threads * sizeof *p->errors);
    p->launches = bz_arena_alloc(&p->memory, (p->plan->launches.n + 1) * sizeof *p->launches);
    if (!code || !at || !p->scalars || !p->errors || !p->launches || !make_memory(c, p) || !place_buffers(p, at))
        return bz_fail(e, BZ_ENOMEM, "out of memory while making a program ready");
    unsigned built = 0, shared = 0;
    if (n && rt_kernels_get(p->plan->code, c->isa, code, &built, &shared, e))
        return e->status;
    c->counters.kernels_built += built;
    c->counters.kernels_shared += shared;
    for (uint32_t i = 0; i < p->plan->launches.n; i++) {
        p->launches[i] = (launch){0};
        if (!make_launch(p, &p->plan->launches.p[i], code, at, &p->launches[i]))
            return bz_fail(e, BZ_ENOMEM, "out of memory while making a program ready");
    }
    return BZ_OK;
}

static void cpu_free(bz_context *c, rt_program *base)
{
    cpu_program *p = (cpu_program *)base;
    if (p->arena && p->scratch && p->consts)
        rt_pool_count(&c->pool, -(int64_t)(p->arena_bytes + p->consts_bytes + p->scratch_bytes * (size_t)p->threads));
    if (p->arena)
        rt_pages_free(p->arena, p->arena_bytes, p->arena_mapped);
    if (p->scratch)
        rt_pages_free(p->scratch, p->scratch_bytes * (size_t)p->threads, p->scratch_mapped);
    if (p->consts)
        rt_pages_free(p->consts, p->consts_bytes, p->consts_mapped);
    bz_vec_free(&p->patches);
    pass_plan_free(p->plan);
    bz_arena_free(&p->memory);
}

static rt_program *cpu_compile(bz_context *c, const ir_graph *g, bool eager, bz_error *e)
{
    cpu_program *p = bz_mem_zero(1, sizeof *p);
    if (!p || !rt_program_init(c, &p->base, c->device, g, e)) {
        bz_mem_free(p);
        bz_fail(e, BZ_ENOMEM, "out of memory while compiling");
        return NULL;
    }
    pass_target t = c->target;
    t.eager = eager;
    p->threads = c->threads;
    p->plan = pass_compile(g, &t, e);
    if (p->plan && !prepare(c, p, e))
        return &p->base;
    rt_program_free(c, &p->base);
    return NULL;
}

/* ---- running */

/* Tasks [begin, end) of a phase: of its segments one after the other. */
static void run_range(void *ctx, int64_t begin, int64_t end, int thread)
{
    const phase *q = ctx;
    int64_t base = 0;
    for (const segment *s = q->segments; s < q->segments + q->nsegments && base < end; base += s++->tasks) {
        int64_t lo = begin > base ? begin - base : 0, hi = end - base < s->tasks ? end - base : s->tasks;
        if (lo < hi)
            s->f(&s->frames[thread], lo, hi);
    }
}

static void run_launch(const launch *l, bz_rt_run *run)
{
    for (phase *q = l->phases; q < l->phases + l->nphases; q++) {
        if (l->parallel)
            bz_rt_for(run, run_range, q, q->tasks);
        else
            run_range(q, 0, q->tasks, 0);
    }
}

static void run_all(cpu_program *p, bool timed)
{
    bz_rt_run run;
    bz_rt_begin(&run, p->parallel ? p->threads : 1);
    for (launch *l = p->launches; l < p->launches + p->plan->launches.n; l++) {
        uint64_t start = timed ? rt_now() : 0;
        run_launch(l, &run);
        l->runs += timed;
        l->ns += timed ? rt_now() - start : 0;
    }
    bz_rt_end(&run);
}

/* Where the plan puts output i. */
static const pass_buffer *place_of(const cpu_program *p, uint32_t i)
{
    return &p->plan->buffers.p[p->plan->output[i]];
}

/* Does output i need its bytes copied after the run, and from where? An unchanged input, the same value as an earlier output, or a
 * donated output that could not be computed in place. */
static const void *copy_source(const cpu_program *p, const rt_call *call, uint32_t i, rt_buffer *const *computed)
{
    const pass_buffer *b = place_of(p, i);
    const rt_buffer *from = b->place == PASS_INPUT ? call->in[b->number] : computed[b->number];
    return from == call->out[i] ? NULL : from->p;
}

static bz_status report_bad_index(const cpu_program *p, bz_error *e)
{
    int64_t worst = INT64_MAX;
    for (int t = 0; t < p->threads; t++)
        worst = p->errors[t][0] < worst ? p->errors[t][0] : worst;
    if (worst == INT64_MAX)
        return BZ_OK;
    const ir_graph *g = p->plan->graph;
    bool known = worst > 0 && worst < (int64_t)g->n.n;
    const char *site = known ? g->sites.p[worst] : NULL;
    return bz_fail(e, BZ_EINDEX, "[%s] an index is out of range%s%s", known ? ir_ops[ir_at(g, (ir_ref)worst)->op].name : "kernel", site ? " at " : "",
                   site ? site : "");
}

/* Buffers that the kernels write: the caller's, unless a donated one must not be overwritten before all have read it. */
static bool computed_outputs(bz_context *c, cpu_program *p, const rt_call *call, rt_buffer **computed)
{
    for (uint32_t i = 0; i < p->base.noutputs; i++) {
        const pass_buffer *b = place_of(p, i);
        bool apart = b->place == PASS_OUTPUT && b->number == i && p->plan->graph->outputs.p[i].donated >= 0;
        computed[i] = apart ? rt_buffer_new(c, (size_t)b->count * ir_dtype_bytes(b->dtype)) : rt_buffer_ref(call->out[i]);
        if (!computed[i])
            return false;
    }
    return true;
}

static bz_status run_with(bz_context *c, cpu_program *p, const rt_call *call, rt_buffer **computed, bz_error *e)
{
    for (const patch *q = p->patches.p; q < p->patches.p + p->patches.n; q++)
        *q->slot = (q->output ? computed[q->number] : call->in[q->number])->p;
    for (uint32_t i = 0; i < p->base.ninputs; i++)
        p->scalars[i] = call->bits ? call->bits[i] : 0;
    for (int t = 0; t < p->threads; t++)
        p->errors[t][0] = INT64_MAX;
    run_all(p, c->profile);
    for (uint32_t i = 0; i < p->base.noutputs; i++) {
        const pass_buffer *b = place_of(p, i);
        const void *from = copy_source(p, call, i, computed);
        if (from)
            memcpy(call->out[i]->p, from, (size_t)b->count * ir_dtype_bytes(b->dtype));
    }
    c->counters.launches += p->plan->launches.n;
    return report_bad_index(p, e);
}

static bz_status cpu_run(bz_context *c, rt_program *base, const rt_call *call, bz_error *e)
{
    cpu_program *p = (cpu_program *)base;
    rt_buffer *few[16] = {0}, **computed = few;
    bz_status s = rt_outputs_new(c, base, call) ? BZ_OK : BZ_ENOMEM;
    if (!s && base->noutputs > BZ_LEN(few) && !(computed = bz_mem_zero(base->noutputs, sizeof *computed)))
        s = BZ_ENOMEM;
    if (!s)
        s = computed_outputs(c, p, call, computed) ? run_with(c, p, call, computed, e) : BZ_ENOMEM;
    for (uint32_t i = 0; computed && i < base->noutputs; i++)
        rt_buffer_unref(c, computed[i]);
    if (computed != few)
        bz_mem_free(computed);
    return s == BZ_ENOMEM ? bz_fail(e, s, "out of memory for the results") : s;
}

const rt_device rt_cpu = {.name = "cpu", .compile = cpu_compile, .run = cpu_run, .free = cpu_free};

/* ---- null: everything but the run */

static bz_status null_run(bz_context *c, rt_program *p, const rt_call *call, bz_error *e)
{
    if (!rt_outputs_new(c, p, call))
        return bz_fail(e, BZ_ENOMEM, "out of memory for the results");
    for (uint32_t i = 0; i < p->noutputs; i++)
        memset(call->out[i]->p, 0, call->out[i]->bytes);
    return BZ_OK;
}

const rt_device rt_null = {.name = "null", .compile = cpu_compile, .run = null_run, .free = cpu_free};

/* ---- for reports */

const pass_plan *rt_program_plan(const rt_program *p)
{
    return p->device == &rt_ref ? NULL : ((const cpu_program *)p)->plan;
}

rt_launch_report rt_program_report(const rt_program *p, uint32_t i)
{
    const cpu_program *q = (const cpu_program *)p;
    const launch *l = &q->launches[i];
    return (rt_launch_report){&q->plan->launches.p[i], l->parallel, l->runs, l->ns};
}
