/* exported.h - the exported step as a program of its own: its data file, its compiler run, what it
 * printed. */
#ifndef EXAMPLES_EXPORTED_H
#define EXAMPLES_EXPORTED_H

#include "examples/support/digits.h"
#include "examples/support/report.h"

#include <stddef.h>

/* Writes DIR/mnist.bin: batch, hidden, steps as int32, all parameters, all pixels, all labels.
 * parameter[k]: size[k] floats. false and a line on stderr if that fails. */
bool exported_write(const char *dir, const report_problem *p, float *const *parameter,
                    const int64_t *size, int n, const digits *d);

/* Compiles `source` against the exports in DIR, or those for a GPU in DIR/gpu, with $CC (else cc), libc, libm
 * and pthread, runs it there, and reads the row that it prints, and the loss and time at the end of each
 * step; `arrays`: bytes that one step is given, which count to its peak. false and a line on stderr if
 * that fails. */
bool exported_run(const char *dir, bool gpu, const char *source, const report_problem *p,
                  size_t arrays, float *loss, double *seconds, report_row *row);

#endif
