/* mutate.c - the mutation proof: is anything that goes wrong in a kernel or a client seen?
 *
 *      mutate [--sample N] [--reasons FILE] kernels [F...]  the zoo, by NVRTC and the interpreter
 *      mutate [--sample N] [--reasons FILE] host FILE LIB   a client in C against the driver LIB
 *
 *      source --mutate_kernel--> mutants --NVRTC--> PTX --zoo_run--> wrong, reported, failed: caught
 *                                                                    clean everywhere: survived
 *
 * A mutant that does not compile, or compiles to the same PTX, is none. The reasons file explains
 * survivors, a line each: "FILE | source line | what | reason". Exit status: 0 when enough are
 * caught and every survivor is explained, 1 when not, 3 without a compiler. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../mutants/mutate.h"
#include "nvrtc.h"
#include "zoo.h"

enum { WORKERS = 2, SEEDS = 3, ARCH = 80, LIMIT = 4000000, MAX_MUTANTS = 8192 };
enum { KERNEL_PERCENT = 95, HOST_PERCENT = 90, REPORT_STATUS = 77 };

typedef enum {
    PENDING,
    RUNNING,
    STILLBORN,
    SAME,
    WRONG,
    REPORTED,
    FAILED,
    CRASHED,
    SURVIVED,
    VERDICTS
} verdict;

static const char *const verdict_names[VERDICTS] = {
    "pending",  "running", "did not compile",         "the same program", "wrong",
    "reported", "failed",  "crashed the interpreter", "survived"};

typedef struct {
    char file[64];
    unsigned index; /* among the file's mutants */
    verdict verdict;
} job;

/* Shared with the workers, so that a crash of one loses nothing. */
typedef struct {
    size_t n;
    job jobs[MAX_MUTANTS];
} board;

static board *shared;

/* ---- kernels --------------------------------------------------------------------------------- */

typedef struct {
    char file[64], path[128];
    char *source, *ptx;
    mutants found;
} subject;

static void close_subject(subject *s) {
    free(s->source);
    free(s->ptx);
    mutate_free(&s->found);
    memset(s, 0, sizeof *s);
}

/* What a file's cases are compiled for. */
static unsigned arch_of(const char *file) {
    for (size_t i = 0; i < zoo_count(); i++)
        if (strcmp(zoo_at(i)->file, file) == 0) return zoo_arch(zoo_at(i), ARCH);
    return ARCH;
}

static bool open_subject(subject *s, const char *file) {
    char log[2000];
    if (strcmp(s->file, file) == 0) return true;
    close_subject(s);
    snprintf(s->file, sizeof s->file, "%s", file);
    snprintf(s->path, sizeof s->path, "tests/gpu/zoo/%s.cu", file);
    s->source = zoo_read_file(s->path);
    if (!s->source) return false;
    mutate_kernel(s->source, &s->found);
    s->ptx = nvrtc_compile(s->source, s->path, arch_of(file), false, log, sizeof log);
    return s->ptx != NULL;
}

static verdict run_cases(const char *file, const char *ptx) {
    static dev *d;
    char why[1200];
    unsigned sm = arch_of(file) % NVRTC_OWN;
    if (d && d->sm != sm) d->ops->close(d), d = NULL;
    if (!d) d = dev_open_ptx(sm);
    for (uint64_t seed = 1; d && seed <= SEEDS; seed++)
        for (size_t i = 0; i < zoo_count(); i++) {
            const zoo_case *c = zoo_at(i);
            if (strcmp(c->file, file) != 0) continue;
            switch (zoo_run(d, c, ptx, seed, LIMIT, why, sizeof why)) {
            case ZOO_CLEAN: break;
            case ZOO_REPORTED: return REPORTED;
            case ZOO_WRONG: return WRONG;
            case ZOO_FAILED: return FAILED;
            }
        }
    return SURVIVED;
}

static verdict try_kernel(subject *s, unsigned index) {
    char log[2000];
    char *text = mutate_apply(s->source, &s->found.list[index]);
    char *ptx =
        text ? nvrtc_compile(text, s->path, arch_of(s->file), false, log, sizeof log) : NULL;
    verdict v = !ptx ? STILLBORN : strcmp(ptx, s->ptx) == 0 ? SAME : run_cases(s->file, ptx);
    free(text);
    free(ptx);
    return v;
}

static void kernel_worker(unsigned id) {
    static subject s;
    for (size_t i = id; i < shared->n; i += WORKERS) {
        job *j = &shared->jobs[i];
        if (j->verdict != PENDING || !open_subject(&s, j->file)) continue;
        j->verdict = RUNNING;
        j->verdict = try_kernel(&s, j->index);
    }
}

static char **only_files; /* these files alone, or all when the list is empty */

static bool is_wanted(const char *file) {
    for (char **f = only_files; *f; f++)
        if (strcmp(*f, file) == 0) return true;
    return only_files[0] == NULL;
}

static void list_kernels(void) {
    subject s = {0};
    for (size_t i = 0; i < zoo_count(); i++) {
        const zoo_case *c = zoo_at(i);
        if (!is_wanted(c->file)) continue;
        if (!open_subject(&s, c->file) || (i > 0 && strcmp(zoo_at(i - 1)->file, c->file) == 0))
            continue;
        bool seen = false; /* a file's cases need not be neighbours */
        for (size_t k = 0; k < i; k++) seen |= strcmp(zoo_at(k)->file, c->file) == 0;
        for (size_t k = 0; !seen && k < s.found.n && shared->n < MAX_MUTANTS; k++) {
            job *j = &shared->jobs[shared->n++];
            snprintf(j->file, sizeof j->file, "%s", c->file);
            j->index = (unsigned)k;
        }
    }
    close_subject(&s);
}

/* ---- a host client --------------------------------------------------------------------------- */

static const char *host_file, *host_library;

/* Compiles and runs the client with one mutant in it; its exit status says whether it saw
 * something wrong. */
static verdict try_host(const char *source, const mutant *m, unsigned id) {
    char path[64], command[600];
    char *text = mutate_apply(source, m);
    snprintf(path, sizeof path, "build/gpu/mutant%u.c", id);
    FILE *f = text ? fopen(path, "wb") : NULL;
    bool written = f && fputs(text, f) >= 0;
    if (f && fclose(f) != 0) written = false;
    free(text);
    if (!written) return PENDING;
    snprintf(command, sizeof command,
             "cc -std=c11 -D_GNU_SOURCE -O0 -w -Itests/gpu %s -o build/gpu/mutant%u -ldl -lm "
             "2>/dev/null",
             path, id);
    if (system(command) != 0) return STILLBORN;
    for (unsigned seed = 1; seed <= SEEDS + 1; seed++) { /* the last one looks at leaks */
        snprintf(command, sizeof command,
                 "BRAZE_LIBCUDA=%s BRAZE_FAKE_SEED=%u BRAZE_FAKE_EXIT=%d BRAZE_FAKE_LEAKS=%d "
                 "timeout 20 build/gpu/mutant%u >/dev/null 2>&1",
                 host_library, seed, REPORT_STATUS, seed > SEEDS, id);
        int status = system(command);
        if (status == 0) continue;
        if (!WIFEXITED(status)) return FAILED;
        return WEXITSTATUS(status) == 1               ? WRONG
               : WEXITSTATUS(status) == REPORT_STATUS ? REPORTED
                                                      : FAILED;
    }
    return SURVIVED;
}

static void host_worker(unsigned id) {
    char *source = zoo_read_file(host_file);
    mutants found = {0};
    if (!source) return;
    mutate_host(source, &found);
    for (size_t i = id; i < shared->n; i += WORKERS) {
        job *j = &shared->jobs[i];
        if (j->verdict == PENDING) {
            j->verdict = RUNNING;
            j->verdict = try_host(source, &found.list[j->index], id);
        }
    }
    mutate_free(&found);
    free(source);
}

static void list_host(void) {
    char *source = zoo_read_file(host_file);
    mutants found = {0};
    if (source) mutate_host(source, &found);
    for (size_t k = 0; k < found.n && shared->n < MAX_MUTANTS; k++) {
        job *j = &shared->jobs[shared->n++];
        snprintf(j->file, sizeof j->file, "host");
        j->index = (unsigned)k;
    }
    mutate_free(&found);
    free(source);
}

/* Without a mutant everything must be right, or nothing can be said about mutants. */
static bool clean_host(void) {
    char *source = zoo_read_file(host_file);
    const mutant none = {0};
    verdict v = source ? try_host(source, &none, 0) : PENDING;
    free(source);
    if (v != SURVIVED) printf("mutate: %s itself: %s\n", host_file, verdict_names[v]);
    return v == SURVIVED;
}

static bool clean_kernels(void) {
    subject s = {0};
    for (size_t i = 0; i < zoo_count(); i++) {
        const char *file = zoo_at(i)->file;
        verdict v = open_subject(&s, file) ? run_cases(file, s.ptx) : STILLBORN;
        if (v == SURVIVED) continue;
        printf("mutate: %s itself: %s\n", file, verdict_names[v]);
        close_subject(&s);
        return false;
    }
    close_subject(&s);
    return true;
}

/* ---- work ------------------------------------------------------------------------------------ */

/* Every `step`-th job stays, from a place that walks through all of them. */
static void keep_sample(size_t want) {
    size_t n = 0;
    if (want == 0 || want >= shared->n) return;
    for (size_t k = 0; k < want; k++) shared->jobs[n++] = shared->jobs[k * shared->n / want];
    shared->n = n;
}

/* Workers are processes: one that a mutant kills is started again behind it. */
static void run_workers(void (*work)(unsigned)) {
    pid_t pid[WORKERS];
    for (unsigned id = 0; id < WORKERS; id++) {
        pid[id] = fork();
        if (pid[id] == 0) {
            work(id);
            _exit(0);
        }
    }
    for (unsigned alive = WORKERS; alive > 0;) {
        int status = 0;
        pid_t done = wait(&status);
        if (done < 0) break;
        unsigned id = done == pid[0] ? 0 : 1;
        if (status == 0) {
            alive--;
            continue;
        }
        for (size_t i = id; i < shared->n; i += WORKERS)
            if (shared->jobs[i].verdict == RUNNING) shared->jobs[i].verdict = CRASHED;
        pid[id] = fork();
        if (pid[id] == 0) {
            work(id);
            _exit(0);
        }
    }
}

/* The reason that the file gives for this survivor, or NULL. */
static const char *reason_for(const char *reasons, const char *file, const char *text,
                              const char *what) {
    char key[400];
    snprintf(key, sizeof key, "%s | %s | %s | ", file, text, what);
    const char *at = reasons ? strstr(reasons, key) : NULL;
    return at ? at + strlen(key) : NULL;
}

typedef struct {
    size_t count[VERDICTS], unexplained, harmless;
} tally;

static void say_survivor(const job *j, const char *source, const mutant *m, const char *reasons,
                         tally *t) {
    const char *reason = reason_for(reasons, j->file, mutate_line(source, m), m->what);
    printf("%s | %s | %s | %.*s\n", j->file, mutate_line(source, m), m->what,
           reason ? (int)strcspn(reason, "\n") : 11, reason ? reason : "UNEXPLAINED");
    if (!reason)
        t->unexplained++;
    else if (strncmp(reason, "same:", 5) == 0)
        t->harmless++;
}

static tally count(const char *reasons) {
    tally t = {0};
    char path[128], last[64] = "";
    char *source = NULL;
    mutants found = {0};
    for (size_t i = 0; i < shared->n; i++) {
        const job *j = &shared->jobs[i];
        t.count[j->verdict]++;
        if (j->verdict != SURVIVED && j->verdict != CRASHED) continue;
        if (strcmp(last, j->file) != 0) {
            free(source);
            mutate_free(&found);
            snprintf(last, sizeof last, "%s", j->file);
            snprintf(path, sizeof path, "tests/gpu/zoo/%s.cu", j->file);
            source = zoo_read_file(host_file ? host_file : path);
            if (source) (host_file ? mutate_host : mutate_kernel)(source, &found);
        }
        if (source) say_survivor(j, source, &found.list[j->index], reasons, &t);
    }
    free(source);
    mutate_free(&found);
    return t;
}

static int report(const char *reasons, unsigned percent) {
    tally t = count(reasons);
    size_t caught = t.count[WRONG] + t.count[REPORTED] + t.count[FAILED];
    size_t live = caught + t.count[SURVIVED] + t.count[CRASHED] + t.count[PENDING];
    for (int v = STILLBORN; v < VERDICTS; v++) printf("%6zu %s\n", t.count[v], verdict_names[v]);
    printf("caught %zu of %zu (%.2f %%); %zu survivors are the same program in other words, %zu "
           "unexplained\n",
           caught, live, live ? 100.0 * (double)caught / (double)live : 0.0, t.harmless,
           t.unexplained);
    size_t telling = live - t.harmless; /* a sample may by chance have many harmless ones */
    bool good = telling > 0 && caught * 100 >= telling * percent && t.unexplained == 0 &&
                t.count[CRASHED] == 0;
    return good ? 0 : 1;
}

typedef struct {
    size_t sample; /* 0: every mutant */
    const char *reasons;
} options;

/* Lists, tries and counts. What to mutate is in host_file, host_library and only_files. */
static int prove(const options *o) {
    bool host = host_file != NULL;
    if (!host && !nvrtc_present()) {
        printf("mutate: kernels skipped, no NVRTC\n");
        return 3;
    }
    if (!(host ? clean_host() : clean_kernels())) return 1;
    memset(shared, 0, sizeof *shared);
    (host ? list_host : list_kernels)();
    keep_sample(o->sample);
    run_workers(host ? host_worker : kernel_worker);
    char *reasons = o->reasons ? zoo_read_file(o->reasons) : NULL;
    int status = report(reasons, host ? HOST_PERCENT : KERNEL_PERCENT);
    free(reasons);
    return status;
}

static int usage(void) {
    fprintf(stderr, "usage: mutate [--sample N] [--reasons FILE] kernels [FILE...]\n"
                    "       mutate [--sample N] [--reasons FILE] host FILE.c LIBRARY\n");
    return 2;
}

int main(int argc, char **argv) {
    options o = {0};
    int i = 1;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) return 3;
    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        if (strcmp(argv[i], "--sample") == 0)
            o.sample = strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--reasons") == 0)
            o.reasons = argv[i + 1];
        else
            return usage();
    }
    bool host = i + 2 < argc && strcmp(argv[i], "host") == 0;
    if (!host && (i >= argc || strcmp(argv[i], "kernels") != 0)) return usage();
    only_files = argv + i + 1;
    host_file = host ? argv[i + 1] : NULL;
    host_library = host ? argv[i + 2] : NULL;
    return prove(&o);
}
