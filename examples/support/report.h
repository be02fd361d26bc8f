/* report.h - what a way of training cost and gave: a table, and the same as JSON. */
#ifndef EXAMPLES_REPORT_H
#define EXAMPLES_REPORT_H

#include <stdbool.h>
#include <stdint.h>

typedef struct report_row {
    const char *mode;
    double kernels_per_step, ms_per_step, images_per_s;
    int64_t peak_bytes;
    double accuracy; /* 0 .. 1 */
    float loss;      /* of the last step */
} report_row;

typedef struct report_problem {
    uint64_t seed;
    int batch, hidden, steps;
} report_problem;

uint32_t report_bits(float x);

void report_table(const report_row *row, int n);

/* false and a line on stderr if the file cannot be written. */
bool report_json(const char *path, const report_problem *problem, const report_row *row, int n);

#endif
