/* run.c - running a cpu program: addresses patched, launches in order, phases over the threads of one run of the pool.
 *
 *      phase 0:  | segment 0: tasks 0..3 | segment 1: tasks 4..9 |      one range over all segments, split evenly
 *                  thread 0 ........... | thread 1 ............. | */
#include "runtime/cpu.h"

#include <string.h>

typedef struct phase_job {
    const cpu_program *p;
    const cpu_launch *l;
    unsigned phase;
    cpu_thread *threads;
} phase_job;

/* Tasks [begin, end) of a phase of a launch: those of each segment that lie in it. */
static void run_range(void *ctx, int64_t begin, int64_t end, int thread) {
    const phase_job *j = ctx;
    cpu_thread *t = &j->threads[thread];
    int64_t first = 0;
    for (uint32_t i = 0; i < j->l->nsegments && first < end; i++) {
        const cpu_segment *s = &j->l->segments[i];
        int64_t n = j->phase < s->kernel->nphases ? s->tasks[j->phase] : 0;
        int64_t lo = begin > first ? begin - first : 0, hi = end - first < n ? end - first : n;
        if (lo < hi) {
            lp_frame f = {s->buffers, s->plan->extents, s->scalars, t->scratch, t->error, thread};
            s->kernel->phases[j->phase](&f, lo, hi);
        }
        first += n;
    }
}

static cpu_thread *threads_of(const cpu_program *p) {
    return (cpu_thread *)(((uintptr_t)p->threads + 63) & ~(uintptr_t)63);
}

static void run_launch(const cpu_program *p, const cpu_launch *l, bz_rt_run *run) {
    phase_job j = {p, l, 0, threads_of(p)};
    for (; j.phase < l->nphases; j.phase++) {
        int64_t n = l->total[j.phase];
        if (l->parallel)
            bz_rt_for(run, run_range, &j, n);
        else if (n > 0)
            run_range(&j, 0, n, 0);
    }
}

/* ---- one call */

/* Does an output replace this input late? */
static bool is_replaced(const cpu_program *p, int in) {
    for (uint32_t i = 0; i < p->base.noutputs; i++)
        if (p->donated[i] == in && p->input_of_output[i] != in) return true;
    return false;
}

/* Outputs that are inputs share their memory, unless it is the caller's own; the others get buffers. An output that is donated but
 * not computed in place gets one for the time being: others may still read what it will replace. */
static bool prepare_outputs(bz_context *c, cpu_program *p, const rt_call *call) {
    for (uint32_t i = 0; i < p->base.noutputs; i++) {
        const rt_spec *o = &p->base.outputs[i];
        int in = p->input_of_output[i];
        uint32_t first = p->first_output[i];
        p->replaces[i] = NULL;
        if (call->out[i] && in == p->donated[i]) continue;
        p->replaces[i] = call->out[i];
        call->out[i] = NULL;
        if (!p->replaces[i] && first < i && call->out[first])
            call->out[i] = rt_buffer_ref(call->out[first]);
        else if (!p->replaces[i] && in >= 0 && call->in[in] && !call->in[in]->foreign &&
                 !is_replaced(p, in))
            call->out[i] = rt_buffer_ref(call->in[in]);
        else
            call->out[i] = rt_buffer_new(c, (size_t)o->layout->count * ir_dtype_bytes(o->dtype));
        if (!call->out[i]) return false;
    }
    return true;
}

static void set_addresses(cpu_program *p, const rt_call *call) {
    const pass_plan *plan = p->plan;
    for (uint32_t i = 0; i < p->base.noutputs; i++)
        if (p->input_of_output[i] < 0)
            p->address[plan->output[i]] = call->out[p->first_output[i]]->p;
    for (uint32_t i = 0; i < p->base.ninputs; i++)
        if (p->buffer_of_input[i] != UINT32_MAX && call->in[i])
            p->address[p->buffer_of_input[i]] = call->in[i]->p;
    for (uint32_t i = 0; i < p->number_inputs.n; i++) {
        uint32_t k = p->number_inputs.p[i];
        p->numbers[k] = call->bits[k];
        if (p->buffer_of_input[k] != UINT32_MAX) p->address[p->buffer_of_input[k]] = &p->numbers[k];
    }
    for (uint32_t i = 0; i < p->patches.n; i++)
        *p->patches.p[i].where = p->address[p->patches.p[i].buffer];
}

static size_t output_bytes(const cpu_program *p, uint32_t i) {
    return (size_t)p->base.outputs[i].layout->count * ir_dtype_bytes(p->base.outputs[i].dtype);
}

/* Where the program left output i: in an input's memory or number, or in the output that has the same plan buffer. */
static const void *result(const cpu_program *p, const rt_call *call, uint32_t i) {
    int in = p->input_of_output[i];
    if (in < 0) return call->out[p->first_output[i]]->p;
    return call->in[in] ? call->in[in]->p : (const void *)&p->numbers[in];
}

static void copy_through(cpu_program *p, const rt_call *call) {
    for (uint32_t i = 0; i < p->base.noutputs; i++) {
        const void *src = result(p, call, i);
        if (src != call->out[i]->p) memcpy(call->out[i]->p, src, output_bytes(p, i));
    }
}

/* Donated outputs that waited in other memory go where they belong; after an error the inputs stay as they were. */
static void replace_inputs(bz_context *c, cpu_program *p, const rt_call *call, bool done) {
    for (uint32_t i = 0; i < p->base.noutputs; i++) {
        rt_buffer *to = p->replaces[i];
        if (!to) continue;
        if (done) memcpy(to->p, call->out[i]->p, output_bytes(p, i));
        rt_buffer_unref(c, call->out[i]);
        call->out[i] = to;
        p->replaces[i] = NULL;
    }
}

/* The lowest element that a thread reported, as an error with the op and source line of the node. */
static bz_status take_error(cpu_program *p, bz_error *e) {
    int64_t lowest = INT64_MAX, code = 0;
    cpu_thread *t = threads_of(p);
    for (int i = 0; i < p->nthreads; i++) {
        if (t[i].error[0] < lowest) {
            lowest = t[i].error[0];
            code = t[i].error[1];
        }
        t[i].error[0] = INT64_MAX;
    }
    if (lowest == INT64_MAX) return BZ_OK;
    const ir_graph *g = p->plan->graph;
    ir_ref r = lowest > 0 && lowest < g->n.n ? (ir_ref)lowest : 0;
    const char *site = r ? g->sites.p[r] : NULL;
    return bz_fail(e, (bz_status)code, "[%s] %s%s%s", r ? ir_ops[ir_at(g, r)->op].name : "kernel",
                   bz_status_doc((bz_status)code), site ? " at " : "", site ? site : "");
}

static void run_all(bz_context *c, cpu_program *p) {
    bz_rt_run run;
    bz_rt_begin(&run, p->nthreads);
    for (uint32_t i = 0; i < p->plan->launches.n; i++) {
        cpu_launch *l = &p->launches[i];
        uint64_t start = c->profile ? rt_now() : 0;
        run_launch(p, l, &run);
        if (!c->profile) continue;
        l->runs++;
        l->ns += rt_now() - start;
    }
    bz_rt_end(&run);
}

bz_status cpu_run(bz_context *c, rt_program *base, const rt_call *call, bz_error *e) {
    cpu_program *p = (cpu_program *)base;
    bz_status s = BZ_ENOMEM;
    if (prepare_outputs(c, p, call)) {
        set_addresses(p, call);
        cpu_expected *want = rt_env_get()->check ? cpu_expect(c, p, call) : NULL;
        run_all(c, p);
        c->counters.launches += p->plan->launches.n;
        copy_through(p, call);
        s = take_error(p, e);
        if (want) cpu_compare(p, call, want, s);
    } else {
        bz_fail(e, s, "out of memory");
    }
    replace_inputs(c, p, call, s == BZ_OK);
    return s;
}
