/* program.c - a plan made ready to run: code, addresses, arena, constants, scratch.
 *
 *     pass_plan --kernels.c--> phases
 *         |---- buffers --> address[]: arena, constants (fixed) and inputs, outputs (patched at each call)
 *         '---- launches -> segments with their tables of addresses and task counts */
#include "runtime/cpu.h"

#include <stdio.h>
#include <string.h>

/* Below this a launch costs less than waking another thread. */
static const double parallel_ns = 2500;

static void *take(cpu_program *p, size_t count, size_t size) {
    void *m = bz_arena_alloc(&p->memory, count * size + 1);
    if (m) memset(m, 0, count * size);
    return m;
}

/* ---- memory */

static bool new_arena(bz_context *c, cpu_program *p) {
    p->arena_bytes = (size_t)p->plan->arena_bytes;
    if (p->arena_bytes == 0) return true;
    do {
        p->arena = rt_pages_new(p->arena_bytes, &p->arena_mapped);
    } while (!p->arena && rt_plans_give_way(c));
    if (p->arena) rt_pool_count(&c->pool, (int64_t)p->arena_bytes);
    return p->arena != NULL;
}

static size_t room_of(const pass_buffer *b) {
    return ((size_t)b->count * ir_dtype_bytes(b->dtype) + 63) & ~(size_t)63;
}

static int64_t scratch_of(const pass_plan *plan) {
    int64_t most = 0;
    for (uint32_t i = 0; i < plan->code->k.n; i++) {
        const lp_kernel *k = plan->code->k.p[i];
        int64_t bytes = k->function ? 0 : lp_scratch_bytes(k, plan->code);
        most = bytes > most ? bytes : most;
    }
    return bz_round_up(most, 4096);
}

/* All that the plan stores: too much is said before anything is compiled or runs. */
static bz_status check_room(const bz_context *c, const pass_plan *plan, bz_error *e) {
    int64_t bytes = bz_plus(plan->arena_bytes, bz_times(scratch_of(plan), c->threads));
    for (uint32_t i = 0; i < plan->buffers.n; i++) {
        const pass_buffer *b = &plan->buffers.p[i];
        if (b->place == PASS_OUTPUT || b->place == PASS_CONST)
            bytes = bz_plus(bytes, (int64_t)room_of(b));
    }
    return rt_check_room(bytes, RT_RESULTS_TAKE, e);
}

static void write_const(void *dst, const ir_graph *g, const pass_buffer *b) {
    const ir_node *n = ir_at(g, b->number);
    const int64_t *bits = ir_attrs(g, n);
    size_t size = ir_dtype_bytes(b->dtype);
    for (int64_t i = 0; i < b->count; i++)
        ir_store_bits(b->dtype, (char *)dst + (size_t)i * size,
                      (ir_bits)bits[n->nattr == 1 ? 0 : i]);
}

static bool new_consts(cpu_program *p) {
    const pass_plan *plan = p->plan;
    size_t at = 0;
    for (uint32_t i = 0; i < plan->buffers.n; i++)
        p->consts_bytes +=
            plan->buffers.p[i].place == PASS_CONST ? room_of(&plan->buffers.p[i]) : 0;
    if (p->consts_bytes == 0) return true;
    p->consts = rt_pages_new(p->consts_bytes, &p->consts_mapped);
    for (uint32_t i = 0; i < plan->buffers.n && p->consts; i++) {
        const pass_buffer *b = &plan->buffers.p[i];
        if (b->place != PASS_CONST) continue;
        p->address[i] = (char *)p->consts + at;
        write_const(p->address[i], plan->graph, b);
        at += room_of(b);
    }
    return p->consts != NULL;
}

/* Scratch of each thread, a multiple of a page apart. */
static bool new_threads(bz_context *c, cpu_program *p) {
    p->nthreads = p->parallel ? c->threads : 1;
    p->threads = bz_mem_alloc((size_t)p->nthreads * sizeof *p->threads + 64);
    if (!p->threads) return false;
    cpu_thread *aligned = (cpu_thread *)(((uintptr_t)p->threads + 63) & ~(uintptr_t)63);
    p->scratch_each = (size_t)scratch_of(p->plan);
    p->scratch_bytes = p->scratch_each * (size_t)p->nthreads;
    if (p->scratch_bytes) p->scratch = rt_pages_new(p->scratch_bytes, &p->scratch_mapped);
    for (int i = 0; i < p->nthreads; i++)
        aligned[i] = (cpu_thread){
            .error = {INT64_MAX, 0},
            .scratch = p->scratch ? (char *)p->scratch + (size_t)i * p->scratch_each : NULL};
    return p->scratch_bytes == 0 || p->scratch;
}

/* ---- launches */

static bool changes(pass_place place) {
    return place == PASS_INPUT || place == PASS_OUTPUT;
}

static bool ready_segment(cpu_program *p, cpu_segment *s, const pass_segment *plan) {
    const lp_kernel *k = p->plan->code->k.p[plan->kernel];
    *s = (cpu_segment){.plan = plan, .kernel = p->kernels[plan->kernel]};
    s->buffers = take(p, k->buffers.n, sizeof *s->buffers);
    s->scalars = take(p, k->scalars.n, sizeof *s->scalars);
    s->tasks = take(p, s->kernel->nphases, sizeof *s->tasks);
    ir_bits *zeros = take(p, k->scalars.n, sizeof *zeros);
    if (!s->buffers || !s->scalars || !s->tasks || !zeros) return false;
    for (uint32_t i = 0; i < k->buffers.n; i++) {
        uint32_t b = plan->buffers[i];
        size_t before = pass_bytes_before(p->plan, plan, i);
        bool patched = changes(p->plan->buffers.p[b].place);
        if (!patched)
            s->buffers[i] = (char *)p->address[b] + before;
        else if (!bz_vec_push(&p->patches, ((cpu_patch){&s->buffers[i], b, before})))
            return false;
    }
    for (uint32_t i = 0; i < k->scalars.n; i++) s->scalars[i] = &p->numbers[plan->scalars[i]];
    for (unsigned i = 0; i < s->kernel->nphases; i++) {
        s->tasks[i] = lp_phase_tasks(k, i, plan->extents, zeros);
        if (s->tasks[i] < 0) return false;
    }
    return true;
}

/* What a launch costs on one thread, roughly. */
static double cost_ns(const pass_launch *l) {
    return (double)(l->bytes_read + l->bytes_written) / 12 + (double)l->flops / 24 +
           (double)l->specials * 0.8;
}

static bool writes_input(const pass_plan *plan, const pass_segment *s) {
    const lp_kernel *k = plan->code->k.p[s->kernel];
    bool writes = false;
    for (uint32_t i = 0; i < k->buffers.n; i++)
        writes |=
            k->buffers.p[i].access != LP_IN && plan->buffers.p[s->buffers[i]].place == PASS_INPUT;
    return writes;
}

static bool ready_launch(cpu_program *p, cpu_launch *l, const pass_launch *plan, int threads) {
    *l = (cpu_launch){.plan = plan, .nsegments = plan->nsegments};
    l->segments = take(p, plan->nsegments, sizeof *l->segments);
    if (!l->segments) return false;
    for (uint32_t i = 0; i < plan->nsegments; i++) {
        if (!ready_segment(p, &l->segments[i], &plan->segments[i])) return false;
        if (l->segments[i].kernel->nphases > l->nphases)
            l->nphases = l->segments[i].kernel->nphases;
    }
    for (uint32_t i = 0; i < plan->nsegments; i++)
        l->changes_inputs |= writes_input(p->plan, &plan->segments[i]);
    l->total = take(p, l->nphases, sizeof *l->total);
    bool several = false;
    for (unsigned ph = 0; ph < l->nphases && l->total; ph++) {
        for (uint32_t i = 0; i < l->nsegments; i++)
            l->total[ph] += ph < l->segments[i].kernel->nphases ? l->segments[i].tasks[ph] : 0;
        several |= l->total[ph] > 1;
    }
    l->parallel = several && threads > 1 && cost_ns(plan) > parallel_ns;
    p->parallel |= l->parallel;
    return l->total != NULL;
}

/* Which input's memory, and which earlier output's, an output is. */
static bool ready_ends(cpu_program *p) {
    const pass_plan *plan = p->plan;
    p->input_of_output = take(p, p->base.noutputs, sizeof *p->input_of_output);
    p->first_output = take(p, p->base.noutputs, sizeof *p->first_output);
    p->buffer_of_input = take(p, p->base.ninputs, sizeof *p->buffer_of_input);
    if (!p->input_of_output || !p->first_output || !p->buffer_of_input) return false;
    uint32_t *first_in = take(p, plan->buffers.n, sizeof *first_in); /* of each buffer, + 1 */
    if (!first_in) return false;
    for (uint32_t i = 0; i < p->base.ninputs; i++) p->buffer_of_input[i] = UINT32_MAX;
    for (uint32_t b = 0; b < plan->buffers.n; b++)
        if (plan->buffers.p[b].place == PASS_INPUT)
            p->buffer_of_input[plan->buffers.p[b].number] = b;
    for (uint32_t i = 0; i < p->base.noutputs; i++) {
        const pass_buffer *b = &plan->buffers.p[plan->output[i]];
        p->input_of_output[i] = b->place == PASS_INPUT ? (int)b->number : -1;
        uint32_t *first = &first_in[plan->output[i]];
        if (!*first) *first = i + 1;
        p->first_output[i] = *first - 1;
    }
    return true;
}

static bool ready(bz_context *c, cpu_program *p, const ir_graph *g) {
    const pass_plan *plan = p->plan;
    p->address = take(p, plan->buffers.n, sizeof *p->address);
    p->numbers = take(p, g->inputs.n, sizeof *p->numbers);
    p->launches = take(p, plan->launches.n, sizeof *p->launches);
    if (!p->address || !p->numbers || !p->launches || !new_arena(c, p) || !new_consts(p) ||
        !ready_ends(p))
        return false;
    for (uint32_t i = 0; i < plan->buffers.n; i++)
        if (plan->buffers.p[i].place == PASS_ARENA)
            p->address[i] = (char *)p->arena + plan->buffers.p[i].offset;
    for (uint32_t i = 0; i < g->inputs.n; i++)
        if (g->inputs.p[i].scalar && !bz_vec_push(&p->number_inputs, i)) return false;
    for (uint32_t i = 0; i < plan->launches.n; i++)
        if (!ready_launch(p, &p->launches[i], &plan->launches.p[i], c->threads)) return false;
    for (uint32_t i = 0; i < plan->launches.n; i++)
        p->bytes_written += (uint64_t)plan->launches.p[i].bytes_written;
    if (!new_threads(c, p)) return false;
    p->base.held = p->arena_bytes + p->consts_bytes + p->scratch_bytes;
    return true;
}

/* ---- debugging output */

static void show(const cpu_program *p, cg_isa isa) {
    int level = rt_env_get()->debug;
    bz_text t = {0};
    bz_error e = {0};
    if (level >= 2) pass_plan_print(&t, p->plan);
    if (level >= 3) lp_print_module(&t, p->plan->code);
    if (level >= 4) cg_text(p->plan->code, &(cg_target){.isa = isa}, &t, NULL, &e);
    if (level >= 5) cg_text(p->plan->code, &(cg_target){.isa = isa}, NULL, &t, &e);
    fputs(bz_text_c(&t), stderr);
    bz_text_free(&t);
}

/* ---- the device's functions */

static void cpu_free(bz_context *c, rt_program *base) {
    cpu_program *p = (cpu_program *)base;
    if (p->arena) rt_pool_count(&c->pool, -(int64_t)p->arena_bytes);
    rt_pages_free(p->arena, p->arena_bytes, p->arena_mapped);
    rt_pages_free(p->consts, p->consts_bytes, p->consts_mapped);
    rt_pages_free(p->scratch, p->scratch_bytes, p->scratch_mapped);
    bz_mem_free(p->threads);
    if (p->kernels) rt_kernels_release(p->kernels, p->plan->code->k.n);
    bz_mem_free(p->kernels);
    bz_vec_free(&p->patches);
    bz_vec_free(&p->number_inputs);
    bz_arena_free(&p->memory);
    pass_plan_free(p->plan);
    bz_mem_free(p);
}

static bool get_code(bz_context *c, cpu_program *p, const bz_watch *w, bz_error *e) {
    unsigned built, shared;
    p->kernels = bz_mem_zero(p->plan->code->k.n, sizeof *p->kernels);
    if (!p->kernels) return bz_fail(e, BZ_ENOMEM, "out of memory"), false;
    if (rt_kernels_get(p->plan->code, c->isa, p->kernels, &built, &shared, w, e)) return false;
    c->counters.kernels_built += built;
    c->counters.kernels_shared += shared;
    return true;
}

static rt_program *cpu_compile(bz_context *c, const ir_graph *g, bool eager, bz_error *e) {
    uint64_t start = rt_now();
    cpu_program *p = bz_mem_zero(1, sizeof *p);
    if (!p) return bz_fail(e, BZ_ENOMEM, "out of memory"), NULL;
    pass_target target = c->target;
    rt_watch watch = rt_watch_new(c);
    target.eager = eager;
    target.watch = &watch.base;
    bool done = rt_program_init(c, &p->base, &rt_cpu, g, e);
    if (done && (rt_env_get()->check || c->find_nan))
        done = (p->base.graph = rt_graph_copy(g, e)) != NULL;
    p->plan = done ? pass_compile(g, &target, e) : NULL;
    uint64_t passes = rt_now();
    done = p->plan && !check_room(c, p->plan, e) &&
           rt_within_bytes(c, (uint64_t)p->plan->arena_bytes, "temporaries take", e) &&
           get_code(c, p, &watch.base, e);
    if (done && !ready(c, p, g)) done = false, bz_fail(e, BZ_ENOMEM, "out of memory");
    if (rt_env_get()->debug >= 1)
        bz_stderrf("braze: compiled %u nodes: passes %.2f ms, code %.2f ms\n", g->n.n,
                   (double)(passes - start) * 1e-6, (double)(rt_now() - passes) * 1e-6);
    if (done && rt_env_get()->debug >= 2) show(p, c->isa);
    if (done) return &p->base;
    rt_program_free(c, &p->base);
    return NULL;
}

const pass_plan *rt_program_plan(const rt_program *p) {
    return p->device == &rt_ref ? NULL : ((const cpu_program *)p)->plan;
}

rt_launch_report rt_program_report(const rt_program *p, uint32_t launch) {
    const cpu_launch *l = &((const cpu_program *)p)->launches[launch];
    return (rt_launch_report){l->plan, l->parallel, l->runs, l->ns};
}

const rt_device rt_cpu = {"cpu", cpu_compile, cpu_run, cpu_free};
