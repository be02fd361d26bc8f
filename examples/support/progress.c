/* progress.c - see progress.h. */
#include "examples/support/progress.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WIDTH = 32, LINES = 4 };

/* Thirty times a second is enough for an eye. */
static bool due(void) {
    static struct timespec last;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double gone = (double)(now.tv_sec - last.tv_sec) + 1e-9 * (double)(now.tv_nsec - last.tv_nsec);
    if (gone < 1.0 / 30) return false;
    last = now;
    return true;
}

void progress(const char *what, int done, int steps, float loss, double images_per_s) {
    static const char full[] = "################################";
    _Static_assert(sizeof full == WIDTH + 1, "a bar of full length");
    if (!isatty(STDOUT_FILENO)) {
        if (done == steps || done * LINES / steps > (done - 1) * LINES / steps)
            printf("%-9s step %d/%d  loss %.4f  %.0f images/s\n", what, done, steps, (double)loss,
                   images_per_s);
        return;
    }
    if (done < steps && !due()) return;
    printf("\r%-9s [%-*.*s] %3d%%  loss %.4f  %6.0f images/s%s", what, WIDTH,
           (int)((long)WIDTH * done / steps), full, (int)(100L * done / steps), (double)loss,
           images_per_s, done == steps ? "\n" : "");
    fflush(stdout);
}
