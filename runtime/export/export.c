/* export.c - a graph compiled for each ISA, and the three files (export.h has the picture). */
#include "runtime/export/export.h"

#include "runtime/export/aot_blob.h"
#include "runtime/io/array.h"

#include <stdio.h>
#include <string.h>

static const char *const run_time_objects[] = {"braze_rt.o", "braze_rt_cuda.o"}; /* by job.cuda */

/* cg_isa and bz_rt_isa are compared at run time. */
_Static_assert((int)CG_BASE == BZ_RT_BASE && (int)CG_V3 == BZ_RT_V3 && (int)CG_V4 == BZ_RT_V4,
               "isa");

/* One function of an export. */
typedef struct part {
    const ex_function *f;
    ex_variant variant[CG_NISAS]; /* ascending by isa */
    ex_sized sized[CG_NISAS];     /* in their place: of a function that is told a size */
    unsigned n;
    ex_library library; /* of a function for GPUs that is told no size: its kernels */
    void *fatbin;       /* machine code for GPUs, of all kernels */
    size_t fatbin_bytes;
    ex_fields fields;
    ex_image image; /* the artefact and all that it leads to */
    bz_text names;  /* 0-terminated, at the offsets below */
    size_t prefix, own, code, entry[6];
} part;

/* The functions of an exported function: those of processors, and of GPUs. */
typedef struct entry {
    const char *suffix; /* NULL: the stamp, behind `before` */
    const char *before;
    const char *callee, *sized; /* sized: of a function that is told a size; NULL: the same */
    unsigned nargs;
} entry;
static const entry host_entries[] = {
    {"", NULL, "bz_rt_call_v5", NULL, 1},
    {"_workspace", NULL, "bz_rt_workspace_v5", "bz_rt_workspace_of_v5", 0},
    {"_error", NULL, "bz_rt_error_v5", NULL, 1},
    {NULL, "", "bz_rt_call_v5", NULL, 1},
    {NULL, NULL, NULL, NULL, 0},
};
static const entry cuda_entries[] = {
    {"", NULL, "bz_rt_cuda_call_v1", NULL, 1},
    {"_workspace", NULL, "bz_rt_cuda_workspace_v1", "bz_rt_cuda_workspace_of_v1", 0},
    {"_error", NULL, "bz_rt_cuda_error_v1", NULL, 1},
    {NULL, "", "bz_rt_cuda_call_v1", NULL, 1},
    {"_device", NULL, "bz_rt_cuda_call_device_v1", NULL, 2},
    {NULL, "_device", "bz_rt_cuda_call_device_v1", NULL, 2},
    {NULL, NULL, NULL, NULL, 0},
};

/* One export. */
typedef struct job {
    part *parts;
    unsigned n;
    ex_machines machines;
    bool cuda;
    unsigned kinds[GPU_KINDS]; /* of GPUs, if all are wanted */
    BZ_VEC(cg_variant) variants;
    BZ_VEC(cg_data) data;
    BZ_VEC(cg_entry) entries;
    bz_arena memory; /* names of baked elements */
    unsigned nbaked;
    uint64_t stamp; /* of the header */
    cg_object object;
    bz_text header;
    bz_error *e;
} job;

static bz_status no_memory(bz_error *e) {
    return bz_fail(e, BZ_ENOMEM, "out of memory for the export");
}

/* ---- what is asked for */

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bz_status check_names(const ex_function *f, unsigned n, bool cuda, bz_error *e) {
    if (n == 0) return bz_fail(e, BZ_EARG, "[export] no function given");
    for (unsigned i = 0; i < n; i++) {
        if (ex_check_function_name(f[i].name, e)) return BZ_EARG;
        for (unsigned k = 0; k < i; k++)
            if (!strcmp(f[i].name, f[k].name))
                return bz_fail(e, BZ_EARG, "[export] two functions are called %s", f[i].name);
    }
    for (unsigned i = 0; i < n; i++)
        for (unsigned k = 0; k < n; k++)
            if (ex_header_declares(f[i].name, f[k].name, cuda))
                return bz_fail(e, BZ_EARG,
                               "[export] no function can be called %s beside %s, whose header has "
                               "that name",
                               f[k].name, f[i].name);
    return BZ_OK;
}

static bz_status check_prefix(const char *prefix, bz_error *e) {
    if (!prefix || !*base_name(prefix))
        return bz_fail(e, BZ_EARG, "[export] \"%s\" names no file", prefix ? prefix : "");
    for (unsigned i = 0; i < BZ_LEN(run_time_objects); i++) {
        const size_t n = strlen(run_time_objects[i]) - 2;
        if (!strncmp(base_name(prefix), run_time_objects[i], n) && !base_name(prefix)[n])
            return bz_fail(e, BZ_EARG, "[export] %s is the name of the run time object",
                           run_time_objects[i]);
    }
    return BZ_OK;
}

static bz_status check_isas(const ex_machines *m, bz_error *e) {
    unsigned seen = 0;
    if (m->nisas == 0) return bz_fail(e, BZ_EARG, "[export] no instruction set given");
    for (unsigned i = 0; i < m->nisas; i++) {
        if ((unsigned)m->isas[i] >= CG_NISAS || (seen & 1u << m->isas[i]))
            return bz_fail(e, BZ_EARG, "[export] instruction set unknown or given twice");
        seen |= 1u << m->isas[i];
    }
    return BZ_OK;
}

static bz_status compile_variant(part *j, cg_isa isa, bz_error *e) {
    const pass_target t = rt_target(isa, EX_THREADS);
    return ex_variant_make(&j->variant[j->n++], j->f->g, &t, isa, j->f->name, &j->fields, e);
}

static bz_status compile_sized(part *j, bz_error *e) {
    char prefix[80];
    snprintf(prefix, sizeof prefix, "%s.", j->f->name);
    for (unsigned i = 0; i < j->n; i++) ex_suffix(j->sized[i].library.suffix, j->sized[i].isa);
    return ex_size_all(j->sized, j->n, j->f, &j->fields, prefix, e);
}

static bz_status compile_isas(part *j, const ex_machines *m, bz_error *e) {
    bz_status s = BZ_OK;
    for (int isa = 0; isa < CG_NISAS && !s; isa++)
        for (unsigned i = 0; i < m->nisas && !s; i++) {
            if (m->isas[i] != (cg_isa)isa) continue;
            if (j->f->size)
                j->sized[j->n++].isa = m->isas[i];
            else
                s = compile_variant(j, m->isas[i], e);
        }
    return s || !j->f->size ? s : compile_sized(j, e);
}

/* All kernels of the function, the finders' too, are one module. */
static bz_status compile_cuda(part *j, const ex_machines *m, bz_error *e) {
    const ex_library *l = j->f->size ? &j->sized[0].library : &j->library;
    bz_status s;
    if (j->f->size) {
        j->sized[j->n].machines = m;
        j->sized[j->n++].cuda = true;
        s = compile_sized(j, e);
    } else {
        ex_suffix(j->library.suffix, CG_BASE);
        const pass_target t = ex_cuda_target(m);
        s = ex_variant_make(&j->variant[j->n++], j->f->g, &t, CG_BASE, j->f->name, &j->fields, e);
        if (!s && !ex_library_take(&j->library, &j->variant[0], j->f->name)) s = no_memory(e);
    }
    if (s || l->code.k.n == 0) return s;
    j->fatbin = ex_cuda_code(&l->code, m, &j->fatbin_bytes, e);
    return j->fatbin ? BZ_OK : e->status;
}

static bz_status compile(part *j, const job *u, bz_error *e) {
    const bz_status s = ex_fields_make(&j->fields, j->f, e);
    if (s) return s;
    return u->cuda ? compile_cuda(j, &u->machines, e) : compile_isas(j, &u->machines, e);
}

/* ---- baked elements: each a symbol of its own, functions that captured one tensor share it */

/* The symbol of an input's elements; NULL: no memory. */
static const char *bake(job *j, const ex_function *f, uint32_t input) {
    const ir_graph *g = f->g;
    ir_ref r = g->inputs.p[input].node;
    int64_t n = 0;
    char name[96];
    ir_numel(g, r, &n);
    cg_data d = {
        .bytes = f->baked[input], .size = (size_t)n * ir_dtype_bytes(ir_dtype(g, r)), .align = 64};
    for (uint32_t i = 0; i < j->data.n; i++)
        if (j->data.p[i].bytes == d.bytes && j->data.p[i].size == d.size) return j->data.p[i].name;
    snprintf(name, sizeof name, "%s.baked%u", j->parts[0].f->name, j->nbaked++);
    d.name = bz_arena_str(&j->memory, name);
    return d.name && bz_vec_push(&j->data, d) ? d.name : NULL;
}

/* The table of the function's captured tensors; where it begins. */
static size_t put_baked(job *j, part *p) {
    const ex_function *f = p->f;
    uint32_t n = 0;
    for (uint32_t i = 0; f->baked && i < f->g->inputs.n; i++) n += f->baked[i] != NULL;
    size_t at = ex_put_room(&p->image, (n + 1) * sizeof(void *)), next = at;
    for (uint32_t i = 0; f->baked && i < f->g->inputs.n; i++) {
        if (!f->baked[i]) continue;
        const char *name = bake(j, f, i);
        if (!name) return p->image.failed = true, at;
        ex_link(&p->image, next, name, 0);
        next += sizeof(void *);
    }
    return at;
}

/* ---- the artefact */

static void put_arg(ex_image *m, const ex_field *x, size_t args, bz_rt_artefact *a) {
    if (!x->name || !x->align || x->count == 0) return;
    size_t at = args + a->nargs++ * sizeof(bz_rt_arg);
    bz_rt_arg r = {.at = x->at, .align = x->align};
    size_t missing = ex_put_text(m, "argument %s is NULL", x->name);
    size_t misaligned = ex_put_text(m, "argument %s is not %u-byte aligned", x->name, x->align);
    ex_set(m, at, &r, sizeof r);
    ex_link(m, at + offsetof(bz_rt_arg, missing), NULL, missing);
    ex_link(m, at + offsetof(bz_rt_arg, misaligned), NULL, misaligned);
}

static void put_args(part *j, bz_rt_artefact *a) {
    const ex_fields *f = &j->fields;
    size_t args = ex_put_room(&j->image, (f->ninputs + (size_t)f->noutputs) * sizeof(bz_rt_arg));
    for (uint32_t i = 0; i < f->ninputs; i++) put_arg(&j->image, &f->input[i], args, a);
    for (uint32_t i = 0; i < f->noutputs; i++) put_arg(&j->image, &f->output[i], args, a);
    ex_link(&j->image, offsetof(bz_rt_artefact, args), NULL, args);
}

static void put_variants(part *j, const char *prefix, bool cuda, size_t baked) {
    const size_t bytes = ex_variant_bytes(cuda), at = ex_put_room(&j->image, j->n * bytes);
    for (unsigned i = 0; i < j->n; i++) {
        const size_t own = at + i * bytes;
        if (j->f->size)
            ex_put_sized(&j->image, &j->sized[i], j->f->size, baked, own);
        else
            ex_put_variant(&j->image, &j->variant[i], &j->fields, prefix, (ex_spot){NULL, baked},
                           own);
    }
    ex_link(&j->image, offsetof(bz_rt_artefact, variants), NULL, at);
}

static size_t add_name(part *j, const char *suffix) {
    size_t at = j->names.n;
    bz_textf(&j->names, "%s%s", j->f->name, suffix);
    bz_text_add(&j->names, "", 1);
    return at;
}

static void name_symbols(part *j, const entry *all, uint64_t stamp) {
    char stamped[80];
    j->prefix = add_name(j, ".");
    j->own = add_name(j, ".own");
    j->code = add_name(j, ".fatbin");
    for (unsigned i = 0; all[i].callee; i++) {
        snprintf(stamped, sizeof stamped, "%s" EX_STAMP, all[i].before ? all[i].before : "",
                 (unsigned long long)stamp);
        j->entry[i] = add_name(j, all[i].suffix ? all[i].suffix : stamped);
    }
}

static const entry *entries_of(const job *u) {
    return u->cuda ? cuda_entries : host_entries;
}

/* The artefact comes first in the image. */
static bz_status make_image(job *u, part *j) {
    name_symbols(j, entries_of(u), u->stamp);
    size_t image_name = add_name(j, ".artefact");
    if (j->names.failed) return no_memory(u->e);
    j->image.name = j->names.p + image_name;
    bz_rt_artefact a = {.nvariants = j->n, .workspace = j->fields.workspace};
    ex_put_room(&j->image, sizeof a);
    put_args(j, &a);
    put_variants(j, j->names.p + j->prefix, u->cuda, put_baked(u, j));
    if (!u->cuda) ex_link(&j->image, offsetof(bz_rt_artefact, own), j->names.p + j->own, 0);
    if (j->image.failed) return no_memory(u->e);
    ex_set(&j->image, 0, &a, sizeof a);
    ex_image_sort(&j->image);
    return BZ_OK;
}

/* ---- the object */

static bool add_variant(job *u, const part *j, const ex_variant *v) {
    cg_variant code = {{.isa = v->isa, .prefix = j->names.p + j->prefix, .suffix = v->suffix},
                       v->plan->code};
    cg_data consts = {
        .name = v->consts_name, .bytes = v->consts, .size = v->consts_bytes, .align = 64};
    bool ok = bz_vec_push(&u->data, consts) &&
              (v->plan->code->k.n == 0 || bz_vec_push(&u->variants, code));
    for (unsigned i = 0; i < v->nfinders && ok; i++) ok = add_variant(u, j, &v->finders[i].code);
    return ok;
}

static bool add_consts(job *u, const ex_library *l) {
    bool ok = true;
    for (uint32_t i = 0; i < l->consts.n && ok; i++) {
        const ex_consts *c = &l->consts.p[i];
        ok = bz_vec_push(&u->data,
                         ((cg_data){c->name, .bytes = c->bytes, .size = c->n, .align = 64}));
    }
    return ok;
}

static bool add_sized(job *u, const part *j, const ex_sized *z) {
    const ex_library *l = &z->library;
    cg_variant code = {{.isa = z->isa, .prefix = j->names.p + j->prefix, .suffix = l->suffix},
                       &l->code};
    return (l->code.k.n == 0 || bz_vec_push(&u->variants, code)) && add_consts(u, l);
}

static bool add_code(job *u, const part *j) {
    const cg_data own = {.name = j->names.p + j->own,
                         .size = sizeof(bz_rt_own),
                         .align = 16,
                         .flags = CG_ZERO | CG_WRITABLE};
    bool ok = bz_vec_push(&u->data, own);
    for (unsigned i = 0; i < j->n && ok; i++)
        ok = j->f->size ? add_sized(u, j, &j->sized[i]) : add_variant(u, j, &j->variant[i]);
    return ok;
}

static bool add_cuda_code(job *u, const part *j) {
    const cg_data code = {
        .name = j->names.p + j->code, .bytes = j->fatbin, .size = j->fatbin_bytes, .align = 64};
    return add_consts(u, j->f->size ? &j->sized[0].library : &j->library) &&
           (!j->fatbin || bz_vec_push(&u->data, code));
}

static bool add_data(job *u, const part *j) {
    cg_data image = {.name = j->image.name,
                     .bytes = j->image.bytes.p,
                     .size = j->image.bytes.n,
                     .align = 64,
                     .relocs = j->image.relocs.p,
                     .nrelocs = j->image.relocs.n};
    return bz_vec_push(&u->data, image) && (u->cuda ? add_cuda_code(u, j) : add_code(u, j));
}

static bool add_entries(job *u, const part *j) {
    const entry *all = entries_of(u);
    bool ok = true;
    for (unsigned i = 0; all[i].callee && ok; i++) {
        const bool of_size = all[i].sized && j->f->size;
        cg_entry e = {.name = j->names.p + j->entry[i],
                      .callee = of_size ? all[i].sized : all[i].callee,
                      .data = j->image.name,
                      .nargs = all[i].nargs + of_size,
                      .flags = CG_GLOBAL};
        ok = bz_vec_push(&u->entries, e);
    }
    return ok;
}

static bz_status make_object(job *j) {
    for (unsigned i = 0; i < j->n; i++)
        if (!add_data(j, &j->parts[i]) || !add_entries(j, &j->parts[i])) return no_memory(j->e);
    cg_export_unit u = {.name = j->parts[0].f->name,
                        .variants = j->variants.p,
                        .nvariants = j->variants.n,
                        .data = j->data.p,
                        .ndata = j->data.n,
                        .entries = j->entries.p,
                        .nentries = j->entries.n};
    return cg_export(&u, &j->object, j->e);
}

/* ---- the files */

/* What the header names, in rising order. */
static ex_machines machines_of(const job *j, cg_isa isas[CG_NISAS]) {
    const part *first = &j->parts[0];
    if (j->cuda) return j->machines;
    for (unsigned i = 0; i < first->n; i++)
        isas[i] = first->f->size ? first->sized[i].isa : first->variant[i].isa;
    return (ex_machines){.isas = isas, .nisas = first->n};
}

static bz_status make_header(job *j, const char *prefix) {
    cg_isa isas[CG_NISAS];
    const ex_machines m = machines_of(j, isas);
    for (int again = 0; again < 2; again++) { /* the second time with the stamp of the first */
        bz_text_free(&j->header);
        ex_header_head(&j->header, j->parts[0].f->name, base_name(prefix), &m);
        for (unsigned i = 0; i < j->n; i++) {
            const part *p = &j->parts[i];
            ex_header_function(&j->header, p->f, &p->fields, j->cuda, j->stamp);
        }
        ex_header_end(&j->header, j->cuda);
        if (!again) j->stamp = bz_hash(0, bz_text_c(&j->header), j->header.n);
    }
    return j->header.failed ? no_memory(j->e) : BZ_OK;
}

static bz_status write_all(job *j, const char *prefix) {
    bz_text paths[3] = {{0}, {0}, {0}};
    bz_textf(&paths[0], "%s.o", prefix);
    bz_textf(&paths[1], "%s.h", prefix);
    bz_text_add(&paths[2], prefix, (size_t)(base_name(prefix) - prefix));
    bz_text_str(&paths[2], run_time_objects[j->cuda]);
    const rt_piece contents[3] = {
        {j->object.bytes, j->object.n},
        {j->header.p, j->header.n},
        j->cuda ? (rt_piece){rt_aot_cuda_blob, (size_t)(rt_aot_cuda_blob_end - rt_aot_cuda_blob)}
                : (rt_piece){rt_aot_blob, (size_t)(rt_aot_blob_end - rt_aot_blob)},
    };
    rt_file files[3];
    bool named = true;
    for (unsigned i = 0; i < 3; i++) {
        named &= !paths[i].failed;
        files[i] = (rt_file){.path = bz_text_c(&paths[i]), .pieces = &contents[i], .npieces = 1};
    }
    bz_error e = {0};
    bz_status s = named ? rt_files_replace(files, 3, &e) : no_memory(&e);
    if (s) bz_fail(j->e, s, "%s%s", *e.text == '[' ? "" : "[export] ", e.text);
    for (unsigned i = 0; i < 3; i++) bz_text_free(&paths[i]);
    return s;
}

static void free_part(part *j) {
    for (unsigned i = 0; i < j->n; i++) {
        ex_variant_free(&j->variant[i]);
        ex_sized_free(&j->sized[i]);
    }
    ex_library_free(&j->library);
    bz_mem_free(j->fatbin);
    ex_fields_free(&j->fields);
    ex_image_free(&j->image);
    bz_text_free(&j->names);
}

static void free_job(job *j) {
    for (unsigned i = 0; j->parts && i < j->n; i++) free_part(&j->parts[i]);
    bz_mem_free(j->parts);
    bz_vec_free(&j->variants);
    bz_vec_free(&j->data);
    bz_vec_free(&j->entries);
    bz_arena_free(&j->memory);
    bz_text_free(&j->header);
    cg_object_free(&j->object);
}

static bz_status export(job *j, const ex_function *f, const char *prefix) {
    bz_status s = check_prefix(prefix, j->e);
    if (!s && !j->cuda) s = check_isas(&j->machines, j->e);
    if (!s) s = check_names(f, j->n, j->cuda, j->e);
    if (!s && j->cuda) s = ex_cuda_kinds(&j->machines, j->kinds, j->e);
    if (!s) s = cg_open(j->e);
    if (!s && !(j->parts = bz_mem_zero(j->n, sizeof *j->parts))) s = no_memory(j->e);
    for (unsigned i = 0; i < j->n && !s; i++) {
        j->parts[i].f = &f[i];
        s = compile(&j->parts[i], j, j->e);
    }
    if (!s) s = make_header(j, prefix);
    for (unsigned i = 0; i < j->n && !s; i++) s = make_image(j, &j->parts[i]);
    if (!s) s = make_object(j);
    if (!s) s = write_all(j, prefix);
    free_job(j);
    return s;
}

bz_status rt_export(const ex_function *f, unsigned nf, const char *prefix, const cg_isa *isas,
                    unsigned n, bz_error *e) {
    bz_error own = {0};
    job j = {.n = nf, .machines = {.isas = isas, .nisas = n}, .e = e ? e : &own};
    return export(&j, f, prefix);
}

bz_status rt_export_cuda(const ex_function *f, unsigned nf, const char *prefix,
                         const unsigned *gpus, unsigned n, bool fast, bz_error *e) {
    bz_error own = {0};
    job j = {.n = nf,
             .cuda = true,
             .machines = {.gpus = gpus, .ngpus = n, .fast = fast},
             .e = e ? e : &own};
    return export(&j, f, prefix);
}

bz_status rt_export_graph(const ir_graph *g, const char *prefix, const char *fn_name,
                          const cg_isa *isas, unsigned n, bz_error *e) {
    const ex_function f = {.g = g, .name = fn_name, .key = -1, .base = -1};
    return rt_export(&f, 1, prefix, isas, n, e);
}
