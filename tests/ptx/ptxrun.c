/* ptxrun.c - runs one kernel of a .cu, .ptx or fatbin file on the CPU under several seeded
 * schedules and says what the checkers found.
 *
 *   file --run_input--> PTX --ptx_load--> module --(for each seed: fresh memory, launch)-->
 * findings, arrays
 */
#include "ptxrun.h"

#include "../gpu/nvrtc.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "Usage: ptxrun FILE [--kernel NAME] [--grid x,y,z] [--block x,y,z] [--arg SPEC]...\n"
    "Runs a kernel of FILE (.cu through NVRTC, .ptx, fatbin) on the CPU and checks every access.\n"
    "\n"
    "  -k, --kernel NAME     which kernel (default: the only one)\n"
    "  -g, --grid x[,y[,z]]  blocks (default 1)\n"
    "  -b, --block x[,y[,z]] threads of a block (default 32)\n"
    "  -s, --shared N        bytes of dynamic shared memory\n"
    "  -a, --arg SPEC        the next argument: TYPE=VALUE or TYPE[COUNT]=INIT (a buffer)\n"
    "                        TYPE  i8 u8 i16 u16 i32 u32 i64 u64 f16 bf16 f32 f64\n"
    "                        INIT  a number, zeros, ones, iota, rand, randn, empty, @FILE.npy\n"
    "      --cluster x[,y[,z]] blocks of a cluster (default: as the kernel says)\n"
    "      --arch sm_N[a]    75, 80, 86, 89, 90, 100, 120 (default sm_90); a: compiled for it "
    "alone\n"
    "      --against FILE    that one's kernel on the same inputs: the same bits in all buffers;\n"
    "      --against-kernel, --against-grid, --against-block: where it differs\n"
    "      --seeds N         run N schedules and compare their results (default 1)\n"
    "  -I DIR, -D NAME[=V]   for the compiler of a .cu; each may stand several times\n"
    "      --out [K:]FILE.npy  write buffer argument K (default: the last) after the first run;\n"
    "                        may stand several times\n"
    "      --limit N         warp instructions that a block may run (default 2^28)\n"
    "      --time-limit S    end after S seconds with exit status 1\n"
    "      --cooperative     all blocks are resident: the grid may wait for itself\n"
    "      --threads N       host threads (default: all cores; no effect on the result)\n"
    "      --counters        count sectors, bank conflicts, instructions by class\n"
    "      --no-checks       faults only\n"
    "      --help            this text\n"
    "\n"
    "Exit status: 0 clean, 1 findings or results that differ, 2 wrong usage or input,\n"
    "3 environment (no NVRTC, no memory).\n";

/* What runs: the file, and with --against the other one. */
typedef struct {
    const char *file, *kernel;
    uint32_t grid[3], block[3];
} subject;

typedef struct {
    subject own, other;
    const char *outs[MAX_ARGS];
    uint32_t shared;
    run_arg args[MAX_ARGS];
    uint32_t cluster[3];
    unsigned n_args, n_outs, sm, compile, seeds, threads;
    uint64_t limit;
    bool cooperative, counters, no_checks;
} options;

typedef struct {
    run_memory memory;
    uint8_t params[32764];
    size_t param_bytes;
    ptx_extent *buffers[MAX_ARGS];
} run_state;

/* ---- options ---- */

static bool parse_number(const char *text, uint64_t limit, uint64_t *out) {
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 0);
    if (*text >= '0' && *text <= '9' && !*end && !errno && *out <= limit) return true;
    fprintf(stderr, "ptxrun: '%s' is not a number up to %llu\n", text, (unsigned long long)limit);
    return false;
}

static bool parse_dims(const char *text, uint32_t v[3]) {
    char *end;
    const char *p = text;
    v[1] = v[2] = 1;
    for (int k = 0; k < 3; k++) {
        unsigned long n = strtoul(p, &end, 10);
        if (end == p || *p == '-' || n == 0 || n > INT32_MAX) break;
        v[k] = (uint32_t)n;
        if (!*end) return true;
        p = end + 1;
        if (*end != ',') break;
    }
    fprintf(stderr, "ptxrun: '%s' is not x[,y[,z]]\n", text);
    return false;
}

/* sm_90a: the device is sm_90, code is compiled for it alone. */
static bool parse_arch(const char *text, options *o) {
    static const unsigned known[] = {75, 80, 86, 89, 90, 100, 120};
    char *end;
    o->sm = (unsigned)strtoul(!strncmp(text, "sm_", 3) ? text + 3 : text, &end, 10);
    o->compile = o->sm + (!strcmp(end, "a") ? NVRTC_OWN : 0);
    for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
        if (known[k] == o->sm && (!*end || o->compile > NVRTC_OWN)) return true;
    fprintf(stderr, "ptxrun: '%s': the device must be sm_75, 80, 86, 89, 90, 100 or 120\n", text);
    return false;
}

/* name, text, has it a value; numbers behind those of letters */
#define OPTIONS(X)                                                                                 \
    X(AGAINST, "against", 1)                                                                       \
    X(AGAINST_KERNEL, "against-kernel", 1)                                                         \
    X(AGAINST_GRID, "against-grid", 1)                                                             \
    X(AGAINST_BLOCK, "against-block", 1)                                                           \
    X(CLUSTER, "cluster", 1)                                                                       \
    X(ARCH, "arch", 1)                                                                             \
    X(SEEDS, "seeds", 1)                                                                           \
    X(OUT, "out", 1)                                                                               \
    X(LIMIT, "limit", 1)                                                                           \
    X(TIME_LIMIT, "time-limit", 1) X(COOPERATIVE, "cooperative", 0) X(THREADS, "threads", 1)       \
        X(COUNTERS, "counters", 0) X(NO_CHECKS, "no-checks", 0) X(HELP, "help", 0)
#define NUMBER(name, text, value) OPT_##name,
#define LONG(name, text, value)   {text, value, 0, OPT_##name},

enum { OPT_LETTERS = 255, OPTIONS(NUMBER) };

static const struct option longs[] = {{"kernel", 1, 0, 'k'}, {"grid", 1, 0, 'g'},
                                      {"block", 1, 0, 'b'},  {"shared", 1, 0, 's'},
                                      {"arg", 1, 0, 'a'},    OPTIONS(LONG){0, 0, 0, 0}};

static void out_of_time(int signal) {
    static const char text[] = "ptxrun: the time limit is over\n";
    (void)signal;
    _exit(write(STDERR_FILENO, text, sizeof text - 1) < 0 ? EXIT_ENVIRONMENT : EXIT_REPORTS);
}

static bool more_words(const char *what) {
    fprintf(stderr, "ptxrun: more than %d %s\n", MAX_ARGS, what);
    return false;
}

static bool take_option(options *o, int c) {
    uint64_t n = 0;
    bool ok = true;
    switch (c) {
    case 'k': o->own.kernel = optarg; break;
    case 'g': return parse_dims(optarg, o->own.grid);
    case 'b': return parse_dims(optarg, o->own.block);
    case OPT_AGAINST: o->other.file = optarg; break;
    case OPT_AGAINST_KERNEL: o->other.kernel = optarg; break;
    case OPT_AGAINST_GRID: return parse_dims(optarg, o->other.grid);
    case OPT_AGAINST_BLOCK: return parse_dims(optarg, o->other.block);
    case 's':
        ok = parse_number(optarg, 1 << 20, &n);
        o->shared = (uint32_t)n;
        break;
    case 'a':
        if (o->n_args < MAX_ARGS) return arg_parse(optarg, &o->args[o->n_args++]);
        return more_words("arguments");
    case 'I':
    case 'D': return nvrtc_flag((char)c, optarg) || more_words("-I and -D, or one is too long");
    case OPT_CLUSTER: return parse_dims(optarg, o->cluster);
    case OPT_ARCH: return parse_arch(optarg, o);
    case OPT_SEEDS:
        ok = parse_number(optarg, 10000, &n);
        o->seeds = (unsigned)n;
        break;
    case OPT_OUT:
        if (o->n_outs == MAX_ARGS) return more_words("--out");
        o->outs[o->n_outs++] = optarg;
        break;
    case OPT_LIMIT: return parse_number(optarg, UINT64_MAX, &o->limit);
    case OPT_TIME_LIMIT:
        ok = parse_number(optarg, 1 << 20, &n);
        signal(SIGALRM, out_of_time);
        alarm((unsigned)n);
        break;
    case OPT_COOPERATIVE: o->cooperative = true; break;
    case OPT_THREADS:
        ok = parse_number(optarg, 64, &n);
        o->threads = (unsigned)n;
        break;
    case OPT_COUNTERS: o->counters = true; break;
    case OPT_NO_CHECKS: o->no_checks = true; break;
    default: fprintf(stderr, "Try 'ptxrun --help'.\n"); return false;
    }
    return ok;
}

static int parse_options(int argc, char **argv, options *o) {
    for (int c; (c = getopt_long(argc, argv, "k:g:b:s:a:I:D:", longs, NULL)) != -1;) {
        if (c == OPT_HELP) {
            fputs(usage, stdout);
            exit(EXIT_CLEAN);
        }
        if (!take_option(o, c)) return EXIT_USAGE;
    }
    if (optind + 1 != argc || !o->seeds) {
        fprintf(stderr, "ptxrun: %s\nTry 'ptxrun --help'.\n",
                !o->seeds ? "at least one seed is needed" : "expected one FILE");
        return EXIT_USAGE;
    }
    o->own.file = argv[optind];
    if (!o->other.kernel) o->other.kernel = o->own.kernel;
    if (!o->other.grid[0]) memcpy(o->other.grid, o->own.grid, sizeof o->own.grid);
    if (!o->other.block[0]) memcpy(o->other.block, o->own.block, sizeof o->own.block);
    return EXIT_CLEAN;
}

/* ---- what is said ---- */

static void print_report(void *seed, const ptx_report *r) {
    printf("seed %llu: %s", (unsigned long long)*(const uint64_t *)seed, r->text);
    if (r->count > 1) printf(" (%llu times)", (unsigned long long)r->count);
    printf("\n");
}

static void print_counters(const ptx_counters *c, double seconds) {
    printf("counters of one run (%.3f ms, %.2f G lane instructions/s):\n", seconds * 1e3,
           (double)c->lane_instructions / seconds * 1e-9);
    for (size_t k = 0; k < PTX_COUNTER_NAMES; k++)
        printf("  %-28s %llu\n", ptx_counter_names[k],
               (unsigned long long)((const uint64_t *)(const void *)c)[k]);
    for (unsigned k = 0; k < PTX_CLASSES; k++)
        if (c->by_class[k])
            printf("  instructions: %-14s %llu\n", ptx_class_names[k],
                   (unsigned long long)c->by_class[k]);
}

/* ---- one run ---- */

static const ptx_kernel *choose_kernel(const ptx_module *m, const subject *of) {
    const ptx_kernel *k = of->kernel                 ? ptx_kernel_find(m, of->kernel)
                          : ptx_kernel_count(m) == 1 ? ptx_kernel_at(m, 0)
                                                     : NULL;
    if (k) return k;
    fprintf(stderr,
            of->kernel ? "ptxrun: there is no kernel '%s'; " : "ptxrun: %s--kernel is needed; ",
            of->kernel ? of->kernel : "");
    fprintf(stderr, "%s has:", of->file);
    for (size_t i = 0; i < ptx_kernel_count(m); i++)
        fprintf(stderr, " %s", ptx_kernel_at(m, i)->name);
    fputc('\n', stderr);
    return NULL;
}

static bool check_args(const ptx_kernel *k, const options *o) {
    if (k->n_params != o->n_args) {
        fprintf(stderr, "ptxrun: %s takes %u arguments, %u were given\n", k->name, k->n_params,
                o->n_args);
        return false;
    }
    for (unsigned i = 0; i < o->n_args; i++) {
        unsigned bytes = o->args[i].buffer ? 8 : o->args[i].bytes;
        if (k->params[i].size != bytes) {
            fprintf(stderr, "ptxrun: argument %u of %s has %u bytes, '%s' has %u\n", i, k->name,
                    k->params[i].size, o->args[i].text, bytes);
            return false;
        }
    }
    return true;
}

static int prepare(run_state *s, const ptx_kernel *k, const options *o) {
    s->param_bytes = k->param_bytes;
    for (unsigned i = 0; i < o->n_args; i++) {
        const run_arg *a = &o->args[i];
        uint8_t *to = s->params + k->params[i].offset;
        uint64_t written;
        if (!a->buffer) {
            if (!arg_fill(a, i, to, &written)) return EXIT_USAGE;
            continue;
        }
        char owner[64];
        snprintf(owner, sizeof owner, "argument %u (%.40s)", i, a->text);
        ptx_extent *e = s->buffers[i] = memory_new(&s->memory, a->count * a->bytes, 256, owner);
        if (!e) {
            fprintf(stderr, "ptxrun: no memory for '%s'\n", a->text);
            return EXIT_ENVIRONMENT;
        }
        if (!arg_fill(a, i, e->host, &written)) return EXIT_USAGE;
        ptx_shadow_mark(e->shadow, 0, written);
        memcpy(to, &e->base, 8);
    }
    return EXIT_CLEAN;
}

static double seconds_since(const struct timespec *t) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - t->tv_sec) + (double)(now.tv_nsec - t->tv_nsec) * 1e-9;
}

static bool write_out(const run_state *s, const options *o, const char *out) {
    const char *colon = strchr(out, ':');
    char *end;
    unsigned long k = colon ? strtoul(out, &end, 10) : MAX_ARGS;
    if (!colon)
        for (unsigned i = 0; i < o->n_args; i++) k = o->args[i].buffer ? i : k;
    if (k >= o->n_args || !o->args[k].buffer || (colon && end != colon)) {
        fprintf(stderr, "ptxrun: '%s' names no buffer argument\n", out);
        return false;
    }
    return npy_write(colon ? colon + 1 : out, &o->args[k], s->buffers[k]->host);
}

typedef struct {
    ptx_counters counters;
    double seconds;
    uint64_t reports;
    uint8_t *kept[MAX_ARGS]; /* the buffers after the first run */
    bool differ;
} outcome;

static void keep(const run_state *s, const options *o, outcome *out) {
    for (unsigned i = 0; i < o->n_args; i++) {
        if (!s->buffers[i]) continue;
        out->kept[i] = malloc(s->buffers[i]->size + 1);
        if (out->kept[i]) memcpy(out->kept[i], s->buffers[i]->host, s->buffers[i]->size);
    }
}

/* Against the first run; of another kernel, the first element of each buffer that is not the same. */
static void compare(const run_state *s, const options *o, const subject *of, outcome *out) {
    for (unsigned i = 0; i < o->n_args; i++) {
        const run_arg *a = &o->args[i];
        uint64_t k = 0;
        if (!out->kept[i] || !memcmp(out->kept[i], s->buffers[i]->host, s->buffers[i]->size))
            continue;
        out->differ = true;
        while (!memcmp(out->kept[i] + k * a->bytes, s->buffers[i]->host + k * a->bytes, a->bytes))
            k++;
        if (of == &o->other)
            printf("argument %u: element %llu is %.9g, in %s %.9g\n", i, (unsigned long long)k,
                   arg_element(a, out->kept[i], k), of->file,
                   arg_element(a, s->buffers[i]->host, k));
    }
}

static int run_seed(const char *ptx, size_t len, const options *o, const subject *of, uint64_t seed,
                    outcome *out) {
    static run_state s;
    memset(&s, 0, sizeof s);
    char text[4096];
    ptx_log log = {text, sizeof text, 0, 0};
    ptx_target target = {.sm = o->sm, .multiprocessors = 16};
    ptx_module *m = ptx_load(ptx, len, &target, &log);
    if (!m) {
        fprintf(stderr, "ptxrun: %s:%s", of->file, text);
        return EXIT_USAGE;
    }
    const ptx_kernel *k = choose_kernel(m, of);
    int status = k && check_args(k, o) ? prepare(&s, k, o) : EXIT_USAGE;
    if (status == EXIT_CLEAN && !memory_place(&s.memory, m)) status = EXIT_ENVIRONMENT;
    if (status == EXIT_CLEAN) {
        ptx_memory memory = {&s.memory, memory_find, ptx_heap_new(HEAP_BYTES)};
        ptx_sink sink = {&seed, print_report, NULL};
        ptx_launch_params p = {.module = m,
                               .kernel = k,
                               .cluster = {o->cluster[0], o->cluster[1], o->cluster[2]},
                               .shared_dynamic = o->shared,
                               .params = s.params,
                               .param_bytes = s.param_bytes,
                               .cooperative = o->cooperative,
                               .seed = seed,
                               .host_threads = o->threads,
                               .instruction_limit = o->limit,
                               .checks = o->no_checks ? 0 : PTX_CHECK_ALL,
                               .count = o->counters && seed == 0,
                               .memory = &memory,
                               .sink = &sink};
        memcpy(p.grid, of->grid, sizeof p.grid);
        memcpy(p.block, of->block, sizeof p.block);
        ptx_result r;
        ptx_counters c = {0};
        struct timespec start;
        clock_gettime(CLOCK_MONOTONIC, &start);
        ptx_launch(&p, &c, &r);
        double seconds = seconds_since(&start);
        if (r.status != PTX_OK)
            printf("seed %llu ended with: %s%s%s\n", (unsigned long long)seed,
                   ptx_status_name(r.status), r.status == PTX_INVALID ? ": " : "",
                   r.status == PTX_INVALID ? r.message : "");
        if (r.status == PTX_INVALID) status = EXIT_USAGE;
        out->reports += r.reports;
        bool first = seed == 0 && of == &o->own;
        if (first)
            out->counters = c, out->seconds = seconds, keep(&s, o, out);
        else
            compare(&s, o, of, out);
        for (unsigned n = 0; first && n < o->n_outs && status == EXIT_CLEAN; n++)
            if (!write_out(&s, o, o->outs[n])) status = EXIT_USAGE;
        ptx_result_free(&r);
        ptx_heap_free(memory.heap);
    }
    memory_drop(&s.memory);
    ptx_unload(m);
    return status;
}

/* All schedules of one of the two. */
static int run_subject(const options *o, const subject *of, outcome *out) {
    size_t len;
    int status;
    char *ptx = input_read(of->file, o->compile, &len, &status);
    if (!ptx) return status;
    status = EXIT_CLEAN;
    for (unsigned seed = 0; seed < o->seeds && status == EXIT_CLEAN; seed++)
        status = run_seed(ptx, len, o, of, seed, out);
    free(ptx);
    return status;
}

static int run_all(const options *o) {
    outcome out = {0};
    int status = run_subject(o, &o->own, &out);
    bool seeds_differ = out.differ;
    out.differ = false;
    if (o->other.file && status == EXIT_CLEAN) status = run_subject(o, &o->other, &out);
    if (status == EXIT_CLEAN) {
        if (seeds_differ) printf("results differ between seeds\n");
        if (o->counters) print_counters(&out.counters, out.seconds);
        if (o->other.file && !out.differ) printf("the same bits as %s\n", o->other.file);
        if (!out.reports && !seeds_differ && !out.differ)
            printf("%u schedule%s, no findings\n", o->seeds, o->seeds == 1 ? "" : "s");
    }
    for (unsigned i = 0; i < o->n_args; i++) free(out.kept[i]);
    return status ? status : out.reports || seeds_differ || out.differ ? EXIT_REPORTS : EXIT_CLEAN;
}

int main(int argc, char **argv) {
    static options o = {
        .own = {.grid = {1, 1, 1}, .block = {32, 1, 1}}, .sm = 90, .compile = 90, .seeds = 1};
    int status = parse_options(argc, argv, &o);
    return status == EXIT_CLEAN ? run_all(&o) : status;
}
