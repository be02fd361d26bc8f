/* fuzz_tool.c - the command `braze` on damaged programs: run, opt, grad, explain, export, kreport; for the CPU and, planned or on the emulated
 * driver, for a GPU.
 *
 *     text --damage--> file --braze COMMAND--> status 0 and nothing on stderr
 *                                              status 1 and FILE:LINE:COLUMN: error: ..., with the line below
 *                                              status 3 for an environment that lacks something (memory)
 *                     \---- run --device ref and cpu, or cuda: the same status, the same bits
 *
 * A signal, another status, a place outside the file, a file that a refused export leaves: a fault; its text is printed.
 * usage: fuzz_tool SECONDS [SEED [COUNT]]     environment: BRAZE_TOOL */
#include "src/ir/ir.h"
#include "tests/support/corpus.h"
#include "tests/support/damage.h"
#include "tests/support/fuzz.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { TEXT = 1 << 16, MAX_ARGS = 12 };
static const int64_t MAX_WORK = 200000;

static char dir[FUZZ_PATH];
static bool has_gpu; /* the emulated driver is there */
static uint64_t state;

static uint32_t draw(uint32_t below) {
    return (uint32_t)damage_draw(&state, below);
}

/* ---- one call of the tool */

typedef struct result {
    int status; /* -1: a signal */
    char *out, *err;
} result;

static char *read_all(const char *name) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "rb");
    bz_text t = {0};
    char chunk[4096];
    for (size_t k; f && (k = fread(chunk, 1, sizeof chunk, f)) > 0;) bz_text_add(&t, chunk, k);
    if (f) fclose(f);
    char *s = strdup(bz_text_c(&t));
    bz_text_free(&t);
    return s;
}

static result call(char *const *args) {
    char *argv[MAX_ARGS + 4] = {"timeout", "60", getenv("BRAZE_TOOL")}; /* 124: it hangs */
    for (unsigned i = 0; args[i]; i++) argv[i + 3] = args[i];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "out", O_CREAT | O_TRUNC | O_WRONLY, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, "err", O_CREAT | O_TRUNC | O_WRONLY, 0600);
    pid_t pid;
    int status = 0;
    if (posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ) ||
        waitpid(pid, &status, 0) < 0) {
        perror(argv[0]);
        exit(1);
    }
    posix_spawn_file_actions_destroy(&actions);
    return (result){WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_all("out"), read_all("err")};
}

static void free_result(result *r) {
    free(r->out);
    free(r->err);
}

/* ---- what is right */

static int lines_of(const char *s, size_t n) {
    int lines = 1;
    for (size_t i = 0; i < n; i++) lines += s[i] == '\n';
    return lines;
}

/* m.bz:LINE:COLUMN: error: words, within the text. */
static bool placed(const char *err, const char *text, size_t n) {
    int line = 0, column = 0, end = 0;
    return sscanf(err, "m.bz:%d:%d: error: %n", &line, &column, &end) == 2 && end && line >= 1 &&
           line <= lines_of(text, n) && column >= 1 && err[end] && err[end] != '\n';
}

/* Nodes written with their types have no source line of their own (docs/ir.md). */
static bool has_lines(const ir_module *m) {
    for (ir_ref r = 1; m && r < m->graphs.p[0]->n.n; r++)
        if (ir_at(m->graphs.p[0], r)->op != IR_INPUT && !m->graphs.p[0]->sites.p[r]) return false;
    return true;
}

/* NULL, or what is wrong with a result. lines: mistakes have a place. */
static const char *wrong(const result *r, const char *text, size_t n, bool lines) {
    bool told = placed(r->err, text, n) || (!lines && !strncmp(r->err, "braze: error: [", 15));
    switch (r->status) {
    case 0: return *r->err ? "it is done, and says something on stderr" : NULL;
    case 1: return told ? NULL : "a mistake without its place";
    case 3: /* out of memory, or a size that no memory holds; no compiler for a GPU */
        return strstr(r->err, "memory") || strstr(r->err, " takes ") ||
                       strstr(r->err, "no usable NVRTC")
                   ? NULL
                   : "the environment is blamed";
    default: return "another status";
    }
}

static bool fault(const char *what, char *const *args, const result *r, const char *text,
                  size_t n) {
    printf("fuzz_tool: %s:", what);
    for (unsigned i = 0; args[i]; i++) printf(" %s", args[i]);
    printf("\nstatus %d\n%s\n---- m.bz\n%.*s\n----\n", r->status, r->err, (int)n, text);
    return true;
}

static bool check(char *const *args, const char *text, size_t n, bool lines) {
    result r = call(args);
    const char *what = wrong(&r, text, n, lines);
    if (!what && r.status && !strcmp(args[0], "export") && !access("e.o", F_OK))
        what = "a refused export leaves a file";
    bool bad = what && fault(what, args, &r, text, n);
    free_result(&r);
    unlink("e.o");
    unlink("e.h");
    return bad;
}

static bool check_devices(const char *text, size_t n) {
    char *ref[] = {"run", "m.bz", "--json", "--device", "ref", NULL},
         *cpu[] = {"run", "m.bz", "--json", "--device", "cpu", NULL},
         *eager[] = {"run", "m.bz", "--json", "--mode", "eager", NULL},
         *cuda[] = {"run", "m.bz", "--json", "--device", "cuda", NULL};
    char **other = has_gpu && !draw(8) ? cuda : draw(3) ? cpu : eager;
    result a = call(ref), b = call(other);
    bool bad = false;
    const char *what = wrong(&a, text, n, false), *there = wrong(&b, text, n, false);
    bool unsupported = strstr(b.err, "no usable NVRTC");
    if (what) bad = fault(what, ref, &a, text, n);
    if (there) bad |= fault(there, other, &b, text, n);
    if (!bad && !unsupported && (a.status != b.status || strcmp(a.out, b.out) != 0))
        bad = fault("ref and cpu differ", other, &b, text, n);
    free_result(&a);
    free_result(&b);
    return bad;
}

/* ---- mutants */

static void write_text(const char *s, size_t n) {
    FILE *f = fopen("m.bz", "wb");
    if (!f || fwrite(s, 1, n, f) != n || fclose(f)) {
        perror("m.bz");
        exit(1);
    }
}

/* Elements of all nodes with what products sum over; false when that is much, or open. */
static bool is_small(const ir_graph *g) {
    int64_t sum = 0;
    for (ir_ref r = 1; r < g->n.n; r++) {
        int64_t n, x;
        if (!ir_numel(g, r, &n) || n > MAX_WORK) return false;
        for (unsigned i = 0; ir_at(g, r)->op == IR_DOT && i < 2; i++) {
            if (!ir_numel(g, ir_operand(g, r, i), &x) || x > MAX_WORK) return false;
            n += n * x;
        }
        if ((sum += n) > 50 * MAX_WORK) return false;
    }
    return true;
}

/* The sign and the bits of a NaN are anybody's. */
static bool is_exact(const ir_module *m) {
    for (uint32_t i = 0; i < m->graphs.n; i++)
        for (ir_ref r = 1; r < m->graphs.p[i]->n.n; r++) {
            unsigned op = ir_at(m->graphs.p[i], r)->op;
            if (op == IR_SIGNBIT || op == IR_COPYSIGN || op == IR_BITCAST) return false;
        }
    return true;
}

/* Its inputs make themselves up. */
static void fill_inputs(ir_graph *g) {
    for (uint32_t i = 0; i < g->inputs.n; i++) {
        ir_input *in = &g->inputs.p[i];
        if (in->fill) continue;
        bz_dtype t = ir_dtype(g, in->node);
        in->fill = ir_is_float(t) ? IR_FILL_RANDN : t == BZ_BOOL ? IR_FILL_VALUE : IR_FILL_RANDINT;
        in->fill_lo = ir_number_i(0);
        in->fill_hi = ir_number_i(ir_is_float(t) ? 1 : 4);
    }
}

/* A program that the parser takes: run where it is small; else planned, differentiated, exported as text and as code. */
static bool check_program(ir_module *m, const char *text, size_t n) {
    ir_graph *g = m->graphs.p[0];
    char name[128] = "";
    bz_text t = {0};
    bool bad = false;
    if (g->inputs.n) snprintf(name, sizeof name, "%s", g->inputs.p[0].name);
    char *grad[] = {"grad", "m.bz", "--wrt", name, draw(2) ? "--order=2" : "--order=1", NULL},
         *device = draw(3) ? "--device=cpu" : "--device=cuda",
         *plan[] = {"opt", "m.bz", draw(2) ? "--plan" : "--loops", device, NULL},
         *explain[] = {"explain", "m.bz", device, "--repeat=0", draw(2) ? "--json" : "--mode=eager",
                       NULL},
         *export[] = {"export", "m.bz", "--out=e", "--name=f", "--isa=base", NULL},
         *kreport[] = {"kreport", "m.bz", draw(2) ? "--arch=sm_80" : "--arch=sm_75,sm_90",
                       draw(2) ? "--json" : NULL, NULL};
    /* without inputs: no gradient; NVRTC takes its time */
    char *const *const others[] = {plan, explain, export, draw(4) ? plan : kreport, grad};
    if (is_small(g) && is_exact(m) && draw(2)) {
        fill_inputs(g);
        ir_print_module(&t, m);
        write_text(bz_text_c(&t), t.n);
        bad = check_devices(bz_text_c(&t), t.n);
    } else
        bad = check(others[draw(BZ_LEN(others) - !g->inputs.n)], text, n, has_lines(m));
    bz_text_free(&t);
    return bad;
}

static bool check_mutant(const char *text, size_t n, long *taken) {
    static char *const commands[] = {"run", "opt", "explain"};
    bz_error e = {0};
    ir_module *m = ir_parse(text, n, "m.bz", &e);
    write_text(text, n);
    *taken += m != NULL;
    if (!m) {
        char *args[] = {commands[draw(BZ_LEN(commands))], "m.bz", NULL};
        return check(args, text, n, true);
    }
    bool bad = check_program(m, text, n);
    ir_module_free(m);
    return bad;
}

static size_t mutant(const corpus *all, uint64_t seed, char *s) {
    unsigned i;
    state = bz_mix(seed, 0x9e3779b97f4a7c15u) | 1;
    do i = draw(all->n);
    while (all->size[i] >= TEXT / 2);
    memcpy(s, all->text[i], all->size[i]);
    return draw(8) ? damage_tokens(&state, s, all->size[i], TEXT)
                   : damage_bytes(&state, s, all->size[i], TEXT);
}

static void find_gpu(void) {
    const char *driver = getenv("BRAZE_FAKECUDA");
    has_gpu = driver && !access(driver, R_OK);
    if (!has_gpu) return;
    setenv("BRAZE_LIBCUDA", driver, 1);
    setenv("BRAZE_FAKE_THREADS", "1", 0);
    setenv("BRAZE_NVRTCFLAGS", "--Ofast-compile=mid", 0);
}

static bool enter_directory(void) {
    find_gpu();
    if (getenv("BRAZE_TOOL") && fuzz_directory(dir) && !chdir(dir)) return true;
    fprintf(stderr, "fuzz_tool: BRAZE_TOOL is not set, or no directory %s\n", dir);
    return false;
}

/* A program's text. */
void fuzz_bytes(const uint8_t *p, size_t n) {
    static bool entered;
    long taken = 0;
    if (!entered && !(entered = enter_directory())) abort();
    state = n | 1;
    if (check_mutant((const char *)p, n, &taken)) abort();
}

int fuzz_main(int argc, char **argv) {
    long taken = 0, refused = 0;
    corpus all = corpus_read();
    char *s = malloc(TEXT);
    if (!enter_directory()) return 1;
    fuzz_span f = fuzz_begin("fuzz_tool", argc, argv);
    while (fuzz_next(&f)) {
        size_t n = mutant(&all, f.seed, s);
        bz_error e = {0};
        ir_module *m = ir_parse(s, n, NULL, &e);
        ir_module_free(m);
        if (!m && ++refused % 8) { /* most are refused: a part of them is enough */
            f.runs--;
            continue;
        }
        if (check_mutant(s, n, &taken)) {
            printf("fuzz_tool: seed %llu\n", (unsigned long long)f.seed);
            f.faults++;
        }
    }
    free(s);
    corpus_free(&all);
    if (!f.faults && !chdir("/")) {
        char remove[128];
        snprintf(remove, sizeof remove, "rm -rf %s", dir);
        f.faults += system(remove) != 0;
    }
    printf("fuzz_tool: %ld texts, %ld taken, %ld faults\n", f.runs, taken, f.faults);
    return f.faults > 0;
}
