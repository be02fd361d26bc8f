/* kernels_build.c - the kernels that are missing, as one module or cut in two for two threads.
 *
 *     module, missing --divide--> a module of renumbered copies for each job --codegen.compile--> a binary for each */
#include "runtime/exec/kernels.h"

#include <pthread.h>
#include <string.h>

typedef struct job {
    lp_module m;
    const rt_codegen *g;
    BZ_VEC(rt_binary_kernel) what; /* names and keys are the module's and the caller's */
    rt_binary *out;
    bz_status status;
    bz_error e;
} job;

static void *compile(void *arg) {
    job *j = arg;
    rt_codegen_out made = {0};
    j->status = j->g->f->compile(j->g, &j->m, &made, &j->e);
    if (!j->status) j->out = rt_binary_new(j->what.p, j->what.n, made.bytes, made.n, made.notes);
    if (!j->status && !j->out) j->status = bz_fail(&j->e, BZ_ENOMEM, "out of memory");
    bz_mem_free(made.bytes);
    bz_mem_free(made.notes);
    return NULL;
}

/* The kernels that are wanted and the functions they call, in order, as a module of renumbered copies. */
static bool fill(job *j, const lp_module *m, bool *wanted, uint32_t *place) {
    for (uint32_t i = m->k.n; i-- > 0;) {
        const lp_kernel *k = m->k.p[i];
        for (lp_val v = 1; wanted[i] && v < k->inst.n; v++)
            if (k->inst.p[v].op == LP_CALL) wanted[k->inst.p[v].imm] = true;
    }
    for (uint32_t i = 0; i < m->k.n; i++) {
        if (!wanted[i]) continue;
        place[i] = j->m.k.n;
        if (!lp_borrow(&j->m, m->k.p[i], place)) return false;
    }
    return true;
}

/* Which of two jobs takes each missing kernel: the largest ones first, each to the lighter one. */
static bool weigh(const lp_module *m, const bool *missing, unsigned char *to) {
    size_t load[2] = {0, 0};
    uint32_t *order = bz_mem_alloc(m->k.n * sizeof *order), n = 0;
    if (!order) return false;
    for (uint32_t i = 0; i < m->k.n; i++) {
        uint32_t at = n;
        if (!missing[i]) continue;
        for (; at > 0 && m->k.p[order[at - 1]]->inst.n < m->k.p[i]->inst.n; at--)
            order[at] = order[at - 1];
        order[at] = i;
        n++;
    }
    for (uint32_t i = 0; i < n; i++) {
        const unsigned char lighter = load[1] < load[0];
        to[order[i]] = lighter;
        load[lighter] += m->k.p[order[i]]->inst.n;
    }
    bz_mem_free(order);
    return true;
}

/* Missing kernels go to two jobs, or to the only one when there is little. */
static bool divide(const lp_module *m, const bool *missing, const bz_text *keys, job jobs[2],
                   unsigned *n) {
    size_t total = 0;
    bool *wanted = bz_mem_zero(2 * (size_t)m->k.n, sizeof *wanted);
    uint32_t *place = bz_mem_zero(m->k.n, sizeof *place);
    unsigned char *to = bz_mem_zero(m->k.n, sizeof *to);
    bool done = wanted && place && to;
    for (uint32_t i = 0; i < m->k.n; i++) total += missing[i] ? m->k.p[i]->inst.n : 0;
    *n = total > jobs[0].g->f->parallel ? 2 : 1;
    if (done && *n == 2) done = weigh(m, missing, to);
    for (uint32_t i = 0; i < m->k.n && done; i++) {
        if (!missing[i]) continue;
        wanted[to[i] * m->k.n + i] = true;
        done = bz_vec_push(
            &jobs[to[i]].what,
            ((rt_binary_kernel){m->k.p[i]->name, keys[i].p, keys[i].n, lp_phase_count(m->k.p[i])}));
    }
    for (unsigned j = 0; j < *n && done; j++) done = fill(&jobs[j], m, wanted + j * m->k.n, place);
    bz_mem_free(wanted);
    bz_mem_free(place);
    bz_mem_free(to);
    return done;
}

static void run_jobs(job jobs[2], unsigned n) {
    pthread_t helper;
    bool started = n == 2 && pthread_create(&helper, NULL, compile, &jobs[1]) == 0;
    compile(&jobs[0]);
    if (started)
        pthread_join(helper, NULL);
    else if (n == 2)
        compile(&jobs[1]);
}

bz_status rt_kernels_compile(const lp_module *m, const rt_codegen *g, const bool *missing,
                             const bz_text *keys, rt_binary *out[2], bz_error *e) {
    job jobs[2] = {{.g = g}, {.g = g}};
    unsigned n = 1;
    bz_status s =
        divide(m, missing, keys, jobs, &n) ? BZ_OK : bz_fail(e, BZ_ENOMEM, "out of memory");
    if (!s) run_jobs(jobs, n);
    for (unsigned j = 0; j < n && !s; j++)
        if (jobs[j].status) s = bz_fail(e, jobs[j].status, "%s", jobs[j].e.text);
    for (unsigned j = 0; j < 2; j++) {
        out[j] = jobs[j].out;
        if (s) rt_binary_drop(out[j]), out[j] = NULL;
        lp_give_back(&jobs[j].m);
        bz_vec_free(&jobs[j].what);
    }
    return s;
}
