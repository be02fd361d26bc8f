/* device.c - what all devices share: programs made, run, freed; and the ref device, which runs the interpreter on what was recorded. */
#include "runtime/exec/control.h"
#include "runtime/base/env.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- programs of any device */

bool rt_program_init(bz_context *c, rt_program *p, const rt_device *d, const ir_graph *g,
                     bz_error *e) {
    p->device = d;
    if (pass_check_static(g, e)) return false;
    p->ninputs = g->inputs.n;
    p->noutputs = g->outputs.n;
    p->outputs = bz_mem_zero(g->outputs.n, sizeof *p->outputs);
    for (uint32_t i = 0; i < g->outputs.n && p->outputs; i++) {
        ir_ref r = g->outputs.p[i].node;
        p->outputs[i] = (rt_spec){ir_dtype(g, r), rt_layout_of_node(c, g, r), -1, i, false};
        if (p->outputs[i].layout) continue;
        bz_fail(e, BZ_ENOMEM, "out of memory");
        return false;
    }
    if (!p->outputs) bz_fail(e, BZ_ENOMEM, "out of memory");
    return p->outputs != NULL;
}

/* BRAZE_CHECK and BRAZE_NAN interpret what was recorded. */
static bool keeps_graph(const bz_context *c) {
    return c->device->computes && (rt_env_get()->check || c->find_nan);
}

rt_program *rt_program_make(bz_context *c, const ir_graph *g, unsigned how, bz_error *e) {
    const bool cut = rt_is_cut(c->device, g);
    return (cut ? rt_control_compile : c->device->compile)(c, g, how, e);
}

rt_program *rt_program_new(bz_context *c, const ir_graph *g, unsigned how, bz_error *e) {
    uint64_t start = bz_now();
    rt_program *p = rt_program_make(c, g, how, e);
    if (p && !p->graph && keeps_graph(c) && !(p->graph = ir_copy_live(g, e))) {
        rt_program_free(c, p);
        p = NULL;
    }
    c->counters.compile_ns += bz_now() - start;
    return p;
}

const pass_plan *rt_program_plan(const rt_program *p) {
    return p->device->plan ? p->device->plan(p) : NULL;
}

bz_rt_time rt_program_time(const rt_program *p, uint32_t launch) {
    return p->device->time(p, launch);
}

void rt_program_free(bz_context *c, rt_program *p) {
    if (!p) return;
    ir_graph_free(p->graph);
    bz_mem_free(p->outputs);
    p->device->free(c, p);
}

/* ---- a run */

/* Output k's memory was offered, and is the caller's: what was fetched of it is offered. */
static void offer_fetched(bz_context *c, const rt_program *p, const rt_call *call, uint32_t k) {
    rt_buffer *home = call->out[k];
    call->out[k] = NULL;
    for (uint32_t i = 0; i < p->ninputs && !call->out[k]; i++)
        if (call->in[i] == home) call->out[k] = rt_buffer_ref(c->fetched->v.p[i]);
    rt_buffer_unref(c, home);
}

/* The call with the inputs in the context's memory: what lies elsewhere, the caller's, is fetched. One reference to each. */
static bz_status fetch(bz_context *c, const rt_program *p, rt_call *call, bz_error *e) {
    bz_status s = BZ_OK;
    c->fetched->v.n = 0;
    if (!bz_vec_reserve(&c->fetched->v, p->ninputs)) return bz_fail(e, BZ_ENOMEM, "out of memory");
    for (uint32_t i = 0; i < p->ninputs && !s; i++) {
        rt_buffer *b = call->in[i];
        bool here = !b || b->memory == c->memory;
        b = !b ? NULL : here ? rt_buffer_ref(b) : rt_buffer_fetch(c, b, e);
        s = b || here ? BZ_OK : e->status;
        c->fetched->v.p[c->fetched->v.n++] = b;
    }
    for (uint32_t k = 0; k < p->noutputs && !s; k++)
        if (call->out[k] && call->out[k]->memory != c->memory) offer_fetched(c, p, call, k);
    call->in = c->fetched->v.p;
    return s;
}

/* Where output i goes: into the input that it is computed in or is, unless that is the caller's own memory and was not offered; with
 * an earlier output of the same value; else into memory of its own. One reference; NULL: no memory. */
static rt_buffer *output_buffer(bz_context *c, const rt_program *p, const rt_call *call,
                                uint32_t i) {
    const rt_spec *o = &p->outputs[i];
    rt_buffer *b = o->input >= 0 ? call->in[o->input] : call->out[o->first];
    bool first = o->input < 0 && o->first == i;
    if (b && b == call->out[i] && (!first || o->late)) return rt_buffer_ref(b);
    if (b && !first && !b->foreign) return rt_buffer_alias(c, b);
    return rt_buffer_new(c, o->dtype, o->layout);
}

/* A donated buffer that was offered for an output which is not computed in place is not taken: kernels still read it. */
static bool prepare_outputs(bz_context *c, const rt_program *p, const rt_call *call) {
    for (uint32_t i = 0; i < p->noutputs && !p->gives; i++) {
        rt_buffer *b = output_buffer(c, p, call, i);
        rt_buffer_unref(c, call->out[i]);
        call->out[i] = b;
        if (!b) return false;
    }
    return true;
}

/* On the device, and beside it. */
static bz_status run(bz_context *c, rt_program *p, const rt_call *call, bz_error *e) {
    const bool beside = p->device->computes && p->graph;
    bz_status s = c->find_nan && beside ? rt_find_nan(c, p, call, e) : BZ_OK;
    if (s) return s;
    if (!prepare_outputs(c, p, call)) return bz_fail(e, BZ_ENOMEM, "out of memory");
    rt_expected *want = beside && rt_env_get()->check ? rt_expect(c, p, call) : NULL;
    s = p->device->run(c, p, call, e);
    if (want) rt_compare(p, call, want, s);
    return s || !c->profile ? s : c->memory->f->synchronise(c->memory, e);
}

static void drop_outputs(bz_context *c, const rt_program *p, const rt_call *call) {
    for (uint32_t i = 0; i < p->noutputs; i++) {
        rt_buffer_unref(c, call->out[i]);
        call->out[i] = NULL;
    }
}

bz_status rt_program_run_piece(bz_context *c, rt_program *p, const rt_call *call, bz_error *e) {
    bz_status s = prepare_outputs(c, p, call) ? p->device->run(c, p, call, e)
                                              : bz_fail(e, BZ_ENOMEM, "out of memory");
    if (s) drop_outputs(c, p, call);
    return s;
}

static bz_status run_near(bz_context *c, rt_program *p, const rt_call *call, bz_error *e) {
    rt_call near = *call;
    if (c->memory == &rt_host) return run(c, p, call, e);
    bz_status s = fetch(c, p, &near, e);
    if (!s) s = run(c, p, &near, e);
    for (uint32_t i = 0; i < c->fetched->v.n; i++) rt_buffer_unref(c, c->fetched->v.p[i]);
    return s;
}

bz_status rt_program_run(bz_context *c, rt_program *p, const rt_call *call) {
    bz_error e = {0};
    uint64_t start = c->profile ? bz_now() : 0;
    c->unread = 0;
    bz_status s = run_near(c, p, call, &e);
    c->counters.evaluations++;
    p->runs++;
    if (c->profile) {
        p->run_ns += bz_now() - start;
        c->counters.run_ns += bz_now() - start;
    }
    if (!s) return BZ_OK;
    drop_outputs(c, p, call);
    bz_fail(&c->err, s, "%s", e.status ? e.text : "out of memory");
    return s == BZ_ENOMEM ? rt_what_lacks(c) : s;
}

/* ---- ref */

rt_program *rt_ref_compile(bz_context *c, const ir_graph *g, unsigned how, bz_error *e) {
    (void)how;
    rt_program *p = bz_mem_zero(1, sizeof *p);
    if (!p) return bz_fail(e, BZ_ENOMEM, "out of memory"), NULL;
    bool done = rt_program_init(c, p, c->device, g, e) &&
                !rt_check_room(&rt_host, ir_interpret_bytes(g), RT_RESULTS_TAKE, e);
    p->graph = done ? ir_copy_live(g, e) : NULL;
    for (uint32_t i = 0; i < p->noutputs && done; i++) p->outputs[i].late = true;
    if (p->graph) return p;
    rt_program_free(c, p);
    return NULL;
}

bz_status rt_ref_run(bz_context *c, rt_program *p, const rt_call *call, bz_error *e) {
    ir_value_array *out = bz_mem_zero(p->noutputs, sizeof *out);
    if (!out) return bz_fail(e, BZ_ENOMEM, "out of memory");
    bz_status s = rt_interpret(c, p, call, out, e);
    for (uint32_t i = 0; i < p->noutputs; i++) {
        size_t bytes = (size_t)rt_layout_bytes(p->outputs[i].layout, p->outputs[i].dtype);
        if (!s) s = rt_move_bytes(rt_start(call->out[i]), rt_host_spot(out[i].data), bytes, e);
        bz_mem_free(out[i].data);
    }
    bz_mem_free(out);
    return s;
}

void rt_ref_free(bz_context *c, rt_program *p) {
    (void)c;
    bz_mem_free(p);
}

const rt_device rt_ref = {.controls = true,
                          .open = rt_host_open,
                          .compile = rt_ref_compile,
                          .run = rt_ref_run,
                          .free = rt_ref_free};
