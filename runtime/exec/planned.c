/* planned.c - what the programs of all devices share that run a plan's kernels: room, arguments, what is said of outputs and of errors. */
#include "runtime/exec/device.h"
#include "runtime/base/env.h"
#include "runtime/exec/image.h"
#include "runtime/exec/kernels.h"
#include "src/ir/external.h"

#include <stdio.h>

bz_status rt_check_plan(const rt_memory *m, const pass_plan *p, int64_t more, bz_error *e) {
    int64_t bytes =
        bz_plus(bz_plus(bz_plus(p->arena_bytes, p->kept_bytes), more), (int64_t)rt_consts_bytes(p));
    for (uint32_t i = 0; i < p->buffers.n; i++) {
        const pass_buffer *b = &p->buffers.p[i];
        if (b->place == PASS_OUTPUT)
            bytes = bz_plus(bytes, bz_times(b->count, (int64_t)ir_dtype_bytes(b->dtype)));
    }
    return rt_check_room(m, bytes, RT_RESULTS_TAKE, e);
}

void rt_place_outputs(rt_program *p, const pass_plan *plan) {
    for (uint32_t i = 0; i < p->noutputs; i++) {
        const pass_buffer *of = &plan->buffers.p[plan->output[i]];
        if (of->place == PASS_INPUT)
            p->outputs[i].input = (int)of->number;
        else
            p->outputs[i].first = of->number;
    }
}

void rt_set_words(const rt_program *p, uint64_t *words, const rt_call *call) {
    uint64_t *out = words + p->ninputs;
    for (uint32_t i = 0; i < p->ninputs; i++)
        words[i] = call->in[i] ? call->in[i]->at : call->bits[i];
    for (uint32_t i = 0; i < p->noutputs; i++) out[i] = call->out[i]->at;
}

bz_status rt_reported(const rt_program *p, const ir_graph *g, int64_t lowest, int64_t code,
                      const rt_call *call, bz_error *e) {
    if (lowest == INT64_MAX) return BZ_OK;
    const ir_ref r = lowest > 0 && lowest < g->n.n ? (ir_ref)lowest : 0;
    if (r && ir_at(g, r)->op == IR_EXTERNAL)
        return ir_external_failed(ir_name_of(g, r), g->sites.p[r], code, e);
    if (r && code == BZ_EINDEX) return rt_bad_index(p, g, r, call, e);
    return bz_fail(e, (bz_status)code, "[kernel] %s", bz_status_doc((bz_status)code));
}

const rt_kernel **rt_plan_code(bz_context *c, const pass_plan *p, const rt_codegen *g,
                               const bz_watch *w, bz_error *e) {
    rt_kernels_count n;
    const rt_kernel **out = bz_mem_zero(p->code->k.n, sizeof *out);
    if (!out) return bz_fail(e, BZ_ENOMEM, "out of memory"), NULL;
    if (rt_kernels_get(p->code, g, out, &n, w, e)) {
        bz_mem_free(out);
        return NULL;
    }
    c->counters.kernels_built += n.built;
    c->counters.kernels_shared += n.shared;
    c->counters.kernels_loaded += n.stored;
    return out;
}

void rt_say_times(const pass_plan *plan, const ir_graph *g, uint64_t passes, uint64_t code) {
    bz_text t = {0};
    if (rt_env_get()->debug < 1) return;
    bz_textf(&t, "braze: compiled %u nodes: passes %.2f ms", g->n.n, (double)passes * 1e-6);
    for (unsigned i = 0; i < PASS_COUNT && plan; i++)
        bz_textf(&t, "%s%s %.2f", i ? ", " : " (", pass_table[i].name, (double)plan->ns[i] * 1e-6);
    bz_textf(&t, "%s, code %.2f ms\n", plan ? ")" : "", (double)code * 1e-6);
    fputs(bz_text_c(&t), stderr);
    bz_text_free(&t);
}
