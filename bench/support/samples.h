/* samples.h - times and medians. */
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

/* Monotonic, in milliseconds. */
double now_ms(void);
/* Of n values, which it sorts; n > 0. */
double median(double *v, int n);

#endif
