/* cmd_kreport.c - braze kreport: what the kernels of a program are made of on GPUs, without one. */
#include "runtime/base/env.h"
#include "tools/kreport.h"
#include "tools/tool.h"

enum { KREPORT_ARCH, KREPORT_JSON, KREPORT_DIM, KREPORT_AUTOCAST, KREPORT_NUMERICS };

static const tool_option options[] = {
    {"arch", "NAME,...", "kinds of GPUs: sm_75, 80, 86, 89, 90, 100, 120 (default: sm_80,sm_90)"},
    {"json", NULL, "as JSON (the layout is described in docs/cuda.md)"},
    TOOL_DIM_OPTION,
    TOOL_AUTOCAST_OPTION,
    TOOL_NUMERICS_OPTION,
};

typedef struct kreport_job {
    tool_files files;
    unsigned kinds[GPU_KINDS], n; /* in gpu_kinds */
    bool json;
    bz_options options; /* numerics */
} kreport_job;

/* ---- options */

static bool read_kinds(tool_args *a, kreport_job *j) {
    const char *names[GPU_KINDS + 1] = {0};
    for (unsigned i = 0; i < GPU_KINDS; i++) names[i] = gpu_kinds[i].name;
    return tool_list(a, "arch", names, j->kinds, &j->n);
}

static bool read_options(tool_args *a, kreport_job *j) {
    for (int o; (o = tool_next(a)) != TOOL_END;) {
        if (o == TOOL_STOP) return false;
        if (o == KREPORT_JSON) j->json = true;
        if (o == KREPORT_ARCH && !read_kinds(a, j)) return false;
        if (o == KREPORT_DIM && !tool_dim_option(a, &j->files)) return false;
        if (o == KREPORT_AUTOCAST && !tool_autocast_option(a)) return false;
        if (o == KREPORT_NUMERICS && !tool_numerics_option(a, &j->options.numerics)) return false;
    }
    return true;
}

/* ---- a machine */

typedef struct reading {
    const pass_plan *plan;
    const gpu_kind *kind;
    const nvrtc_image *image;
    bz_arena memory;
    bz_error *e;
} reading;

/* Of the segments that run with s: those of its kernel, if that is handed rows. */
static int64_t tasks_of(const reading *r, const pass_launch *l, const pass_segment *s,
                        unsigned phase) {
    const lp_kernel *k = r->plan->code->k.p[s->kernel];
    int64_t tasks = lp_phase_tasks(k, phase, s->extents, NULL);
    for (uint32_t i = 0; k->rows && i < l->nsegments; i++)
        if (&l->segments[i] != s && l->segments[i].kernel == s->kernel)
            tasks += lp_phase_tasks(k, phase, l->segments[i].extents, NULL);
    return tasks;
}

/* Does segment s run with an earlier one? */
static bool is_told(const reading *r, const pass_launch *l, uint32_t s) {
    uint32_t i = 0;
    while (l->segments[i].kernel != l->segments[s].kernel) i++;
    return i < s && r->plan->code->k.p[l->segments[s].kernel]->rows;
}

static bool read_function(reading *r, const pass_launch *l, const pass_segment *s, unsigned phase,
                          kreport_function *f) {
    const lp_kernel *k = r->plan->code->k.p[s->kernel];
    const cuda_phase of = cuda_phase_of(k, r->plan->code, phase);
    bz_text name = {0};
    cuda_symbol(&name, k->name, phase);
    f->name = name.failed ? NULL : bz_arena_str(&r->memory, bz_text_c(&name));
    bz_text_free(&name);
    if (!f->name) return bz_fail(r->e, BZ_ENOMEM, "out of memory"), false;
    if (!cubin_read(r->image, r->kind->cc, f->name, &f->code))
        return bz_fail(r->e, BZ_ECOMPILE, "NVRTC's image for sm_%u has no function %s", r->kind->cc,
                       f->name),
               false;
    f->grid = bz_rt_cuda_grid_of(r->kind->processors, of.threads, (uint64_t)of.scratch,
                                 tasks_of(r, l, s, phase));
    f->code.shared += (unsigned)of.dynamic;
    f->fit = gpu_occupy(r->kind, f->code.registers, f->code.shared, f->grid.threads);
    return true;
}

static bool read_functions(reading *r, kreport_launch *l) {
    const lp_module *m = r->plan->code;
    uint32_t most = 0;
    for (uint32_t s = 0; s < l->of->nsegments; s++)
        most += lp_phase_count(m->k.p[l->of->segments[s].kernel]);
    kreport_function *f = bz_arena_alloc(&r->memory, (most + 1) * sizeof *f);
    if (!f) return bz_fail(r->e, BZ_ENOMEM, "out of memory"), false;
    l->functions = f;
    for (uint32_t s = 0; s < l->of->nsegments; s++) {
        const pass_segment *of = &l->of->segments[s];
        const unsigned phases = is_told(r, l->of, s) ? 0 : lp_phase_count(m->k.p[of->kernel]);
        for (unsigned ph = 0; ph < phases; ph++)
            if (!read_function(r, l->of, of, ph, &f[l->n++])) return false;
    }
    return true;
}

/* Of the factors that matrix units multiply in the launch; 0: none do. */
static unsigned factor_bits(const lp_module *m, const pass_launch *of) {
    for (uint32_t s = 0; s < of->nsegments; s++) {
        const lp_kernel *k = m->k.p[of->segments[s].kernel];
        for (lp_val v = 1; v < k->inst.n; v++)
            if (k->inst.p[v].op == LP_MMA)
                return ir_dtypes[k->inst.p[lp_args(k, &k->inst.p[v])[0]].dtype].bits;
    }
    return 0;
}

/* All of it can be under way at once as far as the roofline cares. */
static void estimate(const reading *r, kreport_launch *l) {
    const pass_launch *of = l->of;
    l->work = (gpu_work){.bytes = (double)of->bytes_read + (double)of->bytes_written,
                         .flops = (double)of->flops,
                         .specials = (double)of->specials};
    for (uint32_t i = 0; i < of->nnodes; i++)
        l->work.f64 |= ir_dtype(r->plan->graph, of->nodes[i]) == BZ_F64;
    l->work.matrix = factor_bits(r->plan->code, of);
    for (uint32_t i = 0; i < l->n; i++) l->work.blocks += l->functions[i].grid.blocks;
    l->roof = gpu_roofline(r->kind, &l->work);
}

static bool read_machine(reading *r, kreport_machine *m) {
    const uint32_t n = r->plan->launches.n;
    kreport_launch *l = bz_arena_alloc(&r->memory, (n + 1) * sizeof *l);
    if (!l) return bz_fail(r->e, BZ_ENOMEM, "out of memory"), false;
    for (uint32_t i = 0; i < n; i++) {
        l[i] = (kreport_launch){.of = &r->plan->launches.p[i]};
        if (!read_functions(r, &l[i])) return false;
        estimate(r, &l[i]);
    }
    *m = (kreport_machine){r->kind, l, n};
    return true;
}

static bz_status report_plan(const kreport_job *j, const pass_plan *p, const gpu_kind *kind,
                             bz_text *out, bz_error *e) {
    nvrtc_image image;
    kreport_machine m;
    bz_text text = {0};
    bz_status s = cuda_emit(p->code, &text, e);
    if (!s) s = nvrtc_compile(bz_text_c(&text), kind->cc, true, &image, e);
    bz_text_free(&text);
    if (s) return s;
    reading r = {.plan = p, .kind = kind, .image = &image, .e = e};
    if (read_machine(&r, &m)) j->json ? kreport_json(out, &m) : kreport_text(out, &m);
    bz_arena_free(&r.memory);
    nvrtc_image_free(&image);
    return e->status;
}

/* ---- the command */

/* How kernels are cut hangs on what a kind has. */
static bz_status report_machine(const kreport_job *j, const ir_graph *g, const gpu_kind *kind,
                                bz_text *out, bz_error *e) {
    pass_target t = pass_gpu_of(kind->cc, rt_is_fast(&j->options));
    t.shared = gpu_shared_most(kind);
    pass_plan *p = pass_compile(g, &t, e);
    if (p) report_plan(j, p, kind, out, e);
    pass_plan_free(p);
    return e->status;
}

static bz_status report(const kreport_job *j, const ir_graph *g, bz_text *out, bz_error *e) {
    bz_status s = nvrtc_open(e);
    if (!s && j->json)
        bz_textf(out, "{\"nvrtc\": \"%d.%d\", \"machines\": [", nvrtc_version() / 1000,
                 nvrtc_version() % 1000 / 10);
    for (unsigned i = 0; i < j->n && !s; i++) {
        if (j->json) bz_text_str(out, i ? ",\n " : "\n ");
        s = report_machine(j, g, &gpu_kinds[j->kinds[i]], out, e);
    }
    if (j->json) bz_text_str(out, "]}\n");
    return s;
}

static tool_status kreport(tool_source *s, void *job) {
    const kreport_job *j = job;
    bz_error e = {0};
    bz_text out = {0};
    tool_status status = tool_sizes(s, &j->files);
    if (status) return status;
    status = report(j, s->g, &out, &e) ? tool_source_error(s, &e) : tool_write(&out);
    bz_text_free(&out);
    return status;
}

static tool_status run(tool_args *a) {
    kreport_job j = {0};
    for (unsigned i = 0; i < GPU_KINDS; i++)
        if (gpu_kinds[i].cc == 80 || gpu_kinds[i].cc == 90) j.kinds[j.n++] = i;

    tool_status status = read_options(a, &j) ? tool_with_file(a, kreport, &j) : a->status;
    bz_vec_free(&j.files.dims);
    return status;
}

const tool_command tool_kreport = {
    .name = "kreport",
    .usage = "FILE.bz [--arch sm_80,sm_90] [--dim NAME=SIZE]... [--numerics fast] [--json]",
    .summary = "show what the kernels of a program are made of on GPUs",
    .help = "Compiles FILE.bz for GPUs of these kinds, without one, by NVRTC, and shows for each "
            "kernel its registers, spills,\n"
            "shared memory, occupancy, instructions and widths of accesses as the machine code "
            "has them, and how fast a card\n"
            "of the kind could be at best (docs/cuda.md, \"What a kernel is made of\").",
    .options = options,
    .noptions = BZ_LEN(options),
    .run = run,
};
