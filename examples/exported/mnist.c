/* mnist.c - the training of examples/mnist.c again, from the exported step alone: no braze, only libc, libm and pthread.
 *
 *     cc mnist.c step.o test.o braze_rt.o -lm -lpthread && ./a.out mnist.bin */
#include "step.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DIGITS = 10000, TRAIN = 8500, PIXELS = 784 };
static uint8_t pixel[DIGITS * PIXELS], label[DIGITS];

static void *room(size_t bytes) { /* aligned for vectors, zero */
    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
    return p ? memset(p, 0, (bytes + 63) / 64 * 64) : (perror("memory"), exit(1), NULL);
}

static void take(int first, int n, float *x, int64_t *y) {
    for (int i = 0; i < n * PIXELS; i++) x[i] = (float)pixel[first * PIXELS + i] / 255.0f;
    for (int i = 0; i < n; i++) y[i] = label[first + i];
}

int main(int argc, char **argv) {
    int32_t head[3] = {0}, bits, status = 0; /* batch, hidden, steps */
    FILE *f = argc > 1 ? fopen(argv[1], "rb") : NULL;
    if (!f || fread(head, sizeof head, 1, f) != 1) return fprintf(stderr, "usage: exported mnist.bin\n"), 2;
    size_t h = (size_t)head[1], size[6] = {PIXELS * h, h, h * h, h, h * 10, 10}, bytes = 0;
    float *p[18], *x = room(DIGITS * PIXELS * sizeof *x), loss;
    int64_t *y = room(DIGITS * sizeof *y), right;
    for (int k = 0; k < 18; k++) p[k] = room(size[k % 6] * sizeof(float)), bytes += size[k % 6] * sizeof(float);
    for (int k = 0; k < 6; k++) status |= fread(p[k], sizeof(float), size[k], f) != size[k];
    if (status || fread(pixel, sizeof pixel, 1, f) != 1 || fread(label, sizeof label, 1, f) != 1) return 1;
    float *t = room(sizeof *t);
    struct step_args a = {x, y, t, p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9], p[10], p[11], p[12], p[13], p[14],
                          p[15], p[16], p[17], &loss, NULL, 0};
    struct timespec from = {0}, to;
    for (int i = 0; i < head[2] && !status; i++) {
        if (i <= 1) clock_gettime(CLOCK_MONOTONIC, &from); /* the first step makes the workspace */
        take(i % (TRAIN / head[0]) * head[0], head[0], x, y);
        status = step(&a);
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    if (status) return fprintf(stderr, "%s\n", step_error(status)), 1;
    double s = ((double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec)) / (head[2] > 1 ? head[2] - 1 : 1);
    take(TRAIN, DIGITS - TRAIN, x, y);
    struct test_args b = {x, y, p[0], p[1], p[2], p[3], p[4], p[5], &right, NULL, 0};
    if ((status = test(&b))) return fprintf(stderr, "%s\n", test_error(status)), 1;
    memcpy(&bits, &loss, sizeof bits);
    printf("ms_per_step %.6g images_per_s %.6g peak_bytes %zu accuracy %.17g loss_bits 0x%08x\n", 1e3 * s, head[0] / s,
           bytes + step_workspace() + (size_t)head[0] * (PIXELS * sizeof *x + sizeof *y), (double)right / (DIGITS - TRAIN), (unsigned)bits);
    return 0;
}
