/* run.c - a call of a cpu program: its arguments, the run of its image, what it met. */
#include "runtime/exec/cpu.h"
#include "runtime/base/watch.h"

static void set_args(cpu_program *p, const rt_call *call) {
    uint64_t *out = p->args + p->base.ninputs;
    for (uint32_t i = 0; i < p->base.ninputs; i++)
        p->args[i] = call->in[i] ? call->in[i]->at : call->bits[i];
    for (uint32_t i = 0; i < p->base.noutputs; i++) out[i] = call->out[i]->at;
    bz_rt_fill_table(&p->image.base, p->args, &p->work, BZ_RT_ARG);
}

/* ---- the run */

/* The lowest element that a thread reported, as an error with the op and source line of the node. */
static bz_status take_error(cpu_program *p, const rt_call *call, bz_error *e) {
    int64_t code = 0, lowest = bz_rt_worst(&p->work, &code);
    if (lowest == INT64_MAX) return BZ_OK;
    const ir_graph *g = p->plan->graph;
    ir_ref r = lowest > 0 && lowest < g->n.n ? (ir_ref)lowest : 0;
    if (r && code == BZ_EINDEX) return rt_bad_index(&p->base, g, r, call, e);
    return bz_fail(e, (bz_status)code, "[kernel] %s", bz_status_doc((bz_status)code));
}

/* ---- the device's function */

bz_status cpu_run(bz_context *c, rt_program *base, const rt_call *call, bz_error *e) {
    cpu_program *p = (cpu_program *)base;
    set_args(p, call);
    bool whole = bz_rt_image_run(
        &p->image.base, p->args, &p->work,
        &(bz_rt_control){.stop = rt_interrupt_word(c), .times = c->profile ? p->times : NULL});
    c->counters.launches += p->plan->launches.n;
    c->counters.bytes_written += p->bytes_written;
    return whole ? take_error(p, call, e) : rt_take_interrupt(c, "ran", e);
}
