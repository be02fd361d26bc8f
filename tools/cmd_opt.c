/* cmd_opt.c - braze opt: passes over a program, text in, text out. */
#include "tools/tool.h"

#include <string.h>

enum { OPT_PASSES = TOOL_MACHINE_END, OPT_PLAN, OPT_LOOPS, OPT_DIM, OPT_AUTOCAST, OPT_LOAD };

static const tool_option options[] = {
    TOOL_MACHINE_OPTIONS,
    {"passes", "NAME,...",
     "graph passes to run, in this order (default: all; empty: none); a stage of the plan may be "
     "the last"},
    {"plan", NULL, "print the plan: kernels, buffers and what stayed apart"},
    {"loops", NULL, "print the kernel loops"},
    TOOL_DIM_OPTION,
    TOOL_AUTOCAST_OPTION,
    TOOL_LOAD_OPTION,
};

typedef struct opt_job {
    tool_machine machine;
    tool_files files;
    const char *passes; /* NULL: all */
    bool plan, loops;
} opt_job;

static bool read_options(tool_args *a, opt_job *j) {
    for (int o; (o = tool_next(a)) != TOOL_END;) {
        switch (o) {
        case TOOL_STOP: return false;
        case OPT_PASSES: j->passes = a->value; break;
        case OPT_PLAN: j->plan = true; break;
        case OPT_LOOPS: j->loops = true; break;
        case OPT_DIM:
            if (!tool_dim_option(a, &j->files)) return false;
            break;
        case OPT_LOAD:
            if (!tool_load_option(a)) return false;
            break;
        case OPT_AUTOCAST:
            if (!tool_autocast_option(a)) return false;
            break;
        default:
            if (!tool_machine_option(a, o, &j->machine)) return false;
        }
    }
    return true;
}

/* Runs one pass; takes g unless it is the source's own. */
static ir_graph *run_pass(const tool_source *s, const pass_info *p, ir_graph *g,
                          const pass_target *t, bz_error *e) {
    ir_graph *next = p->run(g, t, e);
    if (g != s->g && g != next) ir_graph_free(g);
    return next;
}

/* *stage: that the list ends with. */
static ir_graph *run_passes(const tool_source *s, const char *list, const pass_target *t,
                            const pass_info **stage, bz_error *e) {
    ir_graph *g = s->g;
    for (unsigned i = 0; !list && i < PASS_COUNT && g; i++)
        if (pass_table[i].run) g = run_pass(s, &pass_table[i], g, t, e);
    for (const char *at = list; at && *at && g;) {
        size_t n = strcspn(at, ",");
        const pass_info *p = pass_find(at, n);
        if (!p)
            bz_fail(e, BZ_EARG, "there is no pass '%.*s'; `braze opt --help` lists them", (int)n,
                    at);
        else if (!p->run && at[n])
            bz_fail(e, BZ_EARG, "'%s' is a stage of the plan: no pass comes after it", p->name);
        if (e->status) {
            if (g != s->g) ir_graph_free(g);
            return NULL;
        }
        if (p->run)
            g = run_pass(s, p, g, t, e);
        else
            *stage = p;
        at += n + (at[n] == ',');
    }
    return g;
}

static void print_plan(bz_text *t, const opt_job *j, const ir_graph *g, const pass_target *target,
                       bz_error *e) {
    pass_plan *p = pass_compile(g, target, e);
    if (p && j->plan) pass_plan_print(t, p);
    if (p && j->loops) lp_print_module(t, p->code);
    pass_plan_free(p);
}

static tool_status optimise(tool_source *s, void *job) {
    const opt_job *j = job;
    bz_error e = {0};
    bz_text t = {0};
    pass_target target;
    tool_status sized = tool_sizes(s, &j->files);
    if (sized) return sized;
    const pass_info *stage = NULL;
    ir_graph *g = tool_target(&j->machine, &target, &e)
                      ? NULL
                      : run_passes(s, j->passes, &target, &stage, &e);
    if (g && stage)
        pass_print_stage(&t, g, stage, &target, &e);
    else if (g && (j->plan || j->loops))
        print_plan(&t, j, g, &target, &e);
    else if (g)
        tool_print_program(&t, s, g);
    if (g && g != s->g) ir_graph_free(g);
    tool_status status = e.status ? tool_source_error(s, &e) : tool_write(&t);
    bz_text_free(&t);
    return status;
}

static tool_status run(tool_args *a) {
    opt_job j = {.machine.options.device = BZ_CPU};
    tool_status status = read_options(a, &j) ? tool_with_file(a, optimise, &j) : a->status;
    bz_vec_free(&j.files.dims);
    return status;
}

#define PASS(fn, name, letter, help)        "\n  " #name "  " help
#define STAGE(fn, text, name, letter, help) "\n  " #name "  " help
const tool_command tool_opt = {
    .name = "opt",
    .usage = "FILE.bz [--dim NAME=SIZE]... [--passes NAME,...] [--plan] [--loops]",
    .summary = "run passes over a program and print what they give",
    .help = "Reads FILE.bz, expands calls of builders, runs graph passes and prints the program. "
            "Passes, and the stages that make a plan of it:"
#include "src/passes/pipeline.def"

    ,
    .options = options,
    .noptions = BZ_LEN(options),
    .run = run,
};
#undef PASS
#undef STAGE
