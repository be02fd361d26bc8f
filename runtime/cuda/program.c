/* program.c - programs of a GPU: a plan for it, its kernels (code.c), its image (runtime/exec/image.c) with addresses of
 * the device, a launch for each segment of each phase.
 *
 *     plan --code.c--> a function for each phase of each kernel
 *     a run: table[i] = address of places[i]  ->  early copies  ->  launches in order, on the memory's stream  ->  the other copies
 *
 * Nothing waits for the end of a run but programs whose kernels report what they met. */
#include "runtime/cuda/program.h"
#include "runtime/base/env.h"
#include "runtime/base/watch.h"

#include <stdio.h>
#include <string.h>

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
    const cuda_codegen codegen = cuda_codegen_for(memory_of(c), rt_is_fast(&c->options));
    if (rt_env_get()->debug >= 4) show_text(p->plan->code);
    return (p->kernels = rt_plan_code(c, p->plan, &codegen.base, w, e)) != NULL;
}

/* ---- memory */

static bz_status get_some(bz_context *c, uint64_t bytes, rt_address *at, bz_error *e) {
    cuda_memory *m = memory_of(c);
    bz_status s;
    if (bytes == 0) return BZ_OK;
    do {
        s = cuda_get(m, (size_t)bytes, at, e);
    } while (s == BZ_ENOMEM && !e->status && rt_give_way(c));
    if (s == BZ_ENOMEM && !e->status) {
        char size[32], largest[320];
        bz_size_text(size, (double)bytes);
        c->say_largest(c, largest, sizeof largest);
        bz_fail(e, s, "out of memory: " RT_RESULTS_TAKE " %s%s", size, largest);
    }
    return s;
}

static bz_status get_memory(bz_context *c, cuda_program *p, bz_error *e) {
    cuda_memory *m = memory_of(c);
    for (uint32_t i = 0; i < p->image.codes.n; i++) {
        const cuda_launch *l = &p->launches[i];
        const uint64_t own = (uint64_t)l->grid.blocks * l->grid.threads * (uint64_t)l->of.scratch;
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
    cuda_memory *m = p->m;
    if (cuda_enter_to_free(m)) {
        const rt_address own[] = {p->arena, p->consts, p->scratch, p->error};
        for (unsigned i = 0; i < BZ_LEN(own); i++)
            if (own[i]) cuda_give(m, own[i]);
        if (p->kernels) m->d->stream_wait(m->stream);
        cuda_launches_drop(m, p);
        cuda_leave(m);
    }
    if (p->kernels) rt_kernels_release(p->kernels, p->plan->code->k.n);
    bz_mem_free(p->kernels);
    pass_plan_free(p->plan);
    bz_mem_free(p->args);
    bz_mem_free(p->work.table);
    cuda_launches_free(p);
    if (p->counted) rt_pool_count(c->pool, -(int64_t)p->image.base.arena_bytes);
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
    p->m = m;
    const uint64_t start = bz_now();
    pass_target target = pass_gpu_of(m->arch, rt_is_fast(&c->options));
    rt_watch watch = rt_watch_new(c);
    target.eager = how & RT_EAGER;
    target.any_size = how & RT_ANY_SIZE;
    target.watch = &watch.base;
    bool done = rt_program_init(c, &p->base, &rt_cuda, g, e);
    p->plan = done ? pass_compile(g, &target, e) : NULL;
    const uint64_t passes = bz_now();
    done =
        p->plan && !rt_check_plan(c->memory, p->plan, 0, e) &&
        rt_within_bytes(c, &c->pool->bytes, (uint64_t)p->plan->arena_bytes, "temporaries take", e);
    if (done && !make_image(p, g)) done = false, bz_fail(e, BZ_ENOMEM, "out of memory");
    if (done && !cuda_enter(m, e)) {
        done =
            get_code(c, p, &watch.base, e) && !cuda_launches_make(m, p, e) && !get_memory(c, p, e);
        cuda_leave(m);
    } else {
        done = false;
    }
    rt_say_times(p->plan, g, passes - start, bz_now() - passes);
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
    for (uint32_t i = 0; i < p->stretches.n && !s; i++) {
        s = cuda_launches_run(m, p, &p->stretches.p[i], e);
        p->stale |= p->stretches.p[i].reports;
        if (!s && p->stale) s = look_at_errors(m, p, reported, e);
        if (reported[0] != INT64_MAX) return s;
    }
    return s ? s : copies(m, p, v->nearly, v->ncopies, e);
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
