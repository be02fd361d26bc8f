/* program.c - programs of a GPU: a plan for it, its kernels (code.c), its image (runtime/exec/image.c) with addresses of
 * the device, a launch for each segment of each phase.
 *
 *     plan --code.c--> a function for each phase of each kernel
 *     a run: table[i] = address of places[i]  ->  early copies  ->  launches in order, on the memory's stream  ->  the other copies
 *
 * Nothing waits for the end of a run but programs whose kernels report what they met. */
#include "runtime/cuda/cuda.h"
#include "runtime/base/env.h"
#include "runtime/base/watch.h"
#include "runtime/exec/device.h"
#include "runtime/exec/image.h"
#include "src/codegen/cuda.h"

#include <stdio.h>
#include <string.h>

enum {
    BLOCK = 128,       /* threads of a block whose tasks are threads */
    BLOCKS_MOST = 8,   /* blocks for each processor; the rest of the tasks are taken by these */
    SCRATCH_BLOCKS = 2 /* the same where threads want memory of their own */
};

typedef struct cuda_launch {
    cu_function f;
    cuda_phase of;
    int64_t tasks;
    void **args; /* addresses of what the function is called with, for all runs */
} cuda_launch;

typedef struct cuda_program {
    rt_program base;
    pass_plan *plan;
    rt_image image;
    bz_rt_workspace work; /* table and arena, of the device */
    uint64_t *args;       /* a word for each input and output: an address, or a scalar's value */
    const rt_kernel **kernels; /* of the plan */
    cuda_launch *launches;     /* of each segment of the image */
    rt_address arena, consts, scratch, error;
    uint64_t scratch_bytes, bytes_written;
    bool reports, counted; /* counted: its arena is among the memory in use */
    bool stale;            /* the slot for errors may hold one of an earlier run */
} cuda_program;

static const int64_t no_error[2] = {INT64_MAX, 0}; /* in that slot */

static cuda_memory *memory_of(const bz_context *c) {
    return (cuda_memory *)c->memory;
}

/* ---- the code */

/* BRAZE_DEBUG=4 */
static void show_text(const lp_module *m) {
    bz_text text = {0};
    bz_error e = {0};
    cuda_emit(m, &text, &e);
    fputs(bz_text_c(&text), stderr);
    bz_text_free(&text);
}

static bool get_code(bz_context *c, cuda_program *p, const bz_watch *w, bz_error *e) {
    const cuda_codegen codegen = cuda_codegen_for(memory_of(c));
    if (rt_env_get()->debug >= 4) show_text(p->plan->code);
    return (p->kernels = rt_plan_code(c, p->plan, &codegen.base, w, e)) != NULL;
}

/* What the function of segment i is called with; the table's entries change from run to run, not their places. */
static bool make_args(cuda_program *p, uint32_t i) {
    const bz_rt_segment *s = &p->image.segments.p[i];
    const lp_kernel *k = p->plan->code->k.p[p->image.codes.p[i].kernel];
    cuda_launch *l = &p->launches[i];
    uint32_t n = 0;
    l->tasks = s->tasks;
    l->args = bz_mem_alloc((k->buffers.n + k->extents.n + k->scalars.n + 3) * sizeof *l->args);
    if (!l->args) return false;
    for (uint32_t b = 0; b < k->buffers.n; b++) l->args[n++] = &p->work.table[s->buffers + b];
    for (uint32_t x = 0; x < k->extents.n; x++) l->args[n++] = (void *)(uintptr_t)&s->extents[x];
    for (uint32_t x = 0; x < k->scalars.n; x++) l->args[n++] = p->work.table[s->scalars + x];
    l->args[n++] = &p->scratch;
    l->args[n++] = &p->error;
    l->args[n++] = &l->tasks;
    return true;
}

static bz_status make_launch(cuda_program *p, uint32_t i, bz_error *e) {
    const rt_code_of of = p->image.codes.p[i];
    const lp_kernel *k = p->plan->code->k.p[of.kernel];
    cuda_launch *l = &p->launches[i];
    l->of = cuda_phase_of(k, p->plan->code, of.phase);
    l->f = (cu_function)p->kernels[of.kernel]->phases[of.phase];
    p->reports |= l->of.reports;
    return make_args(p, i) ? BZ_OK : bz_fail(e, BZ_ENOMEM, "out of memory");
}

static bz_status make_launches(cuda_program *p, bz_error *e) {
    bz_status s = BZ_OK;
    p->launches = bz_mem_zero(p->image.codes.n + 1, sizeof *p->launches);
    if (!p->launches) return bz_fail(e, BZ_ENOMEM, "out of memory");
    bz_rt_fill_table(&p->image.base, p->args, &p->work, BZ_RT_VALUE); /* where scalars lie */
    for (uint32_t i = 0; i < p->image.codes.n && !s; i++) s = make_launch(p, i, e);
    return s;
}

/* ---- memory */

static int64_t blocks_of(const cuda_memory *m, const cuda_phase *of, int64_t tasks) {
    const int64_t each = of->threads ? 1 : BLOCK;
    const int64_t most = (int64_t)m->processors * (of->scratch ? SCRATCH_BLOCKS : BLOCKS_MOST);
    const int64_t wanted = (tasks + each - 1) / each;
    if (of->threads && !of->scratch) return wanted < INT32_MAX ? wanted : INT32_MAX;
    return wanted < most ? wanted : most;
}

static unsigned threads_of(const cuda_phase *of) {
    return of->threads ? of->threads : BLOCK;
}

static bz_status get_some(bz_context *c, uint64_t bytes, rt_address *at, bz_error *e) {
    cuda_memory *m = memory_of(c);
    bz_status s;
    if (bytes == 0) return BZ_OK;
    do {
        s = cuda_get(m, (size_t)bytes, at, e);
    } while (s == BZ_ENOMEM && !e->status && rt_give_way(c));
    if (s == BZ_ENOMEM && !e->status)
        bz_fail(e, s, RT_RESULTS_TAKE " %llu bytes more than the device has free",
                (unsigned long long)bytes);
    return s;
}

static bz_status get_memory(bz_context *c, cuda_program *p, bz_error *e) {
    cuda_memory *m = memory_of(c);
    for (uint32_t i = 0; i < p->image.codes.n; i++) {
        const cuda_phase *of = &p->launches[i].of;
        const int64_t blocks = blocks_of(m, of, p->image.segments.p[i].tasks);
        const uint64_t own = (uint64_t)(blocks * threads_of(of) * of->scratch);
        p->scratch_bytes = own > p->scratch_bytes ? own : p->scratch_bytes;
    }
    const size_t bytes = rt_consts_bytes(p->plan);
    void *consts = bz_mem_zero(bytes + 1, 1);
    if (!consts) return bz_fail(e, BZ_ENOMEM, "out of memory");
    rt_consts_write(p->plan, consts);
    bz_status s = get_some(c, p->image.base.arena_bytes, &p->arena, e);
    if (!s) s = get_some(c, p->scratch_bytes, &p->scratch, e);
    /* NVRTC may read a thread's array before a loop that writes it, and not use what it read. */
    if (!s && p->scratch_bytes) s = m->base.f->zero(&m->base, p->scratch, p->scratch_bytes, e);
    if (!s) s = get_some(c, bytes, &p->consts, e);
    if (!s && bytes) s = cuda_copy_in(m, p->consts, consts, bytes, e);
    if (!s && p->reports) s = get_some(c, sizeof no_error, &p->error, e);
    if (!s && p->reports) s = cuda_copy_in(m, p->error, no_error, sizeof no_error, e);
    bz_mem_free(consts);
    p->base.held = p->image.base.arena_bytes + p->scratch_bytes + bytes;
    return s;
}

/* ---- the device's functions */

static void program_free(bz_context *c, rt_program *base) {
    cuda_program *p = (cuda_program *)base;
    cuda_memory *m = memory_of(c);
    if (cuda_enter_to_free(m)) {
        const rt_address own[] = {p->arena, p->consts, p->scratch, p->error};
        for (unsigned i = 0; i < BZ_LEN(own); i++)
            if (own[i]) cuda_give(m, own[i]);
        if (p->kernels) m->d->stream_wait(m->stream);
        cuda_leave(m);
    }
    if (p->kernels) rt_kernels_release(p->kernels, p->plan->code->k.n);
    bz_mem_free(p->kernels);
    pass_plan_free(p->plan);
    bz_mem_free(p->args);
    bz_mem_free(p->work.table);
    for (uint32_t i = 0; p->launches && i < p->image.codes.n; i++) bz_mem_free(p->launches[i].args);
    if (p->counted) rt_pool_count(c->pool, -(int64_t)p->image.base.arena_bytes);
    bz_mem_free(p->launches);
    rt_image_free(&p->image);
    bz_mem_free(p);
}

static bool make_image(cuda_program *p, const ir_graph *g) {
    const bool ok = rt_image_of_words(&p->image, p->plan, g);
    p->args = bz_mem_zero(g->inputs.n + g->outputs.n + 1, sizeof *p->args);
    p->work.table = bz_mem_zero(p->image.base.nplaces + 1, sizeof(void *));
    rt_place_outputs(&p->base, p->plan);
    return ok && p->args && p->work.table;
}

static rt_program *program_new(bz_context *c, const ir_graph *g, unsigned how, bz_error *e) {
    cuda_memory *m = memory_of(c);
    cuda_program *p = bz_mem_zero(1, sizeof *p);
    if (!p) return bz_fail(e, BZ_ENOMEM, "out of memory"), NULL;
    pass_target target = pass_gpu_target;
    rt_watch watch = rt_watch_new(c);
    target.eager = how & RT_EAGER;
    target.any_size = how & RT_ANY_SIZE;
    target.watch = &watch.base;
    bool done = rt_program_init(c, &p->base, &rt_cuda, g, e);
    p->plan = done ? pass_compile(g, &target, e) : NULL;
    done =
        p->plan && !rt_check_plan(c->memory, p->plan, 0, e) &&
        rt_within_bytes(c, &c->pool->bytes, (uint64_t)p->plan->arena_bytes, "temporaries take", e);
    if (done && !make_image(p, g)) done = false, bz_fail(e, BZ_ENOMEM, "out of memory");
    if (done && !cuda_enter(m, e)) {
        done = get_code(c, p, &watch.base, e) && !make_launches(p, e) && !get_memory(c, p, e);
        cuda_leave(m);
    } else {
        done = false;
    }
    if (!done) {
        program_free(c, &p->base);
        return NULL;
    }
    rt_pool_count(c->pool, (int64_t)p->image.base.arena_bytes);
    p->counted = true;
    p->work.arena = rt_pointer(p->arena);
    p->image.base.consts = rt_pointer(p->consts);
    bz_rt_fill_table(&p->image.base, p->args, &p->work, BZ_RT_BAKED);
    for (uint32_t i = 0; i < p->plan->launches.n; i++)
        p->bytes_written += (uint64_t)p->plan->launches.p[i].bytes_written;
    return &p->base;
}

static const pass_plan *program_plan(const rt_program *p) {
    return ((const cuda_program *)p)->plan;
}

/* Launches are not timed: they are under way when they return. */
static bz_rt_time program_time(const rt_program *p, uint32_t launch) {
    (void)p, (void)launch;
    return (bz_rt_time){0};
}

/* ---- a run */

static bz_status launch(cuda_memory *m, cuda_program *p, uint32_t i, bz_error *e) {
    const cuda_launch *l = &p->launches[i];
    if (l->tasks == 0) return BZ_OK;
    const cu_result r = m->d->launch(l->f, (unsigned)blocks_of(m, &l->of, l->tasks), 1, 1,
                                     threads_of(&l->of), 1, 1, 0, m->stream, l->args, NULL);
    return r ? cuda_check(m, r, "cuLaunchKernel",
                          p->plan->code->k.p[p->image.codes.p[i].kernel]->name, e)
             : BZ_OK;
}

static rt_address place_of(const cuda_program *p, const bz_rt_place *at) {
    switch (at->where) {
    case BZ_RT_ARG:
        return *(const uint64_t *)(const void *)((const char *)p->args + at->field) + at->at;
    case BZ_RT_ARENA: return p->arena + at->at;
    default: return p->consts + at->at;
    }
}

static bz_status one_copy(cuda_memory *m, cuda_program *p, const bz_rt_copy *c, bz_error *e) {
    const rt_address to = place_of(p, &c->to);
    if (c->from.where == BZ_RT_VALUE) /* a number of the call */
        return cuda_copy_in(m, to, (const char *)p->args + c->from.field, c->bytes, e);
    const rt_address from = place_of(p, &c->from);
    if (to == from || !c->bytes) return BZ_OK;
    return cuda_check(m, m->d->copy(to, from, c->bytes, m->stream), "cuMemcpyDtoDAsync", NULL, e);
}

static bz_status copies(cuda_memory *m, cuda_program *p, uint32_t first, uint32_t last,
                        bz_error *e) {
    bz_status s = BZ_OK;
    for (uint32_t i = first; i < last && !s; i++) s = one_copy(m, p, &p->image.base.copies[i], e);
    return s;
}

/* What kernels have reported until now. */
static bz_status look_at_errors(cuda_memory *m, cuda_program *p, int64_t reported[2], bz_error *e) {
    bz_status s = cuda_copy_out(m, reported, p->error, sizeof no_error, e);
    p->stale = s || reported[0] != INT64_MAX;
    return s;
}

/* reported: what kernels did, which ends the run. */
static bz_status run(cuda_memory *m, cuda_program *p, int64_t reported[2], bz_error *e) {
    const bz_rt_image *v = &p->image.base;
    bz_status s = p->stale ? cuda_copy_in(m, p->error, no_error, sizeof no_error, e) : BZ_OK;
    p->stale = s != BZ_OK;
    if (!s) s = copies(m, p, 0, v->nearly, e);
    for (uint32_t ph = 0, i = 0; ph < v->nphases && !s; ph++) {
        const bz_rt_phase *phase = &v->phases[ph];
        if (p->stale && (phase->flags & BZ_RT_CHANGES)) s = look_at_errors(m, p, reported, e);
        if (reported[0] != INT64_MAX) return s;
        for (uint32_t n = 0; n < phase->nsegments && !s; n++, i++) {
            s = launch(m, p, i, e);
            p->stale |= p->launches[i].of.reports;
        }
    }
    if (!s && p->stale) s = look_at_errors(m, p, reported, e);
    if (s || reported[0] != INT64_MAX) return s;
    return copies(m, p, v->nearly, v->ncopies, e);
}

static bz_status program_run(bz_context *c, rt_program *base, const rt_call *call, bz_error *e) {
    cuda_program *p = (cuda_program *)base;
    cuda_memory *m = memory_of(c);
    int64_t reported[2] = {INT64_MAX, 0};
    if (atomic_load_explicit(rt_interrupt_word(c), memory_order_relaxed))
        return rt_take_interrupt(c, "ran", e);
    rt_set_words(base, p->args, call);
    bz_rt_fill_table(&p->image.base, p->args, &p->work, BZ_RT_ARG);
    bz_status s = cuda_enter(m, e);
    if (s) return s;
    s = run(m, p, reported, e);
    cuda_leave(m);
    c->counters.launches += p->plan->launches.n;
    c->counters.bytes_written += p->bytes_written;
    if (s || reported[0] == INT64_MAX) return s;
    return rt_reported(base, p->plan->graph, reported[0], reported[1], call, e);
}

const rt_device rt_cuda = {.computes = true,
                           .open = cuda_open,
                           .compile = program_new,
                           .run = program_run,
                           .free = program_free,
                           .plan = program_plan,
                           .time = program_time};
