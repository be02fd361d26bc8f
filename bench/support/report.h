/* report.h - what a program of bench/ found: a line on standard output for each figure, and an object of JSON a line in a file.
 *
 *     {"kind": "figure", "workload", "what", "threads", "value", "unit", "goal": ">= 3", "met": true}      goal, met: null for none
 *     {"kind": "time", "workload", "who", "threads", "ms"}
 *     {"kind": "note", "text"} */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

typedef enum report_goal {
    REPORT_NO_GOAL,
    REPORT_AT_LEAST,
    REPORT_AT_MOST,
    REPORT_MORE_THAN
} report_goal;

typedef struct report_figure {
    const char *workload, *what, *unit;
    int threads;  /* 0: they do not matter */
    double value; /* NaN: could not be measured */
    report_goal kind;
    double goal;
} report_figure;

/* Where to append; NULL: nowhere. Exits when that fails. */
void report_open(const char *path);
void report_add(const report_figure *f);
void report_time(const char *workload, const char *who, int threads, double ms);
/* printf-like. */
__attribute__((format(printf, 1, 2))) void report_note(const char *form, ...);
void report_close(void);

#endif
