/* kept.c - what a cpu program packs of inputs that last stays in its arena from run to run: its phase has no tasks while the inputs have
 * the values (rt_call.values) that they had when it ran.
 *
 *     run 1:  w has value 7   phase packs w    notes 7
 *     run 2:  w has value 7   left out
 *     run 3:  w has value 9   notes nothing -> phase packs w -> notes 9, if the run came to its end
 *
 * A program belongs to one context, which one thread uses at a time: nobody packs while another one reads. */
#include "runtime/exec/cpu.h"

bool cpu_kept_new(cpu_program *p) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->image.kept.n; i++) n += p->image.kept.p[i].of->ninputs;
    if (!(p->kept_values = bz_mem_zero(n + 1, sizeof *p->kept_values))) return false;
    uint64_t *next = p->kept_values;
    for (uint32_t i = 0; i < p->image.kept.n; i++) {
        p->image.kept.p[i].values = next;
        next += p->image.kept.p[i].of->ninputs;
    }
    return true;
}

static uint64_t value_of(const rt_call *call, uint32_t input) {
    return call->values ? call->values[input] : 0;
}

static bool is_good(const rt_kept_phase *k, const rt_call *call) {
    bool good = k->filled;
    for (uint32_t i = 0; i < k->of->ninputs && good; i++)
        good = k->values[i] && k->values[i] == value_of(call, k->of->inputs[i]);
    return good;
}

uint32_t cpu_kept_begin(cpu_program *p, const rt_call *call) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->image.kept.n; i++) {
        rt_kept_phase *k = &p->image.kept.p[i];
        k->filled = is_good(k, call);
        p->image.phases.p[k->phase].tasks = k->filled ? 0 : k->tasks;
        n += !k->filled;
    }
    p->base.refilled = n > 0 && n == p->image.kept.n ? p->base.refilled + 1 : 0;
    return n;
}

void cpu_kept_end(cpu_program *p, const rt_call *call, bool done) {
    for (uint32_t i = 0; i < p->image.kept.n && done; i++) {
        rt_kept_phase *k = &p->image.kept.p[i];
        k->filled = true;
        for (uint32_t j = 0; j < k->of->ninputs; j++)
            k->values[j] = value_of(call, k->of->inputs[j]);
    }
}
