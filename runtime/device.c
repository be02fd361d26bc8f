/* device.c - what all devices share: programs made, run, freed; and the two devices that generate no code.
 *
 *   ref   runs the interpreter on what was recorded     null   makes zeros */
#include "runtime/rt.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- programs of any device */

ir_graph *rt_graph_copy(const ir_graph *old, bz_error *e) {
    ir_map map;
    bool *live = ir_live(old);
    ir_graph *g = live ? ir_rebuild_begin(old, &map) : NULL;
    if (!g) {
        bz_mem_free(live);
        bz_fail(e, BZ_ENOMEM, "out of memory");
        return NULL;
    }
    for (ir_ref r = 1; r < old->n.n && !g->err.status; r++)
        if (live[r] && !map.to[r]) map.to[r] = ir_rebuild_node(g, old, &map, r);
    bz_mem_free(live);
    return ir_rebuild_end(g, old, &map, e);
}

bool rt_program_init(bz_context *c, rt_program *p, const rt_device *d, const ir_graph *g,
                     bz_error *e) {
    p->device = d;
    if (pass_check_static(g, e)) return false;
    p->ninputs = g->inputs.n;
    p->noutputs = g->outputs.n;
    p->outputs = bz_mem_zero(g->outputs.n, sizeof *p->outputs);
    for (uint32_t i = 0; i < g->outputs.n && p->outputs; i++) {
        ir_ref r = g->outputs.p[i].node;
        p->outputs[i] = (rt_spec){ir_dtype(g, r), rt_layout_of_node(c, g, r)};
        if (p->outputs[i].layout) continue;
        bz_fail(e, BZ_ENOMEM, "out of memory");
        return false;
    }
    if (!p->outputs) bz_fail(e, BZ_ENOMEM, "out of memory");
    return p->outputs != NULL;
}

rt_program *rt_program_new(bz_context *c, const ir_graph *g, bool eager, bz_error *e) {
    uint64_t start = bz_now();
    rt_program *p = c->device->compile(c, g, eager, e);
    c->counters.compile_ns += bz_now() - start;
    return p;
}

void rt_program_free(bz_context *c, rt_program *p) {
    if (!p) return;
    ir_graph_free(p->graph);
    bz_mem_free(p->outputs);
    p->device->free(c, p);
}

bool rt_outputs_new(bz_context *c, rt_program *p, const rt_call *call) {
    for (uint32_t i = 0; i < p->noutputs; i++) {
        const rt_spec *o = &p->outputs[i];
        if (call->out[i]) continue;
        call->out[i] = rt_buffer_new(c, o->dtype, o->layout);
        if (!call->out[i]) return false;
    }
    return true;
}

/* ---- the interpreter */

typedef struct looker {
    ir_onlooker base;
    bz_context *c;
} looker;

static bz_status look(const ir_onlooker *o, const ir_graph *g, ir_ref r,
                      const ir_value_array *result, const ir_value_array *const *x, bz_error *e) {
    bz_context *c = ((const looker *)o)->c;
    bz_status s = rt_take_interrupt(c, "ran", e);
    return s || !c->find_nan ? s : rt_look_for_nan(g, r, result, x, e);
}

/* The program's graph interpreted for what it makes on the way alone. */
static bz_status find_nan(bz_context *c, rt_program *p, const rt_call *call, bz_error *e) {
    ir_value_array *out = bz_mem_zero(p->noutputs, sizeof *out);
    if (!out) return bz_fail(e, BZ_ENOMEM, "out of memory");
    bz_status s = rt_interpret(c, p, call, out, e);
    for (uint32_t i = 0; i < p->noutputs; i++) bz_mem_free(out[i].data);
    bz_mem_free(out);
    return s;
}

bz_status rt_interpret(bz_context *c, rt_program *p, const rt_call *call, ir_value_array *outputs,
                       bz_error *e) {
    const ir_graph *g = p->graph;
    const looker looks = {{rt_memory_most(), look}, c};
    ir_value_array *in = bz_mem_zero(g->inputs.n, sizeof *in);
    if (!in) return bz_fail(e, BZ_ENOMEM, "out of memory");
    for (uint32_t i = 0; i < g->inputs.n; i++) {
        ir_ref r = g->inputs.p[i].node;
        in[i].dtype = ir_dtype(g, r);
        in[i].rank = ir_at(g, r)->rank;
        ir_static_shape(g, r, in[i].shape);
        in[i].data = call->in[i] ? call->in[i]->p : (void *)(uintptr_t)&call->bits[i];
    }
    bz_status s = ir_interpret_seen(g, in, outputs, c ? &looks.base : NULL, e);
    bz_mem_free(in);
    return s;
}

/* ---- a run */

bz_status rt_program_run(bz_context *c, rt_program *p, const rt_call *call) {
    bz_error e = {0};
    uint64_t start = c->profile ? bz_now() : 0;
    bz_status s = c->find_nan && p->device == &rt_cpu ? find_nan(c, p, call, &e) : BZ_OK;
    c->unread = 0;
    if (!s) s = p->device->run(c, p, call, &e);
    c->counters.evaluations++;
    p->runs++;
    if (c->profile) {
        p->run_ns += bz_now() - start;
        c->counters.run_ns += bz_now() - start;
    }
    if (!s) return BZ_OK;
    for (uint32_t i = 0; i < p->noutputs; i++) {
        rt_buffer_unref(c, call->out[i]);
        call->out[i] = NULL;
    }
    bz_fail(&c->err, s, "%s", e.status ? e.text : "out of memory");
    return s == BZ_ENOMEM && c->err.status == BZ_ELIMIT ? BZ_ELIMIT : s;
}

/* ---- ref */

static rt_program *ref_compile(bz_context *c, const ir_graph *g, bool eager, bz_error *e) {
    (void)eager;
    rt_program *p = bz_mem_zero(1, sizeof *p);
    if (!p) return bz_fail(e, BZ_ENOMEM, "out of memory"), NULL;
    bool done = rt_program_init(c, p, c->device, g, e) &&
                !rt_check_room(ir_interpret_bytes(g), RT_RESULTS_TAKE, e);
    p->graph = done ? rt_graph_copy(g, e) : NULL;
    if (p->graph) return p;
    rt_program_free(c, p);
    return NULL;
}

static bz_status ref_run(bz_context *c, rt_program *p, const rt_call *call, bz_error *e) {
    ir_value_array *out = bz_mem_zero(p->noutputs, sizeof *out);
    if (!out) return bz_fail(e, BZ_ENOMEM, "out of memory");
    bz_status s = rt_interpret(c, p, call, out, e);
    if (!s && !rt_outputs_new(c, p, call)) s = bz_fail(e, BZ_ENOMEM, "out of memory");
    for (uint32_t i = 0; i < p->noutputs; i++) {
        size_t bytes = (size_t)rt_layout_bytes(p->outputs[i].layout, p->outputs[i].dtype);
        if (!s && bytes) memcpy(call->out[i]->p, out[i].data, bytes);
        bz_mem_free(out[i].data);
    }
    bz_mem_free(out);
    return s;
}

static void plain_free(bz_context *c, rt_program *p) {
    (void)c;
    bz_mem_free(p);
}

/* ---- nothing: the passes and the code generator do their work, no kernel runs */

static rt_program *null_compile(bz_context *c, const ir_graph *g, bool eager, bz_error *e) {
    rt_program *code = rt_cpu.compile(c, g, eager, e);
    if (code) code->device = &rt_null;
    return code;
}

static bz_status null_run(bz_context *c, rt_program *p, const rt_call *call, bz_error *e) {
    if (!rt_outputs_new(c, p, call)) return bz_fail(e, BZ_ENOMEM, "out of memory");
    for (uint32_t i = 0; i < p->noutputs; i++) memset(call->out[i]->p, 0, call->out[i]->bytes);
    return BZ_OK;
}

static void null_free(bz_context *c, rt_program *p) {
    rt_cpu.free(c, p);
}

const rt_device rt_ref = {"ref", ref_compile, ref_run, plain_free};
const rt_device rt_null = {"null", null_compile, null_run, null_free};

const rt_device *const rt_devices[] = {
    [BZ_CPU] = &rt_cpu, [BZ_REF] = &rt_ref, [BZ_NULL] = &rt_null};
const unsigned rt_device_count = BZ_LEN(rt_devices);
