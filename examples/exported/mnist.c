/* mnist.c - the training of examples/mnist.c again, from the exported step: no braze, only libc.
 *
 *     cc mnist.c step.o test.o braze_rt.o -lm -lpthread && ./a.out mnist.bin
 *
 * or on a GPU, exported for one, with braze_rt_cuda.o -ldl -lpthread. */
#include "step.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DIGITS = 10000, TRAIN = 8500, TEST = DIGITS - TRAIN, PIXELS = 784 };
static uint8_t pixel[DIGITS * PIXELS], label[DIGITS];

static void check(bool good, const char *why) {
    if (!good) exit((fprintf(stderr, "exported: %s\n", why), 1));
}
static void *room(size_t bytes) { /* zeros, aligned for vectors */
    void *p = aligned_alloc(64, bytes = (bytes + 63) / 64 * 64);
    check(p, "out of memory");
    return memset(p, 0, bytes);
}
static void get(FILE *f, void *p, size_t bytes) {
    check(f && fread(p, bytes, 1, f) == 1, "mnist.bin is missing or cut off");
}
static void take(int first, int n, float *x, int64_t *y) {
    for (int i = 0; i < n * PIXELS; i++) x[i] = (float)pixel[first * PIXELS + i] / 255.0f;
    for (int i = 0; i < n; i++) y[i] = label[first + i];
}
static double seconds_since(const struct timespec *from) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - from->tv_sec) + 1e-9 * (double)(now.tv_nsec - from->tv_nsec);
}

int main(int argc, char **argv) {
    FILE *f = argc > 1 ? fopen(argv[1], "rb") : NULL;
    int32_t head[3], status = 0, bits; /* batch, hidden, steps */
    get(f, head, sizeof head);
    size_t h = (size_t)head[1], size[6] = {PIXELS * h, h, h * h, h, h * 10, 10};
    float *p[18], *x = room(DIGITS * PIXELS * sizeof *x), *t = room(sizeof *t), loss;
    int64_t *y = room(DIGITS * sizeof *y), right;
    for (int k = 0; k < 18; k++) p[k] = room(size[k % 6] * sizeof(float)); /* w1 .. b3, m, v */
    for (int k = 0; k < 6; k++) get(f, p[k], size[k] * sizeof(float));
    get(f, pixel, sizeof pixel);
    get(f, label, sizeof label);
    struct step_args a = {x,
                          y,
                          t,
                          p[0],
                          p[1],
                          p[2],
                          p[3],
                          p[4],
                          p[5],
                          p[6],
                          p[7],
                          p[8],
                          p[9],
                          p[10],
                          p[11],
                          p[12],
                          p[13],
                          p[14],
                          p[15],
                          p[16],
                          p[17],
                          &loss,
                          room(step_workspace()),
                          step_workspace()};
    struct timespec from;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < head[2] && !status; i++) {
        take(i % (TRAIN / head[0]) * head[0], head[0], x, y);
        status = step(&a);
        memcpy(&bits, &loss, sizeof bits);
        printf("step %.9f 0x%08x\n", seconds_since(&from), (unsigned)bits);
    }
    double ms = 1e3 * seconds_since(&from) / head[2];
    check(!status, step_error(status));
    take(TRAIN, TEST, x, y);
    status = test(&(struct test_args){x, y, p[0], p[1], p[2], p[3], p[4], p[5], &right, NULL, 0});
    check(!status, test_error(status));
    printf("ms_per_step %.6g workspace %zu accuracy %.17g\n", ms, step_workspace(),
           (double)right / TEST);
#ifdef BRAZE_EXPORT_CUDA
    bz_rt_cuda_stop();
#endif
    return 0;
}
