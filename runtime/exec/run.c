/* run.c - a call of a cpu program: its arguments, the run of its image, what it met. */
#include "runtime/exec/cpu.h"
#include "runtime/base/watch.h"

static bz_status take_error(const cpu_program *p, const rt_call *call, bz_error *e) {
    int64_t code = 0;
    const int64_t lowest = bz_rt_worst(&p->work, &code);
    return rt_reported(&p->base, p->plan->graph, lowest, code, call, e);
}

/* ---- the device's function */

bz_status cpu_run(bz_context *c, rt_program *base, const rt_call *call, bz_error *e) {
    cpu_program *p = (cpu_program *)base;
    rt_set_words(base, p->args, call);
    bz_rt_fill_table(&p->image.base, p->args, &p->work, BZ_RT_ARG);
    c->counters.packed += cpu_kept_begin(p, call);
    bool whole = bz_rt_image_run(
        &p->image.base, p->args, &p->work,
        &(bz_rt_control){.stop = rt_interrupt_word(c), .times = c->profile ? p->times : NULL});
    c->counters.launches += p->plan->launches.n;
    c->counters.bytes_written += p->bytes_written;
    const bz_status s = whole ? take_error(p, call, e) : rt_take_interrupt(c, "ran", e);
    cpu_kept_end(p, call, !s);
    return s;
}
