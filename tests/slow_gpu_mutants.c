/* slow_gpu_mutants.c - is anything that goes wrong in emitted kernels seen? The mutation proof (docs/gpu-proof.md) on the CUDA C that braze
 * emits for the graphs below: guards, barriers, masks, indices, operators and numbers broken one at a time, then compiled by NVRTC and run on the emulated driver.
 *
 *     graph --plan--> CUDA C --tests/mutants/mutate.h--> mutants --NVRTC--> PTX --driver--> other bits, reported, failed, endless: caught
 *                                                                                      the interpreter's bits, no report: survived
 *
 * In fast mode (graphs called so) the interpreter is that of the kernel loops.
 *
 * A mutant that does not compile, or compiles to the same PTX, is none. PERCENT of the others must be caught. MUTANTS=all tries every one and
 * prints the survivors (`make gpu-mutate-emitted`); else a sample. MUTANTS_ONLY: graphs with this word in their names. */
#include "src/codegen/nvrtc.h"
#include "tests/mutants/mutate.h"
#include "tests/support/irtest.h"
#include "tests/support/plan_cuda.h"
#include "tests/support/plan_run.h"

#include <criterion/criterion.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    WORKERS = 2,
    SAMPLE = 160,
    INPUTS = 3,
    ARCH = 80,
    SECONDS = 20,
    MOST = 1 << 14,
    OUTPUTS = 8,
    PERCENT = 90, /* of a sample, which may have many that are the same */
    ROWS = 31,    /* of what is gathered from */
    TOO_LARGE_AT = 5,
    /* of fast mode's: at the end of k both factors are 0, what lies beyond an edge is computed and not stored, and the way for pointers that
     * forbid vectors is not gone; whoever breaks one of these changes nothing */
    FAST_SAMPLE = 80,
    FAST_PERCENT = 80
};

static const struct {
    const char *name, *text;
} graphs[] = {
    {"chain", "graph main(x: f32[9,1003], y: f32[9,1003], b: f32[1003]) { %s = add %x %y\n %t = "
              "mul %s %b\n %r = relu %t\n %z = sub %r %y\n return %z }"},
    {"softmax", "graph main(x: f32[150,135]) { %y = softmax %x {axis=1}\n return %y }"},
    {"norm", "graph main(x: f32[60,1103], w: f32[1103], b: f32[1103]) { %n = layer_norm %x %w %b\n "
             "return %n }"},
    {"sums", "graph main(x: f32[40,9001]) { %y = sum %x {axes=[1]}\n %m = max %x {axes=[1]}\n "
             "return %y, %m }"},
    {"columns", "graph main(x: f32[700,37]) { %y = sum %x {axes=[0]}\n return %y }"},
    {"whole", "graph main(x: f32[5,140001]) { %y = sum %x {axes=[1]}\n return %y }"},
    {"transpose", "graph main(x: f32[130,77], y: f32[77,130]) { %t = transpose %x\n %z = add %t "
                  "%y\n return %z }"},
    {"product", "graph main(x: f32[65,530], w: f32[530,70], b: f32[70]) { %d = matmul %x %w\n %s = "
                "add %d %b\n %y = relu %s\n return %y }"},
    {"product_nt",
     "graph main(x: f32[72,520], w: f32[68,520], b: f32[68]) { %y = linear %x %w %b\n return %y }"},
    {"product_bf16",
     "graph main(x: bf16[40,530], w: bf16[530,36]) { %y = matmul %x %w\n return %y }"},
    {"fast_bf16", "graph main(x: bf16[70,104], w: bf16[104,40], b: bf16[40]) { %d = matmul %x %w\n "
                  "%y = add %d %b\n return %y }"},
    {"fast_f32", "graph main(x: f32[61,63], w: f32[62,61]) { %e = neg %x\n %a = transpose %e\n "
                 "%b = transpose %w\n %y = matmul %a %b\n return %y }"},
    {"gather", "graph main(x: f32[31,36], k: i64[80]) { %y = gather %x %k "
               "{axis=0}\n return %y }"},
    {"pad", "graph main(x: f32[40,61], y: f32[43,3]) { %p = pad %x {lo=[1,2], hi=[2,1], value=3}\n "
            "%c = concat %p, %y {axis=1}\n return %c }"},
    {"scan", "graph main(x: f32[6,50]) { %y = cumsum %x {axis=1}\n return %y }"},
};

typedef enum verdict {
    PENDING,
    RUNNING,
    STILLBORN,
    SAME,
    WRONG,
    REPORTED,
    ENDLESS,
    CRASHED,
    IDLE,
    SURVIVED,
    VERDICTS
} verdict;
static const char *const words[VERDICTS] = {"pending",
                                            "running",
                                            "did not compile",
                                            "the same program",
                                            "other bits",
                                            "reported or failed",
                                            "endless",
                                            "killed the process",
                                            "no effect at these sizes",
                                            "survived"};

/* ---- a graph and its mutants */

typedef struct subject {
    ir_module *m;
    pass_plan *plan;
    bz_text text;
    mutants found;
    char *ptx; /* of the whole one; NULL: not compiled yet */
    struct inputs {
        ir_value_array in[OUTPUTS], want[OUTPUTS];
        bool refused; /* by the interpreter: an index that is out of range */
    } with[INPUTS];
} subject;
static subject subjects[BZ_LEN(graphs)];

typedef struct job {
    uint16_t graph, mutant;
    uint8_t verdict;
} job;
static struct board {
    size_t n;
    job jobs[MOST];
} * board;

/* Numbers of a wider range, some of them 0; the largest of each row is in another column. Of indices one is just too large. */
static void widen(ir_value_array *v) {
    const int64_t n = irt_numel(v), columns = v->rank ? v->shape[v->rank - 1] : 1;
    for (int64_t i = 0; i < n && ir_is_float(v->dtype); i++) {
        const bool largest = i % columns == (i / columns * 229 + columns - 1) % columns;
        irt_set(v, i, largest ? 300 : i % 11 ? irt_get(v, i) * 70 : 0);
    }
    if (v->dtype == BZ_I64 && n > TOO_LARGE_AT) irt_set(v, TOO_LARGE_AT, ROWS);
}

static bool is_fast(const char *name) {
    return strncmp(name, "fast", 4) == 0;
}

/* Special numbers. Of indices one near the end is too large. */
static void surprise(ir_value_array *v, uint64_t seed) {
    const int64_t n = irt_numel(v);
    if (v->dtype == BZ_I64)
        irt_set(v, n - 3, ROWS);
    else
        sprinkle_specials(v, &seed);
}

static void prepare(subject *s, const char *name, const char *text) {
    const pass_target t = pass_gpu_of(ARCH, is_fast(name));
    bz_error e = {0};
    size_t alike;
    s->m = irt_parse(text);
    const ir_graph *g = s->m->graphs.p[0];
    cr_assert(s->plan = pass_compile(g, &t, &e), "%s", e.text);
    for (unsigned k = 0; k < INPUTS; k++) {
        struct inputs *x = &s->with[k];
        bz_error own = {0};
        random_inputs(g, x->in, 3 + k);
        for (uint32_t i = 0; i < g->inputs.n && k == 1; i++) surprise(&x->in[i], i + 1);
        for (uint32_t i = 0; i < g->inputs.n && k == 2; i++) widen(&x->in[i]);
        x->refused = t.matrix ? plan_run(s->plan, x->in, x->want, &own)
                              : ir_interpret(g, x->in, x->want, &own);
    }
    cr_assert_eq(plan_cuda_emit(&s->plan, 1, &s->text, &alike, &e), BZ_OK, "%s", e.text);
    mutate_kernel(bz_text_c(&s->text), &s->found);
    size_t n = 0; /* what all texts begin with has tests of its own */
    for (size_t i = 0; i < s->found.n; i++)
        if (s->found.list[i].at > alike) s->found.list[n++] = s->found.list[i];
    s->found.n = n;
}

static void release(subject *s) {
    if (!s->m) return;
    for (unsigned k = 0; k < INPUTS; k++) {
        free_values(s->with[k].in, s->m->graphs.p[0]->inputs.n);
        free_values(s->with[k].want, s->m->graphs.p[0]->outputs.n);
    }
    pass_plan_free(s->plan);
    ir_module_free(s->m);
    bz_text_free(&s->text);
    mutate_free(&s->found);
    bz_mem_free(s->ptx);
}

/* ---- one mutant */

static char *compile(const char *text) {
    nvrtc_image image = {0};
    bz_error e = {0};
    char *ptx = NULL;
    if (!nvrtc_compile(text, ARCH, false, &image, &e)) ptx = image.ptx, image.ptx = NULL;
    nvrtc_image_free(&image);
    return ptx;
}

static bool broken; /* the driver's context may be at its end */

static verdict run_with(const plan_cuda_code *c, const subject *s, const struct inputs *x) {
    bz_error e = {0};
    const uint32_t n = s->m->graphs.p[0]->outputs.n;
    ir_value_array got[OUTPUTS] = {{0}};
    const bz_status st = plan_cuda_run(c, 0, x->in, got, &e);
    verdict v = SURVIVED;
    if (x->refused ? strcmp(e.text, "index out of range") || st != BZ_EINDEX : st != BZ_OK)
        v = REPORTED, broken = true;
    for (uint32_t i = 0; i < n && v == SURVIVED && !x->refused; i++)
        if (first_difference(&x->want[i], &got[i]) >= 0) v = WRONG;
    free_values(got, n);
    return v;
}

/* With each kind of inputs, where vectors are possible and where they are not, by many blocks and by few, in orders of two seeds. */
static verdict run(subject *s, const char *ptx) {
    bz_error e = {0};
    verdict v = SURVIVED;
    plan_cuda_code *c = plan_cuda_load(&s->plan, 1, ptx, &e);
    if (!c) return broken = true, REPORTED;
    for (unsigned k = 0; k < 2 * INPUTS && v == SURVIVED; k++) {
        plan_cuda_seed(k / 2 + 1);
        plan_cuda_blocks(k < 2 ? 24 : 3); /* a block has one task, and several */
        plan_cuda_shift(k % 2);
        v = run_with(c, s, &s->with[k / 2]);
    }
    plan_cuda_free(c);
    return v;
}

static verdict try_mutant(subject *s, const mutant *m) {
    char *text = mutate_apply(bz_text_c(&s->text), m), *ptx = compile(text);
    const verdict v = !ptx ? STILLBORN : !strcmp(ptx, s->ptx) ? SAME : run(s, ptx);
    free(text);
    bz_mem_free(ptx);
    return v;
}

/* Does nothing come of what the mutant's line computes, whatever that is? Its value becomes another one altogether: the last element of what is left of a row, say,
 * is never there. */
static bool is_idle(subject *s, const mutant *m) {
    const char *all = bz_text_c(&s->text), *line = all + m->at;
    mutant other = {.line = m->line};
    while (line > all && line[-1] != '\n') line--;
    const char *end = strchr(line, '\n'), *value = strstr(line, " = ");
    if (!value || value > end || end[-1] != ';' ||
        strstr(line, "for (") == line + strspn(line, " "))
        return false;
    const size_t n = (size_t)(end - value) - 4;
    const char *type = strstr(line, "bool v");
    if (n + 16 > sizeof other.with) return false;
    snprintf(other.with, sizeof other.with, type && type < value ? "!(%.*s)" : "(%.*s) + 12345",
             (int)n, value + 3);
    other.at = (size_t)(value + 3 - all);
    other.len = n;
    const verdict v = try_mutant(s, &other);
    return v == SAME || v == SURVIVED;
}

static verdict try_one(subject *s, size_t i) {
    const mutant *m = &s->found.list[i];
    if (!s->ptx && !((s->ptx = compile(bz_text_c(&s->text))) && run(s, s->ptx) == SURVIVED))
        return CRASHED; /* the whole one is wrong: nothing can be said of others */
    const verdict v = try_mutant(s, m);
    return v == SURVIVED && is_idle(s, m) ? IDLE : v;
}

/* ---- workers: processes, of which one that a fault leaves broken, or that a mutant kills, is started again behind it */

static void work(unsigned id) {
    if (!plan_cuda_ready()) _exit(1);
    for (size_t i = id; i < board->n; i += WORKERS) {
        job *j = &board->jobs[i];
        if (j->verdict != PENDING) continue;
        j->verdict = RUNNING;
        alarm(SECONDS);
        j->verdict = (uint8_t)try_one(&subjects[j->graph], j->mutant);
        alarm(0);
        if (broken) _exit(2);
    }
    _exit(0);
}

static pid_t start(unsigned id) {
    fflush(NULL);
    const pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid) return pid;
    signal(SIGALRM, SIG_DFL);
    freopen("/dev/null", "w", stderr); /* the driver's reports */
    work(id);
    return 0;
}

static void run_all(void) {
    pid_t pid[WORKERS];
    for (unsigned id = 0; id < WORKERS; id++) pid[id] = start(id);
    for (unsigned alive = WORKERS; alive > 0;) {
        int status = 0;
        const pid_t done = wait(&status);
        unsigned id = 0;
        while (id < WORKERS && pid[id] != done) id++;
        if (id == WORKERS) continue;
        for (size_t i = id; i < board->n; i += WORKERS)
            if (board->jobs[i].verdict == RUNNING)
                board->jobs[i].verdict =
                    WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? ENDLESS : CRASHED;
        if (status)
            pid[id] = start(id);
        else
            alive--;
    }
}

/* ---- all of them, or every so many */

static void list_jobs(size_t sample, bool fast) {
    const char *only = getenv("MUTANTS_ONLY");
    size_t n = 0;
    for (size_t g = 0; g < BZ_LEN(graphs); g++) {
        if ((only && !strstr(graphs[g].name, only)) || is_fast(graphs[g].name) != fast) continue;
        prepare(&subjects[g], graphs[g].name, graphs[g].text);
        for (size_t i = 0; i < subjects[g].found.n && board->n < MOST; i++)
            board->jobs[board->n++] = (job){(uint16_t)g, (uint16_t)i, PENDING};
    }
    printf("%zu mutants\n", board->n);
    if (board->n <= sample) return;
    for (size_t k = 0; k < sample; k++) board->jobs[n++] = board->jobs[k * board->n / sample];
    board->n = n;
}

/* Survivors that are the same program in other words, in the idioms of the emitter: this change in a line that this expression fits. */
static const struct {
    const char *what, *line, *why;
} harmless[] = {
    {">  becomes >=", "\\|\\| v[0-9_]+ != v[0-9_]+ \\?",
     "of equal values either is the larger one"},
    {"<  becomes <=", "\\|\\| v[0-9_]+ != v[0-9_]+ \\?",
     "of equal values either is the smaller one"},
    {"0 becomes 1", "\\? \\(float\\)[^:]*: \\(float\\)0;",
     "what a masked element holds is masked again"},
    {"0 becomes 1", "const bool v[0-9]+ = v[0-9]+ == 0;",
     "any one lane or thread may write what all of them hold"},
    {"shared size", "a[0-9]+\\[([0-9]+)\\]",
     "what lies behind the last row of a tile is never there"},
    {"<  becomes <=", "task < tasks;", "a task more has no rows or columns: each looks itself"},
    {"becomes", "threadIdx\\.x / [0-9]+ % ([0-9]+); \\| \\1 becomes",
     "the block has no more threads"},
    {"", "& 15u\\) == 0", "pointers that allow vectors are served one by one, too"},
    {"<=  becomes <", "<= e0;", "the last whole piece is served as what is left, too"},
    {"<  becomes <=", "= (v[0-9]+) < (v?[0-9]+) \\? \\1 : \\2;",
     "the smaller one of equal numbers"},
    {"0x80000000 becomes", "__int_as_float\\(0x80000000\\);",
     "a sum that begins with 2e-44 is rounded as one that begins with -0"},
    {"<=  becomes <", "const bool v[0-9_]+ = v[0-9_]+ <= v[0-9]+;",
     "at the border of the quick way the careful one gives the same bits"},
    {"", "__shfl_xor_sync\\(0xffffffffu, v[0-9_]+, [0-9]+\\);.*becomes",
     "a butterfly by other lanes folds all of them; the order of sums tells where rounding does"},
};

/* if (v7) { ... where v7 = v6 == 0 */
static bool is_first_only(const subject *s, const char *line) {
    char first[64];
    unsigned v;
    if (sscanf(line, "if (v%u) {", &v) != 1) return false;
    snprintf(first, sizeof first, "const bool v%u = v", v);
    const char *at = strstr(bz_text_c(&s->text), first);
    return at && strstr(at, " == 0;") && strstr(at, " == 0;") < strchr(at, '\n');
}

static const char *reason_of(const subject *s, const char *line, const mutant *m) {
    char all[300];
    if (strstr(m->what, "dropped __syncthreads") && !strstr(bz_text_c(&s->text), "__shared__"))
        return "no memory is shared";
    if (!strcmp(m->what, "guard opened") && is_first_only(s, line))
        return "any one lane or thread may write what all of them hold";
    snprintf(all, sizeof all, "%s | %s", line, m->what);
    for (size_t i = 0; i < BZ_LEN(harmless); i++) {
        regex_t r;
        cr_assert_eq(regcomp(&r, harmless[i].line, REG_EXTENDED | REG_NOSUB), 0);
        const bool fits = strstr(m->what, harmless[i].what) && !regexec(&r, all, 0, NULL, 0);
        regfree(&r);
        if (fits) return harmless[i].why;
    }
    return NULL;
}

static size_t tell(size_t *live) {
    size_t count[VERDICTS] = {0}, same = 0;
    for (size_t i = 0; i < board->n; i++) {
        const job *j = &board->jobs[i];
        const subject *s = &subjects[j->graph];
        count[j->verdict]++;
        if (j->verdict != SURVIVED && j->verdict != CRASHED) continue;
        const mutant *m = &s->found.list[j->mutant];
        const char *line = mutate_line(bz_text_c(&s->text), m), *why = reason_of(s, line, m);
        if (j->verdict == SURVIVED && why) same++;
        printf("%s: %s | %s | %s%s%s\n", words[j->verdict], graphs[j->graph].name, line, m->what,
               why ? " | same: " : "", why ? why : "");
    }
    for (int v = 0; v < VERDICTS; v++)
        if (count[v]) printf("%6zu %s\n", count[v], words[v]);
    const size_t caught = count[WRONG] + count[REPORTED] + count[ENDLESS];
    printf("%6zu of the survivors are the same in other words\n", same);
    *live = caught + count[SURVIVED] - same + count[CRASHED] + count[PENDING];
    return caught;
}

static void try_all(bool fast, unsigned percent) {
    const char *how = getenv("MUTANTS");
    size_t live;
    bz_error e = {0};
    if (nvrtc_open(&e)) {
        fprintf(stderr, "skipped: no NVRTC\n");
        return;
    }
    setenv("BRAZE_FAKE_DEVICES", "80", 1);
    setenv("BRAZE_FAKE_THREADS", "1", 1);
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(board != MAP_FAILED);
    list_jobs(!how                  ? (fast ? FAST_SAMPLE : SAMPLE)
              : !strcmp(how, "all") ? MOST
                                    : strtoul(how, NULL, 10),
              fast);
    run_all();
    const size_t caught = tell(&live);
    printf("caught %zu of %zu: %.1f %%\n", caught, live,
           live ? 100.0 * (double)caught / (double)live : 0);
    fflush(stdout);
    cr_expect(!board->n || 100 * caught >= percent * live, "%zu of %zu", caught, live);
    for (size_t g = 0; g < BZ_LEN(graphs); g++) release(&subjects[g]);
    munmap(board, sizeof *board);
}

Test(gpu_mutants, emitted_kernels, .timeout = 7200) {
    try_all(false, PERCENT);
}

Test(gpu_mutants, fast_kernels, .timeout = 7200) {
    try_all(true, FAST_PERCENT);
}
