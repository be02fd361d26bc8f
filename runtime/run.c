/* run.c - a call of a cpu program: memory for its outputs, its arguments, the run of its image, what it met. */
#include "runtime/cpu.h"

/* ---- outputs */

/* Where output i goes: into the input that it is computed in or is, unless that is the caller's own memory and was not offered; with
 * an earlier output of the same value; else into memory of its own. One reference; NULL: no memory. */
static rt_buffer *output_buffer(bz_context *c, const cpu_program *p, const rt_call *call,
                                uint32_t i) {
    const rt_spec *o = &p->base.outputs[i];
    const pass_buffer *of = &p->plan->buffers.p[p->plan->output[i]];
    rt_buffer *b = of->place == PASS_INPUT ? call->in[of->number] : call->out[of->number];
    bool first = of->place != PASS_INPUT && of->number == i;
    if (b && !first && b == call->out[i]) return rt_buffer_ref(b);
    if (b && !first && !b->foreign) return rt_buffer_alias(c, b);
    return rt_buffer_new(c, o->dtype, o->layout);
}

/* A donated buffer that was offered for an output which is not computed in place is not taken: kernels still read it. */
static bool prepare_outputs(bz_context *c, const cpu_program *p, const rt_call *call) {
    for (uint32_t i = 0; i < p->base.noutputs; i++) {
        rt_buffer *b = output_buffer(c, p, call, i);
        rt_buffer_unref(c, call->out[i]);
        call->out[i] = b;
        if (!b) return false;
    }
    return true;
}

static void set_args(cpu_program *p, const rt_call *call) {
    uint64_t *out = p->args + p->base.ninputs;
    for (uint32_t i = 0; i < p->base.ninputs; i++)
        p->args[i] = call->in[i] ? (uintptr_t)call->in[i]->p : call->bits[i];
    for (uint32_t i = 0; i < p->base.noutputs; i++) out[i] = (uintptr_t)call->out[i]->p;
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
    if (!prepare_outputs(c, p, call)) return bz_fail(e, BZ_ENOMEM, "out of memory");
    set_args(p, call);
    cpu_expected *want = rt_env_get()->check ? cpu_expect(c, p, call) : NULL;
    bool whole = bz_rt_image_run(
        &p->image.base, p->args, &p->work,
        &(bz_rt_control){.stop = rt_interrupt_word(c), .times = c->profile ? p->times : NULL});
    c->counters.launches += p->plan->launches.n;
    c->counters.bytes_written += p->bytes_written;
    bz_status s = whole ? take_error(p, call, e) : rt_take_interrupt(c, "ran", e);
    if (want) cpu_compare(p, call, want, s);
    return s;
}
