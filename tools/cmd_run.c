/* cmd_run.c - braze run: a program run once or often; its outputs printed, or written as .npy files or one .npz. */
#include "src/ir/text.h"
#include "tools/tool.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { RUN_IN = TOOL_MACHINE_END, RUN_DIM, RUN_AUTOCAST, RUN_LOAD, RUN_OUT, RUN_REPEAT, RUN_TIME, RUN_JSON };

static const tool_option options[] = {
    TOOL_MACHINE_OPTIONS,
    {"in", "NAME=FILE.npy",
     "the value of an input, or NAME=FILE.npz:ARRAY, or NAME=NUMBER (once for each)"},
    TOOL_DIM_OPTION,
    TOOL_AUTOCAST_OPTION,
    TOOL_LOAD_OPTION,
    {"out", "DIR",
     "instead of printing, write outputs to DIR/NAME.npy, to one FILE.npz, or one of them: "
     "NAME=FILE.npy"},
    {"repeat", "N", "run N times; donated inputs go on with their new values"},
    {"time", NULL, "tell how long compiling and running took"},
    {"json", NULL, "outputs and times as JSON"},
};

typedef struct run_job {
    tool_machine machine;
    tool_files files;
    tool_outs outs;
    int64_t repeat;
    bool time, json;
    uint64_t *ns; /* of each run */
} run_job;

static bool read_options(tool_args *a, run_job *j) {
    for (int o; (o = tool_next(a)) != TOOL_END;) {
        switch (o) {
        case TOOL_STOP: return false;
        case RUN_IN:
            if (!bz_vec_push(&j->files.given, a->value)) return a->status = TOOL_ENVIRONMENT, false;
            break;
        case RUN_DIM:
            if (!tool_dim_option(a, &j->files)) return false;
            break;
        case RUN_LOAD:
            if (!tool_load_option(a)) return false;
            break;
        case RUN_AUTOCAST:
            if (!tool_autocast_option(a)) return false;
            break;
        case RUN_OUT:
            if (!tool_out_option(a, &j->outs)) return false;
            break;
        case RUN_REPEAT:
            if (!tool_number(a, "repeat", 1, 1000000000, &j->repeat)) return false;
            break;
        case RUN_TIME: j->time = true; break;
        case RUN_JSON: j->json = true; break;
        default:
            if (!tool_machine_option(a, o, &j->machine)) return false;
        }
    }
    return true;
}

/* ---- outputs */

static void print_type(bz_text *t, const ir_value_array *a) {
    bz_textf(t, "%s[", ir_dtypes[a->dtype].name);
    for (unsigned k = 0; k < a->rank; k++)
        bz_textf(t, k ? ",%lld" : "%lld", (long long)a->shape[k]);
    bz_text_str(t, "]");
}

static void print_outputs(bz_text *t, const run_job *j, const tool_engine *x) {
    for (uint32_t i = 0; i < x->g->outputs.n; i++) {
        const char *name = x->g->outputs.p[i].name;
        bz_text path = {0};
        bool written = tool_out_path(&j->outs, name, &path);
        bz_textf(t, "%s: ", name);
        print_type(t, &x->results[i]);
        if (written) bz_textf(t, " -> %s\n", bz_text_c(&path));
        bz_text_free(&path);
        if (written) continue;
        bz_text_str(t, "\n");
        rt_array_print(t, &x->results[i]);
        bz_text_str(t, "\n");
    }
}

/* ---- times */

static void print_times(bz_text *t, const run_job *j, const tool_engine *x) {
    double median = tool_median(j->ns, (size_t)j->repeat) * 1e-6, best = (double)j->ns[0] * 1e-6;
    double compile = (double)x->compile_ns * 1e-6;
    if (j->json)
        bz_textf(t,
                 "\"compile_ms\": %.6f, \"runs\": %lld, \"median_ms\": %.6f, \"best_ms\": %.6f, ",
                 compile, (long long)j->repeat, median, best);
    else
        bz_textf(t, "compiled in %.3f ms; %lld runs: median %.4f ms, best %.4f ms\n", compile,
                 (long long)j->repeat, median, best);
}

/* Numbers that JSON lacks become strings. */
static void json_number(bz_text *t, bz_dtype type, const char *at) {
    ir_bits b = ir_load_bits(type, at);
    double v = ir_is_float(type) ? ir_bits_to_f64(type, b) : 0;
    if (!isfinite(v))
        bz_textf(t, "\"%s\"", isnan(v) ? "nan" : v < 0 ? "-inf" : "inf");
    else
        tx_print_bits(t, type, b);
}

/* A complex number is a list of its parts. */
static void json_element(bz_text *t, const ir_value_array *a, int64_t i) {
    const size_t bytes = ir_dtype_bytes(a->dtype);
    const char *at = (const char *)a->data + (size_t)i * bytes;
    const bz_dtype part = ir_part_dtype(a->dtype);
    if (part == a->dtype) {
        json_number(t, part, at);
        return;
    }
    bz_text_str(t, "[");
    json_number(t, part, at);
    bz_text_str(t, ", ");
    json_number(t, part, at + bytes / 2);
    bz_text_str(t, "]");
}

/* written: its data is in a file. */
static void json_output(bz_text *t, const char *name, const ir_value_array *a, bool written) {
    bz_text_str(t, "{\"name\": ");
    bz_text_json(t, name);
    bz_textf(t, ", \"dtype\": \"%s\", \"shape\": [", ir_dtypes[a->dtype].name);
    for (unsigned k = 0; k < a->rank; k++)
        bz_textf(t, k ? ", %lld" : "%lld", (long long)a->shape[k]);
    bz_text_str(t, "]");
    if (!written) {
        bz_text_str(t, ", \"data\": [");
        for (int64_t i = 0; i < rt_array_count(a); i++) {
            bz_text_str(t, i ? ", " : "");
            json_element(t, a, i);
        }
        bz_text_str(t, "]");
    }
    bz_text_str(t, "}");
}

static tool_status report(const run_job *j, const tool_engine *x) {
    bz_text t = {0};
    bz_text_str(&t, j->json ? "{" : "");
    if (j->json && j->time) print_times(&t, j, x);
    bz_text_str(&t, j->json ? "\"outputs\": [" : "");
    for (uint32_t i = 0; i < x->g->outputs.n && j->json; i++) {
        bz_text_str(&t, i ? ", " : "");
        bz_text path = {0};
        const char *name = x->g->outputs.p[i].name;
        json_output(&t, name, &x->results[i], tool_out_path(&j->outs, name, &path));
        bz_text_free(&path);
    }
    bz_text_str(&t, j->json ? "]}\n" : "");
    if (!j->json) print_outputs(&t, j, x);
    if (!j->json && j->time) print_times(&t, j, x);
    tool_status s = tool_write(&t);
    bz_text_free(&t);
    return s;
}

/* ---- the command */

static tool_status run_all(const tool_source *s, run_job *j, const ir_value_array *values) {
    tool_engine x;
    bz_error e = {0};
    if (tool_engine_open(&x, &j->machine, s->g, values, &e)) return tool_source_error(s, &e);
    for (int64_t i = 0; i < j->repeat && !e.status; i++) tool_engine_run(&x, &j->ns[i], &e);
    tool_status status = e.status ? tool_source_error(s, &e) : TOOL_DONE;
    if (!status && tool_outs_write(&j->outs, x.g, x.results, &e)) status = tool_error(&e);
    if (!status) status = report(j, &x);
    tool_engine_close(&x);
    return status;
}

static tool_status run_source(tool_source *s, void *job) {
    run_job *j = job;
    bz_error e = {0};
    if (tool_outs_check(&j->outs, s->g, &e)) return tool_error(&e);
    ir_value_array *values = bz_mem_zero(s->g->inputs.n + 1, sizeof *values);
    j->ns = bz_mem_zero((size_t)j->repeat, sizeof *j->ns);
    tool_status status = values && j->ns ? tool_inputs(s, &j->files, &j->machine, values)
                                         : tool_error(&(bz_error){.status = BZ_ENOMEM});
    if (!status) status = run_all(s, j, values);
    tool_values_free(values, s->g->inputs.n);
    bz_mem_free(j->ns);
    return status;
}

static tool_status run(tool_args *a) {
    run_job j = {.repeat = 1};
    tool_status status = read_options(a, &j) ? tool_with_file(a, run_source, &j) : a->status;
    bz_vec_free(&j.files.given);
    bz_vec_free(&j.files.dims);
    tool_outs_free(&j.outs);
    return status;
}

const tool_command tool_run = {
    .name = "run",
    .usage = "FILE.bz [--in NAME=FILE.npy|FILE.npz:ARRAY|NUMBER]... [--dim NAME=SIZE]... "
             "[--out DIR|FILE.npz|NAME=FILE.npy]... [OPTION]...",
    .summary = "run a program; print its outputs or write them as .npy or .npz",
    .help =
        "Compiles FILE.bz and runs it. Inputs come from --in, or are made up where the program "
        "says how\n"
        "('x: f32[4] = randn(seed=1)'). A file of another dtype of the same kind is taken as the "
        "input's, with a\nnote: floats as floats, integers as floats and as integers that hold "
        "them. Symbols ('n: sym') get the sizes\nthat the files and --dim say. --in x=/dev/stdin "
        "reads a pipe. Outputs are written all or, when something\nfails, none: then there are no "
        "new directories either.",
    .options = options,
    .noptions = BZ_LEN(options),
    .run = run,
};
