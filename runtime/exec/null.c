/* null.c - the device that does nothing: passes and code generator do their work, no kernel runs, results are zeros. */
#include "runtime/exec/device.h"

static rt_program *null_compile(bz_context *c, const ir_graph *g, unsigned how, bz_error *e) {
    rt_program *code = rt_cpu.compile(c, g, how, e);
    if (code) code->device = &rt_null;
    return code;
}

static bz_status null_run(bz_context *c, rt_program *p, const rt_call *call, bz_error *e) {
    bz_status s = BZ_OK;
    (void)c;
    for (uint32_t i = 0; i < p->noutputs && !s; i++) {
        const rt_buffer *b = call->out[i];
        if (b->bytes) s = b->memory->f->zero(b->memory, b->at, b->bytes, e);
    }
    return s;
}

static void null_free(bz_context *c, rt_program *p) {
    rt_cpu.free(c, p);
}

static const pass_plan *null_plan(const rt_program *p) {
    return rt_cpu.plan(p);
}

static bz_rt_time null_time(const rt_program *p, uint32_t launch) {
    return rt_cpu.time(p, launch);
}

const rt_device rt_null = {.calls = true,
                           .open = rt_host_open,
                           .compile = null_compile,
                           .run = null_run,
                           .free = null_free,
                           .plan = null_plan,
                           .time = null_time};
