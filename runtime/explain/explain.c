/* explain.c - a plan as data for people: kernels, flows between them, and what stayed apart.
 *
 *     pass_plan --rt_explain--> bz_explanation --explain_text.c--> table, JSON    --explain_svg.c--> picture
 *
 * Everything is copied into one arena: the explanation outlives its program. */
#include "runtime/base/env.h"
#include "runtime/explain/explain.h"
#include "runtime/compile/trace.h"

#include <string.h>

typedef struct maker {
    const pass_plan *p;
    bz_arena arena;
    bz_explanation x;
    int *kernel_of; /* node of plan->graph -> launch, -1 */
    bool failed;
} maker;

typedef struct owned {
    bz_explanation x; /* first: what the caller sees */
    bz_arena arena;
} owned;

static void *take(maker *m, size_t n, size_t size) {
    void *p = bz_arena_alloc(&m->arena, n * size + 1);
    if (p)
        memset(p, 0, n * size);
    else
        m->failed = true;
    return p;
}

static const char *own(maker *m, const char *s) {
    const char *p = s ? bz_arena_str(&m->arena, s) : "";
    m->failed |= !p;
    return p ? p : "";
}

/* ---- kernels */

static void count_ops(maker *m, bz_kernel_report *k, const pass_launch *l) {
    const char **names = take(m, l->nnodes, sizeof *names);
    int *counts = take(m, l->nnodes, sizeof *counts);
    if (m->failed) return;
    for (uint32_t i = 0; i < l->nnodes; i++) {
        const ir_node *n = ir_at(m->p->graph, l->nodes[i]);
        const char *name = n->op == IR_REDUCE ? ir_reduce_name(ir_reduce_get(m->p->graph, n).kind)
                                              : ir_ops[n->op].name;
        int at = 0;
        while (at < k->nops && strcmp(names[at], name) != 0) at++;
        if (at == k->nops) names[k->nops++] = name; /* of a static table */
        counts[at]++;
    }
    k->ops = names;
    k->op_counts = counts;
}

static void list_sites(maker *m, bz_kernel_report *k, const pass_launch *l) {
    const char **sites = take(m, l->nnodes, sizeof *sites);
    for (uint32_t i = 0; i < l->nnodes && !m->failed; i++) {
        const char *site = m->p->graph->sites.p[l->nodes[i]];
        int at = 0;
        while (site && at < k->nsites && strcmp(sites[at], site) != 0) at++;
        if (site && at == k->nsites) sites[k->nsites++] = own(m, site);
    }
    k->sites = sites;
}

/* Names of extents are a word and a number (src/passes/emit.c); those of places and constants are no sizes. */
static const char *sizes_of(maker *m, const pass_segment *s) {
    static const char *const sizes[] = {"n", "all", "outer", "rows", "batch", "m", "k"};
    const lp_kernel *k = m->p->code->k.p[s->kernel];
    bz_text t = {0};
    for (uint32_t i = 0; i < k->extents.n; i++) {
        const char *name = k->extents.p[i].name;
        const size_t n = strcspn(name, "0123456789");
        for (unsigned w = 0; w < BZ_LEN(sizes); w++)
            if (strlen(sizes[w]) == n && !memcmp(sizes[w], name, n))
                bz_textf(&t, "%s%s %lld", t.n ? ", " : "", sizes[w], (long long)s->extents[i]);
    }
    const char *p = own(m, bz_text_c(&t));
    m->failed |= t.failed;
    bz_text_free(&t);
    return p;
}

static void set_limit(bz_kernel_report *k, const bz_machine *machine) {
    double memory = 0, compute = 0;
    if (machine->bytes_per_s > 0)
        memory = (double)(k->bytes_read + k->bytes_written) / machine->bytes_per_s * 1e9;
    if (machine->flops_per_s > 0) compute = (double)k->flops / machine->flops_per_s * 1e9;
    k->memory_bound = memory >= compute;
    k->limit_ns = k->memory_bound ? memory : compute;
}

static void make_kernels(maker *m, const rt_program *measured) {
    const pass_plan *p = m->p;
    bz_kernel_report *kernels = take(m, p->launches.n, sizeof *kernels);
    for (uint32_t i = 0; i < p->launches.n && !m->failed; i++) {
        const pass_launch *l = &p->launches.p[i];
        bz_kernel_report *k = &kernels[i];
        *k = (bz_kernel_report){.name = own(m, l->name),
                                .sizes = l->nsegments ? sizes_of(m, &l->segments[0]) : "",
                                .segments = (int)l->nsegments,
                                .bytes_read = l->bytes_read,
                                .bytes_written = l->bytes_written,
                                .flops = l->flops,
                                .specials = l->specials};
        count_ops(m, k, l);
        list_sites(m, k, l);
        set_limit(k, &m->x.machine);
        if (measured) {
            bz_rt_time r = rt_program_time(measured, i);
            k->runs = r.runs;
            k->ns = r.runs ? (double)r.ns / (double)r.runs : 0;
        }
        for (uint32_t n = 0; n < l->nnodes; n++) m->kernel_of[l->nodes[n]] = (int)i;
    }
    m->x.kernels = kernels;
    m->x.nkernels = (int)p->launches.n;
}

/* ---- flows: for every launch what it reads, and from whom; at the end the outputs */

typedef struct flows {
    BZ_VEC(bz_flow_report) v;
    int *writer; /* plan buffer -> launch that wrote it last, -1 */
} flows;

static void add_flow(maker *m, flows *f, int from, int to, uint32_t buffer, const char *name) {
    const pass_buffer *b = &m->p->buffers.p[buffer];
    int64_t bytes = b->count * (int64_t)ir_dtype_bytes(b->dtype);
    for (uint32_t i = f->v.n;
         i-- > 0 && f->v.p[i].to == to;) /* two segments may read the same buffer */
        if (f->v.p[i].from == from && f->v.p[i].bytes == bytes &&
            strcmp(f->v.p[i].name, name) == 0 && from < 0)
            return;
    bz_flow_report r = {from, to, own(m, name), b->dtype, bytes};
    m->failed |= !bz_vec_push(&f->v, r);
}

static void read_buffer(maker *m, flows *f, int launch, uint32_t buffer) {
    const pass_buffer *b = &m->p->buffers.p[buffer];
    if (b->place == PASS_CONST) return;
    if (f->writer[buffer] >= 0)
        add_flow(m, f, f->writer[buffer], launch, buffer, "");
    else if (b->place == PASS_INPUT)
        add_flow(m, f, -1, launch, buffer, m->p->graph->inputs.p[b->number].name);
}

/* Reads of all segments come before writes: a kernel that works in place reads the value before. */
static void launch_flows(maker *m, flows *f, uint32_t launch) {
    const pass_launch *l = &m->p->launches.p[launch];
    for (int writing = 0; writing < 2; writing++)
        for (uint32_t s = 0; s < l->nsegments; s++) {
            const lp_kernel *k = m->p->code->k.p[l->segments[s].kernel];
            for (uint32_t i = 0; i < k->buffers.n; i++) {
                lp_access a = k->buffers.p[i].access;
                uint32_t b = l->segments[s].buffers[i];
                if (!writing && (a == LP_IN || a == LP_INOUT)) read_buffer(m, f, (int)launch, b);
                if (writing && a != LP_IN) f->writer[b] = (int)launch;
            }
        }
}

static void make_flows(maker *m) {
    flows f = {.writer = take(m, m->p->buffers.n, sizeof *f.writer)};
    if (!f.writer) return;
    for (uint32_t i = 0; i < m->p->buffers.n; i++) f.writer[i] = -1;
    for (uint32_t i = 0; i < m->p->launches.n; i++) launch_flows(m, &f, i);
    for (uint32_t i = 0; i < m->p->noutputs; i++)
        add_flow(m, &f, f.writer[m->p->output[i]], -1, m->p->output[i],
                 m->p->graph->outputs.p[i].name);
    bz_flow_report *copy = take(m, f.v.n, sizeof *copy);
    if (copy && f.v.n) memcpy(copy, f.v.p, f.v.n * sizeof *copy);
    m->x.flows = copy;
    m->x.nflows = (int)f.v.n;
    bz_vec_free(&f.v);
}

/* ---- apart */

static void make_apart(maker *m) {
    const ir_graph *g = m->p->graph;
    bz_apart_report *apart = take(m, m->p->refusals.n, sizeof *apart);
    for (uint32_t i = 0; i < m->p->refusals.n && !m->failed; i++) {
        const pass_refusal *r = &m->p->refusals.p[i];
        apart[i] = (bz_apart_report){
            .producer = ir_ops[ir_at(g, r->producer)->op].name,
            .consumer = ir_ops[ir_at(g, r->consumer)->op].name,
            .producer_site = own(m, g->sites.p[r->producer]),
            .consumer_site = own(m, g->sites.p[r->consumer]),
            .producer_kernel = m->kernel_of[r->producer],
            .consumer_kernel = m->kernel_of[r->consumer],
            .reason = own(m, r->reason),
        };
    }
    m->x.apart = apart;
    m->x.napart = (int)m->p->refusals.n;
}

/* ---- the whole */

bz_explanation *rt_explain(const pass_plan *p, const rt_program *measured,
                           const bz_machine *machine) {
    maker m = {.p = p,
               .x = {.arena_bytes = p->arena_bytes,
                     .arena_bound = p->arena_bound,
                     .kept_bytes = p->kept_bytes}};
    if (machine) m.x.machine = *machine;
    m.kernel_of = take(&m, p->graph->n.n, sizeof *m.kernel_of);
    for (uint32_t i = 0; i < p->graph->n.n && !m.failed; i++) m.kernel_of[i] = -1;
    if (!m.failed) make_kernels(&m, measured);
    if (!m.failed) make_flows(&m);
    if (!m.failed) make_apart(&m);
    owned *o = m.failed ? NULL : bz_mem_alloc(sizeof *o);
    if (!o) {
        bz_arena_free(&m.arena);
        return NULL;
    }
    *o = (owned){m.x, m.arena};
    return &o->x;
}

bz_status bz_explain(bz_program *p, const bz_machine *machine, bz_explanation **out) {
    RT_BORDER;
    if (!out) return rt_stray(NULL, BZ_EARG, "[explain] the destination is NULL");
    *out = NULL;
    bz_context *c = rt_context_of_program(p);
    if (!c) return RT_STRAY_STATUS;
    RT_VISIT(c, RT_STRAY_STATUS);
    const rt_program *program = rt_compiled(p, &c);
    const pass_plan *plan = program ? rt_program_plan(program) : NULL;
    if (!program)
        return rt_fail(c, BZ_EMODE, NULL, "explain",
                       "nothing is compiled yet; call bz_prepare first");
    if (!plan && program->gives)
        return rt_fail(c, BZ_EMODE, NULL, "explain",
                       "the program chooses between plans (bz_cond, bz_while, bz_for), of which "
                       "each would be explained, not all");
    if (!plan)
        return rt_fail(c, BZ_EMODE, NULL, "explain", "device %s has no kernels",
                       rt_device_names[c->options.device]);
    *out = rt_explain(plan, program, machine);
    return *out ? BZ_OK : rt_no_memory(c);
}

void bz_explanation_free(bz_explanation *x) {
    owned *o = (owned *)x;
    if (!o) return;
    bz_arena_free(&o->arena);
    bz_mem_free(o);
}
