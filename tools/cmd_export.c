/* cmd_export.c - braze export: a program as an object file and a header. */
#include "runtime/export/export.h"
#include "runtime/base/env.h"
#include "tools/tool.h"

#include <stdlib.h>
#include <string.h>

enum {
    EXPORT_OUT,
    EXPORT_NAME,
    EXPORT_DEVICE,
    EXPORT_ISA,
    EXPORT_ARCH,
    EXPORT_DIM,
    EXPORT_AUTOCAST, EXPORT_LOAD,
    EXPORT_NUMERICS
};

static const tool_option options[] = {
    {"out", "PREFIX", "write PREFIX.o, PREFIX.h and, beside them, braze_rt.o or braze_rt_cuda.o"},
    {"name", "FN", "the C function (default: PREFIX without its directory)"},
    {"device", "cpu|cuda",
     "code for processors, or for GPUs, of which none is needed (default: cpu)"},
    {"isa", "NAME,...",
     "code for avx512, avx2, base; the best is picked where it runs (default: all)"},
    {"arch", "NAME,...",
     "machine code for these GPUs: sm_75, 80, 86, 89, 90, 100, 120 (default: all that NVRTC "
     "knows)"},
    {"dim", "NAME=SIZE|LO:HI",
     "the size of a symbol; of one of them a range, then the function is told the size"},
    TOOL_AUTOCAST_OPTION,
    TOOL_LOAD_OPTION,
    TOOL_NUMERICS_OPTION,
};

typedef struct export_job {
    tool_files files;
    const char *range; /* "NAME=LO:HI" */
    const char *out, *name;
    bool cuda;
    cg_isa isas[CG_NISAS];
    unsigned n;
    unsigned gpus[GPU_KINDS], ngpus; /* 0: all */
    bz_options options;              /* numerics */
} export_job;

/* "avx2,base" as instruction sets; false with a usage error. */
static bool read_isas(tool_args *a, export_job *j) {
    static const char *const names[CG_NISAS + 1] = {
        [CG_BASE] = "base", [CG_V3] = "avx2", [CG_V4] = "avx512"};
    unsigned which[CG_NISAS];
    if (!tool_list(a, "isa", names, which, &j->n)) return false;
    for (unsigned i = 0; i < j->n; i++) j->isas[i] = (cg_isa)which[i];
    return true;
}

static int rising(const void *a, const void *b) {
    return (int)*(const unsigned *)a - (int)*(const unsigned *)b;
}

static bool read_gpus(tool_args *a, export_job *j) {
    const char *names[GPU_KINDS + 1] = {0};
    for (unsigned i = 0; i < GPU_KINDS; i++) names[i] = gpu_kinds[i].name;
    if (!tool_list(a, "arch", names, j->gpus, &j->ngpus)) return false;
    qsort(j->gpus, j->ngpus, sizeof *j->gpus, rising);
    for (unsigned i = 0; i < j->ngpus; i++) j->gpus[i] = gpu_kinds[j->gpus[i]].cc;
    return true;
}

static bool read_device(tool_args *a, export_job *j) {
    static const char *const names[] = {"cpu", "cuda", NULL};
    int which;
    if (!tool_choice(a, "device", names, &which)) return false;
    j->cuda = which == 1;
    return true;
}

static bool read_options(tool_args *a, export_job *j) {
    bool isas = false;
    for (int o; (o = tool_next(a)) != TOOL_END;) {
        if (o == TOOL_STOP) return false;
        if (o == EXPORT_OUT) j->out = a->value;
        if (o == EXPORT_NAME) j->name = a->value;
        if (o == EXPORT_DEVICE && !read_device(a, j)) return false;
        if (o == EXPORT_ISA && !(isas = read_isas(a, j))) return false;
        if (o == EXPORT_ARCH && !read_gpus(a, j)) return false;
        if (o == EXPORT_NUMERICS && !tool_numerics_option(a, &j->options.numerics)) return false;
        if (o == EXPORT_AUTOCAST && !tool_autocast_option(a)) return false;
        if (o == EXPORT_LOAD && !tool_load_option(a)) return false;
        if (o == EXPORT_DIM && strchr(a->value, ':')) {
            if (j->range) return tool_usage(a, "--dim: one symbol may have a range"), false;
            j->range = a->value;
        } else if (o == EXPORT_DIM && !tool_dim_option(a, &j->files)) {
            return false;
        }
    }
    if (j->cuda && isas) return tool_usage(a, "--isa is for processors, --arch for GPUs"), false;
    if (!j->cuda && j->ngpus)
        return tool_usage(a, "--arch is for GPUs: --device cuda is missing"), false;
    if (!j->out) return tool_usage(a, "--out PREFIX is missing"), false;
    const char *slash = strrchr(j->out, '/');
    if (!j->name) j->name = slash ? slash + 1 : j->out;
    return true;
}

static bz_status write_files(const export_job *j, const ex_function *f, bz_error *e) {
    if (!j->cuda) return rt_export(f, 1, j->out, j->isas, j->n, e);
    return rt_export_cuda(f, 1, j->out, j->ngpus ? j->gpus : NULL, j->ngpus,
                          rt_is_fast(&j->options), e);
}

/* ---- one symbol without a size: the function is told it */

typedef struct sizing {
    const tool_source *s;
    ex_size size;
    BZ_VEC(ir_size) known; /* the one that is told last */
    ir_module *m;          /* of the last size */
} sizing;

static bz_status graph_of(void *user, int64_t n, const ir_graph **g, uint64_t *words, bz_error *e) {
    sizing *z = user;
    const tool_source *s = z->s;
    z->known.p[z->known.n - 1].value = n;
    ir_module_free(z->m);
    z->m = tool_parse(s, z->known.p, z->known.n, e);
    *words = 0;
    if (!z->m) return e->status;
    *g = z->m->graphs.p[0];
    return BZ_OK;
}

/* The first input whose sizes hang on the symbol; NULL: none. */
static const char *input_with(const tool_source *s, ir_ex sym) {
    for (uint32_t i = 0; i < s->g->inputs.n; i++) {
        const ir_node *n = ir_at(s->g, s->g->inputs.p[i].node);
        for (unsigned a = 0; a < n->rank; a++)
            if (ir_ex_uses(&s->m->ex, ir_dims(s->g, n)[a], sym)) return s->g->inputs.p[i].name;
    }
    return NULL;
}

/* The first symbol behind `from` that sizes of inputs hang on; 0 = none. */
static ir_ex open_symbol(const tool_source *s, ir_ex from) {
    const ir_exprs *x = &s->m->ex;
    for (ir_ex sym = from + 1; sym < x->n.n; sym++)
        if (ir_ex_at(x, sym)->kind == EX_SYM && input_with(s, sym)) return sym;
    return 0;
}

/* "NAME=LO:HI" about the symbol that is open. */
static bool read_range(const export_job *j, sizing *z, bz_error *e) {
    const size_t n = strlen(z->size.name);
    const char *text = j->range;
    char *end = NULL;
    if (strncmp(text, z->size.name, n) != 0 || text[n] != '=')
        return bz_fail(e, BZ_EARG, "--dim %s: the symbol without a size is %s", text, z->size.name),
               false;
    z->size.lo = strtoll(text + n + 1, &end, 10);
    const bool first = end != text + n + 1 && *end == ':';
    const char *last = end + 1;
    z->size.hi = first ? strtoll(last, &end, 10) : 0;
    if (first && end != last && !*end) return true;
    return bz_fail(e, BZ_EARG, "--dim %s: NAME=LO:HI is wanted, as n=1:256", text), false;
}

/* The sizes that the source has, and room for the one that is told. */
static bool take_known(sizing *z) {
    bool done = true;
    for (uint32_t i = 0; i < z->s->sizes.n && done; i++)
        done = bz_vec_push(&z->known, z->s->sizes.p[i]);
    return done && bz_vec_push(&z->known, ((ir_size){z->size.name, 0}));
}

/* What is told: its name and from where to where. */
static bz_status find_size(const export_job *j, sizing *z, ir_ex sym, bz_error *e) {
    const ir_exprs *x = &z->s->m->ex;
    const ir_ex other = open_symbol(z->s, sym);
    z->size = (ex_size){.name = x->names.p[ir_ex_at(x, sym)->a],
                        .lo = ir_ex_at(x, sym)->lo,
                        .hi = ir_ex_at(x, sym)->hi,
                        .graph = graph_of,
                        .user = z};
    if (other)
        return bz_fail(e, BZ_EUNSUPPORTED,
                       "a function is told one size; %s and %s have none: --dim %s=SIZE",
                       z->size.name, x->names.p[ir_ex_at(x, other)->a], z->size.name);
    if (j->range && !read_range(j, z, e)) return e->status;
    if (!j->range && z->size.hi >= IR_EX_MAX)
        return bz_fail(e, BZ_EARG,
                       "from where to where does %s go? --dim %s=LO:HI or --dim %s=SIZE",
                       z->size.name, z->size.name, z->size.name);
    if (z->size.lo < 1) z->size.lo = 1;
    return take_known(z) ? BZ_OK : bz_fail(e, BZ_ENOMEM, "out of memory");
}

static bz_status export_sized(const export_job *j, const tool_source *s, ir_ex sym, bz_error *e) {
    sizing z = {.s = s};
    const ir_graph *g = NULL;
    uint64_t words;
    bz_status status = find_size(j, &z, sym, e);
    if (!status) status = graph_of(&z, z.size.hi, &g, &words, e);
    if (!status) {
        ir_module *most = z.m; /* g's: stays */
        z.m = NULL;
        const ex_function f = {.g = g, .size = &z.size, .name = j->name, .key = -1, .base = -1};
        status = write_files(j, &f, e);
        ir_module_free(most);
    }
    ir_module_free(z.m);
    bz_vec_free(&z.known);
    return status;
}

static tool_status export(tool_source *s, void *job) {
    const export_job *j = job;
    bz_error e = {0};
    tool_status sized = tool_sizes(s, &j->files);
    if (sized) return sized;
    const ir_ex sym = open_symbol(s, 0);
    if (!sym && j->range) bz_fail(&e, BZ_EARG, "--dim %s: no symbol is without a size", j->range);
    tool_dirs dirs = {0};
    if (!e.status) tool_dirs_for(&dirs, j->out, &e);
    if (!e.status && sym) export_sized(j, s, sym, &e);
    const ex_function f = {.g = s->g, .name = j->name, .key = -1, .base = -1};
    if (!e.status && !sym) write_files(j, &f, &e);
    tool_dirs_done(&dirs, e.status == BZ_OK);
    if (e.status && sym) return tool_input_error(s, input_with(s, sym), &e);
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
    .usage = "FILE.bz --out PREFIX [--dim NAME=SIZE|LO:HI]... [--name FN] [--isa NAME,... | "
             "--device cuda [--arch NAME,...]]",
    .summary = "write a program as an object file and a header for C",
    .help =
        "Writes PREFIX.o and PREFIX.h, and braze_rt.o beside them: a program links them with "
        "libc, libm and pthread.\n"
        "No compiler or linker takes part. For GPUs it is braze_rt_cuda.o, which opens the driver "
        "when the program runs.\n"
        "A symbol without a size, as in `n: sym(1, 512)`, becomes a member of the function's "
        "arguments: it is told the size.",
    .options = options,
    .noptions = BZ_LEN(options),
    .run = run,
};
