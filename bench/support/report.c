/* report.c - see report.h. */
#include "bench/support/report.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static FILE *out;

void report_open(const char *path) {
    out = path ? fopen(path, "a") : NULL;
    if (!path || out) return;
    perror(path);
    exit(1);
}

static const char *const signs[] = {
    [REPORT_AT_LEAST] = ">=", [REPORT_AT_MOST] = "<=", [REPORT_MORE_THAN] = ">"};

static bool met(const report_figure *f) {
    switch (f->kind) {
    case REPORT_AT_LEAST: return f->value >= f->goal;
    case REPORT_AT_MOST: return f->value <= f->goal;
    case REPORT_MORE_THAN: return f->value > f->goal;
    default: return true;
    }
}

static void write_figure(const report_figure *f, const char *goal) {
    fprintf(out, "{\"kind\": \"figure\", \"workload\": \"%s\", \"what\": \"%s\", \"threads\": %d, ",
            f->workload, f->what, f->threads);
    fprintf(out, !isfinite(f->value) ? "\"value\": null, " : "\"value\": %.6g, ", f->value);
    fprintf(out, "\"unit\": \"%s\", ", f->unit);
    if (f->kind == REPORT_NO_GOAL)
        fprintf(out, "\"goal\": null, \"met\": null}\n");
    else
        fprintf(out, "\"goal\": \"%s\", \"met\": %s}\n", goal, met(f) ? "true" : "false");
}

void report_add(const report_figure *f) {
    char goal[48] = "", threads[16] = "";
    if (f->kind != REPORT_NO_GOAL)
        snprintf(goal, sizeof goal, "%s %g%s%s", signs[f->kind], f->goal, *f->unit ? " " : "",
                 f->unit);
    if (f->threads) snprintf(threads, sizeof threads, "%d thr", f->threads);
    printf("%-12s %-58s %-6s %10.4g %-8s %-12s %s\n", f->workload, f->what, threads, f->value,
           f->unit, goal,
           f->kind == REPORT_NO_GOAL ? ""
           : met(f)                  ? "ok"
                                     : "MISSED");
    if (out) write_figure(f, goal);
}

void report_time(const char *workload, const char *who, int threads, double ms) {
    printf("%-40s %-30s %d thr  %10.4g ms\n", workload, who, threads, ms);
    if (out)
        fprintf(out,
                "{\"kind\": \"time\", \"workload\": \"%s\", \"who\": \"%s\", \"threads\": %d, "
                "\"ms\": %.6g}\n",
                workload, who, threads, ms);
}

void report_note(const char *form, ...) {
    char text[256];
    va_list list;
    va_start(list, form);
    vsnprintf(text, sizeof text, form, list);
    va_end(list);
    printf("%s\n", text);
    if (out) fprintf(out, "{\"kind\": \"note\", \"text\": \"%s\"}\n", text);
}

void report_close(void) {
    if (!out) return;
    bool bad = ferror(out);
    if (fclose(out) == 0 && !bad) return;
    fprintf(stderr, "bench: the figures could not be written\n");
    exit(1);
}
