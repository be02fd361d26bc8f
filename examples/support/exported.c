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

/* What the program prints: a line for each step, then one for the whole. */
static bool read_output(FILE *f, const report_problem *p, float *loss, double *seconds,
                        report_row *row, size_t *workspace) {
    for (int i = 0; i < p->steps; i++) {
        uint32_t bits;
        if (fscanf(f, "step %lf 0x%" SCNx32 " ", &seconds[i], &bits) != 2) return false;
        memcpy(&loss[i], &bits, sizeof bits);
    }
    row->loss = loss[p->steps - 1];
    return fscanf(f, "ms_per_step %lf workspace %zu accuracy %lf", &row->ms_per_step, workspace,
                  &row->accuracy) == 3;
}

bool exported_run(const char *dir, bool gpu, const char *source, const report_problem *p,
                  size_t arrays, float *loss, double *seconds, report_row *row) {
    const char *at = gpu ? "/gpu" : "", *rt = gpu ? "braze_rt_cuda.o' -ldl" : "braze_rt.o' -lm";
    char command[8192];
    const char *cc = getenv("CC");
    size_t workspace;
    snprintf(command, sizeof command,
             "%s -std=c11 -O2 -D_POSIX_C_SOURCE=200809L -I'%s%s' '%s' '%s%s/step.o' '%s%s/test.o' "
             "'%s%s/%s -lpthread -o '%s%s/exported'",
             cc && *cc ? cc : "cc", dir, at, source, dir, at, dir, at, dir, at, rt, dir, at);
    printf("\n%s\n", command);
    fflush(stdout);
    if (system(command) != 0) return fprintf(stderr, "failed: %s\n", command), false;
    snprintf(command, sizeof command, "'%s%s/exported' '%s/mnist.bin'", dir, at, dir);
    FILE *f = popen(command, "r");
    bool good = f && read_output(f, p, loss, seconds, row, &workspace);
    if (!f || pclose(f) != 0 || !good) return fprintf(stderr, "failed: %s\n", command), false;
    row->images_per_s = 1e3 * p->batch / row->ms_per_step;
    row->peak_bytes = (int64_t)(arrays + workspace);
    return true;
}
