/* exported.c - see exported.h. */
#include "examples/support/exported.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool exported_write(const char *dir, const report_problem *p, float *const *parameter,
                    const int64_t *size, int n, const digits *d) {
    char path[4096];
    const int32_t head[3] = {p->batch, p->hidden, p->steps};
    snprintf(path, sizeof path, "%s/mnist.bin", dir);
    FILE *f = fopen(path, "wb");
    bool ok = f && fwrite(head, sizeof head, 1, f) == 1;
    for (int k = 0; k < n && ok; k++)
        ok = fwrite(parameter[k], sizeof(float), (size_t)size[k], f) == (size_t)size[k];
    ok = ok && fwrite(d->pixel, sizeof d->pixel, 1, f) == 1 &&
         fwrite(d->label, sizeof d->label, 1, f) == 1;
    if (f && fclose(f)) ok = false;
    if (!ok) perror(path);
    return ok;
}

/* Runs a command of the shell; its standard output, at most n - 1 bytes of it. */
static bool output_of(const char *command, char *text, size_t n) {
    FILE *f = popen(command, "r");
    size_t got = f ? fread(text, 1, n - 1, f) : 0;
    text[got] = 0;
    if (f && pclose(f) == 0) return true;
    fprintf(stderr, "failed: %s\n", command);
    return false;
}

bool exported_run(const char *dir, const char *source, const report_problem *p, size_t arrays,
                  report_row *row) {
    char command[8192], text[512];
    const char *cc = getenv("CC");
    size_t workspace;
    uint32_t bits;
    snprintf(command, sizeof command,
             "%s -std=c11 -O2 -D_POSIX_C_SOURCE=200809L -I'%s' '%s' '%s/step.o' '%s/test.o' "
             "'%s/braze_rt.o' -lm -lpthread -o '%s/exported'",
             cc && *cc ? cc : "cc", dir, source, dir, dir, dir, dir);
    printf("\n%s\n", command);
    fflush(stdout);
    if (!output_of(command, text, sizeof text)) return false;
    snprintf(command, sizeof command, "'%s/exported' '%s/mnist.bin'", dir, dir);
    if (!output_of(command, text, sizeof text)) return false;
    if (sscanf(text, "ms_per_step %lf workspace %zu accuracy %lf loss_bits 0x%" SCNx32,
               &row->ms_per_step, &workspace, &row->accuracy, &bits) != 4)
        return fprintf(stderr, "not understood: %s\n", text), false;
    row->images_per_s = 1e3 * p->batch / row->ms_per_step;
    row->peak_bytes = (int64_t)(arrays + workspace);
    memcpy(&row->loss, &bits, sizeof bits);
    return true;
}
