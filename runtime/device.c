/* device.c - what programs of all devices share, the reference device, and the check of one against the other. */
#include "runtime/rt.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- programs */

ir_graph *rt_graph_copy(const ir_graph *g, bz_error *e)
{
    ir_map map;
    bool *live = ir_live(g);
    ir_graph *n = live ? ir_rebuild_begin(g, &map) : NULL;
    for (ir_ref r = 1; n && r < g->n.n && !n->err.status; r++)
        if (live[r] && !map.to[r])
            map.to[r] = ir_rebuild_node(n, g, &map, r);
    bz_mem_free(live);
    if (!n)
        bz_fail(e, BZ_ENOMEM, "out of memory while copying a graph");
    return n ? ir_rebuild_end(n, g, &map, e) : NULL;
}

bool rt_program_init(bz_context *c, rt_program *p, const rt_device *d, const ir_graph *g, bz_error *e)
{
    bool keep = d == &rt_ref || rt_env_get()->check;
    p->device = d;
    p->ninputs = g->inputs.n;
    p->noutputs = g->outputs.n;
    p->outputs = bz_mem_zero(g->outputs.n, sizeof *p->outputs);
    p->graph = p->outputs && keep ? rt_graph_copy(g, e) : NULL;
    bool ok = p->outputs && (p->graph || !keep);
    for (uint32_t i = 0; ok && i < g->outputs.n; i++) {
        ir_ref r = g->outputs.p[i].node;
        p->outputs[i] = (rt_spec){ir_dtype(g, r), rt_layout_of_node(c, g, r)};
        ok = p->outputs[i].layout != NULL;
    }
    if (!ok) {
        ir_graph_free(p->graph);
        bz_mem_free(p->outputs);
    }
    return ok;
}

bool rt_outputs_new(bz_context *c, rt_program *p, const rt_call *call)
{
    for (uint32_t i = 0; i < p->noutputs; i++) {
        size_t bytes = (size_t)p->outputs[i].layout->count * ir_dtype_bytes(p->outputs[i].dtype);
        if (!call->out[i] && !(call->out[i] = rt_buffer_new(c, bytes)))
            return false;
    }
    return true;
}

rt_program *rt_program_new(bz_context *c, const ir_graph *g, bool eager, bz_error *e)
{
    uint64_t start = rt_now();
    rt_program *p = c->device->compile(c, g, eager, e);
    c->counters.compile_ns += rt_now() - start;
    return p;
}

void rt_program_free(bz_context *c, rt_program *p)
{
    if (!p)
        return;
    p->device->free(c, p);
    ir_graph_free(p->graph);
    bz_mem_free(p->outputs);
    bz_mem_free(p);
}

/* ---- the interpreter as a device */

bz_status rt_interpret(bz_context *c, rt_program *p, const rt_call *call, ir_value_array *outputs, bz_error *e)
{
    const ir_graph *g = p->graph;
    ir_value_array *in = bz_mem_zero(g->inputs.n, sizeof *in);
    (void)c;
    if (!in)
        return bz_fail(e, BZ_ENOMEM, "out of memory while interpreting");
    for (uint32_t i = 0; i < g->inputs.n; i++) {
        ir_ref r = g->inputs.p[i].node;
        in[i] = (ir_value_array){.dtype = ir_dtype(g, r), .rank = ir_at(g, r)->rank};
        ir_static_shape(g, r, in[i].shape);
        in[i].data = g->inputs.p[i].scalar ? (void *)(uintptr_t)&call->bits[i] : call->in[i]->p;
    }
    bz_status s = ir_interpret(g, in, outputs, e);
    bz_mem_free(in);
    return s;
}

static rt_program *ref_compile(bz_context *c, const ir_graph *g, bool eager, bz_error *e)
{
    (void)eager;
    rt_program *p = bz_mem_zero(1, sizeof *p);
    if (p && rt_program_init(c, p, &rt_ref, g, e))
        return p;
    bz_mem_free(p);
    bz_fail(e, BZ_ENOMEM, "out of memory while compiling");
    return NULL;
}

static bz_status ref_run(bz_context *c, rt_program *p, const rt_call *call, bz_error *e)
{
    ir_value_array *out = bz_mem_zero(p->noutputs, sizeof *out);
    bz_status s = out ? rt_interpret(c, p, call, out, e) : bz_fail(e, BZ_ENOMEM, "out of memory while interpreting");
    bool have = !s && rt_outputs_new(c, p, call);
    for (uint32_t i = 0; out && i < p->noutputs; i++) {
        if (have)
            memcpy(call->out[i]->p, out[i].data, (size_t)p->outputs[i].layout->count * ir_dtype_bytes(p->outputs[i].dtype));
        bz_mem_free(out[i].data);
    }
    bz_mem_free(out);
    return s || have ? s : bz_fail(e, BZ_ENOMEM, "out of memory for the results");
}

static void ref_free(bz_context *c, rt_program *p)
{
    (void)c;
    (void)p;
}

const rt_device rt_ref = {.name = "ref", .compile = ref_compile, .run = ref_run, .free = ref_free};

/* ---- BRAZE_CHECK: each run beside the interpreter */

/* A float's place in the order of all floats of its dtype. */
static int64_t place(bz_dtype t, ir_bits b)
{
    int64_t sign = INT64_C(1) << (ir_dtypes[t].bits - 1), v = (int64_t)b & (sign - 1);
    return ((int64_t)b & sign) ? -v : v;
}

static double distance(bz_dtype t, ir_bits a, ir_bits b)
{
    if (a == b)
        return 0;
    if (!ir_is_float(t))
        return INFINITY;
    bool x = isnan(ir_bits_to_f64(t, a)), y = isnan(ir_bits_to_f64(t, b));
    if (x || y)
        return x && y ? 0 : INFINITY;
    return t == BZ_F64 ? (ir_bits_to_f64(t, a) == ir_bits_to_f64(t, b) ? 0 : fabs((double)place(t, a) - (double)place(t, b)))
                       : fabs((double)(place(t, a) - place(t, b)));
}

static void compare(const rt_program *p, const rt_call *call, const ir_value_array *want)
{
    for (uint32_t i = 0; i < p->noutputs; i++) {
        const rt_spec *o = &p->outputs[i];
        size_t size = ir_dtype_bytes(o->dtype);
        double worst = 0;
        int64_t at = 0;
        for (int64_t k = 0; k < o->layout->count; k++) {
            double d = distance(o->dtype, ir_load_bits(o->dtype, (char *)call->out[i]->p + (size_t)k * size),
                                ir_load_bits(o->dtype, (char *)want[i].data + (size_t)k * size));
            if (d > worst) {
                worst = d;
                at = k;
            }
        }
        fprintf(stderr, "braze: check %s: worst %g ULP%s", p->graph->outputs.p[i].name, worst, worst > 0 ? "" : "\n");
        if (worst > 0)
            fprintf(stderr, " at element %lld\n", (long long)at);
    }
}

static bz_status run_checked(bz_context *c, rt_program *p, const rt_call *call, bz_error *e)
{
    ir_value_array *want = bz_mem_zero(p->noutputs, sizeof *want);
    bz_error ignored = {0};
    bool have = want && !rt_interpret(c, p, call, want, &ignored);
    bz_status s = p->device->run(c, p, call, e);
    if (have && !s)
        compare(p, call, want);
    for (uint32_t i = 0; want && i < p->noutputs; i++)
        bz_mem_free(want[i].data);
    bz_mem_free(want);
    return s;
}

bz_status rt_program_run(bz_context *c, rt_program *p, const rt_call *call)
{
    uint64_t start = c->profile ? rt_now() : 0;
    bz_error e = {0};
    bz_status s = p->graph && p->device != &rt_ref ? run_checked(c, p, call, &e) : p->device->run(c, p, call, &e);
    p->runs++;
    c->counters.evaluations++;
    if (c->profile) {
        p->run_ns += rt_now() - start;
        c->counters.run_ns += rt_now() - start;
    }
    return s ? bz_fail(&c->err, s, "%s", e.text) : BZ_OK;
}
