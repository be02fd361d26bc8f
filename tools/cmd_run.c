/* cmd_run.c - braze run: a program run once or often; its outputs printed, or written as .npy files or one .npz. */
#include "src/ir/text.h"
#include "tools/tool.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { RUN_IN = TOOL_MACHINE_END, RUN_DIM, RUN_OUT, RUN_REPEAT, RUN_TIME, RUN_JSON };

static const tool_option options[] = {
    TOOL_MACHINE_OPTIONS,
    {"in", "NAME=FILE.npy",
     "the value of an input, or NAME=FILE.npz:ARRAY, or NAME=NUMBER (once for each)"},
    TOOL_DIM_OPTION,
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
    const char *out;           /* a directory, or FILE.npz; NULL: none */
    BZ_VEC(const char *) outs; /* "NAME=FILE.npy" */
    int64_t repeat;
    bool time, json;
    uint64_t *ns; /* of each run */
} run_job;

/* "y=/a/y.npy" is one output's file; a directory of such a name is written "./y=". */
static bool names_output(const char *value) {
    size_t n = strcspn(value, "=/");
    return n && value[n] == '=';
}

static bool read_out(tool_args *a, run_job *j) {
    bool one = names_output(a->value);
    if (one && !bz_vec_push(&j->outs, a->value)) return a->status = TOOL_ENVIRONMENT, false;
    if (!one && j->out)
        return tool_usage(a, "--out %s: --out %s is given already", a->value, j->out), false;
    if (!one) j->out = a->value;
    if (j->out && j->outs.n)
        return tool_usage(
                   a, "--out %s and --out %s: all outputs to one place, or NAME=FILE.npy for each",
                   j->out, j->outs.p[0]),
               false;
    return true;
}

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
        case RUN_OUT:
            if (!read_out(a, j)) return false;
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

static bool safe_name(const char *s) {
    return *s && *s != '.' && !strchr(s, '/') && strlen(s) < 200;
}

/* The directory and those above it, as far as they are not there. */
static bool make_directories(const char *path, bz_error *e) {
    bz_text t = {0};
    size_t n = strlen(path);
    for (size_t i = 1; i <= n && !e->status; i++) {
        if (i < n && path[i] != '/') continue;
        t.n = 0;
        bz_textf(&t, "%.*s", (int)i, path);
        if (mkdir(bz_text_c(&t), 0777) && errno != EEXIST)
            bz_fail(e, BZ_EIO, "cannot make the directory %s: %s", bz_text_c(&t), strerror(errno));
    }
    bz_text_free(&t);
    return !e->status;
}

/* Where output `name` goes by a --out of its own, NULL: nowhere. */
static const char *file_of(const run_job *j, const char *name) {
    size_t n = strlen(name);
    for (uint32_t i = 0; i < j->outs.n; i++)
        if (!strncmp(j->outs.p[i], name, n) && j->outs.p[i][n] == '=') return j->outs.p[i] + n + 1;
    return NULL;
}

static const char *output_named(const ir_graph *g, const char *text) {
    for (uint32_t i = 0; i < g->outputs.n; i++) {
        size_t n = strlen(g->outputs.p[i].name);
        if (!strncmp(text, g->outputs.p[i].name, n) && text[n] == '=') return text + n + 1;
    }
    return NULL;
}

/* Each --out NAME=FILE names an output, once, and a file. */
static bz_status check_outs(const run_job *j, const ir_graph *g, bz_error *e) {
    for (uint32_t i = 0; i < j->outs.n && !e->status; i++) {
        const char *text = j->outs.p[i], *path = output_named(g, text);
        bz_text names = {0};
        for (uint32_t k = 0; k < g->outputs.n; k++)
            bz_textf(&names, k ? ", %s" : "%s", g->outputs.p[k].name);
        if (!path)
            bz_fail(e, BZ_EARG, "--out %s: the program has no such output; it has %s", text,
                    bz_text_c(&names));
        else if (!*path || path[strlen(path) - 1] == '/' || tool_is_npz(path))
            bz_fail(e, BZ_EARG, "--out %s: NAME=FILE.npy is wanted, or DIR, or FILE.npz alone",
                    text);
        bz_text_free(&names);
        for (uint32_t k = 0; k < i && path; k++)
            if (output_named(g, j->outs.p[k]) &&
                !strncmp(j->outs.p[k], text, (size_t)(path - text)))
                bz_fail(e, BZ_EARG, "--out %s: this output is given twice", text);
    }
    return e->status;
}

/* The directories that a file is to lie in. */
static bool make_parents(const char *path, bz_error *e) {
    const char *slash = strrchr(path, '/');
    bz_text parent = {0};
    bz_textf(&parent, "%.*s", (int)(slash ? slash - path : 0), path);
    if (parent.failed) bz_fail(e, BZ_ENOMEM, "out of memory");
    bool made = !e->status && make_directories(bz_text_c(&parent), e);
    bz_text_free(&parent);
    return made;
}

static bz_status write_together(const run_job *j, const tool_engine *x, bz_error *e) {
    const char **names = bz_mem_zero(x->g->outputs.n + 1, sizeof *names);
    if (!names) bz_fail(e, BZ_ENOMEM, "out of memory");
    for (uint32_t i = 0; i < x->g->outputs.n && names; i++) names[i] = x->g->outputs.p[i].name;
    if (!e->status && make_parents(j->out, e))
        rt_npz_save(j->out, names, x->results, x->g->outputs.n, false, e);
    bz_mem_free(names);
    return e->status;
}

static bz_status write_apart(const run_job *j, const tool_engine *x, bz_error *e) {
    for (uint32_t i = 0; i < x->g->outputs.n && !e->status; i++) {
        const char *path = file_of(j, x->g->outputs.p[i].name);
        if (path && make_parents(path, e)) rt_npy_save(path, &x->results[i], e);
    }
    return e->status;
}

static bz_status write_outputs(const run_job *j, const tool_engine *x, bz_error *e) {
    if (!j->out) return write_apart(j, x, e);
    if (tool_is_npz(j->out)) return write_together(j, x, e);
    if (!make_directories(j->out, e)) return e->status;
    for (uint32_t i = 0; i < x->g->outputs.n && !e->status; i++) {
        const char *name = x->g->outputs.p[i].name;
        bz_text path = {0};
        bz_textf(&path, "%s/%s.npy", j->out, name);
        if (!safe_name(name))
            bz_fail(e, BZ_EARG, "output '%s' has no name for a file", name);
        else if (path.failed)
            bz_fail(e, BZ_ENOMEM, "out of memory");
        else
            rt_npy_save(path.p, &x->results[i], e);
        bz_text_free(&path);
    }
    return e->status;
}

static void print_type(bz_text *t, const ir_value_array *a) {
    bz_textf(t, "%s[", ir_dtypes[a->dtype].name);
    for (unsigned k = 0; k < a->rank; k++)
        bz_textf(t, k ? ",%lld" : "%lld", (long long)a->shape[k]);
    bz_text_str(t, "]");
}

static void print_outputs(bz_text *t, const run_job *j, const tool_engine *x) {
    for (uint32_t i = 0; i < x->g->outputs.n; i++) {
        const char *name = x->g->outputs.p[i].name, *path = file_of(j, name);
        bz_textf(t, "%s: ", name);
        print_type(t, &x->results[i]);
        if (path) {
            bz_textf(t, " -> %s\n", path);
            continue;
        }
        if (j->out) {
            bz_textf(t, tool_is_npz(j->out) ? " -> %s:%s\n" : " -> %s/%s.npy\n", j->out, name);
            continue;
        }
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
static void json_element(bz_text *t, const ir_value_array *a, int64_t i) {
    ir_bits b =
        ir_load_bits(a->dtype, (const char *)a->data + (size_t)i * ir_dtype_bytes(a->dtype));
    double v = ir_is_float(a->dtype) ? ir_bits_to_f64(a->dtype, b) : 0;
    if (!isfinite(v))
        bz_textf(t, "\"%s\"", isnan(v) ? "nan" : v < 0 ? "-inf" : "inf");
    else
        tx_print_bits(t, a->dtype, b);
}

static void json_output(bz_text *t, const run_job *j, const char *name, const ir_value_array *a) {
    bz_text_str(t, "{\"name\": ");
    bz_text_json(t, name);
    bz_textf(t, ", \"dtype\": \"%s\", \"shape\": [", ir_dtypes[a->dtype].name);
    for (unsigned k = 0; k < a->rank; k++)
        bz_textf(t, k ? ", %lld" : "%lld", (long long)a->shape[k]);
    bz_text_str(t, "]");
    if (!j->out && !file_of(j, name)) {
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
        json_output(&t, j, x->g->outputs.p[i].name, &x->results[i]);
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
    if (!status && write_outputs(j, &x, &e)) status = tool_error(&e);
    if (!status) status = report(j, &x);
    tool_engine_close(&x);
    return status;
}

static tool_status run_source(tool_source *s, void *job) {
    run_job *j = job;
    bz_error e = {0};
    if (check_outs(j, s->g, &e)) return tool_error(&e);
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
    bz_vec_free(&j.outs);
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
        "them. Symbols ('n: sym') get the sizes\nthat the files and --dim say.",
    .options = options,
    .noptions = BZ_LEN(options),
    .run = run,
};
