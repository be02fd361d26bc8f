/* bench.c - see bench.h. */
#include "bench/support/bench.h"
#include "bench/support/peers.h"

#include <braze/explain.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SAMPLE_SECONDS 0.05
#define QUIET 0.95 /* of the best probe: a round below is not used */

enum { MAX_CONTENDERS = 12, MAX_ROUNDS = 101, MAX_IN = 32, LEAST_QUIET = 3 };

typedef struct contender {
    char name[48];
    bench_fn f;
    bool compiled;
    bz_context *c;
    bz_program *p;
    bz_tensor *in[MAX_IN];
    double seconds[MAX_ROUNDS];
} contender;

struct bench {
    const char *name, *json, *summary;
    bench_work work;
    int rounds, threads, n, nbraze;
    contender all[MAX_CONTENDERS];
    bz_machine probe[MAX_ROUNDS];
    peers *peers;
    bool compared; /* there were peers */
};

static void die(const char *what) {
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- set up */

bench *bench_new(const char *name, bench_work w, int argc, char **argv) {
    static const struct option known[] = {{"rounds", 1, NULL, 'r'}, {"threads", 1, NULL, 't'}, {"json", 1, NULL, 'j'}, {"summary", 1, NULL, 's'}, {NULL, 0, NULL, 0}};
    bench *b = calloc(1, sizeof *b);
    if (!b) die("out of memory");
    *b = (bench){.name = name, .work = w, .rounds = 7};
    for (int k; (k = getopt_long(argc, argv, "", known, NULL)) != -1;)
        switch (k) {
        case 'r': b->rounds = atoi(optarg); break;
        case 't': b->threads = atoi(optarg); break;
        case 'j': b->json = optarg; break;
        case 's': b->summary = optarg; break;
        default: exit(2);
        }
    if (b->rounds < 1 || b->rounds > MAX_ROUNDS || b->threads < 0) die("--rounds 1..101, --threads 0..");
    bz_machine m;
    if (bz_measure_machine(b->threads, &m)) die("the machine could not be measured");
    b->threads = m.threads;
    return b;
}

int bench_threads(const bench *b) {
    return b->threads;
}

static void check(contender *x, bz_status s) {
    if (!s) s = bz_context_status(x->c);
    if (!s) return;
    fprintf(stderr, "bench: %s: %s\n", x->name, bz_message(x->c));
    exit(1);
}

void bench_add_threads(bench *b, const char *name, bool compiled, const bench_fn *fn, int threads) {
    if (b->n == MAX_CONTENDERS || fn->nin > MAX_IN || fn->nout > MAX_IN) die("too many");
    contender *x = &b->all[b->n++];
    b->nbraze = b->n;
    snprintf(x->name, sizeof x->name, "%s", name);
    x->f = *fn;
    x->compiled = compiled;
    if (bz_open(&(bz_options){.mode = compiled ? BZ_LAZY : BZ_EAGER, .threads = threads, .seed = 1}, &x->c)) die("no context");
    if (compiled) x->p = bz_compile(x->c, fn->fn, fn->user, &(bz_compile_options){fn->nin, fn->nout, fn->donate});
    fn->setup(x->c, x->in, fn->user);
    check(x, bz_eval(x->in, fn->nin));
}

void bench_add(bench *b, const char *name, bool compiled, const bench_fn *fn) {
    bench_add_threads(b, name, compiled, fn, b->threads);
}

/* ---- samples */

/* Results that a donation pairs with an input take its place: eager mode and compiled mode step on alike. */
static void call(contender *x) {
    bz_tensor *out[MAX_IN];
    bz_scope_begin(x->c);
    bz_status s = x->compiled ? bz_call(x->p, x->in, out) : x->f.fn(x->c, x->in, x->f.nin, out, x->f.nout, x->f.user);
    check(x, s ? s : bz_eval(out, x->f.nout));
    for (int i = 0; i < x->f.nin && x->f.donate; i++) {
        if (x->f.donate[i] < 0) continue;
        bz_release(x->in[i]);
        x->in[i] = bz_keep(out[x->f.donate[i]]);
    }
    bz_scope_end(x->c);
}

static double sample(contender *x) {
    call(x);
    double start = now(), end;
    int calls = 0;
    do {
        call(x);
        calls++;
        end = now();
    } while (end - start < SAMPLE_SECONDS);
    return (end - start) / calls;
}

static void peer_round(bench *b, int round) {
    char name[48];
    double seconds;
    peers_ask(b->peers);
    while (peers_next(b->peers, name, sizeof name, &seconds)) {
        int k = b->nbraze;
        while (k < b->n && strcmp(b->all[k].name, name) != 0) k++;
        if (k == MAX_CONTENDERS) continue;
        if (k == b->n) snprintf(b->all[b->n++].name, sizeof name, "%s", name);
        b->all[k].seconds[round] = seconds;
    }
}

static void run(bench *b) {
    b->peers = peers_start(b->name, b->threads);
    for (int r = 0; r < b->rounds; r++) {
        if (bz_measure_machine(b->threads, &b->probe[r])) die("the machine could not be measured");
        for (int k = 0; k < b->nbraze; k++) b->all[k].seconds[r] = sample(&b->all[k]);
        if (b->peers) peer_round(b, r);
    }
    b->compared = b->peers != NULL;
    peers_stop(b->peers);
    b->peers = NULL;
}

/* ---- results */

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of the rounds that count. */
static double median(const double *x, const bool *use, int n) {
    double kept[MAX_ROUNDS];
    size_t k = 0;
    for (int i = 0; i < n; i++)
        if (use[i]) kept[k++] = x[i];
    qsort(kept, k, sizeof *kept, ascending);
    return k % 2 ? kept[k / 2] : (kept[k / 2 - 1] + kept[k / 2]) / 2;
}

/* Which rounds count; all of them when too few were quiet. How many those are. */
static int quiet_rounds(const bench *b, bool *use, bz_machine *best) {
    int n = 0;
    for (int r = 0; r < b->rounds; r++) {
        if (b->probe[r].flops_per_s > best->flops_per_s) best->flops_per_s = b->probe[r].flops_per_s;
        if (b->probe[r].bytes_per_s > best->bytes_per_s) best->bytes_per_s = b->probe[r].bytes_per_s;
    }
    for (int r = 0; r < b->rounds; r++) n += use[r] = b->probe[r].flops_per_s >= QUIET * best->flops_per_s;
    if (n < LEAST_QUIET)
        for (int r = 0; r < b->rounds; r++) use[r] = true;
    return n;
}

static void show(const bench *b, const bool *use, int quiet, const bz_machine *best) {
    double first = median(b->all[0].seconds, use, b->rounds);
    printf("%s: %d threads; copy %.1f GB/s, fma %.0f GFLOP/s; median of %d rounds%s\n", b->name, b->threads, best->bytes_per_s * 1e-9,
           best->flops_per_s * 1e-9, quiet < LEAST_QUIET ? b->rounds : quiet, quiet < LEAST_QUIET ? " (NOT QUIET: none dropped)" : "");
    for (int k = 0; k < b->n; k++) {
        double s = median(b->all[k].seconds, use, b->rounds);
        printf("  %-24s %10.4f ms", b->all[k].name, s * 1e3);
        if (b->work.bytes > 0) printf("  %7.1f GB/s %4.0f %% of copy", b->work.bytes / s * 1e-9, 100 * b->work.bytes / s / best->bytes_per_s);
        if (b->work.flops > 0) printf("  %7.1f GFLOP/s %4.0f %% of fma", b->work.flops / s * 1e-9, 100 * b->work.flops / s / best->flops_per_s);
        printf("  %6.2fx\n", s / first);
    }
    if (!b->compared) printf("  (no peers: set BRAZE_PEERS to a Python that has NumPy, PyTorch or JAX)\n");
}

static void write_json(const bench *b, const bool *use, const bz_machine *best, FILE *f) {
    fprintf(f, "{\"name\": \"%s\", \"threads\": %d, \"rounds\": %d, \"copy_bytes_per_s\": %.6g, \"fma_flops_per_s\": %.6g, \"contenders\": [",
            b->name, b->threads, b->rounds, best->bytes_per_s, best->flops_per_s);
    for (int k = 0; k < b->n; k++) {
        fprintf(f, "%s{\"name\": \"%s\", \"median_s\": %.6g, \"samples\": [", k ? ", " : "", b->all[k].name, median(b->all[k].seconds, use, b->rounds));
        for (int r = 0; r < b->rounds; r++) fprintf(f, "%s%.6g", r ? ", " : "", b->all[k].seconds[r]);
        fprintf(f, "]}");
    }
    fprintf(f, "]}\n");
}

static void write_files(const bench *b, const bool *use, const bz_machine *best) {
    FILE *f = b->json ? fopen(b->json, "w") : NULL;
    if (b->json && !f) perror(b->json);
    if (f) write_json(b, use, best, f), fclose(f);
    f = b->summary ? fopen(b->summary, "a") : NULL;
    if (b->summary && !f) perror(b->summary);
    double first = median(b->all[0].seconds, use, b->rounds);
    for (int k = 0; k < b->n && f; k++) {
        double s = median(b->all[k].seconds, use, b->rounds);
        fprintf(f, "%-12s %-24s %10.4f ms  %6.2fx\n", b->name, b->all[k].name, s * 1e3, s / first);
    }
    if (f) fclose(f);
}

int bench_finish(bench *b) {
    bool use[MAX_ROUNDS];
    bz_machine best = {0};
    run(b);
    int quiet = quiet_rounds(b, use, &best);
    show(b, use, quiet, &best);
    write_files(b, use, &best);
    for (int k = 0; k < b->nbraze; k++) bz_close(b->all[k].c);
    free(b);
    return 0;
}
