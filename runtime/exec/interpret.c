/* interpret.c - programs on the reference interpreter: what the ref device runs, and what others are compared with. */
#include "runtime/exec/device.h"
#include "runtime/base/watch.h"

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
bz_status rt_find_nan(bz_context *c, rt_program *p, const rt_call *call, bz_error *e) {
    ir_value_array *out = bz_mem_zero(p->noutputs, sizeof *out);
    if (!out) return bz_fail(e, BZ_ENOMEM, "out of memory");
    bz_status s = rt_interpret(c, p, call, out, e);
    for (uint32_t i = 0; i < p->noutputs; i++) bz_mem_free(out[i].data);
    bz_mem_free(out);
    return s;
}

static bz_status look_at_input(const ir_graph *g, uint32_t i, const rt_call *call,
                               ir_value_array *in, rt_bytes *bytes, bz_error *e) {
    ir_ref r = g->inputs.p[i].node;
    const rt_buffer *b = call->in[i];
    int64_t n = 0;
    in->dtype = ir_dtype(g, r);
    in->rank = ir_at(g, r)->rank;
    ir_static_shape(g, r, in->shape);
    ir_numel(g, r, &n);
    *bytes = (rt_bytes){.p = &call->bits[i]};
    bz_status s = b ? rt_look(rt_start(b), (size_t)n * ir_dtype_bytes(in->dtype), bytes, e) : BZ_OK;
    in->data = (void *)(uintptr_t)bytes->p; /* the interpreter reads it alone */
    return s;
}

bz_status rt_interpret(bz_context *c, rt_program *p, const rt_call *call, ir_value_array *outputs,
                       bz_error *e) {
    const ir_graph *g = p->graph;
    const looker looks = {{rt_memory_most(), look}, c};
    ir_value_array *in = bz_mem_zero(g->inputs.n, sizeof *in);
    rt_bytes *bytes = bz_mem_zero(g->inputs.n, sizeof *bytes);
    bz_status s = in && bytes ? BZ_OK : bz_fail(e, BZ_ENOMEM, "out of memory");
    for (uint32_t i = 0; i < g->inputs.n && !s; i++)
        s = look_at_input(g, i, call, &in[i], &bytes[i], e);
    if (!s) s = ir_interpret_seen(g, in, outputs, c ? &looks.base : NULL, e);
    for (uint32_t i = 0; i < g->inputs.n && bytes; i++) rt_look_away(&bytes[i]);
    bz_mem_free(bytes);
    bz_mem_free(in);
    return s;
}
