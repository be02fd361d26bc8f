/* trace.c - what the driver tells: configuration from the environment (BRAZE_FAKE_*: docs/gpu-proof.md),
 * reports, counters, the end. */
#include "fake.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    char *text;
    uint64_t count;
} report;

typedef struct {
    char *kernel;
    uint64_t launches;
    ptx_counters sum;
} tally;

enum { REPORTS_KEPT = 1000 };

static struct {
    report *reports;
    size_t n_reports;
    tally *tallies;
    size_t n_tallies;
} kept;

static uint64_t env_number(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

/* "%p" in a file's name is the number of the process: several leave a file each. */
static FILE *open_own(const char *name) {
    char path[4096];
    const char *at = strstr(name, "%p");
    if (!at) return fopen(name, "w");
    snprintf(path, sizeof path, "%.*s%ld%s", (int)(at - name), name, (long)getpid(), at + 2);
    return fopen(path, "w");
}

void fk_configure(void) {
    fk_config *c = &fk.config;
    c->seed = env_number("BRAZE_FAKE_SEED", 1);
    c->driver_version = (int)env_number("BRAZE_FAKE_DRIVER", 13000);
    c->checks = env_number("BRAZE_FAKE_CHECK", 1) ? PTX_CHECK_ALL : 0;
    c->threads = (unsigned)env_number("BRAZE_FAKE_THREADS", 0);
    c->null = env_number("BRAZE_FAKE_NULL", 0) != 0;
    c->leaks = env_number("BRAZE_FAKE_LEAKS", 1) != 0;
    c->quiet = env_number("BRAZE_FAKE_QUIET", 0) != 0;
    c->exit_status = (int)env_number("BRAZE_FAKE_EXIT", 0);
    c->counters = getenv("BRAZE_FAKE_COUNTERS");
    const char *pageable = getenv("BRAZE_FAKE_PAGEABLE");
    c->granule = env_number("BRAZE_FAKE_GRANULE", 0) != 0;
    c->staged = pageable && strcmp(pageable, "staged") == 0;
    const char *log = getenv("BRAZE_FAKE_LOG");
    if (log && *log) c->log = strcmp(log, "-") == 0 ? stderr : open_own(log);
    fk_queue_seed(c->seed);
}

void fk_note(const char *format, ...) {
    if (!fk.config.log) return;
    const size_t have = strlen(fk_self.note);
    va_list args;
    va_start(args, format);
    vsnprintf(fk_self.note + have, sizeof fk_self.note - have, format, args);
    va_end(args);
}

void fk_report(const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (size_t i = 0; i < kept.n_reports; i++) {
        if (strcmp(kept.reports[i].text, text) == 0) {
            kept.reports[i].count++;
            return;
        }
    }
    if (kept.n_reports == REPORTS_KEPT) return; /* enough to see that something is wrong */
    kept.reports = ptx_grow(kept.reports, (kept.n_reports + 1) * sizeof *kept.reports);
    kept.reports[kept.n_reports++] = (report){strcpy(ptx_grow(NULL, strlen(text) + 1), text), 1};
    if (!fk.config.quiet) fprintf(stderr, "fakecuda: %s\n", text);
    if (fk.config.log) fprintf(fk.config.log, "report %s\n", text);
}

void fk_count_launch(const char *kernel, const ptx_counters *counters) {
    size_t i = 0;
    while (i < kept.n_tallies && strcmp(kept.tallies[i].kernel, kernel) != 0) i++;
    if (i == kept.n_tallies) {
        kept.tallies = ptx_grow(kept.tallies, (i + 1) * sizeof *kept.tallies);
        char *name = strcpy(ptx_grow(NULL, strlen(kernel) + 1), kernel);
        kept.tallies[kept.n_tallies++] = (tally){.kernel = name};
    }
    kept.tallies[i].launches++;
    ptx_count(&kept.tallies[i].sum, counters);
}

size_t braze_fake_reports(void) {
    pthread_mutex_lock(&fk.lock);
    const size_t n = kept.n_reports;
    pthread_mutex_unlock(&fk.lock);
    return n;
}

const char *braze_fake_report(size_t i) {
    pthread_mutex_lock(&fk.lock);
    const char *text = i < kept.n_reports ? kept.reports[i].text : NULL;
    pthread_mutex_unlock(&fk.lock);
    return text;
}

void braze_fake_clear(void) {
    pthread_mutex_lock(&fk.lock);
    for (size_t i = 0; i < kept.n_reports; i++) free(kept.reports[i].text);
    free(kept.reports);
    kept.reports = NULL;
    kept.n_reports = 0;
    pthread_mutex_unlock(&fk.lock);
}

static unsigned long long counter_of(const tally *t, size_t i) {
    return ((const uint64_t *)(const void *)&t->sum)[i];
}

uint64_t braze_fake_counter(const char *kernel, const char *what) {
    uint64_t value = 0;
    pthread_mutex_lock(&fk.lock);
    for (size_t i = 0; i < kept.n_tallies; i++) {
        for (size_t f = 0; f < PTX_COUNTER_NAMES; f++)
            if ((!kernel || strcmp(kept.tallies[i].kernel, kernel) == 0) &&
                strcmp(ptx_counter_names[f], what) == 0)
                value += counter_of(&kept.tallies[i], f);
    }
    pthread_mutex_unlock(&fk.lock);
    return value;
}

static void write_counters(const char *path) {
    FILE *file = open_own(path);
    if (!file) {
        fprintf(stderr, "fakecuda: cannot write %s\n", path);
        return;
    }
    for (size_t i = 0; i < kept.n_tallies; i++) {
        const tally *t = &kept.tallies[i];
        fprintf(file, "{\"kernel\": \"%s\", \"launches\": %llu", t->kernel,
                (unsigned long long)t->launches);
        for (size_t f = 0; f < PTX_COUNTER_NAMES; f++)
            fprintf(file, ", \"%s\": %llu", ptx_counter_names[f], counter_of(t, f));
        fprintf(file, "}\n");
    }
    fclose(file);
}

static bool is_own(const fk_block *b) {
    return !b->global && b->place != FK_REGISTERED;
}

size_t braze_fake_living(void) {
    size_t cursor = 0, n = 0;
    pthread_mutex_lock(&fk.lock);
    for (fk_block *b; (b = fk_block_next(&cursor));) n += is_own(b) && !b->doomed;
    pthread_mutex_unlock(&fk.lock);
    return n;
}

/* Memory that nobody freed; what a module or a pool's owner frees by ending is not counted. */
static size_t list_leaks(void) {
    enum { LISTED = 10 };
    size_t cursor = 0, n = 0;
    uint64_t bytes = 0;
    for (fk_block *b; (b = fk_block_next(&cursor));) {
        if (!is_own(b)) continue;
        if (++n <= LISTED) {
            fprintf(stderr, "fakecuda: leak: %s, %llu bytes on device %d\n", b->owner,
                    (unsigned long long)b->extent.size, b->device);
        }
        bytes += b->extent.size;
    }
    if (n > 0)
        fprintf(stderr, "fakecuda: %zu blocks leaked, %llu bytes\n", n, (unsigned long long)bytes);
    return n;
}

/* Runs when the process ends or the library is closed. Other threads may still be inside a call. */
__attribute__((destructor)) static void at_the_end(void) {
    if (!fk.started || pthread_mutex_trylock(&fk.lock) != 0) return;
    const size_t leaks = fk.config.leaks ? list_leaks() : 0;
    if (fk.config.counters) write_counters(fk.config.counters);
    if (fk.config.log) fflush(fk.config.log);
    const bool bad = leaks > 0 || kept.n_reports > 0;
    pthread_mutex_unlock(&fk.lock);
    if (bad && fk.config.exit_status) {
        fflush(NULL);
        _exit(fk.config.exit_status);
    }
}
