/* digits.h - the MNIST digits: read, split by a fixed permutation, handed out as batches. */
#ifndef EXAMPLES_DIGITS_H
#define EXAMPLES_DIGITS_H

#include <stdbool.h>
#include <stdint.h>

enum { DIGITS = 10000, TRAIN = 8500, TEST = DIGITS - TRAIN, PIXELS = 28 * 28, CLASSES = 10 };

/* In permuted order: the first TRAIN are for training, the others for the test. */
typedef struct digits {
    uint8_t pixel[DIGITS][PIXELS];
    uint8_t label[DIGITS];
} digits;

/* Reads DIR/t10k-images-idx3-ubyte.gz and DIR/t10k-labels-idx1-ubyte.gz. NULL and a line on stderr
 * if that fails. The caller frees it. */
digits *digits_load(const char *dir);

/* n digits from `first` on: x[n][PIXELS] in 0 .. 1, y[n] in 0 .. 9. */
void digits_batch(const digits *d, int first, int n, float *x, int64_t *y);

#endif
