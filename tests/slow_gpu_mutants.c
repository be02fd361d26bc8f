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
    SEEDS = 3,
    ARCH = 80,
    SECONDS = 20,
    MOST = 1 << 14,
    OUTPUTS = 8,
    PERCENT = 95,
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
    {"softmax", "graph main(x: f32[9,130]) { %y = softmax %x {axis=1}\n return %y }"},
    {"norm", "graph main(x: f32[5,1100], w: f32[1100], b: f32[1100]) { %n = layer_norm %x %w %b\n "
             "return %n }"},
    {"sums", "graph main(x: f32[7,9001]) { %y = sum %x {axes=[1]}\n %m = max %x {axes=[1]}\n "
             "return %y, %m }"},
    {"columns", "graph main(x: f32[700,37]) { %y = sum %x {axes=[0]}\n return %y }"},
    {"whole", "graph main(x: f32[150001]) { %y = sum %x\n return %y }"},
    {"transpose",
     "graph main(x: f32[70,45], y: f32[45,70]) { %t = transpose %x\n %z = add %t %y\n return %z }"},
    {"product", "graph main(x: f32[65,530], w: f32[530,70], b: f32[70]) { %d = matmul %x %w\n %s = "
                "add %d %b\n %y = relu %s\n return %y }"},
    {"product_bf16",
     "graph main(x: bf16[40,48], w: bf16[48,33]) { %y = matmul %x %w\n return %y }"},
    {"fast_bf16", "graph main(x: bf16[70,104], w: bf16[104,40], b: bf16[40]) { %d = matmul %x %w\n "
                  "%y = add %d %b\n return %y }"},
    {"fast_f32", "graph main(x: f32[61,63], w: f32[62,61]) { %e = neg %x\n %a = transpose %e\n "
                 "%b = transpose %w\n %y = matmul %a %b\n return %y }"},
    {"gather", "graph main(x: f32[30,36], k: i64[50]) { %i = remainder %k 30\n %y = gather %x %i "
               "{axis=0}\n return %y }"},
    {"pad", "graph main(x: f32[20,61], y: f32[21,3]) { %p = pad %x {lo=[1,2], hi=[0,1], value=3}\n "
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
    SURVIVED,
    VERDICTS
} verdict;
static const char *const words[VERDICTS] = {"pending",         "running",
                                            "did not compile", "the same program",
                                            "other bits",      "reported or failed",
                                            "endless",         "killed the process",
                                            "survived"};

/* ---- a graph and its mutants */

typedef struct subject {
    ir_module *m;
    pass_plan *plan;
    bz_text text;
    mutants found;
    char *ptx; /* of the whole one; NULL: not compiled yet */
    ir_value_array in[OUTPUTS], want[OUTPUTS];
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

static bool is_fast(const char *name) {
    return strncmp(name, "fast", 4) == 0;
}

static void prepare(subject *s, const char *name, const char *text) {
    const pass_target t = pass_gpu_of(ARCH, is_fast(name));
    bz_error e = {0};
    size_t alike;
    s->m = irt_parse(text);
    const ir_graph *g = s->m->graphs.p[0];
    random_inputs(g, s->in, 3);
    cr_assert(s->plan = pass_compile(g, &t, &e), "%s", e.text);
    const bz_status st =
        t.matrix ? plan_run(s->plan, s->in, s->want, &e) : ir_interpret(g, s->in, s->want, &e);
    cr_assert_eq(st, BZ_OK, "%s", e.text);
    cr_assert_eq(plan_cuda_emit(&s->plan, 1, &s->text, &alike, &e), BZ_OK, "%s", e.text);
    mutate_kernel(bz_text_c(&s->text), &s->found);
    size_t n = 0; /* what all texts begin with has tests of its own */
    for (size_t i = 0; i < s->found.n; i++)
        if (s->found.list[i].at > alike) s->found.list[n++] = s->found.list[i];
    s->found.n = n;
}

static void release(subject *s) {
    if (!s->m) return;
    free_values(s->in, s->m->graphs.p[0]->inputs.n);
    free_values(s->want, s->m->graphs.p[0]->outputs.n);
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

static verdict run(subject *s, const char *ptx) {
    bz_error e = {0};
    const uint32_t n = s->m->graphs.p[0]->outputs.n;
    verdict v = SURVIVED;
    plan_cuda_code *c = plan_cuda_load(&s->plan, 1, ptx, &e);
    if (!c) return STILLBORN;
    for (uint64_t seed = 1; seed <= SEEDS && v == SURVIVED; seed++) {
        ir_value_array got[OUTPUTS] = {{0}};
        plan_cuda_seed(seed);
        if (plan_cuda_run(c, 0, s->in, got, &e)) v = REPORTED;
        for (uint32_t i = 0; i < n && v == SURVIVED; i++)
            if (first_difference(&s->want[i], &got[i]) >= 0) v = WRONG;
        free_values(got, n);
    }
    plan_cuda_free(c);
    return v;
}

static verdict try_one(subject *s, size_t i) {
    if (!s->ptx) s->ptx = compile(bz_text_c(&s->text));
    char *text = mutate_apply(bz_text_c(&s->text), &s->found.list[i]), *ptx = compile(text);
    const verdict v = !ptx ? STILLBORN : !strcmp(ptx, s->ptx) ? SAME : run(s, ptx);
    free(text);
    bz_mem_free(ptx);
    return v;
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
        if (j->verdict == REPORTED) _exit(2); /* the driver's context may be at its end */
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

static void list_jobs(bool all, bool fast) {
    const char *only = getenv("MUTANTS_ONLY");
    const size_t sample = fast ? FAST_SAMPLE : SAMPLE;
    size_t n = 0;
    for (size_t g = 0; g < BZ_LEN(graphs); g++) {
        if ((only && !strstr(graphs[g].name, only)) || is_fast(graphs[g].name) != fast) continue;
        prepare(&subjects[g], graphs[g].name, graphs[g].text);
        for (size_t i = 0; i < subjects[g].found.n && board->n < MOST; i++)
            board->jobs[board->n++] = (job){(uint16_t)g, (uint16_t)i, PENDING};
    }
    printf("%zu mutants\n", board->n);
    if (all || board->n <= sample) return;
    for (size_t k = 0; k < sample; k++) board->jobs[n++] = board->jobs[k * board->n / sample];
    board->n = n;
}

static size_t tell(size_t *live) {
    size_t count[VERDICTS] = {0};
    for (size_t i = 0; i < board->n; i++) {
        const job *j = &board->jobs[i];
        const subject *s = &subjects[j->graph];
        count[j->verdict]++;
        if (j->verdict != SURVIVED && j->verdict != CRASHED) continue;
        const mutant *m = &s->found.list[j->mutant];
        printf("%s: %s | %s | %s\n", words[j->verdict], graphs[j->graph].name,
               mutate_line(bz_text_c(&s->text), m), m->what);
    }
    for (int v = 0; v < VERDICTS; v++)
        if (count[v]) printf("%6zu %s\n", count[v], words[v]);
    const size_t caught = count[WRONG] + count[REPORTED] + count[ENDLESS];
    *live = caught + count[SURVIVED] + count[CRASHED] + count[PENDING];
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
    list_jobs(how && !strcmp(how, "all"), fast);
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
