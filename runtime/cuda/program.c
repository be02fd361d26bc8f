/* program.c - programs of a GPU: a plan for it, its kernels (code.c), its image (runtime/exec/image.c, cuda_image.c) with addresses of
 * the device, run on the memory's stream as an exported program is (runtime/aot/cuda_run.h). */
#include "runtime/cuda/cuda.h"
#include "runtime/base/env.h"
#include "runtime/base/watch.h"
#include "runtime/exec/cuda_image.h"
#include "runtime/exec/device.h"
#include "src/codegen/cuda.h"

#include <stdio.h>
#include <string.h>

typedef struct cuda_program {
    rt_program base;
    cuda_memory *m; /* where it is: the context's, until a reset */
    pass_plan *plan;
    rt_image image;
    cuda_image cuda; /* what more there is of it on a GPU */
    /* its args: a word for each input and output, an address or a scalar's value */
    bz_rt_cuda_run run;
    void *room;                /* the run's */
    const rt_kernel **kernels; /* of the plan */
    rt_address consts;
    uint64_t bytes_written;
    bool counted; /* its arena is among the memory in use */
} cuda_program;

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
    bz_rt_cuda_run *r = &p->run;
    const size_t bytes = rt_consts_bytes(p->plan);
    void *consts = bz_mem_zero(bytes + 1, 1);
    if (!consts) return bz_fail(e, BZ_ENOMEM, "out of memory");
    rt_consts_write(p->plan, consts);
    bz_status s = get_some(c, p->image.base.arena_bytes, &r->memory.arena, e);
    if (!s) s = get_some(c, r->scratch_bytes, &r->memory.scratch, e);
    /* NVRTC may read a thread's array before a loop that writes it, and not use what it read. */
    if (!s && r->scratch_bytes)
        s = m->base.f->zero(&m->base, r->memory.scratch, r->scratch_bytes, e);
    if (!s) s = get_some(c, bytes, &p->consts, e);
    if (!s && bytes) s = cuda_copy_in(m, p->consts, consts, bytes, e);
    if (!s && r->reports) s = get_some(c, sizeof(int64_t[2]), &r->memory.error, e);
    bz_mem_free(consts);
    r->work.arena = rt_pointer(r->memory.arena);
    r->image.consts = rt_pointer(p->consts);
    p->base.held = p->image.base.arena_bytes + r->scratch_bytes + bytes;
    return s;
}

/* ---- the run */

static bool make_image(cuda_program *p, const ir_graph *g) {
    rt_place_outputs(&p->base, p->plan);
    return rt_image_of_words(&p->image, p->plan, g) &&
           cuda_image_make(&p->cuda, &p->image, p->plan);
}

static bool make_run(cuda_memory *m, cuda_program *p, bz_error *e) {
    bz_rt_cuda_run *r = &p->run;
    *r = (bz_rt_cuda_run){.d = m->d,
                          .context = m->context,
                          .image = p->image.base,
                          .cuda = &p->cuda.base,
                          .args_bytes = ((size_t)p->base.ninputs + p->base.noutputs) * 8,
                          .processors = m->processors,
                          .graphs = rt_env_get()->graphs && cu_has_graphs(m->d)};
    p->room = bz_mem_alloc(bz_rt_cuda_room(r) + 1);
    if (!p->room) return bz_fail(e, BZ_ENOMEM, "out of memory"), false;
    bz_rt_cuda_lay_out(r, p->room);
    for (uint32_t i = 0; i < p->image.codes.n; i++) {
        const rt_code_of of = p->image.codes.p[i];
        r->launches[i].f = (cu_function)p->kernels[of.kernel]->phases[of.phase];
    }
    const cu_result code = bz_rt_cuda_allow(r);
    return !cuda_check(m, code, r->failed, r->of, e);
}

/* ---- the device's functions */

static void program_free(bz_context *c, rt_program *base) {
    cuda_program *p = (cuda_program *)base;
    const bz_rt_cuda_memory *own = &p->run.memory;
    cuda_memory *m = p->m;
    if (cuda_enter_to_free(m)) {
        const rt_address all[] = {own->arena, p->consts, own->scratch, own->error};
        for (unsigned i = 0; i < BZ_LEN(all); i++)
            if (all[i]) cuda_give(m, all[i]);
        if (p->kernels) m->d->stream_wait(m->stream);
        bz_rt_cuda_drop(&p->run);
        cuda_leave(m);
    }
    if (p->kernels) rt_kernels_release(p->kernels, p->plan->code->k.n);
    bz_mem_free(p->kernels);
    pass_plan_free(p->plan);
    bz_mem_free(p->room);
    if (p->counted) rt_pool_count(c->pool, -(int64_t)p->image.base.arena_bytes);
    cuda_image_free(&p->cuda);
    rt_image_free(&p->image);
    bz_mem_free(p);
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
    target.shared = m->shared;
    target.watch = &watch.base;
    bool done = rt_program_init(c, &p->base, &rt_cuda, g, e);
    p->plan = done ? pass_compile(g, &target, e) : NULL;
    const uint64_t passes = bz_now();
    done =
        p->plan && !rt_check_plan(c->memory, p->plan, 0, e) &&
        rt_within_bytes(c, &c->pool->bytes, (uint64_t)p->plan->arena_bytes, "temporaries take", e);
    if (done && !make_image(p, g)) done = false, bz_fail(e, BZ_ENOMEM, "out of memory");
    if (done && !cuda_enter(m, e)) {
        done = get_code(c, p, &watch.base, e) && make_run(m, p, e) && !get_memory(c, p, e);
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
    bz_rt_fill_table(&p->run.image, p->run.args, &p->run.work, BZ_RT_BAKED);
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

/* What was launched, for who is told of a fault later; then what the driver did not do. */
static bz_status told(cuda_memory *m, const bz_rt_cuda_run *r, cu_result code, bz_error *e) {
    const uint32_t n = r->launched;
    for (uint32_t i = n > CUDA_LAST ? n - CUDA_LAST : 0; i < n; i++)
        if (r->launches[i].tasks) cuda_launched(m, r->cuda->codes[i].name);
    return cuda_check(m, code, r->failed, *r->of ? r->of : NULL, e);
}

static bz_status program_run(bz_context *c, rt_program *base, const rt_call *call, bz_error *e) {
    cuda_program *p = (cuda_program *)base;
    bz_rt_cuda_run *r = &p->run;
    cuda_memory *m = memory_of(c);
    int64_t reported[2];
    if (atomic_load_explicit(rt_interrupt_word(c), memory_order_relaxed))
        return rt_take_interrupt(c, "ran", e);
    if (r->runs == 1 && r->graphs) cuda_image_find_edges(&p->cuda, &p->image, p->plan);
    rt_set_words(base, (uint64_t *)(void *)r->args, call);
    bz_rt_fill_table(&r->image, r->args, &r->work, BZ_RT_ARG);
    bz_status s = cuda_enter(m, e);
    if (s) return s;
    s = told(m, r, bz_rt_cuda_go(r, m->stream, reported), e);
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
