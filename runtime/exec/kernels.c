/* kernels.c - machine code of kernels, one cache for the process.
 *
 *     key = target | compiler | what the kernel and the functions it calls do (lp_identity)
 *
 * What is missing is compiled as one module, cut in two for two threads when there is much, and without the cache's lock: contexts
 * compile side by side. What was compiled together is kept and given back together: when there is more than the limit, that which no
 * program uses and which was not used for the longest time goes. */
#include "runtime/base/env.h"
#include "runtime/exec/kernels.h"
#include "runtime/exec/objload.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 1024, PARALLEL_INSTS = 4000, ROUND_INSTS = 20000 };

/* What one module became. */
struct rt_loaded {
    rt_object *object;
    rt_kernel *kernels; /* by `sibling` */
    size_t bytes;
    uint64_t used; /* when a program last let go of it */
    uint32_t uses; /* kernels of programs */
};

static struct {
    pthread_mutex_t lock;
    rt_kernel *slots[SLOTS];
    rt_code *code;
    BZ_VEC(struct rt_loaded *) loaded;
    size_t bytes, limit;
    bool limited; /* by rt_kernels_limit; else a switch says how much */
    uint64_t tick;
} cache = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- keys */

static bool key_of(bz_text *t, const lp_module *m, const lp_kernel *k, cg_isa isa) {
    bz_textf(t, "%s | %s\n", cg_isa_name(isa), cg_version());
    lp_identity(t, k, m);
    return !t->failed;
}

static rt_kernel *find(uint64_t h, const char *key, size_t n) {
    for (rt_kernel *k = cache.slots[h % SLOTS]; k; k = k->next)
        if (k->hash == h && k->key_bytes == n && !memcmp(k->key, key, n)) return k;
    return NULL;
}

/* One use more; NULL is fine. */
static rt_kernel *take(rt_kernel *k) {
    if (k) k->of->uses++;
    return k;
}

/* ---- what goes when there is too much; all with the lock held */

static void forget(rt_kernel *k) {
    rt_kernel **at = &cache.slots[k->hash % SLOTS];
    while (*at != k) at = &(*at)->next;
    *at = k->next;
    bz_mem_free(k->key);
    bz_mem_free(k->phases);
    bz_mem_free(k);
}

static void unload(uint32_t which) {
    struct rt_loaded *l = cache.loaded.p[which];
    for (rt_kernel *k = l->kernels, *next; k; k = next) {
        next = k->sibling;
        forget(k);
    }
    cache.bytes -= l->bytes;
    rt_object_free(l->object);
    bz_mem_free(l);
    cache.loaded.p[which] = cache.loaded.p[--cache.loaded.n];
}

static void shrink(void) {
    const size_t most = cache.limited ? cache.limit : rt_env_get()->code_bytes;
    while (cache.bytes > most) {
        uint32_t oldest = cache.loaded.n;
        for (uint32_t i = 0; i < cache.loaded.n; i++)
            if (!cache.loaded.p[i]->uses &&
                (oldest == cache.loaded.n ||
                 cache.loaded.p[i]->used < cache.loaded.p[oldest]->used))
                oldest = i;
        if (oldest == cache.loaded.n) return;
        unload(oldest);
    }
}

void rt_kernels_release(const rt_kernel *const *k, uint32_t n) {
    pthread_mutex_lock(&cache.lock);
    for (uint32_t i = 0; i < n; i++) {
        if (!k[i]) continue;
        k[i]->of->uses--;
        k[i]->of->used = ++cache.tick;
    }
    shrink();
    pthread_mutex_unlock(&cache.lock);
}

void rt_kernels_limit(size_t bytes) {
    pthread_mutex_lock(&cache.lock);
    cache.limit = bytes;
    cache.limited = true;
    shrink();
    pthread_mutex_unlock(&cache.lock);
}

size_t rt_kernels_bytes(void) {
    pthread_mutex_lock(&cache.lock);
    size_t bytes = cache.bytes;
    pthread_mutex_unlock(&cache.lock);
    return bytes;
}

/* ---- code */

static const rt_import imports[] = {
    {"fma", (rt_function *)fma},
    {"fmaf", (rt_function *)fmaf},
    {NULL, NULL},
};

/* A part of what has to be compiled. */
typedef struct job {
    lp_module m;
    cg_target target;
    rt_object *object;
    bz_status status;
    bz_error e;
} job;

static void *compile(void *arg) {
    job *j = arg;
    cg_object o = {0};
    char why[RT_LOAD_MESSAGE];
    j->status = cg_compile(&j->m, &j->target, &o, &j->e);
    if (j->status) return NULL;
    rt_load_status s = rt_object_load(cache.code, o.bytes, o.n, imports, &j->object, why);
    if (s)
        j->status = bz_fail(&j->e, s == RT_LOAD_SYSTEM ? BZ_ENOMEM : BZ_ECOMPILE,
                            "loading kernels: %s", why);
    cg_object_free(&o);
    return NULL;
}

/* A shallow copy of k whose calls follow `place`: the new number of each kernel of its module. Its instructions are its own. */
static lp_kernel *renumbered(const lp_kernel *k, const uint32_t *place) {
    lp_kernel *copy = bz_mem_alloc(sizeof *copy);
    lp_inst *inst = bz_mem_alloc(k->inst.n * sizeof *inst);
    if (!copy || !inst) {
        bz_mem_free(copy);
        bz_mem_free(inst);
        return NULL;
    }
    memcpy(inst, k->inst.p, k->inst.n * sizeof *inst);
    for (lp_val v = 1; v < k->inst.n; v++)
        if (inst[v].op == LP_CALL) inst[v].imm = place[inst[v].imm];
    *copy = *k;
    copy->inst.p = inst;
    return copy;
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
        lp_kernel *copy = renumbered(m->k.p[i], place);
        if (!copy || !bz_vec_reserve(&j->m.k, 1)) {
            if (copy) bz_mem_free(copy->inst.p);
            bz_mem_free(copy);
            return false;
        }
        j->m.k.p[j->m.k.n++] = copy;
    }
    return true;
}

static void empty(job *j) {
    for (uint32_t i = 0; i < j->m.k.n; i++) {
        bz_mem_free(j->m.k.p[i]->inst.p);
        bz_mem_free(j->m.k.p[i]);
    }
    bz_vec_free(&j->m.k);
}

/* Missing kernels go to the lighter of two jobs, or to the only one when there is little. */
static bool divide(const lp_module *m, const bool *missing, job jobs[2], unsigned *n) {
    size_t total = 0, load[2] = {0, 0};
    bool *wanted = bz_mem_zero(2 * (size_t)m->k.n, sizeof *wanted);
    uint32_t *place = bz_mem_zero(m->k.n, sizeof *place);
    bool done = wanted && place;
    for (uint32_t i = 0; i < m->k.n; i++) total += missing[i] ? m->k.p[i]->inst.n : 0;
    *n = total > PARALLEL_INSTS ? 2 : 1;
    for (uint32_t i = 0; i < m->k.n && done; i++) {
        unsigned to = *n == 2 && load[1] < load[0];
        if (!missing[i]) continue;
        wanted[to * m->k.n + i] = true;
        load[to] += m->k.p[i]->inst.n;
    }
    for (unsigned j = 0; j < *n && done; j++) done = fill(&jobs[j], m, wanted + j * m->k.n, place);
    bz_mem_free(wanted);
    bz_mem_free(place);
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

/* The phases of kernel k, and of what they are a part. */
static rt_phase **find_phases(struct rt_loaded *const loaded[2], const lp_kernel *k,
                              struct rt_loaded **of) {
    unsigned nphases = lp_phase_count(k);
    rt_phase **p = bz_mem_alloc(nphases * sizeof *p);
    for (unsigned i = 0; i < nphases && p; i++) {
        char name[512];
        snprintf(name, sizeof name, "%s.%u", k->name, i);
        p[i] = NULL;
        for (unsigned j = 0; j < 2 && !p[i]; j++) {
            if (loaded[j]) p[i] = (rt_phase *)rt_object_find(loaded[j]->object, name);
            *of = loaded[j];
        }
        if (!p[i]) bz_bug("kernel %s: no code for phase %u", k->name, i);
    }
    return p;
}

/* Takes phases and key. */
static rt_kernel *remember(const lp_kernel *k, rt_phase **phases, uint64_t h, bz_text *key,
                           struct rt_loaded *of) {
    rt_kernel *made = phases ? bz_mem_alloc(sizeof *made) : NULL;
    if (!made) return NULL;
    *made = (rt_kernel){.hash = h,
                        .key = key->p,
                        .key_bytes = key->n,
                        .nphases = lp_phase_count(k),
                        .phases = phases,
                        .of = of,
                        .sibling = of->kernels,
                        .next = cache.slots[h % SLOTS]};
    cache.slots[h % SLOTS] = of->kernels = made;
    of->bytes += key->n;
    cache.bytes += key->n;
    *key = (bz_text){0};
    return made;
}

/* The jobs' objects, in the cache; they are its own then. */
static bool keep_objects(job jobs[2], struct rt_loaded *loaded[2]) {
    if (!bz_vec_reserve(&cache.loaded, 2)) return false;
    for (unsigned j = 0; j < 2; j++) {
        if (!jobs[j].object) continue;
        if (!(loaded[j] = bz_mem_zero(1, sizeof *loaded[j]))) return false;
        *loaded[j] = (struct rt_loaded){.object = jobs[j].object,
                                        .bytes = rt_object_bytes(jobs[j].object),
                                        .used = ++cache.tick};
        cache.bytes += loaded[j]->bytes;
        bz_vec_push(&cache.loaded, loaded[j]);
        jobs[j].object = NULL;
    }
    return true;
}

/* ---- the whole: look up, compile what is missing while others may do the same, enter it */

typedef struct request {
    const lp_module *m;
    cg_isa isa;
    bz_text *keys; /* of each kernel of m, like the next two */
    uint64_t *hash;
    bool *missing;
    const rt_kernel **out;
    unsigned built, shared;
} request;

static bz_status out_of_memory(bz_error *e) {
    return bz_fail(e, BZ_ENOMEM, "out of memory");
}

static bz_status make_keys(request *q, bz_error *e) {
    uint32_t n = q->m->k.n;
    q->keys = bz_mem_zero(n, sizeof *q->keys);
    q->hash = bz_mem_zero(n, sizeof *q->hash);
    q->missing = bz_mem_zero(n, sizeof *q->missing);
    if (!q->keys || !q->hash || !q->missing) return out_of_memory(e);
    for (uint32_t i = 0; i < n; i++) {
        if (q->m->k.p[i]->function) continue;
        if (!key_of(&q->keys[i], q->m, q->m->k.p[i], q->isa)) return out_of_memory(e);
        q->hash[i] = bz_hash(0, q->keys[i].p, q->keys[i].n);
    }
    return BZ_OK;
}

static void free_keys(request *q) {
    for (uint32_t i = 0; i < q->m->k.n && q->keys; i++) bz_text_free(&q->keys[i]);
    bz_mem_free(q->keys);
    bz_mem_free(q->hash);
    bz_mem_free(q->missing);
}

static bz_status look_up(request *q, bz_error *e) {
    pthread_mutex_lock(&cache.lock);
    for (uint32_t i = 0; i < q->m->k.n; i++) {
        if (q->m->k.p[i]->function) continue;
        q->out[i] = take(find(q->hash[i], q->keys[i].p, q->keys[i].n));
        q->missing[i] = q->out[i] == NULL;
        *(q->missing[i] ? &q->built : &q->shared) += 1;
    }
    if (q->built && !cache.code) cache.code = rt_code_new();
    bz_status s = q->built && !cache.code ? out_of_memory(e) : BZ_OK;
    pthread_mutex_unlock(&cache.lock);
    return s;
}

/* Another context may have entered the same kernel meanwhile: then that one is used. */
static bz_status enter(request *q, struct rt_loaded *const loaded[2], bz_error *e) {
    for (uint32_t i = 0; i < q->m->k.n; i++) {
        if (!q->missing[i]) continue;
        struct rt_loaded *of = NULL;
        rt_kernel *k = find(q->hash[i], q->keys[i].p, q->keys[i].n);
        if (!k) {
            rt_phase **phases = find_phases(loaded, q->m->k.p[i], &of);
            k = remember(q->m->k.p[i], phases, q->hash[i], &q->keys[i], of);
            if (!k) return bz_mem_free(phases), out_of_memory(e);
        }
        q->out[i] = take(k);
    }
    return BZ_OK;
}

static bz_status build(request *q, bz_error *e) {
    job jobs[2] = {{.target = {.isa = q->isa}}, {.target = {.isa = q->isa}}};
    struct rt_loaded *loaded[2] = {NULL, NULL};
    unsigned n = 1;
    bz_status s = divide(q->m, q->missing, jobs, &n) ? BZ_OK : out_of_memory(e);
    if (!s) run_jobs(jobs, n);
    for (unsigned j = 0; j < n && !s; j++)
        if (jobs[j].status) s = bz_fail(e, jobs[j].status, "%s", jobs[j].e.text);
    pthread_mutex_lock(&cache.lock);
    if (!s && !keep_objects(jobs, loaded)) s = out_of_memory(e);
    if (!s) s = enter(q, loaded, e);
    shrink();
    pthread_mutex_unlock(&cache.lock);
    for (unsigned j = 0; j < 2; j++) {
        rt_object_free(jobs[j].object);
        empty(&jobs[j]);
    }
    return s;
}

/* What is missing, in rounds: between them somebody may end it, and what was built is kept. */
static bz_status build_in_rounds(request *q, const bz_watch *w, bz_error *e) {
    uint32_t n = q->m->k.n, i = 0, done = 0;
    bool *todo = bz_mem_alloc(n * sizeof *todo);
    bz_status s = todo ? BZ_OK : out_of_memory(e);
    if (todo) memcpy(todo, q->missing, n * sizeof *todo);
    while (done < q->built && !s) {
        s = bz_ask(w, "code", done, q->built, e);
        memset(q->missing, 0, n * sizeof *q->missing);
        for (size_t insts = 0; i < n && insts < ROUND_INSTS; i++) {
            q->missing[i] = todo[i];
            insts += todo[i] ? q->m->k.p[i]->inst.n : 0;
            done += todo[i];
        }
        if (!s) s = build(q, e);
    }
    bz_mem_free(todo);
    return s;
}

bz_status rt_kernels_get(const lp_module *m, cg_isa isa, const rt_kernel **out, unsigned *built,
                         unsigned *shared, const bz_watch *w, bz_error *e) {
    request q = {.m = m, .isa = isa, .out = out};
    for (uint32_t i = 0; i < m->k.n; i++) out[i] = NULL;
    bz_status s = cg_open(e);
    if (s) return s;
    s = make_keys(&q, e);
    if (!s) s = look_up(&q, e);
    if (!s && q.built) s = build_in_rounds(&q, w, e);
    free_keys(&q);
    if (s) rt_kernels_release(out, m->k.n);
    for (uint32_t i = 0; i < m->k.n && s; i++) out[i] = NULL;
    *built = q.built;
    *shared = q.shared;
    return s;
}
