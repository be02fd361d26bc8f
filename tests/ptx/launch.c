/* launch.c - a grid on the host's cores, with one result for each seed.
 *
 *   clusters, shuffled: 0 1 2 3 ...   slot k runs k, k + slots, k + 2 slots ...
 *   a round:            every slot runs until its cluster stands before an ordered operation, or
 *                       its queue is empty
 *   the round's end:    those operations, one cluster after the other, in the slots' order
 *
 * A cluster is one block where the launch says nothing else. Which thread runs a slot doesn't matter, so
 * neither does their number. Clusters that end give their memory back at once: without ordered operations
 * a thread needs that of one only. */
#include "run.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS = 64, IDLE_ROUNDS = 20000, SPAWN_NS = 150000, RECURSIVE_STACK = 65536 };

/* ---- the order of blocks ---- */

/* The k-th cluster of the seeded order: a Feistel network on enough bits, repeated until inside. */
static uint64_t permuted(const launch *ln, uint64_t k) {
    if (!ln->p->seed || ln->n_clusters < 2) return k;
    unsigned half = (unsigned)(64 - __builtin_clzll(ln->n_clusters - 1) + 1) / 2;
    uint64_t mask = ((uint64_t)1 << half) - 1;
    do {
        uint64_t left = k >> half, right = k & mask;
        for (unsigned round = 0; round < 4; round++) {
            uint64_t key = ln->perm_key + round * 0x632be59bd9b4e019u + right;
            uint64_t next = left ^ (ptx_random(&key) & mask);
            left = right;
            right = next;
        }
        k = left << half | right;
    } while (k >= ln->n_clusters);
    return k;
}

/* ---- blocks ---- */

static size_t pad(size_t n) {
    return (n + 127) & ~(size_t)127;
}

static void fill_consts(const launch *ln, warp *w) {
    const ptx_module *m = ln->module;
    for (size_t k = 0; k < m->functions.n; k++) {
        const function *f = m->functions.at[k];
        if (!f->is_kernel && f->defined)
            memcpy(w->file + f->frame_base - f->const_bytes, f->consts, f->const_bytes);
    }
    memcpy(w->file + ln->frame_at - ln->fn->const_bytes, ln->fn->consts, ln->fn->const_bytes);
}

static block *block_new(launch *ln) {
    size_t file = pad(ln->file_bytes), stack = pad((size_t)ln->stack_bytes * LANES),
           map = pad((size_t)ln->stack_bytes / 8 * LANES), shared = pad(ln->shared_bytes + 64);
    size_t warps = pad(ln->warps * sizeof(warp));
    size_t total = pad(sizeof(block)) + warps + ln->warps * (file + stack + map) + shared +
                   pad(race_bytes(ln->shared_bytes));
    uint8_t *memory = aligned_alloc(128, total);
    if (!memory) memory = ptx_grow(NULL, SIZE_MAX); /* reports and aborts */
    memset(memory, 0, pad(sizeof(block)) + warps);
    block *b = (block *)(void *)memory;
    uint8_t *p = memory + pad(sizeof(block));
    b->ln = ln;
    b->memory = memory;
    b->warps = (warp *)(void *)p;
    p += warps;
    for (unsigned k = 0; k < ln->warps; k++, p += file + stack + map) {
        b->warps[k].file = p;
        b->warps[k].stack = p + file;
        b->warps[k].written = p + file + stack;
        memset(p, 0, file);
        fill_consts(ln, &b->warps[k]);
    }
    b->shared = p;
    b->shared_bytes = ln->shared_bytes;
    race_attach(b, p + shared);
    return b;
}

/* Of numbers, one a warp: two for each warp, four of the barrier, one for each block. */
static size_t cluster_rows(const cluster *c) {
    return 2 * (size_t)c->warps + 4 + c->n;
}

static cluster *cluster_new(launch *ln) {
    cluster *c = ptx_zeroed(sizeof *c);
    c->n = ln->cluster_blocks;
    c->warps = c->n * ln->warps;
    size_t rows = cluster_rows(c);
    uint32_t *row = c->clocks = ptx_zeroed(rows * c->warps * sizeof *row);
    c->joint[0] = row, c->joint[1] = row + 2 * c->warps;
    row += 4 * (size_t)c->warps;
    for (unsigned k = 0; k < c->n; k++) {
        block *b = c->block[k] = block_new(ln);
        b->cl = c;
        b->rank = k;
        b->visits = row, row += c->warps;
        for (unsigned n = 0; n < ln->warps; n++, row += 2 * (size_t)c->warps) {
            b->warps[n].number = k * ln->warps + n;
            b->warps[n].known = row, b->warps[n].proxied = row + c->warps;
        }
    }
    return c;
}

static void cluster_free(cluster *c) {
    order_forget(c);
    for (unsigned k = 0; k < c->n; k++) {
        block *b = c->block[k];
        for (unsigned n = 0; n < b->ln->warps; n++) {
            warp *w = &b->warps[n];
            free(w->async.at), free(w->bulk.at), free(w->matrix.at), free(w->fresh);
        }
        for (unsigned n = 0; n < MAX_WARPS / GROUP_WARPS; n++) free(b->groups[n].steps.at);
        race_detach(b);
        free(b->memory);
    }
    free(c->clocks);
    free(c);
}

static void start_thread_ids(warp *w, const uint32_t n[3]) {
    for (unsigned l = 0; l < LANES; l++) {
        uint32_t t = thread_of(w, l);
        w->tid[0][l] = t % n[0];
        w->tid[1][l] = t / n[0] % n[1];
        w->tid[2][l] = t / n[0] / n[1];
    }
}

static void start_warp(block *b, unsigned k) {
    launch *ln = b->ln;
    warp *w = &b->warps[k];
    unsigned rest = ln->n_threads - k * LANES;
    if (!w->b) { /* the first block here */
        w->b = b;
        w->index = k;
        start_thread_ids(w, ln->p->block);
    }
    memset(w->file + ln->frame_at, 0, ln->fn->reg_bytes);
    for (size_t n = 0; ln->module->function_bytes && n < ln->module->functions.n; n++)
        if (!ln->module->functions.at[n]->is_kernel)
            memset(w->file + ln->module->functions.at[n]->frame_base, 0,
                   ln->module->functions.at[n]->reg_bytes);
    for (unsigned l = 0; l < LANES && ln->stack_bytes; l++)
        memset(w->stack + (size_t)l * ln->stack_bytes, 0,
               ln->stack_bytes < 4096 ? ln->stack_bytes : 4096);
    local_mark(w, ALL_LANES, 0, ln->fn->frame_local, false);
    w->live = rest >= LANES ? ALL_LANES : (1u << rest) - 1;
    w->n_splits = 1;
    w->splits[0] = (split){.pc = ln->fn->begin, .mask = w->live, .regs = w->file + ln->frame_at};
    memset(w->sync, 0, sizeof w->sync);
    memset(w->fenced, 0, sizeof w->fenced);
    w->flagged = 0;
    memset(w->async_groups, 0, sizeof w->async_groups);
    w->sync_count = 0;
    w->async.n = 0;
    w->matrix_groups = w->group_step = w->cluster_arrived = w->registers = 0;
    w->arranged = false;
    free(w->fresh);
    w->fresh = NULL;
    w->serial = false;
    w->idle = 0;
    w->rng = ptx_random(&b->rng);
}

static void split_index(uint64_t k, const uint32_t of[3], uint32_t id[3]) {
    id[0] = (uint32_t)(k % of[0]);
    id[1] = (uint32_t)(k / of[0] % of[1]);
    id[2] = (uint32_t)(k / of[0] / of[1]);
}

/* Block `rank` of a cluster, which lies there in the grid. */
static void block_start(block *b, const uint32_t place[3]) {
    launch *ln = b->ln;
    const uint32_t *g = ln->p->grid;
    uint32_t in[3];
    split_index(b->rank, ln->cluster, in);
    for (int k = 0; k < 3; k++) b->id[k] = place[k] * ln->cluster[k] + in[k];
    uint64_t index = ((uint64_t)b->id[2] * g[1] + b->id[1]) * g[0] + b->id[0];
    b->linear = (uint32_t)index;
    b->n_warps = ln->warps;
    b->live_threads = ln->n_threads;
    b->instructions = 0;
    b->failed = false;
    b->rng = ln->p->seed * 0x9e3779b97f4a7c15u + index;
    memset(b->bars, 0, sizeof b->bars);
    memset(b->shared, 0xff, b->shared_bytes); /* NaN in every float format */
    race_clear(b);
    group_clear(b);
    for (unsigned k = 0; k < ln->warps; k++) {
        b->warp_order[k] = k;
        start_warp(b, k);
    }
}

static void cluster_start(cluster *c, const launch *ln, uint64_t index) {
    const uint32_t *g = ln->p->grid;
    uint32_t clusters[3], place[3];
    for (int k = 0; k < 3; k++) clusters[k] = g[k] / ln->cluster[k];
    split_index(index, clusters, place);
    order_forget(c);
    memset(c->clocks, 0, cluster_rows(c) * c->warps * sizeof *c->clocks);
    c->gen = 1;
    c->phase = c->arrived = 0;
    for (unsigned k = 0; k < c->n; k++) block_start(c->block[k], place);
}

static void cluster_owner(cluster *c, worker *wk) {
    for (unsigned n = 0; n < c->n; n++) {
        block *b = c->block[n];
        b->wk = wk;
        for (unsigned k = 0; k < b->ln->warps; k++) b->warps[k].wk = wk;
    }
}

static void cluster_end(worker *wk, cluster *c) {
    for (unsigned n = 0; n < c->n; n++)
        for (unsigned k = 0; k < c->block[n]->n_warps; k++) {
            bulk_forget(&c->block[n]->warps[k]);
            matrix_forget(&c->block[n]->warps[k]);
        }
    for (unsigned n = 0; n < c->n; n++)
        for (unsigned k = 0; k < c->block[n]->n_warps; k++) {
            warp *w = &c->block[n]->warps[k];
            while (w->n_splits) split_remove(w, &w->splits[0]);
        }
    order_forget(c);
    c->next = wk->free_clusters;
    wk->free_clusters = c;
}

/* ---- rounds ---- */

static bool slot_next(worker *wk, slot_queue *q) {
    launch *ln = wk->ln;
    if (q->next >= ln->n_clusters || atomic_load_explicit(&ln->stop, memory_order_relaxed))
        return false;
    cluster *c = wk->free_clusters;
    if (c)
        wk->free_clusters = c->next;
    else
        c = cluster_new(ln);
    cluster_owner(c, wk);
    cluster_start(c, ln, permuted(ln, q->next));
    q->next += ln->n_slots;
    for (unsigned k = 0; k < c->n; k++) c->block[k]->slot = q;
    q->c = c;
    wk->count.blocks += c->n;
    return true;
}

static void wake_helpers(launch *ln);

/* Until the slot's cluster waits for the end of the round, or the queue is empty or at a fault. */
static void slot_run(worker *wk, slot_queue *q) {
    while (!q->done) {
        if (!q->c && !slot_next(wk, q)) {
            q->done = true;
            return;
        }
        cluster_owner(q->c, wk);
        cluster_run(q->c);
        if (!cluster_done(q->c)) return;
        q->done = cluster_failed(q->c);
        cluster_end(wk, q->c);
        q->c = NULL;
        if (wk->index == 0) wake_helpers(wk->ln);
    }
}

static void work(worker *wk) {
    launch *ln = wk->ln;
    for (unsigned k; (k = atomic_fetch_add(&ln->next_slot, 1)) < ln->n_slots;)
        slot_run(wk, &ln->slots[k]);
}

/* ---- threads: they join in only when a round turns out to be worth it ---- */

typedef struct crew {
    pthread_mutex_t lock;
    pthread_cond_t start, end;
    unsigned generation, working, n;
    bool quit, called;
    uint64_t since;
    pthread_t threads[64];
} crew;

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *helper(void *arg) {
    worker *wk = arg;
    crew *c = wk->ln->crew;
    unsigned seen = 0;
    pthread_mutex_lock(&c->lock);
    while (!c->quit) {
        if (c->generation == seen) {
            pthread_cond_wait(&c->start, &c->lock);
            continue;
        }
        seen = c->generation;
        pthread_mutex_unlock(&c->lock);
        work(wk);
        pthread_mutex_lock(&c->lock);
        if (--c->working == 0) pthread_cond_signal(&c->end);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

/* The main thread calls this between blocks: once a round has lasted a while, the others are
 * called. */
static void wake_helpers(launch *ln) {
    crew *c = ln->crew;
    if (c->called || ln->wanted_workers < 2 || now_ns() - c->since < SPAWN_NS) return;
    c->called = true;
    ln->n_workers = ln->wanted_workers;
    pthread_mutex_lock(&c->lock);
    for (; c->n + 1 < ln->wanted_workers; c->n++)
        if (pthread_create(&c->threads[c->n], NULL, helper, &ln->workers[c->n + 1])) break;
    c->working = c->n;
    c->generation++;
    pthread_cond_broadcast(&c->start);
    pthread_mutex_unlock(&c->lock);
}

static void await_helpers(launch *ln) {
    crew *c = ln->crew;
    if (!c->called) return;
    pthread_mutex_lock(&c->lock);
    while (c->working) pthread_cond_wait(&c->end, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

static void dismiss_helpers(launch *ln) {
    crew *c = ln->crew;
    pthread_mutex_lock(&c->lock);
    c->quit = true;
    pthread_cond_broadcast(&c->start);
    pthread_mutex_unlock(&c->lock);
    for (unsigned k = 0; k < c->n; k++) pthread_join(c->threads[k], NULL);
}

static void flush_print(launch *ln, slot_queue *q) {
    if (q->print.n && ln->sink.print)
        ln->sink.print(ln->sink.ctx, q->print.at, q->print.n);
    else if (q->print.n)
        fwrite(q->print.at, 1, q->print.n, stdout);
    q->print.n = 0;
}

/* With a seed, some clusters are held back for a few rounds: if all met at their atomics together, one
 * that does not wait for another would never be seen ahead of it. */
static bool held_back(const launch *ln, const cluster *c) {
    uint64_t state = ln->p->seed + (ln->round / 4) * 0x9e3779b97f4a7c15u + c->block[0]->linear;
    return ln->p->seed && ln->n_blocks > 1 && ptx_random(&state) % 4 == 0;
}

/* The ordered operations of all waiting clusters; false when nothing is left to run. */
static bool end_round(launch *ln) {
    bool more = false;
    ln->changed = false;
    for (unsigned k = 0; k < ln->n_slots; k++) {
        slot_queue *q = &ln->slots[k];
        if (q->c) {
            cluster_owner(q->c, &ln->workers[0]);
            if (!held_back(ln, q->c)) cluster_serial(q->c);
            more = true;
        }
        flush_print(ln, q);
    }
    ln->round++;
    ln->workers[0].count.rounds++;
    ln->idle_rounds = ln->changed ? 0 : ln->idle_rounds + 1;
    return more;
}

/* No ordered operation has changed anything for very long: everyone waits for everyone. */
static void give_up(launch *ln) {
    for (unsigned k = 0; k < ln->n_slots; k++)
        if (ln->slots[k].c) cluster_deadlock(ln->slots[k].c);
}

static void run_rounds(launch *ln) {
    uint64_t blocks = 0;
    do {
        atomic_store(&ln->next_slot, 0);
        ln->crew->called = false;
        ln->crew->since = now_ns();
        work(&ln->workers[0]);
        await_helpers(ln);
        if (ln->idle_rounds > IDLE_ROUNDS) {
            give_up(ln);
            break;
        }
        uint64_t started = 0;
        for (unsigned k = 0; k < ln->n_workers; k++) started += ln->workers[k].count.blocks;
        if (started != blocks) ln->idle_rounds = 0;
        blocks = started;
    } while (end_round(ln));
}

/* ---- a launch ---- */

static ptx_status refuse(ptx_result *r, const char *text) {
    snprintf(r->message, sizeof r->message, "%s", text);
    return r->status = PTX_INVALID;
}

static uint64_t volume(const uint32_t v[3]) {
    return (uint64_t)v[0] * v[1] * v[2];
}

static const function *kernel_of(const ptx_launch_params *p) {
    for (size_t k = 0; k < p->module->kernels.n; k++)
        if (&p->module->kernels.at[k]->pub == p->kernel) return p->module->kernels.at[k];
    return NULL;
}

static const char *wrong(const ptx_launch_params *p, const function *fn) {
    uint32_t limit = p->module->target.shared_limit ? p->module->target.shared_limit : 232448;
    if (!fn) return "the kernel is not of this module";
    if (!volume(p->grid) || !volume(p->block)) return "the grid or block is empty";
    if (p->block[0] > 1024 || p->block[1] > 1024 || p->block[2] > 64 || volume(p->block) > 1024)
        return "a block has at most 1024 threads";
    if (p->grid[1] > 65535 || p->grid[2] > 65535 || volume(p->grid) > UINT32_MAX)
        return "the grid is too large";
    if ((uint64_t)fn->pub.shared_static + p->shared_dynamic > limit)
        return "too much shared memory";
    const uint32_t *c = p->cluster[0] ? p->cluster : fn->pub.reqcluster;
    if (p->cluster[0] && fn->pub.reqcluster[0] &&
        memcmp(p->cluster, fn->pub.reqcluster, sizeof p->cluster) != 0)
        return "the kernel has clusters of another size";
    if (fn->pub.explicit_cluster && !c[0]) return "the kernel wants the size of its clusters";
    if (c[0] && (!c[1] || !c[2] || volume(c) > MAX_CLUSTER)) return "a cluster has 1 to 16 blocks";
    if (c[0] && volume(c) > 1 && p->module->target.sm < 90) return "the device has no clusters";
    for (int k = 0; k < 3 && c[0]; k++)
        if (p->grid[k] % c[k]) return "the grid is no multiple of its clusters";
    if (p->param_bytes < fn->pub.param_bytes || (fn->pub.param_bytes && !p->params))
        return "the parameters are too short";
    if (p->module->globals.n && !p->module->placed) return "the module's globals were not placed";
    return NULL;
}

static void lay_out(launch *ln) {
    const ptx_launch_params *p = ln->p;
    const function *fn = ln->fn;
    uint32_t align = fn->dynamic_align ? fn->dynamic_align : 16;
    const uint32_t *c = p->cluster[0] ? p->cluster : fn->pub.reqcluster;
    for (int k = 0; k < 3; k++) ln->cluster[k] = c[0] ? c[k] : 1;
    ln->n_blocks = volume(p->grid);
    ln->cluster_blocks = (unsigned)volume(ln->cluster);
    ln->n_clusters = ln->n_blocks / ln->cluster_blocks;
    ln->n_threads = (unsigned)volume(p->block);
    ln->warps = (ln->n_threads + LANES - 1) / LANES;
    ln->row = ln->module->proxies ? 2 * ln->warps : ln->warps;
    ln->dynamic_offset = (fn->pub.shared_static + align - 1) & ~(align - 1);
    ln->shared_bytes =
        p->shared_dynamic ? ln->dynamic_offset + p->shared_dynamic : fn->pub.shared_static;
    ln->stack_bytes = p->stack_bytes  ? p->stack_bytes
                      : fn->recursive ? RECURSIVE_STACK
                                      : fn->pub.local_bytes;
    if (ln->stack_bytes < fn->frame_local) ln->stack_bytes = fn->frame_local;
    ln->stack_bytes = (ln->stack_bytes + 15) & ~15u;
    ln->frame_at = (uint32_t)pad(ln->module->function_bytes) + fn->const_bytes;
    ln->file_bytes = ln->frame_at + fn->reg_bytes + 64;
    ln->limit = p->instruction_limit ? p->instruction_limit : (uint64_t)1 << 28;
    ln->checks = p->checks;
    ln->counting = p->count;
    uint64_t seed = p->seed;
    ln->perm_key = ptx_random(&seed);
    unsigned sms = ln->module->target.multiprocessors;
    bool all = p->cooperative || ln->n_clusters <= SLOTS || ln->n_blocks <= sms;
    ln->n_slots = (unsigned)(all ? ln->n_clusters : SLOTS);
}

enum { WORKSPACE_BYTES = 64 };

/* Of no other launch: its address is made of the serial number. */
static void open_workspace(launch *ln) {
    ln->workspace =
        (ptx_extent){.base = PTX_WINDOWS - ((uint64_t)1 << 46) + (uint64_t)ln->serial_number * 256,
                     .size = WORKSPACE_BYTES,
                     .host = aligned_alloc(256, 256),
                     .shadow = ptx_shadow_new(WORKSPACE_BYTES),
                     .owner = "the workspace of the cooperative grid"};
    if (!ln->workspace.host || !ln->workspace.shadow) ptx_grow(NULL, SIZE_MAX);
    memset(ln->workspace.host, 0, WORKSPACE_BYTES);
    ptx_shadow_mark(ln->workspace.shadow, 0, WORKSPACE_BYTES);
}

/* Nobody else knows of it: what was done there is no range of the result. */
static void close_workspace(launch *ln, ptx_result *r) {
    size_t kept = 0;
    for (size_t k = 0; k < r->n_ranges; k++)
        if (r->ranges[k].extent != &ln->workspace) r->ranges[kept++] = r->ranges[k];
    r->n_ranges = kept;
    free(ln->workspace.host);
    ptx_shadow_free(ln->workspace.shadow);
}

static unsigned host_threads(const launch *ln) {
    static atomic_long online; /* asking takes longer than a small launch */
    long cores = (long)ln->p->host_threads;
    if (!cores && ln->n_slots > 1) {
        cores = atomic_load(&online);
        if (!cores) atomic_store(&online, cores = sysconf(_SC_NPROCESSORS_ONLN));
    }
    uint64_t n = cores < 1 ? 1 : cores > 64 ? 64 : (uint64_t)cores;
    return (unsigned)(n > ln->n_slots ? ln->n_slots : n);
}

void ptx_count(ptx_counters *to, const ptx_counters *from) {
    uint64_t *t = (uint64_t *)to;
    const uint64_t *f = (const uint64_t *)from;
    for (size_t k = 0; k < sizeof *to / sizeof *t; k++) t[k] += f[k];
}
_Static_assert(sizeof(ptx_counters) % sizeof(uint64_t) == 0, "counters are added as an array");

static void clean_up(launch *ln, ptx_counters *counters) {
    for (unsigned k = 0; k < ln->n_slots; k++) {
        if (ln->slots[k].c) cluster_end(&ln->workers[0], ln->slots[k].c);
        free(ln->slots[k].print.at);
    }
    for (unsigned k = 0; k < ln->wanted_workers; k++) {
        worker *wk = &ln->workers[k];
        if (counters) ptx_count(counters, &wk->count);
        while (wk->free_clusters) {
            cluster *c = wk->free_clusters;
            wk->free_clusters = c->next;
            cluster_free(c);
        }
        free(wk->findings.at);
    }
    free(ln->slots);
    free(ln->workers);
}

ptx_status ptx_launch(const ptx_launch_params *p, ptx_counters *counters, ptx_result *result) {
    memset(result, 0, sizeof *result);
    launch ln = {
        .p = p, .module = p->module, .fn = kernel_of(p), .mask_fn = lanes_mask_fn(), .moment = 1};
    crew c = {.lock = PTHREAD_MUTEX_INITIALIZER,
              .start = PTHREAD_COND_INITIALIZER,
              .end = PTHREAD_COND_INITIALIZER};
    const char *problem = wrong(p, ln.fn);
    if (problem) return refuse(result, problem);
    if (p->sink) ln.sink = *p->sink;
    lay_out(&ln);
    ln.crew = &c;
    ln.n_workers = 1;
    ln.wanted_workers = host_threads(&ln);
    ln.workers = ptx_zeroed(ln.wanted_workers * sizeof *ln.workers);
    for (unsigned k = 0; k < ln.wanted_workers; k++)
        ln.workers[k].ln = &ln, ln.workers[k].index = k;
    ln.slots = ptx_zeroed(ln.n_slots * sizeof *ln.slots);
    for (unsigned k = 0; k < ln.n_slots; k++) ln.slots[k].next = k;
    shadow_begin(&ln);
    order_begin(&ln);
    if (p->cooperative) open_workspace(&ln);
    run_rounds(&ln);
    dismiss_helpers(&ln);
    shadow_finish(&ln, result, &ln.workers[0].count);
    order_end(&ln);
    find_finish(&ln, result);
    clean_up(&ln, counters);
    close_workspace(&ln, result);
    return result->status;
}

void ptx_result_free(ptx_result *result) {
    free(result->ranges);
    result->ranges = NULL;
    result->n_ranges = 0;
}
