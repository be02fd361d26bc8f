/* run.c - running a cpu program: addresses patched, launches in order, phases over the threads of one run of the pool.
 *
 *      phase 0:  | segment 0: tasks 0..3 | segment 1: tasks 4..9 |      one range over all segments, cut into even shares;
 *                  thread 0 ........... | thread 1 ............. |      a thread that has done its own helps the others */
#include "runtime/cpu.h"

#include <string.h>

typedef struct phase_job {
    const cpu_program *p;
    const cpu_launch *l;
    unsigned phase;
    cpu_thread *threads;
    _Atomic(bool)
        *stop; /* tasks that have not begun are left out once it is true; NULL: none are */
} phase_job;

/* Tasks of a launch on one thread go in so many bites, with a look at `stop` before each. */
enum { BITES = 64 };

/* Tasks [begin, end) of a phase of a launch: those of each segment that lie in it. */
static void run_range(void *ctx, int64_t begin, int64_t end, int thread) {
    const phase_job *j = ctx;
    cpu_thread *t = &j->threads[thread];
    int64_t first = 0;
    if (j->stop && atomic_load_explicit(j->stop, memory_order_relaxed)) return;
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

static void run_launch(const cpu_program *p, const cpu_launch *l, bz_rt_run *run,
                       _Atomic(bool) *stop) {
    phase_job j = {p, l, 0, threads_of(p), stop};
    for (; j.phase < l->nphases; j.phase++) {
        int64_t n = l->total[j.phase];
        if (l->parallel)
            bz_rt_for(run, run_range, &j, n);
        else
            for (int64_t at = 0, bite = stop ? n / BITES + 1 : n; at < n; at += bite)
                run_range(&j, at, at + bite < n ? at + bite : n, 0);
    }
}

/* ---- one call */

/* Where output i goes: into the input that it is computed in or is, unless that is the caller's own memory and was not offered; with
 * an earlier output of the same value; else into memory of its own. One reference; NULL: no memory. */
static rt_buffer *output_buffer(bz_context *c, const cpu_program *p, const rt_call *call,
                                uint32_t i) {
    const rt_spec *o = &p->base.outputs[i];
    int in = p->input_of_output[i];
    rt_buffer *b = in < 0 ? call->out[p->first_output[i]] : call->in[in];
    bool first = in < 0 && p->first_output[i] == i;
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
    for (uint32_t i = 0; i < p->patches.n; i++) {
        const cpu_patch *q = &p->patches.p[i];
        void *start = p->address[q->buffer];
        *q->where = q->bytes ? (char *)start + q->bytes : start;
    }
}

/* An output that is an input, in memory of its own. */
static void copy_through(cpu_program *p, const rt_call *call) {
    for (uint32_t i = 0; i < p->base.noutputs; i++) {
        int in = p->input_of_output[i];
        if (in < 0) continue;
        const void *src = call->in[in] ? call->in[in]->p : (const void *)&p->numbers[in];
        const rt_spec *o = &p->base.outputs[i];
        if (src != call->out[i]->p)
            memcpy(call->out[i]->p, src, (size_t)rt_layout_bytes(o->layout, o->dtype));
    }
}

/* The lowest element that a thread reported, as an error with the op and source line of the node. */
static bz_status take_error(cpu_program *p, const rt_call *call, bz_error *e) {
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
    if (r && code == BZ_EINDEX) return rt_bad_index(&p->base, g, r, call, e);
    return bz_fail(e, (bz_status)code, "[kernel] %s", bz_status_doc((bz_status)code));
}

static bool has_failed(const cpu_program *p) {
    const cpu_thread *t = threads_of(p);
    bool failed = false;
    for (int i = 0; i < p->nthreads; i++) failed |= t[i].error[0] != INT64_MAX;
    return failed;
}

/* false: interrupted, while no input had changed. After an error no input that is still whole is changed. */
static bool run_all(bz_context *c, cpu_program *p) {
    _Atomic(bool) *stop = rt_interrupt_word(c);
    bool on = true;
    bz_rt_run run;
    bz_rt_begin(&run, p->nthreads);
    for (uint32_t i = 0; i < p->plan->launches.n && on; i++) {
        cpu_launch *l = &p->launches[i];
        if (l->changes_inputs && has_failed(p)) break;
        if (stop && l->changes_inputs) {
            on = !atomic_load_explicit(stop, memory_order_relaxed);
            stop = NULL;
            if (!on) break;
        }
        uint64_t start = c->profile ? rt_now() : 0;
        run_launch(p, l, &run, stop);
        on = !stop || !atomic_load_explicit(stop, memory_order_relaxed);
        if (!c->profile) continue;
        l->runs++;
        l->ns += rt_now() - start;
    }
    bz_rt_end(&run);
    return on;
}

/* ---- the device's function */

bz_status cpu_run(bz_context *c, rt_program *base, const rt_call *call, bz_error *e) {
    cpu_program *p = (cpu_program *)base;
    if (!prepare_outputs(c, p, call)) return bz_fail(e, BZ_ENOMEM, "out of memory");
    set_addresses(p, call);
    cpu_expected *want = rt_env_get()->check ? cpu_expect(c, p, call) : NULL;
    bool whole = run_all(c, p);
    c->counters.launches += p->plan->launches.n;
    c->counters.bytes_written += p->bytes_written;
    if (whole) copy_through(p, call);
    bz_status s = take_error(p, call, e);
    if (!whole) {
        *e = (bz_error){0};
        s = rt_take_interrupt(c, "ran", e);
    }
    if (want) cpu_compare(p, call, want, s);
    return s;
}
