/* program.c - a plan made ready to run: its image (image.c) with code, constants and a workspace.
 *
 *     pass_plan --image.c--> image --kernels.c--> its code
 *         '--> args: one word for each input and output, set at each call (run.c) */
#include "runtime/exec/cpu.h"
#include "runtime/base/env.h"
#include "runtime/base/watch.h"

#include <stdio.h>
#include <string.h>

/* ---- memory */

static bool new_consts(cpu_program *p) {
    p->consts_bytes = rt_consts_bytes(p->plan);
    if (p->consts_bytes == 0) return true;
    if (!(p->consts = rt_pages_new(p->consts_bytes))) return false;
    rt_consts_write(p->plan, p->consts);
    p->image.base.consts = p->consts;
    return true;
}

static bool new_workspace(bz_context *c, cpu_program *p) {
    int threads = p->image.base.parallel ? c->threads : 1;
    p->room_bytes = bz_rt_workspace_bytes(&p->image.base, threads);
    do {
        p->room = rt_pages_new(p->room_bytes);
    } while (!p->room && rt_give_way(c));
    if (!p->room) return false;
    rt_pool_count(c->pool, (int64_t)p->image.base.arena_bytes);
    return bz_rt_lay_out(&p->image.base, p->room, p->room_bytes, threads, &p->work);
}

/* ---- the image */

static bool make_image(cpu_program *p, const ir_graph *g) {
    if (!rt_image_of_words(&p->image, p->plan, g)) return false;
    for (uint32_t i = 0; i < p->image.codes.n; i++) {
        rt_code_of of = p->image.codes.p[i];
        p->image.segments.p[i].code = (bz_rt_code *)p->kernels[of.kernel]->phases[of.phase];
    }
    return true;
}

static bool ready(bz_context *c, cpu_program *p, const ir_graph *g) {
    rt_place_outputs(&p->base, p->plan);
    if (!make_image(p, g) || !new_consts(p)) return false;
    p->args = bz_mem_zero(g->inputs.n + g->outputs.n + 1, sizeof *p->args);
    p->times = bz_mem_zero(p->image.phases.n + 1, sizeof *p->times);
    if (!p->args || !p->times || !cpu_kept_new(p) || !new_workspace(c, p)) return false;
    bz_rt_fill_table(&p->image.base, p->args, &p->work, BZ_RT_BAKED);
    for (uint32_t i = 0; i < p->plan->launches.n; i++)
        p->bytes_written += (uint64_t)p->plan->launches.p[i].bytes_written;
    p->base.held = p->room_bytes + p->consts_bytes;
    p->base.kept = (size_t)p->plan->kept_bytes;
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
    if (p->room) rt_pool_count(c->pool, -(int64_t)p->image.base.arena_bytes);
    rt_pages_free(p->room, p->room_bytes);
    rt_pages_free(p->consts, p->consts_bytes);
    if (p->kernels) rt_kernels_release(p->kernels, p->plan->code->k.n);
    bz_mem_free(p->kernels);
    bz_mem_free(p->args);
    bz_mem_free(p->times);
    bz_mem_free(p->kept_values);
    rt_image_free(&p->image);
    pass_plan_free(p->plan);
    bz_mem_free(p);
}

/* What is kept comes on top of the weights: it leaves half of the machine's memory to others, and stays within the context's limit. */
static bool may_keep(const bz_context *c, const pass_plan *p, bz_error *e) {
    const uint64_t limit = c->limits[BZ_LIMIT_BYTES],
                   machine = (uint64_t)rt_memory_size(c->memory) / 2;
    const uint64_t all = c->pool->bytes + (uint64_t)p->arena_bytes + (uint64_t)p->kept_bytes;
    if (!p->kept_bytes || (all <= machine && (!limit || all <= limit))) return true;
    bz_fail(e, BZ_ENOMEM, "no room for what would be kept");
    return false;
}

static rt_program *compile(bz_context *c, const ir_graph *g, unsigned how, bz_error *e) {
    uint64_t start = bz_now();
    cpu_program *p = bz_mem_zero(1, sizeof *p);
    if (!p) return bz_fail(e, BZ_ENOMEM, "out of memory"), NULL;
    const rt_cpu_codegen codegen = rt_cpu_codegen_for(c->isa);
    pass_target target = c->target;
    rt_watch watch = rt_watch_new(c);
    target.eager = how & RT_EAGER;
    target.any_size = how & RT_ANY_SIZE;
    target.keeps = how & RT_KEEPS;
    target.watch = &watch.base;
    bool done = rt_program_init(c, &p->base, &rt_cpu, g, e);
    p->plan = done ? pass_compile(g, &target, e) : NULL;
    uint64_t passes = bz_now();
    done =
        p->plan &&
        !rt_check_plan(&rt_host, p->plan, bz_times(rt_scratch_bytes(p->plan), c->threads), e) &&
        may_keep(c, p->plan, e) &&
        rt_within_bytes(c, &c->pool->bytes, (uint64_t)(p->plan->arena_bytes + p->plan->kept_bytes),
                        "temporaries take", e) &&
        (p->kernels = rt_plan_code(c, p->plan, &codegen.base, &watch.base, e));
    if (done && !ready(c, p, g)) done = false, bz_fail(e, BZ_ENOMEM, "out of memory");
    rt_say_times(p->plan, g, passes - start, bz_now() - passes);
    if (done && rt_env_get()->debug >= 2) show(p, c->isa);
    if (done) return &p->base;
    rt_program_free(c, &p->base);
    return NULL;
}

/* What cannot be had with what is kept is compiled without. */
static rt_program *cpu_compile(bz_context *c, const ir_graph *g, unsigned how, bz_error *e) {
    bz_error own = {0};
    rt_program *p = how & RT_KEEPS ? compile(c, g, how, &own) : NULL;
    if (p) return p;
    if (!own.status || own.status == BZ_ENOMEM) return compile(c, g, how & ~(unsigned)RT_KEEPS, e);
    return bz_fail(e, own.status, "%s", own.text), NULL;
}

static const pass_plan *cpu_plan(const rt_program *p) {
    return ((const cpu_program *)p)->plan;
}

static bz_rt_time cpu_time(const rt_program *base, uint32_t launch) {
    const cpu_program *p = (const cpu_program *)base;
    bz_rt_time t = {0};
    for (uint32_t i = p->image.first.p[launch]; i < p->image.first.p[launch + 1]; i++) {
        t.runs = p->times[i].runs;
        t.ns += p->times[i].ns;
    }
    return t;
}

const rt_device rt_cpu = {.computes = true,
                          .calls = true,
                          .open = rt_host_open,
                          .compile = cpu_compile,
                          .run = cpu_run,
                          .free = cpu_free,
                          .plan = cpu_plan,
                          .time = cpu_time};
