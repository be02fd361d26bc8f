/* cmd_bench.c - braze bench: a few programs fused, op by op, and what the machine allows; all in one run. */
#include "runtime/explain/explain.h"
#include "tools/tool.h"

#include <stdio.h>
#include <string.h>

enum { BENCH_JSON = TOOL_MACHINE_END, MAX_RUNS = 2000, MIN_RUNS = 5 };
static const uint64_t enough_ns = 400000000;

static const tool_option options[] = {
    TOOL_MACHINE_OPTIONS,
    {"json", NULL, "the table as JSON"},
};

/* ---- the programs */

typedef struct bench_case {
    const char *name, *what, *text;
    bool train; /* add the gradients of output 0 by every w and b, and Adam */
} bench_case;

static const bench_case cases[] = {
    {"pointwise", "10 ops over 16 Mi floats",
     "graph main(x: f32[16777216] = randn(seed=1)) {\n"
     "  %a = mul %x, 1.5\n  %b = add %a, 0.25\n  %c = maximum %b, -1.0\n  %d = mul %c, %x\n  %e = "
     "sub %d, 0.5\n"
     "  %f = abs %e\n  %g = add %f, %x\n  %h = minimum %g, 8.0\n  %i = mul %h, 0.125\n  %j = neg "
     "%i\n"
     "  return %j as y\n}",
     false},
    {"softmax", "rows of 1024, 8192 of them",
     "graph main(x: f32[8192,1024] = randn(seed=1)) {\n  %y = softmax %x {axis=-1}\n  return %y as "
     "y\n}",
     false},
    {"layernorm", "layernorm, gelu, residual; 8192 rows of 1024",
     "graph main(x: f32[8192,1024] = randn(seed=1), w: f32[1024] = randn(seed=2), b: f32[1024] = "
     "randn(seed=3)) {\n"
     "  %n = layer_norm %x, %w, %b\n  %g = gelu %n\n  %y = add %g, %x\n  return %y as y\n}",
     false},
    {"gemm", "1024 x 1024 x 1024",
     "graph main(x: f32[1024,1024] = randn(seed=1), y: f32[1024,1024] = randn(seed=2)) {\n"
     "  %z = matmul %x, %y\n  return %z as z\n}",
     false},
    {"mlp", "training step 784-512-512-10, batch 128, Adam",
     "graph main(x: f32[128,784] = rand(seed=1), y: i64[128] = randint(lo=0, hi=10, seed=2), t: "
     "scalar f32 = 1.0,\n"
     "  w1: f32[512,784] = randn(scale=0.05, seed=3), b1: f32[512] = 0.0, w2: f32[512,512] = "
     "randn(scale=0.06, seed=4),\n"
     "  b2: f32[512] = 0.0, w3: f32[10,512] = randn(scale=0.06, seed=5), b3: f32[10] = 0.0) {\n"
     "  %h1 = linear %x, %w1, %b1\n  %r1 = relu %h1\n  %h2 = linear %r1, %w2, %b2\n  %r2 = relu "
     "%h2\n"
     "  %z = linear %r2, %w3, %b3\n  %l = cross_entropy %z, %y\n  return %l as loss\n}",
     true},
};

/* Two inputs for the moments of one parameter, filled with zeros. */
static ir_ref moment(ir_graph *g, ir_ref p, const char *name, const char *suffix) {
    char text[64];
    snprintf(text, sizeof text, "%s_%s", name, suffix);
    ir_ref r = ir_input_new(g, text, ir_dtype(g, p), ir_dims(g, ir_at(g, p)), ir_at(g, p)->rank);
    if (r) g->inputs.p[g->inputs.n - 1].fill = IR_FILL_VALUE;
    return r;
}

static void add_update(ir_graph *g, int input, ir_ref grad) {
    const char *name = g->inputs.p[input].name;
    ir_ref p = g->inputs.p[input].node, t = g->inputs.p[tool_find_input(g, "t", 1)].node;
    ir_ref m = moment(g, p, name, "m"), v = moment(g, p, name, "v");
    int at = (int)g->inputs.n - 2;
    ir_ref next =
        ir_adam(g, p, grad, &m, &v, t, ir_const_f(g, BZ_F32, 1e-3), 0.9, 0.999, 1e-8, 0, false, 0);
    ir_output_add(g, NULL, next, input);
    ir_output_add(g, NULL, m, at);
    ir_output_add(g, NULL, v, at + 1);
}

/* Gradients and Adam for the inputs w1 .. b3. */
static bz_status add_training(ir_graph *g, bz_error *e) {
    ir_ref wrt[16], grads[16];
    int input[16];
    unsigned n = 0;
    for (uint32_t i = 0; i < g->inputs.n && n < BZ_LEN(wrt); i++)
        if (g->inputs.p[i].name[0] == 'w' || g->inputs.p[i].name[0] == 'b') {
            input[n] = (int)i;
            wrt[n++] = g->inputs.p[i].node;
        }
    if (!pass_grad(g, g->outputs.p[0].node, 0, wrt, n, grads))
        for (unsigned i = 0; i < n; i++) add_update(g, input[i], grads[i]);
    return g->err.status ? bz_fail(e, g->err.status, "%s", g->err.text) : BZ_OK;
}

/* ---- timing */

typedef struct bench_result {
    double fused_ns, eager_ns, limit_ns, compile_ns;
    uint32_t kernels, eager_kernels;
} bench_result;

/* Median of runs for about half a second. */
static bz_status time_runs(tool_engine *x, double *median, bz_error *e) {
    uint64_t ns[MAX_RUNS], total = 0;
    unsigned n = 0;
    tool_engine_run(x, &ns[0], e);
    while (!e->status && n < MAX_RUNS && (total < enough_ns || n < MIN_RUNS)) {
        tool_engine_run(x, &ns[n], e);
        total += ns[n++];
    }
    *median = tool_median(ns, n);
    return e->status;
}

static double limit_of(const pass_plan *p, const bz_machine *m) {
    bz_explanation *x = rt_explain(p, NULL, m);
    double sum = 0;
    for (int i = 0; x && i < x->nkernels; i++) sum += x->kernels[i].limit_ns;
    bz_explanation_free(x);
    return sum;
}

static bz_status time_mode(const tool_source *s, tool_machine how, const ir_value_array *values,
                           const bz_machine *m, bench_result *r, bz_error *e) {
    tool_engine x;
    if (tool_engine_open(&x, &how, s->g, values, e)) return e->status;
    const pass_plan *p = rt_program_plan(x.program);
    if (how.eager) {
        r->eager_kernels = p->launches.n;
    } else {
        r->kernels = p->launches.n;
        r->compile_ns = (double)x.compile_ns;
        r->limit_ns = limit_of(p, m);
    }
    time_runs(&x, how.eager ? &r->eager_ns : &r->fused_ns, e);
    tool_engine_close(&x);
    return e->status;
}

static tool_status measure(const bench_case *b, tool_machine how, const bz_machine *m,
                           bench_result *r) {
    bz_error e = {0};
    const tool_files none = {0};
    tool_source s = {.name = b->name,
                     .n = strlen(b->text),
                     .m = ir_parse(b->text, strlen(b->text), b->name, &e)};
    *r = (bench_result){0};
    if (!s.m) return tool_error(&e);
    s.g = s.m->graphs.p[0];
    if (b->train) add_training(s.g, &e);
    uint32_t n = s.g->inputs.n;
    ir_value_array *values = bz_mem_zero(n + 1, sizeof *values);
    if (!values) bz_fail(&e, BZ_ENOMEM, "out of memory");
    tool_status status = e.status ? TOOL_DONE : tool_inputs(&s, &none, &how, values);
    for (int eager = 0; eager < 2 && !status && !e.status; eager++) {
        how.eager = eager == 1;
        time_mode(&s, how, values, m, r, &e);
    }
    if (e.status) status = tool_error(&e);
    tool_values_free(values, n);
    tool_close(&s);
    return status;
}

/* ---- the table */

static void print_machine(bool json, const bz_machine *m) {
    char bytes[24], flops[24];
    if (json)
        printf("{\"machine\": {\"threads\": %d, \"bytes_per_s\": %.0f, \"flops_per_s\": %.0f}, "
               "\"programs\": [",
               m->threads, m->bytes_per_s, m->flops_per_s);
    else
        printf(
            "machine: %d threads, copies %s/s, %sflop/s\n\n%-10s %10s %10s %7s %10s %8s %15s %9s\n",
            m->threads, rt_show_bytes(bytes, sizeof bytes, m->bytes_per_s),
            rt_show_count(flops, sizeof flops, m->flops_per_s), "program", "fused", "eager",
            "speedup", "limit", "reached", "kernels", "compile");
    fflush(stdout);
}

static void print_result(bool json, bool first, const bench_case *b, const bench_result *r) {
    char fused[24], eager[24], limit[24], compile[24];
    if (json)
        printf("%s\n {\"name\": \"%s\", \"fused_ns\": %.0f, \"eager_ns\": %.0f, \"limit_ns\": "
               "%.0f, \"compile_ns\": %.0f, "
               "\"kernels\": %u, \"eager_kernels\": %u}",
               first ? "" : ",", b->name, r->fused_ns, r->eager_ns, r->limit_ns, r->compile_ns,
               r->kernels, r->eager_kernels);
    else
        printf("%-10s %10s %10s %6.2fx %10s %7.0f%% %5u of %5u %9s   %s\n", b->name,
               rt_show_time(fused, sizeof fused, r->fused_ns),
               rt_show_time(eager, sizeof eager, r->eager_ns), r->eager_ns / r->fused_ns,
               rt_show_time(limit, sizeof limit, r->limit_ns), r->limit_ns / r->fused_ns * 100,
               r->kernels, r->eager_kernels, rt_show_time(compile, sizeof compile, r->compile_ns),
               b->what);
    fflush(stdout);
}

static bool wanted(const bench_case *b, const tool_args *a, int first) {
    bool any = first < a->argc;
    for (int i = first; i < a->argc; i++)
        if (strcmp(a->argv[i], b->name) == 0) return true;
    return !any;
}

static bool known_names(tool_args *a, int first) {
    for (int i = first; i < a->argc; i++) {
        size_t k = 0;
        while (k < BZ_LEN(cases) && strcmp(cases[k].name, a->argv[i]) != 0) k++;
        if (k < BZ_LEN(cases)) continue;
        bz_error e = {0};
        bz_fail(&e, BZ_EARG, "there is no benchmark '%s'; `braze bench --help` lists them",
                a->argv[i]);
        a->status = tool_error(&e);
        return false;
    }
    return true;
}

static tool_status run(tool_args *a) {
    tool_machine how = {.options.device = BZ_CPU};
    bool json = false, begun = false;
    for (int o; (o = tool_next(a)) != TOOL_END;) {
        if (o == TOOL_STOP) return a->status;
        if (o == TOOL_DEVICE || o == TOOL_MODE)
            return tool_usage(a, "--%s does not belong here", options[o].name);
        if (o < TOOL_MACHINE_END && !tool_machine_option(a, o, &how)) return a->status;
        json |= o == BENCH_JSON;
    }
    int first = a->argc;
    while (tool_operand(a)) first--; /* getopt has moved the names to the end */
    bz_machine m;
    if (!known_names(a, first)) return a->status;
    if (bz_measure_machine(how.options.threads, &m))
        return tool_error(&(bz_error){.status = BZ_ENOMEM});
    print_machine(json, &m);
    tool_status status = TOOL_DONE;
    for (size_t i = 0; i < BZ_LEN(cases) && !status; i++) {
        bench_result r;
        if (!wanted(&cases[i], a, first)) continue;
        status = measure(&cases[i], how, &m, &r);
        if (!status) print_result(json, !begun, &cases[i], &r);
        begun = true;
    }
    if (json) printf("]}\n");
    return status;
}

const tool_command tool_bench = {
    .name = "bench",
    .usage = "[NAME]... [--threads N] [--isa ISA] [--json]",
    .summary = "time fused against eager against what the machine allows",
    .help = "Runs built-in programs fused and op by op (mode eager). The limit is the roofline of "
            "the fused kernels, from copy\n"
            "bandwidth and multiply-add peak measured in the same run. Programs: pointwise, "
            "softmax, layernorm, gemm, mlp.",
    .options = options,
    .noptions = BZ_LEN(options),
    .run = run,
};
