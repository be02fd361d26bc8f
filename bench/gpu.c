/* gpu.c - braze on a GPU, timed by the driver's events: kernels against what copies and FMAs of the same machine allow, products against
 * cuBLAS, all of it against other systems; and what the emulated driver counts of the same programs.
 *
 *     gpu --probe               says which device there is; status 3 and what was looked for where there is none
 *     gpu [--tiny] [--out FILE] [--rounds N] [--only WORD] [--fast]
 *
 * --fast: products and steps alone, in fast mode (docs/fast.md), with "/fast" behind their names. A workload is a compiled function that
 * is called again and again on the context's stream, results released as they come: a sample is the time between two events around as
 * many calls as fill SAMPLE_MS, and the fastest of `rounds` counts. FILE gets an object of JSON a line (bench/gpu_table.py makes tables
 * of it):
 *
 *     {"kind": "device", "name", "arch", "processors", "driver", "clock_hz", "emulated"}
 *     {"kind": "limit", "name": copy | fma | mma, "rate"}          bytes or operations a second
 *     {"kind": "work", "name", "what", "dtype", "bytes", "flops", "ms", "middle_ms", "host_ms", "launches"}
 *     {"kind": "peer", "name", "who", "ms", "differs"}             differs: largest difference, of the largest value; null: not compared
 *     {"kind": "counters", "name", COUNTER: n ...}                 of one call, on the emulated driver alone */
#include "bench/support/bench.h"
#include "bench/support/gpu.h"
#include "bench/support/gpu_blas.h"
#include "bench/support/gpu_work.h"
#include "bench/support/peers.h"
#include "bench/support/samples.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double sample_ms = 50;
enum { MAX_CALLS = 200, MAX_ROUNDS = 51, NO_DEVICE = 3 };

static int rounds = 7;
static bool fast;
static const char *only;
static FILE *out;
static bz_context *c;
static gpu_machine machine;
static gpu_blas *blas;

/* ---- one workload */

typedef struct running {
    const bench_case *k;
    bz_program *p;
    bz_tensor *in[GPU_MAX_IN];
} running;

static void must(const char *what, bz_status s) {
    if (!s) s = bz_context_status(c);
    if (!s) return;
    fprintf(stderr, "bench: %s: %s\n", what, bz_message(c));
    exit(1);
}

static void call(running *r) {
    bz_tensor *y[GPU_MAX_IN];
    bz_scope_begin(c);
    must(r->k->name, bz_call(r->p, r->in, y));
    bz_scope_end(c);
}

/* Milliseconds a call, on the device and of the host's. */
static double sample(running *r, int calls, double *host) {
    gpu_begin();
    const double start = now_ms();
    for (int i = 0; i < calls; i++) call(r);
    *host = (now_ms() - start) / calls;
    return gpu_end() / calls;
}

static void add_work(const running *r, const double *ms, const double *host, int n) {
    double by_size[MAX_ROUNDS];
    bz_counters before, after;
    memcpy(by_size, ms, (size_t)n * sizeof *ms);
    const double middle = median(by_size, n), best = by_size[0]; /* sorts */
    memcpy(by_size, host, (size_t)n * sizeof *host);
    bz_get_counters(c, &before);
    call((running *)(uintptr_t)r);
    bz_get_counters(c, &after);
    printf("%-28s %12.4f ms\n", r->k->name, best);
    if (!out) return;
    fprintf(out,
            "{\"kind\": \"work\", \"name\": \"%s\", \"what\": \"%s\", \"dtype\": \"%s\", "
            "\"bytes\": %.9g, \"flops\": %.9g, \"ms\": %.6g, \"middle_ms\": %.6g, "
            "\"host_ms\": %.6g, \"launches\": %llu}\n",
            r->k->name, r->k->what, bz_dtype_name(gpu_dtype), r->k->bytes, r->k->flops, best,
            middle, median(by_size, n), (unsigned long long)(after.launches - before.launches));
}

/* What a call counts more than there was; the emulated driver alone does. */
static void add_counters(running *r) {
    static const char *const all[] = {
        "lane_instructions",    "global_load_bytes",         "global_store_bytes",
        "global_load_requests", "global_store_requests",     "global_load_sectors",
        "global_store_sectors", "global_load_sectors_ideal", "global_store_sectors_ideal",
        "shared_wavefronts",    "shared_wavefronts_ideal"};
    enum { N = sizeof all / sizeof *all };
    double before[N];
    gpu_begin(), gpu_end(); /* all that was asked for is done */
    for (int i = 0; i < N; i++) before[i] = gpu_counter(all[i]);
    call(r);
    gpu_begin(), gpu_end();
    if (!out) return;
    fprintf(out, "{\"kind\": \"counters\", \"name\": \"%s\"", r->k->name);
    for (int i = 0; i < N; i++)
        fprintf(out, ", \"%s\": %.0f", all[i], gpu_counter(all[i]) - before[i]);
    fprintf(out, "}\n");
}

static void add_peer(const char *name, const char *who, double ms, double differs) {
    printf("%-28s %12.4f ms  %s\n", name, ms, who);
    if (!out) return;
    fprintf(out,
            "{\"kind\": \"peer\", \"name\": \"%s\", \"who\": \"%s\", \"ms\": %.6g, \"differs\": ",
            name, who, ms);
    fprintf(out, isfinite(differs) ? "%.3g}\n" : "null}\n", differs);
}

static void measure_peers(const bench_case *k) {
    char who[48];
    double ms[8][MAX_ROUNDS], middle, best;
    char names[8][48];
    int n = 0, taken[8] = {0};
    peers *others = peers_start(k->name, 1, bench_tiny, true);
    if (!others) return;
    for (int r = 0; r < rounds; r++) {
        peers_ask(others);
        while (peers_next(others, who, sizeof who, &middle, &best)) {
            int i = 0;
            while (i < n && strcmp(names[i], who) != 0) i++;
            if (i == 8) continue;
            if (i == n) snprintf(names[n++], sizeof who, "%s", who);
            ms[i][taken[i]++] = best;
        }
    }
    peers_stop(others);
    for (int i = 0; i < n; i++) {
        median(ms[i], taken[i]); /* sorts */
        add_peer(k->name, names[i], ms[i][0], NAN);
    }
}

/* ---- cuBLAS on the same factors */

static void *bytes_of(bz_tensor *x, size_t *n) {
    *n = (size_t)bz_numel(x) * (gpu_dtype == BZ_F32 ? 4 : 2);
    void *p = malloc(*n);
    must("a product", p ? bz_to_host(x, p, *n) : BZ_ENOMEM);
    return p;
}

static double number_at(const void *p, int64_t i) {
    uint32_t bits = 0;
    float f;
    if (gpu_dtype == BZ_F32) return (double)((const float *)p)[i];
    memcpy(&bits, (const char *)p + 2 * i, 2);
    if (gpu_dtype == BZ_F16) { /* of numbers that are neither tiny nor infinite */
        const int e = (int)(bits >> 10 & 31) - 15;
        const double v = ldexp(1 + (bits & 1023) / 1024.0, e);
        return bits >> 15 ? -v : v;
    }
    bits <<= 16;
    memcpy(&f, &bits, sizeof f);
    return (double)f;
}

/* The largest difference, of the largest value. */
static double difference(const void *a, const void *b, int64_t n) {
    double largest = 0, differs = 0;
    for (int64_t i = 0; i < n; i++) {
        largest = fmax(largest, fabs(number_at(a, i)));
        differs = fmax(differs, fabs(number_at(a, i) - number_at(b, i)));
    }
    return largest > 0 ? differs / largest : differs;
}

static void measure_blas(running *r) {
    const int n = (int)gpu_depth();
    size_t bytes;
    bz_tensor *y;
    unsigned long long at[3];
    bz_scope_begin(c);
    must("a product", bz_call(r->p, r->in, &y));
    void *own = bytes_of(y, &bytes), *theirs = malloc(bytes);
    for (int i = 0; i < 2; i++) {
        void *p = bytes_of(r->in[i], &bytes);
        at[i] = gpu_memory(p, bytes);
        free(p);
    }
    at[2] = gpu_memory(NULL, bytes);
    double best = INFINITY;
    bool ok = theirs && at[0] && at[1] && at[2];
    for (int i = 0; i <= rounds && ok; i++) { /* the first does not count */
        const int calls = bench_tiny || !i ? 1 : 10;
        gpu_begin();
        gpu_enter();
        for (int k = 0; k < calls && ok; k++)
            ok = gpu_blas_product(blas, gpu_dtype, fast, n, n, n, at[0], at[1], at[2]);
        gpu_leave();
        const double ms = gpu_end() / calls;
        if (i) best = fmin(best, ms);
    }
    if (ok) {
        gpu_read(theirs, at[2], bytes);
        add_peer(r->k->name, gpu_blas_name(blas), best, difference(own, theirs, (int64_t)n * n));
    }
    for (int i = 0; i < 3; i++) gpu_free(at[i]);
    free(own);
    free(theirs);
    bz_scope_end(c);
}

/* ---- all of them */

static void measure(const bench_case *what) {
    bench_case named = *what;
    const bench_case *k = &named;
    running r = {.k = k};
    char name[64];
    double ms[MAX_ROUNDS], host[MAX_ROUNDS], first, own;
    snprintf(name, sizeof name, "%s%s", what->name, fast ? "/fast" : "");
    named.name = name;
    if (only && !strstr(k->name, only)) return;
    bz_scope_begin(c);
    k->setup(c, r.in);
    must(k->name, bz_eval(r.in, k->nin));
    r.p = bz_compile(c, k->fn, NULL,
                     &(bz_compile_options){.nin = k->nin, .nout = k->nout, .donate = k->donate});
    must(k->name, BZ_OK);
    for (int i = 0; i < 3; i++) call(&r); /* compiles; makes the graph */
    first = sample(&r, 1, &own);
    const double fill = first > 0 ? sample_ms / first : MAX_CALLS;
    const int calls = bench_tiny || fill < 1 ? 1 : fill > MAX_CALLS ? MAX_CALLS : (int)fill;
    for (int i = 0; i < rounds; i++) ms[i] = sample(&r, calls, &host[i]);
    add_work(&r, ms, host, rounds);
    if (machine.emulated) add_counters(&r);
    if (blas && k->fn == gpu_product) measure_blas(&r);
    bz_program_free(r.p);
    bz_scope_end(c);
    if (!fast) measure_peers(k);
}

static void add_limit(const char *name, double rate) {
    printf("%-28s %12.4g /s\n", name, rate);
    if (out) fprintf(out, "{\"kind\": \"limit\", \"name\": \"%s\", \"rate\": %.6g}\n", name, rate);
}

static void measure_limits(void) {
    add_limit("copy", gpu_copy_rate(bench_tiny ? 1 << 20 : 512u << 20));
    add_limit("fma", gpu_fma_rate(bench_tiny));
    add_limit("mma", gpu_mma_rate(bench_tiny));
}

static void say_device(void) {
    printf("%s, sm_%u, %u processors, driver %d.%d%s\n", machine.name, machine.arch,
           machine.processors, machine.driver / 1000, machine.driver % 1000 / 10,
           machine.emulated ? ", emulated: no time here means anything" : "");
    if (out)
        fprintf(out,
                "{\"kind\": \"device\", \"name\": \"%s\", \"arch\": %u, \"processors\": %u, "
                "\"driver\": %d, \"clock_hz\": %.6g, \"emulated\": %s}\n",
                machine.name, machine.arch, machine.processors, machine.driver, machine.clock_hz,
                machine.emulated ? "true" : "false");
}

static bool read_options(int argc, char **argv) {
    static const struct option known[] = {{"probe", 0, NULL, 'p'}, {"tiny", 0, NULL, 'y'},
                                          {"out", 1, NULL, 'o'},   {"rounds", 1, NULL, 'r'},
                                          {"only", 1, NULL, 'n'},  {"fast", 0, NULL, 'f'},
                                          {NULL, 0, NULL, 0}};
    bool probe = false;
    for (int o; (o = getopt_long(argc, argv, "", known, NULL)) != -1;) switch (o) {
        case 'p': probe = true; break;
        case 'y': bench_tiny = true; break;
        case 'n': only = optarg; break;
        case 'f': fast = true; break;
        case 'r': rounds = atoi(optarg); break;
        case 'o':
            if (!(out = fopen(optarg, "w"))) perror(optarg), exit(1);
            break;
        default: exit(2);
        }
    if (bench_tiny) rounds = 1;
    if (rounds >= 1 && rounds <= MAX_ROUNDS) return probe;
    fprintf(stderr, "bench: --rounds 1..%d\n", MAX_ROUNDS);
    exit(2);
}

int main(int argc, char **argv) {
    char why[256] = "";
    const bool probe = read_options(argc, argv);
    const bz_numerics numerics = fast ? BZ_FAST : BZ_STRICT;
    if (bz_open(&(bz_options){.device = BZ_CUDA, .seed = 1, .numerics = numerics}, &c)) {
        printf("no device: %s\n", bz_message(NULL));
        return NO_DEVICE;
    }
    gpu_open(c, &machine);
    say_device();
    if (!probe) {
        gpu_enter();
        blas = gpu_blas_open(gpu_stream(), why, sizeof why);
        gpu_leave();
        printf("%s\n", blas ? gpu_blas_name(blas) : why);
        if (!only && !fast) measure_limits();
        if (!fast) gpu_moves(measure);
        gpu_products(measure);
        gpu_steps(measure);
        gpu_enter();
        gpu_blas_close(blas);
        gpu_leave();
    }
    gpu_close();
    bz_close(c);
    if (out && fclose(out)) return perror("bench"), 1;
    return 0;
}
