/* cmd_export.c - braze export: a program as an object file and a header. */
#include "runtime/export/export.h"
#include "tools/tool.h"

#include <string.h>

enum { EXPORT_OUT, EXPORT_NAME, EXPORT_ISA, EXPORT_DIM, EXPORT_AUTOCAST };

static const tool_option options[] = {
    {"out", "PREFIX", "write PREFIX.o, PREFIX.h and, beside them, braze_rt.o"},
    {"name", "FN", "the C function (default: PREFIX without its directory)"},
    {"isa", "NAME,...",
     "code for avx512, avx2, base; the best is picked where it runs (default: all)"},
    TOOL_DIM_OPTION,
    TOOL_AUTOCAST_OPTION,
};

typedef struct export_job {
    tool_files files;
    const char *out, *name;
    cg_isa isas[CG_NISAS];
    unsigned n;
} export_job;

/* "avx2,base" as instruction sets; false with a usage error. */
static bool read_isas(tool_args *a, export_job *j) {
    static const char *const names[CG_NISAS] = {
        [CG_BASE] = "base", [CG_V3] = "avx2", [CG_V4] = "avx512"};
    bool seen[CG_NISAS] = {false};
    j->n = 0;
    for (const char *at = a->value; *at;) {
        size_t n = strcspn(at, ",");
        unsigned k = 0;
        while (k < CG_NISAS && (strlen(names[k]) != n || memcmp(names[k], at, n) != 0)) k++;
        if (k == CG_NISAS || seen[k]) {
            tool_usage(a, "--isa: '%s' is no list of avx512, avx2, base", a->value);
            return false;
        }
        seen[k] = true;
        j->isas[j->n++] = (cg_isa)k;
        at += n + (at[n] == ',');
    }
    return j->n || (tool_usage(a, "--isa names nothing"), false);
}

static bool read_options(tool_args *a, export_job *j) {
    for (int o; (o = tool_next(a)) != TOOL_END;) {
        if (o == TOOL_STOP) return false;
        if (o == EXPORT_OUT) j->out = a->value;
        if (o == EXPORT_NAME) j->name = a->value;
        if (o == EXPORT_ISA && !read_isas(a, j)) return false;
        if (o == EXPORT_AUTOCAST && !tool_autocast_option(a)) return false;
        if (o == EXPORT_DIM && !tool_dim_option(a, &j->files)) return false;
    }
    if (!j->out) return tool_usage(a, "--out PREFIX is missing"), false;
    const char *slash = strrchr(j->out, '/');
    if (!j->name) j->name = slash ? slash + 1 : j->out;
    return true;
}

static tool_status export(tool_source *s, void *job) {
    const export_job *j = job;
    bz_error e = {0};
    tool_status sized = tool_sizes(s, &j->files);
    if (sized) return sized;
    tool_dirs dirs = {0};
    tool_dirs_for(&dirs, j->out, &e);
    if (!e.status) rt_export_graph(s->g, j->out, j->name, j->isas, j->n, &e);
    tool_dirs_done(&dirs, e.status == BZ_OK);
    return e.status ? tool_source_error(s, &e) : TOOL_DONE;
}

static tool_status run(tool_args *a) {
    export_job j = {.isas = {CG_BASE, CG_V3, CG_V4}, .n = CG_NISAS};
    tool_status status = read_options(a, &j) ? tool_with_file(a, export, &j) : a->status;
    bz_vec_free(&j.files.dims);
    return status;
}

const tool_command tool_export = {
    .name = "export",
    .usage = "FILE.bz --out PREFIX [--dim NAME=SIZE]... [--name FN] [--isa NAME,...]",
    .summary = "write a program as an object file and a header for C",
    .help = "Writes PREFIX.o and PREFIX.h, and braze_rt.o beside them: a program links them with "
            "libc, libm and pthread.\n"
            "No compiler or linker takes part.",
    .options = options,
    .noptions = BZ_LEN(options),
    .run = run,
};
