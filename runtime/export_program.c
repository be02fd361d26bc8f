/* export_program.c - bz_export: a compiled function traced once more, its graph named and handed to
 * export.c. */
#include "runtime/export.h"
#include "runtime/rt.h"

#include <braze/export.h>

static const cg_isa isas[] = {CG_V3, CG_V4};

/* The graph keeps the pointers: the caller's arrays live longer. */
static void name_members(ir_graph *g, int nin, int nout, const bz_export_options *o) {
    for (int i = 0; o && o->in_names && i < nin; i++) g->inputs.p[i].name = o->in_names[i];
    for (int k = 0; o && o->out_names && k < nout; k++) g->outputs.p[k].name = o->out_names[k];
}

bz_status bz_export(bz_program *p, bz_tensor *const *in, const char *prefix, const char *name,
                    const bz_export_options *o) {
    RT_BORDER;
    bz_context *c = rt_context_of_program(p);
    if (!c) return RT_STRAY_STATUS;
    RT_VISIT(c, RT_STRAY_STATUS);
    rt_traced t = {0};
    bz_error error = {0};
    bz_status s = rt_trace(p, in, &t);
    if (s) return s;
    name_members(t.graph, t.nin, t.nout, o);
    s = rt_export_graph(t.graph, prefix, name, isas, BZ_LEN(isas), &error);
    if (s) bz_fail(&t.context->err, s, "%s", error.text);
    ir_graph_free(t.graph);
    return s;
}
