/* export_cuda.c - what an export for GPUs has beside that of processors: codes and edges of its images, the sizes of its arrays, machine
 * code in a fatbin.
 *
 *     library of kernels --cuda_emit--> text --NVRTC, for each kind of GPU--> cubins and PTX --> one data symbol */
#include "runtime/export/export.h"

#include "runtime/exec/cuda_image.h"
#include "src/codegen/cuda.h"
#include "src/codegen/nvrtc.h"

#include <pthread.h>
#include <stdatomic.h>

/* ---- graphs */

ir_graph *ex_cuda_graph(const ir_graph *g, const ex_fields *f, bz_error *e) {
    ir_graph *own = ir_copy_live(g, e);
    for (uint32_t i = 0; own && i < own->inputs.n; i++)
        if (!f->input[i].align && !f->input[i].baked) own->inputs.p[i].scalar = true;
    return own;
}

/* ---- records */

static void put_code(ex_image *m, const lp_kernel *k, unsigned phase, size_t at) {
    bz_text name = {0};
    cuda_symbol(&name, k->name, phase);
    m->failed |= name.failed;
    ex_link(m, at + offsetof(bz_rt_cuda_code, name), NULL, ex_put_text(m, "%s", k->name));
    ex_link(m, at + offsetof(bz_rt_cuda_code, function), NULL,
            ex_put_text(m, "%s", bz_text_c(&name)));
    bz_text_free(&name);
}

static size_t put_codes(ex_image *m, const ex_variant *v, const rt_image *i, const cuda_image *c) {
    const size_t base = ex_put_room(m, c->codes.n * sizeof *c->codes.p);
    for (uint32_t k = 0; k < c->codes.n; k++) {
        const rt_code_of of = i->codes.p[k];
        const size_t at = base + k * sizeof *c->codes.p;
        bz_rt_cuda_code own = c->codes.p[k];
        own.name = NULL;
        ex_set(m, at, &own, sizeof own);
        put_code(m, v->plan->code->k.p[of.kernel], of.phase, at);
    }
    return base;
}

void ex_put_cuda_part(ex_image *m, const ex_variant *v, const rt_image *i, const char *prefix,
                      size_t base) {
    cuda_image c;
    bz_text code = {0};
    m->failed |= !cuda_image_make(&c, i, v->plan) || !cuda_image_find_edges(&c, i, v->plan);
    if (!m->failed) {
        const bz_rt_cuda_part p = {.cuda = {.ncodes = c.codes.n},
                                   .consts_bytes = rt_consts_bytes(v->plan)};
        ex_set(m, base, &p, sizeof p);
        ex_link(m, base + offsetof(bz_rt_cuda_part, cuda.codes), NULL, put_codes(m, v, i, &c));
        ex_link(m, base + offsetof(bz_rt_cuda_part, cuda.after), NULL,
                ex_put(m, c.after.p, c.after.n * sizeof *c.after.p));
        bz_textf(&code, "%sfatbin", prefix);
        if (c.codes.n) ex_link(m, base + offsetof(bz_rt_cuda_part, fatbin), bz_text_c(&code), 0);
        m->failed |= code.failed;
    }
    bz_text_free(&code);
    cuda_image_free(&c);
}

static uint64_t bytes_of(const ir_graph *g, ir_ref r) {
    int64_t n = 0;
    ir_numel(g, r, &n);
    return (uint64_t)n * ir_dtype_bytes(ir_dtype(g, r));
}

/* The pointers of the caller's struct. */
static size_t put_arrays(ex_image *m, const ir_graph *g, const ex_fields *f, uint32_t *n) {
    const size_t base = ex_put_room(m, (f->ninputs + (size_t)f->noutputs) * sizeof(bz_rt_cuda_arg));
    for (uint32_t i = 0; i < f->ninputs + f->noutputs; i++) {
        const bool in = i < f->ninputs;
        const ex_field *x = in ? &f->input[i] : &f->output[i - f->ninputs];
        const ir_ref r = in ? g->inputs.p[i].node : g->outputs.p[i - f->ninputs].node;
        if (!x->name || !x->align) continue;
        const bz_rt_cuda_arg a = {.bytes = bytes_of(g, r),
                                  .at = x->at,
                                  .how = (in ? BZ_RT_CUDA_IN : 0u) |
                                         (!in || x->updated ? BZ_RT_CUDA_OUT : 0u)};
        ex_set(m, base + (*n)++ * sizeof a, &a, sizeof a);
    }
    return base;
}

static size_t put_baked(ex_image *m, const ir_graph *g, const ex_fields *f, uint32_t *n) {
    const size_t base = ex_put_room(m, f->ninputs * sizeof(uint64_t));
    for (uint32_t i = 0; i < f->ninputs; i++) {
        const uint64_t bytes = bytes_of(g, g->inputs.p[i].node);
        if (f->input[i].baked) ex_set(m, base + (*n)++ * sizeof bytes, &bytes, sizeof bytes);
    }
    return base;
}

void ex_put_cuda_args(ex_image *m, const ex_variant *v, const ex_fields *f, size_t base) {
    uint32_t n[2] = {0};
    ex_link(m, base + offsetof(bz_rt_cuda_variant, args), NULL,
            put_arrays(m, v->plan->graph, f, &n[0]));
    ex_link(m, base + offsetof(bz_rt_cuda_variant, baked), NULL,
            put_baked(m, v->plan->graph, f, &n[1]));
    ex_set(m, base + offsetof(bz_rt_cuda_variant, nargs), n, sizeof n);
}
_Static_assert(offsetof(bz_rt_cuda_variant, nbaked) == offsetof(bz_rt_cuda_variant, nargs) + 4,
               "one after the other");

/* ---- machines */

enum { FAST_FROM = 80 };

pass_target ex_cuda_target(const ex_machines *m) {
    pass_target t = pass_gpu_of(m->gpus[0], m->fast);
    t.shared = INT64_MAX;
    for (unsigned i = 0; i < GPU_KINDS; i++)
        if (gpu_kinds[i].cc >= m->gpus[0] && gpu_shared_most(&gpu_kinds[i]) < t.shared)
            t.shared = gpu_shared_most(&gpu_kinds[i]);
    return t;
}

bz_status ex_cuda_kinds(ex_machines *m, unsigned room[static GPU_KINDS], bz_error *e) {
    const bz_status s = nvrtc_open(e);
    if (s) return s;
    for (unsigned i = 0; i < m->ngpus && m->gpus; i++)
        if (!nvrtc_knows(m->gpus[i]))
            return bz_fail(e, BZ_ECOMPILE, "[export] NVRTC %d.%d compiles nothing for sm_%u",
                           nvrtc_version() / 1000, nvrtc_version() % 1000 / 10, m->gpus[i]);
    if (m->gpus) return BZ_OK;
    m->gpus = room;
    m->ngpus = 0;
    for (unsigned i = 0; i < GPU_KINDS; i++)
        if (nvrtc_knows(gpu_kinds[i].cc) && (!m->fast || gpu_kinds[i].cc >= FAST_FROM))
            room[m->ngpus++] = gpu_kinds[i].cc;
    return m->ngpus ? BZ_OK : bz_fail(e, BZ_ECOMPILE, "[export] NVRTC knows no kind of GPU");
}

/* ---- machine code */

/* The kinds of GPUs are taken by threads, one after the other. */
typedef struct jobs {
    const char *text;
    const ex_machines *m;
    nvrtc_image *out;
    _Atomic unsigned next;
    struct job {
        bz_status status;
        bz_error e;
    } * each;
} jobs;

static void *compile(void *arg) {
    jobs *j = arg;
    for (unsigned i; (i = atomic_fetch_add(&j->next, 1)) < j->m->ngpus;)
        j->each[i].status = nvrtc_compile(j->text, j->m->gpus[i], true, &j->out[i], &j->each[i].e);
    return NULL;
}

static void run(jobs *j) {
    enum { HELPERS = 7 };
    pthread_t helper[HELPERS];
    const int threads = bz_rt_threads();
    unsigned n = 0;
    while (n < HELPERS && n + 1 < j->m->ngpus && (int)n + 1 < threads &&
           pthread_create(&helper[n], NULL, compile, j) == 0)
        n++;
    compile(j);
    for (unsigned i = 0; i < n; i++) pthread_join(helper[i], NULL);
}

static bz_status compile_all(const char *text, const ex_machines *m, nvrtc_image *out,
                             bz_error *e) {
    jobs j = {.text = text, .m = m, .out = out};
    bz_status s = BZ_OK;
    if (!(j.each = bz_mem_zero(m->ngpus, sizeof *j.each)))
        return bz_fail(e, BZ_ENOMEM, "out of memory for the export");
    run(&j);
    for (unsigned i = 0; i < m->ngpus && !s; i++)
        if (j.each[i].status) s = bz_fail(e, j.each[i].status, "%s", j.each[i].e.text);
    bz_mem_free(j.each);
    return s;
}

void *ex_cuda_code(const lp_module *code, const ex_machines *m, size_t *n, bz_error *e) {
    bz_text text = {0};
    void *all = NULL;
    nvrtc_image *images = bz_mem_zero(m->ngpus, sizeof *images);
    bz_status s = images ? cuda_emit(code, &text, e) : BZ_ENOMEM;
    if (!s) s = compile_all(bz_text_c(&text), m, images, e);
    if (!s && !(all = fatbin_of(images, m->gpus, m->ngpus, n))) s = BZ_ENOMEM;
    if (s == BZ_ENOMEM) bz_fail(e, s, "out of memory for the export");
    for (unsigned i = 0; images && i < m->ngpus; i++) nvrtc_image_free(&images[i]);
    bz_mem_free(images);
    bz_text_free(&text);
    return all;
}
