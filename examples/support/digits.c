/* digits.c - see digits.h. IDX: big-endian magic and sizes, then bytes. */
#include "examples/support/digits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { IDX_IMAGES = 0x803, IDX_LABELS = 0x801 };

static uint32_t big_endian(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The n bytes after a header of `words` words. */
static bool read_idx(const char *dir, const char *name, uint32_t magic, unsigned words,
                     uint8_t *dst, unsigned n) {
    char path[4096];
    uint8_t head[16];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    gzFile f = gzopen(path, "rb");
    bool ok = f && gzread(f, head, 4 * words) == (int)(4 * words) && big_endian(head) == magic &&
              big_endian(head + 4) == DIGITS && gzread(f, dst, n) == (int)n;
    if (f) gzclose(f);
    if (!ok)
        fprintf(stderr, "%s: %s\n", path, f ? "not the file that was expected" : "cannot be read");
    return ok;
}

/* The same shuffle each time: Fisher and Yates with a small generator of its own, whatever the seed
 * of the training. */
static void permutation(int *order) {
    uint32_t state = 20;
    for (int i = 0; i < DIGITS; i++) order[i] = i;
    for (int i = DIGITS - 1; i > 0; i--) {
        state = state * 1664525u + 1013904223u;
        int j = (int)((uint64_t)state * (uint64_t)(i + 1) >> 32), kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}

digits *digits_load(const char *dir) {
    static int order[DIGITS];
    digits *raw = malloc(sizeof *raw), *d = malloc(sizeof *d);
    bool ok =
        raw && d &&
        read_idx(dir, "t10k-images-idx3-ubyte.gz", IDX_IMAGES, 4, raw->pixel[0], DIGITS * PIXELS) &&
        read_idx(dir, "t10k-labels-idx1-ubyte.gz", IDX_LABELS, 2, raw->label, DIGITS);
    permutation(order);
    for (int i = 0; ok && i < DIGITS; i++) {
        memcpy(d->pixel[i], raw->pixel[order[i]], PIXELS);
        d->label[i] = raw->label[order[i]];
        ok = d->label[i] < CLASSES;
    }
    free(raw);
    if (ok) return d;
    free(d);
    return NULL;
}

void digits_batch(const digits *d, int first, int n, float *x, int64_t *y) {
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < PIXELS; k++) x[i * PIXELS + k] = (float)d->pixel[first + i][k] / 255.0f;
        y[i] = d->label[first + i];
    }
}
