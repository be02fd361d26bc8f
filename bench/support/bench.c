/* bench.c - see bench.h. */
#include "bench/support/bench.h"

#include "bench/support/peers.h"
#include "bench/support/report.h"
#include "bench/support/samples.h"
#include "src/ir/base/base.h"

#include <braze/explain.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const double sample_ms = 60, quiet = 0.95;

enum {
    MAX_ROUNDS = 51,
    MAX_CALLS = 200,
    MAX_OPS = 24,
    MAX_PEERS = 8,
    LEAST_QUIET = 3,
    STEADY = 20
};

bool bench_tiny;

/* What is compiled is neither kept nor found: times of compiling are those of a machine that never did. */
__attribute__((constructor)) static void keep_nothing(void) {
    setenv("BRAZE_CACHE_DIR", "off", 0);
}
static int rounds = 9, threads;

typedef struct samples {
    double median[MAX_ROUNDS], best[MAX_ROUNDS]; /* ms */
} samples;

/* A way to run the workload on a number of threads. */
typedef struct contender {
    const bench_case *k;
    bool compiled;
    bz_context *c;
    bz_program *p;
    bz_tensor *in[BENCH_MAX_IN];
    samples took;
} contender;

/* An op of the eager form. */
typedef struct op_time {
    const char *name;
    bench_bound bound;
    double bytes, best[MAX_ROUNDS];
} op_time;

typedef struct side {
    int threads;
    contender fused, eager;
    bz_machine probe[MAX_ROUNDS];
    op_time op[MAX_OPS];
    int nops;
    bool use[MAX_ROUNDS];
} side;

typedef struct peer {
    char name[48];
    samples took;
} peer;

static void die(const char *what) {
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

void bench_start(int argc, char **argv) {
    static const struct option known[] = {{"rounds", 1, NULL, 'r'},
                                          {"threads", 1, NULL, 't'},
                                          {"out", 1, NULL, 'o'},
                                          {"tiny", 0, NULL, 'y'},
                                          {NULL, 0, NULL, 0}};
    const char *out = NULL;
    for (int o; (o = getopt_long(argc, argv, "", known, NULL)) != -1;) switch (o) {
        case 'r': rounds = atoi(optarg); break;
        case 't': threads = atoi(optarg); break;
        case 'o': out = optarg; break;
        case 'y': bench_tiny = true; break;
        default: exit(2);
        }
    if (bench_tiny) rounds = 1;
    if (rounds < 1 || rounds > MAX_ROUNDS || threads < 0) die("--rounds 1..51, --threads 0..");
    report_open(out);
}

/* ---- one call */

static void check(contender *x, bz_status s) {
    if (!s) s = bz_context_status(x->c);
    if (!s) return;
    fprintf(stderr, "bench: %s: %s\n", x->k->name, bz_message(x->c));
    exit(1);
}

/* A result that a donation pairs with an input takes its place: eager mode steps on like a program. */
static bz_status call(contender *x) {
    const bench_case *k = x->k;
    bz_tensor *out[BENCH_MAX_IN];
    bz_status s = bz_scope_begin(x->c);
    if (!s)
        s = x->compiled ? bz_call(x->p, x->in, out)
                        : k->fn(x->c, x->in, k->nin, out, k->nout, NULL);
    if (!s) s = bz_eval(out, k->nout);
    for (int i = 0; i < k->nin && k->donate && !s; i++) {
        if (k->donate[i] < 0) continue;
        bz_release(x->in[i]);
        x->in[i] = bz_keep(out[k->donate[i]]);
    }
    bz_scope_end(x->c);
    return s;
}

/* The function with its last input captured. */
static bz_status with_weight(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                             int nout, void *user) {
    const contender *x = user;
    bz_tensor *all[BENCH_MAX_IN];
    memcpy(all, in, (size_t)nin * sizeof *in);
    all[nin] = x->in[nin];
    return x->k->fn(c, all, nin + 1, out, nout, NULL);
}

static void contender_open(contender *x, const bench_case *k, bool compiled, int n) {
    *x = (contender){.k = k, .compiled = compiled};
    if (bz_open(&(bz_options){.mode = compiled ? BZ_LAZY : BZ_EAGER, .threads = n, .seed = 1},
                &x->c))
        die("no context");
    if (compiled)
        x->p = bz_compile(
            x->c, k->weight ? with_weight : k->fn, x,
            &(bz_compile_options){.nin = k->nin - k->weight, .nout = k->nout, .donate = k->donate});
    k->setup(x->c, x->in);
    check(x, bz_eval(x->in, k->nin));
    check(x, call(x));
}

/* ---- ops of the eager form: which of them, and since when, while a call of an eager contender runs */

static struct {
    side *s;
    int round, at;
    double since;
} ops;

bz_tensor *bench_op(const char *name, bench_bound bound, double bytes, bz_tensor *y,
                    bz_tensor *done) {
    if (ops.s && ops.at < MAX_OPS) {
        double now = now_ms();
        op_time *o = &ops.s->op[ops.at++];
        double *best = &o->best[ops.round];
        o->name = name, o->bound = bound, o->bytes = bytes;
        if (*best == 0 || now - ops.since < *best) *best = now - ops.since;
        if (ops.at > ops.s->nops) ops.s->nops = ops.at;
    }
    if (done) bz_release(done);
    if (ops.s) ops.since = now_ms();
    return y;
}

/* ---- rounds */

static void sample(contender *x, int round, side *by_op) {
    double took[MAX_CALLS], end, start;
    int n = 0;
    check(x, call(x));
    double first = now_ms();
    do {
        start = now_ms();
        ops.s = by_op, ops.round = round, ops.at = 0, ops.since = start;
        check(x, call(x));
        ops.s = NULL;
        end = now_ms();
        took[n++] = end - start;
    } while (n < MAX_CALLS && !bench_tiny && end - first < sample_ms);
    x->took.median[round] = median(took, n); /* sorts */
    x->took.best[round] = took[0];
}

static void round_of(side *s, int round) {
    if (!bench_tiny && bz_measure_machine(s->threads, &s->probe[round]))
        die("the machine could not be measured");
    sample(&s->fused, round, NULL);
    if (s->eager.c) sample(&s->eager, round, s);
}

static int peers_of(peers *from, peer *all, int n, int round) {
    char name[48];
    double middle, best;
    peers_ask(from);
    while (peers_next(from, name, sizeof name, &middle, &best)) {
        int i = 0;
        while (i < n && strcmp(all[i].name, name) != 0) i++;
        if (i == MAX_PEERS) continue;
        if (i == n) snprintf(all[n++].name, sizeof name, "%s", name);
        all[i].took.median[round] = middle;
        all[i].took.best[round] = best;
    }
    return n;
}

/* Which rounds count: all of them when too few were quiet. */
static void choose_rounds(side *s) {
    double best = 0;
    int n = 0;
    for (int r = 0; r < rounds; r++) best = fmax(best, s->probe[r].flops_per_s);
    for (int r = 0; r < rounds; r++) n += s->use[r] = s->probe[r].flops_per_s >= quiet * best;
    if (n < rounds)
        report_note("%s, %d thr: %d of %d rounds were quiet%s", s->fused.k->name, s->threads, n,
                    rounds, n < LEAST_QUIET ? ": none dropped" : "");
    for (int r = 0; r < rounds && n < LEAST_QUIET; r++) s->use[r] = true;
}

/* ---- figures */

static double middle_of(const side *s, const double *v) {
    double kept[MAX_ROUNDS];
    int n = 0;
    for (int r = 0; r < rounds; r++)
        if (s->use[r]) kept[n++] = v[r];
    return n ? median(kept, n) : NAN;
}

/* In % of what the probe of the same round says: work in bytes or flops, best in ms. */
static double share(const side *s, double work, const double *best, bool flops) {
    double v[MAX_ROUNDS];
    for (int r = 0; r < rounds; r++) {
        double most = flops ? s->probe[r].flops_per_s : s->probe[r].bytes_per_s;
        v[r] = most > 0 ? 100 * work / (best[r] * 1e-3) / most : NAN;
    }
    return middle_of(s, v);
}

static double probe(const side *s, bool flops) {
    double v[MAX_ROUNDS];
    for (int r = 0; r < rounds; r++)
        v[r] = 1e-9 * (flops ? s->probe[r].flops_per_s : s->probe[r].bytes_per_s);
    return middle_of(s, v);
}

static void add(const side *s, const char *what, double value, const char *unit, report_goal kind,
                double goal) {
    report_add(&(report_figure){.workload = s->fused.k->name,
                                .what = what,
                                .unit = unit,
                                .threads = s->threads,
                                .value = value,
                                .kind = goal > 0 || kind == REPORT_AT_MOST ? kind : REPORT_NO_GOAL,
                                .goal = goal});
}

/* All shares of copy bandwidth, and the least of those that memory bounds against the goal. */
static void add_ops(const side *s) {
    static const char *const slowest[] = {
        [BENCH_COPIES] = "slowest eager kernel that reads and writes, of copying",
        [BENCH_READS] = "slowest eager kernel that reduces, of copying"};
    char what[96];
    double least[BENCH_BOUNDS] = {INFINITY, INFINITY, INFINITY};
    for (int i = 0; i < s->nops; i++) {
        const op_time *o = &s->op[i];
        double v = share(s, o->bytes, o->best, false);
        if (!(v >= least[o->bound])) least[o->bound] = v; /* not measured: the worst */
        snprintf(what, sizeof what, "eager kernel %d (%s), of copying", i + 1, o->name);
        add(s, what, v, "%", REPORT_NO_GOAL, 0);
    }
    for (int b = BENCH_COPIES; b <= BENCH_READS; b++)
        if (!isinf(least[b])) add(s, slowest[b], least[b], "%", REPORT_AT_LEAST, 80);
}

static void add_side(const side *s) {
    const bench_case *k = s->fused.k;
    if (k->bytes > 0) add(s, "copy bandwidth", probe(s, false), "GB/s", REPORT_NO_GOAL, 0);
    if (k->flops > 0) add(s, "multiply-adds, f32", probe(s, true), "GFLOP/s", REPORT_NO_GOAL, 0);
    if (k->bytes > 0)
        add(s, "fused, of copy bandwidth", share(s, k->bytes, s->fused.took.best, false), "%",
            REPORT_AT_LEAST, k->copy_share);
    if (k->flops > 0)
        add(s, "fused, of multiply-adds", share(s, k->flops, s->fused.took.best, true), "%",
            REPORT_AT_LEAST, k->fma_share);
    if (!s->eager.c) return;
    double fused = middle_of(s, s->fused.took.median), eager = middle_of(s, s->eager.took.median);
    add(s, "fused against eager", eager / fused, "x", REPORT_AT_LEAST, k->speedup);
    if (s->nops) add_ops(s);
}

static long faults(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_minflt;
}

/* Kernels, page faults and allocations of a call, over STEADY of them. Allocations are made to fail: without them there is none. */
static void add_steady(side *s) {
    contender *x = &s->fused;
    bz_counters before, after;
    bz_get_counters(x->c, &before);
    long first = faults();
    for (int i = 0; i < STEADY; i++) check(x, call(x));
    double faulted = (double)(faults() - first) / STEADY;
    bz_get_counters(x->c, &after);
    bz_mem_fail_after(0);
    bz_status failed = BZ_OK;
    for (int i = 0; i < STEADY && !failed; i++) failed = call(x);
    bz_mem_fail_after(-1);
    add(s, "kernels in a step", (double)(after.launches - before.launches) / STEADY, "",
        REPORT_AT_MOST, x->k->kernels);
    add(s, "page faults in a step", faulted, "", REPORT_AT_MOST, 0);
    add(s, failed ? "steps without allocation (one failed)" : "allocations in a step", failed != 0,
        "", REPORT_AT_MOST, 0);
}

static void add_peers(const side *s, const peer *all, int n) {
    const bench_case *k = s->fused.k;
    double own = middle_of(s, s->fused.took.median);
    char what[96];
    report_time(k->what, "braze", s->threads, own);
    if (s->eager.c)
        report_time(k->what, "braze eager", s->threads, middle_of(s, s->eager.took.median));
    for (int i = 0; i < n; i++)
        report_time(k->what, all[i].name, s->threads, middle_of(s, all[i].took.median));
    for (int i = 0; i < n && k->beats_torch; i++) {
        if (strncmp(all[i].name, "torch", 5) != 0) continue;
        snprintf(what, sizeof what, "against %.40s", all[i].name);
        add(s, what, middle_of(s, all[i].took.median) / own, "x", REPORT_MORE_THAN, 1);
    }
}

void bench_measure(const bench_case *k) {
    static side sides[2];
    static peer all[MAX_PEERS];
    memset(sides, 0, sizeof sides);
    bz_machine m = {.threads = threads};
    if (threads == 0 && bz_measure_machine(0, &m)) die("the machine could not be measured");
    int nsides = m.threads > 1 ? 2 : 1, npeers = 0;
    for (int i = 0; i < nsides; i++) {
        sides[i].threads = i == 0 ? 1 : m.threads;
        contender_open(&sides[i].fused, k, true, sides[i].threads);
        if (k->by_ops) contender_open(&sides[i].eager, k, false, sides[i].threads);
    }
    side *last = &sides[nsides - 1];
    peers *others = peers_start(k->name, m.threads, bench_tiny, false);
    if (others) report_note("%s", peers_versions(others));
    for (int r = 0; r < rounds; r++) {
        for (int i = 0; i < nsides; i++) round_of(&sides[i], r);
        if (others) npeers = peers_of(others, all, npeers, r);
    }
    peers_stop(others);
    for (int i = 0; i < nsides; i++) {
        choose_rounds(&sides[i]);
        add_side(&sides[i]);
        if (k->kernels) add_steady(&sides[i]);
    }
    if (nsides == 2) add_peers(&sides[0], all, 0);
    add_peers(last, all, npeers);
    for (int i = 0; i < nsides; i++) {
        bz_close(sides[i].fused.c);
        if (sides[i].eager.c) bz_close(sides[i].eager.c);
    }
}

int bench_end(void) {
    report_close();
    return 0;
}

int bench_run(const bench_case *k) {
    bench_measure(k);
    return bench_end();
}
