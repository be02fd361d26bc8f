/* cmd_explain.c - braze explain: kernels of a program, their cost, and why neighbours stayed apart. */
#include "runtime/explain/explain.h"
#include "tools/tool.h"

enum {
    EXPLAIN_JSON = TOOL_MACHINE_END,
    EXPLAIN_SVG,
    EXPLAIN_REPEAT,
    EXPLAIN_IN,
    EXPLAIN_DIM,
    EXPLAIN_AUTOCAST, EXPLAIN_LOAD
};

static const tool_option options[] = {
    TOOL_MACHINE_OPTIONS,
    {"json", NULL, "as JSON (the layout is described in braze/explain.h)"},
    {"svg", "FILE", "also draw it: a box for each kernel, arrows for buffers"},
    {"repeat", "N", "time N runs (default 20; 0: plan only, nothing runs)"},
    {"in", "NAME=FILE.npy",
     "the value of an input, or NAME=FILE.npz:ARRAY; the others are made up"},
    TOOL_DIM_OPTION,
    TOOL_AUTOCAST_OPTION,
    TOOL_LOAD_OPTION,
};

typedef struct explain_job {
    tool_machine machine;
    tool_files files;
    const char *svg;
    int64_t repeat;
    bool json;
} explain_job;

static bool read_options(tool_args *a, explain_job *j) {
    for (int o; (o = tool_next(a)) != TOOL_END;) {
        switch (o) {
        case TOOL_STOP: return false;
        case EXPLAIN_JSON: j->json = true; break;
        case EXPLAIN_SVG: j->svg = a->value; break;
        case EXPLAIN_IN:
            if (!bz_vec_push(&j->files.given, a->value)) return a->status = TOOL_ENVIRONMENT, false;
            break;
        case EXPLAIN_DIM:
            if (!tool_dim_option(a, &j->files)) return false;
            break;
        case EXPLAIN_LOAD:
            if (!tool_load_option(a)) return false;
            break;
        case EXPLAIN_AUTOCAST:
            if (!tool_autocast_option(a)) return false;
            break;
        case EXPLAIN_REPEAT:
            if (!tool_number(a, "repeat", 0, 1000000, &j->repeat)) return false;
            break;
        default:
            if (!tool_machine_option(a, o, &j->machine)) return false;
        }
    }
    const bz_device on = j->machine.options.device;
    if (on != BZ_CPU && on != BZ_CUDA)
        return tool_usage(a, "--device: only cpu and cuda have kernels to explain"), false;
    if (on == BZ_CUDA) j->repeat = 0; /* launches on a GPU are not timed one by one */
    return true;
}

static tool_status show(const explain_job *j, const bz_explanation *x) {
    bz_text t = {0}, svg = {0};
    bz_error e = {0};
    tool_status status = TOOL_DONE;
    if (!x) return tool_error(&(bz_error){.status = BZ_ENOMEM});
    if (j->svg) {
        tool_dirs dirs = {0};
        rt_explain_svg(&svg, x);
        tool_dirs_for(&dirs, j->svg, &e);
        if (!e.status) rt_file_replace_text(j->svg, &svg, &e);
        tool_dirs_done(&dirs, e.status == BZ_OK);
        if (e.status) status = tool_error(&e);
    }
    j->json ? rt_explain_json(&t, x) : rt_explain_text(&t, x);
    if (!status) status = tool_write(&t);
    bz_text_free(&t);
    bz_text_free(&svg);
    return status;
}

static tool_status explain_runs(const tool_source *s, const explain_job *j,
                                const ir_value_array *values, const bz_machine *m) {
    tool_engine x;
    bz_error e = {0};
    uint64_t ns;
    if (tool_engine_open(&x, &j->machine, s->g, values, &e)) return tool_source_error(s, &e);
    tool_engine_run(&x, &ns, &e); /* the first run, with its page faults, is not counted */
    bz_profile(x.c, true);
    for (int64_t i = 0; i < j->repeat && !e.status; i++) tool_engine_run(&x, &ns, &e);
    bz_explanation *report = e.status ? NULL : rt_explain(rt_program_plan(x.program), x.program, m);
    tool_status status = e.status ? tool_source_error(s, &e) : show(j, report);
    bz_explanation_free(report);
    tool_engine_close(&x);
    return status;
}

static tool_status explain_plan(tool_source *s, const explain_job *j) {
    bz_error e = {0};
    pass_target target;
    tool_status sized = tool_sizes(s, &j->files);
    if (sized) return sized;
    if (tool_target(&j->machine, &target, &e)) return tool_error(&e);
    pass_plan *p = pass_compile(s->g, &target, &e);
    if (!p) return tool_source_error(s, &e);
    bz_explanation *x = rt_explain(p, NULL, NULL);
    tool_status status = show(j, x);
    bz_explanation_free(x);
    pass_plan_free(p);
    return status;
}

static tool_status explain(tool_source *s, void *job) {
    const explain_job *j = job;
    bz_machine m;
    if (j->repeat == 0 || rt_has_control(s->g)) return explain_plan(s, j); /* or says why not */
    ir_value_array *values = bz_mem_zero(s->g->inputs.n + 1, sizeof *values);
    bool memory = values && bz_measure_machine(j->machine.options.threads, &m) == BZ_OK;
    tool_status status = memory ? tool_inputs(s, &j->files, &j->machine, values)
                                : tool_error(&(bz_error){.status = BZ_ENOMEM});
    if (!status) status = explain_runs(s, j, values, &m);
    tool_values_free(values, s->g->inputs.n);
    return status;
}

static tool_status run(tool_args *a) {
    explain_job j = {.repeat = 20, .machine.options.device = BZ_CPU, .files.invent = true};
    tool_status status = read_options(a, &j) ? tool_with_file(a, explain, &j) : a->status;
    bz_vec_free(&j.files.given);
    bz_vec_free(&j.files.dims);
    return status;
}

const tool_command tool_explain = {
    .name = "explain",
    .usage = "FILE.bz [--dim NAME=SIZE]... [--json] [--svg FILE] [--repeat N] [OPTION]...",
    .summary = "show the kernels of a program, their cost and what stayed apart",
    .help = "Compiles FILE.bz, runs it on given or made-up inputs, and shows for each kernel its "
            "ops, source lines, bytes,\n"
            "operations and time against what this machine allows (measured first); then every "
            "pair of neighbours that did\n"
            "not become one kernel, with the reason. With --device cuda: the plan for any GPU; nothing "
            "runs (see `braze kreport`).",
    .options = options,
    .noptions = BZ_LEN(options),
    .run = run,
};
