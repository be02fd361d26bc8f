/* kernels.c - code of kernels, one cache for the process.
 *
 *     key = target | compiler | what the kernel and the functions it calls do (lp_identity)
 *
 * What is missing is compiled without the cache's lock: contexts compile side by side. What was compiled together is kept and given back
 * together: when there is more than the limit, that which no program uses and which was not used for the longest time goes. Code lies in
 * a place (a driver's context); what was compiled for one is loaded in the others, too. */
#include "runtime/base/env.h"
#include "runtime/exec/kernels.h"
#include "runtime/exec/store.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 1024, ROUND_INSTS = 20000 };

/* One binary in one place. */
struct rt_loaded {
    const rt_codegen_functions *f;
    const void *place;
    void *object;
    rt_kernel *kernels; /* by `sibling` */
    rt_binary *binary;  /* where others may want it */
    size_t bytes;
    uint64_t used; /* when a program last let go of it */
    uint32_t uses; /* kernels of programs */
};

static struct {
    pthread_mutex_t lock;
    rt_kernel *slots[SLOTS];
    BZ_VEC(struct rt_loaded *) loaded;
    size_t bytes, limit;
    bool limited; /* by rt_kernels_limit; else a switch says how much */
    uint64_t tick;
} cache = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bz_status out_of_memory(bz_error *e) {
    return bz_fail(e, BZ_ENOMEM, "out of memory");
}

/* ---- slots; all with the lock held */

static rt_kernel *find(uint64_t h, const char *key, size_t n, const void *place) {
    for (rt_kernel *k = cache.slots[h % SLOTS]; k; k = k->next)
        if (k->hash == h && k->of->place == place && k->key_bytes == n && !memcmp(k->key, key, n))
            return k;
    return NULL;
}

/* One use more; NULL is fine. */
static rt_kernel *take(rt_kernel *k) {
    if (k) k->of->uses++;
    return k;
}

static void forget(rt_kernel *k) {
    rt_kernel **at = &cache.slots[k->hash % SLOTS];
    while (*at && *at != k) at = &(*at)->next;
    if (*at) *at = k->next;
}

/* ---- what was loaded */

/* Its kernels are in no slot. */
static void loaded_free(struct rt_loaded *l) {
    for (rt_kernel *k = l->kernels, *next; k; k = next) {
        next = k->sibling;
        bz_mem_free(k);
    }
    if (l->object) l->f->unload(l->object);
    rt_binary_drop(l->binary);
    bz_mem_free(l);
}

/* A kernel of l's binary, with its phases. */
static bz_status add_kernel(const rt_codegen *g, struct rt_loaded *l, const rt_binary_kernel *b,
                            bz_error *e) {
    const size_t phases = b->nphases * sizeof(uintptr_t);
    rt_kernel *k = bz_mem_alloc(sizeof *k + phases + b->key_bytes);
    if (!k) return out_of_memory(e);
    char *key = (char *)k->phases + phases;
    memcpy(key, b->key, b->key_bytes);
    *k = (rt_kernel){.of = l,
                     .hash = bz_hash(0, key, b->key_bytes),
                     .key = key,
                     .key_bytes = b->key_bytes,
                     .nphases = b->nphases,
                     .sibling = l->kernels};
    l->kernels = k;
    l->bytes += b->key_bytes;
    bz_status s = BZ_OK;
    for (unsigned i = 0; i < k->nphases && !s; i++)
        s = g->f->find(g, l->object, b->name, i, &k->phases[i], e);
    return s;
}

/* b's kernels in g's place, nobody's yet. */
static bz_status load(const rt_codegen *g, rt_binary *b, struct rt_loaded **out, bz_error *e) {
    struct rt_loaded *l = bz_mem_zero(1, sizeof *l);
    *out = NULL;
    if (!l) return out_of_memory(e);
    *l = (struct rt_loaded){.f = g->f, .place = g->place};
    bz_status s = g->f->load(g, b, &l->object, &l->bytes, e);
    for (uint32_t i = 0; i < b->nkernels && !s; i++) s = add_kernel(g, l, &b->kernels[i], e);
    if (s) return loaded_free(l), s;
    if (g->f->moves) {
        l->binary = rt_binary_hold(b);
        l->bytes += b->size;
    }
    *out = l;
    return BZ_OK;
}

/* With the lock held. */
static void unload(uint32_t which) {
    struct rt_loaded *l = cache.loaded.p[which];
    for (rt_kernel *k = l->kernels; k; k = k->sibling) forget(k);
    cache.bytes -= l->bytes;
    loaded_free(l);
    cache.loaded.p[which] = cache.loaded.p[--cache.loaded.n];
}

/* With the lock held: its kernels can be found, but for those that another context entered meanwhile. */
static bool enter(struct rt_loaded *l) {
    if (!bz_vec_push(&cache.loaded, l)) return false;
    for (rt_kernel **at = &l->kernels, *k; (k = *at);) {
        if (find(k->hash, k->key, k->key_bytes, l->place)) {
            *at = k->sibling;
            l->bytes -= k->key_bytes;
            bz_mem_free(k);
            continue;
        }
        k->next = cache.slots[k->hash % SLOTS];
        cache.slots[k->hash % SLOTS] = k;
        at = &k->sibling;
    }
    l->used = ++cache.tick;
    cache.bytes += l->bytes;
    if (!l->kernels) unload(cache.loaded.n - 1);
    return true;
}

/* With the lock held: what goes when there is too much. */
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

void rt_kernels_leave(const void *place) {
    pthread_mutex_lock(&cache.lock);
    for (uint32_t i = cache.loaded.n; i-- > 0;)
        if (cache.loaded.p[i]->place == place && !cache.loaded.p[i]->uses) unload(i);
    pthread_mutex_unlock(&cache.lock);
}

/* ---- the whole: look up, load what lies elsewhere, compile what is missing while others may do the same */

typedef struct request {
    const lp_module *m;
    const rt_codegen *g;
    bz_text *keys; /* of each kernel of m, like the next two */
    uint64_t *hash;
    bool *missing;
    const rt_kernel **out;
    rt_kernels_count *count;
} request;

/* Appends words of eight bytes as a mask of those that are not 0, and these: of the numbers in a kernel most bytes are 0. (The
 * number of instructions stands before them: no kernel is another's beginning and zeros.) */
static void add_packed(bz_text *to, const bz_text *from) {
    enum { WORDS = 64 };
    char bytes[9 * WORDS];
    size_t n = 0;
    for (size_t at = 0; at < from->n; at += 8) {
        const size_t left = from->n - at, mask_at = n++;
        uint64_t word = 0;
        unsigned mask = 0;
        memcpy(&word, from->p + at, left < 8 ? left : 8);
        for (unsigned i = 0; i < 8; i++, word >>= 8) {
            const unsigned is = (word & 255) != 0;
            bytes[n] = (char)word; /* the next one overwrites a 0 */
            n += is;
            mask |= is << i;
        }
        bytes[mask_at] = (char)mask;
        if (n <= sizeof bytes - 9 && left > 8) continue;
        bz_text_add(to, bytes, n);
        n = 0;
    }
}

static bz_status make_keys(request *q, bz_error *e) {
    const uint32_t n = q->m->k.n;
    bz_text target = {0}, whole = {0};
    q->keys = bz_mem_zero(n, sizeof *q->keys);
    q->hash = bz_mem_zero(n, sizeof *q->hash);
    q->missing = bz_mem_zero(n, sizeof *q->missing);
    bz_status s = q->keys && q->hash && q->missing ? BZ_OK : out_of_memory(e);
    if (!s) s = q->g->f->target(q->g, &target, e);
    for (uint32_t i = 0; i < n && !s; i++) {
        bz_text *key = &q->keys[i];
        if (q->m->k.p[i]->function) continue;
        bz_textf(key, "%s\n", bz_text_c(&target));
        whole.n = 0;
        lp_identity(&whole, q->m->k.p[i], q->m);
        add_packed(key, &whole);
        if (key->failed || whole.failed || target.failed) s = out_of_memory(e);
        q->hash[i] = bz_hash(0, bz_text_c(key), key->n);
    }
    bz_text_free(&target);
    bz_text_free(&whole);
    return s;
}

static void free_keys(request *q) {
    for (uint32_t i = 0; i < q->m->k.n && q->keys; i++) bz_text_free(&q->keys[i]);
    bz_mem_free(q->keys);
    bz_mem_free(q->hash);
    bz_mem_free(q->missing);
}

static uint32_t missing_of(const request *q) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < q->m->k.n; i++) n += q->missing[i];
    return n;
}

/* With the lock held: takes what is there now of what was missing. */
static void look_up(request *q) {
    for (uint32_t i = 0; i < q->m->k.n; i++) {
        if (!q->missing[i]) continue;
        q->out[i] = take(find(q->hash[i], q->keys[i].p, q->keys[i].n, q->g->place));
        q->missing[i] = q->out[i] == NULL;
    }
}

/* Loads b, and takes what it has of what is missing. */
static bz_status bring(request *q, rt_binary *b, bz_error *e) {
    struct rt_loaded *l;
    const bz_status s = load(q->g, b, &l, e);
    if (s) return s;
    pthread_mutex_lock(&cache.lock);
    const bool done = enter(l);
    if (done) look_up(q);
    shrink();
    pthread_mutex_unlock(&cache.lock);
    if (!done) loaded_free(l);
    return done ? BZ_OK : out_of_memory(e);
}

/* What kernel i was compiled into for another place; NULL: it was not. */
static rt_binary *elsewhere(const request *q, uint32_t i) {
    rt_binary *b = NULL;
    pthread_mutex_lock(&cache.lock);
    for (const rt_kernel *k = cache.slots[q->hash[i] % SLOTS]; k && !b; k = k->next)
        if (k->hash == q->hash[i] && k->of->binary && k->key_bytes == q->keys[i].n &&
            !memcmp(k->key, q->keys[i].p, k->key_bytes))
            b = rt_binary_hold(k->of->binary);
    pthread_mutex_unlock(&cache.lock);
    return b;
}

/* What is loaded in another place, or lies on disk. What does not load from there is compiled. */
static bz_status fetch(request *q, bz_error *e) {
    for (uint32_t i = 0; i < q->m->k.n; i++) {
        bz_error own = {0};
        if (!q->missing[i]) continue;
        rt_binary *b = q->g->f->moves ? elsewhere(q, i) : NULL;
        const bool near = b != NULL;
        const uint32_t before = missing_of(q);
        if (!near) b = rt_store_get(q->keys[i].p, q->keys[i].n);
        if (!b) continue;
        const bz_status s = bring(q, b, &own);
        rt_binary_drop(b);
        *(near ? &q->count->shared : &q->count->stored) += before - missing_of(q);
        if (s == BZ_ECOMPILE)
            rt_store_reject(q->keys[i].p, q->keys[i].n, own.text);
        else if (s)
            return bz_fail(e, s, "%s", own.text);
    }
    return BZ_OK;
}

static bz_status build(request *q, const bool *now, bz_error *e) {
    rt_binary *made[2] = {NULL, NULL};
    bz_status s = rt_kernels_compile(q->m, q->g, now, q->keys, made, e);
    for (unsigned j = 0; j < 2 && made[j]; j++) {
        if (!s) s = bring(q, made[j], e);
        if (!s && q->g->f->keeps(q->g)) rt_store_put(made[j]);
        rt_binary_drop(made[j]);
    }
    return s;
}

/* What is missing, in rounds: between them somebody may end it, and what was built is kept, so that equal kernels of later rounds miss no
 * more. */
static bz_status build_in_rounds(request *q, uint32_t missing, const bz_watch *w, bz_error *e) {
    uint32_t n = q->m->k.n, i = 0, done = 0;
    bool *now = bz_mem_alloc(n * sizeof *now);
    bz_status s = now ? BZ_OK : out_of_memory(e);
    while (i < n && !s) {
        const uint32_t before = done;
        s = bz_ask(w, "code", done, missing, e);
        memset(now, 0, n * sizeof *now);
        for (size_t insts = 0; i < n && insts < ROUND_INSTS; i++) {
            now[i] = q->missing[i];
            insts += now[i] ? q->m->k.p[i]->inst.n : 0;
            done += now[i];
        }
        if (!s && done > before) s = build(q, now, e);
    }
    bz_mem_free(now);
    return s;
}

static bz_status get_all(request *q, const bz_watch *w, bz_error *e) {
    for (uint32_t i = 0; i < q->m->k.n; i++) q->missing[i] = !q->m->k.p[i]->function;
    q->count->shared = missing_of(q);
    pthread_mutex_lock(&cache.lock);
    look_up(q);
    pthread_mutex_unlock(&cache.lock);
    q->count->shared -= missing_of(q);
    bz_status s = fetch(q, e);
    q->count->built = missing_of(q);
    return s || !q->count->built ? s : build_in_rounds(q, q->count->built, w, e);
}

bz_status rt_kernels_get(const lp_module *m, const rt_codegen *g, const rt_kernel **out,
                         rt_kernels_count *n, const bz_watch *w, bz_error *e) {
    request q = {.m = m, .g = g, .out = out, .count = n};
    for (uint32_t i = 0; i < m->k.n; i++) out[i] = NULL;
    *n = (rt_kernels_count){0};
    bz_status s = make_keys(&q, e);
    if (!s) s = get_all(&q, w, e);
    free_keys(&q);
    if (s) rt_kernels_release(out, m->k.n);
    for (uint32_t i = 0; i < m->k.n && s; i++) out[i] = NULL;
    return s;
}
