/* kernels.c - machine code of kernels, shared by all contexts of the process.
 *
 * The key is the kernel's canonical text (which names the functions it calls by a hash of theirs), the ISA and the compiler's version,
 * compared in full. What is missing is compiled as one module, or as two on two threads when there is much. Code is never unloaded:
 * plans of any context may hold it. */
#include "runtime/rt.h"

#include "runtime/objload.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { SLOTS = 1024, SPLIT_FROM = 4 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all below */
static rt_kernel *slots[SLOTS];
static rt_code *code;

static const rt_import imports[] = {
    {"fma", (rt_function *)(double (*)(double, double, double))fma},
    {"fmaf", (rt_function *)(float (*)(float, float, float))fmaf},
    {NULL, NULL},
};

/* ---- keys */

static char *make_key(const lp_kernel *k, const lp_module *m, cg_isa isa, size_t *n)
{
    bz_text t = {0};
    bz_textf(&t, "%s %s\n", cg_isa_name(isa), cg_version());
    lp_print(&t, k, m);
    *n = t.n;
    return t.failed ? bz_text_free(&t), NULL : t.p;
}

static rt_kernel *find(uint64_t hash, const char *key, size_t n)
{
    for (rt_kernel *k = slots[hash % SLOTS]; k; k = k->next)
        if (k->hash == hash && k->key_bytes == n && !memcmp(k->key, key, n))
            return k;
    return NULL;
}

static void free_kernel(rt_kernel *k)
{
    if (!k)
        return;
    bz_mem_free(k->key);
    bz_mem_free(k->phases);
    bz_mem_free(k);
}

/* ---- compiling what is missing */

typedef struct job {
    lp_module m; /* kernels that are not this job's are left out; functions keep their places */
    cg_target target;
    cg_object object;
    bz_status status;
    bz_error e;
} job;

static void *run_job(void *arg)
{
    job *j = arg;
    j->status = cg_compile(&j->m, &j->target, &j->object, &j->e);
    return NULL;
}

/* Shares the missing kernels out by size; the functions stand before them in both halves. */
static bool share_out(const lp_module *m, const bool *missing, job *jobs, unsigned njobs)
{
    size_t load[2] = {0};
    for (uint32_t i = 0; i < m->k.n; i++) {
        lp_kernel *k = m->k.p[i];
        if (!k->function && !missing[i])
            continue;
        unsigned to = njobs == 2 && load[1] < load[0];
        load[to] += k->function ? 0 : k->inst.n;
        for (unsigned j = 0; j < njobs; j++)
            if ((k->function || j == to) && !bz_vec_push(&jobs[j].m.k, k))
                return false;
    }
    return true;
}

static bz_status load_object(job *j, const lp_module *m, const bool *missing, rt_kernel **out, bz_error *e)
{
    char message[RT_LOAD_MESSAGE], symbol[128];
    rt_object *object;
    code = code ? code : rt_code_new();
    if (!code || rt_object_load(code, j->object.bytes, j->object.n, imports, &object, message))
        return bz_fail(e, code ? BZ_ECOMPILE : BZ_ENOMEM, "cannot load compiled code: %s", code ? message : "out of memory");
    for (uint32_t i = 0; i < m->k.n; i++) {
        if (!missing[i] || out[i]->phases[0])
            continue;
        for (unsigned p = 0; p < out[i]->nphases; p++) {
            snprintf(symbol, sizeof symbol, "%s.%u", m->k.p[i]->name, p);
            out[i]->phases[p] = (rt_phase *)rt_object_find(object, symbol);
        }
    }
    return BZ_OK;
}

static bz_status compile(const lp_module *m, cg_isa isa, const bool *missing, unsigned count, rt_kernel **out, bz_error *e)
{
    job jobs[2] = {{.target = {.isa = isa}}, {.target = {.isa = isa}}};
    unsigned njobs = count >= SPLIT_FROM && bz_rt_threads() > 1 ? 2 : 1;
    pthread_t helper;
    bool started = false;
    bz_status s = share_out(m, missing, jobs, njobs) ? BZ_OK : bz_fail(e, BZ_ENOMEM, "out of memory while compiling");
    if (!s && njobs == 2) {
        started = pthread_create(&helper, NULL, run_job, &jobs[1]) == 0;
        if (!started)
            run_job(&jobs[1]);
    }
    if (!s)
        run_job(&jobs[0]);
    if (started)
        pthread_join(helper, NULL);
    for (unsigned j = 0; j < njobs && !s; j++)
        s = jobs[j].status ? bz_fail(e, jobs[j].status, "%s", jobs[j].e.text) : load_object(&jobs[j], m, missing, out, e);
    for (unsigned j = 0; j < 2; j++) {
        cg_object_free(&jobs[j].object);
        bz_vec_free(&jobs[j].m.k);
    }
    return s;
}

/* ---- the cache */

/* The entry of a kernel: found, or new without code. */
static rt_kernel *entry(const lp_module *m, uint32_t i, cg_isa isa, bool *missing)
{
    size_t n;
    char *key = make_key(m->k.p[i], m, isa, &n);
    uint64_t hash = key ? bz_hash(0, key, n) : 0;
    rt_kernel *k = key ? find(hash, key, n) : NULL;
    if (k || !key) {
        bz_mem_free(key);
        return k;
    }
    *missing = true;
    k = bz_mem_zero(1, sizeof *k);
    unsigned phases = lp_phase_count(m->k.p[i]);
    if (k)
        *k = (rt_kernel){.hash = hash, .key = key, .key_bytes = n, .nphases = phases, .phases = bz_mem_zero(phases, sizeof *k->phases)};
    if (k && k->phases)
        return k;
    if (!k)
        bz_mem_free(key);
    free_kernel(k);
    return NULL;
}

static bz_status get(const lp_module *m, cg_isa isa, rt_kernel **all, bool *missing, unsigned *built, unsigned *shared, bz_error *e)
{
    for (uint32_t i = 0; i < m->k.n; i++) {
        if (m->k.p[i]->function)
            continue;
        if (!(all[i] = entry(m, i, isa, &missing[i])))
            return bz_fail(e, BZ_ENOMEM, "out of memory while compiling");
        ++*(missing[i] ? built : shared);
    }
    bz_status s = *built ? compile(m, isa, missing, *built, all, e) : BZ_OK;
    for (uint32_t i = 0; i < m->k.n && !s; i++) {
        if (!missing[i])
            continue;
        all[i]->next = slots[all[i]->hash % SLOTS];
        slots[all[i]->hash % SLOTS] = all[i];
        missing[i] = false;
    }
    return s;
}

bz_status rt_kernels_get(const lp_module *m, cg_isa isa, const rt_kernel **out, unsigned *built, unsigned *shared, bz_error *e)
{
    bool *missing = bz_mem_zero(m->k.n, sizeof *missing);
    rt_kernel **all = bz_mem_zero(m->k.n, sizeof *all);
    *built = *shared = 0;
    bz_status s = missing && all ? cg_open(e) : bz_fail(e, BZ_ENOMEM, "out of memory while compiling");
    if (!s) {
        pthread_mutex_lock(&lock);
        s = get(m, isa, all, missing, built, shared, e);
        pthread_mutex_unlock(&lock);
    }
    for (uint32_t i = 0; all && missing && i < m->k.n; i++) {
        if (missing[i]) /* a new entry that did not get its code */
            free_kernel(all[i]);
        else
            out[i] = all[i];
    }
    bz_mem_free(missing);
    bz_mem_free(all);
    return s;
}
