/* sched.c - runs the warps of one cluster until all end, or wait for other blocks, or wait forever.
 *
 * Within a warp the runnable split with the lowest pc runs until it meets another one or stops;
 * after QUANTUM instructions another one has a turn, or after a few strong accesses that changed nothing:
 * so lanes and warps that spin on each other get on. A seed other than 0 shuffles the warps and their turns' lengths, and now and then takes another
 * split than the lowest. */
#include "exec.h"

#include "run.h"

#include <stdio.h>
#include <string.h>

enum { QUANTUM = 4096, TURN = 1 << 16, PATIENCE = 8 };

/* ---- splits ---- */

static void tidy(warp *w) {
    for (unsigned k = 0; k < w->n_splits;) {
        if (!w->splits[k].mask)
            split_remove(w, &w->splits[k]);
        else
            k++;
    }
    for (unsigned k = 0; k < w->n_splits; k++)
        for (unsigned n = k + 1; n < w->n_splits;) {
            split *a = &w->splits[k], *b = &w->splits[n];
            if (a->pc == b->pc && a->frame == b->frame && a->state == SPLIT_RUN &&
                b->state == SPLIT_RUN) {
                a->mask |= b->mask;
                split_remove(w, b);
            } else
                n++;
        }
}

/* The split to run next: the lowest pc above `after`, going round; NULL: none is runnable. */
static split *lowest(warp *w, int64_t after) {
    split *best = NULL, *first = NULL;
    for (unsigned k = 0; k < w->n_splits; k++) {
        split *s = &w->splits[k];
        if (s->state != SPLIT_RUN) continue;
        if (!first || s->pc < first->pc) first = s;
        if ((int64_t)s->pc > after && (!best || s->pc < best->pc)) best = s;
    }
    return best ? best : first;
}

static split *pick(warp *w, int64_t after, uint32_t *stop) {
    if (w->n_splits != 1 || !w->splits[0].mask) tidy(w);
    split *s = lowest(w, after);
    *stop = UINT32_MAX;
    if (!s) return NULL;
    if (w->n_splits > 1 && w->b->ln->p->seed && ptx_random(&w->rng) % 8 == 0) {
        split *other = &w->splits[ptx_random(&w->rng) % w->n_splits];
        s = other->state == SPLIT_RUN ? other : s;
    }
    for (unsigned k = 0; k < w->n_splits; k++)
        if (w->splits[k].state == SPLIT_RUN && w->splits[k].pc > s->pc && w->splits[k].pc < *stop)
            *stop = w->splits[k].pc;
    w->cur = s;
    w->r = s->regs;
    w->yield = false;
    return s;
}

static inline uint32_t active(const warp *w, const ins *i, uint32_t mask) {
    if (i->guard == NO_GUARD) return mask;
    uint32_t p = w->b->ln->mask_fn(reg_at(w, i->guard));
    return mask & (i->flags & INS_NOT ? ~p : p);
}

/* Executes from the current split until it stops; returns the number of instructions. */
static uint32_t run_split(warp *w, uint32_t stop, uint32_t budget) {
    const ins *code = w->b->ln->module->code.at;
    split *s = w->cur;
    uint32_t n = 0;
    uint64_t lanes = 0, steps = 0;
    bool counting = w->b->ln->counting;
    do {
        const ins *i = code + s->pc++;
        uint32_t m = active(w, i, s->mask);
        n++;
        if (!(i->flags & INS_MICRO)) {
            steps++;
            lanes += m == ALL_LANES ? LANES : (unsigned)__builtin_popcount(m);
            if (counting) w->wk->count.by_class[i->cls]++;
        }
        if (m) i->exec(w, i, m);
    } while (!w->yield && n < budget && s->pc < stop);
    w->wk->count.warp_instructions += steps;
    w->wk->count.lane_instructions += lanes;
    return n;
}

/* ---- warps and blocks ---- */

void warp_idles(warp *w, bool changed) {
    w->idle = changed ? 0 : w->idle + 1;
    if (w->idle < PATIENCE || w->serial) return;
    w->idle = 0;
    w->spun = w->yield = true;
}

static bool runnable(const warp *w) {
    for (unsigned k = 0; k < w->n_splits; k++)
        if (w->splits[k].state == SPLIT_RUN && w->splits[k].mask) return true;
    return false;
}

static const ins *standing_at(const warp *w, const split *s) {
    return &w->b->ln->module->code.at[s->pc];
}

/* Lanes wait at an aligned barrier for others that can't come: one of them may go ahead. */
static bool unstick(warp *w) {
    split *waiting = NULL;
    for (unsigned k = 0; k < w->n_splits; k++) {
        split *s = &w->splits[k];
        if (s->state == SPLIT_ROUND) return false;
        if (s->state == SPLIT_WARP && standing_at(w, s)->exec == x_bar) waiting = s;
    }
    if (waiting) waiting->state = SPLIT_RUN;
    return w->stuck = waiting != NULL;
}

static void run_warp(warp *w, uint32_t turn) {
    int64_t after = -1;
    uint32_t stop;
    while (turn && !w->b->failed &&
           (pick(w, after, &stop) || (unstick(w) && pick(w, after, &stop)))) {
        uint32_t budget = w->n_splits > 1 && turn > QUANTUM ? QUANTUM : turn;
        uint32_t pc = w->cur->pc, n = run_split(w, stop, budget);
        w->b->instructions += n;
        turn -= n < turn ? n : turn;
        if (w->spun) turn /= 2;
        after = (n >= budget || w->spun) && w->n_splits > 1 ? (int64_t)pc : -1;
        w->spun = false;
    }
    if (w->n_splits && !w->live) tidy(w);
}

static void shuffle(unsigned *order, unsigned n, uint64_t *rng) {
    for (unsigned k = n; k > 1; k--) {
        unsigned j = (unsigned)(ptx_random(rng) % k), t = order[k - 1];
        order[k - 1] = order[j];
        order[j] = t;
    }
}

static void timeout(block *b) {
    for (unsigned k = 0; k < b->n_warps; k++) {
        warp *w = &b->warps[k];
        if (!w->live || !w->n_splits) continue;
        find_fault(w, standing_at(w, &w->splits[0]), (unsigned)__builtin_ctz(w->live),
                   PTX_REPORT_DEADLOCK, PTX_TIMEOUT, 0,
                   "the block ran %llu instructions without an end",
                   (unsigned long long)b->instructions);
        return;
    }
}

/* Nobody of the block can go on: says who waits where. */
static void block_deadlock(block *b) {
    unsigned told = 0;
    for (unsigned k = 0; k < b->n_warps && told < 4; k++) {
        warp *w = &b->warps[k];
        for (unsigned n = 0; n < w->n_splits && told < 4; n++, told++) {
            const split *s = &w->splits[n];
            const char *what =
                s->state == SPLIT_WARP ? "for other lanes of the warp that never come"
                : s->state == SPLIT_BARRIER && s->bar == BAR_REGISTERS
                    ? "for registers that nobody gives back"
                : s->state == SPLIT_BARRIER ? "at a barrier that not all threads reach"
                                            : "for other blocks that never answer";
            find_fault(w, standing_at(w, s), (unsigned)__builtin_ctz(s->mask), PTX_REPORT_DEADLOCK,
                       PTX_TIMEOUT, 0, "lanes 0x%08x wait %s", s->mask, what);
        }
    }
    b->failed = true;
}

static bool block_done(const block *b) {
    return b->failed || b->live_threads == 0;
}

bool cluster_failed(const cluster *c) {
    for (unsigned k = 0; k < c->n; k++)
        if (c->block[k]->failed) return true;
    return false;
}

bool cluster_done(const cluster *c) {
    uint32_t live = 0;
    for (unsigned k = 0; k < c->n; k++) live |= c->block[k]->live_threads;
    return !live || cluster_failed(c);
}

static bool block_waits(const block *b) {
    for (unsigned k = 0; k < b->n_warps; k++)
        for (unsigned n = 0; n < b->warps[k].n_splits; n++)
            if (b->warps[k].splits[n].state == SPLIT_ROUND) return true;
    return false;
}

/* Each warp has a turn; false: none could run. */
static bool block_turn(block *b) {
    const launch *ln = b->ln;
    bool shuffled = ln->p->seed != 0, progress = false;
    if (shuffled) shuffle(b->warp_order, b->n_warps, &b->rng);
    for (unsigned k = 0; k < b->n_warps && !b->failed; k++) {
        warp *w = &b->warps[b->warp_order[k]];
        if (!runnable(w)) continue;
        progress = true;
        run_warp(w, shuffled ? 64 + (uint32_t)(ptx_random(&b->rng) % 2048) : TURN);
    }
    if (b->instructions > ln->limit && !block_done(b)) timeout(b);
    if (atomic_load_explicit(&ln->stop, memory_order_relaxed)) b->failed = true;
    return progress;
}

void cluster_deadlock(cluster *c) {
    for (unsigned k = 0; k < c->n; k++)
        if (!block_done(c->block[k])) block_deadlock(c->block[k]);
}

void cluster_run(cluster *c) {
    unsigned order[MAX_CLUSTER];
    bool progress = true, waits = false;
    for (unsigned k = 0; k < c->n; k++) order[k] = k;
    while (progress && !cluster_done(c)) {
        progress = false;
        if (c->n > 1 && c->block[0]->ln->p->seed) shuffle(order, c->n, &c->block[0]->rng);
        for (unsigned k = 0; k < c->n; k++)
            if (!block_done(c->block[order[k]])) progress |= block_turn(c->block[order[k]]);
    }
    for (unsigned k = 0; k < c->n; k++) waits |= block_waits(c->block[k]);
    if (!waits && !cluster_done(c)) cluster_deadlock(c);
}

static void block_serial(block *b) {
    for (unsigned k = 0; k < b->n_warps && !b->failed; k++) {
        warp *w = &b->warps[b->warp_order[k]];
        w->serial = true;
        for (unsigned n = 0, most = w->n_splits; n < most && !b->failed; n++) {
            if (w->splits[n].state != SPLIT_ROUND) continue;
            w->splits[n].state = SPLIT_RUN;
            w->cur = &w->splits[n];
            w->r = w->cur->regs;
            w->yield = false;
            run_split(w, UINT32_MAX, 1);
        }
        w->serial = false;
    }
}

void cluster_serial(cluster *c) {
    for (unsigned k = 0; k < c->n && !cluster_failed(c); k++) block_serial(c->block[k]);
}

/* ---- barriers ---- */

/* Lanes of a warp arrive; when all that live are there they count as a whole warp. */
void barrier_arrive(warp *w, barrier *x, uint32_t mask) {
    uint32_t *partial = &x->partial[w->index];
    x->lanes[w->index] |= mask;
    x->warps |= 1u << w->index;
    x->arrived += (uint32_t)__builtin_popcount(mask);
    *partial |= mask;
    if (w->live & ~*partial) return;
    x->arrived += LANES - (uint32_t)__builtin_popcount(*partial);
    *partial = 0;
}

static bool complete(const block *b, const barrier *x) {
    if (x->counted) return x->arrived >= x->expected;
    for (unsigned k = 0; k < b->n_warps; k++)
        if (b->warps[k].live & ~x->lanes[k]) return false;
    return true;
}

static void reduction_result(warp *w, const split *s, const barrier *x) {
    const ins *i = standing_at(w, s);
    if (i->sub < BAR_POPC) return;
    uint32_t v = i->sub == BAR_POPC  ? x->n_true
                 : i->sub == BAR_AND ? x->n_true == x->n_all
                                     : x->n_true > 0;
    uint32_t *d = (uint32_t *)(void *)(s->regs + i->d);
    EACH_LANE(l, s->mask)
    d[l] = v;
}

/* Lets everybody go when the barrier is complete. */
void barrier_check(block *b, unsigned id) {
    barrier *x = &b->bars[id];
    if (!complete(b, x)) return;
    uint32_t set = x->warps;
    for (unsigned k = 0; k < b->n_warps; k++) {
        warp *w = &b->warps[k];
        for (unsigned n = 0; n < w->n_splits; n++) {
            split *s = &w->splits[n];
            if (s->state != SPLIT_BARRIER || s->bar != id) continue;
            reduction_result(w, s, x);
            s->state = SPLIT_RUN;
            s->pc++;
        }
    }
    race_barrier(b, set);
    memset(x, 0, sizeof *x);
}

void barrier_leave(warp *w, uint32_t threads) {
    block *b = w->b;
    b->live_threads -= threads;
    for (unsigned id = 0; id < 16; id++) {
        if (!b->bars[id].warps) continue;
        if (b->bars[id].partial[w->index]) barrier_arrive(w, &b->bars[id], 0);
        barrier_check(b, id);
    }
    if (!w->live) group_leave(w);
    if (!b->live_threads) race_leave(w);
    cluster_check(b->cl);
}
