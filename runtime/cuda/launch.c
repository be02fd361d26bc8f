/* launch.c - the launches of a program on a GPU: a function for each phase of each kernel, its grid and arguments.
 *
 *     stretch: launches ... | the host looks at what they reported | stretch ...
 *        1st run: one by one        from the 2nd on: one graph (graph.c)
 *
 * A stretch ends where inputs are about to change and something may have been reported. */
#include "runtime/cuda/program.h"
#include "runtime/base/env.h"

#include <string.h>

enum {
    BLOCK = 128,        /* threads of a block whose tasks are threads */
    BLOCKS_MOST = 8,    /* blocks for each processor; the rest of the tasks are taken by these */
    SCRATCH_BLOCKS = 2, /* the same where threads want memory of their own */
};

/* ---- made */

cuda_grid cuda_grid_of(unsigned processors, const cuda_phase *of, int64_t tasks) {
    const int64_t each = of->threads ? 1 : BLOCK;
    const int64_t wanted = (tasks + each - 1) / each;
    int64_t most = (int64_t)processors * (of->scratch ? SCRATCH_BLOCKS : BLOCKS_MOST);
    if (of->threads && !of->scratch) most = INT32_MAX;
    return (cuda_grid){.blocks = (unsigned)(wanted < most ? wanted : most),
                       .threads = of->threads ? of->threads : BLOCK};
}

/* What the function of segment i is called with; the table's entries change from run to run, not their places. */
static bool make_args(cuda_program *p, uint32_t i) {
    const bz_rt_segment *s = &p->image.segments.p[i];
    const lp_kernel *k = p->plan->code->k.p[p->image.codes.p[i].kernel];
    cuda_launch *l = &p->launches[i];
    uint32_t n = 0;
    l->args = bz_mem_alloc((k->buffers.n + k->extents.n + k->scalars.n + 3) * sizeof *l->args);
    if (!l->args) return false;
    for (uint32_t b = 0; b < k->buffers.n; b++) l->args[n++] = &p->work.table[s->buffers + b];
    for (uint32_t x = 0; x < k->extents.n; x++) l->args[n++] = (void *)(uintptr_t)&s->extents[x];
    for (uint32_t x = 0; x < k->scalars.n; x++) l->args[n++] = p->work.table[s->scalars + x];
    l->args[n++] = &p->scratch;
    l->args[n++] = &p->error;
    l->args[n++] = &l->tasks;
    return true;
}

static bool make_launch(const cuda_memory *m, cuda_program *p, uint32_t i) {
    const rt_code_of of = p->image.codes.p[i];
    cuda_launch *l = &p->launches[i];
    l->of = cuda_phase_of(p->plan->code->k.p[of.kernel], p->plan->code, of.phase);
    l->f = (cu_function)p->kernels[of.kernel]->phases[of.phase];
    l->tasks = p->image.segments.p[i].tasks;
    l->grid = cuda_grid_of(m->processors, &l->of, l->tasks);
    p->reports |= l->of.reports;
    return make_args(p, i);
}

/* The segments of a launch of the plan that have a phase, as the image has them: phase by phase. */
static void find_segments(cuda_program *p, const pass_launch *of, uint32_t stage, uint32_t end,
                          uint32_t *i) {
    for (uint32_t ph = 0; stage + ph < end; ph++)
        for (uint32_t k = 0; k < of->nsegments; k++) {
            if (ph >= lp_phase_count(p->plan->code->k.p[of->segments[k].kernel])) continue;
            p->launches[*i].stage = stage + ph;
            p->launches[(*i)++].of_plan = &of->segments[k];
        }
}

static bool add_stretch(const cuda_memory *m, cuda_program *p, uint32_t first, uint32_t end) {
    cuda_stretch s = {.first = first, .end = end};
    uint32_t real = 0;
    for (uint32_t i = first; i < end; i++) {
        s.reports |= p->launches[i].of.reports;
        real += p->launches[i].tasks > 0;
    }
    s.plain = real < 2 || !rt_env_get()->graphs || !cu_has_graphs(m->d);
    return first == end || bz_vec_push(&p->stretches, s);
}

static bool make_stretches(const cuda_memory *m, cuda_program *p) {
    const rt_image *v = &p->image;
    uint32_t first = 0, i = 0;
    bool reported = false, ok = true;
    for (uint32_t ph = 0; ph < v->phases.n && ok; ph++) {
        if (reported && (v->phases.p[ph].flags & BZ_RT_CHANGES)) {
            ok = add_stretch(m, p, first, i);
            reported = false;
            first = i;
        }
        for (uint32_t n = v->phases.p[ph].nsegments; n-- > 0; i++)
            reported |= p->launches[i].of.reports;
    }
    return ok && add_stretch(m, p, first, i);
}

bz_status cuda_launches_make(const cuda_memory *m, cuda_program *p, bz_error *e) {
    bool ok = (p->launches = bz_mem_zero(p->image.codes.n + 1, sizeof *p->launches)) != NULL;
    bz_rt_fill_table(&p->image.base, p->args, &p->work, BZ_RT_VALUE); /* where scalars lie */
    for (uint32_t i = 0; i < p->image.codes.n && ok; i++) ok = make_launch(m, p, i);
    for (uint32_t l = 0, i = 0; l < p->plan->launches.n && ok; l++)
        find_segments(p, &p->plan->launches.p[l], p->image.first.p[l], p->image.first.p[l + 1], &i);
    ok = ok && make_stretches(m, p);
    return ok ? BZ_OK : bz_fail(e, BZ_ENOMEM, "out of memory");
}

void cuda_launches_drop(cuda_memory *m, cuda_program *p) {
    for (uint32_t i = 0; i < p->stretches.n; i++) cuda_graph_drop(m, &p->stretches.p[i]);
}

void cuda_launches_free(cuda_program *p) {
    for (uint32_t i = 0; i < p->stretches.n; i++) bz_mem_free(p->stretches.p[i].bound);
    for (uint32_t i = 0; p->launches && i < p->image.codes.n; i++) bz_mem_free(p->launches[i].args);
    bz_vec_free(&p->stretches);
    bz_mem_free(p->launches);
}

/* ---- run */

static const char *name_of(const cuda_program *p, uint32_t i) {
    return p->plan->code->k.p[p->image.codes.p[i].kernel]->name;
}

static bz_status launch(cuda_memory *m, cuda_program *p, uint32_t i, bz_error *e) {
    const cuda_launch *l = &p->launches[i];
    if (l->tasks == 0) return BZ_OK;
    const cu_result r = m->d->launch(l->f, l->grid.blocks, 1, 1, l->grid.threads, 1, 1, 0,
                                     m->stream, l->args, NULL);
    if (r) return cuda_check(m, r, "cuLaunchKernel", name_of(p, i), e);
    cuda_launched(m, name_of(p, i));
    return BZ_OK;
}

static bz_status launch_graph(cuda_memory *m, cuda_program *p, const cuda_stretch *s, bz_error *e) {
    const cu_result r = m->d->exec_launch(s->exec, m->stream);
    const uint32_t first = s->end - s->first > CUDA_LAST ? s->end - CUDA_LAST : s->first;
    for (uint32_t i = first; i < s->end && !r; i++) cuda_launched(m, name_of(p, i));
    if (!r) return BZ_OK;
    bz_text of = {0};
    bz_textf(&of, "%s to %s", name_of(p, s->first), name_of(p, s->end - 1));
    const bz_status status = cuda_check(m, r, "cuGraphLaunch", bz_text_c(&of), e);
    bz_text_free(&of);
    return status;
}

/* The first run may be the last: a graph costs more than it saves there. */
bz_status cuda_launches_run(cuda_memory *m, cuda_program *p, cuda_stretch *s, bz_error *e) {
    bz_status status = BZ_OK;
    if (s->exec)
        cuda_graph_bind(m, p, s);
    else if (!s->plain && p->base.runs)
        cuda_graph_make(m, p, s);
    if (s->exec) return launch_graph(m, p, s, e);
    for (uint32_t i = s->first; i < s->end && !status; i++) status = launch(m, p, i, e);
    return status;
}
