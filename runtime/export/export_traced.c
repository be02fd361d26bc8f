/* export_traced.c - compiled functions as graphs: as they are called, or for each size that they will be told.
 *
 *     in --the axes that have the size--> stand-ins of other shapes, whose memory nobody looks at --> rt_trace */
#include "runtime/export/export_traced.h"

#include <string.h>

static const bz_export_axis *axis_of(const bz_export_size *q, int input, int axis) {
    for (int i = 0; i < q->naxes; i++)
        if (q->axes[i].input == input && q->axes[i].axis == axis) return &q->axes[i];
    return NULL;
}

/* A tensor like x but for the axes that have size n. NULL: an error in c. */
static bz_tensor *stand_in(bz_context *c, bz_tensor *x, const bz_export_size *q, int input,
                           int64_t n) {
    static char nothing[64];
    int64_t shape[IR_MAX_RANK];
    const int rank = bz_ndim(x);
    for (int a = 0; a < rank; a++) shape[a] = axis_of(q, input, a) ? n : bz_shape(x)[a];
    return bz_from_buffer(c, bz_dtype_of(x), nothing, shape, NULL, rank);
}

bz_status ex_trace_at(const bz_export_function *f, const bz_export_size *q, int64_t n,
                      rt_traced *out) {
    bz_context *c = f->program->c;
    const int nin = f->program->nin;
    bz_tensor **in = bz_mem_zero((size_t)nin + 1, sizeof *in);
    bz_status s = in ? BZ_OK : rt_no_memory(c);
    for (int i = 0; i < nin && !s; i++) {
        bool sized = false;
        for (int k = 0; k < q->naxes; k++) sized |= q->axes[k].input == i;
        in[i] = sized ? stand_in(c, f->in[i], q, i, n) : f->in[i];
        if (sized) s = bz_context_status(c);
    }
    if (!s) s = rt_trace(f->program, in, out);
    for (int i = 0; i < nin && in; i++)
        if (in[i] && in[i] != f->in[i]) bz_release(in[i]);
    bz_mem_free(in);
    return s;
}

/* A call may read its captured tensors by number: they are the same ones in the same order. */
static bool same_captured(const rt_traced *a, const rt_traced *b) {
    bool same = a->graph->inputs.n == b->graph->inputs.n && a->key == b->key && a->base == b->base;
    for (uint32_t i = 0; i < a->graph->inputs.n && same; i++) same = a->hidden[i] == b->hidden[i];
    return same;
}

static bz_status graph_at(void *user, int64_t n, const ir_graph **g, uint64_t *words, bz_error *e) {
    ex_traced_size *z = user;
    rt_traced_free(&z->last);
    z->last = (rt_traced){0};
    bz_status s = ex_trace_at(z->f, z->q, n, &z->last);
    if (s) return bz_fail(e, s, "%s", bz_message(z->base->context));
    if (!same_captured(z->base, &z->last))
        return bz_fail(e, BZ_EARG,
                       "[export] with %s = %lld the function captures other tensors than with %lld",
                       z->size.name, (long long)n, (long long)z->size.hi);
    *g = z->last.graph;
    *words = z->last.words;
    return BZ_OK;
}

bz_status ex_check_axes(const bz_export_function *f, const bz_export_size *q) {
    bz_context *c = f->program->c;
    for (int i = 0; i < q->naxes; i++) {
        const bz_export_axis *a = &q->axes[i];
        const bool there = a->input >= 0 && a->input < f->program->nin && f->in;
        const int rank = there ? bz_ndim(f->in[a->input]) : 0;
        if (!there)
            return rt_fail(c, BZ_EARG, NULL, "export",
                           "%s has no input %d, whose axis %d has a size",
                           f->name ? f->name : "the function", a->input, a->axis);
        if (a->axis < 0 || a->axis >= rank)
            return rt_fail(c, BZ_EARG, NULL, "export", "input %d has no axis %d, it has %d axes",
                           a->input, a->axis, rank);
    }
    if (q->naxes < 1)
        return rt_fail(c, BZ_EARG, NULL, "export", "the size %s is that of no axis",
                       q->name ? q->name : "n");
    return BZ_OK;
}

void ex_traced_size_make(ex_traced_size *z, const bz_export_function *f, const bz_export_size *q,
                         const rt_traced *base) {
    *z = (ex_traced_size){.f = f, .q = q, .base = base};
    z->size = (ex_size){
        .name = q->name ? q->name : "n", .lo = q->lo, .hi = q->hi, .graph = graph_at, .user = z};
}

void ex_traced_size_free(ex_traced_size *z) {
    rt_traced_free(&z->last);
}
