/* report.c - see report.h. */
#include "examples/support/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

uint32_t report_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

void report_table(const report_row *row, int n) {
    printf("\n%-13s %12s %9s %10s %9s %9s  %s\n", "mode", "kernels/step", "ms/step", "images/s",
           "peak MB", "accuracy", "final loss, and its bits");
    for (int i = 0; i < n; i++)
        printf("%-13s %12g %9.3f %10.0f %9.2f %8.2f%%  %.9g  %a  0x%08" PRIx32 "\n", row[i].mode,
               row[i].kernels_per_step, row[i].ms_per_step, row[i].images_per_s,
               (double)row[i].peak_bytes / 1e6, 100 * row[i].accuracy, (double)row[i].loss,
               (double)row[i].loss, report_bits(row[i].loss));
}

bool report_json(const char *path, const report_problem *problem, const report_row *row, int n) {
    FILE *f = fopen(path, "w");
    if (!f) return perror(path), false;
    fprintf(f,
            "{\n  \"seed\": %" PRIu64
            ", \"batch\": %d, \"hidden\": %d, \"steps\": %d,\n  \"rows\": [\n",
            problem->seed, problem->batch, problem->hidden, problem->steps);
    for (int i = 0; i < n; i++)
        fprintf(f,
                "    {\"mode\": \"%s\", \"kernels_per_step\": %g, \"ms_per_step\": %.6g, "
                "\"images_per_s\": %.6g, "
                "\"peak_bytes\": %" PRId64
                ", \"accuracy\": %.6g, \"loss\": %.9g, \"loss_bits\": \"0x%08" PRIx32 "\"}%s\n",
                row[i].mode, row[i].kernels_per_step, row[i].ms_per_step, row[i].images_per_s,
                row[i].peak_bytes, row[i].accuracy, (double)row[i].loss, report_bits(row[i].loss),
                i + 1 < n ? "," : "");
    fprintf(f, "  ]\n}\n");
    bool ok = !ferror(f);
    ok = !fclose(f) && ok;
    if (!ok) perror(path);
    return ok;
}
